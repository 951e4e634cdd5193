"""Convert nets from torch to Brian2 and back, with the same weights, neurons and noise, so the same spike probabilities."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from ..core.errors import NsnnError
from ..core.parameters import Model
from ..models.connectivity import OneToOne
from ..models.convolution import AveragePooling
from ..models.escape import EscapeNoise, Family
from ..models.network import Network
from ..models.neurons import NSNNNeuron, Relay
from ..models.plasticity import Plasticity
from ..models.populations import Population, Projection
from ..models.stimuli import Constant
from .linear_maps import LINEAR, Link, Shape, around, each_step, read, write
from .neuron import NoisySpike
from .residual import Residual

_EXPECTED = "expected nn.Linear and NoisySpike in turn, e.g. nn.Sequential(nn.Linear(64, 10), NoisySpike(Gaussian(0.4)))"
_CONV = "nn.Conv2d, nn.AvgPool2d, nn.Flatten and Residual are moved too; fold a batch norm into the weights before it"
Part = TypeVar("Part", bound=Model)


def to_network(
    module: Any, *, image: Any = None, plasticity: Plasticity | None = None, seed: int | None = 0
) -> Network:
    """Convert a feed-forward torch net to a `Network`: `simulate` runs it, `train` continues its training if all layers are dense.

    A layer's u and F are those of the module, to rounding in double precision. A bias becomes a constant stimulus of the layer
    (which `train` refuses: use bias=False for it).

    Between the neurons there can be nn.Linear (a projection `AllToAll`), nn.Conv2d (`Convolution`) and nn.AvgPool2d
    (`AveragePooling`), nn.Flatten and nn.Unflatten. A pooling right before an nn.Conv2d or nn.Linear is joined with it in one
    projection. `Residual` becomes a projection around the block.

    Parameters
    ----------
    module : nn.Sequential, or a list of modules, of linear ones and `NoisySpike` in turn; Sequentials and `EachStep`s within are
        opened, nn.Identity left out
    image : (channels, height, width) of the input, where an nn.Conv2d or nn.AvgPool2d takes it
    plasticity : the learning rule of all projections, or None; refused by convolutions, which are trained in torch
    seed : of the network; it has no effect, as nothing is drawn

    Returns
    -------
    Network : populations "input", then those of the names that the `NoisySpike`s have in the module, or "layer1", "layer2", ...

    Raises
    ------
    NsnnError : other modules (fold or unroll them first), sizes that don't fit, weights that aren't finite

    >>> from nsnn_neuro import Gaussian
    >>> to_network(nn.Sequential(nn.Linear(4, 2, bias=False), NoisySpike(Gaussian(0.4))))
    <Network input: 4, layer1: 2; input->layer1; seed 0>
    >>> from nsnn_neuro.deep import EachStep
    >>> conv = nn.Sequential(EachStep(nn.Conv2d(1, 2, 3)), NoisySpike(Gaussian(0.4)))
    >>> to_network(conv, image=(1, 5, 4))
    <Network input: 20, layer1: 12; input->layer1; seed 0>
    """
    shape = None if image is None else AveragePooling(1, image=image).post_image
    made = _Moved(shape, plasticity)
    made.add(opened(module))
    if not made.projections:
        raise NsnnError(f"module has no layers to move: {_EXPECTED}")
    return Network(made.populations, made.projections, seed=seed)


class _Moved:
    """A network under construction; `shapes` are those of its populations' spikes in a step."""

    def __init__(self, image: Shape | None, plasticity: Plasticity | None) -> None:
        self.image, self.plasticity = image, plasticity
        self.populations: list[Population] = []
        self.shapes: list[Shape] = []
        self.projections: list[Projection] = []

    def add(self, layers: Iterable[tuple[str, nn.Module]]) -> None:
        """Append the layers' populations and projections."""
        linear: list[tuple[str, nn.Module]] = []
        for name, layer in layers:
            match layer:
                case nn.Identity():
                    pass
                case NoisySpike() if linear:
                    self.neurons(name, layer, self.link(linear))
                    linear = []
                case Residual() if not linear:
                    self.block(layer)
                case _ if isinstance(layer, LINEAR):
                    linear.append((name, layer))
                case _:
                    after = f" after {type(linear[-1][1]).__name__}" if linear else ""
                    raise NsnnError(
                        f"module has {type(layer).__name__} at {name!r}{after}: {_EXPECTED}; {_CONV}"
                    )
        if linear:
            name, layer = linear[-1]
            raise NsnnError(
                f"module has {type(layer).__name__} at {name!r}, no NoisySpike after it: {_EXPECTED}"
            )

    def link(self, linear: list[tuple[str, nn.Module]]) -> Link:
        """The link of linear layers after the last population; the first ones set the size of the input."""
        link = read(linear, self.shapes[-1] if self.shapes else self.image)
        if not self.populations:
            self.populations.append(Population(int(np.prod(link.before)), Relay(), name="input"))
            self.shapes.append(link.before)
        return link

    def neurons(self, name: str, spike: NoisySpike, link: Link) -> None:
        """Append a population and the projection to it."""
        if spike.mean_field:
            raise NsnnError(f"mean_field = True at {name!r}: expected neurons that spike, mean_field=False")
        axis = spike.axis - 1 if spike.axis > 0 else len(link.after) + spike.axis
        if spike.axis == 0 or not 0 <= axis < len(link.after):
            raise NsnnError(f"axis = {spike.axis} at {name!r}: expected -1 for a dense layer, 1 for an image")
        family = _each(spike.family, link.after, axis)
        post = Population(
            int(np.prod(link.after)),
            _each(spike.neuron, link.after, axis),
            noise=EscapeNoise(family) if spike.noisy else None,
            stimulus=None if link.bias is None else Constant(link.bias),
            name=f"layer{len(self.populations)}" if name.isdigit() else name,
        )
        pre = self.populations[-1]
        self.populations.append(post)
        self.shapes.append(link.after)
        self.project(pre, post, link)

    def block(self, block: Residual) -> None:
        """Append a residual block: its layers, and a projection around them."""
        start = max(len(self.populations) - 1, 0)
        self.add(opened(block.inner))
        before, after = self.shapes[start], self.shapes[-1]
        path = [] if block.skip is None else [*opened([block.skip])]
        for name, layer in path:
            if not isinstance(layer, (*LINEAR, nn.Identity)):
                raise NsnnError(
                    f"skip has {type(layer).__name__} at {name!r}: expected linear modules; {_CONV}"
                )
        link = read([(name, layer) for name, layer in path if isinstance(layer, LINEAR)], before)
        if link.after != after or link.bias is not None:
            got = "a bias" if link.bias is not None else f"the shape {link.after}"
            raise NsnnError(
                f"skip of the block of {self.populations[-1].name!r} has {got}: expected none, and the shape {after}"
            )
        self.project(self.populations[start], self.populations[-1], link)

    def project(self, pre: Population, post: Population, link: Link) -> None:
        """Append a projection; a link that only changes the shape becomes `OneToOne`."""
        rule, weight = (OneToOne(), 1.0) if link.rule is None else (link.rule, link.weight)
        self.projections.append(Projection(pre, post, rule=rule, weight=weight, plasticity=self.plasticity))


def opened(module: Any) -> Iterator[tuple[str, nn.Module]]:
    """Name and module of each layer, in order, repeated modules each time; Sequentials within are opened.

    >>> [name for name, _ in opened([nn.Linear(2, 2), nn.Sequential(nn.Flatten())])]
    ['0', '0']
    """
    if isinstance(module, nn.Sequential):
        every = module.named_modules(remove_duplicate=False)
        for name, child in [(n, m) for n, m in every if n and "." not in n]:
            yield from opened(child) if isinstance(child, nn.Sequential) else [(name, child)]
    elif isinstance(module, list | tuple) and all(isinstance(m, nn.Module) for m in module):
        for k, child in enumerate(module):
            yield from opened(child) if isinstance(child, nn.Sequential) else [(str(k), child)]
    else:
        raise NsnnError(f"module is {type(module).__name__}: {_EXPECTED}")


def _each(model: Part, shape: Shape, axis: int) -> Part:
    """The model with one value for each neuron where it has one for each place along an axis of a step's shape."""
    if len(shape) == 1:
        return model
    along = [1] * len(shape)
    along[axis] = -1
    new = {}
    for name in (f.name for f in model.parameter_fields() if np.ndim(model.si(f.name))):
        values = np.asarray(model.si(name))
        if values.size != shape[axis]:
            raise NsnnError(f"{name} has {values.size} values: expected one, or {shape[axis]} for {shape}")
        new[name] = np.broadcast_to(values.reshape(along), shape).ravel()
    return dataclasses.replace(model, **new) if new else model


def _channels(model: Part, shape: Shape, label: str) -> Part:
    """The model with one value for each channel where it has one for each neuron of an image."""
    if len(shape) == 1:
        return model
    new = {}
    for name in (f.name for f in model.parameter_fields() if np.ndim(model.si(f.name))):
        values = np.asarray(model.si(name)).reshape(shape[0], -1)
        if np.any(values != values[:, :1]):
            raise NsnnError(
                f"{name} of {type(model).__name__} differs within a channel of {label!r}: expected one value for each channel"
            )
        new[name] = values[:, 0].copy()
    return dataclasses.replace(model, **new) if new else model


def from_network(
    net: Network,
    *,
    reset_path: str = "exact",
    learn_beta: bool = False,
    learn_theta: bool = False,
    learn_noise: bool = False,
    surrogate: Family | None = None,
    dtype: torch.dtype = torch.float64,
) -> nn.Sequential:
    """Convert a feed-forward `Network` of NSNN layers to a torch module from drive (T, batch, n_in) to the last layer's spikes.

    `Convolution` and `AveragePooling` become nn.Conv2d and nn.AvgPool2d (with `Times` where its weight isn't 1), projections around
    layers `Residual`; other synapses become a dense layer, with weight 0 where there are none. The input stays flat: nn.Unflatten
    makes an image of it. Learning rules and the input's own stimulus are dropped.

    Parameters
    ----------
    net : an input `Relay`, then layers of `NSNNNeuron`s, as `feedforward` and `convolutional` make it; a constant stimulus of a
        layer becomes its bias
    reset_path, learn_beta, learn_theta, learn_noise : of the `NoisySpike`s
    surrogate : the family whose density is the surrogate gradient of layers without noise; needed if there are any
    dtype : of the weights; in torch.float64 nothing is rounded

    Returns
    -------
    nn.Sequential : for each layer "to_NAME", linear, and "NAME", a `NoisySpike`; "block_NAME" is a `Residual` that ends with NAME

    >>> from nsnn_neuro import EscapeNoise, Gaussian, feedforward
    >>> net = from_network(feedforward([4, 3, 2], noise=EscapeNoise(Gaussian(0.4))))
    >>> [name for name, _ in net.named_children()], net(torch.zeros(5, 1, 4, dtype=torch.float64)).shape
    (['to_layer1', 'layer1', 'to_layer2', 'layer2'], torch.Size([5, 1, 2]))
    """
    if not isinstance(net, Network):
        raise NsnnError(f"net is {type(net).__name__}: expected a Network, e.g. feedforward([64, 10], ...)")
    between, skips = _projections(net)
    given = dict(zip(net.projection_names, net.get_weights(), strict=True))
    shape: Shape = (net.populations[0].n,)
    shapes, layers = [shape], []
    for post, name in zip(net.populations[1:], between, strict=True):
        projection = net.projection(name)
        linear, shape = write(projection, given[name], net.connections(name), shape, dtype)
        learned = {"learn_beta": learn_beta, "learn_theta": learn_theta}
        learned["learn_noise"] = learn_noise and post.noise is not None
        spike = _spikes(post, shape, surrogate, reset_path=reset_path, **learned)
        if post.stimulus is not None:
            layer, bias = linear[-1], _channels(post.stimulus, shape, post.name)
            if not isinstance(layer, nn.Linear | nn.Conv2d):
                raise NsnnError(f"projection {name!r}: a pooling layer with a stimulus, expected None")
            values = np.broadcast_to(bias.si("v"), layer.weight.shape[0]).copy()
            layer.bias = nn.Parameter(torch.from_numpy(values).to(layer.weight))
        layers.append({f"to_{post.name}": each_step(linear), post.name: spike.to(dtype)})
        shapes.append(shape)
    paths = {
        (a, b): around(net.projection(name), given[name], net.connections(name), shapes[a], shapes[b], dtype)
        for (a, b), name in skips.items()
    }
    return _nested(net, layers, paths)


def _nested(
    net: Network, layers: list[dict[str, nn.Module]], paths: dict[tuple[int, int], nn.Module | None]
) -> nn.Sequential:
    """The layers in turn, those between the ends of a path within a `Residual`."""
    left = dict(paths)

    def row(start: int, stop: int) -> nn.Sequential:
        modules: OrderedDict[str, nn.Module] = OrderedDict()
        while start < stop:
            ends = [pair for pair in left if pair[0] == start and pair[1] <= stop]
            if ends:
                pair = max(ends)
                path = left.pop(pair)
                modules[f"block_{net.populations[pair[1]].name}"] = Residual(row(*pair), skip=path)
                start = pair[1]
            else:
                modules.update(layers[start])
                start += 1
        return nn.Sequential(modules)

    made = row(0, len(layers))
    if left:
        pre, post = (net.populations[k].name for k in next(iter(left)))
        raise NsnnError(
            f"the path around layers from {pre!r} to {post!r} crosses another one: expected paths one after the other or nested"
        )
    return made


def _spikes(post: Population, shape: Shape, surrogate: Family | None, **options: Any) -> NoisySpike:
    noise = post.noise
    if noise is None and surrogate is None:
        raise NsnnError(
            f"surrogate = None: population {post.name!r} has no noise, expected a family such as Gaussian(0.4) for its derivative"
        )
    neuron = _channels(post.neuron, shape, post.name)
    assert isinstance(neuron, NSNNNeuron)
    family = surrogate if noise is None else _channels(noise.family, shape, post.name)  # type: ignore[attr-defined]
    return NoisySpike(
        family,  # type: ignore[arg-type]
        beta=neuron.beta,
        theta=neuron.theta,
        reset=neuron.reset,
        noisy=noise is not None,
        axis=1 if len(shape) == 3 else -1,
        **options,
    )


def _projections(net: Network) -> tuple[list[str], dict[tuple[int, int], str]]:
    """Names of the projections from each layer to the next, and of those around layers by their ends; others are refused."""
    expected = "expected an input Relay() and layers, each to the next, as feedforward([64, 10], noise=...) makes them"
    if len(net.populations) < 2 or not isinstance(net.populations[0].neuron, Relay):
        raise NsnnError(f"net = {net!r}: {expected}")
    for layer in net.populations[1:]:
        noise, stimulus = layer.noise, layer.stimulus
        if not isinstance(layer.neuron, NSNNNeuron):
            raise NsnnError(f"{layer.name!r} is of {type(layer.neuron).__name__}s, expected NSNNNeuron()")
        if noise is not None and (not isinstance(noise, EscapeNoise) or noise.family is None):
            raise NsnnError(f"noise = {noise} of {layer.name!r}: expected EscapeNoise(Gaussian(0.4))")
        if stimulus is not None and not isinstance(stimulus, Constant):
            raise NsnnError(f"stimulus = {stimulus} of {layer.name!r}: expected None, or Constant(...)")
    forward: list[str | None] = [None] * (len(net.populations) - 1)
    skips: dict[tuple[int, int], str] = {}
    for name, p in zip(net.projection_names, net.projections, strict=True):
        pre, post = (net.populations.index(end) for end in (p.pre, p.post))
        if p.release < 1 or p.short_term is not None or np.any(net.connections(p).delay):
            raise NsnnError(f"projection {name!r}: expected release=1, short_term=None and no delay")
        if pre == post - 1 and forward[pre] is None:
            forward[pre] = name
        elif pre < post and all(post != end for _, end in skips):
            skips[pre, post] = name
        else:
            raise NsnnError(
                f"projection {name!r} isn't from a layer to the next, or the only one around layers that ends there: {expected}"
            )
    if None in forward:
        missing = net.populations[forward.index(None) + 1]
        raise NsnnError(f"population {missing.name!r} receives nothing from the one before it: {expected}")
    return [name for name in forward if name is not None], skips

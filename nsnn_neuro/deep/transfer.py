"""Feed-forward nets from torch to Brian2 and back: the same weights, neurons and noise, so the same probabilities of spikes."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from ..connectivity import AllToAll
from ..errors import NsnnError
from ..escape import EscapeNoise, Family
from ..network import Network
from ..neurons import NSNNNeuron, Relay
from ..plasticity import Plasticity
from ..populations import Population, Projection
from ..stimuli import Constant
from .neuron import NoisySpike

__all__ = ["from_network", "to_network"]

_TOLD = "expected nn.Linear and NoisySpike in turn, e.g. nn.Sequential(nn.Linear(64, 10), NoisySpike(Gaussian(0.4)))"


def to_network(module: Any, *, plasticity: Plasticity | None = None, seed: int | None = 0) -> Network:
    """A dense feed-forward net of torch as a `Network`: `simulate` runs it, `train` goes on with it.

    A layer's u and F are those of the module, to rounding in double precision. A bias becomes a constant stimulus of the layer
    (which `train` refuses: use nn.Linear(..., bias=False) for that).

    Parameters
    ----------
    module : nn.Sequential, or a list of modules, of nn.Linear and `NoisySpike` in turn; Sequentials and `EachStep`s within are
        opened, nn.Identity left out
    plasticity : the learning rule of all projections, or None
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
    """
    found = [pair for pair in _opened(module) if not isinstance(pair[1], nn.Identity)]
    if not found or len(found) % 2:
        raise NsnnError(f"module has {len(found)} layers to move: {_TOLD}")
    populations: list[Population] = []
    projections = []
    for k in range(len(found) // 2):
        (linear_name, linear), (name, spike) = found[2 * k : 2 * k + 2]
        for at, layer, kind in ((linear_name, linear, nn.Linear), (name, spike, NoisySpike)):
            if not isinstance(layer, kind):
                raise NsnnError(f"module has {type(layer).__name__} at {at!r}: {_TOLD}")
        weight = linear.weight.detach().double().cpu().numpy().T.copy()
        if not populations:
            populations.append(Population(weight.shape[0], Relay(), name="input"))
        if populations[-1].n != weight.shape[0]:
            raise NsnnError(
                f"Linear at {linear_name!r} takes {weight.shape[0]}: expected {populations[-1].n}, as many as before it"
            )
        populations.append(_population(spike, linear.bias, weight.shape[1], name, k + 1))
        projections.append(
            Projection(*populations[-2:], rule=AllToAll(), weight=weight, plasticity=plasticity)
        )
    return Network(populations, projections, seed=seed)


def _population(spike: NoisySpike, bias: Any, n: int, name: str, k: int) -> Population:
    if spike.axis not in (-1, 1):
        raise NsnnError(f"axis = {spike.axis} at {name!r}: expected -1, a dense layer's")
    return Population(
        n,
        spike.neuron,
        noise=EscapeNoise(spike.family) if spike.noisy else None,
        stimulus=None if bias is None else Constant(bias.detach().double().cpu().numpy().copy()),
        name=f"layer{k}" if name.isdigit() else name,
    )


def _opened(module: Any) -> Iterator[tuple[str, nn.Module]]:
    """Name and module of each layer, in order; one that stands there twice comes twice."""
    if isinstance(module, nn.Sequential):
        every = module.named_modules(remove_duplicate=False)
        for name, child in [(n, m) for n, m in every if n and "." not in n]:
            yield from _opened(child) if isinstance(child, nn.Sequential) else [(name, child)]
    elif isinstance(module, list | tuple) and all(isinstance(m, nn.Module) for m in module):
        for k, child in enumerate(module):
            yield from _opened(child) if isinstance(child, nn.Sequential) else [(str(k), child)]
    else:
        raise NsnnError(f"module is {type(module).__name__}: {_TOLD}")


def from_network(
    net: Network,
    *,
    reset_path: str = "exact",
    learn_noise: bool = False,
    surrogate: Family | None = None,
    dtype: torch.dtype = torch.float64,
) -> nn.Sequential:
    """A feed-forward `Network` of NSNN layers as a torch module: drive (T, batch, n_in) in, the last layer's spikes out.

    Of synapses that aren't there the weight is 0. Learning rules and the input's own stimulus aren't taken along.

    Parameters
    ----------
    net : an input `Relay`, then layers of `NSNNNeuron`s, as `feedforward` makes it; a constant stimulus of a layer becomes its bias
    reset_path, learn_noise : of the `NoisySpike`s
    surrogate : the family whose density stands for the derivative of layers without noise; needed where there are some
    dtype : of the weights; in torch.float64 nothing is rounded

    Returns
    -------
    nn.Sequential : "to_NAME", an nn.Linear, and "NAME", a `NoisySpike`, for each layer

    Raises
    ------
    NsnnError : a network that isn't of that kind

    >>> from nsnn_neuro import EscapeNoise, Gaussian, feedforward
    >>> net = from_network(feedforward([4, 3, 2], noise=EscapeNoise(Gaussian(0.4))))
    >>> [name for name, _ in net.named_children()], net(torch.zeros(5, 1, 4, dtype=torch.float64)).shape
    (['to_layer1', 'layer1', 'to_layer2', 'layer2'], torch.Size([5, 1, 2]))
    """
    if not isinstance(net, Network):
        raise NsnnError(f"net is {type(net).__name__}: expected a Network, e.g. feedforward([64, 10], ...)")
    between = _projections(net)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for post, projection in zip(net.populations[1:], between, strict=True):
        pre = projection.pre
        synapses = net.connections(projection)
        weight = np.zeros((pre.n, post.n))
        np.add.at(weight, (synapses.pre, synapses.post), synapses.weight)
        linear = nn.Linear(pre.n, post.n, bias=post.stimulus is not None, dtype=dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight.T.copy()))
            if post.stimulus is not None:
                linear.bias.copy_(torch.from_numpy(np.broadcast_to(post.stimulus.si("v"), post.n).copy()))
        layers[f"to_{post.name}"] = linear
        layers[post.name] = _spikes(post, reset_path, learn_noise, surrogate).to(dtype)
    return nn.Sequential(layers)


def _spikes(post: Population, reset_path: str, learn_noise: bool, surrogate: Family | None) -> NoisySpike:
    neuron = post.neuron
    assert isinstance(neuron, NSNNNeuron)
    noise = post.noise
    if noise is None and surrogate is None:
        raise NsnnError(
            f"surrogate = None: population {post.name!r} has no noise, expected a family such as Gaussian(0.4) for its derivative"
        )
    return NoisySpike(
        surrogate if noise is None else noise.family,  # type: ignore[arg-type, attr-defined]
        beta=neuron.beta,
        theta=neuron.theta,
        reset=neuron.reset,
        reset_path=reset_path,
        noisy=noise is not None,
        learn_noise=learn_noise and noise is not None,
    )


def _projections(net: Network) -> list[Projection]:
    """The projections from each layer to the next, if there are these and nothing else."""
    told = "expected an input Relay() and layers, each to the next, as feedforward([64, 10], noise=...) makes them"
    if len(net.populations) < 2 or not isinstance(net.populations[0].neuron, Relay):
        raise NsnnError(f"net = {net!r}: {told}")
    for post in net.populations[1:]:
        noise, stimulus = post.noise, post.stimulus
        if not isinstance(post.neuron, NSNNNeuron):
            raise NsnnError(
                f"population {post.name!r} is of {type(post.neuron).__name__}s, expected NSNNNeuron()"
            )
        if noise is not None and (not isinstance(noise, EscapeNoise) or noise.family is None):
            raise NsnnError(
                f"noise = {noise} of {post.name!r}: expected EscapeNoise(Gaussian(0.4)) or the like, or None"
            )
        if stimulus is not None and not isinstance(stimulus, Constant):
            raise NsnnError(
                f"stimulus = {stimulus} of {post.name!r}: expected None, or Constant(...), a bias"
            )
    pairs = list(itertools.pairwise(net.populations))
    found: list[Any] = [None] * len(pairs)
    for name, p in zip(net.projection_names, net.projections, strict=True):
        at = next((k for k, (pre, post) in enumerate(pairs) if p.pre is pre and p.post is post), None)
        if at is None or found[at] is not None:
            raise NsnnError(
                f"projection {name!r} isn't from a layer to the next, or isn't the only such one: {told}"
            )
        if p.release < 1 or np.any(net.connections(p).delay):
            raise NsnnError(f"projection {name!r}: expected release=1 and no delay")
        found[at] = p
    if missing := [post.name for (_, post), p in zip(pairs, found, strict=True) if p is None]:
        raise NsnnError(f"population {missing[0]!r} receives nothing: {told}")
    return found

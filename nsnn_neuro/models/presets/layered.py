"""Layered NSNN networks: fully connected, convolutional, recurrent."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ...core import units
from ...core.checks import flag, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import shown
from ..connectivity import AllToAll, ConnectionRule, OneToOne
from ..convolution import AveragePooling, Convolution
from ..network import Network, check_weights
from ..neurons import IntegrateAndFire, Neuron, NSNNNeuron, Relay
from ..noise import Noise
from ..plasticity import Plasticity
from ..populations import Population, Projection
from ..weight_distributions import Normal

# standard deviation of random weights times the square root of their number, in units of the distance from reset to threshold.
# With larger weights some neurons start so far below threshold that noise-driven learning cannot reach them
_GAIN = 1.0
_FIRING = 0.1  # share of hidden neurons that fire in a step at first, roughly
_NSNN = NSNNNeuron()


@suggest_keywords
def feedforward(
    sizes: Sequence[int],
    *,
    noise: Noise | Sequence[Noise | None] | None,
    neuron: Neuron | Sequence[Neuron] = _NSNN,
    plasticity: Plasticity | None = None,
    weights: Sequence[Any] | None = None,
    near_threshold: bool = False,
    seed: int | None = 0,
) -> Network:
    """Feedforward network: "input" (a `Relay`), then "layer1", "layer2", ..., fully connected without delay.

    A spike passes through all layers within one step.

    Parameters
    ----------
    sizes : numbers of neurons, input first, at least two
    noise : EscapeNoise(Gaussian(0.4)) or the like for all layers except the input, a list with one per layer, or None for
        deterministic neurons
    neuron : neuron model of all layers except the input, or a list with one per layer
    plasticity : the learning rule of all projections, such as `NDL(0.01)`, or None
    weights : list of arrays of shape (n_pre, n_post), one per layer except the input; None: normal with mean 0 and standard
        deviation theta / sqrt(n_pre) (theta: distance from reset to threshold). For inputs of 0 or 1 with equal probability the
        standard deviation of the summed input is about 0.7 theta
    near_threshold : True: random weights of the output have the mean theta / (0.1 n_pre), so that its neurons start near threshold
        when 10 % of the neurons before them fire. With little noise (sigma of 0.2 theta or less) and a cross-entropy loss, outputs
        that start far below threshold never fire and never learn
    seed : whole number, seed of the random weights

    >>> from nsnn_neuro.models.escape import EscapeNoise, Gaussian
    >>> net = feedforward([64, 32, 10], noise=EscapeNoise(Gaussian(0.4)))
    >>> [w.shape for w in net.get_weights()]
    [(64, 32), (32, 10)]
    """
    listed = isinstance(sizes, list | tuple) or (isinstance(sizes, np.ndarray) and sizes.ndim == 1)
    if not listed or len(sizes) < 2:
        raise NsnnError(
            f"sizes = {shown(sizes)}: expected a list of at least two numbers of neurons, input first"
        )
    models = (_noises(value, len(sizes) - 1, name) for name, value in (("neuron", neuron), ("noise", noise)))
    layers = [Population(sizes[0], Relay(), name="input")]
    for k, (n, cell, own) in enumerate(zip(sizes[1:], *models, strict=True), 1):
        layers.append(Population(n, cell, noise=own, name=f"layer{k}"))
    projections = _all_to_all(itertools.pairwise(layers), weights, plasticity, near_threshold)
    return Network(layers, projections, seed=seed)


@dataclasses.dataclass(frozen=True)
class Residual:
    """Residual block of `convolutional`: two convolutions; the input spikes also add to the drive of the second.

    Parameters
    ----------
    channels : whole number, of both convolutions
    kernel : odd whole number; the padding is half of it, so that only `stride` changes the size
    stride : whole number, of the first convolution. If stride or channels change the image, a convolution with kernel 1 and this
        stride replaces the direct path

    >>> Residual(8, stride=2)
    Residual(channels=8, kernel=3, stride=2)
    """

    channels: int
    kernel: int = 3
    stride: int = dataclasses.field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.kernel, bool) or not isinstance(self.kernel, int) or self.kernel % 2 == 0:
            raise NsnnError(
                f"kernel = {self.kernel!r}: expected an odd whole number, so that windows cover the image"
            )
        self.first()

    def first(self) -> Convolution:
        """The first convolution."""
        return Convolution(self.channels, self.kernel, stride=self.stride, padding=self.kernel // 2)


@suggest_keywords
def convolutional(
    image: Sequence[int],
    layers: Sequence[Any],
    *,
    noise: Noise | Sequence[Noise | None] | None,
    neuron: Neuron = _NSNN,
    seed: int | None = 0,
) -> Network:
    """Convolutional network: "input" (a `Relay` of an image), then one population per layer, "layer1", "layer2", ...

    All layers, including pooling layers, have neurons and no delay: a spike passes through all of them within one step.

    Parameters
    ----------
    image : (channels, height, width) of the input; neurons are in the order of `image.ravel()`
    layers : list of `Convolution`, `AveragePooling` and `Residual`, and whole numbers for dense layers. A residual block has the
        populations "layerK_inner" and "layerK"
    noise : noise model of all layers, or a list with one (or None) per layer
    neuron : neuron model of all layers
    seed : whole number, seed of the random weights

    Weights (`Network.set_weights` changes them): random in convolutions and dense layers, as in `feedforward`; 2 theta in pooling
    layers, so that a window with half of its neurons firing drives a neuron to threshold; theta in the direct path around a block.

    >>> from nsnn_neuro.models.escape import EscapeNoise, Gaussian
    >>> layers = [Convolution(8, 3, padding=1), AveragePooling(2), Residual(8), 10]
    >>> net = convolutional((1, 8, 8), layers, noise=EscapeNoise(Gaussian(0.4)))
    >>> [(p.name, p.n) for p in net.populations[1:]]
    [('layer1', 512), ('layer2', 128), ('layer3_inner', 128), ('layer3', 128), ('layer4', 10)]
    >>> [w.shape for w in net.get_weights()]
    [(8, 1, 3, 3), (), (8, 8, 3, 3), (8, 8, 3, 3), (128,), (128, 10)]
    """
    if not isinstance(layers, list | tuple) or not layers:
        raise NsnnError(
            f"layers = {layers!r}: expected a list of Convolution(8, 3), AveragePooling(2) and the like"
        )
    network = _Layers(AveragePooling(1, image=image).post_image, neuron)
    for k, (layer, own) in enumerate(zip(layers, _noises(noise, len(layers)), strict=True), 1):
        name = f"layer{k}"
        match layer:
            case Convolution() | AveragePooling():
                network.window(layer, name, own)
            case Residual():
                network.block(layer, name, own)
            case int() | np.integer() if not isinstance(layer, bool):
                network.add(AllToAll(), int(layer), name, own)
                network.image = None
            case _:
                raise NsnnError(
                    f"layers[{k - 1}] = {layer!r}: expected Convolution(8, 3), AveragePooling(2), Residual(8) or a whole number"
                )
    return Network(network.populations, network.projections, seed=seed)


class _Layers:
    """Builder of a layered network; `image` is the shape of the last population, None after a dense layer."""

    def __init__(self, image: tuple[int, int, int], neuron: Neuron) -> None:
        self.image: tuple[int, int, int] | None = image
        self.neuron = neuron
        self.populations = [Population(int(np.prod(image)), Relay(), name="input")]
        self.projections: list[Projection] = []

    def add(self, rule: ConnectionRule, n: int, name: str, noise: Noise | None) -> None:
        post = Population(n, self.neuron, noise=noise, name=name)
        self.connect(self.populations[-1], post, rule)
        self.populations.append(post)

    def window(self, rule: Convolution | AveragePooling, name: str, noise: Noise | None) -> None:
        """Append a population of the size that the rule returns."""
        if self.image is None:
            raise NsnnError(
                f"{name} = {rule!r}: it follows a dense layer, which has no image: expected a whole number"
            )
        if rule.image not in (None, self.image):
            raise NsnnError(
                f"image = {rule.image} of {name}: expected None, or {self.image}, that of the previous layer"
            )
        rule = dataclasses.replace(rule, image=self.image)
        self.add(rule, int(np.prod(rule.post_image)), name, noise)
        self.image = rule.post_image

    def block(self, layer: Residual, name: str, noise: Noise | None) -> None:
        """Append the two populations of a residual block, and the path around the first."""
        before, image = self.populations[-1], self.image
        self.window(layer.first(), f"{name}_inner", noise)
        self.window(dataclasses.replace(layer.first(), stride=1), name, noise)
        around = Convolution(layer.channels, 1, stride=layer.stride, image=image)
        self.connect(before, self.populations[-1], OneToOne() if image == self.image else around)

    def connect(self, pre: Population, post: Population, rule: ConnectionRule) -> None:
        """Append a projection with initial weights."""
        match rule:
            case Convolution():
                weight: Any = _random_weights(post, int(np.prod((rule.image[0], *rule.kernel))))
            case AllToAll():
                weight = _random_weights(post, pre.n)
            case _:
                scale = _distance(post.neuron) * (2 if isinstance(rule, AveragePooling) else 1)
                weight = _quantity(scale, post.neuron.membrane_unit)
        self.projections.append(Projection(pre, post, rule=rule, weight=weight))


@suggest_keywords
def recurrent(
    n_in: int,
    n_hidden: int | Sequence[int],
    n_out: int,
    *,
    noise: Noise | None,
    neuron: Neuron = _NSNN,
    plasticity: Plasticity | None = None,
    weights: Sequence[Any] | None = None,
    near_threshold: bool = False,
    seed: int | None = 0,
) -> Network:
    """Recurrent network: "input" (a `Relay`) to "hidden", hidden to itself, hidden to "output".

    All layers are fully connected, including autapses. Forward projections act in the same step, recurrent ones in the next step.

    Parameters
    ----------
    n_in, n_out : whole numbers
    n_hidden : whole number, or a list of whole numbers for several hidden layers, "hidden1", "hidden2", ...
    noise, neuron : models of hidden and output neurons
    weights : list of arrays (n_pre, n_post): input to hidden, hidden to hidden, hidden to output (with several hidden layers in the
        same order); None: as in `feedforward`
    plasticity, near_threshold, seed : as in `feedforward`

    >>> from nsnn_neuro.models.escape import EscapeNoise, Gaussian
    >>> net = recurrent(5, 20, 2, noise=EscapeNoise(Gaussian(0.4)))
    >>> net.projection_names
    ('input->hidden', 'hidden->hidden', 'hidden->output')
    """
    sizes = {"hidden": n_hidden}
    if isinstance(n_hidden, list | tuple | np.ndarray):
        if not len(n_hidden):
            raise NsnnError(f"n_hidden = {n_hidden!r}: expected a whole number, or a list of at least one")
        sizes = {f"hidden{k}": n for k, n in enumerate(n_hidden, 1)}
    noise = _noises(noise, 1)[0]
    layers = [Population(n_in, Relay(), name="input")]
    for name, n in (sizes | {"output": n_out}).items():
        layers.append(Population(n, neuron, noise=noise, name=name))  # type: ignore[arg-type]
    pairs = [(one, post) for pre, post in itertools.pairwise(layers) for one in (pre, post)]
    return Network(layers, _all_to_all(pairs[:-1], weights, plasticity, near_threshold), seed=seed)


def _all_to_all(
    ends: Iterable[tuple[Population, Population]],
    weights: Sequence[Any] | None,
    plasticity: Plasticity | None,
    near_threshold: bool,
) -> list[Projection]:
    pairs = list(ends)
    if flag(near_threshold, "near_threshold") and weights is not None:
        raise NsnnError(
            "near_threshold = True with weights: expected one of them, as it is of random weights"
        )
    if weights is None:
        weights = [_random_weights(post, pre.n) for pre, post in pairs]
        if near_threshold:
            pre, post = pairs[-1]
            weights[-1] = _random_weights(post, pre.n, _distance(post.neuron) / (_FIRING * pre.n))
    check_weights(weights, [f"{pre.name}->{post.name}" for pre, post in pairs])
    return [
        Projection(pre, post, rule=AllToAll(), weight=w, plasticity=plasticity)
        for (pre, post), w in zip(pairs, weights, strict=True)
    ]


def _noises(noise: Any, n: int, name: str = "noise") -> list[Any]:
    """One noise model, or neuron, for each of n layers."""
    noises = list(noise) if isinstance(noise, list | tuple) else [noise] * n
    if len(noises) != n:
        raise NsnnError(
            f"{name} has {len(noises)} entries: expected one for all layers, or {n}, one per layer except the input"
        )
    return noises


def _distance(neuron: Neuron) -> float:
    """Distance from reset to threshold."""
    match neuron:
        case NSNNNeuron():
            distance = np.mean(neuron.si("theta"))
        case IntegrateAndFire():
            distance = np.mean(np.asarray(neuron.si(neuron.threshold)) - neuron.si("v_reset"))
        case _:
            raise NsnnError(
                f"weights = None: there is no default for a {type(neuron).__name__}, expected a list of arrays"
            )
    return float(abs(distance))


def _random_weights(post: Population, n_inputs: int, mean: float = 0.0) -> Normal:
    sd = float(_GAIN * _distance(post.neuron) / np.sqrt(n_inputs))
    return Normal(*(_quantity(x, post.neuron.membrane_unit) for x in (mean, sd)))


def _quantity(value: float, unit: str) -> Any:
    return value if unit == "1" else units.pq_quantity(value, unit)

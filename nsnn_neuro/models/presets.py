"""Ready-made networks: Brunel's, the balanced one of van Vreeswijk and Sompolinsky, and layered, convolutional and recurrent NSNN
networks."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import quantities as pq

from ..core import units
from ..core.errors import NsnnError
from .connectivity import AllToAll, FixedInDegree, OneToOne, Rule
from .convolution import AveragePooling, Convolution
from .distributions import Normal
from .network import Network
from .neurons import LIF, IntegrateAndFire, Neuron, NSNNNeuron, Relay
from .noise import Noise, PoissonNoise
from .plasticity import Plasticity
from .populations import Population, Projection
from .stimuli import Constant

__all__ = ["Residual", "balanced", "brunel", "convolutional", "feedforward", "recurrent"]

# standard deviation of a neuron's random weights times the root of their number, in distances from reset to threshold. More, and
# some neurons start so far below threshold that noise-driven learning cannot reach them
_GAIN = 1.0
_NSNN = NSNNNeuron()


def brunel(
    *,
    g: float,
    eta: float,
    n_e: int = 10_000,
    n_i: int = 2_500,
    epsilon: float = 0.1,
    J: Any = 0.1 * pq.mV,
    delay: Any = 1.5 * pq.ms,
    seed: int | None = 0,
) -> Network:
    """Brunel's sparse network of excitatory and inhibitory LIF neurons, model A: populations "E" and "I", one external drive.

    Every neuron has C_E = epsilon n_e excitatory synapses of weight J, C_I = epsilon n_i inhibitory ones of weight -g J, and a
    Poisson input of weight J and total rate eta nu_thr C_E = eta v_thresh / (J tau_m), where nu_thr is the rate of each of C_E
    external neurons that alone brings the mean to threshold. tau_m 20 ms, v_rest 0, v_reset 10 mV, v_thresh 20 mV, tau_refrac 2 ms.

    Published states: (g, eta) = (5, 2) asynchronous irregular, 37.7 Hz; (3, 2) synchronous regular; (6, 4) fast and (4.5, 0.9) slow
    oscillation, irregular. `theory.brunel_rates` is its mean field.

    Parameters
    ----------
    g : number >= 0, inhibition relative to excitation
    eta : number >= 0, external rate relative to threshold
    n_e, n_i : whole numbers
    epsilon : number in (0, 1], connection probability: the in-degrees are exact, without autapses and multapses
    J : voltage > 0
    delay : time >= 0, of all synapses
    seed : whole number, of the wiring

    Raises
    ------
    NsnnError : an argument out of range, or in-degrees of zero

    Source: Brunel 2000, doi 10.1023/A:1008925309027

    >>> net = brunel(g=5, eta=2, n_e=400, n_i=100)
    >>> net.projection_names
    ('E->E', 'E->I', 'I->E', 'I->I')
    >>> net.population("E").noise.rate
    array(20000.) * Hz
    """
    g_, eta_ = (_number(value, "1", name, least=0.0) for value, name in ((g, "g"), (eta, "eta")))
    weight = _number(J, "V", "J", above=0.0)
    p = _number(epsilon, "1", "epsilon", above=0.0, most=1.0)
    cell = LIF(
        tau_m=20 * pq.ms, v_rest=0 * pq.mV, v_reset=10 * pq.mV, v_thresh=20 * pq.mV, tau_refrac=2 * pq.ms
    )
    rate = eta_ * cell.si("v_thresh") / (weight * cell.si("tau_m"))
    noise = PoissonNoise(rate * pq.Hz, units.pq_quantity(weight, "V"))
    e, i = (Population(n, cell, noise=noise, name=name) for n, name in ((n_e, "E"), (n_i, "I")))
    projections = []
    for pre, w in ((e, weight), (i, -g_ * weight)):
        degree = round(p * pre.n)
        if degree < 1:
            raise NsnnError(
                f"epsilon = {epsilon}: {pre.n} neurons of {pre.name!r} give an in-degree of 0, expected more"
            )
        projections += [
            Projection(pre, post, rule=FixedInDegree(degree), weight=units.pq_quantity(w, "V"), delay=delay)
            for post in (e, i)
        ]
    return Network([e, i], projections, seed=seed)


def balanced(
    *,
    k: int = 100,
    n_e: int = 2_000,
    n_i: int = 2_000,
    j_ee: float = 1.0,
    j_ei: float = 2.0,
    j_ie: float = 1.0,
    j_ii: float = 1.8,
    x_e: float = 1.0,
    x_i: float = 0.8,
    rate: Any = 10 * pq.Hz,
    delay: Any = 0.1 * pq.ms,
    seed: int | None = 0,
) -> Network:
    """A balanced network of LIF neurons, after van Vreeswijk and Sompolinsky: weights of 1/sqrt(K), drives of sqrt(K).

    A neuron of population a (E or I) has exactly K synapses from each population: excitatory ones of weight j_ae / sqrt(K),
    inhibitory ones of -j_ai / sqrt(K), and a constant drive sqrt(K) x_a rate tau_m, the mean of K external neurons of `rate`.
    Dimensionless: v_rest 0, v_reset 0, v_thresh 1; tau_m 20 ms, tau_refrac 2 ms. The default j and x are those of the papers,
    whose neurons are binary.

    What to expect: excitation and inhibition, each of order sqrt(K), cancel to order 1, and the network's own chaos makes spikes
    asynchronous and irregular. As K grows the rates tend to the solution of j_ae r_E - j_ai r_I + x_a rate = 0, linear in `rate`
    whatever the neuron:

        r_E = rate (x_e j_ii - x_i j_ei) / D,   r_I = rate (x_e j_ie - x_i j_ee) / D,   D = j_ei j_ie - j_ee j_ii

    both `rate` for the default values. Corrections are of order 1/sqrt(K): Siegert's formula with mean sqrt(K) tau_m (j_ae r_E -
    j_ai r_I + x_a rate) and sigma^2 = tau_m (j_ae^2 r_E + j_ai^2 r_I) / 2 (the package's sigma), solved for both rates, gives 12.4
    and 11.4 Hz at K = 100, a simulation with dt = 0.1 ms 12.1 and 10.8 Hz, and a CV of 0.9. With delays of 0.5 ms and more for all
    synapses the strong inhibitory loop oscillates in synchrony instead.

    Parameters
    ----------
    k : whole number >= 1, synapses onto a neuron from each population
    n_e, n_i : whole numbers > k
    j_ee, j_ei, j_ie, j_ii : numbers > 0; j_ab is onto a from b
    x_e, x_i : numbers > 0; the balanced state needs x_e / x_i > j_ei / j_ii > j_ee / j_ie
    rate : frequency > 0, of an external neuron
    delay : time >= 0, of all synapses
    seed : whole number, of the wiring

    Raises
    ------
    NsnnError : an argument out of range; numbers for which there is no balanced state

    Source: van Vreeswijk & Sompolinsky 1996, doi 10.1126/science.274.5293.1724; 1998, doi 10.1162/089976698300017214

    >>> net = balanced(k=100)
    >>> net.connections("I->E").weight
    -0.2
    >>> round(net.population("E").stimulus.v, 6)
    2.0
    """
    named = {"j_ee": j_ee, "j_ei": j_ei, "j_ie": j_ie, "j_ii": j_ii, "x_e": x_e, "x_i": x_i}
    j_ee, j_ei, j_ie, j_ii, x_e, x_i = (_number(x, "1", name, above=0.0) for name, x in named.items())
    if not x_e / x_i > j_ei / j_ii > j_ee / j_ie:
        raise NsnnError(
            f"x_e / x_i = {x_e / x_i:.4g}, j_ei / j_ii = {j_ei / j_ii:.4g}, j_ee / j_ie = {j_ee / j_ie:.4g}: expected each "
            "above the next, or there is no balanced state with both rates positive"
        )
    rule = FixedInDegree(k)
    root = np.sqrt(_number(rule.k, "1", "k", least=1.0))
    cell = LIF(tau_m=20 * pq.ms, v_rest=0.0, v_reset=0.0, v_thresh=1.0, tau_refrac=2 * pq.ms)
    drive = float(root * _number(rate, "Hz", "rate", above=0.0) * cell.si("tau_m"))
    e, i = (
        Population(n, cell, stimulus=Constant(drive * x), name=name)
        for n, x, name in ((n_e, x_e, "E"), (n_i, x_i, "I"))
    )
    weights = ((e, e, j_ee), (e, i, j_ie), (i, e, -j_ei), (i, i, -j_ii))
    projections = [
        Projection(pre, post, rule=rule, weight=float(j / root), delay=delay) for pre, post, j in weights
    ]
    return Network([e, i], projections, seed=seed)


def feedforward(
    sizes: Sequence[int],
    *,
    noise: Noise | Sequence[Noise | None] | None,
    neuron: Neuron = _NSNN,
    plasticity: Plasticity | None = None,
    weights: Sequence[Any] | None = None,
    seed: int | None = 0,
) -> Network:
    """A layered network: "input" (a `Relay`), then "layer1", "layer2", ...; each layer to all of the next, without delay.

    A spike passes through all layers in the step it is emitted in.

    Parameters
    ----------
    sizes : numbers of neurons, of the input first, at least two
    noise : of all layers but the input, or a list with one for each of them
    neuron : of all layers but the input
    plasticity : the learning rule of all projections, such as `NDL(0.01)`, or None
    weights : list of arrays of shape (n_pre, n_post), one for each layer but the input; None: normal with mean 0 and standard
        deviation theta / sqrt(n_pre) from `seed` (theta: distance from reset to threshold), so that for inputs of 0 or 1 that
        are equally likely the summed weights of a neuron vary by about .7 theta
    seed : whole number, of the random weights

    Raises
    ------
    NsnnError : fewer than two layers, noises or weights whose number or shapes don't fit

    >>> from nsnn_neuro.models.escape import EscapeNoise, Gaussian
    >>> net = feedforward([64, 32, 10], noise=EscapeNoise(Gaussian(0.4)))
    >>> [w.shape for w in net.get_weights()]
    [(64, 32), (32, 10)]
    """
    if not isinstance(sizes, list | tuple | np.ndarray) or len(sizes) < 2:
        raise NsnnError(
            f"sizes = {sizes!r}: expected a list of at least two numbers of neurons, the input's first"
        )
    noises = _noises(noise, len(sizes) - 1)
    layers = [Population(sizes[0], Relay(), name="input")]
    layers += [
        Population(n, neuron, noise=noises[k - 1], name=f"layer{k}") for k, n in enumerate(sizes[1:], 1)
    ]
    pairs = list(itertools.pairwise(layers))
    return Network(layers, _all_to_all(pairs, weights, plasticity), seed=seed)


@dataclasses.dataclass(frozen=True)
class Residual:
    """A residual block of `convolutional`: two convolutions; the spikes that enter it are added to the second one's drive too.

    Parameters
    ----------
    channels : whole number, of both
    kernel : odd whole number; the padding is half of it, so that only `stride` changes the size
    stride : whole number, of the first. Where it, or the number of channels, changes the image, a convolution of kernel 1 and
        this stride stands in for the addition

    Raises
    ------
    NsnnError : values that aren't such numbers

    >>> Residual(8, stride=2)
    Residual(channels=8, kernel=3, stride=2)
    """

    channels: int
    kernel: int = 3
    stride: int = dataclasses.field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.kernel, bool) or not isinstance(self.kernel, int) or self.kernel % 2 == 0:
            raise NsnnError(
                f"kernel = {self.kernel!r}: expected an odd whole number, for all of the image to be seen"
            )
        self.first()

    def first(self) -> Convolution:
        """The first convolution."""
        return Convolution(self.channels, self.kernel, stride=self.stride, padding=self.kernel // 2)


def convolutional(
    image: Sequence[int],
    layers: Sequence[Any],
    *,
    noise: Noise | Sequence[Noise | None] | None,
    neuron: Neuron = _NSNN,
    seed: int | None = 0,
) -> Network:
    """A convolutional network: "input" (a `Relay` of an image), then a population "layer1", "layer2", ... for each layer.

    All layers have neurons, pooling layers too, and no delay: a spike passes through all of them in the step it is emitted in.

    Parameters
    ----------
    image : (channels, height, width) of the input; its neurons are in the order of `image.ravel()`
    layers : list of `Convolution`, `AveragePooling` and `Residual`, and whole numbers for dense layers. The images between them
        are worked out. A residual block has populations "layerK_inner" and "layerK"
    noise : of all layers, or a list with one, or None, for each of them
    neuron : of all layers
    seed : whole number, of the random weights

    Weights (change them by `Network.set_weights`): of convolutions and dense layers normal, with mean 0 and standard deviation
    theta / sqrt(number of inputs of a neuron), theta the distance from reset to threshold; of pooling layers 2 theta, so that a
    window of which half fires drives a neuron to threshold; of the direct path around a block theta, or random where it is a
    convolution.

    Raises
    ------
    NsnnError : no layers, noises whose number doesn't fit, an image that a layer doesn't fit into, a layer that needs an image
        after a dense one

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
    made = _Layers(AveragePooling(1, image=image).post_image, neuron)
    for k, (layer, own) in enumerate(zip(layers, _noises(noise, len(layers)), strict=True), 1):
        name = f"layer{k}"
        match layer:
            case Convolution() | AveragePooling():
                made.window(layer, name, own)
            case Residual():
                made.block(layer, name, own)
            case int() | np.integer() if not isinstance(layer, bool):
                made.add(AllToAll(), int(layer), name, own)
                made.image = None
            case _:
                raise NsnnError(
                    f"layers[{k - 1}] = {layer!r}: expected Convolution(8, 3), AveragePooling(2), Residual(8) or a whole number"
                )
    return Network(made.populations, made.projections, seed=seed)


class _Layers:
    """A layered network of images while it grows; `image` is that of its last population, None after a dense layer."""

    def __init__(self, image: tuple[int, int, int], neuron: Neuron) -> None:
        self.image: tuple[int, int, int] | None = image
        self.neuron = neuron
        self.populations = [Population(int(np.prod(image)), Relay(), name="input")]
        self.projections: list[Projection] = []

    def add(self, rule: Rule, n: int, name: str, noise: Noise | None) -> None:
        """A population after the last one."""
        post = Population(n, self.neuron, noise=noise, name=name)
        self.connect(self.populations[-1], post, rule)
        self.populations.append(post)

    def window(self, rule: Convolution | AveragePooling, name: str, noise: Noise | None) -> None:
        """The population of the image that the rule makes of the last one."""
        if self.image is None:
            raise NsnnError(
                f"{name} = {rule!r}: a dense layer before it has no image, expected a whole number"
            )
        if rule.image not in (None, self.image):
            raise NsnnError(
                f"image = {rule.image} of {name}: expected None, or {self.image}, that of the layer before"
            )
        rule = dataclasses.replace(rule, image=self.image)
        self.add(rule, int(np.prod(rule.post_image)), name, noise)
        self.image = rule.post_image

    def block(self, layer: Residual, name: str, noise: Noise | None) -> None:
        """A residual block's two populations, and the path around the first."""
        before, image = self.populations[-1], self.image
        self.window(layer.first(), f"{name}_inner", noise)
        self.window(dataclasses.replace(layer.first(), stride=1), name, noise)
        around = Convolution(layer.channels, 1, stride=layer.stride, image=image)
        self.connect(before, self.populations[-1], OneToOne() if image == self.image else around)

    def connect(self, pre: Population, post: Population, rule: Rule) -> None:
        """A projection with the weights to start from."""
        match rule:
            case Convolution():
                weight: Any = _random_weights(post, int(np.prod((rule.image[0], *rule.kernel))))
            case AllToAll():
                weight = _random_weights(post, pre.n)
            case _:
                scale = _distance(post.neuron) * (2 if isinstance(rule, AveragePooling) else 1)
                weight = _quantity(scale, post.neuron.membrane_unit)
        self.projections.append(Projection(pre, post, rule=rule, weight=weight))


def recurrent(
    n_in: int,
    n_hidden: int | Sequence[int],
    n_out: int,
    *,
    noise: Noise | None,
    neuron: Neuron = _NSNN,
    plasticity: Plasticity | None = None,
    weights: Sequence[Any] | None = None,
    seed: int | None = 0,
) -> Network:
    """A recurrent network: "input" (a `Relay`) to "hidden", hidden to itself from one step to the next, hidden to "output".

    All to all, a neuron to itself too, without delay: hidden and output see the layer before them in the same step.

    Parameters
    ----------
    n_in, n_out : whole numbers
    n_hidden : whole number, or a list of them for several such layers, "hidden1", "hidden2", ..., each to itself and to the next
    noise, neuron : of hidden and output
    plasticity : the learning rule of all projections, or None
    weights : list of arrays (n_pre, n_post): input to hidden, hidden to hidden, hidden to output (or on through all hidden layers);
        None: as in `feedforward`
    seed : whole number, of the random weights

    Raises
    ------
    NsnnError : an empty list, weights whose number or shapes don't fit

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
    layers = [Population(n_in, Relay(), name="input")]
    for name, n in (sizes | {"output": n_out}).items():
        layers.append(Population(n, neuron, noise=noise, name=name))  # type: ignore[arg-type]
    pairs = []
    for pre, post in itertools.pairwise(layers):
        pairs += [(pre, post), (post, post)]
    return Network(layers, _all_to_all(pairs[:-1], weights, plasticity), seed=seed)


def _all_to_all(
    pairs: list[tuple[Population, Population]], weights: Sequence[Any] | None, plasticity: Plasticity | None
) -> list[Projection]:
    if weights is None:
        weights = [_random_weights(post, pre.n) for pre, post in pairs]
    elif not isinstance(weights, list | tuple) or len(weights) != len(pairs):
        got = f"{len(weights)} entries" if isinstance(weights, list | tuple) else type(weights).__name__
        told = ", ".join(f"{pre.name}->{post.name}" for pre, post in pairs)
        raise NsnnError(f"weights has {got}: expected a list of {len(pairs)} arrays, {told}")
    return [
        Projection(pre, post, rule=AllToAll(), weight=w, plasticity=plasticity)
        for (pre, post), w in zip(pairs, weights, strict=True)
    ]


def _noises(noise: Any, n: int) -> list[Any]:
    """One noise for each of n layers."""
    noises = list(noise) if isinstance(noise, list | tuple) else [noise] * n
    if len(noises) != n:
        raise NsnnError(
            f"noise has {len(noises)} entries: expected one for all layers, or {n}, one for each but the input"
        )
    return noises


def _distance(neuron: Neuron) -> float:
    """From reset to threshold."""
    match neuron:
        case NSNNNeuron():
            distance = np.mean(neuron.si("theta"))
        case IntegrateAndFire():
            distance = np.mean(np.asarray(neuron.si(neuron.threshold)) - neuron.si("v_reset"))
        case _:
            raise NsnnError(
                f"weights = None: no scale for a {type(neuron).__name__} is known, expected a list of arrays"
            )
    return float(abs(distance))


def _random_weights(post: Population, n_inputs: int) -> Normal:
    sd = float(_GAIN * _distance(post.neuron) / np.sqrt(n_inputs))
    return Normal(*(_quantity(x, post.neuron.membrane_unit) for x in (0.0, sd)))


def _quantity(value: float, unit: str) -> Any:
    return value if unit == "1" else units.pq_quantity(value, unit)


def _number(
    value: Any, unit: str, name: str, *, least: float = -np.inf, above: float = -np.inf, most: float = np.inf
) -> float:
    number = units.si(value, unit, name)
    if np.ndim(number) or not (number >= least and number > above and number <= most and np.isfinite(number)):
        bounds = f"above {above:g}" if np.isfinite(above) else f"of at least {least:g}"
        upper = f", at most {most:g}" if np.isfinite(most) else ""
        raise NsnnError(f"{name} = {value}: expected one number {bounds}{upper} ({units.describe(unit)})")
    return number

"""The two-layer model: hidden noisy neurons between a stimulus and observed neurons."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import neo
import numpy as np

from ..core.aliases import Signal, SpikeSource, Time
from ..core.checks import instance, positive, whole
from ..core.errors import NsnnError
from ..core.units import pq_quantity, si
from ..io.spikes import as_trains
from ..measures import Estimate
from ..models.connectivity import AllToAll
from ..models.escape import EscapeNoise, Family, Gaussian
from ..models.escape.families import dimensionless
from ..models.log_odds import tails
from ..models.network import Network
from ..models.neurons import NSNNNeuron, Relay
from ..models.plasticity import Plasticity
from ..models.populations import Population, Projection
from .bases import Basis, as_basis
from .data import Steps, check_signal_unit, drawn_block, filtered, on_steps, prepare
from .scores import bits_per_spike

_ALWAYS = -1e12  # threshold of the hidden unit that fires in every step: the output's bias
KEPT = {"hard": lambda u, o, theta: u * (1 - o), "subtract": lambda u, o, theta: u - theta * o}


@dataclass(frozen=True, eq=False)
class Observed:
    """The data of a two-layer fit, one row per step; made by `NetworkModel.data`.

    >>> Observed(np.array([[0.0], [1.0]]), np.ones((2, 1)), np.array([2])).split(0.5)[1].o.tolist()
    [[1.0]]
    """

    o: np.ndarray
    """(n, n_outputs) 1.0 in a step with a spike"""
    x: np.ndarray
    """(n, 1 + n_stimulus); with `own_inputs` (n, n_outputs, 1 + n_stimulus)"""
    lengths: np.ndarray
    """(n_trials,) steps of each trial"""

    def split(self, share: float) -> tuple[Observed, Observed]:
        """Each trial's first part, and its last `share`."""
        late = np.round(share * self.lengths).astype(int)
        at = np.arange(len(self.o)) - np.repeat(np.cumsum(self.lengths) - self.lengths, self.lengths)
        first = at < np.repeat(self.lengths - late, self.lengths)
        return (
            Observed(self.o[first], self.x[first], self.lengths - late),
            Observed(self.o[~first], self.x[~first], late),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class NetworkModel:
    """Two layers of NSNN neurons: a filtered stimulus, hidden neurons, observed output neurons.

        hidden    u_t = beta kept(u, h)_(t-1) + b_1 + sum_k w_k x_k(t),    P(h_t = 1) = F(u_t - theta)
        output    v_t = beta kept(v, o)_(t-1) + b_2 + sum_j w_j h_j(t),    P(o_t = 1) = F(v_t - theta)

    All potentials are 0 before a trial's first step. Weights are a pair of arrays: hidden (1 +
    n_stimulus, n_hidden) and output (1 + n_hidden, n_outputs), biases first; n_stimulus = channels
    times functions of the basis.

    Parameters
    ----------
    dt : time, the step
    stimulus : `Basis` over lags 0, 1, ... of the stimulus, or their number
    n_hidden, n_outputs, channels : whole numbers; channels of the stimulus
    signal_unit : as of `NeuronModel`
    family : escape family F without a unit, of both layers
    hidden, output : `NSNNNeuron`s: beta, theta and reset of the layers
    noisy : False: hidden neurons fire where u_t >= theta; F is that of the outputs, and f
        the surrogate gradient of training
    mean_field : True: the mean-field control: h_t is F(u_t - theta) in place of a draw, so `noisy`
        is False and the gradient exact; see `deep.mean_field`
    own_inputs : True: each output has hidden neurons of its own, with the same hidden weights,
        which receive its own `channels` of the stimulus, as the part of an image around its
        receptive field. Signals then have n_outputs times `channels` channels, output by output

    >>> from brian2 import ms
    >>> from nsnn_neuro.likelihood import Lags
    >>> NetworkModel(dt=1*ms, stimulus=Lags(3), n_hidden=2).shapes
    ((4, 2), (3, 1))
    """

    dt: Any
    stimulus: Any
    n_hidden: int
    n_outputs: int = 1
    family: Family = field(default_factory=lambda: Gaussian(0.4))
    hidden: NSNNNeuron = field(default_factory=NSNNNeuron)
    output: NSNNNeuron = field(default_factory=NSNNNeuron)
    channels: int = 1
    signal_unit: Any = None
    noisy: bool = True
    own_inputs: bool = False
    mean_field: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "noisy", self.noisy and not self.mean_field)
        positive(self.dt, "s", "dt")
        basis = instance(as_basis(self.stimulus, "stimulus"), Basis, "stimulus", "a basis such as Lags(5)")
        object.__setattr__(self, "stimulus", basis)
        for name in ("n_hidden", "n_outputs", "channels"):
            whole(getattr(self, name), 1, name)
        dimensionless(self.family)
        check_signal_unit(self.signal_unit)
        for name, n in (("hidden", self.n_hidden), ("output", self.n_outputs)):
            neuron = getattr(self, name)
            if not isinstance(neuron, NSNNNeuron):
                raise NsnnError(f"{name} = {neuron!r}: expected a neuron such as NSNNNeuron(beta=0.5)")
            if any(np.shape(neuron.si(part)) not in ((), (n,)) for part in ("beta", "theta")):
                raise NsnnError(f"{name} = {neuron!r}: expected numbers, or arrays of {n} values")

    @property
    def step(self) -> float:
        """dt in s."""
        return float(si(self.dt, "s", "dt"))

    @property
    def shapes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Of the weights."""
        n_stimulus = self.channels * self.stimulus.matrix(self.step, 0).shape[1]
        return (1 + n_stimulus, self.n_hidden), (1 + self.n_hidden, self.n_outputs)

    def check(self, weights: Any) -> tuple[np.ndarray, np.ndarray]:
        """Weights as arrays of the right shapes."""
        if not isinstance(weights, list | tuple) or len(weights) != 2:
            raise NsnnError(f"weights = {type(weights).__name__}: expected a pair of arrays {self.shapes}")
        pair = tuple(np.asarray(w, dtype=float) for w in weights)
        if tuple(w.shape for w in pair) != self.shapes or not all(np.all(np.isfinite(w)) for w in pair):
            raise NsnnError(
                f"weights have shapes {[w.shape for w in pair]}: expected finite numbers of shapes {self.shapes}"
            )
        return pair[0], pair[1]

    def data(
        self, trains: SpikeSource, signal: Signal, *, t_start: Time | None = None, t_stop: Time | None = None
    ) -> Observed:
        """Spikes and stimulus on steps; `trains` a neo.Block, or the repeats of one neuron."""
        outputs = [trains]
        if isinstance(trains, neo.Block):
            n = as_trains(trains).n_neurons
            outputs = [[segment.spiketrains[j] for segment in trains.segments] for j in range(n)]
        if len(outputs) != self.n_outputs:
            raise NsnnError(f"trains are of {len(outputs)} neurons: expected n_outputs = {self.n_outputs}")
        bases = self.stimulus.matrix(self.step, 0), np.empty((0, 0))
        known: dict[str, Any] = {"dt": self.step, "channels": self._all_channels, "unit": self.signal_unit}
        each = [
            prepare(one, signal if k == 0 else None, bases, span=(t_start, t_stop), **known)
            for k, one in enumerate(outputs)
        ]
        lengths = np.diff(np.append(np.flatnonzero(each[0].begins), len(each[0].o)))
        return Observed(np.stack([one.o for one in each], axis=1), self._with_ones(each[0].drive), lengths)

    @property
    def _all_channels(self) -> int:
        """Channels of the signal."""
        return self.channels * (self.n_outputs if self.own_inputs else 1)

    def _with_ones(self, columns: np.ndarray) -> np.ndarray:
        """1 and the filtered stimulus, (n, ...) or of each output (n, n_outputs, ...)."""
        shape = (len(columns), self.n_outputs, -1) if self.own_inputs else (len(columns), columns.shape[1])
        columns = columns.reshape(shape)
        return np.concatenate([np.ones((*columns.shape[:-1], 1)), columns], axis=-1)

    def inputs(self, signal: neo.AnalogSignal) -> neo.AnalogSignal:
        """The input of `network`: 1 and the filtered stimulus, (n_steps, 1 + n_stimulus)."""
        self._refuse_own_inputs("inputs")
        steps, columns = self._columns(signal)
        period, t_start = pq_quantity(self.step, "s"), pq_quantity(steps.start, "s")
        return neo.AnalogSignal(columns, units="dimensionless", sampling_period=period, t_start=t_start)

    def _columns(self, signal: neo.AnalogSignal) -> tuple[Steps, np.ndarray]:
        steps = on_steps(signal, self.step, self._all_channels, unit=self.signal_unit)
        return steps, self._with_ones(filtered(steps, self.stimulus.matrix(self.step, 0)))

    def network(self, weights: Any, plasticity: tuple[Plasticity, Plasticity] | None = None) -> Network:
        """The model as a `Network` of "input" (a `Relay`), "hidden" and "output".

        "hidden" has one more neuron, the first, which fires in every step (its threshold is -1e12);
        its weights are the output's biases. Simulate it with `Recorded(model.inputs(signal))` as
        stimulus. Models with own inputs or without hidden noise are refused; `simulate` draws from
        these.
        """
        self._refuse_own_inputs("network")
        if not self.noisy:
            raise NsnnError("noisy = False: expected hidden neurons with noise for a Network; use simulate")
        first, second = self.check(weights)
        n_in = len(first)
        noise = EscapeNoise(self.family)
        each = np.ones(self.n_hidden)
        hidden = NSNNNeuron(
            beta=np.append(0.0, self.hidden.si("beta") * each),
            theta=np.append(_ALWAYS, self.hidden.si("theta") * each),
            reset=self.hidden.reset,
        )
        layers = [
            Population(n_in, Relay(), name="input"),
            Population(1 + self.n_hidden, hidden, noise=noise, name="hidden"),
            Population(self.n_outputs, self.output, noise=noise, name="output"),
        ]
        drives, rules = (np.column_stack([np.zeros(n_in), first]), second), plasticity or (None, None)
        projections = [
            Projection(pre, post, rule=AllToAll(), weight=weight, plasticity=rule)
            for pre, post, weight, rule in zip(layers[:2], layers[1:], drives, rules, strict=True)
        ]
        return Network(layers, projections)

    def _refuse_own_inputs(self, name: str) -> None:
        if self.own_inputs:
            raise NsnnError(
                f"own_inputs = True: {name} expected a model whose outputs share their hidden neurons; use simulate"
            )

    def single(self, k: int) -> NetworkModel:
        """The model of output k of one with own inputs; its weights are hidden and column k."""
        beta, theta = (
            float(np.broadcast_to(self.output.si(p), self.n_outputs)[k]) for p in ("beta", "theta")
        )
        output = dataclasses.replace(self.output, beta=beta, theta=theta)
        return dataclasses.replace(self, n_outputs=1, own_inputs=False, output=output)

    def log_likelihood(self, weights: Any, data: Observed, *, particles: int, seed: int = 0) -> np.ndarray:
        """Estimates of log P(o_t | o before t, x) of each step, (n,), by a particle filter.

        Drawn copies of the hidden layer are weighted by the probability that they give to the observed
        spikes of a step, and resampled in proportion. The product of the mean probabilities is an
        unbiased estimate of P(O|x), so its log is too low on average, less so with more copies. With
        one copy the mean of the sum is the bound that is trained, E_hidden[log P(O|hidden)].

        Source: Gordon, Salmond & Smith 1993, doi 10.1049/ip-f-2.1993.0015

        >>> import quantities as pq
        >>> from nsnn_neuro.likelihood import Lags
        >>> x = [0.0, 1.0, 0.0]
        >>> signal = neo.AnalogSignal(x, units="dimensionless", sampling_period=1*pq.ms)
        >>> options = {"family": Gaussian(1.0), "hidden": NSNNNeuron(theta=0.0)}
        >>> model = NetworkModel(dt=1*pq.ms, stimulus=Lags(1), n_hidden=1, **options)
        >>> data = model.data([[0.001]], signal)
        >>> model.log_likelihood([np.zeros((2, 1))] * 2, data, particles=10).round(4).tolist()
        [-0.1728, -1.841, -0.1728]
        """
        whole(particles, 1, "particles")
        weights, rng = self.check(weights), np.random.default_rng(seed)
        if self.own_inputs:  # given the stimulus the outputs are independent
            total = np.zeros(len(data.o))
            for k in range(self.n_outputs):
                one = Observed(data.o[:, [k]], data.x[:, k], data.lengths)
                own = (weights[0], weights[1][:, [k]])
                seed_k = int(rng.integers(2**63))
                total += self.single(k).log_likelihood(own, one, particles=particles, seed=seed_k)
            return total
        # trials side by side, padded to the longest
        here = np.arange(data.lengths.max()) < data.lengths[:, None]
        x, o = (np.zeros((*here.shape, a.shape[1])) for a in (data.x, data.o))
        x[here], o[here] = data.x, data.o
        result = np.zeros(here.shape)
        drive = x @ weights[0]
        h = u = np.zeros((len(here), particles, self.n_hidden))
        v = np.zeros((len(here), particles, self.n_outputs))
        before = np.zeros((len(here), 1, self.n_outputs))
        for t in range(here.shape[1]):
            u, h, v = self.advance(weights, drive[:, t, None], u, h, v, before, rng)
            before = o[:, t, None]
            parts = tails(self.family, v - self.output.si("theta"))
            logs = np.where(before == 1, parts.log_spike, parts.log_silence).sum(axis=-1)
            highest = logs.max(axis=1, keepdims=True)
            weight = np.exp(logs - np.where(np.isfinite(highest), highest, 0.0))
            total = weight.sum(axis=1)
            with np.errstate(divide="ignore"):
                result[:, t] = highest[:, 0] + np.log(total / particles)
            if particles > 1:
                chosen = systematic(weight, rng)[..., None]
                u, h, v = (np.take_along_axis(a, chosen, axis=1) for a in (u, h, v))
        return result[here]

    def advance(
        self, weights: tuple[np.ndarray, np.ndarray], drive: Any, u: Any, h: Any, v: Any, o: Any, rng: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One step: u, h and v, (..., n), from those and the spikes o of the step before."""
        theta = self.hidden.si("theta")
        u = self.hidden.si("beta") * KEPT[self.hidden.reset](u, h, theta) + drive
        h = self.hidden_spikes(u, rng)
        kept = KEPT[self.output.reset](v, o, self.output.si("theta"))
        v = self.output.si("beta") * kept + weights[1][0] + self.readout(h, weights[1])
        return u, h, v

    def hidden_spikes(self, u: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Spikes (0.0 or 1.0) at potentials u, drawn; without noise those above threshold, or F(u - theta)."""
        distance = u - self.hidden.si("theta")
        if self.mean_field:
            return np.asarray(self.family.cdf(distance))
        if not self.noisy:
            return (distance >= 0).astype(float)
        return (rng.random(u.shape) < self.family.cdf(distance)).astype(float)

    def readout(self, h: np.ndarray, second: np.ndarray) -> np.ndarray:
        """The effect on the outputs, (..., n_outputs), without biases, of h (..., n_hidden).

        With own inputs h is (..., n_outputs, n_hidden).
        """
        if self.own_inputs:
            return np.einsum("...oh,ho->...o", h, second[1:])
        return np.asarray(h @ second[1:])

    def score(self, weights: Any, data: Observed, *, particles: int, seed: int = 0) -> Estimate:
        """Bits per spike over homogeneous neurons; see `NetworkFit.score`."""
        return bits_per_spike(self.log_likelihood(weights, data, particles=particles, seed=seed), data.o)

    def simulate(
        self, weights: Any, signal: neo.AnalogSignal, *, trials: int = 1, seed: int = 0
    ) -> neo.Block:
        """Simulate the output's spikes under `signal`: a Block, a segment per trial.

        >>> import quantities as pq
        >>> from nsnn_neuro.likelihood import Lags
        >>> x = [0.0, 9.0, 0.0]
        >>> signal = neo.AnalogSignal(x, units="dimensionless", sampling_period=1*pq.ms)
        >>> model = NetworkModel(dt=1*pq.ms, stimulus=Lags(1), n_hidden=1)
        >>> block = model.simulate([[[-9.0], [2.0]], [[-9.0], [20.0]]], signal, trials=2)
        >>> [segment.spiketrains[0].magnitude.tolist() for segment in block.segments]
        [[0.001], [0.001]]
        """
        weights = self.check(weights)
        steps, columns = self._columns(signal)
        whole(trials, 1, "trials")
        rng, drive = np.random.default_rng(seed), columns @ weights[0]
        own = (self.n_outputs,) if self.own_inputs else ()
        h = u = np.zeros((trials, *own, self.n_hidden))
        v = np.zeros((trials, self.n_outputs))
        spikes = np.zeros((len(drive), trials, self.n_outputs))
        o = spikes[0]
        for t in range(len(drive)):
            u, h, v = self.advance(weights, drive[t], u, h, v, o, rng)
            spikes[t] = rng.random(v.shape) < self.family.cdf(v - self.output.si("theta"))
            o = spikes[t]
        named = {"hidden": weights[0].tolist(), "output": weights[1].tolist()}
        return drawn_block(steps, np.array(np.nonzero(spikes)), spikes.shape, seed, named)


def systematic(weight: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Indices (n_trials, particles) of particles resampled in proportion to their weights."""
    n = weight.shape[1]
    edges = np.cumsum(weight, axis=1)
    edges /= np.where(edges[:, -1:] > 0, edges[:, -1:], 1.0)
    at = (np.arange(n) + rng.random((len(weight), 1))) / n
    row = np.arange(len(weight))[:, None]
    index = np.searchsorted((edges + row).ravel(), (at + row).ravel(), side="right").reshape(weight.shape)
    return np.asarray(np.minimum(index - n * row, n - 1))

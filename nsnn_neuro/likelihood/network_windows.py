"""Two-layer fits to windows of spikes as arrays, `fit_windows`, `window_bounds`; their result, `NetworkFit`."""

from __future__ import annotations

import dataclasses
from typing import Any

import neo
import numpy as np
import pandas as pd

from ..core.aliases import Progress, Signal, SpikeSource, Time
from ..core.checks import instance, suggest_keywords, whole
from ..core.errors import NsnnError
from ..measures import Estimate
from ..models.network import Network
from .fit_codec import Saved
from .network import NetworkModel
from .network_objective import bound, bound_slope, drawn, given_hidden
from .network_training import Ascent, Scale, Training, history_in_bits, start
from .prior import strength
from .responses import width
from .scores import PerStep, Scored

_AT_ONCE = 4_000_000  # potentials of the outputs that are in memory together


@dataclasses.dataclass(frozen=True, eq=False)
class NetworkFit(Scored, Saved):
    """Result of `fit_network`: weights, history, score on new data, simulated spikes.

    There are no standard errors: hidden neurons can be permuted, so the weights are not identified.
    The network's function is: its score and its simulated spikes.

    >>> import quantities as pq
    >>> from nsnn_neuro.likelihood import Training, fit_network
    >>> x = np.random.default_rng(0).normal(size=2000)
    >>> signal = neo.AnalogSignal(x, units="dimensionless", sampling_period=1*pq.ms)
    >>> trains = [np.flatnonzero(signal.magnitude[:, 0] > 1.5) * 1e-3]
    >>> training = Training(epochs=10, eta=0.05)
    >>> fit = fit_network(trains, signal, dt=1*pq.ms, stimulus=1, training=training, engine="numpy")
    >>> [w.shape for w in fit.weights], fit.held_out.value > 1
    ([(2, 16), (17, 1)], True)
    >>> print(fit)
    NetworkFit: 16 hidden and 1 output neurons, ... epoch 10, held out ... bits per spike
    """

    model: NetworkModel
    weights: tuple[np.ndarray, np.ndarray]
    """hidden (1 + n_stimulus, n_hidden) and output (1 + n_hidden, n_outputs), biases first"""
    history: pd.DataFrame
    """a row for each epoch: epoch (from 1); loss and val_loss (nats per window, minus the bound
    that is trained, or the likelihood while it is refined); bound and val_bound (bits per spike of
    the bound); likelihood (bits per spike, while it is refined, estimated as it was learned from);
    seconds"""
    best_epoch: int
    """the epoch whose weights these are"""
    held_out: Estimate | None
    """`score` of the validation data; None without"""
    n_spikes: int
    """in the windows that it learned from"""
    n_steps: int
    """of these windows"""

    def __repr__(self) -> str:
        """Sizes and scores, without the weights."""
        sizes = f"{self.model.n_hidden} hidden and {self.model.n_outputs} output neurons"
        score = ""
        if self.held_out is not None:
            score = f", held out {self.held_out.value:.3g} ± {self.held_out.se:.2g} bits per spike"
        return f"NetworkFit: {sizes}, {self.n_spikes} spikes in {self.n_steps} steps, epoch {self.best_epoch}{score}"

    @property
    def network(self) -> Network:
        """The fit as a `Network`; see `NetworkModel.network`."""
        return self.model.network(self.weights)

    def score(
        self,
        trains: SpikeSource,
        signal: Signal,
        *,
        t_start: Time | None = None,
        t_stop: Time | None = None,
        particles: int = 100,
        seed: int = 0,
    ) -> Estimate:
        """Bits per spike over homogeneous neurons: (log2 P(O|x) - log2 P0(O)) / n_spikes.

        A particle filter estimates P(O|x) over each trial, see `NetworkModel.log_likelihood`;
        particles=1 gives the bound E_hidden[log2 P(O|hidden)]. `se` is over parts of the data.
        """
        data = self.model.data(trains, signal, t_start=t_start, t_stop=t_stop)
        return self.model.score(self.weights, data, particles=particles, seed=seed)

    takes = ("signal",)

    def per_step(
        self,
        trains: SpikeSource,
        signal: Signal,
        *,
        t_start: Time | None = None,
        t_stop: Time | None = None,
        particles: int = 100,
        seed: int = 0,
    ) -> PerStep:
        """The log-likelihood of each step, trials in line; o is (n,) of a single output."""
        data = self.model.data(trains, signal, t_start=t_start, t_stop=t_stop)
        logs = self.model.log_likelihood(self.weights, data, particles=particles, seed=seed)
        return PerStep(logs, data.o[:, 0] if data.o.shape[1] == 1 else data.o, self.model.step)

    def simulate(self, signal: neo.AnalogSignal, *, trials: int = 1, seed: int = 0) -> neo.Block:
        """Simulate the output's spikes under `signal`; see `NetworkModel.simulate`."""
        return self.model.simulate(self.weights, signal, trials=trials, seed=seed)


def _arrays(model: NetworkModel, windows: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """x (n, n_steps, groups, n_in) and o (n_steps, n, n_repeats, n_outputs), checked."""
    if not isinstance(windows, tuple | list) or len(windows) != 2:
        raise NsnnError(f"{name} = {type(windows).__name__}: expected a pair of arrays (x, o)")
    x, o = (np.asarray(part, dtype=float) for part in windows)
    groups = (model.n_outputs,) if model.own_inputs else ()
    shape = *groups, model.shapes[0][0]  # of the inputs in a step
    fits = (
        o.ndim == 4 and o.size and o.shape[3] == model.n_outputs and x.shape == (len(o), o.shape[2], *shape)
    )
    if not fits:
        raise NsnnError(
            f"{name} have shapes {x.shape} and {o.shape}: expected x (n, n_steps, {', '.join(map(str, shape))}) and "
            f"o (n, n_repeats, n_steps, {model.n_outputs})"
        )
    if not np.isfinite(x).all() or not np.isin(o, (0, 1)).all():
        raise NsnnError(f"{name}: expected finite x, and o of 0 and 1")
    return (x if model.own_inputs else x[:, :, None]), np.ascontiguousarray(o.transpose(2, 0, 1, 3))


@suggest_keywords
def window_bounds(
    model: NetworkModel, weights: Any, x: Any, o: Any, *, n_draws: int = 1, seed: int = 0
) -> np.ndarray:
    """Log-likelihoods of windows by the bound of K draws, (n, n_repeats), nats.

    It is below log P(O|x) on average, less so with more draws K. Hidden neurons without noise have
    one pattern, and the value is exact. With own inputs the result is (n, n_repeats, n_outputs).

    Parameters
    ----------
    model, weights : `NetworkModel` and its pair of arrays
    x : (n, n_steps, 1 + n_stimulus) filtered stimulus, 1 first; of a model with own inputs (n,
        n_steps, n_outputs, 1 + n_stimulus)
    o : (n, n_repeats, n_steps, n_outputs) spikes, 0 or 1; repeats of a window have the same x, and
        share the draws
    n_draws : K, a whole number
    seed : of the draws

    Raises
    ------
    NsnnError : arrays of other shapes, x that is not finite, o other than 0 and 1

    Source: Burda, Grosse & Salakhutdinov 2016, arXiv 1509.00519

    >>> from brian2 import ms
    >>> from nsnn_neuro.likelihood import Lags
    >>> model = NetworkModel(dt=1*ms, stimulus=Lags(1), n_hidden=1)
    >>> x, o = np.ones((1, 2, 2)), np.array([[[[1], [0]]]])
    >>> weights = [[[0], [1]], [[0], [1]]]
    >>> one, many = (window_bounds(model, weights, x, o, n_draws=k).item() for k in (1, 1000))
    >>> one < many
    True
    """
    first, second = model.check(weights)
    xs, os = _arrays(model, (x, o), "x and o")
    n_draws = whole(n_draws, 1, "n_draws") if model.noisy else 1
    rng = np.random.default_rng(seed)
    at_once = max(1, _AT_ONCE // os.size)
    logs = []
    for k in range(0, n_draws, at_once):
        h = drawn(model, first, xs, min(at_once, n_draws - k), rng)[1]
        logs.append(given_hidden(model, second, h, os)[0])
    value = bound(np.concatenate(logs))[0]
    return value if model.own_inputs else value[..., 0]


@suggest_keywords
def fit_windows(
    model: NetworkModel,
    windows: Any,
    *,
    validation: Any = None,
    ridge: float = 0.0,
    n_draws: int = 1,
    patience: int | None = None,
    training: Training = Training(),  # noqa: B008 - it cannot be changed
    seed: int = 0,
    progress: Progress = None,
) -> NetworkFit:
    """Fit a two-layer network to windows of spikes and filtered stimulus.

        mean over windows of log (1/K) sum_k P(O|h_k)  -  ridge / (2 n) sum of squared weights

    Each step of Adam follows noise-driven learning along K draws, weighted by P(O|h_k), in NumPy;
    hidden neurons without noise have a surrogate gradient, the family's density.

    Parameters
    ----------
    model : `NetworkModel`
    windows : pair (x, o): x (n, n_steps, 1 + n_stimulus) the filtered stimulus, 1 first, or with
        own inputs (n, n_steps, n_outputs, 1 + n_stimulus); o (n, n_repeats, n_steps, n_outputs)
        spikes, 0 or 1
    validation : pair of such arrays, or None; `history` has its bound after each epoch
    ridge : strength of the penalty, of weights per standard deviation of their input, not of biases;
        n is the number of windows with their repeats
    n_draws : K, a whole number
    patience : as for `train`, by the bound of the validation data
    training : `Training`, without the fields of `fit_network` only
    seed : whole number, of first weights, order and draws
    progress : as for `fit_network`

    Returns
    -------
    NetworkFit; its `held_out` is None

    Raises
    ------
    NsnnError : arrays of other shapes; an output without spikes; an input that is constant
    Diverged : weights that aren't finite any more

    Source: as of `window_bounds`; Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831

    >>> from brian2 import ms
    >>> from nsnn_neuro.likelihood import Lags, Training
    >>> rng = np.random.default_rng(0)
    >>> x = np.stack([np.ones((20, 50)), rng.normal(size=(20, 50))], axis=-1)
    >>> o = (np.abs(x[:, None, :, 1:]) > 1.5).astype(float)
    >>> model = NetworkModel(dt=1*ms, stimulus=Lags(1), n_hidden=8)
    >>> options = {"n_draws": 3, "training": Training(batch=3, eta=0.05)}
    >>> fit = fit_windows(model, (x[:15], o[:15]), validation=(x[15:], o[15:]), **options)
    >>> bool(fit.history.val_bound.iloc[-1] > 0.5)
    True
    """
    instance(training, Training, "training", "settings such as likelihood.Training(epochs=60)")
    for name in ("window", "refine", "particles"):
        if (value := getattr(training, name)) != (default := getattr(Training, name)):
            raise NsnnError(f"{name} = {value}: expected {default}, as only fit_network has a use for it")
    x, o = _arrays(model, windows, "windows")
    xs, os = (x, o) if validation is None else _arrays(model, validation, "validation")
    silent = np.flatnonzero(o.sum(axis=(0, 1, 2)) == 0)
    if silent.size:
        raise NsnnError(f"windows hold no spikes of output {silent[0]}: expected some")
    flat = x.reshape(-1, x.shape[-1])
    scale = Scale.of(flat, flat)
    first = start(model, o.reshape(-1, model.n_outputs), np.random.default_rng(seed))
    z, zs, n = scale.standardised(x), scale.standardised(xs), o.shape[1] * o.shape[2]
    n_draws = whole(n_draws, 1, "n_draws") if model.noisy else 1
    penalty = strength(ridge, "ridge") / n

    def slope(weights: Any, rows: np.ndarray, rng: Any) -> tuple[np.ndarray, list[np.ndarray]]:
        value, slopes = bound_slope(model, weights, z[rows], o[:, rows], n_draws, rng)
        return -value.mean(axis=1), penalised(slopes, weights, penalty)

    def held_out(weights: Any) -> np.ndarray:
        rng = np.random.default_rng([seed, 2])  # the same draws after each epoch
        h = drawn(model, weights[0], zs, n_draws, rng)[1]
        return -bound(given_hidden(model, weights[1], h, os)[0])[0].sum(axis=-1).mean(axis=1)

    judged = None if validation is None else held_out
    ascent = Ascent(slope, list(first), training.batch, training.eta * width(model.family), seed, judged)
    loop = training.loop(seed, patience)
    loop.split(np.zeros(len(x) + (0 if validation is None else len(xs))), None, len(x))
    outcome = ascent.run(loop, progress)
    history = history_in_bits(outcome.history, _per_window(o), _per_window(os))
    w1, w2 = (outcome.arrays[f"weights_{k}"] for k in range(2))
    spikes, steps = int(o.sum()), o.shape[0] * o.shape[1] * o.shape[2]
    return NetworkFit(model, (scale.unscaled(w1), w2), history, outcome.best_epoch, None, spikes, steps)


def _per_window(o: np.ndarray) -> np.ndarray:
    """(n n_repeats, n_steps, n_outputs) from (n_steps, n, n_repeats, n_outputs)."""
    return o.transpose(1, 2, 0, 3).reshape(-1, len(o), o.shape[3])


def penalised(slopes: list[np.ndarray], weights: list[np.ndarray], penalty: float) -> list[np.ndarray]:
    """Slopes less those of penalty/2 times the square of each weight but the biases."""
    for slope, w in zip(slopes, weights, strict=True):
        slope[1:] -= penalty * w[1:]
    return slopes

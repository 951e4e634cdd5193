"""Two-layer fits to windows: the bound of several draws of the hidden layer, its gradient in NumPy, and `fit_windows`.

Given the hidden spikes h the log-likelihood of a window's observed spikes O is a sum over steps, so with K draws of h

    L_K = log (1/K) sum_k P(O|h_k),      E L_1 <= E L_2 <= ... -> log P(O|x)

L_1 is the bound that `fit_network` maximises. The slope of L_K is the mean of the draws' slopes, weighted by P(O|h_k). In the
weights of the output a draw's slope is exact. In those of the hidden neurons it is that of noise-driven learning, where the
density of the noise is the derivative of a spike, also through the reset. Hidden neurons without noise have one pattern of
spikes, and the same density is a surrogate gradient.

Source: Burda, Grosse & Salakhutdinov 2016, arXiv 1509.00519 (bounds of several draws); Ma, Yan & Tang 2023, doi
10.1016/j.patter.2023.100831 (noise-driven learning)
"""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any, NamedTuple

import numpy as np

from ..core.checks import suggest_keywords, whole
from ..core.errors import NsnnError
from ..core.units import si
from ..learning.loop import Epoch, Scores, TrainingLoop
from ..models.log_odds import observed
from .network import KEPT, NetworkModel
from .network_result import NetworkFit
from .network_scale import Scale, bits, start
from .particle_gradient import AdamSteps, TwoLayers
from .prior import strength

_AT_ONCE = 4_000_000  # potentials of the outputs that are in memory together


class _Draws(NamedTuple):
    """Potentials and spikes of hidden neurons, (n_steps, draws, n, groups, n_hidden): a group for each output, or one of all."""

    u: np.ndarray
    h: np.ndarray


def _drawn(model: NetworkModel, first: np.ndarray, x: np.ndarray, draws: int, rng: Any) -> _Draws:
    """Hidden layers under x (n, n_steps, groups, n_in)."""
    drive = (x @ first).transpose(1, 0, 2, 3)
    theta, kept = model.hidden.si("theta"), KEPT[model.hidden.reset]
    u = h = np.zeros((draws, *drive.shape[1:]))
    us, hs = (np.empty((len(drive), *u.shape)) for _ in range(2))
    for t, now in enumerate(drive):
        u = model.hidden.si("beta") * kept(u, h, theta) + now
        h = model.hidden_spikes(u, rng)
        us[t], hs[t] = u, h
    return _Draws(us, hs)


def _given(
    model: NetworkModel, second: np.ndarray, h: np.ndarray, o: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """log P(O|h) and its slopes in the potentials, (n_steps, draws, n, n_repeats, n_outputs).

    The first is (draws, n, n_repeats, n_outputs) with own inputs, otherwise (draws, n, n_repeats, 1), the sum over outputs.
    h (n_steps, draws, n, groups, n_hidden); o (n_steps, n, n_repeats, n_outputs)
    """
    effect = model.readout(h if model.own_inputs else h[..., 0, :], second) + second[0]
    theta, kept = model.output.si("theta"), KEPT[model.output.reset]
    v = np.empty((len(o), h.shape[1], *o.shape[1:]))
    at, before = np.zeros(v.shape[1:]), np.zeros(o.shape[1:])
    for t, now in enumerate(effect):
        at = model.output.si("beta") * kept(at, before, theta) + now[:, :, None]
        before, v[t] = o[t], at
    logs, slopes = observed(model.family, v - theta, o[:, None])
    logs = logs.sum(axis=0)
    # outputs that share their hidden neurons: their probabilities are multiplied before a mean over draws
    return logs if model.own_inputs else logs.sum(axis=-1, keepdims=True), slopes


def _mean_log(logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log of the mean probability over draws, the first axis, and the share of each draw in that mean."""
    highest = logs.max(axis=0)
    weight = np.exp(logs - np.where(np.isfinite(highest), highest, 0.0))
    total = weight.sum(axis=0)
    with np.errstate(divide="ignore"):
        value = np.log(total / len(logs)) + np.where(np.isfinite(highest), highest, 0.0)
    return value, weight / np.where(total > 0, total, 1.0)


def bound_slope(
    model: NetworkModel, weights: Any, x: np.ndarray, o: np.ndarray, draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, list[np.ndarray]]:
    """L_K of each window (n, n_repeats), and the slopes of their mean in both arrays of weights.

    x (n, n_steps, groups, n_in); o (n_steps, n, n_repeats, n_outputs). The repeats of a stimulus share the draws.
    """
    first, second = weights
    u, h = _drawn(model, first, x, draws, rng)
    logs, slopes = _given(model, second, h, o)
    if (
        not model.own_inputs
    ):  # the outputs share their hidden neurons, so their probabilities are multiplied before the mean
        logs = logs.sum(axis=-1, keepdims=True)
    value, share = _mean_log(logs)
    # slopes in the outputs' drives: back through their leak and reset, whose spikes are data; then the sum over repeats
    slopes *= share / (o.shape[1] * o.shape[2])
    beta, hard = model.output.si("beta"), model.output.reset == "hard"
    for t in range(len(o) - 2, -1, -1):
        slopes[t] += beta * ((1 - o[t]) if hard else 1.0) * slopes[t + 1]
    back = slopes.sum(axis=3)  # (n_steps, draws, n, n_outputs)
    if model.own_inputs:
        second_slope = np.einsum("tkngh,tkng->hg", h, back)
        below = back[..., None] * second[1:].T
    else:
        second_slope = h.reshape(-1, model.n_hidden).T @ back.reshape(-1, model.n_outputs)
        below = (back @ second[1:].T)[..., None, :]
    # slopes in the hidden neurons' drives: their spikes act on the outputs and on their own reset
    theta, beta, hard = model.hidden.si("theta"), model.hidden.si("beta"), model.hidden.reset == "hard"
    density = model.family.pdf(u - theta)
    total = np.empty((len(u), *u.shape[2:]))
    later = np.zeros(u.shape[1:])
    for t in range(len(u) - 1, -1, -1):
        kept = (1 - h[t]) if hard else 1.0
        reset = u[t] if hard else theta
        later = density[t] * (below[t] - beta * reset * later) + beta * kept * later
        total[t] = later.sum(axis=0)
    columns = x.transpose(1, 0, 2, 3).reshape(-1, x.shape[-1])
    slope = [columns.T @ total.reshape(-1, model.n_hidden)]
    slope.append(np.concatenate([back.sum(axis=(0, 1, 2))[None], second_slope]))
    return value.sum(axis=-1), slope


# --- the public door ---


def _arrays(model: NetworkModel, windows: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """x (n, n_steps, groups, n_in) and o (n_steps, n, n_repeats, n_outputs), checked."""
    if not isinstance(windows, tuple | list) or len(windows) != 2:
        raise NsnnError(f"{name} = {type(windows).__name__}: expected a pair of arrays (x, o)")
    x, o = (np.asarray(part, dtype=float) for part in windows)
    n_in = model.shapes[0][0]
    middle = ("n_outputs",) if model.own_inputs else ()
    shapes = f"x (n, n_steps, {''.join(f'{m}, ' for m in middle)}{n_in}) and o (n, n_repeats, n_steps, {model.n_outputs})"
    fits = (
        o.ndim == 4
        and x.ndim == 3 + len(middle)
        and x.shape == (len(o), o.shape[2], *((model.n_outputs,) if middle else ()), n_in)
        and o.shape[3] == model.n_outputs
        and o.size
    )
    if not fits:
        raise NsnnError(f"{name} have shapes {x.shape} and {o.shape}: expected {shapes}")
    if not np.isfinite(x).all() or not np.isin(o, (0, 1)).all():
        raise NsnnError(f"{name}: expected finite x, and o of 0 and 1")
    return (x if model.own_inputs else x[:, :, None]), np.ascontiguousarray(o.transpose(2, 0, 1, 3))


@suggest_keywords
def window_bounds(
    model: NetworkModel, weights: Any, x: Any, o: Any, *, draws: int = 1, seed: int = 0
) -> np.ndarray:
    """Log-likelihoods of windows by the bound of several draws, log (1/K) sum_k P(O|h_k), (n, n_repeats), nats.

    It is below log P(O|x) on average, less so with more draws K. With one draw its mean is the bound E[log P(O|h)]. Hidden neurons
    without noise have one pattern, and the value is exact. With own inputs the outputs are independent, and the result is
    (n, n_repeats, n_outputs).

    Parameters
    ----------
    model, weights : `NetworkModel` and its pair of arrays
    x : (n, n_steps, 1 + n_stimulus) filtered stimulus, 1 first; of a model with own inputs (n, n_steps, n_outputs, 1 + n_stimulus)
    o : (n, n_repeats, n_steps, n_outputs) spikes, 0 or 1; repeats of a window have the same x, and share the draws
    draws : K, a whole number
    seed : of the draws

    Raises
    ------
    NsnnError : arrays of other shapes, x that is not finite, o other than 0 and 1

    Source: Burda, Grosse & Salakhutdinov 2016, arXiv 1509.00519

    >>> from brian2 import ms
    >>> from nsnn_neuro.likelihood import Lags
    >>> model = NetworkModel(dt=1*ms, stimulus=Lags(1), n_hidden=1)
    >>> x, o = np.ones((1, 2, 2)), np.array([[[[1], [0]]]])
    >>> bounds = [window_bounds(model, [[[0], [1]], [[0], [1]]], x, o, draws=k).item() for k in (1, 1000)]
    >>> bounds[0] < bounds[1]
    True
    """
    first, second = model.check(weights)
    xs, os = _arrays(model, (x, o), "x and o")
    draws = whole(draws, 1, "draws") if model.hidden_noise else 1
    rng = np.random.default_rng(seed)
    at_once = max(1, _AT_ONCE // os.size)
    logs = []
    for k in range(0, draws, at_once):
        h = _drawn(model, first, xs, min(at_once, draws - k), rng).h
        logs.append(_given(model, second, h, os)[0])
    value = _mean_log(np.concatenate(logs))[0]
    return value if model.own_inputs else value[..., 0]


@suggest_keywords
def fit_windows(
    model: NetworkModel,
    windows: Any,
    *,
    validation: Any = None,
    draws: int = 1,
    ridge: float = 0.0,
    epochs: int = 30,
    batch: int = 16,
    eta: float = 0.01,
    schedule: str = "cosine",
    patience: int | None = None,
    keep: str = "last",
    seed: int = 0,
    progress: Any = None,
) -> NetworkFit:
    """Fit a two-layer network to windows of spikes and filtered stimulus, by the bound of several draws of the hidden layer.

        mean over windows of log (1/K) sum_k P(O|h_k)  -  ridge / (2 n) sum of squared weights

    Each step of Adam follows noise-driven learning along K draws, weighted by P(O|h_k), in NumPy. Hidden neurons without noise
    (`NetworkModel(hidden_noise=False)`) are learned by a surrogate gradient, with the family's density. `fit_network` cuts a
    recording into windows; this function takes them as arrays, as for repeats of the same stimuli.

    Parameters
    ----------
    model : `NetworkModel`
    windows : pair (x, o): x (n, n_steps, 1 + n_stimulus) the filtered stimulus, 1 first, or with own inputs (n, n_steps, n_outputs,
        1 + n_stimulus); o (n, n_repeats, n_steps, n_outputs) spikes, 0 or 1
    validation : pair of such arrays, or None; `history` has its bound after each epoch
    draws : K, a whole number
    ridge : strength of the penalty, of weights per standard deviation of their input; biases are free. n is the number of windows
        with their repeats, as in the log-likelihood of all
    epochs, batch, schedule : as for `train`; the samples of a batch are windows with all of their repeats
    eta : learning rate of Adam, in units of the noise's width 1 / f(0)
    patience, keep : as for `train`, by the bound of the validation data
    seed : whole number, of first weights, order and draws
    progress : True, False, a function of the completed fraction, or None: a bar in a terminal or notebook

    Returns
    -------
    NetworkFit; its `held_out` is None

    Raises
    ------
    NsnnError : arrays of other shapes; an output without spikes; an input that is constant
    Diverged : an NsnnError: weights that aren't finite any more

    Source: as of `window_bounds`; Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831

    >>> from brian2 import ms
    >>> from nsnn_neuro.likelihood import Lags
    >>> rng = np.random.default_rng(0)
    >>> x = np.stack([np.ones((20, 50)), rng.normal(size=(20, 50))], axis=-1)
    >>> o = (np.abs(x[:, None, :, 1:]) > 1.5).astype(float)
    >>> model = NetworkModel(dt=1*ms, stimulus=Lags(1), n_hidden=8)
    >>> fit = fit_windows(model, (x[:15], o[:15]), validation=(x[15:], o[15:]), draws=3, batch=3, eta=0.05)
    >>> bool(fit.history.val_bound.iloc[-1] > 0.5)
    True
    """
    x, o = _arrays(model, windows, "windows")
    xs, os = (x, o) if validation is None else _arrays(model, validation, "validation")
    silent = np.flatnonzero(o.sum(axis=(0, 1, 2)) == 0)
    if silent.size:
        raise NsnnError(f"windows hold no spikes of output {silent[0]}: expected some")
    flat = x.reshape(-1, x.shape[-1])
    scale = Scale.of(flat, flat)
    width = 1 / float(np.max(model.family.pdf(0.0)))
    rate = float(si(eta, "1", "eta"))
    rng = np.random.default_rng(seed)
    first = start(model, o.reshape(-1, model.n_outputs), width, rng)
    trainer = BoundAscent(
        model,
        list(first),
        scale.standardised(x),
        o,
        None if validation is None else (scale.standardised(xs), os),
        batch=whole(batch, 1, "batch"),
        eta=rate * width,
        draws=whole(draws, 1, "draws") if model.hidden_noise else 1,
        ridge=strength(ridge, "ridge"),
        seed=seed,
    )
    loop = TrainingLoop(epochs=epochs, seed=seed, schedule=schedule, patience=patience, keep=keep)
    loop.split(np.zeros(len(x) + (0 if validation is None else len(xs))), None, len(x))
    outcome = loop.run(
        trainer.learned(), lambda: contextlib.nullcontext(trainer), lambda done: done, progress
    )
    history = outcome.history[["epoch", "loss", "val_loss", "seconds"]].assign(
        bound=bits(outcome.history.loss, _per_window(o)),
        val_bound=bits(outcome.history.val_loss, _per_window(os)),
        likelihood=np.nan,
    )
    w1, w2 = (outcome.arrays[f"weights_{k}"] for k in range(2))
    spikes, steps = int(o.sum()), o.shape[0] * o.shape[1] * o.shape[2]
    return NetworkFit(model, (scale.unscaled(w1), w2), history, outcome.best_epoch, None, spikes, steps)


def _per_window(o: np.ndarray) -> np.ndarray:
    """(n n_repeats, n_steps, n_outputs) from (n_steps, n, n_repeats, n_outputs)."""
    return o.transpose(1, 2, 0, 3).reshape(-1, len(o), o.shape[3])


@dataclasses.dataclass
class BoundAscent(TwoLayers):
    """Adam on the bound of windows x, o (see `bound_slope`), as the `Trainer` of a loop."""

    model: NetworkModel
    weights: list[np.ndarray]
    x: np.ndarray
    o: np.ndarray
    validation: tuple[np.ndarray, np.ndarray] | None
    batch: int
    eta: float
    draws: int
    ridge: float
    seed: int

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([self.seed, 1])
        self.weights = [w.copy() for w in self.weights]
        self.adam = AdamSteps(self.weights)

    def run_epoch(self, epoch: Epoch) -> tuple[Scores, Scores | None]:
        """Steps on batches of windows; losses are minus the bounds, the mean over a window's repeats."""
        loss = []
        samples = epoch.samples
        for rows in np.array_split(samples, -(-len(samples) // self.batch)):
            value, slope = bound_slope(
                self.model, self.weights, self.x[rows], self.o[:, rows], self.draws, self.rng
            )
            loss.append(-value.mean(axis=1))
            self.adam.step(self.penalised(slope), self.eta * epoch.eta)
        return Scores(np.concatenate(loss)), self._held_out()

    def penalised(self, slope: list[np.ndarray]) -> list[np.ndarray]:
        """Slopes less those of the penalty on each weight but the biases."""
        n = self.o.shape[1] * self.o.shape[2]
        for one, w in zip(slope, self.weights, strict=True):
            one[1:] -= self.ridge / n * w[1:]
        return slope

    def _held_out(self) -> Scores | None:
        if self.validation is None:
            return None
        x, o = self.validation
        rng = np.random.default_rng([self.seed, 2])  # the same draws after each epoch
        h = _drawn(self.model, self.weights[0], x, self.draws, rng).h
        value = _mean_log(_given(self.model, self.weights[1], h, o)[0])[0]
        return Scores(-value.sum(axis=-1).mean(axis=1))

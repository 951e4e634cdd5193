"""How each model of the study of recordings is fitted, and what it foretells of the part of a recording that it hasn't seen."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import neo
import numpy as np
import quantities as pq
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import minimize, minimize_scalar
from scipy.signal import lfilter
from scipy.special import ndtr, xlogy
from sklearn.linear_model import PoissonRegressor

import nsnn_neuro as nsnn
from nsnn_neuro.likelihood import Basis, NeuronFit

from ._recording_sets import Nothing, Recording

__all__ = [
    "ADDED",
    "ALONE",
    "CELL",
    "FORCED",
    "GLM",
    "LEAST",
    "LNP",
    "NETWORK",
    "NEURON",
    "NO_HISTORY",
    "TWIN",
    "Arm",
    "Fitting",
    "at_least_one",
    "draw",
    "explain",
    "fires",
    "fitted",
    "log_likelihood",
]

CELL, NEURON, NETWORK = "cell", "noisy neuron", "two-layer network"
ALONE, NO_HISTORY = "history alone", "no history"
TWIN, FORCED, ADDED = "twin", "twin told the spikes", "noise added"
LNP, GLM = "LNP", "Poisson GLM"
LEAST = 1e-6  # no probability is nearer to 0 or 1
LOWEST = 0.01  # of the mean rate, the twins' floor at least: none of them is surer of silence


@dataclasses.dataclass(frozen=True, eq=False)
class Arm:
    """A fitted model: its probability of a spike in each test step, spikes it draws by itself, and what was chosen for it."""

    p: np.ndarray
    """(n_repeats, n_steps)"""
    spikes: np.ndarray
    """(n_steps, trials) under the first repeat's stimulus"""
    chosen: dict[str, float] = dataclasses.field(default_factory=dict)


def draw(
    drive: np.ndarray,
    kernel: np.ndarray,
    chance: Callable[[np.ndarray], np.ndarray],
    rng: np.random.Generator,
    *,
    beta: float = 0.0,
    theta: Any = 0.0,
) -> np.ndarray:
    """Spikes (n_steps, n) of neurons side by side, each driven by a column of `drive` and by what its own spikes add, `kernel`
    (n_lags,) from one step on: P(spike) = chance(m + history - theta), m = beta m + drive, 0 after a spike; theta (n,) or one."""
    n, k = drive.shape
    past, m, found = np.zeros((n + len(kernel), k)), np.zeros(k), np.zeros((n, k), dtype=bool)
    for t in range(n):
        m = beta * m + drive[t]
        o = rng.random(k) < chance(m + past[t] - theta)
        if o.any():
            found[t] = o
            past[t + 1 : t + 1 + len(kernel), o] += kernel[:, None]
            m[o] = 0.0
    return found


def fires(a: np.ndarray) -> np.ndarray:
    """A neuron without noise: 1 above threshold."""
    return (a > 0).astype(float)


def at_least_one(a: np.ndarray) -> np.ndarray:
    """P(a Poisson count of mean exp(a) isn't 0)."""
    return -np.expm1(-np.exp(np.minimum(a, 20.0)))


def log_likelihood(p: np.ndarray, o: np.ndarray) -> np.ndarray:
    """Of each step, nats: Bernoulli, for all models."""
    p = np.clip(p, LEAST, 1 - LEAST)
    return np.asarray(xlogy(o, p) + xlogy(1 - o, 1 - p))


def explain(curve: np.ndarray, o: np.ndarray) -> tuple[float, float, float]:
    """Log-likelihood, floor and gain of the best P(spike) = floor + (1 - floor) gain curve, curve from 0 to 1; both of them
    between 0 and 1, the floor at least a hundredth of the mean."""

    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        floor, gain = x
        p = np.clip(floor + (1 - floor) * gain * curve, LEAST, 1 - LEAST)
        slope = o / p - (1 - o) / (1 - p)
        n = len(o)
        found = -(o @ np.log(p) + (1 - o) @ np.log1p(-p)) / n
        return found, -np.array([slope @ (1 - gain * curve), slope @ ((1 - floor) * curve)]) / n

    rate = float(o.mean())
    bounds = [(LOWEST * rate, 0.9), (0.0, 1.0)]
    best = minimize(value, [0.5 * rate, 0.1], jac=True, bounds=bounds, method="L-BFGS-B")
    return -len(o) * float(best.fun), float(best.x[0]), float(best.x[1])


Smoothing = Callable[[np.ndarray, float], np.ndarray]


class Fitting:
    """All models of one recording, on the same steps, split and bases. Chosen on the validation part: ridge, the membrane's decay,
    the twins' kernels; fitted on the training part: everything else."""

    def __init__(self, recording: Recording, config: Any) -> None:
        self.recording, self.config = recording, config
        train, validation, stop = recording.borders
        self.n_train, self.past = (round(t / recording.dt) for t in (train, validation))
        self.train, self.validation = recording.data(0.0, train), recording.data(train, validation)
        self.test = recording.data(validation, stop)
        self.free = recording.data(0.0, stop)
        self.repeats = len(recording.trains)
        self.o = self.test.o.reshape(self.repeats, -1)
        self.rate = float(self.train.o.mean())
        self.kernels = recording.history.matrix(recording.dt, 1)

    def rng(self, k: int) -> np.random.Generator:
        """Of one model's spikes."""
        return np.random.default_rng([self.config.seed, k])

    def steps(self, block: neo.Block) -> np.ndarray:
        """A Block's trials in the steps of the test part, (n_steps, n_trials); models draw from the recording's start on."""
        found = np.zeros((self.o.shape[1], len(block.segments)), dtype=bool)
        for k, segment in enumerate(block.segments):
            times = segment.spiketrains[0].magnitude - self.recording.borders[1]
            step = np.rint(times / self.recording.dt).astype(int)
            found[step[step >= 0], k] = True
        return found

    def neuron(self, stimulus: Basis, history: Basis | None) -> tuple[NeuronFit, dict[str, float]]:
        """A noisy neuron by noise-driven maximum likelihood; decay and ridge are chosen on the validation part."""
        r = self.recording
        best, found, why = -np.inf, None, ""
        for beta, ridge in itertools.product(self.config.betas, self.config.ridges):
            try:
                fit = nsnn.fit_neuron(
                    r.trains, r.signals, dt=r.dt * pq.s, stimulus=stimulus, history=history, beta=beta, ridge=ridge,
                    t_stop=r.borders[0] * pq.s,
                )  # fmt: skip
            except nsnn.NsnnError as error:
                why = str(error)
                continue
            data = fit.model.data(
                r.trains, r.signals, t_start=r.borders[0] * pq.s, t_stop=r.borders[1] * pq.s
            )
            score = log_likelihood(ndtr(fit.model.evaluate(fit.values, data).potential), data.o).sum()
            if score > best:
                best, found = score, (fit, {"beta": beta, "ridge": ridge})
        if found is None:
            raise nsnn.NsnnError(f"{r.name}: no noisy neuron can be fitted: {why}")
        return found

    def noisy(self, stimulus: Basis, history: Basis | None, seed: int) -> tuple[Arm, NeuronFit]:
        """A noisy neuron and what it foretells."""
        fit, chosen = self.neuron(stimulus, history)
        r = self.recording
        data = fit.model.data(r.trains, r.signals, t_start=r.borders[1] * pq.s, t_stop=r.borders[2] * pq.s)
        p = ndtr(fit.model.evaluate(fit.values, data).potential)
        block = fit.simulate(
            r.signals[0], trials=self.config.trials, seed=self.config.seed + seed
        )  # fmt: skip
        return Arm(p.reshape(self.repeats, -1), self.steps(block), chosen), fit

    # --- the twin ---

    def twins(self, fit: NeuronFit) -> dict[str, Arm]:
        """The fitted neuron without noise: by itself, its threshold lowered until it fires as often as the cell (training part);
        told the recorded spikes, its threshold where it foretells best; and the first with noise added afterwards."""
        values = fit.parameters
        n_stimulus = self.train.drive.shape[1]
        w = fit.values[: 1 + n_stimulus]
        kernel = self.kernels @ fit.values[1 + n_stimulus :][: self.kernels.shape[1]]
        how = {"beta": float(fit.model.beta), "theta": float(values.get("theta", 0.0))}
        shifts = np.array(self.config.shifts)

        def columns(data: Any) -> np.ndarray:
            return (w[0] + data.drive @ w[1:]).reshape(self.repeats, -1).T

        both = columns(self.recording.data(0.0, self.recording.borders[1]))
        lowered = how["theta"] - np.tile(shifts, self.repeats)
        spikes = draw(
            np.repeat(both, len(shifts), axis=1), kernel, fires, self.rng(1), beta=how["beta"], theta=lowered
        )
        spikes = spikes.reshape(len(both), self.repeats, len(shifts)).transpose(2, 1, 0).astype(float)
        rates = np.maximum(spikes[:, :, : self.n_train].mean(axis=(1, 2)), LEAST)
        same = int(np.argmin(np.abs(np.log(rates / self.rate))))
        free = self._smoothing(spikes[same : same + 1], shifts[same : same + 1], _around)
        level = np.concatenate(
            [
                fit.model.evaluate(fit.values, data).potential.reshape(self.repeats, -1)
                for data in (self.train, self.validation)
            ],
            axis=1,
        )
        told = self._smoothing(fires(level + shifts[:, None, None]), shifts, _behind)
        dt, level = self.recording.dt, level[:, : self.n_train]

        shift = free["shift"]
        found = draw(
            columns(self.free), kernel, fires, self.rng(1), beta=how["beta"], theta=how["theta"] - shift
        )
        p = _apply(free, found.T.astype(float), dt, _around)[:, self.past :]
        arms = {TWIN: Arm(p, np.repeat(found[self.past :, :1], self.config.trials, axis=1), free)}
        a = fit.model.evaluate(fit.values, self.test).potential.reshape(self.repeats, -1)
        arms[FORCED] = Arm(
            _apply(told, fires(a + told["shift"]), dt, _behind), arms[TWIN].spikes, told
        )  # it draws nothing of its own

        o = self.train.o.reshape(self.repeats, -1)
        level = level + shift
        best = minimize_scalar(
            lambda x: -log_likelihood(ndtr(level / np.exp(x)), o).sum(), bounds=np.log([0.05, 20.0]), method="bounded"
        )  # fmt: skip
        sigma = float(np.exp(best.x))
        drive = np.repeat(columns(self.free)[:, :1], self.config.trials, axis=1)
        late = draw(
            drive, kernel, lambda x: ndtr(x / sigma), self.rng(2), beta=how["beta"], theta=how["theta"] - shift
        )  # fmt: skip
        arms[ADDED] = Arm(ndtr((a + shift) / sigma), late[self.past :], {"shift": shift, "sigma": sigma})
        return arms

    def _smoothing(self, spikes: np.ndarray, shifts: np.ndarray, smooth: Smoothing) -> dict[str, float]:
        """Shift of the threshold and width of the kernel: what foretells the validation part best, with floor and gain fitted to
        the training part; spikes (n_shifts, n_repeats, n_steps) of both parts."""
        best, found = -np.inf, {}
        dt, n, o = self.recording.dt, self.n_train, self.train.o
        later = self.validation.o.reshape(self.repeats, -1)
        for (shift, mine), width in itertools.product(zip(shifts, spikes, strict=True), self.config.widths):
            curve = smooth(mine[:, :n], width / dt).ravel()
            top = max(float(curve.max()), 1.0)
            floor, gain = explain(curve / top, o)[1:]
            chosen = {"shift": float(shift), "width": width, "floor": floor, "gain": gain, "top": top}
            score = log_likelihood(_apply(chosen, mine, dt, smooth)[:, n:], later).sum()
            if score > best:
                best, found = score, chosen
        return found

    # --- Poisson models ---

    def poisson(self, history: bool, seed: int) -> Arm:
        """The linear-nonlinear Poisson model, or the generalised linear model with the spikes' history."""

        def columns(data: Any) -> np.ndarray:
            return np.concatenate([data.drive, data.history], axis=1) if history else data.drive

        x, o = columns(self.train), self.train.o
        n_stimulus = self.train.drive.shape[1]
        coefficients, bias, ridge = np.zeros(x.shape[1]), np.log(-np.log1p(-self.rate)), np.nan
        if x.shape[1]:
            size = np.sqrt(np.mean(x**2, axis=0))
            size[size == 0] = 1.0
            best = -np.inf
            for strength in self.config.ridges:
                model = PoissonRegressor(
                    alpha=strength / len(o), solver="newton-cholesky", max_iter=300, tol=1e-7
                )
                model.fit(x / size, o)
                a = model.intercept_ + columns(self.validation) @ (model.coef_ / size)
                score = log_likelihood(at_least_one(a), self.validation.o).sum()
                if score > best:
                    best, coefficients, bias, ridge = score, model.coef_ / size, model.intercept_, strength
        p = at_least_one(bias + columns(self.test) @ coefficients).reshape(self.repeats, -1)
        n = len(self.free.o) // self.repeats
        drive = bias + self.free.drive[:n] @ coefficients[:n_stimulus]
        kernel = self.kernels @ coefficients[n_stimulus:] if history else np.empty(0)
        drive = np.repeat(drive[:, None], self.config.trials, axis=1)
        spikes = draw(drive, kernel, at_least_one, self.rng(seed))[self.past :]
        return Arm(p, spikes, {"ridge": float(ridge)})

    # --- two layers ---

    def network(self) -> Arm:
        """Hidden noisy neurons between the stimulus and the cell, without further history."""
        r, config = self.recording, self.config
        fit = nsnn.fit_network(
            r.trains, r.signals, dt=r.dt * pq.s, stimulus=r.stimulus, n_hidden=config.n_hidden, held_out=0.0,
            epochs=config.epochs, refine=config.refine, t_stop=r.borders[0] * pq.s, seed=config.seed, engine="numpy",
        )  # fmt: skip
        data = fit.model.data(r.trains, r.signals, t_start=r.borders[1] * pq.s, t_stop=r.borders[2] * pq.s)
        logs = fit.model.log_likelihood(
            fit.weights, data, particles=config.particles, seed=config.seed
        )  # of what was observed, given what was before
        p = np.where(data.o[:, 0] == 1, np.exp(logs), -np.expm1(logs))
        block = fit.simulate(
            r.signals[0], trials=config.trials, seed=config.seed
        )  # fmt: skip
        return Arm(p.reshape(self.repeats, -1), self.steps(block), {"hidden": float(config.n_hidden)})


def _around(spikes: np.ndarray, steps: float) -> np.ndarray:
    """Smoothed on both sides, a lone spike to height 1, by a Gaussian of so many steps."""
    if steps < 0.1:
        return spikes
    return np.asarray(gaussian_filter1d(spikes, steps, axis=-1, mode="reflect") * steps * np.sqrt(2 * np.pi))


def _behind(spikes: np.ndarray, steps: float) -> np.ndarray:
    """Smoothed to later steps alone, by an exponential of so many steps: what is told of the past must not tell of the present."""
    if steps < 0.1:
        return spikes
    kept = np.exp(-1 / steps)
    return np.asarray(lfilter([1.0], [1.0, -kept], spikes, axis=-1))


def _apply(chosen: dict[str, float], spikes: np.ndarray, dt: float, smooth: Smoothing) -> np.ndarray:
    curve = np.minimum(smooth(spikes, chosen["width"] / dt) / chosen["top"], 1.0)
    return chosen["floor"] + (1 - chosen["floor"]) * chosen["gain"] * curve


def fitted(recording: Recording, config: Any) -> tuple[Fitting, dict[str, Arm]]:
    """All models of a recording. Without a stimulus there is no network, and the neuron is history alone."""
    fitting = Fitting(recording, config)
    arms: dict[str, Arm] = {}
    arms[NEURON], fit = fitting.noisy(recording.stimulus, recording.history, 0)
    arms.update(fitting.twins(fit))
    arms[LNP], arms[GLM] = fitting.poisson(False, 3), fitting.poisson(True, 4)
    if recording.stimulated:
        arms[ALONE] = fitting.noisy(Nothing(), recording.history, 5)[0]
        arms[NO_HISTORY] = fitting.noisy(recording.stimulus, None, 6)[0]
        if config.n_hidden and recording.f_max is not None:
            arms[NETWORK] = fitting.network()
    replaced = {"noise off": TWIN, "noise late": ADDED}.get(config.sabotage)
    if replaced is not None:
        arms[NEURON] = arms[replaced]
    return fitting, arms

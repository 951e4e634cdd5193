"""Model selection and fits for the study of recordings, with predictions for the test part."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import neo
import numpy as np
import quantities as pq
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import minimize, minimize_scalar
from scipy.signal import lfilter
from scipy.special import xlogy
from sklearn.linear_model import PoissonRegressor

import nsnn_neuro as nsnn
from nsnn_neuro.likelihood import Basis, NeuronFit, NeuronModel, RaisedCosines, Training, cross_validate

from .data_sets import Nothing, Recording

CELL, NEURON, NETWORK = "cell", "noisy neuron", "two-layer network"
ALONE, NO_HISTORY = "history alone", "no history"
DETERMINISTIC, GIVEN_SPIKES, ADDED = "deterministic neuron", "deterministic, given spikes", "noise added"
LNP, GLM = "LNP", "Poisson GLM"
FAMILIES = (nsnn.Gaussian(1.0), nsnn.Logistic(0.55))
"""candidate families of the noise, of similar width"""
LEAST = 1e-6  # smallest distance of probabilities from 0 and 1
LOWEST = 0.01  # smallest floor of deterministic neurons, relative to the mean rate


@dataclasses.dataclass(frozen=True, eq=False)
class Arm:
    """A fitted model: its spike probability in each test step, simulated spikes, and chosen settings."""

    p: np.ndarray
    """(n_repeats, n_steps)"""
    spikes: np.ndarray
    """(n_steps, trials) for the stimulus of the first repeat"""
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
    """Simulate n independent neurons; returns spikes (n_steps, n). Each is driven by a column of `drive` and by its spike
    history with `kernel` (n_lags,): P(spike) = chance(m + history - theta), m = beta m + drive, 0 after a spike; theta scalar or
    (n,)."""
    n, k = drive.shape
    past, m, spikes = np.zeros((n + len(kernel), k)), np.zeros(k), np.zeros((n, k), dtype=bool)
    for t in range(n):
        m = beta * m + drive[t]
        o = rng.random(k) < chance(m + past[t] - theta)
        if o.any():
            spikes[t] = o
            past[t + 1 : t + 1 + len(kernel), o] += kernel[:, None]
            m[o] = 0.0
    return spikes


def fires(a: np.ndarray) -> np.ndarray:
    """Deterministic neuron: 1 above threshold, else 0."""
    return (a > 0).astype(float)


def at_least_one(a: np.ndarray) -> np.ndarray:
    """Probability that a Poisson count with mean exp(a) is positive."""
    return -np.expm1(-np.exp(np.minimum(a, 20.0)))


def log_likelihood(p: np.ndarray, o: np.ndarray) -> np.ndarray:
    """Bernoulli log-likelihood of each step, nats."""
    p = np.clip(p, LEAST, 1 - LEAST)
    return np.asarray(xlogy(o, p) + xlogy(1 - o, 1 - p))


def fit_floor_and_gain(curve: np.ndarray, o: np.ndarray) -> tuple[float, float, float]:
    """Fit P(spike) = floor + (1 - floor) gain curve, with a curve between 0 and 1; return log-likelihood, floor and gain. The
    floor is at least a hundredth of the mean rate."""

    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        floor, gain = x
        p = np.clip(floor + (1 - floor) * gain * curve, LEAST, 1 - LEAST)
        slope = o / p - (1 - o) / (1 - p)
        n = len(o)
        loss = -(o @ np.log(p) + (1 - o) @ np.log1p(-p)) / n
        return loss, -np.array([slope @ (1 - gain * curve), slope @ ((1 - floor) * curve)]) / n

    rate = float(o.mean())
    bounds = [(LOWEST * rate, 0.9), (0.0, 1.0)]
    best = minimize(value, [0.5 * rate, 0.1], jac=True, bounds=bounds, method="L-BFGS-B")
    return -len(o) * float(best.fun), float(best.x[0]), float(best.x[1])


Smoothing = Callable[[np.ndarray, float], np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Chosen:
    """A noisy neuron, fitted to the training part and to each of its folds."""

    fit: NeuronFit
    folds: np.ndarray
    """(n_folds, n_parameters)"""
    options: dict[str, Any]
    bases: dict[str, Any]


class Fitting:
    """Fits of all models to one recording. Choices are made by cross-validation over blocks of the training part; then each model
    is fitted to the whole training part."""

    def __init__(self, recording: Recording, config: Any) -> None:
        self.recording, self.config = recording, config
        self.train, self.stop = recording.borders
        self.past = round(self.train / recording.dt)
        self.repeats = len(recording.trains)
        plain = recording.bases[0]
        self.trained = recording.data(plain, 0.0, self.train).o
        self.o = recording.data(plain, self.train, self.stop).o.reshape(self.repeats, -1)
        self.rate = float(self.trained.mean())
        self.fold = np.tile(np.arange(self.past) * config.n_folds // self.past, self.repeats)

    def rng(self, k: int) -> np.random.Generator:
        """Random generator of the k-th model."""
        return np.random.default_rng([self.config.seed, k])

    def steps(self, block: neo.Block) -> np.ndarray:
        """Spikes of a Block in the test part, (n_steps, n_trials); simulations begin at the start of the recording."""
        spikes = np.zeros((self.o.shape[1], len(block.segments)), dtype=bool)
        for k, segment in enumerate(block.segments):
            times = segment.spiketrains[0].magnitude - self.train
            step = np.rint(times / self.recording.dt).astype(int)
            spikes[step[step >= 0], k] = True
        return spikes

    def neuron(self, bases: Sequence[dict[str, Any]]) -> Chosen:
        """Noisy neuron by noise-driven maximum likelihood. First choose bases and ridge for a neuron without membrane, then
        membrane decay and noise family."""
        r, config = self.recording, self.config

        def best(candidates: list[dict[str, Any]]) -> Any:
            return cross_validate(
                r.trains, r.signals, candidates, dt=r.dt * pq.s, n_folds=config.n_folds, t_stop=self.train * pq.s
            )  # fmt: skip

        first = best([{**one, "ridge": ridge} for one in bases for ridge in config.ridges]).best
        choice = best([first | {"beta": b, "family": family} for family in FAMILIES for b in config.betas])
        of = {name: choice.best.get(name) for name in ("stimulus", "history")}
        return Chosen(choice.fit, choice.values, choice.best, of)

    def noisy(self, bases: Sequence[dict[str, Any]], seed: int) -> tuple[Arm, Chosen]:
        """A noisy neuron with its predictions."""
        chosen = self.neuron(bases)
        fit, r = chosen.fit, self.recording
        data = fit.model.data(r.trains, r.signals, t_start=self.train * pq.s, t_stop=self.stop * pq.s)
        family = fit.model.family
        assert isinstance(family, nsnn.Family)  # of the candidates, none is Poisson
        p = family.cdf(fit.model.evaluate(fit.values, data).potential)
        block = fit.simulate(r.signals[0], trials=self.config.trials, seed=self.config.seed + seed)
        numbers = {
            "beta": float(chosen.options["beta"]), "ridge": float(chosen.options["ridge"]),
            "logistic": float(isinstance(fit.model.family, nsnn.Logistic)), **sizes(chosen.bases),
        }  # fmt: skip
        return Arm(p.reshape(self.repeats, -1), self.steps(block), numbers), chosen

    # --- deterministic neurons ---

    def deterministic_neurons(self, chosen: Chosen) -> dict[str, Arm]:
        """The fitted neuron without noise: free-running, its threshold lowered to the rate of the cell in the training part;
        given the recorded spikes, with the threshold of the best prediction; and the free-running one with noise added afterwards.

        Threshold and kernel are chosen by cross-validation, with filters fitted without the held-out block.
        """
        model, r = chosen.fit.model, self.recording
        shifts = np.array(self.config.shifts)
        data = model.data(r.trains, r.signals, t_stop=self.train * pq.s)
        every = [chosen.fit.values, *chosen.folds]
        lowered = [self._lowered(model, p, data, shifts) for p in every]
        spikes, shift = [one[1][None] for one in lowered], lowered[0][0]
        free = self._smoothing(spikes, np.array([shift]), smooth_both_sides)
        levels = [model.evaluate(p, data).potential.reshape(self.repeats, -1) for p in every]
        given = self._smoothing([fires(a + shifts[:, None, None]) for a in levels], shifts, smooth_causally)
        dt, level = r.dt, levels[0] + shift

        w, kernel, options = _parts(model, chosen.fit.values)
        options["theta"] = options["theta"] - shift
        drive = self._drive(w, model.data(r.trains, r.signals, t_stop=self.stop * pq.s))
        free_spikes = draw(drive, kernel, fires, self.rng(1), **options)
        p = _apply(free, free_spikes.T.astype(float), dt, smooth_both_sides)[:, self.past :]
        drawn = np.repeat(free_spikes[self.past :, :1], self.config.trials, axis=1)
        arms = {DETERMINISTIC: Arm(p, drawn, free)}
        later = model.data(r.trains, r.signals, t_start=self.train * pq.s, t_stop=self.stop * pq.s)
        a = model.evaluate(chosen.fit.values, later).potential.reshape(self.repeats, -1)
        p = _apply(given, fires(a + given["shift"]), dt, smooth_causally)
        arms[GIVEN_SPIKES] = Arm(p, drawn, given)  # has no free-running simulation

        assert isinstance(model.family, nsnn.Family)
        o, cdf = self.trained.reshape(self.repeats, -1), model.family.cdf
        best = minimize_scalar(
            lambda x: -log_likelihood(cdf(level / np.exp(x)), o).sum(), bounds=np.log([0.05, 20.0]), method="bounded"
        )  # fmt: skip
        sigma = float(np.exp(best.x))
        drive = np.repeat(drive[:, :1], self.config.trials, axis=1)
        late = draw(drive, kernel, lambda x: cdf(x / sigma), self.rng(2), **options)
        arms[ADDED] = Arm(cdf((a + shift) / sigma), late[self.past :], {"shift": shift, "sigma": sigma})
        return arms

    def _drive(self, w: np.ndarray, data: Any) -> np.ndarray:
        """Input of the membrane, (n_steps, n_repeats)."""
        return np.asarray((w[0] + data.drive @ w[1:]).reshape(self.repeats, -1).T)

    def _lowered(
        self, model: NeuronModel, p: np.ndarray, data: Any, shifts: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """Threshold shift at which the neuron has the rate of the cell, and its spikes (n_repeats, n_steps)."""
        w, kernel, options = _parts(model, p)
        drive = np.repeat(self._drive(w, data), len(shifts), axis=1)
        theta = options["theta"] - np.tile(shifts, self.repeats)
        spikes = draw(drive, kernel, fires, self.rng(1), beta=options["beta"], theta=theta)
        spikes = spikes.reshape(-1, self.repeats, len(shifts)).transpose(2, 1, 0).astype(float)
        rates = np.maximum(spikes.mean(axis=(1, 2)), LEAST)
        same = int(np.argmin(np.abs(np.log(rates / self.rate))))
        return float(shifts[same]), spikes[same]

    def _smoothing(self, spikes: list[np.ndarray], shifts: np.ndarray, smooth: Smoothing) -> dict[str, float]:
        """Threshold shift and kernel width with the best cross-validated prediction, and floor and gain fitted to the training
        part. `spikes`: (n_shifts, n_repeats, n_steps) of the full fit and of the fit of each fold."""
        best, settings = -np.inf, {}
        dt, o = self.recording.dt, self.trained
        for (j, shift), width in itertools.product(enumerate(shifts), self.config.widths):
            score, made = 0.0, {}
            for k, own in enumerate(spikes):
                curve = smooth(own[j], width / dt).ravel()
                kept = np.ones(len(o), dtype=bool) if k == 0 else self.fold != k - 1
                top = max(float(curve[kept].max()), 1.0)
                floor, gain = fit_floor_and_gain(np.minimum(curve / top, 1.0)[kept], o[kept])[1:]
                chosen = {"shift": float(shift), "width": width, "floor": floor, "gain": gain, "top": top}
                if k == 0:
                    made = chosen
                else:
                    p = floor + (1 - floor) * gain * np.minimum(curve[~kept] / top, 1.0)
                    score += log_likelihood(p, o[~kept]).sum()
            if score > best:
                best, settings = score, made
        return settings

    # --- Poisson models ---

    def poisson(self, history: bool, seed: int) -> Arm:
        """The linear-nonlinear Poisson model, or (with `history`) the Poisson GLM.

        It has as many candidates as the noisy neuron: bases and ridges, then further ridges instead of membranes and families.
        """
        r, config = self.recording, self.config
        alone = [{**one, "history": None} for one in r.bases]
        bases = list(r.bases) if history else _different(alone)

        def columns(data: Any) -> np.ndarray:
            return np.concatenate([data.drive, data.history], axis=1)

        def fitted(x: np.ndarray, o: np.ndarray, strength: float) -> tuple[float, np.ndarray]:
            if not x.shape[1]:
                return float(np.log(-np.log1p(-o.mean()))), np.zeros(0)
            size = np.sqrt(np.mean(x**2, axis=0))
            size[size == 0] = 1.0
            how = {"solver": "newton-cholesky", "max_iter": 300, "tol": 1e-7}
            model = PoissonRegressor(alpha=strength / len(o), **how).fit(x / size, o)
            return float(model.intercept_), model.coef_ / size

        o = self.trained
        prepared = [columns(r.data(one, 0.0, self.train)) for one in bases]

        def score(k: int, strength: float) -> float:
            total = 0.0
            for fold in range(config.n_folds):
                out = self.fold == fold
                bias, w = fitted(prepared[k][~out], o[~out], strength)
                total += log_likelihood(at_least_one(bias + prepared[k][out] @ w), o[out]).sum()
            return total

        tried = {(k, ridge): score(k, ridge) for k in range(len(bases)) for ridge in config.ridges}
        k, _ = max(tried, key=lambda one: tried[one])
        ends = min(config.ridges) / 10, max(config.ridges) * 10
        more = np.geomspace(*ends, len(FAMILIES) * len(config.betas))
        tried |= {(k, float(ridge)): score(k, float(ridge)) for ridge in more}
        k, ridge = max((one for one in tried if one[0] == k), key=lambda one: tried[one])
        bias, w = fitted(prepared[k], o, ridge)
        test, every = (r.data(bases[k], start, self.stop) for start in (self.train, 0.0))
        p = at_least_one(bias + columns(test) @ w).reshape(self.repeats, -1)
        n_stimulus = test.drive.shape[1]
        drive = bias + every.drive[: len(every.o) // self.repeats] @ w[:n_stimulus]
        kernel = bases[k]["history"].matrix(r.dt, 1) @ w[n_stimulus:] if history else np.empty(0)
        drive = np.repeat(drive[:, None], config.trials, axis=1)
        spikes = draw(drive, kernel, at_least_one, self.rng(seed))[self.past :]
        return Arm(p, spikes, {"ridge": float(ridge), **sizes(bases[k])})

    # --- two layers ---

    def network(self, stimulus: Basis, beta: float) -> Arm:
        """Two-layer network of noisy neurons, without history except the reset of the output. Basis and decay of the output are
        those of the single neuron without history."""
        r, config = self.recording, self.config
        fit = nsnn.fit_network(
            r.trains, r.signals, dt=r.dt * pq.s, stimulus=stimulus, n_hidden=config.n_hidden, validation=0.0,
            output=nsnn.NSNNNeuron(beta=beta), training=Training(epochs=config.epochs, refine=config.refine),
            t_stop=self.train * pq.s, seed=config.seed, engine="numpy",
        )  # fmt: skip
        data = fit.model.data(r.trains, r.signals, t_start=self.train * pq.s, t_stop=self.stop * pq.s)
        # of the observed outcome, given the past
        logs = fit.model.log_likelihood(fit.weights, data, particles=config.particles, seed=config.seed)
        p = np.where(data.o[:, 0] == 1, np.exp(logs), -np.expm1(logs))
        block = fit.simulate(r.signals[0], trials=config.trials, seed=config.seed)
        return Arm(p.reshape(self.repeats, -1), self.steps(block), {"hidden": float(config.n_hidden)})


def _parts(model: NeuronModel, p: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Bias and stimulus filter, history kernel, and decay with threshold."""
    kernels = model.bases()[1]
    last = len(p) - kernels.shape[1] - (model.threshold is None)
    kernel = kernels @ p[last:][: kernels.shape[1]] if kernels.size else np.empty(0)
    theta = float(p[-1]) if model.threshold is None else model.threshold
    return p[:last], kernel, {"beta": float(model.beta), "theta": theta}


def sizes(bases: dict[str, Any]) -> dict[str, float]:
    """Number of functions and span (ms) of raised cosines."""
    result = {}
    for name, basis in bases.items():
        if isinstance(basis, RaisedCosines):
            result[f"{name} functions"] = float(basis.n)
            result[f"{name} span"] = float(basis.stop.rescale("ms").magnitude)
    return result


def _different(bases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Bases without duplicates."""
    return [one for k, one in enumerate(bases) if one not in bases[:k]]


def smooth_both_sides(spikes: np.ndarray, steps: float) -> np.ndarray:
    """Smooth by a Gaussian of `steps`, with peak 1 for a single spike."""
    if steps < 0.1:
        return spikes
    return np.asarray(gaussian_filter1d(spikes, steps, axis=-1, mode="reflect") * steps * np.sqrt(2 * np.pi))


def smooth_causally(spikes: np.ndarray, steps: float) -> np.ndarray:
    """Smooth causally by an exponential of `steps`, so that predictions use past spikes only."""
    if steps < 0.1:
        return spikes
    kept = np.exp(-1 / steps)
    return np.asarray(lfilter([1.0], [1.0, -kept], spikes, axis=-1))


def _apply(chosen: dict[str, float], spikes: np.ndarray, dt: float, smooth: Smoothing) -> np.ndarray:
    curve = np.minimum(smooth(spikes, chosen["width"] / dt) / chosen["top"], 1.0)
    return chosen["floor"] + (1 - chosen["floor"]) * chosen["gain"] * curve


def fitted(recording: Recording, config: Any) -> tuple[Fitting, dict[str, Arm]]:
    """Fit all models to a recording. Without a stimulus there is no network, and models use history only."""
    fitting = Fitting(recording, config)
    arms: dict[str, Arm] = {}
    arms[NEURON], chosen = fitting.noisy(recording.bases, 0)
    arms.update(fitting.deterministic_neurons(chosen))
    arms[LNP], arms[GLM] = fitting.poisson(False, 3), fitting.poisson(True, 4)
    if recording.stimulated:
        alone = _different([{**one, "stimulus": Nothing()} for one in recording.bases])
        without = _different([{**one, "history": None} for one in recording.bases])
        arms[ALONE] = fitting.noisy(alone, 5)[0]
        arms[NO_HISTORY], single = fitting.noisy(without, 6)
        if config.n_hidden and recording.f_max is not None:
            arms[NETWORK] = fitting.network(single.bases["stimulus"], single.options["beta"])
    replaced = {"noise off": DETERMINISTIC, "noise late": ADDED}.get(config.sabotage)
    if replaced is not None:
        arms[NEURON] = arms[replaced]
    return fitting, arms

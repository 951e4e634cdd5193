"""`Calibration`: the most likely neuron, with profiles; and its base, with scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from scipy.stats import chi2

from ...core.aliases import Progress
from ...core.checks import one_of, whole
from ...core.errors import NsnnError
from ...core.progress import progress_bar
from ...models.noise import WhiteNoise
from ..continuous.cells import Grid
from ..continuous.conditional import check_start, log_likelihoods, probabilities, stimulus_of
from ..continuous.trials import Trial, one_for_each, read_recordings
from ..misfit import Predicted, neuron_cures, of_chances
from ..scores import PerStep, check_level, fitted_warning
from ..step_fit import Arguments, StepFit
from ..synaptic_input import with_inputs
from .calibrated import Calibrated
from .limits import Profiler
from .maximise import at_best, held
from .undetermined import up_to_data, warn_flat, warn_limits

_FLAT = 2.0  # nats: a fall that does not exclude a bound
_WIDE = 0.1  # of the range: a stretch from a bound in which the likelihood is flat
_ANY = "\nfit.misfit() tests what this neuron misses, which distorts its parameters."
_WHITE = "\nWhite noise is an assumption, on which tau_m, gain and sigma rest: fit.misfit() tests it."
_STEP = 0.01  # of a standard error: a step of derivatives of probabilities
_FAR = 8.0  # nats that a parabola falls up to a bound which is not worth a search


@dataclass(frozen=True, eq=False)
class Profile:
    """The likelihood over one parameter, the others at their best; from `Calibration.profile`.

    >>> import numpy as np
    >>> values, logs = np.array([0.01, 0.02, 0.03]), np.array([-3.0, 0.0, -2.5])
    >>> Profile("tau_m", values, logs, (0.014, 0.028), 0.95).values[1].item()
    0.02
    """

    name: str
    values: Any
    """(n,) of the parameter, in the unit of its bounds"""
    log_likelihood: np.ndarray
    """(n,) relative to the maximum, nats"""
    interval: tuple[Any, Any]
    """values whose log-likelihood is within chi2(1)/2 of the maximum; see `Calibration.interval`"""
    level: float


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SpikeCalibration(Calibrated, StepFit):
    """A calibrated neuron with a likelihood of its spikes."""

    log_likelihood: float
    """nats, of probabilities in steps of dt"""
    bits_per_spike: float
    """of the fitted spikes, over a neuron with a constant probability; see `score`"""
    grid: Grid = field(default_factory=Grid)
    """cells of voltage and parts of a step of the likelihood; empty with escape noise"""

    def _head(self) -> list[str]:
        steps = sum(len(trial.o) for trial in self._trials)
        neuron, logs = type(self.model).__name__, f"{self.log_likelihood:.6g} nats"
        return [
            f"Calibration of {neuron}: {self.n_spikes} spikes in {steps} steps of {self.dt:g} s",
            f"log-likelihood {logs}, {self.bits_per_spike:.3g} bits per spike (of the fitted data)",
        ]

    def __repr__(self) -> str:
        """Head and table, and what tests the assumptions, of which white noise is one."""
        return super().__repr__() + (_WHITE if isinstance(self.noise, WhiteNoise) else _ANY)

    def _per_step(self, given: Arguments) -> PerStep:
        fit, trials = self._given(given)
        now, fitted = ([one.piece(self.dt) for one in some] for some in (trials, self._trials))
        logs, o = fit._steps(trials)[1:]
        return PerStep(logs, o, self.dt, fitted_warning(now, fitted, self.dt))

    def _silence(self, given: Arguments) -> tuple[np.ndarray, np.ndarray]:
        fit, trials = self._given(given)
        silence, _, o = fit._steps(trials)
        return silence, o

    def _tested(self, given: Arguments) -> tuple[list[Predicted], float, dict[str, str]]:
        fit, trials = self._given(given)
        return [fit._predicted(trial) for trial in trials], self.dt, neuron_cures(self._free.paths)

    def _given(self, given: Arguments) -> tuple[Any, list[Trial]]:
        """This fit with the signals and inputs of these arguments, and the trials."""
        trains, signal, inputs, t_start, t_stop = given
        if trains is None and inputs is not None:
            raise NsnnError("inputs without trains: expected the spikes of the neuron in the same trials")
        fit = self._under(signal, inputs)
        return fit, fit._read(trains, t_start, t_stop)

    def _under(self, signal: Any, inputs: Any) -> Any:
        """This fit with other signals, one or a list with that of each recording, and other inputs."""
        if not isinstance(signal, list | tuple):
            return self.under(signal, inputs=inputs)
        several = isinstance(self.stimulus, tuple)
        if several:
            one_for_each(signal, len(self.stimulus), "signal")
        each = [self.under(one, recording=k * several).stimulus for k, one in enumerate(signal)]
        return replace(self, stimulus=tuple(each)).under(None, inputs=inputs)

    def _predicted(self, trial: Trial) -> Predicted:
        """The probabilities of a trial and their derivatives by the free parameters."""
        free = replace(self._free, parts=(self.model, self.noise, self.stimulus, *self.inputs.values()))

        def at(u: np.ndarray) -> np.ndarray:
            return probabilities(free.numbers(free.values(u)), trial, self.dt, self.grid)

        error = np.nan_to_num(np.sqrt(np.diag(self._scaled)), nan=1.0, posinf=1.0)
        slopes = np.empty((len(trial.o), len(self._u)))
        for k, step in enumerate(np.diag(np.minimum(_STEP * error, 1e-3))):
            high, low = np.clip(self._u + step, 0.0, 1.0), np.clip(self._u - step, 0.0, 1.0)
            slopes[:, k] = (at(high) - at(low)) / (high - low)[k]
        stimulus = stimulus_of(trial, self.stimulus)
        n = len(trial.o)
        signal = np.zeros((n, 1)) if stimulus is None else stimulus.samples(n, self.dt).reshape(n, -1)
        q, rest = np.clip(at(self._u), 0.0, 1.0), None
        if (time := self.model.si("tau_refrac")) > 0 and "model.tau_refrac" not in free.paths:
            sooner = replace(self.model, tau_refrac=self.model.tau_refrac / 2)
            parts = sooner, self.noise, self.stimulus, *self.inputs.values()
            rest = time, probabilities(parts, trial, self.dt, self.grid)
        return of_chances(trial.o, q, slopes, signal, trial.counted, rest)

    def _read(self, trains: Any, t_start: Any, t_stop: Any) -> list[Trial]:
        """The trials of some spikes, or the fitted ones."""
        trials = self._trials
        if trains is None and not (t_start is None and t_stop is None):
            raise NsnnError(
                "t_start, t_stop: expected trains with them, or none of these for all fitted spikes"
            )
        if trains is not None:
            trials = read_recordings(trains, self.stimulus, self.dt, t_start, t_stop)
            trials = with_inputs(trials, self.inputs, self._n_recordings, self.dt)
        check_start(self.stimulus, trials, self.dt)
        return trials

    def _steps(self, trials: list[Trial]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """log(1 - q), log-likelihood and spikes of each step that counts, trials in line."""
        columns = []
        for trial in trials:
            counted = slice(*trial.counted)
            parts = self.model, self.noise, self.stimulus, *self.inputs.values()
            q = np.clip(probabilities(parts, trial, self.dt, self.grid), 0.0, 1 - 1e-12)[counted]
            o, silence = trial.o[counted], np.log1p(-q)
            columns.append((silence, np.where(o == 1, np.log(np.maximum(q, 1e-300)), silence), o))
        silence, logs, o = (np.concatenate(one) for one in zip(*columns, strict=True))
        return silence, logs, o


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Calibration(SpikeCalibration):
    """A neuron with the parameters that make recorded spikes most likely; see `calibrate`.

    `parameters`, `se` (from the observed information) and `covariance` are in SI (s, V).
    `print(fit)`, `table` and `interval` are in the units of the bounds.

    >>> from brian2 import Hz, ms, mV, second
    >>> from nsnn_neuro import Constant, EscapeNoise, ExponentialHazard, LIF, calibrate, simulate
    >>> potentials = {"v_rest": 0*mV, "v_reset": 0*mV, "v_thresh": 20*mV}
    >>> cell = LIF(tau_m=20*ms, tau_refrac=2*ms, **potentials)
    >>> noise, drive = EscapeNoise(hazard=ExponentialHazard(50*Hz, 3*mV)), Constant(19*mV)
    >>> block = simulate(cell, noise, drive, duration=4*second, seed=1, engine="numpy")
    >>> free = {"noise.hazard.rate": (5*Hz, 500*Hz)}
    >>> fit = calibrate(cell, free, noise=noise, stimulus=drive, trains=block)
    >>> round(fit.parameters["noise.hazard.rate"], 1), round(fit.se["noise.hazard.rate"], 1)
    (45.4, 6.2)
    >>> fit.rescaled().n == fit.n_spikes
    True
    """

    _scores: np.ndarray

    _LIMITS: ClassVar[str] = "fit.profile(name) has limits for all values within its bounds"

    def interval(
        self,
        level: float = 0.95,
        *,
        method: str = "profile",
        names: Sequence[str] | None = None,
        n_jobs: int = 1,
        progress: Progress = None,
    ) -> dict[str, tuple[Any, Any]]:
        """Confidence intervals by name, in the units of the bounds, as quantities of their package.

        A profile interval holds the values for which the log-likelihood, with the other parameters
        at their best, is less than chi2(1)/2 below its maximum. It takes about as long as the fit. A
        Wald interval costs nothing and takes the likelihood for a parabola. Intervals end at the
        bounds of the parameter, with a warning. A parameter without effect has (-inf, inf).

        level : confidence level
        method : "profile", or "wald": normal on the scale of the fit
        names : of some parameters only, which takes less time
        n_jobs : threads
        progress : as for `calibrate`

        Source: Venzon & Moolgavkar 1988, doi 10.2307/2347496
        """
        drop = _drop(level)
        if one_of(method, ("profile", "wald"), "method") == "wald":
            return super().interval(level, names=names)
        chosen, jobs = self._chosen(names), whole(n_jobs, 1, "n_jobs")
        with progress_bar(progress, "profile intervals") as report:
            return self._free.intervals(self._profiled(chosen, drop, jobs, report or (lambda _: None)))

    def _profiled(
        self, names: Sequence[str], drop: float, n_jobs: int, tell: Callable[[float], Any]
    ) -> dict[str, tuple[float, float]]:
        """Intervals of profiles, with warnings about those that a bound cuts off."""
        matter = self._matter
        limits, ends = {name: (-np.inf, np.inf) for name in names}, []
        profiler = self._profiler(n_jobs)
        for done, name in enumerate(names):
            k = self._index(name)
            if k in matter:
                place = int(np.flatnonzero(matter == k)[0])
                pair = [profiler.limit(place, sign, drop) for sign in (-1, 1)]
                ends += [(name, *one) for one in zip(("lower", "upper"), pair, strict=True)]
                low, high = (self._value(k, one.u) for one in pair)
                limits[name] = low, high
            tell((done + 1) / len(names))
        warn_limits(ends, self._up_to_data)
        return limits

    @property
    def _matter(self) -> np.ndarray:
        """The parameters with an effect."""
        return np.flatnonzero(~np.isposinf(np.diag(self._scaled)))

    @property
    def _up_to_data(self) -> list[str]:
        return up_to_data(self._free, self._trials, self.noise, self.dt)

    def _profiler(self, n_jobs: int) -> Profiler:
        """Limits of the parameters with an effect."""
        matter, u = self._matter, self._u
        return Profiler(held(self._logs(n_jobs), u, matter), u[matter], self._information())

    def _information(self) -> np.ndarray:
        """The observed information of parameters with an effect, or that of their scores."""
        inner = self._scaled[np.ix_(self._matter, self._matter)]
        if np.isfinite(inner).all():
            return np.asarray(np.linalg.inv(inner))
        scores = self._scores[:, self._matter]
        return np.asarray(scores.T @ scores)

    def _logs(self, n_jobs: int = 1) -> Callable[[np.ndarray], np.ndarray]:
        """Points (n, K) to log-likelihoods of stretches."""
        options = self._trials, self.dt, self.grid
        return lambda points: log_likelihoods(self._free.rows(points), *options, n_jobs=n_jobs)

    def profile(self, name: str, *, level: float = 0.95, n_values: int = 9) -> Profile:
        """The likelihood over one parameter, the others at their best for each value.

        Its interval is that of `interval`. The values reach 1.5 times as far from the maximum as
        the interval, within the bounds.

        name : one of `parameters`
        level : of the interval
        n_values : values on either side of the maximum, an odd number in all
        """
        free, k = self._free, self._index(name)
        n = whole(n_values, 3, "n_values", 101)
        interval = self._profiled([name], _drop(level), 1, lambda _: None)[name]
        top = float(self._u[k])
        ends = np.tile(free.values(self._u), (2, 1))
        ends[:, k] = interval
        limits = free.place(ends)[:, k]
        reach = np.where(np.isfinite(limits), 1.5 * np.abs(limits - top), 0.75)
        others = np.arange(len(free.names)) != k
        logs = {top: 0.0}
        for side, sign in enumerate((-1.0, 1.0)):
            point = self._u
            for step in range(1, n // 2 + 1):
                u = float(np.clip(top + sign * reach[side] * step / (n // 2), 0.0, 1.0))
                if u in logs:
                    break
                point = np.where(others, point, u)
                best = at_best(self._logs(), point, others, 12, 1e-3)
                point, logs[u] = best.u, best.value - self.log_likelihood
        places = sorted(logs)
        values = free.quantity(name, np.array([self._value(k, u) for u in places]))
        curve = np.array([logs[u] for u in places])
        return Profile(name, values, curve, free.intervals({name: interval})[name], level)

    def flat_bounds(self, n_jobs: int = 1) -> Calibration:
        """This fit with `flat`; a warning names bounds that 2 nats do not exclude."""
        if not self._matter.size:
            return self
        variance = np.diag(np.linalg.pinv(self._information()))
        profiler: Profiler | None = None
        flat = {}
        for place, k in enumerate(self._matter):
            u, one = self._u[k], self._free.each[k]
            for sign, side in ((-1, "lower"), (1, "upper")):
                way = u if sign < 0 else 1 - u
                edge = not 0 < u < 1
                if not way or (not edge and way**2 / 2 > _FAR * variance[place]):
                    continue
                profiler = profiler or self._profiler(n_jobs)
                end = profiler.limit(place, sign, _FLAT)
                if end.at_bound:
                    flat[one.name] = "flat over all of its bounds" if edge else f"flat up to its {side} bound"
                elif edge and abs(end.u - u) > _WIDE:  # else the likelihood rises up to the bound
                    size, unit, _ = one.shown
                    where = "down" if sign < 0 else "up"
                    flat[one.name] = f"flat {where} to {self._value(k, end.u) / size:.3g} {unit}".rstrip()
        warn_flat(flat, self._up_to_data)
        return replace(self, flat=flat)

    def _value(self, k: int, u: float) -> float:
        """The value in SI of parameter k at a place from 0 to 1."""
        return float(self._free.values(np.full(len(self._u), u))[k])


def _drop(level: float) -> float:
    """Nats below the maximum at the ends of an interval."""
    return float(chi2.ppf(check_level(level), 1)) / 2

"""`Calibration`: the result of `calibrate`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import neo
import numpy as np
import pandas as pd
from scipy.stats import chi2, norm

from ...core.checks import check_seed, one_of, whole
from ...core.errors import NsnnError
from ...core.progress import progress_bar
from ...measures import Estimate
from ..bits_per_spike import bits_per_spike
from ..continuous.cells import Grid
from ..continuous.conditional import check_start, log_likelihoods, probabilities
from ..continuous.trials import Trial, read_recordings
from ..per_step import PerStep
from ..time_rescaling import Rescaled, rescale
from .free_parameters import FreeParameters
from .limits import Profiler
from .maximise import Ascent, Function, climb
from .undetermined import warn_flat, warn_limits

_FLAT = 2.0  # nats: a fall that is none
_WIDE = 0.1  # of the range: a stretch from a bound in which the likelihood is flat
_FAR = 8.0  # nats that a parabola falls up to a bound which is not worth a search


@dataclass(frozen=True, eq=False)
class Profile:
    """The likelihood over one parameter, the others at their best for each value; from `Calibration.profile`.

    >>> import numpy as np
    >>> Profile("tau_m", np.array([0.01, 0.02, 0.03]), np.array([-3.0, 0.0, -2.5]), (0.014, 0.028), 0.95).values[1].item()
    0.02
    """

    name: str
    values: Any
    """(n,) of the parameter, in the unit of its bounds"""
    log_likelihood: np.ndarray
    """(n,) relative to the maximum, nats"""
    interval: tuple[Any, Any]
    """the values whose log-likelihood is within chi2(1)/2 of the maximum; see `Calibration.interval`"""
    level: float


@dataclass(frozen=True, eq=False)
class Calibration:
    """A neuron with the parameters that make recorded spikes most likely, with errors; see `calibrate`.

    `parameters`, `se` and `covariance` are in SI (s, V). `print(fit)`, `table` and `interval` are in the units of the bounds.

    >>> from brian2 import Hz, ms, mV, second
    >>> from nsnn_neuro import Constant, EscapeNoise, ExponentialHazard, LIF, calibrate, simulate
    >>> cell = LIF(tau_m=20*ms, v_rest=0*mV, v_reset=0*mV, v_thresh=20*mV, tau_refrac=2*ms)
    >>> noise = EscapeNoise(hazard=ExponentialHazard(50*Hz, 3*mV))
    >>> block = simulate(cell, noise, Constant(19*mV), duration=4*second, seed=1, engine="numpy")
    >>> fit = calibrate(cell, {"noise.hazard.rate": (5*Hz, 500*Hz)}, noise=noise, stimulus=Constant(19*mV), trains=block)
    >>> round(fit.parameters["noise.hazard.rate"], 1), round(fit.se["noise.hazard.rate"], 1)
    (45.4, 6.2)
    >>> fit.rescaled().n == fit.n_spikes
    True
    """

    model: Any
    """the neuron, with its calibrated parameters"""
    noise: Any
    stimulus: Any
    """a tuple of stimuli for several recordings"""
    parameters: dict[str, float]
    se: dict[str, float]
    """standard errors, from the observed information; inf for a parameter without effect, NaN for one at a bound"""
    covariance: np.ndarray
    """(n_parameters, n_parameters); NaN in rows of parameters at a bound"""
    log_likelihood: float
    """nats, of probabilities in steps of dt"""
    bits_per_spike: float
    """of the fitted spikes, over a neuron with a constant probability; see `score`"""
    n_spikes: int
    dt: float
    """s"""
    grid: Grid
    """cells of voltage and parts of a step of the likelihood; empty with escape noise"""
    _free: FreeParameters = field(repr=False)
    _ascent: Ascent = field(repr=False)
    _scaled: np.ndarray = field(repr=False)
    _trials: list[Trial] = field(repr=False)
    flat: dict[str, str] = field(default_factory=dict, kw_only=True, repr=False)
    """by name, where the profile likelihood falls by less than 2 nats up to a bound, or from a bound"""

    def __repr__(self) -> str:
        """A row for each parameter, in the unit of its bounds."""
        steps = sum(len(trial.o) for trial in self._trials)
        lines = [
            f"Calibration of {type(self.model).__name__}: {self.n_spikes} spikes in {steps} steps of {self.dt:g} s",
            f"log-likelihood {self.log_likelihood:.6g} nats, {self.bits_per_spike:.3g} bits per spike (of the fitted data)",
            *self._free.lines(self.table, self._LIMITS),
        ]
        return "\n".join(lines)

    _LIMITS: ClassVar[str] = "fit.profile(name) has limits for all values within its bounds"

    @property
    def table(self) -> pd.DataFrame:
        """A row for each parameter: value, se, lower and upper bound in their unit; note.

        The note of a parameter at a bound says so; those of the others are then "conditional", as their errors hold only if its
        value is the bound. It also says where the likelihood is flat up to a bound (`flat`).
        """
        return self._free.table(self.parameters, self.se, self.flat)

    def interval(
        self,
        level: float = 0.95,
        *,
        method: str = "profile",
        names: Sequence[str] | None = None,
        n_jobs: int = 1,
        progress: Any = None,
    ) -> dict[str, tuple[Any, Any]]:
        """Confidence intervals by name, in the units of the bounds: quantities of the same package, Brian2 or quantities.

        A profile interval holds the values for which the log-likelihood, with the other parameters at their best, is less than
        chi2(1)/2 below its maximum. It follows ridges of the likelihood, and takes about as long as the fit. A Wald interval costs
        nothing and takes the likelihood for a parabola, which it is with many spikes only.

        level : confidence level
        method : "profile", or "wald": normal on the scale of the fit, which is logarithmic for bounds a factor of 5 apart
        names : of some parameters only, which takes less time
        n_jobs : threads
        progress : as for `calibrate`

        Intervals end at the bounds of the parameter; a warning names the profiles that have not ended there. A parameter without
        effect has (-inf, inf). A Wald interval of a parameter at a bound is its whole range. With bounds from Brian2 `low / ms` is
        a number, and `float(low)` is in SI.

        Source: Venzon & Moolgavkar 1988, doi 10.2307/2347496
        """
        drop = float(chi2.ppf(_level(level), 1)) / 2
        one_of(method, ("profile", "wald"), "method")
        chosen = self._free.names if names is None else tuple(names)
        for name in chosen:
            self._index(name)
        if method == "wald":
            return self._free.intervals({name: self._wald(level)[name] for name in chosen})
        with progress_bar(progress, "profile intervals") as report:
            return self._free.intervals(
                self._profiled(chosen, drop, whole(n_jobs, 1, "n_jobs"), report or (lambda _: None))
            )

    def _wald(self, level: float) -> dict[str, tuple[float, float]]:
        """Intervals from standard errors."""
        z = self._quantile(0.5 + _level(level) / 2)
        free, u = self._free, self._ascent.u
        error = np.sqrt(np.diag(self._scaled))
        wide = np.where(np.isfinite(error), error, np.inf)
        low, high = (free.values(np.clip(u + sign * z * wide, 0.0, 1.0)) for sign in (-1, 1))
        low, high = np.where(np.isposinf(error), -np.inf, low), np.where(np.isposinf(error), np.inf, high)
        return {name: (float(low[k]), float(high[k])) for k, name in enumerate(free.names)}

    def _profiled(
        self, names: Sequence[str], drop: float, n_jobs: int, tell: Callable[[float], Any]
    ) -> dict[str, tuple[float, float]]:
        """Intervals of profiles, with warnings about those that a bound cuts off."""
        free = self._free
        idle = np.isposinf(np.diag(self._scaled))
        matter = np.flatnonzero(~idle)
        found, ends = {name: (-np.inf, np.inf) for name in names}, []
        profiler = Profiler(self._of_those(matter, n_jobs), self._ascent.u[matter], self._information(matter))
        for done, name in enumerate(names):
            k = self._index(name)
            if not idle[k]:
                place = int(np.flatnonzero(matter == k)[0])
                pair = [profiler.limit(place, sign, drop) for sign in (-1, 1)]
                ends += [(name, *one) for one in zip(("lower", "upper"), pair, strict=True)]
                low, high = (float(free.values(self._with(k, one.u))[k]) for one in pair)
                found[name] = low, high
            tell((done + 1) / len(names))
        warn_limits(ends)
        return found

    def _information(self, matter: np.ndarray) -> np.ndarray:
        """The observed information of these parameters; that of the scores where some of them are at a bound."""
        assert self._ascent.scores is not None
        inner = self._scaled[np.ix_(matter, matter)]
        if np.isfinite(inner).all():
            return np.asarray(np.linalg.inv(inner))
        scores = self._ascent.scores[:, matter]
        return np.asarray(scores.T @ scores)

    def _of_those(self, some: np.ndarray, n_jobs: int) -> Function:
        """The log-likelihood of stretches as a function of some parameters, the others as they are."""

        def function(points: np.ndarray) -> np.ndarray:
            rows = np.tile(self._ascent.u, (len(points), 1))
            rows[:, some] = points
            parts = [self._free.numbers(values) for values in self._free.values(rows, within=False)]
            return log_likelihoods(parts, self._trials, self.dt, self.grid, n_jobs=n_jobs)

        return function

    def _index(self, name: str) -> int:
        if name not in self._free.names:
            raise NsnnError(f"name = {name!r}: expected one of {', '.join(self._free.names)}")
        return self._free.names.index(name)

    def _quantile(self, upper: float) -> np.ndarray:
        """How many standard errors are below a fraction of the distribution of each estimate, (K,) or a number."""
        return np.asarray(norm.ppf(upper))

    def profile(self, name: str, *, level: float = 0.95, n_values: int = 9) -> Profile:
        """The likelihood as a function of one parameter, with the others at their best for each value.

        Its interval is that of `interval`. The values reach 1.5 times as far from the maximum as the interval, within the bounds.

        name : one of `parameters`
        level : of the interval
        n_values : values on either side of the maximum, an odd number in all
        """
        free, k = self._free, self._index(name)
        n = whole(n_values, 3, "n_values", 101)
        interval = self._profiled([name], float(chi2.ppf(_level(level), 1)) / 2, 1, lambda _: None)[name]
        top = self._ascent.u[k]
        limits = np.array([self._place(k, value) if np.isfinite(value) else np.nan for value in interval])
        reach = np.where(np.isfinite(limits), 1.5 * np.abs(limits - top), 0.75)
        others = np.array([j for j in range(len(free.names)) if j != k], dtype=int)
        found = {float(top): 0.0}
        for side, sign in enumerate((-1.0, 1.0)):
            at = self._ascent.u.copy()
            for step in range(1, n // 2 + 1):
                u = float(np.clip(top + sign * reach[side] * step / (n // 2), 0.0, 1.0))
                if u in found:
                    break
                at, value = self._best_others(at, k, u, others)
                found[u] = value - self.log_likelihood
        place = np.array(sorted(found))
        logs = np.array([found[u] for u in place])
        values = np.array([free.values(self._with(k, u))[k] for u in place])
        return Profile(name, free.quantity(name, values), logs, free.intervals({name: interval})[name], level)

    def flat_bounds(self, n_jobs: int = 1) -> Calibration:
        """This fit with `flat`: bounds that the profile likelihood does not exclude by 2 nats; a warning names them."""
        free, at = self._free, self._ascent
        matter = np.flatnonzero(~np.isposinf(np.diag(self._scaled)))
        if not len(matter):
            return self
        information = self._information(matter)
        variance = np.diag(np.linalg.pinv(information))
        profiler: Profiler | None = None
        flat = {}
        for place, k in enumerate(matter):
            for sign, side in ((-1, "lower"), (1, "upper")):
                way = at.u[k] if sign < 0 else 1 - at.u[k]
                edge = not 0 < at.u[k] < 1
                if not way or (not edge and way**2 / 2 > _FAR * variance[place]):
                    continue
                profiler = profiler or Profiler(self._of_those(matter, n_jobs), at.u[matter], information)
                end = profiler.limit(place, sign, _FLAT)
                if end.at_bound:
                    flat[free.names[k]] = (
                        "flat over all of its bounds" if edge else f"flat up to its {side} bound"
                    )
                elif edge and abs(end.u - at.u[k]) > _WIDE:  # else the likelihood rises up to the bound
                    size, unit, _ = free.shown[k]
                    flat[free.names[k]] = (
                        f"flat up to {free.values(self._with(k, end.u))[k] / size:.3g} {unit}".rstrip()
                    )
        warn_flat(flat)
        return replace(self, flat=flat)

    def _place(self, k: int, value: float) -> float:
        """The place from 0 to 1 of a value of parameter k."""
        values = self._free.values(self._ascent.u)
        values[k] = value
        return float(self._free.place(values)[k])

    def _with(self, k: int, u: float) -> np.ndarray:
        point = self._ascent.u.copy()
        point[k] = u
        return point

    def _best_others(
        self, start: np.ndarray, k: int, u: float, others: np.ndarray
    ) -> tuple[np.ndarray, float]:
        """The best point with parameter k at u, and its log-likelihood."""
        full = start.copy()
        full[k] = u

        def function(points: np.ndarray) -> np.ndarray:
            rows = np.tile(full, (len(points), 1))
            rows[:, others] = points
            return self._logs(rows)

        if not others.size:
            return full, float(self._logs(full[None]).sum())
        ascent = climb(function, Ascent(full[others].copy()), 12, 1e-3)
        full[others] = ascent.u
        return full, ascent.value

    def _logs(self, points: np.ndarray) -> np.ndarray:
        rows = [self._free.numbers(values) for values in self._free.values(points)]
        return log_likelihoods(rows, self._trials, self.dt, self.grid)

    def under(self, signal: Any, *, recording: int = 0) -> Calibration:
        """The same neuron with another signal in its `Filtered` or `Recorded` stimulus, to score or simulate; None: this fit.

        The gain holds for the unit of the fitted signal: a signal in another unit of the same kind is converted.

        recording : with several recordings, the number of the one whose stimulus is taken

        NsnnError : a stimulus without a signal, a signal of another kind
        """
        if signal is None:
            return self
        several = self.stimulus if isinstance(self.stimulus, tuple) else (self.stimulus,)
        own = several[whole(recording, 0, "recording", len(several) - 1)]
        if not hasattr(own, "signal"):
            raise NsnnError(
                f"signal: the fit has the stimulus {type(own).__name__}, which has no signal to replace; leave signal out, or pass "
                "any stimulus to simulate(fit.model, fit.noise, stimulus, duration=...)"
            )
        if isinstance(signal, neo.AnalogSignal) and signal.units != own.signal.units:
            try:
                signal = signal.rescale(own.signal.units)
            except ValueError:
                raise NsnnError(
                    f"signal is in {signal.dimensionality}: expected a unit such as {own.signal.dimensionality}, that of the "
                    "fitted signal, for which the gain holds"
                ) from None
        return replace(self, stimulus=replace(own, signal=signal))

    def score(self, trains: Any, signal: Any = None, *, t_start: Any = None, t_stop: Any = None) -> Estimate:
        """Bits per spike of these data over a homogeneous neuron, (log2 P(spikes) - log2 P0(spikes)) / n_spikes, in steps of dt.

        Pass spikes that were not fitted, such as those after the fit's t_stop. P0 is a neuron with the mean spike probability of
        *these* data. `se` is over 20 consecutive parts.

        trains, t_start, t_stop : as for `calibrate`; of several recordings a list of as many
        signal : of other data of one recording, in place of that of the fit's `Filtered` or `Recorded` stimulus; None: the stimulus
            of the fit, which has to last as long
        """
        steps = self.per_step(trains, signal, t_start=t_start, t_stop=t_stop)
        return bits_per_spike(steps.log_likelihood, steps.o)

    takes = ()

    def per_step(
        self, trains: Any, signal: Any = None, *, t_start: Any = None, t_stop: Any = None
    ) -> PerStep:
        """The log-likelihood of each step, trials in line; arguments as of `score`."""
        logs, o = self.under(signal)._steps(trains, t_start, t_stop)[1:]
        return PerStep(logs, o, self.dt)

    def evaluate(self, trains: Any, signal: Any = None, **options: Any) -> dict[str, float]:
        """`score` as a dict: bits_per_spike and its standard error se."""
        estimate = self.score(trains, signal, **options)
        return {"bits_per_spike": estimate.value, "se": estimate.se}

    def rescaled(
        self,
        trains: Any = None,
        signal: Any = None,
        *,
        t_start: Any = None,
        t_stop: Any = None,
        seed: int = 0,
    ) -> Rescaled:
        """Time-rescaling test of these spikes (None: the fitted ones); p is uniform for spikes of the model that were not fitted.

        Source: Brown et al. 2002, doi 10.1162/08997660252741149; Haslinger et al. 2010, doi 10.1162/NECO_a_00015
        """
        silence, _, o = self.under(signal)._steps(trains, t_start, t_stop)
        return rescale(silence, o, check_seed(seed))

    def _steps(self, trains: Any, t_start: Any, t_stop: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """log(1 - q), log-likelihood and spikes of each step that counts, trials in line."""
        trials = (
            self._trials
            if trains is None
            else read_recordings(trains, self.stimulus, self.dt, t_start, t_stop)
        )
        check_start(self.stimulus, trials, self.dt)
        parts = self.model, self.noise, self.stimulus
        found = []
        for trial in trials:
            q = np.clip(probabilities(parts, trial, self.dt, self.grid), 0.0, 1 - 1e-12)
            own = slice(*trial.counted)
            o = trial.o[own]
            logs = np.where(o == 1, np.log(np.maximum(q[own], 1e-300)), np.log1p(-q[own]))
            found.append((np.log1p(-q[own]), logs, o))
        silence, logs, o = (np.concatenate(one) for one in zip(*found, strict=True))
        return silence, logs, o

    def simulate(
        self,
        signal: Any = None,
        *,
        trials: int = 1,
        seed: int = 0,
        duration: Any = None,
        engine: str | None = None,
        recording: int = 0,
    ) -> neo.Block:
        """Simulate the calibrated neuron under its stimulus, or another `signal` in it (see `score`).

        `duration` is that of the longest fitted trial by default, or that of `signal`. With a stimulus of another kind call
        `simulate(fit.model, fit.noise, stimulus, duration=...)`.

        recording : with several recordings, the number of the one whose stimulus is taken
        """
        if signal is not None:
            of_signal = self.under(signal, recording=recording)
            span = signal.t_stop - signal.t_start
            return of_signal.simulate(
                trials=trials, seed=seed, duration=span if duration is None else duration, engine=engine
            )
        from brian2 import second

        from ...brian.simulate import simulate

        several = self.stimulus if isinstance(self.stimulus, tuple) else (self.stimulus,)
        k = whole(recording, 0, "recording", len(several) - 1)
        longest = max(len(trial.o) for trial in self._trials if trial.recording == k) * self.dt * second
        options: dict[str, Any] = {} if engine is None else {"engine": engine}
        return simulate(
            self.model,
            self.noise,
            several[k],
            trials=trials,
            duration=longest if duration is None else duration,
            dt=self.dt * second,
            seed=seed,
            **options,
        )


def _level(level: Any) -> float:
    if not isinstance(level, int | float) or not 0 < level < 1:
        raise NsnnError(f"level = {level}: expected a number between 0 and 1")
    return float(level)

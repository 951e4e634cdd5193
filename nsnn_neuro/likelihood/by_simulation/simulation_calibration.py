"""`SimulationCalibration`: the result of `calibrate(..., method="simulation")`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import neo
import numpy as np
import pandas as pd
from scipy.stats import f as f_distribution
from scipy.stats import norm

from ...core.checks import check_seed, positive
from ...core.errors import NsnnError
from .runs import Runs
from .search import OTHERS, Scored

_AT_ONCE = 500  # recordings of `simulator` in a run


@dataclass(frozen=True, eq=False)
class SimulationCalibration:
    """A neuron whose simulated spikes have the statistics of recorded ones, with errors; see `calibrate`.

    Parameters are in SI (s, V); `print(fit)`, `table` and `interval` are in the units of the bounds. `fit.statistics` compares
    statistic by statistic. It has no likelihood of the spikes, so that scores and profiles are those of `method="likelihood"` only.

    >>> from brian2 import ms, mV, second
    >>> from nsnn_neuro import Constant, LIF, OUNoise, calibrate, simulate
    >>> cell = LIF(tau_m=10*ms, v_rest=0*mV, v_reset=10*mV, v_thresh=20*mV, tau_refrac=2*ms)
    >>> block = simulate(cell, OUNoise(4*mV, 10*ms), Constant(19*mV), trials=5, duration=300*ms, dt=1*ms, seed=1, engine="numpy")
    >>> fit = calibrate(cell, {"noise.sigma": (1*mV, 20*mV)}, noise=OUNoise(3*mV, 10*ms), stimulus=Constant(19*mV), trains=block,
    ...                 dt=1*ms, method="simulation", n_simulations=30, n_generations=1, engine="numpy")
    >>> abs(fit.parameters["noise.sigma"] - 0.004) < 2 * fit.se["noise.sigma"], fit.p > 0.01
    (True, True)
    """

    model: Any
    """the neuron, with its calibrated parameters"""
    noise: Any
    stimulus: Any
    parameters: dict[str, float]
    se: dict[str, float]
    """standard errors; inf for a parameter without effect, NaN for one at a bound"""
    covariance: np.ndarray
    """(n_parameters, n_parameters); NaN in rows of parameters at a bound"""
    n_spikes: int
    dt: float
    """s"""
    n_runs: int
    """recordings that were simulated"""
    _u: np.ndarray = field(repr=False)
    _scaled: np.ndarray = field(repr=False)
    _target: np.ndarray = field(repr=False)
    _mean: np.ndarray = field(repr=False)
    _scored: Scored = field(repr=False)
    _runs: Runs = field(repr=False)

    def __repr__(self) -> str:
        """A row for each parameter, in the unit of its bounds."""
        duration, number = self._runs.statistics.duration, int(self._scored.used.sum())
        lines = [
            f"Calibration of {type(self.model).__name__} by simulation: {self.n_spikes} spikes in {duration:g} s",
            f"{number} statistics, chi2 {self.chi2:.3g}, p = {self.p:.2g}; {self.n_runs} simulated recordings",
            *self._runs.free.lines(self.table, "widen its bounds, or take it out of free"),
        ]
        return "\n".join(lines)

    @property
    def table(self) -> pd.DataFrame:
        """A row for each parameter: value, se, lower and upper bound in their unit; note, see `Calibration.table`."""
        return self._runs.free.table(self.parameters, self.se)

    @property
    def chi2(self) -> float:
        """Squared distance between the statistics of the recording and of the fit, in units of their covariance."""
        used = self._scored.used
        return self._scored.distance((self._target - self._mean)[used]) / (1 + 1 / self._scored.n_simulations)

    @property
    def p(self) -> float:
        """Probability of at least this `chi2` if the model is true: small where it cannot have these statistics (Hansen's test).

        From the F distribution of Hotelling's statistic, as the covariance is estimated too. NaN with as many parameters as
        statistics.

        Source: Hansen 1982, doi 10.2307/1912775
        """
        m, used = self._scored.n_simulations, int(self._scored.used.sum())
        p = used - int(np.isfinite(np.diag(self._scaled)).sum())
        if p < 1:
            return float("nan")
        raw = self.chi2 * (m - 1) / (m - used - 2)  # without the factor of the inverse covariance
        return float(f_distribution.sf(raw * (m - p) / (p * (m - 1)), p, m - p))

    @property
    def statistics(self) -> pd.DataFrame:
        """The statistics of the recording and of the fit: columns recorded, simulated, sd (of a recording) and z."""
        sd = np.full(len(self._target), np.nan)
        sd[self._scored.used] = np.sqrt(np.diag(self._scored.covariance))
        z = (self._target - self._mean) / sd
        columns = {"recorded": self._target, "simulated": self._mean, "sd": sd, "z": z}
        return pd.DataFrame(columns, index=list(self._runs.statistics.names))

    def interval(self, level: float = 0.95) -> dict[str, tuple[Any, Any]]:
        """Confidence intervals by name, in the units of the bounds.

        They are normal on the scale of the fit, which is logarithmic for bounds a factor of 5 apart.
        They end at the bounds of the parameter; a parameter at a bound or without effect has the whole range.
        """
        if not isinstance(level, int | float) or not 0 < level < 1:
            raise NsnnError(f"level = {level}: expected a number between 0 and 1")
        z = float(norm.ppf(0.5 + level / 2))
        free, error = self._runs.free, np.sqrt(np.diag(self._scaled))
        error = np.where(np.isfinite(error), error, np.inf)
        low, high = (free.values(np.clip(self._u + sign * z * error, 0.0, 1.0)) for sign in (-1, 1))
        return free.intervals({name: (float(low[k]), float(high[k])) for k, name in enumerate(free.names)})

    takes = ()

    def simulate(
        self, *, trials: int = 1, seed: int = 0, duration: Any = None, engine: str | None = None
    ) -> neo.Block:
        """Simulate the calibrated neuron under its stimulus; `duration` is that of the longest fitted trial by default."""
        from brian2 import second

        from ...brian.simulate import simulate

        return simulate(
            self.model,
            self.noise,
            self.stimulus,
            trials=trials,
            duration=self._runs.n_steps * self.dt * second if duration is None else duration,
            dt=self.dt * second,
            seed=seed,
            engine=engine or self._runs.engine,
        )

    def prior(self, reach: float | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds (K,) of `simulator`'s theta, 0 and 1 for each free parameter; `values` converts theta to SI.

        reach : only as far from the fit as this number of standard errors, on the scale of theta. A density that is learned from
            few simulations is then that of the region that matters
        """
        n = len(self._runs.free.names)
        if reach is None:
            return np.zeros(n), np.ones(n)
        far = positive(reach, "1", "reach") * np.sqrt(np.diag(self._scaled))
        far = np.where(np.isfinite(far), far, 1.0)
        return np.clip(self._u - far, 0.0, 1.0), np.clip(self._u + far, 0.0, 1.0)

    def values(self, theta: Any) -> np.ndarray:
        """Parameters in SI, (n, K), in the order of `parameters`, of theta (n, K) from 0 at the lower bound to 1 at the upper one.

        The scale is logarithmic for bounds that are positive and a factor of 5 apart, else linear.
        """
        return self._runs.free.values(self._thetas(theta))

    def simulator(self, *, seed: int = 0) -> Callable[[Any], Any]:
        """A function of theta (n, K) that simulates a recording for each row and returns its statistics (n, S), for `sbi`.

        theta is from 0 to 1 (see `prior` and `values`). The statistics are those of `statistics`, minus those of the recording,
        divided by their standard deviation at the fit: the recording itself has S zeros. Each row has its own noise, and each call
        of the function as well. A torch tensor gives a tensor.

        Source: Tejero-Cantero et al. 2020, doi 10.21105/joss.02505 (sbi)
        """
        runs = replace(self._runs, seed=check_seed(seed), out=None)
        used = self._scored.used
        sd = np.sqrt(np.diag(self._scored.covariance))
        done = OTHERS

        def simulated(theta: Any) -> Any:
            nonlocal done
            points = self._thetas(theta)
            numbers = np.arange(done, done + len(points))
            done += len(points)
            parts = [
                runs(points[k : k + _AT_ONCE], 1, numbers[k : k + _AT_ONCE].tolist())[:, 0]
                for k in range(0, len(points), _AT_ONCE)
            ]
            scaled = (np.concatenate(parts)[:, used] - self._target[used]) / sd
            return theta.new_tensor(scaled) if hasattr(theta, "new_tensor") else scaled

        return simulated

    def _thetas(self, theta: Any) -> np.ndarray:
        points = np.asarray(theta, dtype=float)
        n = len(self._runs.free.names)
        if points.ndim != 2 or points.shape[1] != n or not ((points >= 0) & (points <= 1)).all():
            raise NsnnError(
                f"theta has shape {points.shape}: expected (n, {n}), one column for each free parameter, with values from 0 to 1"
            )
        return points

    def score(self, *args: Any, **options: Any) -> NoReturn:
        """NsnnError : this fit has no likelihood; it says what to use instead."""
        self._none(
            "score",
            "compare its simulated spikes with the recording by likelihood.compare_models",
        )

    def evaluate(self, *args: Any, **options: Any) -> NoReturn:
        """NsnnError : as `score`."""
        self._none("evaluate", "use fit.statistics")

    def rescaled(self, *args: Any, **options: Any) -> NoReturn:
        """NsnnError : this fit has no likelihood; it says what to use instead."""
        self._none("rescaled", "use fit.p, the test of the statistics")

    def profile(self, *args: Any, **options: Any) -> NoReturn:
        """NsnnError : this fit has no likelihood; it says what to use instead."""
        self._none("profile", "use fit.interval()")

    def _none(self, name: str, cure: str) -> NoReturn:
        raise NsnnError(
            f'{name}: a calibration with method="simulation" has no likelihood of the spikes; {cure}'
            ', or fit with method="likelihood" where the neuron has one'
        )

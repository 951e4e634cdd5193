"""`SimulationCalibration`: the result of `calibrate(..., method="simulation")`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy.stats import chi2
from scipy.stats import f as f_distribution

from ...core.checks import check_seed, one_of, positive
from ...core.errors import NsnnError
from ..calibration.calibrated import Calibrated
from ..calibration.limits import Limit
from ..calibration.undetermined import warn_limits
from ..scores import check_level
from .regression import Surface
from .runs import Runs

_AT_ONCE = 500  # recordings of `simulator` in a run
_WITHOUT = (
    'a calibration with method="simulation" has no likelihood of the spikes, use fit.p, fit.statistics, fit.interval() or '
    'likelihood.compare_models, or method="likelihood"'
)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SimulationCalibration(Calibrated):
    """A neuron whose simulated spikes have the statistics of recorded ones; see `calibrate`.

    Parameters are in SI (s, V); `print(fit)`, `table` and `interval` are in the units of the
    bounds. `fit.statistics` compares statistic by statistic. Scores and profiles are those of
    method="likelihood" only, as this fit has no likelihood of the spikes.

    >>> from brian2 import ms, mV, second
    >>> from nsnn_neuro import Constant, LIF, OUNoise, calibrate, simulate
    >>> potentials = {"v_rest": 0*mV, "v_reset": 10*mV, "v_thresh": 20*mV}
    >>> cell, drive = LIF(tau_m=10*ms, tau_refrac=2*ms, **potentials), Constant(19*mV)
    >>> options, true = {"dt": 1*ms, "engine": "numpy"}, OUNoise(4*mV, 10*ms)
    >>> block = simulate(cell, true, drive, trials=5, duration=300*ms, seed=1, **options)
    >>> free, start = {"noise.sigma": (1*mV, 20*mV)}, OUNoise(3*mV, 10*ms)
    >>> fit = calibrate(cell, free, noise=start, stimulus=drive, trains=block, method="simulation",
    ...                 n_simulations=50, **options)
    >>> abs(fit.parameters["noise.sigma"] - 0.004) < 2 * fit.se["noise.sigma"], fit.p > 0.01
    (True, True)
    """

    n_runs: int
    """recordings that were simulated"""
    confirmed: bool
    """whether the last simulations changed neither the estimate nor its errors"""
    _target: np.ndarray
    _surface: Surface
    _runs: Runs

    absent: ClassVar[dict[str, str]] = dict.fromkeys(
        ("score", "evaluate", "rescaled", "misfit", "profile"), _WITHOUT
    )

    def _head(self) -> list[str]:
        duration, number = self._runs.statistics.duration, int(self._surface.used.sum())
        said = "" if self.confirmed else ", and more would still change the estimate: raise n_simulations"
        return [
            f"Calibration of {type(self.model).__name__} by simulation: {self.n_spikes} spikes in {duration:g} s",
            f"{number} statistics, chi2 {self.chi2:.3g}, p = {self.p:.2g}; {self.n_runs} simulated recordings{said}",
        ]

    def interval(
        self, level: float = 0.95, *, method: str = "profile", names: Sequence[str] | None = None
    ) -> dict[str, tuple[Any, Any]]:
        """Confidence intervals by name, in the units of the bounds.

        A profile interval holds the values for which chi2, with the other parameters at their best, is
        less than a quantile of chi2(1) above its minimum, on the surface of second order that describes
        the simulations. It ends at the bounds of the parameter, with a warning.

        level : confidence level
        method : "profile", or "wald": normal on the scale of the fit
        names : of some parameters only
        """
        if one_of(method, ("profile", "wald"), "method") == "wald":
            return super().interval(level, names=names)
        rise = float(chi2.ppf(check_level(level), 1))
        ends: list[tuple[str, str, Limit]] = []
        limits: dict[str, tuple[float, float]] = {}
        seen, without_noise = self._surface.information(self._u)[0], self._surface.known(self._u)[0]
        wider = np.diag(np.linalg.pinv(without_noise)) / np.diag(np.linalg.pinv(seen))
        for name in self._chosen(names):
            k, (low, high) = self._index(name), (0.0, 1.0)
            if not np.isposinf(self.se[name]):
                low, high = self._surface.limits(self._target, self._u, k, rise * wider[k])
                ends += [
                    (name, "lower", Limit(low, low == 0, 0.0)),
                    (name, "upper", Limit(high, high == 1, 0.0)),
                ]
            points = np.repeat([[low], [high]], len(self._u), axis=1)
            limits[name] = (float(self._free.values(points)[0, k]), float(self._free.values(points)[1, k]))
        warn_limits(ends)
        return self._free.intervals(limits)

    @property
    def chi2(self) -> float:
        """Squared distance of the recording's statistics to the fit's, by their covariance."""
        return float(self._surface.distance(self._u[None], self._target)[0])

    @property
    def p(self) -> float:
        """Probability of at least this `chi2` if the model is true (Hansen's test).

        It is small where the model cannot have these statistics. From the F distribution of
        Hotelling's statistic, as the covariance is estimated too. NaN with as many parameters as
        statistics.

        Source: Hansen 1982, doi 10.2307/1912775
        """
        m, used = self._surface.free + 1, int(self._surface.used.sum())
        p = used - int(np.isfinite(np.diag(self._scaled)).sum())
        if p < 1:
            return float("nan")
        raw = self.chi2 * (m - 1) / (m - used - 2)  # without the factor of the inverse covariance
        return float(f_distribution.sf(raw * (m - p) / (p * (m - 1)), p, m - p))

    @property
    def statistics(self) -> pd.DataFrame:
        """Statistics of recording and fit: recorded, simulated, sd (of a recording), z."""
        surface = self._surface
        sd = np.full(len(self._target), np.nan)
        sd[surface.used] = np.sqrt(np.diag(surface.covariance))
        mean = surface.mean(self._u[None])[0]
        z = (self._target - mean) / sd
        columns = {"recorded": self._target, "simulated": mean, "sd": sd, "z": z}
        return pd.DataFrame(columns, index=list(self._runs.statistics.names))

    def prior(self, reach: float | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds (K,) of `simulator`'s theta: 0 and 1 for each free parameter.

        reach : only as far from the fit as this number of standard errors, on the scale of theta. A
            density that is learned from few simulations is then that of the region that matters
        """
        n = len(self._u)
        if reach is None:
            return np.zeros(n), np.ones(n)
        far = positive(reach, "1", "reach") * np.sqrt(np.diag(self._scaled))
        far = np.where(np.isfinite(far), far, 1.0)
        return np.clip(self._u - far, 0.0, 1.0), np.clip(self._u + far, 0.0, 1.0)

    def values(self, theta: Any) -> np.ndarray:
        """Parameters in SI (n, K), in the order of `parameters`, of theta (n, K).

        theta is 0 at the lower and 1 at the upper bound, on a logarithmic scale for bounds that are
        positive and a factor of 5 apart.
        """
        return self._free.values(self._thetas(theta))

    def simulator(self, *, seed: int = 0) -> Callable[[Any], Any]:
        """A function of theta (n, K) that simulates a recording for each row, for `sbi`.

        It returns the statistics (n, S) of each, minus those of the recording, divided by their
        standard deviation at the fit: the recording itself has S zeros. theta is from 0 to 1 (see
        `prior` and `values`). Each row has its own noise, and each call of the function as well. A
        torch tensor gives a tensor.

        Source: Tejero-Cantero et al. 2020, doi 10.21105/joss.02505 (sbi)
        """
        runs = replace(self._runs, seed=check_seed(seed), out=None)
        used = self._surface.used
        sd = np.sqrt(np.diag(self._surface.covariance))
        done = 0

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
        points, n = np.asarray(theta, dtype=float), len(self._u)
        if points.ndim != 2 or points.shape[1] != n or not ((points >= 0) & (points <= 1)).all():
            raise NsnnError(
                f"theta has shape {points.shape}: expected (n, {n}), one column for each free parameter, from 0 to 1"
            )
        return points

"""The parameters whose simulated recordings have the statistics of a recording, with errors: docs/by_simulation.md.

1. Search: differential evolution maximises sum_k [-(s_k - m_k)^2 / (2 S_kk) - log(S_kk) / 2], from few recordings each.
2. Scoring: the step that minimises (s - m - J step)' S^-1 (s - m - J step) is repeated until it is short. J = dm/dtheta are
   differences over about one standard error, S is pooled over 2 K + 1 points. S^-1 has Hartlap's correction.

Source: Wood 2010, doi 10.1038/nature09319; McFadden 1989, doi 10.2307/1913621 (errors); Storn & Price 1997,
doi 10.1023/A:1008202821328; Hartlap, Simon & Schneider 2007, doi 10.1051/0004-6361:20066170
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import differential_evolution, lsq_linear
from scipy.stats.qmc import Sobol

from .runs import Report, Runs

_FLOOR = 0.3  # of standard deviations in the search, times one over the root of the number of spikes
_ROUNDS = 8
_SHORT = 0.5  # step in standard errors that ends the scoring
_WIDEST, _FINEST = 0.1, 2e-3  # half widths of differences
_REACH = 0.25  # longest step
_EQUAL = 1e-10  # variance of a statistic that is the same in all simulations
SEARCH, SCORING, OTHERS = 0, 1, 2
"""Numbers of the noise of a search, of the scoring, and the first one of later simulations."""


@dataclass(frozen=True, eq=False)
class Scoring:
    """Simulated recordings around a point, and the best step from there."""

    centre: np.ndarray  # (K,)
    step: np.ndarray  # (K,)
    used: np.ndarray  # (n_statistics,) bool: the statistics that vary
    mean: np.ndarray  # (n_statistics,) at the centre
    covariance: np.ndarray  # (n_used, n_used)
    slopes: np.ndarray  # (n_used, K)
    n_simulations: int

    @property
    def information(self) -> np.ndarray:
        """(K, K) J' S^-1 J, for the error of a single recording and this mean."""
        scaled = self._whitened(self.slopes)
        return np.asarray(scaled.T @ scaled / (1 + 1 / self.n_simulations))

    def distance(self, away: np.ndarray) -> float:
        """d' S^-1 d, of deviations (n_used,)."""
        return float((self._whitened(away[:, None]) ** 2).sum())

    def _whitened(self, columns: np.ndarray) -> np.ndarray:
        """S^(-1/2) columns, with Hartlap's factor."""
        n, p = self.n_simulations, len(self.covariance)
        factor = max((n - p - 2) / (n - 1), 1 / n)
        return np.sqrt(factor) * np.asarray(
            solve_triangular(cholesky(self.covariance, lower=True), columns, lower=True)
        )

    def best_step(self, target: np.ndarray) -> np.ndarray:
        """The step (K,) within bounds and _REACH that brings the mean closest to `target`."""
        away = self._whitened((target - self.mean)[self.used][:, None])[:, 0]
        low = np.maximum(-self.centre, -_REACH) - 1e-12
        high = np.minimum(1 - self.centre, _REACH) + 1e-12
        scaled = self._whitened(self.slopes)
        scaled = np.concatenate([scaled, 1e-6 * np.eye(len(low))])  # a parameter without effect stays
        return np.asarray(lsq_linear(scaled, np.append(away, np.zeros(len(low))), bounds=(low, high)).x)

    @property
    def errors(self) -> np.ndarray:
        """(K,) standard errors one by one, for steps of differences."""
        return np.asarray(1 / np.sqrt(np.maximum(np.diag(self.information), 1e-12)))


def synthetic_log_likelihood(simulated: np.ndarray, target: np.ndarray, n_spikes: int) -> np.ndarray:
    """(n,) of statistics (n, n_simulations, n_statistics), taken as independent."""
    variance = simulated.var(axis=1, ddof=1) + _FLOOR**2 / max(n_spikes, 1)
    away = (target - simulated.mean(axis=1)) ** 2 / variance
    return np.asarray(-0.5 * (away + np.log(variance)).sum(axis=1))


def search(
    runs: Runs,
    target: np.ndarray,
    n_spikes: int,
    *,
    n_simulations: int,
    n_generations: int,
    population: int,
    report: Report,
) -> np.ndarray:
    """The point (K,) with the largest synthetic likelihood, by differential evolution."""
    free = runs.free
    n = len(free.names)

    def loss(columns: np.ndarray) -> np.ndarray:
        points = np.clip(columns.T, 0.0, 1.0)
        simulated = runs(points, n_simulations, [SEARCH] * len(points), report)
        return -synthetic_log_likelihood(simulated, target, n_spikes)

    spread = Sobol(n, seed=runs.seed).random_base2(int(np.ceil(np.log2(population))))[:population]
    spread[0] = np.clip(free.start(), 0.0, 1.0)
    # the argument's name in this SciPy
    name = "rng" if "rng" in inspect.signature(differential_evolution).parameters else "seed"
    options: dict[str, Any] = {
        "maxiter": n_generations,
        "init": spread,
        "tol": 0.0,
        "atol": 1.0,
        name: runs.seed,
    }
    result = differential_evolution(
        loss, [(0.0, 1.0)] * n, polish=False, vectorized=True, updating="deferred", **options
    )
    return np.asarray(result.x)


def score(
    runs: Runs, target: np.ndarray, start: np.ndarray, *, n_simulations: int, report: Report
) -> Scoring:
    """Scoring steps from a point, the last one with all `n_simulations` recordings."""
    centre, width = start, np.full(len(start), 0.04)
    few = max(n_simulations // 4, min(n_simulations, 25))
    for k in range(_ROUNDS):
        at = _around(runs, target, centre, width, few, report)
        centre = np.clip(centre + at.step, 0.0, 1.0)
        width = np.clip(at.errors, _FINEST, _WIDEST)
        if k and np.all(np.abs(at.step) < _SHORT * at.errors):
            break
    return _around(runs, target, centre, width, n_simulations, report)


def _around(
    runs: Runs, target: np.ndarray, centre: np.ndarray, width: np.ndarray, n_simulations: int, report: Report
) -> Scoring:
    n = len(centre)
    points, diagonal = np.tile(centre, (2 * n + 1, 1)), np.arange(n)
    points[1 + diagonal, diagonal] = np.minimum(centre + width, 1.0)
    points[1 + n + diagonal, diagonal] = np.maximum(centre - width, 0.0)
    result = runs(points, n_simulations, [SCORING] * len(points), report)
    means = result.mean(axis=1)
    spread = (result - means[:, None]).reshape(-1, result.shape[2])
    covariance = spread.T @ spread / (len(points) * (n_simulations - 1))
    used = np.diag(covariance) > _EQUAL
    covariance = covariance[np.ix_(used, used)]
    covariance += 1e-9 * np.diag(np.diag(covariance))
    apart = points[1 + diagonal, diagonal] - points[1 + n + diagonal, diagonal]
    slopes = ((means[1 : n + 1] - means[n + 1 :]) / apart[:, None]).T[used]
    at = Scoring(centre, np.zeros(n), used, means[0], covariance, slopes, n_simulations)
    return replace(at, step=at.best_step(target))

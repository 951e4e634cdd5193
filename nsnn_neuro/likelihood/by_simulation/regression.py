"""Parameters by regression on simulations, for models that are slow to simulate: docs/by_simulation.md.

1. Rounds: points spread over a box of parameters are simulated once each. A linear regression of the parameters on the statistics
   learns a summary of as many numbers as parameters. The box of the next round holds the points whose summaries are closest to the
   recording's.
2. When the box is about as wide as the errors, the statistics of its points are regressed on the parameters, to second order. The
   residuals are their covariance, the slopes their dependence on the parameters: the estimate and its errors are those of
   generalised least squares, as in `search`.

Source: Fearnhead & Prangle 2012, doi 10.1111/j.1467-9868.2011.01010.x (learned summaries); Blum & Francois 2010,
doi 10.1007/s11222-009-9116-0 (regression in a narrowing region); Dodelson & Schneider 2013, doi 10.1103/PhysRevD.88.063537
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.linalg import cholesky, eigh, solve_triangular
from scipy.optimize import least_squares
from scipy.stats.qmc import Sobol

from .runs import Runs
from .search import Scoring

_CLOSEST = 0.15  # of the points of a round, in the box of the next one
_MARGIN = 0.15  # of the box, added on either side
_WIDE = 3.0  # half width of the last box, in standard errors
_ENOUGH = 1.5  # a box wider than this many of the asked widths is narrowed again
_STRENGTH = 1.0  # of the ridge of the summary
_LARGEST = 5.0  # of a standardised statistic in the summary: a regime far away does not tilt it
_FINEST = 0.01
_NOISE = 0.25  # of the information about a direction, that noise in the slopes may be
_LEAST_KEPT = 0.05  # of the information
_DESCRIBED = 0.9  # median share of the SD of statistics that a surface leaves
_FIRST = 2**20
"""Number of the first simulation's noise: those of `search` and `simulator` are smaller."""


def approach(
    runs: Runs, target: np.ndarray, n: int, rounds: int, report: Callable[[float], object]
) -> tuple[Scoring, int, bool]:
    """The estimate with its covariance, the number of simulations (at most `rounds` of `n` each), and whether the box is narrow."""
    k = len(runs.free.names)
    low, high = np.zeros(k), np.ones(k)
    points, statistics = np.empty((0, k)), np.empty((0, len(target)))
    for number in range(rounds):
        spread = Sobol(k, seed=runs.seed + number).random_base2(int(np.ceil(np.log2(n))))[:n]
        new, done = low + (high - low) * spread, [number * n]

        def tell(some: int, done: list[int] = done) -> None:
            done.append(some)
            report(sum(done) / (rounds * n))

        simulated = runs(new, 1, (_FIRST + number * n + np.arange(n)).tolist(), tell)[:, 0]
        points, statistics = np.concatenate([points, new]), np.concatenate([statistics, simulated])
        inside = np.all((points >= low - 1e-9) & (points <= high + 1e-9), axis=1)
        at, holds, noise = _regressed(points[inside], statistics[inside], target)
        wide = np.clip(_WIDE * np.sqrt(np.diag(np.linalg.pinv(at.information))), _FINEST, 0.5)
        within = np.all((at.centre >= low - 1e-9) & (at.centre <= high + 1e-9))
        settled = bool(number > 0 and within and noise < _NOISE and np.all(high - low <= _ENOUGH * 2 * wide))
        if settled:
            break
        low, high = _closest(new, simulated, target, low, high)
        if holds:  # at most as wide as the errors ask for, and as wide as half of that
            low, high = np.maximum(low, at.centre - wide), np.minimum(high, at.centre + wide)
            narrow = high - low < wide
            low = np.where(narrow, np.clip(at.centre - wide, 0, 1), low)
            high = np.where(narrow, np.clip(at.centre + wide, 0, 1), high)
    return at, len(points), settled


def _closest(
    points: np.ndarray, statistics: np.ndarray, target: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The box of the points of a round whose learned summaries are closest to that of the recording."""
    centre = np.median(statistics, axis=0)
    scale = 1.4826 * np.median(np.abs(statistics - centre), axis=0)
    used = scale > 0
    x = np.clip((statistics[:, used] - centre[used]) / scale[used], -_LARGEST, _LARGEST)
    y = np.clip((target[used] - centre[used]) / scale[used], -_LARGEST, _LARGEST)
    design, at = np.column_stack([np.ones(len(x)), x]), np.concatenate([[1.0], y])
    penalty = _STRENGTH * np.diag([0.0, *np.ones(x.shape[1])])
    weights = np.linalg.solve(design.T @ design + penalty, design.T @ points)
    error = (points - design @ weights).std(axis=0) + 1e-12
    away = (((design - at) @ weights / error) ** 2).sum(axis=1)
    best = points[np.argsort(away)[: max(int(_CLOSEST * len(points)), points.shape[1] + 2)]]
    margin = _MARGIN * (high - low)
    return np.clip(best.min(axis=0) - margin, 0, 1), np.clip(best.max(axis=0) + margin, 0, 1)


def n_terms(k: int) -> int:
    """Of a surface of second order over k parameters."""
    return 1 + k + k * (k + 1) // 2


def _regressed(points: np.ndarray, statistics: np.ndarray, target: np.ndarray) -> tuple[Scoring, bool, float]:
    """Generalised least squares on a surface of second order through the points; whether it describes them; noise of its slopes."""
    middle, half = points.mean(axis=0), np.ptp(points, axis=0) / 2

    def columns(u: np.ndarray) -> np.ndarray:
        x = (u - middle) / half
        pairs = [x[:, a] * x[:, b] for a in range(x.shape[1]) for b in range(a, x.shape[1])]
        return np.column_stack([np.ones(len(x)), x, *pairs])

    design = columns(points)
    free = len(points) - design.shape[1]
    used = statistics.std(axis=0) > 1e-9
    weights = np.linalg.lstsq(design, statistics[:, used], rcond=None)[0]
    rest = statistics[:, used] - design @ weights
    covariance = rest.T @ rest / free
    covariance += 1e-9 * np.diag(np.diag(covariance))
    root = cholesky(covariance, lower=True)

    def away(u: np.ndarray) -> np.ndarray:
        return np.asarray(solve_triangular(root, target[used] - (columns(u[None]) @ weights)[0], lower=True))

    best = least_squares(away, np.clip(middle, 1e-6, 1 - 1e-6), bounds=(0.0, 1.0))
    u, step = best.x, 1e-4
    apart = step * np.eye(len(u))
    by_u = np.stack([(columns((u + d)[None]) - columns((u - d)[None]))[0] for d in apart]) / (2 * step)
    mean = statistics.mean(axis=0)
    mean[used] = (columns(u[None]) @ weights)[0]
    inverse = np.linalg.pinv(design.T @ design)
    leverage = float((columns(u[None]) @ inverse @ columns(u[None]).T)[0, 0])
    scoring = Scoring(
        u, np.zeros(len(u)), used, mean, covariance * (1 + leverage), (by_u @ weights).T, free + 1
    )
    scoring, noise = _without_noise(scoring, by_u @ inverse @ by_u.T)
    spread = rest.std(axis=0) / statistics[:, used].std(axis=0)
    return scoring, bool(np.median(spread) < _DESCRIBED and leverage < 1.0), noise


def _without_noise(at: Scoring, of_slopes: np.ndarray) -> tuple[Scoring, float]:
    """The estimate with slopes shrunk to the information that they have, and the largest share of noise in it.

    Slopes of covariance `of_slopes` (K, K), times that of each statistic, seem to inform about any parameter: the
    number of statistics times `of_slopes`. An estimated covariance of statistics widens errors (Dodelson & Schneider 2013).
    """
    number, k = at.slopes.shape
    seen, free = at.information, at.n_simulations
    share = eigh(number * of_slopes, seen + 1e-9 * np.diag(np.diag(seen) + 1e-9))
    noise = float(share[0][-1])
    kept = np.clip(1 - share[0], _LEAST_KEPT, 1.0)
    more = 1 + (number - k) * (free - number - 2) / ((free - number - 1) * (free - number - 4))
    # in the basis of the shares the information is the identity
    basis = share[1]
    shrunk = basis @ np.diag(np.sqrt(kept / more)) @ np.linalg.inv(basis)
    return replace(at, slopes=at.slopes @ shrunk), noise

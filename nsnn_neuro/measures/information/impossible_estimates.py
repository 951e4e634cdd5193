"""Reject impossible information estimates: negative, or above the maximum, by more than two standard errors."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from scipy import special, stats

from ..estimate import Estimate
from .entropy.contingency import LN2

_BEYOND = 2.0  # standard errors
_GRID = np.linspace(0.0, 7.0, 701) ** 2  # mean counts; above, the variance is that of a chi-square law
_CURE = "take more trials, fewer responses (shorter words, wider bins), or bias = 'auto' for a bracket"


@cache
def _cell_variance() -> np.ndarray:
    """Variance of x ln x of a Poisson count x at the means of the grid, less what x itself explains."""
    x = np.arange(160)
    f, law = special.xlogy(x, x), stats.poisson.pmf(x, _GRID[:, None])
    mean = law @ f
    explained = (law @ (x * f) - _GRID * mean) ** 2 / np.maximum(_GRID, 1e-300)
    return np.maximum(law @ f**2 - mean**2 - explained, 0.0)


def zero_spread(table: np.ndarray) -> float:
    """Standard deviation of plug-in information without any, in bits, given the margins of a table (n_s, n_r) of counts.

    N I is a sum over cells of x ln x, less sums over margins. With independent Poisson counts of the expected means each cell
    adds the part of its variance that the margins leave, and (1 - 1 / n_s) (1 - 1 / n_r) of that are free. Where cells are well
    filled this is the chi-square law, sqrt((n_s - 1) (n_r - 1) / 2) / (N ln 2); words seen once add nearly nothing.

    >>> round(zero_spread(np.full((2, 2), 250)), 5)
    0.00102
    """
    by_s, by_r = table.sum(1), table.sum(0)
    by_s, by_r = by_s[by_s > 0], by_r[by_r > 0]
    totals, columns = np.unique(by_r, return_counts=True)
    n = by_s.sum()
    mean = by_s[:, None] * totals / n
    variance = np.interp(mean, _GRID, _cell_variance(), right=0.5) @ columns
    free = (1.0 - 1.0 / by_s.size) * (1.0 - 1.0 / by_r.size)
    return float(math.sqrt(variance.sum() * free) / (n * LN2))


def possible(estimate: Estimate, most: float, of: str = "the stimuli") -> tuple[float, str | None]:
    """The value if an information of at most `most` bits, the entropy `of` something, can be it, else NaN and a warning.

    Above `most` by two errors or less it is `most`. Below zero by two errors or less it stays, so that means over repeats
    are right.

    >>> possible(Estimate(-0.01, 0.02), 1.0), possible(Estimate(1.01, 0.02), 1.0)
    ((-0.01, None), (1.0, None))
    >>> possible(Estimate(-1.8, 0.2, "nsb"), 1.0)
    (nan, "-1.8 ± 0.2 bit by nsb is below zero beyond its error: ...")
    """
    value, se = estimate.value, estimate.se
    if value < -_BEYOND * se - 1e-9:
        why = "is below zero"
    elif value > most + _BEYOND * se + 1e-9:
        why = f"is above the {most:.4g} bit of {of}"
    else:
        return min(value, most), None
    return math.nan, f"{value:.3g} ± {se:.2g} bit by {estimate.correction} {why} beyond its error: {_CURE}"

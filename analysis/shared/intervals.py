"""Student's 95 % intervals of means, over seeds or other repetitions; of differences, paired."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import stdtrit


def student_quantile(n: int) -> float:
    """The .975 quantile of Student's t for n values (n - 1 degrees of freedom)."""
    return float(stdtrit(n - 1, 0.975))


def mean_and_half(values: Any) -> tuple[float, float]:
    """Mean and half-width of its interval; the half-width is infinite for fewer than two values."""
    values = np.asarray(values, dtype=float)
    if values.size < 2:
        return float(values.mean()), np.inf
    half = student_quantile(values.size) * values.std(ddof=1) / np.sqrt(values.size)
    return float(values.mean()), float(half)


def interval(values: Any) -> tuple[float, float, float]:
    """Mean, lower and upper end of its interval."""
    mean, half = mean_and_half(values)
    return mean, mean - half, mean + half


def interval_text(values: Any, unit: str, *, scale: float = 1.0, digits: int = 3) -> str:
    """Mean with its interval as text, "+0.120 bit, [+0.100, +0.140]", of the values times `scale`."""
    mean, low, high = (scale * x for x in interval(values))
    return f"{mean:+.{digits}f} {unit}, [{low:+.{digits}f}, {high:+.{digits}f}]"


def above(values: Any, least: float) -> bool:
    """Whether the lower end of the interval is above `least`."""
    return bool(interval(values)[1] > least)


def holm(p: Any) -> np.ndarray:
    """Holm's adjusted p-values: the k-th smallest of n times n + 1 - k, in rising order, at most 1; NaN counts as 1.

    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.nan_to_num(np.asarray(p, dtype=float), nan=1.0)
    order = np.argsort(values)
    adjusted = np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1))
    result = np.empty(values.size)
    result[order] = np.minimum(adjusted, 1.0)
    return result


def two_way(values: Any, *, samples: int = 2000, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """The percentile interval of the mean of values (seeds, images), from a bootstrap that draws both seeds and images anew.

    Source: Owen 2007, doi 10.1214/07-AOAS122 (the pigeonhole bootstrap)

    >>> two_way([[0.2, 0.2], [0.2, 0.2]])
    (0.2, 0.2)
    """
    values, rng = np.asarray(values, dtype=float), np.random.default_rng(seed)
    rows, columns = (rng.multinomial(n, np.full(n, 1 / n), samples) / n for n in values.shape)
    means = np.einsum("si,ij,sj->s", rows, values, columns, optimize=True)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return round(float(low), 12), round(float(high), 12)

"""Student's 95 % intervals of means, over seeds or other repetitions; of differences, paired."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

__all__ = ["above", "interval", "interval_text", "mean_and_half", "student_quantile"]


def student_quantile(n: int) -> float:
    """The .975 quantile of Student's t for n values (n - 1 degrees of freedom)."""
    return float(stats.t.ppf(0.975, n - 1))


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

"""Accuracy of guesses, with its standard error and interval."""

from __future__ import annotations

import numpy as np


def standard_error(values: np.ndarray) -> float:
    """Standard error of the mean of values (n,); NaN for one."""
    return float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else float("nan")


def wilson_interval(right: np.ndarray) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of right guesses, right (n,) 0 or 1. It has a width where all are right.

    (r + z^2/2 +- z sqrt(r (n - r)/n + z^2/4)) / (n + z^2), r the number of right guesses, z = 1.96.
    Source: Wilson 1927, doi 10.1080/01621459.1927.10502953

    >>> low, high = wilson_interval(np.ones(10))
    >>> round(low, 3), high
    (0.722, 1.0)
    """
    n, r, z = len(right), float(np.sum(right)), 1.959963984540054
    middle, half = r + z**2 / 2, z * np.sqrt(r * (n - r) / n + z**2 / 4)
    low, high = (middle - half) / (n + z**2), (middle + half) / (n + z**2)
    return (0.0 if r == 0 else float(low)), (1.0 if r == n else float(high))


def accuracy_of(right: np.ndarray) -> dict[str, float]:
    """Accuracy, its standard error, and the ends low and high of `wilson_interval`, of right guesses (n,)."""
    low, high = wilson_interval(right)
    return {"accuracy": float(right.mean()), "se": standard_error(right), "low": low, "high": high}

"""Means over seeds, or whatever a study repeats, with Student's 95 % interval; of differences, paired."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

__all__ = ["above", "interval", "mean_and_half"]


def mean_and_half(values: Any) -> tuple[float, float]:
    """Mean and half the width of its interval, which has no end for fewer than two values."""
    values = np.asarray(values, dtype=float)
    if values.size < 2:
        return float(values.mean()), np.inf
    half = stats.t.ppf(0.975, values.size - 1) * values.std(ddof=1) / np.sqrt(values.size)
    return float(values.mean()), float(half)


def interval(values: Any) -> tuple[float, float, float]:
    """Mean and both ends of its interval."""
    mean, half = mean_and_half(values)
    return mean, mean - half, mean + half


def above(values: Any, least: float) -> bool:
    """Whether the whole interval lies above a number."""
    return bool(interval(values)[1] > least)

"""Integrals of a sampled signal over steps, for fits that need those of thousands of delays; compiled by Numba."""

from __future__ import annotations

import numpy as np

from ..core.numba_jit import njit


@njit(cache=True)  # pragma: no cover - compiled
def areas(values: np.ndarray, period: float, delay: float, n_steps: int, dt: float) -> np.ndarray:
    """(n_steps,) integrals over steps, in periods, of samples held for `period` s from `delay` on; before it is the first."""
    n, before = len(values), 0.0
    total, result = np.zeros(n + 1), np.empty(n_steps)
    for k in range(n):
        total[k + 1] = total[k] + values[k]
    for k in range(n_steps + 1):
        edge = (k * dt - delay) / period
        inside = min(max(edge, 0.0), float(n))
        j = min(int(inside), n - 1)
        area = total[j] + (total[j + 1] - total[j]) * (inside - j) + min(edge, 0.0) * values[0]
        if k:
            result[k - 1] = area - before
        before = area
    return result

"""Parabolic-cylinder functions D_nu(z) of complex order and real argument, which SciPy (`pbdv`) has for real orders only.

y = D_nu solves y'' = (z^2/4 - nu - 1/2) y and is the solution that falls as z -> +infinity. Downwards it grows the fastest, so
integrating from large z down is stable and forgets its start value. Taylor series of order 40, steps of at most
2 / sqrt(z^2/4 + |nu| + 1/2).
"""

from __future__ import annotations

import numpy as np

_ORDER = 40
_FORGET = 80.0  # z_start^2 - z^2: the start's error is down by exp(-40)


def descend(
    nu: np.ndarray, z: np.ndarray, to: np.ndarray, slope: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """From D'/D at z: log D(to) - log D(z) (up to multiples of 2 pi i) and D'/D at `to`. All broadcast; z real, nu complex."""
    energy = np.maximum(z**2, to**2) / 4 + np.abs(nu) + 0.5
    steps = int(np.ceil(np.max(np.abs(z - to) * np.sqrt(energy), initial=0.0) / 2)) or 1
    h, ratio = (to - z) / steps, np.zeros_like(slope)
    for k in range(steps):
        here = z + k * h
        free = here**2 / 4 - nu - 0.5
        # Taylor coefficients times h^n; y = 1 at `here`
        a = [np.ones_like(slope), slope * h]
        for n in range(_ORDER - 1):
            previous = here / 2 * a[n - 1] * h if n > 0 else 0.0
            before = a[n - 2] * h**2 / 4 if n > 1 else 0.0
            a.append((free * a[n] + previous + before) * h**2 / ((n + 1) * (n + 2)))
        value = sum(reversed(a))
        # h = 0 where z = to: nothing moves
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = sum(n * a[n] for n in range(_ORDER, 0, -1)) / (h * value)
        ratio, slope = ratio + np.log(value), np.where(h == 0, slope, moved)
    return ratio, slope


def log_derivative(nu: np.ndarray, z: np.ndarray) -> np.ndarray:
    """D_nu'(z) / D_nu(z)."""
    nu, z = np.broadcast_arrays(np.asarray(nu, dtype=complex), np.asarray(z, dtype=float))
    start = np.sqrt(np.maximum(z, 0.0) ** 2 + _FORGET + 4 * np.abs(nu.real))
    return descend(nu, start, z, -np.sqrt(start**2 / 4 - nu - 0.5))[1]

"""The cells in which the density of the membrane is kept."""

from __future__ import annotations

import numpy as np

from .density import lowest
from .given_spikes import Membrane, Stretches

PER_SIGMA = 24
"""Default number of cells for each standard deviation of the free membrane: an error of about 1e-4 in the survival."""
_FEWEST, _MOST = 96, 1024
_PER_SIGMA_FIT, _MOST_FIT = 8.6, 288
_PECLET = 0.8  # largest drift of a cell at the threshold, relative to its diffusion
_REACH = 6.0  # standard deviations of the free membrane below the lowest noise-free path
_STRETCH = 1.2  # log of the ratio of the widest to the finest cell, which is at the threshold
_STEEP = 1.8  # the same for a nonlinear membrane, whose finest cells are where an upstroke begins
_UPSTROKE = 5.0  # force of an upstroke that has begun, in standard deviations of the free membrane


def cells(membrane: Membrane, parts: Stretches, sigma: float, dt: float, n_cells: int | None) -> np.ndarray:
    """The faces of the cells, ascending to the threshold, (n_cells + 1,)."""
    top = membrane.threshold
    points, bottom = _range(membrane, parts, sigma, dt)
    if n_cells is None:
        n_cells = int(np.clip(PER_SIGMA * (top - bottom) / sigma, _FEWEST, _MOST))
    if membrane.nonlinear:
        return _graded(membrane, points, bottom, sigma, n_cells)
    share = np.linspace(1.0, 0.0, n_cells + 1)
    return np.asarray(top - (top - bottom) * np.expm1(_STRETCH * share) / np.expm1(_STRETCH))


def enough(membrane: Membrane, parts: Stretches, sigma: float, dt: float) -> int:
    """A number of cells whose error moves an estimate from some hundred spikes by less than a twentieth of its standard error.

    Besides their width in sigma it is that at which strong drives still need no upwind fluxes at the threshold.
    """
    top = membrane.threshold
    _, bottom = _range(membrane, parts, sigma, dt)
    n = _PER_SIGMA_FIT * (top - bottom) / sigma
    if not membrane.nonlinear and len(membrane.drive):
        drift = np.quantile(membrane.drive, 0.999) + float(membrane.force(np.array([top]))[0])
        finest = (top - bottom) * _STRETCH / np.expm1(_STRETCH)
        n = max(n, finest * drift / (2 * sigma**2) / _PECLET)
    return int(8 * np.ceil(np.clip(n, _FEWEST, _MOST_FIT) / 8))


def _range(membrane: Membrane, parts: Stretches, sigma: float, dt: float) -> tuple[np.ndarray, float]:
    """Voltages up to the threshold, (513,), and the lowest one that has a cell."""
    top = membrane.threshold
    low = min(
        float(parts.start.min(initial=top)), float(membrane.drive.min(initial=top)) if membrane.leaky else top
    )
    points = np.linspace(min(low, top - 10 * sigma) - 10 * sigma, top, 513)
    path = (parts.first, parts.n_steps, parts.start, membrane.drive, points, membrane.force(points))
    least = lowest(*path, membrane.tau, dt)
    longest = float(parts.n_steps.max(initial=1)) * dt
    wide = sigma * (1.0 if membrane.leaky or membrane.nonlinear else np.sqrt(2 * longest / membrane.tau))
    return points, min(least, top - sigma) - _REACH * wide


def _graded(membrane: Membrane, points: np.ndarray, bottom: float, sigma: float, n_cells: int) -> np.ndarray:
    """Cells that widen on both sides of the voltage at which an upstroke begins: later it is fast and owes nothing to noise."""
    top = membrane.threshold
    force = membrane.force(points) + float(membrane.drive.mean())
    low = np.flatnonzero(force < _UPSTROKE * sigma)
    last = min(int(low[-1]) if low.size else 0, len(points) - 2)
    part = (_UPSTROKE * sigma - force[last]) / max(force[last + 1] - force[last], 1e-12 * sigma)
    begins = points[last] + float(np.clip(part, 0.0, 1.0)) * (points[1] - points[0])
    x = np.linspace(bottom, top, 1025)
    far = np.abs(x - begins) / max(begins - bottom, 1e-3 * sigma)
    dense = np.exp(-_STEEP * np.minimum(far, 1.0))
    total = np.concatenate([[0.0], np.cumsum(0.5 * (dense[1:] + dense[:-1]))])
    faces = np.interp(np.linspace(0.0, total[-1], n_cells + 1), total, x)
    faces[0], faces[-1] = bottom, top
    return np.asarray(faces)

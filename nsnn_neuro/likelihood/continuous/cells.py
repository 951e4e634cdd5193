"""The cells in which the density of the membrane is kept."""

from __future__ import annotations

import numpy as np

from .density import lowest
from .given_spikes import Membrane, Stretches

PER_SIGMA = 24
"""Default number of cells for each standard deviation of the free membrane: an error of about 1e-4 in the survival."""
_FEWEST, _MOST = 96, 1024
_REACH = 6.0  # standard deviations of the free membrane below the lowest noise-free path
_STRETCH = 1.2  # log of the ratio of the widest to the finest cell, which is at the threshold


def cells(membrane: Membrane, parts: Stretches, sigma: float, dt: float, n_cells: int | None) -> np.ndarray:
    """The faces of the cells, ascending to the threshold, (n_cells + 1,)."""
    top = membrane.threshold
    low = min(
        float(parts.start.min(initial=top)), float(membrane.drive.min(initial=top)) if membrane.leaky else top
    )
    points = np.linspace(min(low, top - 10 * sigma) - 10 * sigma, top, 513)
    path = (parts.first, parts.n_steps, parts.start, membrane.drive, points, membrane.force(points))
    least = lowest(*path, membrane.tau, dt)
    longest = float(parts.n_steps.max(initial=1)) * dt
    wide = sigma * (1.0 if membrane.leaky or membrane.nonlinear else np.sqrt(2 * longest / membrane.tau))
    bottom = min(least, top - sigma) - _REACH * wide
    if n_cells is None:
        n_cells = int(np.clip(PER_SIGMA * (top - bottom) / sigma, _FEWEST, _MOST))
    stretch = 0.0 if membrane.nonlinear else _STRETCH
    share = np.linspace(1.0, 0.0, n_cells + 1)
    shape = np.expm1(stretch * share) / np.expm1(stretch) if stretch else share
    return np.asarray(top - (top - bottom) * shape)

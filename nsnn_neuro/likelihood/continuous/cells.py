"""The grid on which the density of the membrane is followed: cells of voltage, and parts of a step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.errors import NsnnError
from ...core.warn import warn
from ...models.noise import OUNoise
from .density import crossings, lowest_point, motions
from .given_spikes import CURE, Membrane, Stretches
from .passage import MEMORY

PER_SIGMA = 24
"""Default number of cells for each standard deviation of the free membrane: an error of about 1e-4 in the survival."""
_FEWEST, _MOST = 96, 1024
PROBABILITIES = 1.5
"""Detail of a grid for the probabilities of single steps with an Ornstein-Uhlenbeck input."""
_PER_SIGMA_FIT, _MOST_FIT = 8.6, 288
_PECLET = 0.8  # largest drift of a cell at the threshold, relative to its diffusion
_REACH = 6.0  # standard deviations of the free membrane below the lowest noise-free path
_STRETCH = 1.2  # log of the ratio of the widest to the finest cell, which is at the threshold
_STEEP = 1.8  # the same for a nonlinear membrane, whose finest cells are where an upstroke begins
_UPSTROKE = 5.0  # force of an upstroke that has begun, in standard deviations of the free membrane
_MOTION = 0.15  # standard deviations of the free membrane that it may move in a part of a step without noise
_NEAR = 3.0  # standard deviations from the threshold, where motion matters
_MOST_PARTS = 31
# step of the integral equation, in standard deviations of the time of a crossing
_SHORT, _SHORT_FIT = (0.5, 1.0)
_REGULAR = 0.25  # standard deviation of the time of a crossing, relative to this time
_SOME = 0.1  # of the stretches
# cells of a nonlinear membrane, times the square of this ratio: errors of some 3e-4 and 1e-3
_PER_CV, _PER_CV_FIT = (19.0, 6.0)
_SHORT_CELLS, _SHORT_CELLS_FIT = 0.02, 0.05  # step on cells, in standard deviations of the time of a crossing
_MOST_NARROW = 6000
# the same, in times from the start at which a strong noise alone makes spikes most frequent
_SHORT_RISE = 0.04
_ROUGH = 0.01  # second difference of a smooth drive over tau, times the step, in standard deviations of the noise of a step
# with an Ornstein-Uhlenbeck input: steps in its correlation time, in the membrane's, in the time of a crossing and its deviation
_INPUT_STEP, _MEMBRANE_STEP, _INTERVAL_STEP, _CROSSING_STEP = 0.15, 0.03, 0.03, 0.5
# cells in sigma, in the layer at the threshold, and in standard deviations of the membrane at a crossing
_CELL, _LAYER_CELL, _CROSSING_CELL = 0.1, 0.5, 0.15
_FEWEST_LEVELS, _LEVELS, _MOST_LEVELS, _MOST_INPUT_CELLS = 12, 18, 96, 640
_LEVELS_APART = 1.0  # standard deviations of the change of an input over an interval
INPUT_REACH = 4.5
"""`_REACH` with an Ornstein-Uhlenbeck input."""
_LONGER = 1.5  # a step that still holds for a shorter one
_MOST_PAIRS = 1e9  # of steps of the integral equation: some 10 s


@dataclass(frozen=True)
class Grid:
    """How finely the density of the membrane is followed."""

    n_cells: int | None = None
    """of voltage; None: as many as an error of 1e-4 in the survival needs, for one set of parameters"""
    n_parts: int | None = None
    """into which each step is divided, an odd number; None: as many as the membrane needs, for one set of parameters"""
    stride: int = 1
    """parts to take at once between spikes; above 1 faster and less exact"""
    integral: bool = False
    """whether the integral equation of first passages takes the place of the cells: for linear membranes"""
    n_levels: int | None = None
    """of an Ornstein-Uhlenbeck input; None without one"""

    def known(self) -> bool:
        """Whether a fit may have it, of the numbers of cells and parts that fits choose."""
        return 0 < (self.n_cells or 1) <= _MOST_NARROW and 0 < (self.n_parts or 1) <= _MOST_PARTS

    def holds(self, needed: Grid) -> bool:
        """Whether it is about as fine as one that is needed."""
        fine = self.integral or (needed.n_cells or 0) <= 1.1 * (self.n_cells or 0)
        steps = (needed.n_parts or 1) <= (self.n_parts or 1) and self.stride <= _LONGER * needed.stride
        return fine and self.integral == needed.integral and steps


def check_resolved(grid: Grid, dt: float) -> None:
    """Warn of a step too long for the noise, even in parts; NsnnError where the integral equation would need more of them."""
    if grid.n_levels and grid.n_cells == _MOST_INPUT_CELLS:
        warn(
            f"noise: too weak, or too short a correlation time, for {_MOST_INPUT_CELLS} cells: the likelihood is inexact; {CURE}"
        )
    if (grid.n_parts or 1) < _MOST_PARTS:
        return
    if grid.integral:
        raise NsnnError(
            f"dt = {1e3 * dt:g} ms: the noise is so weak, or so strong, that the density of spikes changes within a thirtieth of "
            f"a step; expected a smaller dt, or narrower bounds of sigma; pass dt of at most {1e2 * dt:.3g} ms"
        )
    warn(
        f"dt = {1e3 * dt:g} ms: the membrane moves far in a step, so that probabilities are inexact; pass a smaller dt"
    )


def common(grids: Iterable[Grid]) -> Grid:
    """One that is fine enough for all."""
    every = list(grids)
    n_cells, n_parts, n_levels = (
        max(getattr(one, name) or 0 for one in every) for name in ("n_cells", "n_parts", "n_levels")
    )
    stride, integral = min(one.stride for one in every), any(one.integral for one in every)
    return Grid(n_cells, n_parts or 1, stride, integral, n_levels or None)


def with_input(membrane: Membrane, parts: Stretches, noise: OUNoise, dt: float, detail: float = 1.0) -> Grid:
    """A grid for an Ornstein-Uhlenbeck input: for a fit, with detail 0.5 for a search, with `PROBABILITIES` for single ones.

    NsnnError for a correlation time that is far below dt"""
    sigma, memory, tau = float(noise.si("sigma")), float(noise.si("tau_noise")), membrane.tau
    if memory < dt / _MOST_PARTS:
        raise NsnnError(
            f"tau_noise = {1e3 * memory:.3g} ms with dt = {1e3 * dt:g} ms: expected at least {1e3 * dt / _MOST_PARTS:.2g} ms for a "
            "likelihood; use WhiteNoise, the limit of short correlations, or a smaller dt"
        )
    points, bottom = voltages(membrane, parts, sigma, dt, INPUT_REACH)
    deviation, time = crossings(_path(membrane, parts, points, dt), sigma**2)
    known = np.isfinite(deviation)
    early = float(np.quantile(time[known], 0.05)) if known.any() else tau
    smooth = min(1.0, early / (2 * memory)) ** 0.5  # standard deviation relative to that in white noise
    step = min(_INPUT_STEP * memory, _MEMBRANE_STEP * tau)
    cell = min(_CELL, _LAYER_CELL * (memory / tau) ** 0.5)
    if known.any():
        narrow = smooth * float(np.quantile(deviation[known], 0.05))
        step = min(step, _INTERVAL_STEP * early, _CROSSING_STEP * narrow)
        cell = min(cell, _CROSSING_CELL * smooth * min(1.0, 2 * early / tau) ** 0.5)
    step, apart = step / min(detail, 1.0) ** 2, min(0.5, _LEVELS_APART * (2 * early / (3 * memory)) ** 0.5)
    n_cells = int(np.clip(detail * (membrane.threshold - bottom) / (cell * sigma), 40, _MOST_INPUT_CELLS))
    n_levels = int(np.clip(detail * 0.5 / apart * _LEVELS, _FEWEST_LEVELS, _MOST_LEVELS)) + 1
    stride = max(1, 2 * int((step / dt + 1) / 2 + 1e-9) - 1) if detail < PROBABILITIES else 1
    return Grid(n_cells, _odd(dt / step), stride, n_levels=n_levels)


def cells(membrane: Membrane, parts: Stretches, sigma: float, dt: float, n_cells: int | None) -> np.ndarray:
    """The faces of the cells, ascending to the threshold, (n_cells + 1,)."""
    top = membrane.threshold
    points, bottom = voltages(membrane, parts, sigma, dt)
    if n_cells is None:
        n_cells = _per_sigma(membrane, bottom, sigma)
    if membrane.nonlinear:
        return _graded(membrane, points, bottom, sigma, n_cells)
    share = np.linspace(1.0, 0.0, n_cells + 1)
    return np.asarray(top - (top - bottom) * np.expm1(_STRETCH * share) / np.expm1(_STRETCH))


def enough(membrane: Membrane, parts: Stretches, sigma: float, dt: float) -> Grid:
    """A grid whose error moves an estimate from some hundred spikes by less than a tenth of its standard error.

    Cells need no upwind fluxes at the threshold under strong drives. They blur a density that is narrow on its way there; then the
    integral equation takes their place if the drive is steady."""
    top = membrane.threshold
    points, bottom = voltages(membrane, parts, sigma, dt)
    deviation, time = crossings(_path(membrane, parts, points, dt), sigma**2)
    narrow = np.mean(deviation < _REGULAR * time) > _SOME if len(time) else False
    if narrow and _steady(membrane, sigma, dt):
        return Grid(None, _short(deviation, dt, _SHORT_FIT), integral=True)
    n = _PER_SIGMA_FIT * (top - bottom) / sigma
    if not membrane.nonlinear and len(membrane.drive):
        drift = np.quantile(membrane.drive, 0.999) + float(membrane.force(np.array([top]))[0])
        finest = (top - bottom) * _STRETCH / np.expm1(_STRETCH)
        n = max(n, finest * drift / (2 * sigma**2) / _PECLET)
    n, n_parts = float(np.clip(n, _FEWEST, _MOST_FIT)), _parts(membrane, parts, points, sigma, dt)
    if narrow and (membrane.nonlinear is not None or (membrane.spread.size and _smooth(membrane, sigma, dt))):
        n = max(n, _narrow(membrane, deviation, time, _PER_CV_FIT))
        n_parts = max(n_parts, _short(deviation, dt, _SHORT_CELLS_FIT))
    return Grid(int(8 * np.ceil(n / 8)), n_parts)


def automatic(membrane: Membrane, parts: Stretches, sigma: float, dt: float, n_cells: int | None) -> Grid:
    """A grid whose error of the survival is about 1e-4: without cells, if none are asked for and the membrane is linear."""
    points, bottom = voltages(membrane, parts, sigma, dt)
    n_parts = _parts(membrane, parts, points, sigma, dt)
    if n_cells is not None:
        return Grid(n_cells, n_parts)
    deviation, time = crossings(_path(membrane, parts, points, dt), sigma**2)
    if _steady(membrane, sigma, dt):
        memory = MEMORY * membrane.tau / dt if membrane.leaky else np.inf
        rise = float(np.median(membrane.threshold - parts.start)) ** 2 * membrane.tau / (6 * sigma**2)
        many = max(_short(deviation, dt, _SHORT), _odd(dt / max(_SHORT_RISE * rise, dt / _MOST_PARTS)))
        n = parts.n_steps * float(many)
        if (n * np.minimum(n, many * memory)).sum() / 2 < _MOST_PAIRS:
            return Grid(None, many, integral=True)
    elif _changing(membrane) and np.any(deviation < _REGULAR * time):
        n_cells = max(_per_sigma(membrane, bottom, sigma), _narrow(membrane, deviation, time, _PER_CV))
        n_parts = max(n_parts, _short(deviation, dt, _SHORT_CELLS))
    return Grid(n_cells, n_parts)


def _path(membrane: Membrane, parts: Stretches, points: np.ndarray, dt: float) -> tuple[Any, ...]:
    """The paths of `crossings` and `motions`."""
    force, drive = membrane.force(points), membrane.drive
    if membrane.kick.size:
        drive = drive + membrane.kick * membrane.tau / dt
    given = parts.first, parts.n_steps, parts.start, drive, points, force, membrane.tau, dt
    return *given, membrane.load if membrane.load.size else np.zeros_like(drive)


def _narrow(membrane: Membrane, deviation: np.ndarray, time: np.ndarray, per: float) -> int:
    """Cells that keep the narrowest densities on their way to the threshold; NsnnError for too many of a nonlinear membrane."""
    known = np.isfinite(time)
    cv = float(np.quantile(deviation[known] / time[known], 0.05))
    n = per / cv**2
    if membrane.nonlinear is None:
        return int(min(n, _MOST))
    if n > _MOST_NARROW:
        raise NsnnError(
            f"noise: too weak for the Fokker-Planck equation of a nonlinear membrane: its intervals would have a coefficient of "
            f"variation of {cv:.2g}, expected {(per / _MOST_NARROW) ** 0.5:.2g} or more; {CURE}, simulate, or take LIF, PIF or GIF"
        )
    return int(n)


def _steady(membrane: Membrane, sigma: float, dt: float) -> bool:
    """Whether the integral equation is accurate: under a drive that jumps its density is a difference of large terms."""
    if _changing(membrane) or membrane.load.size or membrane.kick.size:
        return False
    return _smooth(membrane, sigma, dt)


def _changing(membrane: Membrane) -> bool:
    """Whether narrow densities need cells even under a smooth drive: a nonlinear membrane, or a variance that changes."""
    return membrane.nonlinear is not None or membrane.spread.size > 0


def _smooth(membrane: Membrane, sigma: float, dt: float) -> bool:
    bends = np.abs(np.diff(membrane.drive, 2))
    return not bends.size or bool(np.quantile(bends, 0.95) < _ROUGH * sigma * (2 * membrane.tau / dt) ** 0.5)


def _per_sigma(membrane: Membrane, bottom: float, sigma: float) -> int:
    return int(np.clip(PER_SIGMA * (membrane.threshold - bottom) / sigma, _FEWEST, _MOST))


def _short(deviation: np.ndarray, dt: float, share: float) -> int:
    """Parts of a step, an odd number, of at most this share of nearly all of these standard deviations of crossings."""
    finite = deviation[np.isfinite(deviation)]
    return _odd(dt / (share * float(np.quantile(finite, 0.05)))) if finite.size else 1


def _odd(n: float) -> int:
    """The odd number at or above n, up to the largest that is allowed."""
    return 1 + 2 * int(np.ceil((min(n, _MOST_PARTS) - 1) / 2)) if n > 1 else 1


def _parts(membrane: Membrane, parts: Stretches, points: np.ndarray, sigma: float, dt: float) -> int:
    """Parts of a step, an odd number, in which the noise-free path near the threshold moves little beside the density's width."""
    last = _upstroke(membrane, points, sigma) if membrane.nonlinear else membrane.threshold
    x, change = motions(_path(membrane, parts, points, dt))
    moved = np.abs(change[(x > last - _NEAR * sigma) & (x <= last)])
    return _odd(float(np.quantile(moved, 0.95)) / (_MOTION * sigma)) if moved.size else 1


def voltages(
    membrane: Membrane, parts: Stretches, sigma: float, dt: float, reach: float = _REACH
) -> tuple[np.ndarray, float]:
    """Voltages up to the threshold, (513,) or, as enough for a line, (2,), and the lowest one that has a cell."""
    top = membrane.threshold
    low = min(
        float(parts.start.min(initial=top)), float(membrane.drive.min(initial=top)) if membrane.leaky else top
    )
    points = np.linspace(min(low, top - 10 * sigma) - 10 * sigma, top, 513 if membrane.nonlinear else 2)
    least = min(float(parts.start.min(initial=top)), lowest_point(_path(membrane, parts, points, dt)))
    longest = float(parts.n_steps.max(initial=1)) * dt
    wide = sigma * (1.0 if membrane.leaky or membrane.nonlinear else np.sqrt(2 * longest / membrane.tau))
    if membrane.spread.size:
        wide *= float(np.sqrt(membrane.spread.max()) / sigma)
    return points, min(least, top - sigma) - reach * wide


def _graded(membrane: Membrane, points: np.ndarray, bottom: float, sigma: float, n_cells: int) -> np.ndarray:
    """Cells that widen on both sides of the voltage at which an upstroke begins: later it is fast and owes nothing to noise."""
    top, begins = membrane.threshold, _upstroke(membrane, points, sigma)
    x = np.linspace(bottom, top, 1025)
    far = np.abs(x - begins) / max(begins - bottom, 1e-3 * sigma)
    dense = np.exp(-_STEEP * np.minimum(far, 1.0))
    total = np.concatenate([[0.0], np.cumsum(0.5 * (dense[1:] + dense[:-1]))])
    faces = np.interp(np.linspace(0.0, total[-1], n_cells + 1), total, x)
    faces[0], faces[-1] = bottom, top
    return np.asarray(faces)


def _upstroke(membrane: Membrane, points: np.ndarray, sigma: float) -> float:
    """The voltage at which an upstroke begins."""
    force = membrane.force(points) + float(membrane.drive.mean())
    low = np.flatnonzero(force < _UPSTROKE * sigma)
    last = min(int(low[-1]) if low.size else 0, len(points) - 2)
    part = (_UPSTROKE * sigma - force[last]) / max(force[last + 1] - force[last], 1e-12 * sigma)
    return float(points[last]) + float(np.clip(part, 0.0, 1.0)) * float(points[1] - points[0])

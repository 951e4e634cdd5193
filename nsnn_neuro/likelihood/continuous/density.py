"""The density of the membrane between spikes, absorbed at the threshold:

    dp/dt = -d/dx [(force(x) + drive(t)) / tau p] + sigma^2 / tau d2p/dx2

Finite volumes: fluxes by central differences, upwind where the drift crosses a cell faster than diffusion does, so that they are of
second order in the width of cells and positive for any drift. (Scharfetter and Gummel's exponential fluxes cost a division more
and are 1.6 times less accurate here.) Steps in time are L-stable and of second order: two implicit stages with one factorisation
(gamma = 1 - 1/sqrt 2), each with the drive of its step, so that a drive that jumps from step to step costs no order. The density
starts from a point, as the four cells around it that have its moments. The mass that leaves is counted at the threshold, so that
small probabilities have no cancellation.

Stretches are advanced side by side, as they are independent given the spikes.

Source: Spalding 1972, doi 10.1002/nme.1620040409 (fluxes); Alexander 1977, doi 10.1137/0714068 (steps)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.numba_jit import njit

_G = 1 - 1 / np.sqrt(2.0)
_MORE = (1 - _G) / _G
_TINY = 1e-150
_LEAST = 1e-300
_ROUNDED = 1e-6  # mass below which what is left has to be summed, as 1 minus what was lost has too few digits
# steps at the beginning of a stretch, where the density is narrow, that are not joined to long ones
_SHORT = 16
_STEEPEST = 1e-30  # of the mass, the least that a step leaves

_LANES = 16  # stretches that are advanced side by side
# Numbers of a cell, `_LANES` each, in one row of memory. A compiler vectorises a loop over lanes if all are in one array, no index
# may be negative (hence unsigned), and it does not know the number of lanes, or it would unroll the loop instead.
(
    _FORCE,  # at the upper face
    _PECLET,  # half the Peclet number of the cell, per force
    _RATE_UP,  # of exchange at the upper face: from this cell upwards
    _RATE_DOWN,  # and from the cell above down to this one
    _FROM_BELOW,  # factors of elimination
    _FROM_ABOVE,
    _PIVOT,  # its inverse
    _STAGE,  # the first stage of a step
    _MASS,  # of the cell
) = (np.uint64(_LANES * place) for place in range(9))
_ROW = np.uint64(9 * _LANES)
# Numbers of a lane
_DRIVE, _LENGTH, _LEFT_FIRST, _LEFT_SECOND, _UPWARD, _DOWNWARD, _WEAK = (
    np.uint64(_LANES * place) for place in range(7)
)
_ZERO, _ONE = np.uint64(0), np.uint64(1)
_unsigned: Any = np.uint64


@njit(cache=True, fastmath={"nsz", "arcp", "contract", "nnan", "ninf"}, error_model="numpy", nogil=True)
def _advance(cells: np.ndarray, lane: np.ndarray, n_cells: int, n_lanes: int) -> None:
    """Advance densities side by side by one step.

    cells : ((n_cells + 1) * _ROW,) numbers of the cells; the first row is of no cell and stays 0
    lane : (7 * _LANES,) drive, and length of the step times the growth of the variance; then the mass that leaves in the two
        stages, fluxes at a face, and 1 over the growth
    n_cells, n_lanes : unsigned
    """
    for k in range(_ZERO, n_lanes):
        lane[_UPWARD + k] = 0.0
        lane[_DOWNWARD + k] = 0.0
    for i in range(_ONE, n_cells + _ONE):
        a = i * _ROW
        below = a - _ROW
        for k in range(_ZERO, n_lanes):
            z = (cells[a + _FORCE + k] + lane[_DRIVE + k]) * cells[a + _PECLET + k] * lane[_WEAK + k]
            c = max(1.0, abs(z))
            up = cells[a + _RATE_UP + k] * lane[_LENGTH + k] * (c + z)
            down = cells[a + _RATE_DOWN + k] * lane[_LENGTH + k] * (c - z)
            pivot = 1.0 / (
                1.0 + up + lane[_DOWNWARD + k] - lane[_UPWARD + k] * cells[below + _FROM_ABOVE + k]
            )
            from_below = lane[_UPWARD + k] * pivot
            cells[a + _FROM_BELOW + k] = from_below
            cells[a + _FROM_ABOVE + k] = down * pivot
            cells[a + _PIVOT + k] = pivot
            cells[a + _STAGE + k] = cells[a + _MASS + k] * pivot + from_below * cells[below + _STAGE + k]
            lane[_UPWARD + k] = up
            lane[_DOWNWARD + k] = down
    top = n_cells * _ROW
    for k in range(_ZERO, n_lanes):
        lane[_LEFT_FIRST + k] = lane[_UPWARD + k] * cells[top + _STAGE + k]
    for j in range(_ONE, n_cells):
        a = (n_cells - j) * _ROW
        for k in range(_ZERO, n_lanes):
            cells[a + _STAGE + k] = (
                cells[a + _STAGE + k] + cells[a + _FROM_ABOVE + k] * cells[a + _ROW + _STAGE + k]
            )
    for i in range(_ONE, n_cells + _ONE):
        a = i * _ROW
        below = a - _ROW
        for k in range(_ZERO, n_lanes):
            more = cells[a + _MASS + k] + _MORE * (cells[a + _STAGE + k] - cells[a + _MASS + k])
            cells[a + _MASS + k] = (
                more * cells[a + _PIVOT + k] + cells[a + _FROM_BELOW + k] * cells[below + _MASS + k]
            )
    for k in range(_ZERO, n_lanes):
        lane[_LEFT_SECOND + k] = lane[_UPWARD + k] * cells[top + _MASS + k]
    for j in range(_ONE, n_cells):
        a = (n_cells - j) * _ROW
        for k in range(_ZERO, n_lanes):
            cells[a + _MASS + k] = (
                cells[a + _MASS + k] + cells[a + _FROM_ABOVE + k] * cells[a + _ROW + _MASS + k]
            )


@njit(cache=True, nogil=True)
def _left(p: np.ndarray, k: int, n_cells: int, least: float) -> float:
    """The mass of density k of p (n_cells, _LANES), at least `least`; cells that a long step made negative get 0."""
    total = 0.0
    for i in range(n_cells):
        p[i, k] = max(p[i, k], 0.0)
        total += p[i, k]
    if total < least:
        p[n_cells - 1, k] += least - total
        total = least
    return total


@njit(cache=True, nogil=True)
def _shift(p: np.ndarray, k: int, faces: np.ndarray, by: float, below: np.ndarray) -> float:
    """Move density k of p (n_cells, _LANES) by a jump of the membrane; return the mass that is above the threshold then.

    The mass below a face is the one below its place before the jump, by a cubic through four faces, kept between its neighbours.
    below : (n_cells + 1,) room for it
    """
    n = p.shape[0]
    for i in range(n):
        below[i + 1] = below[i] + p[i, k]
    last = 0.0
    for i in range(1, n + 1):
        x, mass = faces[i] - by, 0.0
        if x >= faces[n]:
            mass = float(below[n])
        elif x > faces[0]:
            above = np.searchsorted(faces, x)
            at = max(0, min(n - 3, above - 2))
            for j in range(at, at + 4):
                weight = 1.0
                for other in range(at, at + 4):
                    if other != j:
                        weight *= (x - faces[other]) / (faces[j] - faces[other])
                mass += weight * below[j]
            low, high = min(below[above - 1], below[above]), max(below[above - 1], below[above])
            mass = float(min(max(mass, low), high))
        p[i - 1, k] = mass - last
        last = mass
    return float(below[n]) - last


@njit(cache=True, nogil=True)
def march(
    lanes: tuple[np.ndarray, ...],
    drive: np.ndarray,
    load: np.ndarray,
    kick: np.ndarray,
    growth: np.ndarray,
    faces: np.ndarray,
    force: np.ndarray,
    spread: np.ndarray,
    tau: np.ndarray,
    dt: float,
    stride: int,
    n_parts: int,
    logs: np.ndarray,
    chance: np.ndarray,
) -> None:
    """Log-likelihood of each stretch, and on request the probability of a spike in each step.

    lanes : first, n_steps, skip, length, start, spikes, row, (n,) each, those of these names as in `Stretches`; `skip` are steps
        without a spike that are given: the likelihood is that of what follows
    stride : 1, or steps to take at once, with their mean drive, up to the last ones of each stretch: faster, for a search
    n_parts : of a step; `first`, `n_steps`, `skip`, `length` and `drive` are then those of parts, dt is the length of a part, and a
        spike may be in any part of its step
    drive, faces, force, spread, tau : (n_rows, ...) by the `row` of a stretch: the drive of all steps, the faces of n_cells cells
        and the force there, sigma^2 and the time constant
    load, kick : (n_rows, n) or (n_rows, 0), as of `Membrane`
    growth : likewise, the variance of the noise in each step over sigma^2
    logs : (n,) filled with the log-likelihood of each stretch
    chance : (n_rows, n) filled with the probability of a spike, given none before in its stretch, in each step or part of one, as
        its n says; or of shape (0, 0)
    """
    first, n_steps, skip, length, start, spikes, row = lanes
    n = first.shape[0]
    n_cells = faces.shape[1] - 1
    every = np.zeros((n_cells + 1, 9, _LANES))
    cells, coef, p = every.ravel(), every[1:, :4], every[1:, 8]
    of_lane = np.zeros((7, _LANES))
    lane = of_lane.ravel()
    mass, base, fired = np.empty(_LANES), np.empty(_LANES), np.empty(_LANES)
    centre, width, below = np.empty(n_cells), np.empty(n_cells), np.zeros(n_cells + 1)
    wanted = chance.shape[0] > 0
    joined = drive.shape[1] // chance.shape[1] if wanted else 1
    # after its first steps a stretch has so many long ones; one with a part that is given, or whose steps are asked for, has none
    short = _SHORT if stride < _SHORT // 2 else stride
    long = np.where(
        (skip > 0) | wanted | (n_steps <= short + n_parts), 0, (n_steps - n_parts - short) // stride
    )
    turns = n_steps - (stride - 1) * long
    order = np.argsort(-turns)
    for begin in range(0, n, _LANES):
        used = min(_LANES, n - begin)
        side = min(_LANES, 4 * ((used + 3) // 4))  # those beyond the used ones repeat the last
        for k in range(side):
            s = order[begin + min(k, used - 1)]
            r = row[s]
            for i in range(n_cells):
                centre[i] = 0.5 * (faces[r, i] + faces[r, i + 1])
                width[i] = faces[r, i + 1] - faces[r, i]
            rate = _G * spread[r] / tau[r]
            for i in range(n_cells):
                apart = (centre[i + 1] if i < n_cells - 1 else faces[r, n_cells]) - centre[i]
                coef[i, 0, k] = force[r, i + 1]
                coef[i, 1, k] = apart / (2.0 * spread[r])
                coef[i, 2, k] = rate / (apart * width[i])
                coef[i, 3, k] = rate / (apart * width[i + 1]) if i < n_cells - 1 else 0.0
                p[i, k] = 0.0
            x = min(max(start[s], centre[0]), centre[n_cells - 1])
            at = max(0, min(n_cells - 4, np.searchsorted(centre, x) - 2))
            for i in range(at, at + 4):
                weight = 1.0
                for j in range(at, at + 4):
                    if j != i:
                        weight *= (x - centre[j]) / (centre[i] - centre[j])
                p[i, k] = weight
            mass[k], base[k], fired[k], logs[s] = 1.0, 1.0, 0.0, 0.0
        for turn in range(turns[order[begin]]):
            for k in range(side):
                s = order[begin + min(k, used - 1)]
                now = first[s] + min(turn + (stride - 1) * min(max(turn - short, 0), long[s]), n_steps[s] - 1)
                many = stride if 0 <= turn - short < long[s] else 1
                of_lane[0, k] = 0.0
                for i in range(now, now + many):
                    of_lane[0, k] += drive[row[s], i] / many
                grown = growth[row[s], now : now + many].mean() if growth.shape[1] > 0 else 1.0
                of_lane[1, k] = grown * (length[s] * dt if turn == 0 else many * dt)
                of_lane[6, k] = 1.0 / grown
                if load.shape[1] > 0:
                    mean = load[row[s], now : now + many].mean()
                    for i in range(n_cells):
                        coef[i, 0, k] = force[row[s], i + 1] - mean * faces[row[s], i + 1]
            _advance(cells, lane, _unsigned(n_cells), _unsigned(side))
            for k in range(side):
                s = order[begin + min(k, used - 1)]
                # the last step of this turn
                t = turn + (stride - 1) * min(max(turn + 1 - short, 0), long[s])
                if turn == turns[s]:  # numbers that go on shrinking would become subnormal, which is slow
                    for i in range(n_cells):
                        p[i, k] = 0.0
                if turn >= turns[s] or k >= used:
                    continue
                if t == skip[s]:
                    logs[s], base[k] = 0.0, mass[k]
                lost = ((1 - _G) * of_lane[2, k] + _G * of_lane[3, k]) / _G
                if kick.shape[1] > 0:
                    many = stride if 0 <= turn - _SHORT < long[s] else 1
                    jump = kick[row[s], first[s] + t + 1 - many : first[s] + t + 1].sum()
                    if jump != 0.0:
                        lost += _shift(p, k, faces[row[s]], jump, below)
                lost = min(max(lost, _LEAST), mass[k])
                if wanted:
                    step, q = (first[s] + t) // joined, min(lost / max(mass[k], _LEAST), 1.0)
                    chance[row[s], step] += q * (1.0 - chance[row[s], step])
                if spikes[s] and t >= n_steps[s] - n_parts:
                    fired[k] += lost
                    if t == n_steps[s] - 1:
                        if t >= skip[s]:
                            logs[s] += np.log(fired[k]) - np.log(base[k])
                        continue
                least = max(_STEEPEST * mass[k], _LEAST)
                mass[k] -= lost
                if mass[k] < _ROUNDED:
                    mass[k] = _left(p, k, n_cells, least)
                if t == n_steps[s] - 1:
                    logs[s] += np.log(mass[k]) - np.log(base[k])
                elif mass[k] < _TINY:  # far below rounding: scale what is left
                    logs[s] += np.log(mass[k])
                    for i in range(n_cells):
                        p[i, k] /= mass[k]
                    fired[k] /= mass[k]
                    mass[k] = 1.0


@njit(cache=True, nogil=True)
def _force(x: float, low: float, per: float, force: np.ndarray) -> float:
    """The force at a voltage, between its values at equally spaced ones, `per` in a volt from `low` on; with two, a line."""
    if force.shape[0] == 2:
        return force[0] + (x - low) * per * (force[1] - force[0])
    place = max((x - low) * per, 0.0)
    i = min(int(place), force.shape[0] - 2)
    return force[i] + (place - i) * (force[i + 1] - force[i])


@njit(cache=True, nogil=True)
def motions(path: tuple[Any, ...]) -> np.ndarray:
    """Voltage at the start of each free step without noise, held at the threshold once there, and its change in it, (2, n).

    path : first, n_steps and start of stretches, drive, points, force, tau, dt, load; points, force (n_points,): the force at
        equally spaced voltages up to the threshold; beyond the lowest it is constant, unless there are two only
    """
    first, n_steps, start, drive, points, force, tau, dt, load = path
    n = points.shape[0]
    low, top, per = points[0], points[n - 1], (n - 1) / (points[n - 1] - points[0])
    result = np.empty((2, n_steps.sum()))
    k = 0
    for s in range(first.shape[0]):
        x = min(start[s], top)
        for t in range(first[s], first[s] + n_steps[s]):
            result[0, k], result[1, k] = x, dt / tau * (_force(x, low, per, force) + drive[t] - load[t] * x)
            x = min(x + result[1, k], top)
            k += 1
    return result


@njit(cache=True, nogil=True)
def lowest_point(path: tuple[Any, ...]) -> float:
    """The lowest voltage of the paths of `motions`, at the ends of steps too."""
    first, n_steps, start, drive, points, force, tau, dt, load = path
    n = points.shape[0]
    low, top, per = points[0], points[n - 1], (n - 1) / (points[n - 1] - points[0])
    result = np.inf
    for s in range(first.shape[0]):
        x = min(start[s], top)
        result = min(result, x)
        for t in range(first[s], first[s] + n_steps[s]):
            x = min(x + dt / tau * (_force(x, low, per, force) + drive[t] - load[t] * x), top)
            result = min(result, x)
    return result


@njit(cache=True, nogil=True)
def crossings(path: tuple[Any, ...], spread: float) -> np.ndarray:
    """SD of the time (s) of a path at the threshold, to first order in the noise, and this time, (2, n); spread is sigma^2.

    Of paths that do not cross within their stretch as if they did at its end; inf where they do not rise there; path : as of
    `motions`."""
    first, n_steps, start, drive, points, force, tau, dt, load = path
    n = points.shape[0]
    low, top, per = points[0], points[n - 1], (n - 1) / (points[n - 1] - points[0])
    result = np.full((2, first.shape[0]), np.inf)
    for s in range(first.shape[0]):
        x, variance = start[s], 0.0
        for t in range(n_steps[s]):
            k = first[s] + t
            speed = (_force(x, low, per, force) + drive[k] - load[k] * x) / tau
            if x + dt * speed >= top or t == n_steps[s] - 1:
                if speed > 0 and t > 0:
                    result[0, s], result[1, s] = np.sqrt(variance) / speed, t * dt
                break
            x += dt * speed
            ahead = (_force(x, low, per, force) + drive[k] - load[k] * x) / tau
            if speed * ahead > 0:  # paths under the same drive part as they gain speed
                variance *= (ahead / speed) ** 2
            variance += 2.0 * dt / tau * spread
    return result

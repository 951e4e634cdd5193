"""The density of the membrane between spikes, absorbed at the threshold:

    dp/dt = -d/dx [(force(x) + drive(t)) / tau p] + sigma^2 / tau d2p/dx2

Finite volumes: fluxes by central differences, upwind where the drift crosses a cell faster than diffusion does, so that they are of
second order in the width of cells and positive for any drift. (Scharfetter and Gummel's exponential fluxes cost a division more
and are 1.6 times less accurate here.) Steps in time are L-stable and of second order: two implicit stages with one factorisation
(gamma = 1 - 1/sqrt 2), each with the drive of its step, so that a drive that jumps from step to step costs no order. The density
starts from a point, as the four cells around it that have its moments. The mass that leaves is counted at the threshold, so that
small probabilities have no cancellation.

Eight stretches are advanced side by side: they are independent given the spikes.

Source: Spalding 1972, doi 10.1002/nme.1620040409 (fluxes); Alexander 1977, doi 10.1137/0714068 (steps)
"""

from __future__ import annotations

import numpy as np

from ...core.numba_jit import njit

_G = 1 - 1 / np.sqrt(2.0)
_MORE = (1 - _G) / _G
_TINY = 1e-150
_LEAST = 1e-300
_ROUNDED = 1e-6  # mass below which what is left has to be summed, as 1 minus what was lost has too few digits
_SHORT = (
    16  # steps at the beginning of a stretch, where the density is narrow, that are not joined to long ones
)
_STEEPEST = 1e-30  # of the mass, the least that a step leaves


@njit(cache=True, fastmath={"nsz", "arcp", "contract", "nnan", "ninf"}, error_model="numpy", nogil=True)
def _advance(coef: np.ndarray, work: np.ndarray, p: np.ndarray, lane: np.ndarray, n_cells: int) -> None:
    """Advance eight densities by one step.

    coef : (n_cells, 4, 8) force at the upper face, half the cell Peclet number per force, and the two rates of exchange there
    work : (n_cells, 5, 8) upward and downward flux factors, elimination factor, inverse pivot, first stage
    p : (n_cells, 8) mass of each cell
    lane : (4, 8) drive, length of the step; then the mass that leaves in the stages
    """
    for i in range(n_cells):
        a, b = i * 32, i * 40
        for k in range(8):
            z = (coef[a + k] + lane[k]) * coef[a + 8 + k]
            c = max(1.0, abs(z))
            work[b + k] = coef[a + 16 + k] * lane[8 + k] * (c + z)
            work[b + 8 + k] = coef[a + 24 + k] * lane[8 + k] * (c - z)
        if i == 0:
            for k in range(8):
                m = 1.0 / (1.0 + work[k])
                work[16 + k] = work[8 + k] * m
                work[24 + k] = m
                work[32 + k] = p[k] * m
        else:
            d = b - 40
            for k in range(8):
                m = 1.0 / (1.0 + work[b + k] + work[d + 8 + k] - work[d + k] * work[d + 16 + k])
                work[b + 16 + k] = work[b + 8 + k] * m
                work[b + 24 + k] = m
                work[b + 32 + k] = (p[i * 8 + k] + work[d + k] * work[d + 32 + k]) * m
    last = (n_cells - 1) * 40
    for k in range(8):
        lane[16 + k] = work[last + k] * work[last + 32 + k]
    for i in range(n_cells - 2, -1, -1):
        b = i * 40
        for k in range(8):
            work[b + 32 + k] = work[b + 32 + k] + work[b + 16 + k] * work[b + 72 + k]
    for k in range(8):
        p[k] = (p[k] + _MORE * (work[32 + k] - p[k])) * work[24 + k]
    for i in range(1, n_cells):
        b = i * 40
        for k in range(8):
            q = i * 8 + k
            p[q] = (p[q] + _MORE * (work[b + 32 + k] - p[q]) + work[b - 40 + k] * p[q - 8]) * work[b + 24 + k]
    for k in range(8):
        lane[24 + k] = work[last + k] * p[(n_cells - 1) * 8 + k]
    for i in range(n_cells - 2, -1, -1):
        b = i * 40
        for k in range(8):
            p[i * 8 + k] = p[i * 8 + k] + work[b + 16 + k] * p[i * 8 + 8 + k]


@njit(cache=True, nogil=True)
def _left(p: np.ndarray, k: int, n_cells: int, least: float) -> float:
    """The mass of density k, at least `least`, from its cells; those that a long step made negative get 0."""
    total = 0.0
    for i in range(n_cells):
        p[i * 8 + k] = max(p[i * 8 + k], 0.0)
        total += p[i * 8 + k]
    if total < least:
        p[(n_cells - 1) * 8 + k] += least - total
        total = least
    return total


@njit(cache=True, nogil=True)
def march(
    first: np.ndarray,
    n_steps: np.ndarray,
    skip: np.ndarray,
    length: np.ndarray,
    start: np.ndarray,
    spikes: np.ndarray,
    row: np.ndarray,
    drive: np.ndarray,
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

    first, n_steps, length, start, spikes : (n,) as in `Stretches`
    skip : (n,) steps without a spike that are given: the likelihood is that of what follows
    stride : 1, or steps to take at once, with their mean drive, up to the last ones of each stretch: faster, for a search
    n_parts : of a step; `first`, `n_steps`, `skip`, `length` and `drive` are then those of parts, dt is the length of a part, and a
        spike may be in any part of its step
    row : (n,) the row of drive (n_rows, n_all_steps), faces and force (n_rows, n_cells + 1), spread (sigma^2) and tau (n_rows,)
    logs : (n,) filled with the log-likelihood of each stretch
    chance : (n_rows, n_all_steps) filled with the probability of a spike, given none before in its stretch; or of shape (0, 0)
    """
    n = first.shape[0]
    n_cells = faces.shape[1] - 1
    coef, work, p = np.empty(n_cells * 32), np.empty(n_cells * 40), np.empty(n_cells * 8)
    lane, mass, base, fired = np.empty(32), np.empty(8), np.empty(8), np.empty(8)
    centre, width = np.empty(n_cells), np.empty(n_cells)
    wanted = chance.shape[0] > 0
    # after its first steps a stretch has so many long ones; one with a part that is given, or whose steps are asked for, has none
    long = np.where(
        (skip > 0) | wanted | (n_steps <= _SHORT + n_parts), 0, (n_steps - n_parts - _SHORT) // stride
    )
    turns = n_steps - (stride - 1) * long
    order = np.argsort(-turns)
    for begin in range(0, n, 8):
        used = min(8, n - begin)
        for k in range(8):
            s = order[begin + min(k, used - 1)]
            r = row[s]
            for i in range(n_cells):
                centre[i] = 0.5 * (faces[r, i] + faces[r, i + 1])
                width[i] = faces[r, i + 1] - faces[r, i]
            rate = _G * spread[r] / tau[r]
            for i in range(n_cells):
                apart = (centre[i + 1] if i < n_cells - 1 else faces[r, n_cells]) - centre[i]
                a = i * 32 + k
                coef[a] = force[r, i + 1]
                coef[a + 8] = apart / (2.0 * spread[r])
                coef[a + 16] = rate / (apart * width[i])
                coef[a + 24] = rate / (apart * width[i + 1]) if i < n_cells - 1 else 0.0
                p[i * 8 + k] = 0.0
            x = min(max(start[s], centre[0]), centre[n_cells - 1])
            at = max(0, min(n_cells - 4, np.searchsorted(centre, x) - 2))
            for i in range(at, at + 4):
                weight = 1.0
                for j in range(at, at + 4):
                    if j != i:
                        weight *= (x - centre[j]) / (centre[i] - centre[j])
                p[i * 8 + k] = weight
            mass[k], base[k], fired[k], logs[s] = 1.0, 1.0, 0.0, 0.0
        for turn in range(turns[order[begin]]):
            for k in range(8):
                s = order[begin + min(k, used - 1)]
                now = first[s] + min(
                    turn + (stride - 1) * min(max(turn - _SHORT, 0), long[s]), n_steps[s] - 1
                )
                many = stride if 0 <= turn - _SHORT < long[s] else 1
                lane[k] = 0.0
                for i in range(now, now + many):
                    lane[k] += drive[row[s], i] / many
                lane[8 + k] = length[s] * dt if turn == 0 else many * dt
            _advance(coef, work, p, lane, n_cells)
            for k in range(used):
                s = order[begin + k]
                t = turn + (stride - 1) * min(
                    max(turn + 1 - _SHORT, 0), long[s]
                )  # the last step of this turn
                if turn >= turns[s]:
                    if turn == turns[s]:  # numbers that go on shrinking would become subnormal, which is slow
                        for i in range(n_cells):
                            p[i * 8 + k] = 0.0
                    continue
                if t == skip[s]:
                    logs[s], base[k] = 0.0, mass[k]
                lost = ((1 - _G) * lane[16 + k] + _G * lane[24 + k]) / _G
                lost = min(max(lost, _LEAST), mass[k])
                if wanted:
                    step, q = (first[s] + t) // n_parts, min(lost / max(mass[k], _LEAST), 1.0)
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
                        p[i * 8 + k] /= mass[k]
                    fired[k] /= mass[k]
                    mass[k] = 1.0


@njit(cache=True, nogil=True)
def _force(x: float, low: float, per: float, force: np.ndarray) -> float:
    """The force at a voltage, between its values at equally spaced ones, `per` in a volt from `low` on."""
    place = max((x - low) * per, 0.0)
    i = min(int(place), force.shape[0] - 2)
    return force[i] + (place - i) * (force[i + 1] - force[i])


@njit(cache=True, nogil=True)
def lowest(
    first: np.ndarray,
    n_steps: np.ndarray,
    start: np.ndarray,
    drive: np.ndarray,
    points: np.ndarray,
    force: np.ndarray,
    tau: float,
    dt: float,
) -> float:
    """The lowest voltage of the noise-free paths of all stretches, held at the threshold where they cross it.

    points, force : (n_points,) the force at equally spaced voltages up to the threshold; beyond the lowest it is constant
    """
    n = points.shape[0]
    low, top, per = points[0], points[n - 1], (n - 1) / (points[n - 1] - points[0])
    least = np.inf
    for s in range(first.shape[0]):
        x = min(start[s], top)
        least = min(least, x)
        for t in range(first[s], first[s] + n_steps[s]):
            f = _force(x, low, per, force)
            x = min(x + dt / tau * (f + drive[t]), top)
            if x < least:
                least = x
    return least


@njit(cache=True, nogil=True)
def motions(
    first: np.ndarray,
    n_steps: np.ndarray,
    start: np.ndarray,
    drive: np.ndarray,
    points: np.ndarray,
    force: np.ndarray,
    tau: float,
    dt: float,
    above: float,
    below: float,
) -> np.ndarray:
    """How far the noise-free paths move in each free step that begins between two voltages; other arguments of `lowest`."""
    n = points.shape[0]
    low, top, per = points[0], points[n - 1], (n - 1) / (points[n - 1] - points[0])
    moved = np.zeros(n_steps.sum() + 1)
    k = 0
    for s in range(first.shape[0]):
        x = min(start[s], top)
        for t in range(first[s], first[s] + n_steps[s]):
            f = _force(x, low, per, force)
            moved[k] = abs(dt / tau * (f + drive[t]))
            k += above < x <= below
            x = min(x + dt / tau * (f + drive[t]), top)
    return moved[:k]

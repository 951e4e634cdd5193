"""The density of a linear membrane and of its Ornstein-Uhlenbeck input, given the spikes.

    tau dx = (drive(t) - x + I) dt        tau_noise dI = -I dt + sigma_I sqrt(2 tau_noise) dW

The input I keeps its value over a spike. So the likelihood is a filter: the density of I at a spike is that of the flux through the
threshold; I evolves through the refractory time, and the membrane starts again at its reset.

I has equidistant levels. Polynomials orthonormal under the weights of its normal law on them are the eigenvectors of its
transitions, with the eigenvalues exp(-n t / tau_noise) of the Hermite functions: mean, variance and correlations of I are exact for
any step. Between transitions (Strang splitting) each level moves the membrane's density exactly, by cubic interpolation of the mass
above a voltage, so that mass is conserved and what passes the threshold has no cancellation. The speed of I is scaled so that the
free membrane has the standard deviation sigma in steps of any length. Errors are of second order in the step, of a higher order in
the cells, and change sign with the place, between two levels, of the input for which the membrane stands still at its threshold.

Source: Fourcaud & Brunel 2002, doi 10.1162/089976602320264015 (the equation)
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...core.numba_jit import njit
from ...models.noise import OUNoise
from .cells import Grid
from .given_spikes import Membrane

_REACH = 4.5
"""Standard deviations of the input that its levels span on either side."""
_FAST = {"nsz", "arcp", "contract", "reassoc"}
_TINY = 1e-100
_ROUNDED = 1e-13  # of the mass: less that is left of it after a step is rounding
_LEAST = 1e-12  # of the mass, the least that passes the threshold in a step: spikes beyond the levels are as unlikely


@lru_cache
def levels(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levels of a standard normal variable, their probabilities, and the orthonormal polynomials at them, (n, n)."""
    z = np.linspace(-_REACH, _REACH, n)
    weight = np.exp(-0.5 * z * z)
    weight /= weight.sum()
    root = np.sqrt(weight)
    basis, upper = np.linalg.qr(root[:, None] * np.polynomial.hermite_e.hermevander(z, n - 1))
    return z, weight, np.ascontiguousarray(basis * np.sign(np.diag(upper)) / root[:, None])


def follow(
    lanes: tuple[np.ndarray, ...],
    path: Membrane,
    noise: OUNoise,
    bottom: float,
    dt: float,
    grid: Grid,
    logs: np.ndarray,
    chance: np.ndarray,
) -> None:
    """Fill `logs`, the log-likelihood of each stretch of a trial given all before, (n_stretches,), and `chance`, as `_follow` does.

    bottom : lowest voltage that has a cell; dt : length of a part of a step"""
    sigma, memory, n_levels = float(noise.si("sigma")), float(noise.si("tau_noise")), grid.n_levels or 1
    z, weight, basis = levels(n_levels)
    lapse, fade = grid.stride * dt / path.tau, grid.stride * dt / memory
    kept = np.exp(-fade) * (np.exp(-lapse) if path.leaky else 1.0)
    # variance of a membrane that is moved in such steps, over sigma^2; without a leak that of its growth in time
    ratio = (1 + kept) / (1 - kept)
    ratio *= (1 + path.tau / memory) * np.tanh(lapse / 2) if path.leaky else fade / 2
    voltage = path.threshold, bottom, dt / path.tau, float(path.leaky), sigma * (1 + path.tau / memory) ** 0.5
    current = z / np.sqrt(ratio), weight, basis, dt / memory
    steps = grid.stride, grid.n_parts or 1, grid.n_cells or 1
    _follow(lanes, path.drive, voltage, current, steps, logs, chance)


@njit(cache=True, nogil=True)  # pragma: no cover - compiled
def _transitions(weight: np.ndarray, basis: np.ndarray, lapse: float, result: np.ndarray) -> None:
    """The probabilities of moves between levels in a time `lapse` tau_noise, to (n, n) from (n, n)."""
    n = weight.shape[0]
    fades = basis * np.exp(-lapse * np.arange(n))
    for i in range(n):
        for j in range(n):
            total = 0.0
            for k in range(n):
                total += fades[i, k] * basis[j, k]
            result[i, j] = weight[i] * total


@njit(cache=True, nogil=True, fastmath=_FAST)  # pragma: no cover - compiled
def _mix(moves: np.ndarray, above: np.ndarray, result: np.ndarray) -> None:
    """Apply `moves` between levels."""
    n, m = above.shape
    for k in range(n):
        for i in range(m):
            result[k, i] = moves[k, 0] * above[0, i]
        for j in range(1, n - 3, 4):
            a, b, c, d = moves[k, j], moves[k, j + 1], moves[k, j + 2], moves[k, j + 3]
            for i in range(m):
                result[k, i] += (
                    a * above[j, i] + b * above[j + 1, i] + c * above[j + 2, i] + d * above[j + 3, i]
                )
        for j in range(1 + 4 * ((n - 1) // 4), n):
            for i in range(m):
                result[k, i] += moves[k, j] * above[j, i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)  # pragma: no cover - compiled
def _advect(
    above: np.ndarray, result: np.ndarray, growth: float, shift: np.ndarray, lost: np.ndarray
) -> None:
    """Move the membrane at each level: face i was at i growth + shift before, in cells; `lost` passes the uppermost face.

    above : (n_levels, n_cells + 3) the mass above each face, after one that repeats the lowest and before one beyond the uppermost
    """
    n_levels, n = above.shape[0], above.shape[1] - 3
    spare = growth - 1.0
    for k in range(n_levels):
        mass, new = above[k], result[k]
        i = 1
        while i <= n and i * growth + shift[k] <= 0.0:
            new[i + 1] = mass[1]
            i += 1
        new[1] = mass[1]
        while i <= n:
            at = i * growth + shift[k]
            if at >= n:
                break
            offset = int(at) - i
            x = at - int(at)
            stop = n + 1 - max(offset, 0)
            if spare > 0.0:  # up to where the next face is one cell further
                stop = min(stop, i + max(1, int(np.ceil((1.0 - x) / spare))))
            stop = max(min(stop, n - offset), i + 1)
            for face in range(i, stop):
                y = x + (face - i) * spare
                a, b = mass[face + offset], mass[face + offset + 1]
                c, d = mass[face + offset + 2], mass[face + offset + 3]
                even, odd = 0.5 * (a + c) - b, (d - a) / 6 + 0.5 * (b - c)
                new[face + 1] = b + y * (c - b - even - odd + y * (even + y * odd))
            i = stop
        for face in range(i, n + 1):
            new[face + 1] = 0.0
        lost[k] = new[n + 1]
        for face in range(1, n + 2):
            new[face] -= lost[k]
        new[0] = new[1]
        new[n + 2] = 4 * new[n + 1] - 6 * new[n] + 4 * new[n - 1] - new[n - 2]


@njit(cache=True, nogil=True)  # pragma: no cover - compiled
def _release(above: np.ndarray, q: np.ndarray, x: float) -> None:
    """All of the mass q of levels at a voltage x, in cells: the four around it that have its moments."""
    n = above.shape[1] - 3
    x = min(max(x - 0.5, 0.0), n - 1.0)
    low = max(0, min(n - 4, int(x) - 1))
    above[:] = 0.0
    for k in range(above.shape[0]):
        above[k, : low + 2] = q[k]
    for i in range(low, low + 4):
        weight = 1.0
        for j in range(low, low + 4):
            if j != i:
                weight *= (x - j) / (i - j)
        for j in range(low + 1, i + 1):
            above[:, j + 1] += q * weight


@njit(cache=True, nogil=True)  # pragma: no cover - compiled
def _follow(
    lanes: tuple[np.ndarray, ...],
    drive: np.ndarray,
    voltage: tuple[float, float, float, float, float],
    current: tuple[np.ndarray, np.ndarray, np.ndarray, float],
    steps: tuple[int, int, int],
    logs: np.ndarray,
    chance: np.ndarray,
) -> None:
    """Log-likelihood of each stretch given all before, and on request the probability of a spike in each step or part.

    lanes : first, n_steps, skip, length, start, spikes of stretches, as for `march`
    voltage : threshold, lowest voltage, length of a part in tau, 1.0 or 0.0 for a leak, sigma_I
    current : levels, their weights and polynomials, length of a part in tau_noise
    steps : parts that are taken at once, an odd number; parts of a step, where that is 1; cells
    chance : (1, n) or (0, 0)

    A spike's density is the mean flux of a step centred on it; the rest of a stretch's steps is taken at its beginning.
    """
    first, n_steps, skip, length, start, spikes = lanes
    top, bottom, lapse, leak, sigma = voltage
    z, weight, basis, fade = current
    stride, n_parts, n_cells = steps
    n_levels, width = z.shape[0], (top - bottom) / n_cells
    now, then = np.zeros((n_levels, n_cells + 3)), np.zeros((n_levels, n_cells + 3))
    moves, begin = np.empty((n_levels, n_levels)), np.empty((n_levels, n_levels))
    shift, lost = np.empty(n_levels), np.empty(n_levels)
    _transitions(weight, basis, fade * stride, moves)
    wanted = chance.shape[0] > 0
    joined = drive.shape[0] // chance.shape[1] if wanted else 1
    # density of the input, and the part of a step at which the last spike was
    q, spiked = weight.copy(), -1.0
    for s in range(first.shape[0]):
        n = n_steps[s]
        if n <= 0:
            continue
        late = (stride - 1) // 2 if spikes[s] else 0
        rest = n - 1 + late
        extra, many = rest % stride, rest // stride
        before = length[s] + extra  # of the first step, in parts
        waits = first[s] + 1.0 - length[s] - spiked if spiked >= 0 else 0.0
        _transitions(weight, basis, fade * (waits + 0.5 * before), begin)
        _release(now, begin @ q, (start[s] - bottom) / width)
        _transitions(weight, basis, fade * 0.5 * (before + stride), begin)
        mass, base, scaled, fired = 1.0, 1.0, 0.0, 0.0
        q = np.zeros(n_levels)
        for t in range(many + 1):
            took = stride if t else before
            reach = extra + 1 + t * stride  # parts up to the end of this step
            level = 0.0
            for i in range(reach - (stride if t else extra + 1), reach):
                level += drive[first[s] + min(i, n - 1)] * (length[s] if i == 0 else 1.0)
            level /= took
            if t:
                _mix(begin if t == 1 else moves, then, now)
            growth = np.exp(leak * took * lapse)
            for k in range(n_levels):
                speed = level + sigma * z[k]
                shift[k] = ((speed - bottom) * (1 - growth) if leak > 0 else -speed * took * lapse) / width
            _advect(now, then, growth, shift, lost)
            total = 0.0
            for k in range(n_levels):
                lost[k] = max(lost[k], 0.0)
                total += lost[k]
            least = _LEAST * mass
            if total < least:  # what passes is in the fastest level
                lost[n_levels - 1] += least - total
                total = least
            total = min(total, mass)
            if wanted:
                step, part = (first[s] + t) // joined, total / mass
                chance[0, step] += part * (1.0 - chance[0, step])
            if spikes[s] and (t == many if stride > 1 else t >= n - n_parts):
                fired += total / took if stride > 1 else total
                q += lost
            old, mass = mass, then[:, 1].sum()
            if mass < _ROUNDED * old:  # all has passed but for rounding: what is left is at the threshold
                mass = least
                for k in range(n_levels):
                    then[k, : n_cells + 1], then[k, n_cells + 1 :] = weight[k] * mass, 0.0
            if 0 < skip[s] < n and reach - (stride if t else extra + 1) < skip[s] <= reach:
                share = (reach - skip[s]) / (stride if t else extra + 1.0)
                base, scaled = mass + (old - mass) * share, 0.0
            if mass < _TINY:
                scaled += np.log(mass)
                then /= mass
                q /= mass
                fired, mass = fired / mass, 1.0
        if skip[s] < n:
            logs[s] = (np.log(fired) if spikes[s] else np.log(mass)) + scaled - np.log(base)
        if spikes[s]:
            q /= q.sum()
            spiked = first[s] + n - 0.5 * n_parts

"""Union information of two responses by Bertschinger et al., with a certificate of the minimum.

It is the least I_q(S; R1, R2) of all laws q(s, r1, r2) with the margins p(s, r1) and p(s, r2) of the data, H(S) + min
f(q) with the convex f(q) = sum q log(q / q_r), q_r the sum of q over s. With multipliers a(s, r1) and b(s, r2)

    f(q) >= -sum p(s, r1) a(s, r1) - sum p(s, r2) b(s, r2)   if   sum_s exp(-a(s, r1) - b(s, r2)) <= 1 for all (r1, r2).

A constant added to a makes any a obey this, so each step has an upper and a lower bound; their difference certifies the
minimum. Solver: primal-dual interior points, whose Hessian, diag(1 / q) - 1 / q_r within each (r1, r2), Sherman and
Morrison's formula inverts. The multipliers are also the derivative of the minimum with respect to the margins, from
which standard errors follow. Source: Bertschinger, Rauh, Olbrich, Jost & Ay 2014, doi 10.3390/e16042161; as a cone
program: Makkeh, Theis & Vicente 2018, doi 10.3390/e20040271
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ....core.numba_jit import njit
from ...entropies.contingency import LN2

TOLERANCE = 1e-9  # bit
_MOST_STEPS = 100
_CENTRING, _TO_BOUNDARY = 0.1, 0.99


class Union(NamedTuple):
    """Minima of many tables; made by `union_information`."""

    value: np.ndarray  # (m,) union information, bits, of the best q
    gap: np.ndarray  # (m,) bits by which the minimum may lie below `value`
    slope_1: np.ndarray  # (m, S, R1) derivative of the minimum of f with respect to p(s, r1), bits
    slope_2: np.ndarray  # (m, S, R2) derivative with respect to p(s, r2)


@njit(cache=True)  # pragma: no cover - compiled
def _factor(k: np.ndarray, n: int) -> None:
    """Cholesky factor of the upper triangle of k, in place."""
    for i in range(n):
        pivot = k[i, i]
        root = np.sqrt(pivot) if pivot > 1e-300 else 1e150  # a dependent row: its unknown becomes 0
        k[i, i] = root
        for j in range(i + 1, n):
            k[i, j] /= root
        for row in range(i + 1, n):
            factor = k[i, row]
            if factor != 0.0:
                for j in range(row, n):
                    k[row, j] -= factor * k[i, j]


@njit(cache=True)  # pragma: no cover - compiled
def _solve(k: np.ndarray, x: np.ndarray, n: int) -> None:
    """Solution of the factored system, in place."""
    for i in range(n):
        x[i] /= k[i, i]
        for j in range(i + 1, n):
            x[j] -= k[i, j] * x[i]
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            x[i] -= k[i, j] * x[j]
        x[i] /= k[i, i]


@njit(cache=True)  # pragma: no cover - compiled
def _bounds(
    p1: np.ndarray, p2: np.ndarray, q: np.ndarray, z: np.ndarray, a: np.ndarray, b: np.ndarray, r: np.ndarray
) -> tuple[float, float, float, float]:
    """f(q), its lower bound, the shift of `a` that proves it, sum q z; f's gradient goes to r."""
    f, worst, barrier = 0.0, 0.0, 0.0
    for i in range(q.shape[0]):
        for j in range(q.shape[1]):
            q_r, weight = 0.0, 0.0
            for s in range(q.shape[2]):
                if z[i, j, s] > 0:
                    q_r += q[i, j, s]
                    weight += np.exp(min(-a[s, i] - b[s, j], 600.0))
                    barrier += q[i, j, s] * z[i, j, s]
            worst = max(worst, weight)
            for s in range(q.shape[2]):
                if z[i, j, s] > 0:
                    r[i, j, s] = np.log(q[i, j, s] / q_r)
                    f += q[i, j, s] * r[i, j, s]
    shift = np.log(worst)
    low = -shift
    for s in range(p1.shape[0]):
        for i in range(p1.shape[1]):
            low -= p1[s, i] * a[s, i]
        for j in range(p2.shape[1]):
            low -= p2[s, j] * b[s, j]
    return f, low, shift, barrier


@njit(cache=True)  # pragma: no cover - compiled
def _equations(
    mu: float,
    a: np.ndarray,
    b: np.ndarray,
    q: np.ndarray,
    z: np.ndarray,
    r: np.ndarray,
    eq_1: np.ndarray,
    eq_2: np.ndarray,
    k: np.ndarray,
    x: np.ndarray,
) -> None:
    """Newton's equations k, x for the multipliers; r becomes what the step of q has to remove."""
    for i in range(q.shape[0]):
        for j in range(q.shape[1]):
            slack, mean = 0.0, 0.0
            for s in range(q.shape[2]):
                if z[i, j, s] > 0:
                    w = q[i, j, s] / (1.0 + z[i, j, s])
                    slack += w * z[i, j, s]
                    r[i, j, s] = mu / q[i, j, s] - r[i, j, s] - a[s, i] - b[s, j]
                    mean += w * r[i, j, s]
            for s in range(q.shape[2]):
                if z[i, j, s] <= 0:
                    continue
                row, column = eq_1[s, i], eq_2[s, j]
                w = q[i, j, s] / (1.0 + z[i, j, s])
                step = w * (r[i, j, s] + mean / slack) + q[i, j, s]
                x[row] += step
                x[column] += step
                # the upper triangle: equations are numbered stimulus by stimulus
                for t in range(s, q.shape[2]):
                    if z[i, j, t] <= 0:
                        continue
                    g = w * q[i, j, t] / (1.0 + z[i, j, t]) / slack
                    if s == t:
                        g += w
                    k[row, eq_1[t, i]] += g
                    k[row, eq_2[t, j]] += g
                    k[column, eq_2[t, j]] += g
                    if t > s:
                        k[column, eq_1[t, i]] += g


@njit(cache=True)  # pragma: no cover - compiled
def _directions(
    mu: float,
    q: np.ndarray,
    z: np.ndarray,
    r: np.ndarray,
    eq_1: np.ndarray,
    eq_2: np.ndarray,
    x: np.ndarray,
    dq: np.ndarray,
    dz: np.ndarray,
) -> float:
    """Steps of q and z, and which part of them stays positive."""
    longest = 1.0
    for i in range(q.shape[0]):
        for j in range(q.shape[1]):
            slack, mean = 0.0, 0.0
            for s in range(q.shape[2]):
                if z[i, j, s] > 0:
                    r[i, j, s] -= x[eq_1[s, i]] + x[eq_2[s, j]]
                    w = q[i, j, s] / (1.0 + z[i, j, s])
                    slack += w * z[i, j, s]
                    mean += w * r[i, j, s]
            for s in range(q.shape[2]):
                if z[i, j, s] > 0:
                    dq[i, j, s] = q[i, j, s] / (1.0 + z[i, j, s]) * (r[i, j, s] + mean / slack)
                    dz[i, j, s] = (mu - z[i, j, s] * dq[i, j, s]) / q[i, j, s] - z[i, j, s]
                    longest = min(longest, -_TO_BOUNDARY * q[i, j, s] / min(dq[i, j, s], -1e-300))
                    longest = min(longest, -_TO_BOUNDARY * z[i, j, s] / min(dz[i, j, s], -1e-300))
    return longest


@njit(cache=True)  # pragma: no cover - compiled
def _minimise(
    p1: np.ndarray,
    p2: np.ndarray,
    q: np.ndarray,
    eq_1: np.ndarray,
    eq_2: np.ndarray,
    tolerance: float,
    best_a: np.ndarray,
    best_b: np.ndarray,
) -> tuple[float, float]:
    """Minimum of f (nats) from a start q, and its duality gap; the multipliers go to best_a and best_b."""
    n_s, n_1, n_2 = p1.shape[0], p1.shape[1], p2.shape[1]
    z = np.where(q > 0, 1.0, 0.0)
    free = z.sum()
    if free == 0:  # no trials
        return 0.0, 0.0
    n = max(eq_1.max(), eq_2.max()) + 1  # the last row of x and k is that of no equation, number -1
    a, b, x, scale, k = (
        np.zeros(p1.shape),
        np.zeros(p2.shape),
        np.empty(n + 1),
        np.ones(n + 1),
        np.empty((n + 1, n + 1)),
    )
    r, dq, dz = np.empty(q.shape), np.zeros(q.shape), np.zeros(q.shape)
    best, gap, step = 0.0, np.inf, 1.0
    for _ in range(_MOST_STEPS):
        f, low, shift, barrier = _bounds(p1, p2, q, z, a, b, r)
        if f - low < gap:
            best, gap = f, f - low
            best_a[:] = a + shift
            best_b[:] = b
        if gap < tolerance:
            break
        # a step cut short ends beside the central path: return to it first, or complementarity outruns the multipliers
        mu = (_CENTRING if step > 0.5 else 1.0) * barrier / free
        x[:] = 0.0
        k[:] = 0.0
        for s in range(n_s):
            for i in range(n_1):
                x[eq_1[s, i]] -= p1[s, i]
            for j in range(n_2):
                x[eq_2[s, j]] -= p2[s, j]
        _equations(mu, a, b, q, z, r, eq_1, eq_2, k, x)
        x[n] = 0.0
        for e in range(n):
            scale[e] = 1.0 / np.sqrt(max(k[e, e], 1e-300))
        for e in range(n):
            for o in range(e, n):
                k[e, o] *= scale[e] * scale[o]
            k[e, e] += 1e-13
        x *= scale
        _factor(k, n)
        _solve(k, x, n)
        x *= scale
        step = _directions(mu, q, z, r, eq_1, eq_2, x, dq, dz)
        q += step * dq  # 0 where a margin is
        z += step * dz
        for s in range(n_s):
            for i in range(n_1):
                a[s, i] += step * x[eq_1[s, i]]
            for j in range(n_2):
                b[s, j] += step * x[eq_2[s, j]]
    return best, gap


def union_information(p1: np.ndarray, p2: np.ndarray, *, tolerance: float = TOLERANCE) -> Union:
    """Least information about s of any law with the margins p1 (m, S, R1) and p2 (m, S, R2), (m,) bits.

    Tables are counts or probabilities. The gap is below `tolerance` (bits) unless 100 steps were not enough.
    """
    n = p1.sum((1, 2), keepdims=True)
    n = np.where(n > 0, n, 1.0)
    p1, p2 = np.ascontiguousarray(p1 / n), np.ascontiguousarray(p2 / n)
    a, b, p_s = np.zeros(p1.shape), np.zeros(p2.shape), p1.sum(2)
    # the start: responses that are independent given the stimulus, (m, R1, R2, S)
    start = p1[:, :, :, None] * p2[:, :, None, :] / np.where(p_s > 0, p_s, 1.0)[:, :, None, None]
    start = np.ascontiguousarray(np.moveaxis(start, 1, 3))
    # equations, numbered by stimuli; -1 for margins of 0 and for one of each stimulus, which the others imply
    seen = p2 > 0
    used = np.concatenate([p1 > 0, seen & (seen[..., ::-1].cumsum(2)[..., ::-1] > 1)], axis=2)
    number = np.where(used, used.reshape(len(used), -1).cumsum(1).reshape(used.shape) - 1, -1)
    equations = (
        np.ascontiguousarray(number[..., : p1.shape[2]]),
        np.ascontiguousarray(number[..., p1.shape[2] :]),
    )
    tables = zip(p1, p2, start, *equations, a, b, strict=True)
    bounds = [_minimise(*table[:5], tolerance * LN2, *table[5:]) for table in tables]
    minimum, gap = np.array(bounds).reshape(-1, 2).T
    entropy = -(p_s * np.log(np.where(p_s > 0, p_s, 1.0))).sum(1)
    return Union((entropy + minimum) / LN2, gap / LN2, -a / LN2, -b / LN2)

"""Redundant information of two responses by three definitions, and the four parts.

Each value comes with its scores: the derivative with respect to the probability of each cell of the table, up to a
constant. The mean square of a score over trials, divided by their number, is the variance of an estimate.

Union information of Bertschinger et al. is the least I_q(S; R1, R2) of all laws q(s, r1, r2) with the margins p(s, r1) and
p(s, r2) of the data, H(S) + min f(q) with the convex f(q) = sum q log(q / q_r), q_r the sum of q over s. With multipliers
a(s, r1) and b(s, r2)

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

MEASURES = ("broja", "i_min", "mmi")
TOLERANCE = 1e-9  # bit
_MOST_STEPS = 100
_CENTRING, _TO_BOUNDARY = 0.1, 0.99


class Parts(NamedTuple):
    """Values of m tables and their derivatives; made by `decompose` and the like."""

    values: np.ndarray  # (m, k) bits
    scores: np.ndarray  # (m, ..., k) bits, derivative by the probability of each cell, up to a constant
    gap: float  # by how much at most a minimum was missed, bits; 0 for closed forms


def _log(x: np.ndarray) -> np.ndarray:
    return np.log2(np.where(x > 0, x, 1.0))


def pointwise(p: np.ndarray) -> np.ndarray:
    """log2 p(s, r) / (p(s) p(r)) of tables (m, S, R) of probabilities, 0 where p is 0."""
    whole = _log(p) - _log(p.sum(2))[:, :, None] - _log(p.sum(1))[:, None, :]
    return np.where(p > 0, whole, 0.0)


def least_specific(tables: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Redundancy I_min of Williams and Beer, sum_s p(s) min_k I(S = s; R_k), in bits (m,), of the laws p(s, r_k), (m, S,
    R_k).

    The scores of a cell are the sum over sources of arrays (m, S, R_k). Source: Williams & Beer 2010, doi
    10.48550/arXiv.1004.2515
    """
    density = [pointwise(p) for p in tables]
    each = np.stack([(p * d).sum(2) for p, d in zip(tables, density, strict=True)])  # (k, m, S), times p(s)
    chosen = each.argmin(0)
    scores = []
    for k, (p, d) in enumerate(zip(tables, density, strict=True)):
        own = (chosen == k)[:, :, None]
        p_r = p.sum(1, keepdims=True)
        share = (p * own).sum(1, keepdims=True) / np.where(p_r > 0, p_r, 1.0)
        scores.append(np.where(own, d, 0.0) - share / LN2)
    return np.maximum(each.min(0).sum(1), 0.0), scores


def decompose(tables: np.ndarray, measure: str, *, tolerance: float = TOLERANCE) -> Parts:
    """The parts redundant, unique_1, unique_2, synergistic, of tables (m, S, R1, R2)."""
    p = tables / np.maximum(tables.sum((1, 2, 3), keepdims=True), 1e-300)
    p1, p2, p_s = p.sum(3), p.sum(2), p.sum((2, 3))
    f1, f2, f12 = pointwise(p1), pointwise(p2), pointwise(p.reshape(*p.shape[:2], -1)).reshape(p.shape)
    one, two, both = (p1 * f1).sum((1, 2)), (p2 * f2).sum((1, 2)), (p * f12).sum((1, 2, 3))
    f1, f2 = f1[..., None], f2[:, :, None, :]
    gap = 0.0
    if measure == "broja":
        union = union_information(p1, p2, tolerance=tolerance)
        gap = float(union.gap.max(initial=0.0))
        redundant = one + two - union.value
        of_union = union.slope_1[..., None] + union.slope_2[:, :, None, :] - _log(p_s)[:, :, None, None]
        score = f1 + f2 - of_union
    elif measure == "i_min":
        redundant, (by_1, by_2) = least_specific([p1, p2])
        score = by_1[..., None] + by_2[:, :, None, :]
    else:
        redundant = np.minimum(one, two)
        score = np.where((one <= two)[:, None, None, None], f1, f2)
    # within the bounds that all parts obey: rounding, and the gap
    redundant = np.clip(redundant, np.maximum(0.0, one + two - both), np.minimum(one, two))
    values = np.stack([redundant, one - redundant, two - redundant, both - one - two + redundant], axis=1)
    scores = np.stack([score + 0 * f12, f1 - score, f2 - score, f12 - f1 - f2 + score], axis=-1)
    return Parts(np.maximum(values, 0.0), scores, gap)


class Union(NamedTuple):
    """Minima of many tables; made by `union_information`."""

    value: np.ndarray  # (m,) union information, bits, of the best q
    gap: np.ndarray  # (m,) bits by which the minimum may lie below `value`
    slope_1: np.ndarray  # (m, S, R1) derivative of the minimum of f with respect to p(s, r1), bits
    slope_2: np.ndarray  # (m, S, R2) derivative with respect to p(s, r2)


# Below margins p, multipliers m and numbers `eq` of their equations are (S, R1 + R2), q and its slack z are (R1, R2, S).


@njit(cache=True)  # pragma: no cover - compiled
def _bounds(
    p: np.ndarray, q: np.ndarray, z: np.ndarray, m: np.ndarray, r: np.ndarray
) -> tuple[float, float, float, float]:
    """f(q), its lower bound, the shift of the first R1 multipliers that proves it, sum q z; f's gradient goes to r."""
    f, worst, barrier = 0.0, 0.0, 0.0
    for i in range(q.shape[0]):
        for j in range(q.shape[1]):
            q_r, weight = 0.0, 0.0
            for s in range(q.shape[2]):
                if z[i, j, s] > 0:
                    q_r += q[i, j, s]
                    weight += np.exp(min(-m[s, i] - m[s, q.shape[0] + j], 600.0))
                    barrier += q[i, j, s] * z[i, j, s]
            worst = max(worst, weight)
            for s in range(q.shape[2]):
                if z[i, j, s] > 0:
                    r[i, j, s] = np.log(q[i, j, s] / q_r)
                    f += q[i, j, s] * r[i, j, s]
    shift = np.log(worst)
    return f, -shift - (p * m).sum(), shift, barrier


@njit(cache=True)  # pragma: no cover - compiled
def _equations(
    mu: float, p: np.ndarray, q: np.ndarray, z: np.ndarray, m: np.ndarray, r: np.ndarray, eq: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Newton's equations k, x for the multipliers; r becomes what the step of q has to remove.

    The last row of k and x is that of no equation, number -1.
    """
    n = eq.max() + 2
    k, x = np.zeros((n, n)), np.zeros(n)
    for s in range(p.shape[0]):
        for c in range(p.shape[1]):
            x[eq[s, c]] -= p[s, c]
    for i in range(q.shape[0]):
        for j in range(q.shape[1]):
            c = q.shape[0] + j
            slack, mean = 0.0, 0.0
            for s in range(q.shape[2]):
                if z[i, j, s] > 0:
                    w = q[i, j, s] / (1.0 + z[i, j, s])
                    slack += w * z[i, j, s]
                    r[i, j, s] = mu / q[i, j, s] - r[i, j, s] - m[s, i] - m[s, c]
                    mean += w * r[i, j, s]
            for s in range(q.shape[2]):
                if z[i, j, s] <= 0:
                    continue
                w = q[i, j, s] / (1.0 + z[i, j, s])
                step = w * (r[i, j, s] + mean / slack) + q[i, j, s]
                x[eq[s, i]] += step
                x[eq[s, c]] += step
                # the upper triangle: equations are numbered stimulus by stimulus
                for t in range(s, q.shape[2]):
                    if z[i, j, t] <= 0:
                        continue
                    g = w * q[i, j, t] / (1.0 + z[i, j, t]) / slack
                    if s == t:
                        g += w
                    k[eq[s, i], eq[t, i]] += g
                    k[eq[s, i], eq[t, c]] += g
                    k[eq[s, c], eq[t, c]] += g
                    if t > s:
                        k[eq[s, c], eq[t, i]] += g
    x[-1] = 0.0
    return k, x


@njit(cache=True)  # pragma: no cover - compiled
def _directions(
    mu: float, q: np.ndarray, z: np.ndarray, r: np.ndarray, dm: np.ndarray, dq: np.ndarray, dz: np.ndarray
) -> float:
    """Write steps of q and z; returns which part of them stays positive. dm is the step of the multipliers."""
    longest = 1.0
    for i in range(q.shape[0]):
        for j in range(q.shape[1]):
            slack, mean = 0.0, 0.0
            for s in range(q.shape[2]):
                if z[i, j, s] > 0:
                    r[i, j, s] -= dm[s, i] + dm[s, q.shape[0] + j]
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
    p: np.ndarray, q: np.ndarray, eq: np.ndarray, tolerance: float, best_m: np.ndarray
) -> tuple[float, float]:
    """Minimum of f (nats) from a start q, and its duality gap; the multipliers go to best_m."""
    z, m, r = np.where(q > 0, 1.0, 0.0), np.zeros(p.shape), np.zeros(q.shape)
    dq, dz = np.zeros(q.shape), np.zeros(q.shape)
    free = z.sum()
    if free == 0:  # no trials
        return 0.0, 0.0
    n = eq.max() + 1
    best, gap, step = 0.0, np.inf, 1.0
    for _ in range(_MOST_STEPS):
        f, low, shift, barrier = _bounds(p, q, z, m, r)
        if f - low < gap:
            best, gap = f, f - low
            best_m[:] = m
            best_m[:, : q.shape[0]] += shift
        if gap < tolerance:
            break
        # a step cut short ends beside the central path: return to it first, or complementarity outruns the multipliers
        mu = (_CENTRING if step > 0.5 else 1.0) * barrier / free
        k, x = _equations(mu, p, q, z, m, r, eq)
        scale = 1.0 / np.sqrt(np.maximum(np.diag(k)[:n], 1e-300))
        for e in range(n):
            for o in range(e, n):
                k[o, e] = k[e, o] * scale[e] * scale[o]
                k[e, o] = k[o, e]
            k[e, e] += 1e-13
        x[:n] = scale * np.linalg.solve(k[:n, :n], x[:n] * scale)
        dm = x[eq.ravel()].reshape(eq.shape)
        step = _directions(mu, q, z, r, dm, dq, dz)
        for i in range(q.size):  # steps are 0 where a margin is
            q.flat[i] += step * dq.flat[i]
            z.flat[i] += step * dz.flat[i]
        m += step * dm
    return best, gap


def union_information(p1: np.ndarray, p2: np.ndarray, *, tolerance: float = TOLERANCE) -> Union:
    """Least information about s of any law with the margins p1 (m, S, R1) and p2 (m, S, R2), (m,) bits.

    Tables are counts or probabilities. The gap is below `tolerance` (bits) unless 100 steps were not enough.
    """
    n, n_1 = p1.sum((1, 2), keepdims=True), p1.shape[2]
    p = np.concatenate([p1, p2], axis=2) / np.where(n > 0, n, 1.0)
    p1, p2, p_s = p[..., :n_1], p[..., n_1:], p[..., :n_1].sum(2)
    # the start: responses that are independent given the stimulus
    start = p1[:, :, :, None] * p2[:, :, None, :] / np.where(p_s > 0, p_s, 1.0)[:, :, None, None]
    start = np.ascontiguousarray(np.moveaxis(start, 1, 3))
    # equations, numbered by stimuli; -1 for margins of 0 and for one of each stimulus, which the others imply
    used = p > 0
    used[..., n_1:] &= used[..., n_1:][..., ::-1].cumsum(2)[..., ::-1] > 1
    eq = np.where(used, used.reshape(len(p), -1).cumsum(1).reshape(p.shape) - 1, -1)
    m, bounds = np.zeros(p.shape), np.empty((len(p), 2))
    for k in range(len(p)):
        bounds[k] = _minimise(p[k], start[k], eq[k], tolerance * LN2, m[k])
    entropy = -(p_s * np.log(np.where(p_s > 0, p_s, 1.0))).sum(1)
    slope = -m / LN2
    return Union((entropy + bounds[:, 0]) / LN2, bounds[:, 1] / LN2, slope[..., :n_1], slope[..., n_1:])

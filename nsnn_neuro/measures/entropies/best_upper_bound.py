"""Paninski's best-upper-bound (BUB) estimator, H = sum_i a(n_i) nats: least bound on the worst error on K symbols.

With g(p) = -p ln p - sum_j a_j B(j; N, p), B the binomial law, |bias| <= 2 sup_p min(K, 1 / p) |g(p)| and the variance
is at most N max_j (a_j - a_(j - 1))^2. The lowest a_j minimise both by least squares, those above are Miller & Madow's;
how many are solved for, and the weight of the variance, are those of the lowest bound.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import special, stats

from .contingency import LN2
from .estimators import Profile

_FREE = (2, 5, 10, 15, 20, 30)  # numbers of coefficients that are solved for
_WEIGHTS = np.logspace(-4, 3, 15)  # of the variance against the bias
_GRID = 400


def _miller_madow(j: np.ndarray, n: int) -> np.ndarray:
    return -special.xlogy(j / n, j / n) + (1.0 - j / n) / (2.0 * n)


@lru_cache(maxsize=4096)
def bub_coefficients(n: int, n_symbols: float) -> tuple[np.ndarray, float]:
    """Coefficients a_0 ... a_k in nats (above: Miller & Madow's) and the bound of the RMS error in bits."""
    highest = min(n, _FREE[-1])
    edge = min(1.0, 3.0 * (highest + 20.0) / n)
    # where f changes, 1 / K, and where counts of few samples live the curve has structure: a grid in sqrt(p)
    p = np.unique(np.concatenate([np.linspace(0.0, np.sqrt(edge), _GRID) ** 2, [min(1.0 / n_symbols, edge)]]))
    most = int(min(n, n * edge + 12.0 * np.sqrt(n * edge) + 20))
    j = np.arange(most + 1)
    law = stats.binom.pmf(j[None, :], n, p[:, None])
    with np.errstate(divide="ignore"):
        f = np.minimum(n_symbols, 1.0 / p)
    target = -special.xlogy(p, p)
    tail = _miller_madow(j, n)
    best: tuple[float, np.ndarray] = (np.inf, tail[: highest + 1])
    for free in sorted({min(k, n) for k in _FREE}):
        rows = (2.0 * f)[:, None] * law[:, :free] / np.sqrt(p.size)
        expected = 2.0 * f * (target - law[:, free:] @ tail[free:]) / np.sqrt(p.size)
        square, right = rows.T @ rows, rows.T @ expected
        steps = n * (2.0 * np.eye(free) - np.eye(free, k=1) - np.eye(free, k=-1))
        steps[0, 0] = n
        end = np.zeros(free)
        end[-1] = n * tail[free]
        for weight in _WEIGHTS:
            solved = np.linalg.solve(square + weight * steps, right + weight * end)
            a = np.concatenate([solved, tail[free:]])
            bias = 2.0 * np.abs(f * (target - law @ a)).max()
            bound = bias**2 + n * (np.diff(a) ** 2).max()
            if bound < best[0]:
                best = bound, a[: highest + 1]
    coefficients = best[1].copy()
    coefficients.setflags(write=False)
    return coefficients, float(np.sqrt(best[0]) / LN2)


def best_upper_bound(p: Profile) -> np.ndarray:
    """Best-upper-bound entropy in bits; 0 for no samples. Source: Paninski 2003, doi 10.1162/089976603321780272"""
    size = (p.values * p.multiplicity).sum(-1)
    zeros = p.limit - p.multiplicity.sum(-1)
    out = np.zeros(size.shape)
    for n, k in set(zip(size.flat, np.broadcast_to(p.limit, size.shape).flat, strict=True)):
        if n == 0 or k < 2:
            continue
        here = (size == n) & (p.limit == k)
        a, _ = bub_coefficients(int(n), float(k))
        m = p.values[here]
        low = a[np.minimum(m, a.size - 1).astype(int)]
        terms = np.where(m < a.size, low, _miller_madow(m, n))
        out[here] = ((p.multiplicity[here] * terms).sum(-1) + zeros[here] * a[0]) / LN2
    return out

"""Entropies from counts and the size K of the alphabet: Nemenman, Shafee & Bialek's, and Paninski's best upper bound.

Nemenman, Shafee & Bialek mix Dirichlet priors to one that is flat in entropy. Of K symbols with counts n_i, concentration b per
symbol has the evidence P(n | b) = Gamma(K b) / Gamma(N + K b) prod_i Gamma(n_i + b) / Gamma(b), and the prior over b is d xi / d b
of the expected entropy xi(b) = psi(K b + 1) - psi(b + 1). Posterior mean and SD of the entropy are sums over t = ln b, where the
trapezoidal rule converges faster than any power of its step.

Paninski's best-upper-bound (BUB) estimator, H = sum_i a(n_i) nats, has the least bound on the worst error on K symbols. With
g(p) = -p ln p - sum_j a_j B(j; N, p), B the binomial law, |bias| <= 2 sup_p min(K, 1 / p) |g(p)| and the variance is at most
N max_j (a_j - a_(j - 1))^2. The lowest a_j minimise both by least squares, those above are Miller & Madow's; how many are solved
for, and the weight of the variance, are those of the lowest bound.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import special, stats

from ...core.numba_jit import njit
from .contingency import LN2
from .estimators import Profile

_COARSE, _NODES = 25, 129
_DEPTH = 32.0  # e^-32 of the peak is left out


@njit(cache=True)  # pragma: no cover - compiled
def _psi(x: float) -> float:
    shift = 0.0
    while x < 10.0:
        shift -= 1.0 / x
        x += 1.0
    y = 1.0 / (x * x)
    tail = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y / 132))))
    return shift + np.log(x) - 0.5 / x - tail


@njit(cache=True)  # pragma: no cover - compiled
def _psi1(x: float) -> float:
    shift = 0.0
    while x < 10.0:
        shift += 1.0 / (x * x)
        x += 1.0
    y = 1.0 / (x * x)
    tail = 1 / 6 - y * (1 / 30 - y * (1 / 42 - y * (1 / 30 - y * 5 / 66)))
    return shift + 1.0 / x + 0.5 * y + tail * y / x


@njit(cache=True)  # pragma: no cover - compiled
def _log_rising(x: float, n: float) -> float:
    """ln of x (x + 1) ... (x + n - 1), lnGamma(x + n) - lnGamma(x) without cancellation."""
    product = 1.0
    while x < 20.0 and n > 0:
        product *= x
        x += 1.0
        n -= 1.0
    out = np.log(product)
    if n <= 0:
        return out
    z = x + n
    a, b = 1.0 / (x * x), 1.0 / (z * z)
    stirling = (1 / 12 - b * (1 / 360 - b / 1260)) / z - (1 / 12 - a * (1 / 360 - a / 1260)) / x
    return out + (x - 0.5) * np.log1p(n / x) + n * np.log(z) - n + stirling


@njit(cache=True)  # pragma: no cover - compiled
def _log_prior(t: float, k: float) -> float:
    """ln of b d xi / d b, the prior's density in t = ln b."""
    b = np.exp(t)
    if b < 100.0:
        return t + np.log(k * _psi1(k * b + 1.0) - _psi1(b + 1.0))
    u, y = 1.0 / k, 1.0 / (b * b)
    odd = (1.0 - u * u) / 6 - y * ((1.0 - u**4) / 30 - y * (1.0 - u**6) / 42)
    return -t + np.log(0.5 * (1.0 - u) - odd / b)


@njit(cache=True)  # pragma: no cover - compiled
def _log_weight(t: float, k: float, n: float, values: np.ndarray, multiplicity: np.ndarray) -> float:
    b = np.exp(t)
    out = _log_prior(t, k) - _log_rising(k * b, n)
    for i in range(values.size):
        if multiplicity[i] > 0:
            out += multiplicity[i] * _log_rising(b, values[i])
    return out


@njit(cache=True)  # pragma: no cover - compiled
def _entropy_given(
    t: float, k: float, n: float, values: np.ndarray, multiplicity: np.ndarray
) -> tuple[float, float]:
    """Mean and variance (nats) of the entropy under the posterior Dirichlet of n_i + b."""
    b = np.exp(t)
    total = n + k * b
    zeros = k - multiplicity.sum()
    top = _psi(total + 1.0)
    mean = zeros * b / total * (top - _psi(b + 1.0))
    for i in range(values.size):
        if multiplicity[i] > 0:
            a = values[i] + b
            mean += multiplicity[i] * a / total * (top - _psi(a + 1.0))
    centre = mean - top
    spread = zeros * b * ((_psi(b + 1.0) + centre) ** 2 + (b + 1.0) * _psi1(b + 1.0))
    for i in range(values.size):
        if multiplicity[i] > 0:
            a = values[i] + b
            spread += multiplicity[i] * a * ((_psi(a + 1.0) + centre) ** 2 + (a + 1.0) * _psi1(a + 1.0))
    return mean, max(spread / (total * (total + 1.0)) - _psi1(total + 1.0), 0.0)


@njit(cache=True)  # pragma: no cover - compiled
def _nodes(k: float, n: float, values: np.ndarray, multiplicity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes t and their weights, 1 at the peak."""
    low, high = -np.log(k) - 60.0, 90.0
    number = _COARSE
    for _ in range(30):
        t = low + (high - low) * np.arange(number) / (number - 1)
        w = np.empty(number)
        for i in range(number):
            w[i] = _log_weight(t[i], k, n, values, multiplicity)
        if number == _NODES:
            break
        inside = np.flatnonzero(w > w.max() - _DEPTH)
        low, high = t[max(inside[0] - 1, 0)], t[min(inside[-1] + 1, number - 1)]
        if inside.size > 0.6 * number:
            number = _NODES
    return t, np.exp(w - w.max())


@njit(cache=True)  # pragma: no cover - compiled
def _moments(
    values: np.ndarray, multiplicity: np.ndarray, limits: np.ndarray, means: np.ndarray, sds: np.ndarray
) -> None:
    for row in range(values.shape[0]):
        v, m, k = values[row], multiplicity[row], limits[row]
        n = (v * m).sum()
        t, weight = _nodes(k, n, v, m)
        mass, first, second, within = 0.0, 0.0, 0.0, 0.0
        for i in range(t.size):
            if weight[i] > 1e-16:
                mean, variance = _entropy_given(t[i], k, n, v, m)
                mass += weight[i]
                first += weight[i] * mean
                second += weight[i] * mean * mean
                within += weight[i] * variance
        means[row] = first / mass
        sds[row] = np.sqrt(max(within / mass + second / mass - means[row] ** 2, 0.0))


@njit(cache=True)  # pragma: no cover - compiled
def _without_one(values: np.ndarray, multiplicity: np.ndarray, limits: np.ndarray, out: np.ndarray) -> None:
    """Means without one sample of each count: one factor of the evidence and one symbol change."""
    for row in range(values.shape[0]):
        v, m, k = values[row], multiplicity[row], limits[row]
        n = (v * m).sum()
        if n < 2:
            continue
        t, weight = _nodes(k, n, v, m)
        mass, total = np.zeros(v.size), np.zeros(v.size)
        for i in range(t.size):
            if weight[i] > 1e-16:
                b = np.exp(t[i])
                size = n + k * b
                mean, _ = _entropy_given(t[i], k, n, v, m)
                parts = size * (_psi(size + 1.0) - mean)
                top = _psi(size)
                for d in range(v.size):
                    if m[d] > 0:
                        less = v[d] - 1.0 + b  # in this order: b may be lost in rounding beside v
                        # a psi(a + 1) - (a - 1) psi(a) = psi(a) + 1
                        w = weight[i] * (size - 1.0) / less
                        mass[d] += w
                        total[d] += w * (top - (parts - _psi(v[d] + b) - 1.0) / (size - 1.0))
        for d in range(v.size):
            if m[d] > 0:
                out[row, d] = total[d] / mass[d]


def nsb_moments(p: Profile) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean and standard deviation of the entropy in bits (without samples the prior's)."""
    shape, d = p.values.shape[:-1], p.values.shape[-1]
    values = np.ascontiguousarray(p.values, dtype=float).reshape(-1, d)
    multiplicity = np.ascontiguousarray(p.multiplicity, dtype=float).reshape(-1, d)
    limits = np.ascontiguousarray(p.limit, dtype=float).reshape(-1)
    means, sds = np.zeros((2, len(values)))
    many = np.flatnonzero(limits > 1)
    some = np.zeros((2, many.size))
    _moments(values[many], multiplicity[many], limits[many], some[0], some[1])
    means[many], sds[many] = some
    return means.reshape(shape) / LN2, sds.reshape(shape) / LN2


def nsb(p: Profile) -> np.ndarray:
    """Posterior mean of the entropy in bits, 0 for no samples (Nemenman, Shafee & Bialek 2002, Advances in NIPS 14)."""
    return np.where((p.values * p.multiplicity).sum(-1) > 0, nsb_moments(p)[0], 0.0)


def nsb_without_one(p: Profile) -> np.ndarray:
    """`nsb` without one sample of each count, (rows, d) in bits, on the nodes of the whole sample."""
    out = np.zeros(p.values.shape)
    many = np.flatnonzero(p.limit > 1)
    some = np.zeros((many.size, p.values.shape[1]))
    _without_one(p.values[many], p.multiplicity[many], np.asarray(p.limit[many], dtype=float), some)
    out[many] = some
    return out / LN2


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

"""Mutual information of continuous variables by nearest neighbours.

The estimate is a mean of n local terms of variance V; neighbours share samples, which adds SHARED/k nats^2 to V at
independence: se^2 is the sum over n.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma

from ...core.aliases import Values
from ...core.checks import check, one_of, suggest_keywords
from ...core.errors import NsnnError
from ...core.numba_jit import njit
from ..entropies.contingency import LN2
from ..estimate import Estimate
from ..response_checks import as_pair, refuse_constant, with_test
from .copula import normal_scores as scores_of

SHARED = 0.75  # k times the variance (nats^2, times n) that shared samples add; 0.4 to 1.2 in simulations of 2 to 4 dimensions
_JITTER = 1e-10  # of the standard deviation: the noise that breaks ties


@njit(cache=True)  # pragma: no cover - compiled
def _within(values: np.ndarray, at: float, reach: float, closed: bool) -> int:
    """Number of sorted values within `reach` of `at`; `closed` includes the border."""
    low, high = 0, values.size
    while low < high:  # the first value that is not too far below
        middle = (low + high) // 2
        apart = at - values[middle]
        if apart > reach or (apart == reach and not closed):
            low = middle + 1
        else:
            high = middle
    first = low
    high = values.size
    while low < high:  # the first value that is too far above
        middle = (low + high) // 2
        apart = values[middle] - at
        if apart > reach or (apart == reach and not closed):
            high = middle
        else:
            low = middle + 1
    return low - first


@njit(cache=True)  # pragma: no cover - compiled
def _counts_within(values: np.ndarray, ordered: np.ndarray, reach: np.ndarray, closed: bool) -> np.ndarray:
    out = np.empty(values.size, np.int64)
    for i in range(values.size):
        out[i] = _within(ordered, values[i], reach[i], closed)
    return out


@njit(cache=True)  # pragma: no cover - compiled
def _insert(near: np.ndarray, who: np.ndarray, apart: float, j: int) -> None:
    """Put a neighbour nearer than the last of the k best into its place."""
    place = near.size - 1
    while place > 0 and near[place - 1] > apart:
        near[place], who[place] = near[place - 1], who[place - 1]
        place -= 1
    near[place], who[place] = apart, j


@njit(cache=True)  # pragma: no cover - compiled
def _search_strip(
    i: int,
    x: np.ndarray,
    y: np.ndarray,
    first: int,
    last: int,
    strip_y: np.ndarray,
    strip_who: np.ndarray,
    near: np.ndarray,
    who: np.ndarray,
) -> None:
    """Neighbours of i among one strip's points, sorted by y: walk away from y[i] on both sides."""
    low = first + np.searchsorted(strip_y[first:last], y[i])
    worst = near.size - 1
    j = low
    while j < last and strip_y[j] - y[i] < near[worst]:
        apart = max(strip_y[j] - y[i], abs(x[strip_who[j]] - x[i]))
        if apart < near[worst] and strip_who[j] != i:
            _insert(near, who, apart, strip_who[j])
        j += 1
    j = low - 1
    while j >= first and y[i] - strip_y[j] < near[worst]:
        apart = max(y[i] - strip_y[j], abs(x[strip_who[j]] - x[i]))
        if apart < near[worst] and strip_who[j] != i:
            _insert(near, who, apart, strip_who[j])
        j -= 1


@njit(cache=True)  # pragma: no cover - compiled
def _sums_of_psi(
    x: np.ndarray, y: np.ndarray, y_ordered: np.ndarray, k: int, variant: int, psi: np.ndarray, size: int
) -> np.ndarray:
    """psi(n_x + 1) + psi(n_y + 1), or psi(n_x) + psi(n_y), of each point, x sorted, y in its order."""
    n = x.size
    n_strips = (n + size - 1) // size  # of `size` neighbours along x, each sorted by y
    strip_y = np.empty(n)
    strip_who = np.empty(n, np.int64)
    for s in range(n_strips):
        first, last = s * size, min((s + 1) * size, n)
        order = np.argsort(y[first:last])
        for m in range(last - first):
            strip_who[first + m] = first + order[m]
            strip_y[first + m] = y[first + order[m]]
    near = np.empty(k)  # distances of the best, sorted, and who they are
    who = np.empty(k, np.int64)
    out = np.empty(n)
    for i in range(n):
        near[:] = np.inf
        s = i // size
        _search_strip(i, x, y, s * size, min((s + 1) * size, n), strip_y, strip_who, near, who)
        left = s - 1
        while left >= 0 and x[i] - x[(left + 1) * size - 1] < near[k - 1]:
            _search_strip(i, x, y, left * size, (left + 1) * size, strip_y, strip_who, near, who)
            left -= 1
        right = s + 1
        while right < n_strips and x[right * size] - x[i] < near[k - 1]:
            last = min((right + 1) * size, n)
            _search_strip(i, x, y, right * size, last, strip_y, strip_who, near, who)
            right += 1
        if variant == 1:
            n_x = _within(x, x[i], near[k - 1], False)
            n_y = _within(y_ordered, y[i], near[k - 1], False)
            out[i] = psi[n_x] + psi[n_y]  # the counts include the point itself
        else:
            e_x, e_y = 0.0, 0.0
            for m in range(k):
                e_x = max(e_x, abs(x[who[m]] - x[i]))
                e_y = max(e_y, abs(y[who[m]] - y[i]))
            out[i] = psi[_within(x, x[i], e_x, True) - 1] + psi[_within(y_ordered, y[i], e_y, True) - 1]
    return out


def _planar(x: np.ndarray, y: np.ndarray, k: int, variant: int) -> np.ndarray:
    """Local terms of KSG, (n,) nats, of x (n,) and y (n,), in the order of x."""
    order = np.argsort(x)
    harmonic = np.cumsum(1 / np.arange(1, x.size))
    psi = np.concatenate([[-np.inf], -np.euler_gamma + np.append(0, harmonic)])  # digamma of 0 ... n
    size = max(8, int(np.sqrt(x.size * k)))
    sums = _sums_of_psi(x[order], y[order], np.sort(y), k, variant, psi, size)
    return psi[k] - (0.0 if variant == 1 else 1 / k) + psi[-1] - sums


def _spatial(x: np.ndarray, y: np.ndarray, k: int, variant: int) -> np.ndarray:
    """Local terms of KSG, (n,) nats, of x (n, d) and y (n, e), by k-d trees."""
    n = len(x)
    both = np.concatenate([x, y], axis=1)
    distance, who = cKDTree(both).query(both, k=k + 1, p=np.inf)
    sums = np.zeros(n)
    for part in (x, y):
        if variant == 1:
            count = _neighbours(part, distance[:, k], closed=False)
        else:
            reach = np.abs(part[who[:, 1:]] - part[:, None]).max(axis=(1, 2))
            count = _neighbours(part, reach, closed=True) - 1
        sums += digamma(count)
    return digamma(k) - (0.0 if variant == 1 else 1 / k) + digamma(n) - sums


def _neighbours(part: np.ndarray, reach: np.ndarray, closed: bool) -> np.ndarray:
    """Points, itself included, within reach (n,) of each point (n, d) in the maximum norm."""
    if part.shape[1] == 1:
        return _counts_within(part[:, 0], np.sort(part[:, 0]), reach, closed)
    radius = reach if closed else np.nextafter(reach, 0.0)
    return cKDTree(part).query_ball_point(part, radius, p=np.inf, return_length=True)


@suggest_keywords
def ksg(
    x: Values,
    y: Values,
    *,
    k: int = 3,
    variant: int = 1,
    normal_scores: bool = False,
    n_shuffle: int = 100,
    seed: int = 0,
) -> Estimate:
    """Mutual information of continuous x and y from distances to the k-th neighbour, in bits.

    Variant 1: I = psi(k) + psi(n) - mean of psi(n_x + 1) + psi(n_y + 1), n_x the samples whose x is
    nearer than the k-th neighbour in the joint space (maximum norm); variant 2: psi(k) - 1/k +
    psi(n) - mean of psi(n_x) + psi(n_y), n_x those within the extent in x of the k neighbours. psi
    is the digamma function. Columns are divided by their standard deviations. The estimate may be
    negative: clipping would bias it. Larger k: less variance, more bias towards 0. n samples
    resolve hardly more than log2(n) bits (Gao et al. 2015). Skewed or heavy-tailed columns bias
    towards 0 too, unless `normal_scores`. Samples must be independent: of a time series take samples
    further apart than its correlation time.

    se: spread of the local terms and of samples that neighbours share, for normal marginals and n of
    at least 300. p: y is permuted.

    Parameters
    ----------
    x, y : (n,) or (n, d) samples
    k : neighbours, less than n - 1
    variant : 1 or 2
    normal_scores : True replaces each column by ndtri(rank / (n + 1)), after which no increasing
        function of a column changes the value. False (default) is the source's estimator
    n_shuffle, seed : of the shuffles (and of the noise that breaks ties); 0 for none

    Raises
    ------
    NsnnError : a constant column, one with fewer distinct values than half of the samples
        (discrete: use `mutual_information`), NaN, different lengths, fewer than 10 or k + 2
        samples. Sources: Kraskov, Stoegbauer & Grassberger 2004, doi 10.1103/PhysRevE.69.066138;
        Gao, Ver Steeg & Galstyan 2015, arXiv 1411.2003

    >>> rng = np.random.default_rng(1)
    >>> x, noise = rng.normal(size=(2, 2000))
    >>> e = ksg(x, x + noise)  # truth: 1/2 bit
    >>> bool(abs(e.value - 0.5) < 2 * e.se), round(e.p, 4)
    (True, 0.0099)
    """
    check(k=k, variant=variant, normal_scores=normal_scores, n_shuffle=n_shuffle, seed=seed)
    one_of(variant, (1, 2), "variant")
    rng = np.random.default_rng(seed)
    a, b = as_pair(x, y, least=max(10, k + 2))
    a, b = spread_columns(a, "x", normal_scores, rng), spread_columns(b, "y", normal_scores, rng)
    local = _spatial
    if a.shape[1] == b.shape[1] == 1:
        a, b, local = a[:, 0], b[:, 0], _planar
    n = len(a)
    terms = local(a, b, k, variant) / LN2
    value = float(terms.mean())
    null = np.array([local(a, b[rng.permutation(n)], k, variant).mean() for _ in range(n_shuffle)])
    se, name = float(np.sqrt((terms.var(ddof=1) + SHARED / k / LN2**2) / n)), f"ksg, variant {variant}"
    many = f"{n} samples show hardly more than {np.log2(n):.1f} bit: the truth may be higher"
    warning = many if value >= 0.6 * np.log2(n) else None
    return with_test(value, se, name, null / LN2, n=n, warning=warning, se_method="local terms")


def spread_columns(
    values: np.ndarray, name: str, normal_scores: bool, rng: np.random.Generator
) -> np.ndarray:
    """Columns in units of their standard deviations, or normal scores, ties broken; not discrete."""
    refuse_constant(values, name)
    n = len(values)
    scaled = scores_of(values) if normal_scores else values - values.mean(axis=0)
    scaled /= scaled.std(axis=0)
    ordered = np.sort(scaled, axis=0)
    distinct = 1 + (np.diff(ordered, axis=0) > 0).sum(axis=0)
    if (distinct < n / 2).any():
        k = int(np.argmin(distinct))
        raise NsnnError(
            f"{name}: column {k} has {distinct[k]} distinct values among {n} samples: not continuous; use "
            "mutual_information for discrete data"
        )
    tied = distinct < n
    scaled[:, tied] += _JITTER * rng.standard_normal((n, int(tied.sum())))
    return scaled

"""Mutual information of continuous variables: by nearest neighbours, and through the Gaussian copula.

`ksg` finds any dependence, at the price of samples; `gaussian_copula` sees what a Gaussian of the same ranks
would carry, a lower bound where each marginal is transformed to a normal (exact for a Gaussian copula), with
few samples. Samples must be independent of each other: of a time series take samples further apart than its
correlation time. Both standard errors are delete-a-group jackknives, over `GROUPS` random groups of samples:
with nearest neighbours, whose local terms are correlated and not smooth, leaving out one sample at a time or
a bootstrap (which makes ties) is known to fail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma, ndtri
from scipy.stats import rankdata

from ..errors import NsnnError
from .estimate import Estimate
from .samples import as_samples, reached, whole

__all__ = ["gaussian_copula", "ksg"]

GROUPS = 20
"""groups of the jackknife: its error bar has a relative error of about 1 / sqrt(2 GROUPS)"""
JITTER = 1e-10
"""of the standard deviation: the noise that breaks ties"""
CHUNK = 2**22
"""numbers held at once by the vectorised shuffles"""


@numba.njit(cache=True)
def _within(values, at, reach, closed):  # pragma: no cover - compiled
    """How many of the sorted values are nearer to `at` than `reach`, or as near when `closed`."""
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


@numba.njit(cache=True)
def _counts_within(values, ordered, reach, closed):  # pragma: no cover - compiled
    out = np.empty(values.size, np.int64)
    for i in range(values.size):
        out[i] = _within(ordered, values[i], reach[i], closed)
    return out


@numba.njit(cache=True)
def _insert(near, who, apart, j):  # pragma: no cover - compiled
    """Put a neighbour nearer than the last of the k best into its place."""
    place = near.size - 1
    while place > 0 and near[place - 1] > apart:
        near[place], who[place] = near[place - 1], who[place - 1]
        place -= 1
    near[place], who[place] = apart, j


@numba.njit(cache=True)
def _search_strip(i, x, y, first, last, strip_y, strip_who, near, who):  # pragma: no cover - compiled
    """Neighbours of i among one strip's points, sorted by y: walk away from y[i] on both sides."""
    low, high = first, last
    while low < high:
        middle = (low + high) // 2
        if strip_y[middle] < y[i]:
            low = middle + 1
        else:
            high = middle
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


@numba.njit(cache=True)
def _mean_psi(x, y, y_ordered, k, variant, psi, size):  # pragma: no cover - compiled
    """Mean of psi(n_x + 1) + psi(n_y + 1), or psi(n_x) + psi(n_y), for x sorted and y in x's order.

    Points are put into strips of `size` neighbours along x, each sorted by y: the k neighbours of a point are
    found in its own strip and those beside it, until x alone is further than the k-th best.
    """
    n = x.size
    n_strips = (n + size - 1) // size
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
    total = 0.0
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
            total += psi[n_x] + psi[n_y]  # the counts include the point itself
        else:
            e_x, e_y = 0.0, 0.0
            for m in range(k):
                e_x = max(e_x, abs(x[who[m]] - x[i]))
                e_y = max(e_y, abs(y[who[m]] - y[i]))
            total += psi[_within(x, x[i], e_x, True) - 1] + psi[_within(y_ordered, y[i], e_y, True) - 1]
    return total / n


def _planar(x: np.ndarray, y: np.ndarray, k: int, variant: int) -> float:
    """KSG in nats of x (n,) and y (n,)."""
    order = np.argsort(x, kind="stable")
    psi = _psi(x.size)
    size = max(8, int(np.sqrt(x.size * k)))
    mean = _mean_psi(x[order], y[order], np.sort(y), k, variant, psi, size)
    return float(psi[k] - (0.0 if variant == 1 else 1 / k) + psi[-1] - mean)


def _psi(n: int) -> np.ndarray:
    """digamma(0 ... n), of whole numbers; the first is not used."""
    return np.concatenate([[-np.inf], -np.euler_gamma + np.concatenate([[0], np.cumsum(1 / np.arange(1, n))])])


def _spatial(x: np.ndarray, y: np.ndarray, k: int, variant: int) -> float:
    """KSG in nats of x (n, d) and y (n, e) by k-d trees."""
    n = len(x)
    both = np.concatenate([x, y], axis=1)
    distance, who = cKDTree(both).query(both, k=k + 1, p=np.inf)
    total = np.zeros(n)
    for part in (x, y):
        if variant == 1:
            count = _neighbours(part, distance[:, k], closed=False)
        else:
            reach = np.abs(part[who[:, 1:]] - part[:, None]).max(axis=(1, 2))
            count = _neighbours(part, reach, closed=True) - 1
        total += digamma(count)
    return float(digamma(k) - (0.0 if variant == 1 else 1 / k) + digamma(n) - total.mean())


def _neighbours(part: np.ndarray, reach: np.ndarray, closed: bool) -> np.ndarray:
    """How many points, itself included, lie within reach (n,) of each point (n, d) in the maximum norm."""
    if part.shape[1] == 1:
        return _counts_within(part[:, 0], np.sort(part[:, 0]), reach, closed)
    radius = reach if closed else np.nextafter(reach, 0.0)
    return cKDTree(part).query_ball_point(part, radius, p=np.inf, return_length=True)


def ksg(
    x: Any, y: Any, *, k: int = 3, variant: int = 1, n_shuffle: int = 100, seed: int = 0
) -> Estimate:
    """Mutual information of continuous x and y from distances to the k-th neighbour, in bits.

    Variant 1: I = psi(k) + psi(n) - mean of psi(n_x + 1) + psi(n_y + 1), n_x the samples whose x is nearer than
    the k-th neighbour in the joint space (maximum norm); variant 2: psi(k) - 1/k + psi(n) - mean of psi(n_x) +
    psi(n_y), n_x those within the extent in x of the k neighbours. psi is the digamma function. Every column
    is first divided by its standard deviation. The estimate may be negative: it isn't cut, which would bias it.

    Larger k: less variance, more bias towards 0. Strong dependence needs samples: beyond about log2(n) bits no
    n samples tell (Gao et al. 2015). Ties, which continuous data have by rounding alone, are broken by normal noise of
    1e-10 standard deviations. se: jackknife over 20 random groups of samples. Regime of two standard errors,
    held in the tests: one-dimensional x and y, n of 300 or more, up to 1.2 bits; several dimensions together up to 4,
    n of 1000 or more, up to 0.5 bits (the bias grows with dimension and dependence). p: y is permuted.

    Parameters
    ----------
    x, y : (n,) or (n, d) samples
    k : neighbours, less than 0.9 n
    variant : 1 or 2
    n_shuffle : 0 leaves null_mean and p None
    seed : of jitter, groups and shuffles

    Raises
    ------
    NsnnError : a constant column, a column with fewer distinct values than half of the samples (discrete data:
        use `mutual_information`, or bins), NaN, different lengths, n too small. Sources: Kraskov, Stoegbauer & Grassberger
        2004, doi 10.1103/PhysRevE.69.066138; its variance, Holmes & Nemenman 2019, doi 10.1103/PhysRevE.100.022404

    >>> rng = np.random.default_rng(1)
    >>> x, noise = rng.normal(size=(2, 2000))
    >>> e = ksg(x, x + noise)  # truth: 1/2 bit
    >>> bool(abs(e.value - 0.5) < 2 * e.se), e.p
    (True, 0.009900990099009901)
    """
    if variant not in (1, 2):
        raise NsnnError(f"variant = {variant!r}: expected 1 or 2")
    whole(k, 1, "k")
    whole(n_shuffle, 0, "n_shuffle")
    rng = np.random.default_rng(seed)
    a, b = _pair(x, y, least=max(10, int(k / 0.9) + 2))
    a, b = _spread(a, "x", rng), _spread(b, "y", rng)
    if a.shape[1] == b.shape[1] == 1:
        a, b, estimate = a[:, 0], b[:, 0], _planar
    else:
        estimate = _spatial

    def information(u: np.ndarray, v: np.ndarray) -> float:
        return estimate(u, v, k, variant) / np.log(2)

    n = len(a)
    value = information(a, b)
    group = rng.permutation(np.arange(n) % GROUPS)
    left_out = [information(a[group != g], b[group != g]) for g in range(GROUPS)] if n >= 2 * GROUPS else []
    null = np.array([information(a, b[rng.permutation(n)]) for _ in range(n_shuffle)])
    warning = None
    if value > 0.75 * np.log2(n):
        warning = f"{n} samples tell no more than about {np.log2(n):.1f} bit: the estimate is too low"
    return _estimate(value, _jackknife(left_out), f"ksg, variant {variant}", null, n, warning)


def gaussian_copula(x: Any, y: Any, *, n_shuffle: int = 100, seed: int = 0) -> Estimate:
    """Mutual information of the Gaussian that has the ranks of x and y, in bits: a lower bound.

    Each column becomes normal scores, ndtri(rank / (n + 1)), and I = 1/2 log2(|S_x| |S_y| / |S|), S the
    covariance of the scores, less its bias, [sum of psi((n - i)/2) over i = 1..d, and over 1..e, less that over
    1..(d + e)] / (2 ln 2): exact for Gaussian samples. Any increasing function of a column changes nothing. Dependence without
    correlation of the ranks, as of y = x^2, is invisible. Ties share their mean rank.

    se: jackknife over 20 random groups of samples, and in quadrature what remains at independence, where I is
    a chi^2 with d e degrees of freedom over 2 n, so sqrt(d e / 2) / (n ln 2). Regime of two standard errors, held
    in the tests: Gaussian copulas, n of at least 50 and 20 (d + e), up to 3 bits. p: the rows of y are permuted.

    Parameters
    ----------
    x, y : (n, d) and (n, e) samples, or (n,)
    n_shuffle : 0 leaves null_mean and p None
    seed : of groups and shuffles

    Raises
    ------
    NsnnError : a constant column, columns that are functions of each other, NaN, different lengths, n <= d +
        e + 1. Source: Ince et al. 2017, doi 10.1002/hbm.23471

    >>> rng = np.random.default_rng(1)
    >>> x, noise = rng.normal(size=(2, 400))
    >>> e = gaussian_copula(np.exp(x), x + noise)  # truth: 1/2 bit
    >>> bool(abs(e.value - 0.5) < 2 * e.se), e.p
    (True, 0.009900990099009901)
    """
    whole(n_shuffle, 0, "n_shuffle")
    a, b = _pair(x, y, least=None)
    for part, name in ((a, "x"), (b, "y")):
        _refuse_constant(part, name)
    n, d, e = len(a), a.shape[1], b.shape[1]
    rng = np.random.default_rng(seed)
    value = _gaussian_information(_scores(a), _scores(b))
    group = rng.permutation(np.arange(n) % GROUPS)
    left_out = []
    if n - -(-n // GROUPS) > d + e + 1 and n >= 2 * GROUPS:
        kept = [group != g for g in range(GROUPS)]
        left_out = [_gaussian_information(_scores(a[keep]), _scores(b[keep])) for keep in kept]
    se = float(np.hypot(_jackknife(left_out), np.sqrt(d * e / 2) / (n * np.log(2))))
    null = _gaussian_null(_scores(a), _scores(b), n_shuffle, rng)
    few = n < 20 * (d + e)
    warning = f"{n} samples of {d + e} columns: fewer than 20 for each" if few else None
    return _estimate(value, se, "gaussian, digamma", null, n, warning)


def _estimate(
    value: float, se: float, correction: str, null: np.ndarray, n: int, warning: str | None
) -> Estimate:
    return Estimate(
        value,
        se=se,
        correction=correction,
        null_mean=float(null.mean()) if null.size else None,
        p=reached(null, value),
        n=n,
        warning=warning if not np.isnan(se) else f"{n} samples: too few for an se",
        se_method=None if np.isnan(se) else f"jackknife over {GROUPS} groups",
    )


def _pair(x: Any, y: Any, least: int | None) -> tuple[np.ndarray, np.ndarray]:
    a, b = as_samples(x, "x"), as_samples(y, "y")
    if len(a) != len(b):
        raise NsnnError(f"x has {len(a)} samples and y has {len(b)}: expected as many")
    fewest = a.shape[1] + b.shape[1] + 2 if least is None else least
    if len(a) < fewest:
        raise NsnnError(f"x and y have {len(a)} samples of {a.shape[1]} + {b.shape[1]} columns: need {fewest}")
    return a, b


def _refuse_constant(values: np.ndarray, name: str) -> None:
    constant = np.ptp(values, axis=0) == 0
    if constant.any():
        k = int(np.argmax(constant))
        raise NsnnError(f"{name}: column {k} is constant ({values[0, k]}): it carries no information, leave it out")


def _spread(values: np.ndarray, name: str, rng: np.random.Generator) -> np.ndarray:
    """Columns in units of their standard deviations, with ties broken; refuses discrete data."""
    _refuse_constant(values, name)
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    n = len(scaled)
    ordered = np.sort(scaled, axis=0)
    distinct = 1 + (np.diff(ordered, axis=0) > 0).sum(axis=0)
    if (distinct < n / 2).any():
        k = int(np.argmin(distinct))
        raise NsnnError(
            f"{name}: column {k} has {distinct[k]} distinct values among {n} samples: not continuous; use "
            "mutual_information for discrete data"
        )
    tied = distinct < n
    scaled[:, tied] += JITTER * rng.standard_normal((n, int(tied.sum())))
    return scaled


def _jackknife(left_out: list[float]) -> float:
    """SE from the values without each group; NaN without them."""
    if not left_out:
        return float("nan")
    values = np.array(left_out)
    return float(np.sqrt((values.size - 1) * values.var()))


def _scores(values: np.ndarray) -> np.ndarray:
    """Normal scores of the columns, centred."""
    scores = ndtri(rankdata(values, axis=0) / (len(values) + 1))
    return scores - scores.mean(axis=0)


def _log_det(covariance: np.ndarray) -> float:
    return float(np.linalg.slogdet(covariance)[1])


def _excess(n: int, d: int, e: int) -> float:
    """What the plug-in Gaussian information is too high by, in bits."""
    psi = digamma((n - np.arange(1, d + e + 1)) / 2)
    return float((psi[:d].sum() + psi[:e].sum() - psi.sum()) / (2 * np.log(2)))


def _gaussian_information(a: np.ndarray, b: np.ndarray) -> float:
    """Corrected information in bits of normal scores (n, d) and (n, e)."""
    both = np.concatenate([a, b], axis=1)
    correlation = np.corrcoef(both, rowvar=False)
    if np.linalg.eigvalsh(correlation)[0] < 1e-12:
        raise NsnnError("x and y: a column is a function of others in its ranks: infinite information; leave it out")
    d = a.shape[1]
    logs = _log_det(correlation[:d, :d]) + _log_det(correlation[d:, d:]) - _log_det(correlation)
    return logs / (2 * np.log(2)) - _excess(len(a), d, b.shape[1])


def _gaussian_null(a: np.ndarray, b: np.ndarray, n_shuffle: int, rng: np.random.Generator) -> np.ndarray:
    """The same for b's rows permuted: only the covariance between a and b changes, so many at once."""
    n = len(a)
    # with white a and b, I = -1/2 log2 det(1 - C^T C)
    white: Callable[[np.ndarray], np.ndarray] = lambda z: np.linalg.qr(z)[0]  # noqa: E731
    a, b = white(a), white(b)
    chunk = max(1, CHUNK // b.size)
    values = []
    for first in range(0, n_shuffle, chunk):
        size = min(chunk, n_shuffle - first)
        order = rng.permuted(np.tile(np.arange(n), (size, 1)), axis=1)
        cross = np.einsum("nd,sne->sde", a, b[order], optimize=True)
        remainder = np.eye(b.shape[1]) - np.swapaxes(cross, 1, 2) @ cross
        values.append(-np.linalg.slogdet(remainder)[1] / (2 * np.log(2)))
    null = np.concatenate([np.empty(0), *values])
    return null - _excess(n, a.shape[1], b.shape[1])

"""Gaussian-copula mutual information: that of Gaussian variables with the same ranks.

With shrinkage, the regression of the responses' scores y (n, e) on white scores x (n, d) leaves noise of correlation
matrix R, which becomes R_a = (1 - a) R + a 1, and I = 1/2 log2 det(1 + G R_a^-1 G^T), G (d, e) the regressed part in
units of the noise. Shrinking the correlations of x and y too would take away most of the information. a = sum of
var(r_ij) / sum of r_ij^2 over i != j minimises the expected squared error of R_a (Ledoit & Wolf 2004, doi
10.1016/S0047-259X(03)00096-4). The bias is the mean over shuffles of x.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import digamma, ndtri
from scipy.stats import rankdata

from ...core.aliases import Values
from ...core.checks import check, fraction, one_of, suggest_keywords
from ...core.errors import NsnnError
from ..estimate import Estimate
from ..response_checks import as_labels, as_pair, as_samples, refuse_constant, refuse_swapped, with_test

CHUNK = 2**22  # numbers held at once by the vectorised shuffles
_N_GROUPS = 20  # of the jackknife


@suggest_keywords
def gaussian_copula(
    x: Values, y: Values, *, shrinkage: float | str | None = None, n_shuffle: int = 100, seed: int = 0
) -> Estimate:
    """Mutual information of the Gaussian that has the ranks of x and y, in bits: a lower bound.

    Each column becomes normal scores, ndtri(rank / (n + 1)), and I = 1/2 log2(|S_x| |S_y| / |S|), S
    the scores' covariance, less its bias, [sum of psi((n - i)/2) over i = 1..d, and over 1..e, less
    that over 1..(d + e)] / (2 ln 2): exact for Gaussian samples. Increasing functions of a column
    change nothing. Dependence without correlation of ranks, as of y = x^2, is invisible. Ties share
    a rank.

    se: from the influence function, ranks included, and in quadrature what remains at independence.
    Samples must be independent: of a time series take samples further apart than its correlation
    time. p: rows of y are permuted.

    `shrinkage`, for few trials x of a large population y, multiplies the correlations of y given x
    (noise correlations) by 1 - a. The bias is then the mean over shuffles of x; se is from a
    jackknife of 20 groups. The estimate scatters less, has no bias without information and is too
    low with it ("Estimators of information" in the documentation).

    Parameters
    ----------
    x, y : (n, d) and (n, e) samples, or (n,)
    shrinkage : None (default), "auto" (the optimum of Ledoit & Wolf, for correlations), or from 0
        to 1
    n_shuffle, seed : of the shuffles; 0 leaves null_mean and p None, not with shrinkage

    Raises
    ------
    NsnnError : a constant column, columns that are functions of each other, NaN, different lengths,
        n <= d + e + 1 (with shrinkage: n <= d + 3). Sources: Ince et al. 2017, doi
        10.1002/hbm.23471; shrinkage of correlations: Schäfer & Strimmer 2005, doi
        10.2202/1544-6115.1175

    >>> rng = np.random.default_rng(1)
    >>> x, noise = rng.normal(size=(2, 400))
    >>> e = gaussian_copula(np.exp(x), x + noise)  # truth: 1/2 bit
    >>> bool(abs(e.value - 0.5) < 2 * e.se), round(e.p, 4)
    (True, 0.0099)
    """
    check(n_shuffle=n_shuffle, seed=seed)
    if isinstance(shrinkage, str):
        one_of(shrinkage, ("auto",), "shrinkage")
    elif shrinkage is not None:
        shrinkage = fraction(shrinkage, "shrinkage")
    least = None if shrinkage is None else np.shape(x)[1] + 4 if np.ndim(x) == 2 else 5
    a, b = as_pair(x, y, least=least)
    for part, name in ((a, "x"), (b, "y")):
        refuse_constant(part, name)
    n, d, e = len(a), a.shape[1], b.shape[1]
    a, b = normal_scores(a), normal_scores(b)
    if shrinkage is not None:
        return _shrunk(a, b, None if isinstance(shrinkage, str) else shrinkage, n_shuffle, seed)
    value = _gaussian_information(a, b)
    null = _gaussian_null(a, b, n_shuffle, np.random.default_rng(seed))
    warning = f"{n} samples of {d + e} columns: fewer than 20 for each" if n < 20 * (d + e) else None
    return _estimate(value, _gaussian_influence(a, b), d * e, null, warning)


def _estimate(
    value: float, influence: np.ndarray, freedom: float, null: np.ndarray, warning: str | None
) -> Estimate:
    """With the error of the samples' influence (n,), and of a chi^2 with this freedom."""
    n = influence.size
    se = float(np.hypot(influence.std(ddof=1) / np.sqrt(n), np.sqrt(freedom / 2) / (n * np.log(2))))
    how = "influence function"
    return with_test(value, se, "gaussian, digamma", null, n=n, warning=warning, se_method=how)


def _shrunk(a: np.ndarray, b: np.ndarray, shrinkage: float | None, n_shuffle: int, seed: int) -> Estimate:
    if n_shuffle < 1:
        raise NsnnError(f"n_shuffle = {n_shuffle}: shrinkage takes bias from shuffles, expected at least 1")
    if np.linalg.matrix_rank(a) < a.shape[1]:
        raise NsnnError("x: a column is a function of others in its ranks; leave it out")
    rng = np.random.default_rng(seed)
    plain, used = _shrunk_information(a, b, shrinkage)
    null = np.array([_shrunk_information(rng.permutation(a), b, shrinkage)[0] for _ in range(n_shuffle)])
    bias, n, columns = float(null.mean()), len(a), a.shape[1] + b.shape[1]
    few = f"{n} samples of {columns} columns, shrinkage {used:.2g}: fewer than 10 for each, so the estimate is too low"
    value, se = plain - bias, _grouped_jackknife(a, b, shrinkage, rng)
    result = with_test(value, se, "gaussian, shuffles", null - bias, n=n, se_method="jackknife of 20 groups")
    warning = few if n < 10 * columns else None
    return replace(result, warning=warning, reason=f"noise correlations are shrunk by {used:.2g}")


def _shrunk_information(x: np.ndarray, y: np.ndarray, shrinkage: float | None) -> tuple[float, float]:
    """Uncorrected bits of centred scores (n, d) and (n, e), and the shrinkage used."""
    white = np.linalg.qr(x)[0]
    along = white.T @ y
    noise = y - white @ along
    size = np.sqrt((noise**2).sum(axis=0))
    noise, along = noise / size, along / size
    correlation = noise.T @ noise
    if shrinkage is None:  # the best one
        off, squares = ~np.eye(len(correlation), dtype=bool), noise**2
        variances = len(noise) * (squares.T @ squares) - correlation**2
        of_r = (correlation[off] ** 2).sum()
        best = variances[off].sum() / (len(noise) - 1) / of_r if of_r > 0 else 0.0
        shrinkage = float(np.clip(best, 0.0, 1.0))
    a = shrinkage
    shrunk = (1 - a) * correlation
    np.fill_diagonal(shrunk, 1.0)
    inverse = np.linalg.solve(shrunk, along.T) if a > 0 else np.linalg.lstsq(shrunk, along.T, rcond=None)[0]
    gain = np.eye(x.shape[1]) + along @ inverse
    return float(np.linalg.slogdet(gain)[1] / (2 * np.log(2))), a


def _grouped_jackknife(
    a: np.ndarray, b: np.ndarray, shrinkage: float | None, rng: np.random.Generator
) -> float:
    """Standard error by leaving out 20 random groups of samples; the others are ranked anew."""
    groups = np.array_split(rng.permutation(len(a)), min(_N_GROUPS, len(a)))
    values = []
    for group in groups:
        x, y = (normal_scores(np.delete(part, group, axis=0)) for part in (a, b))
        values.append(_shrunk_information(x, y, shrinkage)[0])
    return float(np.sqrt((len(groups) - 1) * np.var(values)))


@suggest_keywords
def gaussian_copula_classes(classes: Any, x: Values, *, n_shuffle: int = 100, seed: int = 0) -> Estimate:
    """Information of continuous x about discrete classes, by Gaussians of normal scores, bits.

    I = H(x) - sum over classes of n_c/n H(x | c), H = 1/2 log2 |S| of normal scores ndtri(rank / (n
    + 1)), each less its bias, [sum over i = 1..d of psi((n - i)/2) - ln((n - 1)/2)] / (2 ln 2).
    Increasing functions of a column change nothing. In one dimension it is a lower bound, as
    Gaussians have the most entropy of their variance; in several it may be too high.

    se: as of `gaussian_copula`; classes that hardly overlap are not Gaussian in the scores. Null:
    classes permuted.

    Parameters
    ----------
    classes : (n,) whole numbers, texts, or floats that repeat, at least d + 3 samples of each
    x : (n,) or (n, d) samples, for example latencies or field potentials
    n_shuffle, seed : as for `gaussian_copula`

    Raises
    ------
    NsnnError : swapped arguments, a constant column, columns that are functions of each other (in a
        class too), NaN, one class, fewer than d + 3 samples of a class. Source: Ince et al. 2017, doi
        10.1002/hbm.23471

    >>> rng = np.random.default_rng(1)
    >>> classes = np.repeat([0, 1], 100)
    >>> e = gaussian_copula_classes(classes, rng.normal(size=200) + 2 * classes)
    >>> bool(0.4 < e.value < 0.6), round(e.p, 4)
    (True, 0.0099)
    """
    check(n_shuffle=n_shuffle, seed=seed)
    refuse_swapped(classes, x, "gaussian_copula_classes(classes, x)")
    values = as_samples(x, "x")
    refuse_constant(values, "x")
    n, d = values.shape
    distinct, number = as_labels(classes, "classes", n)
    sizes = np.bincount(number)
    if sizes.min() < d + 3:
        k = int(np.argmin(sizes))
        raise NsnnError(
            f"classes: {distinct[k]} has {sizes[k]} samples of {d} columns: expected at least {d + 3}"
        )
    z = normal_scores(values)
    total = _entropy(z)
    value = total - _entropy_given(z, number, sizes)
    rng = np.random.default_rng(seed)
    null = np.array([total - _entropy_given(z, rng.permutation(number), sizes) for _ in range(n_shuffle)])
    density, slope = np.empty(n), _precision(z)
    for c in range(distinct.size):
        own = number == c
        centred = z[own] - z[own].mean(axis=0)
        within = _precision(centred)
        logs = np.linalg.slogdet(np.atleast_2d(np.cov(centred, rowvar=False)))[1]
        density[own] = -0.5 * (logs + (centred * within).sum(axis=1))
        slope[own] -= within
    density += 0.5 * (z * _precision(z)).sum(axis=1)
    influence = _with_ranks(density, z, slope) / np.log(2)
    freedom = (distinct.size - 1) * d * (d + 3) / 2
    few = f"{sizes.min()} samples of {d} columns in a class: fewer than 20 for each"
    return _estimate(value, influence, freedom, null, few if sizes.min() < 20 * d else None)


def _entropy(z: np.ndarray) -> float:
    """Corrected entropy, bits, of a Gaussian with the covariance of z (n, d), up to a constant."""
    n, d = z.shape
    covariance = np.atleast_2d(np.cov(z, rowvar=False))
    scale = np.sqrt(np.diag(covariance))
    constant = (np.ptp(z, axis=0) < 1e-12).any()
    if constant or np.linalg.eigvalsh(covariance / np.outer(scale, scale))[0] < 1e-12:
        raise NsnnError("x: in a class a column is constant or a function of others: infinite information")
    bias = (digamma((n - np.arange(1, d + 1)) / 2) - np.log((n - 1) / 2)).sum()
    return float((np.linalg.slogdet(covariance)[1] - bias) / (2 * np.log(2)))


def _entropy_given(z: np.ndarray, number: np.ndarray, sizes: np.ndarray) -> float:
    return sum(size / len(z) * _entropy(z[number == c]) for c, size in enumerate(sizes))


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Normal scores ndtri(rank / (n + 1)) of the columns (n, d), centred; ties share a rank."""
    scores = ndtri(rankdata(values, axis=0) / (len(values) + 1))
    return scores - scores.mean(axis=0)


def _excess(n: int, d: int, e: int) -> float:
    """Bias of the plug-in Gaussian information, bits."""
    psi = digamma((n - np.arange(1, d + e + 1)) / 2)
    return float((psi[:d].sum() + psi[:e].sum() - psi.sum()) / (2 * np.log(2)))


def _gaussian_information(a: np.ndarray, b: np.ndarray) -> float:
    """Corrected information in bits of normal scores (n, d) and (n, e)."""
    both = np.concatenate([a, b], axis=1)
    correlation = np.corrcoef(both, rowvar=False)
    if np.linalg.eigvalsh(correlation)[0] < 1e-12:
        raise NsnnError(
            "x and y: a column is a function of others in its ranks: infinite information; leave it out"
        )
    d = a.shape[1]
    logs = (
        np.linalg.slogdet(correlation[:d, :d])[1]
        + np.linalg.slogdet(correlation[d:, d:])[1]
        - np.linalg.slogdet(correlation)[1]
    )
    return float(logs / (2 * np.log(2)) - _excess(len(a), d, b.shape[1]))


def _gaussian_influence(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Influence of each sample on the Gaussian information, (n,) bits, up to a constant."""
    both = np.concatenate([a, b], axis=1)
    slope = np.concatenate([_precision(a), _precision(b)], axis=1) - _precision(both)
    return _with_ranks(0.5 * (both * slope).sum(axis=1), both, slope) / np.log(2)


def _with_ranks(density: np.ndarray, scores: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Influence (n,) of samples, from their information density m and its slopes dm/dz (n, d) by the scores z.

    A sample also moves the ranks of all that lie above it: the mean over those of dm/dz_c dz_c/du, dz/du = 1 / pdf(z).
    """
    density, n = density.copy(), len(scores)
    for column, rise in zip(scores.T, slope.T, strict=True):
        order = np.argsort(column, kind="stable")
        push = (rise * np.sqrt(2 * np.pi) * np.exp(column**2 / 2))[order] / n
        density[order] += np.cumsum(push[::-1])[::-1]
    return density


def _precision(z: np.ndarray) -> np.ndarray:
    """S^-1 z of each row."""
    return np.linalg.solve(z.T @ z / len(z), z.T).T


def _gaussian_null(a: np.ndarray, b: np.ndarray, n_shuffle: int, rng: np.random.Generator) -> np.ndarray:
    """The same for b's rows permuted, many at once: only the cross-covariance changes."""
    n = len(a)
    a, b = np.linalg.qr(a)[0], np.linalg.qr(b)[0]  # white: I = -1/2 log2 det(1 - C^T C)
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

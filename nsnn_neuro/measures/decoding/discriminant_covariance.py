"""Shrunk covariance and weights of linear discriminant analysis, in one pass for all classes.

As scikit-learn's `LinearDiscriminantAnalysis(solver="lsqr")` with equal priors: the mean over classes of their own
covariances S_g, each shrunk by itself. A permutation test fits hundreds of times, and this is about twenty times as
fast. With "auto" a class has (1 - a_g) S_g + a_g m_g diag(S_g), m_g the share of features that vary and a_g Ledoit and
Wolf's for the standardised responses, which needs the smaller Gram matrix alone. Source: Ledoit & Wolf 2004, doi
10.1016/S0047-259X(03)00096-4
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

_SINGULAR = 1e-10  # smallest pivot of the correlation matrix below which the covariance counts as singular


def discriminant_weights(
    responses: np.ndarray, number: np.ndarray, shrinkage: float | str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (n_classes, p) and offsets (n_classes,) of the scores of responses (n, p) of classes (n,)."""
    order = np.argsort(number, kind="stable")
    x, size = responses[order], np.bincount(number)
    starts = np.concatenate([[0], np.cumsum(size)])
    mean = np.add.reduceat(x, starts[:-1], axis=0) / size[:, None]
    for g in range(size.size):
        x[starts[g] : starts[g + 1]] -= mean[g]
    covariance = _mean_covariance(x, mean, size, starts, shrinkage)
    weights = _solve(covariance, mean)
    if weights is None:
        return _by_scikit_learn(responses, number, shrinkage)
    offset = -0.5 * (weights * mean).sum(axis=1) - np.log(size.size)
    if size.size == 2:  # the difference alone, half of it for each class
        weights = np.outer([-0.5, 0.5], weights[1] - weights[0])
        offset = np.array([-0.5, 0.5]) * (offset[1] - offset[0])
    return weights, offset


def _mean_covariance(
    x: np.ndarray, mean: np.ndarray, size: np.ndarray, starts: np.ndarray, shrinkage: float | str | None
) -> np.ndarray:
    """Mean over classes of the shrunk covariances (p, p) of centred x (n, p), sorted by class, which is overwritten."""
    p, n_classes = x.shape[1], size.size
    variance = np.add.reduceat(x * x, starts[:-1], axis=0) / size[:, None]
    if shrinkage != "auto":
        a = np.full(n_classes, 0.0 if shrinkage is None else float(shrinkage))
        towards = np.repeat((a * variance.mean(axis=1)).sum(), p)
    else:
        # what scikit-learn takes for constant, by the rounding of the variance
        eps = np.finfo(float).eps
        flat = variance <= size[:, None] * eps * variance + (size[:, None] * mean * eps) ** 2
        scale = np.where(flat, 1.0, variance)
        a, part = _ledoit_wolf(x, np.sqrt(scale), size, starts)
        towards = ((a * part)[:, None] * scale).sum(axis=0)
    x *= np.sqrt(np.repeat((1 - a) / (size * n_classes), size))[:, None]
    covariance = x.T @ x
    covariance[np.arange(p), np.arange(p)] += towards / n_classes
    return covariance


def _ledoit_wolf(
    x: np.ndarray, sd: np.ndarray, size: np.ndarray, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shrinkage (n_classes,) of centred x (n, p), sorted by class, in units of sd (n_classes, p), and mean variances."""
    p = x.shape[1]
    squares, norm = np.empty(len(x)), np.empty(size.size)
    for g in range(size.size):
        own = slice(starts[g], starts[g + 1])
        z = x[own] / sd[g]
        squares[own] = np.einsum("ij,ij->i", z, z)
        gram = z @ z.T if len(z) < p else z.T @ z
        norm[g] = np.vdot(gram, gram)
    level = np.add.reduceat(squares, starts[:-1]) / (size * p)
    fourth = np.add.reduceat(squares**2, starts[:-1])
    norm /= size**2
    beta = (fourth / size - norm) / (size * p)
    delta = (norm - p * level**2) / p
    beta = np.minimum(beta, delta)
    return np.divide(beta, delta, out=np.zeros(size.size), where=beta != 0), level


def _solve(covariance: np.ndarray, mean: np.ndarray) -> np.ndarray | None:
    """Rows of mean (n_classes, p) times the inverse covariance; None where it is singular."""
    scale = np.sqrt(np.diag(covariance))
    if not (scale > 0).all():
        return None
    factor, failed = lapack.dpotrf(covariance / np.outer(scale, scale), lower=1)
    if failed or np.diag(factor).min() ** 2 < _SINGULAR:
        return None
    solution, _ = lapack.dpotrs(factor, (mean / scale).T, lower=1)
    return np.asarray((solution / scale[:, None]).T)


def _by_scikit_learn(
    responses: np.ndarray, number: np.ndarray, shrinkage: float | str | None
) -> tuple[np.ndarray, np.ndarray]:
    """The same by scikit-learn's pseudo-inverse, whose rank depends on rounding."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # slow to import

    n_classes = number.max() + 1
    even = np.full(n_classes, 1 / n_classes)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=even).fit(responses, number)
    if n_classes == 2:
        return np.outer([-0.5, 0.5], model.coef_[0]), np.array([-0.5, 0.5]) * model.intercept_[0]
    return model.coef_, model.intercept_

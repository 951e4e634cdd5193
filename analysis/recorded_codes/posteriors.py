"""Posteriors over images in the study `recorded_codes`: the linear decoder, scores, and the variance of counts beyond Poisson.

A posterior q is scored by the cross-entropy information log2 K + mean log2 q(true image), with K equally frequent images. It is at
most the mutual information, and falls below zero if q is confident and wrong; accuracy does not see overconfidence.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp


def excess_variance(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variance of counts beyond Poisson relative to the squared rate, (n_cells,), and its standard error (jackknife over images).

    For counts (n_images, n_repeats, n_cells) v = sum_s (variance - mean) / sum_s (mean^2 - variance / n), with unbiased numerator
    and denominator. For Poisson counts with a gain v is the variance of the gain, see `measures.modulated_poisson`; unlike that
    fit, it is negative for counts that are less variable than Poisson.
    """
    n = counts.shape[1]
    mean, variance = counts.mean(axis=1), counts.var(axis=1, ddof=1)
    top, bottom = variance - mean, mean**2 - variance / n
    value = top.sum(axis=0) / bottom.sum(axis=0)
    without = (top.sum(axis=0) - top) / (bottom.sum(axis=0) - bottom)
    m = len(counts)
    se = np.sqrt((m - 1) * without.var(axis=0))
    return value, se


def _normalised(scores: np.ndarray) -> np.ndarray:
    return np.asarray(scores - logsumexp(scores, axis=1, keepdims=True))


def _projected(features: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Principal components of training and test trials, those of the largest variance of the standardised features first."""
    centre, spread = features.mean(axis=0), features.std(axis=0)
    varies = spread > 0
    z, z_test = ((x[:, varies] - centre[varies]) / spread[varies] for x in (features, test))
    value, vector = np.linalg.eigh(z.T @ z)
    directions = vector[:, np.argsort(value)[::-1]]
    return z @ directions, z_test @ directions


def _discriminant(mean: np.ndarray, covariance: np.ndarray, test: np.ndarray, shrinkage: float) -> np.ndarray:
    """(n_test, n_images) scores of Gaussian responses with one covariance, shrunk to its mean variance."""
    k = len(covariance)
    shrunk = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / k * np.eye(k)
    weights = np.linalg.solve(shrunk, mean.T)
    return np.asarray(test @ weights - 0.5 * (mean.T * weights).sum(axis=0))


def _moments(x: np.ndarray, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means (n_images, k), and covariance (k, k) within images."""
    one_hot = np.eye(int(image.max()) + 1)[image]
    mean = (one_hot.T @ x) / one_hot.sum(axis=0)[:, None]
    inner = x - mean[image]
    return mean, inner.T @ inner / (len(x) - len(mean))


def linear(
    features: np.ndarray,
    image: np.ndarray,
    fold: np.ndarray,
    test: np.ndarray,
    *,
    components: Sequence[int],
    shrinkages: Sequence[float],
    temperatures: Sequence[float],
) -> np.ndarray:
    """(n_test, n_images) log posterior of a linear discriminant on principal components of the training trials.

    `fold` numbers the inner folds of the training trials. Number of components, shrinkage and temperature are those with the
    largest cross-entropy information on the inner folds; the log posterior is divided by the temperature. With n training
    trials the posterior is mixed with a uniform one of weight 1 / n, as no rarer event can have been seen.
    """
    most = features.shape[1]
    grid = [(k, s) for k in dict.fromkeys(min(k, most) for k in components) for s in shrinkages]
    scores = np.zeros((len(grid), len(temperatures)))
    for number in range(int(fold.max()) + 1):
        inner, held = fold != number, fold == number
        a, b = _projected(features[inner], features[held])
        mean, covariance = _moments(a, image[inner])
        for i, (k, shrinkage) in enumerate(grid):
            raw = _discriminant(mean[:, :k], covariance[:k, :k], b[:, :k], shrinkage)
            raw -= raw.max(axis=1, keepdims=True)
            own = raw[np.arange(len(raw)), image[held]]
            for j, temperature in enumerate(temperatures):
                # as for the final posterior below, but of the true image alone, which is much faster
                log_q = own / temperature - np.log(np.exp(raw / temperature).sum(axis=1))
                scores[i, j] += _with_lapses(log_q, int(inner.sum()), raw.shape[1]).sum()
    i, j = divmod(int(scores.argmax()), len(temperatures))
    k, shrinkage = grid[i]
    a, b = _projected(features, test)
    mean, covariance = _moments(a, image)
    raw = _discriminant(mean[:, :k], covariance[:k, :k], b[:, :k], shrinkage)
    return _with_lapses(_normalised(raw / temperatures[j]), len(features), raw.shape[1])


def _with_lapses(log_q: np.ndarray, n: int, n_images: int) -> np.ndarray:
    """Mixed with a uniform posterior of weight 1 / n."""
    return np.asarray(np.logaddexp(log_q + np.log1p(-1 / n), -np.log(n * n_images)))


def scored(scores: np.ndarray, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bits log2 K + log2 q(image) of each trial, and whether its image has the largest posterior."""
    log_q = _normalised(scores)
    own = log_q[np.arange(image.size), image]
    return np.log2(log_q.shape[1]) + own / np.log(2), log_q.argmax(axis=1) == image

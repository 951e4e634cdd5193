"""Decoders of stimuli from responses, for `decode`.

A decoder has `fit(responses, labels)`, which returns an object with `predict(responses)`, as classifiers of scikit-
learn do. If that has posterior probabilities, its `log_posterior(responses)` are natural logarithms (n_trials,
n_labels) in the order of its `labels`. A decoder of spike times also has `distances(trains)`, and is fitted to its
rows.

Linear discriminant analysis is that of scikit-learn's `LinearDiscriminantAnalysis(solver="lsqr")` with equal priors, about twenty
times as fast, in one pass for all classes: the mean over classes of their own covariances S_g, each shrunk by itself. With "auto"
a class has (1 - a_g) S_g + a_g m_g diag(S_g), m_g the share of features that vary and a_g Ledoit and Wolf's for the standardised
responses, which needs the smaller Gram matrix alone. Source: Ledoit & Wolf 2004, doi 10.1016/S0047-259X(03)00096-4
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import quantities as pq
from scipy.linalg import lapack
from scipy.special import logsumexp

from ...core.checks import one_of
from ...core.errors import NsnnError
from ..spiketrain.modulated_poisson import fit_gain_variance
from ..timing.train_similarity import victor_purpura
from ..trains import Trains


def _log_prior(prior: str, number: np.ndarray) -> np.ndarray:
    shares = np.bincount(number) / number.size
    return np.zeros(shares.size) if prior == "uniform" else np.log(shares)


@dataclass(frozen=True, eq=False)
class _Scores:
    """A fitted linear decoder: the label with the highest score, linear in the response."""

    labels: np.ndarray
    weights: np.ndarray  # (K, features)
    offset: np.ndarray  # (K,)

    def predict(self, responses: np.ndarray) -> np.ndarray:
        return self.labels[np.argmax(responses @ self.weights.T + self.offset, axis=1)]

    def log_posterior(self, responses: np.ndarray) -> np.ndarray:
        """Scores are log posterior probabilities, but for a term that all labels share."""
        scores = responses @ self.weights.T + self.offset
        return scores - logsumexp(scores, axis=1, keepdims=True)


@dataclass(frozen=True)
class _OfCounts:
    """A decoder of independent counts, from their means (K, features) for each label and their gain variance."""

    prior: str = "uniform"
    pseudo_count: float = 0.5

    def __post_init__(self) -> None:
        one_of(self.prior, ("uniform", "empirical"), "prior")
        if not (np.isfinite(self.pseudo_count) and self.pseudo_count > 0):
            raise NsnnError(f"pseudo_count = {self.pseudo_count!r}: expected a number greater than 0")

    def fit(self, responses: np.ndarray, labels: np.ndarray) -> _Scores:
        """The decoder for these counts (n_trials, features)."""
        if (responses < 0).any() or (responses != np.floor(responses)).any():
            name = type(self).__name__
            raise NsnnError(f"{name} needs counts, whole numbers of at least 0; or use LinearDiscriminant")
        distinct, number = np.unique(labels, return_inverse=True)
        one_hot = np.eye(number.max() + 1)[number]
        mean = (one_hot.T @ responses + self.pseudo_count) / one_hot.sum(axis=0)[:, None]
        a = self._gain_variance(responses, number)
        weights, cost = np.log(mean), mean
        if a.any():
            spread, lost = a * mean, np.log1p(a * mean)
            weights, cost = weights - lost, np.where(spread > 1e-9, lost / np.where(a > 0, a, 1.0), mean)
        prior = _log_prior(self.prior, number)
        return _Scores(distinct, weights, prior - cost.sum(axis=1))

    def _gain_variance(self, responses: np.ndarray, number: np.ndarray) -> np.ndarray:
        return np.zeros(responses.shape[1])


@dataclass(frozen=True)
class PoissonMAP(_OfCounts):
    """The most probable stimulus for independent Poisson counts: argmax log p(s) + sum n log f_s -
    f_s.

    f_s is a feature's mean count in the training trials of s, plus `pseudo_count` spikes shared out
    over those trials: (sum + pseudo_count) / trials. Without them one spike of a neuron that was
    silent in training would rule a stimulus out. 0.5 is the mean under Jeffreys' prior.

    Parameters
    ----------
    prior : "uniform" (default) over stimuli, or "empirical", their shares in the training trials
    pseudo_count : number, greater than 0

    >>> PoissonMAP().fit(np.array([[1], [2], [9], [7]]), np.array([0, 0, 1, 1])).predict(np.array([[3], [6]]))
    array([0, 1])
    """


@dataclass(frozen=True)
class NegativeBinomialMAP(_OfCounts):
    """The most probable stimulus for independent counts with a gain: negative binomial.

    argmax of log p(s) + sum of n log(f_s / (1 + a f_s)) - log(1 + a f_s) / a, with f_s as in
    `PoissonMAP` and a the gain variance of the feature, fitted to the training trials as by
    `modulated_poisson` with bias=None. Where counts vary more than their mean, posterior
    probabilities of `PoissonMAP` are too close to 0 and 1.

    Parameters
    ----------
    prior, pseudo_count : as for `PoissonMAP`

    >>> counts, stimulus = np.array([[0], [6], [2], [4], [5], [25], [10], [40]]), np.array([0, 0, 0, 0, 1, 1, 1, 1])
    >>> for decoder in (PoissonMAP(), NegativeBinomialMAP()):
    ...     print(np.exp(decoder.fit(counts, stimulus).log_posterior(np.array([[4], [12]]))).round(3).tolist())
    [[1.0, 0.0], [0.005, 0.995]]
    [[0.803, 0.197], [0.123, 0.877]]
    """

    def _gain_variance(self, responses: np.ndarray, number: np.ndarray) -> np.ndarray:
        return np.nan_to_num(fit_gain_variance(np.asarray(responses, dtype=float), number)[0])


@dataclass(frozen=True)
class LinearDiscriminant:
    """Linear discriminant analysis of scikit-learn: Gaussians with one shrunk covariance.

    Parameters
    ----------
    shrinkage : "auto" (default; Ledoit & Wolf 2004, doi 10.1016/S0047-259X(03)00096-4, right for
        few trials), a number from 0 (the covariance as sampled) to 1 (its diagonal's mean), or None
    prior : "uniform" (default) over stimuli, or "empirical", their shares in the training trials

    >>> r = np.array([[0.0, 1], [0.2, 1.1], [0.1, 0.8], [1, 0.1], [1.2, 0], [0.9, 0.2]])
    >>> LinearDiscriminant().fit(r, np.array([0, 0, 0, 1, 1, 1])).predict(np.array([[0.1, 0.9]]))
    array([0])
    """

    shrinkage: float | str | None = "auto"
    prior: str = "uniform"

    def __post_init__(self) -> None:
        one_of(self.prior, ("uniform", "empirical"), "prior")
        number = isinstance(self.shrinkage, int | float) and 0 <= self.shrinkage <= 1
        if self.shrinkage not in ("auto", None) and not number:
            raise NsnnError(f"shrinkage = {self.shrinkage!r}: expected 'auto', None or a number from 0 to 1")

    def fit(self, responses: np.ndarray, labels: np.ndarray) -> _Scores:
        """The decoder for responses (n_trials, features); features that never vary are not used."""
        distinct, number = np.unique(labels, return_inverse=True)
        varies = np.ptp(responses, axis=0) > 0
        weights = np.zeros((distinct.size, responses.shape[1]))
        offset = _log_prior(self.prior, number)
        if varies.any():
            used = responses if varies.all() else responses[:, varies]
            weights[:, varies], change = discriminant_weights(used, number, self.shrinkage)
            offset = offset + change
        return _Scores(distinct, weights, offset)


@dataclass(frozen=True, eq=False)
class _Nearest:
    labels: np.ndarray  # of the training trains

    def predict(self, distances: np.ndarray) -> np.ndarray:
        distinct, number = np.unique(self.labels, return_inverse=True)
        one_hot = np.eye(distinct.size)[number]
        least = distances.min(axis=1, keepdims=True)
        votes = (distances <= least * (1 + 1e-9)) @ one_hot
        mean = distances @ one_hot / one_hot.sum(axis=0)
        # among classes of most votes the one that is nearer on average
        candidates = np.where(votes == votes.max(axis=1, keepdims=True), mean, np.inf)
        return distinct[np.argmin(candidates, axis=1)]


@dataclass(frozen=True)
class NearestTrain:
    """Nearest neighbour in spike-train distance, summed over neurons.

    Where several are as near, the stimulus of most, then of least mean distance.

    Parameters
    ----------
    distance : function of the repeats of one neuron that returns (n, n); default `victor_purpura`
        at a cost of 50 Hz. functools.partial sets options: partial(van_rossum, tau=10*ms)

    >>> from nsnn_neuro.measures import van_rossum
    >>> NearestTrain(partial(van_rossum, tau=10*pq.ms)).distance.func.__name__
    'van_rossum'
    """

    distance: Callable[[Any], np.ndarray] = field(default=partial(victor_purpura, cost=50 * pq.Hz))

    def __post_init__(self) -> None:
        if not callable(self.distance):
            raise NsnnError(
                f"distance = {self.distance!r}: expected a function, such as a partial of van_rossum"
            )

    def distances(self, trains: Trains) -> np.ndarray:
        """(n_trials, n_trials) distances, summed over neurons."""
        total = np.zeros((trains.n_trials, trains.n_trials))
        for neuron in range(trains.n_neurons):
            total += self.distance(trains.of_neuron(neuron))
        return total

    def fit(self, distances: np.ndarray, labels: np.ndarray) -> _Nearest:
        """The decoder for training trials of these labels."""
        return _Nearest(np.asarray(labels))


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

"""Decoding of stimuli from responses, always cross-validated.

A decoder has a method `fit(responses, labels)`, which returns an object with `predict(responses)`: the three here, any
classifier of scikit-learn, or your own. Responses are (n_trials, n_features) numbers, labels categories. A decoder
of spike times, such as `NearestTrain`, also has `distances(trains)`, and is fitted to rows of that matrix.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import quantities as pq

from ...core.checks import check, one_of, positive, suggest_keywords
from ...core.deprecated import renamed_keywords
from ...core.errors import NsnnError
from ...core.units import shown
from ..estimate import Estimate
from ..information.confusion import miller_madow, table_se
from ..information.entropy.contingency import contingency
from ..response_checks import as_labels, as_samples, permutation_p
from ..timing.train_similarity import victor_purpura
from ..trains import Trains, as_trains, binned, holds_blocks
from .probability_calibration import binomial_se


def _log_prior(prior: str, number: np.ndarray) -> np.ndarray:
    shares = np.bincount(number) / number.size
    return np.zeros(shares.size) if prior == "uniform" else np.log(shares)


@dataclass(frozen=True, eq=False)
class _Scores:
    """A fitted linear decoder: the label with the highest score, scores being linear in the response."""

    labels: np.ndarray
    weights: np.ndarray  # (K, features)
    offset: np.ndarray  # (K,)

    def predict(self, responses: np.ndarray) -> np.ndarray:
        return self.labels[np.argmax(responses @ self.weights.T + self.offset, axis=1)]


@dataclass(frozen=True)
class PoissonMAP:
    """The most probable stimulus for independent Poisson counts: argmax of log p(s) + sum of n log f_s - f_s.

    f_s is a feature's mean count in the training trials of s, plus `pseudo_count` spikes shared out over those
    trials: (sum + pseudo_count) / trials. Without them one spike of a neuron that was silent in training would
    rule a stimulus out. 0.5 is the mean under Jeffreys' prior.

    Parameters
    ----------
    prior : "uniform" (default) over stimuli, or "empirical", their shares in the training trials
    pseudo_count : number, greater than 0

    >>> PoissonMAP().fit(np.array([[1], [2], [9], [7]]), np.array([0, 0, 1, 1])).predict(np.array([[3], [6]]))
    array([0, 1])
    """

    prior: str = "uniform"
    pseudo_count: float = 0.5

    def __post_init__(self) -> None:
        one_of(self.prior, ("uniform", "empirical"), "prior")
        if not (np.isfinite(self.pseudo_count) and self.pseudo_count > 0):
            raise NsnnError(f"pseudo_count = {self.pseudo_count!r}: expected a number greater than 0")

    def fit(self, responses: np.ndarray, labels: np.ndarray) -> _Scores:
        """The decoder for these counts (n_trials, features)."""
        if (responses < 0).any() or (responses != np.floor(responses)).any():
            raise NsnnError("PoissonMAP needs counts, whole numbers of at least 0; or use LinearDiscriminant")
        distinct, number = np.unique(labels, return_inverse=True)
        one_hot = np.eye(distinct.size)[number]
        mean = (one_hot.T @ responses + self.pseudo_count) / one_hot.sum(axis=0)[:, None]
        return _Scores(distinct, np.log(mean), _log_prior(self.prior, number) - mean.sum(axis=1))


@dataclass(frozen=True)
class LinearDiscriminant:
    """Linear discriminant analysis of scikit-learn: Gaussian responses with one covariance, which is shrunk.

    Parameters
    ----------
    shrinkage : "auto" (default; Ledoit & Wolf 2004, doi 10.1016/S0047-259X(03)00096-4, right for few trials), a
        number from 0 (the covariance as sampled) to 1 (its diagonal's mean), or None
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
        """The decoder for these responses (n_trials, features); features that never vary are not used."""
        distinct, number = np.unique(labels, return_inverse=True)
        varies = np.ptp(responses, axis=0) > 0
        weights = np.zeros((distinct.size, responses.shape[1]))
        offset = _log_prior(self.prior, number)
        if varies.any():
            even = np.full(distinct.size, 1 / distinct.size)
            from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # slow to import

            model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=self.shrinkage, priors=even)
            model.fit(responses[:, varies], number)
            two = distinct.size == 2  # scikit-learn then keeps the difference alone
            weights[:, varies] = np.stack([-model.coef_[0] / 2, model.coef_[0] / 2]) if two else model.coef_
            change = np.array([-model.intercept_[0], model.intercept_[0]]) / 2 if two else model.intercept_
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
    """Nearest neighbour in spike-train distance, summed over neurons: the stimulus of the nearest training trial.

    Where several are as near the stimulus of most of them, then the one with the least mean distance.

    Parameters
    ----------
    distance : function of the repeats of one neuron that returns (n, n); default `victor_purpura` at a cost of 50 Hz.
        functools.partial sets options: partial(van_rossum, tau=10*ms)

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


@dataclass(frozen=True, eq=False)
class Decoding:
    """Result of `decode`: accuracy, information and confusion matrix.

    >>> d = decode([[0], [1], [2], [10], [9], [11]], [0, 0, 0, 1, 1, 1], n_folds=3, n_shuffle=0)
    >>> d.accuracy, d.chance, d.confusion.tolist()
    (1.0, 0.5, [[3, 0], [0, 3]])
    """

    accuracy: float
    """share of trials whose stimulus was found"""
    se: float
    """of the accuracy"""
    chance: float
    """share of the most frequent stimulus: what is reached without looking at responses"""
    p: float | None
    """(1 + shuffles of the labels that reach the accuracy) / (1 + n_shuffle)"""
    null_accuracy: float | None
    """mean accuracy for shuffled labels"""
    information: Estimate
    """of the confusion matrix, bits: a lower bound of what the responses hold"""
    confusion: np.ndarray
    """(K, K) trials, stimulus by decoded stimulus"""
    labels: np.ndarray
    """(K,) the stimuli"""
    predictions: np.ndarray
    """(n_trials,) decoded stimuli"""

    def __float__(self) -> float:
        return self.accuracy

    def __str__(self) -> str:
        p = "" if self.p is None else f", p = {self.p:.2g}"
        return (
            f"accuracy {self.accuracy:.3g} ± {self.se:.2g} (chance {self.chance:.2g}{p}); {self.information}"
        )


@renamed_keywords(bin="bin_width")
@suggest_keywords
def decode(
    responses: Any,
    stimulus: Any,
    *,
    decoder: Any = PoissonMAP(),
    n_folds: int = 5,
    bin_width: Any = None,
    n_shuffle: int = 100,
    seed: int = 0,
    t_start: Any = None,
    t_stop: Any = None,
) -> Decoding:
    """Decode the stimulus of each trial from its response, by a decoder that was fitted to other trials (cross-validation).

    The trials are divided into `n_folds` groups, each with about the same share of each stimulus. The trials of one group
    are decoded by a decoder that was fitted to all other groups. The result holds the accuracy, which is the fraction of
    trials whose stimulus was decoded correctly; its standard error; the confusion matrix; and the information in this
    matrix, a lower bound of the information in the responses.

    The standard error of the accuracy is sqrt(a (1 - a) / n) with a = (correct + 1)/(n + 2). It holds well above chance
    (tested for two stimuli, 50 trials of each, accuracy of 0.7 or more). At chance the accuracy varies by about 1.3 times its
    se, since the trials of a group share a decoder: use p there. For p the stimuli are shuffled over trials, and all decoders
    are fitted again. The information has Miller's correction, -(cells - rows - columns + 1)/(2 n ln 2), and is at most
    the entropy of the stimulus; its se is the multinomial's.

    Parameters
    ----------
    responses : (n_trials, n_features) array, for example spike counts; or a neo.Block with one Segment per trial (or a
        Trains), whose spikes are counted. `NearestTrain` needs a Block
    stimulus : (n_trials,) whole numbers, texts, or floats that repeat, such as directions; at least n_folds trials of each.
        A decoder sees floats as numbers 0, 1, ... in ascending order
    decoder : PoissonMAP(), LinearDiscriminant(), NearestTrain(), or any object with `fit` and `predict`
    n_folds : at least 2
    bin_width : time, for a Block: spikes are counted in bins of this width, neuron by neuron; None: in the whole trial
    n_shuffle, seed : number of shuffles, 0 for no p; seed of groups and shuffles
    t_start, t_stop : times, scalar, for a Block; None is the trials' own end

    Raises
    ------
    NsnnError : labels that are no categories or of another length, fewer trials of a stimulus than
        n_folds, one stimulus, NaN, trials of unequal duration, bins of an array, a decoder without fit or whose
        answer is no label, what `as_trains` refuses. Source: Quian Quiroga & Panzeri 2009, doi 10.1038/nrn2578

    >>> rng = np.random.default_rng(1)
    >>> stimulus = np.repeat([0, 1], 50)
    >>> d = decode(rng.poisson([[3, 8], [8, 3]], (50, 2, 2)).swapaxes(0, 1).reshape(100, 2), stimulus)
    >>> print(d)
    accuracy 0.94 ± 0.025 (chance 0.5, p = 0.0099); 0.6829 ± 0.091 bit (correction miller-madow; ...)
    >>> d.accuracy > 0.9, d.chance, round(d.p, 4), d.information.unit
    (True, 0.5, 0.0099, 'bit')
    """
    check(n_folds=n_folds, n_shuffle=n_shuffle, seed=seed)
    if not hasattr(decoder, "fit"):
        raise NsnnError(
            f"decoder = {shown(decoder)}: expected an object with fit and predict, such as PoissonMAP()"
        )
    features, pairwise = _features(responses, decoder, bin_width, t_start, t_stop)
    n = len(features)
    distinct, number = as_labels(stimulus, "stimulus", n)
    fewest = int(np.bincount(number).argmin())
    if np.bincount(number)[fewest] < n_folds:
        raise NsnnError(
            f"stimulus {distinct[fewest]} has {np.bincount(number)[fewest]} trials: expected at least n_folds = "
            f"{n_folds} of each; take fewer folds or leave it out"
        )

    # classifiers of scikit-learn refuse floats and objects as classes
    named = distinct if distinct.dtype.kind in "iubU" else np.arange(distinct.size)

    def result(numbers: np.ndarray) -> np.ndarray:
        return _cross_validated(decoder, features, named[numbers], n_folds, seed, pairwise)

    predictions = result(number)
    table = _table(number, predictions, named)
    rng = np.random.default_rng(seed)
    orders = rng.permuted(np.tile(number, (n_shuffle, 1)), axis=1)
    null = np.array([_table(order, result(order), named) for order in orders])
    right = np.trace(table)
    correct = null.trace(axis1=1, axis2=2) / n if n_shuffle else np.empty(0)
    return Decoding(
        accuracy=float(right / n),
        se=float(binomial_se(right, n)),
        chance=float(np.bincount(number).max() / n),
        p=permutation_p(correct, float(right / n)),
        null_accuracy=float(correct.mean()) if n_shuffle else None,
        information=_information(table, null),
        confusion=table,
        labels=distinct,
        predictions=distinct[np.searchsorted(named, predictions)],
    )


def _features(responses: Any, decoder: Any, width: Any, t_start: Any, t_stop: Any) -> tuple[np.ndarray, bool]:
    """What the decoder is fitted to, one row per trial, and whether it is a matrix of distances."""
    of_trains = hasattr(decoder, "distances")
    if not holds_blocks(responses):
        for value, name in ((width, "bin_width"), (t_start, "t_start"), (t_stop, "t_stop")):
            if value is not None:
                raise NsnnError(f"{name} = {value}: an array of responses has no time; give a neo.Block")
        if of_trains:
            raise NsnnError(f"decoder = {decoder!r}: needs spike trains; give a neo.Block")
        return as_samples(responses, "responses"), False
    trains = as_trains(responses, t_start, t_stop)
    if not np.isnan(trains.t_stop - trains.t_start).any():  # plain arrays don't know how long they last
        trains.check_durations("which would be decoded too")
    if of_trains:
        if width is not None:
            raise NsnnError(f"bin_width = {width}: {type(decoder).__name__} reads the spike times themselves")
        return decoder.distances(trains), True
    if width is None:
        return trains.counts.astype(float), False
    counts = binned(trains, positive(width, "s", "bin_width"), "bin_width")
    return counts.reshape(trains.n_trials, -1).astype(float), False


def _state(seed: Any) -> int:
    """A seed as scikit-learn takes it, below 2^32."""
    small = isinstance(seed, int | np.integer) and seed < 2**32
    return int(seed) if small else int(np.random.SeedSequence(seed).generate_state(1)[0])


def _cross_validated(
    decoder: Any, features: np.ndarray, labels: np.ndarray, n_folds: int, seed: int, pairwise: bool
) -> np.ndarray:
    """(n_trials,) cross-validated predictions."""
    predictions = np.empty_like(labels)
    from sklearn.model_selection import StratifiedKFold  # slow to import

    folds = StratifiedKFold(n_folds, shuffle=True, random_state=_state(seed))
    for train, test in folds.split(np.zeros(len(labels)), labels):
        columns = train if pairwise else slice(None)
        blank = copy.deepcopy(decoder)  # nothing learned is carried from fold to fold
        fitted = blank.fit(features[train][:, columns], labels[train])
        fitted = blank if fitted is None else fitted
        result = np.asarray(fitted.predict(features[test][:, columns]))
        if result.shape != test.shape or not np.isin(result, labels).all():
            raise NsnnError(
                f"decoder {type(decoder).__name__} predicted {result!r}: expected one of the labels for each of "
                f"{test.size} trials"
            )
        predictions[test] = result
    return predictions


def _table(number: np.ndarray, predictions: np.ndarray, distinct: np.ndarray) -> np.ndarray:
    return contingency(number, np.searchsorted(distinct, predictions), distinct.size, distinct.size)


def _information(table: np.ndarray, null: np.ndarray) -> Estimate:
    value = float(miller_madow(table))
    shuffled = miller_madow(null) if len(null) else np.empty(0)
    n = int(table.sum())
    few = f"{n} trials for a table of {len(table)} x {len(table)}: fewer than 5 per cell"
    return Estimate(
        value,
        se=table_se(table),
        correction="miller-madow",
        null_mean=float(shuffled.mean()) if shuffled.size else None,
        p=permutation_p(shuffled, value),
        n=n,
        warning=few if n < 5 * table.size else None,
        se_method="multinomial",
    )

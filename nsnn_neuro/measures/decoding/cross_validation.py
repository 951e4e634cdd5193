"""Decoding of stimuli from responses, always cross-validated; the decoders are in `decoders`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ...core.aliases import Time, Values
from ...core.checks import check, positive, suggest_keywords
from ...core.errors import NsnnError
from ...core.parallel import narrow_products
from ...core.units import shown
from ..entropies.contingency import contingency, miller_madow, table_se
from ..estimate import Estimate
from ..response_checks import as_labels, as_samples, permutation_p, refuse_swapped, with_test
from ..trains import as_trains, binned, holds_blocks
from .decoders import PoissonMAP
from .probability_calibration import binomial_se

_WIDE = 1000  # features from which on threads of BLAS pay off


@dataclass(frozen=True, eq=False)
class Decoding:
    """Accuracy, information and confusion matrix; made by `decode`."""

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
    """(K,) the stimuli, sorted, or in the order of the categories of a pandas Categorical"""
    predictions: np.ndarray
    """(n_trials,) decoded stimuli"""
    cross_entropy_information: Estimate | None = None
    """of the posterior probabilities, bits; None for a decoder without"""
    probabilities: np.ndarray | None = None
    """(n_trials, K) posterior probabilities, by a decoder that has not seen the trial"""

    def __float__(self) -> float:
        return self.accuracy

    @property
    def headline(self) -> tuple[float, float]:
        """Accuracy and its se, what tables hold."""
        return self.accuracy, self.se

    @property
    def n(self) -> int:
        """Trials."""
        return self.predictions.size

    def __str__(self) -> str:
        p = "" if self.p is None else f", p = {self.p:.2g}"
        posterior = self.cross_entropy_information
        more = "" if posterior is None else f"; of the posteriors {posterior}"
        bits = replace(self.information, p=None)  # one p, that of the accuracy
        return f"accuracy {self.accuracy:.3g} ± {self.se:.2g} (chance {self.chance:.2g}{p}); {bits}{more}"


@partial(
    suggest_keywords, cure="; options of the decoder are its own, as in decoder=PoissonMAP(prior='empirical')"
)
def decode(
    stimulus: Values,
    responses: Values,
    *,
    decoder: Any = PoissonMAP(),  # noqa: B008 - it cannot be changed
    n_folds: int = 5,
    bin_width: Time | None = None,
    n_shuffle: int = 100,
    seed: int = 0,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> Decoding:
    """Decode the stimulus of each trial from its response, by a decoder fitted to other trials.

    Each of `n_folds` groups of trials, with about the same share of each stimulus, is decoded by a
    decoder that was fitted to all others.

    The accuracy's se is binomial; at chance the accuracy varies by about 1.3 times that: use p, for
    which the stimuli are shuffled and all decoders fitted again. The information in the confusion
    matrix, a lower bound of that in the responses, has Miller's correction; its se is multinomial.
    Report p, that of the accuracy: `information.p` counts regular errors too; never take the smaller.

    Decoders with posterior probabilities q(s | r) also have a cross-entropy information, H(S) +
    mean of log2 q(s | r) over trials. On average it is at most the information in the responses;
    overconfident probabilities lower it, also below 0. H(S) is the entropy of the stimuli as
    presented: give decoder=PoissonMAP(prior="empirical") for unequal numbers.

    Parameters
    ----------
    stimulus : (n_trials,) whole numbers, texts, or floats that repeat, such as directions; at least
        n_folds trials of each. A decoder sees floats as numbers 0, 1, ... in ascending order, and a
        pandas Categorical as those of its categories
    responses : (n_trials, n_features) array, for example spike counts; or a neo.Block with one
        Segment per trial (or a Trains), whose spikes are counted. `NearestTrain` needs a Block
    decoder : PoissonMAP(), NegativeBinomialMAP(), LinearDiscriminant(), NearestTrain(), or any with
        `fit` and `predict`
    n_folds : at least 2
    bin_width : time, for a Block: spikes are counted in bins of this width, by neuron; None: in the
        trial
    n_shuffle, seed : number of shuffles, 0 for no p; seed of groups and shuffles
    t_start, t_stop : times, scalar, for a Block; None is the trials' own end

    Raises
    ------
    NsnnError : swapped arguments, labels that are no categories or of another length, fewer trials of a stimulus than
        n_folds, one stimulus, NaN, trials of unequal duration, bins of an array, a decoder without
        fit or whose answer is no label, what `as_trains` refuses. Source: Quian Quiroga & Panzeri
        2009, doi 10.1038/nrn2578

    >>> rng = np.random.default_rng(1)
    >>> stimulus = np.repeat([0, 1], 50)
    >>> d = decode(stimulus, rng.poisson([[3, 8], [8, 3]], (50, 2, 2)).swapaxes(0, 1).reshape(100, 2))
    >>> print(d)
    accuracy 0.94 ± 0.025 (chance 0.5, p = 0.0099); 0.6776 ± 0.091 bit over the null (raw 0.6829, null 0.0053; ...)
    """
    check(n_folds=n_folds, n_shuffle=n_shuffle, seed=seed)
    refuse_swapped(stimulus, responses, "decode(stimulus, responses)")
    data = read_trials(responses, stimulus, decoder, n_folds, bin_width, t_start, t_stop)
    number, distinct, named, n = data.number, data.labels, data.named, data.number.size
    predictions, log_q = cross_validated(decoder, data, number, n_folds, seed, posteriors=True)
    table = confusion_table(number, predictions, named)
    orders = np.random.default_rng(seed).permuted(np.tile(number, (n_shuffle, 1)), axis=1)
    shuffled = (cross_validated(decoder, data, order, n_folds, seed)[0] for order in orders)
    null = np.array([confusion_table(*pair, named) for pair in zip(orders, shuffled, strict=True)])
    right = np.trace(table)
    correct = null.trace(axis1=1, axis2=2) / n if n_shuffle else np.empty(0)
    info = confusion_information(table, null)
    return Decoding(
        accuracy=float(right / n),
        se=float(binomial_se(right, n)),
        chance=float(np.bincount(number).max() / n),
        p=permutation_p(correct, float(right / n)),
        null_accuracy=float(correct.mean()) if n_shuffle else None,
        information=info,
        confusion=table,
        labels=distinct,
        predictions=distinct[np.searchsorted(named, predictions)],
        cross_entropy_information=None if log_q is None else posterior_information(log_q, number, info),
        probabilities=None if log_q is None else np.exp(log_q),
    )


@dataclass(frozen=True, eq=False)
class DecodingTrials:
    """Trials as decoders take them; made by `read_trials`."""

    features: np.ndarray  # (n_trials, n_features), or distances (n_trials, n_trials)
    pairwise: bool  # whether they are distances
    number: np.ndarray  # (n_trials,) of the stimulus of each trial
    labels: np.ndarray  # (K,) the stimuli
    named: np.ndarray  # (K,) what a decoder sees in their place


def read_trials(
    responses: Any, stimulus: Any, decoder: Any, n_folds: int, bin_width: Any, t_start: Any, t_stop: Any
) -> DecodingTrials:
    """The arguments of `decode`, checked."""
    check_decoder(decoder)
    features, pairwise = _features(responses, decoder, bin_width, t_start, t_stop)
    n, k = features.shape
    sized = hasattr(stimulus, "__len__") and getattr(stimulus, "ndim", 1) > 0
    if not holds_blocks(responses) and sized and len(stimulus) == k != n:
        raise NsnnError(
            f"responses has {n} rows and {k} columns, and stimulus {k} labels: transposed? expected a row for each trial, "
            "responses.T"
        )
    distinct, number = as_labels(stimulus, "stimulus", n)
    sizes = np.bincount(number)
    if sizes.min() < n_folds:
        raise NsnnError(
            f"stimulus {distinct[sizes.argmin()]} has {sizes.min()} trials: expected at least n_folds = {n_folds} of each; take "
            "fewer folds or leave it out"
        )
    # classifiers of scikit-learn sort their classes, and refuse floats and objects
    as_given = distinct.dtype.kind in "iubU" and (distinct[:-1] < distinct[1:]).all()
    named = distinct if as_given else np.arange(distinct.size)
    return DecodingTrials(features, pairwise, number, distinct, named)


def check_decoder(decoder: Any) -> None:
    """NsnnError for what is no decoder."""
    if isinstance(decoder, type):
        raise NsnnError(f"decoder = {decoder.__name__}, a class: add brackets, {decoder.__name__}()")
    if not hasattr(decoder, "fit"):
        raise NsnnError(
            f"decoder = {shown(decoder)}: expected an object with fit and predict, such as PoissonMAP()"
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


def cross_validated(
    decoder: Any,
    trials: DecodingTrials,
    numbers: np.ndarray,
    n_folds: int,
    seed: int,
    posteriors: bool = False,
) -> tuple[np.ndarray, np.ndarray | None]:
    """(n_trials,) cross-validated predictions, and log posteriors if asked for and known.

    numbers : (n_trials,) of the stimuli, those of the trials or others
    """
    features, pairwise, labels = trials.features, trials.pairwise, trials.named[numbers]
    predictions = np.empty_like(labels)
    from sklearn.model_selection import StratifiedKFold  # slow to import

    distinct = np.unique(labels)
    log_q = np.empty((len(labels), distinct.size)) if posteriors else None
    if not isinstance(seed, int | np.integer) or seed >= 2**32:  # which scikit-learn refuses
        seed = np.random.SeedSequence(seed).generate_state(1)[0]
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=int(seed))
    numbers = np.searchsorted(distinct, labels)  # faster to stratify than texts
    for train, test in folds.split(np.zeros(len(labels)), numbers):
        columns = train if pairwise else slice(None)
        blank = copy.deepcopy(decoder)  # nothing learned is carried from fold to fold
        asked = features[test][:, columns]
        with narrow_products(features.shape[1] < _WIDE):
            fitted = blank.fit(features[train][:, columns], labels[train])
            fitted = blank if fitted is None else fitted
            result = np.asarray(fitted.predict(asked))
        if result.shape != test.shape or not np.isin(result, distinct).all():
            raise NsnnError(
                f"decoder {type(decoder).__name__} predicted {result!r}: expected one of the labels for each of "
                f"{test.size} trials"
            )
        predictions[test] = result
        if log_q is not None:
            of_test = _log_posterior(fitted, asked, distinct)
            log_q[test] = np.nan if of_test is None else of_test
            log_q = None if of_test is None else log_q
    return predictions, log_q


def _log_posterior(fitted: Any, asked: np.ndarray, distinct: np.ndarray) -> np.ndarray | None:
    """Log posterior probabilities of a decoder of this package or a classifier of scikit-learn."""
    if hasattr(fitted, "log_posterior"):
        log_q, labels = np.asarray(fitted.log_posterior(asked), dtype=float), fitted.labels
    elif hasattr(fitted, "predict_proba") and hasattr(fitted, "classes_"):
        q, labels = np.asarray(fitted.predict_proba(asked), dtype=float), fitted.classes_
        log_q = np.log(q, out=np.full(q.shape, -np.inf), where=q > 0)
    else:
        return None
    fits = log_q.shape == (len(asked), distinct.size) and np.array_equal(labels, distinct)
    return log_q if fits else None


def posterior_information(log_q: np.ndarray, number: np.ndarray, table_information: Estimate) -> Estimate:
    """H(S) + mean log2 q of the trials' own stimuli, with the spread over trials."""
    n = number.size
    own = log_q[np.arange(n), number] / np.log(2)
    shares = np.bincount(number) / n
    value = float(own.mean() - shares @ np.log2(shares))
    impossible, warning = int((~np.isfinite(own)).sum()), None
    se = np.nan if impossible else float(own.std(ddof=1) / np.sqrt(n))
    if impossible:
        warning = f"the decoder gave probability 0 to the stimulus of {impossible} of {n} trials"
    elif value < table_information.value - 2 * np.hypot(se, table_information.se):
        warning = (
            "lower than the information of the confusion matrix: the posteriors are wrong, most often overconfident; for "
            "counts that vary more than their mean use NegativeBinomialMAP"
        )
    return Estimate(value, se, n=n, warning=warning, se_method="spread over trials")


def confusion_table(number: np.ndarray, predictions: np.ndarray, distinct: np.ndarray) -> np.ndarray:
    """(K, K) trials, stimulus by decoded stimulus."""
    return contingency(number, np.searchsorted(distinct, predictions), distinct.size, distinct.size)


def confusion_information(
    table: np.ndarray,
    null: np.ndarray,
    corrected: Callable[[np.ndarray], np.ndarray] = miller_madow,
    correction: str = "miller-madow",
) -> Estimate:
    """Information in the table (K, K), `corrected`, with tables of shuffles as its null."""
    value = float(corrected(table))
    shuffled = corrected(null) if len(null) else np.empty(0)
    n = int(table.sum())
    few = f"{n} trials for a table of {len(table)} x {len(table)}: fewer than 5 per cell"
    warning, se = few if n < 5 * table.size else None, table_se(table)
    return with_test(value, se, correction, shuffled, n=n, warning=warning, se_method="multinomial")

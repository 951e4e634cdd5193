"""Calibration of class probabilities (n, K), and accuracy among the most confident predictions.

The probability of the most probable class is the confidence c, and a classifier is calibrated if P(correct | c) = c.
Confidences are rounded to 12 decimals before they are compared or binned, so that equal fractions of passes tie.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.aliases import Values
from ...core.checks import check, one_of, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import floats, shown
from ..estimate import Estimate, Report
from ..response_checks import array_of, as_samples, shuffle_test

_SLACK = 1e-6  # of a sum of probabilities
_DECIMALS = 12


def _predictions(probabilities: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Checked arguments: (n, K) floats whose rows add up to 1, and (n,) labels from 0 to K - 1."""
    p = as_samples(probabilities, "probabilities")
    if np.ndim(probabilities) != 2 or p.shape[1] < 2:
        raise NsnnError(
            f"probabilities has shape {np.shape(probabilities)}: expected (n, K), a column for each of two classes or more"
        )
    wrong = (p < 0).any(axis=1) | (np.abs(p.sum(axis=1) - 1) > _SLACK)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise NsnnError(
            f"probabilities[{row}] = {p[row]}: expected numbers from 0 that add up to 1, e.g. p / p.sum(1, keepdims=True)"
        )
    y = array_of(labels, "labels")
    if y.shape != (len(p),) or y.dtype.kind not in "iu":
        raise NsnnError(f"labels has shape {y.shape}, {y.dtype}: expected whole numbers of shape ({len(p)},)")
    if y.min() < 0 or y.max() >= p.shape[1]:
        raise NsnnError(f"labels go from {y.min()} to {y.max()}: expected 0 to {p.shape[1] - 1}, the columns")
    return p, y


def _confident(probabilities: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Confidence (n,) of each prediction, and whether it is correct."""
    p, y = _predictions(probabilities, labels)
    return p.max(axis=1), p.argmax(axis=1) == y


def _binned(confidence: np.ndarray, n_bins: int, bins: str) -> tuple[np.ndarray, np.ndarray]:
    """Edges (n_bins + 1,), and the bin of each confidence; bins have their upper edge."""
    one_of(bins, ("width", "mass"), "bins")
    rounded, k = np.round(confidence, _DECIMALS), np.arange(n_bins + 1)
    ranks = np.maximum(-(-k * confidence.size // n_bins) - 1, 0)
    edges = np.round(k / n_bins, _DECIMALS) if bins == "width" else np.sort(rounded)[ranks]
    return edges, np.searchsorted(edges[1:-1], rounded, side="left")


@suggest_keywords
def calibration_error(
    probabilities: Values,
    labels: Values,
    *,
    n_bins: int = 15,
    bins: str = "width",
    n_shuffle: int = 200,
    seed: int = 0,
) -> Estimate:
    """Expected calibration error: mean |accuracy - confidence| over bins of confidence.

    ECE = sum_b n_b / n |accuracy_b - confidence_b|, from 0 (calibrated) to 1. It is never negative
    and isn't corrected: compare it with null_mean, the mean ECE if each prediction is correct with
    exactly its confidence, and p, the fraction of such draws that reach the value. Within a bin
    errors of both signs cancel: with few bins the ECE is a lower bound. se: jackknife over samples,
    for fixed bins; too large where bins are calibrated, as |x| has a kink.

    Parameters
    ----------
    probabilities : (n, K), rows add up to 1
    labels : (n,) whole numbers from 0 to K - 1
    n_bins : whole number
    bins : "width" (default, as in the source): equal parts of 0 to 1, (a, b]; "mass": as many
        samples in each, equal confidences never parted, so there may be fewer bins
    n_shuffle, seed : draws of calibrated answers for null_mean and p, 0 for none

    Raises
    ------
    NsnnError : rows that are no probabilities, labels that don't fit. Source: Guo, Pleiss, Sun &
        Weinberger 2017, doi 10.48550/arXiv.1706.04599; the null: Bröcker & Smith 2007, doi
        10.1175/WAF993.1

    >>> p = np.tile([0.9, 0.1], (10, 1))
    >>> error = calibration_error(p, [0] * 6 + [1] * 4)  # right in 6 of 10, sure by .9
    >>> round(float(error), 12), error.p
    (0.3, 0.01990049751243781)
    """
    check(n_bins=n_bins, bins=bins, n_shuffle=n_shuffle, seed=seed)
    confidence, right = _confident(probabilities, labels)
    _, number = _binned(confidence, n_bins, bins)
    rng = np.random.default_rng(seed)
    n = confidence.size

    def excess(answers: np.ndarray) -> np.ndarray:
        """Of each bin, the sum of right answers less that of confidences."""
        return np.bincount(number, answers - confidence, minlength=n_bins)

    sums = excess(right)
    total = np.abs(sums).sum()
    value = float(total / n)
    se = np.nan
    if n > 1:
        own = sums[number]
        leave_one_out = (total - np.abs(own) + np.abs(own - (right - confidence))) / (n - 1)
        se = float(np.sqrt((n - 1) * leave_one_out.var()))
    null = np.array([np.abs(excess(rng.random(n) < confidence)).sum() / n for _ in range(n_shuffle)])
    many = "perfect calibration would give half of it or more: take more samples, or fewer bins"
    warning = many if n_shuffle and null.mean() > value / 2 else None
    how = "jackknife over samples" if n > 1 else None
    return Estimate(value, se, **shuffle_test(null, value), n=n, warning=warning, unit="1", se_method=how)


@dataclass(frozen=True, eq=False)
class ReliabilityCurve(Report):
    """Accuracy against confidence; made by `reliability_curve`. Bins without samples have NaN."""

    edges: np.ndarray
    """(n_bins + 1,) of the confidence; a bin has its upper edge, not its lower one"""
    count: np.ndarray
    """(n_bins,) samples"""
    confidence: np.ndarray
    """(n_bins,) mean confidence"""
    accuracy: np.ndarray
    """(n_bins,) share of right guesses"""
    se: np.ndarray
    """(n_bins,) of the accuracy, binomial with one right and one wrong sample added"""


def binomial_se(right: Any, n: Any) -> np.ndarray:
    """sqrt(a (1 - a) / n) with a = (right + 1) / (n + 2): not 0 where all are right."""
    a = (right + 1) / (n + 2)
    return np.asarray(np.sqrt(a * (1 - a) / n))


@suggest_keywords
def reliability_curve(
    probabilities: Values, labels: Values, *, n_bins: int = 15, bins: str = "width"
) -> ReliabilityCurve:
    """Accuracy against confidence in bins: below the diagonal if overconfident.

    `calibration_error` is the sum of count |accuracy - confidence| / n over its bins; arguments as
    there.

    >>> curve = reliability_curve(np.tile([0.9, 0.1], (10, 1)), [0] * 6 + [1] * 4, n_bins=2)
    >>> curve.count, curve.confidence, curve.accuracy
    (array([ 0, 10]), array([nan, 0.9]), array([nan, 0.6]))
    """
    check(n_bins=n_bins, bins=bins)
    confidence, right = _confident(probabilities, labels)
    edges, number = _binned(confidence, n_bins, bins)
    count = np.bincount(number, minlength=n_bins)
    n = np.where(count > 0, count, np.nan)
    hits = np.bincount(number, right, minlength=n_bins)
    mean = np.bincount(number, confidence, minlength=n_bins) / n
    return ReliabilityCurve(edges, count, mean, hits / n, binomial_se(hits, n))


@dataclass(frozen=True, eq=False)
class SelectiveAccuracy(Report):
    """Accuracy among the most confident; made by `selective_accuracy`."""

    coverage: np.ndarray
    """(m,) share of samples that are answered"""
    accuracy: np.ndarray
    """(m,) share of right guesses among them"""
    se: np.ndarray
    """(m,) binomial, as that of `ReliabilityCurve`"""
    area: float
    """under the curve over all coverages k / n: the mean of its n values"""


@suggest_keywords
def selective_accuracy(probabilities: Values, labels: Values, *, coverage: Any = None) -> SelectiveAccuracy:
    """Accuracy among the most confident fraction of samples, against that fraction.

    A group of equal confidences counts with its own accuracy. An area at the accuracy of all says that
    confidence tells nothing; with accuracy a and all errors last it is about a (1 - ln a).

    `coverage` holds numbers above 0 to 1, (m,) or one: the ceil(coverage n) most confident; None: 1
    / n, 2 / n, ... 1. Other arguments and errors: as for `calibration_error`. Source: Geifman &
    El-Yaniv 2017, doi 10.48550/arXiv.1705.08500

    >>> curve = selective_accuracy([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]], [0, 0, 0, 1], coverage=[0.5, 1])
    >>> curve.accuracy, round(curve.area, 4)
    (array([1. , 0.75]), 0.8542)
    """
    confidence, right = _confident(probabilities, labels)
    n = right.size
    _, group = np.unique(-np.round(confidence, _DECIMALS), return_inverse=True)
    size = np.bincount(group)
    hits = np.cumsum(np.repeat(np.bincount(group, right) / size, size))
    counts = np.arange(1, n + 1)
    if coverage is not None:
        expected = np.atleast_1d(floats(coverage, "coverage", "numbers above 0, up to 1, or None"))
        if expected.ndim != 1 or not expected.size or not np.all((expected > 0) & (expected <= 1)):
            raise NsnnError(f"coverage = {shown(coverage)}: expected numbers above 0, up to 1, or None")
        counts = np.maximum(1, np.ceil(expected * n - 1e-9)).astype(np.int64)
    accuracy = hits / np.arange(1, n + 1)
    return SelectiveAccuracy(
        counts / n, accuracy[counts - 1], binomial_se(hits[counts - 1], counts), float(accuracy.mean())
    )


@suggest_keywords
def brier_score(probabilities: Values, labels: Values) -> Estimate:
    """Brier score: mean over samples of sum_k (p_k - [k is the label])^2.

    From 0 to 2; 1 - 1/K for probabilities that are always 1/K. The true probabilities minimise it.
    Unbiased; se over samples. Arguments and errors: as for `calibration_error`. Source: Brier 1950,
    doi 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2

    >>> float(brier_score([[0.5, 0.5], [1.0, 0.0]], [0, 0]))
    0.25
    """
    p, y = _predictions(probabilities, labels)
    each = ((p - (y[:, None] == np.arange(p.shape[1]))) ** 2).sum(axis=1)
    n = each.size
    se = float(each.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    method = "standard deviation over samples / sqrt(n)" if n > 1 else None
    return Estimate(float(each.mean()), se, n=n, unit="1", se_method=method)

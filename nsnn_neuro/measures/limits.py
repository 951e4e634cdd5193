"""Confidence limits of means, of functions of sums over trials and of indices of means, that hold with few trials.

The limits are v - s (t + max(-b, 0)) and v + s (t + max(b, 0)), s the standard error of v, with

    t = quantile of Student's distribution of (n - 1) min(1, 2 / (kurtosis - 1)) degrees of freedom,
    b = skewness (1 + 2 t_(n-1)^2) / (6 sqrt n).

Skewness and kurtosis are those of the trials' deviations: of x_i - mean for a mean, of the jackknife's pseudo-values for any other
function. The variance of n values of this kurtosis varies as a chi-square of 2 n / (kurtosis - 1) degrees of freedom does
(Satterthwaite), and b is how far the skewness moves both limits (Johnson). Here b only moves the limit on the side of the long
tail: moving the other one inwards by the skewness of few trials loses more coverage than it gains. Values in (0, infinity) that
spread by factors, such as ratios of variances, are treated on the logarithmic scale, with s / v in place of s.

Where limits are still too narrow: "Errors with few trials" in the documentation.

Sources: Satterthwaite 1946, doi 10.2307/3002019; Johnson 1978, doi 10.1080/01621459.1978.10480051; Efron & Stein 1981,
doi 10.1214/aos/1176345462
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import stdtrit

from ..core.checks import number
from ..core.errors import NsnnError
from .trains import nan_ratio

_CHUNK = 4_000_000  # mean responses of resamples held at a time


def between_0_and_1(value: Any, name: str) -> float:
    """`value` as a float above 0 and below 1."""
    x = number(value, name)
    if not 0 < x < 1:
        raise NsnnError(f"{name} = {value}: expected a number between 0 and 1")
    return x


def student_limits(
    value: Any, deviations: np.ndarray, number: Any = None, *, scale: str = "linear", confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Limits (lower, upper) of a mean from the deviations (n, ...) of its n values, see the module; of the shape of `value`.

    number : values in each mean, where it isn't n; deviations of the others are 0. NaN for fewer than two
    """
    v = np.asarray(value, dtype=float)
    n = np.asarray(len(deviations) if number is None else number, dtype=float)
    few = n < 2
    n = np.where(few, np.nan, n)
    second, third, fourth = (nan_ratio((deviations**k).sum(axis=0), n) for k in (2, 3, 4))
    spread = np.where(second > 0, second, 1.0)  # equal values have neither a skewness nor an error
    skewness, kurtosis = third / spread**1.5, np.maximum(fourth / spread**2, 1.0)
    with np.errstate(divide="ignore"):
        freedom = np.maximum((n - 1) * np.minimum(1.0, 2 / (kurtosis - 1)), 1.0)
    tail = (1 + confidence) / 2
    shift = skewness / np.sqrt(n) * (1 + 2 * stdtrit(n - 1, tail) ** 2) / 6
    se, t = np.sqrt(second / (n - 1)), stdtrit(freedom, tail)
    below, above = se * (t + np.maximum(-shift, 0.0)), se * (t + np.maximum(shift, 0.0))
    if scale == "log":
        with np.errstate(over="ignore"):
            positive = np.where(v > 0, v, np.nan)
            return positive * np.exp(-below / positive), positive * np.exp(above / positive)
    lower, upper = v - below, v + above
    if scale != "linear":
        lower = np.maximum(lower, 0.0)
    return lower, np.minimum(upper, 1.0) if scale == "fraction" else upper


def mean_limits(
    x: np.ndarray, *, scale: str = "linear", confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Limits (lower, upper) of the mean of x (n, ...) over its first axis; NaN values are left out."""
    known = ~np.isnan(x)
    number = known.sum(axis=0)
    mean = nan_ratio(np.where(known, x, 0.0).sum(axis=0), number)
    deviations = np.where(known, x - mean, 0.0)
    deviations[np.abs(deviations) <= 1e-12 * np.abs(mean)] = 0.0  # rounding
    return student_limits(mean, deviations, number, scale=scale, confidence=confidence)


def jackknife_limits(
    value: Any, left_out: np.ndarray, *, scale: str = "linear", confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Limits (lower, upper) of a value from its leave-one-trial-out values (n, ...); NaN where one of these is."""
    pseudo = (len(left_out) - 1) * (left_out.mean(axis=0) - left_out)
    same = np.ptp(left_out, axis=0) <= 1e-12 * np.abs(left_out).max(axis=0)  # equal but for rounding
    return student_limits(value, np.where(same, 0.0, pseudo), scale=scale, confidence=confidence)


def resample_weights(n: int, n_resample: int, rng: np.random.Generator) -> np.ndarray:
    """Weights (n_resample, n) of n trials in means of n - 1 draws of them (Rao & Wu)."""
    return rng.multinomial(n - 1, np.full(n, 1 / n), size=n_resample) / (n - 1)


def index_interval(
    index: Callable[[np.ndarray], np.ndarray],
    label: np.ndarray,
    responses: np.ndarray,
    *,
    level: float,
    n_resample: int,
    seed: int,
    period: float | None = None,
    selectivity: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Bootstrap interval, lower and upper end (n_neurons,), of a function `index` of mean responses (..., n_stimuli).

    Of the trials of each stimulus, at least two, n - 1 of n are drawn with replacement (Rao & Wu), and the index is computed again.
    An index of selectivity is at least 0 and raised by noise, in the resamples once more than in the data. So the lower end of its
    interval is moved down by twice the difference of the resamples' mean and the estimate, and is 0 where noise alone reaches the
    estimate: where the index of resampled means, less the mean of their stimulus and plus the mean over stimuli, does so with more
    than the tail's probability.

    period : of an index that is an angle; the ends are then those of its difference from the estimate
    selectivity : whether the index is one, from 0 upwards
    """
    number = np.bincount(label)
    trials = [responses[label == k] for k in range(number.size)]
    mean = np.stack([x.mean(axis=0) for x in trials], axis=-1)
    own = index(mean)
    rng = np.random.default_rng(seed)
    weights = [resample_weights(int(n), n_resample, rng) for n in number]
    again, reached = np.empty((n_resample, own.size)), np.zeros(own.size)
    step = max(1, _CHUNK // (n_resample * number.size))
    for first in range(0, own.size, step):
        cells = slice(first, first + step)
        means = np.stack([w @ x[:, cells] for w, x in zip(weights, trials, strict=True)], axis=-1)
        again[:, cells] = index(means)
        if selectivity:
            noise = means - mean[cells] + mean[cells].mean(axis=-1, keepdims=True)
            reached[cells] = (index(np.maximum(noise, 0.0)) >= own[cells]).mean(axis=0)
    if period is not None:
        again -= period * np.round((again - own) / period)
    tail = (1 - level) / 2
    lower, upper = np.quantile(again, [tail, 1 - tail], axis=0)
    if selectivity:
        lower = np.maximum(lower - 2 * np.maximum(again.mean(axis=0) - own, 0.0), 0.0)
        lower = np.where(reached > tail, 0.0, lower)
    return lower, upper

"""Correlations of the spike counts and spike times of simultaneously recorded neurons, and their dimensionality.

Counts are given as a neo.Block (one Segment per trial, counted between t_start and t_stop) or as an array (n_trials,
n_neurons). `stimulus` labels the trials: integers, booleans or text, one per trial.

Law of total covariance: Cov(x) = E_s Cov(x | s) + Cov_s E(x | s), noise plus signal. With weights n_s / n and
divisors n it holds for samples exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import neo
import numpy as np

from ...core.bins import slack
from ...core.checks import check, one_of, positive, suggest_keywords
from ...core.deprecated import reordered
from ...core.errors import NsnnError
from ...core.numba_jit import njit
from ...core.units import floats
from ...core.warn import warn
from ...io.train_arrays import block_from
from ..estimate import Estimate, jackknife_se, measure
from ..response_checks import as_labels
from ..trains import (
    SilentNeuronWarning,
    Trains,
    as_repeats,
    as_trains,
    holds_trials,
    nan_ratio,
    warn_silent,
)


@dataclass(frozen=True, eq=False)
class CovarianceParts:
    """Covariance of counts and its two parts, total = noise + signal; made by `law_of_total_covariance`.

    >>> parts = law_of_total_covariance(["a", "a", "b", "b"], [[1, 2], [3, 2], [5, 6], [7, 6]])
    >>> parts.total.tolist(), bool((parts.total == parts.noise + parts.signal).all())
    ([[5.0, 4.0], [4.0, 4.0]], True)
    """

    total: np.ndarray
    """(n, n) spikes^2"""
    noise: np.ndarray
    """(n, n) mean over trials of the covariance within the trial's stimulus"""
    signal: np.ndarray
    """(n, n) covariance of the stimuli's mean counts, weighted by their trials"""


def _read_counts(counts: Any, t_start: Any, t_stop: Any) -> np.ndarray:
    """Counts (n_trials, n_neurons) as floats, of a Block, a Trains or an array."""
    if isinstance(counts, neo.Block | Trains):
        trains = as_trains(counts, t_start, t_stop)
        trains.check_durations("so that their counts differ")
        return trains.counts.astype(float)
    expected = f"a neo.Block or an array (n_trials, n_neurons){block_from(counts)}"
    array = floats(counts, "counts", expected)
    if array.ndim != 2 or array.size == 0:
        raise NsnnError(f"counts = {type(counts).__name__} object: expected {expected}")
    if t_start is not None or t_stop is not None:
        raise NsnnError("counts is an array: t_start and t_stop only crop a neo.Block")
    if not np.isfinite(array).all():
        raise NsnnError("counts holds NaN or infinite values: expected finite counts")
    return array


def _read_labels(stimulus: Any, n_trials: int) -> np.ndarray:
    """Labels 0, 1, ... (n_trials,) of integers, booleans or text; None: all the same."""
    if stimulus is None:
        return np.zeros(n_trials, dtype=np.int64)
    return as_labels(stimulus, "stimulus", n_trials, least=1)[1]


def _means(x: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean counts (n_stimuli, n_neurons) and numbers of trials (n_stimuli,)."""
    trials = np.bincount(label)
    total = np.zeros((trials.size, x.shape[1]))
    np.add.at(total, label, x)
    return total / trials[:, None], trials


@reordered("stimulus", "counts", lambda first, second: holds_trials(first) and not holds_trials(second))
@suggest_keywords
def law_of_total_covariance(
    stimulus: Any, counts: Any, *, t_start: Any = None, t_stop: Any = None
) -> CovarianceParts:
    """Covariance of counts, and its parts within and between stimuli, each (n_neurons, n_neurons).

    total = noise + signal, exactly, with noise = sum of n_s/n Cov(x | s) and signal = sum of n_s/n (m_s - m)(m_s -
    m)^T. All divisors are the numbers of trials (no correction): the signal part still holds the noise of the
    means, noise / n_s; `signal_correlation` removes it.

    Parameters
    ----------
    stimulus : (n_trials,) integer, boolean or text labels
    counts : neo.Block, or array (n_trials, n_neurons)
    t_start, t_stop : times, scalar, for a Block; None is the trials' own end

    Raises
    ------
    NsnnError : float labels, a number of labels other than of trials, NaN, or what `as_trains` refuses.
        Source: Averbeck, Latham & Pouget 2006, doi 10.1038/nrn1888

    >>> parts = law_of_total_covariance(["a", "a", "b", "b"], [[1, 2], [3, 2], [5, 6], [7, 6]])
    >>> parts.noise, parts.signal
    (array([[1., 0.], [0., 0.]]), array([[4., 4.], [4., 4.]]))
    """
    x = _read_counts(counts, t_start, t_stop)
    label = _read_labels(stimulus, len(x))
    mean, trials = _means(x, label)
    inner, outer, whole = x - mean[label], mean - x.mean(axis=0), x - x.mean(axis=0)
    return CovarianceParts(
        whole.T @ whole / len(x), inner.T @ inner / len(x), (outer.T * trials) @ outer / len(x)
    )


def _windowed(
    counts: Any, stimulus: Any, window: Any, t_start: Any, t_stop: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Counts (n_trials * n_windows, n_neurons) and a label for each pair of stimulus and window."""
    if window is None:
        x = _read_counts(counts, t_start, t_stop)
        return x, _read_labels(stimulus, len(x))
    trains = as_trains(counts, t_start, t_stop, "counts")
    index, n_bins = trains.bins(positive(window, "s", "window"), "window")
    bins = int(n_bins.min())
    if n_bins.max() > bins:
        raise NsnnError("trials hold different numbers of windows: pass t_start and t_stop")
    label = _read_labels(stimulus, trains.n_trials)
    inside = index < bins
    cell = (trains.trial[inside] * bins + index[inside]) * trains.n_neurons + trains.neuron[inside]
    x = np.bincount(cell, minlength=trains.n_trials * bins * trains.n_neurons).astype(float)
    return x.reshape(-1, trains.n_neurons), (label[:, None] * bins + np.arange(bins)).ravel()


@suggest_keywords
def noise_correlation(
    counts: Any,
    stimulus: Any = None,
    *,
    window: Any = None,
    zscore: bool = True,
    t_start: Any = None,
    t_stop: Any = None,
) -> np.ndarray:
    """Correlation of counts around the mean of their stimulus, (n_neurons, n_neurons).

    The mean of the stimulus is subtracted from counts, which are divided by its SD (zscore) and correlated over all trials.
    So it is the mean of the correlations within stimuli, weighted by their trials, over the stimuli where both neurons vary.
    Its bias for n trials per stimulus is that of Pearson's correlation, about -rho (1 - rho^2) / (2 n).

    Parameters
    ----------
    counts, t_start, t_stop : as for `law_of_total_covariance`
    stimulus : (n_trials,) labels as there; None (default): one stimulus in all trials
    window : time, scalar; a Block's counts in windows that tile each trial, each window with its own mean over
        trials. None (default): counts of whole trials
    zscore : True (default), so that a stimulus of high rate counts no more than the others; else each by its variance

    Raises
    ------
    NsnnError : no stimulus with two trials, or what `law_of_total_covariance` refuses. Warns once, SilentNeuronWarning,
        when a neuron's count doesn't vary (NaN). Source: Bair, Zohary & Newsome 2001, doi
        10.1523/JNEUROSCI.21-05-01676.2001

    >>> noise_correlation([[1, 2], [3, 4], [5, 8], [7, 6]], [0, 0, 1, 1]).round(12)
    array([[1., 0.], [0., 1.]])
    """
    check(zscore=zscore)
    x, label = _windowed(counts, stimulus, window, t_start, t_stop)
    mean, trials = _means(x, label)
    if trials.max() < 2:
        raise NsnnError("stimulus: each label has one trial; noise correlation needs two of one stimulus")
    deviation = x - mean[label]
    deviation[np.abs(deviation) <= 1e-12 * np.abs(mean[label])] = 0.0
    squares = np.zeros_like(mean)
    np.add.at(squares, label, deviation**2)
    if not zscore:
        both = deviation.T @ deviation
        scale = np.sqrt(np.diag(both))
        return _warn_constant(nan_ratio(both, scale[:, None] * scale), "noise_correlation")
    varies = squares > 0
    z = np.where(varies[label], nan_ratio(deviation, np.sqrt(squares / trials[:, None])[label]), 0.0)
    shared = (varies.T * trials).astype(float) @ varies
    return _warn_constant(nan_ratio(z.T @ z, shared), "noise_correlation")


@reordered("stimulus", "counts", lambda first, second: holds_trials(first) and not holds_trials(second))
@suggest_keywords
def signal_correlation(
    stimulus: Any,
    counts: Any,
    *,
    bias: str | None = "subtract",
    t_start: Any = None,
    t_stop: Any = None,
) -> np.ndarray:
    """Correlation of the mean counts of stimuli, (n_neurons, n_neurons).

    With S stimuli, m_s their mean counts and C_s the unbiased covariances within them, the covariance of means is
    1/(S - 1) sum of (m_s - m)(m_s - m)^T - 1/S sum of C_s / n_s; the second term, what noise adds to the means'
    covariance, makes it unbiased. Values outside [-1, 1] can then occur where the signal is weak.

    Parameters
    ----------
    stimulus, counts, t_start, t_stop : as for `law_of_total_covariance`
    bias : "subtract" (default: noise correlations would leak into the signal's, and noise dilute it) takes the
        second term off; None leaves it

    Raises
    ------
    NsnnError : one stimulus only, a stimulus with one trial (with "subtract"), or what `law_of_total_covariance` refuses.
        Warns once, SilentNeuronWarning, for neurons whose signal variance is not above 0 (NaN). Source: Gawne & Richmond
        1993, doi 10.1523/JNEUROSCI.13-07-02758.1993

    >>> counts = [[1, 9], [3, 7], [5, 6], [7, 4], [9, 1], [11, 3]]
    >>> signal_correlation([0, 0, 1, 1, 2, 2], counts).round(3)
    array([[ 1.   , -1.065],
           [-1.065,  1.   ]])
    """
    check(bias=bias)
    one_of(bias, (None, "subtract"), "bias")
    x = _read_counts(counts, t_start, t_stop)
    label = _read_labels(stimulus, len(x))
    mean, trials = _means(x, label)
    if len(mean) < 2:
        raise NsnnError("stimulus has one label: signal correlation needs at least two stimuli")
    outer = mean - mean.mean(axis=0)
    covariance = outer.T @ outer / (len(mean) - 1)
    if bias == "subtract":
        if trials.min() < 2:
            raise NsnnError("stimulus: a label has one trial, too few for its noise; give two, or bias=None")
        inner = (x - mean[label]) / np.sqrt(trials * (trials - 1))[label][:, None]
        covariance -= inner.T @ inner / len(mean)
    variance = np.diag(covariance)
    variance = np.where(variance > 1e-12 * (mean**2).mean(axis=0), variance, 0.0)
    scale = np.sqrt(variance)
    return _warn_constant(nan_ratio(covariance, scale[:, None] * scale), "signal_correlation")


def _warn_constant(matrix: np.ndarray, name: str) -> np.ndarray:
    count = int(np.isnan(np.diag(matrix)).sum())
    if count or np.isnan(matrix).any():
        why = f"{count} of {len(matrix)} neurons don't vary (or no two vary together)"
        warn(f"{name}: {why}; the value is NaN", SilentNeuronWarning)
    return matrix


@suggest_keywords
def dimensionality(
    counts: Any, *, bias: str | None = "subtract", t_start: Any = None, t_stop: Any = None
) -> Estimate:
    """Participation ratio (tr C)^2 / tr C^2 of the covariance C of counts: the number of equal directions.

    n_neurons for independent neurons of equal variance, 1 when all share one fluctuation. The sample covariance of
    n trials adds about (tr C)^2 / n to tr C^2, so that the plain ratio can't exceed n - 1 and is low long before.
    se: jackknife over trials (in at most 50 groups).

    Parameters
    ----------
    counts : neo.Block, or array (n_trials, n_neurons); take the stimulus's means off first to get the noise's
    bias : "subtract" (default, for the reason above) puts estimates of (tr C)^2 and of tr C^2 that are unbiased for any
        distribution into the ratio (U-statistics over four trials); None is the plain ratio
    t_start, t_stop : times, scalar, for a Block; None is the trials' own end

    Raises
    ------
    NsnnError : fewer than four trials (two without correction), NaN, or what `as_trains` refuses. Warns once,
        SilentNeuronWarning, for counts that don't vary, or where the estimate of tr C^2 isn't above 0 (NaN). Sources:
        Mazzucato, Fontanini & La Camera 2016, doi 10.3389/fnsys.2016.00011; the unbiased traces: Chen, Zhang & Zhong
        2010, doi 10.1198/jasa.2010.tm09560

    >>> counts = np.random.default_rng(0).poisson(5.0, size=(50, 20))
    >>> round(dimensionality(counts).value, 2)
    19.23
    >>> round(dimensionality(counts, bias=None).value, 2)
    13.75
    """
    check(bias=bias)
    one_of(bias, (None, "subtract"), "bias")
    x = _read_counts(counts, t_start, t_stop)
    n, least = len(x), 2 if bias is None else 4
    if n < least:
        raise NsnnError(f"counts of {n} trials: dimensionality needs at least {least} with bias = {bias!r}")
    value = _participation(x, bias)
    correction = "none" if bias is None else "u-statistics"
    if np.isnan(value):
        reason = "the counts don't vary, or too few trials tell tr C^2 from noise"
        warn(f"dimensionality: {reason}; the value is NaN", SilentNeuronWarning)
        return Estimate(value, correction=correction, n=n, unit="1", warning=reason)
    groups = min(n, 50)
    group = np.arange(n) * groups // n
    se = float("nan")
    if n - np.bincount(group).max() >= least:
        se = jackknife_se(np.array([_participation(x[group != g], bias) for g in range(groups)]))
    warning = None if n > x.shape[1] else f"{n} trials of {x.shape[1]} neurons: covariance of deficient rank"
    return Estimate(value, se, correction, n=n, unit="1", warning=warning, se_method="jackknife over trials")


def _participation(x: np.ndarray, bias: str | None) -> float:
    n = len(x)
    centred = x - x.mean(axis=0)
    product = centred @ centred.T if n < x.shape[1] else centred.T @ centred
    trace, square = np.trace(product) / (n - 1), (product**2).sum() / (n - 1) ** 2
    if trace <= 1e-20 * (x**2).sum():
        return float("nan")
    if bias is None:
        return float(trace**2 / square)
    fourth = n * ((centred**2).sum(axis=1) ** 2).sum() / (n - 1)
    top = 2 * square + (n**2 - 3 * n + 1) * trace**2 - fourth
    bottom = (n - 1) * (n - 2) * square + trace**2 - fourth
    return float(top / bottom) if bottom > 0 else float("nan")


@njit(cache=True)  # pragma: no cover - compiled
def _tiled_time(
    times: np.ndarray, offsets: np.ndarray, starts: np.ndarray, stops: np.ndarray, dt: float
) -> np.ndarray:
    """Time within dt of each train's spikes, inside the trial."""
    out = np.zeros(offsets.size - 1)
    for k in range(out.size):
        reached = starts[k]
        for i in range(offsets[k], offsets[k + 1]):
            low, high = max(times[i] - dt, reached), min(times[i] + dt, stops[k])
            if high > low:
                out[k] += high - low
                reached = high
    return out


@njit(cache=True)  # pragma: no cover - compiled
def _tiled_spikes(times: np.ndarray, offsets: np.ndarray, n: int, dt: float) -> np.ndarray:
    """(n, n) number of spikes of neuron a within dt of a spike of neuron b in the same trial."""
    out = np.zeros((n, n))
    for trial in range((offsets.size - 1) // n):
        for a in range(n):
            for b in range(n):
                j, end = offsets[trial * n + b], offsets[trial * n + b + 1]
                for i in range(offsets[trial * n + a], offsets[trial * n + a + 1]):
                    while j < end and times[j] < times[i] - dt:
                        j += 1
                    if j < end and times[j] <= times[i] + dt:
                        out[a, b] += 1.0
    return out


@measure("1")
@suggest_keywords
def spike_time_tiling(trains: Any, *, dt: Any, t_start: Any = None, t_stop: Any = None) -> np.ndarray:
    """Spike-time tiling coefficient of each pair of neurons, (n, n), in [-1, 1]; almost independent of firing rates.

    STTC = 1/2 [(P_a - T_b) / (1 - P_a T_b) + (P_b - T_a) / (1 - P_b T_a)]: P_a is the fraction of a's spikes within dt
    of a spike of b, T_a the fraction of time within dt of a spike of a. 1 for equal trains, about 0 for
    independent ones. A quotient 0/0 (all spikes and all time are covered) is 1. Over trials, spikes and time are summed.

    Parameters
    ----------
    trains : neo.Block, one Segment per trial; or the simultaneous trains of several neurons in one trial, in the forms
        of `as_repeats`
    dt : time, scalar
    t_start, t_stop : times, scalar; None is the trains' own end; needed for plain arrays

    Raises
    ------
    NsnnError : trains of different windows in a list, or what `as_trains` refuses. Warns once, SilentNeuronWarning, for
        neurons without a spike (NaN). Source: Cutts & Eglen 2014, doi 10.1523/JNEUROSCI.2767-14.2014

    >>> import quantities as pq
    >>> trains = [[0.1, 0.5], [0.102, 0.8]]
    >>> spike_time_tiling(trains, dt=5*pq.ms, t_start=0*pq.s, t_stop=1*pq.s).round(3)
    array([[1.   , 0.485], [0.485, 1.   ]])
    """
    reach = positive(dt, "s", "dt")
    if isinstance(trains, neo.Block | Trains):
        data = as_trains(trains, t_start, t_stop)
        n, start, stop = data.n_neurons, data.t_start, data.t_stop
        length = data.durations.sum()
    else:
        data = as_repeats(trains, t_start, t_stop)
        n, (low, high) = data.n_trials, data.window()
        start, stop, length = np.array([low]), np.array([high]), high - low
    count = data.counts.reshape(-1, n)
    first, last = np.repeat(start, n), np.repeat(stop, n)
    tiled = _tiled_time(data.times, data.offsets, first, last, reach).reshape(-1, n).sum(axis=0) / length
    # spikes on a grid: a distance that is meant to equal dt may exceed it by rounding
    reach *= 1 + slack(reach, data.resolution, "dt")
    hit = nan_ratio(_tiled_spikes(data.times, data.offsets, n, reach), count.sum(axis=0)[:, None])
    product = hit * tiled
    half = np.where(product >= 1, 1.0, nan_ratio(hit - tiled, 1 - product))
    value = (half + half.T) / 2
    warn_silent(np.where(count.sum(axis=0) > 0, 0.0, np.nan), "spike_time_tiling", "have no spikes")
    return value

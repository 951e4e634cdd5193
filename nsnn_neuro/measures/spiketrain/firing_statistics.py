"""Single-neuron measures of rate, irregularity and bursting, (n_neurons,) from a neo.Block.

Intervals are pooled over trials; none spans a border between trials, and neither does a pair of adjacent
intervals. Each measure is a function of sums over trials: its `parts`, see `measure`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import quantities as pq

from ...core.aliases import SpikeSource, Time
from ...core.checks import scalar, suggest_keywords
from ...io.spikes import PIECE
from ..estimate import public_measure
from ..trains import Trains, as_trains, nan_ratio, warn_silent

Parts = tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]

_FEW_PAIRS = "have no two adjacent intervals in a trial"


def _rate_parts(trains: Trains) -> Parts:
    sums = np.empty((trains.n_trials, 2, trains.n_neurons))
    sums[:, 0], sums[:, 1] = trains.counts, trains.durations[:, None]
    return sums, lambda s: nan_ratio(s[..., 0, :], s[..., 1, :])


@public_measure("Hz", _rate_parts, scale="positive")
def firing_rate(block: SpikeSource, *, t_start: Time | None = None, t_stop: Time | None = None) -> np.ndarray:
    """Mean firing rate of each neuron in Hz, (n_neurons,).

    The rate is the number of spikes in all trials, divided by the total duration of the trials.

    Parameters
    ----------
    block : neo.Block with one Segment per trial. Of each population: `tabulate(block, firing_rate, by="population")`
    t_start, t_stop : times, scalar; spikes are counted from t_start to t_stop of each trial. None (default): the whole trial

    Raises
    ------
    NsnnError : not a Block, or a time outside a trial, see `as_trains`. Source: Dayan & Abbott 2001, eq. 1.4 (ISBN
        978-0-262-04199-7)

    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.1, 0.2, 0.4]]], t_stop=2*pq.s)  # one trial, one neuron, three spikes
    >>> firing_rate(block), firing_rate(block, t_stop=200*pq.ms)
    (array([1.5]), array([5.]))
    """
    sums, value = _rate_parts(as_trains(block, t_start, t_stop))
    return value(sums.sum(axis=0))


@suggest_keywords
def isi(block: SpikeSource, *, t_start: Time | None = None, t_stop: Time | None = None) -> list[np.ndarray]:
    """Interspike intervals in s, one array per neuron, trial after trial; none spans two trials.

    Arguments and errors: as for `firing_rate`.

    >>> from nsnn_neuro import to_block
    >>> isi(to_block([[[0.25, 0.5, 1.5]]], t_stop=2*pq.s))
    [array([0.25, 1.  ])]
    """
    trains = as_trains(block, t_start, t_stop)
    intervals, train = trains.intervals
    neuron = train % trains.n_neurons
    order = np.argsort(neuron, kind="stable")
    borders = np.cumsum(np.bincount(neuron, minlength=trains.n_neurons))[:-1]
    return np.split(intervals[order], borders)


def _cv_parts(trains: Trains) -> Parts:
    intervals, train = trains.intervals
    number = trains.per_train(train)
    mean = nan_ratio(trains.per_train(train, intervals).sum(axis=0), number.sum(axis=0))
    # about the mean, or the variance of regular trains would cancel
    deviation = intervals - mean[train % trains.n_neurons]
    total = trains.per_train(train, deviation)
    deviation *= deviation
    sums = np.stack([number, total, trains.per_train(train, deviation)], axis=1)

    def value(s: np.ndarray) -> np.ndarray:
        shift = nan_ratio(s[..., 1, :], s[..., 0, :])
        variance = nan_ratio(s[..., 2, :], s[..., 0, :]) - shift**2
        result = nan_ratio(np.sqrt(np.maximum(variance, 0.0)), mean + shift)
        return np.where(s[..., 0, :] < 2, np.nan, result)

    return sums, value


@public_measure("1", _cv_parts, scale="log")
def cv(block: SpikeSource, *, t_start: Time | None = None, t_stop: Time | None = None) -> np.ndarray:
    """Coefficient of variation of each neuron's interspike intervals, (n_neurons,).

    CV = sqrt(mean (I - mean I)^2) / mean I, the mean over all m intervals (divisor m, as in Elephant); 1 for
    a Poisson process, 1/sqrt(k) for a gamma process of shape k. NaN for fewer than two intervals. The ends of trials cut long
    intervals off, which lowers the CV of a Poisson process by 5 % at 5 intervals per trial. `sweep` warns of points with fewer.
    Arguments and errors: as for `firing_rate`. Source: Softky & Koch 1993, doi 10.1523/JNEUROSCI.13-01-00334.1993

    >>> from nsnn_neuro import to_block
    >>> cv(to_block([[[0.0, 1.0, 4.0]]], t_stop=5*pq.s))
    array([0.5])
    """
    sums, value = _cv_parts(as_trains(block, t_start, t_stop))
    return warn_silent(value(sums.sum(axis=0)), "cv", "have fewer than two intervals")


def _mean_over_pairs(trains: Trains, contrast: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Parts:
    """Parts of a mean over pairs (a, b) of contrast(|a - b| / (a + b), a + b); two zero intervals give 0."""
    intervals, train = trains.intervals
    same = train[1:] == train[:-1]
    train, weights, end = train[1:][same], np.empty(np.count_nonzero(same)), 0
    for k in range(0, same.size, PIECE):
        inside = same[k : k + PIECE]
        first, second = (intervals[j : j + inside.size][inside] for j in (k, k + 1))
        total = first + second
        # three spikes at one time: equal intervals, so no local variation, but 0/0
        relative = np.where(total > 0, nan_ratio(np.abs(first - second), total), 0.0)
        begin, end = end, end + total.size
        weights[begin:end] = np.where(total > 0, contrast(relative, total), 0.0)
    sums = np.stack([trains.per_train(train), trains.per_train(train, weights)], axis=1)
    return sums, lambda s: nan_ratio(s[..., 1, :], s[..., 0, :])


_cv2_parts = partial(_mean_over_pairs, contrast=lambda relative, total: 2 * relative)
_lv_parts = partial(_mean_over_pairs, contrast=lambda relative, total: 3 * relative**2)


@public_measure("1", _cv2_parts, scale="positive")
def cv2(block: SpikeSource, *, t_start: Time | None = None, t_stop: Time | None = None) -> np.ndarray:
    """Local variation of adjacent intervals, CV2 = mean of 2 |I_k+1 - I_k| / (I_k+1 + I_k), (n_neurons,).

    A pair of two zero intervals contributes 0. NaN for neurons without two adjacent intervals.
    Arguments and errors: as for `firing_rate`. Source: Holt et al. 1996, doi 10.1152/jn.1996.75.5.1806

    >>> from nsnn_neuro import to_block
    >>> cv2(to_block([[[0.0, 1.0, 4.0]]], t_stop=5*pq.s))
    array([1.])
    """
    sums, value = _cv2_parts(as_trains(block, t_start, t_stop))
    return warn_silent(value(sums.sum(axis=0)), "cv2", _FEW_PAIRS)


@public_measure("1", _lv_parts, scale="log")
def lv(block: SpikeSource, *, t_start: Time | None = None, t_stop: Time | None = None) -> np.ndarray:
    """Local variation LV = mean of 3 (I_k - I_k+1)^2 / (I_k + I_k+1)^2 over adjacent pairs, (n_neurons,).

    1 for a Poisson process, 3/(2k + 1) for a gamma process of shape k. Pairs of zero intervals and NaN: as for `cv2`.
    Arguments and errors: as for `firing_rate`. Source: Shinomoto et al. 2003, doi 10.1162/089976603322518759

    >>> from nsnn_neuro import to_block
    >>> lv(to_block([[[0.0, 1.0, 4.0]]], t_stop=5*pq.s))
    array([0.75])
    """
    sums, value = _lv_parts(as_trains(block, t_start, t_stop))
    return warn_silent(value(sums.sum(axis=0)), "lv", _FEW_PAIRS)


def _lvr_parts(trains: Trains, *, refractoriness: Any = 5 * pq.ms) -> Parts:
    r = np.asarray(scalar(refractoriness, "s", "refractoriness", least=0))
    return _mean_over_pairs(trains, lambda relative, total: 3 * relative**2 * (1 + 4 * nan_ratio(r, total)))


@public_measure("1", _lvr_parts, scale="log")
def lvr(
    block: SpikeSource,
    *,
    refractoriness: Any = 5 * pq.ms,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> np.ndarray:
    """Revised local variation, LV with each pair weighted by 1 + 4 R / (I_k + I_k+1), (n_neurons,).

    LvR = mean of 3 (1 - 4 I_k I_k+1 / (I_k + I_k+1)^2) (1 + 4 R / (I_k + I_k+1)) over adjacent pairs. R,
    `refractoriness`, is a time, scalar, at least 0; its default, 5 ms, is the source's best value. All else is as for `lv`.
    Source: Shinomoto et al. 2009, doi 10.1371/journal.pcbi.1000433

    >>> from nsnn_neuro import to_block
    >>> lvr(to_block([[[0.0, 1.0, 4.0]]], t_stop=5*pq.s), refractoriness=1*pq.s)
    array([1.5])
    """
    sums, value = _lvr_parts(as_trains(block, t_start, t_stop), refractoriness=refractoriness)
    return warn_silent(value(sums.sum(axis=0)), "lvr", _FEW_PAIRS)


def _serial_parts(trains: Trains) -> Parts:
    intervals, train = trains.intervals
    same = train[1:] == train[:-1]  # both intervals of a pair belong to one trial
    first, second, train = intervals[:-1][same], intervals[1:][same], train[1:][same]
    neuron = train % trains.n_neurons
    number = trains.per_train(train)
    mean = nan_ratio(trains.per_train(train, first).sum(axis=0), number.sum(axis=0))
    x, y = first - mean[neuron], second - mean[neuron]
    sums = np.stack([number, *(trains.per_train(train, w) for w in (x, y, x * x, y * y, x * y))], axis=1)

    def value(s: np.ndarray) -> np.ndarray:
        n = s[..., 0, :]
        mx, my, xx, yy, xy = (nan_ratio(s[..., k, :], n) for k in range(1, 6))
        # the sums of squares are about the mean, so that rounding leaves a regular train a variance near
        # 1e-16 mean^2, or that of the times' own rounding
        flat = np.minimum(xx - mx**2, yy - my**2) <= np.maximum(1e-9 * mean, trains.resolution) ** 2
        spread = np.where(flat, 0.0, (xx - mx**2) * (yy - my**2))
        return np.where(n < 3, np.nan, nan_ratio(xy - mx * my, np.sqrt(np.maximum(spread, 0.0))))

    return sums, value


@public_measure("1", _serial_parts)
def serial_correlation(
    block: SpikeSource, *, t_start: Time | None = None, t_stop: Time | None = None
) -> np.ndarray:
    """Pearson correlation of each interspike interval with the next (lag 1), (n_neurons,); 0 for renewal.

    NaN for fewer than three pairs (two always give +1 or -1), and for intervals that don't vary (SD below 1e-9 of their
    mean, or below the times' rounding). Arguments and errors: as for `firing_rate`. Source: Farkhooi et al. 2009, doi
    10.1103/PhysRevE.79.021905

    >>> from nsnn_neuro import to_block
    >>> serial_correlation(to_block([[[0.0, 1.0, 3.0, 4.0, 6.0]]], t_stop=7*pq.s)).round(12)
    array([-1.])
    """
    sums, value = _serial_parts(as_trains(block, t_start, t_stop))
    reason = "have fewer than three pairs of intervals, or intervals that don't vary"
    return warn_silent(value(sums.sum(axis=0)), "serial_correlation", reason)


def _burst_parts(trains: Trains, *, limit: Any = 6 * pq.ms) -> Parts:
    longest = scalar(limit, "s", "limit", above=0)
    intervals, train = trains.intervals
    short = train[intervals < longest - trains.resolution]
    sums = np.stack([trains.per_train(train), trains.per_train(short)], axis=1)
    return sums, lambda s: nan_ratio(s[..., 1, :], s[..., 0, :])


@public_measure("1", _burst_parts, scale="fraction")
def burst_index(
    block: SpikeSource, *, limit: Any = 6 * pq.ms, t_start: Time | None = None, t_stop: Time | None = None
) -> np.ndarray:
    """Fraction of each neuron's interspike intervals that are shorter than `limit`, (n_neurons,).

    Spikes that follow one another within 6 ms are the usual definition of a burst of hippocampal and cortical pyramidal cells. A
    Poisson process of rate r has 1 - exp(-r limit), so compare neurons of similar rate.

    Parameters
    ----------
    block : neo.Block, one Segment per trial; no interval spans two trials
    limit : time, scalar; default 6 ms
    t_start, t_stop : times, scalar; None is the trials' own end

    Raises
    ------
    NsnnError : what `as_trains` refuses. Neurons without an interval have NaN, with one SilentNeuronWarning. Source: Harris et
        al. 2001, doi 10.1016/S0896-6273(01)00447-0

    >>> from nsnn_neuro import to_block
    >>> burst_index(to_block([[[0.1, 0.104, 0.108, 0.2, 0.3]]], t_stop=1*pq.s))
    array([0.5])
    """
    sums, value = _burst_parts(as_trains(block, t_start, t_stop), limit=limit)
    return warn_silent(value(sums.sum(axis=0)), "burst_index", "have no interval")

"""Single-neuron measures of rate and irregularity, (n_neurons,) from a neo.Block.

Intervals are pooled over trials; none spans a border between trials, and neither does a pair of adjacent
intervals. A neuron with too few spikes gives NaN, and the call warns once (SilentNeuronWarning).

Each measure is a function of sums over trials. Its `_..._parts` returns these sums per trial, and the
function that turns them into the value; `tabulate` takes its leave-one-trial-out values from them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import quantities as pq

from ...core.aliases import SpikeSource, Time, Values
from ...core.checks import check, one_of, positive, suggest_keywords, whole
from ...core.errors import NsnnError
from ...core.units import describe, si
from ...core.warn import warn
from ...io.spikes import PIECE
from ..estimate import measure
from ..trains import SilentNeuronWarning, Trains, as_trains, nan_ratio, warn_silent
from ..trial_counts import read_labels, read_windows, sums_of
from .trial_drift import warn_drift

Parts = tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]

_FEW_PAIRS = "have no two adjacent intervals in a trial"


def _rate_parts(trains: Trains) -> Parts:
    sums = np.empty((trains.n_trials, 2, trains.n_neurons))
    sums[:, 0], sums[:, 1] = trains.counts, trains.durations[:, None]
    return sums, lambda s: nan_ratio(s[..., 0, :], s[..., 1, :])


@measure("Hz", _rate_parts, scale="positive")
@suggest_keywords
def firing_rate(block: SpikeSource, *, t_start: Time | None = None, t_stop: Time | None = None) -> np.ndarray:
    """Mean firing rate of each neuron in Hz, (n_neurons,).

    The rate is the number of spikes in all trials, divided by the total duration of the trials.

    Parameters
    ----------
    block : neo.Block with one Segment per trial
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


@measure("1", _cv_parts, scale="log")
@suggest_keywords
def cv(block: SpikeSource, *, t_start: Time | None = None, t_stop: Time | None = None) -> np.ndarray:
    """Coefficient of variation of each neuron's interspike intervals, (n_neurons,).

    CV = sqrt(mean (I - mean I)^2) / mean I, the mean over all m intervals (divisor m, as in Elephant); 1 for
    a Poisson process, 1/sqrt(k) for a gamma process of shape k. NaN for fewer than two intervals. The ends of trials cut long
    intervals off: with 0.7, 2, 5 and 9 intervals per trial a Poisson process has on average 0.81, 0.88, 0.95 and 0.99. `sweep`
    warns of points with fewer than 5.
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


def _cv2_parts(trains: Trains) -> Parts:
    return _mean_over_pairs(trains, lambda relative, total: 2 * relative)


@measure("1", _cv2_parts, scale="positive")
@suggest_keywords
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


def _lv_parts(trains: Trains) -> Parts:
    return _mean_over_pairs(trains, lambda relative, total: 3 * relative**2)


@measure("1", _lv_parts, scale="log")
@suggest_keywords
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
    r = si(refractoriness, "s", "refractoriness")
    if np.ndim(r) != 0 or r < 0:
        raise NsnnError(f"refractoriness = {refractoriness}: expected {describe('s')}, at least 0")
    return _mean_over_pairs(trains, lambda relative, total: 3 * relative**2 * (1 + 4 * nan_ratio(r, total)))


@measure("1", _lvr_parts, scale="log")
@suggest_keywords
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


def occupied_windows(trains: Trains, window: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Train, index and count of each window of `window` s that holds a spike, and windows per trial (n_trials,).

    Ordered by train and index; without the empty windows, of which long recordings have most.
    """
    index, n_bins = trains.bins(window, "window")
    inside = index < n_bins[trains.trial]
    index, train = index[inside], trains.train[inside]
    # spikes are sorted by train and time, so each occupied window is one run
    new = np.flatnonzero(
        np.concatenate([[True], (np.diff(index) != 0) | (np.diff(train) != 0)])[: index.size]
    )
    return train[new], index[new], np.diff(np.append(new, index.size)).astype(float), n_bins


def fano_parts(
    trains: Trains, *, window: Any = None, ddof: int = 1, stimulus: Any = None, per: str = "pooled"
) -> Parts:
    """Sums over trials of counts and squared counts in windows, and the Fano factor as their function."""
    whole(ddof, 0, "ddof", 1)
    one_of(per, ("pooled", "bin"), "per")
    if stimulus is not None or per == "bin":
        rows, label, share = _within_stimuli(trains, window, ddof, stimulus, per)
        own = np.eye(int(label.max()) + 1)[label]
        return np.einsum("ts,tkn->tskn", own, rows).reshape(len(rows), -1, trains.n_neurons), share
    if window is None:
        trains.check_durations("and fano_factor compares their counts", ", or a window")
        number = np.ones_like(trains.durations)
        total, square = trains.counts, trains.counts**2
    else:
        train, _, count, number = occupied_windows(trains, positive(window, "s", "window"))
        total, square = trains.per_train(train, count), trains.per_train(train, count**2)
    number = np.broadcast_to(number[:, None], total.shape)
    sums = np.stack([number, total, square], axis=1).astype(float)

    def value(s: np.ndarray) -> np.ndarray:
        m, count, squares = s[..., 0, :], s[..., 1, :], s[..., 2, :]
        variance = nan_ratio(m * squares - count**2, m * np.maximum(m - ddof, 0))
        return np.where(m < 2, np.nan, nan_ratio(variance, nan_ratio(count, m)))

    return sums, value


def _within_stimuli(
    trains: Trains, window: Any, ddof: int, stimulus: Any, per: str
) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Rows (n_trials, k, n_neurons) of 1, counts and squared counts in windows; labels of the trials; and the Fano factor as a
    function of the sums of rows of each label, (..., n_labels k, n_neurons). Only the same windows are compared.
    """
    x = read_windows(trains, window)
    label = read_labels(stimulus, len(x))
    n_windows, n_labels = x.shape[1], int(label.max()) + 1
    rows = np.concatenate([np.ones_like(x[:, :1]), x, x**2], axis=1)

    def value(s: np.ndarray) -> np.ndarray:
        cells = s.reshape(*s.shape[:-2], n_labels, -1, s.shape[-1])  # (..., stimulus, sums, neuron)
        m, total, square = cells[..., :1, :], cells[..., 1 : n_windows + 1, :], cells[..., n_windows + 1 :, :]
        repeated = m > 1
        squares = square - nan_ratio(total**2, m)
        # n_s (variance of s), in units in which the mean count of s is total
        variance = np.where(repeated, m * nan_ratio(squares, np.maximum(m - ddof, 0)), 0.0).sum(axis=-3)
        mean = np.where(repeated, total, 0.0).sum(axis=-3)
        if per == "bin":
            return np.swapaxes(nan_ratio(variance, mean), -1, -2)
        return nan_ratio(variance.sum(axis=-2), mean.sum(axis=-2))

    return rows, label, value


@measure("1", fano_parts, scale="log")
@suggest_keywords
def fano_factor(
    block: SpikeSource,
    *,
    window: Any = None,
    ddof: int = 1,
    stimulus: Values | None = None,
    per: str = "pooled",
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> np.ndarray:
    """Fano factor of each neuron, (n_neurons,): the variance of its spike count, divided by the mean of its spike count.

    It is 1 for a Poisson process, below 1 for more regular spikes and above 1 for more variable ones. By default the
    spikes of each trial are counted, and the counts of different trials are compared. With `window` each trial is cut
    into windows, the spikes of each window are counted, and the counts of all windows in all trials are compared: where a
    stimulus drives the rate up and down, this variance contains the change of the rate. Two options exclude it:

    - `stimulus` says which stimulus each trial had. A count is then compared only with counts of the same stimulus, and of the
      same window. The variances are combined as sum_s n_s v_s / sum_s n_s m_s (also over windows), v_s the variance and m_s
      the mean of the counts of stimulus s in n_s trials. This is the mean of variances over the mean of means, not the mean
      of ratios: a ratio is undefined without spikes and very uncertain with few, and here it has the weight of its spikes.
    - `per="bin"` returns a value for each window across trials, (n_neurons, n_windows); NaN for windows without spikes.

    Standard errors: `tabulate`, a jackknife over trials. The value is skewed: below 40 trials take the
    limits of `tabulate(..., confidence=0.95)`; see "Errors with few trials" in the documentation.

    Parameters
    ----------
    block : neo.Block with one Segment per trial
    window : time, scalar. Windows of this length follow one another from the start of each trial; a shorter remainder at
        the end of the trial is not used. None (default): one count per trial
    ddof : 1 (default) divides the sum of squares by the number of counts minus 1, so that the variance is unbiased; 0
        divides by the number of counts, as Elephant's fanofactor does
    stimulus : (n_trials,) labels, as of `law_of_total_covariance`. Stimuli with one trial are not
        used. None (default): see above
    per : "pooled" (default) or "bin", see above
    t_start, t_stop : times, scalar; None is the trial's own end

    Raises
    ------
    NsnnError : a single count, trials of different duration without a window, a window longer than a trial, no stimulus with two
        trials, a wrong number of labels, or what `as_trains` refuses. Neurons (with per="bin", windows) without spikes have NaN,
        with one SilentNeuronWarning. TrialDriftWarning if counts of whole trials drift, see
        `trial_drift`. Source: Fano 1947, doi 10.1103/PhysRev.72.26

    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.1]], [[0.1, 0.2, 0.3]]], t_stop=1*pq.s)  # two trials, with one spike and with three
    >>> fano_factor(block), fano_factor(block, ddof=0)
    (array([1.]), array([0.5]))
    >>> driven = to_block([[[0.6, 0.7, 0.8]], [[0.1, 0.6, 0.7, 0.8]]] * 4, t_stop=1*pq.s)  # a stimulus from 0.5 s on
    >>> fano_factor(driven, window=500*pq.ms), fano_factor(driven, window=500*pq.ms, per="bin").round(3)
    (array([1.02857143]), array([[0.571, 0.   ]]))
    """
    check(ddof=ddof)
    one_of(per, ("pooled", "bin"), "per")
    trains = as_trains(block, t_start, t_stop)
    label = read_labels(stimulus, trains.n_trials)
    if trains.lasts_as_long():
        warn_drift(trains.counts, label, "fano_factor", by_stimulus=stimulus is not None)
    if stimulus is None and per == "pooled":
        sums, value = fano_parts(trains, window=window, ddof=ddof)
        total = sums.sum(axis=0)
        if total[0].max() < 2:
            cure = "take more trials, or a shorter window"
            raise NsnnError(f"window = {window}: expected at least two counts; {cure}")
        return warn_silent(value(total), "fano_factor", "have no spike in any window")
    whole(ddof, 0, "ddof", 1)
    if np.bincount(label).max() < 2:
        reason = (
            "stimulus: each label has one trial" if stimulus is not None else "per = 'bin' with one trial"
        )
        raise NsnnError(f"{reason}; fano_factor needs at least two trials of one stimulus to compare")
    rows, label, value = _within_stimuli(trains, window, ddof, stimulus, per)
    result = value(sums_of(rows, label).reshape(-1, trains.n_neurons))
    if per == "bin" and np.isnan(result).any():
        silent = f"{np.isnan(result).sum()} of {result.size} windows of neurons hold no spike in any trial"
        warn(f"fano_factor: {silent}; their value is NaN", SilentNeuronWarning)
        return result
    return warn_silent(result, "fano_factor", "have no spike in any window")


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


@measure("1", _serial_parts)
@suggest_keywords
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

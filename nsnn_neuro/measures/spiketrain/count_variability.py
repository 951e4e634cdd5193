"""Count variability: Fano factor, alone and against the window, Allan factor, mean-matched Fano factor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import quantities as pq

from ...core.aliases import SpikeSource, Time, Values
from ...core.checks import check, one_of, positive, scalar, suggest_keywords, whole
from ...core.errors import NsnnError
from ...core.units import describe, si
from ...io.spikes.bins import LEAST
from ..estimate import Estimate, counted, public_measure
from ..trains import Trains, as_trains, nan_ratio, warn_silent
from ..trial_counts import read_labels, read_windows, sliding_windows, sums_of
from .firing_statistics import Parts
from .trial_drift import warn_drift


def occupied_windows(trains: Trains, window: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Train, index and count of each window of `window` s that holds a spike, and windows per trial (n_trials,).

    Ordered by train and index; without the empty windows, of which long recordings have most.
    """
    index, n_bins = trains.bins(window, "window")
    inside = index < n_bins[trains.trial]
    index, train = index[inside], trains.train[inside]
    # spikes are sorted by train and time, so each occupied window is one run
    begins = np.append(True, (np.diff(index) != 0) | (np.diff(train) != 0))[: index.size]
    new = np.flatnonzero(begins)
    return train[new], index[new], np.diff(np.append(new, index.size)).astype(float), n_bins


def fano_parts(
    trains: Trains, *, window: Any = None, ddof: int = 1, stimulus: Any = None, per: str = "pooled"
) -> Parts:
    """For each trial the number of windows, sums of counts and of their squares; and the Fano factor as a function of totals."""
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


@public_measure("1", fano_parts, scale="log")
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

    It is 1 for a Poisson process, below 1 for more regular spikes and above 1 for more variable ones. By default the counts of
    trials are compared. With `window` the counts of all windows in all trials are compared: where a stimulus drives the rate up
    and down, their variance contains the change of the rate. Two options exclude it:

    - `stimulus` compares a count only with counts of the same stimulus and window: sum_s n_s v_s / sum_s n_s m_s (also over
      windows), v_s the variance and m_s the mean of the counts of stimulus s in n_s trials. Each ratio v_s / m_s, undefined
      without spikes, has the weight of its spikes.
    - `per="bin"` returns a value for each window across trials, (n_neurons, n_windows); NaN for windows without spikes. The middle
      of window k = 0, 1, ... is (k + 1/2) `window` after the start. `over_time(fano_factor, ...)` has their errors as well.

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
    whole(ddof, 0, "ddof", 1)
    one_of(per, ("pooled", "bin"), "per")
    trains = as_trains(block, t_start, t_stop)
    label = read_labels(stimulus, trains.n_trials)
    if trains.lasts_as_long():
        warn_drift(trains.counts, label, "fano_factor", by_stimulus=stimulus is not None)
    if stimulus is None and per == "pooled":
        sums, value = fano_parts(trains, window=window, ddof=ddof)
        total = sums.sum(axis=0)
        if total[0].max() < 2:
            cure = "give window=..., e.g. 100*ms" if window is None else "a shorter window"
            raise NsnnError(f"window = {window}: expected at least two counts; take more trials, or {cure}")
        return warn_silent(value(total), "fano_factor", "have no spike in any window")
    if np.bincount(label).max() < 2:
        reason = (
            "stimulus: each label has one trial" if stimulus is not None else "per = 'bin' with one trial"
        )
        raise NsnnError(f"{reason}; fano_factor needs at least two trials of one stimulus to compare")
    rows, label, value = _within_stimuli(trains, window, ddof, stimulus, per)
    result = value(sums_of(rows, label).reshape(-1, trains.n_neurons))
    if per == "bin":
        return warn_silent(result, "fano_factor", "hold no spike in any trial", "windows of neurons")
    return warn_silent(result, "fano_factor", "have no spike in any window")


@suggest_keywords
def fano_curve(
    block: SpikeSource,
    *,
    windows: Any,
    ddof: int = 1,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Fano factor against the window: (windows in s (n_windows,), Fano factors (n_windows, n_neurons)).

    Each row is `fano_factor` with one of the `windows` (one time or a 1-D array), across windows and trials; all else is as there.
    1 at all windows for a Poisson process; CV^2 for long windows of a renewal process. Source: Teich 1989, doi 10.1109/10.16460

    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.1, 0.2, 0.3, 0.6]]], t_stop=1*pq.s)
    >>> windows, fano = fano_curve(block, windows=[0.25, 0.5]*pq.s)
    >>> fano.round(3)
    array([[0.667], [1.   ]])
    """
    whole(ddof, 0, "ddof", 1)
    widths = np.atleast_1d(si(windows, "s", "windows"))
    if widths.ndim != 1 or np.size(widths) == 0 or not (widths > 0).all():
        raise NsnnError(
            f"windows = {windows}: expected a 1-D array of times, {describe('s')}, greater than 0"
        )
    trains = as_trains(block, t_start, t_stop)
    fano = np.empty((len(widths), trains.n_neurons))
    for k, width in enumerate(widths):
        try:
            sums, value = fano_parts(trains, window=width * pq.s, ddof=ddof)
        except NsnnError as error:
            raise NsnnError(str(error).replace("window =", f"windows[{k}] =", 1)) from None
        total = sums.sum(axis=0)
        if total[0].max() < 2:
            raise NsnnError(
                f"windows[{k}] = {width} s: expected at least two counts; take more trials or shorter windows"
            )
        fano[k] = value(total)
    silent = np.isnan(fano).any(axis=0)
    warn_silent(np.where(silent, np.nan, 0.0), "fano_curve", "have no spike in any window of some width")
    return widths, fano


def _allan_parts(trains: Trains, *, window: Any) -> Parts:
    train, index, count, n_windows = occupied_windows(trains, positive(window, "s", "window"))
    # (N_(k+1) - N_k)^2 over all pairs = 2 sum N^2 - N_first^2 - N_last^2 - 2 sum N_k N_(k+1)
    inner = 2.0 - (index == 0) - (index == n_windows[train // trains.n_neurons] - 1)
    neighbours = (train[1:] == train[:-1]) & (index[1:] == index[:-1] + 1)
    product = trains.per_train(train[1:][neighbours], (count[1:] * count[:-1])[neighbours])
    squares = trains.per_train(train, inner * count**2) - 2 * product
    pairs = np.broadcast_to(n_windows[:, None] - 1, squares.shape)
    number = np.broadcast_to(n_windows[:, None], squares.shape)
    sums = np.stack([pairs, squares, number, trains.per_train(train, count)], axis=1).astype(float)

    def value(s: np.ndarray) -> np.ndarray:
        return nan_ratio(nan_ratio(s[..., 1, :], s[..., 0, :]), 2 * nan_ratio(s[..., 3, :], s[..., 2, :]))

    return sums, value


@public_measure("1", _allan_parts, scale="log")
def allan_factor(
    block: SpikeSource, *, window: Any, t_start: Time | None = None, t_stop: Time | None = None
) -> np.ndarray:
    """Allan factor AF = E[(N_(k+1) - N_k)^2] / (2 E[N]) of counts in neighbouring windows, (n_neurons,).

    1 for a Poisson process. Pairs of neighbouring windows of one trial are pooled over trials; none spans a
    border. A rate that drifts slowly raises the Fano factor, not this. Arguments and errors: as for `fano_factor`; a
    trial has to hold two windows. Sources: Allan 1966, doi 10.1109/PROC.1966.4634; Teich 1989, doi 10.1109/10.16460

    >>> from nsnn_neuro import to_block
    >>> allan_factor(to_block([[[0.1, 0.2, 0.3, 0.6]]], t_stop=1*pq.s), window=500*pq.ms)
    array([1.])
    """
    sums, value = _allan_parts(as_trains(block, t_start, t_stop), window=window)
    total = sums.sum(axis=0)
    if total[0].max() < 1:
        raise NsnnError(f"window = {window}: no trial holds two windows; take a shorter one")
    return warn_silent(value(total), "allan_factor", "have no spike in any window")


@dataclass(frozen=True, eq=False)
class MeanMatchedFano:
    """Fano factor of a population against time at a matched distribution of counts; made by `mean_matched_fano`."""

    times: np.ndarray
    """(n_times,) s, middles of the windows"""
    fano: np.ndarray
    """(n_times,) mean over the matched neurons"""
    se: np.ndarray
    """(n_times,) bootstrap over neurons, with the matching as it is"""
    raw: np.ndarray
    """(n_times,) mean over all neurons with a spike in the window, without matching"""
    n: int
    """neurons (with stimuli: pairs of neuron and stimulus) in the common distribution of mean counts, at each time"""

    def __repr__(self) -> str:
        low, high = (
            f"{Estimate(self.fano[k], self.se[k]):.3g} at {self.times[k]:.3g} s ({self.raw[k]:.3g} without matching)"
            for k in (self.fano.argmin(), self.fano.argmax())
        )
        return f"MeanMatchedFano: n = {self.n} at each of {counted(self.times.size, 'time')}, from {low} to {high}"


@suggest_keywords
def mean_matched_fano(
    block: SpikeSource,
    *,
    window: Any,
    step: Any = None,
    stimulus: Values | None = None,
    bin_width: float = 0.25,
    n_resample: int = 200,
    seed: int = 0,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> MeanMatchedFano:
    """Mean-matched Fano factor of a population against time.

    At each time every neuron has a mean m and an unbiased variance v of its count across trials. The common
    distribution of m is the smallest number c_b of neurons, over times, in each bin b of m. The value is sum over bins of
    c_b (mean of v/m in bin b) / sum of c_b, the mean of the source's random draws. A change of rates alone does not change it,
    provided that m hardly varies within a bin. With `stimulus` m and v are those of the trials of one stimulus, and each pair
    of a neuron and a stimulus takes the place of a neuron.

    Parameters
    ----------
    block : neo.Block, one Segment per trial, all of the same window
    window : time, scalar, the counting window
    step : time, scalar, between windows; None (default) is `window`
    stimulus : (n_trials,) labels; stimuli with one trial are not used. None (default): all trials have the same
    bin_width : of the mean counts, spikes; the default is narrow against counts of some spikes
    n_resample, seed : bootstrap resamples over neurons, whole time courses, for `se`; 0: se is NaN, as where one neuron matches
    t_start, t_stop : times, scalar; None is the trials' own end

    Raises
    ------
    NsnnError : one trial, no stimulus with two, trials of different windows, a window longer than a trial, or no bin of mean
        counts that is occupied at all times. Source: Churchland et al. 2010, doi 10.1038/nn.2501

    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.1, 0.6]], [[0.1, 0.2, 0.3, 0.6, 0.7, 0.8]]], t_stop=1*pq.s)
    >>> print(mean_matched_fano(block, window=500*pq.ms))
    MeanMatchedFano: n = 1 at each of 2 times, from 1 at 0.25 s (1 without matching) to 1 at 0.25 s (1 without matching)
    """
    check(n_resample=n_resample, seed=seed)
    scalar(bin_width, "1", "bin_width", above=0)
    trains = as_trains(block, t_start, t_stop)
    if trains.n_trials < 2:
        raise NsnnError("block has one trial: expected at least two, whose counts are compared; record more")
    trains.window()
    label = read_labels(stimulus, trains.n_trials)
    repeated = np.flatnonzero(np.bincount(label) > 1)
    if not repeated.size:
        raise NsnnError("stimulus: each label has one trial; expected at least two trials of one stimulus")
    start, stop = sliding_windows(trains, window, step, 1.0)
    groups = [label == k for k in repeated]  # each with all neurons, (n_times, n_groups n_neurons)
    counts = [trains.crop(*edges).counts for edges in zip(start, stop, strict=True)]
    mean = np.array([np.concatenate([x[group].mean(axis=0) for group in groups]) for x in counts])
    variance = np.array([np.concatenate([x[group].var(axis=0, ddof=1) for group in groups]) for x in counts])
    ratio = nan_ratio(variance, mean)
    spiking = mean > 0
    silent = ((start + stop) / 2)[~spiking.any(axis=1)]
    if silent.size:
        cure = "take a longer window, t_start or t_stop"
        raise NsnnError(f"window = {window}: no neuron spikes at {silent[0]:.3g} s; {cure}")
    weights, n = _matching(mean, bin_width)
    if n == 0:
        wider = bin_width
        while n == 0:  # a single bin of all means matches
            wider, n = 2 * wider, _matching(mean, 2 * wider)[1]
        cure = f"bin_width = {wider:g} matches {counted(n, 'neuron')} at each"
        raise NsnnError(f"bin_width = {bin_width}: no mean count is shared by all {start.size} times; {cure}")
    ratio = np.where(spiking, ratio, 0.0)
    rng = np.random.default_rng(seed)
    share = np.full(trains.n_neurons, 1 / trains.n_neurons)
    drawn = rng.multinomial(trains.n_neurons, share, size=n_resample).astype(float)
    return MeanMatchedFano(
        times=(start + stop) / 2,
        fano=(weights * ratio).sum(axis=1),
        se=_bootstrapped(ratio, weights, drawn),
        raw=nan_ratio(ratio.sum(axis=1), spiking.sum(axis=1)),
        n=n,
    )


def _matching(mean: np.ndarray, bin_width: float) -> tuple[np.ndarray, int]:
    """Weight of each neuron at each time (n_times, n_neurons), which add up to 1, and the number of matched neurons."""
    bins = np.where(mean > 0, np.floor(mean / bin_width + LEAST), -1).astype(np.int64)
    number = np.stack([np.bincount(b[b >= 0], minlength=max(1, int(bins.max()) + 1)) for b in bins])
    common = number.min(axis=0)
    n = int(common.sum())
    each = nan_ratio(common / max(n, 1), number)  # (n_times, n_bins), a neuron's weight in each bin
    return np.where(bins >= 0, np.take_along_axis(each, np.maximum(bins, 0), axis=1), 0.0), n


def _bootstrapped(ratio: np.ndarray, weights: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Standard error (n_times,) of the weighted means of `ratio` (n_times, n_stimuli n_neurons); drawn (draws, n_neurons): how
    often each neuron is drawn, with all its stimuli.

    The weights stay as they are: matching each resample anew would match fewer neurons, as the least of several numbers
    that vary is less than the least of their means. 1 - sum of squared weights corrects for the mean's being fitted.
    """
    top, weights = (x.reshape(len(x), -1, drawn.shape[1]).sum(axis=1) for x in (weights * ratio, weights))
    again = nan_ratio(top @ drawn.T, weights @ drawn.T)
    known = ~np.isnan(again).any(axis=0)
    if known.sum() < 2:
        return np.full(len(ratio), np.nan)
    left = 1 - (weights**2).sum(axis=1)
    return np.asarray(again[:, known].std(axis=1, ddof=1) / np.sqrt(np.where(left > 1e-9, left, np.nan)))

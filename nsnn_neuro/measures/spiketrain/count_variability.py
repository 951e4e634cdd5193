"""Count variability: Fano factor against the window, Allan factor, mean-matched Fano factor.

For a stationary process of rate r and interval CV the Fano factor of long windows tends to CV^2 when intervals
are independent (Cox & Lewis 1966), to 1 in short ones: the curve tells which correlations act on which time scale.
The Allan factor compares neighbouring windows only, so that slow drifts of the rate don't enter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import quantities as pq

from ...core.aliases import SpikeSource, Time
from ...core.checks import check, number, positive, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import describe, si
from ...io.spikes.bins import LEAST, slack
from ..estimate import measure
from ..trains import Trains, as_trains, nan_ratio, warn_silent
from .firing_statistics import Parts, fano_parts, occupied_windows


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
    check(ddof=ddof)
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


@measure("1", _allan_parts, scale="log")
@suggest_keywords
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
    """Fano factor of a population against time at a matched distribution of counts; made by `mean_matched_fano`.

    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.1, 0.6]], [[0.1, 0.2, 0.3, 0.6, 0.7, 0.8]]], t_stop=1*pq.s)
    >>> matched = mean_matched_fano(block, window=500*pq.ms)
    >>> dict(zip(matched.times.tolist(), matched.fano.tolist()))
    {0.25: 1.0, 0.75: 1.0}
    """

    times: np.ndarray
    """(n_times,) s, middles of the windows"""
    fano: np.ndarray
    """(n_times,) mean over the matched neurons"""
    se: np.ndarray
    """(n_times,) bootstrap over neurons, with the matching as it is"""
    raw: np.ndarray
    """(n_times,) mean over all neurons with a spike in the window, without matching"""
    n: int
    """neurons in the common distribution of mean counts, at each time"""


@suggest_keywords
def mean_matched_fano(
    block: SpikeSource,
    *,
    window: Any,
    step: Any = None,
    bin_width: float = 0.25,
    n_resample: int = 200,
    seed: int = 0,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> MeanMatchedFano:
    """Mean-matched Fano factor of a population against time.

    At each time every neuron has a mean m and an unbiased variance v of its count across trials. The common
    distribution of m is the smallest number of neurons, over times, in each bin of m. The value is the regression of v
    on m through 0 with weights 1/m^2 (Var v goes with m^2), that is the mean of v/m, of neurons drawn to follow
    the common distribution: sum over bins of c_b (mean of v/m in bin b) / sum of c_b. The source averages random
    draws; this is their mean, without the draws' noise. A change of rates alone does not change the value, provided that
    m hardly varies within a bin.

    Parameters
    ----------
    block : neo.Block, one Segment per trial, all of the same window
    window : time, scalar, the counting window
    step : time, scalar, between windows; None (default) is `window`
    bin_width : of the mean counts, spikes; the default is narrow against counts of some spikes
    n_resample, seed : bootstrap resamples over neurons, whole time courses, for `se`; 0: se is NaN. Against the spread over
        populations of 50 to 400 neurons `se` is right to 8 %; NaN where one neuron matches
    t_start, t_stop : times, scalar; None is the trials' own end

    Raises
    ------
    NsnnError : one trial, trials of different windows, a window longer than a trial, or no bin of mean counts that is
        occupied at all times. Source: Churchland et al. 2010, doi 10.1038/nn.2501

    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.1, 0.6]], [[0.1, 0.2, 0.3, 0.6, 0.7, 0.8]]], t_stop=1*pq.s)
    >>> matched = mean_matched_fano(block, window=500*pq.ms)
    >>> matched.times, matched.fano, matched.n
    (array([0.25, 0.75]), array([1., 1.]), 1)
    """
    check(n_resample=n_resample, seed=seed)
    width = positive(window, "s", "window")
    hop = width if step is None else positive(step, "s", "step")
    if not number(bin_width, "bin_width") > 0:
        raise NsnnError(f"bin_width = {bin_width}: expected a number of spikes, greater than 0")
    if not np.isfinite([width, hop]).all():
        raise NsnnError(f"window = {window}, step = {step}: expected finite times")
    trains = as_trains(block, t_start, t_stop)
    if trains.n_trials < 2:
        raise NsnnError(
            "block has one trial: expected at least two trials, whose counts are compared; record more"
        )
    start, stop = trains.window()
    near, hops = slack(width, trains.resolution, "window"), slack(hop, trains.resolution, "step")
    if width * (1 - near) > stop - start:
        raise NsnnError(f"window = {window}: longer than a trial ({stop - start} s)")
    begins = start + hop * np.arange(max(0, int(np.floor((stop - start - width) / hop + hops))) + 1)
    ratio, bins = _ratios(trains, begins, width, bin_width, near * width)
    weights, n = _matching(bins)
    if n == 0:
        raise NsnnError(
            f"bin_width = {bin_width}: no mean count is shared by all {len(begins)} times; take wider bins"
        )
    spiking = bins >= 0
    ratio = np.where(spiking, ratio, 0.0)
    rng = np.random.default_rng(seed)
    share = np.full(trains.n_neurons, 1 / trains.n_neurons)
    drawn = rng.multinomial(trains.n_neurons, share, size=n_resample).astype(float)
    return MeanMatchedFano(
        times=begins + width / 2,
        fano=(weights * ratio).sum(axis=1),
        se=_bootstrapped(ratio, weights, drawn),
        raw=nan_ratio(ratio.sum(axis=1), spiking.sum(axis=1)),
        n=n,
    )


def _ratios(
    trains: Trains, begins: np.ndarray, width: float, bin_width: float, apart: float
) -> tuple[np.ndarray, np.ndarray]:
    """v/m, and the bin of m (-1 without a spike), both (n_times, n_neurons)."""
    ratio = np.empty((len(begins), trains.n_neurons))
    bins = np.empty(ratio.shape, dtype=np.int64)
    for k, begin in enumerate(begins):
        end = begin + width - apart
        if end >= trains.t_stop.min() - 2 * apart:
            end = np.inf  # the trials' own end is in the last window
        inside = (trains.times >= begin - apart) & (trains.times < end)
        counts = trains.per_train(trains.train[inside])
        mean = counts.mean(axis=0)
        ratio[k] = nan_ratio(counts.var(axis=0, ddof=1), mean)
        bins[k] = np.where(mean > 0, np.floor(mean / bin_width + LEAST), -1)
    return ratio, bins


def _matching(bins: np.ndarray) -> tuple[np.ndarray, int]:
    """Weight of each neuron at each time (n_times, n_neurons), which add up to 1, and the number of matched neurons."""
    number = np.stack([np.bincount(b[b >= 0], minlength=max(1, int(bins.max()) + 1)) for b in bins])
    common = number.min(axis=0)
    n = int(common.sum())
    each = nan_ratio(common / max(n, 1), number)  # (n_times, n_bins), a neuron's weight in each bin
    return np.where(bins >= 0, np.take_along_axis(each, np.maximum(bins, 0), axis=1), 0.0), n


def _bootstrapped(ratio: np.ndarray, weights: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Standard error (n_times,) of the weighted means of `ratio`; drawn (draws, n_neurons): how often each neuron is drawn.

    The weights stay as they are: matching each resample anew would match fewer neurons, as the least of several numbers
    that vary is less than the least of their means. 1 - sum of squared weights corrects for the mean's being fitted.
    """
    again = nan_ratio((weights * ratio) @ drawn.T, weights @ drawn.T)
    known = ~np.isnan(again).any(axis=0)
    if known.sum() < 2:
        return np.full(len(ratio), np.nan)
    left = 1 - (weights**2).sum(axis=1)
    return np.asarray(again[:, known].std(axis=1, ddof=1) / np.sqrt(np.where(left > 1e-9, left, np.nan)))

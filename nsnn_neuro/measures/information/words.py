"""Symbols from spikes: counts, latencies and words of letters, one per trial; and bins of counts, so that few trials suffice.

All functions of spikes here use one window; `io.spikes` has the rule for spikes on the borders of windows and bins.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...core.aliases import SpikeSource, Time, Values
from ...core.checks import check, one_of, positive, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import floats, si
from ...core.warn import warn
from ...io.spikes.bins import index, slack
from ..event_windows import check_windows, refuse_event_name
from ..trains import Trains, as_trains, binned, scalar_time


def in_window(block: Any, align: Any, t_start: Any, t_stop: Any) -> Trains:
    """The window's spikes as a Trains on the clock of each trial, of one duration for all."""
    if align is None:
        trains = as_trains(block, t_start, t_stop)
    else:
        refuse_event_name(align, "align")
        trains = as_trains(block)
        event, n = np.asarray(si(align, "s", "align")), trains.n_trials
        if event.shape not in ((), (n,)) or not np.isfinite(event).all():
            raise NsnnError(
                f"align has shape {event.shape}: expected one finite time for all trials, or one for each, ({n},)"
            )
        event = np.broadcast_to(event, n)
        if t_stop is None:
            raise NsnnError("t_stop = None: with align the window's end, from the event, must be given")
        start = event + scalar_time(t_start, "t_start", 0.0)
        stop = event + scalar_time(t_stop, "t_stop")
        if not start[0] < stop[0]:
            raise NsnnError(f"t_start = {t_start} must be before t_stop = {t_stop}")
        check_windows(trains, event, np.arange(n), start, stop)
        trains = trains.crop(start, stop)
    trains.check_durations("so that their counts and words are not comparable")
    return trains


def windowed(block: Any, align: Any, t_start: Any, t_stop: Any) -> Trains:
    """As `in_window`, with times that count from the window's start."""
    return from_start(in_window(block, align, t_start, t_stop))


def refuse_remainder(width: float, length: float, given: str, apart: float = 0.0) -> None:
    """NsnnError for bins, `given` as "name = value", that don't fill a length, in s, within `apart`."""
    ratio = length / width
    if round(ratio) < 1 or abs(ratio - round(ratio)) > max(1e-6 * ratio, apart / width):
        raise NsnnError(
            f"{given} doesn't divide the window of {length:.6g} s: words would lack its end; choose another, or t_start and t_stop"
        )


def from_start(trains: Trains) -> Trains:
    """Trains of one duration with times that count from each trial's start."""
    length = float(trains.durations.min())
    times = np.clip(trains.times - trains.t_start[trains.trial], 0.0, length)
    n = trains.n_trials
    return replace(trains, times=times, t_start=np.zeros(n), t_stop=np.full(n, length))


@suggest_keywords
def words(
    block: SpikeSource,
    *,
    bin_width: Time,
    align: Any = None,
    t_start: Time | None = None,
    t_stop: Time | None = None,
    saturation: str = "binary",
    by: str = "neuron",
) -> np.ndarray:
    """Spikes in bins as integer letters, (n_trials, n_neurons, n_bins), or of the pool.

    Row `words(block, ...)[:, j]` holds the words of neuron j, one per trial, as
    `mutual_information` and `entropy` take them; `.reshape(n_trials, -1)` joint words.

    Parameters
    ----------
    block : neo.Block, one Segment per trial
    bin_width : time, scalar; bins tile the window from its start. A remainder shorter than a bin is
        left out, with a warning that says how long it is and how many spikes it holds
    align : time of an event, one for all trials or (n_trials,); None (default) is the trial's clock
    t_start, t_stop : times, scalar, the window: on the trial's clock, where None is the trial's own
        start or end; with align they count from the event, and t_stop is needed
    saturation : "binary" (default): 1 for one spike or more; "count": the number of spikes
    by : "neuron" (default), or "population": the spikes of all neurons taken as one train

    Raises
    ------
    NsnnError : windows of unequal length or beyond a trial, a bin longer than the window, or what
        `as_trains` refuses. Source: Strong et al. 1998, doi 10.1103/PhysRevLett.80.197

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.1, 0.15, 0.3]], [[]]], t_stop=0.4*pq.s)
    >>> words(block, bin_width=100*pq.ms)[:, 0]
    array([[0, 1, 0, 1], [0, 0, 0, 0]])
    """
    one_of(saturation, ("binary", "count"), "saturation")
    one_of(by, ("neuron", "population"), "by")
    trains = windowed(block, align, t_start, t_stop)
    width = positive(bin_width, "s", "bin_width")
    counts = binned(trains, width, "bin_width")
    length, n_bins = float(trains.durations.min()), counts.shape[2]
    rest = length - n_bins * width
    if rest > max(1e-6 * width, trains.resolution):
        lost = trains.times.size - int(counts.sum())
        warn(
            f"words: the window of {length:g} s holds {n_bins} bins of bin_width = {width:g} s; its last {rest:.3g} s, with {lost} "
            f"of {trains.times.size} spikes, are left out; choose a bin_width that divides the window, or t_stop"
        )
    counts = counts.sum(axis=1) if by == "population" else counts
    return np.minimum(counts, 1) if saturation == "binary" else counts


@suggest_keywords
def spike_counts(
    block: SpikeSource, *, align: Any = None, t_start: Time | None = None, t_stop: Time | None = None
) -> np.ndarray:
    """Number of spikes of each trial and neuron in the window, (n_trials, n_neurons) ints.

    The whole window is counted, also the remainder that `words` leaves out where its bins do not
    tile the window. block, align, t_start, t_stop and errors: as for `words`.

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.1, 0.15, 0.3]], [[]]], t_stop=0.4*pq.s)
    >>> spike_counts(block, t_stop=0.3*pq.s).ravel()
    array([2, 0])
    """
    return windowed(block, align, t_start, t_stop).counts


@suggest_keywords
def first_spike_latency(
    block: SpikeSource, *, align: Any = None, t_start: Time | None = None, t_stop: Time | None = None
) -> np.ndarray:
    """Time from the window's start to the first spike in it, (n_trials, n_neurons) s, or NaN.

    Silence is a response, so no warning is given; `latency_symbols` gives it a symbol. Arguments and
    errors: as for `words`. Source: Heil 2004, doi 10.1016/j.conb.2004.07.002

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.1, 0.15, 0.3]], [[]]], t_stop=0.4*pq.s)
    >>> first_spike_latency(block).ravel()
    array([0.1, nan])
    """
    trains = windowed(block, align, t_start, t_stop)
    first = np.full(trains.counts.size, np.nan)
    some = trains.counts.ravel() > 0
    first[some] = trains.times[trains.offsets[:-1][some]]  # times are sorted within a train
    return first.reshape(trains.counts.shape)


@suggest_keywords
def latency_symbols(
    block: SpikeSource,
    *,
    resolution: Any,
    align: Any = None,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> np.ndarray:
    """The first spike's bin from 0, n_bins for silent windows, (n_trials, n_neurons) ints.

    `resolution` is a time, scalar: the width of the bins, which tile the window; a shorter last one
    holds the remainder. All other arguments and errors are as for `words`.

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.1, 0.15, 0.3]], [[]]], t_stop=0.4*pq.s)
    >>> latency_symbols(block, resolution=50*pq.ms).ravel()
    array([2, 8])
    """
    width = positive(resolution, "s", "resolution")
    return latency_bins(windowed(block, align, t_start, t_stop), width)


def latency_bins(trains: Trains, width: float) -> np.ndarray:
    """As `latency_symbols`, of a Trains made by `windowed` and a width in s."""
    latency = first_spike_latency(trains)
    share = slack(width, trains.resolution, "resolution")
    n_bins = max(1, int(np.ceil(trains.durations[0] / width - share)))
    bins = np.full(latency.shape, n_bins)
    fired = ~np.isnan(latency)
    bins[fired] = np.minimum(index(latency[fired], 0.0, width, share), n_bins - 1)
    return bins


@suggest_keywords
def bin_counts(
    counts: Values, *, n_bins: int, method: str = "equipopulated"
) -> tuple[np.ndarray, np.ndarray | list[np.ndarray]]:
    """Group spike counts into at most `n_bins` bins: symbols for information; and their edges.

    Binning many different counts removes most of the bias, and lowers the information itself. Bins
    are made without regard to the stimulus, so they add no bias. Equal counts are never parted.

    - "equipopulated" (default): borders at the quantiles k / n_bins. Where many trials have the
      same count, a bin may be much fuller, and quantiles that fall on one count give fewer bins.
    - "even" ("dynamic"): the least sum of squares of the bins' numbers of trials, by dynamic
      programming. It uses all bins if there are as many distinct counts.
    - "width": bins of nearly equal width, from the lowest to the highest count; some may be empty.

    Parameters
    ----------
    counts : (n_trials,) whole numbers; or (n_trials, n_neurons), each neuron binned by itself
    n_bins : at least 1; trials per stimulus / 4 suits the default of `mutual_information`
    method : see above

    Returns
    -------
    symbols, edges : symbols has the shape of counts, whole numbers from 0; bin k holds edges[k] <=
        count < edges[k + 1], so numpy.digitize(other_counts, edges[1:-1]) bins other trials alike.
        For several neurons edges is a list

    Raises
    ------
    NsnnError : NaN, counts that aren't whole numbers, an unknown method. Source: Panzeri et al.
        2007, doi 10.1152/jn.00559.2007

    >>> symbols, edges = bin_counts([0, 0, 0, 1, 2, 3, 5, 9], n_bins=3)
    >>> symbols.tolist(), edges.tolist()
    ([0, 0, 0, 1, 1, 2, 2, 2], [0, 1, 3, 10])
    """
    check(n_bins=n_bins, method=method)
    one_of(method, ("equipopulated", "even", "width", "dynamic"), "method")
    expected = "whole numbers, (n_trials,) or (n_trials, n_neurons)"
    x = floats(counts, "counts", expected)
    if x.ndim not in (1, 2) or x.size == 0:
        raise NsnnError(f"counts has shape {x.shape}: expected {expected}, not empty")
    bad = x[~np.isfinite(x) | (x != np.floor(x))]
    if bad.size:
        raise NsnnError(f"counts holds {bad[0]:g}: expected {expected}")
    columns = x.reshape(len(x), -1).astype(np.int64)
    edges = [_edges(column, n_bins, method) for column in columns.T]
    symbols = [np.digitize(column, own[1:-1]) for column, own in zip(columns.T, edges, strict=True)]
    return np.stack(symbols, axis=1).reshape(x.shape), edges[0] if x.ndim == 1 else edges


def _edges(x: np.ndarray, n_bins: int, method: str) -> np.ndarray:
    """Lower edges of the bins and the upper edge of the last, (bins + 1,) whole numbers."""
    least, most = int(x.min()), int(x.max())
    if method == "width":
        n_bins = min(n_bins, most - least + 1)
        inner = np.ceil(least + (most + 1 - least) * np.arange(1, n_bins) / n_bins - 1e-9).astype(np.int64)
        return np.unique(np.concatenate([[least], inner[inner <= most], [most + 1]]))
    distinct, number = np.unique(x, return_counts=True)
    if method in ("even", "dynamic"):
        first = _most_even(number, min(n_bins, distinct.size))
        return np.append(distinct[first], most + 1)
    n_bins = min(n_bins, x.size)
    # the count for which the number of trials below is nearest to k / n_bins of them
    below = np.concatenate([[0], np.cumsum(number)[:-1]])
    targets = x.size * np.arange(1, n_bins) / n_bins
    nearest = np.abs(below[:, None] - targets).argmin(axis=0)
    return np.unique(np.concatenate([[least], distinct[nearest], [most + 1]]))


def _most_even(number: np.ndarray, n_bins: int) -> np.ndarray:
    """First distinct count of each bin, (n_bins,), of the least sum of squared sizes."""
    total = np.concatenate([[0], np.cumsum(number)]).astype(float)
    size = (total[None, :] - total[:, None]) ** 2  # of a bin from i to j
    n = number.size
    size[np.tril_indices(n + 1)] = np.inf
    cost, came_from = size[0], np.zeros((n_bins, n + 1), dtype=np.int64)
    for k in range(1, n_bins):
        candidates = cost[:, None] + size
        came_from[k] = candidates.argmin(axis=0)
        cost = candidates.min(axis=0)
    first, end = np.zeros(n_bins, dtype=np.int64), n
    for k in range(n_bins - 1, 0, -1):
        end = first[k] = came_from[k, end]
    return first

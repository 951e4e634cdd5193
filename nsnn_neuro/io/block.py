"""Flat arrays <-> `neo.Block`: one segment per trial, spike trains held as arrays until somebody reads one.

`build_block` is the only place that lays a Block out (`simulate`, `to_block` and `load` all end here);
`gather` is its inverse and also takes ordinary Blocks made of `neo.SpikeTrain`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import neo
import numpy as np
import quantities as pq
from neo.core.spiketrainlist import SpikeTrainList

from ..core.errors import NsnnError
from ..core.units import shown

__all__ = ["PIECE", "Sorted", "Spikes", "build_block", "gather", "in_file_order", "seconds"]

PIECE = 2**20
"""Spikes that are looked at, read or written at once where all would be too many."""


@dataclass(frozen=True)
class Spikes:
    """All spikes of a Block as flat arrays, ordered by trial, neuron, time."""

    trial: np.ndarray
    """Trial of each spike, (n_spikes,) int64."""
    neuron: np.ndarray
    """Neuron of each spike, (n_spikes,) int64."""
    times: np.ndarray
    """Time of each spike on its trial's clock, (n_spikes,) float64, s."""
    t_start: np.ndarray
    """(n_trials,) float64, s."""
    t_stop: np.ndarray
    """(n_trials,) float64, s."""
    n_neurons: int
    """The same in every trial."""

    def check(self) -> None:
        """Raise NsnnError naming the first spike that isn't a number or lies outside its trial."""
        for begin in range(0, self.times.size, PIECE):
            piece = slice(begin, begin + PIECE)
            times, trial = self.times[piece], self.trial[piece]
            inside = (times >= self.t_start[trial]) & (times <= self.t_stop[trial])
            if inside.all():
                continue
            k = begin + int(np.argmin(inside))
            i, j, t = self.trial[k], self.neuron[k], self.times[k]
            raise NsnnError(
                f"neuron {j} has a spike at {t} s in trial {i}, "
                f"which runs from t_start = {self.t_start[i]} s to t_stop = {self.t_stop[i]} s"
            )


def seconds(value: Any) -> np.ndarray:
    """A quantities time, or plain numbers taken as seconds, as a float array in seconds."""
    array = np.asarray(
        getattr(value, "magnitude", value), dtype=float
    )  # in double precision before it is rescaled
    if isinstance(value, pq.Quantity) and value.dimensionality != pq.s.dimensionality:
        array = np.asarray(pq.Quantity(array, value.units).rescale(pq.s).magnitude)
    return array


def _in_order(times: np.ndarray, *above: np.ndarray) -> bool:
    """Whether spikes are sorted by `above`, the first one first, and then by time; without arrays of all of them."""
    for begin in range(0, max(0, times.size - 1), PIECE):
        piece = slice(begin, begin + PIECE + 1)
        wrong: Any = False
        equal: Any = True
        for values in (*above, times):
            step = np.diff(values[piece])
            wrong, equal = wrong | (equal & (step < 0)), equal & (step == 0)
        if np.any(wrong):
            return False
    return True


def _joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """The arrays one after the other; a single one as it is."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _lazy_spikes(trains: SpikeTrainList) -> tuple[np.ndarray, np.ndarray, int, float, float]:
    ids, times = trains.multiplexed
    channels, neuron = np.asarray(trains.all_channel_ids), np.asarray(ids)
    if not np.array_equal(channels, np.arange(len(channels))):
        order = np.argsort(channels, kind="stable")
        neuron = order[np.searchsorted(channels[order], neuron)]
    return (
        neuron,
        seconds(times),
        len(channels),
        float(seconds(trains.t_start)),
        float(seconds(trains.t_stop)),
    )


def _listed_spikes(trains: Sequence[neo.SpikeTrain]) -> tuple[np.ndarray, np.ndarray, int, float, float]:
    arrays = [seconds(train) for train in trains]
    neuron = np.repeat(np.arange(len(arrays)), [len(a) for a in arrays])
    start = min(float(seconds(train.t_start)) for train in trains)
    stop = max(float(seconds(train.t_stop)) for train in trains)
    return neuron, np.concatenate(arrays), len(arrays), start, stop


def _segment_spikes(segment: neo.Segment) -> tuple[np.ndarray, np.ndarray, int, float, float]:
    trains, signals = segment.spiketrains, segment.analogsignals
    if len(trains) == 0:
        start = min((float(seconds(s.t_start)) for s in signals), default=0.0)
        stop = max((float(seconds(s.t_stop)) for s in signals), default=0.0)
        return np.empty(0, dtype=np.int64), np.empty(0), 0, start, stop
    # None: still arrays, and reading a single train would make them all
    lazy = getattr(trains, "_items", ()) is None
    neuron, times, n, start, stop = _lazy_spikes(trains) if lazy else _listed_spikes(trains)
    if not _in_order(times, neuron):
        order = np.lexsort((times, neuron))
        neuron, times = neuron[order], times[order]
    return neuron, times, n, start, stop


def gather(block: neo.Block) -> Spikes:
    """All spikes of `block` as flat arrays, without making a `neo.SpikeTrain` of what is still an array.

    Parameters
    ----------
    block : neo.Block, one segment per trial, the same neurons in each

    Raises
    ------
    NsnnError : no Block, no segment, or segments with different numbers of spike trains

    >>> block, segment = neo.Block(), neo.Segment()
    >>> block.segments.append(segment)
    >>> segment.spiketrains.append(neo.SpikeTrain([30.0, 20.0], units="ms", t_stop=100.0))
    >>> gather(block).times, gather(block).t_stop
    (array([0.02, 0.03]), array([0.1]))
    """
    if not isinstance(block, neo.Block):
        raise NsnnError(f"block = {shown(block)}: expected a neo.Block")
    parts = [_segment_spikes(segment) for segment in block.segments]
    if not parts:
        raise NsnnError("block has no segments: expected one per trial")
    for i, part in enumerate(parts):
        if part[2] != parts[0][2]:
            raise NsnnError(
                f"block.segments[{i}] has {part[2]} spike trains, segments[0] has {parts[0][2]}: "
                "expected the same neurons in every trial, an empty train for a silent one"
            )
    times = _joined([p[1] for p in parts])
    return Spikes(
        trial=np.repeat(np.arange(len(parts)), [len(p[0]) for p in parts]),
        neuron=_joined([p[0] for p in parts]).astype(np.int64, copy=False),
        times=times + 0.0 if np.signbit(times).any() else times,  # makes -0.0 plain 0.0
        t_start=np.array([p[3] for p in parts]),
        t_stop=np.array([p[4] for p in parts]),
        n_neurons=parts[0][2],
    )


def _ticks(times: np.ndarray, dt: Any) -> np.ndarray | None:
    """Integers k with k dt == times bit for bit, or None when there are none."""
    if isinstance(dt, bool) or not isinstance(dt, int | float | np.number) or not 0 < dt < np.inf:
        return None
    k = np.rint(times / float(dt))
    return k if (np.abs(k) < 2**53).all() and (k * float(dt) == times).all() else None


@dataclass(frozen=True)
class Sorted:
    """The spikes of a file in its own order, by neuron, then trial, then time, which need not be in memory at once."""

    counts: np.ndarray
    """Spikes of each train, (n_neurons, n_trials) int64."""
    t_start: np.ndarray
    """(n_trials,) float64, s."""
    t_stop: np.ndarray
    """(n_trials,) float64, s."""
    dt: float | None
    """s, where every spike is at k dt; else None."""
    tick_type: type
    """Of the integers k in the file, np.int32 or np.int64."""
    pieces: Callable[[], Iterator[np.ndarray]]
    """One after the other, arrays of integers k, or of times in s without a dt."""

    def trial(self, begin: int, end: int) -> np.ndarray:
        """Trial of the spikes from number `begin` to `end`."""
        first, last = np.searchsorted(self.ends, begin, "right"), np.searchsorted(self.ends, end) + 1
        number = np.diff(np.minimum(self.ends[first:last], end), prepend=begin)
        return np.repeat(np.arange(first, first + number.size) % len(self.t_start), number)

    @cached_property
    def ends(self) -> np.ndarray:
        """For each train the number of spikes up to its end."""
        return np.cumsum(self.counts.ravel())


def in_file_order(spikes: Spikes, dt: Any) -> Sorted:
    """`spikes` by neuron, trial, time, in pieces of whole neurons; with ticks where every spike is at a whole number of dt."""
    n, n_trials = spikes.n_neurons, len(spikes.t_start)
    borders = np.searchsorted(spikes.trial, np.arange(n_trials + 1))
    trials = [spikes.neuron[a:b] for a, b in pairwise(borders)]
    counts = np.stack([np.bincount(one, minlength=n) for one in trials], axis=1).reshape(n, n_trials)
    largest = 0.0
    for k in range(0, spikes.times.size, PIECE):
        ticks = _ticks(spikes.times[k : k + PIECE], dt)
        largest = np.inf if ticks is None else max(largest, np.abs(ticks).max())
        if ticks is None:
            break
    # a Block without spikes has ticks where its dt could give some
    on_grid = largest < np.inf and _ticks(np.empty(0), dt) is not None

    def pieces() -> Iterator[np.ndarray]:
        per_neuron = np.cumsum(counts.sum(axis=1))
        begin = 0
        while begin < n:
            before = per_neuron[begin - 1] if begin else 0
            end = max(begin + 1, int(np.searchsorted(per_neuron, before + PIECE, "right")))
            parts = []
            for a, one in zip(borders, trials, strict=False):
                low, high = np.searchsorted(one, [begin, end])
                parts.append((one[low:high], spikes.times[a + low : a + high]))
            times = parts[0][1] if n_trials == 1 else np.concatenate([t for _, t in parts])
            if n_trials > 1:
                times = times[np.argsort(np.concatenate([m for m, _ in parts]), kind="stable")]
            yield np.rint(times / float(dt)).astype(np.int64) if on_grid else times
            begin = end

    small = np.int32 if largest < 2**31 else np.int64
    return Sorted(counts, spikes.t_start, spikes.t_stop, float(dt) if on_grid else None, small, pieces)


def _sorted_ticks(
    trial: np.ndarray, neuron: np.ndarray, tick: np.ndarray, n_neurons: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All three sorted by trial, neuron, tick; as one packed integer where they fit, 4 times faster."""
    if _in_order(tick, trial, neuron):
        return trial, neuron, tick
    low = int(tick.min())
    span = int(tick.max()) - low + 1
    if (int(trial.max()) + 1) * n_neurons * span < 2**63:
        packed = trial * n_neurons  # in place from here on: each of these may be of 10^7 and more
        packed += neuron
        packed *= span
        packed += tick
        packed -= low
        packed.sort()
        tick = packed % span
        tick += low
        packed //= span
        neuron = packed % n_neurons
        packed //= n_neurons
        return packed, neuron, tick
    order = np.lexsort((tick, neuron, trial))
    return trial[order], neuron[order], tick[order]


def _integers(values: Any, name: str, stop: int | None = None) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise NsnnError(
            f"{name} has shape {array.shape} and dtype {array.dtype}: expected a flat array of integers"
        )
    array = array.astype(np.int64, copy=False)
    if stop is not None and len(array) and not 0 <= array.min() <= array.max() < stop:
        raise NsnnError(f"{name} goes from {array.min()} to {array.max()}: expected 0 to {stop - 1}")
    return array


def build_block(
    trial: Any,
    neuron: Any,
    tick: Any = None,
    *,
    times: Any = None,
    dt: float | None = None,
    n_trials: int,
    n_neurons: int,
    t_start: Any,
    t_stop: Any,
    signals: Sequence[Sequence[neo.AnalogSignal]] | None = None,
    annotations: Mapping[str, Any] | None = None,
) -> neo.Block:
    """The package's Block from flat arrays in any order; no loop over neurons or spikes.

    Parameters
    ----------
    trial, neuron : (n_spikes,) integers, from 0
    tick : (n_spikes,) integers k, a spike at k dt; or else
    times : (n_spikes,) floats, s
    dt : s; annotated; needed with `tick`
    n_trials, n_neurons : silent ones included
    t_start, t_stop : s, one for all trials or (n_trials,)
    signals : for each trial the analog signals, which become the segment's own
    annotations : of the Block; a git_revision of None is left out

    Raises
    ------
    NsnnError : arrays of different length, an index out of range, or a spike outside its trial

    >>> block = build_block(trial=[0, 1, 1], neuron=[2, 0, 0], tick=[5, 9, 3], dt=0.001,
    ...                     n_trials=2, n_neurons=3, t_start=0.0, t_stop=0.01)
    >>> block.segments[1].spiketrains.multiplexed
    (array([0, 0]), array([0.003, 0.009]) * s)
    """
    trial, neuron = _integers(trial, "trial", n_trials), _integers(neuron, "neuron", n_neurons)
    if (tick is None) == (times is None) or (tick is not None and dt is None):
        raise NsnnError("expected either tick and dt or times")
    moment = np.asarray(times, dtype=float) + 0.0 if tick is None else _integers(tick, "tick")
    if not len(trial) == len(neuron) == moment.size == len(moment.ravel()):
        raise NsnnError(
            f"{len(trial)} trials, {len(neuron)} neurons and {moment.size} times of spikes: expected as many"
        )
    if tick is None:
        order = np.lexsort((moment, trial * n_neurons + neuron))
        trial, neuron, moment = trial[order], neuron[order], moment[order]
    else:
        trial, neuron, moment = _sorted_ticks(trial, neuron, moment, n_neurons)
        moment = moment * float(dt or 0.0)
    starts = np.broadcast_to(np.asarray(t_start, dtype=float), n_trials)
    stops = np.broadcast_to(np.asarray(t_stop, dtype=float), n_trials)
    Spikes(trial, neuron, moment, starts, stops, n_neurons).check()

    block = neo.Block()
    given = dict(annotations or {})
    if dt is not None:
        given.setdefault("dt", float(dt))
    if given.get("git_revision", "") is None:
        del given["git_revision"]
    block.annotations.update(given)
    edges = np.searchsorted(trial, np.arange(n_trials + 1))
    channels = list(range(n_neurons))
    seconds = {float(moment): pq.Quantity(float(moment), pq.s) for moment in np.unique([*starts, *stops])}
    segments = []
    for i in range(n_trials):
        segment, mine = neo.Segment(index=i), slice(edges[i], edges[i + 1])
        trains = SpikeTrainList.from_spike_time_array(
            pq.Quantity(moment[mine], pq.s),
            neuron[mine],
            all_channel_ids=channels,
            t_start=seconds[float(starts[i])],
            t_stop=seconds[float(stops[i])],
        )
        trains.segment = segment
        segment.spiketrains = trains
        for signal in signals[i] if signals is not None else ():
            segment.analogsignals.append(signal)
        segments.append(segment)
    block.segments.extend(segments)  # append looks through all that are there
    return block

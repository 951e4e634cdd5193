"""Input of measures and fits: a neo.Block, or a list of spike trains, as a `Trains`, flat arrays in seconds.

`as_trains` takes the data of many neurons and trials, `as_repeats` the repeats of one neuron. So a list of SpikeTrains is one
trial of several neurons for the former, and several trials of one neuron for the latter. Both check their input; `arrays`
reads it and `container` says which spikes a window holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import neo
import numpy as np
from neo.core.spiketrainlist import SpikeTrainList

from ...core.aliases import SpikeSource, Time
from ...core.checks import suggest_keywords
from ...core.errors import NsnnError
from ...core.units import describe, described, shown, si
from ..lookup import EVENT_TIME, START_TIME
from .arrays import check_same_units, declared_resolution, different_windows, read_segments, read_trains
from .bins import rounding
from .container import Trains


@suggest_keywords
def as_trains(
    block: SpikeSource, t_start: Time | None = None, t_stop: Time | None = None, name: str = "block"
) -> Trains:
    """`block`, cropped to [t_start, t_stop), as a `Trains`.

    Parameters
    ----------
    block : neo.Block with one Segment per trial; a list of Blocks of the same neurons, whose trials follow each other; a list of
        neo.SpikeTrain, the neurons of one trial; or a Trains
    t_start, t_stop : times; None (default) keeps the trials' own ends
    name : of the argument that gave the Block, for messages

    Raises
    ------
    NsnnError : not a Block, no segments or no trains, numbers of trains that differ, NaN or times outside a train's own
        [t_start, t_stop], a window beyond a trial, or trains of one segment that cover different windows

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> as_trains(to_block([[[0.1, 0.2, 0.9]]], t_stop=1*pq.s), t_stop=0.9*pq.s).times
    array([0.1, 0.2])
    """
    return read(block, scalar_time(t_start, "t_start", None), scalar_time(t_stop, "t_stop", None), name)


def read(
    source: Any, start: float | None, stop: float | None, name: str = "block", whole: bool = False
) -> Trains:
    """As `as_trains`, from start to stop in s.

    whole : keep all of each trial; start and stop, where given, only say that trains of a segment may differ there

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.1, 0.2, 0.9]]], t_stop=1*pq.s)
    >>> read(block, None, 0.9).times, read(block, None, 0.9, whole=True).times
    (array([0.1, 0.2]), array([0.1, 0.2, 0.9]))
    """
    _refuse_signal(source, name)
    if isinstance(source, Trains):
        return source if whole else source.crop(start, stop)
    blocks = [source]
    if isinstance(source, neo.Block):
        parts, segments = read_segments(source, name), source.segments
    elif holds_blocks(source):
        blocks = list(source)
        segments = [segment for one in blocks for segment in one.segments]
        parts = [part for k, one in enumerate(blocks) for part in read_segments(one, f"{name}[{k}]")]
        sizes = [len(one.segments[0].spiketrains) for one in blocks]
        ids = [(one.annotations.get("units") or {}).get("id") for one in blocks]
        check_same_units([f"{name}[{k}]" for k in range(len(blocks))], sizes, ids)
    elif _is_list(source) and len(source) and all(isinstance(train, neo.SpikeTrain) for train in source):
        blocks, parts, segments = [], [read_trains(source, name)], [source[0].segment]
    else:
        parts, segments = read_segments(source, name), []
    if parts[0].starts.size == 0:
        raise NsnnError(f"{name} holds no spike trains: expected one per neuron in each segment")
    edges = np.empty((len(parts), 2))
    for k, part in enumerate(parts):
        edges[k] = part.starts.max(), part.stops.min()
        apart = max(
            (edges[k, 0] - part.starts.min()) * (start is None),
            (part.stops.max() - edges[k, 1]) * (stop is None),
        )
        if apart > 0 and apart > rounding(part.starts, part.stops, eps=part.eps):
            raise NsnnError(different_windows(f"the spike trains of segment {k}", part.starts, part.stops))
    trains = replace(Trains.joined(parts, edges), session=_on_session_clock(segments, edges))
    if not whole and (start is not None or stop is not None):
        trains = _cropped(trains, start, stop, max(part.eps for part in parts))
    return trains.at_least(max(map(declared_resolution, blocks), default=0.0))


@suggest_keywords
def as_repeats(
    trains: SpikeSource, t_start: Time | None = None, t_stop: Time | None = None, name: str = "trains"
) -> Trains:
    """The repeats of one neuron, cropped to [t_start, t_stop), as a `Trains` with one neuron.

    Parameters
    ----------
    trains : list of neo.SpikeTrain or of 1-D arrays (seconds, or quantities), a SpikeTrainList, one SpikeTrain, or a
        neo.Block, list of Blocks or Trains with one neuron. Plain arrays have no duration (NaN) unless t_start and t_stop are given
    t_start, t_stop, name : as for `as_trains`

    Raises
    ------
    NsnnError : nothing inside, not spike trains, NaN times, several neurons in a Block, a window beyond a train

    >>> import quantities as pq
    >>> as_repeats([np.array([0.1, 0.2]), []], t_start=0*pq.s, t_stop=1*pq.s).durations
    array([1., 1.])
    """
    _refuse_signal(trains, name)
    if holds_blocks(trains):
        repeats = as_trains(trains, t_start, t_stop, name)
        if repeats.n_neurons != 1:
            raise NsnnError(
                f"{name} = {type(trains).__name__} of {repeats.n_neurons} neurons: expected the repeats of "
                "one; nsnn.select(block, units=j) has those of neuron j; to compare neurons, pass block.segments[k].spiketrains"
            )
        return repeats
    start, stop = scalar_time(t_start, "t_start", None), scalar_time(t_stop, "t_stop", None)
    if isinstance(trains, neo.SpikeTrain):
        trains = [trains]
    if not _is_list(trains):
        raise NsnnError(f"{name} = {described(trains)}: expected a list of spike trains or a neo.Block")
    if len(trains) == 0:
        raise NsnnError(f"{name} is empty: expected at least one spike train")
    part = read_trains(trains, name)
    edges = np.stack([part.starts, part.stops], axis=1)
    repeats = Trains.from_arrays(part.times, np.zeros_like(part.train), part.train, 1, edges, part.eps)
    session = _on_session_clock([getattr(train, "segment", None) for train in trains], edges)
    repeats = replace(repeats, session=session)
    return repeats if start is None and stop is None else _cropped(repeats, start, stop, part.eps)


def _on_session_clock(segments: Sequence[Any], edges: np.ndarray) -> np.ndarray | None:
    """Edges (n, 2) of trials on the clock of the recording, by the annotations of `cut`, `align` or `load`; None without them."""
    known = [getattr(segment, "annotations", {}) for segment in segments]
    for key in (EVENT_TIME, START_TIME):
        zero = [one.get(key) for one in known]
        own = key == EVENT_TIME or not edges[:, 0].any()  # a recording that starts later is on its own clock
        if own and zero and all(isinstance(one, float | int) for one in zero):
            return np.asarray(zero, dtype=float)[:, None] + edges if any(zero) else None
    return None


def _refuse_signal(trains: Any, name: str) -> None:
    if isinstance(trains, neo.AnalogSignal):
        raise NsnnError(
            f"{name} = AnalogSignal: expected spike trains; were the arguments swapped? a signal comes first"
        )


def holds_blocks(value: Any) -> bool:
    """True for a Block, a Trains or a list of Blocks, which have neurons and trials.

    >>> holds_blocks(neo.Block()), holds_blocks([neo.Block(), neo.Block()]), holds_blocks([[0.1, 0.2]])
    (True, True, False)
    """
    several = isinstance(value, list | tuple) and len(value) > 0
    return isinstance(value, neo.Block | Trains) or (
        several and all(isinstance(one, neo.Block) for one in value)
    )


def holds_trials(value: Any) -> bool:
    """True for one or more Blocks, a Trains, trains or responses (n_trials, n_neurons): no list of labels looks like these.

    >>> holds_trials([[3, 1], [2, 0]]), holds_trials(["left", "right"])
    (True, False)
    """
    if isinstance(value, list | tuple) and value and not holds_blocks(value):
        return isinstance(value[0], list | tuple) or getattr(value[0], "ndim", 0) == 1
    return holds_blocks(value) or getattr(value, "ndim", 0) == 2


def binned(trains: Trains, width: float, name: str) -> np.ndarray:
    """Spikes per bin of `width` s, (n_trials, n_neurons, n_bins) int64; n_bins is that of the shortest trial."""
    number, n_bins = trains.bins(width, name)
    m = int(n_bins.min())
    inside = slice(None) if number.max(initial=0) < m else number < m
    cell = trains.train[inside] * m + number[inside]
    size = trains.n_trials * trains.n_neurons * m
    return np.bincount(cell, minlength=size).reshape(trains.n_trials, trains.n_neurons, m)


def _is_list(trains: Any) -> bool:
    if isinstance(trains, np.ndarray):
        return trains.ndim > 0
    return isinstance(trains, Sequence | SpikeTrainList) and not isinstance(trains, str | bytes)


def scalar_time(value: Any, name: str, default: Any = ...) -> Any:
    """A finite time in s; where the value is None, `default`, if one is given."""
    if value is None and default is not ...:
        return default
    x = si(value, "s", name)
    if np.ndim(x) != 0 or not np.isfinite(x):
        raise NsnnError(f"{name} = {value}: expected {describe('s')}")
    return float(x)


def time_window(value: Any, name: str, others: str = "") -> tuple[float, float]:
    """(start, stop) in s of an argument such as [0, 200]*ms; `others` says what else the argument may be.

    >>> import quantities as pq
    >>> time_window([0, 200]*pq.ms, "window")
    (0.0, 0.2)
    """
    pair = np.shape(value) == (2,) if not isinstance(value, list | tuple) else len(value) == 2
    if pair and isinstance(value, list | tuple):
        pair = not any(isinstance(one, list | tuple) or np.ndim(one) for one in value)
    edges = np.asarray(si(value, "s", name)) if pair else np.empty(0)
    if not pair or not np.isfinite(edges).all() or not edges[0] < edges[1]:
        raise NsnnError(
            f"{name} = {shown(value)}: expected {others}(start, stop), two times such as [0, 200]*ms, start first"
        )
    return float(edges[0]), float(edges[1])


def _cropped(trains: Trains, start: float | None, stop: float | None, eps: float) -> Trains:
    """`trains` between start and stop, with the resolution of what is left."""
    left = trains.crop(start, stop)
    return replace(left, resolution=rounding(left.t_start, left.t_stop, left.times, eps=eps))

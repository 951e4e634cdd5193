"""What a new Block takes over from the segments of others: signals, events, epochs, annotations, the table of units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import neo
import numpy as np
import quantities as pq
from neo.core.spiketrainlist import SpikeTrainList

from .block import block_of, like
from .spikes import Trains
from .spikes.arrays import RESOLUTION, declared_resolution, seconds
from .spikes.bins import rounding, slack

TIMED = ("irregularlysampledsignals", "events", "epochs")
"""Containers of a Segment whose objects have a time for each of their values."""
SAMPLED = ("analogsignals", "imagesequences")
"""Containers of a Segment whose objects have a start and a sampling rate."""


def unit_table(block: neo.Block) -> dict[str, list[Any]]:
    """What is known of each unit, name of a column -> (n_units,) values: the annotation "units", or the trains' own.

    Neo keeps names and annotations with each spike train; those that all trains of the first segment have are columns.
    """
    table = block.annotations.get("units")
    if isinstance(table, Mapping):
        return {
            str(key): list(column)
            for key, column in table.items()
            if isinstance(column, list | tuple | np.ndarray)
        }
    trains = block.segments[0].spiketrains if block.segments else ()
    items = getattr(trains, "_items", None) if isinstance(trains, SpikeTrainList) else trains
    known = [known_of(one) for one in items or ()]
    shared = [key for key in (known[0] if known else {}) if all(key in one for one in known)]
    columns = {key: [one[key] for one in known] for key in shared}
    if columns.get("channel_id") == list(range(len(known))):  # Neo writes it when it makes trains of arrays
        del columns["channel_id"]
    return columns


def unit_ids(block: Any, n: int) -> list[Any] | None:
    """The ids of n units, where a Block's table of units has them and they aren't 0, 1, ...; else None.

    >>> unit_ids(neo.Block(units={"id": ["PV1", "SOM2"]}), 2)
    ['PV1', 'SOM2']
    """
    ids = unit_table(block).get("id") if isinstance(block, neo.Block) else None
    return ids if ids is not None and len(ids) == n and ids != list(range(n)) else None


def known_of(train: Any) -> dict[str, Any]:
    """Name and plain annotations of a spike train, what the table of units can hold of it."""
    known = {"name": train.name} if isinstance(getattr(train, "name", None), str) and train.name else {}
    for key, value in getattr(train, "annotations", {}).items():
        plain = value.item() if isinstance(value, np.generic) else value
        if isinstance(plain, str | bool | int | float) and key not in ("segment", "block"):
            known[str(key)] = plain
    return known


def shifted(signal: neo.AnalogSignal, values: np.ndarray, t_start: float, **changed: Any) -> neo.AnalogSignal:
    """A signal like `signal` with other values, a read-only view of them, from t_start (s)."""
    view = values.view()
    view.flags.writeable = False
    return like(signal, view, t_start * pq.s, **changed)


def _samples(signal: Any, low: int, high: int, t_start: float) -> Any:
    """The samples (frames) low to high of an analog signal or image sequence, a view of them, from t_start (s)."""
    if isinstance(signal, neo.AnalogSignal):
        return shifted(signal, signal.magnitude[low:high], t_start)
    frames = signal[low:high]  # Neo's slices of images lose their clock and scale
    frames.sampling_rate, frames.spatial_scale = signal.sampling_rate, signal.spatial_scale
    frames.t_start = t_start * pq.s
    frames.annotations = dict(signal.annotations)
    frames.flags.writeable = False
    return frames


def sample_windows(
    first: float, rate: float, n: int, start: np.ndarray, stop: np.ndarray, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the first of n samples in each window [start, stop), s, and of the first one after it.

    first, rate : s and Hz, the time of sample 0 and samples per second; `name` is that of the interval between two, for messages
    """
    share = slack(1 / rate, rounding(start, stop, first, first + n / rate), name)
    low = np.clip(np.ceil((start - first) * rate - share), 0, n).astype(int)
    return low, np.clip(np.ceil((stop - first) * rate - share), low, n).astype(int)


def cut_signal(signal: Any, start: np.ndarray, stop: np.ndarray, zero: np.ndarray) -> list[Any | None]:
    """The samples of an analog signal or image sequence in each window [start, stop), s, on a clock that is 0 at `zero`.

    None where the signal has none.
    """
    rate, first = float(signal.sampling_rate.rescale(pq.Hz).magnitude), float(seconds(signal.t_start))
    low, high = sample_windows(first, rate, len(signal), start, stop, "the signal's sampling interval")
    return [
        _samples(signal, a, b, first + a / rate - at) if b > a else None
        for a, b, at in zip(low, high, zero, strict=True)
    ]


def cut_timed(
    one: Any, start: np.ndarray, end: np.ndarray, zero: np.ndarray, low: float, high: float
) -> list[Any]:
    """The events, epochs (by their starts) or samples of a Neo object in each window; None where it has none there.

    start, end : s, the first moment of each window and the first one after it, on the object's clock
    zero : s, time 0 of each window; there times go from `low` to `high`
    """
    times = seconds(one.times)
    order = np.argsort(times, kind="stable")
    result: list[Any] = []
    for a, b, at in zip(*np.searchsorted(times[order], [start, end]), zero, strict=True):
        index = np.sort(order[a:b])
        moments = np.clip(times[index] - at, low, high)
        result.append(_rows(one, pq.Quantity(moments, pq.s), index) if b > a else None)
    return result


def moved(segment: neo.Segment, by: float) -> dict[str, list[Any]]:
    """All signals, events and epochs of a segment on a clock that is 0 at `by` (s) on their own; data are shared."""
    result: dict[str, list[Any]] = {
        kind: [_samples(one, 0, len(one), float(seconds(one.t_start)) - by) for one in getattr(segment, kind)]
        for kind in SAMPLED
    }
    return result | retimed(segment, lambda times: times - by)


def retimed(segment: neo.Segment, place: Callable[[np.ndarray], np.ndarray]) -> dict[str, list[Any]]:
    """All events, epochs and irregularly sampled signals of a segment, a time t (s) at place(t); durations are kept."""
    return {
        kind: [
            _rows(one, pq.Quantity(place(seconds(one.times)), pq.s), slice(None))
            for one in getattr(segment, kind)
        ]
        for kind in TIMED
    }


def _rows(one: Any, times: pq.Quantity, index: Any) -> Any:
    """Events, epochs or a signal like `one`: its rows `index` at other times."""
    about = {"name": one.name, "description": one.description}
    if isinstance(
        one, neo.IrregularlySampledSignal
    ):  # Neo's own copies lose the array annotations, and can't be masked
        about["array_annotations"] = dict(one.array_annotations)
        copy = neo.IrregularlySampledSignal(times, one.magnitude[index], units=one.units, **about)
    else:
        about["array_annotations"] = {key: values[index] for key, values in one.array_annotations.items()}
        about["labels"] = one.labels[index] if np.size(one.labels) else one.labels
        if isinstance(one, neo.Epoch):  # Neo's default is no durations at all
            about["durations"] = one.durations[index] if np.size(one.durations) else None
        copy = (neo.Epoch if isinstance(one, neo.Epoch) else neo.Event)(times, **about)
    copy.annotations.update(one.annotations)
    return copy


def coarseness(spikes: Trains, block: neo.Block) -> float:
    """Resolution (s) of a Block's times where it is coarser than double precision: declared, or of single precision; else 0."""
    coarse = spikes.resolution if spikes.resolution > rounding(spikes.t_start, spikes.t_stop) else 0.0
    return max(coarse, declared_resolution(block))


def rebuilt(
    spikes: Trains,
    contents: Sequence[Mapping[str, Sequence[Any]]],
    source: neo.Block,
    segments: Sequence[neo.Segment] | None = None,
    annotations: Mapping[str, Any] | None = None,
) -> neo.Block:
    """Block of these spikes, with what each segment holds besides: name of the Neo container -> its objects.

    It has the name and date of `source` and, without others, its annotations and table of units; where `segments` are given, each
    of its segments has the name and annotations of one of them.
    """
    if annotations is None:
        table = unit_table(source)
        annotations = {**source.annotations, **({"units": table} if table else {})}
    block = block_of(spikes, annotations=annotations)
    block.annotations.pop(RESOLUTION, None)
    if spikes.resolution > rounding(spikes.t_start, spikes.t_stop):
        block.annotations[RESOLUTION] = float(spikes.resolution)
    for segment, content in zip(block.segments, contents, strict=True):
        for kind, objects in content.items():
            if objects:
                getattr(segment, kind).extend(list(objects))
    block.name, block.description, block.rec_datetime = source.name, source.description, source.rec_datetime
    for old, new in zip(segments or (), block.segments, strict=segments is not None):
        new.name, new.description = old.name, old.description
        new.annotations.update(old.annotations)
    return block


def inside(times: np.ndarray, start: float, stop: float, last: bool) -> np.ndarray:
    """Which times (s) are in [start, stop), but for rounding, or also at stop if it is the `last` moment of the recording."""
    apart = rounding(start, stop)
    return (times >= start - apart) & ((times <= stop + apart) if last else (times < stop - apart))


def in_window(one: Any, start: float, stop: float, last: bool) -> Any:
    """The events, epochs (by their starts) or samples of a Neo object that are `inside`."""
    kept = inside(seconds(one.times), start, stop, last)
    if kept.all():
        return one
    return _rows(one, one.times[kept], np.flatnonzero(kept))


def cropped(block: neo.Block, t_start: float | None, t_stop: float | None) -> neo.Block:
    """Each segment between t_start and t_stop (s, None: its own end) on its own clock."""
    whole = Trains.from_block(block)
    spikes = whole.crop(t_start, t_stop)
    starts, stops = spikes.t_start[spikes.trial], spikes.t_stop[spikes.trial]
    spikes = replace(spikes, times=np.clip(spikes.times, starts, stops))  # some lie within rounding of them
    last = spikes.t_stop >= whole.t_stop - spikes.resolution
    contents = []
    for k, segment in enumerate(block.segments):
        start, stop = spikes.t_start[[k]], spikes.t_stop[[k]]
        content = moved(segment, 0.0)
        for kind in SAMPLED:
            pieces = [cut_signal(one, start, stop, np.zeros(1))[0] for one in getattr(segment, kind)]
            content[kind] = [one for one in pieces if one is not None]
        for kind in TIMED:
            content[kind] = [
                in_window(one, float(start[0]), float(stop[0]), bool(last[k])) for one in content[kind]
            ]
        contents.append(content)
    return rebuilt(spikes, contents, block, block.segments)

"""Everything in an NWB file that has a time, on the session's clock: tables of intervals and events, and time series.

Read as `neo.Epoch`: tables of intervals (trials, epochs, presentations of stimuli), IntervalSeries, and tables of events with
durations. As `neo.Event`: the tables of /events, those of the extension ndx-events (Events, LabeledEvents, TTLs,
AnnotatedEventsTable), text with timestamps, and the series of BehavioralEvents. Other series with timestamps become irregularly
sampled signals. Columns become array annotations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import neo
import numpy as np
import quantities as pq

from ...core.errors import FormatError
from ..hdf5 import Reader, is_text
from . import series, tables

_KEYS = ("Events", "LabeledEvents", "TTLs")  # types whose numbers are keys of labels, not samples
_BEHAVIOUR = ("BehavioralEvents", "BehavioralEpochs")  # containers of events
_LABELS = ("label", "annotation")  # columns that name an event


@dataclass
class Contents:
    """What a file holds besides spikes."""

    events: list[tuple[str, neo.Event]] = field(default_factory=list)  # path and object
    epochs: list[tuple[str, neo.Epoch]] = field(default_factory=list)
    # series with times; a field whose times are even is an AnalogSignal
    irregular: list[tuple[str, neo.IrregularlySampledSignal | neo.AnalogSignal]] = field(default_factory=list)
    regular: list[str] = field(default_factory=list)  # paths of regularly sampled signals, not read yet
    # first and last time of each of all these, and of processed series, by path; s
    extents: dict[str, tuple[float, float]] = field(default_factory=dict)
    sampled: bool = False  # whether one of them is a signal, which lasts as long as the recording
    left_out: list[str] = field(default_factory=list)
    # paths of the signals that are read, of the others only the first and last times; None: those that are not processed
    signals: list[str] | None = None

    def leave_out(self, path: str, why: str) -> None:
        """Note that the object at `path`, or a part of it, is left out."""
        self.left_out.append(f"{path.rpartition('/')[2]} ({why})")

    def span(self, path: str, *times: Any) -> None:
        """Note the first and last of these times of the object at `path`."""
        values = np.concatenate([np.ravel(one) for one in times])
        values = values[np.isfinite(values)]
        if values.size:
            self.extents[path] = (float(values.min()), float(values.max()))


def read(source: Reader, signals: list[str] | None = None) -> Contents:
    """All tables and series of a file, on the session's clock; regularly sampled signals are only named.

    signals : names of those that are read, see `series.paths_of`
    """
    contents = Contents(signals=None if signals is None else series.paths_of(source, signals))
    of_intervals = tables.interval_tables(source).values()
    for path in of_intervals:
        _epoch(source, path, contents)
    for path in source.paths("stimulus/presentation", "acquisition", "events"):
        _place(source, path, contents)
    for path in source.paths(*source.paths("processing")):
        if path in of_intervals:
            continue
        kind = source.attribute(path, "neurodata_type", "")
        if kind in _BEHAVIOUR:
            for member in source.paths(path):
                _place(source, member, contents, behaviour=True)
        elif kind in ("IntervalSeries", "AnnotationSeries") or is_events(source, path):
            _place(source, path, contents)
        else:
            if contents.signals is None:
                contents.left_out.append(f"{path.removeprefix('processing/')} (processed: see signals=)")
            if source.is_group(path):
                for member in (path, *source.paths(path)):
                    if contents.signals and member in contents.signals:
                        _place(source, member, contents)
                    with suppress(FormatError):  # nothing else is read
                        _sampled(source, member, contents)
    every: list[tuple[str, Any]] = [*contents.events, *contents.epochs, *contents.irregular]
    number = Counter(one.name for _, one in every)
    for path, one in every:  # objects of one name get that of their path
        if number[one.name] > 1:
            one.name = path.removeprefix("processing/")
    return contents


def is_events(source: Reader, path: str) -> bool:
    """True for a table of events, or events of the extension ndx-events."""
    kind = source.attribute(path, "neurodata_type", "")
    return kind in _KEYS or any(f"{path}/{column}" in source for column in ("timestamp", "event_times"))


def text_array(source: Reader, texts: list[str], what: str) -> np.ndarray:
    """Texts as a NumPy array, in which each takes as much memory as the longest."""
    source.budget.take(4.0 * len(texts) * max(map(len, texts), default=0), what)
    return np.array(texts, dtype="U")


def _arrays(
    source: Reader, path: str, columns: dict[str, list[Any]], contents: Contents
) -> dict[str, np.ndarray]:
    """Columns as Neo's array annotations; lists of texts are joined, lists of numbers left out."""
    arrays = {}
    for name, column in columns.items():
        values = column
        if any(isinstance(one, list) for one in values):
            if not all(isinstance(word, str) for one in values for word in one):
                contents.leave_out(f"{path}.{name}", "lists of numbers")
                continue
            values = [", ".join(one) for one in values]
        texts = bool(values) and isinstance(values[0], str)
        arrays[name] = text_array(source, values, f"{path}/{name}") if texts else np.array(values)
    return arrays


def _epoch(source: Reader, path: str, contents: Contents) -> None:
    name = path.rpartition("/")[2]
    start, stop, columns, left_out = tables.intervals(source, path)
    contents.left_out += [f"{name}.{column} (no numbers or text)" for column in left_out]
    good = np.isfinite(start)
    if not good.all():
        contents.leave_out(path, f"{np.count_nonzero(~good)} rows without a start")
    order = np.flatnonzero(good)[np.argsort(start[good], kind="stable")]
    arrays = {key: values[order] for key, values in _arrays(source, path, columns, contents).items()}
    contents.span(path, start, stop)
    durations = (stop - start)[order]
    epoch = neo.Epoch(start[order] * pq.s, durations * pq.s, labels=[], name=name, array_annotations=arrays)
    contents.epochs.append((path, epoch))


def _event(
    source: Reader,
    path: str,
    contents: Contents,
    times: np.ndarray,
    labels: Any = None,
    columns: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> None:
    """Note these events, epochs where a column has durations, in the order of their times; those without a time are left out."""
    name = path.rpartition("/")[2]
    if times.ndim != 1:
        raise FormatError(f"{path} has times of shape {times.shape}: expected a flat array")
    good = np.isfinite(times)
    if not good.all():
        contents.leave_out(path, f"{np.count_nonzero(~good)} events without a time")
    order = np.flatnonzero(good)[np.argsort(times[good], kind="stable")]
    some: Any = [] if labels is None else text_array(source, [labels[k] for k in order], f"labels of {path}")
    arrays = {key: values[order] for key, values in columns.items() if len(values) == len(times)}
    contents.span(path, times)
    moments = times[order] * pq.s
    durations = np.asarray(arrays.get("duration", []), dtype=float)
    if durations.size and np.isfinite(durations).any():
        del arrays["duration"]
        epoch = neo.Epoch(moments, durations * pq.s, labels=some, name=name, array_annotations=arrays)
        contents.epochs.append((path, epoch))
    else:
        event = neo.Event(moments, labels=some, name=name, array_annotations=arrays)
        contents.events.append((path, event))


def _place(source: Reader, path: str, contents: Contents, behaviour: bool = False) -> None:
    """Note the table of events or time series at `path`."""
    if not source.is_group(path):
        contents.leave_out(path, "no time series")
    elif f"{path}/timestamp" in source:
        (times,) = tables.times(source, path, ["timestamp"])
        table = tables.table(source, path, ("timestamp",))
        columns = {key: one for key, one in table.items() if len(one) == len(times)}
        label = next((k for k in _LABELS if columns.get(k) and isinstance(columns[k][0], str)), None)
        labels = columns.pop(label) if label else None
        _event(source, path, contents, times, labels, _arrays(source, path, columns, contents))
    elif f"{path}/event_times" in source:
        for label, times in _annotated(source, path):
            _event(source, f"{path}/{label}", contents, times)
    elif f"{path}/starting_time" in source and f"{path}/data" in source:
        _sampled(source, path, contents)
        contents.regular += [path] if contents.signals is None or path in contents.signals else []
    elif f"{path}/timestamps" in source:
        _with_times(source, path, contents, behaviour)
    elif members := [member for member in source.paths(path) if f"{member}/data" in source]:
        for member in members:
            _place(source, member, contents)
    else:
        contents.leave_out(path, "no time series")


def _sampled(source: Reader, path: str, contents: Contents) -> None:
    """Note when the series at `path` begins and ends, where it is one."""
    if f"{path}/starting_time" in source and f"{path}/data" in source:
        data = source.array(f"{path}/data", written=False)
        rate = float(source.attribute(f"{path}/starting_time", "rate", 0.0))
        first = source.numbers(f"{path}/starting_time")
        if data.shape and rate > 0 and first.size == 1:
            contents.sampled = True
            contents.span(path, first, first + len(data) / rate)
    elif f"{path}/timestamps" in source:
        stamps = source.array(f"{path}/timestamps", written=False)
        if stamps.ndim == 1 and stamps.dtype.kind in "iuf":
            contents.sampled = True
            contents.span(path, stamps[:1], stamps[-1:])


def _annotated(source: Reader, path: str) -> Iterator[tuple[str, np.ndarray]]:
    """Name and times of each row of a table whose rows are kinds of events."""
    n = source.length(f"{path}/id")
    ends = source.ends(f"{path}/event_times", n)
    (times,) = tables.times(source, path, ["event_times"])
    names = source.texts(f"{path}/label") if f"{path}/label" in source else []
    source.budget.take(5000.0 * n, f"{n} kinds of events")
    for k, moments in enumerate(np.split(times, ends[:-1])):
        yield (names[k] if len(names) == n else f"{path.rpartition('/')[2]} {k}"), moments


def _with_times(source: Reader, path: str, contents: Contents, behaviour: bool) -> None:
    """A series with a time for each of its values, or for nothing."""
    kind = source.attribute(path, "neurodata_type", "")
    data = source.array(f"{path}/data", written=False) if f"{path}/data" in source else None
    stamps = source.array(f"{path}/timestamps", written=False)
    if stamps.ndim != 1 or stamps.dtype.kind not in "iuf":
        contents.leave_out(path, "no valid times")
        return
    if data is not None and data.size > series.MOST_BYTES / 8:
        contents.span(path, stamps[:1], stamps[-1:])
        contents.leave_out(path, f"larger than {series.MOST_BYTES >> 20} MiB")
        return
    if data is None or data.shape[:1] != stamps.shape:
        if data is not None and data.size:
            contents.leave_out(path, "times and values differ in number")
            return
        (times,) = tables.times(source, path, ["timestamps"])
        _event(source, path, contents, times)
        return
    value = behaviour and data.ndim == 1 and data.dtype.kind in "biuf"
    unread = contents.signals is not None and path not in contents.signals
    if unread and not (is_text(data) or kind in (*_KEYS, "IntervalSeries") or value):
        contents.span(path, stamps[:1], stamps[-1:])
        return
    (times,) = tables.times(source, path, ["timestamps"])
    if is_text(data):
        _event(source, path, contents, times, source.texts(f"{path}/data"))
    elif kind in _KEYS:
        _event(source, path, contents, times, _labels(source, path))
    elif kind == "IntervalSeries":
        _interval_series(source, path, contents, times)
    elif value:
        _event(source, path, contents, times, columns={"value": source.numbers(f"{path}/data")})
    else:
        one = series.series(source, path)
        if isinstance(one, str):
            contents.leave_out(path, one)
        else:
            contents.span(path, times, [float(one.t_stop)] if isinstance(one, neo.AnalogSignal) else [])
            contents.irregular.append((path, one))


def _labels(source: Reader, path: str) -> list[str]:
    """The label of each event, whose number is its key."""
    keys = source.numbers(f"{path}/data", per_value=60)
    labels = source.texts(f"{path}/labels") if f"{path}/labels" in source else None
    labels = source.attribute_texts(f"{path}/data", "labels") if labels is None else labels
    inside = keys.dtype.kind in "iu" and (keys.size == 0 or 0 <= keys.min() <= keys.max() < len(labels or ()))
    return [labels[k] for k in keys] if labels and inside else [str(key) for key in keys.tolist()]


def _interval_series(source: Reader, path: str, contents: Contents, times: np.ndarray) -> None:
    """Intervals that begin at positive values and end at the negative ones after them."""
    values = source.numbers(f"{path}/data")
    start, stop = times[values > 0], times[values < 0]
    if len(start) != len(stop) or not (start <= stop).all() or not (stop[:-1] <= start[1:]).all():
        contents.leave_out(path, "starts and stops don't alternate")
        return
    contents.span(path, times)
    name = path.rpartition("/")[2]
    contents.epochs.append((path, neo.Epoch(start * pq.s, (stop - start) * pq.s, labels=[], name=name)))

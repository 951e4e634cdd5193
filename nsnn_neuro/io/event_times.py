"""The events that `cut`, `align`, `warp` take: arrays of times, objects of Neo, pynapple and pandas, or their names in a Block."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import neo
import numpy as np

from ..core.checks import did_you_mean
from ..core.errors import NsnnError
from ..core.units import is_quantity, shown, si
from .lookup import EVENT_TIME, START_TIME
from .spikes.arrays import seconds
from .spikes.packages import is_a
from .spikes.sources import plain

_EXPECTED = "times such as [0.5, 1.5]*second"
_TIMES = ("time", START_TIME, "start", "onset")  # columns of a table that may have the times of its events
_LEAVE_OUT = "leave these events and their labels out, {name}[np.isfinite({name})]"
_CHOOSE = (
    "choose the trials that have an event with select(block, trials=np.isfinite(events)), and their events"
)


class Events(NamedTuple):
    """Event times of all segments of a Block, those of the first segment first."""

    times: np.ndarray  # (n,) s, on the clock of their segment
    segment: np.ndarray  # (n,) int
    labels: list[Any] | None  # (n,) texts or numbers; None where nothing gives them
    columns: dict[str, list[Any]]  # what else is known of each event: name -> (n,) values


class _Part(NamedTuple):
    """The events of one segment."""

    times: np.ndarray
    labels: list[Any] | None = None
    columns: Mapping[str, list[Any]] = MappingProxyType({})


def read_events(block: neo.Block, events: Any, labels: Any) -> Events:
    """The events of each segment with their labels; NsnnError for none, NaN, another order or name, or labels that don't fit."""
    n_segments = len(block.segments)
    if isinstance(events, str):
        parts = [_named(segment, events, k, block) for k, segment in enumerate(block.segments)]
    elif n_segments == 1:
        single = isinstance(events, list | tuple) and len(events) == 1 and np.ndim(events[0]) == 1
        parts = [_part(events[0] if single else events, "events")]
    elif (
        isinstance(events, list | tuple)
        and len(events) == n_segments
        and any(one is None or isinstance(one, str) or np.ndim(one) for one in events)
    ):
        parts = [
            _Part(np.empty(0)) if one is None else _part(one, f"events[{k}]") for k, one in enumerate(events)
        ]
    else:
        raise NsnnError(
            f"events = {shown(events)}: the block has {n_segments} segments, each with a clock of its own: expected a list with "
            "the times of each segment's events; of trials take align(block, events), then t_start and t_stop of measures"
        )
    number = [part.times.size for part in parts]
    if not sum(number):
        raise NsnnError(f"events = {shown(events)}: no event in it, expected at least one")
    for k, part in enumerate(parts):
        _check_order(part.times, "events" if len(parts) == 1 else f"events[{k}]")
    filled = [part for part in parts if part.times.size]
    columns = {
        name: [value for part in filled for value in part.columns[name]]
        for name in filled[0].columns
        if all(name in part.columns for part in filled)
    }
    known = None
    if all(part.labels is not None for part in filled):
        known = [label for part in filled for label in part.labels or ()]
    segment = np.repeat(np.arange(len(parts)), number)
    times = np.concatenate([part.times for part in parts])
    return Events(times, segment, _labels(labels, known, columns, number), columns)


def trial_times(block: neo.Block, events: Any) -> np.ndarray:
    """One event time (s) for each segment, (n_segments,): one time for all, one for each, or a name.

    The name is that of an Event or Epoch with one time in each segment, or of an annotation of the segments.
    """
    n = len(block.segments)
    if isinstance(events, str) and _names(block).isdisjoint({events, events.rpartition(".")[0]}):
        times = _annotated(block, events)
    elif isinstance(events, str):
        moments_of = [_named(segment, events, k, block).times for k, segment in enumerate(block.segments)]
        for k, moments in enumerate(moments_of):
            if moments.size != 1:
                raise NsnnError(
                    f"events = {events!r}: segment {k} has {moments.size} of them: expected one in each trial; cut makes a trial "
                    "of each event"
                )
        times = np.concatenate(moments_of)
    else:
        of_package = _of_package(events, "events")
        times = of_package.times if of_package else event_seconds(events, "events", _CHOOSE)
        if times.ndim == 0:
            times = np.full(n, float(times))
    if times.shape != (n,):
        raise NsnnError(
            f"events = {shown(events)}: {times.size} times for {n} trials: expected one for each, or one for all; cut makes a "
            "trial of each event"
        )
    _check_finite(times, "events", _CHOOSE)
    return times


def _annotated(block: neo.Block, name: str) -> np.ndarray:
    """The times in an annotation of the segments, (n_segments,) s; on the session's clock where they have a start_time."""
    known = [segment.annotations for segment in block.segments]
    numbers = [key for key in known[0] if all(_is_number(one.get(key)) for one in known)]
    if name not in numbers:
        listed = sorted(_names(block))
        raise NsnnError(
            f"events = {name!r}: no event, epoch or annotation of numbers in each trial has this name; there are the events "
            f"{listed} and the annotations {numbers}{did_you_mean(name, [*listed, *numbers])}"
        )
    for k, one in enumerate(known):
        _refuse_shifted(one, name, k)
    values = np.array([one[name] for one in known], dtype=float)
    _check_finite(
        values,
        f"events = {name!r}: trial",
        f"choose the trials that have this event, select(block, trials=np.isfinite(conditions(block, {name!r})))",
    )
    starts = [one.get(START_TIME, 0.0) for one in known]
    wrong = [k for k, one in enumerate(starts) if not (_is_number(one) and np.isfinite(one))]
    if wrong:
        raise NsnnError(
            f"events = {name!r}: the annotation start_time of trial {wrong[0]} is {shown(starts[wrong[0]])}: expected the start of "
            f"the trial in seconds, on the clock of {name!r}; or pass the times on the trials' own clocks as an array"
        )
    return values - np.array(starts, dtype=float)


def _refuse_shifted(annotations: Mapping[str, Any], name: str, k: int) -> None:
    """Refuse times by name in segment k after its clock was shifted by its event, as they were not."""
    if EVENT_TIME in annotations:
        raise NsnnError(
            f"events = {name!r}: the clock of segment {k} was shifted by its event (annotation {EVENT_TIME!r}), and these times "
            "were not: name them before cut or align, or pass the times on the new clock as an array"
        )


def _check_finite(times: np.ndarray, name: str, cure: str) -> None:
    """NsnnError for NaN and infinite times."""
    bad = np.flatnonzero(~np.isfinite(times))
    if bad.size:
        raise NsnnError(
            f"{name}[{bad[0]}] is {times[bad[0]]} ({bad.size} of {times.size} are not finite): {cure}"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def plain_labels(values: Any, name: str, n: int | None = None, what: str = "trials") -> list[Any]:
    """Labels as a list of texts and numbers; NsnnError for one with a unit, of another kind, or another number than n of `what`."""
    if is_quantity(values) or (isinstance(values, list | tuple) and any(map(is_quantity, values))):
        raise NsnnError(
            f"{name} = {shown(values)} has a unit: expected plain numbers or texts; divide by the unit"
        )
    if isinstance(values, str | bytes) or not np.iterable(values):
        raise NsnnError(f"{name} = {shown(values)}: expected a label for each trial, numbers or texts")
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise NsnnError(f"{name} has shape {values.shape}: expected a label for each trial, numbers or texts")
    listed = [one.item() if isinstance(one, np.generic) else one for one in values]
    for k, one in enumerate(listed):
        if not isinstance(one, str | bool | int | float):
            raise NsnnError(f"{name}[{k}] = {shown(one)}: expected a number or a text")
    if n is not None and len(listed) != n:
        raise NsnnError(f"{name} has {len(listed)} values for {n} {what}: expected one for each")
    return listed


def event_seconds(value: Any, name: str, cure: str = _LEAVE_OUT) -> np.ndarray:
    """Event times in seconds, with a unit or as plain numbers of seconds; NaN stays."""
    try:
        numbers = np.asarray(getattr(value, "magnitude", value))
    except (TypeError, ValueError):
        numbers = np.empty(0, dtype=object)
    if numbers.dtype.kind == "f" and numbers.ndim == 1:
        _check_finite(numbers, name, cure.format(name=name))
    many = isinstance(value, list | tuple) and any(map(is_quantity, value))
    if is_quantity(value) or many:
        return np.asarray(si(value, "s", name), dtype=float)
    if numbers.dtype.kind not in "iuf" and (numbers.size or numbers.dtype.kind == "O"):
        raise NsnnError(f"{name} = {shown(value)}: expected {_EXPECTED}, or numbers of seconds")
    return numbers.astype(float)


def _part(events: Any, name: str) -> _Part:
    if isinstance(events, neo.Event | neo.Epoch):
        times = np.atleast_1d(seconds(events.times))
        columns = {START_TIME: times.tolist()} if isinstance(events, neo.Epoch) else {}
        columns |= {key: np.asarray(column).tolist() for key, column in events.array_annotations.items()}
        labels = np.asarray(events.labels).tolist() if len(events.labels) else None
        return _Part(times, labels, columns)
    if isinstance(events, neo.IrregularlySampledSignal):
        return _Part(np.atleast_1d(seconds(events.times)))
    if of_package := _of_package(events, name):
        return of_package
    times = event_seconds(events, name)
    if times.ndim > 1:
        raise NsnnError(f"{name} has shape {times.shape}: expected {_EXPECTED}")
    return _Part(np.atleast_1d(times))


def _of_package(events: Any, name: str) -> _Part | None:
    """Times of pynapple (of a Tsd its values are labels), starts of its intervals, rows of a DataFrame; None for anything else."""
    if is_a(events, "pynapple", "IntervalSet"):
        columns = {key: list(map(plain, events.get_info(key))) for key in events.metadata_columns}
        return _Part(np.array(events.start), None, {START_TIME: events.start.tolist(), **columns})
    if is_a(events, "pynapple", "Ts") or is_a(events, "pynapple", "Tsd"):
        return _Part(np.array(events.t), events.d.tolist() if hasattr(events, "d") else None)
    if is_a(events, "pynapple", "TsGroup"):
        raise NsnnError(
            f"{name} is a TsGroup of {len(events)} units: expected one of its Ts, such as {name}[0]"
        )
    if not is_a(events, "pandas", "DataFrame"):
        return None
    known = [key for key in _TIMES if key in events.columns]
    if len(known) != 1:
        raise NsnnError(
            f"{name} is a DataFrame with the columns {shown(list(events.columns))}: expected one of {list(_TIMES)} with the "
            f"times in seconds, it has {known or 'none'}; {name}.rename(columns=...) renames, or pass one column"
        )
    times = events[known[0]].to_numpy()
    if times.dtype.kind == "m":
        times = times / np.timedelta64(1, "s")
    every = {str(key): list(map(plain, events[key])) for key in events if key != known[0]}
    columns = {key: one for key, one in every.items() if all(isinstance(x, str | int | float) for x in one)}
    times = event_seconds(times, f"{name}[{known[0]!r}]")
    return _Part(times, None, {**columns, **({} if known[0] == "time" else {START_TIME: times.tolist()})})


def _names(block: neo.Block) -> set[str]:
    return {name for segment in block.segments for name in _candidates(segment)}


def _candidates(segment: neo.Segment) -> dict[str, list[Any]]:
    """What a name can stand for in a segment, by name."""
    result: dict[str, list[Any]] = {}
    for kind in (segment.events, segment.epochs, segment.irregularlysampledsignals):
        for one in kind:
            if one.name:
                result.setdefault(one.name, []).append(one)
    return result


def _named(segment: neo.Segment, name: str, k: int, block: neo.Block) -> _Part:
    """The events of that name, or the times in a column of an epoch or event, as in "trials.go"."""
    known = _candidates(segment)
    base, _, column = name.rpartition(".")
    base = name if name in known else base
    if base not in known:
        everywhere = _names(block)
        if name in everywhere or base in everywhere:
            return _Part(np.empty(0))
        listed = ", ".join(map(repr, sorted(everywhere))) or "none (load an NWB file with trials=False)"
        columns = [
            f"{one}.{name}"
            for one, parts in known.items()
            for part in parts
            if name in _part(part, "events").columns
        ]
        if name in segment.annotations and not columns:
            listed += f"; {name!r} is an annotation of the trials, which align takes"
        hint = f"; did you mean its column {columns[0]!r}?" if columns else did_you_mean(name, everywhere)
        raise NsnnError(
            f"events = {name!r}: the block has no event or epoch of this name; it has {listed}{hint}"
        )
    if len(known[base]) > 1:
        raise NsnnError(
            f"events = {name!r}: segment {k} has {len(known[base])} of this name: pass one of them, or their times"
        )
    part = _part(known[base][0], "events")
    if base == name:
        return part
    _refuse_shifted(segment.annotations, name, k)
    values = np.asarray(part.columns.get(column, []))
    if column not in part.columns or values.dtype.kind not in "iuf":
        numeric = [key for key, one in part.columns.items() if np.asarray(one).dtype.kind in "iuf"]
        raise NsnnError(
            f"events = {name!r}: {base!r} has no column {column!r} of numbers; it has {numeric}{did_you_mean(column, numeric)}; "
            f"events = {base!r} are its times (of intervals: their starts)"
        )
    _check_finite(
        values,
        f"events = {name!r}: row",
        "pass the times of the others as an array, and their labels too: times = conditions(load(path), "
        f"{column!r}), known = np.isfinite(times), times[known]",
    )
    return _Part(values.astype(float), part.labels, part.columns)


def _check_order(times: np.ndarray, name: str) -> None:
    _check_finite(times, name, _LEAVE_OUT.format(name=name))
    back = np.flatnonzero(np.diff(times) < 0)
    if back.size:
        k = int(back[0]) + 1
        raise NsnnError(
            f"{name}[{k}] = {times[k]:g} s comes after {times[k - 1]:g} s: expected times in order; sort them, and their labels "
            "with them (np.argsort)"
        )


def _labels(
    labels: Any, known: list[Any] | None, columns: dict[str, list[Any]], number: list[int]
) -> list[Any] | None:
    """(n,) labels: those given, those of a column, or the events' own."""
    if labels is None:
        return known
    if isinstance(labels, str):
        if not columns:
            raise NsnnError(
                f"labels = {labels!r}: these events have no columns; labels by name need events by name, as in "
                f'cut(block, "trials", labels={labels!r}, ...); with an array of times pass an array of labels'
            )
        if labels not in columns:
            raise NsnnError(
                f"labels = {labels!r}: the events have no column of this name; they have {sorted(columns)}"
                f"{did_you_mean(labels, columns)}"
            )
        return plain_labels(columns[labels], "labels")
    nested = isinstance(labels, list | tuple) and all(np.ndim(one) == 1 for one in labels)
    if nested and [len(one) for one in labels] == number:
        labels = [label for one in labels for label in one]
    return plain_labels(labels, "labels", sum(number), "events")

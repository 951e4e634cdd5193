"""The Block in an NWB file of another program: trials of a table of intervals, or one uncut segment on the session's clock.

`load` says which, and what becomes of the tables. The clock of a trial starts at 0; its annotation "start_time" is the start on
the session's clock. A single interval of observation makes no trials. Warnings list what is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import neo
import numpy as np

from ...core.errors import FormatError
from ...core.file_limits import Budget
from ...core.progress import progress_bar
from ...core.warn import warn
from ..block import build_block
from ..hdf5 import Reader
from ..lookup import chosen_units
from ..segments import cut_signal, in_window, inside
from ..spikes import of_windows
from ..spikes.arrays import RESOLUTION
from ..spikes.bins import rounding
from . import event_tables, saved, series, sweeps, tables
from .units import unit_columns

_TRIALS = "intervals/trials"
_LAST_SPIKE = "the last spike"
ENDS_WITH = "ends_with"
"""Annotation of a Block of one uncut segment: what says when the recording ends, a path in the file"""
_BUSIEST = 10  # units


class Request(NamedTuple):
    """Arguments of `load`, start and stop in s; units with more than `most` spikes in all come in several Blocks."""

    trials: Any = None
    start: float | None = None
    stop: float | None = None
    units: Any = None
    signals: list[str] | None = None
    most: float = np.inf
    progress: Any = False

    @property
    def limits(self) -> tuple[float, float]:
        """Start and stop (s), infinite where they are not given."""
        return (-np.inf if self.start is None else self.start), (np.inf if self.stop is None else self.stop)


def read(source: Reader, request: Request) -> Iterator[neo.Block]:
    """The Block in an NWB file that another program wrote, or several Blocks, read one after the other.

    Several Blocks, of neighbouring units, are each within the budget, and start and stop are those of all units.
    """
    trials, t_start, t_stop, units, signals, most, progress = request
    if "units" not in source:
        of_sweeps = any(sweeps.paths(source))
        if not of_sweeps and not series.paths_of(source, signals):
            raise FormatError(
                "no units table (spike times) in it, no sweeps of a current clamp and no signals"
            )
        for name, given in (("trials", trials or None), ("units", units)):
            if given is not None:
                raise FormatError(
                    f"{name} = {given!r}: a file of sweeps or signals, without units: pass no {name}"
                )
        if of_sweeps and signals is not None:
            raise FormatError(f"signals = {signals}: a file of sweeps, which are read whole: expected True")
        if of_sweeps:
            yield sweeps.read(source, *request.limits)
            return
        warn("no units table in it: signals, events and intervals, without spikes")
        nothing = saved.SpikeTimes(np.empty(0), np.empty(0, dtype=np.int64), 0.0, None, None, 0)
        yield _uncut(source, nothing, {"id": []}, None, request)[0]
        return
    n = source.length("units/id")
    if n == 0:
        raise FormatError("its units table is empty")
    if "units/spike_times" not in source:
        raise FormatError(
            f"its units table has no spike_times, only {source.names('units')}: expected the spike times of each unit; they may "
            "be in another file of the data set"
        )
    source.budget.take(saved.PER_UNIT * n, f"{n} units")
    path = None
    if isinstance(trials, str):
        path = tables.table_named(source, trials)
    elif trials is None and f"{_TRIALS}/start_time" in source and source.length(f"{_TRIALS}/start_time"):
        path = _TRIALS
    columns, left_out = unit_columns(source, n)
    series.warn_left_out(left_out)
    table = {"id": source.numbers("units/id", per_value=40).tolist(), **columns}
    rows_read = None
    if units is not None:
        rate = isinstance(units, str) and "firing_rate" in units
        known = {"firing_rate": _firing_rates(source, n).tolist()} | table if rate else table
        rows_read = chosen_units(None, known, n, units).tolist()
    pieces = _pieces(source, n, rows_read, most)
    observed = None if path else _observed(source, n)
    windows = None
    if path is not None:
        windows = _between(*_rows(source, path), *request.limits)
    elif trials is None and observed is not None and len(observed[0]) > 1:
        source.budget.take(saved.PER_TRIAL * len(observed[0]), f"{len(observed[0])} intervals of observation")
        windows = _between(*observed, [{} for _ in observed[0]], *request.limits)
    elif rows_read is not None and observed is None and None in (t_start, t_stop):
        warn("no obs_intervals: spikes of the units left out do not count for its start and stop; pass both")
    every = None
    if len(pieces) > 1 and windows is None and observed is None and None in (t_start, t_stop):
        # no spike lies so late: of all of them the extent is read
        every = saved.spike_times(source, n, rows_read, np.inf, np.inf).extent
    left, number, lost, where = source.budget.left, 0, 0, ""
    with progress_bar(progress, "measuring") as report:
        for k, rows in enumerate(pieces):
            source.budget.left = left
            part = table
            if rows is not None:
                part = {key: [column[k] for k in rows] for key, column in table.items() if len(column) == n}
            spikes = saved.spike_times(source, n, rows, *request.limits)
            spikes = spikes._replace(extent=every or spikes.extent)
            if windows is not None:
                block, kept, where = _in_trials(source, spikes, part, windows, signals)
            else:
                block, kept, where = _uncut(source, spikes, part, observed, request)
            number, lost = number + spikes.number, lost + spikes.number - kept
            del spikes
            yield block
            if report is not None:
                report((k + 1) / len(pieces))
    if lost:
        warn(f"{lost} of {number} spikes lie outside {where} and were dropped")


def _pieces(source: Reader, n: int, rows: list[int] | None, most: float) -> list[list[int] | None]:
    """Neighbouring rows of the units table (None: all), at most `most` spikes together, or a single row."""
    listed = list(range(n)) if rows is None else rows
    number = np.cumsum(np.diff(source.ends("units/spike_times", n), prepend=0)[listed])
    pieces: list[list[int] | None] = []
    begin = 0
    while begin < len(listed):
        end = int(np.searchsorted(number, most + (number[begin - 1] if begin else 0), side="right"))
        end = max(end, begin + 1)
        pieces.append(listed[begin:end])
        begin = end
    return pieces if len(pieces) > 1 else [rows]


def _between(
    start: np.ndarray, stop: np.ndarray, rows: list[dict[str, Any]], low: float, high: float
) -> tuple[np.ndarray, np.ndarray, list[dict[str, Any]]]:
    """The trials that lie between low and high (s)."""
    apart = rounding(start, stop)
    kept = (start >= low - apart) & (stop <= high + apart)
    if not kept.any():
        raise FormatError(
            f"t_start = {low} s, t_stop = {high} s: none of its trials lies between them; they run from {start.min()} to "
            f"{stop.max()} s"
        )
    if not kept.all():
        warn(f"{np.count_nonzero(~kept)} of {kept.size} trials left out: not between t_start and t_stop")
    return start[kept], stop[kept], [row for row, keep in zip(rows, kept, strict=True) if keep]


def _rows(source: Reader, path: str) -> tuple[np.ndarray, np.ndarray, list[dict[str, Any]]]:
    """Start, stop and columns of the valid rows of a table of intervals."""
    start, stop, columns, left_out = tables.intervals(source, path)
    if not len(start):
        raise FormatError(f"{path} has no rows")
    source.budget.take((saved.PER_TRIAL + 100 * len(columns)) * len(start), f"{len(start)} trials")
    series.warn_left_out([f"{path.rpartition('/')[2]}.{name} (no numbers or text)" for name in left_out])
    good = start <= stop  # false for NaN
    if not good.all():
        warn(f"{(~good).sum()} of {len(good)} trials left out: no valid start and stop")
    if not good.any():
        raise FormatError("none of its trials has a valid start and stop")
    rows = [{name: column[i] for name, column in columns.items()} for i in np.flatnonzero(good)]
    return start[good], stop[good], rows


def _observed(source: Reader, n: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Start and stop of the observation intervals that all units share; their hull if the units' differ."""
    values, unit = saved.observed(source, n)
    if not len(values):
        return None
    first = values[unit == unit[0]]
    if len(values) == n * len(first) and (values.reshape(n, -1) == first.ravel()).all():
        return first[:, 0], first[:, 1]
    warn("the units were observed at different times: one segment spans all of them")
    return values[:, 0].min(keepdims=True), values[:, 1].max(keepdims=True)


def _firing_rates(source: Reader, n: int) -> np.ndarray:
    """Spikes of each unit per second of its observation intervals, Hz.

    Where the file has none, the time lasts from the first to the last spike of the busiest units; to read all would be slow.
    """
    count = np.diff(source.ends("units/spike_times", n), prepend=0)
    intervals, unit = saved.observed(source, n)
    lasted = np.bincount(unit, np.diff(intervals)[:, 0], n)
    if not len(intervals):
        busiest = saved.spike_times(source, n, np.argsort(count)[-_BUSIEST:].tolist())
        first, last = busiest.extent or (0.0, 0.0)
        lasted[:] = last - first
    return np.divide(count, lasted, out=np.full(n, np.nan), where=lasted > 0)


def _about(source: Reader, spikes: saved.SpikeTimes, table: dict[str, list[Any]]) -> dict[str, Any]:
    step = {} if spikes.step is None else {saved.STEP: spikes.step}
    return {"nwb": series.about(source) | step} | ({"units": table} if table["id"] else {})


def _in_trials(
    source: Reader,
    spikes: saved.SpikeTimes,
    table: dict[str, list[Any]],
    windows: tuple[np.ndarray, np.ndarray, list[dict[str, Any]]],
    signals: list[str] | None,
) -> tuple[neo.Block, int, str]:
    """A segment for each trial, on a clock that starts at 0; the number of spikes in trials; the word for these."""
    (start, stop, rows), (times, unit), n = windows, spikes[:2], len(table["id"])
    source.budget.take(8 * n * len(start), f"{n} units in {len(start)} trials")
    trial, index = _cut(times, unit, n, start, stop, source.budget)
    seen = np.zeros(len(times), dtype=bool)
    seen[index] = True
    annotations = _about(source, spikes, table)
    apart = rounding(start, stop)
    if apart > rounding(stop - start):
        annotations[RESOLUTION] = apart
    annotations |= spikes.notes(apart)
    block = build_block(
        trial,
        unit[index],
        times=np.clip(times[index] - start[trial], 0.0, (stop - start)[trial]),
        n_trials=len(start),
        n_neurons=n,
        t_start=np.zeros(len(start)),
        t_stop=stop - start,
        signals=series.of_trials(source, start, stop, start, signals),
        annotations=annotations,
    )
    for segment, begin, row in zip(block.segments, start, rows, strict=True):
        segment.annotations.update(start_time=float(begin), **row)
    return block, int(np.count_nonzero(seen)), "every trial"


def _cut(
    times: np.ndarray, unit: np.ndarray, n: int, start: np.ndarray, stop: np.ndarray, budget: Budget
) -> tuple[np.ndarray, np.ndarray]:
    """Trial and index of each spike in [start, stop), or at stop where no trial starts; by trial, unit and time.

    Trials may overlap, and then share spikes.
    """
    order = np.argsort(times)
    ordered, begins = times[order], np.sort(start)
    apart = rounding(times, start, stop)
    low = np.searchsorted(ordered, start - apart, side="left")
    high = np.searchsorted(ordered, stop + apart, side="right")
    next_begin = begins[np.minimum(np.searchsorted(begins, stop - apart), len(begins) - 1)]
    followed = (np.abs(next_begin - stop) <= apart) & (stop - start > apart)
    high[followed] = np.searchsorted(ordered, stop[followed] - apart, side="left")
    count = high - low
    total = float(count.sum(dtype=float))
    budget.take(saved.PER_SPIKE * total, f"{len(start)} trials with {total:.0f} spikes in all")
    return np.repeat(np.arange(len(start)), count), of_windows(order, unit, n, low, high)


def _uncut(
    source: Reader,
    spikes: saved.SpikeTimes,
    table: dict[str, list[Any]],
    observed: tuple[np.ndarray, np.ndarray] | None,
    request: Request,
) -> tuple[neo.Block, int, str]:
    """One segment with the whole recording, on the session's clock; the number of its spikes; the words for it."""
    contents, times, unit = event_tables.read(source, request.signals), spikes.times, spikes.unit
    start, end, ends_with = _extent(spikes, observed, contents, request)
    start = start if request.start is None else request.start
    stop = end if request.stop is None else request.stop
    if not start <= stop:
        raise FormatError(f"t_start = {start} s, t_stop = {stop} s: expected a start before the stop")
    if observed is not None:
        _warn_unobserved(*observed, start, stop)
    last = stop >= end - rounding(start, stop)
    kept = inside(times, start, stop, last)
    times, unit = times[kept], unit[kept]
    regular = []
    for path in contents.regular:
        one = series.regular(source, path, np.array([start]), np.array([stop]), np.zeros(1))
        if isinstance(one, str):
            contents.leave_out(path, one)
        else:
            regular += [signal for signal in one if len(signal)]
    series.warn_left_out(contents.left_out)
    ends = np.array([start]), np.array([stop]), np.zeros(1)
    even = [cut_signal(one, *ends)[0] for _, one in contents.irregular if isinstance(one, neo.AnalogSignal)]
    regular += [one for one in even if one is not None]
    block = build_block(
        np.zeros(len(times), dtype=np.int64),
        unit,
        times=np.clip(times, start, stop),
        n_trials=1,
        n_neurons=len(table["id"]),
        t_start=start,
        t_stop=stop,
        signals=[regular],
        annotations=_about(source, spikes, table)
        | spikes.notes()
        | {ENDS_WITH: ends_with if request.stop is None else "t_stop"},
    )
    (segment,) = block.segments
    segment.annotations["start_time"] = float(start)
    irregular = [(path, one) for path, one in contents.irregular if not isinstance(one, neo.AnalogSignal)]
    for container, objects in zip(
        (segment.events, segment.epochs, segment.irregularlysampledsignals),
        (contents.events, contents.epochs, irregular),
        strict=True,
    ):
        container.extend([in_window(one, start, stop, last) for _, one in objects])
    return block, len(times), f"the recording, {start:g} to {stop:g} s,"


def _extent(
    spikes: saved.SpikeTimes,
    observed: tuple[np.ndarray, np.ndarray] | None,
    contents: event_tables.Contents,
    request: Request,
) -> tuple[float, float, str]:
    """Start and stop of the recording, and what ends then: the observation intervals, else the last of all that has a time."""
    if observed is not None:
        return float(observed[0].min()), float(observed[1].max()), "units/obs_intervals"
    ends = dict(contents.extents)
    if spikes.extent is not None:
        ends[_LAST_SPIKE] = spikes.extent
    given = None not in (request.start, request.stop)
    if not ends and not given:
        raise FormatError(
            "no spikes, no trials and no obs_intervals in it: its duration is unknown; pass t_start and t_stop"
        )
    start = min((first for first, _ in ends.values()), default=0.0)
    ends_with = max(ends, key=lambda path: ends[path][1], default="")
    stop = ends[ends_with][1] if ends else 0.0
    if not contents.extents and not given:
        warn(
            "no trials, no obs_intervals and no signals: taken to last from the first to the last spike; pass t_start, t_stop"
        )
    elif ends_with == _LAST_SPIKE and request.stop is None and not contents.sampled:
        warn(
            f"no obs_intervals and no signals: taken to end with the last spike, at {stop:g} s, so that rates may be too high: "
            "pass t_stop"
        )
    return start, stop, ends_with


def _warn_unobserved(starts: np.ndarray, stops: np.ndarray, start: float, stop: float) -> None:
    """Warn, once, where the segment from start to stop (s) goes beyond the observation intervals or has gaps of them."""
    order = np.argsort(starts)
    low, high = np.clip(starts[order], start, stop), np.maximum.accumulate(np.clip(stops[order], start, stop))
    seen = float((high - np.maximum(low, np.append(start, high[:-1]))).clip(0.0).sum())
    missing = stop - start - seen
    if missing <= rounding(starts, stops, start, stop) * (len(starts) + 1):
        return
    beyond = start < starts.min() or stop > stops.max()
    warn(
        f"{missing:g} of {stop - start:g} s from {start:g} to {stop:g} s lie outside the {len(starts)} obs_intervals of the units "
        f"({starts.min():g} to {stops.max():g} s) and count as silence, so that rates are too low: "
        + ("pass t_start and t_stop inside them" if beyond else "")
        + (", or " if beyond and len(starts) > 1 else "")
        + ("cut trials that lie in the intervals" if len(starts) > 1 else "")
    )

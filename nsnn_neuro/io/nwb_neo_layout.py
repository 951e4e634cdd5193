"""NWB files in the layout of Neo's own writer: a row of the units table per spike train and segment.

The columns `segment` and `block` of the units and epochs tables, and the comments of each time series, name the segment that
a spike train, epoch, signal or event belongs to. This module reads them instead of Neo, which would follow links out of the
file, evaluate the names of units and, in some versions, fail on epochs that it wrote itself.
"""

from __future__ import annotations

import json
from typing import Any

import neo
import numpy as np
import quantities as pq

from ..core.errors import FormatError
from ..core.warn import warn
from . import nwb
from .block import analog_signal, build_block
from .external_files import about, signal_unit, signal_values, warn_left_out
from .hdf5 import Reader, is_text

_MOST_COMMENTS = 10_000  # characters


def made_by_neo(source: Reader) -> bool:
    """True for a units table with a segment and a block for each row."""
    return "units/segment" in source and "units/block" in source


def _bounds(source: Reader, n: int, times: np.ndarray, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Start and stop of each spike train: its observation interval, or else its first and last spike."""
    if "units/obs_intervals" in source:
        values, unit = nwb.observed(source, n)
    else:
        values = np.stack([times, times], axis=1)
    return nwb.hull(values, unit, n)


def _place(source: Reader, path: str, block: str) -> str | None:
    """The segment of the time series at `path`; None for one of another Block or of no segment."""
    comments = source.attribute(path, "comments", "")
    try:
        said = json.loads(comments) if isinstance(comments, str) and len(comments) <= _MOST_COMMENTS else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or said.get("block") != block or not isinstance(said.get("segment"), str):
        return None
    return str(said["segment"])


def _series(source: Reader, path: str) -> Any:
    """The time series at `path` as an AnalogSignal, IrregularlySampledSignal or Event, or why it is left out."""
    if f"{path}/data" not in source:
        return "no data"
    data = source.array(f"{path}/data")
    if not data.shape:
        return "a single value"
    name = path.rsplit("/", 1)[-1]
    rate = source.attribute(f"{path}/starting_time", "rate", None)
    times = None
    if rate is None:
        times = source.numbers(f"{path}/timestamps").astype(float)
        if times.shape != data.shape[:1]:
            return "as many times as values are missing"
    if is_text(data):
        if times is None:
            return "text without times"
        return neo.Event(times * pq.s, labels=np.array(source.texts(f"{path}/data"), dtype="U"), name=name)
    if data.ndim not in (1, 2) or data.dtype.kind not in "iuf":
        return "not a signal of numbers"
    source.budget.take(3 * 8 * data.size, f"{data.size} values of {path}")
    values = signal_values(source, path, 0, len(data))
    name, unit, annotations = signal_unit(source, path)
    if times is not None:
        if not len(times) or not np.isfinite(times).all():
            return "no valid times"
        return neo.IrregularlySampledSignal(times * pq.s, values, units=unit, name=name, **annotations)
    first = float(source.numbers(f"{path}/starting_time")[()])
    if not 0 < float(rate) < np.inf or not np.isfinite(first):
        return "no valid rate"
    return analog_signal(values, unit, first * pq.s, float(rate) * pq.Hz, annotations, name=name)


def _epochs(source: Reader, block: str) -> dict[str, list[neo.Epoch]]:
    """The epochs of each segment, one `neo.Epoch` for each of their names."""
    path = "intervals/epochs"
    if f"{path}/segment" not in source or f"{path}/start_time" not in source:
        return {}
    start, stop = (source.numbers(f"{path}/{k}").astype(float) for k in ("start_time", "stop_time"))
    texts = {k: source.texts(f"{path}/{k}") for k in ("segment", "block", "_name") if f"{path}/{k}" in source}
    names = texts.get("_name", [""] * len(start))
    labels = names
    if f"{path}/tags" in source and source.length(f"{path}/tags") == len(start):
        labels = source.texts(f"{path}/tags")
    if {len(stop), len(names), *map(len, texts.values())} != {len(start)}:
        raise FormatError(f"{path} has columns of different length")
    rows: dict[tuple[str, str], list[int]] = {}
    for k, (segment, name) in enumerate(zip(texts["segment"], names, strict=True)):
        if texts.get("block", [block] * len(start))[k] == block:
            rows.setdefault((segment, name), []).append(k)
    result: dict[str, list[neo.Epoch]] = {}
    for (segment, name), which in rows.items():
        chosen = np.array([labels[k] for k in which], dtype="U")
        epoch = neo.Epoch(start[which] * pq.s, (stop - start)[which] * pq.s, labels=chosen, name=name)
        result.setdefault(segment, []).append(epoch)
    return result


def read(source: Reader) -> neo.Block:
    """The first Block of a file in Neo's layout."""
    n = source.length("units/id")
    names, blocks = source.texts("units/segment"), source.texts("units/block")
    if not n or len(names) != n or len(blocks) != n:
        raise FormatError(
            f"units has {n} rows, {len(names)} segments and {len(blocks)} blocks: expected as many"
        )
    times, unit = nwb.spike_times(source, n)
    low, high = _bounds(source, n, times, unit)
    if len(set(blocks)) > 1:
        warn(f"the first of {len(set(blocks))} Blocks is read, the others are left out")
    trains: dict[str, list[int]] = {}
    for row, (segment, block) in enumerate(zip(names, blocks, strict=True)):
        if block == blocks[0]:
            trains.setdefault(segment, []).append(row)
    others, epochs = _others(source, blocks[0], trains), _epochs(source, blocks[0])
    number = len(next(iter(trains.values())))
    for segment, rows in trains.items():
        if len(rows) != number:
            raise FormatError(
                f"segment {segment!r} has {len(rows)} spike trains, the first one has {number}: expected as many"
            )
    source.budget.take(
        (nwb.PER_TRIAL + 8 * number) * len(trains), f"{len(trains)} segments of {number} spike trains"
    )
    trial, neuron = np.full(n, -1), np.zeros(n, dtype=np.int64)
    for i, rows in enumerate(trains.values()):
        trial[rows], neuron[rows] = i, np.arange(number)
    kept = trial[unit] >= 0
    bounds = [(low[rows].min(), high[rows].max()) for rows in trains.values()]
    starts = np.array([a if a <= b else 0.0 for a, b in bounds])
    stops = np.array([b if a <= b else 0.0 for a, b in bounds])
    result = build_block(
        trial[unit][kept],
        neuron[unit][kept],
        times=times[kept],
        n_trials=len(trains),
        n_neurons=number,
        t_start=starts,
        t_stop=stops,
        signals=[[one for one in others[name] if isinstance(one, neo.AnalogSignal)] for name in trains],
        annotations={"nwb": about(source)},
    )
    result.name = blocks[0]
    for segment, name in zip(result.segments, trains, strict=True):
        segment.name = name
        irregular = [one for one in others[name] if isinstance(one, neo.IrregularlySampledSignal)]
        segment.irregularlysampledsignals.extend(irregular)
        segment.events.extend([one for one in others[name] if isinstance(one, neo.Event)])
        segment.epochs.extend(epochs.get(name, []))
    return result


def _others(source: Reader, block: str, trains: dict[str, list[int]]) -> dict[str, list[Any]]:
    """Signals and events of each segment; a warning says what is left out."""
    result: dict[str, list[Any]] = {name: [] for name in trains}
    left_out = []
    for path in source.paths("acquisition", "stimulus/presentation"):
        segment = _place(source, path, block)
        one = "of no segment with spike trains" if segment not in result else _series(source, path)
        if isinstance(one, str):
            left_out.append(f"{path.rpartition('/')[2]} ({one})")
        else:
            result[str(segment)].append(one)
    warn_left_out(left_out)
    return result

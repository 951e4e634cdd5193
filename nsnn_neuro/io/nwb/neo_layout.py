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

from ...core.errors import FormatError
from ...core.warn import warn
from ..block import build_block
from ..hdf5 import Reader
from . import saved, series, tables
from .event_tables import text_array
from .series import about, warn_left_out

_MOST_COMMENTS = 10_000  # characters


def made_by_neo(source: Reader) -> bool:
    """True for a units table with a segment and a block for each row."""
    return "units/segment" in source and "units/block" in source


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
        texts_of_epoch = text_array(source, [labels[k] for k in which], f"{path}/tags")
        epoch = neo.Epoch(start[which] * pq.s, (stop - start)[which] * pq.s, labels=texts_of_epoch, name=name)
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
    spikes = saved.spike_times(source, n)
    times, unit = spikes.times, spikes.unit
    of_trains = (np.stack([times, times], axis=1), unit)  # first and last spike, where nothing else is known
    low, high = saved.hull(*(saved.observed(source, n) if "units/obs_intervals" in source else of_trains), n)
    if len(set(blocks)) > 1:
        warn(f"the first of {len(set(blocks))} Blocks is read, the others are left out")
    trains: dict[str, list[int]] = {}
    for row, (segment, block) in enumerate(zip(names, blocks, strict=True)):
        if block == blocks[0]:
            trains.setdefault(segment, []).append(row)
    others, epochs = _others(source, blocks[0], trains), _epochs(source, blocks[0])
    first = next(iter(trains.values()))
    number = len(first)
    for segment, rows in trains.items():
        if len(rows) != number:
            raise FormatError(
                f"segment {segment!r} has {len(rows)} spike trains, the first one has {number}: expected as many"
            )
    source.budget.take(
        (saved.PER_TRIAL + 8 * number) * len(trains), f"{len(trains)} segments of {number} spike trains"
    )
    trial, neuron = np.full(n, -1), np.zeros(n, dtype=np.int64)
    for i, rows in enumerate(trains.values()):
        trial[rows], neuron[rows] = i, np.arange(number)
    kept = trial[unit] >= 0
    bounds = [(low[rows].min(), high[rows].max()) for rows in trains.values()]
    starts = np.array([a if a <= b else 0.0 for a, b in bounds])
    stops = np.array([b if a <= b else 0.0 for a, b in bounds])
    columns = {"id": source.numbers("units/id", per_value=40).tolist()}
    columns |= tables.table(source, "units", ("segment", "block"))
    if "_name" in columns and "name" not in columns:  # as Neo calls it
        columns = {"name" if key == "_name" else key: column for key, column in columns.items()}
    units = {key: [column[k] for k in first] for key, column in columns.items() if len(column) == n}
    result = build_block(
        trial[unit][kept],
        neuron[unit][kept],
        times=times[kept],
        n_trials=len(trains),
        n_neurons=number,
        t_start=starts,
        t_stop=stops,
        signals=[[one for one in others[name] if isinstance(one, neo.AnalogSignal)] for name in trains],
        annotations={"nwb": about(source), "units": units, **spikes.notes()},
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
        one = "of no segment with spike trains" if segment not in result else series.series(source, path)
        if isinstance(one, str):
            left_out.append(f"{path.rpartition('/')[2]} ({one})")
        else:
            result[str(segment)].append(one)
    warn_left_out(left_out)
    return result

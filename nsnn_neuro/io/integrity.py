"""Checks of `load(..., check="full")`: the structure of a file, its units, the order of its spikes."""

from __future__ import annotations

from typing import Any

import neo
import numpy as np

from ..core.errors import FormatError
from .hdf5 import Reader
from .nwb import event_tables, saved
from .spikes import Trains

_ULPS = 8  # rounding of a time on the session's clock


def check_nwb(source: Reader, block: neo.Block, header: dict[str, Any] | None) -> None:
    """Check the tables and units of an NWB file; `header` is that of a file of `save`, or None."""
    check_block(block)
    _check_order(source)
    path = "intervals/trials"
    if f"{path}/start_time" in source:
        start, stop = (source.numbers(f"{path}/{name}") for name in ("start_time", "stop_time"))
        n = source.length(f"{path}/id")
        if not len(start) == len(stop) == n:
            raise FormatError(f"{path} has {len(start)} starts, {len(stop)} stops and {n} rows")
        bad = ~(np.isfinite(start) & (start <= stop))
        if bad.any():
            k = int(np.argmax(bad))
            raise FormatError(f"{path}[{k}] starts at {start[k]} s and stops at {stop[k]} s")
    for path in source.paths("acquisition", "stimulus/presentation"):
        if not event_tables.is_events(source, path):
            _check_series(source, path, in_order=header is None)
    if header is not None:
        for head in header["signals"]:
            unit = source.attribute(f"{head['path']}/data", "unit", "")
            if unit != head["unit"]:
                raise FormatError(
                    f"{head['path']}/data has the unit {unit!r}, its notes say {head['unit']!r}"
                )


def check_block(block: neo.Block) -> None:
    """Check that every spike lies in its trial, and that every signal has a sampling rate and finite start."""
    Trains.from_block(block).check()
    for i, segment in enumerate(block.segments):
        for j, signal in enumerate(segment.analogsignals):
            rate, start = float(signal.sampling_rate.rescale("Hz")), float(signal.t_start.rescale("s"))
            if not 0 < rate < np.inf or not np.isfinite(start):
                raise FormatError(
                    f"segments[{i}].analogsignals[{j}] starts at {start} s and has {rate} samples a second"
                )


def _check_order(source: Reader) -> None:
    """Spike times ascend in each unit, and lie in its observation intervals."""
    n = source.length("units/id")
    times, unit = source.ragged("spike_times", n, per_value=16)
    back = np.flatnonzero((np.diff(times) < 0) & (np.diff(unit) == 0))
    if back.size:
        k = int(back[0]) + 1
        raise FormatError(
            f"units/spike_times[{k}] = {times[k]} s is earlier than the one before it in unit {unit[k]}"
        )
    low, high = saved.hull(*saved.observed(source, n), n)
    slack = _ULPS * np.spacing(np.abs(times))
    outside = (np.isfinite(low[unit])) & ((times < low[unit] - slack) | (times > high[unit] + slack))
    if outside.any():
        k = int(np.argmax(outside))
        raise FormatError(
            f"units/spike_times[{k}] = {times[k]} s of unit {unit[k]} lies outside its obs_intervals, "
            f"{low[unit[k]]} to {high[unit[k]]} s"
        )


def _check_series(source: Reader, path: str, in_order: bool) -> None:
    """A time series has data with a unit, and a clock; the trials of a file of `save` may overlap on it."""
    if not source.is_group(path) or f"{path}/data" not in source:
        raise FormatError(f"{path} is no time series: it has no data")
    if not source.attribute(f"{path}/data", "unit", ""):
        raise FormatError(f"{path}/data has no unit")
    if f"{path}/timestamps" in source:
        times = source.numbers(f"{path}/timestamps")
        back = in_order and not (np.diff(times) >= 0).all()
        if times.shape != source.array(f"{path}/data").shape[:1] or back:
            raise FormatError(f"{path}/timestamps don't ascend, or aren't as many as its data")
    elif not source.attribute(f"{path}/starting_time", "rate", 0.0) > 0:
        raise FormatError(f"{path} has neither timestamps nor a sampling rate")

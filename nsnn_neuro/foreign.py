"""Files of other programs as the package's Block: NWB files, and what Neo reads without unpickling.

NWB: trials come from the trials table, else from observation intervals that all units share; each becomes a
segment whose clock starts at 0 (its annotation "start_time": the start on the session's clock). With neither,
or with a single interval, there is one segment on the session's clock. Further columns of the trials table
become annotations of the segments, those of the units table the Block's annotation "units". A warning tells
what is left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import neo
import numpy as np
import quantities as pq

from .annotations import parse_unit
from .blocks import build_block, gather
from .errors import FormatError
from .nwb import array, ragged

if TYPE_CHECKING:
    import h5py

__all__ = ["made_by_neo", "read_neo", "read_nwb"]

_MOST_BYTES = 2**29  # of one signal; a raw multi-electrode recording isn't wanted in memory
# the first unpickles, and so would run what is in the file; the others guess units and sampling rate
_REFUSED = ("PickleIO", "RawBinarySignalIO", "AsciiSignalIO")


def _table(file: h5py.File, path: str, skip: tuple[str, ...]) -> dict[str, list[Any]]:
    """The plain columns (one number or text per row) of a table."""
    import h5py

    columns = {}
    for name in np.ravel(file[path].attrs.get("colnames", [])):
        name = name.decode() if isinstance(name, bytes) else str(name)
        if name in skip or f"{name}_index" in file[path] or name not in file[path]:
            continue
        column = array(file, f"{path}/{name}")
        if column.ndim == 1 and h5py.check_string_dtype(column.dtype):
            columns[name] = column.asstr()[...].tolist()
        elif column.ndim == 1 and column.dtype.kind in "biuf":
            columns[name] = column[...].tolist()
    return columns


def made_by_neo(file: h5py.File) -> bool:
    """True for the layout of neo's own NWB writer, a row of the units table per spike train and segment."""
    units = file.get("units", {})
    return "segment" in units and "block" in units


def _observed(file: h5py.File, n: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Start and stop of the observation intervals that all units share; their hull if the units' differ."""
    if "obs_intervals" not in file["units"]:
        return None
    values, unit = ragged(file, "obs_intervals", n)
    values = np.asarray(values, dtype=float).reshape(-1, 2)
    if not len(values):
        return None
    if not (values[:, 0] <= values[:, 1]).all():
        raise FormatError("units/obs_intervals has an interval that ends before it starts")
    first = values[unit == unit[0]]
    if len(values) == n * len(first) and (values.reshape(n, -1) == first.ravel()).all():
        return first[:, 0], first[:, 1]
    warnings.warn("the units were observed at different times: one segment spans all of them", stacklevel=5)
    return values[:, 0].min(keepdims=True), values[:, 1].max(keepdims=True)


def _bounds(
    file: h5py.File, n: int, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
    """Start, stop and zero of each segment's clock on the session's clock; its annotations."""
    if "trials" in file.get("intervals", {}) and len(array(file, "intervals/trials/start_time")):
        start, stop = (
            array(file, f"intervals/trials/{k}")[...].astype(float) for k in ("start_time", "stop_time")
        )
        columns = _table(file, "intervals/trials", ("start_time", "stop_time"))
        rows = [{k: v[i] for k, v in columns.items() if len(v) == len(start)} for i in range(len(start))]
        good = start <= stop  # false for NaN
        if not good.all():
            warnings.warn(
                f"{(~good).sum()} of {len(good)} trials left out: no valid start and stop", stacklevel=4
            )
        if not good.any():
            raise FormatError("none of its trials has a valid start and stop")
        return (
            start[good],
            stop[good],
            start[good],
            [row for row, fine in zip(rows, good, strict=True) if fine],
        )
    observed = _observed(file, n)
    if observed is not None:
        start, stop = observed
        return start, stop, start if len(start) > 1 else np.zeros(1), [{} for _ in start]
    if not len(times):
        raise FormatError("no spikes, no trials and no obs_intervals in it: nothing tells how long it is")
    warnings.warn(
        "no trials and no obs_intervals: taken to last from the first to the last spike", stacklevel=4
    )
    return times.min(keepdims=True), times.max(keepdims=True), np.zeros(1), [{}]


def _cut(times: np.ndarray, start: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Trial and index of each spike in [start, stop), or at stop where no trial starts."""
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    low = np.searchsorted(ordered, start, side="left")
    high = np.searchsorted(ordered, stop, side="right")
    followed = np.isin(stop, start) & (stop > start)
    high[followed] = np.searchsorted(ordered, stop[followed], side="left")
    count = high - low
    trial = np.repeat(np.arange(len(start)), count)
    position = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low, count)
    return trial, order[position]


def _signal(
    series: Any, file: h5py.File, start: np.ndarray, stop: np.ndarray, zero: np.ndarray
) -> list[Any] | str:
    """The signal in each trial, or why it is left out."""
    if "data" not in series or "starting_time" not in series:
        return "not sampled regularly"
    data = array(file, f"{series.name}/data")
    rate, first = float(series["starting_time"].attrs["rate"]), float(series["starting_time"][()])
    if data.ndim not in (1, 2) or data.dtype.kind not in "iuf" or not rate > 0:
        return "not a signal of numbers"
    low = np.clip(np.ceil((start - first) * rate - 1e-6), 0, len(data)).astype(int)
    high = np.clip(np.ceil((stop - first) * rate - 1e-6), low, len(data)).astype(int)
    if (high - low).sum() * 8 * (data.shape[1] if data.ndim == 2 else 1) > _MOST_BYTES:
        return f"larger than {_MOST_BYTES >> 20} MiB"
    scale, shift = (float(data.attrs.get(k, d)) for k, d in (("conversion", 1.0), ("offset", 0.0)))
    gain = array(file, f"{series.name}/channel_conversion")[...] if "channel_conversion" in series else 1.0
    name, text = series.name.rsplit("/", 1)[-1], str(data.attrs.get("unit", ""))
    unit = parse_unit(text)
    signals = []
    for i, (a, b) in enumerate(zip(low, high, strict=True)):
        values = data[a:b].reshape(b - a, -1) * (scale * gain) + shift
        at = (first + a / rate - zero[i]) * pq.s
        units = pq.dimensionless if unit is None else unit.units
        signals.append(
            neo.AnalogSignal(values, units=units, t_start=at, sampling_rate=rate * pq.Hz, name=name)
        )
        signals[-1].annotations.update({"unit": text} if unit is None else {})
    return signals


def _signals(
    file: h5py.File, start: np.ndarray, stop: np.ndarray, zero: np.ndarray
) -> list[list[neo.AnalogSignal]]:
    import h5py

    signals: list[list[neo.AnalogSignal]] = [[] for _ in start]
    left_out = []
    for folder in ("stimulus/presentation", "acquisition"):
        for name in file.get(folder, {}):
            series = file[folder].get(name)
            if not isinstance(series, h5py.Group) or series.file.filename != file.filename:
                left_out.append(f"{name} (lies in another file)")
                continue
            found = _signal(series, file, start, stop, zero)
            if isinstance(found, str):
                left_out.append(f"{name} ({found})")
                continue
            for mine, signal in zip(signals, found, strict=True):
                mine += [signal] if len(signal) else []
    if left_out:
        warnings.warn(f"left out: {', '.join(left_out)}", stacklevel=4)
    return signals


def _about(file: h5py.File) -> dict[str, str]:
    about = {}
    for key in ("identifier", "session_description", "session_start_time"):
        if key in file:
            about[key] = str(array(file, key).asstr()[()])
    return about


def read_nwb(file: h5py.File) -> neo.Block:
    """The Block in an NWB file that another program wrote.

    Raises
    ------
    FormatError : no units table, no spike times, or nothing that tells how long the recording is
    """
    if "units" not in file:
        raise FormatError("no units table (spike times) in it")
    n = len(array(file, "units/id"))
    if n == 0:
        raise FormatError("its units table is empty")
    times, unit = ragged(file, "spike_times", n)
    times = np.asarray(times, dtype=float)
    if not np.isfinite(times).all():
        raise FormatError("units/spike_times has values that are no numbers")
    start, stop, zero, rows = _bounds(file, n, times)
    trial, index = _cut(times, start, stop)
    lost = len(times) - len(np.unique(index))
    if lost:
        warnings.warn(f"{lost} of {len(times)} spikes lie outside every trial and were dropped", stacklevel=3)
    columns = _table(file, "units", ())
    ids = array(file, "units/id")[...].tolist()
    block = build_block(
        trial,
        unit[index],
        times=times[index] - zero[trial],
        n_trials=len(start),
        n_neurons=n,
        t_start=start - zero,
        t_stop=stop - zero,
        signals=_signals(file, start, stop, zero),
        annotations={"nwb": _about(file), "units": {"id": ids, **columns}},
    )
    for segment, begin, row in zip(block.segments, start, rows, strict=True):
        segment.annotations.update(start_time=float(begin), **row)
    return block


def _unit_names(path: Path) -> Iterator[str]:
    """The unit names that Neo would hand on to be evaluated, from the formats that store them as text."""
    import h5py

    if path.suffix.lower() == ".mat":
        import scipy.io

        stack: list[Any] = list(scipy.io.loadmat(path, struct_as_record=False, squeeze_me=True).items())
        while stack:
            name, value = stack.pop()
            if isinstance(value, str) and name.endswith("units"):
                yield value
            elif isinstance(value, np.ndarray) and value.dtype == object:
                stack += [(name, item) for item in value.flat]
            elif hasattr(value, "_fieldnames"):
                stack += [(field, getattr(value, field)) for field in value._fieldnames]
    elif path.is_file() and path.suffix.lower() != ".nwb" and h5py.is_hdf5(path):
        with h5py.File(path, "r") as file:
            if "nwb_version" in file.attrs:
                raise FormatError("holds NWB data: expected its name to end in .nwb")
            found: list[Any] = []
            file.visititems(lambda _, item: found.append(item.attrs.get("unit")))
        yield from (u.decode() if isinstance(u, bytes) else u for u in found if isinstance(u, str | bytes))


def _standard(block: neo.Block) -> neo.Block:
    """An ordinary Neo Block laid out as the package's; the signals, events and epochs move over."""
    spikes = gather(block)
    result = build_block(
        spikes.trial,
        spikes.neuron,
        times=spikes.times,
        n_trials=len(block.segments),
        n_neurons=spikes.n_neurons,
        t_start=spikes.t_start,
        t_stop=spikes.t_stop,
        annotations=block.annotations,
    )
    result.name, result.description, result.rec_datetime = block.name, block.description, block.rec_datetime
    for old, new in zip(block.segments, result.segments, strict=True):
        new.name, new.description = old.name, old.description
        new.annotations.update(old.annotations)
        for kind in ("analogsignals", "irregularlysampledsignals", "events", "epochs"):
            getattr(new, kind).extend(list(getattr(old, kind)))
    return result


def _with_neo(reader: Any, path: Path) -> neo.Block:
    blocks = [block for block in reader(str(path)).read(lazy=False) if block is not None and block.segments]
    if not any(len(s.spiketrains) or len(s.analogsignals) for block in blocks for s in block.segments):
        raise FormatError("no spike trains and no signals")
    if reader.__name__ == "AsciiSpikeTrainIO":
        if any((np.diff(train.magnitude) < 0).any() for s in blocks[0].segments for train in s.spiketrains):
            raise FormatError("rows that don't ascend, and so are no spike times")
        warnings.warn(
            "text has no units: each row is taken as a neuron's spike times in seconds", stacklevel=4
        )
    if len(blocks) > 1:
        warnings.warn(f"the first of {len(blocks)} Blocks is read, the others are left out", stacklevel=4)
    return _standard(blocks[0])


def read_neo(path: Path) -> neo.Block:
    """The first Block in a file or folder that Neo reads, by the ending of its name.

    Raises
    ------
    FormatError : an unknown ending, a format that unpickles or lacks units, or no reader that understands it
    """
    import neo.io

    try:
        readers = [r for r in neo.io.list_candidate_ios(path) if r.__name__ not in _REFUSED]
    except ValueError:
        readers = []
    if not readers:
        raise FormatError(
            f"no safe reader for {path.suffix or 'such'} files: expected .nwb or another format with units "
            "that Neo reads; or read it yourself and hand the spike times to to_block"
        )
    try:
        bad = next((name for name in _unit_names(path) if parse_unit(name) is None), None)
    except (FormatError, PermissionError):
        raise
    except Exception as error:
        raise FormatError(f"truncated or damaged ({type(error).__name__}: {error})") from error
    if bad is not None:
        raise FormatError(f"{bad[:60]!r} is no unit")
    reasons = []
    for reader in readers:
        try:
            return _with_neo(reader, path)
        except Exception as error:  # readers of foreign bytes raise anything
            reasons.append(f"{reader.__name__}: {str(error) or type(error).__name__}")
    raise FormatError("not readable (" + "; ".join(reasons) + ")")

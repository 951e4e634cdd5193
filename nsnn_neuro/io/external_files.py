"""Read files of other programs: NWB files, text (`spike_text`), and formats that Neo reads without unpickling.

NWB: trials come from the trials table, else from observation intervals that all units share; each becomes a
segment whose clock starts at 0 (its annotation "start_time": the start on the session's clock). With neither,
or with a single interval, there is one segment on the session's clock. Further columns of the trials table
become annotations of the segments, those of the units table the Block's annotation "units". A warning lists
what is left out.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import neo
import numpy as np
import quantities as pq

from ..core.bins import rounding, slack
from ..core.errors import FormatError
from ..core.file_limits import Budget, check_regular
from ..core.warn import warn
from . import nwb
from .block import analog_signal, build_block
from .hdf5 import Reader, is_text, opened
from .json_codec import parse_unit
from .spike_text import read_text
from .spikes import Trains

_MOST_NAMED = 10  # series that a warning names
_COMPRESSED = 15  # type of an element of a .mat file
_MATLAB = 3  # bytes of memory for each byte of a .mat file
_PIECE = 2**20  # bytes that are expanded at once
_MOST_BYTES = 2**29  # of one signal; a raw multi-electrode recording does not fit into memory
# the first unpickles, and so would run what is in the file; the others guess units and sampling rate
_REFUSED = ("PickleIO", "RawBinarySignalIO", "AsciiSignalIO")


def _table(source: Reader, path: str, skip: tuple[str, ...]) -> dict[str, list[Any]]:
    """The plain columns (one number or text per row) of a table."""
    columns: dict[str, list[Any]] = {}
    names = source.names(path)
    for name in names:
        if name in (*skip, "id") or name.endswith("_index") or f"{name}_index" in names:
            continue
        column = source.find(f"{path}/{name}")
        if getattr(column, "ndim", 0) != 1:
            continue
        if is_text(column):
            columns[name] = source.texts(f"{path}/{name}")
        elif column.dtype.kind in "biuf":
            columns[name] = source.numbers(f"{path}/{name}", per_value=40).tolist()
    return columns


def _observed(source: Reader, n: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Start and stop of the observation intervals that all units share; their hull if the units' differ."""
    values, unit = nwb.observed(source, n)
    if not len(values):
        return None
    first = values[unit == unit[0]]
    if len(values) == n * len(first) and (values.reshape(n, -1) == first.ravel()).all():
        return first[:, 0], first[:, 1]
    warn("the units were observed at different times: one segment spans all of them")
    return values[:, 0].min(keepdims=True), values[:, 1].max(keepdims=True)


def _bounds(
    source: Reader, n: int, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
    """Start, stop and zero of each segment's clock on the session's clock; its annotations."""
    if "intervals/trials/start_time" in source and source.length("intervals/trials/start_time"):
        start, stop = (
            source.numbers(f"intervals/trials/{k}").astype(float) for k in ("start_time", "stop_time")
        )
        if start.shape != stop.shape or start.ndim != 1:
            raise FormatError(
                f"intervals/trials has {len(start)} starts and {len(stop)} stops: expected as many"
            )
        columns = _table(source, "intervals/trials", ("start_time", "stop_time"))
        source.budget.take((nwb.PER_TRIAL + 100 * len(columns)) * len(start), f"{len(start)} trials")
        rows = [{k: v[i] for k, v in columns.items() if len(v) == len(start)} for i in range(len(start))]
        good = start <= stop  # false for NaN
        if not good.all():
            warn(f"{(~good).sum()} of {len(good)} trials left out: no valid start and stop")
        if not good.any():
            raise FormatError("none of its trials has a valid start and stop")
        kept = [row for row, fine in zip(rows, good, strict=True) if fine]
        return start[good], stop[good], start[good], kept
    observed = _observed(source, n)
    if observed is not None:
        start, stop = observed
        source.budget.take(nwb.PER_TRIAL * len(start), f"{len(start)} intervals of observation")
        return start, stop, start if len(start) > 1 else np.zeros(1), [{} for _ in start]
    if not len(times):
        raise FormatError("no spikes, no trials and no obs_intervals in it: nothing tells how long it is")
    warn("no trials and no obs_intervals: taken to last from the first to the last spike")
    return times.min(keepdims=True), times.max(keepdims=True), np.zeros(1), [{}]


def _cut(
    times: np.ndarray, start: np.ndarray, stop: np.ndarray, budget: Budget
) -> tuple[np.ndarray, np.ndarray]:
    """Trial and index of each spike in [start, stop), or at stop where no trial starts; trials may overlap."""
    order = np.argsort(times, kind="stable")
    ordered, begins = times[order], np.sort(start)
    apart = rounding(times, start, stop)
    low = np.searchsorted(ordered, start - apart, side="left")
    high = np.searchsorted(ordered, stop + apart, side="right")
    next_begin = begins[np.minimum(np.searchsorted(begins, stop - apart), len(begins) - 1)]
    followed = (np.abs(next_begin - stop) <= apart) & (stop - start > apart)
    high[followed] = np.searchsorted(ordered, stop[followed] - apart, side="left")
    count = high - low
    total = float(count.sum(dtype=float))
    budget.take(nwb.PER_SPIKE * total, f"{len(start)} trials with {total:.0f} spikes in all")
    trial = np.repeat(np.arange(len(start)), count)
    position = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low, count)
    return trial, order[position]


def signal_values(source: Reader, path: str, low: int, high: int) -> Any:
    """Samples `low` to `high` of the series at `path`, in its unit."""
    data = source.array(f"{path}/data")
    scale, shift = (
        float(source.attribute(f"{path}/data", k, d)) for k, d in (("conversion", 1.0), ("offset", 0.0))
    )
    gain: Any = 1.0
    if f"{path}/channel_conversion" in source:
        gain = source.numbers(f"{path}/channel_conversion")
    values = data[low:high].reshape(high - low, data.shape[1] if data.ndim == 2 else 1)
    return values * (scale * gain) + shift


def signal_unit(source: Reader, path: str) -> tuple[str, Any, dict[str, str]]:
    """Name and unit of the series at `path`, and its annotations: the name of a unit that is none."""
    text = str(source.attribute(f"{path}/data", "unit", ""))
    unit = parse_unit(text)
    name = path.rsplit("/", 1)[-1]
    return name, pq.dimensionless if unit is None else unit.units, {"unit": text} if unit is None else {}


def _signal(
    source: Reader, path: str, start: np.ndarray, stop: np.ndarray, zero: np.ndarray
) -> list[Any] | str:
    """The signal in each trial, or why it is left out."""
    if f"{path}/data" not in source or f"{path}/starting_time" not in source:
        return "not sampled regularly"
    data = source.array(f"{path}/data")
    rate = float(source.attribute(f"{path}/starting_time", "rate", 0.0))
    first = float(source.numbers(f"{path}/starting_time")[()])
    if data.ndim not in (1, 2) or data.dtype.kind not in "iuf" or not rate > 0:
        return "not a signal of numbers"
    share = slack(
        1 / rate, rounding(start, stop, first, first + len(data) / rate), f"{path}: sampling interval"
    )
    low = np.clip(np.ceil((start - first) * rate - share), 0, len(data)).astype(int)
    high = np.clip(np.ceil((stop - first) * rate - share), low, len(data)).astype(int)
    size = float((high - low).sum(dtype=float)) * 8 * (data.shape[1] if data.ndim == 2 else 1)
    if size > _MOST_BYTES:
        return f"larger than {_MOST_BYTES >> 20} MiB"
    source.budget.take(3 * size + nwb.PER_SIGNAL * len(start), f"{path} in {len(start)} trials")
    name, unit, annotations = signal_unit(source, path)
    signals = []
    for i, (a, b) in enumerate(zip(low, high, strict=True)):
        at = (first + a / rate - zero[i]) * pq.s
        values = signal_values(source, path, a, b)
        signals.append(analog_signal(values, unit, at, rate * pq.Hz, annotations, name=name))
    return signals


def _signals(
    source: Reader, start: np.ndarray, stop: np.ndarray, zero: np.ndarray
) -> list[list[neo.AnalogSignal]]:
    import h5py

    signals: list[list[neo.AnalogSignal]] = [[] for _ in start]
    left_out = []
    for path in source.paths("stimulus/presentation", "acquisition"):
        result: list[Any] | str = "no time series"
        if isinstance(source.find(path), h5py.Group):
            result = _signal(source, path, start, stop, zero)
        if isinstance(result, str):
            left_out.append(f"{path.rpartition('/')[2]} ({result})")
            continue
        for of_trial, signal in zip(signals, result, strict=True):
            of_trial += [signal] if len(signal) else []
    warn_left_out(left_out)
    return signals


def warn_left_out(names: list[str]) -> None:
    """Warn of series that aren't read."""
    if names:
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        warn(f"left out: {', '.join(names[:_MOST_NAMED])}{more}")


def about(source: Reader) -> dict[str, str]:
    """Identifier, session_description and session_start_time of an NWB file."""
    texts = {key: source.text(key) for key in ("identifier", "session_description", "session_start_time")}
    return {key: text.decode("utf-8", "replace") for key, text in texts.items() if text is not None}


def read_nwb(source: Reader) -> neo.Block:
    """The Block in an NWB file that another program wrote."""
    if "units" not in source:
        raise FormatError("no units table (spike times) in it")
    n = source.length("units/id")
    if n == 0:
        raise FormatError("its units table is empty")
    source.budget.take(nwb.PER_UNIT * n, f"{n} units")
    times, unit = nwb.spike_times(source, n)
    start, stop, zero, rows = _bounds(source, n, times)
    source.budget.take(8 * n * len(start), f"{n} units in {len(start)} trials")
    trial, index = _cut(times, start, stop, source.budget)
    lost = len(times) - len(np.unique(index))
    if lost:
        warn(f"{lost} of {len(times)} spikes lie outside every trial and were dropped")
    columns = _table(source, "units", ())
    ids = source.numbers("units/id", per_value=40).tolist()
    block = build_block(
        trial,
        unit[index],
        times=np.clip(times[index] - zero[trial], (start - zero)[trial], (stop - zero)[trial]),
        n_trials=len(start),
        n_neurons=n,
        t_start=start - zero,
        t_stop=stop - zero,
        signals=_signals(source, start, stop, zero),
        annotations={"nwb": about(source), "units": {"id": ids, **columns}},
    )
    for segment, begin, row in zip(block.segments, start, rows, strict=True):
        segment.annotations.update(start_time=float(begin), **row)
    return block


def _check_matlab(path: Path, budget: Budget) -> None:
    """Take the expanded size of a .mat file's elements from the budget; each may be compressed, a thousand to one."""
    with path.open("rb") as file:
        head = file.read(128)
        order: Literal["little", "big"] = "little" if head[126:128] == b"IM" else "big"
        while len(tag := file.read(8)) == 8:
            kind, size = int.from_bytes(tag[:4], order), int.from_bytes(tag[4:], order)
            end = file.tell() + size
            if kind == _COMPRESSED:
                unpack = zlib.decompressobj()
                while file.tell() < end and (data := file.read(min(_PIECE, end - file.tell()))):
                    while data:
                        budget.take(_MATLAB * len(unpack.decompress(data, _PIECE)), "its compressed parts")
                        data = unpack.unconsumed_tail
            else:
                budget.take(_MATLAB * size, "its parts")
            file.seek(end)


def _unit_names(path: Path, budget: Budget) -> Iterator[str]:
    """Unit names that Neo would evaluate, from the formats that store them as text."""
    import h5py

    if path.suffix.lower() == ".mat":
        import scipy.io

        _check_matlab(path, budget)

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
        with opened(path) as file:
            if "nwb_version" in file.attrs:
                raise FormatError("holds NWB data: expected its name to end in .nwb")
            source = Reader(file, budget)
            source.check_all()
            result: list[str] = []
            file.visit(lambda name: result.append(source.attribute(name, "unit", "")))
        yield from (unit for unit in result if isinstance(unit, str))


def _standard(block: neo.Block) -> neo.Block:
    """An ordinary Neo Block in this package's layout; signals, events and epochs are moved, not copied."""
    spikes = Trains.from_block(block)
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
    if len(blocks) > 1:
        warn(f"the first of {len(blocks)} Blocks is read, the others are left out")
    return _standard(blocks[0])


def _check_folder(path: Path, budget: Budget) -> None:
    """Refuse anything but regular files in a folder that Neo is to read."""
    for folder, _, names in os.walk(path):
        budget.take(500 * len(names), f"{len(names)} files of {folder}")
        for name in names:
            check_regular(Path(folder) / name)


def read_neo(path: Path, budget: Budget) -> neo.Block:
    """The first Block in a file or folder that Neo reads, by the ending of its name."""
    import neo.io

    if path.suffix.lower() == ".txt" and path.is_file():
        return read_text(path, budget)
    try:
        readers = [r for r in neo.io.list_candidate_ios(path) if r.__name__ not in _REFUSED]
    except ValueError:
        readers = []
    if not readers and not path.is_dir():
        raise FormatError(
            f"no safe reader for {path.suffix or 'such'} files: expected .nwb or another format with units "
            "that Neo reads; or read it yourself and hand the spike times to to_block"
        )
    try:
        if path.is_dir():
            _check_folder(path, budget)
        bad = next((name for name in _unit_names(path, budget) if parse_unit(name) is None), None)
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
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            reasons.append(f"{reader.__name__}: {reason}")
    if path.is_dir():
        raise FormatError(
            "a folder that no reader understands: expected a file, or a folder of a format that Neo reads"
        )
    raise FormatError("not readable (" + "; ".join(reasons) + ")")

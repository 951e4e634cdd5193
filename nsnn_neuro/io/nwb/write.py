"""Write a `neo.Block` into an NWB file; `saved` describes the layout."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import h5py
import neo
import numpy as np

from ...core.errors import NsnnError
from ...core.units import is_quantity, shown, si
from ...core.warn import warn
from ..json_codec import encode, unit_text
from ..lookup import EVENT_TIME, LABEL, NAMES, population_names
from ..segments import known_of, unit_table
from ..spikes import PIECE, Trains
from ..spikes.arrays import seconds
from ..spikes.bins import rounding
from ..spikes.sources import plain
from . import pynwb_import
from .metadata import arguments, checked, combined, kept
from .order import Sorted, in_file_order
from .saved import DIGEST, FORMAT, NAMESPACE, STEP, VERSION, WRITTEN
from .storage import column, digest_signal, digest_trains, file_name, packed
from .timed import grouped, stored, stored_type

_EPOCH = "1970-01-01T00:00:00+00:00"
# a file has one or the other, and `read` looks for both
_CLOCKS = {"tick", "tick_index", "trial_time", "trial_time_index"}


def _resolution(block: neo.Block, spikes: Trains) -> float | None:
    """The step (s) of all spike times, by the annotation dt, sampling_rate or nwb of the Block; None where it is none of these.

    Times k / rate of a recording are often not exactly k dt, and then they are not stored as integers. Trials that were cut, or
    loaded as such, are on the recording's grid, not on that of their own clocks. A warning names a dt or rate of a recording that
    its times do not have.
    """
    dt, rate, nwb = (block.annotations.get(name) for name in ("dt", "sampling_rate", "nwb"))
    stated = nwb.get(STEP) if isinstance(nwb, dict) else None
    try:
        steps = [
            float(si(one, "s", "dt") if is_quantity(one) else one) for one in (dt, stated) if one is not None
        ]
        steps += [] if rate is None else [1 / float(si(rate, "Hz", "rate") if is_quantity(rate) else rate)]
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    steps = [step for step in steps if 0 < step < np.inf]
    zero = [one.annotations.get(EVENT_TIME, one.annotations.get("start_time", 0.0)) for one in block.segments]
    clocks = [spikes.times]
    if any(zero) and all(isinstance(one, int | float) and np.isfinite(one) for one in zero):
        clocks.insert(0, spikes.times + np.array(zero)[spikes.trial])
    farthest = []  # for each step, the time that is farthest from its multiples
    for step in steps:
        for times in clocks:
            off = np.abs(times - np.rint(times / step) * step)
            if not (off > max(1e-6 * step, rounding(times))).any():
                return step
        farthest.append(float(times[np.argmax(off)]))
    simulated = "parameters" in block.annotations
    if (dt is not None or rate is not None) and spikes.times.size and not simulated:
        name, said = ("dt", dt) if dt is not None else ("sampling_rate", rate)
        odd = farthest[0 if name == "dt" else -1] if farthest else float(spikes.times[-1])
        warn(
            f"annotations[{name!r}] = {shown(said)}: spike times such as {odd:.9g} s are not multiples of this "
            "sampling interval, so the file states no resolution: expected dt in seconds, such as 1/30000, and times computed "
            "as sample number times dt"
        )
    return None


def _units(spikes: Sorted, offset: np.ndarray, annotations: dict[str, Any], resolution: float | None) -> Any:
    from hdmf.common import VectorData, VectorIndex
    from pynwb.misc import Units

    (n, _), size = spikes.counts.shape, int(spikes.counts.sum())
    total = offset[-1] + (spikes.t_stop[-1] - spikes.t_start[-1])
    bounds = np.cumsum(spikes.counts.sum(axis=1)).astype(np.uint64)
    times = ("trial_time", "spike times on the trial's clock, in seconds", packed(size=size), bounds)
    if spikes.dt is not None:
        words = "this integer times dt (in /general/notes): the time on the trial's clock"
        times = ("tick", words, packed(size=size, kind=spikes.tick_type), bounds)
    whole = packed(np.tile([0.0, total], (n, 1)))
    table = [
        ("spike_times", "spike times on the session's clock, in seconds", packed(size=size), bounds),
        ("trial", "the trial of each spike, from 0", packed(size=size, kind=np.int32), bounds),
        times,
        ("obs_intervals", "the whole session", whole, np.arange(1, n + 1, dtype=np.uint64)),
    ]
    columns: list[Any] = []
    for name, description, values, ends in table:
        columns.append(VectorData(name=name, description=description, data=values))
        columns.append(VectorIndex(name=f"{name}_index", target=columns[-1], data=ends))
    names = population_names(annotations.get("populations"), n)
    further = [("population", "the neuron's population", names)] if names else []
    taken = {one.name for one in columns} | {name for name, *_ in further} | _CLOCKS
    further += _about_units(annotations.get("units"), n, taken)
    columns += [VectorData(name=name, description=words, data=values) for name, words, values in further]
    about = f"{n} neuron{'s' * (n != 1)}, silent ones included; {WRITTEN}"
    return Units(name="units", columns=columns, id=np.arange(n), description=about, resolution=resolution)


def _about_units(table: Any, n: int, taken: set[str]) -> list[tuple[str, str, Any]]:
    """Name, description and values of the columns that the annotation "units" gives: names of the n units, and plain others."""
    from pynwb.misc import Units

    known = table if isinstance(table, dict) else {}
    known = {
        key: one for key, one in known.items() if isinstance(key, str) and np.ndim(one) == 1 and len(one) == n
    }
    result = []
    naming = next((key for key in NAMES if key in known), None)
    if naming is not None:
        texts = column("unit_name", [str(one) for one in known[naming]])
        result.append(("unit_name", "name of the unit", texts))
    for key, values in known.items():
        stored_values = None if key in (*taken, naming, "unit_name") else column(key, values, Units)
        result += [] if stored_values is None else [(key, "as given", stored_values)]
    return result


def _fill(file: h5py.File, spikes: Sorted, offset: np.ndarray, digest: Any) -> None:
    """Write the spikes into the units table, piece by piece, and into the digest."""
    digest_trains(digest, spikes.counts, spikes.t_start, spikes.t_stop)
    begin = 0
    for piece in spikes.pieces():
        for k in range(0, piece.size, PIECE):
            moment = piece[k : k + PIECE]
            end = begin + moment.size
            trial = spikes.trial(begin, end)
            times = moment if spikes.dt is None else moment * spikes.dt
            digest.update(np.ascontiguousarray(times).tobytes())
            file["units/spike_times"][begin:end] = offset[trial] + (times - spikes.t_start[trial])
            file["units/trial"][begin:end] = trial
            file["units/trial_time" if spikes.dt is None else "units/tick"][begin:end] = moment
            begin = end


def _trials(block: neo.Block, spikes: Sorted, offset: np.ndarray) -> Any:
    from hdmf.common import VectorData
    from pynwb.epoch import TimeIntervals

    columns = [
        ("start_time", "start of the trial on the session's clock, in seconds", offset),
        ("stop_time", "end of the trial on the session's clock", offset + (spikes.t_stop - spikes.t_start)),
        ("t_start", "start of the trial on its own clock, in seconds", spikes.t_start),
        ("t_stop", "end of the trial on its own clock", spikes.t_stop),
    ]
    taken = {name for name, _, _ in columns}
    known = [segment.annotations for segment in block.segments]
    words = {
        LABEL: "label of the trial",
        EVENT_TIME: "time 0 of the trial's clock on the clock of the recording that it was cut from, in seconds",
    }
    for key in known[0] if len(known) == len(offset) else ():
        if isinstance(key, str) and key not in taken and all(key in one for one in known):
            values = column(key, [plain(one[key]) for one in known], TimeIntervals)
            columns += [] if values is None else [(key, words.get(key, "as given"), values)]
    return TimeIntervals(
        name="trials",
        description="trials, one after the other without a gap",
        columns=[VectorData(name=n, description=d, data=a) for n, d, a in columns],
        id=np.arange(len(offset)),
    )


def _signal_head(signal: neo.AnalogSignal, _: str, where: str) -> dict[str, Any]:
    """What the signals of different trials must share to be stored as one."""
    return {
        "name": signal.name,
        "description": signal.description,
        "unit": unit_text(signal, where),
        "rate": si(signal.sampling_rate, "Hz", f"{where}.sampling_rate"),
        "array_annotations": dict(signal.array_annotations),
        "annotations": dict(signal.annotations),
        "dtype": stored_type(signal.magnitude, where),
    }


def _same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    same_memory = a.__array_interface__["data"] == b.__array_interface__["data"]
    return a.shape == b.shape and (same_memory or np.array_equal(a.view("u1"), b.view("u1")))


def _signals(
    block: neo.Block, spikes: Sorted, offset: np.ndarray
) -> list[tuple[dict[str, Any], Any, np.ndarray]]:
    """For each group of signals what `_read_signals` must know, the TimeSeries, and its values."""
    from pynwb import TimeSeries

    series: list[tuple[dict[str, Any], Any, np.ndarray]] = []
    for group, signals in grouped(block, ["analogsignals"], _signal_head):
        data = [np.ascontiguousarray(signal.magnitude) for signal in signals]
        group["t_start"] = [float(seconds(signal.t_start)) for signal in signals]
        trials, starts = np.array(group["trials"]), np.array(group["t_start"])
        alike = len(trials) == len(offset) and (starts == starts[0]).all()
        if alike and all(_same_bits(data[0], d) for d in data[1:]):
            trials, starts, data = trials[:1], starts[:1], data[:1]
            group.update(trials=None, t_start=group["t_start"][:1])
        base = file_name(group["name"] or "") or "signal"
        taken = {s.name for _, s, _ in series}
        name = base if base not in taken else f"{base}_{len(taken)}"
        begin = offset[trials] + (starts - spikes.t_start[trials])
        samples = [len(d) for d in data]
        clock: dict[str, Any] = {"rate": group["rate"], "starting_time": float(begin[0])}
        expected = begin[0] + np.cumsum([0, *samples[:-1]]) / group["rate"]
        # gaps or overlaps between the trials' samples
        if np.abs(begin - expected).max() * group["rate"] > 1e-3:
            stamps = [b + np.arange(m) / group["rate"] for b, m in zip(begin, samples, strict=True)]
            clock = {"timestamps": packed(np.concatenate(stamps))}
        words = "the same in every trial" if group["trials"] is None else "trials one after the other"
        neurons = np.ravel(group["array_annotations"].get("neuron", []))[:50].tolist()
        if neurons:
            words += f"; channels are neurons {neurons}"
        values = data[0] if len(data) == 1 else np.concatenate(data)
        one = TimeSeries(name=name, data=packed(values), unit=group["unit"], description=words, **clock)
        folder = "stimulus/presentation" if group["name"] == "stimulus" else "acquisition"
        series.append(({**group, "path": f"{folder}/{name}", "samples": samples}, one, values))
    return series


def _notes(
    block: neo.Block,
    annotations: dict[str, Any],
    moment: Any,
    signals: list[dict[str, Any]],
    timed: list[dict[str, Any]],
) -> str:
    segments = [
        [s.name, s.description, dict(s.annotations), *([s.rec_datetime] if s.rec_datetime else [])]
        for s in block.segments
    ]
    header = {
        "format": FORMAT,
        "version": VERSION if timed else 1,
        "digest": DIGEST,
        "annotations": encode(annotations, "annotations"),
        "block": encode([block.name, block.description, moment], "block.rec_datetime"),
        "segments": None if all(s == [None, None, {}] for s in segments) else encode(segments, "segments"),
        "signals": encode(signals, "signals"),
        **({"timed": encode(timed, "timed")} if timed else {}),
    }
    return json.dumps(header, allow_nan=False)


def _left_out_of_trains(block: neo.Block) -> list[str]:
    """What spike trains hold besides times and what the table of units says of them."""
    table = unit_table(block)
    result = set()
    for segment in block.segments:
        for j, train in enumerate(getattr(segment.spiketrains, "_items", None) or ()):
            known = known_of(train)
            if known.get("channel_id") == j:  # Neo's own numbers
                del known["channel_id"]
            lost = set(map(str, getattr(train, "annotations", {}))) - {*known, "channel_id"}
            listed = {key: column[j] for key, column in table.items() if j < len(column)}
            if lost or any(key not in listed or listed[key] != value for key, value in known.items()):
                result.add("names and annotations of spike trains that differ between trials or neurons")
            if getattr(train, "waveforms", None) is not None:
                result.add("waveforms")
            if getattr(train, "array_annotations", {}):
                result.add("array annotations of spike trains")
    return sorted(result)


def write(block: neo.Block, file: h5py.File, metadata: Any = None) -> None:
    """Write `block` into the empty HDF5 `file`, and close it; a warning names what is not saved.

    metadata : as for `save`
    """
    spikes = Trains.from_block(block)
    if spikes.n_neurons == 0 and not any(len(s.analogsignals) for s in block.segments):
        raise NsnnError("block has neither spike trains nor analog signals: nothing to save")
    spikes.check()
    images = any(len(s.imagesequences) for s in block.segments)
    left_out = ["imagesequences"] * images + ["groups"] * bool(block.groups) + _left_out_of_trains(block)
    if left_out:
        warn(f"not saved: the Block's {', '.join(left_out)}")
    ordered = in_file_order(spikes, block.annotations.get("dt"))
    write_sorted(
        block, ordered, file, _resolution(block, spikes) if ordered.dt is None else ordered.dt, metadata
    )


def write_sorted(
    block: neo.Block, spikes: Sorted, file: h5py.File, resolution: float | None, metadata: Any = None
) -> None:
    """Write `block` with `spikes` in place of its own into the empty HDF5 `file`, and close it.

    `resolution` is the step of the spike times in s, where there is one; the file says it as that of /units/spike_times.
    """
    pynwb = pynwb_import.load()
    n, n_trials = spikes.counts.shape
    offset = np.concatenate([[0.0], np.cumsum(spikes.t_stop - spikes.t_start)[:-1]])
    series = _signals(block, spikes, offset)
    timed = stored(block, spikes, offset, {one.name for _, one, _ in series})
    annotations, moment = dict(block.annotations), block.rec_datetime
    table = unit_table(block)
    if table:
        annotations.setdefault("units", table)
    given = checked(metadata)
    if given:
        annotations["nwb"] = combined(annotations.get("nwb"), metadata)
        if "session_start_time" in given:
            moment = datetime.fromisoformat(given["session_start_time"])
    stated = kept(annotations.get("nwb"))
    start = moment
    if not isinstance(start, datetime):
        start = datetime.fromisoformat(stated.get("session_start_time", _EPOCH))
    size = f"{n} neuron{'s' * (n != 1)} in {n_trials} trial{'s' * (n_trials != 1)}, {WRITTEN}"
    notes = _notes(block, annotations, moment, [head for head, _, _ in series], [one.head for one in timed])
    nwbfile = pynwb.NWBFile(
        session_description=stated.get("session_description", size),
        identifier=str(NAMESPACE),  # until all spikes are known
        session_start_time=start if start.tzinfo is not None else start.replace(tzinfo=UTC),
        notes=notes,
        trials=_trials(block, spikes, offset),
        units=_units(spikes, offset, annotations, resolution),
        **arguments(annotations.get("nwb")),
    )
    for head, one, _ in series:
        (nwbfile.add_acquisition if head["path"].startswith("acq") else nwbfile.add_stimulus)(one)
    add = {"acquisition": "add_acquisition", "intervals": "add_time_intervals", "events": "add_events_table"}
    for head, made, _ in timed:
        if made is not None:
            getattr(nwbfile, add[head["path"].split("/")[0]])(made)
    digest = sha256(f"{n} {notes}".encode())
    with pynwb.NWBHDF5IO(file=file, mode="w") as io:
        io.write(nwbfile)
        _fill(file, spikes, offset, digest)
        for _, _, values in series:
            digest_signal(digest, values)
        for contents in timed:
            for values in contents.values:
                digest_signal(digest, values)
        file["identifier"][()] = str(uuid.uuid5(NAMESPACE, digest.hexdigest()))

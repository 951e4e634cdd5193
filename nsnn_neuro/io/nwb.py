"""A `neo.Block` in an NWB file (Neurodata Without Borders 2), exactly.

What is where in a file that `write` makes
    /intervals/trials   a row per trial, end to end on the session's clock: start_time, stop_time; the
                        columns t_start and t_stop hold the trial's own clock to the last bit
    /units              a row per neuron, silent ones too: spike_times on the session's clock, as NWB wants;
                        trial, the trial of each spike; tick, the integer k of a spike at k dt (trial_time,
                        the time on the trial's clock, where there is no dt); population, where given
    /stimulus/presentation/stimulus, /acquisition/v, ...
                        the signals, all trials in a row; once if all trials agree
    /general/notes      everything else as one JSON text (see annotations.py)
The identifier is a UUID made from the content (spikes, trials, notes and signals): the same content has the same one, and
`read` refuses a file whose content has another. Each compressed data set also carries checksums (fletcher32, zlib).
session_start_time is the Block's rec_datetime, or 1970-01-01 UTC if it has none. To store something new, add it to `write`,
`read` and the digest.
"""

from __future__ import annotations

import json
import re
import uuid
import warnings
from collections import Counter
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import neo
import numpy as np
import quantities as pq

from ..core.errors import FormatError, NsnnError
from ..core.limits import read_json
from ..core.units import si
from .block import build_block
from .file_order import Sorted, in_file_order
from .hdf5 import Reader
from .json_codec import decode, dumps, encode, parse_unit, unit_text
from .read_trains import seconds
from .spikes import PIECE, Trains

if TYPE_CHECKING:
    import h5py

__all__ = [
    "PER_SIGNAL",
    "PER_SPIKE",
    "PER_TRIAL",
    "PER_UNIT",
    "read",
    "write",
    "write_sorted",
    "written_here",
]

# Bytes of memory at the peak of reading, measured
PER_SPIKE, PER_TRIAL, PER_UNIT, PER_SIGNAL = 60, 5000, 50, 4000

_FORMAT, _VERSION = "nsnn_neuro.block", 1
_PREFIX = f'{{"format": "{_FORMAT}"'
_NAMESPACE = uuid.UUID("5c0c4d0e-3d5f-5b0a-9f0e-6e1f1b6d7a11")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WRITTEN = "written by nsnn_neuro"
_DAMAGED = (
    "damaged, or edited by another program: take a copy, or delete /general/notes and change /session_description to read it as a "
    "file of another program"
)
_DIGEST = "notes, spikes, signals"
_FILTERS: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True}


def _packed(values: np.ndarray) -> Any:
    """`values` compressed, with checksums that reveal a damaged file."""
    from hdmf.backends.hdf5 import H5DataIO

    return values if values.size == 0 else H5DataIO(values, **_FILTERS)


def _population_names(populations: Any, n: int) -> list[str] | None:
    try:
        sizes = [(str(p["name"]), int(p["size"])) for p in populations]
    except (TypeError, KeyError, ValueError, OverflowError):
        return None
    if any(size < 0 for _, size in sizes) or sum(size for _, size in sizes) != n:
        return None
    return [name for name, size in sizes for _ in range(size)]


def _empty(size: int, kind: Any) -> Any:
    """A dataset that `_fill` fills, compressed, with checksums that reveal a damaged file."""
    from hdmf.backends.hdf5 import H5DataIO

    return np.empty(0, dtype=kind) if size == 0 else H5DataIO(shape=(size,), dtype=kind, **_FILTERS)


def _units(spikes: Sorted, offset: np.ndarray, populations: Any) -> Any:
    from hdmf.common import VectorData, VectorIndex
    from pynwb.misc import Units

    (n, _), size = spikes.counts.shape, int(spikes.counts.sum())
    total = offset[-1] + (spikes.t_stop[-1] - spikes.t_start[-1])
    bounds = np.cumsum(spikes.counts.sum(axis=1)).astype(np.uint64)
    times = ("trial_time", "spike times on the trial's clock, in seconds", _empty(size, float), bounds)
    if spikes.dt is not None:
        words = "this integer times dt (in /general/notes): the time on the trial's clock"
        times = ("tick", words, _empty(size, spikes.tick_type), bounds)
    whole = _packed(np.tile([0.0, total], (n, 1)))
    table = [
        ("spike_times", "spike times on the session's clock, in seconds", _empty(size, float), bounds),
        ("trial", "the trial of each spike, from 0", _empty(size, np.int32), bounds),
        times,
        ("obs_intervals", "the whole session", whole, np.arange(1, n + 1, dtype=np.uint64)),
    ]
    columns: list[Any] = []
    for name, description, values, ends in table:
        columns.append(VectorData(name=name, description=description, data=values))
        columns.append(VectorIndex(name=f"{name}_index", target=columns[-1], data=ends))
    names = _population_names(populations, n)
    if names:
        columns.append(VectorData(name="population", description="the neuron's population", data=names))
    description = f"{n} neurons, silent ones included"
    return Units(
        name="units", description=description, columns=columns, id=np.arange(n), resolution=spikes.dt
    )


def _fill(file: h5py.File, spikes: Sorted, offset: np.ndarray, digest: Any) -> None:
    """Write the spikes into the units table, piece by piece, and into the digest."""
    _digest_trains(digest, spikes.counts, spikes.t_start, spikes.t_stop)
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


def _trials(spikes: Sorted, offset: np.ndarray) -> Any:
    from hdmf.common import VectorData
    from pynwb.epoch import TimeIntervals

    columns = [
        ("start_time", "start of the trial on the session's clock, in seconds", offset),
        ("stop_time", "end of the trial on the session's clock", offset + (spikes.t_stop - spikes.t_start)),
        ("t_start", "start of the trial on its own clock, in seconds", spikes.t_start),
        ("t_stop", "end of the trial on its own clock", spikes.t_stop),
    ]
    return TimeIntervals(
        name="trials",
        description="trials, one after the other without a gap",
        columns=[VectorData(name=n, description=d, data=a) for n, d, a in columns],
        id=np.arange(len(offset)),
    )


def _signal_groups(block: neo.Block) -> list[dict[str, Any]]:
    """The analog signals; those of different trials that agree in all but start and samples are one group."""
    groups: dict[tuple[str, int], dict[str, Any]] = {}
    for i, segment in enumerate(block.segments):
        seen: Counter[str] = Counter()
        for j, signal in enumerate(segment.analogsignals):
            where = f"segments[{i}].analogsignals[{j}]"
            data = np.ascontiguousarray(signal.magnitude)
            if data.dtype.kind not in "iuf" or data.dtype.itemsize > 8:
                raise NsnnError(f"{where} has dtype {data.dtype}: expected real numbers of at most 64 bits")
            head = {
                "name": signal.name,
                "description": signal.description,
                "unit": unit_text(signal, where),
                "rate": si(signal.sampling_rate, "Hz", f"{where}.sampling_rate"),
                "array_annotations": dict(signal.array_annotations),
                "annotations": dict(signal.annotations),
            }
            key = f"{dumps(head, where)} {data.dtype.str} {data.shape[1]}"
            group = groups.setdefault((key, seen[key]), {**head, "trials": [], "t_start": [], "data": []})
            seen[key] += 1
            group["trials"].append(i)
            group["t_start"].append(float(seconds(signal.t_start)))
            group["data"].append(data)
    return list(groups.values())


def _same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    if a.shape != b.shape:
        return False
    return a.__array_interface__["data"] == b.__array_interface__["data"] or np.array_equal(
        a.view("u1"), b.view("u1")
    )


def _signals(
    block: neo.Block, spikes: Sorted, offset: np.ndarray
) -> list[tuple[dict[str, Any], Any, np.ndarray]]:
    """For each group of signals what `_read_signals` must know, the TimeSeries, and its values."""
    from pynwb import TimeSeries

    series: list[tuple[dict[str, Any], Any, np.ndarray]] = []
    for group in _signal_groups(block):
        data, trials, starts = group.pop("data"), np.array(group["trials"]), np.array(group["t_start"])
        alike = len(trials) == len(offset) and (starts == starts[0]).all()
        if alike and all(_same_bits(data[0], d) for d in data[1:]):
            trials, starts, data = trials[:1], starts[:1], data[:1]
            group.update(trials=None, t_start=group["t_start"][:1])
        base = re.sub(r"[^\w .+-]", "_", group["name"] or "") or "signal"
        taken = {s.name for _, s, _ in series}
        name = base if base not in taken else f"{base}_{len(taken)}"
        begin = offset[trials] + (starts - spikes.t_start[trials])
        samples = [len(d) for d in data]
        clock: dict[str, Any] = {"rate": group["rate"], "starting_time": float(begin[0])}
        expected = begin[0] + np.cumsum([0, *samples[:-1]]) / group["rate"]
        if (
            np.abs(begin - expected).max() * group["rate"] > 1e-3
        ):  # gaps or overlaps between the trials' samples
            stamps = [b + np.arange(m) / group["rate"] for b, m in zip(begin, samples, strict=True)]
            clock = {"timestamps": _packed(np.concatenate(stamps))}
        words = "the same in every trial" if group["trials"] is None else "trials one after the other"
        neurons = np.ravel(group["array_annotations"].get("neuron", []))[:50].tolist()
        if neurons:
            words += f"; channels are neurons {neurons}"
        values = data[0] if len(data) == 1 else np.concatenate(data)
        one = TimeSeries(name=name, data=_packed(values), unit=group["unit"], description=words, **clock)
        folder = "stimulus/presentation" if group["name"] == "stimulus" else "acquisition"
        series.append(({**group, "path": f"{folder}/{name}", "samples": samples}, one, values))
    return series


def _notes(block: neo.Block, signals: list[dict[str, Any]]) -> str:
    segments = [[s.name, s.description, dict(s.annotations)] for s in block.segments]
    header = {
        "format": _FORMAT,
        "version": _VERSION,
        "digest": _DIGEST,
        "annotations": encode(dict(block.annotations), "annotations"),
        "block": encode([block.name, block.description, block.rec_datetime], "block.rec_datetime"),
        "segments": None if all(s == [None, None, {}] for s in segments) else encode(segments, "segments"),
        "signals": encode(signals, "signals"),
    }
    return json.dumps(header, allow_nan=False)


def _warn_left_out(block: neo.Block) -> None:
    kinds = ("irregularlysampledsignals", "events", "epochs", "imagesequences")
    left = [kind for kind in kinds if any(len(getattr(s, kind)) for s in block.segments)]
    left += ["groups"] if len(block.groups) else []
    if left:
        warnings.warn(f"not saved: the Block's {', '.join(left)}", stacklevel=4)


def write(block: neo.Block, file: h5py.File) -> None:
    """Write `block` into the empty HDF5 `file`, and close it.

    Raises
    ------
    NsnnError : neither neurons nor signals, ragged trials, a spike outside its trial, an annotation or unit no file can hold
    """
    spikes = Trains.from_block(block)
    if spikes.n_neurons == 0 and not any(len(s.analogsignals) for s in block.segments):
        raise NsnnError("block has neither spike trains nor analog signals: nothing to save")
    spikes.check()
    _warn_left_out(block)
    write_sorted(block, in_file_order(spikes, block.annotations.get("dt")), file)


def write_sorted(block: neo.Block, spikes: Sorted, file: h5py.File) -> None:
    """Write `block` with `spikes` in place of its own into the empty HDF5 `file`, and close it."""
    import pynwb

    n, n_trials = spikes.counts.shape
    offset = np.concatenate([[0.0], np.cumsum(spikes.t_stop - spikes.t_start)[:-1]])
    series = _signals(block, spikes, offset)
    notes = _notes(block, [head for head, _, _ in series])
    start = block.rec_datetime if isinstance(block.rec_datetime, datetime) else _EPOCH
    nwbfile = pynwb.NWBFile(
        session_description=f"{n} neurons in {n_trials} trials, {_WRITTEN}",
        identifier=str(_NAMESPACE),  # until all spikes are known
        session_start_time=start if start.tzinfo is not None else start.replace(tzinfo=UTC),
        notes=notes,
        trials=_trials(spikes, offset),
        units=_units(spikes, offset, block.annotations.get("populations")),
    )
    for head, one, _ in series:
        (nwbfile.add_acquisition if head["path"].startswith("acq") else nwbfile.add_stimulus)(one)
    digest = sha256(f"{n} {notes}".encode())
    with pynwb.NWBHDF5IO(file=file, mode="w") as io:
        io.write(nwbfile)
        _fill(file, spikes, offset, digest)
        for _, _, values in series:
            _digest_signal(digest, values)
        file["identifier"][()] = str(uuid.uuid5(_NAMESPACE, digest.hexdigest()))


def _digest_trains(digest: Any, counts: np.ndarray, t_start: np.ndarray, t_stop: np.ndarray) -> None:
    """Add the number of spikes of each train, (n_neurons, n_trials) int64, and the trials' bounds to the digest."""
    digest.update(np.ascontiguousarray(counts).tobytes())
    digest.update(t_start.tobytes() + t_stop.tobytes())


def _digest_signal(digest: Any, values: np.ndarray) -> None:
    digest.update(f"{values.dtype.str} {values.shape}".encode())
    digest.update(np.ascontiguousarray(values).data)


def written_here(source: Reader) -> dict[str, Any] | None:
    """The header that `write` left in a file, or None when another program made the file.

    Raises
    ------
    FormatError : a header that is damaged, gone from a file of `write`, or of a newer version
    """
    content = source.text("general/notes")
    if content is None or not content.startswith(_PREFIX.encode()):
        if (source.text("session_description") or b"").endswith(_WRITTEN.encode()):
            raise FormatError(
                f"/session_description says {_WRITTEN!r}, but /general/notes isn't what save left there: {_DAMAGED}"
            )
        return None
    header = read_json(content, source.budget, "its notes")
    if header["version"] > _VERSION:
        raise FormatError(f"version {header['version']} of the format: a newer nsnn_neuro wrote it")
    return {key: decode(value) for key, value in header.items()}


def _read_signals(
    source: Reader, heads: list[dict[str, Any]], n_trials: int, digest: Any
) -> list[list[neo.AnalogSignal]]:
    """The signals of each trial; their values go into the digest too."""
    signals: list[list[neo.AnalogSignal]] = [[] for _ in range(n_trials)]
    for head in heads:
        trials, starts, samples = head["trials"], head["t_start"], head["samples"]
        number = n_trials if trials is None else len(trials)
        source.budget.take(PER_SIGNAL * number, f"{head['path']} in {number} trials")
        values, unit = source.numbers(head["path"] + "/data"), parse_unit(head["unit"])
        whole = isinstance(starts, list) and len(starts) == len(samples) == (1 if trials is None else number)
        if unit is None or not whole or values.ndim != 2 or min(samples, default=0) < 0:
            raise FormatError(f"{head['path']} doesn't fit its description in general/notes")
        if sum(samples) != len(values) or (
            trials is not None and not 0 <= min(trials) <= max(trials) < n_trials
        ):
            raise FormatError(f"{head['path']} doesn't fit its description in general/notes")
        _digest_signal(digest, values)
        pieces = np.split(values, np.cumsum(samples)[:-1])
        if trials is None:
            values.flags.writeable = False  # all trials share it
            trials, starts, pieces = range(n_trials), starts * n_trials, pieces * n_trials
        for i, t_start, piece in zip(trials, starts, pieces, strict=True):
            signal = neo.AnalogSignal(
                piece,
                units=unit.units,
                t_start=t_start * pq.s,
                sampling_rate=head["rate"] * pq.Hz,
                name=head["name"],
                description=head["description"],
                array_annotations=head["array_annotations"],
            )
            signal.annotations.update(head["annotations"])
            signals[i].append(signal)
    return signals


def _moments(source: Reader, dt: Any, n: int) -> tuple[np.ndarray, dict[str, Any]]:
    """Times of all spikes on their trials' clocks, as they stand in the file, and the same as arguments of `build_block`."""
    if "units/tick" in source:
        ticks = source.ragged("tick", n)[0]
        if ticks.dtype.kind not in "iu" or isinstance(dt, bool) or not isinstance(dt, int | float):
            raise FormatError("units/tick needs whole numbers, and dt in the annotations")
        return ticks, {"tick": ticks, "dt": dt}
    times = source.ragged("trial_time", n)[0]
    return times, {"times": times}


def _check_identifier(
    source: Reader,
    header: dict[str, Any],
    bounds: list[np.ndarray],
    trial: np.ndarray,
    neuron: np.ndarray,
    moments: np.ndarray,
    n: int,
) -> list[list[neo.AnalogSignal]]:
    """The signals of each trial, when the file's content is what its identifier was made from.

    Files of earlier versions have no signals in their digest, those of the first one have the spikes in the order of a Block.
    """  # fmt: skip
    t_start, t_stop = bounds
    notes, n_trials = (source.text("general/notes") or b"").decode(), len(t_start)
    digest = sha256(f"{n} {notes}".encode())
    counts = np.zeros(n * n_trials, dtype=np.int64)
    for k in range(0, trial.size, PIECE):
        cell = neuron[k : k + PIECE + 1] * n_trials + trial[k : k + PIECE + 1]
        if (np.diff(cell) < 0).any():  # the digest has the spikes in this order, without their trials
            raise FormatError(f"units/trial goes back within a unit: {_DAMAGED}")
        counts += np.bincount(cell[:PIECE], minlength=counts.size)
    _digest_trains(digest, counts.reshape(n, n_trials), t_start, t_stop)
    dt = None if moments.dtype.kind == "f" else float(header["annotations"]["dt"])
    for k in range(0, moments.size, PIECE):
        piece = moments[k : k + PIECE]
        digest.update(np.ascontiguousarray(piece if dt is None else piece * dt, dtype=float).tobytes())
    unsigned = digest.copy()
    signals = _read_signals(source, header["signals"], n_trials, digest)
    said = (source.text("identifier") or b"").decode("ascii", "replace")
    made = digest if header.get("digest") == _DIGEST else unsigned
    if said != str(uuid.uuid5(_NAMESPACE, made.hexdigest())) and not (
        "digest" not in header and said == _first_identifier(notes, bounds, trial, neuron, moments, dt, n)
    ):
        raise FormatError(
            f"its spikes, notes or signals are not those that its identifier was made from: {_DAMAGED}"
        )
    return signals


def _first_identifier(
    notes: str,
    bounds: list[np.ndarray],
    trial: np.ndarray,
    neuron: np.ndarray,
    moments: np.ndarray,
    dt: float | None,
    n: int,
) -> str:
    """The identifier that the first versions gave: of all spikes by trial, neuron and time."""  # fmt: skip
    digest = sha256(f"{n} {notes}".encode())
    times = np.asarray(moments if dt is None else moments * dt, dtype=float)
    order = np.lexsort((times, neuron, trial))
    for values in (trial.astype(np.int64)[order], neuron[order], times[order], *bounds):
        digest.update(np.ascontiguousarray(values).tobytes())
    return str(uuid.uuid5(_NAMESPACE, digest.hexdigest()))


def read(source: Reader, header: dict[str, Any]) -> neo.Block:
    """The Block that `write` put into a file; `header` is what `written_here` found there.

    Raises
    ------
    FormatError : a part is missing or doesn't fit, the content isn't that of the identifier, or the budget is too small
    """
    n, n_trials = source.length("units/id"), source.length("intervals/trials/t_start")
    n_spikes = source.length("units/trial")
    source.budget.take(PER_TRIAL * n_trials, f"{n_trials} trials")
    source.budget.take(PER_UNIT * n + 8 * n * n_trials, f"{n} neurons in {n_trials} trials")
    source.budget.take(PER_SPIKE * n_spikes, f"{n_spikes} spikes")
    bounds = [source.numbers(f"intervals/trials/{k}").astype(float) for k in ("t_start", "t_stop")]
    trial, neuron = source.ragged("trial", n)
    moments, given = _moments(source, header["annotations"].get("dt"), n)
    if len(bounds[1]) != n_trials or len(moments) != len(trial) or trial.dtype.kind not in "iu":
        raise FormatError("trials, spikes and their times are not as many, or of another type")
    trial = trial.astype(np.int64, copy=False)
    if trial.size and not 0 <= int(trial.min()) <= int(trial.max()) < n_trials:
        raise FormatError(f"units/trial goes beyond {n_trials} trials")
    signals = _check_identifier(source, header, bounds, trial, neuron, moments, n)
    block = build_block(
        trial,
        neuron,
        **given,
        n_trials=n_trials,
        n_neurons=n,
        t_start=bounds[0],
        t_stop=bounds[1],
        signals=signals,
        annotations=header["annotations"],
    )
    block.name, block.description, block.rec_datetime = header["block"]
    for segment, known in zip(block.segments, header["segments"] or [], strict=False):
        segment.name, segment.description = known[:2]
        segment.annotations.update(known[2])
    return block

"""Damaged NWB files: those of `save` and of other programs."""
# Imports internals: thousands of damaged files are read without the start of a command for each.

from __future__ import annotations

import contextlib
import hashlib
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from helpers import bombs
from helpers.fuzz.mutations import (
    SEED,
    Case,
    change_structure,
    changed_bytes,
    changed_json,
    changed_values,
    members,
)

_NAMESPACE = uuid.UUID("5c0c4d0e-3d5f-5b0a-9f0e-6e1f1b6d7a11")


def fingerprint(block: Any) -> str:
    """A digest of all that a Block holds here."""
    from nsnn_neuro.io.json_codec import dumps
    from nsnn_neuro.measures import as_trains

    spikes = as_trains(block)
    spikes.check()
    digest = hashlib.sha256(dumps(dict(block.annotations)).encode())
    for values in (spikes.trial, spikes.neuron, spikes.times, spikes.t_start, spikes.t_stop):
        digest.update(np.ascontiguousarray(values).tobytes())
    for segment in block.segments:
        digest.update(dumps([segment.name, segment.description, dict(segment.annotations)]).encode())
        for one in segment.analogsignals:
            about = [
                one.name,
                str(one.dtype),
                list(one.shape),
                str(one.units),
                float(one.t_start),
                float(one.sampling_rate),
            ]
            digest.update(dumps([*about, dict(one.annotations), dict(one.array_annotations)]).encode())
            digest.update(np.ascontiguousarray(one.magnitude).tobytes())
        for one in (*segment.events, *segment.epochs, *segment.irregularlysampledsignals):
            arrays = {key: values.tolist() for key, values in one.array_annotations.items()}
            digest.update(repr((one.name, arrays, np.asarray(getattr(one, "labels", [])).tolist())).encode())
            digest.update(np.ascontiguousarray(one.times.magnitude).tobytes())
    return digest.hexdigest()


def without_specifications(path: Path) -> bytes:
    """An NWB file without the copy of its schema, two thirds of it."""
    small = path.with_suffix(".small")
    with h5py.File(path) as old, h5py.File(small, "w") as new:
        new.attrs["nwb_version"] = old.attrs["nwb_version"]
        for name in old:
            if name != "specifications":
                old.copy(name, new)
    return small.read_bytes()


def forge(path: Path) -> None:
    """Give a file of `save` the identifier that its content would have."""
    with h5py.File(path, "r+") as file:
        notes, n = file["general/notes"][()], len(file["units/id"])
        trial, t_start, t_stop = (
            file["units/trial"][...],
            *(file[f"intervals/trials/{k}"][...] for k in ("t_start", "t_stop")),
        )
        neuron = np.repeat(np.arange(n), np.diff(file["units/trial_index"][...].astype(int), prepend=0))
        digest = hashlib.sha256(f"{n} ".encode() + notes)
        counts = np.bincount(neuron * len(t_start) + trial, minlength=n * len(t_start))
        digest.update(counts.tobytes() + t_start.tobytes() + t_stop.tobytes())
        header = json.loads(notes)
        digest.update((file["units/tick"][...] * float(header["annotations"]["dt"])).tobytes())
        for head in header["signals"]:
            values = file[f"{head['path']}/data"][...]
            digest.update(f"{values.dtype.str} {values.shape}".encode() + values.tobytes())
        for head in header["timed"]:
            for key in ("data", "timestamps") if head["kind"] == "irregularlysampledsignals" else ():
                values = file[f"{head['path']}/{key}"][...]
                digest.update(f"{values.dtype.str} {values.shape}".encode() + values.tobytes())
        file["identifier"][()] = str(uuid.uuid5(_NAMESPACE, digest.hexdigest()))


def nwb_cases(folder: Path) -> Callable[[int], Case]:
    """Files of `save` and of other programs: bytes, structure, content, notes with a forged identifier, bombs."""
    from helpers.roundtrip import rich_block
    from nsnn_neuro import load, save

    own = without_specifications(save(rich_block(), folder / "own.nwb"))
    (folder / "small.nwb").write_bytes(own)
    expected = fingerprint(load(folder / "small.nwb"))
    foreign = []
    for layout in (lambda make: make, bombs.in_neos_layout):
        layout(_foreign)(folder / "foreign.nwb")
        load(folder / "foreign.nwb")
        foreign.append((folder / "foreign.nwb").read_bytes())
    _session(folder / "session.nwb")
    load(folder / "session.nwb", trials=False)
    foreign.append((folder / "session.nwb").read_bytes())
    traps = [*bombs.BOMBS, *bombs.ASTRAY, *map(bombs.in_neos_layout, [*bombs.IN_NEOS_LAYOUT, *bombs.ASTRAY])]

    def case(k: int) -> Case:
        rng = np.random.default_rng([SEED, 0, k])
        path, group = folder / f"{k}.nwb", k % 10
        exact = False
        if group < 3:
            path.write_bytes(changed_bytes(own, rng))
            exact = True
        elif group < 5:
            path.write_bytes(own)
            with h5py.File(path, "r+") as file:
                change_structure(file, rng)
        elif group == 5:
            path.write_bytes(own)
            with h5py.File(path, "r+") as file:
                names = [n for n in members(file) if isinstance(file[n], h5py.Dataset)]
                name = names[int(rng.integers(len(names)))]
                values = changed_values(file[name][()], rng)
                del file[name]
                file[name] = values
        elif group == 6:
            path.write_bytes(own)
            with h5py.File(path, "r+") as file:
                notes = json.dumps(changed_json(json.loads(file["general/notes"][()]), rng))
                file["general/notes"][()] = notes
            with contextlib.suppress(Exception):  # notes that have no identifier
                forge(path)
        elif group == 7 and k // 10 < len(traps):
            traps[k // 10](path)
        else:
            source = foreign[k // 10 % 3]
            path.write_bytes(changed_bytes(source, rng) if group == 8 else source)
            if group != 8:
                with h5py.File(path, "r+") as file:
                    if rng.integers(2):
                        change_structure(file, rng)
                    else:
                        names = [n for n in members(file) if isinstance(file[n], h5py.Dataset)]
                        name = names[int(rng.integers(len(names)))]
                        values = changed_values(file[name][()], rng)
                        del file[name]
                        file[name] = values

        def read() -> str:
            trials = None if group < 7 else (None, False, "trials", "epochs")[k % 4]
            found = fingerprint(load(path, trials=trials, check="full" if k % 3 == 0 else "quick"))
            if found == expected:
                return "equal"
            return "other content" if exact else "read"

        return read

    return case


def _foreign(path: Path) -> None:
    with h5py.File(path, "w") as file:
        bombs.units(file, np.linspace(0.0, 9.5, 20), n=2, ends=[10, 20], obs=(0.0, 10.0))
        bombs.trials(file, np.arange(0.0, 10.0), np.arange(1.0, 11.0))
        file["intervals/trials/label"] = [f"trial {k}" for k in range(10)]
        bombs.series(file, "v", np.arange(40.0).reshape(20, 2))
        file["units/quality"] = ["good", "bad"]


def _session(path: Path) -> None:
    """An uncut recording with every kind of table and event."""
    _foreign(path)
    with h5py.File(path, "r+") as file:
        tables: dict[str, tuple[str, dict[str, Any]]] = {
            "intervals/epochs": ("TimeIntervals", {
                "start_time": [0.0, 5.0], "stop_time": [5.0, 10.0], "id": [0, 1], "tags": [b"a", b"b", b"c"],
                "tags_index": [1, 3], "place": np.zeros((2, 2))}),
            "acquisition/ttl": ("TTLs", {"timestamps": [1.0, 2.0], "data": np.uint8([0, 1]), "labels": [b"off", b"on"]}),
            "acquisition/cues": ("LabeledEvents", {"timestamps": [1.0, 2.0], "data": np.uint8([0, 1])}),
            "acquisition/notes": ("AnnotationSeries", {"timestamps": [1.0, 2.5], "data": [b"start", b"end"]}),
            "acquisition/pupil": ("TimeSeries", {"timestamps": [1.0, 2.5], "data": [0.5, 0.25]}),
            "events/licks": ("EventsTable", {
                "timestamp": [3.0, 1.0], "duration": [0.5, np.nan], "id": [0, 1], "annotation": [b"x", b"y"]}),
            "processing/events/kinds": ("AnnotatedEventsTable", {
                "id": [0, 1], "label": [b"poke", b"beep"], "event_times": [1.0, 2.0, 3.0], "event_times_index": [1, 3]}),
            "processing/behavior/run": ("IntervalSeries", {"timestamps": [1.0, 2.0], "data": [1, -1]}),
        }  # fmt: skip
        for name, (kind, columns) in tables.items():
            file.require_group(name).attrs["neurodata_type"] = kind
            for column, values in columns.items():
                file[f"{name}/{column}"] = values
        file["acquisition/cues/data"].attrs["labels"] = ["left", "right"]
        shank = file.create_group("general/extracellular_ephys/shank")
        shank.attrs["location"] = "CA1"
        file.create_dataset("units/electrode_group", data=[shank.ref, h5py.Reference()], dtype=h5py.ref_dtype)
        for name in ("notes", "pupil", "cues", "ttl"):
            file[f"acquisition/{name}/data"].attrs["unit"] = "n/a"

"""Mutated files of every kind that the package reads, from a fixed seed; run as a program by test_fuzz_files.

    python tests/fuzz_files.py FOLDER KIND FIRST LAST

Case number k is made from the seed (20260, kind, k) alone. Each case ends in a named error or in an equal result, in less than
20 s of CPU time; the program prints one line of JSON with the counts, what went wrong, the slowest case and the peak of memory.
"""
# Imports internals: thousands of damaged files are read without the start of a command for each.

from __future__ import annotations

import base64
import contextlib
import copy
import gzip
import hashlib
import json
import os
import pickle
import resource
import shutil
import signal
import struct
import sys
import time
import uuid
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from helpers import bombs

Case = Callable[[], str]
SEED = 20260
MOST_SECONDS, MOST_BYTES = 20.0, 1.5e9
_NAMESPACE = uuid.UUID("5c0c4d0e-3d5f-5b0a-9f0e-6e1f1b6d7a11")
# what none of the readers has any business with; a subprocess asks git for the revision, outside the guard
_FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "subprocess.Popen",
    "pickle.find_class",
    "ctypes.dlopen",
)
_guarded = False


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (open, (self.path, "w"))


def _audit(event: str, _: Any) -> None:
    if _guarded and event in _FORBIDDEN:
        raise RuntimeError(f"forbidden: {event}")


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """No code and no program may run in here."""
    global _guarded
    _guarded = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _guarded = False


def changed_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """Flipped bits, bytes set, a part cut out, doubled, zeroed or moved, or the end missing."""
    new = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        a, n = int(rng.integers(len(new))), int(rng.integers(1, 65))
        kind = rng.integers(8)
        if kind < 3:
            new[a] ^= 1 << int(rng.integers(8))
        elif kind == 3:
            new[a] = int(rng.choice([0, 1, 127, 128, 255]))
        elif kind == 4:
            del new[a : a + n]
        elif kind == 5:
            new[a:a] = new[a : a + n]
        elif kind == 6:
            new[a : a + n] = bytes(len(new[a : a + n]))
        else:
            del new[max(1, a) :]
        new = new or bytearray(b"\0")
    return bytes(new)


def changed_json(value: Any, rng: np.random.Generator) -> Any:
    """A JSON value with one part of it replaced, left out or doubled."""
    value = copy.deepcopy(value)
    place, key, parts = None, None, value
    for _ in range(int(rng.integers(1, 7))):
        keys = (
            list(parts)
            if isinstance(parts, dict)
            else list(range(len(parts)))
            if isinstance(parts, list)
            else []
        )
        if not keys:
            break
        place, key = parts, keys[int(rng.integers(len(keys)))]
        parts = place[key]
    odd = [None, True, -1, 0, 10**18, 10**400, 1e308, float("nan"), float("inf"), "", "x" * 1000, "__import__('os')", [], {},
           [[]], [1] * 1000, {"__type__": "ndarray"}, {"__type__": "quantity", "unit": "9**9**9**9", "value": 1.0}, -(2**63),
           0.5]  # fmt: skip
    if place is None:
        return odd[int(rng.integers(len(odd)))]
    if rng.integers(5) == 0 and isinstance(place, dict):
        del place[key]
    elif rng.integers(5) == 0 and isinstance(place, list):
        place.append(place[key])
    else:
        place[key] = odd[int(rng.integers(len(odd)))]
    return value


def changed_values(values: Any, rng: np.random.Generator) -> Any:
    """Values of a data set, one of them or all of them other ones."""
    values = np.array(values)
    if values.dtype.kind not in "biuf" or not values.size:
        return np.array([b"x" * 300, b""])
    flat = values.reshape(-1).copy()
    odd = (
        [0, 1, -1, 127, 2**31 - 1]
        if values.dtype.kind != "f"
        else [np.nan, np.inf, -np.inf, 1e300, -1.0, 0.0, 1e-310]
    )
    k = int(rng.integers(flat.size))
    kind = int(rng.integers(5))
    if kind == 0:
        flat[:] = np.array(odd[int(rng.integers(len(odd)))]).astype(values.dtype, casting="unsafe")
    elif kind == 1:
        flat = flat[::-1]
    elif kind == 2:
        return np.concatenate([flat, flat])
    elif kind == 3:
        flat = np.roll(flat, 1)
    else:
        flat[k] = np.array(odd[int(rng.integers(len(odd)))]).astype(values.dtype, casting="unsafe")
    return flat.reshape(values.shape)


def members(file: h5py.File) -> list[str]:
    """Paths of all groups and data sets."""
    found: list[str] = []
    file.visit(found.append)
    return sorted(found)


def change_structure(file: h5py.File, rng: np.random.Generator) -> None:
    """A member that is gone, renamed, of another type or shape, linked elsewhere, or with other attributes."""
    names = members(file)
    name = names[int(rng.integers(len(names)))]
    other = names[int(rng.integers(len(names)))]
    kind = int(rng.integers(11))
    if kind == 0:
        del file[name]
    elif kind == 1:
        file.move(name, f"{name}_")
    elif kind == 2:
        del file[name]
        file.create_group(name)
    elif kind == 3:
        del file[name]
        kinds = ["i1", "u8", "f2", "f8", "S5", "c16", ">f4", "M8[s]", "?"]
        with contextlib.suppress(TypeError):
            file[name] = np.zeros(int(rng.integers(4)), dtype=kinds[int(rng.integers(len(kinds)))])
    elif kind == 4:
        del file[name]
        file[name] = np.zeros(tuple(rng.integers(0, 4, int(rng.integers(4)))))
    elif kind == 5:
        del file[name]
        file[name] = h5py.SoftLink(f"/{other}")
    elif kind == 6:
        del file[name]
        file[name] = h5py.ExternalLink("/etc/hostname", "/x")
    elif kind == 7 and name not in other and other not in name:
        del file[name]
        file[name] = file[other]
    elif kind == 8:
        item = file[name]
        for attribute in list(item.attrs):
            item.attrs[attribute] = ["x" * 100, 9e99, np.zeros(3), b"\xff"][int(rng.integers(4))]
    elif kind == 9:
        del file[name]
        vlen = h5py.vlen_dtype(np.dtype("f8"))
        file.create_dataset(name, (2,), dtype=vlen)[0] = [1.0, 2.0]
    else:
        del file[name]
        file[name] = h5py.Empty("f8")


def fingerprint(block: Any) -> str:
    """A digest of all that a Block holds here."""
    from nsnn_neuro.io import dumps
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
        for name in ("notes", "pupil", "cues", "ttl"):
            file[f"acquisition/{name}/data"].attrs["unit"] = "n/a"


TOML = """
[model]
type = "LIF"
tau_m = "20 ms"
v_rest = "0 mV"
v_reset = "10 mV"
v_thresh = ["20 mV", "21 mV"]
tau_refrac = "2 ms"
[noise]
type = "EscapeNoise"
family = {type = "Gaussian", sigma = "0.4 mV"}
[stimulus]
type = "Sinusoid"
mean = "15 mV"
amplitude = "3 mV"
frequency = "10 Hz"
[run]
duration = "2 s"
n_neurons = 2
seed = 12
dt = "0.1 ms"
bridge = true
[sweep]
measures = ["firing_rate", {name = "fano_factor", window = "100 ms"}]
chunk = 4
[sweep.grid]
noise.family.sigma = ["0.2 mV", "0.4 mV"]
stimulus.mean = {from = "10 mV", to = "20 mV", n = 5}
"""
TOKENS = ["[", "]", "{", "}", "=", ".", ",", '"', "'", '"""', "\n", "#", "10", "1e400", "nan", "inf", "-1", "true",
          '"9**9**9 mV"', "\\u0000", "sweep", "model", "n", "from", "9" * 5000, "1979-05-27", '"20 ms"', "[[", "]]", "é", "\x1b[2J",
          "__import__('os')", "0x" + "f" * 400]  # fmt: skip
VALUES = ['"20 ms"', '"3 mV"', "0.5", "3", '["1 mV", "2 mV"]', "-1", "1e308", "inf", "[]", "{}", "true", '"hard"', '"9e99 s"',
          '"\\u0000"', "9" * 400, '"LIF"', "[{a = 1}]", '{from = "1 mV", to = "2 mV", n = 3}', "1979-05-27", '"0 s"', "[[[1]]]",
          '"1e-400 ms"']  # fmt: skip
TOML_BOMBS = [
    "a" + ".a" * 400_000 + " = 1",
    "[" + "a" + ".a" * 400_000 + "]",
    "[[a]]\n" * 150_000,
    "a = " + "[" * 400_000,
    "a = {b = " * 100_000,
    "\n".join(f"[a{k}]" for k in range(120_000)),
    "[model]\n" + "\n".join(f"k{k}.a.b.c.d.e.f = 1" for k in range(40_000)),
    "a = " + "9" * 900_000,
    TOML + "\n".join(f'noise.x{k} = {{from = "1 mV", to = "2 mV", n = 1048576}}' for k in range(30)),
    TOML.replace("n = 5}", "n = 1048576}").replace(
        '["0.2 mV", "0.4 mV"]', '{from = "1 mV", to = "2 mV", n = 1048576}'
    ),
    TOML.replace('"20 ms"', '["1 ms"' + ', "1 ms"' * 90_000 + "]"),
    "x" * 1_000_001,
]


def toml_cases(folder: Path) -> Callable[[int], Case]:
    """Configurations with bytes and words changed, and bombs; read with their grids."""
    from nsnn_neuro.cli import config, sweep_config
    from nsnn_neuro.sweep import grid

    def case(k: int) -> Case:
        rng = np.random.default_rng([SEED, 1, k])
        path = folder / f"{k}.toml"
        if k < len(TOML_BOMBS):
            path.write_text(TOML_BOMBS[k], encoding="utf-8")
        elif k % 4 == 0:
            lines = TOML.splitlines()
            line = int(rng.choice([j for j, one in enumerate(lines) if " = " in one]))
            lines[line] = lines[line].split(" = ")[0] + " = " + VALUES[int(rng.integers(len(VALUES)))]
            path.write_text("\n".join(lines), encoding="utf-8")
        elif k % 2:
            path.write_bytes(changed_bytes(TOML.encode(), rng))
        else:
            text = TOML
            for _ in range(int(rng.integers(1, 6))):
                a, b = sorted(int(x) for x in rng.integers(0, len(text), 2))
                b = min(b, a + int(rng.integers(0, 12)))
                text = text[:a] + TOKENS[int(rng.integers(len(TOKENS)))] + text[b:]
            path.write_text(text, encoding="utf-8")

        def read() -> str:
            found = config.read(path)
            if found.sweep is None:
                return "read"
            given = sweep_config.arguments(found)
            grid.read(given["model"], given["noise"], given["stimulus"], given["grid"])
            return "read"

        return read

    return case


def _npz(members_: dict[str, bytes], path: Path, compression: int = zipfile.ZIP_STORED) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two members of one name
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, data in members_.items():
                archive.writestr(name.rstrip("+"), data)


def checkpoint_cases(folder: Path) -> Callable[[int], Case]:
    """Checkpoints of training, resumed, and files of torch modules: bytes, members, headers, plain data, compressed, pickled."""
    import importlib.util

    import nsnn_neuro as nsnn
    from nsnn_neuro import losses

    x = np.random.default_rng(0).random((12, 3))
    y = (x[:, 0] > 0.5).astype(int)
    net = nsnn.feedforward(
        [3, 2], noise=nsnn.EscapeNoise(nsnn.Gaussian(0.4)), plasticity=nsnn.NDL(0.1), seed=1
    )

    def trained(path: Path) -> bytes:
        fit = nsnn.train(
            net,
            (x, y),
            loss=losses.rate_mse,
            epochs=1,
            batch=6,
            n_steps=3,
            seed=1,
            engine="numpy",
            checkpoint=path,
            validation=0.0,
        )
        return (
            b"".join(np.asarray(w).tobytes() for w in fit.network.get_weights())
            + fit.history.to_csv().encode()
        )

    expected = trained(folder / "good.npz")
    good = (folder / "good.npz").read_bytes()
    with zipfile.ZipFile(folder / "good.npz") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    module: Any = None
    if importlib.util.find_spec("torch"):
        import torch

        from nsnn_neuro import deep

        module = torch.nn.Linear(3, 2)
        deep.save(module, folder / "good.pt")
        deep.load(module, folder / "good.pt")  # what it imports, it imports here

    def case(k: int) -> Case:
        rng = np.random.default_rng([SEED, 2, k])
        path, kind = folder / f"{k}.npz", k % 10
        if kind == 9 and module is not None:
            return _module_case(module, (folder / "good.pt").read_bytes(), folder / f"{k}.pt", rng, k)
        if kind == 5:
            about = json.loads(str(np.load(folder / "good.npz")["about"]))
            text = json.dumps(changed_json(about, rng))
            np.savez(folder / "x.npz", about=np.array(text))
            with zipfile.ZipFile(folder / "x.npz") as archive:
                _npz({**parts, "about.npy": archive.read("about.npy")}, path)
        else:
            _changed_npz(good, parts, path, rng, k)

        def read() -> str:
            return "equal" if trained(path) == expected else "other content"

        return read

    return case


def _changed_npz(good: bytes, parts: dict[str, bytes], path: Path, rng: np.random.Generator, k: int) -> None:
    """A damaged npz file, by k % 10: bytes, members, headers, a bomb, or a pickle; `parts` are the members of a good one."""
    kind, names = k % 10, list(parts)
    name = names[int(rng.integers(len(names)))]
    if kind < 4:  # the first one as it is
        path.write_bytes(changed_bytes(good, rng) if k else good)
    elif kind == 4:  # the checksums of zip are right
        _npz({**parts, name: changed_bytes(parts[name], rng)}, path)
    elif kind in (5, 6):
        claims = [(2**40,), (2**62, 4), (0, 2**62), (-1,), (3, 3), ()]
        types = ["<f8", "|O", "<U100000", "|V8", "|S0", ">c16"]
        head = str(
            {
                "descr": types[int(rng.integers(6))],
                "fortran_order": bool(rng.integers(2)),
                "shape": claims[int(rng.integers(6))],
            }
        )
        data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head) + 1) + head.encode() + b"\n" + bytes(8)
        _npz({**parts, name: data}, path)
    elif kind == 7:
        bomb = np.lib.format.magic(1, 0) + b"v\x00" + b" " * 118 + bytes(10**7)
        _npz({**parts, **{f"x{j}.npy": bomb for j in range(20)}}, path, zipfile.ZIP_DEFLATED)
    else:
        pickled = pickle.dumps(Trap(str(path.with_name("sprung"))))
        path.write_bytes(
            [pickled, b"\x93NUMPY\x01\x00" + pickled, json.dumps([1]).encode(), b""][int(rng.integers(4))]
        )


def fit_cases(folder: Path) -> Callable[[int], Case]:
    """Files of `fit.save`, read with load_fit: as those of checkpoints, and other plain data with the right checksum."""
    import nsnn_neuro as nsnn
    from nsnn_neuro import losses
    from nsnn_neuro.core.file_limits import Budget
    from nsnn_neuro.io import dumps
    from nsnn_neuro.learning.checkpoint import read_npz, write_npz

    rule = nsnn.NDL(0.1, signal="random", optimizer=nsnn.Adam())
    net = nsnn.feedforward([3, 2, 2], noise=nsnn.EscapeNoise(nsnn.Gaussian(0.4)), plasticity=rule)
    x = np.random.default_rng(0).random((6, 3))
    options = {"loss": losses.rate_mse, "epochs": 1, "batch": 3, "n_steps": 3, "seed": 1, "engine": "numpy"}
    nsnn.train(net, (x, np.arange(6) % 2), validation=0.0, **options).save(folder / "good.npz")
    good = (folder / "good.npz").read_bytes()
    with zipfile.ZipFile(folder / "good.npz") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}

    def content(path: Path) -> bytes:
        fit = nsnn.load_fit(path)
        notes = dumps([dict(fit.block.annotations), fit.best_epoch, fit.history.to_csv()])
        weights = b"".join(np.asarray(one).tobytes() for one in fit.network.get_weights())
        signals = b"".join(one.magnitude.tobytes() for one in fit.block.segments[0].analogsignals)
        return weights + signals + notes.encode()

    expected = content(folder / "good.npz")

    def case(k: int) -> Case:
        rng = np.random.default_rng([SEED, 6, k])
        path = folder / f"{k}.npz"
        forged = k % 10 in (5, 9)
        if forged:
            arrays, about = read_npz(folder / "good.npz", Budget(10**8))
            changed = changed_json({key: one for key, one in about.items() if key != "sha256"}, rng)
            with contextlib.suppress(Exception):  # plain data that aren't a dict
                write_npz(path, arrays, changed, "path")
        if not path.exists():
            forged = False
            _changed_npz(good, parts, path, rng, k)

        def read() -> str:
            same = content(path) == expected
            return "equal" if same else "read" if forged else "other content"

        return read

    return case


def packed_cases(folder: Path) -> Callable[[int], Case]:
    """Packed recordings, the npz files that `datasets.grasshopper` reads: as those of checkpoints; they have no checksum."""
    from nsnn_neuro.datasets import grasshopper

    source = Path(__file__).resolve().parents[2] / "data" / "grasshopper" / "grasshopper1.npz"
    good = source.read_bytes()
    grasshopper(1)  # asks git for the revision, once
    with zipfile.ZipFile(source) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}

    def case(k: int) -> Case:
        rng = np.random.default_rng([SEED, 7, k])
        (folder / f"{k}").mkdir()
        _changed_npz(good, parts, folder / f"{k}" / "grasshopper1.npz", rng, k)

        def read() -> str:
            fingerprint(grasshopper(1, path=folder / f"{k}"))
            return "read"

        return read

    return case


def _module_case(module: Any, good: bytes, path: Path, rng: np.random.Generator, k: int) -> Case:
    import torch

    from nsnn_neuro import deep

    before = {name: value.clone() for name, value in module.state_dict().items()}
    kind = k // 10 % 4
    if kind < 2:  # the first one as it is
        path.write_bytes(changed_bytes(good, rng) if k > 9 else good)
    elif kind == 2:
        path.write_bytes(pickle.dumps(Trap(str(path.with_name("sprung")))))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Trap(str(path.with_name("sprung")))))
            archive.writestr("archive/data/0", bytes(10**8))

    def read() -> str:
        deep.load(module, path)
        same = all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
        module.load_state_dict(before)
        return (
            "equal" if same else "read"
        )  # torch's files have checksums of their own, which its reader doesn't compare

    return read


def sweep_cases(folder: Path) -> Callable[[int], Case]:
    """Folders of a sweep: manifest and chunks with bytes or JSON changed, their checksums right or not; pipes, other files."""
    from nsnn_neuro import FormatError
    from nsnn_neuro.sweep.store import Folder, digest
    from nsnn_neuro.sweep.worker import COLUMNS

    config = {"seeds": [1], "points": [{"a": 0.5}, {"a": 1.0}], "trials": 2}
    row = {"population": "x", "neuron": 0, "measure": "m", "value": 1.5, "se": 0.25, "n": 3, "unit": "Hz"}
    assert list(row) == list(COLUMNS)
    good = folder / "good"
    one = Folder(good)
    with one.locked():
        one.begin(config, True)
        for point in (0, 1):
            one.add(
                1, [{"point": point, "rows": {name: [value] for name, value in row.items()}, "failed": []}]
            )
        expected = one.results([1], 2)
    files = {path.name: path.read_bytes() for path in good.iterdir()}
    chunks = [name for name in files if name.startswith("chunk")]

    def case(k: int) -> Case:
        rng = np.random.default_rng([SEED, 3, k])
        here, forged = folder / f"sweep{k}", False
        here.mkdir()
        for name, data in files.items():
            (here / name).write_bytes(data)
        name = chunks[k // 8 % 2] if k % 4 else "manifest.json"
        if k % 8 < 4:
            (here / name).write_bytes(changed_bytes(files[name], rng))
        elif k % 8 < 7:
            data = changed_json(json.loads(files[name]), rng)
            inner = "config" if name == "manifest.json" else "chunk"
            if isinstance(data, dict) and inner in data and rng.integers(2):
                data["sha256"], forged = digest(data[inner]), True
            (here / name).write_text(json.dumps(data))
        else:
            (here / name).unlink()
            text = [
                b"[" * 100_000,
                b"[" + b"[]," * 20_000_000 + b"[]]",
                pickle.dumps(Trap(str(folder / "sprung"))),
                None,
            ][k // 8 % 4]
            os.mkfifo(here / name) if text is None else (here / name).write_bytes(text)

        def read() -> str:
            other = Folder(here)
            with other.locked():
                other.begin(config, True)
                found = other.results([1], 2)
            if found == expected:
                return "equal"
            missing = all(expected.get(key) == value for key, value in found.items())
            return "refused" if missing else "read" if forged else "other content"

        def resumed() -> str:
            try:
                return read()
            except FormatError as error:
                if "resume=False" not in str(error):
                    raise RuntimeError("no cure") from error
                raise

        return resumed if name == "manifest.json" else read

    return case


def idx_cases(folder: Path) -> Callable[[int], Case]:
    """Images of MNIST and their labels, plain and compressed: bytes, headers that claim, bombs."""
    from nsnn_neuro.datasets import mnist

    rng = np.random.default_rng(0)
    images = struct.pack(">4I", 0x803, 3, 28, 28) + rng.integers(0, 256, 3 * 784, dtype=np.uint8).tobytes()
    labels = struct.pack(">2I", 0x801, 3) + bytes([1, 2, 3])
    n = 200_000
    claimed = {
        "images-idx3": struct.pack(">4I", 0x803, n, 28, 28) + bytes(784 * n),
        "labels-idx1": struct.pack(">2I", 0x801, n) + bytes(n),
    }
    large = {stem: gzip.compress(content, 1) for stem, content in claimed.items()}

    def case(k: int) -> Case:
        rng = np.random.default_rng([SEED, 4, k])
        here = folder / f"idx{k}"
        here.mkdir()
        data = {"images-idx3": images, "labels-idx1": labels}
        name = list(data)[k % 2]
        if k % 5 == 0:
            head = struct.pack(
                ">4I", 0x803, *(int(x) for x in rng.choice([0, 1, 28, 2**16, 2**31, 2**32 - 1], 3))
            )
            data["images-idx3"] = head + images[16:]
        elif k % 5 == 1:
            for stem, content in large.items():
                (here / f"t10k-{stem}-ubyte.gz").write_bytes(content)
        elif k % 5 < 4:
            data[name] = changed_bytes(data[name], rng)
        packed = bool(rng.integers(2))
        for stem, content in data.items() if k % 5 != 1 else ():
            content = gzip.compress(content, 1) if packed else content
            if packed and k % 5 == 4 and stem.startswith(name):
                content = changed_bytes(content, rng)
            (here / f"t10k-{stem}-ubyte{'.gz' if packed else ''}").write_bytes(content)

        def read() -> str:
            X, y = mnist(here, "test")
            if X.shape[1:] != (784,) or len(X) != len(y) or not ((X >= 0) & (X <= 1)).all() or y.max() > 9:
                return "other content"
            return "read"

        return read

    return case


def zip_cases(folder: Path) -> Callable[[int], Case]:
    """Archives of N-MNIST: bytes, recordings, names, members that overlap or expand."""
    from nsnn_neuro.datasets import nmnist

    event = bytes([3, 5, 0x80, 1, 0]) * 20
    parts = {f"Test/{digit}/{j}.bin": event for digit in range(10) for j in range(2)}
    _npz(parts, folder / "good.zip", zipfile.ZIP_DEFLATED)
    good = (folder / "good.zip").read_bytes()
    zeros = {f"Test/{digit}/{j}.bin": bytes(5_000_000) for digit in range(10) for j in range(6)}
    _npz(zeros, folder / "large.zip", zipfile.ZIP_DEFLATED)
    large = (folder / "large.zip").read_bytes()

    def case(k: int) -> Case:
        rng = np.random.default_rng([SEED, 5, k])
        path = folder / f"{k}.zip"
        names = list(parts)
        name = names[int(rng.integers(len(names)))]
        if k % 5 < 2:
            path.write_bytes(changed_bytes(good, rng))
        elif k % 5 == 2:
            _npz({**parts, name: changed_bytes(event, rng)}, path, zipfile.ZIP_DEFLATED)
        elif k % 5 == 3:
            odd = [
                "../../x.bin",
                "/etc/x.bin",
                "Test/0/" + "a/" * 30_000 + "x.bin",
                "Test/0/x\0y.bin",
                name + "+",
                "Test/10/x.bin",
                "C:\\x.bin",
            ]
            _npz({**parts, odd[int(rng.integers(len(odd)))]: event}, path)
        elif k % 10 == 4:
            path.write_bytes(large)
        else:
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for one, data in parts.items():
                    archive.writestr(one, data)
                archive.writestr("Test/0/z.bin", bytes(5_000_000))
                last = archive.infolist()[-1]
                for j in range(2000):
                    twin = copy.copy(last)
                    twin.filename = twin.orig_filename = f"Test/1/y{j}.bin"
                    archive.filelist.append(twin)

        def read() -> str:
            recordings, y = nmnist(path, "test", per_digit=None)
            return "read" if len(recordings) == len(y) else "other content"

        return read

    return case


KINDS: dict[str, Callable[[Path], Callable[[int], Case]]] = {
    "nwb": nwb_cases,
    "toml": toml_cases,
    "checkpoint": checkpoint_cases,
    "sweep": sweep_cases,
    "idx": idx_cases,
    "zip": zip_cases,
    "fit": fit_cases,
    "packed": packed_cases,
}


def _late(*_: Any) -> None:
    raise TimeoutError("more than two minutes")


def run(folder: Path, kind: str, first: int, last: int) -> dict[str, Any]:
    """Run the cases of a kind from `first` to `last`, without it."""
    from nsnn_neuro import NsnnError

    case = KINDS[kind](folder)
    before = set(folder.iterdir())
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    slowest = [0.0, -1]
    for k in range(first, last):
        read = case(k)
        signal.alarm(120)
        began = time.process_time()
        try:
            with guarded():
                outcome = read()
            if outcome == "other content":
                wrong.append(f"{kind} {k}: read as other content")
        except NsnnError as error:
            outcome, text = "refused", str(error)
            if not text or "MemoryError" in text or "forbidden" in text:
                wrong.append(f"{kind} {k}: {text}")
        except (KeyboardInterrupt, Exception) as error:  # what must not happen
            outcome = "raised"
            wrong.append(f"{kind} {k}: {type(error).__name__}: {str(error)[:200]}")
        signal.alarm(0)
        counts[outcome] += 1
        took = time.process_time() - began
        slowest = max(slowest, [round(took, 2), k])
        if took > MOST_SECONDS:
            wrong.append(f"{kind} {k}: took {took:.1f} s")
        for path in set(folder.iterdir()) - before:
            if path.name == "sprung":
                wrong.append(f"{kind} {k}: ran code")
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return {"kind": kind, "counts": dict(counts), "wrong": wrong, "slowest": slowest}


def _peak() -> int:
    """Peak memory of this program in bytes; that of `getrusage` starts from the memory of the process that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text(encoding="ascii").split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Run what the arguments say, and print what came of it."""
    folder, plan = Path(sys.argv[1]), json.loads(base64.b64decode(sys.argv[2]))
    resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30,) * 2)
    sys.addaudithook(_audit)
    signal.signal(signal.SIGALRM, _late)
    for kind, first, last in plan:
        here = folder / kind
        here.mkdir(parents=True, exist_ok=True)
        print(json.dumps(run(here, kind, first, last)), flush=True)
    print(json.dumps({"peak": _peak(), "cpu": time.process_time()}))


if __name__ == "__main__":
    main()

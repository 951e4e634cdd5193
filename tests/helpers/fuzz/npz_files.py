"""Damaged npz files: checkpoints, fits, packed recordings; and files of torch modules."""
# Imports internals: thousands of damaged files are read without the start of a command for each.

from __future__ import annotations

import contextlib
import json
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from helpers.fuzz.mutations import SEED, Case, Trap, changed_bytes, changed_json
from helpers.fuzz.nwb_files import fingerprint


def npz(members_: dict[str, bytes], path: Path, compression: int = zipfile.ZIP_STORED) -> None:
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
                npz({**parts, "about.npy": archive.read("about.npy")}, path)
        else:
            changed_npz(good, parts, path, rng, k)

        def read() -> str:
            return "equal" if trained(path) == expected else "other content"

        return read

    return case


def changed_npz(good: bytes, parts: dict[str, bytes], path: Path, rng: np.random.Generator, k: int) -> None:
    """A damaged npz file, by k % 10: bytes, members, headers, a bomb, or a pickle; `parts` are the members of a good one."""
    kind, names = k % 10, list(parts)
    name = names[int(rng.integers(len(names)))]
    if kind < 4:  # the first one as it is
        path.write_bytes(changed_bytes(good, rng) if k else good)
    elif kind == 4:  # the checksums of zip are right
        npz({**parts, name: changed_bytes(parts[name], rng)}, path)
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
        npz({**parts, name: data}, path)
    elif kind == 7:
        bomb = np.lib.format.magic(1, 0) + b"v\x00" + b" " * 118 + bytes(10**7)
        npz({**parts, **{f"x{j}.npy": bomb for j in range(20)}}, path, zipfile.ZIP_DEFLATED)
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
    from nsnn_neuro.core.results import read_npz, write_npz
    from nsnn_neuro.io.json_codec import dumps

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
            changed_npz(good, parts, path, rng, k)

        def read() -> str:
            same = content(path) == expected
            return "equal" if same else "read" if forged else "other content"

        return read

    return case


def packed_cases(folder: Path) -> Callable[[int], Case]:
    """Packed recordings, the npz files that `datasets.grasshopper` reads: as those of checkpoints; they have no checksum."""
    from nsnn_neuro.datasets import grasshopper

    source = Path(__file__).resolve().parents[3] / "data" / "grasshopper" / "grasshopper1.npz"
    good = source.read_bytes()
    grasshopper(1)  # asks git for the revision, once
    with zipfile.ZipFile(source) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}

    def case(k: int) -> Case:
        rng = np.random.default_rng([SEED, 7, k])
        (folder / f"{k}").mkdir()
        changed_npz(good, parts, folder / f"{k}" / "grasshopper1.npz", rng, k)

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
        # torch's files have checksums of their own, which its reader doesn't compare
        return "equal" if same else "read"

    return read

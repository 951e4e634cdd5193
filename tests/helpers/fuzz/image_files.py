"""Damaged files of images: MNIST's idx files, archives of N-MNIST."""
# Imports internals: thousands of damaged files are read without the start of a command for each.

from __future__ import annotations

import copy
import gzip
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from helpers.fuzz.mutations import SEED, Case, changed_bytes
from helpers.fuzz.npz_files import npz


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
    npz(parts, folder / "good.zip", zipfile.ZIP_DEFLATED)
    good = (folder / "good.zip").read_bytes()
    zeros = {f"Test/{digit}/{j}.bin": bytes(5_000_000) for digit in range(10) for j in range(6)}
    npz(zeros, folder / "large.zip", zipfile.ZIP_DEFLATED)
    large = (folder / "large.zip").read_bytes()

    def case(k: int) -> Case:
        rng = np.random.default_rng([SEED, 5, k])
        path = folder / f"{k}.zip"
        names = list(parts)
        name = names[int(rng.integers(len(names)))]
        if k % 5 < 2:
            path.write_bytes(changed_bytes(good, rng))
        elif k % 5 == 2:
            npz({**parts, name: changed_bytes(event, rng)}, path, zipfile.ZIP_DEFLATED)
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
            npz({**parts, odd[int(rng.integers(len(odd)))]: event}, path)
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

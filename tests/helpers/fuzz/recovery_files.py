"""Damaged files of calibrations and matrices of transfer entropy that continue where they were interrupted."""
# Imports internals: thousands of damaged files are read without a simulation for each.

from __future__ import annotations

import dataclasses
import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from helpers.fuzz.mutations import SEED, Case, changed_json
from helpers.fuzz.npz_files import changed_npz


def _changer(good: Path, name: str, kind: int) -> Callable[[Path, int], bool]:
    """A function that writes damaged copies of the file `good`, and returns whether its checksum was made right again.

    name : of an array that is replaced by more zeros than are needed
    """
    from nsnn_neuro.core.file_limits import Budget
    from nsnn_neuro.core.results import read_npz, write_npz

    content = good.read_bytes()
    arrays, about = read_npz(good, Budget(10**8))
    plain = {key: one for key, one in about.items() if key != "sha256"}
    with zipfile.ZipFile(good) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    large = good.with_name("large")
    write_npz(large, arrays | {name: np.zeros(2**22)}, plain, "out")

    def change(path: Path, k: int) -> bool:
        rng = np.random.default_rng([SEED, kind, k])
        if k % 12 == 10:
            os.mkfifo(path) if rng.integers(2) else path.mkdir()
        elif k % 24 == 11:
            os.link(large, path)
        elif k % 24 == 23:
            changed: Any = changed_json(plain, rng)
            write_npz(path, arrays, changed if isinstance(changed, dict) else {}, "out")
            return True
        else:
            changed_npz(content, parts, path, rng, k)
        return False

    return change


def calibration_cases(folder: Path) -> Callable[[int], Case]:
    """Statistics that `calibrate(out=)` has kept: as checkpoints, pipes, larger arrays, plain data with the right checksum.

    What is not used is named in one warning and simulated again, which counts as refused.
    """
    from brian2 import ms, mV

    import nsnn_neuro as nsnn

    cell = nsnn.PIF(tau_m=10 * ms, v_reset=0 * mV, v_thresh=10 * mV, tau_refrac=0 * ms)
    parts = {"noise": nsnn.WhiteNoise(2 * mV), "stimulus": nsnn.Constant(10 * mV)}
    quick = {"method": "simulation", "n_simulations": 40, "n_generations": 2, "engine": "numpy", "seed": 1}
    block = nsnn.simulate(cell, **parts, duration=200 * ms, trials=10, dt=1 * ms, seed=1, engine="numpy")
    free = {"stimulus.v": (5 * mV, 20 * mV)}
    runs = nsnn.calibrate(cell, free, trains=block, dt=1 * ms, out=folder / "runs", **parts, **quick)._runs
    runs = dataclasses.replace(runs, out=folder / "good")
    (folder / "good").mkdir()
    call = (np.array([[0.5], [0.6]]), 3, [1, 2])
    expected = runs(*call)
    (good,) = (folder / "good").iterdir()
    change = _changer(good, "statistics", 8)

    class Again(Exception):
        """The statistics are simulated again."""

    class Reader(type(runs)):
        """Reads what is kept, without simulations."""

        def simulated(self, *_: Any) -> np.ndarray:
            raise Again

    fields = {field.name: getattr(runs, field.name) for field in dataclasses.fields(runs)}

    def case(k: int) -> Case:
        (folder / f"{k}").mkdir()
        path = folder / f"{k}" / good.name
        change(path, k)

        def read() -> str:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    kept = Reader(**fields | {"out": path.parent})(*call)
                    return "equal" if np.array_equal(kept, expected) and not caught else "other content"
                except Again:
                    (one,) = caught
                    return "refused" if str(path) in str(one.message) else "no warning of the file"

        return read

    return case


def matrix_cases(folder: Path) -> Callable[[int], Case]:
    """Files of `transfer_entropy_matrix(out=)`: as those of calibrations."""
    from nsnn_neuro.measures import transfer_entropy_matrix

    series = np.random.default_rng(0).integers(0, 2, (3, 40))

    def computed(path: Path) -> bytes:
        matrix = transfer_entropy_matrix(series, n_shuffle=2, out=path, progress=False)
        return b"".join(getattr(matrix, name).tobytes() for name in ("value", "se", "p", "null"))

    expected = computed(folder / "good.npz")
    change = _changer(folder / "good.npz", "null", 9)

    def case(k: int) -> Case:
        path = folder / f"{k}.npz"
        forged = change(path, k)

        def read() -> str:
            return "equal" if computed(path) == expected else "read" if forged else "other content"

        return read

    return case

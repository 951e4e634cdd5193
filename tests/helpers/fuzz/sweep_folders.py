"""Damaged folders of a sweep."""
# Imports internals: thousands of damaged files are read without the start of a command for each.

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np

from helpers.fuzz.mutations import SEED, Case, Trap, changed_bytes, changed_json


def sweep_cases(folder: Path) -> Callable[[int], Case]:
    """Folders of a sweep: manifest and chunks with bytes or JSON changed, their checksums right or not; pipes, other files."""
    from nsnn_neuro import FormatError
    from nsnn_neuro.core.results import digest
    from nsnn_neuro.sweep.store import Folder
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

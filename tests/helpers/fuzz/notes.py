"""Damaged notes on earlier runs in the cache, from which `engine="auto"` chooses."""
# Imports internals: a simulation for each of thousands of notes would take hours.

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from helpers.fuzz.mutations import SEED, Case, changed_bytes, changed_json


def note_cases(folder: Path) -> Callable[[int], Case]:
    """Changed bytes and values, nested lists, pipes, folders and large files; what is no note is ignored, as if there were none."""
    from nsnn_neuro.brian.engine_choice import Work, decide
    from nsnn_neuro.brian.engine_history import History
    from nsnn_neuro.core import run_notes

    os.environ["NSNN_CACHE_DIR"] = str(folder)
    work = Work(steps=10_000, noisy=1, noisy_members=100)
    program = "b" * 64
    seconds = {"cython": 3.0, "cpp": 2.0}
    History("good", program).add("cpp", ["a" * 64], seconds)
    text = run_notes.read("good")
    assert text is not None
    notes = run_notes.folder()
    assert notes is not None

    def case(k: int) -> Case:
        rng = np.random.default_rng([SEED, 10, k])
        path = notes / str(k)
        if k % 8 == 0:
            os.mkfifo(path) if rng.integers(2) else path.mkdir()
        elif k % 8 == 1:
            depth = int(10 ** rng.uniform(0, 6))
            path.write_text("[" * depth + "]" * int(rng.integers(depth + 1)))
        elif k % 8 < 5:
            path.write_text(json.dumps(changed_json(json.loads(text), rng)))
        else:
            path.write_bytes(changed_bytes(text.encode(), rng))

        def read() -> str:
            history = History(str(k), program)
            credit, ready = history.credit(), history.ready()
            assert decide(work, has_compiler=True, ready=ready, credit=credit).engine in (
                "numpy",
                "cython",
                "cpp",
            )
            if credit == seconds and not ready:
                return "equal"
            return "refused" if credit == {"cython": 0.0, "cpp": 0.0} else "read"

        return read

    return case

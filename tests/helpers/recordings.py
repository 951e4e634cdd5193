"""Optional recordings for tests, outside the repository.

Their parent folder is the environment variable NSNN_SHARED_DATA, or else shared/data next to the repository. Each set is a
folder with a SOURCE.txt that states its origin and published numbers. Tests of absent sets are skipped.
"""

from __future__ import annotations

import os
from pathlib import Path

import neo
import numpy as np
import pytest
import quantities as pq

from nsnn_neuro import to_block

__all__ = ["block", "folder"]


def folder(name: str) -> Path:
    """Return the folder of a set of recordings, or skip the test."""
    named = os.environ.get("NSNN_SHARED_DATA")
    data = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"
    if not (data / name / "SOURCE.txt").is_file():
        pytest.skip(f"no recordings {name} (NSNN_SHARED_DATA, or shared/data next to the repository)")
    return data / name


def block(trials: list[np.ndarray], t_stop: float, t_start: float = 0.0) -> neo.Block:
    """A Block of one neuron from its trials (s)."""
    return to_block([[t] for t in trials], t_start=t_start * pq.s, t_stop=t_stop * pq.s)

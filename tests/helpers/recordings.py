"""Where the recordings lie that tests may read but that are no part of the project.

They are looked for in the folder that the environment variable NSNN_SHARED_DATA names, or else in shared/data beside
the repository. Each set is a folder with a SOURCE.txt that tells where it came from and which numbers were found in it.
Tests that ask for a set which isn't there are skipped.
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
    """The folder of a set of recordings, or a skipped test."""
    named = os.environ.get("NSNN_SHARED_DATA")
    data = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"
    if not (data / name / "SOURCE.txt").is_file():
        pytest.skip(f"no recordings {name} (NSNN_SHARED_DATA, or shared/data beside the repository)")
    return data / name


def block(trials: list[np.ndarray], t_stop: float, t_start: float = 0.0) -> neo.Block:
    """Trials of one neuron, seconds, as a Block."""
    return to_block([[t] for t in trials], t_start=t_start * pq.s, t_stop=t_stop * pq.s)

"""Quick runs of the studies, once per test session, shared by all processes and notebook kernels."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import ModuleType

import pandas as pd

from analysis import harness


def quick_table(study: ModuleType) -> pd.DataFrame:
    """Return the table of a quick run from its file; wait if another process is computing it."""
    folder = Path(os.environ["NSNN_RESULTS"])
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{harness.name_of(study)}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        config = study.Config(quick=True)
        path = folder / harness.name_of(study) / harness.config_hash(config) / "table.csv"
        # the folder belongs to this session, so its files are from the current code
        return pd.read_csv(path) if path.is_file() else harness.result(study, config)

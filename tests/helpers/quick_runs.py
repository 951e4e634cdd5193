"""Quick runs of the studies, once in a session of tests: shared by its processes, and read by the notebooks' kernels."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import ModuleType

import pandas as pd

from analysis import harness


def quick_table(study: ModuleType) -> pd.DataFrame:
    """The table of the study's quick run, as it was written to its file; whoever comes while it runs waits for it."""
    folder = Path(os.environ["NSNN_RESULTS"])
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{harness.name_of(study)}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        config = study.Config(quick=True)
        path = folder / harness.name_of(study) / harness.config_hash(config) / "table.csv"
        # the folder is this session's own, so what is in it is of this very code, whatever git says
        return pd.read_csv(path) if path.is_file() else harness.result(study, config)

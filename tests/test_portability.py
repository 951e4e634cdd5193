"""Importing, saving, loading and sweeping need nothing that only POSIX systems have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Remove what Windows lacks, after other packages (which have their own Windows code) are imported, and before this one is.
WITHOUT_POSIX = """
import os, sys
import brian2, elephant, filelock, joblib, matplotlib, neo, numba, pandas, platformdirs, pynwb, sklearn, tqdm
import matplotlib.pyplot, sklearn.neighbors, sklearn.discriminant_analysis, joblib.externals.loky, brian2.devices.cpp_standalone
import elephant.conversion, elephant.statistics, elephant.spike_train_correlation
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in ("getuid", "geteuid", "killpg", "getpgid", "fork", "sched_getaffinity", "statvfs", "mkfifo"):
    if hasattr(os, name):
        delattr(os, name)
opened = os.open
def refuses_folders(path, flags, *args, **options):
    if os.path.isdir(path) and flags & os.O_RDONLY == flags:
        raise PermissionError(13, "Permission denied", path)
    return opened(path, flags, *args, **options)
os.open = refuses_folders
"""
TASKS = """
import sys
from brian2 import ms, mV, second
import nsnn_neuro as nsnn
cell = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
given = dict(noise=nsnn.WhiteNoise(3 * mV), stimulus=nsnn.Constant(18 * mV), duration=0.2 * second, dt=0.2 * ms, seed=1)
block = nsnn.simulate(cell, engine="numpy", **given)
nsnn.save(block, "cell.nwb")
same = nsnn.load("cell.nwb")
assert same.segments[0].spiketrains[0].size == block.segments[0].spiketrains[0].size > 0
table = nsnn.sweep(cell, {"noise.sigma": [2 * mV, 3 * mV]}, measures=[nsnn.measures.firing_rate], trials=1, engine="numpy",
                   out="sweep", **given)
print(len(table))
"""


@pytest.mark.slow
def test_works_without_posix_modules(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX + TASKS],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2"]

"""Files are saved where pynwb can't create its cache folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_block_is_saved_without_a_home_folder(tmp_path) -> None:
    """Slow because it imports pynwb in a new process."""
    (tmp_path / "file").touch()
    script = (
        "import nsnn_neuro as nsnn, quantities as pq\n"
        "nsnn.save(nsnn.to_block([[[0.1]]], t_stop=1 * pq.s), 'run.nwb')\n"
        "assert len(nsnn.load('run.nwb').segments) == 1"
    )
    home = {"HOME": str(tmp_path / "file"), "PYTHONPATH": str(ROOT)}
    environment = {name: value for name, value in os.environ.items() if name != "XDG_CACHE_HOME"} | home
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)

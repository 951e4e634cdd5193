"""Files are saved where pynwb can't create its cache folder."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nsnn_neuro.io.nwb import pynwb_import

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("before", [None, "/nowhere"])
def test_a_temporary_folder_takes_the_place_of_the_cache(before, monkeypatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if before is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", before)
    seen = []

    def refuse_the_first(name: str) -> str | None:
        seen.append(os.environ.get("XDG_CACHE_HOME"))
        if len(seen) == 1:
            raise PermissionError(13, "Permission denied", "/nowhere")
        return seen[-1]

    with monkeypatch.context() as patch:
        patch.setattr(importlib, "import_module", refuse_the_first)
        folder = pynwb_import.load()
    assert seen == [before, folder]
    assert folder != before
    assert os.environ.get("XDG_CACHE_HOME") == before
    assert not Path(str(folder)).exists()


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

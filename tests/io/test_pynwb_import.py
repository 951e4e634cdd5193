"""Files are saved where pynwb can't create its cache folder."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pytest

from nsnn_neuro.io.nwb import pynwb_import


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

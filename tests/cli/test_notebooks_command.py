"""`nsnn notebooks`: what it lists, writes and refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

from helpers.command import error, main

SOURCES = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


def test_notebooks_are_listed_with_their_titles(capsys) -> None:
    assert main(["notebooks"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert [*lines] == [path.stem for path in SOURCES]
    assert lines["grasshopper"] == "From a recording to a neuron"


def test_notebooks_are_written_with_the_cells_of_the_repository(tmp_path, monkeypatch) -> None:
    """They import installed packages only, and have no partner that Jupytext would write beside them."""
    monkeypatch.chdir(tmp_path)
    assert main(["notebooks", "-o", "all"]) == 0
    assert main(["notebooks", "robustness", "grasshopper.ipynb"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"all", "robustness.ipynb", "grasshopper.ipynb"}
    for source in SOURCES:
        notebook, original = (
            json.loads(path.read_text()) for path in (tmp_path / "all" / source.name, source)
        )
        assert notebook["cells"] == original["cells"]
        assert "jupytext" not in notebook["metadata"]
        code = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code")
        assert not re.search(r"^(from|import) analysis|sys\.path", code, re.M)


def test_an_existing_notebook_is_kept_and_nothing_is_written(tmp_path, capsys) -> None:
    (tmp_path / "robustness.ipynb").write_text("mine")
    assert main(["notebooks", "-o", str(tmp_path)]) == 2
    assert "robustness.ipynb: exists already" in error(capsys)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
    assert main(["notebooks", "grashopper", "-o", str(tmp_path)]) == 2
    assert "'grasshopper'" in error(capsys)

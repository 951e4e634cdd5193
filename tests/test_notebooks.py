"""Notebooks: one per study, as a pair of files with equal content; every cell runs."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.quick_runs import quick_table

from analysis import full_runs, harness
from analysis.shared import recordings

jupytext = pytest.importorskip("jupytext")
pytest.importorskip("nbclient")

sys.path.append(str(Path(__file__).resolve().parent.parent / "docs" / "site"))
site = importlib.import_module("executed")

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
REQUIRED = {"learn_digits", "robustness"}


def executed(name: str, **options: Any) -> Any:
    """Outputs are kept in build/executed, where `make docs` finds them."""
    return site.executed(FOLDER / f"{name}.ipynb", **options)


def cells(name: str, kind: str) -> list[str]:
    notebook = jupytext.read(FOLDER / f"{name}.ipynb")
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def test_there_are_notebooks_and_each_is_a_pair() -> None:
    assert set(NAMES) >= REQUIRED
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == NAMES
    assert set(NAMES) <= set(harness.studies())


@pytest.mark.parametrize("name", NAMES)
def test_both_files_of_a_pair_are_equal_and_have_no_output(name: str) -> None:
    """To repair: `jupytext --sync notebooks/*.py`, and `jupyter nbconvert --clear-output`."""
    script, notebook = (jupytext.read(FOLDER / f"{name}{ending}") for ending in (".py", ".ipynb"))
    assert [(c.cell_type, c.source) for c in script.cells] == [
        (c.cell_type, c.source) for c in notebook.cells
    ]
    assert notebook.metadata["jupytext"]["formats"] == "ipynb,py:percent"
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    for cell in notebook.cells:
        assert cell.source.strip(), "a blank line too many in the script makes an empty cell"
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None


@pytest.mark.parametrize("name", NAMES)
def test_notebooks_define_nothing_and_end_with_cells_to_try(name: str) -> None:
    """Functions and classes belong to the package or the study."""
    code = ast.parse("\n".join(cells(name, "code")))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    assert not [node for node in ast.walk(code) if isinstance(node, kinds)]
    prose = "\n".join(cells(name, "markdown"))
    assert re.match(r"# \S", prose)
    assert re.search(r"^## Try it", prose, re.M)
    assert f"nsnn study {name}" in " ".join(prose.split())
    assert len(prose) > 1500
    all_cells = jupytext.read(FOLDER / f"{name}.py").cells
    start = next(k for k, cell in enumerate(all_cells) if re.search(r"^## Try it", cell.source, re.M))
    assert sum(cell.cell_type == "code" for cell in all_cells[start:]) >= 2


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_shows_verdicts_of_the_full_run_and_says_where_to_get_data(name: str) -> None:
    code, study = "\n".join(cells(name, "code")), harness.find(name)
    assert f'full_runs.verdicts("{name}")' in code
    assert "study.claims" not in code
    assert full_runs.verdicts(name).data.shape[0] >= 4
    assert ("recordings.absent(study." in code) is hasattr(study, "RECORDINGS")


def assert_says_where_to_get_recordings(notebook: Any) -> None:
    """And shows what does not depend on them."""
    outputs = [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]
    assert any("NSNN_SHARED_DATA=FOLDER" in out.get("text", "") for out in outputs)
    assert any("image/png" in out.get("data", {}) for out in outputs)


@pytest.fixture(scope="module")
def kernel() -> Iterator[Any]:
    with site.one_kernel() as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs(name: str, kernel: Any) -> None:
    """In an empty kernel and its folder, as a reader would run it; every figure is drawn."""
    study = harness.find(name)
    if getattr(study, "NEEDS", None) is not None:
        pytest.importorskip(study.NEEDS)
    if list(recordings.absent(getattr(study, "REQUIRED", ()))):
        assert_says_where_to_get_recordings(executed(name, kernel=kernel))
        return
    quick_table(study)  # read by the kernel if the code has a git revision
    notebook = executed(name, kernel=kernel)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    kinds = {kind for cell in code for out in cell.outputs if "data" in out for kind in out["data"]}
    assert "text/html" in kinds  # a table
    ends = [(cell.source.splitlines()[-1], cell) for cell in code]
    drawn = [cell for last, cell in ends if re.match(r"study\.plot\(|figures\[[^]]*\]+$", last)]
    assert drawn
    assert all(any("image/png" in out.get("data", {}) for out in cell.outputs) for cell in drawn)


@pytest.mark.slow
def test_a_notebook_runs_without_its_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of those that need some; the others do so where their recordings are absent."""
    monkeypatch.setenv("NSNN_SHARED_DATA", str(tmp_path))
    assert_says_where_to_get_recordings(executed("recorded_codes", cache=tmp_path / "kept"))

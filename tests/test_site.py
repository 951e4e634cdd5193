"""The site: its pages' code runs and prints what they say, and the reference has every public name, each with an example."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nsnn_neuro as nsnn

pytest.importorskip("nbclient")
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
sys.path += [str(DOCS / "site"), str(ROOT / ".ci")]
executed, release = map(importlib.import_module, ("executed", "release"))


@pytest.fixture(scope="module")
def kernel() -> Iterator[Any]:
    with executed.one_kernel() as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("page", executed.PAGES, ids=lambda path: path.stem)
def test_the_code_of_a_page_runs_and_prints_what_the_page_says(page, kernel):
    """Outputs are kept in build/executed, where `make docs` finds them."""
    assert not executed.differences(page, executed.executed(page, kernel))


@pytest.mark.slow
def test_a_page_that_prints_something_else_is_found(tmp_path, kernel):
    page, kept = tmp_path / "page.md", tmp_path / "kept"
    page.write_text(
        "```python\nx = 2\nprint(x)\n```\n```text\n3\n```\n\n"
        "```python\nprint(x, 1.25)\nx\n```\n\n```text\n2 1.2...\n```\n"
    )
    notebook = executed.executed(page, kernel, kept)
    (difference,) = executed.differences(page, notebook)
    assert "-3\n+2" in difference
    assert [executed.printed(cell) for cell in executed.code_cells(notebook)] == ["2\n", "2 1.25\n"]
    page.write_text("Words change nothing.\n" + page.read_text())
    assert executed.with_outputs(executed.page_cells(page.read_text()), kept)  # kept: the code is the same
    page.write_text("```python\n1 / 0\n```\n")
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        executed.executed(page, kernel, kept)


# lists: they cannot have a docstring
WITHOUT_EXAMPLE = {"brian.FLAGS", "brian.PROGRAM_FLAGS", "plotting.COLOURS"}


def public() -> dict[str, Any]:
    """Dotted name -> public object, each once."""
    modules = {name: getattr(nsnn, name) for name in nsnn.__all__}
    modules = {"": nsnn} | {name: m for name, m in modules.items() if isinstance(m, types.ModuleType)}
    if importlib.util.find_spec("torch"):
        modules["deep"] = importlib.import_module("nsnn_neuro.deep")
    found: dict[str, Any] = {}
    for name, module in modules.items():
        for inner in module.__all__:
            thing = getattr(module, inner)
            if not isinstance(thing, types.ModuleType) and not any(
                thing is other for other in found.values()
            ):
                found[f"{name}.{inner}".lstrip(".")] = thing
    return found


def test_every_public_name_has_one_entry_in_the_reference_and_an_example():
    texts = [path.read_text(encoding="utf-8") for path in (DOCS / "reference").glob("*.md")]
    names = re.findall(r"^::: nsnn_neuro\.(\S+)$", "\n".join(texts), re.M)
    assert len(names) == len(set(names))
    assert not sorted(set(public()) - set(names))
    docs = {name: getattr(thing, "__doc__", "") or "" for name, thing in public().items()}
    shown = {name.split(".")[-1] for name, doc in docs.items() if ">>>" in doc}
    # the example of a result is that of the function that makes it
    made = {name for name, doc in docs.items() if shown.intersection(re.findall(r"made by `(\w+)`", doc))}
    lacking = {name for name, doc in docs.items() if ">>>" not in doc} - made
    assert lacking == WITHOUT_EXAMPLE


def test_a_tag_that_is_not_the_version_is_refused_and_notes_are_a_section_of_the_changelog(capsys, tmp_path):
    assert len(set(release.versions().values())) == 1
    assert release.main("v99.0") == 1
    assert "nsnn_neuro/__init__.py has version" in capsys.readouterr().err
    (tmp_path / "CHANGELOG.md").write_text(
        "## [Unreleased]\nnext\n\n## [0.2.0] - 2026-12-01\n### Added\n- This.\n\n## [0.1.0]\nold\n"
    )
    assert release.notes("0.2.0", tmp_path) == "### Added\n- This."

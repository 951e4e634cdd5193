"""The site: its pages' code runs and prints what they say, and the reference has every public name, each with an example."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest

import nsnn_neuro as nsnn

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


sys.path += [str(DOCS / "site"), str(ROOT / ".ci")]
pages, release = (importlib.import_module(name) for name in ("pages", "release"))


@pytest.mark.slow
@pytest.mark.parametrize("page", pages.WITH_CODE, ids=lambda path: path.stem)
def test_the_code_of_a_page_runs_and_prints_what_the_page_says(page):
    """Results are kept in build/pages, where `make docs` finds them."""
    assert not pages.differences(page, pages.run(page)[1])


@pytest.mark.slow
def test_a_page_that_prints_something_else_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nx = 2\nprint(x)\n```\n```text\n3\n```\n\n"
        "```python\nprint(x, 1.25)\n```\n\n```text\n2 1.2...\n```\n"
    )
    folder, results = pages.run(page, tmp_path / "kept")
    (difference,) = pages.differences(page, results)
    assert "-3\n+2" in difference
    assert [result["printed"] for result in results] == ["2\n", "2 1.25\n"]
    assert pages.run(page, tmp_path / "kept")[0] == folder  # from the kept results
    page.write_text("```python\n1 / 0\n```\n")
    with pytest.raises(RuntimeError, match=r"(?s)page\.md.*ZeroDivisionError"):
        pages.run(page, tmp_path / "kept")


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
    lacking = {name for name, thing in public().items() if ">>>" not in (getattr(thing, "__doc__", "") or "")}
    assert lacking == WITHOUT_EXAMPLE


def test_every_page_and_notebook_is_in_the_menu():
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert not [p for p in DOCS.rglob("*.md") if f" {p.relative_to(DOCS).as_posix()}\n" not in menu]
    notebooks = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert set(re.findall(r"tutorials/(\w+)\.md", menu)) == notebooks


def test_a_tag_that_is_not_the_version_is_refused_and_notes_are_a_section_of_the_changelog(capsys, tmp_path):
    assert len(set(release.versions().values())) == 1
    assert release.main("v99.0") == 1
    assert "nsnn_neuro/__init__.py has version" in capsys.readouterr().err
    (tmp_path / "CHANGELOG.md").write_text(
        "## [Unreleased]\nnext\n\n## [0.2.0] - 2026-12-01\n### Added\n- This.\n\n## [0.1.0]\nold\n"
    )
    assert release.notes("0.2.0", tmp_path) == "### Added\n- This."

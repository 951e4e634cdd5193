"""What the documentation shows is run: its Python blocks."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from nsnn_neuro.core import warn

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


# ends of calls that would compile
CALLS = {
    "your_own": "duration=500*ms, seed=1\n)",
    "architectures": "dt=1*ms, seed=1\n)",
    "sweep": 'out="rates"\n)',
    "robustness": "validation=0, seed=1\n)",
    "deep": "dt=1*ms,\n    seed=1\n)",
}

# what takes long, and is tested with the fits
SHORTER = {
    "likelihood": {
        "training=Training(batch=4)": "training=Training(batch=4, epochs=2)",
        "duration=2*second, seed=2": "duration=0.5*second, seed=2",
    }
}


def blocks(name: str) -> list[str]:
    """The Python blocks of a page, which compile nothing but those on engines and likelihood."""
    text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    if name in CALLS:
        assert CALLS[name] in text
        text = text.replace(CALLS[name], CALLS[name][:-2] + ', engine="numpy")')
    for long, short in SHORTER.get(name, {}).items():
        assert long in text
        text = text.replace(long, short)
    return re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere_and_tables_have_their_columns(page):
    """A row of dashes with another number of cells than the head isn't a table to most readers."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    # by docs/site/content.py; names of functions
    made = re.compile(r"tutorials/index\.md|verdicts\.md|benchmarks\.md|#.*")
    links = [link for link in links if not made.fullmatch(link)]
    assert not [link for link in links if not (page.parent / link.split("#")[0]).exists()]
    for head, dashes in itertools.pairwise(text.splitlines()):
        if re.fullmatch(r"\|(\s*:?-+:?\s*\|)+", dashes):
            assert len(re.findall(r"(?<!\\)\|", head)) == dashes.count("|"), head


def test_sections_that_warnings_name_are_on_their_pages():
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "nsnn_neuro").rglob("*.py"))
    named = set(re.findall(r"\{(TRUST|FIT_RIGHT)\}([a-z -]+)", source))
    assert len(named) > 8
    for page, section in named:
        text = (ROOT / "docs" / f"{page.lower()}.md").read_text(encoding="utf-8")
        title, *headings = re.findall(r"^##? (.+)", text, re.M)
        assert f'"{title}"' in getattr(warn, page)
        assert section.capitalize() in headings


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "printed"),
    [
        ("information", "correction panzeri-treves; se jackknife over samples"),
        ("architectures", "(8, 1, 3, 3)"),
        ("sweep", "firing_rate"),
        ("robustness", "correction none"),
        ("which_fit", "bits_per_spike"),
        ("likelihood", ""),
        ("voltage", ""),
        ("your_own", ""),
        ("deep", "layer4: 10; input->layer1,"),
    ],
)
def test_the_code_of_a_page_runs(page, printed, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for needed in ("torch", "nir") if page == "deep" else ():
        pytest.importorskip(needed)
    module = types.ModuleType(f"page_{page}")  # classes look their annotations up in their module
    monkeypatch.setitem(sys.modules, module.__name__, module)
    cloudpickle.register_pickle_by_value(module)  # as functions of a script are sent to other processes
    deep = page == "deep"  # torch's generator stays as it was
    with sys.modules["torch"].random.fork_rng(devices=[]) if deep else contextlib.nullcontext():
        for text in blocks(page):
            exec(compile(text, f"{page}.md", "exec"), vars(module))
    assert printed in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.compile
def test_the_page_on_engines_compiles_once(monkeypatch, tmp_path):
    """Counts the calls of `make`, by a script of that name in front of it on the path."""
    calls, script = tmp_path / "calls", tmp_path / "make"
    calls.touch()
    script.write_text(f'#!/bin/sh\necho call >> "{calls}"\nexec "{shutil.which("make")}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    names: dict[str, Any] = {}
    exec("\n".join(blocks("engine")), names)
    assert names["block"].segments[0].spiketrains[0].size > 0
    assert len(calls.read_text().split()) <= 1

"""Run the code of pages and notebooks once, keep what it prints and draws, and compare what is printed with the page.

The `python` blocks of a page are the cells of a notebook. They run in order in a folder of their own, and a `text` block that
follows one is what it prints; `...` in it stands for any text. Outputs are kept in build/executed by code and version of the
package, so that the tests run what the site shows: `pytest tests/test_site.py -k NAME_OF_PAGE` says where a page differs. (The
cache of MyST-NB goes by the code of the cells only: it would show outputs of an older package.)
"""

from __future__ import annotations

import difflib
import doctest
import functools
import hashlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "executed"
PAGES = [
    ROOT / "docs" / f"{name}.md"
    for name in ("index", "getting_started", "plots", "trust", "fit_right", "misfit")
]
PAGES += sorted((ROOT / "docs" / "howto").glob("*.md"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
_BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```\n(?:\n*```text\n(?P<expected>.*?)^```\n)?", re.M | re.S)
_PREPARE = """import os
os.chdir({folder!r})  # the folder of the page before is gone
%reset -f
import brian2, IPython
brian2.prefs.codegen.target = {target!r}
IPython.get_ipython().ast_node_interactivity = {shown!r}
%reset -f
"""


def page_cells(text: str) -> NotebookNode:
    """The notebook of a page: prose and Python blocks; metadata of a block's cell has the text that it should print."""
    cells, lines, end = [], [], 0
    for match in [*_BLOCK.finditer(text), None]:
        start = match.start() if match else len(text)
        if text[end:start].strip():
            cells.append(new_markdown_cell(text[end:start]))
            lines.append(text.count("\n", 0, end))
        if match:
            prints = {"prints": match["expected"] or ""}
            cells.append(new_code_cell(match["code"].rstrip("\n"), metadata=prints))
            lines.append(text.count("\n", 0, start))
            end = match.end()
    return new_notebook(cells=cells, metadata={"source_map": lines, "language_info": {"name": "python"}})


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells with code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@functools.cache
def code_version() -> str:
    """Checksum of what the code of pages and notebooks uses, and of the version of Python."""
    candidates = (
        path for name in ("nsnn_neuro", "analysis", "data", "examples") for path in (ROOT / name).rglob("*")
    )
    files = sorted(path for path in candidates if path.is_file() and "__pycache__" not in path.parts)
    sums = (hashlib.sha256(path.read_bytes()).digest() for path in files)
    return hashlib.sha256(str(sys.version_info[:2]).encode() + b"".join(sums)).hexdigest()


def _kept_at(notebook: NotebookNode, cache: Path) -> Path:
    code = "\n\n".join(cell.source for cell in code_cells(notebook))
    return cache / f"{hashlib.sha256((code_version() + code).encode()).hexdigest()[:20]}.json"


def read(source: Path) -> NotebookNode:
    """A page or notebook, without outputs."""
    text = source.read_text(encoding="utf-8")
    return page_cells(text) if source.suffix == ".md" else nbformat.reads(text, as_version=4)


def with_outputs(notebook: NotebookNode, cache: Path = CACHE) -> NotebookNode | None:
    """The notebook with the outputs that are kept for its code; None if it has not been run."""
    cells, path = code_cells(notebook), _kept_at(notebook, cache)
    if cells and not path.is_file():
        return None
    for cell, outputs in zip(cells, json.loads(path.read_text()) if cells else [], strict=True):
        cell.outputs = [nbformat.from_dict(output) for output in outputs]
    return notebook


@contextmanager
def one_kernel() -> Iterator[Any]:
    """A kernel for several notebooks, one after the other, as importing takes longer than most of them."""
    results = os.environ.get("NSNN_RESULTS", str(ROOT / "build" / "results"))
    quiet = {"OMP_NUM_THREADS": "1", "CI": "true", "PYTHONSAFEPATH": "1", "NSNN_RESULTS": results}
    inline = {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "PYTHONPATH": str(ROOT)}
    client = NotebookClient(new_notebook(), extra_arguments=["--IPKernelApp.log_level=ERROR"])
    # ipykernel drops the first folder of the path where it is the one that it starts in
    with client.setup_kernel(env=os.environ | inline | quiet, cwd=tempfile.gettempdir()):
        yield client.km


def _shown(output: NotebookNode) -> bool:
    """Whether a reader is to see an output: no warnings, and no names of objects such as those of axes."""
    if output.output_type == "stream":
        return output.name == "stdout"
    data = output.get("data", {})
    if "image/png" in data or data.get("text/plain", "").startswith("<"):
        data.pop("text/plain", None)
    if "text/html" in data:  # a table: its own style is one for all tables of a page
        data["text/html"] = re.sub(r"<style.*?</style>", "", data["text/html"], flags=re.S)
    return bool(data)


def executed(source: Path, kernel: Any = None, cache: Path = CACHE) -> NotebookNode:
    """Run a page or notebook, or find its kept outputs.

    kernel : one that is running, which is emptied before; None: one of its own

    Raises
    ------
    nbclient.exceptions.CellExecutionError : a cell raised an error
    """
    if kept := with_outputs(notebook := read(source), cache):
        return kept
    if kernel is None:
        with one_kernel() as kernel:
            return executed(source, kernel, cache)
    with tempfile.TemporaryDirectory() as scratch:
        # a page's own Brian2 objects would compile for most of a minute, and its last expressions are not shown
        page = {"folder": scratch, "target": "numpy", "shown": "none"}
        alone = {"folder": str(source.parent), "target": "auto", "shown": "last_expr"}
        prepare = _PREPARE.format(**(page if source.suffix == ".md" else alone))
        for each in (new_notebook(cells=[new_code_cell(prepare)]), notebook):
            NotebookClient(each, km=kernel, timeout=900).execute()
    for cell in code_cells(notebook):
        cell.outputs = list(filter(_shown, cell.outputs))
    path = _kept_at(notebook, cache)
    cache.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps([cell.outputs for cell in code_cells(notebook)]))
    new.replace(path)
    return notebook


def execute_all() -> dict[Path, NotebookNode]:
    """Pages and notebooks with outputs; those that have not been run are, two at a time."""

    def run(some: list[Path]) -> None:
        with one_kernel() as kernel:
            for source in some:
                executed(source, kernel)

    missing = [source for source in (*PAGES, *NOTEBOOKS) if not with_outputs(read(source))]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, filter(None, (missing[::2], missing[1::2]))))
    return {source: executed(source) for source in (*PAGES, *NOTEBOOKS)}


def printed(cell: NotebookNode) -> str:
    """What a cell printed."""
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def differences(page: Path, notebook: NotebookNode) -> list[str]:
    """Where the printed text of a page's blocks differs from the page, a text for each such block."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    out = []
    for cell in code_cells(notebook):
        pair = cell.metadata["prints"], printed(cell)
        if not doctest.OutputChecker().check_output(*pair, flags):
            lines = difflib.unified_diff(*map(str.splitlines, pair), "page", "printed", lineterm="")
            out.append(
                f"{page}: the block that begins with {cell.source.splitlines()[0]!r}:\n" + "\n".join(lines)
            )
    return out


def for_site(text: str) -> NotebookNode:
    """A page for MyST-NB: below each block the text that the page says it prints, and its figures; as it is if it was not run."""
    if not (notebook := with_outputs(page_cells(text))):
        return new_notebook(cells=[new_markdown_cell(text)], metadata={"source_map": [0]})
    for cell in code_cells(notebook):
        figures = [output for output in cell.outputs if output.output_type != "stream"]
        prints = cell.metadata["prints"]
        cell.outputs = ([new_output("stream", text=prints)] if prints else []) + figures
    return notebook

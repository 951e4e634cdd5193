"""Notebooks as pages: each is run in an empty kernel, and becomes Markdown with the figures that it drew."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbclient
import nbformat
from pages import ROOT, code_version

FOLDER = ROOT / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def client_of(notebook: nbformat.NotebookNode, kernel: Any = None) -> nbclient.NotebookClient:
    """What runs a notebook in its folder, in this kernel or in one of its own."""
    resources = {"metadata": {"path": str(FOLDER)}}
    return nbclient.NotebookClient(
        notebook, km=kernel, timeout=900, kernel_name="python3", resources=resources
    )


def environment() -> dict[str, str]:
    """The variables of a kernel."""
    inline = {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "PYTHONPATH": str(ROOT)}
    results = os.environ.get("NSNN_RESULTS", str(ROOT / "build" / "results"))
    quiet = {"OMP_NUM_THREADS": "1", "CI": "true", "PYTHONSAFEPATH": "1", "NSNN_RESULTS": results}
    return os.environ | inline | quiet


@contextmanager
def one_kernel() -> Iterator[Any]:
    """A kernel for several notebooks, one after the other, as importing takes longer than most of them."""
    client = client_of(nbformat.v4.new_notebook())
    with client.setup_kernel(env=environment()):
        yield client.km


def executed(
    name: str, cache: Path = ROOT / "build" / "notebooks", kernel: Any = None
) -> nbformat.NotebookNode:
    """Run a notebook or find its kept result.

    kernel : one that is running, which is emptied before; None: one of its own

    Raises
    ------
    nbclient.exceptions.CellExecutionError : a cell raised an error
    """
    source = FOLDER / f"{name}.ipynb"
    key = hashlib.sha256(
        code_version("nsnn_neuro", "analysis", "data").encode() + source.read_bytes()
    ).hexdigest()[:16]
    path = cache / f"{name}-{key}.ipynb"
    if not path.is_file():
        notebook = nbformat.read(source, as_version=4)
        if kernel is not None:
            empty = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("%reset -f")])
            client_of(empty, kernel).execute()
        client_of(notebook, kernel).execute(env=environment())
        cache.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)
    return nbformat.read(path, as_version=4)


def with_math(text: str) -> str:
    """Markdown with MathML, which browsers draw without any library, in place of formulas $...$ and $$...$$."""
    from latex2mathml.converter import convert

    def formula(match: re.Match[str]) -> str:
        latex, display = (match[1], "block") if match[1] else (match[2], "inline")
        html = convert(latex, display=display)
        return re.sub(r"[*_]", lambda mark: f"&#{ord(mark[0])};", html)

    parts = re.split(r"(`[^`]*`)", text)
    for k in range(0, len(parts), 2):
        parts[k] = re.sub(r"\$\$(.+?)\$\$|\$([^$\s](?:[^$]*?[^$\s])?)\$", formula, parts[k], flags=re.S)
    return "".join(parts)


def as_page(name: str) -> tuple[str, dict[str, bytes]]:
    """(Markdown, {name of an image: its PNG}) of a notebook with its outputs."""
    out: list[str] = []
    images: dict[str, bytes] = {}
    for cell in executed(name).cells:
        if cell.cell_type == "markdown":
            out += [with_math(cell.source), ""]
        if cell.cell_type != "code":
            continue
        out += ["```python", cell.source, "```", ""]
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                image = f"{name}-{len(images) + 1}.png"
                images[image] = base64.b64decode(data["image/png"])
                out += [f"![Figure drawn by the code above]({image})", ""]
            elif "text/html" in data:
                table = re.sub(r"<style.*?</style>", "", data["text/html"], flags=re.S)
                out += [
                    '<div class="table" style="overflow-x: auto" markdown="0">',
                    *filter(str.strip, table.splitlines()),
                    "</div>",
                    "",
                ]
            elif output.output_type == "stream" and output.name == "stdout":
                out += ["```text", output.text.rstrip(), "```", ""]
            elif "text/plain" in data and not data["text/plain"].startswith("<"):
                out += ["```text", data["text/plain"], "```", ""]
    return "\n".join(out), images

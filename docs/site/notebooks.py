"""Notebooks as pages: each is run in its own kernel, and becomes Markdown with the figures that it drew."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from pathlib import Path

import nbclient
import nbformat
from pages import ROOT, code_version

FOLDER = ROOT / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def executed(name: str, cache: Path = ROOT / "build" / "notebooks") -> nbformat.NotebookNode:
    """Run a notebook or find its kept result.

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
        client = nbclient.NotebookClient(
            notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
        )
        inline = {
            "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "CI": "true",
            "PYTHONSAFEPATH": "1",
        }
        results = {"NSNN_RESULTS": os.environ.get("NSNN_RESULTS", str(ROOT / "build" / "results"))}
        client.execute(env=os.environ | inline | results | {"PYTHONPATH": str(ROOT)})
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

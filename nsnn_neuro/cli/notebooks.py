"""`nsnn notebooks`: list the notebooks about the studies, or write some to open in Jupyter."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ..core.errors import NsnnError
from ..core.shipped import shipped
from .output import show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="notebooks to write; default: all with -o")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER", help="where to; default: the working directory"
    )


def run(arguments: argparse.Namespace) -> None:
    """Print each notebook's name and title, or write notebooks; existing files are kept."""
    from ..core.checks import one_of

    paths = {path.stem: path for path in sorted(shipped("notebooks").glob("*.ipynb"))}
    if not arguments.names and arguments.output is None:
        for name, path in paths.items():
            title = _read(path)["cells"][0]["source"][0].lstrip("# ").rstrip()
            show(f"{name.ljust(25)}{title}\n")
        return
    folder = arguments.output or Path()
    names = [one_of(name.removesuffix(".ipynb"), paths, "NAME") for name in arguments.names] or list(paths)
    targets = {folder / f"{name}.ipynb": paths[name] for name in names}
    for target in targets:
        if target.exists():
            raise NsnnError(f"{target}: exists already; -o FOLDER names another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for target, path in targets.items():
        notebook = _read(path)
        del notebook["metadata"]["jupytext"]  # pairs it with a script, which stays in the repository
        target.write_text(json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        show(f"{target}: jupyter notebook {target}\n")


def _read(path: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook

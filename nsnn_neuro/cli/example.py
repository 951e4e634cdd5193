"""`nsnn example`: list the example files, or copy one to edit and run."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..core.errors import NsnnError
from ..core.shipped import shipped
from .output import output_path, show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="file to copy, such as lif.toml")
    parser.add_argument("-o", "--output", metavar="FILE", help="copy; default: NAME in the working directory")


def run(arguments: argparse.Namespace) -> None:
    """Print each example's name and command, or copy one; an existing file is kept."""
    from ..core.checks import one_of

    examples = {path.name: path for path in sorted(shipped("examples").glob("*.toml"))}
    if arguments.name is None:
        for name, path in examples.items():
            show(f"{name.ljust(12)}{_command(path, name)}\n")
        return
    source = examples[one_of(arguments.name, examples, "NAME")]
    target = output_path(arguments.output or arguments.name, ["toml"])
    if target.exists():
        raise NsnnError(f"{target}: exists already; -o FILE names another copy")
    content = source.read_text(encoding="utf-8").replace(f"examples/{source.name}", str(target), 1)
    target.write_text(content, encoding="utf-8")
    show(f"{target}: {_command(source, str(target))}\n")


def _command(path: Path, name: str) -> str:
    """The command in an example's first line, with the file under its new name."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.lstrip("# ").replace(f"examples/{path.name}", name)

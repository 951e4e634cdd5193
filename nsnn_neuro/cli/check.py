"""`nsnn check`: read a file completely and check its structure, units and order."""

from __future__ import annotations

import argparse
from typing import Any

from .output import show, size_of

__all__ = ["add_parser", "run"]


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command to argparse's subparsers."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "check", help="read a file completely and check its structure, units and order", allow_abbrev=False
    )
    parser.add_argument("file", metavar="FILE", help="NWB, or any format that Neo reads without unpickling")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Print that the file is undamaged.

    Raises
    ------
    NsnnError, OSError : it is damaged or can't be read
    """
    from ..io.save_load import load

    block = load(arguments.file, check="full")
    show(f"{arguments.file}: no damage found; {size_of(block)}\n")

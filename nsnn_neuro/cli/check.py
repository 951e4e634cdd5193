"""`nsnn check`: read a file completely and check its structure, units and order."""

from __future__ import annotations

import argparse
from typing import Any

from .output import new_parser, show, size_of


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command to argparse's subparsers."""
    parser = new_parser(commands, "check", "read a file completely and check its structure, units and order")
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

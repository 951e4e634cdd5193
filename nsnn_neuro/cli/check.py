"""`nsnn check`: read a file completely and check its structure, units and order."""

from __future__ import annotations

import argparse

from .output import show, size_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("file", metavar="FILE", help="NWB, or any format that Neo reads without unpickling")


def run(arguments: argparse.Namespace) -> None:
    """Print that the file is undamaged."""
    from ..io.save_load import load

    block = load(arguments.file, check="full")
    show(f"{arguments.file}: no damage found; {size_of(block)}\n")

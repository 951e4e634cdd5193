"""`nsnn check`: read a file completely, check its structure, units and order, and name what the DANDI archive would miss."""

from __future__ import annotations

import argparse
from pathlib import Path

from .output import show, size_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("file", metavar="FILE", help="NWB, or any format that Neo reads without unpickling")


def run(arguments: argparse.Namespace) -> None:
    """Print that the file is undamaged, and for NWB the metadata that an archive would miss."""
    from ..io.nwb.archive import findings
    from ..io.save_load import load

    block = load(arguments.file, check="full")
    show(f"{arguments.file}: no damage found; {size_of(block)}\n")
    if not arguments.file.lower().endswith(".nwb"):
        return
    refused, reported = findings(Path(arguments.file))
    if refused:
        show(f"to share it on DANDI, add metadata (save(block, path, metadata=...)): {'; '.join(refused)}\n")
        if {"seed", "parameters"} <= block.annotations.keys():  # of simulate
            show(
                "it is a simulation: do not invent a subject; publish it with its code or in a general archive\n"
            )
    if reported:
        show(f"nwbinspector would report: {'; '.join(reported)}\n")
    if not refused and not reported:
        show("subject, session and resolution of spike times are as DANDI asks for\n")

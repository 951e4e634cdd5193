"""`nsnn study`: list the studies, or run some and write their reports."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from .output import interruptible

_NAME = "nsnn_neuro.studies"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "studies", nargs="*", metavar="NAME", help="names of studies, or all; default: list them"
    )
    parser.add_argument("--quick", action="store_true", help="small, fast run with larger errors")
    parser.add_argument("--seed", type=int, metavar="N", help="seed, instead of the study's own")
    parser.add_argument("--seeds", type=int, metavar="N", help="number of seeds, instead of the study's own")
    parser.add_argument("--sabotage", metavar="S", help="spoil the input, so that the claims must fail")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="number of studies that run in parallel; default: one per core"
    )
    parser.add_argument(
        "--from-table",
        action="store_true",
        help="verdicts from the kept table of the study's full run, without a run",
    )
    add_output(parser)


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the option for the folder of results."""
    parser.add_argument(
        "-o", "--output", dest="results", type=Path, default=Path("results"), metavar="FOLDER",
        help="folder for reports and tables; default: ./%(default)s",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run the command of the studies; 1 if a claim failed, 3 if one of several studies crashed."""
    if not arguments.studies:
        # read from the source: importing the studies takes seconds
        print(*importlib.import_module(f"{_NAME}.listing").lines(), sep="\n")
        return 0
    from ..core.progress import announcing

    command = importlib.import_module(f"{_NAME}.__main__")
    with interruptible(), announcing():
        return int(command.run(arguments))

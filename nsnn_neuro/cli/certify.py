"""`nsnn certify`: check simulated neurons against theory."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from ..core.errors import NsnnError
from .output import aligned, counted, interruptible, say, show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("models", nargs="*", metavar="MODEL", help="names of neuron models; default: all")
    parser.add_argument(
        "--ranges",
        action="store_true",
        help="test the ends of the ranges of noise and rates, too (four times as long)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the rows as JSON, and nothing else, on stdout"
    )
    parser.add_argument(
        "--out",
        default="certificate",
        metavar="DIR",
        help="folder for the CSV table and the figure; default: ./%(default)s",
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="number of processes; default: 2")


def run(arguments: argparse.Namespace) -> int:
    """Print the certificate and write its table and figure; 1 if a row failed."""
    folder = Path(arguments.out)
    if folder.exists() and not folder.is_dir():
        raise NsnnError(f"--out {folder}: that is a file: expected a folder")
    began = time.perf_counter()
    from ..certify import certify, report
    from ..certify.run import ends_of_ranges

    models = arguments.models or None
    with interruptible():
        table = certify(models, ranges=arguments.ranges, n_jobs=arguments.jobs)
    files = report.write(table, folder)
    if arguments.json:
        show(report.as_json(table) + "\n")
    else:
        show(aligned(report.lines(table), left=report.LEFT))
        show(report.summary(table, time.perf_counter() - began) + "\n")
    say(", ".join(str(path) for path in files))
    if not arguments.ranges and (more := ends_of_ranges(models)):
        say(f"{counted(more, 'more row')} at the ends of the ranges of noise and rates: --ranges")
    return int((table["verdict"] == "fail").any())

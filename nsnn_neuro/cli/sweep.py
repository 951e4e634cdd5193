"""`nsnn sweep`: run a parameter grid described in a TOML file."""

from __future__ import annotations

import argparse
import time

from ..core.aliases import DataFrame
from ..core.errors import NsnnError
from .output import interruptible, say, show

_HEAD = 12  # rows that are shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "config", metavar="CONFIG.toml", help="file as for simulate, with an additional table sweep"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FOLDER", help="folder for the results; made if needed"
    )
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="number of processes, -1 for all cores; default: 1"
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="address of a Dask scheduler, instead of processes"
    )
    parser.add_argument(
        "--resume", action=argparse.BooleanOptionalAction, default=True,
        help="continue an unfinished sweep in the folder; --no-resume deletes it and starts again",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run the sweep, print the first rows of its table; 1 if points failed."""
    from ..sweep import sweep
    from . import config, sweep_config

    settings = config.read(arguments.config)
    given, began = sweep_config.arguments(settings), time.perf_counter()
    given |= {"out": arguments.output, "n_jobs": arguments.jobs}
    try:
        with interruptible():
            table = sweep(**given, scheduler=arguments.scheduler, resume=arguments.resume)
    except NsnnError as error:
        raise NsnnError(settings.place(str(error))) from error
    show(_head(table))
    points, seconds = len(table.drop_duplicates(["point", "seed"])), time.perf_counter() - began
    say(f"{arguments.output}: table.csv of {len(table)} rows, {points} points, took {seconds:.1f} s")
    return int(table["failed"].any())


def _head(table: DataFrame) -> str:
    labels = {
        name: f"{name} ({unit})" for name, unit in table.attrs["units"].items() if unit not in ("", "1")
    }
    rows = table.head(_HEAD).rename(columns=labels).to_string(index=False, max_colwidth=40, na_rep="-")
    more = f"... and {len(table) - _HEAD} rows more\n" if len(table) > _HEAD else ""
    return f"{rows}\n{more}"

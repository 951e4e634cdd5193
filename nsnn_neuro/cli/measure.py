"""`nsnn measure`: print firing rates and irregularity of recordings."""

from __future__ import annotations

import argparse

from ..core.aliases import DataFrame
from ..core.errors import NsnnError
from ..core.warn import warn
from .output import aligned, show, with_error

_MEASURES = ("firing_rate", "cv", "cv2", "lv", "fano_factor")
_MOST_ROWS = 10_000  # that a table of text has


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="NWB, or any format that Neo reads without unpickling"
    )
    parser.add_argument("--csv", action="store_true", help="comma-separated values, one measure per row")
    parser.add_argument(
        "--by",
        choices=("neuron", "population"),
        default="neuron",
        help="one row for each; default: %(default)s",
    )


def run(arguments: argparse.Namespace) -> None:
    """Print the measures of all files."""
    import pandas as pd

    tables = [_table(path, arguments.by) for path in dict.fromkeys(arguments.files)]
    table = pd.concat(tables, ignore_index=True)
    if arguments.csv:
        return show(table.to_csv(index=False))
    first = table.groupby("measure", sort=False).head(_MOST_ROWS)  # neurons are in one order in all measures
    show(aligned(_wide(first)))
    if len(first) < len(table):
        warn(
            f"the first {_MOST_ROWS} rows are shown: --csv prints all, --by population the means of populations"
        )


def _table(path: str, by: str) -> DataFrame:
    """The measures of one file; those that its trials do not allow are left out with a warning."""
    import pandas as pd

    from .. import measures
    from ..io.save_load import load

    block, tables, refused = load(path), [], ""
    for name in _MEASURES:
        try:
            tables.append(measures.tabulate({path: block}, getattr(measures, name), by=by))
        except NsnnError as error:
            refused = str(error)
            warn(f"{path}: {name} is left out: {error}")
    if not tables:
        raise NsnnError(f"{path}: {refused}")
    return pd.concat(tables, ignore_index=True)


def _wide(table: DataFrame) -> list[list[str]]:
    """Rows of text, the header first: a row for each file, population and neuron, a column for each measure.

    A neuron is shown by its id where all recordings have ids, else by its position, from 0.
    """
    import pandas as pd

    units = dict(zip(table["measure"], table["unit"], strict=True))
    shown = ["block"]
    if table["population"].nunique() > 1:
        shown.append("population")
    neurons = table["neuron"].notna()
    known = table["id"].notna() if "id" in table else pd.Series(False, table.index)
    shown += ["neuron"] * bool((neurons & ~known).any()) + ["id"] * bool(known.any())
    names = ("block", "population", "neuron", "id")
    cells: dict[tuple[str, ...], dict[str, str]] = {}
    for row in table.to_dict("records"):
        key = tuple("-" if pd.isna(row.get(name)) else str(row[name]) for name in names)
        cells.setdefault(key, {})[row["measure"]] = with_error(row["value"], row["se"])
    heads = [name if unit == "1" else f"{name} ({unit})" for name, unit in units.items()]
    rows = [["file" if name == "block" else name for name in shown] + heads]
    for key, values in cells.items():
        labels = dict(zip(names, key, strict=True))
        rows.append([labels[name] for name in shown] + [values.get(name, "-") for name in units])
    return rows

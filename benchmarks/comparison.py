"""Results of the benchmarks: comparisons with other software, the file of a run and its checks.

A script takes `--json FILE` and `--quick` (`add_options`) and passes each `Comparison` to a `Report`, which prints it and appends
it to FILE as a line of JSON. `run.py` collects these lines in one file per run, and docs/site/speed.py shows the files as a page.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from nsnn_neuro.core.atomic_write import replaced
from nsnn_neuro.core.errors import FormatError

FORMAT = 1  # a change that older readers do not understand adds 1
NOT_INSTALLED = "not installed"
MOST_TEXT = 400


@dataclass(frozen=True)
class Agreement:
    """The value of each side: they agree if they differ by at most 4 standard errors plus `slack`.

    >>> Agreement("rate (Hz)", 10.0, 10.3, error=0.1).holds, Agreement("rate (Hz)", 10.0, 10.5, error=0.1).holds
    (True, False)
    """

    quantity: str
    ours: float
    theirs: float
    error: float = 0.0
    """standard error of the difference; 0 for a deterministic calculation"""
    slack: float = 0.0
    """by how much the methods of both sides may differ"""

    @property
    def holds(self) -> bool:
        """Whether both values are finite and agree."""
        return abs(self.ours - self.theirs) <= 4 * self.error + self.slack

    def __str__(self) -> str:
        within = f" +- {self.error:.2g}" if self.error else ""
        return f"{self.quantity} {self.ours:.6g}, {self.theirs:.6g}{within}"


@dataclass(frozen=True)
class Comparison:
    """One comparison; `name` and `peer` identify it in every release, so sizes and versions belong elsewhere.

    >>> one = Comparison("matrix", "100 trains", (0.2, 0.1, 0.3), "Elephant", (1.0, 2.0, 1.2))
    >>> one.ratio, one.verdict
    (0.166..., 'not compared')
    >>> print(one)
    matrix [100 trains]: 0.2 s (0.1-0.3); Elephant: 1.2 s (1-2); ratio 1/6; not compared
    """

    name: str
    size: str
    ours: tuple[float, ...]
    """seconds of each repeat; empty if `missing` says why there are none"""
    peer: str = ""
    """the other software; empty for a time of this package alone"""
    theirs: tuple[float, ...] = ()
    agreement: Agreement | None = None
    missing: str = ""
    """why times are missing, such as "not installed" """
    goal: str = ""
    calls: tuple[float, ...] = ()
    """seconds of complete calls, if `ours` are those of the time steps alone"""

    @property
    def ratio(self) -> float | None:
        """Median of our times divided by the median of the peer's; None if a side has no time."""
        return median(self.ours) / median(self.theirs) if self.ours and self.theirs else None

    @property
    def verdict(self) -> str:
        """`agrees`, `WRONG` or `not compared`."""
        if self.agreement is None:
            return "not compared"
        return "agrees" if self.agreement.holds else "WRONG"

    def __str__(self) -> str:
        parts = [spread(self.ours)] if self.ours else []
        if self.calls:
            parts.append(f"complete call {median(self.calls):.3g} s")
        if self.peer:
            parts.append(f"{self.peer}: {spread(self.theirs) if self.theirs else self.missing}")
        elif self.missing:
            parts.append(self.missing)
        if self.ratio is not None:
            parts.append(f"ratio {ratio_text(self.ratio)}")
        parts += [f"goal {self.goal}"] if self.goal else []
        parts += [str(self.agreement)] if self.agreement else []
        if not self.missing and (self.peer or self.agreement):
            parts.append(self.verdict)
        return f"{self.name}{f' [{self.size}]' if self.size else ''}: " + "; ".join(parts)


@dataclass(frozen=True)
class Script:
    """Results of one script; `error` says how it failed, and is empty if it did not."""

    rows: tuple[Comparison, ...]
    seconds: float
    load: float | None
    """mean number of running processes in the minute before the script, None where the system does not say"""
    error: str = ""


@dataclass(frozen=True)
class Run:
    """All results of a run, with machine, versions, date and revision."""

    version: str
    revision: str
    started: str
    quick: bool
    machine: dict[str, str]
    versions: dict[str, str]
    scripts: dict[str, Script] = field(default_factory=dict)


def spread(seconds: tuple[float, ...]) -> str:
    """Median and range, such as `0.2 s (0.1-0.3)`."""
    extent = f" ({min(seconds):.3g}-{max(seconds):.3g})" if len(seconds) > 1 else ""
    return f"{median(seconds):.3g} s{extent}"


def ratio_text(ratio: float) -> str:
    """A ratio of times as docs/performance.md writes it.

    >>> ratio_text(0.168), ratio_text(1.62), ratio_text(0.000831)
    ('1/6', '1.6', '1/1,200')
    """
    large = max(ratio, 1 / ratio)
    text = f"{large:,.2g}" if large < 10 else f"{float(f'{large:.2g}'):,.0f}"
    return f"1/{text}" if ratio < 1 and text != "1" else text


def goal(most: float, seconds: tuple[float, ...]) -> str:
    """The text of a goal in s, and whether the median is above it; no text for a goal of 0.

    >>> goal(2, (1.0, 3.0, 9.0)), goal(4, (1.0, 3.0, 9.0)), goal(0, (1.0,))
    ('2 s, not met', '4 s', '')
    """
    return f"{most:g} s{', not met' if median(seconds) > most else ''}" if most else ""


def printable(text: str) -> str:
    """A message that a file of results may hold.

    >>> printable("two\\nlines")
    'two lines'
    """
    return "".join(c if c.isprintable() else " " for c in text)[:MOST_TEXT]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that every script of `make bench` has."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="also append the comparisons to FILE")
    parser.add_argument("--quick", action="store_true", help="small sizes, one repeat: shows that it works")


class Report:
    """Prints comparisons as they are made, and appends each to a file if one is given."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.rows: list[Comparison] = []

    def add(self, row: Comparison) -> None:
        """Print and keep one comparison."""
        self.rows.append(row)
        print(row, flush=True)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(_plain(row), allow_nan=False) + "\n")


def read_rows(path: Path) -> tuple[Comparison, ...]:
    """The comparisons that a `Report` has appended to a file.

    Raises
    ------
    FormatError : the file is damaged
    """
    return _read(path, lambda text: tuple(_row(json.loads(line)) for line in text.splitlines()))


def read_run(path: Path) -> Run:
    """The run in a JSON file.

    Raises
    ------
    FormatError : the file is missing, damaged or of another format
    """
    return _read(path, lambda text: _run(json.loads(text)))


def write_run(path: Path, run: Run) -> None:
    """Write a run to a JSON file atomically, so that a stopped run leaves the results of all scripts before."""
    text = json.dumps({"format": FORMAT, **_plain(run)}, indent=1, allow_nan=False) + "\n"
    with replaced(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _plain(value: Any) -> Any:
    """A dataclass as what JSON knows; numbers that are not finite become null."""
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _read(path: Path, made: Callable[[str], Any]) -> Any:
    """What `made` makes of a file of this repository; its mistakes name the file."""
    try:
        return made(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(f"{path}: {error.strerror}: expected results of `make bench`") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: {error!r}: expected results; write the file with `make bench`") from error


def _run(value: dict[str, Any]) -> Run:
    if value.pop("format") != FORMAT:
        raise ValueError(f"expected format = {FORMAT}")
    if datetime.fromisoformat(value["started"]).tzinfo is None:
        raise ValueError(f"started = {value['started']}: expected a date and time with its offset from UTC")
    scripts = {
        name: Script(**one | {"rows": tuple(map(_row, one["rows"]))})
        for name, one in value.pop("scripts").items()
    }
    return Run(**value, scripts=scripts)


def _row(value: dict[str, Any]) -> Comparison:
    times = {name: tuple(float(seconds) for seconds in value[name]) for name in ("ours", "theirs", "calls")}
    if value["agreement"] is not None:
        agreement = {k: math.nan if v is None else v for k, v in value["agreement"].items()}
        value = value | {"agreement": Agreement(**agreement)}
    return Comparison(**value | times)

"""Results of the benchmarks: comparisons with other software, the file of a run and its checks.

A script takes `--json FILE` and `--quick` (`add_options`) and passes each `Comparison` to a `Report`, which prints it and appends
it to FILE as a line of JSON. `run.py` collects these lines in one file per run, and docs/site/speed.py shows the files as a page.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from nsnn_neuro.core.atomic_write import replaced
from nsnn_neuro.core.errors import FormatError
from nsnn_neuro.core.file_limits import Budget, check_regular, read_json

FORMAT = 1  # a change that older readers do not understand adds 1
NOT_INSTALLED = "not installed"
MOST_BYTES, MOST_TEXT, MOST_ITEMS = 2**22, 400, 1000


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
    lines = _read(path).splitlines()
    if len(lines) > MOST_ITEMS:
        raise FormatError(f"{path}: {len(lines)} lines: expected {MOST_ITEMS} at most")
    return tuple(
        _checked(lambda v, k=k: _row(v, f"line {k}"), line, path) for k, line in enumerate(lines, start=1)
    )


def read_run(path: Path) -> Run:
    """The run in a JSON file, checked: every value has its type and range, and there is nothing else.

    Raises
    ------
    FormatError : the file is missing, damaged or of another format; the message names file, place and value
    """
    return _checked(_run, _read(path), path)


def write_run(path: Path, run: Run) -> None:
    """Write a run to a JSON file atomically, so that a stopped run leaves the results of all scripts before.

    Raises
    ------
    FormatError : the run holds a value that `read_run` would refuse
    """
    text = json.dumps({"format": FORMAT, **_plain(run)}, indent=1, allow_nan=False) + "\n"
    _checked(_run, text.encode(), path)
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


def _read(path: Path) -> bytes:
    try:
        check_regular(path)
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise FormatError(f"{path}: {size} bytes: expected results of at most {MOST_BYTES}")
        return path.read_bytes()
    except OSError as error:
        raise FormatError(f"{path}: {error.strerror}: expected results of `make bench`") from error


def _checked(read: Callable[[Any], Any], text: bytes, path: Path) -> Any:
    """`read` of a JSON text; its errors name the file."""
    try:
        value = read_json(text, Budget(2**28, "expected results of `make bench`"), "the text")
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: no JSON ({error}): expected results of `make bench`") from error
    try:
        return read(value)
    except FormatError as error:
        raise FormatError(f"{path}: {error}: write the file with `make bench`") from None


def _run(value: Any) -> Run:
    names = [f.name for f in dataclasses.fields(Run)]
    if isinstance(value, dict) and "format" in value and value["format"] != FORMAT:
        raise FormatError(f"format = {_shown(value['format'])}: expected {FORMAT}")
    given = _fields(value, ["format", *names], "the file")
    started = _text(given["started"], "started")
    try:
        aware = datetime.fromisoformat(started).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise FormatError(f"started = {_shown(started)}: expected a date and time with its offset from UTC")
    revision = _text(given["revision"], "revision")
    if not re.fullmatch(r"([0-9a-f]{7,64}(\+dirty)?)?", revision):
        raise FormatError(
            f"revision = {_shown(revision)}: expected a revision of git such as 1a2b3c4d5e, or none"
        )
    if not isinstance(given["quick"], bool):
        raise FormatError(f"quick = {_shown(given['quick'])}: expected true or false")
    return Run(
        _text(given["version"], "version"),
        revision,
        started,
        given["quick"],
        *({k: _text(v, f"{name}.{k}") for k, v in _mapping(given[name], name)} for name in names[4:6]),
        {_name(name): _script(inner, name) for name, inner in _mapping(given["scripts"], "scripts")},
    )


def _name(text: str) -> str:
    if not (text.isascii() and text.isidentifier()):
        raise FormatError(
            f"scripts has the name {_shown(text)}: expected the name of a script in benchmarks/"
        )
    return text


def _script(value: Any, where: str) -> Script:
    given = _fields(value, [f.name for f in dataclasses.fields(Script)], where)
    rows = given["rows"]
    if not isinstance(rows, list) or len(rows) > MOST_ITEMS:
        raise FormatError(
            f"{where}.rows = {_shown(rows)}: expected a list of at most {MOST_ITEMS} comparisons"
        )
    load = None if given["load"] is None else _number(given["load"], f"{where}.load")
    made = tuple(_row(row, f"{where}.rows[{k}]") for k, row in enumerate(rows))
    return Script(made, _number(given["seconds"], f"{where}.seconds"), load, _text(given["error"], f"{where}.error"))  # fmt: skip


def _row(value: Any, where: str) -> Comparison:
    given = _fields(value, [f.name for f in dataclasses.fields(Comparison)], where)
    out: dict[str, Any] = {k: _text(given[k], f"{where}.{k}") for k in ("name", "size", "peer", "missing", "goal")}  # fmt: skip
    out |= {name: _times(given[name], f"{where}.{name}") for name in ("ours", "theirs", "calls")}
    if not out["name"]:
        raise FormatError(f"{where}.name is empty: expected a name")
    complete = bool(out["ours"]) and bool(out["theirs"]) == bool(out["peer"])
    if complete == bool(out["missing"]):
        raise FormatError(f"{where}: expected times of both sides, or the reason why they are missing")
    if given["agreement"] is not None:
        place = f"{where}.agreement"
        values = _fields(given["agreement"], [f.name for f in dataclasses.fields(Agreement)], place)
        numbers = [
            math.nan if values[k] is None else _number(values[k], f"{place}.{k}", low)
            for k, low in (("ours", None), ("theirs", None), ("error", 0.0), ("slack", 0.0))
        ]
        out["agreement"] = Agreement(_text(values["quantity"], f"{place}.quantity"), *numbers)
    return Comparison(**out)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _fields(value: Any, names: list[str], where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != set(names):
        given = sorted(value) if isinstance(value, dict) else value
        raise FormatError(f"{where} has {_shown(given)}: expected the fields {', '.join(sorted(names))}")
    return value


def _mapping(value: Any, where: str) -> list[tuple[str, Any]]:
    if not isinstance(value, dict) or len(value) > MOST_ITEMS:
        raise FormatError(f"{where} = {_shown(value)}: expected an object with {MOST_ITEMS} names at most")
    return [(_text(name, f"a name in {where}"), inner) for name, inner in value.items()]


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or len(value) > MOST_TEXT or not value.isprintable():
        raise FormatError(f"{where} = {_shown(value)}: expected a printable text of at most {MOST_TEXT} characters")  # fmt: skip
    return value


def _number(value: Any, where: str, low: float | None = 0.0) -> float:
    valid = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
    if not valid or (low is not None and value < low):
        least = "" if low is None else f" of at least {low:g}"
        raise FormatError(f"{where} = {_shown(value)}: expected a finite number{least}")
    return float(value)


def _times(value: Any, where: str) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) > MOST_ITEMS:
        raise FormatError(f"{where} = {_shown(value)}: expected a list of at most {MOST_ITEMS} times")
    seconds = tuple(_number(item, f"{where}[{k}]") for k, item in enumerate(value))
    if 0.0 in seconds:
        raise FormatError(f"{where} = {_shown(value)}: expected times in s greater than 0")
    return seconds

"""Common machinery of the studies: configurations, claims, cached parts, and the run that writes a study's results."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
import importlib.util
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from nsnn_neuro import NsnnError, provenance

from .listing import studies

Progress = Callable[[str], None]
"""receives a line about what a run does next"""
_FOLDER = Path(__file__).resolve().parent
IN_CHECKOUT = _FOLDER.name == "analysis"
"""False in an installed package, where the folder has another name"""
_PARTS = "parts"


def quiet(text: str) -> None:
    """Progress that nobody wants to read."""


class ClaimFailed(AssertionError):
    """A central claim of a study fails. The message gives each failed claim and its evidence."""


@dataclasses.dataclass(frozen=True)
class Claim:
    """A falsifiable sentence with its criterion, whether it holds, and the evidence in numbers.

    Central claims decide whether a study succeeds; others are `secondary`.
    """

    text: str
    holds: bool | np.bool_
    evidence: str
    central: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "holds", bool(self.holds))  # NumPy's bool cannot be written as JSON


def secondary(text: str, holds: bool | np.bool_, evidence: str) -> Claim:
    """A claim that is reported whatever its outcome."""
    return Claim(text, holds, evidence, central=False)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A finished run: its folder, its claims with their verdicts, its run time (s) and its summary table."""

    name: str
    folder: Path
    claims: list[Claim]
    seconds: float
    summary: pd.DataFrame


@dataclasses.dataclass(frozen=True)
class StudyConfig:
    """Fields that the `Config` of every study has: a seed, whether the run is quick, and a sabotage ("" for none).

    A quick run takes the values in `QUICK`, {field: value}, in place of its fields' defaults.
    """

    seed: int = 1
    quick: bool = False
    sabotage: str = ""

    QUICK: ClassVar[dict[str, Any]] = {}

    def __post_init__(self) -> None:
        for name, value in self.QUICK.items() if self.quick else ():
            object.__setattr__(self, name, value)


def verify(study: ModuleType, table: pd.DataFrame) -> None:
    """Raise `ClaimFailed` with the evidence when a central claim of a study fails on this table."""
    failed = [f"{c.text}: {c.evidence}" for c in study.claims(table) if c.central and not c.holds]
    if failed:
        raise ClaimFailed("\n".join(failed))


def find(name: str) -> ModuleType:
    """Import a study by its name; an unknown name raises a `NsnnError` that lists the known names."""
    if name not in studies():
        close = difflib.get_close_matches(name, studies(), n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise NsnnError(f"study = {name!r}: expected one of {', '.join(studies())}{hint}")
    return importlib.import_module(f".{name}", __package__)


def missing(study: ModuleType) -> str:
    """The package that a study needs and that is not installed, or ""."""
    needs = getattr(study, "NEEDS", "")
    return needs if needs and importlib.util.find_spec(needs) is None else ""


def paired(
    table: pd.DataFrame,
    first: str,
    second: str,
    column: str = "accuracy",
    *,
    equal: Sequence[str] = ("passes", "images"),
) -> np.ndarray:
    """A column of arm `first` minus that of arm `second`, for each seed that both have, ordered by seed, means over other rows.

    Raises `NsnnError` where the two arms were not measured alike: with other values in a column of `equal`, such as the number of
    passes, which alone would favour one of them, or with another number of rows.

    >>> rows = [("noisy", 1, 10, 0.9), ("noisy", 2, 10, 0.8), ("other", 1, 10, 0.85), ("other", 2, 10, 0.85)]
    >>> table = pd.DataFrame(rows, columns=["arm", "seed", "passes", "accuracy"])
    >>> paired(table, "noisy", "other", equal=["passes"]).round(2).tolist()
    [0.05, -0.05]
    >>> paired(table[table.seed < 2].assign(passes=[10, 1]), "noisy", "other", equal=["passes"])
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: noisy and other, seed 1: passes [10] and [1]: expected equal passes in both arms
    """
    one, two = (table[table.arm == arm] for arm in (first, second))
    seeds = sorted(set(one.seed) & set(two.seed))
    if not seeds:
        raise NsnnError(f"{first} and {second}: expected a seed that both arms have")
    for seed in seeds:
        for name in equal:
            values = [sorted(rows[rows.seed == seed][name]) for rows in (one, two)]
            if values[0] != values[1]:
                what = f"{first} and {second}, seed {seed}: {name} {values[0]} and {values[1]}"
                raise NsnnError(f"{what}: expected equal {name} in both arms")
    difference = one.groupby("seed")[column].mean() - two.groupby("seed")[column].mean()
    return difference.loc[seeds].to_numpy()


def result(
    study: ModuleType, config: Any, results: Path | None = None, progress: Progress = quiet
) -> pd.DataFrame:
    """Return a study's table, from a finished run with this configuration and the same code, or else from a new run.

    Results are stored in the folder `results`; default: the environment variable NSNN_RESULTS, or results/ in the repository
    (of an installed package: in the working directory).
    """
    if results is None:
        parent = _FOLDER.parent if IN_CHECKOUT else Path()
        results = Path(os.environ.get("NSNN_RESULTS") or parent / "results")
    if finished(study, config, results) is None:
        execute(study, config, results, progress)
    return pd.read_csv(_folder(study, config, results) / "table.csv")


def _folder(study: ModuleType, config: Any, results: Path) -> Path:
    return results / name_of(study) / config_hash(config)


def finished(study: ModuleType, config: Any, results: Path) -> dict[str, Any] | None:
    """Return the contents of run.json of a run with this configuration and the same code and versions, or None."""
    return _read_if_current(_folder(study, config, results) / "run.json")


def _code() -> dict[str, Any] | None:
    """Return git revision and versions, and the checksum of an installed package; None if the code has no such identity."""
    now = provenance()
    if now["git_revision"] is None:
        return now | checksum() if checksum() else None
    return None if now["git_revision"].endswith("+dirty") else now


@functools.cache
def checksum() -> dict[str, str]:
    """{"checksum": of all files of an installed package and its studies}; empty in a checkout."""
    if IN_CHECKOUT:
        return {}
    spec = importlib.util.find_spec("nsnn_neuro")
    package = Path(spec.origin).parent if spec is not None and spec.origin else _FOLDER
    every = {path for folder in (package, _FOLDER) for path in folder.rglob("*")}
    code = b"\0".join(path.read_bytes() for path in sorted(every) if path.suffix in (".py", ".h"))
    return {"checksum": hashlib.sha256(code).hexdigest()[:16]}


def _read_if_current(path: Path) -> dict[str, Any] | None:
    """Return the contents of a JSON file if the same code wrote it, else None."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    code = _code()
    same = (
        code and isinstance(record, dict) and all(record.get(name) == value for name, value in code.items())
    )
    return record if same else None


def part(out: Path | None, name: str, make: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Compute the rows of one part of a long study, and cache them in `out` until the study has finished.

    An interrupted run continues after its last finished part: parts of the same configuration and code are read from the
    cache. A part must depend on the configuration and on recorded data only, and its name must be unique within the study.
    """
    if out is None:
        return make()
    path = out / _PARTS / (re.sub(r"\W+", "-", name) + ".json")
    record = _read_if_current(path)
    if record is not None and record.get("part") == name and isinstance(record.get("rows"), list):
        return record["rows"]
    start = time.perf_counter()
    rows, code = make(), _code()
    if code is not None:
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as temporary:
            spent = time.perf_counter() - start
            result = {"part": name, "seconds": spent, "finished": time.time(), "rows": rows}
            text = json.dumps(result | code, default=lambda number: number.item())
            temporary.write_text(text, encoding="utf-8")
    return rows


def _covered(intervals: list[tuple[float, float]]) -> float:
    """The length of the union of intervals: parts that ran side by side took their time once.

    >>> _covered([(0.0, 2.0), (1.0, 3.0), (1.5, 2.5), (7.0, 8.0)])
    4.0
    """
    total, reached = 0.0, -np.inf
    for begin, end in sorted(intervals):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def name_of(study: ModuleType) -> str:
    """The name of a study on the command line."""
    return study.__name__.rpartition(".")[2]


def config_hash(config: Any) -> str:
    """A short hash of a configuration's values, which names its results folder."""
    text = json.dumps(dataclasses.asdict(config), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Atomic file replacement: yield a temporary file that replaces `path` when the block succeeds."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def execute(study: ModuleType, config: Any, results: Path, progress: Progress = print) -> Outcome:
    """Run a study and write table.csv, figures, run.json and report.html to `results/<study>/<hash>/`."""
    from . import report  # imports matplotlib

    known = ", ".join(map(repr, getattr(study, "SABOTAGES", {}))) or "none: this study has no sabotage"
    if config.sabotage and config.sabotage not in getattr(study, "SABOTAGES", {}):
        raise NsnnError(f"sabotage = {config.sabotage!r}: expected one of {known}")
    name, folder = name_of(study), _folder(study, config, results)
    folder.mkdir(parents=True, exist_ok=True)
    finished = [r for path in (folder / _PARTS).glob("*.json") if (r := _read_if_current(path))]
    if finished:
        progress(f"continuing an interrupted run: {len(finished)} parts are finished")
    spent = _covered([(r["finished"] - r["seconds"], r["finished"]) for r in finished])
    start = time.perf_counter() - spent
    # threads of the linear algebra gain nothing with these small matrices, and cost much where the other cores are busy
    with threadpool_limits(1, user_api="blas"):
        table = study.run(config, out=folder, progress=progress)
    progress("writing the report")
    with replacing(folder / "table.csv") as path:
        table.to_csv(path, index=False)
    claims = study.claims(table)
    summary = study.summary(table) if hasattr(study, "summary") else table
    figures = study.figures(table) if hasattr(study, "figures") else {study.CLAIM: study.plot(table)}
    seconds = time.perf_counter() - start
    outcome = Outcome(name, folder, claims, seconds, summary)
    tables = study.tables(table) if hasattr(study, "tables") else {}
    headline = study.headline(table) if hasattr(study, "headline") else ""
    report.write(outcome, study, config, figures, tables, headline)
    shutil.rmtree(folder / _PARTS, ignore_errors=True)
    return outcome

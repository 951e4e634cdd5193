"""The file that `make bench` writes, its runner and the page made from it. Nothing here asserts a speed."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nsnn_neuro.core.errors import FormatError

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "benchmarks"
# imported, not run
SHARED = {"comparison", "environment", "timing", "run", "engine_cases", "engine_peers", "scaling_page"}


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    """Modules of benchmarks/ and of the site, imported as the scripts find each other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        patch.syspath_prepend(str(ROOT / "docs" / "site"))
        before = list(sys.path)
        names = ("comparison", "environment", "run", "speed")
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
        sys.path[:] = before


@pytest.fixture(scope="module")
def example(bench: Any) -> Any:
    """A run with each kind of comparison."""
    c = bench.comparison
    rows = (
        c.Comparison("matrix", "9 trains", (0.2, 0.1, 0.3), "Elephant", (1.0, 2.0, 1.2), c.Agreement("d", 1.0, 1.0)),
        c.Comparison("population", "5 neurons", (2.0,), "NEST", (1.0,), c.Agreement("rate (Hz)", 8.0, 9.0, 0.1)),
        c.Comparison("population", "5 neurons", (), "JAX", missing="not installed"),
        c.Comparison("calibration", "", (4.0, 5.0), goal="30 s", calls=(5.0, 6.0)),
    )  # fmt: skip
    scripts = {"one": c.Script(rows, 3.0, 0.5), "two": c.Script((), 1.0, None, "exit status 1: no")}
    machine, versions = {"processor": "X", "cores": "2"}, {"jax": "not installed"}
    started = "2026-01-02T03:04:05+00:00"
    return c.Run("1.0.0", "0123456789ab", started, False, machine, versions, scripts)


def test_values_agree_to_four_errors_and_the_slack(bench: Any) -> None:
    c = bench.comparison
    for values, verdict in (
        ((1.0, 1.4, 0.1, 0.01), "agrees"),
        ((1.0, 1.42, 0.1, 0.01), "WRONG"),
        ((1.0, 0.58, 0.1, 0.01), "WRONG"),
        ((math.nan, 1.0, 1.0), "WRONG"),
    ):
        assert c.Comparison("a", "", (1.0,), "b", (1.0,), c.Agreement("v", *values)).verdict == verdict
    row = c.Comparison("a", "", (1.0, 2.0, 30.0), "b", (8.0, 6.0, 1.0))
    assert row.ratio == pytest.approx(2 / 6)  # of medians


@pytest.mark.parametrize(("old", "new"), [('"format": 1', '"format": 2'), ("+00:00", ""), ("{", "[")])
def test_a_run_is_read_as_it_was_written_and_a_damaged_file_refused_by_name(
    bench: Any, example: Any, tmp_path: Path, old: str, new: str
) -> None:
    path = tmp_path / "run.json"
    bench.comparison.write_run(path, example)
    assert bench.comparison.read_run(path) == example
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(FormatError, match=r"run\.json: .*make bench"):
        bench.comparison.read_run(path)


# --- the scripts ---


def test_every_script_is_run_or_has_a_reason(bench: Any) -> None:
    names = {path.stem for path in FOLDER.glob("*.py")}
    assert names == SHARED | set(bench.run.SCRIPTS) | set(bench.run.ELSEWHERE)


@pytest.mark.slow
def test_a_quick_run_writes_a_valid_file_with_the_expected_comparisons(bench: Any, tmp_path: Path) -> None:
    out = tmp_path / "run.json"
    assert bench.run.main(["--quick", "--only", "measures_elephant", "--out", str(out)]) == 0
    run = bench.comparison.read_run(out)
    assert run.quick
    rows = {row.name: row for row in run.scripts["measures_elephant"].rows}
    assert {"Victor-Purpura", "ISI distance", "correlograms of all pairs", "surrogate, jitter"} <= set(rows)
    assert all(row.verdict == "agrees" for row in rows.values() if row.peer and not row.missing)


# --- the page of benchmarks by release ---


def test_the_runs_that_are_kept_make_a_page(bench: Any) -> None:
    assert bench.speed.page(bench.speed.load()).startswith("# Benchmarks by release")

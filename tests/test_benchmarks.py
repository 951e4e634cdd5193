"""The timings in benchmarks/: the tables come out and both sides simulate the same thing. Nothing here asserts a speed."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def engine() -> Any:
    """benchmarks/engine.py, imported as the script finds its neighbours."""
    sys.path.insert(0, str(FOLDER))
    try:
        yield importlib.import_module("engine")
    finally:
        sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def small(engine: Any) -> Any:
    size = engine.wired.Size(400, 100, 40, 10, 0.5, engine.DT)
    return engine.Setting(200, 0.2, 3, points=4, trials=5, singles=2, engine="numpy", size=size)


@pytest.mark.slow
@pytest.mark.parametrize("row", ["lif", "sweep"])
def test_both_sides_of_a_row_fire_alike(engine: Any, small: Any, tmp_path: Path, row: str) -> None:
    for line in engine.ROWS[row](small, tmp_path):
        if not isinstance(line, engine.Line):
            assert line.missing == "not installed"
            continue
        rate, error = engine.pooled(line.ours)
        assert rate > 0
        if line.true_rate is None:
            other, its = engine.pooled(line.theirs)
            assert abs(rate - other) < 4 * np.hypot(error, its) + line.slack * other
        assert all(0 < s.loop <= s.call for s in line.ours + line.theirs)
        assert line.comparison().verdict == "agrees"


# --- kept results and their pages ---


def test_pages_on_likelihood_voltage_and_simulation_show_what_is_kept(engine: Any) -> None:
    recovery, coverage = (importlib.import_module(name) for name in ("recovery", "voltage_coverage"))
    assert recovery.page_table(json.loads(recovery.KEPT.read_text())) in recovery.PAGE.read_text()
    kept = json.loads(coverage.KEPT.read_text())
    assert coverage.page_tables(kept) in coverage.PAGE.read_text(encoding="utf-8")
    simulation = importlib.import_module("recovery_simulation")
    page = (FOLDER.parent / "docs" / "by_simulation.md").read_text(encoding="utf-8")
    for case, rows in json.loads(simulation.KEPT.read_text()).items():
        assert simulation.line(case, rows) in page
    coloured = importlib.import_module("coloured_noise")
    fits = json.loads(coloured.KEPT.read_text(encoding="utf-8"))
    assert coloured.summary(fits) in recovery.PAGE.read_text(encoding="utf-8")
    for one in kept.values():  # two standard errors cover nine of ten, within four errors of the count
        n = one["recordings"]
        assert all(row["two_errors"] > 0.9 * n - 4 * np.sqrt(0.09 * n) for row in one["parameters"].values())


def test_intervals_of_counts_hold_the_true_value_as_often_as_the_page_says(engine: Any) -> None:
    counts, page = importlib.import_module("count_coverage"), FOLDER.parent / "docs" / "likelihood.md"
    kept = json.loads((FOLDER.parent / "docs" / "count_coverage.json").read_text())["rows"]
    for first in range(0, len(kept), len(counts.SPIKES)):
        shares = [f"{one['covered']:.3f}" for one in kept[first : first + len(counts.SPIKES)]]
        assert f" {kept[first]['true']} | {' | '.join(shares)} |" in page.read_text(encoding="utf-8")
    for one in kept:
        assert abs(one["covered"] - 0.95) < 4 * np.sqrt(0.95 * 0.05 / one["n"])
    for name in counts.CASES:
        again, (one,) = (
            counts.row(name, 0.6, 500, 40),
            [r for r in kept if r["spikes"] == 500 and r["what"] == name][-1:],
        )
        assert again["covered"] > one["covered"] - 4 * np.sqrt(0.05 / 40)


def test_the_page_has_the_kept_results_of_a_large_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    large_file = importlib.import_module("large_file")
    rows = json.loads(large_file.KEPT.read_text(encoding="utf-8"))["rows"]
    assert large_file.table(rows) in large_file.KEPT.with_name("performance.md").read_text(encoding="utf-8")
    assert list(rows) == list(large_file.tasks([0]))
    ten, streamed, with_signals, _, every, whole, _ = (row["bytes"] for row in rows.values())
    assert max(ten, streamed) < with_signals < every < 1.2 * whole

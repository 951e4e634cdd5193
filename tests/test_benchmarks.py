"""The timings in benchmarks/: the tables come out and both sides simulate the same thing. Nothing here asserts a speed."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

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


def test_a_side_that_fires_otherwise_is_called_wrong_and_ratios_are_of_medians(engine: Any) -> None:
    right = [engine.Sample(1.0, 1.0, 10.0, 0.01)] * 2
    assert engine.Line("", "", "b", right, right, true_rate=12.0).comparison().verdict == "WRONG"
    # 4 errors of the difference of two means of two runs are 0.04 Hz, 2 % are 0.2 Hz
    for rate, verdict in ((10.23, "agrees"), (10.25, "WRONG")):
        other = [engine.Sample(1.0, 1.0, rate, 0.01)] * 2
        assert engine.Line("", "", "b", other, right).comparison().verdict == verdict
    ours = [engine.Sample(loop, 10.0, 1.0, 0.1) for loop in (1.0, 2.0, 30.0)]
    theirs = [engine.Sample(loop, 50.0, 1.0, 0.1) for loop in (8.0, 6.0, 1.0)]
    for complete, ratio in ((False, 1 / 3), (True, 1 / 5)):
        row = engine.Line("", "", "b", ours, theirs, complete=complete).comparison()
        assert row.ratio == pytest.approx(ratio)


def test_a_row_that_fails_or_cannot_be_had_says_why_and_the_next_one_runs(
    engine: Any, small: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(setting: Any, folder: Path) -> Any:
        raise OSError("no space\nleft")

    sample = engine.Sample(1.0, 1.0, 1.0, 0.1)
    good = engine.Line("work", "", "b", [sample], [sample])
    rows = {"one": broken, "threads": engine.ROWS["threads"], "two": lambda setting, folder: [good]}
    monkeypatch.setattr(engine, "ROWS", rows)
    report = engine.Report()
    assert engine.run(small, [*rows], report) == ["one"]
    failed, absent, work = report.rows
    assert failed.missing.startswith("failed: OSError('no space")
    assert absent.missing == "threads are those of C++ programs"
    assert work.name == "work"


# --- kept results and their pages ---


def test_pages_on_likelihood_and_voltage_show_what_is_kept(engine: Any) -> None:
    recovery, coverage = (importlib.import_module(name) for name in ("recovery", "voltage_coverage"))
    assert recovery.page_table(json.loads(recovery.KEPT.read_text())) in recovery.PAGE.read_text()
    kept = json.loads(coverage.KEPT.read_text())
    assert coverage.page_tables(kept) in coverage.PAGE.read_text(encoding="utf-8")
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


def test_recovery_counts_intervals_that_contain_the_truth_and_goes_on_where_it_was(
    engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recovery, rng = importlib.import_module("recovery"), np.random.default_rng(2)

    def fitted(name: str, number: int) -> dict[str, Any]:
        at = float(rng.normal(3.0, 2.0))  # errors of 2 that are said to be 2
        ends = [at - 1.96 * 2, at + 1.96 * 2]
        return {
            "number": number, "t_stop": 5.0, "truth": {"a": 3.0}, "estimate": {"a": at}, "se": {"a": 2.0},
            "wald": {"a": ends}, "profile": {"a": [at - 9.0, at + 9.0]}, "cpu_profile": 1.0, "p": float(rng.random()),
            "p_truth": float(rng.random()), "cpu": 1.0,
        }  # fmt: skip

    monkeypatch.setattr(recovery, "fit_one", fitted)
    recovery.run(tmp_path, ["lif"], 3, 1)
    recovery.run(tmp_path, ["lif"], 400, 1)
    found = recovery.lines(tmp_path, "lif")
    assert [line["number"] for line in found] == list(range(400))
    made = recovery.summary(found)
    row = made["parameters"]["a"]
    assert row["covered"]["profile"] >= 399
    assert abs(row["covered"]["wald"] - 380) < 4 * np.sqrt(400 * 0.05 * 0.95)
    assert abs(row["bias"]) < 4 * row["bias_se"]
    covered = " | ".join(f"{row['covered'][kind] / 4:.1f}" for kind in ("profile", "wald"))
    assert f"| LIF, 400 | `a` | {covered} |" in recovery.page_table({"lif": made})


# --- the limit of speed ---


@pytest.fixture(scope="module")
def limit(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("limit") / "lif_limit"
    command = [str(engine.compiler()), *["-O3", "-march=native", "-ffast-math", "-std=c++11"]]
    subprocess.run([*command, str(FOLDER / "lif_limit.cpp"), "-o", str(program)], check=True)
    return program


@pytest.mark.slow
@pytest.mark.compile
def test_limit_without_noise_fires_when_the_membrane_says(limit: Path) -> None:
    # from 10 mV to 20 mV under 25 mV: ln 3 of tau = 220 steps of dt = tau / 200 (219.7), then 20 steps of silence
    steps = 220 + 20 + 220 + 20 + 220
    for more, spikes in ((-1, 2), (0, 3)):
        command = [str(limit), *f"step xoshiro 70 {steps + more} 1 25 0 0.005 20 10 20".split()]
        found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        assert found["rate"] * (steps + more) == pytest.approx(spikes, rel=1e-6)


@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.parametrize("generator", ["xoshiro", "philox10"])
def test_limit_fires_at_the_rate_of_an_independent_simulation(
    engine: Any, limit: Path, generator: str
) -> None:
    setting = replace(engine.Setting(), neurons=1500, seconds=0.3, engine="numpy")
    ours = engine.lif(setting, "numpy", False)(1)
    theirs = engine.limit(setting, limit, generator)(1)
    z = (ours.rate - theirs.rate) / np.hypot(ours.error, theirs.error)
    assert abs(z) < stats.norm.isf(3e-5)


def test_the_page_has_the_kept_results_of_a_large_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    large_file = importlib.import_module("large_file")
    rows = json.loads(large_file.KEPT.read_text(encoding="utf-8"))["rows"]
    assert large_file.table(rows) in large_file.KEPT.with_name("performance.md").read_text(encoding="utf-8")
    assert list(rows) == list(large_file.tasks([0]))
    ten, streamed, with_signals, _, every, whole, _ = (row["bytes"] for row in rows.values())
    assert max(ten, streamed) < with_signals < every < 1.2 * whole

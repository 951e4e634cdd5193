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
    # a run of this network of 0.5 s has a rate of 95 +- 7 Hz over seeds (12 runs), one of 0.1 s +- 18 Hz: two means of three
    # differ by 5.6 Hz (sd), and `slack` with the errors of the table lets 29 Hz pass
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
        comparison = line.comparison()
        assert comparison.verdict == "agrees"
        assert comparison.size
        assert len(comparison.ours) <= small.repeats


def absent_nest(monkeypatch: pytest.MonkeyPatch) -> None:
    """NEST is not installed, whether it is or not."""
    environment = importlib.import_module("environment")
    find = environment.find_spec
    monkeypatch.setattr(environment, "find_spec", lambda name: None if name == "nest" else find(name))


def test_a_side_that_fires_otherwise_is_called_wrong(engine: Any) -> None:
    right = [engine.Sample(1.0, 1.0, 10.0, 0.01)] * 2
    wrong = [engine.Sample(1.0, 1.0, 12.0, 0.01)] * 2
    assert "; WRONG" in str(engine.Line("", "", "b", wrong, right).comparison())
    assert "; agrees" in str(engine.Line("", "", "b", right, right).comparison())
    assert "; WRONG" in str(engine.Line("", "", "b", right, right, true_rate=12.0).comparison())
    # 4 errors of the difference of two means of two runs are 0.04 Hz, 2 % are 0.2 Hz
    for rate, verdict in ((10.23, "agrees"), (10.25, "WRONG")):
        other = [engine.Sample(1.0, 1.0, rate, 0.01)] * 2
        assert engine.Line("", "", "b", other, right).comparison().verdict == verdict


def test_ratio_is_of_the_medians_and_of_the_complete_call_where_the_line_says_so(engine: Any) -> None:
    ours = [engine.Sample(loop, 10.0, 1.0, 0.1) for loop in (1.0, 2.0, 30.0)]
    theirs = [engine.Sample(loop, 50.0, 1.0, 0.1) for loop in (8.0, 6.0, 1.0)]
    row = engine.Line("", "", "b", ours, theirs).comparison()
    assert row.ratio == pytest.approx(1 / 3)
    assert row.calls == (10.0, 10.0, 10.0)
    row = engine.Line("", "", "b", ours, theirs, complete=True).comparison()
    assert row.ratio == pytest.approx(1 / 5)
    assert row.calls == ()


@pytest.mark.parametrize(
    ("row", "peer"), [("nest", "NEST iaf_psc_delta"), ("threads", "one process, complete calls")]
)
def test_a_row_that_cannot_be_had_says_why(
    engine: Any, small: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], row: str, peer: str
) -> None:  # fmt: skip
    absent_nest(monkeypatch)
    report = engine.Report()
    engine.run(small, [row], report)
    (line,) = report.rows
    assert line.peer == peer
    assert line.missing == {"nest": "not installed", "threads": "threads are those of C++ programs"}[row]
    assert f"{peer}: {line.missing}\n" in capsys.readouterr().out


def test_a_row_that_fails_is_reported_and_the_next_one_runs(
    engine: Any, small: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(setting: Any, folder: Path) -> Any:
        raise OSError("no space\nleft")

    good = engine.Line(
        "work", "", "b", [engine.Sample(1.0, 1.0, 1.0, 0.1)], [engine.Sample(2.0, 2.0, 1.0, 0.1)]
    )
    monkeypatch.setattr(engine, "ROWS", {"one": broken, "two": lambda setting, folder: [good]})
    report = engine.Report()
    assert engine.run(small, ["one", "two"], report) == ["one"]
    assert [row.name for row in report.rows] == ["row one", "work"]
    assert report.rows[0].missing.startswith("failed: OSError('no space")


@pytest.fixture(scope="module")
def recovery(engine: Any) -> Any:
    return importlib.import_module("recovery")


def test_page_on_likelihood_shows_the_kept_recovery(recovery: Any) -> None:
    assert recovery.page_table(json.loads(recovery.KEPT.read_text())) in recovery.PAGE.read_text()


def test_recovery_counts_intervals_that_contain_the_truth_and_goes_on_where_it_was(
    recovery: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(2)

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
    assert row["bias_se"] == pytest.approx(1 / np.sqrt(400), rel=0.2)
    assert made["uniform_p"] > 1e-4
    report = recovery.report("lif", made)
    assert f"{row['covered']['wald'] / 4:.1f} % by wald" in report
    assert recovery.page_table({"lif": made}).startswith(
        "| neuron, recordings | parameter | covered, profile (%) | covered, wald (%) |"
    )
    assert (
        f"| LIF, 400 | `a` | {row['covered']['profile'] / 4:.1f} | {row['covered']['wald'] / 4:.1f} |"
        in recovery.page_table({"lif": made})
    )


@pytest.fixture(scope="module")
def limit(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("limit") / "lif_limit"
    flags = ["-O3", "-march=native", "-ffast-math", "-std=c++11"]
    subprocess.run(
        [str(engine.compiler()), *flags, str(FOLDER / "lif_limit.cpp"), "-o", str(program)], check=True
    )
    return program


def said(program: Path, *arguments: object) -> dict[str, float]:
    command = [str(program), *(str(a) for a in arguments)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.parametrize("generator", ["xoshiro", "philox10"])
def test_generators_of_the_limit_are_normal(limit: Path, generator: str) -> None:
    found = said(limit, "draw", generator, 1024, 4000, 5)
    n = found["n"]
    assert abs(found["mean"]) < 4 / np.sqrt(n)
    assert abs(found["variance"] - 1) < 4 * np.sqrt(2 / n)
    assert abs(found["fourth"] - 3) < 4 * np.sqrt(96 / n)


@pytest.mark.slow
@pytest.mark.compile
def test_limit_without_noise_fires_when_the_membrane_says(limit: Path) -> None:
    # from 10 mV to 20 mV under 25 mV: ln 3 of tau = 220 steps of dt = tau / 200 (219.7), then 20 steps of silence
    steps = 220 + 20 + 220 + 20 + 220
    for more, spikes in ((-1, 2), (0, 3)):
        found = said(limit, "step", "xoshiro", 70, steps + more, 1, 25, 0, 0.005, 20, 10, 20)
        assert found["rate"] * (steps + more) == pytest.approx(spikes, rel=1e-6)
        assert found["error"] == 0


@pytest.mark.slow
@pytest.mark.compile
def test_limit_fires_at_the_rate_of_an_independent_simulation(
    engine: Any, limit: Path, tmp_path: Path
) -> None:
    setting = replace(engine.Setting(), neurons=1500, seconds=0.3, engine="numpy")
    ours = engine.lif(setting, "numpy", False)(1)
    theirs = engine.limit(setting, limit, "xoshiro")(1)
    z = (ours.rate - theirs.rate) / np.hypot(ours.error, theirs.error)
    assert abs(z) < stats.norm.isf(3e-5)


@pytest.fixture(scope="module")
def coverage(engine: Any) -> Any:
    return importlib.import_module("voltage_coverage")


def test_page_on_voltage_shows_the_kept_coverage(coverage: Any) -> None:
    kept = json.loads(coverage.KEPT.read_text())
    assert coverage.page_tables(kept) in coverage.PAGE.read_text(encoding="utf-8")
    for one in kept.values():  # two standard errors cover nine of ten, within four errors of the count
        n = one["recordings"]
        assert all(row["two_errors"] > 0.9 * n - 4 * np.sqrt(0.09 * n) for row in one["parameters"].values())

"""The timings in benchmarks/: the tables come out and both sides simulate the same thing. Nothing here asserts a speed."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
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
@pytest.mark.parametrize(
    "row", ["lif", *(pytest.param(row, marks=pytest.mark.slow) for row in ("sweep", "brunel"))]
)
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


def test_cases_are_taken_in_turn_and_every_second_round_backwards(engine: Any) -> None:
    order: list[tuple[str, int]] = []

    def case(name: str) -> Any:
        def run(seed: int) -> Any:
            order.append((name, seed))
            return engine.Sample(1.0, 1.0, 1.0, 1.0)

        return run

    engine.in_turn({"a": case("a"), "b": case("b")}, 3)
    assert order == [("a", 1), ("b", 1), ("b", 2), ("a", 2), ("a", 3), ("b", 3)]


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


@pytest.mark.slow
def test_a_loop_in_torch_fires_at_the_rate_of_this_package(engine: Any, small: Any, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    setting = replace(small, neurons=1000, seconds=0.1, repeats=1)
    (line,) = engine.torch_row(setting, tmp_path)
    rates = engine.pooled(line.ours), engine.pooled(line.theirs)
    assert rates[1][0] > 0
    assert abs(rates[0][0] - rates[1][0]) < 4 * np.hypot(rates[0][1], rates[1][1])


def test_table_lines_up_and_the_machine_is_described(engine: Any) -> None:
    table = importlib.import_module("timing").table
    lines = table(["a", "b"], [["long", "x"], ["s", "y"]]).splitlines()
    assert lines == ["a     b", "----  -", "long  x", "s     y"]
    assert "Python" in engine.machine()
    assert "brian2" in engine.machine()


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


def test_starts_and_truths_of_recovery_lie_within_the_bounds(recovery: Any) -> None:
    for case in recovery.CASES.values():
        model, noise, drive = recovery.start(case, np.random.default_rng(1))
        true = recovery.truth(case)
        assert set(true) == set(case.free)
        for name, (low, high) in case.free.items():
            assert float(low) < true[name] < float(high)
        low, high = case.free["tau_m"]
        assert float(low) < model.si("tau_m") < float(high)
        assert noise.si("sigma") != case.noise.si("sigma")
        assert float(drive["gain"]) != float(case.drive["gain"])


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
@pytest.mark.parametrize("generator", ["xoshiro", "single", "quantile", "philox10", "philox7"])
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


def test_coverage_counts_what_intervals_and_errors_hold(coverage: Any) -> None:
    at = np.random.default_rng(3).normal(1.0, 0.5, 400)
    made = coverage.summary(
        [
            {
                "truth": {"a": 1.0}, "estimate": {"a": x}, "se": {"a": 0.5}, "interval": {"a": [x - 0.98, x + 0.98]},
                "interval_90": {"a": [x - 0.82, x + 0.82]}, "tau_refrac": 3e-3, "n_spikes": 7,
            }
            for x in at
        ]
    )["parameters"]["a"]  # fmt: skip
    assert made["covered"] == np.sum(np.abs(at - 1) <= 0.98)
    assert made["covered_90"] == np.sum(np.abs(at - 1) <= 0.82)
    assert made["two_errors"] == np.sum(np.abs(at - 1) < 1.0)
    assert made["spread"] == pytest.approx(np.std(at, ddof=1) / 0.5)


@pytest.mark.slow
def test_the_matrix_of_pairs_is_timed(engine: Any, capsys: pytest.CaptureFixture[str]) -> None:
    report = engine.Report()
    importlib.import_module("information").pairs(np.random.default_rng(0), report, 3, 300)
    assert report.rows[0].verdict == "agrees"
    assert "transfer entropy of all pairs [6 pairs of 3 trains" in capsys.readouterr().out


@pytest.mark.slow
def test_scores_at_the_true_values_have_mean_zero_and_the_information_as_variance(recovery: Any) -> None:
    scores = recovery.scores("lif", 0, "numpy")
    assert scores.shape == (recovery.SPIKES, len(recovery.CASES["lif"].free))
    z = scores.mean(axis=0) / (scores.std(axis=0, ddof=1) / np.sqrt(len(scores)))
    assert np.abs(z).max() < 4
    # those of intervals follow each other like noise: the likelihood leaves nothing of one to the next
    lagged = [np.corrcoef(one[:-1], one[1:])[0, 1] for one in scores.T]
    assert np.abs(lagged).max() < 4 / np.sqrt(len(scores))
    total = scores.sum(axis=0)
    squared = total @ np.linalg.solve(scores.T @ scores, total)
    assert stats.chi2(scores.shape[1]).sf(squared) > 1e-4


@pytest.fixture(scope="module")
def cost_model(engine: Any) -> Any:
    return importlib.import_module("cost_model")


# seconds or bytes; sizes of the cost model below are measured as exactly this much
COSTS = {
    **{
        "run": 0.2,
        "step": 1e-4,
        "neuron": 1e-6,
        "neuron step": 1.5e-8,
        "small neuron step": 4e-8,
        "synapse": 2e-7,
        "event": 4e-9,
        "spike": 1e-6,
    },
    **{"point": 1e-3, "chunk": 5e-3, "process": 3.0, "base": 2e8},
}


@pytest.fixture
def made_up(cost_model: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Sizes cost what COSTS says, a thousand million times that in bytes; the list holds what was measured."""
    measured: list[str] = []

    def measure(
        key: str, names: tuple[str, ...], factor: float, **size: int
    ) -> tuple[dict[str, float], float]:
        measured.append(key)
        n = size.get("neurons", size.get("wired", size.get("points", 0) * size.get("trials", 1)))
        t = size.get("steps", 7)
        every = {
            "run": 1,
            "step": t,
            "neuron": n,
            "neuron step": n * t,
            "synapse": n * n,
            "event": n * n * t / 9,
            "process": 1,
        }
        every |= {
            "spike": n * t * size.get("rate", 1),
            "point": size.get("points", 0),
            "chunk": -(-size.get("points", 1) // size.get("chunk", 9)),
        }
        if "small neuron step" in names:
            every |= {"neuron step": 0, "small neuron step": 0} | cost_model.in_steps(n, t)
        features = {name: every[name] for name in names}
        value = factor * sum(COSTS[name] * count for name, count in features.items())
        return {**features, "rate": 5.0, "base": COSTS["base"]}, value

    for key, model in cost_model.MODELS.items():
        factor = 1e9 if model.unit == "bytes" else 1.0
        fake = replace(model, measure=partial(measure, key, model.features, factor))
        monkeypatch.setitem(cost_model.MODELS, key, fake)
    return measured


def test_cost_model_finds_the_costs_and_goes_on_where_it_was(
    cost_model: Any, made_up: list[str], tmp_path: Path
) -> None:
    every = cost_model.cases()
    cost_model.run(tmp_path, every[:5])
    cost_model.run(tmp_path, every)
    measured = cost_model.lines(tmp_path)
    assert set(measured) == {case.name for case in every}
    for case in every:
        short, seconds = measured[case.name]["value"] < 3.0, case.model != "memory"
        assert measured[case.name]["rounds"] == (1 if not seconds else 5 if short else 2), case
    assert len(made_up) == sum(line["rounds"] for line in measured.values())
    made = cost_model.summary(cost_model.lines(tmp_path))
    for key, model in made["models"].items():
        factor = 1e9 if model["unit"] == "bytes" else 1.0
        for name, cost in model["costs"].items():
            assert cost == pytest.approx(factor * COSTS[name], rel=1e-3), (key, name)
        assert model["largest_error"] < 1e-3
        assert model["held_out"]
    assert list(made["models"]) == list(cost_model.MODELS)


def test_cost_model_keeps_the_least_time_of_a_size(
    cost_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([2.0, 8.0, 1.5, 9.0, 2.5, 1.0, 4.0])
    fake = replace(cost_model.MODELS["process"], measure=lambda number: ({"process": 1}, next(times)))
    monkeypatch.setitem(cost_model.MODELS, "process", fake)
    cases = [cost_model.Case("process", (("number", k),)) for k in (1, 2)]
    cost_model.run(tmp_path, cases)
    kept = {name: (line["value"], line["rounds"]) for name, line in cost_model.lines(tmp_path).items()}
    assert kept == {"process number=1": (1.0, 5), "process number=2": (8.0, 2)}


def test_cost_model_judges_by_sizes_that_it_has_not_seen(cost_model: Any) -> None:
    rows = [
        {"name": f"{n}", "model": "process", "size": {}, "features": {"process": n}, "value": value, "held_out": apart,
         "machine": ""}
        for n, value, apart in ((1, 3.0, False), (2, 6.0, False), (3, 18.0, True), (4, 12.0, True))
    ]  # fmt: skip
    made = cost_model.summary({row["name"]: row for row in rows})["models"]["process"]
    assert made["costs"] == {"process": pytest.approx(3.0)}
    assert made["held_out"] == {"3": pytest.approx(-0.5), "4": pytest.approx(0.0)}
    assert made["largest_error"] == pytest.approx(0.5)
    assert made["fitted"] == 2


def test_page_on_costs_predicts_from_them(cost_model: Any, made_up: list[str], tmp_path: Path) -> None:
    """By hand: 1e13 neuron-steps of 15 ns are 42 h; 1e6 points of 1 ms and 2e4 chunks of 5 ms are 18 min for the caller."""
    scaling = importlib.import_module("scaling_page")
    cost_model.run(tmp_path, cost_model.cases())
    made = cost_model.summary(cost_model.lines(tmp_path))
    text = " ".join(scaling.page(made).split())
    assert "In C++ they take 42 h of processor time, 21 h on two cores" in text
    assert "needs 18 min and 1 TB of memory. So the caller is what limits the sweep: about 18 min" in text
    assert "All models fulfil the criterion." in text
    assert "above the 200 MB that Python" in text
    made["models"]["cpp"]["largest_error"] = 0.26
    assert "not fulfilled for: population, C++ (26 %)." in scaling.page(made)


def test_page_on_costs_shows_the_kept_measurements(cost_model: Any) -> None:
    scaling = importlib.import_module("scaling_page")
    assert scaling.page(json.loads(cost_model.KEPT.read_text())) == scaling.PAGE.read_text(encoding="utf-8")


@pytest.mark.slow
def test_cost_model_measures_runs(
    cost_model: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Small ones: the sizes are those asked for, and costs are positive; memory grows with neurons and spikes."""
    cost_model.run(tmp_path, cost_model.quick_cases())
    measured = cost_model.lines(tmp_path)
    kept = measured["kept neurons=300 steps=300 rate=500"]
    p = 1 - np.exp(-500 * 1e-4)
    assert abs(kept["features"]["spike"] - 9e4 * p) < 4 * np.sqrt(9e4 * p * (1 - p))
    assert all(row["value"] > 0 for row in measured.values())
    assert "run" in cost_model.report(cost_model.summary(measured))
    capsys.readouterr()
    cost_model.report_memory({"neurons": 20, "steps": 100, "rate": 1000})
    peak = json.loads(capsys.readouterr().out)
    assert peak["peak"] > 1e7
    assert peak["features"]["neuron"] == 20
    features, seconds = cost_model.network("numpy", 100, 400)
    assert seconds > 0
    assert features["synapse"] == 100 * (8 + 2)
    spikes = features["rate"] * 100 * 0.04
    assert spikes > 50
    # each in-degree is 10, so that the out-degrees have mean 10 and nearly the binomial variance 9
    assert abs(features["event"] / spikes - 10) < 4 * 3 / np.sqrt(min(spikes, 100))

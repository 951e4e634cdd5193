"""`nsnn sweep`: the table [sweep] of a file gives the same table as the API; errors name the line; exit codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import quantities as pq
from brian2 import ms, mV
from helpers.command import RUN, error, main

import nsnn_neuro as nsnn
from nsnn_neuro.measures import fano_factor, firing_rate

ROOT = Path(__file__).resolve().parents[2]
SWEEP = """
[sweep]
measures = ["firing_rate", {name = "firing_rate", t_start = "50 ms"}, {name = "fano_factor", window = "0.1 s"}]
by = "population"
common_noise = true
[sweep.grid]
noise.sigma = ["2 mV", "4 mV"]
stimulus.v = {from = "10 mV", to = "20 mV", n = 3}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NSNN_DEBUG", raising=False)
    (tmp_path / "sweep.toml").write_text(RUN + SWEEP)
    return tmp_path


def api_table() -> pd.DataFrame:
    cell = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
    functions = {
        "firing_rate": firing_rate,
        "firing_rate (t_start 50 ms)": lambda block: firing_rate(block, t_start=50 * pq.ms),
        "fano_factor": lambda block: fano_factor(block, window=100 * pq.ms),
    }
    return nsnn.sweep(
        cell,
        {"noise.sigma": [2 * mV, 4 * mV], "stimulus.v": [10 * mV, 15 * mV, 20 * mV]},
        **{"noise": nsnn.WhiteNoise(3.5 * mV), "stimulus": nsnn.Constant(15 * mV), "measures": functions},
        **{"trials": 2, "duration": 200 * ms, "dt": 0.1 * ms, "seed": 1, "n_neurons": 3, "engine": "numpy"},
        **{"by": "population", "common_noise": True},
    )


@pytest.mark.slow
def test_the_command_gives_the_table_of_the_api_and_resumes(folder, capsys) -> None:
    assert main(["sweep", "sweep.toml", "-o", "out"]) == 0
    out, err = capsys.readouterr()
    got = pd.read_csv(folder / "out" / "table.csv", float_precision="round_trip")
    expected = api_table()
    np.testing.assert_array_equal(got["value"], expected["value"])
    assert got["measure"].tolist() == expected["measure"].tolist()
    assert got["value"].max() > 5
    assert "noise.sigma (V)" in out
    assert "and 6 rows more" in out
    assert "out: table.csv of 18 rows, 6 points" in err
    written = {path: path.stat().st_mtime_ns for path in (folder / "out").glob("chunk-*")}
    assert main(["sweep", "sweep.toml", "-o", "out"]) == 0
    assert capsys.readouterr().out == out
    assert {path: path.stat().st_mtime_ns for path in (folder / "out").glob("chunk-*")} == written
    (folder / "sweep.toml").write_text((RUN + SWEEP).replace("trials = 2", "trials = 3"))
    assert main(["sweep", "sweep.toml", "-o", "out"]) == 2
    assert "trials: 2 before, 3 now): use another folder, or resume=False (--no-resume)" in error(capsys)
    assert main(["sweep", "sweep.toml", "-o", "out", "--no-resume"]) == 0
    assert main(["simulate", "sweep.toml", "-o", "run.nwb"]) == 0  # without its [sweep]


@pytest.mark.slow
def test_failed_points_give_exit_code_1(folder, capsys) -> None:
    text = RUN.replace(
        'type = "WhiteNoise"\nsigma = "3.5 mV"',
        'type = "MultiplicativeNoise"\nsigma = 0.1\nv_zero = "-9 mV"\ncalculus = "ito"',
    )
    (folder / "sweep.toml").write_text(
        text + '[sweep]\nmeasures = ["cv"]\npoints = [{noise.sigma = 0.1}, {noise.sigma = 1e200}]'
    )
    with np.errstate(all="ignore"):
        assert main(["sweep", "sweep.toml", "-o", "out"]) == 1
    assert "1 of 2 points failed" in capsys.readouterr().err


WRONG = [
        ("noise.sigma", "noise.sgma", "sweep.toml:30: grid has the name 'noise.sgma': WhiteNoise has no parameter 'sgma'"),
        ('"2 mV", "4 mV"', '"2 ms"', "sweep.toml:30: grid[0]"),
        ('"2 mV", "4 mV"', '"2 mW"', 'sweep.toml:31: noise.sigma = "2 mW": unknown unit "mW"'),
        ('["2 mV", "4 mV"]', '"2 mV"', "sweep.toml:31: noise.sigma = \"2 mV\": expected a list of values, or a range"),
        ("n = 3", "n = 1", "sweep.toml:32: stimulus.v: expected a range such as"),
        ('to = "20 mV"', 'to = "20 ms"', "expected two numbers of one unit"),
        ("n = 3", "m = 3", "sweep.toml:32: m: [sweep.grid.stimulus.v] has no such key"),
        ('"firing_rate", {', '"rate", {', 'sweep.toml:27: measures: "rate": expected one of'),
        ('"firing_rate", {', '"firing_rat", {', "did you mean 'firing_rate'?"),
        ("window", "widow", "widow: [sweep.measures] has no such key; did you mean 'window'?"),
        ('"0.1 s"', '"0.1 V"', "measures: fano_factor: window"),
        ("common_noise = true", "common_noise = 1", "sweep.toml:29: common_noise = 1: expected true or false"),
        ("common_noise = true", "seeds = [1]", "seeds = [1]: [run] has a seed too"),
        ("common_noise = true", "points = [{noise.sigma = 1}]", "expected either a table grid or tables points"),
        ("seed = 1", "seed = 1\nrecord_v = true", "record_v: a sweep keeps only measures"),
        ("seed = 1", 'seed = 1\ndevice = "cpu"', "device: a sweep with engine = \"torch\" uses the first GPU"),
]  # fmt: skip


def test_an_error_in_the_file_is_reported_with_its_line(folder, capsys) -> None:
    for old, new, message in WRONG:
        assert old in RUN + SWEEP
        (folder / "sweep.toml").write_text((RUN + SWEEP).replace(old, new))
        assert main(["sweep", "sweep.toml", "-o", "out"]) == 2
        assert message in error(capsys)


def test_other_bad_input(folder, capsys) -> None:
    (folder / "run.toml").write_text(RUN)
    assert main(["sweep", "run.toml", "-o", "out"]) == 2
    assert "no [sweep]: expected a table" in error(capsys)
    assert main(["sweep", "sweep.toml", "-o", "run.toml"]) == 2
    assert "that is a file" in error(capsys)
    assert main(["sweep", "sweep.toml", "-o", "out", "--jobs", "0"]) == 2
    assert "n_jobs = 0" in error(capsys)
    assert main(["sweep", "none.toml", "-o", "out"]) == 2
    assert "none.toml" in error(capsys)


def test_texts_lists_of_points_and_seeds(folder, capsys) -> None:
    text = """
    [model]
    type = "NSNNNeuron"
    [noise]
    type = "EscapeNoise"
    family = {type = "Gaussian", sigma = 0.4}
    [run]
    duration = "20 ms"
    dt = "1 ms"
    engine = "numpy"
    trials = 2
    [sweep]
    measures = ["cv"]
    seeds = [3, 4]
    [[sweep.points]]
    model.reset = "hard"
    noise.family.sigma = 0.2
    [[sweep.points]]
    model.reset = "subtract"
    noise.family.sigma = 1
    """
    (folder / "points.toml").write_text(text)
    assert main(["sweep", "points.toml", "-o", "out"]) == 0
    table = pd.read_csv(folder / "out" / "table.csv")
    assert table["model.reset"].tolist() == ["hard"] * 2 + ["subtract"] * 2
    assert table["noise.family.sigma"].tolist() == [0.2] * 2 + [1.0] * 2
    assert table["seed"].tolist() == [3, 4] * 2
    capsys.readouterr()
    (folder / "points.toml").write_text(text.split("[[")[0] + "points = []")
    assert main(["sweep", "points.toml", "-o", "none"]) == 2
    assert "points = []: expected tables such as" in error(capsys)


@pytest.mark.slow
def test_the_example_runs(folder, capsys) -> None:
    text = (
        (ROOT / "examples" / "sweep.toml").read_text().replace('"2 s"', '"20 ms"').replace("= 20\n", "= 1\n")
    )
    (folder / "example.toml").write_text(text.replace("seed = 1", 'seed = 1\nengine = "numpy"'))
    assert main(["sweep", "example.toml", "-o", "out"]) == 0
    table = pd.read_csv(folder / "out" / "table.csv")
    assert sorted(set(table["stimulus.v"].round(9))) == [0.01, 0.015, 0.02, 0.025]

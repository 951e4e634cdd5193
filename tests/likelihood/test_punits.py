"""The table of docs/punits.md: from its file, by a fit that finds the noise of the published model."""

import dataclasses
import importlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from brian2 import second

import nsnn_neuro as nsnn

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "punits.py"
spec = importlib.util.spec_from_file_location("punits", SCRIPT)
punits = importlib.util.module_from_spec(spec)
spec.loader.exec_module(punits)


def test_the_table_and_its_summary_are_those_of_the_file():
    results = json.loads(punits.RESULTS.read_text())
    page = punits.PAGE.read_text()
    table = page[page.index(punits.HEAD) + len(punits.HEAD) :].split("\n\n")[0].splitlines()
    assert table == punits.lines(results)
    assert punits.summary(results) in page


@pytest.mark.slow  # a fit of a second at 190 Hz, of which the membrane crosses many standard deviations in a step
def test_the_likelihood_finds_the_noise_of_the_published_model():
    """Simulated by Euler's method with steps of 0.05 ms, as it was published."""
    row = {
        "EODf": 700.0,
        "dend_tau": 0.002,
        "input_scaling": 40.0,
        "mem_tau": 0.0015,
        "noise_strength": 0.008,
    }
    row |= {"ref_period": 0.001, "v_offset": -4.0, "delta_a": 0.04, "tau_a": 0.06}
    dt, rng = 5e-5, np.random.default_rng(1)
    v = v_d = 0.0
    a, free_from, times = row["delta_a"] * 190, 0.0, []
    for k in range(30_000):
        t = k * dt
        v_d += (max(np.sin(2 * np.pi * row["EODf"] * t), 0.0) - v_d) * dt / row["dend_tau"]
        kick = row["noise_strength"] * rng.normal() / np.sqrt(dt)
        v += (-v + row["v_offset"] + row["input_scaling"] * v_d - a + kick) * dt / row["mem_tau"]
        a -= a * dt / row["tau_a"]
        if t < free_from:
            v = 0.0
        if v > 1.0:
            times.append(t)
            v, free_from = 0.0, t + row["ref_period"]
            a += row["delta_a"] / row["tau_a"]
    spikes = np.array(times)
    spikes = spikes[spikes < 1.5]
    cell, stimulus, sigma = punits.published(row, 190.0, row["EODf"])
    free = {"noise.sigma": (sigma / 3, 3 * sigma), "b": (cell.si("b") / 2, cell.si("b") * 2)}
    stimulus = dataclasses.replace(stimulus, delay=0 * second)
    found = nsnn.calibrate(
        cell, free, noise=nsnn.WhiteNoise(2 * sigma), stimulus=stimulus, trains=[spikes], t_start=0.5 * second,
        t_stop=1.5 * second,
    )  # fmt: skip
    assert found.n_spikes > 150
    error = found.se["noise.sigma"]
    assert abs(found.parameters["noise.sigma"] - sigma) < 4 * error
    # sigma / sqrt(2 n) and somewhat more, as spikes are known to a step
    assert 0.02 * sigma < error < 0.1 * sigma


def test_the_tables_of_recorded_cells_are_those_of_their_file(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    cells = importlib.import_module("recorded_cells")
    results, page = json.loads(cells.RESULTS.read_text("utf-8")), cells.PAGE.read_text("utf-8")
    rows = "".join(cells.row(name, results[name]) for name in sorted(results))
    counts = "".join(cells.count(name, results) for name in cells.MODELS)
    assert cells.HEAD + rows + "\n" + cells.TAIL + counts in page

"""The cost model in benchmarks/: it finds known costs, judges by sizes it has not seen, and its page shows what is kept."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def cost_model() -> Any:
    """benchmarks/cost_model.py, imported as the script finds its neighbours."""
    sys.path.insert(0, str(FOLDER))
    try:
        yield importlib.import_module("cost_model")
    finally:
        sys.path.remove(str(FOLDER))


COSTS = {
    "run": 0.2, "step": 1e-4, "neuron": 1e-6, "neuron step": 1.5e-8, "small neuron step": 4e-8, "synapse": 2e-7,
    "event": 4e-9, "spike": 1e-6, "point": 1e-3, "chunk": 5e-3, "process": 3.0, "base": 2e8,
}  # fmt: skip
"""seconds or bytes; sizes of the cost model below are measured as exactly this much"""


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
            "run": 1, "step": t, "neuron": n, "neuron step": n * t, "synapse": n * n, "event": n * n * t / 9, "process": 1,
            "spike": n * t * size.get("rate", 1), "point": size.get("points", 0),
            "chunk": -(-size.get("points", 1) // size.get("chunk", 9)),
        }  # fmt: skip
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


@pytest.mark.slow
def test_cost_model_finds_the_costs_goes_on_where_it_was_and_its_page_predicts_from_them(
    cost_model: Any, made_up: list[str], tmp_path: Path
) -> None:
    """By hand: 1e13 neuron-steps of 15 ns are 42 h; 1e6 points of 1 ms and 2e4 chunks of 5 ms are 18 min for the caller."""
    every = cost_model.cases()
    cost_model.run(tmp_path, every[:5])
    cost_model.run(tmp_path, every)
    measured = cost_model.lines(tmp_path)
    assert set(measured) == {case.name for case in every}
    assert len(made_up) == sum(line["rounds"] for line in measured.values())
    made = cost_model.summary(measured)
    for key, model in made["models"].items():
        factor = 1e9 if model["unit"] == "bytes" else 1.0
        for name, cost in model["costs"].items():
            assert cost == pytest.approx(factor * COSTS[name], rel=1e-3), (key, name)
        assert model["largest_error"] < 1e-3
        assert model["held_out"]
    assert list(made["models"]) == list(cost_model.MODELS)
    text = " ".join(importlib.import_module("scaling_page").page(made).split())
    assert "In C++ they take 42 h of processor time, 21 h on two cores" in text
    assert "needs 18 min and 1 TB of memory. So the caller is what limits the sweep: about 18 min" in text
    assert "All models fulfil the criterion." in text


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


def test_page_on_costs_shows_the_kept_measurements(cost_model: Any) -> None:
    scaling = importlib.import_module("scaling_page")
    assert scaling.page(json.loads(cost_model.KEPT.read_text())) == scaling.PAGE.read_text(encoding="utf-8")


@pytest.mark.slow
def test_cost_model_measures_runs(cost_model: Any, tmp_path: Path) -> None:
    """Small ones: the sizes are those asked for, and costs are positive."""
    cost_model.run(tmp_path, cost_model.quick_cases())
    measured = cost_model.lines(tmp_path)
    kept = measured["kept neurons=300 steps=300 rate=500"]
    p = 1 - np.exp(-500 * 1e-4)
    assert abs(kept["features"]["spike"] - 9e4 * p) < 4 * np.sqrt(9e4 * p * (1 - p))
    assert all(row["value"] > 0 for row in measured.values())
    assert "run" in cost_model.report(cost_model.summary(measured))
    features, seconds = cost_model.network("numpy", 100, 400)
    assert seconds > 0
    assert features["synapse"] == 100 * (8 + 2)
    spikes = features["rate"] * 100 * 0.04
    assert spikes > 50
    # each in-degree is 10, so that the out-degrees have mean 10 and nearly the binomial variance 9
    assert abs(features["event"] / spikes - 10) < 4 * 3 / np.sqrt(min(spikes, 100))

"""The cost model in benchmarks/: it finds known costs, judges by sizes it has not seen, and its page shows what is kept."""

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
def cost_model() -> Any:
    """benchmarks/cost_model.py, imported as the script finds its neighbours."""
    sys.path.insert(0, str(FOLDER))
    try:
        yield importlib.import_module("cost_model")
    finally:
        sys.path.remove(str(FOLDER))


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

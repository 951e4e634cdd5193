"""Results of fixed seeds stay what they were: a refactoring changes no spike, weight, table, fit or measure."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from golden import make

GOLDEN = json.loads((make.HERE / "results.json").read_text(encoding="utf-8"))
# sums may be taken in another order on another processor or with another NumPy; spikes may not change at all
RELATIVE = 1e-9


def same(new: Any, old: Any) -> bool:
    """Equal integers and texts, and floats within rounding."""
    if isinstance(old, dict):
        return new.keys() == old.keys() and all(same(new[key], old[key]) for key in old)
    if isinstance(old, list):
        return len(new) == len(old) and all(map(same, new, old))
    if isinstance(old, float):
        return (math.isnan(old) and math.isnan(new)) or math.isclose(
            new, old, rel_tol=RELATIVE, abs_tol=RELATIVE
        )
    return new == old


@pytest.mark.slow
def test_results_are_those_of_the_file() -> None:
    """Most pairs of neuron and noise run, and have spikes: one that is refused tests nothing."""
    results = json.loads(json.dumps(make.results()))
    assert not [name for name in results if not same(results[name], GOLDEN[name])]
    assert results.keys() | {"deep.fit"} == GOLDEN.keys()
    pairs = [value for name, value in results.items() if name.startswith("simulate") and value != "refused"]
    assert len(pairs) >= 50
    assert all(sum(len(train) for trial in value for train in trial) > 0 for value in pairs)
    results["simulate LIF, WhiteNoise"][1][2][-1] += 1  # one step: the comparison sees it
    assert not same(results["simulate LIF, WhiteNoise"], GOLDEN["simulate LIF, WhiteNoise"])
    assert not same([1 + 1e-8], [1.0])


@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.parametrize("engine", ["cython", "cpp"])
@pytest.mark.parametrize(("neuron", "noise"), make.COMPILED)
def test_compiled_engines_have_the_same_spikes(neuron, noise, engine) -> None:
    assert make.run(neuron, noise, engine) == GOLDEN[f"simulate {neuron}, {noise}"]


@pytest.mark.slow
def test_training_in_torch() -> None:
    pytest.importorskip("torch")
    assert same(make.trained_in_torch(), GOLDEN["deep.fit"])

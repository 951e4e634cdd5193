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


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return json.loads(json.dumps(make.results()))


@pytest.mark.slow
def test_results_are_those_of_the_file(results) -> None:
    changed = [name for name in results if not same(results[name], GOLDEN[name])]
    assert not changed
    assert results.keys() | {"deep.fit"} == GOLDEN.keys()


@pytest.mark.slow
def test_the_comparison_sees_one_step(results) -> None:
    other = json.loads(json.dumps(results["simulate LIF, WhiteNoise"]))
    other[1][2][-1] += 1
    assert not same(other, GOLDEN["simulate LIF, WhiteNoise"])
    assert not same([1 + 1e-8], [1.0])


@pytest.mark.slow
def test_most_pairs_run(results) -> None:
    """A pair that is refused tests nothing; every pair that ran has spikes."""
    pairs = {name: value for name, value in results.items() if name.startswith("simulate")}
    ran = {name: value for name, value in pairs.items() if value != "refused"}
    assert len(ran) >= 50
    assert all(sum(len(train) for trial in value for train in trial) > 0 for value in ran.values())


@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.parametrize("engine", ["cython", "cpp", "auto"])
@pytest.mark.parametrize(("neuron", "noise"), make.COMPILED)
def test_compiled_engines_have_the_same_spikes(neuron, noise, engine) -> None:
    assert make.run(neuron, noise, engine) == GOLDEN[f"simulate {neuron}, {noise}"]


@pytest.mark.slow
def test_training_in_torch() -> None:
    pytest.importorskip("torch")
    assert same(make.trained_in_torch(), GOLDEN["deep.fit"])

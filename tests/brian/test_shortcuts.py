"""What replaces Brian2's functions in a run gives what they give, and they are put back."""
# Imports internals: these functions have no public names.

from __future__ import annotations

import traceback
from types import SimpleNamespace
from typing import Any

import pytest
from brian2 import Hz, NeuronGroup, ms, prefs
from brian2.core import base
from brian2.utils import caching
from brian2.utils.logger import BrianLogger

import nsnn_neuro as nsnn
from nsnn_neuro.brian import shortcuts

OWN = caching._hashable


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [nsnn.WangBuzsaki(), nsnn.brunel(g=5, eta=2, n_e=8, n_i=2, epsilon=0.3)],
    ids=["neuron", "network"],
)
def test_keys_of_a_run_are_those_of_brian2(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = []

    def both(value: Any) -> Any:
        made = shortcuts.hashable(value)
        pairs.append((made, OWN(value)))
        return made

    # what calls itself stays what it is, so that only whole arguments are compared
    monkeypatch.setattr(shortcuts, "_FASTER", {**shortcuts._FASTER, "_hashable": both})
    nsnn.simulate(model, duration=1 * ms, seed=1, engine="numpy")
    assert len(pairs) > 20
    assert all(own == brian and hash(own) == hash(brian) for own, brian in pairs)


def test_they_are_used_in_a_run_and_not_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    described = type(prefs).get_documentation
    recorded = BrianLogger.diagnostic
    used = {"_hashable": 0, "get_documentation": 0, "extract_stack": 0, "diagnostic": 0}

    def counting(name: str, function: Any) -> Any:
        def counted(*args: Any, **options: Any) -> Any:
            used[name] += 1
            return function(*args, **options)

        return counted

    functions = {name: shortcuts._FASTER[name] for name in ("_hashable", "get_documentation", "diagnostic")}
    counted: dict[str, Any] = {name: counting(name, function) for name, function in functions.items()}
    counted["traceback"] = SimpleNamespace(extract_stack=counting("extract_stack", list))
    monkeypatch.setattr(shortcuts, "_FASTER", counted)
    nsnn.simulate(nsnn.PoissonSource(20 * Hz), duration=1 * ms, seed=1, engine="numpy")
    assert min(used.values()) > 5
    assert caching._hashable is OWN
    assert type(prefs).get_documentation is described
    assert BrianLogger.diagnostic is recorded
    assert "codegen.target" in prefs.codegen.__doc__
    assert base.traceback is traceback
    assert __file__ in NeuronGroup(1, "v : 1", name="made_after_a_run")._creation_stack

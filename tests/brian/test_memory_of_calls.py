"""Calls that are repeated, with new values, must not fill the memory: Brian2 keeps what it has translated for ever."""
# Imports internals: how many texts Brian2 may keep.

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from brian2 import Hz, ms, mV
from brian2.codegen.translation import make_statements
from brian2.core.names import Nameable

import nsnn_neuro as nsnn
from nsnn_neuro.brian import engine, global_state

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
X, Y = np.eye(4), np.array([0, 1, 0, 1])


def population(k: int) -> Any:
    noise = nsnn.OUNoise((3 + 0.1 * k) * mV, 5 * ms)
    return nsnn.simulate(CELL, noise, nsnn.Constant(25 * mV), duration=2 * ms, seed=k, engine="numpy")


def network(k: int) -> Any:
    sources = nsnn.Population(3, nsnn.PoissonSource(40 * Hz), name="sources")
    cells = nsnn.Population(
        2, CELL, noise=nsnn.WhiteNoise(2 * mV), stimulus=nsnn.Constant((20 + k) * mV), name="cells"
    )
    rule = nsnn.PairSTDP(A_plus=0.1 * mV, A_minus=0.1 * mV, tau_plus=(10 + k) * ms, tau_minus=20 * ms)
    wires = nsnn.Projection(sources, cells, rule=nsnn.AllToAll(), weight=1 * mV, plasticity=rule)
    return nsnn.simulate(nsnn.Network([sources, cells], [wires]), duration=5 * ms, seed=k, engine="numpy")


def training(k: int, formulation: str = "fast") -> Any:
    net = nsnn.feedforward(
        [4, 3, 2], noise=nsnn.EscapeNoise(nsnn.Gaussian(0.4 + 0.01 * k)), plasticity=nsnn.NDL(1e-2), seed=k
    )
    options = {"loss": nsnn.losses.rate_mse, "epochs": 1, "n_steps": 3, "seed": k}
    return nsnn.train(net, (X, Y), **options, formulation=formulation, engine="numpy", progress=False).history


def online(k: int) -> Any:
    return training(k, "online")


@pytest.mark.slow
@pytest.mark.parametrize("call", [network, online])
def test_a_call_leaves_no_objects_of_brian2_behind(call: Callable[[int], Any]) -> None:
    def alive() -> int:
        gc.unfreeze()  # the heap of a session of tests is put aside
        gc.collect()
        gc.freeze()
        return len(Nameable.__instances__())

    for k in range(2):
        call(k)
    before = alive()
    for k in range(2, 4):
        call(k)
    assert alive() == before


def test_what_runs_leave_behind_is_freed_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Garbage of a run is frozen when the next one begins, so that no collection of a single run sees it."""
    monkeypatch.setattr(global_state._heap, "depth", 0)
    monkeypatch.setattr(global_state, "_RUNS", 2)
    gc.unfreeze()
    gc.disable()
    try:
        with global_state.frozen_heap():
            kept: Any = type("Kept", (), {})()  # held by its caller at the end of the run, and then by itself
            kept.itself = kept
            left = weakref.ref(kept)
        del kept
        for _ in range(3):
            with global_state.frozen_heap():
                pass
        assert left() is None
    finally:
        gc.enable()
        gc.freeze()


@pytest.mark.parametrize("frozen", [True, False])
def test_a_run_leaves_the_heap_as_it_was(frozen: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Brian2 collects garbage before a run; what the caller has is put aside meanwhile, and stays so if the caller did it."""
    monkeypatch.setattr(global_state._heap, "depth", 0)
    gc.collect()
    gc.unfreeze()
    try:
        if frozen:
            gc.freeze()
        with global_state.frozen_heap():
            assert gc.get_freeze_count() > 1000
        assert (gc.get_freeze_count() > 0) is frozen
    finally:
        gc.freeze()


@pytest.mark.parametrize("call", [population, training])
def test_a_call_with_the_same_values_is_translated_once(call: Callable[[int], Any]) -> None:
    make_statements._cache.clear()  # a long session is near the bound, where all are forgotten
    call(1)
    known = len(make_statements._cache)
    call(1)
    assert len(make_statements._cache) == known


@pytest.mark.slow
def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_MOST_TEXTS", 8)
    for k in range(12):
        population(k)
        assert len(make_statements._cache) <= 8

"""Loops of C++ programs: rewritten where they are meant to be, with the spikes and states of the loops as Brian2 writes them."""
# Imports internals: which loops are rewritten, which leaves results as they are.

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from brian2 import Function, Hz, NeuronGroup, kHz, ms, mV, prefs
from numpy.testing import assert_array_equal

import nsnn_neuro as nsnn
from nsnn_neuro.brian import program_loops

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2.03 * ms)
WHITE = nsnn.WhiteNoise(4 * mV)
N = 2003  # more than one block, and no whole number of vectors
DRIVE = nsnn.Constant(np.linspace(12, 22, N) * mV)
WORDS, CHOICE, JUMPS, DUE, TOGETHER, FLAG, ABOVE = (
    "nsnn_words_of(",
    "const auto* const _turn_0",
    "nsnn_jumps_of(",
    "nsnn_where_due(",
    "nsnn_crossed_at(",
    "const int32_t free = ",
    " = nsnn_above(room_prev) * nsnn_above(room_end)",
)
FORMS = WORDS, CHOICE, JUMPS, DUE, TOGETHER, FLAG, ABOVE
CASES: dict[str, tuple[Any, dict[str, Any], set[str]]] = {
    "white noise": (WHITE, {}, {WORDS, CHOICE, DUE, TOGETHER, ABOVE}),
    "no bridge": (WHITE, {"bridge": False}, {WORDS, CHOICE, DUE}),
    "shared noise": (nsnn.WhiteNoise(4 * mV, shared=0.4), {}, {WORDS, CHOICE, DUE, ABOVE}),
    "the same noise for all": (nsnn.WhiteNoise(4 * mV, shared=1.0), {}, {CHOICE, DUE, ABOVE}),
    "coloured noise": (nsnn.OUNoise(4 * mV, 5 * ms), {}, {WORDS, CHOICE, DUE}),
    "escape noise": (nsnn.EscapeNoise(nsnn.Gaussian(3 * mV)), {}, {WORDS, CHOICE, DUE}),
    "a hazard": (nsnn.EscapeNoise(hazard=nsnn.GaussianHazard(50 * Hz, 4 * mV)), {}, {WORDS}),
    "jumps": (nsnn.PoissonNoise(2000 * Hz, 0.5 * mV), {"trials": 2}, {WORDS, CHOICE, JUMPS, DUE}),
    "many jumps, both ways": (
        nsnn.PoissonNoise(150 * kHz, 0.3 * mV, rate_inh=100 * kHz, weight_inh=0.3 * mV),
        {},
        {WORDS, CHOICE, JUMPS, DUE},
    ),
}


def run(noise: Any, **options: Any) -> list[np.ndarray]:
    """Trials, neurons and times of spikes, and membranes at the end."""
    given = {"n_neurons": N, "duration": 100.3 * ms, "dt": 0.1 * ms, "seed": 3, "engine": "cpp", **options}
    block, state = nsnn.simulate(CELL, noise, DRIVE, progress=False, return_state=True, **given)
    trains = nsnn.measures.as_trains(block)
    return [trains.trial, trains.neuron, trains.times, state.values("v").magnitude]


def same(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    """Spikes are equal; the compiler may round membranes in another order, which is in their last bits."""
    for one, other in zip(found[:3], expected[:3], strict=True):
        assert_array_equal(one, other)
    np.testing.assert_allclose(found[3], expected[3], rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.parametrize("name", CASES)
def test_rewritten_loops_give_the_same_spikes_and_membranes(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise, options, expected = CASES[name]
    texts: list[str] = []
    rewrite = program_loops.with_fast_loops

    def spied(code: Any, text: str) -> str:
        texts.append(rewrite(code, text))
        return texts[-1]

    monkeypatch.setattr(program_loops, "with_fast_loops", spied)
    fast = run(noise, **options)
    assert {form for form in FORMS if any(form in text for text in texts)} == expected | {FLAG}
    monkeypatch.setattr(program_loops, "with_fast_loops", lambda code, text: text)
    plain = run(noise, **options)
    assert fast[2].size > 1000
    same(fast, plain)


@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.usefixtures("single_precision")
@pytest.mark.parametrize("name", ["white noise", "jumps"])
def test_single_precision(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noise, options, _ = CASES[name]
    fast = run(noise, **options)
    monkeypatch.setattr(program_loops, "with_fast_loops", lambda code, text: text)
    plain = run(noise, **options)
    assert fast[2].size > 1000
    for one, other in zip(fast[:3], plain[:3], strict=True):
        assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.parametrize("name", ["white noise", "jumps"])
@pytest.mark.parametrize("flag", ["-mno-avx512f", "-mno-avx2"])
def test_narrower_vectors_give_the_same_spikes(flag: str, name: str) -> None:
    """Processors without these instructions have loops of their own."""
    noise, options, _ = CASES[name]
    expected = run(noise, **options)
    flags = prefs.codegen.cpp.extra_compile_args_gcc
    prefs.codegen.cpp.extra_compile_args_gcc = [*flags, flag]
    try:
        found = run(noise, **options)
    finally:
        prefs.codegen.cpp.extra_compile_args_gcc = flags
    same(found, expected)


def test_loops_that_call_functions_with_a_state_are_left_alone() -> None:
    """The order of the calls matters."""
    text = "    for(int _idx=0; _idx<_N; _idx++)\n    {\n        x = 1;\n    }\n"
    group = NeuronGroup(1, "x : 1", name="program_loops")
    changed = []
    for stateless in (True, False):
        function = Function(np.sin, arg_units=[1], return_unit=1, stateless=stateless)
        code = SimpleNamespace(owner=group, template_name="stateupdate", variables={"f": function})
        changed.append(program_loops.with_fast_loops(code, text) != text)
    assert changed == [True, False]

"""Loops of C++ programs: rewritten where they are meant to be, with the spikes and states of NumPy."""
# Imports internals: which loops are rewritten, which leaves results as they are.

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from brian2 import Function, Hz, NeuronGroup, kHz, ms, mV, prefs
from helpers.unoptimised import FLAGS
from numpy.testing import assert_array_equal

import nsnn_neuro as nsnn
from nsnn_neuro.brian import engine, program_loops
from nsnn_neuro.brian.find_compiler import find_compiler

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2.03 * ms)
WHITE = nsnn.WhiteNoise(4 * mV)
N = 1031  # with two trials more than one block, and no whole number of vectors
DRIVE = nsnn.Constant(np.linspace(12, 22, N) * mV)
WORDS, NORMALS, CHOICE, JUMPS, DUE, TOGETHER, FLAG, ABOVE, PART, OWN_PART, FREE = (
    "nsnn_words_of(",
    "nsnn_normals_of(",
    "const auto* const _turn_0",
    "nsnn_jumps_of(",
    "nsnn_where_due(",
    "nsnn_crossed_at(",
    "const int32_t free = ",
    " = nsnn_above(room_prev) * nsnn_above(room_end)",
    "(part ? relax_part : relax)",
    "(part ? step_sd_part : step_sd)",
    "moved = free ? v + (",
)
FORMS = WORDS, NORMALS, CHOICE, JUMPS, DUE, TOGETHER, FLAG, ABOVE, PART, OWN_PART, FREE
SHARED = {WORDS, NORMALS, CHOICE, DUE, FLAG, PART}
# populations of one program -> noise, and the forms of their loops
CASES: dict[str, tuple[Any, set[str]]] = {
    "white": (WHITE, SHARED | {TOGETHER, ABOVE, OWN_PART, FREE}),
    "jumps": (nsnn.PoissonNoise(2000 * Hz, 0.5 * mV), SHARED - {NORMALS} | {JUMPS}),
    "shared": (nsnn.WhiteNoise(4 * mV, shared=0.4), SHARED | {ABOVE, OWN_PART, FREE}),
    "coloured": (nsnn.OUNoise(4 * mV, 5 * ms), SHARED | {FREE}),
    "escape": (nsnn.EscapeNoise(nsnn.Gaussian(3 * mV)), SHARED - {NORMALS}),
    "many_jumps_both_ways": (
        nsnn.PoissonNoise(150 * kHz, 0.3 * mV, rate_inh=100 * kHz, weight_inh=0.3 * mV),
        SHARED - {NORMALS} | {JUMPS},
    ),
}


def run(*names: str, engine: str = "cpp") -> list[np.ndarray]:
    """Trials, neurons and times of spikes, and membranes at the end, of populations with these noises."""
    cells = [nsnn.Population(N, CELL, noise=CASES[name][0], stimulus=DRIVE, name=name) for name in names]
    given = {"duration": 50.3 * ms, "dt": 0.1 * ms, "seed": 3, "engine": engine, "trials": 2}
    block, state = nsnn.simulate(nsnn.Network(cells), progress=False, return_state=True, **given)
    trains = nsnn.measures.as_trains(block)
    assert np.bincount(trains.neuron // N).min() > 500
    return [
        trains.trial,
        trains.neuron,
        trains.times,
        np.stack([state.values("v", n).magnitude for n in names]),
    ]


def same(found: list[np.ndarray], expected: list[np.ndarray], rtol: float = 1e-9) -> None:
    """Spikes are equal; compilers and NumPy may round membranes in another order, which is in their last bits."""
    for one, other in zip(found[:3], expected[:3], strict=True):
        assert_array_equal(one, other)
    np.testing.assert_allclose(found[3], expected[3], rtol=rtol, atol=1e-12)


@pytest.mark.slow
@pytest.mark.compile
def test_rewritten_loops_and_those_of_narrower_vectors_give_the_spikes_and_membranes_of_numpy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Processors without some instructions have loops of their own."""
    forms: dict[str, set[str]] = {}
    rewrite = program_loops.with_fast_loops

    def spied(code: Any, text: str) -> str:
        new = rewrite(code, text)
        forms.setdefault(code.owner.name, set()).update(form for form in FORMS if form in new)
        return new

    monkeypatch.setattr(program_loops, "with_fast_loops", spied)
    fast = run(*CASES)
    found = [forms[f"population_{k}"] for k in range(len(CASES))]
    assert dict(zip(CASES, found, strict=True)) == {name: expected for name, (_, expected) in CASES.items()}
    first = fast[1] < 2 * N
    flags = prefs.codegen.cpp.extra_compile_args_gcc
    try:
        for flag in ("-mno-avx512f", "-mno-avx2"):
            prefs.codegen.cpp.extra_compile_args_gcc = [*flags, flag]
            same(run("white", "jumps"), [*(x[first] for x in fast[:3]), fast[3][:2]])
    finally:
        prefs.codegen.cpp.extra_compile_args_gcc = flags
    same(fast, run(*CASES, engine="numpy"))


@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.usefixtures("single_precision")
def test_single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(prefs, "codegen.cpp.extra_compile_args_gcc", FLAGS)
    fast = run("jumps")
    monkeypatch.setattr(program_loops, "with_fast_loops", lambda code, text: text)
    same(fast, run("jumps"), rtol=1e-4)


COMPARED = """
#include "program_loops.h"
#include "philox.h"
#include <cstdio>
int main() {
    static uint64_t words[4][2048];
    static double out[4][2048];
    const uint32_t edges[] = {0, 1, 0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFF,
        0x80000000, 0x3FFFFFFF, 0x40000000, 0xBFFFFFFF, 0xC0000000, 0xB504F333};
    uint64_t x = 88172645463325252ull;
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < 2048; i++) {
            x ^= x << 13; x ^= x >> 7; x ^= x << 17;
            words[k][i] = i < 121 ? x << 32 | edges[k % 2 ? i % 11 : i / 11] : x; /* the upper half is anything */
        }
#ifdef NSNN_NORMALS
    const int count = 2043;
    nsnn_normals_of(count, words, out[0], out[1], out[2], out[3]);
    double worst = 0;
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < count; i++) {
            const uint32_t angle = (uint32_t)words[k / 2 * 2 + 1][i] - (k % 2 ? 0x40000000u : 0u);
            const double one = nsnn_box_muller((uint32_t)words[k / 2 * 2][i], angle), off = fabs(out[k][i] / one - 1.0);
            if (!(off <= worst)) worst = off;
        }
    printf("%g %g", worst, out[0][count]);
#endif
}
"""


@pytest.mark.compile
@pytest.mark.parametrize("flags", [["-O3", "-ffast-math", "-fno-finite-math-only"], ["-O1"]])
def test_normals_of_many_neurons_are_those_of_one(flags: list[str], tmp_path: Path) -> None:
    """At the ends of the words too, and for neurons that do not fill the last vector."""
    source, compiler = tmp_path / "compared.cpp", find_compiler()
    assert compiler is not None
    source.write_text(COMPARED)
    headers = Path(program_loops.__file__).parent
    options = [*flags, "-march=native", f"-I{headers}", "-o", str(tmp_path / "compared")]
    subprocess.run([*compiler, str(source), *options], check=True)
    shown = subprocess.run([tmp_path / "compared"], capture_output=True, text=True, check=True).stdout
    if not shown:
        pytest.skip("this processor has no such instructions")
    worst, behind = map(float, shown.split())
    assert 0 < worst < 1e-15
    assert behind == 0


EIF = nsnn.EIF(
    tau_m=10 * ms, v_rest=-65 * mV, v_reset=-68 * mV, v_thresh=-60 * mV, delta_T=3.5 * mV, v_spike=-30 * mV, tau_refrac=2 * ms
)  # fmt: skip
VECTORISED: list[tuple[Any, Any, Any]] = [
    (EIF, nsnn.OUNoise(3 * mV, 5 * ms), 9 * mV),
    (CELL, nsnn.EscapeNoise(nsnn.Gaussian(3 * mV)), 18 * mV),
    (nsnn.WangBuzsaki(), nsnn.WhiteNoise(2 * mV), 4 * mV),
]


@pytest.mark.slow
@pytest.mark.compile
def test_gcc_vectorises_the_steps_and_spikes_are_those_of_numpy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 2,000 neurons, from which on numbers are drawn for four steps. Flags, functions and text have to go together."""
    made = engine.temporary_folder

    @contextlib.contextmanager
    def copied() -> Any:
        with made() as folder:
            yield folder
            shutil.copytree(folder, tmp_path / "program")

    monkeypatch.setattr(engine, "temporary_folder", copied)
    monkeypatch.setenv("NSNN_CACHE_DIR", str(tmp_path / "cache"))  # so that the program is compiled
    cells = [
        nsnn.Population(2000, cell, noise=noise, stimulus=nsnn.Constant(drive), name=f"p{k}")
        for k, (cell, noise, drive) in enumerate(VECTORISED)
    ]
    options = {"duration": 20 * ms, "dt": 0.05 * ms, "seed": 3, "progress": False}
    found, expected = (
        nsnn.measures.as_trains(nsnn.simulate(nsnn.Network(cells), engine=name, **options))
        for name in ("cpp", "numpy")
    )
    assert np.bincount(expected.neuron // 2000, minlength=3).min() > 100
    assert_array_equal(found.neuron, expected.neuron)
    assert_array_equal(found.times, expected.times)
    gcc = shutil.which("g++")
    if gcc is None or "Free Software" not in subprocess.check_output([gcc, "--version"], text=True):
        pytest.skip("the message is that of GCC")
    program = tmp_path / "program"
    flags = re.search(r"^OPTIMISATIONS = (.*)$", (program / "makefile").read_text(encoding="utf-8"), re.M)
    assert flags is not None
    for part in program.glob("code_objects/part_*.cpp"):
        lines = part.read_text(encoding="utf-8").splitlines()
        steps = [k for k, line in enumerate(lines) if re.match(r"void _run_population_\d_step\w*\(", line)]
        loops = [
            next(n for n in range(k, len(lines)) if "for(int _idx=0; _idx<_N" in lines[n]) + 1 for k in steps
        ]
        command = f"{gcc} -c -I. {flags[1]} -fopt-info-vec {part} -o {tmp_path / 'part.o'}"
        done = subprocess.run(command, shell=True, cwd=program, capture_output=True, text=True, check=True)
        for loop in loops:
            found_there = re.search(rf"{part.name}:{loop}:\d+: optimized: loop vectorized", done.stderr)
            assert found_there, done.stderr[-1000:]


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

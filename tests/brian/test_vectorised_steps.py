"""The compiler vectorises the step of a large population, which then fires the same spikes as in NumPy."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from brian2 import ms, mV

import nsnn_neuro as nsnn
from nsnn_neuro.brian import engine
from nsnn_neuro.measures import as_trains

EIF = nsnn.EIF(
    tau_m=10 * ms, v_rest=-65 * mV, v_reset=-68 * mV, v_thresh=-60 * mV, delta_T=3.5 * mV, v_spike=-30 * mV, tau_refrac=2 * ms
)  # fmt: skip
LIF = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
CASES: dict[str, tuple[Any, Any, Any]] = {
    "EIF, OU noise": (EIF, nsnn.OUNoise(3 * mV, 5 * ms), 9 * mV),
    "LIF, Gaussian escape noise": (LIF, nsnn.EscapeNoise(nsnn.Gaussian(3 * mV)), 18 * mV),
    "Wang-Buzsaki": (nsnn.WangBuzsaki(), nsnn.WhiteNoise(2 * mV), 4 * mV),
}


@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.parametrize("name", CASES)
def test_gcc_vectorises_the_step_and_spikes_are_those_of_numpy(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 2,000 neurons, from which on numbers are drawn for four steps. Flags, functions and text have to go together."""
    cell, noise, drive = CASES[name]
    options = {"n_neurons": 2000, "duration": 20 * ms, "dt": 0.05 * ms, "seed": 3, "progress": False}
    made = engine.temporary_folder

    @contextlib.contextmanager
    def copied() -> Any:
        with made() as folder:
            yield folder
            shutil.copytree(folder, tmp_path / "program")

    monkeypatch.setattr(engine, "temporary_folder", copied)
    monkeypatch.setenv("NSNN_CACHE_DIR", str(tmp_path / "cache"))  # so that the program is compiled
    found, expected = (
        as_trains(nsnn.simulate(cell, noise, nsnn.Constant(drive), engine=target, **options)) for target in ("cpp", "numpy")
    )  # fmt: skip
    assert expected.times.size > 100
    assert found.times.tolist() == expected.times.tolist()
    assert found.neuron.tolist() == expected.neuron.tolist()
    gcc = shutil.which("g++")
    if gcc is None or "Free Software" not in subprocess.check_output([gcc, "--version"], text=True):
        pytest.skip("the message is that of GCC")
    program = tmp_path / "program"
    makefile = (program / "makefile").read_text(encoding="utf-8")
    flags = re.search(r"^OPTIMISATIONS = (.*)$", makefile, re.M)
    assert flags is not None
    source = program / "code_objects" / "part_0.cpp"
    lines = source.read_text(encoding="utf-8").splitlines()
    begin = next(k for k, line in enumerate(lines) if line.startswith("void _run_population_0_step"))
    loop = next(k for k, line in enumerate(lines) if k > begin and "for(int _idx=0; _idx<_N" in line) + 1
    command = f"{gcc} -c -I. {flags[1]} -fopt-info-vec code_objects/part_0.cpp -o {tmp_path / 'part.o'}"
    done = subprocess.run(command, shell=True, cwd=program, capture_output=True, text=True, check=True)
    assert re.search(rf"part_0\.cpp:{loop}:\d+: optimized: loop vectorized", done.stderr), done.stderr[-1000:]

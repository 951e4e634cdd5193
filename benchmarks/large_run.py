"""A large run from simulation to measures: 100,000 LIF neurons of about 10 Hz, 10 s at 0.1 ms, saved, loaded, four measures.

`python benchmarks/large_run.py [--neurons N] [--seconds N] [--threads N ...] [--repeats N] [--quick] [--json FILE]`. Each run is a
process of its own, on the engine "cpp" with a compiled program that is kept. Times are those of the clock, imports of modules left
out. The memory is the peak of the process, Python included; the C++ program is another process, whose peak is reported too. The
goal is 40 s and 1.5 GB. The firing rate is compared with theory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from brian2 import ms, mV, second
from comparison import Agreement, Comparison, Report, add_options, goal
from environment import machine
from fit_neuron import peak

import nsnn_neuro as nsnn
from nsnn_neuro import measures, theory

NEURONS, SECONDS, GOAL = 100_000, 10.0, 40.0  # GOAL: s
CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
NOISE, DRIVE = nsnn.WhiteNoise(5 * mV), nsnn.Constant(13 * mV)
STAGES = ("simulate", "save", "load", "measures")


def simulate(neurons: int, seconds: float, threads: int) -> Any:
    """The run that is timed, or a short one that compiles."""
    return nsnn.simulate(
        CELL, NOISE, DRIVE, n_neurons=neurons, duration=seconds * second, dt=0.1 * ms, seed=1, engine="cpp",
        threads=threads, progress=False,
    )  # fmt: skip


def apply_measures(block: Any) -> float:
    """Apply four measures; returns the mean firing rate in Hz, without the first second, in which neurons leave rest."""
    measures.cv(block)
    measures.lv(block)
    measures.fano_factor(block, window=1 * second)
    return float(measures.firing_rate(block, t_start=1 * second).mean())


def run(neurons: int, seconds: float, threads: int) -> None:
    """One run; prints what its stages took as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.nwb"
        nsnn.save(simulate(1000, 2.0, threads), path)  # compiles, and imports what the stages need
        apply_measures(nsnn.load(path))
        stages, begun = {}, time.perf_counter()
        block = simulate(neurons, seconds, threads)
        stages["simulate"] = time.perf_counter() - begun
        nsnn.save(block, path)
        del block
        stages["save"] = time.perf_counter() - begun - sum(stages.values())
        block = nsnn.load(path)
        stages["load"] = time.perf_counter() - begun - sum(stages.values())
        rate = apply_measures(block)
        stages["measures"] = time.perf_counter() - begun - sum(stages.values())
    program = 1e-6 * 1.024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(json.dumps({**stages, "rate": rate, "peak": peak("VmHWM"), "program": program}))


def compare(report: Report, neurons: int, seconds: float, threads: int, repeats: int) -> None:
    """Report one number of threads."""
    runs: list[dict[str, float]] = []
    for _ in range(repeats):
        call = [sys.executable, __file__, "--run", json.dumps([neurons, seconds, threads])]
        runs.append(json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout))
    taken = tuple(sum(one[stage] for stage in STAGES) for one in runs)
    exact = theory.siegert_rate(
        13 * mV, 5 * mV, tau_m=20 * ms, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms
    )
    # counts vary less than those of a Poisson process; .2 % are for the steps in time
    error = (exact / (neurons * (seconds - 1))) ** 0.5
    alike = Agreement("firing rate and that of theory (Hz)", runs[0]["rate"], exact, error, 0.002 * exact)
    full = (neurons, seconds) == (NEURONS, SECONDS)
    size = f"{neurons:,} neurons, {seconds:g} s, {threads} thread{'s' if threads > 1 else ''}"
    name = (
        f"large run, saved, four measures, {threads} threads"
        if threads > 1
        else "large run, saved, four measures"
    )
    report.add(Comparison(name, size, taken, agreement=alike, goal=goal(GOAL, taken) if full else ""))
    stages = ", ".join(f"{stage} {median(one[stage] for one in runs):.2f} s" for stage in STAGES)
    memory = [max(one[of] for one in runs) for of in ("peak", "program")]
    print(f"{stages}; peak memory {memory[0]:.2f} GB, of the program {memory[1]:.2f} GB", flush=True)


def main() -> None:
    """Print the comparisons."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--neurons", type=int, default=NEURONS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--run", type=json.loads, help=argparse.SUPPRESS)
    add_options(parser)
    given = parser.parse_args()
    if given.run:
        run(*given.run)
        return
    print(machine())
    neurons, seconds, repeats = (
        (1000, 2.0, 1) if given.quick else (given.neurons, given.seconds, given.repeats)
    )
    report = Report(given.json)
    for threads in given.threads:
        compare(report, neurons, seconds, threads, repeats)


if __name__ == "__main__":
    main()

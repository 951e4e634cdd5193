"""`fit_neuron` with many steps: processor time, time and memory of one fit of a stimulus filter and a history filter.

`python benchmarks/fit_neuron.py [--steps N] [--functions N] [--repeats N] [--quick] [--json FILE]`: white noise in steps of 1 ms
drives a neuron with Gaussian escape noise, whose filters are sums of raised cosines. Each fit runs in a process of its own, on the
same simulated spikes. The memory is the peak of the process during the fit, Python and the data included. The goal is 3 s and
0.8 GB for 1.8 million steps and 8 + 8 functions. The fit agrees if no parameter is more than five standard errors from the
simulated one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import neo
import numpy as np
import quantities as pq
from brian2 import ms
from comparison import Agreement, Comparison, Report, add_options, goal
from environment import machine

from nsnn_neuro import Gaussian
from nsnn_neuro.likelihood import NeuronModel, RaisedCosines, fit_neuron

STEPS, FUNCTIONS, GOAL = 1_800_000, 8, 3.0  # GOAL: s


def setting(steps: int, functions: int) -> tuple[NeuronModel, neo.AnalogSignal, np.ndarray]:
    """The model, its stimulus and its parameters: about 28 spikes per second."""
    signal = np.random.default_rng(0).normal(size=steps)
    model = NeuronModel(
        dt=1 * ms,
        family=Gaussian(1.0),
        stimulus=RaisedCosines(functions, 50 * ms),
        history=RaisedCosines(functions, 100 * ms),
    )
    k = np.arange(functions) / functions
    drive, history = 0.2 * np.exp(-4 * k) * np.cos(4 * k), -np.exp(-6 * k)
    recorded = neo.AnalogSignal(signal, units=pq.dimensionless, sampling_period=1 * pq.ms)
    return model, recorded, np.concatenate([[-2.0], drive, history])


def peak(name: str) -> float:
    """VmHWM, the peak of this process's memory, or VmRSS, its memory now, in GB; NaN where the system does not say."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith(name):
            return 1.024e-6 * float(line.split()[1])
    return float("nan")


def run(spikes: Path, steps: int, functions: int) -> None:
    """One fit; prints what it took as JSON."""
    model, signal, true = setting(steps, functions)
    train, bases = np.load(spikes), {"stimulus": model.stimulus, "history": model.history}
    # modules are imported at their first use
    fit_neuron([train[train < 2.0]], signal[:2000], dt=1 * ms, **bases, ridge=1.0)
    held, cpu, wall = peak("VmRSS"), time.process_time(), time.perf_counter()
    fit = fit_neuron([train], signal, dt=1 * ms, **bases)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    off = np.abs(fit.values - true) / np.sqrt(np.diag(fit.covariance))
    print(
        json.dumps(
            {
                "cpu": cpu,
                "wall": wall,
                "held": held,
                "peak": peak("VmHWM"),
                "steps": fit.iterations,
                "off": off.max(),
            }
        )
    )


def compare(report: Report, steps: int, functions: int, repeats: int, *, full: bool) -> None:
    """Report a size; `full`: whether it is that of the goal."""
    model, signal, true = setting(steps, functions)
    fits: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        spikes = Path(folder) / "spikes.npy"
        np.save(spikes, model.simulate(true, signal).segments[0].spiketrains[0].magnitude)
        n_spikes = np.load(spikes).size
        sizes = ["--steps", str(steps), "--functions", str(functions)]
        for _ in range(repeats):
            call = [sys.executable, __file__, "--run", str(spikes), *sizes]
            fits.append(json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout))
    each = {name: tuple(one[name] for one in fits) for name in fits[0]}
    size = f"{steps:,} steps, {n_spikes:,} spikes, {functions} + {functions} functions"
    alike = Agreement("largest deviation in standard errors", max(each["off"]), 0.0, slack=5.0)
    for name, seconds in (("fit of many steps", each["wall"]), ("the same, processor time", each["cpu"])):
        report.add(Comparison(name, size, seconds, agreement=alike, goal=goal(GOAL, seconds) if full else ""))
    print(
        f"peak memory {max(each['peak']):.2f} GB, {max(each['held']):.2f} GB before; {each['steps'][0]} Newton steps"
    )


def main() -> None:
    """Print the comparisons."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--functions", type=int, default=FUNCTIONS)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    add_options(parser)
    given = parser.parse_args()
    if given.run:
        run(given.run, given.steps, given.functions)
        return
    print(machine())
    steps, repeats = (20_000, 1) if given.quick else (given.steps, given.repeats)
    full = (steps, given.functions) == (STEPS, FUNCTIONS)
    compare(Report(given.json), steps, given.functions, repeats, full=full)


if __name__ == "__main__":
    main()

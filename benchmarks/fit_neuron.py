"""`fit_neuron` with many steps: processor time, time and memory of one fit of a stimulus filter and a history filter.

`python benchmarks/fit_neuron.py [--steps N] [--functions N] [--repeats N]`: white noise in steps of 1 ms drives a neuron with
Gaussian escape noise, whose filters are sums of raised cosines. Each fit runs in a process of its own, on the same simulated
spikes. Seconds of the processor (of all threads) and of the clock are medians (least - most). The memory is the peak of the process
during the fit, and what it held before: Python and the data. The goal is 3 s and 0.8 GB for 1.8 million steps and 8 + 8 functions.
The last column is the largest distance of a parameter from the simulated one, in standard errors.
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
from timing import machine, spread, table

from nsnn_neuro import Gaussian
from nsnn_neuro.likelihood import NeuronModel, RaisedCosines, fit_neuron

STEPS, FUNCTIONS = 1_800_000, 8


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
    fit_neuron(
        [train[train < 2.0]], signal[:2000], dt=1 * ms, **bases, ridge=1.0
    )  # modules are imported at their first use
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


def row(steps: int, functions: int, repeats: int) -> list[str]:
    """The row of a size."""
    model, signal, true = setting(steps, functions)
    fits: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        spikes = Path(folder) / "spikes.npy"
        np.save(spikes, model.simulate(true, signal).segments[0].spiketrains[0].magnitude)
        n_spikes = np.load(spikes).size
        for _ in range(repeats):
            call = [
                sys.executable,
                __file__,
                "--run",
                str(spikes),
                "--steps",
                str(steps),
                "--functions",
                str(functions),
            ]
            fits.append(json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout))
    each = {name: [one[name] for one in fits] for name in fits[0]}
    return [
        f"{steps:,} steps, {n_spikes:,} spikes, {functions} + {functions} functions",
        spread(each["cpu"]),
        spread(each["wall"]),
        f"{max(each['peak']):.2f} ({max(each['held']):.2f} before)",
        f"{each['steps'][0]}",
        f"{each['off'][0]:.1f}",
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--functions", type=int, default=FUNCTIONS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        run(given.run, given.steps, given.functions)
        return
    print(machine())
    head = ["fit", "processor time (s)", "time (s)", "peak memory (GB)", "Newton steps", "largest |z|"]
    print(table(head, [row(given.steps, given.functions, given.repeats)]))


if __name__ == "__main__":
    main()

"""Speed of the exact likelihood: an evaluation of 10 s with its error, and a calibration of ten parameters. One thread.

`python benchmarks/likelihood.py [--repeats N] [--calibrate] [--quick] [--json FILE]`: wall time in seconds, median (least - most)
of N, in steps of 0.1 ms; processor time is printed. The error is the largest of the survival after 5, 10, 20 and 50 ms of a LIF
neuron under constant and sinusoidal drive with equally many cells, beside values found in two other ways. It must be at most 1e-3.
`--calibrate` adds ten parameters of a GIF neuron from 5 s.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import neo
import numpy as np
import quantities as pq
from brian2 import Hz, ms, mV, second
from comparison import Agreement, Comparison, Report, add_options, goal, spread
from environment import machine

import nsnn_neuro as nsnn
from nsnn_neuro.likelihood import spike_probability, survival

VOLTAGES = {"v_rest": 0 * mV, "v_thresh": 20 * mV, "tau_refrac": 2 * ms}
LIF = nsnn.LIF(tau_m=20 * ms, v_reset=10 * mV, **VOLTAGES)
NOISE = nsnn.WhiteNoise(5 / np.sqrt(2) * mV)
TIMES = [5, 10, 20, 50] * ms
TRUE: list[tuple[Any, list[float]]] = [
    (nsnn.Constant(15 * mV), [0.99993175, 0.99464049, 0.94260136, 0.69315806]),
    (nsnn.Constant(20 * mV), [0.99955473, 0.96905144, 0.73685608, 0.18420566]),
    (nsnn.Sinusoid(15 * mV, 8 * mV, 20 * Hz), [0.99982664, 0.97418048, 0.66640599, 0.47280421]),
]
GOALS = ((1e-3, 0.3), (1e-4, 0.6))  # error of the survival, seconds
CALIBRATION_GOAL = 30.0  # s
GIF = nsnn.GIF(
    tau_m=10 * ms, v_reset=8 * mV, tau_w=100 * ms, b=2 * mV, tau_thresh=10 * ms, b_thresh=6 * mV, **VOLTAGES
)
FREE = {
    "tau_m": (2 * ms, 60 * ms),
    "noise.sigma": (0.5 * mV, 20 * mV),
    "stimulus.gain": (0 * mV, 60 * mV),
    "stimulus.offset": (0 * mV, 80 * mV),
    "stimulus.delay": (0 * ms, 10 * ms),
    "tau_refrac": (0.2 * ms, 4 * ms),
    "tau_w": (20 * ms, 500 * ms),
    "b": (-5 * mV, 20 * mV),
    "tau_thresh": (2 * ms, 18 * ms),
    "b_thresh": (-10 * mV, 30 * mV),
}


def error(n_cells: int) -> float:
    """The largest error of the survival with so many cells."""
    return max(
        float(np.abs(survival(LIF, TIMES, noise=NOISE, stimulus=drive, n_cells=n_cells) - true).max())
        for drive, true in TRUE
    )


def taken(run: Callable[[], Any], repeats: int, *, warm: bool = True) -> tuple[tuple[float, ...], ...]:
    """Processor and wall seconds of each of `repeats` calls, after one that compiles."""
    if warm:
        run()
    cpu, wall = [], []
    for _ in range(repeats):
        begun = time.process_time(), time.perf_counter()
        run()
        cpu.append(time.process_time() - begun[0])
        wall.append(time.perf_counter() - begun[1])
    return tuple(cpu), tuple(wall)


def evaluations(
    report: Report, repeats: int, cells: tuple[int, ...] = (64, 96, 256), seconds: float = 10.0, engine: str = "cython"
) -> None:  # fmt: skip
    """An evaluation of a simulated recording with different numbers of cells."""
    drive = nsnn.FrozenNoise(19 * mV, 8 * mV, 5 * ms, seed=1)
    block = nsnn.simulate(LIF, NOISE, drive, duration=seconds * second, seed=1, engine=engine)
    n_spikes = len(block.segments[0].spiketrains[0])
    for n in cells:

        def run(n: int = n) -> Any:
            return spike_probability(LIF, block, noise=NOISE, stimulus=drive, n_cells=n)

        cpu, wall = taken(run, repeats)
        off = error(n)
        most = next((f"{goal(s, cpu)} (processor)" for e, s in reversed(GOALS) if off <= e), "")
        alike = Agreement("error of the survival", off, 0.0, slack=GOALS[0][0])
        print(f"{n} cells: {spread(cpu)} of the processor")
        size = f"{seconds:g} s, {n_spikes} spikes"
        report.add(Comparison(f"exact likelihood, {n} cells", size, wall, agreement=alike, goal=most))


def gif_data(seconds: float, engine: str = "cython") -> tuple[Any, Any]:
    """Simulated spikes of the neuron with ten parameters, and the stimulus with which its fit begins."""
    path = nsnn.FrozenNoise(0.0, 1.0, 5 * ms, seed=3).samples(round((seconds + 1) / 5e-4), 5e-4)
    signal = neo.AnalogSignal(path, units="mm", sampling_period=0.5 * pq.ms)
    stimulus = nsnn.Filtered(signal, gain=14 * mV, offset=40 * mV, delay=4 * ms)
    noise = nsnn.WhiteNoise(2.5 * mV)
    block = nsnn.simulate(GIF, noise, stimulus, duration=seconds * second, seed=1, engine=engine)
    return block, nsnn.Filtered(signal, gain=5 * mV, offset=20 * mV, delay=1 * ms)


def calibration(report: Report, repeats: int, seconds: float = 5.0) -> None:
    """A calibration of ten parameters."""
    block, begun = gif_data(seconds)

    def run() -> Any:
        return nsnn.calibrate(
            GIF, FREE, noise=nsnn.WhiteNoise(6 * mV), stimulus=begun, trains=block, progress=False
        )

    cpu, wall = taken(run, repeats, warm=False)
    print(f"calibration: {spread(cpu)} of the processor")
    size = f"{len(FREE)} parameters, {seconds:g} s, {len(block.segments[0].spiketrains[0])} spikes"
    report.add(Comparison("calibration", size, wall, goal=f"{goal(CALIBRATION_GOAL, cpu)} (processor)"))


def main() -> None:
    """Print the comparisons."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--calibrate", action="store_true")
    add_options(parser)
    given = parser.parse_args()
    print(machine())
    report = Report(given.json)
    if given.quick:
        evaluations(report, 1, (64,), 1.0, "numpy")
    else:
        evaluations(report, given.repeats)
    if given.calibrate:
        calibration(report, min(given.repeats, 3))


if __name__ == "__main__":
    main()

"""Processor time, maximum and memory of `calibrate` on recordings of usual length, one thread.

`python benchmarks/fits.py [CASE ...] [--json FILE]` prints a line for each case and appends it to FILE: processor seconds of
the second of two fits, the first one short and to compile; log-likelihood; the process's memory; estimates and standard errors.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from brian2 import Mohm, ms, mV, second
from environment import machine
from likelihood import FREE, GIF, gif_data
from recovery import CASES, signal

import nsnn_neuro as nsnn

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
recordings = importlib.import_module("helpers.voltage_recordings")
Run = Callable[[float], Any]
"""A function of the seconds of the recording that are fitted."""


def voltage(seconds: float = 30.0) -> Run:
    """Membrane and threshold of a GIF neuron in escape noise, ten parameters and a series resistance."""
    current, volts, _ = recordings.data(7, seconds)
    free = dict.fromkeys(recordings.TRUTH)

    def run(stop: float) -> Any:
        return nsnn.calibrate(
            recordings.CELL, free, noise=recordings.HAZARD, stimulus=nsnn.Filtered(current, gain=80 * Mohm), voltage=volts,
            method="voltage", t_stop=stop * second, progress=False,
        )  # fmt: skip

    return run


def lif(seconds: float = 50.0) -> Run:
    """Five parameters of a LIF neuron in white noise."""
    case = CASES["lif"]
    drive = signal(np.random.default_rng(5), seconds)
    noise = case.noise
    block = nsnn.simulate(
        case.model,
        noise,
        nsnn.Filtered(drive, **case.drive),
        duration=seconds * second,
        seed=1,
        engine="numpy",
    )
    begun = nsnn.Filtered(drive, gain=5 * mV, offset=20 * mV, delay=1 * ms)

    def run(stop: float) -> Any:
        return nsnn.calibrate(
            case.model, case.free, noise=nsnn.WhiteNoise(6 * mV), stimulus=begun, trains=block, t_stop=stop * second,
            progress=False,
        )  # fmt: skip

    return run


def gif(seconds: float = 5.0) -> Run:
    """Ten parameters of a GIF neuron in white noise."""
    block, begun = gif_data(seconds, "numpy")

    def run(stop: float) -> Any:
        return nsnn.calibrate(
            GIF, FREE, noise=nsnn.WhiteNoise(6 * mV), stimulus=begun, trains=block, t_stop=stop * second, progress=False
        )  # fmt: skip

    return run


SECONDS: dict[str, tuple[Callable[..., Run], float]] = {
    "voltage": (voltage, 30.0),
    "lif": (lif, 50.0),
    "gif": (gif, 5.0),
}


def measured(name: str) -> dict[str, Any]:
    """One case."""
    make, seconds = SECONDS[name]
    run = make(seconds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run(3.0)
        begun = time.process_time()
        fit = run(seconds)
    taken = time.process_time() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "case": name, "seconds": seconds, "spikes": fit.n_spikes, "cpu": taken, "log_likelihood": fit.log_likelihood,
        "megabytes": memory, "estimates": fit.parameters, "se": fit.se,
    }  # fmt: skip


def main() -> None:
    """Print the cases."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(SECONDS))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    print(machine())
    for name in given.cases or SECONDS:
        with ProcessPoolExecutor(1) as pool:  # memory is of a case
            line = pool.submit(measured, name).result()
        print(
            f"{name}: {line['seconds']:g} s, {line['spikes']} spikes: {line['cpu']:.1f} s of the processor, "
            f"{line['log_likelihood']:.4f} nats, {line['megabytes']:.0f} MB",
            flush=True,
        )
        if given.json:
            with given.json.open("a") as file:
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()

"""A population of noisy LIF neurons: this package beside stock Brian2, the same engine, in one run.

`python benchmarks/noisy_lif.py [--neurons N] [--seconds T] [--engines cython numpy cpp]`: ns of processor time per neuron and
step, median of three runs after one that compiles. Stock Brian2 is Euler-Maruyama with `xi` and its own random numbers or, the
same equations inside `fast_noise`, those of this package; `simulate` draws keyed noise, takes the exact step, and runs with the
bridge off and on. In C++ stock Brian2's time is that of its main loop, and `simulate` (a build for each call) is left out.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from brian2 import Network, NeuronGroup, SpikeMonitor, get_device, ms, mV, prefs, second, set_device
from brian2.devices import reset_device
from timing import machine

import nsnn_neuro as nsnn

TAU, MU, SIGMA, DT = 20 * ms, 15 * mV, 3.5 * mV, 0.1 * ms


def stock(neurons: int, seconds: float, engine: str, noise: Callable[[], Any]) -> Callable[[], float]:
    """A function that runs stock Brian2's equations and returns the seconds that it took."""

    def network() -> Network:
        group = NeuronGroup(
            neurons,
            "dv/dt = (mu - v)/tau + sigma*sqrt(2/tau)*xi : volt (unless refractory)",
            threshold="v > 20*mV",
            reset="v = 10*mV",
            refractory=2 * ms,
            method="euler",
            dt=DT,
            namespace={"mu": MU, "tau": TAU, "sigma": SIGMA, "mV": mV},
            name="stock",
        )
        return Network(group, SpikeMonitor(group, name="stock_spikes"))

    def run() -> float:
        prefs.codegen.target = engine
        with noise():
            net = network()
            net.run(10 * DT, namespace={})
            begun = time.process_time()
            net.run(seconds * second, namespace={})
        prefs.codegen.target = "auto"
        return time.process_time() - begun

    if engine != "cpp":
        return run
    times = []
    with tempfile.TemporaryDirectory(prefix="noisy_lif_") as directory:
        set_device("cpp_standalone", build_on_run=False, directory=directory)
        device = get_device()
        with noise():
            network().run(seconds * second, namespace={})
        device.build(directory=directory, compile=True, run=False, with_output=False)
        for _ in range(4):
            device.run(with_output=False)
            times.append(device._last_run_time)
        device.reinit()
        reset_device()
    return iter(times).__next__


def ours(neurons: int, seconds: float, engine: str, bridge: bool) -> float:
    """Seconds of processor time of the whole call `simulate`, Block included."""
    cell = nsnn.LIF(tau_m=TAU, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
    begun = time.process_time()
    nsnn.simulate(
        cell,
        nsnn.WhiteNoise(SIGMA),
        nsnn.Constant(MU),
        n_neurons=neurons,
        duration=seconds * second,
        dt=DT,
        seed=1,
        engine=engine,
        bridge=bridge,
        progress=False,
    )
    return time.process_time() - begun


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--neurons", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--engines", nargs="+", default=["cython", "numpy"])
    arguments = parser.parse_args()
    print(machine())
    print(
        f"{arguments.neurons} neurons, {arguments.seconds} s at 0.1 ms; ns per neuron and step, median of 3"
    )
    per = 1e9 / (arguments.neurons * arguments.seconds * 1e4)
    for engine in arguments.engines:
        noises = {"stock Brian2": contextlib.nullcontext, "stock, fast_noise": lambda: nsnn.fast_noise(1)}
        cases = {
            name: stock(arguments.neurons, arguments.seconds, engine, noise) for name, noise in noises.items()
        }
        if engine != "cpp":
            for name, bridge in (("nsnn_neuro, bridge off", False), ("nsnn_neuro, bridge on", True)):
                cases[name] = functools.partial(ours, arguments.neurons, arguments.seconds, engine, bridge)
        for name, run in cases.items():
            run()
            times = [run() for _ in range(3)]
            print(f"{engine:8s} {name:24s} {per * np.median(times):7.1f}")


if __name__ == "__main__":
    main()

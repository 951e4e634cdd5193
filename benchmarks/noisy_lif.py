"""A population of noisy LIF neurons: this package beside stock Brian2, the same engine, in one run.

`python benchmarks/noisy_lif.py [--neurons N] [--seconds T] [--engines cython numpy cpp torch] [--device D] [--quick]
[--json FILE]`: seconds of processor time, three runs after one that compiles; printed also as ns per neuron and step. Stock Brian2
is Euler-Maruyama with `xi` and its own random numbers or, the same equations inside `fast_noise`, those of this package; `simulate`
draws keyed noise, takes the exact step, and runs with the bridge off and on. In C++ stock Brian2's time is that of its main loop,
and `simulate` (a build for each call) is left out. On torch `simulate` runs on the device D ("cpu"), beside stock Brian2 on NumPy;
on other devices the times are those of a clock. Rates must agree to 4 standard errors and 2 %, with the bridge on (which sees more
crossings) to 8 %.
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
from comparison import Agreement, Comparison, Report, add_options
from environment import machine
from timing import rates

import nsnn_neuro as nsnn

TAU, MU, SIGMA, DT = 20 * ms, 15 * mV, 3.5 * mV, 0.1 * ms


Result = tuple[float, float, float]  # seconds; rate (Hz) and its standard error


def stock(neurons: int, seconds: float, engine: str, noise: Callable[[], Any]) -> Callable[[], Result]:
    """A function that runs stock Brian2's equations."""

    def network() -> tuple[Network, SpikeMonitor]:
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
        monitor = SpikeMonitor(group, name="stock_spikes")
        return Network(group, monitor), monitor

    def run() -> Result:
        prefs.codegen.target = engine
        with noise():
            net, monitor = network()
            net.run(10 * DT, namespace={})
            begun = time.process_time()
            net.run(seconds * second, namespace={})
        taken = time.process_time() - begun
        prefs.codegen.target = "auto"
        return taken, *rates(monitor.count[:], seconds + 10 * float(DT))

    if engine != "cpp":
        return run
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="noisy_lif_") as directory:
        set_device("cpp_standalone", build_on_run=False, directory=directory)
        device = get_device()
        with noise():
            net, monitor = network()
            net.run(seconds * second, namespace={})
        device.build(directory=directory, compile=True, run=False, with_output=False)
        for _ in range(4):
            device.run(with_output=False)
            results.append((device._last_run_time, *rates(np.array(monitor.count[:]), seconds)))
        device.reinit()
        reset_device()
    return iter(results).__next__


def ours(neurons: int, seconds: float, engine: str, bridge: bool, device: str) -> Result:
    """Processor time of the complete call `simulate`, Block included."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    cell = nsnn.LIF(tau_m=TAU, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
    begun = clock()
    block = nsnn.simulate(
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
        device=device if engine == "torch" else None,
    )
    taken = clock() - begun
    return taken, *rates([len(train) for train in block.segments[0].spiketrains], seconds)


def run(report: Report, neurons: int, seconds: float, engines: list[str], device: str, repeats: int) -> None:
    """Report each case beside stock Brian2 with its own random numbers."""
    size, peer = f"{neurons} neurons, {seconds:g} s", "stock Brian2, its own random numbers"
    per = 1e9 / (neurons * seconds * 1e4)
    for engine in engines:
        of_peer = "numpy" if engine == "torch" else engine
        cases: dict[str, tuple[Callable[[], Result], float]] = {
            peer: (stock(neurons, seconds, of_peer, contextlib.nullcontext), 0.02),
        }
        if engine != "torch":
            fast = stock(neurons, seconds, engine, lambda: nsnn.fast_noise(1))
            cases["stock Brian2, fast_noise"] = fast, 0.02
        if engine != "cpp":
            for name, bridge, slack in (
                ("simulate, bridge off", False, 0.02),
                ("simulate, bridge on", True, 0.08),
            ):
                cases[name] = functools.partial(ours, neurons, seconds, engine, bridge, device), slack
        results: dict[str, list[Result]] = {}
        for name, (case, _) in cases.items():
            case()
            results[name] = [case() for _ in range(repeats)]
            print(f"{engine:8s} {name:36s} {per * np.median([r[0] for r in results[name]]):7.1f} ns")
        theirs = results.pop(peer)
        for name, made in results.items():
            (_, rate, error), (_, other, its) = made[0], theirs[0]
            alike = Agreement("rate (Hz)", rate, other, float(np.hypot(error, its)), cases[name][1] * other)
            times = tuple(r[0] for r in made), tuple(r[0] for r in theirs)
            report.add(Comparison(f"{name}, {engine}", size, times[0], peer, times[1], alike))


def main() -> None:
    """Print the comparisons."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--neurons", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--engines", nargs="+", default=["cython", "numpy"])
    parser.add_argument("--device", default="cpu")
    add_options(parser)
    given = parser.parse_args()
    print(machine())
    sizes = (200, 0.2, ["numpy"]) if given.quick else (given.neurons, given.seconds, given.engines)
    run(Report(given.json), *sizes, given.device, 1 if given.quick else 3)


if __name__ == "__main__":
    main()

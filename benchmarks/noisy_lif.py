"""A population of noisy LIF neurons: this package beside stock Brian2, the same engine, in one run.

`python benchmarks/noisy_lif.py [--neurons N] [--seconds T] [--engines cython numpy cpp]`: ns per neuron and step, median of three
runs after one that compiles. Stock Brian2 is Euler-Maruyama with `xi` and its own random numbers; this package draws keyed noise,
takes the exact step, and runs with the bridge off and on. Whole calls of
`simulate`; `engine.py` times the steps alone.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from brian2 import Network, NeuronGroup, SpikeMonitor, ms, mV, prefs, second
from timing import machine

import nsnn_neuro as nsnn

TAU, MU, SIGMA, DT = 20 * ms, 15 * mV, 3.5 * mV, 0.1 * ms


def stock(neurons: int, seconds: float, engine: str) -> float:
    """Seconds that stock Brian2 takes (runtime targets)."""
    prefs.codegen.target = engine
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
    network = Network(group, SpikeMonitor(group, name="stock_spikes"))
    network.run(10 * DT, namespace={})
    begun = time.perf_counter()
    network.run(seconds * second, namespace={})
    prefs.codegen.target = "auto"
    return time.perf_counter() - begun


def ours(neurons: int, seconds: float, engine: str, bridge: bool) -> float:
    """Seconds of the whole call `simulate`, Block included."""
    cell = nsnn.LIF(tau_m=TAU, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
    begun = time.perf_counter()
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
    return time.perf_counter() - begun


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--neurons", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--engines", nargs="+", default=["cython", "numpy"])
    arguments = parser.parse_args()
    print(machine())
    print(
        f"{arguments.neurons} neurons, {arguments.seconds} s at 0.1 ms; ns per neuron and step, median of 3"
    )
    per = 1e9 / (arguments.neurons * arguments.seconds * 1e4)
    for engine in arguments.engines:
        cases = {
            "stock Brian2": lambda engine=engine: stock(arguments.neurons, arguments.seconds, engine),
            "nsnn_neuro, bridge off": lambda engine=engine: ours(
                arguments.neurons, arguments.seconds, engine, False
            ),
            "nsnn_neuro, bridge on": lambda engine=engine: ours(
                arguments.neurons, arguments.seconds, engine, True
            ),
        }
        if engine == "cpp":  # stock C++ standalone would rebuild for each timing
            del cases["stock Brian2"]
        for name, run in cases.items():
            run()
            times = [run() for _ in range(3)]
            print(f"{engine:8s} {name:24s} {per * np.median(times):7.1f}")


if __name__ == "__main__":
    main()

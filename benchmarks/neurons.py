"""Processor time of a neuron in a step, of different neurons and noises, in C++: `python benchmarks/neurons.py [--neurons N]
[--steps N] [--repeats N] [--quick] [--json FILE]`.

Seconds are those of the C++ program for N neurons and N steps of 0.05 ms with the bridge, user and system; what it takes to start
is included.
"""

from __future__ import annotations

import argparse
import resource
from typing import Any

from brian2 import Hz, ms, mV
from comparison import Comparison, Report, add_options
from environment import machine

import nsnn_neuro as nsnn

LEAKY: dict[str, Any] = {
    "tau_m": 20 * ms,
    "v_rest": 0 * mV,
    "v_reset": 10 * mV,
    "v_thresh": 20 * mV,
    "tau_refrac": 2 * ms,
}
EXPONENTIAL: dict[str, Any] = {
    "tau_m": 10 * ms, "v_rest": -65 * mV, "v_reset": -68 * mV, "v_thresh": -60 * mV, "delta_T": 3.5 * mV, "v_spike": -30 * mV,
    "tau_refrac": 2 * ms,
}  # fmt: skip
LIF, EIF = nsnn.LIF(**LEAKY), nsnn.EIF(**EXPONENTIAL)
CASES: dict[str, tuple[Any, Any, Any]] = {
    "LIF, white noise": (LIF, nsnn.WhiteNoise(4 * mV), 18 * mV),
    "LIF, OU noise": (LIF, nsnn.OUNoise(4 * mV, 5 * ms), 18 * mV),
    "LIF, multiplicative noise": (LIF, nsnn.MultiplicativeNoise(0.3, -20 * mV, calculus="ito"), 18 * mV),
    "LIF, Poisson jumps": (LIF, nsnn.PoissonNoise(1000 * Hz, 0.5 * mV), 8 * mV),
    "LIF, Gaussian escape noise": (LIF, nsnn.EscapeNoise(nsnn.Gaussian(3 * mV)), 15 * mV),
    "LIF, exponential hazard": (LIF, nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(100 * Hz, 2 * mV)), 18 * mV),
    "EIF, white noise": (EIF, nsnn.WhiteNoise(3 * mV), 4 * mV),
    "EIF, OU noise": (EIF, nsnn.OUNoise(3 * mV, 5 * ms), 4 * mV),
    "AdEx, white noise": (
        nsnn.AdEx(**EXPONENTIAL, tau_w=100 * ms, a=0.0, b=0.5 * mV), nsnn.WhiteNoise(3 * mV), 4 * mV,
    ),
    "GIF, white noise": (
        nsnn.GIF(**LEAKY, tau_w=100 * ms, b=0.5 * mV, tau_thresh=50 * ms, b_thresh=0.5 * mV), nsnn.WhiteNoise(4 * mV), 18 * mV,
    ),
    "Wang-Buzsaki, white noise": (nsnn.WangBuzsaki(), nsnn.WhiteNoise(2 * mV), 2 * mV),
}  # fmt: skip


def child_seconds() -> float:
    """Processor time of programs that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(model: Any, noise: Any, drive: Any, neurons: int, steps: int, repeats: int) -> tuple[float, ...]:
    """Seconds of each repeat, after a run that compiles."""
    taken = []
    for _ in range(repeats + 1):
        begun = child_seconds()
        nsnn.simulate(
            model, noise, nsnn.Constant(drive), n_neurons=neurons, duration=0.05 * steps * ms, dt=0.05 * ms,
            seed=1, engine="cpp", progress=False,
        )  # fmt: skip
        taken.append(child_seconds() - begun)
    return tuple(taken[1:])


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--neurons", type=int, default=4000)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    add_options(parser)
    given = parser.parse_args()
    print(machine())
    neurons, steps, repeats = (2000, 100, 1) if given.quick else (given.neurons, given.steps, given.repeats)
    report = Report(given.json)
    for name, parts in CASES.items():
        taken = measured(*parts, neurons, steps, repeats)
        report.add(Comparison(name, f"{neurons:,} neurons, {steps:,} steps", taken))
        print(f"   {1e9 * sorted(taken)[len(taken) // 2] / (neurons * steps):.1f} ns", flush=True)


if __name__ == "__main__":
    main()

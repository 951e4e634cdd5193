"""`calibrate` by simulation: how often 95 % intervals hold the truth, for a network and three neurons.

`python benchmarks/recovery_simulation.py CASE N` simulates and fits N recordings of a case and adds them to
docs/simulation_recovery.json, from which it prints the line of docs/by_simulation.md. A run that was stopped continues. Cases:

network   Brunel's network of 1,000 neurons, of which 80 excitatory and 20 inhibitory ones are recorded for a second; each
          recording has a wiring of its own
input     rate and weight of a PoissonInput, which nearly replace each other; 20 trials of a second
adex      the neuron of the page's first example
lif       a LIF in white noise under a varying drive, 8 s; also fitted by its likelihood
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import neo
import numpy as np
import quantities as pq
from brian2 import Hz, ms, mV, second
from brian2.units.fundamentalunits import Quantity

import nsnn_neuro as nsnn
from nsnn_neuro.models.presets import brunel

KEPT = Path(__file__).parents[1] / "docs" / "simulation_recovery.json"
SIZES = {"n_e": 800, "n_i": 200}
STEP = {"dt": 0.2 * ms}
TRUTH = {
    "network": {"g": 5.0, "eta": 1.5, "J": 0.4e-3},
    "input": {"noise.rate": 5.0, "noise.weight": 3e-3},
    "adex": {"b": 3e-3, "noise.sigma": 4e-3, "stimulus.v": 18e-3},
    "lif": {"noise.sigma": 3e-3, "stimulus.gain": 5e-3, "stimulus.offset": 19e-3},
}


def made(p: dict[str, Any]) -> nsnn.Network:
    """Brunel's network of 1,000 neurons with g, eta and J of the point."""
    return brunel(g=p["g"], eta=p["eta"], J=p["J"], **SIZES)


def network(seed: int) -> tuple[Any, dict[str, Any]]:
    """What is fitted, with which arguments."""
    net = brunel(g=5.0, eta=1.5, J=0.4 * mV, seed=10_000 + seed, **SIZES)
    block = nsnn.simulate(net, duration=1.5 * second, seed=20_000 + seed, progress=False)
    block = nsnn.select(block, units=[*range(80), *range(800, 820)])
    free = {"g": (3, 8), "eta": (0.8, 4), "J": (0.1 * mV, 1 * mV)}
    given = {"free": free, "trains": block, "t_start": 0.5 * second}
    return made, given


def poisson_input(seed: int) -> tuple[Any, dict[str, Any]]:
    """As `network`."""
    cell = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
    true = nsnn.PoissonInput(5 * Hz, 3 * mV, synapse=nsnn.ExponentialSynapse(5 * ms), n=200)
    drive = nsnn.Constant(2 * mV)
    block = nsnn.simulate(cell, true, drive, trials=20, duration=1 * second, seed=seed, **STEP)
    free = {"noise.rate": (1 * Hz, 30 * Hz), "noise.weight": (0.5 * mV, 10 * mV)}
    start = dataclasses.replace(true, rate=12 * Hz, weight=1 * mV)
    given = {"free": free, "noise": start, "stimulus": drive, "trains": block, **STEP}
    return cell, given


def adex(seed: int) -> tuple[Any, dict[str, Any]]:
    """As `network`."""
    cell = nsnn.AdEx(
        tau_m=10 * ms, v_rest=-65 * mV, v_reset=-60 * mV, v_thresh=-50 * mV, delta_T=2 * mV, v_spike=-40 * mV,
        tau_refrac=2 * ms, tau_w=100 * ms, a=0.2, b=3 * mV,
    )  # fmt: skip
    run = {"trials": 20, "duration": 1 * second, "seed": seed, **STEP}
    block = nsnn.simulate(cell, nsnn.OUNoise(4 * mV, 3 * ms), nsnn.Constant(18 * mV), **run)
    free = {"b": (0.3 * mV, 15 * mV), "noise.sigma": (1 * mV, 15 * mV), "stimulus.v": (5 * mV, 40 * mV)}
    start = {"noise": nsnn.OUNoise(8 * mV, 3 * ms), "stimulus": nsnn.Constant(25 * mV)}
    return cell, {"free": free, "trains": block, **start, **STEP}


def lif(seed: int) -> tuple[Any, dict[str, Any]]:
    """As `network`."""
    cell = nsnn.LIF(tau_m=10 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
    path = nsnn.FrozenNoise(0.0, 1.0, 5 * ms, seed=100 + seed).samples(40_000, 2e-4)
    signal = neo.AnalogSignal(path, units="dimensionless", sampling_period=0.2 * pq.ms)
    drive = nsnn.Filtered(signal, gain=5 * mV, offset=19 * mV)
    block = nsnn.simulate(cell, nsnn.WhiteNoise(3 * mV), drive, duration=8 * second, seed=seed, **STEP)
    free = {
        "noise.sigma": (0.5 * mV, 15 * mV),
        "stimulus.gain": (0 * mV, 15 * mV),
        "stimulus.offset": (10 * mV, 30 * mV),
    }
    start = {"noise": nsnn.WhiteNoise(6 * mV), "stimulus": nsnn.Filtered(signal, gain=2 * mV, offset=15 * mV)}
    return cell, {"free": free, "trains": block, **start, **STEP}


CASES = {"network": network, "input": poisson_input, "adex": adex, "lif": lif}


def fitted(case: str, seed: int) -> dict[str, Any]:
    """Estimates, errors and intervals of a recording, in SI."""
    model, given = CASES[case](seed)
    begun = time.process_time()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fit = nsnn.calibrate(model, method="simulation", seed=seed, progress=False, **given)
        ends = {name: [float(Quantity(x)) for x in both] for name, both in fit.interval().items()}
    row = {
        "seed": seed,
        "spikes": fit.n_spikes,
        "simulations": fit.n_runs,
        "cpu_s": round(time.process_time() - begun, 1),
        "p": fit.p,
        "settled": not any("new simulations still change" in str(one.message) for one in said),
        "fit": {name: [fit.parameters[name], fit.se[name], *ends[name]] for name in TRUTH[case]},
    }
    if case == "lif":
        exact = nsnn.calibrate(model, progress=False, **given)
        row["exact"] = {name: [exact.parameters[name], exact.se[name]] for name in TRUTH[case]}
    return row


def line(case: str, rows: list[dict[str, Any]]) -> str:
    """What docs/by_simulation.md says of a case."""
    held = [
        f"{name} {sum(row['fit'][name][2] <= x <= row['fit'][name][3] for row in rows)}"
        for name, x in TRUTH[case].items()
    ]
    settled, p = sum(row["settled"] for row in rows), np.median([row["p"] for row in rows])
    spikes, cpu = (np.median([row[key] for row in rows]) for key in ("spikes", "cpu_s"))
    return f"| {case} | {len(rows)} | {spikes:.0f} | {', '.join(held)} | {settled} | {p:.2f} | {cpu:.0f} |"


def main() -> None:
    """Fit what is missing of a case, and print the lines of all."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    if len(sys.argv) == 3:
        case = sys.argv[1]
        for seed in range(len(kept.get(case, [])) + 1, int(sys.argv[2]) + 1):
            row = fitted(case, seed)
            kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
            kept[case] = [*kept.get(case, []), row]
            KEPT.write_text(json.dumps(kept).replace('{"seed"', '\n{"seed"') + "\n")
            print(row, flush=True)
    for case, rows in kept.items():
        print(line(case, rows))


if __name__ == "__main__":
    main()

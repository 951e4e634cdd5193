"""`calibrate` of a balanced network by simulation: recovery of its parameters from the spikes of a tenth of its neurons.

`python benchmarks/recovery_networks.py 20` simulates and fits 20 recordings of Brunel's network (1,000 neurons, of which 80
excitatory and 20 inhibitory ones are recorded for a second), each with a wiring of its own, and writes
docs/network_recovery.json. A run that was stopped continues.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from brian2 import mV, second

import nsnn_neuro as nsnn
from nsnn_neuro.models.presets import brunel

KEPT = Path(__file__).parents[1] / "docs" / "network_recovery.json"
SIZES = {"n_e": 800, "n_i": 200}
TRUTH = {"g": 5.0, "eta": 1.5, "J": 0.4e-3}
BOUNDS = {"g": (3, 8), "eta": (0.8, 4), "J": (0.1 * mV, 1 * mV)}


def network(p: dict[str, Any]) -> nsnn.Network:
    """Brunel's network of 1,000 neurons with g, eta and J of the point."""
    return brunel(g=p["g"], eta=p["eta"], J=p["J"], **SIZES)


def recovered(seed: int) -> dict[str, Any]:
    """A recording of this seed, fitted."""
    net = brunel(g=TRUTH["g"], eta=TRUTH["eta"], J=TRUTH["J"] * 1000 * mV, seed=10_000 + seed, **SIZES)
    block = nsnn.simulate(net, duration=1.5 * second, seed=20_000 + seed, progress=False)
    block = nsnn.select(block, units=[*range(80), *range(800, 820)])
    began = time.process_time()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fit = nsnn.calibrate(
            network,
            BOUNDS,
            trains=block,
            t_start=0.5 * second,
            method="simulation",
            seed=seed,
            progress=False,
        )
    warned = [str(one.message)[:80] for one in said if "simulations still spread" in str(one.message)]
    rows = {name: [fit.parameters[name], fit.se[name]] for name in TRUTH}
    chances = {
        "p": fit.p,
        "spikes": fit.n_spikes,
        "simulations": fit.n_runs,
        "cpu_s": time.process_time() - began,
    }
    return {"seed": seed, "fit": rows, "warned": warned, **chances}


def main() -> None:
    """Fit as many recordings as asked for, and print how often the intervals hold the truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n", type=int)
    n = parser.parse_args().n
    rows = json.loads(KEPT.read_text()) if KEPT.exists() else []
    for seed in range(len(rows), n):
        rows.append(recovered(seed))
        KEPT.write_text(json.dumps(rows, indent=1) + "\n")
        print(rows[-1], flush=True)
    for name, truth in TRUTH.items():
        z = np.array([(row["fit"][name][0] - truth) / row["fit"][name][1] for row in rows])
        error = np.median([row["fit"][name][1] for row in rows]) / truth
        print(
            f"{name}: z {np.nanmean(z):+.2f}, SD {np.nanstd(z):.2f}, covered {np.mean(np.abs(z) < 1.96):.2f}, error {error:.1%}"
        )
    print("p below .05:", np.mean([row["p"] < 0.05 for row in rows]), "of", len(rows))


if __name__ == "__main__":
    main()

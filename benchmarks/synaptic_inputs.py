"""Coverage of `calibrate(..., inputs=...)`: a neuron with recorded spikes of one input, fitted from 150, 500 and 2,000 spikes.

Networks of a source and a neuron are simulated. Weight, time constant and delay of the synapse are free; 95 % intervals by the
profile likelihood and by standard errors.

    python benchmarks/synaptic_inputs.py 24       24 recordings of 150 and 500 spikes, 8 of 2,000; writes docs/synaptic_inputs.json
    python benchmarks/synaptic_inputs.py 16 24    16 and 6 others, added to the 24 that are kept
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from brian2 import Hz, ms, mV, second

import nsnn_neuro as nsnn

PAGE = Path(__file__).parent.parent / "docs" / "synaptic_inputs.json"
SIZES = (150, 500, 2000)
TRUE = {"input.weight": 12e-3, "input.tau_syn": 5e-3, "input.delay": 1.6e-3}
FREE = {
    "input.weight": (1 * mV, 60 * mV),
    "input.tau_syn": (1 * ms, 25 * ms),
    "input.delay": (0 * ms, 8 * ms),
}
DT, SECONDS = 0.2 * ms, 2 * second  # step; length of a trial
CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=10 * mV, tau_refrac=2 * ms)
NOISE = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(100 * Hz, 1.5 * mV))
DRIVE = nsnn.Constant(6 * mV)


def simulated(n_trials: int, seed: int) -> tuple[list[Any], list[Any]]:
    """Spike trains of the input and of the neuron, one for each trial."""
    source = nsnn.Population(1, nsnn.PoissonSource(80 * Hz), name="source")
    cell = nsnn.Population(1, CELL, noise=NOISE, stimulus=DRIVE, name="cell")
    synapse, weight = nsnn.ExponentialSynapse(TRUE["input.tau_syn"] * second), TRUE["input.weight"] * 1e3 * mV
    given = {"weight": weight, "synapse": synapse, "delay": TRUE["input.delay"] * second}
    wired = nsnn.Projection(source, cell, rule=nsnn.OneToOne(), **given)
    net = nsnn.Network([source, cell], [wired])
    options = {"duration": SECONDS, "dt": DT, "engine": "numpy", "progress": False}
    block = nsnn.simulate(net, trials=n_trials, seed=seed, **options)
    return [s.spiketrains[0] for s in block.segments], [s.spiketrains[1] for s in block.segments]


def fit_one(inputs: list[Any], trains: list[Any]) -> dict[str, Any]:
    """Fit trials together, from a start away from the true values."""
    start = nsnn.SynapticInput(inputs, nsnn.ExponentialSynapse(10 * ms), weight=6 * mV, delay=3 * ms)
    begun = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a delay that reaches its bound of 0
        options = {"noise": NOISE, "stimulus": DRIVE, "dt": DT, "progress": False}
        fit = nsnn.calibrate(CELL, FREE, trains=trains, inputs=start, **options)
        held = {
            method: {
                name: bool(float(low) <= TRUE[name] <= float(high))
                for name, (low, high) in fit.interval(method=method).items()
            }
            for method in ("profile", "wald")
        }
    z = {name: (fit.parameters[name] - TRUE[name]) / fit.se[name] for name in TRUE}
    return {"n_spikes": fit.n_spikes, "covered": held, "z": z, "cpu": time.process_time() - begun}


def summary(fits: list[dict[str, Any]]) -> dict[str, Any]:
    """Numbers of recordings whose intervals hold the true value, and errors in standard errors."""
    z = {name: np.array([fit["z"][name] for fit in fits]) for name in TRUE}
    return {
        "n": len(fits),
        "spikes": float(np.mean([fit["n_spikes"] for fit in fits])),
        "cpu": float(np.mean([fit["cpu"] for fit in fits])),
        "covered": {
            method: {name: sum(fit["covered"][method][name] for fit in fits) for name in TRUE}
            for method in ("profile", "wald")
        },
        "bias": {name: float(np.nanmean(values)) for name, values in z.items()},
        "sd": {name: float(np.nanstd(values)) for name, values in z.items()},
    }


def merged(one: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """The summary of the recordings of both."""
    n, share = one["n"] + more["n"], more["n"] / (one["n"] + more["n"])
    both = {key: (1 - share) * one[key] + share * more[key] for key in ("spikes", "cpu")}
    bias = {k: (1 - share) * one["bias"][k] + share * more["bias"][k] for k in TRUE}
    squares = {
        k: sum(
            w * (each["sd"][k] ** 2 + each["bias"][k] ** 2) for w, each in ((1 - share, one), (share, more))
        )
        for k in TRUE
    }
    counts = {
        method: {name: row[name] + more["covered"][method][name] for name in TRUE}
        for method, row in one["covered"].items()
    }
    sd = {k: float(np.sqrt(squares[k] - bias[k] ** 2)) for k in TRUE}
    return {"n": n, **both, "covered": counts, "bias": bias, "sd": sd}


def main(n: int, kept: int = 0) -> None:
    """Fit n recordings of 150 and 500 spikes and a third as many of 2,000, in turns; write the table after each turn.

    kept : recordings of 150 spikes of the table to which these are added"""
    before = json.loads(PAGE.read_text()) if kept else {}
    if kept and before["150"]["n"] != kept:
        raise SystemExit(f"{PAGE} has {before['150']['n']} recordings of 150 spikes; expected {kept}")
    rate = np.mean([len(train) for train in simulated(20, 1)[1]])  # spikes of a trial
    each = {size: max(1, round(size / rate)) for size in SIZES}
    spikes = {size: simulated(n * each[size], 100 + 10 * kept + k) for k, size in enumerate(SIZES)}
    fits: dict[int, list[dict[str, Any]]] = {size: [] for size in SIZES}
    for turn in range(n):
        for size in SIZES if turn % 3 == 0 else SIZES[:2]:
            inputs, trains = spikes[size]
            k = len(fits[size]) * each[size]
            fits[size].append(fit_one(inputs[k : k + each[size]], trains[k : k + each[size]]))
        if turn:
            table = {str(size): summary(some) for size, some in fits.items()}
            table = {size: merged(before[size], row) if kept else row for size, row in table.items()}
            PAGE.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or ["24"]))

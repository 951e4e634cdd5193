"""A LIF neuron in Ornstein-Uhlenbeck noise, fitted with its noise and with white noise: estimates, intervals, likelihoods.

`python benchmarks/coloured_noise.py --recordings 6 --out FOLDER` simulates recordings of 30 s, each with a new signal and seed, and
appends a line for each to FOLDER/ou.jsonl; a run that was stopped continues. `--summary` prints the table of the lines that are
there, `--keep` writes them to docs/coloured_noise.json.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import neo
import numpy as np
import quantities as pq
from brian2 import ms, mV, second
from recovery import append, in_si, lines
from timing import table

import nsnn_neuro as nsnn

KEPT = Path(__file__).parents[1] / "docs" / "coloured_noise.json"
FIXED = {"v_rest": 0 * mV, "v_reset": 10 * mV, "v_thresh": 20 * mV, "tau_refrac": 2 * ms}
TRUE = {"tau_m": 15e-3, "noise.sigma": 3e-3, "stimulus.gain": 5e-3, "noise.tau_noise": 5e-3}
FREE = {"tau_m": (2 * ms, 60 * ms), "noise.sigma": (0.5 * mV, 15 * mV), "stimulus.gain": (1 * mV, 25 * mV)}
MEMORY = {"noise.tau_noise": (0.3 * ms, 50 * ms)}
OFFSET, DURATION, PERIOD = 20 * mV, 30.0, 0.5e-3


def fit_one(number: int) -> dict[str, Any]:
    """Simulate one recording and fit it with both kinds of noise."""
    smooth = nsnn.FrozenNoise(0.0, 1.0, 10 * ms, seed=2000 + number).samples(round(DURATION / PERIOD), PERIOD)
    signal = neo.AnalogSignal(smooth, units="dimensionless", sampling_period=PERIOD * pq.s)
    cell, noise = nsnn.LIF(tau_m=15 * ms, **FIXED), nsnn.OUNoise(3 * mV, 5 * ms)
    drive = nsnn.Filtered(signal, gain=5 * mV, offset=OFFSET)
    block = nsnn.simulate(cell, noise, drive, duration=DURATION * second, seed=1000 + number)
    start, guess = nsnn.LIF(tau_m=25 * ms, **FIXED), nsnn.Filtered(signal, gain=8 * mV, offset=OFFSET)
    line: dict[str, Any] = {"number": number, "n_spikes": len(block.segments[0].spiketrains[0])}
    for name, kind, free in (
        ("ou", nsnn.OUNoise(5 * mV, 15 * ms), FREE | MEMORY),
        ("white", nsnn.WhiteNoise(5 * mV), FREE),
    ):
        begun = time.process_time()
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            fit = nsnn.calibrate(start, free, noise=kind, stimulus=guess, trains=block, progress=False)
            ends = in_si(fit.interval(method="wald"))
        line[name] = {
            "cpu": round(time.process_time() - begun, 1),
            "log_likelihood": fit.log_likelihood,
            "values": fit.parameters,
            "se": fit.se,
            "covered": {k: bool(ends[k][0] <= TRUE[k] <= ends[k][1]) for k in free},
        }
    return line


def summary(every: list[dict[str, Any]]) -> str:
    """The table of these recordings."""
    rows = []
    for name, true in TRUE.items():
        row = [name, f"{1e3 * true:g}"]
        for kind in ("ou", "white"):
            if name in every[0][kind]["values"]:
                values = 1e3 * np.array([line[kind]["values"][name] for line in every])
                covered = sum(line[kind]["covered"][name] for line in every)
                row += [
                    f"{values.mean():.2f} ({values.min():.2f} to {values.max():.2f})",
                    f"{covered} of {len(every)}",
                ]
            else:
                row += ["", ""]
        rows.append(row)
    ratios = [line["ou"]["log_likelihood"] - line["white"]["log_likelihood"] for line in every]
    spikes = [line["n_spikes"] for line in every]
    cpu = [np.mean([line[kind]["cpu"] for line in every]) for kind in ("ou", "white")]
    head = [
        "parameter (ms, mV)",
        "true",
        "OUNoise: mean (range)",
        "95 % holds it",
        "WhiteNoise: mean (range)",
        "95 % holds it",
    ]
    return "\n".join(
        [
            table(head, rows),
            f"{min(spikes)} to {max(spikes)} spikes; log-likelihood higher by {min(ratios):.1f} to {max(ratios):.1f} nats; "
            f"CPU time {cpu[0]:.0f} and {cpu[1]:.0f} s",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=6)
    parser.add_argument("--out", type=Path, default=Path("coloured_noise"))
    parser.add_argument("--summary", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    done = lines(options.out, "ou")
    if not options.summary:
        known = {line["number"] for line in done}
        for number in range(options.recordings):
            if number not in known:
                append(options.out / "ou.jsonl", fit_one(number))
        done = lines(options.out, "ou")
    print(summary(done))
    if options.keep:
        KEPT.write_text(json.dumps(done, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""A LIF neuron in noise whose variance depends on the drive, fitted with its noise and with a constant variance.

`python benchmarks/driven_noise.py --recordings 8 --out FOLDER` simulates recordings of 20 s, each with a new signal and seed, and
appends a line for each to FOLDER/driven.jsonl; a run that was stopped continues. `--keep` writes the lines to
docs/driven_noise.json.
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
from scipy.stats import chi2
from timing import table

import nsnn_neuro as nsnn
from nsnn_neuro.likelihood.continuous.conditional import log_likelihoods

KEPT = Path(__file__).parents[1] / "docs" / "driven_noise.json"
FIXED = {"v_rest": 0 * mV, "v_reset": 10 * mV, "v_thresh": 20 * mV, "tau_refrac": 2 * ms}
TRUE = {"tau_m": 15e-3, "noise.sigma": 2e-3, "stimulus.gain": 7e-3, "noise.weight": 0.8e-3}
FREE = {"tau_m": (2 * ms, 60 * ms), "noise.sigma": (0.3 * mV, 15 * mV), "stimulus.gain": (1 * mV, 25 * mV)}
WEIGHT = {"noise.weight": (-1 * mV, 5 * mV)}
PROFILED = ["noise.sigma", "noise.weight"]  # whose likelihood is no parabola
OFFSET, DURATION, PERIOD, DT = 18 * mV, 20.0, 0.5e-3, 0.2 * ms


def fit_one(number: int) -> dict[str, Any]:
    """Simulate one recording and fit it with both kinds of noise."""
    smooth = nsnn.FrozenNoise(0.0, 1.0, 10 * ms, seed=2000 + number).samples(round(DURATION / PERIOD), PERIOD)
    smooth = np.clip(smooth, -2.4, 2.4)  # a drive above 0
    signal = neo.AnalogSignal(smooth, units="dimensionless", sampling_period=PERIOD * pq.s)
    cell, noise = nsnn.LIF(tau_m=15 * ms, **FIXED), nsnn.WhiteNoise(2 * mV, weight=0.8 * mV)
    drive = nsnn.Filtered(signal, gain=7 * mV, offset=OFFSET)
    block = nsnn.simulate(cell, noise, drive, duration=DURATION * second, seed=1000 + number)
    start, guess = nsnn.LIF(tau_m=25 * ms, **FIXED), nsnn.Filtered(signal, gain=8 * mV, offset=OFFSET)
    line: dict[str, Any] = {"number": number, "n_spikes": len(block.segments[0].spiketrains[0])}
    for name, free in (("driven", FREE | WEIGHT), ("constant", FREE)):
        begun = time.process_time()
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            fit = nsnn.calibrate(
                start,
                free,
                noise=nsnn.WhiteNoise(4 * mV),
                stimulus=guess,
                trains=block,
                dt=DT,
                progress=False,
            )
            ends = in_si(fit.interval(method="wald"))
            profiled = in_si(fit.interval(names=PROFILED)) if name == "driven" else {}
        line[name] = {
            "cpu": round(time.process_time() - begun, 1),
            "warnings": [str(one.message) for one in heard],
            "log_likelihood": fit.log_likelihood,
            "values": fit.parameters,
            "se": fit.se,
            "covered": {k: bool(ends[k][0] <= TRUE[k] <= ends[k][1]) for k in free},
            "profile": {k: bool(low <= TRUE[k] <= high) for k, (low, high) in profiled.items()},
        }
        if name == "driven":
            logs = log_likelihoods([(cell, noise, drive)], fit._trials, fit.dt, fit.grid)
            line["true_log_likelihood"] = float(logs.sum())
    return line


def summary(every: list[dict[str, Any]]) -> str:
    """The table of these recordings."""
    rows = []
    for name, true in TRUE.items():
        row = [name, f"{1e3 * true:g}"]
        for kind in ("driven", "constant"):
            if name not in every[0][kind]["values"]:
                row += ["–", "–"]
                continue
            values = 1e3 * np.array([line[kind]["values"][name] for line in every])
            row.append(f"{values.mean():.2f} ({values.min():.2f} to {values.max():.2f})")
            for how in ("covered", "profile") if kind == "driven" else ("covered",):
                held = [line[kind][how][name] for line in every if name in line[kind][how]]
                row.append(f"{sum(held)} of {len(held)}" if held else "")
        rows.append(row)
    ratios = [line["driven"]["log_likelihood"] - line["constant"]["log_likelihood"] for line in every]
    spikes = [line["n_spikes"] for line in every]
    known = [line for line in every if "true_log_likelihood" in line]
    below = [2 * (line["driven"]["log_likelihood"] - line["true_log_likelihood"]) for line in known]
    within = sum(one < chi2.isf(0.05, len(TRUE)) for one in below)
    head = [
        "parameter (ms, mV)",
        "true",
        "mean (range)",
        "Wald holds it",
        "profile holds it",
        "constant: mean (range)",
        "Wald",
    ]
    return (
        f"{table(head, rows)}\n{min(spikes)} to {max(spikes)} spikes; log-likelihood higher by {min(ratios):.1f} to "
        f"{max(ratios):.1f} nats; the 95 % region of the likelihood holds the true values in {within} of {len(known)}; "
        f"CPU time {np.mean([line['driven']['cpu'] for line in every]):.0f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path("driven_noise"))
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    known = {line["number"] for line in lines(options.out, "driven")}
    for number in range(options.recordings):
        if number not in known:
            append(options.out / "driven.jsonl", fit_one(number))
    done = lines(options.out, "driven")
    print(summary(done))
    if options.keep:
        KEPT.write_text(json.dumps(done, indent=1) + "\n")


if __name__ == "__main__":
    main()

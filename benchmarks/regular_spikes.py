"""Regular neurons in weak noise: how often intervals of `calibrate` hold the true values.

`python benchmarks/regular_spikes.py --recordings 40 --out FOLDER` fits sigma and the drive of simulated LIF neurons and appends
a line for each to FOLDER/KIND.jsonl; a run that was stopped continues. `--quick` fits two of each.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from brian2 import ms, mV, second
from recovery import append, in_si, lines
from timing import machine, table

import nsnn_neuro as nsnn

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
# sigma and drive in mV, duration in s, by the coefficient of variation of the intervals
KINDS = {
    "0.03": (0.25, 28.0, 5.0),
    "0.06": (0.5, 28.0, 5.0),
    "0.1": (0.85, 28.0, 5.0),
    "0.5": (3.0, 20.5, 10.0),
}
BOUNDS = {"noise.sigma": (0.05 * mV, 10 * mV), "stimulus.v": (5 * mV, 60 * mV)}


def fit_one(name: str, number: int) -> dict[str, Any]:
    """Simulate one recording and fit it."""
    sigma, drive, duration = KINDS[name]
    block = nsnn.simulate(
        CELL, nsnn.WhiteNoise(sigma * mV), nsnn.Constant(drive * mV), duration=duration * second, seed=1000 + number
    )  # fmt: skip
    intervals = np.diff(block.segments[0].spiketrains[0].rescale("s").magnitude)
    begun = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = nsnn.calibrate(
            CELL,
            BOUNDS,
            noise=nsnn.WhiteNoise(2 * mV),
            stimulus=nsnn.Constant(20 * mV),
            trains=block,
            progress=False,
        )
        cpu, ends = time.process_time() - begun, in_si(fit.interval(progress=False))
    true = dict(zip(BOUNDS, (sigma * 1e-3, drive * 1e-3), strict=True))
    return {
        "number": number,
        "n_spikes": len(intervals) + 1,
        "cv": float(intervals.std() / intervals.mean()),
        "z": {k: (fit.parameters[k] - true[k]) / fit.se[k] for k in true},
        "covered": {k: bool(ends[k][0] <= true[k] <= ends[k][1]) for k in true},
        "cpu": cpu,
        "warnings": [str(one.message) for one in caught],
    }


def coverage(folder: Path) -> str:
    """The table of what is there."""
    rows = []
    for name in KINDS:
        for parameter in BOUNDS if (found := lines(folder, name)) else ():
            z = np.array([line["z"][parameter] for line in found])
            covered = sum(line["covered"][parameter] for line in found)
            cv, cpu = (np.mean([line[key] for line in found]) for key in ("cv", "cpu"))
            warned = sum(bool(line["warnings"]) for line in found)
            scatter = [f"{z.mean():+.2f}", f"{z.std():.2f}"]
            rows.append(
                [f"{cv:.3f}", parameter, f"{covered} of {len(z)}", *scatter, f"{cpu:.1f} s", str(warned)]
            )
    return table(
        ["CV", "parameter", "95 % interval covers", "bias in errors", "SD", "time", "with a warning"], rows
    )


def main() -> None:
    """Run, or print what is there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--recordings", type=int, default=40)
    parser.add_argument("--quick", action="store_true", help="two recordings of each kind")
    parser.add_argument("--out", type=Path, default=Path("results/regular_spikes"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    print(machine())
    for name in given.kinds:
        done = {line["number"] for line in lines(given.out, name)}
        for number in range(2 if given.quick else given.recordings):
            if number not in done:
                append(given.out / f"{name}.jsonl", fit_one(name, number))
    print(coverage(given.out))


if __name__ == "__main__":
    main()

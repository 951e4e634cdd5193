"""How often 95 % intervals of the dispersion and of a shared gain's variance hold the true value, in simulated counts.

`python benchmarks/count_coverage.py [--recordings N] [--json FILE]`: N recordings of about 150, 500 and 2,000 spikes each, drawn
by NumPy. Dispersion: one neuron, a count in each step with mean exp(-.1 + .4 x), x normal; `NeuronFit.interval`. Shared gain:
five neurons with 2 spikes each on average, two stimuli; the limits of `fit_shared_gain`. Columns: the share of intervals that
hold the true value, the estimates' mean and SD, the share that is 0.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import neo
import numpy as np
import quantities as pq
from timing import machine

from nsnn_neuro import fit_neuron
from nsnn_neuro.likelihood import NegativeBinomial, fit_shared_gain

SPIKES = (150, 500, 2000)
STEP = 50 * pq.ms


def of_dispersion(spikes: int, d: float, rng: np.random.Generator) -> tuple[float, float, float]:
    """The estimate and its interval."""
    x = rng.normal(size=spikes)
    counts = rng.poisson(np.exp(-0.1 + 0.4 * x) * rng.gamma(1 / d, d, spikes))
    times = np.repeat(np.arange(spikes), counts) * 0.05
    times += np.concatenate([np.arange(n) / (n + 1) * 0.05 for n in counts if n])
    signal = neo.AnalogSignal(x, units=pq.dimensionless, sampling_period=STEP)
    fit = fit_neuron([times], signal, dt=STEP, stimulus=1, family=NegativeBinomial())
    return fit.parameters["dispersion"], *fit.interval()["dispersion"]


def of_shared_gain(spikes: int, s2: float, rng: np.random.Generator) -> tuple[float, float, float]:
    """The estimate and its limits."""
    n = spikes // 10
    stimulus = np.arange(n) % 2
    rates = np.array([[1.0, 3.0, 2.0, 1.0, 3.0], [3.0, 1.0, 2.0, 3.0, 1.0]])[stimulus]
    fit = fit_shared_gain(stimulus, rng.poisson(rates * rng.gamma(1 / s2, s2, n)[:, None]))
    return fit.gain_variance, fit.lower, fit.upper


CASES: dict[
    str, tuple[Callable[[int, float, np.random.Generator], tuple[float, float, float]], tuple[float, ...]]
] = {
    "dispersion": (of_dispersion, (0.2, 0.6)),
    "shared gain": (of_shared_gain, (0.1, 0.4)),
}


def row(name: str, true: float, spikes: int, recordings: int) -> dict[str, float | str]:
    """Coverage in recordings of one kind, whose seeds are 0, 1, ..."""
    fits = np.array([CASES[name][0](spikes, true, np.random.default_rng(seed)) for seed in range(recordings)])
    value, low, high = fits.T
    covered = float(np.mean((low <= true) & (true <= high)))
    numbers = {"covered": covered, "mean": value.mean(), "sd": value.std(ddof=1), "at_0": np.mean(value == 0)}
    return {"what": name, "true": true, "spikes": spikes, "n": recordings} | {
        k: round(float(v), 4) for k, v in numbers.items()
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recordings", type=int, default=400, help="of each kind and size")
    parser.add_argument("--json", type=Path, help="file for the rows")
    given = parser.parse_args()
    rows = [
        row(name, true, n, given.recordings)
        for name, (_, values) in CASES.items()
        for true in values
        for n in SPIKES
    ]
    for one in rows:
        print("  ".join(f"{key} {value}" for key, value in one.items()))
    if given.json:
        given.json.write_text(json.dumps({"rows": rows, "machine": machine()}, indent=1) + "\n")

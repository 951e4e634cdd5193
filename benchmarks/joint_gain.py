"""Filters of neurons with a gain that they share, fitted without it and with it: bias and intervals of the coefficients.

`python benchmarks/joint_gain.py --recordings 20` simulates recordings of five neurons, 60 trials of 1 s in steps of 5 ms at about
20 Hz, whose rates depend on a stimulus and on their own spikes, not on each other, and are multiplied in each trial by a gain of
variance 0.2. Rows: the coefficients of a kind, their mean error, the root mean square of z, and the share of 95 % intervals that
hold the true value. `--keep` writes the rows to docs/joint_gain.json.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import neo
import numpy as np
import quantities as pq
from timing import table

import nsnn_neuro as nsnn
from nsnn_neuro.likelihood import Poisson, RaisedCosines, fit_neuron, fit_shared_gain

KEPT = Path(__file__).parents[1] / "docs" / "joint_gain.json"
N, TRIALS, STEPS, DT, VARIANCE = 5, 60, 200, 5e-3, 0.2
STIMULUS, PAST = RaisedCosines(3, 60 * pq.ms), RaisedCosines(3, 100 * pq.ms, start=5 * pq.ms)
TRUE = {"bias": [-2.4], "stimulus": [0.3, 0.2, -0.1], "history": [-0.8, 0.1, 0.1], "coupling": [0.0]}


def simulate(seed: int) -> tuple[list[Any], list[neo.AnalogSignal]]:
    """Spike times of each neuron in each trial, and the signal of each trial."""
    rng = np.random.default_rng(seed)
    gain, x = rng.gamma(1 / VARIANCE, VARIANCE, TRIALS), rng.normal(size=(TRIALS, STEPS))
    stimulus = STIMULUS.matrix(DT, 0) @ TRUE["stimulus"]
    kernel = PAST.matrix(DT, 1) @ TRUE["history"]
    driven = np.stack([np.convolve(one, stimulus)[:STEPS] for one in x])
    o = np.zeros((STEPS, TRIALS, N))
    for t in range(STEPS):
        before = o[max(0, t - len(kernel)) : t][::-1]
        after = np.tensordot(kernel[: len(before)], before, 1) if t else 0.0
        o[t] = rng.poisson(gain[:, None] * np.exp(TRUE["bias"][0] + driven[:, t, None] + after))
    signals = [neo.AnalogSignal(one, units="dimensionless", sampling_period=DT * pq.s) for one in x]
    times = [
        [np.repeat(np.arange(STEPS), o[:, k, j].astype(int)) * DT for k in range(TRIALS)] for j in range(N)
    ]
    return times, signals


def errors(seed: int) -> dict[str, Any]:
    """z and error of each coefficient, fitted without and with the gain; the fitted gain."""
    times, signals = simulate(seed)
    alone = []
    for j in range(N):
        every = [[times[k][i] for k in range(N) if k != j] for i in range(TRIALS)]
        others = nsnn.to_block(every, t_stop=STEPS * DT * pq.s)
        alone.append(
            fit_neuron(
                times[j], signals, dt=DT * pq.s, stimulus=STIMULUS, history=PAST, inputs=others, coupling=PAST,
                family=Poisson(), t_start=0 * pq.s, t_stop=STEPS * DT * pq.s,
            )
        )  # fmt: skip
    joint = fit_shared_gain(None, None, expected=alone)
    after = fit_shared_gain(
        None, np.array([[len(t) for t in one] for one in times]).T, expected=_rates(alone)
    )
    rows: dict[str, Any] = {"seed": seed}
    for name, fits in (("alone", alone), ("joint", joint.fits)):
        rows[name] = {
            kind: [
                (float(fit.parameters[p] - value), float(fit.se[p]))
                for fit in fits
                for p, value in zip(
                    [p for p in fit.parameters if p.startswith(kind)],
                    np.resize(TRUE[kind], 99),
                    strict=False,
                )
            ]
            for kind in TRUE
        }
    for name, one in (("after", after), ("with", joint)):
        holds = bool(one.lower <= VARIANCE <= one.upper)
        rows[f"variance {name}"] = one.gain_variance, holds
    return rows


def _rates(fits: Any) -> np.ndarray:
    means = [np.exp(fit.model.evaluate(fit.values, fit._data).potential) for fit in fits]
    return np.stack([one.reshape(TRIALS, STEPS).sum(axis=1) for one in means], axis=1)


def summary(every: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each kind of coefficient and fit."""
    rows = []
    for kind in TRUE:
        for name in ("alone", "joint"):
            error, se = np.array([pair for one in every for pair in one[name][kind]]).T
            z = error / se
            rows.append(
                {
                    "coefficients": kind, "fit": name, "n": len(z), "bias": round(float(error.mean()), 4),
                    "rms error": round(float(np.sqrt(np.mean(error**2))), 4), "rms z": round(float(np.sqrt(np.mean(z**2))), 3),
                    "95 % holds": round(float(np.mean(np.abs(z) < 1.96)), 3),
                }
            )  # fmt: skip
    for name in ("after", "with"):
        s2, holds = np.array([one[f"variance {name}"] for one in every]).T
        rows.append(
            {
                "coefficients": "gain variance", "fit": name, "n": len(s2), "bias": round(float(s2.mean() - VARIANCE), 4),
                "rms error": round(float(np.sqrt(np.mean((s2 - VARIANCE) ** 2))), 4), "rms z": "",
                "95 % holds": round(float(holds.mean()), 3),
            }
        )  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=20)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = summary([errors(seed) for seed in range(options.recordings)])
    print(table(list(rows[0]), [[str(value) for value in row.values()] for row in rows]))
    if options.keep:
        KEPT.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Simulated relay neurons: `calibrate(..., inputs=...)` beside `fit_neuron(..., inputs=...)` with and without products.

Neurons are those of the study fit_recordings (`AdEx` in coloured noise, one input at 40 Hz), none of the fitted models is true.
The first 7.8 s of 12 s are fitted; held-out bits per spike in bins of 0.5 ms, with paired differences from `fit_neuron`.

    python benchmarks/relay_inputs.py 1 2 3       recordings of these seeds
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import neo
import numpy as np
import quantities as pq
from brian2 import Hz, ms, mV
from scipy.signal import fftconvolve

import nsnn_neuro as nsnn
from nsnn_neuro.likelihood import RaisedCosines
from nsnn_neuro.likelihood.comparison import in_one_bin
from nsnn_neuro.likelihood.scores import paired_error, ratio_error

FINE, SECONDS, SPLIT = 1e-4, 12.0, 7.8  # s
RELAY = nsnn.AdEx(
    tau_m=8 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=12 * mV, v_spike=25 * mV, delta_T=1.5 * mV, tau_refrac=2 * ms,
    tau_w=80 * ms, a=0.2, b=1 * mV,
)  # fmt: skip
GIF = nsnn.GIF(
    tau_m=3 * ms, v_rest=0 * mV, v_reset=-20 * mV, v_thresh=0 * mV, tau_refrac=1 * ms, tau_w=20 * ms, b=0.5 * mV,
    tau_thresh=1000 * ms, b_thresh=0 * mV,
)  # fmt: skip
FREE: dict[str, Any] = {
    "tau_m": (0.2 * ms, 20 * ms), "v_reset": (-100 * mV, -0.5 * mV), "tau_w": (2 * ms, 500 * ms), "b": (-2 * mV, 10 * mV),
    "stimulus.v": (-30 * mV, 10 * mV), "input.tau_syn": (0.3 * ms, 30 * ms), "input.delay": (0 * ms, 5 * ms),
}  # fmt: skip
SYNAPSES = {
    "exponential": (nsnn.ExponentialSynapse(5 * ms), 10 * mV, (0.1 * mV, 200 * mV)),
    "conductance": (nsnn.ConductanceSynapse(5 * ms, 20 * mV), 1.0, (0.01, 20.0)),
}


def recording(seed: int) -> tuple[neo.Block, neo.Block]:
    """Spikes of the input and of the neuron, as in `analysis/fit_recordings/data_sets.py`."""
    rng, n = np.random.default_rng([seed, 0]), round(SECONDS / FINE)
    times = np.cumsum(3e-3 + rng.gamma(2.0, 11e-3, size=round(60 * SECONDS)))
    times = times[times < SECONDS]
    lags = np.arange(0.0, 40e-3, FINE)
    counts = np.bincount((times / FINE).astype(int), minlength=n)
    drive = 4.0 + 36.0 * fftconvolve(counts, np.exp(-lags / 5e-3) - np.exp(-lags / 0.5e-3))[:n]
    stimulus = nsnn.Recorded(neo.AnalogSignal(drive, units="mV", sampling_period=FINE * pq.s))
    options = {"duration": SECONDS * pq.s, "dt": FINE * pq.s, "seed": 0, "engine": "numpy"}
    block = nsnn.simulate(RELAY, nsnn.OUNoise(2 * mV, 5 * ms), stimulus, **options)
    return nsnn.to_block([[times]], t_stop=SECONDS * pq.s), block


def fits(pre: neo.Block, post: neo.Block) -> dict[str, Any]:
    """The fitted models by name; those of `fit_neuron` choose their ridge by cross-validation."""
    span, models = {"t_stop": SPLIT * pq.s}, {}
    shared = {
        "inputs": pre,
        "coupling": RaisedCosines(8, 30 * ms),
        "first_input_lag": 0,
        "ridge": "cv",
        "dt": 1 * ms,
    }
    shared |= {"history": RaisedCosines(8, 60 * ms, start=1 * ms), "family": nsnn.Logistic(1.0)}
    for name, products in (("coupling", None), ("products", [("coupling", "coupling")])):
        models[name] = nsnn.fit_neuron(post, products=products, **shared, **span)
    noise = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(1000 * Hz, 1 * mV))
    for name, (synapse, weight, bounds) in SYNAPSES.items():
        one = nsnn.SynapticInput(pre, synapse, weight=weight, delay=1 * ms)
        given = {"noise": noise, "stimulus": nsnn.Constant(-3 * mV), "dt": 0.5 * ms, "progress": False}
        free = FREE | {"input.weight": bounds}
        models[name] = nsnn.calibrate(GIF, free, trains=post, inputs=one, **given, **span)
    return models


def main(seeds: list[int]) -> None:
    for seed in seeds:
        pre, post = recording(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of delays at their bound of 0
            models = fits(pre, post)
        steps = {
            name: model.per_step(
                post, t_start=SPLIT * pq.s, **({"inputs": pre} if name in ("coupling", "products") else {})
            )
            for name, model in models.items()
        }
        gains = in_one_bin(steps)
        for name, (sums, spikes) in gains.items():
            n = int(spikes.sum())
            value = sums.sum() / n
            line = f"{seed} {name:12} {value:.2f} +- {ratio_error(sums, spikes, value):.2f}, n {n}"
            for rival in ("coupling", "products"):
                more = sums - gains[rival][0]
                line += f"; beside {rival} {more.sum() / n:+.2f} +- {paired_error(more, n):.2f}"
            print(line, flush=True)


if __name__ == "__main__":
    main([int(one) for one in sys.argv[1:]] or [1, 2, 3])

"""Simulation of many neurons, and the calibration by simulation: of the LIF, and of the main model without noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import neo
import numpy as np
import pandas as pd
import quantities as pq
from brian2 import mV, second
from scipy.ndimage import gaussian_filter1d

import nsnn_neuro as nsnn

from .config import Config
from .neuron import adapted, cell, drive, escape
from .sound import Half

KINDS = {"noisy": "escape", "deterministic": "none", "refitted deterministic": "none", "LIF": "white"}
"""noise of each model"""


def simulate(
    rows: pd.DataFrame,
    halves: dict[int, Half],
    kind: str,
    trials: int,
    dt: float,
    seed: int,
    engine: str = "cython",
) -> neo.Block:
    """Simulate a half with all models of one kind of noise side by side: neuron j is row j, under the sound of its recording.

    rows : recording, the parameters, and for escape noise `factor`, its width
    kind : "escape", "white" (an LIF with `sigma`), or "none"
    """
    names = rows.to_dict("list")
    records = rows.to_dict("records")
    drives = []
    for row in records:
        half = halves[row["recording"]]
        n, first = (round(t / dt) for t in (half.stop, half.start))
        drives.append(drive(row, half).samples(n, dt)[first:])
    signal = neo.AnalogSignal(1e3 * np.column_stack(drives), units="mV", sampling_rate=pq.Hz / dt)
    noise: Any = None
    if kind == "white":
        neuron: Any = lif(names)
        noise = nsnn.WhiteNoise(np.array(names["sigma"]) * mV)
    else:
        neuron = cell(names, [adapted(row, halves[row["recording"]]) for row in records])
        noise = escape(names["factor"]) if kind == "escape" else None
    return nsnn.simulate(
        neuron, noise, nsnn.Recorded(signal),
        n_neurons=len(rows), trials=trials, duration=len(drives[0]) * dt * second, dt=dt * second, seed=seed, engine=engine,
    )  # fmt: skip


def lif(values: Any) -> nsnn.LIF:
    """The LIF without adaptation, threshold 10 mV above rest and reset."""
    return nsnn.LIF(
        tau_m=np.asarray(values["tau_m"]) * second, tau_refrac=np.asarray(values["tau_refrac"]) * second,
        v_rest=0 * mV, v_reset=0 * mV, v_thresh=10 * mV,
    )  # fmt: skip


def log_likelihood(block: neo.Block, half: Half, config: Config, segment: float | None = None) -> np.ndarray:
    """Objective of each model (neuron of `block`), nats per recorded spike; see the docstring of the study.

    Shape (n_models,), or (n_models, n_segments) with a `segment` in seconds: sums in each segment over the mean number of spikes
    per segment.
    """
    n, step = len(block.segments[0].spiketrains), config.rate_kernel / 4
    bins, edges = round(half.duration / step), np.linspace(0.0, 0.25, 501)
    counts, intervals = np.zeros((n, bins)), np.zeros((n, len(edges)))
    for trial in block.segments:
        ids, times = trial.spiketrains.multiplexed
        times = np.asarray(times.magnitude)
        np.add.at(counts, (ids, np.minimum((times / step).astype(int), bins - 1)), 1)
        gaps, same = np.diff(times), np.diff(ids) == 0
        np.add.at(intervals, (ids[1:][same], np.searchsorted(edges, gaps[same], side="right") - 1), 1)
    rate = (
        gaussian_filter1d(counts, config.rate_kernel / step, axis=1, mode="nearest")
        / step
        / len(block.segments)
    )
    mean = np.maximum(counts.sum(axis=1, keepdims=True) / half.duration / len(block.segments), 1.0)
    rate = (1 - config.floor) * rate + config.floor * mean
    width = edges[1]
    density = gaussian_filter1d(intervals, config.interval_kernel / width, axis=1, mode="constant")
    density /= np.maximum(density.sum(axis=1, keepdims=True), 1.0) * width
    density = (1 - config.floor) * density + config.floor * mean * np.exp(-mean * edges)
    at_spikes = np.minimum((half.spikes / step).astype(int), bins - 1)
    observed = np.minimum(np.searchsorted(edges, np.diff(half.spikes), side="right") - 1, len(edges) - 1)
    scores = -rate * step  # per bin: minus the expected count, plus the terms of its spikes
    np.add.at(scores.T, at_spikes, np.log(rate[:, at_spikes]).T)
    np.add.at(scores.T, at_spikes[1:], np.log(density[:, observed]).T)
    if segment is None:
        return scores.sum(axis=1) / len(half.spikes)
    parts = round(half.duration / segment)
    return scores.reshape(n, parts, -1).sum(axis=2) / (len(half.spikes) / parts)


def search(
    halves: dict[int, Half],
    starts: dict[int, dict[str, float]] | None,
    config: Config,
    progress: Callable[[str], None],
) -> pd.DataFrame:
    """Cross-entropy search by simulation, one for each recording: of the LIF, or of the main model without noise.

    starts : parameters of the main model, around which the search without noise begins; None: the LIF
    Returns one row per recording with the parameters and the final objective.
    """
    rng = np.random.default_rng(config.seed)
    name, kind = ("LIF", "white") if starts is None else ("without noise", "none")
    bounds = [(b[0], b[1], b[2]) for b in (config.lif_bounds if starts is None else config.bounds)]
    names = [b[0] for b in bounds]
    low, high = (np.array([b[k] for b in bounds]) for k in (1, 2))
    trials = config.calibration_trials if starts is None else 1
    centre = {
        w: (low + high) / 2 if starts is None else np.array([starts[w][n] for n in names]) for w in halves
    }
    spread = {w: (high - low) / (2 if starts is None else 6) for w in halves}
    best: dict[int, tuple[float, np.ndarray]] = {}
    for generation in range(config.generations):
        batch = {}
        for which in halves:
            if generation == 0 and starts is None:
                candidates = rng.uniform(low, high, size=(config.candidates, len(low)))
            else:
                candidates = rng.normal(centre[which], spread[which], size=(config.candidates, len(low)))
            if generation == 0 and starts is not None:
                candidates[0] = centre[which]
            batch[which] = np.clip(candidates, low, high)
        rows = pd.concat(
            [pd.DataFrame(batch[w], columns=names).assign(recording=w) for w in halves], ignore_index=True
        )
        block = simulate(rows, halves, kind, trials, config.calibration_dt, config.seed, config.engine)
        for k, (which, half) in enumerate(halves.items()):
            own = slice(k * config.candidates, (k + 1) * config.candidates)
            scores = log_likelihood(block, half, config)[own]
            order = np.argsort(scores)[::-1][: config.elite]
            elite = batch[which][order]
            centre[which] = elite.mean(axis=0)
            spread[which] = elite.std(axis=0) + 0.02 * (high - low) * 0.7**generation
            if which not in best or scores[order[0]] > best[which][0]:
                best[which] = (float(scores[order[0]]), elite[0])
        shown = ", ".join(f"{which}: {score:.3f}" for which, (score, _) in best.items())
        progress(f"{name}, search {generation + 1}/{config.generations}: nats/spike: {shown}")
    return pd.DataFrame(
        {"recording": which, "objective": score, **dict(zip(names, values, strict=True))}
        for which, (score, values) in best.items()
    )

"""Model of the grasshopper study, and its calibration on the first half of a recording."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import neo
import numpy as np
import pandas as pd
import quantities as pq
from brian2 import mV, second
from scipy.ndimage import gaussian_filter1d

import nsnn_neuro as nsnn

from .config import Config


@dataclasses.dataclass(frozen=True)
class Half:
    """One half of a recording: spike times from its start (s), and sound level at 2 kHz in units of the SD of the first half."""

    spikes: np.ndarray
    level: np.ndarray
    cutoff: float

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.level) / 2000.0


def load_half(which: int, config: Config, *, second_half: bool) -> Half:
    """Read one half. The level is always standardised with mean and SD of the first half."""
    block = nsnn.datasets.grasshopper(which, path=config.data)
    level = nsnn.datasets.envelope_db(block).magnitude.ravel()
    border = round(config.split * 2000)
    level = (level - level[:border].mean()) / level[:border].std()
    _, times = block.segments[0].spiketrains.multiplexed
    times = np.asarray(times.rescale("s").magnitude)
    if second_half:
        return Half(
            times[times >= config.split] - config.split, level[border:], block.annotations["cutoff_hz"]
        )
    return Half(times[times < config.split], level[:border], block.annotations["cutoff_hz"])


def simulate(
    parameters: pd.DataFrame, level: np.ndarray, trials: int, dt: float, seed: int, engine: str = "cython"
) -> neo.Block:
    """Simulate all parameter sets: neuron j is row j, driven by offset + gain level(t - delay); level (n_samples, n_rows)."""
    column = parameters.to_dict("list")
    t = np.arange(len(level)) / 2000.0
    late = np.column_stack([np.interp(t - delay, t, level[:, j]) for j, delay in enumerate(column["delay"])])
    drive = np.array(column["offset"]) + np.array(column["gain"]) * late
    n = len(parameters)
    cell = nsnn.LIF(
        tau_m=np.array(column["tau_m"]) * second,
        v_rest=0 * mV,
        v_reset=0 * mV,
        v_thresh=10 * mV,
        tau_refrac=np.array(column["tau_refrac"]) * second,
    )
    stimulus = nsnn.Recorded(neo.AnalogSignal(drive, units="mV", sampling_rate=2000 * pq.Hz))
    noise = nsnn.WhiteNoise(np.array(column["sigma"]) * mV)
    duration = len(level) / 2000.0 * second
    return nsnn.simulate(
        cell, noise, stimulus,
        n_neurons=n, trials=trials, duration=duration, dt=dt * second, seed=seed, engine=engine,
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


def calibrate(halves: dict[int, Half], config: Config, progress: Callable[[str], None]) -> pd.DataFrame:
    """Cross-entropy search for all recordings with and without noise, one simulation per generation.

    Returns one row per (recording, model) with the parameters and the final objective.
    """
    rng = np.random.default_rng(config.seed)
    low, high = (np.array([b[k] for b in config.bounds]) for k in (1, 2))
    names = [b[0] for b in config.bounds]
    searches = [(which, model) for which in halves for model in ("noisy", "refitted deterministic")]
    centre = {s: (low + high) / 2 for s in searches}
    spread = {s: (high - low) / 2 for s in searches}
    best: dict[tuple[int, str], tuple[float, np.ndarray]] = {}
    for generation in range(config.generations):
        batch, level = [], []
        for which, model in searches:
            if generation == 0:
                candidates = rng.uniform(low, high, size=(config.candidates, len(low)))
            else:
                candidates = rng.normal(
                    centre[which, model], spread[which, model], size=(config.candidates, len(low))
                )
                candidates = np.clip(candidates, low, high)
            if model == "refitted deterministic":
                candidates[:, names.index("sigma")] = 0.0
            batch.append(candidates)
            level += [halves[which].level] * config.candidates
        block = simulate(
            pd.DataFrame(np.concatenate(batch), columns=names),
            np.column_stack(level), config.calibration_trials, config.calibration_dt, config.seed, config.engine,
        )  # fmt: skip
        for k, search in enumerate(searches):
            own = slice(k * config.candidates, (k + 1) * config.candidates)
            scores = log_likelihood(block, halves[search[0]], config)[own]
            order = np.argsort(scores)[::-1][: config.elite]
            elite = batch[k][order]
            centre[search], spread[search] = (
                elite.mean(axis=0),
                elite.std(axis=0) + 0.02 * (high - low) * 0.7**generation,
            )
            if search not in best or scores[order[0]] > best[search][0]:
                best[search] = (float(scores[order[0]]), elite[0])
        shown = ", ".join(f"{w} {m} {best[w, m][0]:.3f}" for w, m in searches)
        progress(f"calibration {generation + 1}/{config.generations}: nats/spike: {shown}")
    rows = []
    for (which, model), (score, values) in best.items():
        rows.append(
            {"recording": which, "model": model, "objective": score, **dict(zip(names, values, strict=True))}
        )
        if model == "noisy":
            rows.append({**rows[-1], "model": "deterministic", "objective": np.nan, "sigma": 0.0})
    return pd.DataFrame(rows)

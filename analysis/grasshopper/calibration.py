"""Simulation of many neurons, and the calibration without noise, by simulation."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

import neo
import numpy as np
import pandas as pd
import quantities as pq
from brian2 import second
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import differential_evolution

import nsnn_neuro as nsnn

from .config import Config
from .neuron import cell, drive, escape
from .sound import Half


def simulate(rows: pd.DataFrame, half: Half, noisy: bool, trials: int, dt: float, seed: int) -> neo.Block:
    """Simulate a half with all models side by side: neuron j is row j.

    rows : the parameters, and of noisy models `factor`, the width of the noise
    """
    records = rows.to_dict("records")
    n, first = (round(t / dt) for t in (half.stop, half.start))
    drives = [drive(row, half).samples(n, dt)[first:] for row in records]
    signal = neo.AnalogSignal(1e3 * np.column_stack(drives), units="mV", sampling_rate=pq.Hz / dt)
    return nsnn.simulate(
        cell(rows.to_dict("list"), half), escape(rows["factor"]) if noisy else None, nsnn.Recorded(signal),
        n_neurons=len(rows), trials=trials, duration=len(drives[0]) * dt * second, dt=dt * second, seed=seed,
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


def without_noise(
    half: Half, start: Mapping[str, float], known: Mapping[str, float], config: Config
) -> dict[str, float]:
    """Parameters of the neuron without noise, and the objective, by differential evolution around `start` and from `known`."""
    names = [name for name, *_ in config.bounds]
    low, high = (np.array([bounds[k] for bounds in config.bounds]) for k in (1, 2))
    rng = np.random.default_rng(config.seed)
    first = rng.normal(
        [start[name] for name in names], (high - low) / 6, size=(config.candidates, len(names))
    )
    first[:2] = [[values[name] for name in names] for values in (start, {**start, **known})]
    free = low < high

    def rows(points: np.ndarray) -> pd.DataFrame:
        values = np.tile(low, (len(points), 1))
        values[:, free] = points
        return pd.DataFrame(values, columns=names)

    def loss(columns: np.ndarray) -> np.ndarray:
        block = simulate(rows(columns.T), half, False, 1, config.bin_width, config.seed)
        return -log_likelihood(block, half, config)

    # the argument's name in this SciPy
    seed = "rng" if "rng" in inspect.signature(differential_evolution).parameters else "seed"
    result = differential_evolution(
        loss, np.column_stack([low, high])[free], maxiter=config.generations, tol=0, atol=0, polish=False, vectorized=True,
        updating="deferred", init=np.clip(first, low, high)[:, free], **{seed: config.seed},
    )  # fmt: skip
    return {**rows(result.x[None]).iloc[0].to_dict(), "objective": -result.fun}

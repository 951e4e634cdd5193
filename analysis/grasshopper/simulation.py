"""A recording of the study `grasshopper`: calibration on its first half, simulation and measurement of its second one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import neo
import numpy as np
import pandas as pd
import quantities as pq
from brian2 import second
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import differential_evolution

import nsnn_neuro as nsnn
from nsnn_neuro.likelihood import NeuronFit

from ..harness import replacing
from ..shared.processes import report
from .config import MODELS, REFITTED, RIVALS, Config
from .measuring import SEGMENT, excerpt, likelihood_rows, measured, parameter_rows, row_of, sweep_rows
from .neuron import (
    calibrated,
    cell,
    drive,
    escape,
    glm,
    glm_log_likelihoods,
    glm_trials,
    log_likelihoods,
    numbers,
)
from .sound import Half, load_half

COPIES = 5
"""of the one trial of a deterministic model, for measures that need several"""


def recording_rows(which: int, config: Config, out: Path | None) -> list[dict[str, Any]]:
    """All rows of a recording."""

    def tell(what: str) -> None:
        report(
            f"recording {which} ({config.recordings.index(which) + 1} of {len(config.recordings)}): {what}"
        )

    models, poisson = calibrate(load_half(which, config, second_half=False), which, config, tell)
    half = load_half(which, config, second_half=True)
    rows = parameter_rows(models)
    variants = _variants(models, config)
    for noisy in (True, False):
        own = variants[variants["noise"] == noisy].reset_index(drop=True)
        trials = config.trials if noisy else 1
        levels = f"{trials} trials of the LIF, and of the neuron at {len(own) - 1} levels of noise"
        tell(f"simulating the second half: {levels if noisy else 'a trial of each model without noise'}")
        block = simulate(own, half, noisy, trials, config.dt, config.seed + 1)
        if out is not None and noisy:
            block.annotate(
                variants=own.drop(columns=[c for c in own if c.startswith("se ")]).to_dict("records")
            )
            with replacing(out / f"recording{which}.nwb") as path:
                nsnn.save(block, path)
        scores = log_likelihood(block, half, config, SEGMENT)
        for j, variant in enumerate(own.to_dict("records")):
            copies = 1 if noisy else min(config.trials, COPIES)
            trains = repeats(block, j, copies)
            rows += _model_rows(trains, scores[j], half, which, variant["model"], config)
            if variant["sweep"]:
                rows += sweep_rows(trains, half, which, variant["factor"], config)
    tell("measuring")
    recorded = nsnn.to_block([[half.spikes]], t_stop=half.duration * second)
    rows += measured(recorded, half, which, "recorded", config)
    rows += excerpt(recorded, which, "recorded")
    made = glm_trials(poisson, half, config.trials, config.seed + 1)
    score = log_likelihood(made, half, config, SEGMENT)[0]
    rows += _model_rows(repeats(made, 0), score, half, which, "GLM", config)
    return rows + likelihood_rows(_logs(models, poisson, half, config), half, which, config)


def calibrate(
    half: Half, which: int, config: Config, tell: Callable[[str], None]
) -> tuple[pd.DataFrame, NeuronFit]:
    """Fit all models to a first half: a table with a row per model, and the GLM."""
    tell("calibrating the neuron by likelihood")
    noisy = numbers(calibrated(half, config.bounds, config), config.bounds)
    tell("calibrating the LIF")
    plain = numbers(calibrated(half, config.lif_bounds, config), config.lif_bounds)
    tell("fitting the GLM")
    poisson = glm(half, config)
    tell("calibrating the neuron without noise")
    values = {name: value for name, value in noisy.items() if not name.startswith("se ")}
    refitted = without_noise(half, values, REFITTED[which], config)
    own = {"noisy": noisy, "without noise": values, "refitted without noise": refitted, "LIF": plain}
    rows = [{**row, "recording": which, "model": name} for name, row in own.items()]
    return pd.DataFrame(rows), poisson


def _variants(frozen: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Models of the second half, and the noisy model at multiples `factor` of its noise; `sweep`: whether it is one of them."""
    rows = []
    for row in frozen.to_dict("records"):
        name = row["model"]
        off = name in MODELS[1:] or (config.sabotage == "noise off" and name == "noisy")
        rows.append({**row, "noise": not off, "factor": 1.0, "sweep": name in ("noisy", "without noise")})
        if name == "without noise":
            rows[-1]["factor"] = 0.0
        if name == "noisy":
            rows += [
                {**row, "model": f"noisy x {f:g}", "noise": True, "factor": f, "sweep": True}
                for f in config.factors
                if f not in (0.0, 1.0)
            ]
    return pd.DataFrame(rows)


def _logs(models: pd.DataFrame, glm: NeuronFit, half: Half, config: Config) -> dict[str, np.ndarray]:
    """Log-likelihood of each bin of the second half under the noisy models; the others give most bins the probability 0 or 1."""
    by_model = {row["model"]: row for row in models.to_dict("records")}
    logs = {name: log_likelihoods(by_model[name], half, config) for name in ("noisy", "LIF")}
    if config.sabotage == "noise off":
        logs["noisy"] = np.full_like(logs["noisy"], np.nan)
    return {**logs, "GLM": glm_log_likelihoods(glm, half, config)}


def _model_rows(
    trials: neo.Block, score: np.ndarray, half: Half, which: int, model: str, config: Config
) -> list[dict[str, Any]]:
    """Rows of one model; only of those that are compared, not of the sweep."""
    if model not in (*MODELS, *RIVALS):
        return []
    rows = measured(trials, half, which, model, config)
    rows += excerpt(trials, which, model)
    rows.append(row_of(which, model, "kernel likelihood", np.nan, score, "nats/spike", sd=np.nan))
    return rows + [
        row_of(which, model, "kernel likelihood, by segment", SEGMENT * k, value, "nats/spike")
        for k, value in enumerate(score)
    ]


def repeats(block: neo.Block, neuron: int, copies: int = 1) -> neo.Block:
    """Trials of one neuron as a Block of one trial with as many neurons, so that measures return one value per trial.

    copies : of each trial; those of a deterministic neuron are identical
    """
    trials = []
    for segment in block.segments:
        ids, times = segment.spiketrains.multiplexed
        trials += [np.asarray(times.magnitude)[ids == neuron]] * copies
    return nsnn.to_block([trials], t_stop=block.segments[0].spiketrains.t_stop)


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

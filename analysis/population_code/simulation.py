"""Simulations and measurements of the study `population_code`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from brian2 import mV, second
from scipy import stats

import nsnn_neuro as nsnn
from nsnn_neuro import measures, theory

from ..harness import Progress, quiet
from ..shared.recordings import retina
from ..shared.simulations import lif_parameters, simulated
from .config import Config

CELLS = (1, 2, 4, 8, 16)
LEAST = 0.1
"""smallest mean variance over repeats of the count of a recorded cell that is used"""


def linear_response(
    config: Config, drive: np.ndarray, gain: np.ndarray, shared: float
) -> tuple[float, float]:
    """Predicted linear Fisher information (1/mV^2) with and without noise correlations, for drives a_i and gains g_i."""
    cell, sigma = lif_parameters(config), config.sigma * mV
    low, high = (
        theory.siegert_rate((drive + gain * config.ds * side) * mV, sigma, **cell) for side in (-0.5, 0.5)
    )
    slope = (high - low) / config.ds * config.window
    rate, cv = theory.siegert_rate(drive * mV, sigma, **cell), theory.siegert_cv(drive * mV, sigma, **cell)
    steep = theory.siegert_gain(drive * mV, sigma, **cell)  # Hz/V
    variance = cv**2 * rate * config.window
    share = theory.count_correlation(shared, sigma, tau_m=cell["tau_m"], gain=steep, rate=rate, cv=cv)
    common = np.sqrt(share * variance)
    covariance = np.diag(variance * (1 - share)) + np.outer(common, common)
    return measures.gaussian_fisher(slope, covariance), float((slope**2 / variance).sum())


def trained(d_prime: float, neurons: int, trials: float) -> float:
    """Expected share of correct trials of a linear discriminant trained on `trials` per stimulus; infinite: Phi(d'/2).

    Phi(d'/2 / sqrt((1 + 2 N/(d'^2 T)) (1 + N/(2T - N)))): the factors are the costs of estimating means and covariance.
    Source: Raudys & Young 2004, doi 10.1016/S0047-259X(02)00021-0
    """
    if not d_prime > 0:
        return 0.5
    means, covariance = 1 + 2 * neurons / (d_prime**2 * trials), 1 + neurons / (2 * trials - neurons)
    return float(stats.norm.cdf(d_prime / 2 / np.sqrt(means * covariance)))


def spike_counts(config: Config, drive: np.ndarray, gain: np.ndarray, shared: float, seed: int) -> np.ndarray:
    """Spike counts in the window, (2 stimuli, trials, neurons)."""
    neuron = nsnn.LIF(v_rest=0 * mV, **lif_parameters(config))
    noise = nsnn.WhiteNoise(config.sigma * mV, shared=shared)
    options: dict[str, Any] = {
        "n_neurons": drive.size, "trials": config.trials, "seed": seed, "engine": config.engine,
        "seconds": config.warm_up + config.window, "dt": config.dt,
    }  # fmt: skip
    counts = []
    for k, side in enumerate((-0.5, 0.5)):
        stimulus = nsnn.Constant((drive + gain * config.ds * side) * mV)
        block = simulated(neuron, noise, stimulus, **options, point=k)
        counts.append(measures.as_trains(block, t_start=config.warm_up * second).counts)
    return np.array(counts)


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """Rows of three parts. "model": information, shuffled information, theory, bound and decoding by population, condition and
    size; "few trials": plug-in and corrected estimates; "retina": information and shuffled information by pair of moments and
    size."""
    rng, disorder = np.random.default_rng(config.seed), np.random.default_rng([config.seed, 1])
    shared = 0.0 if config.sabotage == "noise private" else config.shared
    ones = np.ones(max(config.sizes))
    mixed = ones.copy()
    if config.sabotage != "gains equal":
        mixed[3::4] = -1
    rows: list[dict] = []
    for number in range(config.populations):
        progress(f"population {number + 1} of {config.populations}")
        drive = rng.uniform(*config.drives, ones.size)
        seeds = rng.integers(2**31, size=2)
        both = spike_counts(config, np.tile(drive, 2), np.concatenate([ones, mixed]), shared, int(seeds[0]))
        populations = {
            "private": (ones, 0.0, spike_counts(config, drive, ones, 0.0, int(seeds[1]))),
            "equal": (ones, config.shared, both[:, :, : ones.size]),
            "mixed": (mixed, config.shared, both[:, :, ones.size :]),
        }
        for condition, (gain, fraction, counts) in populations.items():
            if config.sabotage == "trials shuffled":
                counts = disorder.permuted(counts, axis=1)
            elif config.sabotage == "labels shuffled":
                counts = disorder.permutation(counts.reshape(-1, ones.size)).reshape(counts.shape)
            same = {"population": number, "condition": condition}
            limit = config.bound if condition == "equal" else np.inf
            for n in config.sizes:
                expected = linear_response(config, drive[:n], gain[:n], fraction)
                rows.append({**same, **_rows_of_size(config, counts[:, :, :n], expected), "limit": limit})
            if condition == "equal":
                rows += [{**same, **row} for t in config.few for row in _rows_of_few(config, counts, t)]
    progress("retina")
    rows += retina_rows(config)
    return pd.DataFrame(rows)


def _rows_of_size(config: Config, counts: np.ndarray, expected: tuple[float, float]) -> dict:
    """Information of these neurons, and share of correct trials of a discriminant."""
    n = counts.shape[2]
    total, single = (
        _information(counts[0], counts[1], config.ds, shuffled=shuffled) for shuffled in (False, True)
    )
    decoded = measures.decode(
        np.repeat([0, 1], config.trials),
        np.concatenate(counts),
        decoder=measures.LinearDiscriminant(shrinkage=None),
        n_shuffle=0,
    )
    d_prime = config.ds * np.sqrt(max(total.value, 0.0))
    slope = config.ds**2 * stats.norm.pdf(d_prime / 2) / (4 * max(d_prime, 1e-9))  # of Phi(d'/2) in I
    return {
        "part": "model",
        "neurons": n,
        "trials": config.trials,
        "information": total.value,
        "se": total.se,
        "shuffled": single.value,
        "theory": expected[0],
        "theory shuffled": expected[1],
        "right": decoded.accuracy,
        "right se": decoded.se,
        "right at best": stats.norm.cdf(d_prime / 2),
        "right at best se": slope * total.se,
        "right if trained": trained(d_prime, n, 0.8 * config.trials),
    }


def _rows_of_few(config: Config, counts: np.ndarray, trials: int) -> Iterator[dict]:
    """Estimates from disjoint blocks of `trials`, and the estimate from all trials."""
    few = counts[:, :, : config.few_neurons]
    total = _information(few[0], few[1], config.ds)
    same = {"part": "few trials", "neurons": config.few_neurons, "trials": trials}
    for k in range(config.trials // trials):
        a, b = few[:, k * trials : (k + 1) * trials]
        plug_in, corrected = (_information(a, b, config.ds, bias=bias) for bias in ("none", "kanitscheider"))
        estimates = {"plug-in": plug_in.value, "information": corrected.value}
        yield same | estimates | {"all trials": total.value, "se": total.se}


def _information(a: np.ndarray, b: np.ndarray, ds: float, **how: Any) -> measures.Estimate:
    return measures.linear_fisher_information(a, b, ds, n_shuffle=0, **how)


def retina_rows(config: Config) -> Iterator[dict]:
    """Information of recorded cells about two moments of the film, by number of cells; as d'^2, with ds = 1."""
    spikes = retina()
    if spikes is None:
        return
    repeats, bins, cells = spikes.shape
    windows = bins // config.frames
    counts = spikes[:, : windows * config.frames].reshape(repeats, windows, config.frames, cells).sum(axis=2)
    rng = np.random.default_rng(config.seed)
    for first in range(windows // 2):
        a, b = counts[:, first], counts[:, first + windows // 2]
        varies = np.flatnonzero((a.var(axis=0) + b.var(axis=0)) / 2 > LEAST)
        if varies.size < max(CELLS):
            continue
        chosen = rng.permutation(varies)
        same = {"part": "retina", "population": first, "condition": "retina", "trials": repeats}
        for n in CELLS:
            some = chosen[:n]
            total, single = (_information(a[:, some], b[:, some], 1.0, shuffled=s) for s in (False, True))
            estimates = {"information": total.value, "se": total.se, "shuffled": single.value}
            yield same | {"neurons": n} | estimates

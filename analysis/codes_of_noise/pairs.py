"""Two cells: redundant, unique and synergistic bits with private noise, with shared noise, and with a shared gain."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import quantities as pq
from brian2 import mV, second

import nsnn_neuro as nsnn
from nsnn_neuro import measures

from ..shared.frozen_stimuli import state
from ..shared.simulations import simulated
from ..shared.tables import of_estimate
from .config import Config

CELL = nsnn.LIF(
    tau_m=10e-3 * second, v_rest=0 * mV, v_reset=0 * mV, v_thresh=10 * mV, tau_refrac=2e-3 * second
)
WARM_UP, WINDOW, DT = 50e-3, 150e-3, 0.5e-3
DRIVES = np.array([11.0, 12.0, 13.0, 14.0])
"""drive of each stimulus, mV; in the opposite order for the oppositely tuned cell"""
TUNINGS = ("equal", "opposite")
TESTED = 0.75
"""shared fraction of the claims"""
GAIN_SIGMA, FLOOR, PEAK = 10.0, -4.0, 14.0
"""noise, drive without response, and drive added at the preferred orientation, mV: counts then vary more than Poisson, and
noise correlations of a shared gain are about .2, as in V1"""
ORIENTATIONS = np.arange(8) * 22.5
PREFERRED = np.array([0.0, 0.0, 22.5, 45.0, 90.0])
"""degrees; the first cell is paired with each of the others"""


def counts_of(
    drive: np.ndarray, sigma: float | np.ndarray, *, trials: int, seed: int, shared: float = 0.0
) -> np.ndarray:
    """(trials, neurons) spike counts in the window, of neurons with constant drives (mV)."""
    model = CELL, nsnn.WhiteNoise(sigma * mV, shared=shared), nsnn.Constant(drive * mV)
    options = {"n_neurons": drive.size, "trials": trials, "seed": seed}
    block = simulated(*model, seconds=WARM_UP + WINDOW, dt=DT, **options)
    return measures.as_trains(block, t_start=WARM_UP * pq.s).counts


def classes(counts: np.ndarray, config: Config) -> np.ndarray:
    """Counts in at most `config.classes` classes; stimuli play no part."""
    return np.asarray(measures.bin_counts(counts, n_bins=config.classes, method="even")[0])


def decomposed(
    label: np.ndarray, one: np.ndarray, other: np.ndarray, config: Config, null: str = "", **same: Any
) -> Iterator[dict[str, Any]]:
    """Rows of a pair: the four parts, corrected by quadratic extrapolation, and their sum; with the test named by `null`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = measures.partial_information(
            label, one, other, null=null or "s", n_shuffle=config.nulls if null else 0, seed=config.seed
        )
    for name, part in parts.items():
        yield {**same, "quantity": name, **of_estimate(part)}
    yield {**same, "quantity": "total", "value": sum(part.value for part in parts.values())}


def stimuli(n: int, trials: int, config: Config, rng: np.random.Generator) -> np.ndarray:
    """Labels of stimulus-major trials, permuted under the sabotage."""
    label = np.repeat(np.arange(n), trials)
    return rng.permutation(label) if config.sabotage == "stimuli shuffled" else label


def private(config: Config, seed: int) -> list[dict[str, Any]]:
    """Equally tuned cells at each level of private noise."""
    rng = np.random.default_rng([config.seed, seed, 10])
    levels = np.array(config.pair_sigmas)
    used = np.full_like(levels, levels.max()) if config.sabotage == "one noise level" else levels
    drive, sigma, _ = (axis.ravel() for axis in np.meshgrid(DRIVES, used, [0, 1], indexing="ij"))
    counts = counts_of(drive, sigma, trials=config.pair_trials, seed=state(config.seed, seed, 11))
    cells = counts.reshape(config.pair_trials, DRIVES.size, levels.size, 2)
    label, out = stimuli(DRIVES.size, config.pair_trials, config, rng), []
    for k, level in enumerate(levels):
        pair = classes(cells[:, :, k].swapaxes(0, 1).reshape(-1, 2), config)
        same: dict[str, Any] = {"part": "private", "group": seed, "condition": "equal", "level": float(level)}
        out += list(decomposed(label, pair[:, 0], pair[:, 1], config, **same))
    return out


def _of_pair(
    label: np.ndarray,
    counts: np.ndarray,
    symbols: np.ndarray,
    j: int,
    config: Config,
    test: str,
    same: dict[str, Any],
) -> Iterator[dict[str, Any]]:
    """Rows of the first cell with cell j."""
    yield from decomposed(label, symbols[:, 0], symbols[:, j], config, test, **same)
    noise = measures.noise_correlation(counts[:, [0, j]], stimulus=label)[0, 1]
    yield {**same, "quantity": "noise correlation", "value": float(noise)}


def shared(config: Config, seed: int) -> list[dict[str, Any]]:
    """Equally and oppositely tuned cells at each shared fraction of the noise."""
    rng = np.random.default_rng([config.seed, seed, 20])
    out: list[dict[str, Any]] = []
    label = stimuli(DRIVES.size, config.pair_trials, config, rng)
    for number, fraction in enumerate(config.fractions):
        used = 0.0 if config.sabotage == "noise private" else fraction
        counts = np.concatenate(
            [
                counts_of(
                    np.array([DRIVES[k], DRIVES[k], DRIVES[-1 - k]]), config.pair_sigma,
                    trials=config.pair_trials, seed=state(config.seed, seed, 21, number, k), shared=used,
                )
                for k in range(DRIVES.size)
            ]
        )  # fmt: skip
        symbols = classes(counts, config)
        for j, tuning in enumerate(TUNINGS, start=1):
            same = {"part": "shared", "group": seed, "condition": tuning, "level": float(fraction)}
            test = "r1|s" if fraction in (0.0, TESTED) else ""
            out += _of_pair(label, counts, symbols, j, config, test, same)
    return out


def gains(config: Config, seed: int) -> list[dict[str, Any]]:
    """Orientation-tuned cells whose tuned drive is multiplied by a gain in each trial, shared by the cells or drawn for each."""
    rng, n = np.random.default_rng([config.seed, seed, 30]), config.gain_trials
    tuned = PEAK * np.exp(2 * (np.cos(np.deg2rad(2 * (ORIENTATIONS[:, None] - PREFERRED))) - 1))
    out: list[dict[str, Any]] = []
    for number, kind in enumerate(("shared gain", "private gain")):
        z = rng.standard_normal((ORIENTATIONS.size, n, PREFERRED.size))
        if kind == "shared gain" and config.sabotage != "noise private":
            z = np.repeat(z[:, :, :1], PREFERRED.size, axis=2)
        gain = np.clip(1 + config.gain_sd * z, 0.2, 1.8)
        drive = (FLOOR + gain * tuned[:, None, :]).ravel()
        counts = counts_of(drive, GAIN_SIGMA, trials=1, seed=state(config.seed, seed, 31, number))
        counts = counts.reshape(ORIENTATIONS.size * n, PREFERRED.size)
        label, symbols = stimuli(ORIENTATIONS.size, n, config, rng), classes(counts, config)
        same = {"part": "gain", "group": seed, "condition": kind}
        for j in range(1, PREFERRED.size):
            here = {**same, "level": float(PREFERRED[j])}
            out += _of_pair(label, counts, symbols, j, config, "", here)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # trials are in no order here
            fit = measures.modulated_poisson(label, counts)
        out.append({**same, "quantity": "gain variance", "value": float(np.mean(fit.gain_variance))})
    return out

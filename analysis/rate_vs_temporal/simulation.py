"""Simulations and measurements of the study `rate_vs_temporal`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import quantities as pq
from brian2 import mV

import nsnn_neuro as nsnn
from nsnn_neuro import measures

from ..harness import Progress, quiet
from ..shared import frozen_stimuli, recordings
from ..shared.frozen_stimuli import WINDOW, state
from .config import Config

COLUMNS = ["part", "group", "tau", "sigma", "setting", "code", "x", "value", "se"]


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """One row per estimate of information: part, group (seed, or windows of the recording), correlation time tau (s), sigma (mV;
    for the recording SD of the current, pA), setting, code, x (resolution in s, or cost of distances in 1/s), value (bits) and its
    se."""
    rows = []
    for seed in range(0, config.seeds, config.together):
        progress(f"seed {seed + 1} of {config.seeds}")
        rows += list(lif(config, range(seed, min(seed + config.together, config.seeds))))
    progress("recorded neuron")
    rows += list(cortex(config, progress))
    return pd.DataFrame(rows, columns=COLUMNS)


class Cell(NamedTuple):
    """Responses of one neuron to all stimuli: trains in the window, the stimulus of each, and the neuron's settings."""

    trains: measures.Trains
    labels: np.ndarray
    seed: int
    tau: float
    sigma: float


def stimulus(config: Config, seed: int, tau: float, number: int) -> np.ndarray:
    """Drive of a trial, mV at each step."""
    return frozen_stimuli.stimulus(
        config.mean, config.amplitude, tau, state(config.seed, seed, round(1e6 * tau), number)
    )


def answers(config: Config, seeds: Sequence[int]) -> Iterator[Cell]:
    """A `Cell` for each seed, correlation time and noise, from one simulation."""
    axes = (np.array(seeds), config.taus, config.sigmas, np.arange(config.stimuli))
    seed, tau, sigma, number = (a.ravel() for a in np.meshgrid(*axes, indexing="ij"))
    paths = {
        key: stimulus(config, *key) for key in itertools.product(seeds, config.taus, range(config.stimuli))
    }
    drive = np.array([paths[key] for key in zip(seed, tau, number, strict=True)]).T
    noise = np.full_like(sigma, max(config.sigmas)) if config.sabotage == "most noise everywhere" else sigma
    rng = np.random.default_rng(state(config.seed, seeds[0], 1))
    trains = frozen_stimuli.responses(
        drive,
        nsnn.WhiteNoise(noise * mV),
        config.stimuli,
        config.trials,
        seed=state(config.seed, seeds[0]),
        shuffle=rng if config.sabotage == "times shuffled" else None,
    )
    labels = np.tile(np.arange(config.stimuli), config.trials)
    for at, one in zip(range(0, tau.size, config.stimuli), trains, strict=True):
        shown = rng.permutation(labels) if config.sabotage == "labels shuffled" else labels
        yield Cell(one, shown, int(seed[at]), float(tau[at]), float(sigma[at]))


def first(trains: measures.Trains, n: int) -> measures.Trains:
    """The first n trials."""
    own = trains.trial < n
    return measures.Trains(
        trains.times[own], trains.neuron[own], trains.trial[own], 1, n, trains.t_start[:n], trains.t_stop[:n]
    )


def lif(config: Config, seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Rows of some seeds: information in counts, latencies and words, and for the first seeds in distances."""
    for cell in answers(config, seeds):
        same = {"part": "LIF", "group": cell.seed, "tau": cell.tau, "sigma": cell.sigma}
        codes = measures.rate_vs_temporal(
            cell.labels, cell.trains, resolutions=np.array(config.resolutions) * pq.s, n_shuffle=0
        )
        for row in codes.itertuples():
            yield same | {"code": row.code, "x": row.resolution, "value": row.raw, "se": row.se}
        yield same | {"code": "spikes", "x": WINDOW, "value": float(cell.trains.counts.mean())}
        if cell.seed >= config.apart:
            continue
        n = config.trains * config.stimuli
        space = measures.metric_space_information(
            cell.labels[:n],
            first(cell.trains, n),
            q=np.array(config.costs) / pq.s,
            n_shuffle=config.shuffles,
            seed=config.seed,
        )
        for q, bits, se in zip(space.q, space.corrected, space.se, strict=True):
            yield same | {"code": "distance", "x": float(q), "value": float(bits), "se": float(se)}


def cortex(config: Config, progress: Progress) -> Iterator[dict[str, Any]]:
    """Rows of the recorded neuron: groups of windows of its four sweeps, decoded by distance; none without the recordings."""
    rng = np.random.default_rng(state(config.seed, 2))
    for setting in recordings.CORTICAL:
        sweeps = recordings.cortical(setting)
        if sweeps is None:
            progress("no recordings of cortical neurons: skipped")
            return
        current = float(np.mean([sweep.current.std() for sweep in sweeps]))
        same = {"part": "cortex", "setting": setting, "sigma": current}
        seconds = min(sweep.seconds for sweep in sweeps)
        gamma = measures.gamma_coincidence(
            [sweep.spikes for sweep in sweeps], precision=2 * pq.ms, t_start=0 * pq.s, t_stop=seconds * pq.s
        )
        off = gamma[~np.eye(len(gamma), dtype=bool)]
        yield same | {"code": "reliability", "x": 2e-3, "value": float(off.mean())}
        for group in range(int(seconds / config.piece + 1e-9) // config.pieces):
            yield from _decoded_windows(
                config, sweeps, group * config.pieces * config.piece, same | {"group": group}, rng
            )


def _decoded_windows(
    config: Config, sweeps: list[Any], begin: float, same: dict[str, Any], rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    trains, labels = [], []
    for sweep in sweeps:
        for k in range(config.pieces):
            times = sweep.spikes - (begin + k * config.piece)
            times = times[(times >= 0) & (times < config.piece)]
            if config.sabotage == "times shuffled":
                times = np.sort(rng.uniform(0, config.piece, times.size))
            trains.append(times)
            labels.append(k)
    shown = rng.permutation(labels) if config.sabotage == "labels shuffled" else np.array(labels)
    space = measures.metric_space_information(
        shown,
        trains,
        q=np.array(config.costs) / pq.s,
        n_shuffle=5 * config.shuffles,
        seed=config.seed,
        t_start=0 * pq.s,
        t_stop=config.piece * pq.s,
    )
    for q, bits in zip(space.q, space.corrected, strict=True):
        yield same | {"code": "distance", "x": float(q), "value": float(bits)}

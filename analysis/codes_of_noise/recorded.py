"""Recorded cells: jitter, losses and shuffles of a retina's responses to images; two cells of a textbook."""

from __future__ import annotations

import functools
import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import quantities as pq
import scipy.io

from nsnn_neuro import FormatError, datasets, measures, to_block

from ..harness import Progress, part, quiet
from ..shared import recordings
from ..shared.tables import of_codes_table, of_estimate
from .config import CASES, RETINA, Config
from .pairs import decomposed

LENGTH = 0.3
"""s, trial of an image"""
CLASSES = 7
"""largest number of responses of a single cell: 30 trials per image are 4.3 for each"""
KEPT = (1.0, 0.25)
"""probability that a spike is kept, drawn for each trial"""
LIGHT_WINDOW = 0.2


def rows(config: Config, out: Path | None = None, progress: Progress = quiet) -> list[dict[str, Any]]:
    """Rows of the recordings that are available."""
    made: list[dict[str, Any]] = []
    place = recordings.folder(RETINA)
    if place is not None:
        trains, label = retina(place, config)
        for jitter in config.jitters:
            progress(f"retina, jitter {1e3 * jitter:g} ms")
            make = functools.partial(jittered, trains, label, jitter, config)
            made += part(out, f"retina jitter {jitter}", make)
        progress("pairs of retinal cells")
        made += part(out, "retina pairs", functools.partial(pair_rows, trains, label, config))
    place = recordings.folder(CASES)
    return made if place is None else made + textbook(place, config)


def retina(place: Path, config: Config) -> tuple[measures.Trains, np.ndarray]:
    """Responses to the first images, and the image of each trial."""
    block = datasets.salamander_retina(place).images
    label = np.array([s.annotations["label"] for s in block.segments])
    kept = np.flatnonzero(label < config.images)
    trains = measures.as_trains(block)
    own = np.isin(trains.trial, kept)
    used = measures.Trains(
        trains.times[own], trains.neuron[own], trains.trial[own], trains.n_neurons, kept.size,
        np.zeros(kept.size), np.full(kept.size, LENGTH),
    )  # fmt: skip
    if config.sabotage == "stimuli shuffled":
        return used, np.random.default_rng([config.seed, 50]).permutation(label[kept])
    return used, label[kept]


def first_spikes(trial: np.ndarray, times: np.ndarray, n: int) -> np.ndarray:
    """(n,) time of the first spike of each trial; infinite without spikes.

    >>> first_spikes(np.array([0, 0, 2]), np.array([0.2, 0.1, 0.05]), 3).tolist()
    [0.1, inf, 0.05]
    """
    first = np.full(n, np.inf)
    np.minimum.at(first, trial, times)
    return first


def latency_classes(first: np.ndarray) -> np.ndarray:
    """Classes of latencies in ms: at most `CLASSES` - 1 of nearly equal size, and one for silence."""
    fired, label = np.isfinite(first), np.full(first.size, CLASSES - 1)
    if fired.any():
        label[fired] = measures.bin_counts(np.floor(1e3 * first[fired]), n_bins=CLASSES - 1, method="even")[0]
    return label


def reflected(times: np.ndarray) -> np.ndarray:
    """Times reflected into the trial, so that no spike is lost.

    >>> reflected(np.array([-0.01, 0.1, 0.31])).round(3).tolist()
    [0.01, 0.1, 0.29]
    """
    folded = np.abs(times) % (2 * LENGTH)
    return np.where(folded > LENGTH, 2 * LENGTH - folded, folded)


def jittered(
    trains: measures.Trains, label: np.ndarray, jitter: float, config: Config
) -> list[dict[str, Any]]:
    """Information of each cell in its count and in its latency, spikes shifted by a normal variate of SD `jitter` (s)."""
    rng = np.random.default_rng([config.seed, 51, round(1e6 * jitter)])
    out = []
    for cell in range(trains.n_neurons):
        own = trains.neuron == cell
        trial = trains.trial[own]
        times = trains.times[own]
        times = reflected(times + jitter * rng.standard_normal(times.size)) if jitter else times
        count = np.bincount(trial, minlength=label.size)
        symbols = {
            "count": np.asarray(measures.bin_counts(count, n_bins=CLASSES, method="even")[0]),
            "latency": latency_classes(first_spikes(trial, times, label.size)),
        }
        for code, response in symbols.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                e = measures.mutual_information(label, response, n_shuffle=config.shuffles, seed=config.seed)
            same = {"part": "retina", "group": cell, "level": jitter}
            out.append({**same, "quantity": code, **of_estimate(e)})
    return out


def pair_rows(trains: measures.Trains, label: np.ndarray, config: Config) -> list[dict[str, Any]]:
    """Disjoint pairs of cells: counts in two classes each, as recorded and with losses that cells share or not."""
    rng = np.random.default_rng([config.seed, 52])
    order = rng.permutation(trains.n_neurons)
    out: list[dict[str, Any]] = []
    for number in range(min(config.pairs, trains.n_neurons // 2)):
        pair = order[2 * number : 2 * number + 2]
        counts = trains.counts[:, pair]
        means = np.array([counts[label == image].mean(axis=0) for image in np.unique(label)])
        same = {"part": "retina pairs", "group": number}
        signal = float(np.corrcoef(means.T)[0, 1])
        out.append({**same, "quantity": "signal correlation", "value": signal})
        for name, thinned in losses(counts, rng):
            test = "r1|s" if name == "recorded" else ""
            one, other = (measures.bin_counts(c, n_bins=2, method="even")[0] for c in thinned.T)
            out += list(decomposed(label, one, other, config, test, **same, condition=name))
    return out


def losses(counts: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """Counts (n_trials, 2) as recorded; with losses that both cells share; and with losses of each cell."""
    yield "recorded", counts
    both = rng.choice(KEPT, (len(counts), 1))
    yield "shared losses", rng.binomial(counts, np.repeat(both, 2, axis=1))
    yield "private losses", rng.binomial(counts, rng.choice(KEPT, counts.shape))


def textbook(place: Path, config: Config) -> list[dict[str, Any]]:
    """A subthalamic neuron in two directions of movement, and a retinal neuron in low and high light."""
    try:
        stn = scipy.io.loadmat(place / "10_spikes-1.mat", squeeze_me=True)
        light = scipy.io.loadmat(place / "08_spikes-1.mat", squeeze_me=True)
        direction, during = stn["direction"], stn["train"][:, stn["t"] >= 0].sum(axis=1)
        levels = [np.asarray(light[name], dtype=float) for name in ("SpikesLow", "SpikesHigh")]
    except Exception as error:  # SciPy's reader of damaged files raises anything
        raise FormatError(f"{place}: can't be read: {error}") from None
    count = measures.bin_counts(during, n_bins=4, method="even")[0]
    n_shuffle = 10 * config.nulls
    e = measures.mutual_information(direction, count, n_shuffle=n_shuffle, seed=config.seed)
    out = [{"part": "textbook", "condition": "subthalamic", "quantity": "count", **of_estimate(e)}]
    windows = [np.arange(0.0, 30.0 + LIGHT_WINDOW / 2, LIGHT_WINDOW) for _ in levels]
    trials = [
        spikes[(spikes >= a) & (spikes < b)] - a
        for spikes, edges in zip(levels, windows, strict=True)
        for a, b in itertools.pairwise(edges)
    ]
    label = np.repeat([0, 1], len(trials) // 2)
    block = to_block([[times] for times in trials], t_stop=LIGHT_WINDOW * pq.s)
    table = measures.codes_table(
        label, block, bin_width=50 * pq.ms, saturation="binary", n_shuffle=n_shuffle, seed=config.seed
    )
    return out + [{"part": "textbook", "condition": "light", **row} for row in of_codes_table(table)]

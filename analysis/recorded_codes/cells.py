"""Single cells of the study `recorded_codes`: information in counts, latencies and words; variability; noise correlations."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import neo
import numpy as np
import quantities as pq

from nsnn_neuro import measures

from ..shared.tables import of_estimate
from .config import Config
from .posteriors import excess_variance

RESPONSIVE = 0.5, 5
"""spikes per trial that the mean count of a responsive cell exceeds, and number of images with which it does"""
LEAST_MEAN = 1.0
"""images with a smaller mean count have no part in the Fano factor"""


@dataclasses.dataclass(frozen=True, eq=False)
class Responses:
    """Responses to images, trials first; trials are sorted by image, then by repeat."""

    image: np.ndarray
    """(n_trials,) label of each trial"""
    repeat: np.ndarray
    """(n_trials,) repeat of the image"""
    counts: np.ndarray
    """(n_trials, n_cells)"""
    latency: np.ndarray
    """(n_trials, n_cells) s; NaN where silent"""
    bins: dict[float, np.ndarray]
    """bin width -> (n_trials, n_cells, n_bins), 1 where a bin has spikes"""

    @property
    def n_images(self) -> int:
        """Number of images."""
        return int(self.image.max()) + 1

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return int(self.counts.shape[1])


def responses(block: neo.Block, config: Config) -> Responses:
    """Counts, latencies and binary words of the images' trials, spoilt where the configuration says so."""
    kept = [s.annotations["label"] < config.images for s in block.segments]
    label, repeat = (
        np.array([s.annotations[name] for s in block.segments])[kept] for name in ("label", "repeat")
    )
    trains = measures.as_trains(block)
    rng = np.random.default_rng([config.seed, 1])
    if config.sabotage == "common gain":
        # spikes of every second trial, on average, deleted with probability 3/4
        gain = rng.choice([1.0, 0.25], trains.n_trials)
        keep = rng.random(trains.times.size) < gain[trains.trial]
        trains = dataclasses.replace(
            trains, times=trains.times[keep], neuron=trains.neuron[keep], trial=trains.trial[keep]
        )
    cells = slice(0, config.cells)
    counts, latency = (
        of(trains)[kept, cells] for of in (measures.spike_counts, measures.first_spike_latency)
    )
    bins = {
        w: measures.words(trains, bin_width=w * pq.s, t_start=config.onset * pq.s)[kept, cells]
        for w in (*config.bins, config.fine)
    }
    if config.sabotage == "labels shuffled":
        # whole rows are permuted, so that each image keeps its number of trials and folds stay balanced
        order = rng.permutation(label.size)
        counts, latency, bins = counts[order], latency[order], {w: b[order] for w, b in bins.items()}
    made = Responses(label, repeat, counts, latency, bins)
    return exchanged(made, rng) if config.sabotage == "times exchanged" else made


def exchange_order(counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n_trials, n_cells) trial from which each response is taken: of the same cell, with the same count, at random."""
    order = np.empty(counts.shape, np.int64)
    for cell in range(counts.shape[1]):
        # sorted by count, in random order within a count: two such orders match trials of the same count
        a, b = (np.lexsort((rng.random(len(counts)), counts[:, cell])) for _ in range(2))
        order[a, cell] = b
    return order


def exchanged(data: Responses, rng: np.random.Generator) -> Responses:
    """Latencies and words exchanged between trials of the same cell with the same count: counts stay the same."""
    order, cell = exchange_order(data.counts, rng), np.arange(data.n_cells)
    return dataclasses.replace(
        data, latency=data.latency[order, cell], bins={w: b[order, cell] for w, b in data.bins.items()}
    )


def blocks(repeat: np.ndarray, n: int) -> np.ndarray:
    """(n_trials,) block of each trial: n blocks of consecutive repeats.

    >>> blocks(np.array([0, 1, 2, 3, 0, 1, 2, 3]), 2).tolist()
    [0, 0, 1, 1, 0, 0, 1, 1]
    """
    _, rank = np.unique(repeat, return_inverse=True)
    return np.asarray(rank * n // (int(rank.max()) + 1))


def image_and_block(data: Responses, config: Config) -> np.ndarray:
    """(n_trials,) a label for each image and block of repeats."""
    return data.image * config.n_folds + blocks(data.repeat, config.n_folds)


def shuffled_within(values: np.ndarray, label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n_trials, n_cells) with the trials of each label permuted, independently for each cell."""
    cell = np.arange(values.shape[1])
    base = np.argsort(label, kind="stable")
    order = np.stack([np.lexsort((rng.random(label.size), label)) for _ in cell], axis=1)
    mixed = np.empty_like(values)
    mixed[base] = values[order, cell]
    return mixed


def classes(values: np.ndarray, n: int) -> np.ndarray:
    """(n_trials,) numbers merged in their order into at most n classes of nearly equal frequency; labels play no part.

    >>> classes(np.array([0, 0, 0, 0, 1, 2, 3, 9]), 3).tolist()
    [0, 0, 0, 0, 1, 1, 2, 2]
    """
    distinct, index, size = np.unique(values, return_inverse=True, return_counts=True)
    if distinct.size <= n:
        return np.asarray(index)
    label, k, filled, left = np.zeros(distinct.size, np.int64), 0, 0, int(size.sum())
    for j, number in enumerate(size):
        if filled and k < n - 1 and filled + number / 2 > left / (n - k):
            left, k, filled = left - filled, k + 1, 0
        label[j] = k
        filled += int(number)
    return np.asarray(label[index])


def latency_classes(latency: np.ndarray, n: int) -> np.ndarray:
    """(n_trials,) class of the first spike's time, at most n - 1 of them; silence is the last class."""
    fired = ~np.isnan(latency)
    label = np.full(latency.size, n - 1)
    label[fired] = classes(latency[fired], n - 1)
    return label


def information_rows(data: Responses, config: Config) -> list[dict[str, Any]]:
    """Information about the image of each cell and code, with errors, nulls and a second correction as a check."""
    rows = []
    for cell in range(data.n_cells):
        mean = data.counts[:, cell].reshape(data.n_images, -1).mean(axis=1)
        base = {"part": "cell", "cell": cell}
        responsive = float((mean > RESPONSIVE[0]).sum() >= RESPONSIVE[1])
        rows.append({**base, "quantity": "responsive", "value": responsive})
        rows.append({**base, "quantity": "mean count", "value": float(mean.mean())})
        codes = {
            ("count", np.nan): classes(data.counts[:, cell], config.classes),
            ("latency", np.nan): latency_classes(data.latency[:, cell], config.classes),
        }
        codes |= {("words", width): data.bins[width][:, cell] for width in config.bins}
        for (code, width), response in codes.items():
            for bias in ("panzeri-treves", "shuffle") if code == "words" else ("panzeri-treves", "quadratic"):
                shuffles = config.shuffles if bias == "panzeri-treves" else config.check_shuffles
                e = measures.mutual_information(
                    data.image, response, bias=bias, n_shuffle=shuffles, seed=config.seed
                )
                rows.append({**base, "code": code, "x": width, "quantity": bias, **of_estimate(e)})
    return rows


def gain_rows(data: Responses, config: Config) -> list[dict[str, Any]]:
    """Words of each cell: information minus its mean after exchanges between trials of the same count."""
    rng = np.random.default_rng([config.seed, 2])
    plain: dict[str, Any] = {"n_shuffle": 0, "bias": "panzeri-treves"}
    rows = []
    orders = [exchange_order(data.counts, rng) for _ in range(config.exchanges)]
    for cell in range(data.n_cells):
        for width in config.bins:
            own = data.bins[width][:, cell]
            value = float(measures.mutual_information(data.image, own, **plain))
            mixed = (own[order[:, cell]] for order in orders)
            null = np.array([float(measures.mutual_information(data.image, one, **plain)) for one in mixed])
            row = {"part": "cell", "cell": cell, "code": "words", "x": width, "quantity": "gain"}
            row |= {"value": value - null.mean(), "se": null.std(ddof=1), "null": null.mean()}
            rows.append(row | {"p": (1 + (null >= value).sum()) / (1 + null.size)})
    return rows


def variability_rows(data: Responses) -> list[dict[str, Any]]:
    """Fano factor of each cell, its excess variance, and the variance of its gain by the modulated Poisson model."""
    counts = data.counts.reshape(data.n_images, -1, data.n_cells)
    mean, variance = counts.mean(axis=1), counts.var(axis=1, ddof=1)
    used = mean >= LEAST_MEAN
    fano = np.where(used, variance / np.where(used, mean, 1.0), np.nan)
    excess, se = excess_variance(counts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", measures.TrialDriftWarning)  # drift is reported by `correlation_rows`
        fit = measures.modulated_poisson(data.image, data.counts)
    rows = []
    for cell in range(data.n_cells):
        base, n = {"part": "cell", "cell": cell}, int(used[:, cell].sum())
        value = float(np.nanmean(fano[:, cell])) if n else np.nan
        beyond = {"value": float(excess[cell]), "se": float(se[cell])}
        gain = {"value": float(fit.gain_variance[cell]), "se": float(fit.se[cell]), "p": float(fit.p[cell])}
        rows += [
            {**base, "quantity": "Fano factor", "value": value, "x": n},
            {**base, "quantity": "excess variance", **beyond},
            {**base, "quantity": "gain variance", **gain},
            {**base, "quantity": "share of gain", "value": float(fit.share[cell])},
        ]
    return rows


def correlation_rows(data: Responses, config: Config) -> list[dict[str, Any]]:
    """Noise correlations over pairs of cells, and after shuffling trials: within images, and within images and blocks of repeats.

    Slow changes of the recording add to correlations within images, and less to those within images and blocks.
    """
    rng = np.random.default_rng([config.seed, 3])
    pairs = np.triu_indices(data.n_cells, 1)

    def correlations(counts: np.ndarray, label: np.ndarray) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cells that do not vary have no part in the mean
            return np.asarray(measures.noise_correlation(counts, stimulus=label)[pairs])

    rows: list[dict[str, Any]] = []
    for where, label in (("", data.image), (" within blocks", image_and_block(data, config))):
        value = correlations(data.counts, label)
        mixed = (shuffled_within(data.counts, label, rng) for _ in range(config.shuffles))
        shuffled = [correlations(counts, label) for counts in mixed]
        null, mean = np.nanmean(shuffled, axis=1), float(np.nanmean(value))
        rows.append(
            {
                "part": "correlation", "quantity": "mean over pairs" + where, "value": mean, "se": float(null.std(ddof=1)),
                "null": float(null.mean()), "p": float((1 + (np.abs(null) >= abs(mean)).sum()) / (1 + null.size)),
            }
        )  # fmt: skip
        for name, values in (("pair", value), ("pair, shuffled", shuffled[0])):
            rows += [{"part": "correlation", "quantity": name + where, "value": float(v)} for v in values]
    for image in range(data.n_images):
        own = data.counts[data.image == image]
        row = {"part": "correlation", "image": image, "quantity": "mean over pairs of an image"}
        rows.append(row | {"value": float(np.nanmean(correlations(own, np.zeros(len(own), int))))})
    # the same repeat of all images: a slow change shows in its total count; the ratio is about 1 without one
    total = data.counts.sum(axis=1).reshape(data.n_images, -1)
    deviation = (total - total.mean(axis=1, keepdims=True)).mean(axis=0)
    ratio = (np.diff(deviation) ** 2).mean() / 2 / deviation.var(ddof=1)
    rows.append({"part": "correlation", "quantity": "drift ratio", "value": float(ratio)})
    return rows

"""Decoding of the image from groups of cells in the study `recorded_codes`: by counts, latencies and spikes in bins."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from nsnn_neuro import measures

from . import posteriors
from .cells import Responses, blocks, exchanged, image_and_block, shuffled_within
from .config import Config

SILENT = 0.3
"""s; latency of a trial without spikes: the end of the trial"""
POISSON, NB = "Poisson", "negative binomial"
COUNTS, LATENCY, BOTH, EXCHANGED, BINS = (
    "counts", "latencies", "counts and latencies", "counts and exchanged latencies", "bins of 20 ms"
)  # fmt: skip
SHUFFLED, MIXED = "counts, trials shuffled", "counts, trials shuffled over blocks"
ARMS = (POISSON, NB, COUNTS, SHUFFLED, MIXED, LATENCY, BOTH, EXCHANGED, BINS)
LARGE = "large groups"

Decoder = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def cross_validated(decoder: Decoder, features: np.ndarray, data: Responses, config: Config) -> np.ndarray:
    """(n_trials, n_images) log posteriors of trials that had no part in the fit."""
    fold = blocks(data.repeat, config.n_folds)
    log_q = np.empty((data.image.size, data.n_images))
    for k in range(config.n_folds):
        train, test = fold != k, fold == k
        inner = blocks(data.repeat[train], config.inner_folds)
        log_q[test] = decoder(features[train], data.image[train], inner, features[test])
    return log_q


def latencies(data: Responses) -> np.ndarray:
    """(n_trials, n_cells) s, with a value for silence."""
    return np.nan_to_num(data.latency, nan=SILENT)


def groups(n_cells: int, size: int, seed: int) -> np.ndarray:
    """(n_groups, size) cells in a random order, in disjoint groups; those left over are dropped."""
    order = np.random.default_rng([seed, 5]).permutation(n_cells)
    n = max(1, n_cells // size)
    return order[: n * size].reshape(n, -1)


def of_group(data: Responses, cells: np.ndarray) -> Responses:
    """The responses of some cells."""
    return dataclasses.replace(
        data,
        counts=data.counts[:, cells],
        latency=data.latency[:, cells],
        bins={width: letters[:, cells] for width, letters in data.bins.items()},
    )


def _posteriors(arm: str, data: Responses, config: Config, rng: np.random.Generator) -> list[np.ndarray]:
    """Log posteriors of an arm of `ARMS`, one array for each draw."""
    linear = functools.partial(
        posteriors.linear,
        components=config.components,
        shrinkages=config.shrinkages,
        temperatures=config.temperatures,
    )
    counts = data.counts.astype(float)
    if arm in (POISSON, NB):
        model = measures.PoissonMAP() if arm == POISSON else measures.NegativeBinomialMAP()

        def direct(features: Any, image: Any, fold: Any, test: Any) -> np.ndarray:
            return model.fit(features, image).log_posterior(test)

        return [cross_validated(direct, counts, data, config)]
    if arm == EXCHANGED:
        made = [latencies(exchanged(data, rng)) for _ in range(config.draws)]
        features = [np.hstack([counts, one]) for one in made]
    elif arm in (SHUFFLED, MIXED):
        label = data.image if arm == MIXED else image_and_block(data, config)
        features = [shuffled_within(counts, label, rng) for _ in range(config.draws)]
    else:
        by_arm = {
            COUNTS: counts,
            LATENCY: latencies(data),
            BOTH: np.hstack([counts, latencies(data)]),
            BINS: data.bins[config.fine].reshape(data.image.size, -1).astype(float),
        }
        features = [by_arm[arm]]
    return [cross_validated(linear, one, data, config) for one in features]


def decoder_rows(arm: str, data: Responses, config: Config, large: bool = False) -> list[dict[str, Any]]:
    """Bits and accuracy of an arm for each image, means over groups and draws; and its calibration error over all trials."""
    rng = np.random.default_rng([config.seed, 4])
    size = config.large if large else config.group
    name = f"{arm}, {LARGE}" if large else arm
    each, q = [], []
    for cells in groups(data.n_cells, size, config.seed):
        for log_q in _posteriors(arm, of_group(data, cells), config, rng):
            each.append(posteriors.scored(log_q, data.image))
            q.append(np.exp(log_q))
    by_image = np.array(each).mean(axis=0).reshape(2, data.n_images, -1).mean(axis=2)
    rows = [
        {"part": "decoder", "code": name, "image": image, "quantity": quantity, "value": float(value)}
        for quantity, values in zip(("bits", "accuracy"), by_image, strict=True)
        for image, value in enumerate(values)
    ]
    p = np.concatenate(q)
    shares = p / p.sum(axis=1, keepdims=True)
    error = measures.calibration_error(shares, np.tile(data.image, len(q)), n_shuffle=0)
    same, confidence = {"part": "decoder", "code": name}, float(p.max(axis=1).mean())
    return [
        *rows,
        {**same, "quantity": "calibration error", "value": error.value, "se": error.se},
        {**same, "quantity": "mean confidence", "value": confidence},
    ]

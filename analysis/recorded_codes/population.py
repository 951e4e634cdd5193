"""Decoding of the image from all cells in the study `recorded_codes`: by counts, latencies, words and their combinations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nsnn_neuro import measures

from . import posteriors
from .cells import Responses, exchanged, shuffled_within
from .config import Config

SILENT = 0.3
"""s; latency of a trial without spikes: the end of the trial"""
POISSON, NB = "Poisson", "negative binomial"
COUNTS, LATENCY, BOTH, EXCHANGED, BINS = (
    "counts", "latencies", "counts and latencies", "counts and exchanged latencies", "bins of 20 ms"
)  # fmt: skip
SHUFFLED = "counts, trials shuffled"
ARMS = (POISSON, NB, COUNTS, LATENCY, BOTH, EXCHANGED, BINS, SHUFFLED)

Decoder = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def blocks(repeat: np.ndarray, n: int) -> np.ndarray:
    """(n_trials,) fold of each trial: n blocks of consecutive repeats.

    >>> blocks(np.array([0, 1, 2, 3, 0, 1, 2, 3]), 2).tolist()
    [0, 0, 1, 1, 0, 0, 1, 1]
    """
    _, rank = np.unique(repeat, return_inverse=True)
    return np.asarray(rank * n // (int(rank.max()) + 1))


def cross_validated(decoder: Decoder, features: np.ndarray, data: Responses, config: Config) -> np.ndarray:
    """(n_trials, n_images) log posteriors of trials that had no part in the fit."""
    fold = blocks(data.repeat, config.n_folds)
    log_q = np.empty((data.image.size, data.n_images))
    for k in range(config.n_folds):
        train, test = fold != k, fold == k
        inner = blocks(data.repeat[train], config.inner_folds)
        log_q[test] = decoder(features[train], data.image[train], inner, features[test])
    return log_q


def linear_decoder(config: Config) -> Decoder:
    """The linear decoder with the configuration's candidates."""

    def decode(features: np.ndarray, image: np.ndarray, fold: np.ndarray, test: np.ndarray) -> np.ndarray:
        return posteriors.linear(
            features, image, fold, test, components=config.components, shrinkages=config.shrinkages,
            temperatures=config.temperatures,
        )  # fmt: skip

    return decode


def _direct(model: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> Decoder:
    return lambda features, image, fold, test: model(features, image, test)


def latencies(data: Responses) -> np.ndarray:
    """(n_trials, n_cells) s, with a value for silence."""
    return np.nan_to_num(data.latency, nan=SILENT)


def _rows(arm: str, log_q: list[np.ndarray], data: Responses) -> list[dict[str, Any]]:
    """Bits and accuracy of an arm for each image, means over its draws; and over all trials its calibration error."""
    both = np.array([posteriors.scored(one, data.image) for one in log_q]).mean(axis=0)
    by_image = both.reshape(2, data.n_images, -1).mean(axis=2)
    rows = [
        {"part": "decoder", "code": arm, "image": image, "quantity": quantity, "value": float(value)}
        for quantity, values in zip(("bits", "accuracy"), by_image, strict=True)
        for image, value in enumerate(values)
    ]
    q = np.exp(log_q[0])
    error = measures.calibration_error(q / q.sum(axis=1, keepdims=True), data.image, n_shuffle=0)
    return [
        *rows,
        {
            "part": "decoder",
            "code": arm,
            "quantity": "calibration error",
            "value": error.value,
            "se": error.se,
        },
        {"part": "decoder", "code": arm, "quantity": "mean confidence", "value": float(q.max(axis=1).mean())},
    ]


def decoder_rows(arm: str, data: Responses, config: Config) -> list[dict[str, Any]]:
    """Rows of one arm of `ARMS`."""
    rng = np.random.default_rng([config.seed, 4])
    linear = linear_decoder(config)
    counts = data.counts.astype(float)
    if arm in (POISSON, NB):
        model = posteriors.poisson if arm == POISSON else posteriors.negative_binomial
        log_q = [cross_validated(_direct(model), counts, data, config)]
    elif arm == EXCHANGED:
        made = [exchanged(data, rng) for _ in range(config.draws)]
        log_q = [cross_validated(linear, np.hstack([counts, latencies(one)]), data, config) for one in made]
    elif arm == SHUFFLED:
        mixed = [shuffled_within(counts, data.image, rng) for _ in range(config.draws)]
        log_q = [cross_validated(linear, one, data, config) for one in mixed]
    else:
        features = {
            COUNTS: counts,
            LATENCY: latencies(data),
            BOTH: np.hstack([counts, latencies(data)]),
            BINS: data.bins[config.fine].reshape(data.image.size, -1).astype(float),
        }[arm]
        log_q = [cross_validated(linear, features, data, config)]
    return _rows(arm, log_q, data)

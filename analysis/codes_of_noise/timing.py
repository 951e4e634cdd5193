"""Rate and timing: information of counts, latencies and words of one neuron, in diffusive and in escape noise."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import quantities as pq
from brian2 import Hz, mV

import nsnn_neuro as nsnn
from nsnn_neuro import measures

from ..shared import frozen_stimuli
from ..shared.frozen_stimuli import state
from ..shared.tables import of_codes_table
from .config import Config

SETS = {"fast": (28.0, 4.0, 2e-3), "weak": (10.0, 3.0, 32e-3)}
"""set of stimuli -> mean (mV), SD of the free membrane (mV), correlation time (s)"""
KINDS = ("diffusive", "escape")
AT_THRESHOLD = 100.0
"""Hz, the exponential hazard at threshold: 1 / tau_m"""


def stimulus(name: str, seed: int, number: int) -> np.ndarray:
    """Drive of a trial, mV at each step."""
    mean, sd, tau = SETS[name]
    return frozen_stimuli.stimulus(mean, sd, tau, state(seed, round(1e6 * tau), number))


def responses(config: Config, name: str, kind: str, seed: int) -> Iterator[measures.Trains]:
    """The trains of all stimuli at each noise level."""
    paths = [stimulus(name, state(config.seed, seed), k) for k in range(config.stimuli)]
    drive = np.tile(np.stack(paths, axis=1), len(config.sigmas))
    sigma = np.repeat(config.sigmas, config.stimuli)
    if config.sabotage == "one noise level":
        sigma = np.full_like(sigma, max(config.sigmas))
    if kind == "diffusive":
        noise: Any = nsnn.WhiteNoise(sigma * mV)
    else:
        noise = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(AT_THRESHOLD * Hz, sigma * mV))
    own_seed = state(config.seed, seed, KINDS.index(kind), list(SETS).index(name))
    shuffle = np.random.default_rng([config.seed, seed, 1]) if config.sabotage == "times shuffled" else None
    return frozen_stimuli.responses(drive, noise, config.stimuli, config.trials, own_seed, shuffle)


def rows(config: Config, seed: int) -> list[dict[str, Any]]:
    """Rows of one seed: information of each code, its gain over the count, and the mean count."""
    out: list[dict[str, Any]] = []
    rng = np.random.default_rng([config.seed, seed, 2])
    for name, kind in itertools.product(SETS, KINDS):
        for level, trains in zip(config.sigmas, responses(config, name, kind, seed), strict=True):
            label = np.arange(trains.n_trials) % config.stimuli
            if config.sabotage == "stimuli shuffled":
                label = rng.permutation(label)
            same = {"part": "timing", "group": seed, "condition": name, "kind": kind, "level": float(level)}
            out += [{**same, **row} for row in of_codes(config, label, trains)]
    return out


def of_codes(config: Config, label: np.ndarray, trains: measures.Trains) -> Iterator[dict[str, Any]]:
    """Rows of one neuron: each code, the surplus of words, words by quadratic extrapolation, and the mean count."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # silent neurons tell nothing
        table = measures.codes_table(
            label, trains, bin_width=config.letter * pq.s, n_shuffle=config.shuffles, seed=config.seed
        )
        words = measures.words(trains, bin_width=config.letter * pq.s, saturation="count")[:, 0]
        check = measures.mutual_information(label, words, bias="quadratic", n_shuffle=0)
    yield from of_codes_table(table)
    yield {"quantity": "words, quadratic", "value": check.value, "se": check.se}
    yield {"quantity": "mean count", "value": float(trains.counts.mean())}

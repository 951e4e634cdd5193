"""Rate and timing: information of counts, latencies and words of one neuron, in diffusive and in escape noise."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import neo
import numpy as np
import quantities as pq
from brian2 import Hz, mV, second

import nsnn_neuro as nsnn
from nsnn_neuro import measures

from .config import Config

TAU_M, THRESHOLD, REFRACTORY = 10e-3, 20.0, 4e-3
LEAD, WINDOW, DT = 20e-3, 24e-3, 0.2e-3
BEFORE = 10.0
"""drive during the lead, mV"""
SETS = {"fast": (28.0, 4.0, 2e-3), "weak": (10.0, 3.0, 32e-3)}
"""set of stimuli -> mean (mV), SD of the free membrane (mV), correlation time (s)"""
KINDS = ("diffusive", "escape")
AT_THRESHOLD = 100.0
"""Hz, the exponential hazard at threshold: 1 / TAU_M"""


def state(*numbers: int) -> int:
    """A seed from several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def stimulus(name: str, seed: int, number: int) -> np.ndarray:
    """Drive of a trial, mV at each step: the lead, then a frozen Ornstein-Uhlenbeck path."""
    mean, sd, tau = SETS[name]
    scale = sd * np.sqrt((tau + TAU_M) / tau)
    path = nsnn.FrozenNoise(mean * mV, scale * mV, tau * second, seed=state(seed, round(1e6 * tau), number))
    return np.concatenate([np.full(round(LEAD / DT), BEFORE), 1e3 * path.samples(round(WINDOW / DT), DT)])


def noise_of(kind: str, sigma: np.ndarray) -> Any:
    """Noise with a level for each neuron (mV)."""
    if kind == "diffusive":
        return nsnn.WhiteNoise(sigma * mV)
    return nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(AT_THRESHOLD * Hz, sigma * mV))


def responses(config: Config, name: str, kind: str, seed: int) -> Iterator[tuple[float, measures.Trains]]:
    """Noise level, and the trains of all stimuli as trials of one neuron: trial t shows stimulus t modulo their number."""
    drive = np.stack([stimulus(name, state(config.seed, seed), k) for k in range(config.stimuli)], axis=1)
    sigma = np.repeat(config.sigmas, config.stimuli)
    used = np.full_like(sigma, max(config.sigmas)) if config.sabotage == "one noise level" else sigma
    block = nsnn.simulate(
        nsnn.LIF(
            tau_m=TAU_M * second,
            v_rest=0 * mV,
            v_reset=0 * mV,
            v_thresh=THRESHOLD * mV,
            tau_refrac=REFRACTORY * second,
        ),
        noise_of(kind, used),
        nsnn.Recorded(
            neo.AnalogSignal(np.tile(drive, len(config.sigmas)), units="mV", sampling_period=DT * pq.s)
        ),
        n_neurons=sigma.size,
        trials=config.trials,
        duration=(LEAD + WINDOW) * second,
        dt=DT * second,
        seed=state(config.seed, seed, KINDS.index(kind), list(SETS).index(name)),
        engine="numpy",
        progress=False,
    )
    spikes = measures.as_trains(block, t_start=LEAD * pq.s)
    times = np.maximum(spikes.times - LEAD, 0.0)
    if config.sabotage == "times shuffled":
        times = np.random.default_rng([config.seed, seed, 1]).uniform(0, WINDOW, times.size)
    level, number = np.divmod(spikes.neuron, config.stimuli)
    trial = spikes.trial * config.stimuli + number
    n = config.stimuli * config.trials
    for k, value in enumerate(config.sigmas):
        own = np.flatnonzero(level == k)
        own = own[np.lexsort((times[own], trial[own]))]
        yield (
            float(value),
            measures.Trains(
                times[own], np.zeros(own.size, int), trial[own], 1, n, np.zeros(n), np.full(n, WINDOW)
            ),
        )


def rows(config: Config, seed: int) -> list[dict[str, Any]]:
    """Rows of one seed: information of each code, its gain over the count, and the mean count."""
    out: list[dict[str, Any]] = []
    rng = np.random.default_rng([config.seed, seed, 2])
    for name in SETS:
        for kind in KINDS:
            for level, trains in responses(config, name, kind, seed):
                label = np.arange(trains.n_trials) % config.stimuli
                if config.sabotage == "stimuli shuffled":
                    label = rng.permutation(label)
                same = {"part": "timing", "group": seed, "condition": name, "kind": kind, "level": level}
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
    for row in table.itertuples():
        value = {"value": row.raw, "se": row.se, "null": row.null_mean, "p": row.p}
        yield {"quantity": row.code, **value, "warning": row.warning}
        if row.code == "words":
            yield {
                "quantity": "surplus",
                "value": row.over_count,
                "se": row.over_count_se,
                "p": row.over_count_p,
            }
    yield {"quantity": "words, quadratic", "value": check.value, "se": check.se}
    yield {"quantity": "mean count", "value": float(trains.counts.mean())}

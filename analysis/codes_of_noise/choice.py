"""Two layers: from the stimulus through a layer of neurons to a readout, whose count makes the choice."""

from __future__ import annotations

import warnings
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
from .pairs import CELL, DT, WARM_UP, WINDOW

DRIVES = (11.0, 12.0)
"""drive of the layer for the two stimuli, mV"""
SIGMA = 3.0
"""noise of the layer, mV"""
WEIGHT = 18.0
"""mV, sum of a readout's synapses"""
SHARED = (0.0, 0.5)
"""fraction of the layer's noise that its neurons share"""
BIN = 5e-3
SINGLE = 4
"""neurons of the layer that are evaluated as single cells"""
CLASSES = 6
"""largest number of classes of the layer's count"""
TRANSFER_CLASSES = 4
"""of the layer's spikes in a bin"""


def network(drive: float, config: Config) -> nsnn.Network:
    """Layers with private and with shared noise, each with a readout neuron per noise level."""
    sigma = np.array(config.readout_sigmas)
    if config.sabotage == "one noise level":
        sigma = np.full_like(sigma, sigma.max())
    populations, projections = [], []
    for fraction in SHARED:
        used = 0.0 if config.sabotage == "noise private" else fraction
        layer = nsnn.Population(
            config.layer,
            CELL,
            noise=nsnn.WhiteNoise(SIGMA * mV, shared=used),
            stimulus=nsnn.Constant(drive * mV),
            name=f"layer_{round(100 * fraction)}",
        )
        readout = nsnn.Population(
            sigma.size, CELL, noise=nsnn.WhiteNoise(sigma * mV), name=f"readout_{round(100 * fraction)}"
        )
        populations += [layer, readout]
        weight = WEIGHT / config.layer * mV
        to_all = {"rule": nsnn.AllToAll(), "weight": weight, "delay": 1e-3 * second}
        projections.append(nsnn.Projection(layer, readout, **to_all))
    return nsnn.Network(populations, projections)


def spikes_of(config: Config, seed: int) -> np.ndarray:
    """(stimuli, trials, neurons, bins) spikes, in the order of the network's populations."""
    binned = []
    for k, drive in enumerate(DRIVES):
        options = {"trials": config.choice_trials, "seed": state(config.seed, seed, 40, k)}
        block = simulated(network(drive, config), seconds=WARM_UP + WINDOW, dt=DT, **options)
        trains = measures.as_trains(block, t_start=WARM_UP * pq.s)
        binned.append(measures.words(trains, bin_width=BIN * pq.s, saturation="count"))
    return np.array(binned)


def rows(config: Config, seed: int) -> list[dict[str, Any]]:
    """Rows of one seed, at each shared fraction of the layer's noise (condition) and each noise of the readout (level)."""
    rng = np.random.default_rng([config.seed, seed, 41])
    spikes = spikes_of(config, seed)
    label = np.repeat(np.arange(len(DRIVES)), config.choice_trials)
    if config.sabotage == "stimuli shuffled":
        label = rng.permutation(label)
    out: list[dict[str, Any]] = []
    first = 0
    for fraction in SHARED:
        layer = spikes[:, :, first : first + config.layer]
        first += config.layer
        for k, sigma in enumerate(config.readout_sigmas):
            readout = spikes[:, :, first + k]
            if config.sabotage == "choices shuffled":
                readout = np.array([rng.permutation(trials) for trials in readout])
            same = {
                "part": "choice",
                "group": seed,
                "condition": f"shared {fraction:g}",
                "level": float(sigma),
            }
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                out += [{**same, **row} for row in of_choice(config, label, layer, readout)]
                out += [{**same, **row} for row in transfer(config, layer, readout)]
        first += len(config.readout_sigmas)
    return out


def of_choice(
    config: Config, label: np.ndarray, layer: np.ndarray, readout: np.ndarray
) -> list[dict[str, Any]]:
    """Information between stimulus, layer (or single cells) and choice: whether the readout's count is in the upper half."""
    cells = layer.sum(axis=3).reshape(label.size, -1)
    pooled = measures.bin_counts(cells.sum(axis=1), n_bins=CLASSES, method="even")[0]
    choice = measures.bin_counts(readout.sum(axis=2).ravel(), n_bins=2, method="even")[0]
    plain: dict[str, Any] = {"n_shuffle": 0}
    tested: dict[str, Any] = {"n_shuffle": config.nulls, "seed": config.seed}
    estimates = {
        "I(S; R)": measures.mutual_information(label, pooled, **plain),
        "I(S; C)": measures.mutual_information(label, choice, **tested),
        "I(S; C | R)": measures.conditional_information(label, choice, pooled, **tested),
        "intersection": measures.intersection_information(label, pooled, choice, null="r|s", **tested),
    }
    out = [{"quantity": name, **of_estimate(e)} for name, e in estimates.items()]
    out.append({"quantity": "mean count", "value": float(readout.sum(axis=2).mean())})
    single = []
    for j in range(SINGLE):
        cell = measures.bin_counts(cells[:, j], n_bins=config.classes, method="even")[0]
        told = measures.mutual_information(label, cell, **plain)
        used = measures.intersection_information(label, cell, choice, **plain)
        linked = measures.conditional_information(cell, choice, label, **plain)
        single.append(
            {"I(S; cell)": told.value, "intersection, cell": used.value, "I(cell; C | S)": linked.value}
        )
    return out + [{"quantity": n, "value": float(np.mean([s[n] for s in single]))} for n in single[0]]


def transfer(config: Config, layer: np.ndarray, readout: np.ndarray) -> list[dict[str, Any]]:
    """Transfer entropy within trials of a stimulus, mean over stimuli, in both directions; bits per bin."""
    options: dict[str, Any] = {
        "k": 2, "l": 2, "null": "trial_shuffle", "n_shuffle": config.shuffles, "seed": config.seed
    }  # fmt: skip
    result: dict[str, list[measures.Estimate]] = {"transfer": [], "transfer back": []}
    for of_layer, of_readout in zip(layer, readout, strict=True):
        counts = of_layer.sum(axis=1)
        symbols = measures.bin_counts(counts.ravel(), n_bins=TRANSFER_CLASSES, method="even")[0]
        x, y = np.asarray(symbols).reshape(counts.shape), np.minimum(of_readout, 1)
        result["transfer"].append(measures.transfer_entropy(x, y, **options))
        result["transfer back"].append(measures.transfer_entropy(y, x, **options))
    return [
        {
            "quantity": name, "value": float(np.mean([e.value for e in both])),
            "null": float(np.mean([e.null_mean for e in both])), "p": float(np.max([e.p for e in both])),
        }
        for name, both in result.items()
    ]  # fmt: skip

"""Pairs of a noisy and a deterministic network with the same initial weights and training."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

import nsnn_neuro as nsnn

from .figures import BLUE, RED
from .intervals import interval_text

ARMS = {"noisy": RED, "deterministic": BLUE}

Layers = Callable[[Callable[[], Any]], Any]
"""function from a neuron factory to an nn.Sequential"""


def dense(n_in: int, hidden: int, n_out: int, *, spiking: bool = True) -> Layers:
    """One hidden layer. With `spiking` the outputs are spikes, otherwise the drive of the output neurons."""

    def layers(cell: Callable[[], Any]) -> Any:
        from torch import nn

        output = [cell()] if spiking else []
        return nn.Sequential(nn.Linear(n_in, hidden), cell(), nn.Linear(hidden, n_out), *output)

    return layers


def initial_network(arm: str, layers: Layers, width: float, seed: int, **classifier: Any) -> Any:
    """An untrained classifier with Gaussian noise, or the deterministic one. A seed gives both the same weights, drawn as in
    `feedforward`: normal, with standard deviation 1 / sqrt(inputs). Biases are 0.
    """
    import torch
    from torch import nn

    from nsnn_neuro import deep

    with torch.random.fork_rng():  # torch initialises the weights first
        module = layers(lambda: deep.NoisySpike(nsnn.Gaussian(width), noisy=arm == "noisy"))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for values in module.parameters():
            if values.ndim > 1:
                values.normal_(0, values[0].numel() ** -0.5, generator=generator)
            else:
                nn.init.zeros_(values)
    return deep.Classifier(module, **classifier)


def train_on_digits(arm: str, config: Any, width: float, rate: float, seed: int, **classifier: Any) -> Any:
    """Train a classifier of digits with one hidden layer on the squared error of rates, with the settings of a study's Config."""
    from nsnn_neuro import deep

    net = initial_network(
        arm, dense(64, config.hidden, 10), width, seed, n_steps=config.n_steps, **classifier
    )
    return deep.fit(
        net,
        training_data(arm, config, nsnn.datasets.digits("train")),
        loss=nsnn.losses.rate_mse,
        epochs=config.epochs,
        batch=config.batch,
        eta=rate,
        schedule="cosine",
        validation=nsnn.datasets.digits("val"),
        seed=seed,
        progress=False,
    ).module


def noise_and_rule(arm: str, width: float, rate: float) -> dict[str, Any]:
    """Noise and learning rule of a network in Brian2: escape noise and NDL, or none and the same density as surrogate gradient."""
    family, adam = nsnn.Gaussian(width), nsnn.Adam()
    if arm == "deterministic":
        return {"noise": None, "plasticity": nsnn.SurrogateGradient(family, rate, optimizer=adam)}
    return {"noise": nsnn.EscapeNoise(family), "plasticity": nsnn.NDL(rate, optimizer=adam)}


def training_data(
    arm: str, config: Any, data: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Training data of an arm. With the sabotage "labels shuffled" the noisy network gets permuted labels."""
    X, y = data
    if arm == "noisy" and config.sabotage == "labels shuffled":
        y = np.random.default_rng(config.seed).permutation(y)
    return X, y


def choose_hyperparameters(
    train: Callable[[float, float, int], Any],
    validation: Any,
    widths: Iterable[float],
    rates: Iterable[float],
    seeds: Iterable[int],
) -> tuple[float, float, list[dict[str, float]]]:
    """Width and learning rate with the highest mean validation accuracy over seeds (the first of ties), and all means."""
    from nsnn_neuro import deep

    candidates, seeds = [], list(seeds)
    for width in widths:
        for rate in rates:
            accuracies = [
                deep.accuracy(train(width, rate, seed), validation, passes=10, seed=seed)["accuracy"]
                for seed in seeds
            ]
            candidates.append({"width": width, "rate": rate, "validation": float(np.mean(accuracies))})
    best = max(candidates, key=lambda row: row["validation"])
    return best["width"], best["rate"], candidates


def points(difference: np.ndarray) -> str:
    """A difference of accuracies in percentage points, with its interval."""
    return interval_text(difference, "points", scale=100, digits=2)


def by_seed(table: pd.DataFrame, arm: str, column: str) -> np.ndarray:
    """Mean of a column for each seed of an arm, ordered by seed."""
    return table[table.arm == arm].groupby("seed")[column].mean().to_numpy()

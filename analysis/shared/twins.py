"""What the studies of deep nets share: a noisy classifier and its deterministic twin, trained alike, and differences in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

import nsnn_neuro as nsnn

from .intervals import interval

ARMS = {"noisy": "#A8201A", "deterministic": "#0072B2"}

Layers = Callable[[Callable[[], Any]], Any]
"""From a maker of neurons to an nn.Sequential."""


def dense(n_in: int, hidden: int, n_out: int, *, spiking: bool = True) -> Layers:
    """One hidden layer. `spiking`: whether outputs are spikes, or the numbers that would drive them."""

    def layers(cell: Callable[[], Any]) -> Any:
        from torch import nn

        output = [cell()] if spiking else []
        return nn.Sequential(nn.Linear(n_in, hidden), cell(), nn.Linear(hidden, n_out), *output)

    return layers


def untrained(arm: str, layers: Layers, width: float, seed: int, **classifier: Any) -> Any:
    """A classifier of Gaussian neurons, or its twin. A seed gives both the same weights, drawn as `feedforward` draws them: normal,
    with standard deviation 1 / sqrt(inputs); without biases at first.
    """
    import torch
    from torch import nn

    from nsnn_neuro import deep

    with torch.random.fork_rng():  # torch draws weights of its own
        module = layers(lambda: deep.NoisySpike(nsnn.Gaussian(width), noisy=arm == "noisy"))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for values in module.parameters():
            if values.ndim > 1:
                values.normal_(0, values[0].numel() ** -0.5, generator=generator)
            else:
                nn.init.zeros_(values)
    return deep.Classifier(module, **classifier)


def trained(arm: str, config: Any, width: float, rate: float, seed: int) -> Any:
    """A classifier of digits, one hidden layer, down the squared error of rates; of a study's Config with these numbers."""
    from nsnn_neuro import deep

    net = untrained(arm, dense(64, config.hidden, 10), width, seed, n_steps=config.n_steps)
    return deep.fit(
        net,
        spoilt(arm, config, nsnn.datasets.digits("train")),
        loss=nsnn.losses.rate_mse,
        epochs=config.epochs,
        batch=config.batch,
        eta=rate,
        schedule="cosine",
        validation=nsnn.datasets.digits("val"),
        seed=seed,
        progress=False,
    ).module


def spoilt(arm: str, config: Any, data: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """What an arm learns from: the data, or with the sabotage "labels shuffled" and noise each sample with another's label."""
    X, y = data
    if arm == "noisy" and config.sabotage == "labels shuffled":
        y = np.random.default_rng(config.seed).permutation(y)
    return X, y


def chosen(
    train: Callable[[float, float, int], Any],
    validation: Any,
    widths: Iterable[float],
    rates: Iterable[float],
    seeds: Iterable[int],
) -> tuple[float, float, list[dict[str, float]]]:
    """Width and learning rate of the best mean accuracy over seeds on the validation part, the first of equals, and all means."""
    from nsnn_neuro import deep

    tried, seeds = [], list(seeds)
    for width in widths:
        for rate in rates:
            found = [
                deep.accuracy(train(width, rate, seed), validation, passes=10, seed=seed)["accuracy"]
                for seed in seeds
            ]
            tried.append({"width": width, "rate": rate, "validation": float(np.mean(found))})
    best = max(tried, key=lambda row: row["validation"])
    return best["width"], best["rate"], tried


def told(difference: np.ndarray) -> str:
    """A difference in points, with its interval."""
    mean, low, high = (100 * x for x in interval(difference))
    return f"{mean:+.2f} points, [{low:+.2f}, {high:+.2f}]"


def by_seed(table: pd.DataFrame, arm: str, column: str) -> np.ndarray:
    """A column's mean for each seed of an arm, in the seeds' order."""
    return table[table.arm == arm].groupby("seed")[column].mean().to_numpy()

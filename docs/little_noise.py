"""Why networks with little noise lose classes, and what helps: writes docs/little_noise.json and its table.

python docs/little_noise.py      train what docs/little_noise.json lacks (about ten minutes), print the table of docs/ndl.md
"""

from __future__ import annotations

import contextlib
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import nsnn_neuro as nsnn
from nsnn_neuro import Gaussian, datasets, deep, losses
from nsnn_neuro.deep.neuron import surrogate

RESULTS = Path(__file__).with_name("little_noise.json")
SEEDS, OTHER_SEEDS, SIGMAS, ETA, N_STEPS, EPOCHS = range(1, 6), range(6, 11), (0.05, 0.1, 0.2), 0.01, 8, 15
USUAL, WIDER_OUTPUT, NO_SPIKES = "usual", "output noise 0.4", "output without spikes"
CHANGES = {
    USUAL: "nothing changed",
    "biases at threshold": "initial biases of the output at the threshold",
    "large weights": "initial weights twice as large",
    "small weights": "initial weights half as large",
    "batch norm": "batch norm before each layer of neurons",
    "wide density": "gradients by a Gaussian density of standard deviation 0.4, in both layers",
    WIDER_OUTPUT: "noise of standard deviation 0.4 in the output neurons",
    NO_SPIKES: "no spikes in the output: a linear readout",
}
"""what is changed -> in words"""
PRESET = {False: "`feedforward(...)`", True: "`feedforward(..., near_threshold=True)`"}


def network(change: str, sigma: float, seed: int) -> deep.Classifier:
    """An untrained network, 64-128-10, with Bernoulli input."""
    torch.manual_seed(seed)
    first, last = nn.Linear(64, 128), nn.Linear(128, 10)
    with torch.no_grad():
        if change == "biases at threshold":
            last.bias.fill_(1.0)
        factor = {"large weights": 2.0, "small weights": 0.5}.get(change, 1.0)
        for weight in (first.weight, last.weight):
            weight.mul_(factor)
    layers: list[nn.Module] = [first, last]
    if change == "batch norm":
        layers = [deep.EachStep(layer, nn.BatchNorm1d(layer.out_features)) for layer in (first, last)]
    spiking = [
        deep.NoisySpike(Gaussian(sigma)),
        deep.NoisySpike(Gaussian(0.4 if change == WIDER_OUTPUT else sigma)),
    ]
    if change == NO_SPIKES:
        spiking.pop()
    modules = [
        module for pair in itertools.zip_longest(layers, spiking) for module in pair if module is not None
    ]
    return deep.Classifier(nn.Sequential(*modules), n_steps=N_STEPS)


def outcome(change: str, sigma: float, seed: int) -> dict[str, Any]:
    """Accuracy on test images after training, and how many output neurons are silent: no spike for any of them in five passes."""
    net = network(change, sigma, seed)
    wide = surrogate(net, 0.4) if change == "wide density" else contextlib.nullcontext()
    with wide:
        fit = deep.fit(
            net, datasets.digits("train"), loss=losses.cross_entropy_mean, epochs=EPOCHS, eta=ETA, batch=64, validation=0,
            keep="last", seed=seed, progress=False,
        )  # fmt: skip
    X, y = datasets.digits("test")
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        x = torch.as_tensor(X, dtype=torch.float32)
        scores = torch.stack([fit.module.scores(fit.module.spikes(x)) for _ in range(5)])
    guess = scores.mean(0).argmax(1).numpy()
    never = [k for k in range(10) if not (guess == k).any()]
    silent = 0 if change == NO_SPIKES else int((scores.amax((0, 1)) == 0).sum())
    return {"accuracy": float((guess == y).mean()), "silent": silent, "never answered": len(never)}


def outcome_of_preset(near_threshold: bool, sigma: float, seed: int) -> dict[str, Any]:
    """The same of a network of the preset, trained in NumPy."""
    rule = nsnn.NDL(eta=ETA / 2, optimizer=nsnn.Adam())
    net = nsnn.feedforward(
        [64, 128, 10], noise=nsnn.EscapeNoise(Gaussian(sigma)), plasticity=rule, near_threshold=near_threshold, seed=seed
    )  # fmt: skip
    fit = nsnn.train(
        net, datasets.digits("train"), loss=losses.cross_entropy_mean, epochs=EPOCHS, batch=64, n_steps=N_STEPS, validation=0,
        keep="last", seed=seed, engine="numpy", progress=False,
    )  # fmt: skip
    X, y = datasets.digits("test")
    guess = fit.probabilities(X, passes=5).argmax(1)
    never = [k for k in range(10) if not (guess == k).any()]
    return {"accuracy": float((guess == y).mean()), "never answered": len(never)}


def main() -> None:
    """Complete the file and print its tables."""
    torch.set_num_threads(1)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for near, sigma, seed in itertools.product(PRESET, SIGMAS, OTHER_SEEDS):
        name = f"preset {near}, {sigma:g}, {seed}"
        if name not in results:
            results[name] = outcome_of_preset(near, sigma, seed)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    for change, sigma, seed in itertools.product(CHANGES, SIGMAS, SEEDS):
        name = f"{change}, {sigma:g}, {seed}"
        if name not in results:
            results[name] = outcome(change, sigma, seed)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results, {f"preset {near}": words for near, words in PRESET.items()}))
    print(table(results, CHANGES))


def table(results: dict[str, Any], changes: dict[str, str]) -> str:
    """A row for each change: accuracy (mean and smallest of the seeds, %), and classes that are never answered, over the seeds."""
    head = "| what is changed | " + " | ".join(f"sigma {sigma:g}" for sigma in SIGMAS) + " |\n"
    rows = [head + "|---" * (len(SIGMAS) + 1) + "|"]
    for change, words in changes.items():
        cells = []
        for sigma in SIGMAS:
            own = [
                results[f"{change}, {sigma:g}, {seed}"]
                for seed in (OTHER_SEEDS if change.startswith("preset") else SEEDS)
            ]
            accuracy = [100 * one["accuracy"] for one in own]
            lost = [one["never answered"] for one in own]
            cells.append(f"{np.mean(accuracy):.1f} ({min(accuracy):.1f}); {', '.join(map(str, lost))}")
        rows.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()

"""Accuracy certified on digits by noise inside a network and by noise on its pixels: writes docs/certified.json and its tables.

python docs/certified.py         train and certify what docs/certified.json lacks (about ten minutes), print the tables of
                                 docs/certified.md
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from nsnn_neuro import Gaussian, coding, datasets, deep, losses

RESULTS = Path(__file__).with_name("certified.json")
SEEDS, RADII, SIGMA, N_STEPS = range(1, 5), (0.1, 0.25, 0.5), 0.4, 2
BOUNDS = (None, 2.0, 1.0)
SDS = (0.1109, 0.2219)  # on the pixels: sigma / (bound sqrt(1 + 1.5^2)), as the noise of the bounded networks
TESTED, ATTACKED, FACTORS, STARTS = 120, 25, (1.0, 4.0), 1


class PixelNoise(nn.Module):
    """Noise on the image in training, the same in each step, clipped as in `smoothed_radius`."""

    def __init__(self, sd: float) -> None:
        super().__init__()
        self.sd = sd

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (T, batch, pixels)."""
        return (x + self.sd * torch.randn_like(x[:1])).clamp(0, 1) if self.training else x


def network(seed: int, noisy: bool, bound: float | None, sd: float) -> deep.Classifier:
    """An untrained network."""
    torch.manual_seed(seed)
    first = nn.Linear(64, 128)
    if bound is not None:
        deep.bound_norm(first, bound)
    layers = [first, deep.NoisySpike(Gaussian(SIGMA), noisy=noisy), nn.Linear(128, 10)]
    module = nn.Sequential(*([PixelNoise(sd)] if sd else []), *layers)
    return deep.Classifier(module, encoder=coding.Direct(), n_steps=N_STEPS)


def trained(*arm: Any) -> deep.Classifier:
    """A trained network without its pixel noise."""
    fit = deep.fit(
        network(*arm), datasets.digits("train"), loss=losses.cross_entropy_step, epochs=20, eta=0.003, batch=64,
        schedule="cosine", validation=datasets.digits("val"), seed=arm[0], progress=False,
    )  # fmt: skip
    net = fit.module
    layers = [layer for layer in net.module if not isinstance(layer, PixelNoise)]
    return deep.Classifier(nn.Sequential(*layers), encoder=coding.Direct(), n_steps=N_STEPS)


def shares(table: Any) -> dict[str, Any]:
    """Certified accuracies, and what else is reported of a table."""
    right = (table.guess == table.label).to_numpy()
    return {
        "input noise": table.attrs["input_noise"],
        "accuracy": float(right.mean()),
        "abstained": float((table.guess < 0).mean()),
        "median radius": float(table.radius[right].median()),
        "certified": [float((right & (table.radius >= r)).mean()) for r in RADII],
    }


def attacks(net: deep.Classifier, table: Any, data: Any) -> dict[str, list[int]]:
    """Of the first certified images, how many an ascent on the sphere of a radius turned, and how many there were."""
    X, y = data
    found = {}
    for factor in FACTORS:
        turned = tried = 0
        for k in np.flatnonzero(table.guess == y)[:ATTACKED]:
            tried += 1
            for start in range(STARTS):
                moved = deep.sphere(
                    net, (X[k : k + 1], y[k : k + 1]), radius=factor * table.radius[k], seed=start
                )
                with torch.no_grad():
                    o = net.spikes(moved.expand(1000, -1))
                answers = net.scores(o).argmax(1).bincount(minlength=10)
                if int(answers.argmax()) != y[k]:
                    turned += 1
                    break
        found[str(factor)] = [turned, tried]
    return found


def main() -> None:
    """Complete the file and print its tables."""
    torch.set_num_threads(1)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    X, y = datasets.digits("test")
    test = X[:TESTED], y[:TESTED]
    for seed in SEEDS:
        noisy = [(True, bound, 0.0) for bound in BOUNDS]
        for arm in [*noisy, *((False, None, sd) for sd in (0.0, *SDS))]:
            name = f"{seed} {arm}"
            if name in results:
                continue
            net = trained(seed, *arm)
            if arm[0]:
                table = deep.certified_radius(net, test)
                rows = {"": shares(table)}
                if seed == SEEDS[0] and arm[1] is not None:
                    rows[""]["attacks"] = attacks(net, table, test)
            else:
                sds = [arm[2]] if arm[2] else SDS
                rows = {f" smoothed {sd}": shares(deep.smoothed_radius(net, test, sd=sd)) for sd in sds}
            results[name] = rows
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print_table(results)


def print_table(results: dict[str, Any]) -> None:
    """Means and standard deviations over seeds, in percent."""
    rows: dict[str, list[Any]] = {}
    for name, inner in results.items():
        for suffix, row in inner.items():
            rows.setdefault(name.split(" ", 1)[1] + suffix, []).append(row)
    for name, seeds in rows.items():
        columns = [
            [row["accuracy"] for row in seeds],
            *zip(*(row["certified"] for row in seeds), strict=True),
        ]
        cells = [f"{100 * np.mean(c):.1f} ± {100 * np.std(c, ddof=1):.1f}" for c in columns if len(c) > 1]
        noise = np.mean([row["input noise"] for row in seeds])
        median = np.mean([row["median radius"] for row in seeds])
        print(f"| {name} | {noise:.3f} | {' | '.join(cells)} | {median:.2f} |")
    for name, row in itertools.chain.from_iterable(
        ((name + suffix, row) for suffix, row in inner.items()) for name, inner in results.items()
    ):
        if "attacks" in row:
            print(name, row["attacks"])


if __name__ == "__main__":
    main()

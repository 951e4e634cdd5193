"""Noise-driven learning of handwritten digits: a noisy network, a deterministic network and a perceptron of the same size.

64-128-10, Bernoulli input for 20 steps, squared error of firing rates, Adam. The noisy network has Gaussian escape noise and is
trained by `NDL`. The deterministic network fires if u > theta and is trained with the density of the noise as surrogate
gradient. The digits of scikit-learn are split once, 60/20/20. Learning rate and width of the noise (or of the surrogate, or the
penalty of the perceptron) are chosen on the validation part with one seed, from grids of the same size. Then five other seeds
are trained with this choice, and each network is evaluated once on the test part. With ten trials a sample is presented ten
times and the output spikes are summed.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import nsnn_neuro as nsnn

from .harness import Claim, Progress, StudyConfig, part, quiet, secondary
from .shared.figures import GREY, finish
from .shared.intervals import interval
from .shared.paired_networks import ARMS as NETWORKS
from .shared.paired_networks import noise_and_rule, training_data

CLAIM = "A noisy spiking network learns digits by NDL as well as a deterministic one, and better than a perceptron of the same size"
PAPER = "Noise-driven learning trains NSNNs to accuracies that compete with deterministic networks"
PAPER_NUMBER = (
    "the noisy network is not inferior",
    r"(\S+ points, \[.*?\])",
    "accuracy, noisy minus deterministic: {}",
)
ARMS = NETWORKS | {"perceptron": GREY}
SABOTAGES = {"labels shuffled": "all networks are trained on shuffled labels"}
LEAST, MARGIN = 0.983, 0.01


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run."""

    seeds: int = 5
    hidden: int = 128
    n_steps: int = 20
    batch: int = 32
    epochs: int = 60
    passes: int = 10
    widths: tuple[float, ...] = (0.2, 0.4, 0.8)
    """width of the Gaussian noise or surrogate"""
    penalties: tuple[float, ...] = (1e-4, 1e-2, 1.0)
    """penalty of the perceptron"""
    rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2)
    """learning rates of all three"""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 2, "epochs": 6, "widths": (0.4,), "penalties": (0.0001,), "rates": (0.01,),
    }  # fmt: skip


def _spiking(arm: str, config: Config, width: float, rate: float, seed: int) -> nsnn.Fit:
    """Train a network; the only noise of the deterministic network is that of its input."""
    return nsnn.train(
        nsnn.feedforward([64, config.hidden, 10], seed=seed, **noise_and_rule(arm, width, rate)),
        training_data("noisy", config, nsnn.datasets.digits("train")),
        loss=nsnn.losses.rate_mse,
        epochs=config.epochs,
        batch=config.batch,
        n_steps=config.n_steps,
        validation=nsnn.datasets.digits("val"),
        schedule="cosine",
        keep="last",
        seed=seed,
        progress=False,
    )


def _perceptron(config: Config, penalty: float, rate: float, seed: int) -> Any:
    """Train the perceptron of scikit-learn until convergence."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        (config.hidden,), alpha=penalty, learning_rate_init=rate, max_iter=400, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*training_data("noisy", config, nsnn.datasets.digits("train")))


def _accuracy(model: Any, part: str, passes: int, seed: int) -> float:
    X, y = nsnn.datasets.digits(part)
    if isinstance(model, nsnn.Fit):
        return model.evaluate((X, y), passes=passes, seed=seed)["accuracy"]
    return float(model.score(X, y))


def train_network(arm: str, config: Config, setting: float, rate: float, seed: int) -> Any:
    """Train a spiking network or the perceptron; `setting` is the width of the noise or surrogate, or the penalty."""
    if arm == "perceptron":
        return _perceptron(config, setting, rate, seed)
    return _spiking(arm, config, setting, rate, seed)


def result_row(
    stage: str, arm: str, setting: float, rate: float, seed: int, **values: float
) -> dict[str, Any]:
    """A row of the table; accuracies that are not given are NaN."""
    blank = dict.fromkeys(("validation", "one pass", "accuracy"), np.nan)
    return {"stage": stage, "arm": arm, "setting": setting, "rate": rate, "seed": seed} | blank | values


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """One row per setting on the validation part, per network and seed on the test part, and for the nearest neighbour."""
    rows = []
    for arm in ARMS:
        rows += part(out, arm, functools.partial(_of_one, config, arm, progress))
    (X, y), (test, label) = nsnn.datasets.digits("train"), nsnn.datasets.digits("test")
    nearest = ((test[:, None] - X) ** 2).sum(-1).argmin(1)
    accuracy = float((y[nearest] == label).mean())
    rows.append(result_row("test", "nearest neighbour", np.nan, np.nan, 0, accuracy=accuracy))
    return pd.DataFrame(rows)


def _of_one(config: Config, arm: str, progress: Progress) -> list[dict[str, Any]]:
    """Rows of one network."""
    rows = []
    settings = config.penalties if arm == "perceptron" else config.widths
    best = (-1.0, settings[0], config.rates[0])
    for setting, rate in itertools.product(settings, config.rates):
        progress(f"validation: {arm}, {setting:g}, learning rate {rate:g}")
        model = train_network(arm, config, setting, rate, config.seed)
        accuracy = _accuracy(model, "val", config.passes, config.seed)
        rows.append(result_row("choice", arm, setting, rate, config.seed, validation=accuracy))
        best = max(best, (accuracy, setting, rate), key=lambda choice: choice[0])
    for seed in range(config.seed + 1, config.seed + 1 + config.seeds):
        progress(f"{arm}, {best[1]:g}, learning rate {best[2]:g}, seed {seed}")
        model = train_network(arm, config, *best[1:], seed)
        runs = {"one pass": 1, "accuracy": config.passes}
        tested = {name: _accuracy(model, "test", passes, seed) for name, passes in runs.items()}
        rows.append(result_row("test", arm, *best[1:], seed, **tested))
    return rows


def _test(table: pd.DataFrame, arm: str, column: str = "accuracy") -> np.ndarray:
    return table.loc[(table.stage == "test") & (table.arm == arm), column].to_numpy()


def claims(table: pd.DataFrame) -> list[Claim]:
    """Claims with their evidence."""
    noisy, other, perceptron = (_test(table, arm) for arm in ARMS)
    difference = noisy - other
    _, low, high = interval(difference)
    return [
        Claim(
            f"the mean test accuracy of the noisy network is {100 * LEAST:g} % or more, summed over its trials",
            noisy.mean() >= LEAST,
            f"{_percent(noisy)} over {noisy.size} seeds; single trial {_percent(_test(table, 'noisy', 'one pass'))}",
        ),
        Claim(
            "the accuracy of the noisy network is above that of a perceptron of the same size on the same split",
            noisy.mean() > perceptron.mean(),
            f"{_percent(noisy)} against {_percent(perceptron)}",
        ),
        Claim(
            f"the noisy network is not inferior to the deterministic network by more than {100 * MARGIN:g} point "
            "(paired 95 % interval)",
            low > -MARGIN,
            f"noisy minus deterministic {100 * difference.mean():+.2f} points, [{100 * low:+.2f}, {100 * high:+.2f}]; "
            f"deterministic {_percent(other)}",
        ),
        secondary(
            "the accuracy of the noisy network is above that of the nearest neighbour (which is high for this split)",
            noisy.mean() > _test(table, "nearest neighbour")[0],
            f"{_percent(noisy)} against {100 * _test(table, 'nearest neighbour')[0]:.2f} %",
        ),
    ]


def _percent(values: np.ndarray) -> str:
    return f"{100 * values.mean():.2f} ± {100 * values.std(ddof=1):.2f} %"


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of each run."""
    columns = {"validation": "validation (%)", "one pass": "test, single trial (%)", "accuracy": "test (%)"}
    accuracies = (100 * table[list(columns)]).map(lambda x: "" if np.isnan(x) else f"{x:.2f}")
    shown = table[["stage", "arm", "seed"]]
    shown.insert(2, "width or penalty", table.setting.map("{:g}".format))
    shown.insert(3, "learning rate", table.rate.map("{:g}".format))
    return shown.join(accuracies.rename(columns=columns))


def plot(table: pd.DataFrame) -> Figure:
    """Test accuracy of each network and seed, with means; open circles: single trials."""
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    ax = figure.subplots()
    for place, (arm, colour) in enumerate(ARMS.items()):
        values = 100 * _test(table, arm)
        shift = np.linspace(-0.15, 0.15, values.size)
        ax.plot(place + shift, values, "o", color=colour, ms=5, zorder=3)
        ax.plot([place - 0.25, place + 0.25], [values.mean()] * 2, color=colour, lw=1.5)
        if arm != "perceptron":
            one = 100 * _test(table, arm, "one pass")
            ax.plot(place + shift + 0.03, one, "o", color=colour, mfc="white", ms=5)
    for face, label in (("#555555", "a seed; networks: trials summed"), ("white", "a seed, single trial")):
        ax.plot([], [], "o", color="#555555", mfc=face, ms=5, label=label)
    ax.plot([], [], color="#555555", lw=1.5, label="mean over seeds")
    neighbour = 100 * _test(table, "nearest neighbour")[0]
    ax.axhline(neighbour, color=GREY, lw=0.8, ls=":", label="nearest neighbour")
    ax.axhline(100 * LEAST, color="black", lw=0.8, ls="--", label=f"criterion, {100 * LEAST:g} %")
    ax.set_xticks(range(len(ARMS)), list(ARMS))
    finish(ax, ylabel="test accuracy (%)")
    return figure

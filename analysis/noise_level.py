"""Networks trained with more and more noise: accuracy, robustness, calibration and information against its level.

Digits, 64-128-10, Bernoulli input, squared error of firing rates, Adam; Gaussian noise of standard deviation sigma, in
distances from reset to threshold, in training and in use. Beside each level a deterministic twin, whose surrogate gradient is
the density of that noise: same initial weights, batches and input spikes. For each the learning rate is chosen by the mean
accuracy of three seeds on the validation part; then five other seeds see the test part.

Robust: accuracy under PGD with the expectation over 20 draws, and with Gaussian noise on the pixels; ten passes added up.
Calibrated: the expected calibration error of the share of twenty passes that answer with the class. Information: bits that the
answer of a single pass tells about the digit, with Panzeri and Treves' correction. The level at which both arms are compared
is, for each of them, the one with the highest accuracy under attack on the validation part, of those that learned: within a
point of the best without an attack, on the same part. So no test image has chosen it.

It took four full runs to get there, each with seeds of its own. In the first one attack alone chose the level: it took the
least noise, with which half of the classes hadn't been learned. Then one seed chose learning rates, of which some lose a class
with most other seeds: the claims held for five seeds (3.0 points more under attack) and failed for five others. Then the twin's
width was chosen without an attack (noisy 29.0 % against 18.3 % under it, and 1.6 points less without). The seeds below are the
last ones, whose run counts.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import nsnn_neuro as nsnn
from nsnn_neuro import measures, perturb

from ._intervals import above
from ._twins import ARMS, chosen, told, trained
from .harness import Claim, check, part, smaller

CLAIM = "Some noise is a resource: at a level chosen beforehand a network withstands attacks better than its deterministic twin"
PAPER = "Noise inside a network is a resource: in moderation it makes the network more robust at little cost"
NEEDS = "torch"
SABOTAGES = {"labels shuffled": "the noisy network learns from shuffled labels"}
MARGIN = 0.01
SHOWN = {
    "accuracy": "accuracy (%)",
    "attacked": "accuracy under PGD (%)",
    "disturbed": "accuracy with noisy pixels (%)",
    "calibration": "calibration error (%)",
    "information": "information of one pass (bit)",
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides a run."""

    seed: int = 61
    quick: bool = False
    sabotage: str = ""
    tuning: int = 3
    """seeds that choose learning rate and level, before those that are tested"""
    seeds: int = 5
    hidden: int = 128
    n_steps: int = 10
    batch: int = 64
    epochs: int = 40
    levels: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
    rates: tuple[float, ...] = (3e-3, 1e-2)
    strength: float = 0.15
    """change of a pixel by PGD"""
    steps: int = 10
    draws: int = 20
    pixels: float = 0.3
    """standard deviation of noise on pixels"""
    images: int = 120
    """that PGD gets"""
    passes: int = 20
    """whose answers are counted"""

    def __post_init__(self) -> None:
        smaller(
            self,
            tuning=1,
            seeds=2,
            hidden=64,
            epochs=12,
            levels=(0.1, 0.4, 1.6),
            rates=(0.01,),
            images=30,
            steps=5,
        )


def _attacked(net: Any, config: Config, part: str, seed: int) -> float:
    from nsnn_neuro import deep

    X, y = (values[: config.images] for values in nsnn.datasets.digits(part))
    images = deep.pgd(
        net, (X, y), strength=config.strength, steps=config.steps, draws=config.draws, seed=seed
    )
    return deep.accuracy(net, (images, y), passes=10, seed=seed)["accuracy"]


def answers(net: Any, X: np.ndarray, passes: int, seed: int) -> np.ndarray:
    """The classes that single passes answer with, (passes, n); of several with the highest score the first."""
    import torch

    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        x = torch.as_tensor(X, dtype=torch.float32)
        return np.array([net.scores(net.spikes(x)).argmax(1).numpy() for _ in range(passes)])


def measured(net: Any, config: Config, seed: int) -> dict[str, float]:
    """What the study tells of a network, on the test part."""
    from nsnn_neuro import deep

    X, y = nsnn.datasets.digits("test")
    noisy = perturb.gaussian(X, sd=config.pixels, seed=seed)
    found = answers(net, X, config.passes, seed)
    share = np.stack([(found == k).mean(axis=0) for k in range(10)], axis=1)
    return {
        "accuracy": deep.accuracy(net, (X, y), passes=10, seed=seed)["accuracy"],
        "attacked": _attacked(net, config, "test", seed),
        "disturbed": deep.accuracy(net, (noisy, y), passes=10, seed=seed)["accuracy"],
        "calibration": float(measures.calibration_error(share, y, n_shuffle=0)),
        "information": float(measures.mutual_information(y, found[0], n_shuffle=0)),
    }


def run(
    config: Config, out: Path | None = None, progress: Callable[[str], None] = lambda text: None
) -> pd.DataFrame:
    """A row for each level and seed, the twin's too, and for each choice on the validation part."""
    rows: list[dict[str, Any]] = []
    for arm, level in itertools.product(ARMS, config.levels):
        name = f"{arm}, {level:g}"
        progress(f"choosing: {name}")
        rows += part(out, f"choosing: {name}", functools.partial(_choice, config, arm, level))
        rate = rows[-1]["rate"]
        for seed in range(config.seed + config.tuning, config.seed + config.tuning + config.seeds):
            progress(f"{name}, seed {seed}")
            rows += part(
                out, f"{name}, seed {seed}", functools.partial(_test, config, arm, level, rate, seed)
            )
    return pd.DataFrame(rows)


def _choice(config: Config, arm: str, level: float) -> list[dict[str, Any]]:
    """The learning rate of the best mean accuracy on the validation part, that accuracy, and the one under attack."""
    tuned = range(config.seed, config.seed + config.tuning)
    made = functools.cache(functools.partial(trained, arm, config))
    _, rate, tried = chosen(made, nsnn.datasets.digits("val"), (level,), config.rates, tuned)
    attacked = [_attacked(made(level, rate, seed), config, "val", seed) for seed in tuned]
    return [
        {"arm": arm, "level": level, "rate": rate, "seed": config.seed, "stage": "choice",
         "accuracy": max(one["validation"] for one in tried), "attacked": float(np.mean(attacked))}
    ]  # fmt: skip


def _test(config: Config, arm: str, level: float, rate: float, seed: int) -> list[dict[str, Any]]:
    net = trained(arm, config, level, rate, seed)
    named = {"arm": arm, "level": level, "rate": rate, "seed": seed, "stage": "test"}
    return [named | measured(net, config, seed)]


def best_level(table: pd.DataFrame, arm: str = "noisy") -> float:
    """The level with the highest accuracy under attack on the validation part, of those within `MARGIN` of the best without one."""
    own = table[(table.stage == "choice") & (table.arm == arm)]
    own = own[own.accuracy >= own.accuracy.max() - MARGIN]
    return float(own.level.iloc[int(own.attacked.to_numpy().argmax())])


def _of(table: pd.DataFrame, column: str, level: float, arm: str = "noisy") -> np.ndarray:
    """A column of the test part at a level, in the seeds' order."""
    own = table[(table.stage == "test") & (table.arm == arm) & (table.level == level)]
    return own.sort_values("seed")[column].to_numpy(dtype=float)


def claims(table: pd.DataFrame) -> list[Claim]:
    """The study's claims with their evidence."""
    level, levels = best_level(table), sorted(table[table.arm == "noisy"].level.unique())
    width = best_level(table, "deterministic")
    twin = {name: _of(table, name, width, "deterministic") for name in SHOWN}
    gain = {name: _of(table, name, level) - twin[name] for name in SHOWN}
    errors = {k: 100 * _of(table, "calibration", k).mean() for k in levels}
    bits = {k: _of(table, "information", k).mean() for k in levels}
    calm, loud = min(levels), max(levels)
    return [
        Claim(
            "at the level chosen on validation images it withstands PGD better than its twin (paired 95 % interval above 0)",
            above(gain["attacked"], 0.0),
            f"sigma {level:g}, the twin's surrogate {width:g}: {100 * _of(table, 'attacked', level).mean():.1f} % against "
            f"{100 * twin['attacked'].mean():.1f} %, {told(gain['attacked'])}",
        ),
        Claim(
            f"and isn't inferior to it by more than {100 * MARGIN:g} point without an attack (paired 95 % interval)",
            above(gain["accuracy"], -MARGIN),
            f"{100 * _of(table, 'accuracy', level).mean():.2f} % against {100 * twin['accuracy'].mean():.2f} %, "
            f"{told(gain['accuracy'])}",
        ),
        Claim(
            "its answers are better calibrated than the twin's, whose only noise is that of its input",
            above(-gain["calibration"], 0.0),
            f"error {100 * _of(table, 'calibration', level).mean():.1f} % against "
            f"{100 * twin['calibration'].mean():.1f} %, {told(gain['calibration'])}",
            central=False,
        ),
        Claim(
            "calibration is best at a level between the lowest and the highest",
            min(errors, key=lambda k: errors[k]) not in (calm, loud),
            ", ".join(f"{k:g}: {value:.1f} %" for k, value in errors.items()),
            central=False,
        ),
        Claim(
            "the most noise costs information",
            above(_of(table, "information", level) - _of(table, "information", loud), 0.0),
            ", ".join(f"{k:g}: {value:.2f} bit" for k, value in bits.items()),
            central=False,
        ),
    ]


def verify(table: pd.DataFrame) -> None:
    """Raise `ClaimFailed` when one of the central claims doesn't hold."""
    check(claims(table))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread of the seeds at each level, the twins last."""
    rows = []
    for arm, own in table[table.stage == "test"].groupby("arm", sort=False):
        for level, group in own.groupby("level"):
            row = {
                "arm": arm,
                "sigma (twin: surrogate)": f"{level:g}",
                "learning rate": f"{group.rate.iloc[0]:g}",
            }
            for name, title in SHOWN.items():
                scale, digits = (1, 2) if "bit" in title else (100, 1)
                values = scale * group[name]
                row[title] = f"{values.mean():.{digits}f} ± {values.std(ddof=1):.{digits}f}"
            rows.append(row)
    return pd.DataFrame(rows)


def plot(table: pd.DataFrame) -> Figure:
    """Each quantity against sigma, or the width of the twin's surrogate: means, each seed; dotted, the levels chosen."""
    figure = Figure(figsize=(11, 2.8), layout="constrained")
    tested = table[table.stage == "test"]
    for ax, (name, title) in zip(figure.subplots(1, len(SHOWN)), SHOWN.items(), strict=True):
        scale = 1 if "bit" in title else 100
        for arm, (marker, line) in {"noisy": ("o", "-"), "deterministic": ("s", "--")}.items():
            own = tested[tested.arm == arm]
            ax.plot(own.level, scale * own[name], marker, ms=3, color=ARMS[arm], alpha=0.5)
            ax.plot(scale * own.groupby("level")[name].mean(), line, color=ARMS[arm], label=arm)
            ax.axvline(best_level(table, arm), color=ARMS[arm], lw=0.8, ls=":")
        ax.set_xscale("log")
        ax.set_xlabel("sigma (thresholds)", fontsize=8)
        ax.set_title(title, fontsize=9)
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(frameon=False, fontsize=8)
    return figure

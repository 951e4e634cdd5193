"""Accuracy, robustness, calibration and information of networks against noise level and learning rate.

Task: digits, 64-128-10, Bernoulli input, squared error of firing rates, Adam. A noisy network has Gaussian noise of standard
deviation sigma (in distances from reset to threshold) in training and in use. Its deterministic counterpart has no noise, and the
density of that noise as surrogate gradient: sigma is the surrogate's width. A cell is one sigma with one learning rate. In each
cell both networks have the same initial weights, batches and input spikes, with five seeds. Every cell is reported.

Measures, on the test part. Under attack: accuracy under PGD with the expectation over 20 draws. Disturbed: accuracy with Gaussian
noise on the pixels. Both sum the spikes of ten trials. Calibration: expected calibration error of the share of twenty trials
that answer with a class. Information: bits about the digit in the answer of a single trial, with Panzeri-Treves correction.

Two comparisons, fixed before the full run:

- equal: noisy minus deterministic at the same sigma and learning rate, paired over seeds, averaged over the cells that both
  networks have learned (mean accuracy of at least 95 % on the validation part)
- chosen: each network at the cell chosen on validation images. The rule is that of the earlier study: highest accuracy under
  attack among the cells within a point of the best accuracy of the network. The cell of each seed is chosen with the other seeds,
  so that no network takes part in its own choice

A pilot with other seeds had found, at equal rate and sigma .8, 2 to 5 points more under attack with noise, and 1.0 to 1.4 points
less without an attack. The claims below were written with that knowledge, and before the run with the seeds below. Results, every
cell, and an earlier comparison that is withdrawn: docs/robustness.md.

Limit: PGD uses each network's own sigma as its surrogate's width. At equal sigma both networks face the same attack.
Between sigmas the attack differs too, so a trend with sigma is not one of robustness alone.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

import nsnn_neuro as nsnn
from nsnn_neuro import measures, perturb

from .harness import Claim, Progress, StudyConfig, part, quiet, secondary
from .shared.figures import finish
from .shared.intervals import above, holm, interval
from .shared.paired_networks import ARMS, points, train_on_digits
from .shared.tables import where

CLAIM = "A noisy network withstands attacks better than its deterministic counterpart, at equal sigma and learning rate"
PAPER = "Noise inside a network makes it more robust at little cost"
PAPER_NUMBER = (
    (
        "at equal sigma and learning rate the noisy network is more accurate under PGD, mean over learned cells",
        r"^(\d+ of \d+) cells .*%, (\S+ points, \[.*?\])",
        "accuracy under attack, noisy minus deterministic, mean over {} combinations of noise level and learning rate, with strong "
        "noise: {}",
    ),
    (
        "with sigma and learning rate of each network chosen on validation images",
        r"sigma (\S+) at .*; (\S+ points, \[[^\]]*\]) under attack",
        "at the level chosen on validation images, {}: {}",
    ),
)
NEEDS = "torch"
SABOTAGES = {"labels shuffled": "the noisy network is trained on shuffled labels"}
MARGIN = 0.01
LEARNED = 0.95
"""validation accuracy from which a cell counts as learned"""
MODERATE = 0.4
"""largest sigma that counts as moderate"""
SHOWN = {
    "accuracy": "accuracy (%)",
    "attacked": "accuracy under PGD (%)",
    "disturbed": "accuracy with noisy pixels (%)",
    "calibration": "calibration error (%)",
    "information": "raw information of a trial (bit)",
}
CAPTION = (
    "Rows: learning rates. Points: seeds; lines: means over seeds. Filled points: both networks have learned (95 % on validation "
    "images); open points: at least one has not."
)


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run."""

    seed: int = 71
    seeds: int = 5
    hidden: int = 128
    n_steps: int = 10
    batch: int = 64
    epochs: int = 40
    levels: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
    rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2)
    strength: float = 0.15
    """largest change of a pixel by PGD"""
    steps: int = 10
    draws: int = 20
    pixels: float = 0.3
    """standard deviation of pixel noise"""
    images: int = 120
    """number of images for PGD"""
    passes: int = 20
    """trials for calibration"""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 2, "hidden": 64, "epochs": 12, "levels": (0.1, 0.4, 1.6), "rates": (3e-3, 1e-2), "images": 30,
        "steps": 5,
    }  # fmt: skip


# --- the run -----------------------------------------------------------------------------------------------------------------


def _attacked(net: Any, config: Config, part: str, seed: int) -> float:
    from nsnn_neuro import deep

    X, y = (values[: config.images] for values in nsnn.datasets.digits(part))
    how: dict[str, Any] = {"strength": config.strength, "steps": config.steps, "draws": config.draws}
    images = deep.pgd(net, (X, y), **how, seed=seed)
    return deep.accuracy(net, (images, y), passes=10, seed=seed)["accuracy"]


def answers(net: Any, X: np.ndarray, passes: int, seed: int) -> np.ndarray:
    """Classes given by single trials, (passes, n); the first one in ties."""
    import torch

    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        x = torch.as_tensor(X, dtype=torch.float32)
        return np.array([net.scores(net.spikes(x)).argmax(1).numpy() for _ in range(passes)])


def measured(net: Any, config: Config, seed: int) -> dict[str, float]:
    """Measures of a network on the test part, and on the validation part for the choice of cells."""
    from nsnn_neuro import deep

    X, y = nsnn.datasets.digits("test")
    noisy = perturb.gaussian(X, sd=config.pixels, seed=seed)
    predicted = answers(net, X, config.passes, seed)
    share = np.stack([(predicted == k).mean(axis=0) for k in range(10)], axis=1)
    return {
        "accuracy": deep.accuracy(net, (X, y), passes=10, seed=seed)["accuracy"],
        "attacked": _attacked(net, config, "test", seed),
        "disturbed": deep.accuracy(net, (noisy, y), passes=10, seed=seed)["accuracy"],
        "calibration": float(measures.calibration_error(share, y, n_shuffle=0)),
        "information": float(measures.mutual_information(y, predicted[0], n_shuffle=0)),
        "val_accuracy": deep.accuracy(net, nsnn.datasets.digits("val"), passes=10, seed=seed)["accuracy"],
        "val_attacked": _attacked(net, config, "val", seed),
    }


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """One row per network, level, learning rate and seed."""
    rows: list[dict[str, Any]] = []
    seeds = range(config.seed, config.seed + config.seeds)
    for seed, rate, level, arm in itertools.product(seeds, config.rates, config.levels, ARMS):
        name = f"{arm}, {level:g}, rate {rate:g}, seed {seed}"
        progress(name)
        rows += part(out, name, functools.partial(_test, config, arm, level, rate, seed))
    return pd.DataFrame(rows)


def _test(config: Config, arm: str, level: float, rate: float, seed: int) -> list[dict[str, Any]]:
    net = train_on_digits(arm, config, level, rate, seed)
    return [{"arm": arm, "level": level, "rate": rate, "seed": seed} | measured(net, config, seed)]


# --- comparisons -------------------------------------------------------------------------------------------------------------


def _cells(table: pd.DataFrame, arm: str, column: str) -> pd.DataFrame:
    """Values of a network: a row per seed, a column per (level, rate)."""
    own = table[table.arm == arm]
    result = own.pivot(index="seed", columns=["level", "rate"], values=column)
    return result.sort_index(axis=0).sort_index(axis=1).dropna(axis=1, how="all")


def gains(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Noisy minus deterministic in each cell: a row per seed, a column per (level, rate)."""
    return _cells(table, "noisy", column) - _cells(table, "deterministic", column)


def learned(table: pd.DataFrame) -> list[tuple[float, float]]:
    """Cells (level, rate) in which both networks reach `LEARNED` on the validation part, mean over seeds."""
    means = [_cells(table, arm, "val_accuracy").mean() for arm in ARMS]
    return [cell for cell in means[0].index if all(mean[cell] >= LEARNED for mean in means)]


def best_cell(table: pd.DataFrame, arm: str) -> tuple[float, float]:
    """Cell (level, rate) with the highest validation accuracy under attack, among those within `MARGIN` of the best validation
    accuracy of the network; means over seeds."""
    clean, attacked = (_cells(table, arm, name).mean() for name in ("val_accuracy", "val_attacked"))
    return attacked[clean >= clean.max() - MARGIN].idxmax()


def chosen_cells(table: pd.DataFrame, arm: str) -> dict[int, tuple[float, float]]:
    """The cell of each seed, chosen with the other seeds."""
    return {seed: best_cell(table[table.seed != seed], arm) for seed in sorted(table.seed.unique())}


def _chosen(table: pd.DataFrame, arm: str, column: str) -> np.ndarray:
    """Values of a network at the chosen cell of each seed, ordered by seed."""
    values = _cells(table, arm, column)
    return np.array([values.loc[seed, cell] for seed, cell in chosen_cells(table, arm).items()])


# --- verdicts ----------------------------------------------------------------------------------------------------------------


def claims(table: pd.DataFrame) -> list[Claim]:
    """Claims with their evidence."""
    return [*_equal(table), *_at_choice(table), *_expectations(table)]


def _equal(table: pd.DataFrame) -> list[Claim]:
    """Claims about networks with equal sigma and learning rate."""
    cells = learned(table)
    count = (
        f"{len(cells)} of {len(_cells(table, 'noisy', 'accuracy').columns)} cells learned by both networks"
    )
    if not cells:
        cells, count = [(np.nan, np.nan)], "no cell was learned by both networks"

    def mean(values: pd.DataFrame, most: float = np.inf) -> np.ndarray:
        some = [cell for cell in cells if cell[0] <= most] or [(np.nan, np.nan)]
        return values.reindex(columns=pd.MultiIndex.from_tuples(some)).mean(axis=1).to_numpy()

    gain = {column: mean(gains(table, column)) for column in ("attacked", "accuracy", "calibration")}
    moderate = mean(gains(table, "attacked"), MODERATE)

    def both(column: str) -> str:
        noisy, other = (100 * mean(_cells(table, arm, column)).mean() for arm in ARMS)
        return f"{count}: {noisy:.2f} % against {other:.2f} %, {points(gain[column])}"

    return [
        Claim(
            "at equal sigma and learning rate the noisy network is more accurate under PGD, mean over learned cells (paired 95 % "
            "interval above 0)",
            above(gain["attacked"], 0.0),
            both("attacked"),
        ),
        Claim(
            f"at equal sigma and learning rate it is not inferior by more than {100 * MARGIN:g} point without an "
            "attack (paired 95 % interval)",
            above(gain["accuracy"], -MARGIN),
            both("accuracy"),
        ),
        secondary(
            f"with moderate noise, sigma up to {MODERATE:g}, the noisy network is more accurate under PGD, mean over learned cells "
            "(paired 95 % interval above 0; added after the full run of 2026-11-27)",
            above(moderate, 0.0),
            points(moderate),
        ),
        _in_every_cell(gains(table, "attacked"), cells),
        secondary(
            "at equal sigma and learning rate the noisy network is better calibrated, mean over learned cells (paired "
            "95 % interval)",
            above(-gain["calibration"], 0.0),
            "errors: " + both("calibration"),
        ),
    ]


def _in_every_cell(gain: pd.DataFrame, cells: list[tuple[float, float]]) -> Claim:
    gain = gain.reindex(columns=pd.MultiIndex.from_tuples(cells))
    values = [gain[cell].to_numpy() for cell in cells]
    with np.errstate(invalid="ignore"):
        p = np.array([stats.ttest_1samp(x, 0.0).pvalue if np.ptp(x) > 0 else 1.0 for x in values])
    sure = holm(p) < 0.05
    ahead = np.array([x.mean() > 0 for x in values])
    low, high = (f(zip((100 * x.mean() for x in values), cells, strict=True)) for f in (min, max))
    return secondary(
        "the noisy network is more accurate under PGD in every learned cell (paired t test over seeds, Holm's "
        "correction over cells)",
        (sure & ahead).all(),
        f"ahead in {ahead.sum()} of {len(cells)} cells, significantly in {(sure & ahead).sum()}; significantly behind in "
        f"{(sure & ~ahead).sum()}; from {low[0]:+.1f} points at sigma {low[1][0]:g}, rate {low[1][1]:g} to {high[0]:+.1f} at "
        f"sigma {high[1][0]:g}, rate {high[1][1]:g}",
    )


def _at_choice(table: pd.DataFrame) -> list[Claim]:
    """Claim about networks at the cells chosen on validation images."""
    attacked, clean = ([_chosen(table, arm, name) for arm in ARMS] for name in ("attacked", "accuracy"))
    picked = []
    for arm, under, without in zip(ARMS, attacked, clean, strict=True):
        counts = Counter(chosen_cells(table, arm).values())
        cells = ", ".join(f"{level:g} at {rate:g} ({n} seeds)" for (level, rate), n in counts.most_common())
        picked.append(f"{arm} {100 * under.mean():.1f} % (clean {100 * without.mean():.2f} %), sigma {cells}")
    gain, cost = attacked[0] - attacked[1], clean[0] - clean[1]
    return [
        Claim(
            "with sigma and learning rate of each network chosen on validation images with the other seeds, the noisy network is "
            "more accurate under PGD (paired 95 % interval above 0)",
            above(gain, 0.0),
            f"{'; '.join(picked)}; {points(gain)} under attack, {points(cost)} without",
        )
    ]


def _expectations(table: pd.DataFrame) -> list[Claim]:
    """Secondary claims about calibration, information and learning rates."""
    errors = _cells(table, "noisy", "calibration").T.groupby(level="level").mean().T.mean()
    loud = float(table.level.max())
    lost = -gains(table, "information")[loud].mean(axis=1).to_numpy()
    mean, low, high = interval(lost)
    slow, fast = float(table.rate.min()), float(table.rate.max())
    levels = [v for v in sorted(table.level.unique()) if {(v, slow), (v, fast)} <= set(learned(table))]
    steps = [_cells(table, arm, "attacked") for arm in ARMS]
    by_rate = [(one[(v, slow)] - one[(v, fast)]).to_numpy() for one in steps for v in levels]
    by_noise = [gains(table, "attacked")[(v, rate)].to_numpy() for v in levels for rate in (slow, fast)]
    if levels and slow < fast:
        rate_effect, noise_effect = (np.mean(parts, axis=0) for parts in (by_rate, by_noise))
        evidence = f"rate {slow:g} minus {fast:g}: {points(rate_effect)}; noise at these rates: {points(noise_effect)}"
        larger = above(rate_effect - np.abs(noise_effect), 0.0)
    else:
        larger, evidence = False, "no level was learned by both networks at both rates"
    return [
        secondary(
            "the learning rate changes the accuracy under attack more than noise (lowest minus highest rate, mean over levels "
            "learned at both, minus the size of the gain by noise there; paired 95 % interval above 0)",
            larger,
            evidence,
        ),
        secondary(
            "calibration of the noisy network, mean over rates, is best at an intermediate noise level",
            errors.idxmin() not in (errors.index.min(), errors.index.max()),
            ", ".join(f"{k:g}: {100 * value:.1f} %" for k, value in errors.items()),
        ),
        secondary(
            "the largest noise reduces the information of a trial, compared with the deterministic network, mean over rates (95 %)",
            above(lost, 0.0),
            f"sigma {loud:g}: {mean:.3f} bit less, [{low:.3f}, {high:.3f}]",
        ),
    ]


# --- tables and figures ------------------------------------------------------------------------------------------------------


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of both networks in each cell without and with an attack (mean ± SD over seeds), and paired differences."""
    known, rows = set(learned(table)), []
    for level, rate in gains(table, "accuracy").columns:
        row = {"sigma": f"{level:g}", "learning rate": f"{rate:g}"}
        for column, title in (("accuracy", "accuracy"), ("attacked", "under PGD")):
            for arm in ARMS:
                values = 100 * _cells(table, arm, column)[(level, rate)]
                row[f"{title} (%): {arm}"] = f"{values.mean():.1f} ± {values.std(ddof=1):.1f}"
            mean, low, high = (100 * x for x in interval(gains(table, column)[(level, rate)]))
            row[f"{title}: difference"] = f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"
        rows.append(row | {"learned": "yes" if (level, rate) in known else "no"})
    return pd.DataFrame(rows)


def tables(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """All measures in each cell, mean ± SD over seeds."""
    rows = []
    for (arm, level, rate), group in table.groupby(["arm", "level", "rate"]):
        row = {"arm": arm, "sigma": f"{level:g}", "learning rate": f"{rate:g}"}
        for name, title in SHOWN.items():
            scale, digits = (1, 2) if "bit" in title else (100, 1)
            values = scale * group[name]
            row[title] = f"{values.mean():.{digits}f} ± {values.std(ddof=1):.{digits}f}"
        rows.append(row)
    return {"All measures": pd.DataFrame(rows)}


def plot(table: pd.DataFrame) -> Figure:
    """Measures against sigma, a row per learning rate: seeds and their means."""
    rates, known = sorted(table.rate.unique()), set(learned(table))
    figure = Figure(figsize=(11, 0.8 + 1.9 * len(rates)), layout="constrained")
    axes = figure.subplots(len(rates), len(SHOWN), sharex=True, sharey="col", squeeze=False)
    for (r, rate), (c, (name, title)) in itertools.product(enumerate(rates), enumerate(SHOWN.items())):
        ax, scale = axes[r, c], 1 if "bit" in title else 100
        for arm, (marker, line) in {"noisy": ("o", "-"), "deterministic": ("s", "--")}.items():
            own = where(table, arm=arm, rate=rate)
            label = arm if r == c == 0 else None
            ax.plot(scale * own.groupby("level")[name].mean(), line, color=ARMS[arm], label=label)
            both = own.level.map(lambda level, rate=rate: (level, rate) in known)
            for rows, face in ((own[both], ARMS[arm]), (own[~both], "none")):
                ax.plot(rows.level, scale * rows[name], marker, ms=3, color=ARMS[arm], mfc=face, alpha=0.6)
        finish(ax, xscale="log")
        if r == 0:
            ax.set_title(title, fontsize=9)
        if c == 0:
            ax.set_ylabel(f"learning rate {rate:g}", fontsize=9)
    figure.supxlabel("sigma (distances from reset to threshold)", fontsize=9)
    return figure


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The figure with its caption."""
    return {CAPTION: plot(table)}

"""Claims of the study `natural_images` with their verdicts, its summary tables and its figures."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from ..harness import Claim, paired, secondary
from ..shared.attack_protocol import attack_lists, refuse_unequal
from ..shared.figures import BLUE, GREEN, GREY, PINK, RED, SKY, YELLOW, finish
from ..shared.figures import points as errorbars
from ..shared.intervals import holm, interval, interval_text, mean_and_half, two_way
from ..shared.paired_networks import points
from ..shared.tables import where
from . import config as c
from .kept import unpacked

ARMS = (*c.TRAINED, *c.IN_USE)


class Primary(NamedTuple):
    """A primary claim: a difference of two arms, which has to lie between two bounds."""

    text: str
    difference: np.ndarray
    low: float
    high: float
    each: np.ndarray | None = None
    """the difference of each image, (seeds, images), where it is kept"""


def of_kind(
    table: pd.DataFrame, kind: str, strength: float | None, passes: int | None = None
) -> pd.DataFrame:
    """Rows of one disturbance and strength, with a number of passes, None: the larger one; of clean images the larger set."""
    rows = table[table.kind == kind]
    if strength is not None:
        rows = rows[np.isclose(rows.strength, strength)]
    rows = rows[rows.passes == (rows.passes.max() if passes is None else passes)]
    return rows[rows.images == rows.images.max()] if kind == c.CLEAN else rows


def primary(table: pd.DataFrame) -> list[Primary]:
    """The primary claims, in the order of the text of the study."""
    weakest = table[table.kind == c.WORST].strength.min()
    noise = table[table.kind == c.PIXELS].strength
    usual = noise.iloc[np.argmin(np.abs(noise - 0.1))]
    clean, attacked = of_kind(table, c.CLEAN, None), of_kind(table, c.WORST, weakest)
    noisy = of_kind(table, c.PIXELS, usual)

    def claim(
        text: str, rows: pd.DataFrame, arms: tuple[str, str], low: float = 0.0, high: float = np.inf
    ) -> Primary:
        return Primary(text, paired(rows, *arms), low, high, of_images(rows, *arms))

    worst = f"under the worst PGD of {weakest:g}/255"
    alike = {
        name: {"low": -margin, "high": margin}
        for name, margin in (("A", c.CLEAN_MARGIN), ("C", c.NOISE_ON_MARGIN))
    }
    return [
        claim(
            f"A: without a disturbance N3 and D3 differ by less than {100 * c.CLEAN_MARGIN:g} points",
            clean, (c.N3, c.D3), **alike["A"],
        ),
        claim(f"B: N3 is more accurate than D3 {worst}", attacked, (c.N3, c.D3)),
        claim(
            f"C: {worst}, N3 and D3 with noise switched on differ by less than {100 * c.NOISE_ON_MARGIN:g} points",
            attacked, (c.N3, c.NOISE_ON), **alike["C"],
        ),
        claim(
            f"D: D3aug, trained with noisy images, is more accurate than N3 with pixel noise of {usual:g}",
            noisy, (c.NOISY_INPUT, c.N3),
        ),
        claim(f"E: N3 is more accurate than its mean field MF3 {worst}", attacked, (c.N3, c.MEAN_FIELD)),
        claim(
            f"F: trained on attacked images, the noisy network is more accurate than the deterministic one {worst}",
            attacked, (c.N3_ATTACKED, c.D3_ATTACKED),
        ),
    ]  # fmt: skip


def of_images(rows: pd.DataFrame, first: str, second: str) -> np.ndarray | None:
    """A difference of two arms for each image, (seeds that both have, images), mean over learning rates; None if it isn't kept."""
    sets = [
        {
            seed: np.mean([unpacked(row.right, row.images) for row in own.itertuples()], axis=0)
            for seed, own in of_arm
        }
        for of_arm in (
            rows[(rows.arm == arm) & (rows.right != "")].groupby("seed") for arm in (first, second)
        )
    ]
    seeds = sorted(set(sets[0]) & set(sets[1]))
    return np.array([sets[0][seed] - sets[1][seed] for seed in seeds]) if seeds else None


def within(values: np.ndarray, low: float, high: float) -> float:
    """The smallest p for which the two-sided interval of level 1 - p lies between the bounds; 1 if the mean does not.

    Above 0 (low = 0, high infinite) it is the p of the paired t test, if the mean is positive.

    >>> values = np.array([0.2, 0.1, 0.4, 0.3])
    >>> np.isclose(within(values, 0.0, np.inf), stats.ttest_1samp(values, 0).pvalue)
    np.True_
    """
    n, mean = len(values), float(np.mean(values))
    room = min(mean - low, high - mean)
    if n < 2 or not room > 0:
        return 1.0
    error = float(np.std(values, ddof=1)) / np.sqrt(n)
    return float(2 * stats.t.sf(room / error, n - 1)) if error else 0.0


def _at_level(values: np.ndarray, level: float) -> str:
    """Mean and two-sided interval of that level, in points."""
    if len(values) < 2:
        return f"{100 * np.mean(values):+.2f} points, one seed"
    half = stats.t.ppf((1 + level) / 2, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    mean = float(np.mean(values))
    return f"{100 * mean:+.2f} points, [{100 * (mean - half):+.2f}, {100 * (mean + half):+.2f}]"


def claims(table: pd.DataFrame) -> list[Claim]:
    """The primary claims, with intervals over seeds at the levels of Holm's procedure and over seeds and images, and the others."""
    refuse_unequal(table)
    tested = primary(table)
    p = [within(one.difference, one.low, one.high) for one in tested]
    adjusted, rank = holm(p), np.argsort(np.argsort(p, kind="stable"))
    result = []
    for one, raw, corrected, place in zip(tested, p, adjusted, rank, strict=True):
        level = 1 - c.ALPHA / (len(tested) - place)
        evidence = (
            f"{_at_level(one.difference, level)} ({100 * level:.4g} % interval, Holm's procedure); p {raw:.2g}, corrected "
            f"{corrected:.2g}; {len(one.difference)} seeds"
        )
        holds = corrected < c.ALPHA
        if one.each is not None:
            low, high = two_way(one.each)
            holds = holds and one.low < low and high < one.high
            of_both = f"[{100 * low:+.2f}, {100 * high:+.2f}] (95 %, two-way bootstrap)"
            evidence += f"; over seeds and {one.each.shape[1]} images {of_both}"
        result.append(Claim(one.text, bool(holds), evidence))
    return [*result, *_secondary(table), *_checks(table)]


def _secondary(table: pd.DataFrame) -> list[Claim]:
    inside, inside_text = [], []
    for kind in c.INSIDE:
        own = table[table.kind == kind]
        for strength, passes in itertools.product(sorted(own.strength.unique()), sorted(own.passes.unique())):
            mean, low, high = interval(paired(of_kind(own, kind, strength, passes), c.N3, c.D3))
            inside.append(low > -c.INSIDE_MARGIN and high < c.INSIDE_MARGIN)
            inside_text.append(f"{kind} {strength:g}, {passes:g} passes {100 * mean:+.1f}")
    weakest = table[table.kind == c.WORST].strength.min()
    attacked, clean = of_kind(table, c.WORST, weakest), of_kind(table, c.CLEAN, None)
    doubled = paired(attacked, c.PAPER_NOISE, c.N3)
    return [
        secondary(
            f"with disturbances inside, N3 and D3 differ by less than {100 * c.INSIDE_MARGIN:g} points at equal passes (95 % "
            "intervals, every disturbance)",
            all(inside),
            f"N3 minus D3, points, {sum(inside)} of {len(inside)} intervals within the margin: " + "; ".join(inside_text),
        ),
        secondary(
            "noise counted twice, as in the published code, changes the accuracy under the worst PGD (95 % interval without 0)",
            interval(doubled)[1] > 0 or interval(doubled)[2] < 0,
            f"N-paper minus N3 {points(doubled)}; clean {points(paired(clean, c.PAPER_NOISE, c.N3))}",
        ),
        secondary(
            "N3 loses robustness without its noise (95 % interval below 0, under the worst PGD)",
            interval(paired(attacked, c.NOISE_OFF, c.N3))[2] < 0,
            f"{c.NOISE_OFF} minus N3 {points(paired(attacked, c.NOISE_OFF, c.N3))}; clean "
            f"{points(paired(clean, c.NOISE_OFF, c.N3))}",
        ),
        secondary(
            "the mean field is more robust than D3 (95 % interval above 0, under the worst PGD)",
            interval(paired(attacked, c.MEAN_FIELD, c.D3))[1] > 0,
            f"MF3 minus D3 {points(paired(attacked, c.MEAN_FIELD, c.D3))}; clean {points(paired(clean, c.MEAN_FIELD, c.D3))}",
        ),
    ]  # fmt: skip


def _checks(table: pd.DataFrame) -> list[Claim]:
    """Checks of the training and of the attacks."""
    clean = of_kind(table, c.CLEAN, None)
    best = {arm: clean[clean.arm == arm].groupby("rate").accuracy.mean().max() for arm in (c.D3, c.N3)}
    attacked = table[table.kind == c.WORST].groupby(["arm", "strength"]).accuracy.mean()
    single = table[table.kind == c.ATTACK].groupby(["arm", "strength", "seed", "rate"]).accuracy.min()
    weakest = single.groupby(["arm", "strength"]).mean()
    worst = table[table.kind == c.WORST].set_index(["arm", "strength", "seed", "rate"])
    least, error = worst.accuracy, np.sqrt(0.25 / worst.images)
    one_step = table[table.kind == c.ONE_STEP].groupby(["arm", "strength"]).accuracy.mean()
    shared = sorted(set(one_step.index) & set(attacked.index))
    blind = where(table, kind=c.ATTACK, source="itself").groupby(["arm", "width"]).zero_gradients.mean()
    return [
        secondary(
            f"N3 and D3 reach {100 * c.LEARNED:g} % without a disturbance at one of the learning rates",
            min(best.values()) >= c.LEARNED,
            ", ".join(f"{arm} {100 * value:.1f} %" for arm, value in best.items()),
        ),
        secondary(
            "no network is more accurate in the worst case than under a single attack, by two standard errors",
            (least <= single.reindex(least.index) + 2 * error).all(),
            "; ".join(
                f"{arm} at {k:g}/255 {100 * value:.1f} %, single attack {100 * weakest[arm, k]:.1f} %"
                for (arm, k), value in attacked.items()
            ),
        ),
        secondary(
            "FGSM with one draw (own surrogate, pixels not clipped, one pass) overstates the accuracy in every arm",
            all(one_step[key] > attacked[key] for key in shared),
            "; ".join(
                f"{arm} at {k:g}/255 {100 * one_step[arm, k]:.1f} % against {100 * attacked[arm, k]:.1f} %" for arm, k in shared
            ),
        ),
        secondary(
            "less than 1 % of the gradients of the attacks are 0 at all pixels, in every arm and with every width",
            (blind < 0.01).all(),
            "largest share " + ", ".join(f"{100 * v:.2g} % ({a}, width {w:g})" for (a, w), v in blind.nlargest(2).items()),
        ),
    ]  # fmt: skip


def headline(table: pd.DataFrame) -> str:
    """The primary differences, each with what it is."""
    names = (
        "N3 minus D3, clean",
        "N3 minus D3, worst PGD",
        "N3 minus D3 with noise on, worst PGD",
        "D3aug minus N3, noisy pixels",
        "N3 minus MF3, worst PGD",
        "N3adv minus D3adv, worst PGD",
    )
    return "; ".join(
        f"{name} {interval_text(one.difference, 'points', scale=100, digits=1)}"
        for name, one in zip(names, primary(table), strict=True)
    )  # fmt: skip


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of every arm (%), mean over seeds and learning rates, for every disturbance and strength, all passes."""
    rows = []
    for kind in (c.CLEAN, c.PIXELS, c.OCCLUSION, *c.INSIDE, c.ONE_STEP, c.SPHERE, c.WORST):
        for strength, group in of_kind(table, kind, None).groupby("strength"):
            means = group.groupby("arm").accuracy.mean()
            cells = {arm: f"{100 * means[arm]:.1f}" if arm in means else "" for arm in ARMS}
            rows.append({"disturbance": kind, "strength": strength, **cells})
    return pd.DataFrame(rows)


def tables(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Every cell of clean accuracy, and the attacks one by one."""
    wide: dict[str, Any] = {"columns": "arm", "values": "accuracy"}
    cells = of_kind(table, c.CLEAN, None).pivot_table(index=["rate", "seed"], **wide) * 100
    worst = of_kind(table, c.WORST, None).pivot_table(index=["strength", "rate", "seed"], **wide)
    attacks = table[table.kind == c.ATTACK]
    single = attacks.groupby(
        ["arm", "strength", "source", "width", "draws", "loss"], dropna=False, sort=False
    )
    each = single[["accuracy", "images", "zero_gradients"]].mean().reset_index().round(3)
    return {
        "Accuracy without a disturbance (%), every network": cells.round(1).reset_index(),
        "Accuracy under the worst PGD (%), every network": (100 * worst).round(1).reset_index(),
        "The attacks on each arm, which have to be the same": attack_lists(table),
        "Single attacks: accuracy (share), mean over restarts; images attacked; share of gradients that are 0": each,
    }


LOOKS = {
    c.D3: (BLUE, "s", "-"),
    c.N3: (RED, "o", "-"),
    c.PAPER_NOISE: (PINK, "v", "-"),
    c.NOISY_INPUT: (GREEN, "D", "-"),
    c.MEAN_FIELD: (GREY, "P", "-"),
    c.D3_ATTACKED: (BLUE, "s", ":"),
    c.N3_ATTACKED: (RED, "o", ":"),
    c.NOISE_ON: (SKY, "^", "--"),
    c.NOISE_OFF: (YELLOW, "<", "--"),
}
UNITS = {
    c.PIXELS: "standard deviation",
    c.WORST: "largest change of a pixel (1/255)",
    c.ONE_STEP: "change of a pixel (1/255)",
    c.INSIDE[0]: "probability",
    c.INSIDE[3]: "standard deviation (thresholds)",
    c.INSIDE[4]: "relative standard deviation",
}
CAPTION = (
    "Accuracy on CIFAR-10 of each arm against the strength of a disturbance (0: none), ten passes in every arm; means over seeds "
    "and learning rates, bars: 95 % intervals over seeds, where there are three or more. Worst PGD: of each image the worst of all "
    "attacks, judged by new passes. FGSM, one draw: one step, one draw of the noise, own surrogate, pixels not clipped, one pass."
)
DIFFERENCES = (
    "The primary differences, points of accuracy; dots: seeds, bars: means with 95 % intervals before Holm's correction; "
    "shaded: where a claim holds if the interval lies inside."
)

TITLES = (
    "A: N3 minus D3,\nno disturbance", "B: N3 minus D3,\nworst PGD", "C: N3 minus D3 with\nnoise on, worst PGD",
    "D: D3aug minus N3,\npixel noise", "E: N3 minus MF3,\nworst PGD", "F: N3adv minus D3adv,\nworst PGD",
)  # fmt: skip


def _curve(ax: Any, table: pd.DataFrame, kind: str, named: bool) -> None:
    rows, clean = of_kind(table, kind, None), of_kind(table, c.CLEAN, None)
    start = of_kind(table, c.CLEAN, None, min(rows.passes.max(), clean.passes.max()))
    rows = pd.concat([start.assign(strength=0.0), rows])
    for arm, (colour, marker, line) in LOOKS.items():
        own = rows[rows.arm == arm].groupby(["strength", "seed"]).accuracy.mean().unstack() * 100
        if own.empty:
            continue
        mean, half = np.array([mean_and_half(values) for values in own.to_numpy()]).T
        if own.shape[1] < 3:  # an interval from two seeds hides everything else
            half = np.zeros_like(half)
        label = arm if named else None
        errorbars(ax, own.index, mean, half, color=colour, marker=marker, ls=line, label=label)


def plot(table: pd.DataFrame) -> Figure:
    """Accuracy against the strength of each disturbance."""
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    axes = figure.subplots(2, 3, sharey=True)
    for ax, (kind, unit) in zip(axes.flat, UNITS.items(), strict=True):
        _curve(ax, table, kind, ax is axes[0, 0])
        finish(ax, title=kind, xlabel=unit, ylim=(0, None))
    for ax in axes[:, 0]:
        ax.set_ylabel("accuracy (%)")
    return figure


def plot_differences(table: pd.DataFrame) -> Figure:
    """The primary differences with the margins of their claims."""
    figure = Figure(figsize=(11, 2.8), layout="constrained")
    axes = figure.subplots(1, len(TITLES))
    for ax, one, title in zip(axes, primary(table), TITLES, strict=True):
        values = 100 * one.difference
        mean, low, high = interval(values)
        ax.plot(np.zeros(len(values)), values, "o", color="#555555", ms=4, alpha=0.6)
        if np.isfinite(low):
            ax.errorbar([0.4], [mean], [[mean - low], [high - mean]], color=RED, marker="s", capsize=3)
        bottom, top = ax.get_ylim()
        top = max(top, 100 * one.high + 0.5) if np.isfinite(one.high) else top
        ax.axhspan(100 * one.low, min(100 * one.high, top), color=GREEN, alpha=0.15, lw=0)
        finish(ax, ylim=(min(bottom, 100 * one.low - 0.5), top + 0.3), xlim=(-0.5, 0.9), xticks=[])
        ax.set_title(title, fontsize=8)
    axes[0].set_ylabel("difference (points)", fontsize=8)
    return figure


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The main figure, and the primary differences."""
    return {CAPTION: plot(table), DIFFERENCES: plot_differences(table)}

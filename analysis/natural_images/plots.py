"""Figures of the study `natural_images`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..shared.figures import BLUE, GREEN, GREY, PINK, RED, SKY, YELLOW, finish, points
from ..shared.intervals import interval, mean_and_half
from . import config as c
from .verdicts import of_kind, primary

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
        points(ax, own.index, mean, half, color=colour, marker=marker, ls=line, label=label)


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

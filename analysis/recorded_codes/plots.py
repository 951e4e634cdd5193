"""Figures of the study `recorded_codes`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..shared.intervals import mean_and_half
from .config import CLAIM
from .population import ARMS, COUNTS, EXCHANGED, MIXED, NB, POISSON, SHUFFLED
from .verdicts import PT, SHUFFLE, by_image, of_cells

BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#707070"


def plot(table: pd.DataFrame) -> Figure:
    """Latency against count in each cell, information by code, and decoders of groups of cells."""
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1.1, 1))
    _latency_and_count(left, table)
    _codes(middle, table)
    _decoders(right, table)
    return figure


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The main figure, and variability, noise correlations and calibration."""
    return {
        f"{CLAIM}. A: information about the image in each responsive cell, by latency and by count (seven classes each; "
        "Panzeri-Treves; bars: one standard error); line: equality. B: mean over cells of counts, latencies and words of several "
        "bin widths, by two corrections of the bias; bars: 95 % intervals over cells. C: cross-entropy information of decoders of "
        "four cells, linear unless named, mean over groups; bars: 95 % intervals over images; dotted line: entropy of the "
        "images.": plot(table),
        "A: Fano factor of each responsive cell, mean over images with a mean count of one spike or more, against its mean count; "
        "line: Poisson. "
        "B: noise correlations of all pairs within images and blocks of repeats, recorded and with trials shuffled. C: "
        "cross-entropy information of each image, Poisson and negative binomial posteriors; line: equality. D: counts as recorded "
        "and with trials shuffled within blocks, linear decoder; line: equality.": variability(table),
    }


def _tidy(ax: Axes, letter: str, **labels: Any) -> None:
    ax.set(**labels)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title(letter, loc="left", fontweight="bold", fontsize=10)


def _latency_and_count(ax: Axes, table: pd.DataFrame) -> None:
    count, latency = (of_cells(table, PT, code) for code in ("count", "latency"))
    errors = [of_cells(table, PT, code, column="se") for code in ("count", "latency")]
    top = 1.08 * max(float(count.max()), float(latency.max()))
    ax.plot([0, top], [0, top], color=GREY, lw=0.9)
    ax.errorbar(
        count, latency, xerr=errors[0], yerr=errors[1], fmt="o", ms=4, color=BLUE, mfc="white", lw=0.8
    )
    _tidy(
        ax,
        "A",
        xlabel="raw information in the count (bit)",
        ylabel="raw information in the latency (bit)",
        xlim=(0, top),
        ylim=(0, top),
        aspect="equal",
    )
    ticks = np.arange(0, top, 0.5)
    ax.set(xticks=ticks, yticks=ticks)


def _codes(ax: Axes, table: pd.DataFrame) -> None:
    words = table[(table.part == "cell") & (table.code == "words")]
    widths = sorted(words.x.dropna().unique(), reverse=True)
    places: list[tuple[str, str, float | None]] = [("count", "count", None), ("latency", "latency", None)]
    places += [(f"words\n{1e3 * w:g} ms", "words", float(w)) for w in widths]
    for bias, colour, marker, shift in ((PT, BLUE, "o", -0.1), (SHUFFLE, ORANGE, "s", 0.1)):
        shown = [
            (k, *mean_and_half(v))
            for k, (_, code, x) in enumerate(places)
            if len(v := of_cells(table, bias, code, x).dropna())
        ]
        k, mean, half = np.array(shown).T
        text = "Panzeri-Treves" if bias == PT else "shuffled words"
        ax.errorbar(
            k + shift, mean, yerr=half, fmt=marker, color=colour, mfc="white", ms=5, capsize=2, label=text
        )
    ax.set_xticks(range(len(places)), [name for name, _, _ in places])
    _tidy(ax, "B", ylabel="raw information, mean over cells (bit)", ylim=(0, None))
    ax.legend(frameon=False, fontsize=8)


def _decoders(ax: Axes, table: pd.DataFrame) -> None:
    arms = [arm for arm in ARMS if len(by_image(table, arm))]
    for k, arm in enumerate(arms):
        mean, half = mean_and_half(by_image(table, arm))
        colour, marker = (GREEN, "^") if arm in (POISSON, NB) else (BLUE, "o")
        ax.errorbar(mean, k, xerr=half, fmt=marker, color=colour, mfc="white", ms=6, capsize=2)
    most = float(np.log2(by_image(table, arms[0]).size))
    ax.axvline(most, color=GREY, ls=":", lw=1)
    ax.text(0.97 * most, 0, "entropy of\nthe images", ha="right", va="center", fontsize=8, color=GREY)
    names = {
        POISSON: "counts, Poisson",
        NB: "counts,\nnegative binomial",
        SHUFFLED: "counts, trials\nshuffled in blocks",
        MIXED: "counts, trials\nshuffled over blocks",
        EXCHANGED: "counts and\nexchanged latencies",
    }
    ax.set_yticks(range(len(arms)), [names.get(arm, arm) for arm in arms])
    ax.invert_yaxis()
    low = min(0.0, min(float(by_image(table, arm).mean()) for arm in arms))
    _tidy(ax, "C", xlabel="cross-entropy information (bit)", xlim=(1.1 * low, 1.05 * most))


def _equality(ax: Axes, x: pd.Series, y: pd.Series, colour: str) -> None:
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    room = 0.05 * (high - low) + 1e-9
    ax.plot([low - room, high + room], [low - room, high + room], color=GREY, lw=0.9)
    ax.plot(x, y, "o", ms=4, color=colour, mfc="white")


def variability(table: pd.DataFrame) -> Figure:
    """Fano factors, noise correlations, calibration and shuffled trials."""
    figure = Figure(figsize=(9, 6.6), layout="constrained")
    (a, b), (c, d) = figure.subplots(2, 2)
    a.plot(
        of_cells(table, "mean count"), of_cells(table, "Fano factor"), "o", ms=4.5, color=BLUE, mfc="white"
    )
    a.axhline(1, color=GREY, lw=0.9)
    _tidy(
        a, "A", xlabel="mean count over images (spikes)", ylabel="Fano factor", xlim=(0, None), ylim=(0, None)
    )
    rows = table[table.part == "correlation"]
    pairs = {
        name: rows[rows.quantity == q].value.dropna()
        for name, q in (("recorded", "pair within blocks"), ("shuffled", "pair, shuffled within blocks"))
    }
    edges = np.linspace(min(v.min() for v in pairs.values()), max(v.max() for v in pairs.values()), 60)
    for (name, values), colour, style in zip(pairs.items(), (BLUE, ORANGE), ("-", "--"), strict=True):
        b.hist(
            values,
            edges,
            histtype="step",
            color=colour,
            ls=style,
            lw=1.3,
            label=f"{name}, mean {round(values.mean(), 3) + 0.0:.3f}",  # no -0.000
        )
    _tidy(b, "B", xlabel="noise correlation of counts", ylabel="pairs of cells")
    b.legend(frameon=False, fontsize=8)
    _equality(c, by_image(table, POISSON), by_image(table, NB), GREEN)
    _tidy(
        c, "C", xlabel="information, Poisson posteriors (bit)", ylabel="information, negative binomial (bit)"
    )
    _equality(d, by_image(table, COUNTS), by_image(table, SHUFFLED), PINK)
    _tidy(d, "D", xlabel="information, counts as recorded (bit)", ylabel="information, trials shuffled (bit)")
    return figure

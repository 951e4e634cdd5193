"""Figures of the study `recorded_codes`."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..shared.figures import BLUE, GREEN, GREY, ORANGE, PINK, equality, finish, means, points
from ..shared.intervals import mean_and_half
from ..shared.tables import where
from .config import CLAIM
from .population import ARMS, COUNTS, EXCHANGED, MIXED, NB, POISSON, SHUFFLED
from .verdicts import PT, SHUFFLE, by_image, of_cells

SHORT = {
    POISSON: "counts, Poisson",
    NB: "counts,\nnegative binomial",
    SHUFFLED: "counts, trials\nshuffled in blocks",
    MIXED: "counts, trials\nshuffled over blocks",
    EXCHANGED: "counts and\nexchanged latencies",
}


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


def plot(table: pd.DataFrame) -> Figure:
    """Latency against count in each cell, information by code, and decoders of groups of cells."""
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1.1, 1))
    _latency_and_count(left, table)
    _codes(middle, table)
    _decoders(right, table)
    return figure


def _latency_and_count(ax: Axes, table: pd.DataFrame) -> None:
    count, latency = (of_cells(table, PT, code) for code in ("count", "latency"))
    across, up = (of_cells(table, PT, code, column="se") for code in ("count", "latency"))
    top = 1.08 * max(float(count.max()), float(latency.max()))
    equality(ax, 0, top)
    style = {"fmt": "o", "ms": 4, "color": BLUE, "mfc": "white", "lw": 0.8, "capsize": 0}
    points(ax, count, latency, up, xerr=across, **style)
    ticks, bits = np.arange(0, top, 0.5), "raw information in the {} (bit)"
    square = {"xlim": (0, top), "ylim": (0, top), "aspect": "equal", "xticks": ticks, "yticks": ticks}
    finish(ax, "A", xlabel=bits.format("count"), ylabel=bits.format("latency"), **square)


def _codes(ax: Axes, table: pd.DataFrame) -> None:
    words = where(table, part="cell", code="words")
    widths = sorted(words.x.dropna().unique(), reverse=True)
    places: list[tuple[str, str, float | None]] = [("count", "count", None), ("latency", "latency", None)]
    places += [(f"words\n{1e3 * w:g} ms", "words", float(w)) for w in widths]
    for bias, colour, marker, shift, text in (
        (PT, BLUE, "o", -0.1, "Panzeri-Treves"),
        (SHUFFLE, ORANGE, "s", 0.1, "shuffled words"),
    ):
        values = {k + shift: of_cells(table, bias, code, x).dropna() for k, (_, code, x) in enumerate(places)}
        values = {x: v for x, v in values.items() if len(v)}
        means(ax, list(values), values.values(), fmt=marker, color=colour, mfc="white", label=text)
    ax.set_xticks(range(len(places)), [name for name, _, _ in places])
    finish(ax, "B", ylabel="raw information, mean over cells (bit)", ylim=(0, None))


def _decoders(ax: Axes, table: pd.DataFrame) -> None:
    arms = [arm for arm in ARMS if len(by_image(table, arm))]
    for k, arm in enumerate(arms):
        mean, half = mean_and_half(by_image(table, arm))
        colour, marker = (GREEN, "^") if arm in (POISSON, NB) else (BLUE, "o")
        points(ax, mean, k, xerr=half, fmt=marker, color=colour, mfc="white")
    most = float(np.log2(by_image(table, arms[0]).size))
    ax.axvline(most, color=GREY, ls=":", lw=1)
    ax.text(0.97 * most, 0, "entropy of\nthe images", ha="right", va="center", fontsize=8, color=GREY)
    ax.set_yticks(range(len(arms)), [SHORT.get(arm, arm) for arm in arms])
    ax.invert_yaxis()
    low = min(0.0, min(float(by_image(table, arm).mean()) for arm in arms))
    finish(ax, "C", xlabel="cross-entropy information (bit)", xlim=(1.1 * low, 1.05 * most))


def _pairs(ax: Axes, x: pd.Series, y: pd.Series, colour: str) -> None:
    """Two values of each image, and the line of equality."""
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    room = 0.05 * (high - low) + 1e-9
    equality(ax, low - room, high + room)
    ax.plot(x, y, "o", ms=4, color=colour, mfc="white")


def variability(table: pd.DataFrame) -> Figure:
    """Fano factors, noise correlations, calibration and shuffled trials."""
    figure = Figure(figsize=(9, 6.6), layout="constrained")
    (a, b), (c, d) = figure.subplots(2, 2)
    fano = of_cells(table, "Fano factor")
    a.plot(of_cells(table, "mean count"), fano, "o", ms=4.5, color=BLUE, mfc="white")
    a.axhline(1, color=GREY, lw=0.9)
    rows = table[table.part == "correlation"].groupby("quantity").value
    pairs = {
        "recorded": (rows.get_group("pair within blocks").dropna(), BLUE, "-"),
        "shuffled": (rows.get_group("pair, shuffled within blocks").dropna(), ORANGE, "--"),
    }
    every = np.concatenate([values for values, *_ in pairs.values()])
    edges = np.linspace(every.min(), every.max(), 60)
    for name, (values, colour, line) in pairs.items():
        label = f"{name}, mean {round(values.mean(), 3) + 0.0:.3f}"  # no -0.000
        b.hist(values, edges, histtype="step", color=colour, ls=line, lw=1.3, label=label)
    _pairs(c, by_image(table, POISSON), by_image(table, NB), GREEN)
    _pairs(d, by_image(table, COUNTS), by_image(table, SHUFFLED), PINK)
    positive = {"xlim": (0, None), "ylim": (0, None)}
    finish(a, "A", xlabel="mean count over images (spikes)", ylabel="Fano factor", **positive)
    finish(b, "B", xlabel="noise correlation of counts", ylabel="pairs of cells")
    bits = "information, {} (bit)".format
    finish(c, "C", xlabel=bits("Poisson posteriors"), ylabel=bits("negative binomial"))
    finish(d, "D", xlabel=bits("counts as recorded"), ylabel=bits("trials shuffled"))
    return figure

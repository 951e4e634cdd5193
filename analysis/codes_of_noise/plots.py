"""Figures of the study `codes_of_noise`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..shared.intervals import mean_and_half
from .config import CLAIM
from .timing import KINDS
from .verdicts import by_level, of_pairs

BLUE, ORANGE, GREEN, PINK, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#707070"
CODES = {"words": (BLUE, "o"), "latency": (GREEN, "^"), "count": (ORANGE, "s")}
LINES = {"diffusive": "-", "escape": ":"}
PART_COLOURS = {"redundant": BLUE, "unique_1": GREEN, "unique_2": SKY, "synergistic": ORANGE}


def plot(table: pd.DataFrame) -> Figure:
    """Rate and timing, two cells, and from stimulus to choice, against noise."""
    figure = Figure(figsize=(12, 7), layout="constrained")
    axes = figure.subplots(2, 3)
    _fast(axes[0, 0], table)
    _shares(axes[0, 1], table)
    _weak(axes[0, 2], table)
    _private(axes[1, 0], table)
    _shared(axes[1, 1], table)
    _choice(axes[1, 2], table)
    return figure


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The main figure; gains, single cells and transfer; recordings where they are available."""
    bars = "Bars: 95 % intervals over seeds."
    out = {
        f"{CLAIM}. A: information about fast stimuli in words, latencies and counts (lines: diffusive noise, solid; escape noise, "
        "dotted). B: share of the count in the information in words, at levels where words keep a tenth of it. C: counts about "
        "weak stimuli. D: parts of the information of two equally tuned cells, private noise. E: synergy of two cells against the "
        "fraction of the noise that they share, and redundant bits. F: layer to choice, private noise of the layer (solid) and "
        f"half of it shared (dotted); intersection information lies on I(S; C). {bars}": plot(table),
        "A: orientation-tuned cells with a gain in each trial, shared or drawn for each cell: synergy against the difference of "
        "preferred orientations. B: single cells of the layer at the smallest readout noise: information about the stimulus, "
        "intersection information, and I(cell; C | S). C: transfer entropy from layer to readout and back, private noise (solid) "
        f"and half of it shared (dotted). {bars}": _second(table),
    }
    if (table.part == "retina").any():
        out[
            "Salamander retina. A: information about the image in count and latency against the jitter of the spikes; bars: 95 % "
            "intervals over cells. B: parts of the information of pairs, recorded and with losses of spikes; bars: 95 % intervals "
            "over pairs. C: synergy with shared minus that with private losses against the correlation of the tuning, by pair."
        ] = _retina(table)
    return out


def _tidy(ax: Axes, letter: str, **labels: Any) -> None:
    ax.set(**labels)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title(letter, loc="left", fontweight="bold", fontsize=10)


def _curve(ax: Axes, values: pd.DataFrame, **style: Any) -> None:
    """Means with intervals against the columns."""
    mean, half = np.array([mean_and_half(values[x].dropna()) for x in values.columns]).T
    ax.errorbar(values.columns, mean, yerr=half, lw=1.3, ms=4.5, capsize=2, **style)


def _noise_axis(ax: Axes, table: pd.DataFrame, part: str) -> None:
    levels = sorted(table[table.part == part].level.dropna().unique())
    ax.set_xscale("log")
    ax.set_xticks(levels, [f"{x:g}" for x in levels])
    ax.minorticks_off()


def _fast(ax: Axes, table: pd.DataFrame) -> None:
    for kind in KINDS:
        for code, (colour, mark) in CODES.items():
            label = f"{code}, {kind}"
            fill = colour if kind == "diffusive" else "white"
            style = {"color": colour, "fmt": mark + LINES[kind], "mfc": fill, "label": label}
            _curve(ax, by_level(table, "timing", code, "fast", kind), **style)
    _noise_axis(ax, table, "timing")
    _tidy(ax, "A", xlabel="noise (mV)", ylabel="raw information, fast stimuli (bit)")
    ax.legend(frameon=False, fontsize=7.5)


def _shares(ax: Axes, table: pd.DataFrame) -> None:
    for kind, colour in zip(KINDS, (BLUE, PINK), strict=True):
        words, count = (by_level(table, "timing", q, "fast", kind) for q in ("words", "count"))
        informative = words.columns[words.mean() > 0.1 * words.iloc[:, 0].mean()]
        style = {"color": colour, "fmt": "o" + LINES[kind], "label": kind}
        _curve(ax, (count / words)[informative], **style)
    _noise_axis(ax, table, "timing")
    _tidy(ax, "B", xlabel="noise (mV)", ylabel="raw information, count / words", ylim=(0, 1.05))
    ax.legend(frameon=False, fontsize=8)


def _weak(ax: Axes, table: pd.DataFrame) -> None:
    for kind, colour in zip(KINDS, (BLUE, PINK), strict=True):
        style = {"color": colour, "fmt": "s" + LINES[kind], "label": kind}
        _curve(ax, by_level(table, "timing", "count", "weak", kind), **style)
    _noise_axis(ax, table, "timing")
    _tidy(ax, "C", xlabel="noise (mV)", ylabel="raw information in counts, weak stimuli (bit)")
    ax.legend(frameon=False, fontsize=8)


def _private(ax: Axes, table: pd.DataFrame) -> None:
    for name, colour in PART_COLOURS.items():
        _curve(ax, by_level(table, "private", name), color=colour, fmt="o-", label=name.replace("_", " "))
    _noise_axis(ax, table, "private")
    _tidy(ax, "D", xlabel="private noise (mV)", ylabel="raw information, equal tuning (bit)")
    ax.legend(frameon=False, fontsize=8)


def _shared(ax: Axes, table: pd.DataFrame) -> None:
    for tuning, line, fill in (("equal", "-", None), ("opposite", ":", "white")):
        for name in ("redundant", "synergistic"):
            colour = PART_COLOURS[name]
            style = {
                "color": colour,
                "fmt": "o" + line,
                "mfc": fill or colour,
                "label": f"{name}, {tuning} tuning",
            }
            _curve(ax, by_level(table, "shared", name, tuning), **style)
    _tidy(ax, "E", xlabel="shared fraction of the noise", ylabel="raw information (bit)")
    ax.legend(frameon=False, fontsize=7.5)


def _choice(ax: Axes, table: pd.DataFrame) -> None:
    names = {"I(S; R)": (GREY, "s"), "I(S; C)": (BLUE, "o"), "intersection": (ORANGE, "^")}
    for condition, line, fill in (("shared 0", "-", None), ("shared 0.5", ":", "white")):
        for name, (colour, mark) in names.items():
            label = name if condition == "shared 0" else None
            style = {"color": colour, "fmt": mark + line, "mfc": fill or colour, "label": label}
            _curve(ax, by_level(table, "choice", name, condition), **style)
    _noise_axis(ax, table, "choice")
    _tidy(ax, "F", xlabel="noise of the readout (mV)", ylabel="raw information (bit)")
    ax.legend(frameon=False, fontsize=8, loc="center right", bbox_to_anchor=(1, 0.6))


def _second(table: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for condition, colour in (("private gain", BLUE), ("shared gain", ORANGE)):
        _curve(
            left, by_level(table, "gain", "synergistic", condition), color=colour, fmt="o-", label=condition
        )
    left.set_xticks(sorted(table[table.part == "gain"].level.dropna().unique()))
    _tidy(
        left,
        "A",
        xlabel="difference of preferred orientations (degrees)",
        ylabel="raw synergistic information (bit)",
    )
    left.legend(frameon=False, fontsize=8)
    names = ("I(S; cell)", "intersection, cell", "I(cell; C | S)")
    for k, (condition, colour) in enumerate((("shared 0", BLUE), ("shared 0.5", ORANGE))):
        each = [mean_and_half(by_level(table, "choice", name, condition).iloc[:, 0]) for name in names]
        mean, half = np.array(each).T
        label = "private noise" if condition == "shared 0" else "half of the noise shared"
        middle.bar(
            np.arange(3) + 0.38 * k - 0.19, mean, 0.36, yerr=half, color=colour, capsize=2, label=label
        )
    middle.set_xticks(range(3), ["I(S; cell)", "intersection", "I(cell; C | S)"])
    _tidy(middle, "B", ylabel="raw information, single cells (bit)")
    middle.legend(frameon=False, fontsize=8)
    for name, colour in (("transfer", BLUE), ("transfer back", ORANGE)):
        for condition, line in (("shared 0", "-"), ("shared 0.5", ":")):
            label = {"transfer": "layer to readout", "transfer back": "readout to layer"}[name]
            style = {"color": colour, "fmt": "o" + line, "label": label if line == "-" else None}
            _curve(right, by_level(table, "choice", name, condition), **style)
    _noise_axis(right, table, "choice")
    _tidy(right, "C", xlabel="noise of the readout (mV)", ylabel="raw transfer entropy (bit per bin of 5 ms)")
    right.legend(frameon=False, fontsize=8)
    return figure


def _retina(table: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for code in ("latency", "count"):
        values = by_level(table, "retina", code)
        values.columns = 1e3 * values.columns
        colour, mark = CODES[code]
        _curve(left, values, color=colour, fmt=f"{mark}-", label=code)
    _tidy(
        left,
        "A",
        xlabel="jitter of the spikes (ms)",
        ylabel="raw information about the image (bit)",
        ylim=(0, None),
    )
    left.legend(frameon=False, fontsize=8)
    rows = table[table.part == "retina pairs"]
    colours = {"recorded": GREY, "private losses": BLUE, "shared losses": ORANGE}
    for k, (condition, colour) in enumerate(colours.items()):
        each = [mean_and_half(of_pairs(rows, condition, name)) for name in PART_COLOURS]
        mean, half = np.array(each).T
        middle.bar(
            np.arange(4) + 0.27 * (k - 1), mean, 0.25, yerr=half, color=colour, capsize=2, label=condition
        )
    middle.set_xticks(range(4), [name.replace("_", " ") for name in PART_COLOURS])
    _tidy(middle, "B", ylabel="raw information about the image (bit)")
    middle.legend(frameon=False, fontsize=8)
    signal = rows[rows.quantity == "signal correlation"].set_index("group").value.sort_index()
    lost = of_pairs(rows, "shared losses", "synergistic") - of_pairs(rows, "private losses", "synergistic")
    right.plot(signal, lost, "o", color=BLUE, mfc="white")
    right.axhline(0, color=GREY, lw=0.8)
    _tidy(
        right,
        "C",
        xlabel="signal correlation of the pair",
        ylabel="synergy, shared minus private losses (bit)",
    )
    return figure

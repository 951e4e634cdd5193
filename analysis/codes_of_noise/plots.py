"""Figures of the study `codes_of_noise`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..shared.figures import BLUE, GREEN, GREY, ORANGE, PINK, SKY, curve, finish, log_axis, means
from .config import CLAIM
from .timing import KINDS
from .verdicts import by_level, of_pairs, tuning_and_loss

CODES = {"words": (BLUE, "o"), "latency": (GREEN, "^"), "count": (ORANGE, "s")}
LINES = {"diffusive": "-", "escape": ":"}
KIND_COLOURS = dict(zip(KINDS, (BLUE, PINK), strict=True))
PART_COLOURS = {"redundant": BLUE, "unique_1": GREEN, "unique_2": SKY, "synergistic": ORANGE}
CHOICES = {"I(S; R)": (GREY, "s"), "I(S; C)": (BLUE, "o"), "intersection": (ORANGE, "^")}
SHARED = {"shared 0": "-", "shared 0.5": ":"}


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


def plot(table: pd.DataFrame) -> Figure:
    """Rate and timing, two cells, and from stimulus to choice, against noise."""
    figure = Figure(figsize=(12, 7), layout="constrained")
    (fast, share, weak), (private, shared, choice) = figure.subplots(2, 3)
    for kind in KINDS:
        line = LINES[kind]
        for code, (colour, mark) in CODES.items():
            style = {"color": colour, "fmt": mark + line, "mfc": colour if line == "-" else "white"}
            curve(fast, by_level(table, "timing", code, "fast", kind), label=f"{code}, {kind}", **style)
        words, count = (by_level(table, "timing", q, "fast", kind) for q in ("words", "count"))
        informative = words.columns[words.mean() > 0.1 * words.iloc[:, 0].mean()]
        same = {"color": KIND_COLOURS[kind], "label": kind}
        curve(share, (count / words)[informative], fmt="o" + line, **same)
        curve(weak, by_level(table, "timing", "count", "weak", kind), fmt="s" + line, **same)
    for name, colour in PART_COLOURS.items():
        curve(private, by_level(table, "private", name), color=colour, fmt="o-", label=name.replace("_", " "))
    for tuning, line, fill in (("equal", "-", None), ("opposite", ":", "white")):
        for name in ("redundant", "synergistic"):
            colour = PART_COLOURS[name]
            style = {"color": colour, "fmt": "o" + line, "mfc": fill or colour}
            curve(shared, by_level(table, "shared", name, tuning), label=f"{name}, {tuning} tuning", **style)
    for condition, line in SHARED.items():
        for name, (colour, mark) in CHOICES.items():
            style = {"color": colour, "fmt": mark + line, "mfc": colour if line == "-" else "white"}
            label = name if line == "-" else None
            curve(choice, by_level(table, "choice", name, condition), label=label, **style)
    for axes, part in (((fast, share, weak), "timing"), ((private,), "private"), ((choice,), "choice")):
        for ax in axes:
            log_axis(ax, _levels(table, part))
    noise, bits = "noise (mV)", "raw information"
    small = {"fontsize": 7.5}
    finish(fast, "A", legend=small, xlabel=noise, ylabel=f"{bits}, fast stimuli (bit)")
    finish(share, "B", xlabel=noise, ylabel=f"{bits}, count / words", ylim=(0, 1.05))
    finish(weak, "C", xlabel=noise, ylabel=f"{bits} in counts, weak stimuli (bit)")
    finish(private, "D", xlabel="private noise (mV)", ylabel=f"{bits}, equal tuning (bit)")
    finish(shared, "E", legend=small, xlabel="shared fraction of the noise", ylabel=f"{bits} (bit)")
    place = {"loc": "center right", "bbox_to_anchor": (1, 0.6)}
    finish(choice, "F", legend=place, xlabel="noise of the readout (mV)", ylabel=f"{bits} (bit)")
    return figure


def _levels(table: pd.DataFrame, part: str) -> list[float]:
    return sorted(table[table.part == part].level.dropna().unique())


def _bars(ax: Any, groups: dict[str, tuple[str, list[Any]]], names: list[str]) -> None:
    """Groups of bars with 95 % intervals: label -> colour, and values of each bar."""
    width = 0.8 / len(groups)
    for k, (label, (colour, values)) in enumerate(groups.items()):
        x = np.arange(len(names)) + width * (k - (len(groups) - 1) / 2)
        ax.bar(x, [np.mean(v) for v in values], 0.9 * width, color=colour, label=label)
        means(ax, x, values, fmt="none", ecolor="black")
    ax.set_xticks(range(len(names)), names)


def _second(table: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for condition, colour in (("private gain", BLUE), ("shared gain", ORANGE)):
        values = by_level(table, "gain", "synergistic", condition)
        curve(left, values, color=colour, fmt="o-", label=condition)
    left.set_xticks(_levels(table, "gain"))
    names = ("I(S; cell)", "intersection, cell", "I(cell; C | S)")
    private, half = (
        [by_level(table, "choice", name, condition).iloc[:, 0] for name in names] for condition in SHARED
    )
    groups = {"private noise": (BLUE, private), "half of the noise shared": (ORANGE, half)}
    _bars(middle, groups, ["I(S; cell)", "intersection", "I(cell; C | S)"])
    ways = {"layer to readout": ("transfer", BLUE), "readout to layer": ("transfer back", ORANGE)}
    for text, (name, colour) in ways.items():
        for condition, line in SHARED.items():
            style = {"color": colour, "fmt": "o" + line, "label": text if line == "-" else None}
            curve(right, by_level(table, "choice", name, condition), **style)
    log_axis(right, _levels(table, "choice"))
    degrees = "difference of preferred orientations (degrees)"
    finish(left, "A", xlabel=degrees, ylabel="raw synergistic information (bit)")
    finish(middle, "B", ylabel="raw information, single cells (bit)")
    entropy = "raw transfer entropy (bit per bin of 5 ms)"
    finish(right, "C", xlabel="noise of the readout (mV)", ylabel=entropy)
    return figure


def _retina(table: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for code in ("latency", "count"):
        values = by_level(table, "retina", code)
        values.columns = 1e3 * values.columns
        colour, mark = CODES[code]
        curve(left, values, color=colour, fmt=f"{mark}-", label=code)
    rows = table[table.part == "retina pairs"]
    colours = {"recorded": GREY, "private losses": BLUE, "shared losses": ORANGE}
    parts = {
        condition: (colour, [of_pairs(rows, condition, name) for name in PART_COLOURS])
        for condition, colour in colours.items()
    }
    _bars(middle, parts, [name.replace("_", " ") for name in PART_COLOURS])
    right.plot(*tuning_and_loss(rows), "o", color=BLUE, mfc="white")
    right.axhline(0, color=GREY, lw=0.8)
    bits = "raw information about the image (bit)"
    finish(left, "A", xlabel="jitter of the spikes (ms)", ylabel=bits, ylim=(0, None))
    finish(middle, "B", ylabel=bits)
    difference = "synergy, shared minus private losses (bit)"
    finish(right, "C", xlabel="signal correlation of the pair", ylabel=difference)
    return figure

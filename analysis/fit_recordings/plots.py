"""Figures of the study `fit_recordings`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..shared.figures import BLACK, BLUE, GREEN, ORANGE, PINK, SKY, YELLOW, equality, finish, points
from ..shared.tables import where
from .calibrated import GIF, LIF
from .fits import ADDED, CELL, DETERMINISTIC, GIVEN_SPIKES, GLM, LNP, NETWORK, NEURON
from .verdicts import RIVALS

SCORES = (
    "Above: held-out bits per spike relative to a constant rate, for each model and recording; bars: standard errors "
    "by a jackknife "
    "over blocks of .2 s; arrows: values below the axis. Below, left: spikes in the first held-out .6 s of a recording, a row per "
    "repeat or simulated trial. Right: Fano factor of spike counts, model against cell, a point per recording; bars: standard "
    "deviation of single trials of the model."
)
LEADS = (
    "Lead of the noisy neuron over each other model, bits per spike, with paired 95 % intervals from blocks of .2 s. Arrows: "
    "leads beyond the axis. Dotted: non-inferiority margin of .05 against the Poisson GLM."
)
FAR = 4.0
"""bits per spike; larger leads are drawn as arrows"""
LOOKS: dict[str, tuple[str, str]] = {
    NEURON: (ORANGE, "o"),
    GLM: (BLUE, "s"),
    NETWORK: (PINK, "P"),
    LNP: (SKY, "v"),
    GIVEN_SPIKES: (GREEN, "D"),
    DETERMINISTIC: (BLACK, "X"),
    ADDED: (YELLOW, "^"),
    LIF: ("#999933", "<"),
    GIF: ("#882255", ">"),
}


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The main figure, and the leads with their intervals."""
    return {SCORES: plot(table), LEADS: plot_leads(table)}


def plot(table: pd.DataFrame) -> Figure:
    """Held-out bits per spike of all models and recordings, spikes of one recording, and variability of model and cell."""
    figure = Figure(figsize=(10, 7.2), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=(1.15, 1), width_ratios=(1.5, 1))
    _draw_scores(figure.add_subplot(grid[0, :]), table)
    _draw_raster(figure.add_subplot(grid[1, 0]), table)
    _draw_fano(figure.add_subplot(grid[1, 1]), table)
    return figure


def _names(table: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(table.recording))


def _draw_scores(ax: Any, table: pd.DataFrame) -> None:
    names = _names(table)
    rows = table[(table.part == "score") & table.model.isin(list(LOOKS))]
    low, high = -0.6, 1.04 * float((rows.value + rows.se).max())
    for k, (model, (colour, marker)) in enumerate(LOOKS.items()):
        own = rows[rows.model == model]
        if own.empty:
            continue
        x = np.array([names.index(name) for name in own.recording]) + 0.09 * (k - 4)
        inside = (own.value > low).to_numpy()
        shown = own[inside]
        points(ax, x[inside], shown.value, shown.se, fmt=marker, color=colour, label=model, capsize=0)
        under = np.full((~inside).sum(), low + 0.03 * (high - low))
        ax.plot(x[~inside], under, marker=r"$\downarrow$", ms=8, ls="", color=colour)
    ax.axhline(0, color=BLACK, lw=0.8, zorder=0)
    for k in range(len(names) - 1):
        ax.axvline(k + 0.5, color="#dddddd", lw=0.6, zorder=0)
    ax.set_xticks(range(len(names)), [name.replace(" ", "\n", 1) for name in names], fontsize=8)
    if len(names) > 6:
        ax.tick_params(axis="x", labelrotation=40)
    legend = {"fontsize": 9, "ncols": 5, "loc": "lower center", "bbox_to_anchor": (0.5, 1.0)}
    limits = {"ylim": (low, high), "xlim": (-0.6, len(names) - 0.4)}
    finish(ax, legend=legend, ylabel="held-out score (bits per spike)", **limits)


def _draw_raster(ax: Any, table: pd.DataFrame) -> None:
    spikes = table[table.part == "spike"]
    spikes = spikes[spikes.kind == max(spikes.kind, key=lambda kind: kind == "cortical")]
    ticks, height = {}, 0
    for model in (CELL, NEURON, DETERMINISTIC, LNP):
        own = spikes[spikes.model == model]
        trials = int(own.value.max()) + 1 if len(own) else 1
        colour = LOOKS.get(model, ("#555555", ""))[0]
        ax.vlines(own.x, -height - own.value - 0.9, -height - own.value - 0.1, color=colour, lw=1)
        ticks[model] = -height - trials / 2
        height += trials + 1
    ax.set_yticks(list(ticks.values()), list(ticks))
    ax.tick_params(axis="y", length=0)
    finish(ax, ylim=(-height, 0.5), xlabel=f"time (s), {spikes.recording.iloc[0]}")


def _draw_fano(ax: Any, table: pd.DataFrame) -> None:
    rows = where(table, part="measure", measure="fano")
    cell = rows[rows.model == CELL].set_index("recording").value
    for model in (LNP, DETERMINISTIC, GLM, NEURON):
        own = rows[rows.model == model].set_index("recording").loc[cell.index]
        colour, marker = LOOKS[model]
        points(ax, cell, own.value, own.se, fmt=marker, color=colour, capsize=0)
    top = 1.05 * float(max(cell.max(), (rows.value + rows.se.fillna(0))[rows.model.isin(list(LOOKS))].max()))
    equality(ax, 0, top)
    of_cell, of_model = "Fano factor of the cell (windows of 50 ms)", "Fano factor of the model"
    finish(ax, xlim=(0, 1.1 * float(cell.max())), ylim=(-0.03 * top, top), xlabel=of_cell, ylabel=of_model)


def plot_leads(table: pd.DataFrame) -> Figure:
    """Paired differences with intervals, a panel per model."""
    rows = where(table, part="lead", measure="bits")
    rivals, names = [m for m in RIVALS if (rows.model == m).any()], _names(table)
    lines = -(-len(rivals) // 4)
    figure = Figure(figsize=(10, lines * (1.0 + 0.16 * len(names))), layout="constrained")
    axes = figure.subplots(lines, 4, sharey=True, squeeze=False)
    for ax, model in zip(axes.flat, rivals, strict=False):
        _draw_leads(ax, rows[rows.model == model], names, model)
    for ax in axes.flat[len(rivals) :]:
        ax.set_axis_off()
    for ax in axes[:, 0]:
        ax.set_yticks(-np.arange(len(names)), names, fontsize=8)
    axes[0, 0].set_ylim(0.3 - len(names), 0.7)
    figure.supxlabel("lead of the noisy neuron (bits per spike)", fontsize=10)
    return figure


def _draw_leads(ax: Any, own: pd.DataFrame, names: list[str], model: str) -> None:
    y = -np.array([names.index(name) for name in own.recording])
    colour, marker = LOOKS.get(model, ("#555555", "d"))
    near = (own.value < FAR).to_numpy()
    shown = own[near]
    bars = np.array([shown.value - shown.low, shown.high - shown.value])
    points(ax, shown.value, y[near], xerr=bars, fmt=marker, ms=4, color=colour, capsize=0)
    low = min(-0.1, 1.1 * float(shown.low.min()) if near.any() else 0.0)
    high = FAR if not near.all() else 1.1 * max(float(own.high.max()), 0.1)
    ax.plot(np.full((~near).sum(), 0.95 * high), y[~near], marker=r"$\rightarrow$", ms=8, ls="", color=colour)
    ax.axvline(0, color=BLACK, lw=0.8, zorder=0)
    if model == GLM:
        ax.axvline(-0.05, color="#555555", lw=0.8, ls=":", zorder=0)
    ax.tick_params(axis="x", labelsize=8)
    finish(ax, xlim=(low, high))
    ax.set_title(model, fontsize=9)

"""Figures of the study `fit_recordings`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .fits import ADDED, ALONE, CELL, FORCED, GLM, LNP, NETWORK, NEURON, NO_HISTORY, TWIN


def plot(table: pd.DataFrame) -> Figure:
    """Held-out bits per spike of all models on all recordings, spikes of one recording, and variability of model and cell."""
    return plot_scores(table)


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The figure of the scores, and the leads with their intervals."""
    return {SCORES: plot_scores(table), LEADS: plot_leads(table)}


SCORES = (
    "Above: held-out bits per spike over a constant rate, of each model on each recording; bars: standard errors by a jackknife "
    "over blocks of .2 s; arrows: values below the axis. Below, left: spikes of a recording's first held-out .6 s, a row for each "
    "repeat or drawn trial. Right: Fano factor of spike counts, model against cell, a point for each recording; bars: standard "
    "deviation of the model's single trials."
)
LEADS = (
    "By how much the noisy neuron is ahead of each other model, bits per spike, with paired 95 % intervals from blocks of .2 s. "
    "Arrows: leads beyond the axis. Dotted: the margin of .05 within which it isn't behind the Poisson GLM."
)
FAR = 4.0
"""bits per spike: a lead beyond is an arrow"""
LOOKS: dict[str, tuple[str, str]] = {
    NEURON: ("#D55E00", "o"),
    GLM: ("#0072B2", "s"),
    NETWORK: ("#CC79A7", "P"),
    LNP: ("#56B4E9", "v"),
    FORCED: ("#009E73", "D"),
    TWIN: ("#000000", "X"),
    ADDED: ("#E69F00", "^"),
}


def _spare(ax: Any) -> None:
    ax.spines[["top", "right"]].set_visible(False)


def _names(table: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(table.recording))


def plot_scores(table: pd.DataFrame) -> Figure:
    """Bits per spike of all models; a raster; Fano factors."""
    names = _names(table)
    figure = Figure(figsize=(10, 7.2), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=(1.15, 1), width_ratios=(1.5, 1))
    _draw_scores(figure.add_subplot(grid[0, :]), table, names)
    _draw_raster(figure.add_subplot(grid[1, 0]), table)
    _draw_fano(figure.add_subplot(grid[1, 1]), table)
    return figure


def _draw_scores(ax: Any, table: pd.DataFrame, names: list[str]) -> None:
    rows = table[(table.part == "score") & table.model.isin(list(LOOKS))]
    low, high = -0.6, 1.04 * float((rows.value + rows.se).max())
    for k, (model, (colour, marker)) in enumerate(LOOKS.items()):
        mine = rows[rows.model == model].set_index("recording")
        if mine.empty:
            continue
        x = np.array([names.index(name) for name in mine.index]) + 0.1 * (k - 3)
        inside = (mine.value > low).to_numpy()
        ax.errorbar(
            x[inside], mine.value[inside], mine.se[inside], fmt=marker, ms=5, lw=1, color=colour, label=model
        )
        under = np.full((~inside).sum(), low + 0.03 * (high - low))
        ax.plot(x[~inside], under, marker=r"$\downarrow$", ms=8, ls="", color=colour)
    ax.axhline(0, color="black", lw=0.8, zorder=0)
    for k in range(len(names) - 1):
        ax.axvline(k + 0.5, color="#dddddd", lw=0.6, zorder=0)
    ax.set_xticks(range(len(names)), [name.replace(" ", "\n", 1) for name in names], fontsize=8)
    if len(names) > 6:
        ax.tick_params(axis="x", labelrotation=40)
    ax.set(ylim=(low, high), xlim=(-0.6, len(names) - 0.4), ylabel="held-out bits per spike")
    ax.legend(frameon=False, fontsize=9, ncols=7, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    _spare(ax)


def _draw_raster(ax: Any, table: pd.DataFrame) -> None:
    spikes = table[table.part == "spike"]
    kinds = list(dict.fromkeys(spikes.kind))
    kind = "cortical" if "cortical" in kinds else kinds[0]
    spikes = spikes[spikes.kind == kind]
    ticks, labels, height = [], [], 0
    for model in (CELL, NEURON, TWIN, LNP):
        mine = spikes[spikes.model == model]
        trials = int(mine.value.max()) + 1 if len(mine) else 1
        colour = LOOKS.get(model, ("#555555", ""))[0]
        ax.vlines(mine.x, -height - mine.value - 0.9, -height - mine.value - 0.1, color=colour, lw=1)
        ticks.append(-height - trials / 2)
        labels.append(model)
        height += trials + 1
    ax.set_yticks(ticks, labels)
    ax.tick_params(axis="y", length=0)
    ax.set(ylim=(-height, 0.5), xlabel=f"time (s), {spikes.recording.iloc[0]}")
    _spare(ax)


def _draw_fano(ax: Any, table: pd.DataFrame) -> None:
    rows = table[(table.part == "measure") & (table.measure == "fano")]
    cell = rows[rows.model == CELL].set_index("recording").value
    for model in (LNP, TWIN, GLM, NEURON):
        mine = rows[rows.model == model].set_index("recording").loc[cell.index]
        colour, marker = LOOKS[model]
        ax.errorbar(cell, mine.value, mine.se, fmt=marker, ms=5, lw=0.8, color=colour, label=model)
    top = 1.05 * float(max(cell.max(), (rows.value + rows.se.fillna(0))[rows.model.isin(list(LOOKS))].max()))
    ax.plot([0, top], [0, top], color="black", lw=0.8, zorder=0)
    ax.set(xlim=(0, 1.1 * float(cell.max())), ylim=(-0.03 * top, top))
    ax.set(xlabel="Fano factor of the cell (windows of 50 ms)", ylabel="of the model")
    _spare(ax)


def plot_leads(table: pd.DataFrame) -> Figure:
    """Paired differences with intervals, a panel for each rival."""
    rows = table[(table.part == "lead") & (table.measure == "bits")]
    every = (TWIN, FORCED, ADDED, LNP, GLM, ALONE, NO_HISTORY, NETWORK)
    rivals = [m for m in every if (rows.model == m).any()]
    names = _names(table)
    lines = -(-len(rivals) // 4)
    figure = Figure(figsize=(10, lines * (1.0 + 0.16 * len(names))), layout="constrained")
    axes = figure.subplots(lines, 4, sharey=True, squeeze=False)
    for ax, model in zip(axes.flat, rivals, strict=False):
        _draw_leads(ax, rows[rows.model == model], names, model)
    for ax in axes.flat[len(rivals) :]:
        ax.set_axis_off()
    for ax in axes[:, 0]:
        ax.set_yticks(-np.arange(len(names)), names, fontsize=8)
    axes[0, 0].set_ylim(0.7 - len(names) - 0.4, 0.7)
    figure.supxlabel("lead of the noisy neuron (bits per spike)", fontsize=10)
    return figure


def _draw_leads(ax: Any, mine: pd.DataFrame, names: list[str], model: str) -> None:
    y = -np.array([names.index(name) for name in mine.recording])
    colour, marker = LOOKS.get(model, ("#555555", "d"))
    near = (mine.value < FAR).to_numpy()
    bars = np.array([mine.value - mine.low, mine.high - mine.value])
    ax.errorbar(mine.value[near], y[near], xerr=bars[:, near], fmt=marker, ms=4, lw=1, color=colour)
    low = min(-0.1, 1.1 * float(mine.low[near].min()) if near.any() else 0.0)
    high = FAR if not near.all() else 1.1 * max(float(mine.high.max()), 0.1)
    ax.plot(np.full((~near).sum(), 0.95 * high), y[~near], marker=r"$\rightarrow$", ms=8, ls="", color=colour)
    ax.axvline(0, color="black", lw=0.8, zorder=0)
    if model == GLM:
        ax.axvline(-0.05, color="#555555", lw=0.8, ls=":", zorder=0)
    ax.set_xlim(low, high)
    ax.set_title(model, fontsize=9)
    ax.tick_params(axis="x", labelsize=8)
    _spare(ax)

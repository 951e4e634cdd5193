"""Figures of the study `fit_recordings`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .calibrated import CALIBRATED, GIF, LIF
from .fits import ADDED, ALONE, CELL, DETERMINISTIC, GIVEN_SPIKES, GLM, LNP, NETWORK, NEURON, NO_HISTORY


def plot(table: pd.DataFrame) -> Figure:
    """Held-out bits per spike of all models and recordings, spikes of one recording, and variability of model and cell."""
    return plot_scores(table)


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The main figure, and the leads with their intervals."""
    return {SCORES: plot_scores(table), LEADS: plot_leads(table)}


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
    NEURON: ("#D55E00", "o"),
    GLM: ("#0072B2", "s"),
    NETWORK: ("#CC79A7", "P"),
    LNP: ("#56B4E9", "v"),
    GIVEN_SPIKES: ("#009E73", "D"),
    DETERMINISTIC: ("#000000", "X"),
    ADDED: ("#E69F00", "^"),
    LIF: ("#999933", "<"),
    GIF: ("#882255", ">"),
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
        rows_of_model = rows[rows.model == model].set_index("recording")
        if rows_of_model.empty:
            continue
        x = np.array([names.index(name) for name in rows_of_model.index]) + 0.09 * (k - 4)
        inside = (rows_of_model.value > low).to_numpy()
        ax.errorbar(
            x[inside],
            rows_of_model.value[inside],
            rows_of_model.se[inside],
            fmt=marker,
            ms=5,
            lw=1,
            color=colour,
            label=model,
        )
        under = np.full((~inside).sum(), low + 0.03 * (high - low))
        ax.plot(x[~inside], under, marker=r"$\downarrow$", ms=8, ls="", color=colour)
    ax.axhline(0, color="black", lw=0.8, zorder=0)
    for k in range(len(names) - 1):
        ax.axvline(k + 0.5, color="#dddddd", lw=0.6, zorder=0)
    ax.set_xticks(range(len(names)), [name.replace(" ", "\n", 1) for name in names], fontsize=8)
    if len(names) > 6:
        ax.tick_params(axis="x", labelrotation=40)
    ax.set(ylim=(low, high), xlim=(-0.6, len(names) - 0.4), ylabel="held-out score (bits per spike)")
    ax.legend(frameon=False, fontsize=9, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    _spare(ax)


def _draw_raster(ax: Any, table: pd.DataFrame) -> None:
    spikes = table[table.part == "spike"]
    kinds = list(dict.fromkeys(spikes.kind))
    kind = "cortical" if "cortical" in kinds else kinds[0]
    spikes = spikes[spikes.kind == kind]
    ticks, labels, height = [], [], 0
    for model in (CELL, NEURON, DETERMINISTIC, LNP):
        rows_of_model = spikes[spikes.model == model]
        trials = int(rows_of_model.value.max()) + 1 if len(rows_of_model) else 1
        colour = LOOKS.get(model, ("#555555", ""))[0]
        ax.vlines(
            rows_of_model.x,
            -height - rows_of_model.value - 0.9,
            -height - rows_of_model.value - 0.1,
            color=colour,
            lw=1,
        )
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
    for model in (LNP, DETERMINISTIC, GLM, NEURON):
        rows_of_model = rows[rows.model == model].set_index("recording").loc[cell.index]
        colour, marker = LOOKS[model]
        ax.errorbar(
            cell, rows_of_model.value, rows_of_model.se, fmt=marker, ms=5, lw=0.8, color=colour, label=model
        )
    top = 1.05 * float(max(cell.max(), (rows.value + rows.se.fillna(0))[rows.model.isin(list(LOOKS))].max()))
    ax.plot([0, top], [0, top], color="black", lw=0.8, zorder=0)
    ax.set(xlim=(0, 1.1 * float(cell.max())), ylim=(-0.03 * top, top))
    ax.set(xlabel="Fano factor of the cell (windows of 50 ms)", ylabel="Fano factor of the model")
    _spare(ax)


def plot_leads(table: pd.DataFrame) -> Figure:
    """Paired differences with intervals, a panel per model."""
    rows = table[(table.part == "lead") & (table.measure == "bits")]
    every = (DETERMINISTIC, GIVEN_SPIKES, ADDED, LNP, GLM, *CALIBRATED, ALONE, NO_HISTORY, NETWORK)
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


def _draw_leads(ax: Any, rows_of_model: pd.DataFrame, names: list[str], model: str) -> None:
    y = -np.array([names.index(name) for name in rows_of_model.recording])
    colour, marker = LOOKS.get(model, ("#555555", "d"))
    near = (rows_of_model.value < FAR).to_numpy()
    bars = np.array([rows_of_model.value - rows_of_model.low, rows_of_model.high - rows_of_model.value])
    ax.errorbar(rows_of_model.value[near], y[near], xerr=bars[:, near], fmt=marker, ms=4, lw=1, color=colour)
    low = min(-0.1, 1.1 * float(rows_of_model.low[near].min()) if near.any() else 0.0)
    high = FAR if not near.all() else 1.1 * max(float(rows_of_model.high.max()), 0.1)
    ax.plot(np.full((~near).sum(), 0.95 * high), y[~near], marker=r"$\rightarrow$", ms=8, ls="", color=colour)
    ax.axvline(0, color="black", lw=0.8, zorder=0)
    if model == GLM:
        ax.axvline(-0.05, color="#555555", lw=0.8, ls=":", zorder=0)
    ax.set_xlim(low, high)
    ax.set_title(model, fontsize=9)
    ax.tick_params(axis="x", labelsize=8)
    _spare(ax)

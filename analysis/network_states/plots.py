"""Figures of the study `network_states`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .config import CLAIM, SHOWN
from .verdicts import by_state


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """Spikes, population rate and measures of each state, with the caption."""
    return {
        f"{CLAIM}. Above: spikes of {SHOWN} neurons and population rate in bins of 1 ms, at most 100 ms of one network. "
        "Below, means over networks with bars of two standard errors: spectrum of the population count over that of "
        "independent Poisson neurons (means over 5 Hz, no bars); correlation of pairs of neurons against the counting window; "
        "CV of intervals against the population Fano factor; simulated over mean-field rate.": plot(table)
    }


def plot(table: pd.DataFrame) -> Figure:
    """Rasters, rates, spectra, correlations, CV against Fano factor, rates against the mean field."""
    of = by_state(table)
    figure = Figure(figsize=(11, 7.4), layout="constrained")
    halves: Any = figure.subfigures(2, 1, height_ratios=(1.15, 1))
    activity(halves[0], table, of)
    axes = halves[1].subplots(1, 4)
    spectra(axes[0], table, of)
    correlations(axes[1], table, of)
    irregularity(axes[2], of)
    rates(axes[3], of)
    return figure


COLOURS = {"SR": "#CC79A7", "AI": "#0072B2", "SI fast": "#D55E00", "SI slow": "#009E73"}
MARKERS = {"SR": "D", "AI": "o", "SI fast": "s", "SI slow": "^"}
LINES = {"SR": ":", "AI": "-", "SI fast": "--", "SI slow": "-."}


def _open(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)


def _bar(values: pd.Series) -> tuple[float, float]:
    """Mean and two standard errors over networks (0 for a single network)."""
    error = 2 * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return float(values.mean()), float(error)


def activity(figure: Any, table: pd.DataFrame, of: dict[str, pd.DataFrame]) -> None:
    """Raster and population rate of each state."""
    axes = figure.subplots(2, len(of), sharex="col", squeeze=False, height_ratios=(1.3, 1))
    for k, (name, row) in enumerate(of.items()):
        here = table[table.state == name]
        spikes, counts = here[here.part == "spike"], here[here.part == "count"]
        axes[0, k].plot(1e3 * spikes.x, spikes.value + 1, "|", ms=2.6, mew=0.7, color=COLOURS[name])
        axes[0, k].set_title(f"{name}: g {row.g.iloc[0]:g}, eta {row.eta.iloc[0]:g}", fontsize=10)
        axes[0, k].set_ylim(0, SHOWN + 1)
        rate = counts.value / (row.neurons.iloc[0] * 1e-3)
        axes[1, k].fill_between(1e3 * counts.x, rate, step="post", color=COLOURS[name], lw=0)
        axes[1, k].set(ylim=(0, None), xlim=(0, 1e3 * counts.x.max() + 1), xlabel="time (ms)")
        for ax in axes[:, k]:
            _open(ax)
    axes[0, 0].set_ylabel("neuron")
    axes[1, 0].set_ylabel("population rate (Hz)")


def spectra(ax: Axes, table: pd.DataFrame, of: dict[str, pd.DataFrame]) -> None:
    """Spectrum of the population count, means over 5 Hz."""
    rows = table[table.part == "spectrum"]
    for name in of:
        here = rows[rows.state == name]
        power = here.groupby(5 * np.round(here.x / 5)).value.mean()
        ax.plot(power.index, power, LINES[name], lw=1.2, color=COLOURS[name], label=name)
    ax.axhline(1, color="black", lw=0.8, zorder=0)
    ax.set(yscale="log", xlim=(0, 400), xlabel="frequency (Hz)", ylabel="power / that of Poisson neurons")
    ax.set_ylim(top=ax.get_ylim()[1] * 30)  # room for the legend
    ax.legend(frameon=False, fontsize=8, ncols=2, loc="upper left", handlelength=1.6, columnspacing=1)
    _open(ax)


def correlations(ax: Axes, table: pd.DataFrame, of: dict[str, pd.DataFrame]) -> None:
    """Pairwise correlation against the window."""
    rows = table[table.part == "correlation"]
    for name in of:
        by = rows[rows.state == name].groupby("x").value
        bars = np.array([_bar(values) for _, values in by])
        ax.errorbar(
            1e3 * np.array(list(by.groups)),
            bars[:, 0],
            yerr=bars[:, 1],
            fmt=MARKERS[name] + LINES[name],
            ms=4,
            lw=1,
            capsize=2,
            color=COLOURS[name],
        )
    ticks = 1e3 * np.unique(rows.x)
    ax.set(xscale="log", xlabel="window (ms)", ylabel="pairwise correlation")
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    ax.axhline(0, color="black", lw=0.8, zorder=0)
    _open(ax)


def irregularity(ax: Axes, of: dict[str, pd.DataFrame]) -> None:
    """CV against the population Fano factor."""
    for name, row in of.items():
        (x, width), (y, height) = _bar(row["population fano"]), _bar(row.cv)
        ax.errorbar(x, y, xerr=width, yerr=height, fmt=MARKERS[name], ms=5, capsize=2, color=COLOURS[name])
        ax.annotate(name, (x, y), xytext=(5, 5), textcoords="offset points", fontsize=8)
    ax.set(xscale="log", xlabel="population Fano factor (1 ms)", ylabel="CV of intervals")
    ax.margins(0.3)
    ax.set_ylim(-0.05)
    _open(ax)


def rates(ax: Axes, of: dict[str, pd.DataFrame]) -> None:
    """Simulated over mean-field rate."""
    for name, row in of.items():
        y, error = _bar(row.rate / row["mean field"])
        x = float(row["mean field"].iloc[0])
        ax.errorbar(x, y, yerr=error, fmt=MARKERS[name], ms=5, capsize=2, color=COLOURS[name])
        side = -1 if name == "AI" else 1  # SI fast is close by
        ax.annotate(
            name,
            (x, y),
            xytext=(5 * side, 6),
            ha="right" if side < 0 else "left",
            textcoords="offset points",
            fontsize=8,
        )
    ax.axhline(1, color="black", lw=0.8, zorder=0)
    ax.set(xscale="log", xlabel="mean-field rate (Hz)", ylabel="simulated / mean-field rate", xlim=(3, 1000))
    ax.margins(y=0.2)
    _open(ax)

"""Figures of the study `network_states`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..shared.figures import BLUE, GREEN, ORANGE, PINK, finish, log_axis, points
from .config import CLAIM, SHOWN
from .verdicts import by_state

COLOURS = {"SR": PINK, "AI": BLUE, "SI fast": ORANGE, "SI slow": GREEN}
MARKERS = {"SR": "D", "AI": "o", "SI fast": "s", "SI slow": "^"}
LINES = {"SR": ":", "AI": "-", "SI fast": "--", "SI slow": "-."}


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
    _activity(halves[0], table, of)
    _measures(halves[1].subplots(1, 4), table, of)
    return figure


def _bar(values: pd.Series) -> tuple[float, float]:
    """Mean and two standard errors over networks (0 for a single network)."""
    return float(values.mean()), 2 * float(values.sem()) if len(values) > 1 else 0.0


def _activity(figure: Any, table: pd.DataFrame, of: dict[str, pd.DataFrame]) -> None:
    """Raster and population rate of each state."""
    axes = figure.subplots(2, len(of), sharex="col", squeeze=False, height_ratios=(1.3, 1))
    for (above, below), (name, row) in zip(axes.T, of.items(), strict=True):
        here = table[table.state == name]
        spikes, counts = here[here.part == "spike"], here[here.part == "count"]
        above.plot(1e3 * spikes.x, spikes.value + 1, "|", ms=2.6, mew=0.7, color=COLOURS[name])
        above.set_title(f"{name}: g {row.g.iloc[0]:g}, eta {row.eta.iloc[0]:g}", fontsize=10)
        rate = counts.value / (row.neurons.iloc[0] * 1e-3)
        below.fill_between(1e3 * counts.x, rate, step="post", color=COLOURS[name], lw=0)
        finish(above, ylim=(0, SHOWN + 1))
        finish(below, ylim=(0, None), xlim=(0, 1e3 * counts.x.max() + 1), xlabel="time (ms)")
    axes[0, 0].set_ylabel("neuron")
    axes[1, 0].set_ylabel("population rate (Hz)")


def _measures(axes: Any, table: pd.DataFrame, of: dict[str, pd.DataFrame]) -> None:
    """Spectra, correlations, irregularity, and rates against the mean field."""
    spectra, correlations, irregularity, rates = axes
    rows = table[table.part == "correlation"]
    for name, row in of.items():
        colour, marker, here = COLOURS[name], MARKERS[name], table[table.state == name]
        spectrum = here[here.part == "spectrum"]
        power = spectrum.groupby(5 * np.round(spectrum.x / 5)).value.mean()
        spectra.plot(power, LINES[name], lw=1.2, color=colour, label=name)
        by = rows[rows.state == name].groupby("x").value
        windows, bars = 1e3 * np.array(list(by.groups)), np.array([_bar(values) for _, values in by]).T
        points(correlations, windows, *bars, fmt=marker + LINES[name], color=colour)
        (x, width), (y, height) = _bar(row["population fano"]), _bar(row.cv)
        points(irregularity, x, y, height, xerr=width, fmt=marker, color=colour)
        irregularity.annotate(name, (x, y), xytext=(5, 5), textcoords="offset points", fontsize=8)
        x, (y, error) = row["mean field"].iloc[0], _bar(row.rate / row["mean field"])
        points(rates, x, y, error, fmt=marker, color=colour)
        side = {"xytext": (-5, 6), "ha": "right"} if name == "AI" else {"xytext": (5, 6)}  # SI fast is close
        rates.annotate(name, (x, y), textcoords="offset points", fontsize=8, **side)
    for ax, level in ((spectra, 1), (correlations, 0), (rates, 1)):
        ax.axhline(level, color="black", lw=0.8, zorder=0)
    log_axis(correlations, 1e3 * np.unique(rows.x))
    legend = {"ncols": 2, "loc": "upper left", "handlelength": 1.6, "columnspacing": 1}
    power, relative = "power / that of Poisson neurons", "simulated / mean-field rate"
    finish(spectra, legend=legend, yscale="log", xlim=(0, 400), xlabel="frequency (Hz)", ylabel=power)
    spectra.set_ylim(top=spectra.get_ylim()[1] * 30)  # room for the legend
    finish(correlations, xlabel="window (ms)", ylabel="pairwise correlation")
    finish(irregularity, xscale="log", xlabel="population Fano factor (1 ms)", ylabel="CV of intervals")
    irregularity.margins(0.3)
    irregularity.set_ylim(-0.05)
    finish(rates, xscale="log", xlabel="mean-field rate (Hz)", ylabel=relative, xlim=(3, 1000))
    rates.margins(y=0.2)

"""Figures of the study `grasshopper`."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .measuring import LOWEST
from .verdicts import CUTOFF


def plot(table: pd.DataFrame) -> Figure:
    """Cell and models: raster, spike-triggered average, coherence."""
    return responses(table)


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """All figures by caption, the main figure first."""
    return {
        "Cell and models in the test half: spikes in 0.6 s, spike-triggered average of the sound level, and coherence of spikes "
        "and sound level for single trials (dotted: cut-off of the sound; shaded: 95 % of single trials of the noisy model are "
        "within, at all frequencies together). noisy: the adaptive neuron. LIF: without adaptation. GLM: Poisson GLM with "
        "history. noise off: deterministic; refitted: refitted deterministic.": plot(table),
        "Bits per spike of the held-out spikes given the spikes before, in segments of 0.5 s (dots), and their mean with its "
        "standard error (squares).": held_out(table),
        "Statistics of single trials: cell (line) and models (bars: SD over trials; those of a deterministic model are all "
        "alike).": statistics(table),
        "Information bound, reliability and rate of the noisy model against its noise (bars: SD over trials).": (
            against_noise(table)
        ),
    }


COLOURS = {
    "recorded": "black",
    "noisy": "#0072B2",
    "LIF": "#E69F00",
    "GLM": "#CC79A7",
    "deterministic": "#D55E00",
    "refitted deterministic": "#009E73",
}
_SEVERAL = ("noisy", "LIF", "GLM")
"""models whose trials differ"""
_SHORT = {"deterministic": "noise off", "refitted deterministic": "refitted"}


def _rows(table: pd.DataFrame, which: int, model: str, quantity: str) -> pd.DataFrame:
    return table[(table.recording == which) & (table.model == model) & (table.quantity == quantity)]


def _plain(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)


def responses(table: pd.DataFrame) -> Figure:
    """A row per recording: spikes of cell and models, spike-triggered average, coherence."""
    recordings = sorted(table.recording.unique())
    figure = Figure(figsize=(11, 3.1 * len(recordings)), layout="constrained")
    axes = figure.subplots(len(recordings), 3, width_ratios=[2.4, 1, 1], squeeze=False)
    for (raster, sta, coherence), which in zip(axes, recordings, strict=True):
        _raster(raster, table, which)
        _lines(sta, table, which, "spike-triggered average", scale=1e3)
        sta.axvline(0, color="0.85", zorder=0)
        sta.set(xlabel="time from the spike (ms)", ylabel="mean sound level (SD)")
        _lines(coherence, table, which, "coherence")
        _band(coherence, table, which)
        coherence.axvline(CUTOFF.get(which, np.nan), color="0.8", ls=":", zorder=0)
        coherence.set(xlabel="frequency (Hz)", ylabel="coherence in single trials", ylim=(0, 1))
        _plain(sta)
        _plain(coherence)
    handles = axes[0, 1].get_legend_handles_labels()
    figure.legend(*handles, frameon=False, fontsize=9, loc="outside lower right", ncols=len(COLOURS))
    return figure


def _band(ax: Axes, table: pd.DataFrame, which: int) -> None:
    """The band of the coherence of single trials of the noisy model."""
    rows = _rows(table, which, "noisy", "coherence").sort_values("x")
    band = _rows(table, which, "noisy", "coherence band").value
    if len(band):
        rows = rows[(rows.x >= LOWEST) & (rows.x <= CUTOFF.get(which, np.inf))]
        width = band.iloc[0] * rows.sd
        ax.fill_between(
            rows.x, rows.value - width, rows.value + width, color=COLOURS["noisy"], alpha=0.15, lw=0
        )


def held_out(table: pd.DataFrame) -> Figure:
    """Bits per spike of the noisy models in segments."""
    recordings = sorted(table.recording.unique())
    figure = Figure(figsize=(3.4 * len(recordings), 2.8), layout="constrained")
    for ax, which in zip(figure.subplots(1, len(recordings), squeeze=False)[0], recordings, strict=True):
        models = ["noisy", "GLM", "LIF"]
        for k, model in enumerate(models):
            parts = _rows(table, which, model, "bits per spike, by segment").value
            mean = _rows(table, which, model, "bits per spike").iloc[0]
            ax.plot(np.full(len(parts), k), parts, "o", ms=3, color=COLOURS[model], alpha=0.4)
            ax.errorbar(
                k + 0.2, mean["value"], yerr=mean["sd"], fmt="s", ms=5, capsize=3, color=COLOURS[model]
            )
        ax.set_xticks(range(len(models)), models)
        ax.axhline(0, color="0.85", lw=0.8, zorder=0)
        ax.set(title=f"recording {which}", ylabel="bits per spike", xlim=(-0.5, len(models) - 0.5))
        _plain(ax)
    return figure


def _raster(ax: Axes, table: pd.DataFrame, which: int) -> None:
    top, ticks = 0, []
    for model in COLOURS:
        spikes = _rows(table, which, model, "spike (excerpt)")
        count = (
            int(spikes.value.max()) + 1 if model in _SEVERAL else 1
        )  # trials of deterministic models are identical
        for k in range(count):
            times = spikes.x[spikes.value == k].to_numpy()
            height = 3 if count == 1 else 1
            ax.eventplot(
                1e3 * times,
                lineoffsets=top + height / 2,
                linelengths=0.85 * height,
                linewidths=0.9,
                color=COLOURS[model],
            )
            top += height
        ticks.append((top - (3 if count == 1 else count) / 2, model))
        top += 1
    ax.set_yticks([y for y, _ in ticks], [_SHORT.get(name, name) for _, name in ticks])
    ax.set(
        xlim=(1000, 1600),
        ylim=(top, -0.5),
        xlabel="time in the test half (ms)",
        title=f"recording {which}: spikes",
    )
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)


def _lines(ax: Axes, table: pd.DataFrame, which: int, quantity: str, scale: float = 1.0) -> None:
    for model, colour in COLOURS.items():
        rows = _rows(table, which, model, quantity).sort_values("x")
        width = 1.8 if model in ("recorded", "noisy") else 1.0
        ax.plot(scale * rows.x, rows.value, color=colour, lw=width, label=model)


def statistics(table: pd.DataFrame) -> Figure:
    """Statistics of single trials, and rate correlation against kernel width."""
    recordings = sorted(table.recording.unique())
    singles = ["rate", "CV", "LV", "lag-1 correlation", "information bound per spike"]
    figure = Figure(figsize=(11, 2.7 * len(recordings)), layout="constrained")
    axes = figure.subplots(len(recordings), 7, width_ratios=[1] * 5 + [1.5, 1.7], squeeze=False)
    for row, which in zip(axes, recordings, strict=True):
        for ax, quantity in zip(row, singles, strict=False):
            _points(ax, table, which, quantity)
        _against_width(row[5], table, which, "Fano factor (windows)", "window (ms)")
        _against_width(row[6], table, which, "rate correlation", "kernel SD (ms)")
        row[6].set_ylim(0, 1)
        row[0].set_ylabel(f"recording {which}")
    handles = axes[0, 5].get_legend_handles_labels()
    figure.legend(*handles, frameon=False, fontsize=8, loc="outside lower right", ncols=len(COLOURS))
    return figure


def _points(ax: Axes, table: pd.DataFrame, which: int, quantity: str) -> None:
    for k, model in enumerate(list(COLOURS)[1:]):
        row = _rows(table, which, model, quantity).iloc[0]
        ax.errorbar(
            k,
            row["value"],
            yerr=row["sd"] if row["sd"] > 0 else None,
            fmt="o",
            ms=4,
            capsize=2,
            color=COLOURS[model],
        )
    ax.axhline(_rows(table, which, "recorded", quantity).value.iloc[0], color="black", lw=1.2, zorder=0)
    names = list(COLOURS)[1:]
    ax.set_xticks(range(len(names)), [_SHORT.get(name, name) for name in names], rotation=60, fontsize=8)
    ax.set_xlim(-0.5, len(names) - 0.5)
    unit = _rows(table, which, "recorded", quantity).unit.iloc[0]
    ax.set_title(
        quantity.replace("information bound per spike", "raw bound") + ("" if unit == "1" else f" ({unit})"),
        fontsize=9,
    )
    if quantity == "rate":
        ax.set_ylim(0, 1.05 * ax.get_ylim()[1])
    _plain(ax)


def _against_width(ax: Axes, table: pd.DataFrame, which: int, quantity: str, label: str) -> None:
    for model, colour in COLOURS.items():
        rows = _rows(table, which, model, quantity).sort_values("x")
        if rows.empty:
            continue
        error = rows["sd"].where(rows["sd"] > 0)
        ax.errorbar(
            1e3 * rows.x,
            rows.value,
            yerr=error,
            color=colour,
            marker="o",
            ms=3,
            capsize=2,
            label=model,
            lw=1.2,
        )
    ax.set_xscale("log")
    ax.set_xticks(
        1e3 * np.unique(table[table.quantity == quantity].x),
        [f"{1e3 * x:g}" for x in np.unique(table[table.quantity == quantity].x)],
    )
    ax.minorticks_off()
    ax.set_xlabel(label)
    ax.set_title(quantity.replace(" (windows)", ""), fontsize=9)
    _plain(ax)


def against_noise(table: pd.DataFrame) -> Figure:
    """Information bound, reliability and rate of the noisy model against its noise."""
    recordings = sorted(table.recording.unique())
    figure = Figure(figsize=(9.5, 2.9 * len(recordings)), layout="constrained")
    axes = figure.subplots(len(recordings), 3, squeeze=False)
    panels = [
        ("information bound against noise", "raw information bound (bit/s)", "information bound"),
        ("reliability against noise", "reliability", None),
        ("rate against noise", "rate (Hz)", "rate"),
    ]
    for row, which in zip(axes, recordings, strict=True):
        for ax, (quantity, label, recorded) in zip(row, panels, strict=True):
            curve = _rows(table, which, "sweep", quantity).sort_values("x")
            error = curve["sd"].where(curve["sd"] > 0)
            ax.errorbar(
                curve.x,
                curve.value,
                yerr=error,
                color=COLOURS["noisy"],
                marker="o",
                ms=4,
                capsize=2,
                label="model",
            )
            ax.axvline(1.0, color="0.6", ls=":", zorder=0, label="calibrated")
            if recorded:
                ax.axhline(
                    _rows(table, which, "recorded", recorded).value.iloc[0],
                    color="black",
                    lw=1,
                    zorder=0,
                    label="cell",
                )
            ax.set(xlabel="noise / calibrated noise", ylabel=label, ylim=(0, None), xlim=(0, None))
            _plain(ax)
        row[0].set_title(f"recording {which}", loc="left", fontsize=10)
    axes[0, 0].legend(frameon=False, fontsize=8)
    return figure

"""Figures of the study `grasshopper`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..shared.figures import BLACK, BLUE, GREEN, ORANGE, PINK, YELLOW, finish, log_axis, points
from .config import LOWEST
from .verdicts import CUTOFF

COLOURS = {
    "recorded": BLACK,
    "noisy": BLUE,
    "LIF": YELLOW,
    "GLM": PINK,
    "without noise": ORANGE,
    "refitted without noise": GREEN,
}
_COHERENCE = ("recorded", "noisy", "refitted without noise")
_SEVERAL = ("noisy", "LIF", "GLM")
"""models whose trials differ"""
_STATISTICS = ("rate", "CV", "LV", "lag-1 correlation", "information bound per spike")
_AGAINST_NOISE = (
    ("information bound against noise", "information bound (bit/s)", "information bound"),
    ("reliability against noise", "reliability", None),
    ("rate against noise", "rate (Hz)", "rate"),
)


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """All figures by caption, the main figure first."""
    return {
        "Cell and models in the test half: spikes in 0.6 s, spike-triggered average of the sound level, and coherence of spikes "
        "and sound level for single trials of cell, noisy model and that refitted without noise (dotted: cut-off of the sound; "
        "shaded: 95 % of single trials of the noisy model are within, at all frequencies together). noisy: the adaptive neuron. "
        "LIF: without adaptation. GLM: Poisson GLM with history. without noise: the adaptive neuron with its noise switched off; "
        "refitted without noise: calibrated so.": plot(table),
        "Bits per spike of the held-out spikes given the spikes before, in segments of 0.5 s (dots), and their mean with its "
        "standard error (squares).": held_out(table),
        "Statistics of single trials: cell (line) and models (bars: SD over trials; those of a model without noise are all "
        "alike).": statistics(table),
        "Information bound, reliability and rate of the noisy model against its noise (bars: SD over trials).": (
            against_noise(table)
        ),
    }


def _rows(table: pd.DataFrame, which: int, model: str, quantity: str) -> pd.DataFrame:
    own = table[(table.recording == which) & (table.model == model) & (table.quantity == quantity)]
    return own.sort_values("x")


def plot(table: pd.DataFrame) -> Figure:
    """A row per recording: spikes of cell and models, spike-triggered average, coherence."""
    recordings = sorted(table.recording.unique())
    figure = Figure(figsize=(11, 3.1 * len(recordings)), layout="constrained")
    axes = figure.subplots(len(recordings), 3, width_ratios=[2.4, 1, 1], squeeze=False)
    for (raster, sta, coherence), which in zip(axes, recordings, strict=True):
        _raster(raster, table, which)
        for model, colour in COLOURS.items():
            width = 1.8 if model in ("recorded", "noisy") else 1.0
            average = _rows(table, which, model, "spike-triggered average")
            sta.plot(1e3 * average.x, average.value, color=colour, lw=width)
            if model in _COHERENCE:
                rows = _rows(table, which, model, "coherence")
                coherence.plot(rows.x, rows.value, color=colour, lw=width)
        _band(coherence, table, which)
        sta.axvline(0, color="0.85", zorder=0)
        coherence.axvline(CUTOFF.get(which, np.nan), color="0.8", ls=":", zorder=0)
        finish(sta, xlabel="time from the spike (ms)", ylabel="mean sound level (SD)")
        finish(coherence, xlabel="frequency (Hz)", ylabel="coherence in single trials", ylim=(0, 1))
    _legend(figure, axes[0, 1])
    return figure


def _legend(figure: Figure, ax: Any) -> None:
    """The legend of all models below the panels."""
    lines = [ax.plot([], [], color=colour, label=model)[0] for model, colour in COLOURS.items()]
    figure.legend(handles=lines, frameon=False, fontsize=9, loc="outside lower right", ncols=len(COLOURS))


def _band(ax: Any, table: pd.DataFrame, which: int) -> None:
    """The band of the coherence of single trials of the noisy model."""
    rows = _rows(table, which, "noisy", "coherence")
    band = _rows(table, which, "noisy", "coherence band").value
    if len(band):
        rows = rows[(rows.x >= LOWEST) & (rows.x <= CUTOFF.get(which, np.inf))]
        width = band.iloc[0] * rows.sd
        low, high = rows.value - width, rows.value + width
        ax.fill_between(rows.x, low, high, color=COLOURS["noisy"], alpha=0.15, lw=0)


def _raster(ax: Any, table: pd.DataFrame, which: int) -> None:
    top, ticks = 0.0, {}
    for model, colour in COLOURS.items():
        spikes = _rows(table, which, model, "spike (excerpt)")
        several = model in _SEVERAL  # trials of a model without noise are identical
        count, height = (int(spikes.value.max()) + 1, 1) if several else (1, 3)
        trials = [1e3 * spikes.x[spikes.value == k].to_numpy() for k in range(count)]
        places = top + height * (np.arange(count) + 0.5)
        ax.eventplot(trials, lineoffsets=places, linelengths=0.85 * height, linewidths=0.9, color=colour)
        ticks[model] = top + count * height / 2
        top += count * height + 1
    ax.set_yticks(list(ticks.values()), list(ticks))
    ax.tick_params(axis="y", length=0)
    title, time = f"recording {which}: spikes", "time in the test half (ms)"
    finish(ax, xlim=(1000, 1600), ylim=(top, -0.5), xlabel=time, title=title)
    ax.spines["left"].set_visible(False)


def held_out(table: pd.DataFrame) -> Figure:
    """Bits per spike of the noisy models in segments."""
    recordings, models = sorted(table.recording.unique()), ("noisy", "GLM", "LIF")
    figure = Figure(figsize=(3.4 * len(recordings), 2.8), layout="constrained")
    for ax, which in zip(figure.subplots(1, len(recordings), squeeze=False)[0], recordings, strict=True):
        for k, model in enumerate(models):
            parts = _rows(table, which, model, "bits per spike, by segment").value
            mean = _rows(table, which, model, "bits per spike").iloc[0]
            ax.plot(np.full(len(parts), k), parts, "o", ms=3, color=COLOURS[model], alpha=0.4)
            points(ax, k + 0.2, mean["value"], mean["sd"], fmt="s", color=COLOURS[model])
        ax.set_xticks(range(len(models)), models)
        ax.axhline(0, color="0.85", lw=0.8, zorder=0)
        limits = (-0.5, len(models) - 0.5)
        finish(ax, title=f"recording {which}", ylabel="bits per spike", xlim=limits)
    return figure


def statistics(table: pd.DataFrame) -> Figure:
    """Statistics of single trials."""
    recordings = sorted(table.recording.unique())
    figure = Figure(figsize=(11, 2.7 * len(recordings)), layout="constrained")
    axes = figure.subplots(len(recordings), 6, width_ratios=[1] * 5 + [1.5], squeeze=False)
    for row, which in zip(axes, recordings, strict=True):
        for ax, quantity in zip(row, _STATISTICS, strict=False):
            _points(ax, table, which, quantity)
        _fano(row[5], table, which)
        row[0].set_ylabel(f"recording {which}")
    _legend(figure, axes[0, 5])
    return figure


def _points(ax: Any, table: pd.DataFrame, which: int, quantity: str) -> None:
    names = list(COLOURS)[1:]
    for k, model in enumerate(names):
        row = _rows(table, which, model, quantity).iloc[0]
        points(ax, k, row["value"], row["sd"] if row["sd"] > 0 else None, fmt="o", color=COLOURS[model])
    recorded = _rows(table, which, "recorded", quantity).iloc[0]
    ax.axhline(recorded.value, color=BLACK, lw=1.2, zorder=0)
    ax.set_xticks([])
    finish(ax, xlim=(-0.5, len(names) - 0.5))
    title = quantity.replace(" per spike", "\nper spike")
    ax.set_title(title if recorded.unit == "1" else f"{title} ({recorded.unit})", fontsize=9)
    if quantity == "rate":
        ax.set_ylim(0, 1.05 * ax.get_ylim()[1])


def _fano(ax: Any, table: pd.DataFrame, which: int) -> None:
    for model, colour in COLOURS.items():
        rows = _rows(table, which, model, "Fano factor (windows)")
        points(ax, 1e3 * rows.x, rows.value, rows.sd.where(rows.sd > 0), fmt="o-", ms=3, color=colour)
    log_axis(ax, 1e3 * np.unique(rows.x))
    finish(ax, xlabel="window (ms)")
    ax.set_title("Fano factor", fontsize=9)


def against_noise(table: pd.DataFrame) -> Figure:
    """Information bound, reliability and rate of the noisy model against its noise."""
    recordings = sorted(table.recording.unique())
    figure = Figure(figsize=(9.5, 2.9 * len(recordings)), layout="constrained")
    axes = figure.subplots(len(recordings), 3, squeeze=False)
    for row, which in zip(axes, recordings, strict=True):
        for ax, (quantity, label, recorded) in zip(row, _AGAINST_NOISE, strict=True):
            curve = _rows(table, which, "sweep", quantity)
            error, first = curve.sd.where(curve.sd > 0), ax is axes[0, 0]
            points(ax, curve.x, curve.value, error, fmt="o-", color=BLUE, label="model" if first else None)
            ax.axvline(1.0, color="0.6", ls=":", zorder=0, label="calibrated" if first else None)
            if recorded:
                cell = _rows(table, which, "recorded", recorded).value.iloc[0]
                ax.axhline(cell, color=BLACK, lw=1, zorder=0, label="cell" if first else None)
            limits = {"xlim": (0, None), "ylim": (0, None)}
            finish(ax, xlabel="noise / calibrated noise", ylabel=label, **limits)
        row[0].set_title(f"recording {which}", loc="left", fontsize=10)
    return figure

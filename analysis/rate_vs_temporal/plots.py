"""Figures of the study `rate_vs_temporal`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from ..shared.figures import GREY, STYLES, curve, finish, log_axis, means
from ..shared.intervals import interval, mean_and_half
from .config import CLAIM
from .verdicts import (
    COST_OF_TIME,
    axis,
    decodable_noises,
    finest,
    half_costs,
    information_by_seed,
    recorded_settings,
    surplus,
)

CODES = {"words": "words", "latency": "first-spike latency", "count": "count"}
OVER_NULL = "information over the null (bit)"


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The main figure, words against resolution, and the recording where it is present."""
    drawn = {
        f"{CLAIM}. Left: information in words and first-spike latencies at the finest resolution, and in counts, against noise. "
        "Middle: words minus counts, for each time scale of the stimuli. Right: information in distances against their cost of "
        "time, a curve per noise; vertical lines: cost at which half is lost. Bars and bands: 95 % intervals over seeds.": plot(
            table
        ),
        "Information in words against bin width; the widest bin is the whole window (the count). Bars: 95 % intervals over "
        "seeds.": plot_resolutions(table),
    }
    if (table.part == "cortex").any():
        drawn[
            "Information in a recorded cortical neuron about eight windows of 150 ms, decoded by distance, four "
            "repeats of each, minus "
            "that of shuffled labels. Left: against the cost of time; thick lines: the two settings that are compared. Right: gain "
            "of timing against the reliability of the spikes (Gamma, 2 ms); bars: 95 % intervals over groups of windows."
        ] = plot_cortex(table)
    return drawn


def _style(k: int) -> dict[str, Any]:
    colour, marker, line = STYLES[k % len(STYLES)]
    return {"color": colour, "marker": marker, "ls": line, "mfc": "white"}


def plot(table: pd.DataFrame) -> Figure:
    """Information of each code against noise, surplus at each time scale, and distances against their cost of time."""
    figure = Figure(figsize=(10.5, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    taus, sigmas = axis(table, "tau"), axis(table, "sigma")
    for k, (code, name) in enumerate(CODES.items()):
        means(left, sigmas, [finest(table, code, taus[0], s) for s in sigmas], label=name, **_style(k))
    for k, t in enumerate(taus):
        label = f"stimuli of {1e3 * t:g} ms"
        means(middle, sigmas, [surplus(table, t, s) for s in sigmas], label=label, **_style(k))
    for ax in (left, middle):
        log_axis(ax, sigmas)
    middle.axhline(0, color=GREY, lw=0.8)
    noise, fastest = "noise sigma (mV)", f"stimuli of {1e3 * taus[0]:g} ms"
    finish(left, xlabel=noise, ylabel="raw information (bit)", ylim=(0, None), title=fastest)
    finish(middle, xlabel=noise, ylabel="surplus of timing (bit)", title="words minus counts")
    _distances(right, table, taus[0], sigmas)
    right.set_title(f"distances, {fastest}")
    return figure


def _costs(ax: Any, costs: np.ndarray) -> np.ndarray:
    """Positions of the costs on a logarithmic axis, 0 one step below the first."""
    places = np.where(costs > 0, costs, costs[1] / 2)
    shown = places[::2] if costs.size > 6 else places
    log_axis(ax, shown)
    ax.set_xticks(shown, ["0" if p == costs[1] / 2 else f"{p:g}" for p in shown])
    ax.axhline(0, color=GREY, lw=0.8)
    return places


def _distances(ax: Any, table: pd.DataFrame, tau: float, sigmas: list[float]) -> None:
    """Information in distances against their cost of time, a line per noise."""
    telling, top = decodable_noises(table, tau), 0.0
    for k, sigma in enumerate(sigmas):
        seeds, style = information_by_seed(table, "distance", tau, sigma), _style(k)
        places = _costs(ax, seeds.columns.to_numpy(dtype=float))
        mean, half = np.array([mean_and_half(seeds[q]) for q in seeds]).T
        ax.fill_between(places, mean - half, mean + half, color=style["color"], alpha=0.15, lw=0)
        ax.plot(places, mean, ms=4, lw=1.2, label=f"{sigma:g} mV", **style)
        if sigma in telling:
            at = float(stats.gmean(half_costs(table, tau, sigma)))
            ax.plot([at] * 2, [0, 0.5 * mean.max()], color=style["color"], ls=style["ls"], lw=0.9)
        top = max(top, mean.max())
    legend = {"title": "noise sigma", "title_fontsize": 8, "ncols": 3, "loc": "upper center"}
    finish(ax, legend=legend, xlabel="cost of time q (1/s)", ylabel=OVER_NULL)
    ax.set_ylim(top=1.45 * top)


def plot_resolutions(table: pd.DataFrame) -> Figure:
    """Information in words against bin width, a panel per time scale."""
    taus = axis(table, "tau")
    figure = Figure(figsize=(3.3 * len(taus) + 0.6, 3.3), layout="constrained")
    axes = figure.subplots(1, len(taus), sharey=True, squeeze=False)[0]
    place = {"title": "noise sigma", "title_fontsize": 8, "loc": "center left", "bbox_to_anchor": (1, 0.5)}
    for ax, t in zip(axes, taus, strict=True):
        for k, s in enumerate(axis(table, "sigma")):
            bits = pd.concat([information_by_seed(table, code, t, s) for code in ("words", "count")], axis=1)
            bits.columns = 1e3 * bits.columns.to_numpy(dtype=float)
            curve(ax, bits, label=f"{s:g} mV" if t == taus[-1] else None, **_style(k))
        log_axis(ax, bits.columns)
        finish(ax, legend=place, xlabel="bin width (ms)", title=f"stimuli of {1e3 * t:g} ms")
    axes[0].set_ylabel("raw information (bit)")
    return figure


def plot_cortex(table: pd.DataFrame) -> Figure:
    """Recorded neuron: information against the cost of time in each setting, and gain of timing against reliability."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for k, row in enumerate(recorded_settings(table).itertuples()):
        style, compared = _style(k), row.setting in (11, 12)
        places = _costs(left, row.curve.index.to_numpy(dtype=float))
        left.plot(places, row.curve, ls=style["ls"], color=style["color"], lw=2.2 if compared else 0.9)
        if compared:
            style["mfc"] = style["color"]
        middle, low, _ = interval(row.gain)
        right.errorbar(row.reliability, middle, middle - low, capsize=2, label=f"{row.setting:02d}", **style)
    right.axhline(0, color=GREY, lw=0.8)
    finish(left, xlabel="cost of time q (1/s)", ylabel=OVER_NULL)
    gain = f"gain of timing, cost {COST_OF_TIME:g} / s minus 0 (bit)"
    legend = {"title": "setting", "title_fontsize": 8, "ncols": 2}
    finish(right, legend=legend, xlabel="reliability (Gamma, 2 ms)", ylabel=gain)
    return figure

"""Figures of the study `rate_vs_temporal`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from ..shared.intervals import interval
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


def plot(table: pd.DataFrame) -> Figure:
    """Information of each code against noise, surplus at each time scale, and distances against their cost of time."""
    figure = Figure(figsize=(10.5, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    taus, sigmas = axis(table, "tau"), axis(table, "sigma")
    draw_codes(
        left,
        sigmas,
        {
            code: [interval(finest(table, code, taus[0], s)) for s in sigmas]
            for code in ("words", "latency", "count")
        },
    )
    left.set_title(f"stimuli of {1e3 * taus[0]:g} ms", fontsize=10)
    draw_surplus(middle, sigmas, {t: [interval(surplus(table, t, s)) for s in sigmas] for t in taus})
    middle.set_title("words minus counts", fontsize=10)
    curves = {s: information_by_seed(table, "distance", taus[0], s) for s in sigmas}
    telling = decodable_noises(table, taus[0])
    draw_distances(right, curves, {s: float(stats.gmean(half_costs(table, taus[0], s))) for s in telling})
    right.set_title(f"distances, stimuli of {1e3 * taus[0]:g} ms", fontsize=10)
    return figure


def plot_resolutions(table: pd.DataFrame) -> Figure:
    """Information in words against bin width, a panel per time scale."""
    taus, sigmas = axis(table, "tau"), axis(table, "sigma")
    figure = Figure(figsize=(3.3 * len(taus) + 0.6, 3.3), layout="constrained")
    axes = figure.subplots(1, len(taus), sharey=True, squeeze=False)[0]
    for ax, t in zip(axes, taus, strict=True):
        draw_resolutions(
            ax,
            {
                s: pd.concat(
                    [information_by_seed(table, "words", t, s), information_by_seed(table, "count", t, s)],
                    axis=1,
                )
                for s in sigmas
            },
            legend=t == taus[-1],
        )
        ax.set_title(f"stimuli of {1e3 * t:g} ms", fontsize=10)
    axes[0].set_ylabel("raw information (bit)")
    return figure


def plot_cortex(table: pd.DataFrame) -> Figure:
    """Recorded neuron: information against the cost of time, and gain of timing against reliability."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_cortex(left, right, recorded_settings(table))
    right.set_ylabel(f"gain of timing, cost {COST_OF_TIME:g} / s minus 0 (bit)")
    return figure


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


COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9", "#707070")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES: tuple[Any, ...] = (
    "-",
    "--",
    "-.",
    (0, (1, 1)),
    (0, (6, 1.5)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (8, 2, 1, 2)),
)


def _bars(ax: Any, x: Any, intervals: Any, k: int, label: str) -> None:
    middle, low, high = np.array(intervals).T
    ax.errorbar(
        x, middle, yerr=[middle - low, high - middle], fmt=MARKERS[k], ls=LINES[k], color=COLOURS[k],
        lw=1.2, ms=4.5, capsize=2, mfc="white", label=label,
    )  # fmt: skip


def _finish(ax: Any, ticks: Any, name: Any = "{:g}".format) -> None:
    ax.set_xscale("log")
    ax.set_xticks(ticks, [name(t) for t in ticks])
    ax.minorticks_off()
    ax.spines[["top", "right"]].set_visible(False)


def draw_codes(ax: Any, sigmas: list[float], codes: dict[str, Any]) -> None:
    """Information against noise, a line per code."""
    names = {"words": "words", "latency": "first-spike latency", "count": "count"}
    for k, (code, intervals) in enumerate(codes.items()):
        _bars(ax, sigmas, intervals, k, names[code])
    _finish(ax, sigmas)
    ax.set(xlabel="noise sigma (mV)", ylabel="raw information (bit)", ylim=(0, None))
    ax.legend(frameon=False, fontsize=8)


def draw_surplus(ax: Any, sigmas: list[float], surplus: dict[float, Any]) -> None:
    """Words minus counts against noise, a line per time scale."""
    for k, (tau, intervals) in enumerate(surplus.items()):
        _bars(ax, sigmas, intervals, k, f"stimuli of {1e3 * tau:g} ms")
    ax.axhline(0, color="#707070", lw=0.8)
    _finish(ax, sigmas)
    ax.set(xlabel="noise sigma (mV)", ylabel="surplus of timing (bit)")
    ax.legend(frameon=False, fontsize=8)


def _costs(ax: Any, costs: np.ndarray) -> np.ndarray:
    """Positions of the costs on a logarithmic axis, 0 one step below the first."""
    places = np.where(costs > 0, costs, costs[1] / 2)
    ax.set_xscale("log")
    shown = places[::2] if costs.size > 6 else places
    ax.set_xticks(shown, ["0" if p == costs[1] / 2 else f"{p:g}" for p in shown])
    ax.minorticks_off()
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel("cost of time q (1/s)")
    return places


def draw_distances(ax: Any, curves: dict[float, pd.DataFrame], halves: dict[float, float]) -> None:
    """Information in distances against their cost of time, a line per noise."""
    for k, (sigma, seeds) in enumerate(curves.items()):
        places = _costs(ax, seeds.columns.to_numpy(dtype=float))
        middle, low, high = np.array([interval(seeds[q].to_numpy()) for q in seeds]).T
        ax.fill_between(places, low, high, color=COLOURS[k], alpha=0.15, lw=0)
        ax.plot(
            places,
            middle,
            ls=LINES[k],
            marker=MARKERS[k],
            ms=4,
            mfc="white",
            color=COLOURS[k],
            lw=1.2,
            label=f"{sigma:g} mV",
        )
        if sigma in halves:
            ax.plot([halves[sigma]] * 2, [0, 0.5 * middle.max()], color=COLOURS[k], ls=LINES[k], lw=0.9)
    ax.axhline(0, color="#707070", lw=0.8)
    ax.set_ylabel("information over the null (bit)")
    ax.legend(
        frameon=False,
        fontsize=8,
        title="noise sigma",
        title_fontsize=8,
        ncols=3,
        loc="upper center",
        columnspacing=0.9,
        handlelength=1.8,
    )
    ax.set_ylim(top=1.45 * max(seeds.mean().max() for seeds in curves.values()))


def draw_resolutions(ax: Any, words: dict[float, pd.DataFrame], legend: bool) -> None:
    """Information in words against bin width, a line per noise."""
    for k, (sigma, seeds) in enumerate(words.items()):
        x = seeds.columns.to_numpy(dtype=float)
        _bars(ax, 1e3 * x, [interval(seeds[c].to_numpy()) for c in seeds], k, f"{sigma:g} mV")
    _finish(ax, 1e3 * x)
    ax.set_xlabel("bin width (ms)")
    if legend:
        place = {"loc": "center left", "bbox_to_anchor": (1, 0.5)}
        ax.legend(frameon=False, fontsize=8, title="noise sigma", title_fontsize=8, **place)


def draw_cortex(left: Any, right: Any, settings: pd.DataFrame) -> None:
    """Information against the cost of time in each setting; gain of timing against reliability."""
    for k, row in enumerate(settings.itertuples()):
        colour = COLOURS[k % len(COLOURS)]
        costs = row.curve.index.to_numpy(dtype=float)
        places = _costs(left, costs)
        compared = row.setting in (11, 12)
        left.plot(
            places,
            row.curve,
            ls=LINES[k % len(LINES)],
            color=colour,
            lw=2.2 if compared else 0.9,
            label=f"{row.setting:02d}",
        )
        middle, low, high = interval(row.gain)
        marker = MARKERS[k % len(MARKERS)]
        right.errorbar(
            row.reliability, middle, yerr=[[middle - low], [high - middle]], fmt=marker, ms=6 if compared else 4.5,
            capsize=2, color=colour, mfc=colour if compared else "white", label=f"{row.setting:02d}",
        )  # fmt: skip
    left.axhline(0, color="#707070", lw=0.8)
    left.set_ylabel("information over the null (bit)")
    right.axhline(0, color="#707070", lw=0.8)
    right.set_xlabel("reliability (Gamma, 2 ms)")
    right.spines[["top", "right"]].set_visible(False)
    right.legend(frameon=False, fontsize=8, title="setting", title_fontsize=8, ncols=2)

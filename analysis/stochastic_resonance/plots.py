"""Figures of the study `stochastic_resonance`."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ..shared.figures import BLACK, BLUE, GREEN, GREY, ORANGE, finish, log_axis, means, points
from ..shared.tables import where
from .config import CLAIM
from .verdicts import curve, replicates, simulated

SIGNALS = {"subthreshold": (BLUE, "o", "-"), "suprathreshold": (ORANGE, "s", "--")}
POOLS: tuple[tuple[str, str, Any], ...] = (
    (BLACK, "o", "-"),
    (ORANGE, "s", "--"),
    (BLUE, "^", "-."),
    (GREEN, "D", (0, (6, 1.5, 1, 1.5, 1, 1.5))),
)
BITS = "information (bit; points raw)"
TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """Information against noise, and the pools' maxima."""
    return {
        f"{CLAIM}. Lines: exact. Markers: simulated, with 2 standard errors. Left and middle: a subthreshold signal and, as the "
        "control, a suprathreshold one; dotted: exact maximum. Right: pools of units that share a signal around their threshold, "
        "simulated at discrete levels, which carry less at small noise; dotted: one bit, the value without noise.": plot(
            table
        ),
        "Information of a pool at its best noise. Line: exact. Markers: simulated at the nearest grid point, 95 % intervals "
        "over replicates. Dotted: without noise.": plot_gain(table),
    }


def plot(table: pd.DataFrame) -> Figure:
    """Information against noise: one unit, LIF neuron, pools."""
    figure = Figure(figsize=(10.5, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    _two_signals(left, table, "unit", xlabel="noise sigma (thresholds)", title="one unit, one step")
    _two_signals(middle, table, "LIF", xlabel="noise sigma (mV)", title="LIF neuron, spike count")
    sizes = _sizes(table)
    for k, style in zip(reversed(sizes), POOLS, strict=False):
        _against_noise(right, table, "pool", "Gaussian", style, f"{k} units" if k > 1 else "1 unit", k)
    right.axhline(1, color=GREY, lw=0.8, ls=":")
    top = 1.25 * max(curve(table, "pool", "Gaussian", k).exact.max() for k in sizes)
    _noise_axis(right)
    title, legend = "pool, number of spikes", {"ncols": 2, "loc": "upper left", "bbox_to_anchor": (0, 1.02)}
    finish(right, legend=legend, xlabel="noise SD / signal SD", ylabel=BITS, ylim=(0, top), title=title)
    return figure


def _sizes(table: pd.DataFrame) -> list[int]:
    return sorted(where(table, part="pool", kind="simulated").units.astype(int).unique())


def _against_noise(
    ax: Any,
    table: pd.DataFrame,
    part: str,
    signal: str,
    style: tuple[str, str, Any],
    label: str,
    units: int = 1,
) -> None:
    """Exact curve, and simulated points with two standard errors."""
    (colour, marker, line), exact = style, curve(table, part, signal, units)
    ax.plot(exact.sigma, exact.exact, ls=line, color=colour, lw=1.2)
    at = simulated(table, part, signal, units)
    points(ax, at.sigma, at.value, 2 * at.se, fmt=marker, color=colour, mfc="white", label=label)


def _noise_axis(ax: Any) -> None:
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    log_axis(ax, [t for t in TICKS if low <= t <= high])


def _two_signals(ax: Any, table: pd.DataFrame, part: str, **labels: str) -> None:
    """Information against noise for the two signals; the small values of the unit have a separate axis."""
    most = curve(table, part, "subthreshold").exact.max()
    other, (colour, marker, _) = ax, SIGNALS["suprathreshold"]
    if most < 0.2:
        other = ax.twinx()
        other.set_ylabel("information, control (bit; points raw)", color=colour)
        other.tick_params(axis="y", colors=colour)
        other.spines["top"].set_visible(False)
    _against_noise(ax, table, part, "subthreshold", SIGNALS["subthreshold"], "below threshold")
    _against_noise(other, table, part, "suprathreshold", SIGNALS["suprathreshold"], "control")
    if other is not ax:
        points(ax, [], [], fmt=marker, color=colour, mfc="white", label="control")
        ax.set_ylim(0, 1.4 * most)
        other.set_ylim(0, 1.4)
    best = curve(table, part, "subthreshold", kind="best").sigma.iloc[0]
    ax.axvline(best, color=BLUE, lw=0.8, ls=":")
    _noise_axis(ax)
    finish(ax, legend={"loc": "upper right"}, ylabel=BITS, **labels)
    ax.set_ylim(bottom=0)


def plot_gain(table: pd.DataFrame) -> Figure:
    """Information of a pool at its best noise, against its size."""
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    ax = figure.subplots()
    best = where(table, kind="best", part="pool").sort_values("units")
    ax.plot([1, *best.units], [1, *best.exact], "-", color=BLUE, lw=1.2, label="exact")
    at = best[best.units.isin(set(_sizes(table)) - {1})]
    bits = [replicates(table, "pool", "Gaussian", b.sigma, int(b.units)) for b in at.itertuples()]
    means(ax, at.units, bits, fmt="o", color=ORANGE, mfc="white", label="simulated")
    ax.axhline(1, color=GREY, lw=0.8, ls=":")
    log_axis(ax, [1, 2, 4, 8, 16, 32, 64, 128])
    finish(ax, xlabel="units in the pool", ylabel=f"largest {BITS}", ylim=(0, None))
    return figure

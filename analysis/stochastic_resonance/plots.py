"""Figures of the study `stochastic_resonance`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..shared.intervals import interval
from .config import CLAIM
from .verdicts import curve, replicates, simulated


def plot(table: pd.DataFrame) -> Figure:
    """Information against noise: one unit, LIF neuron, pools."""
    figure = Figure(figsize=(10.5, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for ax, part, title, label in (
        (left, "unit", "one unit, one step", "noise sigma (thresholds)"),
        (middle, "LIF", "LIF neuron, spike count", "noise sigma (mV)"),
    ):
        names = ("subthreshold", "suprathreshold")
        shown = {name: (simulated(table, part, name), curve(table, part, name)) for name in names}
        draw_two_signals(ax, shown, float(curve(table, part, names[0], kind="best").sigma.iloc[0]))
        ax.set(title=title, xlabel=label)
    own = table[(table.part == "pool") & (table.kind == "simulated")]
    sizes = sorted(own.units.astype(int).unique())
    draw_pool(
        right,
        {k: (simulated(table, "pool", "Gaussian", k), curve(table, "pool", "Gaussian", k)) for k in sizes},
    )
    right.set(title="pool, number of spikes", xlabel="noise SD / signal SD")
    return figure


def plot_gain(table: pd.DataFrame) -> Figure:
    """Information of a pool at its best noise, against its size."""
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    best = table[(table.kind == "best") & (table.part == "pool")].sort_values("units")
    sizes = set(table[(table.part == "pool") & (table.kind == "simulated")].units.astype(int)) - {1}
    at = best[best.units.isin(sizes)]
    bits = [replicates(table, "pool", "Gaussian", b.sigma, int(b.units)) for b in at.itertuples()]
    draw_gain(figure.subplots(), best, at.units.to_numpy(), bits)
    return figure


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


SIGNALS = {"subthreshold": ("#0072B2", "o", "-"), "suprathreshold": ("#D55E00", "s", "--")}
POOLS = (
    ("#000000", "o", "-"),
    ("#D55E00", "s", "--"),
    ("#0072B2", "^", "-."),
    ("#009E73", "D", (0, (6, 1.5, 1, 1.5, 1, 1.5))),
)


def _curve(
    ax: Any, points: pd.DataFrame, exact: pd.DataFrame, style: tuple[str, str, Any], label: str
) -> None:
    colour, marker, line = style
    ax.plot(exact.sigma, exact.exact, ls=line, color=colour, lw=1.2)
    ax.errorbar(
        points.sigma,
        points.value,
        yerr=2 * points.se,
        fmt=marker,
        ms=4.5,
        capsize=2,
        color=colour,
        mfc="white",
        label=label,
    )


def _finish(ax: Any) -> None:
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ticks = [t for t in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if low <= t <= high]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    ax.spines[["top", "right"]].set_visible(False)


def draw_two_signals(ax: Any, shown: dict[str, tuple[pd.DataFrame, pd.DataFrame]], best: float) -> None:
    """Information against noise for the two signals; the small values of the unit have a separate axis."""
    small = shown["subthreshold"][1].exact.max() < 0.2
    other = ax.twinx() if small else ax
    _curve(ax, *shown["subthreshold"], SIGNALS["subthreshold"], "below threshold")
    _curve(other, *shown["suprathreshold"], SIGNALS["suprathreshold"], "control")
    ax.axvline(best, color=SIGNALS["subthreshold"][0], lw=0.8, ls=":")
    ax.set_ylabel("information (bit; points raw)")
    ax.set_ylim(bottom=0)
    _finish(ax)
    handles, labels = ax.get_legend_handles_labels()
    if small:
        other.set_ylim(0, 1.4)
        ax.set_ylim(0, 1.4 * shown["subthreshold"][1].exact.max())
        other.set_ylabel("information, control (bit; points raw)", color=SIGNALS["suprathreshold"][0])
        other.tick_params(axis="y", colors=SIGNALS["suprathreshold"][0])
        other.spines["top"].set_visible(False)
        more = other.get_legend_handles_labels()
        handles, labels = handles + more[0], labels + more[1]
    ax.legend(handles, labels, frameon=False, fontsize=8, loc="upper right")


def draw_pool(ax: Any, shown: dict[int, tuple[pd.DataFrame, pd.DataFrame]]) -> None:
    """Information against noise for pools of several sizes."""
    for (k, curves), style in zip(reversed(shown.items()), POOLS, strict=False):
        _curve(ax, *curves, style, f"{k} units" if k > 1 else "1 unit")
    ax.axhline(1, color="#707070", lw=0.8, ls=":")
    ax.set_ylabel("information (bit; points raw)")
    ax.set_ylim(bottom=0)
    _finish(ax)
    ax.legend(frameon=False, fontsize=8, ncols=2, loc="upper left", bbox_to_anchor=(0, 1.02))
    ax.set_ylim(0, 1.25 * max(exact.exact.max() for _, exact in shown.values()))


def draw_gain(ax: Any, best: pd.DataFrame, sizes: np.ndarray, bits: list[np.ndarray]) -> None:
    """The largest information of a pool against its size."""
    ax.plot([1, *best.units], [1, *best.exact], "-", color="#0072B2", lw=1.2, label="exact")
    middle, low, high = np.array([interval(b) for b in bits]).T
    ax.errorbar(
        sizes,
        middle,
        yerr=[middle - low, high - middle],
        fmt="o",
        ms=5,
        capsize=2,
        color="#D55E00",
        mfc="white",
        label="simulated",
    )
    ax.axhline(1, color="#707070", lw=0.8, ls=":")
    ax.set_xscale("log", base=2)
    ticks = [1, 2, 4, 8, 16, 32, 64, 128]
    ax.set_xticks(ticks, [str(t) for t in ticks])
    ax.set(xlabel="units in the pool", ylabel="largest information (bit; points raw)", ylim=(0, None))
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8, loc="upper left")

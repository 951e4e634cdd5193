"""Figures of the study `surrogate_rationale`."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..shared.surrogate_rules import SURROGATES
from .config import CLAIM, SIGMA


def plot(table: pd.DataFrame) -> Figure:
    """Densities and surrogates; bias against weight / sigma; share of spikes that differ from the deterministic network."""
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    draw_densities(left, table)
    draw_bias(middle, table, SIGMA)
    draw_limit(right, table)
    return figure


def plot_bias(table: pd.DataFrame) -> Figure:
    """The bias alone."""
    figure = Figure(figsize=(5.6, 4.2), layout="constrained")
    draw_bias(figure.subplots(), table, SIGMA)
    return figure


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The three panels; the bias alone."""
    return {
        f"{CLAIM}. Left: the families' densities (lines) and the surrogates (dots). Middle: bias of noise-driven learning. Right: "
        "spikes that differ between the noisy and the deterministic network; bars: standard errors over trials.": plot(
            table
        ),
        "Bias of noise-driven learning against the effect of one spike on the membrane potential, in units of sigma.": plot_bias(
            table
        ),
    }


def _tidy(ax: Axes, columns: int = 1) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8, loc="upper left", ncols=columns, handlelength=1.2, columnspacing=0.8)


def draw_densities(ax: Axes, table: pd.DataFrame) -> None:
    """The families' densities (lines) and the surrogates (dots)."""
    for name, surrogate in SURROGATES.items():
        rows = table[(table.part == "density") & (table.case == name)].sort_values("x")
        shown = rows.value > 0
        ax.plot(rows.x[shown], rows.value[shown], color=surrogate.colour, lw=1.3)
        ax.plot(rows.x[shown][::3], rows.exact[shown][::3], "o", color=surrogate.colour, ms=3.5)
        label = f"{name}: {surrogate.name.split(',')[0]}"
        ax.plot([], [], "-o", color=surrogate.colour, lw=1.3, ms=3.5, label=label)
    ax.set(
        yscale="log", ylim=(1e-3, 12), xlabel="distance to threshold (widths)", ylabel="density (1 / width)"
    )
    ticks = [0.001, 0.01, 0.1, 1]
    ax.set_yticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    ax.set_title("noise densities and surrogates", fontsize=10)
    _tidy(ax, columns=2)


def draw_bias(ax: Axes, table: pd.DataFrame, sigma: float) -> None:
    """Bias of the gradient against the effect of one spike on the membrane potential, in units of sigma."""
    depth, reset = table[table.part == "depth"], table[table.part == "reset"]
    at = depth.sigma == sigma
    curves = (
        (depth[depth.case == "noise"], "#0072B2", "o-", "weight 1, sigma from .1 to 12.8"),
        (
            depth[(depth.case == "shared") & at],
            "#009E73",
            "s-",
            "sigma .4, weight 1 shared by 1, 2, 4, ... synapses",
        ),
        (depth[depth.case == "weaker"], "#56B4E9", "^-", "sigma .4, one weight from 1 down"),
        (reset[reset.case == "detached"], "#CC79A7", "v--", "two steps, path through reset omitted"),
        (reset[reset.case == "exact"], "#D55E00", "d--", "two steps, path through reset included"),
    )
    for rows, colour, style, label in curves:
        x = rows.weight / rows.sigma
        ax.plot(x, 100 * (rows.value / rows.exact - 1).abs(), style, color=colour, ms=4, lw=1.2, label=label)
    ax.set(xscale="log", yscale="log", ylim=(1e-3, 2e3))
    ticks = [0.01, 0.1, 1, 10]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ticks = [0.01, 0.1, 1, 10, 100]
    ax.set_yticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    ax.set(xlabel="effect of a spike on the potential / sigma", ylabel="|bias| of the gradient (%)")
    ax.set_title("bias of noise-driven learning", fontsize=10)
    _tidy(ax)


def draw_limit(ax: Axes, table: pd.DataFrame) -> None:
    """Share of spikes that differ from the deterministic network; bars: standard errors over trials."""
    limit = table[(table.part == "limit") & (table.reset == "hard")]
    for name, surrogate in SURROGATES.items():
        rows = limit[limit.case == name].sort_values("sigma")
        ax.errorbar(
            rows.sigma, 100 * rows.value, yerr=100 * rows.se, fmt="o-", ms=3.5, lw=1.2, color=surrogate.colour, label=name
        )  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("symlog", linthresh=0.01)
    ticks = [0, 0.01, 0.1, 1, 10]
    ax.set_yticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    ax.set(
        xlim=(3e-9, 2),
        ylim=(-0.002, 60),
        xlabel="width of the noise (thresholds)",
        ylabel="differing spikes (%)",
    )
    ax.set_title("deterministic limit", fontsize=10)
    _tidy(ax)

"""Figure of the study `surrogate_rationale`."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..shared.figures import BLUE, GREEN, ORANGE, PINK, SKY, finish, log_axis, points
from ..shared.surrogate_rules import SURROGATES
from ..shared.tables import where
from .config import CLAIM, SIGMA

LEGEND = {"loc": "upper left", "handlelength": 1.2, "columnspacing": 0.8}


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The three panels with their caption."""
    return {
        f"{CLAIM}. Left: the families' densities (lines) and the surrogates (dots). Middle: bias of noise-driven learning against "
        "the effect of one spike on the membrane potential, in units of sigma. Right: spikes that differ between the noisy and the "
        "deterministic network; bars: standard errors over trials.": plot(table)
    }


def plot(table: pd.DataFrame) -> Figure:
    """Densities and surrogates; bias against weight / sigma; share of spikes that differ from the deterministic network."""
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    limit = where(table, part="limit", reset="hard")
    for name, surrogate in SURROGATES.items():
        colour, label = surrogate.colour, f"{name}: {surrogate.name.split(',')[0]}"
        rows = table[(table.part == "density") & (table.case == name) & (table.value > 0)].sort_values("x")
        left.plot(rows.x, rows.value, color=colour, lw=1.3)
        left.plot(rows.x[::3], rows.exact[::3], "o", color=colour, ms=3.5)
        left.plot([], [], "-o", color=colour, lw=1.3, ms=3.5, label=label)
        rows = limit[limit.case == name].sort_values("sigma")
        points(right, rows.sigma, 100 * rows.value, 100 * rows.se, fmt="o-", color=colour, label=name, ms=3.5)
    log_axis(left, [0.001, 0.01, 0.1, 1], axis="y")
    two = LEGEND | {"ncols": 2}
    width, density = "distance to threshold (widths)", "density (1 / width)"
    title = "noise densities and surrogates"
    finish(left, legend=two, ylim=(1e-3, 12), xlabel=width, ylabel=density, title=title)
    _bias(middle, table)
    right.set_xscale("log")
    right.set_yscale("symlog", linthresh=0.01)
    ticks = [0, 0.01, 0.1, 1, 10]
    right.set_yticks(ticks, [f"{t:g}" for t in ticks])
    right.minorticks_off()
    labels = {"xlabel": "width of the noise (thresholds)", "ylabel": "differing spikes (%)"}
    limits = {"xlim": (3e-9, 2), "ylim": (-0.002, 60)}
    finish(right, legend=LEGEND, title="deterministic limit", **labels, **limits)
    return figure


def _bias(ax: Axes, table: pd.DataFrame) -> None:
    """Bias of the gradient against the effect of one spike on the membrane potential, in units of sigma."""
    depth, reset = table[table.part == "depth"], table[table.part == "reset"]
    shared = where(depth, case="shared", sigma=SIGMA)
    curves = (
        (depth[depth.case == "noise"], BLUE, "o-", "weight 1, sigma from .1 to 12.8"),
        (shared, GREEN, "s-", "sigma .4, weight 1 shared by 1, 2, 4, ... synapses"),
        (depth[depth.case == "weaker"], SKY, "^-", "sigma .4, one weight from 1 down"),
        (reset[reset.case == "detached"], PINK, "v--", "two steps, path through reset omitted"),
        (reset[reset.case == "exact"], ORANGE, "d--", "two steps, path through reset included"),
    )
    for rows, colour, style, label in curves:
        bias = 100 * (rows.value / rows.exact - 1).abs()
        ax.plot(rows.weight / rows.sigma, bias, style, color=colour, ms=4, lw=1.2, label=label)
    log_axis(ax, [0.01, 0.1, 1, 10])
    log_axis(ax, [0.01, 0.1, 1, 10, 100], axis="y")
    effect, title = "effect of a spike on the potential / sigma", "bias of noise-driven learning"
    finish(
        ax, legend=LEGEND, ylim=(1e-3, 2e3), xlabel=effect, ylabel="|bias| of the gradient (%)", title=title
    )

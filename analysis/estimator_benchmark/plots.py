"""Figures of the study `estimator_benchmark`."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..shared.figures import log_axis
from ..shared.tables import where
from .channels import ESTIMATORS
from .words import shown


def plot(table: pd.DataFrame) -> Figure:
    """Bias (top) and standard deviation (bottom) against trials; filled points: the estimator is in its regime."""
    names = shown(table)
    figure = Figure(figsize=(2.3 * len(names), 5.6), layout="constrained")
    axes = figure.subplots(2, len(names), sharex="col", squeeze=False)
    for column, channel in enumerate(names):
        for estimator, colour in ESTIMATORS.items():
            rows = where(table, channel=channel, estimator=estimator).sort_values("trials")
            if rows.empty:
                continue
            inside = rows["in regime"].to_numpy(dtype=bool)
            for ax, y in zip(axes[:, column], (rows["mean"] - rows.truth, rows.sd), strict=True):
                ax.plot(rows.trials, y, color=colour, lw=1.2, label=estimator)
                ax.plot(rows.trials[inside], y[inside], "o", color=colour, ms=4)
                ax.plot(rows.trials[~inside], y[~inside], "o", color=colour, ms=4, mfc="white")
        top, bottom = axes[:, column]
        top.set_title(
            f"{channel}\n(true value {table.truth[table.channel == channel].iloc[0]:.2f} bit)", fontsize=10
        )
        top.axhline(0, color="black", lw=0.8, zorder=0)
        top.set_yscale("symlog", linthresh=0.02)
        low, high = top.get_ylim()
        top.set_ylim(min(low, -0.03), max(high, 0.03))  # so that the axis has labels
        bottom.set_yscale("log")
        log_axis(bottom, np.unique(table.trials[table.channel == channel]))
        bottom.set_xlabel("trials per stimulus" if channel in ("words", "counts") else "samples")
        for ax in (top, bottom):
            ax.spines[["top", "right"]].set_visible(False)
            ax.tick_params(labelsize=8)
    axes[0, 0].set_ylabel("bias (bit)")
    axes[1, 0].set_ylabel("SD over repeats (bit)")
    handles = dict(zip(*reversed(axes[0, 0].get_legend_handles_labels()), strict=True))
    handles |= dict(zip(*reversed(axes[0, -1].get_legend_handles_labels()), strict=True))
    for face, text in (("black", "in its regime"), ("white", "outside its regime")):
        handles[text] = Line2D([], [], color="black", marker="o", ms=4, mfc=face, ls="")
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=7, frameon=False, fontsize=8)
    return figure

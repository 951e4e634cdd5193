"""Figures of the study `population_code`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..shared.intervals import mean_and_half
from .config import CLAIM
from .verdicts import by_population, error_of


def plot(table: pd.DataFrame) -> Figure:
    """Information, ratio of shuffled to true information, and correct trials against the number of neurons."""
    figure = Figure(figsize=(10.5, 3.7), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    model = table[table.part == "model"]
    information(left, model)
    shuffled(middle, model)
    decoding(right, model)
    return figure


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The main figure; estimators and retina."""
    second_figure = Figure(figsize=(8.5, 3.6), layout="constrained")
    cells = table[table.part == "retina"]
    panels = 2 if len(cells) else 1
    estimators(second_figure.add_subplot(1, panels, 1), table[table.part == "few trials"])
    if len(cells):
        recorded(second_figure.add_subplot(1, panels, 2), cells)
    return {
        f"{CLAIM}. Left: linear Fisher information (points; bars: two standard errors), linear response (lines) and the bound for "
        "equal gains in shared noise. Middle: information with shuffled trials over the true information; bars: 95 % intervals "
        "over populations. Right: correct trials of a cross-validated discriminant (points; bars: two standard errors) and the "
        "upper bound of a linear readout, Phi(d'/2) (lines).": plot(table),
        "Left: plug-in and corrected estimates from few trials, and the estimate from all trials (equal gains in shared noise); "
        "bars: two standard errors. Right, if the recordings are available: information of retinal ganglion cells about two "
        "moments of a film, with repeats in order and shuffled; bars: two standard errors over pairs of moments.": second_figure,
    }


COLOURS = {"private": "#0072B2", "equal": "#D55E00", "mixed": "#009E73"}
MARKERS = {"private": "o", "equal": "s", "mixed": "^"}
LINES = {"private": "-", "equal": "--", "mixed": "-."}
LABELS = {
    "private": "private noise",
    "equal": "shared noise, equal gains",
    "mixed": "shared noise, gains of both signs",
}


def _points(ax: Axes, name: str, mean: pd.Series, bar: Any, line: str = "") -> None:
    """Values of a population against its size, with bars."""
    fmt, colour = MARKERS[name] + line, COLOURS[name]
    ax.errorbar(
        mean.index, mean, yerr=bar, fmt=fmt, ms=5, lw=1.2, capsize=2, color=colour, label=LABELS[name]
    )


def _finish(ax: Axes, rows: pd.DataFrame, **labels: str) -> None:
    sizes = np.unique(rows.neurons).astype(int)
    ax.set_xscale("log")
    ax.set_xticks(sizes, [str(n) for n in sizes])
    ax.minorticks_off()
    ax.set(xlabel="number of neurons", **labels)
    ax.spines[["top", "right"]].set_visible(False)


def information(ax: Axes, model: pd.DataFrame) -> None:
    """Information against size, with linear response and the bound."""
    for name in ("private", "mixed", "equal"):
        _points(ax, name, by_population(model, name, "information").mean(), 2 * error_of(model, name))
        theory = by_population(model, name, "theory").mean()
        ax.plot(theory.index, theory, LINES[name], lw=1.2, color=COLOURS[name])
    limit = model.limit[model.condition == "equal"].iloc[0]
    ax.axhline(limit, color="black", lw=1, ls=":", label="bound for equal gains")
    ax.set_yscale("log")
    _finish(ax, model, ylabel="linear Fisher information (1/mV$^2$)")
    ax.legend(frameon=False, fontsize=8, loc="upper left")
    ax.set_ylim(top=ax.get_ylim()[1] * 4)  # room for the legend


def shuffled(ax: Axes, model: pd.DataFrame) -> None:
    """Ratio of shuffled to true information."""
    for name in ("equal", "private", "mixed"):
        ratio = by_population(model, name, "shuffled") / by_population(model, name, "information")
        half = ratio.apply(lambda values: mean_and_half(values)[1])
        _points(ax, name, ratio.mean(), half, LINES[name])
    ax.axhline(1, color="black", lw=0.8, zorder=0)
    _finish(ax, model, ylabel="information, shuffled / true")
    ax.legend(frameon=False, fontsize=8, loc="upper left")


def decoding(ax: Axes, model: pd.DataFrame) -> None:
    """Correct trials of a discriminant, and the upper bound of a linear readout."""
    for name in ("private", "mixed", "equal"):
        bar = 200 * error_of(model, name, "right se")
        _points(ax, name, 100 * by_population(model, name, "right").mean(), bar)
        best = 100 * by_population(model, name, "right at best").mean()
        ax.plot(best.index, best, LINES[name], lw=1.2, color=COLOURS[name])
    _finish(ax, model, ylabel="correct trials (%)")
    ax.set_ylim(50, 115)
    ax.set_yticks(range(50, 101, 10))
    ax.legend(frameon=False, fontsize=8, loc="upper left")


def estimators(ax: Axes, few: pd.DataFrame) -> None:
    """Plug-in and corrected estimates against trials."""
    for column, name, colour, mark in (
        ("plug-in", "plug-in", "#D55E00", "s--"),
        ("information", "corrected", "#0072B2", "o-"),
    ):
        by = few.groupby("trials")[column]
        bar = 2 * by.std(ddof=1) / np.sqrt(by.size())
        ax.errorbar(
            by.mean().index, by.mean(), yerr=bar, fmt=mark, ms=5, lw=1.2, capsize=2, color=colour, label=name
        )
    truth = few.groupby("population")["all trials"].first()
    ax.axhline(truth.mean(), color="black", lw=1, ls=":", label="all trials")
    ax.set(xlabel="trials per stimulus", ylabel="linear Fisher information (1/mV$^2$)")
    ax.set_title(f"{int(few.neurons.iloc[0])} neurons, shared noise, equal gains", fontsize=9)
    ax.set_ylim(0)
    ax.legend(frameon=False, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)


def recorded(ax: Axes, cells: pd.DataFrame) -> None:
    """Information of retinal cells, repeats in order and shuffled."""
    for column, name, colour, mark, size, fill in (
        ("shuffled", "repeats shuffled", "#D55E00", "s--", 9, "none"),
        ("information", "repeats in order", "#0072B2", "o-", 4, "#0072B2"),
    ):
        values = by_population(cells, "retina", column)
        bar = 2 * values.std(ddof=1) / np.sqrt(len(values))
        style: dict[str, Any] = {
            "fmt": mark,
            "ms": size,
            "mfc": fill,
            "color": colour,
            "lw": 1.2,
            "capsize": size / 2,
        }
        ax.errorbar(values.columns, values.mean(), yerr=bar, label=name, **style)
    ax.set_title("salamander retina, pairs of moments of a film", fontsize=9)
    _finish(ax, cells, ylabel="information, $d'^2$")
    ax.set_xlabel("number of cells")
    ax.set_yscale("log")
    ax.legend(frameon=False, fontsize=8)

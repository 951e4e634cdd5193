"""Figures of the study `population_code`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..shared.figures import BLUE, GREEN, ORANGE, curve, finish, log_axis, points
from .config import CLAIM
from .verdicts import by_population, error_of

LOOKS = {
    "private": (BLUE, "o", "-", "private noise"),
    "equal": (ORANGE, "s", "--", "shared noise, equal gains"),
    "mixed": (GREEN, "^", "-.", "shared noise, gains of both signs"),
}
FISHER = "linear Fisher information (1/mV$^2$)"


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


def plot(table: pd.DataFrame) -> Figure:
    """Information, ratio of shuffled to true information, and correct trials against the number of neurons."""
    figure = Figure(figsize=(10.5, 3.7), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    model = table[table.part == "model"]
    for name, (colour, marker, line, label) in LOOKS.items():
        of = {
            column: by_population(model, name, column)
            for column in ("information", "theory", "shuffled", "right", "right at best")
        }
        mean = {column: values.mean() for column, values in of.items()}
        style = {"fmt": marker, "color": colour, "label": label}
        x = mean["theory"].index
        points(left, x, mean["information"], 2 * error_of(model, name), **style)
        left.plot(mean["theory"], line, lw=1.2, color=colour)
        curve(middle, of["shuffled"] / of["information"], **style | {"fmt": marker + line})
        points(right, x, 100 * mean["right"], 200 * error_of(model, name, "right se"), **style)
        right.plot(100 * mean["right at best"], line, lw=1.2, color=colour)
    limit = model.limit[model.condition == "equal"].iloc[0]
    left.axhline(limit, color="black", lw=1, ls=":", label="bound for equal gains")
    middle.axhline(1, color="black", lw=0.8, zorder=0)
    place = {"loc": "upper left"}
    labels: tuple[dict[str, Any], ...] = (
        {"ylabel": FISHER, "yscale": "log"},
        {"ylabel": "information, shuffled / true"},
        {"ylabel": "correct trials (%)", "ylim": (50, 115), "yticks": range(50, 101, 10)},
    )
    for ax, own in zip((left, middle, right), labels, strict=True):
        log_axis(ax, np.unique(model.neurons))
        finish(ax, legend=place, xlabel="number of neurons", **own)
    left.set_ylim(top=left.get_ylim()[1] * 4)  # room for the legend
    return figure


def estimators(ax: Any, few: pd.DataFrame) -> None:
    """Plug-in and corrected estimates against trials."""
    for column, name, colour, mark in (
        ("plug-in", "plug-in", ORANGE, "s--"),
        ("information", "corrected", BLUE, "o-"),
    ):
        by = few.groupby("trials")[column]
        points(ax, by.mean().index, by.mean(), 2 * by.sem(), fmt=mark, color=colour, label=name)
    truth = few.groupby("population")["all trials"].first()
    ax.axhline(truth.mean(), color="black", lw=1, ls=":", label="all trials")
    ax.set_title(f"{int(few.neurons.iloc[0])} neurons, shared noise, equal gains", fontsize=9)
    finish(ax, xlabel="trials per stimulus", ylabel=FISHER, ylim=(0, None))


def recorded(ax: Any, cells: pd.DataFrame) -> None:
    """Information of retinal cells, repeats in order and shuffled."""
    for column, name, colour, mark, size, fill in (
        ("shuffled", "repeats shuffled", ORANGE, "s--", 9, "none"),
        ("information", "repeats in order", BLUE, "o-", 4, BLUE),
    ):
        values = by_population(cells, "retina", column)
        style = {"fmt": mark, "ms": size, "mfc": fill, "color": colour, "capsize": size / 2}
        points(ax, values.columns, values.mean(), 2 * values.sem(), label=name, **style)
    ax.set_title("salamander retina, pairs of moments of a film", fontsize=9)
    log_axis(ax, np.unique(cells.neurons))
    finish(ax, yscale="log", xlabel="number of cells", ylabel="information, $d'^2$")

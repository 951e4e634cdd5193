"""What the figures of all studies share: colours, points with error bars, curves of means, axes and legends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from .intervals import mean_and_half

BLUE, ORANGE, GREEN, PINK, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9"
YELLOW, BLACK, GREY, RED = "#E69F00", "#000000", "#707070", "#A8201A"
"""colours that colour-blind readers can tell apart"""
STYLES: tuple[tuple[str, str, Any], ...] = (
    (BLUE, "o", "-"),
    (ORANGE, "s", "--"),
    (GREEN, "^", "-."),
    (PINK, "D", ":"),
    (SKY, "v", (0, (5, 1))),
    (BLACK, "P", (0, (1, 1))),
    (YELLOW, "X", (0, (3, 1, 1, 1, 1, 1))),
    (GREY, "*", (0, (8, 2, 1, 2))),
)
"""colour, marker and line of curves in one panel"""


def points(ax: Any, x: Any, y: Any, error: Any = None, **style: Any) -> None:
    """Values with error bars."""
    ax.errorbar(x, y, error, **{"ms": 4.5, "lw": 1.2, "capsize": 2} | style)


def means(ax: Any, x: Any, groups: Iterable[Any], scale: Any = 1.0, **style: Any) -> None:
    """Means of groups of values with their 95 % intervals."""
    mean, half = scale * np.array([mean_and_half(values) for values in groups]).T
    points(ax, x, mean, half, **style)


def curve(ax: Any, values: pd.DataFrame, **style: Any) -> None:
    """Means of columns with their 95 % intervals, against the columns' names; rows are seeds, cells or other repetitions."""
    means(ax, values.columns, [values[x].dropna() for x in values], **style)


def log_axis(ax: Any, ticks: Any, axis: str = "x") -> None:
    """A logarithmic axis with labels at these ticks only."""
    ax.set(**{f"{axis}scale": "log"})
    getattr(ax, f"set_{axis}ticks")(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()


def equality(ax: Any, low: float, high: float, **style: Any) -> None:
    """The line of equal values."""
    ax.plot([low, high], [low, high], **{"color": GREY, "lw": 0.9, "zorder": 0} | style)


def finish(ax: Any, letter: Any = "", *, legend: Any = None, **labels: Any) -> None:
    """Labels and letter of a panel, its frame at the left and below, and a legend where lines have names."""
    ax.set(**labels)
    ax.spines[["top", "right"]].set_visible(False)
    if letter:
        ax.set_title(letter, loc="left", fontweight="bold", fontsize=10)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(**{"frameon": False, "fontsize": 8} | (legend or {}))

"""Figures of tables: a measure against a parameter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.aliases import Axes, DataFrame
from ..core.checks import suggest_keywords
from ..core.errors import NsnnError
from ..core.warn import warn
from .axes import COLOURS, POINTS, axes, check_columns, check_rows, finish, numbers, places, slant, with_unit

# columns whose values at one x are repeats, not groups
_REPEATS = ("point", "seed", "population", "neuron", "id", "measure")


@suggest_keywords
def measure_against(
    table: DataFrame,
    x: str,
    *,
    y: str = "value",
    se: str | None = "se",
    hue: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """A measure against a parameter: points with error bars of one standard error, or confidence limits, a colour for each `hue`.

    Points of one colour are joined in the order of x when x is numeric and each x occurs once; several rows
    of one x (neurons, say) stay points. A column x of text becomes categories in the order of the rows, or of a pandas
    Categorical. SI values of a table of `sweep` are drawn in mV, ms and so on.

    Parameters
    ----------
    table : DataFrame with a row per point, as `tabulate`, `over_time` and `sweep` make it. Where it has columns lower and upper, as
        of `tabulate(..., confidence=0.95)`, bars of the column "value" are these limits
    x, y : names of columns
    se : name of the column of standard errors (NaN: no bar), or None for no bars
    hue : name of the column that tells the groups apart, needed for rows of several measures. More than 7 groups go from dark to
        light; the legend names up to 7. Without hue a warning names a column left of y that differs between rows of one x
    ax : axes to draw on; None makes a new figure

    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> table = pd.DataFrame({"sigma (mV)": [2, 1], "value": [9.0, 4.0], "se": [0.5, 0.2]})
    >>> table = table.assign(measure="firing_rate", unit="Hz")
    >>> ax = measure_against(table, "sigma (mV)", ax=Figure().subplots())
    >>> ax.lines[0].get_xydata().tolist(), ax.get_xlabel(), ax.get_ylabel()
    ([[1.0, 4.0], [2.0, 9.0]], 'sigma (mV)', 'firing rate (Hz)')
    """
    from matplotlib import colormaps

    check_columns(table, [name for name in (x, y, se, hue) if name is not None])
    check_rows(table)
    label = measure_label(table, y, hue)
    at, names, x_label = places(table, x)
    numeric = not names
    heights = numbers(table[y], y)
    bars = None if se is None else numbers(table[se], se)[None].repeat(2, axis=0)
    if bars is not None and y == "value" and {"lower", "upper"} <= set(table.columns):
        bars = np.stack(
            [heights - numbers(table["lower"], "lower"), numbers(table["upper"], "upper") - heights]
        )
    if hue is None:
        _warn_of_groups(table, x, y)
    ax = axes(ax)
    groups: list[tuple[Any, np.ndarray]] = [(None, np.arange(len(table)))] if hue is None else []
    if hue is not None:
        own, _, title = places(table, hue)
        for name in table[hue].dropna().unique():
            rows = np.flatnonzero(table[hue] == name)
            groups.append((name if title == hue else f"{own[rows][0]:g}", rows))  # SI values of a sweep
    many = math.ceil(len(groups) / len(COLOURS)) or 1
    colours = COLOURS if many == 1 else colormaps["viridis"](np.linspace(0, 0.9, len(groups)))
    for k, (name, rows) in enumerate(groups):
        rows = rows[np.argsort(at[rows], kind="stable")]
        joined = numeric and np.unique(at[rows]).size == rows.size
        aside = 0.0 if numeric else 0.4 * ((k + 0.5) / len(groups) - 0.5)
        drawn = at[rows] + aside, heights[rows], None if bars is None else bars[:, rows]
        look = {"fmt": "o-" if joined else "o", "color": colours[k], **POINTS}
        ax.errorbar(*drawn, label=None if name is None else str(name), **look)
    if not numeric:
        ax.set_xticks(range(len(names)), names)
        ax.set_xlim(-0.5, len(names) - 0.5)
        slant(ax)
    if hue is not None:
        ax.legend(*(part[::many] for part in ax.get_legend_handles_labels()), frameon=False, title=title)
    ax.set(xlabel=x_label, ylabel=label)
    return finish(ax)


def _warn_of_groups(table: DataFrame, x: str, y: str) -> None:
    """Warn of a parameter that differs between rows of one x: their points would look like repeats."""
    if not table[x].duplicated().any():
        return
    for name in list(table.columns)[: list(table.columns).index(y)]:
        if name in (x, *_REPEATS):
            continue
        if table.groupby(x, observed=True)[name].nunique().max() > 1:
            warn(
                f"measure_against: rows of one {x!r} have several values of {name!r}, all in one colour; set hue={str(name)!r}"
            )
            return


def measure_label(table: DataFrame, y: str, hue: str | None, has_hue: bool = True) -> str:
    """Label of the axis of column y: the measure and its unit, where the table says them."""
    if y == "value" and "measure" in table.attrs:  # as of `over_time`
        name = str(table.attrs["measure"]).replace("_", " ")
        return with_unit(y if name == "<lambda>" else name, table.attrs["units"][y])
    if y != "value" or "measure" not in table.columns:
        return y
    names = [str(name) for name in table["measure"].unique()]
    if len(names) > 1 and hue != "measure":
        cure = f'select one, table[table["measure"] == {names[0]!r}]'
        cure += ', or set hue="measure"' if has_hue else ""
        raise NsnnError(f"table holds several measures, {names}: {cure}")
    units = [str(u) for u in table["unit"].unique()] if "unit" in table.columns else []
    return with_unit(
        (names[0] if len(names) == 1 else y).replace("_", " "), units[0] if len(units) == 1 else "1"
    )

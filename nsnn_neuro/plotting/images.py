"""Figures as images: heat map of a table, rate map of a Block, confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.aliases import Axes, DataFrame, SpikeSource, Time
from ..core.checks import did_you_mean, one_of, suggest_keywords
from ..core.errors import NsnnError
from ..core.units import shown
from ..measures import as_trains
from ..measures import psth as rate_histogram
from ..measures.table import unit_names
from .align import aligned, selection
from .axes import (
    axes,
    check_columns,
    check_rows,
    colour_bar,
    finish,
    log_axis,
    number_rows,
    numbers,
    places,
    slant,
    time_axis,
)
from .tables import measure_label

_MOST_TEXTS = 12  # classes of a confusion matrix whose cells hold legible numbers


@suggest_keywords
def heatmap(table: DataFrame, x: str, y: str, *, value: str = "value", ax: Axes | None = None) -> Axes:
    """A measure against two parameters of a sweep, as an image with a colour bar.

    A cell is the mean over the rows with its x and y (neurons or seeds, say); cells without a value stay white. Numbers are
    drawn to scale, on a logarithmic axis where they form a geometric series; texts in the order of the rows. SI values of a
    table of `sweep` are drawn in mV, ms and so on.

    Parameters
    ----------
    table : DataFrame with a row per point, as `sweep` and `tabulate` make it
    x, y, value : names of columns
    ax : axes to draw on; None makes a new figure

    Raises
    ------
    NsnnError : a column that the table lacks, values that are no numbers, several measures, a parameter that is NaN

    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> table = pd.DataFrame({"mu": [1, 2, 1, 2], "sigma": [3, 3, 4, 4], "value": [5.0, 6.0, 7.0, 8.0]})
    >>> table = table.assign(measure="firing_rate", unit="Hz")
    >>> ax = heatmap(table, "mu", "sigma", ax=Figure().subplots())
    >>> ax.collections[0].get_array().tolist(), ax.figure.axes[1].get_ylabel()
    ([[5.0, 6.0], [7.0, 8.0]], 'firing rate (Hz)')
    """
    check_columns(table, [x, y, value])
    check_rows(table)
    label = measure_label(table, value, None, has_hue=False)
    values = numbers(table[value], value)
    borders, cells, ticks = [], [], []
    for name in (x, y):
        at, names, text = places(table, name)
        if np.isnan(at).any():
            raise NsnnError(f"column {name!r} of the table has NaN: expected a number in each row")
        levels, cell = np.unique(at, return_inverse=True)
        borders.append(_borders(levels))
        cells.append((levels.size, cell))
        ticks.append((levels, names, text))
    (n_x, i), (n_y, j) = cells
    there = ~np.isnan(values)
    cell = (j * n_x + i)[there]
    counts = np.bincount(cell, minlength=n_x * n_y)
    sums = np.bincount(cell, values[there], minlength=n_x * n_y)
    mean = np.ma.masked_where(counts == 0, sums / np.maximum(counts, 1)).reshape(n_y, n_x)
    ax = axes(ax)
    image = ax.pcolormesh(*borders, mean, cmap="viridis")
    for which, axis, (levels, names, text) in zip("xy", (ax.xaxis, ax.yaxis), ticks, strict=True):
        if names:
            axis.set_ticks(levels, [names[int(k)] for k in levels])
        elif _geometric(levels):
            log_axis(ax, which, levels)
        axis.set_label_text(text)
    colour_bar(ax, image, label)
    slant(ax)
    return finish(ax)


@suggest_keywords
def rate_map(
    block: SpikeSource,
    *,
    bin_width: Time,
    neurons: Any = None,
    align: Any = None,
    window: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Mean rate over trials of each neuron (rows) against time, as an image; not the maps of place of `measures.rate_map`.

    Parameters
    ----------
    block : neo.Block, one Segment per trial, all of the same window
    bin_width : time, scalar
    neurons : list of numbers, ids or names, as of `raster`, in the order in which they are drawn from below; None is all
    align, window : times of events and (start, stop) of the plot, as for `psth`
    ax : axes to draw on; None makes a new figure

    Raises
    ------
    NsnnError : no such neuron, or what `psth` refuses

    >>> import quantities as pq
    >>> from matplotlib.figure import Figure
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.1, 0.2], [0.4]]], t_stop=0.5*pq.s)
    >>> ax = rate_map(block, bin_width=250*pq.ms, ax=Figure().subplots())
    >>> ax.collections[0].get_array().tolist(), ax.figure.axes[1].get_ylabel()
    ([[8.0, 0.0], [0.0, 4.0]], 'firing rate (Hz)')
    """
    trains, _ = aligned(as_trains(block), align, window)
    histogram = rate_histogram(trains, bin_width=bin_width)
    cells = selection(neurons, len(histogram.rate), "neurons", block)
    ax = axes(ax)
    rows = np.arange(cells.size + 1) - 0.5
    image = ax.pcolormesh(histogram.edges, rows, histogram.rate[cells], cmap="viridis", vmin=0)
    image.set_rasterized(True)
    number_rows(ax, cells, 1, "", unit_names(block, len(histogram.rate)))
    colour_bar(ax, image, "firing rate (Hz)")
    return time_axis(ax, align, "white")


@suggest_keywords
def confusion(result: Any, *, labels: Any = None, show: str = "counts", ax: Axes | None = None) -> Axes:
    """Confusion matrix: a row for each stimulus, a column for each decoded stimulus; colours are percents of a row.

    Up to 12 stimuli, each cell holds its number.

    Parameters
    ----------
    result : result of `measures.decode` or `measures.metric_space_information` (its matrix at q_max), or a matrix (K, K) of
        trials, stimulus by decoded stimulus; of a trained network, true by predicted class. It takes one matrix, not two lists of
        labels: `sklearn.metrics.confusion_matrix(y_true, y_pred)` counts them
    labels : the result's own names in another order, in which rows and columns are then drawn; or a dict {own name: new name},
        which renames some or all; or, for a matrix and a result whose own names are numbers, (K,) names in its order. None
        (default): its own, 0 to K - 1 for a matrix
    show : "counts" (trials) or "percent" (of the trials of a stimulus), the numbers in the cells
    ax : axes to draw on; None makes a new figure

    Raises
    ------
    NsnnError : a matrix that is not square or has negative numbers, another number of labels, labels of which not all are
        the result's, where those are texts, a dict with a name that the result lacks

    >>> from matplotlib.figure import Figure
    >>> ax = confusion([[9, 1], [2, 8]], labels=["left", "right"], ax=Figure().subplots())
    >>> [text.get_text() for text in ax.texts], ax.collections[0].get_array().tolist()
    (['9', '1', '2', '8'], [[90.0, 10.0], [20.0, 80.0]])
    """
    one_of(show, ("counts", "percent"), "show")
    matrix = np.asarray(getattr(result, "confusion", result), dtype=float)
    if matrix.ndim == 3 and hasattr(result, "corrected"):  # of metric_space_information, a matrix for each q
        matrix = matrix[int(np.argmax(result.corrected))]
    if matrix.ndim != 2 or len(set(matrix.shape)) != 1 or not matrix.size or not (matrix >= 0).all():
        raise NsnnError(
            f"result has a matrix of shape {matrix.shape}: expected (K, K) numbers of trials, at least 0"
        )
    k = len(matrix)
    given = np.asarray(getattr(result, "labels", ())).tolist()
    own = [str(name) for name in given]
    texts = any(isinstance(name, str) for name in given)
    names = _names(labels, own or [str(i) for i in range(k)], bool(own), texts)
    if sorted(names) == sorted(own):
        order = [own.index(name) for name in names]
        matrix = matrix[np.ix_(order, order)]
    total = matrix.sum(axis=1, keepdims=True)
    percent = np.divide(100 * matrix, total, out=np.zeros_like(matrix), where=total > 0)
    ax = axes(ax)
    edges = np.arange(k + 1) - 0.5
    image = ax.pcolormesh(edges, edges, percent, cmap="Blues", vmin=0, vmax=100)
    if k <= _MOST_TEXTS:
        for (row, column), share in np.ndenumerate(percent):
            text = f"{share:.0f} %" if show == "percent" else f"{round(float(matrix[row, column]), 1):g}"
            colour = "white" if share > 60 else "black"
            ax.text(column, row, text, ha="center", va="center", color=colour, fontsize="small")
        ax.set_xticks(np.arange(k), names)
        ax.set_yticks(np.arange(k), names)
    ax.invert_yaxis()
    ax.set_aspect("equal")
    ax.set(xlabel="decoded stimulus", ylabel="stimulus")
    colour_bar(ax, image, "% of row")
    slant(ax)
    return finish(ax)


def _names(labels: Any, own: list[str], named: bool, texts: bool) -> list[str]:
    """The names to write; `named`: the result has names of its own, of which a list must hold all, or none if not `texts`."""
    if labels is None:
        return own
    if isinstance(labels, Mapping):
        new = {str(old): str(name) for old, name in labels.items()}
        unknown = [name for name in new if name not in own]
        if unknown:
            raise NsnnError(
                f"labels has {unknown[0]!r}, which is no name in the result{did_you_mean(unknown[0], own)} (its names: "
                f"{shown(own)})"
            )
        return [new.get(name, name) for name in own]
    names = [str(name) for name in np.asarray(labels).tolist()] if np.ndim(labels) == 1 else []
    if len(names) != len(own):
        raise NsnnError(f"labels = {shown(labels)}: expected one for each of {len(own)} stimuli")
    if named and (texts or set(names) & set(own)) and sorted(names) != sorted(own):
        odd, left = ([x for x in one if x not in other] for one, other in ((names, own), (own, names)))
        what = f"{', '.join(map(repr, odd))}, not in the result" if odd else "names twice"
        raise NsnnError(
            f"labels has {what}, and lacks the result's {', '.join(map(repr, left))}: expected all of the result's names, which "
            f"sort it; rename with a dict such as labels={{{left[0]!r}: 'new name'}}"
        )
    return names


def _geometric(levels: np.ndarray) -> bool:
    """Whether levels are a geometric series, and no arithmetic one."""
    if levels.size < 3 or not levels[0] > 0:
        return False
    ratios = levels[1:] / levels[:-1]
    return bool(np.ptp(ratios) < 0.1 * (ratios.mean() - 1) and levels[-1] / levels[0] > 3)


def _borders(levels: np.ndarray) -> np.ndarray:
    """Borders of cells around sorted levels, (n + 1,): half-way between them, on the axis on which they are drawn."""
    if levels.size == 1:
        return np.array([levels[0] - 0.5, levels[0] + 0.5])
    if _geometric(levels):
        return np.exp(_borders(np.log(levels)))
    middle = (levels[1:] + levels[:-1]) / 2
    return np.concatenate([[2 * levels[0] - middle[0]], middle, [2 * levels[-1] - middle[-1]]])

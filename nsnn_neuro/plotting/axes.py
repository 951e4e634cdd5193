"""Axes of the figures: a new figure where none was given, the same frame, colours and units in all."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import quantities as pq

from ..core.aliases import Axes, DataFrame
from ..core.errors import NsnnError
from ..core.units import is_quantity, si, unit_of
from ..io.lookup import categories_of

# Okabe and Ito's colours without yellow, which is hard to see on white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK, SOFT, SPINE = "#1A1A1A", "#555555", "#999999"
# points with error bars
POINTS: dict[str, Any] = {"ms": 4.5, "lw": 1.2, "elinewidth": 1.0, "capsize": 2.0}
# SI unit -> factor and unit on an axis
_SHOWN = {
    "V": (1e3, "mV"),
    "A": (1e12, "pA"),
    "F": (1e12, "pF"),
    "S": (1e9, "nS"),
    "ohm": (1e-6, "Mohm"),
    "1/V": (1e-3, "1/mV"),
}

_MOST_TICKS = 8  # values on a logarithmic axis that each have their number


def axes(ax: Axes | None) -> Axes:
    """The axes given, or those of a new figure."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(6.4, 3.6), layout="constrained")[1]


def finish(ax: Axes) -> Axes:
    """Draw the two axes that carry numbers, in grey, and hide the other two."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(SPINE)
        ax.spines[side].set_linewidth(0.8)
    ax.tick_params(which="both", color=SPINE, width=0.8)
    return ax


def keep_in_view(ax: Axes, *, x: Iterable[float] = (), y: Iterable[float] = ()) -> None:
    """Widen axes with curves to these values, where they end without a margin; later curves widen them further."""
    edges = ax.get_children()[0].sticky_edges
    edges.x.extend(x)
    edges.y.extend(y)
    ax.update_datalim([(value, 0.0) for value in x], updatey=False)
    ax.update_datalim([(0.0, value) for value in y], updatex=False)
    ax.autoscale_view()


_SHORT = 0.02  # s; ticks of shorter axes have four decimals, of which Matplotlib sets too many


def time_axis(ax: Axes, align: Any, colour: str = SOFT) -> Axes:
    """Label the axis of time, mark the event that spikes were aligned to if there is one, and finish the axes."""
    from matplotlib.ticker import MaxNLocator

    if align is not None and min(ax.get_xlim()) <= 0 <= max(ax.get_xlim()):
        ax.axvline(0.0, color=colour, lw=0.8, ls=":")
    ax.set_xlabel("time (s)" if align is None else "time from event (s)")
    if np.ptp(ax.get_xlim()) <= _SHORT:
        ax.xaxis.set_major_locator(MaxNLocator(4))
    return finish(ax)


def number_rows(
    ax: Axes, numbers: np.ndarray, height: int, label: str, names: Sequence[str] | None = None
) -> None:
    """Ticks with the numbers of rows on the y axis; each number has `height` rows.

    names : of all neurons, "unit 17": their words are before the label, what follows these at the ticks
    """
    if names is not None:
        word, _ = names[0].split(" ", 1)
        numbers, label = np.array([names[j].removeprefix(f"{word} ") for j in numbers]), word + label
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

    if height > 1:
        step = int(np.diff(MaxNLocator(8, integer=True).tick_values(0, numbers.size))[0])
        middles = np.arange(0, numbers.size, max(1, step)) * height + (height - 1) / 2
        ax.yaxis.set_major_locator(FixedLocator(middles.tolist()))
    else:
        ax.yaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))

    def name(y: float, _: int | None = None) -> str:
        row = int(np.floor(y / height + 1e-9)) if height > 1 else round(y)
        return str(numbers[row]) if 0 <= row < numbers.size else ""

    ax.yaxis.set_major_formatter(FuncFormatter(name))
    ax.set_ylabel(label)


def log_axis(ax: Axes, which: str, values: np.ndarray) -> None:
    """Make the axis "x" or "y" logarithmic, with ticks at the values where they are few."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    (ax.set_xscale if which == "x" else ax.set_yscale)("log")
    if 0 < values.size <= _MOST_TICKS:
        axis.set_ticks(values, [f"{float(f'{value:.3g}'):g}" for value in values])
        axis.set_ticks([], minor=True)


def slant(ax: Axes) -> None:
    """Slant the labels of the x axis if they would overlap."""
    texts = ax.get_xticklabels()
    boxes = [text.get_window_extent() for text in texts]
    if any(right.x0 < left.x1 for left, right in itertools.pairwise(boxes)):
        for text in texts:
            text.set(rotation=30, ha="right", rotation_mode="anchor")


# of a legend, in sizes of its font: between columns; a handle; between handle and text
_GAP, _HANDLE, _PAD = 1.4, 1.4, 0.8
_TITLE = 1.8  # sizes of its font: room for a title


def legend_above(ax: Axes, n: int) -> None:
    """A legend of n entries above the axes, where it hides no data: in one row, or in several above narrow axes.

    A title stands above it, whether it was set before or is set later; without a layout of the figure, axes at its top are
    lowered for both.
    """
    from matplotlib.transforms import BboxTransformTo, ScaledTranslation, blended_transform_factory

    box, figure = _legend_above(ax, n).get_window_extent(), ax.figure
    over = box.y1 + _TITLE * float(ax.title.get_fontsize()) * figure.dpi / 72 - figure.bbox.y1
    if over > 0 and figure.get_layout_engine() is None:
        place = ax.get_position()
        ax.set_position((place.x0, place.y0, place.width, max(place.height - over / figure.bbox.height, 0.1)))
        ax.set_in_layout(True)
    # Matplotlib puts titles above inner axes, but not above legends
    inches = figure.dpi_scale_trans
    from_top = blended_transform_factory(
        ax.transAxes, inches + ScaledTranslation(0, 1, BboxTransformTo(ax.bbox))
    )
    ax.inset_axes((0, 0, 1, box.height / figure.dpi), transform=from_top).axis("off")


def _legend_above(ax: Axes, n: int) -> Any:
    place: dict[str, Any] = {
        "frameon": False,
        "loc": "lower left",
        "bbox_to_anchor": (0, 1),
        "handlelength": _HANDLE,
        "handletextpad": _PAD,
    }
    room = ax.get_window_extent().width
    legend = ax.legend(**place, ncols=n, columnspacing=_GAP)
    if legend.get_window_extent().width <= room:
        return legend
    small: dict[str, Any] = {"fontsize": "small", "labelspacing": 0.3, "borderpad": 0.0, "borderaxespad": 0.3}
    legend = ax.legend(**place, **small, ncols=n, columnspacing=_GAP)
    texts = legend.get_texts()
    font = float(texts[0].get_fontsize()) * ax.figure.dpi / 72
    width = np.array([text.get_window_extent().width for text in texts]) + (_HANDLE + _PAD) * font

    def total(columns: int) -> float:  # Matplotlib fills one column after the other
        parts = np.array_split(width, columns)
        return float(sum(part.max() for part in parts) + _GAP * font * (columns - 1))

    fitting = [k for k in range(1, n + 1) if total(k) <= room] or [1]
    rows = -(-n // max(fitting))  # the fewest; then the fewest columns, so that rows are alike
    columns = next(k for k in fitting if -(-n // k) == rows)
    return ax.legend(**place, **small, ncols=columns, columnspacing=_GAP)


def colour_bar(ax: Axes, image: Any, label: str) -> None:
    """A labelled colour bar to the right of the axes."""
    bar = ax.figure.colorbar(image, ax=ax, label=label)
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.ax.tick_params(color=SPINE, width=0.8)


def with_unit(name: str, unit: str) -> str:
    """Text of an axis: `name (unit)`, the name alone for the unit "1".

    >>> with_unit("firing rate", "Hz"), with_unit("CV", "1")
    ('firing rate (Hz)', 'CV')
    """
    return name if unit in ("", "1") else f"{name} ({unit})"


def scaled(values: np.ndarray, unit: str) -> tuple[np.ndarray, str]:
    """SI values in the unit of an axis, and that unit: mV, pA, pF, nS; ms where all times are below 1 s.

    >>> scaled(np.array([0.002, 0.015]), "V")
    (array([ 2., 15.]), 'mV')
    """
    factor, shown = _SHOWN.get(unit, (1.0, unit))
    if unit == "s" and np.nanmax(np.abs(values), initial=0.0) < 1:
        factor, shown = 1e3, "ms"
    return values * factor, shown


def check_columns(table: DataFrame, names: Sequence[str]) -> None:
    """Raise NsnnError unless the table has all these columns."""
    if not hasattr(table, "columns"):
        raise NsnnError(f"table = {type(table).__name__} object: expected a pandas DataFrame")
    for name in names:
        if name not in table.columns:
            raise NsnnError(
                f"table has no column {name!r}: expected one of {[str(c) for c in table.columns]}"
            )


def check_rows(table: DataFrame) -> None:
    """Raise NsnnError for a table without rows, as a selection gives that no row fits."""
    if not len(table):
        raise NsnnError(
            "table has no rows: expected some; a selection such as table[table.measure == 'cv'] is empty where no row fits"
        )


def numbers(column: Any, name: str) -> np.ndarray:
    """The column as floats, NaN where it holds nothing; raises NsnnError for text."""
    try:
        return column.to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        raise NsnnError(
            f"column {name!r} of the table holds {column.dtype} values: expected numbers"
        ) from None


def places(table: DataFrame, name: str) -> tuple[np.ndarray, list[str], str]:
    """Place of each row on an axis; names of the places 0, 1, ... of a column of text (else none); the axis' label.

    A table of `sweep` holds SI values and their units in `table.attrs["units"]`: they are drawn in mV, ms and so on.
    """
    try:
        values = table[name].to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        return *positions(table[name].to_numpy(dtype=object), categories_of(table[name])), name
    values, unit = scaled(values, table.attrs.get("units", {}).get(name, "1"))
    return values, [], with_unit(name, unit)


def positions(labels: np.ndarray, order: list[Any] | None = None) -> tuple[np.ndarray, list[str]]:
    """Places on an axis: of numbers their values; of texts 0, 1, ... in order of appearance, or that of `order`, and the texts.

    >>> positions(np.array(["b", "a", "b"]))
    (array([0., 1., 0.]), ['b', 'a'])
    """
    try:
        return labels.astype(float), []
    except (TypeError, ValueError):
        texts = [str(label) for label in labels.tolist()]
        names = list(dict.fromkeys(texts))
        if order is not None:
            places = [str(one) for one in order]
            names.sort(key=lambda name: places.index(name) if name in places else len(places))
        return np.array([names.index(text) for text in texts], dtype=float), names


def plain(values: Any) -> tuple[np.ndarray, str]:
    """Numbers, texts or a quantity as an array in the unit in which it is drawn, and that unit ("1" without).

    >>> plain([90, 180] * pq.deg)
    (array([ 90., 180.]), 'deg')
    """
    if isinstance(values, pq.Quantity):
        unit = str(values.dimensionality)
        return np.asarray(values.magnitude), "1" if unit == "dimensionless" else unit
    if is_quantity(values) and unit_of(values) != "?":
        return scaled(np.asarray(si(values, unit_of(values), "values")), unit_of(values))
    return np.asarray(values), "1"

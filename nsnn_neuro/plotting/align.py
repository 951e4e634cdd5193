"""Spikes relative to events, and trials of several conditions, for the figures against time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import neo
import numpy as np

from ..core.errors import NsnnError
from ..core.units import shown
from ..io.lookup import chosen_units, in_order, refuse_missing
from ..io.segments import unit_ids, unit_table
from ..io.selection import conditions as annotated
from ..io.spikes import time_window
from ..io.spikes.bins import rounding
from ..measures import Trains
from ..measures.event_windows import around_events
from .axes import plain


def aligned(trains: Trains, align: Any, window: Any) -> tuple[Trains, np.ndarray]:
    """Spikes in the window around each event as a Trains with a row for each event, and the trial of each row, (n_rows,).

    Times count from the event. Without align the rows are the trials, cropped to the window if there is one.

    align, window : as for `raster`
    """
    if window is None:
        if align is not None:
            raise NsnnError(
                "window = None: with align expected (start, stop), as in window=(-100*ms, 300*ms)"
            )
        return trains, np.arange(trains.n_trials)
    low, high = time_window(window, "window")
    if align is None:
        apart = np.fmax(trains.resolution, rounding(low, high))
        for k in np.flatnonzero((low < trains.t_start - apart) | (high > trains.t_stop + apart)):
            raise NsnnError(
                f"window = {shown(window)}: without align it is on the trials' own clock, and trial {k} runs from "
                f"{trains.t_start[k]:g} to {trains.t_stop[k]:g} s; choose a window within all trials, or give align, the times of "
                "the events that the window is relative to"
            )
        return trains.crop(low, high), np.arange(trains.n_trials)
    return around_events(trains, align, low, high)


def of_trials(trains: Trains, rows: np.ndarray) -> Trains:
    """The chosen trials alone, in ascending order."""
    new = np.full(trains.n_trials, -1)
    new[np.sort(rows)] = np.arange(rows.size)
    keep, rows = new[trains.trial] >= 0, np.sort(rows)
    return replace(
        trains,
        times=trains.times[keep],
        neuron=trains.neuron[keep],
        trial=new[trains.trial[keep]],
        n_trials=rows.size,
        t_start=trains.t_start[rows],
        t_stop=trains.t_stop[rows],
    )


def labels_of(block: Any, conditions: Any) -> Any:
    """The labels that an annotation of the Segments holds, where `conditions` is its name; else `conditions`."""
    if not isinstance(conditions, str):
        return conditions
    try:
        return annotated(block, conditions)
    except NsnnError as error:
        raise NsnnError(str(error).replace("name = ", "conditions = ", 1)) from None


def groups_of(conditions: Any, trial: np.ndarray, n_trials: int) -> list[tuple[str, np.ndarray]]:
    """Name and rows of each condition, sorted or in the order of the categories of a pandas Categorical.

    `trial` is the trial of each row.
    """
    labels, unit = plain(conditions)
    if labels.ndim == 1 and labels.size == n_trials and labels.size != trial.size:
        labels = labels[trial]
    if labels.ndim != 1 or labels.size != trial.size:
        events = "" if trial.size == n_trials else f" or each event, {trial.size}"
        raise NsnnError(
            f"conditions = {shown(conditions)}: expected a label for each trial, {n_trials}{events}"
        )
    refuse_missing(labels.tolist(), "conditions")
    names = in_order(list(dict.fromkeys(labels.tolist())), conditions)
    after = "" if unit == "1" else f" {unit}"
    texts = [f"{n:g}{after}" if isinstance(n, float) else f"{n}{after}" for n in names]
    return [(text, np.flatnonzero(labels == n)) for text, n in zip(texts, names, strict=True)]


def selection(numbers: Any, n: int, name: str, block: Any = None) -> np.ndarray:
    """`numbers` (None: all) as an array of different numbers from 0 to n - 1; of a Block's units also ids, names or a dict."""
    if numbers is None:
        return np.arange(n)
    texts = [numbers] if isinstance(numbers, str) else numbers if isinstance(numbers, list | tuple) else []
    if isinstance(block, neo.Block) and (
        isinstance(numbers, dict) or any(isinstance(one, str) for one in texts)
    ):
        chosen = chosen_units(block.annotations.get("populations"), unit_table(block), n, numbers, name)
        return np.array(list(dict.fromkeys(chosen.tolist())))
    array = np.atleast_1d(np.asarray(numbers))
    good = array.ndim == 1 and array.size and array.dtype.kind in "iu" and np.unique(array).size == array.size
    if not good or array.min() < 0 or array.max() >= n:
        ids = unit_ids(block, n)
        cure = f", or an id as a text, such as {str(ids[0])!r}" if ids else ""
        raise NsnnError(
            f"{name} = {shown(numbers)}: expected different whole numbers from 0 to {n - 1}{cure}"
        )
    return array


def one_neuron(block: Any, neuron: Any, n: int, name: str = "neuron", cure: str = "") -> int:
    """The number of a single neuron of n; raises NsnnError for several."""
    chosen = selection(neuron, n, name, block)
    if chosen.size > 1:
        raise NsnnError(f"{name} = {shown(neuron)}: expected one neuron, got {chosen.size}{cure}")
    return int(chosen[0])

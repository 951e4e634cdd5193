"""Spikes relative to events, and trials of several conditions, for the figures against time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.bins import rounding
from ..core.errors import NsnnError
from ..core.units import shown, si
from ..io.train_arrays import session_clock
from ..measures import Trains
from .axes import plain


def aligned(trains: Trains, align: Any, window: Any) -> tuple[Trains, np.ndarray]:
    """Spikes in the window around each event as a Trains with a row for each event, and the trial of each row, (n_rows,).

    Times count from the event. Without align the rows are the trials, cropped to the window if there is one.

    Parameters
    ----------
    align : one time; (n_trials,) times, one for each trial; a list with the times of each trial's events; of a Block with
        one trial all times are its events
    window : (start, stop), times relative to the event

    Raises
    ------
    NsnnError : numbers of times and trials that differ, align without window, no event, a window that leaves its trial
    """
    if window is None:
        if align is not None:
            raise NsnnError(
                "window = None: with align expected (start, stop), as in window=(-100*ms, 300*ms)"
            )
        return trains, np.arange(trains.n_trials)
    low, high = _window(window)
    if align is None:
        _check_within(trains, window, low, high)
        return trains.crop(low, high), np.arange(trains.n_trials)
    event, trial = _events(align, trains.n_trials)
    start, stop = event + low, event + high
    apart = np.fmax(trains.resolution, rounding(start, stop))
    for k in np.flatnonzero((start < trains.t_start[trial] - apart) | (stop > trains.t_stop[trial] + apart)):
        first, last = trains.t_start[trial[k]], trains.t_stop[trial[k]]
        raise NsnnError(
            f"align has an event at {event[k]:g} s in trial {trial[k]}: its window, {start[k]:g} to {stop[k]:g} s, leaves the "
            f"trial, which runs from {first:g} to {last:g} s; take a shorter window or leave out the event"
            + session_clock(event[k], first, last)
        )
    # spikes of a trial in the order of time: those of a window are a slice
    order = np.lexsort((trains.times, trains.trial))
    times, begin = trains.times[order], np.searchsorted(trains.trial[order], np.arange(trains.n_trials + 1))
    end = np.where(stop >= trains.t_stop[trial] - apart, stop + apart, stop - apart)
    slices = [
        begin[t] + np.searchsorted(times[begin[t] : begin[t + 1]], edges)
        for t, *edges in zip(trial, start - apart, end, strict=True)
    ]
    spikes = np.concatenate([np.arange(*ends) for ends in slices])
    row = np.repeat(np.arange(event.size), [b - a for a, b in slices])
    relative = np.clip(times[spikes] - event[row], low, high)
    edges = np.tile([low, high], (event.size, 1))
    rows = Trains.from_arrays(relative, trains.neuron[order][spikes], row, trains.n_neurons, edges)
    return replace(rows, resolution=float(apart)), trial


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


def groups_of(conditions: Any, trial: np.ndarray, n_trials: int) -> list[tuple[str, np.ndarray]]:
    """Name and rows of each condition; `trial` is the trial of each row. Numbers are sorted, texts in order of appearance.

    Raises
    ------
    NsnnError : labels that are neither one for each trial nor one for each event
    """
    labels, unit = plain(conditions)
    if labels.ndim == 1 and labels.size == n_trials and labels.size != trial.size:
        labels = labels[trial]
    if labels.ndim != 1 or labels.size != trial.size:
        events = "" if trial.size == n_trials else f" or each event, {trial.size}"
        raise NsnnError(
            f"conditions = {shown(conditions)}: expected a label for each trial, {n_trials}{events}"
        )
    names = list(dict.fromkeys(labels.tolist()))
    if labels.dtype.kind in "iufb":
        names = sorted(names)
    after = "" if unit == "1" else f" {unit}"
    texts = [f"{n:g}{after}" if isinstance(n, float) else f"{n}{after}" for n in names]
    return [(text, np.flatnonzero(labels == n)) for text, n in zip(texts, names, strict=True)]


def selection(numbers: Any, n: int, name: str) -> np.ndarray:
    """`numbers` (None: all) as an array of different numbers from 0 to n - 1."""
    if numbers is None:
        return np.arange(n)
    array = np.atleast_1d(np.asarray(numbers))
    good = array.ndim == 1 and array.size and array.dtype.kind in "iu" and np.unique(array).size == array.size
    if not good or array.min() < 0 or array.max() >= n:
        raise NsnnError(f"{name} = {shown(numbers)}: expected different whole numbers from 0 to {n - 1}")
    return array


def _window(window: Any) -> tuple[float, float]:
    if np.ndim(window) != 1 or len(window) != 2:
        raise NsnnError(f"window = {shown(window)}: expected (start, stop), as in (-100*ms, 300*ms)")
    low, high = (float(si(t, "s", "window")) for t in window)
    if not -np.inf < low < high < np.inf:
        raise NsnnError(f"window = {shown(window)}: expected a start before the stop")
    return low, high


def _check_within(trains: Trains, window: Any, low: float, high: float) -> None:
    """Raise NsnnError for a window on the trials' own clock that leaves a trial."""
    apart = np.fmax(trains.resolution, rounding(low, high))
    for k in np.flatnonzero((low < trains.t_start - apart) | (high > trains.t_stop + apart)):
        raise NsnnError(
            f"window = {shown(window)}: without align it is on the trials' own clock, and trial {k} runs from "
            f"{trains.t_start[k]:g} to {trains.t_stop[k]:g} s; choose a window within all trials, or give align, the times of the "
            "events that the window is relative to"
        )


def _events(align: Any, n_trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Time (s) and trial of each event."""
    listed: Sequence[Any]
    if isinstance(align, list | tuple):
        listed = align
        if n_trials == 1 and all(np.ndim(times) == 0 for times in align):
            listed = [si(align, "s", "align") if align else []]
        else:
            listed = [si(times, "s", f"align[{k}]") for k, times in enumerate(align)]
    else:
        times = np.asarray(si(align, "s", "align"))
        listed = [times] * n_trials if times.ndim == 0 else [times] if n_trials == 1 else list(times)
    if len(listed) != n_trials or any(np.ndim(times) > 1 for times in listed):
        raise NsnnError(
            f"align has times for {len(listed)} trials: expected one time, or the times of each trial, {n_trials}"
        )
    parts = [np.atleast_1d(np.asarray(times, dtype=float)) for times in listed]
    event = np.concatenate(parts)
    if not event.size or not np.isfinite(event).all():
        raise NsnnError(f"align = {shown(align)}: expected at least one event, at finite times")
    return event, np.repeat(np.arange(n_trials), [part.size for part in parts])

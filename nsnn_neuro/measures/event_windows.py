"""Spikes relative to events as trials of a `Trains`, for PSTHs and rasters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.errors import NsnnError
from ..core.units import shown, si
from ..core.warn import warn
from ..io.spikes.bins import rounding
from .trains import Trains


def around_events(
    trains: Trains, align: Any, low: float | None, high: float | None, *, allow_partial: bool = False
) -> tuple[Trains, np.ndarray]:
    """Spikes in a window around each event, a Trains with a row per event, and the trial of each row.

    Times count from the event. A row lasts from `low` to `high` (s from the event), or as its trial
    does where these are None; `allow_partial` lets it end with the trial.

    align : one time; (n_trials,) times, one for each trial; a list with the times of each trial's
        events; of a Block with one trial all times are its events
    """
    event, trial = _events(align, trains.n_trials)
    if (low is None or high is None) and event.size > trains.n_trials:
        raise NsnnError(
            f"align = {shown(align)}: {event.size} events in {trains.n_trials} trials need a window: pass t_start and t_stop"
        )
    first, last = trains.t_start[trial], trains.t_stop[trial]
    start = first if low is None else event + low
    stop = last if high is None else event + high
    if low is not None and high is not None and not low < high:
        raise NsnnError(
            f"t_start = {low:g} s, t_stop = {high:g} s, from the event: expected a start before the stop"
        )
    apart = np.fmax(trains.resolution, rounding(start, stop))
    if not allow_partial:
        check_windows(trains, event, trial, start, stop)
    else:
        start = np.clip(start, first, last)
        stop = np.clip(stop, start, last)
        if not (stop > start).any():
            raise NsnnError(
                f"align = {shown(align)}: no window around an event has a part of its trial; trials run from {first.min():g} to "
                f"{last.max():g} s"
            )
    edges = np.stack([start - event, stop - event], axis=1)
    for column, end in enumerate((low, high)):
        if end is not None and not allow_partial:
            edges[:, column] = end
    rows = trains.around(event, trial, start, stop, edges, float(apart))
    return replace(rows, resolution=float(apart)), trial


def refuse_event_name(align: Any, name: str) -> None:
    """NsnnError for a text in place of times: `cut` and `align` of a Block take names of events, measures and figures don't."""
    if isinstance(align, str):
        raise NsnnError(
            f"{name} = {align!r}: expected times such as 20*ms; nsnn.cut(block, {align!r}, ...) makes trials around events of this "
            f"name, nsnn.align(block, {align!r}) puts one of each trial at its time 0"
        )


def check_windows(
    trains: Trains, event: np.ndarray, trial: np.ndarray, start: np.ndarray, stop: np.ndarray
) -> None:
    """NsnnError for the first window, `start` to `stop` on the trial's clock, of an event that leaves its trial, all (n,), s."""
    first, last = trains.t_start[trial], trains.t_stop[trial]
    apart = np.fmax(trains.resolution, rounding(start, stop))
    for k in np.flatnonzero((start < first - apart) | (stop > last + apart)):
        clocks = ""
        if not first[k] <= event[k] <= last[k]:
            clocks = (
                ". The event itself is outside its trial: if it is on the session's clock and trials have their own, subtract "
                "segment.annotations['start_time'] of its trial ('event_time' after cut or align)"
            )
        raise NsnnError(
            f"align has an event at {event[k]:g} s in trial {trial[k]}: its window, {start[k]:g} to {stop[k]:g} s, leaves the "
            f"trial, which runs from {first[k]:g} to {last[k]:g} s; take a shorter window, leave out the event, or cut longer "
            f"trials from the recording (nsnn.cut; of a file loaded with trials=False){clocks}"
        )


def warn_overlap(rows: Trains, align: Any, n_trials: int, name: str, curve: np.ndarray | None = None) -> None:
    """One warning that counts the windows which overlap with another one: `name` counts their spikes more than once.

    rows : of `around_events`, made of `align` and `n_trials`
    curve : (n_rows,) whole numbers: windows of different curves are not counted together
    """
    event, trial = _events(align, n_trials)
    curve = np.zeros(event.size) if curve is None else curve
    start, stop = event + rows.t_start, event + rows.t_stop
    # windows of one length, cut at the trial's ends, are in the order of their starts and of their stops
    order = np.lexsort((start, curve, trial))
    start, stop, trial, curve = start[order], stop[order], trial[order], curve[order]
    shared = (stop[:-1] > start[1:] + rows.resolution) & (trial[1:] == trial[:-1]) & (curve[1:] == curve[:-1])
    number = np.count_nonzero(np.append(shared, False) | np.insert(shared, 0, False))
    if number:
        warn(
            f"{name}: {number} of {start.size} windows overlap with another one, so that spikes are counted more than once and the "
            "confidence band is too narrow; take a shorter window or leave out events"
        )


def _events(align: Any, n_trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Time (s) and trial of each event."""
    refuse_event_name(align, "align")
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

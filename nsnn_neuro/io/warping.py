"""Warp the clocks of trials, piecewise linearly, so that their events fall on common times."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import neo
import numpy as np
import quantities as pq

from ..core.aliases import SpikeSource, Time
from ..core.checks import suggest_keywords
from ..core.errors import NsnnError
from ..core.units import shown
from ..core.warn import warn
from .event_times import event_seconds, trial_times
from .lookup import EVENT_TIME, START_TIME
from .segments import moved, rebuilt, retimed
from .spikes import Trains
from .spikes.arrays import seconds
from .spikes.bins import rounding

_LARGE_STRETCH = 4.0  # rates change by this factor


@suggest_keywords
def warp(block: SpikeSource, events: Any, *, to: Time | None = None) -> neo.Block:
    """The same trials, each with its clock stretched between its events so that they fall on common times.

    Piecewise linear time warping: event j of each trial comes to to[j], and times between two events are interpolated. Spikes
    before the first and after the last event are shifted with it, not stretched, so that trials begin and end at different times;
    measures that compare times across trials need a window that all have.

    Events, epochs (both ends) and irregularly sampled signals move with the spikes. Analog signals and image sequences move along
    in trials that are only shifted; they are not resampled, so a stretched trial loses them, and a warning says how many. A stretch
    by a divides the rate by a; one above 4 or below 1/4 is warned about. Labels, units and annotations stay, but for "dt".

    Warping removes differences of timing between trials. Spike patterns relative to the events survive; whatever the times of
    the events tell, such as a stimulus coded by latency, is lost. Where that is the question, do not warp.

    Parameters
    ----------
    block : neo.Block, one Segment per trial
    events : (n_trials, n_events) times, two or more in each trial, in order, with a unit or in seconds, on the trial's own clock;
        or a list of names, each as `align` takes it: ["stimulus", "lever"]
    to : (n_events,) times of the events after warping; None (default): their medians over trials

    Raises
    ------
    NsnnError : events that are missing, NaN, outside their trial or not in ascending order (the warp would fold time), fewer than
        two, or `to` of another length or not in order. Source: Williams et al. 2020, doi 10.1016/j.neuron.2019.10.020, whose fits
        without events are `measures.fit_warp`

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> trials = to_block([[[0.1, 0.3, 0.9]], [[0.1, 0.5, 0.9]]], t_stop=1*pq.s)
    >>> warped = warp(trials, [[0.2, 0.4], [0.2, 0.8]]*pq.s, to=[0.2, 0.6]*pq.s)
    >>> [segment.spiketrains[0].magnitude.round(9).tolist() for segment in warped.segments]
    [[0.1, 0.4, 1.1], [0.1, 0.4, 0.7]]
    """
    spikes = Trains.from_block(block)
    n = spikes.n_trials
    if isinstance(events, list | tuple) and events and all(isinstance(one, str) for one in events):
        old = np.stack([trial_times(block, one) for one in events], axis=1)
    else:
        old = event_seconds(events, "events")
    if old.ndim != 2 or len(old) != n or old.shape[1] < 2:
        raise NsnnError(
            f"events has shape {old.shape}: expected ({n}, n_events), two or more times for each of {n} trials; align takes one"
        )
    new = np.median(old, axis=0) if to is None else event_seconds(to, "to")
    if new.shape != old.shape[1:]:
        raise NsnnError(f"to = {shown(to)}: expected {old.shape[1]} times, one for each event of a trial")
    apart = max(spikes.resolution, rounding(old, new))
    inside = (old >= spikes.t_start[:, None] - apart) & (old <= spikes.t_stop[:, None] + apart)
    for k in np.flatnonzero(~inside.all(axis=1)).tolist():
        raise NsnnError(
            f"events[{k}] = {old[k].tolist()} s: expected finite times within trial {k}, which runs from "
            f"{spikes.t_start[k]:g} to {spikes.t_stop[k]:g} s, on its own clock; leave out trials without an event with "
            "select(block, trials=...), and divide milliseconds without a unit by 1000"
        )
    for name, row in [*((f"events[{k}]", row) for k, row in enumerate(old)), ("to", new)]:
        if (np.diff(row) <= apart).any():
            raise NsnnError(
                f"{name} = {row.tolist()} s: expected ascending times, as the warp would fold time otherwise; reorder the events "
                "or leave this trial out with select(block, trials=...)"
            )
    factor = np.diff(new) / np.diff(old)
    large = (np.maximum(factor, 1 / factor) > _LARGE_STRETCH).any(axis=1)
    if large.any():
        k = int(np.argmax(large))
        warn(
            f"warp: {large.sum()} of {n} trials are stretched or compressed by a factor of more than {_LARGE_STRETCH:g}, first "
            f"trial {k} by {factor[k].round(2).tolist()}: its rates change as much; check its events or leave it out"
        )
    return warped(block, spikes, old, np.broadcast_to(new, old.shape), "warp")


def warped(block: neo.Block, spikes: Trains, old: np.ndarray, new: np.ndarray, name: str) -> neo.Block:
    """The Block with the times old (n_trials, k), s, of each trial at `new`; interpolated between them, shifted outside.

    spikes : all those of the block
    name : of the caller, for the warning about signals that are lost
    """
    resolution = max(spikes.resolution, rounding(old, new))
    borders = np.searchsorted(spikes.trial, np.arange(spikes.n_trials + 1))
    times = np.empty_like(spikes.times)
    edges = np.stack([spikes.t_start, spikes.t_stop], axis=1)
    contents, lost = [], 0
    for k, segment in enumerate(block.segments):
        by = new[k] - old[k]

        def place(t: np.ndarray, at: np.ndarray = old[k], by: np.ndarray = by) -> np.ndarray:
            return t + np.interp(t, at, by)

        piece = slice(borders[k], borders[k + 1])
        edges[k] = place(edges[k])
        times[piece] = np.clip(place(spikes.times[piece]), *edges[k])
        if np.ptp(by) <= resolution:
            contents.append(moved(segment, -float(by[0])))
            continue
        content = retimed(segment, place)
        for before, after in zip(segment.epochs, content["epochs"], strict=True):
            if np.size(before.durations):
                ends = place(seconds(before.times) + seconds(before.durations))
                after.durations = pq.Quantity(ends, pq.s) - after.times
        contents.append(content)
        lost += len(segment.analogsignals) + len(segment.imagesequences)
    if lost:
        warn(f"{name}: {lost} analog signals and image sequences of stretched trials are left out")
    spikes = replace(spikes, times=times, t_start=edges[:, 0], t_stop=edges[:, 1], resolution=resolution)
    result = rebuilt(spikes, contents, block, block.segments)
    result.annotations.pop("dt", None)  # times are no multiples of it any more
    for segment in result.segments:  # times of the session by name are refused from here on
        segment.annotations.setdefault(EVENT_TIME, segment.annotations.get(START_TIME, 0.0))
    return result

"""Cut a recording into trials around events, and align the clocks of trials.

`cut` makes one Segment of each event from a continuous recording; `align` keeps the trials and shifts their clocks. Both are
exact: a spike at t on the recording's clock is at t - event on the trial's. `selection` chooses and joins trials and units.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import neo
import numpy as np

from ..core.aliases import SpikeSource, Time
from ..core.checks import one_of, suggest_keywords
from ..core.errors import NsnnError
from .event_times import Events, read_events, trial_times
from .lookup import EVENT_TIME, LABEL, START_TIME
from .segments import SAMPLED, TIMED, cut_signal, cut_timed, moved, rebuilt
from .spikes import Trains, first_after, scalar_time
from .spikes.bins import rounding

_MILLISECONDS = "events without a unit are seconds: divide milliseconds by 1000"


@suggest_keywords
def cut(
    block: SpikeSource, events: Any, *, before: Time, after: Time, labels: Any = None, overlap: str = "error"
) -> neo.Block:
    """Trials around events: a Segment per event with all that lies in [event - before, event + after), time 0 at the event.

    Each Segment is annotated with "event_time" (s, on the clock of `block`), "label" where there are labels, and what is known of
    the event: the columns of a table of intervals, for instance, and the start of the interval, "start_time". The Block keeps its
    annotations, the table "units" among them.
    Analog signals and image sequences are cut at their own samples: the first one comes up to one interval after -before. Events,
    irregularly sampled signals and epochs (with their full duration, where they start) are cut as spikes are; an object without
    any in a window is not in that trial. A window that ends with the recording holds a spike at its end. The Block's annotation
    "resolution" (s) is the rounding error of times on the clock of the recording, not the sampling interval: measures take times
    as equal that are no further apart.

    Parameters
    ----------
    block : neo.Block, in general one Segment with the whole recording, `load(path, trials=False)` for an NWB file
    events : (n_events,) times in order, with a unit or in seconds; a neo.Event or neo.Epoch (its starts); or the name of one in the
        block, "trials", or of a column of times, "trials.go_cue"; a Ts, Tsd (its values are labels) or IntervalSet (its starts)
        of pynapple; or a DataFrame with the times (s) in its column time, start_time, start or onset, and further columns, which
        become annotations of the Segments. Of several segments a list with the events of each (None: none)
    before, after : times, scalar; a negative `before` begins the trials after the event
    labels : (n_events,) numbers or texts, or the name of a column of the events; None takes the events' own
    overlap : "error" refuses windows that overlap; "repeat" gives each window its spikes, so that some occur in several trials,
        and annotates each segment with overlaps, True or False

    Raises
    ------
    NsnnError : no events; NaN, events out of order or outside the recording; windows that leave the recording or, with "error",
        overlap; another number of labels; no event of that name

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> recording = to_block([[[0.2, 1.1, 1.25, 3.05]]], t_stop=4*pq.s)
    >>> trials = cut(recording, [1, 3]*pq.s, before=0.5*pq.s, after=0.5*pq.s, labels=["left", "right"])
    >>> [segment.spiketrains[0].magnitude.round(9).tolist() for segment in trials.segments]
    [[0.1, 0.25], [0.05]]
    >>> trials.segments[1].annotations
    {'event_time': 3.0, 'label': 'right'}
    """
    one_of(overlap, ("error", "repeat"), "overlap")
    low, high = 0.0 - scalar_time(before, "before"), scalar_time(after, "after")
    if not low < high:
        raise NsnnError(f"before = {before}, after = {after}: expected a window that begins before it ends")
    spikes = Trains.from_block(block)
    given = read_events(block, events, labels)
    _check_inside(spikes, given, low, high)
    start, stop = given.times + low, given.times + high
    tolerance = float(np.fmax(spikes.resolution, rounding(start, stop)))
    overlaps = np.zeros(start.size, dtype=bool)  # with the window of the next event
    overlaps[:-1] = (stop[:-1] > start[1:] + tolerance) & (given.segment[1:] == given.segment[:-1])
    if overlaps.any() and overlap == "error":
        k = int(np.argmax(overlaps))
        raise NsnnError(
            f"the windows of {np.count_nonzero(_with_next(overlaps))} of {given.times.size} events overlap with another, first "
            f"those of events[{k}] = {given.times[k]:g} s and events[{k + 1}] = {given.times[k + 1]:g} s, so that a spike "
            'would be in two trials: take a shorter window, leave out events, or pass overlap="repeat"'
        )
    edges = np.tile([low, high], (start.size, 1))
    cutout = spikes.around(given.times, given.segment, start, stop, edges, tolerance).at_least(tolerance)
    result = rebuilt(cutout, _contents(block, spikes, given, low, high, tolerance), block)
    single = len(block.segments) == 1
    for i, (segment, k) in enumerate(zip(result.segments, given.segment.tolist(), strict=True)):
        source = dict(block.segments[k].annotations)
        row = {name: column[i] for name, column in given.columns.items()}
        if single:
            source.pop(START_TIME, None)  # of the recording, not of a trial
        elif START_TIME in source:
            row.pop(START_TIME, None)
        for name in (EVENT_TIME, LABEL, "overlaps"):
            source.pop(name, None)
        segment.annotations.update(source | row)
        segment.annotations[EVENT_TIME] = float(given.times[i])
        if given.labels is not None:
            segment.annotations[LABEL] = given.labels[i]
        if overlap == "repeat":
            segment.annotations["overlaps"] = bool(_with_next(overlaps)[i])
    return result


@partial(suggest_keywords, cure="; cut(block, events, before=..., after=...) makes windows around events")
def align(block: SpikeSource, events: Any) -> neo.Block:
    """The same trials, each with its clock shifted so that time 0 is its event; windows of the trials may then differ.

    Spikes, signals, events and epochs move together. Each Segment is annotated with "event_time", the event on the clock that it
    had before, or after `cut` or `align` the event on the clock before these. Measures that compare times across trials need a
    window that all trials have (t_start and t_stop), or, as `measures.psth`, count how many trials cover each bin.

    Parameters
    ----------
    block : neo.Block, one Segment per trial
    events : one time for all trials, or (n_trials,) one for each, with a unit or in seconds, or an object with times as `cut`
        takes it, on the trial's own clock; the name
        of a neo.Event (neo.Epoch) of which each trial has exactly one, on the same clock; or that of an annotation of the
        Segments, such as a column of an NWB file's table of trials, in seconds, on the session's clock if they have one
        "start_time"

    Raises
    ------
    NsnnError : another number of events than of trials, NaN, an event outside its trial, a name that some trial has not once

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> trials = to_block([[[0.2, 0.9]], [[0.5]]], t_stop=1*pq.s)
    >>> aligned = align(trials, [0.2, 0.4]*pq.s)
    >>> [(float(t.t_start), t.magnitude.round(9).tolist()) for t in (s.spiketrains[0] for s in aligned.segments)]
    [(-0.2, [0.0, 0.7]), (-0.4, [0.1])]
    """
    spikes = Trains.from_block(block)
    times = trial_times(block, events)
    tolerance = float(np.fmax(spikes.resolution, rounding(times)))
    outside = np.flatnonzero((times < spikes.t_start - tolerance) | (times > spikes.t_stop + tolerance))
    if outside.size:
        k = int(outside[0])
        raise NsnnError(
            f"events[{k}] = {times[k]:g} s ({outside.size} of {times.size}) is outside its trial, which runs from "
            f"{spikes.t_start[k]:g} to {spikes.t_stop[k]:g} s: expected times on the trial's own clock (subtract the trial's start "
            f"from times of the session; {_MILLISECONDS})"
        )
    start, stop = spikes.t_start - times, spikes.t_stop - times
    moments = np.clip(spikes.times - times[spikes.trial], start[spikes.trial], stop[spikes.trial])
    spikes = replace(spikes, times=moments, t_start=start, t_stop=stop, resolution=tolerance)
    contents = [moved(segment, float(by)) for segment, by in zip(block.segments, times, strict=True)]
    result = rebuilt(spikes, contents, block, block.segments)
    for segment, by in zip(result.segments, times.tolist(), strict=True):
        segment.annotations[EVENT_TIME] = segment.annotations.get(EVENT_TIME, 0.0) + by
    return result


def _check_inside(spikes: Trains, given: Events, low: float, high: float) -> None:
    """Raise NsnnError for events outside the recording, and for windows that leave it."""
    first, last = spikes.t_start[given.segment], spikes.t_stop[given.segment]
    n = given.times.size
    tolerance = np.fmax(spikes.resolution, rounding(given.times + low, given.times + high))

    def which(k: int) -> str:
        place = f" of segment {given.segment[k]}" if spikes.n_trials > 1 else ""
        return f"{given.times[k]:g} s{place}, and the recording runs from {first[k]:g} to {last[k]:g} s"

    outside = np.flatnonzero((given.times < first - tolerance) | (given.times > last + tolerance))
    if outside.size:
        raise NsnnError(
            f"{outside.size} of {n} events are outside the recording, first events[{outside[0]}] = {which(int(outside[0]))}: leave "
            f"them out; {_MILLISECONDS}"
        )
    leaves = np.flatnonzero((given.times + low < first - tolerance) | (given.times + high > last + tolerance))
    if leaves.size:
        raise NsnnError(
            f"the windows of {leaves.size} of {n} events leave the recording, first that of events[{leaves[0]}] = "
            f"{which(int(leaves[0]))}: leave these events out, with their labels, or take a shorter window"
        )


def _with_next(overlaps: np.ndarray) -> np.ndarray:
    """(n,) True for each event of an overlapping pair."""
    result = overlaps.copy()
    result[1:] |= overlaps[:-1]
    return result


def _contents(
    block: neo.Block, spikes: Trains, given: Events, low: float, high: float, tolerance: float
) -> list[dict[str, list[Any]]]:
    """What each window holds besides spikes: name of the Neo container -> its objects."""
    kinds = (*SAMPLED, *TIMED)
    contents: list[dict[str, list[Any]]] = [{kind: [] for kind in kinds} for _ in given.times]
    for k, segment in enumerate(block.segments):
        events = np.flatnonzero(given.segment == k)
        zero = given.times[events]
        start, stop = zero + low, zero + high
        end = first_after(stop, float(spikes.t_stop[k]), tolerance)
        for kind in kinds if events.size else ():
            for one in getattr(segment, kind):
                if kind in SAMPLED:
                    pieces = cut_signal(one, start, stop, zero)
                else:
                    pieces = cut_timed(one, start - tolerance, end, zero, low, high)
                for i, piece in zip(events, pieces, strict=True):
                    contents[i][kind] += [] if piece is None else [piece]
    return contents

"""Convert Blocks, SpikeTrainLists and lists of arrays to flat spike times and recording windows, in seconds.

A `SpikeTrainList` that holds arrays is read as it is, without one object per train.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import neo
import numpy as np
import quantities as pq
from neo.core.spiketrainlist import SpikeTrainList

from ...core.errors import NsnnError
from ...core.units import floats, shown, si
from .bins import EPS, rounding, spacing

RESOLUTION = "resolution"
"""Annotation of a Block: spike times no further apart than this (s) may be one, as they were counted on a longer clock before."""

# Seconds in the common units, known by identity: `rescale` hashes units, which takes longer than reading a train.
_SECONDS = {id(unit): float(unit.rescale(pq.s).magnitude) for unit in (pq.s, pq.ms, pq.us)}


class Read(NamedTuple):
    """Spike trains of one trial, or of the repeats of one neuron, as they were read."""

    times: np.ndarray
    """(n_spikes,) s"""
    train: np.ndarray
    """(n_spikes,) position of each spike's train"""
    starts: np.ndarray
    """(n_trains,) s"""
    stops: np.ndarray
    """(n_trains,) s"""
    eps: float
    """relative spacing of the numbers that the times were stored in"""


def block_from(value: Any) -> str:
    """How to make a Block of a file name or of other values, for the end of a message."""
    if isinstance(value, str | os.PathLike):
        return f" (nsnn_neuro.load({shown(os.fspath(value))}) makes one)"
    if hasattr(value, "network") and hasattr(value, "save"):
        return (
            ' (a trained network is saved with fit.save("fit.npz"), its history and weights are in fit.block)'
        )
    if type(value).__name__ == "Network":
        return (
            ' (a trained network is saved with its fit, fit.save("fit.npz"); weights alone with '
            'numpy.savez("weights.npz", *network.get_weights()))'
        )
    if hasattr(value, "spike_trains"):
        return " (to_block(monitor) makes one)"
    return " (to_block makes one from lists of spike times)"


def declared_resolution(block: neo.Block) -> float:
    """What the Block's annotation says of the resolution of its times, s; 0 where it says nothing."""
    value = block.annotations.get(RESOLUTION)
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain and 0 < value < np.inf else 0.0


def read_segments(block: Any, name: str = "block") -> list[Read]:
    """The spike trains of each segment of a Block, as many in each; none has a time outside its own [t_start, t_stop]."""
    if not isinstance(block, neo.Block):
        given = shown(block) if isinstance(block, str | os.PathLike) else f"{type(block).__name__} object"
        raise NsnnError(
            f"{name} = {given}: expected a neo.Block with one Segment per trial{block_from(block)}"
        )
    if len(block.segments) == 0:
        raise NsnnError(f"{name} has no segments: expected one Segment per trial")
    parts = [read_trains(segment.spiketrains, f"segment {k}") for k, segment in enumerate(block.segments)]
    for k, part in enumerate(parts):
        if part.starts.size != parts[0].starts.size:
            raise NsnnError(
                f"{name}.segments[{k}] has {part.starts.size} spike trains, segments[0] has {parts[0].starts.size}: "
                "expected the same neurons in every trial, an empty train for a silent one"
            )
    return parts


def read_trains(trains: Any, where: str) -> Read:
    """The trains of a SpikeTrainList, or of a sequence of SpikeTrains and arrays (s, without a duration), named `where`."""
    if not isinstance(trains, SpikeTrainList):
        return _read_sequence(trains, where)
    # Only `_items` says whether the list holds arrays or objects; `multiplexed` is out of date once a train has been
    # appended, and reading a single train would make objects of all of them.
    items = getattr(trains, "_items", None)
    if items is not None:
        return _read_sequence(items, where)
    ids, quantity = trains.multiplexed
    n = len(trains)
    if not isinstance(quantity, pq.Quantity):  # neo's answer for a list without trains
        return Read(np.empty(0), np.empty(0, np.int64), np.empty(n), np.empty(n), EPS)
    scale, eps = _scale(quantity), spacing(quantity.magnitude)
    times = np.asarray(quantity.magnitude, dtype=float)
    times = times if scale == 1 else times * scale
    start, stop = (
        float(e.magnitude) * _scale(e) if isinstance(e, pq.Quantity) else float(e) * scale
        for e in (trains.t_start, trains.t_stop)
    )
    ids = np.asarray(ids).astype(np.int64, copy=False)
    channels = np.asarray(trains.all_channel_ids, dtype=np.int64)
    if not np.array_equal(channels, np.arange(n)):
        order = np.argsort(channels, kind="stable")
        place = np.minimum(np.searchsorted(channels, ids, sorter=order), n - 1)
        if not np.array_equal(channels[order][place], ids):
            raise NsnnError(f"{where}: a spike belongs to a channel that is not among all_channel_ids")
        ids = order[place]
    elif ids.size and (ids.min() < 0 or ids.max() >= n):
        raise NsnnError(f"{where}: a spike belongs to a channel that is not among all_channel_ids")
    if times.size and not np.isnan(times.min()):
        _check_range(times, start, stop, where, eps)
    return Read(times, ids, np.full(n, start), np.full(n, stop), eps)


def _read_sequence(items: Any, where: str) -> Read:
    """SpikeTrains (Neo has checked their range) or arrays (seconds, no duration)."""
    times: list[np.ndarray] = []
    eps = EPS
    edges = np.full((len(items), 2), np.nan)
    for k, item in enumerate(items):
        train = item.load() if hasattr(item, "load") else item
        if isinstance(train, neo.SpikeTrain):
            eps = max(eps, spacing(train.magnitude))
            times.append(np.asarray(train.magnitude, dtype=float) * _scale(train))
            edges[k] = [float(e.magnitude) * _scale(e) for e in (train.t_start, train.t_stop)]
            continue
        name, expected = f"{where}[{k}]", "a neo.SpikeTrain or a 1-D array of seconds"
        quantity = isinstance(train, pq.Quantity) or hasattr(train, "dim")
        array = np.asarray(si(train, "s", name)) if quantity else floats(train, name, expected)
        if array.ndim != 1:
            raise NsnnError(f"{name} = {shown(train)}: expected {expected}")
        eps = max(eps, spacing(train))
        times.append(array)
    trial = np.repeat(np.arange(len(items)), [t.size for t in times])
    return Read(np.concatenate([np.empty(0), *times]), trial, edges[:, 0], edges[:, 1], eps)


def _check_range(times: np.ndarray, start: float, stop: float, where: str, eps: float) -> None:
    """Raise NsnnError when a time is outside [start, stop] by more than the rounding of a change of units."""
    apart = max(1e-12, rounding(start, stop, eps=eps))
    if times.min() < start - apart or times.max() > stop + apart:
        bad = times[(times < start - apart) | (times > stop + apart)][0]
        raise NsnnError(f"spike time {bad} s in {where} is outside the train's own [t_start, t_stop]")


def extent(signals: Sequence[neo.AnalogSignal]) -> tuple[float, float]:
    """First start and last stop of the signals, s; zeros without signals."""
    start = min((float(seconds(signal.t_start)) for signal in signals), default=0.0)
    return start, max((float(seconds(signal.t_stop)) for signal in signals), default=0.0)


def _scale(quantity: Any) -> float:
    """Seconds in one unit of `quantity`."""
    units = quantity.dimensionality
    if len(units) == 1:
        ((unit, power),) = units.items()
        if power == 1 and id(unit) in _SECONDS:
            return _SECONDS[id(unit)]
    return float(quantity.units.rescale(pq.s).magnitude)


def seconds(value: Any) -> np.ndarray:
    """A quantities time, or plain numbers taken as seconds, as a float array in seconds."""
    array = np.asarray(getattr(value, "magnitude", value), dtype=float)  # double precision before rescaling
    return array * _scale(value) if isinstance(value, pq.Quantity) else array


_WITHIN_ALL = "pass t_start and t_stop that lie within all of them"


def different_windows(what: str, starts: np.ndarray, stops: np.ndarray, cure: str = _WITHIN_ALL) -> str:
    """Message for trains that should cover one window."""
    return (
        f"{what} cover different windows (starts {starts.min()} to {starts.max()} s, stops {stops.min()} to "
        f"{stops.max()} s): {cure}"
    )


def session_clock(event: float, start: float, stop: float) -> str:
    """End of a message about the window of an event, when the event itself (s) is outside its trial: two clocks are mixed up."""
    if start <= event <= stop:
        return ""
    return (
        ". The event itself is outside its trial: if it is on the session's clock and trials have their own, subtract "
        "segment.annotations['start_time'] of its trial ('event_time' after cut or align)"
    )

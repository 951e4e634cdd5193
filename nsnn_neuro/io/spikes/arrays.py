"""Convert Blocks, SpikeTrainLists and lists of arrays to flat spike times and recording windows, in seconds.

A `SpikeTrainList` that holds arrays is read as it is, without one object per train.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import neo
import numpy as np
import quantities as pq
from neo.core.spiketrainlist import SpikeTrainList

from ...core.errors import NsnnError
from ...core.units import described, floats, shown, si
from .bins import EPS, rounding, spacing

RESOLUTION = "resolution"
"""Annotation of a Block: spike times no further apart than this (s) may be one, as they were counted on a longer clock before."""

# Seconds in the common units, known by identity: `rescale` hashes units, which takes longer than reading a train.
_SECONDS = {id(unit): float(unit.rescale(pq.s).magnitude) for unit in (pq.s, pq.ms, pq.us)}


class Read(NamedTuple):
    """Spike trains of one trial, or of the repeats of one neuron, as they were read."""

    times: np.ndarray  # (n_spikes,) s
    train: np.ndarray  # (n_spikes,) position of each spike's train
    starts: np.ndarray  # (n_trains,) s
    stops: np.ndarray  # (n_trains,) s
    eps: float  # relative spacing of the numbers that the times were stored in


def block_from(value: Any) -> str:
    """How to make a Block of a file name or of other values, for the end of a message."""
    if isinstance(value, str | os.PathLike):
        return f" (nsnn_neuro.load({shown(os.fspath(value))}) makes one)"
    fit = hasattr(value, "save") and (hasattr(value, "network") or hasattr(value, "simulate"))
    if fit or type(value).__name__ == "Network":
        return ' (a fit, also of a trained network, saves itself, fit.save("fit.npz"); load_fit reads it)'
    if isinstance(value, dict) and any(isinstance(one, neo.Block) for one in value.values()):
        return " (join makes one of a dict of Blocks, with its keys as labels; tabulate takes the dict)"
    return f" (to_block{'(monitor) makes one' if hasattr(value, 'spike_trains') else ' makes one from lists of spike times'})"


def declared_resolution(block: neo.Block) -> float:
    """What the Block's annotation says of the resolution of its times, s; 0 where it says nothing."""
    value = block.annotations.get(RESOLUTION)
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain and 0 < value < np.inf else 0.0


def check_block(block: Any, name: str) -> None:
    """NsnnError for what is no Block, or one without segments."""
    if not isinstance(block, neo.Block):
        given = shown(block) if isinstance(block, str | os.PathLike) else described(block)
        raise NsnnError(
            f"{name} = {given}: expected a neo.Block with one Segment per trial{block_from(block)}"
        )
    if len(block.segments) == 0:
        raise NsnnError(f"{name} has no segments: expected one Segment per trial")


def check_same_units(names: Sequence[str], sizes: Sequence[int], ids: Sequence[Any]) -> None:
    """NsnnError for a part with another number of units than the first one, or with units of other ids (None: unknown)."""
    for name, size, units in zip(names, sizes, ids, strict=True):
        if size != sizes[0]:
            raise NsnnError(
                f"{name} has {size} units, {names[0]} has {sizes[0]}: expected the same neurons in each, an empty train for a "
                "silent one; select(block, units=...) chooses those that all have"
            )
        if units is not None and ids[0] is not None and list(units) != list(ids[0]):
            raise NsnnError(
                f"{name} has the units {shown(units)}, {names[0]} has {shown(ids[0])}: expected the same units in the same order"
            )


def read_segments(block: Any, name: str = "block") -> list[Read]:
    """The spike trains of each segment of a Block, as many in each; none has a time outside its own [t_start, t_stop]."""
    check_block(block, name)
    parts: list[Read] = []
    for k, segment in enumerate(block.segments):
        parts.append(read_trains(segment.spiketrains, f"segment {k}"))
        if parts[k].starts.size != parts[0].starts.size:
            raise NsnnError(
                f"{name}.segments[{k}] has {parts[k].starts.size} spike trains, segments[0] has {parts[0].starts.size}: "
                "expected the same neurons in every trial, an empty train for a silent one"
            )
    return parts


def read_trains(trains: Any, where: str) -> Read:
    """The trains of a SpikeTrainList, or of a sequence of SpikeTrains and arrays (s, without a duration), named `where`."""
    # Only `_items` says whether a SpikeTrainList holds arrays or objects; `multiplexed` is out of date once a train has been
    # appended, and reading a single train would make objects of all of them.
    items = getattr(trains, "_items", None) if isinstance(trains, SpikeTrainList) else trains
    if items is not None:
        return read_items(items, lambda k: f"{where}[{k}]", "a neo.SpikeTrain or a 1-D array of seconds")
    ids, quantity = trains.multiplexed
    n = len(trains)
    if not isinstance(quantity, pq.Quantity):  # neo's answer for a list without trains
        return Read(np.empty(0), np.empty(0, np.int64), np.empty(n), np.empty(n), EPS)
    times, eps = seconds(quantity), spacing(quantity.magnitude)
    start, stop = float(seconds(trains.t_start, quantity)), float(seconds(trains.t_stop, quantity))
    ids = np.asarray(ids).astype(np.int64, copy=False)
    channels = np.asarray(trains.all_channel_ids, dtype=np.int64)
    if np.array_equal(channels, np.arange(n)):
        known = not ids.size or 0 <= ids.min() <= ids.max() < n
    else:
        order = np.argsort(channels, kind="stable")
        place = order[np.minimum(np.searchsorted(channels, ids, sorter=order), n - 1)]
        ids, known = place, np.array_equal(channels[place], ids)
    if not known:
        raise NsnnError(f"{where}: a spike belongs to a channel that is not among all_channel_ids")
    if times.size and not np.isnan(first := times.min()):
        apart = max(1e-12, rounding(start, stop, eps=eps))  # a change of units rounds
        if first < start - apart or times.max() > stop + apart:
            bad = times[(times < start - apart) | (times > stop + apart)][0]
            raise NsnnError(f"spike time {bad} s in {where} is outside the train's own [t_start, t_stop]")
    return Read(times, ids, np.full(n, start), np.full(n, stop), eps)


def read_items(items: Any, name: Callable[[int], str], expected: str) -> Read:
    """SpikeTrains (Neo has checked their range) or arrays (seconds, no duration); `name` of item k and `expected` for messages."""
    times: list[np.ndarray] = []
    eps = EPS
    edges = np.full((len(items), 2), np.nan)
    for k, item in enumerate(items):
        train = item.load() if hasattr(item, "load") else item
        if isinstance(train, neo.SpikeTrain):
            eps = max(eps, spacing(train.magnitude))
            times.append(seconds(train))
            edges[k] = seconds(train.t_start), seconds(train.t_stop)
            continue
        if type(train) is np.ndarray and train.dtype == float and train.ndim == 1:  # as most are, quickly
            times.append(train)
            continue
        quantity = isinstance(train, pq.Quantity) or hasattr(train, "dim")
        array = np.asarray(si(train, "s", name(k))) if quantity else floats(train, name(k), expected)
        raster = not quantity and np.asarray(train).dtype == bool
        if array.ndim != 1 or raster:
            cure = "; those of a raster are numpy.flatnonzero(raster) * bin_width" * raster
            raise NsnnError(f"{name(k)} = {shown(train)}: expected {expected}{cure}")
        eps = max(eps, spacing(train))
        times.append(array)
    trial = np.repeat(np.arange(len(items)), [t.size for t in times])
    return Read(np.concatenate([np.empty(0), *times]), trial, edges[:, 0], edges[:, 1], eps)


def seconds(value: Any, like: Any = None) -> np.ndarray:
    """A quantities time, or plain numbers in the unit of `like` (None: s), as floats in s; the same memory where possible."""
    array = np.asarray(getattr(value, "magnitude", value), dtype=float)  # double precision before rescaling
    like = value if isinstance(value, pq.Quantity) else like
    if like is None:
        return array
    units = like.dimensionality
    scale = _SECONDS.get(id(next(iter(units)))) if len(units) == 1 and 1 in units.values() else None
    scale = float(like.units.rescale(pq.s).magnitude) if scale is None else scale
    return array if scale == 1 else array * scale


def different_windows(what: str, starts: np.ndarray, stops: np.ndarray) -> str:
    """Message for trains that should cover one window."""
    return (
        f"{what} cover different windows (starts {starts.min()} to {starts.max()} s, stops {stops.min()} to "
        f"{stops.max()} s): pass t_start and t_stop that lie within all of them"
    )

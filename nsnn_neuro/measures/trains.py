"""The door of the measures: a neo.Block, or a list of spike trains, becomes flat arrays of seconds.

`as_trains` takes the data of many neurons and trials, `as_repeats` the repeats of one neuron. Both check what
comes in and read the arrays of a `SpikeTrainList` as they are, without making one object per train.

Which spikes a window holds, for every measure: those in [t_start, t_stop), and where the window ends with the
recording, one at exactly t_stop as well. Such a spike is in the last bin when bins tile the window, as in
`numpy.histogram`. So rates, counts, histograms and words agree on the number of spikes, adjacent windows share none,
and no spike of a recording is lost. Fits alone, which know at most one spike a step, leave it out as one of the next step.
The rule for rounded times stands in `bins`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import neo
import numpy as np
import quantities as pq
from neo.core.spiketrainlist import SpikeTrainList

from ..core import bins as binning
from ..core.bins import EPS, rounding, slack, spacing
from ..core.checks import positive
from ..core.errors import NsnnError
from ..core.units import describe, floats, shown, si

__all__ = [
    "SilentNeuronWarning",
    "Trains",
    "as_repeats",
    "as_trains",
    "nan_ratio",
    "positive",
    "read_signal",
    "warn_silent",
]

# Spikes that are worked on at once where several arrays of all of them would fill the memory.
PIECE = 2**20

# Seconds in the common units, known by identity: `rescale` hashes units, which takes longer than reading a train.
_SECONDS = {id(unit): float(unit.rescale(pq.s).magnitude) for unit in (pq.s, pq.ms, pq.us)}


class SilentNeuronWarning(UserWarning):
    """Some neurons have too few spikes for the measure; their value is NaN. One warning per call."""


@dataclass(frozen=True, eq=False)
class Trains:
    """Spike trains of `n_neurons` in `n_trials` as flat arrays, sorted by (trial, neuron, time).

    Train number `trial * n_neurons + neuron` is `times[offsets[k]:offsets[k + 1]]`. Make it with `as_trains`
    or `as_repeats`, which check their input. Every measure takes a `Trains` in place of a Block, so that
    several measures can share one.

    >>> trains = as_repeats([[0.3, 0.1], [0.2]])
    >>> trains.times, trains.counts.ravel()
    (array([0.1, 0.3, 0.2]), array([2, 1]))
    """

    times: np.ndarray
    """(n_spikes,) s"""
    neuron: np.ndarray
    """(n_spikes,) int"""
    trial: np.ndarray
    """(n_spikes,) int"""
    n_neurons: int
    n_trials: int
    t_start: np.ndarray
    """(n_trials,) s, NaN where the source didn't say"""
    t_stop: np.ndarray
    """(n_trials,) s, NaN where the source didn't say"""
    resolution: float = math.nan
    """s, times no further apart than this may be one; NaN (default): that of double precision, see `bins.rounding`"""

    def __post_init__(self) -> None:
        if math.isnan(self.resolution):
            object.__setattr__(self, "resolution", rounding(self.t_start, self.t_stop, self.times[-1:]))

    @cached_property
    def train(self) -> np.ndarray:
        """(n_spikes,) number of each spike's train, trial * n_neurons + neuron."""
        return self.trial * self.n_neurons + self.neuron

    @cached_property
    def counts(self) -> np.ndarray:
        """(n_trials, n_neurons) number of spikes."""
        size = self.n_trials * self.n_neurons
        return np.bincount(self.train, minlength=size).reshape(self.n_trials, self.n_neurons)

    @cached_property
    def offsets(self) -> np.ndarray:
        """(n_trials * n_neurons + 1,) where each train begins in `times`."""
        return np.concatenate([[0], np.cumsum(self.counts.ravel())])

    @property
    def durations(self) -> np.ndarray:
        """(n_trials,) s; raises NsnnError when the source (plain arrays) has no duration."""
        lengths = self.t_stop - self.t_start
        if np.isnan(lengths).any():
            raise NsnnError("trains given as plain arrays have no duration: pass t_start and t_stop")
        return lengths

    @cached_property
    def intervals(self) -> tuple[np.ndarray, np.ndarray]:
        """Interspike intervals (m,) in s and the train (m,) that each belongs to, in the order of `times`."""
        same = self.train[1:] == self.train[:-1]
        return np.diff(self.times)[same], self.train[1:][same]

    def lasts_as_long(self) -> bool:
        """True when all trials last equally long, but for rounding."""
        lengths = self.durations
        return bool(np.ptp(lengths) <= max(1e-9 * lengths.min(), self.resolution))

    def window(self) -> tuple[float, float]:
        """(t_start, t_stop) in s shared by all trials; raises NsnnError when trials differ."""
        apart = max(1e-9 * self.durations.min(), self.resolution)
        if np.ptp(self.t_start) > apart or np.ptp(self.t_stop) > apart:
            raise NsnnError(_different("trials", self.t_start, self.t_stop))
        return float(self.t_start[0]), float(self.t_stop[0])

    def bins(self, width: float, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Bin (n_spikes,) of each spike and number of bins (n_trials,); bins of `width` s tile from t_start.

        A spike on a border is in the bin that begins there, one at the end of a window without remainder in the last bin.
        The remainder of a trial is dropped: a spike there has an index of at least the number of bins.

        Parameters
        ----------
        width : s
        name : of the argument that gave the width, for messages

        Raises
        ------
        NsnnError : a trial shorter than one bin, times too coarse for the bins. Warns, ResolutionWarning, when they nearly are
        """
        share = slack(width, self.resolution, name)
        n_bins = np.floor(self.durations / width + share).astype(np.int64)
        if (n_bins < 1).any():
            raise NsnnError(
                f"{name} = {width} s is longer than the shortest trial ({self.durations.min()} s)"
            )
        tiled = self.durations <= (n_bins + share) * width
        last = np.where(tiled, n_bins - 1, np.iinfo(np.int64).max)
        index = np.empty(self.times.size, dtype=np.int64)
        for k in range(0, index.size, PIECE):
            times, trial = self.times[k : k + PIECE], self.trial[k : k + PIECE]
            number = binning.index(times, self.t_start[trial], width, share)
            np.clip(number, 0, last[trial], out=index[k : k + PIECE])
        return index, n_bins

    def per_train(self, train: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Sums of `weights` (default: ones) by train number, as (n_trials, n_neurons) floats."""
        size = self.n_trials * self.n_neurons
        sums = np.bincount(train, weights, minlength=size)
        return sums.reshape(self.n_trials, self.n_neurons).astype(float, copy=False)

    def of_neuron(self, number: int) -> Trains:
        """The trains of one neuron alone."""
        own = self.neuron == number
        trial = self.trial[own]
        return replace(self, times=self.times[own], neuron=np.zeros_like(trial), trial=trial, n_neurons=1)

    def crop(self, t_start: Any, t_stop: Any) -> Trains:
        """The spikes between t_start and t_stop, by the rule at the top of the module.

        Parameters
        ----------
        t_start, t_stop : s, one number or (n_trials,); None keeps that end of the trials

        Raises
        ------
        NsnnError : a window beyond a trial, or without length
        """
        if t_start is None and t_stop is None:
            return self
        start, stop = (
            own if given is None else np.broadcast_to(np.asarray(given, dtype=float), self.n_trials)
            for given, own in ((t_start, self.t_start), (t_stop, self.t_stop))
        )
        apart = np.fmax(self.resolution, rounding(start, stop))
        for k in np.flatnonzero(start < self.t_start - apart):
            raise NsnnError(f"t_start = {start[k]} s: trial {k} starts at {self.t_start[k]} s")
        for k in np.flatnonzero(stop > self.t_stop + apart):
            raise NsnnError(f"t_stop = {stop[k]} s: trial {k} stops at {self.t_stop[k]} s")
        if (start >= stop).any():
            raise NsnnError(f"t_start = {start.max()} s must be before t_stop = {stop.min()} s")
        keep = np.ones(self.times.size, dtype=bool)
        if t_start is not None:
            keep &= self.times >= (start - apart)[self.trial]
        if t_stop is not None:
            ends = np.where(stop >= self.t_stop - apart, stop + apart, stop - apart)
            keep &= self.times < ends[self.trial]
        return replace(
            self,
            times=self.times[keep],
            neuron=self.neuron[keep],
            trial=self.trial[keep],
            t_start=start.copy(),
            t_stop=stop.copy(),
            resolution=float(apart),
        )


def as_trains(block: Any, t_start: Any = None, t_stop: Any = None, name: str = "block") -> Trains:
    """`block`, cropped to [t_start, t_stop), as a `Trains`.

    Parameters
    ----------
    block : neo.Block with one Segment per trial, or a Trains
    t_start, t_stop : times; None (default) keeps the trials' own ends
    name : of the argument that gave the Block, for messages

    Raises
    ------
    NsnnError : not a Block, no segments or no trains, numbers of trains that differ, NaN or times outside a
        train's own [t_start, t_stop], a window beyond a trial, or trains of one segment that cover different
        windows

    >>> block = neo.Block()
    >>> block.segments.append(neo.Segment())
    >>> block.segments[0].spiketrains.append(neo.SpikeTrain([100, 200, 900], units="ms", t_stop=1000))
    >>> as_trains(block, t_stop=0.9*pq.s).times
    array([0.1, 0.2])
    """
    start = None if t_start is None else _scalar(t_start, "t_start")
    stop = None if t_stop is None else _scalar(t_stop, "t_stop")
    if isinstance(block, Trains):
        return block.crop(start, stop)
    if not isinstance(block, neo.Block):
        raise NsnnError(
            f"{name} = {type(block).__name__} object: expected a neo.Block with one Segment per trial "
            "(to_block makes one from lists of spike times)"
        )
    if len(block.segments) == 0:
        raise NsnnError("block has no segments: expected one Segment per trial")
    read = [_read_list(segment.spiketrains, f"segment {k}") for k, segment in enumerate(block.segments)]
    sizes = [len(one.starts) for one in read]
    if len(set(sizes)) != 1:
        k = next(k for k, size in enumerate(sizes) if size != sizes[0])
        raise NsnnError(
            f"segment {k} of the block has {sizes[k]} spike trains, segment 0 has {sizes[0]}: expected equal"
        )
    if sizes[0] == 0:
        raise NsnnError("block holds no spike trains: expected one per neuron in each segment")
    for k, one in enumerate(read):
        apart = rounding(one.starts, one.stops, eps=one.eps)
        unlike = [np.ptp(ends) > apart for ends in (one.starts, one.stops)]
        if (start is None and unlike[0]) or (stop is None and unlike[1]):
            raise NsnnError(_different(f"the spike trains of segment {k}", one.starts, one.stops))
    edges = np.array([(one.starts.max(), one.stops.min()) for one in read])
    trial = np.repeat(np.arange(len(read)), [one.times.size for one in read])
    # of a single trial the Block's own arrays: measures don't write into them
    times, neuron = read[0].times, read[0].train
    if len(read) > 1:
        times, neuron = np.concatenate([r.times for r in read]), np.concatenate([r.train for r in read])
    eps = max(one.eps for one in read)
    return _cropped(_sorted(times, neuron, trial, sizes[0], edges, eps), start, stop, eps)


def as_repeats(trains: Any, t_start: Any = None, t_stop: Any = None, name: str = "trains") -> Trains:
    """The repeats of one neuron, cropped to [t_start, t_stop), as a `Trains` with one neuron.

    Parameters
    ----------
    trains : list of neo.SpikeTrain or of 1-D arrays (seconds, or quantities), a SpikeTrainList, one
        SpikeTrain, or a neo.Block or Trains with one neuron. Plain arrays have no duration (NaN) unless
        t_start and t_stop are given.
    t_start, t_stop : times; None (default) keeps the trains' own ends
    name : of the argument that gave the trains, for messages

    Raises
    ------
    NsnnError : nothing inside, not spike trains, NaN times, several neurons in a Block, a window beyond a
        train

    >>> as_repeats([np.array([0.1, 0.2]), []], t_start=0*pq.s, t_stop=1*pq.s).durations
    array([1., 1.])
    """
    start = None if t_start is None else _scalar(t_start, "t_start")
    stop = None if t_stop is None else _scalar(t_stop, "t_stop")
    if isinstance(trains, Trains | neo.Block):
        repeats = as_trains(trains, t_start, t_stop, name)
        if repeats.n_neurons != 1:
            raise NsnnError(
                f"{name} = {type(trains).__name__} of {repeats.n_neurons} neurons: expected the repeats of "
                "one; select neuron j with [segment.spiketrains[j] for segment in block.segments]"
            )
        return repeats
    if isinstance(trains, neo.SpikeTrain):
        trains = [trains]
    if isinstance(trains, SpikeTrainList):
        read = _read_list(trains, name)
    elif (
        isinstance(trains, Sequence | np.ndarray)
        and not isinstance(trains, str | bytes)
        and not _is_0d(trains)
    ):
        read = _read_sequence(trains, name)
    else:
        raise NsnnError(
            f"{name} = {type(trains).__name__} object: expected a list of spike trains or a neo.Block"
        )
    if read.starts.size == 0:
        raise NsnnError(f"{name} is empty: expected at least one spike train")
    edges = np.stack([read.starts, read.stops], axis=1)
    neuron = np.zeros(read.times.size, np.int64)
    repeats = _sorted(read.times.copy(), neuron, read.train, 1, edges, read.eps)
    return _cropped(repeats, start, stop, read.eps)


def read_signal(signal: Any, name: str = "signal") -> tuple[np.ndarray, float, float]:
    """Samples (m,) in their own unit, sampling rate (Hz) and start (s) of a one-channel neo.AnalogSignal.

    Raises
    ------
    NsnnError : not an AnalogSignal, several channels, no samples, or NaN

    >>> read_signal(neo.AnalogSignal([1.0, 2.0], units="mV", sampling_rate=1*pq.kHz))
    (array([1., 2.]), 1000.0, 0.0)
    """
    if not isinstance(signal, neo.AnalogSignal):
        raise NsnnError(f"{name} = {type(signal).__name__} object: expected a neo.AnalogSignal")
    values = floats(signal.magnitude, name, "real samples")
    if values.ndim != 2 or values.shape[1] != 1 or values.size == 0:
        raise NsnnError(
            f"{name} has shape {values.shape}: expected one channel, (samples, 1); select with signal[:, [0]]"
        )
    if not np.isfinite(values).all():
        bad = "NaN" if np.isnan(values).any() else "infinite samples"
        raise NsnnError(f"{name} holds {bad}: expected finite samples")
    return values[:, 0], si(signal.sampling_rate, "Hz", name), si(signal.t_start, "s", name)


def warn_silent(values: np.ndarray, name: str, reason: str) -> np.ndarray:
    """`values` unchanged; if some are NaN, one SilentNeuronWarning that counts them and gives the reason.

    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     values = warn_silent(np.array([0.9, np.nan]), "cv", "have fewer than two intervals")
    >>> print(caught[0].message)
    cv: 1 of 2 neurons have fewer than two intervals; their value is NaN
    """
    count = int(np.isnan(values).sum())
    if count:
        text = f"{name}: {count} of {values.size} neurons {reason}; their value is NaN"
        warnings.warn(text, SilentNeuronWarning, stacklevel=3)
    return values


def nan_ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """`top / bottom`, NaN where bottom is 0, without NumPy's warning.

    >>> nan_ratio(np.array([1.0, 0.0]), np.array([2.0, 0.0]))
    array([0.5, nan])
    """
    top, bottom = np.broadcast_arrays(top, bottom)
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0)


def _is_0d(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 0


def _scalar(value: Any, name: str) -> float:
    x = si(value, "s", name)
    if np.ndim(x) != 0 or not np.isfinite(x):
        raise NsnnError(f"{name} = {value}: expected {describe('s')}")
    return float(x)


def _different(what: str, starts: np.ndarray, stops: np.ndarray) -> str:
    return (
        f"{what} cover different windows (starts {starts.min()} to {starts.max()} s, stops {stops.min()} to "
        f"{stops.max()} s): pass t_start and t_stop that lie within all of them"
    )


class _Read(NamedTuple):
    """Spike trains as they were read."""

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


def _cropped(trains: Trains, start: float | None, stop: float | None, eps: float) -> Trains:
    """`trains` between start and stop, with the resolution of what is left."""
    if start is None and stop is None:
        return trains
    left = trains.crop(start, stop)
    return replace(left, resolution=rounding(left.t_start, left.t_stop, left.times, eps=eps))


def _sorted(
    times: np.ndarray, neuron: np.ndarray, trial: np.ndarray, n: int, edges: np.ndarray, eps: float
) -> Trains:
    """Checked and sorted arrays as a Trains; edges (n_trials, 2) holds t_start and t_stop."""
    if times.size and not np.isfinite([times.min(), times.max()]).all():
        k = int(np.flatnonzero(~np.isfinite(times))[0])
        bad = "NaN" if np.isnan(times[k]) else f"{times[k]} s"
        raise NsnnError(f"spike time {bad} in trial {trial[k]}, train {neuron[k]}: expected finite times")
    if not _in_order(times, neuron, trial, n):
        order = np.lexsort((times, trial * n + neuron))
        times, neuron, trial = times[order], neuron[order], trial[order]
    largest = rounding(edges, times if np.isnan(edges).any() else (), eps=eps)
    return Trains(times, neuron, trial, n, len(edges), edges[:, 0], edges[:, 1], largest)


def _in_order(times: np.ndarray, neuron: np.ndarray, trial: np.ndarray, n: int) -> bool:
    for k in range(0, times.size, PIECE):
        piece = slice(k, k + PIECE + 1)  # and the first of the next
        step = np.diff(trial[piece] * n + neuron[piece])
        if ((step < 0) | ((step == 0) & (np.diff(times[piece]) < 0))).any():
            return False
    return True


def _check_range(times: np.ndarray, start: float, stop: float, where: str, eps: float) -> None:
    """Raise NsnnError when a time is outside [start, stop] by more than the rounding of a change of units."""
    apart = max(1e-12, rounding(start, stop, eps=eps))
    if times.min() < start - apart or times.max() > stop + apart:
        bad = times[(times < start - apart) | (times > stop + apart)][0]
        raise NsnnError(f"spike time {bad} s in {where} is outside the train's own [t_start, t_stop]")


def _read_list(trains: Any, where: str) -> _Read:
    """Spikes and windows of a SpikeTrainList."""
    # `_items` is the only way to learn whether the list holds arrays or objects: indexing it or asking for
    # its length tells nothing, and its `multiplexed` is out of date once a train has been appended.
    items = getattr(trains, "_items", None)
    if items is not None:
        return _read_sequence(items, where)
    ids, quantity = trains.multiplexed
    n = len(trains)
    if not isinstance(quantity, pq.Quantity):  # neo's answer for a list without trains
        return _Read(np.empty(0), np.empty(0, np.int64), np.empty(n), np.empty(n), EPS)
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
    return _Read(times, ids, np.full(n, start), np.full(n, stop), eps)


def _read_sequence(items: Any, where: str) -> _Read:
    """As `_read_list`, of SpikeTrains (neo has checked their range) or arrays (seconds, no duration)."""
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
        name, wanted = f"{where}[{k}]", "a neo.SpikeTrain or a 1-D array of seconds"
        quantity = isinstance(train, pq.Quantity) or hasattr(train, "dim")
        array = np.asarray(si(train, "s", name)) if quantity else floats(train, name, wanted)
        if array.ndim != 1:
            raise NsnnError(f"{name} = {shown(train)}: expected {wanted}")
        eps = max(eps, spacing(train))
        times.append(array)
    trial = np.repeat(np.arange(len(items)), [t.size for t in times])
    return _Read(np.concatenate([np.empty(0), *times]), trial, edges[:, 0], edges[:, 1], eps)


def _scale(quantity: Any) -> float:
    """Seconds in one unit of `quantity`."""
    units = quantity.dimensionality
    if len(units) == 1:
        ((unit, power),) = units.items()
        if power == 1 and id(unit) in _SECONDS:
            return _SECONDS[id(unit)]
    return float(quantity.units.rescale(pq.s).magnitude)

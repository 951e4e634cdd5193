"""Spike trains as flat arrays: read from a `neo.Block` or from lists of trains, sorted, binned and cropped.

`Trains` is the one container of spikes: measures, fits, perturbations and writers of files compute on its arrays.

Which spikes a window holds: those in [t_start, t_stop), and where the window ends with the recording, a spike at exactly
t_stop as well. Such a spike is in the last bin when bins tile the window, as in `numpy.histogram`. So rates, counts,
histograms and words agree on the number of spikes, adjacent windows share none, and no spike of a recording is lost. Only
fits, which allow at most one spike per step, assign it to the next step. `bins` has the rule for rounded times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import attrgetter
from typing import Any

import neo
import numpy as np

from ...core.aliases import Time
from ...core.errors import NsnnError
from ...core.units import shown
from . import bins as binning
from .arrays import Read, declared_resolution, different_windows, read_segments, seconds
from .bins import EPS, rounding, slack

PIECE = 2**20  # Number of spikes processed at once where arrays of all spikes would need too much memory


@dataclass(frozen=True, eq=False)
class Trains:
    """Spike trains of `n_neurons` in `n_trials` as flat arrays, sorted by (trial, neuron, time).

    Train number k = trial * n_neurons + neuron is `times[offsets[k]:offsets[k + 1]]`. `measures.as_trains` and
    `measures.as_repeats` make one and check their input. Every measure accepts a `Trains` in place of a Block, so that
    several measures can share it.

    >>> from nsnn_neuro.measures import as_repeats
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
    session: np.ndarray | None = field(default=None, repr=False)
    """(n, 2) s, the whole trials of the source on the clock of the recording they were cut from; None: unknown, or the same"""

    def __post_init__(self) -> None:
        if math.isnan(self.resolution):
            object.__setattr__(self, "resolution", rounding(self.t_start, self.t_stop, self.times[-1:]))

    @classmethod
    def from_block(cls, block: neo.Block, name: str = "block") -> Trains:
        """All spikes of a Block, called `name` in messages, with one segment per trial and the same neurons in each.

        A trial lasts from the earliest start to the latest stop of its trains, or of its signals where there are no neurons.

        >>> block, segment = neo.Block(), neo.Segment()
        >>> block.segments.append(segment)
        >>> segment.spiketrains.append(neo.SpikeTrain([30.0, 20.0], units="ms", t_stop=100.0))
        >>> Trains.from_block(block).times, Trains.from_block(block).t_stop
        (array([0.02, 0.03]), array([0.1]))
        """
        parts = read_segments(block, name)
        edges = np.zeros((len(parts), 2))
        for k, (part, segment) in enumerate(zip(parts, block.segments, strict=True)):
            if part.starts.size:
                edges[k] = part.starts.min(), part.stops.max()
            elif segment.analogsignals:
                ends = [(seconds(one.t_start), seconds(one.t_stop)) for one in segment.analogsignals]
                edges[k] = np.min(ends, axis=0)[0], np.max(ends, axis=0)[1]
        return cls.joined(parts, edges).at_least(declared_resolution(block))

    @classmethod
    def joined(cls, parts: Sequence[Read], edges: np.ndarray) -> Trains:
        """One trial from each part, sorted; edges (n_trials, 2) are t_start and t_stop in s."""
        trial = np.repeat(np.arange(len(parts)), [part.times.size for part in parts])
        # of a single trial the source's own arrays: nothing writes into them
        times, neuron = parts[0].times, parts[0].train
        if len(parts) > 1:
            times, neuron = np.concatenate([p.times for p in parts]), np.concatenate([p.train for p in parts])
        eps = max(map(attrgetter("eps"), parts))
        return cls.from_arrays(times, neuron, trial, parts[0].starts.size, edges, eps)

    @classmethod
    def from_arrays(
        cls,
        times: np.ndarray,
        neuron: np.ndarray,
        trial: np.ndarray,
        n_neurons: int,
        edges: np.ndarray,
        eps: float = EPS,
    ) -> Trains:
        """Spikes in any order, sorted; edges (n_trials, 2) are t_start and t_stop in s.

        `eps` is the relative spacing of the numbers that the times were stored in. NsnnError for NaN or an infinite time.
        """
        if times.size and not np.isfinite([times.min(), times.max()]).all():
            k = int(np.flatnonzero(~np.isfinite(times))[0])
            bad = "NaN" if np.isnan(times[k]) else f"{times[k]} s"
            raise NsnnError(f"spike time {bad} in trial {trial[k]}, train {neuron[k]}: expected finite times")
        if not in_order(times, trial, neuron):
            order = np.lexsort((times, neuron, trial))
            times, neuron, trial = times[order], neuron[order], trial[order]
        if np.signbit(times).any():
            times = times + 0.0  # -0.0 as 0.0
        largest = rounding(edges, times if np.isnan(edges).any() else (), eps=eps)
        return cls(times, neuron, trial, n_neurons, len(edges), edges[:, 0], edges[:, 1], largest)

    def at_least(self, resolution: float) -> Trains:
        """The same trains, with a resolution of at least that many seconds."""
        return self if self.resolution >= resolution else replace(self, resolution=resolution)

    def check(self) -> None:
        """Raise NsnnError for the first spike outside its trial."""
        for begin in range(0, self.times.size, PIECE):
            piece = slice(begin, begin + PIECE)
            times, trial = self.times[piece], self.trial[piece]
            inside = (times >= self.t_start[trial]) & (times <= self.t_stop[trial])
            if inside.all():
                continue
            k = begin + int(np.argmin(inside))
            i, j, t = self.trial[k], self.neuron[k], self.times[k]
            raise NsnnError(
                f"neuron {j} has a spike at {t} s in trial {i}, "
                f"which runs from t_start = {self.t_start[i]} s to t_stop = {self.t_stop[i]} s"
            )

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

    def refuse_session_signal(self, name: str, start: float, n_samples: int, rate: float) -> None:
        """NsnnError for a single signal that, from `start` (s) and at `rate` (Hz), is of the recording the trials were cut from.

        It covers two trials or more there. A stimulus that starts anew with each trial would overlap with its next presentation.
        """
        apart, stop = 0.5 / rate, start + n_samples / rate
        session = np.empty((0, 2)) if self.session is None else self.session
        covered = (session[:, 0] >= start - apart) & (session[:, 1] <= stop + apart)
        if np.count_nonzero(covered) >= min(2, len(covered) or 1):
            raise NsnnError(
                f"{name} from {start:g} to {stop:g} s covers {np.count_nonzero(covered)} of {len(covered)} trials on the clock of "
                "the recording that they were cut from, but a single signal is read on the clock of each trial: add it to the "
                "recording before cut or align, recording.segments[0].analogsignals.append(signal), and pass "
                "[segment.analogsignals[0] for segment in block.segments]; for a phase cut longer trials and pass t_start, "
                "t_stop. Of a stimulus that is the same in each trial take the trial's part, signal.time_slice(t_start, t_stop)"
            )

    def lasts_as_long(self) -> bool:
        """True when all trials last equally long, but for rounding."""
        lengths = self.durations
        return bool(np.ptp(lengths) <= max(1e-9 * lengths.min(), self.resolution))

    def check_durations(self, problem: str, cure: str = "") -> None:
        """Raise NsnnError with the problem and a further cure unless `lasts_as_long`."""
        if not self.lasts_as_long():
            least, most = (float(f"{one:.9g}") for one in (self.durations.min(), self.durations.max()))
            raise NsnnError(
                f"trials last from {least} to {most} s, {problem}: pass t_start and t_stop "
                f"that lie within all of them{cure}"
            )

    def window(self) -> tuple[float, float]:
        """(t_start, t_stop) in s shared by all trials; raises NsnnError when trials differ."""
        apart = max(1e-9 * self.durations.min(), self.resolution)
        if np.ptp(self.t_start) > apart or np.ptp(self.t_stop) > apart:
            raise NsnnError(different_windows("trials", self.t_start, self.t_stop))
        return float(self.t_start[0]), float(self.t_stop[0])

    def bins(self, width: float, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Bin (n_spikes,) of each spike and number of bins (n_trials,); bins of `width` s tile from t_start.

        A spike on a border is in the bin that begins there, one at the end of a window without remainder in the last bin.
        The remainder of a trial is dropped: a spike there has an index of at least the number of bins. NsnnError, which calls the
        width `name`, for a trial shorter than one bin or times too coarse for the bins; ResolutionWarning when they nearly are.
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

    def around(
        self,
        event: np.ndarray,
        trial: np.ndarray,
        start: np.ndarray,
        stop: np.ndarray,
        edges: np.ndarray,
        apart: float,
    ) -> Trains:
        """The spikes of each window as a trial of its own, on a clock that is 0 at its event; one may be in several windows.

        event, start, stop : (n,) s, on the clock of the trial (n,), which ascends
        edges : (n, 2) s, start and stop from the event
        apart : s, a spike so close before a window's start belongs to it
        """
        borders = np.searchsorted(self.trial, np.arange(self.n_trials + 1))
        end = first_after(stop, self.t_stop[trial], apart)
        parts, number = [], []
        for k in np.unique(trial):
            first, last = int(borders[k]), int(borders[k + 1])
            order, rows = np.argsort(self.times[first:last]), trial == k
            a, b = np.searchsorted(self.times[first:last][order], [start[rows] - apart, end[rows]])
            parts.append(first + of_windows(order, self.neuron[first:last], self.n_neurons, a, b))
            number.append(b - a)
        index = np.concatenate(parts)
        row = np.repeat(np.arange(event.size), np.concatenate(number))
        times = self.times[index]
        times -= event[row]
        np.clip(times, edges[row, 0], edges[row, 1], out=times)
        return Trains.from_arrays(times, self.neuron[index], row, self.n_neurons, edges)

    def of_neuron(self, number: int) -> Trains:
        """The trains of one neuron alone."""
        spikes = self.neuron == number
        trial = self.trial[spikes]
        return replace(self, times=self.times[spikes], neuron=np.zeros_like(trial), trial=trial, n_neurons=1)

    def crop(self, t_start: Time, t_stop: Time) -> Trains:
        """The spikes between t_start and t_stop (s, one number or (n_trials,)), by the rule at the top of this module.

        None keeps that end of the trials. NsnnError for a window beyond a trial, or without length.
        """
        if t_start is None and t_stop is None:
            return self
        for name, given in (("t_start", t_start), ("t_stop", t_stop)):
            if np.shape(given) not in ((), (1,), (self.n_trials,)):
                raise NsnnError(f"{name} = {shown(given)}: expected one time for all {self.n_trials} trials")
        start, stop = (
            edges if given is None else np.broadcast_to(np.asarray(given, dtype=float), self.n_trials)
            for given, edges in ((t_start, self.t_start), (t_stop, self.t_stop))
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
            keep &= self.times < first_after(stop, self.t_stop, apart)[self.trial]
        return replace(
            self,
            times=self.times[keep],
            neuron=self.neuron[keep],
            trial=self.trial[keep],
            t_start=start.copy(),
            t_stop=stop.copy(),
            resolution=float(apart),
        )


def first_after(stop: np.ndarray, last: Any, apart: float) -> np.ndarray:
    """The first moment (s) that isn't in each window any more; those that end with the recording, at `last`, hold their end."""
    return np.where(stop >= last - apart, stop + apart, stop - apart)


def of_windows(
    order: np.ndarray, neuron: np.ndarray, n_neurons: int, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Numbers of the spikes order[low[k]:high[k]] of each window k, those of a window by neuron and then in the given order.

    Sorted in each window alone, and as 16 bits where these hold the neuron, which takes linear time.

    >>> neuron = np.array([1, 0, 1])
    >>> of_windows(np.array([2, 1, 0]), neuron, 2, np.array([0, 1]), np.array([2, 3]))
    array([1, 2, 1, 0])
    """
    keys = neuron.astype(np.uint16 if n_neurons <= 2**16 else np.int64, copy=False)[order]
    result = np.empty(int((high - low).sum()), dtype=np.int64)
    begin = 0
    for a, b in zip(low.tolist(), high.tolist(), strict=True):
        result[begin : begin + b - a] = order[a:b][np.argsort(keys[a:b], kind="stable")]
        begin += b - a
    return result


def in_order(times: np.ndarray, *keys: np.ndarray) -> bool:
    """Whether spikes are sorted by `keys`, the first one first, and then by time; processed in pieces."""
    for begin in range(0, max(0, times.size - 1), PIECE):
        piece = slice(begin, begin + PIECE + 1)
        wrong: Any = False
        equal: Any = True
        for values in (*keys, times):
            step = np.diff(values[piece])
            wrong, equal = wrong | (equal & (step < 0)), equal & (step == 0)
        if np.any(wrong):
            return False
    return True

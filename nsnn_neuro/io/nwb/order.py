"""Spikes in the order of an NWB file: by neuron, then trial, then time, in pieces that fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from ..spikes import PIECE, Trains


def _ticks(times: np.ndarray, dt: Any) -> np.ndarray | None:
    """Integers k with k dt exactly equal to the times; None if there are none."""
    if isinstance(dt, bool) or not isinstance(dt, int | float | np.number) or not 0 < dt < np.inf:
        return None
    k = np.rint(times / float(dt))
    return k if (np.abs(k) < 2**53).all() and (k * float(dt) == times).all() else None


@dataclass(frozen=True)
class Sorted:
    """Spikes by neuron, then trial, then time, in pieces: they need not be in memory at once."""

    counts: np.ndarray  # Spikes of each train, (n_neurons, n_trials) int64
    t_start: np.ndarray  # (n_trials,) float64, s
    t_stop: np.ndarray  # (n_trials,) float64, s
    dt: float | None  # s, where every spike is at k dt; else None
    tick_type: type  # Of the integers k in the file, np.int32 or np.int64
    # One after the other, arrays of integers k, or of times in s without a dt
    pieces: Callable[[], Iterator[np.ndarray]]

    def trial(self, begin: int, end: int) -> np.ndarray:
        """Trial of the spikes from number `begin` to `end`."""
        first, last = np.searchsorted(self.ends, begin, "right"), np.searchsorted(self.ends, end) + 1
        number = np.diff(np.minimum(self.ends[first:last], end), prepend=begin)
        return np.repeat(np.arange(first, first + number.size) % len(self.t_start), number)

    @cached_property
    def ends(self) -> np.ndarray:
        """For each train the number of spikes up to its end."""
        return np.cumsum(self.counts.ravel())


def in_file_order(spikes: Trains, dt: Any) -> Sorted:
    """`spikes` by neuron, trial, time, in pieces of several neurons; as ticks k if every spike is at a multiple k of dt."""
    n, n_trials = spikes.n_neurons, spikes.n_trials
    borders = np.searchsorted(spikes.trial, np.arange(n_trials + 1))
    trials = [spikes.neuron[a:b] for a, b in pairwise(borders)]
    counts = np.stack([np.bincount(one, minlength=n) for one in trials], axis=1).reshape(n, n_trials)
    largest = 0.0
    for k in range(0, spikes.times.size, PIECE):
        ticks = _ticks(spikes.times[k : k + PIECE], dt)
        largest = np.inf if ticks is None else max(largest, np.abs(ticks).max())
        if ticks is None:
            break
    # a Block without spikes has ticks where its dt could give some
    on_grid = largest < np.inf and _ticks(np.empty(0), dt) is not None

    def pieces() -> Iterator[np.ndarray]:
        per_neuron = np.cumsum(counts.sum(axis=1))
        begin = 0
        while begin < n:
            before = per_neuron[begin - 1] if begin else 0
            end = max(begin + 1, int(np.searchsorted(per_neuron, before + PIECE, "right")))
            parts = []
            for a, one in zip(borders, trials, strict=False):
                low, high = np.searchsorted(one, [begin, end])
                parts.append((one[low:high], spikes.times[a + low : a + high]))
            times = parts[0][1] if n_trials == 1 else np.concatenate([t for _, t in parts])
            if n_trials > 1:
                times = times[np.argsort(np.concatenate([m for m, _ in parts]), kind="stable")]
            yield np.rint(times / float(dt)).astype(np.int64) if on_grid else times
            begin = end

    small = np.int32 if largest < 2**31 else np.int64
    return Sorted(counts, spikes.t_start, spikes.t_stop, float(dt) if on_grid else None, small, pieces)

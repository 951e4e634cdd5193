"""Profiles over time of ISI-distance, SPIKE-distance and SPIKE-synchronization, and SPIKE-synchronization of each pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.aliases import SpikeSource, Time
from ...core.checks import suggest_keywords
from ...core.errors import NsnnError
from ...core.numba_jit import njit
from ..estimate import Report, public_measure
from ..trains import Trains, as_repeats, nan_ratio, scalar_time, several_repeats
from .isi_spike_distance import Gaps, gaps_and_nearest, gaps_of


@dataclass(frozen=True, eq=False)
class DistanceProfile(Report):
    """A distance against time, linear between its times; made by `isi_profile` and `spike_profile`."""

    times: np.ndarray
    """(m + 1,) s, the spikes of all trains and both ends of the window"""
    left: np.ndarray
    """(m,) value at the beginning of each piece"""
    right: np.ndarray
    """(m,) value at the end of each piece"""

    def mean(self, t_start: Time | None = None, t_stop: Time | None = None) -> float:
        """Mean over time from t_start to t_stop, times within the window; None is its end."""
        low = scalar_time(t_start, "t_start", self.times[0])
        high = scalar_time(t_stop, "t_stop", self.times[-1])
        if not self.times[0] <= low < high <= self.times[-1]:
            raise NsnnError(
                f"t_start = {low} s, t_stop = {high} s: expected a window within {self.times[0]} to {self.times[-1]} s"
            )
        begin, end = np.clip(self.times[:-1], low, high), np.clip(self.times[1:], low, high)
        slope = (self.right - self.left) / np.diff(self.times)
        middle = self.left + slope * ((begin + end) / 2 - self.times[:-1])
        return float((middle * (end - begin)).sum() / (high - low))


@dataclass(frozen=True, eq=False)
class SynchronizationProfile(Report):
    """SPIKE-synchronization of each spike; made by `synchronization_profile`."""

    times: np.ndarray
    """(m,) s, the different times of all trains' spikes"""
    values: np.ndarray
    """(m,) fraction of the other trains that have a coincident spike, mean over the spikes at this time"""
    n_spikes: np.ndarray
    """(m,) spikes at this time"""

    def mean(self) -> float:
        """SPIKE-synchronization of all trains: mean of the values over spikes; 1 without spikes."""
        total = self.n_spikes.sum()
        return float((self.values * self.n_spikes).sum() / total) if total else 1.0


@njit(cache=True)  # pragma: no cover - compiled
def _add_profiles(grid: np.ndarray, gaps: Gaps, spike: bool, left: np.ndarray, right: np.ndarray) -> None:
    """Add the profiles of all pairs of trains at the beginning and end of each piece of the grid."""
    n = gaps.first.size - 1
    for a in range(n):
        for b in range(a):
            ends_a, nu_a, near_a, ends_b, nu_b, near_b = gaps_and_nearest(a, b, gaps, spike)
            i, j, begin_a, begin_b = 0, 0, grid[0], grid[0]
            for k in range(grid.size - 1):
                now, then = grid[k], grid[k + 1]
                while i < ends_a.size - 1 and ends_a[i] <= now:
                    i, begin_a = i + 1, ends_a[i]
                while j < ends_b.size - 1 and ends_b[j] <= now:
                    j, begin_b = j + 1, ends_b[j]
                x, y = nu_a[i], nu_b[j]
                if not spike:
                    value = abs(x - y) / max(x, y)
                    left[k] += value
                    right[k] += value
                    continue
                low_a, high_a = near_a[max(i - 1, 0)], near_a[min(i, near_a.size - 1)]
                low_b, high_b = near_b[max(j - 1, 0)], near_b[min(j, near_b.size - 1)]
                slope_a = (high_a - low_a) / (ends_a[i] - begin_a)
                slope_b = (high_b - low_b) / (ends_b[j] - begin_b)
                scale = 2 / (x + y) ** 2
                s_a, s_b = low_a + slope_a * (now - begin_a), low_b + slope_b * (now - begin_b)
                left[k] += (s_a * y + s_b * x) * scale
                s_a, s_b = low_a + slope_a * (then - begin_a), low_b + slope_b * (then - begin_b)
                right[k] += (s_a * y + s_b * x) * scale


@njit(cache=True)  # pragma: no cover - compiled
def _beside(times: np.ndarray, k: int, duration: float) -> float:
    """The smaller of the intervals beside spike k."""
    result = duration
    if k > 0:
        result = min(result, times[k] - times[k - 1])
    if k < times.size - 1:
        result = min(result, times[k + 1] - times[k])
    return result


@njit(cache=True)  # pragma: no cover - compiled
def _coincidences(
    times: np.ndarray, offsets: np.ndarray, duration: float, of_spike: np.ndarray, matrix: np.ndarray
) -> None:
    """Add the number of coincident spikes of other trains to each spike, and of both trains to each pair."""
    n = offsets.size - 1
    for a in range(n):
        own = times[offsets[a] : offsets[a + 1]]
        for b in range(n):
            if a == b:
                continue
            other = times[offsets[b] : offsets[b + 1]]
            j = 0
            for i in range(own.size):
                while j < other.size and other[j] < own[i]:
                    j += 1
                for k in range(max(j - 1, 0), min(j + 1, other.size)):
                    tau = min(_beside(own, i, duration), _beside(other, k, duration)) / 2
                    if abs(own[i] - other[k]) < tau:
                        of_spike[offsets[a] + i] += 1
                        matrix[a, b] += 1
                        break


def _profile(trains: Any, spike: bool, t_start: Any, t_stop: Any) -> DistanceProfile:
    repeats = several_repeats(trains, t_start, t_stop)
    gaps = gaps_of(repeats)
    grid = np.unique(np.append(gaps.ends, gaps.start))
    left, right = np.zeros((2, grid.size - 1))
    _add_profiles(grid, gaps, spike, left, right)
    pairs = repeats.n_trials * (repeats.n_trials - 1) / 2
    return DistanceProfile(grid, left / pairs, right / pairs)


def _coincident(repeats: Trains) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Different times of each train, coincident spikes of each, and (n, n) coincident spikes of one train with another."""
    start, stop = repeats.window()
    n = repeats.n_trials
    new = (np.diff(repeats.times, prepend=-np.inf) > 0) | (np.diff(repeats.trial, prepend=-1) > 0)
    times, count = repeats.times[new], np.bincount(repeats.trial[new], minlength=n)
    offsets = np.concatenate([[0], np.cumsum(count)])
    of_spike, matrix = np.zeros(times.size), np.zeros((n, n))
    _coincidences(times, offsets, stop - start, of_spike, matrix)
    matrix = nan_ratio(matrix + matrix.T, count[:, None] + count)
    matrix[np.isnan(matrix)] = 1.0
    np.fill_diagonal(matrix, 1.0)
    return times, of_spike, matrix


@suggest_keywords
def isi_profile(
    trains: SpikeSource, *, t_start: Time | None = None, t_stop: Time | None = None
) -> DistanceProfile:
    """ISI-distance against time, mean over all pairs of trains; its mean over time is the mean `isi_distance` of the pairs.

    Arguments and errors: as for `isi_distance`, of at least two trains, the repeats of one neuron or trains of several.
    Source: Kreuz et al. 2007, doi 10.1016/j.jneumeth.2007.05.031

    >>> import quantities as pq
    >>> profile = isi_profile([[0.1, 0.2, 0.5], [0.25, 0.75]], t_start=0*pq.s, t_stop=1*pq.s)
    >>> profile.left.round(3), round(profile.mean(), 3)
    (array([0.8, 0.8, 0.4, 0.4, 0. , 0. ]), 0.28)
    """
    return _profile(trains, False, t_start, t_stop)


@suggest_keywords
def spike_profile(
    trains: SpikeSource, *, t_start: Time | None = None, t_stop: Time | None = None
) -> DistanceProfile:
    """SPIKE-distance against time, mean over all pairs of trains; its mean over time is the mean `spike_distance` of the pairs.

    Arguments and errors: as for `isi_profile`. Source: Kreuz et al. 2013, doi 10.1152/jn.00873.2012

    >>> import quantities as pq
    >>> trains = [[0.2, 0.4, 0.6, 0.8], [0.21, 0.41, 0.61, 0.81]]
    >>> round(spike_profile(trains, t_start=0*pq.s, t_stop=1*pq.s).mean(), 3)
    0.05
    """
    return _profile(trains, True, t_start, t_stop)


@suggest_keywords
def synchronization_profile(
    trains: SpikeSource, *, t_start: Time | None = None, t_stop: Time | None = None
) -> SynchronizationProfile:
    """SPIKE-synchronization of each spike: the fraction of the other trains that have a spike coincident with it.

    Spike i of one train and spike j of another coincide when |t_i - t_j| < tau_ij, half of the smallest of the four intervals
    beside them, the trial's duration for one that its end cuts off. So each spike coincides with at most one of each other
    train. Equal times within a train count once. Arguments and errors: as for `isi_profile`. Source: Kreuz, Mulansky & Bozanic
    2015, doi 10.1152/jn.00848.2014

    >>> import quantities as pq
    >>> profile = synchronization_profile([[0.2, 0.6], [0.21], [0.19, 0.59]], t_start=0*pq.s, t_stop=1*pq.s)
    >>> profile.values, profile.mean()
    (array([1. , 1. , 1. , 0.5, 0.5]), 0.8)
    """
    repeats = several_repeats(trains, t_start, t_stop)
    times, of_spike, _ = _coincident(repeats)
    different, number = np.unique(times, return_inverse=True)
    n_spikes = np.bincount(number, minlength=different.size)
    total = np.bincount(number, of_spike, minlength=different.size)
    return SynchronizationProfile(
        different, total / np.maximum(n_spikes, 1) / (repeats.n_trials - 1), n_spikes
    )


@public_measure("1")
def spike_synchronization(
    trains: SpikeSource, *, t_start: Time | None = None, t_stop: Time | None = None
) -> np.ndarray:
    """SPIKE-synchronization of each pair of trains, (n, n), in [0, 1]: the fraction of spikes that coincide; 1 for equal trains.

    Coincident as in `synchronization_profile`, with the same arguments, errors and source, but also of one train. Two empty
    trains have 1.

    >>> import quantities as pq
    >>> spike_synchronization([[0.2, 0.6], [0.21, 0.4]], t_start=0*pq.s, t_stop=1*pq.s)
    array([[1. , 0.5], [0.5, 1. ]])
    """
    return _coincident(as_repeats(trains, t_start, t_stop))[2]

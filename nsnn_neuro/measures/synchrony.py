"""ISI-distance and SPIKE-distance of spike trains: without a time scale to choose, exact integrals of their profiles.

Each profile compares two trains at every time t through the interval nu(t) that holds t, and is integrated piece by
piece between spikes: it is constant there (ISI) or linear (SPIKE). Divided by the trial's duration, so in [0, 1].

Edges, as in PySpike, so that the values are comparable: the interval before the first spike is the larger of its
distance to t_start and of the first interval, that after the last spike the same way. For SPIKE, an auxiliary spike
lies at the far end of each of these; it may be a spike's nearest neighbour, and the distance of the first (last) spike
holds unchanged up to the edge. A train without spikes is taken as one with a spike at either end, and a lone
spike at t_start as if followed by one at t_stop. Equal times within a train count once.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from ..errors import NsnnError
from .estimate import measure
from .trains import Trains, as_repeats, as_trains

__all__ = ["isi_distance", "mean_isi_distance", "mean_spike_distance", "spike_distance"]


@numba.njit(cache=True)
def _interval(times, first, last, gap, start, stop):  # pragma: no cover - compiled
    """Length of the interval after the spikes times[first..gap], that is before times[gap + 1], of one train."""
    if gap < first:
        after = times[first + 1] - times[first] if last > first else 0.0
        return max(times[first] - start, after)
    if gap == last:
        before = times[last] - times[last - 1] if last > first else 0.0
        return max(stop - times[last], before)
    return times[gap + 1] - times[gap]


@numba.njit(cache=True)
def _isi_pair(times, a0, a1, b0, b1, start, stop):  # pragma: no cover - compiled
    """Integral of |nu_a - nu_b| / max(nu_a, nu_b); a0 and a1 are the places of the first and last spike."""
    i, j, now, total = a0 - 1, b0 - 1, start, 0.0
    while True:
        next_a = times[i + 1] if i < a1 else stop
        next_b = times[j + 1] if j < b1 else stop
        then = min(next_a, next_b)
        if then > now:
            nu_a = _interval(times, a0, a1, i, start, stop)
            nu_b = _interval(times, b0, b1, j, start, stop)
            total += (then - now) * abs(nu_a - nu_b) / max(nu_a, nu_b)
            now = then
        if i == a1 and j == b1:
            return total
        if i < a1 and next_a == then:
            i += 1
        if j < b1 and next_b == then:
            j += 1


@numba.njit(cache=True)
def _nearest(times, a0, a1, b0, b1, low, high, out):  # pragma: no cover - compiled
    """out[i]: distance of spike i of train a to the nearest of train b and of b's auxiliary spikes."""
    j = b0
    for i in range(a0, a1 + 1):
        while j < b1 and times[j + 1] <= times[i]:
            j += 1
        found = min(abs(times[i] - low), abs(times[i] - high), abs(times[i] - times[j]))
        if j < b1:
            found = min(found, abs(times[j + 1] - times[i]))
        out[i - a0] = found


@numba.njit(cache=True)
def _to_spike(times, distance, first, last, gap, t):  # pragma: no cover - compiled
    """Distance to the other train at time t, linear between the spikes' own and constant towards the edges."""
    if gap < first:
        return distance[0]
    if gap == last:
        return distance[last - first]
    before, after = times[gap], times[gap + 1]
    d = distance[gap - first]
    return d + (distance[gap + 1 - first] - d) * (t - before) / (after - before)


@numba.njit(cache=True)
def _auxiliary(times, first, last, start, stop):  # pragma: no cover - compiled
    if last == first:
        return start, stop
    low = min(start, 2 * times[first] - times[first + 1])
    return low, max(stop, 2 * times[last] - times[last - 1])


@numba.njit(cache=True)
def _spike_pair(times, a0, a1, b0, b1, start, stop, near_a, near_b):  # pragma: no cover - compiled
    """Integral of (S_a nu_b + S_b nu_a) / (2 mean(nu_a, nu_b)^2), by trapezia: it is linear between spikes."""
    low, high = _auxiliary(times, b0, b1, start, stop)
    _nearest(times, a0, a1, b0, b1, low, high, near_a)
    low, high = _auxiliary(times, a0, a1, start, stop)
    _nearest(times, b0, b1, a0, a1, low, high, near_b)
    i, j, now, total = a0 - 1, b0 - 1, start, 0.0
    while True:
        next_a = times[i + 1] if i < a1 else stop
        next_b = times[j + 1] if j < b1 else stop
        then = min(next_a, next_b)
        if then > now:
            nu_a = _interval(times, a0, a1, i, start, stop)
            nu_b = _interval(times, b0, b1, j, start, stop)
            s_a = _to_spike(times, near_a, a0, a1, i, now) + _to_spike(times, near_a, a0, a1, i, then)
            s_b = _to_spike(times, near_b, b0, b1, j, now) + _to_spike(times, near_b, b0, b1, j, then)
            total += (then - now) * (s_a * nu_b + s_b * nu_a) / (nu_a + nu_b) ** 2
            now = then
        if i == a1 and j == b1:
            return total
        if i < a1 and next_a == then:
            i += 1
        if j < b1 and next_b == then:
            j += 1


@numba.njit(cache=True)
def _distances(times, offsets, start, stop, spike):  # pragma: no cover - compiled
    """(n, n) ISI-distances, or SPIKE-distances, of trains none of which is empty."""
    n = offsets.size - 1
    out = np.zeros((n, n))
    longest = np.max(np.diff(offsets))
    near_a, near_b = np.empty(longest), np.empty(longest)
    for a in range(n):
        for b in range(a):
            a0, a1, b0, b1 = offsets[a], offsets[a + 1] - 1, offsets[b], offsets[b + 1] - 1
            if spike:
                value = _spike_pair(times, a0, a1, b0, b1, start, stop, near_a, near_b)
            else:
                value = _isi_pair(times, a0, a1, b0, b1, start, stop)
            out[a, b] = out[b, a] = value / (stop - start)
    return out


def _with_edges(repeats: Trains, start: float, stop: float) -> tuple[np.ndarray, np.ndarray]:
    """Times without repetitions and offsets; empty trains, and a lone spike at t_start, get spikes at the ends."""
    count = repeats.counts[:, 0]
    first = repeats.offsets[:-1]
    empty = count == 0
    lone = ~empty
    lone[lone] = (repeats.times[first[lone]] <= start) & (
        repeats.times[first[lone] + count[lone] - 1] <= start
    )
    train = np.concatenate([repeats.trial, np.flatnonzero(empty), np.flatnonzero(empty | lone)])
    ends = [np.full(empty.sum(), start), np.full((empty | lone).sum(), stop)]
    times = np.concatenate([repeats.times, *ends])
    order = np.lexsort((times, train))
    times, train = times[order], train[order]
    new = np.concatenate([[True], (np.diff(times) > 0) | (np.diff(train) > 0)])
    number = np.bincount(train[new], minlength=repeats.n_trials)
    return times[new], np.concatenate([[0], np.cumsum(number)])


def _matrix(repeats: Trains, spike: bool) -> np.ndarray:
    start, stop = repeats.window()
    return _distances(*_with_edges(repeats, start, stop), start, stop, spike)


def _mean_over_pairs(block: Any, spike: bool, name: str, t_start: Any, t_stop: Any) -> np.ndarray:
    trains = as_trains(block, t_start, t_stop)
    n = trains.n_trials
    if n < 2:
        raise NsnnError(f"{name} needs at least two trials: it compares repeats")
    upper = np.triu_indices(n, 1)
    order = np.lexsort((trains.trial, trains.neuron))  # a stable sort: times stay in order
    times, trial = trains.times[order], trains.trial[order]
    borders = np.concatenate([[0], np.cumsum(trains.counts.sum(axis=0))])
    values = np.empty(trains.n_neurons)
    for k in range(trains.n_neurons):
        own = slice(borders[k], borders[k + 1])
        zeros = np.zeros(borders[k + 1] - borders[k], dtype=np.int64)
        one = Trains(times[own], zeros, trial[own], 1, n, trains.t_start, trains.t_stop)
        values[k] = _matrix(one, spike)[upper].mean()
    return values


@measure("1")
def isi_distance(trains: Any, *, t_start: Any = None, t_stop: Any = None) -> np.ndarray:
    """ISI-distance of each pair of trains, (n, n), in [0, 1]: how different the local rates are; 0 for equal trains.

    D = 1/T integral of |nu_a - nu_b| / max(nu_a, nu_b) dt, nu(t) the interspike interval at t. Edges: see the
    module (PySpike's). About 1/2 for independent Poisson trains of one rate.

    Parameters
    ----------
    trains : the repeats of one neuron, see `as_repeats`; empty ones are allowed
    t_start, t_stop : times, scalar; None is the trains' own end; needed for plain arrays

    Raises
    ------
    NsnnError : trains of different windows or without one, or what `as_repeats` refuses. Source: Kreuz et al.
        2007, doi 10.1016/j.jneumeth.2007.05.031

    >>> import quantities as pq
    >>> trains = [[0.2, 0.4, 0.6, 0.8], [0.4, 0.8]]
    >>> isi_distance(trains, t_start=0*pq.s, t_stop=1*pq.s).round(3)
    array([[0. , 0.5], [0.5, 0. ]])
    """
    return _matrix(as_repeats(trains, t_start, t_stop), False)


@measure("1")
def spike_distance(trains: Any, *, t_start: Any = None, t_stop: Any = None) -> np.ndarray:
    """SPIKE-distance of each pair of trains, (n, n), in [0, 1]: how far apart the spikes are; 0 for equal trains.

    D = 1/T integral of (S_a nu_b + S_b nu_a) / (2 m^2) dt, m = (nu_a + nu_b) / 2, S_a(t) the distance of a's
    spikes to the nearest of b, interpolated between the spike before t and the one after. Edges: see the
    module (PySpike's).

    Parameters
    ----------
    trains : the repeats of one neuron, see `as_repeats`; empty ones are allowed
    t_start, t_stop : times, scalar; None is the trains' own end; needed for plain arrays

    Raises
    ------
    NsnnError : trains of different windows or without one, or what `as_repeats` refuses. Source: Kreuz et al.
        2013, doi 10.1152/jn.00873.2012

    >>> import quantities as pq
    >>> trains = [[0.2, 0.4, 0.6, 0.8], [0.21, 0.41, 0.61, 0.81]]
    >>> spike_distance(trains, t_start=0*pq.s, t_stop=1*pq.s).round(3)
    array([[0.  , 0.05], [0.05, 0.  ]])
    """
    return _matrix(as_repeats(trains, t_start, t_stop), True)


@measure("1")
def mean_isi_distance(block: Any, *, t_start: Any = None, t_stop: Any = None) -> np.ndarray:
    """Mean ISI-distance of all pairs of trials of each neuron, (n_neurons,).

    Parameters
    ----------
    block : neo.Block, one Segment per trial, all of the same window
    t_start, t_stop : times, scalar; None is the trials' own end

    Raises
    ------
    NsnnError : one trial, trials of different windows, or what `as_trains` refuses. See `isi_distance`

    >>> import neo
    >>> block = neo.Block()
    >>> for times in [[0.2, 0.4, 0.6, 0.8], [0.4, 0.8]]:
    ...     segment = neo.Segment()
    ...     segment.spiketrains.append(neo.SpikeTrain(times, units="s", t_stop=1.0))
    ...     block.segments.append(segment)
    >>> mean_isi_distance(block).round(3)
    array([0.5])
    """
    return _mean_over_pairs(block, False, "mean_isi_distance", t_start, t_stop)


@measure("1")
def mean_spike_distance(block: Any, *, t_start: Any = None, t_stop: Any = None) -> np.ndarray:
    """Mean SPIKE-distance of all pairs of trials of each neuron, (n_neurons,).

    Parameters
    ----------
    block : neo.Block, one Segment per trial, all of the same window
    t_start, t_stop : times, scalar; None is the trials' own end

    Raises
    ------
    NsnnError : one trial, trials of different windows, or what `as_trains` refuses. See `spike_distance`

    >>> import neo
    >>> block = neo.Block()
    >>> for times in [[0.2, 0.4, 0.6, 0.8], [0.21, 0.41, 0.61, 0.81]]:
    ...     segment = neo.Segment()
    ...     segment.spiketrains.append(neo.SpikeTrain(times, units="s", t_stop=1.0))
    ...     block.segments.append(segment)
    >>> mean_spike_distance(block).round(3)
    array([0.05])
    """
    return _mean_over_pairs(block, True, "mean_spike_distance", t_start, t_stop)

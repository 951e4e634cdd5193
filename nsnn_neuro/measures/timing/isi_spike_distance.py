"""ISI-distance and SPIKE-distance of spike trains, free of a time scale, as exact integrals of their profiles.

At every time t two trains are compared through the interval nu(t) that holds t; between spikes this is constant (ISI)
or linear (SPIKE). Edges as in PySpike: the interval before the first spike is the larger of its distance to t_start and
of the first interval, that after the last spike the same way. For SPIKE an auxiliary spike lies at the far end of each
of these, and the distance of the first (last) spike holds unchanged up to the edge. A train without spikes counts as
one with a spike at either end, a lone spike at t_start as if followed by one at t_stop. Equal times within a train
count once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ...core.aliases import SpikeSource, Time
from ...core.errors import NsnnError
from ...core.numba_jit import njit
from ..estimate import public_measure
from ..trains import Trains, as_repeats, as_trains, warn_silent


class Gaps(NamedTuple):
    """The gaps between spikes of all trains, with the rule for the edges; see the module.

    A train of k spikes has k + 1 gaps, which end at its spikes and then at t_stop. All trains lie one behind the other.
    """

    ends: np.ndarray  # (n_gaps,) s, where each gap ends
    nu: np.ndarray  # (n_gaps,) s, interval that each gap stands for
    first: np.ndarray  # (n_trains + 1,) first gap of each train
    auxiliary: np.ndarray  # (n_trains, 2) s, auxiliary spikes at both ends
    start: float
    stop: float


@njit(cache=True)  # pragma: no cover - compiled
def _nearest(own: np.ndarray, other: np.ndarray, low: float, high: float, out: np.ndarray) -> None:
    """Write into out[i] the distance of own[i] to the nearest of the spikes `other` and of their auxiliary spikes."""
    j = 0
    for i in range(own.size):
        while j < other.size - 1 and other[j + 1] <= own[i]:
            j += 1
        result = min(abs(own[i] - low), abs(own[i] - high), abs(own[i] - other[j]))
        if j < other.size - 1:
            result = min(result, abs(other[j + 1] - own[i]))
        out[i] = result


@njit(cache=True)  # pragma: no cover - compiled
def gaps_and_nearest(a: int, b: int, gaps: Gaps, spike: bool) -> tuple[np.ndarray, ...]:
    """Ends, intervals and, for `spike`, the spikes' distances to the other train's nearest, of train a and of b."""
    own = slice(gaps.first[a], gaps.first[a + 1])
    other = slice(gaps.first[b], gaps.first[b + 1])
    ends_a, ends_b = gaps.ends[own], gaps.ends[other]
    near_a, near_b = np.empty(ends_a.size - 1), np.empty(ends_b.size - 1)
    if spike:
        _nearest(ends_a[:-1], ends_b[:-1], gaps.auxiliary[b, 0], gaps.auxiliary[b, 1], near_a)
        _nearest(ends_b[:-1], ends_a[:-1], gaps.auxiliary[a, 0], gaps.auxiliary[a, 1], near_b)
    return ends_a, gaps.nu[own], near_a, ends_b, gaps.nu[other], near_b


@njit(cache=True)  # pragma: no cover - compiled
def _integral(both: tuple[np.ndarray, ...], start: float, stop: float, spike: bool) -> float:
    """Integral of the profile of two trains; the spike profile is linear between spikes, so by trapezia."""
    ends_a, nu_a, near_a, ends_b, nu_b, near_b = both
    i, j, now, begin_a, begin_b, total = 0, 0, start, start, start, 0.0
    while now < stop:
        then = min(ends_a[i], ends_b[j])
        step, x, y = then - now, nu_a[i], nu_b[j]
        if step > 0 and spike:
            # the spike before a gap and the one after it; at the edges both are the only one there is
            left, right = near_a[max(i - 1, 0)], near_a[min(i, near_a.size - 1)]
            s_a = 2 * left + (right - left) * (now + then - 2 * begin_a) / (ends_a[i] - begin_a)
            left, right = near_b[max(j - 1, 0)], near_b[min(j, near_b.size - 1)]
            s_b = 2 * left + (right - left) * (now + then - 2 * begin_b) / (ends_b[j] - begin_b)
            total += step * (s_a * y + s_b * x) / (x + y) ** 2
        elif step > 0:
            total += step * abs(x - y) / max(x, y)
        now = then
        if ends_a[i] == then and i < ends_a.size - 1:
            i, begin_a = i + 1, then
        if ends_b[j] == then and j < ends_b.size - 1:
            j, begin_b = j + 1, then
    return total


@njit(cache=True)  # pragma: no cover - compiled
def _distances(gaps: Gaps, spike: bool) -> np.ndarray:
    """(n, n) ISI-distances, or SPIKE-distances."""
    n = gaps.first.size - 1
    out = np.zeros((n, n))
    for a in range(n):
        for b in range(a):
            total = _integral(gaps_and_nearest(a, b, gaps, spike), gaps.start, gaps.stop, spike)
            out[a, b] = out[b, a] = total / (gaps.stop - gaps.start)
    return out


def gaps_of(repeats: Trains) -> Gaps:
    """The gaps of trains that share one window."""
    start, stop = repeats.window()
    # times without repetitions; empty trains, and a lone spike at t_start, get spikes at the ends
    count = repeats.counts[:, 0]
    first = repeats.offsets[:-1]
    empty = count == 0
    lone = ~empty
    lone[lone] = repeats.times[first[lone] + count[lone] - 1] <= start  # the last spike, and so all
    train = np.concatenate([repeats.trial, np.flatnonzero(empty), np.flatnonzero(empty | lone)])
    added = [np.full(empty.sum(), start), np.full((empty | lone).sum(), stop)]
    times = np.concatenate([repeats.times, *added])
    order = np.lexsort((times, train))
    times, train = times[order], train[order]
    new = np.concatenate([[True], (np.diff(times) > 0) | (np.diff(train) > 0)])
    number = np.bincount(train[new], minlength=repeats.n_trials)
    times, offsets = times[new], np.concatenate([[0], np.cumsum(number)])
    n, last = repeats.n_trials, offsets[1:]
    ends = np.insert(times, last, stop)
    first = offsets + np.arange(n + 1)
    nu = np.diff(ends, prepend=start)
    nu[first[:-1]] = ends[first[:-1]] - start
    # at the edges: the larger of what is seen of the interval and of the one next to it, if there is one
    count = np.diff(offsets)
    head, tail = first[:-1], first[1:] - 1
    nu[head] = np.maximum(nu[head], np.where(count > 1, nu[head + 1], 0.0))
    nu[tail] = np.maximum(nu[tail], np.where(count > 1, nu[tail - 1], 0.0))
    auxiliary = np.stack([ends[head] - nu[head], times[last - 1] + nu[tail]], axis=1)
    return Gaps(ends, nu, first, auxiliary, start, stop)


def _mean_over_pairs(block: Any, spike: bool, name: str, t_start: Any, t_stop: Any) -> np.ndarray:
    trains = as_trains(block, t_start, t_stop)
    n = trains.n_trials
    if n < 2:
        raise NsnnError(f"{name} needs at least two trials: it compares repeats")
    order = np.argsort(trains.neuron, kind="stable")  # once: `of_neuron` looks through all spikes
    times, trial = trains.times[order], trains.trial[order]
    borders = np.append(0, np.cumsum(trains.counts.sum(axis=0)))
    values, upper = np.full(trains.n_neurons, np.nan), np.triu_indices(n, 1)
    for k in np.flatnonzero(np.diff(borders)):
        own = slice(borders[k], borders[k + 1])
        one = replace(trains, times=times[own], neuron=0 * trial[own], trial=trial[own], n_neurons=1)
        values[k] = _distances(gaps_of(one), spike)[upper].mean()
    return warn_silent(values, name, "have no spike in any trial")


@public_measure("1")
def isi_distance(
    trains: SpikeSource, *, t_start: Time | None = None, t_stop: Time | None = None
) -> np.ndarray:
    """ISI-distance of each pair of trains, (n, n), in [0, 1]: how different the local rates are; 0 for equal trains.

    D = 1/T integral of |nu_a - nu_b| / max(nu_a, nu_b) dt, nu(t) the interspike interval at t; at the edges as in
    PySpike. About 1/2 for independent Poisson trains of one rate.

    Parameters
    ----------
    trains : the repeats of one neuron, see `as_repeats`; empty ones are allowed, and two of them have the distance 0
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
    return _distances(gaps_of(as_repeats(trains, t_start, t_stop)), False)


@public_measure("1")
def spike_distance(
    trains: SpikeSource, *, t_start: Time | None = None, t_stop: Time | None = None
) -> np.ndarray:
    """SPIKE-distance of each pair of trains, (n, n), in [0, 1]: how far apart the spikes are; 0 for equal trains.

    D = 1/T integral of (S_a nu_b + S_b nu_a) / (2 m^2) dt, m = (nu_a + nu_b) / 2, S_a(t) the distance of a's
    spikes to the nearest of b, interpolated between the spike before t and the one after; at the edges as in PySpike.
    Arguments and errors: as for `isi_distance`. Source: Kreuz et al. 2013, doi 10.1152/jn.00873.2012

    >>> import quantities as pq
    >>> trains = [[0.2, 0.4, 0.6, 0.8], [0.21, 0.41, 0.61, 0.81]]
    >>> spike_distance(trains, t_start=0*pq.s, t_stop=1*pq.s).round(3)
    array([[0.  , 0.05], [0.05, 0.  ]])
    """
    return _distances(gaps_of(as_repeats(trains, t_start, t_stop)), True)


@public_measure("1")
def mean_isi_distance(
    block: SpikeSource, *, t_start: Time | None = None, t_stop: Time | None = None
) -> np.ndarray:
    """Mean `isi_distance` of all pairs of trials of each neuron, (n_neurons,).

    `block` has one Segment per trial, at least two, all of the same window; NsnnError otherwise, or for what `as_trains`
    refuses. NaN, with one SilentNeuronWarning, for neurons without a spike.

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.2, 0.4, 0.6, 0.8]], [[0.4, 0.8]]], t_stop=1*pq.s)
    >>> mean_isi_distance(block).round(3)
    array([0.5])
    """
    return _mean_over_pairs(block, False, "mean_isi_distance", t_start, t_stop)


@public_measure("1")
def mean_spike_distance(
    block: SpikeSource, *, t_start: Time | None = None, t_stop: Time | None = None
) -> np.ndarray:
    """Mean `spike_distance` of all pairs of trials of each neuron, (n_neurons,); arguments as for `mean_isi_distance`.

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.2, 0.4, 0.6, 0.8]], [[0.21, 0.41, 0.61, 0.81]]], t_stop=1*pq.s)
    >>> mean_spike_distance(block).round(3)
    array([0.05])
    """
    return _mean_over_pairs(block, True, "mean_spike_distance", t_start, t_stop)

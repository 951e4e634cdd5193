"""Spike-time tiling coefficient: correlation of the spike times of pairs of neurons, almost independent of their rates."""

from __future__ import annotations

import numpy as np

from ...core.aliases import SpikeSource, Time
from ...core.checks import positive
from ...core.numba_jit import njit
from ...io.spikes.bins import slack
from ..estimate import public_measure
from ..trains import as_repeats, as_trains, holds_blocks, nan_ratio, warn_silent


@njit(cache=True)  # pragma: no cover - compiled
def _tiled_time(
    times: np.ndarray, offsets: np.ndarray, starts: np.ndarray, stops: np.ndarray, dt: float
) -> np.ndarray:
    """Time within dt of each train's spikes, inside the trial."""
    out = np.zeros(offsets.size - 1)
    for k in range(out.size):
        reached = starts[k]
        for i in range(offsets[k], offsets[k + 1]):
            low, high = max(times[i] - dt, reached), min(times[i] + dt, stops[k])
            if high > low:
                out[k] += high - low
                reached = high
    return out


@njit(cache=True)  # pragma: no cover - compiled
def _tiled_spikes(times: np.ndarray, offsets: np.ndarray, n: int, dt: float) -> np.ndarray:
    """(n, n) number of spikes of neuron a within dt of a spike of neuron b in the same trial."""
    out = np.zeros((n, n))
    for trial in range((offsets.size - 1) // n):
        for a in range(n):
            for b in range(n):
                j, end = offsets[trial * n + b], offsets[trial * n + b + 1]
                for i in range(offsets[trial * n + a], offsets[trial * n + a + 1]):
                    while j < end and times[j] < times[i] - dt:
                        j += 1
                    if j < end and times[j] <= times[i] + dt:
                        out[a, b] += 1.0
    return out


@public_measure("1")
def spike_time_tiling(
    trains: SpikeSource, *, dt: Time, t_start: Time | None = None, t_stop: Time | None = None
) -> np.ndarray:
    """Spike-time tiling coefficient of each pair of neurons, (n, n), in [-1, 1]; almost independent of firing rates.

    STTC = 1/2 [(P_a - T_b) / (1 - P_a T_b) + (P_b - T_a) / (1 - P_b T_a)]: P_a is the fraction of a's spikes within dt
    of a spike of b, T_a the fraction of time within dt of a spike of a. 1 for equal trains, about 0 for
    independent ones. A quotient 0/0 (all spikes and all time are covered) is 1. Over trials, spikes and time are summed.

    Parameters
    ----------
    trains : neo.Block, one Segment per trial; or the simultaneous trains of several neurons in one trial, in the forms
        of `as_repeats`
    dt : time, scalar
    t_start, t_stop : times, scalar; None is the trains' own end; needed for plain arrays

    Raises
    ------
    NsnnError : trains of different windows in a list, or what `as_trains` refuses. Warns once, SilentNeuronWarning, for
        neurons without a spike (NaN). Source: Cutts & Eglen 2014, doi 10.1523/JNEUROSCI.2767-14.2014

    >>> import quantities as pq
    >>> trains = [[0.1, 0.5], [0.102, 0.8]]
    >>> spike_time_tiling(trains, dt=5*pq.ms, t_start=0*pq.s, t_stop=1*pq.s).round(3)
    array([[1.   , 0.485], [0.485, 1.   ]])
    """
    reach = positive(dt, "s", "dt")
    if holds_blocks(trains):
        data = as_trains(trains, t_start, t_stop)
        n, start, stop = data.n_neurons, data.t_start, data.t_stop
        length = data.durations.sum()
    else:
        data = as_repeats(trains, t_start, t_stop)
        n, (low, high) = data.n_trials, data.window()
        start, stop, length = np.array([low]), np.array([high]), high - low
    count = data.counts.reshape(-1, n)
    first, last = np.repeat(start, n), np.repeat(stop, n)
    tiled = _tiled_time(data.times, data.offsets, first, last, reach).reshape(-1, n).sum(axis=0) / length
    # spikes on a grid: a distance that is meant to equal dt may exceed it by rounding
    reach *= 1 + slack(reach, data.resolution, "dt")
    hit = nan_ratio(_tiled_spikes(data.times, data.offsets, n, reach), count.sum(axis=0)[:, None])
    product = hit * tiled
    half = np.where(product >= 1, 1.0, nan_ratio(hit - tiled, 1 - product))
    value = (half + half.T) / 2
    warn_silent(np.where(count.sum(axis=0) > 0, 0.0, np.nan), "spike_time_tiling", "have no spikes")
    return value

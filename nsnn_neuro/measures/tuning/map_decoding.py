"""Decode a variable from the spikes of neurons with known rate maps, window by window; see `RateMap.decode`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any

import neo
import numpy as np
import pandas as pd
from scipy.special import entr, softmax

from ...core.checks import one_of, positive, scalar
from ...core.errors import NsnnError
from ..estimate import counted
from ..limits import between_0_and_1
from ..spiketrain.spike_triggered import covering_signals
from ..trains import Trains, as_trains
from .read_trials import unit_text

if TYPE_CHECKING:
    from .rate_map import RateMap


@dataclass(frozen=True, eq=False)
class MapDecoding:
    """Posterior of the variable of a rate map in windows of time; made by `RateMap.decode`.

    >>> import neo
    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> from nsnn_neuro.measures import rate_map
    >>> place = neo.AnalogSignal(np.repeat([0.0, 1.0], 50), units="cm", sampling_rate=10*pq.Hz)
    >>> block = to_block([[np.arange(0.5, 5), np.arange(5.25, 10, 0.5)]], t_stop=10*pq.s)
    >>> decoding = rate_map(place, block, bins=2).decode(block, window=2.5*pq.s, signal=place)
    >>> decoding.posterior.round(2)[::3]
    array([[1., 0.],
           [0., 1.]])
    >>> decoding.table[["time", "n", "mode", "true", "error"]].values.tolist()[0]
    [1.25, 2.0, 0.25, 0.0, 0.25]
    >>> print(decoding)
    MapDecoding: 4 windows, 2 bins; medians: error 0.25 cm, rank 0, entropy 0.000653 bit, size 0.5 cm, n 4 spikes
    """

    posterior: np.ndarray
    """(n_windows, n_bins) or (n_windows, n_bins_0, n_bins_1), of sum 1 in each window; 0 in bins without a rate"""
    table: pd.DataFrame
    """a row for each window: trial, time (s, its middle), n (spikes of all neurons); mode (centre of the most
    probable bin) and mean of the posterior; entropy (bit); size, of the fewest bins that hold `level` of the
    posterior. With a signal also true, its value at the middle; error, the distance of the mode from it; rank,
    the posterior of bins that are more probable than the true one: below a level where these fewest bins hold
    the truth, which is in at least this share of windows if the posterior is right. Of two variables there are
    mode_0 and mode_1, and so on; size is then an area"""
    centers: tuple[np.ndarray, ...] = field(repr=False)
    """of the bins of each variable, in `unit`"""
    unit: str
    """of mode, mean, size, true and error"""

    def __repr__(self) -> str:
        unit = "" if self.unit == "1" else f" {self.unit}"
        size = unit and unit + "^2" * (len(self.centers) == 2)
        units = {"error": unit, "rank": "", "entropy": " bit", "size": size, "n": " spikes"}
        bins = " x ".join(str(one.size) for one in self.centers)
        medians = [
            f"{name} {self.table[name].median():.3g}{of}" for name, of in units.items() if name in self.table
        ]
        title = f"MapDecoding: {counted(len(self.table), 'window')}, {bins} bins"
        return f"{title}; medians: {', '.join(medians)}"


def decode_map(
    map: RateMap, block: Any, window: Any, signal: Any, prior: str, min_rate: Any, level: float, *cut: Any
) -> MapDecoding:
    """The variable of a map in windows of time; see `RateMap.decode`."""
    width = positive(window, "s", "window")
    one_of(prior, ("flat", "occupancy"), "prior")
    least = scalar(min_rate, "Hz", "min_rate", above=0)
    between_0_and_1(level, "level")
    trains = as_trains(block, *cut)
    if trains.n_neurons != len(map.rate):
        raise NsnnError(f"block has {trains.n_neurons} neurons: expected the {len(map.rate)} of the map")
    index, n_windows = trains.bins(width, "window")
    first, n = np.cumsum(n_windows) - n_windows, int(n_windows.sum())
    trial = np.repeat(np.arange(trains.n_trials), n_windows)
    time = trains.t_start[trial] + (np.arange(n) - first[trial] + 0.5) * width
    cell = (first[trains.trial] + index) * trains.n_neurons + trains.neuron
    cell = cell[index < n_windows[trains.trial]]
    counts = np.bincount(cell, minlength=n * trains.n_neurons).reshape(n, trains.n_neurons)

    rate = map.rate.reshape(trains.n_neurons, -1)
    kept = np.isfinite(rate).all(axis=0)
    rate = np.maximum(rate[:, kept], least)
    log_p = counts @ np.log(rate) - width * rate.sum(axis=0)
    if prior == "occupancy":
        log_p += np.log(map.occupancy.ravel()[kept])
    p = np.zeros((n, kept.size))
    p[:, kept] = softmax(log_p, axis=1)

    centers = np.stack([one.ravel() for one in np.meshgrid(*map.centers, indexing="ij")], axis=1)
    columns = {"mode": centers[p.argmax(axis=1)], "mean": p @ centers}
    low, period = np.array([(e[0], np.ptp(e)) for e in map.edges]).T
    for i in np.flatnonzero(map.circular).tolist():
        vector = p @ np.exp(2j * np.pi * (centers[:, i] - low[i]) / period[i])
        columns["mean"][:, i] = low[i] + np.angle(vector) / (2 * np.pi) * period[i] % period[i]
    more = {"entropy": entr(p).sum(axis=1) / np.log(2), "size": _sizes(p, map.edges, level)}
    if signal is not None:
        true = _values_at(signal, trains, trial, time, map)
        true = columns["true"] = np.where(map.circular, low + (true - low) % period, true)
        off = columns["mode"] - true
        off = np.where(map.circular, (off + period / 2) % period - period / 2, off)
        place = bin_of(true, map.edges, map.circular)
        own = np.where(place >= 0, p[np.arange(n), place], 0.0)[:, None]
        more["error"] = np.linalg.norm(off, axis=1)
        more["rank"] = np.where(p > own, p, 0.0).sum(axis=1)
    table = pd.DataFrame({"trial": trial, "time": time, "n": counts.sum(axis=1)})
    for name, values in columns.items():
        for i, column in enumerate(values.T):
            table[name if len(period) == 1 else f"{name}_{i}"] = column
    posterior = p.reshape(n, *map.rate.shape[1:])
    return MapDecoding(posterior, table.assign(**more), map.centers, map.unit)


def _sizes(p: np.ndarray, edges: tuple[np.ndarray, ...], level: float) -> np.ndarray:
    """Size (n_windows,) of the fewest bins whose posterior reaches `level`."""
    size = reduce(np.multiply.outer, [np.diff(one) for one in edges]).ravel()
    order = np.argsort(-p, axis=1, kind="stable")
    ordered = np.take_along_axis(p, order, axis=1)
    before = np.cumsum(ordered, axis=1) - ordered
    return np.asarray(np.where(before < level - 1e-12, size[order], 0.0).sum(axis=1))


def _values_at(signal: Any, trains: Trains, trial: np.ndarray, time: np.ndarray, map: RateMap) -> np.ndarray:
    """Samples (n_windows, d) of the signal that are nearest to times of trials."""
    parts = []
    for k, (values, fs, start) in enumerate(covering_signals(signal, trains)):
        one = signal if isinstance(signal, neo.AnalogSignal) else signal[k]
        if unit_text(one) != map.unit or values.shape[1] != len(map.edges):
            raise NsnnError(
                f"signal has {values.shape[1]} channels in {unit_text(one)}: expected those of the map, {len(map.edges)} in "
                f"{map.unit}"
            )
        sample = np.floor((time[trial == k] - start) * fs + 0.5).astype(int)
        parts.append(values[np.clip(sample, 0, len(values) - 1)])
    return np.concatenate(parts)


def bin_of(x: np.ndarray, edges: Sequence[np.ndarray], circular: Sequence[bool]) -> np.ndarray:
    """Number of the bin that holds each sample (n, d), (n,), of all bins in a row; -1 outside the edges."""
    place, inside = np.zeros(len(x), dtype=np.int64), np.ones(len(x), dtype=bool)
    for i, e in enumerate(edges):
        v = e[0] + (x[:, i] - e[0]) % (e[-1] - e[0]) if circular[i] else x[:, i]
        place = place * (e.size - 1) + np.searchsorted(e, v, side="right") - 1 - (v == e[-1])
        inside &= (v >= e[0]) & (v <= e[-1])
    return np.where(inside, place, -1)

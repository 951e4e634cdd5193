"""Windows of a signal around spikes: which samples, of which channels, and how many spikes have a whole window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import neo
import numpy as np

from ...core.errors import NsnnError
from ...core.units import describe, si
from ...io.spikes.bins import index, rounding, slack
from ..trains import Trains, read_channels


@dataclass(frozen=True, eq=False)
class SpikeWindows:
    """Signals of trials and the samples of their spikes; made by `spike_windows`."""

    signals: list[np.ndarray]
    """one for each trial, (n_samples, n_channels); the same array where trials share a signal"""
    lags: np.ndarray
    """(n_lags,) samples from the spike's own"""
    rate: float
    """of samples, Hz"""
    samples: list[np.ndarray]
    """for each trial the samples of the spikes whose window lies inside the signal"""
    neurons: list[np.ndarray]
    """the neuron of each of these spikes"""
    usable: list[tuple[int, int]]
    """for each trial the first sample that a spike can have whose window lies inside the signal, and the end of these samples"""

    @property
    def n_channels(self) -> int:
        """Channels of the signals."""
        return int(self.signals[0].shape[1])


def spike_windows(signal: Any, spikes: Trains, before: Any, after: Any) -> SpikeWindows:
    """Where the spikes are in the signals, and the lags from -before to after, the last one left out.

    >>> import quantities as pq
    >>> from nsnn_neuro.measures import as_repeats
    >>> signal = neo.AnalogSignal([0.0, 1.0, 5.0, 2.0], units="mV", sampling_rate=1*pq.kHz)
    >>> windows = spike_windows(signal, as_repeats([[0.0, 0.002]]), 1*pq.ms, 1*pq.ms)
    >>> windows.lags, windows.samples  # the first spike has no sample before it
    (array([-1,  0]), [array([2])])
    """
    read = signals_of_trials(signal, spikes.n_trials)
    rate = read[0][1]
    first, last = -round(_at_least_0(before, "before") * rate), round(_at_least_0(after, "after") * rate)
    if not first < last <= first + min(len(values) for values, _, _ in read):
        raise NsnnError(
            f"before = {before}, after = {after}: the window has no sample, or more than the signal"
        )
    borders = spikes.offsets[:: spikes.n_neurons]
    ends = [at for values, _, start in read for at in (start, start + len(values) / rate)]
    share = slack(1 / rate, max(spikes.resolution, rounding(ends)), "the signal's sampling interval")
    samples, neurons, usable = [], [], []
    for trial, (values, _, start) in enumerate(read):
        own = slice(borders[trial], borders[trial + 1])
        sample = index(spikes.times[own], start, 1 / rate, share)
        low, end = max(0, -first), min(len(values), len(values) - last + 1)
        limits = np.array([spikes.t_start[trial], spikes.t_stop[trial]])
        if np.isfinite(limits).all():
            begin = index(limits, start, 1 / rate, share)
            within = limits[1] - start > begin[1] / rate + share / rate  # the trial ends inside a sample
            low, end = max(low, int(begin[0])), min(end, int(begin[1]) + int(within))
        inside = (sample + first >= 0) & (sample + last <= len(values))
        samples.append(sample[inside])
        neurons.append(spikes.neuron[own][inside])
        if inside.any():  # a spike exactly at the end of the recording counts
            end = max(end, int(sample[inside].max()) + 1)
        usable.append((low, max(low, end)))
    lags = np.arange(first, last)
    return SpikeWindows([values for values, _, _ in read], lags, rate, samples, neurons, usable)


def signals_of_trials(signal: Any, n_trials: int) -> list[tuple[np.ndarray, float, float]]:
    """What `read_channels` returns for the signal of each trial; one neo.AnalogSignal is that of all trials.

    >>> import quantities as pq
    >>> signal = neo.AnalogSignal([0.0, 1.0], units="mV", sampling_rate=1*pq.kHz)
    >>> [len(values) for values, _, _ in signals_of_trials(signal, 3)]
    [2, 2, 2]
    """
    if isinstance(signal, neo.AnalogSignal) or not isinstance(signal, Sequence):
        return [read_channels(signal)] * n_trials
    signals = [read_channels(one, f"signal[{k}]") for k, one in enumerate(signal)]
    if len(signals) != n_trials or len({rate for _, rate, _ in signals}) > 1:
        raise NsnnError(
            f"signal = list of {len(signals)}: expected one per trial ({n_trials}), of one sampling rate"
        )
    if len({values.shape[1] for values, _, _ in signals}) > 1:
        raise NsnnError(f"signal = list of {len(signals)}: expected the same number of channels in each")
    return signals


def _at_least_0(value: Any, name: str) -> float:
    x = si(value, "s", name)
    if np.ndim(x) != 0 or not 0 <= x < np.inf:
        raise NsnnError(f"{name} = {value}: expected {describe('s')}, at least 0")
    return float(x)

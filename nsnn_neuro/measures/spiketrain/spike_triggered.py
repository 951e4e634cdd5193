"""Spike-triggered average; windows of a signal around spikes: which samples, of which channels, how many spikes have one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import neo
import numpy as np

from ...core.aliases import Signal, SpikeSource, Time
from ...core.checks import scalar, suggest_keywords
from ...core.errors import NsnnError
from ...io.lookup import EVENT_TIME
from ...io.spikes.bins import index, rounding, slack
from ..estimate import Report
from ..response_checks import warn_repeated
from ..trains import Trains, as_repeats, as_trains, holds_blocks, nan_ratio, read_channels, warn_silent

_BLOCKS = (10, 40)  # of time behind the error of a spike-triggered average, least and most of all trials


@dataclass(frozen=True, eq=False)
class SpikeTriggeredAverage(Report):
    """Mean signal around a spike; made by `spike_triggered_average`."""

    lags: np.ndarray
    """(n_lags,) s; 0 is the sample that holds the spike, negative lags come before it"""
    average: np.ndarray
    """(n_neurons, n_lags) in the signal's unit; of several channels (n_neurons, n_lags, n_channels)"""
    se: np.ndarray
    """like `average`, from differences between blocks of time, see `spike_triggered_average`; NaN if all spikes are in one block"""
    n: np.ndarray
    """(n_neurons,) spikes used: those whose whole window lies inside the signal"""


@suggest_keywords
def spike_triggered_average(
    signal: Signal,
    trains: SpikeSource,
    *,
    before: Time,
    after: Time,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> SpikeTriggeredAverage:
    """Mean of a signal around the spikes of each neuron, A(lag) = mean over spikes of signal(t_spike + lag).

    Lags run from -before to after, the last one left out, in steps of the signal's sampling interval. A spike belongs to
    the sample that begins at or last before it. Spikes closer than the window to the signal's ends are left out.

    se: trials are divided into blocks of time of four windows, 10 to 40 of them or one for each trial, se^2 = B/(B - 1) sum of
    (S_b - n_b A)^2 / n^2, S_b the sum of the signal at the n_b spikes of block b, B the blocks with spikes; where all trials share
    the signal, a block has the spikes of all. Give a window that contains the signal's memory. Coverage: "Errors with few trials"
    in the documentation.

    Parameters
    ----------
    signal : neo.AnalogSignal, the same in all trials, or a list of one per trial; each channel is averaged by itself
    trains : neo.Block, one Segment per trial (any number of neurons), or the repeats of one neuron as in `as_repeats`
    before, after : times, scalar
    t_start, t_stop : times, scalar; None is the trials' own end

    Raises
    ------
    NsnnError : a signal with NaN, numbers of signals and trials or of channels that differ, a window longer than the
        signal. Warns once, SilentNeuronWarning, for neurons without a usable spike (NaN). Source: de Boer & Kuyper 1968,
        doi 10.1109/TBME.1968.4502561

    >>> import neo, quantities as pq
    >>> signal = neo.AnalogSignal([0.0, 1.0, 5.0, 2.0, 0.0, 0.0], units="mV", sampling_rate=1*pq.kHz)
    >>> sta = spike_triggered_average(signal, [[0.002]], before=1*pq.ms, after=2*pq.ms)
    >>> sta.lags, sta.average
    (array([-0.001,  0.   ,  0.001]), array([[1., 5., 2.]]))
    """
    many = holds_blocks(trains)
    spikes = (as_trains if many else as_repeats)(trains, t_start, t_stop)
    warn_repeated(trains, spikes, "spike_triggered_average")
    windows = spike_windows(signal, spikes, before, after)
    shift = windows.signals[0].mean(axis=0)  # sums about a mean, or a large offset would swallow the errors
    size = spikes.n_neurons
    total, squares, cross = np.zeros((3, size, windows.lags.size, windows.n_channels))
    number, weight, blocks = np.zeros((3, size))
    for values, sample, neuron, block, n_blocks in _in_blocks(windows):
        cell = block * size + neuron
        own = np.bincount(cell, minlength=n_blocks * size).reshape(-1, size)
        number += own.sum(axis=0)
        weight += (own**2).sum(axis=0)
        blocks += (own > 0).sum(axis=0)
        for k, lag in enumerate(windows.lags):
            for c, x in enumerate((values[sample + lag] - shift).T):
                sums = np.bincount(cell, x, minlength=n_blocks * size).reshape(-1, size)
                total[:, k, c] += sums.sum(axis=0)
                squares[:, k, c] += (sums**2).sum(axis=0)
                cross[:, k, c] += (sums * own).sum(axis=0)
    n, b = number[:, None, None], blocks[:, None, None]
    mean = nan_ratio(total, n)
    variance = np.maximum(squares - 2 * mean * cross + mean**2 * weight[:, None, None], 0.0)
    average, se = mean + shift, np.sqrt(nan_ratio(variance * b, n**2 * np.maximum(b - 1, 0)))
    if windows.n_channels == 1:
        average, se = average[..., 0], se[..., 0]
    reason = "have no spike whose window lies inside the signal"
    warn_silent(mean[:, 0, 0], "spike_triggered_average", reason)
    return SpikeTriggeredAverage(windows.lags / windows.rate, average, se, number.astype(np.int64))


def _in_blocks(windows: SpikeWindows) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]]:
    """For each trial, or once if trials share their signal: signal, the spikes' samples, neurons and blocks, number of blocks."""
    shared = all(values is windows.signals[0] for values in windows.signals)
    trials = [np.arange(len(windows.signals))] if shared else np.arange(len(windows.signals))[:, None]
    time = sum(end - low for low, end in (windows.usable[k[0]] for k in trials))
    n_blocks = -(-int(np.clip(time // (4 * windows.lags.size), *_BLOCKS)) // len(trials))
    for own in trials:
        sample, neuron = (
            np.concatenate([part[k] for k in own]) for part in (windows.samples, windows.neurons)
        )
        low, end = min(windows.usable[k][0] for k in own), max(windows.usable[k][1] for k in own)
        block = np.clip((sample - low) * n_blocks // max(end - low, 1), 0, n_blocks - 1)
        yield windows.signals[own[0]], sample, neuron, block, n_blocks


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
    """Where the spikes are in the signals, and the lags from -before to after, the last one left out."""
    read = signals_of_trials(signal, spikes)
    rate = read[0][1]
    first = -round(scalar(before, "s", "before", least=0.0) * rate)
    last = round(scalar(after, "s", "after", least=0.0) * rate)
    if not first < last <= first + min(len(values) for values, _, _ in read):
        raise NsnnError(f"before = {before}, after = {after}: a window of no sample, or more than the signal")
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


def signals_of_trials(
    signal: Any, trains: Trains, name: str = "signal"
) -> list[tuple[np.ndarray, float, float]]:
    """What `read_channels` returns for the signal of each trial; one neo.AnalogSignal is that of all, not of their recording."""
    if isinstance(signal, neo.AnalogSignal) or not isinstance(signal, Sequence):
        values, rate, start = read_channels(signal, name)
        trains.refuse_session_signal(name, start, len(values), rate)
        if trains.n_trials > 1 and EVENT_TIME in getattr(getattr(signal, "segment", None), "annotations", ()):
            raise NsnnError(
                f"{name} is that of one of {trains.n_trials} trials that were cut: expected [segment.analogsignals[0] for segment "
                "in block.segments], or, of a stimulus that is the same in each, [signal] * len(block.segments)"
            )
        return [(values, rate, start)] * trains.n_trials
    signals = [read_channels(one, f"{name}[{k}]") for k, one in enumerate(signal)]
    if len(signals) != trains.n_trials or len({rate for _, rate, _ in signals}) > 1:
        raise NsnnError(
            f"{name} = list of {len(signals)}: expected one per trial ({trains.n_trials}), of one sampling rate"
        )
    if len({values.shape[1] for values, _, _ in signals}) > 1:
        raise NsnnError(f"{name} = list of {len(signals)}: expected the same number of channels in each")
    if all(one is signal[0] for one in signal):
        values, rate, start = signals[0]
        trains.refuse_session_signal(name, start, len(values), rate)
    return signals


def covering_signals(
    signal: Any, trains: Trains, name: str = "signal"
) -> list[tuple[np.ndarray, float, float]]:
    """What `signals_of_trials` returns for signals that cover the trials, to one and a half samples; NsnnError for others."""
    read = signals_of_trials(signal, trains, name)
    for trial, (values, rate, start) in enumerate(read):
        first, last = float(trains.t_start[trial]), float(trains.t_stop[trial])
        if first < start - 1.5 / rate or last > start + (len(values) + 0.5) / rate:
            raise NsnnError(
                f"{name} of trial {trial} lasts from {start:g} to {start + len(values) / rate:g} s: expected one that covers the "
                f"window, {first:g} to {last:g} s; choose a window within the signal, with t_start and t_stop"
            )
    return read

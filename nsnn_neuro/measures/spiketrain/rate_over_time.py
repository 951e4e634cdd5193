"""Rates over time: peri-stimulus time histogram, correlation of rates, and of PSTHs relative to the noise of few trials."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import neo
import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.stats import chi2

from ...core.aliases import SpikeSource, Time
from ...core.checks import flag, positive, suggest_keywords
from ...core.errors import NsnnError
from ...io.segments import unit_table
from ...io.spikes.bins import index, slack
from ..estimate import Report, public_measure
from ..event_windows import around_events, warn_overlap
from ..limits import between_0_and_1
from ..trains import Trains, as_repeats, as_trains, binned, nan_ratio, read, scalar_time, warn_silent


@dataclass(frozen=True, eq=False)
class Psth(Report):
    """Peri-stimulus time histogram of n neurons; made by `psth`."""

    edges: np.ndarray
    """(n_bins + 1,) s"""
    rate: np.ndarray
    """(n, n_bins) Hz"""
    lower: np.ndarray
    """(n, n_bins) Hz, lower end of the confidence band"""
    upper: np.ndarray
    """(n, n_bins) Hz, upper end"""
    counts: np.ndarray
    """(n, n_bins) spikes of all trials"""
    exposure: np.ndarray
    """(n_bins,) trials that cover each bin (times neurons, after `pooled`); the rate is NaN where there are none"""
    confidence: float
    units: dict[str, list[Any]] = field(default_factory=dict, repr=False)
    """what the Block knows of the neurons, by which a figure takes and names them: column -> (n,) values"""

    @property
    def times(self) -> np.ndarray:
        """(n_bins,) s, centres of the bins"""
        return (self.edges[:-1] + self.edges[1:]) / 2

    def pooled(self, neurons: Any = None) -> Psth:
        """The mean rate of the chosen neurons (index array or slice; None: all) as a Psth with n = 1.

        Its band takes the pooled count as Poisson: neurons have to be independent given the stimulus.
        """
        try:
            chosen = self.counts if neurons is None else self.counts[neurons]
        except IndexError:
            chosen = np.empty(0)
        n = len(chosen) if chosen.ndim == 2 else 0
        if not n:
            raise NsnnError(f"neurons = {neurons!r}: expected indices of {len(self.counts)} neurons")
        return _with_band(self.edges, chosen.sum(axis=0, keepdims=True), self.exposure * n, self.confidence)


@suggest_keywords
def psth(
    block: SpikeSource,
    *,
    bin_width: Time,
    confidence: float = 0.95,
    align: Any = None,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> Psth:
    """Rate of each neuron against time with exact Poisson confidence bands, (n_neurons, n_bins) in a `Psth`.

    With c spikes in a bin over the m trials that cover it, rate = c / (m * bin_width) and, a = 1 - confidence, lower =
    chi2(a/2; 2c)/2, upper = chi2(1 - a/2; 2c + 2)/2, over the same divisor: limits of a Poisson mean with at least the stated
    coverage, bin by bin. They are too wide for trains more regular than Poisson. For the rate of a population use `.pooled()`.

    Trials may differ in length: bins tile the time from the first start to the last stop, each trial counts in the bins that lie
    within it, and `exposure` says how many do. Windows around events that overlap count their spikes several times: the band is
    then too narrow, and one warning says how many overlap.

    Parameters
    ----------
    block : neo.Block, one Segment per trial
    bin_width : time, scalar; bins tile from t_start and the remainder is dropped
    confidence : in (0, 1)
    align : time of an event at which time becomes 0: one for all trials, (n_trials,) one for each, or a list with the times of each
        trial's events (of a Block with one trial all times are events of it)
    t_start, t_stop : times, scalar, counted from the event; None is the first start and the last stop of the trials

    Raises
    ------
    NsnnError : a window that begins before or ends after all trials, no trial as long as a bin, confidence outside (0, 1), another
        number of events than of trials, several events in a trial without t_start and t_stop, or what `as_trains` refuses.
        Source: Garwood 1936, doi 10.1093/biomet/28.3-4.437

    >>> import neo, quantities as pq
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.1, 0.2, 0.7]]], t_stop=1*pq.s)
    >>> h = psth(block, bin_width=500*pq.ms)
    >>> h.edges, h.rate, h.lower.round(3), h.upper.round(3)
    (array([0. , 0.5, 1. ]), array([[4., 2.]]), array([[0.484, 0.051]]), array([[14.449, 11.143]]))
    >>> psth(block, bin_width=100*pq.ms, align=150*pq.ms, t_start=-100*pq.ms, t_stop=100*pq.ms).counts
    array([[1, 1]])
    """
    between_0_and_1(confidence, "confidence")
    width = positive(bin_width, "s", "bin_width")
    start, stop = scalar_time(t_start, "t_start", None), scalar_time(t_stop, "t_stop", None)
    trains = read(block, start, stop, whole=True)
    if align is not None:
        n_trials = trains.n_trials
        trains = around_events(trains, align, start, stop, allow_partial=True)[0]
        warn_overlap(trains, align, n_trials, "psth")
    edges, counts, exposure = _covered_counts(trains, width, start, stop)
    units = unit_table(block) if isinstance(block, neo.Block) else {}
    return replace(_with_band(edges, counts, exposure, confidence), units=units)


def _covered_counts(
    trains: Trains, width: float, start: float | None, stop: float | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges (s), spikes of all trials by neuron and bin, and the trials that cover each bin; each trial counts where it does."""
    share = slack(width, trains.resolution, "bin_width")
    apart = max(trains.resolution, share * width)
    begins, ends = trains.t_start, trains.t_start + trains.durations
    first, last = float(begins.min()), float(ends.max())
    low, high = first if start is None else start, last if stop is None else stop
    if low < first - apart:
        raise NsnnError(f"t_start = {low} s: the first trial starts at {first} s")
    if high > last + apart:
        raise NsnnError(f"t_stop = {high} s: the last trial stops at {last} s")
    if low >= high:
        raise NsnnError(f"t_start = {low} s must be before t_stop = {high} s")
    n_bins = int(np.floor((high - low) / width + share))
    begin = np.clip(np.ceil((begins - low) / width - share), 0, n_bins).astype(np.int64)
    end = np.clip(np.floor((ends - low) / width + share), begin, n_bins).astype(np.int64)
    begun, ended = (np.bincount(k, minlength=n_bins + 1) for k in (begin, end))
    exposure = np.cumsum(begun - ended)[:-1]
    if not exposure.any():
        longest = float(np.minimum(ends - begins, high - low).max())
        raise NsnnError(
            f"bin_width = {width} s is longer than the longest trial ({longest} s), or no bin lies within a trial"
        )
    number = index(trains.times, low, width, share)
    # a spike at the very end of a trial is in its last bin
    ends_there = np.abs(ends - (low + end * width)) <= apart
    number -= ends_there[trains.trial] & (number == end[trains.trial])
    inside = (number >= begin[trains.trial]) & (number < end[trains.trial])
    cell = trains.neuron[inside] * n_bins + number[inside]
    counts = np.bincount(cell, minlength=trains.n_neurons * n_bins).reshape(trains.n_neurons, n_bins)
    return low + width * np.arange(n_bins + 1), counts, exposure


def _with_band(edges: np.ndarray, counts: np.ndarray, exposure: np.ndarray, confidence: float) -> Psth:
    per_spike = nan_ratio(np.ones(exposure.size), exposure * np.diff(edges))
    seen, where = np.unique(counts, return_inverse=True)  # quantiles are slow and few counts differ
    tail = (1 - confidence) / 2
    low = np.where(seen > 0, chi2.ppf(tail, 2 * np.maximum(seen, 1)) / 2, 0.0)
    high = chi2.ppf(1 - tail, 2 * seen + 2) / 2
    lower, upper = (limit[where].reshape(counts.shape) * per_spike for limit in (low, high))
    return Psth(edges, counts * per_spike, lower, upper, counts, exposure, confidence)


@public_measure("1")
def rate_correlation(
    block_a: Any,
    block_b: Any,
    *,
    sigma: Any,
    step: Any = None,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> np.ndarray:
    """Pearson correlation over time of each neuron's rate in two Blocks, (n_neurons,).

    Each rate is the trial average of spike counts in bins of `step`, smoothed by a Gaussian of standard deviation sigma (cut
    at 5 sigma) that is renormalised at the ends. The spikes' own noise lowers the value below the correlation of the
    underlying rates; more trials raise it.

    Parameters
    ----------
    block_a, block_b : neo.Blocks of the same neurons, one Segment per trial, all of the same duration
    sigma : time, scalar
    step : time, scalar; None (default) is sigma / 5
    t_start, t_stop : times, scalar; None is the trials' own end

    Raises
    ------
    NsnnError : different numbers of neurons or windows, a step longer than a trial, or what `as_trains` refuses. Warns once,
        SilentNeuronWarning, for neurons without spikes or of constant rate in either Block (NaN)

    >>> import neo, quantities as pq
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.1, 0.2, 0.7]]], t_stop=1*pq.s)
    >>> rate_correlation(block, block, sigma=50*pq.ms).round(12)
    array([1.])
    """
    width = positive(sigma, "s", "sigma")
    bin_width = width / 5 if step is None else positive(step, "s", "step")
    if not np.isfinite([width, bin_width]).all():
        raise NsnnError(f"sigma = {sigma}, step = {step}: expected finite times")
    a = as_trains(block_a, t_start, t_stop, "block_a")
    b = as_trains(block_b, t_start, t_stop, "block_b")
    if a.n_neurons != b.n_neurons:
        raise NsnnError(
            f"block_a has {a.n_neurons} neurons, block_b {b.n_neurons}: expected the same neurons"
        )
    length_a, length_b = (float(np.diff(trains.window())[0]) for trains in (a, b))
    if abs(length_a - length_b) > max(1e-9 * length_a, a.resolution, b.resolution):
        raise NsnnError(
            f"trials of block_a last {length_a} s, of block_b {length_b} s: pass t_start and t_stop"
        )
    rates = []
    for trains in (a, b):
        rate = binned(trains, bin_width, "step").sum(axis=0).astype(float)
        ends = gaussian_filter1d(np.ones(rate.shape[1]), width / bin_width, mode="constant", truncate=5.0)
        smooth = gaussian_filter1d(rate, width / bin_width, axis=1, mode="constant", truncate=5.0) / ends
        smooth[np.ptp(smooth, axis=1) <= 1e-9 * smooth.max(axis=1)] = 0.0
        rates.append(smooth - smooth.mean(axis=1, keepdims=True))
    x, y = rates
    value = nan_ratio((x * y).sum(axis=1), np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1)))
    return warn_silent(value, "rate_correlation", "have no spikes or a constant rate in one of the blocks")


@public_measure("1")
def psth_correlation(
    data: Any,
    model: Any,
    *,
    bin_width: Time,
    normalised: bool = True,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> float:
    """Correlation over time between the PSTHs of a neuron and of a model, divided by its largest possible value.

        C = cov(x, y) / sqrt(S_x S_y),   S_x = [var(sum of trials) - sum over trials of var] / (N (N - 1))

    x and y are mean counts per bin. S_x, the signal power, estimates the variance of the expected count: that of x also contains
    the noise of N trials. So C is 1 for a model with the neuron's expected counts, however few trials there are; it may exceed 1.
    With normalised=False it is the plain correlation, cov(x, y) / sqrt(var(x) var(y)), whose ceiling for the neuron's trials is
    sqrt(S_x / var(x)). Both need the same stimulus in all trials.

    Parameters
    ----------
    data, model : trains of the repeats of each, as for `victor_purpura`; two or more if normalised
    bin_width : time, scalar; C depends on it
    normalised : True, or False for the plain correlation
    t_start, t_stop : times, scalar; None is the trials' own end

    Raises
    ------
    NsnnError : a set of one train if normalised, different windows, or what `as_repeats` refuses. NaN, with one
        SilentNeuronWarning, for a PSTH without variance or signal power

    Source: Sahani & Linden 2003 (NIPS 15); Schoppe et al. 2016, doi 10.3389/fncom.2016.00010, with the power of the model's
    signal in place of the variance of its PSTH, as the model has a finite number of trials too

    >>> import quantities as pq
    >>> trains = [[0.10, 0.11, 0.30], [0.11, 0.12, 0.32]]
    >>> window = {"t_start": 0*pq.s, "t_stop": 0.4*pq.s, "bin_width": 100*pq.ms}
    >>> psth_correlation(trains, trains, **window), round(psth_correlation(trains, [[0.12]], normalised=False, **window), 3)
    (1.0, 0.87)
    """
    width = positive(bin_width, "s", "bin_width")
    normalised = flag(normalised, "normalised")
    least = 2 if normalised else 1
    x = _counts(data, width, t_start, t_stop, "data", least)
    y = _counts(model, width, t_start, t_stop, "model", least)
    if x.shape[1] != y.shape[1]:
        raise NsnnError(
            f"data have {x.shape[1]} bins of {width} s, model {y.shape[1]}: expected the same window; pass t_start and t_stop"
        )
    powers = [signal_power(c) if normalised else float(np.var(c.mean(axis=0))) for c in (x, y)]
    covariance = float(np.mean((x.mean(axis=0) - x.mean()) * (y.mean(axis=0) - y.mean())))
    value = covariance / np.sqrt(powers[0] * powers[1]) if min(powers) > 0 else np.nan
    what = "signal power" if normalised else "variance over time"
    return float(warn_silent(np.array([value]), "psth_correlation", f"have a PSTH without {what}")[0])


def _counts(trains: Any, width: float, t_start: Any, t_stop: Any, name: str, least: int) -> np.ndarray:
    repeats = as_repeats(trains, t_start, t_stop, name)
    if repeats.n_trials < least:
        raise NsnnError(
            f"{name} has {repeats.n_trials} train: expected two or more, to estimate the noise; or normalised=False"
        )
    repeats.check_durations("so that the bins differ")
    return binned(repeats, width, "bin_width")[:, 0].astype(float)


def signal_power(counts: np.ndarray) -> float:
    """Variance over bins of the expected count, unbiased, from counts (n_trials, n_bins) of two trials or more."""
    n = len(counts)
    total = np.var(counts.sum(axis=0)) - np.var(counts, axis=1).sum()
    return float(total / (n * (n - 1)))

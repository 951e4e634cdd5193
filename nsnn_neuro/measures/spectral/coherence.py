"""Coherence of a stimulus, or of a field, and spikes; the information rate that it bounds from below.

Both follow Welch: segments of `nperseg` samples, `noverlap` shared by neighbours, a Hann window, the global
mean taken off and no detrending of segments (SciPy's default detrends each one, which raises the coherence).
Only the time that signal and all trials share is used. Over trials of one signal the cross-spectrum and the
response's power are averaged, which gives the coherence of a single trial's response.

Bias. With K independent segments, times the number of trials, an estimated coherence C' is too high, by 1/K
where response and signal are independent and by about (1 - C)^2 / K in general (Carter, Knapp & Nuttall 1973,
doi 10.1109/TAU.1973.1162496). For complex Gaussian spectra E ln(1 - C') = ln(1 - C) - 1/(K - 1) exactly: the
expected log determinants of a complex Wishart matrix (Goodman 1963, doi 10.1214/aoms/1177704250) differ by
digamma(K - 1) - digamma(K). Overlapping segments are correlated: K = segments / (1 + 2 sum over m of (1 -
m/segments) c_m^2), c_m the correlation of the window with itself m hops on (Welch 1967, doi
10.1109/TAU.1967.1161901).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import neo
import numpy as np
from scipy.signal import get_window

from ...core.aliases import Signal, SpikeSource, Time
from ...core.checks import check, one_of, positive, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import shown, si
from ...core.warn import warn
from ...io.spikes.bins import index, rounding, slack
from ..estimate import Estimate, Report, jackknife_se, public_measure
from ..response_checks import warn_repeated, with_test
from ..spiketrain.spike_triggered import signals_of_trials
from ..trains import SilentNeuronWarning, Trains, as_repeats, as_trains, nan_ratio, read_signal, warn_silent


@dataclass(frozen=True, eq=False)
class SegmentSpectra:
    """Windowed transforms by segment; the response's are averaged over trials, and no more is needed."""

    f: np.ndarray  # (n_f,) Hz
    x: np.ndarray  # (segments, n_f) of the signal
    y: np.ndarray  # (segments, n_f) mean over trials of the response's
    power: np.ndarray  # (segments, n_f) mean over trials of |response|^2
    n_effective: float  # independent segments, times trials

    @property
    def products(self) -> np.ndarray:
        """(3, segments, n_f) complex: cross-spectrum and the two powers."""
        return np.stack([self.x.conj() * self.y, np.abs(self.x) ** 2, self.power])

    def coherence(self) -> np.ndarray:
        """(n_f,) coherence over all segments."""
        return coherence_of(self.products.sum(axis=1))

    def leave_one_out(self) -> np.ndarray:
        """(segments, n_f) coherence without each segment."""
        products = self.products
        return coherence_of(products.sum(axis=1, keepdims=True) - products)


def coherence_of(products: np.ndarray) -> np.ndarray:
    """Coherence (..., n_f) of sums of `SegmentSpectra.products`, (3, ..., n_f)."""
    return nan_ratio(np.abs(products[0]) ** 2, products[1].real * products[2].real)


def transform(x: np.ndarray, nperseg: int, noverlap: int) -> np.ndarray:
    """(segments, n_f) Fourier transforms of windowed segments of x - mean(x)."""
    segments = np.lib.stride_tricks.sliding_window_view(x - x.mean(), nperseg)[:: nperseg - noverlap]
    return np.fft.rfft(segments * get_window("hann", nperseg), axis=1)


def effective_segments(segments: int, nperseg: int, noverlap: int) -> float:
    """Number of independent segments of equal variance, for Hann windows that overlap (Welch 1967)."""
    window, hop = get_window("hann", nperseg), nperseg - noverlap
    shared = [
        (m, window[m * hop :] @ window[: nperseg - m * hop]) for m in range(1, segments) if m * hop < nperseg
    ]
    return segments / (1 + 2 * sum((1 - m / segments) * (c / (window @ window)) ** 2 for m, c in shared))


def binned_trains(signal: Any, train: Any, t_start: Any, t_stop: Any) -> tuple[np.ndarray, np.ndarray, float]:
    """Signal (m,) and spike counts (n_trials, m) over the time that all share, and the sampling rate."""
    trains = as_repeats(train, t_start, t_stop, "train")
    values, rate, start = read_signal(signal)
    trains.refuse_session_signal("signal", start, values.size, rate)
    first = float(np.nanmax([start, *trains.t_start]))
    last = float(np.nanmin([start + values.size / rate, *trains.t_stop]))
    apart = max(trains.resolution, rounding(start, start + values.size / rate))
    share = slack(1 / rate, apart, "the signal's sampling interval")
    low, high = int(np.ceil((first - start) * rate - share)), int(np.floor((last - start) * rate + share))
    values = values[max(low, 0) : max(high, 0)]
    bins = index(trains.times, start, 1 / rate, share) - low
    at_end = trains.times >= (trains.t_stop - apart)[trains.trial]  # in the last bin, see `trains`
    bins[at_end & (bins == values.size)] -= 1
    inside = (bins >= 0) & (bins < values.size)
    cell = trains.trial[inside] * values.size + bins[inside]
    counts = np.bincount(cell, minlength=trains.n_trials * values.size)
    return values, counts.reshape(trains.n_trials, values.size), rate


def segment_spectra(
    signal: np.ndarray, counts: np.ndarray, rate: float, nperseg: int, noverlap: int | None, least: int = 2
) -> SegmentSpectra:
    """Spectra of arrays: signal (m,) and counts (n_trials, m), which hold at least `least` segments, 1 or 2."""
    noverlap = check_segments(nperseg, noverlap)
    if signal.size < least * nperseg - (least - 1) * noverlap:
        wanted = "two segments (a single one has coherence 1 whatever the data)" if least > 1 else "a segment"
        raise NsnnError(
            f"nperseg = {nperseg}: signal and trains share {signal.size} samples, fewer than {wanted}"
        )
    if np.ptp(signal) == 0:
        raise NsnnError(f"signal is constant ({signal[0]}): its coherence with anything is undefined")
    x = transform(signal, nperseg, noverlap)
    y, power = np.zeros_like(x), np.zeros(x.shape)
    for count in counts:
        one = transform(count, nperseg, noverlap)
        y += one / len(counts)
        power += np.abs(one) ** 2 / len(counts)
    n_effective = len(counts) * effective_segments(len(x), nperseg, noverlap)
    return SegmentSpectra(np.fft.rfftfreq(nperseg, 1 / rate), x, y, power, n_effective)


def check_segments(nperseg: Any, noverlap: Any) -> int:
    """The overlap, half of a segment for None; NsnnError unless these are whole numbers, and segments longer than it."""
    check(nperseg=nperseg, noverlap=noverlap)
    if noverlap is not None and noverlap >= nperseg:
        raise NsnnError(f"noverlap = {noverlap}: expected at least 0 and less than nperseg = {nperseg}")
    return int(nperseg // 2 if noverlap is None else noverlap)


def cut_off(f_max: Any, rate: float) -> float:
    """The highest frequency in Hz; None is half the sampling rate."""
    top = rate / 2 if f_max is None else positive(f_max, "Hz", "f_max")
    if top > rate / 2 * (1 + 1e-9):
        raise NsnnError(f"f_max = {f_max}: above half the signal's sampling rate, {rate / 2} Hz")
    return top


def shifted(values: np.ndarray, nperseg: int, n_shuffle: int, seed: int) -> Iterator[np.ndarray]:
    """The signal shifted around a circle by at least one segment, n_shuffle times."""
    if n_shuffle and values.size <= 2 * nperseg:
        raise NsnnError(
            f"n_shuffle = {n_shuffle}: {values.size} samples leave no shift; use 0 or a shorter nperseg"
        )
    rng, last = np.random.default_rng(seed), values.size - nperseg
    return (np.roll(values, rng.integers(nperseg, last, endpoint=True)) for _ in range(n_shuffle))


def warn_no_spikes(name: str) -> None:
    """The warning of a function whose result is NaN without spikes."""
    warn(f"{name}: the trains have no spikes; the result is NaN", SilentNeuronWarning)


@public_measure("1")
def coherence(
    signal: Signal,
    train: SpikeSource,
    *,
    nperseg: int = 512,
    noverlap: int | None = None,
    bias: str | None = None,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Coherence C(f) = |S_xy|^2 / (S_xx S_yy) of a signal and spikes: (f in Hz, C), each (n_f,).

    All trials have one signal: for a field potential, which each trial has of its own, take `spike_field_coherence`.

    Parameters
    ----------
    signal : neo.AnalogSignal with one channel; its sampling rate is the spikes' bin
    train : neo.SpikeTrain, or the repeats of one neuron under the same signal as in `as_repeats` (a Block
        with one neuron, a list of trains)
    nperseg, noverlap : samples per segment and shared by neighbours; None (default) is half of them
    bias : None (default) is Welch's estimate, comparable with published values and with other software;
        "subtract" takes off (1 - C)^2 / K, K the number of independent segments, and may give values just below 0
    t_start, t_stop : times, scalar; None is the trains' own end

    Raises
    ------
    NsnnError : fewer than two segments, a constant signal, several channels, or what `as_repeats` refuses.
        Warns once, SilentNeuronWarning, for trains without a spike (C is NaN). Source: Borst & Theunissen
        1999, doi 10.1038/14731

    >>> import neo, quantities as pq
    >>> rng = np.random.default_rng(1)
    >>> signal = neo.AnalogSignal(rng.normal(size=4096), units="mV", sampling_rate=1*pq.kHz)
    >>> times = np.flatnonzero(signal.magnitude[:, 0] > 1) / 1000
    >>> f, c = coherence(signal, [times])
    >>> float(f[1]), bool(0.4 < c.mean() < 0.7)
    (1.953125, True)
    """
    one_of(bias, (None, "subtract"), "bias")
    values, counts, rate = binned_trains(signal, train, t_start, t_stop)
    spectra = segment_spectra(values, counts, rate, nperseg, noverlap)
    c = spectra.coherence()
    if not counts.any():
        warn_no_spikes("coherence")
    return spectra.f, c if bias is None else c - (1 - c) ** 2 / spectra.n_effective


@public_measure("bit/s")
def coherence_information(
    signal: Signal,
    train: SpikeSource,
    *,
    f_max: Any = None,
    nperseg: int = 512,
    noverlap: int | None = None,
    bias: str | None = None,
    n_shuffle: int = 100,
    seed: int = 0,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> Estimate:
    """Lower bound of the information rate about a Gaussian signal, I = -sum of log2(1 - C(f)) df, in bit/s.

    The sum runs over 0 <= f <= f_max. se: jackknife over segments (all trials of one segment left out
    together), which ignores the small correlation of overlapping segments. null_mean and p: the signal is
    shifted against the trains around a circle by at least one segment, n_shuffle times. n is the number of
    segments. A warning tells when the expected bias, n_f df / ((K - 1) ln 2), exceeds a tenth of the value,
    or when K < 10.

    Parameters
    ----------
    signal, train, nperseg, noverlap, t_start, t_stop : as for `coherence`
    f_max : frequency, scalar, the signal's cut-off; None is half the sampling rate
    bias : None (default) leaves Welch's estimate, comparable with published values; its size is known from
        null_mean. "subtract" takes off the expected bias, exact for Gaussian spectra
    n_shuffle, seed : of the shifts; n_shuffle = 0 leaves null_mean and p None

    Raises
    ------
    NsnnError : f_max above half the sampling rate, too few samples for shifts, or what `coherence` refuses.
        Source: Borst & Theunissen 1999, doi 10.1038/14731

    >>> import neo, quantities as pq
    >>> rng = np.random.default_rng(1)
    >>> signal = neo.AnalogSignal(rng.normal(size=4096), units="mV", sampling_rate=1*pq.kHz)
    >>> times = np.flatnonzero(signal.magnitude[:, 0] > 1) / 1000
    >>> info = coherence_information(signal, [times], f_max=200*pq.Hz)
    >>> info.unit, bool(info.value > 5 * info.null_mean)
    ('bit/s', True)
    """
    check(bias=bias, n_shuffle=n_shuffle, seed=seed)
    noverlap = check_segments(nperseg, noverlap)
    one_of(bias, (None, "subtract"), "bias")
    values, counts, rate = binned_trains(signal, train, t_start, t_stop)
    top = cut_off(f_max, rate)
    if not counts.any():
        warn_no_spikes("coherence_information")
        return Estimate(float("nan"), warning="no spikes", unit="bit/s")
    spectra = segment_spectra(values, counts, rate, nperseg, noverlap)
    used, df = spectra.f <= top * (1 + 1e-9), spectra.f[1]
    k = spectra.n_effective
    expected_bias = used.sum() * df / ((k - 1) * np.log(2))
    offset = expected_bias if bias == "subtract" else 0.0

    def information(c: np.ndarray) -> np.ndarray:
        return -np.log2(np.maximum(1 - c[..., used], np.finfo(float).tiny)).sum(axis=-1) * df - offset

    n = len(spectra.x)
    value = float(information(spectra.coherence()))
    left_out = information(spectra.leave_one_out()) if n > 2 else np.full(n, np.nan)
    turned = (
        replace(spectra, x=transform(x, nperseg, noverlap)) for x in shifted(values, nperseg, n_shuffle, seed)
    )
    null = np.array([information(one.coherence()) for one in turned])
    warning = None
    if k < 10:
        warning = f"only {k:.1f} independent segments"
    elif bias is None and expected_bias > 0.1 * value:
        warning = f"bias of about {expected_bias:.3g} bit/s: use bias='subtract'"
    correction = "none" if bias is None else "coherence, 1/(K - 1)"
    return with_test(value, jackknife_se(left_out), correction, null, n=n, warning=warning, unit="bit/s")


@dataclass(frozen=True, eq=False)
class SpikeFieldCoherence(Report):
    """Coherence of each neuron's spikes and a field; made by `spike_field_coherence`."""

    f: np.ndarray
    """(n_f,) Hz"""
    coherence: np.ndarray
    """(n_neurons, n_f), in [0, 1]"""
    se: np.ndarray
    """(n_neurons, n_f), jackknife, see `spike_field_coherence`"""
    band_mean: np.ndarray
    """(n_neurons,) mean of the coherence over the frequencies of the band"""
    band_se: np.ndarray
    """(n_neurons,) its standard error, jackknife"""
    n_effective: float
    """independent segments of all trials: the coherence of independent spikes and field is 1 / this"""


@suggest_keywords
def spike_field_coherence(
    signal: Signal,
    block: SpikeSource,
    *,
    band: Any = None,
    nperseg: int = 512,
    noverlap: int | None = None,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> SpikeFieldCoherence:
    """Coherence |S_xy|^2 / (S_xx S_yy) of a field x and each neuron's spikes y, with errors.

    Welch's spectra, as in `coherence`, are summed over the segments of all trials, each trial with
    its own field and over the time that both share. se: jackknife over trials; over segments for
    one trial, or one signal that all trials share. Too few segments raise the coherence, see
    n_effective. `plotting.coherence((result.f, result.coherence[j]))` draws neuron j.

    Parameters
    ----------
    signal : neo.AnalogSignal of one channel, the field on the clock of the trials, or a list with
        one for each trial; its sampling rate is the spikes' bin
    block : neo.Block, one Segment per trial
    band : (low, high) frequencies, both included, of the mean; None (default) is all frequencies
    nperseg, noverlap : samples per segment and shared by neighbours; None (default) is half of them
    t_start, t_stop : times, scalar; None is the trials' own end

    Raises
    ------
    NsnnError : a trial shorter than a segment, a single segment, a constant signal, several
        channels, numbers of signals and trials that differ, a band without a frequency; or what
        `as_trains` refuses. Warns once, SilentNeuronWarning, for neurons without spikes (NaN).
        Source: Jarvis & Mitra 2001, doi 10.1162/089976601300014312

    >>> import neo, quantities as pq
    >>> rng, time = np.random.default_rng(0), np.arange(4096) / 1000
    >>> spikes = np.flatnonzero(rng.random(4096) < 0.05 * (1 + np.cos(2 * np.pi * 40 * time))) / 1000
    >>> field = np.cos(2 * np.pi * 40 * time) + rng.normal(size=4096)
    >>> field = neo.AnalogSignal(field, units="mV", sampling_rate=1*pq.kHz)
    >>> result = spike_field_coherence(field, [neo.SpikeTrain(spikes, units="s", t_stop=4.096)], band=[38, 42]*pq.Hz)
    >>> float(result.f[result.coherence[0].argmax()].round()), bool(result.band_mean[0] > 0.5)
    (41.0, True)
    """
    noverlap = check_segments(nperseg, noverlap)
    trains = as_trains(block, t_start, t_stop)
    warn_repeated(block, trains, "spike_field_coherence")
    shared, n = isinstance(signal, neo.AnalogSignal), trains.n_neurons
    f = np.fft.rfftfreq(nperseg, 1 / signals_of_trials(signal, trains)[0][1])
    edges = np.atleast_1d(f[[0, -1]] if band is None else si(band, "Hz", "band"))
    inside = (f >= edges[0]) & (f <= edges[-1])
    if edges.shape != (2,) or not inside.any():
        raise NsnnError(
            f"band = {shown(band)}: expected (low, high) with a multiple of {f[1]:g} Hz between them, up to {f[-1]:g} Hz"
        )
    value, se, band_se = np.empty((n, f.size)), np.empty((n, f.size)), np.empty(n)
    for j in range(n):
        spectra = []
        for k, field in enumerate([signal] if shared else signal):
            if shared:
                own = trains.of_neuron(j)
            else:
                times = trains.times[slice(*trains.offsets[k * n + j :][:2])]
                zeros, ends = np.zeros_like(times, dtype=np.int64), (trains.t_start[[k]], trains.t_stop[[k]])
                own = Trains(times, zeros, zeros, 1, 1, *ends, trains.resolution)
            pair = binned_trains(field, own, None, None)
            spectra.append(
                segment_spectra(*pair, nperseg, noverlap, 2 if shared or trains.n_trials < 2 else 1)
            )
        groups = spectra[0].products
        if len(spectra) > 1:
            groups = np.stack([one.products.sum(axis=1) for one in spectra], axis=1)
        total = groups.sum(axis=1)
        left_out = coherence_of(total[:, None] - groups)
        value[j], se[j] = coherence_of(total), jackknife_se(left_out)
        band_se[j] = jackknife_se(left_out[:, inside].mean(axis=1))
    band_mean = warn_silent(value[:, inside].mean(axis=1), "spike_field_coherence", "have no spikes")
    return SpikeFieldCoherence(f, value, se, band_mean, band_se, sum(one.n_effective for one in spectra))

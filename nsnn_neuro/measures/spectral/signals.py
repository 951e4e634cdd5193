"""Power spectra of analog signals, and the coherence and phase of two of them, by tapers or by windowed segments.

Conventions are those of `coherence`: the global mean is taken off and segments are not detrended; S_ab is the mean of a(f)* b(f).
Spectra are one-sided densities, so that their integral over f is the signal's variance, as scipy.signal.welch gives them.
"multitaper" has the K = 2 nw - 1 Slepian sequences of time-bandwidth product nw as tapers, a window of SciPy is one.

Errors. With K tapers and M segments, of which M' count as independent, the power has 2 n degrees of freedom, n = K M', half as
many at 0 and at half the sampling rate; the limits are those of chi-square, exact for Gaussian signals whose spectrum is flat over
the bandwidth. For the coherence C the limits are those of atanh(sqrt C) +- z / sqrt(nu - 2) less its bias 1 / (nu - 2), nu the
degrees of freedom. The phase has the standard error sqrt((1 - C) / (nu C)); its limits are at +- arcsin(t sqrt((1 - C) / (C (nu -
2)))), t the quantile of Student's distribution with nu - 2 degrees of freedom, or at +- pi, any phase, where the argument is 1 or
more. Below nu = 3 the limits are 0 and 1, and +- pi. At 0 and at half the sampling rate estimates are real: C is the square of a
correlation of nu pairs. There limits are Fisher's, atanh(sqrt C) +- z / sqrt(nu - 2) less sqrt(C) / (2 nu - 2), and the phase is 0
or pi without an error.

Near the ends. Closer than nw / T to 0 or to half the sampling rate, T the length of a segment, tapers mix f and -f. The mean over
pairs of tapers w_k, w_l of |sum over t of w_k w_l exp(-4 pi i f t)|^2, times K, is g(f), from 0 in the middle to 1 at the ends, and
nu = 2 n / (1 + g) matches the variance of the power. Taking off the mean of all N samples leaves the fraction
m(f) = 1 - mean over k of |sum over t of w_k exp(-2 pi i f t)|^2 / N of a flat spectrum, 86 % near 0 for one segment with 7 tapers;
nu is multiplied by it, and bias="mean" divides the power by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.signal import get_window
from scipy.signal.windows import dpss
from scipy.stats import beta, chi2, norm, t

from ...core.aliases import Signal
from ...core.checks import one_of, scalar, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import shown
from ...io.spikes.bins import rounding
from ..estimate import Report
from ..limits import between_0_and_1
from ..trains import nan_ratio, read_signal
from .coherence import check_segments

_MULTITAPER = "multitaper"
_LEFT = 0.01  # of a flat spectrum; with less left, estimates are little but rounding
_FREEDOM = 3.0  # below, the normal law of atanh(sqrt C) fails, and its bias 1 / (nu - 2) exceeds the error


@dataclass(frozen=True, eq=False)
class SignalSpectrum(Report):
    """Power spectrum of a signal; made by `signal_spectrum`. Arrays are (n_f,)."""

    f: np.ndarray
    """Hz"""
    power: np.ndarray
    """one-sided density, unit of the signal squared per Hz"""
    se: np.ndarray
    """standard error, power / sqrt(n_effective), up to sqrt(2) larger near 0 and half the sampling
    rate: prefer the limits"""
    lower: np.ndarray
    """lower limit of the true power"""
    upper: np.ndarray
    """upper limit"""
    n_effective: float
    """independent estimates that are averaged, tapers times segments"""
    confidence: float
    unit: str


@dataclass(frozen=True, eq=False)
class SignalCoherence(Report):
    """Coherence and phase of two signals; made by `signal_coherence`. Arrays are (n_f,)."""

    f: np.ndarray
    """Hz"""
    coherence: np.ndarray
    """|S_ab|^2 / (S_aa S_bb), in [0, 1]"""
    lower: np.ndarray
    """lower limit of the true coherence"""
    upper: np.ndarray
    """upper limit"""
    phase: np.ndarray
    """angle of S_ab in rad, in (-pi, pi]; negative where b lags behind a"""
    phase_se: np.ndarray
    """standard error of the phase in rad, not reliable above about 0.5: take `phase_lower` and
    `phase_upper`; NaN without coherence and at 0 and half the sampling rate"""
    phase_lower: np.ndarray
    """lower limit of the phase in rad, from phase - pi to phase; NaN as `phase_se`"""
    phase_upper: np.ndarray
    """upper limit, from phase to phase + pi"""
    threshold: np.ndarray
    """(n_f,) coherence that independent signals exceed with probability 1 - confidence, at one frequency"""
    n_effective: float
    """independent estimates that are averaged, tapers times segments"""
    confidence: float


@dataclass(frozen=True)
class _Plan:
    """Tapers, segments and frequencies for signals of one length."""

    tapers: np.ndarray  # (K, nperseg), each of sum of squares 1
    hop: int
    f: np.ndarray
    real: np.ndarray
    n_effective: float
    parts: np.ndarray  # (n_f,) real numbers in an estimate: 1 at both ends, 2 in the middle
    left: np.ndarray  # (n_f,) fraction of a flat spectrum that taking off the mean leaves

    @property
    def freedom(self) -> np.ndarray:
        return self.parts * self.n_effective * self.left

    def transform(self, x: np.ndarray) -> np.ndarray:
        """(segments, K, n_f) transforms of tapered segments of x less its mean."""
        size = self.tapers.shape[1]
        segments = np.lib.stride_tricks.sliding_window_view(x - x.mean(), size)[:: self.hop]
        return np.fft.rfft(segments[:, None] * self.tapers, axis=-1)


def _plan(size: int, rate: float, window: Any, nperseg: int | None, noverlap: int | None, nw: Any) -> _Plan:
    nw = scalar(nw, "1", "nw", least=1)
    if not isinstance(window, str | tuple):
        raise NsnnError(
            f'window = {shown(window)}: expected "multitaper" or a window of scipy.signal.get_window'
        )
    multitaper = window == _MULTITAPER
    length = (size if multitaper else min(256, size)) if nperseg is None else nperseg
    shared = check_segments(length, noverlap)
    if length > size:
        raise NsnnError(f"nperseg = {length}: more samples than the signal has ({size})")
    if multitaper:
        count = int(np.floor(2 * nw)) - 1
        if 2 * nw >= length:
            raise NsnnError(f"nw = {nw:g}: expected less than half of the {length} samples of a segment")
        tapers = dpss(length, nw, Kmax=count, sym=False)
    else:
        try:
            one = get_window(window, length)
        except (ValueError, TypeError):
            raise NsnnError(
                f'window = {shown(window)}: expected "multitaper" or a window of scipy.signal.get_window such as "hann"'
            ) from None
        tapers = one[None] / np.sqrt((one**2).sum())
    hop = length - shared
    segments = (size - length) // hop + 1
    spread = 0.0
    for m in range(1, min(segments, -(-length // hop))):
        # correlation of the estimates of segments m hops apart (Welch 1967), mean over tapers
        shared_part = np.einsum("ks,js->kj", tapers[:, m * hop :], tapers[:, : length - m * hop])
        spread += 2 * (1 - m / segments) * np.mean(shared_part**2) * len(tapers)
    f = np.fft.rfftfreq(length, 1 / rate)
    real = np.zeros(f.size, dtype=bool)
    real[0] = True
    real[-1] |= length % 2 == 0
    n_effective = len(tapers) * segments / (1 + float(spread))
    # norms of periodic Slepian sequences are just below 1
    left = (
        np.mean((tapers**2).sum(axis=1)) - np.mean(np.abs(np.fft.rfft(tapers, axis=-1)) ** 2, axis=0) / size
    )
    left = np.where(left < _LEFT, 0.0, left)
    return _Plan(tapers, hop, f, real, n_effective, np.where(real, 1.0, _parts(tapers)), left)


def _parts(tapers: np.ndarray) -> np.ndarray:
    """(n_f,) real numbers in the estimates of tapers (K, size), see "Near the ends" in the module."""
    size = tapers.shape[1]
    twice = 2 * np.arange(size // 2 + 1) % size  # index of the frequency 2 f
    mixed = sum((np.abs(np.fft.fft(tapers * one)) ** 2).sum(axis=0)[twice] for one in tapers) / len(tapers)
    return np.asarray(2 / (1 + mixed))


@suggest_keywords
def signal_spectrum(
    signal: Signal,
    *,
    window: Any = _MULTITAPER,
    nperseg: int | None = None,
    noverlap: int | None = None,
    nw: float = 4.0,
    confidence: float = 0.95,
    bias: str | None = "mean",
) -> SignalSpectrum:
    """Power spectrum of an analog signal, one-sided, with chi-square confidence limits.

    Parameters
    ----------
    signal : neo.AnalogSignal with one channel
    window : "multitaper" (default), or a window of scipy.signal.get_window, such as "hann" or ("kaiser", 8.0), for Welch's method
    nperseg : samples of a segment; None (default) is the whole signal for "multitaper", at most 256 for a window
    noverlap : samples shared by neighbouring segments; None (default) is half of nperseg
    nw : time-bandwidth product of "multitaper", at least 1; the bandwidth is 2 nw / (length of a segment)
    confidence : of the limits, between 0 and 1; they are exact for Gaussian signals whose spectrum is flat over the bandwidth
    bias : "mean" (default) restores the power near 0 that goes with the mean; None does not, as in SciPy and Elephant. Where
        less than 1 % is left, as at 0 with one "boxcar" over the whole signal, power, se and limits are NaN (with None the power
        is computed)

    Raises
    ------
    NsnnError : several channels, NaN, a segment longer than the signal, unknown window. Sources: Thomson 1982, doi
        10.1109/PROC.1982.12433; Welch 1967, doi 10.1109/TAU.1967.1161901

    >>> import neo, quantities as pq
    >>> t = np.arange(0, 4, 0.001)
    >>> x = np.sin(2 * np.pi * 50 * t) + np.random.default_rng(0).normal(size=t.size)
    >>> spectrum = signal_spectrum(neo.AnalogSignal(x, units="uV", sampling_rate=1*pq.kHz), window="hann", nperseg=1000)
    >>> float(spectrum.f[spectrum.power.argmax()]), spectrum.unit
    (50.0, 'uV**2/Hz')
    """
    between_0_and_1(confidence, "confidence")
    one_of(bias, ("mean", None), "bias")
    values, rate, _ = read_signal(signal)
    plan = _plan(values.size, rate, window, nperseg, noverlap, nw)
    power = np.mean(np.abs(plan.transform(values)) ** 2, axis=(0, 1)) / rate * np.where(plan.real, 1, 2)
    if bias is not None:
        power = nan_ratio(power, plan.left)
    freedom = plan.freedom
    tail = (1 - confidence) / 2
    known = np.where(freedom > 0, freedom, np.nan)
    lower, upper = (known * power / chi2.ppf(q, known) for q in (1 - tail, tail))
    unit = signal.dimensionality.string
    squared = f"({unit})**2" if any(sign in unit for sign in "*/ ") else f"{unit}**2"
    unit = "1/Hz" if unit == "dimensionless" else f"{squared}/Hz"
    se = power * np.sqrt(2 / known)
    return SignalSpectrum(plan.f, power, se, lower, upper, plan.n_effective, confidence, unit)


@suggest_keywords
def signal_coherence(
    a: Any,
    b: Any,
    *,
    window: Any = _MULTITAPER,
    nperseg: int | None = None,
    noverlap: int | None = None,
    nw: float = 4.0,
    confidence: float = 0.95,
) -> SignalCoherence:
    """Coherence and phase of two analog signals, with confidence limits.

    C(f) = |S_ab|^2 / (S_aa S_bb). Independent signals have C of about 1 / n_effective: compare with `threshold`.

    Parameters
    ----------
    a, b : neo.AnalogSignals with one channel each, of the same sampling rate, start and length
    window, nperseg, noverlap, nw, confidence : as for `signal_spectrum`

    Raises
    ------
    NsnnError : signals of different sampling, a constant signal, one segment with a single taper (whose coherence is 1 for any
        data), or what `signal_spectrum` refuses. Sources: Thomson 1982, doi 10.1109/PROC.1982.12433; limits: Enochson & Goodman
        1965, as in Bendat & Piersol, Random Data, 2010 (ISBN 978-0-470-24877-5)

    >>> import neo, quantities as pq
    >>> rng = np.random.default_rng(0)
    >>> x, noise = rng.normal(size=(2, 10_000))
    >>> a, b = (neo.AnalogSignal(y, units="mV", sampling_rate=1*pq.kHz) for y in (x, x + noise))
    >>> c = signal_coherence(a, b, nperseg=1000)
    >>> float(c.coherence.mean().round(1)), float(c.threshold[1].round(2))  # truth: 1 / 2
    (0.5, 0.05)
    """
    between_0_and_1(confidence, "confidence")
    x, rate, start = read_signal(a, "a")
    y, rate_b, start_b = read_signal(b, "b")
    apart = max(1e-6 / rate, rounding(start, start_b))
    if abs(rate_b - rate) > 1e-9 * rate or y.size != x.size or abs(start - start_b) > apart:
        raise NsnnError(
            f"a has {x.size} samples at {rate:g} Hz from {start:g} s, b has {y.size} at {rate_b:g} Hz from {start_b:g} s: expected "
            "the same; cut or resample one of them"
        )
    for name, one in (("a", x), ("b", y)):
        if np.ptp(one) == 0:
            raise NsnnError(f"{name} is constant ({one[0]:g}): its coherence with anything is undefined")
    plan = _plan(x.size, rate, window, nperseg, noverlap, nw)
    n = plan.n_effective
    first, second = plan.transform(x), plan.transform(y)
    if first.shape[0] * first.shape[1] < 2:
        raise NsnnError(
            "one segment with one taper has coherence 1 for any data: take a shorter nperseg or more tapers"
        )
    cross = (first.conj() * second).mean(axis=(0, 1))
    power = [(np.abs(z) ** 2).mean(axis=(0, 1)) for z in (first, second)]
    c = np.minimum(nan_ratio(np.abs(cross) ** 2, power[0] * power[1]), 1.0)
    parts, freedom = plan.parts, plan.freedom
    few = freedom < _FREEDOM
    left = np.where(few, 1.0, freedom - 2)
    bias = np.where(plan.real, np.sqrt(c) / (2 * left + 2), 1 / left)
    score = np.arctanh(np.sqrt(np.minimum(c, 1 - 1e-15))) - bias
    reach = norm.isf((1 - confidence) / 2) / np.sqrt(left)
    lower, upper = (np.tanh(np.maximum(score + side * reach, 0.0)) ** 2 for side in (-1, 1))
    lower, upper = np.where(few, 0.0 * c, lower), np.where(few, 1.0 + 0.0 * c, upper)
    phase_se = np.where(plan.real, np.nan, np.sqrt(nan_ratio(1 - c, freedom * c)))
    phase = np.angle(cross)
    with np.errstate(divide="ignore", invalid="ignore"):
        sine = t.isf((1 - confidence) / 2, left) * np.sqrt((1 - c) / (c * left))
    reach = np.where(few | (sine >= 1), np.pi, np.arcsin(np.minimum(sine, 1.0))) + 0 * phase_se
    threshold = beta.isf(1 - confidence, parts / 2, np.maximum(freedom - parts, 1e-9) / 2)
    return SignalCoherence(
        plan.f, c, lower, upper, phase, phase_se, phase - reach, phase + reach, threshold, n, confidence
    )

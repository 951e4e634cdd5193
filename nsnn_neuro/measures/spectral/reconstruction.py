"""Linear reconstruction of a stimulus from the spikes it evoked, and the information rate it bounds from below.

The Wiener filter K(f) = <X Y*> / <|Y|^2> minimises the mean squared error of K * y, y the spikes less their mean, x the
signal less its mean; with infinite data the error's power is S_xx (1 - C), C the coherence. The filter is
cross-validated: the segments, Welch's as in `coherence`, form contiguous folds; each fold is reconstructed with the filter
of the segments that share no sample with it, and N(f) = <|X - K Y|^2> is the error of these. Unlike the coherence bound,
this bound is not inflated by fitting noise, and a decoder can reach it.

The information is sum over 0 <= f <= f_max of log2(S_xx / N) df. A filter made of n independent segments adds the share
1 / (n - 1) to the error (for Gaussian spectra, as a regression on one variable does): the loss that bias="subtract" adds.
Terms at frequencies without coherence are negative and are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.signal import fftconvolve

from ...core.aliases import Signal, SpikeSource, Time
from ...core.checks import check, one_of, suggest_keywords
from ...core.errors import NsnnError
from ..estimate import Estimate, Report, jackknife_se
from ..response_checks import with_test
from .coherence import (
    SegmentSpectra,
    binned_trains,
    check_segments,
    cut_off,
    effective_segments,
    segment_spectra,
    shifted,
    transform,
    warn_no_spikes,
)


@dataclass(frozen=True, eq=False)
class Reconstruction(Report):
    """A linear reconstruction; made by `linear_reconstruction`."""

    lags: np.ndarray
    """(nperseg,) s; the signal's time less the spike's: negative lags are before the spike"""
    filter: np.ndarray
    """(nperseg,) in the signal's unit per spike, of all segments"""
    f: np.ndarray
    """(n_f,) Hz"""
    snr: np.ndarray
    """(n_f,) S_xx / N, cross-validated; below 1 where the spikes tell nothing and the filter's noise shows"""
    reconstructed: np.ndarray
    """(n_trials, m) in the signal's unit, each stretch with the filter of the other folds"""
    signal: np.ndarray
    """(m,) what was to be reconstructed: the signal over the time that it shares with all trains"""
    correlation: float
    """of signal and reconstruction over all trials"""
    information: Estimate
    """bit/s, a lower bound"""


def _folds(n_segments: int, n_folds: int, nperseg: int, hop: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Segments of each fold, and those that share no sample with it, as truth values (n_segments,)."""
    fold, index, pairs = np.arange(n_segments) * n_folds // n_segments, np.arange(n_segments), []
    for k in range(n_folds):
        own = np.flatnonzero(fold == k)
        apart = np.maximum(own[0] - index, index - own[-1]) * hop
        pairs.append((fold == k, apart >= nperseg))
    return pairs


def _kernel(s: SegmentSpectra, x: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(n_f,) Wiener filter from the chosen segments."""
    cross = (x[chosen] * s.y[chosen].conj()).sum(axis=0)
    power = s.power[chosen].sum(axis=0)
    return np.divide(cross, power, out=np.zeros_like(cross), where=power > 0)


def _errors(s: SegmentSpectra, x: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """(segments, n_f) mean over trials of |X - K Y|^2, K from the segments apart."""
    out = np.empty(x.shape)
    for own, apart in pairs:
        k = _kernel(s, x, apart)
        cross = 2 * (x[own].conj() * k * s.y[own]).real
        out[own] = np.abs(x[own]) ** 2 - cross + np.abs(k) ** 2 * s.power[own]
    return out


@suggest_keywords
def linear_reconstruction(
    signal: Signal,
    train: SpikeSource,
    *,
    f_max: Any = None,
    nperseg: int = 512,
    noverlap: int | None = None,
    n_folds: int = 10,
    bias: str | None = None,
    n_shuffle: int = 100,
    seed: int = 0,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> Reconstruction:
    """The signal estimated from the spikes by a cross-validated Wiener filter, with the information it gives.

    The filter <X Y*> / <|Y|^2>, of signal X and spikes Y, is nperseg samples long. Of the information, se is the
    jackknife over segments, with the filters as they are; null_mean, p and n are as for `coherence_information`. Over
    trials of one signal each trial is reconstructed by itself. A warning tells when the filter was made of fewer than 10
    independent segments.

    Parameters
    ----------
    signal, train, f_max, nperseg, noverlap, n_shuffle, seed, t_start, t_stop : as for `coherence_information`
    n_folds : at least 2; more folds make the filters of more data and take longer
    bias : None (default): a bound that sampling lowers; "subtract" adds the expected loss, n_f df log2(1 + 1 / (n - 1))
        for filters of n independent segments

    Raises
    ------
    NsnnError : too few segments for the n_folds, f_max above half the sampling rate, or what `coherence_information`
        refuses. Warns once, SilentNeuronWarning, for trains without a spike (NaN). Sources: Rieke et al. 1997 (Spikes, ISBN
        978-0-262-68108-7), section 3.2; Borst & Theunissen 1999, doi 10.1038/14731

    >>> import neo, quantities as pq
    >>> rng = np.random.default_rng(1)
    >>> signal = neo.AnalogSignal(rng.normal(size=8192), units="mV", sampling_rate=1*pq.kHz)
    >>> times = np.flatnonzero(signal.magnitude[:, 0] > 1) / 1000
    >>> r = linear_reconstruction(signal, [times], nperseg=128, noverlap=64, n_shuffle=0)
    >>> r.reconstructed.shape, bool(0.6 < r.correlation < 0.7), r.information.unit
    ((1, 8192), True, 'bit/s')
    """
    check(n_folds=n_folds, bias=bias, n_shuffle=n_shuffle, seed=seed)
    noverlap = check_segments(nperseg, noverlap)
    one_of(bias, (None, "subtract"), "bias")
    values, counts, rate = binned_trains(signal, train, t_start, t_stop)
    top = cut_off(f_max, rate)
    return reconstruct(values, counts, rate, top, nperseg, noverlap, n_folds, bias, n_shuffle, seed)


def reconstruct(
    values: np.ndarray,
    counts: np.ndarray,
    rate: float,
    top: float,
    nperseg: int,
    noverlap: int,
    n_folds: int,
    bias: str | None,
    n_shuffle: int,
    seed: int,
) -> Reconstruction:
    """`linear_reconstruction` of arrays: signal (m,) and responses (n_trials, m), sampled at `rate` Hz."""
    s = segment_spectra(values, counts, rate, nperseg, noverlap)
    n, hop = len(s.x), nperseg - noverlap
    pairs = _folds(n, n_folds, nperseg, hop) if n_folds <= n else []
    if not pairs or not all(own.any() and apart.sum() >= 2 for own, apart in pairs):
        raise NsnnError(
            f"n_folds = {n_folds}: {n} segments are too few; take fewer folds, a shorter nperseg or more time"
        )
    signals = shifted(values, nperseg, n_shuffle, seed)
    lags = (np.arange(nperseg) - nperseg // 2) / rate
    if not counts.any():
        warn_no_spikes("linear_reconstruction")
        empty = Estimate(float("nan"), warning="no spikes", unit="bit/s")
        nan = np.full(nperseg, np.nan), s.f, np.full(s.f.size, np.nan), np.full(counts.shape, np.nan)
        return Reconstruction(lags, *nan, values, float("nan"), empty)
    used, df = s.f <= top * (1 + 1e-9), s.f[1]
    fitted = min(effective_segments(int(apart.sum()), nperseg, noverlap) for _, apart in pairs) * len(counts)
    shift = used.sum() * df * np.log2(1 + 1 / (fitted - 1)) if fitted > 1 else 0.0
    offset = shift if bias == "subtract" else 0.0

    def information(power: np.ndarray, error: np.ndarray) -> np.ndarray:
        """Of sums over segments (..., n_f)."""
        return np.log2(power[..., used] / error[..., used]).sum(axis=-1) * df + offset

    power, error = np.abs(s.x) ** 2, _errors(s, s.x, pairs)
    value = float(information(power.sum(axis=0), error.sum(axis=0)))
    left_out = information(power.sum(axis=0) - power, error.sum(axis=0) - error)
    null = np.empty(n_shuffle)
    for i, turned in enumerate(signals):
        x = transform(turned, nperseg, noverlap)
        null[i] = information((np.abs(x) ** 2).sum(axis=0), _errors(s, x, pairs).sum(axis=0))
    correction = "cross-validated" if bias is None else "cross-validated, 1/(K - 1)"
    warning = f"only {fitted:.1f} independent segments behind a filter" if fitted < 10 else None
    se, how = jackknife_se(left_out), "jackknife over segments"
    estimate = with_test(value, se, correction, null, n=n, warning=warning, unit="bit/s", se_method=how)
    guess = _in_time(s, values, counts, pairs, nperseg, hop)
    whole = np.fft.fftshift(np.fft.irfft(_kernel(s, s.x, np.ones(n, bool)), nperseg))
    pooled = np.tile(values - values.mean(), len(counts))
    r = float(np.corrcoef(pooled, guess.ravel())[0, 1]) if np.ptp(guess) > 0 else float("nan")
    snr = power.sum(axis=0) / error.sum(axis=0)
    return Reconstruction(lags, whole, s.f, snr, guess, values, r, estimate)


def _in_time(
    s: SegmentSpectra,
    values: np.ndarray,
    counts: np.ndarray,
    pairs: list[tuple[np.ndarray, np.ndarray]],
    nperseg: int,
    hop: int,
) -> np.ndarray:
    """(n_trials, m) reconstruction; each sample belongs to the fold whose segments have their middles next to it."""
    middle = np.arange(len(s.x)) * hop + nperseg // 2
    nearest = np.clip(np.rint((np.arange(values.size) - middle[0]) / hop), 0, middle.size - 1).astype(int)
    out = np.zeros(counts.shape)
    centred = counts - counts.mean(axis=1, keepdims=True)
    for own, apart in pairs:
        kernel = np.fft.fftshift(np.fft.irfft(_kernel(s, s.x, apart), nperseg))
        full = fftconvolve(centred, kernel[None], axes=1)
        shifted = full[:, nperseg // 2 : nperseg // 2 + values.size]
        mine = own[nearest]
        out[:, mine] = shifted[:, mine]
    return out + values.mean()

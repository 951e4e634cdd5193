"""Linear reconstruction of a stimulus from the spikes it evoked, and the information rate it bounds from below.

The Wiener filter K(f) = <X Y*> / <|Y|^2> minimises the mean squared error of K * y, y the spikes less their mean, x the
signal less its mean; with infinite data the error's power is S_xx (1 - C), C the coherence. The filter is
cross-validated: the segments, Welch's as in `coherence`, form contiguous folds; each fold is reconstructed with the filter
of the segments that share no sample with it, and N(f) = <|X - K Y|^2> is the error of these. Unlike the coherence bound,
this bound is not inflated by fitting noise, and a decoder can reach it.

The information is sum over 0 <= f <= f_max of log2(S_xx / N) df. A filter made of K independent segments adds the share
1 / (K - 1) to the error (for Gaussian spectra, as a regression on one variable does), which lowers the information by
n_f df log2(1 + 1 / (K - 1)); at frequencies without coherence the terms are negative and are kept. bias="subtract"
puts that back, to first order in 1/K: of independent data's shift, 9 % is left at 8 segments, 3 % at 16, 2 % at 32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.signal import fftconvolve

from ...core.checks import check, one_of, positive, suggest_keywords
from ...core.deprecated import renamed_keywords
from ...core.errors import NsnnError
from ...core.warn import warn
from ..estimate import Estimate
from ..trains import SilentNeuronWarning, as_repeats
from .coherence import SegmentSpectra, binned_trains, effective_segments, segment_spectra, transform


@dataclass(frozen=True, eq=False)
class Reconstruction:
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


@renamed_keywords(folds="n_folds")
@suggest_keywords
def linear_reconstruction(
    signal: Any,
    train: Any,
    *,
    f_max: Any = None,
    nperseg: int = 512,
    noverlap: int = 256,
    n_folds: int = 10,
    bias: str | None = None,
    n_shuffle: int = 100,
    seed: int = 0,
    t_start: Any = None,
    t_stop: Any = None,
) -> Reconstruction:
    """The signal estimated from the spikes by a cross-validated Wiener filter, with the information it gives.

    The formulas stand at the top of the module. Of the information, se is the jackknife over segments, with the filters as
    they are; null_mean and p: the signal is shifted against the trains around a circle by at least one segment; n is the
    number of segments. Over trials of one signal each trial is reconstructed by itself. A warning tells when the filter
    was made of fewer than 10 independent segments.

    Parameters
    ----------
    signal : neo.AnalogSignal with one channel; its sampling rate is the spikes' bin
    train : neo.SpikeTrain, or the repeats of one neuron under the same signal as in `as_repeats`
    f_max : frequency, scalar, the signal's cut-off; None is half the sampling rate
    nperseg, noverlap : samples per segment and shared by neighbours; the filter is nperseg samples long
    n_folds : at least 2; more folds make the filters of more data and take longer
    bias : None (default): a bound that sampling lowers; "subtract" takes the expected shift off, see the module
    n_shuffle : 0 leaves null_mean and p None
    seed : of the shifts
    t_start, t_stop : times, scalar; None is the trains' own end

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
    check(nperseg=nperseg, noverlap=noverlap, n_folds=n_folds, bias=bias, n_shuffle=n_shuffle, seed=seed)
    one_of(bias, (None, "subtract"), "bias")
    values, counts, rate = binned_trains(signal, as_repeats(train, t_start, t_stop, "train"))
    top = rate / 2 if f_max is None else positive(f_max, "Hz", "f_max")
    if top > rate / 2 * (1 + 1e-9):
        raise NsnnError(f"f_max = {f_max}: above half the signal's sampling rate, {rate / 2} Hz")
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
    if n_shuffle and values.size <= 2 * nperseg:
        raise NsnnError(
            f"n_shuffle = {n_shuffle}: {values.size} samples leave no shift; use 0 or a shorter nperseg"
        )
    lags = (np.arange(nperseg) - nperseg // 2) / rate
    if not counts.any():
        text = "linear_reconstruction: the trains have no spikes; the result is NaN"
        warn(text, SilentNeuronWarning)
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
    se = float(np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum()))
    null = np.empty(n_shuffle)
    rng = np.random.default_rng(seed)
    for i in range(n_shuffle):
        turned = np.roll(values, rng.integers(nperseg, values.size - nperseg, endpoint=True))
        x = transform(turned, nperseg, noverlap)
        null[i] = information((np.abs(x) ** 2).sum(axis=0), _errors(s, x, pairs).sum(axis=0))
    estimate = Estimate(
        value,
        se=se,
        correction="cross-validated" if bias is None else "cross-validated, 1/(K - 1)",
        null_mean=float(null.mean()) if n_shuffle else None,
        p=float((1 + (null >= value).sum()) / (1 + n_shuffle)) if n_shuffle else None,
        n=n,
        warning=f"only {fitted:.1f} independent segments behind a filter" if fitted < 10 else None,
        unit="bit/s",
        se_method="jackknife over segments",
    )
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

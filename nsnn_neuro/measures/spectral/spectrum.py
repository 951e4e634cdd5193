"""Power spectrum of spike trains and the linear response of the rate to a signal, each with error bars.

Both follow Welch, with segments as of `coherence`. Fourier transforms are integrals of exp(-2 pi i f t). Spectra are two-sided
densities of the train x(t) = sum of delta(t - t_k) in Hz (spikes^2 / s): S(f) tends to the rate for high f, is the rate at every
f for a Poisson process, and S(0) = rate * CV^2 for a renewal process.

Errors. Segments are independent but for their overlap: K segments count as `effective_segments`. The Hann window
averages S over about two bins, 2 / (length of a segment): choose nperseg so that S is straight over it.

Limits of a power spectrum are those of chi-square, nu S / chi2(1 - a/2; nu) and nu S / chi2(a/2; nu), nu the least of three: 2 K,
or K at f = 0, where the transform is real, right for many spikes in a segment; 2 (S / se)^2, less where segments have few spikes;
and, from five trials on, the same with the error over trials, less where the rate differs between trials and their segments do not
vary independently. Both limits are divided by the fraction of the power that taking off the mean leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import chdtri

from ...core.aliases import Signal, SpikeSource, Time
from ...core.checks import positive, suggest_keywords
from ...core.errors import NsnnError
from ...core.numba_jit import njit
from ...io.spikes.bins import index, slack
from ..estimate import Report
from ..response_checks import warn_repeated
from ..trains import as_repeats, as_trains, holds_blocks, nan_ratio, warn_silent
from .coherence import binned_trains, check_segments, effective_segments, segment_spectra, warn_no_spikes

_TRIALS = 5  # from which the limits use how much trials differ


@dataclass(frozen=True, eq=False)
class PowerSpectrum(Report):
    """Power spectra of spike trains; made by `power_spectrum`."""

    f: np.ndarray
    """(n_f,) Hz"""
    power: np.ndarray
    """(n_neurons, n_f) Hz, two-sided, without the peak of the mean rate at 0"""
    se: np.ndarray
    """(n_neurons, n_f) Hz, over segments and trials, which are taken as independent; too small near 0, see `power_spectrum`"""
    lower: np.ndarray
    """(n_neurons, n_f) Hz, lower limit of the power, 95 %, of chi-square"""
    upper: np.ndarray
    """(n_neurons, n_f) Hz, upper limit"""
    rate: np.ndarray
    """(n_neurons,) Hz"""
    n: int
    """segments, of all trials"""
    n_effective: float
    """independent segments"""


@njit(cache=True)  # pragma: no cover - compiled
def _periodograms(
    times: np.ndarray,
    offsets: np.ndarray,
    starts: np.ndarray,
    segments: np.ndarray,
    length: float,
    hop: float,
    rate: np.ndarray,
    n_f: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sums over segments and trials of |X|^2 and |X|^4, (n_neurons, n_f), of Hann-windowed trains less their mean.

    Then sums over trials of the square of their own sum of |X|^2, and of this sum times their number of segments.
    """
    n = rate.size
    total, squares, trial_squares, weighted = np.zeros((4, n, n_f))
    re, im, own = np.empty(n_f), np.empty(n_f), np.empty(n_f)
    for train in range(offsets.size - 1):
        trial, neuron = train // n, train % n
        low = offsets[train]
        own[:] = 0.0
        for segment in range(segments[trial]):
            begin = starts[trial] + segment * hop
            while low < offsets[train + 1] and times[low] < begin:
                low += 1
            re[:], im[:] = 0.0, 0.0
            re[0], re[1] = -rate[neuron] * length / 2, rate[neuron] * length / 4  # the window's own transform
            i = low
            while i < offsets[train + 1] and times[i] < begin + length:
                angle = 2 * np.pi * (times[i] - begin) / length
                c, s = np.cos(angle), np.sin(angle)
                x, y = 0.5 * (1 - c), 0.0
                for k in range(n_f):
                    re[k] += x
                    im[k] += y
                    x, y = x * c + y * s, y * c - x * s
                i += 1
            for k in range(n_f):
                power = (re[k] ** 2 + im[k] ** 2) / (0.375 * length)
                own[k] += power
                squares[neuron, k] += power**2
        for k in range(n_f):
            total[neuron, k] += own[k]
            trial_squares[neuron, k] += own[k] ** 2
            weighted[neuron, k] += own[k] * segments[trial]
    return total, squares, trial_squares, weighted


@suggest_keywords
def power_spectrum(
    trains: SpikeSource,
    *,
    sampling_rate: Any,
    nperseg: int = 512,
    noverlap: int | None = None,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> PowerSpectrum:
    """Power spectrum of each neuron's spike train in Hz, with its error over segments.

    S(f) = mean over segments of |sum over spikes of w(t_k) exp(-2 pi i f t_k) - r W(f)|^2 / integral of w^2, w the
    Hann window, W its transform, r the neuron's mean rate: the transform of the spike times themselves, so no
    bin and no aliasing. Taking off the mean lowers S(0) by the fraction 2 T / (3 L) and the next bin by T / (6
    L), T the length of a segment, L of all trials. With few trials take `lower` and `upper`, mainly near f = 0.

    Parameters
    ----------
    trains : neo.Block, one Segment per trial (any number of neurons), or the repeats of one neuron as in `as_repeats`
    sampling_rate : frequency, scalar; sets the frequencies k * sampling_rate / nperseg up to half of it, and the
        segments' length nperseg / sampling_rate, as in a coherence with a signal so sampled
    nperseg, noverlap : samples per segment and shared by neighbours; None (default) is half of them
    t_start, t_stop : times, scalar; None is the trains' own end; needed for plain arrays

    Raises
    ------
    NsnnError : a trial shorter than a segment, a single segment, or what `as_trains` refuses. Warns once, SilentNeuronWarning,
        for neurons without a spike (NaN). Source: Bair et al. 1994, doi 10.1523/JNEUROSCI.14-05-02870.1994

    >>> import quantities as pq
    >>> times = np.random.default_rng(0).uniform(0, 100, 2000)
    >>> s = power_spectrum([times], sampling_rate=1*pq.kHz, t_start=0*pq.s, t_stop=100*pq.s)
    >>> float(s.f[1]), s.rate, round(s.power.mean())
    (1.953125, array([20.]), 20)
    """
    sampling = positive(sampling_rate, "Hz", "sampling_rate")
    noverlap = check_segments(nperseg, noverlap)
    many = holds_blocks(trains)
    data = (as_trains if many else as_repeats)(trains, t_start, t_stop)
    warn_repeated(trains, data, "power_spectrum")
    length, hop = nperseg / sampling, (nperseg - noverlap) / sampling
    segments = index(data.durations, length, hop, slack(hop, data.resolution, "nperseg - noverlap")) + 1
    if (segments < 1).any() or segments.sum() < 2:
        raise NsnnError(
            f"nperseg = {nperseg} samples are {length} s: the shortest trial has {data.durations.min()} s, and "
            "a single segment gives no standard error; take a smaller nperseg"
        )
    rate = data.counts.sum(axis=0) / data.durations.sum()
    n, n_effective = segments.sum(), sum(effective_segments(int(k), nperseg, noverlap) for k in segments)
    n_f = nperseg // 2 + 1
    total, squares, trial_squares, weighted = _periodograms(
        data.times, data.offsets, data.t_start, segments, length, hop, rate, n_f
    )
    mean = total / n
    se = np.sqrt(np.maximum(squares - n * mean**2, 0.0) / (n - 1) / n_effective)
    error = se
    if data.n_trials >= _TRIALS:
        between = trial_squares - 2 * mean * weighted + mean**2 * float((segments**2).sum())
        error = np.maximum(se, np.sqrt(np.maximum(between, 0.0) * data.n_trials / (data.n_trials - 1)) / n)
    lower, upper = _limits(mean, error, float(n_effective), length / float(data.durations.sum()))
    nan_if_silent = np.where(rate > 0, 1.0, np.nan)
    warn_silent(nan_if_silent, "power_spectrum", "have no spikes")
    mean, se, lower, upper = (values * nan_if_silent[:, None] for values in (mean, se, lower, upper))
    f = np.fft.rfftfreq(nperseg, 1 / sampling)
    return PowerSpectrum(f, mean, se, lower, upper, rate, int(n), float(n_effective))


def _limits(
    power: np.ndarray, se: np.ndarray, n_effective: float, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """95 % limits (n_neurons, n_f); share: a segment's length over that of all trials."""
    freedom_of_one, kept_power = np.full(power.shape[1], 2.0), np.ones(power.shape[1])
    # of a Hann window w, the transforms at f and -f are correlated by the transform of w^2 at 2 f: by 1 at 0, 1/6 in the next bin
    freedom_of_one[:2] = 1.0, 2 / (1 + 1 / 36)
    kept_power[:2] -= 2 * share / 3, share / 6
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.fmax(np.fmin(freedom_of_one * n_effective * kept_power, 2 * (power / se) ** 2), 0.5)
    known = freedom * power / kept_power
    lower, upper = (nan_ratio(known, chdtri(freedom, tail)) for tail in (0.025, 0.975))
    return lower, upper


@dataclass(frozen=True, eq=False)
class Susceptibility(Report):
    """Linear response of a neuron's rate to a signal; made by `susceptibility`. Arrays are (n_f,)."""

    f: np.ndarray
    """Hz"""
    chi: np.ndarray
    """complex, Hz per unit of the signal; a signal cos(2 pi f t) gives the rate Re[chi exp(2 pi i f t)]"""
    se: np.ndarray
    """Hz per unit of the signal, of the real and of the imaginary part each (at the ends of f of the real part)"""
    n_effective: float
    """independent segments"""

    @property
    def gain(self) -> np.ndarray:
        """|chi|, Hz per unit of the signal; `se` is its error where gain is well above it."""
        return np.asarray(np.abs(self.chi))

    @property
    def phase(self) -> np.ndarray:
        """Angle of chi in rad, in (-pi, pi]; negative where the rate lags. Its error is se / gain where that is small."""
        return np.angle(self.chi)


@suggest_keywords
def susceptibility(
    signal: Signal,
    train: SpikeSource,
    *,
    nperseg: int = 512,
    noverlap: int | None = None,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> Susceptibility:
    """Linear response of the rate to a signal, chi(f) = S_xy(f) / S_xx(f), complex, in Hz per unit of the signal.

    x is the signal, y the spike train binned at its sampling rate, S_xy the mean of x(f)* y(f). For a linear rate
    r(t) = r0 + integral of h(s) x(t - s) ds, chi is the transform of h; for a nonlinear one and a Gaussian signal, it is the
    best linear prediction of the rate (Bussgang). Over trials y is averaged.

    se: with y - chi x what is left of the trial-averaged response in each segment, se^2 = sum |y - chi x|^2 / (segments
    - 1) / (2 sum |x|^2), times segments / independent segments. It holds the neuron's noise and what isn't linear.

    Arguments and errors: as for `coherence`; choose nperseg so that a segment is long against the response's memory.
    Source: Lindner & Schimansky-Geier 2001, doi 10.1103/PhysRevLett.86.2934

    >>> import neo, quantities as pq
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=100_000)
    >>> signal = neo.AnalogSignal(x, units="mV", sampling_rate=1*pq.kHz)
    >>> times = np.flatnonzero(rng.uniform(size=x.size) < 0.05 * (1 + 0.2 * x)) / 1000
    >>> response = susceptibility(signal, [times])  # 50 Hz times 0.2 per mV at all frequencies
    >>> round(response.chi.real.mean()), round(response.chi.imag.mean())
    (10, 0)
    """
    values, counts, rate = binned_trains(signal, train, t_start, t_stop)
    spectra = segment_spectra(values, counts, rate, nperseg, noverlap)
    n = len(spectra.x)
    independent = spectra.n_effective / len(counts)
    power = (np.abs(spectra.x) ** 2).sum(axis=0)
    chi = rate * (spectra.x.conj() * spectra.y).sum(axis=0) / power
    residual = (np.abs(rate * spectra.y - chi * spectra.x) ** 2).sum(axis=0) / (n - 1)
    freedom_of_one = np.full(power.size, 2.0)
    freedom_of_one[0] = 1.0  # all of the noise is in the real part
    if nperseg % 2 == 0:
        freedom_of_one[-1] = 1.0
    se = np.sqrt(residual / (freedom_of_one * power) * n / independent)
    if not counts.any():
        warn_no_spikes("susceptibility")
        chi, se = np.full_like(chi, np.nan), np.full_like(se, np.nan)
    return Susceptibility(spectra.f, chi, se, float(independent))

"""Linear reconstruction against Gaussian channels, whose Wiener filter, error and information are known; their coherence."""
# Imports internals: public functions take spikes, the output of a Gaussian channel is a signal.

from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
from numpy.testing import assert_allclose, assert_array_equal
from scipy import signal as sp

from nsnn_neuro.measures import Reconstruction, coherence_information, linear_reconstruction
from nsnn_neuro.measures.spectral.coherence import segment_spectra
from nsnn_neuro.measures.spectral.reconstruction import reconstruct

RATE, NPERSEG, NOISE, TAPS = 1000.0, 250, 0.5, [0.5, 0.5]


def z_of_mean(values, expected):
    return (np.mean(values, axis=0) - expected) / (np.std(values, ddof=1, axis=0) / np.sqrt(len(values)))


def channel(rng, n, trials=1):
    """White Gaussian x, filtered, plus white noise: C = |H|^2 / (|H|^2 + N)."""
    x = rng.normal(size=n)
    return x, sp.lfilter(TAPS, [1.0], x) + NOISE * rng.normal(size=(trials, n))


def of_arrays(x, y, *, folds=8, bias=None, n_shuffle=0, seed=0, nperseg=NPERSEG) -> Reconstruction:
    return reconstruct(x, y, RATE, RATE / 2, nperseg, 0, folds, bias, n_shuffle, seed)


def gain(f):
    return sp.freqz(TAPS, [1.0], f, fs=RATE)[1]


def analog(x):
    return neo.AnalogSignal(x, units="mV", sampling_rate=RATE * pq.Hz)


def poisson_train(x, rng):
    counts = rng.poisson(0.2 * np.maximum(1 + 0.25 * x, 0))
    times = (np.repeat(np.arange(x.size), counts) + 0.5) / RATE
    return neo.SpikeTrain(times, units="s", t_stop=x.size / RATE)


def test_folds_equal_a_loop_over_segments():
    """Filter of the segments apart, error, information, jackknife: by hand, with overlap and two trials."""
    rng = np.random.default_rng(0)
    x, y = channel(rng, 3000, trials=2)
    nperseg, hop, folds = 200, 100, 4
    r = reconstruct(x, y, RATE, 300.0, nperseg, hop, folds, None, 0, 0)
    window, n = sp.get_window("hann", nperseg), (3000 - 100) // hop
    x_f, y_f, y_2 = (
        np.array([np.fft.rfft(window * (a - a.mean())[k * hop : k * hop + nperseg]) for k in range(n)])
        for a in (x, *y)
    )
    error = np.zeros(x_f.shape)
    for k in range(n):
        own = [j for j in range(n) if j * folds // n == k * folds // n]
        rest = [j for j in range(n) if j <= own[0] - 2 or j >= own[-1] + 2]  # neighbours share samples
        top = (x_f[rest] * (y_f[rest] + y_2[rest]).conj()).sum(axis=0)
        h = top / (np.abs(y_f[rest]) ** 2 + np.abs(y_2[rest]) ** 2).sum(axis=0)
        error[k] = (np.abs(x_f[k] - h * y_f[k]) ** 2 + np.abs(x_f[k] - h * y_2[k]) ** 2) / 2
    power = np.abs(x_f) ** 2
    assert_allclose(r.snr, power.sum(axis=0) / error.sum(axis=0), rtol=1e-9)
    used = r.f <= 300.0
    assert_allclose(r.information.value, np.log2(r.snr[used]).sum() * 5.0, rtol=1e-9)
    rest = [np.delete(np.arange(n), k) for k in range(n)]
    left = np.array([np.log2(power[k].sum(axis=0) / error[k].sum(axis=0))[used].sum() * 5.0 for k in rest])
    assert_allclose(r.information.se, np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum()), rtol=1e-8)
    assert r.information.n == n
    few = of_arrays(*channel(rng, 2500), folds=2)
    assert few.information.warning == "only 5.0 independent segments behind a filter"


def test_stretches_are_reconstructed_with_the_other_folds_filter():
    """The stretch of the second fold, by np.convolve with the filter of segments that share no sample with it."""
    rng = np.random.default_rng(1)
    x, y = channel(rng, 4000)
    r = of_arrays(x + 3.0, y, folds=4)
    window, rest = sp.get_window("hann", NPERSEG), [*range(4), *range(8, 16)]
    x_f, y_f = (
        np.array([np.fft.rfft(window * (a - a.mean())[k * NPERSEG : (k + 1) * NPERSEG]) for k in rest])
        for a in (x, y[0])
    )
    h = (x_f * y_f.conj()).sum(axis=0) / (np.abs(y_f) ** 2).sum(axis=0)
    kernel = np.roll(np.fft.irfft(h, NPERSEG), NPERSEG // 2)
    expected = np.convolve(y[0] - y[0].mean(), kernel)[NPERSEG // 2 :][:4000] + (x + 3.0).mean()
    assert_allclose(r.reconstructed[0, 1000:2000], expected[1000:2000], rtol=1e-9, atol=1e-9)
    assert_allclose(r.correlation, np.corrcoef(x, r.reconstructed[0])[0, 1], rtol=1e-9)
    assert_array_equal(r.signal, x + 3.0)


@pytest.mark.slow
def test_gaussian_channel():
    """Information, filter and error over 60 repeats against their closed forms; two errors cover.

    bias="subtract" gives the channel's sum of log2(1 + |H|^2/N) df; without it the shift for K = 42 segments behind each
    filter remains. Wiener filter H* / (|H|^2 + N). The error, in time, exceeds the optimum by the filter's own, 1/(K - 1)
    of it.
    """
    rng = np.random.default_rng(2)
    raw, corrected, se, filters, errors = [], [], [], [], []
    for _ in range(60):
        x, y = channel(rng, 12_000)
        r = of_arrays(x, y)
        raw.append(r.information.value)
        e = of_arrays(x, y, bias="subtract").information
        corrected.append(e.value)
        se.append(e.se)
        filters.append(r.filter)
        errors.append(((x - r.reconstructed[0]) ** 2).mean() / x.var())
    h = gain(r.f)
    exact, df = np.log2(1 + np.abs(h) ** 2 / NOISE**2).sum() * r.f[1], r.f[1]
    assert abs(z_of_mean(corrected, exact)) < 4
    assert np.mean(np.abs(np.array(corrected) - exact) < 2 * np.array(se)) >= 0.9
    assert abs(z_of_mean(raw, exact - r.f.size * df * np.log2(1 + 1 / 41))) < 4
    wiener = np.roll(np.fft.irfft(h.conj() / (np.abs(h) ** 2 + NOISE**2), NPERSEG), NPERSEG // 2)
    near = np.abs(r.lags) < 6.5e-3
    assert np.abs(z_of_mean(np.array(filters)[:, near], wiener[near])).max() < 4
    fine = np.abs(gain(np.linspace(0, 500, 20_001))) ** 2
    optimum = (NOISE**2 / (fine + NOISE**2)).mean()
    assert optimum * 1.01 < np.mean(errors) < optimum * 1.04  # 1/(K - 1) = 0.024


def test_spikes_below_the_coherence_bound_and_above_chance():
    rng = np.random.default_rng(6)
    x = rng.normal(size=20_000)
    train = poisson_train(x, rng)
    more: dict[str, Any] = {"f_max": 400 * pq.Hz, "nperseg": 200, "noverlap": 0}
    r = linear_reconstruction(analog(x), train, n_shuffle=30, **more)
    bound = coherence_information(analog(x), train, n_shuffle=0, **more)
    e = r.information
    assert 0 < e.value < bound.value
    assert e.p == 1 / 31
    other = linear_reconstruction(analog(x), train, n_shuffle=30, seed=1, **more).information
    assert 0 > e.null_mean != other.null_mean
    # counts have variance r0 dt + (r0 m dt)^2: C = .0123, and the correlation is its root less what the filter costs
    assert 0.05 < r.correlation < np.sqrt(0.2 * 0.25**2 / (1 + 0.2 * 0.25**2))
    assert r.lags[np.argmax(r.filter)] == 0.0


def test_overlap_counts_as_fewer_independent_segments():
    """Hann at half overlap: c_1 = 1/6, so K = segments / (1 + 2 (1 - 1/segments) / 36), and E C' = 1/K."""
    rng = np.random.default_rng(8)
    n, nperseg, noverlap = 6400, 128, 64
    segments = (n - noverlap) // 64
    k = segments / (1 + 2 * (1 - 1 / segments) / 36)
    means = []
    for _ in range(80):
        spectra = segment_spectra(rng.normal(size=n), rng.normal(size=(1, n)), RATE, nperseg, noverlap)
        means.append(spectra.coherence()[2:-2].mean())
    assert_allclose(spectra.n_effective, k, rtol=1e-9)
    assert abs(z_of_mean(means, 1 / k)) < 4

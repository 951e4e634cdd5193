"""Power spectrum and susceptibility against direct sums, renewal theory and known filters."""

import neo
import numpy as np
import pytest
import quantities as pq
from helpers.trains import make_block
from numpy.testing import assert_allclose, assert_array_equal

from nsnn_neuro.measures import power_spectrum, susceptibility

KHZ = 1 * pq.kHz


def gamma_trains(shape, rate, rng, *, n, duration):
    """Stationary gamma trains: they begin a hundred intervals before 0."""
    number = int(rate * duration * 1.1) + 300
    times = np.cumsum(rng.gamma(shape, 1 / (shape * rate), size=(n, number)), axis=1) - 100 / rate
    assert (times[:, -1] > duration).all()
    return [t[(t >= 0) & (t < duration)] for t in times]


def analog(values):
    return neo.AnalogSignal(values, units="mV", sampling_rate=KHZ)


def test_power_spectrum_against_direct_sums():
    """Two neurons, three trials of unequal length, half overlap: each segment's transform as a sum of exponentials."""
    rng = np.random.default_rng(1)
    stops = [1.3, 0.7, 1.0]
    trials = [[np.sort(rng.uniform(0, s, rng.poisson(30 * s))) for _ in range(2)] for s in stops]
    found = power_spectrum(make_block(trials, stops), sampling_rate=KHZ, nperseg=200, noverlap=100)
    f, length = np.arange(101) * 5.0, 0.2
    u = (np.arange(20000) + 0.5) / 20000 * length
    window = np.sin(np.pi * u / length) ** 2
    constant = np.exp(-2j * np.pi * np.outer(f, u)) @ window * length / 20000
    for j in range(2):
        rate = sum(t[j].size for t in trials) / sum(stops)
        powers = []
        for trial, stop in zip(trials, stops, strict=True):
            for begin in np.arange(round((stop - length) / 0.1) + 1) * 0.1:
                t = trial[j][(trial[j] >= begin) & (trial[j] < begin + length)] - begin
                x = np.exp(-2j * np.pi * np.outer(f, t)) @ np.sin(np.pi * t / length) ** 2 - rate * constant
                powers.append(np.abs(x) ** 2 / (0.375 * length))
        assert_allclose(found.power[j], np.mean(powers, axis=0), rtol=1e-9)
        spread = np.std(powers, axis=0, ddof=1)
        assert_allclose(found.se[j], spread / np.sqrt(found.n_effective), rtol=1e-9)
        assert_allclose(found.rate[j], rate, rtol=1e-12)
    assert_array_equal(found.f, f)
    assert found.n == 12 + 6 + 9 == len(powers)
    # Hann at half overlap shares 1/6: K = k / (1 + 2 (1 - 1/k) / 36) for k segments in a row
    assert_allclose(found.n_effective, sum(k / (1 + (1 - 1 / k) / 18) for k in (12, 6, 9)), rtol=1e-9)


@pytest.mark.slow
def test_renewal_spectrum():
    """S = r (1 - |phi|^2) / |1 - phi|^2, phi = (1 + 2 pi i f / (k r))^-k; bins of 0.5 Hz, no two share a window bin.

    The Hann window averages over two bins: below 1e-3 S here, a tenth of the error.
    """
    rng = np.random.default_rng(3)
    rate, n, shape = 20.0, 60, 4.0
    trains = gamma_trains(shape, rate, rng, n=n, duration=200.0)
    s = power_spectrum(make_block([trains], 200.0), sampling_rate=200 * pq.Hz, nperseg=400, noverlap=200)
    used = slice(3, None, 3)
    phi = (1 + 2j * np.pi * s.f[used] / (shape * rate)) ** -shape
    expected = rate * (1 - np.abs(phi) ** 2) / np.abs(1 - phi) ** 2
    z = (s.power.mean(axis=0)[used] - expected) / (s.power.std(axis=0, ddof=1)[used] / np.sqrt(n))
    assert (np.abs(z) < 4).all()
    assert 0.6 < (z**2).mean() < 1.5
    assert abs(s.power[:, 3].mean() / rate - 1 / shape) < 0.1 / shape  # S(0) = r CV^2
    assert abs(s.power[:, -40:].mean() / rate - 1) < 0.05  # S(infinity) = r


def filtered_poisson(x, taps, rng, *, r0, trials=1):
    """Spikes of rate r0 + taps * x per sample of 1 ms, spread over the sample; one array per trial."""
    rate = r0 + np.convolve(x, taps)[: x.size]
    assert rate.min() > 0
    trains = []
    for counts in rng.poisson(rate / 1000, (trials, x.size)):
        t = np.repeat(np.arange(x.size), counts)
        trains.append(np.sort(t + rng.uniform(0.01, 0.99, t.size)) / 1000)
    return trains


def filter_response(taps, f, nperseg):
    """Transform of the taps, less what the Hann window loses of a response d samples late: its overlap with itself."""
    window = np.sin(np.pi * np.arange(nperseg) / nperseg) ** 2
    overlap = [window[: nperseg - d] @ window[d:] / (window @ window) for d in range(len(taps))]
    return np.exp(-2j * np.pi * np.outer(f, np.arange(len(taps))) / 1000) @ (taps * overlap)


def test_susceptibility_of_a_linear_poisson_neuron():
    """A delayed, low-pass and a negative tap; real and imaginary part of all bins within 4 errors of the transform."""
    rng = np.random.default_rng(5)
    x = np.clip(rng.normal(size=200_000), -3, 3)
    taps = np.array([0.0, 0.0, 6.0, 4.0, 2.0, 0.0, -3.0])
    c = susceptibility(
        analog(x), filtered_poisson(x, taps, rng, r0=60.0, trials=4), nperseg=256, noverlap=128
    )
    expected = filter_response(taps, c.f, 256)
    inner = slice(1, -1)
    z = np.concatenate([((c.chi - expected).real / c.se)[inner], ((c.chi - expected).imag / c.se)[inner]])
    assert (np.abs(z) < 4).all()
    assert 0.7 < (z**2).mean() < 1.4
    assert (np.abs((c.chi - expected).real / c.se)[[0, -1]] < 4).all()
    assert_array_equal(c.gain, np.abs(c.chi))
    low = c.f < 60
    assert (np.abs(c.phase - np.angle(expected))[1:][low[1:]] < 4 * (c.se / c.gain)[1:][low[1:]]).all()
    assert c.phase[1:][low[1:]].mean() < -0.2  # it lags
    # in volts the same signal gives a thousand times the gain
    volts = neo.AnalogSignal(x / 1000, units="V", sampling_rate=KHZ)
    train = [np.arange(0.5, 150, 1.7)]
    assert_allclose(susceptibility(volts, train).chi, 1000 * susceptibility(analog(x), train).chi, rtol=1e-9)

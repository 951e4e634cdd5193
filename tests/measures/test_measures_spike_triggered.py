"""Spike-triggered average of several channels and spike-triggered covariance: loops, closed forms of squared filters, uniform p."""

import neo
import numpy as np
import pytest
import quantities as pq
from helpers.trains import one_silence
from numpy.testing import assert_allclose, assert_array_equal

from nsnn_neuro import to_block
from nsnn_neuro.measures import spike_triggered_average, spike_triggered_covariance

RATE = 1000.0


def signal_of(x, t_start=0.0):
    return neo.AnalogSignal(x, units="mV", sampling_rate=RATE * pq.Hz, t_start=t_start * pq.s)


def window(k, n_lags):
    """before and after of n_lags lags of which k are before the spike."""
    return {"before": k / RATE * pq.s, "after": (n_lags - k) / RATE * pq.s}


def filters(n_lags=12):
    """Two orthogonal filters of length 1, an energy model's pair."""
    t = np.arange(n_lags)
    envelope = np.exp(-((t - 6.5) ** 2) / 8)
    pair = np.stack([envelope * np.cos(1.1 * (t - 6.5)), envelope * np.sin(1.1 * (t - 6.5))])
    return np.linalg.qr(pair.T)[0].T


def outputs(x, ks):
    """(n_filters, n_windows) of filters (n_filters, n_lags) whose last lag is the sample before the spike."""
    n_lags = ks.shape[1]
    return np.stack([np.correlate(x, k, mode="valid") for k in ks])[:, :-1], n_lags


def spikes_at(rate, n_lags, rng):
    """Times of spikes drawn with probability `rate` in the sample after each window."""
    return (np.flatnonzero(rng.random(rate.size) < rate) + n_lags + 0.5) / RATE


def test_average_of_channels_is_that_of_each():
    rng = np.random.default_rng(1)
    x = rng.normal([0, 10, 1e4], 1, size=(2000, 3))
    block = to_block([[rng.uniform(0, 2, 50), rng.uniform(0, 2, 20)] for _ in range(2)], t_stop=2 * pq.s)
    signals = [signal_of(x), signal_of(x[::-1])]
    together = spike_triggered_average(signals, block, **window(8, 12))
    assert together.average.shape == together.se.shape == (2, 12, 3)
    for c in range(3):
        alone = spike_triggered_average([s[:, [c]] for s in signals], block, **window(8, 12))
        assert_allclose(together.average[..., c], alone.average, rtol=1e-12)
        assert_allclose(together.se[..., c], alone.se, rtol=1e-6)


def test_covariance_against_numpy():
    """Two trials with their own signals of two channels and an offset; windows, covariances and eigenvalues by NumPy."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(2, 300, 2)) + 1e3
    sample = [rng.choice(300, 60, replace=False), rng.choice(300, 40, replace=False)]
    data = [signal_of(x[0]), signal_of(x[1])], [np.sort(s) / RATE for s in sample]
    stc = spike_triggered_covariance(*data, **window(3, 5), n_shuffle=0)
    every = np.array([x[k, i - 3 : i + 2].ravel() for k in (0, 1) for i in range(3, 299)])
    own = np.array([x[k, i - 3 : i + 2].ravel() for k in (0, 1) for i in sample[k] if 3 <= i <= 298])
    values, vectors = np.linalg.eigh(np.cov(own.T) - np.cov(every.T))
    assert stc.n == len(own)
    assert_allclose(stc.average.ravel(), own.mean(axis=0), rtol=1e-12)
    assert_allclose(stc.eigenvalues, values[::-1], atol=1e-9)
    flat = stc.filters.reshape(10, 10)
    assert_allclose(np.abs((flat * vectors.T[::-1]).sum(axis=1)), 1, rtol=1e-6)
    assert (flat[np.arange(10), np.abs(flat).argmax(axis=1)] > 0).all()
    assert (stc.p.size, stc.significant.size, np.isnan(stc.chance).all()) == (0, 0, True)
    whitened = spike_triggered_covariance(*data, **window(3, 5), n_shuffle=0, whiten=True)
    ratio = np.linalg.eigvals(np.linalg.solve(np.cov(every.T), np.cov(own.T))).real - 1
    assert_allclose(whitened.eigenvalues, np.sort(ratio)[::-1], atol=1e-9)


def test_energy_model():
    """Rate a + g (y1^2 + y2^2), y the outputs of two filters, for white noise of SD s.

    E[y1^2 rate]/E[rate] = (a + 4g)/(a + 2g), so both eigenvalues are s^2 2g/(a + 2g), all others 0; the average is 0.
    """
    rng = np.random.default_rng(3)
    s, a, g, ks = 2.0, 0.01, 0.02, filters()
    x = rng.normal(size=150_000)
    y, n_lags = outputs(x, ks)
    spikes = spikes_at(a + g * (y**2).sum(axis=0), n_lags, rng)
    stc = spike_triggered_covariance(signal_of(s * x), [spikes], **window(12, 12), n_shuffle=59)
    assert_array_equal(np.sort(stc.significant), [0, 1])
    assert stc.p[:2].max() == 1 / 60
    assert stc.p[2] > 0.05
    expected = s**2 * 2 * g / (a + 2 * g)
    assert_allclose(stc.eigenvalues[:2], expected, rtol=0.1)
    assert stc.chance[0] < stc.eigenvalues[2:].min()
    assert stc.eigenvalues[2] < stc.chance[1] < stc.eigenvalues[1]
    inside = ks @ stc.filters[stc.significant, :, 0].T  # of the true filters in the plane that was found
    assert (np.linalg.svd(inside)[1] > 0.98).all()
    sta = spike_triggered_average(signal_of(s * x), [spikes], **window(12, 12))
    assert (np.abs(sta.average) < 5 * sta.se).all()
    assert_allclose(stc.average[:, 0], sta.average[0], rtol=1e-9)


def test_whitening_of_a_correlated_signal():
    """Plain filters of a correlated signal are smeared by its covariance; whitened ones are the neuron's."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=200_000)
    x = np.convolve(x, 0.7 ** np.arange(30), mode="same")
    k = filters()[:1]
    y, n_lags = outputs(x / x.std(), k)
    spikes = spikes_at(0.05 * np.minimum(y**2 / y.var(), 10), n_lags, rng)
    overlap = []
    for whiten in (False, True):
        stc = spike_triggered_covariance(signal_of(x), [spikes], **window(12, 12), n_shuffle=0, whiten=whiten)
        overlap.append(abs((stc.filters[0, :, 0] * k[0]).sum()))
    assert overlap[0] < 0.9 < 0.98 < overlap[1]


def test_average_is_projected_out():
    """A threshold moves the mean along its filter and narrows the variance there; without this direction nothing is left."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=60_000)
    y, n_lags = outputs(x, filters()[:1])
    spikes = spikes_at(0.3 * (y[0] > 1), n_lags, rng)
    kept = spike_triggered_covariance(signal_of(x), [spikes], **window(12, 12), n_shuffle=39)
    assert_array_equal(kept.significant, [11])
    options = window(12, 12) | {"n_shuffle": 39, "project_average": True}
    removed = spike_triggered_covariance(signal_of(x), [spikes], **options)
    assert removed.eigenvalues.size == 11
    assert removed.filters.shape == (11, 12, 1)
    assert removed.significant.size == 0
    assert np.abs(removed.filters[:, :, 0] @ removed.average[:, 0]).max() < 0.01  # but for the signal's mean


def test_few_spikes_have_no_covariance_or_a_warning():
    signal, times = signal_of(np.random.default_rng(7).normal(size=500)), np.linspace(0.05, 0.45, 30)
    with one_silence():
        none = spike_triggered_covariance(signal, [[], [0.2]], **window(3, 5))
    assert np.isnan(none.eigenvalues).all()
    assert (none.n, none.significant.size) == (1, 0)
    with pytest.warns(UserWarning, match="30 spikes for windows of 40 numbers"):
        spike_triggered_covariance(signal, [times], **window(30, 40), n_shuffle=0)


@pytest.mark.parametrize("several", [False, True])
def test_covariance_of_a_cropped_trial_is_that_of_its_part_of_the_signal(several):
    """The signal's SD grows fivefold at 5 s: spikes of the second half, at random, have no relation to it."""
    rng = np.random.default_rng(11)
    x = rng.normal(size=10_000) * np.repeat([1.0, 5.0], 5000)
    spikes = [np.sort(rng.uniform(0, 10, 400)) for _ in range(3 if several else 1)]
    options = window(4, 6) | {"n_shuffle": 39}
    whole = [signal_of(x * (k + 1)) for k in range(len(spikes))]
    # samples 4996 to 8001: those of the windows of spikes from 5 s to 8 s
    part = [signal_of(s.magnitude[4996:8001, 0], 4.996) for s in whole]
    crop = {"t_start": 5 * pq.s, "t_stop": 8 * pq.s}
    cropped = spike_triggered_covariance(whole if several else whole[0], spikes, **options, **crop)
    trains = [neo.SpikeTrain(t[(t >= 5) & (t < 8)], units="s", t_start=5, t_stop=8) for t in spikes]
    for signals, own, ends in ((part, spikes, crop), (whole, trains, {})):
        other = spike_triggered_covariance(signals if several else signals[0], own, **options, **ends)
        assert other.n == cropped.n
        assert_allclose(other.eigenvalues, cropped.eigenvalues, rtol=1e-9)
        assert_allclose(other.chance, cropped.chance, rtol=1e-9)
        assert_array_equal(other.p, cropped.p)
    assert cropped.significant.size == 0

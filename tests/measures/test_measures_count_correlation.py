"""Correlations against loops, Elephant, the law of total covariance, and Gaussian and Poisson counts of known parameters."""

import itertools
import warnings

import neo
import numpy as np
import pytest
import quantities as pq
from elephant.spike_train_correlation import spike_time_tiling_coefficient
from helpers.gaussians import z_of_mean
from helpers.trains import block_of_counts, make_block, one_silence
from helpers.windowed_counts import windows_of
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import pearsonr

from nsnn_neuro.measures import (
    SilentNeuronWarning,
    dimensionality,
    law_of_total_covariance,
    noise_correlation,
    signal_correlation,
    spike_time_tiling,
)

WINDOW = {"t_start": 0 * pq.s, "t_stop": 1 * pq.s}


def test_noise_and_signal_add_up_to_the_total():
    """Unequal numbers of trials, text labels; each part against its definition in a loop."""
    rng = np.random.default_rng(1)
    counts = rng.poisson(rng.uniform(1, 9, (40, 4)))
    stimulus = np.array(["left", "right", "up", "right"])[rng.integers(0, 4, 40)]
    parts = law_of_total_covariance(stimulus, counts)
    noise, signal = np.zeros((4, 4)), np.zeros((4, 4))
    for label in ("left", "right", "up"):
        own = counts[stimulus == label]
        noise += len(own) / 40 * np.cov(own.T, ddof=0)
        shift = own.mean(axis=0) - counts.mean(axis=0)
        signal += len(own) / 40 * np.outer(shift, shift)
    assert_allclose(parts.total, np.cov(counts.T, ddof=0), rtol=1e-12)
    assert_allclose(parts.noise, noise, rtol=0, atol=1e-12)
    assert_allclose(parts.signal, signal, rtol=0, atol=1e-12)
    assert_allclose(parts.noise + parts.signal, parts.total, rtol=0, atol=1e-12)
    assert_array_equal(law_of_total_covariance(stimulus, block_of_counts(counts)).noise, parts.noise)


def slow_noise_correlation(counts, stimulus):
    n = counts.shape[1]
    out = np.full((n, n), np.nan)
    for i, j in itertools.product(range(n), repeat=2):
        total = weight = 0.0
        for label in np.unique(stimulus):
            own = counts[stimulus == label]
            if np.ptp(own[:, i]) > 0 and np.ptp(own[:, j]) > 0:
                total += len(own) * pearsonr(own[:, i], own[:, j])[0]
                weight += len(own)
        out[i, j] = total / weight if weight else np.nan
    return out


def test_noise_correlation_is_the_weighted_mean_of_those_within_stimuli():
    """A neuron that is silent in one stimulus, a stimulus with one trial, a neuron that never varies."""
    rng = np.random.default_rng(2)
    stimulus = np.array([0] * 12 + [1] * 7 + [2] * 9 + [3])
    counts = rng.poisson(4.0, (29, 4)) + rng.poisson(2.0, (29, 1))
    counts[stimulus == 1, 1] = 0
    counts[:, 3] = stimulus
    with one_silence():
        found = noise_correlation(counts, stimulus=stimulus)
    assert_allclose(found, slow_noise_correlation(counts, stimulus), rtol=1e-12)
    with pytest.warns(SilentNeuronWarning, match="1 of 4 neurons"):
        pooled = noise_correlation(counts, stimulus=stimulus, zscore=False)
    means = np.array([counts[stimulus == s].mean(axis=0) for s in range(4)])[stimulus]
    assert_allclose(pooled[:3, :3], np.corrcoef((counts - means)[:, :3].T), rtol=1e-12)


def test_noise_correlation_in_windows_takes_off_the_psth():
    """A rate step common to all trials makes counts of windows correlate, unless each window has its own mean."""
    rng = np.random.default_rng(4)
    counts = rng.poisson(np.array([2.0, 20.0])[None, :, None], (50, 2, 2))  # trials, windows, neurons
    block = windows_of(counts)
    flat, labels = counts.reshape(-1, 2), np.repeat([0, 1], 25)
    found = noise_correlation(block, window=1 * pq.s)
    assert_allclose(found, slow_noise_correlation(flat, np.tile([0, 1], 50)), rtol=1e-12)
    assert np.corrcoef(flat.T)[0, 1] > 0.8
    assert abs(found[0, 1]) < 4 / np.sqrt(98)
    split = noise_correlation(block, stimulus=labels, window=1 * pq.s)
    assert_allclose(split, slow_noise_correlation(flat, (2 * labels[:, None] + [0, 1]).ravel()), rtol=1e-12)


def test_noise_correlation_of_each_stimulus():
    rng = np.random.default_rng(1)
    stimulus = rng.permutation(np.repeat(["left", "right", "up"], [6, 9, 1]))
    counts = rng.poisson(rng.uniform(1, 9, (16, 4, 3)))
    whole = counts[:, 0]
    with pytest.warns(SilentNeuronWarning, match="with some stimulus"):
        each = noise_correlation(whole, stimulus=stimulus, per="stimulus")
    assert each.shape == (3, 3, 3)
    assert np.isnan(each[2]).all()
    kept = stimulus != "up"
    pooled = noise_correlation(whole[kept], stimulus=stimulus[kept])
    assert_allclose(pooled, (6 * each[0] + 9 * each[1]) / 15, rtol=1e-10)
    block = windows_of(counts[kept])
    windows = noise_correlation(block, stimulus=stimulus[kept], window=1 * pq.s, per="stimulus")
    for k, s in enumerate(("left", "right")):
        own = counts[stimulus == s]
        assert_allclose(each[k], np.corrcoef(own[:, 0].T), rtol=1e-10)
        expected = np.mean([np.corrcoef(own[:, w].T) for w in range(4)], axis=0)
        assert_allclose(windows[k], expected, rtol=1e-10)


def gaussian_counts(rng, rho, means, n_trials):
    """Two neurons with noise of correlation rho and SD 1 and 2, (S * n_trials, 2), and labels."""
    s = len(means)
    z = rng.normal(size=(s * n_trials, 2))
    z[:, 1] = rho * z[:, 0] + np.sqrt(1 - rho**2) * z[:, 1]
    label = np.repeat(np.arange(s), n_trials)
    return means[label] + z * [1.0, 2.0], label


def test_noise_correlation_of_gaussian_counts():
    """rho = 0.6 in 5 stimuli of 40 trials: the mean over repeats is rho - rho (1 - rho^2) / (2 n), next order 1/n^2."""
    rng = np.random.default_rng(5)
    means = np.array([[0.0, 9.0], [5.0, 3.0], [2.0, 2.0], [8.0, 1.0], [4.0, 4.0]])
    drawn = (gaussian_counts(rng, 0.6, means, 40) for _ in range(150))
    found = [noise_correlation(counts, stimulus=stimulus)[0, 1] for counts, stimulus in drawn]
    assert abs(z_of_mean(found, 0.6 - 0.6 * 0.64 / 80)) < 4


def test_two_trials_say_nothing_of_noise_correlations():
    counts, labels = np.array([[1, 4], [3, 2], [5, 8], [9, 9], [7, 1]]), [0, 0, 1, 1, 1]
    with pytest.warns(UserWarning, match="1 of 2 stimuli have two trials"):
        noise_correlation(counts, stimulus=labels, per="stimulus")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        noise_correlation(counts, stimulus=labels)


def test_signal_correlation_against_a_loop():
    rng = np.random.default_rng(6)
    stimulus = rng.integers(0, 5, 60)
    counts = rng.poisson(np.array([[2, 4], [9, 3], [5, 5], [7, 1], [3, 8]])[stimulus] * 2)
    means = np.array([counts[stimulus == s].mean(axis=0) for s in range(5)])
    noise = np.mean([np.cov(counts[stimulus == s].T) / (stimulus == s).sum() for s in range(5)], axis=0)
    plain = np.cov(means.T)
    for bias, c in ((None, plain), ("subtract", plain - noise)):
        expected = c / np.sqrt(np.outer(np.diag(c), np.diag(c)))
        found = signal_correlation(stimulus, block_of_counts(counts), bias=bias)
        assert_allclose(found, expected, rtol=1e-12)


def test_signal_correlation_without_signal_is_nan():
    counts = np.tile([[1, 2], [3, 6]], (4, 1))
    with pytest.warns(SilentNeuronWarning, match="2 of 2 neurons have mean counts that vary no more"):
        assert np.isnan(signal_correlation(np.repeat([0, 1, 2, 3], 2), counts)).all()


def test_dimensionality_against_u_statistics():
    """All ordered quadruples of seven trials: E |x1 - x2|^2 |x3 - x4|^2 / 4, and E ((x1 - x2).(x3 - x4))^2 / 4."""
    for shape in ((7, 3), (7, 11)):
        x = np.random.default_rng(8).exponential(size=shape)
        d = x[:, None] - x[None]
        inner = np.einsum("abi,cdi->abcd", d, d)
        quadruples = [q for q in itertools.product(range(7), repeat=4) if len(set(q)) == 4]
        top = np.mean([inner[a, b, a, b] * inner[c, e, c, e] for a, b, c, e in quadruples])
        bottom = np.mean([inner[q] ** 2 for q in quadruples])
        assert_allclose(dimensionality(x).value, top / bottom, rtol=1e-10)
        c = np.cov(x.T)
        plain = dimensionality(x, bias=None)
        assert_allclose(plain.value, np.trace(c) ** 2 / np.trace(c @ c), rtol=1e-10)
        assert plain.correction == "none"


def test_dimensionality_limits():
    shared = np.random.default_rng(10).normal(size=(30, 1))
    assert_allclose(dimensionality(np.hstack([shared, 2 * shared]), bias=None).value, 1.0, rtol=1e-9)
    assert_allclose(dimensionality(np.hstack([shared, 2 * shared])).value, 1.0, rtol=0.2)
    wide = np.random.default_rng(12).poisson(4.0, (6, 8)) + np.arange(6)[:, None] * 3
    assert dimensionality(wide).warning == "6 trials of 8 neurons: covariance of deficient rank"
    with pytest.warns(SilentNeuronWarning, match="don't vary"):
        assert np.isnan(dimensionality(np.full((6, 2), 3)).value)
    counts = np.random.default_rng(11).poisson(3.0, (8, 3))
    assert dimensionality(block_of_counts(counts)) == dimensionality(counts)
    jackknife = np.array([dimensionality(np.delete(counts, k, axis=0)).value for k in range(8)])
    expected = np.sqrt(7 / 8 * ((jackknife - jackknife.mean()) ** 2).sum())
    assert_allclose(dimensionality(counts).se, expected, rtol=1e-9)


def random_trains(seed, rates):
    rng = np.random.default_rng(seed)
    return [np.sort(rng.uniform(0, 1, n)) for n in rng.poisson(rates)]


@pytest.mark.parametrize("dt", [0.5, 900.0])
def test_tiling_equals_elephant(dt):
    trains = random_trains(13, [5, 20, 60, 15, 2])
    trains.append(np.sort(np.concatenate([trains[0] + 1e-3, trains[3][::2]]))[:-1])
    neos = [neo.SpikeTrain(t, units="s", t_stop=1.0) for t in trains]
    theirs = [[spike_time_tiling_coefficient(a, b, dt=dt * pq.ms) for b in neos] for a in neos]
    found = spike_time_tiling(neos, dt=dt * pq.ms)
    assert_allclose(found, theirs, rtol=0, atol=1e-9)
    assert_array_equal(spike_time_tiling(trains, dt=dt * pq.ms, **WINDOW), found)


def test_tiling_sums_spikes_and_time_over_trials():
    """Three trials of unequal length against the definition on a grid of 10 us (2 edges a spike: T to 1e-3)."""
    trials = [random_trains(seed, [10, 15]) for seed in (13, 14, 15)]
    stops, dt = [1.0, 2.0, 1.5], 0.01
    within = np.zeros((2, 2))
    covered = np.zeros(2)
    for trial, stop in zip(trials, stops, strict=True):
        grid = (np.arange(round(stop / 1e-5)) + 0.5) * 1e-5
        for a in (0, 1):
            covered[a] += (np.abs(np.subtract.outer(grid, trial[a])).min(axis=1) <= dt).sum() * 1e-5
            for b in (0, 1):
                within[a, b] += (np.abs(np.subtract.outer(trial[a], trial[b])).min(axis=1) <= dt).sum()
    p = within[[0, 1], [1, 0]] / [sum(t[a].size for t in trials) for a in (0, 1)]
    t = covered[::-1] / sum(stops)
    expected = ((p - t) / (1 - p * t)).mean()
    assert_allclose(
        spike_time_tiling(make_block(trials, stops), dt=dt * pq.s)[0, 1], expected, rtol=0, atol=1e-3
    )


def test_tiling_on_a_grid_is_safe_from_rounding():
    ticks = np.arange(100, 9900, 61)
    a, b = ticks * 1e-4, (ticks + 20) * 1e-4
    assert (b > a + 0.002).any()  # by rounding
    assert_allclose(spike_time_tiling([a, b], dt=2 * pq.ms, **WINDOW), 1.0, rtol=1e-9)

"""Fano factor within stimuli and per window, noise correlation per stimulus: loops, gamma processes."""

from functools import partial

import neo
import numpy as np
import pytest
import quantities as pq
from helpers.trains import one_silence
from numpy.testing import assert_allclose, assert_array_equal

from nsnn_neuro import tabulate, to_block
from nsnn_neuro.measures import SilentNeuronWarning, fano_factor, noise_correlation


def block_of_windows(counts):
    """Windows of one second; counts (n_trials, n_windows, n_neurons) spikes at equal distances in them."""
    trials = [
        [
            np.concatenate([w + (np.arange(c) + 0.5) / max(c, 1) for w, c in enumerate(neuron)])
            for neuron in trial.T
        ]
        for trial in counts
    ]
    return to_block(trials, t_stop=counts.shape[1] * pq.s)


def example(seed=1):
    rng = np.random.default_rng(seed)
    stimulus = np.array(["left", "right", "up"])[np.r_[[0] * 6, [1] * 9, [2]]]
    order = rng.permutation(16)
    return rng.poisson(rng.uniform(1, 9, (16, 4, 3)))[order], stimulus[order]


@pytest.mark.parametrize("ddof", [0, 1])
def test_against_loops(ddof):
    """Unequal numbers of trials; "up" has one trial and isn't used."""
    counts, stimulus = example()
    variance = mean = 0
    for s in ("left", "right"):
        own = counts[stimulus == s]
        variance = variance + len(own) * own.var(axis=0, ddof=ddof)
        mean = mean + len(own) * own.mean(axis=0)
    block = block_of_windows(counts)
    options = {"window": 1 * pq.s, "ddof": ddof, "stimulus": stimulus}
    assert_allclose(fano_factor(block, per="bin", **options), (variance / mean).T, rtol=1e-12)
    assert_allclose(fano_factor(block, **options), variance.sum(axis=0) / mean.sum(axis=0), rtol=1e-12)
    whole = counts.sum(axis=1)
    parts = [(whole[stimulus == s], (stimulus == s).sum()) for s in ("left", "right")]
    top = sum(n * own.var(axis=0, ddof=ddof) for own, n in parts)
    bottom = sum(n * own.mean(axis=0) for own, n in parts)
    assert_allclose(fano_factor(block, ddof=ddof, stimulus=stimulus), top / bottom, rtol=1e-12)
    per_trial = fano_factor(block, ddof=ddof, stimulus=stimulus, per="bin")
    assert_allclose(per_trial[:, 0], top / bottom, rtol=1e-12)
    ratio = counts.var(axis=0, ddof=ddof) / counts.mean(axis=0)
    assert_allclose(fano_factor(block, window=1 * pq.s, ddof=ddof, per="bin"), ratio.T, rtol=1e-12)


def test_table_has_the_jackknife_of_the_whole_function():
    counts, stimulus = example()
    block = block_of_windows(counts)
    table = tabulate(block, partial(fano_factor, window=1 * pq.s, stimulus=stimulus))
    assert_allclose(table["value"], fano_factor(block, window=1 * pq.s, stimulus=stimulus), rtol=1e-12)
    left = np.empty((16, 3))
    for k in range(16):
        rest = neo.Block()
        for j, segment in enumerate(block_of_windows(counts).segments):
            if j != k:
                rest.segments.append(segment)
        left[k] = fano_factor(rest, window=1 * pq.s, stimulus=np.delete(stimulus, k))
    expected = np.sqrt(15 / 16 * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    assert_allclose(table["se"], expected, rtol=1e-9)


def driven_trains(rng, n_trials, shape, rates):
    """Gamma process of order `shape` in operational time, at a rate (Hz) that changes each 100 ms; starts in equilibrium."""
    edges = np.arange(len(rates) + 1) * 0.1
    expected = np.concatenate([[0], np.cumsum(np.array(rates) * 0.1)])
    trials = []
    for _ in range(n_trials):
        start = rng.uniform(0, 50)
        times = np.cumsum(rng.gamma(shape, 1 / shape, int(expected[-1] + 200))) - 50 - start
        trials.append([np.interp(times[(times > 0) & (times < expected[-1])], expected, edges)])
    return to_block(trials, t_stop=edges[-1] * pq.s)


def test_a_driven_regular_cell_is_regular_per_bin_and_not_pooled():
    """Gamma process of order 4 at 10 or 200 Hz: pooled over bins the changes of the rate are in the variance."""
    block = driven_trains(np.random.default_rng(2), 400, 4, [10, 200] * 10)
    window = 100 * pq.ms
    pooled = fano_factor(block, window=window)[0]
    per_bin = fano_factor(block, window=window, per="bin")[0]
    within = fano_factor(block, window=window, stimulus=np.zeros(400, int))[0]
    assert pooled > 3
    assert np.median(per_bin[1::2]) < 0.4  # 20 spikes of an order-4 process: 1/4 and an end correction of .01
    assert abs(within - np.average(per_bin, weights=np.tile([1, 20], 10))) < 0.02


@pytest.mark.slow
def test_poisson_counts_of_many_stimuli_have_one():
    """Rates from .5 to 30 spikes, unequal numbers of trials: 500 neurons; the mean of ratios has the same mean, but is noisier."""
    rng = np.random.default_rng(3)
    rates = np.geomspace(0.5, 30, 8)
    stimulus = np.repeat(np.arange(8), [2, 3, 4, 5, 6, 8, 10, 12])
    counts = rng.poisson(rates[stimulus][:, None, None], (50, 1, 500))
    value = fano_factor(block_of_windows(counts), stimulus=stimulus)
    assert abs(value.mean() - 1) < 4 * value.std() / np.sqrt(500)
    pooled = fano_factor(block_of_windows(counts[np.random.default_rng(0).permutation(50)]))
    assert pooled.mean() > 5


def test_noise_correlation_of_each_stimulus():
    counts, stimulus = example()
    whole = counts[:, 0]
    with pytest.warns(SilentNeuronWarning, match="with some stimulus"):
        each = noise_correlation(whole, stimulus=stimulus, per="stimulus")
    assert each.shape == (3, 3, 3)
    assert np.isnan(each[2]).all()
    kept = stimulus != "up"
    pooled = noise_correlation(whole[kept], stimulus=stimulus[kept])
    assert_allclose(pooled, (6 * each[0] + 9 * each[1]) / 15, rtol=1e-10)
    block = block_of_windows(counts[kept])
    windows = noise_correlation(block, stimulus=stimulus[kept], window=1 * pq.s, per="stimulus")
    for k, s in enumerate(("left", "right")):
        own = counts[stimulus == s]
        assert_allclose(each[k], np.corrcoef(own[:, 0].T), rtol=1e-10)
        expected = np.mean([np.corrcoef(own[:, w].T) for w in range(4)], axis=0)
        assert_allclose(windows[k], expected, rtol=1e-10)


def test_windows_without_spikes_are_nan_with_one_warning():
    counts = np.array([[[1], [0]], [[3], [0]]])
    with one_silence("1 of 2 windows of neurons hold no spike"):
        value = fano_factor(block_of_windows(counts), window=1 * pq.s, per="bin")
    assert_array_equal(value, [[1.0, np.nan]])
    with one_silence("have no spike"):
        assert np.isnan(fano_factor(block_of_windows(0 * counts), stimulus=[0, 0])).all()

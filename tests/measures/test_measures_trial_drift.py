"""Drift over trials: definitions in loops, the law of the test, and the warning of measures that drift distorts."""

import importlib
import warnings

import numpy as np
import pytest
import quantities as pq
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import kstest, pearson3, skew

from nsnn_neuro import to_block
from nsnn_neuro.measures import (
    SilentNeuronWarning,
    TrialDriftWarning,
    against_surrogates,
    fano_factor,
    modulated_poisson,
    noise_correlation,
    tabulate,
    trial_drift,
)
from nsnn_neuro.measures.trial_counts import z_scores

drift_file = importlib.import_module("nsnn_neuro.measures.spiketrain.trial_drift")


def block_of(counts):
    """One second per trial, counts (n_trials, n_neurons) spikes at equal distances."""
    trials = [[(np.arange(c) + 0.5) / max(c, 1) for c in row] for row in counts]
    return to_block(trials, t_stop=1 * pq.s)


def categories(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [w.category for w in caught]


def test_against_loops():
    """Three stimuli of unequal numbers, in random order, and a stimulus with one trial."""
    rng = np.random.default_rng(1)
    stimulus = np.array(["a"] * 5 + ["b"] * 9 + ["c"] * 7 + ["d"])[rng.permutation(22)]
    counts = rng.poisson(6.0, (22, 3))
    z = np.zeros((22, 3))
    variance = successive = mean = 0
    for s in "abc":
        own = counts[stimulus == s]
        z[stimulus == s] = (own - own.mean(axis=0)) / own.std(axis=0)
        variance = variance + len(own) * own.var(axis=0, ddof=1)
        successive = successive + len(own) * ((own[1:] - own[:-1]) ** 2).mean(axis=0) / 2
        mean = mean + own.sum(axis=0)
    drift = trial_drift(counts, stimulus=stimulus)
    assert_allclose(drift.correlation, (z[1:] * z[:-1]).sum(axis=0) / (z**2).sum(axis=0), rtol=1e-12)
    assert_allclose(drift.fano, variance / mean, rtol=1e-12)
    assert_allclose(drift.successive_fano, successive / mean, rtol=1e-12)
    assert_allclose(drift.fano, fano_factor(block_of(counts), stimulus=stimulus), rtol=1e-12)
    assert drift.n == 22
    again = trial_drift(block_of(counts), stimulus=stimulus)
    assert_array_equal(again.p, drift.p)


def test_windows_are_compared_with_themselves_and_summed():
    """Counts that move from one half of the trial to the other over trials: trials as wholes don't change."""
    trials = [[[0.1] * (k + 1) + [0.7] * (20 - k)] for k in range(20)]
    whole = trial_drift([[21.0 + (k % 2)] for k in range(20)])
    assert whole.correlation < 0
    halves = trial_drift(to_block(trials, t_stop=1 * pq.s), window=500 * pq.ms)
    k = np.arange(20) - 9.5
    assert_allclose(halves.correlation, (k[1:] @ k[:-1]) / (k @ k), rtol=1e-12)
    assert halves.p == 1 / 1001
    assert_allclose(halves.successive_fano, 2 * 0.5 / 21, rtol=1e-12)


def test_successive_variance_is_unbiased_and_varies_as_von_neumann_says():
    """Independent normal counts: the variance of V is (3n - 4) / (n - 1)^2 sigma^4, that of the ordinary one 2 / (n - 1)."""
    n = 40
    x = 100 + np.random.default_rng(3).normal(size=(n, 20_000))
    v = trial_drift(x, n_shuffle=0).successive_fano * x.mean(axis=0)
    assert abs(v.mean() - 1) < 4 * v.std() / np.sqrt(v.size)
    error = np.sqrt(2 / v.size) * 1.2
    assert abs(v.var() / ((3 * n - 4) / (n - 1) ** 2) - 1) < 4 * error


def test_p_is_uniform_without_drift():
    """600 neurons, three stimuli of very different rates in random order; p has 200 values."""
    rng = np.random.default_rng(5)
    stimulus = rng.permutation(np.repeat([0, 1, 2], 12))
    counts = rng.poisson(np.array([8.0, 24.0, 64.0])[stimulus][:, None], (36, 600))
    p = trial_drift(counts, stimulus=stimulus, n_shuffle=199).p
    assert kstest(p - rng.random(600) / 200, "uniform").pvalue > 1e-3


def test_p_finds_drift_and_stimuli_that_were_sorted():
    rng = np.random.default_rng(6)
    assert (trial_drift(rng.poisson(np.linspace(5, 15, 80)[:, None], (80, 5))).p < 0.01).all()
    sorted_trials = rng.poisson(np.repeat([4, 16], 40)[:, None], (80, 5))
    assert (trial_drift(sorted_trials).p == 1 / 1001).all()
    assert (trial_drift(sorted_trials, stimulus=np.repeat([0, 1], 40)).p > 0.01).all()


def test_measures_warn_once_of_drift_in_the_recording():
    counts = np.random.default_rng(7).poisson(np.linspace(3, 20, 100)[:, None], (100, 4))
    block = block_of(counts)
    for call in (
        lambda: fano_factor(block),
        lambda: fano_factor(block, window=100 * pq.ms, per="bin"),
        lambda: noise_correlation(counts),
        lambda: noise_correlation(block, window=500 * pq.ms),
    ):
        assert categories(call) == [TrialDriftWarning]
    mixed = counts[np.random.default_rng(8).permutation(100)]
    assert categories(lambda: fano_factor(block_of(mixed))) == []
    assert categories(lambda: noise_correlation(mixed)) == []


def test_warning_does_not_advise_what_was_done():
    counts = np.random.default_rng(9).poisson(np.linspace(4, 16, 80)[:, None], (80, 2))
    stimulus = np.tile([0, 1], 40)
    for call in (
        lambda: noise_correlation(counts, stimulus=stimulus),
        lambda: fano_factor(block_of(counts), stimulus=stimulus),
        lambda: modulated_poisson(stimulus, counts),
    ):
        with pytest.warns(TrialDriftWarning) as caught:
            call()
        assert "stimulus=" not in str(caught[0].message)
        assert "by trial_drift" in str(caught[0].message)


def test_p_beyond_the_permutations_is_of_pearson_iii():
    z = z_scores(np.geomspace(1, 30, 40)[:, None, None], np.zeros(40, dtype=int))[0]
    label, rng = np.zeros(40, dtype=int), np.random.default_rng(0)
    null = np.concatenate([drift_file._permuted(z, label, n, rng).ravel() for n in (100, 900, 4000)])
    p = pearson3.sf((z[1:] * z[:-1]).sum(), skew(null), loc=null.mean(), scale=null.std())
    assert_allclose(drift_file._tail(z, label), p, rtol=1e-9)


@pytest.mark.parametrize(
    ("n", "n_windows", "n_neurons", "n_labels"), [(30, 1, 1, 1), (41, 3, 2, 4), (4, 1, 5, 2)]
)
def test_few_permutations_are_those_of_the_compiled_loop(n, n_windows, n_neurons, n_labels, monkeypatch):
    rng = np.random.default_rng(2)
    z, label = rng.normal(size=(n, n_windows, n_neurons)), np.resize(np.arange(n_labels), n)
    few = drift_file._permuted(z, label, 300, np.random.default_rng(0))
    monkeypatch.setattr(drift_file, "_FEW", 0)
    assert_array_equal(few, drift_file._permuted(z, label, 300, np.random.default_rng(0)))


@pytest.mark.slow
def test_resampled_and_surrogate_trials_do_not_warn_again(monkeypatch):
    """A function of one's own is called once more for each trial, or for each surrogate."""
    block = block_of(np.random.default_rng(9).poisson(np.linspace(4, 16, 60)[:, None], (60, 2)))

    def pair(block):
        return noise_correlation(block)[0, 1]

    tests = []
    monkeypatch.setattr(drift_file, "_tail", lambda z, label: tests.append(len(z)) or 0.0)
    assert categories(lambda: tabulate(block, pair)) == [TrialDriftWarning]
    assert tests == [60]  # only on all trials: the tests of others would be thrown away
    test = {"method": "jitter", "window": 50 * pq.ms, "n": 9}
    assert categories(lambda: against_surrogates(pair, block, **test)) == [TrialDriftWarning]


def test_silent_and_constant_neurons_are_nan_with_one_warning():
    counts = np.array([[0, 5, 1], [0, 5, 3], [0, 5, 2], [0, 5, 2]])
    with pytest.warns(SilentNeuronWarning, match="2 of 3 neurons have a count that does not vary") as caught:
        drift = trial_drift(counts)
    assert len(caught) == 1
    assert_array_equal(np.isnan(drift.correlation), [True, True, False])
    assert_array_equal(np.isnan(drift.p), [True, True, False])
    assert_array_equal(np.isnan(drift.fano), [True, False, False])
    assert drift.fano[1] == drift.successive_fano[1] == 0.0

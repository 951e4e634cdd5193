"""Rate and irregularity against renewal theory and slow loops over trials; Elephant: test_elephant_ratios.py."""

import numpy as np
import pytest
import quantities as pq
from helpers.gaussians import z_of_mean
from helpers.trains import make_block
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.stats import beta, pearsonr

from nsnn_neuro.measures import (
    SilentNeuronWarning,
    cv,
    cv2,
    fano_factor,
    firing_rate,
    isi,
    lv,
    lvr,
    serial_correlation,
)


def gamma_trials(shape, seed, n_trials=3, n_neurons=6, n_spikes=40):
    rng = np.random.default_rng(seed)
    gaps = rng.gamma(shape, 0.05 / shape, size=(n_trials, n_neurons, n_spikes))
    return [list(trial) for trial in np.cumsum(gaps, axis=2)]


def test_intervals_and_pairs_never_cross_trials():
    """Two trials with borders that would add wild intervals; the oracle loops over trials."""
    trials = [[[0.10, 0.11, 0.13, 0.16]], [[0.80, 0.84, 0.85]]]
    block = make_block(trials, 1.0)
    pairs = [(0.01, 0.02), (0.02, 0.03), (0.04, 0.01)]
    intervals = np.array([0.01, 0.02, 0.03, 0.04, 0.01])
    assert_allclose(isi(block)[0], intervals, rtol=1e-12)
    assert_allclose(cv(block), [np.std(intervals) / np.mean(intervals)], rtol=1e-12)
    assert_allclose(cv2(block), [np.mean([2 * abs(a - b) / (a + b) for a, b in pairs])], rtol=1e-12)
    assert_allclose(lv(block), [np.mean([3 * (a - b) ** 2 / (a + b) ** 2 for a, b in pairs])], rtol=1e-12)
    weighted = [3 * (1 - 4 * a * b / (a + b) ** 2) * (1 + 4 * 0.005 / (a + b)) for a, b in pairs]
    assert_allclose(lvr(block), [np.mean(weighted)], rtol=1e-12)
    a, b = np.array(pairs).T
    assert_allclose(serial_correlation(block), [pearsonr(a, b)[0]], rtol=1e-9)


def test_rate_weighs_trials_by_duration():
    block = make_block([[[0.1, 0.2]], [[0.5, 1.5, 2.5, 2.6]]], [1.0, 3.0])
    assert_array_equal(firing_rate(block), [1.5])


def test_crop_equals_cutting_the_input():
    trials = gamma_trials(1.0, seed=6)
    cut = [[t[(t >= 0.5) & (t < 1.5)] - 0.5 for t in trial] for trial in trials]
    whole, part = make_block(trials, 10.0), make_block(cut, 1.0)
    for measure in (firing_rate, cv, fano_factor):
        cropped = measure(whole, t_start=0.5 * pq.s, t_stop=1.5 * pq.s)
        assert_allclose(cropped, measure(part), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("window", [0.1, 0.3])
def test_fano_windows_against_a_loop(window):
    """Trials of unequal length; windows of 0.3 s leave a remainder, whose spikes don't count."""
    rng, stops = np.random.default_rng(7), [1.0, 1.0, 0.7, 1.0]
    trials = [[np.sort(rng.uniform(0, stop, rng.poisson(20))) for _ in range(3)] for stop in stops]
    edges = [window * np.arange(int(np.floor(stop / window + 1e-9)) + 1) for stop in stops]
    for ddof in (0, 1):
        expected = []
        for j in range(3):
            counts = [np.histogram(trial[j], own)[0] for trial, own in zip(trials, edges, strict=True)]
            expected.append(np.concatenate(counts).var(ddof=ddof) / np.concatenate(counts).mean())
        ours = fano_factor(make_block(trials, stops), window=window * pq.s, ddof=ddof)
        assert_allclose(ours, expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [1.0, 4.0])
def test_gamma_process(shape):
    """CV 1/sqrt(k), LV 3/(2k + 1), CV2 from the beta law of I1/(I1 + I2), no serial correlation.

    Trains hold a fixed number of spikes, which avoids the window's preference for short intervals. Biases of
    order 1/2000 of CV and of the correlation are about a third of the standard error of the mean (0.0016).
    """
    trials = gamma_trials(shape, seed=11, n_trials=1, n_neurons=200, n_spikes=2000)
    block = make_block(trials, 400.0)
    mean_cv2 = quad(lambda x: 2 * abs(2 * x - 1) * beta.pdf(x, shape, shape), 0, 1, points=[0.5])[0]
    assert abs(z_of_mean(cv(block), 1 / np.sqrt(shape))) < 4
    assert abs(z_of_mean(lv(block), 3 / (2 * shape + 1))) < 4
    assert abs(z_of_mean(cv2(block), mean_cv2)) < 4
    assert abs(z_of_mean(serial_correlation(block), 0.0)) < 4


def test_serial_correlation_of_a_moving_average():
    """I_k = c + e_k + theta e_(k-1) with independent e: lag-1 correlation theta / (1 + theta^2)."""
    theta = -0.5
    e = np.random.default_rng(14).uniform(-0.02, 0.02, size=(200, 1001))
    gaps = 0.1 + e[:, 1:] + theta * e[:, :-1]
    block = make_block([list(np.cumsum(gaps, axis=1))], 200.0)
    assert abs(z_of_mean(serial_correlation(block), theta / (1 + theta**2))) < 4


@pytest.mark.filterwarnings("error")
def test_least_number_of_spikes():
    times = np.array([0.1, 0.2, 0.4, 0.5, 0.9])
    for measure, enough in ((cv, 3), (cv2, 3), (lv, 3), (lvr, 3), (serial_correlation, 5)):
        with pytest.warns(SilentNeuronWarning) as caught:
            assert np.isnan(measure(make_block([[times[: enough - 1]]])))[0]
        assert caught[0].filename == __file__
        assert not np.isnan(measure(make_block([[times[:enough]]])))[0]


def test_regular_train_has_cv_0_and_no_serial_correlation():
    block = make_block([[np.arange(1, 2000) * 1e-4 * 37]], 10.0)
    assert cv(block)[0] < 1e-10
    with pytest.warns(SilentNeuronWarning, match="don't vary"):
        assert np.isnan(serial_correlation(block)[0])


def test_coincident_spikes_of_one_train_count_as_equal_intervals():
    block = make_block([[[0.1, 0.1, 0.1, 0.3]]], 1.0)  # pairs (0, 0) and (0, 0.2)
    assert_allclose([cv2(block)[0], lv(block)[0]], [1.0, 1.5], rtol=1e-12)
    assert_allclose(lvr(block), [1.5 * (1 + 4 * 0.005 / 0.2)], rtol=1e-12)

"""Count variability against loops, renewal theory, and populations whose matched Fano factor is known exactly."""

from functools import partial

import numpy as np
import pytest
import quantities as pq
from helpers.gaussians import z_of_mean
from helpers.trains import make_block
from numpy.testing import assert_allclose, assert_array_equal

from nsnn_neuro import tabulate
from nsnn_neuro.measures import Trains, allan_factor, fano_curve, fano_factor, mean_matched_fano


def gamma_block(shape, seed, *, n_neurons, duration, rate=20.0):
    """One trial of stationary gamma trains: they begin a hundred intervals before the trial."""
    rng = np.random.default_rng(seed)
    number = int(rate * duration * 1.1) + 300
    gaps = rng.gamma(shape, 1 / (shape * rate), size=(n_neurons, number))
    times = np.cumsum(gaps, axis=1) - 100 / rate
    assert (times[:, -1] > duration).all()
    return make_block([[t[(t >= 0) & (t < duration)] for t in times]], duration)


def test_fano_curve_is_fano_factor_by_window():
    block = gamma_block(2.0, 1, n_neurons=3, duration=20.0)
    widths, fano = fano_curve(block, windows=[50, 333, 2000] * pq.ms)
    assert_allclose(widths, [0.05, 0.333, 2.0], rtol=1e-12)
    for width, row in zip(widths, fano, strict=True):
        assert_array_equal(row, fano_factor(block, window=width * pq.s))
    one = fano_curve(block, windows=50 * pq.ms)
    assert [part.shape for part in one] == [(1,), (1, 3)]
    assert_array_equal(one[1][0], fano[0])
    options = {"ddof": 0, "t_start": 1 * pq.s, "t_stop": 9 * pq.s}
    cut = fano_curve(block, windows=[0.5] * pq.s, **options)[1][0]
    assert_array_equal(cut, fano_factor(block, window=0.5 * pq.s, **options))


@pytest.mark.slow
@pytest.mark.parametrize("shape", [1.0, 3.0, 0.5])
def test_long_windows_of_a_renewal_process(shape):
    """Cox 1962: F(T) = CV^2 + (1 - 1/k^2) / (6 r T) for gamma intervals, and AF(T) = 2 F(T) - F(2 T)."""
    rate, widths = 20.0, np.array([1.0, 2.0])
    block = gamma_block(shape, 2, n_neurons=60, duration=800.0)
    fano = fano_curve(block, windows=widths * pq.s)[1]
    expected = 1 / shape + (1 - shape**-2) / (6 * rate * widths)
    for values, theory in zip(fano, expected, strict=True):
        assert abs(z_of_mean(values, theory)) < 4
    assert abs(z_of_mean(allan_factor(block, window=1 * pq.s), 2 * expected[0] - expected[1])) < 4
    assert (shape == 1.0) or abs(z_of_mean(fano[1], 1.0)) > 10


def test_allan_factor_against_a_loop():
    """Trials of unequal length, empty trains and windows, a remainder at the end."""
    rng = np.random.default_rng(3)
    stops = [3.1, 2.0, 1.05]
    trials = [[np.sort(rng.uniform(0, s, rng.poisson(4 * s))) for _ in range(3)] for s in stops]
    trials[1][2] = trials[0][2] = np.empty(0)
    trials[2][2] = np.array([0.05, 1.02])
    expected = []
    for j in range(3):
        squares, counts = [], []
        for trial, stop in zip(trials, stops, strict=True):
            n = np.histogram(trial[j], np.arange(int(stop / 0.1 + 1e-9) + 1) * 0.1)[0]
            squares += list(np.diff(n) ** 2)
            counts += list(n)
        expected.append(np.mean(squares) / (2 * np.mean(counts)))
    assert_allclose(allan_factor(make_block(trials, stops), window=100 * pq.ms), expected, rtol=1e-12)


def test_slow_drift_raises_fano_not_allan():
    """Poisson, rate rising from 5 to 35 Hz: AF = 1 + (difference of means)^2 / (2 mean), here 1 + 2e-4."""
    rng = np.random.default_rng(4)
    duration, trains = 300.0, []
    for _ in range(40):
        t = np.sort(rng.uniform(0, duration, rng.poisson(35 * duration)))
        trains.append(t[rng.uniform(size=t.size) < (5 + 30 * t / duration) / 35])
    block = make_block([trains], duration)
    step = 30 / duration  # mean counts of neighbouring windows of 1 s
    assert abs(z_of_mean(allan_factor(block, window=1 * pq.s), 1 + step**2 / 40)) < 4
    assert abs(z_of_mean(fano_factor(block, window=1 * pq.s), 1.0)) > 20


def test_tabulate_takes_the_jackknife_of_allan_from_sums():
    rng = np.random.default_rng(5)
    trials = [[np.sort(rng.uniform(0, 2, 30)) for _ in range(2)] for _ in range(4)]
    table = tabulate(make_block(trials, 2.0), partial(allan_factor, window=0.2 * pq.s))
    rest = np.array(
        [allan_factor(make_block(trials[:k] + trials[k + 1 :], 2.0), window=0.2 * pq.s) for k in range(4)]
    )
    assert_allclose(table["se"], np.sqrt(3 / 4 * ((rest - rest.mean(axis=0)) ** 2).sum(axis=0)), rtol=1e-9)


def trains_of_counts(counts):
    """Counts (n_trials, n_neurons, n_windows) as Trains with windows of 1 s."""
    trials, neurons, windows = counts.shape
    trial, neuron, window = (
        np.repeat(i.ravel(), counts.ravel())
        for i in np.meshgrid(*map(np.arange, counts.shape), indexing="ij")
    )
    edge = np.zeros(trials)
    return Trains(window + 0.5, neuron, trial, neurons, trials, edge, edge + windows)


def over_dispersed(rng, rates, n_trials, r):
    """Negative binomial counts, variance = m + m^2/r, (n_trials, n_neurons, n_windows) for rates (neurons, windows)."""
    return rng.poisson(rng.gamma(r, rates / r, size=(n_trials, *rates.shape)))


def test_rates_change_the_raw_fano_factor_but_not_the_matched_one():
    """Negative binomial counts of fixed r, rates doubled in the second window.

    Given the mean count m of n trials, a neuron's counts are Dirichlet-multinomial whatever its rate, so that
    E[v | m] / m = (m + r) / (1/n + r) exactly: with bins of one count, the expectation of the matched value is
    known from the matched means, and equal in both windows.
    """
    rng = np.random.default_rng(6)
    n, r = 16, 4.0
    low = rng.uniform(1, 5, 4000)
    counts = over_dispersed(rng, np.stack([low, 2 * low], axis=1), n, r)
    matched = mean_matched_fano(trains_of_counts(counts), window=1 * pq.s, bin_width=1 / n)
    totals = counts.sum(axis=0)
    histogram = [np.bincount(totals[:, k], minlength=totals.max() + 1)[1:] for k in (0, 1)]
    common = np.minimum(*histogram)
    mean = np.arange(1, totals.max() + 1) / n
    expected = (common * (mean + r) / (1 / n + r)).sum() / common.sum()
    assert matched.n == common.sum()
    assert_array_equal(matched.times, [0.5, 1.5])
    assert (np.abs((matched.fano - expected) / matched.se) < 4).all()
    assert abs(np.diff(matched.raw)[0]) > 10 * matched.se.max()
    assert abs(np.diff(matched.fano)[0]) < 4 * np.hypot(*matched.se)


@pytest.mark.slow
def test_matching_equals_the_mean_of_random_draws():
    """The source's procedure: at each time draw the common number from each bin and average v/m, many times."""
    rng = np.random.default_rng(8)
    counts = over_dispersed(rng, rng.uniform(1, 4, (30, 3)), 6, 3.0)
    matched = mean_matched_fano(trains_of_counts(counts), window=1 * pq.s, bin_width=0.5, n_resample=0)
    assert np.isnan(matched.se).all()
    mean, variance = counts.mean(axis=0), counts.var(axis=0, ddof=1)
    bins = np.where(mean > 0, np.floor(mean / 0.5 + 1e-9), -1).astype(int)
    edges = range(bins.max() + 1)
    common = {b: min((bins[:, k] == b).sum() for k in range(3)) for b in edges}
    assert matched.n == sum(common.values()) > 10
    draws = np.empty((1000, 3))
    for i in range(len(draws)):
        for k in range(3):
            chosen = np.concatenate(
                [rng.permutation(np.flatnonzero(bins[:, k] == b))[: common[b]] for b in edges]
            ).astype(int)
            draws[i, k] = (variance[chosen, k] / mean[chosen, k]).mean()
    for k in range(3):
        assert abs(z_of_mean(draws[:, k], matched.fano[k])) < 4


@pytest.mark.slow
def test_error_bar_of_the_matched_fano_factor_covers():
    """Populations of 40 Poisson neurons, truth 1 exactly: the mean squares of error and error bar agree, and two se cover."""
    rng = np.random.default_rng(9)
    errors, bars = [], []
    for _ in range(200):
        rates = rng.gamma(4, 1, (40, 1)) * [1.0, 1.3, 1.6]
        trains = trains_of_counts(rng.poisson(rates, (12, 40, 3)))
        matched = mean_matched_fano(trains, window=1 * pq.s, bin_width=0.5, n_resample=60)
        errors.append(matched.fano - 1)
        bars.append(matched.se)
    difference = (np.square(errors) - np.square(bars)).mean(
        axis=1
    )  # of a population: its times are correlated
    assert abs(z_of_mean(difference, 0.0)) < 4
    assert np.mean(np.abs(errors) < 2 * np.array(bars)) >= 0.9


def test_mean_matching_of_sliding_windows():
    block = make_block([[[0.1, 0.35]], [[0.12, 0.3, 0.6, 0.61]]], 1.0)
    matched = mean_matched_fano(block, window=0.5 * pq.s, step=0.25 * pq.s, bin_width=9.0)
    assert_allclose(matched.times, [0.25, 0.5, 0.75], rtol=1e-12)
    counts = np.array([[2, 1, 0], [2, 3, 2]])
    assert_allclose(matched.fano, counts.var(axis=0, ddof=1) / counts.mean(axis=0), rtol=1e-12)
    assert_allclose(matched.raw, matched.fano, rtol=1e-12)

"""Fisher information against its formula, the noncentral F law, exact sums and a divergence."""

import numpy as np
import pytest
from helpers.gaussians import z_of_mean
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal, ncf, poisson

from nsnn_neuro.measures import gaussian_fisher, linear_fisher_information, poisson_fisher

DS = 0.5


def population(n, seed=3):
    """f' and the covariance of n correlated neurons."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(n, n))
    return rng.normal(size=n), mixing @ mixing.T / n + 0.5 * np.eye(n)


def responses(rng, slope, covariance, t1, t2):
    root = np.linalg.cholesky(covariance)
    r1, r2 = (rng.normal(size=(t, slope.size)) @ root.T for t in (t1, t2))
    return r1, r2 + slope * DS


def estimates(slope, covariance, t1, t2, repeats, seed, **options):
    rng = np.random.default_rng(seed)
    found = [
        linear_fisher_information(*responses(rng, slope, covariance, t1, t2), DS, **options)
        for _ in range(repeats)
    ]
    return np.array([e.value for e in found]), np.array([e.se for e in found])


def test_formula_written_out():
    """The source's formula, equal T, with numpy's covariances."""
    slope, covariance = population(4)
    r1, r2 = responses(np.random.default_rng(1), slope, covariance, 20, 20)
    t, n = r1.shape
    d = (r2.mean(axis=0) - r1.mean(axis=0)) / DS
    s = (np.cov(r1.T) + np.cov(r2.T)) / 2
    plugin = d @ np.linalg.inv(s) @ d
    expected = plugin * (2 * t - n - 3) / (2 * t - 2) - 2 * n / (t * DS**2)
    assert_allclose(linear_fisher_information(r1, r2, DS, n_shuffle=0).value, expected, rtol=1e-9)
    assert_allclose(linear_fisher_information(r1, r2, DS, bias="none", n_shuffle=0).value, plugin, rtol=1e-9)
    alone = (d**2 / np.diag(s)).sum()
    expected = alone * (t - 2) / (t - 1) - 2 * n / (t * DS**2)
    e = linear_fisher_information(r1, r2, DS, shuffled=True, n_shuffle=0)
    assert_allclose(e.value, expected, rtol=1e-9)
    e = linear_fisher_information(r1, r2, DS, shuffled=True, bias="none", n_shuffle=0)
    assert_allclose(e.value, alone, rtol=1e-9)


@pytest.mark.slow
def test_unbiased_with_honest_error_bars():
    """400 repeats of a Gaussian population: mean, coverage, and SD against the mean se."""
    slope, covariance = population(5)
    truth = slope @ np.linalg.solve(covariance, slope)
    values, se = estimates(slope, covariance, 30, 90, 400, seed=2, n_shuffle=0)
    assert abs(z_of_mean(values, truth)) < 4
    assert (np.abs(values - truth) < 2 * se).mean() >= 0.9
    # the SD of 400 values is known to 1 / sqrt(800) = 3.5 %, more for a skewed law
    assert abs(np.sqrt((se**2).mean()) / values.std() - 1) < 0.15


def test_standard_error_is_that_of_the_noncentral_f():
    """At an estimate I the se is the SD of scipy's noncentral F, scaled; found from one data set."""
    slope, covariance = population(4)
    r1, r2 = responses(np.random.default_rng(1), slope, covariance, 20, 30)
    e = linear_fisher_information(r1, r2, DS, n_shuffle=0)
    c, nu, n = 1 / 20 + 1 / 30, 48, 4
    scale = c / DS**2 * nu * n / (nu - n + 1) * (nu - n - 1) / nu
    assert_allclose(e.se, scale * ncf(n, nu - n + 1, e.value * DS**2 / c).std(), rtol=1e-6)


def test_shuffled_information_ignores_correlations():
    """400 repeats with strong correlations: unbiased for sum f'^2/sigma^2, coverage."""
    slope, covariance = population(5)
    truth = (slope**2 / np.diag(covariance)).sum()
    assert abs(truth - slope @ np.linalg.solve(covariance, slope)) > 0.5
    values, se = estimates(slope, covariance, 50, 50, 400, seed=4, shuffled=True, n_shuffle=0)
    assert abs(z_of_mean(values, truth)) < 4
    assert (np.abs(values - truth) < 2 * se).mean() >= 0.9


def test_shuffles_agree_with_refitting():
    """The null mean by one factorisation against estimates of data that were permuted by hand."""
    slope, covariance = population(3)
    r1, r2 = responses(np.random.default_rng(1), slope, covariance, 15, 20)
    for shuffled in (False, True):
        e = linear_fisher_information(r1, r2, DS, n_shuffle=7, seed=3, shuffled=shuffled)
        both, rng = np.concatenate([r1, r2]), np.random.default_rng(3)
        masks = rng.permuted(np.tile(np.arange(35) < 15, (7, 1)), axis=1)
        null = [
            linear_fisher_information(both[m], both[~m], DS, n_shuffle=0, shuffled=shuffled).value
            for m in masks
        ]
        assert_allclose(e.null_mean, np.mean(null), rtol=1e-9)
        assert e.p == (1 + (np.array(null) >= e.value).sum()) / 8


def test_too_few_trials_for_an_error_bar_are_told():
    rng = np.random.default_rng(1)
    e = linear_fisher_information(rng.normal(size=(5, 6)), rng.normal(size=(5, 6)), DS)
    assert np.isnan(e.se)
    assert "too few for an se" in str(e.warning)
    e = linear_fisher_information(rng.normal(size=(10, 6)), rng.normal(size=(10, 6)), DS)
    assert e.se > 0
    assert "coarse" in str(e.warning)


def test_poisson_fisher_is_the_exact_sum():
    """E[(d/ds ln p)^2] = sum of p (n/f - 1)^2 f'^2, summed."""
    mean, slope = np.array([0.3, 7.0]), np.array([1.2, -3.0])
    n = np.arange(200)
    exact = sum((poisson.pmf(n, m) * ((n / m - 1) * d) ** 2).sum() for m, d in zip(mean, slope, strict=True))
    assert_allclose(poisson_fisher(mean, slope), exact, rtol=1e-12)
    assert_allclose(poisson_fisher(np.tile(mean, (3, 1)), slope), np.full(3, exact), rtol=1e-12)


def test_gaussian_fisher_of_two_is_the_curvature_of_the_divergence():
    """KL(s, s + h) = I h^2 / 2 in two dimensions, with scipy's log densities averaged in closed form."""
    slope, covariance = np.array([0.7, -0.2]), np.array([[2.0, 0.5], [0.5, 1.0]])
    change, h = np.array([[0.3, 0.1], [0.1, -0.4]]), 1e-3

    def divergence(step):
        other = covariance + change * step
        d = slope * step
        inverse = np.linalg.inv(other)
        logs = np.subtract(*(multivariate_normal(cov=c).logpdf([0, 0]) for c in (other, covariance)))
        return 0.5 * (np.trace(inverse @ covariance) - 2 + d @ inverse @ d) - logs

    curvature = (divergence(h) + divergence(-h)) / h**2
    assert_allclose(gaussian_fisher(slope, covariance, change), curvature, rtol=1e-5)
    assert_allclose(gaussian_fisher([0.7], [[2.0]]), 0.245, rtol=1e-12)


def test_few_spikes_are_told():
    """Counts of one Poisson cell, 100 trials per stimulus: two errors cover too little with the warning, enough without."""
    rng = np.random.default_rng(5)
    for mean in (0.4, 8.0):  # with 80 and 1600 spikes, a change by half
        truth = poisson_fisher([mean], [mean / 2])
        counts = rng.poisson(mean * np.array([0.75, 1.25])[:, None, None], (300, 2, 100, 1))
        found = [linear_fisher_information(one, other, 1.0, n_shuffle=0) for one, other in counts]
        warned = np.mean(["judge by p" in str(e.warning) for e in found])
        covered = np.mean([abs(e.value - truth) <= 2 * e.se for e in found])
        assert (warned > 0.8, covered < 0.9) == (mean < 1, mean < 1)
        assert warned < 0.02 or mean < 1
    silent = linear_fisher_information(*rng.poisson(0.05, (2, 100, 3)), 1.0, n_shuffle=0)
    assert "spikes per neuron in all trials, fewer than 20" in str(silent.warning)

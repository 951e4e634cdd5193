"""Interval laws of the NSNN neuron and of its noisier double against published values, sums over patterns, orthants, simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import special, stats

import nsnn_neuro as nsnn


def test_published_values():
    pmf = nsnn.theory.nsnn_interval(0.5, nsnn.Gaussian(0.4), beta=0.5, theta=1.0, kmax=400)
    k = np.arange(1, 401)
    mean = pmf @ k
    cv = np.sqrt(pmf @ k**2 - mean**2) / mean
    assert abs(pmf.sum() - 1) < 1e-12
    assert abs(1 / mean - 0.290823) < 1e-6
    assert abs(mean - 3.438516) < 1e-6
    assert abs(cv - 0.530242) < 1e-6


def test_enumeration_of_all_patterns():
    """P(first spike in step k) summed over the 2^6 spike patterns of six steps."""
    family, expected = nsnn.Logistic(0.3), np.zeros(6)
    for pattern in itertools.product([0, 1], repeat=6):
        u, probability = 0.0, 1.0
        for t, o in enumerate(pattern):
            u = 0.8 * u * (1 - (pattern[t - 1] if t else 0)) + 0.4
            p = float(family.cdf(u - 1.0))
            probability *= p if o else 1 - p
        if any(pattern):
            expected[pattern.index(1)] += probability
    pmf = nsnn.theory.nsnn_interval(0.4, family, beta=0.8, theta=1.0, kmax=6)
    np.testing.assert_allclose(pmf, expected, rtol=1e-12)


def test_perfect_integration_at_beta_one():
    pmf = nsnn.theory.nsnn_interval(0.5, nsnn.Uniform(1e-9), beta=1.0, theta=1.1, kmax=5)
    np.testing.assert_allclose(pmf, [0, 0, 1, 0, 0], atol=1e-12)


def test_double_noise_without_memory_is_geometric():
    p = special.ndtr((0.7 - 1.0) / (np.sqrt(2) * 0.4))
    pmf = nsnn.theory.double_noise_interval(0.7, 0.4, beta=0.0, theta=1.0, kmax=30)
    np.testing.assert_allclose(pmf, p * (1 - p) ** np.arange(30), rtol=1e-12)


@pytest.mark.parametrize(
    ("current", "sigma", "beta", "theta"),
    [(0.1, 0.3, 0.95, 1.0), (1.2, 0.2, 0.7, 1.0), (-0.2, 1.0, 1.0, 0.5)],
)
def test_double_noise_as_orthant_probability(current, sigma, beta, theta):
    """No spike in k steps: all u_j + sigma eta_j <= theta, a normal orthant with the covariance of an AR(1) plus sigma^2.

    SciPy's integral is exact for k up to 2 and good to 1e-6 beyond.
    """
    pmf = nsnn.theory.double_noise_interval(current, sigma, beta=beta, theta=theta, kmax=4)
    survival = 1 - np.cumsum(pmf)
    for k in range(1, 5):
        power = np.tril(beta ** np.maximum(np.subtract.outer(np.arange(k), np.arange(k)), 0))
        mean, covariance = power.sum(axis=1) * current, sigma**2 * (power @ power.T + np.eye(k))
        law = stats.multivariate_normal(mean, covariance, maxpts=300_000, abseps=1e-7, releps=0, seed=1)
        assert abs(survival[k - 1] - law.cdf(np.full(k, theta))) < (1e-12 if k <= 2 else 2e-6)

"""Exact information of noisy threshold units against published values, textbook channels, sums and integrals done otherwise."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import integrate, optimize, stats

import nsnn_neuro as nsnn
from nsnn_neuro import theory


def best(information):
    found = optimize.minimize_scalar(
        lambda r: -information(nsnn.Gaussian(r)), bounds=(0.05, 1.2), method="bounded"
    )
    return found.x, -found.fun


def test_published_maximum_of_one_unit():
    sigma, bits = best(lambda family: theory.threshold_information([0.4, 0.8], family))
    assert round(bits, 6) == 0.094071
    assert abs(sigma - 0.26837) < 2e-5


@pytest.mark.parametrize(("k", "at", "bits"), [(2, 0.088, 1.0577), (63, 0.503, 2.7401)])
def test_published_maxima_of_many_units(k, at, bits):
    r, found = best(lambda family: theory.suprathreshold_information(family, n_units=k))
    assert round(found, 4) == bits
    assert abs(r - at) < 5e-4
    assert round(theory.suprathreshold_information(nsnn.Gaussian(1.0), n_units=1), 6) == 0.278652


def test_textbook_channels():
    e = 0.1
    erasure = [[1 - e, 0, e], [0, 1 - e, e]]
    assert theory.channel_information(erasure) == pytest.approx(1 - e, rel=1e-12)
    assert theory.channel_information(np.array(erasure)[:, :2]) == pytest.approx(1 - e, rel=1e-12)
    z = [[1.0, 0.0], [0.5, 0.5]]
    assert theory.channel_information(z, [0.6, 0.4]) == pytest.approx(np.log2(5 / 4), rel=1e-12)  # capacity
    many = theory.channel_information(np.stack([z, np.eye(2), np.full((2, 2), 0.5)], axis=2))
    np.testing.assert_allclose(many, [theory.channel_information(z), 1, 0], atol=1e-12)


def test_counts_of_units_are_their_patterns_summed():
    """The count tells what the whole pattern of equal units tells: a sum over all 2^4 patterns."""
    u, weights, family = np.array([-0.3, 0.2, 1.7]), np.array([0.5, 0.2, 0.3]), nsnn.Cauchy(0.4)
    p = family.cdf(u - 0.5)
    law = np.array(
        [np.prod([p if o else 1 - p for o in word], axis=0) for word in itertools.product([0, 1], repeat=4)]
    )
    total = law @ weights
    exact = sum(w * law[:, s] @ np.log2(law[:, s] / total) for s, w in enumerate(weights))
    got = theory.threshold_information(u, family, theta=0.5, n_units=4, weights=weights)
    assert got == pytest.approx(exact, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "error"),
    [
        (nsnn.Gaussian(0.3), 1e-8),
        (nsnn.Uniform(0.4), 1e-4),
        (nsnn.FastSigmoid(3.0), 1e-6),
    ],
)
def test_a_gaussian_signal_by_adaptive_quadrature(family, error):
    """Mean .4, SD 1.5, theta .7, three units: each entropy integrated by itself."""
    k, signal = 3, stats.norm(0.4, 1.5)

    def over(function):
        edges = [signal.mean() - 14, -2.0, 0.1, 0.3, 0.7, 1.1, 1.3, 3.0, signal.mean() + 14]
        return sum(integrate.quad(function, a, b, epsabs=1e-12)[0] for a, b in itertools.pairwise(edges))

    def given(x):
        return stats.binom.pmf(np.arange(k + 1), k, family.cdf(x - 0.7))

    law = np.array([over(lambda x, n=n: signal.pdf(x) * given(x)[n]) for n in range(k + 1)])
    noise = over(lambda x: signal.pdf(x) * stats.entropy(given(x), base=2))
    got = theory.suprathreshold_information(family, n_units=k, mean=0.4, sd=1.5, theta=0.7)
    assert abs(got - (stats.entropy(law, base=2) - noise)) < error

"""The interval law of the NSNN neuron against published values and a direct sum over spike patterns."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import nsnn_neuro as nsnn
from nsnn_neuro.errors import NsnnError


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


@pytest.mark.parametrize(("change", "words"), [({"kmax": 0}, "kmax"), ({"beta": 1.1}, "beta")])
def test_bad_arguments_are_named(change, words):
    arguments = {"beta": 0.5, "theta": 1.0, "kmax": 3, **change}
    with pytest.raises(NsnnError, match=words):
        nsnn.theory.nsnn_interval(0.5, nsnn.Gaussian(0.4), **arguments)

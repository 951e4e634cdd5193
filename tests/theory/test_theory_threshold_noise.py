"""The noisy threshold against the survivor function of its intervals, draws of thresholds and the deterministic neuron."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from brian2 import ms, mV
from scipy.integrate import quad
from scipy.stats import norm

from nsnn_neuro import theory

CELL = {"tau_m": 1.0, "v_thresh": 1.0, "v_reset": 0.0, "tau_refrac": 0.1}


def both(mu, sigma, **change):
    cell = {**CELL, **change}
    return theory.noisy_threshold_rate(mu, sigma, **cell), theory.noisy_threshold_cv(mu, sigma, **cell)


@pytest.mark.parametrize(("mu", "sigma"), [(6.0, 0.7), (1.0705, 0.01), (50.0, 0.001)])
def test_from_the_survivor_function(mu, sigma):
    """P(T > t) = P(threshold > u(t)): E T and E T^2 are integrals over t, of which each uses the membrane, not its inverse.

    sigma .7 has 8 % of its thresholds below v_reset; thresholds above mu (1e-12) are left out.
    """
    survivor = lambda t: norm.sf((-mu * np.expm1(-t) - 1) / sigma) - norm.sf((mu - 1) / sigma)  # noqa: E731
    height = 1 + sigma * np.arange(-9.0, 10.0)
    cuts = [0.0, *-np.log1p(-height[(height > 0) & (height < mu)] / mu), 30.0]
    first, second = (
        sum(
            quad(lambda t, n=n: n * t ** (n - 1) * survivor(t), a, b, epsabs=1e-14, epsrel=1e-12)[0]
            for a, b in itertools.pairwise(cuts)
        )
        for n in (1, 2)
    )
    rate, cv = both(mu, sigma)
    assert abs(rate * (first + 0.1) - 1) < 1e-9
    assert abs(cv / (np.sqrt(second - first**2) / (first + 0.1)) - 1) < (2e-9 if sigma > 0.005 else 1e-6)


def test_small_noise():
    """Mean and SD to second order in sigma; none at all is the deterministic neuron."""
    mu, sigma = 1.5, 0.005
    rate, cv = both(mu, sigma, tau_refrac=0.0)
    still = np.log(mu / (mu - 1))
    assert abs((1 / rate - still) / (sigma**2 / (2 * (mu - 1) ** 2)) - 1) < 1e-3
    assert abs(cv * still / (sigma / (mu - 1)) - 1) < 1e-3
    rate, cv = both(mu, 0.0)
    assert abs(rate * (still + 0.1) - 1) < 1e-12
    assert cv == 0


def test_units_and_broadcasting():
    cell = {"tau_m": 20 * ms, "v_thresh": 20 * mV, "v_reset": 10 * mV, "tau_refrac": 2 * ms}
    table = theory.noisy_threshold_rate([30, 40] * mV, [[1], [0.5]] * mV, **cell)
    np.testing.assert_allclose(
        table, both(np.array([2.0, 3.0]), np.array([[0.1], [0.05]]))[0] / 0.02, rtol=1e-9
    )
    assert theory.noisy_threshold_cv([30, 40] * mV, [[1], [0.5]] * mV, **cell).shape == (2, 2)

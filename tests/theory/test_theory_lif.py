"""Siegert's rate and CV against published values, direct quadrature and limits."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import ms, mV
from scipy.integrate import quad
from scipy.special import erf, erfcx

from nsnn_neuro import theory

UNIT = {"tau_m": 1.0, "v_thresh": 1.0, "v_reset": 0.0, "tau_refrac": 0.0}


def test_published_rates_and_cvs():
    volts = {"tau_m": 20 * ms, "v_thresh": 20 * mV, "v_reset": 10 * mV, "tau_refrac": 2 * ms}
    given = ([15, 20, 25] * mV, 5 / np.sqrt(2) * mV)
    rates, cvs = [9.460800, 27.340567, 47.217443], [0.814757, 0.582636, 0.436354]
    assert theory.siegert_rate(*given, **volts) == pytest.approx(rates, abs=1e-6)
    assert theory.siegert_cv(*given, **volts) == pytest.approx(cvs, abs=1e-6)
    given = (np.array([0.8, 1, 0.5]), np.array([0.4, 1, 0.5]) / np.sqrt(2))
    rates, cvs = [0.3370352, 0.8716594, 0.1928653], [0.6588268, 0.8589107, 0.8304711]
    assert theory.siegert_rate(*given, **UNIT) == pytest.approx(rates, abs=1e-7)
    assert theory.siegert_cv(*given, **UNIT) == pytest.approx(cvs, abs=1e-7)


@pytest.mark.parametrize(("mu", "sigma_b"), [(1.5, 0.1), (0.2, 3.0), (0.5, 0.06)])
def test_direct_quadrature_of_the_formulas(mu, sigma_b):
    """The integrals as they stand in the docstring, adaptive quadrature, no rescaling of the outer integrand."""
    low, high = -mu / sigma_b, (1 - mu) / sigma_b
    mean = np.sqrt(np.pi) * quad(lambda x: erfcx(-x), low, high, epsabs=0, limit=200)[0]

    def inner(x):
        density = lambda y: np.exp(-y * y) * erfcx(-y) ** 2 if y < 0 else np.exp(y * y) * (1 + erf(y)) ** 2  # noqa: E731
        return quad(density, x - 8, x, epsabs=0, limit=200)[0]

    variance = (
        2 * np.pi * quad(lambda x: np.exp(x * x) * inner(x), low, high, epsabs=0, epsrel=1e-9, limit=200)[0]
    )
    assert abs(theory.siegert_rate(mu, sigma_b / np.sqrt(2), **UNIT) * mean - 1) < 1e-9
    assert abs(theory.siegert_cv(mu, sigma_b / np.sqrt(2), **UNIT) / (np.sqrt(variance) / mean) - 1) < 1e-7


def test_limits_of_weak_noise():
    """sigma 0 is the deterministic neuron; small sigma tends to it; below threshold the escapes are rare and Poissonian."""
    exact = 1 / np.log(1.5 / 0.5)
    assert abs(theory.siegert_rate(1.5, 0.0, **UNIT) - exact) < 1e-14
    assert abs(theory.siegert_rate(1.5, 1e-4, **UNIT) / exact - 1) < 1e-7
    assert theory.siegert_cv(1.5, 0.0, **UNIT) == 0
    assert theory.siegert_rate(0.5, 0.0, **UNIT) == 0
    assert np.isnan(theory.siegert_cv(0.5, 0.0, **UNIT))
    assert theory.siegert_rate(0.5, 0.005, **UNIT) == 0
    assert theory.siegert_cv(0.5, 0.02, **UNIT) == pytest.approx(1.0, abs=1e-9)
    # Kramers: for a high barrier the mean time is sqrt(pi) exp(b^2) / b (1 + 1 / (2 b^2) + 3 / (4 b^4) + ...), b = .5 / sigma_B
    b2 = (0.5 / (0.03 * np.sqrt(2))) ** 2
    kramers = np.sqrt(b2 / np.pi) * np.exp(-b2) / (1 + 1 / (2 * b2) + 3 / (4 * b2**2) + 15 / (8 * b2**3))
    assert theory.siegert_rate(0.5, 0.03, **UNIT) / kramers == pytest.approx(1, abs=1e-7)


def test_cv_of_weak_noise_is_that_of_linear_propagation():
    """CV = sigma sqrt(1/(mu - theta)^2 - 1/(mu - Vr)^2) / log((mu - Vr)/(mu - theta)): var(T) is the membrane's variance over
    the squared drift, both at theta. The next term is of relative size sigma^2; 9.191e-6 is computed by hand."""
    cell = {"tau_m": 20.0, "v_thresh": 20.0, "v_reset": 10.0, "tau_refrac": 0.0}
    assert theory.siegert_cv(40.0, 1e-4, **cell) == pytest.approx(9.191e-6, rel=1e-4)
    sigma = np.geomspace(1e-12, 1e-3, 37)[:, None]
    mu = np.array([20.5, 24.0, 40.0, 300.0])
    mean = np.log((mu - 10) / (mu - 20))
    linear = sigma * np.sqrt(1 / (mu - 20) ** 2 - 1 / (mu - 10) ** 2) / mean
    off = np.abs(theory.siegert_cv(mu, sigma, **cell) / linear - 1)
    assert (off < 1e-8 + 3 * (sigma / (mu - 20)) ** 2).all()
    with_refractoriness = theory.siegert_cv(40.0, 1e-4, **cell | {"tau_refrac": 5.0})
    assert with_refractoriness == pytest.approx(9.1914e-6 / (1 + 0.25 / mean[2]), rel=1e-4)


def test_broadcasting_equals_single_calls():
    mu, sigma = np.linspace(0, 2, 7)[:, None], np.linspace(0.1, 1, 5)
    for function in (theory.siegert_rate, theory.siegert_cv):
        table = function(mu, sigma, **UNIT)
        assert table.shape == (7, 5)
        assert table[3, 2] == pytest.approx(function(1.0, sigma[2], **UNIT), rel=1e-14)


def test_discrete_threshold_has_chernoffs_constant():
    """-zeta(1/2)/sqrt(2 pi) = .5825971579 (scipy's zeta takes no argument below 1; value from the literature)."""
    shifted = theory.discrete_threshold(0.0, 1.0, tau_m=2.0, dt=1.0)
    assert abs(shifted - 0.5825971579390107) < 1e-15
    assert theory.discrete_threshold(20 * mV, 0 * mV, tau_m=20 * ms, dt=0.1 * ms) == pytest.approx(0.02)

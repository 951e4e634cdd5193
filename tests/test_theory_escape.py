"""Escape rates: Plesser and Gerstner's hazard against Siegert's rate, and hazards with a known rate."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import ms, mV
from scipy.integrate import quad

from nsnn_neuro import theory
from nsnn_neuro.errors import NsnnError

CELL = {"tau_m": 1.0, "v_reset": 0.0, "tau_refrac": 0.0}


@pytest.mark.parametrize(
    ("mu", "sigma_b", "percent", "tolerance"),
    [
        *((0.8, 0.3, 3.3, 0.3), (0.8, 0.4, 2.4, 0.3), (0.8, 0.2, 4.0, 0.3), (0.9, 0.3, -0.8, 0.3)),
        *((1.0, 0.3, -5.8, 0.3), (0.7, 0.3, 4.9, 0.3), (0.6, 0.3, 0.5, 0.3)),
        *((0.8, 0.1, -25, 0.6), (1.0, 1.0, -17, 0.6), (1.2, 0.3, -19, 0.6)),
    ],
)
def test_hazard_of_plesser_and_gerstner(mu, sigma_b, percent, tolerance):
    """Deviation from Siegert in percent, an independent calculation; where one decimal is known, to .3 points."""
    sigma = sigma_b / np.sqrt(2)
    hazard = theory.plesser_gerstner_hazard(sigma, tau_m=1.0, v_thresh=1.0)
    ratio = theory.escape_rate(hazard, mu, **CELL) / theory.siegert_rate(mu, sigma, v_thresh=1.0, **CELL)
    assert abs(100 * (ratio - 1) - percent) < tolerance


def test_the_hazard_itself():
    """(.72 + 2 / (sigma_B sqrt pi)) exp(-(.5 / .4)^2) / tau, in units; a falling membrane has the first term only."""
    hazard = theory.plesser_gerstner_hazard(4 / np.sqrt(2) * mV, tau_m=20 * ms, v_thresh=20 * mV)
    at = np.exp(-(1.25**2))
    assert hazard(0.015, 0.4) == pytest.approx((0.72 / 0.02 + 0.4 / 0.004 / np.sqrt(np.pi)) * at, rel=1e-12)
    assert hazard(0.015, -0.4) == pytest.approx(0.72 / 0.02 * at, rel=1e-12)


def test_constant_hazard_is_a_poisson_process_with_dead_time():
    rate = theory.escape_rate(
        lambda u, du: 50.0 + 0 * u, 15 * mV, tau_m=20 * ms, v_reset=0 * mV, tau_refrac=2 * ms
    )
    assert rate == pytest.approx(1 / 0.022, rel=1e-7)
    assert theory.escape_rate(lambda u, du: 0.0 * u, 0.5, **CELL) == 0
    assert theory.escape_rate(lambda u, du: 1e-3 + 0 * u, 0.5, **CELL) == pytest.approx(1e-3, rel=1e-9)


@pytest.mark.parametrize(("mu", "width", "rate0"), [(0.8, 0.1, 1.0), (1.5, 0.02, 10.0), (-0.5, 0.2, 30.0)])
def test_exponential_hazard_by_nested_quadrature(mu, width, rate0):
    """rho0 exp((u - 1) / width): the integral of S with the exponential integral in it, both adaptive."""
    hazard = lambda u, du: rate0 * np.exp((u - 1) / width)  # noqa: E731
    u = lambda t: mu * -np.expm1(-t)  # noqa: E731
    passed = lambda t: quad(lambda s: hazard(u(s), 0), 0, t, epsabs=0, epsrel=1e-10, limit=200)[0]  # noqa: E731
    waited = quad(lambda t: np.exp(-passed(t)), 0, 40, epsabs=1e-12, epsrel=1e-9, limit=400)[0]
    waited += np.exp(-passed(40)) / hazard(mu, 0)
    assert theory.escape_rate(hazard, mu, **CELL) * waited == pytest.approx(1, abs=2e-6)


def test_broadcasting_and_bad_arguments():
    sigma, mu = np.array([0.2, 0.3]), np.array([0.5, 0.8, 1.0])[:, None]
    hazard = theory.plesser_gerstner_hazard(sigma, tau_m=1.0, v_thresh=1.0)
    table = theory.escape_rate(hazard, mu, **CELL)
    assert table.shape == (3, 2)
    single = theory.plesser_gerstner_hazard(0.3, tau_m=1.0, v_thresh=1.0)
    assert table[1, 1] == pytest.approx(theory.escape_rate(single, 0.8, **CELL), rel=1e-12)
    with pytest.raises(NsnnError, match="sigma = 0"):
        theory.plesser_gerstner_hazard(0, tau_m=1.0, v_thresh=1.0)
    with pytest.raises(NsnnError, match="tau_refrac = -1"):
        theory.escape_rate(single, 0.8, tau_m=1.0, v_reset=0.0, tau_refrac=-1)

"""Escape noise: Plesser and Gerstner's hazard against Siegert's rate, hazards of known moments, intervals in steps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from brian2 import ms, mV
from scipy.integrate import quad

from nsnn_neuro import Gaussian, Logistic, theory

CELL = {"tau_m": 1.0, "v_reset": 0.0, "tau_refrac": 0.0}


@pytest.mark.parametrize(
    ("mu", "sigma_b", "percent", "tolerance"),
    [*((0.8, 0.3, 3.3, 0.3), (1.0, 0.3, -5.8, 0.3), (1.0, 1.0, -17, 0.6), (0.8, 0.1, -25, 0.6))],
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


@pytest.mark.parametrize("height", [1e-3, 30.0, 1e8])
def test_hazards_of_any_height(height):
    """A constant one is a Poisson process with dead time: no step of the quadrature may be longer than it lives."""
    cell = {**CELL, "tau_refrac": 0.5 / height}
    hazard = lambda u, du: height + 0 * u  # noqa: E731
    assert abs(theory.escape_rate(hazard, 0.5, **cell) * 1.5 / height - 1) < 1e-6
    assert abs(theory.escape_cv(hazard, 0.5, **cell) * 1.5 - 1) < 1e-6
    assert theory.escape_rate(lambda u, du: 0 * u, 0.5, **CELL) == 0
    assert np.isnan(theory.escape_cv(lambda u, du: 0 * u, 0.5, **CELL))


def test_a_wall_of_a_hazard():
    """0 below, 1e6 above: the deterministic crossing, a microsecond's wait after it, and an SD of as much."""
    for threshold in (0.1, 0.99):
        hazard = lambda u, du, at=threshold: 1e6 * (u > at)  # noqa: E731
        mean = 1 / theory.escape_rate(hazard, 1.0, **CELL)
        assert abs(mean + np.log(1 - threshold) - 1e-6) < 1e-7
        assert theory.escape_cv(hazard, 1.0, **CELL) * mean < 2e-6


def test_an_arrays_entries_have_the_values_that_they_have_alone():
    """Steep hazards and flat ones, and those of several noises and drives."""
    scale = np.array([1e-2, 1.0, 1e6])
    table = theory.escape_cv(lambda u, du: scale * np.exp((u - 1) / 0.1), 1.2, **CELL)
    single = [theory.escape_cv(lambda u, du, s=s: s * np.exp((u - 1) / 0.1), 1.2, **CELL) for s in scale]
    np.testing.assert_allclose(table, single, rtol=1e-6)
    sigma, mu = np.array([0.2, 0.3]), np.array([0.5, 0.8, 1.0])[:, None]
    many, one = (theory.plesser_gerstner_hazard(s, tau_m=1.0, v_thresh=1.0) for s in (sigma, 0.3))
    table = theory.escape_rate(many, mu, **CELL)
    assert table.shape == (3, 2)
    assert table[1, 1] == pytest.approx(theory.escape_rate(one, 0.8, **CELL), rel=1e-12)


@pytest.mark.parametrize(("mu", "width", "rate0"), [(1.5, 0.02, 10.0), (-0.5, 0.2, 30.0)])
def test_rate_and_cv_by_nested_quadrature(mu, width, rate0):
    """rho0 exp((u - 1) / width): the integrals of S with the exponential integral in it, both adaptive."""
    hazard = lambda u, du: rate0 * np.exp((u - 1) / width)  # noqa: E731
    u = lambda t: mu * -np.expm1(-t)  # noqa: E731
    passed = lambda t: quad(lambda s: hazard(u(s), 0), 0, t, epsabs=0, epsrel=1e-10, limit=200)[0]  # noqa: E731
    moments = []
    for n in (1, 2):
        waited = quad(lambda t, n=n: n * t ** (n - 1) * np.exp(-passed(t)), 0, 40, epsabs=1e-12, limit=400)[0]
        left, later = np.exp(-passed(40)), 1 / hazard(mu, 0)
        moments.append(waited + left * (later if n == 1 else 2 * (40 * later + later**2)))
    refrac = 0.3
    assert theory.escape_rate(hazard, mu, **CELL) * moments[0] == pytest.approx(1, abs=2e-6)
    cv = np.sqrt(moments[1] - moments[0] ** 2) / (moments[0] + refrac)
    found = theory.escape_cv(hazard, mu, **{**CELL, "tau_refrac": refrac})
    assert found / cv == pytest.approx(1, abs=5e-6)


def test_intervals_in_steps_by_enumeration():
    """P(first spike in step k after a spike) summed over the 2^8 patterns of eight steps, the membrane stepped one by one."""
    family, expected = Logistic(0.3), np.zeros(8)
    for pattern in itertools.product([0, 1], repeat=8):
        u, held, probability = 0.0, 2, 1.0
        for o in pattern:
            if held:
                held, u, p = held - 1, 0.0, 0.0
            else:
                u = 1.3 + (u - 1.3) * np.exp(-0.2)
                p = float(family.cdf(u - 1.0))
            probability *= p if o else 1 - p
            if o:
                u, held = 0.0, 2
        if any(pattern):
            expected[pattern.index(1)] += probability
    cell = {**CELL, "tau_refrac": 0.4, "v_thresh": 1.0, "dt": 0.2}
    pmf = theory.step_escape_interval(family, 1.3, kmax=8, **cell)
    np.testing.assert_allclose(pmf, expected, rtol=1e-12)
    assert np.all(pmf[:2] == 0)
    assert np.all(pmf[2:] > 0)
    assert theory.step_escape_interval(family, 1.3, kmax=2, **cell).tolist() == [0, 0]


def test_intervals_in_steps_have_units():
    cell = {"tau_m": 20 * ms, "v_thresh": 20 * mV, "v_reset": 10 * mV, "tau_refrac": 2 * ms, "dt": 0.1 * ms}
    pmf = theory.step_escape_interval(Gaussian(4 * mV), 15 * mV, kmax=9000, **cell)
    plain = {"tau_m": 1.0, "v_thresh": 1.0, "v_reset": 0.0, "tau_refrac": 0.1, "dt": 0.005}
    np.testing.assert_allclose(
        pmf, theory.step_escape_interval(Gaussian(0.4), 0.5, kmax=9000, **plain), rtol=1e-9
    )
    assert abs(pmf.sum() - 1) < 1e-12


def test_short_steps_tend_to_the_hazard():
    """F = rho dt as dt falls: the rate and CV of the hazard, off by a first order that extrapolation removes."""
    rates, cvs = [], []
    for dt in (0.02, 0.01):
        # far below threshold the logistic law is exponential: a hazard of exp((u - theta) / s) / dt
        pmf = theory.step_escape_interval(
            Logistic(0.2), 0.8, **CELL, v_thresh=1 - 0.2 * np.log(2 * dt), dt=dt, kmax=4000
        )
        k = np.arange(1, 4001) * dt
        mean = pmf @ k
        rates.append(1 / mean)
        cvs.append(np.sqrt(pmf @ (k - mean) ** 2) / mean)
    hazard = lambda u, du: 2.0 * np.exp((u - 1) / 0.2)  # noqa: E731
    for values, function in ((rates, theory.escape_rate), (cvs, theory.escape_cv)):
        known = function(hazard, 0.8, **CELL)
        assert 5e-4 < abs(values[1] / known - 1) < 0.02
        assert abs((2 * values[1] - values[0]) / known - 1) < 5e-4


def test_renewal_of_a_rising_hazard_is_the_rayleigh_law():
    """rho = a t: mean sqrt(pi / 2a), variance (2 - pi/2) / a, after tau_refrac."""
    a, refrac = 3e4, 2e-3
    mean, variance = np.sqrt(np.pi / 2 / a), (2 - np.pi / 2) / a
    rate = theory.renewal_rate(lambda t: a * t, tau_refrac=refrac * 1e3 * ms)
    cv = theory.renewal_cv(lambda t: a * t, tau_refrac=refrac * 1e3 * ms)
    assert rate == pytest.approx(1 / (refrac + mean), rel=1e-9)
    assert cv == pytest.approx(np.sqrt(variance) / (refrac + mean), rel=1e-8)


def test_renewal_on_a_leaky_path_is_escape_rate():
    """The same hazard as a function of time and of the membrane, two quadratures."""
    hazard = theory.plesser_gerstner_hazard(0.3, tau_m=1.0, v_thresh=1.0)
    cell = {"tau_m": 1.0, "v_reset": 0.0, "tau_refrac": 0.2}

    def rho(t):
        return hazard(0.9 * -np.expm1(-t), 0.9 * np.exp(-t))

    for renewal, escape in ((theory.renewal_rate, theory.escape_rate), (theory.renewal_cv, theory.escape_cv)):
        assert renewal(rho, tau_refrac=0.2) == pytest.approx(escape(hazard, 0.9, **cell), rel=3e-6)

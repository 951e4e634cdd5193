"""Interval density, spectrum and linear response against exact laws, numerical derivatives and asymptotic laws."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import Hz, ms, mV
from scipy import stats
from scipy.integrate import simpson

from nsnn_neuro import theory

UNIT = {"tau_m": 1.0, "v_reset": 0.0, "tau_refrac": 0.0}
LIF = {**UNIT, "v_spike": 1.0}
SIGMA = 0.4 / np.sqrt(2)
EIF = theory.eif_drift(0.9, delta_T=0.1, v_thresh=1.0)
EIF_CELL = {"tau_m": 1.0, "v_reset": 0.2, "v_spike": 1.8, "tau_refrac": 0.05}


@pytest.mark.parametrize(("mu", "sigma", "terms"), [(0.0, 1.0, 50), (2.0, 0.05, 110)])
def test_interval_density_of_the_perfect_integrator(mu, sigma, terms):
    """Inverse-Gaussian; the drift has no discretisation error, so this is the error of the inversion, below 1e-7 of the peak."""
    t = np.linspace(0, 6, 121)
    cell = {"tau_m": 2.0, "v_reset": 0.0, "tau_refrac": 0.25}
    wall = {"v_low": -80.0} if mu == 0 else {}
    got = theory.fp_interval_density(
        t, theory.pif_drift(mu), sigma, v_spike=1.0, terms=terms, cells=20, **wall, **cell
    )
    exact = theory.pif_interval_density(t, mu, sigma, v_thresh=1.0, **cell)
    assert np.max(np.abs(got - exact)) < 1e-7 * exact.max()
    assert np.all(got[t <= 0.25] == 0)


@pytest.mark.slow
def test_interval_density_of_the_lif_at_threshold():
    """mu = v_thresh: still below threshold at t with probability erf(y / sqrt 2), y = e^-t / (sigma sqrt(1 - e^-2t))."""
    t = np.array([0.05, 0.1, 0.3, 1.0, 2.0, 4.0, 8.0])
    for sigma in (0.2, 0.5):
        y = np.exp(-t) / (sigma * np.sqrt(-np.expm1(-2 * t)))
        exact = np.sqrt(2 / np.pi) * np.exp(-(y**2) / 2) * y / -np.expm1(-2 * t)
        got = theory.fp_interval_density(t, theory.lif_drift(1.0), sigma, cells=1000, **LIF)
        assert got == pytest.approx(exact, rel=2e-5, abs=1e-7)


@pytest.mark.slow
def test_moments_and_fourier_integral_of_the_interval_density():
    """Integral 1, mean and CV of the cumulants, and by the renewal formula the spectrum: Simpson's rule on 400 points."""
    drift, cell = EIF, {**EIF_CELL, "cells": 100}
    t = np.linspace(0, 40, 401) + cell["tau_refrac"]
    density = theory.fp_interval_density(t, drift, 0.3, **cell)
    total, mean, square = (simpson(t**n * density, x=t) for n in range(3))
    rate = theory.fp_rate(drift, 0.3, **cell)
    assert total == pytest.approx(1, abs=1e-5)
    assert mean == pytest.approx(1 / rate, rel=1e-5)
    assert np.sqrt(square - mean**2) / mean == pytest.approx(theory.fp_cv(drift, 0.3, **cell), rel=1e-4)
    f = np.array([0.02, 0.1, 0.5, 1.0])
    transform = simpson(density * np.exp(-2j * np.pi * f[:, None] * t), x=t)
    renewal = rate * (1 - abs(transform) ** 2) / abs(1 - transform) ** 2
    assert np.max(np.abs(theory.fp_spectrum(f, drift, 0.3, **cell) / renewal - 1)) < 1e-3


def test_spectrum_of_the_perfect_integrator():
    """S = r (1 - |F|^2) / |1 - F|^2, F = exp(d (mu - sqrt(mu^2 + 4 sigma^2 s)) / (2 sigma^2) - s tau_refrac), s = 2 pi i f."""
    f = np.array([1e-3, 0.05, 0.3, 1.0, 7.0, 200.0])
    mu, sigma, refrac = 0.8, 0.3, 0.2
    s = 2j * np.pi * f
    transform = np.exp((mu - np.sqrt(mu**2 + 4 * sigma**2 * s)) / (2 * sigma**2) - s * refrac)
    rate = 1 / (refrac + 1 / mu)
    exact = rate * (1 - abs(transform) ** 2) / abs(1 - transform) ** 2
    got = theory.fp_spectrum(f, theory.pif_drift(mu), sigma, cells=20, **{**LIF, "tau_refrac": refrac})
    assert np.max(np.abs(got / exact - 1)) < 1e-8


def test_limits_of_the_spectrum():
    """S(0) = r CV^2 (.146291 at .8, .4), S(infinity) = r, S(-f) = S(f); continuous where the limit takes over (f = 2e-4 r)."""
    drift = theory.lif_drift(0.8)
    rate, cv = theory.fp_rate(drift, SIGMA, **LIF), theory.fp_cv(drift, SIGMA, **LIF)
    spectrum = theory.fp_spectrum([0.0, 1e3, 0.3, -0.3, 6.7e-5, 6.8e-5], drift, SIGMA, **LIF)
    assert spectrum[0] == pytest.approx(0.146291, abs=1e-6)
    assert spectrum[0] == pytest.approx(rate * cv**2, rel=1e-12)
    assert spectrum[1] == pytest.approx(rate, rel=1e-12)
    assert spectrum[2] == pytest.approx(spectrum[3], rel=1e-12)
    assert spectrum[4] == pytest.approx(spectrum[5], rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("neuron", ["eif", "qif"])
def test_slow_response_is_the_slope_of_the_rate(neuron):
    """chi(0) = dr/dmu and dr/dsigma by central differences (h = 1e-3) of the same solver on a fine grid: 1e-4."""
    make, mu, cell = {
        "eif": (lambda mu: theory.eif_drift(mu, delta_T=0.1, v_thresh=1.0), 0.9, EIF_CELL),
        "qif": (
            lambda mu: theory.qif_drift(mu, v_rest=-0.5, v_thresh=0.5),
            0.25,
            {**UNIT, "v_reset": -5.0, "v_spike": 5.0},
        ),
    }[neuron]
    cell = {**cell, "cells": 600, "v_low": cell["v_reset"] - 2.0}
    rate = lambda m, s: theory.fp_rate(make(m), s, **cell)  # noqa: E731
    h = 1e-3
    drive = (rate(mu + h, 0.4) - rate(mu - h, 0.4)) / (2 * h)
    noise = (rate(mu, 0.4 + h) - rate(mu, 0.4 - h)) / (2 * h)
    assert theory.fp_susceptibility(0.0, make(mu), 0.4, **cell) == pytest.approx(drive, rel=1e-4)
    assert theory.fp_noise_susceptibility(0.0, make(mu), 0.4, **cell) == pytest.approx(noise, rel=1e-4)


@pytest.mark.slow
def test_fast_response():
    """LIF: r / (sigma sqrt(i w)) to the drive, 2 r / sigma to the noise (next order in 1/sqrt(w)); EIF: r / (delta_T i w)."""
    f = np.array([1e3, 1e5])
    w = 2 * np.pi * f
    drift, rate = theory.lif_drift(0.8), theory.fp_rate(theory.lif_drift(0.8), SIGMA, **LIF)
    drive = theory.fp_susceptibility(f, drift, SIGMA, **LIF) / (rate / SIGMA / np.sqrt(1j * w))
    noise = theory.fp_noise_susceptibility(f, drift, SIGMA, **LIF) / (2 * rate / SIGMA)
    assert np.all(np.abs(drive - 1) < 2 / np.sqrt(w))
    assert np.all(np.abs(noise - 1) < 2 / np.sqrt(w))
    cell = {**UNIT, "v_reset": 0.2, "v_spike": 2.2}
    rate = theory.fp_rate(EIF, 0.2, cells=1000, **cell)
    chi = theory.fp_susceptibility(20.0, EIF, 0.2, cells=1000, **cell)
    assert abs(chi / (rate / 0.1 / (2j * np.pi * 20)) - 1) < 0.1


@pytest.mark.slow
def test_units_and_broadcasting():
    """In millivolts and milliseconds: frequencies in Hz, susceptibility in Hz/V; f and mu on crossed axes."""
    cell = {"tau_m": 20 * ms, "v_spike": 10 * mV, "v_reset": 0 * mV, "tau_refrac": 0 * ms}
    f, mu = np.array([2.0, 20.0, 80.0])[:, None], np.array([8.0, 12.0])
    drift = theory.lif_drift(mu * mV)
    chi = theory.fp_susceptibility(f * Hz, drift, 10 * SIGMA * mV, **cell)
    spectrum = theory.fp_spectrum(f * Hz, drift, 10 * SIGMA * mV, **cell)
    assert chi.shape == spectrum.shape == (3, 2)
    plain = theory.fp_susceptibility(0.4, theory.lif_drift(0.8), SIGMA, **LIF)
    assert chi[1, 0] == pytest.approx(plain / 0.020 / 0.010, rel=1e-9)
    assert spectrum[1, 0] == pytest.approx(
        theory.fp_spectrum(0.4, theory.lif_drift(0.8), SIGMA, **LIF) / 0.020, rel=1e-9
    )
    density = theory.fp_interval_density(np.array([10, 30])[:, None] * ms, drift, 10 * SIGMA * mV, **cell)
    assert density.shape == (2, 2)
    assert density[1, 0] == pytest.approx(
        theory.fp_interval_density(1.5, theory.lif_drift(0.8), SIGMA, **LIF) / 0.020, rel=1e-9
    )


@pytest.mark.parametrize("refrac", [0.0, 0.25])
def test_counts_of_the_perfect_integrator(refrac):
    """The k-th spike comes at an inverse-Gaussian time, to k thresholds, and k - 1 refractory periods."""
    mu, sigma, tau, window = 0.8, 0.4, 2.0, np.array([3.0, 9.0])
    cell = {**LIF, "tau_m": tau, "tau_refrac": refrac, "cells": 20}
    got = theory.fp_counts(window, theory.pif_drift(mu), sigma, kmax=8, **cell)
    k = np.arange(1, 10)[:, None]
    shape = k**2 / (2 * sigma**2 / tau)
    reached = stats.invgauss.cdf(window - (k - 1) * refrac, k / (mu / tau) / shape, scale=shape)
    expected = -np.diff(np.concatenate([np.ones((1, 2)), reached]), axis=0)
    np.testing.assert_allclose(got, expected, atol=1e-7)


@pytest.mark.slow
def test_counts_of_the_lif():
    """No spike: the survivor of the interval; the mean over a long window: r T + (CV^2 - 1) / 2."""
    t, cell = np.linspace(0, 2.5, 501), {**LIF, "cells": 150}
    density = theory.fp_interval_density(t, theory.lif_drift(0.8), SIGMA, **cell)
    pmf = theory.fp_counts(2.5, theory.lif_drift(0.8), SIGMA, kmax=10, **cell)
    assert pmf[0] == pytest.approx(1 - simpson(density, x=t), abs=1e-6)
    pmf = theory.fp_counts(20.0, theory.lif_drift(0.8), SIGMA, kmax=25, **cell)
    rate, cv = (f(theory.lif_drift(0.8), SIGMA, **cell) for f in (theory.fp_rate, theory.fp_cv))
    assert np.arange(26) @ pmf == pytest.approx(rate * 20 + (cv**2 - 1) / 2, rel=1e-6)

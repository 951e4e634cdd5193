"""The LIF's closed-form spectrum and responses against known numbers, mpmath and the threshold integration."""
# Imports an internal: spectra show parabolic-cylinder functions only through each other, to fewer digits.

from __future__ import annotations

import numpy as np
import pytest
from brian2 import Hz, ms, mV

from nsnn_neuro import NsnnError, theory
from nsnn_neuro.theory.lif.parabolic_cylinder import descend, log_derivative

SIGMA = 0.4 / np.sqrt(2)
UNIT = {"tau_m": 1.0, "v_thresh": 1.0, "v_reset": 0.0, "tau_refrac": 0.0}


def test_known_numbers():
    assert theory.lindner_spectrum(0.0, 0.8, SIGMA, **UNIT) == pytest.approx(0.146291, abs=5e-7)
    assert theory.lindner_spectrum(1e4, 0.8, SIGMA, **UNIT) == pytest.approx(0.3370352, abs=5e-8)
    assert theory.lindner_susceptibility(0.0, 0.8, SIGMA, **UNIT) == pytest.approx(0.854158, abs=5e-7)


def test_limit_of_slow_frequencies_is_reached():
    """What is put in at f = 0, r CV^2 and the slopes, is where the closed form goes: quadratically, from f = 1e-3."""
    f = np.array([1e-3, 2e-3])
    for function in (
        theory.lindner_spectrum,
        theory.lindner_susceptibility,
        theory.lindner_noise_susceptibility,
    ):
        near = np.real(function(f, 0.8, SIGMA, **UNIT))
        assert (4 * near[0] - near[1]) / 3 == pytest.approx(
            np.real(function(0.0, 0.8, SIGMA, **UNIT)), rel=1e-7
        )
    h = 1e-3
    slope = (theory.siegert_rate(0.8, SIGMA + h, **UNIT) - theory.siegert_rate(0.8, SIGMA - h, **UNIT)) / (
        2 * h
    )
    assert theory.lindner_noise_susceptibility(0.0, 0.8, SIGMA, **UNIT) == pytest.approx(slope, rel=1e-5)
    gain = theory.siegert_gain(0.8, SIGMA, **UNIT)
    assert theory.lindner_susceptibility(0.0, 0.8, SIGMA, **UNIT) == pytest.approx(gain, rel=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(("mu", "sigma", "refrac"), [(1.5, 0.1, 0.3), (-0.5, 1.0, 0.0)])
def test_threshold_integration(mu, sigma, refrac):
    """All three to 1e-4 at 500 cells, f tau from 0 to 100 (the claim is 1e-3)."""
    f = np.array([0.0, 1e-4, 0.01, 0.1, 0.5, 1.0, 3.0, 10.0, 100.0])
    cell, drift = {**UNIT, "tau_refrac": refrac}, theory.lif_drift(mu)
    other = {"tau_m": 1.0, "v_spike": 1.0, "v_reset": 0.0, "tau_refrac": refrac}
    for closed, integrated in (
        (theory.lindner_spectrum, theory.fp_spectrum),
        (theory.lindner_susceptibility, theory.fp_susceptibility),
        (theory.lindner_noise_susceptibility, theory.fp_noise_susceptibility),
    ):
        assert np.max(np.abs(integrated(f, drift, sigma, **other) / closed(f, mu, sigma, **cell) - 1)) < 1e-4


@pytest.mark.parametrize("f", [1e-3, 0.2, 30.0])
def test_papers_formulas_with_mpmath(f):
    """As printed (convention exp(-i w t)): |S| and the conjugate of chi, 30 digits."""
    mpmath = pytest.importorskip("mpmath")
    mu, sigma, refrac = 0.8, SIGMA, 0.2
    cell = {**UNIT, "tau_refrac": refrac}
    with mpmath.workdps(30):
        w, d = 2 * np.pi * f, mpmath.mpf(sigma) ** 2
        rate, root = theory.siegert_rate(mu, sigma, **cell), mpmath.sqrt(d)
        delta = (0**2 - 1**2 + 2 * mu * (1 - 0)) / (4 * d)
        at = lambda order, v: mpmath.pcfd(order, (mu - v) / root)  # noqa: E731
        late = mpmath.exp(delta + 1j * w * refrac)
        below = at(1j * w, 1) - late * at(1j * w, 0)
        spectrum = (
            rate
            * (abs(at(1j * w, 1)) ** 2 - mpmath.exp(2 * delta) * abs(at(1j * w, 0)) ** 2)
            / abs(below) ** 2
        )
        above = at(1j * w - 1, 1) - mpmath.exp(delta) * at(1j * w - 1, 0)
        chi = rate * 1j * w / root / (1j * w - 1) * above / below
        above = at(1j * w - 2, 1) - mpmath.exp(delta) * at(1j * w - 2, 0)
        intensity = rate * 1j * w * (1j * w - 1) / d / (2 - 1j * w) * above / below
    assert theory.lindner_spectrum(f, mu, sigma, **cell) == pytest.approx(float(spectrum), rel=1e-8)
    assert theory.lindner_susceptibility(f, mu, sigma, **cell) == pytest.approx(
        complex(chi).conjugate(), rel=1e-8
    )
    assert theory.lindner_noise_susceptibility(f, mu, sigma, **cell) == pytest.approx(
        2 * sigma * complex(intensity).conjugate(), rel=1e-8
    )


def test_units_and_broadcasting():
    cell = {"tau_m": 20 * ms, "v_thresh": 20 * mV, "v_reset": 10 * mV, "tau_refrac": 2 * ms}
    f, mu = np.array([0.0, 5.0, 50.0])[:, None] * Hz, [15, 25] * mV
    spectrum = theory.lindner_spectrum(f, mu, 3 * mV, **cell)
    assert spectrum.shape == (3, 2)
    rate, cv = theory.siegert_rate(mu, 3 * mV, **cell), theory.siegert_cv(mu, 3 * mV, **cell)
    assert spectrum[0] == pytest.approx(rate * cv**2, rel=1e-9)
    single = theory.lindner_susceptibility(50 * Hz, 25 * mV, 3 * mV, **cell)
    assert theory.lindner_susceptibility(f, mu, 3 * mV, **cell)[2, 1] == pytest.approx(single, rel=1e-9)
    with pytest.raises(NsnnError, match="so small"):
        theory.lindner_spectrum(1.0, 0.5, 0.005, **UNIT)


@pytest.mark.parametrize("nu", [1e-3j, -300j, 100j - 1, -3j - 2, 2.3])
def test_parabolic_cylinder_functions(nu):
    """mpmath at 30 digits: D(z) / D(z + 1) to 1e-11, the logarithmic derivative from D' = z/2 D - D_(nu+1) to 1e-9."""
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(30):
        for z in (-12.0, -3.0, -0.5, 0.0, 0.7, 4.0, 15.0):
            exact = mpmath.pcfd(nu, z)
            ratio, _ = descend(np.array(nu, complex), np.array(z + 1), np.array(z), log_derivative(nu, z + 1))
            assert abs(complex(mpmath.exp(ratio) * mpmath.pcfd(nu, z + 1) / exact) - 1) < 1e-11
            slope = complex(z / 2 - mpmath.pcfd(nu + 1, z) / exact)
            assert abs(log_derivative(nu, z) - slope) < 1e-9 * (1 + abs(slope))

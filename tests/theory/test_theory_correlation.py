"""Gain and count correlation: derivatives, the perfect integrator (exact), simulated pairs."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import ms, mV

from nsnn_neuro import theory

UNIT = {"tau_m": 1.0, "v_thresh": 1.0, "v_reset": 0.0, "tau_refrac": 0.0}
SIGMA = 0.4 / np.sqrt(2)


def test_gain_is_the_slope_of_the_rate():
    """The table's value, and fourth-order central differences (h = 1e-3), also without noise and below threshold."""
    assert theory.siegert_gain(0.8, SIGMA, **UNIT) == pytest.approx(0.854158, abs=1e-6)
    mu, sigma = np.array([0.3, 0.8, 1.5, 3.0])[:, None], np.array([0.2, 0.5, 2.0])
    rate = lambda h: theory.siegert_rate(mu + h, sigma, **{**UNIT, "tau_refrac": 0.1})  # noqa: E731
    slope = (8 * (rate(1e-3) - rate(-1e-3)) - (rate(2e-3) - rate(-2e-3))) / 12e-3
    gain = theory.siegert_gain(mu, sigma, **{**UNIT, "tau_refrac": 0.1})
    assert np.max(np.abs(gain / slope - 1)) < 1e-7
    quiet = (
        theory.siegert_rate(1.5 + 1e-5, 0.0, **UNIT) - theory.siegert_rate(1.5 - 1e-5, 0.0, **UNIT)
    ) / 2e-5
    assert theory.siegert_gain(1.5, 0.0, **UNIT) == pytest.approx(quiet, rel=1e-8)
    assert theory.siegert_gain(0.5, 0.0, **UNIT) == 0
    assert theory.siegert_gain(0.5, 0.01, **UNIT) == 0


def test_perfect_integrators_pass_the_correlation_on():
    """Over long times a count is the integral of its drive, so its correlation is c, whatever the parameters."""
    cell = {"tau_m": 20 * ms, "v_thresh": 20 * mV, "v_reset": 5 * mV, "tau_refrac": 0 * ms}
    for mu, sigma in ((20 * mV, 5 * mV), (3 * mV, 10 * mV)):
        rho = theory.count_correlation(
            [0.1, 0.7],
            sigma,
            tau_m=20 * ms,
            gain=1 / (0.020 * 0.015),
            rate=theory.pif_rate(mu, sigma, **cell),
            cv=theory.pif_cv(mu, sigma, **cell),
        )
        assert rho == pytest.approx([0.1, 0.7], rel=1e-12)

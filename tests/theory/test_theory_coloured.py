"""The rate in Ornstein-Uhlenbeck noise: published numbers, quadrature of the formula, simulations of (V, I)."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import ms, mV
from scipy.integrate import quad
from scipy.special import erfcx

from nsnn_neuro import theory

CELL = {"tau_m": 20 * ms, "v_thresh": 20 * mV, "v_reset": 10 * mV, "tau_refrac": 2 * ms}
SIGMA = 5 / np.sqrt(2 * 1.05) * mV  # sigma_B = 5 mV at tau_noise = 1 ms
ZETA = -1.4603545088095868  # zeta(1/2), from the literature


@pytest.mark.parametrize(
    ("mu", "threshold_only", "both", "next_order"),
    [(15, 6.2447, 6.3958, 6.245), (25, 40.0620, 42.6578, 41.510)],
)
def test_table(mu, threshold_only, both, next_order):
    """`threshold_only` by the quadrature below, the others from the literature's formulas, computed independently."""
    rate = lambda **how: theory.coloured_rate(mu * mV, SIGMA, tau_noise=1 * ms, **how, **CELL)  # noqa: E731
    raised = 20 + 5 * np.sqrt(2) * abs(ZETA) / 2 * np.sqrt(1 / 20)
    direct = quad(lambda x: erfcx(-x), (10 - mu) / 5, (raised - mu) / 5, epsabs=0, epsrel=1e-12)[0]
    assert rate(shift_reset=0) == pytest.approx(1e3 / (2 + 20 * np.sqrt(np.pi) * direct), rel=1e-9)
    assert rate(shift_reset=0) == pytest.approx(threshold_only, abs=5e-5)
    assert rate(shift_reset=1) == pytest.approx(both, abs=5e-5)
    assert rate(shift_reset=0, next_order=True) == pytest.approx(next_order, abs=5e-4)
    assert rate() == pytest.approx(rate(shift_reset=np.exp(-2)), rel=1e-12)


def test_short_correlations_are_white_noise():
    """tau_noise = 0 is Siegert's rate; from there on the rate falls as sqrt(tau_noise), not as tau_noise."""
    white = theory.siegert_rate(20 * mV, 4 * mV, **CELL)
    rates = theory.coloured_rate(20 * mV, 4 * mV, tau_noise=[0, 1e-4, 1e-6] * ms, **CELL)
    assert rates[0] == pytest.approx(white, rel=1e-14)
    assert (white - rates[1]) / (white - rates[2]) == pytest.approx(10, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mu", "refrac", "next_order", "percent"),
    [(25, 0, True, 1.65), (25, 1, False, -2.91)],
)
def test_accuracy_is_what_the_docstring_says(mu, refrac, next_order, percent):
    """The ends of the table's row of k^2 = .05, against the two-dimensional Fokker-Planck equation."""
    cell = {**CELL, "tau_refrac": refrac * ms}
    rate = theory.coloured_rate(mu * mV, SIGMA, tau_noise=1 * ms, next_order=next_order, **cell)
    cell["v_spike"] = cell.pop("v_thresh")
    exact = theory.coloured_fp_rate(theory.lif_drift(mu * mV), SIGMA, 1 * ms, **cell)
    assert 100 * (rate / exact - 1) == pytest.approx(percent, abs=0.01)

"""The perfect integrator against SciPy's inverse-Gaussian law and its moments by quadrature."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import ms, mV
from scipy import stats
from scipy.integrate import quad

from nsnn_neuro import theory

CELL = {"tau_m": 2.0, "v_thresh": 1.5, "v_reset": 0.5, "tau_refrac": 0.3}


@pytest.mark.parametrize(("mu", "sigma"), [(3.0, 0.1), (0.2, 1.0)])
def test_scipys_inverse_gaussian(mu, sigma):
    """invgauss(m, scale=l) has mean m l and shape l; here mean d tau / mu and shape d^2 tau / (2 sigma^2)."""
    mean, shape = 2.0 / mu, 2.0 / (2 * sigma**2)
    law = stats.invgauss(mean / shape, scale=shape, loc=0.3)
    t = np.linspace(0, 5 * mean, 101)
    density = theory.pif_interval_density(t, mu, sigma, **CELL)
    assert np.max(np.abs(density - law.pdf(t))) < 1e-12 * law.pdf(t).max()
    assert theory.pif_rate(mu, sigma, **CELL) == pytest.approx(1 / law.mean(), rel=1e-12)
    assert theory.pif_cv(mu, sigma, **CELL) == pytest.approx(law.std() / law.mean(), rel=1e-12)


def test_drive_away_from_threshold():
    """A spike comes with probability exp(mu d / sigma^2) = exp(-1.6 / .64)."""
    p = quad(
        lambda t: theory.pif_interval_density(t, -0.4, 0.4, **CELL), 0.3, 300, limit=300, points=[1, 3, 10]
    )[0]
    assert p == pytest.approx(np.exp(-0.4 / 0.16), abs=1e-8)
    assert theory.pif_rate(-0.4, 0.4, **CELL) == 0
    assert np.isnan(theory.pif_cv(-0.4, 0.4, **CELL))


def test_units_and_broadcasting():
    cell = {"tau_m": 20 * ms, "v_thresh": 20 * mV, "v_reset": 10 * mV, "tau_refrac": 2 * ms}
    assert theory.pif_rate(20 * mV, 5 * mV, **cell) == pytest.approx(1 / 0.012, rel=1e-12)
    t = np.linspace(1, 40, 5)[:, None] * ms
    density = theory.pif_interval_density(t, [15, 20] * mV, 5 * mV, **cell)
    assert density.shape == (5, 2)
    assert density[3, 1] == theory.pif_interval_density(t[3, 0], 20 * mV, 5 * mV, **cell)

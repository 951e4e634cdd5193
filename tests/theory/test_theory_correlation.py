"""Gain and count correlation: derivatives, the perfect integrator (exact), simulated pairs."""

from __future__ import annotations

import numba
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


@numba.njit
def counts(c, neurons, windows, steps, dt, rng):
    """Spike counts (windows, neurons) of LIF neurons, mu .8, sigma_B .4, fraction c of the noise in common; bridged threshold."""
    decay = np.exp(-dt)
    s = 0.4 / np.sqrt(2) * np.sqrt(1 - decay * decay)
    common, private = s * np.sqrt(c), s * np.sqrt(1 - c)
    v, out = np.zeros(neurons), np.zeros((windows, neurons))
    for w in range(-1, windows):
        for _ in range(steps):
            drive = 0.8 * (1 - decay) + common * rng.standard_normal()
            for i in range(neurons):
                x = v[i]
                y = x * decay + drive + private * rng.standard_normal()
                gap = 2 * (1 - x) * (1 - y) / (s * s)
                if y >= 1 or (gap < 30 and rng.random() < np.exp(-gap)):
                    y = 0.0
                    if w >= 0:
                        out[w, i] += 1
                v[i] = y
    return out


@pytest.mark.slow
def test_simulated_neurons_that_share_noise():
    """c = .1: theory .0798. Windows of 50 tau; the mean over pairs and its standard error over 20 blocks of windows."""
    moments = {
        "gain": theory.siegert_gain(0.8, SIGMA, **UNIT),
        "rate": theory.siegert_rate(0.8, SIGMA, **UNIT),
    }
    predicted = theory.count_correlation(
        0.1, SIGMA, tau_m=1.0, cv=theory.siegert_cv(0.8, SIGMA, **UNIT), **moments
    )
    n = counts(0.1, 10, 4_000, 5_000, 0.01, np.random.default_rng(3))
    off = ~np.eye(10, dtype=bool)
    blocks = [np.corrcoef(part.T)[off].mean() for part in np.split(n, 20)]
    error = np.std(blocks, ddof=1) / np.sqrt(20)
    assert error < 0.005
    assert abs(np.mean(blocks) - predicted) < 4 * error

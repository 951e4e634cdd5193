"""Multiplicative noise: rate and CV against Milstein's scheme, the additive limit, a rescaling; the geometric mean."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import ms, mV

from nsnn_neuro import theory

CELL = {"tau_m": 1.0, "v_thresh": 1.0, "v_reset": 0.0, "tau_refrac": 0.0}


def both(mu, sigma, v_zero, calculus, **change):
    cell = {**CELL, "calculus": calculus, **change}
    return theory.multiplicative_rate(mu, sigma, v_zero, **cell), theory.multiplicative_cv(
        mu, sigma, v_zero, **cell
    )


def milstein(mu, sigma, v_zero, calculus, n, dt, seed):
    """First-passage times from 0 to 1, tau 1: Milstein's step, a Brownian bridge for crossings between steps, dated at midstep."""
    random = np.random.default_rng(seed)
    v, alive, times, k = np.zeros(n), np.arange(n), np.zeros(n), 0
    while len(alive):
        w = np.sqrt(dt) * random.standard_normal(len(v))
        noise = sigma * np.sqrt(2) * (v - v_zero)
        square = w**2 - dt if calculus == "ito" else w**2
        new = v + (mu - v) * dt + noise * w + sigma**2 * (v - v_zero) * square
        # the noise of the way's middle, to the order of the step
        middle = 2 * sigma**2 * (np.minimum((v + new) / 2, 1.0) - v_zero) ** 2 * dt
        crossed = random.random(len(v)) < np.exp(-2 * np.maximum(1 - v, 0) * np.maximum(1 - new, 0) / middle)
        times[alive[crossed]] = (k + 0.5) * dt
        v, alive, k = new[~crossed], alive[~crossed], k + 1
    return times


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mu", "sigma", "v_zero", "calculus"), [(0.8, 0.25, -1.0, "ito"), (1.3, 0.5, -0.5, "stratonovich")]
)
def test_against_milstein(mu, sigma, v_zero, calculus):
    """20,000 intervals; the bias, of first order in dt, is smaller than their error."""
    rate, cv = both(mu, sigma, v_zero, calculus)
    other = both(mu, sigma, v_zero, {"ito": "stratonovich", "stratonovich": "ito"}[calculus])[0]
    n = 20_000
    found = milstein(mu, sigma, v_zero, calculus, n, 2e-3, seed=3)
    mean, sd = found.mean(), found.std()
    influence = (found - mean) ** 2 / (2 * sd * mean) - sd * (found - mean) / mean**2
    assert abs(mean - 1 / rate) / (sd / np.sqrt(n)) < 4
    assert abs(sd / mean - cv) / (influence.std() / np.sqrt(n)) < 4
    assert abs(mean - 1 / other) / (sd / np.sqrt(n)) > 6


@pytest.mark.parametrize(("mu", "sigma", "calculus"), [(0.8, 0.3, "ito"), (1.2, 0.2, "stratonovich")])
def test_noise_that_vanishes_far_away_is_additive(mu, sigma, calculus):
    """Siegert's values as v_zero falls, with a deviation of first order in 1 / v_zero."""
    cell = {**CELL, "tau_refrac": 0.1}
    known = np.array([theory.siegert_rate(mu, sigma, **cell), theory.siegert_cv(mu, sigma, **cell)])
    off = [
        np.array(both(mu, sigma / far, -far, calculus, tau_refrac=0.1)) / known - 1 for far in (100.0, 1000.0)
    ]
    assert np.max(np.abs(off[0])) < 0.02
    assert np.max(np.abs(off[1] - off[0] / 10)) < 1e-4


@pytest.mark.slow
def test_more_cells_change_nothing():
    """Threshold integration with 3,000 cells: 1e-4, from noise of a twentieth to .8 of V - v_zero."""
    mu, sigma = np.array([0.5, 1.5])[:, None], np.array([0.05, 0.8])
    # y = log of the distance from v_zero = -.8, relative to the threshold's
    drift = theory.Drift(lambda y: (mu + 0.8) / 1.8 * np.exp(-y) - 1 - sigma**2, unit="1")
    more = {"tau_m": 1.0, "tau_refrac": 0.0, "v_spike": 0.0, "v_reset": np.log(0.8 / 1.8)}
    for found, function in zip(both(mu, sigma, -0.8, "ito"), (theory.fp_rate, theory.fp_cv), strict=True):
        assert found.shape == (2, 2)
        assert np.max(np.abs(found / function(drift, sigma, **more, cells=3000) - 1)) < 1e-4


def test_units():
    cell = {"tau_m": 20 * ms, "v_thresh": 20 * mV, "v_reset": 10 * mV, "tau_refrac": 2 * ms}
    rate = theory.multiplicative_rate([18, 22] * mV, 0.2, 0 * mV, calculus="ito", **cell)
    plain = both(np.array([0.8, 1.2]), 0.2, -1.0, "ito", tau_refrac=0.1)[0]
    np.testing.assert_allclose(rate, plain / 0.02, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("calculus", ["ito", "stratonovich"])
def test_geometric_mean_simulated(calculus):
    """Milstein's scheme, 100,000 paths of 100 steps: its mean grows by (1 + drift dt [+ sigma^2 dt]) a step, .1 % off in all."""
    random, n, dt, sigma, drift = np.random.default_rng(2), 100_000, 0.01, 0.3, 0.1
    x = np.full(n, 2.0)
    for _ in range(100):
        w = np.sqrt(dt) * random.standard_normal(n)
        square = w**2 - dt if calculus == "ito" else w**2
        x = x * (1 + drift * dt + sigma * np.sqrt(2) * w + sigma**2 * square)
    known = theory.geometric_mean(20 * ms, 2.0, drift, sigma, calculus=calculus, tau=20 * ms)
    assert abs(x.mean() - known) / (x.std() / np.sqrt(n)) < 4
    other = known * np.exp(sigma**2 * (1 if calculus == "ito" else -1))
    assert abs(x.mean() - other) / (x.std() / np.sqrt(n)) > 30

"""Rate and CV in shot noise against closed forms and an exact event-driven simulation."""
# Imports an internal: no argument sets the grid.

from __future__ import annotations

import numpy as np
import pytest
from brian2 import Hz, ms, mV

from nsnn_neuro import theory
from nsnn_neuro.theory.lif import shot_noise

CELL = {"tau_m": 1.0, "v_thresh": 1.0, "v_reset": 0.0, "tau_refrac": 0.0}


def both(mu, weight, rate, **more):
    cell = {**CELL, **more}
    return theory.shot_noise_rate(mu, weight, rate, **cell), theory.shot_noise_cv(mu, weight, rate, **cell)


def test_one_jump_is_one_spike():
    """A jump above v_thresh - min(mu, v_reset): exponential intervals after the dead time."""
    for mu, weight in ((-0.5, 1.5), (0.0, 1.0), (0.3, 7.0)):
        rate, cv = both(mu, weight, 0.4, tau_refrac=0.2)
        assert abs(rate * (0.2 + 2.5) - 1) < 1e-12
        assert abs(cv * (0.2 + 2.5) / 2.5 - 1) < 1e-12


def test_frequent_jumps_are_counted():
    """ceil(1 / w) = 4 jumps: gamma intervals, exact while the leak takes less than the .2 that they have over (rate >> 20)."""
    rate, cv = both(0.0, 0.3, 3000.0)
    assert abs(rate / 750 - 1) < 1e-9
    assert abs(cv * 2 - 1) < 1e-9


def test_drift_over_the_threshold_or_any_jump():
    """The sooner of an event and the deterministic crossing t: mean (1 - exp(-rt)) / r, and its second moment."""
    mu, rate = 1.5, 0.7
    t = np.log(mu / (mu - 1))
    mean = -np.expm1(-rate * t) / rate
    square = 2 * (mean - t * np.exp(-rate * t)) / rate
    found, cv = both(mu, 1.0, rate)
    assert abs(found * mean - 1) < 2e-6
    assert abs(cv / (np.sqrt(square - mean**2) / mean) - 1) < 4e-6
    found, cv = both(mu, 1.0, 0.0, tau_refrac=0.1)
    assert abs(found * (t + 0.1) - 1) < 1e-12
    assert cv == 0


def intervals(mu, weight, rate, weight_inh, rate_inh, n, seed):
    """First-passage times from 0 to 1 event by event: exponential waiting, exact decay, tau 1."""
    random = np.random.default_rng(seed)
    v, t, alive, done = np.zeros(n), np.zeros(n), np.arange(n), np.full(n, np.nan)
    while len(alive):
        wait = random.exponential(1 / (rate + rate_inh), len(alive))
        if mu > 1:
            crossing = np.log((mu - v) / (mu - 1))
            done[alive[crossing < wait]] = (t + crossing)[crossing < wait]
        t, v = t + wait, mu + (v - mu) * np.exp(-wait)
        left = v < 1
        v = v + np.where(random.random(len(alive)) * (rate + rate_inh) < rate, weight, weight_inh)
        done[alive[left & (v >= 1)]] = t[left & (v >= 1)]
        left &= v < 1
        t, v, alive = t[left], v[left], alive[left]
    return done


@pytest.mark.parametrize(
    ("mu", "weight", "rate", "weight_inh", "rate_inh"),
    [
        *((0.4, 0.13, 5.0, -0.1, 2.0), (1.3, 0.1, 2.0, -0.3, 2.0), (-0.4, 0.2, 12.0, -0.5, 1.0)),
    ],
)
def test_event_driven_simulation(mu, weight, rate, weight_inh, rate_inh):
    n = 100_000
    found = intervals(mu, weight, rate, weight_inh, rate_inh, n, seed=7)
    mean, sd = found.mean(), found.std()
    known, cv = both(mu, weight, rate, weight_inh=weight_inh, rate_inh=rate_inh)
    assert abs(mean - 1 / known) / (sd / np.sqrt(n)) < 4
    influence = (found - mean) ** 2 / (2 * sd * mean) - sd * (found - mean) / mean**2
    assert abs(sd / mean - cv) / (influence.std() / np.sqrt(n)) < 4


def test_units_broadcasting_and_silence():
    cell = {"tau_m": 20 * ms, "v_thresh": 20 * mV, "v_reset": 10 * mV, "tau_refrac": 2 * ms}
    found = theory.shot_noise_rate(
        [0, 5] * mV, 2 * mV, [[400], [0]] * Hz, weight_inh=-1 * mV, rate_inh=100 * Hz, **cell
    )
    plain = theory.shot_noise_rate(
        [-1.0, -0.5], 0.2, 8.0, weight_inh=-0.1, rate_inh=2.0, **{**CELL, "tau_refrac": 0.1}
    )
    np.testing.assert_allclose(found, [plain / 0.02, [0, 0]], rtol=2e-6)
    assert np.isnan(theory.shot_noise_cv(0.5, 0.1, 0.0, **CELL))


@pytest.mark.slow
def test_refining_the_grid_changes_nothing(monkeypatch):
    """The same on a grid three times finer to begin with; no argument sets it."""

    def found():
        return np.array(both(1.0, 0.2, 4.0, weight_inh=-0.2137, rate_inh=1.5))

    first = found()
    monkeypatch.setattr(shot_noise, "_PER_JUMP", 24)
    monkeypatch.setattr(shot_noise, "_AIM", 1.0)
    assert np.abs(first / found() - 1).max() < 5e-6

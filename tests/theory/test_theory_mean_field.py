"""Brunel's mean field: published rates, the equation it solves, and networks with several fixed points."""
# Imports an internal: few networks have two fixed points near each other.

from __future__ import annotations

import numpy as np
import pytest
from brian2 import Hz, ms, mV

from nsnn_neuro import theory
from nsnn_neuro.theory.mean_field import _roots

NEURON = {"tau_m": 20 * ms, "v_thresh": 20 * mV, "v_reset": 10 * mV, "tau_refrac": 2 * ms}


@pytest.mark.parametrize(
    ("g", "eta", "n_e", "rate", "digits"),
    [(6, 4, 10_000, 55.8, 1), (4.5, 0.9, 10_000, 6.5, 1), (5, 2, 8_000, 43.23, 2)],
)
def test_known_rates(g, eta, n_e, rate, digits):
    """Independent solutions of the mean field; simulations give 37.9, 58.1 and 6.0 Hz for the first three."""
    assert theory.brunel_rates(g=g, eta=eta, n_e=n_e, n_i=n_e // 4).round(digits).tolist() == [rate]


def test_input_by_hand():
    """C_E 1000, J .1 mV, nu_ext 20 Hz, nu 37.95 Hz, g 5, gamma 1/4: mu = 2 mV s (20 - 9.4875) Hz = 21.025 mV."""
    mu, sigma = theory.brunel_input(37.95 * Hz, g=5, eta=2)
    assert mu == pytest.approx(21.025e-3, rel=1e-12)
    assert np.sqrt(2) * sigma == pytest.approx(1e-4 * np.sqrt(20 * (20 + 37.95 * 7.25)), rel=1e-12)


@pytest.mark.parametrize(("g", "eta"), [(5, 2), (3.9, 0.9), (0, 0.5)])
def test_rates_solve_the_equation(g, eta):
    rates = theory.brunel_rates(g=g, eta=eta)
    assert len(rates) % 2 == 1  # the excess starts above 0 and ends below
    for rate in rates:
        mu, sigma = theory.brunel_input(rate * Hz, g=g, eta=eta)
        assert theory.siegert_rate(mu * 1e3 * mV, sigma * 1e3 * mV, **NEURON) == pytest.approx(
            rate, rel=1e-9, abs=1e-9
        )


def test_three_fixed_points():
    """Weak drive, strong excitation: iteration from below and above ends at the lowest and the highest, the third is unstable."""
    network = {"g": 3.0, "eta": 0.7}
    rates = theory.brunel_rates(**network)
    assert len(rates) == 3

    neuron = {"tau_m": 0.02, "v_thresh": 0.02, "v_reset": 0.01, "tau_refrac": 0.002}

    def iterate(rate):
        for _ in range(100):
            mu, sigma = theory.brunel_input(rate, J=1e-4, tau_m=0.02, v_thresh=0.02, **network)
            rate = theory.siegert_rate(mu, sigma, **neuron)
        return rate

    assert iterate(0.0) == pytest.approx(rates[0], rel=1e-6, abs=1e-9)
    assert iterate(500.0) == pytest.approx(rates[2], rel=1e-6)
    assert iterate(rates[1] * 0.99) == pytest.approx(rates[0], rel=1e-6, abs=1e-9)
    assert iterate(rates[1] * 1.01) == pytest.approx(rates[2], rel=1e-6)


def test_silence_is_a_fixed_point_without_drive():
    assert theory.brunel_rates(g=5, eta=0)[0] == 0


def test_pairs_of_roots_between_two_points_are_found():
    function = lambda x: (x - 0.501) * (x - 0.502) * (x - 0.9)  # noqa: E731
    for f in (function, lambda x: -function(x)):
        assert _roots(f, np.linspace(0, 1, 11)) == pytest.approx([0.501, 0.502, 0.9], abs=1e-9)

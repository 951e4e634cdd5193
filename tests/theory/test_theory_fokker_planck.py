"""Threshold integration against closed forms (LIF, perfect integrator) and quadrature of passage-time integrals (EIF, QIF)."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import ms, mV
from scipy.integrate import quad
from scipy.interpolate import CubicSpline

import nsnn_neuro
from nsnn_neuro import NsnnError, theory

UNIT = {"tau_m": 1.0, "v_reset": 0.0, "tau_refrac": 0.0}
LIF = {**UNIT, "v_spike": 1.0}
GRID = np.linspace(0, 2, 9)[:, None], np.array([0.05, 0.15, 0.3, 0.7, 1.5])


def test_lif_has_siegerts_rate_and_cv():
    """1e-4 relative at the default 500 cells each side, from rates of 1e-80 to 20 noise widths above threshold."""
    mu, sigma = GRID
    for refrac in (0.0, 0.1):
        cell = {**UNIT, "tau_refrac": refrac}
        rate = theory.fp_rate(theory.lif_drift(mu), sigma, v_spike=1.0, **cell)
        cv = theory.fp_cv(theory.lif_drift(mu), sigma, v_spike=1.0, **cell)
        assert rate.shape == cv.shape == (9, 5)
        assert np.max(np.abs(rate / theory.siegert_rate(mu, sigma, v_thresh=1.0, **cell) - 1)) < 1e-4
        assert np.max(np.abs(cv / theory.siegert_cv(mu, sigma, v_thresh=1.0, **cell) - 1)) < 1e-4


def test_table_in_millivolt():
    cell = {"tau_m": 20 * ms, "v_spike": 20 * mV, "v_reset": 10 * mV, "tau_refrac": 2 * ms}
    drift, sigma = theory.lif_drift([15, 20] * mV), 5 / np.sqrt(2) * mV
    assert theory.fp_rate(drift, sigma, **cell) == pytest.approx([9.460800, 27.340567], rel=1e-5)
    assert theory.fp_cv(drift, sigma, **cell) == pytest.approx([0.814757, 0.582636], rel=1e-5)


def test_perfect_integrator_is_exact():
    """A constant drift has no discretisation error: mean d tau / mu, CV sqrt(2 sigma^2 / (mu d))."""
    mu, sigma = np.array([0.3, 1.0, 4.0])[:, None], np.array([0.05, 0.4, 2.0])
    drift = theory.pif_drift(mu)
    pif = {"tau_m": 1.0, "v_reset": 0.0, "v_thresh": 1.0, "tau_refrac": 0.2}
    cell = {**LIF, "tau_refrac": 0.2, "cells": 20}
    rate, cv = theory.fp_rate(drift, sigma, **cell), theory.fp_cv(drift, sigma, **cell)
    assert np.max(np.abs(rate / theory.pif_rate(mu, sigma, **pif) - 1)) < 1e-10
    assert np.max(np.abs(cv / theory.pif_cv(mu, sigma, **pif) - 1)) < 1e-10


def test_reflected_brownian_motion():
    """Without drift, from 0 to 1 with a wall at -1 the transform of the passage time is cosh q / cosh 2q, q^2 = s / sigma^2."""
    cell = {**LIF, "v_low": -1.0, "cells": 20}
    drift = theory.pif_drift(0.0)
    # its logarithm is -3/2 q^2 + 5/4 q^4, so the cumulants are 3/2 and 5/2 (sigma = 1)
    assert theory.fp_rate(drift, 1.0, **cell) == pytest.approx(2 / 3, rel=1e-12)
    assert theory.fp_cv(drift, 1.0, **cell) == pytest.approx(np.sqrt(2.5) / 1.5, rel=1e-12)
    with pytest.raises(NsnnError, match="v_low"):
        theory.fp_rate(drift, 1.0, **LIF)


def test_density_of_the_lif():
    """P(v) = (2 r / sB) exp(-y^2) int_max(y, yr)^yth exp(z^2) dz, y = (v - mu) / sB (Brunel 2000); mass 1 - r tau_refrac."""
    mu, sigma, refrac = 0.8, 0.3, 0.5
    cell = {**LIF, "tau_refrac": refrac}
    v, density = theory.fp_density(theory.lif_drift(mu), sigma, **cell)
    rate = theory.siegert_rate(mu, sigma, v_thresh=1.0, **{**UNIT, "tau_refrac": refrac})
    width = np.sqrt(2) * sigma
    for k in (100, 300, 500, 501, 700, 900):
        y, low = (v[k] - mu) / width, max((v[k] - mu) / width, -mu / width)
        inner = quad(lambda z: np.exp(z * z), low, (1 - mu) / width, epsabs=0)[0]
        assert density[k] == pytest.approx(2 * rate / width * np.exp(-y * y) * inner, rel=2e-5, abs=1e-12)
    mass = np.sum((density[1:] + density[:-1]) / 2 * np.diff(v))
    assert mass == pytest.approx(1 - rate * refrac, abs=1e-4)
    assert v[500] == 0
    assert density[-1] == 0


def passage(f, potential, sigma, reset, spike, depth):
    """Mean and SD of the passage time: T_n(reset) = n int dx int_(y < x) exp((U(x) - U(y)) / s^2) T_(n-1)(y) / s^2 dy, nested.

    The inner integral over u = x - y, 60 geometric panels of 8 Gauss points from 0 to `depth`; the outer of a spline, 6,000 points.
    """
    node, weight = np.polynomial.legendre.leggauss(8)
    edges = np.concatenate([[0], np.geomspace(1e-9, depth, 60)])
    half = np.diff(edges)[:, None] / 2
    u, du = (edges[:-1, None] + half * (node + 1)).ravel(), (half * weight).ravel()
    x = np.linspace(reset - depth, spike, 6000)

    def inner(at, g):
        y = at[:, None] - u
        return (
            np.sum(du * np.exp((potential(at)[:, None] - potential(y)) / sigma**2) * g(y), axis=1) / sigma**2
        )

    slope1 = CubicSpline(
        x, np.concatenate([inner(part, np.ones_like) for part in np.split(x, 20)])
    ).antiderivative()
    first = lambda y: slope1(spike) - slope1(np.maximum(y, x[0]))  # noqa: E731
    inside = np.linspace(reset, spike, 3000)
    slope2 = CubicSpline(
        inside, np.concatenate([inner(part, first) for part in np.split(inside, 20)])
    ).antiderivative()
    mean, square = first(reset), 2 * slope2(spike)
    return mean, np.sqrt(square - mean**2)


@pytest.mark.slow
@pytest.mark.parametrize(("mu", "sigma"), [(1.2, 0.1), (0.5, 0.5)])
def test_eif_against_passage_time_integrals(mu, sigma):
    """delta_T .1, V_T 1, spike 1.6 (drift there 40): 1e-4 at 1,000 cells."""
    delta, onset, reset, spike = 0.1, 1.0, 0.2, 1.6
    drift = theory.eif_drift(mu, delta_T=delta, v_thresh=onset)
    potential = lambda v: v * v / 2 - mu * v - delta**2 * np.exp((v - onset) / delta)  # noqa: E731
    mean, deviation = passage(drift, potential, sigma, reset, spike, 12 * sigma)
    cell = {"tau_m": 1.0, "v_reset": reset, "v_spike": spike, "tau_refrac": 0.0, "cells": 1000}
    assert theory.fp_rate(drift, sigma, **cell) * mean == pytest.approx(1, abs=1e-4)
    assert theory.fp_cv(drift, sigma, **cell) / (deviation / mean) == pytest.approx(1, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("beta", "sigma"), [(-0.3, 0.7), (0.0, 1.0)])
def test_qif_from_infinity_to_infinity(beta, sigma):
    """Mean 2 sqrt(pi/D) int exp(-(beta z^2 + z^6/12) / D) dz, D = sigma^2 (Lindner et al. 2003); beyond 40, 1/40 each."""
    mean = quad(lambda z: np.exp(-(beta * z**2 + z**6 / 12) / sigma**2), 0, 8, epsabs=0, epsrel=1e-11)[0]
    mean *= 2 * np.sqrt(np.pi) / sigma
    cell = {"tau_m": 1.0, "v_reset": -40.0, "v_spike": 40.0, "tau_refrac": 0.0, "cells": 4000}
    drift = theory.qif_drift(beta + 0.25, v_rest=-0.5, v_thresh=0.5)
    assert 1 / theory.fp_rate(drift, sigma, **cell) + 1 / 20 == pytest.approx(mean, rel=2e-4)
    if beta == 0:
        # at the bifurcation the CV is 1 / sqrt(3) at any noise; what the ends take away has no variance
        shorter = mean - 1 / 20
        assert theory.fp_cv(drift, sigma, **cell) * shorter == pytest.approx(mean / np.sqrt(3), rel=2e-4)


def test_any_function_is_a_drift():
    """A cubic: T = int int exp((U(x) - U(y)) / s^2) / s^2, adaptive."""
    f = lambda v: v - v**3 - 0.2  # noqa: E731
    potential = lambda v: v**4 / 4 - v**2 / 2 + 0.2 * v  # noqa: E731
    inner = lambda x: quad(lambda y: np.exp((potential(x) - potential(y)) / 0.25), -5, x, epsabs=0)[0]  # noqa: E731
    mean = quad(inner, -1, 1.5, epsabs=0)[0] / 0.25
    cell = {"tau_m": 2.0, "v_reset": -1.0, "v_spike": 1.5, "tau_refrac": 0.0}
    assert theory.fp_rate(f, 0.5, **cell) * 2 * mean == pytest.approx(1, abs=1e-4)
    assert theory.fp_rate(theory.Drift(f, "1"), 0.5, **cell) == theory.fp_rate(f, 0.5, **cell)


def test_drifts_are_those_of_the_neurons():
    """The neurons' text, evaluated: the drift in theory and the one that is simulated are the same function."""
    v, drive, rest = np.linspace(-1, 3, 9), 0.3, 0.2
    values = {"v_rest": rest, "v_thresh": 1.0, "delta_T": 0.4, "drive": drive, "v": v, "exp": np.exp}
    for neuron, drift in (
        (nsnn_neuro.LIF, theory.lif_drift(rest + drive)),
        (nsnn_neuro.PIF, theory.pif_drift(drive)),
        (nsnn_neuro.EIF, theory.eif_drift(rest + drive, delta_T=0.4, v_thresh=1.0)),
        (nsnn_neuro.QIF, theory.qif_drift(drive, v_rest=rest, v_thresh=1.0)),
    ):
        expected = eval(f"{neuron.linear} + {neuron.nonlinear or 0}", values)
        assert drift(v) == pytest.approx(expected + 0 * v, abs=1e-12)


def test_rare_escapes():
    """Kramers' rate of a neuron with a barrier of 35; when the rate underflows it is 0, its CV 1, and a density is refused."""
    assert theory.fp_rate(theory.lif_drift(0.5), 0.06, **LIF) == pytest.approx(
        theory.siegert_rate(0.5, 0.06, v_thresh=1.0, **UNIT), rel=1e-5
    )
    assert theory.fp_rate(theory.lif_drift(0.5), 0.01, **LIF) == 0
    assert theory.fp_cv(theory.lif_drift(0.5), 0.01, **LIF) == 1
    with pytest.raises(NsnnError, match="so small"):
        theory.fp_density(theory.lif_drift(0.5), 0.01, **LIF)


def test_broadcasting_equals_single_calls():
    mu, sigma = np.array([0.5, 1.0, 1.5])[:, None], np.array([0.2, 0.4])
    reset = np.array([0.0, -0.5])
    cell = {"tau_m": np.array([1.0, 2.0]), "v_reset": reset, "v_spike": 1.0, "tau_refrac": 0.1, "cells": 50}
    table = theory.fp_rate(theory.lif_drift(mu), sigma, **cell)
    v, density = theory.fp_density(theory.lif_drift(mu), sigma, **cell)
    assert table.shape == (3, 2)
    assert v.shape == density.shape == (101, 3, 2)
    one = {**cell, "tau_m": 2.0, "v_reset": -0.5}
    assert table[2, 1] == pytest.approx(theory.fp_rate(theory.lif_drift(1.5), 0.4, **one), rel=1e-13)
    assert np.max(np.abs(density[:, 2, 1] - theory.fp_density(theory.lif_drift(1.5), 0.4, **one)[1])) < 1e-12

"""Moments of a conductance-driven membrane against Gaussian integrals, the limit of fast conductances and a simulation."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import ms, mV

from nsnn_neuro import theory

# g_e, sigma_e, tau_e, e_rev_e, g_i, sigma_i, tau_i, e_rev_i; leak 0, tau_m 1
CELLS = [
    (0.5, 0.2, 0.15, 7.0, 2.0, 0.5, 0.5, -0.5),
    (0.1, 0.3, 0.5, 5.0, 0.5, 0.3, 2.0, -1.0),
    (4.0, 1.0, 0.02, 2.0, 8.0, 2.0, 0.3, -0.2),
]
NAMES = ("g_e", "sigma_e", "tau_e", "e_rev_e", "g_i", "sigma_i", "tau_i", "e_rev_i")


def moments(cell, mu=0.0, **change):
    return theory.conductance_moments(mu, tau_m=1.0, **{**dict(zip(NAMES, cell, strict=True)), **change})


def gaussian_integrals(cell):
    """Mean and SD from V = int c(-s) exp(-int_-s^0 b) ds: b and c are Gaussian, so what is averaged has a closed form.

    With Y_s = int_-s^0 (b - mean b): E c_s exp(-Y_s) = -cov(c_s, Y_s) exp(var/2), E c_s c_t exp(-Y_s - Y_t) =
    [cov(c_s, c_t) + cov(c_s, Y_s + Y_t) cov(c_t, Y_s + Y_t)] exp(var/2), V measured from its value at the mean conductances.
    """
    g, sigma, tau, end = (np.array([cell[i], cell[i + 4]])[:, None, None] for i in range(4))
    total = 1 + g.sum()
    centre = (g * end).sum() / total
    push = sigma * (end - centre)

    def variance(s):
        return np.sum(2 * sigma**2 * tau**2 * (s / tau + np.expm1(-s / tau)), axis=0)

    def covariance(s, t):
        """cov(c_s, Y_t)"""
        inside = -np.expm1(-np.minimum(s, t) / tau) - np.expm1(-np.abs(t - s) / tau)
        outside = np.exp(-np.maximum(s - t, 0) / tau) - np.exp(-s / tau)
        return np.sum(push * sigma * tau * np.where(s <= t, inside, outside), axis=0)

    node, weight = np.polynomial.legendre.leggauss(24)
    edge = np.concatenate([[0], np.geomspace(0.01, 60 / (total - np.sum(2 * sigma**2 * tau)), 20)])
    half = np.diff(edge)[:, None] / 2
    x, w = (edge[:-1, None] + half * (1 + node)).ravel(), (half * weight).ravel()
    first = w @ (-covariance(x[:, None], x[:, None]) * np.exp(variance(x[:, None]) / 2 - total * x[:, None]))
    s, lag = x[:, None], x[None, :]
    t = s + lag
    together = 2 * variance(s) + 2 * variance(t) - variance(lag)
    joint = np.sum(push**2 * np.exp(-lag / tau), axis=0)
    joint = joint + (covariance(s, s) + covariance(s, t)) * (covariance(t, s) + covariance(t, t))
    second = 2 * w @ (joint * np.exp(together / 2 - total * (s + t))) @ w
    return centre + first[0], np.sqrt(second - first[0] ** 2)


@pytest.mark.parametrize("cell", CELLS)
def test_gaussian_integrals(cell):
    mean, sd = moments(cell)
    known = gaussian_integrals(cell)
    assert abs(mean / known[0] - 1) < 1e-10
    assert abs(sd / known[1] - 1) < 1e-10


def test_fast_conductances_are_white():
    """As tau_k -> 0 with s_k = sigma_k^2 tau_k fixed: multiplicative white noise, Stratonovich, whose two moments close."""
    s, end, g = np.array([0.15, 0.1]), np.array([3.0, -1.0]), np.array([0.6, 1.5])
    rate, inflow = 1 + g.sum() - s.sum(), (g * end - s * end).sum()
    mean = inflow / rate
    # rate E V^2 = inflow mean + sum s (end - V)^2
    square = (inflow * mean + (s * end**2).sum() - 2 * (s * end).sum() * mean) / (rate - s.sum())
    sd, off = np.sqrt(square - mean**2), []
    for tau in (1e-3, 1e-4):
        cell = (g[0], np.sqrt(s[0] / tau), tau, end[0], g[1], np.sqrt(s[1] / tau), tau, end[1])
        off.append((np.array(moments(cell)) - [mean, sd]) / sd)
    assert np.max(np.abs(off[1])) < 1e-3
    assert np.max(np.abs(off[1] - off[0] / 10)) < 1e-5
    assert abs(mean - (g * end).sum() / (1 + g.sum())) > 0.05  # the drift of Stratonovich's calculus is seen


def test_slow_and_still_conductances():
    """Without fluctuations the mean conductances' value; small ones add in variance, each low-pass filtered."""
    mean, sd = moments((0.5, 0.0, 0.2, 3.0, 1.0, 0.0, 0.2, -1.0), mu=0.4)
    assert abs(mean - (0.4 + 1.5 - 1.0) / 2.5) < 1e-12
    assert sd == 0
    small, total, centre = 1e-4, 2.5, 0.2
    sd = moments((0.5, small, 0.2, 3.0, 1.0, 2 * small, 0.7, -1.0))[1]
    variance = sum(
        (a * (end - centre)) ** 2 / (total * (total + 1 / tau))
        for a, end, tau in ((small, 3.0, 0.2), (2 * small, -1.0, 0.7))
    )
    assert abs(sd / np.sqrt(variance) - 1) < 1e-6


def test_units_and_broadcasting():
    mean, sd = theory.conductance_moments(
        [-70, -60] * mV, g_e=0.5, sigma_e=[[0.1], [0.2]], tau_e=3 * ms, e_rev_e=0 * mV, g_i=2.0, sigma_i=0.5, tau_i=10 * ms,
        e_rev_i=-75 * mV, tau_m=20 * ms,
    )  # fmt: skip
    cell = (0.5, np.array([[0.1], [0.2]]), 0.15, 0.0, 2.0, 0.5, 0.5, -0.075)
    assert mean.shape == (2, 2)
    np.testing.assert_allclose([mean, sd], moments(cell, np.array([-0.07, -0.06])), rtol=1e-9)

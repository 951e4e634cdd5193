"""The two-dimensional Fokker-Planck equation of coloured noise: exact and limiting cases, convergence, simulations of (V, I)."""
# Imports an internal: rate and CV take one solution, of a second.

from __future__ import annotations

import numba
import numpy as np
import pytest
from brian2 import ms, mV

from nsnn_neuro import theory
from nsnn_neuro.theory.fokker_planck.coloured import coloured_fp_rate_and_cv

UNIT = {"tau_m": 1.0, "v_spike": 1.0, "v_reset": 0.0, "tau_refrac": 0.0}
HELD = {**UNIT, "tau_refrac": 0.1}
SHORT = {"tau_m": 1.0, "v_thresh": 1.0, "v_reset": 0.0, "tau_refrac": 0.0}
EIF = theory.eif_drift(0.8, delta_T=0.1, v_thresh=1.0)
QIF = theory.Drift(lambda v: v * v + 0.2, unit="1")


@pytest.mark.slow
def test_perfect_integrator_has_the_noiseless_rate():
    """Its input averages to zero whatever its correlations: rate mu / d / tau_m, in units, but for what the mesh leaves out."""
    mu, sigma, tau_noise = np.array([0.5, 2.0]), np.array([[0.2], [0.4]]), np.array([0.05, 2.0])
    cell = {"tau_m": 20 * ms, "v_spike": 12.5 * mV, "v_reset": 0 * mV, "tau_refrac": 0 * ms}
    drift, times = theory.pif_drift(mu * 10 * mV), tau_noise[:, None, None] * 20 * ms
    rate = theory.coloured_fp_rate(drift, sigma * 10 * mV, times, **cell, resolution=0.5)
    assert rate.shape == (2, 2, 2)
    assert np.max(np.abs(rate * 0.02 / (mu / 1.25) - 1)) < 1e-6


@pytest.mark.slow
def test_short_correlations_meet_the_expansion():
    """Fourcaud & Brunel's first order is right up to tau_noise: what it leaves, over tau_noise, is a constant within 2 % (a
    coefficient of the order sqrt(tau_noise) that is off by .1 % moves it by 5 %); the next order, a fit, is nearer."""
    mu, sigma, tau_noise = 0.8, 0.35, np.array([0.02, 0.01])
    rate = theory.coloured_fp_rate(theory.lif_drift(mu), sigma, tau_noise, **UNIT, resolution=1.5)
    first, following = (
        theory.coloured_rate(mu, sigma, tau_noise=tau_noise, next_order=order, **SHORT) / rate - 1
        for order in (False, True)
    )
    left = first / tau_noise
    assert left[0] == pytest.approx(left[1], rel=0.02)
    assert np.all(np.abs(left) < 0.5)
    assert np.all(np.abs(following) < 0.4 * np.abs(first))


@pytest.mark.slow
def test_smooth_spikes_tend_to_white_noise_in_proportion():
    """An EIF has no sqrt(tau_noise): rate and CV leave those of white noise in proportion to tau_noise, extrapolated to it."""
    tau_noise, cell = np.array([0.02, 0.01, 0.005]), {**HELD, "v_spike": 1.8}
    coloured = coloured_fp_rate_and_cv(EIF, 0.3, tau_noise, **cell, resolution=1.3)
    for values, white in zip(coloured, (theory.fp_rate, theory.fp_cv), strict=True):
        off = values / white(EIF, 0.3, cells=4000, **cell) - 1
        assert abs(off[0]) > 0.005
        assert abs(2 * off[1] - off[0]) < 0.1 * abs(off[0])
        assert abs(8 * off[2] / 3 - 2 * off[1] + off[0] / 3) < 2e-4


@pytest.mark.slow
def test_long_correlations_average_the_noiseless_neuron():
    """Frozen I: rate E[1/T], CV^2 = E[1/T] E[T] - 1 over its law, T = tau_refrac + ln((mu + I) / (mu + I - 1))."""
    mu, sigma, k = 2.0, 0.2, 20.0
    node, weight = np.polynomial.hermite_e.hermegauss(40)
    drive = mu + sigma * np.sqrt(1 + 1 / k) * node
    fires = drive > 1.05  # 4.6 standard deviations of I
    period = 0.1 + np.log(drive[fires] / (drive[fires] - 1))
    share = weight[fires] / np.sqrt(2 * np.pi)
    frozen, mean = np.sum(share / period), np.sum(share * period)
    given = (theory.lif_drift(mu), sigma, k)
    assert theory.coloured_fp_rate(*given, **HELD) == pytest.approx(frozen, rel=1e-5)
    assert theory.coloured_fp_cv(*given, **HELD) == pytest.approx(np.sqrt(frozen * mean - 1), rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("drift", "sigma", "tau_noise", "cell"),
    [
        (theory.pif_drift(0.0), 0.5, 0.5, {**HELD, "v_low": -0.5}),
        (QIF, 0.5, 0.25, {**UNIT, "v_spike": 40.0, "v_reset": -40.0}),
    ],
)
def test_finer_meshes_agree(drift, sigma, tau_noise, cell):
    """Rate and CV at half, default and 1.5 times the resolution: the default is within 1e-4, and nearer than the half."""
    half, default, fine = (
        np.array(coloured_fp_rate_and_cv(drift, sigma, tau_noise, resolution=r, **cell))
        for r in (0.5, 1.0, 1.5)
    )
    assert default == pytest.approx(fine, rel=1e-4)
    assert half == pytest.approx(fine, rel=2e-3)
    assert (np.abs(default - fine) < np.maximum(np.abs(half - fine), 1e-6 * fine)).all()


@numba.njit
def intervals(leaky, mu, sigma, k, refrac, low, dt, count, rng):
    """`count` successive intervals, each from v = 0 on a grid of its own, crossings interpolated; I is an exact OU process.

    The joint Gaussian update of (V, I) of an LIF is exact; a perfect integrator stands above a wall.
    """
    s = sigma * np.sqrt(1 + 1 / k)
    a, b = np.exp(-dt / k), np.exp(-dt)
    # V gains c I + noise, c = (a - b) k / (k - 1) (k != 1), dt b for k = 1; the noises' covariance from the stationary one
    c = dt * b if k == 1 else (a - b) * k / (k - 1)
    vv, vi, ii = s * s * k / (1 + k), s * s * k / (1 + k), s * s
    qii = ii * (1 - a * a)
    qvi = vi - (b * a * vi + c * a * ii)
    qvv = vv - (b * b * vv + 2 * b * c * vi + c * c * ii)
    both, own = qvi / np.sqrt(qii), np.sqrt(max(qvv - qvi * qvi / qii, 0.0))
    kick = np.sqrt(qii)
    hold, jolt = np.exp(-refrac / k), s * np.sqrt(1 - np.exp(-2 * refrac / k))
    result, current = np.empty(count), s * rng.standard_normal()
    for n in range(count):
        v, t = 0.0, refrac
        current = hold * current + jolt * rng.standard_normal()
        while True:
            xi = rng.standard_normal()
            after = a * current + kick * xi
            if leaky:
                w = mu + (v - mu) * b + c * current + both * xi + own * rng.standard_normal()
            else:
                w = max(low, v + dt * (mu + (current + after) / 2))
            if w >= 1:
                part = (1 - v) / (w - v)
                between = 2 * s * s / k * dt * part * (1 - part)
                current += part * (after - current) + np.sqrt(between) * rng.standard_normal()
                result[n] = t + part * dt
                break
            v, current, t = w, after, t + dt
    return result


def mean_and_cv(spans, batches=200):
    """Mean interval and CV with standard errors from batches of successive intervals (they are correlated), CV by jackknife."""
    first, second = (np.mean(x.reshape(batches, -1), axis=1) for x in (spans, spans**2))
    means, squares = ((x.sum() - x) / (batches - 1) for x in (first, second))
    without = np.sqrt(squares - means**2) / means
    error = np.sqrt((batches - 1) * np.var(without))
    cv = np.sqrt(second.mean() - first.mean() ** 2) / first.mean()
    return (first.mean(), np.std(first, ddof=1) / np.sqrt(batches)), (cv, error)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("drift", "mu", "sigma", "k", "low"),
    [(theory.lif_drift, 0.9, 0.35, 0.25, None), (theory.pif_drift, 0.0, 0.5, 0.5, -0.5)],
)
def test_simulations(drift, mu, sigma, k, low):
    """100,000 intervals, tau_m = 20 ms and tau_noise = 5, 10 ms in units of tau_m, tau_refrac 2 ms. Halving dt moves the mean
    interval by less than its standard error (.2 to .5 %), so that dt's bias can be left out."""
    rng = np.random.default_rng(1 if low is None else 2)
    spans = intervals(low is None, mu, sigma, k, 0.1, low or 0.0, 0.002, 100_000, rng)
    (mean, mean_error), (cv, cv_error) = mean_and_cv(spans)
    rate, known = coloured_fp_rate_and_cv(drift(mu), sigma, k, **HELD, v_low=low)
    assert abs(mean - 1 / rate) < 4 * mean_error < 0.02 * mean
    assert abs(cv - known) < 4 * cv_error < 0.03 * cv

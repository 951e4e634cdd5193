"""The two-dimensional Fokker-Planck equation of coloured noise: exact and limiting cases, convergence, simulations of (V, I)."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from brian2 import ms, mV

from nsnn_neuro import theory

UNIT = {"tau_m": 1.0, "v_spike": 1.0, "v_reset": 0.0, "tau_refrac": 0.0}
HELD = {**UNIT, "tau_refrac": 0.1}
SHORT = {"tau_m": 1.0, "v_thresh": 1.0, "v_reset": 0.0, "tau_refrac": 0.0}
EIF = theory.eif_drift(0.8, delta_T=0.1, v_thresh=1.0)
QIF = theory.Drift(lambda v: v * v + 0.2, unit="1")


@pytest.mark.slow
def test_perfect_integrator_has_the_noiseless_rate():
    """Its input averages to zero whatever its correlations: rate mu / d, to rounding."""
    mu, sigma, tau_noise = (
        np.array([0.5, 2.0]),
        np.array([[0.2], [0.4]]),
        np.array([0.05, 2.0])[:, None, None],
    )
    cell = {**UNIT, "v_spike": 1.25, "resolution": 0.5}
    rate = theory.coloured_fp_rate(theory.pif_drift(mu), sigma, tau_noise, **cell)
    assert rate.shape == (2, 2, 2)
    assert np.max(np.abs(rate / (mu / 1.25) - 1)) < 1e-6  # what the mesh leaves out at the ends


@pytest.mark.slow
@pytest.mark.parametrize("mu", [0.8, 1.0])
def test_short_correlations_meet_the_expansion(mu):
    """Fourcaud & Brunel's first order is right up to tau_noise: what it leaves, over tau_noise, is a constant within 2 % (a
    coefficient of the order sqrt(tau_noise) that is off by .1 % moves it by 5 %); the next order, a fit, is nearer."""
    tau_noise, sigma = np.array([0.02, 0.01]), 0.35
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
    for coloured, white in (
        (theory.coloured_fp_rate, theory.fp_rate),
        (theory.coloured_fp_cv, theory.fp_cv),
    ):
        known = white(EIF, 0.3, cells=4000, **cell)
        off = coloured(EIF, 0.3, tau_noise, **cell, resolution=1.3) / known - 1
        assert abs(off[0]) > 0.005
        assert abs(2 * off[1] - off[0]) < 0.1 * abs(off[0])
        assert abs(8 * off[2] / 3 - 2 * off[1] + off[0] / 3) < 2e-4


@pytest.mark.slow
def test_long_correlations_average_the_noiseless_neuron():
    """Frozen I: rate E[1/T], CV^2 = E[1/T] E[T] - 1 over its law, T = tau_refrac + ln((mu + I) / (mu + I - 1))."""
    mu, sigma, tau_noise = 2.0, 0.2, np.array([0.25, 20.0])
    node, weight = np.polynomial.hermite_e.hermegauss(40)
    for k, rate, cv in zip(
        tau_noise,
        theory.coloured_fp_rate(theory.lif_drift(mu), sigma, tau_noise, **HELD),
        theory.coloured_fp_cv(theory.lif_drift(mu), sigma, tau_noise, **HELD),
        strict=True,
    ):
        drive = mu + sigma * np.sqrt(1 + 1 / k) * node
        fires = drive > 1.05  # 4.6 standard deviations of I
        period = 0.1 + np.log(drive[fires] / (drive[fires] - 1))
        share = weight[fires] / np.sqrt(2 * np.pi)
        frozen, mean = np.sum(share / period), np.sum(share * period)
        if k == 20:
            assert rate == pytest.approx(frozen, rel=1e-5)
            assert cv == pytest.approx(np.sqrt(frozen * mean - 1), rel=0.02)
        else:
            assert abs(rate / frozen - 1) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("drift", "sigma", "tau_noise", "cell"),
    [
        (theory.lif_drift(1.0), 0.35, 0.05, HELD),
        (theory.pif_drift(0.0), 0.5, 0.5, {**HELD, "v_low": -0.5}),
        (EIF, 0.3, 1.0, {**HELD, "v_spike": 2.0}),
        (QIF, 0.5, 0.25, {**UNIT, "v_spike": 40.0, "v_reset": -40.0}),
    ],
)
def test_finer_meshes_agree(drift, sigma, tau_noise, cell):
    """Rate and CV at half, default and 1.5 times the resolution: the default is within 1e-4, and nearer than the half."""
    for function in (theory.coloured_fp_rate, theory.coloured_fp_cv):
        half, default, fine = (
            function(drift, sigma, tau_noise, resolution=r, **cell) for r in (0.5, 1.0, 1.5)
        )
        assert default == pytest.approx(fine, rel=1e-4)
        assert half == pytest.approx(fine, rel=2e-3)
        assert abs(default - fine) < max(abs(half - fine), 1e-6 * fine)


@pytest.mark.slow
def test_weak_noise():
    """A CV of .0151 is the difference of two moments of 1: CV^2 has an absolute error of some 1e-7."""
    default, fine = (
        theory.coloured_fp_cv(theory.lif_drift(1.5), 0.01, 0.25, resolution=r, **HELD) for r in (1.0, 2.5)
    )
    assert default**2 == pytest.approx(fine**2, abs=3e-7)


@pytest.mark.slow
def test_long_correlations_converge():
    """tau_noise = 20 tau_m, where V and I are all but bound to each other."""
    half, default, fine = (
        theory.coloured_fp_rate(theory.lif_drift(0.8), 0.3, 20.0, resolution=r, **HELD)
        for r in (0.5, 1.0, 1.4)
    )
    assert default == pytest.approx(fine, rel=2e-5)
    assert half == pytest.approx(fine, rel=5e-4)


@pytest.mark.slow
def test_units_and_shapes():
    """Millivolts and milliseconds give the plain numbers' rate over tau_m; parameters of the drift broadcast too."""
    cell = {"tau_m": 20 * ms, "v_spike": 20 * mV, "v_reset": 10 * mV, "tau_refrac": 2 * ms}
    drift, tau_noise = theory.lif_drift([18, 20] * mV), [[5], [20]] * ms
    rate = theory.coloured_fp_rate(drift, 3 * mV, tau_noise, **cell, resolution=0.5)
    cv = theory.coloured_fp_cv(drift, 3 * mV, 5 * ms, **cell, resolution=0.5)
    assert rate.shape == (2, 2)
    assert cv.shape == (2,)
    for i, j in np.ndindex(2, 2):
        same = theory.lif_drift([0.8, 1.0][j]), 0.3, [0.25, 1.0][i]
        assert rate[i, j] * 0.02 == pytest.approx(
            theory.coloured_fp_rate(*same, **HELD, resolution=0.5), rel=1e-9
        )
        if i == 0:
            assert cv[j] == pytest.approx(theory.coloured_fp_cv(*same, **HELD, resolution=0.5), rel=1e-9)


@numba.njit
def intervals(kind, mu, sigma, k, refrac, low, spike, dt, count, rng):
    """`count` successive intervals, each from v = 0 on a grid of its own, crossings interpolated; I is an exact OU process.

    kind 0: LIF, the joint Gaussian update of (V, I), exact; 1: perfect integrator above a wall; 2: EIF by Heun's method.
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
            if kind == 0:
                w = mu + (v - mu) * b + c * current + both * xi + own * rng.standard_normal()
            elif kind == 1:
                w = max(low, v + dt * (mu + (current + after) / 2))
            else:
                f = mu - v + 0.1 * np.exp((v - 1) / 0.1) + current
                u = min(v + dt * f, spike + 1)
                w = v + dt / 2 * (f + mu - u + 0.1 * np.exp((u - 1) / 0.1) + after)
            if w >= spike:
                part = (spike - v) / (w - v)
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
    ("kind", "drift", "mu", "sigma", "k", "low", "spike"),
    [
        (0, theory.lif_drift, 0.9, 0.35, 0.25, None, 1.0),
        (1, theory.pif_drift, 0.0, 0.5, 0.5, -0.5, 1.0),
        (2, lambda mu: theory.eif_drift(mu, delta_T=0.1, v_thresh=1.0), 0.8, 0.35, 0.25, None, 1.6),
    ],
)
def test_simulations(kind, drift, mu, sigma, k, low, spike):
    """100,000 intervals, tau_m = 20 ms and tau_noise = 5, 20 ms in units of tau_m, tau_refrac 2 ms. Halving dt moves the mean
    interval by less than its standard error (.2 to .5 %), so that dt's bias can be left out."""
    spans = intervals(
        kind, mu, sigma, k, 0.1, low or 0.0, spike, 0.002, 100_000, np.random.default_rng(kind + 1)
    )
    (mean, mean_error), (cv, cv_error) = mean_and_cv(spans)
    cell = {**HELD, "v_spike": spike, "v_low": low}
    assert abs(mean - 1 / theory.coloured_fp_rate(drift(mu), sigma, k, **cell)) < 4 * mean_error < 0.02 * mean
    assert abs(cv - theory.coloured_fp_cv(drift(mu), sigma, k, **cell)) < 4 * cv_error < 0.03 * cv

"""Noises of the membrane beyond white and OU, and the neurons that came with them, against closed forms and solvers.

Rates and CVs against first-passage theory are in the certificate (`tests/certify/`).
"""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import Hz, kHz, ms, mV
from helpers.refusals import assert_refused
from scipy import stats
from scipy.integrate import solve_ivp
from scipy.special import ndtr

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, theory
from nsnn_neuro.brian import philox

DEAF = {"v_reset": 0 * mV, "v_thresh": 1000 * mV, "tau_refrac": 0 * ms}  # never fires


def membranes(block):
    """All recorded membranes, shape (trials, steps, neurons), in SI."""
    return np.array([s.analogsignals[-1].magnitude for s in block.segments])


# ------------------------------------------------------------------------------------------------ multiplicative noise


def geometric(calculus, dt, n_steps, n=4000, sigma=0.4, seed=7):
    """tau dx = sigma x sqrt(2 tau) dW from x = 1, tau 10 ms: the simulated paths and the Brownian motion (ms) that drove them."""
    cell = nsnn.PIF(tau_m=10 * ms, v_reset=1.0, v_thresh=1e6, tau_refrac=0 * ms)
    noise = nsnn.MultiplicativeNoise(sigma, 0.0, calculus=calculus)
    # the voltage that enters the last step is the state after n_steps
    run = {"duration": (n_steps + 1) * dt * ms, "dt": dt * ms, "record_v": True, "bridge": False}
    block = nsnn.simulate(cell, noise, n_neurons=n, seed=seed, engine="numpy", **run)
    where = np.arange(n_steps)[:, None], np.arange(n), 0, 0, philox.Stream.MEMBRANE
    z = philox.normal(*where, *philox.key(seed))
    return membranes(block)[0], np.concatenate([np.zeros((1, n)), np.cumsum(z, axis=0)]) * np.sqrt(dt)


@pytest.mark.slow
@pytest.mark.parametrize("calculus", ["ito", "stratonovich"])
def test_strong_order_is_one_on_the_exact_path(calculus):
    """E |x - exact| at 2 tau on the same Brownian path, over dt = .1 to .8 ms: order 1 (Euler's rule would have .5)."""
    sigma, errors, steps = 0.4, [], [0.1, 0.2, 0.4, 0.8]
    for dt in steps:
        n_steps = round(20 / dt)
        x, w = geometric(calculus, dt, n_steps, sigma=sigma)
        drift = -(sigma**2) * 20 / 10 if calculus == "ito" else 0.0
        exact = np.exp(sigma * np.sqrt(2 / 10) * w[-1] + drift)
        errors.append(np.abs(x[n_steps] - exact).mean())
    order = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert order == pytest.approx(1.0, abs=0.1)


@pytest.mark.slow
def test_multiplicative_noise_in_a_leaky_membrane_has_its_moments():
    """tau dV = (mu - V) dt + s (V - v0) sqrt(2 tau) dW, Ito: mean mu, variance s^2 (mu - v0)^2 / (1 - s^2); |z| < 4."""
    s, mu, v0 = 0.3, 5.0, -10.0
    cell = nsnn.LIF(tau_m=10 * ms, v_rest=0 * mV, **DEAF)
    block = nsnn.simulate(
        cell, nsnn.MultiplicativeNoise(s, v0 * mV, calculus="ito"), nsnn.Constant(mu * mV), n_neurons=3000, duration=150 * ms,
        seed=3, record_v=True, engine="numpy",
    )  # fmt: skip
    v = 1e3 * membranes(block)[0][[1000, 1200, 1499]]
    variance = s**2 * (mu - v0) ** 2 / (1 - s**2)
    for now in v:
        assert abs(now.mean() - mu) / np.sqrt(variance / now.size) < 4
        deviation = (now - mu) ** 2
        assert abs(deviation.mean() - variance) / (deviation.std() / np.sqrt(now.size)) < 4


def test_crossings_between_grid_points_are_those_of_the_logarithm():
    """One step from .9 theta, its end below: P(spike) = exp(-2 ln(theta / x0) ln(theta / x1) / s^2); |z| < 4, of x1 > x0 too."""
    n, sigma, dt = 20_000, 0.7, 0.4
    cell = nsnn.PIF(tau_m=10 * ms, v_reset=0.9, v_thresh=1.0, tau_refrac=0 * ms)
    noise = nsnn.MultiplicativeNoise(sigma, 0.0, calculus="ito")
    block = nsnn.simulate(cell, noise, n_neurons=n, duration=dt * ms, dt=dt * ms, seed=3, engine="numpy")
    fired = np.zeros(n)
    fired[block.segments[0].spiketrains.multiplexed[0]] = 1
    s = sigma * np.sqrt(2 * dt / 10)
    z = philox.normal(0, np.arange(n), 0, 0, philox.Stream.MEMBRANE, *philox.key(3))
    x1 = 0.9 * (1 + s * z + 0.5 * s**2 * (z**2 - 1))
    p = np.exp(-2 * np.log(1 / 0.9) * np.log(1 / np.minimum(x1, 1)) / s**2)
    assert fired[x1 >= 1].all()
    for some in (x1 < 1, (x1 > 0.9) & (x1 < 1)):
        assert abs((fired - p)[some].sum()) / np.sqrt((p * (1 - p))[some].sum()) < 4


class Mine(nsnn.Noise):
    """Without equations."""


def started(noise):
    cell = nsnn.LIF(tau_m=10 * ms, v_rest=0 * mV, **DEAF)
    return nsnn.simulate(cell, noise, duration=1 * ms, seed=1, engine="numpy")


REFUSED = [
    (lambda: started(Mine()), "noise = Mine(...): ", "equations"),
    (lambda: started(nsnn.PoissonNoise(1e7 * Hz, 0.1 * mV)), "rate = ", "500 jumps"),
    (lambda: nsnn.EscapeNoise(), "family", "expected one of them"),
    (lambda: nsnn.EscapeNoise(nsnn.Gaussian(0.4), hazard=nsnn.ExponentialHazard(10 * Hz, 0.2)), "family", "expected one of them"),
    (lambda: nsnn.EscapeNoise(hazard=nsnn.Gaussian(0.4)), "hazard = Gaussian", "expected"),
]  # fmt: skip


def test_noises_that_cannot_be_are_refused():
    assert_refused(REFUSED)


# ---------------------------------------------------------------------------------------- conductances, threshold, Poisson


@pytest.mark.slow
def test_conductance_noise_has_the_exact_moments():
    """Mean and SD of the free membrane against the moment hierarchy, and of both conductances' law by their effect; |z| < 4."""
    excitation = {"g_e": 0.6, "sigma_e": 0.2, "tau_e": 3 * ms, "e_rev_e": 60 * mV}
    with_units = excitation | {"g_i": 1.2, "sigma_i": 0.4, "tau_i": 10 * ms, "e_rev_i": -15 * mV}
    cell = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, **DEAF)
    block = nsnn.simulate(
        cell, nsnn.ConductanceNoise(**with_units), nsnn.Constant(3 * mV), n_neurons=4000, duration=150 * ms, dt=0.1 * ms, seed=3,
        record_v=True, engine="numpy",
    )  # fmt: skip
    v = 1e3 * membranes(block)[0][1499]
    mean, sd = (1e3 * x for x in theory.conductance_moments(3 * mV, tau_m=20 * ms, **with_units))
    assert abs(v.mean() - mean) / (v.std() / np.sqrt(v.size)) < 4
    assert abs(v.std() - sd) / (sd * np.sqrt((stats.kurtosis(v) + 2) / (4 * v.size))) < 4
    assert sd > 1


@pytest.mark.slow
def test_noisy_threshold_is_drawn_anew_for_each_interval():
    """A rising membrane without noise meets each threshold at its time: thresholds read off the intervals are normal (KS test)."""
    tau, mu, reset, mean, sd = 20.0, 40.0, 0.0, 20.0, 2.0
    cell = nsnn.LIF(tau_m=tau * ms, v_rest=0 * mV, v_reset=reset * mV, v_thresh=mean * mV, tau_refrac=0 * ms)
    run = {"n_neurons": 100, "duration": 500 * ms, "dt": 0.05 * ms, "seed": 3, "engine": "numpy"}
    block = nsnn.simulate(cell, nsnn.ThresholdNoise(sd * mV), nsnn.Constant(mu * mV), **run)
    intervals = [1e3 * np.diff(t.magnitude) for t in block.segments[0].spiketrains]
    pooled = np.concatenate(intervals)
    met = mu + (reset - mu) * np.exp(-pooled / tau)
    assert pooled.size > 2500
    assert stats.kstest(met, stats.norm(mean, sd).cdf).pvalue > 1e-4
    lag = np.concatenate([np.stack([i[:-1], i[1:]]) for i in intervals], axis=1)
    assert abs(np.corrcoef(lag)[0, 1]) < 4 / np.sqrt(lag.shape[1])


@pytest.mark.parametrize("mean", [0.05, 300.0])
def test_keyed_poisson_draws_are_poisson(mean):
    u = philox.uniform(np.arange(20000), 3, 1, 0, philox.Stream.POISSON, *philox.key(5))
    k = philox.jumps(u, mean, np.exp(-mean))
    assert abs(k.mean() - mean) / np.sqrt(mean / k.size) < 4
    edges = np.unique(stats.poisson(mean).ppf(np.linspace(0, 1, 12)[1:-1]))
    observed = np.bincount(np.searchsorted(edges, k), minlength=edges.size + 1)
    expected = k.size * np.diff(np.concatenate([[0], stats.poisson(mean).cdf(edges), [1]]))
    used = expected > 5
    assert stats.chi2(used.sum() - 1).sf(((observed - expected)[used] ** 2 / expected[used]).sum()) > 1e-4


@pytest.mark.slow
def test_poisson_background_has_campbells_moments():
    """Campbell's theorem for the free membrane: mean tau sum w r, variance tau sum w^2 r / 2; |z| < 4."""
    rates, weights, dt, tau = np.array([8.0, 2.0]), np.array([0.2, -0.5]), 0.1, 20.0
    noise = nsnn.PoissonNoise(
        rates[0] * kHz, weights[0] * mV, rate_inh=rates[1] * kHz, weight_inh=weights[1] * mV
    )
    cell = nsnn.LIF(tau_m=tau * ms, v_rest=0 * mV, **DEAF)
    block = nsnn.simulate(
        cell, noise, n_neurons=4000, duration=200 * ms, dt=dt * ms, seed=3, record_v=True, engine="numpy"
    )
    v = 1e3 * membranes(block)[0][1999]
    mean, variance = tau * (weights * rates).sum(), tau * (weights**2 * rates).sum() / 2
    assert abs(v.mean() - mean) / np.sqrt(variance / v.size) < 4
    assert abs(v.var() / variance - 1) / np.sqrt(2 / v.size) < 4


# --------------------------------------------------------------------------------------------------------- escape noise

HAZARDS = [
    nsnn.ExponentialHazard(80 * Hz, 0.3),
    nsnn.GaussianHazard(120 * Hz, 0.5),
    nsnn.PlesserGerstner(0.3, tau_m=20 * ms),
]


@pytest.mark.slow
@pytest.mark.parametrize("hazard", HAZARDS[::2])
def test_hazard_of_a_still_membrane_is_the_rate(hazard):
    """First spikes at rest, at two distances: P(spike before step k) = 1 - exp(-rho k dt), |z| < 4 at k = 1, 5, 40."""
    x = np.repeat([-0.4, -0.1], 3000)
    cell = nsnn.LIF(tau_m=20 * ms, v_rest=x + 1.0, v_reset=-5.0, v_thresh=1.0, tau_refrac=100 * ms)
    block = nsnn.simulate(
        cell,
        nsnn.EscapeNoise(hazard=hazard),
        n_neurons=x.size, duration=50 * ms, dt=0.5 * ms, seed=4, engine="numpy",
    )  # fmt: skip
    first = np.array([t.magnitude[0] if len(t) else 1.0 for t in block.segments[0].spiketrains]) / 0.5e-3
    for distance in (-0.4, -0.1):
        mine = first[x == distance]
        for k in (1, 5, 40):
            p = -np.expm1(-float(hazard.hazard(distance)) * k * 0.5e-3)
            assert abs((mine < k - 0.5).mean() - p) / np.sqrt(p * (1 - p) / mine.size) < 4


def test_hazard_text_is_its_function():
    """`rate_text` evaluated as text against `.hazard`, over distances and slopes, also far out."""
    x, rise = np.meshgrid(np.concatenate([np.linspace(-3, 3, 41), [-1e3, 1e3]]), [-50.0, 0.0, 80.0])
    for hazard in HAZARDS:
        values = {f.name: hazard.si(f.name) for f in hazard.parameter_fields()}
        functions = {name: getattr(np, name) for name in ("exp", "sqrt", "abs", "clip", "pi")}
        names = {"x": x, "rise": rise, **functions, **values}
        with np.errstate(under="ignore"):
            text = eval(hazard.rate_text, {"__builtins__": {}}, names)
        assert np.isfinite(text).all()
        np.testing.assert_allclose(text, hazard.hazard(x, rise), rtol=1e-12, atol=1e-300)


def test_plesser_gerstner_is_the_theorys_hazard():
    rho = theory.plesser_gerstner_hazard(3 * mV, tau_m=20 * ms, v_thresh=20 * mV)
    hazard = nsnn.PlesserGerstner(3 * mV, tau_m=20 * ms)
    u, slope = np.array([5e-3, 15e-3, 21e-3]), np.array([1.0, -0.3, 0.2])
    np.testing.assert_allclose(hazard.hazard((u - 20e-3) * 1e3 * mV, slope), rho(u, slope), rtol=1e-12)


def test_double_noise_counts_it_twice():
    """beta = 0: P(spike) = Phi((I - theta) / (sqrt2 sigma)), not Phi((I - theta) / sigma); 30,000 draws, |z| < 4."""
    drive, sigma = 0.7, 0.4
    run = {"n_neurons": 300, "duration": 100 * ms, "dt": 1 * ms, "seed": 1, "engine": "numpy"}
    block = nsnn.simulate(nsnn.NSNNNeuron(beta=0.0), nsnn.DoubleNoise(sigma), nsnn.Constant(drive), **run)
    p, n = sum(len(t) for t in block.segments[0].spiketrains) / 30000, 30000
    expected = ndtr((drive - 1) / (np.sqrt(2) * sigma))
    assert abs(p - expected) / np.sqrt(p * (1 - p) / n) < 4
    assert abs(p - ndtr((drive - 1) / sigma)) / np.sqrt(p * (1 - p) / n) > 10


# ------------------------------------------------------------------------------------------------------------- neurons


def wang_buzsaki_rhs(current):
    """The published equations in mV, ms, uA/cm2, written out here once more."""

    def rhs(_, y):
        v, h, n = y
        alpha_m, beta_m = -0.1 * (v + 35) / np.expm1(-0.1 * (v + 35)), 4 * np.exp(-(v + 60) / 18)
        m = alpha_m / (alpha_m + beta_m)
        alpha_h, beta_h = 0.07 * np.exp(-(v + 58) / 20), 1 / (np.exp(-0.1 * (v + 28)) + 1)
        alpha_n, beta_n = -0.01 * (v + 34) / np.expm1(-0.1 * (v + 34)), 0.125 * np.exp(-(v + 44) / 80)
        dv = current - 0.1 * (v + 65) - 35 * m**3 * h * (v - 55) - 9 * n**4 * (v + 90)
        return [dv, 5 * (alpha_h * (1 - h) - beta_h * h), 5 * (alpha_n * (1 - n) - beta_n * n)]

    return rhs


@pytest.mark.slow
def test_the_rate_of_wang_buzsaki_is_that_of_an_ode_solver_at_the_step_that_is_recommended():
    """Over 250 ms at three currents: within 0.1 % at 0.02 ms; at the default 0.1 ms, with a warning, above 0.4 % at two."""
    currents = np.array([0.5, 1.2, 5.0])
    v = -65.0
    a_h, b_h = 0.07 * np.exp(-(v + 58) / 20), 1 / (np.exp(-0.1 * (v + 28)) + 1)
    a_n, b_n = -0.01 * (v + 34) / np.expm1(-0.1 * (v + 34)), 0.125 * np.exp(-(v + 44) / 80)

    def upstroke(_, y):
        return y[0]

    upstroke.__dict__.update(direction=1)
    start, given = [v, a_h / (a_h + b_h), a_n / (a_n + b_n)], {"rtol": 1e-9, "atol": 1e-9, "method": "LSODA"}
    exact = [
        solve_ivp(wang_buzsaki_rhs(i), (0, 250), start, events=upstroke, **given).t_events[0]
        for i in currents
    ]

    def errors(dt):
        block = nsnn.simulate(
            nsnn.WangBuzsaki(), stimulus=nsnn.Constant(10 * currents * mV), n_neurons=3, duration=250 * ms, dt=dt * ms,
            engine="numpy",
        )  # fmt: skip
        found = [1e3 * t.magnitude for t in block.segments[0].spiketrains]
        assert dt > 0.02 or all(np.abs(a[:3] - b[:3]).max() < 0.06 for a, b in zip(found, exact, strict=True))
        both = zip(found, exact, strict=True)
        shared = [(found, other, min(len(found), len(other)) - 1) for found, other in both]
        return np.array([(other[n] - other[1]) / (found[n] - found[1]) - 1 for found, other, n in shared])

    assert np.abs(errors(0.02)).max() < 0.001
    with pytest.warns(UserWarning, match="fastest gate"):
        assert errors(0.1)[:2].min() > 0.004


def test_a_membrane_that_leaves_the_numbers_is_named():
    cell = nsnn.QIF(tau_m=10 * ms, v_rest=0.0, v_reset=-1e160, v_thresh=1.0, v_spike=5.0, tau_refrac=0 * ms)
    with pytest.raises(NsnnError, match=r"membrane of 'neurons', a QIF"):
        nsnn.simulate(cell, stimulus=nsnn.Constant(1e300), duration=20 * ms, dt=1 * ms, engine="numpy")

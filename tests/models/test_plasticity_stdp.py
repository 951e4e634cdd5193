"""Spike timing against closed sums over pairs of spikes; the factors of white-noise membranes against numerical derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import Network, NeuronGroup, SpikeGeneratorGroup, TimedArray, ms, mV
from helpers.learning import DT, trains
from scipy import special

import nsnn_neuro as nsnn
from nsnn_neuro import PairSTDP, RewardModulatedSTDP, white_noise_factor
from nsnn_neuro.brian import run, running


def pair_sum(pre, post, rule, dt):
    """dw of one synapse: every pair of spikes by itself."""
    a, b, tau_a, tau_b = (rule.si(name) for name in ("A_plus", "A_minus", "tau_plus", "tau_minus"))
    lag = dt * (np.flatnonzero(post)[None, :] - np.flatnonzero(pre)[:, None])
    return np.sum(np.where(lag >= 0, a * np.exp(-np.abs(lag) / tau_a), -b * np.exp(-np.abs(lag) / tau_b)))


def timed(rule, pre, post, **more):
    """Weights (n_pre, n_post) after spikes at these steps of 1 ms."""
    with running("numpy") as device:
        a, b = (
            SpikeGeneratorGroup(s.shape[1], np.nonzero(s)[1], np.nonzero(s)[0] * ms, dt=DT)
            for s in (pre, post)
        )
        s = nsnn.plastic_synapses(rule, a, b, on_pre="", **more)
        s.connect()
        run(Network(a, b, s), len(pre) * 1e-3, device, False)
        return np.array(s.w[:]).reshape(pre.shape[1], post.shape[1])


@pytest.mark.slow
def test_stdp_is_the_sum_over_pairs():
    rule = PairSTDP(A_plus=0.3 * mV, A_minus=0.2 * mV, tau_plus=17 * ms, tau_minus=34 * ms)
    pre, post = trains(3, 300, 1), trains(2, 300, 2)
    assert np.any(pre.T @ post > 0)  # some at the same time
    expected = [[pair_sum(a, b, rule, 1e-3) for b in post.T] for a in pre.T]
    found = timed(rule, pre, post)
    assert np.abs(np.array(expected)).min() > 1e-4
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)
    held = timed(rule, pre, post, bounds=(-0.05 * mV, 0.1 * mV))
    assert -5e-5 <= held.min() < held.max() <= 1e-4


@pytest.mark.slow
def test_rewarded_pairs():
    """Eligibility by hand, step by step: pairs join it, it decays with tau_e, and weights follow reward times eligibility."""
    rule = RewardModulatedSTDP(
        A_plus=0.3, A_minus=0.2, tau_plus=10 * ms, tau_minus=20 * ms, tau_e=30 * ms, eta=0.5
    )
    steps, reward = 80, np.random.default_rng(3).normal(0, 1, (80, 1))
    pre, post = trains(3, steps, 4), trains(2, steps, 5)
    with running("numpy") as device:
        source = SpikeGeneratorGroup(3, np.nonzero(pre)[1], np.nonzero(pre)[0] * ms, dt=DT)
        values = {"fires": TimedArray(post, dt=DT), "rewards": TimedArray(reward, dt=DT)}
        target = NeuronGroup(
            2, "R = rewards(t, 0) : 1", threshold="fires(t, i) > 0", reset="", namespace=values, dt=DT
        )
        s = nsnn.plastic_synapses(rule, source, target, on_pre="")
        s.connect()
        run(Network(source, target, s), steps * 1e-3, device, False)
        found = np.array(s.w[:]).reshape(3, 2)
        left = np.array(s.c[:]).reshape(3, 2)
    for i, j in np.ndindex(3, 2):
        w, c, before = 0.0, 0.0, 0.0
        for k in range(steps):
            paired = pair_sum(pre[: k + 1, i], post[: k + 1, j], rule, 1e-3)
            c += paired - before
            before = paired
            w += 0.5 * reward[k, 0] * c
            c *= np.exp(-1 / 30)
        assert found[i, j] == pytest.approx(w, abs=1e-12)
        assert left[i, j] == pytest.approx(c, abs=1e-12)
    assert np.abs(found).min() > 1e-3


def crossing(m, x0, s, theta, bridge):
    """P of a spike in a white-noise step, the bridge's part by exp(A) Phi(-y) = phi(z) sqrt(pi / 2) erfcx(y / sqrt 2)."""
    z, y = (m - theta) / s, (m + theta - 2 * x0) / s
    return special.ndtr(z) + bridge * np.exp(-0.5 * z**2) * special.erfcx(y / np.sqrt(2)) / 2


@pytest.mark.parametrize("bridge", [False, True])
def test_the_factor_of_a_white_noise_step_is_the_derivative_of_its_probability(bridge):
    theta, s = 1.0, 0.1
    m, x0 = (g.ravel() for g in np.meshgrid(np.linspace(0.2, 1.4, 61), np.linspace(-0.5, 0.99, 40)))
    h = 3e-4
    d = [crossing(m + k * h, x0, s, theta, bridge) for k in (-2, -1, 1, 2)]
    slope = (d[0] - 8 * d[1] + 8 * d[2] - d[3]) / (12 * h)
    names = {
        "m": m,
        "x0": x0,
        "s": s,
        "v_thresh": theta,
        "normal_cdf": special.ndtr,
        "pi": np.pi,
        "inf": np.inf,
    }
    names |= {"exp": np.exp, "sqrt": np.sqrt, "clip": np.clip, "int": lambda b: np.asarray(b).astype(int)}
    found = eval(white_noise_factor(bridge=bridge), {}, names)
    assert slope.max() > 2
    np.testing.assert_allclose(found, slope, rtol=0, atol=1e-8)
    z, y = (m - theta) / s, (m + theta - 2 * x0) / s
    if bridge:
        closed = (theta - x0) / s**2 * np.exp(-0.5 * z**2) * special.erfcx(y / np.sqrt(2))
        assert ((y > 8) & (closed > 1e-3)).sum() > 20
        np.testing.assert_allclose(found, closed, rtol=1e-10, atol=1e-290)
        # a membrane that starts above threshold fires anyhow
        assert not np.any(eval(white_noise_factor(bridge=True), {}, names | {"x0": x0 + 1.6}))

"""Noise-driven learning of diffusive neurons: one step, and paths with resets."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import Network, NeuronGroup, SpikeGeneratorGroup, SpikeMonitor, StateMonitor, TimedArray, ms, mV
from helpers.learning import DT, trains
from scipy import special

import nsnn_neuro as nsnn
from nsnn_neuro import NDL
from nsnn_neuro.brian import run, running

TAU = 20 * ms
ETA = 0.3  # V^2


def chance(m, x0, s, theta, bridge):
    """The probability of a spike, from the two terms of the reflected path; an x0 above threshold fires with the bridge."""
    straight = special.ndtr((m - theta) / s)
    if not bridge:
        return straight
    below = np.minimum(x0, theta)
    y = (m + theta - 2 * below) / s
    reflected = np.exp(2 * (m - below) * (theta - below) / s**2 + special.log_ndtr(-y))
    return np.where(x0 >= theta, 1.0, straight + reflected)


def successor(x0, mu, sigma, method, lapse):
    """The step's mean and standard deviation."""
    if method == "euler":
        return x0 + (mu - x0) * lapse, sigma * np.sqrt(2 * lapse)
    return mu + (x0 - mu) * np.exp(-lapse), sigma * np.sqrt(-np.expm1(-2 * lapse))


@pytest.mark.parametrize(
    ("lapse", "mu", "bridge", "method"), [(1 / 20, 16.0, False, "euler"), (1.0, 25.0, True, "exact")]
)
def test_one_step_is_the_derivative_of_the_probability(lapse, mu, bridge, method):
    """An arrival in the step before: dw = -eta L dP/dw, P at x0 = v + w, by differences; in volts and in plain numbers.

    A step as long as tau_m goes to threshold from far below, where the text takes a continued fraction.
    """
    v, w, sigma, theta, signal = np.array([5.0, 12.0, 18.5, 14.0]), 1.2, 3.0, 20.0, 0.7

    def probability(weight):
        m, s = successor(v + weight, mu, sigma, method, lapse)
        return chance(m, v + weight, s, theta, bridge)

    h = 1e-3
    d = [probability(w + k * h) for k in (-2, -1, 1, 2)]
    expected = -ETA * signal * (d[0] - 8 * d[1] + 8 * d[2] - d[3]) / (12 * h)
    assert np.abs(expected).max() > 1e-3
    for unit, kind in ((mV, "volt"), (1.0, "1")):
        with running("numpy") as device:
            source = SpikeGeneratorGroup(1, [0], [0] * ms, dt=DT)
            target = NeuronGroup(
                4, f"v : {kind}\nL : 1\ndrive : {kind}", threshold="False", namespace={}, dt=DT
            )
            target.v, target.L, target.drive = v * unit, signal, mu * unit
            how = {"noise": nsnn.WhiteNoise(sigma * unit), "tau_m": DT / lapse, "v_thresh": theta * unit}
            how |= {"membrane": "v", "mu": "drive" if kind == "1" else mu * unit}
            s = nsnn.plastic_synapses(
                NDL(ETA * float(unit) ** 2), source, target, method=method, bridge=bridge, **how
            )
            s.connect()
            s.w = w * unit
            run(Network(source, target, s), 2e-3, device, False)
            found = np.array(s.w[:]) / float(unit) - w
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7 * max(np.abs(expected).max(), 1e-3))


def loop(path, refractory, sent, told, bridge, method, trial):
    """The rule as a plain loop over steps; `path`: v at each step's start, fired there (steps, n)."""
    (v, fired), (steps, n) = path, path[0].shape
    lapse, theta, sigma, mu = 1 / 20, np.array([18.0, 20.0, 19.0]), 3.0, 15.0
    trace, grad, w = np.zeros((sent.shape[1], n)), 0.0, np.zeros((sent.shape[1], n))
    held = np.zeros(n)
    for t in range(steps):
        m, s = successor(v[t], mu, sigma, method, lapse)
        kept = 1 - lapse if method == "euler" else np.exp(-lapse)
        z, y = (m - theta) / s, (m + theta - 2 * v[t]) / s
        slope = kept * np.exp(-0.5 * z**2) / (s * np.sqrt(2 * np.pi))
        # another form of what is differentiated above, and of the path from an x0 nearer to threshold
        if bridge:
            mills = np.sqrt(np.pi / 2) * special.erfcx(y / np.sqrt(2))
            slope *= 2 * ((theta - v[t]) / s * mills + (1 - y * mills) / kept)
            slope = np.where(v[t] < theta, slope, 0)
        grad = grad + told[t] * slope * trace
        trace = kept * trace
        held = np.maximum(held - 1, 0)
        trace = trace + sent[t][:, None] * ((held == 0) & ~fired[t])
        trace = np.where(fired[t], 0, trace)
        held = np.where(fired[t], refractory, held)
        if trial is None or (t + 1) % trial == 0:
            w, grad = w - ETA * grad, 0.0
            if trial is not None:
                trace = 0 * trace
    return w


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bridge", "method", "refractory", "trial"), [(True, "euler", 3, None), (False, "exact", 0, 40)]
)
def test_paths_with_resets_against_a_loop(bridge, method, refractory, trial):
    """Spikes of the source arrive in the step's end, also in steps in which the target fires and while it is held."""
    steps, n = 200, 3
    sent = trains(4, steps, 1)
    rng = np.random.default_rng(2)
    told, kicks = rng.normal(0, 1, (steps, n)), rng.normal(0, 1.2, (steps, n))
    values = {"told": TimedArray(told, dt=DT), "kick": TimedArray(kicks, dt=DT)}
    values |= {"fire": TimedArray((rng.random((steps, n)) < 0.08).astype(float), dt=DT)}
    with running("numpy") as device:
        source = SpikeGeneratorGroup(4, np.nonzero(sent)[1], np.nonzero(sent)[0] * ms, dt=DT)
        target = NeuronGroup(
            n,
            "dv/dt = (15 - v) / (20*ms) + kick(t, i) / ms : 1 (unless refractory)\nL = told(t, i) : 1\nlevel : 1",
            threshold="v > 20 or fire(t, i) > 0",
            reset="v = 10",
            refractory=refractory * ms if refractory else False,
            method="euler",
            namespace=values | {"ms": ms},
            dt=DT,
        )
        target.v = [8, 12, 16]
        s = nsnn.plastic_synapses(NDL(ETA),
            source, target, noise=nsnn.WhiteNoise(3.0), tau_m=TAU, v_thresh=[18.0, 20.0, 19.0], mu=15.0,
            membrane="v", method=method, bridge=bridge, on_pre="v_post += 0.8",
            trial=None if trial is None else trial * ms,
        )  # fmt: skip
        s.connect()
        state, spikes = StateMonitor(target, "v", record=True, when="start"), SpikeMonitor(target)
        run(Network(source, target, s, state, spikes), steps * 1e-3, device, False)
        fired = np.zeros((steps, n), bool)
        fired[np.rint(np.array(spikes.t) * 1e3).astype(int), np.array(spikes.i)] = True
        found, v = np.array(s.w[:]).reshape(4, n), np.array(state.v).T
    assert fired.sum() > 25
    assert (sent.sum(1)[fired.any(1)] > 0).sum() > 5
    expected = loop((v, fired), refractory, sent, told, bridge, method, trial)
    assert np.abs(expected).min() > 1e-3
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)

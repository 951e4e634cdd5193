"""Noise-driven learning of diffusive neurons: one step, paths with resets, a network that learns, and the rate's own slope."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import Network, NeuronGroup, SpikeGeneratorGroup, SpikeMonitor, StateMonitor, TimedArray, ms, mV
from learning import DT, trains
from scipy import special

import nsnn_neuro as nsnn
from nsnn_neuro import engine
from nsnn_neuro.errors import NsnnError
from nsnn_neuro.plasticity import NDL

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


# ------------------------------------------------------------------------------------------------ one step


@pytest.mark.parametrize("method", ["euler", "exact"])
@pytest.mark.parametrize("bridge", [False, True])
def test_one_step_is_the_derivative_of_the_probability(bridge, method):
    """An arrival in the step before: dw = -eta L dP/dw, P at x0 = v + w, by differences; in volts and in plain numbers."""
    v, w, sigma, theta, signal = np.array([5.0, 12.0, 18.5, 14.0]), 1.2, 3.0, 20.0, 0.7
    mu = 16.0

    def probability(weight):
        m, s = successor(v + weight, mu, sigma, method, 1 / 20)
        return chance(m, v + weight, s, theta, bridge)

    h = 1e-3
    d = [probability(w + k * h) for k in (-2, -1, 1, 2)]
    expected = -ETA * signal * (d[0] - 8 * d[1] + 8 * d[2] - d[3]) / (12 * h)
    assert np.abs(expected).max() > 1e-3
    for unit, kind in ((mV, "volt"), (1.0, "1")):
        with engine.running("numpy") as device:
            source = SpikeGeneratorGroup(1, [0], [0] * ms, dt=DT)
            target = NeuronGroup(4, f"v : {kind}\nL : 1", threshold="False", namespace={}, dt=DT)
            target.v, target.L = v * unit, signal
            how = {"noise": nsnn.WhiteNoise(sigma * unit), "tau_m": TAU, "v_thresh": theta * unit}
            s = NDL(ETA * float(unit) ** 2).synapses(
                source, target, membrane="v", mu=mu * unit, method=method, bridge=bridge, **how
            )
            s.connect()
            s.w = w * unit
            engine.run(Network(source, target, s), 2e-3, device, False)
            found = np.array(s.w[:]) / float(unit) - w
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7 * np.abs(expected).max())


def test_without_leak_and_bridge_it_is_the_gaussian_escape_neuron():
    """tau_m so long that nothing leaks: a step from u, noise of the step's s, is the NSNN neuron with Gaussian noise, beta = 1."""
    leakless = 1e12
    values = np.array([0.1, 0.6, 0.95, 1.3])
    with engine.running("numpy") as device:
        changes = []
        for diffusive in (True, False):
            source = SpikeGeneratorGroup(1, [0], [0] * ms, dt=DT)
            target = NeuronGroup(4, "u : 1\no : 1\nL : 1", threshold="False", namespace={}, dt=DT)
            target.u, target.L = values, 0.4
            noise, how = nsnn.Gaussian(0.4), {"beta": 1.0, "theta": 1.0}
            if diffusive:
                noise = nsnn.WhiteNoise(0.4 * np.sqrt(leakless / 2))
                how = {"tau_m": leakless * ms, "v_thresh": 1.0, "mu": 0.0}
            s = NDL(0.5).synapses(source, target, noise=noise, **how)
            s.connect()
            s.w = 0.1
            if not diffusive:
                s.pre.when = "groups"  # before the threshold that is to see it
            engine.run(Network(source, target, s), 2e-3, device, False)
            changes.append(np.array(s.w[:]) - 0.1)
    assert np.abs(changes[1]).min() > 0.005
    np.testing.assert_allclose(changes[0], changes[1], rtol=1e-10)


# ------------------------------------------------------------------------------------------------ paths


def loop(path, refractory, sent, told, bridge, method, trial):
    """The rule as a plain loop over steps; `path`: v at each step's start, fired there (steps, n)."""
    (v, fired), (steps, n) = path, path[0].shape
    lapse, theta, sigma, mu = 1 / 20, np.array([18.0, 20.0, 19.0]), 3.0, 15.0
    trace, grad, w = np.zeros((sent.shape[1], n)), 0.0, np.zeros((sent.shape[1], n))
    held = np.zeros(n)
    for t in range(steps):
        m, s = successor(v[t], mu, sigma, method, lapse)
        h = 1e-3
        kept = 1 - lapse if method == "euler" else np.exp(-lapse)
        d = [chance(m + kept * k * h, v[t] + k * h, s, theta, bridge) for k in (-2, -1, 1, 2)]
        slope = (d[0] - 8 * d[1] + 8 * d[2] - d[3]) / (12 * h)
        z, y = (m - theta) / s, (m + theta - 2 * v[t]) / s
        closed = kept * np.exp(-0.5 * z**2) / (s * np.sqrt(2 * np.pi))
        if bridge:  # another form of the same, and of the path from an x0 that is nearer to threshold
            mills = np.sqrt(np.pi / 2) * special.erfcx(y / np.sqrt(2))
            closed *= 2 * ((theta - v[t]) / s * mills + (1 - y * mills) / kept)
            closed = np.where(v[t] < theta, closed, 0)
        np.testing.assert_allclose(closed, slope, rtol=0, atol=1e-8)
        grad = grad + told[t] * closed * trace
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


@pytest.mark.parametrize(
    ("bridge", "method", "refractory", "trial"),
    [(False, "euler", 0, None), (True, "exact", 0, None), (True, "euler", 3, None), (False, "exact", 3, 40)],
)
def test_paths_with_resets_against_a_loop(bridge, method, refractory, trial):
    """Spikes of the source arrive in the step's end, also in steps in which the target fires and while it is held."""
    steps, n = 200, 3
    sent = trains(4, steps, 1)
    rng = np.random.default_rng(2)
    told, kicks = rng.normal(0, 1, (steps, n)), rng.normal(0, 1.2, (steps, n))
    values = {"told": TimedArray(told, dt=DT), "kick": TimedArray(kicks, dt=DT)}
    values |= {"fire": TimedArray((rng.random((steps, n)) < 0.08).astype(float), dt=DT)}
    with engine.running("numpy") as device:
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
        s = NDL(ETA).synapses(
            source, target, noise=nsnn.WhiteNoise(3.0), tau_m=TAU, v_thresh=[18.0, 20.0, 19.0], mu=15.0,
            membrane="v", method=method, bridge=bridge, on_pre="v_post += 0.8",
            trial=None if trial is None else trial * ms,
        )  # fmt: skip
        s.connect()
        state, spikes = StateMonitor(target, "v", record=True, when="start"), SpikeMonitor(target)
        engine.run(Network(source, target, s, state, spikes), steps * 1e-3, device, False)
        fired = np.zeros((steps, n), bool)
        fired[np.rint(np.array(spikes.t) * 1e3).astype(int), np.array(spikes.i)] = True
        found, v = np.array(s.w[:]).reshape(4, n), np.array(state.v).T
    assert fired.sum() > 25
    assert (sent.sum(1)[fired.any(1)] > 0).sum() > 5
    expected = loop((v, fired), refractory, sent, told, bridge, method, trial)
    assert np.abs(expected).min() > 1e-3
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("when", ["synapses", "after_resets"])
def test_the_trace_is_the_slope_of_the_membranes_path(when):
    """The membrane with weights w + h against w: spikes and noise the same, refractoriness, resets before and after arrivals."""
    steps, paths = 120, []
    sent = trains(3, steps, 3)
    rng = np.random.default_rng(4)
    values = {"kick": TimedArray(rng.normal(0, 1, (steps, 2)), dt=DT), "ms": ms}
    values["fire"] = TimedArray((rng.random((steps, 2)) < 0.1).astype(float), dt=DT)
    for weight in (0.0, 1.0):
        with engine.running("numpy") as device:
            source = SpikeGeneratorGroup(3, np.nonzero(sent)[1], np.nonzero(sent)[0] * ms, dt=DT)
            equations = "dv/dt = -v / (20*ms) + kick(t, i) / ms : 1 (unless refractory)\nL : 1"
            target = NeuronGroup(
                2, equations, threshold="fire(t, i) > 0", reset="v = 0.5", refractory=4 * ms, method="euler",
                namespace=values, dt=DT,
            )  # fmt: skip
            s = NDL(0.0).synapses(
                source, target, membrane="v", noise=nsnn.WhiteNoise(1.0), tau_m=TAU, v_thresh=1.0, mu=0.0
            )
            s.connect()
            s.pre.when = when
            s.w["i == 1"] = weight
            v = StateMonitor(target, "v", record=True, when="before_groups")
            trace = StateMonitor(s, "trace", record=s["i == 1"], when="before_groups", order=-1)
            engine.run(Network(source, target, s, v, trace), steps * 1e-3, device, False)
            paths.append(np.array(v.v))
            found = np.array(trace.trace)
    assert (found > 0.5).sum() > 30
    assert (found == 0).sum() > 30
    np.testing.assert_allclose(found, paths[1] - paths[0], rtol=0, atol=1e-12)


# ------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("rule", "changed", "message"),
    [
        (NDL(0.1), {"noise": nsnn.OUNoise(3 * mV, 5 * ms)}, "coloured noise the membrane's step is deterministic, so NDL's factor"),
        (NDL(0.1), {"noise": nsnn.WhiteNoise(0 * mV)}, "sigma = 0. V: without noise"),
        (NDL(0.1), {"noise": nsnn.WhiteNoise(0.3)}, "v_thresh = 20. mV: expected a plain number"),
        (NDL(0.1), {"tau_m": None}, "tau_m = None: NDL of a diffusive membrane needs it, a time"),
        (NDL(0.1), {"tau_m": 0 * ms}, "tau_m = 0. s: expected a positive"),
        (NDL(0.1), {"mu": None}, "mu = None"),
        (NDL(0.1), {"mu": "drive"}, "mu = 'drive': the target group 'cells' has no such variable"),
        (NDL(0.1), {"mu": "L"}, "mu = 'L': this variable of 'cells' has another dimension, expected a voltage"),
        (NDL(0.1), {"membrane": "L"}, "membrane = 'L': this variable of 'cells' has another dimension"),
        (NDL(0.1), {"method": "heun"}, "method = 'heun': expected \"euler\" or \"exact\""),
        (NDL(0.1), {"theta": 1.0}, "theta = 1.0: NDL takes no theta"),
        (NDL(0.1), {"feedback": "L"}, "feedback = 'L': this NDL hands no signal back"),
        (NDL(0.1, signal="reward"), {}, "signal = \"reward\": a diffusive membrane"),
        (NDL(0.1), {"membrane": "loose"}, "target = 'cells' moves while refractory: expected its loose with the flag"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(rule, changed, message):
    source = SpikeGeneratorGroup(1, [0], [0] * ms, dt=DT)
    target = NeuronGroup(
        2,
        "dv/dt = -v / tau : volt (unless refractory)\nloose : volt\nL : 1",
        threshold="v > 20*mV",
        refractory=2 * ms,
        method="euler",
        namespace={"tau": TAU, "mV": mV},
        name="cells",
        dt=DT,
    )
    how = {
        "noise": nsnn.WhiteNoise(3 * mV),
        "tau_m": TAU,
        "v_thresh": 20 * mV,
        "mu": 10 * mV,
        "membrane": "v",
    }
    with pytest.raises(NsnnError, match=message):
        rule.synapses(source, target, **(how | changed))

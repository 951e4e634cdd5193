"""Learning rules as Brian2 synapses: against the NumPy reference given the same spikes, enumerated gradients, closed sums over pairs of
spikes, numerical derivatives; and what is refused."""

from __future__ import annotations

import dataclasses
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from brian2 import (
    Network,
    NeuronGroup,
    PoissonGroup,
    SpikeGeneratorGroup,
    Synapses,
    TimedArray,
    Hz,
    ms,
    mV,
    second,
)
from scipy import special, stats

import nsnn_neuro as nsnn
from nsnn_neuro import engine, keyed_noise, reference
from nsnn_neuro.errors import NsnnError
from nsnn_neuro.plasticity import (
    NDL,
    SGD,
    Adam,
    EProp,
    Momentum,
    PairSTDP,
    RewardModulatedSTDP,
    RuleText,
    SurrogateGradient,
    white_noise_factor,
)
from nsnn_neuro.records import parameter

DT = 1 * ms
FAMILIES = [
    nsnn.Gaussian(0.4), nsnn.Logistic(0.2), nsnn.Uniform(0.7), nsnn.Triangular(1.1), nsnn.Cauchy(0.3), nsnn.FastSigmoid(4.0),
]  # fmt: skip
LAYER = {"beta": 0.6, "theta": 1.0}
FORGET = {"hard": "beta * u * (1 - o)", "subtract": "beta * (u - theta * o)"}


def layers(x, drawn, signal, *, reset, period, copies=1, extra=""):
    """Groups: a relay that plays x, and layers whose spikes are `drawn` (texts of conditions); the last one's L is the text `signal`.

    In a step a layer forgets and fires in the order of the layers; u and o start anew after `period` steps. With `copies` the
    networks stand beside each other, neuron by neuron.
    """
    namespace = dict(engine.functions()) | LAYER | {"period": period, "x_values": TimedArray(x, dt=DT)}
    relay = NeuronGroup(copies * x.shape[1], "u : 1\no : 1", threshold="u != 0", namespace=namespace, dt=DT)
    relay.run_regularly(f"u = x_values(t, i // {copies})", when="groups", order=1)
    relay.thresholder["spike"].when, relay.thresholder["spike"].order = "groups", 5
    groups = [relay]
    for k, (n, values, condition) in enumerate(drawn, 1):
        group = NeuronGroup(
            copies * n,
            f"u : 1\no : 1\nL : 1\n{extra}",
            threshold=condition,
            reset="o = 1",
            namespace=namespace | values,
            dt=DT,
        )
        update = f"u = {FORGET[reset]} * int(t_in_timesteps % period != 0)\no = 0"
        group.run_regularly(update, when="groups", order=10 * k + 1)
        for part, order in ((group.thresholder["spike"], 5), (group.resetter["spike"], 7)):
            part.when, part.order = "groups", 10 * k + order
        if k == len(drawn):
            group.run_regularly(signal, when="groups", order=10 * k + 8)
        groups.append(group)
    return groups


def place(synapses, layer):
    """A spike without delay arrives between the layer's update and its threshold."""
    synapses.pre.when, synapses.pre.order = "groups", 10 * layer + 3


def play(rule, family, W, x, spikes, signals, *, reset, target="numpy", trial=True, back=None, **more):
    """Weights after the trials that x, spikes and signals (trial, step, neuron) hold, as the rule's Brian2 synapses have them."""
    trials, period = x.shape[:2]
    flat = lambda a: a.reshape(trials * period, -1)  # noqa: E731
    drawn = [
        (w.shape[1], {"spikes_at": TimedArray(flat(o), dt=DT), "signals_at": TimedArray(flat(signals), dt=DT)},
         "spikes_at(t, i) > 0.5")
        for w, o in zip(W, spikes, strict=True)
    ]  # fmt: skip
    with engine.running(target) as device:
        groups = layers(flat(x), drawn, "L = signals_at(t, i)", reset=reset, period=period)
        learned = []
        for k, (w, (a, b)) in enumerate(zip(W, itertools.pairwise(groups), strict=True), 1):
            s = rule.synapses(
                a,
                b,
                **({"noise": family} if isinstance(rule, NDL) else {}),
                **LAYER,
                reset=reset,
                graded="u" if k == 1 else None,
                feedback="L" if k > 1 else None,
                trial=period * DT if trial else None,
                order=len(W) - k,
                **more,
            )
            s.connect()
            s.w = w.ravel()
            if k > 1 and back is not None:
                s.b = back[k - 2].ravel()
            place(s, k)
            learned.append(s)
        engine.run(Network(*groups, *learned), trials * period * 1e-3, device, False)
        return [np.asarray(s.w[:]).reshape(w.shape).copy() for s, w in zip(learned, W, strict=True)]


def example(sizes=(4, 5, 3), period=12, trials=2, seed=0):
    """Weights, graded input, spikes that have nothing to do with the membranes, and a signal at the output."""
    rng = np.random.default_rng(seed)
    W = [rng.normal(0.3, 0.6, pair) for pair in itertools.pairwise(sizes)]
    x = rng.random((trials, period, sizes[0])) * (rng.random((trials, period, sizes[0])) < 0.7)
    spikes = [(rng.random((trials, period, n)) < 0.4).astype(float) for n in sizes[1:]]
    return W, x, spikes, rng.normal(0, 1, (trials, period, sizes[-1]))


def told(signals, spikes):
    """A loss for the reference whose derivative at the output is `signals`, and 0 at hidden layers."""
    return SimpleNamespace(gradient=lambda o: [*(np.zeros_like(s) for s in spikes[:-1]), signals])


def learned_by_reference(eta, family, W, x, spikes, signals, **how):
    W = [w.copy() for w in W]
    for n in range(len(x)):
        o = [s[n] for s in spikes]
        gradients = reference.ndl(W, x[n], o, told(signals[n], o), family, **LAYER, future=False, **how)
        W = [w - eta * g for w, g in zip(W, gradients, strict=True)]
    return W


def close(found, expected, start, tolerance=1e-10):
    for w, v, w0 in zip(found, expected, start, strict=True):
        assert np.abs(v - w0).max() > 1e-3  # there is something to learn
        np.testing.assert_allclose(w, v, rtol=0, atol=tolerance)


# ------------------------------------------------------------------------------------------- against the reference


@pytest.mark.parametrize("reset", ["hard", "subtract"])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: type(f).__name__)
def test_two_layers_learn_what_the_reference_learns(family, reset):
    """Output layer told directly, hidden layer by the weights of the step; two trials, the second with the weights of the first."""
    W, x, spikes, signals = example()
    for path in ("exact", "detached"):
        found = play(NDL(0.2, reset_path=path), family, W, x, spikes, signals, reset=reset)
        expected = learned_by_reference(0.2, family, W, x, spikes, signals, reset=reset, reset_path=path)
        close(found, expected, W)


@pytest.mark.parametrize("kind", ["random", "broadcast"])
def test_hidden_signals_by_fixed_feedback(kind):
    W, x, spikes, signals = example()
    back = [np.random.default_rng(8).normal(0, 1, W[1].shape)]
    found = play(NDL(0.2, signal=kind), FAMILIES[0], W, x, spikes, signals, reset="hard", back=back)
    expected = learned_by_reference(
        0.2, FAMILIES[0], W, x, spikes, signals, reset="hard", signal=kind, feedback=back
    )
    close(found, expected, W)
    silent = play(NDL(0.2, signal=kind), FAMILIES[0], W, x, spikes, signals, reset="hard")
    np.testing.assert_array_equal(silent[0], W[0])  # without feedback weights nothing reaches the hidden layer


def test_three_layers_hand_the_signal_down_in_one_step():
    W, x, spikes, signals = example(sizes=(3, 4, 4, 2))
    found = play(NDL(0.2), FAMILIES[1], W, x, spikes, signals, reset="subtract")
    close(found, learned_by_reference(0.2, FAMILIES[1], W, x, spikes, signals, reset="subtract"), W)


@pytest.mark.compile
@pytest.mark.parametrize("target", ["cython", pytest.param("cpp", marks=pytest.mark.slow)])
def test_compiled_targets_learn_the_same(target):
    W, x, spikes, signals = example()
    found = play(NDL(0.2), FAMILIES[0], W, x, spikes, signals, reset="hard", target=target)
    close(found, learned_by_reference(0.2, FAMILIES[0], W, x, spikes, signals, reset="hard"), W)


def test_one_trial_is_backpropagation_for_the_output_layer():
    W, x, spikes, signals = example(trials=1)
    found = play(NDL(0.2), FAMILIES[0], W, x, spikes, signals, reset="hard")
    o = [s[0] for s in spikes]
    gradient = reference.bptt(W, x[0], o, told(signals[0], o), FAMILIES[0], **LAYER, reset="hard")
    np.testing.assert_allclose(found[1], W[1] - 0.2 * gradient[1], rtol=0, atol=1e-10)
    assert np.abs(found[0] - W[0] + 0.2 * gradient[0]).max() > 1e-3  # the hidden layer misses the future terms


def step_by_step(eta, family, w, x, spikes, signals):
    """One layer, weights that change in each step: a plain loop."""
    w, u, o, e = w.copy(), np.zeros(w.shape[1]), np.zeros(w.shape[1]), np.zeros(w.shape)
    f = np.zeros(w.shape[1])
    for t in range(len(x)):
        e = LAYER["beta"] * (1 - o - u * f) * e + x[t][:, None]
        u = LAYER["beta"] * u * (1 - o) + x[t] @ w
        f, o = family.pdf(u - 1.0), spikes[t]
        w = w - eta * signals[t] * f * e
    return w


def test_weights_that_change_in_each_step():
    W, x, spikes, signals = example(sizes=(4, 3), trials=1, period=25)
    found = play(NDL(0.05), FAMILIES[0], W, x, spikes, signals, reset="hard", trial=False)
    close(found, [step_by_step(0.05, FAMILIES[0], W[0], x[0], spikes[0][0], signals[0])], W)


@pytest.mark.parametrize("optimizer", [Momentum(0.8), Adam(), SGD()], ids=lambda r: type(r).__name__)
def test_optimizers(optimizer):
    """Five trials; the optimizer in NumPy on the reference's gradients."""
    W, x, spikes, signals = example(sizes=(4, 3), trials=5, period=6)
    found = play(NDL(0.05, optimizer=optimizer), FAMILIES[0], W, x, spikes, signals, reset="hard")
    w, velocity, m, v = W[0], 0.0, 0.0, 0.0
    for n in range(5):
        o = [spikes[0][n]]
        (g,) = reference.ndl(
            [w], x[n], o, told(signals[n], o), FAMILIES[0], **LAYER, reset="hard", future=False
        )
        velocity = 0.8 * velocity + g
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        by_adam = (m / (1 - 0.9 ** (n + 1))) / (np.sqrt(v / (1 - 0.999 ** (n + 1))) + 1e-8)
        w = w - 0.05 * {Momentum: velocity, Adam: by_adam, SGD: g}[type(optimizer)]
    close(found, [w], W)


def test_a_surrogate_is_ndl_on_the_same_states_family_by_family():
    """Same states, same update; and e-prop is the triangle's, detached, up to gamma."""
    W, x, spikes, signals = example()
    for family in FAMILIES:
        one = play(NDL(0.2), family, W, x, spikes, signals, reset="hard")
        two = play(SurrogateGradient(family, 0.2), None, W, x, spikes, signals, reset="hard")
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(a, b)
    eprop = play(EProp(0.2, 0.3, signal="transport"), None, W, x, spikes, signals, reset="subtract")
    expected = learned_by_reference(
        0.2 * 0.3, nsnn.Triangular(1.0), W[1:], spikes[0], spikes[1:], signals, reset="subtract", reset_path="detached"
    )  # fmt: skip
    close(eprop[1:], expected, W[1:])


def test_zero_signal_changes_nothing_exactly():
    W, x, spikes, signals = example()
    for rule in (NDL(0.2), NDL(0.2, optimizer=Adam()), NDL(0.2, signal="reward"), NDL(0.2, optimizer=Momentum())):
        if rule.signal == "reward":
            continue
        for trial in (True, False):
            found = play(rule, FAMILIES[0], W, x, spikes, 0 * signals, reset="hard", trial=trial)
            for w, w0 in zip(found, W, strict=True):
                np.testing.assert_array_equal(w, w0)


def test_bounds_hold_weights():
    W, x, spikes, signals = example()
    free = play(NDL(2.0), FAMILIES[0], W, x, spikes, signals, reset="hard", trial=False)
    held = play(NDL(2.0), FAMILIES[0], W, x, spikes, signals, reset="hard", trial=False, bounds=(-0.5, None))
    assert min(w.min() for w in free) < -0.5
    assert min(w.min() for w in held) == -0.5


def test_a_delay_is_seen_by_the_trace():
    """A spike that comes two steps later is an input of two steps later."""
    W, x, spikes, signals = example(sizes=(4, 3), trials=1, period=20)
    x = (x > 0).astype(float)
    rule, shifted = NDL(0.2), np.vstack([np.zeros((2, 4)), x[0][:-2]])[None]
    delayed = []
    with engine.running("numpy") as device:
        values = {"spikes_at": TimedArray(spikes[0][0], dt=DT), "signals_at": TimedArray(signals[0], dt=DT)}
        groups = layers(x[0], [(3, values, "spikes_at(t, i) > 0.5")], "L = signals_at(t, i)", reset="hard", period=20)
        s = rule.synapses(*groups, noise=FAMILIES[0], **LAYER, trial=20 * ms)
        s.connect()
        s.w, s.pre.delay = W[0].ravel(), 2 * ms
        place(s, 1)
        engine.run(Network(*groups, s), 0.020, device, False)
        delayed.append(np.asarray(s.w[:]).reshape(4, 3))
    close(delayed, learned_by_reference(0.2, FAMILIES[0], W, shifted, spikes, signals, reset="hard"), W)


def test_parameters_that_differ_between_neurons():
    W, x, spikes, signals = example(sizes=(4, 3), trials=1)
    wide = nsnn.Gaussian([0.3, 0.5, 0.8])
    found = play(NDL(0.2), wide, W, x, spikes, signals, reset="hard")
    close(found, learned_by_reference(0.2, wide, W, x, spikes, signals, reset="hard"), W)

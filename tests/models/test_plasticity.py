"""Learning rules as Brian2 synapses against the NumPy reference given the same spikes."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from brian2 import Network, NeuronGroup, TimedArray, ms
from helpers.learning import DT, FAMILIES

import nsnn_neuro as nsnn
from nsnn_neuro import NDL, Adam, EProp, Momentum, SurrogateGradient, brian, reference

CASES = [*itertools.product(["hard", "subtract"], ["exact", "detached"])]
LAYER = {"beta": 0.6, "theta": 1.0}
FORGET = {"hard": "beta * u * (1 - o)", "subtract": "beta * (u - theta * o)"}


def layers(x, drawn, signal, *, reset, period):
    """A relay that plays x, and layers whose spikes are `drawn` (texts of conditions); the last one's L is the text `signal`.

    In a step a layer forgets and fires in the order of the layers; u and o start anew after `period` steps.
    """
    namespace = dict(brian.functions()) | LAYER | {"period": period, "x_values": TimedArray(x, dt=DT)}
    relay = NeuronGroup(x.shape[1], "u : 1\no : 1", threshold="u != 0", reset="", namespace=namespace, dt=DT)
    relay.run_regularly("u = x_values(t, i)", when="groups", order=1)
    relay.thresholder["spike"].when, relay.thresholder["spike"].order = "groups", 5
    groups = [relay]
    for k, (n, values, condition) in enumerate(drawn, 1):
        names, kept = namespace | values, "u : 1\no : 1\nL : 1"
        group = NeuronGroup(n, kept, threshold=condition, reset="o = 1", namespace=names, dt=DT)
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


def play(rule, family, W, x, spikes, signals, *, reset, trial=True, back=None, **more):
    """Weights after the trials that x, spikes and signals (trial, step, neuron) hold, as the rule's Brian2 synapses have them."""
    trials, period = x.shape[:2]
    flat = lambda a: a.reshape(trials * period, -1)  # noqa: E731
    drawn = [
        (w.shape[1], {"spikes_at": TimedArray(flat(o), dt=DT), "signals_at": TimedArray(flat(signals), dt=DT)},
         "spikes_at(t, i) > 0.5")
        for w, o in zip(W, spikes, strict=True)
    ]  # fmt: skip
    with brian.running("numpy") as device:
        groups = layers(flat(x), drawn, "L = signals_at(t, i)", reset=reset, period=period)
        learned = []
        for k, (w, (a, b)) in enumerate(zip(W, itertools.pairwise(groups), strict=True), 1):
            noise = {"noise": family} if isinstance(rule, NDL) else {}
            s = nsnn.plastic_synapses(
                rule, a, b, **noise, **LAYER, reset=reset, graded="u" if k == 1 else None, feedback="L" if k > 1 else None,
                trial=period * DT if trial else None, order=len(W) - k, **more,
            )  # fmt: skip
            s.connect()
            s.w = w.ravel()
            if k > 1 and back is not None:
                s.b = back[k - 2].ravel()
            place(s, k)
            learned.append(s)
        brian.run(Network(*groups, *learned), trials * period * 1e-3, device, False)
        return [np.array(s.w[:]).reshape(w.shape).copy() for s, w in zip(learned, W, strict=True)]


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


@pytest.mark.slow
@pytest.mark.parametrize(("family", "case"), [*zip(FAMILIES, [*CASES, *CASES[:2]], strict=True)])
def test_two_layers_learn_what_the_reference_learns(family, case):
    """Output layer told directly, hidden layer by the weights of the step; two trials, the second with the weights of the first."""
    W, x, spikes, signals = example()
    reset, path = case
    found = play(NDL(0.2, reset_path=path), family, W, x, spikes, signals, reset=reset)
    expected = learned_by_reference(0.2, family, W, x, spikes, signals, reset=reset, reset_path=path)
    close(found, expected, W)


@pytest.mark.slow
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
    # without feedback weights nothing reaches the hidden layer
    np.testing.assert_array_equal(silent[0], W[0])


def test_three_layers_hand_the_signal_down_in_one_step():
    W, x, spikes, signals = example(sizes=(3, 4, 4, 2))
    found = play(NDL(0.2), FAMILIES[1], W, x, spikes, signals, reset="subtract")
    close(found, learned_by_reference(0.2, FAMILIES[1], W, x, spikes, signals, reset="subtract"), W)


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
    given = (NDL(0.05), FAMILIES[0], W, x, spikes, signals)
    close(
        play(*given, reset="hard", trial=False),
        [step_by_step(0.05, FAMILIES[0], W[0], x[0], spikes[0][0], signals[0])],
        W,
    )
    (held,) = play(*given, reset="hard", trial=False, bounds=(0.0, 0.1))
    assert (held.min(), held.max()) == (0.0, 0.1)


@pytest.mark.parametrize("optimizer", [Momentum(0.8), Adam()])
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
        w = w - 0.05 * {Momentum: velocity, Adam: by_adam}[type(optimizer)]
    close(found, [w], W)


def test_a_surrogate_is_ndl_on_the_same_states_family_by_family():
    """The same text, so given the same states the same update; and e-prop is the triangle's, detached, up to gamma."""
    for family, path in itertools.product(FAMILIES, ("exact", "detached")):
        for reset in ("hard", "subtract"):
            surrogate = SurrogateGradient(family, 0.2, reset_path=path).text(reset=reset)
            assert surrogate == NDL(0.2, reset_path=path).text(noise=family, reset=reset)
    W, x, spikes, signals = example()
    found = play(SurrogateGradient(FAMILIES[0], 0.2), None, W, x, spikes, signals, reset="hard")
    close(found, learned_by_reference(0.2, FAMILIES[0], W, x, spikes, signals, reset="hard"), W)
    eprop = play(EProp(0.2, 0.3, signal="transport"), None, W, x, spikes, signals, reset="subtract")
    expected = learned_by_reference(
        0.2 * 0.3, nsnn.Triangular(1.0), W[1:], spikes[0], spikes[1:], signals, reset="subtract", reset_path="detached"
    )  # fmt: skip
    close(eprop[1:], expected, W[1:])


@pytest.mark.parametrize(("family", "reset"), [(FAMILIES[0], "hard"), (FAMILIES[5], "subtract")])
def test_reward_is_the_score_function_trial_by_trial(family, reset):
    """Told in the last step of each of two trials, every neuron its own number; and told early, it is for what came before."""
    W, x, spikes, signals = example(sizes=(4, 3))
    w = W[0]
    for n in range(2):
        (score,) = reference.score_function(
            [w], x[n], [spikes[0][n]], lambda o: 1.0, family, **LAYER, reset=reset
        )
        w = w - 0.02 * signals[n, -1] * score
    late = signals * (np.arange(12) == 11)[:, None]
    close(play(NDL(0.02, signal="reward"), family, W, x, spikes, late, reset=reset), [w], W)
    early = np.zeros_like(signals[:1])
    early[0, 4] = signals[0, 4]
    part, (o,) = x[:1, :5], [spikes[0][0, :5]]
    (score,) = reference.score_function(W, part[0], [o], lambda o: 1.0, family, **LAYER, reset=reset)
    found = play(NDL(0.02, signal="reward"), family, W, x[:1], [spikes[0][:1]], early, reset=reset)
    close(found, [W[0] - 0.02 * signals[0, 4] * score], W)


def test_recurrent_synapses_keep_their_local_trace():
    """A layer's own spikes of the step before, through plastic synapses: the reference without the paths through other neurons."""
    W, x, spikes, signals = example(sizes=(4, 3), trials=1, period=20)
    loop = np.random.default_rng(4).normal(0, 0.5, (3, 3))
    with brian.running("numpy") as device:
        values = {"spikes_at": TimedArray(spikes[0][0], dt=DT), "signals_at": TimedArray(signals[0], dt=DT)}
        drawn = [(3, values, "spikes_at(t, i) > 0.5")]
        groups = layers(x[0], drawn, "L = signals_at(t, i)", reset="subtract", period=20)
        learned = []
        for source, w, graded in ((groups[0], W[0], "u"), (groups[1], loop, None)):
            how = {"noise": FAMILIES[0], "reset": "subtract", "trial": 20 * ms, "graded": graded}
            s = nsnn.plastic_synapses(NDL(0.2), source, groups[1], **LAYER, **how)
            s.connect()
            s.w = w.ravel()
            place(s, 1)
            learned.append(s)
        brian.run(Network(*groups, *learned), 0.020, device, False)
        found = [np.array(s.w[:]).reshape(w.shape) for s, w in zip(learned, (W[0], loop), strict=True)]
    o = [spikes[0][0]]
    gradients = reference.ndl(
        W, x[0], o, told(signals[0], o), FAMILIES[0], **LAYER, reset="subtract", recurrent=[loop]
    )
    close(found, [w - 0.2 * g for w, g in zip((W[0], loop), gradients, strict=True)], (W[0], loop))


def test_parameters_that_differ_between_neurons():
    """Widths of the noise, and thresholds (the reference with these, family and layer by layer)."""
    W, x, spikes, signals = example(sizes=(4, 3), trials=1)
    wide = nsnn.Gaussian([0.3, 0.5, 0.8])
    found = play(NDL(0.2), wide, W, x, spikes, signals, reset="hard")
    close(found, learned_by_reference(0.2, wide, W, x, spikes, signals, reset="hard"), W)
    thresholds = np.array([0.6, 1.0, 1.4])
    text = NDL(0.2).text(noise=wide, beta=0.6, theta=thresholds)
    np.testing.assert_array_equal(text.parameters["theta"][0], thresholds)

"""Learning rules as Brian2 synapses: against the NumPy reference given the same spikes, enumerated gradients, sums over pairs
of spikes, numerical derivatives; and what is refused."""

from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from brian2 import (
    Hz,
    Network,
    NeuronGroup,
    PoissonGroup,
    SpikeGeneratorGroup,
    Synapses,
    TimedArray,
    ms,
    mV,
)
from scipy import special

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
    """A relay that plays x, and layers whose spikes are `drawn` (texts of conditions); the last one's L is the text `signal`.

    In a step a layer forgets and fires in the order of the layers; u and o start anew after `period` steps. With `copies` the
    networks stand beside each other, neuron by neuron.
    """
    namespace = dict(engine.functions()) | LAYER | {"period": period, "x_values": TimedArray(x, dt=DT)}
    relay = NeuronGroup(
        copies * x.shape[1], "u : 1\no : 1", threshold="u != 0", reset="", namespace=namespace, dt=DT
    )
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
    np.testing.assert_array_equal(
        silent[0], W[0]
    )  # without feedback weights nothing reaches the hidden layer


def test_three_layers_hand_the_signal_down_in_one_step():
    W, x, spikes, signals = example(sizes=(3, 4, 4, 2))
    found = play(NDL(0.2), FAMILIES[1], W, x, spikes, signals, reset="subtract")
    close(found, learned_by_reference(0.2, FAMILIES[1], W, x, spikes, signals, reset="subtract"), W)


@pytest.mark.compile
@pytest.mark.slow
@pytest.mark.parametrize("target", ["cython", "cpp"])
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
    assert (
        np.abs(found[0] - W[0] + 0.2 * gradient[0]).max() > 1e-3
    )  # the hidden layer misses the future terms


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


@pytest.mark.parametrize(
    "rule",
    [NDL(0.2), NDL(0.2, optimizer=Adam()), NDL(0.2, signal="reward"), EProp(0.2)],
    ids=["sgd", "adam", "reward", "eprop"],
)
def test_zero_signal_changes_nothing_exactly(rule):
    W, x, spikes, signals = example(sizes=(4, 3))
    reset = "subtract" if isinstance(rule, EProp) else "hard"
    for trial in (True, False):
        found = play(rule, FAMILIES[0], W, x, spikes, 0 * signals, reset=reset, trial=trial)
        np.testing.assert_array_equal(found[0], W[0])
    found = play(rule, FAMILIES[0], W, x, spikes, signals, reset=reset)
    assert np.abs(found[0] - W[0]).min() > 1e-6


@pytest.mark.parametrize("family", [FAMILIES[k] for k in (0, 1, 4, 5)], ids=lambda f: type(f).__name__)
@pytest.mark.parametrize("reset", ["hard", "subtract"])
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


def test_bounds_hold_weights():
    W, x, spikes, signals = example(sizes=(4, 3))
    how = {"reset": "hard", "trial": False}
    free = play(NDL(2.0), FAMILIES[0], W, x, spikes, abs(signals), **how)[0]
    held = play(NDL(2.0), FAMILIES[0], W, x, spikes, abs(signals), **how, bounds=(-0.5, 0.1))[0]
    assert free.min() < -0.5
    assert held.min() == -0.5
    assert held.max() <= 0.1


def test_a_delay_is_seen_by_the_trace():
    """A spike that comes two steps later is an input of two steps later."""
    W, x, spikes, signals = example(sizes=(4, 3), trials=1, period=20)
    x = (x > 0).astype(float)
    rule, shifted = NDL(0.2), np.vstack([np.zeros((2, 4)), x[0][:-2]])[None]
    delayed = []
    with engine.running("numpy") as device:
        values = {"spikes_at": TimedArray(spikes[0][0], dt=DT), "signals_at": TimedArray(signals[0], dt=DT)}
        groups = layers(
            x[0], [(3, values, "spikes_at(t, i) > 0.5")], "L = signals_at(t, i)", reset="hard", period=20
        )
        s = rule.synapses(*groups, noise=FAMILIES[0], **LAYER, trial=20 * ms)
        s.connect()
        s.w, s.pre.delay = W[0].ravel(), 2 * ms
        place(s, 1)
        engine.run(Network(*groups, s), 0.020, device, False)
        delayed.append(np.asarray(s.w[:]).reshape(4, 3))
    close(delayed, learned_by_reference(0.2, FAMILIES[0], W, shifted, spikes, signals, reset="hard"), W)


def test_recurrent_synapses_keep_their_local_trace():
    """A layer's own spikes of the step before, through plastic synapses: the reference without the paths through other neurons."""
    W, x, spikes, signals = example(sizes=(4, 3), trials=1, period=20)
    loop = np.random.default_rng(4).normal(0, 0.5, (3, 3))
    with engine.running("numpy") as device:
        values = {"spikes_at": TimedArray(spikes[0][0], dt=DT), "signals_at": TimedArray(signals[0], dt=DT)}
        drawn = [(3, values, "spikes_at(t, i) > 0.5")]
        groups = layers(x[0], drawn, "L = signals_at(t, i)", reset="subtract", period=20)
        learned = []
        for source, w, graded in ((groups[0], W[0], "u"), (groups[1], loop, None)):
            how = {"noise": FAMILIES[0], "reset": "subtract", "trial": 20 * ms, "graded": graded}
            s = NDL(0.2).synapses(source, groups[1], **LAYER, **how)
            s.connect()
            s.w = w.ravel()
            place(s, 1)
            learned.append(s)
        engine.run(Network(*groups, *learned), 0.020, device, False)
        found = [np.asarray(s.w[:]).reshape(w.shape) for s, w in zip(learned, (W[0], loop), strict=True)]
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


# ----------------------------------------------------------------------------------------------------- many samples


def sampled(rule, W, x, *, copies, seed, signal, extra="", reward=False, sigma=0.4):
    """Weights (n_pre, n_post, copy) after one trial of networks that draw their own spikes, side by side, from the same weights."""
    key = keyed_noise.key(seed)
    sizes, family = [w.shape[1] for w in W], nsnn.Gaussian(sigma)
    drawn = [
        (n, {}, f"keyed_uniform(t_in_timesteps, i, {k}, 0, 2, {key[0]}, {key[1]}) < normal_cdf((u - theta) / {sigma})")
        for k, n in enumerate(sizes)
    ]  # fmt: skip
    with engine.running("numpy") as device:
        groups = layers(x, drawn, signal, reset="hard", period=len(x), copies=copies, extra=extra)
        learned, others = [], []
        for k, (w, (a, b)) in enumerate(zip(W, itertools.pairwise(groups), strict=True), 1):
            feedback = "L" if k > 1 and not reward else None
            s = rule.synapses(
                a, b, noise=family, **LAYER, graded="u" if k == 1 else None, feedback=feedback, trial=len(x) * DT,
                order=len(W) - k,
            )  # fmt: skip
            i, j, c = (
                m.ravel() for m in np.meshgrid(*(np.arange(n) for n in (*w.shape, copies)), indexing="ij")
            )
            s.connect(i=i * copies + c, j=j * copies + c)
            s.w = w[i, j]
            place(s, k)
            learned.append(s)
        if reward:  # all are told what the one output neuron is told
            told = Synapses(groups[1], groups[2], "L_pre = L_post : 1 (summed)", clock=groups[1].clock)
            told.connect(i=np.arange(sizes[0] * copies), j=np.tile(np.arange(copies), sizes[0]))
            told.summed_updaters["L_pre"].when, told.summed_updaters["L_pre"].order = "end", -1
            others.append(told)
        engine.run(Network(*groups, *learned, *others), len(x) * 1e-3, device, False)
        return [np.asarray(s.w[:]).reshape(*w.shape, copies) for s, w in zip(learned, W, strict=True)]


SMALL = [np.array([[0.9, 0.4], [-0.3, 0.8]]), np.array([[0.9], [0.7]])]
SMALL_X = np.array([[1.0, 0.6], [0.5, 1.0]])


def z_scores(found, expected, start, eta):
    """Of the mean gradient of many samples, weight by weight."""
    out = []
    for w, g, w0 in zip(found, expected, start, strict=True):
        sample = (w0[..., None] - w) / eta
        out.append((sample.mean(-1) - g) / (sample.std(-1, ddof=1) / np.sqrt(sample.shape[-1])))
    return np.concatenate([z.ravel() for z in out])


def test_the_mean_of_many_updates_is_the_enumerated_ndl_expectation():
    """Two layers, two steps, a squared error: 1e5 samples against the sum over all 64 patterns; not the gradient, with depth."""
    found = sampled(NDL(0.1), SMALL, SMALL_X, copies=100_000, seed=5, signal="L = 2 * (o - 0.3)")
    how = LAYER | {"reset": "hard"}
    family, patterns = nsnn.Gaussian(0.4), reference.patterns(SMALL, 2)
    chance = reference.probability(SMALL, SMALL_X, patterns, family, **how)

    def loss(o):
        return np.sum((o[-1] - 0.3) ** 2)

    each = reference.ndl(SMALL, SMALL_X, patterns, loss, family, **how, future=False)
    expected = [np.einsum("k,kij->ij", chance, g) for g in each]
    assert np.abs(z_scores(found, expected, SMALL, 0.1)).max() < 4
    _, exact, _ = reference.enumerate(SMALL, SMALL_X, loss, family, **how)
    assert np.abs(z_scores(found, exact, SMALL, 0.1)).max() > 20


def test_reward_with_a_baseline_is_the_gradient_at_any_depth():
    """The same network told its loss (less a baseline) in the last step alone: 1e5 samples against the enumerated gradient."""
    signal = "cost += (o - 0.3)**2\nL = int(t_in_timesteps == 1) * (cost - 0.5)"
    run = {"copies": 100_000, "seed": 6, "signal": signal, "extra": "cost : 1", "reward": True}
    found = sampled(NDL(0.1, signal="reward"), SMALL, SMALL_X, **run)
    _, exact, _ = reference.enumerate(
        SMALL, SMALL_X, lambda o: np.sum((o[-1] - 0.3) ** 2), nsnn.Gaussian(0.4), **LAYER, reset="hard"
    )
    assert np.abs(z_scores(found, exact, SMALL, 0.1)).max() < 4
    assert np.abs(z_scores(found, [0 * g for g in exact], SMALL, 0.1)).max() > 20


def test_the_same_seed_gives_the_same_weights():
    run = {"copies": 20, "signal": "L = 2 * (o - 0.3)"}
    one, again, other = (sampled(NDL(0.1), SMALL, SMALL_X, seed=s, **run) for s in (1, 1, 2))
    for a, b, c in zip(one, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.any(a != c)


# ------------------------------------------------------------------------------------------------------- spike timing


def trains(n, steps, seed):
    """Spikes (step, neuron), about one in ten steps."""
    return (np.random.default_rng(seed).random((steps, n)) < 0.1).astype(float)


def pair_sum(pre, post, rule, dt):
    """dw of one synapse: every pair of spikes by itself."""
    a, b, tau_a, tau_b = (rule.si(name) for name in ("A_plus", "A_minus", "tau_plus", "tau_minus"))
    lag = dt * (np.flatnonzero(post)[None, :] - np.flatnonzero(pre)[:, None])
    return np.sum(np.where(lag >= 0, a * np.exp(-np.abs(lag) / tau_a), -b * np.exp(-np.abs(lag) / tau_b)))


def timed(rule, pre, post, *, target="numpy", **more):
    """Weights (n_pre, n_post) after spikes at these steps of 1 ms."""
    with engine.running(target) as device:
        a, b = (
            SpikeGeneratorGroup(s.shape[1], np.nonzero(s)[1], np.nonzero(s)[0] * ms, dt=DT)
            for s in (pre, post)
        )
        s = rule.synapses(a, b, on_pre="", **more)
        s.connect()
        engine.run(Network(a, b, s), len(pre) * 1e-3, device, False)
        return np.asarray(s.w[:]).reshape(pre.shape[1], post.shape[1])


@pytest.mark.parametrize("unit", [1, mV], ids=["number", "volts"])
def test_stdp_is_the_sum_over_pairs(unit):
    rule = PairSTDP(A_plus=0.3 * unit, A_minus=0.2 * unit, tau_plus=17 * ms, tau_minus=34 * ms)
    pre, post = trains(3, 300, 1), trains(2, 300, 2)
    assert np.any(pre.T @ post > 0)  # some at the same time
    expected = [[pair_sum(a, b, rule, 1e-3) for b in post.T] for a in pre.T]
    found = timed(rule, pre, post)
    scale = 1e-3 if unit is mV else 1
    assert np.abs(np.array(expected)).min() > 0.1 * scale
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * scale)


def test_stdp_of_single_pairs_and_bounds():
    rule = PairSTDP(A_plus=0.3, A_minus=0.2, tau_plus=10 * ms, tau_minus=20 * ms)
    for first, second_, change in ((5, 15, 0.3 * np.exp(-1)), (15, 5, -0.2 * np.exp(-0.5)), (5, 5, 0.3)):
        pre, post = np.zeros((20, 1)), np.zeros((20, 1))
        pre[first], post[second_] = 1, 1
        assert timed(rule, pre, post)[0, 0] == pytest.approx(change, abs=1e-13)
        assert timed(rule, pre, post, bounds=(-0.05, 0.1))[0, 0] == (0.1 if change > 0 else -0.05)


def test_rewarded_pairs():
    """Eligibility by hand, step by step: pairs join it, it decays with tau_e, and weights follow reward times eligibility."""
    rule = RewardModulatedSTDP(
        A_plus=0.3, A_minus=0.2, tau_plus=10 * ms, tau_minus=20 * ms, tau_e=30 * ms, eta=0.5
    )
    steps, reward = 80, np.random.default_rng(3).normal(0, 1, (80, 1))
    pre, post = trains(3, steps, 4), trains(2, steps, 5)
    with engine.running("numpy") as device:
        source = SpikeGeneratorGroup(3, np.nonzero(pre)[1], np.nonzero(pre)[0] * ms, dt=DT)
        values = {"fires": TimedArray(post, dt=DT), "rewards": TimedArray(reward, dt=DT)}
        target = NeuronGroup(
            2, "R = rewards(t, 0) : 1", threshold="fires(t, i) > 0", reset="", namespace=values, dt=DT
        )
        s = rule.synapses(source, target, on_pre="")
        s.connect()
        engine.run(Network(source, target, s), steps * 1e-3, device, False)
        found = np.asarray(s.w[:]).reshape(3, 2)
        left = np.asarray(s.c[:]).reshape(3, 2)
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


def test_eligibility_decays_and_reward_comes_late():
    """One pair, and a reward 40 ms later: w = eta R A exp(-40 / tau_e) exp(-lag / tau_plus)."""
    rule = RewardModulatedSTDP(
        A_plus=0.3, A_minus=0.2, tau_plus=10 * ms, tau_minus=20 * ms, tau_e=30 * ms, eta=0.5
    )
    with engine.running("numpy") as device:
        source = SpikeGeneratorGroup(1, [0], [5] * ms, dt=DT)
        equations = "reward = 2 * int(t_in_timesteps == 55) : 1"
        target = NeuronGroup(1, equations, threshold="t_in_timesteps == 15", reset="", namespace={}, dt=DT)
        s = rule.synapses(source, target, on_pre="", learning_signal="reward")
        s.connect()
        engine.run(Network(source, target, s), 0.07, device, False)
        assert s.w[0] == pytest.approx(0.5 * 2 * 0.3 * np.exp(-1) * np.exp(-40 / 30), rel=1e-12)


# ------------------------------------------------------------------------------------------------ white-noise factors


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


def test_the_factors_text_is_brian2s_and_keeps_units():
    """In volts, in generated code: dP/dm in 1/V; a membrane that starts above threshold fires anyhow, so 0."""
    for bridge in (False, True):
        equations = "m : volt\nx0 : volt\nfactor : 1/volt"
        values = engine.functions() | {"s": 0.5 * mV, "v_thresh": 20 * mV}
        with engine.running("numpy") as device:
            group = NeuronGroup(4, equations, namespace=values, dt=DT)
            group.m, group.x0 = [19.5, 19.9, 25.0, 20.2] * mV, [19.0, 15.0, 15.0, 20.1] * mV
            group.run_regularly(f"factor = {white_noise_factor(bridge=bridge)}")
            engine.run(Network(group), 1e-3, device, False)
            found = 1e-3 * np.asarray(group.factor[:])
        m, x0 = np.array([19.5, 19.9, 25.0, 20.2]), np.array([19.0, 15.0, 15.0, 20.1])
        h = 1e-4
        slope = (crossing(m + h, x0, 0.5, 20.0, bridge) - crossing(m - h, x0, 0.5, 20.0, bridge)) / (2 * h)
        if bridge:
            slope[3] = 0.0
        np.testing.assert_allclose(found, slope, rtol=0, atol=1e-7)


# ------------------------------------------------------------------------------------------------ anybody's network


def cells(n=3, equations="u : 1\no : 1\nL : 1", **more):
    return NeuronGroup(n, equations, threshold="u > 1", reset="o = 1", namespace={}, dt=DT, **more)


@dataclasses.dataclass(frozen=True, eq=False)
class Forgetting(nsnn.Plasticity):
    """Weights that decay, and grow with what arrives, in a neuron's own variable."""

    rate: object = parameter("1", bound="fraction")

    def text(self):
        return RuleText(
            each_step=("half = 0.5 * pre", "w += half * L - rate * w"),
            parameters={"rate": (self.si("rate"), "1")},
        )


def test_a_rule_of_ones_own():
    with engine.running("numpy") as device:
        source = SpikeGeneratorGroup(2, [0, 1, 0], [0, 1, 2] * ms, dt=DT)
        target = cells(1, "u : 1\no : 1\ngain : 1")
        target.gain = 2
        s = Forgetting(0.1).synapses(source, target, learning_signal="gain")
        s.connect()
        s.w = [0.3, 0.4]
        engine.run(Network(source, target, s), 3e-3, device, False)
        first = ((0.3 * 0.9 + 1) * 0.9) * 0.9 + 1
        second_ = ((0.4 * 0.9) * 0.9 + 1) * 0.9
        np.testing.assert_allclose(s.w[:], [first, second_], rtol=1e-13)
        # what the spikes brought to the membrane: the weights of then
        brought = 0.3 + 0.4 * 0.9 + (0.3 * 0.9 + 1) * 0.9
        assert target.u[0] == pytest.approx(brought, rel=1e-13)


def test_names_inside_a_rule_do_not_touch_the_networks():
    """A target with variables called as the rule's own, and a clock and parts that are the target's; no Python in the loop."""
    names = ("f", "p", "due", "mean", "power", "pre", "beta", "theta", "eta", "x", "sigma")
    with engine.running("numpy") as device:
        source = SpikeGeneratorGroup(3, [0, 1, 2], [0, 1, 1] * ms, dt=DT)
        target = cells(6, "\n".join(f"{n} : 1" for n in ("u", "o", "L", *names)))
        for name in (*names, "L"):
            setattr(target, name, 7)
        learned = []
        for rule, part in ((NDL(0.1, optimizer=Adam()), target[:3]), (NDL(0.1, signal="reward"), target[3:])):
            for trial in (None, 2 * ms):
                s = rule.synapses(source, part, noise=nsnn.Gaussian(0.4), beta=0.5, theta=1.0, trial=trial)
                s.connect("i == j")
                learned.append(s)
        net = Network(source, target, learned)
        assert not [o for o in net.sorted_objects if type(o).__name__ == "NetworkOperation"]
        engine.run(net, 4e-3, device, False)
        assert all(np.all(s.w[:] != 0) for s in learned)
        for name in names:
            np.testing.assert_array_equal(getattr(target, name)[:], 7)


def test_poisson_input_and_default_slots():
    """Any group that spikes is a source: without a signal weights stay, with one they move."""
    with engine.running("numpy") as device:
        source, target = PoissonGroup(4, 400 * Hz, dt=DT), cells(3)
        s = NDL(0.1).synapses(source, target, noise=nsnn.EscapeNoise(nsnn.Logistic(0.3)), beta=0.5, theta=1.0)
        s.connect()
        state = np.random.get_state()  # noqa: NPY002
        np.random.seed(1)  # noqa: NPY002
        try:
            net = Network(source, target, s)
            engine.run(net, 0.02, device, False)
            np.testing.assert_array_equal(s.w[:], 0)
            target.L = 1
            engine.run(net, 0.02, device, False)
        finally:
            np.random.set_state(state)  # noqa: NPY002
        assert np.all(s.w[:] < 0)


def test_a_target_with_a_variable_of_the_synapses_name():
    target = cells(equations="u : 1\no : 1\nL : 1\nw : 1\ntrace : 1")
    source = PoissonGroup(2, 10 * Hz, dt=DT)
    how = {"noise": nsnn.Gaussian(0.4), "beta": 0.5, "theta": 1.0}
    with pytest.raises(NsnnError, match=r"has a variable 'w'.*give weight=... another name"):
        NDL(0.1).synapses(source, target, **how)
    with pytest.raises(NsnnError, match=r"has a variable 'trace'.*rename it"):
        NDL(0.1).synapses(source, target, **how, weight="strength")
    rule, pre, post = (
        PairSTDP(A_plus=0.3, A_minus=0.2, tau_plus=17 * ms, tau_minus=34 * ms),
        *(trains(n, 100, n) for n in (1, 2)),
    )
    with engine.running("numpy") as device:
        source = SpikeGeneratorGroup(1, np.nonzero(pre)[1], np.nonzero(pre)[0] * ms, dt=DT)
        values = {"fires": TimedArray(post, dt=DT)}
        target = NeuronGroup(
            2, "v : 1\nw : 1", threshold="fires(t, i) > 0", reset="", namespace=values, dt=DT
        )
        target.w = 7
        s = rule.synapses(source, target, membrane="v", weight="strength", bounds=(0, 0.4))
        s.connect()
        engine.run(Network(source, target, s), 0.1, device, False)
        np.testing.assert_array_equal(target.w[:], 7)
        assert np.all((s.strength[:] >= 0) & (s.strength[:] <= 0.4))
        assert np.all(target.v[:] > 0)


@pytest.mark.parametrize("eta", ["0.05", "0.0"])
def test_the_pages_cells_learn(eta):
    """docs/ndl.md: spikes of the cell that belongs to what is shown, in the first 60 ms and in the last 300 ms."""
    page = (Path(__file__).resolve().parent.parent / "docs" / "ndl.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    state, names = np.random.get_state(), {}  # noqa: NPY002
    try:
        with engine.running("numpy"):
            exec(code.replace("NDL(0.05)", f"NDL({eta})"), names)
            spikes = names["spikes"]
            cell, step = np.asarray(spikes.i), np.rint(np.asarray(spikes.t) / 1e-3).astype(int)
            weights = np.asarray(names["synapses"].w[:]).reshape(12, 3)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    right = cell == step // 20 % 3
    assert right[step < 60].mean() < 0.6
    if eta == "0.0":
        assert right[step >= 2700].mean() < 0.6
        assert np.all(weights == 0.3)
    else:
        assert right[step >= 2700].mean() > 0.8
        own = np.arange(12) // 4 == np.arange(3)[:, None]
        assert weights.T[own].min() > weights.T[~own].max()


def all_rules(target):
    """What every rule makes of the same spikes in 60 steps, and the white-noise factor, in one model."""
    steps, rng = 60, np.random.default_rng(7)
    pre, post = trains(4, steps, 1), trains(3, steps, 2)
    pairs = {"A_plus": 0.3, "A_minus": 0.2, "tau_plus": 17 * ms, "tau_minus": 34 * ms}
    rules = [
        (NDL(0.1, optimizer=Adam()), {"noise": nsnn.Gaussian([0.3, 0.4, 0.6]), "trial": 20 * ms}),
        (NDL(0.1, signal="reward"), {"noise": nsnn.Gaussian(0.4), "trial": 20 * ms}),
        (
            NDL(0.1, optimizer=Momentum(), reset_path="detached"),
            {"noise": nsnn.Cauchy(0.4), "bounds": (-0.5, 0.5)},
        ),
        *((SurrogateGradient(family, 0.1), {}) for family in FAMILIES[2:4]),
        (EProp(0.1), {"trial": 20 * ms}),
        (PairSTDP(**pairs), None),
        (RewardModulatedSTDP(**pairs, tau_e=30 * ms, eta=0.1), None),
    ]
    values = {"fires": TimedArray(post, dt=DT), "told": TimedArray(rng.normal(0, 1, (steps, 3)), dt=DT)}
    values |= engine.functions() | {"s": 0.1, "v_thresh": 1.0}
    with engine.running(target) as device:
        source = SpikeGeneratorGroup(4, np.nonzero(pre)[1], np.nonzero(pre)[0] * ms, dt=DT)
        equations = "u : 1\no : 1\nL = told(t, i) : 1\nR = L : 1\nfactor : 1"
        equations += "\nm = 0.2 + 0.1 * i + t / (60*ms) : 1\nx0 = t / (70*ms) : 1"
        cells = NeuronGroup(
            3, equations, threshold="fires(t, i) > 0", reset="o = 1", namespace=values | {"ms": ms}, dt=DT
        )
        cells.run_regularly("u = 0.5 * u * (1 - o)\no = 0", when="start")
        cells.run_regularly(f"factor += {white_noise_factor()}", when="end")
        learned = []
        for rule, how in rules:
            neuron = {} if how is None else {"beta": 0.5, "theta": 1.0, **how}
            s = rule.synapses(source, cells, **neuron, **({} if how is None else {"on_pre": "u_post += 0.1"}))
            s.connect()
            s.pre.when = "groups"
            learned.append(s)
        engine.run(Network(source, cells, learned), steps * 1e-3, device, False)
        return [np.array(cells.factor[:]), *(np.array(s.w[:]) for s in learned)]


@pytest.mark.compile
@pytest.mark.slow
def test_every_rule_in_cpp_is_what_it_is_in_numpy():
    for one, other in zip(all_rules("numpy"), all_rules("cpp"), strict=True):
        assert np.abs(one).min() > 1e-6
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


ARGUMENTS = {"noise": nsnn.Gaussian(0.4), "beta": 0.5, "theta": 1.0}


@pytest.mark.parametrize(
    ("rule", "changed", "message"),
    [
        (NDL(0.1), {"learning_signal": "M"}, "learning_signal = 'M': the target group 'cells' has no such .* .it has L, o, u, x."),
        (NDL(0.1), {"membrane": "v"}, "membrane = 'v': the target group"),
        (NDL(0.1), {"spike": "s"}, "spike = 's': the target group"),
        (NDL(0.1), {"membrane": "x"}, "membrane = 'x': this variable of 'cells' has a dimension"),
        (NDL(0.1), {"graded": "u"}, "graded = 'u': the source group 'poisson' has no such variable"),
        (NDL(0.1), {"feedback": "L"}, "feedback = 'L': the source group 'poisson' has no such variable"),
        (NDL(0.1, signal="reward"), {"feedback": "L"}, "feedback = 'L': this NDL hands no signal back"),
        (NDL(0.1), {"noise": None}, "noise = None: without noise NDL's factor vanishes, use the surrogate baseline"),
        (NDL(0.1), {"noise": nsnn.EscapeNoise(hazard=nsnn.Exponential(50 * Hz, 0.1))}, "a hazard has no density"),
        (NDL(0.1), {"noise": nsnn.WhiteNoise(0.0)}, "noise of the membrane has no density of its own"),
        (NDL(0.1), {"noise": nsnn.Gaussian(2 * mV)}, "these rules are for a dimensionless membrane"),
        (NDL(0.1), {"noise": 0.4}, "noise = 0.4: expected a noise family"),
        (NDL(0.1), {"noise": nsnn.Gaussian([0.4, 0.5])}, "noise_sigma has shape .2,.: expected a number or"),
        (NDL(0.1), {"beta": None}, "beta = None: NDL needs the beta"),
        (NDL(0.1), {"theta": 20 * mV}, "theta = 20. mV"),
        (NDL(0.1), {"beta": 1.5}, "beta = 1.5: expected a value from 0 to 1"),
        (EProp(0.1), {"noise": None, "theta": 0.0}, "theta = 0.0: e-prop"),
        (NDL(0.1), {"reset": "soft"}, "reset = 'soft': expected"),
        (NDL(0.1), {"trial": 1.5 * ms}, "trial = 1.5 ms: expected a multiple"),
        (NDL(0.1), {"trial": 20}, "trial = 20 has no unit"),
        (NDL(0.1), {"bounds": 3}, "bounds = 3: expected two values"),
        (NDL(0.1), {"bounds": (1, 0)}, "bounds = .1, 0.: expected low <= high"),
        (NDL(0.1), {"tau": 3}, "tau = 3: NDL takes no tau"),
        (SurrogateGradient(nsnn.Gaussian(0.4), 0.1), {}, "a surrogate is for a neuron without noise"),
        (EProp(0.1), {}, "e-prop is for a neuron without noise"),
        (EProp(0.1), {"noise": None, "reset": "hard"}, "reset = 'hard': expected \"subtract\""),
        (PairSTDP(A_plus=1, A_minus=1, tau_plus=1 * ms, tau_minus=1 * ms), {}, "noise = .*: PairSTDP takes no noise"),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, nsnn.Plasticity) else None,
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(rule, changed, message):
    source = PoissonGroup(2, 10 * Hz, dt=DT, name="poisson")
    target = cells(equations="u : 1\no : 1\nL : 1\nx : volt", name="cells")
    with pytest.raises(NsnnError, match=message):
        rule.synapses(source, target, **(ARGUMENTS | changed))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NDL(-0.1), "eta = -0.1"),
        (lambda: NDL([0.1, 0.2]), "eta = .0.1, 0.2.: expected one value"),
        (lambda: NDL(0.1, signal="bptt"), "signal = 'bptt': expected \"transport\" or"),
        (lambda: NDL(0.1, reset_path="none"), "reset_path = 'none'"),
        (lambda: NDL(0.1, optimizer=0.9), "optimizer = 0.9: expected an optimizer"),
        (lambda: nsnn.Gaussian(0.0), "sigma = 0.0"),
        (lambda: Adam(beta_2=1.0), "beta_2 = 1.0: expected a value below 1"),
        (lambda: SurrogateGradient(0.4, 0.1), "family = 0.4"),
        (lambda: SurrogateGradient(nsnn.Gaussian(0.4), 0.1, signal="reward"), "signal = 'reward'"),
        (lambda: EProp(0.1, signal="reward"), "signal = 'reward'"),
        (
            lambda: PairSTDP(A_plus=1.0, A_minus=1 * mV, tau_plus=1 * ms, tau_minus=1 * ms),
            "A_minus = 1. mV: expected the unit of A_plus",
        ),
        (lambda: NDL(0.1).synapses(3, 4), "source = 3: expected a Brian2 group"),
    ],
)
def test_bad_records_are_refused_by_name(make, message):
    with pytest.raises(NsnnError, match=message):
        make()

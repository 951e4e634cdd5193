"""The reference for learning rules: f against F, P(O|x) against loops and the simulator, gradients against complex steps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from brian2 import ms, mV
from helpers.refusals import assert_refused
from helpers.tiny_networks import FAMILIES, RESETS, Count, largest, problem
from neo import AnalogSignal
from quantities import ms as pq_ms
from scipy import stats

import nsnn_neuro as nsnn
from nsnn_neuro import reference

EACH_RESET = pytest.mark.parametrize(
    ("family", "reset"), [*zip(FAMILIES, ["hard", "subtract"] * 3, strict=True)]
)


# ------------------------------------------------------------------------------------------- states and probabilities


def by_loop(W, R, x, spikes, family, beta, theta, reset):
    """Potentials and P(O|x), neuron by neuron."""
    u = [np.zeros((len(x), w.shape[1])) for w in W]
    probability = 1.0
    for t, k in itertools.product(range(len(x)), range(len(W))):
        below = x[t] if k == 0 else spikes[k - 1][t]
        for j in range(W[k].shape[1]):
            old = u[k][t - 1, j] if t else 0.0
            fired = spikes[k][t - 1, j] if t else 0.0
            kept = old * (1 - fired) if reset == "hard" else old - theta * fired
            drive = sum(W[k][i, j] * below[i] for i in range(len(below)))
            if R[k] is not None and t:
                drive += sum(R[k][i, j] * spikes[k][t - 1, i] for i in range(len(R[k])))
            u[k][t, j] = beta * kept + drive
            p = float(family.cdf(u[k][t, j] - theta))
            probability *= p if spikes[k][t, j] else 1 - p
    return u, probability


@EACH_RESET
def test_states_and_probability_as_by_a_loop(family, reset):
    W, R, x, spikes, _ = problem([3, 4, 2, 3], 5, 1, recurrent=[1], spread=0.4)
    neuron = {"beta": 0.7, "theta": 0.9, "reset": reset, "recurrent": R}
    u, o = reference.forward(W, x, family, spikes=spikes, **neuron)
    expected, probability = by_loop(W, R, x, spikes, family, 0.7, 0.9, reset)
    assert largest(u, expected) < 1e-14
    assert all(np.array_equal(a, b) for a, b in zip(o, spikes, strict=True))
    assert probability > 0
    assert abs(reference.probability(W, x, spikes, family, **neuron) / probability - 1) < 1e-13


def test_drawn_spikes_have_their_probabilities():
    """100,000 samples of two layers, then the first forced: frequencies within 4 standard errors; a seed repeats."""
    W, x, n = [[[0.8]], [[1.1]]], np.ones((100_000, 1, 1)), 100_000
    neuron = {"beta": 0.5, "theta": 1.0, "reset": "hard"}
    F = nsnn.Gaussian(0.4).cdf
    _, (hidden, output) = reference.forward(W, x, nsnn.Gaussian(0.4), seed=3, **neuron)
    p = float(F(-0.2)) * float(F(0.1))
    assert abs((hidden * output).mean() - p) < 4 * np.sqrt(p * (1 - p) / n)
    forced = [np.ones((n, 1, 1)), None]
    _, (hidden, output) = reference.forward(W, x, nsnn.Gaussian(0.4), spikes=forced, seed=3, **neuron)
    p = float(F(0.1))
    assert hidden.all()
    assert abs(output.mean() - p) < 4 * np.sqrt(p * (1 - p) / n)
    again = reference.forward(W, x, nsnn.Gaussian(0.4), spikes=forced, seed=3, **neuron)[1][1]
    other = reference.forward(W, x, nsnn.Gaussian(0.4), spikes=forced, seed=4, **neuron)[1][1]
    assert np.array_equal(output, again)
    assert not np.array_equal(output, other)


@EACH_RESET
def test_probabilities_of_all_patterns_sum_to_one(family, reset, monkeypatch):
    monkeypatch.setattr(reference.gradient_estimators, "_AT_ONCE", 1000)
    W, R, x, _, loss = problem([2, 2, 1, 1], 3, 2, recurrent=[0])
    neuron = {"beta": 0.6, "theta": 1.0, "reset": reset, "recurrent": R}
    patterns = reference.patterns(W, 3)
    assert np.unique(np.concatenate([o.reshape(2**12, -1) for o in patterns], axis=1), axis=0).shape == (
        2**12,
        12,
    )
    p = reference.probability(W, x, patterns, family, **neuron)
    mean, _, total = reference.enumerate(W, x, loss, family, **neuron)
    assert abs(p.sum() - 1) < 1e-12
    assert abs(total - 1) < 1e-12
    assert abs(mean - sum(q * loss([o[k] for o in patterns]) for k, q in enumerate(p))) < 1e-12


@pytest.mark.slow
def test_simulated_patterns_have_the_probabilities():
    """1,000 trials of a layered net with a recurrent layer on the simulator: chi-square; the other reset's law is refused."""
    n_steps, trials, reset = 3, 1_000, "subtract"
    W, R, x, _, _ = problem([2, 2, 1], n_steps, 5, recurrent=[0], spread=0.4)
    W = [np.abs(w) + 0.3 for w in W]
    family = nsnn.Gaussian(0.4)
    drive = nsnn.Recorded(AnalogSignal(x, units="dimensionless", sampling_period=1 * pq_ms))
    cell, noise = nsnn.NSNNNeuron(beta=0.8, reset=reset), nsnn.EscapeNoise(family)
    source = nsnn.Population(2, nsnn.Relay(), stimulus=drive, name="input")
    hidden, output = (
        nsnn.Population(n, cell, noise=noise, name=s) for n, s in ((2, "hidden"), (1, "output"))
    )
    wires = [
        nsnn.Projection(a, b, rule=nsnn.AllToAll(), weight=w)
        for a, b, w in ((source, hidden, W[0]), (hidden, hidden, R[0]), (hidden, output, W[1]))
    ]
    net = nsnn.Network([source, hidden, output], wires)
    block = nsnn.simulate(net, duration=n_steps * ms, dt=1 * ms, trials=trials, seed=7, engine="numpy")
    number = np.zeros(trials, dtype=int)  # bits in the order of `patterns`: steps, then neurons
    for trial, segment in enumerate(block.segments):
        for j, train in enumerate(segment.spiketrains[2:]):
            steps = np.rint(1e3 * train.rescale("s").magnitude).astype(int)
            number[trial] += (1 << (3 * steps + j)).sum()
    count = np.bincount(number, minlength=2**9)

    def p_value(rule):
        neuron = {"beta": 0.8, "theta": 1.0, "reset": rule, "recurrent": R}
        expected = trials * reference.probability(W, x, reference.patterns(W, n_steps), family, **neuron)
        rare = expected < 5
        found, law = (np.append(v[~rare], v[rare].sum()) for v in (count, expected))
        return stats.chi2.sf(((found - law) ** 2 / law).sum(), len(law) - 1)

    assert p_value(reset) > 1e-4
    assert p_value("hard") < 1e-12


# -------------------------------------------------------------------------------------------- gradients along spikes


def along_spikes(W, R, x, spikes, loss, family, beta, theta, reset, reset_path, recurrent_path):
    """The derivative by complex steps of the network whose spikes are o = spikes + f (u - u at these weights)."""
    u0 = by_loop(W, R, x, spikes, family, beta, theta, reset)[0]
    f = [family.pdf(u - theta) for u in u0]

    def value(W, R):
        o = [np.zeros(s.shape, dtype=complex) for s in spikes]
        u = [np.zeros(w.shape[1], dtype=complex) for w in W]
        for t, k in itertools.product(range(len(x)), range(len(W))):
            fired, loop = (
                ((o if path == "exact" else spikes)[k][t - 1] if t else 0 * u[k])
                for path in (reset_path, recurrent_path)
            )
            kept = u[k] * (1 - fired) if reset == "hard" else u[k] - theta * fired
            u[k] = beta * kept + (x[t] if k == 0 else o[k - 1][t]) @ W[k]
            if R[k] is not None:
                u[k] = u[k] + loop @ R[k]
            o[k][t] = spikes[k][t] + f[k][t] * (u[k] - u0[k][t])
        return loss(o)

    found = []
    for k, w in enumerate([*W, *R]):
        if w is None:
            found.append(None)
            continue
        gradient = np.zeros(w.shape)
        for index in np.ndindex(w.shape):
            step = np.zeros(w.shape, dtype=complex)
            step[index] = 1e-30j
            changed = [v if m != k else v + step for m, v in enumerate([*W, *R])]
            gradient[index] = value(changed[: len(W)], changed[len(W) :]).imag / 1e-30
        found.append(gradient)
    return found


CASES = [*itertools.product(["hard", "subtract"], ["exact", "detached"])]
PATHS = [("exact", "exact"), ("exact", "detached"), ("detached", "exact"), ("detached", "detached")]


@pytest.mark.parametrize(
    ("family", "reset", "reset_path", "recurrent_path"),
    [(FAMILIES[k % 6], ("hard", "subtract")[k // 4], *PATHS[k % 4]) for k in (0, 1, 2, 3, 5, 7)],
)
def test_bptt_is_the_complex_step(family, reset, reset_path, recurrent_path):
    W, R, x, spikes, loss = problem([3, 3, 2, 2], 6, 3, recurrent=[0, 2])
    neuron = {"beta": 0.8, "theta": 0.9, "reset": reset, "recurrent": R}
    found = reference.bptt(
        W, x, spikes, loss, family, reset_path=reset_path, recurrent_path=recurrent_path, **neuron
    )
    expected = along_spikes(W, R, x, spikes, loss, family, 0.8, 0.9, reset, reset_path, recurrent_path)
    assert largest(found, expected) < 1e-12


@pytest.mark.parametrize(
    ("family", "reset", "reset_path"), [(f, *CASES[k % 4]) for k, f in enumerate(FAMILIES)]
)
def test_three_factors_are_bptt(family, reset, reset_path):
    """All layers, recurrent ones too, when the signal carries the future; the output's, and any at one step, when it doesn't."""
    W, R, x, spikes, loss = problem([4, 5, 4, 3], 12, 4, recurrent=[1])
    neuron = {"beta": 0.8, "theta": 0.9, "reset": reset, "recurrent": R, "reset_path": reset_path}
    whole = reference.bptt(W, x, spikes, loss, family, recurrent_path="detached", **neuron)
    assert largest(reference.ndl(W, x, spikes, loss, family, **neuron), whole) < 1e-12
    local = reference.ndl(W, x, spikes, loss, family, future=False, **neuron)
    assert largest(local[2:3], whole[2:3]) < 1e-12
    assert largest(local[:1], whole[:1]) > 1e-2
    first, spikes = x[:1], [o[:1] for o in spikes]
    loss = Count([o.shape for o in spikes], 4)
    whole = reference.bptt(W, first, spikes, loss, family, **neuron)
    assert largest(reference.ndl(W, first, spikes, loss, family, future=False, **neuron), whole) < 1e-12


@RESETS
def test_traces_as_written(reset):
    """The recursion for one synapse, step by step: exact and detached; of a recurrent weight too."""
    family = nsnn.Triangular(1.6)
    W, R, x, spikes, _ = problem([2, 3], 8, 6, recurrent=[0])
    neuron = {"beta": 0.8, "theta": 0.9, "reset": reset, "recurrent": R}
    u = reference.forward(W, x, family, spikes=spikes, **neuron)[0][0]
    f = family.pdf(u - 0.9)
    for path, on in (("exact", 1), ("detached", 0)):
        e, loop = reference.traces(W, x, spikes, family, reset_path=path, **neuron)
        for i, j in itertools.product(range(2), range(3)):
            a = b = 0.0
            for t in range(8):
                if t:
                    o = spikes[0][t - 1, j]
                    left = (
                        1 - o - on * u[t - 1, j] * f[t - 1, j]
                        if reset == "hard"
                        else 1 - on * 0.9 * f[t - 1, j]
                    )
                    a, b = 0.8 * left * a, 0.8 * left * b + spikes[0][t - 1, i]
                a += x[t, i]
                assert abs(e[t, i, j] - a) < 1e-13
                assert abs(loop[t, i, j] - b) < 1e-13


@RESETS
@pytest.mark.parametrize("signal", ["random", "broadcast"])
def test_feedback_signals(reset, signal):
    """Hidden layers' signals by loops; random feedback that is W is transport."""
    family = nsnn.Gaussian(0.4)
    W, _, x, spikes, loss = problem([3, 4, 3, 2], 5, 7)
    neuron = {"beta": 0.8, "theta": 0.9, "reset": reset}
    rng = np.random.default_rng(1)
    shapes = [(4, 3), (3, 2)] if signal == "random" else [(4, 2), (3, 2)]
    B = [rng.normal(size=s) for s in shapes]
    u = reference.forward(W, x, family, spikes=spikes, **neuron)[0]
    by_o, f = loss.gradient(spikes), [family.pdf(v - 0.9) for v in u]
    hidden = {}
    output = by_o[2]
    if signal == "random":
        hidden[1] = by_o[1] + (output * f[2]) @ B[1].T
        hidden[0] = by_o[0] + (hidden[1] * f[1]) @ B[0].T
    else:
        hidden = {k: by_o[k] + output @ B[k].T for k in (0, 1)}
    given = {"signal": signal, "feedback": B, "future": False, **neuron}
    assert (
        largest(reference.signals(W, x, spikes, loss, family, **given), [hidden[0], hidden[1], output])
        < 1e-13
    )
    e = reference.traces(W, x, spikes, family, **neuron)
    sums = [
        sum(d[t] * g[t] * a[t] for t in range(5))
        for d, g, a in zip([hidden[0], hidden[1], output], f, e, strict=True)
    ]
    assert largest(reference.ndl(W, x, spikes, loss, family, **given), sums) < 1e-13
    for future in (False, True):
        same = {"future": future, **neuron}
        transport = reference.ndl(W, x, spikes, loss, family, **same)
        random = reference.ndl(W, x, spikes, loss, family, signal="random", feedback=W[1:], **same)
        assert largest(random, transport) < 1e-14


def test_losses_without_a_gradient_are_differentiated():
    """A polynomial of degree 8 and a softmax cross-entropy of counts against their derivatives; the spikes stay as they were."""
    W, _, x, spikes, _ = problem([3, 4, 3], 4, 9)
    neuron = {"beta": 0.8, "theta": 0.9, "reset": "hard"}

    class CrossEntropy:
        def __call__(self, o):
            logits = o[-1].sum(axis=0)
            return np.log(np.exp(logits).sum()) - logits[1]

        def gradient(self, o):
            logits = o[-1].sum(axis=0)
            share = np.exp(logits) / np.exp(logits).sum() - np.eye(3)[1]
            return [np.zeros_like(o[0]), np.tile(share, (4, 1))]

    kept, loss = [o.copy() for o in spikes], CrossEntropy()
    plain = reference.signals(W, x, spikes, loss.__call__, nsnn.Gaussian(0.4), **neuron)
    exact = reference.signals(W, x, spikes, loss, nsnn.Gaussian(0.4), **neuron)
    assert largest(plain, exact) < 1e-12
    assert all(np.array_equal(a, b) for a, b in zip(spikes, kept, strict=True))


def test_samples_and_layers_of_their_own():
    """Axes before T are samples; family, beta and theta of each layer or neuron; each as if alone."""
    rng = np.random.default_rng(2)
    W, R, x, _, loss = problem([3, 4, 2], 5, 10, recurrent=[1])
    spikes = [(rng.random((2, 3, 5, n)) < 0.5).astype(float) for n in (4, 2)]
    family = [nsnn.Gaussian(np.array([0.2, 0.3, 0.4, 0.5])), nsnn.Logistic(0.3)]
    neuron = {"beta": [0.9, np.array([0.3, 0.7])], "theta": [np.arange(1, 5) / 2, 0.8], "reset": "hard"}
    neuron["recurrent"] = R
    functions = {
        "bptt": reference.bptt,
        "ndl": reference.ndl,
        "score": reference.score_function,
    }
    together = {name: rule(W, x, spikes, loss, family, **neuron) for name, rule in functions.items()}
    for index in np.ndindex(2, 3):
        one = [o[index] for o in spikes]
        for name, rule in functions.items():
            alone = rule(W, x, one, loss, family, **neuron)
            taken = [None if g is None else g[index] for g in together[name]]
            assert largest(taken, alone) < 1e-12


GOOD = {"W": [[[0.5, 0.2]], [[1.0], [1.0]]], "x": [[1.0], [0.0]], "family": nsnn.Gaussian(0.4)}
SPIKES = [[[0, 1], [1, 0]], [[1], [0]]]


MISTAKES = [
    ({"W": []}, "W", "is an empty list"),
    ({"W": [[[1.0]], [[1.0], [1.0]]]}, "W[1] has 2 rows", "expected 1"),
    ({"W": [[[np.nan, 0]], [[1.0], [1.0]]]}, "W[0]", "finite"),
    ({"x": [1.0, 0.0]}, "x has shape (2,)", ""),
    ({"x": [[np.inf], [0]]}, "x has values", "finite"),
    ({"family": 0.4}, "family = 0.4", ""),
    ({"family": [nsnn.Gaussian(0.4)]}, "family", "a list of 2"),
    ({"family": nsnn.Gaussian(2 * mV)}, "family = Gaussian", "these networks have no unit"),
    ({"loss": "mse"}, "loss = 'mse'", "expected a function of the spikes"),
    ({"loss": lambda o: o[1]}, "loss gives shape (2, 1), type float64", "expected a number"),
    ({"loss": lambda o: None}, "loss gives shape (), type object", "expected a number"),
    ({"beta": 1.5}, "beta = 1.5", "expected a value from 0 to 1"),
    ({"beta": "a"}, "beta = 'a'", ""),
    ({"theta": [1.0, [1.0, 2.0]]}, "theta = [1.0, 2.0]", "each of 1 neurons"),
    ({"reset": "soft"}, "reset = 'soft'", ""),
    ({"reset_path": "none"}, "reset_path = 'none'", ""),
    ({"recurrent": [None]}, "recurrent", "a list of 2"),
    ({"recurrent": [[[1.0]], None]}, "recurrent[0] has shape (1, 1)", "expected (2, 2)"),
    ({"spikes": SPIKES[:1]}, "spikes is list", "expected a list of 2"),
    ({"spikes": [SPIKES[0], [[1], [0], [1]]]}, "spikes[1] has shape (3, 1)", "expected (2, 1)"),
    ({"spikes": [SPIKES[0], [[0.5], [0]]]}, "spikes[1] has values", "besides 0 and 1"),
    ({"spikes": [SPIKES[0], None]}, "spikes[1]", ""),
    ({"spikes": [np.zeros((3, 2, 2)), np.zeros((2, 2, 1))]}, "spikes", "shapes that broadcast"),
    ({"signal": "reward"}, "signal = 'reward'", ""),
    ({"signal": "random"}, "feedback has shapes", "None"),
    ({"signal": "broadcast", "feedback": [np.ones((3, 1))]}, "feedback has shapes [(3, 1)]", ""),
    ({"feedback": [np.ones((2, 1))]}, "feedback is given", ""),
]
NEURON = {"beta": 0.5, "theta": 1.0, "reset": "hard"}


class Wrong:
    def __call__(self, o):
        return 0.0

    def gradient(self, o):
        return [np.zeros(3)]


def test_mistakes_are_named():
    def ndl(change):
        given = {**GOOD, **NEURON, "spikes": SPIKES, "loss": lambda o: o[1].sum(), **change}
        W, x, spikes, loss, family = (given.pop(name) for name in ("W", "x", "spikes", "loss", "family"))
        return reference.ndl(W, x, spikes, loss, family, **given)

    def estimate(rule, loss=lambda o: 0.0, steps=1, **given):
        x, spikes = np.ones((steps, 1)), [np.ones((steps, 3))]
        parts = (x, loss) if rule is reference.enumerate else (x, spikes, loss)
        return rule([np.ones((1, 3))], *parts, nsnn.Gaussian(0.4), **NEURON, **given)

    rows = [
        (lambda: estimate(reference.enumerate, steps=7), "3 neurons in 7 steps", "2^21 spike patterns"),
        (lambda: estimate(reference.local_expectation, steps=7), "2^21", "spike patterns"),
        (lambda: reference.patterns([np.ones((1, 3))], 7), "2^21", "spike patterns"),
        (lambda: estimate(reference.enumerate, lambda o: o[0]), "loss gives shape (1, 3)", ""),
        (lambda: estimate(reference.local_expectation, later="all"), "later = 'all'", ""),
        (lambda: estimate(reference.bptt, recurrent_path="no"), "recurrent_path = 'no'", ""),
        (lambda: estimate(reference.bptt, Wrong()), "loss.gradient gives shapes [(3,)]", "expected [(1, 3)]"),
    ]
    rows += [(lambda change=change: ndl(change), *told) for change, *told in MISTAKES]
    assert_refused(rows)

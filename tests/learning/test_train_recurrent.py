"""Training recurrent layers: gradients against the reference, the network that `simulate` runs, and what recurrence is for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from brian2 import ms
from helpers.tiny_networks import FAMILIES, largest
from helpers.training import NOISE, PATHS, One, feedback_of, fired

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, coding, losses, reference, train
from nsnn_neuro.brian import running
from nsnn_neuro.learning import Learner

SIZES, BATCH, STEPS = [4, 5, 6, 3], 3, 7
NAMES = ["input", "layer1", "layer2", "layer3"]
LAYER = {"beta": 0.6, "theta": 0.8}


def wired(rule, *, noise, reset, loops=(True, False, True), autapses=(True, True, False)):
    """A net of three layers, some of them recurrent, some without autapses; its W and its R as matrices."""
    rng = np.random.default_rng(5)
    W = [rng.normal(0.35, 0.7, pair) for pair in itertools.pairwise(SIZES)]
    R = [
        rng.normal(0, 0.5, (n, n)) * (1 if kept else 1 - np.eye(n)) if there else None
        for n, there, kept in zip(SIZES[1:], loops, autapses, strict=True)
    ]
    cell = nsnn.NSNNNeuron(**LAYER, reset=reset)
    layers = [nsnn.Population(4, nsnn.Relay(), name="input")]
    layers += [
        nsnn.Population(n, cell, noise=noise, name=name) for name, n in zip(NAMES[1:], SIZES[1:], strict=True)
    ]
    made = []
    for k, w in enumerate(W):
        made.append(nsnn.Projection(*layers[k : k + 2], rule=nsnn.AllToAll(), weight=w, plasticity=rule))
        if R[k] is not None:
            given = R[k] if autapses[k] else R[k][~np.eye(len(R[k]), dtype=bool)]
            every = nsnn.AllToAll(autapses=autapses[k])
            loop = nsnn.Projection(layers[k + 1], layers[k + 1], rule=every, weight=given, plasticity=rule)
            made.insert(0, loop)  # the order of the list doesn't matter
    return nsnn.Network(layers, made), W, R


def gradients(
    rule, family, reset, *, loss=losses.rate_mse, target="numpy", noise=True, autapses=(True, True, False)
):
    """The learner's gradients of one batch, W's and then R's; its weights' changes in the network's order; what it went through."""
    net, W, R = wired(rule, noise=nsnn.EscapeNoise(family) if noise else None, reset=reset, autapses=autapses)
    rng = np.random.default_rng(6)
    X, y = rng.random((7, 4)), rng.integers(0, 3, 7)
    order = np.array([[3, 1, 6], [0, 0, 0]])
    options = {
        "batch": BATCH,
        "n_steps": STEPS,
        "encoder": coding.Bernoulli(),
        "feedback": feedback_of(rule.signal),
    }
    with running(target):
        learner = Learner(net, loss=loss, **options)
        # another batch first, whose last step is not this one's past
        learner.run(X, y, np.array([[2, 4, 5], order[0]]), np.array([True, False]), key=(1,), eta=0.0)
        states = [layer.samples("o") for layer in learner.layers]
        learner.run(X, y, np.array([[2, 4, 5], *order]), np.array([False, True, False]), key=(1,))
        layers = learner.layers[1:]
        found = [layer.slope.reshape(w.shape).copy() for layer, w in zip(layers, W, strict=True)]
        found += [m.loop.slope.reshape(m.n, m.n).copy() if m.loop else None for m in layers]
        moved = [
            (np.ravel(old) - new.ravel()) / 0.1
            for old, new in zip(net.get_weights(), learner.weights, strict=True)
        ]
    return found, moved, (net, W, R), states, y[order[0]]


def expected(rule_of_one, W, R, states, y, loss=losses.rate_mse, **options):
    """The mean of a reference rule over the samples of a batch; what isn't there has no gradient."""
    total = [np.zeros_like(w) if w is not None else None for w in [*W, *R]]
    for b in range(BATCH):
        spikes = [o[b] for o in states[1:]]
        one = rule_of_one(W, states[0][b], spikes, One(loss, y[b]), recurrent=R, **LAYER, **options)
        total = [t if t is None else t + g / BATCH for t, g in zip(total, one, strict=True)]
    return [
        t if t is None or k < len(W) or np.diag(R[k - len(W)]).any() else t * (1 - np.eye(len(t)))
        for k, t in enumerate(total)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("family", "case"), [(f, PATHS[k % 4]) for k, f in enumerate(FAMILIES)])
def test_transported_gradients_are_backpropagation_through_time(family, case):
    """Through all paths, those through the recurrent weights too; and the weights move by them, in the order of synapses."""
    reset, path = case
    found, moved, (_, W, R), states, y = gradients(nsnn.NDL(0.1, reset_path=path), family, reset)
    options = {"family": family, "reset": reset, "reset_path": path}
    whole = expected(reference.bptt, W, R, states, y, **options)
    assert largest(found, whole) < 1e-10
    # the third layer's, without autapses, is first in the network's list
    off = whole[5][~np.eye(3, dtype=bool)]
    in_order = [off, whole[3].ravel(), *(g.ravel() for g in whole[:3])]
    assert largest(moved, in_order) < 1e-10
    local = expected(reference.bptt, W, R, states, y, **options, recurrent_path="detached")
    assert largest(found, local) > 1e-2
    assert 0.05 < np.mean([o.mean() for o in states[1:]]) < 0.95


@pytest.mark.parametrize(
    ("kind", "case"), [("random", PATHS[0]), ("broadcast", PATHS[1]), ("random", PATHS[3])]
)
def test_with_fixed_weights_back_the_recurrent_way_is_left_out(kind, case):
    reset, path = case
    rule = nsnn.NDL(0.1, signal=kind, reset_path=path)
    found, _, (_, W, R), states, y = gradients(rule, nsnn.Gaussian(0.4), reset)
    options = {"signal": kind, "feedback": feedback_of(kind), "reset_path": path}
    wanted = expected(reference.ndl, W, R, states, y, family=nsnn.Gaussian(0.4), reset=reset, **options)
    assert largest(found, wanted) < 1e-10


@pytest.mark.slow
def test_by_reward_they_are_the_score_function():
    rule, reset = nsnn.NDL(0.1, signal="reward"), "hard"
    found, _, (_, W, R), states, y = gradients(rule, nsnn.Logistic(0.25), reset)
    values = losses.rate_mse.value(states[-1], y)
    total = [0.0 if w is not None else None for w in [*W, *R]]
    for b in range(BATCH):
        one = reference.score_function(
            W, states[0][b], [o[b] for o in states[1:]], One(losses.rate_mse, y[b]), nsnn.Logistic(0.25), reset=reset, **LAYER,
            baseline=np.delete(values, b).mean(), recurrent=R,
        )  # fmt: skip
        total = [t if t is None else t + g / BATCH for t, g in zip(total, one, strict=True)]
    total[5] = total[5] * (1 - np.eye(3))
    assert largest(found, total) < 1e-10


def test_e_prop_leaves_the_recurrent_way_out():
    rule = nsnn.EProp(0.1, signal="transport", gamma=1.0)
    found, _, (_, W, R), states, y = gradients(rule, nsnn.Triangular(0.8), "subtract", noise=False)
    options = {"family": nsnn.Triangular(0.8), "reset": "subtract", "reset_path": "detached"}
    assert largest(found, expected(reference.ndl, W, R, states, y, **options)) < 1e-10


@pytest.mark.slow
@pytest.mark.compile
def test_compiled_gradients_are_those_of_numpy():
    """Which are the reference's."""
    given = (nsnn.NDL(0.1), nsnn.Logistic(0.25), "hard")
    numpy, cython = (gradients(*given, target=target) for target in ("numpy", "cython"))
    assert all(np.array_equal(a, b) for a, b in zip(numpy[3], cython[3], strict=True))
    assert largest(cython[0], numpy[0]) < 1e-10
    assert largest(cython[1], numpy[1]) < 1e-10


def test_one_step_has_no_past():
    net = nsnn.recurrent(3, 4, 2, noise=NOISE, plasticity=nsnn.NDL(0.1))
    with running("numpy"):
        learner = Learner(
            net, batch=2, n_steps=1, encoder=coding.Direct(), loss=losses.rate_mse, feedback=None
        )
        learner.run(np.ones((2, 3)), np.array([0, 1]), np.array([[0, 1]] * 3), np.arange(3) < 2, key=(1,))
        w, loop, _ = net.get_weights()
        np.testing.assert_array_equal(learner.weights[1], loop)
        assert np.abs(learner.weights[0] - w).max() > 0


@pytest.mark.slow
def test_a_trained_network_is_the_one_that_simulate_runs():
    """Along the spikes of `simulate` the reference has its membranes; and the learner spikes as often in each step."""
    net, _, _ = wired(nsnn.NDL(0.1), noise=NOISE, reset="hard")
    rng = np.random.default_rng(1)
    data = rng.random((30, 4)), rng.integers(0, 3, 30)
    options = {"loss": losses.rate_mse, "epochs": 1, "n_steps": STEPS, "seed": 1, "engine": "numpy"}
    net = train(net, data, **options).network
    W = [net.get_weights()[net.projection_names.index(f"{a}->{b}")] for a, b in itertools.pairwise(NAMES)]
    R = [net.get_weights()[1], None, np.zeros((3, 3))]
    R[2][~np.eye(3, dtype=bool)] = net.get_weights()[0]
    x, n = np.array([0.2, 0.9, 0.6, 0.4]), 60
    block = nsnn.simulate(
        net, stimulus=nsnn.Constant(x), trials=n, duration=STEPS * ms, dt=1 * ms, seed=2, engine="numpy",
        record_v={name: True for name in NAMES[1:]},
    )  # fmt: skip
    there = fired(block)
    spikes = np.split(there, np.cumsum(SIZES)[:-1], axis=2)[1:]
    given = (W, np.repeat(x[None], STEPS, 0), nsnn.Gaussian(0.4))
    u, _ = reference.forward(*given, spikes=spikes, recurrent=R, reset="hard", **LAYER)
    for trial in (0, n - 1):
        recorded = {s.name: s.magnitude for s in block.segments[trial].analogsignals}
        for k in range(3):
            np.testing.assert_allclose(recorded[f"v of {NAMES[k + 1]}"], u[k][trial], rtol=0, atol=1e-12)
    with running("numpy"):
        learner = Learner(
            net, batch=n, n_steps=STEPS, encoder=coding.Direct(), loss=losses.rate_mse, feedback=None
        )
        learner.run(x[None], np.zeros(1, int), np.zeros((1, n), int), np.array([False]), key=(1,))
    here = np.concatenate([layer.samples("o") for layer in learner.layers[1:]], axis=2)
    there = there[:, :, SIZES[0] :]
    error = np.sqrt((here.var(0) + there.var(0)) / n)
    assert np.all(np.abs(here.mean(0) - there.mean(0)) <= 4 * error + 1e-12)
    without = reference.forward(W, np.tile(given[1], (n, 1, 1)), given[2], reset="hard", seed=1, **LAYER)[1]
    alone = np.concatenate(without, axis=2)
    # without recurrent weights
    assert np.abs((alone.mean(0) - there.mean(0)) / np.maximum(error, 1 / n)).max() > 6


def parts(**loop):
    """A net of an input and a recurrent layer, with a second projection like the recurrent one."""
    layers = [
        nsnn.Population(2, nsnn.Relay(), name="a"),
        nsnn.Population(3, nsnn.NSNNNeuron(), noise=NOISE, name="b"),
    ]
    told = {"rule": nsnn.AllToAll(), "weight": 0.1, "plasticity": nsnn.NDL(0.1)}
    ahead = nsnn.Projection(*layers, **told)
    return nsnn.Network(layers, [ahead, nsnn.Projection(layers[1], layers[1], **(told | loop))])


def twice():
    net = parts()
    again = nsnn.Projection(
        *[net.populations[1]] * 2, rule=nsnn.AllToAll(), weight=0.1, plasticity=nsnn.NDL(0.1)
    )
    return nsnn.Network(net.populations, [*net.projections, again])


def backward():
    net = nsnn.feedforward([2, 3, 2], noise=NOISE, plasticity=nsnn.NDL(0.1))
    back = nsnn.Projection(
        *net.populations[:0:-1], rule=nsnn.AllToAll(), weight=0.1, plasticity=nsnn.NDL(0.1)
    )
    return nsnn.Network(net.populations, [*net.projections, back])


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (lambda: parts(delay=1 * ms), "projection 'b->b': expected rule=AllToAll"),
        (lambda: parts(plasticity=None), "projection 'b->b': plasticity = None"),
        (lambda: parts(plasticity=nsnn.NDL(0.1, signal="broadcast")), "differ in signal"),
        (
            lambda: parts(plasticity=nsnn.NDL(0.1, reset_path="detached")),
            "differ in more than eta and optimizer",
        ),
        (
            twice,
            "projection 'b->b#2' isn't from a layer to the next or to itself, or isn't the only such one",
        ),
        (backward, "projection 'layer2->layer1' isn't from a layer to the next or to itself"),
        (lambda: nsnn.Network(parts().populations), "expected layers"),
    ],
)
def test_what_cannot_be_trained_is_named(net, message):
    with pytest.raises(NsnnError, match=message):
        train(net(), (np.eye(2), np.arange(2)), loss=losses.rate_mse, epochs=1, engine="numpy")


def test_eta_and_optimizer_may_differ():
    net = parts(plasticity=nsnn.NDL(0.0, optimizer=nsnn.Momentum()))
    data = np.eye(2)[[0, 1] * 9], np.array([0, 1] * 9)
    fit = train(net, data, loss=losses.rate_mse, epochs=1, engine="numpy", seed=1)
    ahead, loop = fit.network.get_weights()
    assert np.abs(ahead - 0.1).max() > 1e-3
    np.testing.assert_array_equal(loop, np.full((3, 3), 0.1))

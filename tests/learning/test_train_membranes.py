"""beta, theta and noise that learn with the weights: gradients against torch, differences of log P and sums over spikes."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from helpers import tiny_networks as tiny
from helpers import training
from helpers.tiny_networks import largest

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, coding, losses, reference
from nsnn_neuro.brian import running
from nsnn_neuro.learning import Learner

VALUE = {"noise": np.exp, "beta": lambda w: 1 / (1 + np.exp(-w)), "theta": np.array}
FREE = {"noise": np.log, "beta": lambda b: np.log(b / (1 - b)), "theta": np.array}
"""what is learned: log sigma, logit beta, theta"""
RATES = {f"eta_{kind}": 0.1 for kind in VALUE}


def slope(function, values, kind, k, j, h=1e-3):
    """Fourth-order central difference of a function of the values of layers, by what is learned of neuron j in layer k."""

    def at(shift):
        new = {name: [v.copy() for v in layers] for name, layers in values.items()}
        new[kind][k][j] = VALUE[kind](FREE[kind](values[kind][k][j]) + shift)
        return function(new)

    near, far = ((at(d) - at(-d)) / (2 * d) for d in (h, 2 * h))
    return (4 * near - far) / 3


def values_of(sizes, rng):
    """A sigma, beta and theta for each neuron, (n,) for each layer."""
    bounds = {"noise": (0.3, 0.6), "beta": (0.3, 0.9), "theta": (0.5, 1.0)}
    return {kind: [rng.uniform(*bounds[kind], n) for n in sizes[1:]] for kind in VALUE}


def arguments(values, reset):
    """The arguments of `reference`: family, and the others."""
    families = [nsnn.Gaussian(s) for s in values["noise"]]
    return families, {"beta": values["beta"], "theta": values["theta"], "reset": reset}


def learner_of(sizes, values, reset, rule, W, loss, batch=3, n_steps=6, *, feedback=None, R=None):
    """Of a feedforward network with these values of its layers' neurons; with R of a recurrent one, with those of the first."""
    both = zip(values["beta"], values["theta"], strict=True)
    cells = {"neuron": [nsnn.NSNNNeuron(beta=b, theta=t, reset=reset) for b, t in both], "plasticity": rule}
    cells["noise"] = [nsnn.EscapeNoise(nsnn.Gaussian(s)) for s in values["noise"]]
    if R is None:
        net = nsnn.feedforward(sizes, weights=W, **cells)
    else:
        cells |= {name: cells[name][0] for name in ("neuron", "noise")}
        net = nsnn.recurrent(*sizes, weights=[W[0], R[0], W[1]], **cells)
    options = {"batch": batch, "n_steps": n_steps, "loss": loss, "feedback": feedback}
    with running("numpy"):
        return Learner(net, encoder=coding.Bernoulli(), **options)


def after_a_batch(learner, X, y, order, seed=1):
    """Spikes (batch, n_steps, n) of each layer, input first, and the gradients by kind, lists of arrays by layer."""
    with running("numpy"):
        learner.run(X, y, order, np.ones(len(order), bool), key=(seed,))
    computed = {kind: [v.slope.copy() for v in learner.levels if v.changing.kind == kind] for kind in VALUE}
    return [layer.samples("o") for layer in learner.layers], computed


@pytest.mark.parametrize(
    ("case", "family"), [(training.PATHS[k % 4], f) for k, f in enumerate(tiny.FAMILIES[:4])]
)
def test_the_rules_of_the_reference_are_the_gradient_of_torch(case, family):
    """Along the same spikes, of two layers, for each neuron of the first and all neurons of the second."""
    torch = pytest.importorskip("torch")
    from nsnn_neuro import deep

    (reset, path), sizes = case, [3, 3, 2]
    W, _, x, spikes, loss = tiny.problem(sizes, 6, 3)
    beta, theta = [np.array([0.4, 0.7, 0.9]), 0.8], [np.array([0.6, 0.9, 1.2]), 0.9]
    neuron = {"beta": beta, "theta": theta, "reset": reset}
    computed = reference.membranes(W, x, spikes, loss, family, **neuron, reset_path=path)
    names = {"beta": "beta_shift", "theta": "theta_shift", "noise": "log_level"}
    learned = {f"learn_{kind}": True for kind in VALUE}
    z, fired, cells = torch.as_tensor(x)[:, None], [], []
    for w, o, b, t in zip(W, spikes, beta, theta, strict=True):
        cell = deep.NoisySpike(family, beta=b, theta=t, reset=reset, reset_path=path, **learned)
        cells.append(cell.double())
        z = cell(z @ torch.as_tensor(w), spikes=torch.as_tensor(o)[:, None])
        fired.append(z)
    gradient = loss.gradient([o.copy() for o in spikes])
    torch.autograd.backward(fired, [torch.as_tensor(g)[:, None] for g in gradient])
    for kind, name in names.items():
        expected = [np.atleast_1d(getattr(cell, name).grad.numpy()) for cell in cells]
        ours = [
            g if e.size > 1 else g.sum(keepdims=True) for g, e in zip(computed[kind], expected, strict=True)
        ]
        assert largest(ours, expected) < 1e-10


@pytest.mark.parametrize("k", range(4))
def test_gradients_in_training_are_the_references(k):
    """Three layers, of each neuron or of a whole layer, and the optimizer's step in what is learned."""
    (reset, path), signal, each = training.PATHS[k], (*training.SIGNALS, "transport")[k], k < 2
    loss, rng = (losses.rate_mse, losses.cross_entropy_step)[k % 2], np.random.default_rng(5)
    W = [rng.normal(0.35, 0.7, pair) for pair in itertools.pairwise(training.SIZES)]
    values = values_of(training.SIZES, rng)
    if not each:
        values = {kind: [v[0] for v in layers] for kind, layers in values.items()}
    X, y, feedback = rng.random((7, 4)), rng.integers(0, 3, 7), training.feedback_of(signal)
    rule = nsnn.NDL(0.0, signal=signal, reset_path=path, **RATES)
    learner = learner_of(training.SIZES, values, reset, rule, W, loss, feedback=feedback)
    start = [v.free.copy() for v in learner.levels]
    states, computed = after_a_batch(learner, X, y, np.array([[3, 1, 6]]))
    families, options = arguments(values, reset)
    options |= {"reset_path": path, "signal": signal, "feedback": feedback}
    samples = []
    for b, row in enumerate([3, 1, 6]):
        x, *spikes = (o[b] for o in states)
        samples.append(reference.membranes(W, x, spikes, training.One(loss, y[row]), families, **options))
    for kind in VALUE:
        expected = [sum(s[kind][k] for s in samples) / training.BATCH for k in range(3)]
        assert largest(computed[kind], [e if each else e.sum(keepdims=True) for e in expected]) < 1e-10
    for level, before in zip(learner.levels, start, strict=True):
        np.testing.assert_allclose(level.free, before - 0.1 * level.slope, atol=1e-14)
        np.testing.assert_allclose(level.values, VALUE[level.changing.kind](level.free), rtol=1e-14)


@pytest.mark.parametrize("reset", ["hard", "subtract"])
@pytest.mark.parametrize("kind_of", ["targets", "reward", "recurrent"])
def test_they_are_differences_of_the_log_probability_along_the_spikes(reset, kind_of):
    """Towards target spikes: of one layer's. From reward: of all layers', times the loss above that of other samples."""
    targets, rng = kind_of == "targets", np.random.default_rng(6)
    sizes = [4, 3] if targets else [4, 3, 2]
    W = [rng.normal(0.35, 0.7, pair) for pair in itertools.pairwise(sizes)]
    R = [rng.normal(0, 0.5, (3, 3)), None] if kind_of == "recurrent" else None
    values = values_of(sizes, rng)
    if targets:  # no spike is impossible in double precision
        values["noise"] = [3 * s for s in values["noise"]]
    if R:  # one value for all neurons
        values = {kind: [np.array(v[0][0])] * 2 for kind, v in values.items()}
    X = rng.random((training.BATCH, 4))
    y = (
        (rng.random((training.BATCH, training.STEPS, 3)) < 0.4).astype(float)
        if targets
        else rng.integers(0, 2, training.BATCH)
    )
    rule = nsnn.NDL(0.0, signal="transport" if targets else "reward", **RATES)
    loss = losses.NegativeLogLikelihood() if targets else losses.rate_mse
    learner = learner_of(sizes, values, reset, rule, W, loss, R=R)
    states, computed = after_a_batch(learner, X, y, np.arange(training.BATCH)[None])
    share = -np.ones(training.BATCH)
    if not targets:
        value = np.array([float(loss.value(states[-1][b], y[b])) for b in range(training.BATCH)])
        share = value - (value.sum() - value) / (training.BATCH - 1)

    def surprise(now):
        families, neuron = arguments(now, reset)
        p = reference.probability(W, states[0], states[1:], families, recurrent=R, **neuron)
        return np.mean(share * np.log(p))

    for kind, k in itertools.product(VALUE, range(len(W))):
        expected = [slope(surprise, values, kind, k, j) for j in np.ndindex(values[kind][k].shape)]
        np.testing.assert_allclose(computed[kind][k], expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("reset", ["hard", "subtract"])
def test_from_reward_the_mean_is_the_gradient_of_the_sum_over_all_spikes(reset):
    """A hidden and an output layer, two steps: 20 batches, within four standard errors of differences of `reference.enumerate`."""
    sizes, rng = [1, 2, 1], np.random.default_rng(7)
    W = [rng.normal(0.7, 0.4, pair) for pair in itertools.pairwise(sizes)]
    values = values_of(sizes, rng)
    loss = losses.rate_mse
    rule = nsnn.NDL(0.0, signal="reward", **dict.fromkeys(RATES, 1e-300))  # gradients without a change
    learner = learner_of(sizes, values, reset, rule, W, loss, 2000, 2)
    data = np.ones((1, 1)), np.zeros(1, int), np.zeros((1, 2000), int)
    batches = [after_a_batch(learner, *data, seed=seed)[1] for seed in range(20)]

    def mean(now):
        families, neuron = arguments(now, reset)
        return reference.enumerate(W, np.ones((2, 1)), training.One(loss, 0), families, **neuron)[0]

    for kind, k in itertools.product(VALUE, range(2)):
        draws = np.array([computed[kind][k] for computed in batches])
        for j in range(sizes[k + 1]):
            exact = slope(mean, values, kind, k, j)
            z = (draws[:, j].mean() - exact) / (draws[:, j].std(ddof=1) / np.sqrt(len(draws)))
            assert abs(z) < 4, (kind, k, j, z)


def mixed():
    """One beta for each neuron of the first layer, one theta for each of the second."""
    rule = nsnn.NDL(0.02, optimizer=nsnn.Adam(), **{name: 0.05 for name in RATES})
    neurons = [nsnn.NSNNNeuron(beta=np.linspace(0.2, 0.8, 12)), nsnn.NSNNNeuron(theta=[0.9, 1.0, 1.1])]
    return nsnn.feedforward([6, 12, 3], noise=training.NOISE, neuron=neurons, seed=1, plasticity=rule)


def neurons_of(network):
    return [np.ravel(p.neuron.si(kind)) for p in network.populations[1:] for kind in ("beta", "theta")]


def test_learned_values_are_in_the_network_history_block_and_file_and_resume(tmp_path):
    net = mixed()
    fit = training.fit_of(net, epochs=3)
    training.fit_of(net, epochs=2, checkpoint=tmp_path / "stopped.npz")
    resumed = training.fit_of(net, epochs=3, checkpoint=tmp_path / "stopped.npz")
    assert training.same(resumed, fit)
    assert all(map(np.array_equal, neurons_of(resumed.network), neurons_of(fit.network)))
    signals = {s.name: s.magnitude for s in fit.block.segments[0].analogsignals}
    labels = [f"{kind} of layer{k}" for k in (1, 2) for kind in ("beta", "theta")]
    for name, before, after in zip(labels, neurons_of(net), neurons_of(fit.network), strict=True):
        np.testing.assert_array_equal(signals[name], [before, after])
        assert np.all(before != after)
        assert fit.history[f"mean {name}"].iloc[-1] == pytest.approx(after.mean(), rel=1e-12)
    again = nsnn.load_fit(fit.save(tmp_path / "fit.npz"))
    assert again.evaluate(training.problem(30), passes=2) == fit.evaluate(training.problem(30), passes=2)


def test_a_membrane_learns_to_remember_for_as_long_as_the_task_needs():
    """Fire in the fifth step if the first input fired in the first: the example of docs/ndl.md, and what it prints."""
    page = (Path(nsnn.__file__).parents[1] / "docs" / "ndl.md").read_text(encoding="utf-8")
    cue = np.arange(60) % 2
    X, targets = np.zeros((60, 5, 2)), np.zeros((60, 5, 1))
    X[:, 0, 0], X[:, 4, 1], targets[:, 4, 0] = cue, 1, cue
    last = []
    for rates in ({}, {"eta_beta": 0.1, "eta_theta": 0.02}):
        rule = nsnn.NDL(0.02, optimizer=nsnn.Adam(), **rates)
        net = nsnn.feedforward([2, 1], noise=training.NOISE, weights=[[[0.5], [0.5]]], plasticity=rule)
        options = {"loss": losses.NegativeLogLikelihood(), "epochs": 50, "validation": 0, "seed": 1}
        fit = nsnn.train(net, (X, targets), engine="numpy", **options)
        last.append(fit.history["loss"].iloc[-1])
        neuron = fit.network.populations[1].neuron
        assert f"\nbeta {neuron.beta:.2f}, theta {neuron.theta:.1f}: loss {last[-1]:.2f}\n" in page
    assert last[0] > 0.69 > 0.2 > last[1]


def test_in_the_deterministic_network_theta_learns_and_beta_keeps_its_bits_where_it_has_no_effect():
    rule = nsnn.SurrogateGradient(nsnn.Gaussian(0.4), 0.02, eta_beta=0.1, eta_theta=0.1)
    net = nsnn.feedforward([6, 3], noise=None, plasticity=rule, seed=1, neuron=nsnn.NSNNNeuron(beta=0.7))
    beta, theta = np.ravel(neurons_of(training.fit_of(net, n_steps=1).network))
    assert beta == 0.7
    assert theta != 1.0


def one_layer(neuron=None, **rates):
    rule = nsnn.NDL(0.1, **rates)
    return nsnn.feedforward([6, 3], noise=training.NOISE, neuron=neuron or nsnn.NSNNNeuron(), plasticity=rule)


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda: nsnn.NDL(0.1, eta_beta=-0.1), ("eta_beta = -0.1",)),
        (lambda: nsnn.NDL(0.1, eta_theta=[0.1, 0.2]), ("eta_theta",)),
        (lambda: training.fit_of(one_layer(nsnn.NSNNNeuron(beta=1.0), eta_beta=0.1)), ("beta = 1.0", "'layer1'", "eta_beta = 0.1")),
        (lambda: training.fit_of(one_layer(nsnn.NSNNNeuron(beta=[0.5, 0.5, 0]), eta_beta=0.1)), ("beta = ", "above 0")),
        (lambda: training.fit_of(one_layer(eta_theta=0.1), formulation="online"), ("eta_theta = 0.1", "online", '"fast"')),
        (lambda: nsnn.feedforward([6, 4, 3], noise=training.NOISE, neuron=[nsnn.NSNNNeuron()]), ("neuron has 1", "2")),
        (lambda: nsnn.plastic_synapses(nsnn.NDL(0.1, eta_beta=0.1), None, None), ("eta_beta = 0.1", "beta of the target")),
        (lambda: training.fit_of(one_layer(eta_theta=1e308, eta_noise=0.0)), ("theta of 'layer1'", "smaller eta_theta")),
    ],
)  # fmt: skip
def test_mistakes_are_named(mistake, said):
    with pytest.raises(NsnnError) as error:
        mistake()
    assert all(part in str(error.value) for part in said), error.value

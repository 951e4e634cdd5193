"""Training in the readable formulation: what each synapse does against the reference, and that it learns."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from helpers.tiny_networks import FAMILIES, largest
from helpers.training import SIGNALS, Causal, fit_of, problem

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, coding, losses, reference, train
from nsnn_neuro.brian import running
from nsnn_neuro.learning import Learner, OnlineLearner

SIZES, STEPS, ETA = [4, 5, 4, 3], 6, 0.1
CASES = list(itertools.product(["hard", "subtract"], ["exact", "detached"]))


def learned(rule, noise, neuron, loss=losses.rate_mse, target="numpy", encoder=None):
    """Of one sample: the change of the weights over -eta, what the reference says, and the weights."""
    rng = np.random.default_rng(3)
    W = [rng.normal(0.4, 0.7, pair) for pair in itertools.pairwise(SIZES)]
    X, y = rng.random((3, SIZES[0])), np.array([2, 0, 1])
    net = nsnn.feedforward(SIZES, noise=noise, neuron=neuron, weights=W, plasticity=rule)
    feedback = None
    if rule.signal != "transport":
        above = [SIZES[-1]] * 2 if rule.signal == "broadcast" else SIZES[2:]
        feedback = [rng.normal(0, 1, pair) for pair in zip(SIZES[1:-1], above, strict=True)]
    about = {
        "batch": 1,
        "n_steps": STEPS,
        "encoder": encoder or coding.Bernoulli(),
        "loss": loss,
        "feedback": feedback,
    }
    order, learns, key = np.array([[1], [2]]), np.array([True, False]), (7,)
    with running("numpy"):
        fast = Learner(net, **about)
        value, count = fast.run(X, y, order[:1], np.array([False]), key=key)
        states = [layer.samples("o")[0] for layer in fast.layers]
    with running(target):
        online = OnlineLearner(net, **about)
        found = online.run(X, y, order, learns, key=key)
        moved = [(w - new) / ETA for w, new in zip(W, online.weights, strict=True)]
    np.testing.assert_allclose(found[0][:1], value, rtol=1e-13)
    np.testing.assert_array_equal(found[1][:1], count)
    path = getattr(rule, "reset_path", "detached")
    family = noise.family if noise is not None else rule.family
    expected = reference.ndl(
        W, states[0], states[1:], Causal(loss, y[1]), family, beta=neuron.beta, theta=neuron.theta, reset=neuron.reset,
        reset_path=path, signal=rule.signal, future=False, feedback=feedback,
    )  # fmt: skip
    return moved, expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "case", "signal"),
    [(family, CASES[k % 4], SIGNALS[k % 3]) for k, family in enumerate(FAMILIES)],
)
def test_a_samples_update_is_the_references(family, case, signal):
    reset, path = case
    rule = nsnn.NDL(ETA, signal=signal, reset_path=path)
    moved, expected = learned(
        rule, nsnn.EscapeNoise(family), nsnn.NSNNNeuron(beta=0.6, theta=0.8, reset=reset)
    )
    assert largest(moved, expected) < 1e-10
    assert all(np.abs(g).max() > 1e-6 for g in expected)


@pytest.mark.slow
@pytest.mark.compile
def test_compiled_it_is_the_references():
    rule, noise = nsnn.NDL(ETA), nsnn.EscapeNoise(nsnn.Gaussian(0.4))
    moved, expected = learned(
        rule, noise, nsnn.NSNNNeuron(beta=0.6, theta=0.8), losses.rate_mse, "cython", coding.Direct()
    )
    assert largest(moved, expected) < 1e-10


@pytest.mark.slow
def test_the_deterministic_twin():
    rule = nsnn.SurrogateGradient(nsnn.Gaussian(0.4), ETA)
    moved, expected = learned(rule, None, nsnn.NSNNNeuron(beta=0.6, theta=0.8))
    assert largest(moved, expected) < 1e-10


def one_layer(formulation, **change):
    rule = nsnn.NDL(0.05, optimizer=nsnn.Adam())
    net = nsnn.feedforward([6, 3], noise=nsnn.EscapeNoise(nsnn.Gaussian(0.4)), seed=1, plasticity=rule)
    net = change.pop("net", net)
    keyword = {
        "loss": losses.cross_entropy_step,
        "epochs": 2,
        "batch": 1,
        "n_steps": 4,
        "keep": "last",
        "seed": 1,
        "engine": "numpy",
    }
    return train(net, problem(40), formulation=formulation, **(keyword | change))


def alike(a, b):
    np.testing.assert_allclose(a.network.get_weights()[0], b.network.get_weights()[0], rtol=1e-9)
    columns = ["loss", "accuracy", "val_loss", "val_accuracy"]
    np.testing.assert_allclose(a.history[columns], b.history[columns], rtol=1e-9)


@pytest.mark.slow
def test_without_hidden_layers_both_formulations_learn_alike():
    alike(one_layer("fast"), one_layer("online"))


@pytest.mark.slow
def test_batches_are_those_of_the_fast_formulation():
    rule = nsnn.SurrogateGradient(nsnn.Gaussian(0.4), 0.05, optimizer=nsnn.Adam())
    net = nsnn.feedforward([6, 3], noise=None, seed=1, plasticity=rule)
    given = {"net": net, "batch": 7, "encoder": coding.Direct()}  # no draws: 32 samples, the last batch has 4
    fast, online = one_layer("fast", **given), one_layer("online", **given)
    alike(fast, online)
    assert (
        np.abs(
            one_layer("online", **given | {"batch": 6}).network.get_weights()[0]
            - online.network.get_weights()[0]
        ).max()
        > 1e-4
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": losses.VanRossum(2.0)}, "needs the mean of something over steps"),
        ({"noise_schedule": (2.0, 1.0)}, "leaves the noise, beta and theta as they are"),
        ({"net": nsnn.recurrent(6, 4, 3, noise=nsnn.EscapeNoise(nsnn.Gaussian(0.4)), plasticity=nsnn.NDL(0.1))},
         "without recurrent projections"),
        ({"net": nsnn.feedforward([6, 3], noise=nsnn.EscapeNoise(nsnn.Gaussian(0.4)), plasticity=nsnn.NDL(0.1, signal="reward"))},
         'no signal = "reward"'),
        ({"net": nsnn.feedforward([6, 3], noise=nsnn.EscapeNoise(nsnn.Gaussian(0.4)), plasticity=nsnn.NDL(0.1, eta_noise=0.1))},
         "leaves the noise, beta and theta as they are"),
        ({"formulation": "slow"}, "expected one of 'fast', 'online'"),
    ],
)  # fmt: skip
def test_mistakes_are_named(change, message):
    with pytest.raises(NsnnError, match=message):
        fit_of(**({"formulation": "online"} | change))

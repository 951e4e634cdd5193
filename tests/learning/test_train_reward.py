"""Training by reward: per sample the reference's score function, unbiased in depth, with baselines that leave the mean alone."""
# Imports an internal: hidden spikes and gradients of each batch, which training adds up, are read after each sweep.

from __future__ import annotations

import itertools

import numpy as np
import pytest
from helpers.tiny_networks import FAMILIES, largest
from helpers.training import BATCH, SIZES, STEPS, One

import nsnn_neuro as nsnn
from nsnn_neuro import coding, losses, reference, train
from nsnn_neuro.brian import running
from nsnn_neuro.learning import Learner
from nsnn_neuro.learning.backward_pass import Sweep


def batch_of(family, reset, *, unfilled=False):
    """One batch learned from: the learner's gradients, its weights' change, inputs, spikes, labels and W of the samples."""
    rng = np.random.default_rng(5)
    W = [rng.normal(0.35, 0.7, pair) for pair in itertools.pairwise(SIZES)]
    net = nsnn.feedforward(
        SIZES, noise=nsnn.EscapeNoise(family), neuron=nsnn.NSNNNeuron(beta=0.6, theta=0.8, reset=reset), weights=W,
        plasticity=nsnn.NDL(0.1, signal="reward"),
    )  # fmt: skip
    X, y = rng.random((7, 4)), rng.integers(0, 3, 7)
    order = np.array([[3, 1, -1 if unfilled else 6], [0, 0, 0]])
    options = {"batch": BATCH, "n_steps": STEPS, "encoder": coding.Bernoulli(), "feedback": None}
    with running("numpy"):
        learner = Learner(net, loss=losses.cross_entropy_mean, **options)
        learner.run(X, y, order[:1], np.array([False]), key=(1,))
        x, *spikes = (layer.samples("o") for layer in learner.layers)
        learner.run(X, y, order, np.array([True, False]), key=(1,))
        moved = [(w - new) / 0.1 for w, new in zip(W, learner.weights, strict=True)]
        found = [layer.slope.reshape(w.shape).copy() for layer, w in zip(learner.layers[1:], W, strict=True)]
    n = 2 if unfilled else 3
    return found, moved, W, x[:n], [o[:n] for o in spikes], y[order[0, :n]]


def expected(W, x, spikes, y, family, reset):
    """The mean over samples of the reference's score function, each loss minus the mean of the others."""
    loss = losses.cross_entropy_mean.value(spikes[-1], y)
    total = [np.zeros_like(w) for w in W]
    for b in range(len(y)):
        others = np.delete(loss, b).mean()
        one = reference.score_function(
            W, x[b], [o[b] for o in spikes], One(losses.cross_entropy_mean, y[b]), family, beta=0.6, theta=0.8, reset=reset,
            baseline=others,
        )  # fmt: skip
        total = [t + g / len(y) for t, g in zip(total, one, strict=True)]
    return total


@pytest.mark.parametrize(
    ("family", "reset", "unfilled"), [(FAMILIES[0], "hard", True), (FAMILIES[5], "subtract", False)]
)
def test_gradients_are_the_references_score_function(family, reset, unfilled):
    """A batch that isn't full has the baselines of its samples."""
    found, moved, *given = batch_of(family, reset, unfilled=unfilled)
    wanted = expected(*given, family, reset)
    assert largest(found, wanted) < 1e-10
    assert largest(moved, wanted) < 1e-10


def tiny(signal):
    """Two inputs, two hidden and two output neurons that learn nothing (eta = 0), two steps."""
    rng = np.random.default_rng(11)
    W = [rng.normal(0.6, 0.5, size) for size in ((2, 2), (2, 2))]
    rule = nsnn.NDL(0.0, signal=signal)
    return W, nsnn.feedforward(
        [2, 2, 2], noise=nsnn.EscapeNoise(nsnn.Gaussian(0.4)), weights=W, plasticity=rule
    )


def sampled(signal, monkeypatch, *, batches, batch):
    """Gradients of batches of one sample under fresh noise; for each batch also that of the score function without a baseline."""
    W, net = tiny(signal)
    x, seen, inner = np.array([[0.9, 0.6]]), [], Sweep._run

    def run(self, i, step):
        found = inner(self, i, step)
        if step % 2 and self.due[0]:
            layers = self.layers[1:]
            seen.append((np.concatenate([m.slope for m in layers]), [m.samples("o") for m in layers]))
        return found

    monkeypatch.setattr(Sweep, "_run", run)
    with running("numpy"):
        learner = Learner(
            net, batch=batch, n_steps=2, encoder=coding.Direct(), loss=losses.rate_mse, feedback=None
        )
        order = np.zeros((batches + 1, batch), int)
        learner.run(x, np.zeros(1, int), order, np.arange(batches + 1) < batches, key=(3,))
    monkeypatch.undo()
    given = (W, np.repeat(x, 2, 0))
    told = (One(losses.rate_mse, 0), nsnn.Gaussian(0.4))
    neuron = {"beta": 0.5, "theta": 1.0, "reset": "hard"}
    spikes = [np.stack(o) for o in zip(*(o for _, o in seen), strict=True)]
    bare = reference.score_function(*given, spikes, *told, **neuron)
    bare = np.concatenate([g.mean(1).reshape(batches, -1) for g in bare], axis=1)
    exact = np.concatenate([g.ravel() for g in reference.enumerate(*given, *told, **neuron)[1]])
    return np.array([slope for slope, _ in seen]), bare, exact


def z_of(samples, exact):
    return (samples.mean(0) - exact) / (samples.std(0, ddof=1) / np.sqrt(len(samples)))


@pytest.mark.slow
def test_the_mean_is_the_exact_gradient_and_the_baseline_saves_variance(monkeypatch):
    """At depth two, where noise-driven learning is biased, against the sum over all 256 spike patterns."""
    found, bare, exact = sampled("reward", monkeypatch, batches=1000, batch=20)
    assert np.abs(z_of(found, exact)).max() < 4
    assert np.abs(z_of(bare, exact)).max() < 4
    assert np.abs(exact).max() > 20 * found.std(0).max() / np.sqrt(1000) > 0  # the error is small against it
    assert 0.25 < (found.var(0) / bare.var(0)).mean() < 0.4
    biased, _, _ = sampled("transport", monkeypatch, batches=100, batch=20)
    assert np.abs(z_of(biased, exact)).max() > 10


def test_single_samples_are_held_against_those_before():
    """Batches of one: the baseline is the mean of the losses learned from earlier in the run, 0 for the first."""
    _, net = tiny("reward")
    X, y = np.random.default_rng(2).random((4, 2)), np.array([0, 1, 1, 0])
    with running("numpy"):
        learner = Learner(
            net, batch=1, n_steps=3, encoder=coding.Direct(), loss=losses.rate_mse, feedback=None
        )
        for n in (1, 2, 3):
            learns = np.arange(4) < n
            value, _ = learner.run(X, y, np.arange(4)[:, None], learns, key=(1,))
            value = value[:, 0]
            told = value[n - 1] - (value[: n - 1].mean() if n > 1 else 0)
            assert abs(told) > 0.01
            # of the hidden layer: the output's is written anew by the batch that isn't learned from
            np.testing.assert_allclose(learner.layers[1].samples("d"), told, rtol=0, atol=1e-14)


class Alike(losses.Loss):
    """How many steps the output's first two neurons differ in: a loss that has no gradient."""

    def value(self, o, y):
        return np.abs(np.asarray(o)[..., 0] - np.asarray(o)[..., 1]).sum(-1)


@pytest.mark.slow
def test_the_loss_needs_no_gradient_and_a_checkpoint_no_baseline(tmp_path):
    """Batches of one, whose baseline begins anew with each epoch: resumed they go on bit for bit."""
    data = np.random.default_rng(2).random((6, 2)), np.array([0, 1] * 3)
    told = {"loss": Alike(), "batch": 1, "n_steps": 4, "seed": 1, "engine": "numpy", "validation": 0}
    noise, rule = nsnn.EscapeNoise(nsnn.Gaussian(0.4)), nsnn.NDL(0.02, signal="reward")
    net = nsnn.feedforward([2, 2, 2], noise=noise, plasticity=rule, weights=tiny("reward")[0])
    whole = train(net, data, epochs=3, **told)
    train(net, data, epochs=2, checkpoint=tmp_path / "fit.npz", **told)
    resumed = train(net, data, epochs=3, checkpoint=tmp_path / "fit.npz", **told)
    for a, b, first in zip(
        resumed.network.get_weights(), whole.network.get_weights(), net.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)
        assert np.abs(b - first).max() > 1e-3

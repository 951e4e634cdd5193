"""Small training problems, and the gradients of the reference beside those of a learner."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import nsnn_neuro as nsnn
from nsnn_neuro import coding, losses, reference, train
from nsnn_neuro.brian import running
from nsnn_neuro.learning import Learner
from nsnn_neuro.measures import as_trains

NOISE = nsnn.EscapeNoise(nsnn.Gaussian(0.4))


SIZES, BATCH, STEPS = [4, 5, 6, 3], 3, 6


COLUMNS = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"]


PATHS = [*itertools.product(["hard", "subtract"], ["exact", "detached"])]
SIGNALS = ("transport", "random", "broadcast")


def feedback_of(kind, seed=0):
    rng = np.random.default_rng(seed)
    shapes = {"random": [(5, 6), (6, 3)], "broadcast": [(5, 3), (6, 3)]}.get(kind)
    return None if shapes is None else [rng.normal(size=s) for s in shapes]


class One:
    """A loss of one sample, as the reference takes it."""

    def __init__(self, loss, y):
        self.loss, self.y = loss, y

    def __call__(self, o):
        return float(self.loss.value(o[-1], self.y))

    def gradient(self, o):
        return [np.zeros_like(a) for a in o[:-1]] + [self.loss.gradient(o[-1], self.y)]


def gradients(rule, family, reset, loss, feedback, *, noise=True, theta=0.8, beta=0.6, unfilled=False):
    """The gradients of one batch, and those of the reference along the same spikes."""
    rng = np.random.default_rng(5)
    W = [rng.normal(0.35, 0.7, pair) for pair in itertools.pairwise(SIZES)]
    net = nsnn.feedforward(
        SIZES, noise=nsnn.EscapeNoise(family) if noise else None, neuron=nsnn.NSNNNeuron(beta=beta, theta=theta, reset=reset),
        weights=W, plasticity=rule,
    )  # fmt: skip
    X, y = rng.random((7, 4)), rng.integers(0, 3, 7)
    order = np.array([[3, 1, -1 if unfilled else 6], [0, 0, 0]])
    with running("numpy"):
        learner = Learner(
            net, batch=BATCH, n_steps=STEPS, encoder=coding.Bernoulli(), loss=loss, feedback=feedback
        )
        learner.run(X, y, order[:1], np.array([False]), key=(1,))
        states = [layer.samples("o") for layer in learner.layers]
        value, count = learner.run(X, y, order, np.array([True, False]), key=(1,))
        found = [layer.slope.reshape(w.shape).copy() for layer, w in zip(learner.layers[1:], W, strict=True)]
        moved = [w - new for w, new in zip(W, learner.weights, strict=True)]
    path = getattr(rule, "reset_path", "detached")
    expected = [np.zeros_like(w) for w in W]
    samples = [b for b in range(BATCH) if order[0, b] >= 0]
    for b in samples:
        label, spikes = y[order[0, b]], [o[b] for o in states[1:]]
        one = reference.ndl(
            W, states[0][b], spikes, One(loss, label), family, beta=beta, theta=theta, reset=reset, reset_path=path,
            signal=rule.signal, future=True, feedback=feedback,
        )  # fmt: skip
        expected = [e + g / len(samples) for e, g in zip(expected, one, strict=True)]
        assert value[0, b] == pytest.approx(float(loss.value(spikes[-1], label)), abs=1e-13)
        assert np.array_equal(count[0, b], spikes[-1].sum(0))
    return found, expected, moved, states


def problem(n=120, seed=0):
    """Three groups of inputs, one of which is active: separable."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    X = 0.05 + 0.75 * (np.arange(6)[None] // 2 == y[:, None]) + 0.1 * rng.random((n, 6))
    return np.clip(X, 0, 1), y


def net_of(eta=0.02, **kw):
    return nsnn.feedforward(
        [6, 12, 3],
        noise=NOISE,
        seed=1,
        plasticity=nsnn.NDL(eta, optimizer=nsnn.Adam(), **kw.pop("rule", {})),
        **kw,
    )


def fit_of(net=None, epochs=3, data=None, **kw):
    given = {"loss": losses.rate_mse, "batch": 16, "n_steps": 8, "seed": 4, "engine": "numpy"}
    given |= {"keep": "best" if "patience" in kw else "last"} | kw
    return train(net or net_of(), problem() if data is None else data, epochs=epochs, **given)


def output_spikes(fit, data, n_steps, **options):
    """The output's spikes (pass, sample, step, neuron) that `fit.evaluate` counts."""
    out = fit.network.populations[-1]
    found = fired(fit.spikes(data, layers=out.name, **options))
    return found.reshape(options.get("passes", 1), len(data[0]), n_steps, out.n)


def fired(block):
    """(n_trials, n_steps, n_neurons) of a Block with steps of 1 ms."""
    found = as_trains(block)
    o = np.zeros((len(block.segments), round(found.t_stop[0] * 1e3), found.n_neurons))
    o[found.trial, np.rint(found.times * 1e3).astype(int), found.neuron] = 1
    assert o.sum() == found.times.size
    return o


def same(a, b):
    return all(
        np.array_equal(p, q) for p, q in zip(a.network.get_weights(), b.network.get_weights(), strict=True)
    )


def causal(loss, o, y):
    """The learning signal (n_steps, n) where only the spikes so far are known."""
    n = len(o)
    return np.array([loss.gradient(o[: t + 1], y)[t] * (t + 1) / n for t in range(n)])


class Causal(One):
    def gradient(self, o):
        return [np.zeros_like(a) for a in o[:-1]] + [causal(self.loss, o[-1], self.y)]

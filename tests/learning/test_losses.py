"""Losses against numbers by hand, their gradients against differences; encoders' laws in a run."""

from __future__ import annotations

import numpy as np
import pytest
import quantities as pq

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, coding, losses
from nsnn_neuro.brian import running
from nsnn_neuro.learning import Learner

LOSSES = [
    losses.rate_mse, losses.cross_entropy_mean, losses.cross_entropy_step, losses.CrossEntropyMean(1.3),
    losses.CrossEntropyStep(0.7),
]  # fmt: skip
ALL = pytest.mark.parametrize(
    "loss", LOSSES, ids=lambda loss: f"{type(loss).__name__}{loss.describe().get('gain', '')}"[:30]
)


@ALL
def test_gradient_is_the_derivative_of_the_value(loss):
    rng = np.random.default_rng(1)
    o, y, h = rng.random((3, 5, 4)), np.array([0, 3, 2]), 1e-3
    found = loss.gradient(o, y)
    assert found.shape == o.shape
    for t, k in np.ndindex(5, 4):
        step = np.zeros((5, 4))
        step[t, k] = h
        slopes = [(loss.value(o + m * step, y) - loss.value(o - m * step, y)) / (2 * m * h) for m in (1, 2)]
        np.testing.assert_allclose(found[:, t, k], (4 * slopes[0] - slopes[1]) / 3, atol=1e-10, rtol=0)
    assert np.abs(found).max() > 1e-3


def test_values_by_hand():
    o, y = np.array([[1, 0, 0], [1, 1, 0]]), 1
    assert float(losses.rate_mse.value(o, y)) == pytest.approx(1.0 + 0.25, abs=1e-15)
    z = 5.0 * np.array([1, 0.5, 0])
    assert float(losses.cross_entropy_mean.value(o, y)) == pytest.approx(
        np.log(np.exp(z).sum()) - z[1], abs=1e-14
    )
    steps = [np.log(np.exp(5.0 * row).sum()) - 5.0 * row[1] for row in o]
    assert float(losses.cross_entropy_step.value(o, y)) == pytest.approx(np.mean(steps), abs=1e-14)


OF_SPIKES = [losses.VanRossum(2.5), losses.VanRossum(0.3), losses.VanRossum(1e6)]


@pytest.mark.parametrize("loss", OF_SPIKES, ids=lambda loss: f"tau {loss.tau:g}")
def test_gradient_of_a_loss_of_target_spikes_is_the_derivative(loss):
    """A polynomial of degree two: a central difference is exact but for rounding."""
    rng = np.random.default_rng(1)
    o, y = rng.random((3, 7, 4)), (rng.random((3, 7, 4)) < 0.4).astype(int)
    found = loss.gradient(o, y)
    assert found.shape == o.shape
    for t, k in np.ndindex(7, 4):
        step = np.zeros((7, 4))
        step[t, k] = 0.5
        np.testing.assert_allclose(
            found[:, t, k], loss.value(o + step, y) - loss.value(o - step, y), atol=1e-12, rtol=0
        )
    assert np.abs(found).max() > 0.1


@pytest.mark.parametrize("tau", [0.5, 3.0, 40.0])
def test_the_van_rossum_loss_is_the_measures_distance(tau):
    """Squared and summed over neurons, with spikes to the last step, whose decay goes on beyond it."""
    rng = np.random.default_rng(2)
    o, y = (rng.random((2, 12, 5)) < 0.3).astype(int)
    o[-1], y[-1] = 1, 0
    squares = [
        nsnn.measures.van_rossum([np.flatnonzero(a) * 1e-3, np.flatnonzero(b) * 1e-3], tau=tau * pq.ms)[0, 1]
        ** 2
        for a, b in zip(o.T, y.T, strict=True)
    ]
    assert float(losses.VanRossum(tau).value(o, y)) == pytest.approx(sum(squares), rel=1e-12)


def test_the_likelihood_of_log_odds():
    """Against p itself where p can be told from 0 and 1; far from there nothing is lost."""
    loss, rng = losses.NegativeLogLikelihood(), np.random.default_rng(4)
    p, y = rng.uniform(0.01, 0.99, (3, 5, 2)), (rng.random((3, 5, 2)) < 0.5).astype(int)
    z = np.log(p) - np.log1p(-p)
    expected = -np.sum(y * np.log(p) + (1 - y) * np.log1p(-p), axis=(1, 2))
    np.testing.assert_allclose(loss.value(z, y), expected, rtol=1e-13)
    np.testing.assert_allclose(loss.gradient(z, y), p - y, rtol=0, atol=1e-14)
    far, seen = [[800.0], [-800.0], [800.0], [-800.0]], [[0], [1], [1], [0]]
    assert float(loss.value(far, seen)) == 1600.0
    assert loss.gradient(far, seen).ravel().tolist() == [1, -1, 0, 0]
    assert loss.gradient([[40.0]], [[1]])[0, 0] == pytest.approx(-np.exp(-40.0), rel=1e-12)


@pytest.mark.parametrize(
    "y", [np.zeros((2, 3)), np.full((3, 2), 2), np.full((3, 2), np.nan), np.full((3, 2), "a"), 1]
)
def test_target_spikes_that_are_none_are_refused(y):
    with pytest.raises(NsnnError, match=r"expected target spikes, 0 or 1, of shape \(3, 2\)"):
        losses.VanRossum(2.0).value(np.zeros((3, 2)), y)


def test_cross_entropy_is_finite_for_any_gain():
    loss = losses.CrossEntropyMean(1e4)
    assert float(loss.value([[1, 0]], 1)) == pytest.approx(1e4)
    assert np.isfinite(loss.gradient([[1, 0]], 1)).all()


@pytest.mark.parametrize("y", [[2], [-1], [0.0]])
def test_labels_out_of_range_are_refused(y):
    with pytest.raises(NsnnError, match="expected labels, whole numbers from 0 to 1"):
        losses.rate_mse.value(np.zeros((1, 3, 2)), y)


def sent(encoder, X, n_steps, batch=1):
    """What the input sends, (batch, n_steps, n)."""
    net = nsnn.feedforward(
        [X.shape[1], 1],
        noise=nsnn.EscapeNoise(nsnn.Gaussian(0.4)),
        plasticity=nsnn.NDL(0.1),
        weights=[np.ones((X.shape[1], 1))],
    )
    with running("numpy"):
        learner = Learner(
            net, batch=batch, n_steps=n_steps, encoder=encoder, loss=losses.rate_mse, feedback=None
        )
        order = np.arange(batch)[None] % len(X)
        learner.run(X, np.zeros(len(X), int), order, np.array([False]), key=(3,))
    return learner.layers[0].samples("o")


def test_bernoulli_spikes_have_their_probability():
    x = np.array([[0.0, 0.2, 0.7, 1.0]])
    o = sent(coding.Bernoulli(0.9), x, 400, batch=50)
    n, p = 400 * 50, 0.9 * x[0]
    assert set(np.unique(o)) == {0.0, 1.0}
    z = (o.sum((0, 1)) - n * p)[1:] / np.sqrt(n * p * (1 - p))[1:]
    assert np.abs(z).max() < 4
    assert o[:, :, 0].sum() == 0
    # units, copies and steps don't share their draws
    flat = o[:, :, 2] - o[:, :, 2].mean()
    for other in (o[:, :, 1], np.roll(o[:, :, 2], 1, 0), np.roll(o[:, :, 2], 1, 1)):
        r = (flat * (other - other.mean())).mean() / flat.std() / other.std()
        assert abs(r) * np.sqrt(n) < 4


def test_direct_sends_the_value_and_latency_one_spike():
    x = np.array([[0.0, 0.25, 0.6, 1.0], [0.5, 0.1, 0.0, 0.9]])
    o = sent(coding.Direct(2.0), x, 5, batch=2)
    np.testing.assert_array_equal(o, np.repeat(2 * x[:, None], 5, axis=1))
    o = sent(coding.Latency(), x[:1], 5)
    assert o[0].sum(0).tolist() == [0, 1, 1, 1]
    assert o[0].argmax(0)[1:].tolist() == [3, 2, 0]

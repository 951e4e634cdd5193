"""Losses against numbers by hand, their gradients against differences; encoders' laws in a run."""

from __future__ import annotations

import numpy as np
import pytest
import quantities as pq

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, losses

LOSSES = [
    losses.rate_mse, losses.cross_entropy_mean, losses.cross_entropy_step, losses.CrossEntropyMean(1.3),
    losses.CrossEntropyStep(0.7), losses.margin,
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
    assert float(losses.margin.value(o, y)) == 0.5
    assert losses.margin.gradient([[1, 1, 1]], 1).tolist() == [[1, -1, 0]]  # the first of two equal others


OF_SPIKES = [losses.VanRossum(0.3), losses.VanRossum(1e6)]


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


@pytest.mark.parametrize("tau", [0.5, 40.0])
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

"""Surrogate widths, momentum, restarts and the worst of many attacks, where the best attack is known."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from helpers.refusals import assert_refused
from helpers.with_torch import own_noise  # noqa: F401
from scipy import stats

import nsnn_neuro as nsnn
from nsnn_neuro import coding

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from nsnn_neuro import deep  # noqa: E402

RNG = np.random.default_rng(3)
WEIGHT = RNG.normal(size=(3, 6))
N = 200


def linear(*, after=(), weight=WEIGHT, **classifier):
    """A linear net on direct input, in float64."""
    layer = nn.Linear(weight.shape[1], len(weight), bias=False, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(weight))
    settings = {"encoder": coding.Direct(1.0), "n_steps": 1} | classifier
    return deep.Classifier(nn.Sequential(layer, *after), **settings)


def spiking(sigma, *, noisy=True, gain=1.0, n_steps=4):
    """Two output neurons, one for each half of six pixels; drive at the threshold for grey images."""
    weight = gain * np.repeat(np.eye(2), 3, axis=1) * (2 / 3)
    cell = deep.NoisySpike(nsnn.Gaussian(sigma), beta=0.0, noisy=noisy)
    return linear(weight=weight, after=[cell], n_steps=n_steps)


def images(n=N, low=0.3, high=0.7):
    """Images whose brighter half is the label."""
    rng = np.random.default_rng(n)  # the same whatever tests ran before
    X = rng.uniform(low, high, (n, 6))
    return X, (X[:, 3:].sum(1) > X[:, :3].sum(1)).astype(int)


def test_of_a_linear_net_the_worst_case_is_known():
    """Two classes: the margin falls by at most strength |w_y - w_other|_1, and one step of the right signs takes all of it."""
    weight = WEIGHT[:2]
    X = RNG.uniform(0.3, 0.7, (N, 6))  # no pixel is clipped
    y = (X @ weight.T).argmax(1)
    apart = weight[1] - weight[0]
    margin = np.abs(X @ apart)
    for share in (0.3, 0.7):
        strength = np.quantile(margin, share) / np.abs(apart).sum()
        assert strength < 0.3
        expected = margin > strength * np.abs(apart).sum()
        worst = deep.worst_case(linear(weight=weight), (X, y), strength=strength, draws=[1], steps=3)
        np.testing.assert_array_equal(worst.right, expected)
        assert worst.accuracy == expected.mean()
        best = X - strength * np.sign(apart) * np.where(y == 1, 1, -1)[:, None]
        np.testing.assert_allclose(worst.images.numpy(), best, atol=1e-12)


def test_the_width_is_that_of_the_gradient():
    """Through one neuron dL/dx is proportional to the normal density at u - theta; nothing else changes, and it is put back."""
    x = np.array([[0.1, 0.2, 0.3, 0.9, 0.8, 0.6]])
    for sigma, width in ((0.3, None), (0.3, 0.05), (0.01, 0.7)):
        net, seen = spiking(sigma, noisy=False, n_steps=1), []

        def watch(module, given, seen=seen):
            if given[0].requires_grad:
                given[0].register_hook(seen.append)

        net.module.register_forward_pre_hook(watch)
        deep.pgd(net, (x, [1]), strength=0.0, steps=1, draws=1, width=width, random_start=False)
        u = np.array([x[0, :3].sum(), x[0, 3:].sum()]) * 2 / 3
        f = stats.norm.pdf(u - 1, scale=width or sigma)
        o = (u > 1).astype(float)
        p = np.exp(5 * o) / np.exp(5 * o).sum()  # softmax of the loss, whose gain is 5
        expected = np.repeat(5 * (p - [0, 1]) * f * 2 / 3, 3)
        np.testing.assert_allclose(seen[0].numpy().ravel(), expected, rtol=1e-12, atol=0)
        assert net.module[1].surrogate_width is None


def test_a_narrow_surrogate_hides_what_wider_ones_find():
    """Deterministic neurons far from threshold pass no gradient at their own width; every such gradient is counted."""
    net, (X, y) = spiking(1e-3, noisy=False), images()
    X = np.where(np.repeat(np.eye(2, dtype=bool)[y], 3, axis=1), 0.6, 0.4) + 0.02 * RNG.uniform(
        -1, 1, X.shape
    )
    worst = deep.worst_case(net, (X, y), strength=0.13, widths=[None, 0.3, 1.0], draws=[1], steps=10)
    assert worst.table.source.tolist() == ["none", "itself", "itself", "itself"]
    clean, own, middle, wide = worst.table.accuracy
    assert clean == 1
    assert own > 0.95
    assert min(middle, wide) == 0 == worst.accuracy
    blind = worst.table.zero_gradients
    assert blind[1] > 0.9
    assert blind[3] == 0


@pytest.mark.slow
def test_the_worst_is_no_better_than_any_attack_and_falls_with_each():
    net, other = spiking(0.3), spiking(0.5, gain=1.1)
    sources = {"itself": net, "noise off": deep.twin(net), "other": other}
    data = images(60)
    known = {"flat": np.clip(data[0] * 0 + data[0].mean(), data[0] - 0.1, data[0] + 0.1)}
    made = {
        "strength": 0.1,
        "widths": [0.2, 0.7],
        "draws": [1, 5],
        "steps": 4,
        "passes": 5,
        "candidates": known,
    }
    worst = deep.worst_case(net, data, sources=sources, **made)
    table = worst.table
    assert table.source.value_counts().to_dict() == {
        "none": 1,
        "flat": 1,
        "itself": 4,
        "noise off": 2,
        "other": 4,
    }
    assert table[table.source == "noise off"].draws.tolist() == [1, 1]  # without noise all draws are the same
    assert (worst.accuracy <= table.accuracy).all()
    assert (table.worst.diff().dropna() <= 0).all()
    assert (np.minimum.accumulate(table.accuracy) >= table.worst).all()
    assert worst.accuracy < table.accuracy[0]
    assert np.abs(worst.images.numpy() - data[0]).max() <= 0.1 + 1e-12
    again = deep.worst_case(net, data, sources=sources, **made)
    assert table.equals(again.table)
    # with new noise on the worst images, the net does no better than under each attack alone, within four standard errors
    fresh = deep.accuracy(net, (worst.images, data[1]), passes=5, seed=9)
    assert fresh["accuracy"] <= table.accuracy.min() + 4 * np.sqrt(0.25 / 60)
    skipped = deep.worst_case(net, data, sources=sources, skip_broken=True, **made).table
    assert skipped.images.tolist()[0] == 60
    assert (skipped.images[2:] < 60).all()
    assert skipped.accuracy[2:].isna().all()
    assert abs(skipped.worst.iloc[-1] - worst.accuracy) < 4 * np.sqrt(2 * 0.25 / 60)


class Folded(nn.Module):
    """Scores cos(9 u) and 0."""

    def forward(self, u):
        return torch.stack([torch.cos(9 * u[..., 0]), 0 * u[..., 0]], -1)


@pytest.mark.parametrize("momentum", [0.0, 0.75])
def test_momentum_accumulates_normalised_gradients(momentum):
    """Against the recursion in NumPy, where the sign of the gradient alternates: softmax of 5 cos(9 u) and 0."""
    net = linear(weight=np.ones((1, 4)) / 4, after=[Folded()])
    X, y = RNG.uniform(0.3, 0.7, (20, 4)), np.zeros(20, int)
    x, m, turns = X.copy(), 0.0, 0
    for _ in range(8):
        u = x.mean(1, keepdims=True)
        g = 5 * (1 / (1 + np.exp(5 * np.cos(9 * u)))) * 9 * np.sin(9 * u) * np.ones((1, 4)) / 4
        turns += np.mean(np.sign(g) != np.sign(m))
        m = momentum * m + g / np.abs(g).mean(1, keepdims=True)
        x = np.clip(x + 0.06 * np.sign(m), X - 0.2, X + 0.2)
    assert turns > 1.5
    found = deep.pgd(
        net, (X, y), strength=0.2, steps=8, step=0.06, draws=1, momentum=momentum, random_start=False
    )
    np.testing.assert_allclose(found.numpy(), x, atol=1e-9)


def test_restarts_keep_the_lower_margin():
    """Scores that are not concave: an attack of one step depends on its start. Four starts are never worse than the first."""
    net = linear(weight=np.ones((1, 6)) / 2, after=[Folded()])
    X, y = RNG.uniform(0.3, 0.7, (50, 6)), np.zeros(50, int)
    settings = {"strength": 0.2, "steps": 1, "step": 0.02, "draws": 1, "seed": 1}

    def margin(found):
        return np.cos(9 * found.numpy().sum(1) / 2)

    one, four = (margin(deep.pgd(net, (X, y), restarts=k, **settings)) for k in (1, 4))
    assert (four <= one + 1e-12).all()
    assert four.mean() < one.mean() - 0.1


def test_errors_name_the_argument():
    data = np.full((4, 6), 0.5), np.array([0, 1, 0, 1])

    def attack(**change):
        deep.worst_case(spiking(0.3), data, **{"strength": 0.1, "steps": 1, "draws": [1]} | change)

    rows = [
        ({"widths": [0.0]}, "width = 0.0", "one number above 0"),
        ({"widths": []}, "widths = ()", "one or more"),
        ({"draws": [0]}, "draws = 0", "expected"),
        ({"sources": {}}, "sources = {}", "one or more"),
        ({"sources": {"other": nn.Linear(6, 2)}}, "net is Linear", "expected"),
        ({"momentum": 2}, "momentum = 2", "a number from 0 to 1"),
        ({"restarts": 0}, "restarts = 0", "expected"),
        (
            {"candidates": {"far": np.zeros((4, 6))}},
            "candidates['far'] differs from X by up to 0.5",
            "at most 0.1",
        ),
        ({"candidates": {"less": np.full((3, 6), 0.5)}}, "candidates['less'] has shape (3, 6)", "(4, 6)"),
    ]
    assert_refused((functools.partial(attack, **change), *told) for change, *told in rows)
    twice = {"strength": 0.1, "restarts": 2, "random_start": False}
    told = ("restarts = 2", "expected 1 with random_start=False")
    assert_refused([(lambda: deep.pgd(spiking(0.3), data, **twice), *told)])

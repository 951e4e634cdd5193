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
        worst = deep.worst_case(
            linear(weight=weight), (X, y), strength=strength, draws=[1], steps=3, restarts=1
        )
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
    worst = deep.worst_case(
        net,
        (X, y),
        strength=0.13,
        widths=[None, 0.3, 1.0],
        draws=[1],
        losses=["cross_entropy"],
        steps=10,
        restarts=1,
    )
    assert worst.table.source.tolist() == ["none", "itself", "itself", "itself"]
    clean, own, middle, wide = worst.table.accuracy
    assert clean == 1
    assert own > 0.95
    assert min(middle, wide) == 0 == worst.accuracy
    blind = worst.table.zero_gradients
    assert blind[1] > 0.9
    assert blind[3] == 0


@pytest.mark.slow
def test_every_net_faces_the_same_list_and_the_strongest_of_it_is_judged_on_new_noise():
    net, other = spiking(0.3), spiking(0.5, gain=1.1)
    data, n = images(60), 60
    known = {"flat": np.clip(data[0] * 0 + data[0].mean(), data[0] - 0.1, data[0] + 0.1)}
    made = {
        "strength": 0.1,
        "widths": [0.2, 0.7],
        "draws": [1, 5],
        "steps": 4,
        "restarts": 2,
        "candidates": known,
    }

    def attacked(one, **change):
        sources = {"itself": one, "noise off": deep.twin(one), "other": other}
        return deep.worst_case(one, data, sources=sources, **made | change)

    worst, still = attacked(net), attacked(deep.twin(net))
    table, columns = worst.table, ["source", "width", "draws", "loss", "restart"]
    assert table.source.value_counts().to_dict() == {
        "none": 1, "flat": 1, "itself": 16, "noise off": 16, "other": 16,
    }  # fmt: skip
    # a net without noise faces as many attacks, each from another start
    assert table[columns].equals(still.table[columns])
    assert table.accuracy.tolist() == worst.each.mean(1).tolist()
    assert (still.accuracy <= still.table.accuracy).all()
    assert not still.right[~still.each.all(0)].any()
    np.testing.assert_array_equal(still.right, still.each[still.chosen, np.arange(n)])
    assert worst.accuracy < table.accuracy[0]
    assert np.abs(worst.images.numpy() - data[0]).max() <= 0.1 + 1e-12
    # the noise that chose is not that which judges: chosen for it, images seem worse than they are
    assert not np.array_equal(worst.right, worst.each[worst.chosen, np.arange(n)])
    again = deep.accuracy(net, (worst.images, data[1]), passes=400, seed=9)
    assert abs(worst.accuracy - again["accuracy"]) < 4 * np.sqrt(0.25 / n / 100) + 1 / n
    repeated = attacked(net)
    assert table.equals(repeated.table)
    np.testing.assert_array_equal(worst.margin, repeated.margin)
    seen = set()
    hook = net.module.register_forward_pre_hook(
        lambda _, given: seen.add(given[0].shape[1]) if given[0].requires_grad else None
    )
    deep.worst_case(net, (data[0][:6], data[1][:6]), strength=0.1, draws=[1, 5], steps=1, restarts=1)
    hook.remove()
    assert seen == {6, 30}  # a gradient is the mean over as many draws
    transferred = deep.worst_case(
        still_net := deep.twin(net), data, strength=0.1, sources={}, candidates={"N": worst.images}
    )
    assert transferred.table.source.tolist() == ["none", "N"]
    assert transferred.accuracy >= deep.worst_case(still_net, data, **made).accuracy


def test_new_noise_judges_without_bias():
    """Nothing moves at strength 0: 41 equal candidates, whose smallest margins on few draws are too small by far."""
    net, (X, y) = spiking(0.3), images(100, 0.48, 0.52)
    made = {"strength": 0.0, "draws": [1], "steps": 1, "restarts": 20, "passes": 1, "judge_passes": 200}
    worst = deep.worst_case(net, (X, y), **made)
    again = deep.accuracy(net, (X, y), passes=200, seed=5)
    assert not np.array_equal(worst.right, worst.each[0])
    assert abs(worst.accuracy - again["accuracy"]) < 4 * np.sqrt(2 * 0.25 / 100)


# --------------------------------------------------------------------------------- an attack that is not the package's


class Step(torch.autograd.Function):
    """A spike of an own net: P = Phi((u - 1) / sigma), or u > 1; in the backward pass the normal density of a width."""

    @staticmethod
    def forward(ctx, u, sigma, width, noise):
        ctx.save_for_backward(u)
        ctx.width = width
        return (u + sigma * noise > 1).to(u.dtype)

    @staticmethod
    def backward(ctx, g):
        (u,) = ctx.saved_tensors
        return g * torch.exp(-((u - 1) ** 2) / (2 * ctx.width**2)) / ctx.width, None, None, None


def scores_of(weights, x, sigma, passes, width=0.5, n_steps=2):
    """Scores (n, classes) of images, mean over passes, of a net with one hidden layer: u = u (1 - o) / 2 + W x."""
    first, last = weights
    drive = x.repeat(passes, 1) @ first.T
    u = o = torch.zeros_like(drive)
    total = 0
    for _ in range(n_steps):
        u = 0.5 * u * (1 - o) + drive
        o = Step.apply(u, sigma, width, torch.randn_like(u))
        total = total + o @ last.T
    return total.unflatten(0, (passes, -1)).mean(0)


def independent_pgd(weights, X, y, sigma, strength, restarts=2, steps=10, draws=5):
    """The worst of several starts of PGD on the cross-entropy, chosen by ten passes."""
    best, lowest = X.clone(), torch.full((len(X),), torch.inf)
    for _ in range(restarts):
        x = (X + strength * (2 * torch.rand_like(X) - 1)).clamp(0, 1)
        for _ in range(steps):
            x.requires_grad_()
            loss = nn.functional.cross_entropy(scores_of(weights, x, sigma, draws), y, reduction="sum")
            (g,) = torch.autograd.grad(loss, x)
            x = (x.detach() + 2.5 * strength / steps * g.sign()).clamp(X - strength, X + strength).clamp(0, 1)
        scores = scores_of(weights, x, sigma, 10).detach()
        own = scores.gather(1, y[:, None])[:, 0]
        margin = own - scores.scatter(1, y[:, None], -torch.inf).amax(1)
        worse = margin < lowest
        best[worse], lowest = x[worse], torch.minimum(margin, lowest)
    return best


@pytest.mark.parametrize("noisy", [False, True])
def test_images_that_are_settled_are_spared_and_the_attack_is_no_weaker(noisy):
    net, (X, y) = spiking(0.3, noisy=noisy), images(80)
    made = {"strength": 0.15, "widths": [0.3, 1.0], "draws": [5], "steps": 4, "restarts": 2}
    every, some = (deep.worst_case(net, (X, y), settled=k, **made) for k in (None, 4))
    assert (every.table.attacked == 80).all()
    attacked = some.table.attacked.to_numpy()
    assert attacked[0] == 80
    assert attacked[-1] < 0.6 * 80
    assert some.accuracy <= every.accuracy + (0.25 / 80) ** 0.5
    assert f"{some.accuracy:.3f} " in repr(some)
    assert "80 images, 8 attacks" in repr(some)
    assert some.right[some.each.any(axis=0) < 1].sum() == 0
    if not noisy:
        assert attacked[1] == some.each[0].sum()  # those that are wrong without an attack are settled


@pytest.mark.parametrize("seed", range(10))
def test_the_attack_is_no_weaker_than_an_independent_one(seed):
    """Of five noisy and five deterministic nets; both judged by the same 200 passes, within the error of the difference."""
    sigma, n, strength = (0.0, 0.4)[seed % 2], 100, 0.05
    torch.manual_seed(seed)
    with torch.random.fork_rng():
        X = 0.2 + 0.6 * torch.rand(n, 12)
        weights = 3 * torch.randn(24, 12) / 12**0.5, torch.randn(4, 24) / 24**0.5
        weights[0].sub_(weights[0].mean(1, keepdim=True) - 1 / 6)  # grey images drive all to the threshold
        y = scores_of(weights, X, sigma, 200).argmax(1)
        theirs = independent_pgd(weights, X, y, sigma, strength)
        cell = deep.NoisySpike(nsnn.Gaussian(sigma or 0.3), noisy=sigma > 0)
        net = deep.Classifier(
            nn.Sequential(nn.Linear(12, 24, bias=False), cell, nn.Linear(24, 4, bias=False)),
            encoder=coding.Direct(), n_steps=2,
        )  # fmt: skip
        with torch.no_grad():
            net.module[0].weight.copy_(weights[0])
            net.module[2].weight.copy_(weights[1])
        worst = deep.worst_case(
            net, (X, y), strength=strength, widths=[0.3, 1.0], draws=[5], restarts=2, steps=10
        )
        right = [scores_of(weights, x, sigma, 200).argmax(1) == y for x in (worst.images, theirs)]
    difference = right[0].double() - right[1].double()
    assert 0.02 < right[1].double().mean() < 0.95
    error = max(float(difference.std()) / n**0.5, 1 / n)
    assert difference.mean() <= error
    assert abs(worst.accuracy - right[0].double().mean()) < 4 * (0.25 / n) ** 0.5  # the package's judgement


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
    # without noise other numbers of draws are other starts
    made = {"draws": [1, 5], "losses": ["cross_entropy"], "restarts": 2, "steps": 1}
    worst = deep.worst_case(net, (X, y), strength=0.2, **made)
    assert len(np.unique(worst.each[1:], axis=0)) == 4
    assert worst.accuracy == worst.each.all(0).mean() < worst.table.accuracy.min()


def test_errors_name_the_argument():
    data = np.full((4, 6), 0.5), np.array([0, 1, 0, 1])

    def attack(**change):
        made = {"strength": 0.1, "steps": 1, "draws": [1], "restarts": 1}
        deep.worst_case(spiking(0.3), data, **made | change)

    rows = [
        ({"widths": [0.0]}, "width = 0.0", "one number above 0"),
        ({"widths": []}, "widths = ()", "one or more"),
        ({"draws": [0]}, "draws = 0", "expected"),
        ({"sources": {}}, "sources = {}", "one or more"),
        ({"losses": []}, "losses = []", "one or more"),
        ({"losses": ["hinge"]}, "losses has 'hinge'", "'cross_entropy', 'margin'"),
        ({"losses": [nsnn.losses.VanRossum(1.0)]}, "loss = VanRossum", "labels"),
        ({"passes": 0}, "passes = 0", "at least 1"),
        ({"judge_passes": 0.5}, "judge_passes = 0.5", "at least 1"),
        ({"settled": -1}, "settled = -1", "expected"),
        (
            {"sources": {"flat": linear(weight=WEIGHT[:2])}, "widths": [0.3]},
            "sources['flat'] has no NoisySpike",
            "[None]",
        ),
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

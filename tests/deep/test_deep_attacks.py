"""Attacks on a small net that has learned digits, and disturbances of it: what they must do, and what they must leave alone."""

from __future__ import annotations

import copy
import functools

import numpy as np
import pytest
from helpers.refusals import assert_refused
from helpers.with_torch import own_noise  # noqa: F401
from scipy.special import ndtr

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, coding, losses

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from nsnn_neuro import deep  # noqa: E402

N, DRAWS = 80, 20


def net_of(feedback=False):
    torch.manual_seed(0)
    last = nn.Linear(48, 10)
    return deep.Classifier(
        nn.Sequential(
            deep.EachStep(nn.Flatten(), nn.Linear(64, 48)), deep.NoisySpike(nsnn.Gaussian(0.4)),
            deep.RandomFeedback(last) if feedback else last, deep.NoisySpike(nsnn.Gaussian(0.4)),
        ),
        n_steps=6,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained():
    """A noisy net, its deterministic twin trained likewise, and images (n, 1, 8, 8) of the test set with labels."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    X, y = nsnn.datasets.digits("train")
    told = {"loss": losses.cross_entropy_mean, "epochs": 6, "batch": 32, "validation": 0, "seed": 1}
    with torch.random.fork_rng(devices=[]):
        net = net_of()
        nets = [deep.fit(one, (X.reshape(-1, 1, 8, 8), y), **told).module for one in (net, deep.twin(net))]
    torch.set_num_threads(threads)
    X, y = nsnn.datasets.digits("test")
    return *nets, (torch.as_tensor(X[:N].reshape(-1, 1, 8, 8), dtype=torch.float32), y[:N])


def rate(net, X, y, passes=10):
    """Accuracy and its standard error, which isn't 0."""
    found = deep.accuracy(net, (X, y), passes=passes)
    return found["accuracy"], max(found["se"], 1 / len(y))


WHITE = {
    "fgsm": lambda net, data, s, **more: deep.fgsm(net, data, strength=s, **more),
    "pgd": lambda net, data, s, **more: deep.pgd(net, data, strength=s, steps=5, **more),
    "sphere": lambda net, data, s, **more: deep.sphere(net, data, radius=8 * s, steps=5, **more),
    "sphere, Adam": lambda net, data, s, **more: deep.sphere(
        net, data, radius=8 * s, steps=5, optimizer="adam", **more
    ),
}
EVERY = WHITE | {
    "square": lambda net, data, s, **more: deep.square(net, data, strength=s, queries=200, **more)
}
ATTACKS = pytest.mark.parametrize("attack", EVERY.values(), ids=EVERY)


# ------------------------------------------------------------------------------------------------------------- attacks


@pytest.mark.slow
@ATTACKS
def test_images_stay_images_within_their_bounds(trained, attack):
    net, _, (X, y) = trained
    strength = 0.3
    found = attack(net, (X, y), strength)
    assert (found.shape, found.dtype, found.requires_grad) == (X.shape, X.dtype, False)
    assert found.min() >= 0
    assert found.max() <= 1
    off = (found - X).flatten(1)
    if attack in (EVERY["sphere"], EVERY["sphere, Adam"]):
        np.testing.assert_allclose(off.norm(dim=1).numpy(), 8 * strength, rtol=1e-4)
    else:
        assert off.abs().max() <= strength + 1e-6
        assert off.abs().amax(1).min() > 0.9 * strength


@pytest.mark.slow
@ATTACKS
def test_no_strength_changes_nothing_and_a_seed_is_all_that_counts(trained, attack):
    net, _, (X, y) = trained
    X, y = X[:20], y[:20]
    assert torch.equal(attack(net, (X, y), 0.0), X)
    before = copy.deepcopy(net.state_dict())
    state = torch.get_rng_state()
    one = attack(net, (X, y), 0.1, seed=1)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(5)
    assert torch.equal(one, attack(net, (X.double().numpy(), torch.as_tensor(y)), 0.1, seed=1))
    assert not torch.equal(one, attack(net, (X, y), 0.1, seed=2))
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items() if isinstance(v, torch.Tensor))
    assert all(p.grad is None for p in net.parameters())


@pytest.mark.slow
def test_how_strong_they_are(trained):
    """PGD at least as FGSM, and as another net's PGD; the black box less than PGD, within 200 trials; all more than random
    signs of the same size; |z| < 4, or > 4."""
    net, twin, (X, y) = trained
    s = 0.3
    random, fast, best, other, black = (
        rate(net, x, y)
        for x in (
            (X + s * (2 * torch.randint(0, 2, X.shape) - 1)).clamp(0, 1),
            deep.fgsm(net, (X, y), strength=s),
            deep.pgd(net, (X, y), strength=s),
            deep.pgd(twin, (X, y), strength=s),
            deep.square(net, (X, y), strength=s, queries=1000, draws=5),
        )
    )
    assert rate(net, X, y)[0] > 0.85
    for weaker in (fast, other):
        assert best[0] < weaker[0] + 4 * np.hypot(best[1], weaker[1])
    for attacked in (fast, best, other, black):
        assert attacked[0] < random[0] - 4 * np.hypot(attacked[1], random[1])
    assert best[0] < black[0] - 4 * np.hypot(black[1], best[1])
    with deep.disturbed(net, delete=0.2, insert=0.02):
        moved = deep.pgd(net, (X, y), strength=0.15)
        assert rate(net, moved, y)[0] < rate(net, X, y)[0] - 0.2


def slopes(net, X, y, draws, seed, gain=1.0):
    """dL/dx of an attack: its gradient at the module's input, summed over steps and draws, times the encoder's gain."""
    seen = []

    def watch(module, given):
        if given[0].requires_grad:
            given[0].register_hook(seen.append)

    handle = net.module.register_forward_pre_hook(watch)
    try:
        deep.fgsm(net, (X, y), strength=0.0, draws=draws, seed=seed)
    finally:
        handle.remove()
    (slope,) = seen
    return gain * slope.sum(0).unflatten(0, (draws, -1)).sum(0)


def test_the_gradient_is_that_of_the_mean_loss():
    """One noiseless step, without an encoder's draws: the derivative by hand."""
    layer = nn.Linear(3, 2, dtype=torch.float64)
    net = deep.Classifier(nn.Sequential(layer), encoder=coding.Direct(0.5), n_steps=4)
    x, y = torch.rand(5, 3, dtype=torch.float64), np.array([0, 1, 1, 0, 1])
    at = x.clone().requires_grad_()
    nn.functional.cross_entropy(5 * layer(0.5 * at), torch.as_tensor(y), reduction="sum").backward()
    found = slopes(net, x, y, 7, 0, gain=0.5)
    torch.testing.assert_close(found, at.grad, rtol=1e-10, atol=1e-13)
    moved = deep.fgsm(net, (x, y), strength=0.01)
    torch.testing.assert_close(moved, (x + 0.01 * at.grad.sign()).clamp(0, 1))


def test_random_feedback_does_not_mask_the_gradient():
    """Attacks go by the layer's own weights: the images are those of the plain net; learning still goes by B."""
    plain, other = net_of(), net_of(feedback=True)
    x, y = torch.rand(6, 1, 8, 8), np.arange(6)
    assert torch.equal(deep.pgd(plain, (x, y), strength=0.1), deep.pgd(other, (x, y), strength=0.1))
    assert not other.module[2].transport
    grads = []
    for net in (plain, other):
        torch.manual_seed(1)
        net(x).sum().backward()
        grads.append(net.module[0][1].weight.grad)
    assert not torch.equal(*grads)


def test_the_black_box_keeps_its_budget(trained):
    """It shows each image as often as it may, and one more for a look at the labels; without gradients."""
    net, _, (X, y) = trained
    shown = []

    def count(module, given):
        assert not torch.is_grad_enabled()
        shown.append(given[0].shape[1])

    handle = net.module.register_forward_pre_hook(count)
    try:
        deep.square(net, (X[:30], y[:30]), strength=0.1, queries=190, draws=20)
    finally:
        handle.remove()
    assert sum(shown) == 30 * 180 + 1
    with pytest.raises(NsnnError, match="queries = 19: expected 20 or more"):
        deep.square(net, (X, y), strength=0.1, queries=19)


class Enough(Exception):
    """Two images of a search were shown."""


def first_change(x, area):
    """Where the first trial of `square` changes grey images, (n, ...), and all values of the changes."""
    torch.manual_seed(0)
    net = deep.Classifier(
        nn.Sequential(nn.Flatten(2), nn.Linear(x[0].numel(), 2)), encoder=coding.Direct(1.0), n_steps=1
    )
    shown = []

    def watch(module, given):
        if len(given[0][0]) == len(x):
            shown.append(given[0][0])
        if len(shown) == 2:
            raise Enough

    net.module.register_forward_pre_hook(watch)
    with pytest.raises(Enough):
        deep.square(net, (x, np.zeros(len(x), int)), strength=0.25, queries=2000, area=area, draws=1)
    stripes, trial = shown
    return stripes != trial, torch.cat([stripes, trial]) - x[0]


def test_squares_are_squares_and_vectors_have_pixels():
    """A square differs from the stripes before it in about half of its channels: of 64, in one at least at each pixel."""
    where, change = first_change(torch.full((50, 64, 8, 6), 0.5), 9 / 48)
    where = where.any(1)
    assert where.flatten(1).sum(1).tolist() == [9] * 50
    rows, columns = where.any(2), where.any(1)
    assert (rows.sum(1) == 3).all()
    assert (columns.sum(1) == 3).all()
    assert torch.equal(where, rows[:, :, None] & columns[:, None, :])
    assert len({tuple(r.tolist()) for r in rows}) > 3
    assert change.abs().unique().tolist() == [0.25]
    where, change = first_change(torch.full((2000, 30), 0.5), 0.2)
    changed = where.sum(1).double()
    assert changed.max() == 6
    assert abs(changed.mean() - 3) < 4 * np.sqrt(6 / 4 / 2000)  # each of six pixels with probability 1/2
    assert change.abs().unique().tolist() == [0.25]


def test_direct_optimisation_on_the_sphere_is_adam_through_the_normalisation():
    """Against torch's Adam and autograd on v, with changes radius v / |v|; pixels stay far from 0 and 1."""
    torch.manual_seed(3)
    layer, x, y, radius = nn.Linear(12, 4).double(), torch.full((5, 12), 0.5).double(), [0, 1, 2, 3, 0], 0.3
    net = deep.Classifier(layer, encoder=coding.Direct(), n_steps=2)
    options = {"radius": radius, "optimizer": "adam", "draws": 1, "seed": 1}
    start = deep.sphere(net, (x, y), step=0.0, steps=1, **options)
    found = deep.sphere(net, (x, y), step=0.11, steps=30, **options)
    v = ((start - x) / radius).requires_grad_()
    adam = torch.optim.Adam([v], lr=0.11 / np.sqrt(12), maximize=True)
    for _ in range(30):
        adam.zero_grad()
        scores = layer(x + radius * v / v.norm(dim=1, keepdim=True))
        nn.functional.cross_entropy(5 * scores, torch.tensor(y), reduction="sum").backward()
        adam.step()
    v = v.detach()
    np.testing.assert_allclose(
        found.numpy(), (x + radius * v / v.norm(dim=1, keepdim=True)).numpy(), atol=1e-6
    )
    assert (found - start).norm(dim=1).min() > radius / 4


def test_images_are_taken_in_parts(trained, monkeypatch):
    """More than fit at once: each part its own, in order, whatever the draws."""
    _, twin, (X, y) = trained
    twin = deep.Classifier(twin.module, encoder=coding.Direct(), n_steps=4)
    whole = deep.fgsm(twin, (X, y), strength=0.1, draws=2)
    monkeypatch.setattr(deep.classifier, "_MOST", 30)
    torch.testing.assert_close(deep.fgsm(twin, (X, y), strength=0.1, draws=2), whole)
    assert deep.accuracy(twin, (X, y)) == deep.accuracy(twin, (X, y), passes=3)


def test_errors_name_the_argument():
    net, data = net_of(), (torch.rand(3, 1, 8, 8), [0, 1, 2])
    rows = [
        (lambda: deep.fgsm(net, data, strength=-1), "strength = -1", ""),
        (lambda: deep.pgd(net, data, strength=0.1, steps=0), "steps = 0", ""),
        (lambda: deep.pgd(net, data, strength=0.1, step=-1), "step = -1", ""),
        (lambda: deep.sphere(net, data, radius="1"), "radius = '1'", ""),
        (lambda: deep.sphere(net, data, radius=1, optimizer="sgd"), "optimizer = 'sgd'", "'adam'"),
        (lambda: deep.square(net, data, strength=0.1, area=0), "area = 0", ""),
        (lambda: deep.fgsm(net, data, strength=0.1, draws=0), "draws = 0", ""),
        (lambda: deep.fgsm(net, data, strength=0.1, loss=losses.VanRossum(1.0)), "needs target spikes", ""),
        (lambda: deep.fgsm(net, data, strength=0.1, seed=-1), "seed = -1", ""),
        (lambda: deep.fgsm(net.module, data, strength=0.1), "net is Sequential", ""),
        (lambda: deep.fgsm(net, (data[0] + 1, data[1]), strength=0.1), "X has values from 1", ""),
        (lambda: deep.pgd(net, (data[0], [0, 1, 10]), strength=0.1), "y has labels from 0 to 10", "0 to 9"),
        (lambda: deep.pgd(deep.Classifier(net.module, encoder=coding.Latency()), data, strength=0.1),
         "encoder = Latency()", "it has no derivative"),
    ]  # fmt: skip
    assert_refused(rows)


# -------------------------------------------------------------------------------------------------------- disturbances


def near(found, p, n):
    return abs(found - p) < 4 * np.sqrt(p * (1 - p) / n)


def test_spikes_are_lost_and_added_with_their_probabilities():
    """Of layers that always fire, and never; |z| < 4; one layer alone where it is named."""
    module = nn.ModuleDict({k: deep.NoisySpike(nsnn.Gaussian(0.1)) for k in ("one", "two")})
    n = 100_000
    drive = torch.cat([torch.full((1, n), 9.0), torch.full((1, n), -9.0)], 1)
    for delete, insert in ((0.3, 0.0), (0.0, 0.2), (0.3, 0.2)):
        with deep.disturbed(module, delete=delete, insert=insert):
            o = module["one"](drive)[0]
        for found, p in ((1 - o[:n], delete), (o[n:], insert)):
            assert near(float(found.mean()), p, n) if p else not found.any()
        assert set(o.unique().tolist()) <= {0.0, 1.0}
    with deep.disturbed(module, delete={"two": 0.5}):
        assert module["one"](drive)[0, :n].all()
        assert near(float(module["two"](drive)[0, :n].mean()), 0.5, n)
    assert module["two"](drive)[0, :n].all()


def test_a_lost_spike_has_reset_its_neuron():
    cell = deep.NoisySpike(nsnn.Gaussian(0.1), noisy=False)
    drive = torch.full((6, 1000), 0.7)
    clean = cell(drive)
    assert clean[:, 0].tolist() == [0, 1, 0, 1, 0, 1]
    with deep.disturbed(cell, delete=0.5):
        assert torch.all(cell(drive) <= clean)


def test_membranes_are_moved_by_gaussian_noise():
    """The twin then fires with the probability of the Gaussian, |z| < 4."""
    cell, n = deep.NoisySpike(nsnn.Logistic(0.1), noisy=False), 100_000
    with deep.disturbed(cell, membrane=0.5):
        found = float(cell(torch.full((1, n), 0.8)).mean())
    assert near(found, float(ndtr(-0.2 / 0.5)), n)
    assert not cell(torch.full((1, n), 0.8)).any()


def weighty():
    return nn.Sequential(
        nn.Linear(300, 200), deep.EachStep(nn.BatchNorm1d(200)), deep.NoisySpike(nsnn.Gaussian(0.4)),
        deep.EachStep(nn.Unflatten(1, (2, 10, 10)), nn.Conv2d(2, 8, 3)),
    )  # fmt: skip


def weights_of(module):
    return [module[0].weight.detach().clone(), module[3][1].weight.detach().clone()]


def test_weights_are_multiplied_by_noise():
    """Relative to each weight: mean 1, standard deviation that given, |z| < 4; of the seed; nothing else is touched."""
    module = weighty()
    before, clean = copy.deepcopy(module.state_dict()), weights_of(module)
    found = []
    for seed in (1, 1, 2):
        with deep.disturbed(module, weights=0.2, seed=seed):
            found.append(weights_of(module))
            changed = [
                k for k, v in module.state_dict().items()
                if isinstance(v, torch.Tensor) and not torch.equal(v, before[k])
            ]  # fmt: skip
        assert changed == ["0.weight", "3.1.weight"]
    assert all(torch.equal(a, b) for a, b in zip(found[0], found[1], strict=True))
    assert not torch.equal(found[0][0], found[2][0])
    factor = (found[0][0].double() / clean[0].double()).numpy()
    n = factor.size
    assert abs(factor.mean() - 1) < 4 * 0.2 / np.sqrt(n)
    assert abs(factor.std() / 0.2 - 1) < 4 / np.sqrt(2 * n)
    assert all(
        torch.equal(v, before[k]) for k, v in module.state_dict().items() if isinstance(v, torch.Tensor)
    )


@pytest.mark.parametrize("bits", [2, 6])
def test_coarse_weights_take_few_values(bits):
    """At most 2^bits, symmetric, with 0, none further away than half a unit."""
    module = weighty()
    clean = weights_of(module)
    with deep.disturbed(module, bits=bits):
        coarse = weights_of(module)
    for w, q in zip(clean, coarse, strict=True):
        most = float(w.abs().max())
        unit = most / (2 ** (bits - 1) - 1)
        values = q.unique()
        assert len(values) == 2**bits - 1 or (w.numel() < 1000 and len(values) < 2**bits)
        assert 0 in values
        assert (w - q).abs().max() <= unit / 2 * (1 + 1e-4)
        assert float(q.abs().max()) == pytest.approx(most, rel=1e-6)
    zero = nn.Linear(2, 2)
    nn.init.zeros_(zero.weight)
    with deep.disturbed(zero, bits=4):
        assert not zero.weight.any()


def test_all_is_put_back_even_after_an_exception():
    module = weighty()
    before = copy.deepcopy(module.state_dict())
    cell = module[2]

    def fails():
        with deep.disturbed(module, delete=1.0, insert=1.0, membrane=9.0, weights=1.0, bits=2):
            assert not torch.equal(module[0].weight, before["0.weight"])
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert all(
        torch.equal(v, before[k]) for k, v in module.state_dict().items() if isinstance(v, torch.Tensor)
    )
    assert cell(torch.full((1, 50), 9.0)).all()
    assert not cell(torch.full((1, 50), -9.0)).any()
    assert not cell._forward_hooks
    assert not cell._forward_pre_hooks


def test_disturbances_that_do_not_fit_are_named():
    def disturb(module=None, **change):
        with deep.disturbed(module or weighty(), **change):
            raise AssertionError

    rows = [
        ({"delete": 1.5}, "delete = 1.5", "a number from 0 to 1"),
        ({"delete": {"3": 0.5}}, "delete names '3'", "layers of NoisySpike, of 2"),
        ({"delete": {"2": 2}}, "delete['2'] = 2", "expected"),
        ({"insert": -0.1}, "insert = -0.1", "expected"),
        ({"membrane": np.inf}, "membrane = inf", "expected"),
        ({"weights": -1}, "weights = -1", "expected"),
        ({"bits": 1}, "bits = 1", "a whole number, at least 2"),
        ({"seed": -1}, "seed = -1", "expected"),
        ({"module": 3}, "module is int", "expected"),
    ]
    assert_refused((functools.partial(disturb, **change), *told) for change, *told in rows)

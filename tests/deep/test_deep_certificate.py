"""Certified radii: the bound holds for every event of nets that can be enumerated, is tight where it should be, and its parts are
those of independent calculations."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from helpers.refusals import assert_refused
from helpers.with_torch import own_noise  # noqa: F401
from scipy import stats
from scipy.special import ndtr, ndtri

import nsnn_neuro as nsnn
from nsnn_neuro import coding

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from nsnn_neuro import deep  # noqa: E402
from nsnn_neuro.deep import certificate, each_image, first_layer  # noqa: E402


def net_of(W, b, sigma, beta=0.5, theta=1.0, reset="hard", n_steps=1):
    """A classifier whose classes are the neurons of its only layer."""
    linear = nn.Linear(W.shape[1], len(W)).double()
    with torch.no_grad():
        linear.weight.copy_(torch.as_tensor(W))
        linear.bias.copy_(torch.as_tensor(b))
    spike = deep.NoisySpike(nsnn.Gaussian(sigma), beta=beta, theta=theta, reset=reset)
    return deep.Classifier(nn.Sequential(linear, spike), encoder=coding.Direct(), n_steps=n_steps)


def patterns(n_steps, n):
    return np.array(list(itertools.product([0, 1], repeat=n_steps * n))).reshape(-1, n_steps, n)


def probabilities(net, x):
    """P of each pattern of spikes (..., patterns) for images x (..., inputs), step by step as the model is defined."""
    linear, spike = net.module
    W, b = linear.weight.detach().numpy(), linear.bias.detach().numpy()
    sigma, beta, theta = spike.family.si("sigma"), spike.neuron.si("beta"), spike.neuron.si("theta")
    o = patterns(net.n_steps, len(W))
    drive = (np.asarray(x) @ W.T + b)[..., None, :]
    u, before, chance = 0.0, 0.0, 1.0
    for t in range(net.n_steps):
        kept = u * (1 - before) if spike.neuron.reset == "hard" else u - theta * before
        u = beta * kept + drive
        fires = ndtr((u - theta) / sigma)
        chance = chance * np.where(o[:, t], fires, 1 - fires).prod(-1)
        before = o[:, t]
    return chance


def table_of(net, x, **options):
    return deep.certified_radius(net, (x[None], [0]), **options)


def drawn(rng, k):
    """A random net of two neurons, two inputs and two steps."""
    return net_of(
        rng.normal(size=(2, 2)),
        rng.uniform(0, 1, 2),
        sigma=rng.uniform(0.2, 1.0, 2) if k % 2 else rng.uniform(0.2, 1.0),
        beta=rng.uniform(0, 1, 2) if k % 3 else 0.9,
        theta=rng.uniform(0.5, 1.5),
        reset=("hard", "subtract")[k % 2],
        n_steps=2,
    )


def test_no_event_of_small_nets_violates_the_bound():
    """All 65,536 sets of spike patterns of 12 nets; a radius 20 % larger would be violated."""
    rng = np.random.default_rng(1)
    events = (np.arange(2**16)[:, None] >> np.arange(16)) & 1
    least = []
    for k in range(12):
        net, x, d = drawn(rng, k), rng.uniform(size=2), rng.normal(size=2)
        d *= rng.choice([0.05, 0.3]) / np.linalg.norm(d)
        mu = np.linalg.norm(d) / table_of(net, x, votes=1).attrs["input_noise"]
        before, after = (events @ probabilities(net, place) for place in (x, x + d))
        assert np.all(after <= ndtr(ndtri(before.clip(0, 1)) + mu) + 1e-12)
        inside = (before > 1e-6) & (before < 1 - 1e-6)
        least.append(mu / (ndtri(after[inside]) - ndtri(before[inside])).max())
    assert 1 < min(least) < 1.2


def test_one_neuron_in_one_step_meets_the_bound():
    net = net_of(np.array([[1.7]]), [0.3], 0.35)
    x, r = np.array([0.2]), 0.3
    before, after = (probabilities(net, place)[1] for place in (x, x + r))
    mu = r / table_of(net, x, votes=1).attrs["input_noise"]
    assert ndtri(after) - ndtri(before) == pytest.approx(mu, rel=1e-7)


def test_no_change_of_a_certified_radius_changes_the_most_frequent_answer():
    """Exact probabilities on circles around 12 images; on circles of six radii some answers do change."""
    rng = np.random.default_rng(2)
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    flips = {1: 0, 6: 0}
    certified = 0
    answers = patterns(2, 2).sum(1).argmax(1)  # the first of equal counts
    for k in range(12):
        net, x = drawn(rng, k), rng.uniform(size=2)
        row = table_of(net, x, votes=1000, alpha=0.001, seed=k).iloc[0]
        if row.guess < 0:
            continue
        certified += 1
        for factor in flips:
            p = probabilities(net, x + factor * row.radius * circle)
            flips[factor] += int((p[:, answers == row.guess].sum(1) < 0.5).sum())
    assert certified > 8
    assert flips[1] == 0
    assert flips[6] > 0


def test_a_radius_is_that_of_exact_binomial_bounds():
    """Against SciPy's exact interval, of the guess and of the second class."""
    low, high = stats.binomtest(830, 1000).proportion_ci(0.99, "exact")
    assert certificate.radius([[830, 170]], [0], 0.01, 0.3)[0] == pytest.approx(0.3 * ndtri(low))
    second = stats.binomtest(210, 1000).proportion_ci(1 - 0.01 / 3, "exact").high
    low = stats.binomtest(430, 1000).proportion_ci(0.99, "exact").low
    expected = 0.3 * (ndtri(low) - ndtri(second)) / 2
    counts = [[430, 190, 170, 210]]
    assert certificate.radius(counts, [0], 0.01, 0.3)[0] == pytest.approx(expected)
    assert certificate.radius(counts, [3], 0.01, 0.3)[0] == 0
    assert certificate.radius([[0, 10], [10, 0]], [0, 0], 0.01, 1.0).round(3).tolist() == [
        0.0,
        round(float(ndtri(0.005**0.1)), 3),
    ]
    assert np.isfinite(certificate.radius([[10**15, 0]], [0], 1e-3, 1.0)).all()
    assert high > low


def matrix_of(weight, size, stride, padding):
    """A convolution as a matrix, by its definition."""
    n_out, n_in, kh, kw = weight.shape
    high, wide = ((n + 2 * padding - k) // stride + 1 for n, k in zip(size, (kh, kw), strict=True))
    A = np.zeros((n_out, high, wide, n_in, *size))
    for d, y, x, c, i, j in np.ndindex(n_out, high, wide, n_in, kh, kw):
        row, column = y * stride - padding + i, x * stride - padding + j
        if 0 <= row < size[0] and 0 <= column < size[1]:
            A[d, y, x, c, row, column] += weight[d, c, i, j]
    return A.reshape(n_out, high * wide, -1)


@pytest.mark.parametrize(("stride", "padding"), [(1, 1), (3, 2)])
def test_the_norm_of_a_convolution(monkeypatch, stride, padding):
    """The matrix of the map, rows over the noise of their channel, batch norm folded in; the bound for large images is above."""
    conv, norm = nn.Conv2d(2, 3, 3, stride=stride, padding=padding), nn.BatchNorm2d(3)
    nn.init.uniform_(norm.running_var, 0.5, 2)
    nn.init.uniform_(norm.weight, 0.5, 2)
    sigma, n_steps = np.array([0.2, 0.5, 1.0]), 3
    spike = deep.NoisySpike(nsnn.Gaussian(sigma), axis=1, beta=[0.1, 0.5, 0.9])
    head = deep.EachStep(nn.Flatten(), nn.LazyLinear(2))
    module = nn.Sequential(deep.EachStep(conv, norm), spike, head, deep.NoisySpike(nsnn.Gaussian(0.4)))
    net = deep.Classifier(module.train(), encoder=coding.Direct(2.0), n_steps=n_steps)
    image = torch.rand(1, 2, 6, 7)
    net.spikes(image)  # lazy weights, and running statistics that `eval` mode uses
    A = matrix_of(conv.weight.detach().double().numpy(), (6, 7), stride, padding)
    slope = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach().double().numpy()
    sums = [
        sum(sum(b**k for k in range(t)) ** 2 for t in range(1, n_steps + 1)) ** 0.5 for b in (0.1, 0.5, 0.9)
    ]
    scaled = A * (2.0 * slope * sums / sigma)[:, None, None]
    expected = 1 / np.linalg.norm(scaled.reshape(-1, A.shape[-1]), 2)
    table = deep.certified_radius(net, (image, [0]), votes=1)
    assert table.attrs["input_noise"] == pytest.approx(expected, rel=1e-6)
    assert table.attrs["exact"]
    monkeypatch.setattr(first_layer, "_MOST", 1)
    bound = deep.certified_radius(net, (image, [0]), votes=1).attrs
    assert not bound["exact"]
    worst = max(2.0 * slope) * max(np.array(sums) / sigma) * np.linalg.norm(A.reshape(-1, A.shape[-1]), 2)
    assert 0.6 / worst < bound["input_noise"] <= (1 + 1e-6) / worst


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["linear", "conv"])
def test_a_bounded_layer_stays_bounded_while_it_learns(kind):
    size, data = (4, 4), (torch.rand(32, 1, 4, 4), np.arange(32) % 2)
    layer = nn.Linear(16, 12) if kind == "linear" else nn.Conv2d(1, 3, 3, padding=1)
    with torch.no_grad():
        layer.weight.mul_(10)
    first = deep.EachStep(nn.Flatten(), layer) if kind == "linear" else deep.EachStep(layer, nn.Flatten())
    assert deep.bound_norm(layer, 0.7, image=size) is layer
    outputs = 12 if kind == "linear" else 48
    module = nn.Sequential(
        first, deep.NoisySpike(nsnn.Gaussian(0.2)), nn.Linear(outputs, 2), deep.NoisySpike(nsnn.Gaussian(0.2))
    )
    net = deep.Classifier(module, encoder=coding.Direct(), n_steps=2)
    trained = deep.fit(
        net, data, loss=nsnn.losses.rate_mse, epochs=1, eta=0.1, batch=8, validation=0, seed=1
    ).module
    (learned,) = (m for m in trained.modules() if type(m).__name__.startswith("Parametrized"))
    assert not torch.equal(learned.weight, layer.weight)
    A = learned.weight.detach().double().numpy()
    norm = np.linalg.norm(A if kind == "linear" else matrix_of(A, size, 1, 1).reshape(48, 16), 2)
    assert 0.5 < norm <= 0.7 * (1 + 1e-6)
    s = deep.certified_radius(trained, data, votes=1).attrs["input_noise"]
    assert s == pytest.approx(0.2 / norm / np.sqrt(1 + 1.5**2), rel=1e-5)


def test_the_derivative_of_a_bounded_weight():
    layer = deep.bound_norm(nn.Linear(3, 4).double(), 0.5)
    assert torch.autograd.gradcheck(
        layer.parametrizations.weight[0], torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    )


def test_smoothing_of_a_threshold():
    """One unit that fires above .5: the true radius is the distance, and the votes leave a share of it; ties go to class 0."""
    net = net_of(np.array([[0.0], [1.0]]), [0.0, 0.5], 0.4)
    net = deep.twin(net)
    table = deep.smoothed_radius(net, ([[0.6], [0.4]], [1, 0]), sd=0.1)
    assert table.guess.tolist() == [1, 0]
    low = [stats.beta.ppf(0.0005, k, 1001 - k) for k in 1000 * ndtr(1) + np.array([-46, 46])]  # 4 SE
    assert (table.radius > 0.1 * ndtri(low[0])).all()
    assert (table.radius < min(0.1, 0.1 * ndtri(low[1]))).all()
    assert table.attrs["input_noise"] == 0.1


def test_a_seed_yields_the_same_table_and_leaves_the_generators():
    net = net_of(np.eye(2), [0.5, 0.2], 0.4, n_steps=2)
    data = (torch.rand(3, 2), [0, 1, 0])
    state = torch.get_rng_state()
    first = deep.certified_radius(net, data, votes=50, seed=3)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(5)
    assert first.equals(deep.certified_radius(net, data, votes=50, seed=3))
    assert not first.equals(deep.certified_radius(net, data, votes=50, seed=4))


class Bent(nn.Linear):
    def forward(self, x):
        return super().forward(x).relu()


NOISE = deep.NoisySpike(nsnn.Gaussian(0.4))
FIRST = nn.Linear(2, 2)
DIRECT = coding.Direct()


class BatchMean(nn.Module):
    """An answer for all images of a batch, by the mean over them."""

    def forward(self, x):
        mean = x.mean(1, keepdim=True).expand_as(x)
        return torch.cat([1 - mean.round(), mean.round()], -1)


class Both(nn.Module):
    def forward(self, x):
        return torch.cat([1 - x, x], -1)


class Stuck(nn.Dropout):
    def train(self, mode=True):
        return self


def test_votes_that_a_module_would_mix_are_cast_one_by_one():
    """One neuron at threshold .5: the mean of a batch would make .4 and .6 certain, with radii that overlap by 1.5."""

    def table_with(module):
        net = net_of(np.array([[1.0]]), [0.5], 0.4)
        net.module.append(module)
        assert each_image.each_alone(net) is isinstance(module, nn.Linear)
        return deep.certified_radius(net, ([[0.4], [0.6]], [0, 1]), votes=60)

    mixed, alone = table_with(BatchMean()), table_with(Both())
    assert mixed.equals(alone)
    assert (mixed.radius < 0.1).all()
    linear = nn.Linear(1, 2).double()
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[-1.0], [1.0]]))
        linear.bias.copy_(torch.tensor([1.0, 0.0]))
    assert (table_with(linear).radius < 0.1).all()


def test_modules_that_are_known_to_treat_each_image_alone():
    for module, known in [
        (nn.Flatten(), False),
        (nn.Flatten(2), True),
        (deep.EachStep(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.AvgPool2d(2), nn.Flatten()), True),
        (nn.AvgPool2d(2), False),
        (nn.LayerNorm(2), False),
        (nn.Softmax(0), False),
        (Bent(2, 2), False),
        (deep.bound_norm(nn.Linear(2, 2), 1.0), True),
        (deep.Residual(nn.Sequential(FIRST, NOISE)), True),
        (deep.Residual(nn.Sequential(BatchMean(), NOISE)), False),
    ]:
        assert each_image.treats_alone(module, 2) is known, module


def mixing(change):
    module = nn.Sequential(FIRST, NOISE, nn.Identity())
    change(module[2])
    return module


UNTRACKED = nn.BatchNorm1d(2, track_running_stats=False)
UNCOVERED = {
    "noisy = False": nn.Sequential(
        FIRST, deep.NoisySpike(nsnn.Gaussian(0.4), noisy=False), nn.Linear(2, 2), NOISE
    ),
    "Logistic": nn.Sequential(FIRST, deep.NoisySpike(nsnn.Logistic(0.4))),
    "ReLU at '1'": nn.Sequential(FIRST, nn.ReLU(), NOISE),
    "Bent at '0'": nn.Sequential(Bent(2, 2), NOISE),
    "batch statistics at '0.1', BatchNorm1d": nn.Sequential(deep.EachStep(FIRST, UNTRACKED), NOISE),
    "AvgPool2d at '0', which may mix images": nn.Sequential(nn.AvgPool2d((3, 1), 1, (1, 0)), FIRST, NOISE),
    "Residual at '0'": nn.Sequential(deep.Residual(nn.Sequential(FIRST, NOISE))),
    "no NoisySpike": nn.Sequential(FIRST),
    "module is Linear": FIRST,
}
MIXED = [
    (
        "hook at '2', Identity",
        mixing(lambda last: last.register_forward_hook(lambda module, given, out: out)),
    ),
    ("hook at '2', Identity", mixing(lambda last: setattr(last, "forward", BatchMean().forward))),
    ("training mode at '2', Stuck", nn.Sequential(FIRST, NOISE, Stuck(0.5))),
    ("batch statistics at '2.0'", nn.Sequential(FIRST, NOISE, deep.EachStep(UNTRACKED))),
]


def test_networks_that_the_theorem_does_not_cover_and_other_input_are_refused():
    data = (torch.rand(2, 2), [0, 1])
    certify, smooth = deep.certified_radius, functools.partial(deep.smoothed_radius, sd=0.1)

    def of(module, radius=certify, encoder=DIRECT, **options):
        return lambda: radius(deep.Classifier(module, encoder=encoder, n_steps=2), data, **options)

    good = nn.Sequential(FIRST, NOISE)
    assert_refused(
        [
            *((of(module), message, "") for message, module in UNCOVERED.items()),
            *((of(module, radius), message, "") for message, module in MIXED for radius in (certify, smooth)),
            (of(good, encoder=coding.Bernoulli()), "encoder = Bernoulli", "expected coding.Direct"),
            (of(good, alpha=0), "alpha = 0", ""),
            (of(good, votes=0), "votes = 0", ""),
            (of(good, deep.smoothed_radius, sd=0), "sd = 0", ""),
            (lambda: deep.bound_norm(nn.ReLU(), 1.0), "ReLU", ""),
            (lambda: deep.bound_norm(nn.Conv2d(1, 1, 3), 1.0), "image = None", ""),
            (lambda: deep.bound_norm(nn.Conv2d(1, 1, 3, padding="same"), 1.0, image=(4, 4)), "padding", ""),
            (lambda: deep.bound_norm(deep.bound_norm(nn.Linear(2, 2), 1.0), 1.0), "parametrised", ""),
            (lambda: deep.bound_norm(nn.Linear(2, 2), 0), "most", ""),
        ]
    )

"""Training classifiers in torch: what it learns, that it is what it says, seeds, checkpoints, running away, errors."""

from __future__ import annotations

import functools
import gc
import warnings

import numpy as np
import pytest
from helpers.refusals import assert_refused
from helpers.with_torch import Runs, own_noise  # noqa: F401
from scipy.stats import binomtest

import nsnn_neuro as nsnn
from nsnn_neuro import SGD, Adam, FormatError, Momentum, NsnnError, coding, losses

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from nsnn_neuro import deep  # noqa: E402

COLUMNS = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]


def dense(hidden=48, n_in=64, classes=10, feedback=False, seed=0, **options):
    """A classifier of two layers, its weights from the seed."""
    torch.manual_seed(seed)
    last = nn.Linear(hidden, classes)
    module = nn.Sequential(
        nn.Linear(n_in, hidden), deep.NoisySpike(nsnn.Gaussian(0.4)),
        deep.RandomFeedback(last, seed=3) if feedback else last, deep.NoisySpike(nsnn.Gaussian(0.4)),
    )  # fmt: skip
    return deep.Classifier(module, **{"n_steps": 8, **options})


def patterns(n=60, seed=0):
    """Images of six pixels, two of which are bright for each of three classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    X = 0.2 * rng.random((n, 6))
    X[np.arange(n), 2 * y] += 0.7
    X[np.arange(n), 2 * y + 1] += 0.7
    return X, y


def small(**options):
    return dense(8, 6, 3, **options)


def learned(net, **change):
    told = {"loss": losses.rate_mse, "epochs": 3, "batch": 16, "eta": 0.02, "seed": 1}
    return deep.fit(net, patterns(), **(told | change))


def same(a, b):
    one, two = (dict(net.state_dict()) for net in (a, b))
    return one.keys() == two.keys() and all(
        torch.equal(v, two[k]) for k, v in one.items() if isinstance(v, torch.Tensor)
    )


# ---------------------------------------------------------------------------------------------------------- it learns


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "loss", "feedback", "least"),
    [("online", losses.cross_entropy_step, False, 0.85), ("bptt", losses.rate_mse, True, 0.8)],
)
def test_digits_are_learned(algorithm, loss, feedback, least):
    """In six epochs of 1,078 images; chance is .1."""
    net = dense(feedback=feedback)
    data = nsnn.datasets.digits("train")
    fit = deep.fit(net, data, loss=loss, algorithm=algorithm, epochs=6, batch=32, eta=0.01, seed=1)
    found = deep.accuracy(fit.module, nsnn.datasets.digits("test"), passes=5)
    assert found["accuracy"] > least
    assert fit.history["val_loss"].iloc[-1] < fit.history["val_loss"].iloc[0]
    if feedback:
        assert torch.equal(fit.module.module[2].feedback, net.module[2].feedback)


def test_passes_average_the_noise():
    """Scores of many passes are near their mean, with the variance of one over their number."""
    net = deep.Classifier(
        nn.Sequential(deep.NoisySpike(nsnn.Logistic(0.3))), encoder=coding.Direct(), n_steps=1
    )
    x, p = torch.full((20_000, 1), 0.8), nsnn.Logistic(0.3).cdf(-0.2)
    for passes in (1, 25):
        net.passes = passes
        scores = net(x)
        variance = p * (1 - p) / passes
        assert scores.shape == (20_000, 1)
        assert abs(float(scores.mean()) - p) < 4 * np.sqrt(variance / 20_000)
        assert abs(float(scores.var()) / variance - 1) < 4 * np.sqrt(2 / 20_000)


def test_other_decoders_score_the_spikes():
    o = (torch.rand(6, 5, 3) < 0.3).float()
    for decoder in (coding.Count(), coding.FirstSpike(), coding.LeakyReadout(0.5)):
        net = deep.Classifier(nn.Identity(), decoder=decoder)
        np.testing.assert_allclose(net.scores(o).numpy(), decoder.scores(o.numpy().swapaxes(0, 1)))


def test_accuracy_is_a_share_with_its_standard_error():
    net = deep.Classifier(nn.Identity(), encoder=coding.Direct(), n_steps=2)
    X = torch.eye(3)[torch.tensor([0, 1, 2, 0, 1])]
    found = deep.accuracy(net, (X, [0, 1, 2, 1, 1]))
    right = np.array([1, 1, 1, 0, 1])
    interval = binomtest(4, 5).proportion_ci(method="wilson")
    assert found == pytest.approx(
        {"accuracy": 0.8, "se": right.std(ddof=1) / np.sqrt(5), "low": interval.low, "high": interval.high}
    )


# ------------------------------------------------------------------------------------------------------------ encoders


def encode(encoder, x, n_steps):
    """What a classifier's module takes, (n_steps, batch, n)."""
    return deep.Classifier(nn.Identity(), encoder=encoder, n_steps=n_steps).spikes(x)


def test_encoders_have_the_law_and_derivative_of_their_text():
    """Mean spikes |z| < 4 (equal, without draws), derivatives of the means by differences."""
    n, steps, h = 4000, 6, 1e-5

    def tuned(x):
        c = np.arange(4) / 3
        return 0.9 * np.exp(-((x[..., None] - c) ** 2) / (2 * (1 / 3) ** 2)).reshape(*x.shape[:-1], -1)

    x = np.array([0.15, 0.5, 0.9])
    for encoder, mean, drawn in (
        (coding.Bernoulli(0.7), lambda x: 0.7 * x, True),
        (coding.PopulationCode(4, gain=0.9), tuned, True),
        (coding.Direct(2.0), lambda x: 2 * x, False),
    ):
        at = torch.as_tensor(np.tile(x, (n, 1))).requires_grad_()
        o = encode(encoder, at, steps)
        p = mean(x)
        assert o.shape == (steps, n, p.size)
        off = o.detach().numpy().mean((0, 1)) - p
        assert np.all(np.abs(off) < (4 * np.sqrt(p * (1 - p) / (n * steps)) if drawn else 1e-12))
        assert set(np.unique(o.detach().numpy())) == {0, 1} or not drawn
        weight = torch.linspace(1, 2, p.size, dtype=o.dtype)
        (slope,) = torch.autograd.grad((o * weight).sum(), at)
        by_x = [((mean(x + h * e) - mean(x - h * e)) / (2 * h) @ weight.numpy()) for e in np.eye(3)]
        np.testing.assert_allclose(slope[0].numpy(), steps * np.array(by_x), rtol=1e-8)


def test_a_latency_is_the_packages():
    x = torch.tensor([[0.0, 0.3, 1.0]])
    o = encode(coding.Latency(), x, 5)[:, 0].numpy()
    assert [int(np.flatnonzero(o[:, k])[0]) for k in (1, 2)] == [int((1 - 0.3) * 4 + 0.5), 0]
    assert o.sum(0).tolist() == [0, 1, 1]
    assert not encode(coding.Latency(), x.requires_grad_(), 5).requires_grad


def test_images_may_have_any_shape_and_each_pixel_its_gain():
    spy = Spy()
    spy.seen = []
    deep.Classifier(nn.Sequential(spy, nn.Flatten(2)), n_steps=3).spikes(torch.rand(2, 1, 4, 5))
    assert [x.shape for _, x in spy.seen] == [(3, 2, 1, 4, 5)]
    o = encode(coding.Direct(np.array([1.0, 2.0])), torch.ones(3, 2), 2)
    assert o[1, 2].tolist() == [1, 2]


# --------------------------------------------------------------------------------------------------------- the same run


class Spy(nn.Module):
    """Keeps what passes through it."""

    seen: list = []  # noqa: RUF012

    def forward(self, x):
        self.seen.append((self.training, x.detach().clone()))
        return x


def test_the_twin_sees_the_same_weights_batches_and_spikes():
    """Twins begin with equal weights, and are shown the very same input spikes in the same order, in training and validation."""
    net = small()
    net.module.insert(0, Spy())
    twin = deep.twin(net)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), twin.parameters(), strict=True))
    assert [m.noisy for m in twin.modules() if isinstance(m, deep.NoisySpike)] == [False, False]
    assert [m.noisy for m in net.modules() if isinstance(m, deep.NoisySpike)] == [True, True]
    runs, fits = [], []
    for one in (net, twin):
        Spy.seen = []
        fits.append(learned(one, schedule="cosine"))
        runs.append([x for _, x in Spy.seen])
    assert len(runs[0]) == len(runs[1]) > 3 * 4
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))
    assert not torch.equal(runs[0][2], runs[0][3])
    assert not same(fits[0].module, fits[1].module)


def test_the_twin_of_learned_noise_keeps_its_scale():
    cell = deep.NoisySpike(nsnn.Gaussian(0.4), learn_noise=True)
    with torch.no_grad():
        cell.log_level.fill_(0.5)
    found = deep.twin(nn.Sequential(cell))[0]
    assert found.family.sigma == pytest.approx(0.4 * np.exp(0.5))
    assert found.log_level is None
    assert cell.noisy
    drive = torch.tensor([[0.8]], requires_grad=True)
    found(drive).sum().backward()
    assert float(drive.grad) == pytest.approx(float(found.family.pdf(-0.2)), rel=1e-5)


def test_a_seed_is_all_that_counts():
    """The same seed gives the same weights and history, another other ones; neither the net nor torch's noise is changed."""
    net = small()
    before, state = {k: v.clone() for k, v in net.named_parameters()}, torch.get_rng_state()
    one = learned(net)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(v, before[k]) for k, v in net.named_parameters())
    torch.manual_seed(99)
    two, other = learned(net), learned(net, seed=2)
    assert same(one.module, two.module)
    assert one.history[COLUMNS].equals(two.history[COLUMNS])
    assert not same(one.module, other.module)
    assert deep.accuracy(one.module, patterns(), seed=3) == deep.accuracy(two.module, patterns(), seed=3)


@pytest.mark.parametrize(
    "optimizer", [SGD(), Momentum(0.8), Adam(0.8, 0.95, 1e-6)], ids=lambda o: type(o).__name__
)
def test_optimizers_are_the_packages(optimizer):
    """Two changes by hand, from the gradients of the same runs."""
    layer = nn.Linear(6, 3, bias=False, dtype=torch.float64)
    nn.init.constant_(layer.weight, 0.1)
    net = deep.Classifier(nn.Sequential(layer), encoder=coding.Direct(), n_steps=2)
    X, y = patterns(4)
    fit = deep.fit(
        net, (X, y), loss=losses.rate_mse, epochs=2, batch=4, validation=0, eta=0.1, optimizer=optimizer, seed=1
    )  # fmt: skip
    w, m, v = np.full((3, 6), 0.1), 0.0, 0.0
    for n in (1, 2):
        out = np.repeat((X @ w.T)[:, None], 2, 1)
        g = losses.rate_mse.gradient(out, y).sum(1).T @ X / 4
        if isinstance(optimizer, SGD):
            w = w - 0.1 * g
        elif isinstance(optimizer, Momentum):
            m = 0.8 * m + g
            w = w - 0.1 * m
        else:
            m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g**2
            w = w - 0.1 * (m / (1 - 0.8**n)) / (np.sqrt(v / (1 - 0.95**n)) + 1e-6)
    np.testing.assert_allclose(fit.module.module[0].weight.detach().numpy(), w, rtol=1e-10)


def test_an_optimizer_of_torch_and_a_falling_rate():
    """Cosine: at the k-th of n epochs eta (1 + cos(pi k / n)) / 2."""
    rates = []

    class Watched(torch.optim.SGD):
        def step(self, closure=None):
            rates.append(self.param_groups[0]["lr"])
            return super().step(closure)

    learned(small(), epochs=4, batch=100, schedule="cosine", optimizer=Watched, eta=0.1)
    np.testing.assert_allclose(rates, 0.05 * (1 + np.cos(np.pi * np.arange(4) / 4)), rtol=1e-12)
    assert not same(learned(small(), optimizer=torch.optim.AdamW).module, small())


def test_online_without_spikes_is_gradient_descent():
    """There is nothing to cut off; with a loss of single steps both algorithms do the same."""
    layer = nn.Linear(6, 3, bias=False)
    net = deep.Classifier(nn.Sequential(layer), encoder=coding.Direct(), n_steps=3)
    fits = [learned(net, algorithm=a, loss=losses.cross_entropy_step) for a in ("bptt", "online")]
    weights = [fit.module.module[0].weight.detach() for fit in fits]
    torch.testing.assert_close(*weights, rtol=1e-4, atol=1e-6)
    assert not torch.equal(weights[0], layer.weight)


def test_dropout_and_batch_norm_keep_their_modes():
    net = small()
    net.module.insert(1, deep.EachStep(nn.BatchNorm1d(8)))
    frozen = net.module[1][0].eval()
    before = frozen.running_mean.clone()
    fit = learned(net)
    assert torch.equal(fit.module.module[1][0].running_mean, before)
    assert not fit.module.module[1][0].training
    assert fit.module.training
    frozen.train()
    assert not torch.equal(learned(net).module.module[1][0].running_mean, before)


# --------------------------------------------------------------------------------------------------------- checkpoints


def with_memory():
    """A net with buffers, learned noise and random feedback."""
    net = small(feedback=True)
    net.module.insert(1, deep.EachStep(nn.BatchNorm1d(8)))
    net.module[2] = deep.NoisySpike(nsnn.Gaussian(0.4), learn_noise=True)
    return net


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [Adam(), torch.optim.AdamW], ids=lambda o: str(o)[:12])
def test_resumed_is_uninterrupted_bit_for_bit(tmp_path, optimizer):
    """Stopped within the third epoch of five; the history too."""
    told = {"epochs": 5, "schedule": "cosine", "optimizer": optimizer}
    whole = learned(with_memory(), **told)

    def stop(fraction):
        if fraction > 0.5:
            raise KeyboardInterrupt

    path = tmp_path / "c.npz"
    with pytest.raises(KeyboardInterrupt):
        learned(with_memory(), **told, checkpoint=path, progress=stop)
    assert [p.name for p in tmp_path.iterdir()] == ["c.npz"]
    seen = []
    again = learned(with_memory(), **told, checkpoint=path, progress=seen.append)
    assert seen[0] > 0.4
    assert same(again.module, whole.module)
    assert again.best_epoch == whole.best_epoch
    assert again.history[COLUMNS].equals(whole.history[COLUMNS])
    finished = learned(with_memory(), **told, checkpoint=path)
    assert same(finished.module, whole.module)


def test_checkpoints_of_something_else_are_refused(tmp_path):
    path = tmp_path / "c.npz"
    learned(small(), checkpoint=path)
    content = path.read_bytes()
    for change, told in (
        ({"loss": losses.cross_entropy_mean}, "loss changed"),
        ({"algorithm": "online"}, "algorithm changed"),
        ({"eta": 0.03}, "optimizer changed"),
        ({"net": small(n_steps=9)}, "module changed"),
        ({"net": deep.twin(small())}, "module changed"),
    ):
        with pytest.raises(NsnnError, match=told):
            learned(change.pop("net", small()), checkpoint=path, **change)
        assert path.read_bytes() == content
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(FormatError, match="damaged"):
        learned(small(), checkpoint=path)
    with path.open("wb") as file:
        np.savez(file, about=np.array([Runs(tmp_path / "ran")], dtype=object))
    with pytest.raises(FormatError):
        learned(small(), checkpoint=path)
    assert not (tmp_path / "ran").exists()


# -------------------------------------------------------------------------------------------------------- running away


class Explodes(torch.optim.SGD):
    """SGD whose tenth step sets all weights to infinity."""

    steps = 0

    def step(self, closure=None):
        found = super().step(closure)
        self.steps += 1
        if self.steps == 10:
            for group in self.param_groups:
                for p in group["params"]:
                    p.data.fill_(torch.inf)
        return found


def test_what_runs_away_is_stopped_and_the_last_good_kept(tmp_path):
    """Four batches an epoch: the third goes wrong; error and checkpoint have the second."""
    told = {"optimizer": Explodes, "validation": 0, "batch": 15}
    good = learned(small(), epochs=2, **told)
    path = tmp_path / "c.npz"
    with pytest.raises(deep.Diverged, match=r"epoch 3: .*aren't finite.* is that of epoch 2") as caught:
        learned(small(), epochs=5, checkpoint=path, **told)
    kept = caught.value.fit
    assert same(kept.module, good.module)
    assert kept.history["epoch"].tolist() == [1, 2]
    again = learned(small(), epochs=2, checkpoint=path, **told)
    assert same(again.module, good.module)


def test_a_loss_that_is_not_finite_is_named():
    class Odd(losses.Loss):
        def value(self, o, y):
            return np.full(len(y), np.nan)

        def gradient(self, o, y):
            return np.zeros_like(o)

    with pytest.raises(deep.Diverged, match="epoch 1: the loss isn't finite") as caught:
        learned(small(), loss=Odd())
    assert caught.value.fit.best_epoch == 0
    assert same(caught.value.fit.module, small())


# -------------------------------------------------------------------------------------------------------------- errors


def stepped():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.w, self.cell = nn.Linear(6, 3), deep.NoisySpike(nsnn.Gaussian(0.4))

        def forward(self, x):
            state, o = None, []
            for now in self.w(x):
                state = self.cell.step(now, state)
                o.append(state.o)
            return torch.stack(o)

    return deep.Classifier(Net(), n_steps=3)


def flat():
    return deep.Classifier(nn.Sequential(deep.EachStep(nn.Flatten()), *small().module), n_steps=3)


def test_data_that_does_not_fit_is_named():
    X, y = np.ones((4, 6)), [0, 1, 0, 1]
    rows = [
        (3, "data = int", "expected a pair"),
        ((X, [0, 1, 2, 3]), "y has labels from 0 to 3", "expected 0 to 2"),
        ((X, [0, 1, -1, 0]), "y has labels from -1", "expected"),
        ((X, [1, 2, 3, 1]), "y has labels from 1 to 3", "they count from 1: give y - 1"),
        ((X, ["a", "b", "a", "b"]), "<U1", "number the classes: names, y = numpy.unique"),
        ((X, [0.0, 1.0, 0.0, 0.0]), "y has shape (4,), float64", "expected labels"),
        ((X, [0, 1, 0]), "y has shape (3,)", "expected"),
        ((X * np.nan, y), "X has values that aren't finite", ""),
        ((255 * X, y), "X has values from 255 to 255", "expected values from 0 to 1: divide images by"),
        ((np.ones(6), [0]), "X has shape (6,)", "expected"),
        ((np.ones((0, 6)), []), "X has shape (0, 6)", "expected"),
        ((np.array([["a"] * 6]), [0]), "X has shape", "expected"),
    ]
    for call in (learned_on, lambda data: deep.accuracy(small(), data)):
        assert_refused((functools.partial(call, data), *told) for data, *told in rows)
    assert_refused([(lambda: deep.fgsm(small(), (X, y[:3]), strength=0.1), "y has shape (3,)", "expected")])


def learned_on(data):
    return deep.fit(small(), data, loss=losses.rate_mse, epochs=1)


def test_errors_name_the_argument():
    rows = [
        (lambda: learned(nn.Linear(6, 3)), "net is Linear", "expected a Classifier"),
        (lambda: learned(small(), loss="mse"), "loss = 'mse'", "expected a loss"),
        (lambda: learned(small(), loss=losses.VanRossum(2.0)), "needs target spikes", ""),
        (lambda: learned(small(), algorithm="online", loss=losses.Loss()), "needs the mean of something", ""),
        (lambda: learned(stepped(), algorithm="online"), 'algorithm = "online"', "the module calls NoisySpike.step"),
        (lambda: learned(small(), algorithm="slow"), "algorithm = 'slow'", ""),
        (lambda: learned(small(), schedule="linear"), "schedule = 'linear'", ""),
        (lambda: learned(small(), epochs=0), "epochs = 0", ""),
        (lambda: learned(small(), batch=2.5), "batch = 2.5", ""),
        (lambda: learned(small(), eta=0), "eta = 0", ""),
        (lambda: learned(small(), optimizer=3), "optimizer = 3", "expected SGD"),
        (lambda: learned(small(), optimizer=lambda p, eta: None), "optimizer =", ""),
        (lambda: learned(small(), optimizer=nsnn.Optimizer()), "its text is for Brian2", ""),
        (lambda: learned(small(), validation=1.0), "validation = 1.0", ""),
        (lambda: learned(small(), validation=(np.ones((2, 5)), [0, 1])), "X has shape (2, 5)", "the module doesn't take such"),
        (lambda: learned(flat(), validation=(np.ones((3, 1, 2, 3)), [0, 1, 2])), "validation", "X has shape"),
        (lambda: learned(small(), seed=-1), "seed = -1", ""),
        (lambda: learned(deep.Classifier(nn.Identity())), "no parameters that require a gradient", ""),
        (lambda: deep.Classifier(3), "module is int", ""),
        (lambda: deep.Classifier(nn.Identity(), encoder=3), "encoder = 3", ""),
        (lambda: deep.Classifier(nn.Identity(), decoder=3), "decoder = 3", ""),
        (lambda: deep.Classifier(nn.Identity(), n_steps=0), "n_steps = 0", ""),
        (lambda: deep.Classifier(nn.Identity(), passes=0), "passes = 0", ""),
        (lambda: deep.Classifier(nn.Flatten())(torch.rand(2, 3)), "module gives", "expected (20, 2, classes)"),
        (lambda: small()(torch.rand(2, 6) + 1), "x has values from 1", ""),
        (lambda: small()(torch.full((2, 6), torch.nan)), "x has values that aren't finite", ""),
        (lambda: small()([[1.0]]), "x is list", "expected a tensor of floats"),
        (lambda: small()(torch.ones(2, 6, dtype=torch.int64)), "x is torch.int64", ""),
        (lambda: deep.accuracy(small(), patterns(), passes=0), "passes = 0", ""),
        (lambda: deep.RandomFeedback(nn.Conv1d(1, 1, 1)), "layer is Conv1d", ""),
        (lambda: deep.twin(3), "module is int", ""),
    ]  # fmt: skip
    assert_refused(rows)


def graphs():
    """The number of tensors that keep a graph alive."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of deprecated objects of other packages
        return sum(isinstance(x, torch.Tensor) and x.grad_fn is not None for x in gc.get_objects())


def test_online_frees_its_graphs_without_the_garbage_collector():
    X, y = patterns()
    gc.collect()
    gc.disable()
    try:
        before = graphs()
        deep.fit(
            small(), (X, y), loss=losses.cross_entropy_step, algorithm="online", epochs=2, batch=10, seed=1, progress=False,
        )  # fmt: skip
        held = graphs() - before
    finally:
        gc.enable()
    assert held == 0

"""Gradients in torch and of NumPy's reference along the same spikes; online; random feedback."""
# Imports internals: gradients along spikes that are given, which `fit` draws.

from __future__ import annotations

import itertools

import numpy as np
import pytest
from helpers.tiny_networks import FAMILIES, largest, problem
from helpers.training import STEPS, Causal, One
from helpers.with_torch import own_noise  # noqa: F401

import nsnn_neuro as nsnn
from nsnn_neuro import losses, reference

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from nsnn_neuro import deep  # noqa: E402
from nsnn_neuro.deep.objective import signal_in_time, values  # noqa: E402
from nsnn_neuro.deep.online import taped  # noqa: E402

CASES = list(itertools.product(["hard", "subtract"], ["exact", "detached"]))
LOSSES = [losses.rate_mse, losses.cross_entropy_mean, losses.cross_entropy_step]
SIGNALS = pytest.mark.parametrize("online", [False, True], ids=["bptt", "online"])


def net_of(W, family, told, path, dtype=None, **options):
    """The torch module with these weights; its layers of weights and of neurons."""
    net = nsnn.feedforward(
        [len(W[0]), *(w.shape[1] for w in W)], noise=nsnn.EscapeNoise(family), neuron=nsnn.NSNNNeuron(**told), weights=W
    )  # fmt: skip
    module = deep.from_network(net, reset_path=path, dtype=dtype or torch.float64, **options)
    return module, list(module)[::2], list(module)[1::2]


def along(module, x, spikes, loss, y, online):
    """Gradients of the mean loss of samples x (batch, T, n) along given spikes, and the values of the loss."""
    dtype = next(module.parameters()).dtype
    now = torch.as_tensor(np.swapaxes(x, 0, 1), dtype=dtype)
    forced = iter(np.swapaxes(o, 0, 1) for o in spikes)

    def run(now):
        for layer in module:
            now = layer(now, spikes=next(forced)) if isinstance(layer, deep.NoisySpike) else layer(now)
        return now

    if online:
        with taped(module) as tape:
            out = run(now)
        tape.backward(out, signal_in_time(loss, out, y) / len(y))
        return values(loss, out, y)
    value = values(loss, run(now), y)
    value.mean().backward()
    return value


def of_weights(linear):
    return [getattr(m, "layer", m).weight.grad.T.double().numpy() for m in linear]


def cases(loss, reset, path, family, W, x, spikes, y, online, **signal):
    """The reference's gradients of the weights and of log s, the mean over samples."""
    told = {"beta": 0.6, "theta": 0.8, "reset": reset, "reset_path": path, "future": not online, **signal}
    one = Causal if online else One
    sums = [0.0, 0.0]
    for b, label in enumerate(y):
        given = W, x[b], [o[b] for o in spikes], one(loss, label), family
        for k, each in enumerate(
            (reference.ndl(*given, **told), reference.membranes(*given, **told)["noise"])
        ):
            part = [g / len(y) for g in each]
            sums[k] = part if not b else [s + g for s, g in zip(sums[k], part, strict=True)]
    return sums[0], [np.array([g.sum()]) for g in sums[1]]


def samples(seed=3, n=3):
    W, _, x, _, _ = problem([4, 5, 4, 3], STEPS, seed)
    rng = np.random.default_rng(seed)
    spikes = [(rng.random((n, STEPS, m)) < 0.4).astype(float) for m in (5, 4, 3)]
    return W, np.stack([x * (b + 1) / n for b in range(n)]), spikes, np.array([2, 0, 1])[:n]


@pytest.mark.parametrize(
    ("case", "family", "loss", "online"),
    [(CASES[k % 4], f, LOSSES[k % 3], k in (1, 2, 5)) for k, f in enumerate(FAMILIES)],
)
def test_gradients_of_weights_and_noise_are_the_references(case, family, loss, online):
    """Three layers, several samples: all paths, or signals of the same step and traces through each neuron's own membrane."""
    reset, path = case
    W, x, spikes, y = samples()
    expected, scale = cases(loss, reset, path, family, W, x, spikes, y, online)
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-5)):
        told = {"beta": 0.6, "theta": 0.8, "reset": reset}
        module, linear, cells = net_of(W, family, told, path, dtype, learn_noise=True)
        along(module, x, spikes, loss, y, online)
        assert largest(of_weights(linear), expected) < tolerance
        assert largest([np.array([float(c.log_level.grad)]) for c in cells], scale) < tolerance


@SIGNALS
def test_convolutions_share_the_gradients_of_the_dense_layer_that_they_are(online):
    """A kernel's gradient is that of the unrolled matrix, which the reference has, summed over places."""
    conv = nn.Conv2d(1, 2, 3, padding=1, stride=2, bias=False, dtype=torch.float64)
    unit = torch.eye(16, dtype=torch.float64).reshape(16, 1, 4, 4)
    with torch.no_grad():
        conv.weight.add_(0.3)
        rolled = conv(unit).flatten(1).numpy()
    last = nn.Linear(8, 3, bias=False, dtype=torch.float64)
    rng = np.random.default_rng(1)
    x, y = rng.random((2, STEPS, 16)), np.array([1, 2])
    spikes = [(rng.random((2, STEPS, m)) < 0.4).astype(float) for m in (8, 3)]
    cells = [deep.NoisySpike(nsnn.Gaussian(0.4), beta=0.6, theta=0.8) for _ in range(2)]

    def run(module):
        images = torch.as_tensor(x).transpose(0, 1).reshape(STEPS, 2, 1, 4, 4)
        hidden = module[0](
            deep.EachStep(conv)(images), spikes=spikes[0].swapaxes(0, 1).reshape(STEPS, 2, 2, 2, 2)
        )
        return module[1](last(hidden.flatten(2)), spikes=spikes[1].swapaxes(0, 1))

    module = nn.ModuleList(cells)
    if online:
        with taped(module) as tape:
            out = run(module)
        tape.backward(out, signal_in_time(losses.rate_mse, out, y) / 2)
    else:
        values(losses.rate_mse, run(module), y).mean().backward()
    W = [rolled, last.weight.detach().numpy().T]
    expected, _ = cases(
        losses.rate_mse, "hard", "exact", nsnn.Gaussian(0.4), W, x, spikes, y, online
    )  # fmt: skip
    (shared,) = torch.autograd.grad(conv(unit).flatten(1), conv.weight, torch.as_tensor(expected[0]))
    np.testing.assert_allclose(conv.weight.grad.numpy(), shared.numpy(), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(last.weight.grad.numpy().T, expected[1], rtol=1e-10, atol=1e-13)


def test_a_readout_without_spikes_and_a_residual_path():
    """One step: online is backpropagation, whatever modules there are; every parameter has its gradient."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.read = nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 3)
            self.fire, self.again = (deep.NoisySpike(nsnn.Logistic(0.3)) for _ in range(2))

        def forward(self, x):
            o = self.fire(self.first(x))
            return self.read(self.again(self.second(o) + o) + o)

    net, x, y = Net().double(), torch.rand(1, 6, 4, dtype=torch.float64), np.arange(6) % 3
    net.first.bias.data.fill_(0.9)  # so that there are spikes
    found = []
    for online in (False, True):
        net.zero_grad()
        torch.manual_seed(3)
        if online:
            with taped(net) as tape:
                out = net(x)
            tape.backward(out, signal_in_time(losses.cross_entropy_mean, out, y) / 6)
        else:
            values(losses.cross_entropy_mean, net(x), y).mean().backward()
        found.append([p.grad.clone() for p in net.parameters()])
    for a, b in zip(*found, strict=True):
        assert a.abs().max() > 1e-6
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-14)
    assert all(cell.tape is None for cell in (net.fire, net.again))


# ------------------------------------------------------------------------------------------------------ random feedback


def test_signals_go_back_through_the_fixed_matrix():
    """The output and the layer's own gradients are those of the layer; the input's are those of B, for Linear and Conv2d."""
    for plain, shape in (
        (nn.Linear(6, 4, dtype=torch.float64), (5, 6)),
        (nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, dtype=torch.float64), (2, 4, 7, 7)),
    ):
        layer = deep.RandomFeedback(plain, seed=4)
        x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
        out = layer(x)
        with torch.no_grad():
            assert torch.equal(out, plain(x))
        g = torch.randn_like(out)
        of_input, *own = torch.autograd.grad(out, [x, plain.weight, plain.bias], g)
        _, *expected = torch.autograd.grad(plain(x), [x, plain.weight, plain.bias], g)
        for a, b in zip(own, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)
        if isinstance(plain, nn.Linear):
            by_b = g @ layer.feedback
        else:
            by_b = nn.grad.conv2d_input(x.shape, layer.feedback, g, stride=2, padding=1, groups=2)
        torch.testing.assert_close(of_input, by_b, rtol=1e-12, atol=1e-14)
        assert torch.equal(layer.feedback, deep.RandomFeedback(plain, seed=4).feedback)
        assert not torch.equal(layer.feedback, deep.RandomFeedback(plain, seed=5).feedback)
        assert "feedback" not in dict(layer.named_parameters())


def test_feedback_has_the_variance_of_what_it_gathers():
    for plain, n in ((nn.Linear(500, 40), 40), (nn.Conv2d(40, 20, 5, groups=2), 10 * 25)):
        b = deep.RandomFeedback(plain).feedback.double()
        assert abs(float((b**2).mean()) * n - 1) < 4 * np.sqrt(2 / b.numel())


@pytest.mark.parametrize(("reset", "path"), CASES)
def test_all_steps_at_once_are_the_steps_one_by_one(
    reset: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same spikes of a seed, whole or in parts, in any layout of memory; the same gradients, also of the learned noise."""
    cell = deep.NoisySpike(
        nsnn.Gaussian(0.4), beta=0.6, theta=0.8, reset=reset, reset_path=path, learn_noise=True
    ).double()
    given = torch.randn(4, 6, 3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    signal = torch.randn(given.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def outcome(drive: torch.Tensor, steps: bool = False) -> tuple[torch.Tensor, ...]:
        drive = drive.detach().requires_grad_()
        generator = torch.Generator().manual_seed(3)
        if steps:
            states = [cell.step(drive[0], generator=generator)]
            for now in drive[1:]:
                states.append(cell.step(now, states[-1], generator=generator))
            o = torch.stack([state.o for state in states])
        else:
            o = cell(drive, generator=generator)
        assert cell.log_level is not None
        return o.detach(), *torch.autograd.grad((o * signal).sum(), [drive, cell.log_level])

    expected = outcome(given, steps=True)
    channels_last = given.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, (4, 6))
    for in_cache in (2**16, 24):
        monkeypatch.setattr("nsnn_neuro.deep.law._IN_CACHE", in_cache)
        for drive in (given, channels_last):
            found = outcome(drive)
            assert torch.equal(found[0], expected[0])
            for one, other in zip(found[1:], expected[1:], strict=True):
                torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)
            with torch.no_grad():
                silent = cell(drive, generator=torch.Generator().manual_seed(3))
            assert torch.equal(silent, expected[0])
            assert silent[0].stride() == drive[0].stride()

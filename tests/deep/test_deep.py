"""The torch module of the noisy neuron: probabilities and gradients against `reference`, precision, in nets of torch, errors."""

from __future__ import annotations

import copy
import dataclasses
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from helpers.refusals import assert_refused
from helpers.tiny_networks import EVERY, FAMILIES, Count, largest, problem
from helpers.with_torch import HAS_TORCH, needs_torch, own_noise  # noqa: F401

import nsnn_neuro as nsnn
from nsnn_neuro import Family, NsnnError, parameter, reference

if HAS_TORCH:
    import torch
    from torch import nn

    from nsnn_neuro import deep

EACH_RESET = pytest.mark.parametrize(
    ("family", "reset"), [*zip(FAMILIES, ["hard", "subtract"] * 3, strict=True)]
)


def layers(W, family, dtype=None, **options):
    """A torch net with these weights, its linear layers and its neurons."""
    linear = []
    for w in W:
        layer = nn.Linear(*np.shape(w), bias=False, dtype=dtype or torch.float64)
        with torch.no_grad():
            layer.weight.copy_(torch.as_tensor(np.asarray(w).T))
        linear.append(layer)
    return linear, [deep.NoisySpike(family, **options).to(dtype or torch.float64) for _ in W]


def through(linear, spiking, x, spikes):
    """The layers' spikes, which are those given, with what is needed to go back."""
    found = []
    for layer, neuron, o in zip(linear, spiking, spikes, strict=True):
        x = neuron(layer(x), spikes=o)
        found.append(x)
    return found


def loss_of(count: Count, found):
    """`Count`, in torch."""
    total = sum((torch.as_tensor(c, dtype=o.dtype) * o).sum() for c, o in zip(count.c, found, strict=True))
    return (total - 1) ** 2 + found[0][0, 0] * found[-1][-1, -1]


# ------------------------------------------------------------------------------------------------------- without torch


def test_the_package_neither_imports_nor_needs_torch():
    """Where there is none, `deep` says what to install."""
    code = (
        "import sys, nsnn_neuro\n"
        "assert 'torch' not in sys.modules\n"
        "sys.modules['torch'] = None\n"
        "try:\n    from nsnn_neuro import deep\n"
        "except nsnn_neuro.NsnnError as error:\n    print(isinstance(error, ImportError), error)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == "True nsnn_neuro.deep needs torch: pip install torch\n"


# ------------------------------------------------------------------------------------------------------- probabilities


@needs_torch
@EVERY
def test_the_texts_on_tensors_are_the_families(family):
    (scale,) = vars(family).values()
    scale = 1 / scale if isinstance(family, nsnn.FastSigmoid) else scale
    x = np.concatenate([np.linspace(-5, 5, 2001), [-1e4, -1e3, 1e3, 1e4]]) * scale
    cell = deep.NoisySpike(family, theta=0.0)
    p = cell.probability(torch.as_tensor(x))
    np.testing.assert_allclose(p.numpy(), family.cdf(x), rtol=0, atol=1e-15)
    single = torch.as_tensor(x, dtype=torch.float32)
    np.testing.assert_allclose(
        cell.probability(single).numpy(), family.cdf(single.double().numpy()), rtol=0, atol=2e-7
    )
    for dtype, rtol in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        at = torch.as_tensor(x, dtype=dtype)[None].requires_grad_()
        cell(at).sum().backward()
        np.testing.assert_allclose(
            at.grad[0].double().numpy(), family.pdf(at.detach().double().numpy())[0], rtol=rtol, atol=1e-37
        )


@needs_torch
@EACH_RESET
def test_potentials_and_probabilities_are_the_references(family, reset):
    """Given the same weights, input and spikes: 1e-12 in float64, 1e-6 in float32."""
    W, _, x, spikes, _ = problem([5, 4, 3], 8, 3)
    neuron = {"beta": 0.7, "theta": 0.9, "reset": reset}
    u, _ = reference.forward(W, x, family, spikes=spikes, **neuron)
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-6)):
        linear, spiking = layers(W, family, dtype, **neuron)
        below = [torch.as_tensor(a, dtype=dtype) for a in (x, spikes[0])]
        for k, (layer, cell) in enumerate(zip(linear, spiking, strict=True)):
            state = None
            for t in range(len(x)):
                state = cell.step(layer(below[k][t]), state, spikes=spikes[k][t])
                p = cell.probability(state.u).detach().numpy()
                np.testing.assert_allclose(p, family.cdf(u[k][t] - 0.9), rtol=0, atol=tolerance)


@needs_torch
@pytest.mark.parametrize("family", [FAMILIES[0], FAMILIES[5]])
def test_spikes_are_drawn_with_their_probability_and_reset_their_neuron(family):
    """The frequency of each, and of a second spike after a spike and after none: |z| < 4."""
    n, drive = 50_000, 0.8
    cell = deep.NoisySpike(family)
    o = cell(torch.full((2, n), drive, dtype=torch.float64))
    p = family.cdf(drive - 1.0)
    after = family.cdf(np.array([1.5 * drive, drive]) - 1.0)
    fired = o[0] == 1
    for got, chance in ((o[0], p), (o[1][~fired], after[0]), (o[1][fired], after[1])):
        se = np.sqrt(chance * (1 - chance) / len(got))
        assert abs(float(got.mean()) - chance) < 4 * se


@needs_torch
def test_a_family_of_ones_own_needs_its_text_alone():
    @dataclasses.dataclass(frozen=True, eq=False)
    class Laplace(Family):
        scale: Any = parameter("V", "1", bound="positive")
        cdf_text = "0.5 + 0.5 * sign(x) * (1 - exp(-abs(x) / scale))"
        pdf_text = "exp(-abs(x) / scale) / (2 * scale)"

    x = torch.linspace(-3, 3, 101, dtype=torch.float64)[None].requires_grad_()
    cell = deep.NoisySpike(Laplace(0.5), theta=0.0)
    with torch.no_grad():
        p = cell.probability(x)
    np.testing.assert_allclose(
        p[0].numpy(),
        [0.5 * np.exp(2 * v) if v < 0 else 1 - 0.5 * np.exp(-2 * v) for v in x[0].tolist()],
        atol=1e-15,
    )
    cell(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.exp(-2 * np.abs(x.detach().numpy())), rtol=1e-12)

    @dataclasses.dataclass(frozen=True, eq=False)
    class Mixed(Laplace):
        cdf_text = "clip(x, -1, scale) + sqrt(2 * pi) * (clip(0.5, 0, scale) + int(x >= 0)) + clip(3, 0, 1)"

    scale = np.array([0.3, 0.7])
    odd = deep.NoisySpike(Mixed(scale), theta=0.0).probability(
        torch.tensor([[-2.0, 2.0]], dtype=torch.float64)
    )
    root = np.sqrt(2 * np.pi)
    np.testing.assert_allclose(odd.numpy(), [[-1 + root * 0.3 + 1, 0.7 + root * 1.5 + 1]], rtol=1e-14)

    @dataclasses.dataclass(frozen=True, eq=False)
    class Odd(Laplace):
        cdf_text = "__import__('os').getpid() + x / scale"

    with pytest.raises(NsnnError, match=r"__import__.*expected arithmetic on"):
        deep.NoisySpike(Odd(0.5))(x.detach())


@needs_torch
@pytest.mark.parametrize("axis", [-1, 1])
def test_each_neuron_or_channel_has_its_own_parameters(axis):
    sigma, beta, theta = np.array([0.2, 0.4, 0.8]), np.array([0.1, 0.5, 0.9]), np.array([0.5, 1.0, 2.0])
    shape = (4, 2, 3) if axis == -1 else (4, 2, 3, 5)
    drive = torch.randn(shape, dtype=torch.float64)
    cell = deep.NoisySpike(nsnn.Gaussian(sigma), beta=beta, theta=theta, axis=axis)
    spikes = cell(drive)
    whole = cell.step(drive[1], cell.step(drive[0], spikes=spikes[0]), spikes=spikes[1])
    p = cell.probability(whole.u)
    for k in range(3):
        one = deep.NoisySpike(nsnn.Gaussian(sigma[k]), beta=beta[k], theta=theta[k])
        d, o = (a.select(1 + axis if axis > 0 else axis, k) for a in (drive, spikes))
        u = one.step(d[1], one.step(d[0], spikes=o[0]), spikes=o[1]).u
        assert torch.equal(u, whole.u.select(axis, k))
        torch.testing.assert_close(one.probability(u), p.select(axis, k), rtol=0, atol=1e-15)
    with pytest.raises(NsnnError, match=r"beta has 3 values: expected one, or one for each along axis"):
        cell(torch.zeros(2, 2, 4))


# ----------------------------------------------------------------------------------------------------------- gradients


@needs_torch
@pytest.mark.parametrize("family", [FAMILIES[0], FAMILIES[3], FAMILIES[5]], ids=lambda f: type(f).__name__)
def test_the_gradient_of_the_noise_is_that_of_the_expected_loss(family):
    """One layer, one step, a loss affine in each spike, where the rule is exact: all patterns against differences of their sum."""
    W, x = [np.array([[0.7, 0.3, 1.2]])], np.array([[1.0]])
    coefficients = np.array([0.5, -1.0, 2.0])
    told = {"beta": 0.5, "theta": 1.0, "reset": "hard"}
    every = reference.patterns(W, 1)[0]

    def expected(level):
        now = family.scaled(np.exp(level))
        chances = [reference.probability(W, x, [o], now, **told) for o in every]
        return sum(p * (o[0] @ coefficients) for p, o in zip(chances, every, strict=True))

    h = 1e-3
    slope = (expected(-2 * h) - 8 * expected(-h) + 8 * expected(h) - expected(2 * h)) / (12 * h)
    linear, (cell,) = layers(W, family, learn_noise=True, **told)
    total = 0.0
    for o in every:
        cell.log_level.grad = None
        out = cell(linear[0](torch.as_tensor(x)), spikes=o)
        (out[0] @ torch.as_tensor(coefficients)).backward()
        total += float(reference.probability(W, x, [o], family, **told)) * float(cell.log_level.grad)
    assert total == pytest.approx(float(slope), abs=1e-8)
    assert abs(total) > 1e-2


@needs_torch
def test_learned_noise_is_the_familys_scale():
    """One level, or one for each neuron; learning moves it; the family that it has come to has the same probabilities."""
    for sigma, shape in ((0.4, ()), (np.array([0.2, 0.4]), (2,))):
        cell = deep.NoisySpike(nsnn.FastSigmoid(1 / sigma), learn_noise=True)
        assert cell.log_level.shape == shape
        cell(torch.full((3, 4, 2), 0.7)).sum().backward()
        assert torch.all(cell.log_level.grad != 0)
        with torch.no_grad():
            cell.log_level.add_(0.3)
        np.testing.assert_allclose(cell.family.b, np.exp(-0.3) / sigma, rtol=1e-6)
        u = torch.tensor([[0.3, 1.4]], dtype=torch.float64)
        same = deep.NoisySpike(cell.family).probability(u)
        torch.testing.assert_close(same, cell.probability(u).detach(), rtol=0, atol=1e-7)
    assert deep.NoisySpike(nsnn.Gaussian(0.4)).log_level is None


@needs_torch
@EACH_RESET
def test_the_deterministic_twin(family, reset):
    """It fires when u > theta, as noise that vanishes does; its gradient is `bptt` with the family's density."""
    W, _, x, _, count = problem([4, 3, 2], 7, 5)
    told = {"beta": 0.6, "theta": 0.9, "reset": reset}
    _, spikes = reference.forward(W, x, nsnn.Gaussian(1e-9), seed=1, **told)
    assert 0 < sum(o.sum() for o in spikes) < sum(o.size for o in spikes)
    linear, spiking = layers(W, family, noisy=False, **told)
    found = through(linear, spiking, torch.as_tensor(x), [None, None])
    for got, wanted in zip(found, spikes, strict=True):
        np.testing.assert_array_equal(got.detach().numpy(), wanted)
    loss_of(count, found).backward()
    got = [layer.weight.grad.T.numpy() for layer in linear]
    assert largest(got, reference.bptt(W, x, spikes, count, family, **told)) < 1e-10
    assert spiking[0].probability(torch.tensor([0.89, 0.91])).tolist() == [0, 1]


# ------------------------------------------------------------------------------------------------------ far and coarse


@needs_torch
@EACH_RESET
def test_nothing_overflows_ten_thousand_widths_away(family, reset):
    """Spikes that are certain, gradients that are finite, in every type, and under autocast."""
    (scale,) = vars(family).values()
    scale = 1 / scale if isinstance(family, nsnn.FastSigmoid) else scale
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        drive = torch.tensor([[-1e4, 1e4]] * 3, dtype=torch.float64).mul(scale).to(dtype).requires_grad_()
        cell = deep.NoisySpike(family, reset=reset, learn_noise=True)
        o = cell(drive)
        assert o.dtype == dtype
        o.float().sum().backward()
        assert torch.isfinite(drive.grad).all()
        assert torch.isfinite(cell.log_level.grad).all()
        if isinstance(family, nsnn.Cauchy | nsnn.FastSigmoid):  # their tails: 3e-5 and 5e-5 at that distance
            continue
        assert o.tolist() == [[0, 1]] * 3 or reset == "subtract"


@needs_torch
@pytest.mark.parametrize("family", [FAMILIES[0], FAMILIES[4]])
def test_half_precision_rounds_the_drive_and_nothing_else(family):
    """Membrane, F and f are in float32: the gradient is float32's of the same rounded drive, rounded once."""
    for dtype in (torch.float16, torch.bfloat16):
        drive = torch.randn(6, 5, 4).to(dtype)
        cell = deep.NoisySpike(family, beta=0.9)
        spikes = cell(drive.float())
        half, full = drive.clone().requires_grad_(), drive.float().requires_grad_()
        weight = torch.randn(6, 5, 4).to(dtype).float()  # so that handing it back rounds nothing
        (cell(half, spikes=spikes).float() * weight).sum().backward()
        (cell(full, spikes=spikes) * weight).sum().backward()
        assert half.grad.dtype == dtype
        assert torch.equal(half.grad, full.grad.to(dtype))


# ---------------------------------------------------------------------------------------------------- in nets of torch


def residual_net():
    """A convolution, a residual block with batch norm, a readout, all with noisy spikes."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.path = deep.EachStep(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4))
            self.fire = deep.NoisySpike(nsnn.Triangular(1.0), learn_noise=True)

        def forward(self, x):
            return self.fire(self.path(x) + x)

    return nn.Sequential(
        deep.EachStep(nn.Conv2d(1, 4, 3, padding=1)),
        deep.NoisySpike(nsnn.Gaussian(np.full(4, 0.4)), axis=1, learn_noise=True),
        Block(),
        deep.EachStep(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 9, 3)),
        deep.NoisySpike(nsnn.Logistic(0.25), reset="subtract", reset_path="detached"),
    )


@needs_torch
def test_convolutions_and_residual_blocks_learn_and_are_saved(tmp_path):
    """Every parameter is reached; the file and a copy of the net have its spikes."""
    net = residual_net()
    drive = (torch.rand(24, 1, 6, 6) < 0.3).float().expand(5, 24, 1, 6, 6)
    out = net(drive)
    assert out.shape == (5, 24, 3)
    assert set(out.unique().tolist()) == {0.0, 1.0}
    nn.functional.cross_entropy(4 * out.mean(0), torch.arange(24) % 3).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())
    net.eval()
    spikes = deep.passes(net, drive, 2, seed=5)
    deep.save(net, tmp_path / "net.pt")
    assert [p.name for p in tmp_path.iterdir()] == ["net.pt"]
    other = deep.load(residual_net(), tmp_path / "net.pt").eval()
    for same in (other, copy.deepcopy(net)):
        assert torch.equal(deep.passes(same, drive, 2, seed=5), spikes)


@needs_torch
def test_passes_average_and_leave_torchs_noise_alone():
    """The mean over k passes has 1/k of the variance of one, |z| < 4 around p; a seed changes nothing outside."""
    cell, p, n, k = deep.NoisySpike(nsnn.Logistic(0.3)), nsnn.Logistic(0.3).cdf(-0.2), 20_000, 25
    before = torch.get_rng_state()
    mean = deep.passes(cell, torch.full((1, n), 0.8), k, seed=2)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(mean, deep.passes(cell, torch.full((1, n), 0.8), k, seed=2))
    assert not torch.equal(mean, deep.passes(cell, torch.full((1, n), 0.8), k, seed=3))
    variance = p * (1 - p) / k
    assert abs(float(mean.mean()) - p) < 4 * np.sqrt(variance / n)
    assert abs(float(mean.var()) / variance - 1) < 4 * np.sqrt(2 / n)
    deep.passes(cell, torch.full((1, n), 0.8), 1)
    assert not torch.equal(before, torch.get_rng_state())
    assert not mean.requires_grad


# -------------------------------------------------------------------------------------------------------------- errors


@needs_torch
def test_errors_name_the_argument():
    rows = [
        (lambda: deep.NoisySpike(0.4), "family = 0.4", "expected a dimensionless noise family"),
        (lambda: deep.NoisySpike(None), "family = None:", "noisy=False"),
        (lambda: deep.NoisySpike(nsnn.Gaussian(0.4), reset="soft"), "reset = 'soft'", ""),
        (lambda: deep.NoisySpike(nsnn.Gaussian(0.4), reset_path="none"), "reset_path = 'none'", ""),
        (lambda: deep.NoisySpike(nsnn.Gaussian(0.4), axis=1.0), "axis = 1.0", ""),
        (lambda: deep.NoisySpike(nsnn.Gaussian(0.4), noisy=False, learn_noise=True), "learn_noise = True", ""),
        (lambda: cell()(torch.tensor([[np.nan]])), "drive has values that aren't finite", ""),
        (lambda: cell().step(torch.tensor([np.inf])), "drive has values that aren't finite", ""),
        (lambda: cell()(torch.tensor([1.0])), "drive is torch.float32 of shape (1,):", "T, batch"),
        (lambda: cell()(torch.zeros(0, 3)), "T of at least 1", ""),
        (lambda: cell()(torch.zeros(2, 3, dtype=torch.int64)), "expected a tensor of floats", ""),
        (lambda: cell()([[1.0]]), "drive is list", ""),
        (lambda: cell()(torch.zeros(2, 3), spikes=np.ones((2, 2))), "spikes is", "(2, 2): expected 0 and 1"),
        (lambda: cell().step(torch.zeros(3), cell().step(torch.zeros(2))), "state has shapes", ""),
        (lambda: deep.EachStep(nn.Linear(2, 2))(torch.zeros(3, 2)), "expected a tensor", ""),
        (lambda: deep.to_network(cell()), "module is NoisySpike", "expected nn.Linear"),
        (lambda: deep.to_network(nn.Sequential(nn.Linear(2, 2))), "module has Linear at '0', no NoisySpike after it", ""),
        (lambda: deep.to_network([nn.Conv2d(1, 1, 3), cell()]), "image = None:", "which Conv2d at '0' takes"),
        (lambda: deep.to_network([nn.Linear(2, 2), nn.ReLU()]), "module has ReLU at '1'", ""),
        (lambda: deep.to_network([nn.Linear(2, 3), cell(), nn.Linear(2, 2), cell()]), "expected 3", ""),
        (lambda: deep.from_network(3), "net is int", ""),
        (lambda: deep.from_network(nsnn.recurrent(2, 3, 2, noise=nsnn.EscapeNoise(nsnn.Gaussian(0.4)))),
         "'hidden->hidden' isn't from a layer to the next", ""),
        (lambda: deep.from_network(nsnn.feedforward([2, 2], noise=nsnn.DoubleNoise(0.4))), "expected EscapeNoise", ""),
    ]  # fmt: skip
    assert_refused(rows)


def cell():
    return deep.NoisySpike(nsnn.Gaussian(0.4))

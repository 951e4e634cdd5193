"""Convolutional and residual nets between torch and Brian2: the same potentials and probabilities along the same spikes, there and
back; what can't be moved."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from helpers.learning import DT
from helpers.refusals import assert_refused
from helpers.with_torch import HAS_TORCH, needs_torch, own_noise  # noqa: F401
from neo import AnalogSignal
from quantities import dimensionless, ms

import nsnn_neuro as nsnn
from nsnn_neuro import AveragePooling, Convolution

if HAS_TORCH:
    import torch
    from torch import nn

    from nsnn_neuro import deep

    Each = deep.EachStep
NOISE = nsnn.EscapeNoise(nsnn.Gaussian(0.4))
STEPS = 10


def cell(family=None, **options):
    return deep.NoisySpike(nsnn.Gaussian(0.4) if family is None else family, **options)


def conv(*sizes, bias=False, **options):
    return Each(nn.Conv2d(*sizes, bias=bias, **options))


def linear(*sizes):
    return nn.Linear(*sizes, bias=False)


def plain():
    """Conv, pooling with neurons, two residual blocks, dense; images come in."""
    return nn.Sequential(
        conv(2, 3, (3, 2), padding=(1, 0), stride=(1, 2), bias=True),  # (2, 6, 7) -> (3, 6, 3)
        cell(nsnn.Gaussian([0.3, 0.4, 0.5]), theta=[0.8, 0.9, 1.0], axis=1),
        Each(nn.AvgPool2d(2), deep.Times(1.5)),  # -> (3, 3, 1)
        cell(reset="subtract"),
        deep.Residual(
            nn.Sequential(conv(3, 4, 3, padding=1), cell(), conv(4, 3, 3, padding=1, bias=True), cell(nsnn.Logistic(0.2)))
        ),
        deep.Residual(
            nn.Sequential(conv(3, 2, (3, 1), stride=2, padding=(1, 0)), cell(nsnn.Triangular(0.9))),
            skip=conv(3, 2, 1, stride=2),  # -> (2, 2, 1)
        ),
        Each(nn.Flatten(), linear(4, 5)), cell(beta=0.8, noisy=False),
        deep.Residual(nn.Sequential(linear(5, 4), cell(), linear(4, 5), cell()), skip=deep.Times(0.5)),
    )  # fmt: skip


def folded():
    """Poolings without neurons after them: with a convolution (padded, and leaving out a border), and with a dense layer."""
    return nn.Sequential(
        Each(nn.AvgPool2d((2, 1)), nn.Conv2d(2, 3, 3, padding=(1, 0), bias=False)),  # (2, 6, 7) -> (3, 3, 5)
        cell(),
        nn.Sequential(Each(nn.AvgPool2d((1, 2))), conv(3, 2, (2, 1), stride=(1, 2), bias=True)),  # -> (2, 2, 1)
        cell(),
        conv(2, 4, 2, padding=1), cell(),  # -> (4, 3, 2)
        Each(nn.AvgPool2d(2, stride=1), deep.Times(2.0), nn.Flatten(), linear(8, 3)), cell(),
    )  # fmt: skip


def conv_of_flat():
    return Each(nn.Unflatten(1, (2, 4, 5)), nn.Conv2d(2, 1, 3, padding=1))


def flat():
    """Flat input, an image in the middle, a path around that changes the shape."""
    return nn.Sequential(
        Each(nn.Unflatten(1, (2, 6, 7)), nn.Conv2d(2, 2, 3), nn.Flatten()), cell(),  # -> (2, 4, 5), flat
        conv_of_flat(), cell(),  # -> (1, 4, 5)
        deep.Residual(nn.Sequential(Each(nn.Flatten(), linear(20, 20)), cell()), skip=Each(nn.Flatten())),
        deep.Residual(
            nn.Sequential(Each(nn.Unflatten(1, (1, 4, 5)), nn.Conv2d(1, 3, (1, 4), bias=False)), cell()),
            skip=Each(linear(20, 24), nn.Unflatten(1, (3, 4, 2))),
        ),
    )  # fmt: skip


def in_double(make):
    """The module with weights from a seed, and the shape of its input."""
    torch.manual_seed(3)
    module = make().double()
    with torch.no_grad():
        for values in module.parameters():
            values.normal_(0.2, 0.4)
    return module, (84,) if make is flat else (2, 6, 7)


def moved(module, shape):
    return deep.to_network(module, image=shape if len(shape) == 3 else None)


def run(net, x, seed=2):
    """Potentials and spikes (T, n) of each population but the input, as Brian2 has them."""
    drive = nsnn.Recorded(AnalogSignal(x, units=dimensionless, sampling_period=1 * ms))
    record = {p.name: True for p in net.populations[1:]}
    block = nsnn.simulate(
        net, stimulus=drive, duration=len(x) * DT, dt=DT, seed=seed, engine="numpy", record_v=record
    )
    (segment,) = block.segments
    fired = np.zeros((len(x), len(segment.spiketrains)))
    for j, train in enumerate(segment.spiketrains):
        fired[np.rint(train.rescale("ms").magnitude).astype(int), j] = 1
    spikes = np.split(fired, np.cumsum([p.n for p in net.populations])[:-1], axis=1)[1:]
    v = {s.name: np.asarray(s.magnitude) for s in segment.analogsignals}
    return [v[f"v of {name}"] for name in record], spikes


def along(module, x, spikes):
    """Each layer's potentials and probabilities (T, n) in torch when all layers fire these spikes."""
    cells, drives = [m for m in module.modules() if isinstance(m, deep.NoisySpike)], {}

    def forced(cell, args, made):
        drives[cell] = args[0]
        o = spikes[cells.index(cell)]
        return torch.as_tensor(o, dtype=made.dtype).reshape(made.shape)

    hooks = [c.register_forward_hook(forced) for c in cells]
    module(x)
    for hook in hooks:
        hook.remove()
    found = []
    for c, o in zip(cells, spikes, strict=True):
        state, u, p = None, [], []
        for t, d in enumerate(drives[c]):
            state = c.step(d, state, spikes=torch.as_tensor(o[t], dtype=d.dtype).reshape(d.shape))
            u.append(state.u.detach().numpy().ravel())
            p.append(c.probability(state.u).detach().numpy().ravel())
        found.append((np.array(u), np.array(p)))
    return found


def agree(net, module, shape):
    """Potentials to 1e-12 in float64, probabilities to 1e-6 in float32, along the spikes of a run of Brian2."""
    x = np.random.default_rng(4).random((STEPS, int(np.prod(shape)))) * 1.5
    u, spikes = run(net, x)
    assert all(0 < o.mean() < 1 for o in spikes), [o.mean() for o in spikes]
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-6)):
        found = along(module.to(dtype), torch.as_tensor(x, dtype=dtype).reshape(STEPS, 1, *shape), spikes)
        for p, v, (w, chance) in zip(net.populations[1:], u, found, strict=True):
            np.testing.assert_allclose(w, v, rtol=0, atol=10 * tolerance)
            if p.noise is not None:
                expected = p.noise.family.cdf(v - p.neuron.theta)
                np.testing.assert_allclose(chance, expected, rtol=0, atol=tolerance)
    module.to(torch.float64)


@needs_torch
@pytest.mark.parametrize(
    "make", [flat, *(pytest.param(make, marks=pytest.mark.slow) for make in (plain, folded))]
)
def test_torch_nets_have_the_same_potentials_in_brian2_and_back_in_torch(make):
    module, shape = in_double(make)
    net = moved(module, shape)
    agree(net, module, shape)
    back = deep.from_network(net, surrogate=nsnn.Gaussian(0.4))
    assert deep.to_network(back).describe() == net.describe()
    agree(net, back, (84,))
    kinds = [type(m).__name__ for m in back.modules()]
    assert kinds.count("Residual") == {plain: 3, folded: 0, flat: 2}[make]
    assert kinds.count("Conv2d") == {plain: 5, folded: 3, flat: 3}[make]


@pytest.mark.slow
@needs_torch
def test_values_of_channels_biases_and_nested_paths_are_kept():
    """Per-channel numbers, a learned scale for each of them, a block within a block, a pooling's weight, one-to-one weights."""
    image, rng = (2, 4, 3), np.random.default_rng(7)
    cells = nsnn.NSNNNeuron(beta=np.repeat([0.4, 0.7], 12), theta=np.repeat([0.9, 1.1], 12), reset="subtract")
    family = nsnn.EscapeNoise(nsnn.Gaussian(np.repeat([0.3, 0.5], 12)))
    layers = [nsnn.Population(24, nsnn.Relay(), name="input")]
    layers += [
        nsnn.Population(24, cells, noise=family, stimulus=nsnn.Constant(np.repeat(rng.random(2), 12)), name=name)
        for name in "abcd"
    ]  # fmt: skip
    rule = Convolution(2, 3, padding=1, image=image)
    wires = [
        nsnn.Projection(pre, post, rule=rule, weight=rng.normal(0.1, 0.3, (2, 2, 3, 3)))
        for pre, post in itertools.pairwise(layers)
    ]
    wires += [
        nsnn.Projection(layers[1], layers[4], rule=nsnn.OneToOne(), weight=rng.normal(size=24)),
        nsnn.Projection(layers[1], layers[3], rule=nsnn.OneToOne(), weight=np.full(24, 0.25)),
        nsnn.Projection(layers[0], layers[1], rule=nsnn.AllToAll(), weight=rng.normal(0, 0.1, (24, 24))),
    ]
    net = nsnn.Network(layers, wires)
    module = deep.from_network(net, learn_noise=True)
    assert [type(m).__name__ for m in module] == ["Residual", "Residual"]
    assert module.get_submodule("block_d.inner.block_c.inner.b").log_level.shape == (2,)
    back = deep.to_network(module)
    assert [p.describe() for p in back.populations] == [p.describe() for p in net.populations]
    for projection, w in zip(net.projections, net.get_weights(), strict=True):
        (same,) = (
            k for k, p in enumerate(back.projections)
            if (p.pre.name, p.post.name, type(p.rule)) == (projection.pre.name, projection.post.name, type(projection.rule))
        )  # fmt: skip
        np.testing.assert_array_equal(back.get_weights()[same], w)
    agree(net, module, (24,))


@needs_torch
def test_a_block_adds_its_input_to_the_last_drive_and_learns_through_both_paths():
    module = deep.Residual(
        nn.Sequential(linear(3, 3), cell(), linear(3, 3), cell(nsnn.Uniform(5.0)))
    ).double()
    x = torch.rand(2, 4, 3, dtype=torch.float64, requires_grad=True)
    drives = []
    module.inner[-1].register_forward_hook(lambda cell, args, made: drives.append((args[0], made)))
    out = module(x)
    ((drive, made),) = drives
    assert out is made
    hidden = torch.round(torch.linalg.solve(module.inner[2].weight, (drive - x).mT).mT, decimals=6)
    assert set(hidden.detach().flatten().tolist()) <= {0.0, 1.0}
    (gradient,) = torch.autograd.grad(drive.sum(), x, retain_graph=True)
    inner = torch.autograd.grad((drive - x).sum(), x)[0]
    np.testing.assert_allclose(gradient, inner + 1, rtol=0, atol=1e-12)
    doubled = deep.Residual(nn.Sequential(linear(3, 3), cell()), skip=deep.Times(2.0)).double()
    doubled.inner[-1].register_forward_hook(lambda cell, args, made: drives.append((args[0], made)))
    doubled(x)
    np.testing.assert_allclose(
        drives[1][0].detach(), (doubled.inner[0](x) + 2 * x).detach(), rtol=0, atol=1e-12
    )


# -------------------------------------------------------------------------------------------------------------- errors


def to(*modules, image=(1, 6, 6)):
    return deep.to_network(nn.Sequential(*modules), image=image)


def four_layers(*paths, noise=NOISE, stimulus=None, rule=None, neuron=None):
    """An input and three layers of (2, 2, 2) neurons each, with paths around layers from and to these places."""
    layers = [nsnn.Population(8, nsnn.Relay(), name="input")]
    layers += [
        nsnn.Population(8, neuron or nsnn.NSNNNeuron(), noise=noise, stimulus=stimulus, name=name)
        for name in "abc"
    ]
    rule = rule or Convolution(2, 1, image=(2, 2, 2))
    wires = [nsnn.Projection(layers[k], layers[k + 1], rule=rule, weight=0.5) for k in range(3)]
    wires += [nsnn.Projection(layers[i], layers[j], rule=nsnn.OneToOne(), weight=1.0) for i, j in paths]
    return nsnn.Network(layers, wires)


@needs_torch
def test_errors_name_the_argument():
    rows = [
        (lambda: to(conv(1, 2, 3), cell(), image=None), "image = None: expected (channels", "which Conv2d at '0' takes"),
        (lambda: to(conv(1, 2, 3), cell(), image=(6, 6)), "image = (6, 6)", "expected"),
        (lambda: to(conv(2, 2, 3), cell()), "Conv2d at '0' takes 2 channels", "expected 1"),
        (lambda: to(conv(1, 2, 7), cell()), "than the window of", ""),
        (lambda: to(conv(1, 2, 3, dilation=2), cell()), "expected groups=1 and dilation=1", ""),
        (lambda: to(conv(1, 2, 3, padding="same"), cell()), "expected padding as a number, of zeros", ""),
        (lambda: to(conv(1, 2, 3, padding=1, padding_mode="circular"), cell()), "of zeros", ""),
        (lambda: to(Each(nn.AvgPool2d(2, ceil_mode=True)), cell()), "AvgPool2d at '0'", "expected padding=0, ceil_mode=False"),
        (lambda: to(Each(nn.AvgPool2d(3, padding=1)), cell()), "AvgPool2d at '0'", "expected padding=0"),
        (lambda: to(Each(nn.MaxPool2d(2)), cell()), "module has MaxPool2d at '0'", "expected nn.Linear and NoisySpike"),
        (lambda: to(conv(1, 2, 3), Each(nn.BatchNorm2d(2)), cell()), "BatchNorm2d at '0' after Conv2d:", "fold a batch norm"),
        (lambda: to(conv(1, 2, 3)), "module has Conv2d at '0', no NoisySpike after it", ""),
        (lambda: to(), "module has no layers to move", ""),
        (lambda: to(cell()), "module has NoisySpike at '0'", ""),
        (lambda: to(linear(36, 2), cell()), "Linear at '0' takes 36", "expected 36 after nn.Flatten()"),
        (lambda: to(Each(nn.Flatten(), linear(30, 2)), cell()), "Linear at '1' takes 30", "expected 36"),
        (lambda: to(linear(4, 4), cell(), conv(1, 2, 3), cell(), image=None),
         "Conv2d at '0' follows 4 neurons", "expected nn.Unflatten"),
        (lambda: to(Each(nn.Flatten(), nn.Unflatten(1, (2, 4, 4)), nn.Conv2d(2, 1, 2)), cell()), "Unflatten at '1' makes", ""),
        (lambda: to(conv(1, 2, 3), conv(2, 2, 3), cell()), "Conv2d at '0' and Conv2d at '0' follow each other without neurons", ""),
        (lambda: to(Each(nn.AvgPool2d(4), nn.Conv2d(1, 2, 1, padding=1)), cell()), "AvgPool2d at '0' and Conv2d at '1' follow", ""),
        (lambda: to(Each(nn.AvgPool2d(3, stride=1), nn.Conv2d(1, 2, 1)), cell()), "its stride isn't its size", ""),
        (lambda: to(conv(1, 2, 3), cell(axis=0)), "axis = 0 at '1'", "expected -1 for a dense layer"),
        (lambda: to(conv(1, 2, 3), cell(theta=[1.0, 2.0, 3.0], axis=1)), "theta has 3 values", "expected one, or 2"),
        (lambda: to(Each(nn.AvgPool2d(2)), deep.Residual(nn.Sequential(conv(1, 1, 1), cell()))),
         "Residual at '1' after AvgPool2d", ""),
        (lambda: to(deep.Residual(nn.Sequential(conv(1, 2, 1), cell()))), "the block of 'layer1' has the shape (1, 6, 6)", ""),
        (lambda: to(deep.Residual(nn.Sequential(conv(1, 2, 1), cell()), skip=conv(1, 2, 1, bias=True))),
         "skip of the block of 'layer1' has a bias", ""),
        (lambda: to(deep.Residual(nn.Sequential(conv(1, 1, 1), cell()), skip=nn.ReLU())),
         "skip has ReLU at '0'", "expected linear modules"),
        (lambda: to(Each(deep.Times([1.0, 2.0])), cell()), "Times at '0' has a factor of shape (2,)", ""),
        (lambda: deep.to_network(nn.Sequential(conv(1, 2, 3), cell()), image=(1, 6, 6), plasticity=nsnn.NDL(0.1)),
         "Convolution share weights", ""),
        (lambda: deep.Residual(nn.Sequential(linear(2, 2))), "inner is Sequential(Linear)", "expected"),
        (lambda: deep.Residual(cell()), "inner is NoisySpike", "expected"),
        (lambda: deep.Residual(nn.Sequential(linear(2, 2), cell()), skip=2.0), "skip = 2.0", "expected a module"),
        (lambda: deep.Residual(nn.Sequential(linear(2, 3), cell()))(torch.zeros(1, 1, 2)),
         "the last layer has shape (1, 1, 3), what skip adds (1, 1, 2)", ""),
        (lambda: deep.Times(np.nan), "factor = nan", "expected finite numbers"),
        (lambda: deep.Times("x"), "factor = 'x'", ""),
        (lambda: deep.from_network(four_layers((0, 2), (1, 3))), "from 'a' to 'c' crosses another one", ""),
        (lambda: deep.from_network(four_layers((0, 3), (1, 3))), "'a->c' isn't from a layer to the next", ""),
        (lambda: deep.from_network(four_layers((2, 1))), "'b->a' isn't from a layer to the next", ""),
        (lambda: deep.from_network(four_layers(neuron=nsnn.NSNNNeuron(theta=np.arange(1.0, 9.0)))),
         "theta of NSNNNeuron differs within a channel of 'a'", ""),
        (lambda: deep.from_network(four_layers(rule=AveragePooling(1, image=(2, 2, 2)), stimulus=nsnn.Constant(0.1))),
         "projection 'input->a'", "a pooling layer with a stimulus"),
    ]  # fmt: skip
    assert_refused(rows)

"""Nets between torch and Brian2, and their files: there and back is the identity; what is refused."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
from helpers.tiny_networks import FAMILIES
from helpers.with_torch import HAS_TORCH, Runs, needs_torch, own_noise  # noqa: F401

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError

if HAS_TORCH:
    import torch
    from torch import nn

    from nsnn_neuro import deep


def cell():
    return deep.NoisySpike(nsnn.Gaussian(0.4))


def two_layers(reset="hard", noise=None, seed=4, bias=True):
    rng = np.random.default_rng(seed)
    cell = nsnn.NSNNNeuron(beta=0.6, theta=0.9, reset=reset)
    sizes, noises = (
        [5, 4, 3],
        noise or [nsnn.EscapeNoise(nsnn.Gaussian(0.3)), nsnn.EscapeNoise(nsnn.Cauchy(0.2))],
    )
    layers = [nsnn.Population(5, nsnn.Relay(), name="input")]
    for n, own, name in zip(sizes[1:], noises, ("hidden", "out"), strict=True):
        stimulus = nsnn.Constant(rng.normal(0, 0.2, n)) if bias else None
        layers.append(nsnn.Population(n, cell, noise=own, stimulus=stimulus, name=name))
    wires = [
        nsnn.Projection(a, b, rule=nsnn.AllToAll(), weight=rng.normal(0.3, 0.5, (a.n, b.n)))
        for a, b in itertools.pairwise(layers)
    ]
    return nsnn.Network(layers, wires, seed=0)


@needs_torch
@pytest.mark.parametrize(("family", "reset"), [*zip(FAMILIES, ["hard", "subtract"] * 3, strict=True)])
def test_there_and_back_is_the_identity(family, reset):
    net = two_layers(
        reset, [nsnn.EscapeNoise(family), nsnn.EscapeNoise(nsnn.Gaussian(np.array([0.2, 0.3, 0.4])))]
    )
    assert deep.to_network(deep.from_network(net)).describe() == net.describe()
    learned = deep.from_network(net, learn_noise=True)
    assert deep.to_network(learned).describe() == net.describe()
    with torch.no_grad():
        learned.get_submodule("out").log_level.add_(0.5)
    sigma = deep.to_network(learned).population("out").noise.family.sigma
    np.testing.assert_allclose(sigma, np.exp(0.5) * np.array([0.2, 0.3, 0.4]), rtol=1e-12)
    module = deep.from_network(deep.to_network(learned))
    for name, values in module.state_dict().items():
        if isinstance(values, torch.Tensor):  # the weights
            assert torch.equal(values, learned.state_dict()[name])


@needs_torch
def test_the_twin_moves_too_and_other_wiring_becomes_zeros():
    net = two_layers(noise=[None, nsnn.EscapeNoise(nsnn.Gaussian(0.3))], bias=False)
    with pytest.raises(NsnnError, match=r"surrogate = None: population 'hidden' has no noise"):
        deep.from_network(net)
    module = deep.from_network(net, surrogate=nsnn.Gaussian(0.4), learn_noise=True)
    assert not module.get_submodule("hidden").noisy
    assert deep.to_network(module).describe() == net.describe()
    a = nsnn.Population(3, nsnn.Relay(), name="input")
    b = nsnn.Population(2, nsnn.NSNNNeuron(), noise=nsnn.EscapeNoise(nsnn.Gaussian(0.3)), name="b")
    sparse = nsnn.Projection(a, b, rule=nsnn.FromList([0, 2, 2], [1, 0, 0]), weight=np.array([0.5, 1.0, 2.0]))
    weight = deep.from_network(nsnn.Network([a, b], [sparse]))[0].weight
    assert weight.tolist() == [[0.0, 0.0, 3.0], [0.5, 0.0, 0.0]]


@needs_torch
def test_files_of_something_else_are_refused(tmp_path):
    """A missing one, a damaged one, one that would run code, another architecture, other neurons, NaN; nothing is changed."""
    net = nn.Sequential(nn.Linear(4, 2), cell())
    before = copy.deepcopy(net.state_dict())
    path = tmp_path / "net.pt"

    def refused(told, kind=NsnnError):
        with pytest.raises(kind, match=told):
            deep.load(net, path)
        now = net.state_dict()
        assert all(torch.equal(now[k], v) for k, v in before.items() if isinstance(v, torch.Tensor))

    refused("no such file")
    for content in (b"", b"something else", b"PK\x03\x04 truncated"):
        path.write_bytes(content)
        refused("not a state_dict that `save` has written, or damaged", nsnn.FormatError)
    torch.save([1, 2], path)
    refused("holds list", nsnn.FormatError)
    torch.save({"0.weight": Runs(tmp_path / "ran")}, path)
    refused("not a state_dict", nsnn.FormatError)
    assert not (tmp_path / "ran").exists()
    for other, told in (
        (nn.Sequential(nn.Linear(4, 3), cell()), r"0.weight: \(3, 4\) there, \(2, 4\) here"),
        (nn.Sequential(nn.Linear(4, 2), cell(), nn.Linear(2, 2)), r"2.weight: \(2, 2\) there, nothing here"),
        (
            nn.Sequential(nn.Linear(4, 2), deep.NoisySpike(nsnn.Logistic(0.4))),
            "family type Logistic there, Gaussian here",
        ),
        (
            nn.Sequential(nn.Linear(4, 2), deep.NoisySpike(nsnn.Gaussian(0.4), beta=0.7)),
            "of another architecture",
        ),
    ):
        deep.save(other, path)
        refused(told)
    with pytest.raises(NsnnError, match=r"state_dict is of other neurons \(neuron: .*0.7"):
        copy.deepcopy(net).load_state_dict(other.state_dict())
    broken = nn.Sequential(nn.Linear(4, 2), cell())
    with torch.no_grad():
        broken[0].weight[0, 0] = torch.nan
    deep.save(broken, path)
    refused("0.weight has values that aren't finite")
    with pytest.raises(NsnnError, match="can't be written"):
        deep.save(net, tmp_path / "nowhere" / "net.pt")
    deep.save(net, path)
    assert deep.load(net, path) is net


@needs_torch
@pytest.mark.filterwarnings("ignore")  # torch's, of prototypes
def test_odd_tensors_are_refused_by_name(tmp_path):
    net = nn.Linear(3, 2)
    before, state = net.weight.detach().clone(), net.state_dict()
    for change, message in (
        (lambda w: w.to_sparse(), "weight is a tensor of torch.sparse_coo"),
        (lambda w: w.to("meta"), "on meta: expected a dense tensor"),
        (lambda w: torch.quantize_per_tensor(w, 1.0, 0, torch.qint8), "torch.qint8"),
        (lambda w: torch.nested.nested_tensor([w, w[:1]]), "nested"),
        (lambda w: {"values": w}, "weight is a dict with other objects"),
        (lambda w: w.to(torch.complex64), r"torch.complex64 there"),
        (lambda w: w.double() + 1e300, "aren't finite"),  # in single precision
    ):
        torch.save(dict(state) | {"weight": change(state["weight"])}, tmp_path / "net.pt")
        with pytest.raises(NsnnError, match=message):
            deep.load(net, tmp_path / "net.pt")
    assert torch.equal(net.weight, before)


@needs_torch
def test_a_module_whose_shapes_are_not_known_yet_is_named(tmp_path):
    deep.save(nn.Linear(3, 2).half(), tmp_path / "net.pt")
    assert deep.load(nn.Linear(3, 2), tmp_path / "net.pt").weight.dtype == torch.float32
    with pytest.raises(NsnnError, match="a module that has run once"):
        deep.load(nn.LazyLinear(2), tmp_path / "net.pt")

"""Networks as NIR graphs and back: identical outputs, the dynamics that NIR states; graphs and files that are refused."""

from __future__ import annotations

import json
import warnings

import h5py
import numpy as np
import pytest
from brian2 import ms
from helpers.with_torch import own_noise  # noqa: F401

import nsnn_neuro as nsnn
from nsnn_neuro import FormatError, NsnnError

torch = pytest.importorskip("torch")
nir = pytest.importorskip("nir")
from torch import nn  # noqa: E402

from nsnn_neuro import deep  # noqa: E402

KEY = "nsnn_neuro"


def dense(**options):
    return nn.Sequential(
        nn.Linear(6, 5), deep.NoisySpike(nsnn.Gaussian(0.4), beta=0.7, **options),
        nn.Linear(5, 4, bias=False), deep.Times(1.5), deep.NoisySpike(nsnn.Logistic([0.1, 0.2, 0.3, 0.4]), theta=[0.5, 1, 1, 2]),
    )  # fmt: skip


def conv():
    return nn.Sequential(
        deep.EachStep(nn.Conv2d(2, 4, 3, stride=2, padding=1)),
        deep.NoisySpike(nsnn.Gaussian([0.1, 0.2, 0.3, 0.4]), beta=[0.1, 0.2, 0.3, 1 / 3], axis=1),
        deep.EachStep(nn.AvgPool2d(2)),
        deep.NoisySpike(nsnn.Uniform(0.5), theta=0.3, beta=1.0),
        deep.EachStep(nn.Flatten(), nn.Linear(16, 3)),
    )  # fmt: skip


def delayed():
    """Delays of inputs and of hidden neurons, and what a training may have left in the membranes."""
    learned = {f"learn_{name}": True for name in ("beta", "theta", "noise")}
    net = nn.Sequential(
        deep.Delays(6, 4), nn.Linear(6, 5), deep.NoisySpike(nsnn.Gaussian(0.4), beta=0.3, theta=0.2, **learned),
        deep.Delays(5, 3, initial=[0, 1, 3, 0.25, 2]), nn.Linear(5, 4),
        deep.NoisySpike(nsnn.Logistic([0.1, 0.2, 0.3, 0.4]), theta=[0.1, 0.2, -0.1, 0], **learned),
    )  # fmt: skip
    with torch.no_grad():
        for name, value in net.named_parameters():
            if name.split(".")[-1] in ("beta_shift", "theta_shift", "log_level"):
                value += 0.3 * torch.rand(value.shape)
    return net


def delayed_channels():
    return nn.Sequential(
        deep.Delays(2, 5, axis=1), deep.EachStep(nn.Conv2d(2, 4, 3)), deep.NoisySpike(nsnn.Gaussian(0.4), theta=0.1),
        deep.Delays(4, 2, initial=1, axis=1), deep.EachStep(nn.Flatten(), nn.Linear(144, 3)),
        deep.NoisySpike(nsnn.Gaussian(0.4), theta=0.1),
    )  # fmt: skip


def graph_of(module, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return deep.to_nir(module, **options)


CASES = {
    "dense": (dense, {}, (6,)),
    "subtract": (lambda: dense(reset="subtract"), {}, (6,)),
    "conv": (conv, {"image": (2, 8, 8)}, (2, 8, 8)),
    "delayed": (delayed, {}, (6,)),
    "delayed channels": (delayed_channels, {"image": (2, 8, 8)}, (2, 8, 8)),
}


@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        *(("dense", torch.float64), ("subtract", torch.float32), ("conv", torch.float32)),
        *(("delayed", torch.float64), ("delayed", torch.float32), ("delayed channels", torch.float32)),
    ],
)
def test_a_file_gives_the_network_back(tmp_path, case, dtype):
    """Identical outputs of the deterministic network, identical noise (the same spikes from the same seed)."""
    make, options, shape = CASES[case]
    module = make().to(dtype)
    with pytest.warns(UserWarning, match="NIR has no way to state noise of 2 layers"):
        graph = deep.to_nir(module, dt=2 * ms, **options)
    nir.write(tmp_path / "net.nir", graph)
    back = deep.from_nir(tmp_path / "net.nir")
    x = 2 * torch.rand(6, 7, *shape, dtype=dtype)
    expected = deep.twin(module)(x)
    assert expected.abs().sum() > 0
    assert torch.equal(deep.twin(back)(x), expected)
    state = torch.get_rng_state()
    noisy = module(x)
    torch.set_rng_state(state)
    assert torch.equal(back(x), noisy)
    assert not torch.equal(noisy, expected)
    assert next(back.parameters()).dtype == dtype
    ours, theirs = ([m for m in net.modules() if isinstance(m, deep.Delays)] for net in (module, back))
    assert [m.max_steps for m in ours] == [m.max_steps for m in theirs]


def test_delays_of_other_programs_and_membranes_that_go_on_learning():
    """Seconds become steps, whole ones to the bit, and the longest is `max_steps`; what is learned starts from the graph."""
    cells = nir.LIF(*(np.full(3, value) for value in (5e-4, 5.0, 0.0, 1.0)))
    graph = nir.NIRGraph.from_list(nir.Delay(np.array([1e-3, 0.0, 2.5e-4])), nir.Linear(np.eye(3)), cells)
    options = {"dt": 0.1 * ms, "noise": nsnn.Gaussian(0.4), "learn_beta": True, "learn_theta": True}
    net = deep.from_nir(graph, **options)
    assert (net[0].steps.tolist(), net[0].max_steps) == ([10.0, 0.0, 2.5], 10)
    assert {name for name, _ in net.named_parameters()} >= {"2.beta_shift", "2.theta_shift"}
    assert net[2].neuron.beta == pytest.approx(0.8, rel=1e-6)
    again = deep.from_nir(graph_of(net, dt=0.1 * ms))
    assert again[2].neuron.beta == net[2].neuron.beta
    with pytest.warns(UserWarning, match="between whole steps"):
        deep.to_nir(net, dt=0.1 * ms)


def test_the_graph_runs_as_nir_defines_it():
    """Euler steps of NIR's equations in NumPy give the spikes of the deterministic network."""
    module = deep.twin(dense()).double()
    graph = graph_of(module, dt=2 * ms)
    x = 2 * torch.rand(9, 1, 6, dtype=torch.float64)
    v = {name: 0.0 for name in graph.nodes}
    for step, expected in zip(x[:, 0].numpy(), module(x)[:, 0].detach().numpy(), strict=True):
        signal = step
        for name, node in graph.nodes.items():
            match type(node).__name__:
                case "Affine":
                    signal = node.weight @ signal + node.bias
                case "Linear":
                    signal = node.weight @ signal
                case "Scale":
                    signal = node.scale * signal
                case "LIF":
                    u = v[name] + 0.002 / node.tau * (node.v_leak - v[name] + node.r * signal)
                    signal = (u > node.v_threshold).astype(float)
                    v[name] = np.where(signal == 1, node.v_reset, u)
        np.testing.assert_array_equal(signal, expected)


def lif(n=3, tau=4e-3, r=2.0, **others):
    values = {"v_leak": 0.0, "v_threshold": 1.0} | others
    return nir.LIF(*(np.full(n, value) for value in (tau, r, *values.values())))


def test_graphs_of_other_programs():
    """tau and r set beta and a gain; noise= and surrogate= say what they can't."""
    graph = nir.NIRGraph.from_list(nir.Linear(np.eye(3)), lif(), nir.IF(np.full(3, 1e3), np.ones(3)))
    with pytest.raises(FormatError, match="dt = None"):
        deep.from_nir(graph, noise=nsnn.Gaussian(0.4))
    with pytest.raises(FormatError, match=r"expected noise=.*surrogate="):
        deep.from_nir(graph, dt=1 * ms)
    scaled, cell, last = deep.from_nir(graph, dt=1 * ms, noise=nsnn.Gaussian(0.2))
    linear, gain = scaled
    assert isinstance(linear, nn.Linear)
    assert (float(gain.factor), cell.neuron.beta, last.neuron.beta, cell.noisy) == (0.5, 0.75, 1.0, True)
    module = deep.from_nir(graph, dt=1 * ms, surrogate=nsnn.Gaussian(0.2), dtype=torch.float32)
    assert not module[1].noisy
    assert module[0][0].weight.dtype == torch.float32


def damaged(change):
    graph = graph_of(dense())
    change(graph)
    return graph


def metadata(**changes):
    def change(graph):
        about = json.loads(graph.nodes["1_lif"].metadata[KEY]) | changes
        graph.nodes["1_lif"].metadata[KEY] = json.dumps(about)

    return change


def put(node, field, value):
    return lambda graph: setattr(graph.nodes[node], field, value)


REFUSED = {
    "leads to several nodes": lambda g: g.edges.append(("1_lif", "output")),
    "do not lead from the input": lambda g: g.edges.pop(1),
    "one of them is no node": lambda g: g.edges.append(("output", "nowhere")),
    "CubaLIF: expected": lambda g: g.nodes.update({"1_lif": nir.CubaLIF(*[np.ones(5)] * 5)}),
    "isn't of finite numbers": put("0_affine", "weight", np.full((5, 6), np.nan)),
    "weight has shape": put("0_affine", "weight", np.ones((5, 7))),
    "v_reset isn't 0": put("1_lif", "v_reset", np.ones(5)),
    "v_leak has shape": put("1_lif", "v_leak", np.zeros(4)),
    "expected tau of dt or more": put("1_lif", "tau", np.full(5, 1e-4)),
    "shape = ": put("input", "input_type", {"input": np.array([-1])}),
    r"shape = \[6\.0\]": put("input", "input_type", {"input": np.array(6)}),  # a scalar
    "shape isn't": put("input", "input_type", [6]),
    "weight isn't an array": put("0_affine", "weight", [[1.0, 2.0], [3.0]]),
    "expected a dict of nodes": lambda g: g.edges.append("input"),
    "its metadata": put("1_lif", "metadata", ["beta"]),
    "are damaged": metadata(reset="soft"),
    "are damaged, expected those of": metadata(dt=-1.0),
    "name no noise family": metadata(family={"type": "NoisySpike"}),
    "for neurons of": metadata(family={"type": "Gaussian", "sigma": {"value": [0.1, 0.2], "unit": "1"}}),
    "name no noise family, expected": metadata(family={"type": "Gaussian", "sigma": {"value": -1}}),
}


def test_graphs_that_do_not_fit_are_refused():
    for message, change in REFUSED.items():
        with pytest.raises(FormatError, match=message):
            deep.from_nir(damaged(change))


def test_delays_that_do_not_fit_are_refused():
    for node, field, value, message in (
        ("0_delay", "delay", np.full(6, -1e-3), "from -1 to -1 steps, expected from 0"),
        ("0_delay", "delay", np.full(6, 1e9), "steps, expected from 0"),
        ("0_delay", "delay", np.zeros(5), "delay has shape"),
        (None, "metadata", {KEY: '{"dt": 0.001, "max_steps": {"0_delay": 1e300}}'}, "graph: its metadata"),
        (None, "metadata", {KEY: '{"dt": 0.001, "max_steps": 3}'}, "graph: its metadata"),
        (None, "metadata", {}, "dt = None: node '0_delay'"),
    ):
        graph = graph_of(delayed())
        setattr(graph.nodes[node] if node else graph, field, value)
        with pytest.raises(FormatError, match=message):
            deep.from_nir(graph)


def test_convolutions_that_do_not_fit_are_refused():
    for field, value, message in (
        ("groups", 3, "3 groups"),
        ("stride", np.array([0, 1]), "stride"),
        ("padding", "half", "padding"),
        ("weight", np.ones((4, 2, 30, 30)), "doesn't take images"),
    ):
        graph = graph_of(conv(), image=(2, 8, 8))
        setattr(graph.nodes["0_conv2d"], field, value)
        with pytest.raises(FormatError, match=message):
            deep.from_nir(graph)


def test_a_step_that_is_not_given_is_told():
    """A reader with steps of h has the leak 1 - h / tau: that of the network only for the step of the graph."""
    module = deep.twin(dense())
    with pytest.warns(UserWarning, match=r"took 1 ms; .* snnTorch dt=0.1\*ms"):
        deep.to_nir(module)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        graph = deep.to_nir(module, dt=0.1 * ms)
    assert np.allclose(1 - 1e-4 / graph.nodes["1_lif"].tau, module[1].neuron.si("beta"), atol=1e-12)


def test_modules_that_nir_cannot_state_are_refused():
    block = deep.Residual(nn.Sequential(nn.Linear(2, 2), deep.NoisySpike(nsnn.Gaussian(0.4))))
    for module, options, message in (
        (nn.Sequential(nn.Linear(2, 2), block), {}, "Residual"),
        (nn.Sequential(deep.EachStep(nn.Conv2d(1, 1, 3))), {}, "image = None"),
        (nn.Sequential(nn.Conv2d(1, 1, (3, 2))), {"image": (1, 5, 5)}, "square kernel"),
        (nn.Sequential(nn.Conv2d(2, 2, 3, groups=2)), {"image": (2, 5, 5)}, "groups=1"),
        (nn.Sequential(nn.Conv2d(2, 1, 3)), {"image": (1, 5, 5)}, "doesn't take images"),
        (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), {}, "fold a batch norm"),
        (nn.Sequential(), {}, "no layers"),
        (nn.Sequential(deep.Delays(nn.Linear(2, 2), 3)), {}, r"Delays\(n, max_steps\) before"),
        (nn.Sequential(nn.Linear(2, 3), deep.Delays(2, 3)), {}, "Delays takes 2"),
        (nn.Sequential(deep.Delays(2, 3, axis=1)), {}, "image = None"),
        (nn.Sequential(deep.Delays(2, 3)), {"image": (1, 2, 2)}, "axis = -1"),
        (
            nn.Sequential(nn.Flatten(), deep.NoisySpike(nsnn.Gaussian(0.4), beta=[0.5, 1.0])),
            {"image": (2, 1, 1)},
            "beta is 1",
        ),
        (nn.Sequential(deep.NoisySpike(nsnn.Gaussian([0.4, 0.3]))), {"image": (1, 1, 2)}, "axis = -1"),
    ):
        with pytest.raises(NsnnError, match=message):
            deep.to_nir(module, **options)
    with pytest.raises(NsnnError, match="source is dict"):
        deep.from_nir({})


def soft(file):
    file["node/nodes/more"] = h5py.SoftLink("/node")


def external(file):
    file["node/nodes/more"] = h5py.ExternalLink("/etc/passwd", "/")


def circle(file):
    file["node/nodes/more"] = file["node"]


def unwritten(file):
    file.create_dataset("node/nodes/0_affine/more", (10**6, 10**6), "f4", chunks=(1000, 1000))


def pickled(file):
    file.create_dataset("node/more", data=np.zeros(3, dtype=[("a", "f4")]))


def no_type(file):
    del file["node/type"]


def test_files_that_lead_elsewhere_or_claim_too_much_are_refused(tmp_path):
    for change in (soft, external, circle, unwritten, pickled, no_type):
        path = tmp_path / f"{change.__name__}.nir"
        nir.write(path, graph_of(dense()))
        with h5py.File(path, "a") as file:
            change(file)
        with pytest.raises(FormatError, match=rf"path = .*{path.name}"):
            deep.from_nir(path)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "net.nir"
    with pytest.raises(NsnnError, match="no such file"):
        deep.from_nir(path)
    path.write_bytes(b"no HDF5")
    with pytest.raises(FormatError, match=r"path = .*net\.nir"):
        deep.from_nir(path)
    nir.write(path, graph_of(dense()))
    with pytest.raises(FormatError, match="max_bytes"):
        deep.from_nir(path, max_bytes=1000)
    whole = path.read_bytes()
    for cut in (len(whole) // 3, len(whole) // 2):
        path.write_bytes(whole[:cut])
        with pytest.raises(FormatError, match=r"path = .*net\.nir"):
            deep.from_nir(path)

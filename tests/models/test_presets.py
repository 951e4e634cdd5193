"""Ready-made networks: their wiring against the theory's mean field, shapes, weights."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import Hz, ms, mV
from scipy import stats

from nsnn_neuro import (
    LIF,
    AveragePooling,
    Convolution,
    DeltaSynapse,
    EscapeNoise,
    Gaussian,
    NSNNNeuron,
    Relay,
    Residual,
    WhiteNoise,
    balanced,
    brunel,
    convolutional,
    feedforward,
    recurrent,
    theory,
)

NOISE = EscapeNoise(Gaussian(0.4))


def parameters(net):
    """tau_m, v_rest, v_reset, v_thresh, tau_refrac (SI) of the one neuron that all populations have."""
    (cell,) = {id(p.neuron): p.neuron for p in net.populations}.values()
    return [cell.si(name) for name in ("tau_m", "v_rest", "v_reset", "v_thresh", "tau_refrac")]


def free_membrane(net, rates):
    """Mean and standard deviation of the free membrane of each population, from the network's synapses and inputs as they are.

    Campbell's theorem: an input of rate r that makes V jump by w adds tau w r to the mean and tau w^2 r / 2 to the variance.
    """
    out = []
    for post in net.populations:
        tau, mean, variance = post.neuron.si("tau_m"), 0.0, 0.0
        if post.stimulus is not None:
            mean += post.stimulus.si("v")
        if post.noise is not None:
            rate, w = post.noise.si("rate"), post.noise.si("weight")
            mean, variance = mean + tau * w * rate, variance + tau * w**2 * rate / 2
        for projection, name in zip(net.projections, net.projection_names, strict=True):
            if projection.post is post:
                synapses = net.connections(name)
                degree = synapses.pre.size / post.n
                rate = rates[net.populations.index(projection.pre)]
                mean += tau * degree * np.mean(synapses.weight) * rate
                variance += tau * degree * np.mean(np.square(synapses.weight)) * rate / 2
        out.append((mean, np.sqrt(variance)))
    return np.array(out)


@pytest.mark.parametrize(("g", "eta"), [(5, 2), (4.5, 0.9), (0, 0)])
def test_brunel_has_the_input_of_its_mean_field(g, eta):
    n = {"n_e": 500, "n_i": 125, "epsilon": 0.2, "J": 0.15 * mV}
    net = brunel(g=g, eta=eta, **n)
    for nu in (0.0, 37.0):
        theirs = theory.brunel_input(nu * Hz, g=g, eta=eta, **n)
        assert free_membrane(net, [nu, nu]) == pytest.approx(np.array([theirs, theirs]), rel=1e-12, abs=1e-15)


def test_brunel_is_wired_as_published():
    net = brunel(g=5, eta=2, n_e=1000, n_i=250, seed=3)
    assert parameters(net) == pytest.approx([0.02, 0, 0.01, 0.02, 0.002], rel=1e-14)
    assert [p.n for p in net.populations] == [1000, 250]
    for name, degree, weight in (
        ("E->E", 100, 1e-4),
        ("E->I", 100, 1e-4),
        ("I->E", 25, -5e-4),
        ("I->I", 25, -5e-4),
    ):
        c, post = net.connections(name), net.projection(name).post
        assert (np.bincount(c.post, minlength=post.n) == degree).all()
        assert np.unique(c.pre.astype(int) * post.n + c.post).size == c.pre.size
        assert c.weight == pytest.approx(weight, rel=1e-14)
        assert c.delay == pytest.approx(1.5e-3, rel=1e-14)
        if name[0] == name[-1]:
            assert (c.pre != c.post).all()
    assert not np.array_equal(
        net.connections("E->E").pre, brunel(g=5, eta=2, n_e=1000, n_i=250).connections("E->E").pre
    )
    rate = net.describe()["populations"][0]["noise"]["rate"]
    assert rate == {"value": pytest.approx(20_000, rel=1e-14), "unit": "Hz"}


def test_the_balanced_network_has_the_input_it_states():
    numbers = {"j_ee": 0.5, "j_ei": 2.0, "j_ie": 1.0, "j_ii": 1.5, "x_e": 1.0, "x_i": 0.6}
    net = balanced(k=64, n_e=300, n_i=200, rate=5 * Hz, delay=1 * ms, **numbers)
    assert parameters(net) == pytest.approx([0.02, 0, 0, 1, 0.002], rel=1e-14)
    assert [net.connections(p).delay for p in net.projections] == pytest.approx([1e-3] * 4, rel=1e-14)
    j, x = np.array([[0.5, -2.0], [1.0, -1.5]]), np.array([1.0, 0.6])
    usual = np.array([[1.0, -2.0], [1.0, -1.8]]), np.array([1.0, 0.8])
    for made, (j_given, x_given), root, rate in ((net, (j, x), 8, 5), (balanced(), usual, 10, 10)):
        for rates in ([0.0, 0.0], [3.0, 8.0]):
            mean, sd = np.transpose(free_membrane(made, rates))
            assert mean == pytest.approx(root * 0.02 * (j_given @ rates + x_given * rate), rel=1e-12)
            assert sd == pytest.approx(np.sqrt(0.02 * (j_given**2 @ rates) / 2), rel=1e-12)
    # the rates at which the terms of order sqrt(K) cancel, as the docstring has them
    d = 2.0 * 1.0 - 0.5 * 1.5
    closed = [5 * (1.0 * 1.5 - 0.6 * 2.0) / d, 5 * (1.0 * 1.0 - 0.6 * 0.5) / d]
    assert free_membrane(net, closed)[:, 0] == pytest.approx(0.0, abs=1e-14)
    assert min(closed) > 0


@pytest.mark.parametrize("preset", [feedforward, recurrent])
def test_outputs_near_threshold_have_weights_of_a_positive_mean(preset):
    sizes = ([5, 400, 300],) if preset is feedforward else (5, 400, 300)
    usual, near = (
        preset(*sizes, noise=NOISE, seed=2, near_threshold=one).get_weights() for one in (False, True)
    )
    assert all(np.array_equal(a, b) for a, b in zip(usual[:-1], near[:-1], strict=True))
    np.testing.assert_allclose(near[-1] - usual[-1], 1 / (0.1 * 400), rtol=1e-9)


def test_feedforward():
    net = feedforward([6, 5, 4, 3], noise=NOISE, seed=2)
    assert {p.name: p.n for p in net.populations} == {"input": 6, "layer1": 5, "layer2": 4, "layer3": 3}
    assert isinstance(net.populations[0].neuron, Relay)
    assert net.populations[0].noise is None
    assert all(p.noise is NOISE and isinstance(p.neuron, NSNNNeuron) for p in net.populations[1:])
    assert net.projection_names == ("input->layer1", "layer1->layer2", "layer2->layer3")
    assert [net.connections(p).delay for p in net.projections] == [0.0] * 3
    assert all(isinstance(p.synapse, DeltaSynapse) for p in net.projections)
    assert [w.shape for w in net.get_weights()] == [(6, 5), (5, 4), (4, 3)]
    again, other = (feedforward([6, 5, 4, 3], noise=NOISE, seed=seed).get_weights() for seed in (2, 3))
    assert all(np.array_equal(a, b) for a, b in zip(net.get_weights(), again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(net.get_weights(), other, strict=True))


def test_recurrent():
    given = [np.full((4, 3), 0.1), np.eye(3), np.arange(6.0).reshape(3, 2)]
    net = recurrent(4, 3, 2, noise=NOISE, weights=given)
    assert [(p.name, p.n) for p in net.populations] == [("input", 4), ("hidden", 3), ("output", 2)]
    assert net.projection_names == ("input->hidden", "hidden->hidden", "hidden->output")
    assert all(np.array_equal(a, b) for a, b in zip(net.get_weights(), given, strict=True))
    c = net.connections("hidden->output")
    assert np.transpose([c.pre, c.post, c.weight]).tolist() == [[k // 2, k % 2, k] for k in range(6)]
    net = recurrent(4, [3, 5], 2, noise=NOISE, seed=2)
    assert {p.name: p.n for p in net.populations} == {"input": 4, "hidden1": 3, "hidden2": 5, "output": 2}
    assert net.projection_names == (
        "input->hidden1", "hidden1->hidden1", "hidden1->hidden2", "hidden2->hidden2", "hidden2->output",
    )  # fmt: skip
    assert [w.shape for w in net.get_weights()] == [(4, 3), (3, 3), (3, 5), (5, 5), (5, 2)]
    assert [p.name for p in recurrent(4, [3], 2, noise=NOISE).populations] == ["input", "hidden1", "output"]


def test_convolutional():
    """Images from layer to layer, who projects to whom by which rule, noises, weights."""
    noises = [NOISE, None, EscapeNoise(Gaussian(0.2)), NOISE, None]
    layers = [
        Convolution(4, 3, stride=(2, 1)),
        AveragePooling(2),
        Residual(4),
        Residual(6, 1, stride=2),
        np.int64(3),
    ]
    net = convolutional((2, 9, 8), layers, noise=noises, neuron=NSNNNeuron(theta=0.6), seed=2)
    sizes = {"input": 144, "layer1": 4 * 4 * 6, "layer2": 4 * 2 * 3, "layer3_inner": 24, "layer3": 24}
    sizes |= {"layer4_inner": 6 * 1 * 2, "layer4": 12, "layer5": 3}
    assert {p.name: p.n for p in net.populations} == sizes
    expected = [NOISE, None, *noises[2:3] * 2, NOISE, NOISE, None]
    assert [p.noise for p in net.populations[1:]] == expected
    rules = {n: p.rule for n, p in zip(net.projection_names, net.projections, strict=True)}
    assert [type(r).__name__ for r in rules.values()] == [
        "Convolution", "AveragePooling", "Convolution", "Convolution", "OneToOne", "Convolution", "Convolution", "Convolution",
        "AllToAll",
    ]  # fmt: skip
    assert rules["layer2->layer3"].n_synapses(net.population("layer2"), None) == 24
    around = rules["layer3->layer4"]
    assert (around.kernel, around.stride, around.image) == ((1, 1), (2, 2), (4, 2, 3))
    assert rules["layer4_inner->layer4"].stride == (1, 1)
    w = dict(zip(net.projection_names, net.get_weights(), strict=True))
    assert w["layer1->layer2"] == 1.2
    assert (w["layer2->layer3"] == 0.6).all()
    assert w["layer3->layer4"].shape == (6, 4, 1, 1)
    assert all(net.connections(p).delay == 0 for p in net.projections)
    same, other = (
        convolutional((2, 9, 8), layers, noise=noises, neuron=NSNNNeuron(theta=0.6), seed=s) for s in (2, 3)
    )
    assert same.describe() == net.describe()
    assert not np.array_equal(other.get_weights()[0], net.get_weights()[0])


def test_random_weights_are_normal_with_the_stated_deviation():
    lif = LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=5 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
    layers = [Convolution(40, 5), AveragePooling(2), Residual(40), 9]
    kernels = [np.asarray(w) for w in convolutional((3, 6, 6), layers, noise=None, neuron=lif).get_weights()]
    assert kernels[1] == pytest.approx(0.03)
    assert kernels[4] == pytest.approx(0.015)
    samples = [(kernels[k], 0.015, n_inputs) for k, n_inputs in ((0, 75), (2, 360), (3, 360), (5, 40))]
    for neuron, noise, distance in ((NSNNNeuron(theta=0.6), NOISE, 0.6), (lif, WhiteNoise(1 * mV), 0.015)):
        net = feedforward([100, 200, 50], neuron=neuron, noise=noise)
        samples += zip(net.get_weights(), (distance, distance), (100, 200), strict=True)
    for w, distance, n_inputs in samples:
        law = stats.norm(0, distance / np.sqrt(n_inputs))
        assert stats.kstest(np.ravel(w), law.cdf).pvalue > 6e-5

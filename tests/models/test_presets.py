"""Ready-made networks: their wiring against the theory's mean field, a plain simulation of the balanced one, shapes, mistakes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from brian2 import Hz, ms, mV
from scipy import optimize, stats

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
    j, x = np.array([[0.5, -2.0], [1.0, -1.5]]), np.array([1.0, 0.6])
    for rates in ([0.0, 0.0], [3.0, 8.0]):
        mean, sd = np.transpose(free_membrane(net, rates))
        assert mean == pytest.approx(8 * 0.02 * (j @ rates + x * 5), rel=1e-12)
        assert sd == pytest.approx(np.sqrt(0.02 * (j**2 @ rates) / 2), rel=1e-12)
    # the rates at which the terms of order sqrt(K) cancel, as the docstring has them
    d = 2.0 * 1.0 - 0.5 * 1.5
    closed = [5 * (1.0 * 1.5 - 0.6 * 2.0) / d, 5 * (1.0 * 1.0 - 0.6 * 0.5) / d]
    assert free_membrane(net, closed)[:, 0] == pytest.approx(0.0, abs=1e-14)
    assert min(closed) > 0


J, X = np.array([[1.0, -2.0], [1.0, -1.8]]), np.array([1.0, 0.8])


def self_consistent(k, shift=0.0):
    """Rates (Hz) that Siegert's formula gives back, for the default numbers; `shift` raises thresholds by shift sigma_B."""

    def change(rates):
        mean, sd = np.sqrt(k) * 0.02 * (J @ rates + 10 * X), np.sqrt(0.02 * (J**2 @ rates) / 2)
        theta = 1 + shift * np.sqrt(2) * sd
        return (
            theory.siegert_rate(mean, sd, tau_m=20 * ms, v_thresh=theta, v_reset=0.0, tau_refrac=2 * ms)
            - rates
        )

    found = optimize.root(change, [11.0, 11.0])
    assert found.success
    return found.x


def test_the_balanced_network_nears_its_limit_as_stated():
    """12.4 and 11.4 Hz at K = 100; the distance to the limit, 10 Hz, goes with 1/sqrt(K)."""
    assert self_consistent(100) == pytest.approx([12.4, 11.4], abs=0.05)
    scaled = [np.sqrt(k) * (self_consistent(k) - 10) for k in (1e4, 1e5, 1e6)]
    first, second = np.diff(
        scaled, axis=0
    )  # what is left is of the next order, so these go with 1/sqrt(K) as well
    assert (np.abs(first) < 0.1 * scaled[2]).all()
    assert first / second == pytest.approx(np.sqrt(10), rel=0.15)


def plain_simulation(net, n_steps, dt, seed):
    """Spike counts (n_steps, n) of a network of jumps with one delay, a step at a time: exact relaxation, then arrivals."""
    sizes = [p.n for p in net.populations]
    first = np.cumsum([0, *sizes])
    parts = []
    for projection, name in zip(net.projections, net.projection_names, strict=True):
        c = net.connections(name)
        here, there = (first[net.populations.index(p)] for p in (projection.pre, projection.post))
        parts.append((c.pre + here, c.post + there, np.full(c.pre.size, c.weight)))
    i, j, w = (np.concatenate(x) for x in zip(*parts, strict=True))
    order = np.argsort(i, kind="stable")
    post, weight, start = j[order], w[order], np.searchsorted(i[order], np.arange(first[-1] + 1))
    drive = np.repeat([p.stimulus.si("v") for p in net.populations], sizes)
    v, hold = np.random.default_rng(seed).random(first[-1]), np.zeros(first[-1], dtype=int)
    delay = round(net.connections(net.projection_names[0]).delay / dt)
    spikes = np.zeros((n_steps + delay, first[-1]), dtype=bool)
    for t in range(n_steps):
        moved = drive + (v - drive) * np.exp(-dt / 0.02)
        arriving = [np.arange(start[k], start[k + 1]) for k in np.flatnonzero(spikes[t])]
        if arriving:
            reached = np.concatenate(arriving)
            moved += np.bincount(post[reached], weight[reached], minlength=first[-1])
        v = np.where(hold > 0, 0.0, moved)
        hold -= 1
        now = v > 1
        v[now], hold[now] = 0.0, round(2e-3 / dt)
        spikes[t + delay] = now
    return spikes[delay:], first


@pytest.mark.slow
def test_the_balanced_network_is_asynchronous_and_irregular():
    """Rates within 5 % of the self-consistent ones; CV near 1; the fluctuation of the summed activity doesn't grow with n.

    Thresholds are checked once a step of 0.1 ms, which raises them by 0.5826 sigma_B sqrt(dt / tau). The 5 % is for jumps of 0.1
    and 0.2 of the threshold, which a diffusion only approximates, (1 % for E and 3 % for I of n = 4000 in 1 s), and for statistics.
    """
    dt, n_steps, skipped = 1e-4, 8_000, 2_000
    expected = self_consistent(100, shift=0.5826 * np.sqrt(dt / 0.02))
    fano = []
    for n in (500, 2000):
        spikes, first = plain_simulation(balanced(n_e=n, n_i=n, seed=n), n_steps, dt, seed=5)
        spikes = spikes[skipped:]
        rates = [spikes[:, a:b].mean() / dt for a, b in itertools.pairwise(first)]
        intervals = [np.diff(np.flatnonzero(train)) for train in spikes[:, :500].T]
        cvs = [x.std(ddof=1) / x.mean() for x in intervals if x.size >= 5]
        count = spikes.sum(axis=1).reshape(-1, 10).sum(axis=1)
        fano.append(count.var() / count.mean())
        assert rates == pytest.approx(expected, rel=0.05)
        assert 0.7 < np.mean(cvs) < 1.3
    assert fano[1] < 2 * fano[0]
    delayed, _ = plain_simulation(balanced(n_e=n, n_i=n, delay=1.5 * ms), n_steps, dt, seed=5)
    count = delayed[skipped:].sum(axis=1).reshape(-1, 10).sum(axis=1)
    assert count.var() / count.mean() > 5 * max(fano)


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
    random = recurrent(4, 3, 2, noise=NOISE).get_weights()
    assert [w.shape for w in random] == [(4, 3), (3, 3), (3, 2)]


def test_recurrent_with_several_hidden_layers():
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


def test_random_kernels_are_normal_with_the_stated_deviation():
    cell = LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=5 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
    net = convolutional(
        (3, 6, 6), [Convolution(40, 5), AveragePooling(2), Residual(40), 9], noise=None, neuron=cell
    )
    w = [np.asarray(x) for x in net.get_weights()]  # V
    for k, n_inputs in ((0, 75), (2, 360), (3, 360), (5, 40)):
        assert stats.kstest(w[k].ravel(), stats.norm(0, 0.015 / np.sqrt(n_inputs)).cdf).pvalue > 6e-5
    assert w[1] == pytest.approx(0.03)
    assert w[4] == pytest.approx(0.015)


def test_random_weights_are_normal_with_the_stated_deviation():
    lif = LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=5 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
    for neuron, noise, distance in ((NSNNNeuron(theta=0.6), NOISE, 0.6), (lif, WhiteNoise(1 * mV), 0.015)):
        for w, n_pre in zip(
            feedforward([100, 200, 50], neuron=neuron, noise=noise).get_weights(), (100, 200), strict=True
        ):
            law = stats.norm(0, distance / np.sqrt(n_pre))
            assert stats.kstest(np.ravel(w), law.cdf).pvalue > 6e-5

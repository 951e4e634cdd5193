"""Convolutions and pooling as connection rules: against SciPy, kernels there and back, mixed networks as a plain loop."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import quantities as pq
from brian2 import ms, mV
from hypothesis import given, settings
from hypothesis import strategies as st
from neo import AnalogSignal
from scipy.signal import correlate2d

import nsnn_neuro as nsnn
from nsnn_neuro import AveragePooling, Convolution, NsnnError
from nsnn_neuro.brian import philox

LIF = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=15 * mV, tau_refrac=2 * ms)
NSNN = nsnn.NSNNNeuron()
NOISE = nsnn.EscapeNoise(nsnn.Gaussian(0.4))
GEOMETRY = [
    Convolution(2, (3, 2), padding=1, image=(3, 6, 4)),
    Convolution(4, (2, 3), stride=(2, 1), padding=(1, 2), image=(2, 7, 5)),
]
POOL = AveragePooling(3, stride=(1, 2), image=(2, 6, 8))


def kernel_of(rule, seed=1):
    return np.random.default_rng(seed).normal(size=(rule.channels, rule.image[0], *rule.kernel))


def image_of(rule, seed=2):
    return np.random.default_rng(seed).normal(size=rule.image)


def network(rule, weight, neuron=NSNN, seed=0, **parts):
    pre, post = (
        nsnn.Population(int(np.prod(image)), kind, name=name)
        for image, kind, name in ((rule.image, nsnn.Relay(), "pre"), (rule.post_image, neuron, "post"))
    )
    return nsnn.Network(
        [pre, post], [nsnn.Projection(pre, post, rule=rule, weight=weight, **parts)], seed=seed
    )


def correlated(x, kernel, stride, padding):
    """The convolution by SciPy."""
    (sy, sx), (py, px) = stride, padding
    x = np.pad(x, ((0, 0), (py, py), (px, px)))
    maps = [sum(correlate2d(a, w, mode="valid") for a, w in zip(x, k, strict=True)) for k in kernel]
    return np.array(maps)[:, ::sy, ::sx]


def averaged(x, size, stride):
    """The pooling in loops."""
    (ky, kx), (sy, sx) = size, stride
    rows, columns = range(0, x.shape[1] - ky + 1, sy), range(0, x.shape[2] - kx + 1, sx)
    return np.array([[[a[y : y + ky, z : z + kx].mean() for z in columns] for y in rows] for a in x])


def drive(rule, weight, x):
    """What an image brings, summed over the rule's synapses."""
    i, j = rule.connect(None, None, np.random.default_rng(1))
    w = np.broadcast_to(rule.per_synapse(weight), i.shape)
    return np.bincount(j, w * x.ravel()[i], minlength=int(np.prod(rule.post_image))).reshape(rule.post_image)


SMALL = st.integers(1, 4)


@settings(max_examples=60)
@given(
    image=st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7)), channels=SMALL, kernel=st.tuples(SMALL, SMALL),
    stride=st.tuples(SMALL, SMALL), padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)  # fmt: skip
def test_any_geometry_is_scipys_or_refused(image, channels, kernel, stride, padding):
    """Its synapses sorted, each pair once, as many as announced; a window that doesn't fit is an error."""
    make = functools.partial(Convolution, channels, kernel, stride=stride, padding=padding, image=image)
    if any(n + 2 * p < k for n, p, k in zip(image[1:], padding, kernel, strict=True)):
        with pytest.raises(NsnnError, match="expected a smaller window or more padding"):
            make()
        return
    rule = make()
    expected = correlated(image_of(rule), kernel_of(rule), stride, padding)
    np.testing.assert_allclose(drive(rule, kernel_of(rule), image_of(rule)), expected, rtol=0, atol=1e-12)
    assert_in_order(rule)


@settings(max_examples=40)
@given(
    image=st.tuples(st.integers(1, 3), st.integers(4, 7), st.integers(4, 7)), size=st.tuples(SMALL, SMALL),
    stride=st.one_of(st.none(), st.tuples(SMALL, SMALL)),
)  # fmt: skip
def test_any_pooling_is_the_mean_over_windows(image, size, stride):
    rule = AveragePooling(size, stride=stride, image=image)
    expected = 1.5 * averaged(image_of(rule), size, stride or size)
    np.testing.assert_allclose(drive(rule, 1.5, image_of(rule)), expected, rtol=0, atol=1e-12)
    assert_in_order(rule)


def assert_in_order(rule):
    i, j = rule.connect(None, None, np.random.default_rng(1))
    assert i.dtype == j.dtype == np.int32
    assert i.size == rule.n_synapses(None, None)
    assert (np.diff(i.astype(int) * int(np.prod(rule.post_image)) + j) > 0).all()


def test_kernels_go_out_and_come_back():
    rule = GEOMETRY[1]
    kernel = kernel_of(rule)
    net = network(rule, kernel)
    (w,) = net.get_weights()
    np.testing.assert_array_equal(w, kernel)
    w[1, 0, 1, 2] = -7.0  # a copy
    before = net.connections("pre->post")
    assert -7.0 not in before.weight
    net.set_weights([w])
    now = net.connections("pre->post")
    assert now.pre is before.pre
    assert not now.weight.flags.writeable
    changed = now.weight != before.weight
    assert set(now.weight[changed]) == {-7.0}
    # all places but where the tap is in the padding
    assert 1 < changed.sum() < rule.post_image[1] * rule.post_image[2]
    for value in (w.transpose(1, 0, 2, 3), now.weight):
        with pytest.raises(NsnnError, match="of 'pre->post' has shape"):
            net.set_weights([value])
    np.testing.assert_array_equal(net.get_weights()[0], w)
    net.set_weights([0.5])
    assert net.connections("pre->post").weight == 0.5
    np.testing.assert_array_equal(net.get_weights()[0], np.full((4, 2, 2, 3), 0.5))


def test_a_law_draws_one_number_for_each_entry_of_the_kernel():
    rule = GEOMETRY[0]
    one, again, other = (network(rule, nsnn.Normal(0.0, 1.0), seed=s) for s in (1, 1, 2))
    (w,) = one.get_weights()
    assert w.shape == (2, 3, 3, 2)
    assert np.unique(w).size == 36
    c, x = one.connections("pre->post"), image_of(rule)
    found = np.bincount(c.post, c.weight * x.ravel()[c.pre]).reshape(rule.post_image)
    np.testing.assert_allclose(found, correlated(x, w, rule.stride, rule.padding), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(again.get_weights()[0], w)
    assert not np.array_equal(other.get_weights()[0], w)
    assert network(rule, w).describe()["projections"][0]["weight"]["shape"] == [2, 3, 3, 2]


def test_a_pooling_has_one_weight():
    net = network(POOL, nsnn.Normal(2.0, 0.1))
    (w,) = net.get_weights()
    assert w.shape == ()
    assert net.connections("pre->post").weight == w / 9
    net.set_weights([w + 1])
    assert net.connections("pre->post").weight == (w + 1) / 9
    assert net.get_weights()[0] == w + 1


def test_kernels_in_volts_and_a_delay_for_each_synapse():
    rule = Convolution(2, 2, image=(1, 3, 3))
    kernel = np.arange(8.0).reshape(2, 1, 2, 2)
    net = network(rule, kernel * mV, LIF, delay=nsnn.Between(1 * ms, 2 * ms))
    np.testing.assert_allclose(net.get_weights()[0] / mV, kernel, rtol=0, atol=1e-12)
    assert net.connections("pre->post").weight.max() == pytest.approx(7e-3)
    assert np.unique(net.connections("pre->post").delay).size == 32


def mixed(seed=10):
    """Conv, pooling, two residual blocks (one changes the image), dense; the pooling layer and a block are deterministic."""
    layers = [
        Convolution(3, (3, 2), padding=(1, 0)), AveragePooling(2), nsnn.Residual(3), nsnn.Residual(2, stride=2), 4,
    ]  # fmt: skip
    noises = [NOISE, None, nsnn.EscapeNoise(nsnn.Logistic(0.2)), None, NOISE]
    net = nsnn.convolutional((2, 6, 5), layers, noise=noises, neuron=nsnn.NSNNNeuron(beta=0.7), seed=seed)
    # the drive is kept off the thresholds of deterministic neurons, which rounding could cross
    net.set_weights([w + 0.1 + 1e-3 * np.sqrt(2) for w in net.get_weights()])
    return net


def forward(net, x, seed, trial, operations):
    """u and o (T, n) of each population by a loop over steps and populations; `operations`: (pre, post) -> function of spikes."""
    n = [p.n for p in net.populations]
    u, o = ([np.zeros((len(x), k)) for k in n] for _ in range(2))
    o[0][:] = x
    for t in range(len(x)):
        for k, p in enumerate(net.populations[1:], 1):
            kept = p.neuron.beta * u[k][t - 1] * (1 - o[k][t - 1]) if t else 0.0
            u[k][t] = kept + sum(f(o[pre][t]) for (pre, post), f in operations.items() if post == k)
            draw = philox.uniform(t, np.arange(n[k]), trial, 0, philox.Stream.ESCAPE, *philox.key(seed, k))
            o[k][t] = u[k][t] > 1 if p.noise is None else draw < p.noise.family.cdf(u[k][t] - 1.0)
    return u, o


@pytest.mark.slow
def test_residual_and_mixed_layers_are_a_plain_loop():
    """All spikes of two trials equal, all potentials to 1e-12: paths around layers are seen in the same step."""
    net = mixed()
    assert net.projection_names == (
        "input->layer1", "layer1->layer2", "layer2->layer3_inner", "layer3_inner->layer3", "layer2->layer3",
        "layer3->layer4_inner", "layer4_inner->layer4", "layer3->layer4", "layer4->layer5",
    )  # fmt: skip
    w = net.get_weights()

    def conv(k, shape, stride=1, padding=(1, 1)):
        return lambda o: correlated(o.reshape(shape), w[k], (stride, stride), padding).ravel()

    operations = {
        (0, 1): conv(0, (2, 6, 5), padding=(1, 0)),
        (1, 2): lambda o: w[1] * averaged(o.reshape(3, 6, 4), (2, 2), (2, 2)).ravel(),
        (2, 3): conv(2, (3, 3, 2)),
        (3, 4): conv(3, (3, 3, 2)),
        (2, 4): lambda o: w[4] * o,
        (4, 5): conv(5, (3, 3, 2), 2),
        (5, 6): conv(6, (2, 2, 1)),
        (4, 6): conv(7, (3, 3, 2), 2, padding=(0, 0)),
        (6, 7): lambda o: o @ w[8],
    }
    x = np.random.default_rng(1).random((15, 60))
    stimulus = nsnn.Recorded(AnalogSignal(x, units="dimensionless", sampling_period=1 * pq.ms))
    block = nsnn.simulate(
        net, stimulus=stimulus, duration=15 * ms, dt=1 * ms, trials=2, seed=9, engine="numpy", record_v=True
    )
    first = np.cumsum([0, *(p.n for p in net.populations)])
    for trial, segment in enumerate(block.segments):
        u, o = forward(net, x, 9, trial, operations)
        for k, p in enumerate(net.populations[1:], 1):
            (v,) = (s for s in segment.analogsignals if s.name == f"v of {p.name}")
            np.testing.assert_allclose(v.magnitude, u[k], rtol=0, atol=1e-12)
            fired = np.zeros_like(o[k])
            for j in range(p.n):
                times = segment.spiketrains[int(first[k]) + j].rescale("ms").magnitude
                fired[np.rint(times).astype(int), j] = 1
            np.testing.assert_array_equal(fired, o[k])
            assert 0.02 < o[k].mean() < 0.98, p.name

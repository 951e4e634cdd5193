"""Training on sequences and on target spikes: gradients against the reference, and what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from test_learn import One
from tiny_networks import largest

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, coding, engine, losses, reference, train
from nsnn_neuro.assemble.training import Learner

NOISE = nsnn.EscapeNoise(nsnn.Gaussian(0.4))
SIZES, BATCH, STEPS = [4, 5, 3], 3, 6
VAN_ROSSUM = losses.VanRossum(2.5)


def data_of(n=7, seed=0, sizes=SIZES, steps=STEPS):
    """Input spikes and target spikes."""
    rng = np.random.default_rng(seed)
    shapes = [(n, steps, sizes[0]), (n, steps, sizes[-1])]
    return tuple(
        (rng.random(shape) < chance).astype(float) for shape, chance in zip(shapes, (0.5, 0.3), strict=True)
    )


def net_of(eta=0.1, sizes=SIZES, noise=NOISE, rule=None, **kw):
    rng = np.random.default_rng(5)
    W = [rng.normal(0.35, 0.7, pair) for pair in itertools.pairwise(sizes)]
    return nsnn.feedforward(sizes, noise=noise, weights=W, plasticity=rule or nsnn.NDL(eta), **kw)


def learned(net, X, y, loss, *, target="numpy", encoder=None):
    """One batch, of which the last copy is empty, learned from: value, slopes, states, samples."""
    order = np.array([[3, 1, -1], [0, 0, 0]])
    with engine.running(target):
        learner = Learner(
            net, batch=BATCH, n_steps=STEPS, encoder=encoder or coding.Direct(), loss=loss, feedback=None
        )
        learner.run(X, y, order[:1], np.array([False]), key=(1,))
        states = [layer.samples("o") for layer in learner.layers]
        value, _ = learner.run(X, y, order, np.array([True, False]), key=(1,))
        slopes = [
            layer.slope.reshape(w.shape).copy()
            for layer, w in zip(learner.layers[1:], learner.weights, strict=True)
        ]
    return value[0, :2], slopes, states


@pytest.mark.parametrize("reset", ["hard", "subtract"])
@pytest.mark.parametrize(
    "target", ["numpy", pytest.param("cython", marks=[pytest.mark.slow, pytest.mark.compile])]
)
def test_gradients_of_target_spikes_are_the_references(target, reset):
    X, y = data_of()
    net = net_of(neuron=nsnn.NSNNNeuron(beta=0.6, theta=0.8, reset=reset))
    value, slopes, states = learned(net, X, y, VAN_ROSSUM, target=target)
    expected = [np.zeros_like(w) for w in net.get_weights()]
    for b, sample in enumerate((3, 1)):
        np.testing.assert_array_equal(states[0][b], X[sample])
        spikes = [o[b] for o in states[1:]]
        one = reference.bptt(
            net.get_weights(), X[sample], spikes, One(VAN_ROSSUM, y[sample]), nsnn.Gaussian(0.4),
            beta=0.6, theta=0.8, reset=reset,
        )  # fmt: skip
        expected = [e + g / 2 for e, g in zip(expected, one, strict=True)]
        assert value[b] == pytest.approx(float(VAN_ROSSUM.value(spikes[-1], y[sample])), abs=1e-13)
    assert largest(slopes, expected) < 1e-10


def test_the_encoder_gets_each_steps_x():
    X = np.random.default_rng(1).random((7, STEPS, 4))
    _, y = data_of()
    net = net_of()
    *_, states = learned(net, X, y, VAN_ROSSUM, encoder=coding.Direct(2.0))
    np.testing.assert_array_equal(states[0][:2], 2 * X[[3, 1]])
    spikes = (X < 0.4).astype(int)
    *_, states = learned(net, spikes, y, VAN_ROSSUM, encoder=coding.Bernoulli())
    np.testing.assert_array_equal(states[0][:2], spikes[[3, 1]])


def test_a_sequence_that_does_not_change_is_the_sample():
    """X of one value over all steps trains and evaluates bit for bit as X (n, n_in)."""
    rng = np.random.default_rng(2)
    X, y = rng.random((20, 4)), rng.integers(0, 3, 20)
    long = np.repeat(X[:, None], STEPS, axis=1)
    kw = {"loss": losses.rate_mse, "epochs": 2, "batch": 4, "seed": 3, "engine": "numpy"}
    a, b = train(net_of(), (X, y), n_steps=STEPS, **kw), train(net_of(), (long, y), **kw)
    for v, w in zip(a.network.get_weights(), b.network.get_weights(), strict=True):
        np.testing.assert_array_equal(v, w)
    assert a.evaluate((X, y)) == b.evaluate((long, y)) == a.evaluate((long, y))
    assert (
        a.block.annotations["parameters"]["n_steps"] == b.block.annotations["parameters"]["n_steps"] == STEPS
    )
    assert train(net_of(), (X, y), **kw).block.annotations["parameters"]["n_steps"] == 20


def test_order_in_time_is_learned():
    """Two classes of the same spikes in reverse order: no classifier of counts tells them apart."""
    forth = np.zeros((1, 8, 2))
    forth[0, :4, 0] = forth[0, 4:, 1] = 1
    X, y = np.concatenate([forth, forth[:, ::-1]])[[0, 1] * 30], np.array([0, 1] * 30)
    net = nsnn.feedforward(
        [2, 20, 2], noise=NOISE, neuron=nsnn.NSNNNeuron(beta=0.8), seed=1, plasticity=nsnn.NDL(0.02, optimizer=nsnn.Adam()),
    )  # fmt: skip
    fit = train(
        net,
        (X, y),
        loss=losses.cross_entropy_mean,
        encoder=coding.Direct(),
        epochs=25,
        batch=10,
        seed=1,
        engine="numpy",
    )
    assert fit.evaluate((X, y))["accuracy"] > 0.95


def test_target_spikes_are_learned_and_measured():
    X, y = data_of(1, seed=4, sizes=[30, 20, 2], steps=12)
    y[:] = 0
    y[0, [3, 9], 0] = y[0, [6, 11], 1] = 1
    net = nsnn.feedforward(
        [30, 60, 2], noise=nsnn.EscapeNoise(nsnn.Gaussian(0.2)), neuron=nsnn.NSNNNeuron(beta=0.8), seed=1,
        plasticity=nsnn.NDL(0.01, optimizer=nsnn.Adam()),
    )  # fmt: skip
    fit = train(
        net, (np.repeat(X, 80, 0), np.repeat(y, 80, 0)), loss=losses.VanRossum(3.0), epochs=20, batch=8, seed=2,
        validation=0, engine="numpy",
    )  # fmt: skip
    after = fit.evaluate((X, y), passes=40)
    assert set(after) == {"loss", "se"}
    assert fit.history["accuracy"].isna().all()
    silent = float(losses.VanRossum(3.0).value(0 * y, y)[0])
    assert after["loss"] + 4 * after["se"] < 0.4 * silent
    assert after["loss"] < 0.4 * fit.history["loss"].iloc[0]


def test_the_error_of_a_loss_is_over_samples_or_over_the_passes_of_one():
    X, y = data_of(12)
    fit = train(net_of(eta=0.0), (X, y), loss=VAN_ROSSUM, epochs=1, batch=12, seed=1, engine="numpy")
    with engine.running("numpy"):
        learner = Learner(
            net_of(), batch=12, n_steps=STEPS, encoder=coding.Bernoulli(), loss=VAN_ROSSUM, feedback=None
        )
        order, values = np.arange(12)[None], []
        for k in range(4):
            learner.run(X, y, order, np.array([False]), key=(3, nsnn.learn._EVALUATION, k))
            values.append(VAN_ROSSUM.value(learner.layers[-1].samples("o"), y))
    found = fit.evaluate((X, y), passes=4, seed=3)
    assert found["loss"] == pytest.approx(np.mean(values), abs=1e-13)
    assert found["se"] == pytest.approx(np.mean(values, axis=0).std(ddof=1) / np.sqrt(12), abs=1e-13)
    one, first = fit.evaluate((X[:1], y[:1]), passes=4, seed=3), np.array(values)[:, 0]
    assert one["loss"] == pytest.approx(first.mean(), abs=1e-13)
    assert one["se"] == pytest.approx(first.std(ddof=1) / 2, abs=1e-13)
    assert first.std() > 0
    assert np.isnan(fit.evaluate((X[:1], y[:1]))["se"])


def test_validation_is_a_share_of_all_samples_with_target_spikes():
    X, y = data_of(40)
    tasks = [
        nsnn.learn._Task(
            net_of(),
            (X, y),
            VAN_ROSSUM,
            1,
            8,
            None,
            None,
            0.25,
            "fast",
            "constant",
            None,
            seed,
            None,
            "numpy",
        )
        for seed in (1, 2)
    ]
    for task in tasks:
        assert len(task.held_out) == 10
        assert np.array_equal(np.sort(np.r_[task.held_out, task.trained]), np.arange(40))
    assert not np.array_equal(tasks[0].held_out, tasks[1].held_out)


def test_resumed_equals_uninterrupted(tmp_path):
    given = {"loss": VAN_ROSSUM, "batch": 4, "seed": 1, "engine": "numpy", "patience": 9}
    whole = train(net_of(), data_of(12), epochs=4, **given)
    path = tmp_path / "fit.npz"
    train(net_of(), data_of(12), epochs=2, checkpoint=path, **given)
    resumed = train(net_of(), data_of(12), epochs=4, checkpoint=path, **given)
    for v, w in zip(whole.network.get_weights(), resumed.network.get_weights(), strict=True):
        np.testing.assert_array_equal(v, w)
    with pytest.raises(NsnnError, match=r"of another configuration .*other data"):
        train(net_of(), data_of(12, seed=1), epochs=4, checkpoint=path, **given)


X, Y = data_of()
LABELS = np.zeros(7, int)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_steps": 9}, r"n_steps = 9, steps of X = 6, steps of y = 6: expected one number of steps"),
        ({"data": (X, Y[:, :5])}, "steps of X = 6, steps of y = 5: expected one number"),
        ({"data": (X[:, 0], Y), "n_steps": 7}, "n_steps = 7, steps of y = 6"),
        ({"validation": (X[:, :5], Y[:, :5])}, "n_steps = 6, steps of X = 5"),
        ({"validation": (X[:, 0], Y)}, r"validation: X has shape \(7, 4\), expected 3 axes"),
        ({"data": (X, LABELS)}, r"y has shape \(7,\), int64: expected 0 or 1 of shape \(7, n_steps, 3\), .* VanRossum"),
        ({"loss": losses.rate_mse}, r"y has shape \(7, 6, 3\), float64: expected whole numbers .* RateMSE"),
        ({"data": (X, Y[:, :, :2])}, r"y has shape \(7, 6, 2\)"),
        ({"data": (X, Y[:5])}, r"y has shape \(5, 6, 3\)"),
        ({"data": (X, 2 * Y)}, "y has values from 0 to 2: expected target spikes"),
        ({"data": (X, Y * np.nan)}, "y has values from nan"),
        ({"data": (X[..., :3], Y)}, r"X has shape \(7, 6, 3\).*\(n, n_steps, 4\)"),
        ({"data": (2 * X, Y)}, "X has values from 0 to 2"),
        ({"data": (X[:, :0], Y[:, :0])}, r"X has shape \(7, 0, 4\)"),
        ({"n_steps": 0}, "n_steps = 0: expected a whole number"),
    ],
)  # fmt: skip
def test_mistakes_are_named(change, message):
    given = {"data": (X, Y), "loss": VAN_ROSSUM, "epochs": 1, "engine": "numpy", "seed": 1} | change
    with pytest.raises(NsnnError, match=message):
        train(net_of(), given.pop("data"), **given)


def test_evaluation_refuses_another_number_of_steps():
    fit = train(net_of(), (X, Y), loss=VAN_ROSSUM, epochs=1, seed=1, engine="numpy")
    with pytest.raises(NsnnError, match="n_steps = 6, steps of X = 5"):
        fit.evaluate((X[:, :5], Y[:, :5]))

"""Training on sequences and on target spikes: gradients against the reference, and what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from helpers.tiny_networks import FAMILIES, largest
from helpers.training import One, output_spikes

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, coding, losses, reference, train
from nsnn_neuro.brian import running
from nsnn_neuro.learning import Learner

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
    with running(target):
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
def test_gradients_of_target_spikes_are_the_references(reset):
    X, y = data_of()
    net = net_of(neuron=nsnn.NSNNNeuron(beta=0.6, theta=0.8, reset=reset))
    value, slopes, states = learned(net, X, y, VAN_ROSSUM)
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


@pytest.mark.slow
def test_a_sequence_that_does_not_change_is_the_sample():
    """X of one value over all steps trains and evaluates bit for bit as X (n, n_in)."""
    rng = np.random.default_rng(2)
    X, y = rng.random((20, 4)), rng.integers(0, 3, 20)
    long = np.repeat(X[:, None], STEPS, axis=1)
    kw = {"loss": losses.rate_mse, "epochs": 2, "batch": 4, "seed": 3, "engine": "numpy"}
    a, b = (
        train(net_of(), data, keep="last", **options, **kw)
        for data, options in (((X, y), {"n_steps": STEPS}), ((long, y), {}))
    )
    for v, w in zip(a.network.get_weights(), b.network.get_weights(), strict=True):
        np.testing.assert_array_equal(v, w)
    assert a.evaluate((X, y)) == b.evaluate((long, y)) == a.evaluate((long, y))
    assert (
        a.block.annotations["parameters"]["n_steps"] == b.block.annotations["parameters"]["n_steps"] == STEPS
    )
    assert train(net_of(), (X, y), **kw).block.annotations["parameters"]["n_steps"] == 20


@pytest.mark.slow
def test_the_error_of_a_loss_is_over_samples_or_over_the_passes_of_one():
    X, y = data_of(12)
    fit = train(net_of(eta=0.0), (X, y), loss=VAN_ROSSUM, epochs=1, batch=12, seed=1, engine="numpy")
    values = [VAN_ROSSUM.value(o, y) for o in output_spikes(fit, (X, y), STEPS, passes=4, seed=3)]
    found = fit.evaluate((X, y), passes=4, seed=3)
    assert set(found) == {"loss", "se"}
    assert fit.history["accuracy"].isna().all()
    assert found["loss"] == pytest.approx(np.mean(values), abs=1e-13)
    assert found["se"] == pytest.approx(np.mean(values, axis=0).std(ddof=1) / np.sqrt(12), abs=1e-13)
    one, first = fit.evaluate((X[:1], y[:1]), passes=4, seed=3), np.array(values)[:, 0]
    assert one["loss"] == pytest.approx(first.mean(), abs=1e-13)
    assert one["se"] == pytest.approx(first.std(ddof=1) / 2, abs=1e-13)
    assert first.std() > 0
    assert np.isnan(fit.evaluate((X[:1], y[:1]))["se"])


X, Y = data_of()
LABELS = np.zeros(7, int)


# --- the likelihood of target spikes, which the output is given


LIKELIHOOD = losses.NegativeLogLikelihood()


class Told:
    """A loss of which the derivative is known, as the reference takes it."""

    def __init__(self, d):
        self.d = d

    def __call__(self, o):
        return 0.0

    def gradient(self, o):
        return [self.d]


def by_hand(W, x, spikes, family, **neuron):
    """-log P of the output's spikes given the hidden ones, and its gradients: the output's exact, then NDL for the hidden layer."""
    u, _ = reference.forward(W, x, family, spikes=spikes, **neuron)
    y, p, f = spikes[-1], family.cdf(u[-1] - neuron["theta"]), family.pdf(u[-1] - neuron["theta"])
    g = f * (p - y) / (p * (1 - p))
    for t in reversed(range(len(y) - 1)):
        kept = 1 - y[t] if neuron["reset"] == "hard" else 1.0
        g[t] += neuron["beta"] * kept * g[t + 1]
    hidden = reference.ndl(W[:1], x, spikes[:1], Told(g @ W[1].T), family, **neuron)
    return -np.sum(y * np.log(p) + (1 - y) * np.log1p(-p)), [hidden[0], spikes[0].T @ g]


@pytest.mark.parametrize(
    ("family", "reset", "target"),
    [
        *((family, ("hard", "subtract")[k % 2], "numpy") for k, family in enumerate(FAMILIES)),
        pytest.param(FAMILIES[0], "hard", "cython", marks=[pytest.mark.compile, pytest.mark.slow]),
    ],
)
def test_the_likelihoods_gradient_is_the_references(family, reset, target):
    X, y = data_of()
    neuron = {"beta": 0.6, "theta": 0.8, "reset": reset}
    net = net_of(neuron=nsnn.NSNNNeuron(**neuron), noise=nsnn.EscapeNoise(family))
    W = net.get_weights()
    value, slopes, states = learned(net, X, y, LIKELIHOOD, target=target)
    expected = [np.zeros_like(w) for w in W]
    for b, sample in enumerate((3, 1)):
        spikes = [o[b] for o in states[1:]]
        np.testing.assert_array_equal(spikes[-1], y[sample])  # given, not drawn
        loss, one = by_hand(W, X[sample], spikes, family, **neuron)
        expected = [e + g / 2 for e, g in zip(expected, one, strict=True)]
        assert value[b] == pytest.approx(loss, abs=1e-12)
    assert largest(slopes, expected) < 1e-10
    assert np.abs(slopes[-1]).max() > 0.1


def test_reset_path_of_the_output_makes_no_difference_to_its_likelihood():
    X, y = data_of()
    a, b = (
        learned(net_of(sizes=[4, 3], rule=nsnn.NDL(0.1, reset_path=path)), X, y, LIKELIHOOD)[1][0]
        for path in ("exact", "detached")
    )
    np.testing.assert_array_equal(a, b)


def test_an_impossible_target_is_an_infinite_loss_and_has_no_gradient():
    net = nsnn.feedforward(
        [1, 1],
        noise=nsnn.EscapeNoise(nsnn.Uniform(0.2)),
        weights=[np.array([[0.1]])],
        plasticity=nsnn.NDL(0.1),
    )
    X, y = np.ones((1, 2, 1)), np.array([[[1], [0]]])
    with running("numpy"):
        learner = Learner(net, batch=1, n_steps=2, encoder=coding.Direct(), loss=LIKELIHOOD, feedback=None)
        value, _ = learner.run(X, y, np.zeros((2, 1), int), np.array([True, False]), key=(1,))
        assert value[0, 0] == np.inf
        assert learner.layers[-1].slope.tolist() == [0.0]


class Own(nsnn.SurrogateGradient):
    """A factor of its own for a noisy neuron."""

    def _family(self, noise, theta):
        return super()._family(None, theta)


@pytest.mark.parametrize(
    ("noise", "rule", "message"),
    [
        (None, nsnn.SurrogateGradient, "noise = None: NegativeLogLikelihood.*EscapeNoise"),
        (NOISE, Own, "plasticity = Own.*expected NDL"),
    ],
)
def test_the_likelihood_needs_the_outputs_noise(noise, rule, message):
    net = net_of(noise=noise, rule=rule(nsnn.Gaussian(0.3), 0.1))
    with pytest.raises(NsnnError, match=message):
        train(net, (X, Y), loss=LIKELIHOOD, epochs=1, engine="numpy", seed=1)


# --- mistakes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_steps": 9}, r"n_steps = 9, steps of X = 6, steps of y = 6: expected one number of steps"),
        ({"data": (X, Y[:, :5])}, "steps of X = 6, steps of y = 5: expected one number"),
        ({"validation": (X[:, :5], Y[:, :5])}, "n_steps = 6, steps of X = 5"),
        ({"validation": (X[:, 0], Y)}, r"validation: X has shape \(7, 4\), expected 3 axes"),
        ({"data": (X, LABELS)}, r"y has shape \(7,\), int64: expected 0 or 1 of shape \(7, n_steps, 3\), .* VanRossum"),
        ({"loss": losses.rate_mse}, r"y has shape \(7, 6, 3\), float64: expected whole numbers .* RateMSE"),
        ({"data": (X, Y[:5])}, r"y has shape \(5, 6, 3\)"),
        ({"data": (X, 2 * Y)}, "y has values from 0 to 2: expected target spikes"),
        ({"data": (X, Y * np.nan)}, "y has values from nan"),
        ({"data": (X[..., :3], Y)}, r"X has shape \(7, 6, 3\).*\(n, n_steps, 4\)"),
        ({"data": (2 * X, Y)}, "X has values from 0 to 2"),
        ({"data": (X[:, :0], Y[:, :0])}, r"X has shape \(7, 0, 4\)"),
    ],
)  # fmt: skip
def test_mistakes_are_named(change, message):
    given = {"data": (X, Y), "loss": VAN_ROSSUM, "epochs": 1, "engine": "numpy", "seed": 1} | change
    with pytest.raises(NsnnError, match=message):
        train(net_of(), given.pop("data"), **given)


@pytest.mark.slow
def test_given_spikes_of_a_recurrent_output_carry_no_gradient():
    X, y = data_of(sizes=[4, 3])
    rng = np.random.default_rng(8)
    W, R = rng.normal(0.3, 0.6, (4, 3)), rng.normal(0.1, 0.6, (3, 3))

    def slopes(W, R):
        rule = nsnn.NDL(0.1)
        net = nsnn.feedforward([4, 3], noise=NOISE, weights=[W], plasticity=rule)
        out = net.populations[1]
        loop = nsnn.Projection(out, out, rule=nsnn.AllToAll(), weight=R, plasticity=rule)
        net = nsnn.Network(net.populations, [*net.projections, loop], seed=1)
        with running("numpy"):
            learner = Learner(
                net, batch=2, n_steps=STEPS, encoder=coding.Direct(), loss=losses.NegativeLogLikelihood(), feedback=None
            )  # fmt: skip
            value, _ = learner.run(X, y, np.array([[3, 1]]), np.array([True]), key=(1,))
            layer = learner.layers[1]
            return value.mean(), layer.slope.reshape(4, 3).copy(), layer.loop.slope.reshape(3, 3).copy()

    _, by_w, by_r = slopes(W, R)
    for found, where in ((by_w, 0), (by_r, 1)):
        for place in ((0, 0), (1, 2), (2, 1)):
            step = np.zeros(found.shape)
            step[place] = 1e-5
            ends = [slopes(W + s * step, R) if where == 0 else slopes(W, R + s * step) for s in (1, -1)]
            assert abs((ends[0][0] - ends[1][0]) / 2e-5 - found[place]) < 1e-7

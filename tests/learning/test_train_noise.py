"""Noise that changes in training: by layer and neuron, over epochs, and down the loss; gradients against the reference."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from brian2 import Network, NeuronGroup, ms, mV
from helpers.tiny_networks import FAMILIES, largest
from helpers.tiny_networks import problem as tiny
from helpers.training import (
    BATCH,
    COLUMNS,
    NOISE,
    SIGNALS,
    SIZES,
    STEPS,
    One,
    feedback_of,
    fit_of,
    problem,
    same,
)

import nsnn_neuro as nsnn
from nsnn_neuro import Family, NsnnError, coding, losses, parameter, reference
from nsnn_neuro.brian import running
from nsnn_neuro.learning import Learner, read_checkpoint

PATHS = [*itertools.product(["hard", "subtract"], ["exact", "detached"])]


@dataclasses.dataclass(frozen=True, eq=False)
class Mixed(Family):
    """Two logistic laws, one shifted: three parameters that are scales (one of them inverse), one that isn't."""

    s: Any = parameter("V", "1", bound="positive")
    shift: Any = parameter("V", "1")
    steep: Any = parameter("1/V", "1", bound="positive")
    share: Any = parameter("1", bound="fraction")
    cdf_text = "share / (1 + exp(-(x - shift) / s)) + (1 - share) / (1 + exp(-x * steep))"
    pdf_text = (
        "share * exp(-(x - shift) / s) / (s * (1 + exp(-(x - shift) / s))**2) "
        "+ (1 - share) * steep * exp(-x * steep) / (1 + exp(-x * steep))**2"
    )

    def _parts(self, x):
        return 1 / (1 + np.exp(-(x - self.si("shift")) / self.si("s"))), 1 / (
            1 + np.exp(-x * self.si("steep"))
        )

    def _cdf(self, x, scale):
        a, b = self._parts(x)
        return self.si("share") * a + (1 - self.si("share")) * b

    def _pdf(self, x, scale):
        a, b = self._parts(x)
        return self.si("share") * a * (1 - a) / scale + (1 - self.si("share")) * b * (1 - b) * self.si(
            "steep"
        )


MIXED = Mixed(0.3, 0.1, 4.0, 0.4)
ALL = pytest.mark.parametrize("family", [*FAMILIES, MIXED], ids=lambda f: type(f).__name__)


# ------------------------------------------------------------------------------------------------------------- families


@ALL
def test_a_family_that_is_scaled_is_the_law_of_scaled_noise(family):
    x = np.array([-2.0, -0.7, -0.1, 0.0, 0.3, 1.1])
    for c in (0.5, 3.0):
        np.testing.assert_allclose(family.scaled(c).cdf(c * x), family.cdf(x), rtol=1e-14)
        np.testing.assert_allclose(family.scaled(c).pdf(c * x), family.pdf(x) / c, rtol=1e-13)


@ALL
def test_minus_x_f_is_the_derivative_to_the_logarithm_of_the_scale(family):
    """Central differences at four steps, extrapolated; away from kinks."""
    x = np.array([-1.7, -0.33, -0.05, 0.21, 0.9])
    slopes = [
        (family.scaled(np.exp(h)).cdf(x) - family.scaled(np.exp(-h)).cdf(x)) / (2 * h)
        for h in 0.01 * 0.5 ** np.arange(4)
    ]
    for order in (4, 16, 64):
        slopes = [(order * fine - coarse) / (order - 1) for coarse, fine in itertools.pairwise(slopes)]
    np.testing.assert_allclose(slopes[0], -x * family.pdf(x), rtol=1e-9, atol=1e-11)


def test_scaled_keeps_units_and_arrays():
    assert nsnn.Gaussian(2 * mV).scaled(0.5).si("sigma") == pytest.approx(1e-3, abs=1e-18)
    assert nsnn.FastSigmoid(4 / mV).scaled(0.5).si("b") == pytest.approx(8e3, rel=1e-14)
    assert nsnn.Gaussian([0.2, 0.4]).scaled([1.0, 2.0]).si("sigma").tolist() == [0.2, 0.8]
    assert nsnn.Gaussian(0.2).scaled([1.0, 2.0]).si("sigma").tolist() == [0.2, 0.4]
    with pytest.raises(NsnnError, match=r"sigma = 0\.0: expected a positive value"):
        nsnn.Gaussian(0.2).scaled(0.0)


@dataclasses.dataclass(frozen=True, eq=False)
class Fixed(Family):
    """A logistic law of a width that nobody can set."""

    share: Any = parameter("1", bound="fraction", default=1.0)
    cdf_text = "share / (1 + exp(-x))"
    pdf_text = "share * exp(-x) / (1 + exp(-x))**2"


# ------------------------------------------------------------------------------------------------------------ reference


def along_spikes(W, x, spikes, loss, family, beta, theta, reset, reset_path):
    """dL/dlog s by complex steps: of the network whose spikes are o = spikes + f (u - u0) - x f log s, x = u0 - theta."""
    u0, _ = reference.forward(W, x, family, spikes=spikes, beta=beta, theta=theta, reset=reset)
    f = [family.pdf(u - theta) for u in u0]

    def value(log_s):
        o = [np.zeros(s.shape, dtype=complex) for s in spikes]
        u = [np.zeros(w.shape[1], dtype=complex) for w in W]
        for t, k in itertools.product(range(len(x)), range(len(W))):
            fired = (o if reset_path == "exact" else spikes)[k][t - 1] if t else 0 * u[k]
            kept = u[k] * (1 - fired) if reset == "hard" else u[k] - theta * fired
            u[k] = beta * kept + (x[t] if k == 0 else o[k - 1][t]) @ W[k]
            o[k][t] = spikes[k][t] + f[k][t] * (u[k] - u0[k][t]) - (u0[k][t] - theta) * f[k][t] * log_s[k]
        return loss(o)

    found = []
    for k, w in enumerate(W):
        gradient = np.zeros(w.shape[1])
        for j in range(w.shape[1]):
            log_s = [np.zeros(v.shape[1], dtype=complex) for v in W]
            log_s[k][j] = 1e-30j
            gradient[j] = value(log_s).imag / 1e-30
        found.append(gradient)
    return found


@pytest.mark.parametrize(("family", "case"), [(f, PATHS[k % 4]) for k, f in enumerate(FAMILIES[:4])])
def test_the_reference_is_the_complex_step(family, case):
    reset, reset_path = case
    W, _, x, spikes, loss = tiny([3, 3, 2, 2], 6, 3)
    neuron = {"beta": 0.8, "theta": 0.9, "reset": reset}
    found = reference.membranes(W, x, spikes, loss, family, reset_path=reset_path, **neuron)["noise"]
    expected = along_spikes(W, x, spikes, loss, family, 0.8, 0.9, reset, reset_path)
    assert largest(found, expected) < 1e-12
    shared = reference.membranes(
        W, np.stack([x, x]), [np.stack([o, o]) for o in spikes], loss, family, **neuron
    )["noise"]
    assert all(a.shape == (2, w.shape[1]) for a, w in zip(shared, W, strict=True))


# ------------------------------------------------------------------------------------------------- gradients in training


def learner_of(net, batch=BATCH, n_steps=STEPS, loss=losses.rate_mse, encoder=None, **kw):
    with running("numpy"):
        return Learner(
            net,
            batch=batch,
            n_steps=n_steps,
            encoder=encoder or coding.Bernoulli(),
            loss=loss,
            **({"feedback": None} | kw),
        )


def gradients(rule, families, reset, loss, kind, *, unfilled, factor):
    """dL/dlog s of one batch, found and by the reference along the same spikes, and the logarithms' change."""
    rng = np.random.default_rng(5)
    W = [rng.normal(0.35, 0.7, pair) for pair in itertools.pairwise(SIZES)]
    neuron = nsnn.NSNNNeuron(beta=0.6, theta=0.8, reset=reset)
    noise = [nsnn.EscapeNoise(f) for f in families]
    net = nsnn.feedforward(SIZES, noise=noise, neuron=neuron, weights=W, plasticity=rule)
    X, y, feedback = rng.random((7, 4)), rng.integers(0, 3, 7), feedback_of(kind)
    order = np.array([[3, 1, -1 if unfilled else 6], [0, 0, 0]])
    learner = learner_of(net, loss=loss, feedback=feedback)
    with running("numpy"):
        learner.run(X, y, order[:1], np.array([False]), key=(1,), noise=factor)
        states = [layer.samples("o") for layer in learner.layers]
        learner.run(X, y, order, np.array([True, False]), key=(1,), noise=factor)
    found = [level.slope.copy() for level in learner.levels]
    expected = [np.zeros(n) for n in SIZES[1:]]
    samples = [b for b in range(BATCH) if order[0, b] >= 0]
    for b in samples:
        one = reference.membranes(
            W, states[0][b], [o[b] for o in states[1:]], One(loss, y[order[0, b]]), [f.scaled(factor) for f in families],
            beta=0.6, theta=0.8, reset=reset, reset_path=rule.reset_path, signal=kind, feedback=feedback,
        )["noise"]  # fmt: skip
        expected = [e + g / len(samples) for e, g in zip(expected, one, strict=True)]
    return found, expected, learner


def of_each(family, n):
    """The family with a scale for each neuron."""
    return family.scaled(1 + 0.2 * np.arange(n))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "case", "kind", "loss"),
    [
        (f, PATHS[k % 4], SIGNALS[k % 3], (losses.rate_mse, losses.cross_entropy_step)[k % 2])
        for k, f in enumerate([*FAMILIES[::2], MIXED])
    ],
)
def test_gradients_are_the_references(family, case, kind, loss):
    """One scale for each neuron of two layers, one for the whole of the third; at another level in batches that aren't full."""
    reset, path = case
    rule = nsnn.NDL(0.0, signal=kind, reset_path=path, eta_noise=0.1)
    # the functions of `Mixed` take numbers
    families = [family] * 3 if family is MIXED else [of_each(family, 5), of_each(family, 6), family]
    unfilled = loss is losses.cross_entropy_step
    factor = 1.7 if unfilled else 1.0
    found, expected, learner = gradients(rule, families, reset, loss, kind, unfilled=unfilled, factor=factor)
    expected = [e if f.size > 1 else e.sum(keepdims=True) for f, e in zip(found, expected, strict=True)]
    assert [f.size for f in found] == ([1, 1, 1] if family is MIXED else [5, 6, 1])
    assert largest(found, expected) < 1e-10
    for level, e in zip(learner.levels, expected, strict=True):
        np.testing.assert_allclose(level.free, -0.1 * e, atol=1e-14)
        np.testing.assert_allclose(level.values, factor * np.exp(level.free), rtol=1e-15)


# ------------------------------------------------------------------------------------------------- layers and neurons


def test_each_layer_and_neuron_has_its_own_noise():
    """One step, u known: P = F(u - theta) by layer and neuron, at a factor from outside too."""
    sigma, w = [0.2, np.array([0.2, 0.4, 0.8])], [np.array([[0.9]]), np.array([[0.7, 0.7, 0.7]])]
    net = nsnn.feedforward(
        [1, 1, 3],
        noise=[nsnn.EscapeNoise(nsnn.Gaussian(s)) for s in sigma],
        weights=w,
        plasticity=nsnn.NDL(0.0),
    )
    learner = learner_of(net, batch=4000, n_steps=1, encoder=coding.Direct(), scheduled=True)
    for factor in (1.0, 2.0):
        with running("numpy"):
            learner.run(
                np.ones((1, 1)),
                np.zeros(1, int),
                np.zeros((1, 4000), int),
                np.array([False]),
                key=(1,),
                noise=factor,
            )
        first, second = (layer.samples("o")[:, 0] for layer in learner.layers[1:])
        fired = first[:, 0] == 1
        for found, x, s in (
            (first, -0.1, sigma[0]),
            (second[fired], -0.3, sigma[1]),
            (second[~fired], -1.0, sigma[1]),
        ):
            p, n = nsnn.Gaussian(s * factor).cdf(x), len(found)
            assert np.abs((found.sum(0) - n * p) / np.sqrt(n * p * (1 - p)))[n * p * (1 - p) > 5].max() < 4


# ------------------------------------------------------------------------------------------------------------ schedules


def sigmas(fit):
    return [p.noise.family.si("sigma") for p in fit.network.populations[1:]]


def noisy(sigma, **kw):
    """The net of the training tests with another noise."""
    noise = nsnn.EscapeNoise(nsnn.Gaussian(sigma))
    return nsnn.feedforward(
        [6, 12, 3], noise=noise, seed=1, plasticity=nsnn.NDL(0.02, optimizer=nsnn.Adam(), **kw)
    )


def without_time(fit):
    return fit.history.drop(columns="seconds")


@pytest.mark.slow
def test_a_schedule_is_a_factor_of_the_scale():
    """An epoch at factor 2 is one with twice the noise, bit for bit; the network has the last epoch's."""
    doubled, twice = fit_of(noisy(0.4), epochs=1, noise_schedule=[2.0]), fit_of(noisy(0.8), epochs=1)
    assert same(doubled, twice)
    assert doubled.history["loss"].equals(twice.history["loss"])
    assert not same(doubled, fit_of(noisy(0.4), epochs=1))
    assert sigmas(doubled) == [0.8, 0.8]
    ones, plain = fit_of(epochs=2, noise_schedule=(1.0, 1.0)), fit_of(epochs=2)
    assert same(ones, plain)
    assert plain.history.columns.tolist() == COLUMNS
    assert doubled.evaluate(problem(20)) == twice.evaluate(problem(20))


@pytest.mark.slow
def test_a_pair_goes_geometrically_and_the_history_has_it():
    fit = fit_of(epochs=4, noise_schedule=(4.0, 0.5))
    for name in ("layer1", "layer2"):
        np.testing.assert_allclose(fit.history[f"noise of {name}"], [4, 2, 1, 0.5], rtol=1e-14)
        signals = {s.name: s.magnitude for s in fit.block.segments[0].analogsignals}
        np.testing.assert_allclose(signals[f"noise of {name}"][:, 0], [4, 2, 1, 0.5], rtol=1e-14)
        assert signals[f"level of {name}"].tolist() == [[1.0], [0.5]]
    assert sigmas(fit) == [0.2, 0.2]
    listed = fit_of(epochs=4, noise_schedule=fit.history["noise of layer1"].to_numpy())
    assert same(fit, listed)


@pytest.mark.slow
def test_the_best_epochs_noise_is_returned():
    net = noisy(0.4, eta_noise=0.05)
    stopped = fit_of(net, epochs=30, patience=2, noise_schedule=(1.0, 20.0))
    assert stopped.best_epoch < len(stopped.history) < 30
    level = stopped.history["noise of layer1"][stopped.best_epoch - 1]
    assert sigmas(stopped)[0] == 0.4 * level
    found = stopped.block.segments[0].analogsignals
    assert next(s for s in found if s.name == "level of layer1").magnitude.tolist() == [[1.0], [level]]


# -------------------------------------------------------------------------------------------------------------- learned


@pytest.mark.parametrize(
    "optimizer", [nsnn.SGD(), nsnn.Momentum(0.8), nsnn.Adam()], ids=lambda o: type(o).__name__
)
def test_weights_and_logarithms_follow_the_optimizer(optimizer):
    X, y = np.eye(2)[[0, 1] * 4], np.array([0, 1] * 4)
    noise = [nsnn.EscapeNoise(nsnn.Gaussian(0.4)), nsnn.EscapeNoise(nsnn.Gaussian([0.3, 0.5]))]
    net = nsnn.feedforward(
        [2, 3, 2], noise=noise, plasticity=nsnn.NDL(0.2, eta_noise=0.3, optimizer=optimizer)
    )
    learner = learner_of(net, batch=4, n_steps=5)
    order, levels, layers = np.arange(8).reshape(2, 4), list(learner.levels), learner.layers[1:]

    def now():
        return [*(level.free.copy() for level in levels), *(w.ravel().copy() for w in learner.weights)]

    w = now()
    m, v = ([np.zeros_like(a) for a in w] for _ in range(2))
    for n in range(1, 4):
        with running("numpy"):
            learner.run(X, y, order, np.array([True, False]), key=(1, n), eta=0.5)
        for k, (slope, rate) in enumerate(zip([*levels, *layers], [0.15, 0.15, 0.1, 0.1], strict=True)):
            g = np.ravel(slope.slope)
            assert np.abs(g).max() > 0
            if isinstance(optimizer, nsnn.SGD):
                w[k] -= rate * g
            elif isinstance(optimizer, nsnn.Momentum):
                m[k] = 0.8 * m[k] + g
                w[k] -= rate * m[k]
            else:
                m[k], v[k] = 0.9 * m[k] + 0.1 * g, 0.999 * v[k] + 0.001 * g**2
                w[k] -= rate * (m[k] / (1 - 0.9**n)) / (np.sqrt(v[k] / (1 - 0.999**n)) + 1e-8)
            np.testing.assert_allclose(now()[k], w[k], atol=1e-12, rtol=0)


@pytest.mark.slow
def test_learned_noise_is_in_the_network_the_history_and_the_block():
    noise = [NOISE, nsnn.EscapeNoise(nsnn.Gaussian([0.3, 0.4, 0.5]))]
    net = nsnn.feedforward([6, 12, 3], noise=noise, seed=1, plasticity=nsnn.NDL(0.02, eta_noise=0.2))
    fit = fit_of(net, epochs=3, noise_schedule=(1.0, 0.5))
    first, second = sigmas(fit)
    signals = {s.name: s.magnitude for s in fit.block.segments[0].analogsignals}
    assert signals["level of layer1"][1, 0] == first / 0.4
    np.testing.assert_allclose(signals["level of layer2"][1], second / [0.3, 0.4, 0.5], rtol=1e-15)
    assert np.unique(second / [0.3, 0.4, 0.5]).size == 3
    assert fit.history["noise of layer2"].iloc[-1] == pytest.approx(
        (second / [0.3, 0.4, 0.5]).mean(), rel=1e-15
    )
    assert abs(first / 0.2 - 1) > 0.01  # it moved beyond the schedule
    assert [p.noise for p in net.populations[1:]] == noise
    # what evaluate runs is that noise: the same network written down by hand
    again = nsnn.feedforward(
        [6, 12, 3], noise=[nsnn.EscapeNoise(nsnn.Gaussian(s)) for s in (first, second)], plasticity=nsnn.NDL(0.0),
        weights=fit.network.get_weights(),
    )  # fmt: skip
    assert fit.evaluate(problem(30)) == fit_of(again, epochs=1).evaluate(problem(30))


def learned(**kw):
    noise = [nsnn.EscapeNoise(nsnn.Gaussian(np.linspace(0.3, 0.6, 12))), NOISE]
    rule = nsnn.NDL(0.02, eta_noise=0.05, optimizer=nsnn.Adam())
    return fit_of(nsnn.feedforward([6, 12, 3], noise=noise, seed=1, plasticity=rule), **kw)


def equal(a, b):
    return (
        same(a, b)
        and without_time(a).equals(without_time(b))
        and all(np.array_equal(p, q) for p, q in zip(sigmas(a), sigmas(b), strict=True))
    )


@pytest.mark.slow
def test_a_schedule_that_is_interrupted_goes_on(tmp_path, monkeypatch):
    path, inner, calls = tmp_path / "fit.npz", Learner.run, []
    asked = {"epochs": 4, "noise_schedule": (2.0, 0.5)}
    whole = learned(**asked)

    def run(self, *args, **kw):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return inner(self, *args, **kw)

    monkeypatch.setattr(Learner, "run", run)
    with pytest.raises(KeyboardInterrupt):
        learned(checkpoint=path, **asked)
    assert read_checkpoint(path)[1]["epoch"] == 2
    with pytest.raises(NsnnError, match=r"of another configuration .*noise_schedule changed"):
        learned(epochs=4, noise_schedule=(2.0, 0.6), checkpoint=path)
    with pytest.raises(NsnnError, match=r"of another configuration .*epochs changed"):
        learned(epochs=5, noise_schedule=(2.0, 0.5), checkpoint=path)
    assert equal(learned(checkpoint=path, **asked), whole)
    assert equal(learned(checkpoint=path, **asked), whole)  # nothing left to do


@pytest.mark.slow
def test_far_too_much_noise_goes_down_and_the_loss_with_it():
    """Ten times what the other tests have: it ends below a quarter of it, with less than half of the loss."""
    still, moved = (fit_of(noisy(4.0, eta_noise=rate), epochs=20, seed=1) for rate in (0.0, 0.05))
    assert max(sigmas(moved)) < 1.0
    assert sigmas(still) == [4.0, 4.0]
    other = problem(200, seed=9)
    assert moved.evaluate(other)["loss"] < 0.5 * still.evaluate(other)["loss"]


# ------------------------------------------------------------------------------------------------------------- mistakes


@pytest.mark.slow
def test_noise_that_runs_away_stops_it_and_the_last_good_checkpoint_stays(tmp_path, monkeypatch):
    path, inner, calls = tmp_path / "fit.npz", Learner.run, []

    def run(self, *args, **kw):
        calls.append(1)
        if len(calls) == 3:
            for level in self.levels:
                level.rate = 1e300
        return inner(self, *args, **kw)

    monkeypatch.setattr(Learner, "run", run)
    with pytest.raises(
        NsnnError, match=r"epoch 3: the noise of 'layer1' is exp\(.*smaller eta_noise; .* is that of epoch 2"
    ):
        learned(epochs=5, checkpoint=path)
    arrays, about = read_checkpoint(path)
    assert about["epoch"] == 2
    assert all(np.isfinite(a).all() for a in arrays.values())


SURROGATE = nsnn.SurrogateGradient(nsnn.Gaussian(0.4), 0.1)


@pytest.mark.parametrize(
    ("net", "change", "message"),
    [
        (None, {"noise_schedule": 2.0}, r"noise_schedule = 2\.0: expected two positive numbers .*each of 3 epochs"),
        (None, {"noise_schedule": (1.0, 0.0)}, r"noise_schedule = \(1\.0, 0\.0\): expected two positive"),
        (None, {"noise_schedule": [1.0, 1.0, 1.0, 1.0]}, "or one for each of 3 epochs"),
        (None, {"noise_schedule": "cosine"}, "noise_schedule = cosine: expected"),
        (
            nsnn.feedforward([6, 3], noise=None, plasticity=SURROGATE), {"noise_schedule": (2, 1)},
            r"noise_schedule = \(2, 1\): population 'layer1' has noise = None, expected noise of a family",
        ),
        (
            nsnn.feedforward([6, 3], noise=None, plasticity=nsnn.NDL(0.1, eta_noise=0.1)), {},
            "noise = None: NDL learns through noise, and 'layer1' has none",
        ),
        (
            nsnn.feedforward([6, 3], noise=nsnn.EscapeNoise(Fixed()), plasticity=nsnn.NDL(0.1, eta_noise=0.1)), {},
            "Fixed.*: no parameter has the unit of x",
        ),
    ],
)  # fmt: skip
def test_mistakes_are_named(net, change, message):
    with pytest.raises(NsnnError, match=message):
        fit_of(net, **change)


def test_a_rule_that_cannot_learn_the_noise_says_so():
    with pytest.raises(NsnnError, match=r"eta_noise = -0\.1: expected zero or a positive value"):
        nsnn.NDL(0.1, eta_noise=-0.1)
    group = NeuronGroup(1, "u : 1\no : 1\nL : 1", threshold="o > 0", namespace={}, name="cells")
    with pytest.raises(
        NsnnError, match=r"eta_noise = 0\.1: these synapses cannot change the noise of the target"
    ):
        nsnn.plastic_synapses(
            nsnn.NDL(0.1, eta_noise=0.1), group, group, noise=nsnn.Gaussian(0.4), beta=0.5, theta=1.0
        )
    with running("numpy"):
        Network(group).run(0 * ms, namespace={})  # Brian2 warns of an object that was never run

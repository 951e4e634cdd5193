"""Two-layer fits: likelihood and gradient against sums over all hidden patterns, recovery of a simulated cell."""
# Imports internals: the gradient for given weights, and the range and scale that `fit_network` sets itself.

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import quantities as pq
from brian2 import ms
from helpers.fits import DT, analog, gaussian_signal
from numpy.testing import assert_allclose
from scipy.stats import chi2

import nsnn_neuro as nsnn
from nsnn_neuro import fit_network
from nsnn_neuro.likelihood import Lags, NetworkModel, Observed, RaisedCosines, Training
from nsnn_neuro.likelihood.network_objective import likelihood_slope
from nsnn_neuro.likelihood.network_training import Scale
from nsnn_neuro.measures import as_trains

STEPS = 4
SIGNAL = analog([0.4, -0.8, 1.1, 0.3])
FIRST = np.array([[0.3, 0.5], [0.8, -0.7], [0.2, 0.4]])
SECOND = np.array([[0.2, 0.4], [0.7, 0.3], [-0.4, 0.6]])


def tiny(reset: str = "hard", n_outputs: int = 1) -> tuple[NetworkModel, tuple[np.ndarray, np.ndarray]]:
    """Two hidden neurons, one or two outputs, each layer with a membrane of its own."""
    model = NetworkModel(
        dt=1 * ms,
        stimulus=Lags(2),
        n_hidden=2,
        n_outputs=n_outputs,
        family=nsnn.Gaussian(0.5),
        hidden=nsnn.NSNNNeuron(beta=0.6, theta=0.9, reset=reset),
        output=nsnn.NSNNNeuron(beta=0.4, theta=0.7, reset=reset),
    )
    return model, (FIRST, SECOND[:, :n_outputs])


def hidden_patterns(
    model: NetworkModel, weights: tuple[np.ndarray, np.ndarray], x: np.ndarray, o: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """P(hidden) and P(observed | hidden) of all patterns of the hidden layer, by the reference with spikes forced."""
    h = np.array(list(itertools.product((0.0, 1.0), repeat=len(x) * model.n_hidden)))
    h = h.reshape(len(h), len(x), model.n_hidden)
    neuron = {
        "theta": float(model.hidden.theta),
        "beta": float(model.hidden.beta),
        "reset": model.hidden.reset,
    }
    (u,), _ = nsnn.reference.forward(
        [weights[0]], np.broadcast_to(x, (len(h), *x.shape)), model.family, spikes=[h], **neuron
    )
    p = model.family.cdf(u - model.hidden.theta)
    prior = np.prod(np.where(h == 1, p, 1 - p), axis=(1, 2))
    neuron = {
        "theta": float(model.output.theta),
        "beta": float(model.output.beta),
        "reset": model.output.reset,
    }
    below = np.concatenate([np.ones((*h.shape[:2], 1)), h], axis=2)
    forced = np.broadcast_to(o, (len(h), *o.shape))
    (v,), _ = nsnn.reference.forward([weights[1]], below, model.family, spikes=[forced], **neuron)
    q = model.family.cdf(v - model.output.theta)
    return prior, np.prod(np.where(o == 1, q, 1 - q), axis=(1, 2))


def block_of(o: np.ndarray) -> Any:
    return nsnn.to_block([[np.flatnonzero(column) * DT for column in o.T]], t_stop=len(o) * DT * pq.s)


def repeated(data: Observed, n: int) -> Observed:
    return Observed(np.tile(data.o, (n, 1)), np.tile(data.x, (n, 1)), np.tile(data.lengths, n))


@pytest.mark.slow
@pytest.mark.parametrize(("reset", "n_outputs"), [("subtract", 1), ("hard", 2)])
def test_bound_and_likelihood_are_those_of_all_hidden_patterns(reset, n_outputs):
    """256 patterns. Of 10,000 estimates: with one particle the mean log is the bound; with any number the mean is P(O|x), unbiased;
    the mean log grows with the number towards log P(O|x) and stays below."""
    model, weights = tiny(reset, n_outputs)
    o = np.array([[0, 1], [1, 0], [1, 1], [0, 0.0]])[:, :n_outputs]
    data = model.data(block_of(o), SIGNAL)
    prior, given = hidden_patterns(model, weights, data.x, o)
    assert_allclose(prior.sum(), 1, rtol=1e-12)
    exact, bound = np.log(prior @ given), prior @ np.log(given)
    assert bound < exact - 0.5
    n, means = 10_000, [bound]
    for particles in (1, 3, 30):
        steps = model.log_likelihood(weights, repeated(data, n), particles=particles, seed=particles)
        logs = steps.reshape(n, STEPS).sum(axis=1)
        ratio = np.exp(logs - exact)
        assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(n)
        if particles == 1:
            assert abs(logs.mean() - bound) < 4 * logs.std() / np.sqrt(n)
        else:
            assert logs.mean() > means[-1] + 4 * logs.std() / np.sqrt(n)
        means.append(logs.mean())
    assert 0 < exact - means[-1] < 0.1


@pytest.mark.slow
def test_without_membranes_the_steps_are_independent():
    """beta = 0: the likelihood of a long recording is the product of each step's sum over hidden patterns, exactly; trials of
    different lengths, 750 steps."""
    dead = nsnn.NSNNNeuron(beta=0.0, theta=0.5)
    model = NetworkModel(
        dt=1 * ms, stimulus=Lags(2), n_hidden=2, family=nsnn.Gaussian(0.5), hidden=dead, output=dead
    )
    weights, signal = (FIRST, SECOND[:, :1]), gaussian_signal(500, 1)
    block = model.simulate(weights, signal, trials=2, seed=2)
    trains = [
        block.segments[0].spiketrains[0],
        block.segments[1].spiketrains[0].time_slice(None, 0.25 * pq.s),
    ]
    data = model.data(trains, signal)
    assert data.lengths.tolist() == [500, 250]
    h = np.array(list(itertools.product((0.0, 1.0), repeat=2)))
    p = model.family.cdf(data.x @ FIRST - 0.5)[:, None]
    prior = np.prod(np.where(h == 1, p, 1 - p), axis=2)
    q = model.family.cdf(SECOND[0, 0] + h @ SECOND[1:, 0] - 0.5)
    given = np.where(data.o == 1, q, 1 - q)
    exact = np.log(np.sum(prior * given, axis=1))
    found = np.array([model.log_likelihood(weights, data, particles=200, seed=s).sum() for s in range(10)])
    # the log's own bias, half the variance of the estimate: of order 1 / particles
    bias = -0.5 * np.sum(np.sum(prior * given**2, axis=1) / np.exp(2 * exact) - 1) / 200
    assert abs(found.mean() - exact.sum() - bias) < 4 * found.std(ddof=1) / np.sqrt(10)


@pytest.mark.slow
@pytest.mark.parametrize("drawn", ["model", "network"])
def test_simulated_patterns_have_their_probabilities(drawn):
    """All 16 patterns of the output, summed over the hidden layer's, against 4,000 trials: of the model's own draws, and of the
    `Network` that it makes, run by `simulate`."""
    model, weights = tiny()
    x = model.inputs(SIGNAL).magnitude
    patterns = np.array(list(itertools.product((0.0, 1.0), repeat=STEPS)))
    chance = []
    for o in patterns:
        prior, given = hidden_patterns(model, weights, x, o[:, None])
        chance.append(prior @ given)
    assert_allclose(np.sum(chance), 1, rtol=1e-12)
    n = 4000
    if drawn == "model":
        spikes = as_trains(model.simulate(weights, SIGNAL, trials=n, seed=3))
        mine = np.ones(len(spikes.trial), bool)
    else:
        block = nsnn.simulate(
            model.network(weights),
            stimulus=nsnn.Recorded(model.inputs(SIGNAL)),
            trials=n,
            duration=STEPS * ms,
            dt=1 * ms,
            seed=4,
            engine="numpy",
        )
        spikes = as_trains(block)
        mine = spikes.neuron == spikes.neuron.max()
    found = np.zeros((n, STEPS), int)
    found[spikes.trial[mine], np.rint(spikes.times[mine] / DT).astype(int)] = 1
    counts = np.bincount(found @ (2 ** np.arange(STEPS))[::-1], minlength=16)
    expected = n * np.array(chance)
    assert expected.min() > 5
    assert chi2.sf(np.sum((counts - expected) ** 2 / expected), 15) > 1e-4


# --- the fit -----------------------------------------------------------------------------------------------------------------


class Improbability:
    """-log P(observed | hidden) as a function of the output's spikes, with its learning signal (p - o) / (p (1 - p))."""

    def __init__(self, p: np.ndarray) -> None:
        self.p = p

    def gradient(self, o: list[np.ndarray]) -> list[np.ndarray]:
        return [np.zeros_like(o[0]), (self.p - o[1]) / (self.p * (1 - self.p))]


def ndl_of_patterns(
    model: NetworkModel, weights: Any, x: np.ndarray, o: np.ndarray, patterns: Any = None
) -> tuple[list[np.ndarray], np.ndarray]:
    """Noise-driven learning's gradient of patterns of the hidden layer, by default all, (n_patterns, ...), and their probabilities:
    the reference's signals, densities and traces. The output's spikes are data: its reset path is detached, the hidden layer's
    isn't."""
    n = model.n_hidden
    W = [np.column_stack([np.zeros(len(weights[0])), weights[0]]), weights[1]]
    layer: dict[str, Any] = {
        "beta": [np.append(0.0, np.full(n, model.hidden.beta)), model.output.beta],
        "theta": [np.append(-1e12, np.full(n, model.hidden.theta)), model.output.theta],
        "reset": model.hidden.reset,
    }
    found: list[list[np.ndarray]] = [[], []]
    priors = []
    every = itertools.product((0.0, 1.0), repeat=len(x) * n)
    for h in every if patterns is None else patterns:
        below = np.column_stack([np.ones(len(x)), np.reshape(h, (len(x), n))])
        u, spikes = nsnn.reference.forward(W, x, model.family, spikes=[below, o], **layer)
        p = [model.family.cdf(v - theta) for v, theta in zip(u, layer["theta"], strict=True)]
        priors.append(np.prod(np.where(below == 1, p[0], 1 - p[0])))
        options: dict[str, Any] = {"reset_path": "detached", **layer}
        signals = nsnn.reference.signals(W, x, spikes, Improbability(p[1]), model.family, **options)
        e = nsnn.reference.traces(W, x, spikes, model.family, **layer)[0]
        f = model.family.pdf(u[0] - layer["theta"][0])
        found[0].append(np.einsum("tj,tj,tij->ij", signals[0], f, e))
        found[1].append(nsnn.reference.ndl(W, x, spikes, Improbability(p[1]), model.family, **options)[1])
    return [np.array(one) for one in found], np.array(priors)


@pytest.mark.slow
@pytest.mark.parametrize(("reset", "n_outputs", "particles"), [("hard", 1, 5), ("subtract", 2, 1)])
def test_the_refinements_slope_is_the_likelihoods(reset, n_outputs, particles):
    """P times the estimated gradient of log P is unbiased for any number of particles: 10,000 estimates against differences of the
    sum over all hidden patterns, |z| < 4."""
    model, weights = tiny(reset, n_outputs)
    o = np.array([[0, 1], [1, 0], [1, 1], [0, 0.0]])[:, :n_outputs]
    x, n, h = model.data(block_of(o), SIGNAL).x, 10_000, 1e-3
    logs, found = likelihood_slope(
        model, weights, np.tile(x, (n, 1, 1)), np.tile(o, (n, 1, 1)), particles, np.random.default_rng(1)
    )

    def moved(k: int, index: tuple[int, ...], step: float) -> float:
        w = [one.copy() for one in weights]
        w[k][index] += step
        prior, given = hidden_patterns(model, (w[0], w[1]), x, o)
        return float(prior @ given)

    for k, gradient in enumerate(found):
        estimates = np.exp(logs)[:, None, None] * gradient
        exact = np.zeros(gradient.shape[1:])
        for index in np.ndindex(*exact.shape):
            ahead = [moved(k, index, s * h) - moved(k, index, -s * h) for s in (1, 2)]
            exact[index] = (8 * ahead[0] - ahead[1]) / (12 * h)
        se = estimates.std(axis=0) / np.sqrt(n)
        assert np.all(np.abs(estimates.mean(axis=0) - exact) < 4 * se)
        assert np.max(np.abs(exact) / se) > 20


BASIS = RaisedCosines(4, 10 * ms)
FILTER = np.array([0.6, 0.3, -0.5, -0.2])
EACH = 8  # hidden neurons of a pathway


def on_off(n: int = EACH) -> tuple[NetworkModel, tuple[np.ndarray, np.ndarray]]:
    """A cell that fires when the filtered stimulus is far from 0, either way: n hidden neurons of a filter, n of its opposite."""
    model = NetworkModel(dt=1 * ms, stimulus=BASIS, n_hidden=2 * n)
    columns = [np.append(-0.2, sign * FILTER) for sign in (1, -1) for _ in range(n)]
    return model, (np.stack(columns, axis=1), np.append(0.0, np.full(2 * n, 1 / n))[:, None])


@pytest.mark.slow
def test_the_bound_of_the_history_is_that_of_the_weights():
    """After the last epoch the held-out windows' bound, of one draw of the hidden layer each, is the model's own with the fit's
    weights, from other draws: weights come back from the scaled columns, bits from nats."""
    model, true = on_off(2)
    signal = analog(2 + 1.5 * np.random.default_rng(1).normal(size=3000))
    block = model.simulate(true, signal, seed=2)
    fit = fit_network(
        block, signal, dt=1 * ms, stimulus=BASIS, n_hidden=6, training=Training(epochs=20), engine="numpy"
    )
    data = fit.model.data(block, signal).split(0.2)[1]
    windows = Observed(data.o, data.x, np.full(12, 50))
    scores = [fit.model.score(fit.weights, windows, particles=1, seed=k).value for k in range(30)]
    assert abs(fit.history.val_bound.iloc[-1] - np.mean(scores)) < 4 * np.std(scores, ddof=1)
    assert np.std(scores) < 0.03
    x, w = fit.model.data(block, signal).x, np.random.default_rng(3).normal(size=(5, 2))
    scale = Scale.of(x[:2000], x)
    z = scale.low + scale.span * scale.scaled(x)
    assert_allclose(z[:2000, 1:].mean(axis=0), 0, atol=1e-12)
    assert_allclose(z[:2000, 1:].std(axis=0), 1, rtol=1e-12)
    assert_allclose(z @ w, x @ scale.unscaled(w), atol=1e-12)
    assert fit.n_steps == 2400
    assert fit.n_spikes == fit.model.data(block, signal).o[:2400].sum()
    again = fit.model.score(fit.weights, data, particles=100)
    assert fit.held_out.value == again.value
    options = {"dt": 1 * ms, "stimulus": BASIS, "n_hidden": 2, "engine": "numpy"}
    refined = fit_network(block, signal, training=Training(epochs=5, refine=4, eta=0.02), **options)
    assert refined.history.epoch.tolist() == list(range(1, 10))
    assert refined.history.likelihood.isna().sum() == 5
    assert refined.history.likelihood.iloc[-1] > refined.history.likelihood.iloc[5]

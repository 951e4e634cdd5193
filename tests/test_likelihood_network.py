"""Two-layer fits: likelihoods against the sum over all hidden patterns, gradients against its expectation, recovery, what is refused."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import quantities as pq
from brian2 import ms
from fits import DT, analog, gaussian_signal
from numpy.testing import assert_allclose
from scipy.stats import chi2

import nsnn_neuro as nsnn
from nsnn_neuro.blocks import gather
from nsnn_neuro.errors import NsnnError
from nsnn_neuro.likelihood import Lags
from nsnn_neuro.likelihood.network import NetworkModel, Observed

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
    """P(hidden) and P(observed | hidden) of all patterns of the hidden layer, by the reference's forward pass with spikes forced."""
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


@pytest.mark.parametrize(("reset", "n_outputs"), [("hard", 1), ("subtract", 1), ("hard", 2)])
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


@pytest.mark.parametrize("particles", [1, 200])
def test_without_membranes_the_steps_are_independent(particles):
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
    exact = np.log(np.sum(prior * given, axis=1)) if particles > 1 else np.sum(prior * np.log(given), axis=1)
    found = np.array(
        [model.log_likelihood(weights, data, particles=particles, seed=s).sum() for s in range(20)]
    )
    # the log's own bias, half the variance of the estimate: of order 1 / particles
    bias = (
        0.0
        if particles == 1
        else -0.5 * np.sum(np.sum(prior * given**2, axis=1) / np.exp(2 * exact) - 1) / particles
    )
    assert abs(found.mean() - exact.sum() - bias) < 4 * found.std(ddof=1) / np.sqrt(20)


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
        spikes = gather(model.simulate(weights, SIGNAL, trials=n, seed=3))
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
        spikes = gather(block)
        mine = spikes.neuron == spikes.neuron.max()
    found = np.zeros((n, STEPS), int)
    found[spikes.trial[mine], np.rint(spikes.times[mine] / DT).astype(int)] = 1
    counts = np.bincount(found @ (2 ** np.arange(STEPS))[::-1], minlength=16)
    expected = n * np.array(chance)
    assert expected.min() > 5
    assert chi2.sf(np.sum((counts - expected) ** 2 / expected), 15) > 1e-4

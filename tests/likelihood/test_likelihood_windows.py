"""Fits to windows: the bound of several draws and its slope against sums over all hidden patterns, ridge, early stopping."""
# Imports internals: the slopes for given weights.

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from brian2 import ms
from helpers.fits import analog, gaussian_signal
from numpy.testing import assert_allclose, assert_array_equal
from test_likelihood_network import FIRST, SECOND, SIGNAL, block_of, hidden_patterns, ndl_of_patterns, tiny

from nsnn_neuro import NsnnError, fit_network
from nsnn_neuro.likelihood import Lags, NetworkModel, Training, fit_windows, window_bounds
from nsnn_neuro.likelihood.network_objective import bound_slope
from nsnn_neuro.likelihood.network_windows import penalised
from nsnn_neuro.measures import as_trains

SPIKES = np.array([[0, 1], [1, 0], [1, 1], [0, 0.0]])  # spikes of two outputs in four steps
OTHER = np.array([[1, 0], [0, 0], [0, 1], [1, 1.0]])


def x_of(model: NetworkModel) -> np.ndarray:
    return model.data(block_of(SPIKES[:, : model.n_outputs]), SIGNAL).x


def pair_mean(prior: np.ndarray, p: np.ndarray, values: Any, draws: int) -> Any:
    """The mean over `draws` patterns drawn from prior of values(P(O|h), ...) of all of them, by enumeration."""
    if draws == 1:
        return values(p[:, None], np.arange(len(p))[:, None], prior)
    a, b = (one.ravel() for one in np.indices((len(p), len(p))))
    return values(np.stack([p[a], p[b]], axis=1), np.stack([a, b], axis=1), prior[a] * prior[b])


@pytest.mark.parametrize("draws", [1, 2])
def test_the_bound_is_that_of_all_patterns_of_its_draws(draws: int) -> None:
    """E log (1/K) sum_k P(O|h_k) over all 256, or 65,536 pairs of, patterns; two repeats of the stimulus, each with its own."""
    model, weights = tiny(n_outputs=2)
    x, n = x_of(model), 4000
    found = window_bounds(
        model,
        weights,
        np.tile(x, (n, 1, 1)),
        np.tile(np.stack([SPIKES, OTHER]), (n, 1, 1, 1)),
        n_draws=draws,
        seed=1,
    )
    assert found.shape == (n, 2)
    for k, o in enumerate((SPIKES, OTHER)):
        prior, p = hidden_patterns(model, weights, x, o)
        exact = pair_mean(prior, p, lambda ps, _, w: w @ np.log(ps.mean(axis=1)), draws)
        z = (found[:, k].mean() - exact) / (found[:, k].std() / np.sqrt(n))
        assert abs(z) < 4
    assert exact < np.log(prior @ p) - 0.1


def test_the_slope_is_noise_driven_learning_weighted_by_the_draws() -> None:
    """Of each draw the gradient of the reference, weighted by P(O|h_k); the mean over all pairs of patterns, |z| < 4."""
    model, weights = tiny("subtract")
    o, x, n, seeds, draws = SPIKES[:3, :1], x_of(model)[:3], 1500, 16, 2
    gradients, prior = ndl_of_patterns(model, weights, x, o)
    p = hidden_patterns(model, weights, x, o)[1]
    assert_allclose(prior, hidden_patterns(model, weights, x, o)[0], rtol=1e-10)
    xs, os = np.tile(x, (n, 1, 1))[:, :, None], np.tile(o[:, None, None], (1, n, 1, 1))
    found = [bound_slope(model, weights, xs, os, draws, np.random.default_rng(s))[1] for s in range(seeds)]
    for k, columns in enumerate((slice(1, None), slice(None))):  # the first hidden unit is the output's bias
        flat = -gradients[k][:, :, columns].reshape(len(p), -1)
        exact = pair_mean(
            prior,
            p,
            lambda ps, which, w, flat=flat: np.einsum(
                "n,nk,nki->i", w, ps / ps.sum(axis=1, keepdims=True), flat[which]
            ),
            draws,
        )
        mine = np.array([one[k].ravel() for one in found])
        se = mine.std(axis=0, ddof=1) / np.sqrt(seeds)
        assert np.all(np.abs(mine.mean(axis=0) - exact) < 4 * se + 1e-12)
        assert np.max(np.abs(exact) / (se + 1e-12)) > 30


def own() -> tuple[NetworkModel, tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Two outputs with own inputs: the channels of a signal, which is SIGNAL and its reverse."""
    model = dataclasses.replace(tiny(n_outputs=2)[0], own_inputs=True)
    signal = analog(np.stack([SIGNAL.magnitude[:, 0], SIGNAL.magnitude[::-1, 0]], axis=1))
    return model, (FIRST, SECOND), model.data(block_of(SPIKES), signal).x


def test_without_hidden_noise_bound_and_slope_are_exact() -> None:
    """One pattern: its probability and its gradient, by the reference; with own inputs the sum over outputs."""
    model, weights, x = own()
    assert x.shape == (4, 2, 3)
    model = dataclasses.replace(model, noisy=False)
    value, slope = bound_slope(model, weights, x[None], SPIKES[:, None, None], 1, np.random.default_rng(1))
    patterns = np.array(list(itertools.product((0.0, 1.0), repeat=8)))  # in the order of `hidden_patterns`
    logs, expected = [], [np.zeros((3, 2)), np.zeros((3, 2))]
    for k in range(2):
        one, w = model.single(k), (FIRST, SECOND[:, [k]])
        u = np.zeros((4, 2))
        h = np.zeros((5, 2))
        for t in range(4):
            u[t] = 0.6 * u[t - 1] * (1 - h[t - 1]) * (t > 0) + x[t, k] @ FIRST
            h[t] = u[t] >= 0.9
        (where,) = np.flatnonzero((patterns == h[:4].ravel()).all(axis=1))
        logs.append(np.log(hidden_patterns(one, w, x[:, k], SPIKES[:, [k]])[1][where]))
        gradients, _ = ndl_of_patterns(one, w, x[:, k], SPIKES[:, [k]], [tuple(h[:4].ravel())])
        expected[0] -= gradients[0][0][:, 1:]
        expected[1][:, [k]] -= gradients[1][0]
    assert 0 < h.sum() < 8
    assert_allclose(value, [[sum(logs)]], rtol=1e-12)
    for mine, exact in zip(slope, expected, strict=True):
        assert_allclose(mine, exact, rtol=1e-9, atol=1e-12)
    assert_allclose(
        window_bounds(model, weights, x[None], SPIKES[None, None], n_draws=5), [[logs]], rtol=1e-12
    )


@pytest.mark.parametrize("reset", ["hard", "subtract"])
def test_the_slope_of_the_mean_field_is_that_of_its_likelihood(reset: str) -> None:
    """By differences; F in place of draws by the recursion; draws are the same, and a Network of it is refused."""
    model = dataclasses.replace(tiny(reset, 2)[0], mean_field=True)
    weights, x = [FIRST.copy(), SECOND.copy()], x_of(model)
    assert not model.noisy
    value = {k: window_bounds(model, weights, x[None], SPIKES[None, None], n_draws=k).item() for k in (1, 5)}
    assert value[1] == value[5]
    u, h, v, o, exact = np.zeros(2), np.zeros(2), np.zeros(2), np.zeros(2), 0.0
    for t in range(4):
        u = 0.6 * (u * (1 - h) if reset == "hard" else u - 0.9 * h) + x[t] @ FIRST
        h = model.family.cdf(u - 0.9)
        v = 0.4 * (v * (1 - o) if reset == "hard" else v - 0.7 * o) + SECOND[0] + h @ SECOND[1:]
        q, o = model.family.cdf(v - 0.7), SPIKES[t]
        exact += np.log(np.where(o == 1, q, 1 - q)).sum()
    assert value[1] == pytest.approx(exact, rel=1e-12)
    rng = np.random.default_rng(1)
    slopes = bound_slope(model, weights, x[None, :, None], SPIKES[:, None, None], 1, rng)[1]
    for w, slope in zip(weights, slopes, strict=True):
        for index in np.ndindex(w.shape):
            kept, two = w[index], []
            for step in (1e-5, -1e-5):
                w[index] = kept + step
                two.append(window_bounds(model, weights, x[None], SPIKES[None, None]).item())
            w[index] = kept
            assert_allclose(slope[index], (two[0] - two[1]) / 2e-5, rtol=1e-6, atol=1e-9)
    with pytest.raises(NsnnError, match="noisy = False"):
        model.network(weights)


def test_outputs_with_own_inputs_have_hidden_neurons_of_their_own() -> None:
    """Bound and likelihood of each output, from all patterns of its hidden neurons; drawn first spikes have their probability."""
    model, weights, x = own()
    n = 2000
    found = window_bounds(model, weights, np.tile(x, (n, 1, 1, 1)), np.tile(SPIKES, (n, 1, 1, 1)), seed=1)[
        :, 0
    ]
    total = 0.0
    for k in range(2):
        prior, p = hidden_patterns(model.single(k), (FIRST, SECOND[:, [k]]), x[:, k], SPIKES[:, [k]])
        z = (found[:, k].mean() - prior @ np.log(p)) / (found[:, k].std() / np.sqrt(n))
        assert abs(z) < 4
        total += np.log(prior @ p)
    signal = analog(np.stack([SIGNAL.magnitude[:, 0], SIGNAL.magnitude[::-1, 0]], axis=1))
    data = model.data(block_of(SPIKES), signal)
    assert abs(model.log_likelihood(weights, data, particles=3000).sum() - total) < 0.05
    spikes = as_trains(model.simulate(weights, signal, trials=n, seed=2))
    for k in range(2):
        h = np.array(list(itertools.product((0.0, 1.0), repeat=2)))
        fires = model.family.cdf(x[0, k] @ FIRST - 0.9)
        chance = np.prod(np.where(h == 1, fires, 1 - fires), axis=1) @ model.family.cdf(
            SECOND[0, k] + h @ SECOND[1:, k] - 0.7
        )
        first = np.count_nonzero((spikes.neuron == k) & (spikes.times < 5e-4))
        assert abs(first - n * chance) < 4 * np.sqrt(n * chance * (1 - chance))


def squared(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows of 20 steps: the output fires if its input is far from 0."""
    x = np.ones((n, 20, 2))
    x[:, :, 1] = 3 + 2 * np.random.default_rng(seed).normal(size=(n, 20))
    return x, (np.abs(x[:, None, :, 1:] - 3) > 2.4).astype(float)


MODEL = NetworkModel(dt=1 * ms, stimulus=Lags(1), n_hidden=8)


def test_hidden_neurons_are_learned_with_and_without_noise() -> None:
    data, test = squared(60, 1), squared(60, 2)
    rate = test[1].mean()
    nothing = test[1].size * (rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
    for model, draws in ((MODEL, 2), (dataclasses.replace(MODEL, noisy=False), 1)):
        fit = fit_windows(model, data, n_draws=draws, training=Training(eta=0.1, epochs=12), seed=3)
        logs = window_bounds(model, fit.weights, *test, n_draws=10)
        assert (logs.sum() - nothing) / test[1].sum() / np.log(2) > 0.7


def test_the_ridge_is_the_slope_of_its_penalty() -> None:
    """By differences of ridge / 2 times the sum of squares over the number of windows and repeats; biases are free."""
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=shape) for shape in MODEL.shapes]

    def penalty(k: int, w: np.ndarray) -> float:
        return 7.0 / 2 * sum(np.sum((w if j == k else one)[1:] ** 2) for j, one in enumerate(weights)) / 6

    for k, found in enumerate(penalised([np.zeros_like(w) for w in weights], weights, 7.0 / 6)):
        exact = np.zeros_like(found)
        for index in np.ndindex(*found.shape):
            step = np.zeros_like(found)
            step[index] = 1e-4
            exact[index] = -(penalty(k, weights[k] + step) - penalty(k, weights[k] - step)) / 2e-4
        assert_allclose(found, exact, atol=1e-8)
    small = fit_windows(MODEL, squared(30, 1), ridge=1e6, training=Training(eta=0.1, epochs=12), seed=1)
    assert max(np.abs(w[1:]).max() for w in small.weights) < 0.1


def test_early_stopping_keeps_the_best_epoch() -> None:
    data, rest = squared(6, 1), squared(20, 2)
    training = Training(eta=0.3, epochs=40, keep="best")
    fit = fit_windows(MODEL, data, validation=rest, patience=3, training=training, seed=1)
    assert len(fit.history) < 40
    assert fit.best_epoch == fit.history.epoch[fit.history.val_bound.idxmax()] == len(fit.history) - 3
    to_the_end = dataclasses.replace(training, keep="last")
    again = fit_windows(MODEL, data, validation=rest, training=to_the_end, seed=1)
    assert_array_equal(again.history.val_loss[: len(fit.history)], fit.history.val_loss)
    assert not np.array_equal(again.weights[0], fit.weights[0])


@pytest.mark.slow
def test_the_door_for_recordings_passes_all_of_it_on() -> None:
    """Two neurons, each driven by its own channel; held out they are predicted, and not with the channels exchanged."""
    signal = gaussian_signal(1500, 1).magnitude[:, 0], gaussian_signal(1500, 2).magnitude[:, 0]
    block = block_of(np.stack([np.abs(s) > 1.3 for s in signal], axis=1))
    options: dict[str, Any] = {
        "dt": 1 * ms,
        "stimulus": 1,
        "n_hidden": 8,
        "own_inputs": True,
        "training": Training(eta=0.1, epochs=12, particles=10),
        "seed": 1,
    }
    right, wrong = (
        fit_network(block, analog(np.stack(pair, axis=1)), noisy=False, ridge=0.1, **options)
        for pair in (signal, signal[::-1])
    )
    assert right.held_out.value > 0.7
    assert wrong.held_out.value < 0.1
    assert not right.model.noisy
    noisy = fit_network(block, analog(np.stack(signal, axis=1)), n_draws=2, **options)
    assert noisy.held_out.value > 0.7

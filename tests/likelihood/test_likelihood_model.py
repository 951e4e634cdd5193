"""The model behind fits of neurons: probabilities and gradients against digits, loops, differences and the reference."""

from __future__ import annotations

import itertools

import neo
import numpy as np
import pytest
from brian2 import ms
from helpers.fits import DT, FAMILIES, KINDS, gaussian_signal, some_data, train, trials_of
from numpy.testing import assert_allclose, assert_array_equal

import nsnn_neuro as nsnn
from nsnn_neuro.likelihood import Lags, NeuronModel, Poisson
from nsnn_neuro.likelihood.drawing import Cells, draw

SMOOTH = (nsnn.Gaussian, nsnn.Logistic, nsnn.Cauchy, nsnn.FastSigmoid, nsnn.Triangular)


@pytest.mark.parametrize("family", [*FAMILIES[::2], FAMILIES[5], nsnn.Uniform(9.0)], ids=repr)
def test_the_curvature_is_the_slope_of_the_gradient(family):
    """Where f' is known and has no jumps; families of the user's own and the uniform one have none."""
    model = NeuronModel(dt=1 * ms, family=family, stimulus=Lags(2), history=Lags(1), refractory=1 * ms)
    trains, signal, p = some_data(model)
    data = model.data(trains, signal)
    found, h = model.evaluate(p, data).curvature, 1e-5
    if not isinstance(family, SMOOTH):
        assert found is None
        return
    slope = [
        (model.evaluate(p - h * unit, data).gradient - model.evaluate(p + h * unit, data).gradient) / (2 * h)
        for unit in np.eye(len(p))
    ]
    assert_allclose(found, slope, rtol=1e-5, atol=1e-5 * np.abs(found).max())


# --- likelihood and gradient -------------------------------------------------------------------------------------------------


def looped(
    model: NeuronModel, p: np.ndarray, trains: list[neo.SpikeTrain], signal: neo.AnalogSignal
) -> float:
    """The log-likelihood as the module's text has it, step by step."""
    named = dict(zip(model.names, p, strict=True))
    stimulus, past = model.bases()
    x = signal.magnitude
    beta = named.get("beta", model.beta)
    theta = named.get("theta", model.threshold)
    total = 0.0
    for one in trains:
        o = np.zeros(len(x))
        o[np.rint(one.magnitude / DT).astype(int)] = 1
        m = 0.0
        for t in range(len(x)):
            kept = 0.0
            if t:
                kept = {"hard": m * (1 - o[t - 1]), "subtract": m - theta * o[t - 1], "none": m}[model.reset]
            m = beta * kept + named["bias"]
            for c, k, lag in itertools.product(
                range(model.channels), range(stimulus.shape[1]), range(len(stimulus))
            ):
                name = f"stimulus[{k}]" if model.channels == 1 else f"stimulus[{c},{k}]"
                if t >= lag:
                    m += named[name] * stimulus[lag, k] * x[t - lag, c]
            a = m - theta
            for k, lag in itertools.product(range(past.shape[1]), range(1, len(past) + 1)):
                if t >= lag:
                    a += named[f"history[{k}]"] * past[lag - 1, k] * o[t - lag]
            if o[max(t - model.refractory_steps, 0) : t].any():
                assert o[t] == 0
                continue
            spike = float(model.family.cdf(a))
            total += np.log(spike if o[t] else 1 - spike)
    return total


@pytest.mark.parametrize(("kind", "channels"), [(kind, 1 + k % 2) for k, kind in enumerate(KINDS)])
def test_the_likelihood_is_the_loop_and_its_gradient_the_difference(kind, channels):
    model = NeuronModel(
        dt=1 * ms, family=nsnn.Gaussian(0.7), stimulus=Lags(3), channels=channels, **KINDS[kind]
    )
    trains, signal, p = some_data(model)
    assert sum(map(len, trains)) > 10
    value, gradient = model.log_likelihood(p, trains, signal)
    assert_allclose(value, looped(model, p, trains, signal), rtol=1e-12)
    h = 1e-3

    def at(k: int, step: float) -> float:
        return model.log_likelihood(p + step * h * np.eye(len(p))[k], trains, signal)[0]

    slope = [(8 * (at(k, 1) - at(k, -1)) - at(k, 2) + at(k, -2)) / (12 * h) for k in range(len(p))]
    assert_allclose(gradient, slope, rtol=1e-7, atol=1e-7)
    assert np.linalg.norm(gradient) > 1


class Improbability:
    """-log P(O|x) as a loss whose derivative to the spikes is the learning signal -(o - F) / (F (1 - F))."""

    def __init__(self, p: np.ndarray) -> None:
        self.p = p

    def __call__(self, o: list[np.ndarray]) -> float:
        return -float(np.sum(np.where(o[0] == 1, np.log(self.p), np.log1p(-self.p))))

    def gradient(self, o: list[np.ndarray]) -> list[np.ndarray]:
        return [-(o[0] - self.p) / (self.p * (1 - self.p))]


@pytest.mark.parametrize(("family", "reset"), [*zip(FAMILIES, ["hard", "subtract"] * 3, strict=True)])
def test_it_is_noise_driven_learning_with_the_spikes_forced(family, reset):
    """Likelihood and gradient are the reference's: probability, NDL's three factors, the score-function rule with L = 1."""
    layer = {"beta": 0.6, "theta": 0.9, "reset": reset}
    model = NeuronModel(dt=1 * ms, family=family, stimulus=Lags(1), channels=2, **layer)
    signal = gaussian_signal(50, 1, channels=2)
    w = np.array([0.3, 0.7, -0.5])
    (spikes,) = trials_of(model.simulate(w, signal, seed=2))
    value, gradient = model.log_likelihood(w, [spikes], signal)

    W, x = [w[:, None]], np.column_stack([np.ones(50), signal.magnitude])
    o = np.zeros((50, 1))
    o[np.rint(spikes.magnitude / DT).astype(int)] = 1
    assert_allclose(value, np.log(nsnn.reference.probability(W, x, [o], family, **layer)), rtol=1e-12)
    u = nsnn.reference.forward(W, x, family, spikes=[o], **layer)[0][0]
    loss = Improbability(family.cdf(u - layer["theta"]))
    assert_allclose(loss([o]), -value, rtol=1e-12)
    (learned,) = nsnn.reference.ndl(W, x, [o], loss, family, reset_path="detached", **layer)
    assert_allclose(-learned[:, 0], gradient, rtol=1e-11, atol=1e-11)
    (score,) = nsnn.reference.score_function(W, x, [o], lambda o: 1.0, family, **layer)
    assert_allclose(score[:, 0], gradient, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    ("family", "beta", "reset"),
    [(Poisson(), 0.0, "none"), (nsnn.Logistic(1.0), 0.9, "hard"), (nsnn.Logistic(1.0), 0.9, "subtract")],
)
@pytest.mark.parametrize("silent", [0, 2])
def test_compiled_draws_are_those_of_a_loop_over_steps(family, beta, reset, silent):
    """Of the internal function: by the public ones a test would need a population for each case."""
    rng = np.random.default_rng(5)
    drive, kernel = rng.normal(-1, 1, (300, 3, 2)), -rng.random((7, 2))
    coupling = rng.normal(0, 0.3, (5, 2, 2))
    cells = Cells(family, beta, 0.3, reset, silent, kernel, coupling)
    ticks, *which = draw(drive, cells, np.random.default_rng(6))
    found = np.zeros(drive.shape, dtype=int)
    np.add.at(found, (ticks.astype(int), *which), 1)

    rng, counts, m = np.random.default_rng(6), np.zeros(drive.shape, dtype=int), np.zeros(drive.shape[1:])
    past, synaptic = np.zeros((2, 310, *drive.shape[1:]))
    for t in range(len(drive)):
        m = beta * m + drive[t] + synaptic[t]
        a = m + past[t] - 0.3
        drawn = rng.poisson(np.exp(a)) if isinstance(family, Poisson) else rng.random(a.shape) < family.cdf(a)
        counts[t] = drawn * ~counts[max(0, t - silent) : t].any(axis=0)
        for i, j in zip(*np.nonzero(counts[t]), strict=True):
            past[t + 1 : t + 8, i, j] += counts[t, i, j] * kernel[:, j]
            synaptic[t + 1 : t + 6, i] += counts[t, i, j] * coupling[:, :, j]
            m[i, j] = {"hard": 0.0, "subtract": m[i, j] - 0.3, "none": m[i, j]}[reset]
    assert counts.max() > isinstance(family, Poisson)
    assert_array_equal(found, counts)


@pytest.mark.slow
def test_probabilities_add_up_and_the_information_is_the_scores_variance():
    """Over all patterns of 9 steps: sum P = 1, E[score] = 0, E[score score^T] = E[information], exactly."""
    model = NeuronModel(dt=1 * ms, family=nsnn.Gaussian(0.6), stimulus=Lags(2), history=Lags(2), beta="fit")
    n, p = 9, np.array([0.3, 0.5, -0.2, -0.6, 0.2, 0.8, 0.5])
    signal = gaussian_signal(n, 6)
    total, mean, outer, information = 0.0, 0.0, 0.0, 0.0
    for o in itertools.product((0, 1), repeat=n):
        found = model.evaluate(p, model.data([train(o)], signal))
        weight = np.exp(found.log_likelihood)
        total += weight
        mean = mean + weight * found.gradient
        outer = outer + weight * np.outer(found.gradient, found.gradient)
        information = information + weight * found.information
    assert_allclose(total, 1, rtol=1e-12)
    assert_allclose(mean, np.zeros(len(p)), atol=1e-12)
    assert_allclose(outer, information, rtol=1e-10, atol=1e-12)

"""Fits with the spikes of other neurons, products of regressors, history alone, Poisson counts, and a smoothness prior."""

from __future__ import annotations

import warnings
from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import ms
from helpers.fits import DT, analog, gaussian_signal, train
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from scipy.stats import poisson
from sklearn.linear_model import LogisticRegression, PoissonRegressor

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, fit_neuron
from nsnn_neuro.likelihood import Lags, NeuronModel, Poisson, compare_models, cross_validate
from nsnn_neuro.likelihood.drawing import RunawayWarning

N = 3000


def block_of(o: np.ndarray) -> neo.Block:
    """A Block from spikes (n_trials, n_neurons, n_steps)."""
    times = [[np.flatnonzero(cell) * DT for cell in trial] for trial in o]
    return nsnn.to_block(times, t_stop=o.shape[2] * DT * pq.s)


def independent(n: int = N, cells: int = 2, trials: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((trials, cells, n)) < 0.15


def lagged(x: np.ndarray, lag: int) -> np.ndarray:
    return np.concatenate([np.zeros(lag), x[: len(x) - lag]])


def steps_of(spikes: neo.SpikeTrain, n: int = N) -> np.ndarray:
    return np.bincount(np.floor(spikes.magnitude / DT + 1e-6).astype(int), minlength=n).astype(float)


# --- inputs and products -----------------------------------------------------------------------------------------------------


def test_inputs_and_products_are_the_columns_of_a_logistic_regression():
    """Design matrix written out: lags of the signal from 0, of inputs and own spikes from 1, then squares and products."""
    o, signal = independent(), gaussian_signal(N, 1)
    x = signal.magnitude[:, 0]
    a, b = o[0].astype(float)
    s = [x, lagged(x, 1)]
    c = [lagged(a, 1), lagged(a, 2), lagged(b, 1), lagged(b, 2)]
    both = [s[0] * s[0], s[0] * s[1], s[1] * s[1], *(one * other for one in s for other in c)]
    drive = np.stack([*s, *c, *both], axis=1)
    w = np.random.default_rng(2).normal(size=drive.shape[1]) * 0.4
    cell = train(np.random.default_rng(3).random(N) < expit(drive @ w - 1.5))
    pairs = [("stimulus", "stimulus"), ("stimulus", "coupling")]
    options = {
        "dt": 1 * ms,
        "stimulus": 2,
        "inputs": block_of(o),
        "coupling": 2,
        "products": pairs,
        "history": 1,
    }
    fit = fit_neuron([cell], signal, family=nsnn.Logistic(1.0), **options)
    columns = np.column_stack([drive, lagged(steps_of(cell), 1)])
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(columns, steps_of(cell))
    assert_allclose(fit.values, [theirs.intercept_[0], *theirs.coef_[0]], rtol=1e-4, atol=1e-4)
    names = list(fit.parameters)
    assert names[3:9] == ["coupling[0,0]", "coupling[0,1]", "coupling[1,0]", "coupling[1,1]", *names[7:9]]
    assert names[7:9] == ["stimulus[0]*stimulus[0]", "stimulus[0]*stimulus[1]"]
    assert names[10] == "stimulus[0]*coupling[0,0]"
    lags, value, se = fit.coupling_filter()
    assert_allclose(lags, [DT, 2 * DT])
    assert_allclose(value, fit.values[3:7].reshape(2, 2))
    assert se[1, 0] == pytest.approx(fit.se["coupling[1,0]"])


def test_inputs_act_one_step_later_and_also_from_before_the_fitted_part():
    spikes = np.zeros((1, 1, 40), bool)
    spikes[0, 0, [9, 20]] = True
    model = NeuronModel(dt=1 * ms, family=nsnn.Gaussian(1.0), coupling=Lags(3), n_inputs=1)
    data = model.data([train(np.zeros(40))], inputs=block_of(spikes), t_start=10 * ms)
    assert_array_equal(np.flatnonzero(data.drive[:, 0]), [0, 11])
    assert_array_equal(np.flatnonzero(data.drive[:, 2]), [2, 13])


def test_inputs_are_integrated_by_the_membrane():
    """An NSNN neuron that the input's spikes drive, by the same recursion as its stimulus."""
    o = independent(400, 1, seed=8)
    given = steps_of(train(o[0, 0]), 400)
    cell = {"dt": 1 * ms, "family": nsnn.Gaussian(0.5), "beta": 0.7, "theta": 1.0}
    spikes = [train(np.random.default_rng(9).random(400) < 0.2)]
    as_input = NeuronModel(coupling=Lags(1), n_inputs=1, **cell)
    as_signal = NeuronModel(stimulus=Lags(1), **cell)
    one = as_input.log_likelihood([0.1, 0.6], spikes, inputs=block_of(o))
    two = as_signal.log_likelihood([0.1, 0.6], spikes, analog(lagged(given, 1)))
    assert one[0] == pytest.approx(two[0], rel=1e-12)
    assert_allclose(one[1], two[1], rtol=1e-12)


def relay(n: int = 6_000) -> tuple[neo.Block, neo.Block, np.ndarray]:
    """A neuron that an input makes fire within its own step, and less so a step later: inputs, spikes, P(spike)."""
    rng = np.random.default_rng(30)
    given = (rng.random(n) < 0.05).astype(float)
    p = expit(4.0 * given + 1.5 * lagged(given, 1) - 4.5)
    o = rng.random(n) < p
    return block_of(given[None, None] > 0), block_of(o[None, None]), p


def test_a_relay_is_fitted_with_lag_0_of_its_input_and_warned_of_without():
    """Weights and bits of the model that the spikes were drawn from."""
    inputs, spikes, p = relay()
    options: dict[str, Any] = {"dt": 1 * ms, "inputs": inputs, "coupling": 3, "family": nsnn.Logistic(1.0)}
    with pytest.warns(UserWarning, match=r"are in a step of dt = 1 ms .* first_input_lag=0") as caught:
        late = fit_neuron(spikes, **options)
    o = steps_of(spikes.segments[0].spiketrains[0], len(p))
    given = steps_of(inputs.segments[0].spiketrains[0], len(p))
    assert str(caught[0].message).startswith(f"{int(o @ given)} of {int(o.sum())} spikes")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = fit_neuron(spikes, first_input_lag=0, **options)
        best = cross_validate(
            spikes, None, [{"first_input_lag": 1}, {"first_input_lag": 0}], n_folds=2, **options
        )
    z = (fit.values - [-4.5, 4.0, 1.5, 0.0]) / list(fit.se.values())
    assert np.abs(z).max() < 4
    rate = o.mean()
    true = np.sum(np.where(o == 1, np.log2(p / rate), np.log2((1 - p) / (1 - rate)))) / o.sum()
    assert fit.bits_per_spike == pytest.approx(true, abs=0.02)
    assert late.bits_per_spike < true - 1
    assert best.best == {"first_input_lag": 0}
    assert_allclose(fit.coupling_filter()[0], [0.0, DT, 2 * DT], atol=1e-15)
    drawn = fit.simulate(inputs=inputs, seed=2).segments[0].spiketrains[0]
    assert abs(len(drawn) - p.sum()) < 4 * np.sqrt(2 * p.sum())
    with pytest.raises(NsnnError, match=r"first_input_lag = 0: neuron 0 of the inputs has the spikes of the"):
        fit_neuron(spikes, first_input_lag=0, **options | {"inputs": spikes})
    with pytest.raises(NsnnError, match="first_input_lag = 2"):
        fit_neuron(spikes, first_input_lag=2, **options)


def test_inputs_that_coincide_by_chance_are_not_warned_of():
    """Two dense independent trains: a third of the spikes share a step with the input."""
    rng = np.random.default_rng(31)
    inputs, own = block_of(rng.random((1, 1, 2000)) < 0.3), block_of(rng.random((1, 1, 2000)) < 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_neuron(own, dt=1 * ms, inputs=inputs, coupling=1)


# --- history alone -----------------------------------------------------------------------------------------------------------


def test_history_alone_gives_the_transition_frequencies():
    """With one lag the fit is the table of P(spike | spike or none before), also of simulated spikes."""
    o = independent(2000, 1, seed=12)[0, 0].astype(float)
    fit = fit_neuron([train(o)], dt=1 * ms, history=1, family=nsnn.Logistic(1.0))
    before = lagged(o, 1)
    expected = [o[before == k].mean() for k in (0, 1)]
    assert_allclose(expit([fit.values[0], fit.values.sum()]), expected, rtol=1e-8)
    drawn = fit.model.simulate([-1.0, -1.5], duration=4 * pq.s, seed=1)
    n = steps_of(drawn.segments[0].spiketrains[0], 4000)
    for k, p in enumerate(expit([-1.0, -2.5])):
        own = n[1:][n[:-1] == k]
        assert abs(own.mean() - p) < 4 * np.sqrt(p * (1 - p) / own.size)
    assert fit.rescaled().n == o.sum()
    assert fit.stimulus_filter()[1].size == 0


# --- Poisson -----------------------------------------------------------------------------------------------------------------


def test_a_poisson_fit_is_poisson_regression_of_counts():
    """Steps of 5 ms with up to several spikes: parameters of scikit-learn, likelihood of SciPy, errors of the information."""
    x = np.random.default_rng(14).normal(size=1200)
    model = NeuronModel(dt=5 * ms, family=Poisson(), stimulus=Lags(2), history=Lags(1))
    signal = analog(x, period=5e-3)
    block = model.simulate([-0.5, 0.5, 0.3, -0.2], signal, seed=3)
    counts = np.bincount(
        np.floor(block.segments[0].spiketrains[0].magnitude / 5e-3 + 1e-6).astype(int), minlength=1200
    )
    assert counts.max() > 2
    columns = np.column_stack([x, lagged(x, 1), lagged(counts.astype(float), 1)])
    rate = np.exp(columns @ [0.5, 0.3, -0.2] - 0.5)
    assert abs((counts - rate).sum() / np.sqrt(rate.sum())) < 4
    fit = fit_neuron(block, signal, dt=5 * ms, stimulus=2, history=1, family=Poisson())
    theirs = PoissonRegressor(alpha=0, solver="newton-cholesky", tol=1e-12, max_iter=100).fit(columns, counts)
    assert_allclose(fit.values, [theirs.intercept_, *theirs.coef_], rtol=1e-6)
    rate = theirs.predict(columns)
    assert fit.log_likelihood == pytest.approx(poisson.logpmf(counts, rate).sum(), rel=1e-10)
    full = np.column_stack([np.ones(1200), columns])
    assert_allclose(fit.covariance, np.linalg.inv(full.T @ (rate[:, None] * full)), rtol=1e-5)
    with pytest.warns(UserWarning, match="were fitted"):
        score = fit.score(block, signal)
    gain = (poisson.logpmf(counts, rate) - poisson.logpmf(counts, counts.mean())).sum()
    assert score.value == pytest.approx(gain / counts.sum() / np.log(2), rel=1e-9)
    assert "several spikes" in score.warning
    with pytest.raises(NsnnError, match="several spikes in a step"):
        fit.rescaled()


def test_a_poisson_fit_of_single_spikes_is_scored_as_the_others():
    """By P(spike) = 1 - exp(-rate), over the same constant neuron; and rescaled by these probabilities."""
    signal = gaussian_signal(N, 15)
    block = NeuronModel(dt=1 * ms, family=nsnn.Gaussian(1.0), stimulus=Lags(1)).simulate([-1.5, 0.8], signal)
    fit = fit_neuron(block, signal, dt=1 * ms, stimulus=1, family=Poisson())
    o = steps_of(block.segments[0].spiketrains[0])
    p = -np.expm1(-np.exp(fit.values[0] + fit.values[1] * signal.magnitude[:, 0]))
    logs = np.where(o == 1, np.log(p), np.log1p(-p))
    constant = np.where(o == 1, np.log(o.mean()), np.log1p(-o.mean()))
    assert fit.bits_per_spike == pytest.approx((logs - constant).sum() / o.sum() / np.log(2), rel=1e-9)
    assert_allclose(fit.rescaled(seed=1).z, nsnn.likelihood.Rescaled.of(p, o, seed=1).z, rtol=1e-9)


def test_a_model_that_runs_away_says_so():
    """Spikes that each cause more than one: the cure is named."""
    model = NeuronModel(dt=1 * ms, family=Poisson(), history=Lags(20))
    with pytest.warns(
        UserWarning, match=r"limited to 1000 spikes in a step: .* take a family such as Logistic"
    ):
        model.simulate([-3.0, *[0.5] * 20], duration=300 * ms, seed=1)
    o = independent(2000, 1, seed=16)[0, 0]
    fit = fit_neuron([train(o)], dt=1 * ms, history=1)
    object.__setattr__(fit, "parameters", {"bias": -1.0, "history[0]": 4.0})
    with pytest.warns(
        UserWarning, match=r"the fitted neuron runs away: simulated .* Hz, recorded .* Hz.*ridge=1\.0"
    ):
        fit.simulate(duration=1 * pq.s, seed=1)


@pytest.mark.filterwarnings("ignore:the fitted neuron runs away", "ignore:trains hold one trial")
def test_a_simulation_that_runs_away_ends_there_and_has_no_scores():
    """It had a thousand spikes in each further step."""
    o = independent(2000, 1, seed=16)[0, 0]
    fit = fit_neuron([train(o)], dt=1 * ms, history=20, family=Poisson())
    values = {"bias": -3.0, **{f"history[{k}]": 0.5 for k in range(20)}}
    object.__setattr__(fit, "parameters", fit.parameters | values)
    with pytest.warns(RunawayWarning):
        block = fit.simulate(trials=2, duration=2 * pq.s, seed=1)
    for segment in block.segments:
        times = segment.spiketrains[0].times.magnitude
        assert 500 < len(times) < 10_000
        assert times.max() < 1
    with pytest.warns(UserWarning, match="scores of simulated spikes are NaN: .* a ridge"):
        table = compare_models({"GLM": fit}, [train(o)], precision=2 * ms).set_index("score")
    table = table[table.model == "GLM"].value
    assert np.isnan(table[["rate", "cv", "gamma"]]).all()
    assert np.isfinite(table.bits_per_spike)


# --- smoothness --------------------------------------------------------------------------------------------------------------


def test_the_smoothness_prior_is_the_explicit_penalised_maximum():
    """Newton's method in NumPy for a logistic regression with the penalty and the ridge written out."""
    n, lags = 1500, 8
    x = np.random.default_rng(17).normal(size=n) * 2.0
    columns = np.stack([np.ones(n), *(lagged(x, k) for k in range(lags))], axis=1)
    w = np.concatenate([[-1.5], np.sin(np.arange(lags))])
    o = (np.random.default_rng(18).random(n) < expit(columns @ w)).astype(float)
    squares = np.mean(columns[:, 1:] ** 2, axis=0)
    bends = np.diff(np.eye(lags), 2, axis=0)
    penalty = np.zeros((lags + 1, lags + 1))
    penalty[1:, 1:] = 5.0 * squares.mean() * bends.T @ bends + 0.3 * np.diag(squares)
    p = np.zeros(lags + 1)
    for _ in range(20):
        rate = expit(columns @ p)
        curvature = columns.T @ ((rate * (1 - rate))[:, None] * columns) + penalty
        p += np.linalg.solve(curvature, columns.T @ (o - rate) - penalty @ p)
    options = {"dt": 1 * ms, "stimulus": lags, "family": nsnn.Logistic(1.0)}
    fit = fit_neuron([train(o)], analog(x), smoothness=5.0, ridge=0.3, **options)
    assert_allclose(fit.values, p, rtol=1e-6, atol=1e-8)
    assert_allclose(fit.covariance, np.linalg.inv(curvature), rtol=1e-5)
    head, *_, row = str(fit).splitlines()
    assert head == f"NeuronFit: {fit.n_spikes} spikes in 1500 steps of 0.001 s, ridge 0.3, smoothness 5"
    name, value, se, *_ = row.split()
    assert name == "stimulus[7]"
    assert float(value) == pytest.approx(p[8], rel=1e-3)
    assert float(se) == pytest.approx(fit.se[name], rel=0.1)
    rough, smooth = (
        np.abs(np.diff(fit_neuron([train(o)], analog(x), smoothness=s, **options).values[1:], 2)).sum()
        for s in (0.0, 1e6)
    )
    assert smooth < 0.01 * rough

"""Fits of neurons to spikes: the maximum is one, recovery of what was simulated, coverage, scores, goodness of fit."""

from __future__ import annotations

import dataclasses
from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import ms
from helpers.fits import (
    BURSTY,
    BURSTY_P,
    DT,
    HISTORY,
    KINDS,
    Skewed,
    analog,
    gaussian_signal,
    some_data,
    train,
    trials_of,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.stats import chi2, kstest

import nsnn_neuro as nsnn
from nsnn_neuro import fit_neuron
from nsnn_neuro.likelihood import Exponentials, Lags, NeuronModel, RaisedCosines, Rescaled

# --- the maximum -------------------------------------------------------------------------------------------------------------


def test_no_search_finds_a_higher_likelihood():
    """The gradient vanishes at the fit, and BFGS from elsewhere ends there."""
    model = NeuronModel(dt=1 * ms, family=nsnn.Gaussian(0.7), stimulus=Lags(2), **KINDS["subtract"])
    trains, signal, p = some_data(model, trials=10, n=200)
    fit = fit_neuron(trains, signal, dt=1 * ms, stimulus=2, family=model.family, **KINDS["subtract"])
    value, gradient = model.log_likelihood(fit.parameters, trains, signal)
    assert value == pytest.approx(fit.log_likelihood, rel=1e-12)
    assert np.max(np.abs(gradient) * list(fit.se.values())) < 2e-5  # of a standard error
    data = model.data(trains, signal)

    def loss(q: np.ndarray) -> tuple[float, np.ndarray]:
        found = model.evaluate(q, data)
        return -found.log_likelihood, -found.gradient

    theirs = minimize(loss, p, jac=True, method="BFGS", options={"gtol": 1e-4, "maxiter": 500})
    assert -theirs.fun <= fit.log_likelihood + 1e-9
    assert_allclose(theirs.x, fit.values, atol=2e-3 * max(fit.se.values()))


def with_outliers(n: int, rate: float, pairs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Spikes that follow channel 0 but for a few steps, and channel 1 is seen in these alone: sparse data with spikes where the
    model expects none."""
    rng = np.random.default_rng(seed)
    o = (rng.random(n) < rate).astype(float)
    x = np.column_stack([2 * o - 1, np.zeros(n)])
    odd = np.concatenate([rng.choice(np.flatnonzero(o == k), pairs, replace=False) for k in (1, 0)])
    x[odd, 0] *= -1
    x[odd, 1] = rng.uniform(0.5, 1.5, 2 * pairs)
    return o, x


@pytest.mark.parametrize(
    ("family", "most", "data"),
    [
        (nsnn.Gaussian(1.0), 15, (20_000, 0.02, 1, 0)),
        (nsnn.Triangular(12.0), 15, (20_000, 0.3, 2, 0)),
        (nsnn.FastSigmoid(2.0), 60, (5000, 0.05, 2, 2)),
    ],
    ids=repr,
)
def test_sparse_data_take_few_steps(family, most, data):
    """One maximum, or with heavy tails a maximum: the gradient vanishes and the curvature is positive definite."""
    o, x = with_outliers(*data)
    signal = analog(x)
    fit = fit_neuron([train(o)], signal, dt=1 * ms, stimulus=1, family=family)
    assert fit.iterations <= most
    gradient = fit.model.log_likelihood(fit.parameters, [train(o)], signal)[1]
    assert np.max(np.abs(gradient) * list(fit.se.values())) < 2e-5
    value = fit.model.evaluate(fit.values, fit.model.data([train(o)], signal))
    size = np.sqrt(np.diag(value.curvature))
    assert np.linalg.eigvalsh(value.curvature / np.outer(size, size))[0] > 1e-8


def test_a_membrane_that_subtracts_is_fitted_without_overflow():
    """Rare strong inputs and spikes that ignore them: far from its maximum the likelihood falls like a^2."""
    rng = np.random.default_rng(3)
    x = 200.0 * (rng.random(8000) < 0.005)
    o = (rng.random(8000) < 0.03).astype(float)
    with np.errstate(all="raise", under="ignore"):
        fit = fit_neuron(
            [train(o)], analog(x), dt=1 * ms, stimulus=1, history=1, beta="fit", reset="subtract"
        )
    gradient = fit.model.log_likelihood(fit.parameters, [train(o)], analog(x))[1]
    assert np.max(np.abs(gradient) * list(fit.se.values())) < 2e-5


@pytest.mark.slow
def test_a_uniform_fit_is_the_maximum_or_refused_with_the_reason():
    """Corners of its likelihood: no step to a neighbour wins, or the error names them."""
    signal = gaussian_signal(4000, 1)
    model = NeuronModel(dt=1 * ms, family=nsnn.Uniform(4.0), stimulus=Lags(3))
    block = model.simulate([-3.8, 0.8, 0.4, -0.5], signal, seed=1)
    fit = fit_neuron(block, signal, dt=1 * ms, stimulus=3, family=model.family)
    away = np.random.default_rng(2).normal(size=(50, 4)) * 0.01
    around = [model.log_likelihood(fit.values + off, block, signal)[0] for off in away]
    assert max(around) < fit.log_likelihood
    o, x = with_outliers(5000, 0.05, 2, 2)
    with pytest.raises(nsnn.NsnnError, match="the density of Uniform jumps"):
        fit_neuron([train(o)], analog(x), dt=1 * ms, stimulus=1, family=nsnn.Uniform(12.0))


@pytest.mark.parametrize("family", [nsnn.Cauchy(0.5), Skewed(0.8)], ids=repr)
def test_every_familys_fit_finds_what_was_simulated(family):
    """All parameters within 4 standard errors, jointly within the chi-square law, and the true likelihood is below the maximum."""
    model = NeuronModel(dt=1 * ms, family=family, stimulus=Lags(2), history=Lags(1))
    p, signal = np.array([-0.7, 0.3, -0.2, -0.4]), gaussian_signal(8000, 40)
    block = model.simulate(p, signal, seed=2)
    fit = fit_neuron(block, signal, dt=1 * ms, stimulus=2, history=1, family=family)
    off = fit.values - p
    assert np.all(np.abs(off) < 4 * np.array(list(fit.se.values())))
    assert chi2.sf(off @ np.linalg.solve(fit.covariance, off), 4) > 1e-4
    won = fit.log_likelihood - model.log_likelihood(p, block, signal)[0]
    assert 0 < won < chi2.isf(1e-4, 4) / 2


@pytest.mark.slow
def test_intervals_cover_the_truth_of_simulated_neurons():
    """100 fits of 6 parameters. Were all 600 intervals independent, their coverage would have SD .9 % about 95: 90 to 98 % are
    -5.6 and +3.4 SD; at worst, with all six of a fit alike, 2.2 %, and -2.3 and +1.4 SD. The mean estimate is held to |z| < 4."""
    true = {
        "bias": -1.6, "stimulus[0]": 0.6, "stimulus[1]": -0.3, "stimulus[2]": 0.2, "history[0]": -1.0, "history[1]": 0.4,
    }  # fmt: skip
    history = Exponentials([2, 12] * ms)
    model = NeuronModel(dt=1 * ms, family=nsnn.Gaussian(1.0), stimulus=Lags(3), history=history)
    signal = gaussian_signal(3000, 11)
    block = model.simulate(true, signal, trials=100, seed=12)
    fits = [fit_neuron([one], signal, dt=1 * ms, stimulus=3, history=history) for one in trials_of(block)]
    inside = [low <= true[k] <= high for fit in fits for k, (low, high) in fit.interval(0.95).items()]
    assert 0.90 <= np.mean(inside) <= 0.98
    z = np.array([(fit.values - list(true.values())) / list(fit.se.values()) for fit in fits])
    # the bias of maximum likelihood, of order 1/n, is about a tenth of a standard error at these 600 spikes
    assert np.all(np.abs(z.mean(axis=0)) < 0.1 + 4 / np.sqrt(len(fits)))
    assert np.all(np.abs(z.std(axis=0, ddof=1) - 1) < 4 / np.sqrt(2 * len(fits)))


def test_an_nsnn_neuron_of_simulate_is_found_again():
    signal = analog(0.35 + 0.5 * np.random.default_rng(13).normal(size=2000))
    block = nsnn.simulate(
        nsnn.NSNNNeuron(beta=0.5, theta=1.0), nsnn.EscapeNoise(nsnn.Gaussian(0.4)), nsnn.Recorded(signal), trials=20,
        duration=2000 * ms, dt=1 * ms, seed=14, engine="numpy",
    )  # fmt: skip
    true = {"bias": 0.0, "stimulus[0]": 1.0, "theta": 1.0, "beta": 0.5}
    options = {"dt": 1 * ms, "stimulus": 1, "family": nsnn.Gaussian(0.4), "beta": "fit", "theta": "fit"}
    fit = fit_neuron(block, signal, **options)
    assert set(fit.parameters) == set(true)
    for name, value in fit.parameters.items():
        assert abs(value - true[name]) < 4 * fit.se[name], name


def test_derived_quantities_have_the_delta_methods_errors():
    """Noise over threshold, sigma / theta, and sums of parameters."""
    model = NeuronModel(dt=1 * ms, family=nsnn.Gaussian(1.0), stimulus=Lags(1), beta=0.6)
    signal = gaussian_signal(2000, 15)
    true = {"bias": 0.7, "stimulus[0]": 0.8, "theta": 2.5}
    fit = fit_neuron(model.simulate(true, signal, seed=16), signal, dt=1 * ms, stimulus=1, beta=0.6)
    value, error = fit.derived(lambda p: 1 / p["theta"])
    assert value == pytest.approx(1 / fit.parameters["theta"])
    assert abs(value - 0.4) < 4 * error
    assert error == pytest.approx(value**2 * fit.se["theta"], rel=1e-5)  # d(1/theta) = -dtheta/theta^2
    both = fit.derived(lambda p: [p["bias"], p["bias"] + p["theta"]])
    c = fit.covariance
    assert_allclose(both[1], np.sqrt([c[0, 0], c[0, 0] + c[2, 2] + 2 * c[0, 2]]), rtol=1e-6)


def test_filters_are_the_bases_times_their_parameters():
    signal = gaussian_signal(4000, 17, channels=2)
    stimulus, history = RaisedCosines(3, 10 * ms), Exponentials(5 * ms)
    model = NeuronModel(dt=1 * ms, family=nsnn.Gaussian(1.0), stimulus=stimulus, history=history, channels=2)
    p = [-1.5, 0.3, 0.1, 0.0, -0.2, 0.0, 0.1, -1.0]
    fit = fit_neuron(model.simulate(p, signal), signal, dt=1 * ms, stimulus=stimulus, history=history)
    lags, value, se = fit.stimulus_filter()
    basis = stimulus.matrix(DT, 0)
    assert_allclose(lags, np.arange(len(basis)) * DT)
    w = [[fit.parameters[f"stimulus[{c},{k}]"] for k in range(3)] for c in range(2)]
    assert_allclose(value, basis @ np.transpose(w), rtol=1e-12)
    expected = [
        fit.derived(lambda p, c=c: sum(basis[4, k] * p[f"stimulus[{c},{k}]"] for k in range(3)))[1]
        for c in range(2)
    ]
    assert_allclose(se[4], expected, rtol=1e-6)
    lags, value, se = fit.history_filter()
    assert lags[0] == DT
    assert value[0] == fit.parameters["history[0]"]
    assert se[0] == pytest.approx(fit.se["history[0]"], rel=1e-12)
    assert_allclose(value[5] / value[0], np.exp(-1), rtol=1e-12)


# --- what a fit is good for --------------------------------------------------------------------------------------------------


def test_the_score_is_the_bits_per_spike_of_the_formula():
    signal = gaussian_signal(2000, 18)
    block = BURSTY.simulate(BURSTY_P, signal, trials=3, seed=1)
    fit = fit_neuron(block, signal, dt=1 * ms, stimulus=2, history=HISTORY)
    n, steps = sum(map(len, trials_of(block))), 6000
    homogeneous = n * np.log(n / steps) + (steps - n) * np.log(1 - n / steps)
    with pytest.warns(UserWarning, match=f"{n} of the {n} spikes were fitted, so that the score is too high"):
        score = fit.score(block, signal)
    assert float(score) == pytest.approx((fit.log_likelihood - homogeneous) / n / np.log(2), rel=1e-10)
    assert float(score) == pytest.approx(fit.bits_per_spike, rel=1e-12)
    assert score.unit == "bit/spike"
    assert score.n == n == fit.n_spikes


def test_scores_say_how_many_spikes_were_fitted_and_fits_that_a_signal_is_far_too_long(recwarn):
    signal = gaussian_signal(2000, 18)
    block = BURSTY.simulate(BURSTY_P, signal, trials=3, seed=1)
    half = {"t_start": 1 * pq.s}
    fit = fit_neuron(block, signal, dt=1 * ms, stimulus=2, history=HISTORY, **half)
    fit.score(block, signal, t_stop=1 * pq.s)
    fit.score(BURSTY.simulate(BURSTY_P, signal, trials=3, seed=2), signal)
    fit.score(block.segments[0].spiketrains, signal)  # other numbers of trials are not compared
    assert not recwarn.list
    second = sum(int((t >= 1).sum()) for t in trials_of(block))
    with pytest.warns(UserWarning, match=f"{second} of the"):
        fit.score(block, signal, t_start=0.9 * pq.s)
    long = gaussian_signal(30_000, 19)
    fit.model.data(block, long)  # as it is sampled in steps of the model
    assert len(recwarn.list) == 0
    slow = neo.AnalogSignal(signal.magnitude, units=signal.units, sampling_rate=1 * pq.Hz)
    with pytest.warns(
        UserWarning, match="signal lasts to 2000 s, and the trials to 2 s: is its sampling rate of 1 Hz right"
    ):
        fit.model.data(block, slow)


@pytest.mark.slow
def test_the_scores_error_is_its_spread_over_recordings():
    """40 recordings, each with its own signal; the SD of 40 values has an error of 11 %."""
    fit = fit_neuron(
        BURSTY.simulate(BURSTY_P, gaussian_signal(9000, 19)),
        gaussian_signal(9000, 19),
        dt=1 * ms,
        stimulus=2,
        history=HISTORY,
    )
    scores = []
    for k in range(40):
        signal = gaussian_signal(1500, 100 + k)
        scores.append(fit.score(BURSTY.simulate(BURSTY_P, signal, seed=k), signal))
    spread = np.std([s.value for s in scores], ddof=1)
    assert abs(np.mean([s.se for s in scores]) / spread - 1) < 0.45


@pytest.mark.slow
def test_rescaled_intervals_of_the_true_model_are_uniform():
    """p-values of 300 recordings are uniform; so are all intervals together. A spike in every seventh step: no small-dt limit."""
    signal = gaussian_signal(500, 22)
    model = NeuronModel(dt=1 * ms, family=nsnn.Gaussian(1.0), stimulus=Lags(2), history=HISTORY)
    p = np.array([-0.8, 0.7, 0.3, -2.0, 0.5])
    block = model.simulate(p, signal, trials=300, seed=4)
    found = []
    for k, one in enumerate(trials_of(block)):
        data = model.data([one], signal)
        found.append(Rescaled.of(-np.expm1(model.probability(p, data)[0]), data.o, seed=k))
    assert np.mean([r.n for r in found]) > 60
    assert kstest([r.p for r in found], "uniform").pvalue > 1e-3
    data = model.data(block, signal)
    whole = Rescaled.of(-np.expm1(model.probability(p, data)[0]), data.o, seed=0)
    assert whole.n == data.o.sum()
    assert whole.p > 1e-3
    gauss = np.sqrt(whole.n) * np.corrcoef(whole.z[1:], whole.z[:-1])[0, 1]
    assert abs(gauss) < 4  # independent


def test_any_model_s_probabilities_are_rescaled_alike():
    """Those of a fit give the fit's own test; those of another order of repeats another."""
    signal = gaussian_signal(3000, 25)
    block = BURSTY.simulate(BURSTY_P, signal, trials=2, seed=5)
    fit = fit_neuron(block, signal, dt=1 * ms, stimulus=2, history=HISTORY)
    data = fit.model.data(block, signal)
    p = fit.model.family.cdf(fit.model.evaluate(fit.values, data).potential)
    own = fit.rescaled(seed=3)
    assert_allclose(Rescaled.of(p, data.o, seed=3).z, own.z, rtol=1e-9, atol=1e-12)
    table = p.reshape(2, -1), data.o.reshape(2, -1)
    assert_allclose(Rescaled.of(*table, seed=3).z, own.z, rtol=1e-9, atol=1e-12)
    assert Rescaled.of(*(a[::-1] for a in table), seed=3).ks != pytest.approx(own.ks, abs=1e-9)


@pytest.mark.slow
def test_to_neuron_gives_the_same_spikes_without_noise_and_the_same_rates_with_it():
    """A family so narrow that spikes are certain, by both simulators; then counts of trials with the fitted noise."""
    signal = gaussian_signal(400, 30)
    options: dict[str, Any] = {"dt": 1 * ms, "stimulus": 2, "beta": 0.7, "theta": 1.5, "reset": "subtract"}
    true = NeuronModel(**{**options, "stimulus": Lags(2)}, family=nsnn.Gaussian(1.0))
    fit = fit_neuron(true.simulate([0.1, 0.7, 0.4], signal, trials=4), signal, **options)
    run = {"duration": 400 * ms, "dt": 1 * ms, "engine": "numpy"}
    sure = dataclasses.replace(
        fit, model=dataclasses.replace(fit.model, family=nsnn.Gaussian(1e-6), theta=fit.model.theta)
    )
    one = nsnn.simulate(*sure.to_neuron(signal), **run).segments[0].spiketrains[0]
    two = sure.model.simulate(sure.values, signal).segments[0].spiketrains[0]
    assert len(two) > 20
    assert_allclose(one.magnitude, two.magnitude, atol=1e-9)
    counts = [
        np.array([len(train) for train in trials_of(block)])
        for block in (
            nsnn.simulate(*fit.to_neuron(signal), trials=40, seed=1, **run),
            fit.simulate(signal, trials=40, seed=2),
        )
    ]
    drawn = fit.simulate(signal, seed=7).annotations
    assert (drawn["parameters"], drawn["seed"]) == (fit.parameters, 7)
    difference = counts[0].mean() - counts[1].mean()
    assert abs(difference) < 4 * np.sqrt((counts[0].var() + counts[1].var()) / 40)
    # an F ratio of 40 and 40 trials: |z| < 4 is 0.27 to 3.7
    assert 0.4 < counts[0].var() / counts[1].var() < 2.5


# --- the unit of the signal --------------------------------------------------------------------------------------------------


def in_nanoampere() -> tuple[Any, Any]:
    rng = np.random.default_rng(40)
    signal = neo.AnalogSignal(rng.normal(size=3000), units="nA", sampling_period=DT * pq.s)
    return NeuronModel(dt=1 * ms, family=nsnn.Gaussian(1.0), stimulus=Lags(1)).simulate(
        [-1.5, 0.9], signal
    ), signal


@pytest.mark.filterwarnings("ignore:.*spikes were fitted")
def test_signals_in_another_unit_give_the_same_score_spikes_and_test():
    block, signal = in_nanoampere()
    fit = fit_neuron(block, signal, dt=1 * ms, stimulus=1)
    other = signal.rescale("pA")
    assert other.magnitude.std() > 900
    expected = fit.score(block, signal)
    assert fit.score(block, other).value == pytest.approx(expected.value, rel=1e-9)
    assert fit.score([block.segments[0].spiketrains[0]], [other]).value == pytest.approx(
        expected.value, rel=1e-9
    )
    assert fit.evaluate(block, other)["bits_per_spike"] == pytest.approx(expected.value, rel=1e-9)
    assert fit.rescaled(block, other).ks == pytest.approx(fit.rescaled().ks, rel=1e-9)
    assert_allclose(fit.model.data(block, other).drive, fit.model.data(block, signal).drive, rtol=1e-12)
    one, two = (fit.simulate(x, seed=3).segments[0].spiketrains[0].magnitude for x in (signal, other))
    assert len(one) > 50
    assert_array_equal(one, two)

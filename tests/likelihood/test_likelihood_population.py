"""Fits of coupled neurons: each is the single fit with the others as inputs; recovery, simulation, scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import quantities as pq
from brian2 import ms
from helpers.fits import DT, gaussian_signal
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from scipy.stats import chi2

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, fit_neuron, fit_population
from nsnn_neuro.likelihood import Lags, Poisson, PopulationFit

N = 4000
# (post, pre), lag 1; the diagonal is the history
WEIGHTS = np.array([[-2.0, 1.5, 0.0], [0.0, -2.0, -1.2], [0.0, 0.9, -2.0]])
GAIN = np.array([0.8, 0.0, -0.5])


@pytest.fixture(scope="module")
def recorded() -> tuple[Any, Any]:
    """Three logistic neurons in a stimulus, drawn by a loop of its own, two trials."""
    rng, x = np.random.default_rng(1), gaussian_signal(N, 2)
    o = np.zeros((2, 3, N))
    for t in range(N):
        a = -1.2 + GAIN * x.magnitude[t, 0] + (o[:, :, t - 1] @ WEIGHTS.T if t else 0.0)
        o[:, :, t] = rng.random((2, 3)) < expit(a)
    times = [[np.flatnonzero(cell) * DT for cell in trial] for trial in o]
    return nsnn.to_block(times, t_stop=N * DT * pq.s), x


@pytest.fixture(scope="module")
def fitted(recorded: tuple[Any, Any]) -> PopulationFit:
    block, x = recorded
    family = nsnn.Logistic(1.0)
    return fit_population(
        block, x, dt=1 * ms, stimulus=1, coupling=2, history=1, family=family, t_stop=3 * pq.s
    )


def test_each_neuron_is_fitted_with_the_others_as_inputs(recorded, fitted):
    block, x = recorded
    options = {"dt": 1 * ms, "stimulus": 1, "coupling": 2, "history": 1, "family": nsnn.Logistic(1.0)}
    own, others = nsnn.select(block, units=1), nsnn.select(block, units=[0, 2])
    alone = fit_neuron(own, x, inputs=others, t_stop=3 * pq.s, **options)
    assert_allclose(alone.values, fitted.fits[1].values, rtol=1e-9)
    late: dict[str, Any] = {"t_start": 3 * pq.s}
    table = fitted.scores(block, x, **late)
    assert table.bits_per_spike[1] == pytest.approx(
        alone.score(own, x, inputs=others, **late).value, rel=1e-9
    )
    total = fitted.score(block, x, **late)
    assert total.value == pytest.approx(np.average(table.bits_per_spike, weights=table.n), rel=1e-9)
    assert fitted.rescaled(block, x, **late)[1].ks == pytest.approx(
        alone.rescaled(own, x, inputs=others, **late).ks, rel=1e-9
    )
    assert_allclose(fitted.fits[1].history_filter()[1], alone.history_filter()[1], rtol=1e-9)
    with pytest.raises(NsnnError, match="block has 2 neurons: expected 3"):
        fitted.score(nsnn.select(block, units=[0, 1]), x)
    with pytest.raises(NsnnError, match="keeps no regressors"):
        fitted.fits[1].rescaled()
    with pytest.warns(UserWarning, match="were fitted"):
        fitted.score(block, x, t_stop=3 * pq.s)


def test_coupling_is_found_where_it_is_and_zero_elsewhere(fitted):
    """18 parameters of coupling and history, all together within the chi-square law of their errors."""
    lags, filters, errors = fitted.coupling_filters()
    assert_allclose(lags, [DT, 2 * DT])
    off = ~np.eye(3, dtype=bool)
    true = np.stack([WEIGHTS, np.zeros((3, 3))], axis=2)
    z = ((filters - true) / errors)[off]
    assert np.isnan(filters[~off]).all()
    assert np.max(np.abs(z)) < 4
    assert 1e-4 < chi2.sf(np.sum(z**2), z.size) < 1 - 1e-4
    p = fitted.coupling_p()
    assert np.all(p[off & (WEIGHTS != 0)] < 1e-6)
    assert np.all(p[off & (WEIGHTS == 0)] > 1e-3)
    for k, fit in enumerate(fitted.fits):
        assert abs(fit.parameters["history[0]"] + 2.0) < 4 * fit.se["history[0]"]
        assert abs(fit.parameters["stimulus[0]"] - GAIN[k]) < 4 * fit.se["stimulus[0]"]
    assert str(fitted).startswith("PopulationFit: 3 neurons")


@pytest.mark.slow
def test_a_fitted_population_simulates_its_rates_and_correlations(recorded, fitted):
    """Counts of trials, and pairs of spikes one step apart, of four simulated trials and the two recorded ones."""
    block, x = recorded
    simulated = fitted.simulate(x, trials=4, seed=3)

    def statistics(source: Any) -> np.ndarray:
        rows = []
        for segment in source.segments:
            o = np.zeros((3, N))
            for j, one in enumerate(segment.spiketrains):
                o[j, np.rint(one.magnitude / DT).astype(int)] = 1
            rows.append(np.concatenate([o.sum(axis=1), (o[:, 1:] @ o[:, :-1].T).ravel()]))
        return np.array(rows)

    ours, theirs = statistics(simulated), statistics(block)
    # the fit is of 6 s, with an error of its own
    error = np.sqrt(ours.var(axis=0, ddof=1) * (1 / 4 + 1 / 2 + 4 / 3))
    assert np.max(np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) / error) < 4
    again = fitted.simulate(x, trials=4, seed=3)
    assert_array_equal(
        again.segments[3].spiketrains[2].magnitude, simulated.segments[3].spiketrains[2].magnitude
    )


def test_a_spike_acts_on_the_others_after_its_lag(fitted):
    """A neuron that fires in every fifth step and others that fire only with its spike, one and two steps later."""
    fits = []
    for k, fit in enumerate(fitted.fits):
        p = dict.fromkeys(fit.parameters, 0.0) | {"bias": -500.0}
        if k == 0:
            p |= {"stimulus[0]": 1000.0}
        else:
            p |= {f"coupling[0,{k - 1}]": 1000.0}
        fits.append(type(fit)(**{**fit.__dict__, "parameters": p}))
    pulses = gaussian_signal(50, 1)
    pulses[:, 0] = (np.arange(50) % 5 == 0).astype(float)[:, None] * pq.dimensionless
    (segment,) = PopulationFit(tuple(fits)).simulate(pulses).segments
    steps = [np.rint(one.magnitude / DT).astype(int) for one in segment.spiketrains]
    assert_array_equal(steps[0], np.arange(0, 50, 5))
    assert_array_equal(steps[1], np.arange(1, 50, 5))
    assert_array_equal(steps[2], np.arange(2, 50, 5))


@pytest.mark.slow
def test_populations_that_run_away_say_so_and_each_neuron_may_choose_its_ridge(recorded, fitted):
    block, x = recorded
    wild = tuple(
        type(fit)(**{**fit.__dict__, "parameters": fit.parameters | {"coupling[0,0]": 9.0, "bias": 2.0}})
        for fit in fitted.fits
    )
    with pytest.warns(UserWarning, match=r"neuron \d .*runs away: simulated .*fewer lags of history"):
        PopulationFit(wild).simulate(x)
    poisson = fit_population(block, dt=1 * ms, coupling=Lags(1), ridge="cv", family=Poisson(), n_folds=2)
    assert all({0.01, 0.1, 1.0, 10.0, 100.0} <= set(fit.ridges) for fit in poisson.fits)
    assert poisson.coupling_p()[0, 1] < 1e-6

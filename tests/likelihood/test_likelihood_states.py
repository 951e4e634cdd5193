"""Hidden states: all paths of short recordings, single states, errors on simulated spikes, what is refused and warned of."""

from __future__ import annotations

import importlib
import itertools
import json
import pickle
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from brian2 import ms, second
from helpers.fits import analog, gaussian_signal
from helpers.refusals import assert_refused
from numpy.testing import assert_allclose, assert_array_equal

from nsnn_neuro import Gaussian, Logistic, NsnnError, fit_neuron
from nsnn_neuro.likelihood import (
    Lags,
    NegativeBinomial,
    NeuronModel,
    Poisson,
    StatesFit,
    StatesModel,
    compare_models,
    cross_validate,
    fit_states,
)
from nsnn_neuro.likelihood.prior import Prior
from nsnn_neuro.likelihood.states import states_search as search
from nsnn_neuro.likelihood.states.states_model import Priors
from nsnn_neuro.likelihood.states.states_search import improved

ROOT = Path(__file__).resolve().parents[2]
UP_DOWN = [-5.0, -2.0, -4.5, -4.0, 0.0]  # of a logistic cell in steps of 2 ms: 3 and 60 Hz, for .2 and .1 s
CELL = StatesModel(dt=2 * ms, family=Logistic(1.0), n_states=2)
TINY = {
    "poisson": (Poisson(), {}),
    "refractory": (Gaussian(1.0), {"refractory": 1 * ms, "history": Lags(3)}),
    "driven": (Logistic(1.0), {"stimulus": Lags(1), "transitions": Lags(2)}),
}


def tiny(name):
    """A model of three states with its parameters, and two trials of a few steps."""
    family, options = TINY[name]
    driven = "stimulus" in options
    model = StatesModel(dt=1 * ms, family=family, n_states=3, **options)
    p = np.random.default_rng(3).normal(size=len(model.names))
    signal = gaussian_signal(5, 1) if driven else None
    data = model.data([[0.001, 0.003], [0.0]], signal, t_start=0 * second, t_stop=5 * ms)
    return model, p, data


def all_paths(model, p, data):
    """Paths of states (n_paths, n) with their log-probabilities together with the spikes, written out."""
    states, odds, first = model.split(p)
    logs = np.stack([model.cell.evaluate(q, data).logs for q in states], axis=1)
    if isinstance(model.family, Poisson):
        a = states[:, 0]
        logs = data.o[:, None] * a - np.exp(a)
    logs = np.where(data.free[:, None], logs, 0.0)
    paths = np.array(list(itertools.product(range(model.n_states), repeat=len(data.o))))
    total = np.zeros(len(paths))
    z = data.columns if len(data.columns) > 1 else np.ones((len(data.o), 1))
    for t in range(len(data.o)):
        if data.begins[t]:
            chances = np.exp(first) / np.exp(first).sum()
            total += np.log(chances[paths[:, t]])
        else:
            weight = np.exp(odds @ z[t])
            total += np.log((weight / weight.sum(axis=1, keepdims=True))[paths[:, t - 1], paths[:, t]])
        total += logs[t, paths[:, t]]
    return paths, total


@pytest.mark.parametrize("name", TINY)
def test_likelihood_posterior_and_most_likely_path_are_those_of_all_paths(name):
    model, p, data = tiny(name)
    paths, total = all_paths(model, p, data)
    now, share = model.expect(p, data), np.exp(total - np.logaddexp.reduce(total))
    assert_allclose(now.log_likelihood, np.logaddexp.reduce(total), rtol=1e-12)
    each = paths[:, :, None] == np.arange(3)
    assert_allclose(now.posterior, np.tensordot(share, each, 1), atol=1e-12)
    inner = np.flatnonzero(~data.begins)
    pairs = np.einsum("p,pti,ptj->tij", share, each[:, inner - 1].astype(float), each[:, inner].astype(float))
    assert_allclose(now.transitions.sum(axis=0), pairs.sum(axis=0), atol=1e-12)
    fit = fit_of(model, p, data)
    assert_array_equal(fit.states(), paths[np.argmax(total)])
    if name != "poisson":  # of which the probability is that of a spike or more
        assert_allclose(model.probability(p, data)[1].sum(), now.log_likelihood, rtol=1e-12)


def fit_of(model, p, data):
    """A result with these parameters."""
    named = dict(zip(model.names, np.asarray(p).tolist(), strict=True))
    none, n = np.full((len(p),) * 2, np.nan), int(data.o.sum())
    return StatesFit(model, named, dict.fromkeys(named, np.nan), none, 0.0, 0.0, n, len(data.o), 0.0, 0, data)


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("penalised", [False, True])
def test_the_gradient_is_that_of_differences(name, penalised):
    model, p, data = tiny(name)
    priors = Priors.of(model, data, Prior(2.0)) if penalised else None
    steps = 1e-5 * np.eye(len(p))
    slopes = [
        (model.objective(p + d, data, priors)[0] - model.objective(p - d, data, priors)[0]) / 2e-5
        for d in steps
    ]
    assert_allclose(model.objective(p, data, priors)[1], slopes, atol=1e-8)


@pytest.mark.parametrize("family", [Logistic(1.0), Poisson()])
def test_expectation_maximisation_never_decreases(family):
    model = StatesModel(dt=2 * ms, family=family, n_states=3, history=Lags(2))
    p = np.concatenate([[-5, 0, 0], [-3, -0.5, 0], [-1.5, -1, 0], np.full(6, -4), np.zeros(2)])
    data = model.data(model.simulate(p, duration=4 * second, seed=1))
    priors, p = Priors.of(model, data, Prior()), p + np.random.default_rng(0).normal(size=len(p))
    heights = []
    for _ in range(30):
        heights.append(model.objective(p, data, priors)[0])
        p = improved(model, p, data, priors, model.expect(p, data))
    assert np.all(np.diff(heights) > -1e-9)
    assert heights[-1] > heights[0] + 10


@pytest.mark.parametrize("family", [Gaussian(1.0), Poisson()])
def test_a_single_state_is_fit_neuron(family):
    signal = gaussian_signal(2000, 2)
    shared = {"dt": 1 * ms, "family": family, "stimulus": Lags(2), "history": Lags(2)}
    block = NeuronModel(**shared).simulate([-2.0, 0.5, 0.2, 0.3, 0.1], signal, trials=2, seed=1)
    plain, one = fit_neuron(block, signal, **shared), fit_states(block, signal, n_states=1, **shared)
    assert_allclose(one.values, plain.values, rtol=1e-12)
    assert_allclose(one.covariance, plain.covariance, rtol=1e-10)
    assert_allclose(one.log_likelihood, plain.log_likelihood, rtol=1e-12)
    assert one.bits_per_spike == pytest.approx(plain.bits_per_spike, rel=1e-10)
    if not isinstance(family, Poisson):
        assert one.rescaled().p == pytest.approx(plain.rescaled().p, rel=1e-9)


def test_simulated_spikes_of_one_state_are_those_of_the_neuron_and_keep_the_refractory_time():
    shared = {"dt": 1 * ms, "family": Gaussian(1.0), "history": Lags(4), "refractory": 2 * ms}
    p = np.array([-1.5, 0.0, 0.0, 0.5, 0.5])
    one = StatesModel(n_states=1, **shared).simulate(p, trials=2, duration=1 * second, seed=5)
    plain = NeuronModel(**shared).simulate(p, trials=2, duration=1 * second, seed=5)
    for a, b in zip(one.segments, plain.segments, strict=True):
        assert_array_equal(a.spiketrains[0].magnitude, b.spiketrains[0].magnitude)
    two = StatesModel(n_states=2, **shared)  # changes in almost every step
    times = (
        two.simulate([*p, *(p + 1), 0.0, 0.0, 0.0], duration=2 * second).segments[0].spiketrains[0].magnitude
    )
    assert len(times) > 300
    assert np.diff(times).min() > 0.0029


def test_a_posterior_says_how_often_a_state_is_the_true_one():
    """Over independent trials: the share of true states among steps with a posterior of about 0.1, 0.3, ..."""
    trials = 200
    block = CELL.simulate(UP_DOWN, trials=trials, duration=0.6 * second, seed=7)
    true = CELL.draw_states(UP_DOWN, trials=trials, duration=0.6 * second, seed=7).T == 1
    data = CELL.data(block)
    posterior = CELL.expect(np.array(UP_DOWN), data).posterior[:, 1].reshape(true.shape)
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        within = (posterior >= low) & (posterior < low + 0.2)
        off = np.where(within, true - posterior, 0.0).sum(axis=1)
        assert within.sum() > 500
        assert abs(off.mean()) < 4 * off.std() / np.sqrt(trials)


def test_states_are_recovered_in_the_order_of_their_rates_and_predict_later_spikes():
    block = CELL.simulate(np.array(UP_DOWN)[[1, 0, 3, 2, 4]], duration=40 * second, seed=2)
    fit = fit_states(block, n_states=2, dt=2 * ms, family=Logistic(1.0), t_stop=30 * second, n_starts=2)
    z = (fit.values - UP_DOWN) / list(fit.se.values())
    assert np.abs(z).max() < 4
    assert fit.table.rate.is_monotonic_increasing
    assert (fit.table.dwell_low < fit.table.dwell).all()
    assert (fit.table.dwell < fit.table.dwell_high).all()
    assert_allclose(fit.table.dwell, 2e-3 / (1 - np.diag(fit.transition)))
    assert_allclose(fit.table.visits.diff().iloc[1], 0, atol=1)  # in turn
    now = fit.model.expect(fit.values, fit._data)
    counts = now.transitions[0] + 0.5 * (1 - np.eye(2))  # half a transition, and a trial that begins in each
    assert_allclose(fit.transition, counts / counts.sum(axis=1, keepdims=True), rtol=1e-5)
    assert_allclose(fit.initial, (now.first + 1) / 3, rtol=1e-5)
    true = CELL.draw_states(np.array(UP_DOWN)[[1, 0, 3, 2, 4]], duration=40 * second, seed=2)[:15_000, 0] == 0
    assert np.mean((fit.posterior()[:, 1] > 0.5) == true) > 0.8
    assert np.mean((fit.states() == 1) == true) > 0.75
    plain = fit_neuron(block, dt=2 * ms, family=Logistic(1.0), t_stop=30 * second)
    later = {"t_start": 30 * second}
    assert fit.score(block, **later).value > plain.score(block, **later).value + 0.2
    assert fit.rescaled(block, **later).p > 0.01 > plain.rescaled(block, **later).p
    table = compare_models({"states": fit, "one": plain}, block, **later, precision=5 * ms, trials=2)
    bits = table[table.score == "bits_per_spike"].set_index("model").value
    assert bits["states"] == pytest.approx(fit.score(block, **later).value)
    assert "state 1" in repr(fit)
    assert repr(pickle.loads(pickle.dumps(fit))) == repr(fit)


def test_a_stimulus_drives_the_transitions():
    model = StatesModel(dt=2 * ms, family=Logistic(1.0), n_states=2, transitions=Lags(1))
    p, signal = [-5.0, -1.5, -4.5, 1.5, -4.5, -1.5, 0.0], gaussian_signal(20_000, 4)
    signal = analog(np.repeat(signal.magnitude[::20], 20), 2e-3)
    fit = fit_states(
        model.simulate(p, signal, seed=1),
        signal,
        n_states=2,
        dt=2 * ms,
        family=Logistic(1.0),
        transitions=1,
        n_starts=2,
    )
    assert np.abs((fit.values - p) / list(fit.se.values())).max() < 4
    assert fit.takes == ("signal",)
    assert fit.parameters["transition[0,1].stimulus[0]"] / fit.se["transition[0,1].stimulus[0]"] > 3
    block = fit.simulate(signal, seed=3)
    constant = replace(model, transitions=None)
    gain = model.log_likelihood(p, block, signal)[0] - constant.log_likelihood(UP_DOWN, block)[0]
    assert gain > 10


@pytest.mark.slow
def test_held_out_blocks_choose_the_number_of_states():
    options = {"dt": 2 * ms, "family": Logistic(1.0), "n_folds": 3, "n_starts": 2}
    block = CELL.simulate(UP_DOWN, duration=20 * second, seed=4)
    choice = cross_validate(block, None, [{"n_states": n} for n in (1, 2)], **options)
    assert choice.best == {"n_states": 2}
    assert choice.table.behind[0] > 0.1
    assert choice.values.shape == (3, 5)
    flat = NeuronModel(dt=2 * ms, family=Logistic(1.0)).simulate([-3.5], duration=20 * second, seed=1)
    choice = cross_validate(flat, None, [{"n_states": n} for n in (1, 2)], **options)
    assert abs(choice.table.bits_per_spike.diff().iloc[1]) < 0.05


def test_the_page_has_the_table_of_the_recovery_and_a_recording_is_fitted_as_there(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    recovery = importlib.import_module("states_recovery")
    kept = json.loads(recovery.RESULTS.read_text(encoding="utf-8"))
    assert recovery.table(kept) in (ROOT / "docs" / "likelihood.md").read_text(encoding="utf-8")
    one = recovery.summary([recovery.fit_one(2, 150, seed) for seed in range(4)])
    assert one.keys() == kept["2 states, 150 spikes"].keys()
    assert one["rates"] > 0.5
    assert one["right"] > 0.8


@pytest.mark.slow
def test_doubtful_states_are_named(monkeypatch):
    def messages(block, n_states, **options):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit = fit_states(block, n_states=n_states, dt=2 * ms, family=Logistic(1.0), **options)
        return fit, " ".join(str(one.message) for one in caught)

    silent = CELL.simulate([-40.0, *UP_DOWN[1:]], duration=20 * second, seed=1)
    fit, text = messages(silent, 2, n_starts=2)
    assert "state 0 never fires" in text
    assert np.isnan(fit.se["state[0].bias"])
    assert np.isfinite(list(fit.se.values())[1:]).all()
    assert np.isfinite(fit.table.dwell_low).all()
    once = [np.r_[np.arange(0.05, 10, 0.21), np.arange(10, 20, 0.024)]]
    assert "visited 1.0 times" in messages(once, 2, n_starts=2, t_start=0 * second, t_stop=20 * second)[1]
    assert "the highest likelihood" in messages(CELL.simulate(UP_DOWN, duration=3 * second), 4, n_starts=3)[1]
    monkeypatch.setattr(search, "_MOST", 1)
    monkeypatch.setattr(search, "_PASSES", 2)
    block = CELL.simulate(UP_DOWN, duration=20 * second, seed=1)
    assert "below the maximum" in messages(block, 2, n_starts=1)[1]
    monkeypatch.setattr(search, "climb", refusing)
    with pytest.raises(NsnnError, match="no maximum"):  # in no start
        fit_states(block, n_states=2, dt=2 * ms, family=Logistic(1.0))


def refusing(*_):
    raise NsnnError("no maximum")


def test_what_is_refused():
    block = CELL.simulate(UP_DOWN, duration=2 * second)
    few = {"n_states": 2, "dt": 2 * ms}
    fit = fit_of(CELL, UP_DOWN, CELL.data(block))
    rows = (
        (lambda: fit_states(block, n_states=0, dt=2 * ms), "n_states = 0", "from 1"),
        (lambda: fit_states(block, n_starts=0, **few), "n_starts = 0", "at least 1"),
        (lambda: fit_states(block, transitions="fast", **few), "transitions = 'fast'", "Lags(1)"),
        (lambda: fit_states(block, transitions=1, **few), "transitions", "signal missing"),
        (lambda: StatesModel(dt=2 * ms, family=Gaussian(1.0), beta=0.5), "beta = 0.5", "leave beta out"),
        (
            lambda: StatesModel(dt=2 * ms, family=NegativeBinomial(), n_states=2),
            "family = ",
            "NegativeBinomial(0.2)",
        ),
        (lambda: cross_validate(block, None, [{"transitions": 1}], dt=2 * ms), "transitions", "n_states"),
        (fit.history_filter, "filters differ", "of_state"),
        (lambda: fit.to_neuron(), "to_neuron", "fit.simulate"),
        (lambda: fit.of_state(2), "k = 2", "0 to 1"),
        (lambda: fit.states(signal=gaussian_signal(9, 0)), "trains and signal", "neither"),
    )
    assert_refused(rows)

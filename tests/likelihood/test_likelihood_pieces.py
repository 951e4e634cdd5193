"""Fits pass over their data in pieces, start on a sample of very many steps, and keep one design matrix: results are those without.

Of internals: pieces and samples are for millions of steps, and tests make them small.
"""

from __future__ import annotations

import pickle

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import ms
from helpers.fits import gaussian_signal
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_info, threadpool_limits

import nsnn_neuro as nsnn
from nsnn_neuro.likelihood import Lags, NeuronModel, Poisson, RaisedCosines, data, fisher_scoring, fit_neuron
from nsnn_neuro.likelihood import responses as of_steps

N = 8000


def responses(family=None, n: int = N, trials: int = 1, **more) -> neo.Block:
    model = NeuronModel(
        dt=1 * ms, family=family or nsnn.Gaussian(1.0), stimulus=Lags(2), history=Lags(2), **more
    )
    return model.simulate([-1.3, 0.5, 0.2, -0.6, -0.3], gaussian_signal(n, 0), trials=trials)


@pytest.mark.parametrize("more", [{"refractory": 2 * ms}, {"beta": 0.5, "theta": 1.0}], ids=str)
def test_pieces_add_up(monkeypatch, more):
    """Log-likelihood, gradient, curvature and information of pieces of 7 steps and of all at once."""
    block = responses(n=500, trials=2, **more)
    model = NeuronModel(dt=1 * ms, family=nsnn.Gaussian(0.8), stimulus=Lags(2), history=Lags(2), **more)
    p = np.array([-1.0, 0.4, 0.1, -0.5, 0.2])
    prepared = model.data(block, gaussian_signal(500, 0))
    at_once = model.evaluate(p, prepared)
    assert at_once.known_curvature is None
    monkeypatch.setattr(of_steps, "_ROWS", 7)
    pieces = model.evaluate(p, prepared, curved=True)
    assert pieces.log_likelihood == pytest.approx(at_once.log_likelihood, rel=1e-14)
    for name in ("gradient", "curvature", "information"):
        one = getattr(at_once, name)
        assert_allclose(getattr(pieces, name), one, rtol=1e-12, atol=1e-12 * np.abs(one).max())
    assert_array_equal(pieces.known_curvature, pieces.curvature)


@pytest.mark.slow
def test_a_start_from_a_sample_leads_to_the_same_maximum(monkeypatch):
    block = responses()
    bases = {"dt": 1 * ms, "stimulus": 2, "history": RaisedCosines(2, 4 * ms), "family": Poisson()}
    usual = fit_neuron(block, gaussian_signal(N, 0), **bases)
    monkeypatch.setattr(fisher_scoring, "_MANY", 1000)
    monkeypatch.setattr(fisher_scoring, "_STRETCH", 50)
    monkeypatch.setattr(fisher_scoring, "_ENOUGH", 2)
    quick = fit_neuron(block, gaussian_signal(N, 0), **bases)
    assert quick.iterations < usual.iterations
    assert_allclose(quick.values, usual.values, rtol=0, atol=1e-6 * np.sqrt(np.diag(usual.covariance)).min())
    assert_allclose(quick.covariance, usual.covariance, rtol=1e-6)
    assert quick.log_likelihood == pytest.approx(usual.log_likelihood, rel=1e-13)


def test_a_sample_without_a_maximum_is_left_alone(monkeypatch):
    """All spikes of the sampled steps come when the stimulus is positive, and in the others they do not."""
    x = np.sign(np.random.default_rng(1).normal(size=N))
    sampled = np.arange(N) // 50 % 16 == 0
    chance = np.where(sampled, 0.3 * (x > 0), 0.15)
    fired = np.random.default_rng(2).random(N) < chance
    steps = neo.AnalogSignal(x, units=pq.dimensionless, sampling_period=1 * pq.ms)
    trains = [np.flatnonzero(fired) * 1e-3]
    usual = fit_neuron(trains, steps, dt=1 * ms, stimulus=1)
    for name, small in (("_MANY", 1000), ("_STRETCH", 50), ("_ENOUGH", 2)):
        monkeypatch.setattr(fisher_scoring, name, small)
    assert_array_equal(fit_neuron(trains, steps, dt=1 * ms, stimulus=1).values, usual.values)


def test_the_design_matrix_holds_what_filters_give(monkeypatch):
    """Two trials with signals of their own, history over borders of stretches; drive and history are views of one array."""
    monkeypatch.setattr(data, "_STRETCH", 16)
    model = NeuronModel(
        dt=1 * ms,
        family=nsnn.Gaussian(1.0),
        stimulus=RaisedCosines(3, 20 * ms),
        history=RaisedCosines(2, 30 * ms),
    )
    signals = [gaussian_signal(203, 1), gaussian_signal(151, 2)]
    rng = np.random.default_rng(3)
    fired = [rng.random(len(one)) < 0.2 for one in signals]
    trains = [neo.SpikeTrain(np.flatnonzero(o) * 1e-3, units="s", t_stop=len(o) * 1e-3) for o in fired]
    prepared = model.data(trains, signals)
    stimulus, history = model.bases()
    drive = [
        np.stack([np.convolve(one.magnitude[:, 0], b)[: len(one)] for b in stimulus.T], axis=1)
        for one in signals
    ]
    past = [np.stack([np.convolve(o, np.append(0.0, b))[: len(o)] for b in history.T], axis=1) for o in fired]
    assert_allclose(prepared.drive, np.concatenate(drive), atol=1e-13)
    assert_allclose(prepared.history, np.concatenate(past), atol=1e-13)
    assert np.shares_memory(prepared.design, prepared.drive)
    assert np.shares_memory(model.traces(0.0, prepared)[0], prepared.history)
    assert_array_equal(prepared.design[:, 0], 1.0)


def test_a_pickled_fit_keeps_its_columns_once():
    block = responses(n=2000)
    fit = fit_neuron(block, gaussian_signal(2000, 0), dt=1 * ms, stimulus=2, history=2)
    text = pickle.dumps(fit)
    assert len(text) < 1.3 * 8 * 2000 * (2 + 2 + 1)
    assert pickle.loads(text).rescaled(seed=1).p == fit.rescaled(seed=1).p


@pytest.mark.parametrize(("columns", "threads"), [(63, 1), (64, 2)])
def test_narrow_products_take_one_thread_of_blas(columns, threads):
    seen = []

    class Weight:
        def __getitem__(self, rows):
            seen.extend(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas")
            return 1.0

    with threadpool_limits(2, user_api="blas"):
        of_steps.gram(np.ones((5, columns)), Weight())
    assert set(seen) == {threads}

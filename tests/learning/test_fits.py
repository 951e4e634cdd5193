"""What every fit offers: history, best_epoch, evaluate and score, with the same words in `train`, `deep.fit` and `fit_network`."""

from __future__ import annotations

import functools
import inspect

import numpy as np
import pytest
from brian2 import ms
from helpers.fits import gaussian_signal
from helpers.training import fit_of, problem

import nsnn_neuro as nsnn
from nsnn_neuro import likelihood
from nsnn_neuro.learning import Scored, TrainedFit

SIGNAL = gaussian_signal(600, 1)
TRAINS = [np.flatnonzero(SIGNAL.magnitude[:, 0] > 1.2) * 1e-3]
RECORDED = {"dt": 1 * ms, "stimulus": 1}


@functools.cache
def trained():
    return fit_of(epochs=3, keep="best"), (problem(30, seed=2),), "accuracy"


@functools.cache
def trained_on_spikes():
    rng = np.random.default_rng(1)
    data = tuple((rng.random((12, 8, n)) < 0.3).astype(float) for n in (6, 3))
    return fit_of(data=data, loss=nsnn.losses.VanRossum(2.0), keep="best"), (data,), "loss"


@functools.cache
def trained_in_torch():
    torch = pytest.importorskip("torch")
    from nsnn_neuro import deep

    with torch.random.fork_rng():
        layer = torch.nn.Linear(6, 3)
    net = deep.Classifier(torch.nn.Sequential(layer, deep.NoisySpike(nsnn.Gaussian(0.4))))
    fit = deep.fit(net, problem(), loss=nsnn.losses.rate_mse, epochs=3, seed=1)
    return fit, (problem(30, seed=2),), "accuracy"


@functools.cache
def fitted_network(seed=0, **options):
    training = likelihood.Training(epochs=3, particles=10, **options)
    fit = nsnn.fit_network(
        TRAINS, SIGNAL, **RECORDED, n_hidden=3, training=training, seed=seed, engine="numpy"
    )
    return fit, (TRAINS, SIGNAL), "bits_per_spike"


def fitted_neuron():
    signal = gaussian_signal(2000, 1)
    model = likelihood.NeuronModel(**RECORDED | {"stimulus": likelihood.Lags(1)}, family=nsnn.Gaussian(1.0))
    block = model.simulate([-1.5, 0.5], signal, seed=2)
    return nsnn.fit_neuron(block, signal, **RECORDED), (block, signal), "bits_per_spike"


TRAINED = [trained, trained_on_spikes, trained_in_torch, fitted_network]


@pytest.mark.slow
@pytest.mark.parametrize("make", TRAINED)
def test_trained_fits_have_history_and_best_epoch(make):
    fit = make()[0]
    assert isinstance(fit, TrainedFit)
    assert fit.history.epoch.tolist() == [1, 2, 3]
    assert {"loss", "val_loss", "seconds"} <= set(fit.history.columns)
    last = make is fitted_network
    assert fit.best_epoch == (3 if last else fit.history.epoch[fit.history.val_loss.argmin()])


@pytest.mark.slow
@pytest.mark.parametrize("make", [*TRAINED, fitted_neuron])
def test_the_score_is_the_first_measure_with_the_higher_the_better(make):
    fit, data, measure = make()
    assert isinstance(fit, Scored)
    found = fit.evaluate(*data)
    assert {measure, "se"} <= found.keys()
    assert found["se"] > 0
    assert float(fit.score(*data)) == (-1 if measure == "loss" else 1) * found[measure]


def test_something_else_is_no_fit():
    assert not isinstance(object(), Scored)
    assert not isinstance(fitted_neuron()[0], TrainedFit)  # Newton's method has no epochs


def test_the_trainings_share_their_arguments():
    """The same words, and the same defaults but for the batch and the weights that are kept."""
    pytest.importorskip("torch")
    from nsnn_neuro import deep

    one, two, three = (inspect.signature(f).parameters for f in (nsnn.train, deep.fit, nsnn.fit_network))
    grouped = inspect.signature(likelihood.Training).parameters
    for name in ("epochs", "batch", "eta", "schedule", "keep"):
        assert {name} <= two.keys() & grouped.keys()
    for name in ("validation", "patience", "seed", "progress"):
        assert {name} <= one.keys() & two.keys() & three.keys()
    for name in ("validation", "schedule", "patience", "seed", "checkpoint", "progress"):
        assert one[name].default == two[name].default
    assert three["validation"].default == one["validation"].default
    assert three["patience"].default is None


@pytest.mark.slow
def test_a_network_fit_keeps_the_epoch_that_is_asked_for():
    fits = {keep: fitted_network(keep=keep, eta=1.0, seed=2)[0] for keep in ("best", "last")}
    best = fits["last"].history.epoch[fits["last"].history.val_loss.argmin()]
    assert fits["best"].history.val_loss.equals(fits["last"].history.val_loss)  # of one seed
    assert best < 3, "expected a rate at which the last epoch isn't the best"
    assert (fits["best"].best_epoch, fits["last"].best_epoch) == (best, 3)
    assert not np.array_equal(fits["best"].weights[0], fits["last"].weights[0])

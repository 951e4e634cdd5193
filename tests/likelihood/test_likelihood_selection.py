"""Choices by cross-validation: by hand, ridges, and candidates that cannot be fitted."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import quantities as pq
from brian2 import ms
from helpers.fits import BURSTY, BURSTY_P, gaussian_signal, trials_of

import nsnn_neuro as nsnn
from nsnn_neuro import fit_neuron
from nsnn_neuro.likelihood import Lags, NeuronModel, cross_validate


def test_the_score_is_that_of_fits_without_each_block():
    """Without membrane and history steps are independent: two folds are two fits, to one half and to the other."""
    signal = gaussian_signal(4000, 30)
    model = NeuronModel(dt=1 * ms, family=nsnn.Gaussian(1.0), stimulus=Lags(1))
    block = model.simulate([-1.3, 0.7], signal, seed=1)
    options = {"dt": 1 * ms, "stimulus": 1, "ridge": 0.0}
    found = cross_validate(block, signal, [{}], n_folds=2, **options)
    middle = 2 * pq.s
    early, late = (
        fit_neuron(block, signal, t_stop=middle, **options),
        fit_neuron(block, signal, t_start=middle, **options),
    )
    np.testing.assert_allclose(found.values, [late.values, early.values], rtol=1e-9)
    logs = [
        model.log_likelihood(late.parameters, block, signal, t_stop=middle)[0],
        model.log_likelihood(early.parameters, block, signal, t_start=middle)[0],
    ]
    n, steps = found.fit.n_spikes, 4000
    constant = n * np.log(n / steps) + (steps - n) * np.log(1 - n / steps)
    assert found.table.bits_per_spike[0] == pytest.approx((sum(logs) - constant) / n / np.log(2), rel=1e-9)
    assert found.folds.tolist() == [0] * 2000 + [1] * 2000
    lines = str(found).splitlines()
    assert lines[0] == "CrossValidation: 1 candidates, 2 folds; best: {}"
    assert float(lines[2].split()[1]) == round(found.table.bits_per_spike[0], 4)
    assert lines[3:] == str(found.fit).splitlines()


@pytest.mark.parametrize(("seed", "warned"), [(34, False), (32, True)])
def test_a_ridge_at_the_end_of_its_grid_is_sought_beyond(seed, warned):
    """Three lags without effect: 1000 or infinity is best, and 100 scores less, as a fit with each strength shows."""
    signal = gaussian_signal(1500, seed)
    model = NeuronModel(dt=1 * ms, family=nsnn.Gaussian(1.0), stimulus=Lags(1))
    block = model.simulate([-1.5, 0.0], signal, seed=4)
    options = {"dt": 1 * ms, "stimulus": 3, "n_folds": 2}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = fit_neuron(block, signal, ridge="cv", **options)
    candidates = [{"ridge": one} for one in (100.0, 1000.0, 10_000.0)]
    scores = cross_validate(block, signal, candidates, **options).table.bits_per_spike
    assert [fit.ridges[one["ridge"]].value for one in candidates] == pytest.approx(list(scores), abs=1e-5)
    assert scores[0] < scores[1]
    assert fit.ridge == (max(fit.ridges) if warned else 1000.0)
    messages = [str(one.message) for one in caught if "ridge" in str(one.message)]
    assert len(messages) == warned
    assert all("leave regressors out" in one for one in messages)


def test_a_candidate_that_cannot_be_fitted_is_named():
    signal = gaussian_signal(3000, 34)
    block = BURSTY.simulate(BURSTY_P, signal, seed=5)
    # never in two steps in a row
    trains = [t[np.append(True, np.diff(t.magnitude) > 0.0015)] for t in trials_of(block)]
    found = cross_validate(trains, signal, [{"history": 2}, {"history": None}], dt=1 * ms, stimulus=1)
    assert found.best == {"history": None}
    assert "no maximum" in found.table.refused[0]
    assert np.isnan(found.table.bits_per_spike[0])
    with pytest.raises(nsnn.NsnnError, match=r"none of 1 candidates can be fitted; .*no maximum"):
        cross_validate(trains, signal, [{"history": 2}], dt=1 * ms, stimulus=1)

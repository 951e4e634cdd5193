"""Tests of coefficients and filters: statsmodels, columns written out, and p values that are uniform where nothing is there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import quantities as pq
from helpers.fits import DT, analog, gaussian_signal, train
from numpy.testing import assert_allclose
from scipy.stats import binomtest, kstest

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, fit_neuron
from nsnn_neuro.likelihood import Lags, NeuronModel, Poisson

N = 3000
MS = 1 * pq.ms


@pytest.fixture(scope="module")
def coupled() -> tuple[Any, Any, dict[str, Any]]:
    """Spikes of a logistic neuron, its signal, and options with two inputs and history."""
    rng = np.random.default_rng(0)
    inputs = nsnn.to_block(
        [[np.flatnonzero(rng.random(N) < 0.1) * DT for _ in range(2)]], t_stop=N * DT * pq.s
    )
    signal = gaussian_signal(N, 1, channels=2)
    options = {"stimulus": Lags(2), "coupling": Lags(2), "history": Lags(1), "family": nsnn.Logistic(1.0)}
    cell = NeuronModel(dt=MS, channels=2, n_inputs=2, **options)
    p = [-2.0, 0.5, 0.2, 0.0, 0.0, 0.8, 0.3, 0.0, 0.0, -0.5]
    return cell.simulate(p, signal, inputs=inputs, seed=1), signal, {"dt": MS, "inputs": inputs, **options}


def test_table_and_filter_tests_are_those_of_statsmodels(coupled):
    """z, p and intervals of the GLM on the same columns, and Wald's chi-square of the groups of columns."""
    generalized = pytest.importorskip("statsmodels.genmod.generalized_linear_model")
    families = pytest.importorskip("statsmodels.genmod.families")
    block, signal, options = coupled
    fit = fit_neuron(block, signal, **options)
    glm = generalized.GLM(fit._data.o, fit._data.design, family=families.Binomial()).fit(
        tol=1e-13, maxiter=100
    )
    assert_allclose(fit.table["z"], glm.tvalues, rtol=1e-5, atol=1e-6)
    assert_allclose(fit.table["p"], glm.pvalues, rtol=1e-4)
    assert_allclose(fit.table[["low", "high"]], glm.conf_int(), atol=1e-6)
    tests = fit.filter_tests()
    groups = {
        "stimulus": range(1, 5), "stimulus[0]": (1, 2), "stimulus[1]": (3, 4), "coupling": range(5, 9),
        "coupling[0]": (5, 6), "coupling[1]": (7, 8), "history": (9,),
    }  # fmt: skip
    assert set(tests.index) == set(groups)
    for name, own in groups.items():
        theirs = glm.wald_test(np.eye(10)[list(own)], use_f=False, scalar=True)
        assert_allclose(
            tests.loc[name, ["statistic", "p"]].astype(float), [theirs.statistic, theirs.pvalue], rtol=1e-4
        )
    assert tests.df.tolist() == [len(list(groups[name])) for name in tests.index]


def test_tests_of_products_and_of_a_single_input():
    """A quadratic response is one term; names of a single channel and input carry no number."""
    rng = np.random.default_rng(3)
    inputs = nsnn.to_block([[np.flatnonzero(rng.random(N) < 0.1) * DT]], t_stop=N * DT * pq.s)
    fit = fit_neuron(
        train(rng.random(N) < 0.2), gaussian_signal(N, 4), dt=MS, stimulus=2, inputs=inputs, coupling=1,
        products=[("stimulus", "stimulus"), ("stimulus", "coupling")],
    )  # fmt: skip
    tests = fit.filter_tests()
    assert dict(tests.df) == {"stimulus": 2, "coupling": 1, "stimulus*stimulus": 3, "stimulus*coupling": 2}
    assert tests.p["coupling"] == pytest.approx(fit.table.p["coupling[0]"], rel=1e-9)


def test_likelihood_ratio_is_twice_the_difference(coupled):
    block, signal, options = coupled
    fit = fit_neuron(block, signal, **options)
    without = fit_neuron(block, signal, **options | {"history": None})
    alone = fit_neuron(block, signal, **{k: v for k, v in options.items() if k not in ("inputs", "coupling")})
    ratio = fit.likelihood_ratio(without)
    assert ratio.statistic == pytest.approx(2 * (fit.log_likelihood - without.log_likelihood))
    assert ratio.df == 1 and ratio.p == pytest.approx(fit.filter_tests().p["history"], rel=0.5)
    assert fit.likelihood_ratio(alone).df == 4 and fit.likelihood_ratio(alone).p < 1e-3


def test_p_is_uniform_where_nothing_is_there():
    """200 recordings of a constant rate: Wald and likelihood ratio of a filter of three lags."""
    rng, signal, wald, ratios = np.random.default_rng(5), gaussian_signal(1000, 6), [], []
    for _ in range(200):
        spikes = train(rng.random(1000) < 0.15)
        fit = fit_neuron(spikes, signal, dt=MS, stimulus=3, history=1, family=nsnn.Logistic(1.0))
        wald.append(fit.filter_tests().p["stimulus"])
        less = fit_neuron(spikes, dt=MS, history=1, family=nsnn.Logistic(1.0))
        ratios.append(fit.likelihood_ratio(less).p)
    for p in (wald, ratios):
        assert kstest(p, "uniform").pvalue > 1e-3
        assert binomtest(int(np.sum(np.array(p) < 0.05)), 200, 0.05).pvalue > 1e-3


def test_what_has_no_p(coupled):
    """A penalty, other data, other regressors of the same names, a model that isn't contained."""
    block, signal, options = coupled
    fit = fit_neuron(block, signal, **options)
    shrunken = fit_neuron(block, signal, ridge=1.0, **options)
    assert shrunken.table.p.isna().all() and shrunken.table.low.notna().all()
    other = analog(signal.magnitude[::-1])
    cases = [
        (lambda: shrunken.filter_tests(), "ridge=0"),
        (lambda: fit.likelihood_ratio(shrunken), "ridge=0"),
        (lambda: fit.likelihood_ratio(3), "smaller"),
        (lambda: fit.likelihood_ratio(fit), "fewer parameters"),
        (lambda: fit_neuron(block, signal, **options | {"history": None}).likelihood_ratio(fit), "contains"),
        (
            lambda: fit.likelihood_ratio(fit_neuron(block, signal, **options | {"family": Poisson()})),
            "family",
        ),
        (lambda: fit.likelihood_ratio(fit_neuron(block, other, **options | {"history": None})), "regressors"),
        (lambda: fit.likelihood_ratio(fit_neuron(block, signal, t_stop=2 * pq.s, **options)), "same data"),
    ]
    for call, cure in cases:
        with pytest.raises(NsnnError, match=cure):
            call()

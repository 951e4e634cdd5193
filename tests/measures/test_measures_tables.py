"""Tables of counts: their information, its bias and spread, and the trials and the estimator that follow."""
# Imports internals: thousands of tables at once are fast only through the vectorised functions, and the spread at zero
# information and the bound by prediction are not public.

import math

import numpy as np
import pytest
from helpers.channels import binary_words, relevant_by_search, words_of_kind
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.metrics import mutual_info_score

from nsnn_neuro.measures import mutual_information, plan_trials, which_estimator
from nsnn_neuro.measures.entropies.contingency import (
    contingency,
    information,
    panzeri_treves_bias,
    relevant_responses,
)
from nsnn_neuro.measures.entropies.information_tables import information_of_tables, zero_spread
from nsnn_neuro.measures.entropies.symbols import as_symbols
from nsnn_neuro.measures.information.mutual_information import predictive_bound


def test_panzeri_treves_subtracts_its_bias():
    table = np.random.default_rng(3).poisson(0.8, (5, 4, 9))
    per_stimulus = relevant_responses(table, (table.sum(1) > 0).sum(1)[:, None])
    for k in range(5):
        n, seen = table[k].sum(), (table[k].sum(0) > 0).sum()
        bias = (sum(per_stimulus[k] - 1) - (seen - 1)) / (2 * n * np.log(2))
        assert abs(panzeri_treves_bias(table[k]) - bias) < 1e-12
        value = information_of_tables(table[k], "panzeri-treves", float(seen))
        assert abs(value - (information(table[k]) - bias)) < 1e-12
    s, r = np.nonzero(table[0])
    s, r = np.repeat(s, table[0][s, r]), np.repeat(r, table[0][s, r])
    default = mutual_information(s, r, n_shuffle=0)
    assert default.correction == "panzeri-treves"
    assert abs(default.value - (information(table[0]) - panzeri_treves_bias(table[0]))) < 1e-12


def test_zero_spread_is_that_of_permuted_stimuli():
    for n_s, trials, n_r, rate in ((2, 200, 2, 5.0), (8, 20, 64, 0.3), (5, 100, 10, 1.0)):
        rng = np.random.default_rng(n_s)
        s = np.repeat(np.arange(n_s), trials)
        r = rng.choice(n_r, s.size, p=rng.dirichlet(np.full(n_r, rate)))
        tables = [contingency(rng.permutation(s), r, n_s, n_r) for _ in range(400)]
        values = information(np.array(tables))
        fourth = ((values - values.mean()) ** 4).mean() / values.var() ** 2
        error = values.std() * math.sqrt((fourth - 1) / 1600)
        # the Poisson cells are an approximation: within 6 % on these tables
        assert abs(values.std() - zero_spread(tables[0])) < 4 * error + 0.06 * values.std()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "informative"), [("independent", True), ("gain of two states", False)])
def test_bound_by_prediction_is_below_the_information(kind, informative):
    """And not trivially so: above half of the information of words of 8 bins with 50 trials."""
    channel = words_of_kind(kind, 4, 8, informative=informative)
    tables = channel.tables(50, 60, np.random.default_rng(2))
    bounds = [predictive_bound(*channel.samples(t), 4) for t in tables]
    above = np.mean([b.value - 2.5 * b.se > channel.information + 1e-9 for b in bounds])
    assert above <= 0.05
    assert np.mean([b.value for b in bounds]) > 0.5 * channel.information - 1e-9


def test_information_of_a_table_equals_scikit_learn():
    rng = np.random.default_rng(1)
    table = rng.integers(0, 9, (4, 4))
    rows, columns = (np.repeat(index.ravel(), table.ravel()) for index in np.indices((4, 4)))
    assert_allclose(information(table), mutual_info_score(rows, columns) / np.log(2), rtol=1e-9)
    assert_allclose(information(np.stack([table, table.T])), [information(table)] * 2, rtol=1e-9)


@pytest.mark.parametrize("bias", ["panzeri-treves", "plugin"])
def test_number_is_the_smallest_of_the_formula(bias):
    channel = binary_words(4, 4, 0.05, 0.5)
    s, r = channel.samples(channel.tables(100, 1, np.random.default_rng(2))[0])
    pilot = mutual_information(s, r, bias=bias, n_shuffle=0)
    (a, n_s), (b, n_r) = as_symbols(s, "s"), as_symbols(r, "r")
    first = panzeri_treves_bias(contingency(a, b, n_s, n_r))

    zero = zero_spread(contingency(a, b, n_s, n_r)) ** 2
    # 400 trials of 4 x 16: six for each, so that the prediction's error plays no part
    variance = pilot.se**2 - 2 * zero

    def parts(n):
        share = 1.0 if bias == "plugin" else min(1.0, n_s * n_r / (3 * n))
        return math.sqrt(variance * 400 / n + zero * (400 / n) ** 2), first * 400 / n * share

    for precision in (0.01, 0.05, 0.2):
        plan = plan_trials(s, r, precision=precision, bias=bias)
        assert math.hypot(*parts(plan.n_trials)) <= precision < math.hypot(*parts(plan.n_trials - 1))
        assert (plan.se, plan.bias_left) == pytest.approx(parts(plan.n_trials), rel=1e-12)
        assert plan.per_stimulus == plan.n_trials / 4
        assert plan.pilot == pilot
        assert plan == plan_trials((s, r), precision=precision, bias=bias)
    assert "plan again" not in str(plan)  # 100 trials per stimulus
    few = plan_trials(s[::8], r[::8])
    assert f"{few.n_trials // 2} to {5 * few.n_trials} trials may be needed, plan again after 80" in str(few)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=12).filter(any), st.integers(0, 200))
def test_relevant_responses_are_those_of_the_search(counts, more):
    limit = len(counts) + more
    assert relevant_responses(np.array(counts), limit) == relevant_by_search(counts, limit)


@pytest.mark.slow
def test_predicted_bias_is_that_over_experiments_and_the_recommendation_errs_least():
    channel, rng = words_of_kind("independent", 8, 5), np.random.default_rng(1)
    methods = ["plugin", "panzeri-treves", "shuffle", "nsb", "best-upper-bound"]

    def experiment():
        return channel.samples(channel.tables(20, 1, rng)[0])

    true = []
    for _ in range(30):
        s, r = experiment()
        each = [mutual_information(s, r, bias=m, n_shuffle=0, n_symbols=32).value for m in methods]
        true.append(np.array(each) - channel.information)
    true = np.array(true)
    found = [which_estimator(*experiment(), n_repeats=10, n_symbols=32) for _ in range(5)]
    predicted = np.array([one.table.bias[methods] for one in found])
    spread = np.sqrt(predicted.var(axis=0, ddof=1) / 5 + true.var(axis=0, ddof=1) / 30)
    assert true.mean(axis=0)[0] > 0.3  # a bias worth predicting
    assert (np.abs(predicted.mean(axis=0) - true.mean(axis=0)) < 4 * spread).all()
    rmse = dict(zip(methods, np.sqrt((true**2).mean(axis=0)), strict=True))
    assert 1.4 * min(rmse.values()) < rmse["panzeri-treves"]  # the default is not the best here
    assert np.mean([rmse.get(one.best, 9.0) < 1.25 * min(rmse.values()) for one in found]) >= 0.8


def test_without_information_signal_and_null_are_the_same():
    s, r = np.repeat([0, 1], 30), np.tile([0, 1, 2], 20)
    found = which_estimator(s, r, n_repeats=30)
    assert found.information == 0
    table = found.table
    assert found.best == table.index[0]
    assert (np.diff(table.rmse) >= 0).all()
    np.testing.assert_allclose(table.rmse**2, table.bias**2 + table.sd**2 * 29 / 30, rtol=1e-9)
    np.testing.assert_allclose(table.bias_se, table.sd / np.sqrt(30), rtol=1e-9)
    assert f"{found.best} has the smallest root-mean-square error" in str(found)
    assert "shuffle" not in table.index
    gap = (
        (found.table.bias - found.table.null_bias)
        / np.hypot(found.table.sd, found.table.null_sd)
        * np.sqrt(30)
    )
    assert gap.abs().max() < 4
    expected = (2 - 1) * (3 - 1) / (2 * 60 * np.log(2))  # of the plug-in, first order
    assert abs(found.table.null_bias["plugin"] - expected) < 4 * found.table.null_sd["plugin"] / np.sqrt(30)

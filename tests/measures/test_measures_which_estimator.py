"""Errors of estimators that are predicted from one experiment, against those over many experiments of known information."""

import numpy as np
import pytest
from scipy import stats

from nsnn_neuro.measures import mutual_information, which_estimator

N_S = 8


def words_of(bins):
    """Binary words (2^bins, bins) and P(word | s) by enumeration: a bump of firing at a time of its own for each stimulus."""
    peak = (bins - 1) * np.arange(N_S)[:, None] / (N_S - 1)
    fire = 0.03 + 0.42 * np.exp(-0.5 * ((np.arange(bins) - peak) / (bins / 5)) ** 2)
    words = (np.arange(2**bins)[:, None] >> np.arange(bins)[::-1]) & 1
    return words, np.where(words, fire[:, None], 1 - fire[:, None]).prod(axis=2)


def counts():
    """Poisson counts, means 1 to 15."""
    law = stats.poisson.pmf(np.arange(32), np.linspace(1, 15, N_S)[:, None])
    return np.arange(32), law / law.sum(axis=1, keepdims=True)


def truth_of(law):
    """I(S; R) in bits as entropies, H(R) - H(R | S)."""
    return stats.entropy(law.mean(axis=0), base=2) - stats.entropy(law, axis=1, base=2).mean()


def experiment(values, law, trials, rng):
    stimulus = np.repeat(np.arange(N_S), trials)
    return stimulus, np.concatenate([values[rng.choice(len(values), trials, p=p)] for p in law])


def errors(values, law, trials, methods, repeats, seed):
    """Error of each method in new experiments, (repeats, methods), by `mutual_information`."""
    rng, out = np.random.default_rng(seed), []
    for _ in range(repeats):
        s, r = experiment(values, law, trials, rng)
        found = [mutual_information(s, r, bias=m, n_shuffle=0, n_symbols=len(values)) for m in methods]
        out.append([one.value for one in found])
    return np.array(out) - truth_of(law)


def predictions(values, law, trials, pilots, repeats, seed):
    rng = np.random.default_rng(seed)
    pairs = [experiment(values, law, trials, rng) for _ in range(pilots)]
    return [which_estimator(s, r, n_repeats=repeats, n_symbols=len(values)) for s, r in pairs]


def z_of_difference(a, b):
    spread = np.var(a, axis=0, ddof=1) / len(a) + np.var(b, axis=0, ddof=1) / len(b)
    return (np.mean(a, axis=0) - np.mean(b, axis=0)) / np.sqrt(spread)


@pytest.mark.slow
def test_predicted_bias_is_that_over_experiments_and_the_recommendation_errs_least():
    values, law = words_of(5)
    methods = ["plugin", "panzeri-treves", "shuffle", "nsb", "best-upper-bound"]
    true = errors(values, law, 20, methods, 30, 1)
    found = predictions(values, law, 20, 5, 10, 2)
    assert true.mean(axis=0)[0] > 0.3  # a bias worth predicting
    assert np.abs(z_of_difference([one.table.bias[methods] for one in found], true)).max() < 4
    rmse = dict(zip(methods, np.sqrt((true**2).mean(axis=0)), strict=True))
    assert 1.4 * min(rmse.values()) < rmse["panzeri-treves"]  # the default is not the best here
    assert np.mean([rmse.get(one.best, 9.0) < 1.25 * min(rmse.values()) for one in found]) >= 0.8


@pytest.mark.slow  # 100 estimates by nine methods, and eight comparisons
def test_all_methods_on_counts():
    values, law = counts()
    found = predictions(values, law, 20, 8, 40, 3)
    methods = sorted(found[0].table.index)
    true = errors(values, law, 20, methods, 100, 4)
    predicted = np.array([one.table.bias[methods] for one in found])
    # the law that a pilot gives is near the true one, not it: .05 bit beside the errors of sampling
    spread = np.sqrt(predicted.var(axis=0, ddof=1) / len(found) + true.var(axis=0, ddof=1) / len(true))
    assert (np.abs(predicted.mean(axis=0) - true.mean(axis=0)) < 0.05 + 3 * spread).all()
    rmse = dict(zip(methods, np.sqrt((true**2).mean(axis=0)), strict=True))
    # near ties are decided by chance: what is recommended errs at most a quarter more than the best
    assert np.mean([rmse[one.best] <= 1.25 * min(rmse.values()) for one in found]) >= 0.7


@pytest.mark.slow
def test_table_is_sorted_and_explained():
    s, r = experiment(*words_of(4), 12, np.random.default_rng(5))
    found = which_estimator(s, r, n_repeats=8, seed=3)
    table = found.table
    assert found.best == table.index[0]
    assert (np.diff(table.rmse) >= 0).all()
    np.testing.assert_allclose(table.rmse**2, table.bias**2 + table.sd**2 * 7 / 8, rtol=1e-9)
    np.testing.assert_allclose(table.bias_se, table.sd / np.sqrt(8), rtol=1e-9)
    assert "shuffle" in table.index
    assert found.explanation.count(". ") == 1  # two sentences
    assert f"{found.best} has the smallest root-mean-square error" in str(found)
    single = which_estimator(s, r.sum(axis=1), n_repeats=4)
    assert "shuffle" not in single.table.index
    assert 0 < single.information < 3


def test_without_information_signal_and_null_are_the_same():
    s, r = np.repeat([0, 1], 30), np.tile([0, 1, 2], 20)
    found = which_estimator(s, r, n_repeats=30)
    assert found.information == 0
    gap = (
        (found.table.bias - found.table.null_bias)
        / np.hypot(found.table.sd, found.table.null_sd)
        * np.sqrt(30)
    )
    assert gap.abs().max() < 4
    expected = (2 - 1) * (3 - 1) / (2 * 60 * np.log(2))  # of the plug-in, first order
    assert abs(found.table.null_bias["plugin"] - expected) < 4 * found.table.null_sd["plugin"] / np.sqrt(30)

"""Conditional and interaction information, local values, divergence and capacity against exact laws, plain loops and identities."""

from collections import Counter
from math import log2

import numpy as np
import pytest
from helpers.channels import entropy_bits
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import digamma

from nsnn_neuro.measures import (
    blahut_arimoto,
    channel_capacity,
    conditional_information,
    interaction_information,
    kullback_leibler,
    local_information,
    mutual_information,
    synergy,
)
from nsnn_neuro.measures.entropies.information_tables import conditional_without_one

TRIPLES = st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=2, max_size=50)
PLAIN = {"bias": "plugin", "n_shuffle": 0}


def by_counting(x, y, z):
    """sum p(x, y, z) log2 [p(x, y, z) p(z) / p(x, z) p(y, z)] with dictionaries."""
    n, rows = len(x), list(zip(x, y, z, strict=True))
    full, xz, yz = Counter(rows), Counter((a, c) for a, _, c in rows), Counter((b, c) for _, b, c in rows)
    of_z = Counter(z)
    return sum(m / n * log2(m * of_z[c] / (xz[a, c] * yz[b, c])) for (a, b, c), m in full.items())


def drawn(rng, law, n):
    """Codes (n,) of each variable of a joint law."""
    return np.unravel_index(rng.choice(law.size, n, p=law.ravel()), law.shape)


@pytest.mark.slow
@settings(max_examples=40)
@given(TRIPLES)
def test_plugin_is_what_counting_gives_and_obeys_the_identities(rows):
    x, y, z = (list(column) for column in zip(*rows, strict=True))
    value = conditional_information(x, y, z, **PLAIN).value
    assert abs(value - by_counting(x, y, z)) < 1e-12
    assert value > -1e-12
    both = mutual_information(np.column_stack([x, z]), y, **PLAIN).value
    assert abs(both - mutual_information(z, y, **PLAIN).value - value) < 1e-12  # chain rule
    assert abs(local_information(x, y, z).mean() - value) < 1e-12
    interaction = interaction_information(x, y, z, **PLAIN).value
    assert abs(interaction - interaction_information(z, x, y, **PLAIN).value) < 1e-12
    assert abs(interaction - synergy(x, y, z, bias="none", n_shuffle=0).value) < 1e-12


def test_the_p_of_a_negative_interaction_counts_by_absolute_value():
    assert interaction_information(*[[0, 1] * 50] * 3, bias="none", n_shuffle=19).p == 0.05


@pytest.mark.parametrize(
    ("y", "expected"),
    [(lambda x, z: x ^ z, 1.0), (lambda x, z: x & z, 0.5), (lambda x, z: z, 0.0), (lambda x, z: x, 1.0)],
    ids=["xor", "and", "condition", "copy"],
)
def test_gates_of_fair_bits(y, expected):
    x, z = np.array([0, 0, 1, 1] * 200), np.array([0, 1, 0, 1] * 200)
    result = conditional_information(x, y(x, z), z, n_shuffle=19)
    assert abs(result.value - expected) <= 2 * result.se + 1e-9
    assert result.warning is None
    assert (result.p == 0.05) == (expected > 0)


@pytest.mark.parametrize("method", ["panzeri-treves", "nsb"])
def test_jackknife_leaves_each_sample_out(method):
    rng = np.random.default_rng(2)
    law = rng.dirichlet(np.ones(8)).reshape(2, 2, 2)
    z, x, y = drawn(rng, law, 40)
    table = np.zeros((2, 2, 2), dtype=int)
    np.add.at(table, (z, x, y), 1)
    without = conditional_without_one(table, method, 2.0)
    i = 5
    keep = np.arange(40) != i
    # the alphabet stays two symbols, as without the sample
    other = conditional_information(x[keep], y[keep], z[keep], bias=method, n_shuffle=0, n_symbols=2)
    assert abs(without[z[i], x[i], y[i]] - other.value) < 1e-9
    assert np.isnan(without).sum() == (table == 0).sum()


def test_p_is_uniform_and_the_value_unbiased_where_z_drives_both():
    rng = np.random.default_rng(3)
    values, p = [], []
    for seed in range(120):
        z = rng.integers(0, 3, 150)
        x, y = rng.random((2, 150)) < [[0.2], [0.3]] + z * 0.25
        result = conditional_information(x, y, z, n_shuffle=39, seed=seed)
        values.append(result.value)
        p.append(result.p - rng.random() / 40)  # p has 40 values
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(120)
    assert mutual_information(x, y, n_shuffle=39).p < 0.05  # they do depend on each other


def test_divergence_is_its_formula_with_its_jackknife():
    rng = np.random.default_rng(5)
    x, y = rng.choice(5, 80, p=[0.4, 0.3, 0.2, 0.05, 0.05]), rng.integers(0, 5, 60)

    def formula(x, y):
        a, b = Counter(x.tolist()), Counter(y.tolist())
        total = sum(m * (digamma(m) - digamma(b[k] + 1)) for k, m in a.items()) / len(x)
        return (total + digamma(len(y) + 1) - digamma(len(x))) / np.log(2)

    result = kullback_leibler(x, y, n_shuffle=19)
    assert abs(result.value - formula(x, y)) < 1e-12
    parts = [
        [formula(np.delete(x, i), y) for i in range(80)],
        [formula(x, np.delete(y, i)) for i in range(60)],
    ]
    se = np.sqrt(sum((len(v) - 1) * np.var(v) for v in parts))
    assert abs(result.se - se) < 1e-9
    assert result.p == 0.05
    plain = kullback_leibler(x, y, bias="plugin", n_shuffle=0)
    a, b = np.bincount(x, minlength=5), np.bincount(y, minlength=5)
    assert abs(plain.value - stats.entropy(a, b, base=2)) < 1e-12
    assert np.isfinite(plain.se)


def test_divergence_says_where_it_may_be_infinite():
    x, y = ["a", "b", "c"] * 20, ["a", "b"] * 30
    assert kullback_leibler(x, y, bias="plugin", n_shuffle=0).value == np.inf
    result = kullback_leibler(x, y, n_shuffle=0)
    assert np.isfinite(result.value)
    assert "never occur in y" in result.warning


@pytest.mark.slow
def test_capacity_of_closed_forms():
    flip = 0.11
    h = entropy_bits(np.array([flip, 1 - flip]))
    symmetric = blahut_arimoto([[1 - flip, flip], [flip, 1 - flip]])
    assert abs(symmetric.value - (1 - h)) < 1e-9
    erasure = blahut_arimoto([[1 - flip, 0, flip], [0, 1 - flip, flip]])
    assert abs(erasure.value - (1 - flip)) < 1e-9
    z = blahut_arimoto([[1, 0], [flip, 1 - flip]])
    assert abs(z.value - log2(1 + (1 - flip) * flip ** (flip / (1 - flip)))) < 1e-9


def test_capacity_is_a_maximum_with_useless_stimuli():
    """Kuhn and Tucker: D_s equals the capacity for every stimulus in use and is at most that for the others."""
    rng = np.random.default_rng(7)
    w = rng.dirichlet(np.full(10, 0.3), size=8)
    result = blahut_arimoto(w)
    each = (w * np.log2(w / (result.p @ w))).sum(1)
    used = result.p > 1e-6
    assert 1 < used.sum() < 8
    assert np.allclose(each[used], result.value, atol=1e-6)
    assert each.max() <= result.upper + 1e-12
    assert result.upper - result.value < 2e-9


@pytest.mark.slow
def test_capacity_from_trials_is_jackknifed():
    rng = np.random.default_rng(8)
    s = np.repeat([0, 1, 2], [60, 20, 20])
    r = (rng.random(100) < np.array([0.1, 0.5, 0.9])[s]) + 0
    table = np.zeros((3, 2))
    np.add.at(table, (s, r), 1)

    def plain(counts):
        return blahut_arimoto(counts / counts.sum(1, keepdims=True), tolerance=1e-11).value

    without = np.array(
        [plain(table - np.eye(6)[3 * 0 + 2 * a + b].reshape(3, 2)) for a, b in zip(s, r, strict=True)]
    )
    result = channel_capacity(s, r, n_shuffle=19)
    assert abs(result.value - (100 * plain(table) - 99 * without.mean())) < 2e-4
    assert abs(result.se - np.sqrt(99 * without.var())) < 1e-3
    assert result.p == 0.05

"""The breakdown and the synergy against joint tables whose every term is summed by brute force in the test."""

from itertools import product

import numpy as np
import pytest
from helpers.gaussians import z_of_mean
from numpy.testing import assert_allclose

from nsnn_neuro.measures import information_breakdown, mutual_information, synergy

TERMS = ["lin", "sig_sim", "cor_ind", "cor_dep", "total"]


def entropy(p):
    return -sum(x * np.log2(x) for x in np.ravel(p) if x > 0)


def exact_terms(joint):
    """All terms of P(s, r_1, r_2, ...), by loops over stimuli and words."""
    sizes, p_s = joint.shape[1:], joint.reshape(len(joint), -1).sum(axis=1)
    cells = range(len(sizes))
    marginal = [joint.sum(axis=tuple(k + 1 for k in cells if k != c)) / p_s[:, None] for c in cells]
    ind_given = np.zeros_like(joint)
    for s in range(len(joint)):
        for word in product(*(range(k) for k in sizes)):
            ind_given[(s, *word)] = np.prod([marginal[c][s, word[c]] for c in cells])
    p_r, ind = joint.sum(axis=0), np.tensordot(p_s, ind_given, 1)
    chi = -sum(p_r[w] * np.log2(ind[w]) for w in product(*(range(k) for k in sizes)) if p_r[w] > 0)
    h_given = sum(p * entropy(joint[s] / p) for s, p in enumerate(p_s))
    h_ind_given = sum(p * sum(entropy(marginal[c][s]) for c in cells) for s, p in enumerate(p_s))
    h_cells = sum(entropy(p_s @ marginal[c]) for c in cells)
    terms = [
        h_cells - h_ind_given,
        entropy(ind) - h_cells,
        chi - entropy(ind),
        entropy(p_r) - h_given - chi + h_ind_given,
        entropy(p_r) - h_given,
    ]
    return np.array(terms)


def like_tuned_pair():
    """Three stimuli, cells of 2 and 3 letters with like tuning and noise correlations that change sign."""
    rates = [(0.15, (0.7, 0.2, 0.1)), (0.4, (0.4, 0.4, 0.2)), (0.7, (0.2, 0.3, 0.5))]
    joint = np.zeros((3, 2, 3))
    for s, ((p, q), c) in enumerate(zip(rates, (0.06, 0.0, -0.05), strict=True)):
        joint[s] = np.outer([1 - p, p], q) + c * np.array([[1, 0, -1], [-1, 0, 1]])
    assert joint.min() > 0
    return joint / 3


def trials_of(table):
    """Stimuli and words of a table of whole counts (n_s, n_1, n_2, ...)."""
    cells = np.argwhere(table >= 0)
    rows = np.repeat(cells, table.ravel(), axis=0)
    return rows[:, 0], rows[:, 1:]


def sample(rng, joint, n_per_stimulus):
    """Trials with equally many of each stimulus."""
    flat = (joint / joint.sum(axis=(1, 2), keepdims=True)).reshape(len(joint), -1)
    return trials_of(np.stack([rng.multinomial(n_per_stimulus, p) for p in flat]).reshape(joint.shape))


def values(parts):
    return np.array([parts[name].value for name in TERMS])


@pytest.mark.parametrize("shape", [(3, 2, 3), (4, 2, 2, 2)])
def test_plug_in_terms_equal_brute_force_on_the_empirical_table(shape):
    table = np.random.default_rng(0).integers(0, 6, shape)
    s, words = trials_of(table)
    parts = information_breakdown(s, words, bias="none", n_shuffle=0)
    assert list(parts) == TERMS
    assert_allclose(values(parts), exact_terms(table / table.sum()), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("bias", ["none", "panzeri-treves"])
def test_error_bars_and_the_jackknifed_quantities_equal_leaving_trials_out_by_hand(bias):
    table = np.random.default_rng(1).integers(0, 4, (2, 2, 3))
    s, words = trials_of(table)
    rest = [np.arange(s.size) != k for k in range(s.size)]
    both, edges = np.column_stack([s, words]), [np.arange(k + 1) for k in table.shape]
    left_out = np.array([exact_terms(np.histogramdd(both[r], edges)[0] / (s.size - 1)) for r in rest])
    n, mean = s.size, left_out.mean(axis=0)
    parts = information_breakdown(s, words, bias=bias, n_shuffle=0)
    expected = np.sqrt((n - 1) / n * ((left_out - mean) ** 2).sum(axis=0))
    assert_allclose([parts[name].se for name in TERMS], expected, rtol=1e-9)
    assert parts["lin"].se_method == "jackknife over trials"
    if bias == "panzeri-treves":  # cor_ind is made of jackknifed quantities alone
        plain = exact_terms(table / n)
        assert_allclose(parts["cor_ind"].value, (n * plain - (n - 1) * mean)[2], rtol=1e-9, atol=1e-10)
        lin = sum(mutual_information(s, words[:, c], n_shuffle=0).value for c in range(2))
        assert_allclose(parts["lin"].value, lin, rtol=1e-9, atol=1e-12)
        whole = mutual_information(s, words, n_shuffle=0).value
        assert_allclose([parts["total"].value, values(parts)[:4].sum()], whole, rtol=1e-9)


@pytest.mark.slow
def test_shuffling_within_stimuli_keeps_signals_and_takes_correlations():
    """Conditionally independent cells with strong tuning: cor_ and only cor_ terms are as their null."""
    rng, p = np.random.default_rng(5), []
    s = np.repeat(np.arange(3), 60)
    for k in range(30):
        rates = np.array([0.2, 0.5, 0.8])[s]
        words = (rng.random((180, 2)) < rates[:, None]).astype(int)
        parts = information_breakdown(s, words, n_shuffle=19, seed=k)
        assert parts["lin"].p == parts["total"].p == 1 / 20
        p.append([parts["cor_ind"].p, parts["cor_dep"].p])
    assert abs(z_of_mean(np.array(p)[:, 0], 21 / 40)) < 4
    assert abs(z_of_mean(np.array(p)[:, 1], 21 / 40)) < 4


def test_correlations_are_found():
    s, words = sample(np.random.default_rng(6), like_tuned_pair(), 300)
    parts = information_breakdown(s, words, n_shuffle=30)
    assert [parts[name].p for name in ("lin", "sig_sim", "cor_dep", "total")] == [1 / 31] * 4
    other = information_breakdown(s, words, n_shuffle=30, seed=1)
    assert other["total"].null_mean != parts["total"].null_mean
    assert parts["total"].warning is None
    few = information_breakdown(s[::20], words[::20], n_shuffle=0)
    assert "trials of a stimulus for 6 words: fewer than 4 per word" in str(few["lin"].warning)


def test_synergy_of_xor_and_copies():
    r1, r2 = np.array([0, 0, 1, 1] * 10), np.array([0, 1, 0, 1] * 10)
    assert_allclose(synergy(r1 ^ r2, r1, r2, bias="none", n_shuffle=0).value, 1.0, rtol=1e-12)
    s = np.array([0, 1, 2, 3] * 10)
    assert_allclose(synergy(s, s, s, bias="none", n_shuffle=0).value, -2.0, rtol=1e-12)
    assert_allclose(synergy(s, s // 2, s % 2, bias="none", n_shuffle=0).value, 0.0, atol=1e-12)
    r1, r2 = np.random.default_rng(8).integers(0, 2, (2, 400, 2))  # words, of which one letter each counts
    e = synergy(r1[:, 0] ^ r2[:, 1], r1, r2, n_shuffle=50)
    assert e.p == 1 / 51
    assert abs(e.value - 1) < 4 * e.se
    assert abs(e.null_mean) < 0.05


@pytest.mark.parametrize("bias", ["none", "panzeri-treves"])
def test_synergy_is_the_difference_of_informations_with_a_jackknife(bias):
    s, words = trials_of(np.random.default_rng(7).integers(0, 4, (3, 2, 3)))
    name = {"none": "plugin"}.get(bias, bias)

    def difference(s, words, name):
        parts = words, words[:, 0], words[:, 1]
        whole, one, two = (mutual_information(s, r, bias=name, n_shuffle=0).value for r in parts)
        return whole - one - two

    e = synergy(s, words[:, 0], words[:, 1], bias=bias, n_shuffle=0)
    assert_allclose(e.value, difference(s, words, name), rtol=1e-9, atol=1e-12)
    rest = [np.arange(s.size) != k for k in range(s.size)]
    left_out = np.array([difference(s[r], words[r], "plugin") for r in rest])
    expected = np.sqrt((s.size - 1) / s.size * ((left_out - left_out.mean()) ** 2).sum())
    assert_allclose(e.se, expected, rtol=1e-9)

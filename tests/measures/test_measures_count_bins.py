"""Bins of counts: definitions, the bias that they remove, and the warning that names them."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from nsnn_neuro.measures import bin_counts, mutual_information


@pytest.mark.parametrize("method", ["equipopulated", "even", "dynamic", "width"])
def test_edges_bin_the_counts_of_each_neuron(method):
    """Symbols are those of the edges, from 0, at most n_bins; equal counts stay together."""
    x = np.random.default_rng(1).poisson([4.0, 30.0], (200, 2))
    for n_bins in (1, 3, 50):
        symbols, edges = bin_counts(x, n_bins=n_bins, method=method)
        for j in range(2):
            assert_array_equal(symbols[:, j], np.digitize(x[:, j], edges[j][1:-1]))
            assert (edges[j][0], edges[j][-1]) == (x[:, j].min(), x[:, j].max() + 1)
            assert (np.diff(edges[j]) > 0).all()
            assert len(edges[j]) <= n_bins + 1


def test_equipopulated_bins_hold_equal_numbers_where_counts_differ():
    x = np.random.default_rng(2).permutation(120)
    for method in ("equipopulated", "even"):
        symbols, _ = bin_counts(x, n_bins=8, method=method)
        assert_array_equal(np.bincount(symbols), np.full(8, 15))


def test_even_bins_are_the_best_of_all():
    """Every set of borders tried: least sum of squares."""
    x = np.random.default_rng(3).poisson(2.0, 80)
    distinct = np.unique(x)
    for n_bins in (2, 3, 4):
        symbols, _ = bin_counts(x, n_bins=n_bins, method="even")
        best = min(
            (np.bincount(np.digitize(x, borders)) ** 2).sum()
            for borders in itertools.combinations(distinct[1:], n_bins - 1)
        )
        assert (np.bincount(symbols) ** 2).sum() == best


def test_bins_remove_the_bias_of_many_counts_in_few_trials():
    """16 stimuli of 11 trials, 101 counts, no information: the plain estimate is off by 2 bit, its warning names bins."""
    rng = np.random.default_rng(5)
    stimulus = np.repeat(np.arange(16), 11)
    raw, binned = [], []
    for _ in range(8):
        x = rng.integers(0, 101, 176)
        raw.append(mutual_information(stimulus, x, bias="plugin", n_shuffle=0))
        symbols, _ = bin_counts(x, n_bins=2)
        binned.append(mutual_information(stimulus, symbols, n_shuffle=0).value)
    assert "bin_counts(counts, n_bins=2)" in raw[0].warning
    assert np.mean([e.value for e in raw]) > 2
    assert abs(np.mean(binned)) < 4 * np.std(binned, ddof=1) / np.sqrt(8)
    assert mutual_information(stimulus, symbols, n_shuffle=0).warning is None

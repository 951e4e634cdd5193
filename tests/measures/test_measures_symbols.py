"""Symbols from samples and words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nsnn_neuro import NsnnError
from nsnn_neuro.measures.information.symbols import as_symbols, read_symbols


@given(arrays(np.int64, st.tuples(st.integers(1, 30), st.integers(1, 5)), elements=st.integers(-3, 3)))
def test_words_are_numbered_as_sorted_rows(words):
    rows, codes = np.unique(words, axis=0, return_inverse=True)
    found, n = as_symbols(words, "r")
    assert found.dtype == np.int64
    assert n == len(rows)
    assert found.tolist() == codes.reshape(-1).tolist()
    assert read_symbols(words, "r").n_possible == np.prod(np.ptp(words, axis=0) + 1.0)


@pytest.mark.parametrize("scale", [1, 10**5, 2**40])  # a lookup, sorted codes, rows too many for one code
def test_all_ways_of_coding_agree(scale):
    words = np.random.default_rng(0).integers(-3, 4, (500, 3))
    small, n_small = as_symbols(words, "r")
    large, n_large = as_symbols(words * scale, "r")
    assert n_small == n_large == len(np.unique(words, axis=0))
    assert small.tolist() == large.tolist()


def test_types_are_read_alike():
    x = np.array([3, 0, 1, 3, 0])
    for kind in (np.int8, np.uint8, np.uint64, np.int32, float, np.float32):
        codes, n = as_symbols(x.astype(kind), "r")
        assert (codes.tolist(), n) == ([2, 0, 1, 2, 0], 3)
    codes, n = as_symbols(np.array([[True, False], [False, True], [True, False]]), "r")
    assert (codes.tolist(), n) == ([1, 0, 1], 2)
    extremes = read_symbols(np.array([-(2**63), 2**63 - 1, 0]), "r")
    assert (extremes.codes.tolist(), extremes.n_possible) == ([0, 2, 1], 2.0**64)
    assert read_symbols(np.vstack([np.zeros(2000, int), np.ones(2000, int)]), "r").n_possible == np.inf


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([], "r is empty"),
        (np.empty((3, 0), int), "r is empty"),
        ([0.5, 1.0], r"r has 0\.5: symbols are whole numbers; bin"),
        ([1.0, np.nan], "r has NaN"),
        ([1.0, np.inf], "r has inf"),
        (["a", "b"], "numpy.unique"),
        (np.zeros((2, 2, 2), int), r"shape \(2, 2, 2\)"),
        (3, r"shape \(\)"),
        ([[1, 2], [1]], "unequal length"),
        (np.array([2**63], dtype=np.uint64), "below 2\\^63"),
        (np.array([1j]), "complex128"),
    ],
)
def test_bad_samples_are_named(x, message):
    with pytest.raises(NsnnError, match=message):
        as_symbols(x, "r")

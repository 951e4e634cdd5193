"""Internals of entropy estimation: symbols, NSB posterior, extrapolation with its jackknife, coefficients of the best upper bound.

NSB against quadrature with SciPy's functions and the literature's reference point; extrapolation against loops over samples.
"""
# Imports internals: `entropy` shows neither moments and coefficients, nor partitions and delete-one values, nor codes of symbols.

import numpy as np
import pytest
from helpers.channels import entropy_bits
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import integrate, optimize, special, stats

from nsnn_neuro.measures.entropies.best_upper_bound import best_upper_bound, bub_coefficients
from nsnn_neuro.measures.entropies.contingency import plugin_entropy
from nsnn_neuro.measures.entropies.estimators import plugin, profile
from nsnn_neuro.measures.entropies.extrapolation import (
    _WEIGHTS,
    PARTITIONS,
    quadratic_extrapolation,
)
from nsnn_neuro.measures.entropies.nsb import nsb, nsb_moments, nsb_without_one
from nsnn_neuro.measures.entropies.symbols import as_symbols, read_symbols


def by_quadrature(counts, k):
    """Posterior mean and SD (bits) by scipy.integrate.quad over ln b, with the moments of each Dirichlet as double sums."""
    counts = np.asarray(counts, dtype=float)
    seen, n = counts[counts > 0], counts.sum()

    def log_weight(t):
        b = np.exp(t)
        prior = k * special.polygamma(1, k * b + 1) - special.polygamma(1, b + 1)
        gammas = special.gammaln(seen + b) - special.gammaln(b)
        return np.log(prior) + t + special.gammaln(k * b) - special.gammaln(n + k * b) + gammas.sum()

    def moments(t):
        a = np.concatenate([seen, np.zeros(k - seen.size)]) + np.exp(t)
        total = a.sum()
        mean = special.digamma(total + 1) - (a * special.digamma(a + 1)).sum() / total
        u = special.digamma(a + 1) - special.digamma(total + 2)
        pairs = np.outer(a, a) * (np.outer(u, u) - special.polygamma(1, total + 2))
        same = (special.digamma(a + 2) - special.digamma(total + 2)) ** 2
        same = same + special.polygamma(1, a + 2) - special.polygamma(1, total + 2)
        return mean, (pairs.sum() - np.trace(pairs) + (a * (a + 1) * same).sum()) / (total * (total + 1))

    nodes = np.linspace(-np.log(k) - 36.0, 16.0, 2000)
    heights = np.array([log_weight(t) for t in nodes])
    peak, inside = heights.max(), nodes[heights > heights.max() - 36.0]

    def integral(f):
        options = {"epsabs": 0, "epsrel": 1e-10, "limit": 300, "points": [nodes[heights.argmax()]]}
        return integrate.quad(
            lambda t: np.exp(log_weight(t) - peak) * f(t), inside[0], inside[-1], **options
        )[0]

    mass = integral(lambda t: 1.0)
    mean, second = (integral(lambda t, i=i: moments(t)[i]) / mass for i in (0, 1))
    return mean / np.log(2), np.sqrt(second - mean**2) / np.log(2)


@pytest.mark.parametrize(
    ("counts", "k"),
    [([3, 1], 4), ([10, 5, 3, 1, 1], 20), ([50, 40], 2), ([2, 1, 1, 1], 60), ([30, 2, 1], 8)],
)
def test_moments_are_those_of_a_quadrature(counts, k):
    mean, sd = nsb_moments(profile(np.array([counts]), float(k)))
    expected_mean, expected_sd = by_quadrature(counts, k)
    # what lies beyond the ends of the quadrature, e^-16 of the prior, is 1e-7
    assert abs(mean[0] - expected_mean) < 1e-6
    assert abs(sd[0] - expected_sd) < 1e-6


def test_one_sample_leaves_the_prior_mean():
    # by symmetry one sample tells nothing about the entropy, and the prior is uniform in its expectation on [0, log2 K]
    for k in (2, 100, 10**4, 2**20, 2**60):
        mean, _ = nsb_moments(profile(np.array([[1]]), float(k)))
        assert abs(mean[0] - 0.5 * np.log2(k)) < 1e-6 * np.log2(k)


@pytest.mark.parametrize("n", [1, 2, 7, 100, 10**4, 10**5])
def test_finite_and_possible_for_all_sizes(n):
    rng = np.random.default_rng(n)
    for k in (2, 3, 100, 10**4, 2**20, 2**62):
        for spread in (min(k, n, 1000), 1):  # all over the alphabet, and all samples alike
            counts = np.bincount(rng.integers(0, spread, n))[None]
            mean, sd = nsb_moments(profile(counts, float(k)))
            assert 0.0 <= mean[0] <= np.log2(k) + 1e-9
            assert 0.0 < sd[0] < np.log2(k)


def test_known_symbol_and_no_samples_have_no_entropy():
    assert nsb(profile(np.array([[5]]), 1.0)).tolist() == [0.0]
    assert nsb(profile(np.array([[0, 0]]), 2.0)).tolist() == [0.0]


def test_reference_point_of_uniform_law():
    counts = np.random.default_rng(1).multinomial(100, np.full(100, 0.01), size=2000)
    rows = profile(counts, 100.0)
    value = nsb(rows)
    # published to the digits given: plug-in 5.822 (SD .08), NSB 6.54 (SD .05), truth 6.644
    assert abs(plugin(rows).mean() - 5.822) < 4 * 0.08 / np.sqrt(2000)
    assert abs(value.mean() - 6.54) < 0.005 + 4 * 0.05 / np.sqrt(2000)
    assert abs(plugin(rows).std() - 0.08) < 0.005
    assert abs(value.std() - 0.05) < 0.005


def test_values_without_one_sample_are_those_of_the_smaller_sample():
    rng = np.random.default_rng(2)
    counts = np.vstack([rng.multinomial(60, rng.dirichlet(np.full(30, a))) for a in (0.05, 0.3, 2.0)])
    rows = profile(counts, 30.0)
    here = rows.multiplicity > 0
    apart = np.abs(nsb_without_one(rows) - nsb(rows.without_one()))
    assert apart[here].max() < 1e-9


def test_plugin_entropy_along_any_axis():
    counts = np.random.default_rng(0).integers(0, 5, (3, 4, 5))
    p = counts / counts.sum(1, keepdims=True)
    assert np.abs(plugin_entropy(counts, axis=1) - entropy_bits(p, axis=1)).max() < 1e-12
    assert plugin_entropy(np.zeros(3)) == 0.0


def test_extrapolation_is_exact_for_a_quadratic_law_of_the_bias():
    v, a, b = 1.7, -3.0, 11.0
    value = sum(w * (v + a * part / 64 + b * (part / 64) ** 2) for part, w in _WEIGHTS.items())
    assert abs(value - v) < 1e-12


@pytest.mark.parametrize("joint", [False, True])
def test_extrapolation_and_its_jackknife_sample_by_sample(joint):
    """The same partitions, dealt by hand, and every plug-in value from the samples of its part, with and without each."""
    rng = np.random.default_rng(0)
    s, r = np.repeat([0, 1, 2], [14, 9, 7]), rng.integers(0, 4, 30)

    def value_of(keep, quarters):
        def plain(part):
            entropies = [plugin_entropy(np.bincount(x[part])) for x in ((r, s, 4 * s + r) if joint else (r,))]
            return entropies[0] + entropies[1] - entropies[2] if joint else entropies[0]

        halves = [np.mean([plain(keep & (q % 2 == h)) for h in (0, 1)]) for q in quarters]
        fourths = [np.mean([plain(keep & (q == k)) for k in range(4)]) for q in quarters]
        return (8 * plain(keep) - 6 * np.mean(halves) + np.mean(fourths)) / 3

    dealer, quarters = np.random.default_rng(1), []
    for _ in range(PARTITIONS):
        quarter, turn = np.empty(30, dtype=int), [0, 1, 2]
        for i in dealer.permutation(30):
            quarter[i] = turn[s[i]] % 4
            turn[s[i]] += 1
        quarters.append(quarter)
    options = {"rng": np.random.default_rng(1), "joint": joint, "jackknife": True}
    value, without = quadratic_extrapolation(s, r, 3, 4, **options)
    all_samples = np.ones(30, dtype=bool)
    assert abs(value - value_of(all_samples, quarters)) < 1e-12
    for i in range(30):
        assert abs(without[i] - value_of(all_samples & (np.arange(30) != i), quarters)) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize(("n", "k"), [(20, 10), (60, 100), (300, 30)])
def test_best_upper_bound_bounds_bias_and_error(n, k):
    a, bound = bub_coefficients(n, float(k))
    rng = np.random.default_rng(0)
    j = np.arange(n + 1)
    tail = -special.xlogy(j / n, j / n) + (1 - j / n) / (2 * n)
    full = np.concatenate([a, tail[a.size :]])

    laws = [np.full(k, 1 / k), *rng.dirichlet(np.full(k, 0.1), 3), *rng.dirichlet(np.ones(k), 3)]
    for law in laws:
        truth = entropy_bits(law)
        bias = (stats.binom.pmf(j, n, law[:, None]) @ full).sum() / np.log(2) - truth
        value = best_upper_bound(profile(rng.multinomial(n, law, size=4000), float(k)))
        error = value.std() / np.sqrt(4000)
        assert abs(value.mean() - truth - bias) < 4 * error  # the bias is exact: the estimator is linear
        assert np.sqrt(bias**2 + value.var()) < bound


@pytest.mark.slow
@pytest.mark.parametrize(("n", "k"), [(20, 10), (25, 100)])
def test_best_upper_bound_is_near_the_least_of_all(n, k):
    """The least bound over all coefficients: linear programs for the larger of |bias| + weight * SD, over the weights."""
    p = np.unique(np.append(np.linspace(0, 1, 201) ** 2, 1 / k))
    f = 2 * np.minimum(k, 1 / np.maximum(p, 1e-300))
    rows, right = f[:, None] * stats.binom.pmf(np.arange(n + 1), n, p[:, None]), -f * special.xlogy(p, p)
    steps = np.diff(np.eye(n + 1), axis=0) * np.sqrt(n)
    bias, sd = (np.zeros((p.size, 2)) - [1, 0]), (np.zeros((n, 2)) - [0, 1])
    blocks = np.vstack([np.hstack([sign * x, y]) for x, y in ((rows, bias), (steps, sd)) for sign in (1, -1)])
    limits = np.concatenate([right, -right, np.zeros(2 * n)])
    free = [(None, None)] * (n + 1) + [(0, None)] * 2
    least = np.inf
    for weight in np.logspace(-0.5, 1.0, 7):
        cost = np.append(np.zeros(n + 1), [1, weight])
        found = optimize.linprog(cost, A_ub=blocks, b_ub=limits, bounds=free, method="highs")
        least = min(least, np.hypot(*found.x[-2:]) / np.log(2))
    assert 0.99 * least < bub_coefficients(n, float(k))[1] < 1.25 * least


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


@pytest.mark.slow
def test_types_are_read_alike():
    x = np.array([3, 0, 1, 3, 0])
    for kind in (np.int8, np.uint8, np.uint64, np.int32, float, np.float32):
        codes, n = as_symbols(x.astype(kind), "r")
        assert (codes.tolist(), n) == ([2, 0, 1, 2, 0], 3)
    codes, n = as_symbols(np.array([[True, False], [False, True], [True, False]]), "r")
    assert (codes.tolist(), n) == ([1, 0, 1], 2)
    assert as_symbols(["b", "a", "b"], "r")[0].tolist() == [1, 0, 1]
    extremes = read_symbols(np.array([-(2**63), 2**63 - 1, 0]), "r")
    assert (extremes.codes.tolist(), extremes.n_possible) == ([0, 2, 1], 2.0**64)
    assert read_symbols(np.vstack([np.zeros(2000, int), np.ones(2000, int)]), "r").n_possible == np.inf

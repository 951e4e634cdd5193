"""Entropy estimators against plain loops, delete-one samples, quadrature, exact laws and their own coverage."""
# Imports internals: `entropy` shows neither moments and coefficients, nor partitions and delete-one values, nor codes of symbols.

import math

import numpy as np
import pytest
from helpers.channels import entropy_bits, relevant_by_search
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import integrate, special, stats

from nsnn_neuro.measures import entropy
from nsnn_neuro.measures.entropies.alphabet import (
    best_upper_bound,
    bub_coefficients,
    nsb,
    nsb_moments,
    nsb_without_one,
)
from nsnn_neuro.measures.entropies.contingency import plugin_entropy
from nsnn_neuro.measures.entropies.estimators import profile
from nsnn_neuro.measures.entropies.extrapolation import PARTITIONS, quadratic_extrapolation
from nsnn_neuro.measures.entropies.symbols import as_symbols, read_symbols

SAMPLES = st.lists(st.integers(0, 6), min_size=1, max_size=40)
METHODS = [
    "plugin",
    "miller-madow",
    "panzeri-treves",
    "quadratic",
    "chao-shen",
    "grassberger",
    "nsb",
    "best-upper-bound",
]
CLOSED_FORMS = ["chao-shen", "grassberger", "miller-madow", "panzeri-treves", "plugin"]


def by_loops(method, counts, k):
    """The formulas in nats, term by term."""
    n, seen = sum(counts), [c for c in counts if c > 0]
    if method == "chao-shen":
        singles = counts.count(1)
        coverage = 1 - (n - 1 if singles == n else singles) / n
        terms = [coverage * c / n for c in seen]
        return sum(-q * math.log(q) / (1 - (1 - q) ** n) if q < 1 else 0.0 for q in terms)
    if method == "grassberger":
        g = {1: -np.euler_gamma - math.log(2), 2: 2 - np.euler_gamma - math.log(2)}
        for m in range(3, n + 1):  # the recursion of the source
            g[m] = g[m - 1] if m % 2 else g[m - 2] + 2 / (m - 1)
        harmonic = sum(1 / m for m in range(1, n)) - np.euler_gamma  # psi(n)
        return harmonic - sum(c * g[c] for c in seen) / n if len(seen) > 1 else 0.0
    plain = -sum(c / n * math.log(c / n) for c in seen)
    relevant = {"plugin": 1, "miller-madow": len(seen), "panzeri-treves": relevant_by_search(counts, k)}[
        method
    ]
    return plain + (relevant - 1) / (2 * n)


@pytest.mark.slow
@pytest.mark.parametrize("method", CLOSED_FORMS)
@given(x=SAMPLES)
def test_closed_forms_are_their_formulas(method, x):
    counts = np.bincount(x).tolist()
    value = entropy(x, method=method, n_symbols=9).value
    assert abs(value - by_loops(method, counts, 9) / math.log(2)) < 1e-9


def grassberger(rows):
    return np.array([entropy(np.repeat(np.arange(c.size), c), method="grassberger").value for c in rows])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["miller-madow", "panzeri-treves", "chao-shen", "best-upper-bound"])
@settings(max_examples=30)
@given(x=st.lists(st.integers(0, 5), min_size=2, max_size=25))
def test_error_bar_is_the_brute_force_jackknife(method, x):
    x = np.array([0, *x])  # so that the range stays
    options = {"method": method, "n_symbols": 8}
    left_out = np.array([entropy(np.delete(x, i), **options).value for i in range(x.size)])
    expected = np.sqrt((x.size - 1) / x.size * ((left_out - left_out.mean()) ** 2).sum())
    estimate = entropy(x, **options)
    assert abs(estimate.se - expected) < 1e-9
    assert (estimate.se_method, estimate.n) == ("jackknife over samples", x.size)


def test_error_bar_of_grassberger_is_that_of_the_digamma_form():
    x = np.random.default_rng(0).integers(0, 6, 30)

    def form(y):
        c = np.bincount(y, minlength=6)
        terms = c[c > 0] * special.digamma(c[c > 0])
        return (special.digamma(y.size) - terms.sum() / y.size) / np.log(2)

    left_out = np.array([form(np.delete(x, i)) for i in range(30)])
    expected = np.sqrt(29 / 30 * ((left_out - left_out.mean()) ** 2).sum())
    assert abs(entropy(x, method="grassberger").se - expected) < 1e-12


@pytest.mark.parametrize("n", [8, 9])
def test_grassberger_has_the_bias_of_its_binomial_form(n):
    """Exact expectation over all samples of n; samples of one symbol are given 0 in place of the rule's value."""
    counts = np.array([[a, b, n - a - b] for a in range(n + 1) for b in range(n + 1 - a)])
    law = np.array([0.6, 0.3, 0.1])
    p = stats.multinomial.pmf(counts, n, law)
    alone = -0.5 * (-1) ** n * (special.digamma((n + 1) / 2) - special.digamma(n / 2)) / np.log(2)
    value = p @ (grassberger(counts) + alone * (counts == n).any(1))
    low = [q * integrate.quad(lambda x: x ** (n - 1) / (1 - x), 0, 1 - 2 * q)[0] for q in law]
    assert abs(value - (entropy_bits(law) - sum(low) / np.log(2))) < 1e-10
    # two symbols, four samples each: with ln N in place of psi(N) this is +.09 to +.19 bit
    k = np.arange(9)
    binary = stats.binom.pmf(k, 8, 0.5) @ grassberger(np.column_stack([k, 8 - k]))
    assert abs(binary - 1.0) < 0.015


def test_error_bar_of_nsb_is_its_posterior_or_the_jackknife():
    few = entropy([0, 1, 2, 3] * 2, method="nsb", n_symbols=100)
    assert few.se_method == "posterior"
    law = 1 / np.arange(1, 101)
    many = entropy(np.random.default_rng(0).choice(100, 400, p=law / law.sum()), method="nsb", n_symbols=100)
    assert many.se_method == "jackknife over samples"
    assert math.isnan(entropy([3], method="miller-madow").se)
    assert entropy([3], method="nsb", n_symbols=8).se > 0


@pytest.mark.parametrize("method", METHODS)
def test_long_samples_of_known_laws(method):
    law = 0.75 ** np.arange(16)
    law /= law.sum()
    x = np.random.default_rng(0).choice(16, 20000, p=law)
    estimate = entropy(x, method=method, n_symbols=16)
    assert abs(estimate.value - entropy_bits(law)) < 4 * estimate.se
    p = law[None] * (np.log2(law) + entropy_bits(law))[None] ** 2
    assert abs(estimate.se / np.sqrt(p.sum() / 20000) - 1.0) < 0.05  # the law's own SD of -log2 p
    assert estimate.warning is None


ENOUGH_OF_32 = {  # samples per symbol: the stated regimes
    "plugin": 4 * 31**2 / 32,
    "miller-madow": 32,
    "panzeri-treves": 4,
    "quadratic": 4,
    "chao-shen": 4,
    "grassberger": 4,
    "nsb": 1,
    "best-upper-bound": 1,
}


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS[1:])
def test_two_error_bars_hold_the_truth_from_the_stated_regime_on(method):
    p = 1.0 / np.arange(1, 33)
    p /= p.sum()
    n, rng = math.ceil(ENOUGH_OF_32[method] * 32), np.random.default_rng(0)
    found = [entropy(rng.choice(32, n, p=p), method=method, n_symbols=32) for _ in range(60)]
    assert all(e.warning is None for e in found)
    assert np.mean([abs(e.value - entropy_bits(p)) <= 2 * e.se for e in found]) >= 0.9


def test_warning_comes_below_the_stated_regime():
    rng = np.random.default_rng(0)
    for method, each in ENOUGH_OF_32.items():
        x = np.append(np.arange(31), rng.integers(0, 31, math.ceil(32 * each) - 32))
        warning = entropy(x, method=method, n_symbols=32).warning
        assert warning.startswith(f"{x.size} samples of 32 symbols (31 seen), fewer than")
        assert "take more samples" in warning


def test_auto_goes_by_sizes_alone():
    many = entropy([0, 1] * 8, method="auto")
    few = entropy([0, 1, 2, 3, 4, 5, 0], method="auto", n_symbols=10)
    assert (many.correction, many.reason) == ("panzeri-treves", "there are 16 samples of 2 symbols, 8 each")
    assert (few.correction, few.reason) == ("nsb", "there are 7 samples of 10 symbols, 0.7 each")
    assert many.value == entropy([0, 1] * 8, method="panzeri-treves").value


def test_seed_draws_the_partitions():
    x = np.random.default_rng(0).integers(0, 9, 60)
    first, again, other = (entropy(x, method="quadratic", seed=s).value for s in (1, 1, 2))
    assert first == again != other


def test_alphabet_must_be_told_or_is_taken_with_a_warning():
    told = entropy([0, 1, 3, 1], method="nsb", n_symbols=4)
    taken = entropy([0, 1, 3, 1], method="nsb")
    assert told.value == taken.value
    assert told.warning is None
    assert "n_symbols not given: took 4, the range of the values in x" in taken.warning
    words = entropy([[0, 0], [1, 2], [0, 1]], method="nsb")
    assert "took 6, the product of the letters' ranges" in words.warning
    assert entropy([[0, 1]] * 3, method="nsb", n_symbols=2**62).value > 0


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


@pytest.mark.parametrize(("counts", "k"), [([10, 5, 3, 1, 1], 20), ([50, 40], 2), ([2, 1, 1, 1], 60)])
def test_moments_are_those_of_a_quadrature(counts, k):
    mean, sd = nsb_moments(profile(np.array([counts]), float(k)))
    expected_mean, expected_sd = by_quadrature(counts, k)
    # what lies beyond the ends of the quadrature, e^-16 of the prior, is 1e-7
    assert abs(mean[0] - expected_mean) < 1e-6
    assert abs(sd[0] - expected_sd) < 1e-6


def test_one_sample_leaves_the_prior_mean():
    # by symmetry one sample tells nothing about the entropy, and the prior is uniform in its expectation on [0, log2 K]
    for k in (2, 2**60):
        mean, _ = nsb_moments(profile(np.array([[1]]), float(k)))
        assert abs(mean[0] - 0.5 * np.log2(k)) < 1e-6 * np.log2(k)


@pytest.mark.parametrize("n", [1, 10**5])
def test_finite_and_possible_for_all_sizes(n):
    rng = np.random.default_rng(n)
    for k in (2, 100, 2**62):
        for spread in (min(k, n, 1000), 1):  # all over the alphabet, and all samples alike
            counts = np.bincount(rng.integers(0, spread, n))[None]
            mean, sd = nsb_moments(profile(counts, float(k)))
            assert 0.0 <= mean[0] <= np.log2(k) + 1e-9
            assert 0.0 < sd[0] < np.log2(k)


def test_values_without_one_sample_are_those_of_the_smaller_sample():
    rng = np.random.default_rng(2)
    counts = np.vstack([rng.multinomial(60, rng.dirichlet(np.full(30, a))) for a in (0.05, 0.3, 2.0)])
    rows = profile(counts, 30.0)
    here = rows.multiplicity > 0
    apart = np.abs(nsb_without_one(rows) - nsb(rows.without_one()))
    assert apart[here].max() < 1e-9


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
def test_best_upper_bound_bounds_bias_and_error():
    n, k = 60, 100
    a, bound = bub_coefficients(n, float(k))
    assert 0.99 < bound / 1.0015078 < 1.25  # the least over all coefficients, by linear programs
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


@given(arrays(np.int64, st.tuples(st.integers(1, 30), st.integers(1, 5)), elements=st.integers(-3, 3)))
def test_words_are_numbered_as_sorted_rows(words):
    rows, codes = np.unique(words, axis=0, return_inverse=True)
    found, n = as_symbols(words, "r")
    assert found.dtype == np.int64
    assert n == len(rows)
    assert found.tolist() == codes.reshape(-1).tolist()
    assert read_symbols(words, "r").n_possible == np.prod(np.ptp(words, axis=0) + 1.0)


@pytest.mark.parametrize("scale", [10**5, 2**40])  # sorted codes, rows too many for one code
def test_all_ways_of_coding_agree(scale):
    words = np.random.default_rng(0).integers(-3, 4, (500, 3))
    small, n_small = as_symbols(words, "r")
    large, n_large = as_symbols(words * scale, "r")
    assert n_small == n_large == len(np.unique(words, axis=0))
    assert small.tolist() == large.tolist()
    # more letters than an array may have dimensions
    assert as_symbols(np.hstack([words, np.zeros((500, 100), int)]), "r")[0].tolist() == small.tolist()


def test_types_are_read_alike():
    x = np.array([3, 0, 1, 3, 0])
    for kind in (np.uint8, np.uint64, np.float32):
        codes, n = as_symbols(x.astype(kind), "r")
        assert (codes.tolist(), n) == ([2, 0, 1, 2, 0], 3)
    assert as_symbols(np.array([[True, False], [False, True]]), "r")[0].tolist() == [1, 0]
    extremes = read_symbols(np.array([-(2**63), 2**63 - 1, 0]), "r")
    assert (extremes.codes.tolist(), extremes.n_possible) == ([0, 2, 1], 2.0**64)
    assert read_symbols(np.vstack([np.zeros(2000, int), np.ones(2000, int)]), "r").n_possible == np.inf

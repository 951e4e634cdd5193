"""Entropy estimators against plain loops, delete-one samples, exact laws and their own coverage."""

import math

import numpy as np
import pytest
from helpers.channels import entropy_bits
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, optimize, special, stats

from nsnn_neuro import NsnnError
from nsnn_neuro.measures import entropy
from nsnn_neuro.measures.information.entropy.best_upper_bound import best_upper_bound, bub_coefficients
from nsnn_neuro.measures.information.entropy.contingency import plugin_entropy, relevant_responses
from nsnn_neuro.measures.information.entropy.estimators import (
    CLOSED_FORMS,
    grassberger,
    miller_madow,
    plugin,
    profile,
)
from nsnn_neuro.measures.information.entropy.extrapolation import (
    _WEIGHTS,
    PARTITIONS,
    _values,
    _without_one,
    quadratic_extrapolation,
)

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


def relevant_by_search(counts, limit):
    """The counting of Panzeri & Treves, one more response at a time."""
    seen, n = sum(c > 0 for c in counts), sum(counts)
    q = 1 - (n / (n + seen)) ** (1 / n)
    best, apart = seen, math.inf
    for extra in range(int(limit) - seen + 1):
        if extra * q >= 1:
            break
        expected = sum(1 - (1 - (1 - extra * q) * (c + 1) / (n + seen)) ** n for c in counts if c > 0)
        expected += extra * (1 - (1 - q) ** n)
        if abs(expected - seen) < apart - 1e-9:
            best, apart = seen + extra, abs(expected - seen)
    return best


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
    relevant = {
        "plugin": 1,
        "miller-madow": len(seen),
        "panzeri-treves": relevant_by_search(counts, k),
    }[method]
    return plain + (relevant - 1) / (2 * n)


@pytest.mark.parametrize("method", sorted(CLOSED_FORMS))
@given(x=SAMPLES)
def test_closed_forms_are_their_formulas(method, x):
    counts = np.bincount(x).tolist()
    value = entropy(x, method=method, n_symbols=9).value
    assert abs(value - by_loops(method, counts, 9) / math.log(2)) < 1e-9


@given(st.lists(st.integers(0, 30), min_size=1, max_size=12).filter(any), st.integers(0, 200))
def test_relevant_responses_are_those_of_the_search(counts, more):
    limit = len(counts) + more
    assert relevant_responses(np.array(counts), limit) == relevant_by_search(counts, limit)


def test_relevant_responses_find_the_support():
    law = np.random.default_rng(0).dirichlet(np.ones(40))
    counts = np.random.default_rng(1).multinomial(80, law, size=500)
    naive, counted = (counts > 0).sum(1).mean(), relevant_responses(counts, 200.0).mean()
    assert naive < 28
    assert abs(counted - 40) < 0.4 * (40 - naive)


def test_plugin_entropy_along_any_axis():
    counts = np.random.default_rng(0).integers(0, 5, (3, 4, 5))
    p = counts / counts.sum(1, keepdims=True)
    assert np.abs(plugin_entropy(counts, axis=1) - entropy_bits(p, axis=1)).max() < 1e-12
    assert plugin_entropy(np.zeros(3)) == 0.0


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("quadratic", "nsb", "grassberger")])
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


@pytest.mark.parametrize("n", [4, 8, 9])
def test_grassberger_has_the_bias_of_its_binomial_form(n):
    """Exact expectation over all samples of n; samples of one symbol are given 0 in place of the rule's value."""
    counts = np.array([[a, b, n - a - b] for a in range(n + 1) for b in range(n + 1 - a)])
    law = np.array([0.6, 0.3, 0.1])
    p = stats.multinomial.pmf(counts, n, law)
    alone = -0.5 * (-1) ** n * (special.digamma((n + 1) / 2) - special.digamma(n / 2)) / np.log(2)
    value = p @ (grassberger(profile(counts, 3.0)) + alone * (counts == n).any(1))
    low = [q * integrate.quad(lambda x: x ** (n - 1) / (1 - x), 0, 1 - 2 * q)[0] for q in law]
    assert abs(value - (entropy_bits(law) - sum(low) / np.log(2))) < 1e-10
    # two symbols, four samples each: with ln N in place of psi(N) this is +.09 to +.19 bit
    k = np.arange(9)
    binary = stats.binom.pmf(k, 8, 0.5) @ grassberger(profile(np.column_stack([k, 8 - k]), 2.0))
    assert abs(binary - 1.0) < 0.015


def test_error_bar_of_nsb_is_its_posterior_or_the_jackknife():
    few = entropy([0, 1, 2, 3] * 2, method="nsb", n_symbols=100)
    assert few.se_method == "posterior"
    law = 1 / np.arange(1, 101)
    many = entropy(np.random.default_rng(0).choice(100, 400, p=law / law.sum()), method="nsb", n_symbols=100)
    assert many.se_method == "jackknife over samples"
    assert math.isnan(entropy([3], method="miller-madow").se)
    assert entropy([3], method="nsb", n_symbols=8).se > 0


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


@pytest.mark.parametrize("joint", [False, True])
def test_extrapolation_jackknife_of_one_table_is_brute_force(joint):
    table = np.random.default_rng(0).integers(0, 4, (3, 5))
    without = _without_one(table[None], joint)[0]
    for i, j in zip(*np.nonzero(table), strict=True):
        less = table.copy()
        less[i, j] -= 1
        assert abs(without[i, j] - _values(less[None], joint)[0]) < 1e-12


def test_extrapolation_takes_all_halves_and_quarters():
    rng = np.random.default_rng(0)
    r = rng.integers(0, 8, 64)
    s = np.zeros(64, dtype=int)
    value, without = quadratic_extrapolation(s, r, 1, 8, rng=rng, joint=False, jackknife=True)
    # the same from the expected plug-in entropy of halves and quarters drawn at random, which 10 partitions approach
    counts = np.bincount(r, minlength=8)
    draws = {n: rng.multivariate_hypergeometric(counts, n, size=20000) for n in (32, 16)}
    means = {n: plugin_entropy(c) for n, c in draws.items()}
    expected = (8 * plugin_entropy(counts) - 6 * means[32].mean() + means[16].mean()) / 3
    spread = np.hypot(2 * means[32].std() / np.sqrt(20), means[16].std() / 3 / np.sqrt(40))
    assert abs(value - expected) < 4 * spread
    assert abs(without.mean() - value) < 0.02


@pytest.mark.parametrize(("n", "k"), [(20, 10), (60, 100), (300, 30)])
def test_best_upper_bound_bounds_bias_and_error(n, k):
    a, bound = bub_coefficients(n, float(k))
    rng = np.random.default_rng(0)
    j = np.arange(n + 1)
    tail = -special.xlogy(j / n, j / n) + (1 - j / n) / (2 * n)
    full = np.concatenate([a, tail[a.size :]])
    bounds = {"plugin": plugin, "miller-madow": miller_madow}
    laws = [np.full(k, 1 / k), *rng.dirichlet(np.full(k, 0.1), 3), *rng.dirichlet(np.ones(k), 3)]
    for law in laws:
        truth = entropy_bits(law)
        bias = (stats.binom.pmf(j, n, law[:, None]) @ full).sum() / np.log(2) - truth
        value = best_upper_bound(profile(rng.multinomial(n, law, size=4000), float(k)))
        error = value.std() / np.sqrt(4000)
        assert abs(value.mean() - truth - bias) < 4 * error  # the bias is exact: the estimator is linear
        assert np.sqrt(bias**2 + value.var()) < bound
    worst = {
        name: max(
            abs(f(profile(rng.multinomial(n, law, size=4000), float(k))).mean() - entropy_bits(law))
            for law in laws
        )
        for name, f in bounds.items()
    }
    mine = max(
        abs((stats.binom.pmf(j, n, p[:, None]) @ full).sum() / np.log(2) - entropy_bits(p)) for p in laws
    )
    assert mine < worst["plugin"]
    assert n > k or mine < worst["miller-madow"]


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
@pytest.mark.parametrize("law", ["zipf", "geometric"])
@pytest.mark.parametrize("method", METHODS)
def test_two_error_bars_hold_the_truth_from_the_stated_regime_on(method, law):
    k = 32 if law == "zipf" else 16
    p = 1.0 / np.arange(1, k + 1) if law == "zipf" else 0.75 ** np.arange(k)
    p /= p.sum()
    each = 4 * (k - 1) ** 2 / k if method == "plugin" else ENOUGH_OF_32[method]
    rng = np.random.default_rng(0)
    found = [entropy(rng.choice(k, math.ceil(each * k), p=p), method=method, n_symbols=k) for _ in range(200)]
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


@given(SAMPLES)
def test_relabelling_changes_nothing(x):
    shuffled = np.random.default_rng(1).permutation(7)[np.array(x)]
    for method in CLOSED_FORMS:
        same = entropy(shuffled, method=method, n_symbols=7).value
        assert abs(entropy(x, method=method, n_symbols=7).value - same) < 1e-12
    assert -1e-12 <= entropy(x).value <= np.log2(len(set(x))) + 1e-12


def test_words_are_symbols():
    words = np.random.default_rng(0).integers(0, 2, (50, 3))
    assert entropy(words).value == entropy(words @ [4, 2, 1]).value


def test_seed_draws_the_partitions():
    x = np.random.default_rng(0).integers(0, 9, 60)
    first, again, other = (entropy(x, method="quadratic", seed=s).value for s in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"x": [0, 1], "method": "jackknife"},
            r"method = 'jackknife': expected one of 'auto', 'best-upper-bound', ",
        ),
        ({"x": [0, 1], "method": None}, "method = None: expected one of"),
        ({"x": [0, 1, 2], "n_symbols": 2}, r"n_symbols = 2: expected a whole number, at least the 3 symbols"),
        ({"x": [0, 1, 2], "n_symbols": 3.5}, r"n_symbols = 3\.5"),
        ({"x": [0, 1, 2], "n_symbols": "3"}, "n_symbols = '3'"),
        ({"x": [0, 1, 2], "n_symbols": math.nan}, "n_symbols = nan"),
        ({"x": [0, 1, 1], "method": "quadratic"}, "x has 3 samples: .* at least 4"),
        ({"x": []}, "x is empty"),
        ({"x": [0.1, 0.2]}, "bin continuous values"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(NsnnError, match=message):
        entropy(**options)

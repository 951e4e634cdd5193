"""Entropy estimators against plain loops, delete-one samples, exact laws and their own coverage."""

import math

import numpy as np
import pytest
from helpers.channels import entropy_bits, relevant_by_search
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special, stats

from nsnn_neuro.measures import entropy

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
    relevant = {
        "plugin": 1,
        "miller-madow": len(seen),
        "panzeri-treves": relevant_by_search(counts, k),
    }[method]
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
@pytest.mark.parametrize("method", METHODS)
def test_two_error_bars_hold_the_truth_from_the_stated_regime_on(method):
    p = 1.0 / np.arange(1, 33)
    p /= p.sum()
    n, rng = math.ceil(ENOUGH_OF_32[method] * 32), np.random.default_rng(0)
    found = [entropy(rng.choice(32, n, p=p), method=method, n_symbols=32) for _ in range(100)]
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


def test_words_are_symbols():
    words = np.random.default_rng(0).integers(0, 2, (50, 3))
    assert entropy(words).value == entropy(words @ [4, 2, 1]).value


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

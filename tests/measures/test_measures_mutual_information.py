"""Mutual information against exact channels, plain loops, its inequalities, its null and its own coverage."""

import math

import numpy as np
import pytest
from helpers.channels import Channel, entropy_bits, symmetric, words_of_kind
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from nsnn_neuro.core.warn import TRUST
from nsnn_neuro.measures import entropy, mutual_information

SYMMETRIC = [
    "plugin",
    "miller-madow",
    "panzeri-treves",
    "chao-shen",
    "grassberger",
    "nsb",
    "best-upper-bound",
]
PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=2, max_size=60)
TRIALS_PER_RESPONSE = {  # the stated regimes
    "miller-madow": 64,
    "panzeri-treves": 4,
    "quadratic": 16,
    "grassberger": 16,
    "nsb": 8,
    "best-upper-bound": 1,
    "shuffle": 8,
}


def plain(s, r, **options):
    return mutual_information(s, r, bias="plugin", n_shuffle=0, **options).value


@settings(max_examples=30)
@given(PAIRS, st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_plain_information_is_that_of_scikit_learn_and_obeys_its_laws(pairs, merged):
    s, r = np.array(pairs).T
    value = plain(s, r)
    assert abs(value - mutual_info_score(s, r) / np.log(2)) < 1e-10
    assert value > -1e-10
    assert abs(value - plain(r, s)) < 1e-10
    assert abs(value - plain(7 - 3 * s, np.array([4, 9, 0, -2, 5, 1])[r])) < 1e-10
    assert abs(plain(r, r) - entropy(r).value) < 1e-10
    assert plain(s, np.array(merged)[r]) <= value + 1e-10


@pytest.mark.parametrize("bias", sorted(SYMMETRIC))
def test_information_is_the_difference_of_the_estimated_entropies(bias):
    rng = np.random.default_rng(2)
    s, r = rng.integers(0, 3, 90), rng.integers(0, 5, 90)
    k = 7 if bias in ("nsb", "best-upper-bound") else 5  # the others take the responses that occur
    options = {"method": bias, "n_symbols": k}
    given_s = sum((s == k).mean() * entropy(r[s == k], **options).value for k in range(3))
    value = mutual_information(s, r, bias=bias, n_shuffle=0, n_symbols=7).value
    assert abs(value - (entropy(r, **options).value - given_s)) < 1e-10


@pytest.mark.parametrize("bias", ["plugin", "panzeri-treves", "chao-shen", "nsb", "best-upper-bound"])
def test_error_bar_is_the_brute_force_jackknife(bias):
    rng = np.random.default_rng(4)
    s, r = np.append([0, 0, 1, 1], rng.integers(0, 3, 50)), np.append([0, 1, 2, 3], rng.integers(0, 4, 50))
    table = np.histogram2d(s, r, (3, 4))[0]
    assert min(table.sum(0).min(), table.sum(1).min()) > 1  # the alphabets stay when a sample goes

    def value(i):
        options = {"bias": bias, "n_shuffle": 0, "n_symbols": 6}
        return mutual_information(np.delete(s, i), np.delete(r, i), **options).value

    left_out = np.array([value(i) for i in range(s.size)])
    expected = np.sqrt((s.size - 1) * left_out.var())
    estimate = mutual_information(s, r, bias=bias, n_shuffle=0, n_symbols=6)
    assert abs(estimate.se - expected) < 1e-8
    assert estimate.se_method == "jackknife over samples"


@pytest.mark.slow
def test_null_shuffles_labels_and_is_corrected_alike():
    s, r = symmetric(0.2).samples(symmetric(0.2).tables(100, 1, np.random.default_rng(6))[0])
    for bias in ("quadratic", "plugin"):
        assert mutual_information(s, r, bias=bias, n_shuffle=99).p == 0.01
    expected = mutual_information(s, r, bias="plugin", n_shuffle=2000).null_mean
    assert abs(expected - 1 / (2 * 200 * np.log(2))) < 4 * np.sqrt(2) / (2 * 200 * np.log(2)) / np.sqrt(2000)
    # all cells of all shuffled tables are occupied, so each is corrected by the same amount
    corrected = mutual_information(s, r, n_shuffle=2000).null_mean
    assert abs(corrected - (expected - 1 / (2 * 200 * np.log(2)))) < 1e-12


def test_shuffled_estimator_keeps_the_information_of_correlations():
    """Two cells that fire together or apart, by the stimulus: no cell alone tells anything, both tell 1 - H(.1)."""
    law = np.array([[0.45, 0.05, 0.05, 0.45], [0.05, 0.45, 0.45, 0.05]])
    channel = Channel(law, letters=2)
    s, words = channel.samples(channel.tables(2000, 1, np.random.default_rng(7))[0])
    estimate = mutual_information(s, words, bias="shuffle", n_shuffle=0)
    assert abs(channel.information - (1 - entropy_bits(np.array([0.1, 0.9])))) < 1e-12
    assert abs(estimate.value - channel.information) < 4 * estimate.se
    assert estimate.se_method == "jackknife over samples, with the spread of the shuffles"


def test_warning_names_the_numbers_and_the_cure():
    rng = np.random.default_rng(10)
    for bias, each in TRIALS_PER_RESPONSE.items():
        s = np.repeat([0, 1], 8 * each - 1)
        r = np.column_stack([s ^ (rng.random(s.size) < 0.1), rng.integers(0, 2, (s.size, 2))])
        r[:8] = (np.arange(8)[:, None] >> np.arange(3)) & 1
        warning = mutual_information(s, r, bias=bias, n_shuffle=0, n_symbols=8).warning
        expected = f"{8 * each - 1} trials per stimulus for 8 responses, fewer than {each} trials for each response: "
        expected += f"{bias} may be biased; "
        always = None
        if bias == "best-upper-bound":
            always = "what is left of its entropies' biases need not cancel in their difference"
        expected += f"take more trials or fewer responses{TRUST}few trials"
        assert warning == expected + (f"; {always}" if always else "")
        s, r = np.append(s, [0, 1]), np.vstack([r, r[:2]])
        assert mutual_information(s, r, bias=bias, n_shuffle=0, n_symbols=8).warning == always
    taken = mutual_information([0, 1] * 40, [0, 2] * 40, bias="nsb", n_shuffle=0)
    assert taken.warning == "n_symbols not given: took 3, the range of the values in r"


def test_more_than_64_responses_need_more_trials_for_each():
    s = np.repeat([0, 1], 65 * 8)
    r = np.append(np.arange(65), np.random.default_rng(0).integers(0, 65, s.size - 65))
    assert mutual_information(s, np.minimum(r, 63), n_shuffle=0).warning is None
    warning = mutual_information(s, r, n_shuffle=0).warning
    assert warning.startswith(
        "520 trials per stimulus for 65 responses: 4 trials for each response are not enough"
    )


@pytest.mark.slow
def test_auto_gives_the_estimate_on_which_estimators_agree():
    rng = np.random.default_rng(11)
    s = np.repeat(np.arange(3), 80)
    few_words = rng.binomial(1, 0.2 + 0.3 * s[:, None] / 2, (240, 2))
    chosen = mutual_information(s, few_words, bias="auto", n_shuffle=20)
    named = mutual_information(s, few_words, n_shuffle=20)
    assert chosen.correction == "panzeri-treves"
    assert (chosen.value, chosen.se, chosen.p) == (named.value, named.se, named.p)
    assert (chosen.lower, chosen.upper, chosen.warning) == (None, None, None)
    assert chosen.reason.startswith("there are 80 trials per stimulus for 4 responses and estimators agree (")
    many = mutual_information(np.repeat(s, 4), np.repeat(few_words, 4, axis=0), bias="auto", n_shuffle=0)
    assert many.reason == "there are 320 trials per stimulus for 4 responses"


def test_sparse_words_give_no_impossible_information():
    """Sparse words of 30 bins: the estimators are bits below zero, which they return as NaN with the cure."""
    rng = np.random.default_rng(0)
    s = np.repeat(np.arange(8), 20)
    words = (rng.random((160, 30)) < 0.05 * (1 + s[:, None] / 8)).astype(int)
    shuffled = mutual_information(s, words, bias="shuffle", n_shuffle=3)
    assert math.isnan(shuffled.value)
    assert math.isnan(shuffled.se)
    assert "by shuffle is below zero beyond its error: take more trials, fewer responses" in shuffled.warning
    assert shuffled.p is not None
    auto = mutual_information(s, words, bias="auto", n_shuffle=3)
    assert 0.0 <= auto.lower <= auto.value <= auto.upper <= 3.0
    assert auto.value == pytest.approx((auto.lower + auto.upper) / 2)
    assert auto.se == pytest.approx((auto.upper - auto.lower) / 4)
    assert auto.warning.startswith("estimators disagree beyond their errors (shuffle -")
    assert auto.correction == "bracket"
    assert f"between {auto.lower:.4g} and {auto.upper:.4g} bit" in str(auto)


def test_nothing_is_claimed_where_nothing_is_known():
    """Every word comes once: the bracket is all that an information can be, and there is no value."""
    rng = np.random.default_rng(0)
    s, words = np.repeat([0, 1], 20), rng.integers(0, 2, (40, 100))
    e = mutual_information(s, words, bias="auto", n_shuffle=3)
    assert math.isnan(e.value)
    assert (e.lower, e.upper) == pytest.approx((0.0, 1.0))
    assert "nothing is known but that it lies between 0 and 1 bit; take more trials or fewer" in e.warning
    assert str(e).startswith("nan, between 0 and 1 bit")
    assert math.isfinite(mutual_information(s, words[:, :70], bias="nsb", n_shuffle=0, n_symbols=2**100).se)


def test_information_is_at_most_that_of_the_stimuli():
    s = np.repeat(np.arange(8), 20)
    for bias in (*SYMMETRIC, "auto"):
        for r in (s, s // 2):
            e = mutual_information(s, r, bias=bias, n_shuffle=0, n_symbols=8)
            assert math.isnan(e.value) or -2 * e.se - 1e-9 <= e.value <= 3.0 + 1e-9
    assert mutual_information(s, s, n_shuffle=0).value == 3.0
    nothing = mutual_information([0] * 9, [0, 1, 2] * 3, bias="auto", n_shuffle=0).value
    assert abs(nothing) < 1e-14  # a difference of two equal entropies, whose sums may be rounded differently


def honest(e, truth):
    """Whether what is said of the truth is so: within the bracket, or two error bars; no value says nothing."""
    if e.lower is not None:
        return e.lower - 1e-9 <= truth <= e.upper + 1e-9
    return math.isnan(e.value) or abs(e.value - truth) <= 2 * e.se + 1e-9


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "informative"), [("refractory", False), ("gain of two states", True)])
def test_what_auto_says_of_words_is_so(kind, informative):
    """Words of 6 to 10 bins, 20 to 50 trials: two error bars or the bracket hold the truth in nine of ten repeats."""
    for n_s, letters, trials in ((2, 6, 50), (8, 6, 20), (4, 8, 20)):
        channel = words_of_kind(kind, n_s, letters, informative=informative)
        tables = channel.tables(trials, 20, np.random.default_rng(1))
        options = {"bias": "auto", "n_shuffle": 0, "n_symbols": 2**letters}
        found = [mutual_information(*channel.samples(t), **options) for t in tables]
        room = 3 * math.sqrt(0.95 * 0.05 / 20)
        assert np.mean([honest(e, channel.information) for e in found]) >= 0.95 - room
        assert all(math.isnan(e.value) or e.value + 2 * e.se >= 0 for e in found)
        assert all(e.warning is not None for e in found if e.lower is not None)


@pytest.mark.parametrize(
    ("bias", "kind"),
    [("panzeri-treves", "independent"), ("nsb", "gain of two states"), ("shuffle", "refractory")],
)
def test_without_a_warning_two_error_bars_hold_the_truth(bias, kind):
    """Few words, many words, sparse words and none of information, where the estimator does not warn."""
    silent, held = 0, 0
    cases = (
        (2, 4, True, 0.45, 150),
        (8, 6, True, 0.12, 400),
        (8, 6, False, 0.45, 150),
        (8, 6, True, 0.45, 50),
    )
    for n_s, letters, informative, high, trials in cases:
        channel = words_of_kind(kind, n_s, letters, informative=informative, low=0.08 * high, high=high)
        for table in channel.tables(trials, 12, np.random.default_rng(4)):
            e = mutual_information(*channel.samples(table), bias=bias, n_shuffle=0, n_symbols=2**letters)
            silent += e.warning is None
            held += e.warning is None and honest(e, channel.information)
    assert silent < 48  # it warns somewhere
    assert held >= 0.9 * silent - 3 * math.sqrt(0.9 * 0.1 * max(silent, 1))


@pytest.mark.parametrize("bias", ["panzeri-treves", "nsb", "shuffle"])
def test_texts_and_directions_are_labels(bias):
    """Labels only name the symbols: the estimate is that of their numbers."""
    rng = np.random.default_rng(3)
    s = np.arange(120) % 3
    words = rng.integers(0, 2 + s[:, None], (120, 2))
    expected = mutual_information(s, words, bias=bias, n_shuffle=3)
    texts = np.array(["a", "b", "c", "d"])[words]
    for labels in (np.array(["left", "none", "right"])[s], s * 22.5, [("x", int(k)) for k in s]):
        assert str(mutual_information(labels, words, bias=bias, n_shuffle=3)) == str(expected)
    if bias != "nsb":  # where the number of possible words is inferred from numbers
        assert str(mutual_information(s, texts, bias=bias, n_shuffle=3)) == str(expected)


def test_counts_of_many_neurons_as_words_are_answered_with_decoding():
    """30 neurons: each trial has a word of its own; two neurons have few words, and too few trials are no reason to decode."""
    rng = np.random.default_rng(3)
    s = np.repeat([0, 1], 50)
    counts = rng.poisson(3 + 2 * s[:, None], (100, 30))
    advice = "100 of 100 words occur once, too long for these trials; decode instead (measures.decode)"
    assert advice in str(mutual_information(s, counts, n_shuffle=0).warning)
    few = mutual_information(s, np.minimum(counts[:, :2], 4), n_shuffle=0)
    assert "may be biased" in str(few.warning)
    assert "decode" not in str(few.warning)

"""Tables of counts: their information, its bias and spread, and the number of trials that follows."""
# Imports internals: thousands of tables at once are fast only through the vectorised functions, and the spread at zero
# information and the bound by prediction are not public.

import math

import numpy as np
import pytest
from helpers.channels import KINDS, binary_words, poisson_counts, relevant_by_search, words_of_kind
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.metrics import mutual_info_score

from nsnn_neuro.measures import mutual_information, plan_trials
from nsnn_neuro.measures.entropies.confusion import information, miller_madow, table_se
from nsnn_neuro.measures.entropies.contingency import (
    contingency,
    panzeri_treves_bias,
    relevant_responses,
)
from nsnn_neuro.measures.entropies.information_tables import information_of_tables, zero_spread
from nsnn_neuro.measures.entropies.symbols import as_symbols
from nsnn_neuro.measures.information.predictive_bound import predictive_bound

WORDS = {"words of 4 bins": binary_words(4, 4, 0.05, 0.5), "words of 6 bins": binary_words(8, 6, 0.05, 0.5)}


COUNTS = poisson_counts(np.random.default_rng(0).uniform(0.5, 8.0, 8), 12)


def test_panzeri_treves_subtracts_its_bias():
    table = np.random.default_rng(3).poisson(0.8, (5, 4, 9))
    per_stimulus = relevant_responses(table, (table.sum(1) > 0).sum(1)[:, None])
    for k in range(5):
        n, seen = table[k].sum(), (table[k].sum(0) > 0).sum()
        bias = (sum(per_stimulus[k] - 1) - (seen - 1)) / (2 * n * np.log(2))
        assert abs(panzeri_treves_bias(table[k]) - bias) < 1e-12
        value = information_of_tables(table[k], "panzeri-treves", float(seen))
        assert abs(value - (information(table[k]) - bias)) < 1e-12
    s, r = np.nonzero(table[0])
    s, r = np.repeat(s, table[0][s, r]), np.repeat(r, table[0][s, r])
    default = mutual_information(s, r, n_shuffle=0)
    assert default.correction == "panzeri-treves"
    assert abs(default.value - (information(table[0]) - panzeri_treves_bias(table[0]))) < 1e-12


@pytest.mark.parametrize("name", ["words of 4 bins", "counts"])
def test_panzeri_treves_at_four_trials_per_response(name):
    channel = COUNTS if name == "counts" else WORDS[name]
    n_s, n_r = channel.law.shape
    tables = channel.tables(4 * n_r, 4000 if n_r < 64 else 400, np.random.default_rng(0))
    seen = (tables > 0).sum(-1)
    degrees = (seen - 1).sum(-1) - ((tables.sum(1) > 0).sum(-1) - 1)
    uncorrected = information(tables)
    naive = (uncorrected - degrees / (2 * 4 * n_r * n_s * np.log(2))).mean() - channel.information
    counted = uncorrected - panzeri_treves_bias(tables)
    left = counted.mean() - channel.information
    assert abs(left) + 2 * counted.std() / np.sqrt(len(counted)) < 0.02
    assert naive > 0.02
    assert naive > 2.5 * abs(left)


def test_zero_spread_is_that_of_permuted_stimuli():
    for n_s, trials, n_r, rate in ((2, 200, 2, 5.0), (8, 20, 64, 0.3), (5, 100, 10, 1.0)):
        rng = np.random.default_rng(n_s)
        s = np.repeat(np.arange(n_s), trials)
        r = rng.choice(n_r, s.size, p=rng.dirichlet(np.full(n_r, rate)))
        tables = [contingency(rng.permutation(s), r, n_s, n_r) for _ in range(1000)]
        values = information(np.array(tables))
        fourth = ((values - values.mean()) ** 4).mean() / values.var() ** 2
        error = values.std() * math.sqrt((fourth - 1) / 4000)
        # the Poisson cells are an approximation: within 6 % on these tables
        assert abs(values.std() - zero_spread(tables[0])) < 4 * error + 0.06 * values.std()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "informative"), [*zip(KINDS, [True, False] * 2, strict=True)])
def test_bound_by_prediction_is_below_the_information(kind, informative):
    """And not trivially so: above half of the information of words of 8 bins with 50 trials."""
    channel = words_of_kind(kind, 4, 8, informative=informative)
    tables = channel.tables(50, 100, np.random.default_rng(2))
    bounds = [predictive_bound(*channel.samples(t), 4) for t in tables]
    above = np.mean([b.value - 2.5 * b.se > channel.information + 1e-9 for b in bounds])
    assert above <= 0.05
    assert np.mean([b.value for b in bounds]) > 0.5 * channel.information - 1e-9


def test_information_of_a_table_equals_scikit_learn():
    rng = np.random.default_rng(1)
    table = rng.integers(0, 9, (4, 4))
    rows, columns = (np.repeat(index.ravel(), table.ravel()) for index in np.indices((4, 4)))
    assert_allclose(information(table), mutual_info_score(rows, columns) / np.log(2), rtol=1e-9)
    assert_allclose(information(np.stack([table, table.T])), [information(table)] * 2, rtol=1e-9)


def test_correction_of_a_table_takes_the_bias_off():
    """Independent rows and columns, 60 trials: 2000 tables at once; the plug-in is 40 SE too high."""
    rng = np.random.default_rng(2)
    tables = rng.multinomial(60, np.full(9, 1 / 9), size=2000).reshape(2000, 3, 3)
    assert information(tables).mean() > 0.04
    corrected = miller_madow(tables)
    # the next term of the expansion is of order 1/n^2, here 0.001
    assert abs(corrected.mean()) < 4 * corrected.std() / np.sqrt(2000) + 0.001


@pytest.mark.slow
@pytest.mark.parametrize("p", [(0.4, 0.1, 0.1, 0.4), (0.25, 0.25, 0.25, 0.25), (0.5, 0.2, 0.1, 0.2)])
def test_error_bar_of_a_table(p):
    rng = np.random.default_rng(3)
    tables = rng.multinomial(200, p, size=2000).reshape(2000, 2, 2)
    spread = information(tables).std()
    se = np.sqrt(np.mean([table_se(t) ** 2 for t in tables]))
    assert 0.9 < se / spread < (1.1 if p[0] > 0.25 else 2.0)  # too wide at independence, as stated
    joint = np.reshape(p, (2, 2))
    hits = [abs(miller_madow(t) - information(joint)) < 2 * table_se(t) for t in tables]
    assert np.mean(hits) >= 0.9
    assert table_se(np.diag([50, 50])) > 0


CHANNELS = {
    "words": binary_words(4, 4, 0.05, 0.5),
    "counts": poisson_counts(np.random.default_rng(0).uniform(0.5, 8.0, 6), 12),
}


def pilot_of(channel, n, seed):
    """n samples with the stimulus drawn anew for each."""
    n_s, n_r = channel.law.shape
    table = np.random.default_rng(seed).multinomial(n, (channel.law / n_s).ravel()).reshape(n_s, n_r)
    return channel.samples(table)


def needed(channel, precision):
    """Trials after which the root mean squared error of Panzeri and Treves' estimate over 400 repeats is the precision."""
    n_s, n_r = channel.law.shape

    def error(n):
        tables = np.random.default_rng(1).multinomial(n, (channel.law / n_s).ravel(), size=400)
        values = information_of_tables(tables.reshape(-1, n_s, n_r), "panzeri-treves", float(n_r))
        return math.hypot(values.std(), values.mean() - channel.information)

    low, high = 8, 16
    while error(high) > precision:
        low, high = high, 2 * high
    while high - low > high // 50:
        middle = (low + high) // 2
        low, high = (middle, high) if error(middle) > precision else (low, middle)
    return high


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "precision", "pilot"),
    [("words", 0.05, 100), ("words", 0.02, 50), ("counts", 0.02, 100)],
)
def test_short_pilots_ask_for_about_the_trials_that_are_needed(name, precision, pilot):
    """Their jackknife counts the spread at zero information twice: with its square root law 1.5 to 2.7 times as many."""
    channel = CHANNELS[name]
    plans = [int(plan_trials(pilot_of(channel, pilot, seed), precision=precision)) for seed in range(30)]
    assert 1 / 1.3 < np.median(plans) / needed(channel, precision) < 1.3


@pytest.mark.parametrize("bias", ["panzeri-treves", "plugin"])
def test_number_is_the_smallest_of_the_formula(bias):
    s, r = pilot_of(CHANNELS["words"], 400, 2)
    pilot = mutual_information(s, r, bias=bias, n_shuffle=0)
    (a, n_s), (b, n_r) = as_symbols(s, "s"), as_symbols(r, "r")
    first = panzeri_treves_bias(contingency(a, b, n_s, n_r))

    zero = zero_spread(contingency(a, b, n_s, n_r)) ** 2
    variance = (
        pilot.se**2 - 2 * zero
    )  # 400 trials of 4 x 16: six for each, so that the prediction's error plays no part

    def parts(n):
        share = 1.0 if bias == "plugin" else min(1.0, n_s * n_r / (3 * n))
        return math.sqrt(variance * 400 / n + zero * (400 / n) ** 2), first * 400 / n * share

    for precision in (0.01, 0.05, 0.2):
        plan = plan_trials((s, r), precision=precision, bias=bias)
        assert math.hypot(*parts(plan.n_trials)) <= precision < math.hypot(*parts(plan.n_trials - 1))
        assert (plan.se, plan.bias_left) == pytest.approx(parts(plan.n_trials), rel=1e-12)
        assert plan.per_stimulus == plan.n_trials / 4
        assert plan.pilot == pilot


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

"""Rate and temporal codes whose information at each resolution is an exact sum."""

from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
from numpy.testing import assert_allclose
from scipy.stats import binom, norm

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, to_block
from nsnn_neuro.measures import (
    as_repeats,
    latency_symbols,
    mutual_information,
    rate_vs_temporal,
    spike_counts,
    words,
)

WINDOW = 0.1
RESOLUTIONS = [5, 10, 25, 50, 100] * pq.ms


def block_of(trials):
    """A Trains, which measures take for a Block of many segments; a Block is used in test_neuron_and_alignment."""
    return as_repeats([np.asarray(t) for t in trials], 0 * pq.s, WINDOW * pq.s)


def exact_information(conditional):
    """I(S; R) of P(r | s) with equiprobable stimuli, by loops."""
    conditional = np.asarray(conditional)
    total = 0.0
    for row in conditional:
        for p, mean in zip(row, conditional.mean(axis=0), strict=True):
            total += p * np.log2(p / mean) / len(conditional) if p > 0 else 0.0
    return total


def z_of_mean(values, expected):
    return (np.mean(values) - expected) / (np.std(values, ddof=1) / np.sqrt(len(values)))


def by_code(table, code, column="raw"):
    return table.loc[table["code"] == code, column].to_numpy()


# --- the table ---


def test_rows_are_the_measures_of_words_counts_and_latencies():
    rng = np.random.default_rng(0)
    stimulus = np.repeat([3, 1, 7], 20)
    trials = [rng.uniform(0, WINDOW, rng.poisson(1 + s % 3)) for s in stimulus]
    block = block_of(trials)
    table = rate_vs_temporal(stimulus, block, resolutions=[25, 50] * pq.ms, n_shuffle=20, seed=4)
    responses = [spike_counts(block)[:, 0]]
    responses += [latency_symbols(block, resolution=w * pq.ms)[:, 0] for w in (25, 50)]
    responses += [words(block, bin_width=w * pq.ms, saturation="count")[:, 0] for w in (25, 50)]
    expected = [mutual_information(stimulus, r, n_shuffle=20, seed=4) for r in responses]
    assert table["code"].tolist() == ["count", "latency", "latency", "words", "words"]
    assert_allclose(table["resolution"], [0.1, 0.025, 0.05, 0.025, 0.05], rtol=1e-12)
    for column, name in {
        "information": "gain",
        "se": "gain_se",
        "raw": "value",
        "null_mean": "null_mean",
        "p": "p",
        "n": "n",
    }.items():
        assert_allclose(table[column].astype(float), [getattr(e, name) for e in expected], rtol=1e-12)
    assert table["warning"].tolist() == [e.warning for e in expected]
    assert table["correction"].tolist() == [e.correction for e in expected]
    raw = rate_vs_temporal(stimulus, block, resolutions=[25, 50] * pq.ms, n_shuffle=0)
    assert_allclose(raw["over_count"], raw["raw"] - expected[0].value, rtol=1e-12)
    assert raw["over_count_p"].isna().all()
    is_words = (table["code"] == "words").to_numpy()
    assert_allclose(
        table["over_count"],
        raw["over_count"] - is_words * table["over_count_null_mean"],
        rtol=1e-12,
        atol=1e-15,
    )
    binary = rate_vs_temporal(
        stimulus, block, resolutions=[25] * pq.ms, n_shuffle=0, saturation="binary", bias="plugin"
    )
    letters = words(block, bin_width=25 * pq.ms)[:, 0]
    plain = mutual_information(stimulus, letters, bias="plugin", n_shuffle=0).value
    assert_allclose(binary["raw"].iloc[-1], plain, rtol=1e-12)
    assert binary["p"].isna().all()


def test_shuffle_correction_is_for_words_alone():
    rng = np.random.default_rng(1)
    stimulus = np.repeat([0, 1], 60)
    block = block_of([rng.uniform(0, WINDOW, rng.poisson(2 + s)) for s in stimulus])
    table = rate_vs_temporal(stimulus, block, resolutions=[50, 100] * pq.ms, bias="shuffle", n_shuffle=0)
    assert table["correction"].tolist() == [*["panzeri-treves"] * 3, "shuffle", "panzeri-treves"]


def test_neuron_and_alignment():
    stimulus, onset = np.repeat([0, 1], 30), np.linspace(0.1, 0.2, 60)
    trials = [[[0.02], [t + 0.012 + 0.02 * s]] for s, t in zip(stimulus, onset, strict=True)]
    block = to_block(trials, t_stop=0.3 * pq.s)
    more: dict[str, Any] = {"resolutions": [10, 50] * pq.ms, "bias": "plugin", "n_shuffle": 0}
    aligned = rate_vs_temporal(stimulus, block, neuron=1, align=onset * pq.s, t_stop=50 * pq.ms, **more)
    assert_allclose(aligned["raw"], [0, 1, 0, 1, 0], atol=1e-12)
    other = rate_vs_temporal(stimulus, block, neuron=0, t_stop=50 * pq.ms, **more)
    assert_allclose(other["raw"], 0, atol=1e-12)


# --- codes of known information ---


def spikes_by_rate(rng, p, n=8):
    """Binomial count, times uniform: given the count, times tell nothing."""
    return np.sort(rng.uniform(0, WINDOW, rng.binomial(n, p)))


def latency_given(p, width, n=8):
    """P(bin of the first of Binomial(n, p) uniform spikes), silence last, from the count's own law."""
    edges = np.arange(0, WINDOW + width / 2, width) / WINDOW
    beyond = [sum(binom.pmf(k, n, p) * (1 - min(e, 1)) ** k for k in range(n + 1)) for e in edges]
    return np.append(-np.diff(beyond), binom.pmf(0, n, p))


@pytest.mark.slow
def test_pure_rate_code():
    """Words hold what the count holds, at any resolution; latencies less: means over 40 sessions, exact sums."""
    rng, p = np.random.default_rng(2), [0.1, 0.5]
    stimulus = np.repeat([0, 1], 400)
    more: dict[str, Any] = {"resolutions": [25, 50, 100] * pq.ms, "n_shuffle": 0}
    tables = [
        rate_vs_temporal(stimulus, block_of([spikes_by_rate(rng, p[s]) for s in stimulus]), **more)
        for _ in range(40)
    ]
    counts = exact_information([binom.pmf(np.arange(9), 8, q) for q in p])
    exact = [counts, *(exact_information([latency_given(q, w) for q in p]) for w in (0.025, 0.05, 0.1))]
    exact += [counts] * 3
    found = np.array([t["raw"].to_numpy() for t in tables])
    for k in (0, 1, 2, 3, 5, 6):  # count, latencies, words of 50 and 100 ms
        assert abs(z_of_mean(found[:, k], exact[k])) < 4, k
    assert (np.diff(exact[1:4]) < 0).all()  # finer latencies tell more, all less than the count
    assert exact[1] < counts
    # words of 25 ms take a few hundred symbols: the bias that is left is told
    warned = [t.loc[(t["code"] == "words") & (t["resolution"] < 0.03), "warning"].iloc[0] for t in tables]
    assert all("may be biased" in w for w in warned)


def jittered_spike(rng, s):
    """One spike in the 20 ms from 10 + 15 s ms on, which overlap: the count is 1 whatever the stimulus."""
    return [rng.uniform(0.010 + 0.015 * s, 0.030 + 0.015 * s)]


@pytest.mark.slow
def test_pure_timing_code():
    """Count tells 0, latency and words the overlap of intervals with bins, exact at each resolution; 4 stimuli."""
    rng, stimulus = np.random.default_rng(3), np.repeat(np.arange(4), 100)
    tables = [
        rate_vs_temporal(
            stimulus,
            block_of([jittered_spike(rng, s) for s in stimulus]),
            resolutions=RESOLUTIONS,
            n_shuffle=0,
        )
        for _ in range(40)
    ]
    exact = []
    for width in (0.005, 0.01, 0.025, 0.05, 0.1):
        edges = np.arange(0, WINDOW + width / 2, width)
        first = 0.010 + 0.015 * np.arange(4)[:, None]
        share = np.clip(edges, first, first + 0.02)
        exact.append(exact_information(np.diff(share, axis=1) / 0.02))
    assert exact[0] > 1.2
    assert exact[0] > exact[1] > exact[2] > exact[3] > 0.1
    assert abs(exact[4]) < 1e-12
    for code in ("latency", "words"):
        found = np.array([by_code(t, code) for t in tables])
        for k in range(4):
            assert abs(z_of_mean(found[:, k], exact[k])) < 4, (code, k)
        assert_allclose(found[:, 4], 0, atol=1e-12)
    assert_allclose([by_code(t, "count") for t in tables], 0, atol=1e-12)
    assert_allclose(by_code(tables[0], "words", "over_count"), by_code(tables[0], "words"), atol=1e-12)


def simulated(stimuli, trials):
    """A stochastic neuron without memory: independent spikes of probability F(I - 1) in steps of 1 ms, 20 ms long."""
    neuron, noise = nsnn.NSNNNeuron(beta=0.0), nsnn.EscapeNoise(nsnn.Gaussian(0.2))
    block, labels = neo.Block(), []
    for label, stimulus in enumerate(stimuli):
        more: dict[str, Any] = {"dt": 1 * pq.ms, "seed": 5 + label, "engine": "numpy"}
        one = nsnn.simulate(neuron, noise, stimulus, trials=trials, duration=20 * pq.ms, **more)
        block.segments += list(one.segments)
        labels += [label] * trials
    return block, labels


def geometric(p, active, width):
    """P(bin of the first spike), silence last, of independent steps that are active or not."""
    first, alive = np.zeros(20), 1.0
    for k in range(20):
        first[k] = alive * p * active[k]
        alive *= 1 - p * active[k]
    return np.append(first.reshape(-1, width).sum(axis=1), alive)


def word_law(p, active, width):
    """P(word) of counts in bins, the product of binomial laws."""
    steps = np.reshape(active, (-1, width)).sum(axis=1)
    law = np.ones(1)
    for n in steps:
        law = np.multiply.outer(law, binom.pmf(np.arange(width + 1), n, p)).ravel()
    return law


def within_four_errors(table, exact):
    z = (table["raw"] - exact) / table["se"]
    assert (table["se"] > 0).all()
    assert (np.abs(z) < 4).all(), z.tolist()


def test_simulated_rate_code():
    """Two constant currents: the count is binomial, words tell as much as it, latencies less."""
    block, labels = simulated([nsnn.Constant(0.75), nsnn.Constant(0.9)], trials=600)
    p, active = norm.cdf([-0.25 / 0.2, -0.1 / 0.2]), np.ones(20)
    table = rate_vs_temporal(labels, block, resolutions=[5, 10, 20] * pq.ms, n_shuffle=0)
    count = exact_information([binom.pmf(np.arange(21), 20, q) for q in p])
    latency = [exact_information([geometric(q, active, w) for q in p]) for w in (5, 10, 20)]
    assert_allclose(
        [exact_information([word_law(q, active, w) for q in p]) for w in (5, 10)], count, rtol=1e-9
    )
    assert latency[0] < 0.7 * count
    keep = ~((table["code"] == "words") & (table["resolution"] < 0.006))  # hundreds of words: warned
    assert table.loc[~keep, "warning"].str.contains("may be biased").all()
    within_four_errors(table[keep], np.array([count, *latency, count, count]))


@pytest.mark.slow
def test_simulated_timing_code():
    """The same current from 2 or from 10 ms on, 8 ms long: counts of one law, different times."""
    steps = [nsnn.Step(1.0, 2 * pq.ms, 10 * pq.ms), nsnn.Step(1.0, 6 * pq.ms, 14 * pq.ms)]
    block, labels = simulated(steps, trials=600)
    active = [(np.arange(20) >= on) & (np.arange(20) < on + 8) for on in (2, 6)]
    table = rate_vs_temporal(labels, block, resolutions=[5, 10] * pq.ms, n_shuffle=99)
    latency = [exact_information([geometric(0.5, a, w) for a in active]) for w in (5, 10)]
    patterns = [exact_information([word_law(0.5, a, w) for a in active]) for w in (5, 10)]
    assert patterns[0] > latency[0] > 0.5
    within_four_errors(table[1:], np.array([*latency, *patterns]))
    assert table["p"].iloc[0] > 0.05
    assert abs(table["raw"].iloc[0]) < 0.01
    assert (table["p"].iloc[1:] == 0.01).all()


def test_gain_is_the_information_of_times_given_the_count():
    """Counts and times both tell: the gain by hand, in the table of each count, and its jackknife by leaving trials out."""
    rng, stimulus = np.random.default_rng(6), np.repeat(np.arange(3), 12)
    trials = [np.clip(rng.normal(0.02 + 0.03 * s, 0.015, 1 + rng.poisson(s)), 0, 0.0999) for s in stimulus]

    def gain(left_out=None):
        keep = np.arange(36) != left_out
        block = block_of([trial for trial, kept in zip(trials, keep, strict=True) if kept])
        more: dict[str, Any] = {"resolutions": [50] * pq.ms, "bias": "none", "n_shuffle": 0}
        return rate_vs_temporal(stimulus[keep], block, **more).iloc[-1]

    counts = np.array([t.size for t in trials])
    letters = words(block_of(trials), bin_width=50 * pq.ms, saturation="count")[:, 0]
    by_hand = 0.0
    for count in np.unique(counts):
        here = counts == count
        if here.sum() > 1:
            given_count = mutual_information(stimulus[here], letters[here], bias="none", n_shuffle=0).value
            by_hand += here.mean() * given_count
    row = gain()
    assert_allclose(row["over_count"], by_hand, rtol=1e-9)
    left_out = np.array([gain(i)["over_count"] for i in range(36)])
    assert_allclose(row["over_count_se"], np.sqrt(35 * left_out.var()), rtol=1e-6)


@pytest.mark.slow
def test_gain_of_a_rate_code_is_nothing_within_its_error():
    """20 trials of each of 4 rates: the difference of corrected informations is .1 bit and more too high, the gain is not."""
    found, differences = [], []
    for seed in range(30):
        rng, stimulus = np.random.default_rng([7, seed]), np.repeat(np.arange(4), 20)
        block = block_of([np.sort(rng.uniform(0, WINDOW, rng.poisson(1 + 1.2 * s))) for s in stimulus])
        table = rate_vs_temporal(stimulus, block, resolutions=[20] * pq.ms, n_shuffle=19, seed=seed)
        found.append(table.iloc[-1])
        differences.append(table["raw"].iloc[-1] - table["raw"].iloc[0])
    gains, errors, p = (
        np.array([row[k] for row in found], float) for k in ("over_count", "over_count_se", "over_count_p")
    )
    assert abs(z_of_mean(gains, 0.0)) < 4
    assert abs(z_of_mean(differences, 0.0)) > 4
    assert np.mean(np.abs(gains) <= 2 * errors) >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 30)
    assert abs(z_of_mean(p, 0.5 + 0.5 / 20)) < 4


def test_significance_of_a_timing_code_and_of_none():
    rng, stimulus = np.random.default_rng(4), np.repeat(np.arange(4), 20)
    table = rate_vs_temporal(
        stimulus, block_of([jittered_spike(rng, s) for s in stimulus]), resolutions=[10] * pq.ms, n_shuffle=50
    )
    assert by_code(table, "words", "p") == 1 / 51
    assert by_code(table, "words", "over_count_p") == 1 / 51
    assert by_code(table, "latency", "over_count_p") == 1 / 51
    assert by_code(table, "count", "p") == by_code(table, "count", "over_count_p") == 1.0
    assert by_code(table, "words", "over_count") > 4 * by_code(table, "words", "over_count_se")


def test_a_large_alphabet_is_told_in_its_row_alone():
    rng, stimulus = np.random.default_rng(5), np.repeat([0, 1], 50)
    block = block_of([rng.uniform(0, WINDOW, rng.poisson(3)) for _ in stimulus])
    table = rate_vs_temporal(stimulus, block, resolutions=[1, 100] * pq.ms, n_shuffle=0)
    fine = table[(table["code"] == "words") & (table["resolution"] < 0.01)]["warning"].iloc[0]
    assert "trials per stimulus for" in fine
    assert table["warning"].iloc[0] is None


def test_default_resolutions_are_those_that_divide_the_window():
    stimulus = np.repeat([0, 1], 20)
    block = to_block([[[0.011 + 0.02 * s]] for s in stimulus], t_stop=60 * pq.ms)
    table = rate_vs_temporal(stimulus, block, n_shuffle=0, bias="plugin")
    assert table["resolution"].round(6).tolist() == [0.06, *[0.001, 0.002, 0.005, 0.01] * 2]
    with pytest.raises(NsnnError, match=r"doesn't divide the window of 0\.06 s"):
        rate_vs_temporal(stimulus, block, resolutions=[1, 50] * pq.ms)
    with pytest.raises(NsnnError, match=r"none of the default ones, .* divides the window of 0\.0335 s"):
        rate_vs_temporal(stimulus, block, t_stop=33.5 * pq.ms)

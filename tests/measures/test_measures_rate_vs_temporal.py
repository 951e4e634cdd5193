"""Rate and temporal codes whose information at each resolution is an exact sum."""

from typing import Any

import numpy as np
import pytest
import quantities as pq
from helpers.channels import Channel
from helpers.gaussians import z_of_mean
from numpy.testing import assert_allclose

from nsnn_neuro import to_block
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
    """I(S; R) of P(r | s) with equiprobable stimuli."""
    return Channel(np.asarray(conditional)).information


def by_code(table, code, column="raw"):
    return table.loc[table["code"] == code, column].to_numpy()


@pytest.mark.slow
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

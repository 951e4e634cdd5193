"""Rate and temporal codes, and codes of a neuron whose counts, latencies, phases and field carry known bits."""

from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
from helpers.gaussians import z_of_mean
from numpy.testing import assert_allclose

from nsnn_neuro import to_block
from nsnn_neuro.measures import (
    as_repeats,
    codes_table,
    latency_symbols,
    mutual_information,
    phase_counts,
    rate_vs_temporal,
    spike_counts,
    words,
)

WINDOW = 0.1


def block_of(trials):
    """A Trains, which measures take for a Block of many segments; a Block is used in test_neuron_and_alignment."""
    return as_repeats([np.asarray(t) for t in trials], 0 * pq.s, WINDOW * pq.s)


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
    assert all(str(text).endswith(str(e.warning)) for text, e in zip(table["warning"], expected, strict=True))
    raw = rate_vs_temporal(stimulus, block, resolutions=[25, 50] * pq.ms, n_shuffle=0)
    assert_allclose(raw["over_count"], raw["raw"] - expected[0].value, rtol=1e-12)
    assert raw["over_count_p"].isna().all()
    null = (table["code"] == "words") * table["over_count_null_mean"]
    assert_allclose(table["over_count"], raw["over_count"] - null, rtol=1e-12, atol=1e-15)
    more: dict[str, Any] = {"resolutions": [25] * pq.ms, "n_shuffle": 0, "bias": "plugin"}
    binary = rate_vs_temporal(stimulus, block, saturation="binary", **more)
    letters = words(block, bin_width=25 * pq.ms)[:, 0]
    plain = mutual_information(stimulus, letters, bias="plugin", n_shuffle=0).value
    assert_allclose(binary["raw"].iloc[-1], plain, rtol=1e-12)


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
def test_gain_of_a_rate_code_is_nothing():
    """20 trials of each of 4 rates: the difference of corrected informations is .1 bit and more too high, the gain is not."""
    gains, differences = [], []
    for seed in range(20):
        rng, stimulus = np.random.default_rng([7, seed]), np.repeat(np.arange(4), 20)
        block = block_of([np.sort(rng.uniform(0, WINDOW, rng.poisson(1 + 1.2 * s))) for s in stimulus])
        table = rate_vs_temporal(stimulus, block, resolutions=[20] * pq.ms, n_shuffle=19, seed=seed)
        gains.append(table["over_count"].iloc[-1])
        differences.append(table["raw"].iloc[-1] - table["raw"].iloc[0])
    assert abs(z_of_mean(gains, 0.0)) < 4 < abs(z_of_mean(differences, 0.0))


def test_a_large_alphabet_is_told_in_its_row_alone():
    rng, stimulus = np.random.default_rng(5), np.repeat([0, 1], 50)
    block = block_of([rng.uniform(0, WINDOW, rng.poisson(1 + 3 * s)) for s in stimulus])
    table = rate_vs_temporal(stimulus, block, resolutions=[1, 100] * pq.ms, n_shuffle=19)
    fine = table[(table["code"] == "words") & (table["resolution"] < 0.01)].iloc[0]
    assert fine["warning"].startswith("words at 1 ms, a lower bound: 50 trials per stimulus for")
    assert (fine["verdict"], table.columns[7]) == ("above chance, lower bound", "over_count_p")
    assert table["warning"].iloc[0] is None


def test_significance_of_a_timing_code_and_of_none():
    rng, stimulus = np.random.default_rng(4), np.repeat(np.arange(4), 20)
    table = rate_vs_temporal(
        stimulus, block_of([jittered_spike(rng, s) for s in stimulus]), resolutions=[10] * pq.ms, n_shuffle=50
    )
    assert by_code(table, "words", "p") == 1 / 51
    assert by_code(table, "words", "over_count_p") == 1 / 51
    assert by_code(table, "count", "p") == by_code(table, "count", "over_count_p") == 1.0


def test_default_resolutions_are_those_that_divide_the_window():
    stimulus = np.repeat([0, 1], 20)
    block = to_block([[[0.011 + 0.02 * s]] for s in stimulus], t_stop=60 * pq.ms)
    table = rate_vs_temporal(stimulus, block, n_shuffle=0, bias="plugin")
    assert table["resolution"].round(6).tolist() == [0.06, *[0.001, 0.002, 0.005, 0.01] * 2]


DURATION, RATE, FREQUENCY = 0.4, 500.0, 10.0
# bits of a bit that is flipped in a quarter of the trials
QUARTER = 1 - (-0.25 * np.log2(0.25) - 0.75 * np.log2(0.75))


def designed():
    """8 stimuli of 3 bits, 16 trials each; every combination of flips occurs as often as its probability says.

    Count: 1 + bit 0, flipped in a quarter. Phase: rising or falling field by bit 1, flipped in a quarter. Latency: bin 2 or 14 of
    20 ms by bit 2. Power of the field: bit 0 xor bit 2. The field is shifted so that the first spike has the chosen phase.
    """
    rng = np.random.default_rng(0)
    stimulus, trials, fields = [], [], []
    for s in range(8):
        a, b, c = s & 1, s >> 1 & 1, s >> 2 & 1
        for k in range(16):
            count, side = 1 + (a ^ (k % 4 == 0)), b ^ (k // 4 == 0)
            t = (0.28 if c else 0.04) + 0.004 + 0.002 * (k % 3)
            trials.append([t + 0.001 * np.arange(count)])
            phase = (0.5 if side else -0.5) * np.pi + rng.uniform(-0.5, 0.5)
            power = (4.0 if a ^ c else 1.0) * rng.uniform(0.9, 1.1)
            time = np.arange(int(DURATION * RATE)) / RATE
            fields.append(np.sqrt(power) * np.cos(2 * np.pi * FREQUENCY * (time - t) + phase))
            stimulus.append(s)
    signals = [neo.AnalogSignal(f, units="mV", sampling_rate=RATE * pq.Hz) for f in fields]
    return np.array(stimulus), to_block(trials, t_stop=DURATION * pq.s), signals


def test_each_code_has_the_bits_that_it_was_given():
    stimulus, block, signals = designed()
    table = codes_table(
        stimulus, block, bin_width=20 * pq.ms, signal=signals, n_bins=2, bias="none", n_shuffle=0
    )
    bits = dict(zip(table.code, table.raw, strict=True))
    expected = {
        "count": QUARTER,
        "latency": 1.0,
        "words": QUARTER + 1.0,
        "phase": 2 * QUARTER,
        "first phase": QUARTER,
        "field": 1.0,
        "count + field": QUARTER + 1.0,
    }
    assert bits == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(table.over_count, table.raw - QUARTER, atol=1e-12)
    assert table.responses.tolist() == [2, 2, 4, 4, 2, 2, 4]
    assert (table.n == 128).all()


def test_nulls_and_gains_of_the_codes():
    stimulus, block, signals = designed()
    options = {"bin_width": 20 * pq.ms, "signal": signals, "n_bins": 2, "n_shuffle": 19}
    table = codes_table(stimulus, block, **options).set_index("code")
    assert (table.p <= 0.1).all()
    assert (table.correction == "panzeri-treves").all()
    assert (table.over_count_p[["words", "count + field"]] == 0.05).all()
    assert abs(table.over_count["phase"] - QUARTER) < 2 * table.over_count_se["phase"]
    assert table.over_count_p["phase"] <= 0.1
    assert (np.abs(table.null_mean) < 0.05).all()
    # the same phases in trials that they do not belong to: no gain
    shuffled = [signals[k] for k in np.random.default_rng(1).permutation(len(signals))]
    null = codes_table(stimulus, block, **(options | {"signal": shuffled})).set_index("code")
    assert abs(null.over_count["phase"]) < 4 * null.over_count_se["phase"]
    assert null.over_count_p["phase"] > 0.05
    assert null.raw["count"] == table.raw["count"]


def test_phases_are_on_the_clock_of_the_signal():
    time = np.arange(1000) / 1000
    signal = neo.AnalogSignal(np.cos(2 * np.pi * 10 * time), units="mV", sampling_rate=1 * pq.kHz)
    times = np.array([0.31, 0.335, 0.36, 0.385])  # a tenth, .35, .6 and .85 of a period after a peak
    block = to_block([[times], [times + 0.2]], t_stop=0.9 * pq.s)
    once = np.ones((2, 1, 4), dtype=int)
    assert (phase_counts(signal, block) == once).all()
    two = phase_counts(signal, block, align=[0.3, 0.5] * pq.s, t_stop=50 * pq.ms)
    assert two[:, 0].tolist() == [[0, 0, 1, 1]] * 2
    later = neo.AnalogSignal(signal.magnitude, units="mV", sampling_rate=1 * pq.kHz, t_start=25 * pq.ms)
    assert phase_counts(later, block, t_start=0.3 * pq.s, t_stop=0.32 * pq.s)[0, 0].tolist() == [0, 1, 0, 0]


def test_band_finds_the_phase_beneath_drift_and_noise():
    rng, time = np.random.default_rng(2), np.arange(2000) / 1000
    drift = 5 * np.sin(2 * np.pi * 0.7 * time) + np.sin(2 * np.pi * 80 * time) + rng.normal(size=time.size)
    signal = neo.AnalogSignal(np.cos(2 * np.pi * 10 * time) + drift, units="mV", sampling_rate=1 * pq.kHz)
    # a quarter of a period after each peak, phase pi/2 is the middle of bin 1 of 2
    peaks = np.arange(0.525, 1.5, 0.1)
    block = to_block([[peaks]], t_stop=2 * pq.s)
    assert phase_counts(signal, block, n_bins=2, band=[8, 12] * pq.Hz)[0, 0].tolist() == [0, 10]
    assert phase_counts(signal, block, n_bins=2)[0, 0, 0] > 0  # without the band the drift decides

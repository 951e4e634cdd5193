"""Codes of a neuron that is built so that counts, latencies, phases and the field carry known bits, and no others."""

import neo
import numpy as np
import pytest
import quantities as pq

from nsnn_neuro import to_block
from nsnn_neuro.measures import codes_table, mutual_information, phase_counts

WINDOW, RATE, FREQUENCY = 0.4, 500.0, 10.0
QUARTER = 1 - (
    -0.25 * np.log2(0.25) - 0.75 * np.log2(0.75)
)  # bits of a bit that is flipped in a quarter of the trials


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
            time = np.arange(int(WINDOW * RATE)) / RATE
            fields.append(np.sqrt(power) * np.cos(2 * np.pi * FREQUENCY * (time - t) + phase))
            stimulus.append(s)
    signals = [neo.AnalogSignal(f, units="mV", sampling_rate=RATE * pq.Hz) for f in fields]
    return np.array(stimulus), to_block(trials, t_stop=WINDOW * pq.s), signals


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
    peaks = np.arange(
        0.525, 1.5, 0.1
    )  # a quarter of a period after each peak, phase pi/2 is the middle of bin 1 of 2
    block = to_block([[peaks]], t_stop=2 * pq.s)
    assert phase_counts(signal, block, n_bins=2, band=[8, 12] * pq.Hz)[0, 0].tolist() == [0, 10]
    assert phase_counts(signal, block, n_bins=2)[0, 0, 0] > 0  # without the band the drift decides


def test_phase_counts_are_words_for_information():
    stimulus, block, signals = designed()
    found = mutual_information(
        stimulus, phase_counts(signals, block, n_bins=2)[:, 0], bias="none", n_shuffle=0
    )
    assert found.value == pytest.approx(2 * QUARTER, abs=1e-12)

"""What measures of recordings refuse, by argument, value and cure, and what they leave NaN: one table."""

import warnings

import neo
import numpy as np
import pytest
import quantities as pq
from helpers.refusals import assert_refused

from nsnn_neuro import measures as m
from nsnn_neuro import to_block, warp

RNG = np.random.default_rng(1)
TRIALS = to_block(
    [[np.sort(RNG.uniform(0, 1, 20)), RNG.uniform(0.4, 0.6, 1)] for _ in range(6)], t_stop=1 * pq.s
)
SILENT = to_block([[np.sort(RNG.uniform(0, 4, 60)), []] for _ in range(6)], t_stop=4 * pq.s)
X, CHOICE = np.tile([-1.0, 0.0, 1.0], 10), np.tile([0, 1, 1], 10)


def signal(values, rate=200.0):
    return neo.AnalogSignal(values, units="mV", sampling_rate=rate * pq.Hz)


SHORT = signal(RNG.normal(size=20), 20.0)
FIELD, FLAT = signal(RNG.normal(size=200)), signal(np.ones(200))
BAND = {"band": [20, 40] * pq.Hz}
WINDOWS = {"baseline": [0, 0.5] * pq.s, "response": [0.5, 1] * pq.s}


def test_bad_input_is_named_with_its_value_and_a_cure():
    assert_refused(
        [
            (lambda: m.phase_locking(FLAT, TRIALS, **BAND), "phase of trial 0 is constant (1)", "choose another channel"),
            (lambda: m.phase_locking(FIELD, TRIALS, band=[40, 120] * pq.Hz), "band = ", "100 Hz"),
            (lambda: m.phase_locking(FIELD[:100], TRIALS, **BAND), "0 to 0.5 s", "t_start and t_stop"),
            (lambda: m.phase_locking([FIELD], TRIALS, **BAND), "phase = list of 1", "(6)"),
            (lambda: m.phase_locking(SHORT, TRIALS, band=[2, 8] * pq.Hz), "phase of trial 0 has 20 samples", "more than 21"),
            (lambda: m.phase_locking(signal([*[np.nan] * 9, *[1.0] * 191]), TRIALS, **BAND), "phase holds NaN", "finite"),
            (lambda: m.modulation_ratio(-2 * pq.Hz, TRIALS), "frequency = -2", "greater than 0"),
            (lambda: m.spike_field_coherence(FLAT, TRIALS, nperseg=100, noverlap=50), "constant", "signal"),
            (lambda: m.spike_field_coherence(FIELD, TRIALS, band=[110, 120] * pq.Hz, nperseg=100, noverlap=50), "band", "100 Hz"),
            (lambda: m.spike_field_coherence(FIELD, TRIALS), "nperseg", "segment"),
            (lambda: m.responsive_units(TRIALS, baseline=[-1, 0] * pq.s, response=[0.5, 1] * pq.s), "baseline = ", "trial"),
            (lambda: m.responsive_units(TRIALS, **WINDOWS, alpha=5), "alpha = 5", "between 0 and 1"),
            (lambda: m.psychometric(X, X), "choice holds [-1.0, 0.0, 1.0]", "swapped"),
            (lambda: m.psychometric(np.where(X > 0, np.nan, X), CHOICE), "stimulus[2] = nan", "leave such trials out"),
            (lambda: m.psychometric(X, CHOICE[:-1]), "stimulus", "29"),
            (lambda: m.rate_map(FIELD, TRIALS, bins=[50, 60, 70]), "no bin has as much", "lower it"),
            (lambda: warp(TRIALS, np.tile([0.4, 0.2], (6, 1)) * pq.s), "events[0]", "fold"),
            (lambda: warp(TRIALS, np.tile([0.2, 0.4], (6, 1)) * pq.s, to=[0.4, 0.4] * pq.s), "to = ", "fold"),
            (lambda: warp(TRIALS, np.tile([0.2], (6, 1)) * pq.s), "events has shape (6, 1)", "align"),
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("measure", "columns"),
    [
        (
            lambda b: m.phase_locking(8 * pq.Hz, b, n_surrogates=9),
            ["vector_strength", "direction", "ppc", "p"],
        ),
        (lambda b: m.modulation_ratio(8 * pq.Hz, b), ["ratio", "se"]),
        (lambda b: m.responsive_units(b, **WINDOWS), ["p", "q", "latency"]),
        (
            lambda b: m.rate_map(signal(np.tile(np.arange(8.0), 100)), b, bins=2).information(n_shuffle=0),
            ["raw", "p"],
        ),
    ],
)
def test_a_silent_neuron_is_nan_with_one_warning(measure, columns):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = measure(SILENT)
    assert [issubclass(one.category, m.SilentNeuronWarning) for one in caught] == [True]
    assert table.loc[1, columns].isna().all()
    assert table.loc[0, columns[:1]].notna().all()

"""A signal of the whole recording with trials that were cut from it: refused; with that of each trial, values of the recording."""

import neo
import numpy as np
import pytest
import quantities as pq
from numpy.testing import assert_allclose

from nsnn_neuro import align, cut, fit_neuron, measures, to_block
from nsnn_neuro.core.errors import NsnnError
from nsnn_neuro.likelihood import Lags

MS, BAND = pq.ms, [20, 60] * pq.Hz
EACH = {
    "average": lambda s, b: measures.spike_triggered_average(s, b, before=5 * MS, after=5 * MS).average,
    "covariance": lambda s, b: measures.spike_triggered_covariance(s, b, before=3 * MS, after=0 * MS).filters,
    "locking": lambda s, b: measures.phase_locking(s, b, band=BAND).ppc,
    "phases": lambda s, b: measures.phase_counts(s, b, band=BAND),
    "coherence": lambda s, b: measures.spike_field_coherence(s, b, nperseg=100).coherence,
    "map": lambda s, b: measures.rate_map(s, b, bins=3).rate,
    "decoding": lambda s, b: measures.rate_map(s, b, bins=3).decode(b, window=100 * MS, signal=s).table,
}
ONE = {
    "stimulus": lambda s, b: measures.coherence(s, b, nperseg=100)[1],
    "reconstruction": lambda s, b: measures.linear_reconstruction(s, b, nperseg=100).information.value,
    "susceptibility": lambda s, b: measures.susceptibility(s, b, nperseg=100).chi,
    "fit": lambda s, b: fit_neuron(b, s, dt=1 * MS, stimulus=Lags(2)).stimulus_filter()[1],
}


def session(events=(1.0, 4.0, 7.5, 11.0, 15.0), t_start=0.0, before=0.0):
    """A recording of 20 s, its signal, and trials of 2 s; a spike in samples above 1.5."""
    x = np.random.default_rng(0).normal(size=20_000)
    signal = neo.AnalogSignal(x, units="cm", sampling_rate=1 * pq.kHz, t_start=t_start * pq.s)
    recording = to_block(
        [[np.flatnonzero(x > 1.5) / 1000 + t_start]], t_start=t_start * pq.s, t_stop=(t_start + 20) * pq.s
    )
    recording.segments[0].analogsignals.append(signal)
    return recording, signal, cut(recording, events, before=before * pq.s, after=2 * pq.s)


@pytest.mark.parametrize("measure", (EACH | ONE).values(), ids=EACH | ONE)
def test_a_signal_of_the_recording_is_refused_and_one_of_each_trial_is_not(measure):
    _, signal, trials = session()
    with pytest.raises(NsnnError, match=r"from 0 to 20 s .* 5 of 5 trials .*segment.analogsignals"):
        measure(signal, trials)
    if measure in EACH.values() or measure is ONE["fit"]:  # the others take a single signal
        with pytest.raises(NsnnError, match=r"5 of 5 trials"):
            measure([signal] * 5, trials)
    stimulus = signal.time_slice(0 * pq.s, 2 * pq.s)  # the same in all trials
    plain = to_block([[segment.spiketrains[0].magnitude] for segment in trials.segments], t_stop=2 * pq.s)
    assert_allclose(measure(stimulus, trials), measure(stimulus, plain))


def test_the_signal_of_one_trial_is_refused_for_all_of_them():
    _, _, trials = session()
    first = trials.segments[0].analogsignals[0]
    with pytest.raises(NsnnError, match=r"one of 5 trials .*segment.analogsignals.*\[signal\] \*"):
        measures.phase_locking(first, trials, band=BAND)
    measures.phase_locking([first] * 5, trials, band=BAND)


def test_signals_of_tiles_give_the_values_of_the_recording():
    recording, signal, tiles = session(np.arange(0, 20, 2.0))
    signals = [segment.analogsignals[0] for segment in tiles.segments]
    bins = np.array([-3, -1, 0, 1, 3]) * pq.cm
    rate = measures.rate_map(signals, tiles, bins=bins).rate
    assert_allclose(rate, measures.rate_map(signal, recording, bins=bins).rate)


@pytest.mark.parametrize(
    "given",
    [
        lambda trials: measures.as_trains(trials, 0.5 * pq.s, 1 * pq.s),
        lambda trials: [trials, trials],
        lambda trials: [segment.spiketrains[0] for segment in trials.segments],
        lambda trials: [trials.segments[3].spiketrains[0]],
        lambda trials: trials.segments[3].spiketrains,
        lambda trials: align(trials, 0.1 * pq.s),
    ],
)
@pytest.mark.parametrize("before", [0, 0.5])
@pytest.mark.parametrize("t_start", [0, 100])
def test_trials_in_other_forms_are_recognised(given, before, t_start):
    _, signal, trials = session(np.array([1, 4, 7.5, 11]) + t_start, t_start, before)
    with pytest.raises(NsnnError, match="were cut from"):
        EACH["average"](signal, given(trials))


def test_trials_of_a_file_start_at_0_and_recordings_do_not():
    spikes = [[[0.5, 0.9]], [[0.2, 0.7]]]
    signal = neo.AnalogSignal(
        np.random.default_rng(0).normal(size=9000), units="mV", sampling_rate=1 * pq.kHz
    )
    for t_start, refused in ((0, True), (0.1, False)):
        block = to_block(spikes, t_start=t_start * pq.s, t_stop=1 * pq.s)
        for start, segment in zip((2.0, 5.0), block.segments, strict=True):
            segment.annotations["start_time"] = start if refused else t_start
        if refused:
            with pytest.raises(NsnnError, match="2 of 2"):
                EACH["average"](signal, block)
        else:
            EACH["average"](signal, block)


def test_a_stimulus_of_aligned_trials_and_windows_within_a_stimulus_are_read_as_before():
    _, signal, trials = session()
    moved = align(trials, [0.1, 0.2, 0.3, 0.4, 0.5] * pq.s)
    stimulus = signal.time_slice(0 * pq.s, 1.9 * pq.s)
    window = {"before": 5 * MS, "after": 5 * MS, "t_start": 0 * pq.s, "t_stop": 0.5 * pq.s}
    for block in (trials, moved):
        plain = [segment.spiketrains[0].magnitude for segment in block.segments]
        expected = measures.spike_triggered_average(stimulus, plain, **window).average
        assert_allclose(measures.spike_triggered_average(stimulus, block, **window).average, expected)

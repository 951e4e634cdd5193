"""The door of the measures: Blocks and lists become flat arrays, and nonsense is refused by name."""

import warnings

import neo
import numpy as np
import pytest
import quantities as pq
from neo.core.spiketrainlist import SpikeTrainList
from numpy.testing import assert_array_equal

from nsnn_neuro import NsnnError, measures, to_block
from nsnn_neuro.measures import SilentNeuronWarning, as_repeats, as_trains, read_signal, warn_silent


def array_block(trials, t_stop=1.0, t_start=0.0):
    """Block of array lists from nested lists [trial][neuron] of seconds."""
    block = neo.Block()
    for index, neurons in enumerate(trials):
        segment = neo.Segment(index=index)
        segment.spiketrains = SpikeTrainList.from_spike_time_array(
            np.concatenate([np.empty(0), *neurons]),
            np.repeat(np.arange(len(neurons)), [len(t) for t in neurons]),
            all_channel_ids=list(range(len(neurons))),
            units="s",
            t_start=t_start * pq.s,
            t_stop=t_stop * pq.s,
        )
        block.segments.append(segment)
    return block


def object_block(trials):
    """Block of ordinary SpikeTrain objects [trial][neuron]."""
    block = neo.Block()
    for neurons in trials:
        segment = neo.Segment()
        for train in neurons:
            segment.spiketrains.append(train)
        block.segments.append(segment)
    return block


def assert_holds(trains, trials):
    """Every train of `trains` equals nested lists, bit for bit."""
    assert (trains.n_trials, trains.n_neurons) == (len(trials), len(trials[0]))
    for k, neurons in enumerate(trials):
        for j, times in enumerate(neurons):
            number = k * trains.n_neurons + j
            own = slice(trains.offsets[number], trains.offsets[number + 1])
            assert_array_equal(trains.times[own], times)
            assert set(trains.trial[own]) <= {k}
            assert set(trains.neuron[own]) <= {j}
            assert trains.counts[k, j] == len(times)


def test_channel_ids_are_positions_in_all_channel_ids():
    segment = neo.Segment()
    segment.spiketrains = SpikeTrainList.from_spike_time_array(
        np.array([0.1, 0.2, 0.3]), np.array([30, 10, 20]), [30, 20, 10], units="s", t_stop=1 * pq.s
    )
    block = neo.Block()
    block.segments.append(segment)
    assert_holds(as_trains(block), [[[0.1], [0.3], [0.2]]])


def test_object_block_in_several_units_and_after_an_append():
    trains = [
        neo.SpikeTrain([300, 100], units="ms", t_stop=1000),
        neo.SpikeTrain([0.25], units="s", t_stop=1000 * pq.ms),
    ]
    block = object_block([trains])
    block.segments[0].spiketrains.multiplexed  # noqa: B018 - neo keeps this result and won't see the append
    block.segments[0].spiketrains.append(neo.SpikeTrain([7e5], units="us", t_stop=1e6))
    result = as_trains(block)
    assert_holds(result, [[[100 * 1e-3, 300 * 1e-3], [0.25], [7e5 * 1e-6]]])
    assert_array_equal(result.t_stop, [1.0])


def test_crops_partition_the_trial_and_keep_a_spike_at_the_end():
    block = array_block([[[0.0, 0.25, 0.5, 1.0]]])
    assert_array_equal(as_trains(block, None, 0.5 * pq.s).times, [0.0, 0.25])
    assert_array_equal(as_trains(block, 0.5 * pq.s).times, [0.5, 1.0])
    assert_array_equal(as_trains(block, 0.25 * pq.s, 0.5 * pq.s).times, [0.25])
    assert_array_equal(as_trains(block, 0.25 * pq.s, 0.5 * pq.s).durations, [0.25])
    assert as_trains(as_trains(block), 0.25 * pq.s).counts[0, 0] == 3


def test_bins_drop_the_remainder_and_refuse_a_short_trial():
    trains = as_trains(array_block([[[0.1, 0.5, 0.95]]]))
    index, n_bins = trains.bins(0.3, "window")
    assert n_bins[0] == 3
    assert_array_equal(index, [0, 1, 3])
    with pytest.raises(NsnnError, match=r"window = 1.5 s is longer than the shortest trial"):
        trains.bins(1.5, "window")


def test_intervals_stay_inside_a_train():
    trains = as_trains(array_block([[[0.1, 0.2], [0.3]], [[0.4, 0.7, 0.9], []]]))
    intervals, train = trains.intervals
    assert_array_equal(train, [0, 2, 2])
    np.testing.assert_allclose(intervals, [0.1, 0.3, 0.2], rtol=1e-12)
    intervals, train = as_trains(
        array_block([[[0.1, 0.2]], [[0.4, 0.7]]])
    ).intervals  # one neuron, two trials
    assert_array_equal(train, [0, 1])
    np.testing.assert_allclose(intervals, [0.1, 0.3], rtol=1e-12)


def with_nan():
    block = array_block([[[0.1]], [[0.2]]])
    block.segments[1].spiketrains.multiplexed[1][0] = np.nan * pq.s
    return block


def outside(time):
    block = array_block([[[0.1]]])
    block.segments[0].spiketrains.multiplexed[1][0] = time * pq.s
    return block


def foreign_channel():
    block = array_block([[[0.1]]])
    block.segments[0].spiketrains._channel_id_array[:] = 3
    return block


def test_trains_of_different_windows_need_a_common_one():
    block = object_block(
        [[neo.SpikeTrain([0.5], units="s", t_stop=1.0), neo.SpikeTrain([0.5, 1.5], units="s", t_stop=2.0)]]
    )
    with pytest.raises(NsnnError, match="spike trains of segment 0 cover different windows"):
        as_trains(block)
    assert_array_equal(as_trains(block, None, 1 * pq.s).counts, [[1, 1]])
    trials = object_block(
        [[neo.SpikeTrain([0.5], units="s", t_stop=1)], [neo.SpikeTrain([], units="s", t_stop=2)]]
    )
    with pytest.raises(NsnnError, match="trials cover different windows"):
        as_trains(trials).window()
    assert as_trains(trials, None, 1 * pq.s).window() == (0.0, 1.0)


def test_repeats_from_lists_spike_trains_and_blocks_agree():
    times = [[0.1, 0.4], [], [0.2]]
    objects = [neo.SpikeTrain(np.array(t) * 1000, units="ms", t_stop=1000) for t in times]
    sources = [
        [np.array(t) for t in times],
        [t * pq.s for t in (np.array(t) for t in times)],
        objects,
        SpikeTrainList(items=objects),
        array_block([[t] for t in times]),
        as_trains(array_block([[t] for t in times])),
        array_block([times]).segments[0].spiketrains,
    ]
    for source in sources:
        repeats = as_repeats(source)
        assert (repeats.n_neurons, repeats.n_trials) == (1, 3)
        np.testing.assert_allclose(repeats.times, [0.1, 0.4, 0.2], rtol=1e-15)
        assert_array_equal(repeats.counts[:, 0], [2, 0, 1])
    assert as_repeats(objects[0]).n_trials == 1


def test_plain_arrays_have_no_duration_until_a_window_is_given():
    with pytest.raises(NsnnError, match="pass t_start and t_stop"):
        as_repeats([[0.1]]).durations  # noqa: B018
    repeats = as_repeats([[0.1, 0.6], [0.5]], 0 * pq.s, 0.5 * pq.s)
    assert_array_equal(repeats.counts[:, 0], [1, 0])
    assert_array_equal(repeats.durations, [0.5, 0.5])


ONE = array_block([[[0.1]]])
# call, what the message names and the cure
REFUSED = [
    (lambda: as_trains([[0.1]]), "block = list object: expected a neo.Block"),
    (lambda: as_trains(neo.Block()), "block has no segments"),
    (lambda: as_trains(object_block([[]])), "block holds no spike trains"),
    (lambda: as_trains(array_block([[[0.1]], [[0.2], [0.3]]])), r"block.segments\[1\] has 2 spike trains"),
    (lambda: as_trains(with_nan()), "NaN in trial 1, train 0"),
    (lambda: as_trains(outside(1.5)), "1.5 s in segment 0 is outside"),
    (lambda: as_trains(outside(-0.5)), "-0.5 s in segment 0 is outside"),
    (lambda: as_trains(foreign_channel()), "not among all_channel_ids"),
    (lambda: as_trains(ONE, None, 2 * pq.s), "t_stop = 2.0 s: trial 0 stops at 1.0 s"),
    (lambda: as_trains(ONE, -1 * pq.s), "t_start = -1.0 s: trial 0 starts at 0.0 s"),
    (lambda: as_trains(ONE, 0.5 * pq.s, 0.5 * pq.s), "must be before t_stop"),
    (lambda: as_trains(ONE, 0.1), "has no unit"),
    (lambda: as_trains(ONE, 3 * pq.mV), "expected a time"),
    (lambda: as_repeats([]), "trains is empty"),
    (lambda: as_repeats([0.1, 0.2]), r"trains\[0\] = 0.1"),
    (lambda: as_repeats([["a"]]), r"trains\[0\] = \['a'\]"),
    (lambda: as_repeats([np.array([True, False, True])]), r"trains\[0\] = .*numpy.flatnonzero\(raster\)"),
    (lambda: as_repeats([np.array([0.1, np.nan])]), "NaN in trial 0"),
    (lambda: as_repeats([np.array([1.0]) * pq.mV]), "expected a time"),
    (lambda: as_repeats(3), "trains = int object"),
    (lambda: as_repeats(array_block([[[0.1], [0.2]]])), "expected the repeats of one; nsnn.select"),
]


def test_bad_input_is_refused_by_name():
    for call, message in REFUSED:
        with pytest.raises(NsnnError, match=message):
            call()


def test_read_signal():
    signal = neo.AnalogSignal([[1.0], [2.0]], units="mV", sampling_rate=2 * pq.kHz, t_start=5 * pq.ms)
    values, rate, start = read_signal(signal)
    assert_array_equal(values, [1.0, 2.0])
    assert (rate, start) == (2000.0, 0.005)
    for bad, message in [
        (np.ones(3), "expected a neo.AnalogSignal"),
        (neo.AnalogSignal(np.ones((3, 2)), units="V", sampling_rate=1 * pq.Hz), r"shape \(3, 2\)"),
        (neo.AnalogSignal([1.0, np.nan], units="V", sampling_rate=1 * pq.Hz), "holds NaN"),
    ]:
        with pytest.raises(NsnnError, match=message):
            read_signal(bad)


def test_silent_neurons_are_counted_in_a_warning():
    with pytest.warns(SilentNeuronWarning, match="m: 2 of 3 neurons are mute; their value is NaN"):
        warn_silent(np.array([np.nan, 1, np.nan]), "m", "are mute")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_silent(np.ones(3), "m", "are mute")


_MASKED = np.ma.array([0.1, 0.2, 0.3], mask=[False, True, False])


def test_masked_values_are_refused():
    """They counted as spikes: NumPy drops the mask where an array is made of them."""
    window = {"t_start": 0 * pq.s, "t_stop": 1 * pq.s}
    for call in (
        lambda: to_block({"a": _MASKED}, t_stop=1 * pq.s),
        lambda: to_block([[[0.1, np.ma.masked]]], t_stop=1 * pq.s),
        lambda: to_block({"senders": [1, 1, 1], "times": 1000 * _MASKED}, t_stop=1 * pq.s),
        lambda: measures.schreiber_reliability([_MASKED, _MASKED], sigma=5 * pq.ms, **window),
        lambda: measures.noise_correlation(np.ma.array([[1, 2], [3, 4]], mask=[[0, 1], [0, 0]])),
        lambda: measures.tuning_curve(np.ma.array([0, 0, 90], mask=[0, 0, 1]), [1.0, 2.0, 3.0]),
    ):
        with pytest.raises(NsnnError, match=r"masked.*leave them out"):
            call()
    whole = to_block([[np.ma.array([0.1, 0.2]), _MASKED.compressed()]], t_stop=1 * pq.s)  # nothing is masked
    assert measures.firing_rate(whole).tolist() == [2.0, 2.0]

"""Flat arrays into a Block and out of it."""

import neo
import numpy as np
import pytest
import quantities as pq
from helpers.roundtrip import trains_of

from nsnn_neuro import NsnnError
from nsnn_neuro.io import build_block
from nsnn_neuro.measures import as_trains
from nsnn_neuro.perturb import delete_spikes


def test_build_block_against_a_loop():
    rng = np.random.default_rng(1)
    trial, neuron, tick = rng.integers(0, 7, 500), rng.integers(0, 11, 500), rng.integers(0, 1000, 500)
    block = build_block(trial, neuron, tick, dt=1e-4, n_trials=8, n_neurons=12, t_start=0.0, t_stop=0.1)
    expected = [
        [
            np.array([k * 1e-4 for k in sorted(tick[(trial == i) & (neuron == j)])]).tobytes()
            for j in range(12)
        ]
        for i in range(8)
    ]
    times = build_block(
        trial, neuron, times=tick * 1e-4, n_trials=8, n_neurons=12, t_start=0.0, t_stop=np.full(8, 0.1)
    )
    assert trains_of(block) == trains_of(times) == expected
    assert block.annotations == {"dt": 1e-4}


def test_build_block_stays_lazy_and_sorts_what_does_not_fit_one_integer():
    tick = np.array([2**62, -3, 2**62, 5])
    block = build_block(
        [1, 1, 0, 1], [0, 1, 1, 1], tick, dt=1.0, n_trials=2, n_neurons=2, t_start=-9.0, t_stop=5e18
    )
    assert [s.spiketrains._items for s in block.segments] == [None, None]
    spikes = as_trains(block)
    assert spikes.neuron.tolist() == [1, 0, 1, 1]
    assert spikes.times.tolist() == [2.0**62, 2.0**62, -3.0, 5.0]
    assert [s.spiketrains._items for s in block.segments] == [None, None]


@pytest.mark.parametrize(
    "more",
    [
        {"trial": [2]},
        {"trial": [-1]},
        {"neuron": [3]},
        {"neuron": [0.0]},
        {"tick": [0, 1]},
        {"tick": [11]},
        {"tick": [0.5]},
        {"dt": None},
        {"times": [0.0]},
    ],
)
def test_build_block_refuses(more):
    arguments = {"trial": [0], "neuron": [0], "tick": [1], "dt": 0.1, "n_trials": 2, "n_neurons": 3}
    with pytest.raises(NsnnError):
        build_block(**{**arguments, **more}, t_start=0.0, t_stop=1.0)


def test_trains_of_ordinary_blocks():
    block = neo.Block()
    for start in (0.0, 5.0):
        segment = neo.Segment()
        for channel, times in ((9, [30.0, 20.0]), (9, []), (4, [25.0])):  # a repeated channel, unsorted times
            train = neo.SpikeTrain(times, units="ms", t_start=start, t_stop=100.0)
            train.annotate(channel_id=channel)
            segment.spiketrains.append(train)
        block.segments.append(segment)
    spikes = as_trains(block)
    assert spikes.neuron.tolist() == [0, 0, 2] * 2
    np.testing.assert_array_max_ulp(spikes.times, np.array([0.02, 0.03, 0.025] * 2), maxulp=1)
    assert spikes.t_start.tolist() == [0.0, 0.005]
    assert spikes.t_stop.tolist() == [0.1, 0.1]


def test_channel_ids_become_numbers_of_neurons():
    trains = neo.core.spiketrainlist.SpikeTrainList.from_spike_time_array(
        [0.1, 0.2, 0.3], np.array([7, 3, 7]), all_channel_ids=[7, 5, 3], units="s", t_stop=1.0 * pq.s
    )
    block, segment = neo.Block(), neo.Segment()
    block.segments.append(segment)
    segment.spiketrains = trains
    spikes = as_trains(block)
    assert spikes.neuron.tolist() == [0, 0, 2]
    assert spikes.times.tolist() == [0.1, 0.3, 0.2]


def test_a_trial_lasts_as_long_as_all_its_trains():
    block, segment = neo.Block(), neo.Segment()
    block.segments.append(segment)
    for start, stop in ((0.2, 0.9), (0.0, 0.5)):
        segment.spiketrains.append(neo.SpikeTrain([0.3, 0.25], units="s", t_start=start, t_stop=stop))
    same = delete_spikes(block, p=0.0, seed=0).segments[0].spiketrains
    assert (float(same.t_start), float(same.t_stop)) == (0.0, 0.9)
    assert same.multiplexed[1].magnitude.tolist() == [0.25, 0.3] * 2
    with pytest.raises(NsnnError, match="cover different windows"):
        as_trains(block)

"""Flat arrays into a Block and out of it."""

import neo
import numpy as np
import pytest
from helpers.roundtrip import trains_of

from nsnn_neuro import NsnnError
from nsnn_neuro.io.block import build_block
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


def test_build_block_refuses():
    arguments = {"trial": [0], "neuron": [0], "tick": [1], "dt": 0.1, "n_trials": 2, "n_neurons": 3}
    for name, value in [
        *(
            ("trial", [2]),
            ("trial", [-1]),
            ("neuron", [3]),
            ("neuron", [0.0]),
            ("tick", [0, 1]),
            ("tick", [11]),
        ),
        *(("tick", [0.5]), ("dt", None), ("times", [0.0])),
    ]:
        with pytest.raises(NsnnError):
            build_block(**{**arguments, name: value}, t_start=0.0, t_stop=1.0)


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

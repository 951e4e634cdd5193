"""Trials whose clocks are stretched between events, against a loop over spikes."""

from itertools import pairwise

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import ms, second

from nsnn_neuro import NsnnError, load, save, to_block, warp
from nsnn_neuro.measures import psth

RNG = np.random.default_rng(1)
TRIALS = [[np.sort(RNG.uniform(0, 2, 30)) for _ in range(3)] for _ in range(5)]
EVENTS = np.sort(RNG.uniform(0.1, 1.9, (5, 3)), axis=1)


def place(t, old, new):
    """Where a time goes, by the equation of a line through two points."""
    if t <= old[0]:
        return t + new[0] - old[0]
    for (a, b), (c, d) in zip(pairwise(old), pairwise(new), strict=True):
        if t <= b:
            return c + (d - c) * (t - a) / (b - a)
    return t + new[-1] - old[-1]


def example():
    block = to_block(TRIALS, t_stop=2 * second)
    block.annotations.update(units={"id": [7, 8, 9]}, dt=1e-4)
    for k, segment in enumerate(block.segments):
        segment.annotations.update(label="ab"[k % 2], go=float(EVENTS[k, 1]), start_time=10.0 * k)
        segment.events.append(neo.Event(EVENTS[k, :1] * pq.s, labels=["on"], name="stimulus"))
        segment.epochs.append(neo.Epoch(EVENTS[k, :2] * pq.s, np.diff(EVENTS[k]) * pq.s, labels=["x", "y"]))
        segment.irregularlysampledsignals.append(
            neo.IrregularlySampledSignal(EVENTS[k] * pq.s, [1, 2, 3], units="mV")
        )
    return block


@pytest.mark.parametrize("to", [None, [200, 800, 1100] * ms])
@pytest.mark.filterwarnings("ignore:warp")
def test_every_spike_goes_where_a_loop_puts_it(to):
    new = np.median(EVENTS, axis=0) if to is None else [0.2, 0.8, 1.1]
    result = warp(example(), EVENTS * second, to=to)
    for trial, old, segment in zip(TRIALS, EVENTS, result.segments, strict=True):
        for times, train in zip(trial, segment.spiketrains, strict=True):
            np.testing.assert_allclose(train.magnitude, [place(t, old, new) for t in times], atol=1e-12)
            ends = [float(train.t_start), float(train.t_stop)]
            np.testing.assert_allclose(ends, [new[0] - old[0], 2 + new[-1] - old[-1]], atol=1e-12)


@pytest.mark.filterwarnings("ignore:warp")
def test_what_else_trials_hold_moves_along_and_names_labels_units_stay(tmp_path):
    block = example()
    block.segments[0].analogsignals.append(neo.AnalogSignal([1, 2], units="mV", sampling_rate=1 * pq.Hz))
    with pytest.warns(UserWarning, match="warp: 1 analog"):
        result = warp(block, EVENTS)
    middle = np.median(EVENTS, axis=0)
    assert result.annotations["units"] == {"id": [7, 8, 9]}
    assert "dt" not in result.annotations
    for segment, label in zip(result.segments, "ababa", strict=True):
        assert segment.annotations["label"] == label
        assert not segment.analogsignals
        np.testing.assert_allclose(segment.events[0].times.magnitude, middle[:1])
        np.testing.assert_allclose(segment.epochs[0].times.magnitude, middle[:2])
        np.testing.assert_allclose(segment.epochs[0].durations.magnitude, np.diff(middle))
        np.testing.assert_allclose(segment.irregularlysampledsignals[0].times.magnitude, middle)
    with pytest.raises(NsnnError, match="go"):
        warp(result, ["stimulus", "go"])  # go is on the clock that was
    save(result, tmp_path / "warped.nwb")
    again = load(tmp_path / "warped.nwb")
    for a, b in zip(result.segments, again.segments, strict=True):
        for one, two in zip(a.spiketrains, b.spiketrains, strict=True):
            np.testing.assert_allclose(one.magnitude, two.magnitude, atol=1e-9)


def test_trials_that_are_only_shifted_keep_their_signals():
    block = to_block(TRIALS, t_stop=2 * second)
    for segment in block.segments:
        segment.analogsignals.append(neo.AnalogSignal(np.arange(4), units="mV", sampling_rate=2 * pq.Hz))
    events = EVENTS[:, :1] + [0, 0.05]
    result = warp(block, events, to=[0.5, 0.55] * pq.s)
    starts = [float(segment.analogsignals[0].t_start) for segment in result.segments]
    np.testing.assert_allclose(starts, 0.5 - EVENTS[:, 0])


@pytest.mark.filterwarnings("ignore:warp")
def test_events_by_name_and_a_warp_and_its_inverse():
    block = to_block(TRIALS, t_stop=2 * second)
    for segment, (on, go, _) in zip(block.segments, EVENTS, strict=True):
        segment.events.append(neo.Event([on] * pq.s, name="on"))
        segment.annotations["go"] = float(go)
    result = warp(block, ["on", "go"])
    middle = np.median(EVENTS[:, :2], axis=0)
    for trial, old, segment in zip(TRIALS, EVENTS, result.segments, strict=True):
        expected = [place(t, old[:2], middle) for t in trial[0]]
        np.testing.assert_allclose(segment.spiketrains[0].magnitude, expected, atol=1e-12)
    one = to_block([TRIALS[0]], t_stop=2 * second)  # of one trial the median is its own
    there = warp(one, EVENTS[:1], to=[0.3, 1.0, 1.5] * pq.s)
    back = warp(there, [[0.3, 1.0, 1.5]], to=EVENTS[0] * pq.s)
    np.testing.assert_allclose(back.segments[0].spiketrains[0].magnitude, TRIALS[0][0], atol=1e-12)
    same = warp(one, EVENTS[:1]).segments[0].spiketrains[0]
    assert same.magnitude.tolist() == TRIALS[0][0].tolist()


def test_the_psth_of_warped_trials_has_responses_at_both_events():
    events = np.stack([0.3 + 0.2 * RNG.random(20), 1.2 + 0.4 * RNG.random(20)], axis=1)
    block = to_block([[row.repeat(5) + 0.002] for row in events], t_stop=2 * second)
    histogram = psth(
        warp(block, events, to=[0.4, 1.4] * pq.s), bin_width=10 * pq.ms, t_start=0.2 * pq.s, t_stop=1.6 * pq.s
    )
    assert np.flatnonzero(histogram.counts[0]).tolist() == [20, 120]
    assert histogram.counts.sum() == 200


def test_a_large_stretch_is_warned_about():
    with pytest.warns(UserWarning, match="1 of 5 trials"):
        warp(example(), [[0.5, 1.0]] * 4 + [[0.5, 0.6]], to=[0.5, 1.0] * pq.s)


@pytest.mark.parametrize(
    ("events", "to", "named"),
    [
        ([[0.5, 0.4]] * 5, None, r"events\[0\]"),
        ([[0.5, 0.5]] * 5, None, r"events\[0\]"),
        ([[0.5, 1.0]] * 4 + [[0.5, np.nan]], None, r"events\[4\]"),
        ([[0.5, 1.0]] * 4 + [[0.5, 2.5]], None, r"events\[4\]"),
        ([[0.5, 1.0]] * 4 + [[0.5]], None, "events"),
        ([[0.5, 1.0]] * 4, None, "events"),
        ([0.5, 1.0, 1.1, 1.2, 1.3], None, "align"),
        ([[0.5]] * 5, None, "events"),
        ("stimulus", None, "events"),
        (["stimulus", "nothing"], None, "nothing"),
        ([[0.5, 1.0]] * 5, [1.0, 0.5] * pq.s, "to"),
        ([[0.5, 1.0]] * 5, [1.0] * pq.s, "to"),
        ([[0.5, 1.0]] * 5, [1.0, 2.0] * pq.mV, "to"),
        ([[0.5, 1.0]] * 5, [0.5, np.nan] * pq.s, "to"),
    ],
)
def test_events_that_fold_or_are_missing_are_refused(events, to, named):
    with pytest.raises(NsnnError, match=named):
        warp(example(), events, to=to)

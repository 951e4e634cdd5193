"""Trials cut around events and aligned clocks, against loops over every spike and sample."""

import neo
import numpy as np
import pandas as pd
import pytest
import quantities as pq
from brian2 import ms, second
from helpers.roundtrip import assert_same, volt
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from nsnn_neuro import NsnnError, align, conditions, cut, join, load, save, select, to_block
from nsnn_neuro.measures import as_trains, psth


def spikes_of(block):
    """[trial][neuron] -> list of times, read train by train."""
    return [[train.rescale("s").magnitude.tolist() for train in s.spiketrains] for s in block.segments]


def recording(trains=((0.2, 1.1, 1.25, 3.05), (0.9, 2.0)), t_stop=4.0):
    block = to_block([[list(train) for train in trains]], t_stop=t_stop * second)
    block.annotations["units"] = {"id": [7, 9], "area": ["V1", "LM"]}
    return block


def with_events(block):
    """The recording with an Event, an Epoch with columns, and an irregular signal."""
    segment = block.segments[0]
    segment.events.append(neo.Event([1, 3] * pq.s, labels=["left", "right"], name="cue"))
    columns = {"angle": np.array([0, 90]), "go": np.array([1.2, 3.2]), "hit": np.array([True, False])}
    segment.epochs.append(
        neo.Epoch([1, 3] * pq.s, [0.5, 0.5] * pq.s, name="trials", array_annotations=columns)
    )
    segment.irregularlysampledsignals.append(
        neo.IrregularlySampledSignal([1, 3] * pq.s, [1.0, 1.0], units="V", name="licks")
    )
    return block


# --- events of other packages ---

HALF = {"before": 0.5 * pq.s, "after": 0.5 * pq.s}


def interval_set(nap):
    return nap.IntervalSet([1.0, 3.0], [1.5, 3.5], metadata={"side": ["left", "right"]})


@pytest.mark.parametrize(
    ("make", "labels"),
    [
        (lambda nap: nap.Ts([1.0, 3.0]), ["left", "right"]),
        (lambda nap: nap.Tsd([1.0, 3.0], ["left", "right"]), None),
        (interval_set, "side"),
    ],
)
def test_events_of_pynapple(make, labels):
    events, block = make(pytest.importorskip("pynapple")), recording()
    trials = cut(block, events, **HALF, labels=labels)
    assert spikes_of(trials) == spikes_of(cut(block, [1, 3], **HALF))
    assert conditions(trials).tolist() == ["left", "right"]
    assert all(type(one) in (str, float) for one in trials.segments[0].annotations.values())
    assert spikes_of(align(join([block] * 2), events)) == spikes_of(align(join([block] * 2), [1, 3]))


def test_a_group_of_pynapple_is_no_event():
    nap = pytest.importorskip("pynapple")
    for call in (lambda one: cut(recording(), one, **HALF), lambda one: align(recording(), one)):
        with pytest.raises(NsnnError, match="TsGroup"):
            call(nap.TsGroup({1: nap.Ts([1.0, 3.0])}))


@pytest.mark.parametrize("name", ["time", "start_time", "onset"])
@pytest.mark.parametrize("unit", [1.0, np.timedelta64(1, "s")])
def test_events_of_a_table(name, unit):
    table, block = (
        pd.DataFrame({name: np.array([1, 3]) * unit, "side": ["left", "right"], "n": [1, 2]}),
        recording(),
    )
    trials = cut(block, table, **HALF, labels="side")
    assert spikes_of(trials) == spikes_of(cut(block, [1, 3], **HALF))
    assert conditions(trials).tolist() == ["left", "right"]
    assert conditions(trials, "n").tolist() == [1, 2]
    assert spikes_of(align(join([block] * 2), table)) == spikes_of(align(join([block] * 2), [1, 3]))
    with pytest.raises(NsnnError, match="rename"):
        cut(block, table.rename(columns={name: "when"}), **HALF)


# --- cut: what is in which window ---

ticks = st.lists(st.integers(0, 1000), max_size=30)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    trains=st.lists(ticks, min_size=1, max_size=3),
    events=st.lists(st.integers(200, 700), min_size=1, max_size=6).map(sorted),
    before=st.integers(0, 200),
    after=st.integers(1, 300),
)
def test_every_spike_is_in_exactly_the_windows_that_contain_it(trains, events, before, after):
    """In whole milliseconds, where an oracle without rounding exists; the recording ends at 1000, beyond every window but one."""
    block = to_block([[np.array(train) * ms for train in trains]], t_stop=1 * second)
    found = cut(block, np.array(events) / 1000, before=before * ms, after=after * ms, overlap="repeat")
    assert len(found.segments) == len(events)
    for event, trial in zip(events, spikes_of(found), strict=True):
        for train, own in zip(trains, trial, strict=True):
            # a window that ends with the recording holds its end
            last = event + after + (event + after == 1000)
            expected = [t - event for t in sorted(train) if event - before <= t < last]
            assert np.rint(1000 * np.array(own)).astype(int).tolist() == expected
            assert_allclose(1000 * np.array(own), expected, rtol=0, atol=1e-9)


def test_image_sequences_go_with_their_trials():
    frames = np.arange(40.0).reshape(10, 2, 2)  # frame k shows 4 k at 0.5 + k / 10 s
    about = {"units": "V", "spatial_scale": 2 * pq.um, "t_start": 500 * pq.ms, "name": "dye", "depth": 30}
    block = recording([[0.2]], 3.0)
    block.segments[0].imagesequences.append(neo.ImageSequence(frames, sampling_rate=10 * pq.Hz, **about))
    trials = cut(block, [0.8, 2.5], before=0.12 * pq.s, after=0.3 * pq.s)
    (movie,) = trials.segments[0].imagesequences
    assert len(trials.segments[1].imagesequences) == 0  # the movie was over
    later = align(select(trials, trials=[0, 0], units=[0]), 0.1)
    for one, start in ((movie, -0.1), (later.segments[1].imagesequences[0], -0.2)):
        assert_allclose(one.times.rescale("s").magnitude, start + np.arange(4) / 10, atol=1e-12)
        assert one.magnitude[:, 0, 0].tolist() == [8.0, 12.0, 16.0, 20.0]
        assert (one.spatial_scale, one.name, one.annotations, one.units) == (
            2 * pq.um,
            "dye",
            {"depth": 30},
            pq.V,
        )
        assert not one.flags.writeable
    joined = join([select(trials, trials=[0]), select(trials, trials=[1])])
    assert [len(segment.imagesequences) for segment in joined.segments] == [1, 0]


def test_events_epochs_and_irregular_signals_are_cut_as_spikes_are():
    """The oracle: the same times as a spike train of their own, so that both follow one rule, at the borders too."""
    times = np.array([3.5, 0.6, 0.5, 1.5, 2.6, 2.5, 3.0, 4.0])  # in no order
    block = to_block([[np.sort(times)]], t_stop=4 * second)
    marks, angles = np.array(list("abcdefgh")), np.arange(8)
    about = {"name": "cue", "description": "d", "array_annotations": {"angle": angles}, "side": "left"}
    segment = block.segments[0]
    segment.events.append(neo.Event(1000 * times * pq.ms, labels=marks, **about))
    segment.epochs.append(neo.Epoch(times * pq.s, (angles + 1) * pq.s, **about))
    order = np.argsort(times)
    signal = neo.IrregularlySampledSignal(times[order] * pq.s, angles[order] * pq.V, name="eye", side="left")
    signal.array_annotate(channel=[4])
    segment.irregularlysampledsignals.append(signal)
    found = cut(block, [1.0, 3.5], before=0.5 * second, after=0.5 * second)
    for trial, event, spikes in zip(found.segments, [1.0, 3.5], spikes_of(found), strict=True):
        (cue,), (epoch,), (eye,) = trial.events, trial.epochs, trial.irregularlysampledsignals
        kept = [np.flatnonzero(times == np.round(t + event, 9)).item() for t in cue.times.magnitude]
        assert sorted(cue.times.magnitude.tolist()) == spikes[0] == eye.times.magnitude.tolist()
        assert epoch.times.magnitude.tolist() == cue.times.magnitude.tolist()
        assert kept == sorted(kept)
        assert cue.labels.tolist() == marks[kept].tolist()
        assert epoch.durations.rescale("s").magnitude.tolist() == (angles[kept] + 1).tolist()
        assert sorted(eye.magnitude[:, 0].tolist()) == sorted(kept)
        for one in (cue, epoch):
            assert one.array_annotations["angle"].tolist() == angles[kept].tolist()
            assert (one.name, one.description, one.annotations) == ("cue", "d", {"side": "left"})
        assert (eye.annotations, eye.array_annotations["channel"].tolist()) == ({"side": "left"}, [4])
    assert [len(trial.events[0]) for trial in found.segments] == [2, 3]
    assert segment.events[0].segment is segment  # the recording is as it was
    alone = cut(block, [1.0, 2.0], before=0.3 * second, after=0.3 * second)
    assert [len(trial.events) for trial in alone.segments] == [0, 0]


def test_epochs_without_durations_which_neo_makes_by_default(tmp_path):
    block = to_block([[[0.5, 1.5, 2.5]]], t_stop=4 * second)
    block.segments[0].epochs.append(neo.Epoch([1.0, 2.0, 3.0] * pq.s, labels=["a", "b", "c"], name="ep"))
    again = load(save(block, tmp_path / "a.nwb"))
    assert_same(block, again)
    assert again.segments[0].epochs[0].durations.size == 0
    pieces = cut(again, [2.0, 3.5] * second, before=0.25 * second, after=0.25 * second)
    (piece,) = pieces.segments[0].epochs
    assert (piece.times.magnitude.tolist(), piece.durations.size, piece.labels.tolist()) == ([0.0], 0, ["b"])
    assert not pieces.segments[1].epochs
    (late,) = load(tmp_path / "a.nwb", t_start=1.5 * second).segments[0].epochs
    assert (late.times.magnitude.tolist(), late.durations.size) == ([2.0, 3.0], 0)


def test_units_labels_and_annotations_go_along(tmp_path):
    block = recording()
    block.annotations["seed"] = 3
    block.segments[0].annotations.update(start_time=0.0, drug="none")
    found = cut(block, [1, 3] * second, before=0 * second, after=1 * second, labels=np.array(["a", "b"]))
    assert found.annotations["units"] == {"id": [7, 9], "area": ["V1", "LM"]}
    assert found.annotations["seed"] == 3
    assert [s.annotations for s in found.segments] == [
        {"drug": "none", "event_time": 1.0, "label": "a"},
        {"drug": "none", "event_time": 3.0, "label": "b"},
    ]
    again = load(save(found, tmp_path / "a.nwb"))
    assert conditions(again).tolist() == ["a", "b"]
    assert spikes_of(again) == spikes_of(found)


def test_all_kinds_of_events():
    for events in (
        [1000, 3000] * ms,
        [1 * second, 3 * second],
        [1, 3],
        [np.array([1.0, 3.0])],
        neo.Event([1000, 3000] * pq.ms),
        neo.Epoch([1, 3] * pq.s, [1, 1] * pq.s),
        neo.SpikeTrain([1, 3], units="s", t_stop=4),
        *("cue", "trials", "licks"),
    ):
        found = cut(with_events(recording()), events, before=0.2 * second, after=0.4 * second)
        assert_allclose(spikes_of(found)[0][0], [0.1, 0.25], atol=1e-12)
        assert_allclose(spikes_of(found)[1][0], [0.05], atol=1e-12)
    later = cut(recording(), [1.0, 3.0], before=-0.05 * second, after=0.3 * second)  # after the event
    assert_allclose(spikes_of(later)[0][0], [0.1, 0.25], atol=1e-12)
    assert float(later.segments[0].spiketrains[0].t_start) == 0.05


def test_labels_and_columns_of_named_events():
    block = with_events(recording())
    window = {"before": 0.1 * second, "after": 0.1 * second}
    assert conditions(cut(block, "cue", **window)).tolist() == ["left", "right"]
    trials = cut(block, "trials", labels="angle", **window)
    assert conditions(trials).tolist() == [0, 90]
    assert [s.annotations["hit"] for s in trials.segments] == [True, False]
    go = cut(block, "trials.go", **window)
    assert [s.annotations["event_time"] for s in go.segments] == [1.2, 3.2]
    assert conditions(go, "angle").tolist() == [0, 90]
    assert not go.segments[0].epochs  # these stay with the recording


def test_several_segments_take_events_for_each():
    block = to_block([[[0.5, 0.9]], [[0.2]], [[0.6]]], t_stop=1 * second)
    for k, segment in enumerate(block.segments):
        segment.annotations["session"] = k
    found = cut(
        block, [[0.5, 0.8], None, [0.5] * second], before=0.1 * second, after=0.2 * second, labels=[1, 2, 3]
    )
    assert [[np.round(t, 9).tolist() for t in trial] for trial in spikes_of(found)] == [
        [[0.0]],
        [[0.1]],
        [[0.1]],
    ]
    assert [(s.annotations["session"], s.annotations["label"]) for s in found.segments] == [
        (0, 1),
        (0, 2),
        (2, 3),
    ]
    with pytest.raises(
        NsnnError, match=r"3 segments, each with a clock of its own.*align\(block, events\), then t_start"
    ):
        cut(block, [0.5, 0.5, 0.5], before=0.1 * second, after=0.2 * second)
    # windows in different segments don't overlap
    assert len(cut(block, [[0.5]] * 3, before=0.4 * second, after=0.4 * second).segments) == 3


def test_overlapping_windows_are_refused_or_repeated():
    block = recording()
    events = [0.5, 1.0, 3.0]
    with pytest.raises(
        NsnnError, match=r'2 of 3 events overlap.*events\[0\] = 0.5 s and events\[1\] = 1 s.*overlap="repeat"'
    ):
        cut(block, events, before=0.3 * second, after=0.5 * second)
    found = cut(block, events, before=0.3 * second, after=0.5 * second, overlap="repeat")
    assert [s.annotations["overlaps"] for s in found.segments] == [True, True, False]
    assert_allclose(spikes_of(found)[0][1], [0.4], atol=1e-12)
    assert_allclose(spikes_of(found)[1][1], [-0.1], atol=1e-12)
    # adjacent windows share no spike and aren't refused, whatever the rounding
    tiles = np.arange(1, 39) * 0.1
    tiled = cut(block, tiles, before=0 * second, after=0.1 * second)
    inside = [t for train in spikes_of(block)[0] for t in train if 0.1 <= t < 3.9]
    assert sum(len(train) for trial in spikes_of(tiled) for train in trial) == len(inside)


def test_bins_of_a_late_trial_know_how_coarse_the_clock_was():
    """30,000 s into a session a time difference is known to 1e-11 s: a spike on a border is in the bin that begins there."""
    rng = np.random.default_rng(0)
    steps = np.sort(rng.choice(10_000, 300, replace=False))
    event = 30_000.123
    block = to_block([[event + steps * 1e-4]], t_stop=30_010 * second)
    found = cut(block, [event], before=0 * second, after=1 * second)
    assert found.annotations["resolution"] == pytest.approx(4 * np.finfo(float).eps * 30_001, rel=1e-3)
    assert_array_equal(psth(found, bin_width=1 * ms).counts[0], np.bincount(steps // 10, minlength=1000))


# --- what is refused ---

TWO = {"before": 0.1 * second, "after": 0.1 * second}


REFUSED = [
    *((none, TWO, "no event in it") for none in ([], [] * second, neo.Event([] * pq.s))),
    ([1.0, np.nan, np.nan], TWO, r"events\[1\] is nan \(2 of 3 are not finite\): leave these events"),
    ([3.0, 1.0], TWO, r"events\[1\] = 1 s comes after 3 s.*argsort"),
    ([1000, 3000], TWO, r"2 of 2 events are outside.*events\[0\] = 1000 s.*divide milliseconds by 1000"),
    ([1.0, 3.95], TWO, r"windows of 1 of 2 events leave the recording, first that of events\[1\] = 3.95 s"),
    ([1.0, 3.0] * pq.mV, TWO, "expected a time"),
    *((no_times, TWO, "expected times") for no_times in (["a", "b"], [[1.0, 2.0], [3.0, 3.5]], None, True)),
    ("cuee", TWO, r"no event or epoch of this name; it has 'cue', 'licks', 'trials'; did you mean 'cue'"),
    ("go", TWO, r"it has 'cue', 'licks', 'trials'; did you mean its column 'trials.go'"),
    ("start_time", TWO, r"did you mean its column 'trials.start_time'"),
    ("trials.goo", TWO, r"no column 'goo' of numbers; .*'go'.*; did you mean 'go'"),
    ([1.0, 3.0], {**TWO, "labels": ["a"]}, "labels has 1 values for 2 events"),
    ([1.0, 3.0], {**TWO, "labels": "angle"}, "labels by name need events by name"),
    ("cue", {**TWO, "labels": "angle"}, "no column"),
    ([1.0, 3.0], {**TWO, "labels": ["a", None]}, r"labels\[1\] = None: expected a number or a text"),
    ([1.0, 3.0], {**TWO, "labels": [1, 2] * ms}, "has a unit"),
    ([1.0, 3.0], {**TWO, "labels": np.zeros((2, 2))}, "has shape"),
    ([1.0, 3.0], {**TWO, "overlap": "both"}, "expected one of 'error', 'repeat'"),
    ([1.0], {"before": -0.2 * second, "after": 0.1 * second}, "begins before it ends"),
    ([1.0], {"before": [0.1, 0.2] * second, "after": 0.1 * second}, "expected a time"),
]


def test_cut_refuses():
    block = with_events(recording())
    for events, options, message in REFUSED:
        with pytest.raises(NsnnError, match=message):
            cut(block, events, **options)
    with pytest.raises(NsnnError, match=r"expected a neo\.Block"):
        cut([[0.1]], [1.0], **TWO)
    with pytest.raises(NsnnError, match=r"none \(load an NWB file with trials=False\)"):
        cut(recording(), "trials", **TWO)
    block.segments[0].events.append(neo.Event([2] * pq.s, name="cue"))
    with pytest.raises(NsnnError, match="segment 0 has 2 of this name"):
        cut(block, "cue", **TWO)
    block.segments[0].epochs[0].array_annotations["go"][1] = np.nan
    words = r"row\[1\] is nan \(1 of 2 are not finite\): .*times = conditions\(load\(path\), 'go'\), known = np.isfinite\(times\)"
    with pytest.raises(NsnnError, match=words):
        cut(block, "trials.go", **TWO)


# --- align ---


def test_aligned_clocks_against_a_loop():
    rng = np.random.default_rng(1)
    nested = [[np.sort(rng.uniform(0, 1, 5)) for _ in range(2)] for _ in range(4)]
    block = to_block(nested, t_stop=1 * second)
    for k, segment in enumerate(block.segments):
        segment.name = f"trial {k}"
        segment.annotations["label"] = "ab"[k % 2]
        segment.analogsignals.append(volt(np.arange(10.0), "lfp", rate=10.0))
        segment.events.append(neo.Event([0.3 + 0.1 * k] * pq.s, labels=["lick"], name="lick"))
        segment.epochs.append(neo.Epoch([0.2] * pq.s, [0.1] * pq.s, labels=["x"], name="delay"))
        segment.irregularlysampledsignals.append(
            neo.IrregularlySampledSignal([0.1, 0.4] * pq.s, [1.0, 2.0], units="V", name="pupil")
        )
    times = np.array([0.3, 0.4, 0.5, 0.6])
    for events in (times * pq.s, times, list(times * second), "lick"):
        found = align(block, events)
        for k, (segment, trial) in enumerate(zip(found.segments, spikes_of(found), strict=True)):
            assert_allclose(trial, np.array(nested[k]) - times[k], rtol=0, atol=1e-15)
            assert float(segment.spiketrains[0].t_start) == pytest.approx(-times[k])
            assert float(segment.spiketrains[0].t_stop) == pytest.approx(1 - times[k])
            assert segment.annotations == {"label": "ab"[k % 2], "event_time": pytest.approx(times[k])}
            assert segment.name == f"trial {k}"
            assert_allclose(float(segment.analogsignals[0].t_start), -times[k])
            assert_allclose(segment.events[0].times.magnitude, [0.0], atol=1e-15)
            assert_allclose(segment.epochs[0].times.magnitude, [0.2 - times[k]])
            assert segment.epochs[0].labels.tolist() == ["x"]
            assert_allclose(
                segment.irregularlysampledsignals[0].times.magnitude, np.array([0.1, 0.4]) - times[k]
            )
            assert segment.irregularlysampledsignals[0].magnitude.ravel().tolist() == [1.0, 2.0]
    assert block.segments[1].events[0].times.magnitude.tolist() == [0.4]  # as they were
    back = align(align(block, times), -times)
    assert_allclose(as_trains(back).times, as_trains(block).times, rtol=0, atol=1e-15)
    same = align(block, 0.5 * second)
    assert {float(s.spiketrains[0].t_start) for s in same.segments} == {-0.5}


def test_align_refuses():
    block = to_block([[[0.1]], [[0.2]]], t_stop=1 * second)
    block.segments[0].events.append(neo.Event([0.3] * pq.s, name="lick"))
    for segment, go in zip(block.segments, (0.1, np.nan), strict=True):
        segment.annotations.update(go=go, side="left")
    for events, message in [
        ([0.1, 0.2, 0.3], "3 times for 2 trials"),
        (
            [0.1, np.nan],
            r"events\[1\] is nan \(1 of 2 are not finite\): .*select\(block, trials=np.isfinite\(events\)\)",
        ),
        ([0.1, np.nan] * second, r"events\[1\] is nan .*select\(block"),
        (None, "expected times"),
        ([0.1, 1.5], r"events\[1\] = 1.5 s \(1 of 2\) is outside its trial, which runs from 0 to 1 s"),
        ([100, 200], r"divide milliseconds by 1000"),
        ("lick", r"segment 1 has 0 of them: expected one in each trial"),
        ("pick", r"events \['lick'\] and the annotations \['go'\]; did you mean 'lick'"),
        (
            "go",
            r"events = 'go': trial\[1\] is nan \(1 of 2 are not finite\): .*np.isfinite\(conditions\(block, 'go'\)\)",
        ),
        ([0.1, 0.2] * pq.mV, "expected a time"),
    ]:
        with pytest.raises(NsnnError, match=message):
            align(block, events)
    with pytest.raises(NsnnError, match="cut"):
        align(block, 0.1, before=0.1 * second)


def test_trials_are_aligned_to_their_annotations():
    """On the session's clock where the trial has a start_time, as columns of an NWB file's table of trials are."""
    block = to_block([[[0.1]], [[0.2]]], t_stop=1 * second)
    for segment, go in zip(block.segments, (10.25, 12.5), strict=True):
        segment.annotations.update(go=go, start_time=go - 0.5)
    with pytest.raises(NsnnError, match="'go' is an annotation of the trials, which align takes"):
        cut(block, "go", before=0.1 * second, after=0.1 * second)
    aligned = align(block, "go")
    assert_allclose([float(s.spiketrains[0].t_start) for s in aligned.segments], [-0.5, -0.5])
    with pytest.raises(
        NsnnError, match=r"clock of segment 0 was shifted by its event .*these times were not"
    ):
        align(aligned, "go")
    named = select(block)
    named.segments[1].annotations["start_time"] = "noon"
    with pytest.raises(NsnnError, match="the annotation start_time of trial 1 is 'noon': expected the start"):
        align(named, "go")
    for segment in block.segments:
        segment.annotations["go"] -= segment.annotations.pop("start_time")
    assert_allclose([float(s.spiketrains[0].t_stop) for s in align(block, "go").segments], [0.5, 0.5])


def test_columns_of_times_are_not_used_after_their_clock_has_moved():
    block = to_block([[[0.2]]], t_stop=1 * second)
    go = {"go": np.array([0.6])}
    block.segments[0].epochs.append(
        neo.Epoch([0.4] * pq.s, [0.1] * pq.s, name="trials", array_annotations=go)
    )
    block.segments[0].events.append(neo.Event([0.5] * pq.s, name="cue"))
    aligned = align(block, "cue")
    # of the first clock, on which the epoch starts at 0.4
    assert align(aligned, "trials").segments[0].annotations["event_time"] == pytest.approx(0.4)
    for move in (lambda: cut(aligned, "trials.go", **TWO), lambda: align(aligned, "trials.go")):
        with pytest.raises(NsnnError, match=r"clock of segment 0 was shifted .*these times were not"):
            move()

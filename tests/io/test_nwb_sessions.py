"""Sessions of other labs in NWB files: tables of intervals as trials, uncut recordings with their events, and their extent."""

import re
import warnings
from datetime import UTC, datetime

import h5py
import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import ms, second
from helpers import bombs
from helpers.roundtrip import assert_same, bounds_of, quietly
from numpy.testing import assert_allclose

from nsnn_neuro import FormatError, NsnnError, conditions, cut, load, save, to_block
from nsnn_neuro.measures import psth, spike_counts

RNG = np.random.default_rng(7)
SPIKES = [np.sort(RNG.uniform(0.5, 99.5, 400)), np.sort(RNG.uniform(0.5, 99.5, 250))]
ONSETS = np.arange(5.0, 95.0, 10.0)


def typed(file, path, kind, /, **columns):
    group = file.require_group(path)
    group.attrs["neurodata_type"] = kind
    for name, values in columns.items():
        group[name] = values
    return group


def session(path, *, observed=True, trials=True):
    """A file as a lab might write it, by pynwb: three tables of intervals, licks, rewards, signals, raw data."""
    import pynwb
    from pynwb.behavior import BehavioralTimeSeries
    from pynwb.epoch import TimeIntervals

    file = pynwb.NWBFile(
        session_description="x", identifier="x", session_start_time=datetime(2024, 1, 1, tzinfo=UTC)
    )
    if trials:
        file.add_trial_column("angle", "degrees")
        file.add_trial_column("go", "time of the go cue, s")
        for k, onset in enumerate(ONSETS):
            file.add_trial(start_time=onset, stop_time=onset + 2.0, angle=90 * (k % 2), go=onset + 0.5)
    file.add_epoch(start_time=0.0, stop_time=50.0, tags=["early", "calm"])
    file.add_epoch(start_time=50.0, stop_time=100.0, tags=["late"])
    gratings = TimeIntervals(name="drifting_gratings_presentations", description="as of the Allen Institute")
    gratings.add_column("contrast", "0 to 1")
    gratings.add_column("pixels", "ragged", index=True)
    gratings.add_column("place", "x, y")
    for k, onset in enumerate(ONSETS[:5]):
        gratings.add_row(
            start_time=onset + 3,
            stop_time=onset + 3.25 + 0.1 * k,
            contrast=0.1 * k,
            pixels=[1.0] * (k + 1),
            place=[k, 2.0],
        )
    file.add_time_intervals(gratings)
    module = file.create_processing_module("behavior", "x")
    ripples = TimeIntervals(name="ripples", description="in a processing module")
    ripples.add_row(start_time=20.0, stop_time=20.1)
    module.add(ripples)
    module.add(BehavioralTimeSeries(pynwb.TimeSeries(name="speed", data=np.zeros(5), unit="m/s", rate=1.0)))
    file.add_acquisition(
        pynwb.TimeSeries(name="licks", data=np.ones(4), unit="n.a.", timestamps=ONSETS[:4] + 0.4)
    )
    file.add_acquisition(pynwb.TimeSeries(name="lfp", data=np.arange(1000.0), unit="V", rate=10.0))
    for k, times in enumerate(SPIKES):
        more = {"obs_intervals": [[0.0, 100.0]]} if observed else {}
        file.add_unit(spike_times=times, id=[33, 14][k], **more)
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(file)
    with h5py.File(path, "r+") as file:  # PyNWB 4 reads this type, and no longer writes it
        typed(
            file,
            "processing/behavior/BehavioralEvents/reward",
            "TimeSeries",
            timestamps=[30.0, 60.0],
            data=[0.1, 0.2],
        )
        file["processing/behavior/BehavioralEvents"].attrs["neurodata_type"] = "BehavioralEvents"
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return session(tmp_path_factory.mktemp("sessions") / "session.nwb")


def counted(times, starts, stops):
    """Spikes in each [start, stop), by a loop."""
    return [[sum(a <= t < b for t in train) for train in times] for a, b in zip(starts, stops, strict=True)]


# --- trials of a table ---


def test_any_table_of_intervals_gives_the_trials(path, tmp_path):
    block = quietly(path, trials="drifting_gratings_presentations")
    starts, stops = ONSETS[:5] + 3, ONSETS[:5] + 3.25 + 0.1 * np.arange(5)
    assert spike_counts_of(block) == counted(SPIKES, starts, stops)
    assert [bound[:2] for bound in bounds_of(block)] == [
        (0.0, pytest.approx(0.25 + 0.1 * k)) for k in range(5)
    ]
    assert block.segments[2].annotations == {
        "start_time": 28.0,
        "contrast": pytest.approx(0.2),
        "pixels": [1.0, 1.0, 1.0],
        "place": [2.0, 2.0],
    }
    assert conditions(block, "contrast") == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    epochs = quietly(path, trials="epochs")
    assert [s.annotations["tags"] for s in epochs.segments] == [["early", "calm"], ["late"]]
    assert spike_counts_of(epochs) == counted(SPIKES, [0, 50], [50, 101])
    assert len(quietly(path, trials="ripples").segments) == 1
    assert_same(quietly(path), quietly(path, trials="trials"))
    assert block.annotations["units"]["id"] == [33, 14]
    assert_same(block, load(save(block, tmp_path / "a.nwb")))


def spike_counts_of(block):
    return [[len(train) for train in segment.spiketrains] for segment in block.segments]


def test_an_unknown_table_lists_those_of_the_file(path):
    words = (
        r"session\.nwb: trials = 'gratings': no table of intervals of this name; the file has "
        r"'drifting_gratings_presentations', 'epochs', 'trials', 'ripples'"
    )
    with pytest.raises(FormatError, match=words):
        load(path, trials="gratings")
    with pytest.raises(FormatError, match="did you mean 'epochs'"):
        load(path, trials="epoch")
    with pytest.raises(NsnnError, match="trials = True: expected the name of a table"):
        load(path, trials=True)


@pytest.mark.filterwarnings("ignore:left out", "ignore:.*lie outside")
def test_trials_between_t_start_and_t_stop(path):
    with pytest.warns(UserWarning, match="5 of 9 trials left out: not between"):
        block = load(path, t_start=15 * second, t_stop=50 * second)
    assert [s.annotations["start_time"] for s in block.segments] == [15.0, 25.0, 35.0, 45.0]
    with pytest.raises(
        FormatError, match=r"none of its trials lies between them; they run from 5.0 to 87.0 s"
    ):
        load(path, t_start=88 * second)
    with pytest.raises(NsnnError, match="expected a time after t_start"):
        load(path, t_start=2 * second, t_stop=1 * second)


# --- the uncut recording ---


def test_an_uncut_recording_holds_events_epochs_and_signals(path):
    with pytest.warns(UserWarning, match="left out") as caught:
        block = load(path, trials=False)
    assert [str(w.message) for w in caught] == [
        "left out: drifting_gratings_presentations.pixels (lists of numbers), drifting_gratings_presentations.place (lists of "
        "numbers), behavior/BehavioralTimeSeries (processed: see signals=)"
    ]
    (segment,) = block.segments
    assert bounds_of(block) == [(0.0, 100.0, 2)]
    for train, times in zip(segment.spiketrains, SPIKES, strict=True):
        assert train.magnitude.tolist() == times.tolist()
    epochs = {epoch.name: epoch for epoch in segment.epochs}
    assert set(epochs) == {"trials", "epochs", "drifting_gratings_presentations", "ripples"}
    assert epochs["epochs"].array_annotations["tags"].tolist() == ["early, calm", "late"]
    assert epochs["trials"].array_annotations["angle"].tolist() == [0, 90] * 4 + [0]
    assert_allclose(epochs["drifting_gratings_presentations"].durations.magnitude, 0.25 + 0.1 * np.arange(5))
    (reward,) = segment.events
    assert reward.name == "reward"
    assert reward.times.magnitude.tolist() == [30.0, 60.0]
    assert reward.array_annotations["value"].tolist() == [0.1, 0.2]
    assert [one.name for one in segment.irregularlysampledsignals] == ["licks"]
    assert [one.name for one in segment.analogsignals] == ["lfp"]
    assert segment.analogsignals[0].shape == (1000, 1)


@pytest.mark.parametrize(
    ("events", "at"),
    [("trials.go", ONSETS + 0.5), ("licks", ONSETS[:4] + 0.4), ("reward", np.array([30.0, 60.0]))],
)
def test_trials_with_a_baseline_are_cut_around_each_kind_of_event(path, events, at):
    block = quietly(path, trials=False)
    found = cut(block, events, before=1 * second, after=0.5 * second)
    assert spike_counts_of(found) == counted(SPIKES, at - 1, at + 0.5)
    assert found.annotations["units"]["id"] == [33, 14]
    baseline = spike_counts(found, t_stop=0 * ms)
    assert baseline.tolist() == counted(SPIKES, at - 1, at)
    (lfp,) = found.segments[0].analogsignals
    samples = np.arange(1000) / 10
    expected = np.arange(1000.0)[(samples >= at[0] - 1 - 1e-9) & (samples < at[0] + 0.5 - 1e-9)]
    assert lfp.magnitude[:, 0].tolist() == expected.tolist()


# --- how long it lasted ---


def written(path, spikes=((3.0, 4.0), (1.5,)), obs=None, fill=None):
    """A small file, by h5py: types of extensions need no such extension here."""
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        flat = [t for train in spikes for t in train]
        bombs.units(file, flat, n=len(spikes), ends=np.cumsum([len(train) for train in spikes]))
        del file["units/obs_intervals"], file["units/obs_intervals_index"]
        if obs is not None:
            file["units/obs_intervals"] = np.tile(obs, (len(spikes), 1))
            file["units/obs_intervals_index"] = np.arange(1, len(spikes) + 1)
        if fill is not None:
            fill(file)
    return path


def lick_times(file):
    typed(file, "acquisition/licks", "Events", timestamps=[0.5, 7.0])


def table_of_intervals(file):
    typed(file, "intervals/rest", "TimeIntervals", start_time=[2.0], stop_time=[8.0], id=[0])


def raw(file):
    bombs.series(file, "raw", np.zeros((9000, 1)))


def test_the_extent_is_that_of_all_that_the_file_holds(tmp_path):
    for obs, fill, expected in [
        ((0.0, 10.0), lick_times, (0.0, 10.0)),  # observation intervals count before all others
        (None, lick_times, (0.5, 7.0)),
        (None, table_of_intervals, (1.5, 8.0)),
        (None, raw, (0.0, 9.0)),
    ]:
        path = written(tmp_path / "a.nwb", obs=obs, fill=fill)
        for trials in (False, None):
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # nothing is guessed
                block = load(path, trials=trials)
            assert [bound[:2] for bound in bounds_of(block)] == [expected]
            assert spike_counts_of(block) == [[2, 1]]


def test_where_only_spikes_are_known_the_extent_is_given_or_guessed_with_a_warning(tmp_path):
    path = written(tmp_path / "a.nwb")
    with pytest.warns(UserWarning, match=r"from the first to the last spike; pass t_start, t_stop"):
        assert bounds_of(load(path)) == [(1.5, 4.0, 2)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bounds_of(load(path, t_start=0 * ms, t_stop=5 * second)) == [(0.0, 5.0, 2)]
    with pytest.warns(UserWarning, match="2 of 3 spikes lie outside the recording, 3.5 to 4 s"):
        assert spike_counts_of(load(path, t_start=3.5 * second, t_stop=4 * second)) == [[1, 0]]
    silent = written(tmp_path / "b.nwb", spikes=[[], []])
    with pytest.raises(FormatError, match="its duration is unknown; pass t_start and t_stop"):
        load(silent)
    assert bounds_of(load(silent, t_start=0 * ms, t_stop=5 * second)) == [(0.0, 5.0, 2)]


# --- kinds of events ---


COLUMNS = {
    "size": [10, 20],
    "labels": [0.0, 2.0],
    "times": [1.0, 2.0],
    "source": [2.0, 2.0],
    "path": [3.0, 2.0],
}


def every_kind(file):
    typed(file, "acquisition/taps", "Events", timestamps=[2.0, 1.0])  # not in order
    typed(
        file,
        "acquisition/ttl",
        "TTLs",
        timestamps=[3.0, 2.0, 1.0],
        data=np.uint8([1, 0, 0]),
        labels=[b"off", b"on"],
    )
    old = typed(file, "acquisition/cues", "LabeledEvents", timestamps=[1.0, 2.0], data=np.uint8([0, 1]))
    old["data"].attrs["labels"] = ["left", "right"]
    typed(
        file, "acquisition/keys", "LabeledEvents", timestamps=[1.0, 2.0], data=np.uint8([0, 9]), labels=[b"a"]
    )
    typed(file, "acquisition/notes", "AnnotationSeries", timestamps=[1.0, 2.5], data=[b"start", b"end"])
    file["acquisition/notes/data"].attrs["unit"] = "n/a"
    typed(
        file,
        "events/stimuli",
        "EventsTable",
        timestamp=[1.0, 2.0],
        id=[0, 1],
        annotation=[b"a", b"b"],
        **COLUMNS,
    )
    typed(file, "events/blocks", "EventsTable", timestamp=[1.0, np.nan], id=[0, 1], duration=[0.5, np.nan])
    typed(
        file, "processing/events/kinds", "AnnotatedEventsTable", id=[0, 1], label=[b"poke", b"beep"],
        event_times=[1.0, 2.0, 3.0], event_times_index=[1, 3],
    )  # fmt: skip
    typed(
        file,
        "processing/behavior/BehavioralEpochs/run",
        "IntervalSeries",
        timestamps=[1.0, 2.0, 3.0, 4.0],
        data=[1, -1, 1, -1],
    )
    typed(
        file, "processing/behavior/BehavioralEpochs/odd", "IntervalSeries", timestamps=[1.0, 2.0], data=[1, 1]
    )
    file["processing/behavior/BehavioralEpochs"].attrs["neurodata_type"] = "BehavioralEpochs"
    typed(file, "processing/behavior/taps", "Events", timestamps=[3.0])  # a name that is there already


def test_every_kind_of_event(tmp_path):
    path = written(tmp_path / "a.nwb", obs=(0.0, 5.0), fill=every_kind)
    with pytest.warns(UserWarning, match="left out") as caught:
        (segment,) = load(path, trials=False).segments
    assert [str(w.message) for w in caught] == [
        "left out: blocks (1 events without a time), odd (starts and stops don't alternate)"
    ]
    found = {event.name: (event.times.magnitude.tolist(), event.labels.tolist()) for event in segment.events}
    assert found == {
        "acquisition/taps": ([1.0, 2.0], []),
        "behavior/taps": ([3.0], []),
        "ttl": ([1.0, 2.0, 3.0], ["off", "off", "on"]),
        "cues": ([1.0, 2.0], ["left", "right"]),
        "keys": ([1.0, 2.0], ["0", "9"]),
        "notes": ([1.0, 2.5], ["start", "end"]),
        "stimuli": ([1.0, 2.0], ["a", "b"]),
        "poke": ([1.0], []),
        "beep": ([2.0, 3.0], []),
    }
    (stimuli,) = (event for event in segment.events if event.name == "stimuli")
    assert {name: stimuli.array_annotations[name].tolist() for name in COLUMNS} == COLUMNS  # of any name
    assert {one.name: one.durations.magnitude.tolist() for one in segment.epochs} == {
        "blocks": [0.5],
        "run": [1.0, 1.0],
    }
    ttl = cut(load_quietly(path), "ttl", before=0.2 * second, after=0.5 * second)
    assert conditions(ttl).tolist() == ["off", "off", "on"]
    load_quietly(path, check="full")


def load_quietly(path, **options):
    return quietly(path, trials=False, **options)


# --- other files ---


def test_files_with_trials_of_their_own_are_cropped_and_not_cut(tmp_path):
    block = to_block([[[0.1, 0.6]], [[0.4, 0.9]]], t_stop=1 * second)
    block.segments[0].annotations["label"] = "x"
    block.segments[1].analogsignals.append(
        neo.AnalogSignal(np.arange(10.0), units="mV", sampling_rate=10 * pq.Hz)
    )
    path = save(block, tmp_path / "a.nwb")
    found = load(path, t_start=0.3 * second, t_stop=0.7 * second)
    assert bounds_of(found) == [(0.3, 0.7, 1)] * 2
    assert [s.spiketrains[0].magnitude.tolist() for s in found.segments] == [[0.6], [0.4]]
    assert found.segments[1].analogsignals[0].magnitude[:, 0].tolist() == [3.0, 4.0, 5.0, 6.0]
    assert found.segments[0].annotations == {"label": "x"}
    for trials in (False, "trials"):
        with pytest.raises(FormatError, match="the 2 segments of this file are its trials"):
            load(path, trials=trials)
    one = save(to_block([[[0.1]]], t_stop=1 * second), tmp_path / "b.nwb")
    assert bounds_of(load(one, trials=False)) == [(0.0, 1.0, 1)]


# --- damage and harm ---


def table(path, kind, /, **columns):
    return lambda file: typed(file, path, kind, **columns)


LONG_NAME = {"timestamps": np.arange(5001.0), "data": [b"x" * 2**20, *[b"y"] * 5000]}
DAMAGED = [
    (table("events/x", "EventsTable", timestamp=[[1.0]], id=[0]), "times of shape"),
    (table("intervals/x", "TimeIntervals", start_time=[1.0], stop_time=[1.0, 2.0]), "expected as many"),
    (
        table("events/x", "AnnotatedEventsTable", id=[0], event_times=[1.0], event_times_index=[5]),
        "goes back, or doesn't fit",
    ),
    (
        table("intervals/x", "TimeIntervals", start_time=[1.0], stop_time=[2.0], tags=[b"a"], tags_index=[7]),
        "goes back, or doesn't fit",
    ),
    # a NumPy array of texts takes the length of the longest for each
    (table("acquisition/notes", "AnnotationSeries", **LONG_NAME), "labels of acquisition/notes: about"),
]


def test_tables_that_are_damaged_or_too_large_are_refused(tmp_path):
    for fill, words in DAMAGED:
        with pytest.raises(FormatError, match=words):
            load(written(tmp_path / "a.nwb", obs=(0.0, 5.0), fill=fill), trials=False)


# --- windows of an uncut recording ---


def test_an_uncut_recording_ends_with_what_the_file_says_last(tmp_path):
    """As neuroconv writes it: no obs_intervals, the field potential processed, which is not read."""

    def epochs(file):
        typed(file, "intervals/epochs", "TimeIntervals", id=[0], start_time=[0.0], stop_time=[0.5])

    def field(file):
        epochs(file)
        path = "processing/ecephys/LFP/ElectricalSeries"
        typed(file, path, "ElectricalSeries", data=np.zeros((120, 2)), starting_time=0.0)
        file[f"{path}/starting_time"].attrs["rate"] = 10.0

    block = quietly(written(tmp_path / "a.nwb", fill=field))
    assert bounds_of(block) == [(0.0, 12.0, 2)]
    assert block.annotations["ends_with"] == "processing/ecephys/LFP/ElectricalSeries"
    with pytest.warns(UserWarning, match="end with the last spike"):
        block = load(written(tmp_path / "b.nwb", fill=epochs))
    assert block.annotations["ends_with"] == "the last spike"
    assert load(tmp_path / "b.nwb", t_stop=9 * second).annotations["ends_with"] == "t_stop"
    block = quietly(written(tmp_path / "c.nwb", obs=(0.0, 20.0), fill=field))
    assert (bounds_of(block), block.annotations["ends_with"]) == ([(0.0, 20.0, 2)], "units/obs_intervals")


def test_time_that_was_not_observed_is_warned_of(tmp_path):
    path = written(tmp_path / "a.nwb", obs=(1.0, 5.0))
    with pytest.warns(UserWarning, match=r"4 of 8 s from 0 to 8 s lie outside the 1 obs_intervals .*pass t_"):
        load(path, t_start=0 * second, t_stop=8 * second)

    def two_intervals(file):
        file["units/obs_intervals"] = np.tile([[1.0, 2.0], [2.5, 5.0]], (2, 1))
        file["units/obs_intervals_index"] = [2, 4]

    path = written(tmp_path / "b.nwb", fill=two_intervals)
    with pytest.warns(UserWarning, match=r"0\.5 of 4 s .*count as silence.*: cut trials that lie in"):
        load(path, trials=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.filterwarnings("ignore", ".*lie outside the recording")
        load(path, trials=False, t_start=2.5 * second, t_stop=5 * second)


# --- names of columns ---


def test_a_column_whose_name_ends_in_index_is_read(tmp_path):
    def fill(file):
        file["units/cluster_index"] = [7, 8]
        typed(
            file, "intervals/trials", "TimeIntervals", start_time=[0.0, 2.0], stop_time=[2.0, 5.0], id=[0, 1],
            block_index=[3, 4], tags=[b"a", b"b", b"c"], tags_index=[1, 3],
        )  # fmt: skip

    block = quietly(written(tmp_path / "a.nwb", fill=fill))
    assert [s.annotations["block_index"] for s in block.segments] == [3, 4]
    assert [s.annotations["tags"] for s in block.segments] == [["a"], ["b", "c"]]
    assert "tags_index" not in block.segments[0].annotations
    assert block.annotations["units"]["cluster_index"] == [7, 8]


def test_a_spike_within_rounding_of_a_window_is_in_it(tmp_path):
    path = save(to_block([[[0.3, 0.5]]], t_stop=1 * second), tmp_path / "a.nwb")
    start = 0.1 + 0.2
    assert start > 0.3
    (train,) = load(path, t_start=start * second).segments[0].spiketrains
    assert train.magnitude.tolist() == [start, 0.5]
    (train,) = load(path, t_stop=start * second).segments[0].spiketrains
    assert train.magnitude.tolist() == []


def test_labels_that_may_be_too_large_are_told(tmp_path):
    def fill(file):
        group = typed(file, "acquisition/cues", "LabeledEvents", timestamps=[1.0, 2.0], data=np.uint8([0, 1]))
        group["data"].attrs["labels"] = ["left", "right"]

    path = written(tmp_path / "a.nwb", obs=(0.0, 5.0), fill=fill)
    few = 2.0 * path.stat().st_size  # the texts may be as long as the file, each
    with pytest.warns(UserWarning, match="attribute labels of acquisition/cues/data: not read.*max_bytes"):
        load(path, trials=False, max_bytes=few)
    assert quietly(path, trials=False).segments[0].events[0].labels.tolist() == ["left", "right"]


def units_only(path, times, resolution=None):
    """A file with one unit, its spike times as they are given, and the step that it states."""
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        units = {"id": [0], "spike_times": times, "spike_times_index": [len(times)]}
        units |= {"obs_intervals": [[0.0, 2e4]], "obs_intervals_index": [1]}
        typed(file, "units", "Units", **units)
        if resolution is not None:
            file["units/spike_times"].attrs["resolution"] = resolution
    return path


def test_units_without_a_spike_are_silent_and_without_the_column_refused(tmp_path):
    path = units_only(tmp_path / "a.nwb", np.empty(0))
    for options, end in (
        ({}, 2e4),
        ({"units": [0]}, 2e4),
        ({"t_start": 0 * second, "t_stop": 1 * second}, 1),
    ):
        (train,) = load(path, **options).segments[0].spiketrains
        assert (train.magnitude.tolist(), float(train.t_stop)) == ([], end)
    with h5py.File(path, "r+") as file:
        del file["units/obs_intervals"], file["units/obs_intervals_index"]
    with pytest.raises(FormatError, match="pass t_start and t_stop"):
        load(path)
    with h5py.File(path, "r+") as file:
        del file["units/spike_times"], file["units/spike_times_index"]
    with pytest.raises(FormatError, match="no spike_times"):
        load(path, units="firing_rate > 1")


def test_times_of_single_precision_say_what_is_lost(tmp_path):
    """float32 has 24 bits: from 8192 to 16384 s neighbouring numbers are 2^-10 s apart."""
    times = np.array([0.1, 9999.9004, 1e4])
    with pytest.warns(
        UserWarning, match=r"single precision: at 10000 s neighbouring times are 0.001 s apart"
    ) as seen:
        block = load(units_only(tmp_path / "a.nwb", times.astype("f4")))
    assert len(seen) == 1
    (train,) = block.segments[0].spiketrains
    assert train.magnitude.dtype == float
    assert np.array_equal(train.magnitude, times.astype("f4"))
    assert block.annotations["resolution"] > 2**-10
    with pytest.raises(NsnnError, match=r"stored 0\.0012 s apart, too coarsely for such bins"):
        psth(block, bin_width=1 * ms)


def test_trials_of_single_precision_say_what_is_lost(tmp_path):
    """At 5000 s neighbouring numbers are 2^-11 s apart; whole seconds are exact."""
    start = np.array([0.0, 5000.3])
    times = {
        "start_time": start.astype("f4"),
        "stop_time": start + 0.5,
        "go_time": (start + 0.1).astype("f4"),
    }
    said = r"intervals/trials: start_time, go_time are stored in single precision: at 5000\.4 s .* 0\.0005 s apart"
    for whole in (False, True):
        path = units_only(tmp_path / "a.nwb", start + 0.2)
        with h5py.File(path, "a") as file:
            columns = {name: np.rint(one) if whole else one for name, one in times.items()}
            typed(file, "intervals/trials", "TimeIntervals", id=[0, 1], **columns)
        for trials in (None, False):
            with warnings.catch_warnings(record=True, action="always") as seen:
                load(path, trials=trials)
            told = [str(one.message) for one in seen if "precision" in str(one.message)]
            assert len(told) == (not whole), told
            assert whole or re.match(said, told[0])


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_a_stated_step_is_read_restores_single_precision_and_is_saved(tmp_path, kind):
    dt = 1 / 30000
    exact = np.array([1, 3, 3001, 6_000_001, 6_000_002]) * dt  # up to 200 s, where float32 is 1.5e-5 s apart
    block = load(units_only(tmp_path / "a.nwb", exact.astype(kind), dt))
    assert np.array_equal(block.segments[0].spiketrains[0].magnitude, exact)
    assert "resolution" not in block.annotations
    assert block.annotations["nwb"]["spike_times_resolution"] == dt
    with h5py.File(save(block, tmp_path / "b.nwb")) as file:
        assert file["units/spike_times"].attrs["resolution"] == dt
    assert load(tmp_path / "b.nwb").annotations["nwb"]["spike_times_resolution"] == dt
    for nonsense in (-1.0, np.nan, "30 kHz"):  # -1 is what some programs write for "unknown"
        again = load(units_only(tmp_path / "a.nwb", exact, nonsense))
        assert "spike_times_resolution" not in again.annotations["nwb"]
    between = exact + 0.4 * dt  # times between samples stay what they are
    with pytest.warns(UserWarning, match="single precision"):
        block = load(units_only(tmp_path / "a.nwb", between.astype("f4"), dt))
    assert np.array_equal(block.segments[0].spiketrains[0].magnitude, between.astype("f4"))

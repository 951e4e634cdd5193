"""Spike trains of other packages become Blocks: the right trials, neurons, times, windows and names; what is ambiguous is refused.

Objects of optional packages are skipped where these are absent.
"""

import warnings
from types import SimpleNamespace

import h5py
import neo
import numpy as np
import pandas as pd
import pytest
import quantities as pq
from brian2 import Network, NeuronGroup, SpikeMonitor, defaultclock, ms, mV, second, start_scope
from elephant.trials import TrialsFromBlock, TrialsFromLists
from helpers.roundtrip import bounds_of, trains_of, volt

from nsnn_neuro import NsnnError, conditions, measures, save, select, split, to_block
from nsnn_neuro.brian import running


def lists(block):
    """[trial][neuron] -> list of times in s, read train by train."""
    return [[np.frombuffer(t).tolist() for t in trial] for trial in trains_of(block)]


def train(times, **more):
    return neo.SpikeTrain(times, units="s", **{"t_stop": 1.0, **more})


def refused(source, words, **more):
    with pytest.raises(NsnnError) as error:
        to_block(source, **more)
    assert words in str(error.value)


# --- lists, dicts, Neo ---


def test_trials_of_different_length_and_a_window_within_trains():
    block = to_block([[[0.1]], [[1.5]]], t_start=[0, 1] * second, t_stop=[1, 2] * second)
    assert bounds_of(block) == [(0.0, 1.0, 1), (1.0, 2.0, 1)]
    assert bounds_of(to_block([train([0.5]), train([0.5], t_stop=2.0)], t_stop=1 * second)) == [(0.0, 1.0, 2)]


def test_a_dict_of_times_by_unit():
    block = to_block({"b": [0.2], "a": [0.3, 0.1] * second}, t_stop=1 * second)
    assert lists(block) == [[[0.2], [0.1, 0.3]]]
    assert block.annotations["units"] == {"id": ["b", "a"]}
    block = to_block([{0: [0.2]}, {0: []}], t_stop=1 * second)
    assert lists(block) == [[[0.2]], [[]]]
    assert "units" not in block.annotations


def test_spike_trains_bring_their_window_and_names():
    trial = [
        neo.SpikeTrain([30.0, 20.0], units="ms", t_start=-500.0, t_stop=1000.0, name="one", area="V1"),
        train([], t_start=-0.5, name="two", area="V2"),
    ]
    block = to_block(trial)
    np.testing.assert_allclose(lists(block)[0][0], [0.02, 0.03], rtol=1e-15)
    assert bounds_of(block) == [(-0.5, 1.0, 2)]
    assert block.annotations["units"] == {"id": [0, 1], "name": ["one", "two"], "area": ["V1", "V2"]}
    assert bounds_of(to_block([trial, trial])) == [(-0.5, 1.0, 2)] * 2
    assert bounds_of(to_block(trial, t_start=0 * second, t_stop=2 * second)) == [(0.0, 2.0, 2)]
    assert lists(to_block(train([0.25]))) == [[[0.25]]]


def test_segments_and_elephants_trials():
    given = neo.Block()
    for k in range(2):
        segment = neo.Segment()
        given.segments.append(segment)
        segment.spiketrains.extend([train([0.1 * (k + 1)]), train([])])
        segment.analogsignals.append(volt(np.arange(10.0) + k, "lfp", rate=10.0))
    expected = [[[0.1], []], [[0.2], []]]
    for source in (
        given.segments,
        TrialsFromBlock(given),
        TrialsFromLists([[*s.spiketrains, *s.analogsignals] for s in given.segments]),
    ):
        block = to_block(source)
        assert lists(block) == expected
        assert bounds_of(block) == [(0.0, 1.0, 2)] * 2
        signals = [segment.analogsignals[0] for segment in block.segments]
        assert [(s.name, float(s.magnitude[0, 0])) for s in signals] == [("lfp", 0.0), ("lfp", 1.0)]
    assert given.segments[0].spiketrains[0].segment is given.segments[0]  # the source is unchanged


# --- Brian2 ---


@pytest.fixture(scope="module")
def monitors():
    """25 ms of five neurons whose v grows by .01 a step of .1 ms and is reset after 101 steps from 0."""
    start_scope()
    cells = NeuronGroup(
        5, "dv/dt = 1/(10*ms) : 1", threshold="v > 1.0001", reset="v = 0", method="euler", namespace={}
    )
    cells.v = [0.8, 0.6, 0.4, 0.2, 0.0]
    silent = NeuronGroup(2, "v : 1", threshold="v > 1", namespace={})
    named = {
        "all": SpikeMonitor(cells),
        "some": SpikeMonitor(cells[1:3]),
        "silent": SpikeMonitor(silent),
        "counted": SpikeMonitor(cells, record=False),
    }
    network = Network(cells, silent, *named.values())
    unused = SpikeMonitor(silent)
    with running("numpy"):
        network.run(25 * ms, namespace={})
    return {**named, "unused": unused}


def test_a_monitor_has_its_neurons_and_the_time_that_the_run_reached(monitors):
    block = to_block(monitors["all"])
    assert bounds_of(block) == [(0.0, 0.025, 5)]
    assert [len(t) for t in lists(block)[0]] == [3, 3, 2, 2, 2]
    expected = [monitors["all"].spike_trains()[i] / second for i in range(5)]
    assert all(np.array_equal(a, b) for a, b in zip(lists(block)[0], expected, strict=True))
    assert block.annotations["dt"] == float(defaultclock.dt_)
    assert bounds_of(to_block(monitors["all"], t_stop=1 * second)) == [(0.0, 1.0, 5)]
    part = to_block(monitors["some"])
    assert lists(part)[0] == lists(block)[0][1:3]
    refused(monitors["all"], "lies outside t_start = 0 s to t_stop = 0.01 s", t_stop=10 * ms)
    refused(monitors["all"], "unit 0", t_start=20 * ms)
    group = monitors["all"].source
    refused(group, "source = NeuronGroup object: expected its spikes, to_block(monitor)")


def test_populations_from_monitors(monitors):
    block = to_block({"E": monitors["all"], "I": monitors["silent"]})
    assert block.annotations["populations"] == [{"name": "E", "size": 5}, {"name": "I", "size": 2}]
    assert lists(block)[0][:5] == lists(to_block(monitors["all"]))[0]
    assert lists(block)[0][5:] == [[], []]


def test_monitors_that_say_too_little(monitors):
    refused(monitors["counted"], "has counted spikes but recorded none")
    refused([monitors["all"], monitors["some"]], "trials, or neurons of one?")
    start_scope()
    fresh = SpikeMonitor(NeuronGroup(2, "v : 1", threshold="v > 1", clock=None, dt=0.2 * ms, namespace={}))
    refused(fresh, "has not run yet")
    assert lists(to_block(fresh, t_stop=1 * second)) == [[[], []]]


# --- tables ---


def test_a_table_with_a_row_per_spike():
    table = pd.DataFrame(
        {"unit": ["b", "a", "b", "a"], "time": [0.1, 0.2, 0.3, 0.9], "trial": [1, 0, 0, 1], "amplitude": 1.0}
    )
    block = to_block(table, t_stop=1 * second)
    assert lists(block) == [[[0.2], [0.3]], [[0.9], [0.1]]]
    assert block.annotations["units"] == {"id": ["a", "b"], "amplitude": [1.0, 1.0]}
    assert [segment.annotations for segment in block.segments] == [{"amplitude": 1.0}] * 2
    named = to_block(table.assign(trial=["go", "stop", "stop", "go"]), t_stop=1 * second)
    assert [segment.annotations["trial"] for segment in named.segments] == ["go", "stop"]
    one = to_block(table.drop(columns="trial"), t_stop=1 * second)
    assert lists(one) == [[[0.2, 0.9], [0.1, 0.3]]]
    moments = to_block(table.assign(time=pd.to_timedelta(table.time * 1000, unit="ms")), t_stop=1 * second)
    np.testing.assert_allclose(np.concatenate(lists(moments)[0]), [0.2, 0.3], rtol=1e-12)


def test_silent_units_and_trials_of_a_table():
    table = pd.DataFrame({"unit": [3, 7], "time": [0.1, 0.2], "trial": [0, 2]})
    full = table.assign(
        trial=pd.Categorical(table.trial, categories=range(4)),
        unit=pd.Categorical(table.unit, categories=[9, 7, 3]),
    )
    block = to_block(full, t_stop=1 * second)
    assert block.annotations["units"] == {"id": [9, 7, 3]}
    assert lists(block) == [[[], [], [0.1]], [[], [], []], [[], [0.2], []], [[], [], []]]


def test_a_table_that_was_appended_to_itself_is_warned_of():
    table = pd.DataFrame({"unit": ["a", "a", "b"], "time": [0.1, 0.2, 0.1]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_block(table, t_stop=1 * second)
    with pytest.warns(UserWarning, match=r"3 of 6 rows repeat .* source\.drop_duplicates\(\)"):
        to_block(pd.concat([table, table]), t_stop=1 * second)


def test_what_nest_records():
    events = {"senders": np.array([7, 5, 7]), "times": np.array([10.0, 20.5, 999.9])}
    for source in (events, pd.DataFrame(events)):
        block = to_block(source, t_stop=1 * second)
        assert block.annotations["units"] == {"id": [5, 7]}
        np.testing.assert_allclose(lists(block)[0][1], [0.01, 0.9999], rtol=1e-15)
        np.testing.assert_allclose(lists(block)[0][0], [0.0205], rtol=1e-15)
    block = to_block([{**events, "ids": [7, 6, 5]}] * 2, t_stop=1 * second)
    assert block.annotations["units"] == {"id": [7, 6, 5]}
    assert [[len(t) for t in trial] for trial in lists(block)] == [[2, 0, 1]] * 2
    block = to_block({"pyr": events, "pv": {"senders": [9], "times": [250.0]}}, t_stop=1 * second)
    assert block.annotations["populations"] == [{"name": "pyr", "size": 2}, {"name": "pv", "size": 1}]
    assert lists(block)[0][-1] == [0.25]
    status = {"model": "spike_recorder", "n_events": 3, "events": events}
    assert lists(to_block(status, t_stop=1 * second)) == lists(to_block(events, t_stop=1 * second))
    with pytest.warns(
        UserWarning, match="all 3 spikes lie in the first 1 ms of 1.1 s, as NEST records times in ms"
    ):
        to_block({**events, "times": events["times"] / 1000}, t_stop=1.1 * second)


# --- pynapple ---


def test_pynapple_with_one_epoch():
    nap = pytest.importorskip("pynapple")
    group = nap.TsGroup(
        {7: nap.Ts([0.5, 0.1]), 3: nap.Ts([])},
        time_support=nap.IntervalSet(-1, 2),
        metadata={"area": ["V1", "V2"]},
    )
    block = to_block(group)
    ids = list(group.keys())
    expected = {7: [0.1, 0.5], 3: []}
    assert lists(block) == [[expected[k] for k in ids]]
    assert bounds_of(block) == [(-1.0, 2.0, 2)]
    assert block.annotations["units"] == {"id": ids, "area": list(group.get_info("area"))}
    single = to_block(nap.Ts([0.5, 0.1], time_support=nap.IntervalSet(0, 2)))
    assert (lists(single), bounds_of(single)) == ([[[0.1, 0.5]]], [(0.0, 2.0, 1)])
    refused([nap.Ts([0.5])], "trials, or neurons of one?")
    refused(nap.IntervalSet(0, 1), "IntervalSet object: expected spikes, a Ts or TsGroup", t_stop=1 * second)
    refused(
        {0: nap.Ts([0.1]), 1: nap.Ts([0.3])}, "pynapple.TsGroup(source, time_support=...)", t_stop=1 * second
    )


def test_pynapple_with_several_epochs():
    nap = pytest.importorskip("pynapple")
    support = nap.IntervalSet([0.0, 10.0], [2.0, 11.0])
    group = nap.TsGroup({0: nap.Ts([0.5, 10.25, 11.0]), 1: nap.Ts([2.0])}, time_support=support)
    block = to_block(group)
    assert lists(block) == [[[0.5], [2.0]], [[0.25, 1.0], []]]
    assert bounds_of(block) == [(0.0, 2.0, 2), (0.0, 1.0, 2)]
    assert [segment.annotations["start_time"] for segment in block.segments] == [0.0, 10.0]
    assert block.annotations["resolution"] == pytest.approx(4 * np.finfo(float).eps * 11)  # of its clock
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pynapple takes a microsecond off the first of two adjacent epochs
        adjacent = nap.TsGroup(
            {0: nap.Ts([1.0, 2.0, 3.0])}, time_support=nap.IntervalSet([0.0, 2.0], [2.0, 3.0])
        )
    assert lists(to_block(adjacent)) == [[[1.0]], [[0.0, 1.0]]]
    refused(group, "t_stop is given, and the time support of source has 2 epochs", t_stop=3 * second)


def test_a_time_support_that_pynapple_assumed_is_told():
    nap = pytest.importorskip("pynapple")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        group = nap.TsGroup({0: nap.Ts([0.5, 1.5]), 1: nap.Ts([0.7, 1.2])})
    with pytest.warns(UserWarning, match="the time support begins and ends with a spike"):
        to_block(group)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bounds_of(to_block(group, t_start=0 * second, t_stop=2 * second)) == [(0.0, 2.0, 2)]


# --- SpikeInterface ---


class Sorting:
    """The part of a SpikeInterface sorting that `to_block` uses, without the recording."""

    def __init__(self, segments, rate=30_000.0):
        self.segments, self.rate = segments, rate

    def get_unit_ids(self):
        return np.array(list(self.segments[0]))

    def get_num_segments(self):
        return len(self.segments)

    def get_sampling_frequency(self):
        return self.rate

    def get_unit_spike_train(self, unit_id, segment_index=None):
        return np.array(self.segments[segment_index][unit_id], dtype=np.int64)


SEGMENTS = [{"a": [9210, 3000], "b": []}, {"a": [1], "b": [29_999]}]


def check_sorting(sorting, **more):
    block = to_block(sorting, **more)
    rate = 30_000
    for found, segment in zip(lists(block), SEGMENTS, strict=True):
        for times, frames in zip(found, segment.values(), strict=True):
            np.testing.assert_allclose(times, np.sort(frames) / rate, rtol=1e-14)
    assert block.annotations["units"]["id"] == ["a", "b"]
    assert block.annotations["dt"] == 1 / rate
    return block


def test_a_sorting_of_spikeinterface(tmp_path):
    core = pytest.importorskip("spikeinterface.core")
    segments = [{k: np.sort(np.array(v, dtype=np.int64)) for k, v in segment.items()} for segment in SEGMENTS]
    sorting = core.NumpySorting.from_unit_dict(segments, sampling_frequency=30_000.0)
    sorting.set_property("quality", np.array(["good", "mua"]))
    refused(sorting, "a sorting without its recording")
    check_sorting(sorting, t_stop=1 * second)
    sorting.register_recording(
        core.generate_recording(num_channels=2, durations=[1.0, 2.5], sampling_frequency=30_000.0)
    )
    block = check_sorting(sorting)
    np.testing.assert_allclose(np.array(bounds_of(block)), [(0.0, 1.0, 2), (0.0, 2.5, 2)], rtol=1e-12)
    assert block.annotations["units"]["quality"] == ["good", "mua"]
    with h5py.File(save(block, tmp_path / "a.nwb")) as file:
        assert sorted(file["units/tick"][:].tolist()) == [1, 3000, 9210, 29_999]


def test_an_analyzer_of_spikeinterface():
    core = pytest.importorskip("spikeinterface.core")
    pytest.importorskip("spikeinterface.metrics")
    recording, sorting = core.generate_ground_truth_recording(durations=[2.0], num_units=3, seed=0)
    analyzer = core.create_sorting_analyzer(sorting, recording, sparse=False)
    expected = [sorting.get_unit_spike_train(one) / recording.sampling_frequency for one in sorting.unit_ids]
    analyzer.compute(["random_spikes", "templates", "noise_levels"])
    metrics = {"metric_names": ["num_spikes", "firing_rate"]}
    for block in (
        to_block(analyzer),
        to_block([analyzer.compute("quality_metrics", **metrics) and analyzer]),
    ):
        for times, wanted in zip(lists(block)[0], expected, strict=True):
            np.testing.assert_allclose(times, wanted, rtol=1e-12)
        assert bounds_of(block) == [(0.0, 2.0, 3)]
    units = block.annotations["units"]
    assert units["num_spikes"] == [len(one) for one in expected]
    np.testing.assert_allclose(units["firing_rate"], measures.firing_rate(block), rtol=1e-12)


def test_counts_in_bins():
    counts = np.random.default_rng(0).poisson(0.7, (3, 2, 40))
    block = to_block(counts, bin_width=25 * ms, t_start=-0.5 * second)
    assert bounds_of(block) == [(-0.5, 0.5, 2)] * 3
    np.testing.assert_array_equal(measures.as_trains(block).counts, counts.sum(axis=2))
    edges = -0.5 + 0.025 * np.arange(41)
    for trial, rows in zip(lists(block), counts, strict=True):
        for times, row in zip(trial, rows, strict=True):
            assert np.histogram(times, edges)[0].tolist() == row.tolist()
    for wrong in (counts[0], counts + 0.5, -counts):
        with pytest.raises(NsnnError, match="whole counts"):
            to_block(wrong, bin_width=25 * ms)


# --- lists of Blocks, and of SpikeTrains, as Blocks ---


def test_what_else_a_segment_holds_is_named():
    segment = to_block([[[0.1]]], t_stop=1 * second).segments[0]
    segment.events.append(neo.Event([0.5] * pq.s, labels=["go"]))
    with pytest.warns(
        UserWarning, match=r"source: events of the Segment are left out: .*block\.segments\.append"
    ) as seen:
        assert lists(to_block([segment, segment])) == [[[0.1]], [[0.1]]]
    assert len({str(one.message) for one in seen}) == 1


def test_blocks_in_a_list_are_their_trials_together():
    one = to_block([[[0.1, 0.2], [0.5]], [[], [0.3]]], t_stop=1 * second)
    two = to_block([[[0.4], [0.6, 0.7, 0.8]]], t_stop=1 * second)
    both = measures.as_trains([one, two])
    assert both.counts.tolist() == [[2, 1], [0, 1], [1, 3]]
    np.testing.assert_allclose(measures.firing_rate([one, two]), [1.0, 5 / 3])
    labels = ["a", "a", "b"]
    joint = to_block([[[0.1, 0.2], [0.5]], [[], [0.3]], [[0.4], [0.6, 0.7, 0.8]]], t_stop=1 * second)
    parts, expected = (measures.law_of_total_covariance(labels, data) for data in ([one, two], joint))
    np.testing.assert_array_equal(parts.total, expected.total)
    with pytest.raises(NsnnError, match=r"block\[1\] has 1 units, block\[0\] has 2"):
        measures.firing_rate([one, to_block([[[0.1]]], t_stop=1 * second)])
    named = [to_block({k: [0.1] for k in ids}, t_stop=1 * second) for ids in ("ab", "ba")]
    with pytest.raises(
        NsnnError, match=r"block\[1\] has the units \['b', 'a'\], block\[0\] has \['a', 'b'\]"
    ):
        measures.cv(named)
    with pytest.raises(NsnnError, match=r"expected a neo\.Block"):
        measures.firing_rate([one, 3])


def test_a_list_of_trains_is_one_trial_or_the_repeats_of_one_neuron():
    trains = [train([0.1, 0.2]), train([0.5])]
    assert measures.as_trains(trains).counts.tolist() == [[2, 1]]
    assert measures.as_repeats(trains).counts.tolist() == [[2], [1]]
    np.testing.assert_allclose(measures.firing_rate(trains), [2.0, 1.0])
    blocks = [to_block([[times]], t_stop=1 * second) for times in ([0.1, 0.2], [0.5])]
    assert measures.as_repeats(blocks).counts.tolist() == [[2], [1]]


def test_a_sorting_without_and_with_a_time_vector():
    """SpikeInterface indexes the vector with the numbers of the samples."""
    assert bounds_of(check_sorting(Sorting(SEGMENTS), t_stop=1 * second)) == [(0.0, 1.0, 2)] * 2

    class Timed(Sorting):
        def has_recording(self):
            return True

        def get_num_samples(self, segment_index):
            return 30_000

        def sample_index_to_time(self, frames, segment_index=None):
            return (100.0 + np.arange(30_000) / self.rate)[frames]

    block = to_block(Timed(SEGMENTS))
    assert [bound[:2] for bound in bounds_of(block)] == [(100.0, pytest.approx(101.0))] * 2
    assert lists(block)[0][0] == pytest.approx([100.1, 100.307])


def test_columns_of_a_table_label_trials_and_units():
    table = pd.DataFrame(
        {
            "unit": ["b", "a", "a", "b", "a"],
            "time": [0.1, 0.2, 0.3, 0.4, 0.5],
            "trial": pd.Categorical([0, 0, 1, 1, 2], categories=range(4)),
            "contrast": [0.5, 0.5, 1.0, 1.0, 0.5],
            "choice": pd.Categorical(["left", "left", "right", "right", "left"]),
            "area": ["V2", "V1", "V1", "V2", "V1"],
            "amplitude": [1.0, 2.0, 3.0, 4.0, 5.0],  # of each spike
        }
    )
    block = to_block(table, t_stop=1 * second)
    assert [segment.annotations for segment in block.segments] == [
        {"contrast": 0.5, "choice": "left"},
        {"contrast": 1.0, "choice": "right"},
        {"contrast": 0.5, "choice": "left"},
        {},  # nobody fired, so that no row says what was shown
    ]
    assert block.annotations["units"] == {"id": ["a", "b"], "area": ["V1", "V2"]}
    assert {k: len(b.segments) for k, b in split(select(block, trials=[0, 1, 2]), "contrast").items()} == {
        0.5: 2,
        1.0: 1,
    }
    table["stimulus"] = [
        "A",
        "B",
        "A",
        "B",
        "A",
    ]  # trials numbered anew for each stimulus: two would become one
    with pytest.warns(UserWarning, match=r"the columns \['stimulus'\] are left out, .* number them anew"):
        to_block(table, t_stop=1 * second)


def test_columns_of_dates_lists_and_missing_values():
    table = pd.DataFrame({"unit": ["a", "a", "b"], "time": [0.1, 0.2, 0.3], "wave": [[1], [2], [3]]})
    table["day"] = pd.Timestamp("2024-01-01")
    table["sex"] = pd.array(["m", "m", pd.NA], dtype="string")
    table["age"] = pd.array([pd.NA] * 3, dtype="Int64")
    with pytest.warns(UserWarning, match="the columns") as seen:
        block = to_block(table, t_stop=1 * second)
    assert len(seen) == 1
    assert "the columns ['wave', 'day'] are left out" in str(seen[0].message)
    np.testing.assert_equal(block.segments[0].annotations, {"age": np.nan})
    np.testing.assert_equal(
        block.annotations["units"], {"id": ["a", "b"], "sex": ["m", np.nan], "age": [np.nan] * 2}
    )


def test_trials_of_several_groups_and_what_is_no_source():
    runs = [{"pyr": {0: [0.1], 1: [0.2]}, "pv": {7: [0.3 + k]}} for k in (0, 1)]
    block = to_block(runs, t_stop=2 * second)
    assert lists(block) == [[[0.1], [0.2], [0.3]], [[0.1], [0.2], [1.3]]]
    assert block.annotations["populations"] == [{"name": "pyr", "size": 2}, {"name": "pv", "size": 1}]
    assert block.annotations["units"] == {"id": [0, 1, 7]}
    assert measures.firing_rate(select(block, units={"population": "pv"})).tolist() == [0.5]
    trials = {"left": {"a": [0.1]}, "right": {"a": [0.3]}}
    block = to_block(list(trials.values()), labels=list(trials), t_stop=1 * second)  # as a refusal says
    assert (lists(block), conditions(block).tolist()) == ([[[0.1]], [[0.3]]], ["left", "right"])
    start_scope()
    group = NeuronGroup(2, "v : 1", threshold="v > 1", name="group_of_two")
    monitor = SpikeMonitor(group)
    Network(group, monitor)  # unused objects warn
    refused(monitor.t, "VariableView object: expected its spikes, to_block(monitor)", t_stop=1 * second)
    with pytest.raises(NsnnError, match=r"to_block\(monitor\) makes one"):
        measures.firing_rate(monitor)


def test_times_that_are_hardly_seconds_are_doubted():
    table = pd.DataFrame({"unit": ["a"] * 4, "time": [120.0, 310.0, 440.0, 900.0]})
    samples = {"a": [3600, 45_000], "b": [9_000, 51_000]}
    raster = [[[3, 3, 3, 5, 5, 5, 7, 9]]]  # or coarse times
    for source, stop, words in [
        (
            [[[120.0, 310.5], [95.0, 402.0]]],
            500,
            r"0\.004 spikes a second and neuron .* are ms, .*times \* ms",
        ),
        (table, 5000, r'pandas\.to_timedelta\(times, unit="ms"\).*unit="second"\) says so'),
        (samples, 60_000, "divide sample numbers by the sampling rate"),
    ]:
        with pytest.warns(UserWarning, match=words):
            to_block(source, t_stop=stop * second)
    with pytest.raises(NsnnError, match=r"if they are times in seconds, times \* second says so"):
        to_block(raster, t_stop=20 * second)
    stated = table.assign(time=pd.to_timedelta(table["time"], unit="s"))
    for source, stop in [
        ([[raster[0][0] * second]], 20),  # as the messages say
        (stated, 5000),
        ([[[120.0, 310.5, 310.9]]], 500),  # 0.4 s apart, too close for milliseconds
        ([[[0.5]]] * 100, 20),  # a spike a trial
        ([[[0, 1, 2, 3]]], 10),  # whole, and no raster
        ([[[0.0, 1.0]]], 10),
    ]:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            to_block(source, t_stop=stop * second)


def test_times_of_one_neuron_need_no_lists():
    expected = trains_of(to_block([[[0.1, 0.25]]], t_stop=1 * second))
    times = np.array([0.1, 0.25])
    tables = pd.DataFrame({"time": times}), pd.DataFrame(times), pd.DataFrame({"time": times, "trial": 0})
    for source in (times, times.tolist(), times * 1000 * ms, *tables):
        assert trains_of(to_block(source, t_stop=1 * second)) == expected


# --- what is refused ---


NEST = {"senders": [7, 5, 7], "times": [10.0, 20.5, 999.9]}
ROWS = {"unit": [1, 1], "time": [0.1, 0.2]}
NAMED = [train([0.1], name="one"), train([], name="two")]
END, ONE_END = {"t_stop": 1 * second}, "expected one finite time"
# source, further arguments, what the message names, a word of its cure
REFUSED = [
    ([[[0.1]]], {}, "needs t_stop", "pass t_stop"),
    ([[[0.1]]], {"t_stop": 1.0}, "t_stop = 1.0 has no unit", "20*ms"),
    ([[[0.1]]], {"t_stop": 1 * mV}, "t_stop = 1. mV", "expected a time"),
    ([[[0.1]]], {"t_stop": [1, 2] * second}, "t_stop", ONE_END),
    ([[[0.1]], [[1.5]]], {"t_stop": [1, 2, 3] * second}, "t_stop", f"{ONE_END} such as 2*second, or 2 of them"),
    ([[[0.1]]], {**END, "t_start": 1 * second}, "t_stop", "expected a time after t_start"),
    ([[[0.1]]], {**END, "stimulus": [1.0, 2.0]}, "stimulus: 2 signals for 1 trials", "one per trial"),
    ([[[0.1]]], {**END, "stimulus": [1.0]}, "stimulus[0]: float", "expected a neo.AnalogSignal"),
    ([[[0.1]]], {**END, "stimulus": volt([[1.0, 2.0]])}, "stimulus: AnalogSignal of shape (1, 2)", "one channel"),
    ([[[0.1]]], {**END, "labels": [1, 2]}, "labels has 2 values for 1 trials", "expected one for each"),
    ([], END, "source has no trials", "source[trial][neuron]"),
    ([[]], END, "source has no neurons", "source[trial][neuron]"),
    (3, END, "source = 3", "source[trial][neuron]"),
    ([0.1, 1.2], END, "source[1] = 1.2 s lies outside", "a later t_stop"),
    (["0.1"], END, "source[0] = '0.1'", "source[trial][neuron]"),
    ([[0.1, 0.2]], END, "source[0][0] = 0.1", "source[trial][neuron]"),
    ([[[[0.1]]]], END, "source[0][0] = [[0.1]]", "source[trial][neuron]"),
    ([[[1j]]], END, "source[0][0] = [1j]", "source[trial][neuron]"),
    ([[[1, 2] * mV]], END, "source[0][0] = [1. 2.] mV", "expected a time"),
    ([[[0.1], []], [[0.1]]], END, "source[1] has 1 neurons", "an empty array for a silent one"),
    ({"a": 1}, END, "source['a'] = 1", "source[unit]"),
    ([{"pyr": {0: [0.1]}}, {"pyr": {0: 3.0}}], END, "source['pyr'][0] = 3.0", "source['pyr'][unit]"),
    ({}, END, "source is an empty dict", "{unit: array of seconds}"),
    ("a.nwb", END, "source = 'a.nwb'", "nsnn_neuro.load('a.nwb') makes one"),
    (neo.Block(), END, "source is a neo.Block already", "take it as it is"),
    (SimpleNamespace(get_traces=list), END, "source", "the sorting of its spikes"),
    # times outside the trial, and what they may be instead
    ([[[0.1, 1.5]]], END, "source[0][0][1] = 1.5 s lies outside", "a later t_stop"),
    ([[[1000.2, 1001.4]]], END, "source[0][0][0] = 1000.2 s", "times of a session"),
    ([[[0.2, 1.5, 1.7]]], END, "spikes do", "2 of 3"),
    ([[[-0.34, 0.2]]], END, "source[0][0][0] = -0.34 s lies outside", "an earlier t_start"),
    ([[[0.1, 900.0]]], END, "source[0][0][1] = 900 s", "divide milliseconds by 1000"),
    ([[[3600, 45000]]], END, "source[0][0][0] = 3600 s", "sample numbers by the sampling rate"),
    ({"a": [0.2], "b": [2.0] * second}, END, "source['b'][0] = 2 s", "expected a later t_stop"),
    (pd.DataFrame({"unit": [1], "time": [120.0]}), END, "unit 1 at 120 s", "divide milliseconds by 1000"),
    ([[[0.1, np.nan]]], END, "source[0][0][1] = nan s", "expected finite times"),
    ({**NEST, "times": [1.0, np.nan, 2.0]}, END, "unit 5 at nan s", "expected finite times"),
    ([[[0, 0, 1, 0, 1, 0]]], END, "the values 0, 0, 1, 0, 1, 0 of one neuron", "bin_width="),
    ([[[0, 2, 0, 3, 0, 0, 1]]], END, "counts in bins", "expected spike times in seconds"),
    ([[[True, False]]], END, "source[0][0] = [True, False]", "numpy.flatnonzero(raster) * bin_width"),
    # trials of different units or windows
    ([train([0.5]), train([0.5], t_stop=2.0)], {}, "the spike trains of trial 0 cover different windows", "t_stop"),
    ([{"a": []}, {"b": []}], END, "source[1] has the units ['b'], source[0] has ['a']", "in the same order"),
    ([NAMED, NAMED[::-1]], {}, "source[1] has the trains ['two', 'one']", "the same order"),
    (TrialsFromLists([[train([0.1])], [train([0.1]), train([])]]), {}, "trial 1 of source has 2 units", "silent"),
    (TrialsFromLists([]), {}, "without trials", "at least one"),
    ({0: {"a": [0.1], "b": [0.2]}, 1: {"a": [0.3], "b": [0.4]}}, END, "the key 0", "pass a list of the dicts"),
    ({"left": {"a": [0.1]}, "right": {"a": [0.3]}}, END, "the unit 'a' several times", "pass a list of the dicts"),
    # tables, NEST, sortings
    (pd.DataFrame({"neuron": [1], "time": [0.1]}), END, "the columns neuron, time", "expected unit"),
    (pd.DataFrame({"0.1": [0.2, 0.3]}), END, "the columns 0.1", "header=None"),
    (pd.DataFrame({"unit": [1], "times": [0.1]}), END, "the columns unit, times", "did you mean 'times'?"),
    (pd.DataFrame({"unit": [1], "time": ["0.1"]}), END, "source['time']", "expected times in seconds"),
    (pd.DataFrame({"unit": [1, None], "time": [0.1, 0.2]}), END, "source['unit'] is missing in row 1", "each spike"),
    (pd.DataFrame({"unit": [1, "a"], "time": [0.1, 0.2]}), END, "source['unit'] mixes types", "numbers, or texts"),
    (pd.DataFrame({"unit": [], "time": []}), END, "without rows", "a row per spike"),
    (pd.DataFrame({**ROWS, "Trial": [0, 1]}), END, "'Trial'", "source.rename(columns={'Trial': 'trial'})"),
    (pd.DataFrame({**ROWS, "trial": [0, 2]}), END, "source['trial'] goes from 0 to 2 without [1]", "Categorical"),
    ({**NEST, "offsets": [0.0] * 3}, END, "source has offsets", "time_in_steps=False"),
    ({**NEST, "ids": [5, 6]}, END, "source['ids'] = [5, 6]", "expected all senders, each once"),
    ({"senders": [1], "times": [1.0, 2.0]}, END, "1 senders", "expected as many"),
    ({"senders": np.array([], int), "times": []}, END, "source has no senders", "list the neurons"),
    ({"senders": [1]}, END, "source has the keys ['senders']", "times in ms"),
    (Sorting(SEGMENTS), {}, "a sorting without its recording", "pass t_stop"),
]  # fmt: skip


def test_what_is_refused_with_the_argument_and_a_cure():
    for source, more, named, cure in REFUSED:
        with pytest.raises(NsnnError) as error:
            to_block(source, **more)
        assert named in str(error.value)
        assert cure in str(error.value)

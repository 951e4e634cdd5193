"""Trials and units that are chosen, joined and split, against the lists that they were made from."""

import neo
import numpy as np
import pandas as pd
import pytest
import quantities as pq
from brian2 import mV, second
from helpers.roundtrip import assert_same, bounds_of, rich_block, trains_of, volt
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, conditions, cut, join, load, save, select, split, tabulate, to_block
from nsnn_neuro.io import Trains
from nsnn_neuro.measures import firing_rate

NESTED = [[[0.1, 0.2], [0.3], []], [[0.4], [], [0.5]], [[], [0.6], [0.7, 0.8]], [[0.9], [0.95], [0.96]]]


def example():
    block = to_block(NESTED, t_stop=1 * second)
    block.annotations["units"] = {"id": [14, 20, 33], "name": ["a", "b", "c"], "area": ["V1", "LM", "V1"]}
    for segment, angle, label in zip(block.segments, [0, 90, 0, 90], "xyxy", strict=True):
        segment.annotations.update(angle=angle, label=label)
    return block


def lists(block):
    return [[train.magnitude.tolist() for train in segment.spiketrains] for segment in block.segments]


# --- select ---


@pytest.mark.parametrize(
    ("trials", "rows"),
    [
        (None, [0, 1, 2, 3]),
        (2, [2]),
        ([3, 0], [3, 0]),
        ([-1], [3]),
        ([1, 1], [1, 1]),
        (np.array([1, 2]), [1, 2]),
        (range(2), [0, 1]),
        ([True, False, False, True], [0, 3]),
        (slice(1, None, 2), [1, 3]),
        ({"angle": 90}, [1, 3]),
        ({"angle": [90, 45], "label": "y"}, [1, 3]),
        ({"angle": np.int64(0)}, [0, 2]),
        ("x", [0, 2]),
        (["y"], [1, 3]),
    ],
)
@pytest.mark.parametrize(
    ("units", "cells"),
    [
        (None, [0, 1, 2]),
        (1, [1]),
        ([2, 0], [2, 0]),
        (np.array([False, True, True]), [1, 2]),
        (slice(2), [0, 1]),
        ("b", [1]),
        (["c", "a"], [2, 0]),
        ({"id": [33, 14]}, [0, 2]),
        ({"area": "V1"}, [0, 2]),
    ],
)
def test_selection_against_the_lists(trials, rows, units, cells):
    block = example()
    found = select(block, trials=trials, units=units)
    assert lists(found) == [[NESTED[i][j] for j in cells] for i in rows]
    assert found.annotations["units"]["id"] == [[14, 20, 33][j] for j in cells]
    assert conditions(found, "angle").tolist() == [[0, 90, 0, 90][i] for i in rows]
    assert [s.index for s in found.segments] == list(range(len(rows)))
    assert lists(block) == NESTED  # as it was


@pytest.mark.parametrize("ids", [[14, 7, 33], ["14", "7", "33"], [14.0, 7.0, 33.0]])
def test_names_that_are_numbers_are_found_as_number_and_as_text(ids):
    block = example()
    block.annotations["units"] = {"id": ids}
    for choice in ("7", ["7"], {"id": 7}, {"id": "7"}, {"id": np.int64(7)}, {"id": [7, 70]}, 1):
        assert lists(select(block, units=choice)) == [[trial[1]] for trial in NESTED], choice
    assert lists(select(block, units=["33", "14"])) == [[trial[2], trial[0]] for trial in NESTED]
    for angle in ("90", range(1, 91)):
        assert lists(select(block, trials={"angle": angle})) == [NESTED[1], NESTED[3]]
    with pytest.raises(NsnnError, match=r"no number 7, expected 0 to 2; of an id it is units=\{'id': 7\}"):
        select(block, units=7)


def test_a_name_that_is_the_text_itself_comes_before_one_that_is_written_so():
    block = example()
    block.annotations["units"] = {"id": ["7", 7, 8], "name": ["a", "8", "b"]}
    assert lists(select(block, units={"id": 7})) == [[trial[1]] for trial in NESTED]
    assert lists(select(block, units="7")) == [[trial[0]] for trial in NESTED]
    assert lists(select(block, units="8")) == [[trial[1]] for trial in NESTED]  # names come before ids
    block.annotations["units"] = {"label": [1, 1, 2], "id": ["2", "3", "1"]}
    assert lists(select(block, units="1")) == [
        [trial[2]] for trial in NESTED
    ]  # the id itself, no label written so


def test_selecting_all_changes_nothing():
    block = rich_block()
    assert_same(block, select(block))
    every = select(block, trials=slice(None), units=slice(None))
    assert_same(block, every)
    assert (every.name, every.rec_datetime) == (block.name, block.rec_datetime)


def test_channels_of_neurons_and_populations_go_with_their_neurons():
    block = rich_block()  # channels of "v" are the neurons 1 and 3; populations of 4 and 2
    found = select(block, units=[3, 0, 5])
    stimulus, v = found.segments[1].analogsignals
    assert stimulus.name == "stimulus"
    assert v.array_annotations["neuron"].tolist() == [0]
    assert np.array_equal(v.magnitude[:, 0], block.segments[1].analogsignals[1].magnitude[:, 1])
    assert [(p["name"], p["size"]) for p in found.annotations["populations"]] == [
        ("excitatory", 2),
        ("inhibitory", 1),
    ]
    assert [one.name for one in select(block, units=[0]).segments[0].analogsignals] == ["stimulus"]
    table = tabulate(found, firing_rate)
    assert table["population"].tolist() == ["excitatory", "excitatory", "inhibitory"]
    inhibitory = select(block, units="inhibitory")
    assert [train[4:] for train in trains_of(block)] == trains_of(inhibitory)
    with pytest.raises(NsnnError, match="neurons of one population are apart"):
        select(block, units=[5, 0])


def test_selected_membranes_are_those_of_a_simulation():
    lif = nsnn.NSNNNeuron()
    block = nsnn.simulate(
        lif, nsnn.EscapeNoise(nsnn.Logistic(0.3)), n_neurons=4, trials=2, duration=20e-3 * second, dt=1e-3 * second,
        seed=1, record_v=[2, 3], engine="numpy", stimulus=nsnn.Constant(0.6),
    )  # fmt: skip
    found = select(block, units=[3, 1])
    before, after = block.segments[1].analogsignals[-1], found.segments[1].analogsignals[-1]
    assert after.array_annotations["neuron"].tolist() == [0]
    assert np.array_equal(before.magnitude[:, 1], after.magnitude[:, 0])
    assert trains_of(found) == [[trial[3], trial[1]] for trial in trains_of(block)]


def test_a_selection_is_saved_and_events_stay(tmp_path):
    block = example()
    block.segments[2].events.append(neo.Event([0.5] * pq.s, labels=["lick"], name="lick"))
    found = select(block, trials=[2])
    assert found.segments[0].events[0].times.magnitude.tolist() == [0.5]
    assert block.segments[2].events[0].segment is block.segments[2]
    found.segments[0].events.clear()
    assert_same(found, load(save(found, tmp_path / "a.nwb")))


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"trials": 4}, "there is no number 4, expected 0 to 3"),
        ({"trials": [True, False]}, "trials has 2 booleans: expected one for each of the 4 trials"),
        ({"trials": []}, "none of the 4 trials is left"),
        ({"trials": slice(9, None)}, "none of the 4 trials is left"),
        ({"trials": 1.5}, "expected whole numbers, booleans"),
        ({"trials": {"angel": 90}}, r"no 'angel' is known.*did you mean 'angle'"),
        ({"trials": {"angle": 45}}, "none has such a value; 'angle' is 0, 90"),
        ({"trials": {}}, "expected a column and its values"),
        ({"trials": "z"}, "none has such a value; 'label' is 'x', 'y'"),
        ({"units": "d"}, r"no units or population of this name; the block knows \['a', 'b', 'c'"),
        ({"units": {"aera": "V1"}}, r"did you mean 'area'"),
        ({"units": [[0, 1]]}, "expected whole numbers"),
        ({"units": [0, [1, 2]]}, "expected whole numbers"),
        ({"units": -4}, "there is no number -4"),
    ],
)
def test_select_refuses(choice, message):
    with pytest.raises(NsnnError, match=message):
        select(example(), **choice)


# --- join and split ---


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=8), st.integers(0, 10_000))
def test_joined_again_a_split_block_is_the_same(labels, seed):
    rng = np.random.default_rng(seed)
    nested = [[np.sort(rng.uniform(0, 1, rng.integers(4))) for _ in range(2)] for _ in labels]
    block = to_block(nested, t_stop=1 * second)
    for segment, label in zip(block.segments, labels, strict=True):
        segment.annotations["label"] = label
        segment.analogsignals.append(volt(rng.normal(size=3), "lfp"))
    parts = split(block)
    assert list(parts) == sorted(set(labels))
    order = [k for one in parts for k, label in enumerate(labels) if label == one]
    assert_same(select(block, trials=order), join(parts))
    assert_same(select(block, trials=order), join(list(parts.values())))
    for label, part in parts.items():
        assert set(conditions(part)) == {label}


def test_numbers_are_split_in_their_order():
    assert list(split(example(), "angle")) == [0, 90]
    assert lists(split(example(), "angle")[90]) == [NESTED[1], NESTED[3]]


@pytest.mark.parametrize("labels", [np.array([90, 0, 90, 45]), pd.Series([90, 0, 90, 45]), (90, 0, 90, 45)])
def test_labels_split_a_block(labels):
    parts = split(example(), labels)
    assert {label: lists(part) for label, part in parts.items()} == {
        0: [NESTED[1]],
        45: [NESTED[3]],
        90: [NESTED[0], NESTED[2]],
    }


def test_missing_labels_and_other_numbers_of_labels_are_refused():
    for bad, words in (
        ([1, 2], "name has 2 labels for 4 trials"),
        ([1, 2, float("nan"), 3], r"name\[2\] = nan \(1 of 4 are missing\): .*select\(block, trials=known\)"),
        (["a", None, "b", "c"], r"name\[1\] = None: expected a number or a text"),
    ):
        with pytest.raises(NsnnError, match=words):
            split(example(), bad)
    block = example()
    block.segments[0].annotations["angle"] = float("nan")
    with pytest.raises(NsnnError, match=r"conditions\(block, 'angle'\)\[0\] = nan \(1 of 4 are missing\)"):
        split(block, "angle")


def test_joined_blocks_of_different_windows_signals_and_annotations(tmp_path):
    short, long = (
        to_block([[[0.1], []]], t_stop=0.5 * second),
        to_block([[[0.2], [0.9]]] * 2, t_stop=1 * second),
    )
    short.annotations.update(seed=1, dt=1e-4, units={"id": [1, 2], "quality": ["good", "bad"]})
    long.annotations.update(seed=2, dt=1e-4, units={"id": [1, 2], "quality": ["good", "good"]})
    long.segments[1].analogsignals.append(volt([1.0, 2.0], "lfp"))
    found = join([short, long], labels=[10, 20])
    assert bounds_of(found) == [(0.0, 0.5, 2), (0.0, 1.0, 2), (0.0, 1.0, 2)]
    assert conditions(found).tolist() == [10, 20, 20]
    assert found.annotations["units"] == {"id": [1, 2]}
    assert found.annotations["dt"] == 1e-4
    assert [one["seed"] for one in found.annotations["joined"]] == [1, 2]
    assert [len(s.analogsignals) for s in found.segments] == [0, 0, 1]
    assert_same(found, load(save(found, tmp_path / "a.nwb")))


@pytest.mark.parametrize(
    ("blocks", "options", "message"),
    [
        ([], {}, "expected a list of Blocks"),
        ({}, {}, "expected a list of Blocks"),
        ("x", {}, "expected a list of Blocks"),
        ([to_block([[[0.1]]], t_stop=1 * second), 3], {}, r"blocks\[1\] = int object: expected a neo.Block"),
        ([to_block([[[0.1]]], t_stop=1 * second)], {"labels": [1, 2]}, "labels has 2 values for 1 Blocks"),
        ([to_block([[[0.1]]], t_stop=1 * second)], {"labels": [2] * mV}, "has a unit"),
        (
            [to_block([[[0.1]]], t_stop=1 * second), to_block([[[0.1], []]], t_stop=1 * second)],
            {},
            r"blocks\[1\] has 2 .*blocks\[0\] has 1",
        ),
        (
            [select(example(), units=[0]), select(example(), units=[1])],
            {},
            r"blocks\[1\] has units of other ids",
        ),
    ],
)
def test_join_refuses(blocks, options, message):
    with pytest.raises(NsnnError, match=message):
        join(blocks, **options)


# --- conditions ---


def test_conditions_of_each_kind():
    block = to_block([[[0.1]], [[0.2]]], t_stop=1 * second)
    for values, kind in (
        ([1, 2], "i"),
        ([0.5, 1], "f"),
        (["a", "b"], "U"),
        ([True, False], "b"),
        ([1, "a"], "O"),
    ):
        for segment, value in zip(block.segments, values, strict=True):
            segment.annotations["x"] = value
        found = conditions(block, "x")
        assert found.tolist() == values
        assert found.dtype.kind == kind


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "angel",
            r"no segment has it; all segments have the annotations \['angle', 'label'\]; did you mean 'angle'",
        ),
        ("hit", "3 of 4 segments lack it"),
        ("bad", r"annotation 'bad'\[0\] = \[1\]: expected a number or a text"),
    ],
)
def test_conditions_refuse(name, message):
    block = example()
    block.segments[0].annotations["hit"] = 1
    for segment in block.segments:
        segment.annotations["bad"] = [1]
    if name == "angel":
        for segment in block.segments:
            del segment.annotations["bad"]
    with pytest.raises(NsnnError, match=message):
        conditions(block, name)


def test_conditions_without_labels_say_who_writes_them():
    with pytest.raises(NsnnError, match="cut and join take labels="):
        conditions(to_block([[[0.1]]], t_stop=1 * second))
    with pytest.raises(NsnnError, match=r"expected a neo\.Block"):
        conditions([1, 2])
    assert cut(example(), [[0.5]] * 4, before=0.1 * second, after=0.1 * second).annotations["units"][
        "id"
    ] == [14, 20, 33]


# --- times of single precision ---


def single_precision(stop=1.0):
    """A Block of a train whose times are stored as float32, as some readers of Neo make them."""
    block, segment = neo.Block(), neo.Segment()
    block.segments.append(segment)
    times = np.float32([0.1, 0.3]) * stop
    segment.spiketrains.append(neo.SpikeTrain(times, units="s", t_stop=stop, dtype=np.float32))
    return block


def test_single_precision_is_remembered():
    expected = pytest.approx(4 * 2.0**-23, rel=1e-6)  # 4 roundings of times up to 1 s
    assert Trains.from_block(single_precision()).resolution == expected
    assert Trains.from_block(select(single_precision(), trials=0)).resolution == expected
    double = to_block([[[0.2]]], t_stop=1 * second)
    assert "resolution" not in select(double).annotations
    joined = join([double, single_precision(), double])
    assert Trains.from_block(joined).resolution == expected
    lists = [[np.float32([0.1, 0.3])]]
    trains = single_precision().segments[0].spiketrains
    for source in (
        lists,
        list(trains),
        {0: lists[0][0]},
        pd.DataFrame({"unit": [0], "time": np.float32([0.1])}),
    ):
        assert Trains.from_block(to_block(source, t_stop=1 * second)).resolution == expected
    assert "resolution" not in to_block([[[0.1, 0.3]]], t_stop=1 * second).annotations


def network():
    """Two populations of 4 and 3, whose recorded potentials say whose they are: 10 * population + neuron (V)."""
    block = to_block([[[0.1 * k] for k in range(7)] for _ in range(2)], t_stop=1 * second)
    block.annotations["populations"] = [{"name": "exc", "size": 4}, {"name": "inh", "size": 3}]
    for segment in block.segments:
        for name, base, neurons in (("exc", 0.0, [0, 3]), ("inh", 10.0, [0, 1])):
            signal = neo.AnalogSignal(
                np.tile(base + np.array(neurons), (5, 1)),
                units="V",
                sampling_rate=5 * pq.Hz,
                name=f"v of {name}",
            )
            signal.array_annotate(neuron=np.array(neurons))
            segment.analogsignals.append(signal)
    return block


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ("inh", {"v of inh": [(0, 10.0), (1, 11.0)]}),
        ("exc", {"v of exc": [(0, 0.0), (3, 3.0)]}),
        ([4], {"v of inh": [(0, 10.0)]}),
        ([0, 5], {"v of exc": [(0, 0.0)], "v of inh": [(0, 11.0)]}),
        ([3, 6], {"v of exc": [(0, 3.0)]}),
        ([1], {}),
        ([3, 2, 5, 4], {"v of exc": [(0, 3.0)], "v of inh": [(1, 10.0), (0, 11.0)]}),
    ],
)
def test_potentials_of_a_network_go_with_their_neurons(units, expected):
    for segment in select(network(), units=units).segments:
        found = {
            one.name: list(
                zip(one.array_annotations["neuron"].tolist(), one.magnitude[0].tolist(), strict=True)
            )
            for one in segment.analogsignals
        }
        assert found == expected


def test_the_potential_of_a_chosen_population_is_drawn_as_its_own():
    ax = nsnn.plotting.membrane(select(network(), units=[0, 5]), neurons=[1], ax=Figure().subplots())
    assert ax.lines[0].get_ydata().tolist() == [11e3] * 5

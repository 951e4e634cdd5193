"""Trials and units that are chosen, joined and split, against the lists that they were made from."""

import itertools
import warnings

import neo
import numpy as np
import pandas as pd
import pytest
import quantities as pq
from brian2 import mV, second
from helpers.roundtrip import assert_same, bounds_of, rich_block, trains_of, volt
from hypothesis import given, settings
from hypothesis import strategies as st

from nsnn_neuro import NsnnError, conditions, join, load, save, select, split, tabulate, to_block
from nsnn_neuro.io.spikes import Trains
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


TRIALS = [
    (None, [0, 1, 2, 3]),
    (2, [2]),
    ([3, 0], [3, 0]),
    ([-1], [3]),
    ([1, 1], [1, 1]),
    (np.array([1, 2]), [1, 2]),
    (range(2), [0, 1]),
    ([True, False, False, True], [0, 3]),
    (slice(1, None, 2), [1, 3]),
    ({"angle": [90, 45], "label": "y"}, [1, 3]),
    ({"angle": np.int64(0)}, [0, 2]),
    ("x", [0, 2]),
    (["y"], [1, 3]),
]
UNITS = [
    (None, [0, 1, 2]),
    (1, [1]),
    ([2, 0], [2, 0]),
    (np.array([False, True, True]), [1, 2]),
    (slice(2), [0, 1]),
    ("b", [1]),
    (["c", "a"], [2, 0]),
    ({"id": [33, 14]}, [0, 2]),
    ({"area": "V1"}, [0, 2]),
]


def test_selection_against_the_lists():
    block = example()
    for (trials, rows), (units, cells) in zip(TRIALS, itertools.cycle(UNITS), strict=False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an angle that none has
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
    for choice in ("7", ["7"], {"id": 7}, {"id": "7"}, {"id": np.int64(7)}, {"id": range(7, 14)}, 1):
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
    # the id itself, no label written so
    assert lists(select(block, units="1")) == [[trial[2]] for trial in NESTED]


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


def odd():
    """The example with annotations that not all trials have, or that are no labels."""
    block = example()
    block.segments[0].annotations.update(hit=1, angle=float("nan"))
    for segment in block.segments:
        segment.annotations["bad"] = [1]
    return block


ONE = to_block([[[0.1]]], t_stop=1 * second)
REFUSED = [
    (lambda: select(example(), trials=4), "there is no number 4, expected 0 to 3"),
    (lambda: select(example(), trials=[True, False]), "trials has 2 booleans: expected one for each"),
    (lambda: select(example(), trials=[]), "none of the 4 trials is left"),
    (lambda: select(example(), trials=1.5), "expected whole numbers, booleans"),
    (lambda: select(example(), trials={"angel": 90}), r"no 'angel' is known.*did you mean 'angle'"),
    (lambda: select(example(), trials={"angle": 45}), "none has such a value; 'angle' is 0, 90"),
    (lambda: select(example(), trials={}), "expected a column and its values"),
    (lambda: select(example(), units="d"), r"no units or population .* the block knows \['a', 'b', 'c'"),
    (lambda: select(example(), units={"aera": "V1"}), r"did you mean 'area'"),
    (lambda: split(example(), [1, 2]), "name has 2 values for 4 trials"),
    (lambda: split(example(), [1, 2, float("nan"), 3]), r"name\[2\] = nan .*trials=known\)"),
    (lambda: split(example(), ["a", None, "b", "c"]), r"name\[1\] = None: expected a number or a text"),
    (lambda: split(odd(), "angle"), r"conditions\(block, 'angle'\)\[0\] = nan \(1 of 4 are missing\)"),
    *((lambda empty=empty: join(empty), "expected a list of Blocks") for empty in ([], {}, "x")),
    (lambda: join([ONE, 3]), r"blocks\[1\] = int object: expected a neo.Block"),
    (lambda: join([ONE], labels=[1, 2]), "labels has 2 values for 1 Blocks"),
    (lambda: join([ONE], labels=[2] * mV), "has a unit"),
    (lambda: join([ONE, example()]), r"blocks\[1\] has 3 .*blocks\[0\] has 1"),
    (lambda: join([select(example(), units=k) for k in (0, 1)]), r"blocks\[1\] has units of other ids"),
    (lambda: conditions(example(), "angel"), "no segment has it; .*did you mean 'angle'"),
    (lambda: conditions(odd(), "hit"), "3 of 4 segments lack it"),
    (lambda: conditions(odd(), "bad"), r"annotation 'bad'\[0\] = \[1\]: expected a number or a text"),
    (lambda: conditions(ONE), "cut and join take labels="),
    (lambda: conditions([1, 2]), r"expected a neo\.Block"),
]


def test_what_is_refused_is_named_with_the_cure():
    for call, message in REFUSED:
        with pytest.raises(NsnnError, match=message):
            call()


# --- join and split ---


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
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


def test_labels_split_a_block():
    assert list(split(example(), "angle")) == [0, 90]  # numbers in their order
    for labels in (np.array([90, 0, 90, 45]), pd.Series([90, 0, 90, 45]), (90, 0, 90, 45)):
        parts = split(example(), labels)
        assert {label: lists(part) for label, part in parts.items()} == {
            0: [NESTED[1]],
            45: [NESTED[3]],
            90: [NESTED[0], NESTED[2]],
        }


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


def test_a_recording_that_was_cut_is_joined_in_time(tmp_path):
    """Two trials, each of which begins and ends at its own time, in three pieces."""
    rng = np.random.default_rng(1)
    starts, stops = np.array([-0.5, 1.0]), np.array([2.5, 3.0])
    nested = [[np.sort(rng.uniform(a, b, 50)) for _ in range(2)] for a, b in zip(starts, stops, strict=True)]
    pieces = []
    borders = np.linspace(starts, stops, 4)
    for low, high in itertools.pairwise(borders):
        clock = low if not pieces else np.zeros(2)  # that of the first piece goes on
        windows = zip(nested, low, high, clock, strict=True)
        own = [[t[(t >= a) & (t < b)] - a + zero for t in trial] for trial, a, b, zero in windows]
        piece = to_block(own, t_stop=(clock + high - low) * second, t_start=clock * second)
        piece.annotations["units"] = {"id": [7, 9]}
        for segment in piece.segments:
            segment.annotations.update(animal="m1", piece=len(pieces))
            segment.events.append(neo.Event([0.1] * pq.s, labels=["cue"], name="cue"))
            segment.analogsignals.append(volt([1.0, 2.0], "lfp"))
        pieces.append(piece)
    found = join(pieces, along="time", labels=["a", "b", "c"])
    assert bounds_of(found) == [(a, b, 2) for a, b in zip(starts, stops, strict=True)]
    for trial, expected in zip(lists(found), nested, strict=True):
        np.testing.assert_allclose(trial, expected, rtol=1e-12)
    assert found.annotations["units"] == {"id": [7, 9]}
    for k, segment in enumerate(found.segments):
        assert segment.annotations == {"animal": "m1"}
        (epoch,) = segment.epochs
        np.testing.assert_allclose(epoch.times.magnitude, borders[:-1, k])
        assert epoch.labels.tolist() == ["a", "b", "c"]
        zeros = [0.0, *borders[1:-1, k]]
        np.testing.assert_allclose([float(one.t_start) for one in segment.analogsignals], zeros)
        np.testing.assert_allclose([float(one.times[0]) - 0.1 for one in segment.events], zeros, atol=1e-12)
    assert_same(found, load(save(found, tmp_path / "a.nwb")))
    with pytest.raises(NsnnError, match="trials"):
        join([pieces[0], select(pieces[1], trials=[0])], along="time")


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
    """Two populations of 4 and 3, whose recorded potentials say whose they are: 10 * population + neuron."""
    block = to_block([[[0.1]] * 7], t_stop=1 * second)
    block.annotations["populations"] = [{"name": "exc", "size": 4}, {"name": "inh", "size": 3}]
    for name, base, neurons in (("exc", 0.0, [0, 3]), ("inh", 10.0, [0, 1])):
        signal = volt([base + np.array(neurons)] * 5, f"v of {name}", array_annotations={"neuron": neurons})
        block.segments[0].analogsignals.append(signal)
    return block


def test_potentials_of_a_network_go_with_their_neurons():
    for units, expected in [
        ("inh", {"v of inh": [(0, 10.0), (1, 11.0)]}),
        ([4], {"v of inh": [(0, 10.0)]}),
        ([0, 5], {"v of exc": [(0, 0.0)], "v of inh": [(0, 11.0)]}),
        ([1], {}),
        ([3, 2, 5, 4], {"v of exc": [(0, 3.0)], "v of inh": [(1, 10.0), (0, 11.0)]}),
    ]:
        signals = select(network(), units=units).segments[0].analogsignals
        found = {one.name: (one.array_annotations["neuron"], one.magnitude[0]) for one in signals}
        assert {name: list(zip(*pair, strict=True)) for name, pair in found.items()} == expected


def test_columns_and_indexes_of_pandas_choose_as_lists_do():
    block = to_block([[[0.1], [0.2], [0.3]]] * 3, t_stop=1 * pq.s)
    block.annotations["units"] = {"id": [101, 205, 307], "name": ["a", "b", "c"]}
    table = pd.DataFrame({"id": [101, 205, 307], "name": ["a", "b", "c"], "p": [0.1, 0.9, 0.2]})
    kept = table[table.p < 0.5]
    names = kept.name, kept.set_index("name").index, {"name": kept.name}, {"id": kept.id}
    for units in (table.p < 0.5, (table.p < 0.5).astype("boolean"), kept.index, *names):
        assert select(block, units=units).annotations["units"]["id"] == [101, 307]
    assert len(select(block, trials=table.p < 0.5).segments) == 2
    with pytest.raises(NsnnError, match=r"order .*sort_index"):
        select(block, units=table.sort_values("p").p < 0.5)
    with pytest.raises(NsnnError, match=r"units=\{'id': \[101, 307\]\}"):
        select(block, units=kept.id)

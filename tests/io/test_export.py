"""Blocks as pynapple, xarray and pandas objects: the same spikes, windows and names, and back."""

import neo
import numpy as np
import pytest
import quantities as pq
from helpers.roundtrip import bounds_of, rich_block, trains_of

from nsnn_neuro import (
    NsnnError,
    align,
    measures,
    to_block,
    to_dataframe,
    to_pynapple,
    to_spikeinterface,
    to_xarray,
)


def named():
    block = to_block(
        [{"b": [0.1, 0.25], "a": []}, {"b": [], "a": [0.5, 0.75, 1.0]}], t_start=0 * pq.s, t_stop=1 * pq.s
    )
    block.annotations["units"]["area"] = ["V1", "V2"]
    block.annotations["populations"] = [{"name": "E", "size": 1}, {"name": "I", "size": 1}]
    for segment, condition in zip(block.segments, ["left", "right"], strict=True):
        segment.annotations["condition"] = condition
    return block


def test_a_table_has_a_row_per_spike_and_lists_what_is_silent():
    block = named()
    table = to_dataframe(block)
    assert list(table.columns) == ["trial", "unit", "time"]
    assert table.trial.tolist() == [0, 0, 1, 1, 1]
    assert table.unit.tolist() == ["b", "b", "a", "a", "a"]
    assert table.time.tolist() == [0.1, 0.25, 0.5, 0.75, 1.0]
    counts = table.groupby(["trial", "unit"], observed=False).size().unstack()[["b", "a"]].to_numpy()
    assert counts.tolist() == measures.spike_counts(block).tolist()


@pytest.mark.parametrize("make", [named, rich_block, lambda: to_block([[[]]], t_stop=1 * pq.s)])
def test_a_table_comes_back_with_the_same_spikes(make):
    block = make()
    back = to_block(to_dataframe(block))
    assert trains_of(back) == trains_of(block)
    assert bounds_of(back) == bounds_of(block)
    assert back.annotations["units"]["id"] == block.annotations.get("units", {}).get(
        "id", list(range(len(trains_of(block)[0])))
    )


def test_pynapple_groups_have_the_trials_as_time_support():
    pytest.importorskip("pynapple")
    block = named()
    groups = to_pynapple(block)
    assert [g.time_support.values.tolist() for g in groups] == [[[0.0, 1.0]]] * 2
    assert [[g[k].t.tolist() for k in (0, 1)] for g in groups] == [[[0.1, 0.25], []], [[], [0.5, 0.75, 1.0]]]
    assert list(groups[0].get_info("area")) == ["V1", "V2"]
    assert list(groups[0].get_info("population")) == ["E", "I"]
    assert list(groups[0].get_info("id")) == ["b", "a"]
    assert groups[0]["rate"][0] == 2.0  # of silent units pynapple has NaN (to 0.9) or 0
    back = to_block(groups)
    assert trains_of(back) == trains_of(block)
    assert bounds_of(back) == bounds_of(block)


def test_a_sorting_of_spikeinterface_comes_back():
    pytest.importorskip("spikeinterface.core")
    block = align(named(), [0.25, 0.5])
    sorting = to_spikeinterface(block, sampling_frequency=4 * pq.kHz)
    assert sorting.get_property("area").tolist() == ["V1", "V2"]
    assert sorting.get_property("population").tolist() == ["E", "I"]
    back = to_block(sorting, t_stop=[0.75, 0.5] * pq.s)
    assert trains_of(back) == trains_of(block)
    assert bounds_of(back) == bounds_of(block)
    with pytest.raises(NsnnError, match="sampling_frequency"):
        to_spikeinterface(block)


def test_pynapple_keys_are_the_ids_in_any_order():
    pytest.importorskip("pynapple")
    block = to_block({9: [0.1], 4: [0.2, 0.3]}, t_stop=1 * pq.s)
    block.annotations["units"]["area"] = ["V1", "V2"]
    group = to_pynapple(block)
    assert {k: (group[k].t.tolist(), group.get_info("area")[k]) for k in group} == {
        4: ([0.2, 0.3], "V2"),
        9: ([0.1], "V1"),
    }


def test_counts_with_names():
    pytest.importorskip("xarray")
    block = named()
    counts = to_xarray(block, bin_width=0.25 * pq.s)
    assert counts.dims == ("trial", "neuron", "time")
    # 0.75 begins a bin, 1.0 is the end of the trial
    assert counts.sel(neuron="a", trial=1).values.tolist() == [0, 0, 1, 2]
    assert counts.sel(neuron="b", trial=0).values.tolist() == [1, 1, 0, 0]
    assert int(counts.sum()) == 5
    assert counts.time.values.tolist() == [0.125, 0.375, 0.625, 0.875]
    assert (counts.attrs["units"], counts.time.units, counts.attrs["bin_width"]) == ("1", "s", 0.25)
    assert counts.population.values.tolist() == ["E", "I"]
    assert counts.condition.values.tolist() == ["left", "right"]
    part = to_xarray(block, bin_width=200 * pq.ms, t_start=0.5 * pq.s)
    assert part.sel(trial=1, neuron="a").values.tolist() == [1, 1]  # the last 100 ms are no bin
    np.testing.assert_allclose(part.time, [0.6, 0.8])


def test_arguments_of_the_doors_out():
    for door in (to_dataframe, to_pynapple, lambda x: to_xarray(x, bin_width=1 * pq.ms)):
        with pytest.raises(NsnnError, match=r"expected a neo\.Block"):
            door([[0.1]])
    with pytest.raises(NsnnError, match="bin_width"):
        to_xarray(named(), bin_width=0.1)
    with pytest.raises(NsnnError, match="trials cover different windows"):
        to_xarray(to_block([[[]], [[]]], t_stop=[1, 2] * pq.s), bin_width=0.1 * pq.s)


def test_names_and_ids_that_trains_hold_are_metadata():
    pytest.importorskip("pynapple")
    block, segment = neo.Block(), neo.Segment()
    block.segments.append(segment)
    for k in (4, 2):
        segment.spiketrains.append(neo.SpikeTrain([0.5] * pq.s, t_stop=1.0, name=f"unit {k}", area="V1"))
    group = to_pynapple(block)
    assert list(group.get_info("name")) == ["unit 4", "unit 2"]
    assert list(group.get_info("area")) == ["V1", "V1"]
    for train, k in zip(segment.spiketrains, (33, 14), strict=True):
        train.annotate(id=k)
    assert to_dataframe(block)["unit"].tolist() == [33, 14]

"""The table: every number against a slow loop, the jackknife against leaving trials out by hand."""

import warnings
from functools import partial

import neo
import numpy as np
import pytest
import quantities as pq
from neo.core.spiketrainlist import SpikeTrainList
from numpy.testing import assert_allclose, assert_array_equal

from nsnn_neuro import load, save, tabulate, to_block
from nsnn_neuro.measures import (
    Estimate,
    cv,
    cv2,
    fano_factor,
    firing_rate,
    lv,
    lvr,
    measure,
    response_statistics,
    serial_correlation,
)

COLUMNS = ["block", "population", "neuron", "measure", "value", "se", "n", "unit"]


def make_block(trials, objects=False, **annotations):
    """Block of array lists, or of ordinary SpikeTrain objects, 1 s long."""
    block = to_block(trials, t_stop=1 * pq.s)
    if objects:
        for segment in block.segments:
            segment.spiketrains = SpikeTrainList(items=list(segment.spiketrains), parent=segment)
    block.annotate(**annotations)
    return block


def random_trials(seed, n_trials=6, n_neurons=4, rate=25.0):
    rng = np.random.default_rng(seed)
    return [
        [np.sort(rng.uniform(0, 1, rng.poisson(rate))) for _ in range(n_neurons)] for _ in range(n_trials)
    ]


MEASURES = [
    firing_rate,
    cv,
    cv2,
    lv,
    partial(lvr, refractoriness=2 * pq.ms),
    fano_factor,
    serial_correlation,
    partial(firing_rate, t_start=0.2 * pq.s, t_stop=0.7 * pq.s),
    partial(fano_factor, window=150 * pq.ms, ddof=0, t_start=0.1 * pq.s),
]


@pytest.mark.parametrize("function", MEASURES)
def test_jackknife_equals_leaving_each_trial_out(function):
    trials = random_trials(1)
    table = tabulate(make_block(trials), function)
    left_out = np.array([function(make_block(trials[:k] + trials[k + 1 :])) for k in range(6)])
    se = np.sqrt(5 / 6 * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
    assert_allclose(table["value"], function(make_block(trials)), rtol=1e-12)
    assert_allclose(table["se"], se, rtol=1e-8)
    assert (table["n"] == 6).all()


@pytest.mark.parametrize("objects", [False, True])
def test_any_function_gets_a_jackknife_from_blocks_without_each_trial(objects):
    """The oracle is the fast way; the user's function sees Blocks with signals, annotations and indices."""
    seen = []

    def mine(block):
        seen.append((len(block.segments), block.annotations["note"], block.segments[-1].index))
        assert block.segments[0].analogsignals[0].shape == (3, 1)
        assert block.segments[0].events[0].labels.tolist() == ["go"]
        return firing_rate(block)

    block = make_block(random_trials(3), objects=objects, note="kept")
    for segment in block.segments:
        segment.analogsignals.append(neo.AnalogSignal(np.zeros(3), units="V", sampling_rate=1 * pq.Hz))
        segment.events.append(neo.Event([0.5] * pq.s, labels=["go"]))
    slow, fast = tabulate(block, mine), tabulate(block, firing_rate)
    assert_allclose(slow["value"], fast["value"], rtol=1e-12)
    assert_allclose(slow["se"], fast["se"], rtol=1e-9)
    assert seen == [(6, "kept", 5)] + [(5, "kept", 5)] * 5 + [(5, "kept", 4)]
    assert all(segment.block is block for segment in block.segments)
    assert all(segment.analogsignals[0].segment is segment for segment in block.segments)
    assert all(segment.spiketrains.segment is segment for segment in block.segments)
    if objects:
        assert all(train.segment is segment for segment in block.segments for train in segment.spiketrains)
    else:
        assert all(segment.spiketrains._items is None for segment in block.segments)


def test_columns_names_units_and_populations():
    block = make_block(random_trials(4), populations=[{"name": "e", "size": 3}, {"name": "i", "size": 1}])
    table = tabulate({"a": block, "b": block}, [firing_rate, cv])
    assert list(table.columns) == COLUMNS
    assert list(table["block"]) == ["a"] * 8 + ["b"] * 8
    assert list(table["population"][:4]) == ["e", "e", "e", "i"]
    assert list(table["neuron"][:4]) == [0, 1, 2, 3]
    assert list(table["measure"][:8]) == ["firing_rate"] * 4 + ["cv"] * 4
    assert list(table["unit"][:8]) == ["Hz"] * 4 + ["1"] * 4
    assert table["value"].dtype == float
    assert list(tabulate([block, block], cv)["block"].unique()) == [0, 1]
    assert list(tabulate(make_block(random_trials(4)), cv)["population"].unique()) == ["neurons"]
    named = tabulate(block, {"F 100 ms": partial(fano_factor, window=0.1 * pq.s), "F": fano_factor})
    assert list(named["measure"].unique()) == ["F 100 ms", "F"]
    assert list(tabulate(block, [partial(firing_rate, t_stop=0.5 * pq.s)])["unit"].unique()) == ["Hz"]
    numbered = tabulate(block, {10.0: firing_rate, np.float64(20.5): firing_rate})
    assert numbered["measure"].unique().tolist() == ["10.0", "20.5"]


def test_by_population_is_mean_and_sem_over_neurons_that_have_a_value():
    trials = random_trials(5, n_neurons=5)
    for trial in trials:
        trial[4] = np.empty(0)
    block = make_block(trials, populations=[{"name": "e", "size": 2}, {"name": "i", "size": 3}])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = tabulate(block, [cv], by="population")
        values = tabulate(block, [cv])["value"].to_numpy()
    assert np.isnan(values[4])
    assert list(table["population"]) == ["e", "i"]
    assert table["neuron"].isna().all()
    assert list(table["n"]) == [2, 2]
    assert_allclose(table["value"], [values[:2].mean(), values[2:4].mean()], rtol=1e-12)
    sem = [values[:2].std(ddof=1) / np.sqrt(2), values[2:4].std(ddof=1) / np.sqrt(2)]
    assert_allclose(table["se"], sem, rtol=1e-12)


def test_one_trial_and_values_that_vanish_without_a_trial_have_no_error():
    table = tabulate(make_block([[[0.1, 0.2, 0.4]]]), [cv])
    assert table["se"].isna().all()
    # only the first trial holds intervals, so cv without it doesn't exist
    table = tabulate(make_block([[[0.1, 0.2, 0.4]], [[0.5]]]), [cv])
    assert not table["value"].isna().any()
    assert table["se"].isna().all()
    two = make_block([[[0.1]], [[0.2, 0.3]]])
    for function in (fano_factor, lambda block: fano_factor(block)):
        table = tabulate(two, {"f": function})
        assert_allclose(table["value"], [1 / 3], rtol=1e-12)
        assert table["se"].isna().all()


def test_numbers_and_estimates():
    @measure("bit/s")
    def information(block):
        return Estimate(12.0, se=0.5, n=77)

    def total(block):
        return firing_rate(block).sum()

    trials = random_trials(6)
    for by in ("neuron", "population"):
        table = tabulate(make_block(trials), [information, total, firing_rate], by=by)
        assert list(table.iloc[0][["value", "se", "n", "unit"]]) == [12.0, 0.5, 77, "bit/s"]
        sums = np.array([sum(t.size for t in trial) for trial in trials])
        assert_allclose(
            table.iloc[1][["value", "se"]].astype(float), [sums.mean(), sums.std(ddof=1) / np.sqrt(6)]
        )
        assert table["neuron"].isna()[:2].all()
        assert_array_equal(table["population"][:2], ["", ""])


def test_a_population_too_large_to_name_is_left_out_of_a_file(tmp_path):
    block = make_block(random_trials(4), populations=[{"name": "E", "size": 10**12}])
    assert load(save(block, tmp_path / "a.nwb")).annotations["populations"] == [{"name": "E", "size": 10**12}]


def test_estimates_without_a_value_and_brackets_have_their_rows():
    """An impossible information is NaN in the table, a bracket its middle and a quarter of its width."""
    block = to_block([[[0.1]], [[0.2]]], t_stop=1 * pq.s)
    found = {
        "impossible": lambda block: Estimate(float("nan"), n=40, warning="below zero beyond its error"),
        "bracket": lambda block: Estimate(0.5, 0.1, "bracket", n=40, lower=0.3, upper=0.7),
    }
    table = tabulate(block, found).set_index("measure")
    assert np.isnan(table.loc["impossible", ["value", "se"]].astype(float)).all()
    assert table.loc["bracket", ["value", "se", "n"]].tolist() == [0.5, 0.1, 40]


def test_ids_of_units_stand_beside_their_numbers():
    named = to_block({"PV1": [0.1], "PYR7": [0.1, 0.2]}, t_stop=1 * pq.s)
    plain = to_block([[[0.1], [0.2]]], t_stop=1 * pq.s)
    table = tabulate({"named": named, "plain": plain}, [firing_rate, lambda block: 1.0])
    assert list(table.columns) == [*COLUMNS[:3], "id", *COLUMNS[3:]]
    assert table["id"].where(table["id"].notna(), None).tolist() == ["PV1", "PYR7", *[None] * 4]
    assert table["value"][:2].tolist() == [1.0, 2.0]
    assert list(tabulate(plain, firing_rate).columns) == COLUMNS
    statistics = response_statistics([0], named, window=[0, 1] * pq.s)
    assert statistics[["neuron", "id", "mean_count"]].to_numpy().tolist() == [
        [0, "PV1", 1.0],
        [1, "PYR7", 2.0],
    ]

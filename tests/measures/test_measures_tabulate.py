"""Tables of measures against leaving trials out by hand; how an Estimate prints; the order of conditions in results."""

import warnings
from functools import partial

import neo
import numpy as np
import pandas as pd
import pytest
import quantities as pq
from neo.core.spiketrainlist import SpikeTrainList
from numpy.testing import assert_allclose, assert_array_equal

from nsnn_neuro import NsnnError, measures, tabulate, to_block
from nsnn_neuro.io.selection import split
from nsnn_neuro.measures import Estimate, cv, cv2, fano_factor, firing_rate, lv, lvr, measure
from nsnn_neuro.measures.estimate import jackknife_se
from nsnn_neuro.plotting.align import groups_of

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
    cv,
    cv2,
    lv,
    partial(lvr, refractoriness=2 * pq.ms),
    measures.serial_correlation,
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


def test_ids_of_units_stand_beside_their_numbers():
    named = to_block({"PV1": [0.1], "PYR7": [0.1, 0.2]}, t_stop=1 * pq.s)
    plain = to_block([[[0.1], [0.2]]], t_stop=1 * pq.s)
    table = tabulate({"named": named, "plain": plain}, [firing_rate, lambda block: 1.0])
    assert list(table.columns) == [*COLUMNS[:3], "id", *COLUMNS[3:]]
    assert table["id"].where(table["id"].notna(), None).tolist() == ["PV1", "PYR7", *[None] * 4]
    assert table["value"][:2].tolist() == [1.0, 2.0]
    assert list(tabulate(plain, firing_rate).columns) == COLUMNS
    statistics = measures.response_statistics([0], named, window=[0, 1] * pq.s)
    assert statistics[["id", "mean_count"]].to_numpy().tolist() == [["PV1", 1.0], ["PYR7", 2.0]]
    assert statistics["neuron"].tolist() == [0, 1]


def test_prints_as_one_line_that_names_everything():
    e = Estimate(0.5, 0.125, "miller-madow", 0.01, 0.02, 40, "few trials")
    assert float(e) == 0.5
    assert str(e) == (
        "0.49 ± 0.12 bit over the null (raw 0.5, null 0.01, p = 0.02; correction miller-madow; n = 40; warning: few trials)"
    )
    chosen = Estimate(1.0, 0.1, "nsb", n=9, se_method="posterior", reason="9 samples of 64 symbols")
    assert str(chosen) == (
        "1 ± 0.1 bit (correction nsb, chosen because 9 samples of 64 symbols; se posterior; n = 9)"
    )
    assert str(Estimate(118.3, n=77, unit="bit/s")) == "118.3 bit/s (correction none; n = 77)"


def test_chance_is_not_information():
    """The gain leads text, format and table, and raw bits are named; of other units nothing is taken off."""
    e = Estimate(1.578, 0.12, "panzeri-treves", 1.572, 0.53, 40, null_se=0.05)
    assert (round(e.gain, 9), e.gain_se, e.verdict, float(e)) == (0.006, 0.13, "not above chance", 1.578)
    assert str(e).startswith(
        "0.006 ± 0.13 bit over the null, not above chance (raw 1.578, null 1.572, p = 0.53;"
    )
    assert repr(e) == f"Estimate({e})"
    assert f"{e:.3f}" == "0.006 ± 0.130"
    assert f"{Estimate(0.2):+.1f}" == "+0.2"
    row = e.row()
    assert list(row)[:2] == ["information", "se"]
    values = [row[name] for name in ("information", "se", "verdict", "raw")]
    assert values == [e.gain, e.gain_se, e.verdict, 1.578]
    s, r = np.repeat(np.arange(4), 10), np.arange(40)  # words that come once
    found = measures.mutual_information(s, r)
    table = tabulate(to_block([[[0.1]]] * 40, t_stop=1 * pq.s), {"bits": lambda block: found})
    assert table[["value", "se"]].to_numpy().tolist() == [[found.gain, found.gain_se]]
    raw = measures.mutual_information(s, r, n_shuffle=0)
    assert np.isnan(raw.gain)
    assert np.isnan(raw.row()["information"])
    assert str(Estimate(0.7, 0.1, null_mean=0.5, p=0.2, n=9, unit="1")).startswith("0.7 ± 0.1 (")
    below = measures.synergy(s % 2, s % 2, s % 2)  # redundancy, two-sided
    assert (below.gain < 0, below.verdict) == (True, "below chance")


def test_measure_marks_and_leaves_the_function_alone():
    def f(block):
        return block

    assert measure("Hz", parts=len, scale="log")(f) is f
    assert vars(f) == {"unit": "Hz", "parts": len, "scale": "log"}


def test_the_jackknife_of_equal_trials_is_0_and_that_of_small_differences_is_kept():
    """49 equal trials leave out the same value but for rounding; a spread of 1e-9 of the value is one."""
    block = to_block([[np.arange(0.005, 0.3, 0.007)]] * 49, t_stop=0.3 * pq.s)
    assert tabulate(block, [measures.firing_rate, measures.cv])["se"].tolist() == [0.0, 0.0]
    rounded = 1 / 3 + np.array([0, 1, 0, 2, 1]) * np.spacing(1 / 3)
    assert jackknife_se(rounded) == 0.0
    assert jackknife_se(rounded, np.array([1, 2, 1, 1, 3])) == 0.0
    small = 5 * (1 + np.array([-1e-9, 0.0, 1e-9]))
    assert jackknife_se(small) == pytest.approx(5e-9 * np.sqrt(2 / 3 * 2), rel=1e-6)
    both = jackknife_se(np.array([[1.0, np.nan], [1.0, 2.0]]))
    assert both[0] == 0.0
    assert np.isnan(both[1])
    assert np.isnan(jackknife_se(np.array([1.0])))


SIZES = ["small", "medium", "large"]
LABELS = np.tile(["medium", "large", "small"], 8)
RATES = {"small": 2, "medium": 9, "large": 25}
COUNTS = np.random.default_rng(0).poisson([RATES[label] for label in LABELS])
BLOCK = to_block([[np.linspace(0.1, 0.9, n)] for n in COUNTS], t_stop=1 * pq.s)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("labels", "order"),
    [
        (LABELS, sorted(SIZES)),
        (pd.Series(LABELS), sorted(SIZES)),
        (pd.Categorical(LABELS, ["none", *SIZES]), SIZES),
        (pd.Series(pd.Categorical(LABELS, SIZES, ordered=True)), SIZES),
    ],
)
def test_conditions_are_sorted_or_in_the_order_of_their_categories(labels, order):
    mean = [COUNTS[one == LABELS].mean() for one in order]
    assert list(split(BLOCK, labels)) == order
    assert [name for name, _ in groups_of(labels, np.arange(24), 24)] == order
    curve = measures.tuning_curve(labels, BLOCK)
    assert curve.values.tolist() == order
    assert_allclose(curve.mean[0], mean)
    assert curve.preferred.tolist() == ["large"]
    table = measures.response_statistics(labels, BLOCK, window=[0, 1] * pq.s)
    assert table["condition"].tolist() == order
    assert_allclose(table["mean_count"], mean)
    fit = measures.modulated_poisson(labels, COUNTS)
    assert fit.labels.tolist() == order
    assert_allclose(fit.rate, mean)


def test_numbers_of_a_tuning_curve_ascend_and_missing_texts_are_named():
    angle = np.tile([0.0, 90.0, 45.0], 8)
    curve = measures.tuning_curve(pd.Categorical(angle, [90.0, 0.0, 45.0]), BLOCK)
    assert curve.values.tolist() == [0.0, 45.0, 90.0]
    labels = pd.Categorical([None, *LABELS[1:]], SIZES)
    with pytest.raises(NsnnError, match=r"stimulus\[0\] = nan \(1 of 24 are missing\)"):
        measures.tuning_curve(labels, BLOCK)


@pytest.mark.parametrize("decoder", [measures.PoissonMAP(), measures.LinearDiscriminant()])
def test_decoding_is_the_same_but_for_the_order(decoder):
    features = np.stack([COUNTS, COUNTS[::-1] % 5], axis=1)
    plain = measures.decode(LABELS, features, decoder=decoder, n_shuffle=5)
    other = measures.decode(pd.Categorical(LABELS, SIZES), features, decoder=decoder, n_shuffle=5)
    assert plain.labels.tolist() == sorted(SIZES)
    assert other.labels.tolist() == SIZES
    at = [sorted(SIZES).index(one) for one in SIZES]
    assert_array_equal(other.predictions, plain.predictions)
    assert_array_equal(other.confusion, plain.confusion[np.ix_(at, at)])
    assert_allclose(other.probabilities, plain.probabilities[:, at])
    assert other.p == plain.p


def test_sources_of_a_network_are_not_listed():
    kinds = {"in": "PoissonSource", "given": "Relay", "out": "LIF"}
    block = to_block([[[0.1], [0.2], [0.3, 0.4]]], t_stop=1 * pq.s)
    block.annotations["populations"] = [{"name": name, "size": 1} for name in kinds]
    model = {"populations": [{"name": name, "neuron": {"type": kind}} for name, kind in kinds.items()]}
    block.annotations["parameters"] = {"model": model}
    for by in ("neuron", "population"):
        table = tabulate(block, measures.firing_rate, by=by)
        assert table[["population", "value"]].to_numpy().tolist() == [["out", 2.0]]
    assert list(tabulate(block, measures.firing_rate)["neuron"]) == [2]
    del model["populations"][2]
    block = to_block([[[0.1], [0.2]]], t_stop=1 * pq.s)
    block.annotate(populations=[{"name": n, "size": 1} for n in ("in", "given")], parameters={"model": model})
    assert len(tabulate(block, measures.firing_rate)) == 2  # sources alone are the neurons

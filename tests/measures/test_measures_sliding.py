"""Measures in sliding windows: against loops over windows and trials, and results with errors of their own."""

from functools import partial

import numpy as np
import pytest
import quantities as pq
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from nsnn_neuro import align, measures, plotting, tabulate, to_block

LABELS = np.tile([0, 1], 30)


def trials(seed=1, n=60, n_neurons=2):
    """20 Hz, and with label 1 another 40 Hz from 0.4 to 0.6 s."""
    rng = np.random.default_rng(seed)
    return [
        [np.sort(np.append(rng.random(rng.poisson(20)), rng.uniform(0.4, 0.6, rng.poisson(8 * s)))) for _ in range(n_neurons)]
        for s in np.resize(LABELS, n)
    ]  # fmt: skip


BLOCK = to_block(trials(), t_stop=1 * pq.s)


def counts_between(a, b):
    return np.array([[((t >= a) & (t < b)).sum() for t in trial] for trial in trials()])


@pytest.mark.parametrize("function", [measures.fano_factor, lambda block: measures.fano_factor(block)])
def test_values_and_errors_are_those_of_a_loop(function):
    """A measure of sums, and any function, which gets Blocks."""
    table = measures.over_time(function, BLOCK, window=200 * pq.ms, n_groups=60)
    assert table.columns.tolist() == ["neuron", "time", "value", "se", "n"]
    assert_allclose(table["time"], np.tile(np.arange(9) / 10 + 0.1, 2))
    assert table["neuron"].tolist() == [0] * 9 + [1] * 9
    assert (table["n"] == 60).all()
    x = counts_between(0.4, 0.6)
    left = np.array([np.delete(x, k, 0).var(0, ddof=1) / np.delete(x, k, 0).mean(0) for k in range(60)])
    row = table[np.isclose(table["time"], 0.5)]
    assert_allclose(row["value"], x.var(axis=0, ddof=1) / x.mean(axis=0), rtol=1e-9)
    assert_allclose(row["se"], np.sqrt(59 * left.var(axis=0)), rtol=1e-9)


def test_limits_are_those_of_a_table_of_the_window():
    table = measures.over_time(measures.fano_factor, BLOCK, window=0.5 * pq.s, confidence=0.9)
    one = tabulate(BLOCK, partial(measures.fano_factor, t_start=0.5 * pq.s), confidence=0.9)
    last = table[np.isclose(table["time"], 0.75)]
    assert_allclose(last[["lower", "upper"]], one[["lower", "upper"]], rtol=1e-9)


def test_the_fano_factor_per_bin_with_its_times():
    """`per="bin"` says that the middle of window k is (k + 1/2) window after the start."""
    per_bin = measures.fano_factor(BLOCK, window=0.1 * pq.s, per="bin", t_start=0.2 * pq.s)
    table = measures.over_time(
        measures.fano_factor, BLOCK, window=0.1 * pq.s, step=0.1 * pq.s, t_start=0.2 * pq.s
    )
    assert_allclose(table["value"], per_bin.ravel(), rtol=1e-9)
    assert_allclose(table["time"], np.tile(0.2 + 0.1 * (np.arange(8) + 0.5), 2))


def test_stimuli_go_with_their_trials():
    by_keyword = measures.over_time(
        measures.fano_factor, BLOCK, window=0.2 * pq.s, stimulus=LABELS, n_groups=60
    )
    first = measures.over_time(
        lambda s, b: measures.fano_factor(b, stimulus=s), BLOCK, window=0.2 * pq.s, stimulus=LABELS, n_groups=60
    )  # fmt: skip
    assert_allclose(first[["value", "se"]], by_keyword[["value", "se"]], rtol=1e-9)
    pooled = measures.over_time(measures.fano_factor, BLOCK, window=0.2 * pq.s)
    assert (by_keyword["value"] < pooled["value"] + 0.05).all()
    assert (pooled["value"] - by_keyword["value"]).max() > 0.3


def test_groups_of_trials_have_all_stimuli_and_the_error_of_a_mean():
    seen = []

    def rate(stimulus, block):
        seen.append(np.bincount(stimulus))
        return measures.firing_rate(block)

    block = to_block(trials(3, 600, 1), t_stop=1 * pq.s)
    table = measures.over_time(
        rate, block, window=1 * pq.s, stimulus=np.resize(LABELS, 600), n_groups=30, t_stop=1 * pq.s
    )
    assert len(seen) == 31
    assert all(number.tolist() == [290, 290] for number in seen[1:])
    expected = measures.over_time(measures.firing_rate, block, window=1 * pq.s)
    assert_allclose(table["value"], expected["value"])
    assert abs(table["se"][0] / expected["se"][0] - 1) < 3 / np.sqrt(2 * 30)


def test_information_and_decoding_keep_their_own_errors():
    options = {"window": 200 * pq.ms, "step": 200 * pq.ms, "stimulus": LABELS}
    x, inside = counts_between(0.4, 0.6), {"t_start": 0.4 * pq.s, "t_stop": 0.6 * pq.s}
    table = measures.over_time(measures.mutual_information, BLOCK, n_shuffle=20, **options)
    assert table["neuron"].tolist() == [0] * 5 + [1] * 5
    for j in (0, 1):
        expected = measures.mutual_information(LABELS, x[:, j], n_shuffle=20)
        assert table.iloc[5 * j + 2][["value", "se", "n"]].tolist() == [*expected.headline, 60]
    decoded = measures.over_time(measures.decode, BLOCK, n_shuffle=0, **options)
    expected = measures.decode(LABELS, BLOCK, n_shuffle=0, **inside)
    assert decoded["neuron"].isna().all()
    assert decoded.iloc[2][["value", "se", "n"]].tolist() == [expected.accuracy, expected.se, 60]
    assert decoded["value"].argmax() == 2


def test_aligned_trials_ids_and_the_figure():
    block = align(BLOCK, 0.3 + 0.2 * (LABELS == 1))
    block.annotations["units"] = {"id": ["a", "b"]}
    table = measures.over_time(partial(measures.firing_rate), block, window=0.1 * pq.s, step=0.05 * pq.s)
    assert 0 in table["time"].tolist()
    table = measures.over_time(partial(measures.firing_rate), block, window=0.1 * pq.s, step=0.1 * pq.s)
    assert_allclose(table["time"][:8], -0.3 + 0.1 * np.arange(8) + 0.05)
    assert table["id"].tolist() == ["a"] * 8 + ["b"] * 8
    ax = plotting.measure_against(table, "time", hue="neuron", ax=Figure().subplots())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (ms)", "firing rate (Hz)")
    assert len(ax.lines) >= 2


def test_warnings_of_windows_are_given_once():
    drifting = to_block([[np.linspace(0.01, 0.99, k + 4)] for k in range(60)], t_stop=1 * pq.s)
    with pytest.warns(measures.TrialDriftWarning) as caught:
        measures.over_time(measures.fano_factor, drifting, window=0.25 * pq.s)
    assert len(caught) == 1


@pytest.mark.parametrize("function", [measures.fano_factor, lambda block: measures.fano_factor(block)])
def test_the_mean_over_neurons_leaves_out_those_without_a_value(function):
    block = to_block([[*trial, [0.1] * (k % 2)] for k, trial in enumerate(trials())], t_stop=1 * pq.s)
    block.annotations["populations"] = [{"name": "E", "size": 2}, {"name": "I", "size": 1}]
    options = {"window": 0.25 * pq.s, "step": 0.25 * pq.s}
    each = measures.over_time(function, block, **options)["value"].to_numpy().reshape(3, 4)
    table = measures.over_time(function, block, by="population", **options)
    assert table.columns.tolist() == ["population", "time", "value", "se", "n"]
    assert table["population"].tolist() == ["E"] * 4 + ["I"] * 4
    assert_allclose(table["value"], [*each[:2].mean(axis=0), *each[2]])
    assert_allclose(table["se"][:4], each[:2].std(axis=0, ddof=1) / np.sqrt(2))
    assert table["n"].tolist() == [2] * 4 + [1, 0, 0, 0]
    with pytest.warns(UserWarning, match="3 of 4 windows.*by='population'"):
        measures.over_time(lambda block: measures.fano_factor(block).mean(), block, **options)

"""Response tests, ZETA and statistics by condition: scipy's values, enumeration, uniform p under the null, coverage."""

from __future__ import annotations

import itertools
from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
from scipy.stats import binomtest, kstest, rankdata, wilcoxon

from nsnn_neuro import NsnnError, measures, to_block


def trials(rng: np.random.Generator, n: int, before: float, after: float, n_neurons: int = 1) -> neo.Block:
    """Poisson rates in Hz in the first and second half of trials of 1 s."""
    data = []
    for _ in range(n):
        data.append([
            np.sort(np.concatenate([rng.uniform(0, 0.5, rng.poisson(before / 2)), rng.uniform(0.5, 1, rng.poisson(after / 2))]))
            for _ in range(n_neurons)
        ])  # fmt: skip
    return to_block(data, t_stop=1 * pq.s)


HALVES: dict[str, Any] = {"baseline": [0, 500] * pq.ms, "window": [500, 1000] * pq.ms}


def from_differences(differences: Any) -> neo.Block:
    """Trials whose counts in the halves differ by these whole numbers."""
    data = []
    for d in differences:
        early, late = max(-d, 0), max(d, 0)
        data.append([np.concatenate([0.001 * np.arange(early) + 0.1, 0.001 * np.arange(late) + 0.6])])
    return to_block(data, t_stop=1 * pq.s)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_the_signed_rank_test_is_scipys_without_ties_and_exact_with_them(alternative: str) -> None:
    untied = [3, -1, 5, 2, 8, -4, 7, 6]
    test = measures.response_test(from_differences(untied), alternative=alternative, **HALVES)
    assert test.p[0] == pytest.approx(
        wilcoxon(untied, alternative=alternative, method="exact").pvalue, rel=1e-12
    )
    tied = np.array([1, 1, -1, 2, 3, 3, 0, 1])
    nonzero = tied[tied != 0]
    ranks = rankdata(np.abs(nonzero))
    null = np.array([ranks[list(signs)].sum() for signs in (
        np.flatnonzero(pattern) for pattern in itertools.product([0, 1], repeat=nonzero.size))])  # fmt: skip
    plus = ranks[nonzero > 0].sum()
    upper, lower = (null >= plus - 1e-9).mean(), (null <= plus + 1e-9).mean()
    expected = {"greater": upper, "less": lower, "two-sided": min(1, 2 * min(upper, lower))}[alternative]
    test = measures.response_test(from_differences(tied), alternative=alternative, **HALVES)
    assert test.p[0] == pytest.approx(expected, rel=1e-12)


def test_many_trials_and_the_sign_test() -> None:
    rng = np.random.default_rng(0)
    data = trials(rng, 120, 10, 12)
    counts = np.stack(
        [measures.as_trains(data, *(np.array(w) * pq.s)).counts[:, 0] for w in ((0, 0.5), (0.5, 1))]
    )
    d = (counts[1] - counts[0]) * 2.0
    test = measures.response_test(data, **HALVES)
    approximate = wilcoxon(d[d != 0], correction=True, method="approx").pvalue
    assert test.p[0] == pytest.approx(approximate, rel=1e-9)
    assert test.difference[0] == pytest.approx(d.mean())
    assert test.se[0] == pytest.approx(d.std(ddof=1) / np.sqrt(120))
    assert (test.response[0], test.baseline[0]) == (counts[1].mean() * 2, counts[0].mean() * 2)
    sign = measures.response_test(data, test="sign", **HALVES)
    assert sign.p[0] == pytest.approx(binomtest(int((d > 0).sum()), int((d != 0).sum())).pvalue)


def test_windows_of_other_lengths_compare_rates() -> None:
    data = trials(np.random.default_rng(1), 40, 20, 20, 30)
    test = measures.response_test(data, baseline=[0, 800] * pq.ms, window=[800, 1000] * pq.ms)
    assert np.abs(test.difference / test.se).max() < 4
    assert test.response.mean() == pytest.approx(20, abs=1)


@pytest.mark.parametrize("test", ["wilcoxon", "sign"])
def test_p_holds_its_level_and_se_covers(test: str) -> None:
    """400 neurons in one Block: p <= 0.05 in at most 5 %, |difference| <= 2 se in at least 90 %; power for 20 against 40 Hz."""
    data = trials(np.random.default_rng(2), 24, 20, 20, 400)
    result = measures.response_test(data, test=test, **HALVES)
    assert (result.p <= 0.05).mean() < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
    assert (np.abs(result.difference) <= 2 * result.se).mean() > 0.9
    if test == "wilcoxon":
        assert kstest(result.p, "uniform").statistic < 0.1
    power = measures.response_test(trials(np.random.default_rng(3), 24, 20, 40, 50), test=test, **HALVES)
    assert (power.p <= 0.05).mean() > 0.9


def test_no_difference_in_any_trial_has_p_1() -> None:
    test = measures.response_test(to_block([[[]], [[]]], t_stop=1 * pq.s), **HALVES)
    assert test.p.tolist() == [1.0]


# --- statistics by condition --------------------------------------------------------------------------------------


def test_statistics_by_condition() -> None:
    rng = np.random.default_rng(4)
    data, labels = trials(rng, 30, 4, 30, 2), np.array(["b", "a", "c"] * 10)
    table = measures.response_statistics(labels, data, window=[500, 600] * pq.ms)
    assert table.columns.tolist() == [
        "condition", "neuron", "n", "mean_count", "mean_count_se", "variance", "fano", "p_no_spike", "mean_latency",
        "latency_se", "jitter",
    ]  # fmt: skip
    assert table["condition"].tolist() == ["a", "a", "b", "b", "c", "c"]
    for _, row in table.iterrows():
        counts, first = [], []
        for k in np.flatnonzero(labels == row["condition"]):
            times = data.segments[k].spiketrains[row["neuron"]].magnitude
            inside = times[(times >= 0.5) & (times < 0.6)]
            counts.append(inside.size)
            first += [inside[0] - 0.5] if inside.size else []
        assert row["n"] == 10
        assert row["mean_count"] == pytest.approx(np.mean(counts))
        assert row["variance"] == pytest.approx(np.var(counts, ddof=1))
        assert row["fano"] == pytest.approx(np.var(counts, ddof=1) / np.mean(counts))
        assert row["p_no_spike"] == pytest.approx(np.mean(np.array(counts) == 0))
        assert row["mean_latency"] == pytest.approx(np.mean(first))
        assert row["jitter"] == pytest.approx(np.std(first, ddof=1))
        assert row["latency_se"] == pytest.approx(np.std(first, ddof=1) / np.sqrt(len(first)))


def test_errors_of_counts_and_latencies_cover() -> None:
    """Poisson 50 Hz in 0.1 s: mean count 5, mean latency of the first spike 1/50 s, cut at 0.1 s; 300 neurons."""
    data = trials(np.random.default_rng(5), 30, 0, 50, 300)
    table = measures.response_statistics(np.zeros(30, int), data, window=[500, 600] * pq.ms)
    latency = 0.02 - 0.1 * np.exp(-5) / (1 - np.exp(-5))
    for value, se, truth in (("mean_count", "mean_count_se", 5.0), ("mean_latency", "latency_se", latency)):
        assert (np.abs(table[value] - truth) <= 2 * table[se]).mean() > 0.9


# --- ZETA -----------------------------------------------------------------------------------------------------------


def recording(
    rng: np.random.Generator, n_events: int, n_neurons: int, locked: int, rate: float = 8.0
) -> tuple[neo.Block, np.ndarray]:
    """Poisson trains, with `locked` further spikes about 150 ms after as many of the events, 1 s apart."""
    events = 2.0 + np.arange(n_events) + rng.uniform(0, 0.05, n_events)
    stop = n_events + 5.0
    trains = []
    for _ in range(n_neurons):
        extra = rng.choice(events, locked, replace=False) + rng.normal(0.15, 0.01, locked)
        trains.append(np.sort(np.concatenate([rng.uniform(0, stop, rng.poisson(rate * stop)), extra])))
    return to_block([trains], t_stop=stop * pq.s), events


def test_zeta_by_its_definition() -> None:
    rng = np.random.default_rng(6)
    data, events = recording(rng, 20, 2, 5)
    result = measures.zeta_test(data, events * pq.s, duration=0.9 * pq.s, n_shuffle=50)
    spikes = data.segments[0].spiketrains[1].magnitude
    after = np.sort(np.concatenate([spikes[(spikes >= e) & (spikes < e + 0.9)] - e for e in events]))
    d = np.arange(1, after.size + 1) / after.size - after / 0.9
    d -= d.mean()
    k = np.abs(d).argmax()
    assert result.deviation[1] == pytest.approx(d[k], rel=1e-12)
    assert result.latency[1] == pytest.approx(after[k])
    assert result.n_spikes[1] == after.size
    assert result.n_events == 20


@pytest.mark.slow
@pytest.mark.parametrize("circles", [False, True])
def test_zeta_p_is_uniform_without_a_response(circles: bool) -> None:
    """300 neurons, in 10 recordings: Gumbel and resampled p."""
    rng = np.random.default_rng(7)
    results = []
    for k in range(10):
        if circles:
            results.append(measures.zeta_test(trials(rng, 40, 10, 10, 30), seed=k))
        else:
            data, events = recording(rng, 40, 30, 0)
            results.append(measures.zeta_test(data, events * pq.s, duration=0.9 * pq.s, seed=k))
    for name in ("p", "p_resampled"):
        p = np.concatenate([getattr(r, name) for r in results])
        assert kstest(p, "uniform").pvalue > 0.01
        assert (p <= 0.05).mean() < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def test_zeta_finds_a_response_and_its_time() -> None:
    rng = np.random.default_rng(8)
    data, events = recording(rng, 60, 12, 40, 3.0)
    result = measures.zeta_test(data, events * pq.s, duration=0.9 * pq.s)
    assert (result.p < 0.01).mean() > 0.9
    assert (np.abs(np.median(result.latency) - 0.15) < 0.05).all()
    assert (result.zeta[result.p < 0.01] > 2.5).all()
    circles = measures.zeta_test(trials(rng, 60, 10, 20, 10))
    assert (circles.p < 0.01).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda b: measures.response_test(b, baseline=[0, 0.5] * pq.s, window=[0.5, 1.2] * pq.s), "window = .*share 0 to 1 s"),
        (lambda b: measures.response_test(b, baseline=[0.5, 0] * pq.s, window=[0.5, 1] * pq.s), "baseline = .*start first"),
        (lambda b: measures.response_test(b, test="t", **HALVES), "test = 't'"),
        (lambda b: measures.response_statistics([1], b, window=[0, 1] * pq.s), "one label per trial"),
        (lambda b: measures.zeta_test(b, [0.1, 0.5] * pq.s), "with events expected one, the whole recording"),
        (lambda b: measures.zeta_test(b, duration=2 * pq.s), "duration = 2 s: longer than the trials"),
        (lambda b: measures.zeta_test(b, n_shuffle=5), "n_shuffle = 5"),
        (lambda b: measures.zeta_test(to_block([[[0.1]]], t_stop=1 * pq.s), [0.1, 0.5] * pq.s), "moved windows reach from -0.3"),
        (lambda b: measures.zeta_test(to_block([[[0.1]]], t_stop=1 * pq.s), [0.1, 0.1] * pq.s), "a time twice"),
    ],
)  # fmt: skip
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(NsnnError, match=message):
        call(trials(np.random.default_rng(0), 4, 10, 10))

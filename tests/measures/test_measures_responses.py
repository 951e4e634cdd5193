"""Response tests, ZETA and statistics by condition: scipy's values, enumeration, uniform p under the null, coverage."""

from __future__ import annotations

import itertools
from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
from scipy.signal import lfilter
from scipy.stats import binomtest, kstest, rankdata, wilcoxon

from nsnn_neuro import align, measures, select, to_block


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


@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
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


def test_many_trials_with_ties_are_ranked_by_their_counts() -> None:
    """0.6 - 0.3 and 0.3 - 0 round differently, so that quotients of equal counts differ: ranks are those of whole numbers."""
    rng = np.random.default_rng(10)
    counts = np.array([rng.poisson(3, 150), rng.poisson(4, 150)])
    trials = [[np.sort(np.append(rng.uniform(0, 0.3, a), rng.uniform(0.6, 0.9, b)))] for a, b in counts.T]
    block, d = to_block(trials, t_stop=1 * pq.s), counts[1] - counts[0]
    windows = {"baseline": [0, 0.3] * pq.s, "window": [0.6, 0.9] * pq.s}
    test = measures.response_test(block, **windows)
    expected = wilcoxon(d[d != 0], correction=True, method="approx").pvalue
    assert test.p[0] == pytest.approx(expected, rel=1e-12)
    assert test.difference[0] == pytest.approx(d.mean() / 0.3)
    assert test.se[0] == pytest.approx(d.std(ddof=1) / 0.3 / np.sqrt(150))
    assert [test.baseline[0], test.response[0]] == pytest.approx(counts.mean(axis=1) / 0.3)
    sign = measures.response_test(block, test="sign", **windows)
    assert sign.p[0] == pytest.approx(binomtest(int((d > 0).sum()), int((d != 0).sum())).pvalue)
    silent = measures.response_test(to_block([[[]], [[]]], t_stop=1 * pq.s), **HALVES)
    assert silent.p.tolist() == [1.0]


@pytest.mark.slow
def test_p_holds_its_level_and_se_covers() -> None:
    """400 neurons in one Block: p <= 0.05 in at most 5 %, |difference| <= 2 se in at least 90 %; power for 20 against 40 Hz."""
    result = measures.response_test(trials(np.random.default_rng(2), 24, 20, 20, 400), **HALVES)
    assert (result.p <= 0.05).mean() < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
    assert (np.abs(result.difference) <= 2 * result.se).mean() > 0.9
    assert kstest(result.p, "uniform").statistic < 0.1
    power = measures.response_test(trials(np.random.default_rng(3), 24, 20, 40, 50), **HALVES)
    assert (power.p <= 0.05).mean() > 0.9


def test_statistics_by_condition() -> None:
    rng = np.random.default_rng(4)
    data, labels = trials(rng, 30, 4, 30, 2), np.array(["b", "a", "c"] * 10)
    table = measures.response_statistics(labels, data, window=[500, 600] * pq.ms)
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
        assert row["mean_count_se"] == pytest.approx(np.std(counts, ddof=1) / np.sqrt(10))
        assert row["variance"] == pytest.approx(np.var(counts, ddof=1))
        assert row["fano"] == pytest.approx(np.var(counts, ddof=1) / np.mean(counts))
        assert row["p_no_spike"] == pytest.approx(np.mean(np.array(counts) == 0))
        assert row["mean_latency"] == pytest.approx(np.mean(first))
        assert row["jitter"] == pytest.approx(np.std(first, ddof=1))
        assert row["latency_se"] == pytest.approx(np.std(first, ddof=1) / np.sqrt(len(first)))


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
    """120 neurons, in 4 recordings: Gumbel and resampled p."""
    rng = np.random.default_rng(7)
    results = []
    for k in range(4):
        if circles:
            block = trials(rng, 40, 10, 10, 30)
            results.append(measures.zeta_test(align(block, 0.5 * pq.s) if k % 2 else block, seed=k))
        else:
            data, events = recording(rng, 40, 30, 0)
            results.append(measures.zeta_test(data, events * pq.s, duration=0.9 * pq.s, seed=k))
    for name in ("p", "p_resampled"):
        p = np.concatenate([getattr(r, name) for r in results])
        assert kstest(p, "uniform").pvalue > 0.01
        assert (p <= 0.05).mean() < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 120)


@pytest.mark.slow
@pytest.mark.parametrize("circles", [False, True])
def test_zeta_p_holds_its_level_for_sparse_neurons(circles: bool) -> None:
    """2 spikes a neuron on average, 500 neurons: of those with a value 5 % or fewer have p <= 0.05."""
    rng = np.random.default_rng(11)
    if circles:
        counts = rng.poisson(2 / 20, (20, 500))
        block = to_block([[np.sort(rng.random(c)) for c in row] for row in counts], t_stop=1 * pq.s)
        events = None
    else:
        trains = [np.sort(rng.uniform(0, 25, rng.poisson(2 * 25 / 20))) for _ in range(500)]
        block, events = to_block([trains], t_stop=25 * pq.s), (2.0 + np.arange(20)) * pq.s
    with pytest.warns(measures.SilentNeuronWarning, match="fewer than 3 spikes"):
        result = measures.zeta_test(block, events)
    few = result.n_spikes < 3
    for p in (result.p, result.p_resampled):
        assert np.isnan(p[few]).all()
        seen = p[~np.isnan(p)]
        assert seen.size > 100
        assert (seen <= 0.05).mean() < 0.05 + 3 * np.sqrt(0.05 * 0.95 / seen.size)
        assert (seen <= 0.3).mean() > 0.1
    # null values with too few spikes would be small
    assert seen.mean() > 0.5 - 4 * 0.29 / np.sqrt(seen.size)


@pytest.mark.parametrize("events", [None, (1 + np.arange(30)) * pq.s])
def test_zeta_p_is_uniform_for_times_in_bins(events: Any) -> None:
    """Bins of 20 ms: each holds spikes of about 6 of the trials, which raises the deviation."""
    spikes = np.random.default_rng(13).random((33, 50, 40)) < 0.2
    spikes = spikes if events is None else spikes.reshape(1, -1, 40)
    trains = [[0.02 * np.flatnonzero(train) for train in trial.T] for trial in spikes]
    block = to_block(trains, t_stop=0.02 * spikes.shape[1] * pq.s)
    assert kstest(measures.zeta_test(block, events).p, "uniform").pvalue > 0.01


def test_zeta_of_equal_null_values_has_the_p_of_its_rank() -> None:
    """Spikes at the same time of the trial and no time passed between them: all rotations give the same deviation."""
    data = to_block([[[0.5, 0.5, 0.5]], [[]]], t_stop=1 * pq.s)
    result = measures.zeta_test(data, n_shuffle=20)
    assert result.p.tolist() == result.p_resampled.tolist() == [1.0]


def test_zeta_events_may_touch() -> None:
    """Events a duration apart by rounding are accepted."""
    data = to_block([[np.arange(0.05, 20, 0.07)]], t_stop=20 * pq.s)
    measures.zeta_test(data, (2 + 0.1 * np.arange(20)) * pq.s, duration=0.1 * pq.s, n_shuffle=10)


def test_zeta_finds_a_response_and_its_time() -> None:
    rng = np.random.default_rng(8)
    data, events = recording(rng, 60, 12, 40, 3.0)
    result = measures.zeta_test(data, events * pq.s, duration=0.9 * pq.s)
    assert (result.p < 0.01).mean() > 0.9
    assert (np.abs(np.median(result.latency) - 0.15) < 0.05).all()
    assert (result.zeta[result.p < 0.01] > 2.5).all()
    circles = measures.zeta_test(trials(rng, 60, 10, 20, 10))
    assert (circles.p < 0.01).all()


def test_zeta_takes_time_0_of_aligned_trials_as_their_event() -> None:
    """By its definition, for trials that begin at other times before their event."""
    rng = np.random.default_rng(12)
    onset = rng.uniform(0.3, 0.5, 30)
    data = to_block(
        [[np.sort(rng.uniform(0, 1, 12)), np.append(rng.uniform(0, 1, 4), t + 0.1)] for t in onset],
        t_stop=1 * pq.s,
    )
    aligned = align(data, onset)
    result = measures.zeta_test(aligned, duration=0.4 * pq.s)
    after = np.concatenate([segment.spiketrains[0].magnitude for segment in aligned.segments])
    after = np.sort(after[(after >= 0) & (after <= 0.4)])
    d = np.arange(1, after.size + 1) / after.size - after / 0.4
    d -= d.mean()
    assert result.deviation[0] == pytest.approx(d[np.abs(d).argmax()], rel=1e-12)
    assert result.latency[0] == pytest.approx(after[np.abs(d).argmax()])
    assert result.n_events == 30
    assert result.p[0] > 0.05
    assert result.p[1] < 1e-4
    whole = measures.zeta_test(aligned)
    assert whole.n_spikes[0] == sum(
        ((t >= 0) & (t <= 1 - onset.max())).sum()
        for t in (s.spiketrains[0].magnitude for s in aligned.segments)
    )


def responding(
    rng: np.random.Generator, n_neurons: int, kinds: tuple[str, ...] = (), n: int = 40
) -> neo.Block:
    """Trials from -0.3 to 0.3 s of Poisson trains of 20 Hz; the first neurons respond from 60 ms on, in these ways."""

    def train(kind: str | None) -> np.ndarray:
        t = rng.uniform(-0.3, 0.3, rng.poisson(12))
        if kind == "more":
            t = np.append(t, rng.uniform(0.06, 0.3, rng.poisson(7)))
        elif kind == "burst":
            t = np.append(t, rng.uniform(0.06, 0.09, rng.poisson(3)))
        elif kind == "less":
            t = t[(t < 0.06) | (rng.random(t.size) < 0.2)]
        return np.sort(t)

    named = [*kinds, *[None] * (n_neurons - len(kinds))]
    return to_block([[train(kind) for kind in named] for _ in range(n)], **WHOLE)


WHOLE: dict[str, Any] = {"t_start": -300 * pq.ms, "t_stop": 300 * pq.ms}
WINDOWS: dict[str, Any] = {"baseline": [-300, 0] * pq.ms, "response": [0, 300] * pq.ms}


@pytest.mark.parametrize("method", ["zeta", "paired"])
def test_responsive_units_and_their_latencies(method: str) -> None:
    data = responding(np.random.default_rng(13), 12, ("more", "burst", "less"))
    table = measures.responsive_units(data, method=method, **WINDOWS)
    assert table.columns.tolist() == ["neuron", "p", "q", "responds", "latency", "latency_se"]
    if method == "paired":
        assert (
            table.p == measures.response_test(data, baseline=[-300, 0] * pq.ms, window=[0, 300] * pq.ms).p
        ).all()
    order = np.argsort(table.p)
    q = np.minimum.accumulate((table.p[order] * 12 / np.arange(1, 13))[::-1])[::-1]
    np.testing.assert_allclose(table.q[order], np.minimum(q, 1))
    assert (table.responds == (table.q <= 0.05)).all()
    assert table.responds[:3].all()
    assert (np.abs(table.latency[:3] - 0.06) < 3 * table.latency_se[:3] + 0.001).all()
    assert (table.latency_se[:3] < 0.02).all()
    assert table[~table.responds][["latency", "latency_se"]].isna().all(axis=None)
    chosen = select(data, units=table.neuron[table.responds])
    assert len(chosen.segments[0].spiketrains) == table.responds.sum()
    strict = measures.responsive_units(data, method=method, alpha=1e-12, n_resample=0, **WINDOWS)
    assert strict.responds.sum() < 3


def test_latency_without_spikes_before_or_after() -> None:
    """A neuron silent in the baseline begins at its first spike; one silent in the response may have ended before it."""
    rng = np.random.default_rng(14)
    data = to_block(
        [[[0.72 + 0.05 * rng.random()], np.sort(rng.uniform(0, 0.5, 3))] for _ in range(20)], t_stop=1 * pq.s
    )
    data.annotations["units"] = {"id": ["on", "off"]}
    with pytest.warns(UserWarning, match=r"1 of 2 .*\[1\].*edge|edge.*\[1\]"):
        table = measures.responsive_units(data, baseline=[0, 0.5] * pq.s, response=[0.5, 1] * pq.s)
    assert table.id.tolist() == ["on", "off"]
    first = min(segment.spiketrains[0].magnitude[0] for segment in data.segments)
    assert table.latency.tolist() == pytest.approx([first - 0.5, np.nan], nan_ok=True)
    assert np.isnan(table.latency_se[1])
    later = {"baseline": [0, 0.4] * pq.s, "response": [0.74, 0.95] * pq.s}  # while neuron 0 responds
    with pytest.warns(UserWarning, match="2 of 2"):
        assert measures.responsive_units(data, **later).latency.isna().all()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["zeta", "paired"])
def test_false_discoveries_among_120_units_of_which_40_respond(method: str) -> None:
    rng, false, missed = np.random.default_rng(15), [], []
    for k in range(10):
        data = responding(rng, 120, ("more", "burst") * 15 + ("less",) * 10)
        responds = measures.responsive_units(data, method=method, n_resample=0, seed=k, **WINDOWS).responds
        false.append(responds[40:].sum() / responds.sum())
        missed.append(1 - responds[:40].mean())
    assert np.mean(false) < 0.05 + 4 * np.std(false, ddof=1) / np.sqrt(10)
    assert np.mean(missed) < 0.1


def slow_rates(rng: np.random.Generator) -> np.ndarray:
    """Spikes in 0.6 s of a rate with a correlation time of 200 ms."""
    steps = np.exp(-0.002 / 0.2)
    x = lfilter([np.sqrt(1 - steps**2)], [1, -steps], rng.normal(size=2300))[-300:]
    counts = rng.poisson(0.03 * np.exp(0.8 * x - 0.32))
    return np.sort(np.repeat(0.002 * np.arange(300), counts) + 0.002 * rng.random(counts.sum()))


def bursts(rng: np.random.Generator) -> np.ndarray:
    first = rng.uniform(-0.2, 0.6, rng.poisson(4))
    t = np.concatenate(
        [first, first + rng.exponential(0.02, first.size), first + rng.exponential(0.04, first.size)]
    )
    return np.sort(t[(t > 0) & (t < 0.6)])


def regular(rng: np.random.Generator) -> np.ndarray:
    t = np.cumsum(rng.gamma(6, 1 / 90, 60)) - rng.uniform(0, 1)
    return t[(t > 0) & (t < 0.6)]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["zeta", "paired"])
@pytest.mark.parametrize("train", [slow_rates, bursts, regular])
def test_p_is_uniform_for_autocorrelated_trains_that_do_not_respond(train: Any, method: str) -> None:
    rng = np.random.default_rng(16)
    data = to_block([[train(rng) for _ in range(200)] for _ in range(40)], t_stop=0.6 * pq.s)
    table = measures.responsive_units(
        data, baseline=[0, 0.3] * pq.s, response=[0.3, 0.6] * pq.s, method=method
    )
    # p of the signed-rank test takes few values
    assert kstest(table.p, "uniform").statistic < (0.115 if method == "zeta" else 0.15)
    assert (table.p <= 0.05).mean() < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert table.responds.sum() <= 2


def test_latency_errors_cover_sharp_onsets() -> None:
    """At 8000 spikes/s of all trials the first one comes 0.12 ms after the onset, in each resample that has it."""
    rng = np.random.default_rng(18)
    trials = [
        [np.append(rng.uniform(-0.3, 0.3, rng.poisson(5)), rng.uniform(0.06, 0.1, rng.poisson(8))) for _ in range(60)]
        for _ in range(40)
    ]  # fmt: skip
    data = to_block([[np.sort(train) for train in trial] for trial in trials], **WHOLE)
    table = measures.responsive_units(data, **WINDOWS)
    assert table.responds.all()
    assert ((table.latency - 0.06).abs() <= 2 * table.latency_se).mean() > 0.85


@pytest.mark.slow
def test_latency_errors_cover() -> None:
    kinds = ("more", "burst", "less") * 40
    table = measures.responsive_units(responding(np.random.default_rng(17), 120, kinds), **WINDOWS)
    table = table[table.responds]
    assert len(table) > 100
    off = (table.latency - 0.06).abs()
    assert (off <= 2 * table.latency_se + 0.0005).mean() > 0.8
    assert (table.latency - 0.06).median() < 0.003

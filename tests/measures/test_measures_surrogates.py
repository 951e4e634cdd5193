"""Surrogates: what each method keeps, its distribution, seeds, and tests against surrogates."""

from __future__ import annotations

import random
from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
from scipy.stats import kstest

from nsnn_neuro import conditions, measures, to_block

METHODS: dict[str, dict[str, Any]] = {
    "jitter": {"window": 50 * pq.ms},
    "dither": {"dither": 20 * pq.ms},
    "isi_dither": {"dither": 20 * pq.ms},
    "shift": {},
    "shuffle": {},
    "trial_shuffle": {},
}


def block(seed: int = 0, n_trials: int = 4, n_neurons: int = 3, start: float = 1.0) -> neo.Block:
    rng = np.random.default_rng(seed)
    trials = [
        [np.sort(rng.uniform(start, start + 1, rng.poisson(20 + 10 * j))) for j in range(n_neurons)]
        for _ in range(n_trials)
    ]
    return to_block(trials, t_start=start * pq.s, t_stop=(start + 1) * pq.s)


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_decides_and_counts_and_windows_are_kept(method: str) -> None:
    data, options = measures.as_trains(block()), METHODS[method]
    state, python = np.random.get_state()[1].copy(), random.getstate()  # type: ignore[index]  # noqa: NPY002
    first, second = (
        measures.as_trains(s) for s in measures.surrogates(block(), method=method, n=2, seed=7, **options)
    )
    again, other = (
        measures.as_trains(next(measures.surrogates(block(), method=method, n=1, seed=seed, **options)))
        for seed in (7, 8)
    )
    for name in ("times", "neuron", "trial"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    for one in (second, other, data):
        assert not np.array_equal(first.times, one.times)
    assert (np.random.get_state()[1] == state).all()  # type: ignore[index]  # noqa: NPY002
    assert random.getstate() == python
    for trains in (first, second):
        counts = [
            np.sort(t.counts, axis=0) if method == "trial_shuffle" else t.counts for t in (trains, data)
        ]
        np.testing.assert_array_equal(*counts)
        np.testing.assert_array_equal(trains.t_start, data.t_start)
        assert (trains.times >= 1).all()
        assert (trains.times <= 2).all()


def test_jitter_keeps_the_count_of_each_window() -> None:
    data = measures.as_trains(block())
    for surrogate in measures.surrogates(data, method="jitter", n=3, window=70 * pq.ms):
        trains = measures.as_trains(surrogate)
        for own in range(12):
            edges = np.append(np.arange(1, 2, 0.07), 2)
            np.testing.assert_array_equal(
                *(np.histogram(t.times[t.train == own], edges)[0] for t in (data, trains))
            )


def test_shuffle_keeps_the_intervals_and_shift_all_but_one() -> None:
    data = measures.as_trains(block())
    for method in ("shuffle", "shift"):
        trains = measures.as_trains(next(measures.surrogates(data, method=method, n=1)))
        for own in range(12):
            before, after = (t.times[t.train == own] for t in (data, trains))
            if method == "shuffle":
                kept = [np.sort(np.diff(np.insert(t, 0, 1.0))) for t in (before, after)]
            else:  # the circle's intervals
                kept = [np.sort(np.diff(np.append(t, t[0] + 1))) for t in (before, after)]
            np.testing.assert_allclose(*kept, atol=1e-12)
            assert method == "shift" or before[-1] == pytest.approx(after[-1], abs=1e-12)


def test_isi_dither_keeps_order_and_refractory_period() -> None:
    rng = np.random.default_rng(0)
    times = 1 + np.cumsum(0.005 + rng.exponential(0.01, 60))
    data = to_block([[times]], t_start=1 * pq.s, t_stop=3 * pq.s)
    for surrogate in measures.surrogates(
        data, method="isi_dither", n=3, dither=15 * pq.ms, refractory_period=5 * pq.ms
    ):
        moved = measures.as_trains(surrogate).times
        assert np.diff(moved).min() >= 0.005 - 1e-12
        assert np.abs(moved - times).max() <= 0.015 + 1e-12
        assert np.abs(moved - times).max() > 0.005


def test_trial_shuffle_permutes_each_neuron_alone() -> None:
    data = measures.as_trains(block(n_trials=6))
    trains = measures.as_trains(next(measures.surrogates(data, method="trial_shuffle", n=1)))
    orders = []
    for j in range(3):
        split = [[t.times[(t.neuron == j) & (t.trial == k)] for k in range(6)] for t in (data, trains)]
        orders.append(
            [next(k for k in range(6) if np.array_equal(split[0][k], one)) for one in split[1] if one.size]
        )
        assert sorted(orders[-1]) == list(range(6))
    assert orders[0] != orders[1]


def test_trial_shuffle_keeps_the_stimulus_of_each_train() -> None:
    """The count names the stimulus: with labels each trial keeps its count, without them neurons change it."""
    rng, names = np.random.default_rng(0), ["b", "a", "b", "a", "c", "a", "b", "a"]
    size = {"a": 1, "b": 5, "c": 9}
    data = to_block([[np.sort(rng.random(size[name])) for _ in range(3)] for name in names], t_stop=1 * pq.s)
    counts = measures.as_trains(data).counts
    free = next(measures.surrogates(data, method="trial_shuffle", n=1))
    assert not np.array_equal(measures.as_trains(free).counts, counts)
    drawn = measures.surrogates(data, method="trial_shuffle", n=2, stimulus=names)
    one, two = (measures.as_trains(surrogate) for surrogate in drawn)
    for trains in (one, two):
        np.testing.assert_array_equal(trains.counts, counts)
    assert not np.array_equal(one.times, two.times)


def test_segments_keep_their_annotations() -> None:
    """Also those of several Blocks, whose trials follow each other."""
    data, method = [block(0), block(1)], "trial_shuffle"
    for k, one in enumerate(data):
        for segment in one.segments:
            segment.annotations["label"] = f"{k}"
    surrogate = next(measures.surrogates(data, method=method, n=1, **METHODS[method]))
    assert conditions(surrogate).tolist() == ["0"] * 4 + ["1"] * 4
    assert surrogate.annotations["surrogate_method"] == method
    surrogate.segments[0].annotations["label"] = "other"
    assert data[0].segments[0].annotations["label"] == "0"


def test_moved_spikes_are_uniform() -> None:
    """Jittered ones in their window, a train shifted round its circle, and a lone one dithered among its neighbours."""
    crowd = to_block([[[1.01] * 500]], t_start=1 * pq.s, t_stop=2 * pq.s)
    times = measures.as_trains(
        next(measures.surrogates(crowd, method="jitter", n=1, window=50 * pq.ms))
    ).times
    assert kstest(times, "uniform", (1, 0.05)).pvalue > 0.01
    alone = to_block([[[1.5]]], t_start=1 * pq.s, t_stop=2 * pq.s)
    for method, options, low, width in (
        ("shift", {}, 1, 1),
        ("isi_dither", METHODS["isi_dither"], 1.48, 0.04),
    ):
        drawn = measures.surrogates(alone, method=method, n=200, **options)
        times = np.concatenate([measures.as_trains(one).times for one in drawn])
        assert kstest(times, "uniform", (low, width)).pvalue > 0.01, method


def test_dithered_spikes_are_reflected_at_the_ends() -> None:
    data = to_block([[[0.001] * 500 + [0.999] * 500]], t_stop=1 * pq.s)
    times = measures.as_trains(next(measures.surrogates(data, method="dither", n=1, dither=10 * pq.ms))).times
    assert ((times[:500] > 0) & (times[:500] < 0.011)).all()
    # twice as dense below 9 ms
    assert kstest(times[:500], lambda t: np.interp(t, [0, 0.009, 0.011], [0, 0.9, 1])).pvalue > 0.01


def test_a_list_for_an_array_and_the_fields_of_each() -> None:
    data, options = block(), {"method": "shuffle", "seed": 4}
    drawn = np.array([measures.cv2(s) for s in measures.surrogates(data, n=19, **options)])
    tests, both = (
        measures.against_surrogates(measures.cv2, data, n=19, two_sided=two, **options)
        for two in (False, True)
    )
    for test, two, null in zip(tests, both, drawn.T, strict=True):
        upper, lower = (
            (1 + count) / 20 for count in ((null >= test.value).sum(), (null <= test.value).sum())
        )
        assert (test.p, two.p) == (upper, min(1, 2 * min(upper, lower)))
        assert test.null_mean == pytest.approx(null.mean())
        assert test.z == pytest.approx((test.value - null.mean()) / null.std(ddof=1))
        assert (test.n, test.unit) == (19, "1")
    assert [test.value for test in tests] == measures.cv2(data).tolist()
    assert "z =" in str(two)


def test_values_that_are_not_finite_are_told() -> None:
    data = to_block([[[0.1], [0.1, 0.2, 0.4]]], t_stop=1 * pq.s)
    with pytest.warns(measures.SilentNeuronWarning):
        silent, fine = measures.against_surrogates(measures.cv, data, method="shuffle", n=5)  # type: ignore[misc]
    assert silent.p is None
    assert "not finite" in str(silent.warning)
    assert fine.p is not None

"""Surrogates: what each method keeps, its distribution beside Elephant's, seeds, and tests against surrogates."""

from __future__ import annotations

import random
from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
from elephant import spike_train_surrogates as elephant
from scipy.stats import ks_2samp, kstest

from nsnn_neuro import NsnnError, conditions, measures, to_block

pytestmark = pytest.mark.filterwarnings("ignore:The 'copy' argument")  # of Elephant's use of quantities
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


def flat(data: neo.Block) -> tuple[np.ndarray, ...]:
    trains = measures.as_trains(data)
    return trains.times, trains.neuron, trains.trial


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_decides_and_no_global_state_is_touched(method: str) -> None:
    data, options = block(), METHODS[method]
    state, python = np.random.get_state()[1].copy(), random.getstate()  # type: ignore[index]  # noqa: NPY002
    first = [flat(s) for s in measures.surrogates(data, method=method, n=3, seed=7, **options)]
    again = [flat(s) for s in measures.surrogates(data, method=method, n=2, seed=7, **options)]
    other = [flat(s) for s in measures.surrogates(data, method=method, n=1, seed=8, **options)]
    for one, two in zip(first, again, strict=False):
        for x, y in zip(one, two, strict=True):
            np.testing.assert_array_equal(x, y)
    assert not np.array_equal(first[0][0], other[0][0])
    assert not np.array_equal(first[0][0], first[1][0])
    assert not np.array_equal(first[0][0], flat(data)[0])
    assert (np.random.get_state()[1] == state).all()  # type: ignore[index]  # noqa: NPY002
    assert random.getstate() == python


@pytest.mark.parametrize("method", METHODS)
def test_counts_and_windows_are_kept(method: str) -> None:
    data = measures.as_trains(block())
    for surrogate in measures.surrogates(block(), method=method, n=3, **METHODS[method]):
        trains = measures.as_trains(surrogate)
        counts = np.sort(trains.counts, axis=0), np.sort(data.counts, axis=0)
        np.testing.assert_array_equal(
            *(counts if method == "trial_shuffle" else (trains.counts, data.counts))
        )
        np.testing.assert_array_equal(trains.t_start, data.t_start)
        assert (trains.times >= 1).all()
        assert (trains.times <= 2).all()
        assert surrogate.annotations["surrogate_method"] == method


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


@pytest.mark.slow
def test_isi_dither_keeps_order_and_refractory_period() -> None:
    rng = np.random.default_rng(0)
    times = 1 + np.cumsum(0.005 + rng.exponential(0.01, 60))
    data = to_block([[times]], t_start=1 * pq.s, t_stop=3 * pq.s)
    for surrogate in measures.surrogates(
        data, method="isi_dither", n=20, dither=15 * pq.ms, refractory_period=5 * pq.ms
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


@pytest.mark.slow
def test_trial_shuffle_keeps_the_stimulus_of_each_train() -> None:
    """The count names the stimulus: with labels each trial keeps its count, without them neurons change it."""
    rng = np.random.default_rng(0)
    names = ["b", "a", "b", "a", "c", "a", "b", "a"]
    size = {"a": 1, "b": 5, "c": 9}
    data = to_block([[np.sort(rng.random(size[name])) for _ in range(3)] for name in names], t_stop=1 * pq.s)
    for segment, name in zip(data.segments, names, strict=True):
        segment.annotations.update(label=name, contrast=0.5)
    moved = False
    for surrogate in measures.surrogates(data, method="trial_shuffle", n=5, stimulus=conditions(data)):
        trains = measures.as_trains(surrogate)
        np.testing.assert_array_equal(trains.counts, measures.as_trains(data).counts)
        assert conditions(surrogate).tolist() == names
        moved |= not np.array_equal(trains.times, measures.as_trains(data).times)
    assert moved
    free = next(measures.surrogates(data, method="trial_shuffle", n=1))
    assert not np.array_equal(measures.as_trains(free).counts, measures.as_trains(data).counts)
    orders = set()
    for surrogate in measures.surrogates(data, method="trial_shuffle", n=200, stimulus=names):
        own = [s.spiketrains[0].magnitude for s in surrogate.segments]
        orders.add(tuple(np.argsort([own[k][0] for k in (1, 3, 5, 7)])))
    assert len(orders) == 24  # all orders of the four trials of a
    for stimulus, message in (
        (names[:3], "one label per trial"),
        (list("abcdefgh"), "each label has one trial"),
    ):
        with pytest.raises(NsnnError, match=message):
            measures.surrogates(data, method="trial_shuffle", n=1, stimulus=stimulus)


@pytest.mark.parametrize("method", METHODS)
def test_segments_keep_their_annotations(method: str) -> None:
    """Also those of several Blocks, whose trials follow each other; and measures of `conditions` work with surrogates."""
    data = [block(0), block(1)]
    for k, one in enumerate(data):
        for segment in one.segments:
            segment.annotations["label"] = f"{k}"
    surrogate = next(measures.surrogates(data, method=method, n=1, **METHODS[method]))
    assert conditions(surrogate).tolist() == ["0"] * 4 + ["1"] * 4
    surrogate.segments[0].annotations["label"] = "other"
    assert data[0].segments[0].annotations["label"] == "0"

    def by_condition(one: neo.Block) -> float:
        return float(np.mean(conditions(one) == "1"))

    test = measures.against_surrogates(by_condition, data[1], method=method, n=3, **METHODS[method])
    assert isinstance(test, measures.Estimate)
    assert (test.value, test.null_mean) == (1.0, 1.0)


def test_shuffle_keeps_the_last_spike() -> None:
    data = measures.as_trains(block())
    trains = measures.as_trains(next(measures.surrogates(data, method="shuffle", n=1)))
    last = data.offsets[1:] - 1
    np.testing.assert_allclose(trains.times[last], data.times[last], atol=1e-12)


def test_a_measure_whose_length_varies_is_refused() -> None:
    lengths = iter([2, 2, 3, 2])
    with pytest.raises(NsnnError, match=r"shape \(2,\) for the data and \(3,\) for surrogate 1"):
        measures.against_surrogates(lambda b: np.zeros(next(lengths)), block(), method="shuffle", n=3)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "theirs"), [
    pytest.param(
     "jitter", lambda t, n: elephant.jitter_spikes(t, bin_size=50 * pq.ms, n_surrogates=n), marks=pytest.mark.slow),
    ("dither", lambda t, n: elephant.dither_spikes(t, dither=20 * pq.ms, n_surrogates=n)),
    pytest.param(
     "isi_dither",
     lambda t, n: elephant.dither_spikes(t, dither=20 * pq.ms, n_surrogates=n, refractory_period=4 * pq.ms),
     marks=pytest.mark.slow),
    pytest.param("shuffle", lambda t, n: elephant.shuffle_isis(t, n_surrogates=n), marks=pytest.mark.slow),
    pytest.param(
     "shift", lambda t, n: [s[0] for s in elephant.trial_shifting([t], dither=0.5 * pq.s, n_surrogates=n)],
     marks=pytest.mark.slow),
])  # fmt: skip
def test_distributions_are_elephants(method: str, theirs: Any) -> None:
    """Times of three spikes, and second intervals, of a train that starts at 0, in 400 of their surrogates and 2,000 of ours."""
    times = np.array([0.11, 0.123, 0.19, 0.31, 0.44, 0.47, 0.62, 0.7, 0.81])
    train = neo.SpikeTrain(times, units="s", t_stop=1.0)
    old, python = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        np.random.seed(1)  # noqa: NPY002
        random.seed(1)
        peer = np.array([s.rescale("s").magnitude for s in theirs(train, 400)])
    finally:
        np.random.set_state(old)  # noqa: NPY002
        random.setstate(python)
    drawn = measures.surrogates(
        to_block([[times]], t_stop=1 * pq.s), method=method, n=2000, seed=3, **METHODS[method]
    )
    own = np.array([measures.as_trains(s).times for s in drawn])
    for k in (0, 2, 5):
        assert ks_2samp(own[:, k], peer[:, k]).pvalue > 1e-3
    assert ks_2samp(np.diff(own, axis=1)[:, 1], np.diff(peer, axis=1)[:, 1]).pvalue > 1e-3


def test_dithered_spikes_are_reflected_at_the_ends() -> None:
    data = to_block([[[0.001] * 500 + [0.999] * 500]], t_stop=1 * pq.s)
    times = measures.as_trains(next(measures.surrogates(data, method="dither", n=1, dither=10 * pq.ms))).times
    assert ((times[:500] > 0) & (times[:500] < 0.011)).all()
    folded = kstest(
        times[:500], lambda t: np.interp(t, [0, 0.009, 0.011], [0, 0.9, 1])
    )  # twice as dense below 9 ms
    assert folded.pvalue > 0.01


# --- tests against surrogates -----------------------------------------------------------------------------------


def synchrony(data: neo.Block) -> float:
    """Pairs of spikes of neurons 0 and 1 within 5 ms."""
    return float(measures.cross_correlogram(data, (0, 1), bin_width=5 * pq.ms, max_lag=5 * pq.ms).counts[1])


def pair(rng: np.random.Generator, shared: int) -> neo.Block:
    trials = []
    for _ in range(2):
        common = rng.uniform(0, 1, shared)
        trials.append(
            [np.sort(np.concatenate([common, rng.uniform(0, 1, rng.poisson(40 - shared))])) for _ in range(2)]
        )
    return to_block(trials, t_stop=1 * pq.s)


@pytest.mark.slow
def test_p_is_uniform_for_independent_trains_and_small_for_synchronous_ones() -> None:
    """Ties of the count make p conservative, so it is spread by a uniform tie-breaking noise in the measure; 120 repeats."""
    rng, tie = np.random.default_rng(1), np.random.default_rng(2)
    options: dict[str, Any] = {"method": "jitter", "n": 19, "window": 50 * pq.ms}
    p = [
        measures.against_surrogates(
            lambda b: synchrony(b) + 0.5 * tie.uniform(), pair(rng, 0), seed=k, **options
        ).p
        for k in range(120)
    ]
    # p takes the values 1/20, ..., 1: compare with the uniform law on these
    assert kstest(np.array(p) - 0.05 * tie.uniform(size=120), "uniform").pvalue > 0.01
    plain = [measures.against_surrogates(synchrony, pair(rng, 0), seed=k, **options).p for k in range(50)]
    assert np.mean(np.array(plain) <= 0.1) < 0.2
    options["n"] = 49
    power = [measures.against_surrogates(synchrony, pair(rng, 10), seed=k, **options).p for k in range(16)]
    assert np.mean(np.array(power) <= 0.04) > 0.9


def test_a_list_for_an_array_and_the_fields_of_each() -> None:
    data = block()
    drawn = [measures.cv2(s) for s in measures.surrogates(data, method="shuffle", n=19, seed=4)]
    tests = measures.against_surrogates(measures.cv2, data, method="shuffle", n=19, seed=4)
    assert isinstance(tests, list)
    for j, test in enumerate(tests):
        null = np.array(drawn)[:, j]
        assert test.value == measures.cv2(data)[j]
        assert test.null_mean == pytest.approx(null.mean())
        assert test.z == pytest.approx((test.value - null.mean()) / null.std(ddof=1))
        assert test.p == (1 + (null >= test.value).sum()) / 20
        assert (test.n, test.unit) == (19, "1")
    two = measures.against_surrogates(measures.cv2, data, method="shuffle", n=19, seed=4, two_sided=True)
    assert isinstance(two, list)
    null = np.array(drawn)[:, 0]
    smaller = min((1 + (null >= tests[0].value).sum()) / 20, (1 + (null <= tests[0].value).sum()) / 20)
    assert two[0].p == min(1, 2 * smaller)
    assert "z =" in str(two[0])


def test_values_that_are_not_finite_are_told() -> None:
    data = to_block([[[0.1], [0.1, 0.2, 0.4]]], t_stop=1 * pq.s)
    with pytest.warns(measures.SilentNeuronWarning):
        silent, fine = measures.against_surrogates(measures.cv, data, method="shuffle", n=5)  # type: ignore[misc]
    assert silent.p is None
    assert "not finite" in str(silent.warning)
    assert fine.p is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "jiter"}, "did you mean 'jitter'"),
        ({"method": "jitter"}, "method = 'jitter' needs window"),
        ({"method": "jitter", "window": 0.02}, "window = 0.02 has no unit"),
        ({"method": "jitter", "window": 5 * pq.s}, "longer than the longest trial"),
        ({"method": "shuffle", "window": 1 * pq.s}, "no argument 'window'"),
        ({"method": "dither", "dither": None}, "dither = None: expected a time"),
        ({"method": "isi_dither", "dither": 1 * pq.ms, "refractory_period": -1 * pq.ms}, "refractory_period"),
        ({"method": "shuffle", "n": 0}, "n = 0"),
        ({"method": "shuffle", "seed": -1}, "seed = -1"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    """At the call, not when the first surrogate is drawn."""
    with pytest.raises(NsnnError, match=message):
        measures.surrogates(block(), **{"n": 1} | options)
    with pytest.raises(NsnnError, match="two trials"):
        measures.surrogates(block(n_trials=1), method="trial_shuffle", n=1)
    with pytest.raises(NsnnError, match="measure returned an array of shape"):
        measures.against_surrogates(lambda b: np.zeros((2, 2)), block(), method="shuffle")

"""Correlograms: pairs counted by loops, chance by three predictors, coverage of their bands."""

from __future__ import annotations

from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
import scipy.stats as stats

from nsnn_neuro import measures, to_block

OPTIONS: dict[str, Any] = {"bin_width": 10 * pq.ms, "max_lag": 80 * pq.ms}


def poisson(
    n_trials: int = 3, n_neurons: int = 3, rate: float = 20.0, seed: int = 1, duration: float = 2.0
) -> neo.Block:
    rng = np.random.default_rng(seed)
    trials = [
        [np.sort(rng.uniform(0, duration, rng.poisson(rate * duration))) for _ in range(n_neurons)]
        for _ in range(n_trials)
    ]
    return to_block(trials, t_stop=duration * pq.s)


@pytest.mark.parametrize(("predictor", "n", "rate"), [
    ("poisson", 4, 20.0), ("shift", 4, 20.0), ("shift", 8, 100.0),  # so dense that Fourier transforms count
])  # fmt: skip
def test_pairs_and_their_expectation_by_a_loop(predictor: str, n: int, rate: float) -> None:
    data = poisson(n, 2, rate)
    counts = measures.as_trains(data)
    binned = np.zeros((n, 2, 200))
    np.add.at(binned, (counts.trial, counts.neuron, np.floor(counts.times / 0.01 + 1e-9).astype(int)), 1)
    for a, b in ((0, 1), (1, 1)):
        pairs, expected = np.zeros((2, 17))
        for k in range(-8, 9):
            t = np.arange(max(0, -k), min(200, 200 - k))
            pairs[k + 8] = (binned[:, a, t] * (binned[:, b, t + k] - (a == b and k == 0))).sum()
            if predictor == "poisson":
                number = binned.sum(axis=2)
                expected[k + 8] = (number[:, a] * (number[:, b] - (a == b))).sum() * t.size / 200**2
            else:
                crossed = [(i, j) for i in range(n) for j in range(n) if i != j]
                expected[k + 8] = sum(binned[i, a, t] @ binned[j, b, t + k] for i, j in crossed) / (n - 1)
        result = measures.cross_correlogram(data, (a, b), predictor=predictor, **OPTIONS)
        np.testing.assert_array_equal(result.counts, pairs)
        np.testing.assert_allclose(result.expected, expected)
        np.testing.assert_allclose(result.ratio, pairs / expected)
        both = measures.cross_correlograms(data, predictor=predictor, **OPTIONS)
        np.testing.assert_array_equal(both.counts[a, b], pairs)
        np.testing.assert_allclose(both.expected[a, b], expected)
    np.testing.assert_allclose(result.lags, np.arange(-8, 9) * 0.01)
    assert result.n_spikes == (binned[:, 1].sum(),) * 2


def modulated(rng: np.random.Generator, n_trials: int) -> neo.Block:
    """Two independent neurons whose rates share a stimulus, 20 (1 + sin(2 pi t)) Hz in 2 s."""
    trials = []
    for _ in range(n_trials):
        trains = []
        for _ in range(2):
            times = rng.uniform(0, 2, rng.poisson(80))
            trains.append(np.sort(times[rng.uniform(size=times.size) < (1 + np.sin(2 * np.pi * times)) / 2]))
        trials.append(trains)
    return to_block(trials, t_stop=2 * pq.s)


def bursts(rate: float, rng: np.random.Generator) -> np.ndarray:
    """Spikes in 2 s: bursts of 3 within 10 ms."""
    first = rng.uniform(-0.1, 2, rng.poisson(rate / 3 * 2.1))
    times = (first[:, None] + np.cumsum(rng.uniform(0.002, 0.005, (first.size, 3)), axis=1)).ravel()
    return np.sort(times[(times >= 0) & (times < 2)])


def bursting(rng: np.random.Generator) -> neo.Block:
    """Ten trials of two independent neurons of 20 Hz, whose rates share a gain of SD 0.5."""
    trials = [[bursts(20 * gain, rng) for _ in range(2)] for gain in rng.gamma(4, 0.25, 10)]
    return to_block(trials, t_stop=2 * pq.s)


JITTER = {"jitter_window": 100 * pq.ms}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("predictor", "kind"), [("poisson", "bursts"), ("shift", "stimulus"), ("jitter", "stimulus")]
)
def test_bands_cover_independent_trains(predictor: str, kind: str) -> None:
    """95 % of 17 lags in 120 repeats, and no bias; a stimulus for "shift" and "jitter", a common gain for "poisson"."""
    rng = np.random.default_rng(5)
    options = JITTER if predictor == "jitter" else {}
    inside, off = [], []
    for _ in range(120):
        data = modulated(rng, 10) if kind == "stimulus" else bursting(rng)
        c = measures.cross_correlogram(data, (0, 1), predictor=predictor, **OPTIONS, **options)
        inside.append((c.counts >= c.lower) & (c.counts <= c.upper))
        off.append((c.counts - c.expected).mean())
    assert 0.93 <= np.mean(inside) <= 0.97
    # jitter flattens the modulation of 1 Hz within its windows: half of the 80 pairs at each lag, see the module
    lags = np.arange(-8, 9)
    lost = 40 * (np.pi * 0.1) ** 2 / 3 * (np.cos(2 * np.pi * 0.01 * lags) * (1 - np.abs(lags) / 200)).mean()
    bias = lost if predictor == "jitter" else 0.0
    assert abs((np.mean(off) - bias) / np.std(off) * np.sqrt(len(off))) < 4


def test_too_few_trials_or_pieces_are_warned_of() -> None:
    with pytest.warns(UserWarning, match="cross_correlogram: bands and z are those of Poisson trains.*four"):
        c = measures.cross_correlogram(poisson(3), (0, 1), predictor="shift", **OPTIONS)
    half = np.sqrt(1.5) * (stats.poisson.ppf(0.975, c.expected) - c.expected)
    np.testing.assert_allclose(c.upper - c.expected, half)
    with pytest.warns(UserWarning, match="cross_correlograms: .*four pieces"):
        measures.cross_correlograms(poisson(1), bin_width=10 * pq.ms, max_lag=500 * pq.ms)


def test_expected_pairs_of_jitter_are_the_mean_of_surrogates() -> None:
    """Windows and trials that are no multiples of the bins; by moving spikes 2,000 times."""
    rng = np.random.default_rng(3)
    trains = [[np.sort(rng.uniform(0, 0.537, 12)) for _ in range(2)] for _ in range(2)]
    options: dict[str, Any] = {"bin_width": 10 * pq.ms, "max_lag": 60 * pq.ms}
    data = to_block(trains, t_stop=0.537 * pq.s)
    c = measures.cross_correlogram(data, (0, 1), predictor="jitter", jitter_window=43 * pq.ms, **options)
    null = np.zeros((2000, 13))
    for trial in trains:
        a = np.floor(trial[0] / 0.01 + 1e-9).astype(int)
        low = np.floor(trial[1] / 0.043) * 0.043
        moved = low + rng.random((2000, 12)) * (np.minimum(low + 0.043, 0.537) - low)
        bins = np.floor(moved / 0.01).astype(int)
        for k in range(-6, 7):
            pairs = (bins[:, None, :] - a[a < 53][None, :, None] == k) & (bins < 53)[:, None, :]
            null[:, k + 6] += pairs.sum(axis=(1, 2))
    assert (np.abs(null.mean(axis=0) - c.expected) < 4 * null.std(axis=0) / np.sqrt(2000) + 1e-9).all()


def test_all_pairs_by_jitter_are_those_of_each_pair() -> None:
    data = poisson(6)
    options: dict[str, Any] = OPTIONS | JITTER | {"predictor": "jitter", "n_shuffle": 50}
    every = measures.cross_correlograms(data, **options)
    for a, b in ((0, 1), (2, 0), (1, 1)):
        one = measures.cross_correlogram(data, (a, b), **options)
        np.testing.assert_allclose(every.expected[a, b], one.expected)
        np.testing.assert_array_equal(every.counts[a, b], one.counts)
        if a != b:  # the diagonal's band has the surrogates' quantiles
            stretch = every.sd[a, b] / np.sqrt(one.expected)
            half = stretch * (stats.poisson.ppf(0.975, one.expected) - one.expected)
            np.testing.assert_allclose(one.upper - one.expected, half)


def test_z_is_standard_normal_for_independent_trains() -> None:
    for predictor in ("poisson", "shift"):
        z = np.concatenate([
            measures.cross_correlograms(poisson(6, 4, 40.0, seed=k), predictor=predictor, **OPTIONS).z[np.triu_indices(4)]
            for k in range(20)
        ])  # fmt: skip
        assert abs(z.std() - 1) < 0.06
        assert abs(z.mean()) < 0.08


def test_the_rate_counts_reference_spikes_that_have_the_lag_in_their_trial() -> None:
    """Trials end behind their last whole bin; spikes there are not used."""
    rng = np.random.default_rng(4)
    trials = [[np.sort(rng.uniform(0, 0.507, 30)) for _ in range(2)] for _ in range(4)]
    data = to_block(trials, t_stop=0.507 * pq.s)
    c = measures.cross_correlogram(data, (0, 1), bin_width=10 * pq.ms, max_lag=100 * pq.ms)
    binned = np.zeros((4, 2, 50))
    for k, trial in enumerate(trials):
        for j, train in enumerate(trial):
            index = np.floor(train / 0.01 + 1e-9).astype(int)
            np.add.at(binned[k, j], index[index < 50], 1)
    for k in range(-10, 11):
        i = np.arange(max(0, -k), min(50, 50 - k))
        pairs, references = (binned[:, 0, i] * binned[:, 1, i + k]).sum(), binned[:, 0, i].sum()
        assert (c.counts[k + 10], c.n_reference[k + 10]) == (pairs, references)
        assert c.rate[k + 10] == pytest.approx(pairs / references / 0.01)
    assert c.n_spikes == tuple(binned.sum(axis=(0, 2)))
    assert sum(c.n_spikes) < 240
    np.testing.assert_array_equal(
        measures.cross_correlograms(data, bin_width=10 * pq.ms, max_lag=100 * pq.ms).n_spikes, c.n_spikes
    )

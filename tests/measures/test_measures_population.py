"""Population coupling, sparseness, burst index and intrinsic timescale: oracles, coverage of errors, bad input."""

from __future__ import annotations

from functools import partial

import neo
import numpy as np
import pytest
import quantities as pq

from nsnn_neuro import measures, tabulate, to_block
from nsnn_neuro.measures import SilentNeuronWarning


def test_coupling_by_its_definition() -> None:
    rng = np.random.default_rng(0)
    trials = [[np.sort(rng.uniform(0, 2, rng.poisson(20))) for _ in range(4)] for _ in range(3)]
    sigma, t = 0.02, np.arange(0, 2, 0.001) + 0.0005
    rate = np.array([
        [np.exp(-((t[:, None] - (np.floor(s / 0.001 + 1e-9) * 0.001 + 0.0005)) ** 2) / (2 * sigma**2)).sum(axis=1) for s in one]
        for one in trials
    ]) / (sigma * np.sqrt(2 * np.pi))  # fmt: skip
    area = (
        np.exp(-((t[:, None] - t) ** 2) / (2 * sigma**2)).sum(axis=1) * 0.001 / (sigma * np.sqrt(2 * np.pi))
    )
    rate /= area
    counts = np.array([[s.size for s in one] for one in trials])
    mean = counts.sum(axis=0) / 6
    block = to_block(trials, t_stop=2 * pq.s)
    value = measures.population_coupling(block, sigma=20 * pq.ms)
    plain = measures.population_coupling(block, sigma=20 * pq.ms, bias=None)
    for i in range(4):
        others = [j for j in range(4) if j != i]
        overlap = sum((rate[:, i] * (rate[:, j] - mean[j])).sum() for j in others) * 0.001
        assert plain[i] == pytest.approx(overlap / counts[:, i].sum(), rel=1e-4, abs=1e-3)
        overlap = sum(
            (rate[k, i] * (rate[k, j] - np.delete(counts[:, j], k).mean() / 2)).sum()
            for j in others
            for k in range(3)
        )
        assert value[i] == pytest.approx(overlap * 0.001 / counts[:, i].sum(), rel=1e-4, abs=1e-3)


def test_two_trials_have_a_coupling_without_an_error() -> None:
    """Without one of two trials there are no other trials for the mean; over all trials, bias=None, there is one."""
    trains = [np.sort(np.random.default_rng(k).uniform(0, 2, 40)) for k in range(6)]
    block = to_block([trains[:3], trains[3:]], t_stop=2 * pq.s)
    table = tabulate(block, [measures.population_coupling, measures.firing_rate])
    assert table["value"].notna().all()
    assert table["se"].isna().tolist() == [True] * 3 + [False] * 3
    assert tabulate(block, partial(measures.population_coupling, bias=None))["se"].notna().all()


def test_sparseness_of_known_responses() -> None:
    rates = np.array([[8.0, 1, 0, 3], [0, 1, 0, 1], [0, 1, 0, 2]])
    with pytest.warns(SilentNeuronWarning, match="1 of 4 neurons have no response"):
        s = measures.sparseness(rates)
    np.testing.assert_allclose(s[[0, 1, 3]], [1, 0, (1 - 36 / 9 / (14 / 3)) / (2 / 3)])
    with pytest.warns(SilentNeuronWarning):
        a = measures.sparseness(rates, form="treves-rolls")
    np.testing.assert_allclose(a[[0, 1, 3]], [1 / 3, 1, 6 / 7])
    population = measures.sparseness(rates, over="neurons", form="treves-rolls")
    np.testing.assert_allclose(population, [144 / 16 / (74 / 4), 0.5, 9 / 16 / (5 / 4)])
    # exponentially distributed rates have a = 1 / 2
    drawn = np.random.default_rng(0).exponential(size=(200_000, 1))
    assert measures.sparseness(drawn, form="treves-rolls")[0] == pytest.approx(0.5, abs=0.01)


def test_burst_index_of_poisson_trains_and_its_error() -> None:
    """1 - exp(-r limit), 200 neurons; the jackknife over trials covers."""
    rng = np.random.default_rng(2)
    trials = [[np.sort(rng.uniform(0, 20, rng.poisson(800))) for _ in range(200)] for _ in range(6)]
    table = tabulate(to_block(trials, t_stop=20 * pq.s), measures.burst_index)
    expected = 1 - np.exp(-40 * 0.006)
    assert abs(table["value"].mean() - expected) < 4 * table["value"].std() / np.sqrt(200)
    assert (
        np.abs(table["value"] - expected) <= 2 * table["se"]
    ).mean() > 0.85  # five degrees of freedom: 0.90
    assert measures.burst_index(to_block([[[0.1, 0.106]]], t_stop=1 * pq.s)).tolist() == [
        0.0
    ]  # not shorter than the limit


def modulated(
    seed: int, tau: float, n_trials: int = 100, n_neurons: int = 2, level: float = 0.0
) -> neo.Block:
    """Counts in 10 ms of rate 40 (1 + x) Hz, x an Ornstein-Uhlenbeck process of SD 0.4 plus a constant of each trial."""
    rng = np.random.default_rng(seed)
    decay, n = np.exp(-0.01 / tau), 150
    x = np.empty((n_trials, n_neurons, n))
    x[..., 0] = 0.4 * rng.normal(size=x.shape[:2])
    for k in range(1, n):
        x[..., k] = decay * x[..., k - 1] + 0.4 * np.sqrt(1 - decay**2) * rng.normal(size=x.shape[:2])
    x += level * rng.normal(size=x.shape[:2])[..., None]
    counts = rng.poisson(0.4 * np.clip(1 + x, 0, None))
    trials = [[np.repeat(np.arange(n), c) * 0.01 + 0.005 for c in one] for one in counts]
    return to_block(trials, t_stop=n * 0.01 * pq.s)


def test_the_autocorrelation_by_a_loop() -> None:
    data = modulated(0, 0.1)
    result = measures.intrinsic_timescale(data, n_resample=0)
    trains = measures.as_trains(data)
    counts = np.zeros((100, 30))
    own = trains.neuron == 1
    np.add.at(counts, (trains.trial[own], np.floor(trains.times[own] / 0.05 + 1e-9).astype(int)), 1)
    r = np.corrcoef(counts.T)
    expected = [np.diagonal(r, k).mean() for k in range(1, 11)]
    np.testing.assert_allclose(result.correlation[1], expected, atol=1e-12)
    assert np.isnan(result.se).all()


def test_the_fit_is_the_least_squares_fit() -> None:
    from scipy.optimize import curve_fit

    data = modulated(1, 0.12, 300)
    result = measures.intrinsic_timescale(data, n_resample=0)
    for j in range(2):
        best, _ = curve_fit(
            lambda t, a, tau, b: a * (np.exp(-t / tau) + b),
            result.lags,
            result.correlation[j],
            p0=(0.3, 0.1, 0.0),
        )
        assert result.tau[j] == pytest.approx(best[1], rel=0.01)
        assert result.amplitude[j] == pytest.approx(best[0], rel=0.02)


@pytest.mark.slow
def test_tau_is_right_and_its_error_covers() -> None:
    """60 neurons of tau = 100 ms, 200 trials of 1.5 s."""
    tau, se = [], []
    for seed in range(3):
        data = modulated(10 + seed, 0.1, 200, 20, 0.3)
        result = measures.intrinsic_timescale(data, n_resample=100, max_lag=0.5 * pq.s)
        tau.append(result.tau)
        se.append(result.se)
    found, error = np.concatenate(tau), np.concatenate(se)
    assert np.isfinite(found).all()
    assert (np.abs(found - 0.1) <= 2 * error).mean() > 0.9
    assert abs(np.median(found) - 0.1) < 0.01


def test_neurons_without_a_decay_have_nan() -> None:
    rng = np.random.default_rng(3)
    trials = [[[], np.sort(rng.uniform(0, 1, 30))] for _ in range(20)]
    with pytest.warns(SilentNeuronWarning, match="no autocorrelation that decays"):
        result = measures.intrinsic_timescale(to_block(trials, t_stop=1 * pq.s), n_resample=10)
    assert np.isnan(result.tau[0])
    assert np.isnan(result.se[0])


def test_a_lag_beyond_the_trials_is_cut_with_a_warning() -> None:
    """Trials of 1.5 s, bins of 70 ms: 21 bins and a remainder, lags up to 20 bins."""
    data = modulated(4, 0.1, 20, 1)
    with pytest.warns(
        UserWarning, match=r"max_lag = 2.0 s, but trials of 21 bins of 0.07 s have lags up to 1.4 s"
    ):
        result = measures.intrinsic_timescale(data, bin_width=70 * pq.ms, max_lag=2 * pq.s, n_resample=0)
    np.testing.assert_allclose(result.lags, 0.07 * np.arange(1, 21))


@pytest.mark.slow
def test_coupling_error_covers_under_a_gain_that_trials_share() -> None:
    """Rates 20 Hz times a gain of each trial, of mean 1 and variance v: c = (n - 1) 20 Hz v; 40 Blocks of 4 neurons, 30 trials.

    The means mu_j are of the same trials: held fixed in the jackknife, the standard error would be twice too large.
    """
    values, errors = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        gains = rng.gamma(10, 0.1, 30)
        trials = [[np.sort(rng.uniform(0, 1, rng.poisson(20 * gain))) for _ in range(4)] for gain in gains]
        table = tabulate(to_block(trials, t_stop=1 * pq.s), measures.population_coupling)
        values.append((table["value"].mean(), (np.abs(table["value"] - 6.0) <= 2 * table["se"]).mean()))
        errors.append(table["se"].mean())
    means, covered = np.array(values).T
    assert 0.75 < np.mean(errors) / means.std() < 1.35
    assert 0.85 < covered.mean() < 0.985

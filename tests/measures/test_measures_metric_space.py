"""Metric-space information against codes of known information, brute force, and Poisson counts summed exactly."""

import numpy as np
import pytest
import quantities as pq
from helpers.channels import information_bits
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import kstest

from nsnn_neuro.measures import metric_space_information, van_rossum, victor_purpura


def timed(rng, n, apart, clutter, jitter=0.01):
    """Two classes of n trains: a spike at 0.2 s or `apart` later, and Poisson spikes that tell nothing."""
    trains = []
    for late in (0.0, apart):
        for _ in range(n):
            spike = 0.2 + late + jitter * rng.normal()
            trains.append(np.concatenate([[spike], rng.uniform(0, 0.5, rng.poisson(clutter))]))
    return np.repeat([0, 1], n), trains


def counted(rng, n, means):
    """n trains for each mean count, of Poisson counts at random times."""
    trains = [rng.uniform(0, 0.5, rng.poisson(m)) for m in means for _ in range(n)]
    return np.repeat(np.arange(len(means)), n), trains


def test_counts_alone_tell_all_at_q_0():
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(5), 6)
    trains = [rng.uniform(0, 1, 2 * label + 1) for label in labels]
    found = metric_space_information(labels, trains, q=0 * pq.Hz, n_shuffle=20)
    assert_allclose(found.raw, [np.log2(5)], rtol=1e-12)
    assert_array_equal(found.confusion[0], 6 * np.eye(5))
    assert found.best.p == 1 / 21


def test_timing_alone_tells_nothing_at_q_0_and_all_at_moderate_q():
    rng = np.random.default_rng(2)
    trains = [[t + 0.002 * rng.normal()] for t in np.repeat([0.2, 0.3], 20)]
    labels = np.repeat(["early", "late"], 20)
    found = metric_space_information(labels, trains, q=np.array([0, 20, 100, np.inf]) * pq.Hz, n_shuffle=50)
    assert_allclose(found.raw, [0, 1, 1, 0], atol=1e-12)
    assert_array_equal(found.confusion[0], np.full((2, 2), 10))  # all tie, shared out
    assert_array_equal(found.confusion[3], np.full((2, 2), 10))  # no coincidence is exact: all are 2 apart
    assert found.q_max == 20.0
    assert_array_equal(found.labels, ["early", "late"])
    assert found.best.p == 1 / 51
    assert found.at(0).value == 0
    assert found.at(0).p == 1


def brute_table(d, number, z):
    """The source's rule with loops; distances of 0 are put at 1e-9 of the least (z < 0)."""
    n, k = len(number), number.max() + 1
    if z < 0:
        d = np.maximum(d, 1e-9 * d[d > 0].min())
    table = np.zeros((k, k))
    for i in range(n):
        mean = []
        for c in range(k):
            others = [d[i, j] for j in range(n) if number[j] == c and j != i]
            mean.append((sum(x**z for x in others) / len(others)) ** (1 / z))
        least = [c for c in range(k) if mean[c] <= min(mean) * (1 + 1e-9)]
        for c in least:
            table[number[i], c] += 1 / len(least)
    return table


@pytest.mark.parametrize(("q", "z"), [(20.0, -2.0), (0.0, -8.0), (500.0, 1.0)])
def test_table_against_loops(q, z):
    rng = np.random.default_rng(3)
    labels, trains = counted(rng, 7, (2, 4, 6))
    trains = [np.round(t, 2) for t in trains]  # some pairs are at distance 0
    found = metric_space_information(labels, trains, q=q * pq.Hz, z=z, n_shuffle=0)
    expected = brute_table(victor_purpura(trains, cost=q * pq.Hz), labels, z)
    assert_allclose(found.confusion[0], expected, atol=1e-9)
    assert found.raw[0] == pytest.approx(information_bits(found.confusion[0]), rel=1e-12, abs=1e-14)


def test_ties_but_for_rounding_are_ties():
    """Train 0 is as far from both classes, 0.15 + 0.15 + 0.3 against 0.1 + 0.2 + 0.3."""
    assert 0.15 + 0.15 + 0.3 != 0.1 + 0.2 + 0.3
    d = np.full((7, 7), 1.0)
    d[0] = d[:, 0] = [0, 0.1, 0.2, 0.3, 0.15, 0.15, 0.3]
    d[1:4, 1:4] = d[4:, 4:] = 0.5
    trains, labels = [[0.1]] * 7, [0, 0, 0, 0, 1, 1, 1]
    found = metric_space_information(
        labels, trains, q=1 * pq.Hz, z=1, distance=lambda t, cost: d, n_shuffle=0
    )
    assert_array_equal(found.confusion[0][0], [3.5, 0.5])


def test_another_distance():
    labels, trains = timed(np.random.default_rng(5), 10, 0.03, 1)
    tau = lambda repeats, cost: van_rossum(repeats, tau=1 / cost)  # noqa: E731
    found = metric_space_information(labels, trains, q=50 * pq.Hz, distance=tau, n_shuffle=0)
    expected = brute_table(van_rossum(trains, tau=20 * pq.ms), labels, -2)
    assert_allclose(found.confusion[0], expected, atol=1e-9)


def test_shuffles_are_those_of_the_labels():
    labels, trains = timed(np.random.default_rng(6), 8, 0.03, 1)
    q = np.array([5, 50]) * pq.Hz
    found = metric_space_information(labels, trains, q=q, n_shuffle=9, seed=4)
    orders = np.random.default_rng(4).permuted(np.tile(np.arange(16), (9, 1)), axis=1)
    tables = np.array(
        [metric_space_information(labels[o], trains, q=q, n_shuffle=0).confusion for o in orders]
    )
    null = np.array([[information_bits(table) for table in shuffle] for shuffle in tables])
    assert_allclose(found.null_mean, null.mean(axis=0), atol=1e-12)
    assert_allclose(found.null_sd, null.std(axis=0), atol=1e-12)
    assert_allclose(found.corrected, found.raw - null.mean(axis=0), atol=1e-12)
    right = tables.trace(axis1=-2, axis2=-1) > 8  # classes of equal size: half of 16 by chance
    assert not right.all()
    signed = np.where(right, null, 0)
    assert_array_equal(found.p, (1 + (signed >= found.raw - 1e-12).sum(axis=0)) / 10)
    highest = (signed - null.mean(axis=0)).max(axis=1)
    assert_allclose(found.best.null_mean, highest.mean(), atol=1e-12)
    assert found.best.p == (1 + (highest >= found.corrected.max()).sum()) / 10
    assert "too high by choice" in str(found.best.warning)
    tiny = metric_space_information([0, 0, 1, 1], trains[:2] + trains[-2:], q=q, n_shuffle=0)
    assert np.isnan(tiny.se).all()
    assert tiny.best.p is None
    assert tiny.best.se_method is None


def sharing(rng):
    """A p-value whose ties are shared out by chance: (larger + U (equal + 1)) / (n + 1), uniform however few values there are."""

    def permutation_p(null, value):
        slack = 1e-12 * max(1.0, abs(value))
        larger = (null > value + slack).sum()
        equal = (abs(null - value) <= slack).sum()
        return float((larger + rng.uniform() * (equal + 1)) / (null.size + 1))

    return permutation_p


@pytest.mark.slow
def test_p_is_uniform_without_information_but_for_its_ties(monkeypatch):
    """60 repeats at three costs: of one, and of the best."""
    rng = np.random.default_rng(18)
    monkeypatch.setattr("nsnn_neuro.measures.timing.metric_space.permutation_p", sharing(rng))
    q = [5, 30, 200] * pq.Hz
    found = [metric_space_information(*timed(rng, 20, 0.0, 3), q=q, n_shuffle=19, seed=k) for k in range(60)]
    assert kstest([f.p[1] for f in found], "uniform").pvalue > 1e-3
    assert kstest([f.best.p for f in found], "uniform").pvalue > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("means", [(4, 16), (2, 6, 12, 20, 30)], ids=["near the ceiling", "five classes"])
def test_covers_the_value_of_many_trains(means):
    """60 repeats; halves of the trains alone cover in 84 % near the ceiling."""
    many = counted(np.random.default_rng(99), 300, means)
    exact = metric_space_information(*many, q=5 * pq.Hz, n_shuffle=0).raw[0]
    rng = np.random.default_rng(9)
    found = [metric_space_information(*counted(rng, 20, means), q=5 * pq.Hz, n_shuffle=20) for _ in range(60)]
    values, se = np.array([f.best.value for f in found]), np.array([f.best.se for f in found])
    assert (np.abs(values - exact) < 2 * se).mean() >= 0.9


@pytest.mark.parametrize("n", [10, 40])
def test_at_the_ceiling_the_error_covers_what_the_correction_takes_off(n):
    """Three classes without overlap: the truth is log2 3. The shuffles have a bias, the data have none."""
    for seed in range(2):
        rng = np.random.default_rng(seed)
        trains = [[0.1 * (k + 1) + rng.normal(0, 0.002)] for k in range(3) for _ in range(n)]
        found = metric_space_information(
            np.repeat([0, 1, 2], n), trains, q=200 * pq.Hz, n_shuffle=30, seed=seed
        )
        assert found.raw[0] == pytest.approx(np.log2(3), rel=1e-12)
        short = np.log2(3) - found.best.value
        assert short > 0.01
        assert short < 1.01 * found.best.se
        for estimate in (found.best, found.at(0)):
            assert "within 25 % of the entropy of the classes, 1.58 bits" in str(estimate.warning)

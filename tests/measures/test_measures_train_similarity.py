"""Distances and reliability against slow definitions, Elephant, and the theory of independent trains."""

import neo
import numpy as np
import pytest
import quantities as pq
from elephant.spike_train_dissimilarity import van_rossum_distance, victor_purpura_distance
from helpers.trains import one_silence
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from nsnn_neuro.measures import gamma_coincidence, md_star, schreiber_reliability, van_rossum, victor_purpura

WINDOW = {"t_start": 0 * pq.s, "t_stop": 1 * pq.s}


def random_trains(seed, n=6, rate=15.0):
    """Poisson trains of 1 s; the last one is empty, and two share some spikes exactly."""
    rng = np.random.default_rng(seed)
    trains = [np.sort(rng.uniform(0, 1, rng.poisson(rate))) for _ in range(n - 1)]
    trains[1] = np.sort(np.concatenate([trains[1], trains[0][::2]]))
    return [*trains, np.empty(0)]


def elephant_trains(trains):
    return [neo.SpikeTrain(t, units="s", t_stop=1.0) for t in trains]


def assert_metric(d, tolerance=1e-12):
    """Zero on the diagonal, symmetric, triangle inequality."""
    assert_array_equal(np.diag(d), 0.0)
    assert_array_equal(d, d.T)
    assert (d[:, None, :] <= d[:, :, None] + d[None, :, :] + tolerance).all()


@pytest.mark.parametrize("q", [3.0, 1000.0])
def test_victor_purpura_equals_elephant(q):
    trains = random_trains(1)
    d = victor_purpura(trains, cost=q * pq.Hz)
    assert_allclose(d, victor_purpura_distance(elephant_trains(trains), q * pq.Hz), rtol=0, atol=1e-9)
    assert_metric(d)


def test_victor_purpura_limits():
    trains = random_trains(2)
    counts = np.array([t.size for t in trains])
    shared = np.array([[np.intersect1d(a, b).size for b in trains] for a in trains])
    assert shared[0, 1] > 0
    assert_array_equal(victor_purpura(trains, cost=0 * pq.Hz), np.abs(np.subtract.outer(counts, counts)))
    assert_array_equal(victor_purpura(trains, cost=np.inf * pq.Hz), np.add.outer(counts, counts) - 2 * shared)


@pytest.mark.parametrize("tau", [1e-4, np.inf])
def test_van_rossum_equals_elephant(tau):
    trains = random_trains(4)
    ours = van_rossum(trains, tau=tau * pq.s)
    theirs = van_rossum_distance(elephant_trains(trains), tau * pq.s)
    off = ~np.eye(len(trains), dtype=bool)  # Elephant leaves rounding, sqrt(1e-15), on the diagonal
    assert_allclose(ours[off], theirs[off], rtol=0, atol=1e-9)
    assert_metric(ours)


def test_van_rossum_of_equal_trains_is_exactly_0_and_late_times_are_safe():
    """Times of 1e6 tau and below zero must not overflow; only differences of times matter (here to 1e-9)."""
    a, b = np.array([0.1, 0.11, 0.3]), np.array([0.1, 0.12])
    reference = van_rossum([a, b], tau=1 * pq.ms)[0, 1]
    assert van_rossum([a, a.copy()], tau=1 * pq.ms)[0, 1] == 0.0
    for shift in (-1000.0, 1000.0):
        assert_allclose(van_rossum([a + shift, b + shift], tau=1 * pq.ms)[0, 1], reference, rtol=1e-9)


def matched(a, b, delta):
    """Largest one-to-one matching of spikes at most delta apart."""
    near = csr_array((np.abs(np.subtract.outer(a, b)) <= delta).astype(int))
    return int((maximum_bipartite_matching(near) >= 0).sum()) if near.nnz else 0


def test_gamma_against_a_matching():
    trains = random_trains(5, rate=40.0)
    delta, counts = 0.004, [t.size for t in random_trains(5, rate=40.0)]
    with one_silence("1 of 6 trains"):
        gamma = gamma_coincidence(trains, precision=delta * pq.s, **WINDOW)
    expected = np.full((6, 6), np.nan)
    for i, a in enumerate(trains):
        for j, b in enumerate(trains):
            if counts[i] + counts[j]:
                chance = 2 * counts[j] * delta
                found = matched(a, b, delta) if counts[i] * counts[j] else 0
                size = (counts[i] + counts[j]) / 2 * (1 - chance)
                expected[i, j] = (found - chance * counts[i]) / size
    assert_allclose(gamma, expected, rtol=1e-12, atol=1e-15)
    assert np.nanmax(gamma) <= 1.0 + 1e-12
    assert_allclose(np.diag(gamma)[:-1], 1.0, rtol=1e-12)


def test_gamma_counts_a_distance_of_exactly_delta_on_a_grid():
    """2 ms apart on a grid of 0.1 ms, at times where the difference of k dt exceeds 0.002 by rounding."""
    ticks = np.arange(100, 9000, 500)
    a, b = ticks * 1e-4, (ticks + 20) * 1e-4
    assert ((b - a) > 0.002).any()
    gamma = gamma_coincidence([a, b], precision=2 * pq.ms, **WINDOW)
    assert_allclose(gamma, 1.0, rtol=1e-12)


def test_schreiber_against_filtered_trains_on_a_fine_grid():
    trains = random_trains(7, rate=20.0)[:-1]
    sigma = 0.003
    grid = np.arange(-0.05, 1.05, 1e-4)
    s = np.array([np.exp(-0.5 * (np.subtract.outer(grid, t) / sigma) ** 2).sum(axis=1) for t in trains])
    s /= np.linalg.norm(s, axis=1, keepdims=True)
    cosine = (s @ s.T)[np.triu_indices(len(trains), 1)]
    assert_allclose(schreiber_reliability(trains, sigma=sigma * pq.s), cosine.mean(), rtol=1e-9)


def test_schreiber_limits():
    train = np.array([0.1, 0.3, 0.31])
    assert_allclose(schreiber_reliability([train] * 3, sigma=1 * pq.ms), 1.0, rtol=1e-12)
    assert schreiber_reliability([[0.1], [0.9]], sigma=1 * pq.ms) == 0.0
    # one spike each, d apart: exp(-d^2 / 4 sigma^2)
    value = schreiber_reliability([[0.1], [0.103]], sigma=2 * pq.ms)
    assert_allclose(value, np.exp(-9 / 16), rtol=1e-9)
    with one_silence():  # silent trials count as unreliable
        value = schreiber_reliability([[0.1], [0.1], [], [0.9]], sigma=1 * pq.ms, t_stop=0.5 * pq.s)
    assert_allclose(value, 1 / 6, rtol=1e-12)


DATA = [[0.010, 0.030, 0.050], [0.011, 0.033, 0.049], [0.009, 0.052]]
MODEL = [[0.0105, 0.031, 0.070], [0.012, 0.048], [0.010, 0.029, 0.051, 0.080]]


def test_md_star_of_a_table_by_hand():
    # pairs within 4 ms: R_d = 7/3, R_m = 5/3, R_dm = 19/9
    assert md_star(DATA, MODEL, precision=4 * pq.ms) == pytest.approx(19 / 18, abs=1e-12)
    assert md_star(MODEL, DATA, precision=4 * pq.ms) == pytest.approx(19 / 18, abs=1e-12)


def test_md_star_without_coincidences_is_nan():
    with one_silence("no two trains of a set have a coincidence"):
        assert np.isnan(md_star([[0.1], [0.2]], [[0.3], []], precision=4 * pq.ms))


def test_md_star_is_one_for_two_sets_of_one_process_and_counts_each_pair_of_spikes():
    rng = np.random.default_rng(3)
    jitter, keep = rng.normal(0, 1e-3, (80, 40)), rng.random((80, 40)) < 0.8
    trains = [np.sort((np.linspace(0.1, 3.9, 40) + j)[k]) for j, k in zip(jitter, keep, strict=True)]
    assert md_star(trains[:40], trains[40:], precision=2 * pq.ms) == pytest.approx(1, abs=0.02)
    burst = [[0.100, 0.101], [0.100, 0.101]]
    assert md_star(burst, [[0.1], [0.1]], precision=2 * pq.ms) == pytest.approx(2 * 2 / (4 + 1))


def test_gamma_between_two_sets_is_a_part_of_that_of_all():
    whole = gamma_coincidence(DATA + MODEL, precision=4 * pq.ms, **WINDOW)
    assert gamma_coincidence(DATA, MODEL, precision=4 * pq.ms, **WINDOW).tolist() == whole[:3, 3:].tolist()

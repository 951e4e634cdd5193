"""Information in sliding windows: clusters against loops, and information at a known time."""
# Imports internals: the public function has no argument for the values of which clusters are made.

import numpy as np
import pytest
import quantities as pq

from nsnn_neuro import to_block
from nsnn_neuro.measures import information_over_time, mutual_information, spike_counts, words
from nsnn_neuro.measures.information.over_time import clusters_of
from nsnn_neuro.measures.response_checks import share_reached


def spikes(stimulus, seed, start=0.3, stop=0.5):
    """Trials of 0.8 s at 20 Hz; with stimulus 1 at 80 Hz from start to stop."""
    rng, trials = np.random.default_rng(seed), []
    for s in stimulus:
        times = rng.uniform(0, 0.8, rng.poisson(16))
        extra = rng.uniform(start, stop, rng.poisson(60 * (stop - start) * s))
        trials.append([np.sort(np.concatenate([times, extra]))])
    return to_block(trials, t_stop=0.8 * pq.s)


def largest_run(z, above):
    """Mass of the largest run of windows, by a loop."""
    best = mass = 0.0
    for value, member in zip(z, above, strict=True):
        mass = mass + value if member else 0.0
        best = max(best, mass)
    return best


def test_information_is_found_where_it_is():
    stimulus = np.tile([0, 1], 40)
    found = information_over_time(
        stimulus, spikes(stimulus, 1), window=100 * pq.ms, step=50 * pq.ms, n_shuffle=99
    )
    best = found.clusters.loc[found.clusters.mass.idxmax()]
    assert best.p == 0.01
    # a window of 100 ms that begins before 300 ms reaches into the response
    assert 0.2 <= best.start <= 0.3 + 1e-9
    assert 0.5 - 1e-9 <= best.stop <= 0.6 + 1e-9
    assert found.significant().sum() >= 3
    outside = (found.stop < 0.3) | (found.start > 0.5)
    assert not found.significant()[outside].any()
    assert (np.abs(found.information[outside]) < 4 * found.se[outside]).all()


def test_windows_are_those_of_counts_and_words():
    stimulus = np.tile([0, 1], 10)
    block = spikes(stimulus, 2)
    found = information_over_time(
        stimulus, block, window=200 * pq.ms, t_start=0.1 * pq.s, t_stop=0.7 * pq.s, n_shuffle=19
    )
    np.testing.assert_allclose(found.start, [0.1, 0.2, 0.3, 0.4, 0.5], atol=1e-12)
    np.testing.assert_allclose(found.times, found.start + 0.1, atol=1e-12)
    window = {"t_start": 0.3 * pq.s, "t_stop": 0.5 * pq.s}
    expected = mutual_information(stimulus, spike_counts(block, **window)[:, 0], n_shuffle=0)
    assert found.raw[2] == expected.value
    assert found.se[2] >= expected.se
    np.testing.assert_allclose(found.information, found.raw - found.null_mean, atol=1e-15)
    assert (found.n, found.correction) == (20, "panzeri-treves")
    aligned = information_over_time(
        stimulus, block, window=200 * pq.ms, step=0.4 * pq.s, bin_width=50 * pq.ms, align=0.1 * pq.s, t_stop=0.6 * pq.s,
        bias="none", n_shuffle=19,
    )  # fmt: skip
    np.testing.assert_allclose(aligned.start, [0.0, 0.4], atol=1e-12)
    letters = words(block, bin_width=50 * pq.ms, t_start=0.5 * pq.s, t_stop=0.7 * pq.s, saturation="count")[
        :, 0
    ]
    expected = mutual_information(stimulus, letters, bias="none", n_shuffle=0)
    assert aligned.raw[1] == pytest.approx(expected.value, abs=1e-12)


def test_clusters_are_those_of_a_loop():
    values = np.random.default_rng(4).normal(size=(12, 30)).cumsum(axis=0)
    above = share_reached(values) <= 0.3
    assert (above.mean(axis=1) == 0.3).all()
    z = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)
    z = np.maximum(z, 0)
    masses = [largest_run(z[:, k], above[:, k]) for k in range(30)]
    for first in range(0, 30, 3):  # any column may be the data
        order = [first, *(k for k in range(30) if k != first)]
        table = clusters_of(values[:, order], above[:, order])
        for _, row in table.iterrows():
            own = slice(int(row["first"]), int(row["last"]) + 1)
            assert above[own, first].all()
            assert row.mass == pytest.approx(z[own, first].sum())
            assert row.p == np.mean(np.array(masses) >= row.mass - 1e-9)
        assert table.mass.max() == pytest.approx(masses[first]) if len(table) else masses[first] == 0

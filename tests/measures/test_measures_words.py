"""Words, counts and latencies against a slow loop over trials and bins, on and off the grid of spike times."""

import warnings
from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
from numpy.testing import assert_allclose, assert_array_equal

from nsnn_neuro import to_block
from nsnn_neuro.measures import first_spike_latency, latency_symbols, spike_counts, words

TICK = 1e-3


def ticks_block(ticks, n_ticks, start=0):
    """Block whose spikes are ticks [trial][neuron] of 1 ms counted from the trial's start."""
    times = [[(np.asarray(t, dtype=int) + start) * TICK * pq.s for t in trial] for trial in ticks]
    return to_block(times, t_start=start * TICK * pq.s, t_stop=(start + n_ticks) * TICK * pq.s)


def slow_words(ticks, first, width, n_bins):
    """Letters by comparing whole numbers of ticks, which can't round."""
    out = np.zeros((len(ticks), len(ticks[0]), n_bins), dtype=int)
    for i, trial in enumerate(ticks):
        for j, spikes in enumerate(trial):
            for b in range(n_bins):
                left = first[i] + b * width
                out[i, j, b] = sum(left <= s < left + width for s in spikes)
    return out


def random_ticks(seed, n_trials=5, n_neurons=3, n_ticks=120, p=0.15):
    rng = np.random.default_rng(seed)
    return [[np.flatnonzero(rng.random(n_ticks) < p) for _ in range(n_neurons)] for _ in range(n_trials)]


@pytest.mark.filterwarnings("ignore:words. the window")  # of 7 and 50 ms
@pytest.mark.parametrize(("start", "width"), [(0, 3), (7001, 7), (300, 50)])
def test_words_equal_whole_number_arithmetic(start, width):
    """Spikes on bin borders: k * 0.001 over 0.003 rounds below whole numbers for some k."""
    ticks = random_ticks(width)
    slow = slow_words(ticks, [0] * 5, width, 120 // width)
    block = ticks_block(ticks, 120, start)
    bin = width * TICK * pq.s
    assert_array_equal(words(block, bin_width=bin, saturation="count"), slow)
    assert_array_equal(words(block, bin_width=bin), slow > 0)
    pooled = words(block, bin_width=bin, saturation="count", by="population")
    assert_array_equal(pooled, slow.sum(axis=1))
    assert_array_equal(words(block, bin_width=bin, by="population"), slow.sum(axis=1) > 0)
    assert pooled.dtype == np.int64


def test_aligned_words_equal_whole_number_arithmetic():
    ticks, event = random_ticks(1), [20, 31, 40, 55, 23]
    block = ticks_block(ticks, 120, start=100)
    align = (np.array(event) + 100) * pq.ms
    keywords: dict[str, Any] = {"align": align, "t_start": -20 * pq.ms, "t_stop": 64 * pq.ms}
    slow = slow_words(ticks, [e - 20 for e in event], 7, 12)
    assert_array_equal(words(block, bin_width=7 * pq.ms, saturation="count", **keywords), slow)
    assert_array_equal(spike_counts(block, **keywords), slow.sum(axis=2))
    assert_array_equal(
        spike_counts(block, align=120 * pq.ms, t_stop=64 * pq.ms), slow_words(ticks, [20] * 5, 64, 1)[:, :, 0]
    )
    from_event = spike_counts(block, align=align, t_stop=64 * pq.ms)
    assert_array_equal(from_event, slow_words(ticks, event, 64, 1)[:, :, 0])


def test_counts_and_latencies_of_a_window():
    ticks = [[[10, 20, 30], []], [[20], [19, 29]], [[30], [5]]]
    block = ticks_block(ticks, 50)
    keywords: dict[str, Any] = {"t_start": 20 * pq.ms, "t_stop": 30 * pq.ms}
    assert_array_equal(spike_counts(block, **keywords), [[1, 0], [1, 1], [0, 0]])
    latency = first_spike_latency(block, **keywords)
    assert_allclose(latency, [[0.0, np.nan], [0.0, 9e-3], [np.nan, np.nan]], atol=1e-12)
    assert_array_equal(latency_symbols(block, resolution=3 * pq.ms, **keywords), [[0, 4], [0, 3], [4, 4]])
    assert_array_equal(latency_symbols(block, resolution=5 * pq.ms, **keywords), [[0, 2], [0, 1], [2, 2]])
    assert_array_equal(latency_symbols(block, resolution=1 * pq.s, **keywords), [[0, 1], [0, 0], [1, 1]])


def test_a_spike_at_the_windows_end_is_outside_but_at_the_recordings_own_end():
    block = ticks_block([[[0, 49]], [[50]]], 60)
    assert_array_equal(spike_counts(block, t_stop=50 * pq.ms), [[2], [0]])
    assert np.isnan(first_spike_latency(block, t_stop=50 * pq.ms)[1, 0])
    assert_array_equal(words(block, bin_width=50 * pq.ms, t_stop=50 * pq.ms)[:, 0, 0], [1, 0])
    to_its_end = ticks_block([[[0, 49]], [[50]]], 50)
    for more in (
        {},
        {"t_stop": 50 * pq.ms},
        {"align": [20, 20] * pq.ms, "t_start": -20 * pq.ms, "t_stop": 30 * pq.ms},
    ):
        assert_array_equal(spike_counts(to_its_end, **more), [[2], [1]])
        assert_allclose(first_spike_latency(to_its_end, **more), [[0.0], [0.05]], atol=1e-12)
        assert_array_equal(latency_symbols(to_its_end, resolution=10 * pq.ms, **more), [[0], [4]])
        assert_array_equal(
            words(to_its_end, bin_width=10 * pq.ms, **more)[:, 0], [[1, 0, 0, 0, 1], [0, 0, 0, 0, 1]]
        )


def test_trials_of_equal_length_on_different_clocks_tile_from_their_own_starts():
    block = neo.Block()
    for start in (0.0, 3.0):
        block.segments.append(
            to_block([[[start + 0.012]]], t_start=start * pq.s, t_stop=(start + 0.05) * pq.s).segments[0]
        )
    assert_array_equal(words(block, bin_width=10 * pq.ms)[:, 0], [[0, 1, 0, 0, 0]] * 2)
    assert_allclose(first_spike_latency(block), [[0.012]] * 2, rtol=1e-9)


def test_a_remainder_of_the_window_is_named():
    block = to_block([[[0.1, 0.95], [0.97]], [[0.2], []]], t_stop=1 * pq.s)
    with pytest.warns(
        UserWarning,
        match=r"the window of 1 s holds 3 bins of bin_width = 0.3 s; its last 0.1 s, with 2 of 4 spikes",
    ) as caught:
        letters = words(block, bin_width=300 * pq.ms)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert letters.sum() == 2
    assert spike_counts(block).sum() == 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        words(block, bin_width=100 * pq.ms)
        words(block, bin_width=300 * pq.ms, t_stop=900 * pq.ms)
        words(block, bin_width=1000 / 3 * pq.ms)

"""Information per spike against Poisson neurons whose rate is known: exact sums over bins, and quadrature."""

from typing import Any

import numpy as np
import pytest
import quantities as pq
from helpers.gaussians import z_of_mean
from numpy.testing import assert_allclose

from nsnn_neuro import to_block
from nsnn_neuro.measures import SilentNeuronWarning, information_per_spike, skaggs_information

BIN, N_BINS = 0.02, 25
WINDOW: dict[str, Any] = {"bin_width": BIN * pq.s, "t_start": 0 * pq.s, "t_stop": BIN * N_BINS * pq.s}


def trains_of(counts, width=BIN):
    """Trials of spikes in the middles of the bins, of counts (n_trials, n_bins)."""
    return [(np.repeat(np.arange(c.size), c) + 0.5) * width for c in np.asarray(counts)]


def sine_counts(rng, n_trials=40, mean=1.0, depth=0.8):
    """Poisson counts of a rate mean (1 + depth sin): the exact integral of each bin."""
    edges = np.linspace(0, 1, N_BINS + 1)
    inside = np.diff(edges - depth * np.cos(2 * np.pi * edges) / (2 * np.pi))
    return rng.poisson(mean * N_BINS * inside, size=(n_trials, N_BINS)), inside


def bits(p, o):
    """Relative entropy by a loop."""
    return sum(a * np.log2(a / b) for a, b in zip(p, o, strict=True) if a > 0)


def test_plug_in_equals_a_loop_over_bins():
    rng = np.random.default_rng(0)
    counts, _ = sine_counts(rng, n_trials=5)
    n = counts.sum(axis=0)
    e = information_per_spike(trains_of(counts), bias="none", n_shuffle=0, **WINDOW)
    assert_allclose(e.value, bits(n / n.sum(), np.full(N_BINS, 1 / N_BINS)), rtol=1e-12)
    rates = n / (5 * BIN)  # the source's formula, in rates and time
    by_rate = np.mean(rates / rates.mean() * np.log2(np.where(rates > 0, rates, 1) / rates.mean()))
    assert_allclose(e.value, by_rate, rtol=1e-12)
    assert e.n == n.sum()
    assert e.unit == information_per_spike.unit == "bit/spike"


@pytest.mark.parametrize("bias", ["none", "poisson", "jackknife"])
def test_corrections_and_errors_equal_leaving_trials_out_by_hand(bias):
    counts, _ = sine_counts(np.random.default_rng(1), n_trials=6)

    def value(c):
        n = c.sum(axis=0)
        plain = bits(n / n.sum(), np.full(N_BINS, 1 / N_BINS))
        return plain - ((n > 0).sum() - 1) / (2 * n.sum() * np.log(2)) if bias == "poisson" else plain

    left_out = np.array([value(np.delete(counts, k, axis=0)) for k in range(6)])
    expected = 6 * value(counts) - 5 * left_out.mean() if bias == "jackknife" else value(counts)
    e = information_per_spike(trains_of(counts), bias=bias, n_shuffle=0, **WINDOW)
    assert_allclose(e.value, expected, rtol=1e-10)
    assert_allclose(e.se, np.sqrt(5 / 6 * ((left_out - left_out.mean()) ** 2).sum()), rtol=1e-10)
    assert e.se_method == "jackknife over trials"


@pytest.mark.slow
def test_sinusoidal_poisson_neuron():
    """Mean over 100 repeats against the exact sum over bins, which two errors cover; without a correction it lies far above."""
    rng, inside = np.random.default_rng(2), []
    values: dict[str, list[float]] = {"none": [], "poisson": [], "jackknife": []}
    for _ in range(100):
        counts, p = sine_counts(rng, n_trials=20)
        truth = bits(p, np.full(N_BINS, 1 / N_BINS))
        for bias, found in values.items():
            e = information_per_spike(trains_of(counts), bias=bias, n_shuffle=0, **WINDOW)
            found.append(e.value)
        inside.append(abs(e.value - truth) < 2 * e.se)
    assert abs(z_of_mean(values["jackknife"], truth)) < 4
    assert abs(z_of_mean(values["poisson"], truth)) < 4
    assert z_of_mean(values["none"], truth) > 8
    assert np.mean(inside) >= 0.9


def test_two_errors_cover_the_truth_of_sharp_events_or_a_warning_says_why_not():
    """With 5 trials the bins between events have a spike or none, and 2.3 bit are taken for 2.9."""
    low, peak, n_bins = 0.02, 1.0, 100
    rate = np.full(n_bins, low)
    rate[10 :: n_bins // 5] += peak
    truth = bits(rate / rate.sum(), np.full(n_bins, 1 / n_bins))
    window: dict[str, Any] = {"bin_width": BIN * pq.s, "t_start": 0 * pq.s, "t_stop": n_bins * BIN * pq.s}
    rng, silent, held = np.random.default_rng(11), 0, 0
    for n_trials in (5, 10, 40):
        for _ in range(40):
            e = information_per_spike(trains_of(rng.poisson(rate, (n_trials, n_bins))), n_shuffle=0, **window)
            assert e.warning is not None or n_trials > 5
            silent += e.warning is None
            held += e.warning is None and abs(e.value - truth) <= 2 * e.se
    assert silent > 0
    assert held >= 0.9 * silent - 3 * np.sqrt(0.9 * 0.1 * silent)


def test_warnings_name_sparse_bins_few_trials_and_the_mean_of_shuffles():
    rate = np.full(100, 0.02)
    rate[10::20] += 1.0
    counts = np.random.default_rng(12).poisson(rate, (5, 100))
    window: dict[str, Any] = {"bin_width": BIN * pq.s, "t_start": 0 * pq.s, "t_stop": 100 * BIN * pq.s}
    warning = str(information_per_spike(trains_of(counts), n_shuffle=20, **window).warning)
    assert "5 trials only: the error bar is uncertain; take 8 or more" in warning
    assert (
        f"of {counts.sum()} spikes are alone in their bin and {(counts.sum(0) == 0).sum()} bins are empty"
        in warning
    )
    assert "the mean of 20 shuffles is" in warning
    plenty = information_per_spike(
        trains_of(sine_counts(np.random.default_rng(13), n_trials=40)[0]), n_shuffle=20, **WINDOW
    )
    assert plenty.warning is None


def test_block_and_alignment():
    """Spikes locked to an event that moves: aligned, all fall into one bin of five."""
    events = np.array([0.1, 0.14, 0.2, 0.31])
    block = to_block([[[e + 0.031]] for e in events], t_stop=0.5 * pq.s)
    keywords: dict[str, Any] = {
        "bin_width": 20 * pq.ms,
        "t_stop": 100 * pq.ms,
        "bias": "none",
        "n_shuffle": 0,
    }
    e = information_per_spike(block, align=events * pq.s, **keywords)
    assert_allclose(e.value, np.log2(5), rtol=1e-12)


def test_few_spikes_and_one_trial():
    rng = np.random.default_rng(7)
    few = information_per_spike(trains_of(rng.poisson(0.02, (10, N_BINS))), n_shuffle=0, **WINDOW)
    assert "too few for the correction" in str(few.warning)
    one = information_per_spike(trains_of(rng.poisson(5.0, (1, N_BINS))), n_shuffle=0, **WINDOW)
    assert np.isnan(one.se)
    assert one.correction == "none"
    assert "one part only" in str(one.warning)


def place_cell(rng, n=20_000, n_places=10, peak=0.6):
    """A walker on a ring that dwells, and a Poisson place field with a floor."""
    position = np.cumsum(rng.random(n) < 0.05) % n_places
    rate = 0.02 + peak * np.exp(-((np.arange(n_places) - 4) ** 2) / 2)
    return rng.poisson(rate[position]), position, rate


def test_skaggs_plug_in_equals_the_sources_formula():
    counts, position, _ = place_cell(np.random.default_rng(8), n=2000)
    total, mean = 0.0, counts.sum() / counts.size
    for x in range(10):
        here = position == x
        rate = counts[here].sum() / here.sum()
        total += here.mean() * rate / mean * np.log2(rate / mean) if rate > 0 else 0.0
    e = skaggs_information(position, counts, bias="none", n_shuffle=0)
    assert_allclose(e.value, total, rtol=1e-12)
    assert e.n == counts.sum()


def test_skaggs_jackknife_equals_leaving_stretches_out_by_hand():
    counts, position, _ = place_cell(np.random.default_rng(9), n=1000)
    rest = [np.arange(1000) // 100 != k for k in range(10)]
    left_out = np.array(
        [skaggs_information(position[r], counts[r], bias="none", n_shuffle=0).value for r in rest]
    )
    plain = skaggs_information(position, counts, bias="none", n_shuffle=0).value
    e = skaggs_information(position, counts, n_blocks=10, n_shuffle=0)
    assert_allclose(e.value, 10 * plain - 9 * left_out.mean(), rtol=1e-10)
    assert_allclose(e.se, np.sqrt(9 / 10 * ((left_out - left_out.mean()) ** 2).sum()), rtol=1e-10)


def test_skaggs_finds_a_field():
    counts, position, _ = place_cell(np.random.default_rng(12))
    e = skaggs_information(position, counts, n_shuffle=50, min_shift=500)
    assert e.p == 1 / 51
    assert e.null_mean is not None
    assert abs(e.null_mean) < 0.05 * e.value


def test_skaggs_without_a_spike_warns():
    with pytest.warns(SilentNeuronWarning, match="no spike"):
        e = skaggs_information([0, 1, 0, 1], [0, 0, 0, 0], n_blocks=2)
    assert np.isnan(e.value)

"""Count variability, also within stimuli, against loops, renewal theory, and populations whose matched Fano factor is known."""

from functools import partial

import numpy as np
import pytest
import quantities as pq
from helpers.gaussians import z_of_mean
from helpers.trains import make_block, one_silence
from helpers.windowed_counts import windows_of
from numpy.testing import assert_allclose, assert_array_equal

from nsnn_neuro import tabulate
from nsnn_neuro.measures import Trains, allan_factor, fano_curve, fano_factor, mean_matched_fano


def gamma_block(shape, seed, *, n_neurons, duration, rate=20.0):
    """One trial of stationary gamma trains: they begin a hundred intervals before the trial."""
    rng = np.random.default_rng(seed)
    number = int(rate * duration * 1.1) + 300
    gaps = rng.gamma(shape, 1 / (shape * rate), size=(n_neurons, number))
    times = np.cumsum(gaps, axis=1) - 100 / rate
    assert (times[:, -1] > duration).all()
    return make_block([[t[(t >= 0) & (t < duration)] for t in times]], duration)


def test_fano_curve_is_fano_factor_by_window():
    block = gamma_block(2.0, 1, n_neurons=3, duration=20.0)
    widths, fano = fano_curve(block, windows=[50, 333, 2000] * pq.ms)
    assert_allclose(widths, [0.05, 0.333, 2.0], rtol=1e-12)
    for width, row in zip(widths, fano, strict=True):
        assert_array_equal(row, fano_factor(block, window=width * pq.s))
    options = {"ddof": 0, "t_start": 1 * pq.s, "t_stop": 9 * pq.s}
    cut = fano_curve(block, windows=[0.5] * pq.s, **options)[1][0]
    assert_array_equal(cut, fano_factor(block, window=0.5 * pq.s, **options))


@pytest.mark.slow
@pytest.mark.parametrize("shape", [3.0, 0.5])
def test_long_windows_of_a_renewal_process(shape):
    """Cox 1962: F(T) = CV^2 + (1 - 1/k^2) / (6 r T) for gamma intervals, and AF(T) = 2 F(T) - F(2 T)."""
    rate, widths = 20.0, np.array([1.0, 2.0])
    block = gamma_block(shape, 2, n_neurons=60, duration=800.0)
    fano = fano_curve(block, windows=widths * pq.s)[1]
    expected = 1 / shape + (1 - shape**-2) / (6 * rate * widths)
    for values, theory in zip(fano, expected, strict=True):
        assert abs(z_of_mean(values, theory)) < 4
    assert abs(z_of_mean(allan_factor(block, window=1 * pq.s), 2 * expected[0] - expected[1])) < 4
    assert abs(z_of_mean(fano[1], 1.0)) > 10


def test_allan_factor_against_a_loop():
    """Trials of unequal length, empty trains and windows, a remainder at the end."""
    rng = np.random.default_rng(3)
    stops = [3.1, 2.0, 1.05]
    trials = [[np.sort(rng.uniform(0, s, rng.poisson(4 * s))) for _ in range(3)] for s in stops]
    trials[1][2] = trials[0][2] = np.empty(0)
    trials[2][2] = np.array([0.05, 1.02])
    expected = []
    for j in range(3):
        squares, counts = [], []
        for trial, stop in zip(trials, stops, strict=True):
            n = np.histogram(trial[j], np.arange(int(stop / 0.1 + 1e-9) + 1) * 0.1)[0]
            squares += list(np.diff(n) ** 2)
            counts += list(n)
        expected.append(np.mean(squares) / (2 * np.mean(counts)))
    assert_allclose(allan_factor(make_block(trials, stops), window=100 * pq.ms), expected, rtol=1e-12)


def trains_of_counts(counts):
    """Counts (n_trials, n_neurons, n_windows) as Trains with windows of 1 s."""
    trials, neurons, windows = counts.shape
    trial, neuron, window = (
        np.repeat(i.ravel(), counts.ravel())
        for i in np.meshgrid(*map(np.arange, counts.shape), indexing="ij")
    )
    edge = np.zeros(trials)
    return Trains(window + 0.5, neuron, trial, neurons, trials, edge, edge + windows)


def over_dispersed(rng, rates, n_trials, r):
    """Negative binomial counts, variance = m + m^2/r, (n_trials, n_neurons, n_windows) for rates (neurons, windows)."""
    return rng.poisson(rng.gamma(r, rates / r, size=(n_trials, *rates.shape)))


def test_rates_change_the_raw_fano_factor_but_not_the_matched_one():
    """Negative binomial counts of fixed r, rates doubled in the second window.

    Given the mean count m of n trials, a neuron's counts are Dirichlet-multinomial whatever its rate, so that
    E[v | m] / m = (m + r) / (1/n + r) exactly: with bins of one count, the expectation of the matched value is
    known from the matched means, and equal in both windows.
    """
    rng = np.random.default_rng(6)
    n, r = 16, 4.0
    low = rng.uniform(1, 5, 4000)
    counts = over_dispersed(rng, np.stack([low, 2 * low], axis=1), n, r)
    matched = mean_matched_fano(trains_of_counts(counts), window=1 * pq.s, bin_width=1 / n)
    totals = counts.sum(axis=0)
    histogram = [np.bincount(totals[:, k], minlength=totals.max() + 1)[1:] for k in (0, 1)]
    common = np.minimum(*histogram)
    mean = np.arange(1, totals.max() + 1) / n
    expected = (common * (mean + r) / (1 / n + r)).sum() / common.sum()
    assert matched.n == common.sum()
    assert_array_equal(matched.times, [0.5, 1.5])
    assert (np.abs((matched.fano - expected) / matched.se) < 4).all()
    assert abs(np.diff(matched.raw)[0]) > 10 * matched.se.max()
    assert abs(np.diff(matched.fano)[0]) < 4 * np.hypot(*matched.se)


def test_error_bar_of_the_matched_fano_factor_is_the_standard_error_of_a_mean():
    """All neurons in one bin: the mean of their ratios; the SD of 4,000 resamples is known to 1 / sqrt(8,000)."""
    counts = np.random.default_rng(9).poisson(4.0, (8, 5, 1))
    matched = mean_matched_fano(trains_of_counts(counts), window=1 * pq.s, bin_width=99.0, n_resample=4000)
    ratio = counts.var(axis=0, ddof=1) / counts.mean(axis=0)
    assert_allclose(matched.se, ratio.std(ddof=1) / np.sqrt(5), rtol=4 / np.sqrt(8000))


def test_mean_matching_of_sliding_windows():
    block = make_block([[[0.1, 0.35]], [[0.12, 0.3, 0.6, 0.61]]], 1.0)
    matched = mean_matched_fano(block, window=0.5 * pq.s, step=0.25 * pq.s, bin_width=9.0)
    assert_allclose(matched.times, [0.25, 0.5, 0.75], rtol=1e-12)
    counts = np.array([[2, 1, 0], [2, 3, 2]])
    assert_allclose(matched.fano, counts.var(axis=0, ddof=1) / counts.mean(axis=0), rtol=1e-12)
    assert_allclose(matched.raw, matched.fano, rtol=1e-12)
    with pytest.raises(ValueError, match="bin_width = 4 matches 1 neuron "):
        mean_matched_fano(block, window=0.5 * pq.s, step=0.25 * pq.s)
    assert mean_matched_fano(block, window=0.5 * pq.s, step=0.25 * pq.s, bin_width=4).n == 1


def example():
    """Counts of 16 trials, 4 windows and 3 neurons, and their stimuli."""
    rng = np.random.default_rng(1)
    stimulus = rng.permutation(np.repeat(["left", "right", "up"], [6, 9, 1]))
    return rng.poisson(rng.uniform(1, 9, (16, 4, 3))), stimulus


@pytest.mark.parametrize("ddof", [0, 1])
def test_fano_factor_within_stimuli_and_per_window_against_loops(ddof):
    """Unequal numbers of trials; "up" has one trial and isn't used."""
    counts, stimulus = example()
    variance = mean = 0
    for s in ("left", "right"):
        own = counts[stimulus == s]
        variance = variance + len(own) * own.var(axis=0, ddof=ddof)
        mean = mean + len(own) * own.mean(axis=0)
    block = windows_of(counts)
    options = {"window": 1 * pq.s, "ddof": ddof, "stimulus": stimulus}
    assert_allclose(fano_factor(block, per="bin", **options), (variance / mean).T, rtol=1e-12)
    assert_allclose(fano_factor(block, **options), variance.sum(axis=0) / mean.sum(axis=0), rtol=1e-12)
    whole = counts.sum(axis=1)
    parts = [(whole[stimulus == s], (stimulus == s).sum()) for s in ("left", "right")]
    top = sum(n * own.var(axis=0, ddof=ddof) for own, n in parts)
    bottom = sum(n * own.mean(axis=0) for own, n in parts)
    assert_allclose(fano_factor(block, ddof=ddof, stimulus=stimulus), top / bottom, rtol=1e-12)
    per_trial = fano_factor(block, ddof=ddof, stimulus=stimulus, per="bin")
    assert_allclose(per_trial[:, 0], top / bottom, rtol=1e-12)
    ratio = counts.var(axis=0, ddof=ddof) / counts.mean(axis=0)
    assert_allclose(fano_factor(block, window=1 * pq.s, ddof=ddof, per="bin"), ratio.T, rtol=1e-12)


def test_table_has_the_jackknife_of_the_fano_factor_within_stimuli():
    counts, stimulus = example()
    options = {"window": 1 * pq.s}
    table = tabulate(windows_of(counts), partial(fano_factor, stimulus=stimulus, **options))
    left = np.array([
        fano_factor(windows_of(np.delete(counts, k, axis=0)), stimulus=np.delete(stimulus, k), **options) for k in range(16)
    ])  # fmt: skip
    expected = np.sqrt(15 / 16 * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    assert_allclose(table["se"], expected, rtol=1e-9)


def test_windows_without_spikes_are_nan_with_one_warning():
    counts = np.array([[[1], [0]], [[3], [0]]])
    with one_silence("1 of 2 windows of neurons hold no spike"):
        value = fano_factor(windows_of(counts), window=1 * pq.s, per="bin")
    assert_array_equal(value, [[1.0, np.nan]])
    with one_silence("have no spike"):
        assert np.isnan(fano_factor(windows_of(0 * counts), stimulus=[0, 0])).all()


def test_mean_matched_fano_within_stimuli_by_a_loop():
    """Pairs of neuron and stimulus are matched; a bootstrap draws neurons; all trials pooled hold the differences of stimuli."""
    rng = np.random.default_rng(9)
    label, rate = np.repeat([0, 1, 2], [40, 40, 1]), rng.uniform(2, 9, (3, 30, 2))
    counts = rng.poisson(rate[label])  # (trial, neuron, window)
    block = make_block([[np.repeat([0.25, 0.75], own) for own in row] for row in counts], 1)
    matched = mean_matched_fano(block, window=0.5 * pq.s, stimulus=label, bin_width=0.5)
    mean = np.array([counts[label == k].mean(axis=0) for k in (0, 1)]).reshape(60, 2)
    ratio = np.array([counts[label == k].var(axis=0, ddof=1) for k in (0, 1)]).reshape(60, 2) / mean
    bins = np.floor(mean / 0.5 + 1e-9)
    common = [min((bins == b).sum(axis=0)) for b in range(40)]
    expected = [
        sum(c * ratio[bins[:, t] == b, t].mean() for b, c in enumerate(common) if c) / sum(common)
        for t in (0, 1)
    ]
    assert matched.n == sum(common)
    assert_allclose(matched.fano, expected, rtol=1e-12)
    assert_allclose(matched.raw, ratio.mean(axis=0), rtol=1e-12)
    assert (np.abs(matched.fano - 1) < 4 * matched.se).all()
    assert (mean_matched_fano(block, window=0.5 * pq.s, bin_width=0.5).fano > 1.2).all()

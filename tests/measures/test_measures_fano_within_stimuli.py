"""Fano factor within stimuli and per window, noise correlation per stimulus: loops, gamma processes, recordings."""

import warnings
from functools import partial

import neo
import numpy as np
import pytest
import quantities as pq
from helpers import recordings
from numpy.testing import assert_allclose, assert_array_equal

from nsnn_neuro import NsnnError, tabulate, to_block
from nsnn_neuro.measures import (
    SilentNeuronWarning,
    Trains,
    TrialDriftWarning,
    fano_factor,
    noise_correlation,
)


def block_of_windows(counts):
    """Windows of one second; counts (n_trials, n_windows, n_neurons) spikes at equal distances in them."""
    trials = [
        [
            np.concatenate([w + (np.arange(c) + 0.5) / max(c, 1) for w, c in enumerate(neuron)])
            for neuron in trial.T
        ]
        for trial in counts
    ]
    return to_block(trials, t_stop=counts.shape[1] * pq.s)


def example(seed=1):
    rng = np.random.default_rng(seed)
    stimulus = np.array(["left", "right", "up"])[np.r_[[0] * 6, [1] * 9, [2]]]
    order = rng.permutation(16)
    return rng.poisson(rng.uniform(1, 9, (16, 4, 3)))[order], stimulus[order]


# --- definitions ---


@pytest.mark.parametrize("ddof", [0, 1])
def test_against_loops(ddof):
    """Unequal numbers of trials; "up" has one trial and isn't used."""
    counts, stimulus = example()
    variance = mean = 0
    for s in ("left", "right"):
        own = counts[stimulus == s]
        variance = variance + len(own) * own.var(axis=0, ddof=ddof)
        mean = mean + len(own) * own.mean(axis=0)
    block = block_of_windows(counts)
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


def test_per_bin_without_a_stimulus_is_the_ratio_of_each_window():
    counts, _ = example()
    ratio = counts.var(axis=0, ddof=1) / counts.mean(axis=0)
    value = fano_factor(block_of_windows(counts), window=1 * pq.s, per="bin")
    assert value.shape == (3, 4)
    assert_allclose(value, ratio.T, rtol=1e-12)


def test_one_stimulus_and_one_window_is_the_old_form():
    counts, _ = example()
    block = block_of_windows(counts)
    assert_allclose(fano_factor(block, stimulus=np.zeros(16, int)), fano_factor(block), rtol=1e-12)


def test_table_has_the_jackknife_of_the_whole_function():
    counts, stimulus = example()
    block = block_of_windows(counts)
    table = tabulate(block, partial(fano_factor, window=1 * pq.s, stimulus=stimulus))
    assert_allclose(table["value"], fano_factor(block, window=1 * pq.s, stimulus=stimulus), rtol=1e-12)
    left = np.empty((16, 3))
    for k in range(16):
        rest = neo.Block()
        for j, segment in enumerate(block_of_windows(counts).segments):
            if j != k:
                rest.segments.append(segment)
        left[k] = fano_factor(rest, window=1 * pq.s, stimulus=np.delete(stimulus, k))
    expected = np.sqrt(15 / 16 * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    assert_allclose(table["se"], expected, rtol=1e-9)


# --- known processes ---


def driven_trains(rng, n_trials, shape, rates):
    """Gamma process of order `shape` in operational time, at a rate (Hz) that changes each 100 ms; starts in equilibrium."""
    edges = np.arange(len(rates) + 1) * 0.1
    expected = np.concatenate([[0], np.cumsum(np.array(rates) * 0.1)])
    trials = []
    for _ in range(n_trials):
        start = rng.uniform(0, 50)
        times = np.cumsum(rng.gamma(shape, 1 / shape, int(expected[-1] + 200))) - 50 - start
        trials.append([np.interp(times[(times > 0) & (times < expected[-1])], expected, edges)])
    return to_block(trials, t_stop=edges[-1] * pq.s)


def test_a_driven_regular_cell_is_regular_per_bin_and_not_pooled():
    """Gamma process of order 4 at 10 or 200 Hz: pooled over bins the changes of the rate are in the variance."""
    block = driven_trains(np.random.default_rng(2), 400, 4, [10, 200] * 10)
    window = 100 * pq.ms
    pooled = fano_factor(block, window=window)[0]
    per_bin = fano_factor(block, window=window, per="bin")[0]
    within = fano_factor(block, window=window, stimulus=np.zeros(400, int))[0]
    assert pooled > 3
    assert (
        np.median(per_bin[1::2]) < 0.4
    )  # 20 spikes of an order-4 process: 1/4 and an end correction of about .01
    assert abs(within - np.average(per_bin, weights=np.tile([1, 20], 10))) < 0.02


@pytest.mark.slow
def test_poisson_counts_of_many_stimuli_have_one():
    """Rates from .5 to 30 spikes, unequal numbers of trials: 500 neurons; the mean of ratios has the same mean, but is noisier."""
    rng = np.random.default_rng(3)
    rates = np.geomspace(0.5, 30, 8)
    stimulus = np.repeat(np.arange(8), [2, 3, 4, 5, 6, 8, 10, 12])
    counts = rng.poisson(rates[stimulus][:, None, None], (50, 1, 500))
    value = fano_factor(block_of_windows(counts), stimulus=stimulus)
    assert abs(value.mean() - 1) < 4 * value.std() / np.sqrt(500)
    pooled = fano_factor(block_of_windows(counts[np.random.default_rng(0).permutation(50)]))
    assert pooled.mean() > 5


@pytest.mark.slow
def test_error_bars_of_the_table_cover():
    """200 neurons of modulated Poisson counts: Fano factor 1 + s2 sum of f^2 / sum of f."""
    rng = np.random.default_rng(4)
    rates = np.array([4.0, 10.0, 20.0])
    stimulus = np.repeat([0, 1, 2], 40)
    gain = rng.gamma(10, 0.1, (120, 1, 200))
    block = block_of_windows(rng.poisson(rates[stimulus][:, None, None] * gain))
    table = tabulate(block, partial(fano_factor, stimulus=stimulus))
    truth = 1 + 0.1 * (rates**2).sum() / rates.sum()
    assert np.mean(abs(table["value"] - truth) < 2 * table["se"]) >= 0.9


# --- noise correlation per stimulus ---


def test_noise_correlation_of_each_stimulus():
    counts, stimulus = example()
    counts = counts[:, 0]
    with pytest.warns(SilentNeuronWarning, match="with some stimulus"):
        each = noise_correlation(counts, stimulus=stimulus, per="stimulus")
    assert each.shape == (3, 3, 3)
    for k, s in enumerate(("left", "right")):
        assert_allclose(each[k], np.corrcoef(counts[stimulus == s].T), rtol=1e-10)
    assert np.isnan(each[2]).all()
    pooled = noise_correlation(counts[stimulus != "up"], stimulus=stimulus[stimulus != "up"])
    assert_allclose(pooled, (6 * each[0] + 9 * each[1]) / 15, rtol=1e-10)


def test_noise_correlation_of_each_stimulus_in_windows():
    counts, stimulus = example()
    kept = stimulus != "up"
    block = block_of_windows(counts[kept])
    each = noise_correlation(block, stimulus=stimulus[kept], window=1 * pq.s, per="stimulus")
    for k, s in enumerate(("left", "right")):
        own = counts[stimulus == s]
        expected = np.mean([np.corrcoef(own[:, w].T) for w in range(4)], axis=0)
        assert_allclose(each[k], expected, rtol=1e-10)


# --- bad input ---


@pytest.mark.parametrize(
    ("n_trials", "options", "message"),
    [
        (1, {"per": "bin"}, "per = 'bin' with one trial; fano_factor needs at least two"),
        (4, {"stimulus": [0, 1, 2, 3]}, "each label has one trial"),
        (4, {"stimulus": [0, 1]}, r"stimulus has shape \(2,\)"),
        (4, {"per": "window"}, "per = 'window': expected one of 'pooled', 'bin'"),
        (4, {"stimulus": [0, 0, 1, 1], "ddof": 2}, "ddof = 2"),
    ],
)
def test_refuses(n_trials, options, message):
    block = block_of_windows(np.ones((n_trials, 2, 1), int))
    with pytest.raises(NsnnError, match=message):
        fano_factor(block, **options)


def test_windows_without_spikes_are_nan_with_one_warning():
    counts = np.array([[[1], [0]], [[3], [0]]])
    with pytest.warns(SilentNeuronWarning, match="1 of 2 windows of neurons hold no spike") as caught:
        value = fano_factor(block_of_windows(counts), window=1 * pq.s, per="bin")
    assert len(caught) == 1
    assert_array_equal(value, [[1.0, np.nan]])
    with pytest.warns(SilentNeuronWarning, match="have no spike") as caught:
        value = fano_factor(block_of_windows(0 * counts), stimulus=[0, 0])
    assert len(caught) == 1
    assert np.isnan(value).all()


# --- recordings ---


@pytest.mark.filterwarnings("ignore::nsnn_neuro.measures.TrialDriftWarning")
def test_subthalamic_neuron_within_directions():
    """Published Fano factors of single directions: .85 and .65; within both it lies between them."""
    import scipy.io

    data = scipy.io.loadmat(recordings.folder("case_studies_spikes") / "10_spikes-1.mat", squeeze_me=True)
    block = recordings.block([data["t"][row > 0] / 1000.0 for row in data["train"]], 1.0, t_start=-1.0)
    each = [0.85, 0.65]
    value = fano_factor(block, stimulus=data["direction"])[0]
    assert min(each) < value < max(each)
    assert fano_factor(block)[0] > value  # directions differ in rate


def test_motor_unit_per_window():
    """Published: 469 repeats, count Fano factor .1048; the stimulus changes the rate, so windows pooled vary more."""
    import pandas as pd

    rows = pd.read_csv(recordings.folder("human_motor_unit_tms") / "neuro.csv", index_col=0).to_numpy()
    block = recordings.block([r[~np.isnan(r)] / 1000 for r in rows], 0.25, t_start=-0.25)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrialDriftWarning)
        assert round(fano_factor(block, per="bin")[0, 0], 4) == 0.1048
        pooled = fano_factor(block, window=100 * pq.ms)[0]
        within = fano_factor(block, window=100 * pq.ms, stimulus=np.zeros(469, int))[0]
    assert within < pooled


@pytest.mark.slow
def test_salamander_movie_per_window():
    """Published: median over cells of the Fano factor in windows of 200 ms with a mean above .2 spikes, .557."""
    import scipy.io

    data = scipy.io.loadmat(
        recordings.folder("salamander_retina_movie") / "original_data_num_neurons_50_1.mat"
    )["data"]
    binned = data.reshape(297, 953, 50)
    trial, bins, neuron = np.nonzero(binned)
    edges = np.tile([0.0, 953 * 0.02], (297, 1))
    trains = Trains.from_arrays((bins + 0.5) * 0.02, neuron, trial, 50, edges)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        per_bin = fano_factor(trains, window=200 * pq.ms, per="bin")
    mean = binned[:, :950].reshape(297, 95, 10, 50).sum(axis=2).mean(axis=0).T
    assert per_bin.shape == mean.shape == (50, 95)
    assert round(float(np.median(per_bin[mean > 0.2])), 3) == 0.557

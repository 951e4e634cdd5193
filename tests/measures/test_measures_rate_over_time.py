"""PSTH with Poisson limits, spike-triggered average, agreement of rates and of PSTHs over its ceiling."""

import warnings

import neo
import numpy as np
import pytest
import quantities as pq
from helpers.trains import make_block, one_silence
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import poisson

from nsnn_neuro import NsnnError, align, cut, to_block
from nsnn_neuro.measures import Trains, psth, psth_correlation, rate_correlation, spike_triggered_average


def poisson_trials(seed, n_trials, n_neurons, rate):
    """Trials of Poisson trains in 1 s."""
    rng = np.random.default_rng(seed)
    return [
        [np.sort(rng.uniform(0, 1, rng.poisson(rate))) for _ in range(n_neurons)] for _ in range(n_trials)
    ]


def test_psth_band_inverts_the_poisson_tails():
    """lower: P(X >= c) = a/2 at that mean; upper: P(X <= c) = a/2; lower is 0 for c = 0."""
    trials = [[np.array([0.1, 0.2, 0.25, 0.7])], [np.array([0.1])]]
    h = psth(make_block(trials), bin_width=0.3 * pq.s, confidence=0.9)
    exposure = 2 * 0.3
    assert_array_equal(h.counts, [[4, 0, 1]])
    seen = h.counts > 0
    assert_allclose(poisson.sf(h.counts - 1, h.lower * exposure)[seen], 0.05, rtol=1e-9)
    assert_allclose(poisson.cdf(h.counts, h.upper * exposure), 0.05, rtol=1e-9)
    assert_array_equal(h.lower[~seen], 0.0)


def test_psth_pooled():
    trials = poisson_trials(4, 3, 4, 30.0)
    h = psth(make_block(trials), bin_width=0.1 * pq.s)
    merged = [[np.sort(np.concatenate([trial[0], trial[2]]))] for trial in trials]
    alone = psth(make_block(merged), bin_width=0.1 * pq.s)
    pooled = h.pooled([0, 2])
    assert_allclose(pooled.rate, alone.rate / 2, rtol=1e-12)
    assert_allclose(pooled.upper, alone.upper / 2, rtol=1e-12)
    assert_allclose(h.pooled().rate[0], h.rate.mean(axis=0), rtol=1e-12)


def test_psth_of_trials_of_different_length_counts_the_trials_behind_each_bin():
    """Trials from 0 to 1 s and from 0.5 to 2 s; a spike at a trial's end is in its last bin."""
    block = to_block([[[0.1, 0.75, 1.0]]], t_stop=1 * pq.s)
    late = to_block([[[0.5, 1.6, 2.0]]], t_start=0.5 * pq.s, t_stop=2 * pq.s)
    block.segments.append(late.segments[0])
    h = psth(block, bin_width=0.5 * pq.s)
    assert (h.exposure.tolist(), h.counts.tolist()) == ([1, 2, 1, 1], [[1, 3, 0, 2]])
    assert_allclose(h.rate, [[2, 3, 0, 4]], rtol=1e-12)
    assert h.pooled().exposure.tolist() == [1, 2, 1, 1]
    shifted = psth(block, bin_width=0.8 * pq.s, t_start=0.3 * pq.s)  # no trial covers 0.3 to 1.1 s
    assert (shifted.exposure.tolist(), shifted.counts.tolist()) == ([0, 1], [[0, 1]])
    for values in (shifted.rate, shifted.lower, shifted.upper):
        assert np.isnan(values).tolist() == [[True, False]]
    assert_allclose(shifted.edges, [0.3, 1.1, 1.9], rtol=1e-12)
    with pytest.raises(NsnnError, match="is longer than the longest trial"):
        psth(block, bin_width=1.6 * pq.s)


def test_psth_aligned_to_events():
    """An event for each trial is `align`; several in one trial are `cut`; windows that leave a trial count where it is."""
    trials = poisson_trials(5, 6, 2, 20.0)
    block, events = make_block(trials), np.array([0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    window = {"t_start": -0.2 * pq.s, "t_stop": 0.3 * pq.s}
    for ends in ({}, window):
        whole = psth(block, bin_width=0.05 * pq.s, align=events * pq.s, **ends)
        same = psth(align(block, events), bin_width=0.05 * pq.s, **ends)
        assert_array_equal(whole.counts, same.counts)
        assert_array_equal(whole.exposure, same.exposure)
        assert (whole.edges[0], whole.edges[-1]) == pytest.approx((-0.2, 0.3) if ends else (-0.7, 0.8))
    one = make_block(trials[:1])
    with pytest.warns(UserWarning, match="6 of 6 windows overlap"):
        many = psth(one, bin_width=0.05 * pq.s, align=events * pq.s, **window)
    trials_of_it = cut(one, events, before=0.2 * pq.s, after=0.3 * pq.s, overlap="repeat")
    assert_array_equal(many.counts, psth(trials_of_it, bin_width=0.05 * pq.s).counts)
    with pytest.warns(UserWarning, match="2 of 2 windows overlap"):
        late = psth(one, bin_width=0.1 * pq.s, align=[0.5, 0.9] * pq.s, **window)
    assert late.exposure.tolist() == [2, 2, 2, 1, 1]


def test_psth_warns_of_windows_that_overlap_and_of_no_others():
    """Windows that touch, and equal events of different trials, share no spikes; events may be in any order."""
    block = make_block(poisson_trials(6, 2, 1, 20.0))
    window = {"bin_width": 0.1 * pq.s, "t_start": -0.1 * pq.s, "t_stop": 0.1 * pq.s}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        psth(block, align=[[0.9, 0.1, 0.3, 0.7, 0.5] * pq.s, [0.1, 0.3] * pq.s], **window)
    with pytest.warns(UserWarning, match="psth: 2 of 5 windows overlap") as caught:
        psth(block, align=[[0.9, 0.1, 0.25, 0.5] * pq.s, [0.35] * pq.s], **window)
    assert len(caught) == 1


@pytest.mark.parametrize("shared", [False, True])
def test_sta_against_a_loop_over_spikes_on_the_sample_grid(shared):
    """Several neurons and trials, a signal of each or of all with a large offset, spikes on samples, 0.3 s + k dt."""
    rng = np.random.default_rng(7)
    x = 1e4 + rng.normal(size=(3, 500))
    x = x[[0, 0, 0]] if shared else x
    signals = [neo.AnalogSignal(row, units="mV", sampling_rate=1 * pq.kHz, t_start=0.3 * pq.s) for row in x]
    ticks = [[np.sort(rng.choice(500, 20, replace=False)) for _ in range(2)] for _ in range(3)]
    block = make_block([[0.3 + t * 1e-3 for t in trial] for trial in ticks])
    assert (np.floor((0.3 + ticks[0][0] * 1e-3 - 0.3) * 1000) < ticks[0][0]).any()  # rounding would misplace
    signal = signals[0] if shared else signals
    sta = spike_triggered_average(signal, block, before=5 * pq.ms, after=10 * pq.ms)
    for j in range(2):
        used = [(k, t) for k in range(3) for t in ticks[k][j] if t - 5 >= 0 and t + 10 <= 500]
        rows = [x[k, t - 5 : t + 10] for k, t in used]
        assert sta.n[j] == len(rows)
        assert_allclose(sta.average[j], np.mean(rows, axis=0), rtol=1e-12)
        left = {}  # in blocks of each signal's 486 samples at which a spike has a whole window
        for (k, t), row in zip(used, rows, strict=True):
            place = (0, (t - 5) * 10 // 486) if shared else (k, (t - 5) * 8 // 486)
            left.setdefault(place, []).append(row - np.mean(rows, axis=0))
        sums = np.array([np.sum(part, axis=0) for part in left.values()])
        expected = np.sqrt((sums**2).sum(axis=0) * len(sums) / (len(sums) - 1)) / len(rows)
        assert_allclose(sta.se[j], expected, rtol=1e-6)


def test_rate_correlation_against_explicit_sums():
    """Oracle: Gaussian sums over the spikes on a grid, renormalised by the Gaussian's mass inside the trial.

    Spikes sit at the middles of bins of 1 ms, so that only the kernel's cut at 5 sigma (1e-6) is left.
    """
    sigma = 0.03
    grid = (np.arange(1000) + 0.5) * 1e-3
    rng = np.random.default_rng(10)
    a, b = ([[np.sort(rng.choice(grid, 30))] for _ in range(trials)] for trials in (2, 3))

    def rate(trials):
        kernel = lambda centres: np.exp(-0.5 * ((grid[:, None] - centres) / sigma) ** 2).sum(axis=1)  # noqa: E731
        return kernel(np.concatenate([trial[0] for trial in trials])) / kernel(grid)

    expected = np.corrcoef(rate(a), rate(b))[0, 1]
    ours = rate_correlation(make_block(a), make_block(b), sigma=sigma * pq.s, step=1 * pq.ms)
    assert_allclose(ours, [expected], atol=1e-5)


WIDTH = 10e-3
OPTIONS = {"bin_width": 10 * pq.ms}


def trains_of(counts):
    """Trains with these counts (n_trials, n_bins), spikes in the middle of their bins."""
    n, m = counts.shape
    trial = np.repeat(np.repeat(np.arange(n), m), counts.ravel())
    times = (np.repeat(np.tile(np.arange(m), n), counts.ravel()) + 0.5) * WIDTH
    edges = np.tile([0.0, m * WIDTH], (n, 1))
    return Trains.from_arrays(times, np.zeros(len(times), int), trial, 1, edges)


def test_psth_correlation_is_the_formula_of_signal_powers():
    x, y = (np.random.default_rng(k).poisson(1.5, (n, 30)) for k, n in ((1, 4), (2, 3)))
    y[:, :15] += 2
    x[:, 5:20] += 1

    def power(counts):  # the mean covariance of two different trials
        c = np.cov(counts, bias=True)
        return c[~np.eye(len(c), dtype=bool)].mean()

    covariance = np.cov(x.mean(axis=0), y.mean(axis=0), bias=True)
    expected = covariance[0, 1] / np.sqrt(power(x) * power(y))
    assert psth_correlation(trains_of(x), trains_of(y), **OPTIONS) == pytest.approx(expected, rel=1e-12)
    plain = np.corrcoef(x.mean(axis=0), y.mean(axis=0))[0, 1]
    assert psth_correlation(trains_of(x), trains_of(y), normalised=False, **OPTIONS) == pytest.approx(plain)


def test_few_trials_do_not_lower_the_psth_correlation():
    """60 sets of five Poisson trials each of two rates whose correlation is known; the plain correlation is far below."""
    rng = np.random.default_rng(3)
    t = np.linspace(0, 6 * np.pi, 100)
    rates = 1.0 + 0.6 * np.sin(t), 1.0 + 0.6 * np.sin(t + 0.9)
    true = np.corrcoef(rates)[0, 1]
    values = np.array(
        [
            [psth_correlation(*both, normalised=n, **OPTIONS) for n in (True, False)]
            for both in ([trains_of(rng.poisson(r, (5, 100))) for r in rates] for _ in range(60))
        ]
    )
    error = values.std(axis=0, ddof=1) / np.sqrt(60)
    assert abs(values[:, 0].mean() - true) < 4 * error[0] + 0.01  # a ratio has a bias of order 1/bins
    assert values[:, 1].mean() < true - 10 * error[1]


def test_a_constant_psth_has_no_signal_power():
    x = trains_of(np.random.default_rng(4).poisson(1.0, (2, 20)))
    with one_silence("without signal power"):
        assert np.isnan(psth_correlation(x, trains_of(np.ones((2, 20), int)), **OPTIONS))

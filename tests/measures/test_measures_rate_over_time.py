"""PSTH with Poisson limits, spike-triggered average, agreement of rates."""

import warnings

import neo
import numpy as np
import pytest
import quantities as pq
from helpers.gaussians import z_of_mean
from helpers.trains import make_block
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter1d
from scipy.stats import poisson

from nsnn_neuro import NsnnError, align, cut, plotting, to_block
from nsnn_neuro.measures import psth, rate_correlation, spike_triggered_average


def poisson_trials(seed, n_trials, n_neurons, rate, duration=1.0):
    """Trials of Poisson trains; `rate` is a number in Hz or, thinned from at most 80 Hz, a function of time."""
    rng = np.random.default_rng(seed)

    def train():
        t = np.sort(rng.uniform(0, duration, rng.poisson((80 if callable(rate) else rate) * duration)))
        return t[rng.uniform(0, 80, t.size) < rate(t)] if callable(rate) else t

    return [[train() for _ in range(n_neurons)] for _ in range(n_trials)]


def test_psth_counts_against_histograms():
    trials = poisson_trials(1, 5, 3, 40.0)
    h = psth(make_block(trials), bin_width=150 * pq.ms)  # six bins and a remainder
    edges = 0.15 * np.arange(7)
    assert_allclose(h.edges, edges, rtol=1e-12)
    for j in range(3):
        counts = np.histogram(np.concatenate([trial[j] for trial in trials]), edges)[0]
        assert_array_equal(h.counts[j], counts)
        assert_allclose(h.rate[j], counts / (5 * 0.15), rtol=1e-12)


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


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_psth_of_trials_of_different_length_counts_the_trials_behind_each_bin(data):
    """In whole ticks of 1/64 s, which floating point has exactly; by a loop over trials and bins."""
    n, width = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 12))
    windows = [
        sorted(data.draw(st.lists(st.integers(-40, 40), min_size=2, max_size=2, unique=True)))
        for _ in range(n)
    ]
    ticks = [data.draw(st.lists(st.integers(a, b), max_size=12)) for a, b in windows]
    block = neo.Block()
    for (a, b), train in zip(windows, ticks, strict=True):
        block.segments.append(
            to_block([[np.array(train) / 64 * pq.s]], t_start=a / 64 * pq.s, t_stop=b / 64 * pq.s).segments[0]
        )
    low, high = min(a for a, _ in windows), max(b for _, b in windows)
    options = {}
    if data.draw(st.booleans()):
        low = data.draw(st.integers(low, high - 1))
        options["t_start"] = low / 64 * pq.s
    if data.draw(st.booleans()):
        high = data.draw(st.integers(low + 1, high))
        options["t_stop"] = high / 64 * pq.s
    edges = range(low, high + 1, width)
    covers = [[(a <= e and e + width <= b) for e in edges[:-1]] for a, b in windows]
    if not np.any(covers):
        with pytest.raises(NsnnError, match="is longer than the longest trial"):
            psth(block, bin_width=width / 64 * pq.s, **options)
        return
    counts = [
        sum(
            sum(e <= t < e + width or t == e + width == b for t in train)
            for (_, b), train, own in zip(windows, ticks, covers, strict=True)
            if own[k]
        )
        for k, e in enumerate(edges[:-1])
    ]
    h = psth(block, bin_width=width / 64 * pq.s, **options)
    assert h.exposure.tolist() == np.sum(covers, axis=0).tolist()
    assert h.counts[0].tolist() == counts
    assert_allclose(h.edges, np.array(edges) / 64)
    seen = h.exposure > 0
    assert_allclose(h.rate[0][seen], h.counts[0][seen] / (h.exposure[seen] * width / 64))
    for values in (h.rate, h.lower, h.upper):
        assert np.isnan(values[0][~seen]).all()
    assert h.pooled().exposure.tolist() == h.exposure.tolist()


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
    with pytest.warns(UserWarning, match="psth: 6 of 6 windows overlap with another one"):
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
    drawn = {"bin_width": 0.1 * pq.s, "window": (-0.1, 0.1) * pq.s}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        psth(block, align=[[0.9, 0.1, 0.3, 0.7, 0.5] * pq.s, [0.1, 0.3] * pq.s], **window)
        # windows of two conditions, each with a band of its own
        two = [[0.3, 0.4] * pq.s, [0.3] * pq.s]
        plotting.psth(block, align=two, ax=Figure().subplots(), conditions=["a", "b", "a"], **drawn)
    events = [[0.9, 0.1, 0.25, 0.5] * pq.s, [0.35] * pq.s]
    for call in (
        lambda: psth(block, align=events, **window),
        lambda: plotting.psth(block, align=events, ax=Figure().subplots(), **drawn),
    ):
        with pytest.warns(UserWarning, match="psth: 2 of 5 windows overlap") as caught:
            call()
        assert len(caught) == 1


def test_sta_against_a_loop_over_spikes_on_the_sample_grid():
    """Several neurons and trials, a signal per trial with a large offset, spikes on samples, 0.3 s + k dt."""
    rng = np.random.default_rng(7)
    x = 1e4 + rng.normal(size=(3, 500))
    signals = [neo.AnalogSignal(row, units="mV", sampling_rate=1 * pq.kHz, t_start=0.3 * pq.s) for row in x]
    ticks = [[np.sort(rng.choice(500, 20, replace=False)) for _ in range(2)] for _ in range(3)]
    block = make_block([[0.3 + t * 1e-3 for t in trial] for trial in ticks])
    assert (np.floor((0.3 + ticks[0][0] * 1e-3 - 0.3) * 1000) < ticks[0][0]).any()  # rounding would misplace
    sta = spike_triggered_average(signals, block, before=5 * pq.ms, after=10 * pq.ms)
    for j in range(2):
        used = [(k, t) for k in range(3) for t in ticks[k][j] if t - 5 >= 0 and t + 10 <= 500]
        rows = [x[k, t - 5 : t + 10] for k, t in used]
        assert sta.n[j] == len(rows)
        assert_allclose(sta.average[j], np.mean(rows, axis=0), rtol=1e-12)
        left = {}  # 8 blocks of each trial, of the 486 samples at which a spike has a whole window
        for (k, t), row in zip(used, rows, strict=True):
            left.setdefault((k, (t - 5) * 8 // 486), []).append(row - np.mean(rows, axis=0))
        sums = np.array([np.sum(part, axis=0) for part in left.values()])
        expected = np.sqrt((sums**2).sum(axis=0) * len(sums) / (len(sums) - 1)) / len(rows)
        assert_allclose(sta.se[j], expected, rtol=1e-6)


@pytest.mark.parametrize("shared", [False, True], ids=["of each trial", "of all trials"])
def test_errors_of_the_sta_of_slow_signals(shared):
    """200 channels that are correlated over 20 ms and unrelated to the spikes; SD over spikes / sqrt(n) covers 0 in 70 to 80 %."""
    rng = np.random.default_rng(11)
    length = 200 if shared else 60  # samples of 5 ms
    noise = gaussian_filter1d(rng.normal(size=(1 if shared else 10, length + 20, 200)), 2, axis=1)[:, 10:-10]
    signals = [neo.AnalogSignal(one, units="mV", sampling_rate=200 * pq.Hz) for one in noise]
    trains = [np.flatnonzero(rng.random(length) < 0.3) / 200 for _ in range(10)]
    sta = spike_triggered_average(
        signals[0] if shared else signals, trains, before=25 * pq.ms, after=0 * pq.ms
    )
    covered = np.abs(sta.average[0, ::2]) <= 2 * sta.se[0, ::2]
    assert 0.9 <= covered.mean() < 0.98
    by_spikes = 2 * noise.std(axis=(0, 1)) / np.sqrt(sta.n[0])
    assert np.mean(np.abs(sta.average[0, ::2]) <= by_spikes) < 0.86


def test_sta_of_a_linear_poisson_neuron():
    """Counts Poisson with mean r0 dt (1 + m x), x white with SD s: average m s^2 at lag 0 and 0 elsewhere."""
    m, r0 = 0.3, 50.0
    rng = np.random.default_rng(8)
    x = np.clip(rng.normal(size=100_000), -3, 3)
    signal = neo.AnalogSignal(x, units="mV", sampling_rate=1 * pq.kHz)
    counts = rng.poisson(r0 * 1e-3 * (1 + m * x))
    times = (np.repeat(np.arange(x.size), counts) + 0.5) * 1e-3
    sta = spike_triggered_average(signal, [times], before=5 * pq.ms, after=5 * pq.ms)
    expected = np.where(sta.lags == 0, m * x.var(), 0.0)
    assert (np.abs((sta.average[0] - expected) / sta.se[0]) < 4).all()


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


def test_rate_correlation_of_noisy_copies_of_one_rate():
    """Rates r0 (1 + m sin 2 pi f t): correlation S / (S + N) of signal and shot noise.

    S = (r0 m)^2 exp(-(2 pi f sigma)^2) / 2, N = r0 / (2 sqrt(pi) sigma trials). The sample correlation of 10
    s, some 280 independent values, is low by about C (1 - C^2) / 560, 6e-4, less than a third of the standard
    error.
    """
    r0, m, f, sigma, trials = 40.0, 0.8, 3.0, 0.01, 5
    rate = lambda t: r0 * (1 + m * np.sin(2 * np.pi * f * t))  # noqa: E731
    a, b = (make_block(poisson_trials(s, trials, 100, rate, 10.0), t_stop=10.0) for s in (12, 13))
    value = rate_correlation(a, b, sigma=sigma * pq.s)
    signal = (r0 * m) ** 2 * np.exp(-((2 * np.pi * f * sigma) ** 2)) / 2
    noise = r0 / (2 * np.sqrt(np.pi) * sigma * trials)
    assert abs(z_of_mean(value, signal / (signal + noise))) < 4

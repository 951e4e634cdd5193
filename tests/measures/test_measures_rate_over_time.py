"""PSTH with Poisson limits, spike-triggered average, agreement of rates."""

import warnings

import neo
import numpy as np
import pytest
import quantities as pq
from elephant.sta import spike_triggered_average as elephant_sta
from elephant.statistics import time_histogram
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter1d
from scipy.stats import poisson

from nsnn_neuro import NsnnError, align, cut, plotting, to_block
from nsnn_neuro.measures import SilentNeuronWarning, psth, rate_correlation, spike_triggered_average


def make_block(trials, t_stop=1.0):
    return to_block(trials, t_stop=t_stop * pq.s)


def poisson_trials(seed, n_trials, n_neurons, rate, duration=1.0):
    """Trials of inhomogeneous Poisson trains by thinning; `rate` is a function of time or a number in Hz."""
    rng = np.random.default_rng(seed)
    function = rate if callable(rate) else lambda t: np.full_like(t, rate)
    top = function(np.linspace(0, duration, 10_001)).max() * 1.01

    def train():
        t = np.sort(rng.uniform(0, duration, rng.poisson(top * duration)))
        return t[rng.uniform(0, top, t.size) < function(t)]

    return [[train() for _ in range(n_neurons)] for _ in range(n_trials)]


# --- psth ---


def test_psth_counts_against_histograms():
    trials = poisson_trials(1, 5, 3, 40.0)
    h = psth(make_block(trials), bin_width=150 * pq.ms)  # six bins and a remainder
    edges = 0.15 * np.arange(7)
    assert_allclose(h.edges, edges, rtol=1e-12)
    for j in range(3):
        counts = np.histogram(np.concatenate([trial[j] for trial in trials]), edges)[0]
        assert_array_equal(h.counts[j], counts)
        assert_allclose(h.rate[j], counts / (5 * 0.15), rtol=1e-12)


def test_psth_equals_elephants_time_histogram():
    block = make_block(poisson_trials(3, 5, 2, 40.0))
    rate = psth(block, bin_width=50 * pq.ms).rate
    for j in range(2):
        trains = [segment.spiketrains[j] for segment in block.segments]
        theirs = time_histogram(trains, bin_size=50 * pq.ms, output="rate").rescale("Hz").magnitude[:, 0]
        assert_allclose(rate[j], theirs, rtol=1e-9)


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


def test_psth_band_covers_the_rate():
    """Coverage of the 95 % band by exact summation for this mean, against the fraction of bins covered."""
    mean = 3.0
    block = make_block(poisson_trials(2, 10, 300, mean / 0.1 / 10))
    h = psth(block, bin_width=100 * pq.ms)
    covered = (h.lower <= mean) & (mean <= h.upper)
    counts = np.arange(60)
    reference = psth(make_block([[np.full(c, 0.05) for c in counts]]), bin_width=0.1 * pq.s)
    inside = (reference.lower[:, 0] * 0.1 <= mean) & (mean <= reference.upper[:, 0] * 0.1)
    exact = poisson.pmf(counts, mean)[inside].sum()
    assert exact >= 0.95
    assert abs((covered.mean() - exact) / np.sqrt(exact * (1 - exact) / covered.size)) < 4


def test_psth_follows_a_known_rate():
    rate = lambda t: 40 + 30 * np.sin(2 * np.pi * 2 * t)  # noqa: E731
    h = psth(make_block(poisson_trials(3, 50, 20, rate)), bin_width=20 * pq.ms).pooled()
    edges = h.edges
    primitive = 40 * edges - 30 * np.cos(2 * np.pi * 2 * edges) / (2 * np.pi * 2)
    expected = np.diff(primitive) * 50 * 20
    z = (h.counts[0] - expected) / np.sqrt(expected)
    assert abs((z**2).sum() - z.size) / np.sqrt(2 * z.size) < 4
    assert abs(z.sum() / np.sqrt(z.size)) < 4


def test_psth_pooled():
    trials = poisson_trials(4, 3, 4, 30.0)
    h = psth(make_block(trials), bin_width=0.1 * pq.s)
    merged = [[np.sort(np.concatenate([trial[0], trial[2]]))] for trial in trials]
    alone = psth(make_block(merged), bin_width=0.1 * pq.s)
    pooled = h.pooled([0, 2])
    assert_allclose(pooled.rate, alone.rate / 2, rtol=1e-12)
    assert_allclose(pooled.upper, alone.upper / 2, rtol=1e-12)
    assert_allclose(h.pooled().rate[0], h.rate.mean(axis=0), rtol=1e-12)
    for neurons in (np.arange(0), 1):
        with pytest.raises(NsnnError, match="neurons = "):
            h.pooled(neurons)


def test_psth_refuses():
    block = make_block([[[0.1]]])
    for call, message in [
        (lambda: psth(block, bin_width=0.1), r"bin_width = 0.1 has no unit"),
        (lambda: psth(block, bin_width=2 * pq.s), r"bin_width = 2.0 s is longer"),
        (lambda: psth(block, bin_width=0.1 * pq.s, confidence=95), "confidence = 95"),
    ]:
        with pytest.raises(NsnnError, match=message):
            call()
    for options, message in [
        ({"t_start": -0.1 * pq.s}, r"t_start = -0.1 s: the first trial starts at 0.0 s"),
        ({"t_stop": 1.1 * pq.s}, r"t_stop = 1.1 s: the last trial stops at 1.0 s"),
        ({"t_start": 0.5 * pq.s, "t_stop": 0.5 * pq.s}, "must be before"),
        ({"align": [0.1, 0.2] * pq.s, "t_stop": 0.1 * pq.s}, "2 events in 1 trials need a window"),
        ({"align": 0.1}, "align = 0.1 has no unit"),
        ({"align": 0.5 * pq.s, "t_start": 0.7 * pq.s, "t_stop": 0.9 * pq.s}, "no window around an event"),
    ]:
        with pytest.raises(NsnnError, match=message):
            psth(block, bin_width=0.1 * pq.s, **options)


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
    trials = poisson_trials(5, 6, 2, lambda t: 20.0 + 0 * t)
    block = make_block(trials)
    events = np.array([0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    whole = psth(block, bin_width=0.05 * pq.s, align=events * pq.s)
    same = psth(align(block, events), bin_width=0.05 * pq.s)
    assert_array_equal(whole.counts, same.counts)
    assert_array_equal(whole.exposure, same.exposure)
    assert (whole.edges[0], whole.edges[-1]) == (pytest.approx(-0.7), pytest.approx(0.8))
    window = {"t_start": -0.2 * pq.s, "t_stop": 0.3 * pq.s}
    by_trial = psth(block, bin_width=0.05 * pq.s, align=events * pq.s, **window)
    assert_array_equal(by_trial.counts, psth(align(block, events), bin_width=0.05 * pq.s, **window).counts)
    assert by_trial.exposure.tolist() == [6] * 10
    one = make_block(trials[:1])
    with pytest.warns(UserWarning, match="psth: 6 of 6 windows overlap with another one") as caught:
        many = psth(one, bin_width=0.05 * pq.s, align=events * pq.s, **window)
    assert len(caught) == 1
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
        psth(block, align=0.3 * pq.s, **window)
        psth(block, align=[[0.9, 0.1, 0.3, 0.7, 0.5] * pq.s, [0.1, 0.3] * pq.s], **window)
        plotting.psth(
            block, bin_width=0.1 * pq.s, align=0.3 * pq.s, window=(-0.1, 0.1) * pq.s, ax=Figure().subplots()
        )
        # windows of two conditions, each with a band of its own
        two = {"bin_width": 0.1 * pq.s, "window": (-0.1, 0.1) * pq.s, "conditions": ["a", "b", "a"]}
        plotting.psth(block, align=[[0.3, 0.4] * pq.s, [0.3] * pq.s], ax=Figure().subplots(), **two)
    events = [[0.9, 0.1, 0.25, 0.5] * pq.s, [0.35] * pq.s]
    with pytest.warns(UserWarning, match="psth: 2 of 5 windows overlap"):
        psth(block, align=events, **window)
    with pytest.warns(UserWarning, match="psth: 2 of 5 windows overlap") as caught:
        plotting.psth(
            block, bin_width=0.1 * pq.s, align=events, window=(-0.1, 0.1) * pq.s, ax=Figure().subplots()
        )
    assert len(caught) == 1


# --- spike-triggered average ---


def white_signal(seed, n, rate=1000.0):
    x = np.random.default_rng(seed).normal(size=n)
    return x, neo.AnalogSignal(x, units="mV", sampling_rate=rate * pq.Hz)


def test_sta_equals_elephant_away_from_sample_borders():
    """Spikes half-way between samples, where Elephant's rounding of spike times to samples is safe."""
    _, signal = white_signal(5, 1000)
    samples = np.sort(np.random.default_rng(6).choice(1000, 60, replace=False))
    train = neo.SpikeTrain((samples + 0.5) / 1000, units="s", t_stop=1.0)
    theirs = elephant_sta(signal, train, (-20 * pq.ms, 30 * pq.ms))
    ours = spike_triggered_average(signal, train, before=20 * pq.ms, after=30 * pq.ms)
    assert ours.n[0] == theirs.annotations["used_spikes"][0] < 60
    assert_allclose(ours.average[0], theirs.magnitude[:, 0], rtol=1e-12, atol=1e-14)
    assert_allclose(ours.lags, theirs.times.rescale("s").magnitude, atol=1e-12)


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


def test_sta_silent_neuron_and_refusals():
    x, signal = white_signal(9, 1000)
    block = make_block([[[0.5], [], [0.999]]])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sta = spike_triggered_average(signal, block, before=5 * pq.ms, after=5 * pq.ms)
    assert [w.category for w in caught] == [SilentNeuronWarning]
    assert "2 of 3" in str(caught[0].message)
    assert_array_equal(sta.n, [1, 0, 0])
    assert_allclose(sta.average[0], x[495:505], rtol=1e-12)
    assert np.isnan(sta.average[1:]).all()
    assert np.isnan(sta.se).all()  # one spike has no standard error
    for kwargs, message in [
        ({"before": 5, "after": 5 * pq.ms}, "before = 5 has no unit"),
        ({"before": -5 * pq.ms, "after": 5 * pq.ms}, "at least 0"),
        ({"before": 0 * pq.ms, "after": 0 * pq.ms}, "no sample"),
        ({"before": 2 * pq.s, "after": 0 * pq.ms}, "more than the signal"),
    ]:
        with pytest.raises(NsnnError, match=message):
            spike_triggered_average(signal, block, **kwargs)
    with pytest.raises(NsnnError, match="one per trial"):
        spike_triggered_average([signal, signal], block, before=5 * pq.ms, after=5 * pq.ms)


# --- rate correlation ---


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
    z = (value.mean() - signal / (signal + noise)) / (value.std(ddof=1) / np.sqrt(value.size))
    assert abs(z) < 4


def test_rate_correlation_of_independent_rates_is_0():
    a, b = (make_block(poisson_trials(s, 2, 200, 30.0), t_stop=1.0) for s in (14, 15))
    value = rate_correlation(a, b, sigma=10 * pq.ms)
    assert abs(value.mean() / (value.std(ddof=1) / np.sqrt(value.size))) < 4


def test_rate_correlation_silent_and_refusals():
    a = make_block([[[0.1, 0.5], []]])
    with pytest.warns(SilentNeuronWarning, match="1 of 2"):
        value = rate_correlation(a, a, sigma=10 * pq.ms)
    assert_allclose(value[0], 1.0, rtol=1e-12)
    assert np.isnan(value[1])
    with pytest.raises(NsnnError, match="2 neurons, block_b 1"):
        rate_correlation(a, make_block([[[0.1]]]), sigma=10 * pq.ms)
    with pytest.raises(NsnnError, match="pass t_start and t_stop"):
        rate_correlation(a, make_block([[[0.1], []]], t_stop=2.0), sigma=10 * pq.ms)

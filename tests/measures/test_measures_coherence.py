"""Coherence against SciPy, channels of known coherence, and the exact law of the independent case."""

import warnings
from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
from elephant.sta import spike_field_coherence
from numpy.testing import assert_allclose, assert_array_equal
from scipy import signal as sp
from scipy.stats import kstest

from nsnn_neuro import NsnnError
from nsnn_neuro.measures import SilentNeuronWarning, coherence, coherence_information

RATE = 1000.0


def analog(x, rate=RATE):
    return neo.AnalogSignal(x, units="mV", sampling_rate=rate * pq.Hz)


def spikes_of(counts, rate=RATE):
    """Spike times, at the middles of the samples, of counts (n,)."""
    return (np.repeat(np.arange(len(counts)), counts) + 0.5) / rate


def poisson_spikes(x, rng, r0=200.0, m=0.25):
    """Poisson spikes of rate r0 (1 + m x): a linear channel with white (shot) noise."""
    return spikes_of(rng.poisson(r0 / RATE * np.maximum(1 + m * x, 0)))


def train_of(times, n):
    return neo.SpikeTrain(times, units="s", t_stop=n / RATE)


def z_of_mean(values, expected):
    return (np.mean(values) - expected) / (np.std(values, ddof=1) / np.sqrt(len(values)))


def linear_coherence(variance, r0=200.0, m=0.25):
    """White x: counts have variance r0 dt + (r0 m dt)^2 Var x, and C is the second part's share."""
    return r0 / RATE * m**2 * variance / (1 + r0 / RATE * m**2 * variance)


# --- the estimator ---


@pytest.mark.parametrize(("nperseg", "noverlap"), [(512, 256), (200, 0), (256, 192)])
def test_coherence_equals_scipy_with_global_means_removed(nperseg, noverlap):
    rng = np.random.default_rng(1)
    x = rng.normal(size=5000) + 3.0
    times = poisson_spikes(x - 3.0, rng)
    f, c = coherence(analog(x), train_of(times, 5000), nperseg=nperseg, noverlap=noverlap)
    counts = np.histogram(times, np.arange(5001) / RATE)[0]
    keywords = {"fs": RATE, "nperseg": nperseg, "noverlap": noverlap, "detrend": False}
    theirs_f, theirs = sp.coherence(x - x.mean(), counts - counts.mean(), **keywords)
    assert_allclose(f, theirs_f, rtol=1e-12)
    assert_allclose(c, theirs, rtol=1e-9, atol=1e-12)


def test_coherence_over_trials_averages_thesegment_spectra():
    """Three trials against SciPy's csd and welch averaged by hand; a Block and a list agree."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=4000)
    trains = [train_of(poisson_spikes(x, rng), 4000) for _ in range(3)]
    block = neo.Block()
    for train in trains:
        segment = neo.Segment()
        segment.spiketrains.append(train)
        block.segments.append(segment)
    c = coherence(analog(x), block)[1]
    assert_array_equal(coherence(analog(x), trains)[1], c)
    keywords = {"fs": RATE, "nperseg": 512, "noverlap": 256, "detrend": False}
    cross, power = 0.0, 0.0
    for train in trains:
        y = np.histogram(train.magnitude, np.arange(4001) / RATE)[0]
        cross = cross + sp.csd(x - x.mean(), y - y.mean(), **keywords)[1] / 3
        power = power + sp.welch(y - y.mean(), **keywords)[1] / 3
    expected = np.abs(cross) ** 2 / (power * sp.welch(x - x.mean(), **keywords)[1])
    assert_allclose(c, expected, rtol=1e-9)


def test_only_the_shared_time_is_used():
    """A train recorded for the second half of the signal: as if the first half didn't exist."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=6000)
    times = poisson_spikes(x, rng)
    late = neo.SpikeTrain(times[times >= 3.0], units="s", t_start=3.0, t_stop=6.0)
    half = train_of(times[times >= 3.0] - 3.0, 3000)
    assert_allclose(coherence(analog(x), late)[1], coherence(analog(x[3000:]), half)[1], rtol=1e-9)
    cropped = coherence(analog(x), train_of(times, 6000), t_start=3 * pq.s)[1]
    assert_allclose(cropped, coherence(analog(x), late)[1], rtol=1e-12)


@pytest.mark.parametrize(("f_max", "n_f"), [(0.1, 1), (199.0, 40), (200.0, 41), (500.0, 101)])
def test_information_sums_from_0_to_f_max_inclusive(f_max, n_f):
    """Bins of 5 Hz; the oracle is SciPy's coherence."""
    rng = np.random.default_rng(13)
    x = rng.normal(size=4000)
    times = poisson_spikes(x, rng)
    counts = np.histogram(times, np.arange(4001) / RATE)[0]
    keywords: dict[str, Any] = {"nperseg": 200, "noverlap": 100}
    c = sp.coherence(x - x.mean(), counts - counts.mean(), fs=RATE, detrend=False, **keywords)[1]
    e = coherence_information(analog(x), train_of(times, 4000), f_max=f_max * pq.Hz, n_shuffle=0, **keywords)
    assert_allclose(e.value, -np.log2(1 - c[:n_f]).sum() * 5.0, rtol=1e-9)


def test_spikes_on_sample_borders_fall_into_the_sample_that_begins_there():
    rng = np.random.default_rng(4)
    x = rng.normal(size=4000)
    ticks = np.flatnonzero(rng.uniform(size=4000) < 0.3)
    signal = neo.AnalogSignal(x, units="mV", sampling_rate=RATE * pq.Hz, t_start=0.3 * pq.s)
    times = 0.3 + ticks * 1e-3
    assert (np.floor((times - 0.3) * RATE) < ticks).any()  # rounding would misplace some
    assert_array_equal(coherence(signal, [times])[1], coherence(signal, [times + 0.5e-3])[1])


# --- theory ---


@pytest.mark.slow
@pytest.mark.parametrize("bias", [None, "subtract"])
def test_information_of_a_linear_poisson_neuron(bias):
    """Spikes of rate r0 (1 + m x), x white: C flat, I = -n_f df log2(1 - C), bias n_f df / (K - 1) nats."""
    rng = np.random.default_rng(6)
    n, nperseg = 20_000, 200
    values, variances = [], []
    for _ in range(60):
        x = np.clip(rng.normal(size=n), -3, 3)
        e = coherence_information(
            analog(x),
            train_of(poisson_spikes(x, rng), n),
            f_max=400 * pq.Hz,
            nperseg=nperseg,
            noverlap=0,
            bias=bias,
            n_shuffle=0,
        )
        values.append(e.value)
        variances.append(x.var())
    n_f, df = 81, RATE / nperseg
    expected = -n_f * df * np.log2(1 - linear_coherence(np.mean(variances)))
    if bias is None:
        expected += n_f * df / ((n / nperseg - 1) * np.log(2))
    assert e.unit == "bit/s"
    assert abs(z_of_mean(values, expected)) < 4


@pytest.mark.slow
def test_independent_spikes():
    """No relation: C' has mean 1/K and follows Beta(1, K - 1), so that sum and null mean are known exactly.

    "subtract" takes (1 - C')^2 / K off, which leaves 1/K - (K - 1)/(K (K + 1)) = 2 / (K (K + 1)).
    """
    rng = np.random.default_rng(7)
    n, nperseg, k = 6400, 200, 32
    raw, corrected, estimates = [], [], []
    for _ in range(100):
        x, train = analog(rng.normal(size=n)), train_of(spikes_of(rng.poisson(0.3, n)), n)
        raw.append(coherence(x, train, nperseg=nperseg, noverlap=0)[1][1:-1].mean())
        corrected.append(coherence(x, train, nperseg=nperseg, noverlap=0, bias="subtract")[1][1:-1].mean())
        keywords: dict[str, Any] = {"nperseg": nperseg, "noverlap": 0, "n_shuffle": 20}
        estimates.append(coherence_information(x, train, f_max=400 * pq.Hz, **keywords))
    values, nulls, p = np.array([(e.value, e.null_mean, e.p) for e in estimates], dtype=float).T
    assert abs(z_of_mean(raw, 1 / k)) < 4
    assert abs(z_of_mean(corrected, 2 / (k * (k + 1)))) < 4
    assert abs(z_of_mean(values, 81 * 5 / ((k - 1) * np.log(2)))) < 4
    assert abs(z_of_mean(values - nulls, 0.0)) < 4
    assert abs(z_of_mean(p, 11 / 21)) < 4  # uniform on 1/21, ..., 21/21


def test_subtract_is_exact_for_few_segments():
    """Independent spikes and K = 8: 1/(K - 1), not 1/K, leaves nothing."""
    rng = np.random.default_rng(12)
    n, values = 1600, []
    keywords: dict[str, Any] = {"nperseg": 200, "noverlap": 0, "n_shuffle": 0, "bias": "subtract"}
    for _ in range(200):
        train = train_of(spikes_of(rng.poisson(0.3, n)), n)
        values.append(coherence_information(analog(rng.normal(size=n)), train, **keywords).value)
    assert abs(z_of_mean(values, 0.0)) < 4


def test_jackknife_error_matches_the_spread_of_repeats():
    """Mean se^2 against the variance of 120 repeats, whose relative SD is sqrt(2/119)."""
    rng = np.random.default_rng(9)
    n, values, squares = 12_800, [], []
    for _ in range(120):
        x = rng.normal(size=n)
        e = coherence_information(
            analog(x),
            train_of(poisson_spikes(x, rng), n),
            f_max=200 * pq.Hz,
            nperseg=128,
            noverlap=0,
            n_shuffle=0,
        )
        values.append(e.value)
        squares.append(e.se**2)
    ratio = np.mean(squares) / np.var(values, ddof=1)
    assert abs(np.log(ratio)) / np.sqrt(2 / 119) < 4
    assert e.n == 100


@pytest.mark.slow
def test_shift_null_of_a_driven_neuron():
    """A shifted signal is independent of the spikes: the null is the expected bias, far below the value."""
    rng = np.random.default_rng(10)
    n, nulls = 12_800, []
    keywords: dict[str, Any] = {"f_max": 200 * pq.Hz, "nperseg": 128, "noverlap": 0, "n_shuffle": 20}
    for _ in range(40):
        x = analog(rng.normal(size=n))
        train = train_of(poisson_spikes(x.magnitude[:, 0], rng, r0=1000.0), n)
        e = coherence_information(x, train, **keywords)
        nulls.append(e.null_mean)
        assert e.p == 1 / 21
    assert abs(z_of_mean(nulls, 26 * RATE / 128 / (99 * np.log(2)))) < 4
    assert coherence_information(x, train, **keywords) == e
    other = coherence_information(x, train, seed=1, **keywords)
    assert other.null_mean != e.null_mean
    assert other.value == e.value


@pytest.mark.slow
def test_two_errors_hold_the_truth_in_nine_of_ten_repeats():
    """200 repeats of the linear Poisson neuron, 100 segments, corrected."""
    rng = np.random.default_rng(13)
    n, held = 12_800, []
    keywords: dict[str, Any] = {"f_max": 200 * pq.Hz, "nperseg": 128, "noverlap": 0, "n_shuffle": 0}
    truth = -26 * RATE / 128 * np.log2(1 - linear_coherence(1.0, r0=1000.0))
    for _ in range(200):
        x = rng.normal(size=n)
        train = train_of(poisson_spikes(x, rng, r0=1000.0), n)
        e = coherence_information(analog(x), train, bias="subtract", **keywords)
        held.append(abs(e.value - truth) <= 2 * e.se)
    assert np.mean(held) >= 0.9


@pytest.mark.slow
def test_p_is_uniform_without_information():
    """500 repeats; steps of 1/20 are filled."""
    rng = np.random.default_rng(14)
    n, p = 3200, []
    keywords: dict[str, Any] = {"nperseg": 100, "noverlap": 0, "n_shuffle": 19}
    for k in range(500):
        train = train_of(spikes_of(rng.poisson(0.3, n)), n)
        p.append(coherence_information(analog(rng.normal(size=n)), train, seed=k, **keywords).p)
    assert kstest(np.array(p) - rng.uniform(0, 1 / 20, 500), "uniform").pvalue > 1e-3


# --- edges ---


def test_warnings_inside_the_estimate():
    rng = np.random.default_rng(11)
    x = rng.normal(size=12_800)
    train = train_of(spikes_of(rng.poisson(0.2, x.size)), x.size)
    keywords: dict[str, Any] = {"nperseg": 128, "noverlap": 0, "n_shuffle": 0}
    assert "use bias='subtract'" in str(coherence_information(analog(x), train, **keywords).warning)
    assert coherence_information(analog(x), train, bias="subtract", **keywords).warning is None
    few = coherence_information(analog(x), train, nperseg=2560, noverlap=0, n_shuffle=0)
    assert few.warning == "only 5.0 independent segments"
    assert few.null_mean is None
    assert few.p is None


@pytest.mark.parametrize("function", [coherence, coherence_information])
def test_silent_train(function):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(analog(np.random.default_rng(0).normal(size=4000)), train_of([], 4000))
    assert [w.category for w in caught] == [SilentNeuronWarning]
    assert np.isnan(result[1] if function is coherence else result.value).all()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"nperseg": 4000}, "fewer than two segments"),
        ({"noverlap": 512}, "noverlap = 512"),
        ({"bias": "jackknife"}, "bias = 'jackknife'"),
        ({"f_max": 600 * pq.Hz}, "above half the signal's sampling rate, 500.0 Hz"),
        ({"f_max": 100}, "f_max = 100 has no unit"),
        ({"nperseg": 1500, "noverlap": 0, "t_stop": 3 * pq.s}, "leave no shift"),
    ],
)
def test_bad_arguments_are_refused_by_name(kwargs, message):
    x = np.random.default_rng(0).normal(size=4000)
    with pytest.raises(NsnnError, match=message):
        coherence_information(analog(x), train_of([0.1, 0.2, 1.0], 4000), **kwargs)


def test_bad_signals_are_refused_by_name():
    with pytest.raises(NsnnError, match="signal is constant"):
        coherence(analog(np.ones(4000)), [[0.1]])
    with pytest.raises(NsnnError, match="share 0 samples"):
        coherence(analog(np.arange(4000.0)), neo.SpikeTrain([11.0], units="s", t_start=10.0, t_stop=12.0))


def test_coherence_equals_elephants_except_at_the_two_lowest_frequencies():
    """Elephant subtracts the mean of each segment, which a Hann window spreads over the first two frequencies."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=8192)
    train = train_of(poisson_spikes(x, rng), x.size)
    f, ours = coherence(analog(x), train)
    theirs, theirs_f = spike_field_coherence(analog(x), train, window="hann", nperseg=512, noverlap=256)
    assert_allclose(f, theirs_f.magnitude, rtol=1e-12)
    assert_allclose(ours[2:], theirs.magnitude[2:, 0], rtol=1e-9)
    assert not np.allclose(ours[:2], theirs.magnitude[:2, 0], rtol=1e-6)

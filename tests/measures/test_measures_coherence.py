"""Coherence against SciPy, channels of known coherence, and independent spikes."""

from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
from helpers.gaussians import z_of_mean
from numpy.testing import assert_allclose
from scipy import signal as sp

from nsnn_neuro import measures
from nsnn_neuro.measures import coherence, coherence_information

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


def linear_coherence(variance, r0=200.0, m=0.25):
    """White x: counts have variance r0 dt + (r0 m dt)^2 Var x, and C is the second part's share."""
    return r0 / RATE * m**2 * variance / (1 + r0 / RATE * m**2 * variance)


def test_coherence_over_trials_averages_the_segment_spectra():
    """Three trials against SciPy's csd and welch averaged by hand."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=4000)
    trains = [train_of(poisson_spikes(x, rng), 4000) for _ in range(3)]
    f, c = coherence(analog(x + 3.0), trains)
    keywords = {"fs": RATE, "nperseg": 512, "noverlap": 256, "detrend": False}
    cross, power = 0.0, 0.0
    for train in trains:
        y = np.histogram(train.magnitude, np.arange(4001) / RATE)[0]
        cross = cross + sp.csd(x - x.mean(), y - y.mean(), **keywords)[1] / 3
        power = power + sp.welch(y - y.mean(), **keywords)[1] / 3
    expected = np.abs(cross) ** 2 / (power * sp.welch(x - x.mean(), **keywords)[1])
    assert_allclose(c, expected, rtol=1e-9)
    assert_allclose(f, np.arange(257) * RATE / 512, rtol=1e-12)


@pytest.mark.parametrize(
    "of",
    [
        lambda s, t, **o: coherence(s, t, **o)[1],
        lambda s, t, **o: coherence_information(s, t, **o).value,
        lambda s, t, **o: measures.linear_reconstruction(s, t, **o).snr,
        lambda s, t, **o: measures.susceptibility(s, t, **o).chi,
        lambda s, t, **o: measures.spike_field_coherence(s, t, **o).coherence,
        lambda _, t, **o: measures.power_spectrum(t, sampling_rate=RATE * pq.Hz, **o).power,
    ],
)
def test_segments_share_half_of_their_samples_unless_asked(of):
    x = np.random.default_rng(2).normal(size=4000)
    data = analog(x), [train_of(np.flatnonzero(x > 1) / RATE, 4000)]
    for nperseg in (100, 600):
        assert_allclose(of(*data, nperseg=nperseg), of(*data, nperseg=nperseg, noverlap=nperseg // 2))


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


def test_information_sums_from_0_to_f_max_inclusive():
    """Bins of 5 Hz; the oracle is SciPy's coherence."""
    rng = np.random.default_rng(13)
    x = rng.normal(size=4000)
    times = poisson_spikes(x, rng)
    counts = np.histogram(times, np.arange(4001) / RATE)[0]
    keywords: dict[str, Any] = {"nperseg": 200, "noverlap": 100}
    c = sp.coherence(x - x.mean(), counts - counts.mean(), fs=RATE, detrend=False, **keywords)[1]
    for f_max, n_f in ((0.1, 1), (199.0, 40), (200.0, 41), (500.0, 101)):
        e = coherence_information(
            analog(x), train_of(times, 4000), f_max=f_max * pq.Hz, n_shuffle=0, **keywords
        )
        assert_allclose(e.value, -np.log2(1 - c[:n_f]).sum() * 5.0, rtol=1e-9)


def test_subtract_is_exact_for_few_segments():
    """Independent spikes and K = 8: 1/(K - 1), not 1/K, leaves nothing; of a coherence (1 - C)^2 / K is taken off."""
    rng = np.random.default_rng(12)
    n, values = 1600, []
    keywords: dict[str, Any] = {"nperseg": 200, "noverlap": 0, "n_shuffle": 0, "bias": "subtract"}
    for _ in range(100):
        train = train_of(spikes_of(rng.poisson(0.3, n)), n)
        values.append(coherence_information(analog(rng.normal(size=n)), train, **keywords).value)
    assert abs(z_of_mean(values, 0.0)) < 4
    pair = analog(rng.normal(size=n)), train
    plain, corrected = (
        coherence(*pair, nperseg=200, noverlap=0, bias=bias)[1] for bias in (None, "subtract")
    )
    assert_allclose(corrected, plain - (1 - plain) ** 2 / 8, rtol=1e-9)


@pytest.mark.slow
def test_two_errors_hold_the_truth_in_nine_of_ten_repeats():
    """150 repeats of the linear Poisson neuron, 100 segments, corrected; mean se^2 is the variance, whose SD is sqrt(2/149)."""
    rng = np.random.default_rng(13)
    n, estimates = 12_800, []
    keywords: dict[str, Any] = {"f_max": 200 * pq.Hz, "nperseg": 128, "noverlap": 0, "n_shuffle": 0}
    truth = -26 * RATE / 128 * np.log2(1 - linear_coherence(1.0, r0=1000.0))
    for _ in range(150):
        x = rng.normal(size=n)
        train = train_of(poisson_spikes(x, rng, r0=1000.0), n)
        estimates.append(coherence_information(analog(x), train, bias="subtract", **keywords))
    values, se = np.array([(e.value, e.se) for e in estimates]).T
    assert abs(z_of_mean(values, truth)) < 4
    assert np.mean(abs(values - truth) <= 2 * se) >= 0.9
    assert abs(np.log((se**2).mean() / values.var(ddof=1))) / np.sqrt(2 / 149) < 4


def test_null_and_warnings_of_the_estimate():
    rng = np.random.default_rng(11)
    x = rng.normal(size=12_800)
    train = train_of(spikes_of(rng.poisson(0.2, x.size)), x.size)
    keywords: dict[str, Any] = {"nperseg": 128, "noverlap": 0, "n_shuffle": 0}
    assert "use bias='subtract'" in str(coherence_information(analog(x), train, **keywords).warning)
    driven = train_of(poisson_spikes(x, rng, r0=1000.0), x.size)
    e, other = (
        coherence_information(analog(x), driven, **keywords | {"n_shuffle": 20, "seed": k}) for k in (0, 1)
    )
    assert e.p == 1 / 21
    assert e.null_mean != other.null_mean
    assert coherence_information(analog(x), train, bias="subtract", **keywords).warning is None
    few = coherence_information(analog(x), train, nperseg=2560, noverlap=0, n_shuffle=0)
    assert (few.warning, few.null_mean, few.p) == ("only 5.0 independent segments", None, None)

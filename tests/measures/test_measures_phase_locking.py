"""Phase locking, F1/F0 and spike-field coherence against published digits, sums over pairs, known laws, SciPy and Elephant."""

import warnings

import neo
import numpy as np
import pytest
import quantities as pq
from elephant.phase_analysis import mean_phase_vector, spike_triggered_phase
from elephant.sta import spike_field_coherence as elephant_coherence
from helpers.gaussians import z_of_mean
from helpers.refusals import assert_refused
from helpers.trains import make_block, one_silence
from numpy.testing import assert_allclose
from scipy import signal as sp
from scipy.stats import kstest

from nsnn_neuro import cut, measures, to_block
from nsnn_neuro.measures import modulation_ratio, phase_locking, spike_field_coherence

RATE = 500.0
HZ = pq.Hz


def analog(x, t_start=0.0):
    return neo.AnalogSignal(x, units="mV", sampling_rate=RATE * HZ, t_start=t_start * pq.s)


def bursts(rng, duration, period=0.125):
    """Bursts of three spikes with a rhythm of their own."""
    begin = np.cumsum(rng.normal(period, period / 10, int(1.3 * duration / period))) - period * rng.random()
    times = (begin[:, None] + [0, 0.004, 0.008]).ravel()
    return times[(times > 0) & (times < duration)]


def test_five_phases_have_the_published_values():
    times = np.array([0.1, 0.4, 0.9, 2.0, 5.8]) / (2 * np.pi)
    with one_silence("1 of 2 neurons have no spikes"):
        table = phase_locking(1 * HZ, make_block([[times, []]]))
    assert table.columns.tolist() == ["neuron", "n", "vector_strength", "direction", "ppc", "p"]
    expected = [0, 5, 0.692571, 0.518886, 0.349568, 0.085951]
    assert_allclose(table.iloc[0].to_numpy(float), expected, atol=5e-7)
    assert_allclose(table.iloc[1].to_numpy(float), [1, 0, *[np.nan] * 4])


def test_over_trials_pairs_are_of_different_trials():
    rng = np.random.default_rng(1)
    trials = [[rng.uniform(0, 1, n) for n in sizes] for sizes in ((4, 1), (7, 3), (0, 2))]
    table = phase_locking(3 * HZ, make_block(trials))
    for j in (0, 1):
        phases = [6 * np.pi * trial[j] for trial in trials]
        pairs = [np.cos(a[:, None] - b).ravel() for k, a in enumerate(phases) for b in phases[:k]]
        assert_allclose(table.ppc[j], np.concatenate(pairs).mean(), rtol=1e-9)
        mean = np.exp(1j * np.concatenate(phases)).mean()
        n, r = table.n[j], abs(mean) * table.n[j]
        rayleigh = np.exp(np.sqrt(1 + 4 * n + 4 * (n**2 - r**2)) - (1 + 2 * n))
        assert_allclose(
            [table.direction[j], table.vector_strength[j]], [np.angle(mean), abs(mean)], rtol=1e-9
        )
        assert_allclose(table.p[j], rayleigh, rtol=1e-9)


def test_von_mises_phases_have_their_vector_strength_and_few_spikes_an_unbiased_ppc():
    rng = np.random.default_rng(2)
    for kappa, strength in ((0.5, 0.242500), (2.0, 0.697775)):
        times = np.mod(rng.vonmises(1.0, kappa, 20_000) / (2 * np.pi), 1)
        row = phase_locking(1 * HZ, make_block([[times]])).iloc[0]
        z = (row.vector_strength - strength) * np.sqrt(times.size) / np.sqrt((1 - strength**2) / 2)
        assert abs(z) < 4
        assert abs(row.direction - 1.0) < 4 / np.sqrt(times.size) / strength
        few = phase_locking(1 * HZ, make_block([times.reshape(4000, 5)])).ppc
        assert abs(z_of_mean(few, strength**2)) < 4


@pytest.mark.parametrize("band", [None, [6, 10] * HZ])
def test_surrogates_have_uniform_p_for_rhythmic_trains_where_rayleigh_has_not(band):
    """200 bursting neurons with a rhythm near that of the drive or of a noisy field, and no locking to it."""
    rng, n_trials = np.random.default_rng(3), 3
    block = make_block([[bursts(rng, 4.0) for _ in range(200)] for _ in range(n_trials)], 4.0)
    fields = [analog(rng.normal(size=3000), -1.0) for _ in range(n_trials)]
    phase = 8 * HZ if band is None else fields
    p = phase_locking(phase, block, band=band, n_surrogates=39).p
    assert kstest(p, "uniform").pvalue > 0.01
    assert np.mean(phase_locking(phase, block, band=band).p < 0.05) > 0.3
    other = phase_locking(phase, block, band=band, n_surrogates=39, seed=1).p
    assert not np.array_equal(p, other)
    # the same rhythm, but locked
    locked = [[(np.arange(32)[:, None] / 8 + 0.02 + [0, 0.004]).ravel()]] * n_trials
    drive = [analog(np.cos(2 * np.pi * 8 * np.arange(-500, 2500) / RATE), -1.0)] * n_trials
    row = phase_locking(
        drive if band is not None else phase, make_block(locked, 4.0), band=band, n_surrogates=39
    )
    assert row.p[0] < 0.05


def test_the_phase_of_a_field_is_0_at_its_peaks_and_grows_with_time():
    """Beneath drift and noise; spikes a fifth of a cycle after the peaks, and as long before them."""
    rng, time = np.random.default_rng(4), np.arange(-1000, 3000) / RATE
    slow = 3 * np.sin(2 * np.pi * 0.6 * time) + rng.normal(size=time.size) / 2
    field = np.cos(2 * np.pi * 8 * time) + slow
    peaks = np.arange(8, 32) / 8
    block = make_block([[peaks + 0.025, peaks - 0.025]], 4.0)
    table = phase_locking(analog(field, -2.0), block, band=[6, 10] * HZ)
    assert_allclose(table.direction, [0.4 * np.pi, -0.4 * np.pi], atol=0.1)
    assert (table.vector_strength > 0.95).all()
    later = phase_locking(analog(field, -1.95), block, band=[6, 10] * HZ)
    assert_allclose(later.direction, [-0.4 * np.pi, 0.8 * np.pi], atol=0.1)
    # time 0 is a peak of this field
    assert_allclose(phase_locking(8 * HZ, block).direction, [0.4 * np.pi, -0.4 * np.pi], rtol=1e-9)


def test_one_long_trial_shows_locking_to_a_rhythm_that_wanders():
    """Shifts by less than the rhythm's memory, which would leave the locking as it is, are no surrogates."""
    rng = np.random.default_rng(9)
    rhythm = sp.lfilter([1], [1, -np.exp((-2 + 16j * np.pi) / RATE)], rng.normal(size=7500)).real
    smooth = sp.sosfiltfilt(sp.butter(2, [6, 10], "bandpass", fs=RATE, output="sos"), rhythm)
    peaks = sp.find_peaks(smooth)[0][6:-6] / RATE
    block = make_block([[peaks + rng.normal(0, 0.02, peaks.size) for _ in range(20)]], 15.0)
    table = phase_locking(analog(rhythm), block, band=[6, 10] * HZ, n_surrogates=199)
    assert (table.p == 1 / 200).all()


def test_a_field_as_regular_as_a_clock_needs_several_trials():
    """Shifts keep the locking, so that p of one trial would say nothing."""
    drive = analog(np.cos(2 * np.pi * 8 * np.arange(-500, 2500) / RATE), -1.0)
    train = np.arange(32) / 8 + 0.02
    with pytest.warns(UserWarning, match="so regular"):
        phase_locking(drive, make_block([[train]], 4.0), band=[6, 10] * HZ, n_surrogates=9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        phase_locking(drive, make_block([[train]] * 2, 4.0), band=[6, 10] * HZ, n_surrogates=9)
        noise = analog(np.random.default_rng(11).normal(size=3000), -1.0)
        phase_locking(noise, make_block([[train]], 4.0), band=[6, 10] * HZ, n_surrogates=9)


def test_phases_and_their_mean_vector_are_those_of_elephant():
    """Spikes at samples, between which Elephant interpolates otherwise; time steps that binary numbers hold."""
    rng = np.random.default_rng(10)
    field = neo.AnalogSignal(rng.normal(size=4096), units="mV", sampling_rate=512 * HZ)
    at = np.sort(rng.choice(np.arange(1024, 3072), 40, replace=False))
    row = phase_locking(field, make_block([[at / 512]], 8.0), band=[6, 10] * HZ).iloc[0]
    sections = sp.butter(3, [6, 10], "bandpass", fs=512, output="sos")
    values = field.magnitude[:, 0] - field.magnitude.mean()
    analytic = neo.AnalogSignal(
        sp.hilbert(sp.sosfiltfilt(sections, values)), units="mV", sampling_rate=512 * HZ
    )
    train = neo.SpikeTrain(at / 512, units="s", t_stop=8.0)
    phases = spike_triggered_phase(analytic, train, interpolate=False)[0]
    theta, r = mean_phase_vector(phases[0])
    assert_allclose([row.direction, row.vector_strength], [theta, r], rtol=1e-9)


def test_spikes_near_the_ends_of_the_signal_are_left_out_and_counted():
    field = analog(np.sin(2 * np.pi * 8 * np.arange(2000) / RATE))
    block = make_block([[[0.1, 0.49, 1.0, 2.0, 3.51, 3.9]]], 4.0)
    with pytest.warns(UserWarning, match="4 of 6 spikes.* 0.5 s"):
        assert phase_locking(field, block, band=[6, 10] * HZ).n[0] == 2
    with pytest.warns(UserWarning, match="5 of 6 spikes.* 1.25 s"):
        assert phase_locking(field, block, band=[7.2, 8.8] * HZ).n[0] == 1
    assert phase_locking(field, block, band=[6, 10] * HZ, t_start=0.5 * pq.s, t_stop=3.5 * pq.s).n[0] == 2


def test_what_has_no_phase_is_refused():
    field, block = analog(np.random.default_rng(5).normal(size=2000)), make_block([[[1.0, 2.0]]], 4.0)
    wide, band = analog(np.zeros((2000, 2))), [6, 10] * HZ
    assert_refused(
        [
            (lambda: phase_locking(field, block), "band = None", "expected"),
            (lambda: phase_locking(8 * HZ, block, band=band), "band = ", "leave it out"),
            (lambda: phase_locking(field, block, band=[10, 6] * HZ), "band = ", "low and high"),
            (lambda: phase_locking(field, block, band=[6, 250] * HZ), "band = ", "250 Hz"),
            (lambda: phase_locking(field, block, band=[0.1, 1] * HZ), "band = ", "take a longer signal"),
            (lambda: phase_locking(analog(np.ones(2000)), block, band=band), "phase of trial 0", "no phase"),
            (lambda: phase_locking(field[:1500], block, band=band), "phase of trial 0", "covers"),
            (lambda: phase_locking(wide, block, band=band), "phase has 2 channels", "select"),
            (lambda: phase_locking([field] * 2, block, band=band), "phase = list of 2", "one per trial (1)"),
            (lambda: phase_locking(block, field, band=band), "AnalogSignal", "swapped"),
            (lambda: phase_locking(8 * HZ, block, n_surrogates=9), "n_surrogates = 9", "several trials"),
            (lambda: phase_locking(8 * pq.s, block), "phase = ", "Hz"),
            (lambda: modulation_ratio(0.1 * HZ, block), "frequency", "longer than the shortest trial"),
            (lambda: spike_field_coherence(field, block, band=[6.1, 6.2] * HZ), "band = ", "multiple of"),
            (lambda: spike_field_coherence(field, block, band=[10, 6] * HZ), "band = ", "(low, high)"),
            (lambda: spike_field_coherence([field] * 2, block), "signal = list of 2", "one per trial (1)"),
            (lambda: spike_field_coherence([field], block, nperseg=2000), "nperseg = 2000", "two segments"),
            (lambda: spike_field_coherence([field] * 2, make_block([[[1.0]]] * 2, 4.0), nperseg=2001), "nperseg", "a segment"),
        ]
    )  # fmt: skip


def test_ratio_of_a_rectified_sine_is_half_pi_over_whole_cycles():
    quantiles = (np.arange(4000) + 0.5) / 4000
    half = np.arccos(1 - 2 * quantiles) / (2 * np.pi)  # of the density sin on the half cycle
    times = (np.arange(3)[:, None] + half).ravel() / 5
    odd = np.concatenate([times, np.linspace(0.61, 0.69, 999)])  # in a fourth, incomplete cycle
    table = modulation_ratio(5 * HZ, make_block([[times, odd], [times, times]], 0.7))
    assert_allclose(table.ratio, np.pi / 2, rtol=1e-5)
    assert_allclose(table.f0, 4000 * 5, rtol=1e-9)
    assert_allclose(table.f1, table.ratio * table.f0, rtol=1e-9)
    assert_allclose(table.se, 0, atol=1e-9)
    assert_allclose(modulation_ratio(5 * HZ, make_block([[times]], 0.7), t_start=0.2 * pq.s).f0, 4000 * 5)


def test_error_of_the_ratio_is_the_jackknife_over_cycles_and_covers():
    rng = np.random.default_rng(6)
    trials = [[np.sort(rng.uniform(0, 2, n))] for n in (15, 11)]
    row = modulation_ratio(2 * HZ, make_block(trials, 2.0)).iloc[0]
    cycles = [t[(t >= k / 2) & (t < (k + 1) / 2)] for (t,) in trials for k in range(4)]
    left = [np.concatenate(cycles[:k] + cycles[k + 1 :]) for k in range(8)]
    values = np.array([2 * abs(np.exp(-4j * np.pi * t).mean()) for t in left])
    assert_allclose(row.se, np.sqrt(7 / 8 * ((values - values.mean()) ** 2).sum()), rtol=1e-9)
    # 300 neurons of rate 40 (1 + 0.6 sin) Hz, 60 cycles: the ratio is 0.6
    times = [rng.uniform(0, 30, rng.poisson(30 * 64)) for _ in range(300)]
    kept = [t[rng.random(t.size) * 1.6 < 1 + 0.6 * np.sin(4 * np.pi * t)] for t in times]
    table = modulation_ratio(2 * HZ, make_block([kept], 30.0))
    assert abs(z_of_mean(table.ratio, 0.6)) < 4
    assert np.mean(np.abs(table.ratio - 0.6) < 2 * table.se) > 0.9


def driven(rng, n, frequency=40.0):
    """A field with a rhythm in noise, and spikes at the middles of samples that follow the rhythm."""
    rhythm = np.cos(2 * np.pi * frequency * np.arange(n) / RATE + rng.uniform(0, 2 * np.pi))
    fired = np.flatnonzero(rng.random(n) < 0.1 * (1 + rhythm))
    return rhythm + rng.normal(size=n), (fired + 0.5) / RATE


def test_spike_field_coherence_is_that_of_scipy_and_elephant():
    """Elephant does not take off the mean of the spikes, which a Hann window has in the lowest two bins alone."""
    rng = np.random.default_rng(7)
    x, times = driven(rng, 5000)
    field, block = analog(x - x.mean()), make_block([[[5.0], times]], 10.0)
    result = spike_field_coherence(field, block, band=[38, 42] * HZ, nperseg=500)
    counts = np.histogram(times, np.arange(5001) / RATE)[0]
    options = {"nperseg": 500, "noverlap": 250, "detrend": False}
    f, c = sp.coherence(x - x.mean(), counts - counts.mean(), fs=RATE, **options)
    assert_allclose(result.coherence[1], c, rtol=1e-9)
    assert_allclose(result.f, f)
    theirs = elephant_coherence(field, block.segments[0].spiketrains[1], **options)[0].magnitude[:, 0]
    assert_allclose(result.coherence[1, 2:], theirs[2:], rtol=1e-9)
    assert_allclose(result.band_mean[1], c[38:43].mean(), rtol=1e-9)


def test_fields_of_trials_are_summed_and_the_error_is_the_jackknife_over_trials():
    rng = np.random.default_rng(8)
    pairs = [driven(rng, n) for n in (1000, 1500, 1000, 1000, 2000, 1000)]
    block = make_block([[times, []] for _, times in pairs], [x.size / RATE for x, _ in pairs])
    with one_silence("1 of 2 neurons"):
        result = spike_field_coherence(
            [analog(x) for x, _ in pairs], block, band=[36, 44] * HZ, nperseg=500, noverlap=250
        )
    sums = []
    for x, times in pairs:
        y = np.histogram(times, np.arange(x.size + 1) / RATE)[0]
        options = {"fs": RATE, "nperseg": 500, "noverlap": 250, "detrend": False}
        a, b = x - x.mean(), y - y.mean()
        sums.append([(x.size // 250 - 1) * sp.csd(*two, **options)[1] for two in ((a, b), (a, a), (b, b))])
    sums = np.array(sums)

    def coherence(of):
        return np.abs(of[0]) ** 2 / (of[1] * of[2]).real

    left = np.array([coherence(sums.sum(axis=0) - one) for one in sums])
    assert_allclose(result.coherence[0], coherence(sums.sum(axis=0)), rtol=1e-9)
    assert_allclose(result.se[0], np.sqrt(5 / 6 * ((left - left.mean(axis=0)) ** 2).sum(axis=0)), rtol=1e-6)
    mean = left[:, 36:45].mean(axis=1)
    assert_allclose(result.band_se[0], np.sqrt(5 / 6 * ((mean - mean.mean()) ** 2).sum()), rtol=1e-6)
    assert np.isnan(result.coherence[1]).all()
    # one segment a trial is enough where there are several; independent fields have 1 / n_effective
    far = [analog(rng.normal(size=1000)) for _ in pairs]
    null = spike_field_coherence(
        far, make_block([[t[t < 2]] for _, t in pairs], 2.0), nperseg=1000, noverlap=0
    )
    assert null.n_effective == 6
    assert abs(null.coherence[0, 1:].mean() - 1 / 6) < 4 / 6 / np.sqrt(500)


OVER_WINDOWS = {
    "phase_locking": lambda block, **window: phase_locking(8 * HZ, block, **window),
    "modulation_ratio": lambda block, **window: modulation_ratio(8 * HZ, block, **window),
    "power_spectrum": lambda block, **window: measures.power_spectrum(
        block, sampling_rate=RATE * HZ, nperseg=64, **window
    ),
    "cross_correlogram": lambda block, **window: measures.cross_correlogram(
        block, (0, 1), bin_width=2 * pq.ms, max_lag=10 * pq.ms, **window
    ),
    "spike_triggered_average": lambda block, **window: measures.spike_triggered_average(
        [analog(np.arange(500.0), -0.5)] * 3, block, before=10 * pq.ms, after=10 * pq.ms, **window
    ),
}


@pytest.mark.parametrize("name", OVER_WINDOWS)
def test_spikes_that_overlapping_windows_repeat_are_warned_of(name):
    train = np.sort(np.random.default_rng(3).uniform(0.2, 2.8, 60))
    recording = to_block([[train, train + 0.001]], t_stop=3 * pq.s)
    trials = cut(recording, [0.6, 1.2, 2.4], before=0.5 * pq.s, after=0.5 * pq.s, overlap="repeat")
    twice = int(2 * ((train > 0.7) & (train < 1.1)).sum())
    with pytest.warns(UserWarning, match=f"{name}.* counted again") as caught:
        OVER_WINDOWS[name](trials)
    assert abs(int(str(caught[0].message).split(": ")[1].split()[0]) - twice) <= 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        OVER_WINDOWS[name](trials, t_start=-0.2 * pq.s, t_stop=0.2 * pq.s)

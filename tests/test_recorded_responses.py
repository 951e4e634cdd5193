"""Trials, responses, correlations and discrimination on recorded spikes: each function on a set that it is made for.

Oracles: the sets' published numbers (SOURCE.txt), values of SciPy, scikit-learn, Elephant and PySpike, facts of the experiment.
Spike statistics, information and spike-triggered averages of the same recordings are in `test_recorded_data.py`, Fano factors
within stimuli, drift and gain in `measures/`.
"""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
import quantities as pq
import scipy.io
from helpers import recordings
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import curve_fit
from sklearn.metrics import roc_auc_score

from nsnn_neuro import align, conditions, cut, join, measures, select, to_block


def rounds_to(value, published, digits):
    """True where value, rounded, is the published number."""
    return np.allclose(np.round(value, digits), published, rtol=0, atol=1e-9)


def times(block):
    """Spike times of a Block of one neuron, trial by trial."""
    return [np.asarray(segment.spiketrains[0].magnitude) for segment in block.segments]


# --- subthalamic neuron: 50 trials from 1 s before to 1 s after the cue to move, two directions ---


@pytest.fixture(scope="module")
def stn():
    """The trials, their directions, and a recording with one trial after another and the cues at 1, 3, 5 ... s."""
    data = scipy.io.loadmat(recordings.folder("case_studies_spikes") / "10_spikes-1.mat", squeeze_me=True)
    trials = [data["t"][row > 0] / 1000.0 for row in data["train"]]
    recording = to_block([[np.concatenate([t + 1 + 2 * k for k, t in enumerate(trials)])]], t_stop=100 * pq.s)
    return (
        trials,
        data["direction"],
        cut(recording, np.arange(1.0, 100, 2), before=1 * pq.s, after=1 * pq.s, labels=data["direction"]),
    )


def test_trials_are_cut_chosen_joined_and_aligned(stn):
    trials, direction, block = stn
    for found, own in zip(times(block), trials, strict=True):
        assert_allclose(found, own, atol=1e-12)
    assert_array_equal(conditions(block), direction)
    for label, plan, move in ((0, 49.7, 67.6), (1, 28.2, 42.3)):
        own = select(block, trials={"label": label})
        assert rounds_to(measures.firing_rate(own, t_stop=0 * pq.s), plan, 1)
        assert rounds_to(measures.firing_rate(own, t_start=0 * pq.s), move, 1)
    both = join({"left": select(block, trials={"label": 0}), "right": select(block, trials={"label": 1})})
    assert conditions(both).tolist() == ["left"] * 25 + ["right"] * 25
    # the first spike after the cue as time 0: each trial has a spike there
    first = [t[t >= 0][0] for t in trials]
    moved = align(block, first * pq.s)
    assert measures.spike_counts(moved, t_start=-0.5 * pq.ms, t_stop=0.5 * pq.ms).tolist() == [[1]] * 50
    assert_allclose(
        np.concatenate(times(moved)) + np.repeat(first, [t.size for t in trials]), np.concatenate(trials)
    )


def test_response_to_the_cue_by_direction(stn):
    """Published rates in the planning and the moving second; tests of SciPy for the same counts."""
    _, direction, block = stn
    plan, move = (
        measures.spike_counts(block, t_start=a * pq.s, t_stop=(a + 1) * pq.s)[:, 0] for a in (-1, 0)
    )
    table = measures.response_statistics(direction, block, window=[-1, 1] * pq.s)
    assert rounds_to(table["fano"], [0.85, 0.65], 2)
    assert_allclose(table["mean_count"], [49.7 + 67.6, 28.2 + 42.3], atol=0.1)  # both to .05
    test = measures.response_test(block, baseline=[-1, 0] * pq.s, window=[0, 1] * pq.s, test="sign")
    assert_allclose([test.response[0], test.baseline[0]], [(67.6 + 42.3) / 2, (49.7 + 28.2) / 2], atol=0.05)
    theirs = stats.binomtest(int((move > plan).sum()), int((move != plan).sum()))
    assert_allclose(test.p[0], theirs.pvalue, rtol=1e-9)
    # counts of 100 ms while planning overlap between directions; one stimulus: no z-scores
    short = measures.spike_counts(block, t_start=-100 * pq.ms, t_stop=0 * pq.s)[:, 0]
    options = {"n_resample": 0, "n_shuffle": 199}
    choice = measures.choice_probability(np.zeros(50, int), short, direction == 0, **options)
    observer = measures.roc_auc(short[direction == 1], short[direction == 0])
    assert_allclose([choice.value, observer.value], roc_auc_score(direction == 0, short), rtol=1e-12)
    assert choice.p == 1 / 200


# --- motor unit: 469 magnetic stimuli at time 0, to which it answers after 20 to 30 ms ---


def test_motor_unit_answers_25_ms_after_the_stimulus():
    """Without bins (ZETA), in a window (against SciPy) and as smooth rate (against a filter of SciPy)."""
    rows = pd.read_csv(recordings.folder("human_motor_unit_tms") / "neuro.csv", index_col=0).to_numpy()
    unit = recordings.block([row[~np.isnan(row)] / 1000 for row in rows], 0.25, t_start=-0.25)
    spikes = np.floor(np.concatenate(times(unit)) * 1000 + 250 + 1e-6).astype(int)
    rate = measures.instantaneous_rate(unit, sigma=4 * pq.ms, sampling_period=1 * pq.ms)
    smooth = gaussian_filter1d(np.bincount(spikes, minlength=500) / 0.469, 4, mode="constant", truncate=5)
    assert_allclose(rate.magnitude[:, 0], smooth, atol=0.01 * smooth.max())
    assert 270 < smooth.argmax() < 280  # 20 to 30 ms after the stimulus
    test = measures.response_test(unit, baseline=[-20, -10] * pq.ms, window=[20, 30] * pq.ms)
    before, after = (
        np.array([((t > a - 1e-6) & (t < a + 0.01 - 1e-6)).sum() for t in times(unit)]) for a in (-0.02, 0.02)
    )
    theirs = stats.wilcoxon(after, before, zero_method="wilcox", correction=True, method="asymptotic")
    assert after.sum() == 163
    assert_allclose(test.p[0], theirs.pvalue, rtol=1e-9)
    assert measures.zeta_test(unit, n_shuffle=50).p[0] < 1e-6
    (turned,) = measures.surrogates(unit, method="shift", n=1, seed=1)
    assert measures.zeta_test(turned, n_shuffle=50).p[0] > 0.01  # no more locked to the stimulus


# --- retinal neuron in low and high light: bursts in high light only ---


def test_bursts_of_a_retinal_neuron_in_high_light():
    """Kramer & Eden, ch. 8: many intervals of few ms in high light, hardly any in low light, and counts that stay correlated."""
    data = scipy.io.loadmat(recordings.folder("case_studies_spikes") / "08_spikes-1.mat", squeeze_me=True)
    low, high = (to_block([[data[name]]], t_stop=30 * pq.s) for name in ("SpikesLow", "SpikesHigh"))
    found = [float(measures.burst_index(block)[0]) for block in (low, high)]
    shares = [(np.diff(data[name]) < 0.006).mean() for name in ("SpikesLow", "SpikesHigh")]
    assert_allclose(found, shares, rtol=1e-12)
    assert found[0] < 0.02 < 0.25 < found[1]
    for block, bursts in ((low, False), (high, True)):
        c = measures.cross_correlogram(block, (0, 0), bin_width=1 * pq.ms, max_lag=30 * pq.ms)
        assert (c.counts[32:36] > c.upper[32:36]).all() == bursts
        assert (c.counts[32:36] < c.lower[32:36]).all() != bursts  # refractory in low light
    options = {"bin_width": 10 * pq.ms, "max_lag": 200 * pq.ms, "n_resample": 0}
    trials = cut(high, np.arange(30.0), before=0 * pq.s, after=1 * pq.s)
    scale = measures.intrinsic_timescale(trials, **options)
    counts = np.array([np.histogram(t, np.arange(101) * 0.01)[0] for t in times(trials)])
    expected = [np.nanmean(np.diagonal(np.corrcoef(counts.T), k)) for k in range(1, 21)]
    assert_allclose(scale.correlation[0], expected, atol=1e-9)
    decay = curve_fit(
        lambda t, a, tau, b: a * (np.exp(-t / tau) + b), scale.lags, expected, p0=[0.2, 0.03, 0]
    )[0]
    assert_allclose([scale.amplitude[0], scale.tau[0]], decay[:2], rtol=1e-3)
    trials = cut(low, np.arange(30.0), before=0 * pq.s, after=1 * pq.s)
    with pytest.warns(measures.SilentNeuronWarning):  # no decay
        assert np.isnan(measures.intrinsic_timescale(trials, **options).tau[0])


# --- electroreceptor: locked to the field of the fish's own electric organ, long and short intervals alternate ---


def test_electroreceptor_is_locked_to_the_electric_organ():
    """Frequency of the organ by its own recorded discharges; lag-1 correlation of intervals against shuffled intervals."""
    folder, cell = recordings.folder("punit_noisy_lif"), "2010-11-08-al-invivo-1"
    spikes = np.load(folder / f"{cell}_baseline_spikes.npy")
    organ = 1 / np.diff(np.load(folder / f"{cell}_baseline_eods.npy")).mean()
    fitted = pd.read_csv(folder / "models.csv", index_col="cell").loc[cell, "EODf"]
    assert_allclose(organ, fitted, atol=0.05)
    block = to_block([[spikes[spikes < 10]]], t_stop=10 * pq.s)
    c = measures.cross_correlogram(block, (0, 0), bin_width=0.1 * pq.ms, max_lag=50 * pq.ms)
    transform = np.abs(np.fft.rfft(c.counts - c.counts.mean(), 10_000))  # 1 Hz
    assert abs(transform.argmax() - organ) < 2
    spectrum = measures.power_spectrum(block, sampling_rate=2 * pq.kHz, nperseg=2048, noverlap=0)
    peak = spectrum.f[spectrum.power[0].argmax()]
    assert abs(peak - organ) < 2000 / 2048
    options = {"method": "shuffle", "n": 39, "two_sided": True}
    test = measures.against_surrogates(measures.serial_correlation, block, **options)[0]
    assert test.value < -0.4
    assert abs(test.null_mean) < 4 / spikes[spikes < 10].size ** 0.5
    assert test.p == 2 / 40


# --- blowfly H1: prefers one direction of motion ---


def test_blowfly_neuron_discriminates_the_direction_of_motion():
    """Opposite velocities in windows of 50 ms, the response 28 ms later: areas of scikit-learn; they grow with the speed."""
    with zipfile.ZipFile(recordings.folder("fly_H1") / "c1p8.zip") as archive:
        data = scipy.io.loadmat(io.BytesIO(archive.read("c1p8.mat")), squeeze_me=True)
    velocity = data["stim"][:50_000].astype(float).reshape(-1, 25).mean(axis=1)
    counts = data["rho"][14 : 14 + 50_000].astype(int).reshape(-1, 25).sum(axis=1)
    level = np.rint(velocity / 10) * 10
    near = (np.abs(level) <= 40) & (level != 0)
    curve = measures.neurometric(level[near] * pq.deg / pq.s, counts[near], model="gaussian", n_resample=0)
    expected = [
        roc_auc_score(level[np.abs(level) == v] > 0, counts[np.abs(level) == v]) for v in (10, 20, 30, 40)
    ]
    assert_allclose(curve.auc, expected, rtol=1e-12)
    assert (np.diff(curve.auc) > 0).all()
    assert_allclose(curve.predict([10, 20, 30, 40] * pq.deg / pq.s), expected, atol=0.05)
    tuning = measures.tuning_curve(level, counts)
    assert (np.diff(tuning.mean[0][np.abs(tuning.values) <= 40]) > 0).all()


# --- salamander retina, movie: cells are correlated by the movie, hardly beyond it ---


def as_trains(binned):
    """Spikes in the middles of binary bins of 20 ms (20 repeats, 953 bins, 50 cells)."""
    trial, bins, cell = np.nonzero(binned)
    edges = np.tile([0.0, 953 * 0.02], (20, 1))
    return measures.Trains.from_arrays((bins + 0.5) * 0.02, cell, trial, 50, edges)


def test_synchrony_of_retinal_cells_is_that_of_their_stimulus():
    """SOURCE.txt: signal correlation .120, noise correlation .0013. Counts of coincidences by a product of matrices."""
    data = recordings.folder("salamander_retina_movie") / "original_data_num_neurons_50_1.mat"
    binned = scipy.io.loadmat(data)["data"].reshape(297, 953, 50)[:20].astype(int)
    trains = as_trains(binned)
    pairs = np.triu_indices(50, 1)
    options = {"bin_width": 20 * pq.ms, "max_lag": 40 * pq.ms}
    chance, stimulus = (
        measures.cross_correlograms(trains, **options, predictor=name) for name in ("poisson", "shift")
    )
    flat = binned.reshape(-1, 50)
    assert_array_equal(chance.counts[..., 2][pairs], (flat.T @ flat)[pairs])
    assert_array_equal(stimulus.counts, chance.counts)
    total = binned.sum(axis=0)
    others = (total.T @ total - flat.T @ flat) / 19  # pairs of different repeats
    assert_allclose(stimulus.expected[..., 2][pairs], others[pairs], rtol=1e-9)
    assert np.nanmean(chance.z[..., 2][pairs]) > 4
    assert abs(np.nanmean(stimulus.z[..., 2][pairs])) < 0.3  # NaN: two pairs whose repeats never coincide
    # repeats of another cell are independent given the stimulus: 5 % of them lie outside the band of 95 %
    rolled = np.stack([np.roll(binned[..., cell], cell, axis=0) for cell in range(50)], axis=2)
    others = measures.cross_correlograms(as_trains(rolled), **options, predictor="shift").z[..., 2][pairs]
    others = others[np.isfinite(others) & ((pairs[1] - pairs[0]) % 20 != 0)]
    assert abs(others.mean()) < 0.1
    assert 0.95 < others.std() < 1.05
    assert 0.03 < (np.abs(others) > 1.96).mean() < 0.07
    # nearly all cells fire with the population
    coupling = measures.population_coupling(trains, sigma=40 * pq.ms, bin_width=20 * pq.ms, bias=None)
    assert (coupling > 0).sum() > 45


# --- cortical neuron under repeated noisy current ---


def cortical(name):
    folder = recordings.folder("qsnmc2007_A")
    return recordings.block(
        [np.loadtxt(folder / f"{name}-{k}.spiketimes")[:, 0] / 5000 for k in range(4)], 6.8
    )


def test_rates_of_a_cortical_neuron_by_its_current():
    """Eight settings of four repeats as one Block: published rates; repeats agree more when the current fluctuates more."""
    published = {
        "05": 6.32,
        "08": 12.1,
        "12": 13.3,
        "11": 31.8,
        "09": 76.8,
        "06": 79.1,
        "04": 92.5,
        "00": 133.1,
    }
    blocks = {name: cortical(name) for name in published}
    together = join(blocks)
    curve = measures.tuning_curve(conditions(together), together)
    assert curve.n.tolist() == [4] * 8
    found = dict(zip(curve.values, curve.mean[0], strict=True))
    for name, rate in published.items():
        assert rounds_to(found[name], rate, 2 if rate < 10 else 1)
    order = "12", "08", "05", "11"  # SD of the current 42, 58, 164, 324 pA
    means = [(measures.spike_synchronization(blocks[name]).sum() - 4) / 12 for name in order]
    assert (np.diff(means) > 0.02).all()

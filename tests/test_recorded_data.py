"""Measures on recorded spikes, compared with published numbers for the same recordings (in their SOURCE.txt).

The recordings are not part of the repository, and tests of absent recordings are skipped. If a published number uses
another definition than the package, the test names it and computes both.
"""

import io
import warnings
import zipfile

import neo
import numpy as np
import pandas as pd
import pytest
import quantities as pq
import scipy.io
from helpers import recordings
from numpy.testing import assert_allclose, assert_array_equal
from scipy import signal as sp
from scipy.integrate import trapezoid

from nsnn_neuro.measures import (
    Trains,
    as_repeats,
    coherence,
    coherence_information,
    cv,
    fano_factor,
    firing_rate,
    gamma_coincidence,
    information_per_spike,
    isi,
    serial_correlation,
    skaggs_information,
    spike_counts,
    spike_triggered_average,
    word_entropies,
    words,
)


def rounds_to(value, published, digits):
    """True where value, rounded, is the published number."""
    return np.allclose(np.round(value, digits), published, rtol=0, atol=1e-9)


# --- case studies: retina, place cell ---


@pytest.mark.parametrize(
    ("name", "spikes", "rate", "fano", "irregularity"),
    [("SpikesLow", 750, 25.0, 0.7165, 0.964), ("SpikesHigh", 969, 32.3, 1.778, 2.02)],
)
def test_retina_in_low_and_high_light(name, spikes, rate, fano, irregularity):
    data = recordings.folder("case_studies_spikes") / "08_spikes-1.mat"
    block = recordings.block([scipy.io.loadmat(data, squeeze_me=True)[name]], 30.0)
    assert spike_counts(block)[0, 0] == spikes
    assert rounds_to(firing_rate(block), rate, 1)
    assert rounds_to(fano_factor(block, window=50 * pq.ms), fano, 4 if fano < 1 else 3)
    assert rounds_to(cv(block), irregularity, 3 if fano < 1 else 2)


def test_place_cell_has_information_about_place():
    """220 spikes in 177.8 s. 5 cm bins; shifts of 10 s at least, since the rat takes that long for a run."""
    data = scipy.io.loadmat(
        recordings.folder("case_studies_spikes") / "09_spikes-1_place_cell.mat", squeeze_me=True
    )
    sample = np.rint(data["spiketimes"] * 1000).astype(int) - 1
    assert_allclose(data["t"][sample], data["spiketimes"], atol=1e-9)
    counts = np.bincount(sample, minlength=data["t"].size)
    assert counts.sum() == 220
    assert round(float(data["t"][-1]), 1) == 177.8
    place = np.floor(data["X"] / 5).astype(int)
    e = skaggs_information(counts, place, n_shuffle=60, min_shift=10_000)
    assert e.value - 4 * e.se > 0
    assert e.p == 1 / 61 < 0.05
    assert e.null_mean is not None
    assert e.null_mean < 0.1 * e.value


# --- human motor unit ---


@pytest.mark.slow
def test_motor_unit_under_magnetic_stimulation():
    """Published "pooled" Fano factors: across-trial variance over mean count, each averaged over windows."""
    data = recordings.folder("human_motor_unit_tms") / "neuro.csv"
    table = pd.read_csv(data, index_col=0).to_numpy()
    block = recordings.block([row[~np.isnan(row)] / 1000 for row in table], 0.25, t_start=-0.25)
    counts = spike_counts(block)[:, 0]
    assert table.shape == (469, 6)
    assert (counts.sum(), counts.min(), counts.max()) == (1930, 2, 6)
    assert rounds_to(counts.mean(), 4.115, 3)
    assert rounds_to(firing_rate(block), 8.23, 2)
    assert rounds_to(fano_factor(block, per="bin"), 0.1048, 4)
    assert rounds_to(cv(block), 0.186, 3)
    assert rounds_to(isi(block)[0].min(), 0.047, 3)
    for width, published in [(50, 0.581), (100, 0.200)]:
        within = fano_factor(block, window=width * pq.ms, stimulus=np.zeros(469, int))
        assert rounds_to(within, published, 3)
        assert (
            fano_factor(block, window=width * pq.ms) > within
        )  # across windows too: the rate's change adds to it
    # the stimulus locks the unit: a spike tells when it came
    e = information_per_spike(block, bin_width=10 * pq.ms, n_shuffle=30)
    assert e.p == 1 / 31
    assert e.value > 4 * e.se


# --- salamander retina ---


def salamander() -> np.ndarray:
    """(repeats, bins of 20 ms, cells)"""
    data = recordings.folder("salamander_retina_movie") / "original_data_num_neurons_50_1.mat"
    return scipy.io.loadmat(data)["data"].reshape(297, 953, 50).astype(np.int8)


def trains_of(binned: np.ndarray) -> Trains:
    """Spikes in the middles of the bins."""
    repeat, cell, bin = np.nonzero(binned.transpose(0, 2, 1))
    n = len(binned)
    return Trains((bin + 0.5) * 0.02, cell, repeat, 50, n, np.zeros(n), np.full(n, 953 * 0.02))


@pytest.mark.slow
def test_salamander_rates_variability_and_synchrony():
    binned = salamander()
    trains = trains_of(binned)
    assert trains.counts.sum() == 544_080
    rates = firing_rate(trains)
    assert rounds_to(np.quantile(rates, [0, 0.25, 0.5, 0.75, 1]), [0.10, 0.82, 1.69, 2.57, 8.12], 2)
    fano = np.quantile(fano_factor(trains), [0, 0.25, 0.5, 0.75, 1])
    assert rounds_to(fano, [0.13, 0.35, 0.44, 0.69, 1.40], 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # silent windows, drift
        short = fano_factor(trains, window=200 * pq.ms, per="bin")
    mean = binned[:, :950].reshape(297, 95, 10, 50).sum(axis=2).mean(axis=0).T
    assert rounds_to(np.median(short[mean > 0.2]), 0.557, 3)
    together = words(trains, bin_width=20 * pq.ms, saturation="count", by="population")
    share = np.bincount(together.ravel())[:5] / together.size
    assert rounds_to(share, [0.3845, 0.1860, 0.1155, 0.0951, 0.0752], 4)
    assert_array_equal(together, binned.sum(axis=2))


@pytest.mark.slow
def test_salamander_information_per_bin_and_per_spike():
    """Plug-in, single bins of 20 ms: H(mean p) - mean H(p) over time, cell by cell; medians over the cells."""
    binned = salamander()
    per_second, per_spike = [], []
    for cell in range(50):
        repeats = [np.flatnonzero(row) * 0.02 + 0.01 for row in binned[:, :, cell]]
        trains = as_repeats(repeats, 0 * pq.s, 953 * 0.02 * pq.s)
        table = word_entropies(trains, bin_width=20 * pq.ms, word_lengths=[1], bias="none")
        per_second.append(table["information"][0])
        per_spike.append(per_second[-1] / firing_rate(trains)[0])
    assert rounds_to(np.median(per_second), 4.28, 2)
    assert rounds_to(np.median(per_spike), 3.36, 2)


# --- blowfly H1 ---


@pytest.mark.slow
def test_blowfly_H1():
    folder = recordings.folder("fly_H1")
    with zipfile.ZipFile(folder / "c1p8.zip") as archive:
        data = scipy.io.loadmat(io.BytesIO(archive.read("c1p8.mat")), squeeze_me=True)
    rho, stimulus = data["rho"].astype(int), data["stim"].astype(float)
    block = recordings.block([np.flatnonzero(rho) * 0.002], 1200.0)
    signal = neo.AnalogSignal(stimulus, units="deg/s", sampling_rate=500 * pq.Hz)
    assert rho.size == 600_000
    assert spike_counts(block)[0, 0] == 53_601
    assert rounds_to(firing_rate(block), 44.67, 2)
    assert rounds_to(cv(block), 2.009, 3)
    assert rounds_to(stimulus.mean(), -0.094, 3)
    assert rounds_to(stimulus.std(), 50.53, 2)
    for width, published in [(10, 1.118), (50, 2.932), (100, 4.106), (1000, 6.243)]:
        counts = rho.reshape(-1, width // 2).sum(axis=1)
        ours = fano_factor(block, window=width * pq.ms)
        assert_allclose(ours, counts.var(ddof=1) / counts.mean(), rtol=1e-12)
        assert_allclose(ours, published, rtol=1e-3)  # published with borders in floating point
    sta = spike_triggered_average(signal, block, before=300 * pq.ms, after=0 * pq.ms)
    assert sta.n[0] == 53_583
    assert rounds_to(sta.average.max(), 29.47, 2)
    assert_allclose(sta.lags[sta.average[0].argmax()], -0.028, atol=1e-9)
    f, c = coherence(signal, block)
    assert rounds_to([c.max(), f[c.argmax()]], [0.708, 1.953], 3)
    # the published bound is the trapezoid over f > 0, which drops half a bin at each end; ours sums from 0
    published = trapezoid(-np.log2(1 - c[1:]), f[1:])
    assert rounds_to(published, 26.5, 1)
    theirs = sp.coherence(
        stimulus - stimulus.mean(), rho - rho.mean(), fs=500, nperseg=512, noverlap=256, detrend=False
    )
    e = coherence_information(signal, block, n_shuffle=5)
    assert_allclose(e.value, -np.log2(1 - theirs[1]).sum() * 500 / 512, rtol=1e-9)
    assert e.null_mean is not None
    assert e.null_mean < 0.01 * e.value


# --- cortical neuron under repeated noisy current ---

# set: current mean and SD (pA), rate, CV, Fano factor of the 6.8 s count, mean Gamma at 2 ms
QSNMC = {
    "00": (624, 341, 133.1, 0.70, 0.69, 0.846),
    "04": (467, 182, 92.5, 0.56, 0.68, 0.716),
    "05": (156, 164, 6.32, 0.95, 0.11, 0.852),
    "06": (465, 93, 79.1, 0.18, 0.04, 0.280),
    "08": (232, 58, 12.1, 0.67, 1.52, 0.131),
    "09": (466, 84, 76.8, 0.13, 0.05, 0.061),
    "11": (159, 324, 31.8, 0.89, 0.04, 0.921),
    "12": (233, 42, 13.3, 0.64, 3.6, 0.013),
}


def qsnmc(name: str) -> neo.Block:
    """Four repeats, sampled at 5 kHz (the second column of the files is reproduced exactly at this rate only)."""
    folder = recordings.folder("qsnmc2007_A")
    trials = [np.loadtxt(folder / f"{name}-{k}.spiketimes")[:, 0] / 5000 for k in range(4)]
    return recordings.block(trials, 6.8)


@pytest.mark.parametrize("name", QSNMC)
def test_cortical_neuron_under_noisy_current(name):
    block = qsnmc(name)
    mean, sd, rate, irregularity, fano, gamma = QSNMC[name]
    with np.load(recordings.folder("qsnmc2007_A") / "current_voltage.npz") as data:
        current = np.array([data[f"I_{name}_{k}"] for k in range(4)])
    assert (round(float(current.mean())), round(float(current.std()))) == (mean, sd)
    assert rounds_to(firing_rate(block), rate, 2 if rate < 10 else 1)
    assert rounds_to(cv(block), irregularity, 2)
    assert rounds_to(fano_factor(block), fano, 1 if fano > 3 else 2)
    pairs = gamma_coincidence(block, precision=2 * pq.ms)
    ours = (pairs.sum() - 4) / 12
    if name not in ("00", "04", "11"):
        assert rounds_to(ours, gamma, 3)
        return
    # High rates: several partners within 2 ms, and rules of counting differ. Ours is the most pairs with each spike once.
    assert gamma < ours < gamma + 0.025


# --- electroreceptors ---


@pytest.mark.parametrize(
    ("cell", "rate", "irregularity", "serial"),
    [
        ("2012-06-27-ah", 137.7, 0.423, -0.51),
        ("2012-07-03-ak", 120.1, 0.204, -0.38),
        ("2012-07-12-ag", 104.2, 0.267, -0.45),
        ("2012-06-27-an", 93.2, 0.284, -0.51),
        ("2010-11-08-al", 153.7, 0.620, None),
    ],
)
def test_electroreceptors_at_rest(cell, rate, irregularity, serial):
    """Rate as intervals over the time that they cover: the recording's own end isn't known."""
    times = np.load(recordings.folder("punit_noisy_lif") / f"{cell}-invivo-1_baseline_spikes.npy")
    block = recordings.block([times], float(times[-1]) + 1e-6)
    intervals = isi(block)[0]
    assert intervals.size == times.size - 1
    assert rounds_to(1 / intervals.mean(), rate, 1)
    assert rounds_to(cv(block), irregularity, 3)
    found = serial_correlation(block)[0]
    if serial is not None:
        assert rounds_to(found, serial, 2)

"""Measures on recorded spikes, compared with published numbers for the same recordings (in their SOURCE.txt).

The recordings are not part of the repository, and tests of absent recordings are skipped. If a published number uses
another definition than the package, the test names it and computes both.
"""

import io
import zipfile

import neo
import numpy as np
import pandas as pd
import pytest
import quantities as pq
import scipy.io
from helpers import recordings
from numpy.testing import assert_allclose
from scipy import stats
from scipy.integrate import trapezoid

from nsnn_neuro import cut, datasets, select, to_block
from nsnn_neuro import measures as m


def rounds_to(value, published, digits):
    """True where value, rounded, is the published number."""
    return np.allclose(np.round(value, digits), published, rtol=0, atol=1e-9)


# --- case studies: retina ---


@pytest.mark.parametrize(
    ("name", "spikes", "rate", "fano", "irregularity"),
    [("SpikesLow", 750, 25.0, 0.7165, 0.964), ("SpikesHigh", 969, 32.3, 1.778, 2.02)],
)
def test_retina_in_low_and_high_light(name, spikes, rate, fano, irregularity):
    data = recordings.folder("case_studies_spikes") / "08_spikes-1.mat"
    block = recordings.block([scipy.io.loadmat(data, squeeze_me=True)[name]], 30.0)
    assert m.spike_counts(block)[0, 0] == spikes
    assert rounds_to(m.firing_rate(block), rate, 1)
    assert rounds_to(m.fano_factor(block, window=50 * pq.ms), fano, 4 if fano < 1 else 3)
    assert rounds_to(m.cv(block), irregularity, 3 if fano < 1 else 2)


@pytest.mark.slow
def test_retinal_cells_respond_to_a_picture():
    """ZETA by its definition, with turns by whole ms, the recording's resolution: equal times raise its deviation."""
    retina = datasets.salamander_retina(recordings.folder("salamander_retina_onken") / "retina2.npz")
    block, rng = select(retina.images, trials={"label": 0}), np.random.default_rng(1)
    windows = {"baseline": [0, 100] * pq.ms, "response": [100, 300] * pq.ms}
    with pytest.warns(m.SilentNeuronWarning, match="18 of 49"):
        table, test = m.responsive_units(block, n_resample=0, **windows), m.zeta_test(block)
    assert_allclose(table.p, test.p, rtol=1e-9)
    known = table[~np.isnan(test.p)].sort_values("p")
    q = np.minimum.accumulate((known.p * 31 / np.arange(1, 32))[::-1])[::-1]
    assert_allclose(known.q, q, rtol=1e-9)
    for j in known.neuron:
        trains = [segment.spiketrains[j].magnitude for segment in block.segments]
        largest = []
        for k in range(200):
            times = [np.mod(one + (k > 0) * rng.integers(300) / 1000, 0.3) for one in trains]
            times = np.sort(np.concatenate(times))
            d = np.arange(1, times.size + 1) / times.size - times / 0.3
            largest.append(np.abs(d - d.mean()).max())
        assert_allclose(abs(test.deviation[j]), largest[0], rtol=1e-9)
        null = np.array(largest[1:])
        width = null.std() * np.sqrt(6) / np.pi
        p = stats.gumbel_r.sf(largest[0], null.mean() - np.euler_gamma * width, width)
        assert abs(stats.norm.isf(p / 2) - test.zeta[j]) < 0.3 * max(test.zeta[j], 1)


# --- human motor unit ---


@pytest.mark.slow
def test_motor_unit_under_magnetic_stimulation():
    """Published "pooled" Fano factors: across-trial variance over mean count, each averaged over windows."""
    data = recordings.folder("human_motor_unit_tms") / "neuro.csv"
    table = pd.read_csv(data, index_col=0).to_numpy()
    block = recordings.block([row[~np.isnan(row)] / 1000 for row in table], 0.25, t_start=-0.25)
    counts = m.spike_counts(block)[:, 0]
    assert table.shape == (469, 6)
    assert (counts.sum(), counts.min(), counts.max()) == (1930, 2, 6)
    assert rounds_to(counts.mean(), 4.115, 3)
    assert rounds_to(m.firing_rate(block), 8.23, 2)
    assert rounds_to(m.fano_factor(block, per="bin"), 0.1048, 4)
    assert rounds_to(m.cv(block), 0.186, 3)
    assert rounds_to(m.isi(block)[0].min(), 0.047, 3)
    for width, published in [(50, 0.581), (100, 0.200)]:
        within = m.fano_factor(block, window=width * pq.ms, stimulus=np.zeros(469, int))
        assert rounds_to(within, published, 3)
        assert m.fano_factor(block, window=width * pq.ms) > within  # the rate's change adds to it
    # the stimulus locks the unit: a spike tells when it came
    e = m.information_per_spike(block, bin_width=10 * pq.ms, n_shuffle=30)
    assert e.p == 1 / 31
    assert e.value > 4 * e.se


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
    assert m.spike_counts(block)[0, 0] == 53_601
    assert rounds_to(m.firing_rate(block), 44.67, 2)
    assert rounds_to(m.cv(block), 2.009, 3)
    assert rounds_to(stimulus.mean(), -0.094, 3)
    assert rounds_to(stimulus.std(), 50.53, 2)
    for width, published in [(10, 1.118), (50, 2.932), (100, 4.106), (1000, 6.243)]:
        # published with borders in floating point
        assert_allclose(m.fano_factor(block, window=width * pq.ms), published, rtol=1e-3)
    sta = m.spike_triggered_average(signal, block, before=300 * pq.ms, after=0 * pq.ms)
    assert sta.n[0] == 53_583
    assert rounds_to(sta.average.max(), 29.47, 2)
    assert_allclose(sta.lags[sta.average[0].argmax()], -0.028, atol=1e-9)
    f, c = m.coherence(signal, block)
    assert rounds_to([c.max(), f[c.argmax()]], [0.708, 1.953], 3)
    # the published bound is the trapezoid over f > 0, which drops half a bin at each end; ours sums from 0
    published = trapezoid(-np.log2(1 - c[1:]), f[1:])
    assert rounds_to(published, 26.5, 1)
    e = m.coherence_information(signal, block, n_shuffle=5)
    assert_allclose(e.value, -np.log2(1 - c).sum() * 500 / 512, rtol=1e-9)
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
    assert rounds_to(m.firing_rate(block), rate, 2 if rate < 10 else 1)
    assert rounds_to(m.cv(block), irregularity, 2)
    assert rounds_to(m.fano_factor(block), fano, 1 if fano > 3 else 2)
    pairs = m.gamma_coincidence(block, precision=2 * pq.ms)
    ours = (pairs.sum() - 4) / 12
    if name not in ("00", "04", "11"):
        assert rounds_to(ours, gamma, 3)
        return
    # High rates: several partners within 2 ms, and rules of counting differ. Ours is the most pairs with each spike once.
    assert gamma < ours < gamma + 0.025


# --- subthalamic neuron: 50 trials from 1 s before to 1 s after the cue to move, two directions ---


def test_responses_of_a_subthalamic_neuron_by_direction():
    """Published rates in the planning and the moving second; tests of SciPy for the same counts."""
    data = scipy.io.loadmat(recordings.folder("case_studies_spikes") / "10_spikes-1.mat", squeeze_me=True)
    trials, direction = [data["t"][row > 0] / 1000.0 for row in data["train"]], data["direction"]
    recording = to_block([[np.concatenate([t + 1 + 2 * k for k, t in enumerate(trials)])]], t_stop=100 * pq.s)
    block = cut(recording, np.arange(1.0, 100, 2), before=1 * pq.s, after=1 * pq.s, labels=direction)
    for segment, own in zip(block.segments, trials, strict=True):
        assert_allclose(segment.spiketrains[0].magnitude, own, atol=1e-12)
    for label, plan, move in ((0, 49.7, 67.6), (1, 28.2, 42.3)):
        own = select(block, trials={"label": label})
        assert rounds_to(m.firing_rate(own, t_stop=0 * pq.s), plan, 1)
        assert rounds_to(m.firing_rate(own, t_start=0 * pq.s), move, 1)
    table = m.response_statistics(direction, block, window=[-1, 1] * pq.s)
    assert rounds_to(table["fano"], [0.85, 0.65], 2)
    test = m.response_test(block, baseline=[-1, 0] * pq.s, window=[0, 1] * pq.s, test="sign")
    change = np.array([np.sign(t).sum() for t in trials])
    theirs = stats.binomtest(int((change > 0).sum()), int((change != 0).sum()))
    assert_allclose(test.p[0], theirs.pvalue, rtol=1e-9)
    assert m.responsive_units(block, baseline=[-1, 0] * pq.s, response=[0, 1] * pq.s).p[0] < 1e-3


def test_fano_factors_of_planning_and_movement_and_their_errors():
    """`over_time` against a jackknife over trials in a loop."""
    data = scipy.io.loadmat(recordings.folder("case_studies_spikes") / "10_spikes-1.mat", squeeze_me=True)
    trials = [data["t"][row > 0] / 1000.0 for row in data["train"]]
    table = m.over_time(m.fano_factor, recordings.block(trials, 1.0, t_start=-1.0), window=500 * pq.ms)
    assert_allclose(table.time, np.arange(-0.75, 0.8, 0.25), atol=1e-12)
    for row in table.itertuples():
        counts = np.array([((t >= row.time - 0.25) & (t < row.time + 0.25)).sum() for t in trials])
        left = np.array([np.delete(counts, k).var(ddof=1) / np.delete(counts, k).mean() for k in range(50)])
        assert_allclose(row.value, counts.var(ddof=1) / counts.mean(), rtol=1e-9)
        assert_allclose(row.se, np.sqrt(49 / 50 * ((left - left.mean()) ** 2).sum()), rtol=1e-9)


# --- electroreceptor: spikes and the cycles of the fish's own field ---


def test_an_electroreceptor_locks_to_the_phase_of_the_field():
    """Phases between recorded cycles; the band-pass of the field costs them little. F1/F0 is twice the vector strength."""
    folder = recordings.folder("punit_noisy_lif")
    cell = folder / "2010-11-08-al-invivo-1_baseline"
    cycles, times = (np.load(f"{cell}_{what}.npy") for what in ("eods", "spikes"))
    start, stop = 1.0, 11.0
    times = times[(times >= start) & (times < stop)]
    phases = 2 * np.pi * np.interp(times, cycles, np.arange(cycles.size))
    mean = np.exp(1j * phases).mean()
    grid = np.arange(cycles[0], stop + 1, 1 / 20_000)
    values = np.cos(2 * np.pi * np.interp(grid, cycles, np.arange(cycles.size)))
    field = neo.AnalogSignal(values, units="mV", sampling_rate=20 * pq.kHz, t_start=grid[0] * pq.s)
    block = recordings.block([times], stop, t_start=start)
    with pytest.warns(UserWarning, match="so regular"):
        m.phase_locking(field, block, band=[600, 900] * pq.Hz, n_surrogates=2)
    at = np.arange(start, stop - 1)
    ten = cut(block, at, before=0 * pq.s, after=1 * pq.s)
    fields = [field.time_slice((k - 0.2) * pq.s, (k + 1.2) * pq.s) for k in at]
    row = m.phase_locking(field, block, band=[600, 900] * pq.Hz).iloc[0]
    assert_allclose([row.vector_strength, row.direction], [abs(mean), np.angle(mean)], atol=0.005)
    assert_allclose(row.ppc, (times.size * abs(mean) ** 2 - 1) / (times.size - 1), rtol=0.02)
    for k, one in zip(at, fields, strict=True):
        one.t_start = one.t_start - k * pq.s
    again = m.phase_locking(fields, ten, band=[600, 900] * pq.Hz, n_surrogates=19).iloc[0]
    assert again.p == 1 / 20
    frequency = (cycles.size - 1) / (cycles[-1] - cycles[0])
    table = m.modulation_ratio(frequency * pq.Hz, block)
    whole = times[times < start + np.floor((stop - start) * frequency) / frequency]
    assert_allclose(table.ratio[0], 2 * abs(np.exp(2j * np.pi * frequency * whole).mean()), rtol=1e-9)
    coherence = m.spike_field_coherence(field, block, band=[735, 755] * pq.Hz, nperseg=4096, noverlap=2048)
    assert_allclose(coherence.f[coherence.coherence[0].argmax()], frequency, atol=5)


# --- place cell ---


def test_a_place_cell_has_its_field_where_it_is_published():
    """Against NumPy's histograms of the spikes' and the samples' positions; the field lies at about 60 cm of the track."""
    data = recordings.folder("case_studies_spikes") / "09_spikes-1_place_cell.mat"
    data = scipy.io.loadmat(data, squeeze_me=True)
    position, times, t = data["X"], data["spiketimes"], data["t"]
    path = neo.AnalogSignal(position, units="cm", sampling_rate=1 * pq.kHz, t_start=t[0] * pq.s)
    block = recordings.block([times], float(t[-1]) + 0.001, t_start=float(t[0]))
    edges = np.arange(0, 101, 5.0)
    result = m.rate_map(path, block, bins=edges)
    nearest = np.rint((times - t[0]) * 1000).astype(int)
    counts, time = np.histogram(position[nearest], edges)[0], np.histogram(position, edges)[0] / 1000
    assert_allclose(result.counts[0], counts)
    assert_allclose(result.occupancy, time, rtol=1e-9)
    known = time >= 0.1
    assert_allclose(result.rate[0][known], (counts / np.where(known, time, 1))[known], rtol=1e-9)
    assert 55 <= result.centers[0][np.nanargmax(result.rate[0])] <= 70
    share = time[known] / time[known].sum()
    ratio = (counts / time)[known] / (share @ (counts / time)[known])
    bits = (share * ratio)[ratio > 0] @ np.log2(ratio[ratio > 0])
    row = result.information(n_shuffle=99).iloc[0]
    assert_allclose(row.raw, bits, rtol=1e-9)
    assert row.p == 0.01
    assert row.per_spike > 4 * row.se
    first = m.rate_map(
        path, block, bins=edges[::2], t_stop=90 * pq.s
    )  # its second half decoded from the first
    options = {"window": 0.5 * pq.s, "prior": "occupancy", "t_start": 90 * pq.s}
    table = first.decode(block, signal=path, **options).table
    error = table.groupby(table.n > 0)["error"].median()
    assert error[True] < 10 < error[False]
    assert (table["rank"] < 0.9).mean() > 0.9 - 4 * np.sqrt(0.09 / len(table))

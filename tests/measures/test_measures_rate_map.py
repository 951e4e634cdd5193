"""Rate maps of position and head direction: against loops, and cells of known maps; pynapple's in `test_peers`."""

from dataclasses import replace

import neo
import numpy as np
import pytest
import quantities as pq
from helpers.gaussians import z_of_mean
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import kstest

from nsnn_neuro import NsnnError, cut, to_block
from nsnn_neuro.measures import SilentNeuronWarning, against_surrogates, rate_map, skaggs_information

FS = 30.0  # Hz


def signal(values, units="cm", fs=FS, t_start=0.0):
    return neo.AnalogSignal(values, units=units, sampling_rate=fs * pq.Hz, t_start=t_start * pq.s)


def head_direction(seed, duration):
    """Degrees, a random walk without limits."""
    return np.cumsum(np.random.default_rng(seed).normal(0, 8, int(duration * FS)))


def place(seed, duration, size=100.0):
    """cm, a random walk between two walls."""
    x = np.cumsum(np.random.default_rng(seed).normal(0, 4, int(duration * FS)))
    return size - np.abs(x % (2 * size) - size)


def cells(seed, rate, n_neurons, burst=1):
    """Block of Poisson neurons, whose events are bursts of spikes, of a rate (Hz) for each sample."""
    rng = np.random.default_rng(seed)
    events = rng.poisson(rate / FS / burst, (n_neurons, rate.size)) * burst
    trains = [np.repeat(np.arange(rate.size), n) / FS for n in events]
    return to_block([trains], t_start=0 * pq.s, t_stop=rate.size / FS * pq.s)


def bump(angle):
    return 2 + 20 * np.exp(4 * (np.cos(np.deg2rad(angle - 10)) - 1))


def test_counts_and_time_by_loops():
    """Two trials of two channels that start and stop within their signals; some samples lie outside the bins."""
    rng = np.random.default_rng(1)
    edges = np.array([0.0, 20, 50, 80]), np.array([10.0, 40, 90])
    spans = (0.21, 5.0), (2.0, 8.3)
    signals = [signal(rng.uniform(0, 100, (300, 2)), t_start=start) for start in (-0.1, 1.5)]
    trials = [[np.sort(rng.uniform(*span, 400)) for _ in range(2)] for span in spans]
    block = neo.Block()
    for trial, (start, stop) in zip(trials, spans, strict=True):
        block.segments.extend(to_block([trial], t_start=start * pq.s, t_stop=stop * pq.s).segments)
    result = rate_map(signals, block, bins=list(edges), min_occupancy=0.9 * pq.s)
    time, counts = np.zeros((3, 2)), np.zeros((2, 3, 2))
    for one, trial, (start, stop) in zip(signals, trials, spans, strict=True):
        t = one.times.magnitude
        kept = (t >= start) & (t < stop)
        xy, t = one.magnitude[kept], t[kept]
        time += np.histogramdd(xy, bins=edges)[0] / FS
        for j in range(2):
            nearest = [np.abs(t - spike).argmin() for spike in trial[j]]
            counts[j] += np.histogramdd(xy[nearest], bins=edges)[0]
    assert_allclose(result.occupancy, time, rtol=1e-9)
    assert_array_equal(result.counts, counts)
    assert (time < 0.9).any()
    assert_allclose(result.rate, np.where(time >= 0.9, counts / time, np.nan), rtol=1e-9)
    assert_allclose(result.centers[0], [10, 35, 65])


def test_smoothing_keeps_a_flat_rate_flat_and_follows_the_circle():
    """Occupancy is far from even: next to walls and gaps a rate that is not divided by smoothed time would fall."""
    x = np.repeat(np.concatenate([np.arange(0.5, 10), np.arange(14.5, 20)]), 30 * np.arange(1, 17)[::-1])
    even = to_block([[np.arange(15, x.size, 30) / FS]], t_start=0 * pq.s, t_stop=x.size / FS * pq.s)
    edges = np.arange(21.0)
    flat = rate_map(signal(x), even, bins=edges, smoothing=2 * pq.cm)
    assert_allclose(flat.rate[flat.rate > 0], 1.0, rtol=1e-9)
    assert_array_equal(np.isnan(flat.rate[0]), (edges[:-1] >= 10) & (edges[:-1] < 14))
    angle = head_direction(2, 60)
    block = cells(3, bump(angle), 2)
    ring = [
        rate_map(signal(angle + turn, "deg"), block, bins=36, circular=True, smoothing=15)
        for turn in (0, 100)
    ]
    assert_allclose(ring[1].rate, np.roll(ring[0].rate, 10, axis=1), rtol=1e-9)
    radians = rate_map(signal(np.deg2rad(angle), "rad"), block, bins=36, circular=True, smoothing=15 * pq.deg)
    assert_allclose(radians.rate, ring[0].rate, rtol=1e-6)
    given = rate_map(signal(angle), block, bins=np.arange(0, 361, 10.0), circular=True, smoothing=15)
    assert_allclose(given.rate, ring[0].rate, rtol=1e-9)


def test_smoothing_of_two_channels_is_one_kernel():
    """By sums over all pairs of bins, with another SD for each channel, one of them an angle."""
    xy = np.stack([place(4, 300), head_direction(5, 300) % 360], axis=1)
    block = cells(6, bump(xy[:, 1]) * (1 + xy[:, 0] / 100), 1)
    edges = [np.linspace(0, 100, 6), np.linspace(0, 360, 9)]
    result = rate_map(signal(xy), block, bins=edges, circular=[False, True], smoothing=[10, 50])
    (x, y), plain = result.centers, result
    turn = (y[:, None] - y + 180) % 360 - 180  # one kernel is cut off at 4 SD, beyond half a turn
    turns = [
        np.exp(-((turn + k * 360) ** 2) / (2 * 50**2)) * (np.abs(turn + k * 360) <= 200) for k in (-1, 0, 1)
    ]
    kernels = np.exp(-((x[:, None] - x) ** 2) / (2 * 10**2)) * (np.abs(x[:, None] - x) <= 40), sum(turns)
    top, bottom = (np.einsum("ai,bj,ij->ab", *kernels, one) for one in (plain.counts[0], plain.occupancy))
    assert_allclose(result.rate[0], top / bottom, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("burst", "smoothing"), [(1, None), (4, None), (1, 20)])
def test_errors_are_those_of_repeated_recordings(burst, smoothing):
    """SD over 150 recordings of the same cell, each along its own path, of Poisson spikes or bursts; coverage of +-2 se."""
    paths = [head_direction(k, 1200) + 360 * np.random.default_rng(k).random() for k in range(150)]
    result = [
        rate_map(
            signal(x, "deg"), cells(k + 500, bump(x), 1, burst), bins=12, circular=True, smoothing=smoothing
        )
        for k, x in enumerate(paths)
    ]
    rate, se = np.array([one.rate[0] for one in result]), np.array([one.se[0] for one in result])
    assert_allclose((se**2).mean(axis=0), rate.var(axis=0), rtol=0.4)  # an SD of 150 is known to 6 %
    assert_allclose((se**2).mean(), rate.var(axis=0).mean(), rtol=0.15)
    if smoothing is None:
        width = result[0].edges[0][1]
        inside = [np.mean(bump(width * (k + (np.arange(99) + 0.5) / 99))) for k in range(12)]
        assert np.abs((rate.mean(axis=0) - inside) / rate.std(axis=0) * np.sqrt(150)).max() < 4
        assert (np.abs(rate - inside) <= 2 * se).mean() > 0.9


def test_information_of_known_cells():
    """The relative entropy of the known map over the time in each bin."""
    angle = head_direction(9, 900)
    truth = bump(angle)
    result = rate_map(signal(angle, "deg"), cells(10, truth, 60), bins=18, circular=True)
    table = result.information(n_shuffle=50)
    known = np.array([truth[angle % 360 // 20 == k].mean() for k in range(18)])
    share = result.occupancy / result.occupancy.sum()
    mean = share @ known
    bits = share @ (known / mean * np.log2(known / mean))
    assert_allclose(table["per_spike"].mean(), bits, rtol=0.03)
    assert_allclose(table["per_second"].mean(), bits * mean, rtol=0.03)
    assert z_of_mean(table["per_spike"] + table["null_mean"], bits) > -4
    assert z_of_mean(table["per_spike"], bits) < 4
    assert (table["p"] == 1 / 51).all()


def test_information_without_a_map():
    """80 recordings of flat cells: none on average, and p is uniform; without the correction there is much."""
    rows = []
    for k in range(80):
        angle = head_direction(k, 120)
        block = cells(k + 200, np.full(angle.size, 2.0), 1)
        result = rate_map(signal(angle, "deg"), block, bins=18, circular=True)
        rows.append(result.information(n_shuffle=39, seed=k).iloc[0])
    gain, raw, p = np.array([[row[name] for name in ("per_spike", "raw", "p")] for row in rows]).T
    assert abs(z_of_mean(gain, 0)) < 4
    assert z_of_mean(raw, 0) > 10
    assert kstest(p - np.random.default_rng(1).random(80) / 40, "uniform").pvalue > 1e-3


def laps(seed, spread):
    """cm, 30 laps of a track of 100 cm, 12 s each or with a relative spread."""
    n = np.rint(12 * FS * (1 + spread * np.random.default_rng(seed).normal(size=30))).astype(int)
    return np.concatenate([100 * np.arange(k) / k for k in n])


def test_laps_of_equal_time_are_warned_of_and_have_a_cure():
    """Their shifts have the information of the cell itself; a null that moves each lap by itself has none."""
    x = laps(1, 0.0)
    block = cells(2, 0.2 + 20 * np.exp(-(((x - 40) / 8) ** 2)), 1)
    with pytest.warns(UserWarning, match="laps") as caught:
        table = rate_map(signal(x), block, bins=20).information()
    assert "24 s" in str(caught[0].message)
    assert table["p"][0] > 0.05
    trials = cut(block, 12.0 * np.arange(30), before=0 * pq.s, after=12 * pq.s)
    signals = [signal(x[:360])] * 30

    def raw(trials):
        return rate_map(signals, trials, bins=20).information(n_shuffle=0)["raw"]

    assert against_surrogates(raw, trials, method="shift", n=99)[0].p == 0.01
    x = laps(1, 0.2)
    rate_map(signal(x), cells(3, np.full(x.size, 2.0), 1), bins=20).information()  # without a warning


def test_information_is_that_of_skaggs_in_the_bins_that_have_a_rate():
    x = place(11, 200)
    block = cells(12, 1 + x / 10, 1)
    result = rate_map(signal(x), block, bins=10, n_blocks=7, min_occupancy=15 * pq.s)
    assert 0 < np.isnan(result.rate).sum() < 8
    label = np.minimum(np.digitize(x, result.edges[0]) - 1, 9)
    kept = result.occupancy[label] >= 15
    counts = np.bincount(
        np.rint(block.segments[0].spiketrains[0].magnitude * FS).astype(int), minlength=x.size
    )
    own = skaggs_information(
        label[kept], counts[kept], bias="none", n_blocks=7, n_shuffle=9, seed=3, min_shift=int(2 * FS)
    )
    row = result.information(n_shuffle=9, seed=3, min_shift=2 * pq.s).iloc[0]
    assert_allclose(
        row[["per_spike", "se", "raw", "null_mean", "p"]].astype(float),
        [own.gain, own.se, own.value, own.null_mean, own.p],
    )
    assert_allclose(row["per_second"], own.gain * counts[kept].sum() / kept.sum() * FS)


def test_a_silent_neuron_has_a_rate_of_0_without_an_error_and_no_information():
    x = place(13, 30)
    block = to_block([[[0.5, 1.5, 7.0], []]], t_start=0 * pq.s, t_stop=30 * pq.s)
    result = rate_map(signal(x), block, bins=3)
    assert_array_equal(result.rate[1], np.zeros(3))
    assert np.isnan(result.se[1]).all()
    with pytest.warns(SilentNeuronWarning, match="1 of 2") as caught:
        table = result.information(n_shuffle=5)
    assert len(caught) == 1
    assert table.loc[1, ["per_spike", "per_second", "raw", "p"]].isna().all()
    assert table["n"].tolist() == [3, 0]


def test_a_signal_in_one_bin_tells_nothing():
    block = to_block([[[0.5, 1.5]]], t_start=0 * pq.s, t_stop=3 * pq.s)
    result = rate_map(signal(np.full(90, 4.0)), block, bins=[0, 5, 10])
    assert_allclose(result.rate, [[2 / 3, np.nan]])
    assert result.information(n_shuffle=5)["raw"].tolist() == [0]


def test_posterior_and_its_numbers_by_loops():
    """Two trials with a remainder, unequal bins and an angle; a bin without a rate, a silent neuron, a place beyond the edges."""
    rng = np.random.default_rng(20)
    xy = np.stack([rng.choice([5.0, 30.0, 55.0], 600), rng.uniform(-360, 360, 600)], axis=1)
    xy[(xy[:, 0] == 30) & (xy[:, 1] % 360 < 90)] = [5.0, 10.0]
    xy[29] = [70.0, 10.0]  # nearest to the middle of the first window
    signals = [signal(xy[:300]), signal(xy[300:], t_start=5)]
    block = neo.Block()
    for start, n in ((0, 90), (5, 40)):
        trial = [np.sort(rng.uniform(start, start + 9.9, k)) for k in (n, 30, 0)]
        block.segments.extend(to_block([trial], t_start=start * pq.s, t_stop=(start + 9.9) * pq.s).segments)
    edges = [np.array([0.0, 10, 50, 60]), np.arange(-180, 181, 90.0)]
    maps = rate_map(signals, block, bins=edges, circular=[False, True])
    assert np.isnan(maps.rate[0]).sum() == 1
    result = maps.decode(block, window=1.95 * pq.s, signal=signals, prior="occupancy", level=0.6)
    assert result.table["trial"].tolist() == [0] * 5 + [1] * 5
    for k, (row, p) in enumerate(zip(result.table.itertuples(), result.posterior, strict=True)):
        begin = 5 * (k // 5) + 1.95 * (k % 5)
        spikes = [train.magnitude for train in block.segments[k // 5].spiketrains]
        counts = [np.sum((one >= begin) & (one < begin + 1.95)) for one in spikes]
        likelihood = maps.occupancy * (maps.occupancy > 0)
        for n, rate in zip(counts, np.maximum(np.nan_to_num(maps.rate), 0.1), strict=True):
            likelihood = likelihood * rate**n * np.exp(-1.95 * rate)
        assert_allclose(p, likelihood / likelihood.sum(), rtol=1e-9)
        place = np.unravel_index(p.argmax(), p.shape)
        assert (row.time, row.n) == (pytest.approx(begin + 0.975), sum(counts))
        mode = np.array([c[i] for c, i in zip(maps.centers, place, strict=True)])
        assert_array_equal([row.mode_0, row.mode_1], mode)
        phase = np.angle((p.sum(axis=0) * np.exp(1j * np.deg2rad(maps.centers[1]))).sum(), deg=True)
        assert_allclose([row.mean_0, row.mean_1], [p.sum(axis=1) @ maps.centers[0], phase])
        assert_allclose(row.entropy, -(p[p > 0] * np.log2(p[p > 0])).sum())
        listed = sorted(zip(p.ravel(), np.outer(*map(np.diff, edges)).ravel(), strict=True), reverse=True)
        within = [sum(q for q, _ in listed[:i]) < 0.6 for i in range(12)]
        assert_allclose(row.size, sum(size for (_, size), i in zip(listed, within, strict=True) if i))
        x, y = xy[300 * (k // 5) + round((row.time - 5 * (k // 5)) * FS)]
        assert_allclose([row.true_0, row.true_1], [x, (y + 180) % 360 - 180])
        assert_allclose(row.error, np.hypot(row.mode_0 - x, (row.mode_1 - y + 180) % 360 - 180))
        own = p[np.digitize(x, edges[0]) - 1, int((y + 180) % 360 // 90)] if x < 60 else 0
        assert_allclose(row.rank, p[p > own].sum(), atol=1e-12)


def test_posteriors_of_poisson_neurons_are_right_and_sharper_with_more_neurons():
    """Places are uniform and constant in each window, maps are known: sets of bins hold the truth as often as they say."""
    rng = np.random.default_rng(21)
    place, centers = rng.integers(0, 50, 1500), np.arange(1.0, 100, 2)
    x = signal(np.repeat(centers[place], 15))  # windows of half a second
    rates = 1 + 12 * np.exp(-((centers - rng.uniform(0, 100, (40, 1))) ** 2) / (2 * 10**2))
    counts = rng.poisson(rates[:, place] / 2)
    trains = [np.repeat(np.arange(1500), n) / 2 + 0.25 for n in counts]
    errors = []
    for m in (2, 8, 40):
        block = to_block([trains[:m]], t_stop=750 * pq.s)
        known = replace(rate_map(x, block, bins=np.arange(0, 101, 2.0)), rate=rates[:m])
        for level in (0.5, 0.9):
            result = known.decode(block, window=0.5 * pq.s, signal=x, level=level)
            ordered = -np.sort(-result.posterior, axis=1)
            held = (np.cumsum(ordered, axis=1) - ordered < level) * ordered
            inside = result.table["rank"] < level
            assert abs(z_of_mean(inside - held.sum(axis=1), 0)) < 4
            assert inside.mean() > level - 0.03
        errors.append(
            (result.table["error"].mean(), result.table["entropy"].mean(), result.table["size"].mean())
        )
    assert (np.diff(errors, axis=0) < 0).all()
    assert errors[-1][0] < errors[0][0] / 4


X = place(14, 10)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (X[:250], {"bins": 5}, "covers the window"),
        (np.full(300, 4.0), {"bins": 5}, "constant"),
        (X, {"bins": 1}, "bins = 1"),
        (X, {"bins": [0, 100]}, "increasing edges"),
        (X, {"bins": [0, 50, 50]}, "increasing edges"),
        (X, {"bins": [0, 50, 100] * pq.s}, "bins"),
        (X, {"bins": [500, 600, 700]}, "no bin has as much"),
        (X, {"bins": 5, "min_occupancy": 1 * pq.hour}, "no bin has as much"),
        (X, {"bins": 5, "circular": True}, "period is not known"),
        (X * pq.deg, {"bins": [0, 50, 350], "circular": True}, "whole turn"),
        (X, {"bins": [0, 50, 120], "smoothing": 5}, "equal width"),
        (X, {"bins": 5, "smoothing": -5}, "smoothing"),
        (X, {"bins": 5, "smoothing": 5 * pq.s}, "smoothing"),
        (X, {"bins": 5, "n_blocks": 301}, "n_blocks"),
        (np.stack([X, X], axis=1), {"bins": [5, 5, 5]}, "list of two"),
        (np.stack([X, X, X], axis=1), {"bins": 5}, "3 channels"),
        (np.where(X > 30, np.nan, X), {"bins": 5}, "NaN"),
    ],
)
def test_what_has_no_map_is_refused(values, options, message):
    block = to_block([[[0.5, 1.5]]], t_start=0 * pq.s, t_stop=10 * pq.s)
    with pytest.raises(NsnnError, match=message):
        rate_map(signal(values, getattr(values, "units", "cm")), block, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0 * pq.s}, "window"),
        ({"window": 11 * pq.s}, "longer"),
        ({"prior": "uniform"}, "prior"),
        ({"min_rate": 0 * pq.Hz}, "min_rate"),
        ({"level": 1}, "level"),
        ({"signal": signal(X, "m")}, "of the map"),
        ({"signal": signal(np.stack([X, X], axis=1))}, "of the map"),
        ({"block": to_block([[[0.5], [1.0]]], t_start=0 * pq.s, t_stop=10 * pq.s)}, "2 neurons"),
    ],
)
def test_what_cannot_be_decoded_is_refused(options, message):
    block = to_block([[[0.5, 1.5]]], t_start=0 * pq.s, t_stop=10 * pq.s)
    with pytest.raises(NsnnError, match=message):
        rate_map(signal(X), block, bins=5).decode(**{"block": block, "window": 1 * pq.s, **options})


def test_signals_of_trials_have_one_unit_and_shifts_fit():
    block = to_block([[[0.5, 1.5]]] * 2, t_start=0 * pq.s, t_stop=10 * pq.s)
    with pytest.raises(NsnnError, match="one unit"):
        rate_map([signal(X), signal(X, "m")], block, bins=5)
    with pytest.raises(NsnnError, match="min_shift"):
        rate_map(signal(X), block, bins=5).information(min_shift=11 * pq.s)

"""ISI- and SPIKE-distance, their profiles and synchronization against PySpike, and the theory of independent Poisson trains."""

import neo
import numpy as np
import pytest
import quantities as pq
from helpers.trains import make_block
from numpy.testing import assert_allclose, assert_array_equal

from nsnn_neuro.measures import (
    SilentNeuronWarning,
    isi_distance,
    isi_profile,
    mean_isi_distance,
    mean_spike_distance,
    spike_distance,
    spike_profile,
    spike_synchronization,
    synchronization_profile,
)

WINDOW = {"t_start": 0 * pq.s, "t_stop": 1 * pq.s}
EDGES = [
    [[], []],
    [[], [0.3]],
    [[0.3], [0.7]],
    [[0.0], [0.4, 0.5]],
    [[0.0, 0.4], [0.4, 1.0]],
    [[1.0], [0.2, 0.3]],
    [[0.02, 0.9], [0.01, 0.5, 0.52]],
    [[0.1, 0.1, 0.6], [0.1, 0.2]],
    [[0.0, 0.0], [0.3]],
]


def random_trains(seed, rates=(15, 15, 40, 3, 1, 0)):
    """Poisson trains of 1 s, the last one empty; two share some spikes exactly."""
    rng = np.random.default_rng(seed)
    trains = [np.sort(rng.uniform(0, 1, rng.poisson(rate))) for rate in rates]
    trains[1] = np.sort(np.concatenate([trains[1], trains[0][::2]]))
    return trains


@pytest.mark.parametrize("function", [isi_distance, spike_distance])
def test_equal_to_pyspike(function):
    pyspike = pytest.importorskip("pyspike")
    for trains in [random_trains(s) for s in range(2)] + EDGES:
        # without t_stop, which would crop a spike at exactly 1 s
        found = function([neo.SpikeTrain(t, units="s", t_stop=1.0) for t in trains])
        peers = [pyspike.SpikeTrain(t, [0.0, 1.0]) for t in trains]
        theirs = np.array([[getattr(pyspike, function.__name__)(a, b) for b in peers] for a in peers])
        off = ~np.eye(len(trains), dtype=bool)
        assert_allclose(found[off], theirs[off], rtol=0, atol=1e-9)
        assert_array_equal(found, found.T)
        assert_array_equal(np.diag(found), 0.0)


def test_equal_trains_are_at_distance_0_and_time_runs_either_way():
    trains = random_trains(21)[:4]
    mirrored = [1.0 - t[::-1] for t in trains]
    for function in (isi_distance, spike_distance):
        assert function([trains[0], trains[0].copy()], **WINDOW)[0, 1] == 0.0
        assert_allclose(function(mirrored, **WINDOW), function(trains, **WINDOW), rtol=0, atol=1e-12)
        later = function([t + 5.0 for t in trains], t_start=5 * pq.s, t_stop=6 * pq.s)
        assert_allclose(later, function(trains, **WINDOW), rtol=0, atol=1e-12)


def test_isi_distance_of_independent_poisson_trains():
    """The interval that holds t has density r^2 x exp(-r x): E of 1 - min/max is 1/2 for equal rates.

    The ratio q of two such intervals has density 6 q / (1 + q)^4, and 2 * integral of (1 - q) 6 q / (1 + q)^4
    over [0, 1] is 1/2. In trains of 5,000 spikes the edges change it by less than 1e-4, 0.2 standard errors.
    """
    rng = np.random.default_rng(22)
    found = []
    for _ in range(100):
        trains = [np.sort(rng.uniform(0, 100, n)) for n in rng.poisson(5000, 2)]
        found.append(isi_distance(trains, t_start=0 * pq.s, t_stop=100 * pq.s)[0, 1])
    assert abs((np.mean(found) - 0.5) / (np.std(found, ddof=1) / 10)) < 4


@pytest.mark.parametrize(
    ("mean", "matrix"), [(mean_isi_distance, isi_distance), (mean_spike_distance, spike_distance)]
)
def test_mean_over_pairs_of_each_neuron(mean, matrix):
    neurons = [random_trains(30, (9, 9, 9, 9)), random_trains(31, (20, 20, 3, 0)), [[], [], [], []]]
    block = make_block(list(zip(*neurons, strict=True)))
    upper = np.triu_indices(4, 1)
    expected = [*(matrix(trains, **WINDOW)[upper].mean() for trains in neurons[:2]), np.nan]
    with pytest.warns(SilentNeuronWarning, match="1 of 3 neurons have no spike in any trial"):
        assert_allclose(mean(block), expected, rtol=1e-12)
    assert (matrix(neurons[2], **WINDOW) == 0).all()  # PySpike's value of two empty trains
    cut = matrix(neurons[0], t_start=0 * pq.s, t_stop=0.5 * pq.s)[upper].mean()
    assert_allclose(mean(block, t_stop=0.5 * pq.s)[0], cut, rtol=1e-12)


@pytest.mark.parametrize("seed", [1, 2])
def test_profiles_and_synchronization_are_pyspikes(seed):
    pyspike = pytest.importorskip("pyspike")
    own = random_trains(seed)
    peers = [pyspike.SpikeTrain(t, [0.0, 1.0]) for t in own]
    isi, spike = isi_profile(own, **WINDOW), spike_profile(own, **WINDOW)
    for profile, theirs in ((isi, pyspike.isi_profile(peers)), (spike, pyspike.spike_profile(peers))):
        middle = (profile.times[1:] + profile.times[:-1]) / 2
        assert_allclose((profile.left + profile.right) / 2, [theirs(t) for t in middle], atol=1e-9)
        assert profile.mean() == pytest.approx(theirs.avrg(), abs=1e-9)
        part = profile.mean(0.21 * pq.s, 0.64 * pq.s)
        assert part == pytest.approx(theirs.avrg((0.21, 0.64)), abs=1e-9)
    off = ~np.eye(len(own), dtype=bool)
    assert_allclose(
        spike_synchronization(own, **WINDOW)[off], pyspike.spike_sync_matrix(peers)[off], atol=1e-9
    )
    profile, theirs = synchronization_profile(own, **WINDOW), pyspike.spike_sync_profile(peers)
    assert_allclose(profile.times, theirs.x[1:-1], atol=1e-12)
    assert_allclose(profile.values, (theirs.y / theirs.mp)[1:-1], atol=1e-9)
    assert profile.mean() == pytest.approx(pyspike.spike_sync(peers), abs=1e-9)


def test_means_of_profiles_are_distances_and_trains_shifted_by_little_are_in_synchrony():
    trains = random_trains(3)[:2]
    for profile, matrix in ((isi_profile, isi_distance), (spike_profile, spike_distance)):
        assert_allclose(profile(trains, **WINDOW).mean(), matrix(trains, **WINDOW)[0, 1], rtol=1e-9)
    one = np.arange(0.05, 10, 0.1)
    options = {"t_start": 0 * pq.s, "t_stop": 10.1 * pq.s}
    for shift in (0.001, 0.0499999):
        assert spike_synchronization([one, one + shift], **options)[0, 1] == 1
    assert spike_synchronization([[], []], **WINDOW).tolist() == [[1, 1], [1, 1]]

"""ISI- and SPIKE-distance against PySpike, profiles on a fine grid, and the theory of independent Poisson trains."""

import neo
import numpy as np
import pytest
import quantities as pq
from helpers.trains import make_block
from numpy.testing import assert_allclose, assert_array_equal

from nsnn_neuro import tabulate
from nsnn_neuro.measures import (
    SilentNeuronWarning,
    isi_distance,
    mean_isi_distance,
    mean_spike_distance,
    spike_distance,
)

WINDOW = {"t_start": 0 * pq.s, "t_stop": 1 * pq.s}
EDGES = [
    [[], []],
    [[], [0.3]],
    [[0.3], [0.7]],
    [[0.0], [0.4, 0.5]],
    [[0.0], []],
    [[0.0], [0.0]],
    [[0.0, 0.4], [0.4, 1.0]],
    [[1.0], [0.2, 0.3]],
    [[0.0, 1.0], [0.5]],
    [[0.02, 0.9], [0.01, 0.5, 0.52]],
    [[0.45, 0.5, 0.52], [0.47]],
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
    for trains in [random_trains(s) for s in range(4)] + EDGES:
        # without t_stop, which would crop a spike at exactly 1 s
        found = function([neo.SpikeTrain(t, units="s", t_stop=1.0) for t in trains])
        peers = [pyspike.SpikeTrain(t, [0.0, 1.0]) for t in trains]
        theirs = np.array([[getattr(pyspike, function.__name__)(a, b) for b in peers] for a in peers])
        off = ~np.eye(len(trains), dtype=bool)
        assert_allclose(found[off], theirs[off], rtol=0, atol=1e-9)
        assert_array_equal(found, found.T)
        assert_array_equal(np.diag(found), 0.0)


def slow_profiles(a, b, t):
    """ISI and SPIKE profiles at times t from their definitions, for trains with at least two spikes each."""
    out = []
    for x, y in ((a, b), (b, a)):
        low, high = min(0.0, 2 * x[0] - x[1]), max(1.0, 2 * x[-1] - x[-2])
        other = np.concatenate([[min(0.0, 2 * y[0] - y[1])], y, [max(1.0, 2 * y[-1] - y[-2])]])
        near = np.abs(np.subtract.outer(x, other)).min(axis=1)
        knots = np.concatenate([[low], x, [high]])
        k = np.searchsorted(knots, t, side="right")
        nu = knots[k] - knots[k - 1]
        values = np.concatenate([[near[0]], near, [near[-1]]])
        out.append((nu, values[k - 1] + (values[k] - values[k - 1]) * (t - knots[k - 1]) / nu))
    (nu_a, s_a), (nu_b, s_b) = out
    return np.abs(nu_a - nu_b) / np.maximum(nu_a, nu_b), (s_a * nu_b + s_b * nu_a) / 2 / (
        (nu_a + nu_b) / 2
    ) ** 2


def test_exact_integrals_of_the_profiles():
    """The midpoint rule with 2e6 points misses jumps by half a step each: 1e-5 with 60 jumps of less than 1."""
    a, b = random_trains(20)[:2]
    t = (np.arange(2_000_000) + 0.5) / 2e6
    isi, spike = (profile.mean() for profile in slow_profiles(a, b, t))
    assert_allclose(isi_distance([a, b], **WINDOW)[0, 1], isi, rtol=0, atol=1e-5)
    assert_allclose(spike_distance([a, b], **WINDOW)[0, 1], spike, rtol=0, atol=1e-5)


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
    assert_allclose(tabulate(block, mean)["value"], expected, rtol=1e-12)
    cut = matrix(neurons[0], t_start=0 * pq.s, t_stop=0.5 * pq.s)[upper].mean()
    assert_allclose(mean(block, t_stop=0.5 * pq.s)[0], cut, rtol=1e-12)

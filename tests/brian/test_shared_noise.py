"""Shared noise at the threshold: crossings between grid points are shared as the noise is, on every target."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import ms, mV
from scipy import special

import nsnn_neuro as nsnn
from nsnn_neuro.brian import philox as kn
from nsnn_neuro.measures import as_trains

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
PAIR = {"noise": nsnn.WhiteNoise(3.5 * mV, shared=1), "stimulus": nsnn.Constant(20 * mV), "n_neurons": 2}


def steps_of(block):
    """Spikes as (trial, neuron, step)."""
    return [
        (k, j, step)
        for k, segment in enumerate(block.segments)
        for j, train in enumerate(segment.spiketrains)
        for step in np.rint(train.magnitude / block.annotations["dt"]).astype(int).tolist()
    ]


def trains(block, neuron):
    return [segment.spiketrains[neuron].magnitude.tolist() for segment in block.segments]


@pytest.mark.slow
def test_identical_neurons_in_common_noise_have_identical_spikes():
    block = nsnn.simulate(CELL, **PAIR, trials=10, duration=300 * ms, seed=2, engine="numpy")
    first = trains(block, 0)
    assert sum(map(len, first)) > 60
    assert first == trains(block, 1)


@pytest.mark.slow
@pytest.mark.parametrize("shared", [0.0, 0.6, 1.0])
def test_each_neurons_crossing_probability_is_the_bridges(shared):
    """One step from x0 to x1, below threshold: P(spike) = exp(-2 (theta - x0)(theta - x1) / S^2), a pair's by the copula; |z| < 4.

    The first is what NDL's factor rests on: shared noise leaves each neuron's own law as it is.
    """
    n, trials, dt = 2, 3_000, 0.1
    cell = nsnn.LIF(tau_m=20 * ms, v_rest=19.7 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=0 * ms)
    block = nsnn.simulate(
        cell, nsnn.WhiteNoise(3.5 * mV, shared=shared), n_neurons=n, trials=trials, duration=dt * ms, seed=5, engine="numpy",
    )  # fmt: skip
    key, s = kn.key(5), 3.5 * np.sqrt(-np.expm1(-2 * dt / 20))
    who, trial = np.arange(n)[:, None], np.arange(trials)
    private = kn.normal(0, who, trial, 0, kn.Stream.MEMBRANE, *key)
    common = kn.normal(0, -1, trial, 0, kn.Stream.SHARED, *key)
    x1 = 19.7 + s * (np.sqrt(shared) * common + np.sqrt(1 - shared) * private)
    p = np.exp(-2 * 0.3 * np.maximum(20 - x1, 0) / s**2)
    fired = np.zeros((n, trials))
    fired[tuple(np.transpose([(j, k) for k, j, _ in steps_of(block)]))] = 1
    below = x1 < 20
    assert fired[~below].all()
    for j in range(n):
        z = (fired - p)[j, below[j]].sum() / np.sqrt((p * (1 - p))[j, below[j]].sum())
        assert abs(z) < 4
    if shared == 1:
        assert (fired[0] == fired[1]).all()
        return
    both = below.all(axis=0)
    joint = np.array([copula(a, b, shared) for a, b in p[:, both].T])
    z = (fired[0] * fired[1])[both].sum() - joint.sum()
    assert abs(z) / np.sqrt((joint * (1 - joint)).sum()) < 4
    if shared:  # private crossings would be told from these
        alone = p[:, both].prod(axis=0)
        assert (joint - alone).sum() / np.sqrt((alone * (1 - alone)).sum()) > 4


NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(40)


def copula(a, b, c):
    """P(both uniforms below a and b) of two normals with correlation c."""
    levels = (special.ndtri([[a], [b]]) - np.sqrt(c) * NODES) / np.sqrt(1 - c)
    return special.ndtr(levels).prod(axis=0) @ WEIGHTS / WEIGHTS.sum()


# Count correlation of two neurons, LIF as above with mu 15, sigma 3.5 mV, shared .99, in windows of 1, 2 and 10 ms, from an
# independent simulation at dt = .0025 ms
TRUTH = {1e-3: 0.5278, 2e-3: 0.6160, 10e-3: 0.7739}
TRUTH_ERROR = 0.0013


@pytest.mark.slow
@pytest.mark.compile
def test_count_correlations_of_shared_noise():
    """Jackknife over 25 groups of trials: |z| < 4 to the truth in three windows; private crossings would give .5129 at 1 ms."""
    shared, each, groups, seconds = 0.99, 80, 25, 2.0
    block = nsnn.simulate(
        CELL, nsnn.WhiteNoise(3.5 * mV, shared=shared), nsnn.Constant(15 * mV), n_neurons=2, trials=groups * each,
        duration=1e3 * (seconds + 0.2) * ms, seed=6, progress=False,
    )  # fmt: skip
    t = as_trains(block)
    kept = t.times >= 0.2
    neuron, group = t.train[kept] % 2, t.trial[kept] // each
    for window, expected in TRUTH.items():
        bins = round(seconds / window)
        at = np.floor((t.times[kept] - 0.2) / window + 1e-6).astype(int)
        counts = np.zeros((2, groups, each * bins), dtype=np.int8)
        np.add.at(counts, (neuron, group, (t.trial[kept] % each) * bins + at), 1)
        x = counts.reshape(2, groups, -1).astype(np.float32)
        first, square, product = x.sum(2).T, (x**2).sum(2).T, (x[0] * x[1]).sum(1)
        sums = np.column_stack([first, square, product, np.full(groups, x.shape[2])])
        found = correlation(sums.sum(0))
        parts = correlation(sums.sum(0) - sums)
        error = np.sqrt((groups - 1) * np.var(parts) + TRUTH_ERROR**2)
        assert abs(found - expected) / error < 4, (window, found, error)
        if window == 1e-3:
            assert (found - 0.5129) / error > 4


def correlation(sums):
    """The correlation coefficient from the sums of two counts, of their squares and product, and their number (last axis)."""
    a, b, aa, bb, ab, n = np.moveaxis(sums, -1, 0)
    return (ab / n - a * b / n**2) / np.sqrt((aa / n - (a / n) ** 2) * (bb / n - (b / n) ** 2))

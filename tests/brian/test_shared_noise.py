"""Shared noise at the threshold: crossings between grid points are shared as the noise is, on every target."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import ms, mV
from scipy import special

import nsnn_neuro as nsnn
from nsnn_neuro.brian import philox as kn

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)


def steps_of(block):
    """Spikes as (trial, neuron, step)."""
    return [
        (k, j, step)
        for k, segment in enumerate(block.segments)
        for j, train in enumerate(segment.spiketrains)
        for step in np.rint(train.magnitude / block.annotations["dt"]).astype(int).tolist()
    ]


@pytest.mark.slow
@pytest.mark.parametrize("shared", [0.6, 1.0])
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
    alone = p[:, both].prod(axis=0)  # private crossings would be told from these
    assert (joint - alone).sum() / np.sqrt((alone * (1 - alone)).sum()) > 4


NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(40)


def copula(a, b, c):
    """P(both uniforms below a and b) of two normals with correlation c."""
    levels = (special.ndtri([[a], [b]]) - np.sqrt(c) * NODES) / np.sqrt(1 - c)
    return special.ndtr(levels).prod(axis=0) @ WEIGHTS / WEIGHTS.sum()

"""Networks and populations with shared noise against theory: spike-count correlation, Brunel's states."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import ms, mV, second

import nsnn_neuro as nsnn
from analysis import network_states
from nsnn_neuro import theory

pytestmark = [pytest.mark.slow, pytest.mark.compile]


def pair_correlation(counts):
    """Mean correlation coefficient of pairs, from the variance of the sum; counts (windows, neurons)."""
    n = counts.shape[1]
    single, total = counts.var(axis=0, ddof=1).mean(), counts.sum(axis=1).var(ddof=1)
    return (total / n - single) / (n - 1) / single


@pytest.mark.parametrize("c", [0.2])
def test_count_correlation_of_shared_noise_is_linear_response(c):
    """Windows of 1 s, 50 neurons, 100 trials of 10 s, jackknife over trials: |z| < 4 to linear response, far from 0 and from c."""
    mu, sigma = 20 * mV, 5 / np.sqrt(2) * mV
    p = {"tau_m": 20 * ms, "v_reset": 10 * mV, "v_thresh": 20 * mV, "tau_refrac": 2 * ms}
    block = nsnn.simulate(
        nsnn.LIF(v_rest=0 * mV, **p), nsnn.WhiteNoise(sigma, shared=c), nsnn.Constant(mu), n_neurons=50, trials=100,
        duration=10.5 * second, dt=0.2 * ms, seed=3,
    )  # fmt: skip
    counts = np.zeros((100, 10, 50))
    for k, segment in enumerate(block.segments):
        ids, times = segment.spiketrains.multiplexed
        window = np.floor(np.asarray(times.rescale("s").magnitude) - 0.5 + 1e-7).astype(int)
        np.add.at(counts[k], (window[window >= 0], ids[window >= 0]), 1)
    found = pair_correlation(counts.reshape(-1, 50))
    parts = [pair_correlation(np.delete(counts, k, axis=0).reshape(-1, 50)) for k in range(100)]
    error = np.sqrt(99 * np.var(parts))
    expected = theory.count_correlation(
        c, sigma, tau_m=20 * ms, gain=theory.siegert_gain(mu, sigma, **p), rate=theory.siegert_rate(mu, sigma, **p),
        cv=theory.siegert_cv(mu, sigma, **p),
    )  # fmt: skip
    assert abs(found - expected) / error < 4
    assert found / error > 6
    assert (c - found) / error > 3  # spiking loses correlation


def test_brunels_asynchronous_state_has_its_mean_field_rate():
    """The full network, C_E 1,000: the study's central claims on AI over .3 s; on all states, smaller: the study's tests."""
    config = network_states.Config(states=("AI",), networks=1, seconds=0.3)
    network_states.verify(network_states.run(config))

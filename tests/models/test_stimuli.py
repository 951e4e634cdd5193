"""Stimuli: samples against their formulas, and against what the simulation is driven with."""

from __future__ import annotations

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import Hz, Mohm, ms, mV, nS
from scipy.signal import lfilter

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError


@pytest.mark.parametrize(
    "stimulus",
    [
        nsnn.Constant([0.2, 0.4]),
        nsnn.Step([0.4, 0.1], 3.3 * ms, [7, 9] * ms),
        nsnn.Sinusoid(0.3, 0.2, [10, 70] * Hz, phase=0.4),
        nsnn.FrozenNoise(0.3, 0.1, 3 * ms, seed=5),
        nsnn.Recorded(
            neo.AnalogSignal(np.linspace(0, 1, 20), units="dimensionless", sampling_period=1 * pq.ms)
        ),
    ],
    ids=lambda s: type(s).__name__,
)
def test_the_samples_are_what_drives_the_neuron(stimulus):
    """With beta = 0 and theta out of reach the NSNN potential is the drive itself."""
    block = nsnn.simulate(
        nsnn.NSNNNeuron(beta=0.0, theta=100.0), stimulus=stimulus, n_neurons=2, duration=20 * ms, dt=1 * ms,
        engine="numpy", record_v=True,
    )  # fmt: skip
    signal = next(s for s in block.segments[0].analogsignals if s.name == "v")
    samples = stimulus.samples(20, 1e-3)
    expected = samples[:, None] if samples.ndim == 1 else samples
    np.testing.assert_allclose(signal.magnitude, np.broadcast_to(expected, (20, 2)), atol=1e-12)


CURRENT = neo.AnalogSignal([0.1, 0.3], units="nA", sampling_period=1 * pq.ms)


def test_a_current_through_a_resistance_drives_a_membrane():
    """100 and 300 pA through 50 Mohm are 5 and 15 mV; a gain in volts is for one unit of the signal."""
    ohmic = nsnn.Filtered(CURRENT, gain=50 * Mohm, offset=1 * mV)
    np.testing.assert_allclose(ohmic.samples(2, 1e-3), [6e-3, 16e-3])
    np.testing.assert_allclose(nsnn.Filtered(CURRENT, gain=50 * mV).samples(2, 1e-3), [5e-3, 15e-3])
    siemens = nsnn.Filtered(CURRENT.rescale("pA"), gain=1 / (20 * nS))
    np.testing.assert_allclose(siemens.samples(2, 1e-3), [5e-3, 15e-3])
    cell = nsnn.LIF(tau_m=10 * ms, v_rest=-70 * mV, v_reset=-75 * mV, v_thresh=0 * mV, tau_refrac=0 * ms)
    block = nsnn.simulate(cell, None, ohmic, duration=2 * ms, dt=1 * ms, engine="numpy", record_v=True)
    drive = next(s for s in block.segments[0].analogsignals if s.name == "stimulus")
    np.testing.assert_allclose(drive.rescale("mV").magnitude[:, 0], [6, 16])
    assert block.annotations["parameters"]["stimulus"]["gain"] == {"value": 5e7, "unit": "ohm"}
    with pytest.raises(NsnnError, match=r"gain = 50\. Mohm of Filtered: expected a plain number"):
        nsnn.simulate(nsnn.NSNNNeuron(), None, ohmic, duration=2 * ms, dt=1 * ms, engine="numpy")


def test_a_filter_with_a_time_constant_has_the_means_of_a_first_order_low_pass():
    """Against scipy's filter in 400 steps for each sample; the drive of the engines is these samples, here of 1 and of 2."""
    x, period, fine, tau = np.random.default_rng(0).normal(size=40), 5e-4, 400, 2e-3
    keep = np.exp(-period / fine / tau)
    y = lfilter([1 - keep], [1, -keep], np.repeat(x, fine), zi=[keep * x[0]])[0]
    means = (0.5 * (y + np.append(x[0], y[:-1]))).reshape(40, fine).mean(axis=1)
    signal = neo.AnalogSignal(x, units="um", sampling_period=0.5 * pq.ms)
    drive = nsnn.Filtered(signal, gain=3.0, offset=1.0, tau=2 * ms)
    np.testing.assert_allclose(drive.samples(40, 5e-4), 1 + 3 * means, atol=1e-6)
    np.testing.assert_allclose(drive.samples(20, 1e-3), 1 + 3 * means.reshape(20, 2).mean(axis=1), atol=1e-6)
    late = nsnn.Filtered(signal, gain=3.0, offset=1.0, tau=2 * ms, delay=1 * ms)
    np.testing.assert_allclose(late.samples(40, 5e-4)[2:], drive.samples(38, 5e-4))
    block = nsnn.simulate(
        nsnn.NSNNNeuron(beta=0.0, theta=100.0), stimulus=drive, duration=20 * ms, dt=0.5 * ms, engine="numpy", record_v=True
    )  # fmt: skip
    signal = next(s for s in block.segments[0].analogsignals if s.name == "v")
    np.testing.assert_allclose(signal.magnitude[:, 0], drive.samples(40, 5e-4), atol=1e-12)


def test_frozen_noise_is_an_ou_process():
    """Mean, variance and autocorrelation over 300 paths; the same path for one seed, another for another."""
    paths = np.array([nsnn.FrozenNoise(2.0, 0.5, 5 * ms, seed=s).samples(400, 1e-3) for s in range(300)])
    z = (paths - 2.0) / 0.5
    assert abs(z.mean(axis=1).mean()) / (z.mean(axis=1).std() / np.sqrt(300)) < 4
    for lag in (0, 1, 5):
        products = np.mean(z[:, : 400 - lag] * z[:, lag:], axis=1)
        assert abs(products.mean() - np.exp(-lag / 5)) / (products.std() / np.sqrt(300)) < 4
    assert abs(np.var(z[:, 0]) - 1) < 4 * np.sqrt(2 / 300)
    assert (nsnn.FrozenNoise(2.0, 0.5, 5 * ms, seed=0).samples(400, 1e-3) == paths[0]).all()
    assert (paths[0] != paths[1]).all()


def test_recorded_repeats_long_samples_and_averages_short_ones():
    long = neo.AnalogSignal([1.0, 3.0], units="V", sampling_period=2 * pq.ms)
    assert nsnn.Recorded(long).samples(4, 1e-3).tolist() == [1, 1, 3, 3]
    short = neo.AnalogSignal([1.0, 3.0, 5.0, 6.0, 9.0], units="V", sampling_period=0.5 * pq.ms)
    assert nsnn.Recorded(short).samples(2, 1e-3).tolist() == [2, 5.5]


def test_transduced_saturates_and_adapts():
    """A step of the level: r jumps from 1 / (1 + e^2) to 1 / (1 + e^-2), and its mean follows in 5 ms."""
    level = np.repeat([-1.0, 1.0], 500)
    signal = neo.AnalogSignal(level, units="dimensionless", sampling_rate=5 * pq.kHz)
    drive = nsnn.Transduced(
        signal, gain=3 * pq.mV, offset=1 * pq.mV, middle=0.0, width=0.5, adaptation=0.4, tau_adaptation=5 * pq.ms,
        delay=2 * pq.ms,
    ).samples(2000, 1e-4)  # fmt: skip
    low, high = 1 / (1 + np.exp(2)), 1 / (1 + np.exp(-2))
    t = 1e-4 * np.arange(2000) - 0.102
    mean = np.where(
        t < 0, low, high - (high - low) * np.exp(-(2e-4 * np.floor(t / 2e-4 + 1e-6) + 2e-4) / 5e-3)
    )
    expected = 1e-3 + 3e-3 * (np.where(t < -1e-9, low, high) - 0.4 * mean)
    np.testing.assert_allclose(drive[t > -0.05], expected[t > -0.05], atol=1e-9)

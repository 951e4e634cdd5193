"""OU noise whose correlation time is a few steps or less: rates against the Fokker-Planck equation."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import ms, mV, second

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, theory
from nsnn_neuro.measures import as_trains

LIF = {"tau_m": 10 * ms, "v_rest": 0 * mV, "v_reset": 5 * mV, "v_thresh": 20 * mV, "tau_refrac": 2 * ms}
CELL = nsnn.LIF(**LIF)


def spikes(block):
    return [[np.rint(t.magnitude * 1e4).astype(int).tolist() for t in s.spiketrains] for s in block.segments]


@pytest.mark.slow
@pytest.mark.compile
def test_rates_are_those_of_the_fokker_planck_equation():
    """tau_noise of 1 and .2 steps, refractory 2 ms and 0, 1e5 spikes each: |z| < 4 and within 1 %."""
    tau_noise, refrac = np.repeat([0.1, 0.02], 1000), np.repeat([2.0, 0.0], 1000)
    cell, seconds = nsnn.LIF(**LIF | {"tau_refrac": refrac * ms}), 4.5
    block = nsnn.simulate(
        cell, nsnn.OUNoise(5 * mV, tau_noise * ms), nsnn.Constant(15 * mV), n_neurons=2000, duration=(seconds + 0.2) * second,
        seed=3, progress=False,
    )  # fmt: skip
    t = as_trains(block)
    counts = np.bincount(t.train[t.times >= 0.2], minlength=2000).reshape(2, 1000) / seconds
    for found, at in zip(counts, (0, 1000), strict=True):
        expected = theory.coloured_fp_rate(
            theory.lif_drift(15 * mV), 5 * mV, tau_noise[at] * ms, tau_m=10 * ms, v_spike=20 * mV, v_reset=5 * mV,
            tau_refrac=refrac[at] * ms,
        )  # fmt: skip
        error = found.std(ddof=1) / 1000**0.5
        assert abs(found.mean() - expected) / error < 4, (tau_noise[at], refrac[at], found.mean(), expected)
        assert abs(found.mean() / expected - 1) < 0.01


@pytest.mark.slow
def test_every_neuron_is_its_scalar_run():
    """Short and long correlation times, with and without refractoriness, in one population."""
    taus, refracs = [0.1, 5.0, 0.05], [0.0, 0.0, 2.0]
    cell = nsnn.LIF(**LIF | {"tau_refrac": refracs * ms})
    drive, run = nsnn.Constant(18 * mV), {"n_neurons": 3, "duration": 100 * ms, "seed": 5, "engine": "numpy"}
    together = spikes(nsnn.simulate(cell, nsnn.OUNoise(5 * mV, taus * ms, shared=0.4), drive, **run))[0]
    for j, (tau, refrac) in enumerate(zip(taus, refracs, strict=True)):
        one = nsnn.LIF(**LIF | {"tau_refrac": refrac * ms})
        alone = spikes(nsnn.simulate(one, nsnn.OUNoise(5 * mV, tau * ms, shared=0.4), drive, **run))[0]
        assert together[j] == alone[j]
        assert together[j]


@pytest.mark.slow
def test_a_membrane_loaded_by_conductances_keeps_its_variance():
    """tau_noise = dt: the current's mean over a step, not that of the step's two ends, drives the membrane; |z| < 4."""
    cell = nsnn.LIF(**LIF | {"v_thresh": 1000 * mV})
    cells = nsnn.Population(1001, cell, noise=nsnn.OUNoise(5 * mV, 0.1 * ms), name="cells")
    synapse = nsnn.ConductanceSynapse(5 * ms, e_rev=60 * mV)
    wire = nsnn.Projection(cells, cells, rule=nsnn.OneToOne(), weight=0.1, synapse=synapse)
    block = nsnn.simulate(
        nsnn.Network([cells], [wire]), duration=200 * ms, seed=2, engine="numpy", record_v={"cells": True}
    )
    v = block.segments[0].analogsignals[0].rescale("mV").magnitude[500::5].T
    squares = (v**2).mean(axis=1)
    assert abs(squares.mean() - 25) / (squares.std(ddof=1) / 1001**0.5) < 4


def test_a_correlation_time_far_below_dt_is_refused():
    run = {"stimulus": nsnn.Constant(18 * mV), "duration": 1 * ms, "engine": "numpy"}
    with pytest.raises(
        NsnnError, match=r"tau_noise = 0.001 ms with dt = 0.1 ms: expected at least dt / 51, .*WhiteNoise"
    ):
        nsnn.simulate(CELL, nsnn.OUNoise(5 * mV, 0.001 * ms), **run)
    nsnn.simulate(CELL, nsnn.OUNoise(5 * mV, 0.001 * ms), bridge=False, **run)

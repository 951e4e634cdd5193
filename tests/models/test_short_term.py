"""Short-term plasticity: its rule against an ODE solver, its mean against trains of spikes, and simulated networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from brian2 import Hz, ms, mV
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp

import nsnn_neuro as nsnn
from nsnn_neuro import TsodyksMarkram, theory

BOTH = TsodyksMarkram(U=0.3, tau_rec=200 * ms, tau_facil=150 * ms)
DEAF = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=1000 * mV, tau_refrac=0 * ms)


def integrated(times: np.ndarray, share: float, recovery: float, facilitation: float) -> list[float]:
    """u x at each spike, with the differential equations between spikes and the jumps at them."""

    def slope(_: float, state: np.ndarray) -> list[float]:
        x, u = state
        return [(1 - x) / recovery, -u / facilitation]

    x, u, before, sent = 1.0, 0.0, times[0], []
    for t in times:
        if t > before:
            x, u = solve_ivp(slope, (before, t), (x, u), rtol=1e-11, atol=1e-13).y[:, -1]
        u = u + share * (1 - u)
        sent.append(u * x)
        x, before = x - u * x, t
    return sent


def test_the_rule_is_the_solution_of_the_differential_equations() -> None:
    times = np.cumsum(np.random.default_rng(1).exponential(0.05, 12))
    assert_allclose(BOTH.efficacies(times * 1e3 * ms), integrated(times, 0.3, 0.2, 0.15), rtol=1e-8)
    assert_allclose(TsodyksMarkram(0.4, 0 * ms).efficacies([0, 5, 6] * ms), 0.4)
    assert BOTH.efficacies([] * ms).shape == (0,)


@pytest.mark.slow
@pytest.mark.parametrize("dt", [None, 0.03])
def test_the_mean_of_a_poisson_train(dt: float | None) -> None:
    """Against 20 trains of 3,000 spikes, in continuous time and of geometric intervals with half a spike per step."""
    rate, share, recovery, facilitation = 20.0, 0.3, 0.1, 0.5
    model, rng = TsodyksMarkram(share, recovery * 1e3 * ms, facilitation * 1e3 * ms), np.random.default_rng(2)
    means = []
    for _ in range(20):
        steps = rng.geometric(-np.expm1(-rate * (dt or 1)), 3000)
        intervals = rng.exponential(1 / rate, 3000) if dt is None else dt * steps
        means.append(model.efficacies(np.cumsum(intervals) * 1e3 * ms)[500:].mean())
    expected, tiny, continuous = (
        theory.short_term_efficacy(rate, share, tau_rec=recovery, tau_facil=facilitation, **step)
        for step in ({} if dt is None else {"dt": dt}, {"dt": 1e-9}, {})
    )
    assert abs(np.mean(means) - expected) < 4 * np.std(means, ddof=1) / np.sqrt(20)
    assert_allclose(tiny, continuous, rtol=1e-6)
    assert dt is None or abs(expected / continuous - 1) > 0.01


def test_closed_forms_of_one_mechanism_alone() -> None:
    rate = np.array([0.5, 10.0, 200.0])
    depression = theory.short_term_efficacy(rate, 0.5, tau_rec=0.8, tau_facil=0.0)
    assert_allclose(depression, 0.5 / (1 + 0.5 * rate * 0.8), rtol=1e-12)
    facilitation = theory.short_term_efficacy(rate, 0.1, tau_rec=0.0, tau_facil=0.5)
    assert_allclose(facilitation, 0.1 * (1 + rate * 0.5) / (1 + 0.1 * rate * 0.5), rtol=1e-12)
    with_units = theory.short_term_efficacy(rate * Hz, 0.5, tau_rec=800 * ms, tau_facil=0 * ms)
    assert_allclose(with_units, depression)


@pytest.mark.parametrize(("recovery", "facilitation"), [(0.2, 0.15), (0.0, 0.5)])
def test_a_periodic_train_reaches_its_mean(recovery: float, facilitation: float) -> None:
    model = TsodyksMarkram(0.3, recovery * 1e3 * ms, facilitation * 1e3 * ms)
    last = model.efficacies(np.arange(2000) * 25 * ms)[-1]
    expected = theory.short_term_efficacy(
        40.0, 0.3, tau_rec=recovery, tau_facil=facilitation, train="periodic"
    )
    assert last == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
def test_jumps_of_a_membrane_are_the_weight_times_the_efficacies() -> None:
    """Three Poisson sources onto three membranes without threshold, two trials, two delays."""
    sources = nsnn.Population(3, nsnn.PoissonSource(60 * Hz), name="sources")
    cells = nsnn.Population(3, DEAF, name="cells")
    delays = [0, 1, 2.5] * ms
    net = nsnn.Network(
        [sources, cells],
        [nsnn.Projection(sources, cells, rule=nsnn.OneToOne(), weight=2 * mV, delay=delays, short_term=BOTH)],
    )
    block = nsnn.simulate(net, trials=2, duration=400 * ms, seed=3, record_v={"cells": True}, engine="numpy")
    grid = np.arange(4000) * 1e-4
    for segment in block.segments:
        v = segment.analogsignals[-1].rescale("mV").magnitude
        for k in range(3):
            spikes = segment.spiketrains[k].rescale("s").magnitude
            assert spikes.size > 10
            arrivals = spikes + float(delays[k]) + 1e-4  # v is that at the start of the next step
            since = grid[:, None] - arrivals
            kernel = np.where(since > -1e-9, np.exp(-np.maximum(since, 0) / 0.02), 0.0)
            expected = 2 * kernel @ BOTH.efficacies(spikes * 1e3 * ms)
            assert_allclose(v[:, k], expected, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("synapse", [nsnn.AlphaSynapse(5 * ms), nsnn.ConductanceSynapse(5 * ms, 60 * mV)])
def test_the_first_spike_has_the_share_u_in_every_synapse(synapse: Any) -> None:
    weight: Any = 0.2 if synapse.conductance else 2 * mV
    peaks = []
    for factor, short_term in ((1.0, TsodyksMarkram(0.25, 0 * ms)), (0.25, None)):
        sources = nsnn.Population(1, nsnn.PoissonSource(100 * Hz), name="sources")
        cells = nsnn.Population(1, DEAF, name="cells")
        how = {"weight": factor * weight, "synapse": synapse, "short_term": short_term}
        connection = nsnn.Projection(sources, cells, rule=nsnn.AllToAll(), **how)
        block = nsnn.simulate(
            nsnn.Network([sources, cells], [connection]), duration=100 * ms, seed=1, record_v={"cells": [0]}, engine="numpy"
        )  # fmt: skip
        peaks.append(block.segments[0].analogsignals[-1].magnitude)
    assert peaks[0].max() > 0
    assert_allclose(peaks[0], peaks[1], rtol=1e-12)

"""Integrate-and-fire neurons against analytic periods, the Fokker-Planck equation and an ODE solver."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import ms, mV, second
from scipy.integrate import quad, solve_ivp

import nsnn_neuro as nsnn
from nsnn_neuro import theory

PIF = nsnn.PIF(tau_m=10 * ms, v_reset=0 * mV, v_thresh=10 * mV, tau_refrac=2 * ms)
EIF = nsnn.EIF(
    tau_m=10 * ms, v_rest=-65 * mV, v_reset=-68 * mV, v_thresh=-60 * mV, delta_T=3.5 * mV, v_spike=-30 * mV, tau_refrac=2 * ms
)  # fmt: skip
QIF = nsnn.QIF(
    tau_m=10 * ms, v_rest=-65 * mV, v_reset=-75 * mV, v_thresh=-55 * mV, v_spike=-10 * mV, tau_refrac=2 * ms
)
ADEX = nsnn.AdEx(
    tau_m=9.4 * ms, v_rest=-70.6 * mV, v_reset=-65 * mV, v_thresh=-50.4 * mV, delta_T=2 * mV, v_spike=-40 * mV,
    tau_refrac=2 * ms, tau_w=100 * ms, a=0.13, b=3 * mV,
)  # fmt: skip


def drift(cell, mu):
    """tau_m dV/dt in mV of V in mV, written out here once more."""
    p = {f.name: 1e3 * cell.si(f.name) for f in cell.parameter_fields()}
    if isinstance(cell, nsnn.PIF):
        return lambda v: mu + 0.0 * v
    if isinstance(cell, nsnn.QIF):
        return lambda v: (v - p["v_rest"]) * (v - p["v_thresh"]) / (p["v_thresh"] - p["v_rest"]) + mu
    return lambda v: p["v_rest"] - v + p["delta_T"] * np.exp((v - p["v_thresh"]) / p["delta_T"]) + mu


def ends(cell):
    """v_reset, the voltage of the spike (mV), tau_m and tau_refrac (ms)."""
    return tuple(1e3 * cell.si(name) for name in ("v_reset", cell.threshold, "tau_m", "tau_refrac"))


def intervals_of(block):
    """Intervals (s) chosen by where they start, after 0.5 s and at least 2 s before the end; their neurons."""
    ids, times = block.segments[0].spiketrains.multiplexed
    times, stop = np.asarray(times.magnitude), float(block.segments[0].spiketrains.t_stop)
    kept = (np.diff(ids) == 0) & (times[:-1] > 0.5) & (times[:-1] < stop - 2)
    return np.diff(times)[kept], ids[:-1][kept]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "drives", "bias"),
    [(PIF, (8, 30), 0.15), (EIF, (8, 25), 0.5), (QIF, (12, 40), 0.5)],
    ids=["PIF", "EIF", "QIF"],
)
def test_noiseless_periods(cell, drives, bias):
    """tau_refrac + tau_m int dV / f(V), over 60 drives; a single period is rounded to whole steps.

    The mean error is 0 within its standard error for the linear neuron, below half a step where the upstroke is steeper than that.
    """
    mus = np.linspace(*drives, 60)
    reset, spike, tau, refrac = ends(cell)
    integrals = [quad(lambda v, mu=mu: 1 / drift(cell, mu)(v), reset, spike, limit=200)[0] for mu in mus]
    exact = refrac + tau * np.array(integrals)
    block = nsnn.simulate(
        cell, stimulus=nsnn.Constant(mus * mV), n_neurons=60, duration=300 * ms, engine="numpy"
    )
    periods = np.array([np.diff(1e3 * t.magnitude)[1:].mean() for t in block.segments[0].spiketrains])
    error = (periods - exact) / 0.1
    assert abs(error.mean()) < bias
    assert np.abs(error).max() < 1.1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "drift", "mu"),
    [
        (EIF, theory.eif_drift(-60 * mV, delta_T=3.5 * mV, v_thresh=-60 * mV), 5.0),
        (QIF, theory.qif_drift(10 * mV, v_rest=-65 * mV, v_thresh=-55 * mV), 10.0),
    ],
    ids=["EIF", "QIF"],
)
def test_rate_and_cv_in_white_noise_are_those_of_the_fokker_planck_equation(cell, drift, mu):
    """|z| < 4 of some 16,000 intervals at dt = 0.05 ms."""
    equation = {name: getattr(cell, name) for name in ("tau_m", "v_reset", "v_spike", "tau_refrac")}
    rate, cv = (
        function(drift, 4 * mV, **equation, cells=1000) for function in (theory.fp_rate, theory.fp_cv)
    )
    noise, stimulus = nsnn.WhiteNoise(4 * mV), nsnn.Constant(mu * mV)
    run = {"n_neurons": int(8_000 / rate), "duration": 4.5 * second, "dt": 0.05 * ms, "seed": 5}
    intervals, neuron = intervals_of(nsnn.simulate(cell, noise, stimulus, **run))
    assert len(intervals) > 10_000
    parts = [intervals[neuron % 25 != g] for g in range(25)]
    for function, exact in ((lambda x: 1 / x.mean(), rate), (lambda x: x.std() / x.mean(), cv)):
        error = np.sqrt(24 * np.var([function(part) for part in parts]))
        assert abs(function(intervals) - exact) / error < 4


@pytest.mark.slow
def test_adex_is_the_ode_solution():
    """Spike times and w against scipy's adaptive solver with events, noiseless, over 400 ms of adapting spikes."""
    p = {f.name: 1e3 * ADEX.si(f.name) for f in ADEX.parameter_fields()} | {"a": ADEX.si("a")}
    f = drift(ADEX, 30.0)

    def rhs(t, y):
        return [(f(y[0]) - y[1]) / p["tau_m"], (p["a"] * (y[0] - p["v_rest"]) - y[1]) / p["tau_w"]]

    def spike(t, y):
        return y[0] - p["v_spike"]

    spike.terminal, spike.direction = True, 1
    t, y, expected = 0.0, [p["v_rest"], 0.0], []
    while t < 400:
        run = solve_ivp(rhs, (t, 400), y, events=spike, rtol=1e-9, atol=1e-9, max_step=0.5)
        if not run.t_events[0].size:
            break
        t, w = run.t_events[0][0], run.y_events[0][0, 1] + p["b"]
        expected.append(t)
        held = p["a"] * (p["v_reset"] - p["v_rest"])
        y, t = [p["v_reset"], held + (w - held) * np.exp(-p["tau_refrac"] / p["tau_w"])], t + p["tau_refrac"]
    block = nsnn.simulate(
        ADEX, stimulus=nsnn.Constant(30 * mV), duration=400 * ms, dt=0.02 * ms, engine="numpy"
    )
    times = 1e3 * block.segments[0].spiketrains[0].magnitude
    assert len(times) == len(expected) > 8
    assert np.diff(expected)[-1] > 1.5 * np.diff(expected)[0]  # it adapts
    # dating by steps of 0.02 ms adds up over the spikes
    np.testing.assert_allclose(times, expected, atol=0.15)

"""The pieces of assembly that have an oracle of their own: the joint OU step, release after refractoriness, captured names."""
# Imports internals: of one step there is an exact law, of the spikes of a simulation there is none.

from __future__ import annotations

import numpy as np
import pytest
from brian2 import Hz, kHz, ms, mV
from scipy.integrate import quad_vec
from scipy.linalg import expm

import nsnn_neuro as nsnn
from nsnn_neuro.brian import philox as kn
from nsnn_neuro.brian.equations.noises import ou_step
from nsnn_neuro.measures import as_trains
from nsnn_neuro.models.neurons.refractory import release


@pytest.mark.parametrize("tau_noise", [0.5e-3, 20e-3, 20.00001e-3, 80e-3])
@pytest.mark.parametrize("h", [1e-5, 5e-3])
def test_ou_step_is_the_matrix_exponential(h, tau_noise):
    """(I, V)' = B (I, V) + noise: transition exp(B h) and covariance int exp(B s) D exp(B s)^T ds, by quadrature."""
    tau, sigma = 20e-3, 3.0
    drift = np.array([[-1 / tau_noise, 0], [1 / tau, -1 / tau]])
    sigma_i = sigma * np.sqrt(1 + tau / tau_noise)
    spread = np.array([[2 * sigma_i**2 / tau_noise, 0], [0, 0]])
    covariance, _ = quad_vec(
        lambda s: expm(drift * s) @ spread @ expm(drift * s).T, 0, h, epsabs=0, epsrel=1e-10
    )
    pull, root = ou_step(h, tau, tau_noise, sigma)
    lower = np.array([[root["root_ii"], 0], [root["root_vi"], root["root_vv"]]])
    assert abs(pull / expm(drift * h)[1, 0] - 1) < 1e-12
    built = lower @ lower.T
    assert abs(built[0, 0] / covariance[0, 0] - 1) < 1e-9
    # P - A P A^T cancels: rounding of the order of 1e-16 sigma^2, 1e-6 of the smallest entry here
    assert abs(built[1, 0] - covariance[1, 0]) < 1e-9 * covariance[1, 0] + 1e-15 * sigma_i**2
    assert abs(built[1, 1] - covariance[1, 1]) < 1e-9 * covariance[1, 1] + 1e-15 * sigma_i**2


@pytest.mark.parametrize("bridge", [True, False])
@pytest.mark.parametrize("refrac", [0.0, 0.05e-3, 2e-3, 2.08e-3])
def test_release_counts_real_time(refrac, bridge):
    """Spike (mid-step or step's end) + tau_refrac = start of the partial step, whose end is on the grid."""
    j, h = release(refrac, 1e-4, bridge)
    spike = 0.5 if bridge else 1.0
    assert j >= 1
    assert 0 < h <= 1.5
    assert (j + 1 - h) - spike == pytest.approx(refrac / 1e-4, abs=1e-9)


def test_a_callers_names_are_not_captured():
    """Brian2 takes a caller's local for a model's constant unless told otherwise."""
    cell = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)

    def run():
        return nsnn.simulate(cell, stimulus=nsnn.Constant(25 * mV), duration=100 * ms, engine="numpy", seed=1)

    expected = [float(t) for t in run().segments[0].spiketrains[0]]
    tau_m, v_thresh, drive, relax, hold_steps = 1 * ms, 0 * mV, 0 * mV, 1.0, 7  # noqa: F841
    assert [float(t) for t in run().segments[0].spiketrains[0]] == expected
    assert len(expected) == 3


LIF_CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
DRAWN = {
    "white": (LIF_CELL, nsnn.WhiteNoise(4 * mV, shared=0.3), 17 * mV),
    "OU": (LIF_CELL, nsnn.OUNoise(4 * mV, 5 * ms), 18 * mV),
    "short_OU": (LIF_CELL, nsnn.OUNoise(4 * mV, 0.2 * ms, shared=0.5), 18 * mV),
    "escape": (LIF_CELL, nsnn.EscapeNoise(nsnn.Gaussian(2 * mV)), 17 * mV),
    "Poisson": (LIF_CELL, nsnn.PoissonNoise(8 * kHz, 0.2 * mV, rate_inh=1 * kHz, weight_inh=-0.2 * mV), 2 * mV),
    "source": (nsnn.PoissonSource(rate=50 * Hz), None, None),
    "NSNN": (nsnn.NSNNNeuron(), nsnn.EscapeNoise(nsnn.Logistic(0.3)), 0.5),
    "double": (nsnn.NSNNNeuron(), nsnn.DoubleNoise(0.3), 0.5),
}  # fmt: skip


@pytest.mark.slow
def test_large_groups_draw_what_small_ones_do(monkeypatch, tmp_path):
    """Numbers of four steps at once, counts in a loop of their own; and in windows that don't end with a fourth step."""
    cells = [
        nsnn.Population(30, cell, noise=noise, stimulus=None if drive is None else nsnn.Constant(drive), name=name)
        for name, (cell, noise, drive) in DRAWN.items()
    ]  # fmt: skip
    found = []
    for many, out in ((10**9, None), (1, None), (1, tmp_path / "run.nwb")):
        monkeypatch.setattr("nsnn_neuro.brian.equations.group_text.MANY", many)
        monkeypatch.setattr("nsnn_neuro.brian.streaming.MEMBER_STEPS", 480 * 37)
        run = {"trials": 2, "duration": 70.7 * ms, "seed": 3, "engine": "numpy", "out": out}
        trains = as_trains(nsnn.simulate(nsnn.Network(cells), **run))
        order = np.lexsort((trains.times, trains.neuron, trains.trial))
        found.append(np.array([trains.trial, trains.neuron, trains.times])[:, order])
    assert np.bincount(found[0][1].astype(int) // 30, minlength=len(DRAWN)).min() > 15
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


@pytest.mark.slow
@pytest.mark.parametrize(("fraction", "tau_noise"), [(0.5, 0.1e-3), (0.0, 0.02e-3)])
def test_crossings_within_a_step_are_those_of_the_path(fraction, tau_noise):
    """One step from three voltages: `passage`, given both ends, against fine exact sub-steps from the same start; |z| < 4.

    The current at a crossing is linear within a piece: its mean is within .15 of the current's standard deviation.
    """
    n, fine, dt, tau, sigma, theta, rng = 20_000, 200, 1e-4, 10e-3, 5.0, 20.0, np.random.default_rng(8)
    pieces = 5 * round(dt / tau_noise)
    v0 = np.repeat([19.2, 19.6, 19.9], n)
    now = np.tile(rng.normal(0, sigma * np.sqrt(1 + tau / tau_noise), n), 3)
    v, i, passed, at_spike = v0.copy(), now.copy(), np.zeros(3 * n, bool), np.zeros(3 * n)
    pull, root = ou_step(dt / fine, tau, tau_noise, sigma)
    for _ in range(fine):
        z = rng.normal(size=(2, 3 * n))
        v = (
            15
            + (v - 15) * np.exp(-dt / fine / tau)
            + pull * i
            + root["root_vi"] * z[0]
            + root["root_vv"] * z[1]
        )
        i = i * np.exp(-dt / fine / tau_noise) + root["root_ii"] * z[0]
        new = (v > theta) & ~passed
        passed |= new
        at_spike[new] = i[new]
    full, whole = ou_step(dt, tau, tau_noise, sigma)
    z = rng.normal(size=(2, 3 * n))
    kick = full * now + whole["root_vi"] * z[0] + whole["root_vv"] * z[1]
    later = now * np.exp(-dt / tau_noise) + whole["root_ii"] * z[0]
    way = (15 - v0) * -np.expm1(-dt / tau)
    h = dt / pieces
    pull, root = ou_step(h, tau, tau_noise, sigma)
    one = [pieces, np.exp(-h / tau_noise), np.exp(-h / tau), pull, h / tau, *root.values()]
    ends = [3.5 * whole["root_vv"], full, np.sqrt(fraction), np.sqrt(1 - fraction)]
    first = kn.passage(
        5, np.arange(3 * n), np.arange(3 * n), 0, kn.Stream.CURRENT_PATH, *kn.key(4), kn.Stream.SHARED_CURRENT_PATH,
        way, kick, now, later, theta - v0, theta - v0, *one, *ends,
    )  # fmt: skip
    found = first < kn.NEVER
    assert found[v0 + way + kick > theta].all()
    for k, at in enumerate((19.2, 19.6, 19.9)):
        mine, other = found[k * n : (k + 1) * n], passed[k * n : (k + 1) * n]
        p = other.mean()
        assert 0.005 < p < 0.9
        assert abs(mine.mean() - p) / np.sqrt(2 * p * (1 - p) / n) < 4, at
    a, b = first[found], at_spike[passed]
    assert abs(a.mean() - b.mean()) < 0.15 * sigma * np.sqrt(1 + tau / tau_noise)


@pytest.mark.parametrize("leaky", [True, False])
def test_a_membrane_that_waits_is_two_exact_steps(leaky):
    """The current alone for `wait`, then both: means and covariances of the two composed."""
    h, wait, tau, tau_noise, sigma = 0.7e-4, 0.3e-4, 10e-3, 0.05e-3, 3.0
    pull, root = ou_step(h, tau, tau_noise, sigma, leaky)
    found_pull, found = ou_step(h, tau, tau_noise, sigma, leaky, wait=wait)
    alone = sigma**2 * (1 + tau / tau_noise) * -np.expm1(-2 * wait / tau_noise)
    move, first = np.array([[np.exp(-h / tau_noise)], [pull]]), np.exp(-wait / tau_noise)

    def lower(r):
        return np.array([[r["root_ii"], 0], [r["root_vi"], r["root_vv"]]])

    expected = alone * move @ move.T + lower(root) @ lower(root).T
    np.testing.assert_allclose(lower(found) @ lower(found).T, expected, rtol=1e-9)
    np.testing.assert_allclose(found_pull, pull * first, rtol=1e-12)

"""White noise whose variance depends on the drive: simulated, its likelihood beside closed forms, and its weight fitted."""

import dataclasses
import warnings

import numpy as np
import pytest
from brian2 import Hz, ms, mV, second
from scipy.stats import norm

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.likelihood import survival
from nsnn_neuro.likelihood.calibration.free_parameters import read_free
from nsnn_neuro.likelihood.continuous.cells import Grid
from nsnn_neuro.likelihood.continuous.conditional import enough_for_a_fit, log_likelihoods
from nsnn_neuro.likelihood.continuous.trials import read_trials
from nsnn_neuro.models.plasticity.diffusive import is_diffusive

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
SINE = nsnn.Sinusoid(18 * mV, 12 * mV, 8 * Hz)
DRIVEN = nsnn.WhiteNoise(1 * mV, weight=0.8 * mV)
DOWN = nsnn.Sinusoid(0 * mV, 10 * mV, 8 * Hz)


def spikes(noise, stimulus, *, cell=CELL, n=3, duration=0.5 * second, **options):
    block = nsnn.simulate(
        cell, noise, stimulus, n_neurons=n, duration=duration, seed=1, engine="numpy", **options
    )
    return [train.magnitude.tolist() for train in block.segments[0].spiketrains]


@pytest.mark.parametrize(("shared", "options"), [(0.0, {}), (0.4, {}), (0.4, {"bridge": False})], ids=str)
def test_under_a_constant_drive_spikes_are_those_of_the_white_noise_with_this_variance(shared, options):
    """sigma^2 = 1 + 0.8 * 20 / 2 = 9 mV^2, so that the theory of white noise holds."""
    drive = nsnn.Constant(20 * mV)
    driven = spikes(nsnn.WhiteNoise(1 * mV, weight=0.8 * mV, shared=shared), drive, **options)
    assert driven == spikes(nsnn.WhiteNoise(3 * mV, shared=shared), drive, **options)
    assert sum(map(len, driven)) > 20
    assert driven != spikes(nsnn.WhiteNoise(1 * mV, shared=shared), drive, **options)


@pytest.mark.parametrize("weights", [(0.0, 0.8), (0.8, 0.0)], ids=str)
def test_a_sweep_over_the_weight_has_the_spikes_of_single_runs(weights):
    """Its first point has the noise of a single run; a weight of 0 has the equations of a constant variance."""
    table = nsnn.sweep(
        CELL, grid={"noise.weight": weights * mV}, noise=nsnn.WhiteNoise(2 * mV), stimulus=SINE, n_neurons=3,
        duration=0.3 * second, seed=1, progress=False, engine="numpy",
        measures={"last": lambda block: sum(float(train[-1]) for train in block.segments[0].spiketrains)},
    )  # fmt: skip
    single = spikes(nsnn.WhiteNoise(2 * mV, weight=weights[0] * mV), SINE, duration=0.3 * second)
    assert table["value"].tolist()[0] == sum(train[-1] for train in single)
    assert table["value"].nunique() == 2


@pytest.mark.parametrize("weight", [2.0, 6.0])
def test_survival_of_a_perfect_integrator_of_poisson_spikes_is_inverse_gaussian_in_operational_time(weight):
    """Mean and variance both grow with D(t) = integral of the drive / tau, so that D is the time of a Wiener process with drift."""
    cell = nsnn.PIF(tau_m=20 * ms, v_reset=0 * mV, v_thresh=20 * mV, tau_refrac=0 * ms)
    mean, size, f, w, top = 16e-3, 14e-3, 8.0, 1e-3 * weight, 20e-3
    t = np.linspace(2e-3, 0.1, 30)
    d = (mean * t + size * (1 - np.cos(2 * np.pi * f * t)) / (2 * np.pi * f)) / 20e-3
    expected = norm.cdf((top - d) / np.sqrt(w * d)) - np.exp(2 * top / w) * norm.cdf(
        (-top - d) / np.sqrt(w * d)
    )
    stimulus = nsnn.Sinusoid(1e3 * mean * mV, 1e3 * size * mV, f * Hz)
    noise = nsnn.WhiteNoise(0 * mV, weight=weight * mV)
    np.testing.assert_allclose(
        survival(cell, t * second, noise=noise, stimulus=stimulus), expected, atol=2e-4
    )


def test_survival_of_a_leaky_membrane_is_that_of_simulated_first_spikes():
    cell, n, t = dataclasses.replace(CELL, v_reset=0 * mV), 4000, np.linspace(0.01, 0.1, 10)
    first = np.array(
        [(train or [1.0])[0] for train in spikes(DRIVEN, SINE, cell=cell, n=n, duration=0.1 * second)]
    )
    expected = survival(cell, t * second, noise=DRIVEN, stimulus=SINE)
    z = ((first[:, None] >= t - 1e-9).mean(axis=0) - expected) / np.sqrt(expected * (1 - expected) / n + 1e-9)
    assert np.abs(z).max() < 4, z
    assert expected[0] - expected[-1] > 0.9


@pytest.mark.parametrize("grid", [Grid(128, 1), Grid(96, 3), Grid(96, 1, 4)], ids=str)
def test_the_likelihood_of_no_weight_is_that_of_white_noise(grid):
    trials = read_trials(spikes(DRIVEN, SINE)[:1], 1e-4, 0 * second, 0.5 * second)

    def logs(*noises, stimulus=SINE):
        return log_likelihoods([(CELL, noise, stimulus) for noise in noises], trials, 1e-4, grid)

    white = logs(nsnn.WhiteNoise(3 * mV))[0]
    mixed = logs(nsnn.WhiteNoise(3 * mV, weight=0 * mV), nsnn.WhiteNoise(3 * mV, weight=1e-30 * mV), DRIVEN)
    np.testing.assert_allclose(mixed[0], white, rtol=1e-12)
    np.testing.assert_allclose(mixed[1], white, rtol=1e-12)
    assert np.abs(mixed[2] - white).max() > 0.01
    constant = nsnn.Constant(20 * mV)  # a variance of 9 mV^2
    np.testing.assert_allclose(
        logs(DRIVEN, stimulus=constant), logs(nsnn.WhiteNoise(3 * mV), stimulus=constant), rtol=1e-9
    )


def test_a_weight_that_is_0_at_its_bound_is_fitted_on_cells():
    """The integral equation, which is for a constant variance, would ignore it."""
    trials = read_trials(spikes(DRIVEN, nsnn.Constant(30 * mV))[:1], 1e-4, 0 * second, 0.5 * second)
    parts = CELL, nsnn.WhiteNoise(0.5 * mV), nsnn.Constant(30 * mV)
    assert enough_for_a_fit(parts, trials, 1e-4).integral
    weighted = CELL, nsnn.WhiteNoise(0.5 * mV, weight=1e-300 * mV), nsnn.Constant(30 * mV)
    assert not enough_for_a_fit(weighted, trials, 1e-4).integral
    free = read_free({"noise.weight": (0 * mV, 2 * mV)}, parts)
    assert free.start().tolist() == [0.0]


@pytest.mark.slow
def test_the_weight_of_a_simulated_neuron_is_fitted():
    block = nsnn.simulate(CELL, DRIVEN, SINE, trials=4, duration=1 * second, seed=2, engine="numpy")
    given = {"stimulus": SINE, "trains": block, "dt": 0.2 * ms}
    fit = nsnn.calibrate(CELL, {"noise.weight": (0 * mV, 5 * mV)}, noise=nsnn.WhiteNoise(1 * mV), **given)
    z = (fit.parameters["noise.weight"] - 0.8e-3) / fit.se["noise.weight"]
    assert abs(z) < 4
    assert fit.se["noise.weight"] < 0.2e-3
    white = nsnn.calibrate(CELL, {"noise.sigma": (0.1 * mV, 10 * mV)}, noise=nsnn.WhiteNoise(3 * mV), **given)
    assert fit.log_likelihood - white.log_likelihood > 3
    assert len(fit.simulate(trials=1, seed=1).segments) == 1


REFUSED = {
    "simulate": lambda: spikes(DRIVEN, DOWN),
    "survival": lambda: survival(CELL, 100 * ms, noise=DRIVEN, stimulus=DOWN),
}


@pytest.mark.parametrize("call", REFUSED)
def test_a_variance_below_0_is_refused(call):
    with pytest.raises(NsnnError, match=r"weight = 0\.8 mV.*larger sigma"):
        REFUSED[call]()


@pytest.mark.slow
def test_a_fit_whose_variance_is_below_0_says_so():
    block = nsnn.simulate(CELL, nsnn.WhiteNoise(3 * mV), SINE, duration=0.5 * second, seed=2, engine="numpy")
    free, noise = {"noise.sigma": (0.5 * mV, 1 * mV)}, nsnn.WhiteNoise(0.6 * mV, weight=-0.2 * mV)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        nsnn.calibrate(CELL, free, noise=noise, stimulus=SINE, trains=block, dt=0.2 * ms)
    assert any("weight = -200. uV" in str(one.message) for one in heard)


def test_the_weight_has_the_unit_of_sigma_and_a_rule_for_constant_noise_refuses_it():
    with pytest.raises(NsnnError, match="same unit"):
        nsnn.WhiteNoise(1 * mV, weight=0.5)
    assert nsnn.WhiteNoise(0.4).weight == 0
    assert nsnn.WhiteNoise(1 * mV).unit("weight") == "V"
    with pytest.raises(NsnnError, match="weight"):
        is_diffusive(DRIVEN)

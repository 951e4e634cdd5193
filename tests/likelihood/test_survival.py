"""Survival and spike probabilities of neurons in continuous time, beside values found in two other ways and beside `simulate`."""

import functools
import itertools

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import Hz, ms, mV, second
from helpers.fits import on_steps
from scipy.special import logsumexp
from scipy.stats import invgauss, norm

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.likelihood import Rescaled, spike_probability, survival
from nsnn_neuro.likelihood.continuous.cells import Grid
from nsnn_neuro.likelihood.continuous.conditional import log_likelihoods, probabilities
from nsnn_neuro.likelihood.continuous.given_spikes import membrane
from nsnn_neuro.likelihood.continuous.trials import Trial, read_trials

MV = {"v_rest": 0 * mV, "v_reset": 10 * mV, "v_thresh": 20 * mV}
CELL = nsnn.LIF(tau_m=20 * ms, tau_refrac=2 * ms, **MV)
NOISE = nsnn.WhiteNoise(5 / np.sqrt(2) * mV)
SINE = nsnn.Sinusoid(15 * mV, 8 * mV, 20 * Hz)
# drive 18 - 6 exp(-t / 30 ms) as a current that decays after a spike
ADAPTING = nsnn.GIF(
    tau_m=20 * ms, tau_refrac=2 * ms, **MV, tau_w=30 * ms, b=0 * mV, w_start=6 * mV, tau_thresh=10 * ms, b_thresh=0 * mV,
)  # fmt: skip
FROM_RESET = {
    "constant 15": (
        CELL,
        nsnn.Constant(15 * mV),
        [0.99993175, 0.99464049, 0.94260136, 0.69315806],
        [1.1627668e-4, 2.42819085e-3, 7.28290137e-3, 7.86691413e-3],
    ),
    "constant 20": (
        CELL,
        nsnn.Constant(20 * mV),
        [0.99955473, 0.96905144, 0.73685608, 0.18420566],
        [7.4759364e-4, 0.013277333, 0.027605141, 9.1062312e-3],
    ),
    "sinusoid": (
        CELL,
        SINE,
        [0.99982664, 0.97418048, 0.66640599, 0.47280421],
        [3.236453e-4, 0.01400302, 0.03120429, 1.21048280e-3],
    ),
    "spike-triggered": (
        ADAPTING,
        nsnn.Constant(18 * mV),
        [0.99997579, 0.99775228, 0.96706253, 0.67392376],
        [4.206034e-5, 1.09278e-3, 5.13970e-3, 0.01231076],
    ),
}
TIMES = np.array([5, 10, 20, 50])


@pytest.mark.parametrize("drive", FROM_RESET)
def test_survival_and_density_from_reset_are_those_of_two_other_methods(drive):
    model, stimulus, expected, density = FROM_RESET[drive]
    around = np.concatenate([TIMES, TIMES - 0.05, TIMES + 0.05])
    s, before, after = survival(model, around * ms, noise=NOISE, stimulus=stimulus).reshape(3, 4)
    assert np.abs(s - expected).max() < 1e-4
    assert np.abs((before - after) / 0.1 - density).max() < 1e-4


# by a Volterra equation, converged to 5 digits: tau (ms), sigma, mu (mV); times (ms) and survival
WEAK = {
    "CV .03": (20, 0.25, 35, [9.8, 10.2, 10.6], [0.94266, 0.51643, 0.0762]),
    "strong drive": (20, 0.8, 50, [5.5, 5.8, 6.0], [0.75701, 0.43200, 0.23431]),
}


@pytest.mark.parametrize("name", WEAK)
def test_survival_in_weak_noise_is_that_of_another_method(name):
    tau, sigma, mu, times, expected = WEAK[name]
    cell = nsnn.LIF(tau_m=tau * ms, tau_refrac=0 * ms, **MV)
    s = survival(cell, times * ms, noise=nsnn.WhiteNoise(sigma * mV), stimulus=nsnn.Constant(mu * mV))
    assert np.abs(s - expected).max() < 5e-5


def test_late_and_early_spikes_in_weak_noise_have_the_likelihood_of_the_inverse_gaussian_law():
    """By the inner function: probabilities of a step below 1e-16 have to be known, as a fit meets them on its way."""
    cell = nsnn.PIF(tau_m=10 * ms, v_reset=0 * mV, v_thresh=10 * mV, tau_refrac=0 * ms)
    # at 10 ms, with a standard deviation of .28 ms
    parts = (cell, nsnn.WhiteNoise(0.2 * mV), nsnn.Constant(10 * mV))
    shape = 10**2 / (2 * 0.2**2 / 10)
    for step in (60, 90, 100, 110, 160):
        o = np.zeros(step + 1)
        o[step] = 1.0
        (logs,) = log_likelihoods([parts], [Trial(o, 0.0, (0, step + 1))], 1e-4, Grid(None, 5, integral=True))
        within = np.linspace(step * 0.1, (step + 1) * 0.1, 41)
        expected = logsumexp(invgauss.logpdf(within[1:] - 0.00125, 10 / shape, scale=shape)) + np.log(0.0025)
        assert logs[0] == pytest.approx(expected, rel=2e-3)


class Disguised(nsnn.LIF):
    """A LIF that the package takes to be nonlinear."""

    nonlinear = "0 * v"


@pytest.mark.slow
def test_cells_of_a_nonlinear_membrane_are_enough_for_its_noise_or_an_error_names_the_cure():
    parameters = {"tau_m": 20 * ms, "tau_refrac": 0 * ms, **MV}
    options = {"noise": nsnn.WhiteNoise(1.3 * mV), "stimulus": nsnn.Constant(28 * mV)}  # a CV of .16
    times = np.array([10, 14, 16, 18, 22]) * ms
    s = survival(Disguised(**parameters), times, **options)
    assert np.abs(s - survival(nsnn.LIF(**parameters), times, **options)).max() < 5e-4
    options["noise"] = nsnn.WhiteNoise(0.2 * mV)
    with pytest.raises(NsnnError, match=r'noise: too weak .* use method="simulation"'):
        survival(Disguised(**parameters), times, **options)


def test_survival_of_a_membrane_at_its_threshold_is_the_closed_form():
    # mu = theta: S = 2 Phi(z) - 1
    t = np.array([3.0, 8.0, 30.0])
    z = 10 * np.exp(-t / 20) / (5 / np.sqrt(2) * np.sqrt(1 - np.exp(-2 * t / 20)))
    s = survival(CELL, t * ms, noise=NOISE, stimulus=nsnn.Constant(20 * mV))
    assert np.abs(s - (2 * norm.cdf(z) - 1)).max() < 1e-4


def test_survival_of_a_perfect_integrator_is_that_of_the_inverse_gaussian_law():
    cell = nsnn.PIF(tau_m=10 * ms, v_reset=0 * mV, v_thresh=20 * mV, tau_refrac=1 * ms)
    t = np.array([5.0, 12.0, 30.0])
    # drift 1.5 mV/ms, diffusion 2 D = 2 sigma^2 / tau = 5 mV^2/ms
    mean, shape = 20 / 1.5, 20**2 / 5.0
    expected = invgauss.sf(t, mean / shape, scale=shape)
    s = survival(cell, t * ms, noise=nsnn.WhiteNoise(5 * mV), stimulus=nsnn.Constant(15 * mV))
    assert np.abs(s - expected).max() < 2e-4


def test_steps_soon_after_a_regular_spike_have_the_probabilities_of_the_inverse_gaussian_law():
    """Within the first whole step after the refractory time the density grows by 1e141, and its exponent bends all the time."""
    tau, sigma, drive, dt = 20.0, 2.4, 36.0, 0.5  # ms, mV
    mean, shape = 10 / (drive / tau), 10**2 / (2 * sigma**2 / tau)
    cell = nsnn.PIF(tau_m=tau * ms, v_reset=0 * mV, v_thresh=10 * mV, tau_refrac=0.56 * ms)
    given = {"noise": nsnn.WhiteNoise(sigma * mV), "stimulus": nsnn.Constant(drive * mV)}
    q = spike_probability(cell, [[0.01025]], dt=dt * ms, t_stop=20 * ms, **given)[21:]
    ends = np.maximum(np.arange(1 + len(q)) * dt - 0.31, 0)  # s, of steps
    left = invgauss.sf(ends, mean / shape, scale=shape)
    assert q[1] < 1e-30
    assert np.abs(np.cumprod(1 - q) - left[1:]).max() < 5e-4


def test_a_regular_neuron_that_is_late_keeps_its_hazard_in_coarse_steps():
    """What is left is 1 minus what was lost, with an error of 1e-4 in steps of half the spread of intervals."""
    cell = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=10 * mV, tau_refrac=0.56 * ms)
    given = {"noise": nsnn.WhiteNoise(2.4 * mV), "stimulus": nsnn.Constant(36.6 * mV)}
    t = np.arange(8.0, 18.0) * ms
    coarse, fine = (survival(cell, t, dt=dt * ms, **given) for dt in (0.5, 0.05))
    assert fine[-1] < 1e-7
    assert np.abs(coarse / fine - 1).max() < 0.15


@pytest.mark.slow
def test_a_membrane_that_moves_many_standard_deviations_in_a_step_has_the_survival_of_the_inverse_gaussian_law():
    cell = nsnn.PIF(tau_m=10 * ms, v_reset=0 * mV, v_thresh=10 * mV, tau_refrac=0 * ms)
    noise, stimulus = nsnn.WhiteNoise(0.3 * mV), nsnn.Constant(10 * mV)  # 1 mV in a step of 1 ms
    t = np.array([8.0, 9.0, 10.0, 11.0, 12.0])
    mean, shape = 10.0, 10**2 / (2 * 0.3**2 / 10)
    expected = invgauss.sf(t, mean / shape, scale=shape)
    s = survival(cell, t * ms, noise=noise, stimulus=stimulus, dt=1 * ms)
    assert np.abs(s - expected).max() < 0.01
    trial = Trial(np.zeros(12), 0.0, (0, 12))
    error = {}
    for n in (1, 301):
        q = probabilities((cell, noise, stimulus), trial, 1e-3, Grid(1500, n), start=0.0)
        error[n] = np.abs(np.cumprod(1 - q)[7:12] - expected).max()
    assert error[1] > 0.05  # without parts
    assert error[301] < 1e-3
    with pytest.raises(NsnnError, match=r"dt = 1 ms: .* smaller dt"):
        survival(cell, 12 * ms, noise=nsnn.WhiteNoise(1e-3 * mV), stimulus=stimulus, dt=1 * ms)
    with pytest.warns(UserWarning, match="dt = 1 ms: the membrane moves far in a step"):  # cells on request
        survival(cell, 12 * ms, noise=nsnn.WhiteNoise(0.1 * mV), stimulus=stimulus, dt=1 * ms, n_cells=96)


def test_parts_of_a_step_change_neither_the_probabilities_nor_the_likelihood_of_a_slow_membrane():
    """Adaptation and moving threshold, intervals of a step, a refractory time below half a step."""
    cell = nsnn.GIF(
        tau_m=20 * ms, v_rest=0 * mV, v_reset=18 * mV, v_thresh=20 * mV, tau_refrac=0.02 * ms, tau_w=30 * ms, b=4 * mV,
        tau_thresh=25 * ms, b_thresh=1 * mV,
    )  # fmt: skip
    parts = cell, nsnn.WhiteNoise(12 * mV), nsnn.Sinusoid(19 * mV, 3 * mV, 100 * Hz)
    (trial,) = read_trials([[0.0021, 0.0102, 0.0103, 0.0104, 0.0201]], 1e-4, None, 0.03 * second)
    q = [probabilities(parts, trial, 1e-4, Grid(192, n)) for n in (15, 45)]
    assert q[1] == pytest.approx(q[0], rel=0.01, abs=2e-5)
    logs = [log_likelihoods([parts], [trial], 1e-4, Grid(192, n))[0] for n in (15, 45)]
    assert logs[1] == pytest.approx(logs[0], abs=0.03)  # intervals of a step begin with a narrow density
    for chances, log in zip(q, logs, strict=True):  # the likelihood is that of the probabilities
        chances = np.where(trial.o == 1, chances, 1 - chances)
        assert log.sum() == pytest.approx(np.log(chances).sum(), abs=1e-9)


@pytest.mark.parametrize("n_parts", [1, 5])
def test_a_current_after_spikes_is_that_of_spikes_at_the_middle_of_their_steps(n_parts):
    cell = nsnn.GIF(
        tau_m=20 * ms, v_rest=0 * mV, v_reset=8 * mV, v_thresh=20 * mV, tau_refrac=1 * ms, tau_w=3 * ms, b=4 * mV,
        tau_thresh=5 * ms, b_thresh=2 * mV, w_start=1 * mV,
    )  # fmt: skip
    o = np.zeros(30)
    o[[4, 11]] = 1
    path = membrane(cell, None, o, 1e-3, n_parts=n_parts)
    edges = np.arange(30 * n_parts + 1) / n_parts
    middles, spikes, over = edges[:-1] + 0.5 / n_parts, np.array([4.5, 11.5]), np.array([5, 12])

    def summed(t, tau, jump, begin):
        steps = np.floor(t + 1e-9)[:, None]  # a spike acts when its step is over
        return begin * np.exp(-t / tau) + jump * (np.exp(-(t[:, None] - spikes) / tau) * (steps >= over)).sum(
            axis=1
        )

    lift = summed(edges, 5.0, 2e-3, 0.0)
    assert path.lift == pytest.approx(lift, abs=1e-12)
    slope = (path.lift[:-1] * np.exp(-1 / n_parts / 5.0) - path.lift[:-1]) / (1e-3 / n_parts)
    assert path.rise == pytest.approx(slope, abs=1e-9)
    drive = -summed(middles, 3.0, 4e-3, 1e-3) - summed(middles, 5.0, 2e-3, 0.0) - 20e-3 * slope
    assert path.drive == pytest.approx(drive, abs=1e-9)


def test_survival_of_an_exponential_neuron():
    cell = nsnn.EIF(
        tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=15 * mV, delta_T=2 * mV, v_spike=30 * mV, tau_refrac=0 * ms,
    )  # fmt: skip
    s = survival(cell, [20, 50] * ms, noise=nsnn.WhiteNoise(3 * mV), stimulus=nsnn.Constant(14 * mV))
    assert np.abs(s - [0.943994, 0.564844]).max() < 1e-4


def test_densities_of_given_spikes_under_a_sinusoid():
    # spikes at 12, 31, 58, 77, 103 ms in 120 ms: each is the middle of a step, as `simulate` counts it
    dt, spikes = 0.05, np.array([12.0, 31.0, 58.0, 77.0, 103.0])
    early = nsnn.Sinusoid(15 * mV, 8 * mV, 20 * Hz, phase=-2 * np.pi * 0.02 * dt / 2)
    q = spike_probability(
        CELL, [spikes * 1e-3 + 1e-9], noise=NOISE, stimulus=early, dt=dt * ms, t_stop=120.05 * ms
    )
    steps = np.round(spikes / dt).astype(int)
    left = np.exp(np.concatenate([[0.0], np.cumsum(np.log1p(-q))]))
    density = [q[k] / dt * left[k] / left[j + 1] for j, k in itertools.pairwise(steps)]
    expected = np.array([0.00490328, 0.01073087, 0.01250928, 0.00241507])
    assert np.abs(density / expected - 1).max() < 2e-3
    end = np.sqrt(left[-1] * left[-2])  # at 120 ms, the middle of the last step
    assert end / left[steps[-1] + 1] == pytest.approx(0.78542106, abs=2e-4)


HAZARD = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(100 * Hz, 2 * mV))
GIF = nsnn.GIF(
    tau_m=10 * ms, v_rest=0 * mV, v_reset=8 * mV, v_thresh=18 * mV, tau_refrac=2.03 * ms, tau_w=60 * ms, b=2 * mV,
    tau_thresh=20 * ms, b_thresh=4 * mV,
)  # fmt: skip
DRIVE = nsnn.FrozenNoise(24 * mV, 5 * mV, 5 * ms, seed=3)
FAST = nsnn.LIF(tau_m=10 * ms, tau_refrac=0 * ms, **MV)
SIMULATED = {
    "GIF": (GIF, nsnn.WhiteNoise(3 * mV), DRIVE),
    "GIF, family": (GIF, nsnn.EscapeNoise(nsnn.Gaussian(4 * mV)), nsnn.FrozenNoise(14 * mV, 5 * mV, 5 * ms, seed=3)),
    "LIF": (FAST, nsnn.WhiteNoise(3 * mV), nsnn.Sinusoid(19 * mV, 6 * mV, 20 * Hz)),
    "LIF, hazard with slope": (
        FAST,
        nsnn.EscapeNoise(hazard=nsnn.PlesserGerstner(3 * mV, tau_m=10 * ms)),
        nsnn.FrozenNoise(17 * mV, 4 * mV, 5 * ms, seed=3),
    ),
    "QIF": (
        nsnn.QIF(tau_m=10 * ms, v_rest=0.0, v_reset=-3.0, v_thresh=1.0, v_spike=10.0, tau_refrac=1 * ms),
        nsnn.WhiteNoise(0.7),
        nsnn.FrozenNoise(0.5, 0.5, 5 * ms, seed=3),
    ),
}  # fmt: skip


@functools.cache
def simulated(name):
    return nsnn.simulate(*SIMULATED[name], trials=8, duration=1 * second, seed=5, engine="numpy")


@pytest.mark.slow
@pytest.mark.parametrize("name", SIMULATED)
def test_spikes_of_simulate_have_these_probabilities(name):
    model, noise, stimulus = SIMULATED[name]
    block = simulated(name)
    q = spike_probability(model, block, noise=noise, stimulus=stimulus)
    o = on_steps(block, q.shape[1])
    assert o.sum() > 100
    assert Rescaled.of(q, o).p > 0.01
    assert abs(o.sum() - q.sum()) / np.sqrt(q.sum()) < 3


@pytest.mark.slow
def test_a_drive_that_jumps_in_each_step_keeps_the_digits_of_unlikely_spikes():
    """A poor model of its spikes, as of recorded ones, beside four times as many cells: each log probability counts in a score."""
    cell = nsnn.LIF(tau_m=1.5 * ms, tau_refrac=2 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=10 * mV)
    level = neo.AnalogSignal(
        np.random.default_rng(0).normal(7.6, 2.5, 8000) * pq.mV, sampling_rate=4 * pq.kHz
    )
    rng = np.random.default_rng(1)
    spikes = np.cumsum(0.003 + rng.gamma(4, 0.0025, 100))
    options = {"noise": nsnn.WhiteNoise(1.6 * mV), "stimulus": nsnn.Recorded(level), "dt": 0.25 * ms}
    trains = [spikes[spikes < 1.99]]
    q, fine = (
        spike_probability(cell, trains, **options, n_cells=n_cells, t_stop=2 * second)
        for n_cells in (None, 800)
    )
    fired = np.floor(trains[0] / 0.25e-3 + 1e-9).astype(int)
    assert np.abs(np.log(q[fired] / fine[fired])).max() < 0.02


def test_likelihood_of_spikes_that_come_far_too_late_is_below_1():
    # the threshold falls to the voltage: what is left of the density has to be known far below rounding.
    # From the inner function, as a fit sums what `spike_probability` gives step by step
    cell = nsnn.GIF(
        tau_m=5 * ms, v_rest=0 * mV, v_reset=8 * mV, v_thresh=20 * mV, tau_refrac=2 * ms, tau_w=30 * ms, b=4 * mV,
        tau_thresh=25 * ms, b_thresh=-5 * mV,
    )  # fmt: skip
    noise, stimulus = nsnn.WhiteNoise(0.5 * mV), nsnn.Constant(19 * mV)
    spikes = np.cumsum([0.02, 0.01, 0.03, 0.05, 0.01, 0.02, 0.04, 0.03, 0.08])
    trials = read_trials([spikes], 1e-4, None, 0.3 * second)
    (logs,) = log_likelihoods([(cell, noise, stimulus)], trials, 1e-4, Grid(48))
    assert (logs <= 0).all()
    q = spike_probability(cell, [spikes], noise=noise, stimulus=stimulus, t_stop=0.3 * second, n_cells=48)
    o = np.zeros(3000)
    o[np.round(spikes / 1e-4).astype(int)] = 1
    with np.errstate(divide="ignore"):
        total = np.where(o == 1, np.log(q), np.log1p(-q)).sum()
    assert total < -80
    assert logs.sum() == pytest.approx(total, rel=0.02)


@pytest.mark.parametrize("noise", [NOISE, nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(100 * Hz, 2 * mV))])
def test_rows_of_parameters_do_not_depend_on_those_beside_them(noise):
    """Of an internal: rows share vector instructions, drives and decays, which no public result shows."""
    (trial,) = read_trials([[0.011, 0.03, 0.0333, 0.06, 0.095]], 1e-4, t_stop=0.12 * second)
    rows = []
    for b, tau_w, mean in [(1, 30, 15), (1, 60, 15), (2, 30, 15), (1, 30, 22), (1, 30, 15)]:
        cell = nsnn.GIF(
            tau_m=15 * ms, tau_refrac=2 * ms, **MV, tau_w=tau_w * ms, b=b * mV, tau_thresh=10 * ms, b_thresh=b * mV
        )  # fmt: skip
        rows.append((cell, noise, nsnn.Sinusoid(mean * mV, 8 * mV, 20 * Hz)))
    together = log_likelihoods(rows, [trial], 1e-4, Grid(64, 1, 2))
    alone = np.concatenate([log_likelihoods([row], [trial], 1e-4, Grid(64, 1, 2)) for row in rows])
    assert together == pytest.approx(alone, rel=1e-9)
    assert together[4] == pytest.approx(together[0], rel=1e-9)
    assert np.abs(together[1:4] - together[0]).max(axis=1).min() > 1e-3


@pytest.mark.parametrize("noise", [nsnn.WhiteNoise(3 * mV), HAZARD])
def test_the_probability_of_a_spike_depends_on_earlier_spikes_only(noise):
    """The jump of the threshold by a spike must not enter the probability of this spike."""
    q, silent = (
        spike_probability(GIF, [spikes], noise=noise, stimulus=nsnn.Constant(19 * mV), t_stop=50 * ms)
        for spikes in ([0.0101, 0.0301], [0.0101])
    )
    assert q[:302].tolist() == silent[:302].tolist()
    assert q[302] == 0 < silent[302]


def test_a_window_has_the_probabilities_of_the_whole():
    spikes = [[0.0121, 0.0312, 0.0583]]
    options = {"noise": NOISE, "stimulus": SINE, "t_stop": 80 * ms}
    whole = spike_probability(CELL, spikes, **options)
    assert whole.shape == (800,)
    assert not whole[122:141].any()  # refractory
    assert spike_probability(CELL, spikes, t_start=40 * ms, **options).tolist() == whole[400:].tolist()

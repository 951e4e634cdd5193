"""The likelihood of neurons in Ornstein-Uhlenbeck noise, beside that in white noise, beside `simulate`, and refined."""

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import ms, mV, second
from scipy.special import zeta

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.likelihood import spike_probability, survival
from nsnn_neuro.likelihood.continuous.cells import Grid
from nsnn_neuro.likelihood.continuous.conditional import enough_for_a_fit, log_likelihoods, probabilities
from nsnn_neuro.likelihood.continuous.trials import Trial, read_trials

MV = {"v_rest": 0 * mV, "v_reset": 10 * mV, "v_thresh": 20 * mV}
CELL = nsnn.LIF(tau_m=15 * ms, tau_refrac=2 * ms, **MV)
PERFECT = nsnn.PIF(tau_m=15 * ms, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
ADAPTING = nsnn.GIF(
    tau_m=15 * ms, tau_refrac=2 * ms, **MV, tau_w=50 * ms, b=2 * mV, tau_thresh=20 * ms, b_thresh=2 * mV
)
DT = 1e-4


def shifted(cell, by):
    """The cell with its threshold raised."""
    values = {
        name: cell.si(name) * (second if name.startswith("tau") else 1e3 * mV)
        for name in ("tau_m", "v_reset", "tau_refrac")
    }
    if hasattr(cell, "v_rest"):
        values["v_rest"] = 0 * mV
    return type(cell)(**values, v_thresh=(20 + by) * mV)


@pytest.mark.parametrize(("cell", "drive"), [(CELL, 19), (PERFECT, 6)])
def test_short_correlations_raise_the_threshold_of_white_noise(cell, drive):
    """To first order in sqrt(tau_noise / tau_m): Fourcaud & Brunel 2002, doi 10.1162/089976602320264015."""
    times, drive = [20, 50] * ms, nsnn.Constant(drive * mV)
    white, away = survival(cell, times, noise=nsnn.WhiteNoise(3 * mV), stimulus=drive), []
    for memory in (0.4, 0.1):
        by = -np.sqrt(2) * zeta(0.5) * 3 * np.sqrt(memory / 15) / np.sqrt(2)
        expected = survival(shifted(cell, by), times, noise=nsnn.WhiteNoise(3 * mV), stimulus=drive)
        result = survival(cell, times, noise=nsnn.OUNoise(3 * mV, memory * ms), stimulus=drive)
        assert np.all(np.abs(result - expected) < 0.4 * np.abs(result - white))
        away.append(np.abs(result - expected))
    assert np.all(away[1] < 0.35 * away[0])  # what is left falls in proportion to tau_noise


@pytest.mark.parametrize(("cell", "drive", "crossing"), [(CELL, 30, 15 * np.log(2)), (PERFECT, 10, 15.0)])
def test_without_noise_the_first_spike_is_that_of_the_noise_free_path(cell, drive, crossing):
    given = {"noise": nsnn.OUNoise(0.05 * mV, 5 * ms), "stimulus": nsnn.Constant(drive * mV)}
    before, at, after = survival(cell, np.array([0.98, 1.0, 1.02]) * crossing * ms, **given)
    assert (before > 0.999, abs(at - 0.5) < 0.01, after < 0.001) == (True, True, True)


@pytest.mark.slow
@pytest.mark.parametrize(("memory", "drive"), [(5, 21), (20, 20)])
def test_first_and_second_spikes_of_simulate_have_these_probabilities(memory, drive):
    """z tests of windows; and the second spike is earlier than with an input that begins anew, as that of a first spike goes on."""
    cell, noise, dt = shifted(CELL, 0), nsnn.OUNoise(3 * mV, memory * ms), 0.2 * ms
    drive = nsnn.Constant(drive * mV)
    n, given = 2500, {"noise": noise, "stimulus": drive, "dt": dt}
    block = nsnn.simulate(cell, noise, drive, duration=60 * ms, trials=n, dt=dt, seed=2, engine="numpy")
    trains = [1e3 * segment.spiketrains[0].magnitude for segment in block.segments]
    first = np.array([train[0] if len(train) else np.inf for train in trains])
    rest = spike_probability(cell, [[]], t_stop=60 * ms, **given)
    edges = np.array([0, 16, 20, 26, 34, 45, 60.0])
    alive = np.concatenate([[1.0], np.cumprod(1 - rest)])[np.round(edges / 0.2).astype(int)]
    expected = np.append(-np.diff(alive), alive[-1])
    counted = np.append(np.histogram(first, edges)[0], np.isinf(first).sum())
    assert np.all(np.abs(counted - n * expected) < 4 * np.sqrt(n * expected * (1 - expected)))
    again = []
    for low in (18.0, 36.0):
        some = [train for train in trains if len(train) and low <= train[0] < low + 6]
        fired = np.mean([len(train) > 1 and train[1] - train[0] < 16 for train in some])
        chances = []
        for t in low + np.array([1.1, 3.1, 5.1]):  # the middle of a step, as are simulated spikes
            q = spike_probability(cell, [[t * 1e-3]], t_stop=60 * ms, t_start=(t + 0.1) * ms, **given)
            chances.append(1 - np.prod(1 - q[:80]))
        again.append(np.mean(chances))
        assert abs(fired - again[-1]) < 4 * np.sqrt(again[-1] * (1 - again[-1]) / len(some))
    anew = 1 - survival(cell, 14 * ms, noise=noise, stimulus=drive)
    assert again[0] > anew + 0.05


def test_probabilities_of_all_first_spikes_and_of_none_sum_to_1():
    """In long steps too, whose likelihood is the mean flux of a step centred on a spike."""
    parts, n = (CELL, nsnn.OUNoise(4 * mV, 5 * ms), nsnn.Constant(25 * mV)), 600
    trials = [Trial((np.arange(n) == k).astype(float), 0.0, (0, k + 1)) for k in range(n)]
    silent = Trial(np.zeros(n), 0.0, (0, n))
    for grid in (Grid(60, 1, 1, n_levels=11), Grid(60, 1, 9, n_levels=19)):
        logs = [log_likelihoods([parts], [trial], DT, grid).sum() for trial in [*trials, silent]]
        assert abs(np.exp(logs).sum() - 1) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("cell", [CELL, PERFECT, ADAPTING], ids=["LIF", "PIF", "GIF"])
@pytest.mark.parametrize("memory", [2, 20])
def test_the_likelihood_converges_with_the_grid(cell, memory):
    """Within 0.003 nats in a spike on the grid of a fit, 0.02 on that of a search; a window has the likelihood of the whole."""
    parts = cell, nsnn.OUNoise(3 * mV, memory * ms), nsnn.Constant((10 if cell is PERFECT else 25) * mV)
    block = nsnn.simulate(*parts, duration=0.5 * second, seed=3, engine="numpy")
    trials = read_trials(block, DT)
    fine = log_likelihoods([parts], trials, DT, Grid(200, 1, 1, n_levels=37))[0].sum()
    fit, search = (enough_for_a_fit(parts, trials, DT, detail) for detail in (1.0, 0.5))
    off = [
        abs(log_likelihoods([parts], trials, DT, g)[0].sum() - fine) / trials[0].n_spikes
        for g in (fit, search)
    ]
    assert (off[0] < 3e-3, off[1] < 2e-2) == (True, True), off
    ends = [read_trials(block, DT, *limits) for limits in ((None, 0.21 * second), (0.21 * second, None))]
    halves = [log_likelihoods([parts], end, DT, fit).sum() for end in ends]
    assert abs(sum(halves) - log_likelihoods([parts], trials, DT, fit).sum()) < 0.03
    chance = probabilities(parts, trials[0], DT, fit)
    by_step = np.where(trials[0].o == 1, np.log(np.maximum(chance, 1e-300)), np.log1p(-chance)).sum()
    assert abs(by_step - fine) < 2e-3 * trials[0].n_spikes


def test_the_likelihood_is_of_second_order_in_the_step():
    parts = CELL, nsnn.OUNoise(3 * mV, 5 * ms), nsnn.Constant(22 * mV)
    trials = read_trials(nsnn.simulate(*parts, duration=1 * second, seed=3, engine="numpy"), DT)
    fine, short, long = (
        log_likelihoods([parts], trials, DT, Grid(150, 1, stride, n_levels=19)).sum()
        for stride in (1, 13, 27)
    )
    assert 3 < (long - fine) / (short - fine) < 5.5  # (27 / 13)^2 = 4.3


@pytest.mark.slow
def test_a_fit_finds_the_noise_again_and_is_better_than_white_noise():
    values = nsnn.FrozenNoise(0.0, 1.0, 10 * ms, seed=3).samples(8_000, 5e-4)
    signal = neo.AnalogSignal(values, units="dimensionless", sampling_period=0.5 * pq.ms)
    drive, noise = nsnn.Filtered(signal, gain=4 * mV, offset=20 * mV), nsnn.OUNoise(3 * mV, 6 * ms)
    block = nsnn.simulate(CELL, noise, drive, duration=4 * second, seed=4, engine="numpy")
    free = {"noise.sigma": (0.5 * mV, 12 * mV)}
    memory = {"noise.tau_noise": (0.5 * ms, 50 * ms)}
    given = {"stimulus": drive, "trains": block, "dt": 0.2 * ms, "progress": False}
    fit = nsnn.calibrate(CELL, free | memory, noise=nsnn.OUNoise(6 * mV, 15 * ms), **given)
    for name, true in (("noise.sigma", 3e-3), ("noise.tau_noise", 6e-3)):
        assert abs(fit.parameters[name] - true) < 4 * fit.se[name] < 2 * true
    white = nsnn.calibrate(CELL, free, noise=nsnn.WhiteNoise(3 * mV), **given)
    assert fit.log_likelihood > white.log_likelihood + 10
    assert abs(fit.per_step(block).log_likelihood.sum() - fit.log_likelihood) < 2e-3 * fit.n_spikes
    assert fit.score(block).value > white.score(block).value
    assert fit.rescaled().p > 1e-3
    again = fit.simulate(seed=5, engine="numpy")
    assert len(again.segments[0].spiketrains[0]) == pytest.approx(fit.n_spikes, rel=0.3)


EIF = nsnn.EIF(
    tau_m=15 * ms,
    v_rest=0 * mV,
    v_reset=5 * mV,
    v_thresh=15 * mV,
    delta_T=2 * mV,
    v_spike=30 * mV,
    tau_refrac=2 * ms,
)
REFUSED = {
    "a nonlinear membrane": (EIF, nsnn.OUNoise(3 * mV, 5 * ms), "WhiteNoise"),
    "a correlation time far below dt": (CELL, nsnn.OUNoise(3 * mV, 1e-3 * ms), "smaller dt"),
    "no noise": (CELL, nsnn.OUNoise(0 * mV, 5 * ms), "sigma"),
    "noise of several neurons": (CELL, nsnn.OUNoise([3, 4] * mV, 5 * ms), "sigma"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_has_no_likelihood_is_refused_with_the_cure(what):
    cell, noise, cure = REFUSED[what]
    with pytest.raises(NsnnError, match=cure):
        survival(cell, 10 * ms, noise=noise, stimulus=nsnn.Constant(15 * mV))


def test_a_spike_beyond_all_levels_of_the_input_keeps_the_likelihood_finite():
    parts = CELL, nsnn.OUNoise(0.5 * mV, 5 * ms), nsnn.Constant(5 * mV)
    trials = read_trials([np.array([0.02, 0.05])], DT, None, 0.1 * second)
    logs = log_likelihoods([parts], trials, DT, enough_for_a_fit(parts, trials, DT))
    assert np.isfinite(logs).all()
    assert logs.sum() < -40

"""`simulate`: wiring against plain NumPy loops with the same keyed draws, laws against theory, and its door."""

from __future__ import annotations

import warnings

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import Hz, ms, mV, second
from helpers.refusals import assert_refused
from scipy import stats
from scipy.special import expit

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.brian import philox as kn

LIF = {"tau_m": 20 * ms, "v_rest": 0 * mV, "v_reset": 10 * mV, "v_thresh": 20 * mV, "tau_refrac": 2 * ms}
CELL = nsnn.LIF(**LIF)
WHITE = nsnn.WhiteNoise(3.5 * mV)
DRIVE = nsnn.Constant(15 * mV)
SHORT = {"duration": 200 * ms, "seed": 1, "engine": "numpy"}


def spikes(block):
    """(trial, neuron, tick) of all spikes, sorted."""
    rows = []
    for k, segment in enumerate(block.segments):
        ids, times = segment.spiketrains.multiplexed
        ticks = np.rint(np.asarray(times.magnitude) / block.annotations["dt"]).astype(int)
        rows.append(np.column_stack([np.full(len(ids), k), ids, ticks]))
    rows = np.concatenate(rows)
    return rows[np.lexsort(rows.T[::-1])]


# --- wiring: the same draws in a plain loop give the same spikes -------------------------------------------------------------


def lif_loop(sigma, mu, n_steps, bridge=True, dt=1e-4, seed=1):
    """One LIF neuron, millivolts, written out: exact step, bridge, mid-step release after refractoriness."""
    key, tau, v, hold, fired, trace = kn.key(seed), 0.02, 0.0, 0, [], []
    release = 2e-3 / dt + (0.5 if bridge else 1.0)
    j = int(release + 1e-9)
    for k in range(n_steps):
        trace.append(v)
        before, length = v, (dt if hold == 0 else (j + 1 - release) * dt)
        if hold <= 1:
            decay = np.exp(-length / tau)
            s = sigma * np.sqrt(1 - decay**2)
            v = mu + (v - mu) * decay + s * kn.normal(k, 0, 0, 0, kn.Stream.MEMBRANE, *key)
            crossed = v > 20
            if bridge and not crossed:
                chance = np.exp(-2 * (20 - before) * (20 - v) / s**2)
                crossed = kn.uniform(k, 0, 0, 0, kn.Stream.BRIDGE, *key) < chance
        else:
            crossed = False
        hold = max(hold - 1, 0)
        if crossed:
            fired.append(k)
            v, hold = 10.0, j
    return np.array(fired), np.array(trace)


@pytest.mark.slow
@pytest.mark.parametrize("bridge", [True, False])
def test_white_noise_lif_is_the_plain_loop(bridge):
    block = nsnn.simulate(CELL, WHITE, nsnn.Constant(22 * mV), record_v=[0], bridge=bridge, **SHORT)
    fired, trace = lif_loop(3.5, 22.0, 2000, bridge)
    assert len(fired) > 5
    assert spikes(block)[:, 2].tolist() == fired.tolist()
    v = block.segments[0].analogsignals[0]
    np.testing.assert_allclose(v.rescale("mV").magnitude[:, 0], trace, atol=1e-10)
    assert v.name == "v"
    assert v.t_start == 0


@pytest.mark.parametrize("reset", ["hard", "subtract"])
def test_nsnn_is_the_plain_loop(reset):
    beta, theta, n = np.array([0.5, 0.9]), 1.0, 500
    block = nsnn.simulate(
        nsnn.NSNNNeuron(beta=beta, theta=theta, reset=reset),
        nsnn.EscapeNoise(nsnn.Logistic(0.2)),
        nsnn.Sinusoid(0.4, 0.3, 20 * Hz),
        n_neurons=2, trials=2, duration=n * ms, dt=1 * ms, seed=4, engine="numpy", record_v=True,
    )  # fmt: skip
    drive = 0.4 + 0.3 * np.sin(2 * np.pi * 20 * np.arange(n) * 1e-3)
    u, o = np.zeros((2, 2)), np.zeros((2, 2))
    us, os = np.zeros((2, 2, n)), np.zeros((2, 2, n), dtype=int)
    for t in range(n):
        u = (beta * u * (1 - o) if reset == "hard" else beta * (u - theta * o)) + drive[t]
        draws = kn.uniform(t, np.arange(2)[None, :], np.arange(2)[:, None], 0, kn.Stream.ESCAPE, *kn.key(4))
        o = (draws < expit((u - theta) / 0.2)).astype(int)
        us[..., t], os[..., t] = u, o
    assert os.sum() > 50
    assert spikes(block).tolist() == np.argwhere(os).tolist()
    for k in (0, 1):
        signal = next(s for s in block.segments[k].analogsignals if s.name == "v")
        np.testing.assert_allclose(signal.magnitude.T, us[k], atol=1e-12)


def test_deterministic_nsnn_fires_above_threshold():
    block = nsnn.simulate(
        nsnn.NSNNNeuron(), stimulus=nsnn.Constant(0.6), duration=6 * ms, dt=1 * ms, engine="numpy"
    )
    assert spikes(block)[:, 2].tolist() == [2, 5]  # u = .6, .9, 1.05 | reset


@pytest.mark.slow
def test_array_parameters_are_so_many_scalar_runs():
    """A neuron's noise is its own, so each column of an array run is the scalar run of that neuron."""
    taus, sigmas, drives = [10, 20, 30] * ms, [0, 3, 6] * mV, [25, 15, 15] * mV
    cell = nsnn.LIF(**{**LIF, "tau_m": taus, "tau_refrac": [0, 2, 2.57] * ms})
    together = spikes(
        nsnn.simulate(cell, nsnn.WhiteNoise(sigmas), nsnn.Constant(drives), n_neurons=3, trials=2, **SHORT)
    )
    assert len(together) > 20
    for j, refrac in enumerate((0, 2, 2.57)):
        single = nsnn.LIF(**{**LIF, "tau_m": taus[j], "tau_refrac": refrac * ms})
        alone = nsnn.simulate(
            single, nsnn.WhiteNoise(sigmas[j]), nsnn.Constant(drives[j]), n_neurons=3, trials=2, **SHORT
        )
        one = spikes(alone)
        assert together[together[:, 1] == j].tolist() == one[one[:, 1] == j].tolist()


@pytest.mark.slow
def test_a_trial_does_not_depend_on_what_runs_beside_it():
    noise = nsnn.OUNoise(3 * mV, 5 * ms)
    few = spikes(nsnn.simulate(CELL, noise, nsnn.Constant(20 * mV), n_neurons=2, trials=3, **SHORT))
    many = spikes(nsnn.simulate(CELL, noise, nsnn.Constant(20 * mV), n_neurons=5, trials=8, **SHORT))
    kept = many[(many[:, 0] < 3) & (many[:, 1] < 2)]
    assert len(few) > 20
    assert few.tolist() == kept.tolist()


# --- laws -----------------------------------------------------------------------------------------------------------------------


def test_free_membrane_in_white_noise():
    """Variance sigma^2 and autocorrelation exp(-lag/tau): the exact step has no discretisation bias, even at dt = tau/4."""
    cell = nsnn.LIF(**{**LIF, "v_thresh": 1000 * mV})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        run = {"n_neurons": 400, "duration": 1.5 * second, "dt": 5 * ms, "seed": 2, "engine": "numpy"}
        block = nsnn.simulate(cell, WHITE, DRIVE, record_v=True, **run)
    v = block.segments[0].analogsignals[0].rescale("mV").magnitude[40:].T - 15.0
    _check_variance(v, 3.5)
    expected = np.exp(-np.arange(1, 4) * 5 / 20)
    for lag, rho in enumerate(expected, start=1):
        _check_mean(np.mean(v[:, :-lag] * v[:, lag:], axis=1), 3.5**2 * rho)


FREE = {
    "n_neurons": 2,
    "trials": 300,
    "duration": 900 * ms,
    "dt": 1 * ms,
    "engine": "numpy",
    "record_v": True,
}


def free_membranes(noise, seed):
    """Shape (trials, 2 neurons, steps), in mV, without the beginning."""
    block = nsnn.simulate(nsnn.LIF(**{**LIF, "v_thresh": 1000 * mV}), noise, None, seed=seed, **FREE)
    return np.stack([s.analogsignals[0].rescale("mV").magnitude[150:].T for s in block.segments])


@pytest.mark.slow
def test_free_membrane_in_ou_noise():
    """Variance sigma^2; autocovariance of an OU-driven leaky membrane; covariance of two neurons is the shared fraction."""
    v = free_membranes(nsnn.OUNoise(3 * mV, 5 * ms, shared=0.3), 2)
    _check_variance(v[:, 0], 3.0)
    _check_mean(np.mean(v[:, 0] * v[:, 1], axis=1), 0.3 * 9)
    for lag in (1, 5, 20):
        rho = (20 * np.exp(-lag / 20) - 5 * np.exp(-lag / 5)) / 15
        _check_mean(np.mean(v[:, 0, :-lag] * v[:, 0, lag:], axis=1), 9 * rho)


@pytest.mark.slow
def test_shared_fraction_is_the_correlation_of_free_membranes():
    v = free_membranes(nsnn.WhiteNoise(2 * mV, shared=0.3), 5)
    _check_variance(v[:, 1], 2.0)
    _check_mean(np.mean(v[:, 0] * v[:, 1], axis=1), 0.3 * 4)


def _check_mean(samples, expected):
    """Independent rows: their mean against its own standard error."""
    assert abs(samples.mean() - expected) / (samples.std(ddof=1) / np.sqrt(len(samples))) < 4


def _check_variance(v, sigma):
    _check_mean(np.mean(v**2, axis=1), sigma**2)


FAMILIES = [
    nsnn.Gaussian(0.4), nsnn.Logistic(0.25), nsnn.Uniform(0.7), nsnn.Triangular(0.9), nsnn.Cauchy(0.3), nsnn.FastSigmoid(5.0),
]  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: type(f).__name__)
def test_escape_probability_through_brian2(family):
    """P(spike) at five distances to threshold: with beta = 0 the potential is the drive; 4e4 draws at each distance."""
    x = np.array([-0.8, -0.3, 0.0, 0.2, 0.6])
    block = nsnn.simulate(
        nsnn.NSNNNeuron(beta=0.0), nsnn.EscapeNoise(family), nsnn.Constant(1 + x),
        n_neurons=5, trials=40, duration=1 * second, dt=1 * ms, seed=6, engine="numpy",
    )  # fmt: skip
    counts = np.bincount(spikes(block)[:, 1], minlength=5)
    p = family.cdf(x)
    assert np.all(np.abs(counts - 40_000 * p) <= 4 * np.sqrt(40_000 * p * (1 - p)))


def test_escape_noise_in_millivolt_on_a_lif():
    """A LIF resting at v: per-step probability F(v - v_thresh); without refractoriness and v_reset = v_rest it is Bernoulli."""
    v = np.array([14.0, 17.0, 19.0])
    cell = nsnn.LIF(**{**LIF, "v_rest": v * mV, "v_reset": v * mV, "tau_refrac": 0 * ms})
    family = nsnn.Gaussian(3 * mV)
    block = nsnn.simulate(
        cell, nsnn.EscapeNoise(family), n_neurons=3, trials=20, duration=200 * ms, seed=6, engine="numpy"
    )
    counts = np.bincount(spikes(block)[:, 1], minlength=3)
    p = family.cdf((v - 20) * mV)
    assert np.all(np.abs(counts - 40_000 * p) <= 4 * np.sqrt(40_000 * p * (1 - p)))


def test_discrete_nsnn_intervals_follow_their_law():
    """Chi-square of 1e4 intervals against the exact pmf; mean against the published 3.438516 steps."""
    family = nsnn.Gaussian(0.4)
    block = nsnn.simulate(
        nsnn.NSNNNeuron(beta=0.5), nsnn.EscapeNoise(family), nsnn.Constant(0.5),
        n_neurons=40, duration=1 * second, dt=1 * ms, seed=7, engine="numpy",
    )  # fmt: skip
    rows = spikes(block)
    intervals = np.diff(rows[:, 2])[np.diff(rows[:, 1]) == 0]
    pmf = nsnn.theory.nsnn_interval(0.5, family, beta=0.5, theta=1.0, kmax=12)
    expected = np.append(pmf, 1 - pmf.sum()) * len(intervals)
    assert len(intervals) > 10_000
    assert stats.chisquare(np.bincount(np.minimum(intervals, 13), minlength=14)[1:], expected).pvalue > 1e-3
    z = (intervals.mean() - 3.438516) / (0.530242 * 3.438516 / np.sqrt(len(intervals)))
    assert abs(z) < 4


@pytest.mark.parametrize("refrac", [0.0, 3.33])
def test_deterministic_intervals_are_unbiased(refrac):
    """Over many drives the mean interval is the analytic one: dating and release inside the step leave no bias of order dt."""
    drives = np.linspace(22, 45, 200)
    cell = nsnn.LIF(**{**LIF, "tau_refrac": refrac * ms})
    run = {"n_neurons": 200, "duration": 400 * ms, "dt": 0.5 * ms, "seed": 1, "engine": "numpy"}
    block = nsnn.simulate(cell, stimulus=nsnn.Constant(drives * mV), **run)
    rows = spikes(block)
    same = np.diff(rows[:, 1]) == 0
    exact = refrac + 20 * np.log((drives - 10) / (drives - 20))
    error = 0.5 * np.diff(rows[:, 2])[same] - exact[rows[:-1, 1][same]]
    per_drive = np.array([error[rows[:-1, 1][same] == j].mean() for j in range(200)])
    assert np.abs(error).max() < 1.0
    _check_mean(per_drive, 0.0)
    assert abs(per_drive.mean()) < 0.02  # a bias of dt/2 would be .25 ms


SIEGERT = {"tau_m": 20 * ms, "v_reset": 10 * mV, "tau_refrac": 2 * ms}


def _rates_and_intervals(mu, sigma_b, bridge, expected_rate):
    """Rates of neurons after a second's warm-up, and for each neuron its intervals (s), chosen by where they *start* (a choice
    by where they end would favour short ones)."""
    seconds, warm, rest = 11.0, 1.0, 2.0
    n = int(np.ceil(135_000 / expected_rate / (seconds - warm - rest)))
    block = nsnn.simulate(
        CELL, nsnn.WhiteNoise(sigma_b / np.sqrt(2) * mV), nsnn.Constant(mu * mV),
        n_neurons=n, duration=seconds * second, seed=12, bridge=bridge,
    )  # fmt: skip
    rows = spikes(block)
    rates = np.bincount(rows[rows[:, 2] >= warm * 1e4][:, 1], minlength=n) / (seconds - warm)
    start = rows[:-1, 2]
    chosen = (np.diff(rows[:, 1]) == 0) & (start >= warm * 1e4) & (start < (seconds - rest) * 1e4)
    return rates, rows[:-1, 1][chosen], np.diff(rows[:, 2])[chosen] * 1e-4


def _cv_with_error(neuron, intervals):
    """CV of all intervals and its standard error, a jackknife over 25 groups of neurons."""
    cv = intervals.std() / intervals.mean()
    parts = [intervals[neuron % 25 != g] for g in range(25)]
    left_out = np.array([part.std() / part.mean() for part in parts])
    return cv, np.sqrt(24 * np.var(left_out))


@pytest.mark.slow
def test_white_noise_lif_meets_siegert():
    """Rate and CV with the bridge, 1e5 intervals and more: |z| < 4 and within 1 %. No shift or fit anywhere."""
    mu, sigma_b = 17, 8  # mV
    sigma = sigma_b / np.sqrt(2) * mV
    rate = nsnn.theory.siegert_rate(mu * mV, sigma, v_thresh=20 * mV, **SIEGERT)
    expected_cv = nsnn.theory.siegert_cv(mu * mV, sigma, v_thresh=20 * mV, **SIEGERT)
    rates, neuron, intervals = _rates_and_intervals(mu, sigma_b, True, rate)
    assert len(intervals) >= 1e5
    assert abs(rates.mean() / rate - 1) < 0.01
    _check_mean(rates, rate)
    cv, error = _cv_with_error(neuron, intervals)
    assert abs(cv / expected_cv - 1) < 0.01
    assert abs(cv - expected_cv) / error < 4


@pytest.mark.slow
def test_without_the_bridge_the_threshold_is_shifted():
    """Bridge off: Siegert at the threshold that a check once a step makes, |z| < 4; and the shift is seen: > 4 sigma off."""
    mu, sigma_b = 15, 5  # mV
    sigma = sigma_b / np.sqrt(2) * mV
    shifted = nsnn.theory.discrete_threshold(20 * mV, sigma, tau_m=20 * ms, dt=0.1 * ms) * 1e3 * mV
    rate = nsnn.theory.siegert_rate(mu * mV, sigma, v_thresh=shifted, **SIEGERT)
    naive = nsnn.theory.siegert_rate(mu * mV, sigma, v_thresh=20 * mV, **SIEGERT)
    rates, _, _ = _rates_and_intervals(mu, sigma_b, False, rate)
    _check_mean(rates, rate)
    assert (naive - rates.mean()) / (rates.std(ddof=1) / np.sqrt(len(rates))) > 4


# --- the Block and the door ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_block_says_what_was_run():
    block = nsnn.simulate(CELL, WHITE, nsnn.Step(20 * mV, 50 * ms, 150 * ms), n_neurons=3, trials=2, **SHORT)
    assert len(block.segments) == 2
    assert len(block.segments[0].spiketrains) == 3
    assert float(block.segments[1].spiketrains.t_stop) == pytest.approx(0.2)
    notes = block.annotations
    assert notes["seed"] == 1
    assert notes["dt"] == 1e-4
    assert notes["parameters"]["model"]["tau_m"] == {"value": 0.02, "unit": "s"}
    assert notes["parameters"]["noise"]["type"] == "WhiteNoise"
    assert notes["populations"] == [{"name": "neurons", "size": 3}]
    assert "brian2" in notes["versions"]
    stimulus = block.segments[0].analogsignals[0]
    assert stimulus.name == "stimulus"
    assert stimulus.rescale("mV").magnitude[[499, 500, 1499, 1500], 0].tolist() == [0, 20, 20, 0]


@pytest.mark.slow
def test_a_drawn_seed_is_recorded_and_repeats_the_run():
    arguments = {"n_neurons": 5, "duration": 200 * ms, "engine": "numpy"}
    first = nsnn.simulate(CELL, WHITE, DRIVE, **arguments)
    again = nsnn.simulate(CELL, WHITE, DRIVE, seed=first.annotations["seed"], **arguments)
    other = nsnn.simulate(CELL, WHITE, DRIVE, **arguments)
    assert spikes(first).tolist() == spikes(again).tolist()
    assert spikes(first).tolist() != spikes(other).tolist()


def test_recorded_stimulus_channels_go_to_neurons():
    signal = neo.AnalogSignal([[0.0, 30.0]] * 200, units="mV", sampling_period=1 * pq.ms)
    block = nsnn.simulate(CELL, stimulus=nsnn.Recorded(signal), n_neurons=2, **SHORT)
    assert set(spikes(block)[:, 1]) == {1}
    with pytest.raises(NsnnError, match="2 channels: expected 1 or n_neurons = 3"):
        nsnn.simulate(CELL, stimulus=nsnn.Recorded(signal), n_neurons=3, **SHORT)


RATIO = neo.AnalogSignal([[0.5]] * 2000, units="dimensionless", sampling_period=0.1 * pq.ms)
BAD = [
    ({"duration": -1 * ms}, "duration = ", "expected"),
    ({"duration": 0.15 * ms}, "duration = ", "whole number of steps of dt = 0.1 ms, such as 0.1 ms"),
    ({"duration": 1e30 * second}, "duration = ", "expected fewer than"),
    ({"trials": 0}, "trials = 0", "expected a whole number from 1"),
    ({"n_neurons": -3}, "n_neurons = -3", "expected"),
    ({"engine": "fortran"}, "engine = 'fortran'", "expected"),
    ({"bridge": "yes"}, "bridge = 'yes'", "expected"),
    ({"threads": 2}, "threads = 2", 'engine="numpy" uses one; expected engine="cpp"'),
    ({"threads": 0}, "threads = 0", "expected a whole number"),
    ({"record_v": [5]}, "record_v = ", "expected"),
    ({"noise": 3.5 * mV}, "noise = 3.5 mV", "expected a noise model"),
    ({"noise": nsnn.Gaussian(2 * mV)}, "noise = Gaussian(", "expected EscapeNoise(Gaussian("),
    ({"noise": nsnn.ExponentialHazard(100 * Hz, 2 * mV)}, "noise = ", "expected EscapeNoise(hazard=ExponentialHazard("),
    ({"noise": nsnn.EscapeNoise(nsnn.Gaussian(0.4))}, "family = Gaussian(sigma=0.4)", "distance to threshold"),
    ({"noise": nsnn.WhiteNoise([1, 2] * mV)}, "sigma of WhiteNoise has 2 values", "expected one, or n_neurons = 1"),
    ({"stimulus": 15 * mV}, "stimulus = 15. mV", "expected a stimulus"),
    ({"stimulus": nsnn.Constant(15)}, "v = 15 of Constant has no unit", "expected a voltage such as 15*mV"),
    ({"stimulus": nsnn.Sinusoid(15, 1, 5 * Hz)}, "mean = 15 of Sinusoid has no unit", "expected a voltage such as 15*mV"),
    ({"stimulus": nsnn.Recorded(RATIO)}, "stimulus = Recorded", "dimensionless: expected a voltage such as 15*mV"),
    ({"model": nsnn.NSNNNeuron(), "noise": None}, "v = 15. mV of Constant", "expected a plain number"),
    ({"model": nsnn.LIF}, "model = ", "expected"),
    ({"model": nsnn.NSNNNeuron(), "stimulus": nsnn.Constant(0.5)}, "noise = WhiteNoise", "an NSNNNeuron takes escape noise"),
]  # fmt: skip


def test_bad_arguments_are_named_before_anything_is_compiled(monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("something was run")

    monkeypatch.setattr("nsnn_neuro.brian.engine.run", never)
    usual = {"model": CELL, "noise": WHITE, "stimulus": DRIVE, "duration": 200 * ms, "engine": "numpy"}
    calls = ((lambda change=change: nsnn.simulate(**usual | change), *words) for change, *words in BAD)
    assert_refused(calls)


PARAMETERS = [
    ({"tau_m": 20 * mV}, "tau_m = 20. mV", "expected a time such as 20*ms"),
    ({"tau_m": 0 * ms}, "tau_m = 0. s", "expected a positive value"),
    ({"v_reset": 20 * mV}, "v_reset = ", "v_thresh"),
    ({"v_rest": 0.0}, "v_rest = 0.0", "the same unit"),
    ({"tau_refrac": -1 * ms}, "tau_refrac = -1. ms", "expected zero or a positive value"),
    ({"tau_m": [[20]] * ms}, "tau_m", "shape"),
]


def test_lif_parameters_are_checked():
    assert_refused((lambda change=change: nsnn.LIF(**LIF | change), *words) for change, *words in PARAMETERS)


def test_a_step_after_the_run_is_warned_of_once():
    late = nsnn.Step([15, 20] * mV, 500 * ms, 1 * second)
    with pytest.warns(
        UserWarning, match=r"t_on = 500 ms of the Step is not before the end of the run"
    ) as caught:
        nsnn.simulate(CELL, None, late, n_neurons=2, duration=2 * ms, seed=1, engine="numpy")
    assert sum("t_on" in str(one.message) for one in caught) == 1
    network = nsnn.Network([nsnn.Population(1, CELL, stimulus=nsnn.Constant(1 * mV), name=n) for n in "ab"])
    with pytest.warns(UserWarning, match="of the Step of 'a' is not before"):  # takes the place of a's own
        nsnn.simulate(
            network, stimulus=nsnn.Step(15 * mV, 2 * ms, 3 * ms), duration=2 * ms, seed=1, engine="numpy"
        )

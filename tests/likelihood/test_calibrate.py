"""`calibrate`: parameters of simulated neurons found again, their errors, and its refusals."""

import dataclasses
import functools
import warnings

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import Hz, ms, mV, second
from helpers.fits import on_steps
from scipy.optimize import minimize

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.likelihood import Rescaled, spike_probability

PATH = nsnn.FrozenNoise(0.0, 1.0, 5 * ms, seed=3).samples(30_000, 1e-4)
SIGNAL = neo.AnalogSignal(PATH, units="mm", sampling_period=0.1 * pq.ms)
DRIVE = nsnn.Filtered(SIGNAL, gain=5 * mV, offset=19 * mV)
CELL = nsnn.LIF(tau_m=10 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
HAZARD = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(100 * Hz, 2 * mV))
FAR = nsnn.Filtered(SIGNAL, gain=2 * mV, offset=19 * mV)
OTHER = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(30 * Hz, 4 * mV))
FREE = {
    "noise.hazard.rate": (5 * Hz, 2000 * Hz),
    "noise.hazard.width": (0.3 * mV, 10 * mV),
    "stimulus.gain": (0 * mV, 30 * mV),
}
GAIN = {"stimulus.gain": (0 * mV, 30 * mV)}
TRUTH = {"noise.hazard.rate": 100.0, "noise.hazard.width": 2e-3, "stimulus.gain": 5e-3}


@functools.cache
def spikes(noise="hazard"):
    model = {"hazard": HAZARD, "white": nsnn.WhiteNoise(3 * mV)}[noise]
    return nsnn.simulate(CELL, model, DRIVE, trials=2, duration=3 * second, seed=7, engine="numpy")


PROGRESS = []  # what the fit reports


@functools.cache
def fitted():
    return nsnn.calibrate(CELL, FREE, noise=OTHER, stimulus=FAR, trains=spikes(), progress=PROGRESS.append)


def test_progress_moves_during_the_search():
    fitted()
    assert sorted(PROGRESS) == PROGRESS
    assert len([share for share in PROGRESS if share < 0.5]) > 10
    assert PROGRESS[-1] == 1


@functools.cache
def diffusive():
    free = {
        "tau_m": (1 * ms, 50 * ms),
        "noise.sigma": (0.5 * mV, 15 * mV),
        "stimulus.gain": (0 * mV, 30 * mV),
    }
    start = nsnn.LIF(tau_m=25 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
    stimulus = nsnn.Filtered(SIGNAL, gain=1 * mV, offset=19 * mV)
    return nsnn.calibrate(
        start, free, noise=nsnn.WhiteNoise(8 * mV), stimulus=stimulus, trains=spikes("white"), t_stop=2 * second,
    )  # fmt: skip


@pytest.mark.slow
def test_parameters_of_a_neuron_with_escape_noise_are_found_again():
    fit = fitted()
    z = [(fit.parameters[name] - value) / fit.se[name] for name, value in TRUTH.items()]
    assert np.abs(z).max() < 3
    assert fit.n_spikes == sum(len(s.spiketrains[0]) for s in spikes().segments)
    assert fit.noise.hazard.si("rate") == pytest.approx(fit.parameters["noise.hazard.rate"])
    assert fit.stimulus.si("offset") == pytest.approx(19e-3)  # not free: kept


@pytest.mark.slow
def test_parameters_of_a_diffusive_neuron_are_found_again():
    fit = diffusive()
    truth = {"tau_m": 10e-3, "noise.sigma": 3e-3, "stimulus.gain": 5e-3}
    z = np.array([fit.parameters[name] - value for name, value in truth.items()]) / list(fit.se.values())
    assert np.abs(z).max() < 3
    assert fit.score(spikes("white"), t_start=2 * second).value > 0.1
    assert fit.rescaled(spikes("white"), t_start=2 * second).p > 0.01


@pytest.mark.slow
def test_a_fit_of_regular_spikes_finds_the_weak_noise_between_its_bounds():
    cell = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
    block = nsnn.simulate(
        cell, nsnn.WhiteNoise(0.4 * mV), nsnn.Constant(28 * mV), duration=2 * second, seed=3, engine="numpy"
    )
    free = {"noise.sigma": (0.05 * mV, 10 * mV), "stimulus.v": (5 * mV, 60 * mV)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # none of a bound
        fit = nsnn.calibrate(
            cell, free, noise=nsnn.WhiteNoise(2 * mV), stimulus=nsnn.Constant(20 * mV), trains=block
        )
    true = {"noise.sigma": 0.4e-3, "stimulus.v": 28e-3}
    assert max(abs(fit.parameters[name] - true[name]) / fit.se[name] for name in true) < 3
    # intervals of small scatter are nearly Gaussian, so that n of them determine sigma to 1 / sqrt(2 n)
    assert fit.se["noise.sigma"] / fit.parameters["noise.sigma"] == pytest.approx(
        1 / np.sqrt(2 * fit.n_spikes), rel=0.15
    )


@pytest.mark.slow
def test_the_maximum_and_its_errors_are_those_of_a_general_optimiser():
    fit = fitted()

    def loss(p):
        noise = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(np.exp(p[0]) * Hz, np.exp(p[1]) * mV))
        stimulus = nsnn.Filtered(SIGNAL, gain=p[2] * mV, offset=19 * mV)
        q = spike_probability(CELL, spikes(), noise=noise, stimulus=stimulus)
        q = np.clip(q, 1e-300, 1 - 1e-16)
        return -np.where(on_steps(spikes(), q.shape[1]) == 1, np.log(q), np.log1p(-q)).sum()

    found = minimize(loss, [4.3, 0.6, 5.0], method="BFGS", options={"gtol": 1e-3})
    p = fit.parameters
    mine = [np.log(p["noise.hazard.rate"]), np.log(1e3 * p["noise.hazard.width"]), 1e3 * p["stimulus.gain"]]
    errors = np.array(
        [
            fit.se["noise.hazard.rate"] / p["noise.hazard.rate"],
            fit.se["noise.hazard.width"] / p["noise.hazard.width"],
            1e3 * fit.se["stimulus.gain"],
        ]
    )
    assert -fit.log_likelihood == pytest.approx(found.fun, abs=2e-3)
    assert np.abs((found.x - mine) / errors).max() < 0.1
    h = 0.1 * errors
    for k in range(3):
        step = np.eye(3)[k] * h
        second = (loss(found.x + step) + loss(found.x - step) - 2 * found.fun) / h[k] ** 2
        # the diagonal of the information: its inverse is below that of the covariance
        assert second >= 0.98 / errors[k] ** 2


@pytest.mark.slow
def test_intervals_of_both_kinds_and_profiles_agree_where_spikes_are_many():
    fit = fitted()
    intervals, wald = fit.interval(), fit.interval(method="wald")
    assert list(intervals) == list(FREE)
    for name, (low, high) in intervals.items():
        assert float(low) < fit.parameters[name] < float(high)
        assert np.abs(np.array(wald[name]) - (low, high)).max() < 0.15 * float(high - low)
    profile = fit.profile("stimulus.gain")
    assert np.array(profile.interval) == pytest.approx(np.array(intervals["stimulus.gain"]))
    assert profile.log_likelihood.max() == 0.0
    assert profile.values[0] < profile.interval[0] < profile.interval[1] < profile.values[-1]
    assert np.interp(profile.interval, profile.values, profile.log_likelihood) == pytest.approx(
        -1.92, abs=0.25
    )
    assert fit.interval(0.5)["stimulus.gain"][1] < intervals["stimulus.gain"][1]
    with pytest.raises(NsnnError, match=r"^name = 'gain': expected one of"):
        fit.interval(names=["gain"])
    with pytest.raises(NsnnError, match=r"^method = 'walt'"):
        fit.interval(method="walt")


@pytest.mark.slow
def test_each_recording_has_its_own_stimulus():
    other = nsnn.Filtered(SIGNAL, gain=5 * mV, offset=14 * mV)
    first, later = (
        nsnn.simulate(CELL, HAZARD, drive, duration=1 * second, seed=seed, engine="numpy")
        for drive, seed in ((DRIVE, 7), (other, 8))
    )
    both = [DRIVE, other]
    fit = nsnn.calibrate(CELL, GAIN, noise=HAZARD, stimulus=both, trains=[first, later])
    logs = []
    for stimulus, block in zip(fit.stimulus, [first, later], strict=True):
        assert stimulus.si("gain") == pytest.approx(fit.parameters["stimulus.gain"])
        q = np.atleast_2d(spike_probability(fit.model, block, noise=fit.noise, stimulus=stimulus))
        o = np.zeros_like(q)
        for row, segment in zip(o, block.segments, strict=True):
            row[np.floor(segment.spiketrains[0].rescale("s").magnitude / 1e-4 + 1e-6).astype(int)] = 1
        logs.append(np.where(o == 1, np.log(np.maximum(q, 1e-300)), np.log1p(-q)).sum())
    assert [one.si("offset") for one in fit.stimulus] == pytest.approx([19e-3, 14e-3])
    assert fit.log_likelihood == pytest.approx(sum(logs), rel=1e-9)
    assert fit.score([first, later]).value == pytest.approx(fit.bits_per_spike)
    drawn = [fit.simulate(recording=k, seed=1, engine="numpy") for k in (0, 1)]
    counts = [len(block.segments[0].spiketrains[0]) for block in drawn]
    assert counts[0] > counts[1] + 10  # of 1 s; the second has a lower offset


@pytest.mark.slow
def test_lists_of_spikes_and_signals_are_scored_each_with_its_own():
    """Arrays last as long as the signal of their stimulus; of two recordings the steps stand in line."""
    fit, signals = fitted(), [SIGNAL[:4000], SIGNAL[:7000]]
    times = [np.array([0.05, 0.21, 0.38]), np.array([0.1, 0.33, 0.6])]
    each = [fit.per_step([t], signal) for t, signal in zip(times, signals, strict=True)]
    assert [len(one.o) for one in each] == [4000, 7000]
    both = fit.per_step([[t] for t in times], signals)
    assert np.array_equal(both.log_likelihood, np.concatenate([one.log_likelihood for one in each]))
    assert np.array_equal(both.o, np.concatenate([one.o for one in each]))
    assert fit.score([[t] for t in times], signals).n == 6
    with pytest.raises(NsnnError, match=r"to 0\.6 s.*ends at 0\.4"):
        fit.score([times[1]], signals[0])
    several = dataclasses.replace(fit, stimulus=(fit.stimulus,) * 2)
    again = several.per_step([[t] for t in times], signals)
    assert np.array_equal(again.log_likelihood, both.log_likelihood)
    with pytest.raises(NsnnError, match="signal: 1 of them for 2"):
        several.score([[t] for t in times], signals[:1])


@pytest.mark.slow
def test_simulate_gives_spikes_of_the_fit():
    fit = fitted()
    block = fit.simulate(trials=2, seed=3, engine="numpy")
    assert len(block.segments) == 2
    q = spike_probability(fit.model, block, noise=fit.noise, stimulus=fit.stimulus)
    assert Rescaled.of(q, on_steps(block, q.shape[1])).p > 0.01


@pytest.mark.slow
def test_another_signal_is_taken_in_the_unit_of_the_fitted_one():
    fit = dataclasses.replace(
        fitted(), stimulus=(DRIVE, nsnn.Filtered(SIGNAL, gain=5 * mV, offset=90 * mV, delay=1 * ms))
    )
    other = neo.AnalogSignal(1e3 * PATH[:5000], units="um", sampling_period=0.1 * pq.ms)
    taken = fit.under(other).stimulus.samples(5000, 1e-4)
    assert taken == pytest.approx(DRIVE.samples(5000, 1e-4), rel=1e-9)
    counts = [
        len(fit.simulate(other, recording=k, seed=1, engine="numpy").segments[0].spiketrains[0])
        for k in (0, 1)
    ]
    assert counts[1] > counts[0] + 20  # an offset of 90 mV
    with pytest.raises(NsnnError, match=r"^signal is in pA: expected a unit such as mm"):
        fit.under(neo.AnalogSignal(PATH[:10], units="pA", sampling_period=0.1 * pq.ms))


@pytest.mark.slow
@pytest.mark.parametrize(("stop", "flat"), [(0.25, True), (1.0, False)])
def test_a_likelihood_that_does_not_exclude_a_bound_is_said_in_the_table(stop, flat):
    """The likelihood at the bound is that of `spike_probability`."""
    free = {"tau_m": (2 * pq.ms, 14 * pq.ms)}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = nsnn.calibrate(CELL, free, noise=HAZARD, stimulus=DRIVE, trains=spikes(), t_stop=stop * second)
    messages = [str(one.message) for one in caught if "less than 2 nats" in str(one.message)]
    o = on_steps(spikes(), 30_000)[:, : round(stop / 1e-4)]
    at = []
    for tau in (14, 1e3 * fit.parameters["tau_m"]):
        cell = dataclasses.replace(CELL, tau_m=tau * ms)
        q = spike_probability(cell, spikes(), noise=HAZARD, stimulus=DRIVE, t_stop=stop * second)
        at.append(np.where(o == 1, np.log(np.maximum(q, 1e-300)), np.log1p(-np.minimum(q, 1 - 1e-16))).sum())
    assert (at[1] - at[0] < 2) == flat
    assert fit.table.note["tau_m"] == ("flat up to its upper bound" if flat else "")
    assert len(messages) == flat
    assert all("tau_m" in one and "fit.profile" in one for one in messages)
    low, high = fit.interval(method="wald")["tau_m"]
    assert type(low) is type(free["tau_m"][0])  # in the unit of the bounds, of their package
    assert low < fit.table["value"]["tau_m"] * pq.ms < high


@pytest.mark.slow
def test_parameters_that_replace_each_other_are_named():
    # rate exp(-v_thresh / width)
    free = {"v_thresh": (15 * mV, 40 * mV), "noise.hazard.rate": (5 * Hz, 2000 * Hz)}
    with pytest.raises(NsnnError, match=r"^free: v_thresh, noise.hazard.rate cannot be distinguished"):
        nsnn.calibrate(CELL, free, noise=HAZARD, stimulus=DRIVE, trains=spikes())
    # equal but for the voltage at the start of a trial
    free = {"v_rest": (-20 * mV, 10 * mV), "stimulus.offset": (0 * mV, 40 * mV)}
    with pytest.warns(UserWarning, match=r"^v_rest and stimulus.offset almost replace each other"):
        fit = nsnn.calibrate(CELL, free, noise=HAZARD, stimulus=DRIVE, trains=spikes())
    assert fit.se["v_rest"] > 5e-3  # a flat ridge inside the bounds


@pytest.mark.slow
def test_a_parameter_at_its_bound_and_one_without_effect_are_said_aloud():
    free = {"noise.hazard.rate": (200 * Hz, 900 * Hz), "stimulus.gain": (0 * mV, 30 * mV)}
    with pytest.warns(
        UserWarning, match="noise.hazard.rate is at its lower bound: its error is NaN.* conditional on"
    ):
        fit = nsnn.calibrate(CELL, free, noise=HAZARD, stimulus=DRIVE, trains=spikes())
    assert np.isnan(fit.se["noise.hazard.rate"])
    assert fit.se["stimulus.gain"] > 0
    with pytest.warns(UserWarning, match="has not ended for noise.hazard.rate at its lower bound: these"):
        intervals = fit.interval()
    assert float(intervals["noise.hazard.rate"][0]) == pytest.approx(200.0)
    assert 200 * Hz < intervals["noise.hazard.rate"][1] < 900 * Hz
    wald = fit.interval(method="wald")["noise.hazard.rate"]
    assert [float(one / Hz) for one in wald] == pytest.approx([200.0, 900.0])
    # the error of the gain is that of a rate of 200 Hz, and marked as such where it is shown
    note = fit.table.note
    assert note["stimulus.gain"] == "conditional"
    assert note["noise.hazard.rate"].startswith("at its lower bound")
    assert fit.table.se["stimulus.gain"] == pytest.approx(1e3 * fit.se["stimulus.gain"])
    rows = str(fit).splitlines()
    assert next(row for row in rows if "stimulus.gain" in row).endswith("mV    conditional")
    last = "conditional: this se holds only for noise.hazard.rate = 200 Hz; fit.profile(name)"
    assert any(row.startswith(last) for row in rows)
    idle = nsnn.GIF(
        tau_m=10 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms, tau_w=50 * ms, b=0 * mV,
        tau_thresh=20 * ms, b_thresh=0 * mV,
    )  # fmt: skip
    free = {"tau_w": (5 * ms, 500 * ms), "stimulus.gain": (0 * mV, 30 * mV)}
    with pytest.warns(UserWarning, match="tau_w does not change the likelihood: its error is inf"):
        fit = nsnn.calibrate(idle, free, noise=HAZARD, stimulus=DRIVE, trains=spikes())
    assert fit.se["tau_w"] == np.inf
    for method in ("profile", "wald"):
        assert fit.interval(method=method)["tau_w"] == (-np.inf, np.inf)
        assert np.isfinite(fit.interval(method=method)["stimulus.gain"]).all()


@pytest.mark.slow
def test_a_fitted_time_constant_too_short_for_dt_is_warned_of_once():
    """Whatever the model's own value was; the true one is 10 ms, so that the fit ends at the upper bound."""
    start = dataclasses.replace(CELL, tau_m=0.3 * ms)
    free = {"tau_m": (0.1 * ms, 0.45 * ms)}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nsnn.calibrate(start, free, noise=HAZARD, stimulus=DRIVE, trains=spikes(), t_stop=1 * second)
    (message,) = (str(one.message) for one in caught if "is more than" in str(one.message))
    assert "a fifth of tau_m = 0.45 ms of the fitted" in message
    assert all(one.filename == __file__ for one in caught if one.category is UserWarning)


@pytest.mark.slow
def test_the_printout_has_each_parameter_that_was_given_and_what_voltages_rest_on():
    fit = fitted()
    text = " ".join(str(fit).split())
    names = {f.name for f in dataclasses.fields(CELL)} | {"stimulus.offset", "stimulus.delay", "stimulus.tau"}
    for name in names - set(FREE):
        assert (f"{name} = " in text) == (name not in fit.parameters), name
    assert "v_thresh = 20 mV" in text
    assert "only relative" in text
    other = dataclasses.replace(DRIVE, offset=14 * mV)
    both = dataclasses.replace(fit._free, parts=(*fit._free.parts[:2], (DRIVE, other)))
    assert both.given()["stimulus.offset"] == ("19, 14 mV", "V")


@pytest.mark.slow
def test_bounds_that_no_spikes_fit_are_named_and_the_likelihood_is_finite():
    """A current in pA with a gain for nA: the integral equation of first passages overflows there."""
    rng = np.random.default_rng(1)
    current = 160 + 80 * np.convolve(rng.normal(size=1000), np.exp(-np.arange(60) / 20), "same") / 3
    signal = neo.AnalogSignal(current, units="pA", sampling_period=0.5 * pq.ms)
    spikes = np.arange(0.1, 0.45, 0.05) + rng.uniform(0, 0.02, 7)
    drive = nsnn.Filtered(signal, gain=0.1 * mV)
    given = {"noise": nsnn.WhiteNoise(3 * mV), "stimulus": drive, "trains": [spikes], "dt": 0.5 * ms}
    cell = nsnn.LIF(tau_m=15 * ms, v_rest=-65 * mV, v_reset=-60 * mV, v_thresh=-50 * mV, tau_refrac=2 * ms)
    with pytest.warns(UserWarning, match="worse than a constant rate"):
        fit = nsnn.calibrate(cell, {"stimulus.gain": (1 * mV, 10 * mV)}, t_stop=0.5 * second, **given)
    assert np.isfinite(fit.log_likelihood)
    assert fit.log_likelihood < 0

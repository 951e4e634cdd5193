"""Fits of neurons to spikes: what may come in, what is refused, recorded cells."""

from __future__ import annotations

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import ms
from helpers import recordings
from helpers.fits import BURSTY, BURSTY_P, DT, HISTORY, analog, gaussian_signal, train, trials_of
from numpy.testing import assert_allclose

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, fit_neuron
from nsnn_neuro.likelihood import Lags, NeuronModel, RaisedCosines

# --- what comes in -----------------------------------------------------------------------------------------------------------


def test_blocks_lists_and_arrays_give_one_fit():
    signal = gaussian_signal(1500, 27)
    block = BURSTY.simulate(BURSTY_P, signal, trials=3, seed=8)
    options = {"dt": 1 * ms, "stimulus": 2, "history": HISTORY}
    expected = fit_neuron(block, signal, **options)
    trains = trials_of(block)
    for same in (trains, [t.magnitude for t in trains], [t.rescale("ms") for t in trains]):
        assert fit_neuron(same, signal, **options).parameters == expected.parameters
    assert fit_neuron(trains, [signal] * 3, **options).parameters == expected.parameters
    assert expected.n_steps == 4500


def test_signals_are_averaged_or_held_to_dt():
    coarse = np.random.default_rng(30).normal(size=300)
    spikes = [train(np.random.default_rng(31).random(600) < 0.2)]
    model = NeuronModel(dt=1 * ms, family=nsnn.Gaussian(1.0), stimulus=Lags(2))
    p = [-0.8, 0.3, 0.2]
    exact = model.log_likelihood(p, spikes, analog(np.repeat(coarse, 2)))[0]
    assert model.log_likelihood(p, spikes, analog(coarse, 2e-3))[0] == exact
    fine = np.repeat(coarse, 8).reshape(-1, 4) + np.array([0.3, -0.1, -0.3, 0.1])
    assert model.log_likelihood(p, spikes, analog(fine.ravel(), DT / 4))[0] == pytest.approx(exact, rel=1e-12)
    with pytest.raises(NsnnError, match=r"dt = 0\.001 s, signal is sampled every 0\.0007 s"):
        model.log_likelihood(p, spikes, analog(coarse, 0.7e-3))


def test_a_window_sees_the_signal_before_it():
    """From 100 to 300 ms of a longer recording: the filter reaches back, spikes and membrane start anew."""
    signal = gaussian_signal(400, 32)
    model = NeuronModel(dt=1 * ms, family=nsnn.Gaussian(1.0), stimulus=Lags(30), beta=0.0)
    p = np.concatenate([[-0.5], 0.2 * np.random.default_rng(33).normal(size=30)])
    whole = trials_of(model.simulate(p, signal, seed=1))
    inside = model.log_likelihood(p, whole, signal, t_start=100 * pq.ms, t_stop=300 * pq.ms)[0]
    a = p[0] + np.convolve(signal.magnitude[:, 0], p[1:])[:400]
    o = np.zeros(400)
    o[np.rint(whole[0].magnitude / DT).astype(int)] = 1
    spike = nsnn.Gaussian(1.0).cdf(a)
    assert inside == pytest.approx(np.sum(np.log(np.where(o == 1, spike, 1 - spike))[100:300]), rel=1e-12)


def test_a_signal_that_starts_later_needs_spikes_on_its_clock_or_a_window():
    """Spikes of plain arrays outside the signal were once left out silently; a window leaves them out on purpose."""
    late = gaussian_signal(1000, 35)
    late.t_start = 2 * pq.s
    times = 2 + np.arange(0.005, 0.99, 0.02)
    options = {"dt": 1 * ms, "stimulus": 1}
    fit = fit_neuron([times], late, **options)
    assert fit.n_spikes == 50
    with pytest.raises(NsnnError, match=r"50 of 50 spikes lie outside the signal.*set its t_start"):
        fit_neuron([times - 2], late, **options)
    more = np.concatenate([[0.3], times, [7.1]])
    window = fit_neuron([more], late, t_start=2 * pq.s, t_stop=3 * pq.s, **options)
    assert window.parameters == fit.parameters


def test_arrays_last_as_long_as_the_signal_of_their_trial():
    """Of signals of several lengths the arrays were an error without t_stop."""
    signals = [gaussian_signal(n, 36 + n) for n in (300, 500)]
    times = [np.arange(0.005, n / 1000, 0.02) for n in (300, 500)]
    trains = [neo.SpikeTrain(t * pq.s, t_stop=n * pq.ms) for t, n in zip(times, (300, 500), strict=True)]
    options = {"dt": 1 * ms, "stimulus": 2}
    fit, expected = (fit_neuron(one, signals, **options) for one in (times, trains))
    assert (fit.n_steps, fit.parameters) == (800, expected.parameters)
    assert np.array_equal(
        fit.per_step(times[:1], signals[:1], t_start=0.1 * pq.s).log_likelihood,
        expected.per_step(trains[:1], signals[:1], t_start=0.1 * pq.s).log_likelihood,
    )
    with pytest.raises(NsnnError, match=r"10 of 40 spikes.*lasts from 0 s to 0.3 s"):
        fit_neuron(times[::-1], signals, **options)


NOISE = gaussian_signal(1000, 34)


@pytest.mark.parametrize("family", [nsnn.Gaussian(1.0), nsnn.Cauchy(1.0)], ids=repr)
def test_separable_data_are_refused_and_a_ridge_is_the_cure(family):
    """Spikes exactly where the signal is above 1: no maximum. With a ridge there is one, where gradient and penalty balance."""
    x = NOISE.magnitude[:, 0]
    spikes = [train(x > 1)]
    options = {"dt": 1 * ms, "stimulus": 1, "family": family}
    with pytest.raises(NsnnError, match=r"no maximum: it grows without end with .*stimulus\[0\].*ridge=1.0"):
        fit_neuron(spikes, NOISE, **options)
    fit = fit_neuron(spikes, NOISE, ridge=1.0, **options)
    gradient = fit.model.log_likelihood(fit.parameters, spikes, NOISE)[1]
    assert_allclose(gradient, [0, fit.parameters["stimulus[0]"] * np.mean(x**2)], rtol=1e-5, atol=1e-5)
    assert fit.ridge == 1.0
    stronger = fit_neuron(spikes, NOISE, ridge=100.0, **options)
    assert 0 < stronger.parameters["stimulus[0]"] < fit.parameters["stimulus[0]"]


def test_a_refractory_time_in_the_history_is_refused_with_its_cures():
    """No spike within 3 ms of another: one number per lag goes to minus infinity; a refractory time or a ridge mend it."""
    model = NeuronModel(dt=1 * ms, family=nsnn.Gaussian(1.0), stimulus=Lags(1), refractory=3 * ms)
    signal = gaussian_signal(4000, 35)
    block = model.simulate([-1.0, 0.6], signal, seed=1)
    options = {"dt": 1 * ms, "stimulus": 1}
    with pytest.raises(NsnnError, match=r"no maximum: .*history\[0\].*refractory="):
        fit_neuron(block, signal, history=Lags(5), **options)
    fit = fit_neuron(block, signal, refractory=3 * ms, **options)
    assert abs(fit.parameters["stimulus[0]"] - 0.6) < 4 * fit.se["stimulus[0]"]
    mended = fit_neuron(block, signal, history=Lags(5), ridge=1.0, **options)
    assert max(mended.parameters[f"history[{k}]"] for k in range(3)) < -0.5
    assert abs(mended.parameters["history[4]"]) < 4 * mended.se["history[4]"]
    wrong = fit_neuron(block, signal, **options)
    assert fit.bits_per_spike > mended.bits_per_spike > wrong.bits_per_spike


def test_raised_cosines_add_up():
    """To 2 between the second peak and the last but one; each is 1 at its peak and 0 at the ends."""
    basis = RaisedCosines(6, 50 * ms, start=2 * ms, offset=5 * ms).matrix(1e-4, 0)
    peaks = np.exp(np.linspace(np.log(7), np.log(55), 6)) - 5  # ms
    inside = slice(int(np.ceil(10 * peaks[1])), int(10 * peaks[4]) + 1)
    assert_allclose(basis[inside].sum(axis=1), 2, rtol=1e-12)
    assert_allclose(np.argmax(basis, axis=0) / 10, peaks, atol=0.05 + 1e-9)
    assert_allclose(basis[-1], 0, atol=1e-3)
    assert_allclose(basis.max(axis=0), 1, atol=1e-3)


# --- recorded data -----------------------------------------------------------------------------------------------------------


def test_a_cortical_cell_in_injected_noise_is_foretold_and_not_rejected():
    """Set 05: four repeats at 6 Hz, each under its own record of the current. The first half foretells the second with 6.2 +- .1
    bits per spike, and rescaling doesn't reject the model there (91 spikes, p = .1). A current late by a second does nothing."""
    folder = recordings.folder("qsnmc2007_A")
    with np.load(folder / "current_voltage.npz") as archive:
        currents = [archive[f"I_05_{k}"] for k in range(4)]
    signals = [analog((x - currents[0].mean()) / currents[0].std(), 1 / 5000) for x in currents]
    trains = [np.loadtxt(folder / f"05-{k}.spiketimes")[:, 0] / 5000 for k in range(4)]
    options = {
        "dt": 1 * ms,
        "stimulus": RaisedCosines(7, 25 * ms, offset=2 * ms),
        "history": RaisedCosines(6, 40 * ms, start=1 * ms, offset=4 * ms),
        "ridge": 1.0,
    }
    halves = [{"t_start": 0 * pq.s, "t_stop": 3.4 * pq.s}, {"t_start": 3.4 * pq.s, "t_stop": 6.8 * pq.s}]
    fit = fit_neuron(trains, signals, **options, **halves[0])
    score = fit.score(trains, signals, **halves[1])
    assert score.value - 4 * score.se > 5
    assert fit.rescaled(trains, signals, **halves[1]).p > 0.01
    late = [analog(np.roll(s.magnitude, 5000), 1 / 5000) for s in signals]
    wrong = fit_neuron(trains, late, **options, **halves[0]).score(trains, late, **halves[1])
    assert wrong.value < 1

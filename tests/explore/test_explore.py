"""`explore`: the page shows what `simulate` and theory give, and its texts give the same."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools

import numpy as np
import pytest
import quantities as pq
from brian2 import Hz, ms, mV, second

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.cli import config
from nsnn_neuro.explore import simulated
from nsnn_neuro.explore.state import NEURONS, NOISES, State, changed, noise_for, numbers

SMALL = {"n_neurons": 3, "trials": 2, "duration": 300 * ms, "seed": 4}
ESCAPE = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(100 * Hz, 2 * mV))
PAIRS = [
    (name, kind)
    for name, kind in itertools.product(NEURONS, NOISES)
    if name in ("LIF", "PIF") or kind not in ("ThresholdNoise", "EscapeNoise")
]
EACH_ONCE = [(n, k) for n, k in PAIRS if n == "LIF" or k == "OUNoise" or (n, k) == ("QIF", "PoissonNoise")]
# each law of theory, and each neuron
WITH_THEORY = [
    (n, k) for n, k in PAIRS if n == "LIF" or (n != "AdEx" and k in ("WhiteNoise", "ThresholdNoise"))
]


def small(name: str, kind: str, **run) -> State:
    """A state near the threshold, of a short run."""
    return State.of(NEURONS[name], noise_for(NEURONS[name], kind), **(SMALL | run))


def test_numbers_of_a_model_go_into_a_copy_and_come_back():
    assert numbers(ESCAPE) == {"hazard.rate": (100.0, "Hz"), "hazard.width": (2.0, "V")}
    new = changed(ESCAPE, {"hazard.width": 0.1 + 0.2})
    assert numbers(new)["hazard.width"] == (0.3, "V")
    assert new.hazard.si("width") == 0.3 * 1e-3
    assert ESCAPE.hazard.si("width") == 2e-3
    for model in NEURONS.values():
        assert numbers(changed(model, {})) == numbers(model)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), EACH_ONCE)
def test_texts_are_models_that_fire_the_spikes_of_the_page(name, kind):
    """The first neurons beside those of the f-I curve have the spikes of `simulate` with the file's models."""
    state = small(name, kind)
    read = config.parse(state.toml())
    assert [numbers(one) for one in (read.model, read.noise, read.stimulus)] == [
        numbers(one) for one in (state.neuron, state.noise, state.stimulus)
    ]
    assert read.run["duration"] == 300 * ms
    block = nsnn.simulate(read.model, read.noise, read.stimulus, **read.run, engine="numpy")
    rate = nsnn.measures.firing_rate(block, t_start=state.t_start * pq.ms).mean()
    result = simulated.run(state)
    assert result.rate == rate
    first = block.segments[0].spiketrains
    assert result.spikes[0].size == sum(map(len, first)) > 0
    np.testing.assert_allclose(
        np.sort(result.spikes[0]), np.sort(np.concatenate([1e3 * t.magnitude for t in first]))
    )


def test_python_prints_the_rate_and_has_ten_lines():
    state = small("LIF", "EscapeNoise")
    text = state.python()
    assert len(text.splitlines()) == 10
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(text, {})
    assert printed.getvalue() == f"{simulated.run(state).rate:.3f} Hz\n"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), WITH_THEORY)
def test_simulated_rates_are_those_of_theory(name, kind):
    """At the state and along the f-I curve."""
    duration = (2 if kind == "WhiteNoise" else 0.5) * second  # white noise: a rate off by 1 % is seen
    state = State.of(NEURONS[name], noise_for(NEURONS[name], kind), duration=duration, seed=2)
    if kind == "ThresholdNoise":
        state = dataclasses.replace(state, stimulus=nsnn.Constant(40 * mV))
    here, (drives, rates), _ = simulated.theory(state, slow=True)
    result = simulated.run(state)
    assert abs(result.rate - here["rate"]) < 4 * result.rate_se
    x, simulated_rates, se = result.curve
    at = [k for k, drive in enumerate(drives) if np.isclose(x, drive).any() and rates[k] > 1]
    z = [(simulated_rates[np.isclose(x, drives[k])] - rates[k]) / se[np.isclose(x, drives[k])] for k in at]
    assert len(z) >= 3
    assert np.abs(z).max() < 4


def test_slow_theory_and_missing_theory_say_so():
    assert simulated.theory(small("LIF", "OUNoise"))[2] == 'with "slow results"'
    assert simulated.theory(small("AdEx", "WhiteNoise"), slow=True)[2] == "none here"
    silent = dataclasses.replace(small("LIF", "ThresholdNoise"), stimulus=nsnn.Constant(15 * mV))
    here, (_, rates), why = simulated.theory(silent)
    assert (here, why) == ({}, "none at this drive")
    assert np.isfinite(rates[-1])


@pytest.mark.slow
def test_the_same_noise_makes_the_rate_rise_with_each_step_of_the_drive():
    states = [
        dataclasses.replace(small("LIF", "WhiteNoise"), stimulus=nsnn.Constant(x * mV))
        for x in (18, 18.5, 19)
    ]
    rates = [simulated.run(state).rate for state in states]
    assert rates == sorted(rates)


@pytest.mark.slow
def test_information_about_a_signal_needs_a_signal():
    """It exceeds its error, and shrinks with noise."""
    little, much = (
        State.of(NEURONS["LIF"], nsnn.WhiteNoise(sigma), **(SMALL | {"trials": 20}))
        for sigma in (2 * mV, 8 * mV)
    )
    one, other = simulated.information(little), simulated.information(much)
    assert one.unit == "bit/s"
    assert one.value > 4 * one.se
    assert one.value > other.value + 2 * np.hypot(one.se, other.se)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"model": nsnn.GIF}, "LIF"),
        ({"model": dataclasses.replace(NEURONS["LIF"], tau_m=[10, 20] * ms)}, "one number"),
        ({"noise": 3 * mV}, "noise model"),
        ({"noise": nsnn.WhiteNoise(0.3)}, "voltage"),
        ({"stimulus": nsnn.Sinusoid(1 * mV, 1 * mV, 5 * Hz)}, "Constant"),
        ({"trials": 0}, "trials = "),
        ({"duration": 20}, "duration = "),
        ({"n_neurons": 10**9}, "at most"),
        ({"n_trials": 3}, "trials"),
    ],
)
def test_what_sliders_cannot_show_is_refused(arguments, word):
    given = {"model": NEURONS["LIF"]} | arguments
    with pytest.raises(NsnnError, match=word):
        nsnn.explore(**given)

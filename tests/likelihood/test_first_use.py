"""What a user of fits meets first: warnings and errors that say what to do, and print-outs that say what a fit shows."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from brian2 import Hz, ms, mV, second
from helpers.fits import DT, analog
from helpers.refusals import assert_refused
from scipy.stats import norm

import nsnn_neuro as nsnn
from nsnn_neuro import fit_neuron, fit_population
from nsnn_neuro.likelihood import Lags, NeuronModel, Poisson, StatesModel, compare_models, fit_states

CELL = nsnn.LIF(tau_m=10 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
ESCAPE = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(50 * Hz, 3 * mV))
DRIVE = nsnn.Constant(19 * mV)
FIRST, LATER = {"t_stop": 1 * second}, {"t_start": 1 * second}


@functools.cache
def recorded() -> Any:
    return nsnn.simulate(CELL, ESCAPE, DRIVE, duration=2 * second, dt=1 * ms, seed=1, engine="numpy")


@functools.cache
def calibrated() -> Any:
    free = {"noise.hazard.rate": (5 * Hz, 500 * Hz)}
    return nsnn.calibrate(CELL, free, noise=ESCAPE, stimulus=DRIVE, trains=recorded(), dt=1 * ms, **FIRST)


@functools.cache
def regression() -> Any:
    return fit_neuron(recorded(), dt=1 * ms, history=Lags(2), ridge=1.0, **FIRST)


def messages(call: Any) -> list[str]:
    """The warnings of a call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        call()
    return [str(one.message) for one in caught if one.category is UserWarning]


SCORES = {
    "calibrate": lambda **span: calibrated().score(recorded(), **span),
    "evaluate": lambda **span: calibrated().evaluate(recorded(), **span),
    "fit_neuron": lambda **span: regression().score(recorded(), **span),
    "compare_models": lambda **span: compare_models(
        {"LIF": calibrated(), "GLM": regression()}, recorded(), precision=4 * ms, trials=2, **span
    ),
}


@pytest.mark.parametrize("name", SCORES)
def test_a_score_of_fitted_spikes_warns_and_one_of_others_does_not(name: str) -> None:
    for span in (FIRST, {"t_start": 0.2 * second, "t_stop": 1 * second}):
        fitted = [one for one in messages(lambda s=span: SCORES[name](**s)) if "were fitted" in one]
        assert len(fitted) == 1
        assert ("LIF, GLM" in fitted[0]) == (name == "compare_models")
    assert not any("were fitted" in one for one in messages(lambda: SCORES[name](**LATER)))


def test_a_refractory_time_up_to_the_shortest_interval_needs_no_wider_bound() -> None:
    """The bound is then that of the spikes, not the user's."""
    cell = dataclasses.replace(CELL, v_reset=18 * mV, tau_refrac=8 * ms)
    given: Any = {"noise": ESCAPE, "stimulus": nsnn.Constant(14 * mV)}
    block = nsnn.simulate(cell, *given.values(), duration=3 * second, dt=0.5 * ms, seed=2, engine="numpy")
    for high in (30, 5):
        free = {"noise.hazard.rate": (5 * Hz, 2000 * Hz), "tau_refrac": (1 * ms, high * ms)}
        fit = functools.partial(nsnn.calibrate, cell, free, trains=block, dt=0.5 * ms, **given)
        texts = " ".join(messages(lambda f=fit: f().interval(names=["tau_refrac"])))
        assert ("shortest" in texts) == (high == 30)
        assert ("widen" in texts) == (high == 5), texts


def test_a_comparison_says_in_words_which_model_wins_and_if_by_more_than_its_error() -> None:
    signal = analog(np.random.default_rng(1).normal(size=2000))
    cell = NeuronModel(dt=1 * ms, family=nsnn.Gaussian(1.0), stimulus=Lags(1))
    spikes = cell.simulate([-1.4, 1.2], signal, trials=2)
    models = {
        name: fit_neuron(spikes, signal, dt=1 * ms, stimulus=n, history=h, **FIRST)
        for name, n, h in (("right", 1, None), ("longer", 2, None))
    }
    models["blind"] = fit_neuron(spikes, dt=1 * ms, history=Lags(2), ridge=1.0, **FIRST)
    options: Any = {"precision": 4 * ms, "trials": 2, **LATER}
    for names, apart in ((("right", "blind"), True), (tuple(models), False)):
        table = compare_models({name: models[name] for name in names}, spikes, signal, **options)
        with pd.option_context("display.width", 30, "display.max_columns", 2):
            first, *_, line = str(table).splitlines()
        assert first.split() == list(table.columns)
        assert line in table._repr_html_()
        behind = table[table.score == "bits_behind"].sort_values("value")
        assert line.startswith(behind.model.iloc[0])
        assert f"ahead of {behind.model.iloc[1]}" in line
        assert ("do not tell" in line) != apart
        assert "ahead" not in str(table[table.score == "rate"])
    assert "ahead" not in str(compare_models({"right": models["right"]}, spikes, signal, **options))


def test_a_block_in_place_of_synaptic_inputs_is_named_by_its_type() -> None:
    free = {"noise.hazard.rate": (5 * Hz, 500 * Hz)}
    given: Any = {"noise": ESCAPE, "stimulus": DRIVE, "trains": recorded(), "inputs": recorded()}
    assert_refused(
        [(lambda: nsnn.calibrate(CELL, free, **given), "inputs = Block object", "SynapticInput(block")]
    )


def test_probabilities_and_tests_of_fitted_spikes_do_not_warn() -> None:
    for fit in (calibrated(), regression()):
        assert messages(lambda f=fit: (f.per_step(recorded(), **FIRST), f.rescaled(), f.misfit())) == []


@functools.cache
def population() -> Any:
    rng = np.random.default_rng(1)
    times = [np.flatnonzero(rng.random(800) < 0.1) * DT for _ in range(2)]
    return fit_population(nsnn.to_block([times], t_stop=0.8 * second), dt=1 * ms, coupling=1)


@pytest.mark.parametrize("fit", [calibrated, regression, population])
def test_a_score_without_spikes_says_that_they_are_needed_and_how_to_pass_them(
    fit: Any, tmp_path: Path
) -> None:
    again = nsnn.load_fit(fit().save(tmp_path / "fit.npz"))
    refused: list[Any] = [(lambda: again.score(**LATER), "needs", "fit.score(block")]
    if fit is not population:  # the window was ignored
        refused += [
            (lambda: again.misfit(**LATER), "t_start", "trains"),
            (lambda: again.rescaled(**FIRST), "t_stop", "trains"),
        ]
    assert_refused(refused)


@functools.cache
def switching() -> Any:
    """Counts of a neuron with two states."""
    cell = StatesModel(dt=5 * ms, family=Poisson(), n_states=2)
    return cell.simulate([-2.5, 0.0, -4.0, -4.0, 0.0], duration=20 * second)


def states(trains: Any, family: Any = None, **options: Any) -> Any:
    return fit_states(trains, n_states=2, dt=5 * ms, n_starts=2, family=family, **options)


@pytest.mark.slow
def test_rates_of_states_have_the_limits_of_their_biases() -> None:
    """Of a bias alone log r has the error of the bias for counts, and 1 - P times it for a logistic family."""
    steps = np.unique(np.floor(switching().segments[0].spiketrains[0].magnitude / 5e-3))
    once = nsnn.to_block([[5e-3 * steps]], t_stop=20 * second)
    for trains, family in ((switching(), Poisson()), (once, nsnn.Logistic(1.0))):
        fit = states(trains, family)
        table, bias = fit.table, np.array([fit.parameters[f"state[{k}].bias"] for k in range(2)])
        share = 1.0 if isinstance(family, Poisson) else 1 - 1 / (1 + np.exp(-bias))
        error = share * np.array([fit.se[f"state[{k}].bias"] for k in range(2)])
        np.testing.assert_allclose(np.log(table.rate_high / table.rate), norm.ppf(0.975) * error, rtol=1e-3)
        np.testing.assert_allclose(table.rate_low * table.rate_high, table.rate**2)
        assert f"{table.rate_low[1]:.3g} to" in str(fit)


def test_states_of_times_last_from_0_and_errors_of_counts_name_the_cure() -> None:
    times = switching().segments[0].spiketrains[0].magnitude
    fit = states([times], Poisson(), t_stop=20 * second)
    assert fit.parameters == states(switching(), Poisson()).parameters
    assert_refused(
        [
            (lambda: states([times], t_stop=20 * second), "two spikes in the step", "family=Poisson()"),
            (lambda: fit.rescaled(), "several spikes", "misfit"),
        ]
    )
    assert fit.misfit().p.notna().any()


BROAD = dataclasses.replace(CELL, tau_m=15 * ms)
SHARP = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(100 * Hz, 2 * mV))
ADAPTING = nsnn.GIF(
    **{one.name: getattr(BROAD, one.name) for one in BROAD.parameter_fields()}, tau_w=150 * ms, b=3 * mV
)
SLOW = nsnn.FrozenNoise(0.0, 1.0, 20 * ms, seed=1).samples(15_000, DT)
PLAIN = nsnn.Filtered(analog(SLOW), gain=10 * mV, offset=18 * mV)
MISSING = {
    "filter": (BROAD, dataclasses.replace(PLAIN, tau=10 * ms)),
    "adaptation": (ADAPTING, dataclasses.replace(PLAIN, offset=26 * mV)),
}
LINEAR = {"stimulus.gain": (1 * mV, 60 * mV), "stimulus.offset": (-10 * mV, 60 * mV)}


@functools.cache
def fired(missing: str) -> Any:
    cell, drive = MISSING[missing]
    return nsnn.simulate(cell, SHARP, drive, duration=15 * second, dt=1 * ms, seed=2, engine="numpy")


def without_it(missing: str, **more: Any) -> Any:
    given: Any = {"noise": SHARP, "stimulus": PLAIN, "trains": fired(missing), "dt": 1 * ms}
    return nsnn.calibrate(BROAD, LINEAR | more, **given)


@pytest.mark.slow
def test_a_filter_of_the_stimulus_is_recovered() -> None:
    fit = without_it("filter", **{"stimulus.tau": (0.5 * ms, 60 * ms)})
    for name, true in (("stimulus.tau", 10e-3), ("stimulus.gain", 10e-3), ("stimulus.offset", 18e-3)):
        assert abs(fit.parameters[name] - true) < 4 * fit.se[name] < true
    assert fit.misfit().q.min() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("missing", MISSING)
def test_the_strongest_test_advises_what_is_missing_first(missing: str) -> None:
    """Stimulus and earlier spikes are rejected in both cases."""
    free: Any = {"tau_m": (1 * ms, 60 * ms), "noise.hazard.width": (0.3 * mV, 20 * mV)}
    table = without_it(missing, **free).misfit()
    assert {"stimulus", "spikes"} <= set(table.kind[table.q < 0.05])
    after_spikes = table[(table.q < 0.05) & (table.kind == "spikes")].nsmallest(1, "p").advice.iloc[0]
    for advice in (table.advice[table.p.idxmin()], after_spikes):
        assert ("first" in advice and "filter the signal" in advice) == (missing == "filter")
        assert missing == "filter" or "adaptation" in advice

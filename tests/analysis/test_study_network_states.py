"""The states of a network: each claim can fail, each sabotage is noticed, the study's own counting against loops."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from brian2 import Hz, mV, second
from helpers.quick_runs import quick_table
from helpers.studies import changed

from analysis import network_states as study
from analysis.harness import ClaimFailed
from analysis.network_states import feedback, simulation
from nsnn_neuro import measures, theory, to_block


@pytest.fixture(scope="module")
def table():
    return quick_table(study)


@pytest.mark.slow
def test_a_claim_holds_without_and_fails_under_a_sabotage(table):
    """In a state that shows it; without the iteration of spectra, which is not at stake."""
    states, words = ("AI",), "the rate is within"
    config = study.Config(quick=True, sabotage="synapses cut", states=states)
    for name, value in {"generations": 1, "fed": 10}.items():
        object.__setattr__(config, name, value)
    normal, sabotaged = (
        [claim for claim in study.claims(found) if words in claim.text]
        for found in (table[table.state.isin(states)], study.run(config))
    )
    assert normal
    assert all(claim.central and claim.holds for claim in normal)
    assert not all(claim.holds for claim in sabotaged)


def made_up():
    """Three networks of each state, numbers as published or plausible."""
    typical = {
        "SR": (332.0, 327.0, 0.01, 0.03, 2000.0, 333.0, 0.25),
        "AI": (37.9, 37.95, 0.6, 0.4, 130.0, 120.0, 0.01),
        "SI fast": (60.7, 55.8, 0.9, 0.85, 800.0, 180.0, 0.06),
        "SI slow": (5.6, 6.5, 0.5, 0.9, 230.0, 23.0, 0.05),
    }
    rows = []
    for state, (rate, mean_field, cv, fano, population, peak, correlation) in typical.items():
        for network in range(3):
            off = 1 + 0.001 * (network - 1)
            rows.append(
                {
                    "part": "state", "state": state, "network": network, "g": 1.0, "eta": 1.0, "neurons": 12_500,
                    "epsilon": 0.1, "rate": rate * off, "mean field": mean_field, "cv": cv * off, "mean field cv": 0.7,
                    "fed back": rate, "fed back cv": 0.61, "fano": fano * off, "population fano": population * off, "peak": peak,
                }
            )  # fmt: skip
            one = {"part": "correlation", "state": state, "network": network, "value": correlation * off}
            rows += [{**one, "x": w} for w in simulation.WINDOWS]
    return pd.DataFrame(rows)


# a claim's words -> state, column (or window of the correlation), factor that breaks it
BROKEN = {
    "AI: the rate is within 5 %": ("AI", "rate", 1.06),
    "AI: irregular": ("AI", "cv", 0.4),
    "AI: the CV is within 25 %": ("AI", "mean field cv", 2.0),
    "AI: the CV is within 5 %": ("AI", "fed back cv", 1.1),
    "SR: the population Fano": ("SR", "population fano", 0.05),
    "SR: pairs": ("SR", 1e-3, 0.01),
    "SI fast: the population Fano": ("SI fast", "population fano", 0.1),
    "SI fast: pairs": ("SI fast", 1e-3, 0.1),
    "SI slow: the population Fano": ("SI slow", "population fano", 0.1),
    "SI slow: pairs": ("SI slow", 10e-3, 0.1),
    "SR: regular and fast": ("SR", "peak", 2.0),
    "SI fast: irregular neurons": ("SI fast", "rate", 1.6),
    "SI slow: rates below": ("SI slow", "peak", 0.3),
    "larger errors of the rate in each": ("SR", "mean field", 332 / 327),
    "within 15 % of those of published": ("SI slow", "rate", 1.2),
}


def test_every_claim_holds_for_published_numbers_and_has_a_counterexample():
    found = study.claims(made_up())
    assert all(claim.holds is True for claim in found), [c for c in found if not c.holds]
    assert len(found) == len(BROKEN)
    assert sum(claim.central for claim in found) == 11
    for words in BROKEN:
        assert sum(words in claim.text for claim in found) == 1


@pytest.mark.parametrize("words", BROKEN)
def test_a_wrong_number_fails_the_claim(words):
    state, column, factor = BROKEN[words]
    where = {"x": column} if isinstance(column, float) else {"part": "state"}
    column = "value" if isinstance(column, float) else column
    table = changed(made_up(), column, lambda value: value * factor, state=state, **where)
    (claim,) = [claim for claim in study.claims(table) if words in claim.text]
    assert claim.holds is False


@pytest.mark.parametrize("change", [{"cv": 30.0}, {"rate": 0.8}, {"rate": 0.2, "peak": 0.2}, {"fano": 30.0}])
def test_each_criterion_of_the_regular_state_counts(change):
    table = made_up()
    for column, factor in change.items():
        table.loc[table.state == "SR", column] *= factor
    with pytest.raises(ClaimFailed, match="SR: regular and fast"):
        study.verify(table)


def test_the_tolerance_of_the_rate_scales_with_the_shared_input():
    table = made_up()
    table.loc[table.state == "AI", "rate"] *= 1.08
    with pytest.raises(ClaimFailed, match="within 5 %"):
        study.verify(table)
    table["epsilon"] = table.epsilon * 2
    study.verify(table)
    assert not any("published" in claim.text for claim in study.claims(table))


def test_population_counts_equal_a_loop():
    rng = np.random.default_rng(0)
    times = np.sort(np.round(rng.uniform(0.1, 0.3, 400), 4))  # on a grid of .1 ms, as simulated
    expected = [sum(k <= round(1e4 * t) // 10 - 100 < k + 1 for t in times) for k in range(200)]
    assert simulation.population_counts(times, 0.1, 0.3).tolist() == expected


def test_pairwise_correlations_equal_a_loop():
    rng = np.random.default_rng(1)
    trains = [np.sort(rng.uniform(0, 1, 60)) for _ in range(4)]
    trains[1] = trains[0]
    data = measures.as_trains(to_block([trains], t_stop=1 * second))
    counts = [np.histogram(t, np.linspace(0, 1, 101))[0] for t in trains]
    expected = [np.corrcoef(counts[i], counts[j])[0, 1] for i in range(4) for j in range(i)]
    assert simulation.pair_correlation(data, 10e-3) == pytest.approx(np.mean(expected), abs=1e-12)


def test_jitter_shifts_every_spike_by_up_to_25_ms_and_loses_none():
    trains = [np.full(500, 0.5), np.full(300, 0.99)]
    data = measures.as_trains(to_block([trains], t_stop=1 * second))
    moved = simulation.jitter_spikes(data, np.random.default_rng(2))
    assert moved.counts.tolist() == [[500, 300]]
    first, second_ = moved.times[:500], moved.times[500:]
    assert (np.diff(first) >= 0).all()
    assert first.min() == pytest.approx(0.475, abs=1e-3)
    assert first.max() == pytest.approx(0.525, abs=1e-3)
    assert np.ptp((second_ + 0.5) % 1) < 0.05  # around the end


def test_the_mean_field_cv_is_siegerts_at_the_mean_field_rate():
    """The asynchronous state: mu and sigma_B by hand from C_E J tau (nu_ext + nu (1 - g / 4)), and a published rate of 37.95."""
    nu, ext = 37.95, 20.0
    mu = 1000 * 0.1 * 0.02 * (ext + nu * (1 - 5 / 4))
    sigma_b = np.sqrt(0.1**2 * 1000 * 0.02 * (ext + nu * (1 + 25 / 4)))
    from nsnn_neuro.theory import siegert_cv

    expected = siegert_cv(mu, sigma_b / np.sqrt(2), tau_m=20.0, v_thresh=20.0, v_reset=10.0, tau_refrac=2.0)
    assert simulation.mean_field_cv(nu, 5.0, 2.0, study.Config()) == pytest.approx(expected, rel=1e-6)


BRUNEL = {"n_e": 10_000, "n_i": 2500, "epsilon": 0.1, "J": 0.1 * mV, "g": 5.0, "eta": 2.0}
FLAT = feedback.Generation(38.0, np.nan, np.arange(0.0, 501.0, 2.0), np.ones(251))


def test_input_has_the_given_mean_and_spectrum():
    """White noise from outside, and from within what the spikes' spectrum says, here nothing below 100 Hz and three times from
    there on to 500 Hz."""
    dt, steps = 1e-4, 20_000
    mu, sigma = theory.brunel_input(38 * Hz, **BRUNEL)
    _, outside = theory.brunel_input(0 * Hz, **BRUNEL)
    shaped = dataclasses.replace(FLAT, shape=np.where(FLAT.f < 100, 0.0, 3.0))
    for before in (FLAT, shaped):
        x = feedback.increments(before, BRUNEL, (steps, 40), dt, np.random.default_rng(1))
        power = np.mean(np.abs(np.fft.rfft(x - x.mean(axis=0), axis=0)) ** 2, axis=1) / steps
        f = np.fft.rfftfreq(steps, dt)
        assert x.mean() == pytest.approx(mu * dt / 20e-3, abs=4 * x.std() / np.sqrt(x.size))
        for low, high in ((5, 95), (110, 490), (510, 4900)):
            some = (f > low) & (f < high)
            factor = 1.0 if high > 500 else before.shape[round(low / 2) + 1]
            expected = 2 * dt / 20e-3 * (outside**2 + (sigma**2 - outside**2) * factor)
            assert power[some].mean() == pytest.approx(expected, rel=4 / np.sqrt(40 * some.sum()))


@pytest.mark.slow
def test_neurons_in_white_input_agree_with_theory():
    """A threshold that is looked at once a step is as one that is 0.5826 sqrt(dt / tau) sigma_B higher."""
    dt = 1e-4
    mu, sigma = theory.brunel_input(38 * Hz, **BRUNEL)
    higher = 20e-3 + 0.5826 * np.sqrt(2 * dt / 20e-3) * sigma
    cell = {"tau_m": 20e-3, "v_thresh": higher, "v_reset": 10e-3, "tau_refrac": 2e-3}
    found = [feedback.generation(FLAT, BRUNEL, 50, 2.0, dt, np.random.default_rng([2, k])) for k in range(6)]
    for values, expected in (
        ([g.rate for g in found], theory.siegert_rate(mu, sigma, **cell)),
        ([g.cv for g in found], theory.siegert_cv(mu, sigma, **cell)),
    ):
        error = np.std(values, ddof=1) / np.sqrt(len(values))
        assert np.mean(values) == pytest.approx(expected, abs=4 * error + 0.01 * expected)


@pytest.mark.slow
def test_generations_converge_to_input_with_the_spectrum_of_the_spikes():
    fed = feedback.iterate(BRUNEL, 38.0, generations=10, neurons=50, seconds=0.5, dt=1e-4, seed=3)
    after = feedback.generation(fed, BRUNEL, 50, 0.5, 1e-4, np.random.default_rng(4))
    assert after.cv == pytest.approx(fed.cv, rel=0.05)
    assert after.rate == pytest.approx(fed.rate, rel=0.03)
    low = slice(8)  # below 15 Hz
    assert after.shape[low].mean() == pytest.approx(fed.shape[low].mean(), rel=0.1)
    assert fed.shape[low].mean() < 0.3
    assert fed.cv < 0.75 * feedback.generation(FLAT, BRUNEL, 50, 0.5, 1e-4, np.random.default_rng(5)).cv

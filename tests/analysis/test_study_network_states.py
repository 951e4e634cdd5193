"""The states of a network: each claim can fail, each sabotage is noticed, the study's own counting against loops."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from brian2 import Hz, mV, second
from helpers.studies import assert_each_can_fail, changed, failing

from analysis import network_states as study
from analysis.network_states import feedback, simulation
from nsnn_neuro import measures, theory, to_block


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


def test_each_claim_has_a_counterexample():
    sound, broken = made_up(), {}
    for words, (state, column, factor) in BROKEN.items():
        where = {"x": column} if isinstance(column, float) else {"part": "state"}
        column = "value" if isinstance(column, float) else column
        broken[words] = changed(sound, column, lambda old, by=factor: old * by, state=state, **where)
    assert {claim.holds for claim in study.claims(sound)} == {True}
    assert len(study.claims(sound)) == len(BROKEN)
    assert_each_can_fail(study, sound, broken)
    for column, factor in {"cv": 30.0, "rate": 0.8, "peak": 0.2, "fano": 30.0}.items():
        irregular = changed(sound, column, lambda old, by=factor: old * by, state="SR", part="state")
        assert any("SR: regular and fast" in text for text in failing(study, irregular))
    # the tolerance of the rate scales with the shared input
    shared = changed(sound, "rate", lambda rate: 1.08 * rate, state="AI", part="state")
    assert any("AI: the rate is within 5 %" in text for text in failing(study, shared))
    shared["epsilon"] = shared.epsilon * 2
    assert not failing(study, shared, central=True)


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
def test_neurons_in_white_input_agree_with_theory_and_generations_converge():
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
    # generations converge to input with the spectrum of the spikes
    fed = feedback.iterate(BRUNEL, 38.0, generations=10, neurons=50, seconds=0.5, dt=dt, seed=3)
    after = feedback.generation(fed, BRUNEL, 50, 0.5, dt, np.random.default_rng(4))
    assert after.cv == pytest.approx(fed.cv, rel=0.05)
    assert after.rate == pytest.approx(fed.rate, rel=0.03)
    assert fed.shape[:8].mean() < 0.3  # below 15 Hz
    assert fed.cv < 0.75 * found[0].cv

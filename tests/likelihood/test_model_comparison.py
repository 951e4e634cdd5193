"""`compare_models`: one table for fits of all kinds, with equal bins, equal simulated trials, and named gaps."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import neo
import numpy as np
import pandas as pd
import pytest
import quantities as pq
from brian2 import Hz, ms, mV, second
from helpers.fits import DT, analog, gaussian_signal, trials_of
from numpy.testing import assert_allclose

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, fit_neuron, measures
from nsnn_neuro.likelihood import Lags, NeuronModel, PerStep, Poisson, compare_models

N = 2000
HALF = {"t_start": 1 * pq.s}
PRECISION = {"precision": 2 * pq.ms}


@pytest.fixture(scope="module")
def recorded() -> tuple[neo.Block, neo.AnalogSignal]:
    signal = analog(np.convolve(np.random.default_rng(1).normal(size=N), np.ones(8) / 3, mode="same"))
    cell = NeuronModel(dt=1 * ms, family=nsnn.Gaussian(1.0), stimulus=Lags(1), history=Lags(2))
    return cell.simulate([-1.4, 1.2, -2.0, -0.5], signal, trials=6, seed=2), signal


@pytest.fixture(scope="module")
def models(recorded: Any) -> dict[str, Any]:
    block, signal = recorded
    options: dict[str, Any] = {"dt": 1 * ms, "t_stop": 1 * pq.s}
    return {
        "true": fit_neuron(block, signal, stimulus=1, history=2, **options),
        "Poisson": fit_neuron(block, signal, stimulus=1, family=Poisson(), **options),
        "alone": fit_neuron(block, history=2, **options),
    }


@pytest.fixture(scope="module")
def table(recorded: Any, models: Any) -> pd.DataFrame:
    found = compare_models(models, *recorded, **HALF, **PRECISION, bin_width=10 * pq.ms, trials=12, seed=5)
    return found.set_index(["model", "score"])


@pytest.mark.slow
def test_scores_are_those_of_the_measures_for_equal_trials_and_seeds(recorded, models, table):
    block, signal = recorded
    for name, signals in (("true", (signal,)), ("alone", ())):
        row = table.loc[name]
        score = models[name].score(block, *signals, **HALF)
        assert row.value["bits_per_spike"] == pytest.approx(score.value, rel=1e-9)
        assert row.se["bits_per_spike"] == pytest.approx(score.se, rel=1e-9)
        assert row.n["bits_per_spike"] == score.n
        drawn = models[name].simulate(
            *signals, trials=12, seed=5, **({} if signals else {"duration": 2 * pq.s})
        )
        own, theirs = (measures.as_repeats(one, 1 * pq.s, 2 * pq.s) for one in (drawn, block))
        assert row.value["rate"] == pytest.approx(measures.firing_rate(own)[0])
        assert row.se["rate"] == pytest.approx(own.counts.std(ddof=1) / np.sqrt(12))
        assert row.value["cv"] == pytest.approx(measures.cv(own)[0])
        assert row.value["md_star"] == pytest.approx(measures.md_star(theirs, own, **PRECISION))
        gamma = measures.gamma_coincidence(theirs, own, **PRECISION)
        assert row.value["gamma"] == pytest.approx(gamma.mean())
        assert row.value["psth_correlation_normalised"] == pytest.approx(
            measures.psth_correlation(theirs, own, bin_width=10 * pq.ms)
        )
    assert_allclose(table.bin.xs("bits_per_spike", level="score"), DT)
    assert_allclose(table.bin.xs("gamma", level="score"), 2e-3)
    pairs = measures.gamma_coincidence(block, **PRECISION, t_start=1 * pq.s)
    assert table.value["recorded", "gamma"] == pytest.approx(pairs[~np.eye(6, dtype=bool)].mean())


def test_the_true_model_is_at_the_ceilings_and_the_others_are_not(table):
    for score in ("md_star", "psth_correlation_normalised"):
        value, se = table.loc[("true", score), ["value", "se"]]
        assert abs(value - 1) < 4 * np.hypot(se, 0.03)  # of twelve simulated trials
        assert table.value["alone", score] < 1 - 4 * table.se["alone", score]
    assert abs(table.value["true", "rate"] - table.value["recorded", "rate"]) < 4 * np.hypot(
        table.se["true", "rate"], table.se["recorded", "rate"]
    )
    assert table.value["true", "bits_behind"] == 0.0
    for name in ("Poisson", "alone"):
        assert table.value[name, "bits_behind"] > 4 * table.se[name, "bits_behind"] > 0
    assert 0 < table.value["recorded", "psth_correlation"] < 1


def test_steps_of_two_lengths_are_compared_in_the_shorter():
    """Per step of 2 ms a fit gives each ms half of its probability; the baseline is that of the 1 ms bins."""
    signal = gaussian_signal(N, 3)
    cell = NeuronModel(dt=1 * ms, family=nsnn.Gaussian(1.0), stimulus=Lags(1), refractory=2 * ms)
    block = cell.simulate([-1.8, 0.8], signal, trials=2, seed=4)
    both = {f"{k} ms": fit_neuron(block, signal, dt=k * ms, stimulus=1) for k in (1, 2)}
    rows = compare_models(both, block, signal, **PRECISION, trials=2).set_index(["model", "score"])
    coarse = both["2 ms"].per_step(block, signal)
    p = np.exp(np.where(coarse.o == 1, coarse.log_likelihood, np.log1p(-np.exp(coarse.log_likelihood))))
    fine = np.where(coarse.o == 1, np.log(p / 2), np.log1p(-p))
    n, steps = coarse.o.sum(), 2 * N
    constant = n * np.log(n / steps) + (steps - n) * np.log1p(-n / steps)
    expected = (fine.sum() - constant) / n / np.log(2)
    assert rows.value["2 ms", "bits_per_spike"] == pytest.approx(expected, rel=1e-9)
    assert rows.value["2 ms", "bits_behind"] > 4 * rows.se["2 ms", "bits_behind"]
    other = analog(np.random.default_rng(1).normal(size=1334), 1.5e-3)
    third = {**both, "other": fit_neuron(block, other, dt=1.5 * ms, stimulus=1, t_stop=2 * pq.s)}
    with pytest.raises(NsnnError, match=r"other has steps of .* expected whole multiples"):
        compare_models(third, block, {"1 ms": signal, "2 ms": signal, "other": other}, **PRECISION)


@pytest.mark.slow
def test_a_calibrated_neuron_stands_beside_a_glm(recorded):
    """Its stimulus is its own, or the one given by its name; score and simulate take another signal too."""
    x = 0.5 + np.convolve(np.random.default_rng(6).normal(size=3000), np.ones(20) / 20, mode="same")
    signal = neo.AnalogSignal(x, units="mm", sampling_period=0.5 * pq.ms)
    cell = nsnn.LIF(tau_m=10 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=15 * mV, tau_refrac=2 * ms)
    noise = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(60 * Hz, 3 * mV))
    drive = nsnn.Filtered(signal, gain=12 * mV, offset=10 * mV)
    run: dict[str, Any] = {"duration": 1.5 * second, "dt": 0.5 * ms, "engine": "numpy"}
    block = nsnn.simulate(cell, noise, drive, trials=3, seed=1, **run)
    free = {"noise.hazard.rate": (5 * Hz, 500 * Hz)}
    fit = nsnn.calibrate(
        cell, free, noise=noise, stimulus=drive, trains=block, dt=0.5 * ms, t_stop=1 * second
    )
    glm = fit_neuron(
        block, signal, dt=1 * ms, stimulus=20, history=4, family=nsnn.Logistic(1.0), ridge=1.0, t_stop=1 * second,
    )  # fmt: skip
    late: dict[str, Any] = {"t_start": 1 * second, "t_stop": 1.5 * second}
    rows = compare_models({"LIF": fit, "GLM": glm}, block, signal, **late, **PRECISION, trials=3)
    rows = rows.set_index(["model", "score"])
    assert rows.value["LIF", "bits_per_spike"] == pytest.approx(fit.score(block, **late).value, rel=1e-9)
    assert rows.value["LIF", "bits_behind"] == 0
    assert rows.value.notna().all()
    other = neo.AnalogSignal(x[::-1].copy(), units="mm", sampling_period=0.5 * pq.ms)
    assert fit.score(block, other, **late).value < fit.score(block, signal, **late).value
    assert fit.score(block, signal, **late).value == fit.score(block, **late).value
    constant = dataclasses.replace(fit, stimulus=nsnn.Constant(12 * mV))
    with pytest.raises(NsnnError, match="stimulus Constant, which has no signal to replace"):
        constant.score(block, signal)


def test_one_recorded_trial_has_no_ceilings_and_says_why(recorded, models):
    block, signal = recorded
    one = nsnn.select(block, trials=[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = compare_models({"true": models["true"]}, one, signal, **HALF, trials=2)
    assert "two recorded trials" in str(rows)
    fastest = nsnn.measures.spike_counts(one, **HALF).max()
    # of 1 s; shorter than 4 ms
    assert rows.bin[rows.score == "gamma"].tolist() == pytest.approx([0.25 / fastest] * 2)
    two = compare_models({"true": models["true"]}, block, signal, **HALF, **PRECISION, trials=2)
    assert "two recorded trials" not in str(two)
    rows = rows.set_index(["model", "score"])
    missing = rows.index[rows.value.isna()].tolist()
    assert missing == [
        ("recorded", "gamma"), ("recorded", "psth_correlation"), ("true", "md_star"), ("true", "psth_correlation_normalised")
    ]  # fmt: skip


class Own:
    """A user's model: a constant probability."""

    def per_step(self, trains, signal=None, *, t_start=None, t_stop=None):
        data = NeuronModel(dt=1 * ms, family=nsnn.Gaussian(1.0)).data(trains, t_start=t_start, t_stop=t_stop)
        p = data.o.mean()
        return PerStep(np.where(data.o == 1, np.log(p), np.log1p(-p)), data.o, DT)

    def simulate(self, signal=None, *, trials, seed, duration=None):
        rng = np.random.default_rng(seed)
        return nsnn.to_block([[np.sort(rng.uniform(0, 2, 200))] for _ in range(trials)], t_stop=2 * pq.s)


class Scored(Own):
    """Without probabilities of steps, and with a simulation that fails."""

    per_step = property()

    def score(self, trains, signal=None, **span):
        return 0.5

    def simulate(self, **options):
        raise NsnnError("no spikes today")


def test_models_of_ones_own_and_gaps_are_named(recorded):
    block, signal = recorded
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rows = compare_models(
            {"own": Own(), "scored": Scored()}, block, signal, **HALF, **PRECISION, trials=3
        )
    silent, failed = (str(one.message) for one in caught)
    assert silent.startswith("own: psth_correlation: 1 of 1 neurons have a PSTH without signal power")
    assert failed == "scored: scores of simulated spikes are NaN: no spikes today"
    rows = rows.set_index(["model", "score"])
    assert rows.value["own", "bits_per_spike"] == pytest.approx(0, abs=1e-12)
    assert rows.value["scored", "bits_per_spike"] == 0.5
    assert abs(rows.value["own", "psth_correlation"]) < 0.5
    with pytest.raises(NsnnError, match='none called "recorded"'):
        compare_models({"recorded": Own()}, block, signal, **PRECISION)
    twice = [np.repeat(one.magnitude, 2) for one in trials_of(block)[:2]]
    doubled = fit_neuron(twice[:1], signal, dt=1 * ms, stimulus=1, family=Poisson())
    span: dict[str, Any] = {"t_start": 0 * ms, "t_stop": 2 * second}
    with pytest.raises(NsnnError, match=r"at most one spike in a step of 0\.001 s; fit with a smaller dt"):
        compare_models({"a": doubled}, twice[1:], signal, **PRECISION, **span)

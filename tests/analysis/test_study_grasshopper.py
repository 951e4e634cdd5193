"""The main job: what calibration may see, the objective, the verdicts, and a whole small run."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import neo
import numpy as np
import pandas as pd
import pytest
import quantities as pq
from helpers.quick_runs import quick_table
from helpers.studies import assert_sabotage_shows

import nsnn_neuro as nsnn
from analysis import grasshopper as study
from analysis import harness
from analysis.grasshopper import measuring, neuron, simulation, sound
from analysis.harness import ClaimFailed

FREE = ("gain", "offset", "b")
FIXED = {"tau_m": 3e-3}
SMALL = dataclasses.replace(
    study.Config(), recordings=(1,), split=0.5, trials=6, candidates=5, generations=2, dt=5e-4, factors=(0.0, 1.0),
    fano_windows=(0.05,),
    bounds=tuple(
        (name, low, high, at) if name in FREE else (name, *3 * (FIXED.get(name, at),))
        for name, low, high, at in study.Config().bounds
    ),
    sound=((4, 10.0),), past=((3, 20.0, 2.0),), ridges=(1.0,), n_folds=2,
)  # fmt: skip
ORIGINAL = nsnn.datasets.grasshopper


def first_second(which, path=None):
    """The recording's first second, so that a whole study takes seconds."""
    block = ORIGINAL(which, path=path)
    times = block.segments[0].spiketrains.multiplexed[1].magnitude
    stimulus = block.segments[0].analogsignals[0]
    short = neo.AnalogSignal(
        stimulus.magnitude[:20_000], units="dimensionless", sampling_rate=20 * pq.kHz, name="stimulus"
    )
    cropped = nsnn.to_block([[times[times < 1.0]]], t_stop=1 * pq.s, stimulus=short)
    cropped.annotations.update(block.annotations)
    return cropped


@pytest.fixture(scope="module")
def table():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nsnn.datasets, "grasshopper", first_second)
        return study.run(SMALL)


def value(table, model, quantity):
    return table[(table.model == model) & (table.quantity == quantity)].value.iloc[0]


@pytest.mark.slow
def test_without_its_noise_the_neuron_loses_its_likelihood(table, monkeypatch):
    monkeypatch.setattr(nsnn.datasets, "grasshopper", first_second)
    claim = "a higher likelihood under the noisy model than under that without noise"
    assert_sabotage_shows(study, SMALL, table, "noise off", claim)


def test_the_second_half_is_read_after_the_parameters_are_frozen(monkeypatch):
    order = []
    load = sound.load_half
    monkeypatch.setattr(nsnn.datasets, "grasshopper", first_second)

    def frozen(first, *others):
        assert first.spikes.max() < first.stop == 0.5
        assert len(first.level) == 2500
        order.append("frozen")
        raise InterruptedError

    monkeypatch.setattr(
        simulation,
        "load_half",
        lambda *a, second_half, **k: order.append(second_half) or load(*a, second_half=second_half),
    )
    monkeypatch.setattr(simulation, "calibrate", frozen)
    with pytest.raises(InterruptedError):
        study.run(SMALL)
    assert order == [False, "frozen"]


@pytest.mark.slow
def test_the_recorded_column_is_the_recording(table):
    """Rate, CV and Fano of the second half, directly from the spike times."""
    times = first_second(1).segments[0].spiketrains.multiplexed[1].magnitude
    late = times[times >= 0.5] - 0.5
    counts = np.histogram(late, np.arange(0, 0.501, 0.05))[0]
    assert value(table, "recorded", "rate") == pytest.approx(len(late) / 0.5)
    assert value(table, "recorded", "CV") == pytest.approx(np.diff(late).std() / np.diff(late).mean())
    assert value(table, "recorded", "Fano factor (windows)") == pytest.approx(
        counts.var(ddof=1) / counts.mean()
    )


def test_the_objective_is_largest_for_the_true_parameters():
    """Spikes drawn from one of five rates: the objective is highest for the model with that rate, and proper in its level."""
    rng = np.random.default_rng(0)
    t = np.arange(0, 5, 1e-3)
    truth = 60 * (1 + np.sin(2 * np.pi * 4 * t))

    def trains(rate, n):
        return [t[rng.random(t.size) < rate * 1e-3] + 5e-4 for _ in range(n)]

    half = sound.Half(trains(truth, 1)[0], np.empty(0), 0.0, np.zeros(25_000), np.zeros(10_000), 200.0)
    rates = [truth, 0.6 * truth, 1.6 * truth, np.full_like(t, 60.0), truth[::-1]]
    block = nsnn.to_block(
        [list(row) for row in zip(*(trains(r, 60) for r in rates), strict=True)], t_stop=5 * pq.s
    )
    scores = simulation.log_likelihood(block, half, study.Config())
    assert scores.argmax() == 0
    by_segment = simulation.log_likelihood(block, half, study.Config(), segment=0.5)
    np.testing.assert_allclose(by_segment.mean(axis=1), scores, rtol=1e-12)
    poisson = np.log(60) - 1 + np.mean(np.log(60) - 60 * np.diff(half.spikes))
    assert abs(scores[3] - poisson) < 0.15  # a flat rate's own score, but for kernel, floor and finite trials


def verdict_table(noisy_bound):
    """A minimal table that the verdicts can be read from."""
    rows = []
    rng = np.random.default_rng(1)
    for model, bound, score in (
        ("recorded", 100.0, 0),
        ("noisy", noisy_bound, 7.5),
        ("without noise", 160.0, 7.0),
        ("refitted without noise", 180.0, 7.1),
        ("LIF", 120.0, 7.0),
        ("GLM", 110.0, 7.4),
    ):
        rows += [
            (1, model, "information bound", np.nan, bound, 5.0, ""), (1, model, "number of trials", np.nan, 50, np.nan, ""),
            (1, model, "time rescaling p", np.nan, 0.1, np.nan, ""),
            (1, model, "rate", np.nan, 80.0, 2.0, ""), (1, model, "CV", np.nan, 0.5, 0.02, ""),
        ]  # fmt: skip
        rows += [(1, model, "coherence", f, 0.5, 0.05, "") for f in (5.0, 50.0, 150.0, 250.0)]
        rows.append((1, model, "coherence band", np.nan, 3.0, np.nan, ""))
        for quantity in (
            "kernel likelihood, by segment",
            "rate correlation 5 ms, by segment",
            "bits per spike, by segment",
        ):
            rows += [(1, model, quantity, 0.5 * k, score + 0.1 * rng.normal(), np.nan, "") for k in range(10)]
    return pd.DataFrame(rows, columns=["recording", "model", "quantity", "x", "value", "sd", "unit"])


def test_verify_raises_when_a_central_claim_fails():
    harness.verify(study, verdict_table(noisy_bound=105.0))
    with pytest.raises(ClaimFailed, match="information bound of the noisy model is nearer"):
        harness.verify(study, verdict_table(noisy_bound=170.0))
    worse = verdict_table(105.0)
    worse.loc[
        (worse.model == "without noise") & (worse.quantity == "kernel likelihood, by segment"), "value"
    ] += 0.5
    with pytest.raises(ClaimFailed, match="likelihood under the noisy model than under that without noise"):
        harness.verify(study, worse)


def test_the_cell_is_compared_with_the_band_from_10_hz_to_the_cut_off():
    """One frequency off by four SD fails the claim; below 10 Hz and above the cut-off it does not count."""
    text = "within the band of single trials"
    for frequency, holds in ((5.0, True), (50.0, False), (250.0, True)):
        table = verdict_table(105.0)
        own = (table.model == "recorded") & (table.quantity == "coherence") & (table.x == frequency)
        table.loc[own, "value"] += 0.2
        assert [claim.holds for claim in study.claims(table) if text in claim.text] == [holds]


def test_the_test_half_starts_with_what_the_recorded_spikes_left():
    half = sound.Half(np.array([0.1]), np.array([1.0, 4.0]), 5.0, np.zeros(50_000), np.zeros(10_000), 200.0)
    values = {name: at for name, _, _, at in study.Config().bounds} | {
        "b": np.array([0.01, 0.02]),
        "tau_w": 2.0,
    }
    left = neuron.cell(values, half)
    np.testing.assert_allclose(left.si("w_start"), 1e-5 * (np.exp(-2) + np.exp(-0.5)) * np.array([1, 2]))
    np.testing.assert_allclose(left.si("fatigue_start"), 5e-5 * (np.exp(-4 / 30) + np.exp(-1 / 30)))


def test_each_spike_lifts_the_threshold_more_than_the_one_before():
    """Two spikes 10 ms apart: the hazard 3 ms after each, against the formula with the jump of that spike."""
    values = {name: at for name, _, _, at in study.Config().bounds} | {"b": 0.0, "b_fatigue": 0.5}
    half = sound.Half(np.array([0.0101, 0.0201]), np.empty(0), 0.0, np.zeros(250), np.zeros(100), 200.0)
    log_silence = neuron.log_likelihoods(values, half, SMALL)
    drive = neuron.drive(values, half).samples(250, 2e-4)[-1] * 1e3
    hazards, expected = [], []
    for spike, fatigue in ((0.0101, 0.5), (0.0201, 0.5 + 0.5 * np.exp(-0.01 / 30))):
        k = round((spike + 0.0031) / 2e-4)
        t = (k + 0.5) * 2e-4 - spike
        lift = 40 * np.exp(-t / 0.8e-3) * (1 + fatigue)
        v = drive + (-5 - drive) * np.exp(-(t - 0.5e-3) / 1e-3)
        hazards.append(-log_silence[k])
        expected.append(1000 * np.exp(v - lift) * 2e-4)
    np.testing.assert_allclose(hazards, expected, rtol=0.1)
    assert hazards[1] < 0.75 * hazards[0]


def test_bits_per_spike_of_a_constant_rate_are_zero_and_differences_are_those_of_the_likelihood():
    half = sound.Half(np.array([0.05, 0.35, 0.8]), np.empty(0), 0.0, np.zeros(5000), np.zeros(2000), 200.0)
    n = 5000
    flat = np.where(neuron.bins(half, SMALL) > 0, np.log(3 / n), np.log1p(-3 / n))
    rows = measuring.likelihood_rows({"flat": flat, "twice": flat + 3 * np.log(2) / n}, half, 1, SMALL)
    bits = {row["model"]: row["value"] for row in rows if row["quantity"] == "bits per spike"}
    assert bits["flat"] == pytest.approx(0, abs=1e-12)
    assert bits["twice"] == pytest.approx(1, rel=1e-9)


@pytest.mark.slow
def test_the_quick_study_recovers_the_recorded_table():
    """And the calibration finds what it must; the 24 cosines of a GLM chosen by cross-validation have 2.15 bits per spike."""
    config = study.Config(quick=True)
    table = quick_table(study)
    folder = Path(os.environ["NSNN_RESULTS"]) / "grasshopper" / harness.config_hash(config)
    assert len(nsnn.load(folder / "recording1.nwb").segments) == config.trials
    assert value(table, "recorded", "rate") == pytest.approx(415 / 5)
    bounds = table[table.quantity == "information bound against noise"].sort_values("x").value.to_numpy()
    assert (np.diff(bounds) < 0).all()  # noise costs information
    assert value(table, "noisy", "bits per spike") > 2.0
    failed = [claim for claim in study.claims(table) if not (claim.central or claim.holds)]
    assert f"{len(failed)} fail" in study.headline(table)
    rejected = value(table, "noisy", "time rescaling p") <= 0.05
    assert ("rejects the noisy model" in study.headline(table)) == rejected
    assert abs(value(table, "noisy", "rate") / 83 - 1) < 0.1

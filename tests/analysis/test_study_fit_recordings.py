"""Noisy neurons fitted to recordings: what models may see, arithmetic by hand, and that each claim can fail."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import quantities as pq
from helpers.studies import assert_each_can_fail, failing
from scipy import stats
from scipy.special import ndtr

import nsnn_neuro as nsnn
from analysis import fit_recordings as study
from analysis import full_runs
from analysis.fit_recordings import calibrated, config, fits
from analysis.fit_recordings import data_sets as sets
from analysis.fit_recordings import simulation as scores
from analysis.harness import ClaimFailed, verify
from nsnn_neuro import measures
from nsnn_neuro.likelihood import Lags, NeuronModel

SMALL = dataclasses.replace(
    study.Config(), betas=(0.5,), ridges=(1.0,), n_folds=2, sound=((8, 20.0),), past=((12, 40.0),),
    shifts=(0.0, 0.5, 1.0, 1.5, 2.0), widths=(0.0, 1e-3, 4e-3), trials=40, n_hidden=0, seconds=4.0, relays=(), calibrated=(),
)  # fmt: skip


# --- verdicts ----------------------------------------------------------------------------------------------------------------

RIVALS = (fits.DETERMINISTIC, fits.GIVEN_SPIKES, fits.ADDED, fits.LNP, fits.ALONE, fits.GLM)


def made_up(**leads):
    """A table in which the noisy neuron is ahead by .5 of everything on two recordings of each kind, but for `leads`."""
    rows = []
    for kind in ("grasshopper", "cortical", "P-unit"):
        for k in (1, 2):
            labels = {"kind": kind, "recording": f"{kind} {k}", "se": 0.01, "n": 20}
            for model in (fits.NEURON, *RIVALS):
                rows.append({**labels, "part": "score", "model": model, "measure": "bits", "value": 1.0})
                rows.append({**labels, "part": "measure", "model": model, "measure": "p", "value": 0.5})
                if model != fits.NEURON:
                    value = leads.get(model, {}).get(f"{kind} {k}", 0.5 + 0.01 * k)
                    lead = {"value": value, "low": value - 0.1, "high": value + 0.1}
                    rows.append({**labels, "part": "lead", "model": model, "measure": "bits", **lead})
            for model, off in ((fits.CELL, 0.0), (fits.NEURON, 0.001), (fits.DETERMINISTIC, -0.3)):
                for measure in ("cv", "fano", "rate correlation", "van rossum"):
                    sign = -1 if measure == "van rossum" else 1
                    rows.append(
                        {**labels, "part": "measure", "model": model, "measure": measure, "value": 1 + sign * off}
                    )  # fmt: skip
            across = {"part": "across", "model": fits.NEURON, "value": 0.0, "low": -0.1, "high": 0.1}
            rows += [{**labels, **across, "measure": m} for m in ("fano", "reliability")]
    return pd.DataFrame(rows, columns=config.COLUMNS)


def test_claims_hold_where_the_neuron_is_ahead_and_each_central_one_can_fail():
    found = study.claims(made_up())
    assert all(claim.holds for claim in found)
    lead, *variability = full_runs.number("fit_recordings", found).split("; ")
    assert lead.endswith("recording: 0.510 [0.410, 0.610] bits per spike")
    assert len(variability) == 3
    broken = {
        words: made_up(**{model: {where: value}})
        for model, where, value, words in (
            (fits.DETERMINISTIC, "P-unit 2", 0.05, "the deterministic neuron on every recording"),
            (fits.GIVEN_SPIKES, "cortical 1", 0.05, "given the spikes"),
            (fits.ADDED, "grasshopper 1", 0.05, "noise added afterwards"),
            (fits.LNP, "cortical 2", 0.0, "linear-nonlinear"),
            (fits.ALONE, "cortical 2", 0.0, "history only, without the stimulus"),
            (fits.GLM, "cortical 1", 0.04, "that of the Poisson GLM by"),  # lower end -.06, inferior by more than .05
        )
    }  # fmt: skip
    assert_each_can_fail(study, made_up(), broken, alone=True)
    inferior = failing(study, made_up(**{fits.GLM: {"cortical 1": 0.06}}))
    assert not any("that of the Poisson GLM by" in text for text in inferior)
    with pytest.raises(ClaimFailed, match="no recording"):
        verify(study, made_up()[lambda t: t.part != "lead"])


def test_claims_about_calibrated_neurons_include_the_relay_neuron_and_the_others_do_not():
    """Leads of .5, but for one P-unit whose calibration failed and, to make the claims fail, the relay neuron."""
    others = made_up()
    relay = others[others.recording == "cortical 1"].assign(kind=sets.RELAY, recording="relay 1")
    relay.loc[relay.part == "lead", ["value", "low", "high"]] = -1.0
    leads = others[(others.model == fits.GLM) & (others.part == "lead") & (others.recording != "P-unit 2")]
    labels = {"kind": "P-unit", "recording": "P-unit 2", "part": "remark"}
    remark = {**labels, "model": calibrated.GIF, "measure": "not fitted"}
    for value, holds in ((0.2, True), (0.05, False)):
        on_relay = leads.iloc[:1].assign(kind=sets.RELAY, recording="relay 1", value=value, low=value - 0.1)
        rows = pd.concat([leads, on_relay])
        parts = [others, relay, *(rows.assign(model=name) for name in calibrated.CALIBRATED)]
        table = pd.concat([*parts, pd.DataFrame([remark])], ignore_index=True)
        *found, gif, lif = study.claims(table)
        assert found == study.claims(others)
        assert (lif.holds, gif.holds, lif.central, gif.central) == (holds, holds, False, False)
        assert "not fitted: P-unit 2" in gif.evidence
        assert f"relay 1 {value:.3f}" in lif.evidence


# --- arithmetic --------------------------------------------------------------------------------------------------------------


def test_gain_per_spike_is_the_mean_over_equal_blocks():
    """With a spike in each block of 5 steps the jackknife's error is that of a mean, and the interval Student's."""
    rng = np.random.default_rng(1)
    gain = rng.normal(0.3, 1.0, (2, 60))
    spikes = np.zeros((2, 60))
    spikes[0, ::5] = 1
    blocks = gain.sum(axis=0).reshape(12, 5).sum(axis=1)
    found = scores.per_spike(gain, spikes, 5)
    assert found["value"] == pytest.approx(blocks.mean(), rel=1e-12)
    assert found["se"] == pytest.approx(stats.sem(blocks), rel=1e-12)
    low, high = stats.ttest_1samp(blocks, 0).confidence_interval(0.95)
    assert (found["low"], found["high"]) == pytest.approx((low, high), rel=1e-12)
    low, high = stats.ttest_1samp(blocks[:4], 0).confidence_interval(0.95)
    assert scores.mean_of(blocks[:4])["low"] == pytest.approx(low, rel=1e-12)
    assert np.isnan(scores.mean_of([1.0])["low"])


def test_fano_factor_across_trials_pools_windows():
    """One window: the package's Fano factor; several: weighted by their mean counts."""
    counts = np.random.default_rng(2).poisson(3.0, (6, 4)).astype(float)
    each = [
        measures.fano_factor(nsnn.to_block([[np.linspace(0.1, 0.9, int(c))] for c in column], t_stop=1 * pq.s))[0]
        for column in counts.T
    ]  # fmt: skip
    assert scores.fano_across(counts[:, :1]) == pytest.approx(each[0], rel=1e-12)
    assert scores.fano_across(counts) == pytest.approx(
        np.average(each, weights=counts.mean(axis=0)), rel=1e-12
    )


def test_simulated_spikes_are_those_of_the_model():
    """Without noise, the very spikes of `NeuronModel.simulate`."""
    x = np.random.default_rng(3).normal(size=400)
    p = {"bias": 0.4, "stimulus[0]": 0.8, "history[0]": -1.0, "history[1]": -0.5, "theta": 1.0}
    lags = {"stimulus": Lags(1), "history": Lags(2)}
    model = NeuronModel(dt=1 * pq.ms, family=nsnn.Gaussian(1e-9), **lags, beta=0.6)
    block = model.simulate(p, sets.analog(x[:, None], 1e-3), trials=1, seed=4)
    theirs = np.rint(block.segments[0].spiketrains[0].magnitude * 1e3).astype(int)
    drive = (p["bias"] + p["stimulus[0]"] * x)[:, None]
    kernel = np.array([p["history[0]"], p["history[1]"]])
    ours = fits.draw(drive, kernel, fits.fires, np.random.default_rng(5), beta=0.6, theta=1.0)
    np.testing.assert_array_equal(np.flatnonzero(ours[:, 0]), theirs)
    assert 20 < theirs.size < 300


def test_floor_and_gain_maximise_the_likelihood():
    rng = np.random.default_rng(6)
    curve = rng.random(20_000)
    o = (rng.random(20_000) < 0.02 + 0.98 * 0.3 * curve).astype(float)
    value, floor, gain = fits.fit_floor_and_gain(curve, o)
    assert np.all(np.abs([floor - 0.02, gain - 0.3]) < 4 * np.array([0.004, 0.008]))  # four standard errors
    for f, g in ((0.02, 0.3), (floor, gain + 0.01), (floor + 0.005, gain)):
        assert fits.log_likelihood(f + (1 - f) * g * curve, o).sum() <= value


def test_kernels_have_height_one_and_the_causal_one_uses_past_spikes_only():
    lone = np.zeros((1, 201))
    lone[0, 100] = 1
    for smooth in (fits.smooth_both_sides, fits.smooth_causally):
        np.testing.assert_allclose(smooth(lone, 5.0)[0, 100], 1.0, rtol=1e-3)
        np.testing.assert_array_equal(smooth(lone, 0.0), lone)
    assert fits.smooth_causally(lone, 5.0)[0, :100].max() == 0
    assert fits.smooth_causally(lone, 5.0)[0, 105] == pytest.approx(np.exp(-1), rel=1e-12)
    around = fits.smooth_both_sides(lone, 5.0)[0]
    np.testing.assert_allclose(around, around[::-1], atol=1e-12)


# --- fits --------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def known():
    """Three repeats of a noisy neuron with a membrane, a stimulus and history, as a recording; and its true probabilities."""
    x = np.random.default_rng(7).normal(size=6000)
    truth = NeuronModel(dt=1 * pq.ms, family=nsnn.Gaussian(1.0), stimulus=Lags(2), history=Lags(3), beta=0.5)
    assert truth.names == (
        "bias", "stimulus[0]", "stimulus[1]", "history[0]", "history[1]", "history[2]", "theta",
    )  # fmt: skip
    p = np.array([-0.2, 0.6, 0.4, -1.5, -1.0, -0.5, 1.2])
    signal = sets.analog(x[:, None], 1e-3)
    block = truth.simulate(p, signal, trials=3, seed=8)
    trains = [segment.spiketrains[0].magnitude for segment in block.segments]
    recording = sets.Recording(
        "made up", "made up", trains, [signal] * 3, 1e-3, (4.0, 6.0), ({"stimulus": Lags(2), "history": Lags(3)},), 2e-3, 400.0
    )  # fmt: skip
    data = truth.data(trains, signal, t_start=4 * pq.s, t_stop=6 * pq.s)
    return recording, ndtr(truth.evaluate(p, data).potential).reshape(3, -1), *fits.fitted(recording, SMALL)


@pytest.mark.slow
def test_the_fit_predicts_as_well_as_the_true_model(known):
    """It loses what it costs to estimate 7 parameters, 7 / (2 spikes ln 2), and no more than four standard errors of that."""
    _, p, fitting, arms = known
    truth = fits.log_likelihood(p, fitting.o)
    lost = scores.per_spike(
        (truth - fits.log_likelihood(arms[fits.NEURON].p, fitting.o)) / np.log(2), fitting.o, 200
    )
    cost = 7 / (2 * fitting.trained.sum() * np.log(2))
    assert abs(lost["value"] - cost) < 4 * lost["se"]
    assert lost["value"] < 0.02
    for rival in (fits.DETERMINISTIC, fits.GIVEN_SPIKES, fits.ADDED, fits.LNP, fits.ALONE):
        gain = truth - fits.log_likelihood(arms[rival].p, fitting.o)
        assert scores.per_spike(gain, fitting.o, 200)["low"] > 0


def test_the_deterministic_neuron_has_the_rate_of_the_cell(known):
    """Its threshold is lowered in steps that change the rate by less than a fifth."""
    _, _, fitting, arms = known
    deterministic = arms[fits.DETERMINISTIC]
    assert deterministic.chosen["shift"] > 0
    assert abs(np.log(deterministic.spikes.mean() / fitting.rate)) < 0.2
    assert np.ptp(deterministic.spikes.sum(axis=1)) == len(deterministic.spikes.T)  # all trials or none
    block = nsnn.to_block([[[3.999, 4.0, 4.003]]], t_stop=6 * pq.s)
    assert np.flatnonzero(fitting.steps(block)[:, 0]).tolist() == [0, 3]  # steps of the test part


@pytest.mark.slow
def test_probabilities_of_the_network_follow_from_its_likelihood(known, monkeypatch):
    """Their bits per spike are the fit's own score, except for the reference rate: the test part's there, training's here."""
    recording, *_ = known
    config = dataclasses.replace(SMALL, n_hidden=3, epochs=2, refine=0, particles=10)
    fitting, made, original = fits.Fitting(recording, config), [], nsnn.fit_network
    monkeypatch.setattr(nsnn, "fit_network", lambda *a, **k: made.append(original(*a, **k)) or made[0])
    p, o = fitting.network(Lags(2), 0.5).p, fitting.o
    test_part = {"t_start": 4 * pq.s, "t_stop": 6 * pq.s}
    score = made[0].score(recording.trains, recording.signals, **test_part, particles=10, seed=config.seed)
    gain = fits.log_likelihood(p, o).sum() - fits.log_likelihood(np.full(o.shape, o.mean()), o).sum()
    assert gain / o.sum() / np.log(2) == pytest.approx(score.value, abs=1e-9)


@pytest.mark.slow
def test_fits_do_not_see_the_test_part_and_predictions_only_past_spikes(known):
    """With other test spikes all that is fitted is the same, and predictions given spikes differ from the first one on."""
    recording, _, _, arms = known
    cut = 5.0
    other = [np.concatenate([t[t < cut], np.arange(cut, 5.99, 0.013)]) for t in recording.trains]
    again = fits.fitted(dataclasses.replace(recording, trains=other), SMALL)[1]
    for name, arm in arms.items():
        assert again[name].chosen == arm.chosen
        np.testing.assert_array_equal(again[name].spikes, arm.spikes)
    np.testing.assert_array_equal(again[fits.DETERMINISTIC].p, arms[fits.DETERMINISTIC].p)
    same = round((cut - recording.borders[0]) / recording.dt)
    np.testing.assert_array_equal(again[fits.GIVEN_SPIKES].p[:, :same], arms[fits.GIVEN_SPIKES].p[:, :same])
    assert (again[fits.GIVEN_SPIKES].p != arms[fits.GIVEN_SPIKES].p).any()


# --- recordings --------------------------------------------------------------------------------------------------------------


def test_parts_are_consecutive_and_the_stimulus_can_be_shifted():
    plain, shifted = (
        next(sets.recordings(dataclasses.replace(SMALL, sabotage=s))) for s in ("", "stimulus shifted")
    )
    a, b = plain.borders
    assert 0 < a < b <= 4.0
    values, rolled = (r.signals[0].magnitude[:, 0] for r in (plain, shifted))
    assert values[: round(a / plain.dt)].mean() == pytest.approx(0, abs=1e-12)
    assert values[: round(a / plain.dt)].std() == pytest.approx(1, rel=1e-12)
    assert np.corrcoef(np.roll(values, len(values) // 2), rolled)[0, 1] == pytest.approx(1, abs=1e-12)
    np.testing.assert_array_equal(plain.trains[0], shifted.trains[0])


@pytest.mark.parametrize("times", [[0.1, 0.05, 0.3], []])
def test_absent_recordings_are_skipped_and_invalid_ones_rejected(times, tmp_path, monkeypatch):
    place = tmp_path / "punit_noisy_lif"
    place.mkdir()
    (place / "SOURCE.txt").write_text("made up")
    np.save(place / "some-invivo-1_baseline_spikes.npy", np.array(times))
    monkeypatch.setenv("NSNN_SHARED_DATA", str(tmp_path / "none"))
    found = [r.name for r in sets.recordings(study.Config(relays=()))]
    assert found == ["grasshopper 1", "grasshopper 2"]
    monkeypatch.setenv("NSNN_SHARED_DATA", str(tmp_path))
    config = dataclasses.replace(SMALL, grasshoppers=(), settings=(), punits=("some",))
    with pytest.raises(nsnn.FormatError, match="cell 'some' can't be read"):
        list(sets.recordings(config))


# --- calibrated neurons ------------------------------------------------------------------------------------------------------


def spontaneous(after):
    """A P-unit-like recording of 1 s without a stimulus, whose test part from .7 s on has the spikes `after`."""
    times = np.cumsum(np.random.default_rng(11).gamma(9.0, 2e-3, size=60))
    trains = [np.concatenate([times[times < 0.7], after])]
    bases = {"stimulus": sets.Nothing(), "history": Lags(3)}
    signals = [sets.analog(np.zeros((1000, 1)), 1e-3)]
    return sets.Recording("P-unit", "made up", trains, signals, 1e-3, (0.7, 1.0), (bases,), 1e-3)


@pytest.mark.slow
def test_calibrated_neurons_see_the_training_part_only_and_failures_are_remarks(monkeypatch):
    regular = spontaneous(np.arange(0.7105, 1.0, 0.018))
    fitting = fits.Fitting(regular, SMALL)
    arms, remarks = calibrated.calibrated(fitting, (calibrated.GIF,))
    arm = arms[calibrated.GIF]
    assert arm.p.shape == fitting.o.shape == (1, 300)
    assert all(name == calibrated.GIF for name, _ in remarks)
    rate = np.full(fitting.o.shape, fitting.rate)
    assert fits.log_likelihood(arm.p, fitting.o).sum() > fits.log_likelihood(rate, fitting.o).sum() + 4
    other = fits.Fitting(spontaneous(np.array([0.75, 0.79, 0.93])), SMALL)
    again = calibrated.calibrated(other, (calibrated.GIF,))[0][calibrated.GIF]
    assert again.chosen == arm.chosen
    assert not np.array_equal(again.p, arm.p)

    def refuse(*args, **kwargs):
        raise nsnn.NsnnError("free: tau_m, b cannot be distinguished")

    monkeypatch.setattr(nsnn, "calibrate", refuse)
    remark = (calibrated.GIF, "not fitted: free: tau_m, b cannot be distinguished")
    assert calibrated.calibrated(other, (calibrated.GIF,)) == ({}, [remark])


def test_stimuli_of_calibrated_neurons():
    """The sine of a phase of constant speed, also before the first and after the last middle; a filter of area 1."""
    t, fine = (np.arange(50) + 0.5) * 5e-4, (np.arange(500) + 0.5) * 5e-5
    phase = 2 * np.pi * 740.0 * t + 1.0
    sine, frequency = calibrated.phase_signal(
        sets.analog(np.column_stack([np.cos(phase), np.sin(phase)]), 5e-4), 10
    )
    assert frequency == pytest.approx(740.0, rel=1e-12)
    np.testing.assert_allclose(sine.magnitude[:, 0], np.sin(2 * np.pi * 740.0 * fine + 1.0), atol=1e-10)
    impulse = calibrated.filtered_spikes(sets.analog(np.eye(1, 400)[0][:, None], 1e-3), 8e-3).magnitude[:, 0]
    assert impulse.sum() == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_allclose(impulse[8] / impulse[0], np.exp(-1), rtol=1e-12)

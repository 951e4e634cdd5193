"""Noisy neurons fitted to recordings: what models may see, arithmetic by hand, and that each claim can fail."""

from __future__ import annotations

import dataclasses
import types

import numpy as np
import pandas as pd
import pytest
import quantities as pq
from helpers import recordings
from scipy import stats
from scipy.special import ndtr

import nsnn_neuro as nsnn
from analysis import fit_recordings as study
from analysis import full_runs
from analysis.fit_recordings import calibrated, config, fits, simulation
from analysis.fit_recordings import data_sets as sets
from analysis.fit_recordings import scoring as scores
from analysis.harness import ClaimFailed
from nsnn_neuro import measures
from nsnn_neuro.likelihood import Lags, NeuronModel

SMALL = dataclasses.replace(
    study.Config(), betas=(0.5,), ridges=(1.0,), n_folds=2, sound=((8, 20.0),), past=((12, 40.0),),
    shifts=(0.0, 0.5, 1.0, 1.5, 2.0), widths=(0.0, 1e-3, 4e-3), trials=40, n_hidden=0, seconds=4.0, relays=(), calibrated=(),
)  # fmt: skip


TINY = dataclasses.replace(
    SMALL, betas=(0.0,), grasshoppers=(1,), settings=(), punits=(), seconds=5.0, functions=5, trials=10
)  # fmt: skip


@pytest.mark.slow
def test_claims_fail_under_a_sabotage():
    """Five seconds of one recording, few candidates and no network, which no central claim is about."""
    with pytest.raises(ClaimFailed, match="exceeds that of the deterministic neuron on every"):
        study.verify(study.run(dataclasses.replace(TINY, sabotage="noise off")))


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


def test_claims_hold_on_a_table_that_is_ahead_everywhere():
    found = study.claims(made_up())
    assert all(claim.holds for claim in found)
    assert sum(claim.central for claim in found) == 5
    lead, *variability = full_runs.number("fit_recordings", found).split("; ")
    assert lead.endswith("recording: 0.510 [0.410, 0.610] bits per spike")
    assert len(variability) == 3


@pytest.mark.parametrize(
    ("model", "where", "value", "named"),
    [
        (fits.DETERMINISTIC, "P-unit 2", 0.05, "the deterministic neuron on every recording"),
        (fits.GIVEN_SPIKES, "cortical 1", 0.05, "given the spikes"),
        (fits.ADDED, "grasshopper 1", 0.05, "noise added afterwards"),
        (fits.LNP, "grasshopper 2", 0.05, "linear-nonlinear"),
        (fits.LNP, "cortical 2", 0.0, "linear-nonlinear"),
        (fits.ALONE, "cortical 2", 0.0, "history only, without the stimulus"),
    ],
)
def test_each_central_claim_can_fail(model, where, value, named):
    broken = made_up(**{model: {where: value}})
    with pytest.raises(ClaimFailed, match=named) as failed:
        study.verify(broken)
    assert len(str(failed.value).splitlines()) == 1
    assert where.split()[0] in str(failed.value)


def test_the_margin_to_the_glm_is_that_of_non_inferiority():
    """Lower ends of the intervals: -.04 isn't inferior, -.06 may be."""
    for value, holds in ((0.06, True), (0.04, False)):
        found = study.claims(made_up(**{fits.GLM: {"cortical 1": value}}))
        (claim,) = (c for c in found if "that of the Poisson GLM by" in c.text)
        assert claim.holds is holds
        assert not claim.central


def test_no_recording_is_no_support():
    with pytest.raises(ClaimFailed, match="no recording"):
        study.verify(made_up()[lambda t: t.part != "lead"])


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


def test_simulated_spikes_follow_the_model():
    """Without noise the very spikes of `NeuronModel.simulate`; with noise its rate, two samples of 300 trials, |z| < 4."""
    dt, rng = 1 * pq.ms, np.random.default_rng(3)
    x = rng.normal(size=400)
    p = {"bias": 0.4, "stimulus[0]": 0.8, "history[0]": -1.0, "history[1]": -0.5, "theta": 1.0}
    kernel = np.array([p["history[0]"], p["history[1]"]])
    drive = p["bias"] + p["stimulus[0]"] * x
    rates = []
    for sigma in (1e-9, 1.0):
        model = NeuronModel(dt=dt, family=nsnn.Gaussian(sigma), stimulus=Lags(1), history=Lags(2), beta=0.6)
        theirs = np.zeros((400, 300))
        block = model.simulate(p, sets.analog(x[:, None], 1e-3), trials=300, seed=4)
        for k, segment in enumerate(block.segments):
            theirs[np.rint(segment.spiketrains[0].magnitude * 1e3).astype(int), k] = 1
        ours = fits.draw(
            np.repeat(drive[:, None], 300, axis=1), kernel,
            fits.fires if sigma < 1 else ndtr, np.random.default_rng(5), beta=0.6, theta=1.0,
        )  # fmt: skip
        if sigma < 1:
            assert 20 < ours[:, 0].sum() < 300
            np.testing.assert_array_equal(ours, theirs)
        rates.append([a.sum(axis=0) for a in (ours, theirs)])
    ours, theirs = rates[1]
    z = (ours.mean() - theirs.mean()) / np.hypot(stats.sem(ours), stats.sem(theirs))
    assert abs(z) < 4


@pytest.mark.slow
def test_floor_and_gain_maximise_the_likelihood():
    rng = np.random.default_rng(6)
    curve = rng.random(20_000)
    o = (rng.random(20_000) < 0.02 + 0.98 * 0.3 * curve).astype(float)
    value, floor, gain = fits.fit_floor_and_gain(curve, o)
    errors = 4 * np.array([0.004, 0.008])  # four standard errors, roughly
    assert np.all(np.abs([floor - 0.02, gain - 0.3]) < errors)
    at = [
        fits.log_likelihood(f + (1 - f) * g * curve, o).sum()
        for f in np.linspace(0.001, 0.06, 40)
        for g in np.linspace(0.2, 0.4, 40)
    ]
    assert max(at) <= value + 1e-6
    assert value - max(at) < 0.5


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
    assert arms[fits.DETERMINISTIC].chosen["shift"] > 0
    assert abs(np.log(arms[fits.DETERMINISTIC].spikes.mean() / fitting.rate)) < 0.2
    assert np.ptp(arms[fits.DETERMINISTIC].spikes.sum(axis=1)) == len(
        arms[fits.DETERMINISTIC].spikes.T
    )  # all trials or none


@pytest.mark.slow
def test_probabilities_of_the_network_follow_from_its_likelihood(known):
    """Their bits per spike are the fit's own score, except for the reference rate: the test part's there, training's here."""
    recording, _, _, _ = known
    config = dataclasses.replace(SMALL, n_hidden=3, epochs=2, refine=0, particles=10)
    fitting = fits.Fitting(recording, config)
    with pytest.MonkeyPatch.context() as patch:
        made = []
        patch.setattr(
            nsnn,
            "fit_network",
            lambda *a, original=nsnn.fit_network, **k: made.append(original(*a, **k)) or made[0],
        )
        arm = fitting.network(Lags(2), 0.5)
    score = made[0].score(
        recording.trains, recording.signals, t_start=4 * pq.s, t_stop=6 * pq.s, particles=10, seed=config.seed
    )
    o = fitting.o
    constant = fits.log_likelihood(np.full(o.shape, o.mean()), o).sum()
    bits = (fits.log_likelihood(arm.p, o).sum() - constant) / o.sum() / np.log(2)
    assert bits == pytest.approx(score.value, abs=1e-9)
    assert arm.spikes.shape == (o.shape[1], config.trials)


@pytest.mark.slow
def test_one_deterministic_neuron_gets_no_spikes_and_the_other_past_spikes_only(known):
    """New test spikes leave the free-running neuron unchanged, and change the other one from the first difference on."""
    recording, _, fitting, arms = known
    cut = 5.0
    other = [np.concatenate([t[t < cut], np.arange(cut, 5.99, 0.013)]) for t in recording.trains]
    changed = fits.Fitting(dataclasses.replace(recording, trains=other), SMALL)
    again = changed.deterministic_neurons(fitting.neuron(recording.bases))
    np.testing.assert_array_equal(again[fits.DETERMINISTIC].p, arms[fits.DETERMINISTIC].p)
    same = round((cut - recording.borders[0]) / recording.dt)
    np.testing.assert_array_equal(again[fits.GIVEN_SPIKES].p[:, :same], arms[fits.GIVEN_SPIKES].p[:, :same])
    assert (again[fits.GIVEN_SPIKES].p != arms[fits.GIVEN_SPIKES].p).any()
    assert again[fits.ADDED].chosen == arms[fits.ADDED].chosen


@pytest.mark.slow
def test_the_test_part_does_not_affect_the_fits(known):
    """With other test spikes all that was chosen or fitted is the same."""
    recording, _, _, arms = known
    other = [np.concatenate([t[t < 4.0], np.arange(4.0, 5.99, 0.02)]) for t in recording.trains]
    again = fits.fitted(dataclasses.replace(recording, trains=other), SMALL)[1]
    for name, arm in arms.items():
        assert again[name].chosen == arm.chosen
        np.testing.assert_array_equal(again[name].spikes, arm.spikes)


# --- recordings --------------------------------------------------------------------------------------------------------------


def test_each_kind_of_recording_has_one_raster(monkeypatch):
    known = [types.SimpleNamespace(name=name, kind=name[0]) for name in ("a1", "a2", "b1")]
    made = []

    def of_one(config, recording, drawn):
        made.append((recording.name, drawn))
        return [{"kind": recording.kind, "recording": recording.name, "value": np.float64(len(made))}]

    monkeypatch.setattr(simulation, "recordings", lambda config: known)
    monkeypatch.setattr(simulation, "rows_of_recording", of_one)
    found = study.run(study.Config(quick=True))
    assert made == [("a1", True), ("a2", False), ("b1", True)]
    assert found.value.tolist() == [1.0, 2.0, 3.0]


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


def test_absent_recordings_are_skipped(tmp_path, monkeypatch):
    monkeypatch.setenv("NSNN_SHARED_DATA", str(tmp_path))
    assert [r.name for r in sets.recordings(study.Config(relays=()))] == ["grasshopper 1", "grasshopper 2"]


@pytest.mark.parametrize("times", [[0.1, 0.05, 0.3], [[0.1, 0.2]], [1, 2, 3], []])
def test_invalid_p_unit_files_are_rejected(times, tmp_path, monkeypatch):
    place = tmp_path / "punit_noisy_lif"
    place.mkdir()
    (place / "SOURCE.txt").write_text("made up")
    np.save(place / "some-invivo-1_baseline_spikes.npy", np.array(times))
    monkeypatch.setenv("NSNN_SHARED_DATA", str(tmp_path))
    config = dataclasses.replace(SMALL, grasshoppers=(), settings=(), punits=("some",))
    with pytest.raises(nsnn.FormatError, match="cell 'some' can't be read"):
        list(sets.recordings(config))


@pytest.mark.slow
def test_p_units_have_history_only_or_the_phase_of_the_field():
    recordings.folder("punit_noisy_lif")
    config = dataclasses.replace(SMALL, grasshoppers=(), settings=(), punits=sets.PUNITS[:2])
    phased, plain = sets.recordings(config)
    np.testing.assert_allclose((phased.signals[0].magnitude ** 2).sum(axis=1), 1, rtol=1e-12)
    assert phased.stimulated
    assert not plain.stimulated
    fitting, arms = fits.fitted(plain, config)
    assert fits.ALONE not in arms
    assert np.ptp(arms[fits.LNP].p) == 0
    assert arms[fits.LNP].p[0, 0] == pytest.approx(fitting.rate, rel=1e-9)
    gain = fits.log_likelihood(arms[fits.NEURON].p, fitting.o) - fits.log_likelihood(
        arms[fits.LNP].p, fitting.o
    )
    assert gain.sum() > 0


# --- calibrated neurons ------------------------------------------------------------------------------------------------------


def spontaneous(after):
    """A P-unit-like recording of 1 s without a stimulus, whose test part from .7 s on has the spikes `after`."""
    times = np.cumsum(np.random.default_rng(11).gamma(9.0, 2e-3, size=60))
    trains = [np.concatenate([times[times < 0.7], after])]
    bases = {"stimulus": sets.Nothing(), "history": Lags(3)}
    signals = [sets.analog(np.zeros((1000, 1)), 1e-3)]
    return sets.Recording("P-unit", "made up", trains, signals, 1e-3, (0.7, 1.0), (bases,), 1e-3)


@pytest.mark.slow
def test_calibrated_neurons_see_the_training_part_only_and_predict_every_bin():
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


def test_a_calibration_that_fails_is_a_remark(monkeypatch):
    def refuse(*args, **kwargs):
        raise nsnn.NsnnError("free: tau_m, b cannot be distinguished")

    monkeypatch.setattr(nsnn, "calibrate", refuse)
    arms, remarks = calibrated.calibrated(
        fits.Fitting(spontaneous(np.array([0.8])), SMALL), calibrated.CALIBRATED
    )
    assert not arms
    assert remarks == [
        (name, "not fitted: free: tau_m, b cannot be distinguished") for name in calibrated.CALIBRATED
    ]


def with_calibrated(value):
    """`made_up` with a relay neuron, and leads of .5 over the calibrated neurons but for one P-unit that has none."""
    table = made_up()
    relay = table[table.recording == "cortical 1"].assign(kind=sets.RELAY, recording="relay 1")
    relay.loc[relay.part == "lead", ["value", "low", "high"]] = -1.0
    rows = table[(table.model == fits.GLM) & (table.part == "lead") & (table.recording != "P-unit 2")]
    rows = pd.concat(
        [rows, rows.iloc[:1].assign(kind=sets.RELAY, recording="relay 1", value=value, low=value - 0.1)]
    )
    remark = {
        "kind": "P-unit",
        "recording": "P-unit 2",
        "part": "remark",
        "model": calibrated.GIF,
        "measure": "not fitted: a ridge",
    }
    parts = [
        table,
        relay,
        *(rows.assign(model=name) for name in calibrated.CALIBRATED),
        pd.DataFrame([remark]),
    ]
    return pd.concat(parts, ignore_index=True)


def test_claims_about_calibrated_neurons_include_the_relay_neuron_and_the_others_do_not():
    for value, holds in ((0.2, True), (0.05, False)):
        table = with_calibrated(value)
        found = study.claims(table)
        assert found[: len(study.claims(made_up()))] == study.claims(made_up())
        gif, lif = found[-2:]
        assert (lif.holds, gif.holds, lif.central, gif.central) == (holds, holds, False, False)
        assert "not fitted: P-unit 2" in gif.evidence
        assert "not fitted" not in lif.evidence
        assert f"relay 1 {value:.3f}" in lif.evidence
        assert study.headline(table) == study.headline(made_up())


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


@pytest.mark.slow
def test_the_relay_neuron_follows_its_input():
    config = dataclasses.replace(SMALL, grasshoppers=(), settings=(), punits=(), relays=(1,), seconds=0.4)
    (relay,) = sets.recordings(config)
    assert relay.kind == sets.RELAY
    counts = relay.signals[0].magnitude[:, 0] > relay.signals[0].magnitude[:, 0].min()
    (spikes,) = relay.trains
    assert 3 < len(spikes) < counts.sum()
    last = [np.flatnonzero(counts[: int(t / relay.dt) + 1])[-1] for t in spikes]
    assert np.median(spikes - np.array(last) * relay.dt) < 8e-3

"""Codes of noise: each claim can fail, sabotages are noticed, and the study's arithmetic against values known by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from helpers.quick_runs import quick_table
from helpers.studies import assert_each_can_fail, changed, failing

from analysis import codes_of_noise as study
from analysis.codes_of_noise import choice, recorded, timing, verdicts
from analysis.codes_of_noise import config as c
from nsnn_neuro import FormatError

SEEDS = 6
LEVELS = (0.5, 2.0, 8.0, 32.0)


def made_up():
    """A table in which every claim holds: values fixed for each condition, with a small scatter over seeds."""
    rng, rows = np.random.default_rng(4), []

    def add(part, quantity, values, n=SEEDS, condition="", kind="", scatter=0.002, **more):
        for level, value in values.items():
            for group in range(n):
                shown = value + scatter * rng.standard_normal() if value else 0.0
                rows.append(
                    {
                        "part": part, "group": group, "condition": condition, "kind": kind, "level": level,
                        "quantity": quantity, "value": shown, **more,
                    }
                )  # fmt: skip

    def at(*values, levels=LEVELS):
        return dict(zip(levels, values, strict=True))

    for kind in timing.KINDS:
        same = {"condition": "fast", "kind": kind}
        add("timing", "words", at(2.0, 1.0, 0.2, 0.02), **same)
        add("timing", "words, quadratic", at(2.0, 1.0, 0.2, 0.02), **same)
        add("timing", "count", at(0.8, 0.6, 0.1, 0.01), **same)
        add("timing", "latency", at(1.5, 0.7, 0.1, 0.01), **same)
        add("timing", "surplus", at(1.2, 0.4, 0.1, 0.01), **same)
        for name in ("fast", "weak"):
            add("timing", "mean count", at(1, 1, 1, 1), condition=name, kind=kind)
        for code in ("words", "count", "latency", "surplus"):
            add("timing", code, at(0, 0.02, 0.05, 0.01), condition="weak", kind=kind)
    parts = ("redundant", "synergistic", "unique_1", "unique_2")
    pair = ((1.6, 0.1), (0.1, 0.06), (0.1, 0.02), (0.1, 0.02))
    for name, values in zip(("total", *parts), ((2.0, 0.2), *pair), strict=True):
        add("private", name, at(*values, levels=(0.5, 8.0)), condition="equal", scatter=1e-4)
    for tuning, synergy in (("equal", (0.2, 0.1)), ("opposite", (0.2, 0.4))):
        for name, values in zip(parts, ((0.3, 0.3), synergy, (0.02, 0.02), (0.02, 0.02)), strict=True):
            add("shared", name, at(*values, levels=(0.0, 0.75)), condition=tuning, p=0.01)
    for kind, synergy in (("shared gain", (0.1, 0.3)), ("private gain", (0.2, 0.1))):
        add("gain", "synergistic", at(*synergy, levels=(0.0, 90.0)), condition=kind)
        add("gain", "gain variance", {np.nan: 0.1}, condition=kind)
    for condition, in_count, link in (("shared 0", 0.5, 0.01), ("shared 0.5", 0.1, 0.1)):
        for name, values in {
            "I(S; R)": (0.8, 0.8), "I(S; C)": (in_count, 0.01), "I(S; C | R)": (0.005, 0.001), "intersection": (in_count, 0.01),
            "I(S; cell)": (0.1, 0.1), "intersection, cell": (0.08, 0.01), "I(cell; C | S)": (link, 0.001),
            "transfer": (0.02, 0.001), "transfer back": (0.001, 0.0005),
        }.items():  # fmt: skip
            add("choice", name, at(*values, levels=(0.5, 16.0)), condition=condition, scatter=1e-4)
    for code, values in {"count": (1.1, 1.1), "latency": (1.3, 0.8)}.items():
        add("retina", code, at(*values, levels=(0.0, 0.05)), n=12)
    signal = np.linspace(-0.8, 0.8, 12)
    rows += [
        {"part": "retina pairs", "group": k, "quantity": "signal correlation", "value": s}
        for k, s in enumerate(signal)
    ]
    for condition in ("recorded", "private losses", "shared losses"):
        for name, value in {"redundant": 0.1, "synergistic": 0.03, "unique_1": 0.1, "unique_2": 0.1}.items():
            for k, s in enumerate(signal):
                lost = -0.02 * s if (condition, name) == ("shared losses", "synergistic") else 0.0
                rows.append(
                    {
                        "part": "retina pairs", "group": k, "condition": condition, "quantity": name,
                        "value": value + lost + 1e-4 * rng.standard_normal(), "null": value,
                    }
                )  # fmt: skip
    for condition, quantity, value, se in (
        ("subthalamic", "count", 0.5, 0.1),
        ("light", "surplus", 0.1, 0.02),
    ):
        more = {"condition": condition, "quantity": quantity, "value": value, "se": se, "p": 0.002}
        rows.append({"part": "textbook", **more})
    return pd.DataFrame(rows, columns=c.COLUMNS).astype({"condition": object, "kind": object})


# claim -> rows to change, by column; and the column and value that break it
BROKEN = {
    c.TIMING_LOST: ({"part": "timing", "condition": "fast", "kind": "escape", "quantity": "surplus", "level": 32.0}, "value", 0.4),
    c.MOVED: ({"part": "timing", "condition": "fast", "quantity": "count", "level": 0.5}, "value", 1.3),
    c.CREATED: ({"part": "timing", "condition": "weak", "kind": "escape", "quantity": "count", "level": 32.0}, "value", 0.06),
    c.KINDS: ({"part": "timing", "condition": "fast", "kind": "escape", "quantity": "count", "level": 2.0}, "value", 0.9),
    c.CORRECTIONS: ({"part": "timing", "quantity": "words, quadratic", "level": 8.0}, "value", 0.25),
    c.TO_SYNERGY: ({"part": "private", "quantity": "synergistic", "level": 8.0}, "value", 0.005),
    c.SHARED_EQUAL: ({"part": "shared", "condition": "equal", "quantity": "synergistic", "level": 0.75}, "value", 0.21),
    c.SHARED_OPPOSITE: ({"part": "shared", "condition": "opposite", "group": 2, "quantity": "synergistic"}, "p", 0.06),
    c.MARGINS: ({"part": "shared", "condition": "opposite", "quantity": "redundant", "level": 0.75}, "value", 0.36),
    c.GAIN: ({"part": "gain", "condition": "shared gain", "quantity": "synergistic", "level": 0.0}, "value", 0.21),
    c.ORTHOGONAL: ({"part": "gain", "condition": "shared gain", "quantity": "synergistic", "level": 90.0}, "value", 0.09),
    c.READOUT: ({"part": "choice", "condition": "shared 0", "quantity": "intersection", "level": 16.0}, "value", 0.3),
    c.PROCESSING: ({"part": "choice", "condition": "shared 0", "quantity": "I(S; C | R)", "level": 0.5}, "value", 0.06),
    c.CHOICE_LINK: ({"part": "choice", "condition": "shared 0.5", "quantity": "I(cell; C | S)", "level": 0.5}, "value", 0.005),
    c.TRANSFER: ({"part": "choice", "condition": "shared 0", "quantity": "transfer back", "level": 0.5}, "value", 0.005),
    c.SINGLE_CELL: ({"part": "choice", "condition": "shared 0.5", "quantity": "intersection, cell", "level": 0.5}, "value", 0.1),
    c.JITTER: ({"part": "retina", "quantity": "latency", "level": 0.05}, "value", 1.2),
    c.NET_REDUNDANT: ({"part": "retina pairs", "condition": "recorded", "quantity": "redundant"}, "value", 0.02),
    c.CORRELATIONS: ({"part": "retina pairs", "condition": "recorded", "quantity": "synergistic"}, "null", 0.05),
    c.LOSSES: ({"part": "retina pairs", "condition": "shared losses", "quantity": "synergistic"}, "value", 0.03),
    c.STN: ({"part": "textbook", "condition": "subthalamic"}, "p", 0.07),
    c.LIGHT: ({"part": "textbook", "condition": "light"}, "p", 0.07),
}  # fmt: skip


def test_each_claim_has_a_counterexample():
    table = made_up()
    broken = {
        text: changed(table, column, lambda _, value=value: value, **where)
        for text, (where, column, value) in BROKEN.items()
    }
    assert_each_can_fail(study, table, broken, alone=True)
    assert {claim.text: claim.holds for claim in study.claims(table)} == dict.fromkeys(BROKEN, True)
    assert "0.40 bit" in study.headline(table)
    assert not [*verdicts.recorded_claims(table[~table.part.isin(["retina", "retina pairs", "textbook"])])]


def test_without_recordings_there_are_no_rows_and_a_damaged_file_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setenv("NSNN_SHARED_DATA", str(tmp_path))
    assert recorded.rows(study.Config(quick=True)) == []
    (tmp_path / "10_spikes-1.mat").write_bytes(b"nothing")
    with pytest.raises(FormatError, match="can't be read"):
        recorded.textbook(tmp_path, study.Config(quick=True))


# --- arithmetic --------------------------------------------------------------------------------------------------------------


def test_the_share_of_the_count_where_words_have_lost_half():
    """Words 2, 1.5, .5 bit at 1, 2, 4 mV have half at 2 sqrt 2 mV; the count, .4, .6, .2 bit, has .4 there, of 1 bit."""
    same = {"part": "timing", "condition": "fast", "kind": "escape", "group": 0}
    rows = [
        {**same, "level": level, "quantity": q, "value": v}
        for q, values in {"words": (2.0, 1.5, 0.5), "count": (0.4, 0.6, 0.2)}.items()
        for level, v in zip((1.0, 2.0, 4.0), values, strict=True)
    ]
    found = verdicts.shares(pd.DataFrame(rows), "escape").iloc[0]
    assert found.level == pytest.approx(2 * np.sqrt(2))
    assert (found.least, found.half) == pytest.approx((0.2, 0.4))
    flat = pd.Series([1.0, 0.9], index=[1.0, 2.0])
    assert np.isnan(verdicts.half_level(flat))
    assert np.isnan(verdicts.half_level(flat - 1))


def test_the_best_level_is_that_of_other_seeds():
    """One seed has its maximum at another level by chance: it does not count there."""
    counts = pd.DataFrame(
        [[0, 1.0, 0.5, 0], [0, 1.0, 0.5, 0], [0, 0.0, 9.0, 0]], columns=[1.0, 2.0, 4.0, 8.0]
    )
    holds, text = verdicts.created(counts)
    assert not holds
    assert text.startswith("0.333 bit at 4 mV")  # .5, .5 and 0 at the levels that the others choose


def test_jitter_keeps_every_spike_and_losses_have_their_law():
    rng = np.random.default_rng(2)
    times = recorded.reflected(rng.normal(0.15, 0.5, 2000))
    assert ((times >= 0) & (times <= recorded.LENGTH)).all()
    counts = np.full((4000, 2), 8)
    shared, private = (thinned for name, thinned in recorded.losses(counts, rng) if name != "recorded")
    law = 0.5 * (8 + 2)  # half of the trials keep all, the others a quarter
    for thinned in (shared, private):
        z = (thinned.mean(axis=0) - law) / (thinned.std(axis=0) / np.sqrt(len(thinned)))
        assert (np.abs(z) < 4).all()
    variance = 9 + 0.5 * 8 * 0.25 * 0.75  # of the two means, and binomial in half of the trials
    expected = 9 / variance
    found = np.corrcoef(shared.T)[0, 1]
    assert abs(np.arctanh(found) - np.arctanh(expected)) * np.sqrt(4000) < 4
    assert abs(np.corrcoef(private.T)[0, 1]) * np.sqrt(4000) < 4
    found = recorded.latency_classes(np.array([np.inf, 0.1, 0.2, np.inf, 0.15]))  # silence is one of its own
    assert found.tolist() == [recorded.CLASSES - 1, 0, 2, recorded.CLASSES - 1, 1]


@pytest.mark.slow
def test_a_readout_that_copies_the_layer_with_a_delay():
    """A chain: the choice uses all that it tells, nothing beyond the layer; each spike of one cell is transferred, none back."""
    rng = np.random.default_rng(3)
    rate = np.array([0.2, 0.4])[:, None, None, None]
    layer = (rng.random((2, 300, 1, 30)) < rate).astype(int)
    readout = np.zeros_like(layer[:, :, 0])
    readout[:, :, 1:] = layer[:, :, 0, :-1]
    config = dataclasses.replace(study.Config(), nulls=2, shuffles=2, layer=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "SINGLE", 1)
        rows = choice.of_choice(config, np.repeat([0, 1], 300), layer, readout) + choice.transfer(
            config, layer, readout
        )
    value = {row["quantity"]: row["value"] for row in rows}
    assert value["I(S; C)"] > 0.1
    assert abs(value["intersection"] - value["I(S; C)"]) < 0.02
    assert abs(value["I(S; C | R)"]) < 0.02
    assert value["mean count"] == readout.sum() / 600
    entropy = np.mean([-p * np.log2(p) - (1 - p) * np.log2(1 - p) for p in (0.2, 0.4)])
    assert value["transfer"] == pytest.approx(entropy, abs=0.02)
    assert abs(value["transfer back"]) < 0.002


# --- runs --------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_sabotaged_run_fails(monkeypatch, tmp_path):
    """The part that a sabotage spoils is run again; the others are those of a quick run."""
    name, claim = "rate and timing", c.TIMING_LOST
    normal = quick_table(study)
    assert claim not in failing(study, normal)
    monkeypatch.setenv("NSNN_SHARED_DATA", str(tmp_path))
    monkeypatch.setattr(study, "PARTS", {name: study.PARTS[name]})
    spoilt = study.run(study.Config(quick=True, sabotage="times shuffled"))
    assert claim in failing(study, pd.concat([normal[~normal.part.isin(spoilt.part)], spoilt]), central=True)

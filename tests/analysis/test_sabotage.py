"""Claims must be able to fail: `verify` fails under each sabotage. Other studies are tested in their own files."""

from __future__ import annotations

import functools
import re
from typing import Any

import pytest
from helpers.quick_runs import quick_table
from helpers.studies import failing

import nsnn_neuro as nsnn
from analysis import harness

CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    # study: a small configuration, the sabotage, the claim that fails
    "threshold_bridge": ({"spikes": 20_000, "steps": (1e-4,)}, "bridge off", "within 1 % of Siegert's rate"),
    "estimator_benchmark": (
        {"repeats": 3, "per_response": (1.0, 4.0, 8.0), "trials": (20,), "samples": (500,), "bins": (6,), "few": (20,)},
        "stimuli shuffled",
        "words, four trials per response",
    ),
    "surrogate_rationale": ({"quick": True}, "another density", "equals a published surrogate gradient"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_claim_holds_without_and_fails_under_a_sabotage(name: str) -> None:
    study = harness.find(name)
    small, sabotage, claim = CASES[name]
    normal = study.run(study.Config(**small)) if name == "threshold_bridge" else quick_table(study)
    spoilt = study.run(study.Config(**small, sabotage=sabotage))
    assert not re.search(claim, "\n".join(failing(study, normal, central=True)))
    assert re.search(claim, "\n".join(failing(study, spoilt, central=True)))


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_without_learning_no_information_is_gained(monkeypatch: pytest.MonkeyPatch) -> None:
    study = harness.find("learning_and_information")
    monkeypatch.setitem(study.LAYERS, "hidden", 16)
    monkeypatch.setattr(nsnn, "train", functools.partial(nsnn.train, engine="numpy"))
    small = {"seeds": 2, "epochs": (0, 1), "repeats": 2, "every": 64, "n_steps": 6}
    spoilt = study.run(study.Config(**small, sabotage="learning off"))
    assert "more information about the class after learning" in "\n".join(failing(study, spoilt))
    first, last = (spoilt[spoilt.epochs == epochs].accuracy.tolist() for epochs in (0, 1))
    assert first == last


@pytest.mark.parametrize("name", harness.studies())
def test_every_study_has_sabotages(name: str) -> None:
    study = harness.find(name)
    assert study.SABOTAGES
    assert all(isinstance(text, str) and text for pair in study.SABOTAGES.items() for text in pair)
    assert study.Config().sabotage == ""

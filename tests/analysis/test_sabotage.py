"""Claims must be able to fail: `verify` fails under each sabotage. Other studies are tested in their own files."""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.quick_runs import quick_table
from test_study_grasshopper import SMALL, first_second

import nsnn_neuro as nsnn
from analysis import harness
from analysis.harness import ClaimFailed

TINY = {"seeds": 2, "hidden": 8, "rates": (0.01,)}
CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    # study: a small configuration, the sabotage, the claim that fails
    "threshold_bridge": ({"spikes": 20_000, "steps": (1e-4,)}, "bridge off", "within 1 % of Siegert's rate"),
    "estimator_benchmark": ({"quick": True}, "stimuli shuffled", "words, four trials per response"),
    "surrogate_rationale": ({"quick": True}, "another density", "equals a published surrogate gradient"),
    "grasshopper": (
        {f.name: getattr(SMALL, f.name) for f in dataclasses.fields(SMALL) if f.name != "sabotage"} | {"split": 0.5},
        "noise off",
        "a higher likelihood under the noisy model than under the deterministic",
    ),
    "two_layer_fits": (
        {"cells": (1,), "n_hidden": (2, 3), "steps": 1000, "test": 1000, "epochs": 2, "refine": 1, "particles": 5},
        "another stimulus",
        "predicts it better than a single neuron",
    ),
    "learn_digits": (
        TINY | {"epochs": 1, "widths": (0.4,), "penalties": (1e-4,), "n_steps": 6, "passes": 1},
        "labels shuffled",
        "mean test accuracy",
    ),
    "learn_spike_times": (
        {"seeds": 2, "sizes": (10, 6, 2), "sigmas": (0.3,), "widths": (0.4,), "updates": 20, "batch": 2, "repeats": 10},
        "other targets",
        "below that to other targets",
    ),
    "learning_and_information": (
        {"seeds": 2, "epochs": (0, 1), "repeats": 2, "every": 64, "n_steps": 6},
        "learning off",
        "more information about the class after learning",
    ),
    "robustness": (
        TINY | {"tuning": 1, "epochs": 2, "n_steps": 4, "images": 5, "draws": 1, "queries": 10, "steps": 1,
         "widths": (0.4,), "bits": (3,),
         "inputs": (0.3,), "squares": (3,), "changes": (0.2,), "norms": (0.8,), "losses": (0.3,), "jitters": (0.4,),
         "worst": (0.1,), "surrogates": (0.4,), "worst_draws": (1,), "worst_steps": 1},
        "labels shuffled",
        "not inferior to the deterministic network",
    ),
    "noise_level": (
        TINY | {"epochs": 2, "n_steps": 4, "levels": (0.2, 0.4), "images": 5, "draws": 1, "steps": 1, "passes": 2},
        "labels shuffled",
        "not inferior by more",
    ),
    "architectures": (TINY | {"epochs": 2, "n_steps": 4, "samples": 50}, "labels shuffled", "every combination .* learns"),
}  # fmt: skip
PASS = {"threshold_bridge", "estimator_benchmark", "surrogate_rationale"}
"""studies whose claim holds in the small run; in the others the sabotage must change the table"""


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second of the recording, 100 digits of each part, NumPy code for training, and one of the architectures."""
    digits = nsnn.datasets.digits

    def some(split: str = "train", *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        X, y = digits(split, seed=seed)
        return X[:100], y[:100]

    monkeypatch.setattr(nsnn.datasets, "digits", some)
    study = harness.find("architectures")
    monkeypatch.setattr(study, "COMBINATIONS", study.COMBINATIONS[:1])
    monkeypatch.setattr(nsnn.datasets, "grasshopper", first_second)
    monkeypatch.setitem(harness.find("learning_and_information").LAYERS, "hidden", 16)
    monkeypatch.setattr(nsnn, "train", functools.partial(nsnn.train, engine="numpy"))


def failures(study: Any, table: pd.DataFrame) -> str:
    """Message of the failed claims, "" if all hold."""
    try:
        study.verify(table)
    except ClaimFailed as failed:
        return str(failed)
    return ""


@pytest.mark.slow
@pytest.mark.usefixtures("light")
@pytest.mark.parametrize("name", CASES)
def test_claims_fail_under_each_sabotage(name: str) -> None:
    study = harness.find(name)
    if getattr(study, "NEEDS", None):
        pytest.importorskip(study.NEEDS)
    small, sabotage, claim = CASES[name]
    assert sabotage in study.SABOTAGES
    normal = quick_table(study) if small == {"quick": True} else study.run(study.Config(**small))
    sabotaged = study.run(study.Config(**small, sabotage=sabotage))
    assert re.search(claim, failures(study, sabotaged))
    if name in PASS:
        assert not re.search(claim, failures(study, normal))
    else:
        assert not normal.equals(sabotaged)


@pytest.mark.parametrize("name", harness.studies())
def test_every_study_has_sabotages(name: str) -> None:
    study = harness.find(name)
    assert study.SABOTAGES
    assert all(isinstance(text, str) and text for pair in study.SABOTAGES.items() for text in pair)
    assert study.Config().sabotage == ""

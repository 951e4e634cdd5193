"""The study of learning and information: its claims on made-up tables, and its measures where there is no noise."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pandas as pd
import pytest
from helpers.studies import assert_each_can_fail, failing

from analysis import learning_and_information as study
from analysis.harness import ClaimFailed, verify

BEFORE = {
    "neuron": 0.2, "hidden": 2.8, "output": 0.3, "input": 2.9, "spikes": 2.0, "per spike": 0.10, "noise entropy": 1.4, "fano": 0.8,
    "reliability": 0.2,
}  # fmt: skip
AFTER = {
    "neuron": 0.5, "hidden": 3.1, "output": 3.0, "input": 2.9, "spikes": 4.0, "per spike": 0.125, "noise entropy": 1.2, "fano": 0.6,
    "reliability": 0.4,
}  # fmt: skip
DETERMINISTIC = {"fano": 0.5, "reliability": 0.6}


def table(arm: str = "noisy", spread: float = 0.001, nulls: float = 0.0, **broken: float) -> pd.DataFrame:
    """All claims hold, but for what is broken in one network after learning."""
    rows = []
    for one in study.ARMS:
        for epochs, values in ((0, BEFORE), (4, AFTER)):
            here = values | (DETERMINISTIC if one == "deterministic" and epochs else {})
            here = here | (broken if one == arm and epochs else {})
            for seed, shift in enumerate((-spread, 0.0, spread)):
                turned = shift * (1 if one == "noisy" else -1) * (1 if epochs else -1)
                row = {"arm": one, "seed": seed, "epochs": epochs, "accuracy": 0.9}
                row |= {name: value + turned for name, value in here.items()}
                rows.append(row | {f"{name} null": nulls for name in ("neuron", "hidden", "output")})
    return pd.DataFrame(rows)


def test_claims_hold_and_fail_one_by_one() -> None:
    broken: dict[str, dict[str, float]] = {
        "more information about the class after learning": {"neuron": 0.2},
        "the output preserves 90 %": {"output": 2.7},
        # not central
        "shuffled classes": {"nulls": -0.011},
        "decoded from the hidden layer rises": {"hidden": 2.8, "input": 2.7},
        "exceeds the information decoded from the input": {"input": 3.2},
        "given the image falls": {"noise entropy": 1.4},
        "information per spike of a hidden neuron rises": {"per spike": 0.1},
        "Fano factor falls": {"fano": 0.8},
        "more variable and less reliable": {"reliability": 0.6},
        "within 0.1 bit of that of the deterministic": {"output": 2.89},
    }
    assert all(claim.holds for claim in study.claims(table()))
    assert_each_can_fail(study, table(), {words: table(**change) for words, change in broken.items()})
    assert (len(study.summary(table())), len(study.plot(table()).axes)) == (4, 8)
    verify(study, table("deterministic", output=2.8))
    with pytest.raises(ClaimFailed, match="the output preserves 90 %"):
        verify(study, table("deterministic", output=2.7))
    with pytest.raises(ClaimFailed, match="more information about the class"):  # a gain within its error
        verify(study, table(spread=0.1))
    found = table()
    for null, holds in ((0.04, True), (0.06, False)):  # the criterion of a layer is wider than a neuron's
        found["output null"] = null
        assert (not failing(study, found)) is holds


@pytest.mark.slow
def test_without_noise_repeats_are_identical(monkeypatch: pytest.MonkeyPatch) -> None:
    """With black and white images the Bernoulli input is deterministic; the noisy network still varies."""
    digits = study.nsnn.datasets.digits

    def sharp(split: str = "train", *, seed: int = 0):
        X, y = digits(split, seed=seed)
        return np.rint(X)[:100], y[:100]

    monkeypatch.setattr(study.nsnn.datasets, "digits", sharp)
    monkeypatch.setattr(study.nsnn, "train", functools.partial(study.nsnn.train, engine="numpy"))
    config = dataclasses.replace(study.Config(), seeds=1, epochs=(0, 1, 2), repeats=4, every=4)
    found = study.run(config)
    assert found.groupby("arm").epochs.apply(list).tolist() == [[0, 1, 2]] * 2
    deterministic = found[found.arm == "deterministic"]
    assert (deterministic.fano == 0).all()
    assert np.abs(deterministic["noise entropy"]).max() < 1e-9
    assert deterministic.reliability.to_numpy() == pytest.approx(1, abs=1e-12)
    noisy = found[found.arm == "noisy"]
    assert (noisy.fano > 0.1).all()
    assert (noisy["noise entropy"] > 0.1).all()
    assert (noisy.reliability < 0.9).all()

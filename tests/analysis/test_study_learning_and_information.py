"""The study of learning and information: its claims on made-up tables, and its measures where there is no noise."""

from __future__ import annotations

import dataclasses
import functools

import neo
import numpy as np
import pandas as pd
import pytest
import quantities as pq

from analysis import learning_and_information as study
from analysis.harness import ClaimFailed
from nsnn_neuro import measures

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


def failing(found: pd.DataFrame) -> list[str]:
    return [claim.text for claim in study.claims(found) if not claim.holds]


def test_all_claims_hold_on_a_table_made_for_them() -> None:
    study.verify(table())
    assert failing(table()) == []
    assert len(study.claims(table())) == 10
    assert len(study.summary(table())) == 4
    assert len(study.plot(table()).axes) == 8


@pytest.mark.parametrize("arm", ["noisy", "deterministic"])
def test_central_claims_fail_one_by_one(arm: str) -> None:
    with pytest.raises(ClaimFailed, match="more information about the class after learning"):
        study.verify(table(arm, neuron=0.2))
    with pytest.raises(ClaimFailed, match="the output preserves 90 %"):
        study.verify(table(arm, output=2.7))
    study.verify(table(arm, output=2.8))


def test_a_gain_within_its_error_fails() -> None:
    with pytest.raises(ClaimFailed, match="more information about the class"):
        study.verify(table(spread=0.1))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"nulls": 0.011}, "shuffled classes"),
        ({"nulls": -0.011}, "shuffled classes"),
        ({"hidden": 2.8, "input": 2.7}, "decoded from the hidden layer rises"),
        ({"input": 3.2}, "exceeds the information decoded from the input"),
        ({"noise entropy": 1.4}, "given the image falls"),
        ({"per spike": 0.1}, "information per spike of a hidden neuron rises"),
        ({"fano": 0.8}, "Fano factor falls"),
        ({"reliability": 0.2}, "Fano factor falls"),
        ({"fano": 0.5}, "more variable and less reliable"),
        ({"reliability": 0.6}, "more variable and less reliable"),
        ({"output": 2.89}, "within 0.1 bit of that of the deterministic"),
        ({"output": 3.11, "hidden": 3.2}, "within 0.1 bit of that of the deterministic"),
    ],
)
def test_the_other_claims_fail_one_by_one(broken: dict[str, float], words: str) -> None:
    (text,) = failing(table(**broken))
    assert words in text
    study.verify(table(**broken))


def test_layers_have_a_separate_criterion_for_shuffled_classes() -> None:
    found = table()
    found["output null"] = 0.04
    assert failing(found) == []
    found["output null"] = 0.06
    assert len(failing(found)) == 1


@pytest.mark.slow
def test_repeats_are_measured_in_the_hidden_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the same trials and neurons picked train by train from a Block."""
    monkeypatch.setattr(study, "LAYERS", {"input": 3, "hidden": 4, "output": 2})
    config = dataclasses.replace(study.Config(), repeats=5, every=2)
    rng = np.random.default_rng(1)
    block = neo.Block()
    for _ in range(7 + 10 * 5):
        block.segments.append(neo.Segment())
        for neuron in range(9):
            times = np.flatnonzero(rng.random(20) < 0.1 + 0.05 * neuron)
            block.segments[-1].spiketrains.append(neo.SpikeTrain(times, units="ms", t_stop=20.0))
    found = study.variability_over_repeats(measures.as_trains(block), 7, config)
    fano, reliability = [], []
    for image in range(10):
        segments = block.segments[7 + 5 * image : 12 + 5 * image]
        for neuron in range(3, 7):
            counts = np.array([len(s.spiketrains[neuron]) for s in segments])
            fano.append(counts.var(ddof=1) / counts.mean())
        for neuron in (3, 5):
            trains = [s.spiketrains[neuron] for s in segments]
            reliability.append(measures.schreiber_reliability(trains, sigma=1 * pq.ms))
    assert found["fano"] == pytest.approx(np.mean(fano), abs=1e-12)
    assert found["reliability"] == pytest.approx(np.mean(reliability), abs=1e-12)


@pytest.mark.slow
def test_without_noise_repeats_are_identical(monkeypatch: pytest.MonkeyPatch) -> None:
    """With black and white images the Bernoulli input is deterministic; the noisy network still varies."""
    digits, learned = study.nsnn.datasets.digits, []

    def sharp(split: str = "train", *, seed: int = 0):
        X, y = digits(split, seed=seed)
        return np.rint(X)[:100], y[:100]

    train = study.train_network

    def watched(*given):
        learned.append(train(*given))
        return learned[-1]

    monkeypatch.setattr(study.nsnn.datasets, "digits", sharp)
    monkeypatch.setattr(study, "train_network", watched)
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
    # before learning the weights are the network's first, and learning goes on from a checkpoint
    first = study.nsnn.feedforward(
        [64, 128, 10], noise=study.nsnn.EscapeNoise(study.nsnn.Gaussian(0.4)), seed=1
    )
    for a, b in zip(first.get_weights(), learned[0].network.get_weights(), strict=True):
        assert np.array_equal(a, b)
    assert learned[2].history.epoch.tolist() == [1, 2]
    assert learned[2].history.loss[0] == learned[1].history.loss[0]

"""The study of architectures: its claims on made-up tables, its networks, and a short run."""

from __future__ import annotations

import functools
import itertools
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.studies import assert_sabotage_shows

from analysis import architectures as study
from analysis import full_runs
from analysis.harness import ClaimFailed, verify


def table(difference: float = 0.0, poor: float = 0.0) -> pd.DataFrame:
    """All combinations near .95; `difference` is what the noisy arm has more, `poor` what the first combination has less."""
    rows = []
    for place, what in enumerate(study.COMBINATIONS):
        named = dict(zip(("architecture", "data", "algorithm"), what, strict=True))
        for arm in study.ARMS:
            for seed in (2, 3, 4):
                wobble = 1e-3 * seed + (5e-4 if arm == "noisy" and seed == 3 else 0)
                accuracy = 0.95 + wobble + (difference if arm == "noisy" else 0) - (poor if place == 0 else 0)
                shared = named | {"arm": arm, "seed": seed, "rate": 0.01, "accuracy": accuracy}
                rows.append(shared | {"stage": "test", "seconds": 0.1})
            rows.append(shared | {"stage": "choice", "seed": 1})
    return pd.DataFrame(rows)


def test_claims_hold_and_fail_one_by_one() -> None:
    verify(study, table())
    better = study.claims(table(difference=0.01))
    assert all(claim.holds for claim in better)
    assert "points, [" in full_runs.number("architectures", better)
    with pytest.raises(
        ClaimFailed, match=r"every combination .* learns.*failed: dense, digits, rate MSE: 45"
    ):
        verify(study, table(poor=0.5))
    with pytest.raises(ClaimFailed, match="not inferior by more than 1 point"):
        verify(study, table(difference=-0.02))


def test_a_cost_on_one_kind_of_data_is_not_hidden_by_the_mean() -> None:
    """Half a point less on digits, more elsewhere."""
    found = table(difference=0.005)
    found.loc[(found.data == "digits") & (found.arm == "noisy"), "accuracy"] -= 0.01
    evidence = study.claims(found)[2].evidence
    assert "digits -0.48 points" in evidence
    assert "behind in 7 of 7; MNIST sample +0.52 points" in evidence


def test_recordings_are_split_within_each_digit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen of each digit, each with a pixel of its own; none is in two parts."""
    place = tmp_path / "nmnist_160"
    place.mkdir()
    (place / "SOURCE.txt").write_text("made up")
    with zipfile.ZipFile(place / "nmnist_160.zip", "w") as archive:
        for digit, k in itertools.product(range(10), range(16)):
            archive.writestr(f"{digit}/{k}.bs2", bytes([k, digit, 0, 0, 0]))
    monkeypatch.setenv("NSNN_SHARED_DATA", str(tmp_path))
    seen = []
    for part, of_each in (("train", 10), ("val", 3), ("test", 3)):
        X, y = study.data_part(study.Config(), "N-MNIST", part, False)
        assert np.bincount(y).tolist() == [of_each] * 10
        pixel = X[:, 0].argmax(axis=1)
        assert (pixel // 34 == y).all()
        seen += pixel.tolist()
    assert len(set(seen)) == 160
    run = study.Config().combinations()
    monkeypatch.setenv("NSNN_SHARED_DATA", str(place))
    assert {*run} - {*study.Config().combinations()} == {("dense in Brian2", "N-MNIST", "rate MSE")}
    with pytest.raises(study.nsnn.NsnnError, match="the recordings nmnist_160"):
        study.data_part(study.Config(), "N-MNIST", "test", False)


def test_random_feedback_is_above_the_first_layer() -> None:
    pytest.importorskip("torch")
    from nsnn_neuro import deep

    layers = study.with_random_feedback(study.dense(4, 3, 2))
    net = study.initial_network("noisy", layers, 0.4, 1)
    assert [isinstance(m, deep.RandomFeedback) for m in net.module] == [False, False, True, False]


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_a_short_run_fills_the_table_and_shuffled_labels_show(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    some = (
        ("dense", "digits", "each step, online"),
        ("residual", "digits", "each step"),
        ("recurrent in Brian2", "manifolds", "rate MSE"),
    )
    monkeypatch.setattr(study, "COMBINATIONS", some)
    monkeypatch.setattr(study.nsnn, "train", functools.partial(study.nsnn.train, engine="numpy"))
    config = study.Config(seeds=1, epochs=1, hidden=8, channels=2, n_steps=4, samples=20, rates=(0.01,))
    found = study.run(config)
    assert found.groupby("stage").size().to_dict() == {"choice": 6, "test": 6}
    assert found.accuracy.between(0, 1).all()
    assert (found[found.stage == "test"].seconds > 0).all()
    assert_sabotage_shows(study, config, found, "labels shuffled", "every combination .* learns")

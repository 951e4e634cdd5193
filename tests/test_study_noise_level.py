"""The study of the noise's level: its claims on made-up tables, and a short run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import _twins
from analysis import noise_level as study
from analysis.harness import ClaimFailed

LEVELS = (0.1, 0.4, 1.6)


def table(gain: float = 0.1, clean: float = 0.0, best: float = 0.4) -> pd.DataFrame:
    """Attacked accuracies that peak at a level, there by `gain` above the twin's; `clean` is what it has more without attack."""
    rows = []
    for arm, levels in (("noisy", LEVELS), ("deterministic", LEVELS)):
        for level in levels:
            own = (gain if arm == "noisy" else 0.0) - (0.0 if level == best else 0.2)
            rows.append(
                {
                    "arm": arm,
                    "level": level,
                    "rate": 0.01,
                    "seed": 1,
                    "stage": "choice",
                    "accuracy": 0.98,
                    "attacked": 0.5 + own,
                }
            )
            for seed in (2, 3, 4):
                wobble = 1e-3 * seed + (5e-4 if arm == "noisy" and seed == 3 else 0)
                rows.append(
                    {
                        "arm": arm, "level": level, "rate": 0.01, "seed": seed, "stage": "test",
                        "accuracy": 0.97 + wobble + (clean if arm == "noisy" else 0), "attacked": 0.5 + own + wobble,
                        "disturbed": 0.9 + wobble, "calibration": 0.05 - 0.1 * own + wobble,
                        "information": 2.9 - (0.5 if level == 1.6 else 0) + wobble,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def test_a_resource_passes() -> None:
    study.verify(table())
    assert study.best_level(table()) == 0.4
    assert all(claim.holds for claim in study.claims(table()))


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ({"gain": 0.0}, "withstands PGD better"),
        ({"gain": -0.1}, "withstands PGD better"),
        ({"clean": -0.02}, "isn't inferior to it by more than 1 point"),
    ],
)
def test_a_claim_that_does_not_hold_is_named(made: dict[str, float], told: str) -> None:
    with pytest.raises(ClaimFailed, match=told):
        study.verify(table(**made))


def test_the_level_is_chosen_on_validation_images() -> None:
    """Test images on which another level is better change nothing."""
    changed = table()
    changed.loc[(changed.stage == "test") & (changed.level == 1.6), "attacked"] = 0.99
    assert study.best_level(changed) == 0.4


def test_a_level_that_was_not_learned_is_not_chosen() -> None:
    """However little an attack takes from it: accuracy on the validation part more than a point below the best."""
    changed = table()
    own = (changed.stage == "choice") & (changed.level == 0.1)
    changed.loc[own, "attacked"] = 0.99
    assert study.best_level(changed) == 0.1
    changed.loc[own, "accuracy"] = 0.96
    assert study.best_level(changed) == 0.4


def test_table_and_figure_have_every_level() -> None:
    assert len(study.summary(table())) == 6
    assert len(study.plot(table()).axes) == len(study.SHOWN)


def test_choices_are_made_by_the_mean_over_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """One seed of a setting that mostly fails may be the best of all."""
    pytest.importorskip("torch")
    from nsnn_neuro import deep

    accuracy = {(0.2, 1): 1.0, (0.2, 2): 0.5, (0.4, 1): 0.9, (0.4, 2): 0.9}
    shown: list[Any] = []

    def measured(net: tuple[float, int], data: Any, *, passes: int, seed: int) -> dict[str, float]:
        shown.append((data, seed))
        return {"accuracy": accuracy[net]}

    monkeypatch.setattr(deep, "accuracy", measured)
    width, rate, tried = _twins.chosen(
        lambda width, rate, seed: (width, seed), "val", (0.2, 0.4), (0.01,), (1, 2)
    )
    assert (width, rate) == (0.4, 0.01)
    assert [row["validation"] for row in tried] == [0.75, 0.9]
    assert shown == [("val", 1), ("val", 2)] * 2
    assert _twins.chosen(lambda width, rate, seed: (width, seed), "val", (0.2, 0.4), (0.01,), (1,))[0] == 0.2


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty images in each part."""
    digits = study.nsnn.datasets.digits

    def some(split: str = "train", *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        X, y = digits(split, seed=seed)
        return X[:60], y[:60]

    monkeypatch.setattr(study.nsnn.datasets, "digits", some)


@pytest.mark.usefixtures("few", "known_code")
def test_a_short_run_fills_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    config = study.Config(
        tuning=1,
        seeds=2,
        epochs=2,
        hidden=16,
        n_steps=4,
        images=10,
        draws=4,
        steps=2,
        passes=4,
        levels=LEVELS,
        rates=(0.01,),
    )
    found = study.run(config, tmp_path)
    assert found.groupby(["arm", "stage"]).size().to_dict() == {
        ("deterministic", "choice"): 3, ("deterministic", "test"): 6, ("noisy", "choice"): 3, ("noisy", "test"): 6,
    }  # fmt: skip
    tested = found[found.stage == "test"]
    assert tested[["accuracy", "attacked", "disturbed", "calibration"]].stack().between(0, 1).all()
    assert tested.information.between(-0.2, np.log2(10)).all()
    monkeypatch.setattr(study, "trained", None)  # all parts are there
    pd.testing.assert_frame_equal(study.run(config, tmp_path), found)


def test_without_any_noise_all_passes_answer_alike() -> None:
    """The twin, shown black and white images: every pass is the same, and so its shares are 0 or 1."""
    pytest.importorskip("torch")
    config = study.Config(quick=True)
    net = _twins.untrained("deterministic", _twins.dense(64, 16, 10), 0.4, 3, n_steps=config.n_steps)
    X = np.rint(study.nsnn.datasets.digits("val")[0][:20])
    assert np.ptp(study.answers(net, X, 5, 1), axis=0).max() == 0
    noisy = _twins.untrained("noisy", _twins.dense(64, 16, 10), 0.4, 3, n_steps=config.n_steps)
    assert np.ptp(study.answers(noisy, X, 5, 1), axis=0).max() > 0

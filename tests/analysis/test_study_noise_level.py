"""The study of the noise's level: its claims on made-up tables, and a short run."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pandas as pd
import pytest
from helpers.studies import assert_each_can_fail, assert_sabotage_shows, failing

from analysis import full_runs
from analysis import noise_level as study
from analysis.harness import ClaimFailed, verify

LEVELS, RATES, SEEDS = (0.1, 0.4, 1.6), (0.003, 0.01), (2, 3, 4)


@functools.cache
def table(
    gain: float = 0.1, clean: float = 0.0, slow: float = 0.15, lead: float | None = None
) -> pd.DataFrame:
    """Noisy networks with `gain` more under attack and `clean` more without; `slow` is what the lower rate has more under attack.

    `lead` replaces the gain at sigma .4 and the lower rate, the cell that validation images choose.
    """
    rows = []
    for arm, level, rate, seed in itertools.product(study.ARMS, LEVELS, RATES, SEEDS):
        noisy, wobble = arm == "noisy", 1e-3 * seed
        own = gain if lead is None or (level, rate) != (0.4, 0.003) else lead
        attacked = (
            0.3 + slow * (rate == 0.003) - 0.1 * (level != 0.4) + noisy * (own + 5e-4 * (seed == 3)) + wobble
        )
        accuracy = 0.97 + wobble + noisy * (clean + 5e-4 * (seed == 3))
        rows.append(
            {
                "arm": arm, "level": level, "rate": rate, "seed": seed, "accuracy": accuracy, "attacked": attacked,
                "disturbed": 0.9, "calibration": 0.05 + 0.01 * (level != 0.4) - 0.01 * noisy + 0.1 * wobble * noisy,
                "information": 2.9 - noisy * (level == 1.6) * (0.5 + wobble), "val_accuracy": accuracy, "val_attacked": attacked,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.slow
def test_claims_hold_if_noise_helps_and_fail_one_by_one() -> None:
    sound = table()
    assert all(claim.holds for claim in study.claims(sound))
    assert "points, [" in full_runs.number("noise_level", study.claims(sound))
    broken = {
        "at equal sigma and learning rate the noisy network is more accurate": table(gain=-0.021, lead=0.1),
        "not inferior by more than 1 point": table(clean=-0.011),
        "chosen on validation images": table(lead=-0.02),
    }
    assert_each_can_fail(study, sound, broken)
    for found, words in (
        (table(slow=0.05), "learning rate changes"),
        (table(lead=-0.02), "every learned cell"),
    ):
        assert any(words in text for text in failing(study, found))
    # noisy networks that learn only at the higher rate are compared with deterministic ones at that rate, not at the lower
    made = table(gain=0.03, slow=0.15).copy()
    made.loc[(made.arm == "noisy") & (made.rate == 0.003), ["accuracy", "val_accuracy"]] -= 0.015
    assert study.gains(made, "attacked").mean().between(0.029, 0.032).all()


@pytest.mark.slow
def test_a_gain_by_strong_noise_alone_is_not_one_by_moderate_noise() -> None:
    """2 points less with moderate noise, 20 more with strong noise: 4 cells and 2 cells."""
    strong = table(gain=-0.02).copy()
    strong.loc[(strong.arm == "noisy") & (strong.level == 1.6), "attacked"] += 0.22
    every, _, moderate, *_ = study.claims(strong)
    assert every.holds
    assert not moderate.holds
    assert not moderate.central
    assert moderate.evidence.startswith("-1.98 points")
    assert every.evidence.split("%, ")[1].startswith("+5.35 points")


def test_cells_are_chosen_on_validation_images_of_other_seeds() -> None:
    """Neither test images nor a seed's own networks have a say."""
    assert study.best_cell(table(), "noisy") == (0.4, 0.003)
    changed = table().copy()
    changed.loc[(changed.level == 1.6), "attacked"] = 0.99
    assert set(study.chosen_cells(changed, "noisy").values()) == {(0.4, 0.003)}
    changed.loc[(changed.level == 0.1) & (changed.rate == 0.01) & (changed.seed == 3), "val_attacked"] = 2.0
    assert study.chosen_cells(changed, "noisy") == {2: (0.1, 0.01), 3: (0.4, 0.003), 4: (0.1, 0.01)}


@pytest.mark.slow
def test_cells_that_were_not_learned_are_excluded() -> None:
    """Neither in the mean over cells, where one arm falls short of 95 % on validation images, nor as a choice."""
    changed = table().copy()
    own = (changed.level == 0.1) & (changed.arm == "noisy")
    changed.loc[own, ["attacked", "val_attacked"]] = 0.0
    with pytest.raises(ClaimFailed, match="at equal sigma"):
        verify(study, changed)
    changed.loc[own, "val_accuracy"] = 0.94
    verify(study, changed)
    assert len(study.learned(changed)) == 4
    changed.loc[own, "val_attacked"] = 0.99
    assert study.best_cell(changed, "noisy") == (0.4, 0.003)
    changed["val_accuracy"] = 0.5
    with pytest.raises(ClaimFailed, match="no cell was learned"):
        verify(study, changed)


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_a_short_run_fills_the_table_and_shuffled_labels_show() -> None:
    pytest.importorskip("torch")
    small = {"seeds": 2, "epochs": 2, "hidden": 16, "n_steps": 4, "images": 10, "draws": 4, "steps": 2}
    config = study.Config(**small, passes=4, levels=LEVELS[:1], rates=RATES)
    found = study.run(config)
    assert found.groupby(["arm", "level", "rate"]).size().tolist() == [2] * 4
    shares = ["accuracy", "attacked", "disturbed", "calibration", "val_accuracy", "val_attacked"]
    assert found[shares].stack().between(0, 1).all()
    assert found.information.between(-0.2, np.log2(10)).all()
    assert_sabotage_shows(study, config, found, "labels shuffled", "not inferior by more")

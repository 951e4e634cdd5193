"""The study of digits: its claims on made-up tables, and its arms on a short run."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from helpers.studies import assert_each_can_fail, assert_sabotage_shows

from analysis import learn_digits as study
from analysis.harness import ClaimFailed, verify


def table(
    noisy: float = 0.99, deterministic: float = 0.99, perceptron: float = 0.97, spread: float = 0.001
) -> pd.DataFrame:
    rows = []
    for arm, mean in zip(study.ARMS, (noisy, deterministic, perceptron), strict=True):
        for seed, shift in enumerate((-spread, 0.0, spread)):
            turned = shift if arm == "noisy" else -shift
            rows.append(
                study.result_row("test", arm, 0.4, 1e-3, seed, accuracy=mean + turned, **{"one pass": mean})
            )
    rows.append(study.result_row("test", "nearest neighbour", np.nan, np.nan, 0, accuracy=1.0))
    return pd.DataFrame(rows)


def test_claims_hold_and_fail_one_by_one() -> None:
    broken = {
        "mean test accuracy of the noisy network is 98.3 %": table(noisy=0.98, deterministic=0.98),
        "above that of a perceptron": table(perceptron=0.995),
        "not inferior": table(noisy=0.985, deterministic=0.999),
    }
    assert_each_can_fail(study, table(), broken)
    with pytest.raises(ClaimFailed, match="not inferior"):  # the difference isn't known well enough
        verify(study, table(spread=0.01))


@pytest.mark.slow
def test_choices_use_the_validation_part_only(monkeypatch: pytest.MonkeyPatch, few: list[str]) -> None:
    """The test part isn't read before the choice is made, once for each network and number of passes."""
    monkeypatch.setattr(study.nsnn, "train", functools.partial(study.nsnn.train, engine="numpy"))
    small = {"seeds": 2, "hidden": 8, "n_steps": 3, "epochs": 1, "passes": 2}
    config = study.Config(**small, widths=(0.4,), penalties=(1.0,), rates=(1e-3, 1e-2))
    found, read = study.run(config), list(few)
    assert found.stage.value_counts().to_dict() == {"choice": 6, "test": 7}
    first = read.index("test")
    assert read[:first].count("val") >= 4
    assert read.count("test") == 3 * 2 * 2 + 1
    assert set(study.summary(found).arm) == {*study.ARMS, "nearest neighbour"}
    assert len(study.plot(found).axes) == 1
    assert_sabotage_shows(study, config, found, "labels shuffled", "mean test accuracy")

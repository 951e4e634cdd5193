"""The study of two-layer fits: its claims on made-up tables, and its figure on a short run."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from helpers.studies import assert_sabotage_shows

from analysis import two_layer_fits as study
from analysis.harness import ClaimFailed, verify


def table(
    true: float = 0.9, bound: float = 0.4, few: float = 0.7, many: float = 0.86, neuron: float = -0.4, refined: float = 0.899
) -> pd.DataFrame:  # fmt: skip
    rows = []
    for each in (1, 8):
        rows.append(study.score_row("score", each, "true", 2 * each, value=true, se=0.02, bound=bound))
        for name, n, value in (("network", 2, few), ("network", 16, many), ("refined", 16, refined)):
            numbers = {"value": value, "bound": value, "lost": true - value, "lost_se": 0.005, "cost": 0.01}
            rows.append(study.score_row("score", each, name, n, se=0.02, **numbers))
        rows.append(study.score_row("score", each, "neuron", 0, value=neuron, se=0.02))
    return pd.DataFrame(rows, columns=study.COLUMNS)


def test_claims_hold_and_fail_one_by_one() -> None:
    verify(study, table())
    for message, broken in {
        r"better than a single neuron, by 4 standard errors: 0\.860 .* 0\.850": {"neuron": 0.85},
        r"reaches 90 % of the score of the true model: 0\.815 of 0\.900": {"many": 0.815},
        r"below 60 % of its score: 0\.600 and 0\.900": {"bound": 0.6},
        "the true size, loses more": {"few": 0.85},
        r"by 2 standard errors: 0\.040 ± 0\.005 and 0\.030 ± 0\.005": {"refined": 0.87},
        r"estimating its weights, to 2 standard errors: 0\.021 ± 0\.005 .* 0\.010": {"refined": 0.879},
    }.items():
        with pytest.raises(ClaimFailed, match=message):
            verify(study, table(**broken))
    others = [claim for claim in study.claims(table(few=0.3, many=0.895)) if not claim.central]
    assert [claim.holds for claim in others] == [True] * 5
    assert not any(c.holds for c in study.claims(table(few=0.5, refined=0.88)) if not c.central)


def test_differences_have_the_error_of_their_parts() -> None:
    nats = np.repeat(np.arange(20.0), 50)
    value, error = study.bits_lost(nats, 100)
    assert value == pytest.approx(nats.sum() / np.log(2) / 100)
    assert error == pytest.approx(np.sqrt(20) * np.std(50 * np.arange(20.0), ddof=1) / np.log(2) / 100)


@pytest.mark.slow
def test_a_short_run_fills_table_and_figure_and_another_stimulus_shows() -> None:
    config = dataclasses.replace(
        study.Config(), cells=(1,), n_hidden=(3,), steps=1000, test=1000, epochs=1, refine=1, particles=5
    )
    found = study.run(config)
    assert found[found.part == "score"].model.tolist() == ["true", "network", "refined", "neuron"]
    networks = found[found.model == "network"]
    assert networks.lost.notna().sum() == 1
    true = found[(found.part == "score") & (found.model == "true")].iloc[0]
    scores = networks[networks.part == "score"]
    np.testing.assert_allclose(scores.lost, true.value - scores.value, rtol=1e-9)
    response = found[(found.part == "response") & (found.model == "true")]
    assert response.value.iloc[[0, -1]].min() > 2 * response.value.min()
    assert len(study.plot(found).axes) == 2
    assert_sabotage_shows(study, config, found, "another stimulus", "predicts it better than a single neuron")

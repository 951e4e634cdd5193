"""The study of two-layer fits: its claims on made-up tables, and its figure on a short run."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from analysis import two_layer_fits as study
from analysis.harness import ClaimFailed


def table(
    true: float = 0.9, bound: float = 0.4, few: float = 0.7, many: float = 0.88, neuron: float = -0.4
) -> pd.DataFrame:
    rows = []
    for each in (1, 8):
        rows.append(study._row("score", each, "true", 2 * each, value=true, se=0.02, bound=bound))
        for n, value in ((2, few), (16, many)):
            rows.append(
                study._row(
                    "score",
                    each,
                    "network",
                    n,
                    value=value,
                    se=0.02,
                    bound=value,
                    lost=true - value,
                    lost_se=0.01,
                )
            )
        rows.append(study._row("score", each, "neuron", 0, value=neuron, se=0.02))
    return pd.DataFrame(rows, columns=study.COLUMNS)


def test_claims_hold_and_fail_one_by_one() -> None:
    study.verify(table())
    with pytest.raises(ClaimFailed, match=r"foretells it better than a single neuron: 0\.880 .* 0\.850"):
        study.verify(table(neuron=0.85))
    with pytest.raises(ClaimFailed, match=r"nine tenths of the true model's bits: 0\.820 of 0\.900"):
        study.verify(table(many=0.82))
    with pytest.raises(ClaimFailed, match=r"far below its likelihood: 0\.600 and 0\.900"):
        study.verify(table(bound=0.6))
    with pytest.raises(ClaimFailed, match="as many as it has, loses more"):
        study.verify(table(few=0.86))
    verdicts = {
        claim.text: claim.holds for claim in study.claims(table(few=0.3, many=0.89)) if not claim.central
    }
    assert len(verdicts) == 3
    assert all(verdicts.values())
    assert not any(claim.holds for claim in study.claims(table(few=0.5)) if not claim.central)


def test_differences_have_the_error_of_their_parts() -> None:
    nats = np.repeat(np.arange(20.0), 50)
    value, error = study._difference(nats, 100)
    assert value == pytest.approx(nats.sum() / np.log(2) / 100)
    assert error == pytest.approx(np.sqrt(20) * np.std(50 * np.arange(20.0), ddof=1) / np.log(2) / 100)


@pytest.mark.slow
def test_a_short_run_fills_table_and_figure() -> None:
    config = dataclasses.replace(
        study.Config(), cells=(1,), n_hidden=(2, 3), steps=1000, test=1000, epochs=1, particles=5
    )
    found = study.run(config)
    assert found[found.part == "score"].model.tolist() == ["true", "network", "network", "neuron"]
    networks = found[found.model == "network"]
    assert networks.lost.notna().sum() == 2
    true = found[(found.part == "score") & (found.model == "true")].iloc[0]
    scores = networks[networks.part == "score"]
    np.testing.assert_allclose(scores.lost, true.value - scores.value, rtol=1e-9)
    response = found[(found.part == "response") & (found.model == "true")]
    assert response.value.iloc[[0, -1]].min() > 2 * response.value.min()
    assert len(study.plot(found).axes) == 2

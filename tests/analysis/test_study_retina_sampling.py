"""The study of sampling and smoothing in the retina: its claims on made-up tables, mixtures, sabotage, and the kept table."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from helpers.studies import failing
from numpy.testing import assert_allclose
from test_study_retina_code import SMALL, drawn, made_up

from analysis import retina_sampling as study
from analysis.retina_code import config as first
from analysis.retina_code import networks
from analysis.retina_code.rate_models import Settings
from analysis.retina_code.responses import Responses
from analysis.retina_sampling import MEAN, NOISELESS, NOISY, READ, SINGLE

RNG = np.random.default_rng
SMALL_HERE = SMALL | {"arms": study.FITTED, "scales": (0.0, 0.1)}


def table(**bits: float) -> pd.DataFrame:
    """A table on which all claims hold; `bits` replaces means, in bits per spike."""
    others = dict.fromkeys(study.ARMS, 0.42)
    rows = made_up(study.ARMS, **others | {NOISY: 0.5, MEAN: 0.45, NOISELESS: 0.4} | bits)
    return rows[rows.seed.notna()]


@pytest.mark.slow
def test_claims_hold_and_fail_one_by_one() -> None:
    sound = table()
    assert not failing(study, sound)
    every = [claim.text for claim in study.claims(sound)]
    assert [claim.text for claim in study.claims(sound) if claim.central] == [study.PRIMARY]
    assert "mean field less noiseless +0.05" in study.headline(sound)
    assert study.summary(sound).arm.tolist() == list(study.ARMS)
    assert len(study.plot(sound).axes) == 1
    single, smooth, noise, in_use = (text for text, *_ in study.PAIRS)
    changes: list[tuple[dict[str, float], set[str]]] = [
        ({MEAN: 0.51}, {study.PRIMARY, first.EACH_SEED, first.LEFT_OUT}),
        ({f"{NOISY}, left out": 0.44}, {first.LEFT_OUT}),
        ({SINGLE.format(MEAN): 0.51}, {single}),
        ({NOISELESS: 0.46}, {smooth}),
        ({NOISELESS: 0.51}, {smooth, noise}),
        ({READ: 0.51}, {in_use}),
        ({"exchanged": 0.5}, set(every)),
    ]
    for change, claims in changes:
        assert set(failing(study, table(**change))) == claims, change


def test_a_mixture_is_the_mean_probability_of_networks_with_other_weights() -> None:
    """By a network for each copy; without parameter noise it is the single prediction."""
    data = drawn(2, 2)
    network = networks.fit(
        drawn(), Settings(1, 1.0, 0.1), study.Config(**SMALL_HERE), noise=False, seed=1, mean_field=True
    )
    assert network.model.mean_field
    single = network.log_likelihood(data)
    assert_allclose(network.scored_by(5).log_likelihood(data), single)
    rng, each = RNG([0, 5]), []
    for _ in range(5):
        moved = tuple(w * (1 + 0.2 * rng.standard_normal(w.shape)) for w in network.weights)
        each.append(np.exp(dataclasses.replace(network, weights=moved).log_likelihood(data)))
    mixed = network.scored_by(5, 0.2).log_likelihood(data)
    assert_allclose(mixed, np.log(np.mean(each, axis=0)), rtol=1e-9)
    assert np.abs(mixed - single).max() > 0.01


@pytest.mark.parametrize("arm", study.FITTED)
def test_settings_of_an_arm_are_chosen_by_fits_of_its_kind(arm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noisy, mean field or neither, and no weights of the noisy network are moved."""
    kinds, scales = [], []

    class Scored:
        def scored_by(self, draws: int, scale: float) -> Scored:
            scales.append(scale)
            return self

    monkeypatch.setattr(
        study, "fit", lambda *_, noise, mean_field, seed: kinds.append((noise, mean_field)) or Scored()
    )
    monkeypatch.setattr(study, "score_of_choice", lambda *_: 0.0)
    small = study.Config(**SMALL_HERE)
    chosen = study.chosen(arm, drawn(), small)
    assert set(kinds) == {(arm == NOISY, arm == MEAN)}
    assert set(scales) == ({0.0} if arm == NOISY else set(small.scales))
    assert [choice["scale"] for choice in chosen] == [0.0, 0.0]


@pytest.mark.slow
def test_a_run_on_drawn_responses_and_its_sabotage() -> None:
    """All arms, each with information where there is some; with shuffled windows all claims fail."""
    data, small = drawn(), study.Config(**SMALL_HERE)
    mixed = Responses(data.x[RNG(5).permutation(len(data.x))], data.tiles, data.o)
    result, shuffled = (study.tabulated(shown, small) for shown in (data, mixed))
    assert set(result.arm) == set(study.ARMS)
    assert len(failing(study, shuffled)) == len(study.claims(shuffled))
    assert study.summary(result)["bits per spike"].str.startswith("+").all()
    single = result[result.arm == SINGLE.format(MEAN)].setting.unique()
    assert all("scale 0" in text for text in single)

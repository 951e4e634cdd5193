"""The study of robustness: its claims on made-up tables, and a short run."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.studies import assert_each_can_fail, assert_sabotage_shows, changed, failing

from analysis import full_runs
from analysis import robustness as study
from analysis.shared import attack_protocol, paired_networks
from nsnn_neuro import NsnnError


@functools.cache
def table(
    noisy: float = 0.0, clean: float = 0.0, pgd: float = 0.0, unbounded: float = 0.05, direct: float | None = None,
    one_step: float = 0.8,
) -> pd.DataFrame:  # fmt: skip
    """Curves that fall with the strength; `noisy` and `clean` are what the noisy arm has more, disturbed and not."""
    rows = []
    strengths = {kind: (0.1, 0.2) for kinds in study.GROUPS.values() for kind in kinds}
    for arm in study.ARMS:
        own, more = (noisy, clean) if arm == "noisy" else (0.0, 0.0)
        for seed in (2, 3, 4):
            wobble = 0.002 * seed + (0.001 if arm == "noisy" and seed == 3 else 0.0)
            shared = {"arm": arm, "seed": seed, "images": 200}
            rows += [
                shared | {"kind": kind, "strength": 0.0, "accuracy": 0.95 + more + wobble}
                for kind in ("none", "none, some")
            ]
            rows += [
                shared | {"kind": kind, "strength": k, "accuracy": 0.9 - 2 * k + own + wobble + (pgd if kind == "PGD" else 0.0)}
                for kind, ks in strengths.items()
                for k in ks
            ]  # fmt: skip
            rows.append(shared | {"kind": "PGD", "strength": 1.0, "accuracy": unbounded})
    gains = dict.fromkeys(("noisy", "noisy, direct"), noisy)
    if direct is not None:
        gains["noisy, direct"] = direct
    for arm in (*study.ARMS, *study.DIRECT, study.NOISE_ON):
        for seed in (2, 3, 4):
            shared = {"arm": arm, "seed": seed, "images": 200, "passes": 10}
            for kind in (attack_protocol.WORST,):
                accuracy = 0.5 + gains.get(arm, 0.0) + 0.001 * seed * (arm in gains)
                rows.append(shared | {"kind": kind, "strength": 0.1, "accuracy": accuracy})
            if arm not in study.ARMS:
                rows.append(
                    shared | {"kind": attack_protocol.ONE_STEP, "strength": 0.1, "accuracy": one_step}
                )
                rows.append(shared | {"kind": "none, some", "strength": 0.0, "accuracy": 0.95})
    rows.append(
        {"arm": "noisy", "seed": 1, "kind": "choice", "strength": 0.4, "rate": 0.01, "accuracy": 0.99}
    )
    return pd.DataFrame(rows)


@pytest.mark.slow
def test_claims_hold_and_fail_one_by_one() -> None:
    sound = table(noisy=0.05)
    assert all(claim.holds for claim in study.claims(sound))
    assert "points, [" in full_runs.number("robustness", study.claims(sound))
    broken = {f"area under the curves of {title}": table(noisy=0.0) for title in study.TITLES.values()}
    broken |= {
        "not inferior to the deterministic network by more than 1 point": table(noisy=0.05, clean=-0.03),
    }
    assert_each_can_fail(study, sound, broken)
    for change, words in (
        ({"direct": -0.02}, "with direct input the noisy"),
        ({"one_step": 0.3}, "FGSM with one draw"),
        ({"pgd": 0.3}, "PGD"),  # masked gradients: PGD weaker than other attacks,
        ({"unbounded": 0.6}, "PGD"),  # or that leaves more than chance when all is allowed
    ):
        (text,) = failing(study, table(noisy=0.05, **change))
        assert words in text


@pytest.mark.slow
def test_areas_are_mean_accuracies_over_strengths_and_passes_equal_in_both_arms() -> None:
    found = study.areas(table())
    pgd = found[(found.kind == "PGD") & (found.arm == "deterministic") & (found.seed == 2)].area.item()
    assert pgd == pytest.approx((0.5 * (0.954 + 0.704) + 0.5 * (0.704 + 0.504)) / 2, abs=1e-12)
    assert study.curve(table(), "noisy", "additive").columns.tolist() == [2, 3, 4]  # not the third network
    assert len(study.summary(table())) == 14
    assert len(study.plot(table()).axes) >= 14
    shown = study.tables(table())["Attack protocol: accuracy (%), means over seeds"]
    assert {*study.ARMS, *study.DIRECT, study.NOISE_ON} <= set(shown.columns)
    where = {"kind": attack_protocol.WORST, "arm": "deterministic, direct"}
    with pytest.raises(NsnnError, match="expected equal passes in both arms"):
        study.claims(changed(table(noisy=0.05), "passes", lambda _: 1, **where))


@pytest.mark.slow
@pytest.mark.usefixtures("few", "known_code")
def test_a_short_run_fills_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    config = study.Config(
        tuning=1, seeds=2, epochs=2, hidden=16, n_steps=4, images=10, draws=4, queries=20, steps=2,
        widths=(0.4,), rates=(0.01,), bits=(3,), inputs=(0.3,), squares=(3,),
        changes=(0.1, 0.2), norms=(0.8,), losses=(0.3,), jitters=(0.4,),
        worst=(0.05, 0.1), surrogates=(0.4,), worst_draws=(1,), worst_restarts=1, worst_steps=1,
    )  # fmt: skip
    found = study.run(config, tmp_path)
    assert found.accuracy.between(0, 1).all()
    kinds = {kind for group in study.GROUPS.values() for kind in group}
    protocol = {attack_protocol.WORST, attack_protocol.ONE_STEP}
    assert set(found.kind) == kinds | protocol | {"none", "none, some", "choice"}
    worst = found[found.kind == attack_protocol.WORST].set_index(["arm", "seed", "strength"]).accuracy
    assert set(worst.index.levels[0]) == {*study.ARMS, *study.DIRECT, study.NOISE_ON}
    still = worst.xs("deterministic, direct")  # without noise images of .05 count at .1 for certain
    assert (still.xs(0.1, level=1) <= still.xs(0.05, level=1)).all()
    assert set(found[found.kind == "PGD"].strength) == {0.1, 0.2, 1.0}
    assert set(found.groupby(["arm", "seed", "kind", "strength"]).size()) == {1}
    assert {claim.central for claim in study.claims(found)} == {True, False}
    assert_sabotage_shows(
        study, config, found, "labels shuffled", "not inferior to the deterministic network"
    )
    (tmp_path / "parts" / "noisy-seed-33.json").unlink()  # as if the run had been killed there
    seeds = []
    monkeypatch.setattr(
        study,
        "train_on_digits",
        lambda *args: seeds.append((args[0], args[-1])) or paired_networks.train_on_digits(*args),
    )
    pd.testing.assert_frame_equal(study.run(config, tmp_path), found)
    assert seeds == [("noisy", 33), ("deterministic", 31)]  # the part's and the third network


@pytest.mark.usefixtures("few")
def test_without_noise_both_networks_are_equal() -> None:
    """Sabotage: the noisy arm made deterministic learns the same weights, and every difference is 0."""
    torch = pytest.importorskip("torch")
    config = study.Config(epochs=2, hidden=16, n_steps=4)
    nets = [study.train_on_digits("deterministic", config, 0.4, 0.01, 5) for _ in range(2)]
    other = study.train_on_digits("noisy", config, 0.4, 0.01, 5)
    state, again, noisy = (
        torch.cat([p.flatten() for p in net.parameters()]).detach().numpy() for net in (*nets, other)
    )
    assert np.array_equal(state, again)
    assert not np.array_equal(state, noisy)
    layers = paired_networks.dense(4, 3, 2)
    first, second = (
        paired_networks.initial_network(arm, layers, width, 7).module[0].weight
        for arm, width in (("noisy", 0.4), ("deterministic", 0.8))
    )
    assert first.equal(second)


def test_choices_use_the_mean_over_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """One seed of a setting that mostly fails may be the best of all."""
    pytest.importorskip("torch")
    from nsnn_neuro import deep

    accuracy = {(0.2, 1): 1.0, (0.2, 2): 0.5, (0.4, 1): 0.9, (0.4, 2): 0.9}
    shown: list[Any] = []

    def measured(net: tuple[float, int], data: Any, *, passes: int, seed: int) -> dict[str, float]:
        shown.append((data, seed))
        return {"accuracy": accuracy[net]}

    monkeypatch.setattr(deep, "accuracy", measured)
    choose = functools.partial(
        paired_networks.choose_hyperparameters, lambda width, rate, seed: (width, seed)
    )
    width, rate, tried = choose("val", (0.2, 0.4), (0.01,), (1, 2))
    assert (width, rate) == (0.4, 0.01)
    assert [row["validation"] for row in tried] == [0.75, 0.9]
    assert shown == [("val", 1), ("val", 2)] * 2
    assert choose("val", (0.2, 0.4), (0.01,), (1,))[0] == 0.2

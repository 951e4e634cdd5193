"""Equal, drawn and learned membranes: words differ in timing only, sizes are equal, and each claim can fail and hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.quick_runs import quick_table
from helpers.studies import failing

from analysis import full_runs
from analysis import heterogeneity as study

CONFIG = study.Config()


def table_of(accuracy: dict[str, float]) -> pd.DataFrame:
    """A table with the accuracy of each arm in all tasks, a little different between seeds; the others have .5."""
    rng, rows = np.random.default_rng(1), []
    for task in CONFIG.tasks:
        for seed in range(5):
            row = {"task": task, "seed": seed, "epochs": 1, "words": 1, "beta": 0.6, "sigma": 0.3}
            for arm in [*study.ARMS, "control"]:
                part = "test" if arm in study.ARMS else "control"
                level = accuracy.get(arm, 0.5) + 1e-3 * rng.standard_normal()
                rows.append(row | {"part": part, "arm": arm, "accuracy": level})
            row |= {"part": "cell", "arm": "noisy, learned"}
            for name, values in (("beta", np.linspace(0.3, 0.9, 20)), ("sigma", rng.uniform(0.1, 0.25, 20))):
                rows += [row | {"name": name, "value": v} for v in values]
    return pd.DataFrame(rows)


GOOD = {"noisy, learned": 0.9, "noisy, drawn": 0.7, "control": 0.25}
# a claim's words -> accuracies with which it fails
BROKEN = {
    "better than equal ones in each task": {"noisy, equal": 0.9},
    "learn each task": {"noisy, equal": 0.7},
    "drawn membranes are better": {"noisy, drawn": 0.5},
    "better than drawn ones": {"noisy, drawn": 0.95},
    "learned noise is not enough": {"noisy, noise only": 0.9},
    "help noisy networks more": {"deterministic, learned": 0.95},
    "times shuffled": {"control": 0.4},
}


def test_each_central_claim_holds_and_can_fail() -> None:
    assert all(claim.holds for claim in study.claims(table_of(GOOD)))
    for words, accuracy in BROKEN.items():
        claims = study.claims(table_of(GOOD | accuracy))
        assert [claim.holds for claim in claims if words in claim.text] == [False], words


@pytest.mark.parametrize("task", CONFIG.tasks)
def test_words_of_a_task_differ_in_timing_only(task: str) -> None:
    x, y = study.words(task, 4000, np.random.default_rng(1))
    counts = np.array([x[y == k].sum(1).mean(0) for k in range(study.WORDS)])
    assert counts == pytest.approx(np.full(counts.shape, study.KEPT), abs=0.06)
    half = np.stack([x[..., :10], x[..., 10:]])
    late = (half * np.arange(study.STEPS)[:, None]).sum((2, 3)) / half.sum((2, 3))
    order = late[1] - late[0]
    if task == "interval":
        assert [order[y == k].mean() for k in range(4)] == pytest.approx(study.GAPS, abs=0.2)
    else:
        assert [np.sign(order[y == k].mean()) for k in range(4)] == [1, -1, 1, -1]
    shuffled, _ = study.words(task, 4000, np.random.default_rng(1), shuffle=True)
    assert np.array_equal(shuffled.sum(1), x.sum(1))
    assert np.ptp(shuffled.sum((0, 2))) < 0.3 * shuffled.sum() / study.STEPS


def test_networks_have_as_many_parameters_and_the_kept_run_says_so() -> None:
    pytest.importorskip("torch")
    counts = full_runs.table("heterogeneity")[0].groupby("arm").parameters.first()
    for arm in study.ARMS:
        kind, membranes = arm.split(", ")
        size = study.n_hidden(CONFIG, membranes, kind == "noisy")
        net = study.network(CONFIG, arm, 0.6, 1)
        assert sum(p.numel() for p in net.parameters()) == counts[arm] >= counts["noisy, learned"]
        assert study.n_parameters(membranes, kind == "noisy", size - 1) < counts["noisy, learned"]
    assert counts.max() < 1.05 * counts.min()


@pytest.mark.slow
def test_with_times_shuffled_in_every_word_nothing_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The claim is of one arm: the others are those of the quick run, where it holds."""
    pytest.importorskip("torch")
    table, arm = quick_table(study), "noisy, learned"
    assert study.CONTROL not in failing(study, table)
    with monkeypatch.context() as only:
        only.setattr(study, "ARMS", [arm])
        spoilt = study.run(study.Config(quick=True, sabotage="times shuffled"))
    assert study.CONTROL in failing(study, pd.concat([table[table.arm != arm], spoilt]))

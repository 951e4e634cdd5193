"""`train_seeds`: each row is the training of its seed, a folder has the fits, and what was interrupted goes on."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.refusals import assert_refused

from nsnn_neuro import (
    NDL,
    EscapeNoise,
    Gaussian,
    NsnnError,
    feedforward,
    load_fit,
    losses,
    train,
    train_seeds,
)

X, Y = np.eye(2)[[0, 1] * 20], np.array([0, 1] * 20)
NET = feedforward([2, 3, 2], noise=EscapeNoise(Gaussian(0.4)), plasticity=NDL(0.5))
OPTIONS: dict[str, Any] = {"loss": losses.rate_mse, "epochs": 3, "engine": "numpy"}


def test_a_row_is_the_training_of_its_seed_and_its_fit_is_in_the_folder(tmp_path) -> None:
    out = tmp_path / "out"
    table = train_seeds(NET, (X, Y), seeds=[4, 1], test=(X, Y), passes=2, out=out, **OPTIONS)
    assert table["seed"].tolist() == [4, 1]
    for row in table.to_dict("records"):
        fit = train(NET, (X, Y), seed=row["seed"], **OPTIONS)
        kept = fit.history.set_index("epoch").loc[fit.best_epoch].drop("seconds").to_dict()
        assert {name: row[name] for name in kept} == kept
        expected = fit.evaluate((X, Y), passes=2)
        assert {name: row[f"test_{name}"] for name in expected} == expected
        assert load_fit(out / f"seed-{row['seed']}.npz").evaluate((X, Y), passes=2) == expected
        assert (row["epochs"], row["best_epoch"]) == (3, fit.best_epoch)
    assert table["loss"].nunique() == 2
    assert not list(out.glob("*.checkpoint"))
    moved = shutil.move(out, tmp_path / "moved")
    ran: list[float] = []
    again = train_seeds(
        NET, (X, Y), seeds=[4, 1], test=(X, Y), passes=2, out=moved, progress=ran.append, **OPTIONS
    )
    pd.testing.assert_frame_equal(again, table, check_exact=True)
    assert ran == []
    with pytest.raises(NsnnError, match=r"another run \(function"):
        train_seeds(NET, (X, 1 - Y), seeds=[4, 1], test=(X, Y), passes=2, out=moved, **OPTIONS)


def test_a_training_that_was_interrupted_goes_on_at_its_last_epoch(tmp_path) -> None:
    """The seconds of the epochs before the interruption are those of the interrupted training."""
    out = tmp_path / "out"
    whole = train_seeds(NET, (X, Y), seeds=7, out=out, **OPTIONS)
    next(out.glob("chunk-*")).unlink()

    def stop(fraction: float) -> None:
        if fraction > 0.6:
            raise KeyboardInterrupt

    checkpoint, copy = out / "seed-7.checkpoint", tmp_path / "copy"
    with pytest.raises(KeyboardInterrupt):
        train(NET, (X, Y), seed=7, checkpoint=checkpoint, progress=stop, **OPTIONS)
    shutil.copy(checkpoint, copy)
    pd.testing.assert_frame_equal(
        train_seeds(NET, (X, Y), seeds=7, out=out, **OPTIONS), whole, check_exact=True
    )
    assert not checkpoint.exists()
    resumed = train(NET, (X, Y), seed=7, checkpoint=copy, **OPTIONS)
    history = load_fit(out / "seed-7.npz").history
    assert history["seconds"][0] == resumed.history["seconds"][0]
    assert len(history) == len(resumed.history) == 3


def test_mistakes_are_named() -> None:
    assert_refused(
        [
            (lambda: train_seeds(3, (X, Y), seeds=1, **OPTIONS), "net = 3", "expected a Network"),
            (lambda: train_seeds(NET, (X, Y), seeds=[1, 1], **OPTIONS), "seeds = [1, 1]", "every seed once"),
            (lambda: train_seeds(NET, (X, Y), seeds=1, seed=2, **OPTIONS), "no argument 'seed'", "its seed"),
            (
                lambda: train_seeds(NET, (X, Y), seeds=1, epoch=2, loss=losses.rate_mse),
                "no argument 'epoch'",
                "'epochs'",
            ),
        ]
    )

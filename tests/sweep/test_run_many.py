"""`run_many`: the table of a plain loop, wherever the points run; what is finished stays, and mistakes are named."""

from __future__ import annotations

import functools
import json
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from brian2 import ms
from helpers.refusals import assert_refused

from nsnn_neuro import FailedPoints, FormatError, NsnnError, run_many

POINTS = {"tau": [1 * ms, 2 * ms, 4 * ms], "seed": [1, 2]}


def drawn(tau: Any, seed: int, notes: str | None = None) -> dict[str, Any]:
    """A draw that the point determines, and values that JSON lacks; `notes`: a folder with a file per call."""
    if notes is not None:
        (Path(notes) / f"{tau / ms:g}-{seed}-{os.getpid()}-{os.urandom(4).hex()}").touch()
    draw = np.random.default_rng([seed, round(float(tau / ms))]).normal()
    return {
        "draw": draw,
        "nan": np.nan,
        "low": -np.inf if draw < 0 else None,
        "n": np.int64(seed),
        "even": seed % 2 == 0,
    }


def by_hand() -> pd.DataFrame:
    rows = [
        ({"tau": float(tau), "seed": seed}, drawn(tau, seed))
        for tau in POINTS["tau"]
        for seed in POINTS["seed"]
    ]
    return pd.DataFrame([{**point, **result, "failed": False} for point, result in rows])


def calls(notes: Path) -> list[str]:
    return sorted("-".join(path.name.split("-")[:2]) for path in notes.iterdir())


ALL = ["1-1", "1-2", "2-1", "2-2", "4-1", "4-2"]


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    (tmp_path / "notes").mkdir()
    return tmp_path / "notes"


def test_the_table_is_that_of_a_loop_and_a_folder_gives_it_again_without_a_call(tmp_path, notes) -> None:
    function, out = functools.partial(drawn, notes=str(notes)), tmp_path / "out"
    for _ in range(2):
        table = run_many(function, POINTS, out=out)
        pd.testing.assert_frame_equal(table, by_hand(), check_exact=True)
        assert table.attrs["units"] == {"tau": "s", "seed": "1"}
    assert calls(notes) == ALL
    assert pd.read_csv(out / "table.csv")["draw"].tolist() == pytest.approx(table["draw"].tolist(), rel=1e-15)
    frame = pd.DataFrame({"tau": [0.001, 0.004], "seed": [2, 1]})
    rows = run_many(lambda tau, seed: {"sum": tau + seed}, frame)
    np.testing.assert_array_equal(rows["sum"], frame["tau"] + frame["seed"])


def test_what_an_interruption_leaves_is_not_run_again_and_failed_or_damaged_points_are(
    tmp_path, notes
) -> None:
    """Point 3 is interrupted, then fails, then runs; what happens is read from a file, so the function stays the same."""
    (tmp_path / "act").write_text("interrupt")

    def function(tau: Any, seed: int) -> dict[str, Any]:
        act = (tmp_path / "act").read_text()
        if (round(float(tau / ms)), seed) == (2, 2):
            if act == "interrupt":
                raise KeyboardInterrupt
            if act == "fail":
                raise ValueError("no luck")
        return drawn(tau, seed, str(notes))

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt, match=r"3 of 6 points are in .*the same call continues"):
        run_many(function, POINTS, out=out)
    assert calls(notes) == ALL[:3]
    (tmp_path / "act").write_text("fail")
    with pytest.warns(FailedPoints, match="1 of 6 points failed, the first with 'ValueError: no luck'"):
        table = run_many(function, POINTS, out=out)
    assert table["failed"].tolist() == [False] * 3 + [True] + [False] * 2
    assert np.isnan(table["draw"][3])
    assert "no luck" in json.loads((out / "errors.json").read_text())[0]["traceback"]
    (tmp_path / "act").write_text("")
    pd.testing.assert_frame_equal(run_many(function, POINTS, out=out), by_hand(), check_exact=True)
    assert calls(notes) == ALL
    first, second, *_ = sorted(out.glob("chunk-*"))
    first.write_bytes(first.read_bytes()[:-30])
    second.write_text(second.read_text().replace('["nan"]', '["1e9"]'))
    with pytest.warns(UserWarning, match="not of this run, or damaged"):
        pd.testing.assert_frame_equal(run_many(function, POINTS, out=out), by_hand(), check_exact=True)
    assert len(calls(notes)) == 8
    run_many(function, POINTS, out=out, resume=False)
    assert len(calls(notes)) == 14


def test_another_function_other_points_and_another_folder_are_refused(tmp_path) -> None:
    out, foreign = tmp_path / "out", tmp_path / "foreign"
    run_many(drawn, POINTS, out=out)
    foreign.mkdir()
    (foreign / "manifest.json").write_text("{}")
    others: Any = {"seed": [1, 3]}
    assert_refused(
        [
            (
                lambda: run_many(functools.partial(drawn, notes=None), POINTS, out=out),
                "another run (function",
                "resume=False",
            ),
            (
                lambda: run_many(drawn, POINTS | others, out=out),
                "points[1].seed: 2 before, 3 now",
                "another folder",
            ),
            (
                lambda: run_many(drawn, POINTS, out=foreign),
                "no manifest.json of a run",
                "new or empty folder",
            ),
        ]
    )
    manifest = out / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:-20])
    with pytest.raises(FormatError, match="damaged, or not of a run"):
        run_many(drawn, POINTS, out=out)


def test_mistakes_are_named_with_their_cure() -> None:
    lock, one = threading.Lock(), {"a": [1, 2]}
    assert_refused(
        [
            (lambda: run_many(3, one), "function = 3", "returns a dict"),
            (
                lambda: run_many(lambda b: {"c": 1}, one),
                "points have the names a, but function(b)",
                "each argument",
            ),
            (lambda: run_many(lambda a: {"c": 1}, {"a": 3}), "points['a'] = 3", "list of values"),
            (lambda: run_many(lambda a: {"c": 1}, {"a": [[1, 2]]}), "points: a = [1, 2]", "one number"),
            (
                lambda: run_many(lambda a: {"c": 1}, pd.DataFrame({"a": []})),
                "has no points",
                "a dict such as",
            ),
            (lambda: run_many(lambda a: 3, one), "function returned 3", "a dict from names"),
            (lambda: run_many(lambda a: {"a": 3}, one), "'a', which is another column", "another name"),
            (lambda: run_many(lambda a: {"c": [3]}, one), "'c' = [3]", "numbers, texts"),
            (lambda: run_many(lambda a: {"c": 3 * ms}, one), "'c' = 3. ms", "its unit in the name"),
            (lambda: run_many(lambda a: {"c": lock}, one, n_jobs=2), "can't be sent", "n_jobs=1"),
        ]
    )
    with pytest.raises(NsnnError, match="every point failed with 'ZeroDivisionError"):
        run_many(lambda a: {"c": a / 0}, one)


class Counted:
    """Counts how often it is pickled."""

    pickled = 0

    def __getstate__(self) -> dict[str, Any]:
        type(self).pickled += 1
        return {}

    def __call__(self, tau: Any, seed: int) -> dict[str, Any]:
        return drawn(tau, seed)


@pytest.mark.slow
def test_two_processes_give_the_table_of_a_loop_and_what_the_function_keeps_travels_once() -> None:
    pd.testing.assert_frame_equal(run_many(Counted(), POINTS, n_jobs=2), by_hand(), check_exact=True)
    assert Counted.pickled == 1

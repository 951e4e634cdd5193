"""A sweep's folder: killed at any moment it resumes to the same table; another configuration is refused, damage never trusted."""
# Imports an internal: a sweep is resumed only where fingerprints are equal, and only they show which change matters.

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import itertools
import json
import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from brian2 import ms, mV
from filelock import FileLock

import nsnn_neuro as nsnn
from nsnn_neuro import FormatError, NsnnError
from nsnn_neuro.measures import cv, firing_rate
from nsnn_neuro.sweep.fingerprint import fingerprint

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
RUN = {
    **{"noise": nsnn.WhiteNoise(3 * mV), "stimulus": nsnn.Constant(18 * mV), "measures": [firing_rate, cv]},
    **{"trials": 2, "duration": 100 * ms, "dt": 0.2 * ms, "seed": [1, 2], "engine": "numpy", "chunk": 1},
}
GRID = {"noise.sigma": [2 * mV, 3 * mV], "stimulus.v": [15 * mV, 18 * mV, 21 * mV]}


def swept(out, **options) -> pd.DataFrame:
    return nsnn.sweep(options.pop("model", CELL), options.pop("grid", GRID), out=out, **RUN | options)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, pd.DataFrame]:
    """The folder of a finished sweep, not to be changed, and its table."""
    out = tmp_path_factory.mktemp("sweep") / "out"
    return out, swept(out)


@pytest.fixture
def copy(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished[0], tmp_path / "out"))


def digest(content) -> str:
    """The checksum in a file of a sweep."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def chunks(out: Path) -> list[Path]:
    return sorted(out.glob("chunk-*.json"))


def same(table: pd.DataFrame, other: pd.DataFrame) -> None:
    """Equal to the bit: NaN at the same places."""
    pd.testing.assert_frame_equal(table, other, check_exact=True)
    assert table["value"].to_numpy().tobytes() == other["value"].to_numpy().tobytes()


@pytest.mark.slow
def test_a_finished_sweep_is_read_not_run(finished, copy, monkeypatch) -> None:
    ran: list[float] = []
    same(swept(copy, progress=ran.append), finished[1])
    assert ran == []
    assert (copy / "table.csv").read_bytes() == (finished[0] / "table.csv").read_bytes()
    back = pd.read_csv(copy / "table.csv", float_precision="round_trip")
    np.testing.assert_array_equal(back["value"], finished[1]["value"])
    assert len(chunks(copy)) == 12


@pytest.mark.slow
def test_what_is_missing_or_damaged_is_run_again(finished, copy) -> None:
    """A cut file, a changed number, a chunk of another sweep, a pickle under a chunk's name, something else that is JSON."""
    cut, changed, foreign, pickled, other, gone, *_ = chunks(copy)
    cut.write_bytes(cut.read_bytes()[:-40])
    changed.write_text(changed.read_text().replace('"n": [2', '"n": [3'))
    data = json.loads(foreign.read_text())
    data["chunk"]["config"] = "0" * 64
    foreign.write_text(json.dumps(data | {"sha256": digest(data["chunk"])}))
    pickled.write_bytes(pickle.dumps(Trap(copy / "sprung")))
    other.write_text("[1, 2]")
    gone.unlink()
    ran = []
    with pytest.warns(UserWarning, match="its points run again") as warned:
        same(swept(copy, progress=ran.append), finished[1])
    assert len([one for one in warned if "run again" in str(one.message)]) == 5
    assert len([fraction for fraction in ran if fraction > 6 / 12]) > 0
    assert not (copy / "sprung").exists()


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.slow
def test_a_chunk_whose_content_cannot_be_is_run_again_even_with_its_checksum(finished, copy) -> None:
    spoils = [
        lambda one: one.update(point=99),
        lambda one: one.update(point=True),
        lambda one: one["rows"].pop("se"),
        lambda one: one["rows"].update(value=[[1.0], "nan"]),
        lambda one: one["rows"].update(value=["__import__('os')", 1.0]),
        lambda one: one["rows"].update(n=[2]),
        lambda one: one["rows"].update({name: [] for name in one["rows"]}),
    ]
    for path, spoil in zip(chunks(copy), spoils, strict=False):
        data = json.loads(path.read_text())
        spoil(data["chunk"]["points"][0])
        path.write_text(json.dumps(data | {"sha256": digest(data["chunk"])}))
    with pytest.warns(UserWarning, match="its points run again") as warned:
        same(swept(copy), finished[1])
    assert len([one for one in warned if "run again" in str(one.message)]) == len(spoils)


def test_another_configuration_is_refused_with_what_changed(copy) -> None:
    for options, change in [
        ({"trials": 3}, "trials: 2 before, 3 now"),
        ({"duration": 200 * ms}, "duration: 0.1 before, 0.2 now"),
        ({"seed": [1, 3]}, r"seeds\[1\]: 2 before, 3 now"),
        ({"noise": nsnn.OUNoise(3 * mV, 5 * ms)}, "noise.type: .*WhiteNoise before"),
        ({"bridge": False}, "bridge: True before, False now"),
        ({"common_noise": True}, "common_noise: False before, True now"),
        ({"measures": [firing_rate]}, "measures.cv"),
        (
            {"grid": {**GRID, "noise.sigma": [2 * mV, 4 * mV]}},
            r"points\[3\].noise.sigma: 0.003 before, 0.004 now",
        ),
        ({"grid": {**GRID, "noise.sigma": [2 * mV]}}, "points: 6 values before, 3 values now"),
        ({"by": "population"}, "by: neuron before, population now"),
    ]:
        with pytest.raises(NsnnError, match=rf"holds another sweep \(.*{change}.*resume=False"):
            swept(copy, **options)


def test_packages_of_other_versions_are_named(finished, copy, monkeypatch) -> None:
    """That rows of two versions are not mixed is tested with the golden files."""
    now = nsnn.provenance() | {"versions": {"nsnn_neuro": "9.9", "numpy": "0.1"}}
    monkeypatch.setattr(sys.modules["nsnn_neuro.sweep.run"], "provenance", lambda: now)
    with pytest.warns(UserWarning, match=r"before, nsnn_neuro 9\.9 .* now.*; numpy: .* before, 0\.1 now"):
        same(swept(copy), finished[1])


@pytest.mark.slow
def test_a_function_of_the_point_counts_by_what_it_gives(tmp_path, monkeypatch) -> None:
    factor = 1.0
    given = {"grid": {"mu": [15.0, 18.0]}, "stimulus": lambda point: nsnn.Constant(factor * point["mu"] * mV)}
    table = swept(tmp_path / "out", **given)
    ran: list[float] = []
    other = {"stimulus": lambda p: nsnn.Constant(p["mu"] * mV), "progress": ran.append}
    same(swept(tmp_path / "out", **given | other), table)
    assert ran == []
    factor = 1.1
    with pytest.raises(NsnnError, match=r"records: .* before"):
        swept(tmp_path / "out", **given)


@pytest.mark.slow
def test_resume_false_starts_anew_and_leaves_other_files(finished, copy) -> None:
    (copy / "notes.txt").write_text("mine")
    table = swept(copy, trials=3, resume=False)
    assert len(chunks(copy)) == 12
    assert (table["n"] == 3).all()
    assert (copy / "notes.txt").read_text() == "mine"
    same(swept(copy, trials=3), table)


@pytest.mark.slow
def test_a_damaged_manifest_and_a_folder_of_something_else_are_refused(copy, tmp_path) -> None:
    text = (copy / "manifest.json").read_text()
    for bad in (text[:-30], text.replace('"trials": 2', '"trials": 3')):
        (copy / "manifest.json").write_text(bad)
        with pytest.raises(FormatError, match=r"manifest.json: damaged.*resume=False"):
            swept(copy)
    swept(copy, resume=False)
    for k, name in enumerate(["thesis.tex", "table.csv", "manifest.json", "chunk-1-0-0-47e8424e707b.json"]):
        other = tmp_path / f"other{k}"
        other.mkdir()
        (other / name).write_text("[]")
        for resume in (True, False):
            with pytest.raises(NsnnError, match=rf"contains '{name}' but no manifest.json of a sweep"):
                swept(other, resume=resume)
        assert [(p.name, p.read_text()) for p in other.iterdir()] == [(name, "[]")]


def _bounded(text: str):
    """A class of noise made on the spot, all of one name."""

    @dataclasses.dataclass(frozen=True, eq=False)
    class Bounded(nsnn.MultiplicativeNoise):
        amplitude = text
        slope = "0"

    return Bounded(0.2, -10 * mV, calculus="ito")


def test_a_class_of_the_package_is_known_by_its_name_wherever_its_module_stands(monkeypatch) -> None:
    before = fingerprint([CELL, nsnn.WhiteNoise(3 * mV), firing_rate, functools.partial(cv, t_start=0.1)])
    assert "nsnn_neuro" not in json.dumps(before)
    for named in (nsnn.LIF, nsnn.WhiteNoise, firing_rate, cv):
        monkeypatch.setattr(named, "__module__", "nsnn_neuro.models.elsewhere")
    assert (
        fingerprint([CELL, nsnn.WhiteNoise(3 * mV), firing_rate, functools.partial(cv, t_start=0.1)])
        == before
    )
    assert before[0]["type"] == "LIF"
    assert fingerprint(_bounded("v"))["type"].startswith(f"{__name__}.")  # a user's class keeps its module


def test_the_code_of_a_users_measure_or_noise_model_is_part_of_its_fingerprint() -> None:
    def window(block, *, width=0.1):
        return width

    def wider(block, *, width=0.2):
        return width

    wider.__qualname__ = window.__qualname__

    def scaled(factor):
        return lambda block: factor

    class Counter:
        def __init__(self, start):
            self.start = start

        def __call__(self, block):
            return self.start

        def method(self, block):
            return self.start

    partials = (functools.partial(window, width=np.int64(k)) for k in (3, 4))
    for one, other in (
        (window, wider),
        (scaled(1), scaled(2)),
        (Counter(1), Counter(2)),
        (Counter(1).method, Counter(2).method),
        tuple(partials),
        (_bounded("v"), _bounded("2 * v")),
    ):
        assert fingerprint(one) != fingerprint(other)
    assert fingerprint(_bounded("v")) == fingerprint(_bounded("v"))
    assert fingerprint(scaled(1)) == fingerprint(scaled(1))


@pytest.mark.slow
def test_classes_of_one_name_are_not_run_as_one() -> None:
    texts = ["10*mV", "0*mV"]
    drive = {"noise": lambda point: _bounded(texts[point["k"]]), "stimulus": nsnn.Constant(17 * mV)}
    many = {"trials": 20, "duration": 200 * ms, "seed": 1, "measures": firing_rate}
    rates = swept(None, grid={"k": [0, 1]}, **drive, **many)["value"].to_numpy()
    assert rates[0] > 0
    assert rates[1] == 0


@pytest.mark.slow
def test_a_seed_that_was_drawn_is_kept(tmp_path) -> None:
    table = swept(tmp_path / "out", seed=None)
    same(swept(tmp_path / "out", seed=None), table)


@pytest.mark.slow
def test_chunks_and_engine_are_no_part_of_the_configuration(finished, copy) -> None:
    for path in chunks(copy)[:5]:
        path.unlink()
    same(swept(copy, chunk=4), finished[1])


@pytest.mark.slow
def test_failed_points_run_again_on_the_next_call(tmp_path) -> None:
    """What failed for want of memory, say, needn't fail again."""
    broken = tmp_path / "broken"
    broken.touch()

    def rate(block):
        if broken.exists() and block.annotations.get("point") == 2:
            raise RuntimeError("no")
        return firing_rate(block)

    given = {
        "measures": {"rate": rate},
        "grid": [{"stimulus.v": v * mV} for v in (15, 16, 17, 18)],
        "seed": 1,
    }
    with pytest.warns(nsnn.FailedPoints):
        one = swept(tmp_path / "out", **given, common_noise=False)
    broken.unlink()
    two = swept(tmp_path / "out", **given)
    assert one["failed"].tolist() == [False, False, True, False]
    assert not two["failed"].any()
    assert one["value"].drop(2).tolist() == two["value"].drop(2).tolist()
    assert json.loads((tmp_path / "out" / "errors.json").read_text()) == []


@pytest.mark.slow
def test_one_process_at_a_time(copy) -> None:
    with FileLock(copy / "sweep.lock"), pytest.raises(NsnnError, match="another process runs this sweep"):
        swept(copy)
    swept(copy)


def test_a_file_is_replaced_atomically(finished, copy, monkeypatch) -> None:
    """The old content stays until the new one is on the disk under another name."""
    old = {path.name: path.read_bytes() for path in copy.iterdir()}

    def dies(source, target):
        assert Path(source).read_bytes() == Path(target).read_bytes() == old[Path(target).name]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", dies)
    with pytest.raises(NsnnError, match="No space left"):
        swept(copy)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == old


@pytest.mark.slow
def test_with_a_folder_long_sweeps_are_divided_and_short_ones_are_not(tmp_path, monkeypatch) -> None:
    """The table is that of one chunk, to the bit; a sweep of a second stays one chunk for each seed."""
    swept(tmp_path / "short", chunk=None)
    assert len(chunks(tmp_path / "short")) == 2
    monkeypatch.setattr(importlib.import_module("nsnn_neuro.sweep.batching"), "_SHORT", 0.0)
    many = {"chunk": None, "trials": 2000, "duration": 20 * ms, "measures": [firing_rate]}
    divided = swept(tmp_path / "long", **many)
    assert len(chunks(tmp_path / "long")) == 12
    same(divided, swept(None, **many))


@pytest.mark.slow
def test_points_with_few_intervals_per_trial_are_named_also_when_they_are_read(tmp_path) -> None:
    """A driven neuron has dozens of intervals in 1 s, one near threshold a few."""
    given = {"grid": {"stimulus.v": [15 * mV, 40 * mV]}, "duration": 1000 * ms, "seed": 1}
    words = r"cv: 1 of 2 points .* fewer than 5 .*, the first with stimulus\.v = 15\. mV \(point 0\):"
    for _ in range(2):
        with pytest.warns(UserWarning, match=words):
            table = swept(tmp_path / "out", **given)
    rates = table[table.measure == "firing_rate"].value.to_numpy()
    assert rates[0] < 6 < 20 < rates[1]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="cv")
        swept(None, **given | {"grid": {"stimulus.v": [40 * mV]}})
        swept(None, **given | {"measures": firing_rate})


def interrupting(count: int):
    """Press Ctrl-C in the report of progress number `count`."""
    calls = itertools.count(1)

    def report(fraction: float) -> None:
        if next(calls) == count:
            raise KeyboardInterrupt

    return report


@pytest.mark.slow
def test_after_ctrl_c_a_line_says_what_is_kept_and_the_call_continues(finished, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt) as caught:
        swept(out, progress=interrupting(8))
    done = len(chunks(out))
    assert 0 < done < 12
    assert str(caught.value) == f"interrupted: {done} of 12 points are in {out}; the same call continues"
    assert caught.value.__suppress_context__
    assert len(caught.traceback) <= 4  # the test, the package's entry and `sweep`, not what it was doing
    assert capsys.readouterr().err == ""  # a function takes the progress
    same(swept(out), finished[1])
    assert f"{done} of 12 points were in {out}" in capsys.readouterr().err
    with pytest.raises(KeyboardInterrupt, match="out=FOLDER would have kept them"):
        swept(None, progress=interrupting(8))


def dying_sweep(out: Path, where: str, count: int, pipe) -> None:
    """A sweep that kills its process at call number `count` of os.fsync or os.replace, or sends its progress."""
    real, calls = {name: getattr(os, name) for name in ("fsync", "replace")}, itertools.count(1)

    def dies(*arguments):
        if next(calls) == count:
            if where == "fsync":  # of a file, each second one is of the folder: half of it is written
                os.ftruncate(arguments[0], os.fstat(arguments[0]).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        return real[where](*arguments)

    if where in real:
        setattr(os, where, dies)
    swept(out, progress=pipe.send)


def killed(out: Path, where: str, count: int) -> None:
    """Start the sweep in a process of its own and kill it: in a write, or while chunk number `count` runs."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=dying_sweep, args=(out, where, count, theirs))
    process.start()
    theirs.close()
    if where == "chunk":
        fractions = {0.0}
        while len(fractions) < 2 * count:  # a chunk reports its beginning and its end
            fractions.add(ours.recv())
        process.kill()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.slow
def test_killed_four_times_it_resumes_to_the_same_table(finished, tmp_path) -> None:
    """SIGKILL in the middle of chunks, half-way through the writing of a file, and before a file gets its name."""
    out = tmp_path / "out"
    moments = [("fsync", 1), ("replace", 1), ("chunk", 1), ("fsync", 5)]
    done = 0
    for where, count in moments:
        killed(out, where, count)
        now = len(chunks(out))
        assert now >= done
        done = now
    assert 0 < done < 12
    same(swept(out), finished[1])
    assert (out / "table.csv").read_bytes() == (finished[0] / "table.csv").read_bytes()
    assert not list(out.glob(".*.tmp"))

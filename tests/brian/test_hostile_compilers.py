"""Compilers and machines that fail: an explicit engine names what is wrong, "auto" goes on with one warning, and none hangs."""
# Imports internals: they stand in for machines whose limits a test cannot set, and for compilations of seconds.

from __future__ import annotations

import errno
import os
import re
import subprocess
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest
from brian2 import ms, mV
from numpy.testing import assert_array_equal

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.brian import NoCompilerWarning, auto_engine, cython_build, engine_choice, engine_history
from nsnn_neuro.core import program_cache

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
RUN: dict[str, Any] = {"n_neurons": 3, "duration": 50 * ms, "seed": 1}
PARTS = (CELL, nsnn.WhiteNoise(3 * mV), nsnn.Constant(22 * mV))


class Given(Protocol):
    """What makes a machine hostile: it gets an empty folder."""

    def __call__(self, folder: Path, patch: pytest.MonkeyPatch) -> Any:
        """Set it up."""


def script(text: str, first: str = "#!/bin/sh") -> Given:
    """A compiler that reports nothing of itself and fails, or does what the text says, when it compiles or links."""

    def given(folder: Path, patch: pytest.MonkeyPatch) -> None:
        path = folder / "c++"
        path.write_text(f'{first}\ncase "$*" in *fsyntax-only*) exit 0;; esac\n{text}\n')
        path.chmod(0o755)
        patch.setenv("CXX", str(path))

    return given


def named(text: str) -> Given:
    return lambda folder, patch: patch.setenv("CXX", text)


def limited(number: int, owner: Any = subprocess, name: str = "Popen") -> Given:
    """A machine that starts no process, or opens no file."""

    def refused(*args: Any, **kwargs: Any) -> None:
        raise OSError(number, os.strerror(number))

    return lambda folder, patch: patch.setattr(owner, name, refused)


def without_make(folder: Path, patch: pytest.MonkeyPatch) -> None:
    script("echo bad luck >&2; exit 1")(folder, patch)
    patch.setenv("PATH", str(folder))


BAD = "echo 'In function f:' >&2; echo 'x.cpp:7:1: error: bad luck' >&2"
# what is wrong, words of the message of "cpp" and of "cython"
HOSTILE: dict[str, tuple[Given, Sequence[str], Sequence[str]]] = {
    "an error": (script(f"{BAD}; exit 1"), ["x.cpp:7:1: error: bad luck;", "log"], ["error: bad luck;", "log"]),
    "a child that holds stderr": (script(f"sleep 20 & {BAD}; exit 1"), ["bad luck"], ["bad luck"]),
    "/bin/true": (named("/bin/true"), ["/bin/true", "no file"], ["/bin/true", "no file"]),
    "no format": (script("", first=""), ["Exec format"], ["Exec format"]),
    "open quotes": (named('c++ "-O1'), ['CXX = c++ "-O1', "quot"], ['CXX = c++ "-O1', "quot"]),
    "no make": (without_make, ["make", "install", "PATH"], ["bad luck"]),
    "no processes": (limited(errno.EAGAIN), ["ulimit -u"], ["ulimit -u"]),
    "no files": (limited(errno.EMFILE), ["ulimit -n"], ["ulimit -n"]),
    "no folder": (limited(errno.EMFILE, tempfile, "mkdtemp"), ["ulimit -n"], ["ulimit -n"]),
    # as on a disk mounted with noexec: what has been compiled cannot be run, or loaded
    "noexec": (
        script('for last; do :; done; case "$last" in *.o|*.so) touch "$last";; *) touch main;; esac'),
        ["TMPDIR", "noexec"],
        ["cannot be loaded", "noexec"],
    ),
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no memory of earlier runs, compiled engines that look fast; Cython translates nothing."""
    monkeypatch.setenv("NSNN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(program_cache, "_stand_ins", {})
    monkeypatch.setattr(engine_history, "_memory", {})
    monkeypatch.setattr(cython_build, "_loaded", {})
    for name in ("_failed", "_warned"):
        monkeypatch.setattr(auto_engine, name, set())
    monkeypatch.setattr(engine_choice, "BUILD", {"cython": (0.0, 0.0, 0.0), "cpp": (0.0, 0.0, 0.0)})
    monkeypatch.setattr(cython_build, "translate", lambda code, path: path.with_suffix(".cpp").touch())
    return tmp_path


def steps(**options: Any) -> list[Any]:
    trains = nsnn.measures.as_trains(nsnn.simulate(*PARTS, **RUN, **options))
    return [trains.neuron, trains.times]


@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.parametrize(
    ("name", "engine"),
    [
        *((name, ("cpp", "cython")[k % 2]) for k, name in enumerate(HOSTILE)),
        *((name, "auto") for name in ("no make", "no files", "noexec")),
        ("noexec", "cpp"),
    ],
)
def test_a_compiler_that_fails_is_named_and_auto_does_without(
    name: str, engine: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, *words = HOSTILE[name]
    expected = steps(engine="numpy")
    given(place, monkeypatch)
    begun = time.monotonic()
    with warnings.catch_warnings(record=True, action="always") as caught:
        if engine == "auto":
            for found, one in zip(steps(engine="auto"), expected, strict=True):
                assert_array_equal(found, one)
            steps(engine="auto")
            (message,) = [str(w.message) for w in caught if w.category is NoCompilerWarning]
        else:
            with pytest.raises(NsnnError) as error:
                steps(engine=engine)
            message = str(error.value)
            assert not [w for w in caught if w.category is NoCompilerWarning]
    assert time.monotonic() - begun < 15
    for word in words[engine == "cython"]:
        assert word in message
    log = re.search(r"log is (\S+\.log)", message)
    if log:
        assert "bad luck" in Path(log[1]).read_text() or "no file" in message

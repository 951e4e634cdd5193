"""The folder of compiled models, which are executed: entries are whole, of this user alone, or not used, and old ones go."""
# Imports internals: entries of the cache are damaged, offered, kept and removed without a compiler.

from __future__ import annotations

import errno
import hashlib
import os
import random
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from brian2 import ms, mV

import nsnn_neuro as nsnn
from nsnn_neuro.brian import cython_build
from nsnn_neuro.cli import main as cli
from nsnn_neuro.core import program_cache

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = b"\x7fELF" + random.Random(0).randbytes(1000)
EVIL = b"#!/bin/sh\ntouch evil\n"
STRANGER = 54321  # a user that does not exist
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of programs of an empty cache; a stand-in is removed afterwards."""
    stand_ins: dict[Path, Path] = {}
    monkeypatch.setenv("NSNN_CACHE_DIR", str(tmp_path / "above" / "cache"))
    monkeypatch.setattr(program_cache, "_stand_ins", stand_ins)
    monkeypatch.setattr(program_cache.atexit, "register", lambda *_: None)
    yield tmp_path / "above" / "cache" / "cpp"
    for folder in stand_ins.values():
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_bytes(PROGRAM)
    path.chmod(0o777)
    return path


def sign(entry: Path, content: bytes = EVIL) -> None:
    """Make a program of another content, and its checksum right."""
    (entry / "program").write_bytes(content)
    (entry / "sha256").write_text(hashlib.sha256(content).hexdigest(), encoding="ascii")


def fetched(key: str, target: Path) -> bytes | None:
    target.unlink(missing_ok=True)
    return target.read_bytes() if program_cache.fetch(key, target) else None


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def test_the_first_that_is_kept_is_found_again_can_be_run_and_is_the_users_alone(place, program, tmp_path):
    """Whatever the umask."""
    target, second = tmp_path / "main", tmp_path / "second"
    second.write_bytes(b"later")
    assert not program_cache.fetch("a", target)
    before = os.umask(0)
    try:
        program_cache.keep("a", program)
        program_cache.keep("a", second)
    finally:
        os.umask(before)
    assert fetched("a", target) == PROGRAM
    assert os.access(target, os.X_OK)
    assert fetched("b", tmp_path / "other") is None
    assert names(place) == ["a"]
    entry = place / "a"
    modes = {path: path.stat().st_mode & 0o077 for path in (place.parent, place, entry, *entry.iterdir())}
    assert not any(modes.values()), modes


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[50] ^= 1
    path.write_bytes(content)


def replaced_by_link(path: Path) -> None:
    path.rename(path.with_name("behind"))
    path.symlink_to("behind")


def replaced_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replaced_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = {
    "a bit": flip,
    "truncated": lambda path: os.truncate(path, 10),
    "huge": lambda path: os.truncate(path, 2**40),
    "absent": Path.unlink,
    "cannot be run or read": lambda path: path.chmod(0o200),
    "a link": replaced_by_link,
    "a pipe": replaced_by_pipe,
    "a folder": replaced_by_folder,
}


@pytest.mark.parametrize("part", ["program", "sha256"])
def test_a_damaged_entry_is_no_entry_and_can_be_made_anew(place, program, tmp_path, part):
    """None is returned, waited for or left in its place."""
    target = tmp_path / "main"
    for name, damage in DAMAGES.items():
        program_cache.keep("a", program)
        damage(place / "a" / part)
        program_cache.entries()
        assert not program_cache.fetch("a", target), name
        assert not target.exists()
        assert names(place) == []
    program_cache.keep("a", program)
    assert fetched("a", target) == PROGRAM


@pytest.mark.parametrize("kind", ["link", "pipe", "file", "empty"])
def test_what_stands_in_the_place_of_an_entry_is_none(place, program, tmp_path, kind):
    program_cache.keep("a", program)
    entry = place / "a"
    entry.rename(tmp_path / "aside")
    if kind == "link":
        sign(tmp_path / "aside")
        entry.symlink_to(tmp_path / "aside")
    elif kind == "pipe":
        os.mkfifo(entry)
    elif kind == "file":
        entry.write_bytes(PROGRAM)
    else:
        entry.mkdir()
    assert program_cache.find("a") is None
    program_cache.keep("a", program)
    assert fetched("a", tmp_path / "main") == PROGRAM
    assert program_cache.clear() == 1
    assert names(place) == []


def test_the_entries_that_were_used_longest_ago_go_first(place, program, tmp_path, monkeypatch):
    monkeypatch.setattr(program_cache, "MOST_BYTES", 3500)  # three entries
    for age, key in enumerate("abc"):
        program_cache.keep(key, program)
        os.utime(place / key / "sha256", (1000 + age, 1000 + age))
    assert program_cache.fetch("a", tmp_path / "main")  # used now: the oldest is b
    program_cache.keep("d", program)
    assert {entry.key for entry in program_cache.entries()} == {"a", "c", "d"}
    assert all(entry.size == 1004 for entry in program_cache.entries())


def test_what_a_killed_process_left_is_no_entry_and_goes(place, program):
    program_cache.keep("a", program)
    for name, age in ((".part-old", 7200), (".part-new", 60)):
        (place / name).mkdir()
        (place / name / "program").write_bytes(b"half")
        os.utime(place / name, (time.time() - age,) * 2)
    assert [entry.key for entry in program_cache.entries()] == ["a"]
    program_cache.keep("b", program)
    assert names(place) == [".part-new", "a", "b"]
    assert program_cache.clear() == 2
    assert names(place) == []


def _below_a_file(place):
    place.parent.parent.mkdir()
    place.parent.write_text("not a folder")


def _open_to_all(place):
    place.mkdir(parents=True)
    place.chmod(0o777)


def _not_to_be_written(place):
    if os.getuid() == 0:
        pytest.skip("root writes everywhere")
    place.mkdir(parents=True)
    place.chmod(0o500)


@pytest.mark.parametrize("spoil", [_below_a_file, _open_to_all, _not_to_be_written])
def test_a_folder_that_cannot_be_used_is_replaced_with_one_warning(
    place, program, tmp_path, spoil, monkeypatch
):
    registered = []
    monkeypatch.setattr(program_cache.atexit, "register", lambda *a: registered.append(a))
    spoil(place)
    assert not program_cache.fetch("a", tmp_path / "main")
    with pytest.warns(program_cache.NoCacheWarning, match="set NSNN_CACHE_DIR to a folder of yours"):
        program_cache.keep("a", program)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        program_cache.keep("b", program)
    assert program_cache.fetch("a", tmp_path / "main")
    assert program_cache.fetch("b", tmp_path / "other")
    assert not place.is_dir() or names(place) == []
    ((remove,),) = registered
    (stand_in,) = program_cache._stand_ins.values()
    assert stand_in.is_dir()
    remove()
    assert not stand_in.exists()


def test_a_full_disk_is_named_once_and_leaves_nothing(place, program, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(program_cache.shutil, "copyfile", full)
    with pytest.warns(
        program_cache.NoCacheWarning, match=r"cpp: compiled models can't be kept \(No space left on device\)"
    ):
        program_cache.keep("a", program)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        program_cache.keep("b", program)
    assert names(place) == []


def test_where_the_folder_is(monkeypatch, tmp_path):
    monkeypatch.delenv("NSNN_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    if sys.platform == "linux":
        assert program_cache.folder() == tmp_path / ".cache" / "nsnn_neuro" / "cpp"
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        assert program_cache.folder("cython") == tmp_path / "xdg" / "nsnn_neuro" / "cython"
    monkeypatch.setenv("NSNN_CACHE_DIR", "~/mine")
    assert program_cache.folder() == tmp_path / "mine" / "cpp"


def test_the_command_lists_and_clears(place, program, capsys):
    assert cli.main(["cache", "list"]) == 0
    assert "compiled models: 0" in capsys.readouterr().out
    program_cache.keep("a" * 64, program)
    assert cli.main(["cache", "list"]) == 0
    out = capsys.readouterr().out
    assert "a" * 16 in out
    assert "compiled models: 1," in out
    assert str(place) in out
    assert cli.main(["cache", "clear"]) == 0
    assert "removed: 1," in capsys.readouterr().out
    assert names(place) == []
    assert cli.main(["cache"]) == 2


OTHERS = [
    pytest.param(lambda path: path.chmod(0o777), id="others may write"),
    pytest.param(lambda path: path.chmod(0o770), id="a group may write"),
    pytest.param(lambda path: os.chown(path, STRANGER, -1), id="another owner", marks=as_root),
]


@pytest.mark.parametrize("spoil", OTHERS)
def test_an_entry_of_others_is_not_used(place, program, tmp_path, spoil) -> None:
    for part in ("", "program", "sha256"):
        program_cache.keep("a", program)
        sign(place / "a")
        spoil(place / "a" / part)
        assert program_cache.find("a") is None
        assert fetched("a", tmp_path / "main") is None
    program_cache.keep("a", program)
    assert fetched("a", tmp_path / "main") == PROGRAM


@pytest.mark.parametrize("level", range(3))
@pytest.mark.parametrize("spoil", OTHERS[::2])
def test_every_folder_above_counts(place, program, tmp_path, level, spoil) -> None:
    """Whoever may rename a folder on the way may put another one there."""
    program_cache.keep("a", program)
    spoil([place, *place.parents][level])
    assert fetched("a", tmp_path / "main") is None
    with pytest.warns(program_cache.NoCacheWarning, match=r"others may write in|belongs to another user"):
        program_cache.keep("a", program)
    assert fetched("a", tmp_path / "main") == PROGRAM  # from the stand-in
    assert program_cache.find("a") != place / "a" / "program"


def test_a_sticky_folder_above_is_no_weakness_but_a_cache_in_it_is(place: Path) -> None:
    place.mkdir(parents=True, mode=0o700)
    (place.parents[1]).chmod(0o1777)  # as /tmp
    assert program_cache.weakness(place) is None
    assert program_cache.weakness(place.parents[1]) == f"others may write in {place.parents[1]}"


def test_links_on_the_way_are_followed_one_by_one(tmp_path: Path) -> None:
    """The last link stands in a folder of everybody: neither the path as written nor its end shows that."""
    real, common = tmp_path / "real", tmp_path / "common"
    real.mkdir(mode=0o700)
    common.mkdir()
    (common / "hop").symlink_to(real)
    (tmp_path / "cache").symlink_to("common/../common/hop")
    assert program_cache.weakness(tmp_path / "cache") is None
    common.chmod(0o777)
    assert program_cache.weakness(tmp_path / "cache") == f"others may write in {common}"
    (common / "loop").symlink_to("loop")
    common.chmod(0o700)
    with pytest.raises(OSError, match="loop"):
        program_cache.weakness(common / "loop")


@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.usefixtures("unoptimised")
def test_a_program_of_others_is_not_run(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cell = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)

    def spikes(engine: str) -> list[float]:
        block = nsnn.simulate(cell, None, nsnn.Constant(25 * mV), duration=100 * ms, seed=1, engine=engine)
        return block.segments[0].spiketrains[0].magnitude.tolist()

    expected = spikes("numpy")
    assert len(expected) == 3
    assert spikes("cpp") == expected
    (entry,) = place.iterdir()
    sign(entry, f"#!/bin/sh\ntouch {tmp_path}/evil\n".encode())
    (entry / "program").chmod(0o777)
    assert spikes("cpp") == expected
    assert not (tmp_path / "evil").exists()


@pytest.mark.slow
@pytest.mark.compile
def test_declarations_in_the_working_directory_are_not_read(tmp_path: Path, monkeypatch) -> None:
    """Cython looks for numpy.pxd, whose C code it would compile, in the working directory first."""
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "numpy").mkdir(parents=True)
    (here / "numpy" / "__init__.pxd").write_text("this is no declaration", encoding="utf-8")
    there.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", ".")])  # of an interactive session
    cython_build.translate("cimport numpy as _numpy\ncdef _numpy.ndarray x\n", there / "module.pyx")
    assert (there / "module.cpp").exists()


NO_HOME = """
import sys
import nsnn_neuro as nsnn
from brian2 import ms, mV, prefs
prefs.codegen.cpp.extra_compile_args_gcc = ["-w", "-O0", "-std=c++11"]
cell = nsnn.LIF(tau_m=20*ms, v_rest=0*mV, v_reset=10*mV, v_thresh=20*mV, tau_refrac=2*ms)
for engine in sys.argv[1:]:
    block = nsnn.simulate(cell, None, nsnn.Constant(25*mV), duration=100*ms, seed=1, engine=engine)
    assert len(block.segments[0].spiketrains[0]) == 3
"""


@pytest.mark.slow
@pytest.mark.compile
def test_every_engine_works_without_a_home_folder_with_one_warning(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("NSNN_", "XDG_", "MPLCONFIGDIR"))}
    environment |= {"HOME": "/dev/null", "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    # Numba finds no place either, as if the package's own folder could not be written
    environment["NUMBA_CACHE_LOCATOR_CLASSES"] = "UserProvidedCacheLocator,UserWideCacheLocator"
    done = subprocess.run(
        [sys.executable, "-c", NO_HOME, "numpy", "cython", "cpp"],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Warning: ") == 1
    assert "the cache folder /dev/null/.cache/nsnn_neuro can't be used" in done.stderr
    assert len(done.stderr.splitlines()) <= 2  # with the line of code
    assert list(tmp_path.iterdir()) == []

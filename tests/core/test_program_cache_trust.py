"""What lies in the cache is executed: entries that others could have made or changed are not used, nor are damaged ones."""
# Imports internals: entries that others made are offered without a compiler.

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from brian2 import ms, mV

import nsnn_neuro as nsnn
from nsnn_neuro.brian import cython_build
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
        shutil.rmtree(folder)


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


def test_what_is_kept_is_the_users_alone_whatever_the_umask(
    place: Path, program: Path, tmp_path: Path
) -> None:
    before = os.umask(0)
    try:
        program_cache.keep("a", program)
    finally:
        os.umask(before)
    modes = {
        p: p.stat().st_mode & 0o777 for p in (place.parent, place, place / "a", *(place / "a").iterdir())
    }
    assert not any(mode & 0o077 for mode in modes.values()), modes
    assert fetched("a", tmp_path / "main") == PROGRAM


@pytest.mark.parametrize("part", ["", "program", "sha256"])
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: path.chmod(0o777), id="others may write"),
        pytest.param(lambda path: path.chmod(0o770), id="a group may write"),
        pytest.param(lambda path: os.chown(path, STRANGER, -1), id="another owner", marks=as_root),
    ],
)
def test_an_entry_of_others_is_not_used(place, program, tmp_path, part, spoil) -> None:
    program_cache.keep("a", program)
    sign(place / "a")
    spoil(place / "a" / part)
    assert program_cache.find("a") is None
    assert fetched("a", tmp_path / "main") is None
    program_cache.keep("a", program)
    assert fetched("a", tmp_path / "main") == PROGRAM


@pytest.mark.parametrize("level", range(3))
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: path.chmod(0o777), id="others may write"),
        pytest.param(lambda path: os.chown(path, STRANGER, -1), id="another owner", marks=as_root),
    ],
)
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


def flip(entry: Path, draw: random.Random) -> None:
    content = bytearray((entry / "program").read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    (entry / "program").write_bytes(content)


def resize(entry: Path, draw: random.Random) -> None:
    os.truncate(entry / "program", draw.choice([0, 1, 1003, 1005, 2**40]))


def other_checksum(entry: Path, draw: random.Random) -> None:
    right = hashlib.sha256(PROGRAM).hexdigest().encode()
    (entry / "sha256").write_bytes(
        draw.choice([b"", right[:-1], right + b"\n", right.upper(), draw.randbytes(64), right * 2**16])
    )


def replaced(entry: Path, draw: random.Random) -> None:
    """Something else in place of a file, with a program to be run behind it where that is possible."""
    path = entry / draw.choice(["program", "sha256"])
    path.rename(path.with_name("behind"))
    kind = draw.choice(["link", "dangling", "loop", "FIFO", "folder", "nothing"])
    if kind == "link":
        path.with_name("behind").chmod(0o700)
        path.symlink_to("behind")
    elif kind == "dangling":
        path.symlink_to("nowhere")
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()


def replaced_entry(entry: Path, draw: random.Random) -> None:
    aside = entry.with_name(f".aside-{entry.name}")
    os.rename(entry, aside)
    kind = draw.choice(["link", "loop", "FIFO", "file", "empty"])
    if kind == "link":
        sign(aside)
        entry.symlink_to(aside)
    elif kind == "loop":
        entry.symlink_to(entry.name)
    elif kind == "FIFO":
        os.mkfifo(entry)
    elif kind == "file":
        entry.write_bytes(draw.randbytes(100))
    else:
        entry.mkdir()


def open_to_others(entry: Path, draw: random.Random) -> None:
    sign(entry)
    path = entry / draw.choice(["", "program", "sha256"])
    path.chmod(path.stat().st_mode | draw.choice([0o002, 0o020, 0o022, 0o666]) | draw.choice([0, 0o4000]))


def unreadable(entry: Path, draw: random.Random) -> None:
    (entry / "program").chmod(draw.choice([0o000, 0o100, 0o600, 0o400]))


def given_away(entry: Path, draw: random.Random) -> None:
    if os.geteuid() != 0:
        open_to_others(entry, draw)
        return
    sign(entry)
    os.chown(entry / draw.choice(["", "program", "sha256"]), STRANGER, -1, follow_symlinks=False)


Mutation = Callable[[Path, random.Random], None]
IN_PLACE: list[Mutation] = [flip, resize, other_checksum, open_to_others, unreadable, given_away]
AFTERWARDS: list[Mutation] = [other_checksum, unreadable, replaced, replaced_entry]
MUTATIONS = [*IN_PLACE, replaced, replaced_entry]


@pytest.mark.slow
def test_a_hundred_damaged_entries_are_ignored_and_made_anew(
    place: Path, program: Path, tmp_path: Path
) -> None:
    """None is returned, waited for or left in its place; up to two kinds of damage each, with a fixed seed."""
    draw = random.Random(15)

    def too_long(*_: object) -> None:
        raise AssertionError("it waits for something")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(20)
    try:
        for k in range(100):
            key, kind = f"{k:064x}", draw.choice(program_cache.KINDS)
            entry = place.parent / kind / key
            program_cache.keep(key, program, kind)
            first = MUTATIONS[k % len(MUTATIONS)]
            first(entry, draw)
            if first in IN_PLACE and draw.random() < 0.5:
                draw.choice(AFTERWARDS)(entry, draw)
            if draw.random() < 0.5:
                assert program_cache.find(key, kind) is None, (k, first)
            assert not program_cache.fetch(key, tmp_path / "main", kind), (k, first)
            assert not os.path.lexists(tmp_path / "main")
            program_cache.entries(kind)
            program_cache.keep(key, program, kind)
            found = program_cache.find(key, kind)
            assert found is not None, (k, first)
            assert found.read_bytes() == PROGRAM
        program_cache.clear()
        assert [
            p.name
            for kind in program_cache.KINDS
            for p in (place.parent / kind).iterdir()
            if p.name != ".aside"
        ] == []
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.slow
@pytest.mark.compile
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

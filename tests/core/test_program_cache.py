"""The folder of compiled models: entries are whole or not there, damaged ones are not trusted, old ones go."""
# Imports internals: entries of the cache are damaged, kept and removed without a compiler.

from __future__ import annotations

import errno
import os
import sys
import time
import warnings
from pathlib import Path

import pytest

from nsnn_neuro.cli import main as cli
from nsnn_neuro.core import program_cache


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty cache folder of one's own."""
    monkeypatch.setenv("NSNN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(program_cache, "_stand_ins", {})
    return tmp_path / "cache" / "cpp"


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF" + bytes(1000))
    path.chmod(0o755)
    return path


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def test_what_is_kept_is_found_again_and_can_be_run(place, program, tmp_path):
    target = tmp_path / "main"
    assert not program_cache.fetch("a", target)
    program_cache.keep("a", program)
    assert program_cache.fetch("a", target)
    assert target.read_bytes() == program.read_bytes()
    assert os.access(target, os.X_OK)
    assert not program_cache.fetch("b", tmp_path / "other")
    assert not (tmp_path / "other").exists()
    program.write_bytes(b"later")
    program_cache.keep("a", program)  # the first of two stays
    assert program_cache.fetch("a", tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == target.read_bytes()
    assert names(place) == ["a"]
    assert place.stat().st_mode & 0o077 == 0


def _flip(entry):
    data = bytearray((entry / "program").read_bytes())
    data[500] ^= 1
    (entry / "program").write_bytes(data)


def test_a_damaged_entry_is_no_entry_and_can_be_made_anew(place, program, tmp_path):
    target = tmp_path / "main"
    for damage in (
        _flip,
        *(lambda entry, n=n: os.truncate(entry / "program", n) for n in (0, 10, 1005, 2**40)),
        lambda entry: (entry / "program").unlink(),
        lambda entry: (entry / "sha256").unlink(),
        lambda entry: (entry / "sha256").write_bytes(b"\xff\x00"),
        lambda entry: (entry / "program").chmod(0o644),
    ):
        program_cache.keep("a", program)
        damage(place / "a")
        assert not program_cache.fetch("a", target)
        assert not target.exists()
        assert names(place) == []
    program_cache.keep("a", program)
    assert program_cache.fetch("a", target)


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

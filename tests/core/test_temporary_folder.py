"""Folders of killed processes are removed by the next one; those of others, of living processes and of no process stay."""
# Imports internals: which folders have been looked through, and the name of the lock file.

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from nsnn_neuro.core import temporary_folder

fcntl = pytest.importorskip("fcntl")
LOCK = temporary_folder._LOCK


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left(place: Path) -> Path:
    """The folder of a process that has ended without removing it."""
    process = os.fork()
    if process == 0:
        folder, _ = temporary_folder.make()
        (folder / "results").mkdir()
        (folder / "results" / "spikes").write_text("1")
        os._exit(0)
    os.waitpid(process, 0)
    (folder,) = place.glob(f"{temporary_folder.PREFIX}*")
    return folder


def as_fifo(folder: Path) -> None:
    (folder / LOCK).unlink()
    os.mkfifo(folder / LOCK)


def as_link(folder: Path) -> None:
    (folder / LOCK).rename(folder / "aside")
    (folder / LOCK).symlink_to("aside")


CHANGES: dict[str, tuple[Callable[[Path], object], bool]] = {
    "killed": (lambda folder: None, True),
    "without a lock file": (lambda folder: (folder / LOCK).unlink(), False),
    "of another machine": (lambda folder: (folder / LOCK).write_text("elsewhere"), False),
    "a FIFO": (as_fifo, False),
    "a link": (as_link, False),
    "a folder": (lambda folder: ((folder / LOCK).unlink(), (folder / LOCK).mkdir()), False),
    "open to others": (lambda folder: folder.chmod(0o755), False),
    "another name": (lambda folder: folder.rename(folder.with_name("results")), False),
}


@pytest.mark.parametrize("name", CHANGES)
def test_only_folders_of_killed_processes_are_removed(name: str, place: Path) -> None:
    change, removed = CHANGES[name]
    folder = left(place)
    change(folder)
    (before,) = place.iterdir()
    temporary_folder._swept.discard(str(place))
    mine, remove = temporary_folder.make()
    assert before.exists() is not removed
    remove()
    assert not mine.exists()


def test_the_folder_of_a_living_process_stays(place: Path) -> None:
    with temporary_folder.temporary_folder() as folder:
        process = os.fork()
        if process == 0:
            temporary_folder._swept.clear()
            os.close(os.open(folder / LOCK, os.O_RDONLY))  # as a closed copy of a POSIX lock would release it
            temporary_folder.make()
            os._exit(0)
        os.waitpid(process, 0)
        assert folder.exists()
        temporary_folder._swept.clear()
        temporary_folder.make()[1]()
        assert list(place.iterdir()) == [folder]
    assert list(place.iterdir()) == []

"""Temporary folders that a later process removes where the one that made them was killed.

A file in the folder is locked as long as its process lives. The first folder of a process is made after those of killed ones have
been removed: folders of this user in TMPDIR, made on this machine, with a lock file that nobody locks. On systems without `flock`,
and on disks that cannot lock, folders of killed processes stay.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PREFIX = "nsnn_"
_LOCK = ".in_use"
_swept: set[str] = set()  # folders for temporary files that this process has looked through


def make(prefix: str = PREFIX) -> tuple[Path, Callable[[], None]]:
    """A new folder of this user, and the function that removes it, which does nothing in a forked process."""
    place, process = tempfile.gettempdir(), os.getpid()
    if place not in _swept:
        _swept.add(place)
        _sweep(place)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
    handle = _locked(folder)

    def remove() -> None:
        if os.getpid() == process:
            shutil.rmtree(folder, ignore_errors=True)
            if handle is not None:
                os.close(handle)

    return folder, remove


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for the time of the block."""
    folder, remove = make()
    try:
        yield folder
    finally:
        remove()


def _locked(folder: Path) -> int | None:
    """The handle of the folder's lock file, which has its name only when it is locked; None where nothing can be locked."""
    if fcntl is None:
        return None
    handle, name = tempfile.mkstemp(dir=folder)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(handle, _machine())
        os.rename(name, folder / _LOCK)
    except OSError:
        os.close(handle)
        return None
    return handle


def _machine() -> bytes:
    return platform.node().encode()[:255]


def _sweep(place: str) -> None:
    """Remove the folders of processes that have ended without removing them."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX):
                with contextlib.suppress(OSError):
                    _remove_if_left(entry)


def _remove_if_left(entry: os.DirEntry[str]) -> None:
    result = entry.stat(follow_symlinks=False)
    if not entry.is_dir(follow_symlinks=False) or result.st_uid != os.geteuid() or result.st_mode & 0o077:
        return
    handle = os.open(os.path.join(entry.path, _LOCK), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.read(handle, 256) == _machine():
            shutil.rmtree(entry.path, ignore_errors=True)
    finally:
        os.close(handle)

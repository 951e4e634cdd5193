"""Notes on earlier runs in the folder `runs` of the cache, and the keys of the compiled code that a run uses.

Notes are texts that guide the choice of an engine. They are never executed, and only read and written in a folder that the cache
trusts (`program_cache.weakness`).
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from . import program_cache

_MOST, _LARGEST = 500, 2**16  # notes; bytes of a note that is read
_PART = ".part-"
_used = threading.local()


def folder() -> Path | None:
    """The folder of notes, or None where it cannot be trusted; it need not exist."""
    place = program_cache.base_folder() / program_cache.NOTES
    with contextlib.suppress(OSError):
        if program_cache.weakness(place if place.exists() else place.parent) is None:
            return place
    return None


def read(name: str) -> str | None:
    """The text of a note, or None."""
    place = folder()
    if place is None:
        return None
    with contextlib.suppress(OSError, ValueError), program_cache.opened(place / name) as file:
        return file.read(_LARGEST).decode()
    return None


def write(name: str, text: str) -> Path | None:
    """Write or replace a note; its path, or None where the cache folder cannot be used. The oldest notes beyond 500 are removed."""
    place = program_cache.base_folder() / program_cache.NOTES
    with contextlib.suppress(OSError):
        program_cache.make_private(place)
        if folder() is None:
            return None
        handle, part = tempfile.mkstemp(prefix=_PART, dir=place)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(part, place / name)
        finally:
            Path(part).unlink(missing_ok=True)
        for path in sorted(place.iterdir(), key=lambda path: path.lstat().st_mtime)[:-_MOST]:
            path.unlink(missing_ok=True)
        return place / name
    return None


@contextlib.contextmanager
def used_keys() -> Iterator[list[str]]:
    """Collect the keys of the compiled code that this thread uses inside the block.

    >>> with used_keys() as keys:
    ...     mark_used("a")
    >>> keys
    ['a']
    """
    before = getattr(_used, "keys", None)
    keys: list[str] = []
    _used.keys = keys
    try:
        yield keys
    finally:
        _used.keys = before


def mark_used(key: str) -> None:
    """Add a key to the list of `used_keys`."""
    keys = getattr(_used, "keys", None)
    if keys is not None and key not in keys:
        keys.append(key)

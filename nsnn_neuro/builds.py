"""Compiled models kept from run to run: a folder with one entry for each key, whole or not there.

The folder is NSNN_CACHE_DIR, or nsnn_neuro in the user's cache folder (XDG_CACHE_HOME, ~/.cache, on macOS ~/Library/Caches).
What lies there is run, so it has to be the user's own folder, in which nobody else may write; where there is none, a folder of
this process stands in, with a warning. An entry holds the program and its checksum; it is made beside its place and renamed into
it, so of two processes that build at once one comes first and the other one's work is left out. Of more than `MOST_BYTES` in all,
the entries that were used longest ago are removed.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import hashlib
import os
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path

__all__ = ["MOST_BYTES", "Entry", "NoCacheWarning", "clear", "entries", "fetch", "folder", "keep"]

MOST_BYTES = 256 * 2**20
_ABANDONED = 3600.0  # seconds after which what nobody has renamed is rubbish of a process that was killed
_PROGRAM, _CHECKSUM, _UNFINISHED = "program", "sha256", ".part-"
_stand_ins: dict[Path, Path] = {}


class NoCacheWarning(UserWarning):
    """The cache folder can't be used: models are compiled anew in every process."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A compiled model: its key, its size in bytes, when it was last used (seconds since 1970)."""

    key: str
    size: int
    used: float


def folder() -> Path:
    """The folder of compiled models, which need not exist."""
    if chosen := os.environ.get("NSNN_CACHE_DIR"):
        return Path(chosen).expanduser().absolute() / "cpp"
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base).expanduser().absolute() / "nsnn_neuro" / "cpp"
    library = "Library/Caches" if sys.platform == "darwin" else ".cache"
    return Path.home() / library / "nsnn_neuro" / "cpp"


def fetch(key: str, target: Path) -> bool:
    """Put the program of an entry at `target`; False when there is none, or it was damaged and is now removed."""
    for place in _places():
        entry = place / key
        try:
            wanted = (entry / _CHECKSUM).read_text(encoding="ascii")
            _link(entry / _PROGRAM, target)
            if _digest(target) == wanted and os.access(target, os.X_OK):
                with contextlib.suppress(OSError):
                    os.utime(entry / _CHECKSUM)
                return True
        except FileNotFoundError:
            if not entry.exists():
                continue
        except ValueError:  # a checksum that is no text
            pass
        except OSError:  # it can't be read or copied now, which says nothing of the entry
            target.unlink(missing_ok=True)
            continue
        target.unlink(missing_ok=True)
        _discard(entry)
    return False


def keep(key: str, program: Path) -> None:
    """Make an entry of a program; what is there under the key stays."""
    place = _writable()
    part = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=place))
    try:
        shutil.copy2(program, part / _PROGRAM)
        (part / _CHECKSUM).write_text(_digest(part / _PROGRAM), encoding="ascii")
        with contextlib.suppress(OSError):  # another process was first
            os.rename(part, place / key)
    except OSError as error:
        warnings.warn(
            f"{place}: a compiled model can't be kept ({error.strerror})", NoCacheWarning, stacklevel=2
        )
    finally:
        shutil.rmtree(part, ignore_errors=True)
    _prune(place)


def entries() -> list[Entry]:
    """The entries of the folder, the one used last first."""
    return _entries(folder())


def clear() -> int:
    """Remove all entries; their number. A run that uses one goes on."""
    found = entries()
    for place in (folder(), *_stand_ins.values()):
        for path in place.glob("*") if place.is_dir() else ():
            if path.name.startswith(_UNFINISHED) or (path / _PROGRAM).exists() or (path / _CHECKSUM).exists():
                _discard(path)
    return len(found)


def _entries(place: Path) -> list[Entry]:
    found = []
    for path in place.glob("*") if place.is_dir() else ():
        if not path.name.startswith("."):
            with contextlib.suppress(OSError):
                size = (path / _PROGRAM).stat().st_size
                found.append(Entry(path.name, size, (path / _CHECKSUM).stat().st_mtime))
    return sorted(found, key=lambda entry: -entry.used)


def _prune(place: Path) -> None:
    total = 0
    for entry in _entries(place):
        total += entry.size
        if total > MOST_BYTES:
            _discard(place / entry.key)
    for path in place.glob(_UNFINISHED + "*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED:
                _discard(path)


def _discard(path: Path) -> None:
    """Remove an entry: out of its place first, so that nobody finds half of it."""
    if not path.name.startswith(_UNFINISHED):
        aside = path.with_name(f"{_UNFINISHED}{path.name[:16]}-{os.getpid()}-{time.time_ns()}")
        try:
            os.rename(path, aside)
        except OSError:
            return
        path = aside
    shutil.rmtree(path, ignore_errors=True)


def _places() -> list[Path]:
    """Where entries may be found: the folder, if it is to be trusted, and what stands in for it."""
    place = folder()
    places = [place] if place.is_dir() and _is_ours(place) else []
    return [*places, *filter(None, [_stand_ins.get(place)])]


def _writable() -> Path:
    """The folder, made if need be; where that fails, one of this process."""
    place = folder()
    if place in _stand_ins:
        return _stand_ins[place]
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        reason = None if _is_ours(place) else "it isn't yours alone"
        if reason is None:
            os.rmdir(tempfile.mkdtemp(prefix=_UNFINISHED, dir=place))
    except OSError as error:
        reason = error.strerror
    if reason is None:
        return place
    warnings.warn(
        f"the cache folder {place} can't be used ({reason}): compiled models last as long as this process; "
        "set NSNN_CACHE_DIR to a folder of yours",
        NoCacheWarning,
        stacklevel=2,
    )
    stand_in = _stand_ins[place] = Path(tempfile.mkdtemp(prefix="nsnn_cache_"))
    atexit.register(_remove, stand_in, os.getpid())
    return stand_in


def _remove(stand_in: Path, process: int) -> None:
    if os.getpid() == process:  # not in a fork
        shutil.rmtree(stand_in, ignore_errors=True)


def _is_ours(place: Path) -> bool:
    found = place.stat()
    return found.st_uid == os.getuid() and not found.st_mode & 0o022


def _link(program: Path, target: Path) -> None:
    """The same file under another name, so that what is checked is what runs; a copy on another disk."""
    try:
        os.link(program, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copy2(program, target)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

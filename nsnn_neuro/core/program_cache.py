"""Cache of compiled models: a folder with one entry per key; entries are complete or absent.

The cache is NSNN_CACHE_DIR, or nsnn_neuro in the user's cache folder, with `cpp` for C++ programs and `cython` for modules. Its
files are executed. Therefore the folder and everything in it must belong to this user (or root) without write permission for
others, and no other user may be able to replace a folder or link on the path to it. If that fails, or the folder cannot be written,
a temporary folder of this process is used, with one warning.

The folder `runs` has notes on earlier runs (`run_notes.py`), which are never executed.

An entry holds the program and its checksum. It is written under another name and renamed. If two processes build the same entry,
the first one is kept. If a folder exceeds `MOST_BYTES`, the least recently used entries are removed.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import errno
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import platformdirs

from . import temporary_folder
from .warn import warn

KINDS = ("cpp", "cython")
NOTES = "runs"
MOST_BYTES = 256 * 2**20
_ABANDONED = 3600.0  # seconds after which an unfinished entry is taken for that of a killed process
_PROGRAM, _CHECKSUM, _UNFINISHED = "program", "sha256", ".part-"
_MOST_LINKS = 40  # symbolic links on a path, as in Linux
_stand_ins: dict[Path, Path] = {}
_not_kept: set[Path] = set()  # folders that a warning has reported as full


class NoCacheWarning(UserWarning):
    """The cache folder cannot be used: every process compiles its models again."""


class _Damaged(OSError):
    """An entry that must not be used and is to be removed."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A compiled model: its key, its size in bytes, when it was last used (seconds since 1970)."""

    key: str
    size: int
    used: float


def folder(kind: str = "cpp") -> Path:
    """The folder of compiled models of a kind, "cpp" or "cython"; it need not exist."""
    return base_folder() / kind


def base_folder() -> Path:
    """The cache folder: NSNN_CACHE_DIR, or nsnn_neuro in the user's cache folder."""
    if chosen := os.environ.get("NSNN_CACHE_DIR"):
        return Path(os.path.expanduser(chosen)).absolute()
    return platformdirs.user_cache_path("nsnn_neuro", appauthor=False)


def find(key: str, kind: str = "cpp") -> Path | None:
    """Path of the checked program of an entry; None if there is none, or if it was damaged and has been removed."""
    return next((entry / _PROGRAM for entry in _candidates(key, kind) if _is_good(entry)), None)


def fetch(key: str, target: Path, kind: str = "cpp") -> bool:
    """Link the program of an entry to `target`, or copy it to another disk; False if there is none, as for `find`."""
    path = find(key, kind)
    if path is None:
        return False
    with contextlib.suppress(OSError, NotImplementedError):
        os.link(path, target)
        return True
    try:
        shutil.copy(path, target)
    except OSError:  # a full disk, for instance: the entry may be fine
        target.unlink(missing_ok=True)
        return False
    return True


def has(key: str, kind: str = "cpp") -> bool:
    """Whether there is an entry, which may turn out to be damaged."""
    return any((entry / _PROGRAM).exists() for entry in _candidates(key, kind))


def keep(key: str, program: Path, kind: str = "cpp") -> None:
    """Add a program to the cache; an existing entry is kept, the least recently used ones and abandoned parts are removed."""
    place = _writable(kind)
    try:
        part = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=place))
    except OSError as error:
        _warn_not_kept(place, error)
        return
    try:
        shutil.copyfile(program, part / _PROGRAM)
        (part / _PROGRAM).chmod(0o700)
        with open(part / _PROGRAM, "rb") as file:
            (part / _CHECKSUM).write_text(_hexdigest(file), encoding="ascii")
        (part / _CHECKSUM).chmod(0o600)
        with contextlib.suppress(OSError):  # another process was first
            os.rename(part, place / key)
    except OSError as error:
        _warn_not_kept(place, error)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    total = 0
    for entry in _entries(place):
        total += entry.size
        if total > MOST_BYTES:
            _discard(place / entry.key)
    for path in place.glob(_UNFINISHED + "*"):
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime > _ABANDONED:
                _discard(path)


def _warn_not_kept(place: Path, error: OSError) -> None:
    if place not in _not_kept:
        _not_kept.add(place)
        warn(f"{place}: compiled models can't be kept ({error.strerror})", NoCacheWarning)


def entries(kind: str = "cpp") -> list[Entry]:
    """The entries of a kind, the most recently used first."""
    return _entries(folder(kind))


def clear() -> int:
    """Remove all entries of all kinds, and the notes; return the number of entries. Runs that use one are not affected."""
    n = sum(len(entries(kind)) for kind in KINDS)
    for path in _listed(base_folder() / NOTES):
        with contextlib.suppress(OSError):
            path.unlink()
    for base in (base_folder(), *_stand_ins.values()):
        for path in (path for kind in KINDS for path in _listed(base / kind)):
            if path.name.startswith(_UNFINISHED) or (path / _PROGRAM).exists() or (path / _CHECKSUM).exists():
                _discard(path)
    return n


def weakness(path: Path) -> str | None:
    """The reason why another user could change files under `path`, or None.

    Checked are owners other than this user and root, and write permission for others. In the folders above `path` a sticky bit (as
    of /tmp) protects their contents, and the group with this user's name may write. Access control lists are not read, and nothing
    is checked on Windows, where the user's folders are private.
    """
    if not hasattr(os, "geteuid"):
        return None
    if not path.is_absolute():
        return "the user has no home folder"
    for step in _steps(path):
        result = os.lstat(step)
        if result.st_uid not in (0, os.geteuid()):
            return f"{step} belongs to another user"
        open_to = 0o002 if _is_private(result.st_gid) else 0o022
        if (
            not stat.S_ISLNK(result.st_mode)
            and result.st_mode & open_to
            and not result.st_mode & stat.S_ISVTX
        ):
            return f"others may write in {step}"
    return f"others may write in {path}" if os.stat(path).st_mode & 0o022 else None


def _steps(path: Path) -> Iterator[Path]:
    """Every folder and symbolic link on a path, and the path itself."""
    ahead, links = list(reversed(path.parts)), 0
    here = Path(ahead.pop())
    yield here
    while ahead:
        part = ahead.pop()
        if part == os.pardir:
            here = here.parent
            continue
        here = here / part
        yield here
        if here.is_symlink():
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
            target = Path(os.readlink(here))
            ahead += reversed(target.parts)
            here = Path(ahead.pop()) if target.is_absolute() else here.parent


def _is_private(gid: int) -> bool:
    """Whether the group has this user's name and no other members."""
    import grp
    import pwd

    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except KeyError:
        return False
    return gid == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def _candidates(key: str, kind: str) -> Iterator[Path]:
    """Possible paths of an entry: in the cache folder if it is trusted, and in the temporary folder."""
    base = base_folder()
    with contextlib.suppress(OSError):
        if (base / kind).is_dir() and weakness(base / kind) is None:
            yield base / kind / key
    if base in _stand_ins:
        yield _stand_ins[base] / kind / key


def _is_good(entry: Path) -> bool:
    """Whether an entry is complete and only this user can write it; others are removed."""
    try:
        _check(os.lstat(entry), stat.S_ISDIR, 0o700)
        with opened(entry / _CHECKSUM, 0o400) as checksum, opened(entry / _PROGRAM, 0o500) as program:
            if checksum.read(65) != _hexdigest(program).encode("ascii"):
                raise _Damaged
    except (_Damaged, FileNotFoundError):
        if os.path.lexists(entry):
            _discard(entry)
        return False
    except OSError:  # not readable now: the entry may be fine
        return False
    with contextlib.suppress(OSError):
        os.utime(entry / _CHECKSUM)
    return True


def opened(path: Path, needed: int = 0o400) -> IO[bytes]:
    """Open a regular file that only this user can write, with the permissions `needed`, for reading; else an OSError."""
    _check(os.lstat(path), stat.S_ISREG, needed)
    # the file may have been replaced by a link or a FIFO since lstat
    flags = os.O_RDONLY
    for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):  # each exists on some systems only
        flags |= getattr(os, flag, 0)
    file = os.fdopen(os.open(path, flags), "rb")
    try:
        _check(os.fstat(file.fileno()), stat.S_ISREG, needed)
    except _Damaged:
        file.close()
        raise
    return file


def _check(found: os.stat_result, kind: Any, needed: int) -> None:
    if not kind(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_size > MOST_BYTES):
        raise _Damaged
    if hasattr(os, "geteuid") and (
        found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022 or found.st_mode & needed != needed
    ):
        raise _Damaged


def _listed(place: Path) -> Iterator[Path]:
    if place.is_dir():
        with contextlib.suppress(OSError):
            yield from place.iterdir()


def _entries(place: Path) -> list[Entry]:
    result = []
    for path in _listed(place):
        if not path.name.startswith("."):
            with contextlib.suppress(OSError):
                size = (path / _PROGRAM).stat().st_size
                result.append(Entry(path.name, size, (path / _CHECKSUM).stat().st_mtime))
    return sorted(result, key=lambda entry: -entry.used)


def _discard(path: Path) -> None:
    """Remove an entry; rename it first, so that it is never found incomplete."""
    if not path.name.startswith(_UNFINISHED):
        aside = path.with_name(f"{_UNFINISHED}{path.name[:16]}-{os.getpid()}-{time.time_ns()}")
        try:
            os.rename(path, aside)
        except OSError:
            return
        path = aside
    if path.is_symlink() or not path.is_dir():
        with contextlib.suppress(OSError):
            path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _writable(kind: str) -> Path:
    """The folder of a kind, created if necessary; a temporary folder if that fails."""
    base = base_folder()
    if base not in _stand_ins:
        try:
            place = base / kind
            if not place.is_absolute():
                raise OSError(errno.ENOENT, "the user has no home folder")
            make_private(place)
            reason = weakness(place)
            if reason is None:
                os.rmdir(tempfile.mkdtemp(prefix=_UNFINISHED, dir=place))
                return place
        except OSError as error:
            reason = error.strerror or str(error)
        stand_in(base, reason)
    place = _stand_ins[base] / kind
    place.mkdir(mode=0o700, exist_ok=True)
    return place


def make_private(place: Path) -> None:
    """Make a folder and those above it for this user alone."""
    for missing in reversed([path for path in (place, *place.parents) if not path.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def stand_in(base: Path, reason: str) -> Path:
    """A temporary folder of this process instead of the cache."""
    if base not in _stand_ins:
        warn(
            f"the cache folder {base} can't be used ({reason}): compiled models last as long as this process; "
            "set NSNN_CACHE_DIR to a folder of yours that nobody else can write to",
            NoCacheWarning,
        )
        _stand_ins[base], remove = temporary_folder.make("nsnn_cache_")
        atexit.register(remove)
    return _stand_ins[base]


def _hexdigest(file: IO[bytes]) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]

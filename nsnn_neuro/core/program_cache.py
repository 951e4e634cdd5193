"""Cache of compiled models: a folder with one entry for each key, complete or absent.

The cache is NSNN_CACHE_DIR, or nsnn_neuro in the user's cache folder; in it `cpp` holds C++ programs and `cython` modules. What
lies there is executed. So the folder and everything in it has to belong to this user (or root) with no write permission for
others, and nobody else may be able to replace a folder or link on the way to it. Where that fails, or the folder cannot be
written, a temporary folder of this process stands in, with one warning.

An entry holds the program and its checksum. It is made under another name and renamed into place. Of two processes that build
the same entry at once, the first one's stays. Of more than `MOST_BYTES` in a folder, those used longest ago are removed.
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
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import platformdirs

__all__ = [
    "KINDS",
    "MOST_BYTES",
    "Entry",
    "NoCacheWarning",
    "base_folder",
    "clear",
    "entries",
    "fetch",
    "find",
    "folder",
    "keep",
    "stand_in",
    "weakness",
]

KINDS = ("cpp", "cython")
MOST_BYTES = 256 * 2**20
_ABANDONED = 3600.0  # seconds after which what nobody has renamed is rubbish of a process that was killed
_PROGRAM, _CHECKSUM, _UNFINISHED = "program", "sha256", ".part-"
_MOST_LINKS = 40  # on the way to a file, as in Linux
_stand_ins: dict[Path, Path] = {}
_not_kept: set[Path] = set()  # folders of which a warning has said that they take no more


class NoCacheWarning(UserWarning):
    """The cache folder can't be used: models are compiled anew in every process."""


class _Damaged(Exception):
    """An entry that must not be used, and should go."""


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
    """The checked program of an entry in its place; None when there is none, or it was damaged and is now removed."""
    for entry in _candidates(key, kind):
        with _checked(entry) as program:
            if program is not None:
                return entry / _PROGRAM
    return None


def fetch(key: str, target: Path, kind: str = "cpp") -> bool:
    """Put the program of an entry at `target`; False when there is none, or it was damaged and is now removed."""
    for entry in _candidates(key, kind):
        with _checked(entry) as program:
            if program is None:
                continue
            try:
                _link(entry / _PROGRAM, program, target)
                return True
            except OSError:  # no room, say, which says nothing of the entry
                target.unlink(missing_ok=True)
    return False


def keep(key: str, program: Path, kind: str = "cpp") -> None:
    """Make an entry of a program; what is there under the key stays."""
    place = _writable(kind)
    try:
        part = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=place))
    except OSError as error:
        _warn_not_kept(place, error)
        return
    try:
        shutil.copyfile(program, part / _PROGRAM)
        (part / _PROGRAM).chmod(0o700)
        (part / _CHECKSUM).write_text(_digest(part / _PROGRAM), encoding="ascii")
        (part / _CHECKSUM).chmod(0o600)
        with contextlib.suppress(OSError):  # another process was first
            os.rename(part, place / key)
    except OSError as error:
        _warn_not_kept(place, error)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    _prune(place)


def _warn_not_kept(place: Path, error: OSError) -> None:
    if place in _not_kept:
        return
    _not_kept.add(place)
    warnings.warn(f"{place}: compiled models can't be kept ({error.strerror})", NoCacheWarning, stacklevel=3)


def entries(kind: str = "cpp") -> list[Entry]:
    """The entries of the folder of a kind, the one used last first."""
    return _entries(folder(kind))


def clear() -> int:
    """Remove all entries of all kinds; their number. A run that uses one goes on."""
    n = sum(len(entries(kind)) for kind in KINDS)
    for base in (base_folder(), *_stand_ins.values()):
        for path in (path for kind in KINDS for path in _listed(base / kind)):
            if path.name.startswith(_UNFINISHED) or (path / _PROGRAM).exists() or (path / _CHECKSUM).exists():
                _discard(path)
    return n


def weakness(path: Path) -> str | None:
    """Why another user could change what is under `path`, or None.

    Owners other than this user and root, and write permission for others. In the folders above `path` a sticky bit (as of /tmp)
    protects what is in them, and the group that has this user's name may write. Access control lists are not read, and on
    Windows, where the user's folders are private, nothing is checked.
    """
    if not hasattr(os, "geteuid"):
        return None
    if not path.is_absolute():
        return "the user has no home folder"
    for step in _steps(path):
        found = os.lstat(step)
        if found.st_uid not in (0, os.geteuid()):
            return f"{step} belongs to another user"
        open_to = 0o002 if _is_private(found.st_gid) else 0o022
        if not stat.S_ISLNK(found.st_mode) and found.st_mode & open_to and not found.st_mode & stat.S_ISVTX:
            return f"others may write in {step}"
    return f"others may write in {path}" if os.stat(path).st_mode & 0o022 else None


def _steps(path: Path) -> Iterator[Path]:
    """Every folder and symbolic link on the way to a path, and the path itself."""
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
    """True for the group that has this user's name, and no other members."""
    import grp
    import pwd

    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except KeyError:
        return False
    return gid == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def _candidates(key: str, kind: str) -> Iterator[Path]:
    """Where the entry of a key may be: in the folder, if it is to be trusted, and in what stands in for it."""
    base = base_folder()
    with contextlib.suppress(OSError):
        if (base / kind).is_dir() and weakness(base / kind) is None:
            yield base / kind / key
    if base in _stand_ins:
        yield _stand_ins[base] / kind / key


@contextlib.contextmanager
def _checked(entry: Path) -> Iterator[IO[bytes] | None]:
    """The opened program of an entry that is complete and this user's alone; None for another, which is removed."""
    with contextlib.ExitStack() as stack:
        program: IO[bytes] | None = None
        try:
            _check(os.lstat(entry), stat.S_ISDIR, 0o700)
            checksum = stack.enter_context(_opened(entry / _CHECKSUM, 0o400))
            program = stack.enter_context(_opened(entry / _PROGRAM, 0o500))
            if checksum.read(65) != _hexdigest(program).encode("ascii"):
                raise _Damaged
            with contextlib.suppress(OSError):
                os.utime(entry / _CHECKSUM)
        except (_Damaged, FileNotFoundError):
            program = None
            if os.path.lexists(entry):
                _discard(entry)
        except OSError:  # it can't be read now, which says nothing of the entry
            program = None
        yield program


def _opened(path: Path, needed: int) -> IO[bytes]:
    """A regular file of this user's alone, opened for reading, with the permissions `needed`."""
    _check(os.lstat(path), stat.S_ISREG, needed)
    # between the two the file may have been replaced by a link or a FIFO
    flags = (
        os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
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
    found = []
    for path in _listed(place):
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
            if time.time() - path.lstat().st_mtime > _ABANDONED:
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
    if path.is_symlink() or not path.is_dir():
        with contextlib.suppress(OSError):
            path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _writable(kind: str) -> Path:
    """The folder of a kind, made if need be; where that fails, one of this process."""
    base = base_folder()
    if base not in _stand_ins:
        try:
            place = base / kind
            if not place.is_absolute():
                raise OSError(errno.ENOENT, "the user has no home folder")
            for missing in reversed([one for one in (place, *place.parents) if not one.exists()]):
                missing.mkdir(mode=0o700, exist_ok=True)
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


def stand_in(base: Path, reason: str) -> Path:
    """A temporary folder of this process in place of the cache."""
    if base not in _stand_ins:
        warnings.warn(
            f"the cache folder {base} can't be used ({reason}): compiled models last as long as this process; "
            "set NSNN_CACHE_DIR to a folder of yours, in which nobody else can write",
            NoCacheWarning,
            stacklevel=4,
        )
        _stand_ins[base] = Path(tempfile.mkdtemp(prefix="nsnn_cache_"))
        atexit.register(_remove, _stand_ins[base], os.getpid())
    return _stand_ins[base]


def _remove(stand_in: Path, process: int) -> None:
    if os.getpid() == process:  # not in a fork
        shutil.rmtree(stand_in, ignore_errors=True)


def _link(path: Path, program: IO[bytes], target: Path) -> None:
    """The same file under another name, so that what is checked is what runs; a copy on another disk."""
    try:
        os.link(path, target, follow_symlinks=False)
        if os.path.samestat(os.lstat(target), os.fstat(program.fileno())):
            return
        target.unlink()
    except (OSError, NotImplementedError):
        pass
    with open(target, "wb") as copy:
        target.chmod(0o700)
        program.seek(0)
        shutil.copyfileobj(program, copy)


def _hexdigest(file: IO[bytes]) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return _hexdigest(file)

"""Limits on untrusted files: regular files only, and a memory budget for each file.

A reader takes the size of each part (spikes, trials, units, signals, text) from the budget before it allocates memory. A
small file that claims to be large, or expands to it, ends in a FormatError instead of filling the memory.
"""

from __future__ import annotations

import difflib
import errno
import io
import itertools
import json
import math
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .errors import FormatError, NsnnError
from .units import shown

LEAST = 2**29  # Bytes that reading a file may take in memory, however small the file is
RATIO = 32  # Bytes of memory that each byte of a larger file may take
_MOST_NAMES = 10**4  # of a folder, among which similar ones are looked for
_PER_MARK = 150  # bytes of memory for each value of a JSON text; a comma, colon or bracket stands for one
_CURE = "pass a larger max_bytes to load if you trust the file"


class Budget:
    """The memory that reading one file may take, in bytes; `take` it before allocating. A refusal ends with `cure`."""

    def __init__(self, most: float, cure: str = _CURE) -> None:
        self.most: float = float(most)
        self.left: float = self.most
        self._cure = cure

    @classmethod
    def of(cls, path: Path, max_bytes: Any = None, cure: str = _CURE) -> Budget:
        """The budget for the file at `path`: `max_bytes`; by default 512 MiB, or 32 times the file's size if that is more."""
        if max_bytes is None:
            return cls(max(LEAST, RATIO * path.stat().st_size), cure)
        if isinstance(max_bytes, bool) or not isinstance(max_bytes, int | float):
            max_bytes = 0
        if not (0 < max_bytes < 2**63 or max_bytes == math.inf):
            raise NsnnError(
                f"max_bytes = {shown(max_bytes)}: expected a number of bytes such as 4e9, or None"
            )
        return cls(max_bytes, cure)

    def take(self, size: float, what: str) -> None:
        """Set `size` bytes aside for `what`; raise FormatError when fewer are left."""
        if not size <= self.left:
            raise FormatError(
                f"{what}: about {size / 2**20:.1f} MiB, and {self.left / 2**20:.1f} of {self.most / 2**20:.1f} MiB are left "
                f"for this file: {self._cure}"
            )
        self.left -= size


def check_regular(path: Path) -> None:
    """Raise FormatError unless `path` is a regular file, OSError if there is none: opening a pipe or device may wait forever."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise missing(path) from None
    _check_mode(path, status)


def open_regular(path: Path) -> io.BufferedReader:
    """Open a regular file to read its bytes; refuse others as `check_regular`, also what replaced the file meanwhile."""
    check_regular(path)
    # not waiting for a pipe's writer
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    file = os.fdopen(os.open(path, flags), "rb")
    try:
        _check_mode(path, os.fstat(file.fileno()))
    except FormatError:
        file.close()
        raise
    return file


def _check_mode(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise FormatError(f"{path}: a pipe, device, socket or folder: expected a regular file")


def missing(path: Path) -> FileNotFoundError:
    """The error for a file that is not there, with similar names in its folder.

    >>> str(missing(Path("no_such_folder/a.nwb")))
    "[Errno 2] No such file or directory; there is no folder 'no_such_folder': 'no_such_folder/a.nwb'"
    """
    try:
        with os.scandir(path.parent) as entries:
            names = {entry.name.lower(): entry.name for entry in itertools.islice(entries, _MOST_NAMES)}
    except OSError:
        hint = "" if path.parent.is_dir() else f"; there is no folder {str(path.parent)!r}"
    else:
        close = difflib.get_close_matches(path.name.lower(), names)
        hint = f"; its folder has {', '.join(repr(names[one]) for one in close)}" if close else ""
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT) + hint, str(path))


def check_stored(archive: zipfile.ZipFile, size: int) -> None:
    """Raise FormatError unless the members of a zip archive of `size` bytes are uncompressed, and each lies in it once.

    NumPy's npz files and torch's files are such archives, so that a compressed one was made to expand.
    """
    members = archive.infolist()
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise FormatError(
                f"its member {member.filename[:40]!r} is compressed: expected a file as it was written"
            )
    if sum(member.file_size for member in members) > size or len(set(archive.namelist())) < len(members):
        raise FormatError("its members overlap: expected a file as it was written")


def read_json(text: bytes, budget: Budget, what: str) -> Any:
    """The value of a JSON text; FormatError when the budget is too small, ValueError or RecursionError for no JSON.

    >>> read_json(b'{"a": [1, 2]}', Budget(2000), "notes")
    {'a': [1, 2]}
    """
    marks = sum(text.count(mark) for mark in (b",", b":", b"[", b"{"))
    budget.take(_PER_MARK * marks + 3 * len(text), what)
    return json.loads(text)


def read_npy(
    archive: zipfile.ZipFile,
    name: str,
    budget: Budget,
    check: Callable[[np.dtype[Any], tuple[int, ...]], None] | None = None,
) -> np.ndarray:
    """The array `name` of an npz file, whose header must agree with the number of bytes; nothing is unpickled.

    `check` may refuse its type and shape before memory is taken. ValueError or what zipfile raises for a damaged file, FormatError
    when the budget is too small.
    """
    with archive.open(f"{name}.npy") as member:
        formats = np.lib.format
        readers = {(1, 0): formats.read_array_header_1_0, (2, 0): formats.read_array_header_2_0}
        version = formats.read_magic(member)
        if version not in readers:
            raise ValueError(f"{name} has the npy version {version}")
        shape, fortran, dtype = readers[version](member)
        if check is not None:
            check(dtype, shape)
        if dtype.hasobject or min(shape, default=0) < 0:
            raise ValueError(f"{name} is an array of {dtype} of shape {shape}")
        size = math.prod(shape) * dtype.itemsize
        budget.take(2.0 * size, f"{name} of shape {shape}")
        content = member.read(size + 1)
    if len(content) != size:
        raise ValueError(f"{name} of shape {shape} has {len(content)} of {size} bytes, or more")
    return np.frombuffer(bytearray(content), dtype).reshape(shape, order="F" if fortran else "C")

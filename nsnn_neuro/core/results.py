"""The one store of results that a later call reads instead of computing them again.

Arrays are kept in npz files, tables in JSON. A file holds the SHA-256 of its content, is written in one step and read within a
limit of memory. Only regular files are opened, and nothing is unpickled or decompressed. Readers raise anything for a damaged
file; in a block of `damaged` that is a FormatError.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .atomic_write import replaced
from .checks import file_path
from .errors import FormatError, NsnnError
from .file_limits import Budget, check_stored, missing, open_regular, read_json, read_npy
from .memory import free_memory
from .units import shown


def digest(plain: Any, *arrays: np.ndarray) -> str:
    """SHA-256 of plain data and arrays."""
    checksum = hashlib.sha256(json.dumps(plain, sort_keys=True).encode())
    for array in arrays:
        checksum.update(f"{array.dtype}{array.shape}".encode())
        checksum.update(np.ascontiguousarray(array).tobytes())
    return checksum.hexdigest()


def folder_of(out: Any) -> Path:
    """The folder for results, made if needed; NsnnError if that is not possible."""
    path = file_path(out, "out")
    if path.exists() and not path.is_dir():
        raise NsnnError(f"out = {path}: that is a file: expected the name of a folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NsnnError(f"out = {path}: not writable ({error.strerror})") from None
    return path


@contextlib.contextmanager
def damaged(what: str, cure: str) -> Iterator[None]:
    """Let any error inside the block, as damaged bytes cause them, be a FormatError: "`what` (the error): `cure`"."""
    try:
        yield
    except Exception as error:
        reason = str(error)[:300] or type(error).__name__
        raise FormatError(f"{what} ({reason}): {cure}") from None


@contextlib.contextmanager
def written(path: Path, name: str) -> Iterator[Path]:
    """As `atomic_write.replaced`, with an NsnnError if the file, argument `name`, cannot be written."""
    try:
        with replaced(path) as part:
            yield part
    except OSError as error:
        raise NsnnError(
            f"{name} = {path}: can't be written ({error.strerror or error}); what was there is unchanged"
        ) from None


def write_npz(path: Path, arrays: dict[str, np.ndarray], about: dict[str, Any], name: str) -> None:
    """Write arrays, plain data and their checksum; `name` is the argument that names the file."""
    checked = about | {"sha256": _content(arrays, about)}
    with written(path, name) as part, open(part, "wb") as file:
        np.savez(file, **arrays, about=np.array(json.dumps(checked)))  # type: ignore[arg-type]


def read_npz(path: Path, budget: Budget) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and plain data that `write_npz` wrote; for another file, or a damaged one, any exception."""
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        size = os.fstat(file.fileno()).st_size
        # a copy for the checksum, besides what `read_npy` takes for each array; check_stored: none is larger than the file
        budget.take(float(size), "the checksum of its arrays")
        check_stored(archive, size)
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        arrays = {name: read_npy(archive, name, budget) for name in names}
    about = read_json(str(arrays.pop("about")).encode(), budget, "its plain data")
    if about["sha256"] != _content(arrays, about):
        raise ValueError("its content isn't that of its checksum")
    return arrays, about


def _content(arrays: dict[str, np.ndarray], about: dict[str, Any]) -> str:
    """The digest of everything in an npz file but the digest itself."""
    plain = json.loads(json.dumps({key: value for key, value in about.items() if key != "sha256"}))
    return digest([plain, sorted(arrays)], *(np.asarray(arrays[name]) for name in sorted(arrays)))


def npz_to_write(path: Any) -> Path:
    """The file at `path`, checked: it ends in .npz, and its folder is there.

    >>> npz_to_write("fit.pkl")
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: path = 'fit.pkl': expected the name of a file that ends in .npz
    """
    if not isinstance(path, str | os.PathLike) or Path(path).suffix != ".npz":
        raise NsnnError(f"path = {shown(path)}: expected the name of a file that ends in .npz")
    if not (folder := Path(path).parent).is_dir():
        raise NsnnError(f"path = {path}: there is no folder {folder}")
    return Path(path)


@contextlib.contextmanager
def opened_fit(path: Any, max_bytes: Any) -> Iterator[tuple[dict[str, np.ndarray], dict[str, Any], Budget]]:
    """The arrays and plain data of a saved fit, and what is left of its budget; an error in the block is a FormatError."""
    if isinstance(path, str | os.PathLike) and Path(path).suffix == ".npz" and not Path(path).exists():
        raise missing(Path(path))
    path = npz_to_write(path)
    budget = Budget.of(path, max_bytes, "pass a larger max_bytes to load_fit if you trust the file")
    with damaged(
        f"path = {path}: not a fit that `fit.save` has written, or damaged", "expected another file"
    ):
        arrays, about = read_npz(path, budget)
        yield arrays, about, budget


def write_plain(path: Path, kind: str, name: str, content: Any, indent: int | None = None) -> None:
    """Write plain data under a name as JSON, with the kind of file and a checksum."""
    checked = {"format": kind, "sha256": digest(content), name: content}
    with written(path, "out") as part:
        part.write_text(
            json.dumps(checked, allow_nan=False, indent=indent) + "\n", encoding="utf-8", newline=""
        )


def read_plain(path: Path, kind: str, name: str) -> Any:
    """The content that `write_plain` wrote; for another file, or a damaged one, any exception."""
    with open_regular(path) as file:
        most = min(Budget.of(path).most, free_memory())
        budget = Budget(most, "more than a file of results takes")
        budget.take(os.fstat(file.fileno()).st_size, "its text")
        stored = read_json(file.read(), budget, "its content")
    if stored["format"] != kind or stored["sha256"] != digest(stored[name]):
        raise ValueError("wrong format or checksum")
    return stored[name]

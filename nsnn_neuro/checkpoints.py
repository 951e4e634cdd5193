"""Checkpoints of learning: arrays and plain data in one npz file, without pickles, replaced as a whole or not at all."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from .errors import FormatError, NsnnError
from .whole import replaced

__all__ = ["digest", "read", "resumed", "write"]


def digest(described: Any, *arrays: np.ndarray) -> str:
    """SHA-256 of plain data and arrays.

    >>> digest({"a": 1}) == digest({"a": 1}), digest({"a": 1}) == digest({"a": 2})
    (True, False)
    """
    found = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for array in arrays:
        found.update(f"{array.dtype}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def write(path: Path, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all.

    Raises
    ------
    NsnnError : the folder can't be written to
    """
    try:
        with replaced(path) as part, open(part, "wb") as file:
            np.savez(file, **arrays, about=np.array(json.dumps(about)))  # type: ignore[arg-type]
    except OSError as error:
        raise NsnnError(f"checkpoint = {path}: can't be written ({error.strerror})") from None


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and plain data of a checkpoint.

    Raises
    ------
    FormatError : not a checkpoint, or one that is damaged
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(str(arrays.pop("about")))
        if not isinstance(about, dict) or not {"config", "epoch", "history"} <= set(about):
            raise KeyError("config")
    except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise FormatError(
            f"checkpoint = {path}: not a checkpoint of train, or damaged ({error}): expected another path, or delete it"
        ) from None
    return arrays, about


def resumed(
    path: Path, config: str, described: dict[str, Any], epochs: int
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What `read` finds, if it is of this configuration and has no more than so many epochs.

    config : the checksum of all that training follows from
    described : the same as plain data, to name what has changed

    Raises
    ------
    NsnnError : another configuration, too many epochs
    FormatError : as `read`
    """
    arrays, about = read(path)
    if about["config"] != config:
        now, old = json.loads(json.dumps(described)), about.get("described", {})
        changed = [name for name in now if now[name] != old.get(name)]
        raise NsnnError(
            f"checkpoint = {path}: of another configuration ({', '.join(changed) or 'other data or epochs'} changed), "
            "expected the same arguments, or another file"
        )
    if about["epoch"] > epochs:
        raise NsnnError(f"epochs = {epochs}: the checkpoint has {about['epoch']}, expected as many or more")
    return arrays, about

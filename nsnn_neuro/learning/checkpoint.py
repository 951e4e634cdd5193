"""Checkpoints of training: arrays and plain data in one npz file, without pickles, replaced atomically."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import FormatError, NsnnError
from ..core.file_limits import Budget
from ..core.results import damaged, read_npz, write_npz


def write_checkpoint(path: Path, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> None:
    """Write a checkpoint atomically; NsnnError if the file can't be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "fit.npz"
    ...     write_checkpoint(path, {"weights_0": np.ones(2)}, {"config": "", "epoch": 1, "history": [{"loss": 0.5}]})
    ...     arrays, about = read_checkpoint(path)
    >>> arrays
    {'weights_0': array([1., 1.])}
    """
    write_npz(path, arrays, about, "checkpoint")


def read_checkpoint(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and plain data of a checkpoint, in no more memory than the file's size; FormatError for a damaged file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "fit.npz"
    ...     write_checkpoint(path, {"weights_0": np.ones(2)}, {"config": "", "epoch": 1, "history": [{"loss": 0.5}]})
    ...     arrays, about = read_checkpoint(path)
    >>> arrays["weights_0"].tolist(), about["history"]
    ([1.0, 1.0], [{'loss': 0.5}])
    """
    what = f"checkpoint = {path}: not a checkpoint of train, or damaged"
    with damaged(what, "expected another path, or delete it"):
        arrays, about = read_npz(path, Budget.of(path))
        _check_about(about)
        about.setdefault("best", [0, math.inf])
    return arrays, about


def _check_about(about: Any) -> None:
    """ValueError unless the plain data are those of a checkpoint."""
    if not isinstance(about, dict) or not {"config", "epoch", "history"} <= set(about):
        raise ValueError("no config, epoch and history")
    history, best = about["history"], about.get("best", [0, math.inf])
    rows = history if isinstance(history, list) else [None]
    if not all(isinstance(row, dict) and all(map(_is_number, row.values())) for row in rows):
        raise ValueError("its history isn't rows of numbers")
    if type(about["epoch"]) is not int or about["epoch"] != len(rows):
        raise ValueError("its number of epochs isn't that of its history")
    if not isinstance(best, list) or len(best) != 2 or type(best[0]) is not int or not _is_number(best[1]):
        raise ValueError("its best epoch and loss aren't numbers")
    if not isinstance(about["config"], str) or not isinstance(about.get("described", {}), dict):
        raise ValueError("its configuration isn't text")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def array(path: Path | None, arrays: dict[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The array `name` of a checkpoint; FormatError unless it has this shape and finite numbers.

    >>> array(None, {"w": np.zeros(3)}, "w", (3,))
    array([0., 0., 0.])
    """
    values = arrays.get(name)
    if values is None or values.shape != shape or values.dtype.kind not in "biuf":
        actual = "none" if values is None else f"one of shape {values.shape} and type {values.dtype}"
        raise FormatError(
            f"checkpoint = {path}: expected an array {name!r} of shape {shape}, and there is {actual}: another file, or delete it"
        )
    if not np.isfinite(values).all():
        raise FormatError(
            f"checkpoint = {path}: {name!r} has values that aren't finite: another file, or delete it"
        )
    return values


def resumed(
    path: Path, config: str, described: dict[str, Any], epochs: int
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a checkpoint of this configuration with at most `epochs` epochs.

    config : checksum of everything that determines the training
    described : the same as plain data, to name what has changed
    """
    arrays, about = read_checkpoint(path)
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

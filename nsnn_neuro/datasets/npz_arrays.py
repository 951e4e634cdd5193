"""Arrays of a user's npz file, which may be damaged or made to fill the memory."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import FormatError
from ..core.file_limits import Budget, read_npy

_EXPECTED = {"u": "uint8", "iu": "whole numbers", "f": "floats", "iuf": "numbers"}  # kinds of a type


def read_arrays(
    file: Path, parts: dict[str, tuple[int, str]], budget: Budget, cure: str
) -> dict[str, np.ndarray]:
    """The arrays of an npz file that `parts` names, with their number of axes and the kinds of their type.

    Each is taken from the budget before it is read. FormatError, with the `cure`, for a file without one of them.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if missing := [name for name in parts if f"{name}.npy" not in names]:
                raise FormatError(f"path = {file}: has no {', '.join(missing)}: {cure}")
            if len(set(names)) < len(names):
                raise ValueError("a name occurs twice in it")
            return {name: _array(archive, name, *part, file, budget) for name, part in parts.items()}
    except FormatError:
        raise
    except Exception as error:  # damaged bytes make the readers of zip and NumPy raise anything
        reason = str(error)[:200] or type(error).__name__
        raise FormatError(f"path = {file}: can't be read, damaged or truncated ({reason})") from None


def _array(
    archive: zipfile.ZipFile, name: str, n_axes: int, kinds: str, file: Path, budget: Budget
) -> np.ndarray:
    def check(dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        if dtype.hasobject or dtype.kind not in kinds or (kinds == "u" and dtype.itemsize > 1):
            raise FormatError(f"path = {file}: {name} is an array of {dtype}: expected {_EXPECTED[kinds]}")
        if len(shape) != n_axes or min(shape, default=0) < 0:
            raise FormatError(f"path = {file}: {name} has shape {shape}: expected {n_axes} axes")

    values = read_npy(archive, name, budget, check)
    return values.astype(values.dtype.newbyteorder("="), order="C", copy=False)

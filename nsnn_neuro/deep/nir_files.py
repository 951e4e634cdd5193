"""Files of NIR graphs, checked before the package nir reads them: no links, nothing outside the file, within a memory budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import FormatError, NsnnError
from ..core.file_limits import Budget, check_regular
from ..io import hdf5

_DEEPEST = 8  # groups in each other: a graph, its nodes, a node, its metadata
_MOST = 100_000  # members
_CURE = "pass max_bytes=... if you trust the file"


def read_file(nir: Any, path: Path, max_bytes: Any) -> Any:
    """The graph in a file; NsnnError without one, FormatError for one that is damaged or no graph."""
    if not path.exists():
        raise NsnnError(f"path = {path}: no such file, expected one that nir.write has written")
    try:
        check_regular(path)
        with hdf5.opened(path) as file:
            _Door(file, Budget.of(path, max_bytes, _CURE)).check("/", 0)
        graph = nir.read(path, type_check=False)  # `nir_nodes` checks more
    except FormatError as error:
        raise FormatError(f"path = {path}: {error}") from None
    except Exception as error:  # nir, HDF5 and NumPy may raise anything for what isn't a graph
        first = (str(error).splitlines() or [""])[0][:100]
        raise FormatError(
            f"path = {path}: no NIR graph, or damaged ({type(error).__name__}: {first})"
        ) from None
    if not isinstance(graph, nir.NIRGraph):
        raise FormatError(f"path = {path}: a {type(graph).__name__}, expected a NIRGraph")
    return graph


class _Door:
    """A walk through a file that refuses links, too many members and too much memory."""

    def __init__(self, file: Any, budget: Budget) -> None:
        self.reader = hdf5.Reader(file, budget)
        self.members = 0

    def check(self, path: str, depth: int) -> None:
        import h5py

        if depth > _DEEPEST:
            raise FormatError(f"groups of more than {_DEEPEST} levels: expected a graph of layers")
        for name in self.reader.names(path):
            self.members += 1
            if self.members > _MOST:
                raise FormatError(f"more than {_MOST} members: expected a graph of layers")
            inner = f"{path.rstrip('/')}/{name}"
            if not isinstance(self.reader.file[path].get(name, getlink=True), h5py.HardLink):
                raise FormatError(f"{inner[:100]} is a link: expected data")
            if isinstance(self.reader.find(inner), h5py.Group):
                self.check(inner, depth + 1)
            else:
                self.values(inner)

    def values(self, path: str) -> None:
        """Check a data set of numbers or texts, and read texts of variable length one by one: they may share one long text."""
        data = self.reader.array(path)
        if data.shape is None:
            raise FormatError(f"{path[:100]} is empty: expected numbers or text")
        if not hdf5.is_text(data):
            if data.dtype.kind not in "biuf":
                raise FormatError(f"{path[:100]} has values of type {data.dtype}: expected numbers or text")
            self.reader.budget.take(data.nbytes, f"{data.size} values of {path[:100]}")
        elif data.dtype.kind != "O":
            self.reader.budget.take(2 * data.nbytes, f"the text of {path[:100]}")
        else:
            if data.size > _MOST:
                raise FormatError(f"{path[:100]} has {data.size} texts: expected at most {_MOST}")
            for index in np.ndindex(data.shape):
                self.reader.budget.take(100 + 2 * len(data[index]), f"the text of {path[:100]}")

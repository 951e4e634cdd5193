"""Safe HDF5: untrusted files are read within a memory budget, and a full disk while writing is an ordinary error.

`Reader` opens nothing outside the file: external links, external storage and virtual data sets are refused before they are
followed. It states what each part takes in memory before it reads it. Text of variable length is read a few values at a
time, since many values may refer to one long text.

`DiskFile` stands between HDF5 and the disk. HDF5 keeps data in caches and doesn't survive a write that fails: a later file
crashes the process. So after the first failed write `DiskFile` accepts and discards the rest, and `check` raises the error.
"""

from __future__ import annotations

import io
import math
import mmap
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from h5py import check_string_dtype, h5a, h5l, h5o, h5r

from ..core.errors import FormatError
from ..core.file_limits import LEAST, Budget
from ..core.warn import warn

MOST_LINKS = 16  # soft links that lead to each other
EXPANSION = 1100  # gzip packs 1032 bytes into one at best
_PER_TEXT = 60  # bytes of a Python string besides its characters
PER_NAME = 200  # bytes of a member of a group
_HEAP = b"GCOL\1"
_PIECE = 2**20  # values that are read at once
_CACHE, _SLOTS = 2**26, 12421  # bytes and chunks of HDF5's cache of chunks


class Reader:
    """Reader of an open HDF5 file within a memory budget; FormatError for what leads out of the file or exceeds the budget."""

    def __init__(self, file: h5py.File, budget: Budget) -> None:
        self.file: h5py.File = file
        self.budget: Budget = budget
        self.size: int = max(1, int(file.id.get_filesize()))

    def find(self, path: str) -> Any:
        """The group or data set at `path`, or None; each link is checked before it is followed."""
        return self._follow(self.file["/"], path, MOST_LINKS)

    def _follow(self, group: Any, path: str, links_left: int) -> Any:
        if path.startswith("/"):
            group = self.file["/"]
        for name in filter(None, path.split("/")):
            if not isinstance(group, h5py.Group):
                return None
            links, key = group.id.links, name.encode("utf-8", "surrogateescape")
            if name == ".":
                continue
            if not links.exists(key):
                return None
            kind = links.get_info(key).type
            if kind == h5l.TYPE_SOFT:
                if not links_left:
                    raise FormatError(f"{path} is a link that leads around in circles")
                links_left -= 1
                group = self._follow(group, links.get_val(key).decode("utf-8", "surrogateescape"), links_left)
            elif kind == h5l.TYPE_HARD:
                group = group[name]
            else:
                raise FormatError(f"{path} lies in another file")
        return group

    def __contains__(self, path: str) -> bool:
        return self.find(path) is not None

    def is_group(self, path: str) -> bool:
        """Whether there is a group at `path`."""
        return isinstance(self.find(path), h5py.Group)

    def names(self, path: str) -> list[str]:
        """The names of the members of a group, none where there is no such group."""
        group = self.find(path)
        if not isinstance(group, h5py.Group):
            return []
        self.budget.take(PER_NAME * len(group), f"{len(group)} names in {path}")
        return list(group)

    def paths(self, *groups: str) -> list[str]:
        """The paths of the members of several groups."""
        return [f"{group}/{name}" for group in groups for name in self.names(group)]

    def array(self, path: str, written: bool = True) -> h5py.Dataset:
        """The data set at `path`, not read yet; FormatError if it is missing, in another file or, if `written`, never written."""
        result = self.find(path)
        if not isinstance(result, h5py.Dataset):
            raise FormatError(f"no {path} in it")
        if result.external or result.is_virtual:
            raise FormatError(f"{path} lies in another file")
        stored = result.id.get_storage_size()
        if result.nbytes > 2**20 + EXPANSION * stored:
            raise FormatError(f"{path} claims {result.nbytes} bytes, more than the file holds")
        if written and result.nbytes and not stored:  # HDF5 would make them up as zeros
            raise FormatError(
                f"{path} claims {result.nbytes} bytes and stores none: its values were never written"
            )
        if result.chunks is None:
            return result
        chunk = math.prod(result.chunks) * result.dtype.itemsize
        if chunk > self.budget.left:
            self.budget.take(chunk, f"a chunk of {path}")
        # of a chunk without a filter a part is read; with one it is read as a whole, and kept
        access, name = h5py.h5p.create(h5py.h5p.DATASET_ACCESS), h5py.h5i.get_name(result.id)
        filtered = result.id.get_create_plist().get_nfilters() > 0
        access.set_chunk_cache(_SLOTS, max(_CACHE, chunk) if filtered else 0, 1.0)
        del result  # HDF5 keeps the cache of what is open
        return h5py.Dataset(h5py.h5d.open(self.file.id, name, access))

    def numbers(self, path: str, per_value: float = 0.0) -> np.ndarray:
        """All values of a data set of numbers; each will take `per_value` further bytes."""
        result = self._of_numbers(path)
        self.budget.take(result.nbytes + per_value * result.size, f"{result.size} values of {path}")
        return np.asarray(result[...])

    def _of_numbers(self, path: str) -> h5py.Dataset:
        result = self.array(path)
        if result.dtype.kind not in "biuf" or result.shape is None:
            stored = getattr(result, "described", result.dtype)  # of Zarr with its codecs
            raise FormatError(f"{path} has values of type {stored}: expected numbers")
        return result

    def length(self, path: str) -> int:
        """The length of a data set with one axis or more."""
        result = self.array(path)
        if not result.shape:
            raise FormatError(f"{path} is a single value: expected an array")
        return int(result.shape[0])

    def texts(self, path: str) -> list[str]:
        """All values of a data set of text with one axis."""
        result = self.array(path)
        if not is_text(result) or result.ndim != 1:
            raise FormatError(f"{path} has values of type {result.dtype}: expected text")
        self.budget.take((16 + _PER_TEXT) * result.size, f"{result.size} values of {path}")
        texts: list[str] = []
        for piece in self._text_pieces(result, path):
            texts += [text.decode("utf-8", "surrogateescape") for text in piece]
        return texts

    def _text_pieces(self, dataset: h5py.Dataset, path: str) -> Iterator[list[bytes]]:
        """The values of a flat data set of text in pieces that fit into the budget even if each value is as long as the file."""
        longest = self.size if dataset.dtype.kind == "O" else max(1, dataset.dtype.itemsize)
        begin = 0
        while begin < dataset.size:
            number = int(max(1, min(2**16, self.budget.left // longest, dataset.size - begin)))
            if longest > self.budget.left:
                self.budget.take(longest, path)
            piece = [bytes(text) for text in dataset[begin : begin + number]]
            self.budget.take(sum(map(len, piece)), f"the text of {path}")
            yield piece
            begin += number

    def text(self, path: str) -> bytes | None:
        """A data set that is a single text, as bytes; None when there is no such one."""
        if path not in self:
            return None
        result = self.array(path)
        if not is_text(result) or result.shape != ():
            return None
        value = bytes(result[()])
        self.budget.take(len(value), path)
        return value

    def _attribute(self, path: str, name: str) -> Any:
        """What HDF5 says of an attribute, not read yet, or None."""
        result, key = self.find(path), name.encode()
        return h5a.open(result.id, key) if result is not None and h5a.exists(result.id, key) else None

    def attribute(self, path: str, name: str, default: Any) -> Any:
        """An attribute that is a single number or text; `default` when there is none, or another kind of value."""
        about = self._attribute(path, name)
        if about is None or math.prod(about.shape or (1,)) != 1 or about.dtype.itemsize > self.size:
            return default
        value = self.find(path).attrs[name]
        if isinstance(value, np.ndarray):
            value = value.reshape(-1)[0]
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        return value if isinstance(value, str | bool | int | float | np.number | np.bool_) else default

    def ragged(self, name: str, n: int, per_value: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """The ragged column `name` of the units table: all values, and the row (unit) of each."""
        ends = self.ends(f"units/{name}", n)
        values = self.numbers(f"units/{name}", per_value=8 + per_value)
        self._check_ends(f"units/{name}", ends, n, values.shape)
        counts = np.diff(ends, prepend=0)
        return values, np.repeat(np.arange(n), counts)

    def ragged_rows(
        self, name: str, n: int, rows: Sequence[int], low: float, high: float, per_value: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """Of some rows of the ragged column `name` of the units table the values from low to high, the place in `rows` of each, and
        the number of all values of these rows.

        Two more values come last: the least and the largest one of these rows, none where they are empty. Only these rows are read,
        in pieces and whole, since the values of a row may be in any order.
        """
        ends, data = self.ends(f"units/{name}", n), self._of_numbers(f"units/{name}")
        if data.ndim != 1:
            raise FormatError(f"units/{name} has the shape {data.shape}: expected a flat array")
        pieces, places, edges, number = [data[:0]], [np.empty(0, dtype=np.int64)], data[:0], 0
        for place, row in enumerate(rows):
            end = int(ends[row])
            for begin in range(int(ends[row - 1]) if row else 0, end, _PIECE):
                values = data[begin : min(begin + _PIECE, end)]
                number += len(values)
                both = np.append(edges, values)
                edges = both[[both.argmin(), both.argmax()]]
                pieces.append(values[~((values < low) | (values > high))])  # NaN stays, to be refused
                self.budget.take((values.itemsize + 8 + per_value) * len(pieces[-1]), f"units/{name}")
                places.append(np.full(len(pieces[-1]), place))
        return np.concatenate([*pieces, edges]), np.concatenate(places), number

    def ends(self, path: str, n: int) -> np.ndarray:
        """For each of n rows of the ragged column at `path` the number of values up to its end, (n,) int64."""
        ends = self.numbers(f"{path}_index", per_value=16)
        self._check_ends(path, ends, n, self.array(path, written=False).shape)
        return ends.astype(np.int64)

    def _check_ends(self, path: str, ends: np.ndarray, n: int, shape: Any) -> None:
        size = shape[0] if shape else 0
        if ends.dtype.kind not in "iu" or ends.shape != (n,) or not shape:
            raise FormatError(f"{path}_index doesn't fit {n} rows and {size} values")
        if (ends[1:] < ends[:-1]).any() or (n and not 0 <= int(ends[0]) <= int(ends[-1]) == size):
            raise FormatError(f"{path}_index goes back, or doesn't fit {n} rows and {size} values")

    def attribute_texts(self, path: str, name: str) -> list[str] | None:
        """An attribute that is a list of texts; None when there is no such one, or one that may be larger than the budget."""
        about = self._attribute(path, name)
        if about is None or check_string_dtype(about.dtype) is None:
            return None
        size = self.size if about.dtype.kind == "O" else about.dtype.itemsize
        number = math.prod(about.shape or (1,))
        if not number * (size + _PER_TEXT) <= self.budget.left:  # each text may be as long as the file
            warn(
                f"attribute {name} of {path}: not read, since its {number} texts may take {number * size / 2**20:.0f} MiB: "
                "pass a larger max_bytes if you trust the file"
            )
            return None
        values = [
            bytes(text) if isinstance(text, bytes) else str(text).encode()
            for text in np.ravel(self.find(path).attrs[name])
        ]
        self.budget.take(sum(map(len, values)) + _PER_TEXT * len(values), f"attribute {name} of {path}")
        return [value.decode("utf-8", "replace") for value in values]

    def references(self, path: str, targets: Sequence[str]) -> list[str]:
        """For each object reference of a flat data set the one of the paths `targets` that it refers to, "" for any other."""
        result = self.array(path)
        self.budget.take((16 + _PER_TEXT) * result.size, f"{result.size} references of {path}")
        values = {path: self.find(path) for path in targets}
        paths = {h5o.get_info(value.id).addr: path for path, value in values.items() if value is not None}
        known = []
        for reference in result[()]:
            try:
                target = h5r.dereference(reference, self.file.id)  # None for the null reference
                known.append("" if target is None else paths.get(h5o.get_info(target).addr, ""))
            except (ValueError, KeyError, RuntimeError, OSError):  # an address without an object
                known.append("")
        return known

    def check_all(self) -> None:
        """Read every data set once, piece by piece, to verify all checksums; OSError for a wrong one."""
        scan = Budget(max(self.budget.most, float(self.size)))
        seen: set[Any] = set()
        waiting = ["/"]
        while waiting:
            path = waiting.pop()
            node = self.find(path)
            if node is None:
                raise FormatError(f"{path} is a link that leads nowhere")
            if (place := self._place(node)) not in seen:
                seen.add(place)
                waiting += [f"{path.rstrip('/')}/{name}" for name in self.names(path)]
                self._scan(path, node, scan)

    def _place(self, node: Any) -> Any:
        """What two names of one object share."""
        return h5o.get_info(node.id).addr

    def _scan(self, path: str, node: Any, scan: Budget) -> None:
        if not isinstance(node, h5py.Dataset) or not node.size:
            return
        result = self.array(path, written=False)
        if is_text(result) and result.dtype.kind == "O":
            if result.ndim == 1:
                for _ in Reader(self.file, scan)._text_pieces(result, path):
                    pass
            elif result.ndim == 0:
                self.text(path)
            return
        if result.dtype.hasobject:  # references and compound values: read when they are used
            return
        scan.take(result.nbytes, f"all values of {path}")
        if result.ndim == 0:
            result[()]
        elif result.chunks is not None:
            for piece in result.iter_chunks():
                result[piece]
        else:
            rows = max(1, 2**22 * result.shape[0] // max(1, result.nbytes))
            for k in range(0, result.shape[0], rows):
                result[k : k + rows]


def is_text(dataset: h5py.Dataset) -> bool:
    """True for a data set of text."""
    return hasattr(dataset, "shape") and check_string_dtype(dataset.dtype) is not None


def is_references(dataset: h5py.Dataset) -> bool:
    """True for a flat data set of references to objects of the file."""
    return getattr(dataset, "ndim", 0) == 1 and h5py.check_ref_dtype(dataset.dtype) is h5py.Reference


def _check_heap(data: Any, begin: int, where: int) -> None:
    """Walk a heap that holds text of variable length: in one with an empty block of free space HDF5 walks for ever.

    A heap has a head of 16 bytes ("GCOL", version, size); then objects: 16 bytes (index, references, size) and their data up to a
    multiple of 8. Index 0 is free space, whose size counts its own 16 bytes. `where` is its byte in the file.
    """
    end, at = begin + int.from_bytes(data[begin + 8 : begin + 16], "little"), begin + 16
    while at + 16 <= end <= len(data):
        size = int.from_bytes(data[at + 8 : at + 16], "little")
        step = 16 + (size + 7) // 8 * 8 if data[at : at + 2] != b"\0\0" else size
        at = at + step if step >= 16 else end + 1
    if not at <= end <= len(data):
        raise FormatError(f"a damaged HDF5 file: its heap of text at byte {where} is broken")


def opened(path: Path) -> h5py.File:
    """The HDF5 file at `path`, open for reading, with all its heaps checked; FormatError for one that is none, or truncated."""
    with path.open("rb") as raw, mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as data:
        begin = data.find(_HEAP)
        while begin >= 0:
            _check_heap(data, begin, begin)
            begin = data.find(_HEAP, begin + len(_HEAP))
    return _open(path)


def opened_in_parts(raw: BinaryIO) -> h5py.File:
    """The HDF5 file in `raw`, of which only what is asked for is read, and checked; FormatError as `opened`."""
    return _open(_CheckedFile(raw))


def _open(file: Any) -> h5py.File:
    try:
        return h5py.File(file, "r", rdcc_nbytes=_CACHE)
    except OSError as error:
        if error.errno:
            raise
        raise FormatError(
            "not an HDF5 file such as NWB, or one that is cut off; text with spike times has a name that ends in .txt"
        ) from None


class _Wrapped(io.RawIOBase):
    """A file for HDF5 that stands before another one."""

    _raw: Any

    def readable(self) -> bool:
        return True

    writable = seekable = readable

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()


class _CheckedFile(_Wrapped):
    """A file for HDF5 to read: a heap of text is checked before HDF5 sees it, and bytes that are missing are an error."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._size = raw.seek(0, os.SEEK_END)
        self._checked: set[int] = set()

    def readinto(self, buffer: Any) -> int:
        view, begin = memoryview(buffer).cast("B"), self._raw.tell()
        end, more = begin + len(view), len(_HEAP) - 1  # the mark of a heap may begin before, or end after
        data = self._bytes(max(0, begin - more), end + more)
        for mark in re.finditer(_HEAP, data):
            heap = max(0, begin - more) + mark.start()
            if heap not in self._checked:
                size = int.from_bytes(self._bytes(heap + 8, heap + 16), "little")
                _check_heap(self._bytes(heap, heap + min(size, LEAST)), 0, heap)
            self._checked.add(heap)
        values = data[min(begin, more) :][: len(view)]
        if len(values) < len(view):
            raise OSError(f"it ends before byte {end}")
        view[:] = values
        return self._raw.seek(end) - begin

    def _bytes(self, begin: int, end: int) -> bytes:
        self._raw.seek(begin)
        return self._raw.read(min(end, self._size) - begin)


class DiskFile(_Wrapped):
    """A new file for HDF5 to write to, h5py.File(DiskFile(path), "w"); after a write that fails it only pretends."""

    def __init__(self, path: Path) -> None:
        self._raw = io.FileIO(path, "x+b")
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise the error of the first write that failed."""
        if self._error is not None:
            raise self._error

    def readinto(self, buffer: Any) -> int:
        """Read into `buffer`; zeros for what isn't on the disk."""
        view = memoryview(buffer).cast("B")
        number = self._raw.readinto(view) or 0
        if self._error is not None and number < len(view):
            view[number:] = bytes(len(view) - number)
            return len(view)
        return number

    def write(self, data: Any) -> int:
        """Write all of `data`, or remember why not."""
        view = memoryview(data).cast("B")
        size = len(view)
        try:
            while view and self._error is None:
                view = view[self._raw.write(view) :]
        except OSError as error:
            self._error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Change the length of the file."""
        try:
            return self._raw.truncate(size)
        except OSError as error:
            self._error = self._error or error
            return self.tell() if size is None else size

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._raw.close()
        super().close()

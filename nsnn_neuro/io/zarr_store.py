"""NWB in Zarr: `ZarrReader` answers as `hdf5.Reader` does, for a folder in Zarr's format 2 as hdmf-zarr writes it.

Its metadata may name any codec, also one that unpickles. So no Zarr library opens the folder: JSON is read and chunks are decoded
here, by a few codecs. Arrays of other codecs are neither numbers nor text, and are left out or refused as such.
"""

from __future__ import annotations

import math
import os
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from h5py import string_dtype

from ..core.errors import FormatError, needs_package
from ..core.file_limits import Budget, open_regular, read_json
from .hdf5 import EXPANSION, MOST_LINKS, PER_NAME, Reader

_NUMBERS = re.compile(r"[<>|][biuf]\d\d?")
_BYTES = {"blosc", "zlib", "gzip", "shuffle"}
_PER_BYTE = 16  # bytes of memory for each byte of a chunk of text, whose shortest texts take 4


def stored_bytes(folder: Path) -> int:
    """The size of all files in a folder."""
    files = (os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)
    return sum(os.lstat(file).st_size for file in files)


class _Group:
    def __init__(self, name: str, attrs: dict[str, Any]) -> None:
        self.name = name
        self.attrs = attrs


class _Array(_Group):
    """An array with the attributes of a data set of h5py; a slice of its first axis decodes the chunks that it needs."""

    def __init__(self, reader: ZarrReader, name: str, attrs: dict[str, Any], about: dict[str, Any]) -> None:
        super().__init__(name, attrs)
        self._reader = reader
        self._grid, self.chunks = tuple(about["shape"]), tuple(about["chunks"])
        whole = all(type(n) is int and n >= 0 for n in self._grid + self.chunks) and 0 not in self.chunks
        if about["zarr_format"] != 2 or not whole or len(self._grid) != len(self.chunks):
            raise FormatError(f"{name}: no array of Zarr's format 2 with shape {self._grid} in {self.chunks}")
        self._separator, self._order = about.get("dimension_separator", "."), about["order"]
        kind, codecs = str(about["dtype"]), [*(about["filters"] or ()), about["compressor"]]
        self._codecs = [codec for codec in codecs if codec is not None]
        names = [codec["id"] for codec in self._codecs]
        self.described = f"{kind}, with the codecs {names}"
        self._text = kind == "|O" and names[:1] in (["vlen-utf8"], ["vlen-bytes"])
        numbers = not self._text and _NUMBERS.fullmatch(kind) is not None
        self.readable = (self._text or numbers) and _BYTES.issuperset(names[self._text :])
        self.dtype = np.dtype(kind if self.readable and numbers else object)
        if self.readable and self._text:
            self.dtype = string_dtype()
        self.shape = () if attrs.get("zarr_dtype") == "scalar" and self._grid == (1,) else self._grid
        self.ndim, self.size = len(self.shape), math.prod(self.shape)
        self.nbytes = self.size * self.dtype.itemsize
        self.chunk_bytes = math.prod(self.chunks) * self.dtype.itemsize

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, key: Any) -> Any:
        ends = [(0, n) for n in self._grid]
        if isinstance(key, slice):
            ends[0] = key.indices(self._grid[0])[:2]
        result = np.empty([max(0, high - low) for low, high in ends], self.dtype)
        for place in self._places(ends):
            target, origin = [], []
            for (low, high), k, n in zip(ends, place, self.chunks, strict=True):
                a, b = max(low, k * n), min(high, (k + 1) * n)
                target.append(slice(a - low, b - low))
                origin.append(slice(a - k * n, b - k * n))
            result[tuple(target)] = self._chunk(place)[tuple(origin)]
        return result if self.shape else result.reshape(())[()]

    def _places(self, ends: Sequence[tuple[int, int]]) -> Iterator[tuple[int, ...]]:
        """The places in the grid of chunks that hold these spans of the axes; as many as are declared, so one by one."""
        first = [a // n for (a, _), n in zip(ends, self.chunks, strict=True)]
        last = [-(-b // n) if a < b else a // n for (a, b), n in zip(ends, self.chunks, strict=True)]
        for step in np.ndindex(*(b - a for a, b in zip(first, last, strict=True))):
            yield tuple(a + k for a, k in zip(first, step, strict=True))

    def check(self) -> None:
        for place in self._places([(0, n) for n in self._grid]) if self.readable else ():
            self._chunk(place)

    def _chunk(self, place: tuple[int, ...]) -> np.ndarray:
        """The chunk at a place of the grid; the reader keeps the last one, since neighbouring units share chunks."""
        path, reader = f"{self.name}/{self._separator.join(map(str, place)) or '0'}", self._reader
        if reader.last_chunk[0] != path:
            raw = reader.content(path)
            if raw is None:
                raise FormatError(f"{path} is missing: a chunk that was never written, or is lost")
            most = int(reader.budget.left // _PER_BYTE) if self._text else self.chunk_bytes
            for codec in reversed(self._codecs[self._text :]):
                raw = _decoded(raw, codec, most + most // 8 + 1024)  # what does not compress becomes longer
            if len(raw) > most or not (self._text or len(raw) == most):
                raise FormatError(
                    f"{path} has {len(raw)} bytes, or more: its array declares, or max_bytes allows, {most}"
                )
            if self._text:
                values = np.empty(math.prod(self.chunks), object)
                for k, text in enumerate(_texts(raw)):
                    values[k] = text
            else:
                values = np.frombuffer(raw, self.dtype)
            reader.last_chunk = (path, values.reshape(self.chunks, order=self._order))
        return reader.last_chunk[1]


def _decoded(raw: bytes, codec: dict[str, Any], most: int) -> bytes:
    """What a codec of `_BYTES` has made `raw` of; of more than `most` bytes only a part, or FormatError."""
    if codec["id"] == "shuffle":
        return np.frombuffer(raw, np.uint8).reshape(codec["elementsize"], -1).T.tobytes()
    if codec["id"] != "blosc":
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(raw, most + 1)
    with needs_package("numcodecs", "NWB in Zarr"):
        from numcodecs import Blosc
    size, _, stored = struct.unpack("<III", raw[4:16])
    if size > most or stored != len(raw):
        raise FormatError(
            f"a chunk of {len(raw)} bytes says {stored}, and {size} when expanded: expected at most {most}"
        )
    return bytes(Blosc().decode(raw))


def _texts(raw: bytes) -> Iterator[bytes]:
    """The texts of a chunk: their number, then each with its length before it."""
    at = 4
    for _ in range(int.from_bytes(raw[:4], "little")):
        begin = at + 4
        at = begin + int.from_bytes(raw[at:begin], "little")
        if at > len(raw):
            raise FormatError("a chunk of text ends too early")
        yield raw[begin:at]


class ZarrReader(Reader):
    """Reader of an NWB file in Zarr, a folder; FormatError as `Reader`, also for links and symbolic links that lead out of it."""

    def __init__(self, folder: Path, budget: Budget) -> None:
        if not folder.is_dir():
            raise FormatError("not a folder: unpack a store in a zip archive")
        if (folder / "zarr.json").exists():
            raise FormatError("Zarr's format 3: expected format 2, as hdmf-zarr writes it")
        self.folder, self.budget = os.path.realpath(folder), budget
        self.size: int = max(1, stored_bytes(folder))
        self._nodes: dict[str, _Group | None] = {}
        self.last_chunk: tuple[str, Any] = ("", None)

    def content(self, name: str) -> bytes | None:
        """The bytes of a file of the folder, None without one."""
        path = os.path.join(self.folder, *name.split("/"))
        if os.path.realpath(path) != path:
            raise FormatError(f"{name} leads out of the folder")
        if not os.path.lexists(path):
            return None
        with open_regular(Path(path)) as file:
            size = os.fstat(file.fileno()).st_size
            if size > self.budget.left:
                self.budget.take(size, name)
            return file.read(size)

    def _json(self, name: str) -> dict[str, Any] | None:
        content = self.content(name)
        value = {} if content is None else read_json(content, self.budget, name)
        if not isinstance(value, dict):
            raise FormatError(f"{name}: expected a JSON object")
        return None if content is None else value

    def _node(self, name: str) -> _Group | None:
        if name not in self._nodes:
            start = f"{name}/" if name else ""
            array, attrs = self._json(f"{start}.zarray"), self._json(f"{start}.zattrs") or {}
            if array is not None:
                self._nodes[name] = _Array(self, name, attrs, array)
            else:
                self._nodes[name] = None if self._json(f"{start}.zgroup") is None else _Group(name, attrs)
        return self._nodes[name]

    def find(self, path: str) -> Any:
        """The group or array at `path`, or None; each link is checked before it is followed."""
        return self._at(path, MOST_LINKS)

    def _at(self, path: str, links_left: int) -> _Group | None:
        node = self._node("")
        for name in filter(None, path.split("/")):
            if node is None or isinstance(node, _Array):
                return None
            member = self._node(f"{node.name}/{name}".lstrip("/"))
            link = self._links(node).get(name)
            if member is None and link is not None:
                if link["source"] != ".":
                    raise FormatError(f"{path} lies in another file")
                if not links_left:
                    raise FormatError(f"{path} is a link that leads around in circles")
                links_left -= 1
                member = self._at(link["path"], links_left)
            node = member
        return node

    def _links(self, group: _Group) -> dict[str, Any]:
        return {link["name"]: link for link in group.attrs.get("zarr_link", ())}

    def is_group(self, path: str) -> bool:
        """Whether there is a group at `path`."""
        return type(self.find(path)) is _Group

    def names(self, path: str) -> list[str]:
        """The names of the members of a group, none where there is no such group."""
        group = self.find(path)
        if type(group) is not _Group:
            return []
        links = self._links(group)
        names = {*os.listdir(os.path.join(self.folder, group.name)), *links}
        self.budget.take(PER_NAME * len(names), f"{len(names)} names in {path}")
        start = f"{group.name}/".lstrip("/")
        return sorted(name for name in names if name in links or self._node(start + name) is not None)

    def array(self, path: str, written: bool = True) -> Any:
        """The array at `path`, not read yet; FormatError if it is missing. A chunk that is missing is one when it is read."""
        result = self.find(path)
        if not isinstance(result, _Array):
            raise FormatError(f"no {path} in it")
        if result.nbytes > 2**20 + EXPANSION * self.size:
            raise FormatError(f"{path} claims {result.nbytes} bytes, more than the folder holds")
        if result.chunk_bytes > self.budget.left:
            self.budget.take(result.chunk_bytes, f"a chunk of {path}")
        return result

    def _text_pieces(self, array: Any, path: str) -> Iterator[list[bytes]]:
        for begin in range(0, array.size, array.chunks[0]):
            piece = list(array[begin : begin + array.chunks[0]])
            self.budget.take(sum(map(len, piece)), f"the text of {path}")
            yield piece

    def attribute(self, path: str, name: str, default: Any) -> Any:
        """An attribute that is a single number or text; `default` when there is none, or another kind of value."""
        node = self.find(path)
        value = default if node is None else node.attrs.get(name, default)
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        return value if isinstance(value, str | int | float) else default

    def attribute_texts(self, path: str, name: str) -> list[str] | None:
        """An attribute that is a list of texts; None when there is no such one."""
        node = self.find(path)
        value = None if node is None else node.attrs.get(name)
        values = [value] if isinstance(value, str) else value
        whole = isinstance(values, list) and all(isinstance(value, str) for value in values)
        return values if whole else None

    def _place(self, node: _Group) -> str:
        return node.name

    def _scan(self, path: str, node: _Group, scan: Budget) -> None:
        """Decode every chunk once, of arrays with known codecs."""
        if isinstance(node, _Array):
            node.check()

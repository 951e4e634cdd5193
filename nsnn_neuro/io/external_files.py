"""Read files of other programs: text (`spikes.text_files`), and formats that Neo reads without unpickling; NWB: `nwb.recording`.

Names and annotations of spike trains become the Block's annotation "units".
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import h5py
import neo
import numpy as np

from ..core.errors import FormatError
from ..core.file_limits import Budget, check_regular
from ..core.units import shown
from ..core.warn import warn
from .block import block_of
from .hdf5 import Reader, opened
from .json_codec import parse_unit
from .segments import SAMPLED, TIMED, rebuilt
from .spikes import Trains
from .spikes.text_files import read_text

_COMPRESSED = 15  # type of an element of a .mat file
_MATLAB = 3  # bytes of memory for each byte of a .mat file
_PIECE = 2**20  # bytes that are expanded at once
_MOST_NAMED = 10  # variables that a message names
_CSV = 'read_csv({!r}, sep=None, engine="python")'
_TABLES = {
    ".csv": _CSV, ".tsv": _CSV, ".xlsx": "read_excel({!r})", ".parquet": "read_parquet({!r})", ".feather": "read_feather({!r})",
}  # calls of pandas, by the ending of a file  # fmt: skip
# the first unpickles, and so would run what is in the file; the others guess units and sampling rate
_REFUSED = ("PickleIO", "RawBinarySignalIO", "AsciiSignalIO")


def _check_matlab(path: Path, budget: Budget) -> None:
    """Take the expanded size of a .mat file's elements from the budget; each may be compressed, a thousand to one."""
    with path.open("rb") as file:
        head = file.read(128)
        order: Literal["little", "big"] = "little" if head[126:128] == b"IM" else "big"
        while len(tag := file.read(8)) == 8:
            kind, size = int.from_bytes(tag[:4], order), int.from_bytes(tag[4:], order)
            end = file.tell() + size
            if kind == _COMPRESSED:
                unpack = zlib.decompressobj()
                while file.tell() < end and (data := file.read(min(_PIECE, end - file.tell()))):
                    while data:
                        budget.take(_MATLAB * len(unpack.decompress(data, _PIECE)), "its compressed parts")
                        data = unpack.unconsumed_tail
            else:
                budget.take(_MATLAB * size, "its parts")
            file.seek(end)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _columns(path: Path) -> list[str]:
    """The columns of the first line of a text file."""
    if path.suffix.lower() not in (".csv", ".tsv"):
        return []
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return [one.strip(" \"'") for one in re.split(r"[,;\t]", file.readline(2000).strip())]


def _one_column(path: Path) -> bool:
    """Whether no line of a text file separates columns."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return not any(re.search(r"[,;\t]", line) for line in file)


def _unit_names(path: Path, budget: Budget) -> Iterator[str]:
    """Unit names that Neo would evaluate, from the formats that store them as text."""
    if path.suffix.lower() == ".mat" and h5py.is_hdf5(path):
        with opened(path) as file:
            names = [name for name in Reader(file, budget).names("/") if not name.startswith("#")]
        raise FormatError(
            f"a MATLAB 7.3 file with the variables {_listed(names)}: read it with h5py and give the spike times to to_block, "
            f"h5py.File(path)[name][()].ravel(); or save it in MATLAB with -v7"
        )
    if path.suffix.lower() == ".mat":
        import scipy.io

        _check_matlab(path, budget)

        stack: list[Any] = list(scipy.io.loadmat(path, struct_as_record=False, squeeze_me=True).items())
        while stack:
            name, value = stack.pop()
            if isinstance(value, str) and name.endswith("units"):
                yield value
            elif isinstance(value, np.ndarray) and value.dtype == object:
                stack += [(name, item) for item in value.flat]
            elif hasattr(value, "_fieldnames"):
                stack += [(field, getattr(value, field)) for field in value._fieldnames]
    elif path.is_file() and path.suffix.lower() != ".nwb" and h5py.is_hdf5(path):
        with opened(path) as file:
            if "nwb_version" in file.attrs:
                raise FormatError("holds NWB data: expected its name to end in .nwb")
            source = Reader(file, budget)
            source.check_all()
            result: list[Any] = []
            file.visit(lambda name: result.append(source.attribute(name, "unit", "")))
        yield from (unit for unit in result if isinstance(unit, str))


@contextlib.contextmanager
def _without_bars(reader: Any) -> Iterator[None]:
    """Switch off the progress bars of a reader of Neo, some ten for a .plx file; its constructor draws them already."""
    modules = [sys.modules[kind.__module__] for kind in reader.__mro__]
    noisy = [module for module in modules if getattr(module, "HAVE_TQDM", False)]
    try:
        for module in noisy:
            module.HAVE_TQDM = False  # type: ignore[attr-defined]
        yield
    finally:
        for module in noisy:
            module.HAVE_TQDM = True  # type: ignore[attr-defined]


def _with_neo(reader: Any, path: Path) -> neo.Block:
    with _without_bars(reader):
        source = reader(str(path))
        # some log as errors what the message here says
        logger = getattr(source, "logger", logging.getLogger(__name__))
        disabled, logger.disabled = logger.disabled, True
        try:
            read = source.read(lazy=False)
        finally:
            logger.disabled = disabled
    blocks = [block for block in read if block is not None and block.segments]
    if not any(len(s.spiketrains) or len(s.analogsignals) for block in blocks for s in block.segments):
        raise FormatError("no spike trains and no signals")
    if len(blocks) > 1:
        warn(f"the first of {len(blocks)} Blocks is read, the others are left out")
    block = blocks[0]
    contents = [{kind: getattr(old, kind) for kind in (*SAMPLED, *TIMED)} for old in block.segments]
    return rebuilt(Trains.from_block(block), contents, block, block.segments)


def read_neo(
    path: Path, budget: Budget, t_start: float | None = None, t_stop: float | None = None
) -> neo.Block:
    """The first Block in a file or folder that Neo reads, by the ending of its name; t_start, t_stop (s): as `read_text` says."""
    import neo.io

    columns = _columns(path) if path.is_file() else []
    if path.is_file() and (path.suffix.lower() == ".txt" or (len(columns) == 1 and _one_column(path))):
        return block_of(read_text(path, budget, t_start, t_stop))
    if path.suffix.lower() in _TABLES and path.is_file():
        said = f" with the columns {_listed([shown(name) for name in columns])}" if columns else ""
        raise FormatError(
            f"a table{said}: to_block takes one with a row per spike and the columns unit, time (in seconds) and, for "
            "several trials, trial; a text file with a line of spike times for each neuron has a name that ends in .txt:\n"
            f"    table = pandas.{_TABLES[path.suffix.lower()].format(str(path))}\n"
            "    block = nsnn_neuro.to_block(table, t_stop=...)"
        )
    try:
        readers = [r for r in neo.io.list_candidate_ios(path) if r.__name__ not in _REFUSED]
    except ValueError:
        readers = []
    if not readers and not path.is_dir():
        raise FormatError(
            f"no safe reader for {path.suffix or 'such'} files: expected .nwb or another format with units "
            "that Neo reads; or read it yourself and hand the spike times to to_block"
        )
    try:
        for folder, _, names in os.walk(path):  # of a file: none
            budget.take(500 * len(names), f"{len(names)} files of {folder}")
            for name in names:
                check_regular(Path(folder) / name)
        bad = next((name for name in _unit_names(path, budget) if parse_unit(name) is None), None)
    except (FormatError, PermissionError):
        raise
    except Exception as error:
        raise FormatError(f"truncated or damaged ({type(error).__name__}: {error})") from error
    if bad is not None:
        raise FormatError(f"{bad[:60]!r} is no unit")
    reasons = []
    for reader in readers:
        try:
            return _with_neo(reader, path)
        except Exception as error:  # readers of foreign bytes raise anything
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            reasons.append(f"{reader.__name__}: {reason}")
    if path.is_dir():
        raise FormatError(
            "a folder that no reader understands: expected a file, or a folder of a format that Neo reads"
        )
    if path.suffix.lower() == ".mat":
        import scipy.io

        known = [one for one in scipy.io.whosmat(path) if not one[0].startswith("__")]
        if known:
            spikes = next((name for name, *_ in known if "spike" in name.lower()), known[0][0])
            shapes = [f"{name} ({' x '.join(map(str, shape))} {kind})" for name, shape, kind in known]
            raise FormatError(
                f"no Neo Block in it, but the MATLAB variables {_listed(shapes)}: give the one with spike times, in seconds, to "
                f"to_block:\n    m = scipy.io.loadmat({str(path)!r}, squeeze_me=True)\n"
                f"    block = nsnn_neuro.to_block([[m[{spikes!r}]]], t_stop=...)"
            )
    raise FormatError("not readable (" + "; ".join(reasons) + ")")

"""Tables of an NWB file: units, and intervals such as trials, epochs and presentations of stimuli, with their columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ...core.checks import did_you_mean
from ...core.errors import FormatError
from ...core.warn import warn
from ..hdf5 import Reader, is_text
from ..spikes.bins import EPS, spacing

_PER_VALUE = 40  # bytes of a number in a list
_CLOCK = ("start_time", "stop_time")
_COARSE = 1e-4  # s, errors of times of trials below this are not worth a warning


class Intervals(NamedTuple):
    """A table of intervals on the session's clock, those without a valid start and stop included."""

    start: np.ndarray  # (n,) s
    stop: np.ndarray  # (n,) s
    columns: dict[str, list[Any]]  # name -> (n,) numbers, texts or lists of them
    left_out: list[str]  # columns that aren't numbers or texts


def table(source: Reader, path: str, skip: tuple[str, ...]) -> dict[str, list[Any]]:
    """The plain columns (one number or text per row) of a table."""
    columns: dict[str, list[Any]] = {}
    names = source.names(path)
    for name in names:
        if name in (*skip, "id") or _is_index(name, names) or f"{name}_index" in names:
            continue
        column = source.find(f"{path}/{name}")
        if getattr(column, "ndim", 0) != 1:
            continue
        if is_text(column):
            columns[name] = source.texts(f"{path}/{name}")
        elif column.dtype.kind in "biuf":
            columns[name] = source.numbers(f"{path}/{name}", per_value=_PER_VALUE).tolist()
    return columns


def _is_index(name: str, names: Container[str]) -> bool:
    """Whether a column has the ends of the lists of another; "block_index" alone is an ordinary one."""
    return name.endswith("_index") and name.removesuffix("_index") in names


def interval_tables(source: Reader) -> dict[str, str]:
    """Name -> path of every table of intervals of the file, also of those in processing modules."""
    groups = ["intervals", *source.paths("processing")]
    paths = [path for path in source.paths(*groups) if all(f"{path}/{name}" in source for name in _CLOCK)]
    names = [path.rpartition("/")[2] for path in paths]
    number = Counter(names)
    return {
        name if number[name] == 1 else path.removeprefix("processing/"): path
        for name, path in zip(names, paths, strict=True)
    }


def table_named(source: Reader, name: str) -> str:
    """The path of the table of intervals of that name."""
    known = interval_tables(source)
    if name in known:
        return known[name]
    if name in known.values():
        return name
    listed = ", ".join(map(repr, known)) or "none"
    raise FormatError(
        f"trials = {name!r}: no table of intervals of this name; the file has {listed}{did_you_mean(name, known)}"
    )


def times(source: Reader, path: str, names: Sequence[str]) -> list[np.ndarray]:
    """Columns or data sets of times of a table or series, s; one warning names those of single precision that are too coarse.

    Times such as whole seconds, which single precision holds without rounding, are not warned of.
    """
    result, coarse, last, apart = [], [], 0.0, 0.0
    for name in names:
        stored = source.numbers(f"{path}/{name}", per_value=16)
        result.append(stored.astype(float))
        finite = np.abs(stored[np.isfinite(stored)])
        if spacing(stored) <= EPS or not finite.size:
            continue
        step = float(np.spacing(finite.max()))
        if step > _COARSE and (result[-1][np.isfinite(stored)] % (8 * step) != 0).any():
            coarse.append(name)
            last, apart = max(last, float(finite.max())), max(apart, step)
    if coarse:
        warn(
            f"{path}: {', '.join(coarse)} {'is' if len(coarse) == 1 else 'are'} stored in single precision: at {last:g} s "
            f"neighbouring times are {apart:.1g} s apart, so that spikes relative to them are shifted by up to half of this, by "
            "another amount in each trial. Read these times from the file that this one was made of, if there is one, and pass "
            "them to cut"
        )
    return result


def intervals(source: Reader, path: str) -> Intervals:
    """The table of intervals at `path` with all columns that are numbers or texts, lists of them too."""
    moments = [
        name
        for name in source.names(path)
        if name.endswith("_time") and name not in _CLOCK and _is_single(source.find(f"{path}/{name}"))
    ]
    start, stop, *_ = times(source, path, [*_CLOCK, *moments])
    if start.shape != stop.shape or start.ndim != 1:
        raise FormatError(f"{path} has {len(start)} starts and {len(stop)} stops: expected as many")
    n = len(start)
    columns = {key: column for key, column in table(source, path, _CLOCK).items() if len(column) == n}
    left_out = []
    names = source.names(path)
    for name in names:
        if name in (*columns, *_CLOCK, "id") or _is_index(name, names):
            continue
        rows = _lists(source, f"{path}/{name}", n, f"{name}_index" in names)
        if rows is None:
            left_out.append(name)
        else:
            columns[name] = rows
    return Intervals(start, stop, columns, left_out)


def _is_single(column: Any) -> bool:
    """Whether a column holds one number of less than double precision per row."""
    kind = getattr(column, "dtype", np.dtype(bool))
    return bool(getattr(column, "ndim", 0) == 1 and kind.kind == "f" and kind.itemsize < 8)


def _lists(source: Reader, path: str, n: int, ragged: bool) -> list[Any] | None:
    """For each of n rows the list of its numbers or texts; None where the column holds something else."""
    column = source.find(path)
    kind = getattr(getattr(column, "dtype", None), "kind", "")
    if not (is_text(column) or kind in ("b", "i", "u", "f")) or f"{path}_index_index" in source:
        return None
    if not ragged:
        fits = column.ndim == 2 and column.shape[0] == n and kind in ("b", "i", "u", "f")
        return source.numbers(path, per_value=_PER_VALUE).tolist() if fits else None
    if column.ndim != 1:
        return None
    ends = source.ends(path, n)
    values = source.texts(path) if is_text(column) else source.numbers(path, per_value=_PER_VALUE).tolist()
    return [values[a:b] for a, b in pairwise([0, *ends.tolist()])]

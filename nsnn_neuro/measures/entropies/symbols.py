"""Responses and stimuli as symbols: numbers, truth values, labels or words, numbered from 0."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import neo
import numpy as np

from ...core.errors import NsnnError
from ..response_checks import categories, refuse_name

_MOST_CODES = 2**62  # of mixed radix, so that no sum overflows
_LOOKUP = 1 << 16  # a table of codes up to this many, or 4 per sample, beats sorting


@dataclass(frozen=True)
class Symbols:
    """Samples as symbols; made by `read_symbols`."""

    codes: np.ndarray  # int64 (n,), symbol of each sample, from 0, in the sorted order of values or words
    n_present: int  # number of different symbols that occur
    n_possible: float  # product over the positions of a word of their ranges, max - min + 1
    is_word: bool  # whether the samples were rows
    letters: np.ndarray  # (n, k) whole numbers; k is 1 where the samples were no rows


def letters(x: Any, name: str, *, category: bool = False) -> np.ndarray:
    """(n, k) integers of x; labels are numbered, of a `category` such as a stimulus also floats that repeat."""
    first = x[0] if isinstance(x, list | tuple) and x else x
    if isinstance(first, neo.SpikeTrain) or hasattr(first, "segments"):
        raise NsnnError(
            f"{name} is a {type(first).__name__}: expected symbols, make them with spike_counts, words or latency_symbols"
        )
    refuse_name(x, name)
    try:
        values = np.asarray(x)
    except ValueError as error:
        cure = "of times, words(block, bin_width=...)"
        if isinstance(x, tuple) and len(x) == 2:
            cure = "bin_counts returns two results: take the first"
        raise NsnnError(
            f"{name} has rows of unequal length: expected (n,) or (n, k) whole numbers; {cure}"
        ) from error
    if values.ndim not in (1, 2):
        of_words = "; of words(block, ...) take one neuron, [:, j], or one bin, [:, :, k]"
        cure = of_words if values.ndim == 3 else ""
        raise NsnnError(f"{name} has shape {values.shape}: expected (n,) symbols or (n, k) words{cure}")
    if values.size == 0:
        raise NsnnError(f"{name} is empty, shape {values.shape}: expected at least one sample")
    if values.dtype.kind == "f":
        if np.isnan(values).any():
            raise NsnnError(f"{name} has NaN: drop these samples, in all arguments alike")
        whole = np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < 2.0**53)
        if not whole.all():
            if category:
                return categories(values, name)[1].reshape(len(values), -1)
            raise NsnnError(
                f"{name} has {values[~whole].flat[0]}: symbols are whole numbers; bin continuous values first, for example with "
                "numpy.digitize, and spike times with words(block, bin_width=...)"
            )
        values = values.astype(np.int64)
    elif values.dtype.kind == "b":
        values = values.view(np.int8)
    elif values.dtype.kind == "u" and values.dtype.itemsize == 8:
        if values.max() >= 2**63:
            raise NsnnError(f"{name} has {values.max()}: expected whole numbers below 2^63")
        values = values.astype(np.int64)
    elif values.dtype.kind not in "iu":
        values = categories(values, name)[1]
    return values.reshape(len(values), -1)


def read_symbols(x: Any, name: str, *, category: bool = False) -> Symbols:
    """`Symbols` of samples: their codes, how many symbols occur and how many could by their ranges.

    x is (n,), or (n, k) words, of whole numbers, truth values, texts or other `categories`; with `category` also of
    floats that repeat. NsnnError for all else.
    """
    words = letters(x, name, category=category)
    is_word = np.ndim(x) == 2
    columns = np.ascontiguousarray(words.T, dtype=np.int64)
    lowest, highest = columns.min(axis=1).tolist(), columns.max(axis=1).tolist()
    width = [h - low + 1 for low, h in zip(lowest, highest, strict=True)]
    n_possible = math.prod(width)
    if n_possible < _MOST_CODES:
        codes: np.ndarray = np.zeros(len(words), np.int64)
        for column, low, n in zip(columns, lowest, width, strict=True):
            codes = codes * n + (column - low)
        if n_possible <= max(_LOOKUP, 4 * len(codes)):
            occurs = np.zeros(n_possible, dtype=bool)
            occurs[codes] = True
            number = np.cumsum(occurs) - 1
            return Symbols(number[codes], int(number[-1]) + 1, float(n_possible), is_word, words)
        present, codes = np.unique(codes, return_inverse=True)
    else:
        present, codes = np.unique(words, axis=0, return_inverse=True)
    possible = float(n_possible) if n_possible < 10**300 else np.inf
    return Symbols(codes.reshape(-1).astype(np.int64), len(present), possible, is_word, words)


def read_columns(labels: Collection[str] = (), **columns: Any) -> dict[str, Symbols]:
    """`Symbols` of named arguments of equal length, 2 or more; those in `labels` are categories, such as a stimulus."""
    read = {name: read_symbols(x, name, category=name in labels) for name, x in columns.items()}
    lengths = [len(one.codes) for one in read.values()]
    names = _listed(list(read))
    if len(set(lengths)) > 1:
        raise NsnnError(f"{names} have {_listed(lengths)} samples: expected equal numbers")
    if lengths[0] < 2:
        raise NsnnError(f"{names} have {lengths[0]} sample: expected at least 2")
    return read


def _listed(items: list[Any]) -> str:
    *most, last = map(str, items)
    return f"{', '.join(most)} and {last}" if most else last


def as_symbols(x: Any, name: str) -> tuple[np.ndarray, int]:
    """Codes (n,) from 0 and how many different symbols there are; see `read_symbols`."""
    symbols = read_symbols(x, name)
    return symbols.codes, symbols.n_present


def one_value(sizes: dict[str, int]) -> str | None:
    """A warning about arguments that never vary; `sizes` are numbers of symbols by name."""
    constant = [name for name, size in sizes.items() if size == 1]
    if not constant:
        return None
    return f"{' and '.join(constant)} {'holds' if len(constant) == 1 else 'hold'} one value: it tells nothing"

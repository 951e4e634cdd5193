"""Random pairs of neurons: Bernoulli draws, and a given number of pairs. Subsets for each neuron: `pair_sampling_numba`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

CHUNK = 1 << 20  # pairs or draws that are handled at once
Pairs = tuple[np.ndarray, np.ndarray]


def summary(array: np.ndarray) -> dict[str, Any]:
    """Shape and checksum of an array (of its little-endian bytes in C order), in place of its values."""
    kind = np.dtype("<i4" if array.dtype.kind in "iu" else "<f8")
    digest = hashlib.sha256(np.ascontiguousarray(array, dtype=kind).data).hexdigest()
    return {"shape": list(array.shape), "sha256": digest}


def joined(parts: list[Pairs]) -> Pairs:
    """Concatenate lists of pairs."""
    i, j = zip(*parts, strict=True)
    return np.concatenate(i), np.concatenate(j)


def random_pairs(n_pre: int, n_post: int, p: float, rng: np.random.Generator) -> Iterator[Pairs]:
    """Each pair (i, j) with probability p, in order, in chunks of rows."""
    rows = max(1, CHUNK // n_post)
    for start in range(0, n_pre, rows):
        hits = _successes(min(rows, n_pre - start) * n_post, p, rng)
        i = hits // n_post
        yield (i + start).astype(np.int32), (hits - i * n_post).astype(np.int32)


def _successes(total: int, p: float, rng: np.random.Generator) -> np.ndarray:
    """Which of `total` Bernoulli(p) trials succeed, in order: from success to success by geometric steps."""
    if p == 0:
        return np.empty(0, dtype=np.int64)
    if p == 1:
        return np.arange(total, dtype=np.int64)
    parts, last = [], -1
    while last < total:
        n = int((total - last) * p + 4 * np.sqrt(total * p)) + 4
        # the largest are clipped, so that the sum can't overflow
        steps = np.minimum(rng.geometric(p, n), total + 1)
        parts.append(last + np.cumsum(steps))
        last = int(parts[-1][-1])
    hits = np.concatenate(parts)
    return hits[: np.searchsorted(hits, total)]


def sorted_draws(total: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """`n` uniform draws from 0 ... total - 1 with replacement, in order."""
    out = rng.integers(0, total, n) if n else np.empty(0, dtype=np.int64)
    out.sort()
    return out


def sorted_subset(total: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """A uniformly drawn subset of n of 0 ... total - 1, in order: numbers drawn before are drawn again."""
    if 2 * n > total:
        kept = np.ones(total, dtype=bool)
        kept[sorted_subset(total, total - n, rng)] = False
        return np.flatnonzero(kept)
    out = np.empty(0, dtype=np.int64)
    while out.size < n:
        merged = np.concatenate([out, rng.integers(0, total, n - out.size)])
        merged.sort()
        out = merged[np.diff(merged, prepend=-1) > 0]  # np.unique hashes, which takes ten times as long
    return out

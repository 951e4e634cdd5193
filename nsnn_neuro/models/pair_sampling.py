"""Random pairs of neurons: Bernoulli draws, subsets without repetition, and their order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core.numba_jit import njit

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


@njit(cache=True)
def random_subsets(u: np.ndarray, n: int, out: np.ndarray) -> None:
    """Row by row a uniformly drawn subset of 0 ... n - 1 (Floyd's method), from uniform numbers `u` of the shape of `out`."""
    k = u.shape[1]
    taken_in = np.full(n, -1, np.int64)
    for row in range(u.shape[0]):
        for s in range(k):
            last = n - k + s
            r = int(u[row, s] * (last + 1))
            if taken_in[r] == row:
                r = last
            taken_in[r] = row
            out[row, s] = r


@njit(cache=True)
def sorted_by_source(partners: np.ndarray, n_pre: int) -> Pairs:
    """(i, j) sorted by i then j from the sources `partners[j]` of every j: a counting sort."""
    n_post, k = partners.shape
    place = np.zeros(n_pre + 1, np.int64)
    for j in range(n_post):
        for s in range(k):
            place[partners[j, s] + 1] += 1
    place = np.cumsum(place)
    pre, post = np.empty(n_post * k, np.int32), np.empty(n_post * k, np.int32)
    for j in range(n_post):
        for s in range(k):
            i = partners[j, s]
            pre[place[i]], post[place[i]] = i, j
            place[i] += 1
    return pre, post

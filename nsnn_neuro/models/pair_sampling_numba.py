"""Loops of `FixedIndegree` that Numba compiles; a module apart, since most simulations need no Numba."""

from __future__ import annotations

import numpy as np

from ..core.numba_jit import njit
from .pair_sampling import Pairs


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

"""Conditional information of tables of counts (..., n_z, n_x, n_y): its estimate, jackknife and spread at zero.

I(X; Y | Z) = H(Y | Z) - H(Y | X, Z), each entropy of y by the same estimator: rows over y for each z, and for each pair (z, x) that
occurs. Leading axes hold many tables at once, of shuffles, of surrogates or with a part of the samples left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ...core.errors import NsnnError
from ...core.numba_jit import njit
from .entropy.entropy import JACKKNIFED, without_one
from .entropy.estimators import Profile, profile
from .impossible_estimates import zero_spread

MOST_CELLS = 20_000_000
"""of one table"""
CELLS_AT_ONCE = 4_000_000
"""of several tables"""


def refuse_large(sizes: dict[str, int], n: int) -> None:
    """NsnnError for a table that is too large to hold; `sizes` are the numbers of symbols by the argument's name.

    >>> refuse_large({"x": 2, "y": 2, "z": 4}, 100)
    """
    cells = math.prod(sizes.values())
    if cells > MOST_CELLS:
        listed = ", ".join(f"{name} has {size}" for name, size in sizes.items())
        raise NsnnError(
            f"too many symbols: {listed}, a table of {cells} cells for {n} samples, expected at most {MOST_CELLS}; use fewer, for "
            "example shorter words or histories, or wider bins"
        )


def counts_of(
    z: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    shape: tuple[int, int, int],
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Counts (n_z, n_x, n_y) of codes (n,) from 0.

    >>> one = np.array([0, 0, 1])
    >>> counts_of(0 * one, one, one, (1, 2, 2)).tolist()
    [[[2, 0], [0, 1]]]
    """
    cells = (z * shape[1] + x) * shape[2] + y
    return np.bincount(cells, weights, minlength=math.prod(shape)).reshape(shape)


def conditional_of_tables(
    tables: np.ndarray, estimator: Callable[[Profile], np.ndarray], limit: float
) -> np.ndarray:
    """H(Y | Z) - H(Y | X, Z) in bits of tables (..., n_z, n_x, n_y); `limit` is the size of the alphabet of y.

    >>> from nsnn_neuro.measures.information.entropy.estimators import plugin
    >>> xor = np.array([[[5, 0], [0, 5]], [[0, 5], [5, 0]]])
    >>> round(float(conditional_of_tables(xor, plugin, 2.0)), 12)
    1.0
    """
    tables = np.asarray(tables)
    lead, n_y = tables.shape[:-3], tables.shape[-1]

    def within(rows: np.ndarray) -> np.ndarray:
        """Sum of n times entropy over the rows (..., m, n_y) of each table."""
        flat = rows.reshape(-1, n_y)
        size = flat.sum(-1)
        used = size > 0
        total = np.zeros(size.size)
        total[used] = size[used] * estimator(profile(flat[used], limit))
        return total.reshape(*lead, -1).sum(-1)

    n = np.maximum(tables.sum((-3, -2, -1)), 1)
    return (within(tables.sum(-2)) - within(tables)) / n


def conditional_without_one(table: np.ndarray, method: str, limit: float) -> np.ndarray:
    """`conditional_of_tables` without one sample of each cell, (n_z, n_x, n_y) in bits; NaN for empty cells.

    >>> conditional_without_one(np.array([[[2, 0], [0, 3]]]), "plugin", 2.0).round(3).tolist()
    [[[0.811, nan], [nan, 1.0]]]
    """
    n_z, n_x, n_y = table.shape
    z, x, y = np.nonzero(table)

    def parts(rows: np.ndarray, row: np.ndarray) -> tuple[float, np.ndarray]:
        """Sum of n times entropy over rows, and its change without the sample y of `row`."""
        used, place = np.unique(row, return_inverse=True)
        rows, place = rows[used], place.reshape(-1)
        size, p = rows.sum(-1), profile(rows, limit)
        h, less = JACKKNIFED[method](p), without_one(method, p)
        change = (size[place] - 1) * less[place, p.place[place, y]] - size[place] * h[place]
        return float(size @ h), change

    above, up = parts(table.sum(1), z)
    below, down = parts(table.reshape(n_z * n_x, n_y), z * n_x + x)
    without = np.full(table.shape, np.nan)
    without[z, x, y] = (above - below + up - down) / max(table.sum() - 1, 1)
    return without


def conditional_spread(table: np.ndarray) -> float:
    """Standard deviation in bits of plug-in conditional information without any, given the margins: `zero_spread` of each z.

    >>> round(conditional_spread(np.full((1, 2, 2), 250)), 5)
    0.00102
    """
    n_z = table.sum((1, 2))
    each = [n * zero_spread(one) for n, one in zip(n_z, table, strict=True) if n > 1]
    return float(math.hypot(*each) / n_z.sum())


def local_of_counts(z: np.ndarray, x: np.ndarray, y: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """log2 p(y | x, z) / p(y | z) of each sample (n,), with frequencies in place of probabilities; in bits.

    >>> x = np.array([0, 0, 1, 1])
    >>> local_of_counts(0 * x, x, x, (1, 2, 2)).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    table = counts_of(z, x, y, shape)
    joint, by_zx, by_zy, by_z = table, table.sum(2), table.sum(1), table.sum((1, 2))
    return np.log2(joint[z, x, y] * by_z[z]) - np.log2(by_zx[z, x] * by_zy[z, y])


@njit(cache=True)  # pragma: no cover - compiled
def count_shuffled(
    x: np.ndarray, y: np.ndarray, n_x: int, starts: np.ndarray, uniform: np.ndarray, table: np.ndarray
) -> None:
    """Permute x in place within each run from starts[z] to starts[z + 1], and count the triples in `table` (n_z n_x, n_y)."""
    for z in range(starts.size - 1):
        first = starts[z]
        for i in range(starts[z + 1] - 1, first - 1, -1):
            j = first + int(uniform[i] * (i - first + 1))
            x[i], x[j] = x[j], x[i]
            table[z * n_x + x[i], y[i]] += 1

"""Information of tables of counts, and conditional information of tables (..., n_z, n_x, n_y): estimate, jackknife,
spread.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from scipy import special, stats

from ...core.numba_jit import njit
from .contingency import LN2
from .entropy import JACKKNIFED, SYMMETRIC, without_one
from .estimators import profile

_GRID = np.linspace(0.0, 7.0, 701) ** 2  # mean counts; above, the variance is that of a chi-square law


def conditional_of_tables(tables: np.ndarray, method: str, limit: float) -> np.ndarray:
    """H(Y | Z) - H(Y | X, Z) in bits of tables (..., n_z, n_x, n_y); `limit` is y's alphabet."""
    tables = np.asarray(tables)
    lead, n_y = tables.shape[:-3], tables.shape[-1]

    def within(rows: np.ndarray) -> np.ndarray:
        """Sum of n times entropy over the rows (..., m, n_y) of each table."""
        flat = rows.reshape(-1, n_y)
        size = flat.sum(-1)
        used = size > 0
        total = np.zeros(size.size)
        total[used] = size[used] * SYMMETRIC[method](profile(flat[used], limit))
        return total.reshape(*lead, -1).sum(-1)

    n = np.maximum(tables.sum((-3, -2, -1)), 1)
    return (within(tables.sum(-2)) - within(tables)) / n


def conditional_without_one(table: np.ndarray, method: str, limit: float) -> np.ndarray:
    """`conditional_of_tables` without one sample of each cell, (n_z, n_x, n_y) bits; NaN if empty."""
    n_z, n_x, n_y = table.shape
    z, x, y = np.nonzero(table)

    def parts(rows: np.ndarray, row: np.ndarray) -> tuple[float, np.ndarray]:
        """Sum of n times entropy over rows, and its change without the sample y of `row`."""
        used = rows.any(axis=1)
        rows, place = rows[used], (np.cumsum(used) - 1)[row]
        size, p = rows.sum(-1), profile(rows, limit)
        h, less = JACKKNIFED[method](p), without_one(method, p)
        change = (size[place] - 1) * less[place, p.place[place, y]] - size[place] * h[place]
        return float(size @ h), change

    above, up = parts(table.sum(1), z)
    below, down = parts(table.reshape(n_z * n_x, n_y), z * n_x + x)
    without = np.full(table.shape, np.nan)
    without[z, x, y] = (above - below + up - down) / max(table.sum() - 1, 1)
    return without


def information_of_tables(tables: np.ndarray, method: str, limit: float | None = None) -> np.ndarray:
    """H(R) - sum_s p(s) H(R | s) in bits of tables (..., n_s, n_r); `limit` is r's alphabet, None for n_r."""
    tables = np.asarray(tables)[..., None, :, :]
    return conditional_of_tables(tables, method, float(tables.shape[-1]) if limit is None else limit)


def informations_without_one(table: np.ndarray, method: str, limit: float | None = None) -> np.ndarray:
    """`information_of_tables` without one sample of each cell, (n_s, n_r) bits; NaN if empty."""
    return conditional_without_one(table[None], method, float(table.shape[1]) if limit is None else limit)[0]


@cache
def _cell_variance() -> np.ndarray:
    """Variance of x ln x of a Poisson count x at the means of the grid, less what x explains."""
    x = np.arange(160)
    f, law = special.xlogy(x, x), stats.poisson.pmf(x, _GRID[:, None])
    mean = law @ f
    explained = (law @ (x * f) - _GRID * mean) ** 2 / np.maximum(_GRID, 1e-300)
    return np.maximum(law @ f**2 - mean**2 - explained, 0.0)


def zero_spread(table: np.ndarray) -> float:
    """SD in bits of plug-in information without any, given the margins of a table (n_s, n_r).

    The variances of x ln x of Poisson counts x, less what x explains, of which the margins leave (1 - 1 / n_s) (1 - 1 /
    n_r) free. Where cells are well filled this is the chi-square law, sqrt((n_s - 1) (n_r - 1) / 2) / (N ln 2).
    """
    by_s, by_r = table.sum(1), table.sum(0)
    by_s, by_r = by_s[by_s > 0], by_r[by_r > 0]
    totals, columns = np.unique(by_r, return_counts=True)
    n = by_s.sum()
    mean = by_s[:, None] * totals / n
    variance = np.interp(mean, _GRID, _cell_variance(), right=0.5) @ columns
    free = (1.0 - 1.0 / by_s.size) * (1.0 - 1.0 / by_r.size)
    return float(math.sqrt(variance.sum() * free) / (n * LN2))


def conditional_spread(table: np.ndarray) -> float:
    """SD in bits of plug-in conditional information without any: `zero_spread` of each z."""
    n_z = table.sum((1, 2))
    each = [n * zero_spread(one) for n, one in zip(n_z, table, strict=True) if n > 1]
    return float(math.hypot(*each) / n_z.sum())


def local_of_counts(table: np.ndarray, z: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """log2 p(y | x, z) / p(y | z) of each sample (n,), by frequencies; in bits."""
    by_zx, by_zy, by_z = table.sum(2), table.sum(1), table.sum((1, 2))
    return np.log2(table[z, x, y] * by_z[z]) - np.log2(by_zx[z, x] * by_zy[z, y])


@njit(cache=True)  # pragma: no cover - compiled
def count_shuffled(
    x: np.ndarray, y: np.ndarray, n_x: int, starts: np.ndarray, uniform: np.ndarray, table: np.ndarray
) -> None:
    """Permute x in place within each run from starts[z], and count the triples in `table`."""
    for z in range(starts.size - 1):
        first = starts[z]
        for i in range(starts[z + 1] - 1, first - 1, -1):
            j = first + int(uniform[i] * (i - first + 1))
            x[i], x[j] = x[j], x[i]
            table[z * n_x + x[i], y[i]] += 1

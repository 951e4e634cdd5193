"""Estimators of transfer entropy: discrete (tables), Gaussian, KSG (neighbours).

Each holds the target y, its context (its own past, the conditions') and the past of x, a row per sample; its `value` in bits, and
`spread`, the SD without any transfer if samples were independent. Blocks of samples go from edges[i] to edges[i + 1].
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise, repeat
from typing import Any

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import digamma

from ...core.errors import NsnnError
from ...core.numba_jit import njit
from ..entropies.contingency import LN2, refuse_large
from ..entropies.extrapolation import PARTITIONS
from ..entropies.information_tables import conditional_of_tables, conditional_spread
from .ksg import SHARED
from .pipeline import CELLS_AT_ONCE, Columns, of_many

Codes = tuple[np.ndarray, int]  # codes (samples,) and their number of symbols
_CLOSEST = 1e-10  # of the variance: what is left of a column that others determine


@njit(cache=True, nogil=True)  # pragma: no cover - compiled
def _count_rotated(place: np.ndarray, x: np.ndarray, shifts: np.ndarray, tables: np.ndarray) -> None:
    """Add cells place + x to tables (n, cells), each trial of x turned by shifts (n, n_trials)."""
    n_trials, m = place.shape
    for i in range(shifts.shape[0]):
        table = tables[i]
        for trial in range(n_trials):
            at, to = place[trial], x[trial]
            shift = shifts[i, trial]
            for t in range(m - shift):
                table[at[t] + to[t + shift]] += 1
            for t in range(m - shift, m):
                table[at[t] + to[t + shift - m]] += 1


class Discrete:
    """Tables of codes: y and context and x's past (samples,) with their numbers of symbols."""

    def __init__(
        self, y: Codes, context: Codes, x: Codes, n_trials: int, bias: str, rng: np.random.Generator
    ) -> None:
        self.bias, self.n = bias, y[0].size
        # random partitions into four parts of equal size, as the part of each sample
        n_partitions = PARTITIONS if bias == "quadratic" else 0
        self.parts = [rng.permutation(np.arange(self.n) % 4) for _ in range(n_partitions)]
        refuse_large({"the past of y and z": context[1], "the past of x": x[1], "y": y[1]}, self.n)
        self.data = Columns({"z": context[0], "x": x[0], "y": y[0]}, (context[1], x[1], y[1]))
        self.cells = self.data.cells()
        self.x = (x[0] * y[1]).astype(np.int32).reshape(n_trials, -1)
        self.place = self.cells.astype(np.int32).reshape(n_trials, -1) - self.x
        self.value = float(self._of_samples([self.cells])[0])
        self.spread = conditional_spread(self.data.table)

    def _of(self, tables: np.ndarray) -> np.ndarray:
        name = "plugin" if self.bias == "quadratic" else self.bias
        return conditional_of_tables(tables.reshape(-1, *self.data.sizes), name, float(self.data.sizes[2]))

    def _of_many(self, tables: Iterable[np.ndarray]) -> np.ndarray:
        return of_many(tables, self._of, self.data.table.size)

    def _of_samples(
        self, samples: Iterable[np.ndarray], taken: Iterable[np.ndarray] | None = None
    ) -> np.ndarray:
        """Estimates of lists of cells, one for each sample (that `taken` lists); "quadratic": as
        `quadratic_extrapolation`.
        """
        size = self.data.table.size
        if not self.parts:
            return self._of_many(np.bincount(cells, minlength=size) for cells in samples)
        rows: Iterable[Any] = repeat(slice(None)) if taken is None else taken

        def tables() -> Iterator[np.ndarray]:
            for cells, row in zip(samples, rows, strict=False):
                for quarter in self.parts:
                    at = quarter[row] * size + cells
                    four = np.bincount(at, minlength=4 * size).reshape(4, size)
                    yield from (four.sum(0), *(four[:2] + four[2:]), *four)

        v = self._of_many(tables()).reshape(-1, 7)
        each = (8.0 * v[:, 0] - 6.0 * v[:, 1:3].mean(1) + v[:, 3:].mean(1)) / 3.0
        return each.reshape(-1, len(self.parts)).mean(1)

    def without(self, edges: np.ndarray) -> np.ndarray:
        """Estimates (n_blocks,) without each block."""
        if self.parts:
            kept = [np.r_[0:a, b : self.n] for a, b in pairwise(edges)]
            return self._of_samples((self.cells[one] for one in kept), kept)
        table = self.data.table.ravel()
        return self._of_many(
            table - np.bincount(self.cells[a:b], minlength=table.size) for a, b in pairwise(edges)
        )

    def resampled(self, edges: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Estimates (m,) with each block taken as often as `times`, (m, n_blocks), says."""
        blocks = [np.arange(a, b) for a, b in pairwise(edges)]
        drawn = [np.concatenate([blocks[i] for i in np.repeat(np.arange(row.size), row)]) for row in times]
        return self._of_samples((self.cells[one] for one in drawn), drawn)

    def null_of_shifts(self, shifts: np.ndarray) -> np.ndarray:
        """Estimates (n,) of circular shifts (n, n_trials), many tables at once."""
        cells = self.data.table.size
        at_once, values = max(1, CELLS_AT_ONCE // cells), [np.empty(0)]
        for first in range(0, len(shifts), at_once):
            tables = np.zeros((len(shifts[first : first + at_once]), cells), dtype=np.int32)
            _count_rotated(self.place, self.x, shifts[first : first + at_once], tables)
            values.append(self._of(tables))
        return np.concatenate(values)

    def null_within(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Estimates of n permutations of x's past among the samples of each context."""
        mixed, tables = self.data.permuted_within(n, rng)
        if self.parts:
            return self._of_samples(mixed.cells() for _ in tables)
        return self._of_many(tables)

    def null(self, orders: Iterable[np.ndarray]) -> np.ndarray:
        """Estimates with x's past taken from the samples of each order."""
        place, x = self.place.ravel(), self.x.ravel()
        return self._of_samples(place + x[order] for order in orders)


class Gaussian:
    """Regression of y (n,) on its context (n, p) and on x's past (n, l) too."""

    def __init__(self, y: np.ndarray, context: np.ndarray, x: np.ndarray, bias: str) -> None:
        self.n, self.bias = y.size, bias
        self.columns = np.column_stack([np.ones(self.n), context, x, y])
        self.lags = x.shape[1]
        self.fixed = 1 + context.shape[1]
        if self.n < self.fixed + self.lags + 2:
            raise NsnnError(
                f"x and y have {self.n} samples for {self.fixed + self.lags} regressors: expected more, or shorter histories"
            )
        q, r = np.linalg.qr(self.columns[:, : self.fixed])
        _refuse_determined(np.abs(np.diag(r)) ** 2, (self.columns[:, : self.fixed] ** 2).sum(0))
        rest = y - q @ (q.T @ y)
        self.basis, self.x, self.gram = np.column_stack([q, rest]), x, x.T @ x
        self.left = float(rest @ rest)
        _refuse_determined(np.array([self.left]), np.array([(y - y.mean()) @ (y - y.mean())]))
        self.value = float(self.null([np.arange(self.n)])[0])
        self.spread = math.sqrt(self.lags / 2) / (self.n * LN2)

    def _excess(self, n: int) -> float:
        """Bias of the plug-in value, bits."""
        if self.bias == "plugin":
            return 0.0
        freedom = (n - self.fixed) / 2
        return float((digamma(freedom) - digamma(freedom - self.lags / 2)) / (2 * LN2))

    def null(self, orders: Iterable[np.ndarray]) -> np.ndarray:
        """Estimates with x's past taken from the samples of each order."""
        products = np.array([self.x[order].T @ self.basis for order in orders]).reshape(
            -1, self.lags, self.basis.shape[1]
        )
        known, target = products[..., :-1], products[..., -1:]
        gram = self.gram - known @ np.swapaxes(known, 1, 2)
        diagonal = np.diagonal(gram, axis1=1, axis2=2)
        _refuse_determined(diagonal, np.broadcast_to(np.diag(self.gram), diagonal.shape))
        explained = (target * np.linalg.solve(gram, target)).sum((1, 2))
        share = np.maximum(1 - explained / self.left, 1e-300)
        return -np.log2(share) / 2 - self._excess(self.n)

    def resampled(self, edges: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Estimates (m,) with each block taken as often as `times`, (m, n_blocks), says."""
        products = np.array([self.columns[a:b].T @ self.columns[a:b] for a, b in pairwise(edges)])
        sums = np.tensordot(times, products, 1)
        sizes = times @ np.diff(edges)
        left = [[_left(one, self.fixed), _left(one, self.fixed + self.lags)] for one in sums]
        excess = [self._excess(int(n)) for n in sizes]
        return -np.diff(np.log2(left), axis=1)[:, 0] / 2 - excess


def _left(products: np.ndarray, used: int) -> float:
    """Sum of squares that the first `used` columns leave of the last."""
    a, b = products[:used, :used], products[:used, -1]
    return float(products[-1, -1] - b @ np.linalg.solve(a, b))


def _refuse_determined(left: np.ndarray, of: np.ndarray) -> None:
    if (left <= _CLOSEST * of).any():
        raise NsnnError(
            "x, y and z: a value is a linear function of others (as of equal series): infinite information; leave one out or add "
            "noise"
        )


class Neighbours:
    """Distances to the k-th neighbour of (y, context, x's past), columns in units of their SD."""

    def __init__(self, y: np.ndarray, context: np.ndarray, x: np.ndarray, n_neighbors: int) -> None:
        self.n, self.k = y.size, n_neighbors
        self.y, self.context, self.x = y[:, None], context, x
        self.with_y = np.hstack([self.y, context])
        self.trees = cKDTree(self.with_y), _tree(context)
        self.terms = self._local(np.arange(self.n))
        self.value = float(self.terms.mean())
        self.spread = math.sqrt((self.terms.var(ddof=1) + SHARED / n_neighbors / LN2**2) / self.n)

    def _local(self, order: np.ndarray) -> np.ndarray:
        """Local terms (n,), bits: psi(k) + psi(n_c + 1) - psi(n_c,x + 1) - psi(n_c,y + 1)."""
        x = self.x[order]
        both = np.hstack([self.with_y, x])
        reach = cKDTree(both).query(both, k=[self.k + 1], p=np.inf)[0][:, 0]
        reach = reach * (1 - 1e-10)  # strictly nearer, whatever the rounding
        with_x = np.hstack([self.context, x])
        total = -digamma(_within(_tree(with_x), with_x, reach))
        total -= digamma(_within(self.trees[0], self.with_y, reach))
        return (digamma(self.k) + total + digamma(_within(self.trees[1], self.context, reach))) / LN2

    def null(self, orders: Iterable[np.ndarray]) -> np.ndarray:
        """Estimates with x's past taken from the samples of each order."""
        return np.array([float(self._local(order).mean()) for order in orders])

    def resampled(self, edges: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Means (m,) of the terms with each block taken `times`, (m, n_blocks)."""
        return (times @ np.add.reduceat(self.terms, edges[:-1])) / (times @ np.diff(edges))


def _tree(points: np.ndarray) -> cKDTree | np.ndarray:
    """A tree, or sorted values of one dimension (faster); empty for no columns."""
    if points.shape[1] == 0:
        return np.empty(0)
    return np.sort(points[:, 0]) if points.shape[1] == 1 else cKDTree(points)


def _within(tree: cKDTree | np.ndarray, points: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Numbers (n,) of points within reach of each, itself included."""
    if points.shape[1] == 0:  # all are at the same place
        return np.full(len(points), len(points))
    if isinstance(tree, np.ndarray):
        at = points[:, 0]
        return np.searchsorted(tree, at + reach, "right") - np.searchsorted(tree, at - reach, "left")
    return tree.query_ball_point(points, reach, p=np.inf, return_length=True)

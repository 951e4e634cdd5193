"""Quadratic extrapolation of plug-in values to infinitely many samples, with its jackknife."""

from __future__ import annotations

import numpy as np
from scipy import special

from ...core.errors import NsnnError
from ...core.numba_jit import njit
from .contingency import LN2

PARTITIONS = 10  # random partitions that are averaged
_WEIGHTS = {1: 8.0 / 3.0, 2: -6.0 / 3.0, 4: 1.0 / 3.0}  # solves v(N) = v + a / N + b / N^2 at N, N / 2, N / 4


@njit(cache=True)  # pragma: no cover - compiled
def deal(
    order: np.ndarray, s: np.ndarray, r: np.ndarray, n_s: int, quarter: np.ndarray, tables: np.ndarray
) -> None:
    """Deals the samples of each stimulus in turn to four parts, in the given order."""
    following = np.arange(n_s) % 4
    for i in order:
        part = following[s[i]]
        following[s[i]] = (part + 1) % 4
        quarter[i] = part
        tables[part, s[i], r[i]] += 1


def refuse_few(n: int, name: str) -> None:
    """NsnnError for fewer samples than can be halved twice."""
    if n < 4:
        raise NsnnError(f"{name} has {n} samples: 'quadratic' halves them twice, so expected at least 4")


def _x_log_x(x: np.ndarray) -> np.ndarray:
    return special.xlogy(x, x)


def _values(tables: np.ndarray, joint: bool) -> np.ndarray:
    """Plug-in information (joint) or entropy of the responses, nats, of tables (m, n_s, n_r)."""
    tables = tables.astype(float)
    n = np.maximum(tables.sum((-1, -2)), 1.0)
    responses = _x_log_x(tables.sum(-2)).sum(-1)
    if not joint:
        return np.log(n) - responses / n
    rest = _x_log_x(tables).sum((-1, -2)) - _x_log_x(tables.sum(-1)).sum(-1)
    return np.log(n) + (rest - responses) / n


def plugin_without_one(tables: np.ndarray, joint: bool) -> np.ndarray:
    """Plug-in information (joint) or entropy of the responses, nats, without one sample of each cell, (m, n_s, n_r); meaningless
    for empty cells.
    """
    tables = tables.astype(float)
    n = tables.sum((-1, -2))[:, None, None]
    less = np.maximum(n - 1.0, 1.0)
    by_r, by_s = tables.sum(-2, keepdims=True), tables.sum(-1, keepdims=True)

    def step(counts: np.ndarray) -> np.ndarray:
        return _x_log_x(counts) - _x_log_x(np.maximum(counts - 1.0, 0.0))

    responses = _x_log_x(by_r).sum(-1, keepdims=True) - step(by_r)
    if not joint:
        return np.broadcast_to(np.log(less) - responses / less, tables.shape)
    cells = _x_log_x(tables).sum((-1, -2), keepdims=True) - step(tables)
    stimuli = _x_log_x(by_s).sum(-2, keepdims=True) - step(by_s)
    return np.log(less) + (cells - stimuli - responses) / less


def quadratic_extrapolation(
    s: np.ndarray, r: np.ndarray, n_s: int, n_r: int, rng: np.random.Generator, joint: bool, jackknife: bool
) -> tuple[float, np.ndarray]:
    """Value in bits at infinitely many samples, [8 v(N) - 6 v(N / 2) + v(N / 4)] / 3, from all, halves and quarters.

    v is a mean over the parts and over 10 partitions that deal the samples of each stimulus evenly: the information
    between codes s and r, int (n,), or, unless `joint`, the entropy of r. With `jackknife` also the values (n,) without
    each sample, else (0,). Source: Strong et al. 1998, doi 10.1103/PhysRevLett.80.197; Panzeri et al. 2007, doi
    10.1152/jn.00559.2007
    """
    n = len(s)
    value, without = 0.0, np.zeros(n if jackknife else 0)
    quarter = np.empty(n, dtype=np.int64)
    for turn in range(PARTITIONS):
        quarters = np.zeros((4, n_s, n_r), dtype=np.int64)
        deal(rng.permutation(n), s, r, n_s, quarter, quarters)
        parts = {2: quarters[:2] + quarters[2:], 4: quarters}
        if turn == 0:
            parts[1] = quarters.sum(0)[None]
        for number, tables in parts.items():
            weight = _WEIGHTS[number] / (1 if number == 1 else PARTITIONS)
            values = _values(tables, joint)
            value += weight * values.mean()
            if jackknife:
                part = quarter % number
                change = plugin_without_one(tables, joint) - values[:, None, None]
                without += weight * (values.mean() + change[part, s, r] / number)
    return float(value / LN2), without / LN2

"""Information in tables (..., K, K) of trials, presented label by decoded label; ties are shared out."""

from __future__ import annotations

import numpy as np


def information(tables: np.ndarray) -> np.ndarray:
    """Plug-in mutual information, bits, of tables (..., K, K)."""
    p = tables / tables.sum(axis=(-2, -1), keepdims=True)
    rows, columns = p.sum(axis=-1), p.sum(axis=-2)
    return _sum_p_log_p(p, 2) - _sum_p_log_p(rows, 1) - _sum_p_log_p(columns, 1)


def miller_madow(tables: np.ndarray) -> np.ndarray:
    """`information` less Miller's (cells - rows - columns + 1) / (2 N ln 2), where not empty.

    With hardly any errors this correction has the wrong sign, so that H(rows) is the limit.
    """
    filled = tables > 0
    cells = filled.sum(axis=(-2, -1))
    rows, columns = filled.any(axis=-1).sum(axis=-1), filled.any(axis=-2).sum(axis=-1)
    n = tables.sum(axis=(-2, -1))
    value = information(tables) - (cells - rows - columns + 1) / (2 * np.log(2) * n)
    return np.minimum(value, -_sum_p_log_p(tables.sum(axis=-1) / n[..., None], 1))


def table_se(table: np.ndarray) -> float:
    """Standard error of the information in one table (K, K), bits: multinomial, by the delta method.

    At independence 2 N ln(2) I is a chi^2 with (K - 1)^2 degrees of freedom, whose SD is added in quadrature. One trial
    is spread evenly over the cells first: an error that wasn't seen isn't impossible.
    """
    n = table.sum() + 1
    p = (table + 1 / table.size) / n
    density = np.log2(p / (p.sum(axis=1, keepdims=True) * p.sum(axis=0, keepdims=True)))
    variance = (p * density**2).sum() - (p * density).sum() ** 2
    freedom = (len(table) - 1) ** 2
    return float(np.sqrt(max(variance, 0.0) / n + freedom / 2 / (n * np.log(2)) ** 2))


def _sum_p_log_p(p: np.ndarray, axes: int) -> np.ndarray:
    return (p * np.log2(np.where(p > 0, p, 1.0))).sum(axis=tuple(range(-axes, 0)))

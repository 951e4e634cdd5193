"""Information in a table of presented and decoded labels.

Tables are (..., K, K) numbers of trials, presented label by decoded label; they need not be whole,
as ties are shared out. The last two axes are one table, the axes before them are carried along.
"""

from __future__ import annotations

import numpy as np


def information(tables: np.ndarray) -> np.ndarray:
    """Plug-in mutual information, bits, of tables (..., K, K).

    >>> information(np.array([[[5, 0], [0, 5]], [[5, 5], [5, 5]]]))
    array([1., 0.])
    """
    p = tables / tables.sum(axis=(-2, -1), keepdims=True)
    rows, columns = p.sum(axis=-1), p.sum(axis=-2)
    return _sum_p_log_p(p, 2) - _sum_p_log_p(rows, 1) - _sum_p_log_p(columns, 1)


def miller_madow(tables: np.ndarray) -> np.ndarray:
    """`information` less (cells - rows - columns + 1) / (2 N ln 2), where not empty.

    Miller's correction of the three entropies (1955); for all cells filled it is (K - 1)^2 / (2 N
    ln 2). Where there are hardly any errors it has the wrong sign, so that H(rows) is the limit.

    >>> (40 * np.log(2) * miller_madow(np.full((2, 2), 5))).round(9).item()
    -1.0
    """
    filled = tables > 0
    cells = filled.sum(axis=(-2, -1))
    rows, columns = filled.any(axis=-1).sum(axis=-1), filled.any(axis=-2).sum(axis=-1)
    n = tables.sum(axis=(-2, -1))
    value = information(tables) - (cells - rows - columns + 1) / (2 * np.log(2) * n)
    return np.minimum(value, -_sum_p_log_p(tables.sum(axis=-1) / n[..., None], 1))


def table_se(table: np.ndarray) -> float:
    """Standard error of the information in one table (K, K), bits.

    That of the multinomial by the delta method, the variance of log2(p / (p_row p_column)) over
    trials, and in quadrature what remains at independence, where 2 N ln(2) I is a chi^2 with (K -
    1)^2 degrees of freedom. One trial is spread evenly over the cells first: an error that wasn't
    seen isn't impossible. The numbers of trials of the labels count as random, although an
    experiment fixes them: that adds the variance between the labels of the information about each,
    nothing where all are decoded equally well.
    """
    n = table.sum() + 1
    p = (table + 1 / table.size) / n
    density = np.log2(p / (p.sum(axis=1, keepdims=True) * p.sum(axis=0, keepdims=True)))
    variance = (p * density**2).sum() - (p * density).sum() ** 2
    freedom = (len(table) - 1) ** 2
    return float(np.sqrt(max(variance, 0.0) / n + freedom / 2 / (n * np.log(2)) ** 2))


def _sum_p_log_p(p: np.ndarray, axes: int) -> np.ndarray:
    return (p * np.log2(np.where(p > 0, p, 1.0))).sum(axis=tuple(range(-axes, 0)))

"""Redundant information of two responses by three definitions, and the four parts.

Each value comes with its scores: the derivative with respect to the probability of each cell of the table, up to a
constant. The mean square of a score over trials, divided by their number, is the variance of an estimate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...entropies.contingency import LN2
from .union_information import TOLERANCE, union_information

MEASURES = ("broja", "i_min", "mmi")


class Parts(NamedTuple):
    """Values of m tables and their derivatives; made by `decompose` and the like."""

    values: np.ndarray  # (m, k) bits
    scores: np.ndarray  # (m, ..., k) bits, derivative by the probability of each cell, up to a constant
    gap: float  # by how much at most a minimum was missed, bits; 0 for closed forms


def _log(x: np.ndarray) -> np.ndarray:
    return np.log2(np.where(x > 0, x, 1.0))


def pointwise(p: np.ndarray) -> np.ndarray:
    """log2 p(s, r) / (p(s) p(r)) of tables (m, S, R) of probabilities, 0 where p is 0."""
    whole = _log(p) - _log(p.sum(2))[:, :, None] - _log(p.sum(1))[:, None, :]
    return np.where(p > 0, whole, 0.0)


def least_specific(tables: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Redundancy I_min of Williams and Beer, sum_s p(s) min_k I(S = s; R_k), in bits (m,), of the laws p(s, r_k), (m, S,
    R_k).

    The scores of a cell are the sum over sources of arrays (m, S, R_k). Source: Williams & Beer 2010, doi
    10.48550/arXiv.1004.2515
    """
    density = [pointwise(p) for p in tables]
    each = np.stack([(p * d).sum(2) for p, d in zip(tables, density, strict=True)])  # (k, m, S), times p(s)
    chosen = each.argmin(0)
    scores = []
    for k, (p, d) in enumerate(zip(tables, density, strict=True)):
        own = (chosen == k)[:, :, None]
        p_r = p.sum(1, keepdims=True)
        share = (p * own).sum(1, keepdims=True) / np.where(p_r > 0, p_r, 1.0)
        scores.append(np.where(own, d, 0.0) - share / LN2)
    return np.maximum(each.min(0).sum(1), 0.0), scores


def decompose(tables: np.ndarray, measure: str, *, tolerance: float = TOLERANCE) -> Parts:
    """The parts redundant, unique_1, unique_2, synergistic, of tables (m, S, R1, R2)."""
    p = tables / np.maximum(tables.sum((1, 2, 3), keepdims=True), 1e-300)
    p1, p2, p_s = p.sum(3), p.sum(2), p.sum((2, 3))
    f1, f2, f12 = pointwise(p1), pointwise(p2), pointwise(p.reshape(*p.shape[:2], -1)).reshape(p.shape)
    one, two, both = (p1 * f1).sum((1, 2)), (p2 * f2).sum((1, 2)), (p * f12).sum((1, 2, 3))
    f1, f2 = f1[..., None], f2[:, :, None, :]
    gap = 0.0
    if measure == "broja":
        union = union_information(p1, p2, tolerance=tolerance)
        gap = float(union.gap.max(initial=0.0))
        redundant = one + two - union.value
        of_union = union.slope_1[..., None] + union.slope_2[:, :, None, :] - _log(p_s)[:, :, None, None]
        score = f1 + f2 - of_union
    elif measure == "i_min":
        redundant, (by_1, by_2) = least_specific([p1, p2])
        score = by_1[..., None] + by_2[:, :, None, :]
    else:
        redundant = np.minimum(one, two)
        score = np.where((one <= two)[:, None, None, None], f1, f2)
    # within the bounds that all parts obey: rounding, and the gap
    redundant = np.clip(redundant, np.maximum(0.0, one + two - both), np.minimum(one, two))
    values = np.stack([redundant, one - redundant, two - redundant, both - one - two + redundant], axis=1)
    scores = np.stack([score + 0 * f12, f1 - score, f2 - score, f12 - f1 - f2 + score], axis=-1)
    return Parts(np.maximum(values, 0.0), scores, gap)

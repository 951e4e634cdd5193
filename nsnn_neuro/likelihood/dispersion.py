"""Fits with a dispersion: coefficients at a given dispersion, and the dispersion at given means, in turn until both stay.

The expected information of both is 0, so that few turns are needed. The dispersion is 0 where no other makes the counts likelier.

Source: Lawless 1987, doi 10.2307/3314912
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from ..core.errors import NsnnError
from . import fisher_scoring
from .data import Data
from .model import NeuronModel
from .prior import Prior
from .responses import Counts, NegativeBinomial, Value

_GRID = np.log(10.0) * np.arange(-8, 7)  # log dispersion, where the likelihood is looked at first
_MOST_TURNS, _DONE = 50, 1e-8  # relative change of the dispersion


def maximise(
    model: NeuronModel, data: Data, prior: Prior, near: np.ndarray | None = None
) -> tuple[np.ndarray, Value, np.ndarray, int]:
    """`fisher_scoring.maximise`; a fitted dispersion is the last parameter, and has no row in value and penalty."""
    if not model.fits_dispersion:
        return fisher_scoring.maximise(model, data, prior, near)
    d, p, total = (0.0, None, 0) if near is None else (float(near[-1]), near[:-1], 0)
    for _ in range(_MOST_TURNS):
        fixed = model.at_dispersion(d)
        p, value, penalty, count = fisher_scoring.maximise(fixed, data, prior, p)
        total += count
        new = best_dispersion(value.potential[data.free], data.o[data.free], d)
        if abs(new - d) <= _DONE * d:
            return np.append(p, d), value, penalty, total
        d = new
    raise NsnnError(
        f"family = {model.family!r}: the dispersion still changes near {d:.3g}; give it a value, NegativeBinomial({d:.2g}), or "
        "pass ridge=1.0"
    )


def best_dispersion(a: np.ndarray, o: np.ndarray, near: float = 0.0) -> float:
    """The dispersion that makes counts o (n,) with means exp(a) most likely, near a given one above 0."""

    def slope(log_d: float) -> float:
        return float(_at(np.exp(log_d), a, o).by_dispersion[0].sum())

    for width in (0.05, 1.0) if near > 0 else ():
        low, high = np.log(near) - width, np.log(near) + width
        if slope(low) > 0 > slope(high):
            return float(np.exp(brentq(slope, low, high, xtol=1e-12)))
    heights = [float(_at(np.exp(one), a, o).log_likelihood.sum()) for one in _GRID]
    best = int(np.argmax(heights))
    low, high = _GRID[max(best - 1, 0)], _GRID[min(best + 1, len(_GRID) - 1)]
    rises, falls = slope(low) > 0, slope(high) < 0
    if not falls:
        raise NsnnError(
            "family = NegativeBinomial(): the likelihood grows with the dispersion without end; take longer steps dt, or give it "
            "a value"
        )
    if not rises or max(heights) < float(_at(0.0, a, o).log_likelihood.sum()):
        return 0.0
    return float(np.exp(brentq(slope, low, high, xtol=1e-12)))


def covariance_with(d: float, value: Value, penalty: np.ndarray) -> np.ndarray | None:
    """The inverse of the observed information of coefficients and dispersion; None when it is singular.

    At the end 0 of its range the dispersion has the variance of its score there, without a covariance."""
    assert value.curvature is not None
    first, k = value.curvature + penalty, len(penalty)
    joint = np.zeros((k + 1, k + 1))
    joint[:k, :k], free = first, value.data.free
    seen = _at(d, value.potential, value.data.o)
    if d > 0:
        _, second, mixed = (np.where(free, one, 0.0) for one in seen.by_dispersion)
        joint[k, :k] = joint[:k, k] = -(mixed @ value.traces)
        joint[k, k] = -second.sum()
    else:
        joint[k, k] = 0.5 * np.sum(seen.rate[free] ** 2)
    return fisher_scoring.inverse(joint)


def _at(d: float, a: np.ndarray, o: np.ndarray) -> Counts:
    return Counts(NegativeBinomial(float(d)), a, o)

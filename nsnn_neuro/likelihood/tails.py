"""log F, log(1 - F) and the ratios f / F, f / (1 - F) of escape families, finite and exact far in both tails."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

from ..escape import Family, Gaussian, Logistic

__all__ = ["Terms", "terms"]


class Terms(NamedTuple):
    """What the likelihood needs of F at x, arrays of the shape of x; ratios in 1/unit of x."""

    log_spike: np.ndarray
    """log F"""
    log_silence: np.ndarray
    """log(1 - F)"""
    up: np.ndarray
    """f / F, the derivative of log F"""
    down: np.ndarray
    """f / (1 - F), minus the derivative of log(1 - F)"""


def terms(family: Family, x: np.ndarray) -> Terms:
    """The terms of `family` at x.

    >>> far = terms(Gaussian(1.0), np.array([-1000.0, 1000.0]))
    >>> far.log_spike.round(3).tolist(), far.up.round(6).tolist()
    ([-500007.827, -0.0], [1000.001, 0.0])
    """
    return _SAFE.get(type(family), _generic)(family, x)


def _gaussian(family: Family, x: np.ndarray) -> Terms:
    sigma = family.si("sigma")
    z = x / sigma
    front = np.sqrt(2 / np.pi) / sigma  # phi(z) / Phi(z) = sqrt(2 / pi) / erfcx(-z / sqrt2)
    up, down = (front / special.erfcx(-s * z / np.sqrt(2)) for s in (1, -1))
    return Terms(special.log_ndtr(z), special.log_ndtr(-z), up, down)


def _logistic(family: Family, x: np.ndarray) -> Terms:
    scale = family.si("s")
    z = x / scale
    return Terms(
        special.log_expit(z), special.log_expit(-z), special.expit(-z) / scale, special.expit(z) / scale
    )


def _generic(family: Family, x: np.ndarray) -> Terms:
    """From cdf and pdf alone; 1 - F is F(-x) where the density is even, so that neither tail is lost to rounding."""
    spike, density = family.cdf(x), family.pdf(x)
    probe = np.array([0.0, 0.3, 2.0]) / float(np.max(family.pdf(0.0)) or 1.0)
    even = np.max(np.abs(family.cdf(probe) + family.cdf(-probe) - 1)) < 1e-12
    silence = family.cdf(-x) if even else 1 - spike
    logs, ratios = [], []
    for q in (spike, silence):
        logs.append(np.log(q, out=np.full(q.shape, -np.inf), where=q > 0))
        ratios.append(np.divide(density, q, out=np.zeros(q.shape), where=q > 0))
    return Terms(logs[0], logs[1], ratios[0], ratios[1])


_SAFE: dict[type[Family], Callable[[Family, np.ndarray], Terms]] = {Gaussian: _gaussian, Logistic: _logistic}

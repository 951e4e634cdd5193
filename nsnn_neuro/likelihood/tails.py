"""log F, log(1 - F) and their first and second derivatives for escape families, finite and exact far in both tails."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

from ..models.escape import Cauchy, Family, FastSigmoid, Gaussian, Logistic, Triangular

__all__ = ["Terms", "bends", "terms"]

_FAR_TAIL = 1e4  # standard deviations; beyond, the curvature of log F is 1 - 1/z^2 to rounding


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


def bends(family: Family, x: np.ndarray, found: Terms) -> tuple[np.ndarray, np.ndarray] | None:
    """-(log F)'' and -(log(1 - F))'' at x, in 1/unit of x squared; `found` are the terms there.

    None where f' isn't known, and for the uniform density: its jumps put corners into the likelihood, where the curvature is
    infinite. The expected information grows there.

    With f' the slope of the density they are (f / F)^2 - f' / F and (f / (1 - F))^2 + f' / (1 - F). Both are at least 0 for a
    log-concave density, and may be negative for Cauchy's and the fast sigmoid's.

    >>> x = np.array([-1000.0, 0.0, 1000.0])
    >>> [b.round(6).tolist() for b in bends(Gaussian(1.0), x, terms(Gaussian(1.0), x))]
    [[0.999999, 0.63662, 0.0], [0.0, 0.63662, 0.999999]]
    """
    if isinstance(family, Gaussian):
        sigma = family.si("sigma")
        return _gaussian_bend(x / sigma, found.up, sigma), _gaussian_bend(-x / sigma, found.down, sigma)
    if isinstance(family, Logistic):
        both = found.up * found.down
        return both, both
    slope = _SLOPES.get(type(family))
    if slope is None:
        return None
    relative = slope(family, x)  # f' / f
    return found.up**2 - relative * found.up, found.down**2 + relative * found.down


def _gaussian_bend(z: np.ndarray, ratio: np.ndarray, sigma: float) -> np.ndarray:
    """r (r + z) with r = phi(z) / Phi(z), which goes to 1 for z to -inf, where the sum loses its digits."""
    far = z < -_FAR_TAIL
    near = np.where(far, 0.0, z)
    value = sigma * ratio * (sigma * ratio + near)
    return np.where(far, 1.0 - 1.0 / np.where(far, z, 1.0) ** 2, np.clip(value, 0.0, 1.0)) / sigma**2


def _triangular_slope(family: Family, x: np.ndarray) -> np.ndarray:
    a = family.si("a")
    rest = a - np.abs(x)
    return np.divide(-np.sign(x), rest, out=np.zeros(x.shape), where=rest > 0)


_SLOPES: dict[type[Family], Callable[[Family, np.ndarray], np.ndarray]] = {
    Cauchy: lambda family, x: -2 * x / (family.si("g") ** 2 + x**2),
    FastSigmoid: lambda family, x: -2 * np.sign(x) / (1 / family.si("b") + np.abs(x)),
    Triangular: _triangular_slope,
}
"""f' / f of families, in 1/unit of x"""

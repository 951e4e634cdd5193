"""Log-odds of a spike and log-probabilities in both tails of an escape family, exact far from threshold.

`tails`, `log_odds` and `curvature` compute them in NumPy; `log_odds_text` writes the same formula in Brian2's syntax.

With F the family's distribution function and f its density, the log-odds are log F - log(1 - F) and their derivative is
f / F + f / (1 - F) = f / (F (1 - F)). Far from threshold F or 1 - F rounds to 0 or 1. So the Gaussian is computed from its scaled
tail e = erfcx(abs(z) / sqrt(2)): with g = exp(-z^2 / 2) the smaller tail is e g / 2, the larger 1 - e g / 2, and phi over the tail
is sqrt(2 / pi) / e or sqrt(2 / pi) g / (2 - e g). Other families take 1 - F = F(-x) where the density is even.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..core import special
from ..core.parameters import substitute
from .escape import Cauchy, Family, FastSigmoid, Gaussian, Logistic, Triangular

_FRONT, _SQRT2 = float(np.sqrt(2 / np.pi)), float(np.sqrt(2))
_FAR_TAIL = 1e4  # standard deviations; beyond, the curvature of log F is 1 - 1/z^2 to rounding


class Tails(NamedTuple):
    """Log-probabilities of a spike and of silence at x, and their slopes: arrays of the shape of x."""

    log_spike: np.ndarray
    """log F"""
    log_silence: np.ndarray
    """log(1 - F)"""
    up: np.ndarray
    """f / F, the derivative of log F, in 1/unit of x"""
    down: np.ndarray
    """f / (1 - F), minus the derivative of log(1 - F), in 1/unit of x"""


def tails(family: Family, x: np.ndarray) -> Tails:
    """log F, log(1 - F) and their slopes at x, in the unit of x of `family`.

    >>> far = tails(Gaussian(1.0), np.array([-1000.0, 1000.0]))
    >>> far.log_spike.round(3).tolist(), far.up.round(6).tolist()
    ([-500007.827, -0.0], [1000.001, 0.0])
    """
    if isinstance(family, Gaussian):
        sigma = family.si("sigma")
        logs, ratios = zip(*_gaussian_tails(x / sigma, (True, False)), strict=True)
        return Tails(*logs, *(ratio / sigma for ratio in ratios))
    if isinstance(family, Logistic):
        scale = family.si("s")
        z = x / scale
        return Tails(
            special.log_expit(z), special.log_expit(-z), special.expit(-z) / scale, special.expit(z) / scale
        )
    spike, density = family.cdf(x), family.pdf(x)
    silence = family.cdf(-x) if _is_even(family) else 1 - spike
    logs, ratios = [], []
    for q in (spike, silence):
        logs.append(np.log(q, out=np.full(q.shape, -np.inf), where=q > 0))
        ratios.append(np.divide(density, q, out=np.zeros(q.shape), where=q > 0))
    return Tails(logs[0], logs[1], ratios[0], ratios[1])


def observed(family: Family, x: np.ndarray, o: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-probability of o (0 or 1, broadcast to x) at x, and its derivative: f / F for a spike, -f / (1 - F) for silence.

    For Gaussian and logistic noise this takes one tail in place of two.

    >>> value, slope = observed(Logistic(1.0), np.array([2.0, 2.0]), np.array([1, 0]))
    >>> value.round(4).tolist(), slope.round(4).tolist()
    ([-0.1269, -2.1269], [0.1192, -0.8808])
    """
    sign = np.where(o, 1.0, -1.0)
    if isinstance(family, Gaussian):
        sigma = family.si("sigma")
        ((value, ratio),) = _gaussian_tails(sign * (x / sigma), (True,))
        return value, sign * ratio / sigma
    if isinstance(family, Logistic):
        scale = family.si("s")
        z = sign * (x / scale)
        return special.log_expit(z), sign * special.expit(-z) / scale
    at = tails(family, x)
    return np.where(o, at.log_spike, at.log_silence), np.where(o, at.up, -at.down)


def log_odds(family: Family, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The log-odds of a spike, log(F / (1 - F)), and their derivative f / (F (1 - F)) at x.

    Where a spike is impossible or certain the log-odds are infinite; the derivative is then one of the tails', or 0.

    >>> odds, slope = log_odds(Logistic(2.0), np.array([-4000.0, 1.0]))
    >>> odds.tolist(), slope.tolist()
    ([-2000.0, 0.5], [0.5, 0.5])
    """
    at = tails(family, x)
    return at.log_spike - at.log_silence, at.up + at.down


def _inverse_mills(z: np.ndarray) -> np.ndarray:
    """phi(z) / Phi(z)."""
    return np.asarray(_FRONT / special.erfcx(-z / _SQRT2))


def _gaussian_tails(z: np.ndarray, below: tuple[bool, ...]) -> list[tuple[np.ndarray, np.ndarray]]:
    """log Phi(z) and phi / Phi(z), or, where not `below`, log(1 - Phi(z)) and phi / (1 - Phi(z))."""
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        e, half = special.erfcx(np.abs(z) / _SQRT2), 0.5 * z * z
        g = np.exp(-half)
        smaller = e * g
        small = np.log(0.5 * e) - half, _FRONT / e
        large = np.log1p(-0.5 * smaller), _FRONT * g / (2.0 - smaller)
    result = []
    for side in below:
        low = z < 0 if side else z > 0
        result.append((np.where(low, small[0], large[0]), np.where(low, small[1], large[1])))
    return result


def _is_even(family: Family) -> bool:
    """Whether F(-x) = 1 - F(x) at probes near and far from 0."""
    x = np.array([0.3, 2.0])[:, None] / (float(np.max(family.pdf(0.0))) or 1.0)
    return bool(np.max(np.abs(family.cdf(x) + family.cdf(-x) - 1)) < 1e-12)


# --- the same as text ---


class CompiledFunction(NamedTuple):
    """A function that text calls: of one float, in NumPy, and as Cython code."""

    numpy: Callable[[np.ndarray], np.ndarray]
    cython: str


_GAUSSIAN = {
    "gaussian_odds": CompiledFunction(
        lambda z: special.log_ndtr(z) - special.log_ndtr(-z),
        """
from scipy.special.cython_special cimport log_ndtr
cdef double gaussian_odds(double z):
    return log_ndtr(<double>z) - log_ndtr(<double>-z)
""",
    ),
    "gaussian_slope": CompiledFunction(
        lambda z: _inverse_mills(z) + _inverse_mills(-z),
        f"""
from scipy.special.cython_special cimport erfcx
cdef double gaussian_slope(double z):
    z = z / {_SQRT2!r}
    return {_FRONT!r} / erfcx(-z) + {_FRONT!r} / erfcx(z)
""",
    ),
}


def log_odds_text(
    family: Family, x: str, names: dict[str, str]
) -> tuple[list[str], dict[str, CompiledFunction]]:
    """`log_odds` in Brian2's syntax: lines that set `odds` and `f`, the derivative, at x, and the functions that they call.

    x : text of the distance from threshold
    names : parameter of the family -> its name in the text

    >>> log_odds_text(Logistic(2.0), "x", {"s": "scale"})
    (['odds = x / scale', 'f = 1.0 / scale'], {})
    """
    if isinstance(family, Gaussian):
        s = names["sigma"]
        return [f"odds = gaussian_odds({x} / {s})", f"f = gaussian_slope({x} / {s}) / {s}"], _GAUSSIAN
    if isinstance(family, Logistic):
        return [f"odds = {x} / {names['s']}", f"f = 1.0 / {names['s']}"], {}
    spike, silence = (substitute(family.cdf_text, names | {"x": at}) for at in (f"({x})", f"(-{x})"))
    return [
        f"p = {spike}",
        f"q = {silence if _is_even(family) else '1 - p'}",
        "odds = log(p) - log(q)",
        "possible = int(p * q > 0)",
        f"f = possible * ({substitute(family.pdf_text, names | {'x': f'({x})'})}) / (p * q + (1 - possible))",
    ], {}


# --- curvature ---


def curvature(family: Family, x: np.ndarray, at: Tails) -> tuple[np.ndarray, np.ndarray] | None:
    """-(log F)'' and -(log(1 - F))'' at x, in 1/unit of x squared; `at` are the tails there.

    None where f' isn't known, and for the uniform density: its jumps put corners into the likelihood, where the curvature is
    infinite. Use the expected information there.

    With f' the slope of the density they are (f / F)^2 - f' / F and (f / (1 - F))^2 + f' / (1 - F). Both are at least 0 for a
    log-concave density, and may be negative for Cauchy's and the fast sigmoid's.

    >>> x = np.array([-1000.0, 0.0, 1000.0])
    >>> [b.round(6).tolist() for b in curvature(Gaussian(1.0), x, tails(Gaussian(1.0), x))]
    [[0.999999, 0.63662, 0.0], [0.0, 0.63662, 0.999999]]
    """
    if isinstance(family, Gaussian):
        sigma = family.si("sigma")
        return _gaussian_curvature(x / sigma, at.up, sigma), _gaussian_curvature(-x / sigma, at.down, sigma)
    if isinstance(family, Logistic):
        both = at.up * at.down
        return both, both
    slope = _SLOPES.get(type(family))
    if slope is None:
        return None
    relative = slope(family, x)  # f' / f
    return at.up**2 - relative * at.up, at.down**2 + relative * at.down


def gaussian_curvature(family: Gaussian, x: np.ndarray, o: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """`curvature` of what was observed: -(log F)'' where o, else -(log(1 - F))''; `slope` is that of `observed`.

    >>> x, o = np.array([-1.0, 2.0]), np.array([True, False])
    >>> each = curvature(Gaussian(0.5), x, tails(Gaussian(0.5), x))
    >>> bool(np.all(np.where(o, *each) == gaussian_curvature(Gaussian(0.5), x, o, observed(Gaussian(0.5), x, o)[1])))
    True
    """
    sign, sigma = np.where(o, 1.0, -1.0), family.si("sigma")
    return _gaussian_curvature(sign * (x / sigma), sign * slope, sigma)


def _gaussian_curvature(z: np.ndarray, ratio: np.ndarray, sigma: float) -> np.ndarray:
    """r (r + z) with r = phi(z) / Phi(z), which goes to 1 for z to -inf, where the sum loses its digits."""
    scaled = sigma * ratio
    far = z < -_FAR_TAIL
    if not np.any(far):
        return np.clip(scaled * (scaled + z), 0.0, 1.0) / sigma**2
    value = scaled * (scaled + np.where(far, 0.0, z))
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

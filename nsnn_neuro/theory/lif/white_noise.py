"""Leaky integrate-and-fire neuron in white noise: rate, CV, and the effect of a time grid on the threshold."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from scipy import special
from scipy.interpolate import BSpline, make_interp_spline

from ...core.aliases import Time, Voltage
from ..arguments import Problem, expect, out, problem, times, voltages

_ZETA = 0.5825971579390107  # -zeta(1/2) / sqrt(2 pi)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_PANELS = 30


def _panels(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights on [low, high], a trailing axis of equal panels."""
    edges = np.linspace(low, high, _PANELS + 1, axis=-1)
    middle, half = (edges[..., 1:] + edges[..., :-1]) / 2, (edges[..., 1:] - edges[..., :-1]) / 2
    nodes = (middle[..., None] + half[..., None] * _NODES).reshape(*low.shape, -1)
    return nodes, (half[..., None] * _WEIGHTS).reshape(*low.shape, -1)


def _quadrature(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for integrands that grow like exp(2 x^2) above 0 and fall like 1/x below.

    Panels are equal in asinh(x) below 0 and in x + x^2 / 2 above, which resolves both sides at any range.
    """
    z, weight = _panels(np.arcsinh(np.minimum(low, 0.0)), np.arcsinh(np.minimum(high, 0.0)))
    bottom, top = np.maximum(low, 0.0), np.maximum(high, 0.0)
    y, lifted = _panels(bottom * (1 + bottom / 2), top * (1 + top / 2))
    x = np.sqrt(1 + 2 * y) - 1
    return np.concatenate([np.sinh(z), x], axis=-1), np.concatenate(
        [weight * np.cosh(z), lifted / (1 + x)], axis=-1
    )


def _first_passage(p: Problem) -> np.ndarray:
    """Mean first-passage time from v_reset to v_thresh in units of tau, infinite where it overflows."""
    x, weights = _quadrature(*p.limits())
    with np.errstate(over="ignore"):
        noisy = np.sqrt(np.pi) * np.sum(weights * special.erfcx(-x), axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        deterministic = np.where(p.mu > p.theta, np.log((p.mu - p.reset) / (p.mu - p.theta)), np.inf)
    return np.where(p.sigma > 0, noisy, deterministic)


def siegert_rate(
    mu: Voltage, sigma: Voltage, *, tau_m: Time, v_thresh: Voltage, v_reset: Voltage, tau_refrac: Time
) -> Any:
    """Stationary firing rate of an LIF neuron in white noise, in Hz.

    1/r = tau_refrac + tau_m sqrt(pi) int_a^b exp(x^2) (1 + erf x) dx,
    a = (v_reset - mu) / sigma_B, b = (v_thresh - mu) / sigma_B, sigma_B = sqrt(2) sigma

    Parameters
    ----------
    mu : mean of the free membrane, v_rest + drive
    sigma : standard deviation of the free membrane, >= 0; at 0 the deterministic rate
    tau_m, tau_refrac : times; v_thresh, v_reset : voltages. All broadcast. With plain numbers for all arguments the rate is in
        1 / the unit of tau_m: in 1/ms for tau_m=20 in ms

    Source: Siegert 1951, doi 10.1103/PhysRev.81.617; Brunel 2000, eq. 21, doi 10.1023/A:1008925309027

    >>> from brian2 import mV, ms
    >>> rate = siegert_rate(20*mV, 5*mV/2**.5, tau_m=20*ms, v_thresh=20*mV, v_reset=10*mV, tau_refrac=2*ms)
    >>> round(rate, 6)
    27.340567
    """
    p = problem(mu, sigma, tau_m=tau_m, v_thresh=v_thresh, v_reset=v_reset, tau_refrac=tau_refrac)
    return out(1 / (p.refrac + p.tau * _first_passage(p)))


def siegert_gain(
    mu: Voltage, sigma: Voltage, *, tau_m: Time, v_thresh: Voltage, v_reset: Voltage, tau_refrac: Time
) -> Any:
    """Slope of Siegert's rate, dr/dmu, in Hz per voltage.

    dr/dmu = r^2 tau_m sqrt(pi) / sigma_B [g(b) - g(a)], g(x) = exp(x^2) (1 + erf x), limits and arguments as in `siegert_rate`

    Source: derivative of Siegert's formula; Brunel 2000, eq. 21, doi 10.1023/A:1008925309027

    >>> gain = siegert_gain(0.8, 0.4 / 2**.5, tau_m=1.0, v_thresh=1.0, v_reset=0.0, tau_refrac=0.0)
    >>> round(gain, 6)
    0.854158
    """
    p = problem(mu, sigma, tau_m=tau_m, v_thresh=v_thresh, v_reset=v_reset, tau_refrac=tau_refrac)
    rate = 1 / (p.refrac + p.tau * _first_passage(p))
    low, high = p.limits()
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        noisy = np.sqrt(np.pi / 2) / p.sigma * (special.erfcx(-high) - special.erfcx(-low))
        deterministic = 1 / (p.mu - p.theta) - 1 / (p.mu - p.reset)
        gain = rate**2 * p.tau * np.where(p.sigma > 0, noisy, deterministic)
    return out(np.where(rate > 0, gain, 0.0))


def siegert_cv(
    mu: Voltage, sigma: Voltage, *, tau_m: Time, v_thresh: Voltage, v_reset: Voltage, tau_refrac: Time
) -> Any:
    """Coefficient of variation of the interspike intervals of an LIF neuron in white noise.

    CV^2 = 2 pi (r tau_m)^2 int_a^b exp(x^2) int_-inf^x exp(y^2) (1 + erf y)^2 dy dx, limits and arguments as in `siegert_rate`

    Source: Brunel 2000, appendix, doi 10.1023/A:1008925309027

    >>> from brian2 import mV, ms
    >>> cv = siegert_cv(20*mV, 5*mV/2**.5, tau_m=20*ms, v_thresh=20*mV, v_reset=10*mV, tau_refrac=2*ms)
    >>> round(cv, 6)
    0.582636
    """
    p = problem(mu, sigma, tau_m=tau_m, v_thresh=v_thresh, v_reset=v_reset, tau_refrac=tau_refrac)
    x, weights = _quadrature(*p.limits())
    with np.errstate(over="ignore", invalid="ignore"):
        variance = 2 * np.pi * np.sum(weights * _inner(x), axis=-1)
        mean = p.refrac / p.tau + _first_passage(p)
        cv = np.sqrt(variance) / mean
    cv = np.where(np.isfinite(variance) & np.isfinite(mean), cv, 1.0)  # rare escapes are a Poisson process
    cv = np.where(p.sigma > 0, cv, np.where(p.mu > p.theta, 0.0, np.nan))
    return out(cv)


def _inner_direct(x: np.ndarray) -> np.ndarray:
    """exp(x^2) int_-inf^x exp(y^2) (1 + erf y)^2 dy by quadrature, x one-dimensional.

    Up to 0, with y = x - s and 1 + erf y = exp(-y^2) erfcx(-y), it is the integral of exp(2 x s - s^2) erfcx(s - x)^2 over s > 0,
    which is negligible beyond 9 / max(1, |x| / 2.5). The rest, from 0 to x, is integrated directly.
    """
    negative, positive = np.minimum(x, 0.0), np.maximum(x, 0.0)
    s, weight = _panels(np.zeros_like(x), 9.0 / np.maximum(1.0, -x / 2.5))
    start = negative[:, None]
    below = np.sum(weight * np.exp(2 * start * s - s**2) * special.erfcx(s - start) ** 2, axis=-1)
    z, weight = _panels(np.zeros_like(x), positive * (1 + positive / 2))
    y = np.sqrt(1 + 2 * z) - 1
    above = np.sum(weight / (1 + y) * np.exp(y**2) * (1 + special.erf(y)) ** 2, axis=-1)
    return np.exp(positive**2) * (below + above)


@functools.cache
def _inner_spline() -> tuple[BSpline, float, float]:
    z = np.linspace(-12.0, np.arcsinh(18.0), 2000)
    return make_interp_spline(z, np.log(_inner_direct(np.sinh(z))), k=7), z[0], z[-1]


def _inner(x: np.ndarray) -> np.ndarray:
    """`_inner_direct` from a table of its logarithm over asinh(x), relative error below 1e-10; infinite above x = 18.

    Below the table, x < -8e4, where the noise is weak, it is 1 / (2 pi |x|^3): the slope over asinh(x) is 3.
    """
    spline, low, high = _inner_spline()
    z = np.arcsinh(x)
    inside = np.clip(z, low, high)
    return np.where(z > high, np.inf, np.exp(spline(inside) + 3 * np.minimum(z - low, 0.0)))


def discrete_threshold(v_thresh: Voltage, sigma: Voltage, *, tau_m: Time, dt: Time) -> Any:
    """Effective threshold of a neuron whose threshold is checked once per dt: v_thresh + 0.582597 sigma sqrt(2 dt / tau_m).

    First order in sqrt(dt / tau_m). With it `siegert_rate` predicts a simulation without the bridge. SI float.

    Parameters
    ----------
    v_thresh, sigma : voltages, or both plain; tau_m, dt : times, or both plain. All broadcast

    Source: Chernoff 1965; Broadie, Glasserman & Kou 1997, doi 10.1111/1467-9965.00035

    >>> round(discrete_threshold(20.0, 5.0 / 2**.5, tau_m=20.0, dt=0.1), 4)
    20.206
    """
    theta, deviation = voltages(v_thresh=v_thresh, sigma=sigma)
    tau, step = times(tau_m=tau_m, dt=dt)
    expect(deviation >= 0, "sigma >= 0", sigma=sigma)
    expect(tau > 0, "tau_m > 0", tau_m=tau_m)
    expect(step >= 0, "dt >= 0", dt=dt)
    return out(theta + _ZETA * deviation * np.sqrt(2 * step / tau))

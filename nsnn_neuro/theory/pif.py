"""The perfect integrator in white noise: tau_m dV = mu dt + sigma sqrt(2 tau_m) dW. Its intervals are inverse-Gaussian."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arguments import arguments, out, plain, times

__all__ = ["pif_cv", "pif_interval_density", "pif_rate"]


def pif_interval_density(
    t: Any, mu: Any, sigma: Any, *, tau_m: Any, v_thresh: Any, v_reset: Any, tau_refrac: Any
) -> Any:
    """Density of the interspike interval of a perfect integrator in white noise at t, in 1/time.

    p = d / sqrt(4 pi sigma^2 u^3 / tau_m) exp(-(d - mu u / tau_m)^2 tau_m / (4 sigma^2 u)),
    d = v_thresh - v_reset, u = t - tau_refrac

    Parameters
    ----------
    t : time; 0 where t <= tau_refrac
    mu : drive; below 0 the density integrates to the probability exp(mu d / sigma^2) that a spike ever comes
    sigma : noise as for `WhiteNoise`, >= 0 (0: the density is nan at its only point, 0 elsewhere)
    tau_m, tau_refrac : times; v_thresh, v_reset : voltages. All broadcast

    Source: Schroedinger 1915; Gerstein & Mandelbrot 1964, doi 10.1016/S0006-3495(64)86768-0

    >>> p = pif_interval_density(1.0, 1.0, 0.5, tau_m=1.0, v_thresh=1.0, v_reset=0.0, tau_refrac=0.0)
    >>> round(p, 6)    # 1 / sqrt(4 pi sigma^2)
    0.56419
    """
    times(t=t, tau_m=tau_m)
    mu, sigma, tau, refrac, theta, reset = arguments(mu, sigma, tau_m, v_thresh, v_reset, tau_refrac)
    u = (plain(t, "t") - refrac) / tau
    late = u > 0
    u = np.where(late, u, 1.0)
    distance = theta - reset
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = -((distance - mu * u) ** 2) / (4 * sigma**2 * u)
        density = distance / np.sqrt(4 * np.pi * sigma**2 * u**3) * np.exp(exponent) / tau
    quiet = np.where(distance == mu * u, np.nan, 0.0)
    return out(np.where(late, np.where(sigma > 0, density, quiet), 0.0))


def pif_rate(mu: Any, sigma: Any, *, tau_m: Any, v_thresh: Any, v_reset: Any, tau_refrac: Any) -> Any:
    """Firing rate of a perfect integrator, in Hz: the inverse of its mean interval. Noise leaves it as it is.

    1/r = tau_refrac + tau_m (v_thresh - v_reset) / mu; 0 for mu <= 0. Arguments as in `pif_interval_density`.

    Source: Gerstein & Mandelbrot 1964, doi 10.1016/S0006-3495(64)86768-0

    >>> pif_rate(2.0, 0.5, tau_m=1.0, v_thresh=1.0, v_reset=0.0, tau_refrac=0.5)
    1.0
    """
    mu, _, tau, refrac, theta, reset = arguments(mu, sigma, tau_m, v_thresh, v_reset, tau_refrac)
    driven = mu > 0
    return out(np.where(driven, 1 / (refrac + tau * (theta - reset) / np.where(driven, mu, 1.0)), 0.0))


def pif_cv(mu: Any, sigma: Any, *, tau_m: Any, v_thresh: Any, v_reset: Any, tau_refrac: Any) -> Any:
    """Coefficient of variation of a perfect integrator's intervals; nan for mu <= 0, where they have no mean.

    CV = r tau_m sqrt(2 sigma^2 d / mu^3), d = v_thresh - v_reset. Arguments as in `pif_interval_density`.

    Source: Gerstein & Mandelbrot 1964, doi 10.1016/S0006-3495(64)86768-0

    >>> pif_cv(2.0, 0.5, tau_m=1.0, v_thresh=1.0, v_reset=0.0, tau_refrac=0.0)
    0.5
    """
    mu, sigma, tau, refrac, theta, reset = arguments(mu, sigma, tau_m, v_thresh, v_reset, tau_refrac)
    driven = mu > 0
    drive, distance = np.where(driven, mu, 1.0), theta - reset
    cv = np.sqrt(2 * sigma**2 * distance / drive**3) / (refrac / tau + distance / drive)
    return out(np.where(driven, cv, np.nan))

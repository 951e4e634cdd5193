"""The perfect integrator in white noise: tau_m dV = mu dt + sigma sqrt(2 tau_m) dW. Its intervals are inverse-Gaussian."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.aliases import Time, Voltage
from .arguments import out, plain, problem, times


def pif_interval_density(
    t: Any, mu: Voltage, sigma: Voltage, *, tau_m: Time, v_thresh: Voltage, v_reset: Voltage, tau_refrac: Time
) -> Any:
    """Density of the interspike interval of a perfect integrator in white noise, in 1/time.

    p = d / sqrt(4 pi sigma^2 u^3 / tau_m) exp(-(d - mu u / tau_m)^2 tau_m / (4 sigma^2 u)),
    d = v_thresh - v_reset, u = t - tau_refrac

    Parameters
    ----------
    t : time; 0 where t <= tau_refrac
    mu : drive; for mu < 0 the density integrates to the probability exp(mu d / sigma^2) of any spike
    sigma : noise as for `WhiteNoise`, >= 0 (sigma = 0: nan at the only possible interval, 0 elsewhere)
    tau_m, tau_refrac : times; v_thresh, v_reset : voltages. All broadcast

    Source: Schroedinger 1915; Gerstein & Mandelbrot 1964, doi 10.1016/S0006-3495(64)86768-0

    >>> p = pif_interval_density(1.0, 1.0, 0.5, tau_m=1.0, v_thresh=1.0, v_reset=0.0, tau_refrac=0.0)
    >>> round(p, 6)    # 1 / sqrt(4 pi sigma^2)
    0.56419
    """
    times(t=t, tau_m=tau_m)
    p = problem(mu, sigma, tau_m=tau_m, v_thresh=v_thresh, v_reset=v_reset, tau_refrac=tau_refrac)
    u = (plain(t, "t") - p.refrac) / p.tau
    late = u > 0
    u = np.where(late, u, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = -((p.distance - p.mu * u) ** 2) / (4 * p.sigma**2 * u)
        density = p.distance / np.sqrt(4 * np.pi * p.sigma**2 * u**3) * np.exp(exponent) / p.tau
    deterministic = np.where(p.distance == p.mu * u, np.nan, 0.0)
    return out(np.where(late, np.where(p.sigma > 0, density, deterministic), 0.0))


def pif_rate(
    mu: Voltage, sigma: Voltage, *, tau_m: Time, v_thresh: Voltage, v_reset: Voltage, tau_refrac: Time
) -> Any:
    """Firing rate of a perfect integrator, in Hz: the inverse of its mean interval. It does not depend on noise.

    1/r = tau_refrac + tau_m (v_thresh - v_reset) / mu; 0 for mu <= 0. Arguments as in `pif_interval_density`.

    Source: Gerstein & Mandelbrot 1964, doi 10.1016/S0006-3495(64)86768-0

    >>> pif_rate(2.0, 0.5, tau_m=1.0, v_thresh=1.0, v_reset=0.0, tau_refrac=0.5)
    1.0
    """
    p = problem(mu, sigma, tau_m=tau_m, v_thresh=v_thresh, v_reset=v_reset, tau_refrac=tau_refrac)
    driven = p.mu > 0
    return out(np.where(driven, 1 / (p.refrac + p.tau * p.distance / np.where(driven, p.mu, 1.0)), 0.0))


def pif_cv(
    mu: Voltage, sigma: Voltage, *, tau_m: Time, v_thresh: Voltage, v_reset: Voltage, tau_refrac: Time
) -> Any:
    """Coefficient of variation of a perfect integrator's intervals; nan for mu <= 0, where the mean is infinite.

    CV = r tau_m sqrt(2 sigma^2 d / mu^3), d = v_thresh - v_reset. Arguments as in `pif_interval_density`.

    Source: Gerstein & Mandelbrot 1964, doi 10.1016/S0006-3495(64)86768-0

    >>> pif_cv(2.0, 0.5, tau_m=1.0, v_thresh=1.0, v_reset=0.0, tau_refrac=0.0)
    0.5
    """
    p = problem(mu, sigma, tau_m=tau_m, v_thresh=v_thresh, v_reset=v_reset, tau_refrac=tau_refrac)
    driven = p.mu > 0
    drive = np.where(driven, p.mu, 1.0)
    cv = np.sqrt(2 * p.sigma**2 * p.distance / drive**3) / (p.refrac / p.tau + p.distance / drive)
    return out(np.where(driven, cv, np.nan))

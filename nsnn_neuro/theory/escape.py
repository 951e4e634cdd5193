"""Escape noise in continuous time: a hazard in place of diffusive noise, and the rate of a leaky neuron that has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import NsnnError
from ..noise import SQRT2
from .arguments import out, times, voltages

__all__ = ["escape_rate", "plesser_gerstner_hazard"]

_SPAN, _CELLS, _GRADING = (
    30.0,
    2000,
    5.0,
)  # time in tau_m; the first cells are 150 times shorter than the last


def plesser_gerstner_hazard(
    sigma: Any, *, tau_m: Any, v_thresh: Any, c1: float = 0.72, c2: float = 1 / np.sqrt(np.pi)
) -> Callable[[Any, Any], Any]:
    """The hazard that stands in for white noise of strength sigma on an LIF neuron, a function of u and du/dt.

    rho = (c1 / tau_m + c2 / sigma_B [du/dt]+) exp(-(u - v_thresh)^2 / sigma_B^2), sigma_B = sqrt(2) sigma, u noise-free

    Holds for sigma_B of about a fifth to two fifths of v_thresh - v_reset and mu below threshold (rates within 5 %); not for
    stronger noise, nor for mu above threshold, nor for rare spikes.

    Parameters
    ----------
    sigma : standard deviation of the free membrane, > 0; tau_m : time; v_thresh : voltage. All broadcast
    c1, c2 : plain numbers, fitted by the authors

    Returns
    -------
    rho(u, du_dt) : in 1/s for SI floats

    Source: Plesser & Gerstner 2000, doi 10.1162/089976600300015835

    >>> rho = plesser_gerstner_hazard(0.4 / 2**.5, tau_m=1.0, v_thresh=1.0)
    >>> round(rho(1.0, 0.0).item(), 6)
    0.72
    """
    deviation, theta = voltages(sigma=sigma, v_thresh=v_thresh)
    (tau,) = times(tau_m=tau_m)
    if np.any(deviation <= 0) or np.any(tau <= 0):
        raise NsnnError(f"sigma = {sigma}, tau_m = {tau_m}: expected positive values")
    width = SQRT2 * deviation
    return lambda u, du_dt: (
        (c1 / tau + c2 / width * np.maximum(du_dt, 0.0)) * np.exp(-(((u - theta) / width) ** 2))
    )


def escape_rate(
    hazard: Callable[[Any, Any], Any], mu: Any, *, tau_m: Any, v_reset: Any, tau_refrac: Any
) -> Any:
    """Stationary firing rate of a leaky neuron with escape noise under constant drive, in Hz.

    u = mu + (v_reset - mu) exp(-t / tau_m), S(t) = exp(-int_0^t rho(u, du/dt)), 1/r = tau_refrac + int S dt

    Simpson's rule on 2,000 cells of growing length up to 30 tau_m, then exponential; relative error below 1e-6 for a hazard that
    changes over no less than 1/100 of mu - v_reset.

    Parameters
    ----------
    hazard : function of u and du/dt (SI) that returns 1/s, e.g. `plesser_gerstner_hazard`; its parameters broadcast, too
    mu : where u goes without spikes; tau_m, tau_refrac : times; v_reset : voltage. All broadcast

    Source: Gerstner et al. 2014, Neuronal Dynamics, ch. 9, doi 10.1017/CBO9781107447615

    >>> rho = plesser_gerstner_hazard(0.4 / 2**.5, tau_m=1.0, v_thresh=1.0)
    >>> round(escape_rate(rho, 0.8, tau_m=1.0, v_reset=0.0, tau_refrac=0.0), 4)    # Siegert: .3370
    0.3452
    """
    mean, reset = voltages(mu=mu, v_reset=v_reset)
    tau, refrac = times(tau_m=tau_m, tau_refrac=tau_refrac)
    if np.any(tau <= 0) or np.any(refrac < 0):
        raise NsnnError(
            f"tau_m = {tau_m}, tau_refrac = {tau_refrac}: expected a positive and no negative time"
        )

    def rho(y: float) -> np.ndarray:
        gap = (mean - reset) * np.exp(-y)
        return np.asarray(hazard(mean - gap, gap / tau)) * tau

    edges = _SPAN * np.expm1(_GRADING * np.linspace(0, 1, _CELLS + 1)) / np.expm1(_GRADING)
    left = rho(0.0)
    total, waited = np.zeros_like(left), np.zeros_like(left)
    for y, h in zip(edges[:-1], np.diff(edges), strict=True):
        middle, right = rho(y + h / 2), rho(y + h)
        half = total + h / 24 * (5 * left + 8 * middle - right)
        after = total + h / 6 * (left + 4 * middle + right)
        waited = waited + h / 6 * (np.exp(-total) + 4 * np.exp(-half) + np.exp(-after))
        total, left = after, right
    survived = np.exp(-total)
    with np.errstate(divide="ignore"):
        waited = waited + np.where(survived > 0, survived / np.where(survived > 0, left, 1.0), 0.0)
    return out(1 / (refrac + tau * waited))

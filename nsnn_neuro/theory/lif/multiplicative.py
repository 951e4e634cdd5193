"""The leaky integrate-and-fire neuron in multiplicative white noise, its calculus named; the mean of a geometric Brownian motion.

tau_m dV = (mu - V) dt + sigma (V - v_zero) sqrt(2 tau_m) dW: the noise vanishes at v_zero, which V doesn't reach when mu lies above
it. In y = ln[(V - v_zero) / (v_thresh - v_zero)] the noise is additive, sigma sqrt(2 tau_m) dW, the drift is (mu - V)/(V - v_zero),
in Ito's calculus less sigma^2; so the solvers of `fokker_planck` do the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import units
from ...core.errors import NsnnError
from ..arguments import out, plain, times, voltages
from ..fokker_planck.drifts import Drift
from ..fokker_planck.stationary import fp_cv, fp_rate

__all__ = ["geometric_mean", "multiplicative_cv", "multiplicative_rate"]


def multiplicative_rate(
    mu: Any,
    sigma: Any,
    v_zero: Any,
    *,
    calculus: str,
    tau_m: Any,
    v_thresh: Any,
    v_reset: Any,
    tau_refrac: Any,
) -> Any:
    """Stationary firing rate of an LIF neuron in multiplicative white noise, in Hz.

    tau_m dV = (mu - V) dt + sigma (V - v_zero) sqrt(2 tau_m) dW; a spike at v_thresh, at v_reset again after tau_refrac. Threshold
    integration as in `fp_rate`, relative error below 1e-4 for sigma of .05 to .8.

    Parameters
    ----------
    mu : where V goes without noise, above v_zero
    sigma : dimensionless, > 0; sigma (V - v_zero) is the SD of a free membrane in white noise as strong as that at V
    v_zero : where the noise vanishes, below v_reset
    calculus : "ito" or "stratonovich"
    tau_m, tau_refrac : times; v_thresh, v_reset : voltages. All but calculus broadcast

    Raises
    ------
    NsnnError : wrong units or ranges, no calculus of these two

    Source: Richardson 2007, doi 10.1103/PhysRevE.76.021919 (threshold integration)

    >>> from brian2 import mV, ms
    >>> cell = dict(tau_m=20*ms, v_thresh=20*mV, v_reset=10*mV, tau_refrac=2*ms)
    >>> round(multiplicative_rate(18*mV, 0.2, 0*mV, calculus="ito", **cell), 2)
    18.08
    >>> round(multiplicative_rate(18*mV, 0.2, 0*mV, calculus="stratonovich", **cell), 2)
    20.46
    """
    return fp_rate(**_in_logarithms(mu, sigma, v_zero, calculus, tau_m, v_thresh, v_reset, tau_refrac))


def multiplicative_cv(
    mu: Any,
    sigma: Any,
    v_zero: Any,
    *,
    calculus: str,
    tau_m: Any,
    v_thresh: Any,
    v_reset: Any,
    tau_refrac: Any,
) -> Any:
    """Coefficient of variation of the interspike intervals of an LIF neuron in multiplicative white noise.

    As `fp_cv` of the neuron's logarithm, arguments as in `multiplicative_rate`

    Source: Richardson 2008, doi 10.1007/s00422-008-0244-y

    >>> cell = dict(tau_m=1.0, v_thresh=1.0, v_reset=0.0, tau_refrac=0.0)
    >>> round(multiplicative_cv(0.8, 0.2, -1.0, calculus="ito", **cell), 4)
    0.6647
    """
    return fp_cv(**_in_logarithms(mu, sigma, v_zero, calculus, tau_m, v_thresh, v_reset, tau_refrac))


def _loss(sigma: np.ndarray, calculus: str) -> np.ndarray:
    """What the drift of the logarithm loses, times tau: sigma^2 in Ito's calculus, nothing in Stratonovich's."""
    if calculus == "ito":
        return sigma**2
    if calculus == "stratonovich":
        return np.zeros_like(sigma)
    raise NsnnError(f"calculus = {calculus!r}: expected 'ito' or 'stratonovich'")


def _in_logarithms(mu, sigma, v_zero, calculus, tau_m, v_thresh, v_reset, tau_refrac) -> dict[str, Any]:
    """The arguments of the Fokker-Planck solvers for y, which are dimensionless voltages."""
    level, zero, theta, reset = voltages(mu=mu, v_zero=v_zero, v_thresh=v_thresh, v_reset=v_reset)
    if units.unit_of(sigma) != "1":
        raise NsnnError(f"sigma = {sigma}: expected a plain number, the noise relative to V - v_zero")
    strength = plain(sigma, "sigma")
    loss = _loss(strength, calculus)
    if np.any(strength <= 0) or np.any(zero >= reset) or np.any(zero >= level) or np.any(reset >= theta):
        raise NsnnError(
            f"sigma = {sigma}, v_zero = {v_zero}: sigma > 0, v_zero < v_reset < v_thresh and v_zero < mu are expected"
        )
    scale = theta - zero
    return {
        "drift": Drift(lambda y: (level - zero) / scale * np.exp(-y) - 1 - loss, unit="1"),
        "sigma": strength,
        "tau_m": tau_m,
        "tau_refrac": tau_refrac,
        "v_spike": np.zeros_like(scale),
        "v_reset": np.log((reset - zero) / scale),
    }


def geometric_mean(t: Any, x0: Any, drift: Any, sigma: Any, *, calculus: str, tau: Any) -> Any:
    """Mean at t of a geometric Brownian motion, tau dx = drift x dt + sigma x sqrt(2 tau) dW, in SI.

    E x = x0 exp(drift t / tau) in Ito's calculus, x0 exp((drift + sigma^2) t / tau) in Stratonovich's: it tells which one a
    simulation has integrated.

    Parameters
    ----------
    t, tau : times; x0 : value at 0, of any unit; drift, sigma : dimensionless. All broadcast
    calculus : "ito" or "stratonovich"

    Source: Oksendal 2003, Stochastic Differential Equations, ch. 5, doi 10.1007/978-3-642-14394-6

    >>> geometric_mean(2.0, 1.5, 0.0, 0.5, calculus="ito", tau=1.0)
    1.5
    >>> round(geometric_mean(2.0, 1.5, 0.0, 0.5, calculus="stratonovich", tau=1.0), 4)    # 1.5 exp(.5)
    2.4731
    """
    late, time = times(t=t, tau=tau)
    if np.any(time <= 0):
        raise NsnnError(f"tau = {tau}: expected a positive time")
    growth, strength = plain(drift, "drift"), plain(sigma, "sigma")
    growth = growth + strength**2 - _loss(strength, calculus)
    return out(plain(x0, "x0") * np.exp(growth * late / time))

"""Leaky integrate-and-fire neuron in multiplicative white noise, in Ito's or Stratonovich's calculus; geometric Brownian motion.

tau_m dV = (mu - V) dt + sigma (V - v_zero) sqrt(2 tau_m) dW: the noise vanishes at v_zero, which V does not reach if mu > v_zero.
For y = ln[(V - v_zero) / (v_thresh - v_zero)] the noise is additive, sigma sqrt(2 tau_m) dW, and the drift is (mu - V)/(V -
v_zero), minus sigma^2 in Ito's calculus. So the solvers of `fokker_planck` apply.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import units
from ...core.aliases import Time, Voltage
from ...core.checks import one_of
from ...core.errors import NsnnError
from ..arguments import expect, out, plain, times, voltages
from ..fokker_planck.drifts import Drift
from ..fokker_planck.stationary import fp_cv, fp_rate


def multiplicative_rate(
    mu: Voltage,
    sigma: Voltage,
    v_zero: Voltage,
    *,
    calculus: str,
    tau_m: Time,
    v_thresh: Voltage,
    v_reset: Voltage,
    tau_refrac: Time,
) -> Any:
    """Stationary firing rate of an LIF neuron in multiplicative white noise, in Hz.

    tau_m dV = (mu - V) dt + sigma (V - v_zero) sqrt(2 tau_m) dW; a spike at v_thresh, re-entry at v_reset after tau_refrac.
    Threshold integration as in `fp_rate`; relative error below 1e-4 for sigma from 0.05 to 0.8.

    Parameters
    ----------
    mu : mean drive, v_rest + drive, above v_zero
    sigma : dimensionless, > 0; white noise of constant strength sigma (V - v_zero) would give a free membrane that SD
    v_zero : voltage at which the noise vanishes, below v_reset
    calculus : "ito" or "stratonovich"
    tau_m, tau_refrac : times; v_thresh, v_reset : voltages. All but calculus broadcast

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
    mu: Voltage,
    sigma: Voltage,
    v_zero: Voltage,
    *,
    calculus: str,
    tau_m: Time,
    v_thresh: Voltage,
    v_reset: Voltage,
    tau_refrac: Time,
) -> Any:
    """Coefficient of variation of the interspike intervals of an LIF neuron in multiplicative white noise.

    `fp_cv` of y, arguments as in `multiplicative_rate`.

    Source: Richardson 2008, doi 10.1007/s00422-008-0244-y

    >>> cell = dict(tau_m=1.0, v_thresh=1.0, v_reset=0.0, tau_refrac=0.0)
    >>> round(multiplicative_cv(0.8, 0.2, -1.0, calculus="ito", **cell), 4)
    0.6647
    """
    return fp_cv(**_in_logarithms(mu, sigma, v_zero, calculus, tau_m, v_thresh, v_reset, tau_refrac))


def _loss(sigma: np.ndarray, calculus: str) -> np.ndarray:
    """The reduction of the drift of the logarithm, times tau: sigma^2 in Ito's calculus, 0 in Stratonovich's."""
    one_of(calculus, ("ito", "stratonovich"), "calculus")
    return sigma**2 if calculus == "ito" else np.zeros_like(sigma)


def _in_logarithms(mu, sigma, v_zero, calculus, tau_m, v_thresh, v_reset, tau_refrac) -> dict[str, Any]:
    """The arguments of the Fokker-Planck solvers for y, which is dimensionless."""
    level, zero, theta, reset = voltages(mu=mu, v_zero=v_zero, v_thresh=v_thresh, v_reset=v_reset)
    if units.unit_of(sigma) != "1":
        raise NsnnError(f"sigma = {sigma}: expected a plain number, the noise relative to V - v_zero")
    strength = plain(sigma, "sigma")
    loss = _loss(strength, calculus)
    good = (strength > 0) & (zero < reset) & (zero < level) & (reset < theta)
    expect(good, "sigma > 0, v_zero < v_reset < v_thresh and v_zero < mu", sigma=sigma, v_zero=v_zero)
    scale = theta - zero
    return {
        "drift": Drift(lambda y: (level - zero) / scale * np.exp(-y) - 1 - loss, unit="1"),
        "sigma": strength,
        "tau_m": tau_m,
        "tau_refrac": tau_refrac,
        "v_spike": np.zeros_like(scale),
        "v_reset": np.log((reset - zero) / scale),
    }


def geometric_mean(t: Any, x0: Any, drift: Any, sigma: Voltage, *, calculus: str, tau: Any) -> Any:
    """Mean at t of a geometric Brownian motion, tau dx = drift x dt + sigma x sqrt(2 tau) dW, in SI.

    E x = x0 exp(drift t / tau) in Ito's calculus, x0 exp((drift + sigma^2) t / tau) in Stratonovich's. It reveals the
    calculus of a simulation.

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
    expect(time > 0, "a positive time", tau=tau)
    growth, strength = plain(drift, "drift"), plain(sigma, "sigma")
    growth = growth + strength**2 - _loss(strength, calculus)
    return out(plain(x0, "x0") * np.exp(growth * late / time))

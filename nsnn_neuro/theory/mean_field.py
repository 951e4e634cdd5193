"""Mean field of Brunel's sparse network of excitatory and inhibitory LIF neurons: self-consistent rates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import quantities as pq
from scipy import optimize

from ..core import units
from ..core.aliases import Time, Voltage
from ..models.noise import SQRT2
from .arguments import expect, out, plain, times, voltages
from .lif.white_noise import siegert_rate


def brunel_input(
    rate: Any,
    *,
    g: Any,
    eta: Any,
    n_e: int = 10_000,
    n_i: int = 2_500,
    epsilon: float = 0.1,
    J: Any = 0.1 * pq.mV,
    tau_m: Time = 20 * pq.ms,
    v_thresh: Voltage = 20 * pq.mV,
) -> tuple[Any, Any]:
    """Mean mu and standard deviation sigma of the free membrane, in volts, in Brunel's network, whose neurons fire at `rate`.

    mu = C_E J tau_m (nu_ext + nu (1 - g gamma)), sigma^2 = J^2 C_E tau_m (nu_ext + nu (1 + g^2 gamma)) / 2,
    C_E = epsilon n_e, gamma = n_i / n_e, nu_ext = eta v_thresh / (J C_E tau_m); Brunel's sigma is sqrt(2) sigma

    Parameters
    ----------
    rate : of all neurons, frequency; g : inhibitory over excitatory weight; eta : external rate relative to the one that brings the
        mean to threshold
    n_e, n_i : number of neurons; epsilon : connection probability; J : excitatory weight; tau_m : time; v_thresh : from rest

    Source: Brunel 2000, doi 10.1023/A:1008925309027

    >>> from brian2 import Hz
    >>> mu, sigma = brunel_input(0*Hz, g=5, eta=2)
    >>> round(mu, 6), round(sigma * 2**.5, 6)
    (0.04, 0.002)
    """
    weight, theta = voltages(J=J, v_thresh=v_thresh)
    nu, tau = times(f=rate, tau_m=tau_m)
    mu, sigma = _mean_and_sd(
        nu, plain(g, "g"), plain(eta, "eta"), epsilon * n_e, n_i / n_e, weight, tau, theta
    )
    return out(mu), out(sigma)


def _mean_and_sd(nu, g, eta, c_e, gamma, weight, tau, theta):
    """Mean and SD of the input (V) as `brunel_input` says, all in SI units."""
    external = eta * theta / (weight * c_e * tau)
    mu = c_e * weight * tau * (external + nu * (1 - g * gamma))
    return mu, weight * np.sqrt(c_e * tau * (external + nu * (1 + g**2 * gamma))) / SQRT2


def brunel_rates(
    *,
    g: float,
    eta: float,
    n_e: int = 10_000,
    n_i: int = 2_500,
    epsilon: float = 0.1,
    J: Any = 0.1 * pq.mV,
    tau_m: Time = 20 * pq.ms,
    v_thresh: Voltage = 20 * pq.mV,
    v_reset: Voltage = 10 * pq.mV,
    tau_refrac: Time = 2 * pq.ms,
) -> np.ndarray:
    """All self-consistent rates of Brunel's network, (n,), ascending, in Hz: nu = Siegert's rate of `brunel_input(nu)`.

    The difference of the two sides is scanned from 0 to 1 / tau_refrac (100 / tau_m without refractory time), including extrema
    close to 0, and each change of sign is solved by Brent's method. Fixed points need not be stable: of several fixed points every
    second one is unstable, and the network may oscillate around the others.

    Parameters
    ----------
    g, eta : plain numbers; the others as in `brunel_input` and `siegert_rate`, one number each

    Source: Brunel 2000, doi 10.1023/A:1008925309027

    >>> brunel_rates(g=5, eta=2).round(2).tolist()
    [37.95]
    """
    weight, theta, reset = (float(x) for x in voltages(J=J, v_thresh=v_thresh, v_reset=v_reset))
    tau, refrac = (float(x) for x in times(tau_m=tau_m, tau_refrac=tau_refrac))
    g, eta = units.si(g, "1", "g"), units.si(eta, "1", "eta")
    good = weight > 0 and eta >= 0 and g >= 0 and 0 < epsilon <= 1 and n_e > 0 and n_i >= 0
    expect(
        good,
        "J, n_e and epsilon above 0, epsilon at most 1, the others not negative",
        J=J,
        eta=eta,
        g=g,
        epsilon=epsilon,
        n_e=n_e,
        n_i=n_i,
    )

    def excess(nu):
        mu, sigma = _mean_and_sd(nu, g, eta, epsilon * n_e, n_i / n_e, weight, tau, theta)
        return siegert_rate(mu, sigma, tau_m=tau, v_thresh=theta, v_reset=reset, tau_refrac=refrac) - nu

    top = 1 / refrac if refrac > 0 else 100 / tau
    return _roots(excess, np.union1d(np.linspace(0, top, 1001), top * np.geomspace(1e-9, 1, 500)))


def _roots(function: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    """Zeros of a function between the points x, including pairs of zeros between two neighbours."""
    y = function(x)
    size = np.abs(y)
    near_zero = (size[1:-1] <= y[:-2] * np.sign(y[1:-1])) & (size[1:-1] <= y[2:] * np.sign(y[1:-1]))
    for k in np.flatnonzero(near_zero & (y[1:-1] != 0)) + 1:
        sign = np.sign(y[k])
        turn = optimize.minimize_scalar(
            lambda z, sign=sign: sign * function(z), bounds=(x[k - 1], x[k + 1]), method="bounded"
        )
        if turn.fun < 0:
            x, y = np.append(x, turn.x), np.append(y, sign * turn.fun)
    order = np.argsort(x)
    x, y = x[order], y[order]
    crossing = np.flatnonzero(y[1:] * y[:-1] < 0)
    zeros = [optimize.brentq(function, x[k], x[k + 1], xtol=1e-12, rtol=1e-13) for k in crossing]
    return np.sort(np.concatenate([zeros, x[y == 0]]))

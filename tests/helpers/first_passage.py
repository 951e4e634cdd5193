"""Survival of a LIF by Fortet's equation, the integral equation of the first kind: slow, and without anything of the package.

The probability to be above the threshold d(t) is that to have reached it at some s before and to have come from there:
P(X(t) > d(t)) = integral of P(X(t) > d(t) | X(s) = d(s)) dF(s). Source: Fortet 1943.
"""

import numpy as np
from scipy.special import ndtr


def survival(tau, sigma, mu, theta, reset, times, steps=3000):
    """At `times` (ascending, from a point reset at 0): mu a number, or a function of time (the path is then summed in steps)."""
    times = np.asarray(times, dtype=float)
    fine = np.linspace(0.0, times[-1], 40 * steps + 1)
    middle = 0.5 * (fine[1:] + fine[:-1])
    drive = np.array([mu(t) for t in middle]) if callable(mu) else np.full(middle.shape, float(mu))
    forced = np.concatenate(
        [[0.0], np.cumsum(drive * -np.expm1(-np.diff(fine) / tau) * np.exp((fine[1:] - times[-1]) / tau))]
    )
    path = reset * np.exp(-fine / tau) + forced * np.exp((times[-1] - fine) / tau)
    spread = sigma * np.sqrt(np.maximum(-np.expm1(-2 * fine / tau), 1e-300))
    begin = max(int(np.flatnonzero(theta - path < 8 * spread)[0]) - 1, 0)
    t = np.linspace(fine[begin], times[-1], steps + 1)
    half = 0.5 * (t[1:] + t[:-1])
    at, between = theta - np.interp(t, fine, path), theta - np.interp(half, fine, path)
    above = ndtr(-at / (sigma * np.sqrt(np.maximum(-np.expm1(-2 * t / tau), 1e-300))))
    mass = np.zeros(steps)
    for i in range(steps):
        decay = np.exp(-(t[i + 1] - half[: i + 1]) / tau)
        share = ndtr((between[: i + 1] * decay - at[i + 1]) / (sigma * np.sqrt(1 - decay**2)))
        mass[i] = (above[i + 1] - mass[:i] @ share[:i]) / share[i]
    left = np.concatenate([[1.0], 1 - np.cumsum(mass)])
    return np.interp(times, t, left)

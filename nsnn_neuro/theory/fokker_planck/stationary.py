"""Stationary state of a one-dimensional neuron in white noise, by threshold integration of its Fokker-Planck equation.

tau_m dV/dt = f(V) + sigma sqrt(2 tau_m) xi(t), absorbed at v_spike, re-injected at v_reset after tau_refrac, reflected at v_low.
With x = V and time in tau_m the flux is J = f P - sigma^2 dP/dx. The intervals [v_low, v_reset] and [v_reset, v_spike] have `cells`
cells each. The drift in a cell is constant (its value at the midpoint); everything else is exact. So results are exact for a
piecewise constant drift, errors fall as 1 / cells^2, and the method is stable for steep drifts and high frequencies. Parameters
broadcast; the loop runs over cells only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ...core import units
from ...core.aliases import Time, Voltage
from ...core.checks import suggest_keywords, whole
from ...core.errors import NsnnError
from ..arguments import expect, function, neuron_times, out, voltages

_BARRIER = 36.0  # v_low is where the density of an equilibrium has fallen to exp(-36)


class DriftProblem(NamedTuple):
    """A neuron with a drift in white noise, in SI; all arrays have the same shape. Times inside are in tau."""

    drift: Callable[[Any], Any]
    sigma: np.ndarray
    tau: np.ndarray
    refrac: np.ndarray  # in tau
    low: np.ndarray
    reset: np.ndarray
    spike: np.ndarray
    cells: int

    def each_cell(self, step: int = 1) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
        """For each cell from v_low to v_spike: width h, f / sigma^2, and whether it lies above v_reset; step -1: downwards."""
        variance = self.sigma**2
        for bottom, top, above in ((self.low, self.reset, False), (self.reset, self.spike, True))[::step]:
            h = (top - bottom) / self.cells
            for k in range(self.cells)[::step]:
                yield h, self.drift(bottom + (k + 0.5) * h) / variance, above


def drift_problem(
    drift: Any,
    sigma: Any,
    tau_m: Any,
    v_spike: Any,
    v_reset: Any,
    tau_refrac: Any,
    v_low: Any,
    cells: Any,
    **more: Any,
) -> DriftProblem:
    """The arguments of `fp_rate`, checked and broadcast; `more` are times or f, checked for their unit only."""
    function(drift, "drift", "lif_drift(mu)")
    given = {} if v_low is None else {"v_low": v_low}
    deviation, spike, reset, *low = voltages(sigma=sigma, v_spike=v_spike, v_reset=v_reset, **given)
    tau, refrac, *_ = neuron_times(tau_m, tau_refrac, **more)
    if getattr(drift, "unit", units.unit_of(sigma)) != units.unit_of(sigma):
        raise NsnnError(f"sigma = {sigma}: expected the unit of the drift, {drift.unit!r}")
    whole(cells, 1, "cells")
    expect(deviation > 0, "sigma > 0", sigma=sigma)
    expect(reset < spike, "v_reset < v_spike", v_reset=v_reset, v_spike=v_spike)
    expect(not low or low[0] < reset, "v_low < v_reset", v_low=v_low, v_reset=v_reset)
    shape = np.broadcast_shapes(*(np.shape(a) for a in (deviation, tau, refrac, spike, reset, *low)))
    shape = np.broadcast_shapes(shape, np.shape(drift(np.broadcast_to(reset, shape))))
    sigma, tau, refrac, reset, spike = (
        np.broadcast_to(a, shape) for a in (deviation, tau, refrac / tau, reset, spike)
    )
    bottom = np.broadcast_to(low[0], shape) if low else lowest(drift, sigma, reset)
    return DriftProblem(
        lambda v: np.broadcast_to(drift(v), shape), sigma, tau, refrac, bottom, reset, spike, int(cells)
    )


def lowest(drift: Callable[[Any], Any], sigma: np.ndarray, reset: np.ndarray) -> np.ndarray:
    """The voltage below v_reset at which the potential -int f / sigma^2 is 36 above its minimum."""
    step = np.concatenate([[0.0], np.geomspace(1e-3, 1e4, 400)])
    v = reset - sigma * step.reshape(-1, *[1] * sigma.ndim)
    with np.errstate(over="ignore", invalid="ignore"):
        slope = np.broadcast_to(drift(v), v.shape) / sigma**2
        rise = np.cumsum((slope[1:] + slope[:-1]) / 2 * (v[:-1] - v[1:]), axis=0)
    high = rise - np.minimum.accumulate(np.minimum(rise, 0.0), axis=0) > _BARRIER
    if not np.all(high.any(axis=0)):
        raise NsnnError("the drift does not confine V below v_reset: give v_low, a reflecting wall")
    return np.take_along_axis(v[1:], high.argmax(axis=0)[None], axis=0)[0]


def weights(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """exp(-z), (1 - exp(-z)) / z and (exp(-z) - 1 + z) / z^2: the weights of a cell of constant drift, z = h f / sigma^2."""
    small = np.abs(z) < 0.02
    x = np.where(small, 1.0, z)
    lost = -np.expm1(-x)
    first = np.where(small, 1 - z / 2 * (1 - z / 3 * (1 - z / 4 * (1 - z / 5))), lost / x)
    second = np.where(small, 0.5 - z / 6 * (1 - z / 4 * (1 - z / 5 * (1 - z / 6))), (x - lost) / x**2)
    return np.exp(-z), first, second


def _square_weights(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(1 - e^-2z - 2 z e^-z) / z^3 and (z - (1 - e^-2z) / 2 - 2 (1 - e^-z - z e^-z)) / z^4."""
    small = np.abs(z) < 0.1
    x = np.where(small, 1.0, z)
    e = np.exp(-x)
    third = np.where(small, np.exp(-z) * (1 / 3 + z**2 / 60 + z**4 / 2520), (1 - e * e - 2 * x * e) / x**3)
    series = 1 / 12 - z * (1 / 15 - z * (11 / 360 - z * (13 / 1260 - z * (19 / 6720 - z / 1512))))
    fourth = np.where(small, series, (x - (1 - e * e) / 2 - 2 * (1 - e - x * e)) / x**4)
    return third, fourth


@suggest_keywords
def fp_rate(
    drift: Callable[[Any], Any],
    sigma: Voltage,
    *,
    tau_m: Time,
    v_spike: Voltage,
    v_reset: Voltage,
    tau_refrac: Time,
    v_low: Voltage | None = None,
    cells: int = 500,
) -> Any:
    """Stationary firing rate of a neuron with any drift in white noise, in Hz.

    tau_m dV/dt = drift(V) + sigma sqrt(2 tau_m) xi(t). P(v_spike) = 0 and J = 1 above v_reset, 0 below it, are integrated
    downwards; 1/r = tau_refrac + tau_m int P dV. The error is of order 1 / cells^2: with the default at most 1e-4 for an LIF, 2e-3
    for a QIF from -40 to 40 times its width; use more cells there.

    Parameters
    ----------
    drift : function of V such as `lif_drift(mu)`
    sigma : noise, > 0, as for `WhiteNoise`; for a leaky neuron the standard deviation of the free membrane
    tau_m, tau_refrac : times; v_spike, v_reset : voltages; a spike is the arrival at v_spike (v_thresh of an LIF). All broadcast
    v_low : reflecting wall below v_reset, needed by some drifts; None: where the equilibrium density is exp(-36) of its maximum
    cells : number of cells below v_reset, and of those above it

    Source: Richardson 2007, doi 10.1103/PhysRevE.76.021919

    >>> from brian2 import mV, ms
    >>> from nsnn_neuro.theory import lif_drift
    >>> rate = fp_rate(lif_drift(20*mV), 5*mV/2**.5, tau_m=20*ms, v_spike=20*mV, v_reset=10*mV, tau_refrac=2*ms)
    >>> round(rate, 3)    # Siegert: 27.340567
    27.341
    """
    p = drift_problem(drift, sigma, tau_m, v_spike, v_reset, tau_refrac, v_low, cells)
    return out(1 / (p.tau * (p.refrac + _mass(p))))


def _mass(p: DriftProblem) -> np.ndarray:
    """int P dV for a flux of 1 in tau: the mean first-passage time in tau, infinite where it overflows."""
    density, mass = np.zeros(p.sigma.shape), np.zeros(p.sigma.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        for h, slope, above in p.each_cell(-1):
            kept, first, second = weights(h * slope)
            source = above * h / p.sigma**2
            mass = mass + h * (density * first + source * second)
            density = density * kept + source * first
    return np.where(np.isfinite(mass), mass, np.inf)


def finite(p: DriftProblem, values: np.ndarray) -> None:
    """Raise NsnnError after an overflow: spikes so rare that the rate is 0 in floating point."""
    if not np.all(np.isfinite(values)):
        raise NsnnError(f"sigma = {np.min(p.sigma)} (SI) is so small that the rate is 0: take a larger one")


def density_of_unit_flux(p: DriftProblem) -> np.ndarray:
    """P at the borders of the cells, v_low first, for a flux of 1 in tau: shape (2 cells + 1, *parameters)."""
    density = [np.zeros(p.sigma.shape)]
    with np.errstate(over="ignore", invalid="ignore"):
        for h, slope, above in p.each_cell(-1):
            kept, first, _ = weights(h * slope)
            density.append(density[-1] * kept + above * h / p.sigma**2 * first)
    finite(p, density[-1])
    return np.array(density[::-1])


def fp_density(
    drift: Callable[[Any], Any],
    sigma: Voltage,
    *,
    tau_m: Time,
    v_spike: Voltage,
    v_reset: Voltage,
    tau_refrac: Time,
    v_low: Voltage | None = None,
    cells: int = 500,
) -> tuple[np.ndarray, np.ndarray]:
    """Stationary density of the membrane, in 1/voltage, on a grid from v_low to v_spike.

    Its integral is 1 - r tau_refrac, the fraction of time outside the refractory time. Arguments as in `fp_rate`. Returns v and the
    density, both (2 cells + 1, *parameters); v_reset is grid point `cells`.

    Source: Richardson 2007, doi 10.1103/PhysRevE.76.021919

    >>> from nsnn_neuro.theory import lif_drift
    >>> v, density = fp_density(lif_drift(0.8), 0.3, tau_m=1.0, v_spike=1.0, v_reset=0.0, tau_refrac=0.0)
    >>> mass = (density[1:] + density[:-1]) / 2 @ np.diff(v)
    >>> round(float(mass), 4)
    1.0
    """
    p = drift_problem(drift, sigma, tau_m, v_spike, v_reset, tau_refrac, v_low, cells)
    below, above = np.linspace(p.low, p.reset, p.cells + 1), np.linspace(p.reset, p.spike, p.cells + 1)
    return np.concatenate([below[:-1], above]), density_of_unit_flux(p) / (p.refrac + _mass(p))


@suggest_keywords
def fp_cv(
    drift: Callable[[Any], Any],
    sigma: Voltage,
    *,
    tau_m: Time,
    v_spike: Voltage,
    v_reset: Voltage,
    tau_refrac: Time,
    v_low: Voltage | None = None,
    cells: int = 500,
) -> Any:
    """Coefficient of variation of the interspike intervals, from the variance of the first-passage time.

    The logarithm of the transform of the first-passage time from x to v_spike, -int_x w, expands in s as w = s w1 - s^2 w2 + ...
    with sigma^2 w1' = 1 - f w1, sigma^2 w2' = sigma^2 w1^2 - f w2, both 0 at v_low, time in tau_m, so that mean = int w1,
    variance = 2 int w2 from v_reset to v_spike, without differences of large moments. Arguments as in `fp_rate`.

    Source: Richardson 2008, doi 10.1007/s00422-008-0244-y (first-passage moments); Siegert 1951, doi 10.1103/PhysRev.81.617

    >>> from nsnn_neuro.theory import lif_drift
    >>> cv = fp_cv(lif_drift(0.8), 0.4 / 2**.5, tau_m=1.0, v_spike=1.0, v_reset=0.0, tau_refrac=0.0)
    >>> round(cv, 4)    # closed form: .6588268
    0.6588
    """
    p = drift_problem(drift, sigma, tau_m, v_spike, v_reset, tau_refrac, v_low, cells)
    mean, variance = cumulants(p)
    with np.errstate(invalid="ignore"):
        cv = np.sqrt(variance) / (p.refrac + mean)
    return out(np.where(np.isfinite(cv), cv, 1.0))  # rare escapes are a Poisson process


def cumulants(p: DriftProblem) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the first-passage time from v_reset to v_spike, in tau and tau^2."""
    w1, w2, mean, variance = (np.zeros(p.sigma.shape) for _ in range(4))
    diffusion = p.sigma**2
    with np.errstate(over="ignore", invalid="ignore"):
        for h, slope, above in p.each_cell():
            kept, first, second = weights(h * slope)
            third, fourth = _square_weights(h * slope)
            # w1 = w1_left exp(-z x/h) + (g/h) x first(z x/h); w2's source is its square, integrated exactly
            g = h / diffusion
            if above:
                mean = mean + h * (w1 * first + g * second)
                inside = (w1 * first) ** 2 / 2 + w1 * g * third + g**2 * fourth
                variance = variance + 2 * h * (w2 * first + h * inside)
            w2 = w2 * kept + h * (w1**2 * kept * first + 2 * w1 * g * kept * second + g**2 * third)
            w1 = w1 * kept + g * first
    return mean, variance

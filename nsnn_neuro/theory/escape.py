"""Escape noise: the hazard that approximates white noise, and rate, CV and interval distribution of neurons with escape noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import units
from ..core.aliases import Time, Voltage
from ..core.checks import whole
from ..core.errors import NsnnError
from ..models.escape import Family
from ..models.noise import SQRT2
from .arguments import expect, function, neuron_times, out, times, voltages

# in tau_m: where the exponential tail begins; the longest step is _FINEST + _GROWTH t
_SPAN, _FINEST, _GROWTH = 30.0, 5e-4, 0.0025
_SHORTEST = 1e-9  # smallest fraction of that step, at a jump of the hazard
_HAZARD = 0.1  # largest expected number of spikes in a step
_DEAD = 40.0  # a survival probability of exp(-40) counts as 0
_STEPS = 20_000  # steps of the quadrature for a hazard that is a function of time


def plesser_gerstner_hazard(
    sigma: Voltage, *, tau_m: Time, v_thresh: Voltage, c1: float = 0.72, c2: float = 1 / np.sqrt(np.pi)
) -> Callable[[Any, Any], Any]:
    """Hazard that approximates white noise of strength sigma in an LIF neuron, a function of u and du/dt (SI) in 1/s.

    rho = (c1 / tau_m + c2 / sigma_B [du/dt]+) exp(-(u - v_thresh)^2 / sigma_B^2), sigma_B = sqrt(2) sigma, u noise-free

    Rates are within 5 % for sigma_B of about 0.2 to 0.4 (v_thresh - v_reset) and mu below threshold. It does not hold for stronger
    noise, mu above threshold, or rare spikes.

    Parameters
    ----------
    sigma : standard deviation of the free membrane, > 0; tau_m : time; v_thresh : voltage. All broadcast
    c1, c2 : plain numbers, fitted by the authors

    Source: Plesser & Gerstner 2000, doi 10.1162/089976600300015835

    >>> rho = plesser_gerstner_hazard(0.4 / 2**.5, tau_m=1.0, v_thresh=1.0)
    >>> round(rho(1.0, 0.0).item(), 6)
    0.72
    """
    deviation, theta = voltages(sigma=sigma, v_thresh=v_thresh)
    (tau,) = times(tau_m=tau_m)
    expect((deviation > 0) & (tau > 0), "positive values", sigma=sigma, tau_m=tau_m)
    width = SQRT2 * deviation
    return lambda u, du_dt: (
        (c1 / tau + c2 / width * np.maximum(du_dt, 0.0)) * np.exp(-(((u - theta) / width) ** 2))
    )


def escape_rate(
    hazard: Callable[[Any, Any], Any], mu: Voltage, *, tau_m: Time, v_reset: Voltage, tau_refrac: Time
) -> Any:
    """Stationary firing rate of a leaky neuron with escape noise under constant drive, in Hz.

    u = mu + (v_reset - mu) exp(-t / tau_m), S(t) = exp(-int_0^t rho(u, du/dt)), 1/r = tau_refrac + int S dt

    The relative error is below 1e-6 for a hazard that varies over at least 1/100 of mu - v_reset.

    Parameters
    ----------
    hazard : function of u and du/dt (SI) that returns 1/s, e.g. `plesser_gerstner_hazard`; its parameters broadcast
    mu : mean of the free membrane; tau_m, tau_refrac : times; v_reset : voltage. All broadcast

    Source: Gerstner et al. 2014, Neuronal Dynamics, ch. 9, doi 10.1017/CBO9781107447615

    >>> rho = plesser_gerstner_hazard(0.4 / 2**.5, tau_m=1.0, v_thresh=1.0)
    >>> round(escape_rate(rho, 0.8, tau_m=1.0, v_reset=0.0, tau_refrac=0.0), 4)    # Siegert: .3370
    0.3452
    """
    mean, _, _, _ = _interval(hazard, mu, tau_m, v_reset, tau_refrac)
    return out(1 / mean)


def escape_cv(
    hazard: Callable[[Any, Any], Any], mu: Voltage, *, tau_m: Time, v_reset: Voltage, tau_refrac: Time
) -> Any:
    """Coefficient of variation of the interspike intervals of a leaky neuron with escape noise; NaN where it never fires.

    CV = r sqrt(int (t - m)^2 rho S dt), m the mean of t, without differences of large moments. Arguments as in
    `escape_rate`.

    Source: Gerstner et al. 2014, Neuronal Dynamics, ch. 9, doi 10.1017/CBO9781107447615

    >>> rho = plesser_gerstner_hazard(0.4 / 2**.5, tau_m=1.0, v_thresh=1.0)
    >>> round(escape_cv(rho, 0.8, tau_m=1.0, v_reset=0.0, tau_refrac=0.0), 4)    # Siegert: .6588
    0.6537
    """
    mean, (tau, refrac), steps, (left, rate) = _interval(hazard, mu, tau_m, v_reset, tau_refrac)
    late = (mean - refrac) / tau
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        variance = np.zeros_like(late)
        for y, h, densities in steps:
            places = (y, y + h / 2, y + h)
            for weight, place, density in zip((1, 4, 1), places, densities, strict=True):
                variance = variance + h * weight / 6 * (place - late) ** 2 * density
        ahead = _SPAN - late
        variance = variance + np.where(left > 0, left * (ahead**2 + 2 * ahead / rate + 2 / rate**2), 0.0)
        return out(np.where(np.isfinite(mean), np.sqrt(variance) * tau / mean, np.nan))


def _interval(hazard, mu, tau_m, v_reset, tau_refrac):
    """Mean interval, tau_m and tau_refrac in s; in tau_m each step's start, length and densities rho S; S and rho at the end."""
    function(hazard, "hazard", "plesser_gerstner_hazard(...), of u and du/dt")
    mean, reset = voltages(mu=mu, v_reset=v_reset)
    tau, refrac = neuron_times(tau_m, tau_refrac)

    def rho(y: float) -> np.ndarray:
        gap = (mean - reset) * np.exp(-y)
        return np.asarray(hazard(mean - gap, gap / tau)) * tau

    y, shorter, left = 0.0, 1.0, rho(0.0)
    total, waited = np.zeros_like(left), np.zeros_like(left)
    steps: list[tuple[float, float, tuple[np.ndarray, ...]]] = []
    while y < _SPAN and np.any(total < _DEAD):
        shorter = min(1.0, 2 * shorter)
        while True:
            h = min(shorter * (_FINEST + _GROWTH * y), _SPAN - y)
            middle, right = rho(y + h / 2), rho(y + h)
            most = np.max(np.where(total < _DEAD, np.maximum(np.maximum(left, middle), right), 0.0))
            if h * most <= _HAZARD or shorter < _SHORTEST:
                break
            shorter /= 2
        half = total + h / 24 * (5 * left + 8 * middle - right)
        after = total + h / 6 * (left + 4 * middle + right)
        survival = np.exp(-total), np.exp(-half), np.exp(-after)
        waited = waited + h / 6 * (survival[0] + 4 * survival[1] + survival[2])
        steps.append((y, h, (left * survival[0], middle * survival[1], right * survival[2])))
        y, total, left = (y + h if y + h < _SPAN - 1e-12 else _SPAN), after, right
    survived = np.where(total < _DEAD, np.exp(-total), 0.0)
    with np.errstate(divide="ignore"):
        waited = waited + np.where(survived > 0, survived / np.where(survived > 0, left, 1.0), 0.0)
    return refrac + tau * waited, (tau, refrac), steps, (survived, left)


def step_escape_interval(
    family: Family,
    mu: Voltage,
    *,
    tau_m: Time,
    v_thresh: Voltage,
    v_reset: Voltage,
    tau_refrac: Time,
    dt: Time,
    kmax: int,
) -> np.ndarray:
    """Probability that an interval of an LIF neuron with escape noise per step is k steps of dt, k = 1 ... kmax.

    After a spike the membrane stays at v_reset for r = tau_refrac / dt steps; in the j-th step after these
    u_j = mu + (v_reset - mu) exp(-j dt / tau_m); p_j = F(u_j - v_thresh), P(T = r + j) = p_j prod_(i<j) (1 - p_i), P(T <= r) = 0.
    The result (kmax,) sums to 1 minus the probability of longer intervals.

    Parameters
    ----------
    family : the escape noise, in the unit of the voltages
    mu : mean of the free membrane; v_thresh, v_reset : voltages; tau_m, dt, tau_refrac (a multiple of dt) : times. Scalars
    kmax : number of steps, >= 1

    Source: Gerstner et al. 2014, Neuronal Dynamics, ch. 9, doi 10.1017/CBO9781107447615

    >>> from brian2 import ms, mV
    >>> from nsnn_neuro import Gaussian
    >>> cell = dict(tau_m=20*ms, v_thresh=20*mV, v_reset=10*mV, tau_refrac=0.2*ms, dt=0.1*ms, kmax=4)
    >>> step_escape_interval(Gaussian(4*mV), 25*mV, **cell).round(5).tolist()
    [0.0, 0.0, 0.00655, 0.00685]
    """
    mean, theta, reset = voltages(mu=mu, v_thresh=v_thresh, v_reset=v_reset)
    tau, refrac, step = neuron_times(tau_m, tau_refrac, dt=dt)
    if any(np.ndim(x) for x in (mean, theta, reset, tau, refrac, step)):
        raise NsnnError("mu, v_thresh, v_reset, tau_m, tau_refrac and dt: expected scalars")
    expect(step > 0, "dt > 0", dt=dt)
    whole(kmax, 1, "kmax")
    if family.x_unit != (unit := units.unit_of(mu)):
        raise NsnnError(f"family = {family}, mu = {mu}: expected the same unit, voltages or plain numbers")
    n_refrac = int(np.rint(refrac / step))
    if abs(refrac / step - n_refrac) > 1e-6:
        raise NsnnError(
            f"tau_refrac = {tau_refrac}, dt = {dt}: expected a whole number of steps, e.g. {n_refrac * dt}"
        )
    pmf = np.zeros(kmax)
    if n_refrac < kmax:
        u = mean + (reset - mean) * np.exp(-np.arange(1, kmax - n_refrac + 1) * step / tau)
        p = family.cdf(units.pq_quantity(u - theta, unit))
        pmf[n_refrac:] = p * np.cumprod(np.concatenate([[1.0], 1 - p[:-1]]))
    return pmf


def renewal_rate(hazard: Callable[[Any], Any], *, tau_refrac: Time) -> float:
    """Rate of a renewal process with any hazard, in Hz.

    S(t) = exp(-int_0^t rho), 1/r = tau_refrac + int S dt. For hazards without jumps that vary over more than 1/500 of
    the time until S = exp(-40).

    Parameters
    ----------
    hazard : function of an array of times since release (s) that returns 1/s, e.g. `h.hazard` of a path; its integral exceeds 40
    tau_refrac : time before release, scalar

    Source: Cox 1962, Renewal Theory; Gerstner et al. 2014, Neuronal Dynamics, ch. 9, doi 10.1017/CBO9781107447615

    >>> round(renewal_rate(lambda t: 50.0 + 0 * t, tau_refrac=0.005), 6)    # 5 ms and on average 20 ms
    40.0
    """
    mean, _, refrac = _renewal(hazard, tau_refrac)
    return 1 / (refrac + mean)


def renewal_cv(hazard: Callable[[Any], Any], *, tau_refrac: Time) -> float:
    """CV of the intervals of a renewal process: CV^2 = r^2 [2 int t S dt - (int S dt)^2]; arguments as in `renewal_rate`.

    Source: Cox 1962, Renewal Theory; Gerstner et al. 2014, Neuronal Dynamics, ch. 9, doi 10.1017/CBO9781107447615

    >>> round(renewal_cv(lambda t: 50.0 + 0 * t, tau_refrac=0.005), 6)    # 20 ms of 25 ms are exponential
    0.8
    """
    mean, variance, refrac = _renewal(hazard, tau_refrac)
    return float(np.sqrt(variance) / (refrac + mean))


def _renewal(hazard: Callable[[Any], Any], tau_refrac: Any) -> tuple[float, float, float]:
    """Mean and variance of the time from release to spike, and tau_refrac; in s."""
    function(hazard, "hazard", "lambda t: 50.0 + 0 * t")
    (refrac,) = times(tau_refrac=tau_refrac)
    start, end, total = 0.0, 1e-6, 0.0
    while True:
        with np.errstate(over="ignore"):
            rho = np.asarray(hazard(np.linspace(start, end, 401)), dtype=float)
        expect(rho >= 0, "a rate, 0 or more, at every time", hazard=hazard)
        total += (end - start) * float(np.mean(0.5 * (rho[1:] + rho[:-1])))
        if total >= _DEAD:
            break
        if end > 1e9:
            raise NsnnError("hazard: its integral over all times is below 40, so a spike may never come")
        start, end = end, 3 * end
    t, h = np.linspace(0.0, end, 2 * _STEPS + 1), end / _STEPS
    rho = np.asarray(hazard(t), dtype=float)
    left, middle, right = rho[:-2:2], rho[1::2], rho[2::2]
    borders = np.concatenate([[0.0], np.cumsum(h / 6 * (left + 4 * middle + right))])
    gone = np.empty_like(t)
    gone[::2], gone[1::2] = borders, borders[:-1] + h / 24 * (5 * left + 8 * middle - right)
    survival = np.exp(-gone)
    weights = h / 6 * np.ones_like(t)
    weights[1::2] *= 4
    weights[2:-1:2] *= 2
    mean = float(weights @ survival)
    variance = float(2 * (weights @ ((t - mean) * survival)) + mean**2)
    return mean, max(variance, 0.0), float(refrac)

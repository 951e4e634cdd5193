"""Noise-free leaky neuron with a threshold that is drawn again after each spike: rate and CV."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from ...core.aliases import Time, Voltage
from ...core.errors import NsnnError
from ..arguments import out, problem

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)
_WIDTH = 9.5  # standard deviations of the threshold that are integrated over
_NEVER = 1e-12  # largest probability of a threshold that mu does not reach


def noisy_threshold_rate(
    mu: Voltage, sigma: Voltage, *, tau_m: Time, v_thresh: Voltage, v_reset: Voltage, tau_refrac: Time
) -> Any:
    """Stationary firing rate of a noise-free LIF neuron with a Gaussian threshold for each interval, in Hz.

    1/r = tau_refrac + tau_m E ln[(mu - v_reset) / (mu - theta)], theta = v_thresh + sigma z, z standard normal

    With a threshold at or below v_reset the neuron fires at release (the interval is tau_refrac). A threshold at or above mu is
    never reached and would silence the neuron forever: a probability above 1e-12 raises an error, a smaller one is neglected.
    Gauss-Legendre quadrature with 200 nodes, relative error below 1e-9.

    Parameters
    ----------
    mu : mean of the free membrane, above v_thresh by 7.04 sigma or more
    sigma : standard deviation of the threshold, >= 0; at 0 the deterministic rate
    tau_m, tau_refrac : times; v_thresh, v_reset : voltages. All broadcast

    Source: Gerstner et al. 2014, Neuronal Dynamics, ch. 9 (noisy threshold), doi 10.1017/CBO9781107447615

    >>> from brian2 import mV, ms
    >>> cell = dict(tau_m=20*ms, v_thresh=20*mV, v_reset=10*mV, tau_refrac=2*ms)
    >>> round(noisy_threshold_rate(30*mV, 1*mV, **cell), 4)
    62.639
    """
    mean, _, tau, refrac = _moments(mu, sigma, tau_m, v_thresh, v_reset, tau_refrac)
    return out(1 / (refrac + tau * mean))


def noisy_threshold_cv(
    mu: Voltage, sigma: Voltage, *, tau_m: Time, v_thresh: Voltage, v_reset: Voltage, tau_refrac: Time
) -> Any:
    """Coefficient of variation of the interspike intervals of a noise-free LIF neuron with a Gaussian threshold for each of them.

    CV = r tau_m SD of ln[(mu - v_reset) / (mu - theta)], everything else as in `noisy_threshold_rate`

    Source: Gerstner et al. 2014, Neuronal Dynamics, ch. 9 (noisy threshold), doi 10.1017/CBO9781107447615

    >>> from brian2 import mV, ms
    >>> cell = dict(tau_m=20*ms, v_thresh=20*mV, v_reset=10*mV, tau_refrac=2*ms)
    >>> round(noisy_threshold_cv(30*mV, 1*mV, **cell), 4)
    0.1269
    """
    mean, variance, tau, refrac = _moments(mu, sigma, tau_m, v_thresh, v_reset, tau_refrac)
    return out(np.sqrt(variance) / (refrac / tau + mean))


def _moments(mu, sigma, tau_m, v_thresh, v_reset, tau_refrac):
    """Mean and variance of the time from v_reset to the threshold, in tau; tau and tau_refrac."""
    p = problem(mu, sigma, tau_m=tau_m, v_thresh=v_thresh, v_reset=v_reset, tau_refrac=tau_refrac)
    level, deviation, tau, refrac, theta, reset = p
    with np.errstate(divide="ignore", invalid="ignore"):
        reach, bottom = (level - theta) / deviation, (reset - theta) / deviation
        lost = special.ndtr(-reach)
    if not np.all(lost <= _NEVER):
        raise NsnnError(
            f"mu = {mu}, sigma = {sigma}: a threshold at or above mu is drawn with probability {np.max(lost):.2g}, after which the "
            "neuron is silent forever; expected mu above v_thresh by 7.04 sigma or more"
        )
    low, high = np.maximum(bottom, -_WIDTH)[..., None], np.minimum(reach, _WIDTH)[..., None]
    z = (low + high) / 2 + (high - low) / 2 * _NODES
    weight = (high - low) / 2 * _WEIGHTS * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    gap = level[..., None] - theta[..., None] - deviation[..., None] * z
    time = np.log((level - reset)[..., None] / gap)
    mean = np.sum(weight * time, axis=-1)
    at_once = special.ndtr(bottom)
    variance = np.sum(weight * (time - mean[..., None]) ** 2, axis=-1) + at_once * mean**2
    return mean, np.where(deviation > 0, variance, 0.0), tau, refrac

"""Leaky integrate-and-fire neuron in Ornstein-Uhlenbeck noise, to first order in sqrt(tau_noise / tau_m)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.aliases import Time, Voltage
from ...models.noise import SQRT2
from ..arguments import expect, plain, problem, times
from .white_noise import siegert_rate

_ALPHA = 2.0652531522312172  # sqrt(2) |zeta(1/2)|


def coloured_rate(
    mu: Voltage,
    sigma: Voltage,
    *,
    tau_noise: Time,
    tau_m: Time,
    v_thresh: Voltage,
    v_reset: Voltage,
    tau_refrac: Time,
    shift_reset: Any = None,
    next_order: bool = False,
) -> Any:
    """Stationary firing rate of an LIF neuron in Ornstein-Uhlenbeck noise with a short correlation time, in Hz.

    Siegert's rate with sigma_B = sqrt(2) sigma sqrt(1 + tau_noise / tau_m), the threshold raised by d = sigma_B (alpha / 2) k,
    the reset by shift_reset d, k = sqrt(tau_noise / tau_m), alpha = sqrt(2) |zeta(1/2)| = 2.0652532. With `next_order` the
    threshold is mu + (v_thresh - mu) (1 + k^2 / 2) + sigma_B (alpha k - k^2) / 2.

    The noise is above its mean when the neuron fires. The excess that remains after the refractory time acts on the next interval
    like a higher reset. `shift_reset` is by default this remaining fraction, exp(-tau_refrac / tau_noise). 1 is the formula of
    Fourcaud & Brunel, for tau_refrac << tau_noise; 0 shifts the threshold only, for tau_refrac >> tau_noise.

    "Theory" in the documentation has a table of its errors. `coloured_fp_rate` has no such limits.

    Parameters
    ----------
    mu : mean of the free membrane; sigma : its standard deviation, as for `OUNoise`
    tau_noise : correlation time, >= 0, much shorter than tau_m; the others as in `siegert_rate`. All broadcast
    shift_reset : shift of the reset as a fraction of that of the threshold, 0 to 1, or None
    next_order : include terms in k^2, which are a fit for the threshold only; not for rare spikes

    Source: Fourcaud & Brunel 2002, doi 10.1162/089976602320264015; next order: Brunel & Sergi 1998,
    doi 10.1006/jtbi.1998.0782

    >>> from brian2 import mV, ms
    >>> cell = dict(tau_m=20*ms, v_thresh=20*mV, v_reset=10*mV, tau_refrac=2*ms)
    >>> rate = coloured_rate(20*mV, 5*mV / 2.1**.5, tau_noise=1*ms, shift_reset=0, **cell)    # sigma_B = 5 mV
    >>> round(rate, 3)
    21.742
    """
    memory, *_ = times(tau_noise=tau_noise, tau_m=tau_m)
    p = problem(mu, sigma, tau_m=tau_m, v_thresh=v_thresh, v_reset=v_reset, tau_refrac=tau_refrac)
    expect(memory >= 0, "tau_noise >= 0", tau_noise=tau_noise)
    if shift_reset is None:
        with np.errstate(divide="ignore", invalid="ignore"):
            fraction = np.where(p.refrac == 0, 1.0, np.exp(-p.refrac / memory))
    else:
        fraction = plain(shift_reset, "shift_reset")
        expect((fraction >= 0) & (fraction <= 1), "a fraction from 0 to 1, or None", shift_reset=shift_reset)
    k2 = memory / p.tau
    scaled = p.sigma * np.sqrt(1 + k2)
    shift = SQRT2 * scaled * _ALPHA / 2 * np.sqrt(k2)
    raised = p.theta + shift + next_order * k2 / 2 * (p.theta - p.mu - SQRT2 * scaled)
    reset = p.reset + fraction * shift
    return siegert_rate(p.mu, scaled, tau_m=p.tau, v_thresh=raised, v_reset=reset, tau_refrac=p.refrac)

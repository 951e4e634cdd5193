"""Correlation of the spike counts of two neurons with shared noise, by linear response."""

from __future__ import annotations

from typing import Any

from ..core.aliases import Time, Voltage
from .arguments import expect, out, plain, times


def count_correlation(c: Any, sigma: Voltage, *, tau_m: Time, gain: Any, rate: Any, cv: Any) -> Any:
    """Correlation coefficient of spike counts in long windows, for two equal neurons with a small fraction of shared white noise.

    rho = 2 tau_m sigma^2 (dr/dmu)^2 c / (CV^2 r)

    The drives share noise with the (two-sided) spectrum 2 tau_m sigma^2 c, which the rate follows at low frequencies with gain
    dr/dmu; the count variance of a renewal process in a long window T is CV^2 r T. rho is the quotient, to first order in c.

    Parameters
    ----------
    c : shared fraction of the noise variance (`WhiteNoise(shared=c)`), 0 to 1
    sigma, tau_m : noise and time constant, as for `siegert_rate`
    gain : dr/dmu in Hz per voltage (SI float), e.g. `siegert_gain` or `fp_susceptibility` at 0
    rate : Hz (SI float); cv : of the intervals

    Source: de la Rocha et al. 2007, doi 10.1038/nature06028

    >>> from nsnn_neuro.theory import siegert_cv, siegert_gain, siegert_rate
    >>> neuron = dict(tau_m=1.0, v_thresh=1.0, v_reset=0.0, tau_refrac=0.0)
    >>> sigma = 0.4 / 2**.5
    >>> moments = dict(gain=siegert_gain(0.8, sigma, **neuron), rate=siegert_rate(0.8, sigma, **neuron))
    >>> round(count_correlation(0.1, sigma, tau_m=1.0, cv=siegert_cv(0.8, sigma, **neuron), **moments), 5)
    0.0798
    """
    (tau,) = times(tau_m=tau_m)
    fraction, deviation = plain(c, "c"), plain(sigma, "sigma")
    expect((fraction >= 0) & (fraction <= 1), "a fraction from 0 to 1", c=c)
    slope, frequency, variation = plain(gain, "gain"), plain(rate, "rate"), plain(cv, "cv")
    return out(2 * tau * deviation**2 * slope**2 * fraction / (variation**2 * frequency))

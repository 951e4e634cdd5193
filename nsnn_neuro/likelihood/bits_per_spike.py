"""Bits per spike: a log-likelihood relative to that of neurons with a constant spike probability."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, xlogy

from ..core.errors import NsnnError
from ..measures import Estimate

_PARTS = 20  # of the data, for the standard error


def bits_per_spike(logs: np.ndarray, o: np.ndarray) -> Estimate:
    """(log2 P(O|x) - log2 P0(O)) / n_spikes from the log-likelihood of each step (n,), nats, and its spikes (n,) or (n, n_neurons).

    P0: homogeneous Bernoulli neurons, each with the spike probability of these data; homogeneous Poisson neurons if a step has
    several spikes, and `warning` then says so.
    """
    o = o.reshape(len(o), -1)
    n = o.sum()
    if n == 0:
        raise NsnnError("trains hold no spikes: expected some, as the score is per spike")
    rate = o.mean(axis=0)
    counts = o.max() > 1
    if counts:
        constant = (xlogy(o, rate) - rate - gammaln(o + 1)).sum(axis=1)
    else:
        constant = (xlogy(o, rate) + xlogy(1 - o, 1 - rate)).sum(axis=1)
    gain = (logs - constant) / np.log(2)
    value = gain.sum() / n
    parts = np.array_split(np.arange(len(gain)), min(_PARTS, len(gain)))
    rest = np.array([gain[k].sum() - value * o[k].sum() for k in parts])
    k = len(parts)
    se = np.sqrt(k / (k - 1) * np.sum(rest**2)) / n if k > 1 else np.nan
    note = "steps with several spikes: relative to a Poisson process of constant rate" if counts else None
    return Estimate(
        float(value), float(se), n=int(n), unit="bit/spike", se_method=f"{k} consecutive parts", warning=note
    )

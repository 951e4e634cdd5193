"""Goodness of fit by the time-rescaling theorem, exact for spikes in steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import kstest

from ..errors import NsnnError

__all__ = ["Rescaled", "rescale"]


@dataclass(frozen=True, eq=False)
class Rescaled:
    """Rescaled intervals, uniform on (0, 1) and independent if the model is true; made by `NeuronFit.rescaled`.

    >>> import numpy as np
    >>> Rescaled(np.array([0.1, 0.4, 0.8]), 0.233, 0.97).n
    3
    """

    z: np.ndarray
    """(n,) 1 - exp(-integrated hazard between spikes)"""
    ks: float
    """Kolmogorov-Smirnov distance of z from the uniform law"""
    p: float
    """its exact p-value; too large for data that the model was fitted to, as the parameters have adapted to them"""

    @property
    def n(self) -> int:
        """Number of intervals."""
        return len(self.z)


def rescale(log_silence: np.ndarray, o: np.ndarray, seed: int) -> Rescaled:
    """From log(1 - p) of each step and its spikes, (n,), trials one after another.

    Between two spikes the hazards q = -log(1 - p) of the steps without one add up; the step with the spike adds the part
    -log(1 - r p), r uniform on (0, 1): where in the step the spike would have been. The sum is exponential, mean 1.
    What remains after a trial's last spike is carried on into the next trial, so that nothing is censored but the very end.
    """
    spikes = np.flatnonzero(o)
    if spikes.size == 0:
        raise NsnnError("trains hold no spikes: expected some, to rescale the intervals between them")
    r = np.random.default_rng(seed).random(spikes.size)
    hazard = np.where(o == 1, 0.0, -log_silence)
    total = np.concatenate([[0.0], np.cumsum(hazard)])[spikes]
    within = -np.log1p(r * np.expm1(log_silence[spikes]))
    z = -np.expm1(-(np.diff(total, prepend=0.0) + within))
    test = kstest(z, "uniform")
    return Rescaled(z, float(test.statistic), float(test.pvalue))

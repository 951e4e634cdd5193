"""Goodness of fit by the time-rescaling theorem, exact in discrete time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import kstest

from ..core.errors import NsnnError


@dataclass(frozen=True, eq=False)
class Rescaled:
    """Rescaled intervals, independent and uniform on (0, 1) if the model is true; from `NeuronFit.rescaled`, or `Rescaled.of` for
    any other model.

    >>> import numpy as np
    >>> Rescaled(np.array([0.1, 0.4, 0.8]), 0.233, 0.97).n
    3
    """

    z: np.ndarray
    """(n,) 1 - exp(-integrated hazard between spikes)"""
    ks: float
    """Kolmogorov-Smirnov distance of z from the uniform law"""
    p: float
    """its exact p-value; too large for data that the model was fitted to"""

    def __repr__(self) -> str:
        return f"Rescaled: {self.n} intervals, Kolmogorov-Smirnov distance {self.ks:.3g}, p = {self.p:.2g}"

    @property
    def n(self) -> int:
        """Number of intervals."""
        return len(self.z)

    @classmethod
    def of(cls, probability: Any, spikes: Any, *, seed: int = 0) -> Rescaled:
        """Test any model, from its probability of a spike in each step given the past.

        Parameters
        ----------
        probability : (n_steps,) from 0 to below 1, above 0 where a spike is; trials of (n_trials, n_steps) are concatenated
        spikes : of the same shape, 1 in a step with a spike, else 0
        seed : of the position of spikes within steps

        Source: Brown et al. 2002, doi 10.1162/08997660252741149; Haslinger et al. 2010, doi 10.1162/NECO_a_00015

        >>> import numpy as np
        >>> spikes = np.random.default_rng(1).random(10_000) < 0.05
        >>> Rescaled.of(np.full(10_000, 0.05), spikes).p > 0.01, Rescaled.of(np.full(10_000, 0.1), spikes).p < 1e-6
        (True, True)
        """
        p, o = np.asarray(probability, dtype=float), np.asarray(spikes, dtype=float)
        if p.shape != o.shape:
            raise NsnnError(
                f"probability has the shape {p.shape}, spikes {o.shape}: expected one number for each step"
            )
        if not np.all((o == 0) | (o == 1)):
            raise NsnnError("spikes: expected 1 in a step with a spike, else 0")
        if not np.all((p >= 0) & (p < 1)) or np.any(p[o == 1] == 0):
            raise NsnnError("probability: expected numbers from 0 to below 1, above 0 where a spike is")
        return rescale(np.log1p(-p.ravel()), o.ravel(), seed)


def rescale(log_silence: np.ndarray, o: np.ndarray, seed: int) -> Rescaled:
    """Rescale intervals, from log(1 - p) and the spikes of each step, (n,), trials concatenated.

    Hazards -log(1 - p) of silent steps add up; a step with a spike adds -log(1 - r p), r uniform: its place within the step."""
    spikes = np.flatnonzero(o)
    if spikes.size and o.max() > 1:
        raise NsnnError(
            "trains have several spikes in a step: expected one at most, to rescale intervals; fit with a smaller dt"
        )
    if spikes.size == 0:
        raise NsnnError("trains hold no spikes: expected some, to rescale the intervals between them")
    r = np.random.default_rng(seed).random(spikes.size)
    hazard = np.where(o == 1, 0.0, -log_silence)
    total = np.concatenate([[0.0], np.cumsum(hazard)])[spikes]
    within = -np.log1p(r * np.expm1(log_silence[spikes]))
    z = -np.expm1(-(np.diff(total, prepend=0.0) + within))
    test = kstest(z, "uniform")
    return Rescaled(z, float(test.statistic), float(test.pvalue))

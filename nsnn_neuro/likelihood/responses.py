"""How probable the spikes of a step are, given its potential: a spike or none with an escape family, or Poisson counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import gammaln

from ..core.errors import NsnnError
from ..models.escape import Family, Gaussian, Logistic
from ..models.escape.families import dimensionless
from ..models.log_odds import curvature, gaussian_curvature, observed, tails

_HIGHEST = 500.0  # potential of a Poisson model; beyond, its rate is infinite to a fit


@dataclass(frozen=True)
class Poisson:
    """Spike counts of a Poisson process, the usual generalised linear model: P(n) = r^n exp(-r) / n!, r = exp(a) spikes per step.

    Pass it as `family=` to `fit_neuron`. A step may have several spikes. Unlike the probability of an escape family r has no upper
    limit, so a model with history or coupling may run away in simulations.

    Source: McCullagh & Nelder 1989, doi 10.1007/978-1-4899-3242-6; Truccolo et al. 2005, doi 10.1152/jn.00697.2004

    >>> Poisson().rate(np.log([0.5, 2.0])).round(12).tolist()
    [0.5, 2.0]
    """

    potential_is = "log rate (1"  # label of an axis; its unit follows

    def rate(self, potential: Any) -> np.ndarray:
        """exp(potential), the expected number of spikes in a step."""
        return np.exp(np.minimum(np.asarray(potential, dtype=float), _HIGHEST))


def check_family(family: Any) -> Family | Poisson:
    """A dimensionless escape family of one scale, or `Poisson()`."""
    if isinstance(family, Poisson):
        return family
    if isinstance(family, type) and issubclass(family, Poisson):
        raise NsnnError("family = Poisson: expected an object, Poisson()")
    return dimensionless(family, one_scale=True)


class SpikeOrNone:
    """One spike with probability F(a), else none."""

    def __init__(self, family: Family, a: np.ndarray, o: np.ndarray) -> None:
        self.family, self.a, self.fired = family, a, o == 1

    @cached_property
    def tails(self) -> Any:
        """Log-probabilities and their slopes."""
        return tails(self.family, self.a)

    @cached_property
    def _observed(self) -> tuple[np.ndarray, np.ndarray]:
        if isinstance(self.family, Gaussian | Logistic):  # one tail in place of two
            return observed(self.family, self.a, self.fired)
        at = self.tails
        return np.where(self.fired, at.log_spike, at.log_silence), np.where(self.fired, at.up, -at.down)

    @property
    def log_likelihood(self) -> np.ndarray:
        """(n,) nats"""
        return self._observed[0]

    @property
    def log_silence(self) -> np.ndarray:
        """(n,) log(1 - P(spike))"""
        return np.asarray(self.tails.log_silence)

    @property
    def slope(self) -> np.ndarray:
        """(n,) derivative of the log-likelihood: minus the learning signal, times the density"""
        return self._observed[1]

    @property
    def information(self) -> np.ndarray:
        """(n,) expected Fisher information about a"""
        return np.asarray(self.tails.up * self.tails.down)

    @property
    def curvature(self) -> np.ndarray | None:
        """(n,) minus the second derivative of the log-likelihood; None where f' is unknown"""
        if isinstance(self.family, Gaussian):
            return gaussian_curvature(self.family, self.a, self.fired, self.slope)
        each = curvature(self.family, self.a, self.tails)
        return None if each is None else np.where(self.fired, *each)


class Counts:
    """Poisson counts with mean exp(a)."""

    def __init__(self, a: np.ndarray, o: np.ndarray) -> None:
        self.a, self.o, self.rate = a, o, Poisson().rate(a)
        self.information = self.curvature = self.rate
        self.slope, self.log_silence = o - self.rate, -self.rate

    @property
    def log_likelihood(self) -> np.ndarray:
        """(n,) nats, of the counts"""
        return self.o * self.a - self.rate - gammaln(self.o + 1)

    @property
    def log_event(self) -> np.ndarray:
        """(n,) of one spike or more where there is one, else of none: what an escape family gives the probability of"""
        few = np.maximum(self.rate, 1e-300)
        return np.where(self.o > 0, np.log(-np.expm1(-few)), -self.rate)


def response(family: Family | Poisson, a: np.ndarray, o: np.ndarray) -> SpikeOrNone | Counts:
    """The observed spikes o (n,) at potentials a (n,)."""
    return Counts(a, o) if isinstance(family, Poisson) else SpikeOrNone(family, a, o)


def width(family: Family | Poisson) -> float:
    """Scale of potentials: 1 / f(0) of a family, 1 of `Poisson`."""
    return 1.0 if isinstance(family, Poisson) else 1.0 / float(np.max(family.pdf(0.0)))

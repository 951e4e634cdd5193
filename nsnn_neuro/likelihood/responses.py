"""How probable spikes are given potentials, and the log-likelihood with its derivatives; traces of a leaky membrane."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import gammaln

from ..core.checks import non_negative
from ..core.errors import NsnnError
from ..core.numba_jit import njit
from ..core.parallel import narrow_products
from ..models.escape import Family, Gaussian, Logistic
from ..models.escape.families import dimensionless
from ..models.log_odds import curvature, gaussian_curvature, observed, tails
from .data import Data

_SMALL = 0.01  # dispersion times mean, below which a series is used
_HIGHEST = 500.0  # potential of a Poisson model; beyond, its rate is infinite to a fit
_ROWS = 2**12  # of a piece, which fits into the processor's cache
_ROWS_OF_A_PRODUCT, _WIDE = 2**11, 64  # of a product; columns from which on threads of BLAS pay off


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


@dataclass(frozen=True)
class NegativeBinomial(Poisson):
    """Spike counts more variable than Poisson's: mean m = exp(a), variance m + d m^2, d the dispersion.

    They are Poisson counts whose rate is multiplied in each step by a gain of variance d (a gamma distribution of mean 1). Pass it
    as `family=` to `fit_neuron`, with steps dt in which several spikes are common; d -> 0 is `Poisson()`.

    dispersion : d, a number from 0, or None: fitted, and the last of the parameters

    Source: Lawless 1987, doi 10.2307/3314912; spikes: Goris, Movshon & Simoncelli 2014, doi 10.1038/nn.3711

    >>> NegativeBinomial(0.5).variance(np.log([0.5, 2.0])).round(12).tolist()
    [0.625, 4.0]
    """

    dispersion: float | None = None

    def __post_init__(self) -> None:
        if self.dispersion is not None:
            non_negative(self.dispersion, "dispersion")

    def variance(self, potential: Any) -> np.ndarray:
        """m + d m^2 of the count in a step; NaN before d is fitted."""
        mean = self.rate(potential)
        return mean + (np.nan if self.dispersion is None else self.dispersion) * mean**2


def check_family(family: Any) -> Family | Poisson:
    """A dimensionless escape family of one scale, `Poisson()` or `NegativeBinomial()`."""
    if isinstance(family, Poisson):
        return family
    if isinstance(family, type) and issubclass(family, Poisson):
        raise NsnnError(f"family = {family.__name__}: expected an object, {family.__name__}()")
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
    def moments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(n,) mean and variance of a step's spikes, and the mean's derivative by a over the variance"""
        q = np.exp(self.tails.log_spike)
        return q, q * (1 - q), self.tails.up + self.tails.down

    @property
    def curvature(self) -> np.ndarray | None:
        """(n,) minus the second derivative of the log-likelihood; None where f' is unknown"""
        if isinstance(self.family, Gaussian):
            return gaussian_curvature(self.family, self.a, self.fired, self.slope)
        each = curvature(self.family, self.a, self.tails)
        return None if each is None else np.where(self.fired, *each)


class Counts:
    """Poisson or negative binomial counts with mean exp(a)."""

    def __init__(self, family: Poisson, a: np.ndarray, o: np.ndarray) -> None:
        self.a, self.o, self.rate = a, o, family.rate(a)
        self.dispersion = d = float(getattr(family, "dispersion", 0.0) or 0.0)
        self.slope, self.log_silence = o - self.rate, -self.rate
        self.information = self.curvature = self.rate
        if d > 0:
            self.widened = 1 + d * self.rate
            self.log_silence = -np.log1p(d * self.rate) / d
            self.slope, self.information = self.slope / self.widened, self.rate / self.widened
            self.curvature = self.information * (1 + d * o) / self.widened

    @property
    def log_likelihood(self) -> np.ndarray:
        """(n,) nats, of the counts"""
        logs, d = self.o * self.a + self.log_silence - gammaln(self.o + 1), self.dispersion
        return logs + d * self.o * self.log_silence + self._before(np.log1p, d) if d > 0 else logs

    @property
    def moments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(n,) as of `SpikeOrNone`"""
        gain = self.information / np.maximum(self.rate, 1e-300)
        return self.rate, self.rate / np.maximum(gain, 1e-300), gain

    @property
    def log_event(self) -> np.ndarray:
        """(n,) of one spike or more where there is one, else of none: what an escape family gives the probability of"""
        few = np.minimum(self.log_silence, -1e-300)
        return np.where(self.o > 0, np.log(-np.expm1(few)), self.log_silence)

    @property
    def by_dispersion(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(n,) derivatives of the log-likelihood by d: the first, the second, and that by d and a."""
        m, d = self.rate, self.dispersion
        x, widened = d * m, 1 + d * m
        small, k = np.minimum(x, _SMALL), np.arange(9)
        # (log(1 + x) - x / (1 + x)) / x^2 and its derivative, by their series where x is small
        series = [
            np.polynomial.polynomial.polyval(
                small, (-1.0) ** (k + i) * (k + 1) ** i * (k + 1 + i) / (k + 2 + i)
            )
            for i in (0, 1)
        ]
        safe = np.maximum(x, _SMALL)
        g = np.where(x < _SMALL, series[0], (np.log1p(safe) - safe / (1 + safe)) / safe**2)
        bend = np.where(x < _SMALL, series[1], 1 / (safe * (1 + safe) ** 2) - 2 * g / safe)
        first = self._before(lambda j: j / (1 + d * j)) + m**2 * g - self.o * m / widened
        second = m**3 * bend + self.o * m**2 / widened**2 - self._before(lambda j: (j / (1 + d * j)) ** 2)
        return first, second, -(self.o - m) * m / widened**2

    def _before(self, function: Callable[[np.ndarray], np.ndarray], scale: float = 1.0) -> np.ndarray:
        """(n,) sum over j < o of function(scale j)."""
        j = np.arange(self.o.max(initial=0.0))
        return np.append(0.0, np.cumsum(function(scale * j)))[self.o.astype(int)]


def response(family: Family | Poisson, a: np.ndarray, o: np.ndarray) -> SpikeOrNone | Counts:
    """The observed spikes o (n,) at potentials a (n,)."""
    return Counts(family, a, o) if isinstance(family, Poisson) else SpikeOrNone(family, a, o)


def width(family: Family | Poisson) -> float:
    """Scale of potentials: 1 / f(0) of a family, 1 of `Poisson`."""
    return 1.0 if isinstance(family, Poisson) else 1.0 / float(np.max(family.pdf(0.0)))


@dataclass(frozen=True, eq=False)
class Value:
    """The log-likelihood at one set of parameters, in nats."""

    log_likelihood: float
    gradient: np.ndarray  # (n_parameters,)
    traces: np.ndarray  # (n, n_parameters) derivatives of the potential by the parameters
    potential: np.ndarray  # (n,) of the membrane, `a` in formulas
    logs: np.ndarray  # (n,) log-likelihood of each step, also of refractory ones
    family: Family | Poisson
    data: Data
    known_curvature: np.ndarray | None = None  # the curvature, if it was computed in the same pass

    @cached_property
    def information(self) -> np.ndarray:
        """(n_parameters, n_parameters) expected Fisher information along the recorded spikes."""
        total = self._weighted("information")
        assert total is not None
        return total

    @cached_property
    def curvature(self) -> np.ndarray | None:
        """(n_parameters, n_parameters) observed curvature without that of beta's trace; None for a family whose f' is unknown."""
        return self._weighted("curvature") if self.known_curvature is None else self.known_curvature

    def _weighted(self, name: str) -> np.ndarray | None:
        """The sum of products of traces, weighted by what the response of each step has under this name."""
        total, family = np.zeros((self.traces.shape[1],) * 2), _with_known_scale(self.family)
        for rows in _pieces(len(self.logs)):
            each = getattr(response(family, self.potential[rows], self.data.o[rows]), name)
            if each is None:
                return None
            total += gram(self.traces[rows], self.data.weighted(each, rows))
        return total

    @property
    def response(self) -> SpikeOrNone | Counts:
        """Of all steps."""
        return response(self.family, self.potential, self.data.o)

    @property
    def log_events(self) -> np.ndarray:
        """(n,) log-likelihood of each step, 0 while refractory; of Poisson counts that are all 0 or 1 that of a spike or none."""
        seen = self.response if self.data.o.max(initial=0) <= 1 else None
        logs = seen.log_event if isinstance(seen, Counts) else self.logs
        return np.where(self.data.free, logs, 0.0)


def evaluated(
    family: Family | Poisson,
    data: Data,
    traces: np.ndarray,
    potential: Callable[[slice], np.ndarray],
    curved: bool,
) -> Value:
    """The value (curved: with its curvature) of rows with these traces and potentials, in pieces that fit into the cache."""
    n, k = traces.shape
    a, logs, gradient = np.empty(n), np.empty(n), np.zeros(k)
    curvature, known = np.zeros((k, k)) if curved else None, _with_known_scale(family)
    for rows in _pieces(n):
        x, a[rows] = traces[rows], potential(rows)
        seen = response(known, a[rows], data.o[rows])
        logs[rows], slope = seen.log_likelihood, seen.slope
        gradient += data.weighted(slope, rows) @ x
        if curvature is not None:
            each = seen.curvature
            curvature = None if each is None else curvature + gram(x, data.weighted(each, rows))
    counted = logs if data.weight is None else data.weight * logs
    total = float((counted if data.free.all() else counted[data.free]).sum())
    return Value(total, gradient, traces, a, logs, family, data, curvature)


def _with_known_scale(family: Family | Poisson) -> Family | Poisson:
    """A family whose scale is read and converted once, not for each piece."""
    return family if isinstance(family, Poisson) else family.with_si({})


def _pieces(n: int) -> Iterator[slice]:
    return (slice(first, min(n, first + _ROWS)) for first in range(0, n, _ROWS))


def gram(columns: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sum over rows of weight x x^T, (k, k), in pieces that fit into the processor's cache; columns (n, k), weight (n,)."""
    total = np.zeros((columns.shape[1], columns.shape[1]))
    with narrow_products(columns.shape[1] < _WIDE):
        for first in range(0, len(columns), _ROWS_OF_A_PRODUCT):
            x = columns[first : first + _ROWS_OF_A_PRODUCT]
            total += x.T @ (weight[first : first + _ROWS_OF_A_PRODUCT, None] * x)
    return total


@njit(cache=True)
def leak(inputs: np.ndarray, kept: np.ndarray, beta: float) -> np.ndarray:
    """y(t) = inputs(t) + beta kept(t) y(t - 1), (n, k)."""
    y = inputs.copy()
    if beta != 0.0:
        for t in range(1, len(inputs)):
            factor = beta * kept[t]
            if factor != 0.0:
                for k in range(inputs.shape[1]):
                    y[t, k] += factor * y[t - 1, k]
    return y

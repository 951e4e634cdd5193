"""The log-likelihood at one set of parameters, with gradient, information and curvature; eligibility traces of a leaky membrane."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..core.numba_jit import njit
from ..core.parallel import narrow_products
from ..models.escape import Family
from .data import Data
from .responses import Counts, Poisson, SpikeOrNone, response

_ROWS = 2**12  # of a piece, which fits into the processor's cache
_ROWS_OF_A_PRODUCT, _WIDE = 2**11, 64  # of a product; columns from which on threads of BLAS pay off


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
            total += gram(self.traces[rows], np.where(self.data.free[rows], each, 0.0))
        return total

    @property
    def response(self) -> SpikeOrNone | Counts:
        """Of all steps."""
        return response(self.family, self.potential, self.data.o)

    @property
    def log_events(self) -> np.ndarray:
        """(n,) log-likelihood of each step, 0 while refractory; of Poisson counts that are all 0 or 1 that of a spike or none."""
        few = isinstance(self.family, Poisson) and self.data.o.max(initial=0) <= 1
        logs = Counts(self.potential, self.data.o).log_event if few else self.logs
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
        x, free = traces[rows], data.free[rows]
        a[rows] = potential(rows)
        seen = response(known, a[rows], data.o[rows])
        logs[rows], slope = seen.log_likelihood, seen.slope
        gradient += (slope if free.all() else np.where(free, slope, 0.0)) @ x
        if curvature is not None:
            each = seen.curvature
            curvature = None if each is None else curvature + gram(x, np.where(free, each, 0.0))
    total = float((logs if data.free.all() else logs[data.free]).sum())
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

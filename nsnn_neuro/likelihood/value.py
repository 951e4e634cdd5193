"""The log-likelihood at one set of parameters, with gradient, information and curvature; eligibility traces of a leaky membrane."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..core.numba_jit import njit
from .data import Data
from .responses import Counts, SpikeOrNone

_ROWS = 2**11  # of a piece


@dataclass(frozen=True, eq=False)
class Value:
    """The log-likelihood at one set of parameters, in nats."""

    log_likelihood: float
    gradient: np.ndarray
    """(n_parameters,)"""
    traces: np.ndarray
    """(n, n_parameters) da/dparameter"""
    potential: np.ndarray
    """(n,) a"""
    response: SpikeOrNone | Counts
    data: Data

    @cached_property
    def information(self) -> np.ndarray:
        """(n_parameters, n_parameters) expected Fisher information along the recorded spikes."""
        return self._weighted(self.response.information)

    @cached_property
    def curvature(self) -> np.ndarray | None:
        """(n_parameters, n_parameters) minus the second derivatives of the log-likelihood, without those of beta's trace.

        None for a family whose f' is unknown.
        """
        each = self.response.curvature
        return None if each is None else self._weighted(each)

    def _weighted(self, weight: np.ndarray) -> np.ndarray:
        return gram(self.traces, weight * self.data.free)


def gram(columns: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sum over rows of weight x x^T, (k, k), in pieces that fit into the processor's cache; columns (n, k), weight (n,)."""
    total = np.zeros((columns.shape[1], columns.shape[1]))
    for first in range(0, len(columns), _ROWS):
        x = columns[first : first + _ROWS]
        total += x.T @ (weight[first : first + _ROWS, None] * x)
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

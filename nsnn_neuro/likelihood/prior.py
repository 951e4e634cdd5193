"""Penalties of fits: a ridge, which keeps filters small, and a smoothness prior, which keeps them smooth over lags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import block_diag

from ..core.errors import NsnnError
from ..core.units import si
from .data import Data
from .model import NeuronModel


@dataclass(frozen=True)
class Prior:
    """Gaussian priors on filters, as penalties p.P.p / 2 in nats: the `ridge` and `smoothness` of `fit_neuron`.

    Bias, threshold and beta have no penalty, products of traces only the ridge's."""

    ridge: float = 0.0
    smoothness: float = 0.0

    def matrix(self, model: NeuronModel, data: Data) -> np.ndarray:
        """P (n_parameters, n_parameters)."""
        squares = np.concatenate([np.einsum("ij,ij->j", x, x) / len(x) for x in (data.drive, data.history)])
        # of one that is always 0: it stays 0
        inner = self.ridge * np.diag(np.where(squares > 0, squares, 1.0))
        if self.smoothness:
            inner = inner + self.smoothness * self._roughness(model, data, squares)
        rest = len(model.names) - 1 - len(squares)
        return np.pad(inner, (1, rest))

    def _roughness(self, model: NeuronModel, data: Data, squares: np.ndarray) -> np.ndarray:
        stimulus, history = model.bases()
        filters = [stimulus] * model.channels * bool(stimulus.size) + model.coupling_bases()
        n_products = data.drive.shape[1] - sum(one.shape[1] for one in filters)
        parts, first = [], 0
        for basis in [*filters, None, history]:
            n = n_products if basis is None else basis.shape[1]
            if basis is None or not basis.size:
                parts.append(np.zeros((n, n)))
            else:
                bends = np.diff(basis, 2, axis=0)
                scale = squares[first : first + n].sum() / np.sum(basis**2)
                parts.append(scale * (bends.T @ bends))
            first += n
        return np.asarray(block_diag(*(part for part in parts if part.size))) if first else np.zeros((0, 0))


def strength(value: Any, name: str, expected: str = "a number from 0") -> float:
    """The strength of a penalty as a number from 0."""
    number = np.nan if isinstance(value, str) else si(value, "1", name)
    if np.ndim(number) or not 0 <= number < np.inf:
        raise NsnnError(f"{name} = {value!r}: expected {expected}")
    return float(number)

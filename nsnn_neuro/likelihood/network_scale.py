"""Scales of two-layer fits: standardised inputs, first weights, and losses in bits per spike."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from scipy.special import xlogy

from ..core.errors import NsnnError
from .fisher_scoring import quantile
from .network import NetworkModel

_BUSY = 0.3  # share of steps in which a hidden neuron near threshold fires, roughly


@dataclasses.dataclass(frozen=True)
class Scale:
    """Standardises columns, so that one learning rate fits all, and maps them to 0 to 1, the range of `train`."""

    mean: np.ndarray
    sd: np.ndarray
    low: np.ndarray
    span: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, everything: np.ndarray) -> Scale:
        """From the mean and variance of x, and the range of everything."""
        mean, sd = x.mean(axis=0), x.std(axis=0)
        mean[0], sd[0] = 0.0, 1.0
        if np.any(sd == 0):
            raise NsnnError(
                f"stimulus[{np.flatnonzero(sd == 0)[0] - 1}]: nothing reaches it in these data; drop it"
            )
        z = (everything - mean) / sd
        low = z.min(axis=0)
        low[0] = 0.0
        return cls(mean, sd, low, z.max(axis=0) - low)

    def standardised(self, x: np.ndarray) -> np.ndarray:
        """(..., n_in) with the mean 0 and the variance 1 in the data that the scale is of."""
        return np.asarray((x - self.mean) / self.sd)

    def scaled(self, x: np.ndarray) -> np.ndarray:
        """(n, n_in) from 0 to 1."""
        return np.asarray(np.clip(((x - self.mean) / self.sd - self.low) / self.span, 0.0, 1.0))  # rounding

    def unscaled(self, w: np.ndarray) -> np.ndarray:
        """Weights of the original columns, from those of the scaled ones."""
        original = w / self.sd[:, None]
        original[0] -= self.mean[1:] @ original[1:]
        return original


def start(
    model: NetworkModel, o: np.ndarray, width: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Random first weights with an effect of about the noise's width: hidden neurons near threshold, outputs at the rates of o."""
    first, second = (rng.normal(0.0, width / np.sqrt(n - 1), (n, m)) for n, m in model.shapes)
    first[0] = (1 - model.hidden.si("beta")) * model.hidden.si("theta")
    rates = np.minimum(o.mean(axis=0), 1 - 0.5 / len(o))  # a neuron may fire in every step
    middle = np.array([quantile(model.family, rate) for rate in rates])
    busy = _BUSY * second[1:].sum(axis=0)
    second[0] = (1 - model.output.si("beta")) * (model.output.si("theta") + middle) - busy
    return first, second


def bits(loss: Any, o: np.ndarray) -> np.ndarray:
    """Bits per spike over homogeneous neurons, from a mean loss per window (nats) of spikes o (n, n_steps, n_outputs)."""
    if not o.sum():
        return np.full(len(loss), np.nan)
    p = o.mean(axis=(0, 1))
    entropy = -o.shape[1] * np.sum(xlogy(p, p) + xlogy(1 - p, 1 - p))
    return np.asarray((entropy - loss) * len(o) / o.sum() / np.log(2))

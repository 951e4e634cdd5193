"""Cross-validation in blocks of time: the likelihood of each block under a fit to the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.checks import whole
from ..core.errors import NsnnError
from ..measures import Estimate
from .bits_per_spike import bits_per_spike
from .data import Data
from .fisher_scoring import maximise
from .model import NeuronModel
from .prior import Prior
from .responses import Poisson

RIDGES = (0.01, 0.1, 1.0, 10.0, 100.0)
"""strengths that ridge="cv" tries"""


def blocks(data: Data, n_folds: Any) -> np.ndarray:
    """The fold (n,) of each step: every trial is cut into `n_folds` blocks in time of nearly equal length."""
    whole(n_folds, 2, "n_folds")
    begins = np.flatnonzero(data.begins)
    lengths = np.diff(np.append(begins, len(data.o)))
    if lengths.min() < n_folds:
        raise NsnnError(
            f"n_folds = {n_folds}: the shortest trial has {lengths.min()} steps; expected fewer folds"
        )
    return np.concatenate([np.arange(n) * int(n_folds) // n for n in lengths])


def held_out(
    model: NeuronModel, data: Data, prior: Prior, n_folds: int, near: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihood (n,) of each step, nats, under the fit to the other blocks; and parameters (n_folds, n_parameters).

    Membrane and history run through all steps; a left-out block only has no weight in the fit.
    """
    fold = blocks(data, n_folds)
    logs, values = np.zeros(len(data.o)), []
    for k in range(n_folds):
        out = fold == k
        rest = replace(data, free=data.free & ~out)
        full = np.all(data.o[rest.free] == 1) and not isinstance(model.family, Poisson)
        if not data.o[rest.free].any() or full:
            raise NsnnError(
                f"n_folds = {n_folds}: without block {k} no spikes, or no silent steps, are left; expected fewer folds"
            )
        p = maximise(model, rest, prior, near)[0]
        logs[out] = model.probability(p, data)[1][out]
        values.append(p)
    return logs, np.array(values)


def best_ridge(
    model: NeuronModel, data: Data, ridges: Sequence[float], smoothness: float, n_folds: int
) -> tuple[float, dict[float, Estimate]]:
    """The strength with the highest cross-validated likelihood, and the bits per spike of each that can be fitted."""
    scores: dict[float, Estimate] = {}
    near, reason = None, ""
    for ridge in sorted(ridges, reverse=True):  # from the strongest, whose fit is the start of the next
        prior = Prior(ridge, smoothness)
        try:
            if model.beta != "fit":
                near = maximise(model, data, prior, near)[0]
            scores[ridge] = bits_per_spike(held_out(model, data, prior, n_folds, near)[0], data.o)
        except NsnnError as error:
            reason = str(error)
    if not scores:
        raise NsnnError(
            f'ridge = "cv": no strength among {sorted(ridges)} can be fitted to all folds: {reason}'
        )
    return max(scores, key=lambda one: scores[one].value), scores

"""Cross-validation in blocks of time: the likelihood of each block under a fit to the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.checks import whole
from ..core.errors import NsnnError
from ..core.warn import warn
from ..measures import Estimate
from .data import Data
from .dispersion import maximise
from .model import NeuronModel
from .prior import Prior
from .responses import Poisson
from .scores import bits_per_spike

RIDGES = (0.01, 0.1, 1.0, 10.0, 100.0)
"""strengths that ridge="cv" tries first"""
_RANGE = 1e-6, 1e6  # the weakest and the strongest that it tries
_FLAT = 1e-4  # bits per spike: a gain that is none


def blocks(data: Data, n_folds: Any) -> np.ndarray:
    """The fold (n,) of each step: every trial is cut into `n_folds` blocks in time."""
    whole(n_folds, 2, "n_folds")
    begins = np.flatnonzero(data.begins)
    lengths = np.diff(np.append(begins, len(data.o)))
    if lengths.min() < n_folds:
        raise NsnnError(f"n_folds = {n_folds}: the shortest trial has {lengths.min()} steps; expected fewer")
    return np.concatenate([np.arange(n) * int(n_folds) // n for n in lengths])


def held_out(
    model: NeuronModel,
    data: Data,
    prior: Prior,
    n_folds: int,
    near: np.ndarray | None = None,
    search: Callable[..., Any] = maximise,
) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihood (n,) of held-out steps, nats; parameters (n_folds, n_parameters).

    Membrane and history run through all steps; a left-out block only has no weight in the fit."""
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
        p = search(model, rest, prior, near)[0]
        logs[out] = model.probability(p, data)[1][out]
        values.append(p)
    return logs, np.array(values)


def best_ridge(
    model: NeuronModel, data: Data, smoothness: float, n_folds: int
) -> tuple[float, dict[float, Estimate]]:
    """The strength with the best held-out likelihood, and bits per spike of each one; see `fit_neuron` on which are tried."""
    scores: dict[float, Estimate] = {}
    starts: dict[float, np.ndarray | None] = {}
    reason = ""

    def try_ridge(ridge: float, beside: float | None) -> float:
        """Score a strength; the gain over the one beside it, whose fit is the start, or NaN without a fit."""
        nonlocal reason
        prior, near = Prior(ridge, smoothness), None if beside is None else starts[beside]
        try:
            if model.beta != "fit":
                near = maximise(model, data, prior, near)[0]
            scores[ridge] = bits_per_spike(held_out(model, data, prior, n_folds, near)[0], data.o)
        except NsnnError as error:
            reason = str(error)
            return np.nan
        starts[ridge] = near
        return np.nan if beside is None else scores[ridge].value - scores[beside].value

    def best() -> float:
        return max(scores, key=lambda one: scores[one].value)

    for ridge in sorted(RIDGES, reverse=True):
        try_ridge(ridge, min(scores, default=None))
    if not scores:
        raise NsnnError(f'ridge = "cv": no strength among {RIDGES} can be fitted to all folds: {reason}')
    gain = np.nan
    for end, factor in ((min, 0.1), (max, 10.0)):
        while best() == (edge := end(scores)) and _RANGE[0] < edge < _RANGE[1]:
            gain = try_ridge(float(f"{edge * factor:.3g}"), edge)
            if not gain > _FLAT:
                break
    if best() == max(scores):
        warn(
            f'ridge = "cv" chose {best():g}, the strongest of {len(scores)} that it tried: held-out spikes are predicted best '
            "without stimulus, coupling and history; leave regressors out, or record more spikes"
        )
    elif best() == min(scores) and not gain <= _FLAT:
        warn(
            f'ridge = "cv" chose {best():g}, the weakest of {len(scores)} that it tried, and the score still rises: pass ridge=0.0'
            f"{', or fewer regressors: ' + reason if reason else ''}"
        )
    return best(), scores

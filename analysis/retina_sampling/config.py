"""Configuration of the study `retina_sampling`, with its claims, as fixed before the run."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ..retina_code import config as first
from ..retina_code.config import ADDED, NOISELESS, NOISY

CLAIM = "Draws of a noisy hidden layer, not only its smoothness, predict the spikes of retinal ganglion cells"
SABOTAGES = {"windows shuffled": "each window gets the stimulus of another one, half of the recording away"}
SET = "salamander_retina_onken"
MEAN = "mean field"
SINGLE = "{}, one prediction"
DRAWN, READ = "mean field, draws added", "noisy hidden layer, its mean field"
FITTED = (NOISY, NOISELESS, MEAN)
"""arms that are fitted; those that follow share their fits"""
ARMS = (NOISY, MEAN, NOISELESS, SINGLE.format(MEAN), SINGLE.format(NOISELESS), READ, DRAWN, ADDED)

PRIMARY = (
    "sampling: a noisy hidden layer has more held-out bits per spike than its mean field, 64 predictions each"
)
# text, the arm that is to be ahead, and of which one
PAIRS = (
    ("sampling: more bits per spike than the mean field's single prediction", NOISY, SINGLE.format(MEAN)),
    ("smoothing: the mean field has more bits per spike than a noiseless layer, 64 predictions each", MEAN, NOISELESS),
    ("noise: a noisy hidden layer has more bits per spike than a noiseless one, 64 predictions each", NOISY, NOISELESS),
    ("in use: draws of weights learned with noise have more bits per spike than their mean field", NOISY, READ),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Config(first.Config):
    """Configuration of a run; fields that are not here are those of `retina_code`."""

    etas: tuple[float, ...] = (0.03,)
    scales: tuple[float, ...] = (0.0, 0.03, 0.1, 0.3)
    """parameter noise s of the mixtures without hidden noise, 0 first"""
    arms: tuple[str, ...] = FITTED

    QUICK: ClassVar[dict[str, Any]] = {
        "cells": 8, "n_folds": 2, "epochs": (10,), "ridges": (300.0, 3000.0), "seeds": 1, "scales": (0.0, 0.1),
        "inner_draws": 4, "draws": 16, "jobs": 1,
    }  # fmt: skip

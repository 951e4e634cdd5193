"""Configuration of the study `retina_code`, with its claims and pass criteria as fixed before the first full run."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import quantities as pq

from ..harness import StudyConfig

CLAIM = "A noisy hidden layer predicts the spikes of retinal ganglion cells better than one without noise"
PAPER = "With noise in its hidden neurons a network predicts recorded spikes better than without"
PAPER_NUMBER = (
    (
        "a noisy hidden layer has more held-out bits per spike than a noiseless one",
        r"difference (\S+ \[.*?\]) over cells",
        "noisy minus noiseless hidden layer, retinal cells: {} bits per spike",
    ),
    (
        "a noisy hidden layer has more held-out bits per spike than: linear-nonlinear",
        r"difference (\S+ \[.*?\]) over cells",
        "noisy minus a linear filter: {}",
    ),
    (
        "a noisy hidden layer has more held-out bits per spike than: subunits",
        r"difference (\S+ \[.*?\]) over cells",
        "minus subunits: {}",
    ),
    (
        "a noisy hidden layer has more held-out bits per spike than: Poisson GLM",
        r"difference (\S+ \[.*?\]) over cells",
        "minus a Poisson GLM with spike history: {}",
    ),
)
SABOTAGES = {"windows shuffled": "each window gets the stimulus of another one, half of the recording away"}
SET = "salamander_retina_onken"
COLUMNS = ["part", "fold", "seed", "arm", "cell", "window", "quantity", "value", "spikes", "setting"]

NOISY, NOISELESS, ADDED = "noisy hidden layer", "noiseless hidden layer", "noise added afterwards"
LN, SUBUNITS, GLM, CNN = "linear-nonlinear", "subunits", "Poisson GLM", "convolutional network"
ARMS = (NOISY, NOISELESS, ADDED, LN, SUBUNITS, GLM, CNN)
RECORDED = "recorded"
LEFT_OUT_NATS = "nats, cells left out"

# Claims with their criteria. "Ahead" and "better": the 95 % intervals of the paired difference, with cells as clusters and with
# windows as clusters, are above 0, averaged over initial seeds. All claims also need that the noisy hidden layer has information
# about the stimulus: more bits per spike than a constant rate, and than the same fit with the stimuli of its test windows
# exchanged, over cells and over windows.
PRIMARY = (
    "a noisy hidden layer has more held-out bits per spike than a noiseless one fitted from scratch with the same budget "
    "(over cells, and over windows)"
)
EACH_SEED = "the same for each initial seed"
LEFT_OUT = "the same for the cells that were left out of all choices of settings"
AHEAD = "a noisy hidden layer has more held-out bits per spike than: {} (over cells, and over windows)"
PSTH = "a noisy hidden layer predicts the PSTH better than a noiseless one: higher correlation (over cells)"
DISTANCE = (
    "spikes drawn from the noisy hidden layer are closer to the recorded ones than those from the noiseless one: smaller excess "
    "of the Victor-Purpura distance (over cells)"
)
FANO = (
    "Fano factors of spikes drawn from the noisy hidden layer are closer to the recorded ones than those from the noiseless one "
    "(over cells)"
)

BIN = 10 * pq.ms
COST = 50 * pq.Hz
"""of the Victor-Purpura distance: moving a spike by 20 ms costs as much as removing it"""
STEPS, LAGS, SIDE = 30, 13, 3
"""bins of a window; frames that a bin sees, newest first; tiles along a side of the square around a receptive field"""
PSTH_BINS = 3
"""bins of a bin of the PSTH, 30 ms"""


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run."""

    cells: int = 49
    """first cells of the recording"""
    hidden: int = 16
    """hidden neurons or subunits; the convolutional network has about as many parameters"""
    sigma: float = 0.4
    """noise of both layers, in units of the threshold; surrogate gradient of hidden neurons without noise"""
    n_folds: int = 5
    """of windows: every fifth one"""
    inner_folds: int = 2
    """of the training windows, for the choice of settings"""
    epochs: tuple[int, ...] = (10, 30)
    ridges: tuple[float, ...] = (30.0, 300.0, 3000.0, 10000.0)
    etas: tuple[float, ...] = (0.01, 0.03)
    """learning rates; with epochs and ridges the grid of settings, the same for every arm"""
    batch: int = 4
    """windows, with all of their repeats"""
    seeds: int = 2
    """initial seeds of the final fits"""
    inner_draws: int = 8
    """draws of the hidden layer for a score in the choice of settings"""
    draws: int = 64
    """draws of the hidden layer for a final score"""
    samples: int = 29
    """repeats drawn from each fit, as many as were recorded"""
    arms: tuple[str, ...] = ARMS
    jobs: int = 0
    """arms at a time, each on one fold and in its own process; 0: one per core"""

    QUICK: ClassVar[dict[str, Any]] = {
        "cells": 8, "n_folds": 2, "epochs": (10,), "ridges": (300.0, 3000.0), "etas": (0.03,), "seeds": 1,
        "inner_draws": 4, "draws": 16, "jobs": 1,
    }  # fmt: skip

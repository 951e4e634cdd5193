"""Configuration of the study `fit_recordings`."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ..harness import StudyConfig
from ..shared.recordings import CORTICAL
from .data_sets import PUNITS

CLAIM = "A noisy neuron fitted to recorded spikes predicts new ones better than its noiseless twin, or one made noisy afterwards"
PAPER = "NSNNs reproduce the variability of neural responses and predict them better than deterministic spiking networks"
SABOTAGES = {
    "noise off": "the noisy neuron's place is taken by its twin without noise",
    "noise late": "its place is taken by the twin with noise added afterwards",
    "stimulus shifted": "each stimulus is moved against the spikes by half its length, around a circle",
}
COLUMNS = ["kind", "recording", "part", "model", "measure", "value", "se", "low", "high", "n", "x"]


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Everything that decides a run. Times in s."""

    grasshoppers: tuple[int, ...] = (1, 2)
    settings: tuple[str, ...] = CORTICAL
    punits: tuple[str, ...] = PUNITS
    seconds: float = 12.0
    """of a recording that are used, at most"""
    block: float = 0.2
    """what is left out at a time, for errors"""
    n_folds: int = 3
    """blocks in time of the training part, for choices"""
    sound: tuple[tuple[int, float], ...] = ((8, 20.0), (16, 10.0), (24, 10.0), (24, 20.0))
    """candidates for the basis of a grasshopper's stimulus: number of cosines, last peak (ms)"""
    current: tuple[tuple[int, float], ...] = ((8, 40.0), (16, 40.0), (8, 80.0), (16, 80.0))
    """of a cortical neuron's"""
    past: tuple[tuple[int, float], ...] = ((8, 20.0), (12, 40.0), (18, 40.0), (18, 80.0))
    """of a P-unit's history"""
    functions: int = 8
    """of the other kinds' history"""
    betas: tuple[float, ...] = (0.0, 0.5, 0.8, 0.95)
    """decays of the membrane for each step"""
    ridges: tuple[float, ...] = (0.1, 1.0, 10.0)
    shifts: tuple[float, ...] = tuple(0.25 * k for k in range(25))
    """by which the twin's threshold may be lowered, in units of the noise"""
    widths: tuple[float, ...] = (0.0, 0.5e-3, 1e-3, 2e-3, 4e-3, 8e-3, 16e-3, 32e-3)
    """of the twin's kernel"""
    trials: int = 20
    """drawn of each model"""
    n_hidden: int = 16
    """0: no network"""
    epochs: int = 25
    refine: int = 6
    particles: int = 100
    window: float = 0.05
    """of counts along a trial; across repeats twice that"""
    kernel: float = 5e-3
    """of rates, of reliability and of van Rossum's distance"""

    QUICK: ClassVar[dict[str, Any]] = {
        "grasshoppers": (1,),
        "settings": (),
        "punits": (),
        "seconds": 10.0,
        "sound": ((8, 20.0), (16, 10.0)),
        "functions": 5,
        "betas": (0.0, 0.5),
        "ridges": (1.0,),
        "n_folds": 2,
        "shifts": tuple(0.25 * k for k in range(13)),
        "widths": (0.0, 1e-3, 4e-3, 16e-3),
        "trials": 10,
        "n_hidden": 8,
        "epochs": 8,
        "refine": 0,
        "particles": 20,
    }

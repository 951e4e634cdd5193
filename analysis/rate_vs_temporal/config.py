"""Configuration of the study `rate_vs_temporal`."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ..harness import StudyConfig

CLAIM = (
    "Spike times carry more information than spike counts if noise is small and stimuli are fast; the surplus "
    "vanishes with noise"
)
SABOTAGES = {
    "labels shuffled": "stimulus labels are permuted against the responses",
    "times shuffled": "spikes are moved to random times in the window; counts stay the same",
    "most noise everywhere": "every neuron has the largest noise",
}


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run. Times in s, voltages in mV, costs of time in 1/s."""

    seeds: int = 24
    """each with its own stimuli and noise"""
    together: int = 1
    """seeds per simulation"""
    apart: int = 8
    """seeds with Victor-Purpura distances"""
    stimuli: int = 8
    taus: tuple[float, ...] = (2e-3, 8e-3, 32e-3)
    """correlation times of the stimuli"""
    sigmas: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
    mean: float = 28.0
    """mean of the stimuli; neuron and time course of a trial: `shared.frozen_stimuli`"""
    amplitude: float = 4.0
    """standard deviation of the free membrane potential under a stimulus, for all correlation times"""
    trials: int = 800
    """trials of each stimulus"""
    resolutions: tuple[float, ...] = (3e-3, 4e-3, 6e-3, 8e-3, 12e-3)
    costs: tuple[float, ...] = (0.0, 25.0, 50.0, 100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 6400.0, 12800.0)
    trains: int = 40
    """trials of each stimulus with Victor-Purpura distances"""
    shuffles: int = 20
    piece: float = 0.15
    """length of the windows of the recording"""
    pieces: int = 8
    """windows that are decoded at a time"""

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 16, "together": 8, "apart": 5, "stimuli": 6, "taus": (2e-3, 32e-3), "sigmas": (0.5, 2.0, 8.0, 32.0),
        "trials": 256, "resolutions": (4e-3, 8e-3, 12e-3), "trains": 24, "shuffles": 10,
    }  # fmt: skip

"""Configuration of the study `stochastic_resonance`."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from ..harness import StudyConfig

CLAIM = "Information about a subthreshold signal has its maximum at a noise above zero, where exact theory predicts it"
PAPER = "Noise can be a resource for computing with spikes (tested for information about a signal, without learning)"
PAPER_NUMBER = (
    "one unit: information about the subthreshold signal is larger at intermediate",
    r"minus that at sigma \S+: (\S+ bit, \[.*?\])",
    "information about a subthreshold signal, best minus smallest noise: {}",
)
SABOTAGES = {
    "noise off": "units and membranes have no noise",
    "labels shuffled": "signal labels are permuted against the responses",
    "suprathreshold signal": "the signal of the control replaces the subthreshold signal",
}


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run. Times in s, drives and noise of the LIF in mV."""

    replicates: int = 8
    subthreshold: tuple[float, float] = (0.4, 0.8)
    """potentials of the unit, whose threshold is 1"""
    straddling: tuple[float, float] = (0.8, 1.2)
    """potentials, or drives, of the control"""
    sigmas: tuple[float, ...] = tuple(np.geomspace(0.1, 2.0, 13))
    presentations: int = 16_000
    """presentations of both potentials per replicate"""
    weak: tuple[float, float] = (14.0, 18.0)
    """drives of the LIF, whose threshold is 20 mV above rest and reset"""
    strong: tuple[float, float] = (22.0, 28.0)
    """potentials, or drives, of the control"""
    lif_sigmas: tuple[float, ...] = tuple(np.geomspace(0.75, 16.0, 12))
    window: float = 0.2
    dt: float = 0.2e-3
    trials: int = 500
    """trials of each drive per replicate"""
    pools: tuple[int, ...] = (1, 2, 8, 63)
    ratios: tuple[float, ...] = (0.05, 0.088, 0.15, 0.22, 0.316, 0.4, 0.503, 0.7, 1.0, 1.4)
    """SD of the noise of a unit over that of the signal"""
    levels: int = 32
    shown: int = 600
    """presentations of each level per replicate"""

    QUICK: ClassVar[dict[str, Any]] = {
        "replicates": 4, "sigmas": tuple(np.geomspace(0.1, 2.0, 9)), "presentations": 8_000,
        "lif_sigmas": tuple(np.geomspace(0.75, 16.0, 8)), "trials": 200,
        "ratios": (0.05, 0.088, 0.2, 0.316, 0.503, 1.0), "shown": 240,
    }  # fmt: skip

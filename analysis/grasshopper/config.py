"""Configuration of the study `grasshopper`."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ..harness import StudyConfig

CLAIM = (
    "On the half of a grasshopper receptor recording that was not used in calibration, a noisy LIF model predicts spikes and "
    "information rate better than deterministic LIF models"
)
SABOTAGES = {"noise off": "the calibrated noisy model is simulated without noise"}
MODELS = ("noisy", "deterministic", "refitted deterministic")


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run. Times in seconds, voltages in mV (threshold 10 mV above rest and reset)."""

    recordings: tuple[int, ...] = (1, 2)
    data: str | None = None
    """folder with the recordings; None: those in the repository"""
    split: float = 5.0
    """time that separates calibration and test"""
    trials: int = 50
    """trials of the test half"""
    dt: float = 1e-4
    bounds: tuple[tuple[str, float, float], ...] = (
        ("gain", 0.0, 30.0),
        ("offset", -10.0, 30.0),
        ("sigma", 0.2, 15.0),
        ("tau_refrac", 0.5e-3, 5e-3),
        ("tau_m", 1.5e-3, 10e-3),
        ("delay", 0.0, 15e-3),
    )
    """bounds of the search: gain in mV per SD of level, offset and sigma in mV, times in s; delay from sound to spike"""
    candidates: int = 24
    elite: int = 6
    generations: int = 9
    calibration_trials: int = 12
    calibration_dt: float = 2.5e-4
    rate_kernel: float = 2e-3
    """SD of the Gaussian kernel of the rate in the objective"""
    interval_kernel: float = 1e-3
    floor: float = 0.02
    """weight of a uniform rate and of exponential intervals that are mixed in, so that no spike has probability 0"""
    kernels: tuple[float, ...] = (1e-3, 2e-3, 5e-3, 10e-3, 20e-3)
    fano_windows: tuple[float, ...] = (0.05, 0.1, 0.2)
    reliability_kernel: float = 2e-3
    engine: str = "cython"
    sigma_factors: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)

    QUICK: ClassVar[dict[str, Any]] = {
        "trials": 10, "generations": 4, "calibration_trials": 6, "sigma_factors": (0.0, 0.5, 1.0, 2.0),
    }  # fmt: skip

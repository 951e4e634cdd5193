"""Configuration of the study `population_code`."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ..harness import StudyConfig

CLAIM = (
    "Information about a stimulus grows with the number of noisy neurons if their noise is private; with shared noise it is "
    "limited by a theoretical bound, unless gains differ in sign"
)
SABOTAGES = {
    "noise private": "the shared fraction of the noise is 0: the population with equal gains is not limited",
    "trials shuffled": "the trials of each neuron are permuted independently, which removes correlations only",
    "labels shuffled": "trials are assigned to the two stimuli at random, which removes all information",
    "gains equal": "all gains of the mixed population are 1, so that common noise limits it",
}


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run. Times in s, voltages in mV; the stimulus is a drive in mV."""

    populations: int = 8
    trials: int = 1500
    """trials per stimulus"""
    sizes: tuple[int, ...] = (4, 8, 16, 32, 64)
    shared: float = 0.2
    sigma: float = 3.5
    drives: tuple[float, float] = (17.0, 23.0)
    """range of a_i"""
    ds: float = 0.9
    window: float = 0.3
    warm_up: float = 0.06
    dt: float = 0.5e-3
    tau_m: float = 20e-3
    v_thresh: float = 20.0
    v_reset: float = 10.0
    tau_refrac: float = 2e-3
    few: tuple[int, ...] = (20, 50, 150)
    """trials per stimulus of the estimates from few trials"""
    few_neurons: int = 16
    engine: str = "cython"
    frames: int = 5
    """20-ms bins per window of the film"""

    QUICK: ClassVar[dict[str, Any]] = {
        "populations": 3, "trials": 150, "sizes": (4, 8, 16, 32), "few": (20, 50), "dt": 1e-3, "engine": "numpy",
    }  # fmt: skip

    @property
    def bound(self) -> float:
        """Upper bound of the information of neurons with equal gains, 1/mV^2."""
        return (self.window + self.warm_up) / (2 * self.tau_m * self.sigma**2 * self.shared)

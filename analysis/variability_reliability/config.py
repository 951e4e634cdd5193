"""Configuration of the study `variability_reliability`."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ..harness import StudyConfig
from ..shared import cortical_cell as cell

CLAIM = "Noise makes spikes less repeatable and less precise; fluctuations of the input make them more repeatable and more precise"
SABOTAGES = {
    "noise off": "sigma is 0 everywhere",
    "input not frozen": "every trial has a different input path",
    "noise in the deterministic neuron": "the neuron with sigma 0 gets the largest sigma",
    "theory of another sigma": "Siegert's CV is evaluated at twice the sigma",
}


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run. Times in s, voltages in mV."""

    mean: float = 12.0
    fluctuations: tuple[float, ...] = (0.0, 1.0, 2.0, 4.0, 8.0)
    """standard deviation of the input, R I; that of the free membrane potential is about half"""
    sigmas: tuple[float, ...] = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
    tau_input: float = 3e-3
    tau_m: float = 10e-3
    v_thresh: float = 10.0
    """above rest and reset"""
    tau_refrac: float = 2e-3
    seeds: int = 16
    trials: int = 40
    warm_up: float = 0.2
    seconds: float = 1.5
    dt: float = 1e-4
    kernel: float = 2e-3
    """SD of the Gaussian kernel of Schreiber's reliability, and of the PSTH for event detection"""
    precision: float = 2e-3
    """coincidence window of Gamma"""
    spikes: tuple[int, ...] = (1, 2, 5, 10, 20, 40)
    """n for the spread of the time of the n-th spike"""
    recordings: bool = True
    """whether to use the recordings of the cell, if available"""
    fit: cell.Fit = cell.Fit()

    QUICK: ClassVar[dict[str, Any]] = {
        "fluctuations": (0.0, 1.0, 4.0, 8.0), "sigmas": (0.0, 0.25, 0.5, 1.0, 3.0), "seeds": 8, "trials": 20,
        "seconds": 1.2, "dt": 2e-4, "fit": cell.QUICK,
    }  # fmt: skip

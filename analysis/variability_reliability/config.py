"""Configuration of the study `variability_reliability`."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ..harness import StudyConfig
from ..shared import cortical_cell as cell

CLAIM = "Noise makes a neuron's spikes less repeatable and less precise, fluctuations of its input make them more so"
SABOTAGES = {
    "noise off": "sigma is 0 at every point",
    "input not frozen": "every trial sees a path of its own",
    "noise in the twin": "the neuron that should have no noise has the largest",
    "theory of another sigma": "Siegert's CV is that of twice the sigma",
}


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Everything that decides a run. Times in s, voltages in mV."""

    mean: float = 12.0
    fluctuations: tuple[float, ...] = (0.0, 1.0, 2.0, 4.0, 8.0)
    """standard deviation of the input, R I; what the membrane makes of it is about half"""
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
    """standard deviation of the Gaussian of Schreiber's reliability, and of the PSTH in which events are found"""
    precision: float = 2e-3
    """of Gamma"""
    spikes: tuple[int, ...] = (1, 2, 5, 10, 20, 40)
    """n of the n-th spike, whose time spreads"""
    recordings: bool = True
    """whether to use the cell's, where they are present"""
    fit: cell.Fit = cell.Fit()

    QUICK: ClassVar[dict[str, Any]] = {
        "fluctuations": (0.0, 1.0, 4.0, 8.0),
        "sigmas": (0.0, 0.25, 0.5, 1.0, 3.0),
        "seeds": 8,
        "trials": 20,
        "seconds": 1.2,
        "dt": 2e-4,
        "fit": cell.QUICK,
    }

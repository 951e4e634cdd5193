"""Configuration of the study `information_transfer`."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ..harness import StudyConfig

CLAIM = "Information in a noisy neuron's spikes about a weak signal follows linear response theory and peaks at a noise above zero"
SABOTAGES = {
    "noise off": "sigma is 0 everywhere",
    "signal shuffled": "spikes are compared with the signal of another copy",
    "theory of another sigma": "theory is evaluated at twice the sigma",
    "trials of other signals": "the trials of the direct method have different signals",
}


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run. Times in s, frequencies in Hz, voltages in mV."""

    mean: float = 7.0
    sigmas: tuple[float, ...] = (0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 6.0)
    weak: float = 0.5
    """standard deviation of the weak signal; `strong`: of the strong one"""
    strong: float = 10.0
    cutoff: float = 50.0
    band: float = 46.0
    """upper end of the band for information"""
    tau_m: float = 10e-3
    v_thresh: float = 10.0
    """above rest and reset"""
    tau_refrac: float = 2e-3
    copies: tuple[int, int, int] = (4, 16, 8)
    """number of copies without signal, with the weak and with the strong signal"""
    trials: int = 100
    warm_up: float = 0.2
    seconds: float = 4.2
    dt: float = 1e-4
    nperseg: int = 1024
    letter: float = 3e-3
    lengths: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    """bins per word"""

    QUICK: ClassVar[dict[str, Any]] = {
        "sigmas": (0.75, 1.5, 3.0, 6.0), "copies": (2, 8, 4), "trials": 40, "seconds": 3.2, "dt": 2.5e-4,
    }  # fmt: skip

"""Configuration of the study `surrogate_rationale`."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ..harness import StudyConfig

CLAIM = (
    "A surrogate gradient is the noise-driven rule of a neuron with that noise; its bias in deep networks vanishes "
    "with weight / sigma"
)
PAPER = "Noise-driven learning contains surrogate gradients and explains them"
PAPER_NUMBER = (
    "along the same spikes NDL gives the gradient of backpropagation with the surrogate",
    r"Gaussian (\S+),",
    "gradients of Gaussian noise and its surrogate differ by {}, relative",
)
SABOTAGES = {"another density": "NDL uses the density of a noise that is 10 % wider than the surrogate"}
DRIVE, BIAS, THETA, BETA = 0.8, 0.5, 1.0, 0.5
SIGMA = 0.4  # for varied weights


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run."""

    points: int = 60
    """number of distances to threshold from -3 to 3 widths, none at a kink or an edge"""
    sigmas: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
    synapses: tuple[int, ...] = (1, 2, 4, 8, 16)
    weights: tuple[float, ...] = tuple(2.0**-k for k in range(11))
    widths: tuple[float, ...] = tuple(10.0**-k for k in (0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 12))
    sizes: tuple[int, ...] = (20, 20, 10)
    """number of inputs and of neurons in two layers, for the deterministic limit"""
    steps: int = 200
    trials: int = 20

    QUICK: ClassVar[dict[str, Any]] = {
        "synapses": (1, 2, 4, 8), "widths": (1.0, 0.1, 0.01, 1e-4, 1e-12), "steps": 100, "trials": 10,
    }  # fmt: skip

"""Configuration of the study `estimator_benchmark`."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ..harness import StudyConfig

CLAIM = (
    "Four trials per response suffice for the Panzeri-Treves correction, eight do not without a correction; with fewer trials the "
    "intervals of 'auto' cover the true value"
)
SABOTAGES = {"stimuli shuffled": "words and counts are paired with random stimuli"}


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run."""

    repeats: int = 200
    per_response: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0, 32.0)
    """trials per stimulus over the 64 words, and samples over the 100 symbols"""
    trials: tuple[int, ...] = (10, 20, 40, 80, 160, 640)
    """trials per stimulus of the counts"""
    samples: tuple[int, ...] = (50, 100, 200, 500, 1000)
    """samples of the continuous channels"""
    bins: tuple[int, ...] = (6, 8, 10)
    """bins of the words of each kind"""
    few: tuple[int, ...] = (20, 50)
    """trials per stimulus of the words of each kind"""

    QUICK: ClassVar[dict[str, Any]] = {
        "repeats": 20, "per_response": (1.0, 4.0, 8.0), "trials": (20,), "samples": (100, 500), "bins": (6,),
        "few": (20,),
    }  # fmt: skip

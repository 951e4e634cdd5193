"""Configuration of the study `grasshopper`."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ..harness import StudyConfig

CLAIM = (
    "A receptor neuron of a grasshopper's ear heard a tone of random loudness: on the half of its recording that was not used in "
    "calibration, an adaptive noisy neuron predicts the spikes better than without its noise or adaptation, and its information "
    "rate is nearer to that of the cell than without noise"
)
SABOTAGES = {"noise off": "the calibrated noisy model is simulated without noise"}
MODELS = ("noisy", "without noise", "refitted without noise")
RIVALS = ("LIF", "GLM")
"""noisy models beside the main one: an LIF without adaptation, and a Poisson GLM with history"""
LOWEST = 10.0
"""Hz, of the band of coherence: lower frequencies have few periods in a window"""
Bounds = tuple[tuple[str, float, float, float], ...]
"""of parameters: name, bounds, and where the calibration starts"""


REFITTED = {
    1: {"b": 0.002722, "b_thresh": 82.16, "b_fatigue": 0.2009, "gain": 23.89,
       "offset": -2.007, "middle": 1.183, "width": 0.7998, "adaptation": 0.4976, "tau_adaptation": 0.004097, "delay": 0.006584},
    2: {"b": 0.006761, "b_thresh": 56.72, "b_fatigue": 0.1953, "gain": 73.11,
       "offset": -3.752, "middle": 0.4698, "width": 0.6155, "adaptation": 0.9537, "tau_adaptation": 0.0005016, "delay": 0.007079},
}  # fmt: skip
"""of each recording, the best parameters without noise that a search of 600 generations has found in the first half, in two
minutes; the search of a run goes on from them"""


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run. Times in seconds, voltages in mV (the noise of the main model has the width 1 mV)."""

    recordings: tuple[int, ...] = (1, 2)
    data: str | None = None
    """folder with the recordings; None: those in the repository"""
    split: float = 5.0
    """time that separates calibration and test"""
    trials: int = 50
    """trials of the test half"""
    dt: float = 1e-4
    bin_width: float = 2e-4
    """bins of the spike probabilities, of the neuron, the LIF and the GLM"""
    integration: float = 1e-3
    """time constant with which the energy of the sound is averaged before its level is taken"""
    bounds: Bounds = (
        ("tau_m", 1e-3, 1e-3, 1e-3),
        ("tau_refrac", 0.5e-3, 0.5e-3, 0.5e-3),
        ("v_reset", -5.0, -5.0, -5.0),
        ("tau_w", 3.0, 3.0, 3.0),
        ("b", 0.0, 0.05, 0.01),
        ("tau_thresh", 0.8e-3, 0.8e-3, 0.8e-3),
        ("b_thresh", 1.0, 300.0, 40.0),
        ("tau_fatigue", 30.0, 30.0, 30.0),
        ("b_fatigue", 0.0, 0.5, 0.05),
        ("gain", 0.5, 80.0, 10.0),
        ("offset", -20.0, 5.0, -3.0),
        ("middle", -3.0, 3.0, 0.3),
        ("width", 0.1, 3.0, 0.5),
        ("adaptation", 0.0, 1.0, 0.6),
        ("tau_adaptation", 0.3e-3, 0.1, 2e-3),
        ("delay", 3e-3, 10e-3, 6.4e-3),
    )
    """of the main model: times in s, voltages in mV, middle and width of the response in SD of the level"""
    lif_bounds: Bounds = (
        ("v_reset", -100.0, -100.0, -100.0),
        ("gain", 0.1, 50.0, 2.0),
        ("offset", -20.0, 5.0, -2.0),
        ("delay", 3e-3, 10e-3, 6e-3),
    )
    """of the LIF, whose drive is linear in the level: gain in mV per SD; without adaptation and a threshold that moves"""
    candidates: int = 24
    generations: int = 4
    """of the calibration without noise; from the best of the longer search, ten find nothing better than four"""
    rate_kernel: float = 2e-3
    """SD of the Gaussian kernel of the rate in the kernel likelihood"""
    interval_kernel: float = 1e-3
    floor: float = 0.02
    """weight of a uniform rate and of exponential intervals that are mixed in, so that no spike has probability 0"""
    sound: tuple[tuple[int, float], ...] = ((24, 10.0),)
    """candidates for the stimulus basis of the GLM: number of cosines, last peak (ms)"""
    past: tuple[tuple[int, float, float], ...] = ((10, 100.0, 2.0), (14, 3000.0, 2.0))
    """candidates for the history basis of the GLM: number of cosines, last peak, and offset of the logarithmic axis (ms)"""
    ridges: tuple[float, ...] = (1.0, 10.0)
    n_folds: int = 3
    fano_windows: tuple[float, ...] = (0.05, 0.1, 0.2)
    reliability_kernel: float = 2e-3
    factors: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
    """noise of the main model in multiples of the calibrated one"""

    QUICK: ClassVar[dict[str, Any]] = {
        "recordings": (1,), "trials": 10, "candidates": 16, "generations": 4,
        "factors": (0.0, 0.5, 1.0, 2.0), "sound": ((16, 10.0),), "past": ((10, 100.0, 2.0),), "ridges": (1.0,), "n_folds": 2,
    }  # fmt: skip

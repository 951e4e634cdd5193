"""Configuration of the study `fit_recordings`."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ..harness import StudyConfig
from ..shared.recordings import CORTICAL
from .calibrated import CALIBRATED, GIF
from .data_sets import PUNITS

CLAIM = (
    "A noisy neuron fitted to recorded spikes predicts held-out spikes better than a deterministic one or one made "
    "noisy afterwards"
)
PAPER = (
    "Noisy neurons predict neural responses better than deterministic ones (tested for single neurons by held-out likelihood; that "
    "they reproduce the variability of responses is no central claim)"
)
PAPER_NUMBER = (
    (
        "the held-out score of the noisy neuron exceeds that of the deterministic neuron on every recording",
        r"least certain in .*?: (\S+ \[.*?\])",
        "lead over the deterministic neuron on the least certain recording: {} bits per spike",
    ),
    (
        "time rescaling does not reject the noisy neuron",
        r"^not rejected in (\d+ of \d+)",
        "time rescaling does not reject the noisy neuron in {} recordings",
    ),
    (
        "along a trial the noisy neuron is as variable as the cell",
        r"^in (\d+ of \d+) recordings",
        "CV and Fano factor along a trial are those of the cell in {}",
    ),
    (
        "across repeats the noisy neuron is as variable as the cell: fano",
        r"^in (\d+ of \d+) settings",
        "the Fano factor across repeats in {} settings",
    ),
)
SABOTAGES = {
    "noise off": "the deterministic neuron replaces the noisy neuron",
    "noise late": "the deterministic neuron with noise added afterwards replaces the noisy neuron",
    "stimulus shifted": "each stimulus is shifted cyclically by half its length",
}
COLUMNS = ["kind", "recording", "part", "model", "measure", "value", "se", "low", "high", "n", "x"]


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run. Times in s."""

    grasshoppers: tuple[int, ...] = (1, 2)
    settings: tuple[str, ...] = CORTICAL
    punits: tuple[str, ...] = PUNITS
    relays: tuple[int, ...] = (1,)
    """seeds of simulated relay neurons, whose stimulus are input spikes"""
    calibrated: tuple[str, ...] = CALIBRATED
    """neurons in continuous time that are calibrated"""
    seconds: float = 12.0
    """largest length of a recording that is used"""
    block: float = 0.2
    """block length of the jackknife"""
    n_folds: int = 3
    """blocks of the training part for cross-validation"""
    sound: tuple[tuple[int, float], ...] = ((8, 20.0), (16, 10.0), (24, 10.0), (24, 20.0))
    """candidates for the stimulus basis of grasshopper receptors: number of cosines, last peak (ms)"""
    current: tuple[tuple[int, float], ...] = ((8, 40.0), (16, 40.0), (8, 80.0), (16, 80.0))
    """candidates for the stimulus basis of the cortical neuron"""
    past: tuple[tuple[int, float], ...] = ((8, 20.0), (12, 40.0), (18, 40.0), (18, 80.0))
    """candidates for the history basis of P-units"""
    functions: int = 8
    """number of history functions of the other kinds"""
    betas: tuple[float, ...] = (0.0, 0.5, 0.8, 0.95)
    """membrane decay per step"""
    ridges: tuple[float, ...] = (0.1, 1.0, 10.0)
    shifts: tuple[float, ...] = tuple(0.25 * k for k in range(25))
    """reductions of the threshold of deterministic neurons, in units of the noise"""
    widths: tuple[float, ...] = (0.0, 0.5e-3, 1e-3, 2e-3, 4e-3, 8e-3, 16e-3, 32e-3)
    """kernel widths of deterministic neurons"""
    trials: int = 20
    """simulated trials of each model"""
    n_hidden: int = 16
    """hidden neurons of the network; 0: no network"""
    epochs: int = 25
    refine: int = 6
    particles: int = 100
    window: float = 0.05
    """counting window along a trial; twice as long across repeats"""
    kernel: float = 5e-3
    """kernel of rates, reliability and van Rossum distance"""

    QUICK: ClassVar[dict[str, Any]] = {
        "grasshoppers": (1,), "settings": (), "punits": (), "relays": (), "calibrated": (GIF,), "seconds": 5.0,
        "sound": ((8, 20.0),), "functions": 5, "betas": (0.0, 0.5), "ridges": (1.0,), "n_folds": 2,
        "shifts": tuple(0.5 * k for k in range(7)), "widths": (0.0, 1e-3, 4e-3), "trials": 5,
        "n_hidden": 4, "epochs": 4, "refine": 0, "particles": 10,
    }  # fmt: skip

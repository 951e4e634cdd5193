"""Configuration of the study `network_states`."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from brian2 import mV

from ..harness import StudyConfig

CLAIM = (
    "Rate, CV, pairwise correlations and population rhythm distinguish Brunel's four states; the asynchronous state has its "
    "mean-field rate"
)
STATES = {"SR": (3.0, 2.0), "AI": (5.0, 2.0), "SI fast": (6.0, 4.0), "SI slow": (4.5, 0.9)}
SABOTAGES = {
    "synapses cut": "each neuron keeps one inhibitory synapse and its share of excitatory ones; the external drive is unchanged",
    "spike times jittered": "every spike is shifted by up to 25 ms, which preserves rates and destroys rhythms",
    "one inhibition": "all states have the g of AI",
}


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run. Times in s, voltages in mV."""

    networks: int = 3
    """networks of each state, with seeds seed, seed + 1, ..."""
    n_e: int = 10_000
    epsilon: float = 0.1
    """n_e epsilon is the excitatory in-degree, 1,000"""
    J: float = 0.1
    seconds: float = 1.0
    """analysed duration, times LENGTH"""
    transient: float = 0.2
    dt: float = 0.1e-3
    engine: str = "cython"
    generations: int = 12
    """generations of neurons whose input has the spectrum of their own spikes"""
    fed: int = 200
    """neurons per generation"""
    states: tuple[str, ...] = tuple(STATES)

    QUICK: ClassVar[dict[str, Any]] = {
        "networks": 1, "n_e": 2500, "epsilon": 0.2, "J": 0.2, "seconds": 0.2, "transient": 0.1, "dt": 0.25e-3,
        "engine": "numpy", "fed": 100,
    }  # fmt: skip

    @property
    def network(self) -> dict:
        """Parameters shared by network and mean field."""
        return {"n_e": self.n_e, "n_i": self.n_e // 4, "epsilon": self.epsilon, "J": self.J * mV}


SHOWN = 50

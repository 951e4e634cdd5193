"""Configuration of the study `network_states`."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from brian2 import mV

from ..harness import StudyConfig

CLAIM = (
    "Brunel's four states are told apart by rate, CV, pairwise correlations and population rhythm; the asynchronous one has its "
    "mean-field rate"
)
STATES = {"SR": (3.0, 2.0), "AI": (5.0, 2.0), "SI fast": (6.0, 4.0), "SI slow": (4.5, 0.9)}
SABOTAGES = {
    "synapses cut": "a neuron keeps one inhibitory and its share of excitatory synapses: the external drive is left alone",
    "spike times jittered": "every spike is moved by up to 25 ms either way: rates stay, rhythms vanish",
    "one inhibition": "g is that of AI in all states",
}


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Everything that decides a run. Times in s, voltages in mV."""

    networks: int = 3
    """of each state, wired and driven by seed, seed + 1, ..."""
    n_e: int = 10_000
    epsilon: float = 0.1
    """n_e epsilon is the excitatory in-degree, 1,000"""
    J: float = 0.1
    seconds: float = 1.0
    """after the transient, times LENGTH"""
    transient: float = 0.2
    dt: float = 0.1e-3
    engine: str = "cython"
    generations: int = 12
    """of neurons in input with the spectrum of their own spikes"""
    fed: int = 200
    """neurons in each"""
    states: tuple[str, ...] = tuple(STATES)

    QUICK: ClassVar[dict[str, Any]] = {
        "networks": 2,
        "n_e": 2500,
        "epsilon": 0.2,
        "J": 0.2,
        "seconds": 0.2,
        "transient": 0.1,
        "dt": 0.25e-3,
        "engine": "numpy",
        "fed": 100,
    }

    @property
    def network(self) -> dict:
        """What network and mean field have in common."""
        return {"n_e": self.n_e, "n_i": self.n_e // 4, "epsilon": self.epsilon, "J": self.J * mV}


SHOWN = 50

"""Neuron models: drift, threshold and reset as text. Noise is a separate model (`noise.py`).

The text is in Brian2's syntax. It may use the names of the parameters, `drive` (the stimulus, in the unit of the membrane) and the
state variable. `brian/equations` turns it into Brian2 objects.
"""

from .base import IntegrateAndFire, Neuron
from .conductance_based import ConductanceBased, WangBuzsaki
from .discrete import NSNNNeuron, PoissonSource, Relay
from .integrate_and_fire import EIF, GIF, LIF, PIF, QIF, AdEx

__all__ = [
    "EIF",
    "GIF",
    "LIF",
    "PIF",
    "QIF",
    "AdEx",
    "ConductanceBased",
    "IntegrateAndFire",
    "NSNNNeuron",
    "Neuron",
    "PoissonSource",
    "Relay",
    "WangBuzsaki",
]

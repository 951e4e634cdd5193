"""Noisy spiking neurons and networks in Brian2, certified against theory, and measures of the neural code.

Records in (`LIF`, `WhiteNoise`, `Constant`, ...), a `neo.Block` out (`simulate`, `load`, `to_block`), measures on Blocks
(`nsnn_neuro.measures`, `tabulate`), closed forms to hold them against (`nsnn_neuro.theory`).
"""

from . import datasets, measures, plotting, theory
from .errors import FormatError, NsnnError
from .measures import tabulate
from .neurons import EIF, LIF, PIF, QIF, AdEx, IntegrateAndFire, NSNNNeuron
from .noise import (
    Cauchy,
    EscapeNoise,
    Family,
    FastSigmoid,
    Gaussian,
    Logistic,
    OUNoise,
    Triangular,
    Uniform,
    WhiteNoise,
)
from .recording import load, provenance, save, to_block
from .simulate import simulate
from .stimuli import Constant, FrozenNoise, Recorded, Sinusoid, Step

__version__ = "0.1.0"

__all__ = [
    "EIF",
    "LIF",
    "PIF",
    "QIF",
    "AdEx",
    "Cauchy",
    "Constant",
    "EscapeNoise",
    "Family",
    "FastSigmoid",
    "FormatError",
    "FrozenNoise",
    "Gaussian",
    "IntegrateAndFire",
    "Logistic",
    "NSNNNeuron",
    "NsnnError",
    "OUNoise",
    "Recorded",
    "Sinusoid",
    "Step",
    "Triangular",
    "Uniform",
    "WhiteNoise",
    "datasets",
    "load",
    "measures",
    "plotting",
    "provenance",
    "save",
    "simulate",
    "tabulate",
    "theory",
    "to_block",
]

"""Noisy spiking neurons and networks in Brian2, certified against theory, and measures of the neural code.

Records in (`LIF`, `WhiteNoise`, `Constant`, ...), a `neo.Block` out (`simulate`, `load`, `to_block`), measures on Blocks
(`nsnn_neuro.measures`, `tabulate`), closed forms to hold them against (`nsnn_neuro.theory`).
"""

from . import interrupt

interrupt.end_quietly()

from . import brian_import, builds

brian_import.load()  # before anything else can import Brian2
builds.prepare_numba()

from . import coding, datasets, likelihood, losses, measures, perturb, plotting, reference, theory
from .assemble.plastic import plastic_synapses
from .certify import certify
from .connectivity import (
    AllToAll,
    DistanceDependent,
    FixedInDegree,
    FixedProbability,
    FromList,
    OneToOne,
    Rule,
)
from .distributions import Between, Distribution, LogNormal, Normal
from .errors import FormatError, NsnnError
from .escape import (
    Cauchy,
    DoubleNoise,
    EscapeNoise,
    Exponential,
    Family,
    FastSigmoid,
    Gaussian,
    GaussianHazard,
    Hazard,
    Logistic,
    PlesserGerstner,
    Triangular,
    Uniform,
)
from .fast_noise import fast_noise
from .images import AveragePooling, Convolution
from .learn import Fit, train
from .likelihood import fit_network, fit_neuron
from .measures import tabulate
from .network import Connections, Network
from .neurons import (
    EIF,
    GIF,
    LIF,
    PIF,
    QIF,
    AdEx,
    ConductanceBased,
    IntegrateAndFire,
    NSNNNeuron,
    PoissonSource,
    Relay,
    WangBuzsaki,
)
from .noise import ConductanceNoise, MultiplicativeNoise, OUNoise, PoissonNoise, ThresholdNoise, WhiteNoise
from .plasticity import (
    NDL,
    SGD,
    Adam,
    EProp,
    Momentum,
    Optimizer,
    PairSTDP,
    Plasticity,
    RewardModulatedSTDP,
    RuleText,
    SurrogateGradient,
    white_noise_factor,
)
from .populations import Population, Projection
from .presets import Residual, balanced, brunel, convolutional, feedforward, recurrent
from .recording import load, provenance, save, to_block
from .simulate import simulate
from .stimuli import Constant, FrozenNoise, Recorded, Sinusoid, Step
from .sweep import FailedPoints, sweep
from .synapses import AlphaSynapse, ConductanceSynapse, ExponentialSynapse, Jump, Synapse

__version__ = "0.1.0"

__all__ = [
    "EIF",
    "GIF",
    "LIF",
    "NDL",
    "PIF",
    "QIF",
    "SGD",
    "AdEx",
    "Adam",
    "AllToAll",
    "AlphaSynapse",
    "AveragePooling",
    "Between",
    "Cauchy",
    "ConductanceBased",
    "ConductanceNoise",
    "ConductanceSynapse",
    "Connections",
    "Constant",
    "Convolution",
    "DistanceDependent",
    "Distribution",
    "DoubleNoise",
    "EProp",
    "EscapeNoise",
    "Exponential",
    "ExponentialSynapse",
    "FailedPoints",
    "Family",
    "FastSigmoid",
    "Fit",
    "FixedInDegree",
    "FixedProbability",
    "FormatError",
    "FromList",
    "FrozenNoise",
    "Gaussian",
    "GaussianHazard",
    "Hazard",
    "IntegrateAndFire",
    "Jump",
    "LogNormal",
    "Logistic",
    "Momentum",
    "MultiplicativeNoise",
    "NSNNNeuron",
    "Network",
    "Normal",
    "NsnnError",
    "OUNoise",
    "OneToOne",
    "Optimizer",
    "PairSTDP",
    "Plasticity",
    "PlesserGerstner",
    "PoissonNoise",
    "PoissonSource",
    "Population",
    "Projection",
    "Recorded",
    "Relay",
    "Residual",
    "RewardModulatedSTDP",
    "Rule",
    "RuleText",
    "Sinusoid",
    "Step",
    "SurrogateGradient",
    "Synapse",
    "ThresholdNoise",
    "Triangular",
    "Uniform",
    "WangBuzsaki",
    "WhiteNoise",
    "balanced",
    "brunel",
    "certify",
    "coding",
    "convolutional",
    "datasets",
    "fast_noise",
    "feedforward",
    "fit_network",
    "fit_neuron",
    "likelihood",
    "load",
    "losses",
    "measures",
    "perturb",
    "plastic_synapses",
    "plotting",
    "provenance",
    "recurrent",
    "reference",
    "save",
    "simulate",
    "sweep",
    "tabulate",
    "theory",
    "to_block",
    "train",
    "white_noise_factor",
]

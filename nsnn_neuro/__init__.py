"""Noisy spiking neurons and networks in Brian2, certified against theory, and measures of the neural code.

Records in (`LIF`, `WhiteNoise`, `Constant`, ...), a `neo.Block` out (`simulate`, `load`, `to_block`), measures on Blocks
(`nsnn_neuro.measures`, `tabulate`), closed forms to hold them against (`nsnn_neuro.theory`).
"""

from .core import interrupt

interrupt.end_quietly()

from .brian import program_cache
from .core import brian_import

brian_import.load()  # before anything else can import Brian2
program_cache.prepare_numba()

from . import datasets, likelihood, measures, perturb, plotting, reference, theory
from .brian.equations.plastic import plastic_synapses
from .brian.fast_noise import fast_noise
from .brian.simulate import simulate
from .certify import certify
from .core.errors import FormatError, NsnnError
from .io.save_load import load, provenance, save, to_block
from .learning import coding, losses
from .learning.train import Fit, train
from .likelihood import fit_network, fit_neuron
from .measures import tabulate
from .models.connectivity import (
    AllToAll,
    DistanceDependent,
    FixedInDegree,
    FixedProbability,
    FromList,
    OneToOne,
    Rule,
)
from .models.convolution import AveragePooling, Convolution
from .models.distributions import Between, Distribution, LogNormal, Normal
from .models.escape import (
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
from .models.network import Connections, Network
from .models.neurons import (
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
from .models.noise import (
    ConductanceNoise,
    MultiplicativeNoise,
    OUNoise,
    PoissonNoise,
    ThresholdNoise,
    WhiteNoise,
)
from .models.plasticity import (
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
from .models.populations import Population, Projection
from .models.presets import Residual, balanced, brunel, convolutional, feedforward, recurrent
from .models.stimuli import Constant, FrozenNoise, Recorded, Sinusoid, Step
from .models.synapses import AlphaSynapse, ConductanceSynapse, ExponentialSynapse, Jump, Synapse
from .sweep import FailedPoints, sweep

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

from . import brian as brian
from . import datasets as datasets
from . import learning as learning
from . import likelihood as likelihood
from . import measures as measures
from . import perturb as perturb
from . import plotting as plotting
from . import reference as reference
from . import theory as theory
from .brian.equations.plastic import plastic_synapses as plastic_synapses
from .brian.fast_noise import fast_noise as fast_noise
from .brian.simulate import simulate as simulate
from .brian.states import SimulationState as SimulationState
from .certify import certify as certify
from .core.errors import FormatError as FormatError
from .core.errors import NsnnError as NsnnError
from .core.parameters import parameter as parameter
from .explore import explore as explore
from .io.events import align as align
from .io.events import cut as cut
from .io.export import to_dataframe as to_dataframe
from .io.export import to_pynapple as to_pynapple
from .io.export import to_spikeinterface as to_spikeinterface
from .io.export import to_xarray as to_xarray
from .io.provenance import provenance as provenance
from .io.save_load import load as load
from .io.save_load import save as save
from .io.save_load import to_block as to_block
from .io.selection import conditions as conditions
from .io.selection import join as join
from .io.selection import select as select
from .io.selection import split as split
from .io.warping import warp as warp
from .learning import coding as coding
from .learning import losses as losses
from .learning.fit import Fit as Fit
from .learning.train import train as train
from .likelihood import SynapticInput as SynapticInput
from .likelihood import calibrate as calibrate
from .likelihood import fit_network as fit_network
from .likelihood import fit_neuron as fit_neuron
from .likelihood import fit_population as fit_population
from .likelihood.saved_fits import load_fit as load_fit
from .measures import tabulate as tabulate
from .models.connectivity import AllToAll as AllToAll
from .models.connectivity import ConnectionRule as ConnectionRule
from .models.connectivity import DistanceDependent as DistanceDependent
from .models.connectivity import FixedInDegree as FixedInDegree
from .models.connectivity import FixedProbability as FixedProbability
from .models.connectivity import FixedTotalNumber as FixedTotalNumber
from .models.connectivity import FromList as FromList
from .models.connectivity import OneToOne as OneToOne
from .models.convolution import AveragePooling as AveragePooling
from .models.convolution import Convolution as Convolution
from .models.escape import Cauchy as Cauchy
from .models.escape import DoubleNoise as DoubleNoise
from .models.escape import EscapeNoise as EscapeNoise
from .models.escape import ExponentialHazard as ExponentialHazard
from .models.escape import Family as Family
from .models.escape import FastSigmoid as FastSigmoid
from .models.escape import Gaussian as Gaussian
from .models.escape import GaussianHazard as GaussianHazard
from .models.escape import Hazard as Hazard
from .models.escape import Logistic as Logistic
from .models.escape import PlesserGerstner as PlesserGerstner
from .models.escape import Triangular as Triangular
from .models.escape import Uniform as Uniform
from .models.network import Connections as Connections
from .models.network import Network as Network
from .models.network_size import NetworkSize as NetworkSize
from .models.neurons import EIF as EIF
from .models.neurons import GIF as GIF
from .models.neurons import LIF as LIF
from .models.neurons import PIF as PIF
from .models.neurons import QIF as QIF
from .models.neurons import AdEx as AdEx
from .models.neurons import ConductanceBased as ConductanceBased
from .models.neurons import IntegrateAndFire as IntegrateAndFire
from .models.neurons import Neuron as Neuron
from .models.neurons import NSNNNeuron as NSNNNeuron
from .models.neurons import PoissonSource as PoissonSource
from .models.neurons import Relay as Relay
from .models.neurons import WangBuzsaki as WangBuzsaki
from .models.noise import ConductanceNoise as ConductanceNoise
from .models.noise import MultiplicativeNoise as MultiplicativeNoise
from .models.noise import Noise as Noise
from .models.noise import OUNoise as OUNoise
from .models.noise import PoissonInput as PoissonInput
from .models.noise import PoissonNoise as PoissonNoise
from .models.noise import ThresholdNoise as ThresholdNoise
from .models.noise import WhiteNoise as WhiteNoise
from .models.plasticity import NDL as NDL
from .models.plasticity import SGD as SGD
from .models.plasticity import Adam as Adam
from .models.plasticity import EProp as EProp
from .models.plasticity import Momentum as Momentum
from .models.plasticity import Optimizer as Optimizer
from .models.plasticity import PairSTDP as PairSTDP
from .models.plasticity import Plasticity as Plasticity
from .models.plasticity import RewardModulatedSTDP as RewardModulatedSTDP
from .models.plasticity import RuleText as RuleText
from .models.plasticity import SurrogateGradient as SurrogateGradient
from .models.plasticity import white_noise_factor as white_noise_factor
from .models.populations import Population as Population
from .models.populations import Projection as Projection
from .models.presets import Residual as Residual
from .models.presets import balanced as balanced
from .models.presets import brunel as brunel
from .models.presets import convolutional as convolutional
from .models.presets import feedforward as feedforward
from .models.presets import microcircuit as microcircuit
from .models.presets import recurrent as recurrent
from .models.short_term import TsodyksMarkram as TsodyksMarkram
from .models.stimuli import Constant as Constant
from .models.stimuli import Filtered as Filtered
from .models.stimuli import FrozenNoise as FrozenNoise
from .models.stimuli import Recorded as Recorded
from .models.stimuli import Sinusoid as Sinusoid
from .models.stimuli import Step as Step
from .models.stimuli import Stimulus as Stimulus
from .models.stimuli import Transduced as Transduced
from .models.synapses import AlphaSynapse as AlphaSynapse
from .models.synapses import ConductanceSynapse as ConductanceSynapse
from .models.synapses import DeltaSynapse as DeltaSynapse
from .models.synapses import ExponentialSynapse as ExponentialSynapse
from .models.synapses import Synapse as Synapse
from .models.weight_distributions import Between as Between
from .models.weight_distributions import Distribution as Distribution
from .models.weight_distributions import LogNormal as LogNormal
from .models.weight_distributions import Normal as Normal
from .sweep import FailedPoints as FailedPoints
from .sweep import run_many as run_many
from .sweep import sweep as sweep
from .sweep import train_seeds as train_seeds

__version__: str

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
    "ConnectionRule",
    "Connections",
    "Constant",
    "Convolution",
    "DeltaSynapse",
    "DistanceDependent",
    "Distribution",
    "DoubleNoise",
    "EProp",
    "EscapeNoise",
    "ExponentialHazard",
    "ExponentialSynapse",
    "FailedPoints",
    "Family",
    "FastSigmoid",
    "Filtered",
    "Fit",
    "FixedInDegree",
    "FixedProbability",
    "FixedTotalNumber",
    "FormatError",
    "FromList",
    "FrozenNoise",
    "Gaussian",
    "GaussianHazard",
    "Hazard",
    "IntegrateAndFire",
    "LogNormal",
    "Logistic",
    "Momentum",
    "MultiplicativeNoise",
    "NSNNNeuron",
    "Network",
    "NetworkSize",
    "Neuron",
    "Noise",
    "Normal",
    "NsnnError",
    "OUNoise",
    "OneToOne",
    "Optimizer",
    "PairSTDP",
    "Plasticity",
    "PlesserGerstner",
    "PoissonInput",
    "PoissonNoise",
    "PoissonSource",
    "Population",
    "Projection",
    "Recorded",
    "Relay",
    "Residual",
    "RewardModulatedSTDP",
    "RuleText",
    "SimulationState",
    "Sinusoid",
    "Step",
    "Stimulus",
    "SurrogateGradient",
    "Synapse",
    "SynapticInput",
    "ThresholdNoise",
    "Transduced",
    "Triangular",
    "TsodyksMarkram",
    "Uniform",
    "WangBuzsaki",
    "WhiteNoise",
    "align",
    "balanced",
    "brian",
    "brunel",
    "calibrate",
    "certify",
    "coding",
    "conditions",
    "convolutional",
    "cut",
    "datasets",
    "explore",
    "fast_noise",
    "feedforward",
    "fit_network",
    "fit_neuron",
    "fit_population",
    "join",
    "learning",
    "likelihood",
    "load",
    "load_fit",
    "losses",
    "measures",
    "microcircuit",
    "parameter",
    "perturb",
    "plastic_synapses",
    "plotting",
    "provenance",
    "recurrent",
    "reference",
    "run_many",
    "save",
    "select",
    "simulate",
    "split",
    "sweep",
    "tabulate",
    "theory",
    "to_block",
    "to_dataframe",
    "to_pynapple",
    "to_spikeinterface",
    "to_xarray",
    "train",
    "train_seeds",
    "warp",
    "white_noise_factor",
]

from .bases import Basis as Basis
from .bases import Exponentials as Exponentials
from .bases import Lags as Lags
from .bases import RaisedCosines as RaisedCosines
from .by_simulation.simulation_calibration import SimulationCalibration as SimulationCalibration
from .calibrate_neuron import calibrate as calibrate
from .calibration.calibration import Calibration as Calibration
from .calibration.calibration import Profile as Profile
from .comparison import compare_models as compare_models
from .continuous.probability import spike_probability as spike_probability
from .continuous.probability import survival as survival
from .fit import NeuronFit as NeuronFit
from .fit import fit_neuron as fit_neuron
from .inference import LikelihoodRatio as LikelihoodRatio
from .model import NeuronModel as NeuronModel
from .network import NetworkModel as NetworkModel
from .network import Observed as Observed
from .network_fit import fit_network as fit_network
from .network_training import Training as Training
from .network_windows import NetworkFit as NetworkFit
from .network_windows import fit_windows as fit_windows
from .network_windows import window_bounds as window_bounds
from .population import PopulationFit as PopulationFit
from .population import fit_population as fit_population
from .responses import NegativeBinomial as NegativeBinomial
from .responses import Poisson as Poisson
from .scores import PerStep as PerStep
from .scores import Rescaled as Rescaled
from .selection import CrossValidation as CrossValidation
from .selection import cross_validate as cross_validate
from .shared_gain import SharedGain as SharedGain
from .shared_gain import fit_shared_gain as fit_shared_gain
from .states.states_fit import StatesFit as StatesFit
from .states.states_fit import fit_states as fit_states
from .states.states_model import StatesModel as StatesModel
from .synaptic_input import SynapticInput as SynapticInput
from .voltage.spikes import detect_spikes as detect_spikes
from .voltage.voltage_calibration import VoltageCalibration as VoltageCalibration

__all__ = [
    "Basis",
    "Calibration",
    "CrossValidation",
    "Exponentials",
    "Lags",
    "LikelihoodRatio",
    "NegativeBinomial",
    "NetworkFit",
    "NetworkModel",
    "NeuronFit",
    "NeuronModel",
    "Observed",
    "PerStep",
    "Poisson",
    "PopulationFit",
    "Profile",
    "RaisedCosines",
    "Rescaled",
    "SharedGain",
    "SimulationCalibration",
    "StatesFit",
    "StatesModel",
    "SynapticInput",
    "Training",
    "VoltageCalibration",
    "calibrate",
    "compare_models",
    "cross_validate",
    "detect_spikes",
    "fit_network",
    "fit_neuron",
    "fit_population",
    "fit_shared_gain",
    "fit_states",
    "fit_windows",
    "spike_probability",
    "survival",
    "window_bounds",
]

"""Measures of spike trains: a neo.Block in, a value out.

A measure is a pure function of a neo.Block (one Segment per trial), or of the repeats of one neuron, with its
options as keywords. To add one, write it into the file here that it belongs to:

1. Turn the input into arrays on the first line, `trains = as_trains(block, t_start, t_stop)` or
   `as_repeats(...)`, and every quantity into an SI float with `units.si` or `positive`. Options that other measures have
   too go through `arguments.check`.
2. Compute on `trains.times`, `.train`, `.counts`, `.intervals`, `.bins`: no loop over trains.
3. Return (n_neurons,) floats, NaN for neurons without enough spikes through `warn_silent`, or an `Estimate`
   for information.
4. Decorate it with `@measure(unit)` for the table; if it is made of sums over trials, give them as `parts`,
   and the jackknife of `tabulate` needs no second pass.
5. Export it here, give it a row in tests/test_measures_contract.py, and hold it in
   tests/test_measures_<file>.py against an independent oracle.
"""

from ..core.bins import ResolutionWarning
from .correlation.count_correlation import (
    CovarianceParts,
    dimensionality,
    law_of_total_covariance,
    noise_correlation,
    signal_correlation,
    spike_time_tiling,
)
from .decoding.decoders import Decoding, LinearDiscriminant, NearestTrain, PoissonMAP, decode
from .decoding.probability_calibration import (
    ReliabilityCurve,
    SelectiveAccuracy,
    brier_score,
    calibration_error,
    reliability_curve,
    selective_accuracy,
)
from .estimate import Estimate, measure
from .information.breakdown import information_breakdown, synergy
from .information.copula import gaussian_copula, gaussian_copula_classes
from .information.entropy.entropy import entropy
from .information.fisher import gaussian_fisher, linear_fisher_information, poisson_fisher
from .information.information_rate import direct_information_rate, word_entropies
from .information.ksg import ksg
from .information.mutual_information import mutual_information
from .information.per_spike import information_per_spike, skaggs_information
from .information.rate_vs_temporal import rate_vs_temporal
from .information.sample_size import TrialPlan, plan_trials
from .information.words import first_spike_latency, latency_symbols, spike_counts, words
from .spectral.coherence import coherence, coherence_information
from .spectral.reconstruction import Reconstruction, linear_reconstruction
from .spectral.spectrum import PowerSpectrum, Susceptibility, power_spectrum, susceptibility
from .spiketrain.count_variability import MeanMatchedFano, allan_factor, fano_curve, mean_matched_fano
from .spiketrain.firing_statistics import cv, cv2, fano_factor, firing_rate, isi, lv, lvr, serial_correlation
from .spiketrain.rate_over_time import (
    Psth,
    SpikeTriggeredAverage,
    psth,
    rate_correlation,
    spike_triggered_average,
)
from .tabulate import tabulate
from .timing.distances import gamma_coincidence, schreiber_reliability, van_rossum, victor_purpura
from .timing.firing_events import FiringEvents, firing_events
from .timing.isi_spike_distance import isi_distance, mean_isi_distance, mean_spike_distance, spike_distance
from .timing.metric_space import MetricSpace, metric_space_information
from .trains import SilentNeuronWarning, Trains, as_repeats, as_trains, positive, read_signal, warn_silent

__all__ = [
    "CovarianceParts",
    "Decoding",
    "Estimate",
    "FiringEvents",
    "LinearDiscriminant",
    "MeanMatchedFano",
    "MetricSpace",
    "NearestTrain",
    "PoissonMAP",
    "PowerSpectrum",
    "Psth",
    "Reconstruction",
    "ReliabilityCurve",
    "ResolutionWarning",
    "SelectiveAccuracy",
    "SilentNeuronWarning",
    "SpikeTriggeredAverage",
    "Susceptibility",
    "Trains",
    "TrialPlan",
    "allan_factor",
    "as_repeats",
    "as_trains",
    "brier_score",
    "calibration_error",
    "coherence",
    "coherence_information",
    "cv",
    "cv2",
    "decode",
    "dimensionality",
    "direct_information_rate",
    "entropy",
    "fano_curve",
    "fano_factor",
    "firing_events",
    "firing_rate",
    "first_spike_latency",
    "gamma_coincidence",
    "gaussian_copula",
    "gaussian_copula_classes",
    "gaussian_fisher",
    "information_breakdown",
    "information_per_spike",
    "isi",
    "isi_distance",
    "ksg",
    "latency_symbols",
    "law_of_total_covariance",
    "linear_fisher_information",
    "linear_reconstruction",
    "lv",
    "lvr",
    "mean_isi_distance",
    "mean_matched_fano",
    "mean_spike_distance",
    "measure",
    "metric_space_information",
    "mutual_information",
    "noise_correlation",
    "plan_trials",
    "poisson_fisher",
    "positive",
    "power_spectrum",
    "psth",
    "rate_correlation",
    "rate_vs_temporal",
    "read_signal",
    "reliability_curve",
    "schreiber_reliability",
    "selective_accuracy",
    "serial_correlation",
    "signal_correlation",
    "skaggs_information",
    "spike_counts",
    "spike_distance",
    "spike_time_tiling",
    "spike_triggered_average",
    "susceptibility",
    "synergy",
    "tabulate",
    "van_rossum",
    "victor_purpura",
    "warn_silent",
    "word_entropies",
    "words",
]

from .correlation.correlogram import CrossCorrelogram as CrossCorrelogram
from .correlation.correlogram import CrossCorrelograms as CrossCorrelograms
from .correlation.correlogram import cross_correlogram as cross_correlogram
from .correlation.correlogram import cross_correlograms as cross_correlograms
from .correlation.count_correlation import CovarianceParts as CovarianceParts
from .correlation.count_correlation import dimensionality as dimensionality
from .correlation.count_correlation import law_of_total_covariance as law_of_total_covariance
from .correlation.count_correlation import noise_correlation as noise_correlation
from .correlation.count_correlation import signal_correlation as signal_correlation
from .correlation.population_coupling import population_coupling as population_coupling
from .correlation.spike_time_tiling import spike_time_tiling as spike_time_tiling
from .decoding.cross_validation import Decoding as Decoding
from .decoding.cross_validation import decode as decode
from .decoding.decoder_information import decoder_information as decoder_information
from .decoding.decoders import LinearDiscriminant as LinearDiscriminant
from .decoding.decoders import NearestTrain as NearestTrain
from .decoding.decoders import NegativeBinomialMAP as NegativeBinomialMAP
from .decoding.decoders import PoissonMAP as PoissonMAP
from .decoding.probability_calibration import ReliabilityCurve as ReliabilityCurve
from .decoding.probability_calibration import SelectiveAccuracy as SelectiveAccuracy
from .decoding.probability_calibration import brier_score as brier_score
from .decoding.probability_calibration import calibration_error as calibration_error
from .decoding.probability_calibration import reliability_curve as reliability_curve
from .decoding.probability_calibration import selective_accuracy as selective_accuracy
from .entropies.entropy import entropy as entropy
from .estimate import Estimate as Estimate
from .estimate import measure as measure
from .information.breakdown import information_breakdown as information_breakdown
from .information.breakdown import synergy as synergy
from .information.capacity import ChannelCapacity as ChannelCapacity
from .information.capacity import blahut_arimoto as blahut_arimoto
from .information.capacity import channel_capacity as channel_capacity
from .information.codes_table import codes_table as codes_table
from .information.codes_table import phase_counts as phase_counts
from .information.conditional import conditional_information as conditional_information
from .information.conditional import interaction_information as interaction_information
from .information.conditional import local_information as local_information
from .information.copula import gaussian_copula as gaussian_copula
from .information.copula import gaussian_copula_classes as gaussian_copula_classes
from .information.decomposition.partial import feature_information_transfer as feature_information_transfer
from .information.decomposition.partial import intersection_information as intersection_information
from .information.decomposition.partial import partial_information as partial_information
from .information.divergence import kullback_leibler as kullback_leibler
from .information.fisher import gaussian_fisher as gaussian_fisher
from .information.fisher import linear_fisher_information as linear_fisher_information
from .information.fisher import poisson_fisher as poisson_fisher
from .information.growth import InformationGrowth as InformationGrowth
from .information.growth import information_growth as information_growth
from .information.histories import HistoryLength as HistoryLength
from .information.histories import history_length as history_length
from .information.information_rate import direct_information_rate as direct_information_rate
from .information.information_rate import word_entropies as word_entropies
from .information.ksg import ksg as ksg
from .information.mutual_information import mutual_information as mutual_information
from .information.over_time import InformationOverTime as InformationOverTime
from .information.over_time import information_over_time as information_over_time
from .information.per_spike import information_per_spike as information_per_spike
from .information.per_spike import skaggs_information as skaggs_information
from .information.rate_vs_temporal import rate_vs_temporal as rate_vs_temporal
from .information.sample_size import TrialPlan as TrialPlan
from .information.sample_size import plan_trials as plan_trials
from .information.transfer import active_information as active_information
from .information.transfer import local_transfer_entropy as local_transfer_entropy
from .information.transfer import transfer_entropy as transfer_entropy
from .information.transfer_matrix import TransferEntropyMatrix as TransferEntropyMatrix
from .information.transfer_matrix import transfer_entropy_matrix as transfer_entropy_matrix
from .information.which_estimator import EstimatorComparison as EstimatorComparison
from .information.which_estimator import which_estimator as which_estimator
from .information.words import bin_counts as bin_counts
from .information.words import first_spike_latency as first_spike_latency
from .information.words import latency_symbols as latency_symbols
from .information.words import spike_counts as spike_counts
from .information.words import words as words
from .spectral.coherence import SpikeFieldCoherence as SpikeFieldCoherence
from .spectral.coherence import coherence as coherence
from .spectral.coherence import coherence_information as coherence_information
from .spectral.coherence import spike_field_coherence as spike_field_coherence
from .spectral.phase_locking import modulation_ratio as modulation_ratio
from .spectral.phase_locking import phase_locking as phase_locking
from .spectral.reconstruction import Reconstruction as Reconstruction
from .spectral.reconstruction import linear_reconstruction as linear_reconstruction
from .spectral.signals import SignalCoherence as SignalCoherence
from .spectral.signals import SignalSpectrum as SignalSpectrum
from .spectral.signals import signal_coherence as signal_coherence
from .spectral.signals import signal_spectrum as signal_spectrum
from .spectral.spectrum import PowerSpectrum as PowerSpectrum
from .spectral.spectrum import Susceptibility as Susceptibility
from .spectral.spectrum import power_spectrum as power_spectrum
from .spectral.spectrum import susceptibility as susceptibility
from .spiketrain.count_variability import MeanMatchedFano as MeanMatchedFano
from .spiketrain.count_variability import allan_factor as allan_factor
from .spiketrain.count_variability import fano_curve as fano_curve
from .spiketrain.count_variability import fano_factor as fano_factor
from .spiketrain.count_variability import mean_matched_fano as mean_matched_fano
from .spiketrain.firing_statistics import burst_index as burst_index
from .spiketrain.firing_statistics import cv as cv
from .spiketrain.firing_statistics import cv2 as cv2
from .spiketrain.firing_statistics import firing_rate as firing_rate
from .spiketrain.firing_statistics import isi as isi
from .spiketrain.firing_statistics import lv as lv
from .spiketrain.firing_statistics import lvr as lvr
from .spiketrain.firing_statistics import serial_correlation as serial_correlation
from .spiketrain.intrinsic_timescale import IntrinsicTimescale as IntrinsicTimescale
from .spiketrain.intrinsic_timescale import intrinsic_timescale as intrinsic_timescale
from .spiketrain.kernel_rate import instantaneous_rate as instantaneous_rate
from .spiketrain.modulated_poisson import ModulatedPoisson as ModulatedPoisson
from .spiketrain.modulated_poisson import modulated_poisson as modulated_poisson
from .spiketrain.rate_over_time import Psth as Psth
from .spiketrain.rate_over_time import psth as psth
from .spiketrain.rate_over_time import psth_correlation as psth_correlation
from .spiketrain.rate_over_time import rate_correlation as rate_correlation
from .spiketrain.responses import ResponseTest as ResponseTest
from .spiketrain.responses import response_statistics as response_statistics
from .spiketrain.responses import response_test as response_test
from .spiketrain.responses import responsive_units as responsive_units
from .spiketrain.sparseness import sparseness as sparseness
from .spiketrain.spike_triggered import SpikeTriggeredAverage as SpikeTriggeredAverage
from .spiketrain.spike_triggered import spike_triggered_average as spike_triggered_average
from .spiketrain.spike_triggered_covariance import SpikeTriggeredCovariance as SpikeTriggeredCovariance
from .spiketrain.spike_triggered_covariance import spike_triggered_covariance as spike_triggered_covariance
from .spiketrain.surrogates import against_surrogates as against_surrogates
from .spiketrain.surrogates import surrogates as surrogates
from .spiketrain.trial_drift import TrialDrift as TrialDrift
from .spiketrain.trial_drift import TrialDriftWarning as TrialDriftWarning
from .spiketrain.trial_drift import trial_drift as trial_drift
from .spiketrain.warp_fit import WarpFit as WarpFit
from .spiketrain.warp_fit import fit_warp as fit_warp
from .spiketrain.zeta import ZetaTest as ZetaTest
from .spiketrain.zeta import zeta_test as zeta_test
from .table import over_time as over_time
from .table import tabulate as tabulate
from .timing.firing_events import FiringEvents as FiringEvents
from .timing.firing_events import firing_events as firing_events
from .timing.isi_spike_distance import isi_distance as isi_distance
from .timing.isi_spike_distance import mean_isi_distance as mean_isi_distance
from .timing.isi_spike_distance import mean_spike_distance as mean_spike_distance
from .timing.isi_spike_distance import spike_distance as spike_distance
from .timing.metric_space import MetricSpace as MetricSpace
from .timing.metric_space import metric_space_information as metric_space_information
from .timing.profiles import DistanceProfile as DistanceProfile
from .timing.profiles import SynchronizationProfile as SynchronizationProfile
from .timing.profiles import isi_profile as isi_profile
from .timing.profiles import spike_profile as spike_profile
from .timing.profiles import spike_synchronization as spike_synchronization
from .timing.profiles import synchronization_profile as synchronization_profile
from .timing.train_similarity import gamma_coincidence as gamma_coincidence
from .timing.train_similarity import md_star as md_star
from .timing.train_similarity import schreiber_reliability as schreiber_reliability
from .timing.train_similarity import van_rossum as van_rossum
from .timing.train_similarity import victor_purpura as victor_purpura
from .trains import ResolutionWarning as ResolutionWarning
from .trains import SilentNeuronWarning as SilentNeuronWarning
from .trains import Trains as Trains
from .trains import as_repeats as as_repeats
from .trains import as_trains as as_trains
from .trains import positive as positive
from .trains import read_signal as read_signal
from .trains import warn_silent as warn_silent
from .tuning.discrimination import choice_probability as choice_probability
from .tuning.discrimination import d_prime as d_prime
from .tuning.discrimination import roc_auc as roc_auc
from .tuning.map_decoding import MapDecoding as MapDecoding
from .tuning.neurometric import Neurometric as Neurometric
from .tuning.neurometric import neurometric as neurometric
from .tuning.psychometric import Psychometric as Psychometric
from .tuning.psychometric import psychometric as psychometric
from .tuning.rate_map import RateMap as RateMap
from .tuning.rate_map import rate_map as rate_map
from .tuning.tuning_curve import TuningCurve as TuningCurve
from .tuning.tuning_curve import tuning_curve as tuning_curve
from .tuning.tuning_fit import TuningFit as TuningFit

__all__ = [
    "ChannelCapacity",
    "CovarianceParts",
    "CrossCorrelogram",
    "CrossCorrelograms",
    "Decoding",
    "DistanceProfile",
    "Estimate",
    "EstimatorComparison",
    "FiringEvents",
    "HistoryLength",
    "InformationGrowth",
    "InformationOverTime",
    "IntrinsicTimescale",
    "LinearDiscriminant",
    "MapDecoding",
    "MeanMatchedFano",
    "MetricSpace",
    "ModulatedPoisson",
    "NearestTrain",
    "NegativeBinomialMAP",
    "Neurometric",
    "PoissonMAP",
    "PowerSpectrum",
    "Psth",
    "Psychometric",
    "RateMap",
    "Reconstruction",
    "ReliabilityCurve",
    "ResolutionWarning",
    "ResponseTest",
    "SelectiveAccuracy",
    "SignalCoherence",
    "SignalSpectrum",
    "SilentNeuronWarning",
    "SpikeFieldCoherence",
    "SpikeTriggeredAverage",
    "SpikeTriggeredCovariance",
    "Susceptibility",
    "SynchronizationProfile",
    "Trains",
    "TransferEntropyMatrix",
    "TrialDrift",
    "TrialDriftWarning",
    "TrialPlan",
    "TuningCurve",
    "TuningFit",
    "WarpFit",
    "ZetaTest",
    "active_information",
    "against_surrogates",
    "allan_factor",
    "as_repeats",
    "as_trains",
    "bin_counts",
    "blahut_arimoto",
    "brier_score",
    "burst_index",
    "calibration_error",
    "channel_capacity",
    "choice_probability",
    "codes_table",
    "coherence",
    "coherence_information",
    "conditional_information",
    "cross_correlogram",
    "cross_correlograms",
    "cv",
    "cv2",
    "d_prime",
    "decode",
    "decoder_information",
    "dimensionality",
    "direct_information_rate",
    "entropy",
    "fano_curve",
    "fano_factor",
    "feature_information_transfer",
    "firing_events",
    "firing_rate",
    "first_spike_latency",
    "fit_warp",
    "gamma_coincidence",
    "gaussian_copula",
    "gaussian_copula_classes",
    "gaussian_fisher",
    "history_length",
    "information_breakdown",
    "information_growth",
    "information_over_time",
    "information_per_spike",
    "instantaneous_rate",
    "interaction_information",
    "intersection_information",
    "intrinsic_timescale",
    "isi",
    "isi_distance",
    "isi_profile",
    "ksg",
    "kullback_leibler",
    "latency_symbols",
    "law_of_total_covariance",
    "linear_fisher_information",
    "linear_reconstruction",
    "local_information",
    "local_transfer_entropy",
    "lv",
    "lvr",
    "md_star",
    "mean_isi_distance",
    "mean_matched_fano",
    "mean_spike_distance",
    "measure",
    "metric_space_information",
    "modulated_poisson",
    "modulation_ratio",
    "mutual_information",
    "neurometric",
    "noise_correlation",
    "over_time",
    "partial_information",
    "phase_counts",
    "phase_locking",
    "plan_trials",
    "poisson_fisher",
    "population_coupling",
    "positive",
    "power_spectrum",
    "psth",
    "psth_correlation",
    "psychometric",
    "rate_correlation",
    "rate_map",
    "rate_vs_temporal",
    "read_signal",
    "reliability_curve",
    "response_statistics",
    "response_test",
    "responsive_units",
    "roc_auc",
    "schreiber_reliability",
    "selective_accuracy",
    "serial_correlation",
    "signal_coherence",
    "signal_correlation",
    "signal_spectrum",
    "skaggs_information",
    "sparseness",
    "spike_counts",
    "spike_distance",
    "spike_field_coherence",
    "spike_profile",
    "spike_synchronization",
    "spike_time_tiling",
    "spike_triggered_average",
    "spike_triggered_covariance",
    "surrogates",
    "susceptibility",
    "synchronization_profile",
    "synergy",
    "tabulate",
    "transfer_entropy",
    "transfer_entropy_matrix",
    "trial_drift",
    "tuning_curve",
    "van_rossum",
    "victor_purpura",
    "warn_silent",
    "which_estimator",
    "word_entropies",
    "words",
    "zeta_test",
]

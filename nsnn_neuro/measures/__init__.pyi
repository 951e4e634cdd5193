from .correlation.correlogram import (
    CrossCorrelogram,
    CrossCorrelograms,
    cross_correlogram,
    cross_correlograms,
)
from .correlation.count_correlation import (
    CovarianceParts,
    dimensionality,
    law_of_total_covariance,
    noise_correlation,
    signal_correlation,
)
from .correlation.population_coupling import population_coupling
from .correlation.spike_time_tiling import spike_time_tiling
from .decoding.cross_validation import Decoding, decode
from .decoding.decoder_information import decoder_information
from .decoding.decoders import LinearDiscriminant, NearestTrain, NegativeBinomialMAP, PoissonMAP
from .decoding.probability_calibration import (
    ReliabilityCurve,
    SelectiveAccuracy,
    brier_score,
    calibration_error,
    reliability_curve,
    selective_accuracy,
)
from .entropies.entropy import entropy
from .estimate import Estimate, measure
from .information.breakdown import information_breakdown, synergy
from .information.capacity import ChannelCapacity, blahut_arimoto, channel_capacity
from .information.codes_table import codes_table, phase_counts
from .information.conditional import conditional_information, interaction_information, local_information
from .information.copula import gaussian_copula, gaussian_copula_classes
from .information.decomposition.partial import (
    feature_information_transfer,
    intersection_information,
    partial_information,
)
from .information.divergence import kullback_leibler
from .information.fisher import gaussian_fisher, linear_fisher_information, poisson_fisher
from .information.growth import InformationGrowth, information_growth
from .information.histories import HistoryLength, history_length
from .information.information_rate import direct_information_rate, word_entropies
from .information.ksg import ksg
from .information.mutual_information import mutual_information
from .information.over_time import InformationOverTime, information_over_time
from .information.per_spike import information_per_spike, skaggs_information
from .information.rate_vs_temporal import rate_vs_temporal
from .information.sample_size import TrialPlan, plan_trials
from .information.transfer import active_information, local_transfer_entropy, transfer_entropy
from .information.transfer_matrix import TransferEntropyMatrix, transfer_entropy_matrix
from .information.which_estimator import EstimatorComparison, which_estimator
from .information.words import bin_counts, first_spike_latency, latency_symbols, spike_counts, words
from .spectral.coherence import SpikeFieldCoherence, coherence, coherence_information, spike_field_coherence
from .spectral.phase_locking import modulation_ratio, phase_locking
from .spectral.reconstruction import Reconstruction, linear_reconstruction
from .spectral.signals import SignalCoherence, SignalSpectrum, signal_coherence, signal_spectrum
from .spectral.spectrum import PowerSpectrum, Susceptibility, power_spectrum, susceptibility
from .spiketrain.count_variability import (
    MeanMatchedFano,
    allan_factor,
    fano_curve,
    fano_factor,
    mean_matched_fano,
)
from .spiketrain.firing_statistics import burst_index, cv, cv2, firing_rate, isi, lv, lvr, serial_correlation
from .spiketrain.intrinsic_timescale import IntrinsicTimescale, intrinsic_timescale
from .spiketrain.kernel_rate import instantaneous_rate
from .spiketrain.modulated_poisson import ModulatedPoisson, modulated_poisson
from .spiketrain.rate_over_time import Psth, psth, psth_correlation, rate_correlation
from .spiketrain.responses import ResponseTest, response_statistics, response_test, responsive_units
from .spiketrain.sparseness import sparseness
from .spiketrain.spike_triggered import SpikeTriggeredAverage, spike_triggered_average
from .spiketrain.spike_triggered_covariance import SpikeTriggeredCovariance, spike_triggered_covariance
from .spiketrain.surrogates import against_surrogates, surrogates
from .spiketrain.trial_drift import TrialDrift, TrialDriftWarning, trial_drift
from .spiketrain.warp_fit import WarpFit, fit_warp
from .spiketrain.zeta import ZetaTest, zeta_test
from .table import over_time, tabulate
from .timing.firing_events import FiringEvents, firing_events
from .timing.isi_spike_distance import isi_distance, mean_isi_distance, mean_spike_distance, spike_distance
from .timing.metric_space import MetricSpace, metric_space_information
from .timing.profiles import (
    DistanceProfile,
    SynchronizationProfile,
    isi_profile,
    spike_profile,
    spike_synchronization,
    synchronization_profile,
)
from .timing.train_similarity import (
    gamma_coincidence,
    md_star,
    schreiber_reliability,
    van_rossum,
    victor_purpura,
)
from .trains import (
    ResolutionWarning,
    SilentNeuronWarning,
    Trains,
    as_repeats,
    as_trains,
    positive,
    read_signal,
    warn_silent,
)
from .tuning.discrimination import choice_probability, d_prime, roc_auc
from .tuning.map_decoding import MapDecoding
from .tuning.neurometric import Neurometric, neurometric
from .tuning.psychometric import Psychometric, psychometric
from .tuning.rate_map import RateMap, rate_map
from .tuning.tuning_curve import TuningCurve, tuning_curve
from .tuning.tuning_fit import TuningFit

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

from .correlation import count_correlation as count_correlation
from .escape import escape_cv as escape_cv
from .escape import escape_rate as escape_rate
from .escape import plesser_gerstner_hazard as plesser_gerstner_hazard
from .escape import renewal_cv as renewal_cv
from .escape import renewal_rate as renewal_rate
from .escape import step_escape_interval as step_escape_interval
from .fokker_planck.coloured import coloured_fp_cv as coloured_fp_cv
from .fokker_planck.coloured import coloured_fp_rate as coloured_fp_rate
from .fokker_planck.drifts import Drift as Drift
from .fokker_planck.drifts import eif_drift as eif_drift
from .fokker_planck.drifts import lif_drift as lif_drift
from .fokker_planck.drifts import pif_drift as pif_drift
from .fokker_planck.drifts import qif_drift as qif_drift
from .fokker_planck.response import fp_counts as fp_counts
from .fokker_planck.response import fp_interval_density as fp_interval_density
from .fokker_planck.response import fp_noise_susceptibility as fp_noise_susceptibility
from .fokker_planck.response import fp_spectrum as fp_spectrum
from .fokker_planck.response import fp_susceptibility as fp_susceptibility
from .fokker_planck.stationary import fp_cv as fp_cv
from .fokker_planck.stationary import fp_density as fp_density
from .fokker_planck.stationary import fp_rate as fp_rate
from .information import channel_information as channel_information
from .information import suprathreshold_information as suprathreshold_information
from .information import threshold_information as threshold_information
from .lif.conductance_noise import conductance_moments as conductance_moments
from .lif.conductance_noise import shot_noise_moments as shot_noise_moments
from .lif.multiplicative import geometric_mean as geometric_mean
from .lif.multiplicative import multiplicative_cv as multiplicative_cv
from .lif.multiplicative import multiplicative_rate as multiplicative_rate
from .lif.short_correlation import coloured_rate as coloured_rate
from .lif.shot_noise import shot_noise_cv as shot_noise_cv
from .lif.shot_noise import shot_noise_rate as shot_noise_rate
from .lif.spectrum_and_response import lindner_noise_susceptibility as lindner_noise_susceptibility
from .lif.spectrum_and_response import lindner_spectrum as lindner_spectrum
from .lif.spectrum_and_response import lindner_susceptibility as lindner_susceptibility
from .lif.threshold_noise import noisy_threshold_cv as noisy_threshold_cv
from .lif.threshold_noise import noisy_threshold_rate as noisy_threshold_rate
from .lif.white_noise import discrete_threshold as discrete_threshold
from .lif.white_noise import siegert_cv as siegert_cv
from .lif.white_noise import siegert_gain as siegert_gain
from .lif.white_noise import siegert_rate as siegert_rate
from .mean_field import brunel_input as brunel_input
from .mean_field import brunel_rates as brunel_rates
from .nsnn import double_noise_interval as double_noise_interval
from .nsnn import nsnn_interval as nsnn_interval
from .pif import pif_cv as pif_cv
from .pif import pif_interval_density as pif_interval_density
from .pif import pif_rate as pif_rate
from .short_term import short_term_efficacy as short_term_efficacy

__all__ = [
    "Drift",
    "brunel_input",
    "brunel_rates",
    "channel_information",
    "coloured_fp_cv",
    "coloured_fp_rate",
    "coloured_rate",
    "conductance_moments",
    "count_correlation",
    "discrete_threshold",
    "double_noise_interval",
    "eif_drift",
    "escape_cv",
    "escape_rate",
    "fp_counts",
    "fp_cv",
    "fp_density",
    "fp_interval_density",
    "fp_noise_susceptibility",
    "fp_rate",
    "fp_spectrum",
    "fp_susceptibility",
    "geometric_mean",
    "lif_drift",
    "lindner_noise_susceptibility",
    "lindner_spectrum",
    "lindner_susceptibility",
    "multiplicative_cv",
    "multiplicative_rate",
    "noisy_threshold_cv",
    "noisy_threshold_rate",
    "nsnn_interval",
    "pif_cv",
    "pif_drift",
    "pif_interval_density",
    "pif_rate",
    "plesser_gerstner_hazard",
    "qif_drift",
    "renewal_cv",
    "renewal_rate",
    "short_term_efficacy",
    "shot_noise_cv",
    "shot_noise_moments",
    "shot_noise_rate",
    "siegert_cv",
    "siegert_gain",
    "siegert_rate",
    "step_escape_interval",
    "suprathreshold_information",
    "threshold_information",
]

"""Closed forms and Fokker-Planck solvers to compare simulations with. Arguments are quantities or SI floats, results SI floats.

Every function states its source and equation, broadcasts over its arguments, and raises `NsnnError` for wrong units and for values
out of range. All voltages of a call have the same unit; with plain numbers everything is dimensionless and times are in the unit of
tau_m. `sigma` is the standard deviation of the free membrane; sigma_B = sqrt(2) sigma of the diffusion literature is used
internally only.
"""

from .correlation import count_correlation
from .escape import (
    escape_cv,
    escape_rate,
    plesser_gerstner_hazard,
    renewal_cv,
    renewal_rate,
    step_escape_interval,
)
from .fokker_planck.coloured import coloured_fp_cv, coloured_fp_rate
from .fokker_planck.drifts import Drift, eif_drift, lif_drift, pif_drift, qif_drift
from .fokker_planck.response import (
    fp_counts,
    fp_interval_density,
    fp_noise_susceptibility,
    fp_spectrum,
    fp_susceptibility,
)
from .fokker_planck.stationary import fp_cv, fp_density, fp_rate
from .information import channel_information, suprathreshold_information, threshold_information
from .lif.coloured import coloured_rate
from .lif.conductance_noise import conductance_moments
from .lif.multiplicative import geometric_mean, multiplicative_cv, multiplicative_rate
from .lif.shot_noise import shot_noise_cv, shot_noise_rate
from .lif.spectrum_and_response import lindner_noise_susceptibility, lindner_spectrum, lindner_susceptibility
from .lif.threshold_noise import noisy_threshold_cv, noisy_threshold_rate
from .lif.white_noise import discrete_threshold, siegert_cv, siegert_gain, siegert_rate
from .mean_field import brunel_input, brunel_rates
from .nsnn import double_noise_interval, nsnn_interval
from .pif import pif_cv, pif_interval_density, pif_rate

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
    "shot_noise_cv",
    "shot_noise_rate",
    "siegert_cv",
    "siegert_gain",
    "siegert_rate",
    "step_escape_interval",
    "suprathreshold_information",
    "threshold_information",
]

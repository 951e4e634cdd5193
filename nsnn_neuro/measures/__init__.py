"""Measures of spike trains: a neo.Block in, a value out.

A measure is a pure function of a neo.Block (one Segment per trial), or of the repeats of one neuron, with its
options as keywords. To add one, write it into the file here that it belongs to:

1. Turn the input into arrays on the first line, `trains = as_trains(block, t_start, t_stop)` or
   `as_repeats(...)`, and every quantity into an SI float with `units.si` or `positive`.
2. Compute on `trains.times`, `.train`, `.counts`, `.intervals`, `.bins`: no loop over trains.
3. Return (n_neurons,) floats, NaN for neurons without enough spikes through `warn_silent`, or an `Estimate`
   for information.
4. Decorate it with `@measure(unit)` for the table; if it is made of sums over trials, give them as `parts`,
   and the jackknife of `tabulate` needs no second pass.
5. Export it here, and hold it in tests/test_measures_<file>.py against an independent oracle.
"""

from .continuous import ksg
from .copula import gaussian_copula, gaussian_copula_classes
from .decoding import Decoding, LinearDiscriminant, NearestTrain, PoissonMAP, decode
from .distances import gamma_coincidence, schreiber_reliability, van_rossum, victor_purpura
from .estimate import Estimate, measure
from .fisher import gaussian_fisher, linear_fisher_information, poisson_fisher
from .metric_space import MetricSpace, metric_space_information
from .response import Psth, SpikeTriggeredAverage, psth, rate_correlation, spike_triggered_average
from .spectral import coherence, coherence_information
from .spiketrain import cv, cv2, fano_factor, firing_rate, isi, lv, lvr, serial_correlation
from .tabulate import tabulate
from .trains import SilentNeuronWarning, Trains, as_repeats, as_trains, positive, read_signal, warn_silent

__all__ = [
    "Decoding",
    "Estimate",
    "LinearDiscriminant",
    "MetricSpace",
    "NearestTrain",
    "PoissonMAP",
    "Psth",
    "SilentNeuronWarning",
    "SpikeTriggeredAverage",
    "Trains",
    "as_repeats",
    "as_trains",
    "coherence",
    "coherence_information",
    "cv",
    "cv2",
    "decode",
    "fano_factor",
    "firing_rate",
    "gamma_coincidence",
    "gaussian_copula",
    "gaussian_copula_classes",
    "gaussian_fisher",
    "isi",
    "ksg",
    "linear_fisher_information",
    "lv",
    "lvr",
    "measure",
    "metric_space_information",
    "poisson_fisher",
    "positive",
    "psth",
    "rate_correlation",
    "read_signal",
    "schreiber_reliability",
    "serial_correlation",
    "spike_triggered_average",
    "tabulate",
    "van_rossum",
    "victor_purpura",
    "warn_silent",
]

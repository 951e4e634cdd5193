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

from .breakdown import information_breakdown, synergy
from .codes import rate_vs_temporal
from .distances import gamma_coincidence, schreiber_reliability, van_rossum, victor_purpura
from .entropy import entropy
from .estimate import Estimate, measure
from .information import mutual_information
from .per_spike import information_per_spike, skaggs_information
from .plan import TrialPlan, plan_trials
from .rates import direct_information_rate, word_entropies
from .reconstruction import Reconstruction, linear_reconstruction
from .response import Psth, SpikeTriggeredAverage, psth, rate_correlation, spike_triggered_average
from .spectral import coherence, coherence_information
from .spiketrain import cv, cv2, fano_factor, firing_rate, isi, lv, lvr, serial_correlation
from .tabulate import tabulate
from .trains import SilentNeuronWarning, Trains, as_repeats, as_trains, positive, read_signal, warn_silent
from .words import first_spike_latency, latency_symbols, spike_counts, words

__all__ = [
    "Estimate",
    "Psth",
    "Reconstruction",
    "SilentNeuronWarning",
    "SpikeTriggeredAverage",
    "Trains",
    "TrialPlan",
    "as_repeats",
    "as_trains",
    "coherence",
    "coherence_information",
    "cv",
    "cv2",
    "direct_information_rate",
    "entropy",
    "fano_factor",
    "firing_rate",
    "first_spike_latency",
    "gamma_coincidence",
    "information_breakdown",
    "information_per_spike",
    "isi",
    "latency_symbols",
    "linear_reconstruction",
    "lv",
    "lvr",
    "measure",
    "mutual_information",
    "plan_trials",
    "positive",
    "psth",
    "rate_correlation",
    "rate_vs_temporal",
    "read_signal",
    "schreiber_reliability",
    "serial_correlation",
    "skaggs_information",
    "spike_counts",
    "spike_triggered_average",
    "synergy",
    "tabulate",
    "van_rossum",
    "victor_purpura",
    "warn_silent",
    "word_entropies",
    "words",
]

"""Figures of Blocks, results and tables: a Block, a result or a table in, `matplotlib.axes.Axes` out.

Every function draws on the axes `ax` and returns them; `ax=None` makes a new figure. None of them shows or saves a figure or
changes Matplotlib's settings. Okabe and Ito's colours are distinct for colour-blind readers.
"""

from .axes import COLOURS
from .curves import filters, training_history, tuning_curve
from .goodness_of_fit import misfit, rescaling
from .images import confusion, heatmap, rate_map
from .information import information_against_resolution
from .membranes import membrane
from .networks import network_graph
from .spectra import coherence, correlogram, phase_histogram, spectrum
from .spikes import isi_histogram, psth, raster
from .states import hidden_states
from .tables import measure_against
from .variability import cv_against_rate

__all__ = [
    "COLOURS",
    "coherence",
    "confusion",
    "correlogram",
    "cv_against_rate",
    "filters",
    "heatmap",
    "hidden_states",
    "information_against_resolution",
    "isi_histogram",
    "measure_against",
    "membrane",
    "misfit",
    "network_graph",
    "phase_histogram",
    "psth",
    "raster",
    "rate_map",
    "rescaling",
    "spectrum",
    "training_history",
    "tuning_curve",
]

"""Figures of Blocks and tables: a Block or a table in, `matplotlib.axes.Axes` out.

Every function draws on the axes `ax` and returns them; `ax=None` makes a new figure. None of them shows or saves a figure or
changes Matplotlib's settings. Okabe and Ito's colours are distinct for colour-blind readers.
"""

from .axes import COLOURS
from .spikes import isi_histogram, membrane, psth, raster
from .tables import measure_against

__all__ = ["COLOURS", "isi_histogram", "measure_against", "membrane", "psth", "raster"]

"""Figures of Blocks and measures."""

from .figures import isi_histogram, measure_against, membrane, psth, raster

__all__ = ["isi_histogram", "measure_against", "membrane", "psth", "raster"]

"""Spectra, coherence, linear reconstruction."""

"""Correlations between neurons."""

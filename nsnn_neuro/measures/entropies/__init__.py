"""Entropy of discrete samples and its estimators."""

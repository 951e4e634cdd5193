"""Decoding of stimuli, and calibration of class probabilities."""

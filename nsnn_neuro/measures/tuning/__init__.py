"""Tuning curves and discrimination: how a response changes with the stimulus, and how well one trial tells two of them apart."""

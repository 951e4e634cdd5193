"""Spike timing: distances between trains, firing events, metric-space information."""

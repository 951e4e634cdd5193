"""Fits to a recorded membrane potential, and its spikes."""

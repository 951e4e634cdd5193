"""Fits to a recorded membrane potential: spikes, the membrane between them by regression, the threshold by maximum likelihood."""

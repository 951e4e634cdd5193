"""Calibrate by simulation: any neuron that `simulate` runs, by the statistics of its spikes."""

"""Calibrate: the parameters of a neuron that `simulate` runs, with errors, from recorded spikes."""

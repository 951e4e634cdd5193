"""Neurons in continuous time, given their spikes: the probability of the next one."""

"""Closed forms for the leaky integrate-and-fire neuron."""

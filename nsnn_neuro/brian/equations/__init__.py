"""Translate models into Brian2 equations, neuron groups and synapses; no other folder writes Brian2 code.

`network` creates all groups and synapses of a Network in their order within a step (`projections.py`); the text of a group is that
of its neuron (`membrane.py`, `discrete.py`), with terms of noise and synapses (`noises.py`, `synapses.py`).
"""

from .projections import network

__all__ = ["network"]

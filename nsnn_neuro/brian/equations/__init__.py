"""Translate models into Brian2 equations, neuron groups and synapses; no other folder writes Brian2 code.

`make_group` creates the NeuronGroup of a population (`membrane.py`, `discrete.py`; terms of noise and synapses: `noises.py`,
`synapses.py`), `network` all groups and synapses of a Network in their order within a step (`projections.py`).
"""

from .group_text import Layout
from .groups import make_group
from .projections import network

__all__ = ["Layout", "make_group", "network"]

"""The one place that writes Brian2 equations and makes Brian2 objects from records.

`group` makes a population's NeuronGroup (`membrane.py`, `discrete.py`; what noises and synapses add: `noises.py`, `synapses.py`),
`network` all groups and synapses of a Network, in the order in which a step takes them (`model.py`).
"""

from .groups import group
from .model import Layout
from .projections import network

__all__ = ["Layout", "group", "network"]

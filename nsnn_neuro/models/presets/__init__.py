"""Ready-made networks: random and cortical networks of LIF neurons, and layered, convolutional and recurrent NSNN networks."""

from .cortical import microcircuit
from .layered import Residual, convolutional, feedforward, recurrent
from .random import balanced, brunel

__all__ = ["Residual", "balanced", "brunel", "convolutional", "feedforward", "microcircuit", "recurrent"]

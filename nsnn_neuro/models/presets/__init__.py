"""Ready-made networks: random networks of LIF neurons, and layered, convolutional and recurrent NSNN networks."""

from .layered import Residual, convolutional, feedforward, recurrent
from .random import balanced, brunel

__all__ = ["Residual", "balanced", "brunel", "convolutional", "feedforward", "recurrent"]

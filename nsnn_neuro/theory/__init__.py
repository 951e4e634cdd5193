"""Closed forms that simulations are held against. Pure functions: SI floats in and out, quantities accepted at the edge.

Every function names its paper and equation, and broadcasts over its arguments. All voltages of one call have one unit (or none:
with plain numbers everything is dimensionless, times in the unit of tau_m). `sigma` is the package's sigma, the free membrane's
standard deviation; sigma_B = sqrt(2) sigma of the diffusion literature appears inside only.
"""

from .lif import discrete_threshold, siegert_cv, siegert_rate
from .nsnn import nsnn_interval

__all__ = ["discrete_threshold", "nsnn_interval", "siegert_cv", "siegert_rate"]

"""Closed forms and Fokker-Planck solvers to compare simulations with. Arguments are quantities or SI floats, results SI floats.

Every function states its source and equation, broadcasts over its arguments, and raises `NsnnError` for wrong units and for values
out of range. All voltages of a call have the same unit; with plain numbers everything is dimensionless and times are in the unit of
tau_m. `sigma` is the standard deviation of the free membrane; sigma_B = sqrt(2) sigma of the diffusion literature is used
internally only.
"""

from ..core import lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)

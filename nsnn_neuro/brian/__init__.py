"""Run models in Brian2: code generation engines, locking between threads, C++ compiler. Brian2 is imported on first use.

- `running(engine)` activates an engine for your own Brian2 code and restores Brian2's state afterwards; `run` runs a Brian2 network
  on it, and `functions()` are the functions (such as `normal_cdf`) that text of this package calls, for its `namespace`.
- `simulation_lock()` lets the simulations of other threads wait for a block of your own Brian2 code.
- `has_compiler()` says whether the engines "cython" and "cpp" can be used; without it `simulate` gives a `NoCompilerWarning`.
- `philox` has the random numbers of simulations, each a function of seed, point, trial, neuron, stream and step.
- `FLAGS` (Cython) and `PROGRAM_FLAGS` (C++) are lists of compiler flags, which may be changed in place.
"""

from ..core import lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)

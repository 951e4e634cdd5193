"""Run models in Brian2: code generation engines, locking between threads, C++ compiler. Brian2 is imported on first use.

- `running(engine)` activates an engine for your own Brian2 code and restores Brian2's state afterwards; `run` runs a Brian2 network
  on it, and `functions()` are the functions (such as `normal_cdf`) that text of this package calls, for its `namespace`.
- `taking_turns()` lets the simulations of other threads wait for a block of your own Brian2 code.
- `has_compiler()` says whether the engines "cython" and "cpp" can be used; without it `simulate` gives a `NoCompilerWarning`.
- `philox` has the random numbers of simulations, each a function of seed, point, trial, neuron, stream and step.
- `FLAGS` (Cython) and `PROGRAM_FLAGS` (C++) are lists of compiler flags, which may be changed in place.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import philox
    from .engine import FLAGS, PROGRAM_FLAGS, NoCompilerWarning, functions, has_compiler, run, running
    from .global_state import taking_turns

__all__ = [
    "FLAGS",
    "PROGRAM_FLAGS",
    "NoCompilerWarning",
    "functions",
    "has_compiler",
    "philox",
    "run",
    "running",
    "taking_turns",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "philox":
        return importlib.import_module(f"{__name__}.philox")
    return getattr(importlib.import_module(f"{__name__}.engine"), name)


def __dir__() -> list[str]:
    return sorted(__all__)

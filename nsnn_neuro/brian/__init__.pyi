from . import philox as philox
from .engine import FLAGS as FLAGS
from .engine import PROGRAM_FLAGS as PROGRAM_FLAGS
from .engine import NoCompilerWarning as NoCompilerWarning
from .engine import functions as functions
from .engine import has_compiler as has_compiler
from .engine import run as run
from .engine import running as running
from .global_state import simulation_lock as simulation_lock

__all__ = [
    "FLAGS",
    "PROGRAM_FLAGS",
    "NoCompilerWarning",
    "functions",
    "has_compiler",
    "philox",
    "run",
    "running",
    "simulation_lock",
]

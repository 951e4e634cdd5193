"""Noisy spiking neurons and networks in Brian2, certified against theory, and measures of the neural code.

Models (`LIF`, `WhiteNoise`, `Constant`, ...) go in, a `neo.Block` comes out (`simulate`, `load`, `to_block`); measures take Blocks
(`nsnn_neuro.measures`, `tabulate`), and closed forms are there to compare with (`nsnn_neuro.theory`).

Names are imported when they are first used; the stub `__init__.pyi` lists them for editors and type checkers.
"""

import importlib
import sys
import types
from typing import Any

from .core import brian_import, interrupt, lazy

interrupt.end_quietly()
brian_import.protect()

__version__ = "0.1.0"

_find, __dir__, __all__ = lazy.attach_stub(
    __name__,
    __file__,
    measures="measures/__init__",
    theory="theory/__init__",
    plotting="plotting/__init__",
    losses="learning/losses",
    coding="learning/coding",
    learning="learning/__init__",
    likelihood="likelihood/__init__",
    datasets="datasets/__init__",
    perturb="perturb",
    reference="reference/__init__",
    deep="deep/__init__",
    brian="brian/__init__",
)


def __getattr__(name: str) -> Any:
    if name == "Exponential":  # the short name that the hazard has in files
        return _find("ExponentialHazard")
    if name == "deep":  # not listed: it needs torch
        return importlib.import_module(f"{__name__}.deep")
    return _find(name)


class _Package(types.ModuleType):
    """The package, whose functions `sweep`, `certify` and `explore` have the names of the folders they stand in."""

    def __setattr__(self, name: str, value: object) -> None:
        """Keep the function when Python binds its folder, just imported, to the same name."""
        if not (name in ("certify", "explore", "sweep") and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Pickle by name, so that functions which use the package can be sent to other processes."""
        return importlib.import_module, (self.__name__,)


sys.modules[__name__].__class__ = _Package

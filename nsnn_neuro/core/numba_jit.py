"""Numba's `njit` with a writable cache folder; import it from here.

Importing this module imports Numba: only modules that compile functions may do so.
"""

from __future__ import annotations

from typing import Any

import numba
from numba import njit
from numba.core import event

from .program_cache import base_folder, stand_in
from .progress import announce


class _Announcer(event.Listener):
    """Announce that Numba compiles a function; functions from its cache cause no event."""

    def on_start(self, _: Any) -> None:
        """Print a line, once."""
        announce("compiling functions (once, a few seconds)")

    def on_end(self, _: Any) -> None:
        """Nothing to do."""


event.register("numba:compile", _Announcer())


def _nothing() -> None:
    """A function for Numba to find a place for."""


try:
    njit(cache=True)(_nothing)
except RuntimeError:  # Numba found no place; the same stand-in as for programs, so one warning in all
    _place = stand_in(base_folder(), "neither the package's folder nor the home folder can be written")
    vars(numba.config)["CACHE_DIR"] = str(_place / "numba")

"""Numba's `njit` with a writable cache folder; import it from here.

Importing this module imports Numba: only modules that compile functions may do so.
"""

from __future__ import annotations

import numba
from numba import njit

from .program_cache import base_folder, stand_in


def _nothing() -> None:
    """A function for Numba to find a place for."""


try:
    njit(cache=True)(_nothing)
except RuntimeError:  # Numba found no place; the same stand-in as for programs, so one warning in all
    _place = stand_in(base_folder(), "neither the package's folder nor the home folder can be written")
    vars(numba.config)["CACHE_DIR"] = str(_place / "numba")

"""Checks of arguments, with one wording: the argument, its value, what was expected."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import NsnnError
from .units import shown

__all__ = ["check_seed", "check_whole"]


def check_seed(seed: Any) -> int:
    """`seed` as an int; None draws a fresh one.

    Raises
    ------
    NsnnError : not an integer from 0 to 2**63 - 1
    """
    if seed is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0]) >> 1
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**63:
        raise NsnnError(f"seed = {shown(seed)}: expected None or an integer from 0 to 2**63 - 1")
    return int(seed)


def check_whole(value: Any, name: str) -> None:
    """Raise NsnnError unless `value` is a whole number, 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise NsnnError(f"{name} = {value!r}: expected a whole number, 1 or more")

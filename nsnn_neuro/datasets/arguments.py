"""Checks of arguments that the data sets share."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import NsnnError

__all__ = ["one_of", "whole"]


def whole(value: Any, least: int, name: str) -> int:
    """`value` as a whole number of at least `least`; NsnnError otherwise.

    >>> whole(3, 1, "n_steps")
    3
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise NsnnError(f"{name} = {value!r}: expected a whole number from {least}")
    return int(value)


def one_of(value: Any, known: Any, name: str) -> str:
    """`value`, which has to be one of the texts in `known`; NsnnError otherwise.

    >>> one_of("test", ("train", "test"), "split")
    'test'
    """
    if not isinstance(value, str) or value not in known:
        raise NsnnError(f"{name} = {value!r}: expected one of " + ", ".join(f'"{part}"' for part in known))
    return value

"""Checks of arguments that the data sets share."""

from __future__ import annotations

from typing import Any

from ..core.errors import NsnnError

__all__ = ["one_of"]


def one_of(value: Any, known: Any, name: str) -> str:
    """`value`, which has to be one of the texts in `known`; NsnnError otherwise.

    >>> one_of("test", ("train", "test"), "split")
    'test'
    """
    if not isinstance(value, str) or value not in known:
        raise NsnnError(f"{name} = {value!r}: expected one of " + ", ".join(f'"{part}"' for part in known))
    return value

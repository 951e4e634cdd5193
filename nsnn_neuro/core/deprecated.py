"""Old public forms that stay for one release: each warns once per place, and names what to use instead."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

__all__ = ["public", "warn"]


def warn(old: str, new: str, *, stacklevel: int = 3) -> None:
    """Warn that `old`, as a user writes it, ends with the next release, and that `new` replaces it."""
    warnings.warn(f"{old} is deprecated: use {new}", DeprecationWarning, stacklevel=stacklevel)


def public(name: str) -> Any:
    """The public name of the package that replaces an old form, whatever room it is in."""
    return getattr(importlib.import_module("nsnn_neuro"), name)

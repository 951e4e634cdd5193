"""`scipy.special`, imported when the first of its functions is used: the import takes 0.15 s, and many runs need none of them."""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    return getattr(importlib.import_module("scipy.special"), name)

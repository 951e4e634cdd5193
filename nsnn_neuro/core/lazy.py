"""Lazy names of a package, listed in its stub `__init__.pyi`; a misspelt name is answered with the closest one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lazy_loader


def attach_stub(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package, for its `__name__` and `__file__`."""
    find, listing, names = lazy_loader.attach_stub(package, file)

    def __getattr__(name: str) -> Any:
        if name in names:
            return find(name)
        from .checks import did_you_mean

        raise AttributeError(f"{package} has no {name!r}{did_you_mean(name, names)}")

    return __getattr__, listing, names

"""Lazy names of a package, listed in its stub `__init__.pyi`; a misspelt name is answered with the closest one.

A name that a room of the package has, not the package itself, is answered with its place: `measures.firing_rate`. Names of rooms
are read from the text of their files, so that nothing is imported for a message.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lazy_loader


def attach_stub(
    package: str, file: str, **rooms: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package, for its `__name__` and `__file__`.

    rooms : modules whose names a user may look for in the package, as name -> path from its folder, without the ending
    """
    find, listing, names = lazy_loader.attach_stub(package, file)

    def __getattr__(name: str) -> Any:
        if name in names:
            return find(name)
        # with `name` set, Python adds no suggestion of its own
        raise AttributeError(f"{package} has no {name!r}{_hint(name, names, file, rooms)}", name=name)

    return __getattr__, listing, names


def _hint(name: str, names: list[str], file: str, rooms: dict[str, str]) -> str:
    """End of a message: the rooms that have a name, or the closest name; none for `__wrapped__` and others that tools ask for."""
    if name.startswith("_"):
        return ""
    result = [f"{room}.{name}" for room, path in rooms.items() if name in _listed(Path(file).parent / path)]
    if result:
        return f"; it is {' or '.join(result)}"
    from .checks import did_you_mean

    return did_you_mean(name, names)


@functools.cache
def _listed(path: Path) -> frozenset[str]:
    """The names in `__all__` of the stub or module at a path without ending."""
    for source in (path.with_suffix(".pyi"), path.with_suffix(".py")):
        if not source.is_file():
            continue
        for node in ast.parse(source.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                return frozenset(ast.literal_eval(node.value))
    return frozenset()

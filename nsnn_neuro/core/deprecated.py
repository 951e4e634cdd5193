"""Old public forms that stay for one release: each warns once per place, and names what to use instead."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, ParamSpec, TypeVar

from .errors import NsnnError
from .warn import warn as warn_user

P = ParamSpec("P")
R = TypeVar("R")

# Modules that documentation named, by their old paths.
_MODULES = {
    "nsnn_neuro.coding": "nsnn_neuro.learning.coding",
    "nsnn_neuro.engine": "nsnn_neuro.brian.engine",
    "nsnn_neuro.losses": "nsnn_neuro.learning.losses",
    "nsnn_neuro.records": "nsnn_neuro.core.parameters",
}
_INSTEAD = {
    "nsnn_neuro.coding": "from nsnn_neuro import coding",
    "nsnn_neuro.losses": "from nsnn_neuro import losses",
}


def warn(old: str, new: str) -> None:
    """Warn that `old`, as a user writes it, ends with the next release, and that `new` replaces it."""
    warn_user(f"{old} is deprecated: use {new}", DeprecationWarning)


def public(name: str) -> Any:
    """The public name of the package that replaces an old form, whatever room it is in."""
    return getattr(importlib.import_module("nsnn_neuro"), name)


def renamed_keywords(**renamed: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorator: the function still takes keyword arguments by their old names, `old="new"`, with a DeprecationWarning.

    >>> @renamed_keywords(bin="bin_width")
    ... def words(*, bin_width):
    ...     return bin_width
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     print(words(bin=3), caught[0].message)
    3 words(bin=...) is deprecated: use words(bin_width=...)
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapper(*args: Any, **keywords: Any) -> R:
            for old, new in renamed.items():
                if old in keywords:
                    name = function.__name__
                    if new in keywords:
                        raise NsnnError(
                            f"{name} has both {new} and {old}, its old name: expected {new} alone"
                        )
                    warn(f"{name}({old}=...)", f"{name}({new}=...)")
                    keywords[new] = keywords.pop(old)
            return function(*args, **keywords)

        return wrapper

    return decorate


def reordered(
    first: str, second: str, is_old: Callable[[Any, Any], bool]
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorator: the function still takes its first two arguments in their old order, with a DeprecationWarning.

    first, second : names of the first two arguments, in the new order
    is_old : whether two values, the first ones of a call, are in the old order

    >>> @reordered("signal", "trains", lambda a, b: isinstance(a, list))
    ... def average(signal, trains):
    ...     return signal, trains
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     print(average([1, 2], "signal"), caught[0].message)
    ('signal', [1, 2]) average(trains, signal) is deprecated: use average(signal, trains)
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapper(*args: Any, **keywords: Any) -> R:
            one, other = (*args[:2], keywords.get(first), keywords.get(first))[:2]
            if args and is_old(one, other):
                name = function.__name__
                warn(f"{name}({second}, {first})", f"{name}({first}, {second})")
                args = (other, one, *args[2:])
                keywords.pop(first, None)
            return function(*args, **keywords)

        return wrapper

    return decorate


def keyword_only(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorator: the function still takes its argument `name`, which is keyword-only now, as second one, with a DeprecationWarning.

    >>> @keyword_only("stimulus")
    ... def average(block, *, stimulus=None):
    ...     return block, stimulus
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     print(average([1, 2], "a"), caught[0].message)
    ([1, 2], 'a') average(block, stimulus) is deprecated: use average(block, stimulus=stimulus)
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        first = next(iter(inspect.signature(function).parameters))

        @functools.wraps(function)
        def wrapper(*args: Any, **keywords: Any) -> R:
            if len(args) == 2 and name not in keywords:
                called = function.__name__
                warn(f"{called}({first}, {name})", f"{called}({first}, {name}={name})")
                keywords[name] = args[1]
                return function(args[0], **keywords)
            return function(*args, **keywords)

        return wrapper

    return decorate


def renamed_names(module: str, door: str | None = None, **renamed: str) -> Callable[[str], Any]:
    """A `__getattr__` for a module that still gives objects by their old names, `old="new"`, with a DeprecationWarning.

    door : the module from which users import the names; the module itself by default
    """

    def __getattr__(name: str) -> Any:
        if name not in renamed:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warn(f"{door or module}.{name}", f"{door or module}.{renamed[name]}")
        return getattr(sys.modules[module], renamed[name])

    return __getattr__


class _OldModules(MetaPathFinder, Loader):
    """Finds modules by their old paths, with a warning."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """The specification of an old path; None for any other."""
        return ModuleSpec(fullname, self) if fullname in _MODULES else None

    def exec_module(self, module: ModuleType) -> None:
        """Put the module at its new path in place of the old one."""
        old = module.__name__
        warn(old, _INSTEAD.get(old, _MODULES[old]))
        sys.modules[old] = importlib.import_module(_MODULES[old])


def keep_old_modules() -> None:
    """Let the old paths of modules be imported for one release more."""
    if not any(isinstance(finder, _OldModules) for finder in sys.meta_path):
        sys.meta_path.append(_OldModules())

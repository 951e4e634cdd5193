"""What Brian2 computes again and again, in less time or not at all.

These are the keys of its caches, the documentation of its preferences (a fifth of the time of a short simulation), where in the
source each of its objects was made, and records of what it does that no log takes. `use` replaces Brian2's functions, and
`global_state.borrowed` puts them back.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from brian2 import prefs
from brian2.core import base
from brian2.units.fundamentalunits import Dimension
from brian2.utils import caching
from brian2.utils.logger import LOG_LEVELS, BrianLogger

_ABSENT = object()
_PLAIN = frozenset({str, int, float, bool, type(None), Dimension})
_BY_ATTRIBUTES = getattr(getattr(caching, "CacheKey", None), "_state_tuple", _ABSENT)


def hashable(value: Any) -> Any:
    """What Brian2's `_hashable` returns: equal for values that its caches take for the same.

    >>> hashable({"a": [1, {2}]}) == caching._hashable({"a": [1, {2}]})
    True
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        return frozenset([(hashable(key), hashable(one)) for key, one in value.items()])
    if kind is tuple or kind is list:
        return tuple([hashable(one) for one in value])
    if getattr(kind, "_state_tuple", None) is _BY_ATTRIBUTES:  # computed once, and only here
        left_out = value._cache_irrelevant_attributes
        return tuple([hashable(one) for name, one in sorted(vars(value).items()) if name not in left_out])
    state = getattr(value, "_state_tuple", _ABSENT)
    if state is not _ABSENT:
        return hashable(state)
    if isinstance(value, Mapping):
        return frozenset([(hashable(key), hashable(one)) for key, one in value.items()])
    if isinstance(value, set):
        return frozenset([hashable(one) for one in value])
    if isinstance(value, tuple | list):
        return tuple([hashable(one) for one in value])
    if hasattr(value, "dim") and getattr(value, "shape", None) == ():
        return float(value), value.dim
    try:
        hash(value)
    except TypeError:
        raise TypeError(f"no key for an object of type {kind}") from None
    return value


def without_documentation(preferences: Any, basename: str | None = None, link_targets: bool = True) -> str:
    """No text, where Brian2 writes one whenever a category of its preferences is read, as in `prefs.codegen`."""
    return ""


def no_record(self: Any, *args: Any, **options: Any) -> None:
    """Nothing, where Brian2 makes a record of its finest level."""


PLACES: list[tuple[Any, str]] = [
    (owner, name)
    for owner, name in (
        (caching, "_hashable"), (type(prefs), "get_documentation"), (base, "traceback"), (BrianLogger, "diagnostic"),
    )
    if hasattr(owner, name)
]  # fmt: skip
"""Where the functions stand that `use` replaces, as far as this version of Brian2 has them."""
_FASTER = {
    "_hashable": hashable,
    "get_documentation": without_documentation,
    "traceback": SimpleNamespace(extract_stack=list),
    "diagnostic": no_record,
}


def use() -> None:
    """Replace Brian2's functions until `global_state.borrowed` ends."""
    finest = min((handler.level for handler in logging.getLogger("brian2").handlers), default=0)
    for owner, name in PLACES:
        if name != "diagnostic" or finest > LOG_LEVELS["DIAGNOSTIC"]:
            setattr(owner, name, _FASTER[name])

"""The keys of Brian2's caches of translated code, made faster: a quarter of the time of a short simulation went into them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brian2.units.fundamentalunits import Dimension
from brian2.utils import caching

_ABSENT = object()
_PLAIN = frozenset({str, int, float, bool, type(None), Dimension})
_BY_ATTRIBUTES = getattr(getattr(caching, "CacheKey", None), "_state_tuple", _ABSENT)


def use() -> None:
    """Let Brian2 make its keys with `hashable`, if it has a function of that kind; `global_state.borrowed` puts its own back."""
    if hasattr(caching, "_hashable"):
        caching._hashable = hashable


def hashable(value: Any) -> Any:
    """What Brian2's `_hashable` returns: equal for values that its caches take for the same.

    >>> hashable({"a": [1, {2}]}) == caching._hashable({"a": [1, {2}]})
    True
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
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

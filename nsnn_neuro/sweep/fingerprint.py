"""Fingerprints: plain data that identify models, measures and functions, so that a sweep is resumed only with the same ones."""

from __future__ import annotations

import hashlib
import inspect
import pickle
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import quantities as pq

from ..core.parameters import Model
from ..models.network import Network

_OWN_MODULE = re.compile(r"^nsnn_neuro\.(?:[a-z_0-9]+\.)*")


def fingerprint(value: Any) -> Any:
    """Plain data that differ when `value` (a model, a Network, a function, an array, ...) differs; the same in every process.

    The package's own classes and functions are named without their module, which may change; others with it.
    """
    if isinstance(value, Network):
        return value.describe()
    if isinstance(value, Model):
        kind = type(value)
        own = kind.__module__.startswith("nsnn_neuro.")
        plain: dict[str, Any] = {"type": kind.type_name() if own else _name(kind)}
        if not own:
            plain["text"] = _texts(kind)
        for field in value.described_fields():
            inner = getattr(value, field.name)
            plain[field.name] = (
                {"value": np.asarray(value.si(field.name)).tolist(), "unit": value.unit(field.name)}
                if "units" in field.metadata
                else fingerprint(inner)
            )
        return plain
    if isinstance(value, np.ndarray):
        more = {"units": str(value.dimensionality)} if isinstance(value, pq.Quantity) else {}
        if hasattr(value, "sampling_rate"):
            more |= {"sampling_rate": repr(float(value.sampling_rate.rescale("Hz").magnitude))}
        array = np.ascontiguousarray(np.asarray(value))
        return {
            "dtype": array.dtype.str,
            "shape": array.shape,
            "sha256": hashlib.sha256(array.tobytes()).hexdigest(),
            **more,
        }
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple):
        return [fingerprint(v) for v in value]
    if isinstance(value, Mapping):
        return {str(k): fingerprint(v) for k, v in value.items()}
    if callable(value):
        return _function(value)
    try:
        content = hashlib.sha256(pickle.dumps(value, protocol=5)).hexdigest()
    except Exception:  # a lock, say: no more is known of it
        return _name(type(value))
    return {"type": _name(type(value)), "sha256": content}


def without_modules(value: Any) -> Any:
    """A fingerprint of an earlier version without the modules of the package's classes and functions.

    >>> without_modules({"type": "nsnn_neuro.neurons.LIF", "tau_m": {"value": 0.02, "unit": "s"}})
    {'type': 'LIF', 'tau_m': {'value': 0.02, 'unit': 's'}}
    """
    if isinstance(value, dict):
        return {key: without_modules(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_modules(inner) for inner in value]
    return _OWN_MODULE.sub("", value) if isinstance(value, str) else value


def _name(named: Any) -> str:
    """The name of a class or function, with its module unless it is the package's."""
    name = getattr(named, "__qualname__", type(named).__qualname__)
    return _OWN_MODULE.sub("", f"{getattr(named, '__module__', '') or ''}.{name}")


def _function(function: Callable[..., Any]) -> Any:
    """A function by its name and its fixed arguments; a function from outside the package also by its code."""
    if hasattr(function, "func") and hasattr(function, "keywords"):  # functools.partial
        inner = {"arguments": fingerprint(function.args), "keywords": fingerprint(function.keywords)}  # type: ignore[attr-defined]
        return {"function": fingerprint(function.func), **inner}
    module = getattr(function, "__module__", "") or ""
    plain: dict[str, Any] = {"name": _name(function)}
    code = getattr(function, "__code__", None)
    if code is not None and not module.startswith("nsnn_neuro."):
        plain["code"] = hashlib.sha256(repr(_code(code)).encode()).hexdigest()
        plain["defaults"] = fingerprint([function.__defaults__, function.__kwdefaults__])  # type: ignore[attr-defined]
        plain["closure"] = [_cell(cell, function) for cell in function.__closure__ or ()]  # type: ignore[attr-defined]
    owner = getattr(function, "__self__", None)
    if owner is not None and not isinstance(owner, type):
        plain["owner"] = fingerprint(vars(owner)) if hasattr(owner, "__dict__") else _name(type(owner))
    elif code is None and hasattr(function, "__dict__") and not isinstance(function, type):
        plain["owner"] = fingerprint(vars(function))
    return plain


def _cell(cell: Any, function: Any) -> Any:
    """The content of a closure's cell; None for an empty one and for the function itself."""
    try:
        inside = cell.cell_contents
    except ValueError:  # empty
        return None
    return None if inside is function else fingerprint(inside)


def _texts(kind: type) -> dict[str, Any]:
    """The equations of a user's model class: attributes that are text or numbers, and the code of its methods."""
    texts = {}
    for name in sorted(dir(kind)):
        inner = inspect.getattr_static(kind, name)
        if isinstance(inner, property):
            inner = inner.fget
        if name.startswith("__"):
            continue
        plain = isinstance(inner, str | bool | int | float | tuple | list | dict)
        if plain or (hasattr(inner, "__code__") and not (inner.__module__ or "").startswith("nsnn_neuro.")):
            texts[name] = fingerprint(inner)
    return texts


def _code(code: Any) -> tuple[Any, ...]:
    constants = tuple(
        _code(c)
        if hasattr(c, "co_code")
        else sorted(map(repr, c))  # a set's own order differs between processes
        if isinstance(c, frozenset)
        else repr(c)
        for c in code.co_consts
    )
    return code.co_code, code.co_names, code.co_varnames, constants

"""Fits as plain data and arrays, for files: `Saved`, the base of fits with `save`, and `decoded`, which reads them.

An object is its type's name and its fields; arrays stand apart. A file names types only, which the reader looks up in a table, so
that it can name no other code; the texts of models are those of their classes.
"""

from __future__ import annotations

import dataclasses
import os
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import neo
import numpy as np
import pandas as pd
import quantities as pq

from ..core import units
from ..core.errors import NsnnError
from ..core.results import digest, npz_to_write, write_npz
from ..io.json_codec import parse_unit, unit_text
from ..io.spikes import as_repeats, as_trains
from ..models.network import Network

VERSION = 1  # a change that older versions can't read adds 1


class Saved:
    """Base of fits that can be saved."""

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the fit to an .npz file; `load_fit` reads it, and then scores and simulates identically.

        The file holds the fitted spikes and the stimulus of the fit, but no code, so that a fit
        with a neuron, noise or basis of your own class can't be saved.

        path : ends in .npz; a file of that name is replaced

        NsnnError : another ending, no such folder, a full disk, a class of your own
        """
        target, arrays = npz_to_write(path), dict[str, np.ndarray]()
        about = {"saved": VERSION, "fit": encoded(self, "fit", arrays)}
        write_npz(target, {f"array_{k}": one for k, one in enumerate(arrays.values())}, about, "path")
        return target


def encoded(value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """A value as plain data; its arrays go to `arrays`, equal ones once, by their checksums."""

    def inner(one: Any, key: Any) -> Any:
        return encoded(one, f"{name}.{key}", arrays)

    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, os.PathLike):
        return None  # of a folder of results, which may not be there
    if isinstance(value, neo.Block):
        value = as_trains(value)
    elif isinstance(value, list) and value and isinstance(value[0], neo.SpikeTrain):
        value = as_repeats(value)
    if isinstance(value, tuple | list):
        return {type(value).__name__: [inner(one, k) for k, one in enumerate(value)]}
    if isinstance(value, dict):
        return {"dict": [[inner(key, "key"), inner(one, key)] for key, one in value.items()]}
    if isinstance(value, pd.DataFrame):
        return {"frame": [[str(key), inner(column.to_numpy(), key)] for key, column in value.items()]}
    if isinstance(value, neo.AnalogSignal):
        about = {key: inner(getattr(value, key), key) for key in ("sampling_rate", "t_start")}
        signal = pq.Quantity(value.magnitude, value.units)
        return {"signal": inner(signal, "signal"), "name": value.name and str(value.name), **about}
    if isinstance(value, pq.Quantity):
        return {"quantity": inner(np.asarray(value.magnitude), "value"), "unit": unit_text(value, name)}
    if hasattr(value, "dim"):
        return {"brian": inner(np.asarray(value), "value"), "unit": units.unit_of(value)}
    if type(value) is np.ndarray and value.dtype.kind in "biuf":
        checksum = digest(None, value)
        arrays.setdefault(checksum, value)
        return {"array": list(arrays).index(checksum)}
    kind = type(value)
    if dataclasses.is_dataclass(kind) and kind.__module__.partition(".")[0] == __name__.partition(".")[0]:
        fields = {one.name: inner(getattr(value, one.name), one.name) for one in dataclasses.fields(kind)}
        return {"type": kind.__name__, "fields": fields}
    what = f"a class of your own, {kind.__name__},"
    if callable(value) or kind is Network:
        what = "a function or network"
    raise NsnnError(
        f"{name} = {units.shown(value)}: {what} can't be saved, since a file holds no code: "
        "keep the script that fits, and save the spikes"
    )


def decoded(plain: Any, known: Mapping[str, type], arrays: Mapping[str, np.ndarray]) -> Any:
    """The value of plain data; any exception for what `encoded` can't have made, or for a type that isn't `known`."""

    def inner(one: Any) -> Any:
        return decoded(one, known, arrays)

    match plain:
        case None | bool() | int() | float() | str():
            return plain
        case {"tuple": list(items)}:
            return tuple(inner(one) for one in items)
        case {"list": list(items)}:
            return [inner(one) for one in items]
        case {"dict": list(pairs)}:
            return {inner(key): inner(one) for key, one in pairs}
        case {"frame": list(columns)}:
            return pd.DataFrame({key: inner(column) for key, column in columns})
        case {"array": int(number)}:
            return arrays[f"array_{number}"]
        case {"signal": signal, "name": name, "sampling_rate": rate, "t_start": start}:
            given = {"sampling_rate": inner(rate), "t_start": inner(start), "name": name}
            return neo.AnalogSignal(inner(signal), **given)
        case {"quantity": value, "unit": str(text)} if (unit := parse_unit(text)) is not None:
            return pq.Quantity(inner(value), unit.units)
        case {"brian": value, "unit": str(unit)}:
            return units.brian(inner(value), unit)
        case {"type": str(name), "fields": dict(fields)} if name in known:
            values = {key: inner(one) for key, one in fields.items()}
            hints = typing.get_type_hints(known[name])
            for key, value in values.items():
                if not _fits(value, hints[key]):
                    raise ValueError(f"{key} of {name} is of type {type(value).__name__}")
            return known[name](**values)
    raise ValueError(f"no content of a fit: {units.shown(plain)}")


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of an annotated type, items too."""
    if hint is Any:
        return True
    kind, arguments = typing.get_origin(hint), typing.get_args(hint)
    if kind in (types.UnionType, typing.Union):
        return any(_fits(value, one) for one in arguments)
    if kind is typing.Literal:
        return value in arguments
    if hint is float:
        return type(value) in (int, float)
    if not isinstance(value, kind or hint) or (isinstance(value, bool) and hint is not bool):
        return False
    if kind is tuple and Ellipsis not in arguments:
        return len(value) == len(arguments) and all(map(_fits, value, arguments))
    if kind in (tuple, list):
        return all(_fits(one, arguments[0]) for one in value)
    if kind is dict:
        return all(_fits(key, arguments[0]) and _fits(one, arguments[1]) for key, one in value.items())
    return True

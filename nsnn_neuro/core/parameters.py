"""What neurons, noises and stimuli have in common: a frozen record of named parameters with units.

A record is data plus a few lines of text (its dynamics in Brian2's syntax); it never runs anything. Fields are scalars or
arrays of shape (n_neurons,).
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np

from . import units
from .errors import NsnnError

__all__ = ["Record", "parameter", "substitute"]

_BOUNDS = {
    "positive": (lambda x: x > 0, "a positive value"),
    "non-negative": (lambda x: x >= 0, "zero or a positive value"),
    "fraction": (lambda x: (x >= 0) & (x <= 1), "a value from 0 to 1"),
    "any": (lambda x: np.ones_like(x, dtype=bool), "a value"),
}


def parameter(*unit: str, bound: str = "any", **kwargs: Any) -> Any:
    """A field of a `Record`: its unit (or the units it may have) and its bound; `default` may be a quantity."""
    if units.is_quantity(kwargs.get("default")):
        default = kwargs.pop("default")
        kwargs["default_factory"] = lambda: default
    return dataclasses.field(metadata={"units": unit, "bound": bound}, **kwargs)


def substitute(text: str, names: dict[str, str]) -> str:
    """`text` with its names replaced, all at once: what is put in isn't searched again."""
    return re.sub(r"(?<![\w.])[A-Za-z_]\w*", lambda match: names.get(match[0], match[0]), text)


@dataclasses.dataclass(frozen=True, eq=False)
class Record:
    """Base of all records: validates every parameter when it is made and gives it out in SI.

    Raises
    ------
    NsnnError : a wrong unit, a value out of bounds, an array that isn't one-dimensional
    """

    def __post_init__(self) -> None:
        for field in self._parameters():
            self._validate(field)
        sizes = {f.name: np.size(self.si(f.name)) for f in self._parameters() if np.ndim(self.si(f.name))}
        if len(set(sizes.values())) > 1:
            told = ", ".join(f"{name} has {size}" for name, size in sizes.items())
            raise NsnnError(f"{told} values: expected numbers, or arrays of one shape (n_neurons,)")

    @classmethod
    def _parameters(cls) -> list[dataclasses.Field]:
        return [f for f in dataclasses.fields(cls) if "units" in f.metadata]

    def _validate(self, field: dataclasses.Field) -> None:
        name, value, allowed = field.name, getattr(self, field.name), field.metadata["units"]
        unit = units.unit_of(value)
        if unit not in allowed:
            unit = allowed[0]
        array = np.asarray(units.si(value, unit, name))
        if array.ndim > 1 or array.size == 0:
            raise NsnnError(
                f"{name} has shape {array.shape}: expected a number or an array of shape (n_neurons,)"
            )
        within, wanted = _BOUNDS[field.metadata["bound"]]
        if not np.isfinite(array).all() or not np.all(within(array)):
            raise NsnnError(
                f"{name} = {value}: expected {wanted}, finite ({units.describe(unit)}){self._cure(name, array)}"
            )

    def _cure(self, name: str, value: np.ndarray) -> str:
        """What else there is to say of a value of parameter `name` that is out of bounds."""
        return ""

    def unit(self, name: str) -> str:
        """The unit symbol of parameter `name`: "s", "V", "Hz", "1"."""
        allowed = next(f.metadata["units"] for f in self._parameters() if f.name == name)
        unit = units.unit_of(getattr(self, name))
        return unit if unit in allowed else allowed[0]

    def si(self, name: str) -> Any:
        """Parameter `name` as an SI float or a float array of shape (n_neurons,)."""
        return units.si(getattr(self, name), self.unit(name), name)

    def describe(self) -> dict[str, Any]:
        """The record as plain data: its type and its parameters with units, ready for JSON."""
        out: dict[str, Any] = {"type": type(self).__name__}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Record):
                out[field.name] = value.describe()
            elif "units" in field.metadata:
                out[field.name] = {
                    "value": np.asarray(self.si(field.name)).tolist(),
                    "unit": self.unit(field.name),
                }
            elif isinstance(value, str | int | float | bool | type(None)):
                out[field.name] = value
        return out

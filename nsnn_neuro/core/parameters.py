"""Base class of neurons, noise models, stimuli, synapses and learning rules: frozen dataclasses of parameters with units.

A model holds its parameters and a few lines of text, its dynamics in Brian2's syntax; it runs nothing. A parameter is a number or
an array of shape (n_neurons,).
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np

from . import units
from .checks import SuggestsKeywords, one_of
from .errors import NsnnError

_BOUNDS = {
    "positive": (lambda x: x > 0, "a positive value"),
    "non-negative": (lambda x: x >= 0, "zero or a positive value"),
    "fraction": (lambda x: (x >= 0) & (x <= 1), "a value from 0 to 1"),
    "any": (lambda x: True, "a value"),
}
_UNITS = ("V", "1", "s", "Hz", "1/V")
# Brian2's functions that draw numbers which no seed of this package decides
_RANDOM = re.compile(r"\b(randn?|poisson)\s*\(")


def parameter(*unit: str, bound: str = "any", added: bool = False, **kwargs: Any) -> Any:
    """Declare a parameter of a model: a dataclass field with a unit and a bound that are checked when the model is created.

    unit : "V", "1" (dimensionless), "s", "Hz", "1/V", or several of them that are all accepted
    bound : "any", "positive", "non-negative" or "fraction" (0 to 1)
    added : descriptions leave it out while it is 0, so that files of before it was added hold the same model
    kwargs : of `dataclasses.field`, such as `default` (may be a quantity) and `kw_only`

    >>> @dataclasses.dataclass(frozen=True, eq=False)
    ... class Leak(Model):
    ...     tau: Any = parameter("s", bound="positive")
    >>> Leak(0.01)
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: tau = 0.01 has no unit: expected a time such as 20*ms
    """
    for symbol in unit or ("",):
        if not isinstance(symbol, str) or symbol not in _UNITS:
            raise NsnnError(
                f"unit = {units.shown(symbol)}: expected one of {', '.join(map(repr, _UNITS))}, for values in any unit of that "
                "kind, with the default by its name, as in parameter('V', default=3*mV); models count currents as voltages (times "
                "the membrane's resistance), conductances in units of the leak"
            )
    one_of(bound, _BOUNDS, "bound")
    if units.is_quantity(kwargs.get("default")):
        default = kwargs.pop("default")
        kwargs["default_factory"] = lambda: default
    return dataclasses.field(metadata={"units": unit, "bound": bound, "added": added}, **kwargs)


def checked(check: Callable[..., Any], **kwargs: Any) -> Any:
    """Declare a field of a model without a unit; `check(value, name=...)` returns the value to keep, or raises NsnnError."""
    return dataclasses.field(metadata={"check": check}, **kwargs)


def choice(*choices: Any, **kwargs: Any) -> Any:
    """Declare a field of a model that is one of these texts."""
    return checked(partial(one_of, choices=choices), **kwargs)


def substitute(text: str, names: dict[str, str]) -> str:
    """`text` with names replaced, all at once: replacements are not searched again."""
    return re.sub(r"(?<![\w.])[A-Za-z_]\w*", lambda match: names.get(match[0], match[0]), text)


@functools.lru_cache(maxsize=256)
def _check_deterministic(kind: Any) -> None:
    """Refuse texts that draw random numbers: their numbers would be others in each run, whatever the seed.

    Equations are attributes that a class of the package declares; others are notes of the author's.
    """
    own = __name__.partition(".")[0]
    declared = [vars(one) for one in kind.__mro__ if one.__module__.partition(".")[0] == own]
    names = {name for one in declared for name in (*one, *one.get("__annotations__", ()))}
    for name in sorted(names):
        value = getattr(kind, name, None)
        if name.startswith("_") or not isinstance(value, str | dict | tuple | list):
            continue
        if drawn := _RANDOM.search(re.sub("#.*", "", value if isinstance(value, str) else repr(value))):
            raise NsnnError(
                f"{kind.__name__}.{name} = {units.shown(value)}: {drawn[1]}() draws numbers that do not depend on the seed; "
                "expected a text without random numbers: give noise as the argument `noise`, and random input as a stimulus, such "
                "as FrozenNoise or Recorded"
            )


@functools.lru_cache(maxsize=256)
def _parameter_fields(kind: Any) -> tuple[dataclasses.Field[Any], ...]:
    return tuple(field for field in dataclasses.fields(kind) if "units" in field.metadata)


@dataclasses.dataclass(frozen=True, eq=False)
class Model(SuggestsKeywords):
    """Base of all models: checks every parameter at creation and returns it in SI (`si`).

    `saved_as` is the name in files of a class that was renamed, so that older files can be read; "": its own name.
    """

    saved_as: ClassVar[str] = ""

    def __post_init__(self) -> None:
        kind: Any = type(self)
        _check_deterministic(kind)
        for field in self.parameter_fields():
            self._validate(field)
        for field in dataclasses.fields(self):
            if check := field.metadata.get("check"):
                object.__setattr__(self, field.name, check(getattr(self, field.name), name=field.name))
        values = {f.name: getattr(self, f.name) for f in self.parameter_fields()}
        sizes = {name: np.size(value) for name, value in values.items() if np.ndim(value)}
        if len(set(sizes.values())) > 1:
            lengths = ", ".join(f"{name} has {size}" for name, size in sizes.items())
            raise NsnnError(f"{lengths} values: expected numbers, or arrays of one shape (n_neurons,)")

    @classmethod
    def parameter_fields(cls) -> list[dataclasses.Field[Any]]:
        """The fields declared with `parameter`."""
        kind: Any = cls
        return list(_parameter_fields(kind))

    @classmethod
    def type_name(cls) -> str:
        """The name of the class in files and tables: that of its first version."""
        return vars(cls).get("saved_as") or cls.__name__

    def _validate(self, field: dataclasses.Field) -> None:
        name, value, allowed = field.name, getattr(self, field.name), field.metadata["units"]
        unit = units.unit_of(value)
        if unit not in allowed:
            if len(allowed) > 1:
                expected = ", or ".join(map(units.describe, allowed))
                of_membrane = ", but sigma is the SD of the free membrane, not of the current" * (
                    name == "sigma"
                )
                cure = units.from_current(value, *allowed, more=of_membrane)
                raise NsnnError(f"{name} of {type(self).__name__} = {value}: expected {expected}{cure}")
            unit = allowed[0]
        array = np.asarray(units.si(value, unit, name))
        if array.ndim > 1 or array.size == 0:
            raise NsnnError(
                f"{name} has shape {array.shape}: expected a number or an array of shape (n_neurons,)"
            )
        within, expected = _BOUNDS[field.metadata["bound"]]
        if not array.ndim and math.isfinite(number := float(array)) and within(number):
            return
        if not np.isfinite(array).all() or not np.all(within(array)):
            raise NsnnError(
                f"{name} = {value}: expected {expected}, finite ({units.describe(unit)}){self._cure(name, array)}"
            )

    def _cure(self, name: str, value: np.ndarray) -> str:
        """The end of the message about a value of parameter `name` that is out of bounds."""
        return ""

    def _same_unit(self, first: str, *others: str) -> None:
        for name in others:
            if self.unit(name) != self.unit(first):
                one, other = getattr(self, first), getattr(self, name)
                raise NsnnError(f"{first} = {one}, {name} = {other}: expected the same unit for both")

    def _in_order(self, low: str, high: str) -> None:
        if np.any(np.asarray(self.si(low)) >= np.asarray(self.si(high))):
            raise NsnnError(
                f"{low} = {getattr(self, low)}: expected a value below {high} = {getattr(self, high)}"
            )

    def check_membrane(self, name: str, unit: str, neuron: Any) -> None:
        """Raise NsnnError unless parameter `name` has `unit`, that of the neuron's membrane."""
        if self.unit(name) != unit:
            lack = " has no unit" if self.unit(name) == "1" else ""
            raise NsnnError(
                f"{name} = {getattr(self, name)} of {type(self).__name__}{lack}: expected {units.describe(unit)}, "
                f"the unit of the membrane of this {type(neuron).__name__}"
            )

    def unit(self, name: str) -> str:
        """The unit symbol of parameter `name`: "s", "V", "Hz", "1"."""
        allowed = type(self).__dataclass_fields__[name].metadata["units"]
        unit = units.unit_of(getattr(self, name))
        return unit if unit in allowed else allowed[0]

    def si(self, name: str) -> Any:
        """Parameter `name` as an SI float or a float array of shape (n_neurons,)."""
        known = vars(self).get("_known_si", {})
        return known[name] if name in known else units.si(getattr(self, name), self.unit(name), name)

    def with_si(self, values: Mapping[str, float]) -> Self:
        """A copy whose `si` returns these numbers, for the others those that it has now, without conversion; nothing is checked.

        For fits that try thousands of values; its attributes stay what they are, so use it for nothing but `si`.

        >>> from nsnn_neuro import WhiteNoise
        >>> WhiteNoise(0.5).with_si({"sigma": 0.7}).si("sigma")
        0.7
        """
        made = copy.copy(self)
        vars(made)["_known_si"] = {f.name: self.si(f.name) for f in self.parameter_fields()} | dict(values)
        return made

    def described_fields(self) -> list[dataclasses.Field]:
        """The fields that tell this model from others: without those that were added, while they are 0."""
        fields = dataclasses.fields(self)
        return [one for one in fields if not one.metadata.get("added") or np.any(self.si(one.name))]

    def describe(self) -> dict[str, Any]:
        """The model as plain data, ready for JSON: its type, and its parameters with units."""
        out: dict[str, Any] = {"type": self.type_name()}
        for field in self.described_fields():
            value = getattr(self, field.name)
            if isinstance(value, Model):
                out[field.name] = value.describe()
            elif "units" in field.metadata:
                values = np.asarray(self.si(field.name)).tolist()
                out[field.name] = {"value": values, "unit": self.unit(field.name)}
            elif isinstance(value, str | int | float | bool | type(None)):
                out[field.name] = value
        return out


class Scalars(Model):
    """Base of models whose parameters are single numbers."""

    def _validate(self, field: dataclasses.Field) -> None:
        super()._validate(field)
        if np.ndim(self.si(field.name)):
            raise NsnnError(f"{field.name} = {getattr(self, field.name)}: expected one number, not an array")

"""Conversion between physical quantities (Brian2's or Neo's) and SI floats.

The package computes on SI floats: `si` converts an argument, `brian` and `pq_quantity` convert results back. Brian2 is
imported only when a Brian2 quantity is made, so that measures work without it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import quantities as pq

from .errors import NsnnError

# symbol -> (Brian2 base dimension exponents m, kg, s, A, K, mol, cd; the unit in quantities; an example for messages)
_UNITS: dict[str, tuple[tuple[float, ...], Any, str]] = {
    "s": ((0, 0, 1, 0, 0, 0, 0), pq.s, "a time such as 20*ms"),
    "Hz": ((0, 0, -1, 0, 0, 0, 0), pq.Hz, "a frequency such as 10*Hz"),
    "V": ((2, 1, -3, -1, 0, 0, 0), pq.V, "a voltage such as 15*mV"),
    "1/V": ((-2, -1, 3, 1, 0, 0, 0), 1 / pq.V, "an inverse voltage such as 1/(2*mV)"),
    "A": ((0, 0, 0, 1, 0, 0, 0), pq.A, "a current such as 100*pA"),
    "F": ((-2, -1, 4, 2, 0, 0, 0), pq.F, "a capacitance such as 200*pF"),
    "S": ((-2, -1, 3, 2, 0, 0, 0), pq.S, "a conductance such as 10*nS"),
    "ohm": ((2, 1, -3, -2, 0, 0, 0), pq.ohm, "a resistance such as 100*Mohm"),
    "kg": ((0, 1, 0, 0, 0, 0, 0), pq.kg, "a mass such as 22*gram"),
    "1": ((0, 0, 0, 0, 0, 0, 0), pq.dimensionless, "a plain number such as 0.5"),
}


_SYMBOLS = {expected: symbol for symbol, (expected, _, _) in _UNITS.items()}


def _brian_dims(value: Any) -> tuple[float, ...] | None:
    return getattr(getattr(value, "dim", None), "_dims", None)


_KEPT = 1000
_known: dict[tuple[Any, ...], tuple[Any, tuple[Any, ...]]] = {}


def _once(
    what: Callable[[pq.dimensionality.Dimensionality, str], Any], dimensionality: Any, unit: str = ""
) -> Any:
    """what(dimensionality, unit), computed once: quantities takes up to a millisecond to compare two units."""
    key = what, unit, *((id(one), power) for one, power in dimensionality.items())
    result = _known.get(key)
    if result is None:
        if len(_known) >= _KEPT:
            _known.clear()
        # the units are kept too, as another one may get the id of one that is gone
        result = _known[key] = what(dimensionality, unit), tuple(dimensionality)
    return result[0]


def _symbol(dimensionality: pq.dimensionality.Dimensionality, _: str) -> str:
    simplified = dimensionality.simplified
    same = (s for s, (_, unit, _) in _UNITS.items() if unit.dimensionality.simplified == simplified)
    return next(same, "?")


def _factor(dimensionality: pq.dimensionality.Dimensionality, unit: str) -> Any:
    return pq.Quantity(1.0, dimensionality).rescale(_UNITS[unit][1]).magnitude


def is_quantity(value: Any) -> bool:
    """True for a Brian2 or a quantities (Neo) quantity with a dimension, False for plain numbers and arrays."""
    dims = _brian_dims(value)
    if dims is not None:
        return any(dims)
    return isinstance(value, pq.Quantity) and value.dimensionality != pq.dimensionless.dimensionality


def unit_of(value: Any) -> str:
    """The symbol ("s", "V", "Hz", "1", ...) of the unit that `value` has, or "?" when it is none of the package's."""
    dims = _brian_dims(value)
    if dims is not None:
        return _SYMBOLS.get(dims, "?")
    return _once(_symbol, value.dimensionality) if isinstance(value, pq.Quantity) else "1"


def describe(unit: str) -> str:
    """What an argument in `unit` looks like, for error messages."""
    return _UNITS[unit][2]


def from_current(value: Any, *wanted: str, more: str = "") -> str:
    """End of a message about a current that was given for a voltage, with `more` behind it; empty for other units.

    >>> from brian2 import nA
    >>> from_current(1*nA, "V", "1")
    "; multiply a current by the membrane's resistance, as in 100*pA * (100*Mohm), which is 10*mV"
    """
    if "V" not in wanted or unit_of(value) != "A":
        return ""
    return (
        f"; multiply a current by the membrane's resistance, as in 100*pA * (100*Mohm), which is 10*mV{more}"
    )


def si(value: Any, unit: str, name: str) -> Any:
    """`value` as an SI float, or a float array for an array; raises NsnnError for a wrong or missing unit and for NaN.

    value : Brian2 or quantities quantity; for unit "1" a plain number
    unit : one of "s", "Hz", "V", "1/V", "A", "F", "S", "ohm", "kg", "1"
    name : the argument's name, for the message

    >>> from brian2 import ms, mV
    >>> si(20*ms, "s", "tau_m")
    0.02
    >>> si(20*mV, "s", "tau_m")
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: tau_m = 20. mV: expected a time such as 20*ms
    >>> si(2.0, "s", "duration")
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: duration = 2.0 has no unit: expected a time such as 20*ms
    """
    expected, pq_unit, example = _UNITS[unit]
    dims = _brian_dims(value)
    if isinstance(value, pq.Quantity):
        array = floats(value.magnitude, name, example)
        try:
            if type(value) is pq.Quantity:
                array = np.asarray(_once(_factor, value.dimensionality, unit) * array)
            else:  # signals and spike trains have a `rescale` of their own
                double = value if value.dtype == float else pq.Quantity(array, value.units)
                array = np.asarray(double.rescale(pq_unit).magnitude)
        except ValueError:
            raise NsnnError(
                f"{name} = {short(value)}: expected {example}{from_current(value, unit)}"
            ) from None
    elif dims is not None:
        if dims != expected:
            raise NsnnError(f"{name} = {short(value)}: expected {example}{from_current(value, unit)}")
        scalar = isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype == float
        if scalar and not math.isnan(number := float(value)):
            return number
        array = floats(value, name, example).copy()
    elif isinstance(value, list | tuple) and value and all(is_quantity(v) for v in value):
        parts = [si(v, unit, name) for v in value]
        if len({np.shape(part) for part in parts}) > 1:
            raise NsnnError(f"{name} = {shown(value)}: expected {example}, or quantities of one shape")
        return np.array(parts)
    else:
        array = floats(value, name, example)
        if unit != "1":
            raise NsnnError(f"{name} = {shown(value)} has no unit: expected {example}")
    if np.isnan(array).any():
        raise NsnnError(f"{name} = {shown(value)}: NaN where {example} was expected")
    return float(array) if array.ndim == 0 else array


def short(value: Any) -> str:
    """`value` with its unit, as printed, on one line of at most 80 characters, for messages.

    >>> short(20 * pq.mV), len(short(np.arange(500) * pq.mV))
    ('20.0 mV', 80)
    """
    text = " ".join(str(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def shown(value: Any) -> str:
    """`value` as in Python, in at most 80 characters, for messages; a longer array or table by its shape, a quantity as `short`.

    >>> shown([1, 2]), shown(10**5000), shown(np.zeros((30, 2))), shown(object())
    ('[1, 2]', 'int object', 'ndarray of shape (30, 2)', 'object object')
    """
    try:
        if is_quantity(value):
            return short(value)
        text = repr(value)
    except Exception:  # a number of too many digits, or a class whose repr fails
        return described(value)
    if (text.startswith("<") and " object at 0x" in text) or (
        len(text) > 80 and getattr(value, "shape", False)
    ):
        return described(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def described(value: Any) -> str:
    """The type of a value, and the shape of an array or table, for messages.

    >>> described(np.zeros((30, 2))), described([1, 2])
    ('ndarray of shape (30, 2)', 'list object')
    """
    shape = getattr(value, "shape", None)
    return f"{type(value).__name__} of shape {shape}" if shape else f"{type(value).__name__} object"


def floats(value: Any, name: str, expected: str) -> np.ndarray:
    """A number, array or nested list of real numbers as an array in double precision, without units.

    Text, complex numbers, rows of unequal length and numbers beyond the range of floats raise an NsnnError that says what the
    argument `name` should be, `expected`.
    """
    refuse_masked(value, name)
    try:
        array = np.asarray(value)
        objects = array.flat if array.dtype.kind == "O" else ()
        if array.dtype.kind in "biufO" and not any(isinstance(x, str | bytes) for x in objects):
            return array.astype(float, copy=False)
    except (TypeError, ValueError, OverflowError) as error:
        why = "too large for a float, " if isinstance(error, OverflowError) else ""
        raise NsnnError(f"{name} = {shown(value)}: {why}expected {expected}") from None
    if array.dtype.kind == "c":
        raise NsnnError(
            f"{name} = {shown(value)}: complex, expected {expected}; give its real part or its modulus"
        )
    raise NsnnError(f"{name} = {shown(value)}: expected {expected}")


def refuse_masked(value: Any, name: str) -> None:
    """NsnnError for an array, or a list of arrays, with masked values: as an array they would count like any other."""
    parts = value if isinstance(value, list | tuple) else (value,)
    masked = sum(int(np.ma.count_masked(part)) for part in parts if isinstance(part, np.ma.MaskedArray))
    if masked:
        raise NsnnError(f"{name} has masked values ({masked}): leave them out, as numpy.ma.compressed does")


def brian(value: Any, unit: str) -> Any:
    """SI floats as a Brian2 quantity of `unit`."""
    from brian2 import Quantity
    from brian2.units.fundamentalunits import get_or_create_dimension

    return Quantity(value, dim=get_or_create_dimension(_UNITS[unit][0]))


def pq_quantity(value: Any, unit: str) -> pq.Quantity:
    """SI floats as a quantities (Neo) quantity of `unit`."""
    return pq.Quantity(value, _UNITS[unit][1])

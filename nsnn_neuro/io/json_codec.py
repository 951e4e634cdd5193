"""Annotations and unit names as JSON text: lossless, and never evaluated.

`encode` converts a value for JSON, `decode` converts it back. A value that JSON lacks becomes a
dict with the key "__type__" (tuple, ndarray, quantity, complex, bytes, a date or time, Decimal, nan and inf,
a dict whose keys aren't strings). NumPy scalars come back as the Python numbers they equal. To add a type,
add a line to `_TEXT`.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import quantities as pq

from ..core.errors import FormatError, NsnnError

_TAG = "__type__"

# tag -> (type, to text, from text)
_TEXT: dict[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {
    "float": (float, repr, float),
    "complex": (complex, repr, complex),
    "bytes": (bytes, lambda b: base64.b64encode(b).decode(), lambda t: base64.b64decode(t, validate=True)),
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "date": (date, date.isoformat, date.fromisoformat),
    "time": (time, time.isoformat, time.fromisoformat),
    "timedelta": (
        timedelta,
        lambda d: f"{d.days} {d.seconds} {d.microseconds}",
        lambda t: timedelta(*map(int, t.split())),
    ),
    "decimal": (Decimal, str, Decimal),
}
_DTYPE = re.compile(r"[<>|=]?[biufcSUmM]\d{1,4}(?:\[\d*[a-zA-Z]{1,2}\])?")

# The quantities package evaluates unit strings (names, numbers and operators only, so that no code runs, but
# "9**9**9**9" hangs). Only what matches this reaches it: names, powers of names, one fraction line.
_NAME = r"[A-Za-z_][A-Za-z_0-9]{0,39}"
_FACTOR = rf"{_NAME}(?:\*\*\d{{1,2}}(?:\.\d{{1,3}})?)?"
_PRODUCT = rf"{_FACTOR}(?:\*{_FACTOR})*"
_LOOKALIKES = str.maketrans({"µ": "u", "\u03bc": "u", "\u03a9": "ohm", "\u2126": "ohm", "·": "*", "^": "**"})
_UNIT = re.compile(rf"(?:1|{_PRODUCT}|\({_PRODUCT}\))(?:/(?:{_FACTOR}|\({_PRODUCT}\)))?")


def parse_unit(text: str) -> pq.Quantity | None:
    """One of the unit that `text` names, or None when it names none; never evaluates anything else."""
    plain = text.strip().translate(_LOOKALIKES)
    if plain == "":
        return pq.Quantity(1.0, "dimensionless")
    if len(plain) > 100:
        return None
    plain = re.sub(r" *([*/]+) *", r"\1", plain)
    for candidate in (plain, plain.lower()) if len(plain) > 3 else (plain,):
        if not _UNIT.fullmatch(candidate):
            return None
        try:
            return pq.Quantity(1.0, candidate)
        except (LookupError, SyntaxError, TypeError, ValueError, AttributeError):
            continue
    return None


def unit_text(value: pq.Quantity, name: str) -> str:
    """The name of `value`'s unit, which `parse_unit` understands; NsnnError naming `name` when there is none."""
    text = value.dimensionality.string
    back = parse_unit(text)
    if back is None or back.dimensionality != value.dimensionality:
        raise NsnnError(
            f"{name} has the unit {text!r}, which a file can't name: rescale it to units of quantities"
        )
    return text


def encode(value: Any, name: str = "value") -> Any:
    """`value`, called `name` in messages, as what JSON can hold, losslessly.

    It may be None, bool, number, text, list, tuple, dict, NumPy array, quantities quantity, bytes, date or time.
    """
    try:
        return _encode(value, name)
    except RecursionError:
        raise NsnnError(f"{name} contains itself or is nested too deeply to be saved") from None


def _encode(value: Any, name: str) -> Any:
    if isinstance(value, np.generic) and value.dtype.itemsize <= 8 and value.dtype.kind in "biuf":
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    for tag, (kind, to_text, _) in _TEXT.items():
        if type(value) is kind:
            return {_TAG: tag, "value": to_text(value)}
    if isinstance(value, list) or type(value) is tuple:
        items = [_encode(v, f"{name}[{i}]") for i, v in enumerate(value)]
        return items if isinstance(value, list) else {_TAG: "tuple", "value": items}
    if isinstance(value, dict):
        if _TAG not in value and all(isinstance(k, str) for k in value):
            return {k: _encode(v, f"{name}[{k!r}]") for k, v in value.items()}
        pairs = [[_encode(k, f"a key of {name}"), _encode(v, f"{name}[{k!r}]")] for k, v in value.items()]
        return {_TAG: "dict", "value": pairs}
    if type(value) is pq.Quantity or isinstance(value, pq.UnitQuantity):
        magnitude = np.asarray(value.magnitude)
        plain = magnitude.item() if magnitude.shape == () and magnitude.dtype.char in "dl" else magnitude
        return {_TAG: "quantity", "unit": unit_text(value, name), "value": _encode(plain, name)}
    if type(value) is np.ndarray and _DTYPE.fullmatch(value.dtype.str):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {_TAG: "ndarray", "dtype": value.dtype.str, "shape": list(value.shape), "value": data}
    if hasattr(value, "dim"):
        raise NsnnError(
            f"{name} = {repr(value)[:80]}: a Quantity of Brian2 can't be saved: divide by the unit, and multiply by that of the "
            "package quantities, 5*quantities.ms in place of 5*ms"
        )
    kind_name = "NumPy array of objects" if type(value) is np.ndarray else type(value).__name__
    raise NsnnError(
        f"{name} = {repr(value)[:80]}: a {kind_name} can't be saved: expected numbers, text, lists, dicts, "
        "NumPy arrays or quantities of the quantities package"
    )


def decode(value: Any) -> Any:
    """The value that `encode` turned into `value`; FormatError when nothing can have."""
    if isinstance(value, list):
        return [decode(v) for v in value]
    if not isinstance(value, dict):
        return value
    if _TAG not in value:
        return {k: decode(v) for k, v in value.items()}
    try:
        return _decode_tagged(value[_TAG], value)
    except (KeyError, TypeError, ValueError, ArithmeticError, binascii.Error) as error:
        raise FormatError(f"an annotation of type {value[_TAG]!r} is damaged ({error})") from None


def _decode_tagged(tag: Any, value: dict[str, Any]) -> Any:
    content = value["value"]
    if isinstance(tag, str) and tag in _TEXT:
        return _TEXT[tag][2](content)
    if tag == "tuple":
        return tuple(decode(v) for v in content)
    if tag == "dict":
        return {decode(k): decode(v) for k, v in content}
    if tag == "quantity":
        unit = parse_unit(value["unit"])
        if unit is None:
            raise ValueError(f"unknown unit {value['unit']!r}")
        return pq.Quantity(decode(content), unit.units)
    if tag == "ndarray":
        if not _DTYPE.fullmatch(value["dtype"]):
            raise ValueError(f"dtype {value['dtype']!r}")
        raw = base64.b64decode(content, validate=True)
        return np.frombuffer(raw, dtype=value["dtype"]).reshape(value["shape"]).copy()
    raise ValueError("unknown type")


def dumps(value: Any, name: str = "value") -> str:
    """`encode`d `value` as strict JSON text in ASCII."""
    return json.dumps(encode(value, name), allow_nan=False)

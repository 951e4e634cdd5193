"""Numbers with units as text, "20 ms", as in configuration files and on the command line."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..core import units
from ..core.checks import did_you_mean
from ..core.errors import NsnnError
from .output import printable

_PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12}
# symbol in a file -> (the package's unit, SI units in one)
_UNITS: dict[str, tuple[str, float]] = {
    **{p + "s": ("s", x) for p, x in _PREFIXES.items() if p in ("", "m", "u")},
    **{p + "V": ("V", x) for p, x in _PREFIXES.items() if p in ("", "m", "u")},
    **{f"1/{p}V": ("1/V", 1 / x) for p, x in _PREFIXES.items() if p in ("", "m", "u")},
    **{p + "Hz": ("Hz", x) for p, x in {"": 1.0, "k": 1e3, "m": 1e-3}.items()},
    **{p + unit: (unit, x) for unit in "AFS" for p, x in _PREFIXES.items()},
}
EXAMPLES = {
    "s": 'a time such as "20 ms"',
    "Hz": 'a frequency such as "10 Hz"',
    "V": 'a voltage such as "15 mV"',
    "1/V": 'an inverse voltage such as "0.5 1/mV"',
    "A": 'a current such as "100 pA"',
    "F": 'a capacitance such as "200 pF"',
    "S": 'a conductance such as "10 nS"',
    "1": "a plain number such as 0.5",
}
# "0.51/mV" must not be read as 0.5 1/mV, so an inverse unit needs the space
_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?:\s*([A-Za-z]+)|\s+(1/[A-Za-z]+))"
)
_MOST = 80  # characters of a quantity, and of a text in a message


def quantity(value: Any, unit: str | tuple[str, ...], name: str) -> Any:
    """The text `value`, number and unit, as a Brian2 quantity of `unit` ("s", "V", ...), or of one of several units.

    >>> quantity("20 ms", "s", "bin_width")
    20. * msecond
    >>> quantity("20", "s", "bin_width")
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: bin_width = "20" has no unit: expected a time such as "20 ms"
    """
    numbers, own = si_and_unit(value, (unit,) if isinstance(unit, str) else unit, name)
    return numbers if own == "1" else units.brian(numbers, own)


def quantity_or_text(value: Any, name: str) -> Any:
    """A number with a unit as a Brian2 quantity, any other value unchanged."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(_plain(value)):
        return value
    return quantity(value, tuple(EXAMPLES), name)


def _plain(text: str) -> str:
    """`text` with "u" for the micro sign and for the Greek letter."""
    return text.strip().replace("\u00b5", "u").replace("\u03bc", "u")


def si_and_unit(value: Any, allowed: tuple[str, ...], name: str) -> tuple[Any, str]:
    """A number with unit as text, a plain number, or a list of these, in SI, and its unit, one of those that are `allowed`.

    >>> si_and_unit(["1 mV", "2 mV"], ("V",), "sigma")
    (array([0.001, 0.002]), 'V')
    """
    expected = " or ".join(EXAMPLES[unit] for unit in allowed)
    where = f"{name} = {shown(value)}"
    if isinstance(value, list):
        if not value or any(isinstance(v, list) for v in value):
            raise NsnnError(f"{where}: expected {expected}, or a list of them, one for each neuron")
        numbers, symbols = zip(*(si_and_unit(v, allowed, name) for v in value), strict=True)
        if len(set(symbols)) > 1:
            raise NsnnError(f"{where}: expected one unit for all")
        return np.array(numbers), symbols[0]
    if isinstance(value, int | float) and not isinstance(value, bool):
        if "1" not in allowed:
            raise NsnnError(f"{where} has no unit: expected {expected}")
        try:
            return float(value), "1"
        except OverflowError:
            raise NsnnError(f"{where} is too large: expected {expected}") from None
    if not isinstance(value, str):
        raise NsnnError(f"{where}: expected {expected}")
    text = _plain(value)
    match = _QUANTITY.fullmatch(text) if len(text) <= _MOST else None
    if match is None:
        bare = re.fullmatch(r"[0-9.eE+-]+", text)
        raise NsnnError(f"{where}{' has no unit' if bare else ''}: expected {expected}")
    symbol = match[2] or match[3]
    unit, scale = _UNITS.get(symbol, ("", 1.0))
    if unit not in allowed:  # a plain number is not proposed after a wrong unit
        examples = [EXAMPLES[one] for one in allowed if one != "1"] or [EXAMPLES["1"]]
        cure = "expected " + " or ".join(re.sub(r'"[0-9.]+', f'"{match[1]}', one) for one in examples)
        if unit:
            raise NsnnError(f"{where}: {cure}")
        hint = did_you_mean(symbol, [symbol for symbol, (one, _) in _UNITS.items() if one in allowed])
        raise NsnnError(f"{where}: unknown unit {shown(symbol)}{hint} ({cure})")
    if not np.isfinite(float(match[1])):
        raise NsnnError(f"{where} is too large: expected {expected}")
    return float(match[1]) * scale, unit


def in_units(value: Any, unit: str) -> str:
    """An SI number or list as in a file, in the unit that reads best: the inverse of `quantity`.

    >>> in_units(0.02, "s"), in_units([0.0, -0.0035], "V"), in_units(0.5, "1")
    ('20 ms', '[0 V, -3.5 mV]', '0.5')
    """
    if isinstance(value, list):
        return "[" + ", ".join(in_units(v, unit) for v in value[:4]) + ", ..." * (len(value) > 4) + "]"
    if not isinstance(value, int | float):
        return shown(value, quote=False)
    scales = {scale: symbol for symbol, (one, scale) in _UNITS.items() if one == unit}
    if not scales:
        return f"{value:.6g}" + ("" if unit == "1" else f" {shown(unit, quote=False)}")
    fitting = [scale for scale in scales if scale <= abs(value) * (1 + 1e-9)]
    scale = 1.0 if value == 0 else max(fitting, default=min(scales))
    return f"{value / scale:.6g} {scales[scale]}"


def shown(value: Any, quote: bool = True) -> str:
    """`value` as in a TOML file, short and printable, for a message.

    >>> shown("20 mV"), shown([True, 1.5]), shown("a\\x1bb", quote=False)
    ('"20 mV"', '[true, 1.5]', 'a\\\\x1bb')
    """
    if isinstance(value, str):
        text = printable(value[:_MOST]) + "..." * (len(value) > _MOST)
        return f'"{text}"' if quote else text
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value) if abs(value) < 10**20 else "a number of more than 20 digits"
    if isinstance(value, list):
        return "[" + ", ".join(shown(v) for v in value[:4]) + ", ..." * (len(value) > 4) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key_text(k)} = ..." for k in list(value)[:4]) + "}"
    return str(value)


def key_text(key: str) -> str:
    """A key of a TOML file, quoted where needed, for a message.

    >>> key_text("tau_m"), key_text("tau m")
    ('tau_m', '"tau m"')
    """
    return key if re.fullmatch(r"[\w-]{1,40}", key, re.ASCII) else shown(key)

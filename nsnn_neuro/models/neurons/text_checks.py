"""Checks of the texts of a neuron: names, syntax and units; `expressions` reads a text and knows no neuron.

Brian2 would report a mistake in a text as one in a line of the code that was made from it. `check` finds it when the neuron is
created, and names the class, the text and the cure.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
from collections import ChainMap
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...core import units
from ...core.checks import did_you_mean
from ...core.errors import NsnnError
from ...core.units import shown
from ...core.warn import warn
from .expressions import STATEMENT, ZERO, names_in, slope, statements, value_of

_TEXTS = ("linear", "nonlinear", "threshold", "reset", "after_spike", "moving")
_TABLES = ("slow", "slow_start", "channels", "gates")
# functions of the generated code that Brian2 does not have, of plain numbers
_OWN_FUNCTIONS = ("normal_cdf", "smooth_exp", "smooth_exprel", "smooth_normal_cdf")
_EXPRESSION = "expected an expression in Brian2's syntax, with ** for powers"


def check_structure(neuron: Any, base: type) -> None:
    """Raise NsnnError for attributes that `base` does not know, and for texts that cannot be what their place needs."""
    kind: Any = type(neuron)
    _check_attributes(kind, base)
    who, fields = kind.__name__, {f.name: f for f in neuron.parameter_fields()}
    for name in _TEXTS:
        text = getattr(kind, name)
        if not isinstance(text, str) and not (name == "nonlinear" and text is None):
            raise NsnnError(f"{who}.{name} = {shown(text)}: expected a text")
    for name in _TABLES:
        _check_table(f"{who}.{name}", getattr(kind, name), pairs=name != "slow_start")
    for name, (unit, meaning) in kind._needed.items():
        if name not in fields:
            raise NsnnError(f"{who} needs the parameter {name}, {meaning}{_declare(name, unit)}")
    for name, cure in kind._refused.items():
        if name in fields:
            raise NsnnError(
                f"{who} has the parameter {name}, which has no effect in this kind of neuron: {cure}"
            )
    membrane = [name for name, field in fields.items() if field.metadata["units"][0] in ("V", "1")]
    if neuron.threshold not in fields:
        raise NsnnError(
            f"{who}.threshold = {neuron.threshold!r}: expected the name of a parameter such as 'v_thresh', the level of v for a "
            f"spike; what varies is added to it by `moving`{did_you_mean(neuron.threshold, membrane)}"
        )
    times = [name for name, field in fields.items() if field.metadata["units"] == ("s",)]
    for variable, (time, _) in neuron.slow.items():
        if time not in times:
            raise NsnnError(
                f"{who}.slow[{variable!r}] = ({time!r}, ...): its time constant is to be the name of a parameter with the unit of "
                f"time{did_you_mean(time, times) or _declare(time, 's')}"
            )
        if variable in (*fields, "v", "drive"):
            raise NsnnError(f"{who}.slow has {variable!r}, which is a parameter or v: expected another name")
    if unknown := neuron.slow_start.keys() - neuron.slow.keys():
        raise NsnnError(
            f"{who}.slow_start has {sorted(unknown)}: expected variables of {who}.slow, {list(neuron.slow)}"
        )


def check_expressions(neuron: Any) -> None:
    """Raise NsnnError for a text with an unknown name, wrong syntax or a wrong unit; the parameters are valid."""
    kind: Any = type(neuron)
    of_parameters = tuple((f.name, neuron.unit(f.name)) for f in neuron.parameter_fields())
    _check_expressions(kind, of_parameters, neuron.membrane_unit)
    _check_use(kind)


def check_moving(neuron: Any) -> None:
    """Refuse a moving threshold that contains the threshold itself, or that starts at or below the reset."""
    who, text, name = type(neuron).__name__, neuron.moving, neuron.threshold
    if not text:
        return
    start = f"{who}.moving = {text!r}"
    if name in names_in(text) and slope(text, name, simplify=False) == "1":
        raise NsnnError(f"{start}: it is added to {name}, which it contains; leave out {name}")
    parameters = {f.name: neuron.si(f.name) for f in neuron.parameter_fields()}
    starts = {x: value_of(neuron.slow_start.get(x, "0"), parameters) for x in neuron.slow}
    added = value_of(text, {**parameters, **starts})
    if added is None or neuron.reset not in parameters:
        return
    low, high = np.asarray(parameters[neuron.reset]), np.asarray(parameters[name]) + added
    if np.any(bad := low >= high):
        reset, threshold = (float(np.broadcast_to(x, bad.shape)[bad][0]) for x in (low, high))
        unit = "" if neuron.membrane_unit == "1" else f" {neuron.membrane_unit}"
        raise NsnnError(
            f"{start}: at the start the threshold {name} + moving is {threshold:.4g}{unit}, not above {neuron.reset} = "
            f"{reset:.4g}{unit}; "
            f"moving is what is added to {name}, 0 without a change of the threshold"
        )


@functools.lru_cache(maxsize=256)
def _check_use(kind: Any) -> None:
    """Warn once about a stimulus without effect, and about targets that contain -x."""
    pairs = [x for table in (kind.slow, kind.channels, kind.gates) for pair in table.values() for x in pair]
    if "drive" not in set().union(*map(names_in, [*(getattr(kind, x) or "" for x in _TEXTS), *pairs])):
        warn(
            f"no text of {kind.__name__} uses drive: a stimulus has no effect; add it to `linear`, as in "
            f"{kind.__name__}.linear = {'drive + ' + kind.linear!r}"
        )
    for x, (_, target) in kind.slow.items():
        if x in names_in(target) and slope(target, x, simplify=False) == "-1":
            warn(
                f"{kind.__name__}.slow[{x!r}], target = {target!r}: {x} relaxes to its target, tau d{x}/dt = target - {x}, "
                f"so with this target it relaxes twice as fast; leave out - {x} if the decay is meant (0 if nothing is left)"
            )


def _check_attributes(kind: Any, base: type) -> None:
    """Refuse an attribute that is not used and whose name is close to that of a text."""
    known = {*dir(base), *(f.name for f in dataclasses.fields(kind))}
    for name, value in (item for one in kind.__mro__ for item in vars(one).items()):
        if name.startswith("_") or name in known or not isinstance(value, str | dict | tuple | bool):
            continue
        if hint := did_you_mean(name, [*_TEXTS, *_TABLES, "leaky", "ordered"]):
            raise NsnnError(
                f"{kind.__name__}.{name} = {shown(value)} is not used by a neuron{hint} (a name of your own may begin with _)"
            )


def _check_table(where: str, table: Any, pairs: bool) -> None:
    expected = "a dict from names to pairs of texts" if pairs else "a dict from names to texts"
    if not isinstance(table, dict):
        raise NsnnError(f"{where} = {shown(table)}: expected {expected}")
    for name, entry in table.items():
        texts = entry if pairs and isinstance(entry, tuple | list) else (entry,)
        good = len(texts) == (2 if pairs else 1) and all(isinstance(text, str) for text in texts)
        if not good or not isinstance(name, str) or not name.isidentifier():
            raise NsnnError(f"{where}[{name!r}] = {shown(entry)}: expected {expected}")


@functools.lru_cache(maxsize=256)
def _check_expressions(kind: Any, of_parameters: tuple[tuple[str, str], ...], membrane: str) -> None:
    who = kind.__name__
    known = {"v": membrane, "drive": membrane, **dict.fromkeys(kind.slow, membrane)}
    known |= {**dict.fromkeys(kind.gates, "1"), **dict(of_parameters)}
    for name in ("linear", "nonlinear", "reset", "moving"):
        if text := getattr(kind, name):
            hint = "; tau_m dv/dt is linear + nonlinear" if "linear" in name else ""
            _Text(f"{who}.{name}", text, known).is_in(membrane, f"the unit of the membrane{hint}")
    for x, (_, target) in kind.slow.items():
        if not ZERO.fullmatch(target):
            meaning = f"the unit of the membrane; tau d{x}/dt is target - {x}"
            _Text(f"{who}.slow[{x!r}], target", target, known).is_in(membrane, meaning)
    for x, text in kind.slow_start.items():
        _Text(f"{who}.slow_start[{x!r}]", text, known).is_in(membrane, "the unit of the membrane")
    for channel, (conductance, reversal) in kind.channels.items():
        where = f"{who}.channels[{channel!r}]"
        _Text(f"{where}, conductance", conductance, known).is_in("1", "in units of the leak")
        _Text(f"{where}, reversal potential", reversal, known).is_in(membrane, "the unit of the membrane")
    for gate, rates in kind.gates.items():
        for what, text in zip(("opening", "closing"), rates, strict=True):
            _Text(f"{who}.gates[{gate!r}], {what} rate", text, known).is_in("Hz", "a rate in v")
    _check_statements(f"{who}.after_spike", kind.after_spike, known, {"v", *kind.slow, *kind.gates})


def _check_statements(where: str, texts: str, known: dict[str, Any], variables: set[str]) -> None:
    """Raise NsnnError unless each line changes a variable or defines a name for the lines after it."""
    known = dict(known)
    for text in statements(texts):
        parts = STATEMENT.fullmatch(text)
        if parts is None:
            example = next(iter(sorted(variables - {"v"})), "w")
            raise NsnnError(f"{where} = {text!r}: expected a statement such as '{example} += b'")
        target, operation, value = parts.groups()
        if target not in variables and (operation or target in known):
            reason = "a parameter, which stays as it is" if target in known else "no variable of the neuron"
            raise NsnnError(
                f"{where} = {text!r}: {target!r} is {reason}; expected one of {', '.join(sorted(variables))}; declare a further "
                "variable in `slow`"
            )
        expression = _Text(where, value, known, of=text)
        dims = expression.dimensions()
        if operation not in (None, "+") and _grouped(f"x {operation} {value}") != _grouped(
            f"x {operation} ({value})"
        ):
            raise NsnnError(
                f"{where} = {text!r}: Brian2 reads it as {target} = {target} {operation} {value}; put parentheses, "
                f"'{target} {operation}= ({value})'"
            )
        if target not in variables:
            known[target] = dims
        elif operation in (None, "+", "-", "%"):
            expression.is_in(known[target], f"the unit of {target}")
        else:
            expression.is_in("1", f"a factor of {target}")


def _grouped(text: str) -> str:
    """An expression in a form that shows what belongs together."""
    return ast.dump(ast.parse(text, mode="eval"))


class _Text:
    """One expression: its place for messages, its text, and units or dimensions of the names that it may use."""

    def __init__(self, where: str, text: str, known: dict[str, Any], of: str | None = None) -> None:
        self.start, self.text, self.known = f"{where} = {(of or text)!r}", text, known

    def is_in(self, unit: str | Any, meaning: str) -> None:
        """Raise NsnnError unless the expression has this unit."""
        dims, expected = self.dimensions(), _dimensions(unit)
        if dims is not None and expected is not None and dims is not expected:
            rate = dims is expected / _dimensions("s")
            given = f"{_unit_text(expected)}/s" if rate else _unit_text(dims)
            example = units.describe(unit) if isinstance(unit, str) else _unit_text(expected)
            raise NsnnError(f"{self.start} has the unit {given}: expected {example}, {meaning}")

    def dimensions(self) -> Any:
        """Brian2's dimensions of the expression; None where only Brian2's own code generation can tell."""
        from brian2.core.namespace import DEFAULT_CONSTANTS, DEFAULT_FUNCTIONS, DEFAULT_UNITS
        from brian2.parsing.expressions import parse_expression_dimensions
        from brian2.units.fundamentalunits import DimensionMismatchError

        if None in self.known.values():
            return None
        text = " ".join(self.text.split())
        try:
            tree = ast.parse(text, mode="eval")
        except SyntaxError:
            raise NsnnError(f"{self.start}: {_EXPRESSION}, without a statement") from None
        variables: dict[str, Any] = {}
        known, brian = _CLOCK | self.known, ChainMap(DEFAULT_UNITS, DEFAULT_CONSTANTS, DEFAULT_FUNCTIONS)
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        for name in sorted(names - {*_OWN_FUNCTIONS}):
            if name in known:
                variables[name] = SimpleNamespace(dim=_dimensions(known[name]))
            elif name in brian:
                variables[name] = brian[name]
            else:
                # a name that the package's neurons have is not misspelt
                hint = "" if name in _USUAL else did_you_mean(name, self.known)
                raise NsnnError(
                    f"{self.start}: the name {name!r} is not declared{hint or _declare(name, _USUAL.get(name, '1'))} (known are "
                    f"{', '.join(self.known)}, and units and functions of Brian2)"
                )
        try:
            return parse_expression_dimensions(text, variables)
        except DimensionMismatchError as error:
            raise NsnnError(f"{self.start}: {str(error.desc).rstrip('.')}") from None
        except (SyntaxError, ValueError, TypeError) as error:
            if any(name in text for name in _OWN_FUNCTIONS):
                return None
            raise NsnnError(f"{self.start}: {_EXPRESSION} ({str(error).partition(' (')[0]})") from None
        except (AttributeError, KeyError, NotImplementedError):
            return None  # forms whose unit depends on values, such as v**k


# names that the package's neurons have: not misspelt, if they are not declared
_USUAL = {
    "tau_m": "s",
    "tau_refrac": "s",
    **dict.fromkeys(("v_rest", "v_reset", "v_thresh", "v_spike", "v_rearm"), "V"),
}
_CLOCK = {"t": "s", "dt": "s", "i": "1", "N": "1"}  # what Brian2 has in each group


def _declare(name: str, unit: str) -> str:
    if not name.isidentifier():
        return ", not an expression"
    return f'; declare it as a parameter, {name}: Any = parameter("{unit}") with its unit'


def _dimensions(unit: Any) -> Any:
    from brian2.units.fundamentalunits import get_dimensions

    return get_dimensions(units.brian(1.0, unit)) if isinstance(unit, str) else unit


def _unit_text(dimensions: Any) -> str:
    from brian2.units.fundamentalunits import get_unit_for_display

    return str(get_unit_for_display(dimensions))

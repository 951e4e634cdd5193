"""Read one text in Brian2's syntax: its names, derivative, value, statements. `text_checks` says whether a neuron may have it."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Mapping
from types import CodeType
from typing import Any

import numpy as np

from ...core import special

STATEMENT = re.compile(r"\s*([A-Za-z_]\w*)\s*(\*\*|//|[-+*/%])?=(?!=)\s*(.+)")
ZERO = re.compile(r"\s*0+(\.0*)?(\s*\*\s*\w+)?\s*")  # a target of zero, which has any unit
KNOWN: dict[str, Any] = {
    **{
        name: getattr(np, name)
        for name in ("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tan", "tanh")
    },
    **{name: getattr(np, name) for name in ("sinh", "cosh", "abs", "clip", "pi", "e", "inf")},
    "exprel": lambda x: special.exprel(x),
    "int": lambda x: np.asarray(x).astype(int),
}
"""functions and constants of Brian2 of which `value_of` knows the values"""
_ALLOWED = (
    *(ast.Expression, ast.Name, ast.Constant, ast.Call, ast.UnaryOp, ast.BinOp, ast.Compare, ast.BoolOp),
    *(ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop),
)  # no attribute and no inner function, through which a text would reach Python


def statements(texts: str) -> list[str]:
    """The statements of `after_spike`."""
    lines = [one.strip() for line in texts.splitlines() for one in line.partition("#")[0].split(";")]
    return [line for line in lines if line]


def names_in(text: str) -> set[str]:
    """The names of a text, with those of its functions and units."""
    return set(re.findall(r"[A-Za-z_]\w*", text))


@functools.cache
def slope(text: str, name: str, simplify: bool = True) -> str | None:
    """The derivative of a text with respect to a name, as text; None if it is not in Brian2's syntax.

    simplify : also find the number that products and functions cancel to, which may take seconds
    """
    from brian2.parsing.sympytools import str_to_sympy
    from sympy import Symbol

    try:
        derivative = str_to_sympy(text).diff(Symbol(name, real=True))
        return str(derivative.simplify() if simplify else derivative)
    except (SyntaxError, TypeError, AttributeError):
        return None


def value_of(text: str, names: Mapping[str, Any]) -> Any:
    """The SI value of a text in names, numbers, units and functions of them such as exp; None for a text with other names.

    >>> value_of("a * exp(0) + 5*mV", {"a": 2.0}), value_of("b", {"a": 2.0})
    (np.float64(2.005), None)
    """
    code, known = _compiled(text)
    given = {name: np.asarray(names[name]) for name in code.co_names if names.get(name) is not None}
    if not known.keys() | given.keys() >= set(code.co_names):
        return None
    with np.errstate(all="ignore"):
        return eval(code, {"__builtins__": {}}, {**known, **given})


@functools.lru_cache(maxsize=1024)
def _compiled(text: str) -> tuple[CodeType, dict[str, Any]]:
    """A text as code, and what it names of NumPy and of Brian2's units."""
    from brian2.core.namespace import DEFAULT_UNITS

    tree = ast.parse(" ".join(text.split()), mode="eval")
    if not all(
        isinstance(node, _ALLOWED) and not isinstance(getattr(node, "value", 0), str)
        for node in ast.walk(tree)
    ):
        tree = ast.parse("not_a_value", mode="eval")
    code = compile(tree, "text of a model", "eval")
    of_units = {
        name: np.asarray(float(DEFAULT_UNITS[name])) for name in code.co_names if name in DEFAULT_UNITS
    }
    return code, of_units | {name: KNOWN[name] for name in code.co_names if name in KNOWN}

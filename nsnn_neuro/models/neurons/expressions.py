"""Read one text in Brian2's syntax: its names, derivative, value, statements. `text_checks` says whether a neuron may have it."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ...core import special

STATEMENT = re.compile(r"\s*([A-Za-z_]\w*)\s*(\*\*|//|[-+*/%])?=(?!=)\s*(.+)")
ZERO = re.compile(r"\s*0+(\.0*)?(\s*\*\s*\w+)?\s*")  # a target of zero, which has any unit
_OPERATIONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: getattr(np, name)
    for name in (
        "exp",
        "expm1",
        "log",
        "log1p",
        "sqrt",
        "sin",
        "cos",
        "tan",
        "tanh",
        "sinh",
        "cosh",
        "abs",
        "clip",
    )
} | {"exprel": lambda x: special.exprel(x)}


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


def value_of(text: str, names: dict[str, Any]) -> Any:
    """The SI value of a text in names, numbers, units and functions of them such as exp; None for other texts or unknown names."""
    from brian2.core.namespace import DEFAULT_UNITS

    def value(node: Any) -> Any:
        match node:
            case ast.Expression():
                return value(node.body)
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name():
                own = names.get(node.id)
                return float(DEFAULT_UNITS[node.id]) if node.id in DEFAULT_UNITS and own is None else own
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                inner = value(node.operand)
                return inner if inner is None or isinstance(node.op, ast.UAdd) else -np.asarray(inner)
            case ast.BinOp() if type(node.op) in _OPERATIONS:
                left, right = value(node.left), value(node.right)
                return None if left is None or right is None else _OPERATIONS[type(node.op)](left, right)
            case ast.Call(func=ast.Name(id=str() as function), keywords=[]) if function in _FUNCTIONS:
                inner = [value(one) for one in node.args]
                return None if any(one is None for one in inner) else _FUNCTIONS[function](*inner)
        return None

    with np.errstate(all="ignore"):
        return value(_parsed(text))


@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> ast.Expression:
    return ast.parse(" ".join(text.split()), mode="eval")

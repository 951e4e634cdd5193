"""Evaluate Brian2 text on tensors, so that torch and Brian2 share one formula."""

from __future__ import annotations

import ast
import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import torch

from ..core.errors import NsnnError

_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Mod: operator.mod, ast.Pow: operator.pow, ast.USub: operator.neg, ast.UAdd: operator.pos,
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip


def _clip(x: Any, low: Any, high: Any) -> torch.Tensor:
    """`torch.clamp` of numbers and tensors in any mixture."""
    if any(isinstance(v, torch.Tensor) for v in (low, high)) or not isinstance(x, torch.Tensor):
        like = next(v for v in (x, low, high) if isinstance(v, torch.Tensor))
        x, low, high = (torch.as_tensor(v, dtype=like.dtype, device=like.device) for v in (x, low, high))
    return torch.clamp(x, low, high)


def _normal_cdf(x: torch.Tensor) -> torch.Tensor:
    """As torch.special.ndtr, several times faster on a CPU."""
    return torch.special.erfc(x * -math.sqrt(0.5)) * 0.5


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": torch.exp, "expm1": torch.expm1, "log": torch.log, "log1p": torch.log1p, "sqrt": torch.sqrt,
    "sin": torch.sin, "cos": torch.cos, "tan": torch.tan, "sinh": torch.sinh, "cosh": torch.cosh, "tanh": torch.tanh,
    "arcsin": torch.asin, "arccos": torch.acos, "arctan": torch.atan, "abs": torch.abs, "sign": torch.sign,
    "floor": torch.floor, "ceil": torch.ceil, "int": torch.trunc, "clip": _clip,
    "normal_cdf": _normal_cdf,
}  # fmt: skip
_CONSTANTS = {"pi": math.pi, "e": math.e}


def evaluate(text: str, names: dict[str, Any], like: torch.Tensor) -> torch.Tensor:
    """The value of `text`, broadcast to the shape of `like`, in its type and on its device.

    Parameters
    ----------
    text : an expression in Brian2's syntax
    names : name -> value, a number or tensor, of every name in the text

    >>> evaluate("clip(0.5 + 0.5 * x / a, 0, 1)", {"x": torch.tensor([-3.0, 0.5]), "a": 2.0}, torch.zeros(2)).tolist()
    [0.0, 0.625]
    """
    value = _value(_parsed(text), names, text, like)
    return torch.as_tensor(value, dtype=like.dtype, device=like.device).expand(like.shape)


@functools.lru_cache(maxsize=256)
def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        raise NsnnError(f"text = {text!r}: expected an expression in Brian2's syntax") from None


def _value(node: ast.AST, names: dict[str, Any], text: str, like: torch.Tensor) -> Any:
    of = functools.partial(_value, names=names, text=text, like=like)
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.BinOp(left=a, op=op, right=b) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](of(a), of(b))
        case ast.UnaryOp(op=op, operand=a) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](of(a))
        case ast.Compare(left=a, ops=[op], comparators=[b]) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](of(a), of(b))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return _called(_FUNCTIONS[name], [of(a) for a in args], like)
    known = ", ".join([*names, *_CONSTANTS, *_FUNCTIONS])
    raise NsnnError(f"{ast.unparse(node)!r} in text = {text!r}: expected arithmetic on {known}")


def _called(function: Callable[..., Any], values: list[Any], like: torch.Tensor) -> Any:
    """A number if all values are numbers, without a transfer to the device of `like`."""
    if not any(isinstance(v, torch.Tensor) for v in values):
        return float(function(*(torch.tensor(float(v), dtype=torch.float64) for v in values)))
    return function(*(v.to(like.dtype) if isinstance(v, torch.Tensor) else v for v in values))

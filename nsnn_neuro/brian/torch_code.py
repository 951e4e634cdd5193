"""Code of Brian2's NumPy target, translated for PyTorch tensors; imported with `engine="torch"` only, as it needs torch.

Brian2 writes the operations of a group (state update, threshold, reset) as NumPy code that reads arrays, computes, and writes
arrays. `Program` replaces the arrays by tensors of a dictionary. A write replaces the tensor; nothing is changed in place, so that
names never share memory. A reset computes for all members and writes those that have fired: choosing them first would make a GPU
wait for the host in each step.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import torch
from brian2 import Function, TimedArray
from brian2.core.variables import ArrayVariable
from torch import Tensor

from ..core import special
from ..core.errors import NsnnError
from .torch_noise import Draws, Rows, jumps, passage, summit

# other numbers that are whole are held as floats
INTEGERS = ("i", "noise_neuron", "noise_trial", "noise_point")
_LEAST = 1e-16


def _exprel(x: Tensor) -> Tensor:
    small = x.abs() < _LEAST
    return torch.where(small, 1.0, torch.expm1(x) / torch.where(small, 1.0, x))


def _normal_cdf(x: Tensor) -> Tensor:
    return 0.5 * torch.erfc(x * -0.70710678118654752440)


# name -> function of a tensor, function of a number
_OF_ONE: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Any], Any]]] = {
    **{
        name: (getattr(torch, name), getattr(np, name))
        for name in (
            *("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "log", "log10", "expm1", "log1p", "sqrt"),
            *("ceil", "floor", "arcsin", "arccos", "arctan", "abs", "sign"),
        )
    },
    "int": (torch.trunc, lambda x: np.trunc(float(x))),  # whole, but of the type of the other numbers
    "exprel": (_exprel, special.exprel),
    "smooth_exp": (torch.exp, np.exp),
    "smooth_exprel": (_exprel, special.exprel),
    "normal_cdf": (_normal_cdf, special.ndtr),
    "smooth_normal_cdf": (_normal_cdf, special.ndtr),
    "bridge_room": (lambda x: x.clamp(0.0, 1e15), lambda x: np.clip(x, 0.0, 1e15)),
}


def _of_either(of_tensor: Callable, of_number: Callable, dtype: torch.dtype) -> Callable:
    def function(x: Any) -> Any:
        if not isinstance(x, Tensor):
            return float(of_number(x))  # NumPy's numbers would make an array of the next tensor
        return of_tensor(x if x.is_floating_point() else x.to(dtype))

    return function


def _clip(x: Any, low: Any, high: Any) -> Any:
    tensors = [one for one in (x, low, high) if isinstance(one, Tensor)]
    if not tensors:
        return float(np.clip(x, low, high))
    if len(tensors) == 1 and tensors[0] is x:
        return x.clamp(low, high)
    x, low, high = (
        torch.as_tensor(one, dtype=tensors[0].dtype, device=tensors[0].device) for one in (x, low, high)
    )
    return torch.minimum(torch.maximum(x, low), high)


def functions(draws: Draws) -> dict[str, Callable]:
    """The functions that code may call, on tensors or numbers; `draws` are the random numbers of the population."""

    def drawn(kind: str) -> Callable:
        return lambda step, neuron, trial, point, stream, *key: draws(
            kind, step, stream, not isinstance(neuron, Tensor)
        )

    def drawn_in_turn(kind: str) -> Callable:
        return lambda turn, step, neuron, trial, point, stream, *key: draws(
            kind, step - step % 4 + turn, stream, not isinstance(neuron, Tensor)
        )

    def crossed(step: int, neuron: Any, trial: Any, point: Any, stream: int, *further: Any) -> Tensor:
        u = draws("uniform", step, stream, not isinstance(neuron, Tensor))
        return (u < torch.exp(-further[-1])).to(draws.dtype)

    return {
        **{name: _of_either(*pair, draws.dtype) for name, pair in _OF_ONE.items()},
        "clip": _clip,
        "logical_not": lambda x: torch.logical_not(x) if isinstance(x, Tensor) else not x,
        "keyed_normal": drawn("normal"),
        "keyed_uniform": drawn("uniform"),
        "keyed_normal_in_turn": drawn_in_turn("normal"),
        "keyed_uniform_in_turn": drawn_in_turn("uniform"),
        "keyed_crossed": crossed,
        "keyed_summit": lambda step, neuron, trial, point, stream, key0, key1, *path: summit(
            draws, step, stream, *path
        ),
        "keyed_passage": lambda step, neuron, trial, point, stream, key0, key1, stream_shared, *path: passage(
            draws, step, stream, int(stream_shared), *path
        ),
        "jumps_of": jumps,
        "in_turn": lambda step, *numbers: numbers[step % 4],
        "smooth_in_turn": lambda step, *numbers: numbers[step % 4],
    }


def samples(
    stimulus: TimedArray, state: dict[str, Any], step: str, dtype: torch.dtype, device: Any, size: int
) -> Callable:
    """The function of a stimulus given as samples, one for each step: of the time alone, or of the time and channels.

    state, step : the dictionary and the name in it of the present step, in a list
    size : rows of channels that are held on the device
    """
    values, last = np.asarray(stimulus.values), len(stimulus.values) - 1
    if values.ndim == 1:
        return lambda t: float(values[min(state[step][0], last)])

    def fill(first: int, count: int) -> Tensor:
        rows = values[np.minimum(np.arange(first, first + count), last)]
        return torch.as_tensor(rows, dtype=dtype, device=device)

    rows = Rows(fill, size)
    return lambda t, channel: rows[state[step][0]][channel]


class _Tensors(ast.NodeTransformer):
    """Arrays become entries of the dictionary `_state`; writes become calls of `_write`; changes in place become assignments."""

    def __init__(self, arrays: Collection[str]) -> None:
        self.arrays = arrays

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in self.arrays:
            return node
        return ast.Subscript(ast.Name("_state", ast.Load()), ast.Constant(node.id), ast.Load())

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """A copy of an array, which is not needed."""
        if isinstance(node.func, ast.Attribute) and node.func.attr == "copy":
            return self.visit(node.func.value)
        return self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """All of an array, or the members that have fired, for which all are taken."""
        everything = isinstance(node.slice, ast.Slice) or (
            isinstance(node.slice, ast.Name) and node.slice.id == "_idx"
        )
        return self.visit(node.value) if everything else self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        (target,), value = node.targets, self.visit(node.value)
        if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
            write = ast.Call(ast.Name("_write", ast.Load()), [ast.Constant(target.value.id), value], [])
            return ast.Expr(write)
        return ast.Assign([target], value)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        if not isinstance(node.target, ast.Name):
            raise NsnnError(f'engine = "torch": {ast.unparse(node)!r} has no translation: use engine="numpy"')
        old = ast.Name(node.target.id, ast.Load())
        return ast.Assign([node.target], ast.BinOp(old, node.op, self.visit(node.value)))


_CONDITION = "_cond"
_DROPPED = ("_vectorisation_idx", "numpy_True", "numpy_False", "_idx")  # names that only NumPy code needs


def _statements(text: str, arrays: Collection[str]) -> ast.Module:
    """The statements that compute: without imports, and of a threshold without the list of events that follows the condition."""
    kept: list[ast.stmt] = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            continue
        name = (
            node.targets[0].id
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
            else ""
        )
        if name not in _DROPPED:
            kept.append(node)
        if name == _CONDITION:
            break
    return ast.fix_missing_locations(_Tensors(arrays).visit(ast.Module(kept, [])))


def arrays(code_object: Any) -> dict[str, ArrayVariable]:
    """The array variables of a code object by the names of their arrays in its code."""
    name_of = code_object.device.get_array_name
    variables = {name: v for name, v in code_object.variables.items() if isinstance(v, ArrayVariable)}
    return {name_of(variable): variable for variable in variables.values()}


class Program:
    """A code object of Brian2's NumPy target on tensors.

    code_object : of a group's operation
    state : tensors by the names of the arrays; numbers that all members share are lists of one number
    known : functions by name
    """

    def __init__(self, code_object: Any, state: dict[str, Any], known: dict[str, Callable]) -> None:
        self._state = state
        self._names: dict[str, Any] = {"_state": state, "_write": self._write}
        self.fired: Tensor | None = None  # if set, writes are for these members
        for name, variable in code_object.variables.items():
            if isinstance(variable, Function):
                if name not in known:
                    raise NsnnError(
                        f'engine = "torch": the function {name!r} of this model is not available on tensors: use engine="numpy" '
                        'or "cpp"'
                    )
                self._names[name] = known[name]
            elif name in code_object.namespace and np.ndim(code_object.namespace[name]) == 0:
                self._names[name] = np.asarray(code_object.namespace[name]).item()
        self._names["logical_not"] = known["logical_not"]
        tree = _statements(code_object.code.run, set(arrays(code_object)))
        self._code = compile(tree, f"<{code_object.name}>", "exec")

    def _write(self, name: str, value: Any) -> None:
        old = self._state[name]
        if self.fired is not None:
            value = torch.where(self.fired, value, old)
        elif not isinstance(value, Tensor):
            value = torch.full_like(old, value)
        self._state[name] = value if value.dtype == old.dtype else value.to(old.dtype)

    def __call__(self) -> Any:
        """Run the code; returns the condition of a threshold, else None."""
        exec(self._code, self._names)
        return self._names.get(_CONDITION)

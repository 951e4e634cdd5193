"""The points of a sweep: names and values as given, and the records that they stand for.

"noise.sigma" is the parameter sigma of `noise`, "noise.family.sigma" that of a record in it. Where `model`, `noise` or `stimulus`
is a function of the point, a dict from names to values, names may be anything: the function knows what they mean.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import inspect
import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import quantities as pq

from ..core import units
from ..core.errors import NsnnError
from ..core.parameters import Model
from ..models.network import Network
from ..models.neurons import Neuron
from ..models.noise import Noise
from ..models.stimuli import Stimulus

__all__ = [
    "MOST",
    "OF_THE_POINT",
    "PARTS",
    "Points",
    "check_number",
    "fingerprint",
    "read",
    "without_modules",
]

PARTS: dict[str, tuple[tuple[type, ...], str]] = {
    "model": ((Neuron, Network), "a neuron model such as LIF(...), a Network, or a function of the point"),
    "noise": ((Noise,), "a noise model such as WhiteNoise(3*mV), None, or a function of the point"),
    "stimulus": ((Stimulus,), "a stimulus such as Constant(15*mV), None, or a function of the point"),
}
OF_THE_POINT = "a function of the point"
MOST = 2**20
"""Points of a grid: more would not fit into memory."""
Parts = tuple[Any, Any, Any]
_OWN_MODULE = re.compile(r"^nsnn_neuro\.(?:[a-z_0-9]+\.)*")


@dataclasses.dataclass(frozen=True)
class Points:
    """The grid's points and the parts that they change.

    given : model, noise, stimulus, each a record, a function of the point or None
    values : for each point its values by name, as they were given
    """

    given: Parts
    values: tuple[dict[str, Any], ...]

    def __len__(self) -> int:
        return len(self.values)

    def records(self, k: int) -> Parts:
        """Model, noise and stimulus of point k.

        Raises
        ------
        NsnnError : a value that doesn't fit; the message names the point
        """
        point = self.values[k]
        made = []
        for (part, (kinds, expected)), given in zip(PARTS.items(), self.given, strict=True):
            try:
                one = given(dict(point)) if _is_function(given) else _replaced(given, part, point)
            except NsnnError as error:
                raise NsnnError(f"{self.told(k)}: {error}") from None
            except Exception as error:
                raise NsnnError(
                    f"{self.told(k)}: {part}(point) raised {type(error).__name__}: {error}"
                ) from error
            if not isinstance(one, kinds) and not (one is None and part != "model"):
                raise NsnnError(f"{self.told(k)}: {part}(point) gave {one!r}: expected {expected}")
            made.append(one)
        return made[0], made[1], made[2]

    def told(self, k: int) -> str:
        """Point k for a message."""
        return f"grid[{k}] ({', '.join(f'{name} = {value}' for name, value in self.values[k].items())})"

    def plain(self) -> list[dict[str, Any]]:
        """Every point's values in SI, without units."""
        return [{name: _plain(v, name)[0] for name, v in point.items()} for point in self.values]

    def units(self) -> dict[str, str]:
        """The unit of each name's values, "" for text and truth values."""
        return {name: _plain(v, name)[1] for name, v in self.values[0].items()}


def read(model: Any, noise: Any, stimulus: Any, grid: Any) -> Points:
    """The points of `grid`, checked: a dict of lists is their Cartesian product, the last name fastest.

    Raises
    ------
    NsnnError : a name, unit or value that isn't right

    >>> from brian2 import mV
    >>> from nsnn_neuro import NSNNNeuron
    >>> points = read(NSNNNeuron(), None, None, {"model.beta": [0.5, 0.9], "model.theta": [1.0, 2.0]})
    >>> points.plain()[1], points.records(1)[0].si("theta")
    ({'model.beta': 0.5, 'model.theta': 2.0}, 2.0)
    """
    for (part, (kinds, expected)), given in zip(PARTS.items(), (model, noise, stimulus), strict=True):
        if not (isinstance(given, kinds) or _is_function(given) or (given is None and part != "model")):
            raise NsnnError(f"{part} = {given!r}: expected {expected}")
    points = Points((model, noise, stimulus), tuple(_listed(grid)))
    names = list(points.values[0])
    for name in names:
        _check_name(name, points.given)
    kinds_of: dict[str, str] = {}
    for k, point in enumerate(points.values):
        if list(point) != names and sorted(point) != sorted(names):
            raise NsnnError(
                f"grid[{k}] has the names {', '.join(point)}: expected those of grid[0], {', '.join(names)}"
            )
        for name, value in point.items():
            unit = _plain(value, name)[1]
            if kinds_of.setdefault(name, unit) != unit:
                raise NsnnError(
                    f"{points.told(k)}: {name} has the unit {unit!r} here and {kinds_of[name]!r} before: expected one unit"
                )
    return points


def check_number(sizes: Iterable[int]) -> None:
    """Raise NsnnError for a grid whose lists, of these lengths, have too many points when all are combined.

    >>> check_number([2**20, 2**20])
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: grid has 1099511627776 points: expected at most 1048576
    """
    number = math.prod(sizes)
    if number > MOST:
        raise NsnnError(f"grid has {number} points: expected at most {MOST}")


def _is_function(given: Any) -> bool:
    return callable(given) and not isinstance(given, Model | Network | type)


def _listed(grid: Any) -> list[dict[str, Any]]:
    expected = (
        'expected a dict such as {"noise.sigma": [1*mV, 2*mV]}, whose lists are all combined, or a list of points, '
        'each a dict such as {"noise.sigma": 1*mV}'
    )
    if isinstance(grid, Mapping):
        lists = {name: _values(values, name) for name, values in grid.items()}
        check_number(map(len, lists.values()))
        points = [dict(zip(lists, chosen, strict=True)) for chosen in itertools.product(*lists.values())]
    elif (
        isinstance(grid, Sequence) and not isinstance(grid, str) and all(isinstance(p, Mapping) for p in grid)
    ):
        check_number([len(grid)])
        points = [dict(p) for p in grid]
    else:
        raise NsnnError(f"grid = {grid!r}: {expected}")
    if not points or not points[0]:
        raise NsnnError(f"grid = {grid!r} has no {'values' if points else 'points'}: {expected}")
    if wrong := [name for name in points[0] if not isinstance(name, str)]:
        raise NsnnError(f"grid has the name {wrong[0]!r}: {expected}")
    return points


def _values(values: Any, name: str) -> list[Any]:
    if isinstance(values, str | Mapping) or not np.iterable(values):
        raise NsnnError(f"grid[{name!r}] = {values!r}: expected a list of values such as [1*mV, 2*mV]")
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise NsnnError(f"grid[{name!r}] has shape {values.shape}: expected a flat list of values")
    listed = [values[i] for i in range(len(values))] if isinstance(values, np.ndarray) else list(values)
    if not listed:
        raise NsnnError(f"grid[{name!r}] is empty: expected at least one value")
    return listed


def _check_name(name: str, given: Parts) -> None:
    head, _, path = name.partition(".")
    place = list(PARTS).index(head) if head in PARTS else -1
    if any(_is_function(part) for part in given) and (place < 0 or _is_function(given[place])):
        return
    if place < 0 or not path:
        known = [
            f"{p}.{f}" for p, g in zip(PARTS, given, strict=True) if isinstance(g, Model) for f in _fields(g)
        ]
        close = difflib.get_close_matches(name, known, n=1)
        raise NsnnError(
            f"grid has the name {name!r}{f'; did you mean {close[0]!r}?' if close else ''} (expected one of "
            f"{', '.join(known)}; or give model, noise or stimulus as a function of the point)"
        )
    record: Any = given[place]
    if isinstance(record, Network):
        raise NsnnError(
            f"grid has the name {name!r}: the parameters of a Network's parts have no such names; give a function that makes "
            f"the network of a point, model=lambda point: brunel(g=point['g'], eta=2.0), and names of your own"
        )
    for step in path.split("."):
        if not isinstance(record, Model):
            raise NsnnError(
                f"grid has the name {name!r}: {head} is {record!r}, which has no parameter {step!r}"
            )
        known = _fields(record)
        if step not in known:
            close = difflib.get_close_matches(step, known, n=1)
            raise NsnnError(
                f"grid has the name {name!r}: {type(record).__name__} has no parameter {step!r}"
                f"{f'; did you mean {close[0]!r}?' if close else ''} (expected one of {', '.join(known)})"
            )
        record = getattr(record, step)
    if isinstance(record, Model):
        raise NsnnError(
            f"grid has the name {name!r}, a {type(record).__name__}: name one of its parameters, {', '.join(_fields(record))}"
        )


def _fields(record: Model) -> list[str]:
    return [f.name for f in dataclasses.fields(record)]


def _replaced(record: Any, part: str, point: Mapping[str, Any]) -> Any:
    """`record` with the values that `point` has for it."""
    for name, value in point.items():
        head, _, path = name.partition(".")
        if head == part and isinstance(record, Model):
            record = _with(record, path.split("."), value)
    return record


def _with(record: Model, path: list[str], value: Any) -> Model:
    inner = value if len(path) == 1 else _with(getattr(record, path[0]), path[1:], value)
    return dataclasses.replace(record, **{path[0]: inner})


def _plain(value: Any, name: str) -> tuple[Any, str]:
    """A value of the grid in SI and its unit."""
    if isinstance(value, bool | np.bool_):
        return bool(value), ""
    if isinstance(value, str):
        return value, ""
    if isinstance(value, int | np.integer):
        return int(value), "1"
    expected = "expected one number, quantity, text, True or False"
    if np.ndim(value) or not (isinstance(value, float | np.floating | pq.Quantity) or hasattr(value, "dim")):
        raise NsnnError(
            f"grid: {name} = {value!r}: {expected}; what differs between the neurons of a point belongs into the record as an array"
        )
    unit = units.unit_of(value)
    if unit == "?":
        raise NsnnError(
            f"grid: {name} = {value}: expected a unit of a time, frequency, voltage, current, ..."
        )
    plain = units.si(value, unit, name)
    if not np.isfinite(plain):
        raise NsnnError(f"grid: {name} = {value}: expected a finite value")
    return plain, unit


def fingerprint(value: Any) -> Any:
    """Plain data that differ when `value` (a record, a Network, a function, an array, ...) does, the same in every process.

    The package's own classes and functions are named without their module, which may change; others with it.
    """
    if isinstance(value, Network):
        return value.describe()
    if isinstance(value, Model):
        kind = type(value)
        own = kind.__module__.startswith("nsnn_neuro.")
        told: dict[str, Any] = {"type": kind.type_name() if own else _name(kind)}
        if not own:
            told["text"] = _texts(type(value))
        for field in dataclasses.fields(value):
            inner = getattr(value, field.name)
            told[field.name] = (
                {"value": np.asarray(value.si(field.name)).tolist(), "unit": value.unit(field.name)}
                if "units" in field.metadata
                else fingerprint(inner)
            )
        return told
    if isinstance(value, np.ndarray):
        more = {"units": str(value.dimensionality)} if isinstance(value, pq.Quantity) else {}
        if hasattr(value, "sampling_rate"):
            more |= {"sampling_rate": repr(float(value.sampling_rate.rescale("Hz").magnitude))}
        plain = np.ascontiguousarray(np.asarray(value))
        return {
            "dtype": plain.dtype.str,
            "shape": plain.shape,
            "sha256": hashlib.sha256(plain.tobytes()).hexdigest(),
            **more,
        }
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple):
        return [fingerprint(v) for v in value]
    if isinstance(value, Mapping):
        return {str(k): fingerprint(v) for k, v in value.items()}
    return _function(value) if callable(value) else _name(type(value))


def without_modules(value: Any) -> Any:
    """A fingerprint whose names of the package's classes and functions have lost their modules, as `fingerprint` names them.

    >>> without_modules({"type": "nsnn_neuro.neurons.LIF", "tau_m": {"value": 0.02, "unit": "s"}})
    {'type': 'LIF', 'tau_m': {'value': 0.02, 'unit': 's'}}
    """
    if isinstance(value, dict):
        return {key: without_modules(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_modules(inner) for inner in value]
    return _OWN_MODULE.sub("", value) if isinstance(value, str) else value


def _name(named: Any) -> str:
    """The name of a class or function, with its module unless it is the package's."""
    name = getattr(named, "__qualname__", type(named).__qualname__)
    return _OWN_MODULE.sub("", f"{getattr(named, '__module__', '') or ''}.{name}")


def _function(function: Callable[..., Any]) -> Any:
    """A function by its name, its set arguments, and, of one that isn't the package's, its code."""
    if hasattr(function, "func") and hasattr(function, "keywords"):  # functools.partial
        inner = {"arguments": fingerprint(function.args), "keywords": fingerprint(function.keywords)}  # type: ignore[attr-defined]
        return {"function": fingerprint(function.func), **inner}
    module = getattr(function, "__module__", "") or ""
    told: dict[str, Any] = {"name": _name(function)}
    code = getattr(function, "__code__", None)
    if code is not None and not module.startswith("nsnn_neuro."):
        told["code"] = hashlib.sha256(repr(_code(code)).encode()).hexdigest()
        told["defaults"] = fingerprint([function.__defaults__, function.__kwdefaults__])  # type: ignore[attr-defined]
        told["closure"] = [_cell(cell, function) for cell in function.__closure__ or ()]  # type: ignore[attr-defined]
    owner = getattr(function, "__self__", None)
    if owner is not None and not isinstance(owner, type):
        told["owner"] = fingerprint(vars(owner)) if hasattr(owner, "__dict__") else _name(type(owner))
    elif code is None and hasattr(function, "__dict__") and not isinstance(function, type):
        told["owner"] = fingerprint(vars(function))
    return told


def _cell(cell: Any, function: Any) -> Any:
    """What a function takes from around it; not itself."""
    try:
        inside = cell.cell_contents
    except ValueError:  # nothing yet
        return None
    return None if inside is function else fingerprint(inside)


def _texts(kind: type) -> dict[str, Any]:
    """The equations of a record's class, of one's own: attributes that are text, and the code of its methods."""
    told = {}
    for name in sorted(dir(kind)):
        inner = inspect.getattr_static(kind, name)
        if isinstance(inner, property):
            inner = inner.fget
        if name.startswith("__"):
            continue
        plain = isinstance(inner, str | bool | int | float | tuple | list | dict)
        if plain or (hasattr(inner, "__code__") and not (inner.__module__ or "").startswith("nsnn_neuro.")):
            told[name] = fingerprint(inner)
    return told


def _code(code: Any) -> tuple[Any, ...]:
    constants = tuple(
        _code(c)
        if hasattr(c, "co_code")
        else sorted(map(repr, c))  # a set's own order differs between processes
        if isinstance(c, frozenset)
        else repr(c)
        for c in code.co_consts
    )
    return code.co_code, code.co_names, code.co_varnames, constants

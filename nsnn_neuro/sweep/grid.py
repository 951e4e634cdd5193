"""The points of a sweep: names with values, and the models that result from them.

"noise.sigma" is the parameter sigma of `noise`, "noise.family.sigma" that of the family in it. If `model`, `noise` or `stimulus` is
a function of the point (a dict from names to values), the names are free: the function interprets them.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import quantities as pq

from ..core import units
from ..core.checks import check_seed, did_you_mean
from ..core.errors import NsnnError
from ..core.parameters import Model
from ..core.units import shown
from ..models.network import Network
from ..models.neurons import Neuron
from ..models.noise import Noise
from ..models.parameter_names import field_names, replaced
from ..models.stimuli import Constant, Stimulus

PARTS: dict[str, tuple[tuple[type, ...], str]] = {
    "model": ((Neuron, Network), "a neuron model such as LIF(...), a Network, or a function of the point"),
    "noise": ((Noise,), "a noise model such as WhiteNoise(3*mV), None, or a function of the point"),
    "stimulus": ((Stimulus,), "a stimulus such as Constant(15*mV), None, or a function of the point"),
}
_EXAMPLES = {"noise": "noise=WhiteNoise(3*mV)", "stimulus": "stimulus=Constant(15*mV)"}
OF_THE_POINT = "a function of the point"
MOST = 2**20  # The largest number of points in a grid; more would not fit into memory
_MOST_MADE = 10_000  # points whose parts are kept; those of a million would fill the memory
Parts = tuple[Any, Any, Any]


@dataclasses.dataclass(frozen=True)
class Points:
    """The points of a grid and the parts that they change."""

    given: Parts  # Model, noise, stimulus, each a model, a function of the point or None
    values: tuple[dict[str, Any], ...]  # The values of each point by name, as they were given
    name: str = "grid"  # Of the argument, for messages
    # The parts of some points, as they were made
    _made: dict[int, Parts] = dataclasses.field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.values)

    def __getstate__(self) -> dict[str, Any]:
        """Without what other processes make themselves."""
        return {**vars(self), "_made": {}}

    def some(self, numbers: Sequence[int]) -> Points:
        """The points of these numbers."""
        made = {place: self._made[k] for place, k in enumerate(numbers) if k in self._made}
        return Points(self.given, tuple(self.values[k] for k in numbers), self.name, made)

    def parts(self, k: int) -> Parts:
        """Model, noise and stimulus of point k, made once and kept, for at most 10,000 points; an NsnnError names the point."""
        if k in self._made:
            return self._made[k]
        point, made = self.values[k], []
        for (part, (kinds, expected)), given in zip(PARTS.items(), self.given, strict=True):
            try:
                one = given(dict(point)) if _is_function(given) else replaced(given, part, point)
            except NsnnError as error:
                raise NsnnError(f"{self.label(k)}: {error}") from None
            except Exception as error:
                raise NsnnError(
                    f"{self.label(k)}: {part}(point) raised {type(error).__name__}: {error}"
                ) from error
            if not isinstance(one, kinds) and not (one is None and part != "model"):
                raise NsnnError(f"{self.label(k)}: {part}(point) gave {one!r}: expected {expected}")
            made.append(one)
        parts = made[0], made[1], made[2]
        if len(self._made) < _MOST_MADE:
            self._made[k] = parts
        return parts

    def label(self, k: int) -> str:
        """Point k for a message: its number and values."""
        return f"{self.name}[{k}] ({self.described(k)})"

    def described(self, k: int) -> str:
        """The values of point k for a message."""
        return ", ".join(f"{name} = {value}" for name, value in self.values[k].items())

    def plain(self) -> list[dict[str, Any]]:
        """The values of every point in SI, without units."""
        return [{name: _plain(v, name, self.name)[0] for name, v in point.items()} for point in self.values]

    def units(self) -> dict[str, str]:
        """The unit of the values of each name; "" for text, True and False."""
        return {name: _plain(v, name, self.name)[1] for name, v in self.values[0].items()}


def read(model: Any, noise: Any, stimulus: Any, grid: Any) -> Points:
    """The checked points of `grid`; those of a dict of lists are all combinations, the last name varying fastest."""
    for (part, (kinds, expected)), given in zip(PARTS.items(), (model, noise, stimulus), strict=True):
        if not (isinstance(given, kinds) or _is_function(given) or (given is None and part != "model")):
            raise NsnnError(f"{part} = {given!r}: expected {expected}")
    points = Points((model, noise, stimulus), tuple(_listed(grid, "grid")))
    for name in points.values[0]:
        _check_name(name, points.given)
    return _checked(points)


def points_of(given: Any, argument: str) -> Points:
    """The checked points of a DataFrame, a row each, of a dict of lists or a list of dicts, whatever their names.

    >>> points_of(pd.DataFrame({"a": [1, 2]}), "points").values
    ({'a': 1}, {'a': 2})
    """
    listed = given.to_dict("records") if isinstance(given, pd.DataFrame) else given
    return _checked(Points((None, None, None), tuple(_listed(listed, argument)), argument))


def _checked(points: Points) -> Points:
    """The points, all of the same names and units."""
    names = list(points.values[0])
    kinds_of: dict[str, str] = {}
    for k, point in enumerate(points.values):
        if list(point) != names and sorted(point) != sorted(names):
            raise NsnnError(
                f"{points.name}[{k}] has the names {', '.join(point)}: expected those of {points.name}[0], {', '.join(names)}"
            )
        for name, value in point.items():
            unit = _plain(value, name, points.name)[1]
            if kinds_of.setdefault(name, unit) != unit:
                raise NsnnError(
                    f"{points.label(k)}: {name} has the unit {unit!r} here and {kinds_of[name]!r} before: expected one unit"
                )
    return points


def seeds_of(seed: Any, argument: str) -> list[int]:
    """The checked seeds, one drawn for None.

    >>> seeds_of([3, 1], "seed")
    [3, 1]
    """
    if seed is None or isinstance(seed, int | np.integer):
        return [check_seed(seed)]
    listed = [] if isinstance(seed, str) or not np.iterable(seed) else list(seed)
    if not listed:
        raise NsnnError(f"{argument} = {seed!r}: expected a whole number, a list of them, or None")
    seeds = [check_seed("None" if s is None else s) for s in listed]
    if len(set(seeds)) < len(seeds):
        raise NsnnError(f"{argument} = {seed!r}: expected every seed once")
    return seeds


def check_number(sizes: Iterable[int], argument: str = "grid") -> None:
    """Raise NsnnError for a grid whose lists, of these lengths, have too many combinations."""
    number = math.prod(sizes)
    if number > MOST:
        raise NsnnError(f"{argument} has {number} points: expected at most {MOST}")


def _is_function(given: Any) -> bool:
    return callable(given) and not isinstance(given, Model | Network | type)


def _listed(grid: Any, argument: str) -> list[dict[str, Any]]:
    example = "noise.sigma" if argument == "grid" else "sigma"
    expected = (
        f'expected a dict such as {{"{example}": [1*mV, 2*mV]}}, whose lists are all combined, or a list of points, '
        f'each a dict such as {{"{example}": 1*mV}}'
    )
    if isinstance(grid, Mapping):
        lists = {name: _values(values, f"{argument}[{name!r}]") for name, values in grid.items()}
        check_number(map(len, lists.values()), argument)
        points = [dict(zip(lists, chosen, strict=True)) for chosen in itertools.product(*lists.values())]
    elif (
        isinstance(grid, Sequence) and not isinstance(grid, str) and all(isinstance(p, Mapping) for p in grid)
    ):
        check_number([len(grid)], argument)
        points = [dict(p) for p in grid]
    else:
        raise NsnnError(f"{argument} = {grid!r}: {expected}")
    if not points or not points[0]:
        raise NsnnError(f"{argument} = {grid!r} has no {'values' if points else 'points'}: {expected}")
    if wrong := [name for name in points[0] if not isinstance(name, str)]:
        raise NsnnError(f"{argument} has the name {wrong[0]!r}: {expected}")
    return points


def _values(values: Any, place: str) -> list[Any]:
    if isinstance(values, str | Mapping) or not np.iterable(values):
        raise NsnnError(f"{place} = {values!r}: expected a list of values such as [1*mV, 2*mV]")
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise NsnnError(f"{place} has shape {values.shape}: expected a flat list of values")
    listed = [values[i] for i in range(len(values))] if isinstance(values, np.ndarray) else list(values)
    if not listed:
        raise NsnnError(f"{place} is empty: expected at least one value")
    return listed


def _check_name(name: str, given: Parts) -> None:
    head, _, path = name.partition(".")
    place = list(PARTS).index(head) if head in PARTS else -1
    if any(_is_function(part) for part in given) and (place < 0 or _is_function(given[place])):
        return
    if place < 0 or not path:
        known = [
            f"{p}.{f}"
            for p, g in zip(PARTS, given, strict=True)
            if isinstance(g, Model)
            for f in field_names(g)
        ]
        constant = any(isinstance(part, Constant) for part in given)  # whose mean input many call mu
        mean = "; the mean input of a Constant is 'stimulus.v'" if constant else ""
        raise NsnnError(
            f"grid has the name {name!r}{did_you_mean(name, known)} (expected one of "
            f"{', '.join(known)}{mean}; or give model, noise or stimulus as a function of the point)"
        )
    record: Any = given[place]
    if isinstance(record, Network):
        raise NsnnError(
            f"grid has the name {name!r}: parameters inside a Network have no such names; give a function that makes the network "
            f"of a point, model=lambda point: brunel(g=point['g'], eta=2.0), and choose the names"
        )
    if record is None:
        raise NsnnError(
            f"grid has the name {name!r}, but {head} is None: pass one whose {path!r} the grid can replace, such as "
            f"{_EXAMPLES[head]}"
        )
    for step in path.split("."):
        if not isinstance(record, Model):
            raise NsnnError(
                f"grid has the name {name!r}: {head} is {record!r}, which has no parameter {step!r}"
            )
        known = field_names(record)
        if step not in known:
            raise NsnnError(
                f"grid has the name {name!r}: {type(record).__name__} has no parameter {step!r}"
                f"{did_you_mean(step, known)} (expected one of {', '.join(known)})"
            )
        record = getattr(record, step)
    if isinstance(record, Model):
        raise NsnnError(
            f"grid has the name {name!r}, a {type(record).__name__}: name one of its parameters, {', '.join(field_names(record))}"
        )


def _plain(value: Any, name: str, argument: str) -> tuple[Any, str]:
    """A value of a point in SI, and its unit."""
    if isinstance(value, bool | np.bool_):
        return bool(value), ""
    if isinstance(value, str):
        return value, ""
    if isinstance(value, int | np.integer):
        return int(value), "1"
    expected = "expected one number, quantity, text, True or False"
    if np.ndim(value) or not (isinstance(value, float | np.floating | pq.Quantity) or hasattr(value, "dim")):
        cure = "; values that differ between the neurons of a point belong in the model" * (
            argument == "grid"
        )
        raise NsnnError(f"{argument}: {name} = {shown(value)}: {expected}{cure}")
    unit = units.unit_of(value)
    if unit == "?":
        raise NsnnError(
            f"{argument}: {name} = {value}: expected a unit of a time, frequency, voltage, current, ..."
        )
    plain = units.si(value, unit, name)
    if not np.isfinite(plain):
        raise NsnnError(f"{argument}: {name} = {value}: expected a finite value")
    return plain, unit

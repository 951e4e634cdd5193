"""The free parameters of a calibration: names, bounds, and the models of their values.

Inside, each runs from 0 at its lower to 1 at its upper bound, on a logarithmic scale where the bounds allow it (`_LOGARITHMIC`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import quantities as pq
from scipy.stats.qmc import Sobol

from ...core import units
from ...core.checks import did_you_mean
from ...core.errors import NsnnError
from ...core.parameters import Model
from ...models.parameter_names import replaced
from ..continuous.conditional import Parts

PARTS = ("model", "noise", "stimulus")
_LOGARITHMIC = 5.0  # ratio of the bounds
CONDITIONAL = "conditional"
"""Note on a standard error that is for another parameter at a bound."""


@dataclass(frozen=True, eq=False)
class FreeParameter:
    """One free parameter and its bounds."""

    name: str  # as the user wrote it
    path: str  # with "model." where the user left it out
    low: float  # SI
    high: float  # SI
    unit: str  # SI unit: "s", "V", ...
    # unit of the bounds: its size in SI, its name, and itself if of `quantities`
    shown: tuple[float, str, Any]

    def quantity(self, values: Any) -> Any:
        """Values in SI with their unit."""
        return values if self.unit == "1" else units.pq_quantity(values, self.unit)


@dataclass(frozen=True, eq=False)
class FreeParameters:
    """K free parameters with their scales, and the parts that they change."""

    parts: Parts
    each: tuple[FreeParameter, ...]
    heads: tuple[str, ...] = PARTS
    """the name of each part"""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """As the user wrote them."""
        return tuple(one.name for one in self.each)

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Names with "model."."""
        return tuple(one.path for one in self.each)

    @cached_property
    def low(self) -> np.ndarray:
        """(K,) SI"""
        return np.array([one.low for one in self.each], dtype=float)

    @cached_property
    def high(self) -> np.ndarray:
        """(K,) SI"""
        return np.array([one.high for one in self.each], dtype=float)

    @property
    def logarithmic(self) -> np.ndarray:
        """(K,) bool"""
        return (self.low > 0) & (self.high >= _LOGARITHMIC * np.maximum(self.low, 1e-300))

    def values(self, u: np.ndarray, *, within: bool = True) -> np.ndarray:
        """Values in SI of points u, (..., K), kept to the bounds unless within is False."""
        with np.errstate(all="ignore"):
            ratio = np.where(self.logarithmic, self.high / np.where(self.logarithmic, self.low, 1.0), 1.0)
            result = np.where(self.logarithmic, self.low * ratio**u, self.low + u * (self.high - self.low))
        return np.clip(result, self.low, self.high) if within else result

    def place(self, values: np.ndarray) -> np.ndarray:
        """The points u of values in SI, not limited to 0 and 1."""
        with np.errstate(all="ignore"):
            logs = np.log(values / self.low) / np.log(self.high / self.low)
            return np.where(self.logarithmic, logs, (values - self.low) / (self.high - self.low))

    def slopes(self, u: np.ndarray) -> np.ndarray:
        """(K,) d value / du."""
        with np.errstate(all="ignore"):
            spans = np.log(np.where(self.logarithmic, self.high / self.low, 1.0))
        return np.where(self.logarithmic, self.values(u) * spans, self.high - self.low)

    def start(self) -> np.ndarray:
        """(K,) the values that the parts have, u; the middle for those outside of their bounds."""
        given = np.array([value_at(self.parts, path, self.heads) for path in self.paths])
        u = self.place(given)
        return np.where((given >= self.low) & (given <= self.high), u, 0.5)

    def starts(self, seed: int, n: int) -> np.ndarray:
        """(1 + n, K) the values that the parts have, and n points spread over the bounds."""
        spread = Sobol(len(self.each), seed=seed).random(n + 1)[1:]
        return np.concatenate([np.clip(self.start(), 0.0, 1.0)[None], 0.02 + 0.96 * spread])

    def quantity(self, name: str, values: Any) -> Any:
        """Values in SI of a parameter as a quantity like its bounds, or plain numbers."""
        one = self.each[self.names.index(name)]
        size, _, unit = one.shown
        if one.unit == "1" or np.isinf(values).any():
            return values
        return units.brian(values, one.unit) if unit is None else pq.Quantity(np.asarray(values) / size, unit)

    def intervals(self, limits: Mapping[str, tuple[float, float]]) -> dict[str, tuple[Any, Any]]:
        """Limits in SI in the units of the bounds."""
        quantity = self.quantity
        return {name: (quantity(name, low), quantity(name, high)) for name, (low, high) in limits.items()}

    def table(
        self, parameters: Mapping[str, float], se: Mapping[str, float], flat: Mapping[str, str] | None = None
    ) -> pd.DataFrame:
        """A row for each parameter in the unit of its bounds: value, se, lower, upper, unit, note (at a bound, conditional)."""
        held = [name for name in self.names if np.isnan(se[name])]
        rows = []
        for one in self.each:
            name, (size, unit, _) = one.name, one.shown
            low, high, value = (x / size for x in (one.low, one.high, parameters[name]))
            notes = [(flat or {}).get(name, "")]
            if name in held:
                notes.insert(0, f"at its {'lower' if value - low < high - value else 'upper'} bound")
            elif held and np.isfinite(se[name]):
                notes.insert(0, CONDITIONAL)
            note = ", ".join(filter(None, notes))
            rows.append((value, se[name] / size, low, high, unit, note))
        columns = ["value", "se", "lower", "upper", "unit", "note"]
        return pd.DataFrame(rows, columns=columns, index=pd.Index(self.names, name="parameter"))

    def lines(self, table: pd.DataFrame, limits: str) -> list[str]:
        """A `table` as text; its end says which errors are conditional, and `limits` which not."""
        width = max(len("parameter"), *map(len, self.names))
        lines = [f"  {'parameter':<{width}}  {'value':>10}  {'se':>9}  {'bounds':>18}  unit"]
        for name, row in table.iterrows():
            bounds = f"{row.lower:.4g} to {row.upper:.4g}"
            note = f"{row.unit:<4}  {row.note}" if row.note else row.unit
            lines.append(
                f"  {name:<{width}}  {row.value:>10.4g}  {row.se:>9.2g}  {bounds:>18}  {note}".rstrip()
            )
        held = table.index[table.se.isna()]
        if table.note.str.startswith(CONDITIONAL).any():
            at = " and ".join(
                f"{name} = {table.value[name]:.4g} {table.unit[name]}".rstrip() for name in held
            )
            lines.append(f"{CONDITIONAL}: this se holds only for {at}; {limits}")
        return lines

    def given(self) -> dict[str, tuple[str, str]]:
        """Value as text, and SI unit, of each parameter that is not free; those of several stimuli in line."""
        result = {}
        for path in _paths(self.parts, self.heads):
            if path in self.paths:
                continue
            each = [(*self.parts[:2], one, *self.parts[3:]) for one in _each_of(self.parts[2])]
            owners = [owner(parts, path, self.heads) for parts in each]
            (first, name), unit = owners[0], owners[0][0].unit(owners[0][1])
            size, shown, _ = _shown(getattr(first, name), getattr(first, name), unit)
            values = [f"{value / size:.4g}" for one, _ in owners for value in np.ravel(one.si(name))]
            text = f"{', '.join(dict.fromkeys(values))} {shown}".rstrip()
            result[path.removeprefix("model.")] = text, unit
        return result

    def models(self, values: np.ndarray) -> Parts:
        """Neuron, noise and stimulus with these values in SI, (K,)."""
        named = {one.path: one.quantity(float(value)) for one, value in zip(self.each, values, strict=True)}
        return self._each(self.parts, lambda part, name: replaced(part, name, named))

    def numbers(self, values: np.ndarray) -> Parts:
        """As `models`, but without any check, and for `si` only: many times faster."""
        of_part: dict[str, dict[str, float]] = {name: {} for name in self.heads}
        for path, value in zip(self.paths, values, strict=True):
            head, _, rest = path.partition(".")
            of_part[head][rest] = float(value)
        return self._each(self._numbers, lambda part, name: _with_si(part, of_part[name]))

    def rows(self, points: np.ndarray) -> list[Parts]:
        """`numbers` of points u (n, K), also outside of the bounds."""
        return [self.numbers(values) for values in self.values(points, within=False)]

    @cached_property
    def _numbers(self) -> Parts:
        """The parts, with all parameters known in SI."""
        return self._each(self.parts, lambda part, _: _all_si(part))

    def _each(self, parts: Parts, function: Callable[[Any, str], Any]) -> Parts:
        """A function of each part and its name, or of each stimulus of several recordings."""
        return tuple(
            tuple(function(one, name) for one in part) if isinstance(part, tuple) else function(part, name)
            for name, part in zip(self.heads, parts, strict=True)
        )


def _each_of(part: Any) -> tuple[Any, ...]:
    return part if isinstance(part, tuple) else (part,)


def _first(part: Any) -> Any:
    return _each_of(part)[0]


def _all_si(model: Any) -> Any:
    if not isinstance(model, Model):
        return model
    made = model.with_si({})
    for name, value in vars(model).items():
        if isinstance(value, Model):
            object.__setattr__(made, name, _all_si(value))
    return made


def _with_si(model: Any, values: Mapping[str, float]) -> Any:
    """A copy of a model that knows all its parameters, with values by path."""
    if not values:
        return model
    made = copy.copy(model)
    known = dict(vars(model)["_known_si"])
    for path, value in values.items():
        head, _, rest = path.partition(".")
        if rest:
            object.__setattr__(made, head, _with_si(getattr(made, head), {rest: value}))
        else:
            known[head] = value
    object.__setattr__(made, "_known_si", known)
    return made


def read_free(free: Any, parts: Parts, heads: tuple[str, ...] = PARTS) -> FreeParameters:
    """The checked free parameters of a calibration; NsnnError for unknown names and bounds that the models refuse."""
    expected = 'expected a dict such as {"tau_m": (1*ms, 50*ms), "noise.sigma": (0.5*mV, 10*mV)}'
    if not isinstance(free, Mapping) or not free:
        raise NsnnError(f"free = {units.shown(free)}: {expected}")
    known = _paths(parts, heads)
    # of inputs without the part in between: "input.tau_syn" for "input.synapse.tau_syn"
    short = {}
    for path in known:
        head, *_, last = path.split(".")
        short[f"{head}.{last}" if head in heads[len(PARTS) :] else path] = path
    each = []
    for name, bounds in free.items():
        path = full_path(name, heads)
        path = short.get(path, path)
        if path not in known:
            names = [one.removeprefix("model.") for one in short]
            raise NsnnError(
                f"free has the name {name!r}{did_you_mean(name, names)} (expected one of {', '.join(names)})"
            )
        model, field = owner(parts, path, heads)
        each.append(FreeParameter(name, path, *bounds_of(name, bounds, model.unit(field))))
    made = FreeParameters(parts, tuple(each), heads)
    _check_order(made)
    _check_values(made, free)
    return made


def full_path(name: Any, heads: tuple[str, ...] = PARTS) -> str:
    """The name of a parameter with "model." where it is left out."""
    return name if isinstance(name, str) and name.partition(".")[0] in heads else f"model.{name}"


def _paths(parts: Parts, heads: tuple[str, ...]) -> list[str]:
    """Names of all parameters."""
    named = zip(heads, map(_first, parts), strict=True)
    return [path for name, part in named if isinstance(part, Model) for path in _inner(name, part)]


def _inner(path: str, model: Model) -> Any:
    for field in model.parameter_fields():
        yield f"{path}.{field.name}"
    for name, value in vars(model).items():
        if isinstance(value, Model):
            yield from _inner(f"{path}.{name}", value)


def owner(parts: Parts, path: str, heads: tuple[str, ...] = PARTS) -> tuple[Model, str]:
    """The model that has a parameter, and its name there; of several stimuli the first."""
    head, *inner, last = path.split(".")
    model: Any = _first(parts[heads.index(head)])
    for step in inner:
        model = getattr(model, step)
    return model, last


def value_at(parts: Parts, path: str, heads: tuple[str, ...] = PARTS) -> float:
    """The value in SI of a parameter, of the first of several stimuli."""
    model, name = owner(parts, path, heads)
    return float(model.si(name))


def bounds_of(name: str, bounds: Any, unit: str) -> tuple[float, float, str, tuple[float, str, Any]]:
    """Lower and upper bound in SI, their unit, and how it is shown; NsnnError for others than two finite ones in order."""
    start = f"free[{name!r}] = {units.shown(bounds)}"
    if not isinstance(bounds, tuple | list) or len(bounds) != 2:
        raise NsnnError(f"{start}: expected a lower and an upper bound, such as (1*ms, 50*ms)")
    low, high = (np.asarray(units.si(one, unit, f"free[{name!r}]"), dtype=float) for one in bounds)
    if low.ndim or high.ndim or not np.isfinite([low, high]).all() or not low < high:
        raise NsnnError(f"{start}: expected a lower bound below the upper one, both finite")
    return float(low), float(high), unit, _shown(bounds[0], bounds[1], unit)


def _shown(low: Any, high: Any, unit: str) -> tuple[float, str, Any]:
    """Size in SI and name of the unit that bounds were written in, and the unit of `quantities`."""
    if unit == "1":
        return 1.0, "", None
    for one in (high, low):
        if isinstance(one, pq.Quantity):
            size = float(units.si(pq.Quantity(1.0, one.units), unit, "unit"))
            return size, one.dimensionality.string, one.units
    largest = max((high, low), key=lambda one: abs(float(units.si(one, unit, "bound"))))
    size = abs(float(units.si(largest, unit, "bound")))
    if unit in ("s", "V") and size < 1.0:  # Brian2's quantities do not say how they were written
        return 1e-3, f"m{unit}", None
    if unit == "ohm" and size >= 1e5:
        return 1e6, "Mohm", None
    if size < 1e-3:  # currents, capacitances, conductances
        best = largest.get_best_unit()
        return float(best), str(best), None
    return 1.0, unit, None


def _check_order(free: FreeParameters) -> None:
    """Raise NsnnError where bounds allow a reset at or above the threshold, and the like."""
    neuron = free.parts[0]

    def extreme(name: str, bound: np.ndarray) -> float:
        path = f"model.{name}"
        return float(bound[free.paths.index(path)]) if path in free.paths else float(neuron.si(name))

    for low, high in getattr(neuron, "ordered", ()):  # none in discrete time
        top, bottom = extreme(low, free.high), extreme(high, free.low)
        if top >= bottom:
            raise NsnnError(
                f"free: {low} may be {top:g} and {high} {bottom:g}: expected bounds that keep {low} below {high}"
            )


def _check_values(free: FreeParameters, given: Mapping[str, Any]) -> None:
    """Raise NsnnError for bounds that the models refuse."""
    start = free.values(free.start())
    for k, name in enumerate(free.names):
        for bound in (free.low[k], free.high[k]):
            values = start.copy()
            values[k] = bound
            try:
                free.models(values)
            except NsnnError as error:
                raise NsnnError(f"free[{name!r}] = {units.shown(given[name])}: {error}") from None

"""Distributions that weights and delays are drawn from: records that draw from a generator handed to them.

A law of one's own is a subclass of `Distribution` with `sample`, and with `lowest` where it is for delays.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from scipy.special import ndtr

from ..core.errors import NsnnError
from ..core.parameters import Record, parameter

__all__ = ["Between", "Distribution", "LogNormal", "Normal"]

_LEAST_INSIDE = 1e-3  # of a normal law that its bounds may leave


def numbers(record: Record) -> None:
    """Raise NsnnError unless every parameter of the record is one number."""
    for field in record._parameters():
        if np.ndim(record.si(field.name)):
            raise NsnnError(
                f"{field.name} = {getattr(record, field.name)}: expected one number, not an array"
            )


class Distribution(Record):
    """Base of the laws that weights and delays are drawn from; all parameters are numbers of one unit, "V", "1" or "s".

    >>> from brian2 import ms
    >>> Between(1*ms, 2*ms).unit_symbol
    's'
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        numbers(self)
        for field in self._parameters():
            value = getattr(self, field.name)
            if value is not None and self.unit(field.name) != self.unit_symbol:
                first = self._parameters()[0].name
                raise NsnnError(
                    f"{first} = {getattr(self, first)}, {field.name} = {value}: expected one unit"
                )

    @property
    def unit_symbol(self) -> str:
        """The unit of the values: "V", "1" or "s"."""
        return self.unit(self._parameters()[0].name)

    @property
    def lowest(self) -> float:
        """A bound (SI) below which no value is drawn; -inf where there is none. Delays need one that is not negative."""
        return -np.inf

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """`n` independent values, SI floats, shape (n,)."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, eq=False)
class Normal(Distribution):
    """A normal law; with bounds, what is out of them is drawn again: the normal law given low <= x <= high.

    Parameters
    ----------
    mean, sd : numbers, of the normal law without its bounds; sd >= 0
    low, high : numbers or None; low below high, at least 0.1 % of the law between them

    Raises
    ------
    NsnnError : units that differ, low not below high, bounds too far out

    >>> from brian2 import mV
    >>> Normal(0.1*mV, 0.05*mV, low=0*mV).lowest
    0.0
    """

    mean: Any = parameter("V", "1", "s")
    sd: Any = parameter("V", "1", "s", bound="non-negative")
    low: Any = parameter("V", "1", "s", default=None, kw_only=True)
    high: Any = parameter("V", "1", "s", default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        mean, sd, low, high = self._si()
        if not low < high:
            raise NsnnError(f"low = {self.low}: expected a value below high = {self.high}")
        inside = ndtr((high - mean) / sd) - ndtr((low - mean) / sd) if sd > 0 else float(low <= mean <= high)
        if not inside >= _LEAST_INSIDE:
            raise NsnnError(
                f"low = {self.low}, high = {self.high}: only a fraction {inside:.2g} of Normal(mean = {self.mean}, "
                f"sd = {self.sd}) is between them, expected {_LEAST_INSIDE:g} at least"
            )

    def _validate(self, field: dataclasses.Field) -> None:
        if getattr(self, field.name) is not None or field.default is not None:
            super()._validate(field)

    def _si(self) -> tuple[float, float, float, float]:
        mean, sd, low, high = (self.si(name) for name in ("mean", "sd", "low", "high"))
        return mean, sd, -np.inf if low is None else low, np.inf if high is None else high

    def unit(self, name: str) -> str:
        """The unit symbol of parameter `name`; of a bound that isn't given, the others'."""
        return super().unit("mean" if getattr(self, name) is None else name)

    def si(self, name: str) -> Any:
        """Parameter `name` as an SI float, or None for a bound that isn't given."""
        return None if getattr(self, name) is None else super().si(name)

    @property
    def lowest(self) -> float:
        """The lower bound (SI), -inf where there is none."""
        return self._si()[2]

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """`n` independent values, SI floats, shape (n,)."""
        mean, sd, low, high = self._si()
        out = rng.normal(mean, sd, n)
        again = np.flatnonzero((out < low) | (out > high))
        while again.size:
            out[again] = rng.normal(mean, sd, again.size)
            again = again[(out[again] < low) | (out[again] > high)]
        return out


@dataclasses.dataclass(frozen=True, eq=False)
class LogNormal(Distribution):
    """A log-normal law by its own mean and standard deviation: ln x is N(ln mean - s^2/2, s^2), s^2 = ln(1 + (sd/mean)^2).

    Parameters
    ----------
    mean, sd : numbers, of the variable itself; sd >= 0. A negative mean gives minus a log-normal variable (inhibitory weights)

    Raises
    ------
    NsnnError : units that differ, a mean of zero

    Source: Song et al. 2005 (of synaptic weights), doi 10.1371/journal.pbio.0030068

    >>> x = LogNormal(0.5, 0.5).sample(np.random.default_rng(1), 100_000)
    >>> [round(float(value), 2) for value in (x.mean(), x.std())]
    [0.5, 0.5]
    """

    mean: Any = parameter("V", "1", "s")
    sd: Any = parameter("V", "1", "s", bound="non-negative")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.si("mean") == 0 or not np.isfinite(self._spread()):
            raise NsnnError(
                f"mean = {self.mean}: expected a mean other than zero, not tiny beside sd = {self.sd}"
            )

    def _spread(self) -> float:
        with np.errstate(all="ignore"):
            return float(np.sqrt(np.log1p(np.square(np.float64(self.si("sd")) / self.si("mean")))))

    @property
    def lowest(self) -> float:
        """0 for a positive mean, else -inf."""
        return 0.0 if self.si("mean") > 0 else -np.inf

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """`n` independent values, SI floats, shape (n,)."""
        s = self._spread()
        return self.si("mean") * np.exp(s * rng.standard_normal(n) - s**2 / 2)


@dataclasses.dataclass(frozen=True, eq=False)
class Between(Distribution):
    """The uniform law on [low, high).

    low, high : numbers, low below high

    >>> Between(1.0, 3.0).sample(np.random.default_rng(1), 2).round(3).tolist()
    [2.024, 2.901]
    """

    low: Any = parameter("V", "1", "s")
    high: Any = parameter("V", "1", "s")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.si("low") < self.si("high"):
            raise NsnnError(f"low = {self.low}: expected a value below high = {self.high}")

    @property
    def lowest(self) -> float:
        """The lower bound (SI)."""
        return self.si("low")

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """`n` independent values, SI floats, shape (n,)."""
        return rng.uniform(self.si("low"), self.si("high"), n)
